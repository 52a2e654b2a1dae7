#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rule file under the real udev rule engine: umockdev shows it a PCI function that is not there, `udevadm test` runs
# the rules in a /run of our own, and a stand-in for the helper writes down what it was started with. udevadm test has no
# SEQNUM of its own; where an event is to look real, the mocked uevent has one.

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
DEV=/devices/pci0000:00/0000:00:01.0/0000:01:00.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	HELPER_PRINTS='NVFIO_STATE="bound"'
	DB='' CMDLINE='quiet' ATTRS='' RUNDIR="$BATS_TEST_TMPDIR/run"
	mkdir -p run/nvfio
	: >started
}

# function_with ID CLASS [KEY=VALUE...]: a function with these ids and uevent properties.
function_with() {
	{
		printf 'P: %s\nE: SUBSYSTEM=pci\nE: PCI_ID=%s\nE: PCI_CLASS=%s\n' "$DEV" "$1" "$2"
		printf 'E: PCI_SLOT_NAME=0000:01:00.0\nE: MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00\n'
		shift 2
		[ $# = 0 ] || printf 'E: %s\n' "$@"
		printf 'A: vendor=0x10de\\n\nA: class=0x030200\\n\nA: driver_override=(null)\\n\n%s' "$ATTRS"
	} >function.umockdev
}

# event ACTION: runs the rules; $output are the properties afterwards, ./started the helper's arguments, one start a line.
event() {
	printf '#!/bin/sh\necho "$@" >>%s/started\n%s\n' "$PWD" \
		"${HELPER_FAILS:+exit 1}
cat <<'END'
$HELPER_PRINTS
END" >helper
	chmod +x helper
	sed -e "s|@HELPER@|$PWD/helper|" -e "s|@PROGRAM@|${PROGRAM:-$PWD/helper}|" -e "s|@RUNDIR@|$RUNDIR|" \
		-e "s|@UDEVDIR@|$REPO/rules|" \
		"$REPO/rules/70-nvfio.rules.in" >70-nvfio.rules
	cat >inside <<-END
		set -e
		mount -t tmpfs none /run
		mkdir -p /run/udev/rules.d /run/udev/data
		[ -n "\$NO_RULES" ] || cp 70-nvfio.rules /run/udev/rules.d/
		[ -z "\$DB" ] || printf 'I:1\n%s\nV:1\n' "\$DB" >/run/udev/data/+pci:0000:01:00.0
		umockdev-run -d function.umockdev -- \
			sh -c '\$TRACE udevadm test --action=$1 /sys$DEV >log 2>&1; cat /sys$DEV/driver_override >override'
		[ ! -e /run/udev/data/+pci:0000:01:00.0 ] || cp -p /run/udev/data/+pci:0000:01:00.0 db
	END
	DB=$DB TRACE=${TRACE-} NO_RULES=${NO_RULES-} SYSTEMD_PROC_CMDLINE=$CMDLINE unshare -m bash inside || { cat log; return 1; }
	run sed -n '/^[A-Z_.]*=/p' log
}

starts() { wc -l <started; }

has() {
	grep -qxF -- "$1" <<<"$output" || { echo "no '$1' in:"; echo "$output"; cat log; return 1; }
}

has_no() {
	! grep -q -- "^$1" <<<"$output" || { echo "'$1' in:"; echo "$output"; return 1; }
}

# has_tags TAG...: these, and no others. udev has them in any order.
has_tags() {
	local tags
	tags=$(sed -n 's/^TAGS=//p' <<<"$output" | tr -s : '\n' | sort | tr '\n' ' ')
	[ "${tags# }" = "$* " ] || { echo "tags are $tags"; cat log; return 1; }
}

# unit_is_there [yes]: whether a bound function has what makes a unit of systemd's.
unit_is_there() {
	if [ -n "$1" ]; then
		has_tags nvfio systemd && has SYSTEMD_ALIAS=/sys/bus/pci/devices/0000:01:00.0
	else
		has_tags nvfio && has_no SYSTEMD_
	fi
}

@test "a hotplugged GPU starts one program, which gets the event's facts and the state before" {
	DB=$'E:NVFIO_STATE=deferred\nE:NVFIO_REASON=held'
	function_with 10DE:2331 30200 SEQNUM=77
	event add
	[ "$(starts)" = 1 ]
	[ "$(cat started)" = "event --action=add --synth= --seqnum=77 --follow-up= --state=deferred --reason=held --admin= /sys$DEV" ]
	has NVFIO_STATE=bound
}

@test "replays and follow-ups are told apart for the helper" {
	function_with 10DE:2331 30200 SEQNUM=78 SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
	event change
	[[ $(cat started) == *"--action=change --synth=0 --seqnum=78 --follow-up=1 "* ]]
}

@test "under udevadm test the helper is told so by an empty SEQNUM, and no state is made up" {
	HELPER_PRINTS='NVFIO_VERDICT="bind"'
	function_with 10DE:2331 30200
	event add
	[[ $(cat started) == *" --seqnum= "* ]]
	has_no NVFIO_STATE
}

@test "udevadm test writes no attribute" {
	function_with 10DE:2331 30200
	event add
	[ "$(cat override)" = "(null)" ]
}

@test "bound and claimed blank MODALIAS and tag, any other state lets the native module load" {
	local state
	for state in bound claimed left deferred refused failed; do
		HELPER_PRINTS="NVFIO_STATE=\"$state\""
		function_with 10DE:2331 30200 SEQNUM=1
		event add
		has "NVFIO_STATE=$state"
		if [ "$state" = bound ] || [ "$state" = claimed ]; then
			has_no "MODALIAS=."
		else
			has "MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
			has_no TAGS
			has_no SYSTEMD_
		fi
		if [ "$state" = bound ]; then
			has_tags nvfio systemd
			has SYSTEMD_ALIAS=/sys/bus/pci/devices/0000:01:00.0
		elif [ "$state" = claimed ]; then
			has_tags nvfio
			has_no SYSTEMD_
		fi
	done
}

@test "a helper that fails leaves MODALIAS alone and the state failed, whatever it was before" {
	DB='E:NVFIO_STATE=bound' HELPER_FAILS=1
	function_with 10DE:2331 30200 SEQNUM=1
	event add
	has NVFIO_STATE=failed
	has "MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
}

@test "no program starts for a device of another vendor or class" {
	local fn
	for fn in "8086:1234 30200" "1002:744C 30000" "10DE:0057 20000" "10DE:0AB8 10601" "10DE:22A3 60400" "10DE:0AA3 50000"; do
		# shellcheck disable=SC2086 # two words
		function_with $fn SEQNUM=1
		event add
		[ "$(starts)" = 0 ]
	done
}

FOREIGN=("8086:10D3 20000" "144D:A808 10802" "1002:744C 30000" "8086:1901 60400" "10DE:0AB8 10601" "10DE:22A3 60400")

# state_before STATE: of the function's last event.
state_before() {
	DB="E:NVFIO_STATE=$1"
}

@test "no event of a foreign function starts a program, whatever it says, but a follow-up" {
	local fn row
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	for fn in "${FOREIGN[@]}"; do
		for row in "add X=1" "add SYNTH_UUID=0" "add SYNTH_ARG_NVFIO=1" "change X=1" "change SYNTH_UUID=0" \
			"change SYNTH_ARG_NVFIO=2" "bind DRIVER=vfio-pci" "unbind X=1" "move X=1" "remove X=1"; do
			# shellcheck disable=SC2086 # two words
			function_with $fn SEQNUM=1 "${row#* }"
			event "${row% *}"
			[ "$(starts)" = 0 ] || { echo "$fn $row"; return 1; }
			has_no NVFIO_
			has_no TAGS
			has "MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
		done
	done
}

@test "a follow-up of a foreign function starts one, and its state is kept" {
	local fn n=0
	HELPER_PRINTS='NVFIO_STATE="refused"'
	for fn in "${FOREIGN[@]}"; do
		# shellcheck disable=SC2086 # two words
		function_with $fn SEQNUM=1 SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
		event change
		n=$((n + 1))
		[ "$(starts)" = "$n" ]
		[[ $(tail -n 1 started) == *"--action=change --synth=0 --seqnum=1 --follow-up=1 "* ]]
		has NVFIO_STATE=refused
		grep -qx 'E:NVFIO_STATE=refused' db
	done
}

@test "a foreign function that was met is judged again when replayed, until it is left" {
	local state n=0
	for state in claimed deferred refused failed; do
		state_before $state
		function_with 144D:A808 10802 SEQNUM=1 SYNTH_UUID=0
		event change
		n=$((n + 1))
		[ "$(starts)" = "$n" ]
		[[ $(tail -n 1 started) == *"--follow-up= --state=$state "* ]]
	done
	state_before left
	event change
	[ "$(starts)" = "$n" ]
	has NVFIO_STATE=left
	function_with 144D:A808 10802 SEQNUM=1 SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
	event change
	[ "$(starts)" = "$((n + 1))" ]
}

# files_of EVENT: which files udev looks at in any way, and how, for the event of the function; but for the rule files.
files_of() {
	TRACE="strace -f -qq -e trace=%file -o trace" event "$1"
	sed -n 's/^[0-9]* *\([a-z0-9_]*\)([^"]*"\([^"][^"]*\)".*/\1 \2/p' trace |
		sed -e 's|/umockdev\.[^/]*/|/umockdev/|' -e 's|\(/\.#.*\)......$|\1|' |
		grep -v -e '/rules\.d$' -e '\.rules$'
}

@test "no file is looked at for a foreign function's event: the same ones with and without these rules" {
	local fn action
	for action in add change bind unbind remove; do
		for fn in "${FOREIGN[1]}" "${FOREIGN[4]}"; do
			# shellcheck disable=SC2086 # two words
			function_with $fn SEQNUM=1
			files_of "$action" >with
			NO_RULES=1 files_of "$action" >without
			grep -q '+pci:0000:01:00.0' with # it was traced
			diff without with || { echo "$action $fn"; return 1; }
		done
	done
	# A function of ours can be told apart by this.
	function_with 10DE:2331 30200 SEQNUM=1
	files_of add >with
	NO_RULES=1 files_of add >without
	run ! diff -q without with
}

@test "a foreign function's unbind starts one only where it is deferred or claimed" {
	local state
	for state in bound refused failed left; do
		state_before $state
		function_with 144D:A808 10802 SEQNUM=1
		event unbind
		[ "$(starts)" = 0 ]
	done
	for state in deferred claimed; do
		state_before $state
		event unbind
		[[ $(tail -n 1 started) == *"--action=unbind "*"--state=$state "* ]]
	done
}

@test "a foreign function that was taken costs no program while it is on VFIO, and is forgotten when it goes" {
	local action
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	state_before bound
	for action in add change bind; do
		function_with 144D:A808 10802 SEQNUM=1 DRIVER=vfio-pci
		event "$action"
		[ "$(starts)" = 0 ]
		has NVFIO_STATE=bound
		has_tags nvfio systemd
		[ "$action" != add ] || has_no "MODALIAS=."
	done
	: >run/nvfio/0000:01:00.0.lock
	event remove
	[ "$(cat started)" = "forget /sys$DEV" ]
}

@test "every class of ours starts one" {
	local class n=0
	for class in 30000 30200 38000 40300 C0330 C8000 68000; do
		function_with 10DE:2331 "$class" SEQNUM=1
		event add
		n=$((n + 1))
		[ "$(starts)" = "$n" ]
	done
}

@test "on a VFIO driver: state, tag and no MODALIAS, without a program" {
	local action
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	for action in add change bind; do
		function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci
		event "$action"
		[ "$(starts)" = 0 ]
		has NVFIO_STATE=bound
		has NVFIO_DRIVER=vfio-pci
		has_tags nvfio systemd
		[ "$action" != add ] || has_no "MODALIAS=."
	done
}

@test "the reason of a bind stays over the events after it; who else bound it, or when, is on-vfio" {
	local action before
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	DB=$'E:NVFIO_STATE=bound\nE:NVFIO_VERDICT=bind\nE:NVFIO_REASON=bound\nE:NVFIO_MESSAGE=bound to vfio-pci, was on nvidia'
	for action in bind change add; do
		function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci
		event "$action"
		has NVFIO_VERDICT=bind
		has NVFIO_REASON=bound
		has 'NVFIO_MESSAGE=bound to vfio-pci, was on nvidia'
	done
	for before in '' $'E:NVFIO_STATE=claimed\nE:NVFIO_REASON=claimed' $'E:NVFIO_STATE=left\nE:NVFIO_REASON=boot'; do
		DB=$before
		function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci
		event bind
		has NVFIO_STATE=bound
		has NVFIO_REASON=on-vfio
		has_no NVFIO_MESSAGE=.
	done
	[ "$(starts)" = 0 ]
}

@test "a bound function of every role but vf has a unit, and a VF has none, in each of its events" {
	local role row
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	for role in gpu pf companion nvswitch other vf; do
		DB=$'E:NVFIO_STATE=bound\nE:NVFIO_ROLE='$role
		for row in "bind X=1" "change X=1" "change SYNTH_UUID=0" "add SYNTH_UUID=0" "change ERROR_EVENT=BEGIN_RECOVERY" "unbind X=1"; do
			function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci "${row#* }"
			event "${row% *}"
			unit_is_there "$([ $role = vf ] || echo yes)" || { echo "$role: $row"; return 1; }
		done
	done
	# By the event that binds it: what the helper has just found out counts.
	ATTRS='' DB=''
	for role in gpu vf; do
		HELPER_PRINTS=$'NVFIO_STATE="bound"\nNVFIO_ROLE="'$role'"'
		function_with 10DE:2331 30200 SEQNUM=1
		event add
		unit_is_there "$([ $role = vf ] || echo yes)" || { echo "$role: add"; return 1; }
	done
}

@test "an administrator's NVFIO_UNIT gives a VF a unit, and takes it from a GPU, while it is bound" {
	local row role unit state
	for row in "vf 1 yes" "vf 0" "gpu 1 yes" "gpu 0"; do
		read -r role unit state <<<"$row"
		HELPER_PRINTS=$'NVFIO_STATE="bound"\nNVFIO_ROLE="'$role'"'
		function_with 10DE:2331 30200 SEQNUM=1 "NVFIO_UNIT=$unit"
		event add
		unit_is_there "$state" || { echo "$row"; return 1; }
	done
	for state in claimed left; do
		HELPER_PRINTS=$'NVFIO_STATE="'$state$'"\nNVFIO_ROLE="vf"'
		function_with 10DE:2331 30200 SEQNUM=1 NVFIO_UNIT=1
		event add
		has_no SYSTEMD_
		[[ $output != *:systemd:* ]]
	done
}

@test "an event that is asked for imports what was found out about a VF, and starts nothing" {
	function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=5 SYNTH_ARG_NVFIO=told
	DB=$'E:NVFIO_STATE=claimed\nE:NVFIO_REASON=with-pf'
	printf 'NVFIO_STATE="left"\nNVFIO_REASON="configured"\n' >run/nvfio/0000:01:00.0.properties
	event add
	has NVFIO_STATE=left
	has NVFIO_REASON=configured
	has "MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
	# Its `bind` event came in between.
	DB=$'E:NVFIO_STATE=bound\nE:NVFIO_REASON=bound\nE:NVFIO_MESSAGE=bound to vfio-pci'
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=5 SYNTH_ARG_NVFIO=told DRIVER=vfio-pci
	printf 'NVFIO_STATE="bound"\nNVFIO_REASON="bound"\nNVFIO_MESSAGE="not viable"\n' >run/nvfio/0000:01:00.0.properties
	event add
	has NVFIO_STATE=bound
	has "NVFIO_MESSAGE=not viable"
	[ "$(starts)" = 0 ]
}

@test "where nothing was found out an event that is asked for judges a VF that waits, and no other" {
	local state
	for state in left deferred refused failed; do
		DB="E:NVFIO_STATE=$state"$'\nE:NVFIO_REASON=held'
		function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=5 SYNTH_ARG_NVFIO=told
		event add
		has NVFIO_STATE=$state
		has NVFIO_REASON=held
		[ "$(starts)" = 0 ]
	done
	DB=$'E:NVFIO_STATE=claimed\nE:NVFIO_REASON=with-pf'
	event add
	[ "$(starts)" = 1 ]
	[[ $(cat started) == *"--action=add --synth=5 "*"--state=claimed --reason=with-pf "* ]]
	has NVFIO_STATE=bound
}

@test "a vGPU's VF is a VFIO device on nvidia, and no fast path" {
	ATTRS=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/nvidia\n' HELPER_PRINTS='NVFIO_STATE="left"'
	function_with 10DE:2331 30200 SEQNUM=1 DRIVER=nvidia
	event add
	[ "$(starts)" = 1 ]
	has NVFIO_STATE=left
}

@test "error recovery, native binds, foreign unbinds and kernel changes start nothing and keep the state" {
	local row
	DB=$'E:NVFIO_STATE=left\nE:NVFIO_REASON=boot\nE:NVFIO_MESSAGE=found at boot'
	for row in "change ERROR_EVENT=BEGIN_RECOVERY" "bind DRIVER=nvidia" "unbind X=1" "change X=1" "move X=1" "online X=1"; do
		function_with 10DE:2331 30200 SEQNUM=1 "${row#* }"
		event "${row% *}"
		[ "$(starts)" = 0 ]
		has NVFIO_STATE=left
		has NVFIO_REASON=boot
		has "NVFIO_MESSAGE=found at boot"
	done
}

@test "the native driver's unbind of a deferred function starts one, a replayed one does not" {
	DB='E:NVFIO_STATE=deferred'
	function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=0
	event unbind
	[ "$(starts)" = 0 ]
	function_with 10DE:2331 30200 SEQNUM=1
	event unbind
	[ "$(starts)" = 1 ]
}

@test "a function unbound from its VFIO driver is bound no more" {
	DB='E:NVFIO_STATE=bound'
	function_with 10DE:2331 30200 SEQNUM=1
	event unbind
	[ "$(starts)" = 0 ]
	has NVFIO_STATE=left
	has NVFIO_REASON=unbound
	# Its unit ends, and what is bound to that.
	has_no CURRENT_TAGS
}

@test "the kernel's change of a VF that waits for its PF starts one" {
	DB=$'E:NVFIO_STATE=deferred\nE:NVFIO_REASON=no-physfn'
	function_with 10DE:2331 30200 SEQNUM=1
	event change
	[[ $(cat started) == *"--reason=no-physfn"* ]]
}

@test "state and tag survive switch-root" {
	function_with 10DE:2331 30200 SEQNUM=1
	event add
	grep -qx 'E:NVFIO_STATE=bound' db
	# db_persist is the sticky bit of the database file: `udevadm info --cleanup-db` passes such files over.
	[ -k db ]
}

@test "nvfio=off is said once a boot and starts nothing after that" {
	CMDLINE='quiet nvfio=off'
	HELPER_PRINTS='NVFIO_STATE="left"'
	function_with 10DE:2331 30200 SEQNUM=1
	event add
	[ "$(starts)" = 1 ]
	: >run/nvfio/said-off
	event add
	[ "$(starts)" = 1 ]
	has NVFIO_STATE=left
	has NVFIO_REASON=off
	has "MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
}

@test "without the helper (an initramfs with only the rules) nothing happens" {
	PROGRAM=/nonexistent/nvfio-udev
	function_with 10DE:2331 30200 SEQNUM=1
	event add
	[ "$(starts)" = 0 ]
	has "MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
}

@test "a removed function is forgotten if anything is known about it" {
	function_with 10DE:2331 30200 SEQNUM=1
	event remove
	[ "$(starts)" = 0 ]
	: >run/nvfio/0000:01:00.0.lock
	event remove
	[ "$(cat started)" = "forget /sys$DEV" ]
}

@test "a replayed remove forgets nothing" {
	: >run/nvfio/0000:01:00.0.lock
	function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=0
	event remove
	[ "$(starts)" = 0 ]
}

@test "an administrator's word reaches the helper" {
	function_with 10DE:2331 30200 SEQNUM=1 NVFIO=native
	event add
	[[ $(cat started) == *"--admin=native "* ]]
}

# What a VF has, and no other function.
VF=$'A: sriov_vf_msix_count=0\\n\n'
ON_VFIO=$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
WAITING=$'E:NVFIO_STATE=claimed\nE:NVFIO_REASON=with-pf\nE:NVFIO_ROLE=vf'
MODALIAS=MODALIAS=pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00

# still_waits: no program was started for it, no native module is loaded, and nobody is to think that it is there.
still_waits() {
	[ "$(starts)" = 0 ] || { cat started; return 1; }
	has NVFIO_STATE=claimed && has NVFIO_REASON=with-pf && has NVFIO_ROLE=vf && has_no TAGS &&
		has_no CURRENT_TAGS
}

# became STATE REASON: what the PF's program found out about the function.
became() {
	printf 'NVFIO_STATE="%s"\nNVFIO_VERDICT="v"\nNVFIO_REASON="%s"\nNVFIO_ROLE="vf"\nNVFIO_GROUP="7"\nNVFIO_MESSAGE="so it is"\n' \
		"$1" "$2" >run/nvfio/0000:01:00.0.properties
}

is_told() {
	has "NVFIO_STATE=$1" && has "NVFIO_REASON=$2" && has NVFIO_VERDICT=v && has NVFIO_GROUP=7 && has 'NVFIO_MESSAGE=so it is'
}

@test "a VF's add starts no program: it waits for its PF, and that survives switch-root" {
	ATTRS=$VF
	function_with 10DE:2331 30200 SEQNUM=1
	event add
	still_waits
	has_no MODALIAS=.
	[ -k db ]
}

@test "a VF does not wait where a rule spoke of it, under udevadm test, when replayed, switched off, or without the helper" {
	local word n=0
	ATTRS=$VF HELPER_PRINTS='NVFIO_STATE="left"'
	for word in native vfio; do
		function_with 10DE:2331 30200 SEQNUM=1 NVFIO=$word
		event add
		n=$((n + 1))
		[ "$(starts)" = $n ]
		[[ $(tail -n 1 started) == "event --action=add "*" --admin=$word "* ]]
		has NVFIO_STATE=left
	done
	function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=0
	event add
	[ "$(starts)" = 3 ]
	[[ $(tail -n 1 started) == "event --action=add --synth=0 "* ]]
	# Its word alone counts, and that is no state.
	HELPER_PRINTS='NVFIO_VERDICT="bind"'
	function_with 10DE:2331 30200
	event add
	[ "$(starts)" = 4 ]
	[[ $(tail -n 1 started) == *" --seqnum= "* ]]
	has_no NVFIO_STATE
	: >run/nvfio/said-off
	CMDLINE='quiet nvfio=off'
	function_with 10DE:2331 30200 SEQNUM=1
	event add
	has NVFIO_STATE=left
	has NVFIO_REASON=off
	has $MODALIAS
	CMDLINE=quiet PROGRAM=/nonexistent/nvfio-udev
	event add
	[ "$(starts)" = 4 ]
	has_no NVFIO_
	has $MODALIAS
}

@test "a waiting VF's events of the kernel's that come before its PF's change nothing" {
	local row
	ATTRS=$VF DB=$WAITING
	for row in "change X=1" "bind DRIVER=nvidia" "unbind X=1" "move X=1"; do
		function_with 10DE:2331 30200 SEQNUM=1 "${row#* }"
		event "${row% *}"
		still_waits || { echo "$row"; return 1; }
	done
}

@test "a waiting VF that is asked for is judged by its own event, whatever is known of another" {
	local row n=0
	ATTRS=$VF DB=$WAITING HELPER_PRINTS='NVFIO_STATE="left"'
	for row in "add X=1" "change X=1" "add SYNTH_ARG_NVFIO=told" "change SYNTH_ARG_NVFIO=1"; do
		[ "${row#*=}" = told ] || became bound bound
		function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=0 "${row#* }"
		event "${row% *}"
		n=$((n + 1))
		[ "$(starts)" = $n ]
		[[ $(tail -n 1 started) == "event --action=${row% *} --synth=0 --seqnum=1 --follow-up="*" --state=claimed --reason=with-pf --admin= "* ]]
		has NVFIO_STATE=left
		has_no NVFIO_MESSAGE=.
		rm -f run/nvfio/*.properties
	done
}

@test "a waiting VF on VFIO is told what its PF's program said, by whichever event comes first" {
	local row before
	ATTRS=$VF$ON_VFIO
	became bound bound
	for before in with-pf in-flight; do
		DB=${WAITING/with-pf/$before}
		for row in "bind X=1" "change X=1" "unbind X=1" "change SYNTH_UUID=0"; do
			function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci "${row#* }"
			event "${row% *}"
			is_told bound bound || { echo "$before: $row"; return 1; }
			has NVFIO_DRIVER=vfio-pci
			has_tags nvfio
		done
	done
	[ "$(starts)" = 0 ]
}

@test "a waiting VF on VFIO of which nothing was said is on-vfio" {
	ATTRS=$VF$ON_VFIO DB=$WAITING
	function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci
	event bind
	[ "$(starts)" = 0 ]
	has NVFIO_STATE=bound
	has NVFIO_REASON=on-vfio
	has_tags nvfio
}

@test "what was said of a function earlier does not count once it is known to be something else" {
	local before
	ATTRS=$VF$ON_VFIO
	became bound bound
	for before in left/unbound deferred/held; do
		DB=$'E:NVFIO_STATE='${before%/*}$'\nE:NVFIO_REASON='${before#*/}
		function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci
		event bind
		has NVFIO_STATE=bound
		has NVFIO_REASON=on-vfio
	done
	became left configured
	DB=$'E:NVFIO_STATE=bound\nE:NVFIO_REASON=bound'
	event bind
	has NVFIO_STATE=bound
	has NVFIO_REASON=bound
}

