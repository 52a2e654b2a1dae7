#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nvfio's options, verbs and columns are the same in --help, in the man page and in the completion.

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
NVFIO=${NVFIO:-$REPO/build/nvfio}

# The long options that a text speaks of.
options() {
	grep -oE -- '--[a-z][a-z-]+' | sort -u
}

# same NAME: what is on standard input is what --help says.
same() {
	diff -u --label "--help" --label "$1" "$BATS_TEST_TMPDIR/help" -
}

@test "options: help, man page, completion" {
	"$NVFIO" --help | options >"$BATS_TEST_TMPDIR/help"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/help")" -ge 14 ]
	# Without the EXAMPLES, which are about other commands as well.
	sed '/^# EXAMPLES/,$d; s/\\//g' "$REPO/man/nvfio.8.scd" | options | same "man page"
	options <"$REPO/completions/nvfio.bash" | same completion
}

@test "short options: help, man page" {
	"$NVFIO" --help | grep -oE -- '^  -[A-Za-z]' | tr -d ' ' | sort >"$BATS_TEST_TMPDIR/help"
	grep -oE '^\*-[A-Za-z]\*' "$REPO/man/nvfio.8.scd" | tr -d '*' | sort | same "man page"
}

@test "verbs: help, man page, completion" {
	"$NVFIO" --help | sed -n 's/^  \([a-z][a-z]*\)   *[a-z].*/\1/p' | sort >"$BATS_TEST_TMPDIR/help"
	[ "$(cat "$BATS_TEST_TMPDIR/help")" = $'config\nexplain\nlist' ]
	sed -n '/^# VERBS/,/^# OPTIONS/s/^\*\([a-z]*\)\*.*/\1/p' "$REPO/man/nvfio.8.scd" | sort | same "man page"
	sed -n "s/^\t\tlist | explain | config)$/list explain config/p" "$REPO/completions/nvfio.bash" | tr ' ' '\n' | sort |
		same completion
}

@test "columns: help, man page" {
	"$NVFIO" --help | sed -n '/^Columns:/,$s/^  \([A-Z]*\) .*/\1/p' >"$BATS_TEST_TMPDIR/help"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/help")" = 17 ]
	sed -n '/^# COLUMNS/,/^# STATES/s/^[[|]*\[* *\*\([A-Z]*\)\*$/\1/p' "$REPO/man/nvfio.8.scd" | same "man page"
}

# complete WORD...: what bash would offer for the last of them.
complete_words() {
	local -a COMPREPLY=()
	# shellcheck disable=SC2034 # for the completion
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	_nvfio
	printf '%s\n' "${COMPREPLY[@]}"
}

@test "the completion offers verbs, events, columns and options" {
	local bin=$BATS_TEST_TMPDIR/bin
	mkdir "$bin"
	ln -s "$NVFIO" "$bin/nvfio"
	PATH=$bin:$PATH
	# shellcheck disable=SC1091
	source "$REPO/completions/nvfio.bash"
	[ "$(complete_words nvfio ex)" = explain ]
	[ "$(complete_words nvfio --tr)" = --tree ]
	[ "$(complete_words nvfio explain --event h)" = hotplug ]
	[ "$(complete_words nvfio explain --event = h)" = hotplug ]
	[ "$(complete_words nvfio list -o VERD)" = VERDICT ]
	[ -z "$(complete_words nvfio config --tr)" ]
}
