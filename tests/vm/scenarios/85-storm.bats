#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# Everything at once: a card plugged and unplugged, VFs made and removed, triggers from eight sides, udevd restarted and
# killed. Afterwards nothing is left over, no function is lost, and each kernel event is accounted for by a plug, a trigger or
# a landing: nothing of ours answers to itself. make soak runs the long form; figures are in out/storm.

load ../guest/lib

setup_file()
{
	export CYCLES=2 VF_CYCLES=2 PAUSE=6
	[[ -z ${SOAK:-} ]] || CYCLES=200 VF_CYCLES=100 PAUSE=15
	bench_reset
	natives_load vfio-pci
	rm -f "$BENCH/out/storm"
}

teardown()
{
	# Before anything else, or the storm goes on under whatever follows.
	rm -f "$BENCH/storm"
	[[ -n ${BATS_TEST_COMPLETED:-} ]] && return
	[[ -z ${STORM:-} ]] || wait "${STORM[@]}" || :
	pgrep -x systemd-udevd >/dev/null || udevd_run
	collect "$BENCH/out/85-storm/test-$BATS_SUITE_TEST_NUMBER"
	strays >"$BENCH/out/85-storm/strays"
	cp "$BENCH/monitor" "$BENCH/out/85-storm/"
	touch "$BENCH/out/85-storm/failed"
}

storming()
{
	[[ -e $BENCH/storm ]]
}

# pause SECONDS: or until the storm is over.
pause()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))

	while storming && ((${EPOCHREALTIME/./} < end)); do
		read -rt 0.2 -u "$BENCH_NEVER" || :
	done
}

# came_to_rest BDF: where udevd missed its `add`, a function may wait for its native driver, as the default policy has it.
came_to_rest()
{
	driver_is "$1" vfio-pci || state_is "$1" deferred
}

# Every other time the card goes while udev and the helper are at work on it.
hotplug_cycles()
{
	local i

	for ((i = 1; i <= CYCLES; i++)); do
		plug_card 1 || return 1
		((i % 2)) || wait_for 60 came_to_rest "$(bdf_of 1)" || return 1
		unplug_card 1 || return 1
		((i % 10)) || echo "# $i hotplug cycles after $SECONDS s" >>"$BENCH/out/storm"
	done
	plug_card 1
}

vfs_came_to_rest()
{
	local bdf

	for bdf in $(vfs_of "$(bdf_of s)"); do
		came_to_rest "$bdf" || return 1
	done
}

vf_cycles()
{
	local i

	for ((i = 1; i <= VF_CYCLES; i++)); do
		sriov s 4 || return 1
		((i % 2)) || wait_for 60 vfs_came_to_rest || return 1
		sriov s 0 || return 1
		((i % 10)) || echo "# $i VF cycles after $SECONDS s" >>"$BENCH/out/storm"
	done
	sriov s 4
}

trigger()
{
	# Before it runs: what is written down bounds what happened.
	echo >>"$BENCH/triggers"
	udevadm trigger --subsystem-match=pci --attr-match=vendor=0x10de "$@"
}

trigger_loop()
{
	while storming; do
		# A function may go under its hands.
		trigger || :
		pause 2
	done
}

# Stopped as a package upgrade does, or killed with its workers at work. What it missed is repaired by the triggers.
restart_loop()
{
	local signal=TERM

	while pause "$PAUSE" && storming; do
		udevd_signal $signal
		wait_for 60 udevd_gone || return 1
		udevd_run
		echo >>"$BENCH/restarts"
		[[ $signal == TERM ]] && signal=KILL || signal=TERM
	done
}

udevd_idle()
{
	! pgrep '^\(udev-worker' >/dev/null
}