@test "told: the VF's event imports what became of it, and starts no program; only where it is left its native module is loaded" {
	local state
	ATTRS=$VF DB=$WAITING
	for state in left deferred refused failed claimed; do
		became $state why
		function_with 10DE:2331 30200 SEQNUM=1 SYNTH_UUID=0 SYNTH_ARG_NVFIO=told
		event add
		[ "$(starts)" = 0 ]
		is_told $state why
		if [ $state = claimed ]; then
			has_no MODALIAS=.
			has_tags nvfio
		else
			has $MODALIAS
			has_no TAGS
		fi
	done
	# Or it was judged by an event of its own before.
	DB=$'E:NVFIO_STATE=left\nE:NVFIO_REASON=rule'
	rm run/nvfio/*.properties
	event add
	[ "$(starts)" = 0 ]
	has NVFIO_STATE=left
	has NVFIO_REASON=rule
	has $MODALIAS
}

PF=$'A: virtfn0/class=0x030200\\n\n'

@test "a PF's change starts one program for all its VFs, whose end says nothing about the PF" {
	ATTRS=$PF DB=$'E:NVFIO_STATE=left\nE:NVFIO_REASON=configured'
	for HELPER_FAILS in '' 1; do
		: >started
		function_with 10DE:2331 30200 SEQNUM=77
		event change
		[ "$(cat started)" = "vfs --seqnum=77 /sys$DEV" ]
		has NVFIO_STATE=left
		has NVFIO_REASON=configured
		has $MODALIAS
	done
}

@test "so does that of a PF that is on a VFIO driver, which stays bound" {
	ATTRS=$PF$'A: vfio-dev/vfio0/dev=511:0\\n\nL: driver=../../../../bus/pci/drivers/vfio-pci\n'
	DB=$'E:NVFIO_STATE=bound\nE:NVFIO_ROLE=gpu'
	function_with 10DE:2331 30200 SEQNUM=77 DRIVER=vfio-pci
	event change
	[ "$(cat started)" = "vfs --seqnum=77 /sys$DEV" ]
	has NVFIO_STATE=bound
	has_tags nvfio systemd
	: >started
	function_with 10DE:2331 30200 SEQNUM=1 DRIVER=vfio-pci SYNTH_UUID=0
	event change
	function_with 10DE:2331 30200 DRIVER=vfio-pci
	event change
	[ "$(starts)" = 0 ]
}

@test "no other event of a PF starts that program, nor one of a function without VFs" {
	local row
	ATTRS=$PF DB=$'E:NVFIO_STATE=left\nE:NVFIO_REASON=configured'
	for row in "change ERROR_EVENT=BEGIN_RECOVERY" "change SYNTH_UUID=0" "add X=1" "bind DRIVER=nvidia" "unbind X=1" \
		"remove X=1"; do
		function_with 10DE:2331 30200 SEQNUM=1 "${row#* }"
		event "${row% *}"
		! grep '^vfs' started || { echo "$row"; return 1; }
	done
	function_with 10DE:2331 30200
	event change
	# Each VF's event has said so by then.
	: >run/nvfio/said-off
	CMDLINE='quiet nvfio=off'
	function_with 10DE:2331 30200 SEQNUM=1
	event change
	CMDLINE=quiet ATTRS=''
	function_with 10DE:2331 30200 SEQNUM=1
	event change
	ATTRS=$PF DB=''
	function_with 8086:10D3 20000 SEQNUM=1
	event change
	run ! grep '^vfs' started
}
