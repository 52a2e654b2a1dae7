#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nvfio's options, verbs and columns are the same in --help and in the man page, and the completions of bash, zsh and fish
# offer for each verb the options that nvfio takes with it.

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
NVFIO=${NVFIO:-$REPO/build/nvfio}
COMPLETIONS=$(dirname -- "$NVFIO")/completions

# The completions start nvfio by its name. It looks below an empty directory: the host's functions are not the test's.
setup() {
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/empty"
	printf '#!/bin/bash\nexec %q --sysroot=%q "$@"\n' "$NVFIO" "$BATS_TEST_TMPDIR/empty" >"$BATS_TEST_TMPDIR/bin/nvfio"
	chmod +x "$BATS_TEST_TMPDIR/bin/nvfio"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# The long options that a text speaks of.
options() {
	grep -oE -- '--[a-z][a-z-]+' | sort -u
}

verbs() {
	"$NVFIO" --help | sed -n 's/^  \([a-z][a-z]*\)   *[a-z].*/\1/p'
}

# same NAME: what is on standard input is what --help says.
same() {
	diff -u --label "--help" --label "$1" "$BATS_TEST_TMPDIR/help" -
}

@test "options: help, man page" {
	"$NVFIO" --help | options >"$BATS_TEST_TMPDIR/help"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/help")" -ge 14 ]
	# Without the EXAMPLES, which are about other commands as well.
	sed '/^# EXAMPLES/,$d; s/\\//g' "$REPO/man/nvfio.8.scd" | options | same "man page"
}

@test "short options: help, man page" {
	"$NVFIO" --help | grep -oE -- '^  -[A-Za-z]' | tr -d ' ' | sort >"$BATS_TEST_TMPDIR/help"
	grep -oE '^\*-[A-Za-z]\*' "$REPO/man/nvfio.8.scd" | tr -d '*' | sort | same "man page"
}

@test "verbs: help, man page" {
	verbs | sort >"$BATS_TEST_TMPDIR/help"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/help")" -ge 3 ]
	sed -n '/^# VERBS/,/^# OPTIONS/s/^\*\([a-z]*\)\*.*/\1/p' "$REPO/man/nvfio.8.scd" | sort | same "man page"
}

@test "columns: help, man page" {
	"$NVFIO" --help | sed -n '/^Columns:/,$s/^  \([A-Z]*\) .*/\1/p' >"$BATS_TEST_TMPDIR/help"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/help")" = 17 ]
	sed -n '/^# COLUMNS/,/^# STATES/s/^[[|]*\[* *\*\([A-Z]*\)\*$/\1/p' "$REPO/man/nvfio.8.scd" | same "man page"
}

# --- completions ----------------------------------------------------------------------------------------------------

# complete_in SHELL WORD...: what the shell would offer for the last word, sorted.
complete_in() {
	local shell=$1
	shift
	# shellcheck disable=SC2016 # the other shells expand them
	case $shell in
	bash)
		bash -c 'source "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _nvfio; printf "%s\n" "${COMPREPLY[@]}"' \
			"$COMPLETIONS/nvfio.bash" "$@"
		;;
	# zsh keeps what fits what was typed; its own functions for that are only there within its line editor.
	zsh)
		zsh -f -c 'compadd() { shift; print -l -- "$@" }; compset() { : }; _files() { print -l *(N) }
			words=("$@"); CURRENT=$#; source "$0"' "$COMPLETIONS/nvfio.zsh" "$@" |
			awk -v start="${*: -1}" 'BEGIN { sub(/^--[a-z-]*=/, "", start) } index($0, start) == 1'
		;;
	fish)
		fish --no-config -c 'source $argv[1]; complete -C "$argv[2..-1]"' "$COMPLETIONS/nvfio.fish" "$@" |
			sed 's/\t.*//; s/^--[a-z-]*=//'
		;;
	esac | sed '/^$/d' | sort -u
}

