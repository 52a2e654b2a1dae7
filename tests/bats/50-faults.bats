#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every single operation fails once. Whatever fails, the function ends where it was or on VFIO, with a word about it,
# and the next event finds its way.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1

setup() {
	new_tree
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	add_function $SND 10de:22bc 040300 --group 1 --driver snd_hda_intel
	nvidia_node $GPU 0
}

teardown() {
	end_all
}

# fail_each_operation ERRNO CHECK COMMAND...
fail_each_operation() {
	local error=$1 check=$2 n count
	shift 2
	save_tree
	FAKE_COUNT=1 "$@"
	cp "$TREE/.fake_ops" "$TREE.ops"
	count=$(wc -l <"$TREE.ops")
	((count > 20)) || explain "only $count operations"
	for ((n = 1; n <= count; n++)); do
		restore_tree
		FAKE_FAIL=$n:$error "$@"
		$check || explain "operation $n of $count failed with $error: $(sed -n "${n}p" "$TREE.ops")"
	done
}

# On VFIO and nobody's doubt, or as it was.
taken_or_as_before() {
	((status <= 4)) || explain "exit status is $status" || return
	if on_vfio $GPU; then
		[[ $(driver_of $GPU) == vfio-pci && $(override_of $GPU) == vfio-pci ]] || explain "half on VFIO" || return
		[[ -e $TREE/run/nvfio/$GPU ]] || explain "no record of what was there before" || return
	elif [[ -z $(driver_of $GPU) ]]; then
		# Only where giving back is what failed, and then the record is there to do it by.
		[[ -e $TREE/run/nvfio/$GPU && $log == *"rolling back failed"* ]] ||
			explain "without driver and without explanation" || return
	else
		[[ $(driver_of $GPU) == nvidia ]] || explain "on another driver" || return
		[[ -z $(override_of $GPU) || -e $TREE/run/nvfio/$GPU ]] || explain "an override nobody knows of" || return
		[[ $log ]] || explain "not a word" || return
	fi
	# A re-apply of the same wish, with nothing failing, ends on VFIO ...
	reapply $GPU
	assert_state bound || return
	[[ $(driver_of $GPU) == vfio-pci && $(record_of $GPU override) == "" ]] || explain "not on VFIO at the second try"
}

# Gives up the wish instead: everything is as it was.
given_back() {
	((status <= 4)) || explain "exit status is $status" || return
	! on_vfio $GPU || return 0
	printf '[policy]\ngpu = native\n' >"$TREE/etc/nvfio.conf"
	reapply $GPU
	rm "$TREE/etc/nvfio.conf"
	assert_state left configured || return
	[[ -z $(override_of $GPU) && -z $(records) ]] || explain "something of ours stays behind" || return
	[[ $(driver_of $GPU) == nvidia ]] || explain "its driver is not back"
}

takeover_idle() {
	set_config <<<$'[policy]\ntakeover = idle'
}

@test "each operation fails with EIO, and the next event takes the function" {
	takeover_idle
	fail_each_operation EIO taken_or_as_before hotplug $GPU
}

@test "each operation fails with EACCES, and the next event gives everything back" {
	fail_each_operation EACCES given_back hotplug $GPU
}

@test "each operation of a failing bind fails as well, and the next event gives everything back" {
	probe_fails $GPU vfio-pci EINVAL
	fail_each_operation EIO given_back hotplug $GPU
}

@test "each operation fails for want of memory while nothing is to be done, and nothing is done" {
	nothing_done() {
		((status <= 4)) || explain "exit status is $status" || return
		[[ $(driver_of $GPU) == nvidia && -z $(writes) ]] || explain "something was written"
	}
	set_config <<<"[device $GPU]"$'\ngpu = native'
	fail_each_operation ENOMEM nothing_done hotplug $GPU
	set_config <<<"[policy]"
	hold /dev/nvidia0 812
	fail_each_operation ENOMEM nothing_done hotplug $GPU
}

@test "each write is short, and none is taken for whole" {
	takeover_idle
	fail_each_operation SHORT taken_or_as_before hotplug $GPU
}