udevd_fds()
{
	local fds

	fds=(/proc/"$(pgrep -x systemd-udevd)"/fd/*)
	echo ${#fds[@]}
}

# Kernel threads do not wait either: a hotplug that hangs is theirs.
nobody_hangs()
{
	! grep -qs '^State:.*disk sleep' /proc/[0-9]*/status
}

kernel_complaints()
{
	dmesg | grep -E 'Oops|BUG:|WARNING:' || :
}

lines_of()
{
	wc -l <"$1"
}

# figures SECONDS
figures()
{
	echo "$1 s: $CYCLES hotplug cycles, $VF_CYCLES VF cycles, $(lines_of "$BENCH/restarts") udevd restarts," \
		"$(lines_of "$BENCH/triggers") triggers, $(awk '{ n += $3 } END { print n }' "$BENCH/table") kernel events"
	sed 's/^/# /' "$BENCH/table"
}

# events_are_accounted_for TRIGGERS RESTARTS: prints what is not.
events_are_accounted_for()
{
	uevents_table | awk -v triggers="$1" -v restarts="$2" -v pf="$(bdf_of s)" '
		function at_most(kind, limit)
		{
			if (count[bdf, kind] > limit)
				print bdf ": " count[bdf, kind] " " kind ", at most " limit + 0
		}
		{ count[$1, $2] = $3; seen[$1] = 1 }
		END {
			for (bdf in seen)
				vf_adds += bdf == pf ? 0 : count[bdf, "add"]
			for (bdf in seen) {
				adds = count[bdf, "add"]
				function0 = substr(bdf, 1, length(bdf) - 1) "0"
				at_most("remove", adds)
				at_most("vfio", adds)
				# An udevd that is killed may lose the event of function 0, whose companions are on VFIO already: the next
				# trigger defers it, and they are given back to their native drivers.
				at_most("native", bdf == function0 ? adds : adds + restarts)
				at_most("unbind", count[bdf, "vfio"] + count[bdf, "native"])
				at_most("trigger", triggers)
				at_most("follow-up", bdf == function0 ? 0 : count[function0, "vfio"])
				# A VF gets one when its physfn link is made, its PF one when they all are there.
				at_most("change", bdf == pf ? vf_adds : adds)
				at_most("replayed", 0)
			}
		}'
}

@test "a storm of hotplugs, VFs, triggers and udevd restarts" {
	local bdf fds taint start=$SECONDS job failed='' card all

	printf '[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
	: >"$BENCH/triggers"
	: >"$BENCH/restarts"
	udevd_stop
	udevd_run
	uevents_start --property
	plug_sriov 4
	settle
	wait_for 20 udevd_idle
	fds=$(udevd_fds)
	taint=$(</proc/sys/kernel/tainted)

	STORM=()
	: >"$BENCH/storm"
	for job in hotplug_cycles vf_cycles restart_loop trigger_loop{,,,,,,,}; do
		$job 3>&- &
		STORM+=($!)
	done
	# The cycles end by themselves, and with them the storm.
	for job in "${STORM[@]:0:2}"; do
		wait "$job" || failed+=" cycles"
	done
	rm "$BENCH/storm"
	for job in "${STORM[@]:2}"; do
		wait "$job" || failed+=" loops"
	done
	[[ -z $failed ]]
	settle 60

	# What udevd missed last: one trigger repairs it.
	trigger --settle
	settle 60
	card=$(bdf_of 1)
	all="$card ${card%0}1 ${card%0}2 $(vfs_of "$(bdf_of s)")"
	[[ $(wc -w <<<"$all") -eq 7 ]]
	uevents_table | sort >"$BENCH/table"
	[[ -z $(events_are_accounted_for "$(lines_of "$BENCH/triggers")" "$(lines_of "$BENCH/restarts")" | tee /dev/stderr) ]]
	figures $((SECONDS - start)) >>"$BENCH/out/storm"

	# None without driver, none without explanation; those that wait land when their native driver lets go.
	for bdf in $all; do
		state_is "$bdf" bound && continue
		echo "$bdf: $(driver_of "$bdf"), $(property_of "$bdf" NVFIO_MESSAGE)"
		echo "# deferred: $bdf" >>"$BENCH/out/storm"
		[[ $(state_of "$bdf") == deferred && $(driver_of "$bdf") != none && $(override_of "$bdf") == none ]]
		echo "$bdf" >"$SYS/$bdf/driver/unbind"
		settle
	done
	for bdf in $all; do
		[[ $(driver_of "$bdf") == vfio-pci ]]
		[[ $(state_of "$bdf") == bound ]]
	done
	[[ $(driver_of "$(bdf_of s)") == nvidia ]]
	[[ $(override_of "$(bdf_of s)") == none ]]
	vfio-client "$card"
	vfio-client "$(vfs_of "$(bdf_of s)" | head -n 1)"

	wait_for 20 udevd_idle
	wait_for 20 nobody_hangs
	strays >&2 || :
	[[ -z $(strays) ]]
	echo "udevd's descriptors: $fds before, $(udevd_fds) after"
	[[ $(udevd_fds) -eq $fds ]]
	# The log is a ring; the kernel remembers that there was a warning.
	[[ $(</proc/sys/kernel/tainted) == "$taint" ]]
	[[ -z $(kernel_complaints) ]]
}

@test "and nothing is left when all has gone" {
	unplug_card 1
	unplug_card s
	settle
	[[ -z $(find /run/nvfio -name '*0000:*') ]]
}