# offers WORD... = EXPECTED...: in each shell.
offers() {
	local shell words=()
	while [ "$1" != = ]; do
		words+=("$1")
		shift
	done
	shift
	for shell in bash zsh fish; do
		diff -u --label "expected" --label "$shell: ${words[*]}" <(printf '%s\n' "$@" | sed '/^$/d' | sort -u) \
			<(complete_in $shell "${words[@]}")
	done
}

# takes VERB OPTION: nvfio takes that option with that verb. There is no function to do anything with.
takes() {
	local verb value='' word=$2
	if "$NVFIO" --help | grep -q -- "$2="; then
		# A wrong value would be complained of first.
		for verb in $(verbs); do
			value+=" $("$NVFIO" --help | awk -v verb="$verb" -v option="$2" -f "$REPO/completions/words.awk")"
		done
		read -r value _ <<<"$value"
		[[ $value != @* ]] || value=$BATS_TEST_TMPDIR/empty
		word+=" $value"
	fi
	# shellcheck disable=SC2086 # an option and its value
	! nvfio "$1" $word 2>&1 | grep -qF -- "$2: no option of nvfio"
}

@test "completions: for each verb the options that nvfio takes with it, and no others" {
	local verb option expected
	for verb in $(verbs); do
		expected=()
		for option in $("$NVFIO" --help | options); do
			! takes "$verb" "$option" || expected+=("$option")
		done
		offers nvfio "$verb" -- = "${expected[@]}"
	done
	# shellcheck disable=SC2046 # words
	offers nvfio -- = $(complete_in bash nvfio list --)
}

@test "completions: verbs, events, columns, directories" {
	# shellcheck disable=SC2046 # words
	offers nvfio '' = $(verbs) $(complete_in bash nvfio list --)
	offers nvfio ex = explain
	offers nvfio --tr = --tree
	offers nvfio explain --event h = hotplug
	offers nvfio list -o VERD = VERDICT
	offers nvfio list --sort VERD = VERDICT
	offers nvfio config --tr =
	[ "$(complete_in bash nvfio explain --event = h)" = hotplug ]
	[ "$(complete_in zsh nvfio explain --event=h)" = hotplug ]
	[ "$(complete_in fish nvfio explain --event=h)" = hotplug ]
	cd "$BATS_TEST_TMPDIR"
	[ "$(complete_in bash nvfio --sysroot em)" = empty ]
	[ "$(complete_in zsh nvfio --sysroot em)" = empty ]
	[ "$(complete_in fish nvfio --sysroot em)" = empty/ ]
}

@test "completions: addresses" {
	local dev=$BATS_TEST_TMPDIR/empty/sys/bus/pci/devices/0000:41:00.0
	mkdir -p "$dev"
	printf '0x10de\n' | tee "$dev/vendor" >"$dev/subsystem_vendor"
	printf '0x2331\n' | tee "$dev/device" >"$dev/subsystem_device"
	printf '0x030200\n' >"$dev/class"
	printf 'pci:v000010DEd00002331\n' >"$dev/modalias"
	[ "$(complete_in bash nvfio explain 0000)" = 0000:41:00.0 ]
	[ "$(complete_in zsh nvfio explain 0000)" = 0000:41:00.0 ]
	[ "$(complete_in fish nvfio explain 0000)" = 0000:41:00.0 ]
	offers nvfio list 0000 =
}

# What another verb's line of --help would do; nothing of it is written in the completions.
@test "completions: a verb more in --help is all it takes" {
	cat >"$BATS_TEST_TMPDIR/bin/nvfio" <<-'END'
		#!/bin/sh
		[ "$*" = --help ] && cat <<HELP
		Usage: nvfio [list] [OPTION...]
		       nvfio give|take [OPTION...] BDF...|--all

		  list      all of them
		  give      give it
		  take      take it

		give, take:
		      --all             all of them
		      --force           take: by force
		      --vmm=VMM         one, two-three or four
		      --persist         give: for good; take: until then
		all:
		  -J, --json            JSON
		HELP
	END
	offers nvfio '' = list give take --json
	offers nvfio give - = --all --vmm --persist --json
	offers nvfio take - = --all --force --vmm --persist --json
	offers nvfio give --vmm '' = one two-three four
}
