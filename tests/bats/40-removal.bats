#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A function may leave, or another may take its address, between any two operations of ours. Each case here runs a
# scenario once to count its operations, and then once for each of them with the function leaving right before it.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
VF=0000:01:00.4

setup() {
	new_tree
}

teardown() {
	end_all
}

# for_each_operation HOOK-ACTION CHECK COMMAND...: HOOK-ACTION before the first, the second, ... operation of the
# command, each time on a fresh copy of the tree, and then CHECK. $opened is the operation that opened the GPU's
# directory, from which on the helper knows whom it deals with.
for_each_operation() {
	local action=$1 check=$2 n count opened
	shift 2
	save_tree
	FAKE_COUNT=1 "$@"
	cp "$TREE/.fake_ops" "$TREE.ops"
	count=$(wc -l <"$TREE.ops")
	((count > 20)) || explain "only $count operations"
	# The first one that attributes are read through.
	opened=$(awk '/ open .*\/vendor$/ { print $1 - 1; exit }' "$TREE.ops")
	[[ $(sed -n "${opened}p" "$TREE.ops") == *" open sys/bus/pci/devices/"* ]] || explain "where is it opened?"
	for ((n = 1; n <= count; n++)); do
		restore_tree
		FAKE_HOOK="$n $action" "$@"
		[[ -e $TREE/.fake_writes ]] || break
		read_writes_after
		$check || explain "$action before operation $n of $count: $(sed -n "${n}p" "$TREE.ops")"
	done
	((n > count - 5)) || explain "only $n of $count operations were reached"
}

# Sets $after to the writes after the function left.
read_writes_after() {
	local all i
	mapfile -t all <"$TREE/.fake_writes"
	after=()
	for i in "${!all[@]}"; do
		[[ ${all[i]} != "# "* ]] || after=("${all[@]:i + 1}")
	done
}

# Once it has left, one write may have been under way.
hardly_written() {
	((${#after[@]} <= 1)) || explain "more than one write to a device that was gone"
}

# A function that left: told as such or done before, and nothing stays behind. What was noted of the host's modules is not its.
left_cleanly() {
	local said=$log
	((status == 0 || status == 3)) || explain "exit status is $status" || return
	hardly_written || return
	[[ $said != *$'\n'* ]] || explain "more than one record" || return
	[[ -e $TREE/run/nvfio ]] || return 0
	nvfio_udev forget "/sys/devices/$PORT/$GPU"
	((status == 0)) || explain "forget failed" || return
	rm -f "$TREE/run/nvfio/modules"
	[[ -z $(ls -A "$TREE/run/nvfio") ]] || explain "left in /run/nvfio: $(ls -A "$TREE/run/nvfio")"
}

# Nothing for another function at the address: at most its name was written once, in the instant between looking and
# writing, where the kernel refuses it for want of an override. Before we opened the address, it is the newcomer itself
# that the event is about.
nothing_for_newcomer() {
	local line named=0
	((n > opened)) || return 0
	[[ -z $(override_of $GPU) ]] || explain "the newcomer has an override" || return
	! on_vfio $GPU || explain "the newcomer is on VFIO" || return
	for line in "${after[@]}"; do
		# "(gone)" went to the one that left.
		[[ $line != */$GPU/* || $line == *" (gone)"* ]] || explain "written to the newcomer: $line" || return
		[[ $line != *$'\t'$GPU ]] || named=$((named + 1))
	done
	((named <= 1)) || explain "the newcomer was named more than once"
}

newcomer_untouched() {
	((n > opened)) || return 0
	nothing_for_newcomer || return
	((status == 0 || status == 3)) || explain "exit status is $status" || return
	hotplug $GPU
	[[ $(prop NVFIO_STATE) == bound ]] || explain "the newcomer is not taken on its own event"
}

driverless() {
	add_function $GPU 10de:2331 030200 --group 1
	add_function $SND 10de:22bc 040300 --group 1
}

native() {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvidia_node $GPU 0
}

# --- it leaves ------------------------------------------------------------------------------------------------------

@test "a driverless GPU that leaves before any operation" {
	driverless
	for_each_operation "remove $GPU" left_cleanly hotplug $GPU
}

@test "a bound GPU that leaves before any operation" {
	native
	for_each_operation "remove $GPU" left_cleanly hotplug $GPU
}

@test "a GPU whose bind fails that leaves before any operation" {
	native
	probe_fails $GPU vfio-pci EINVAL
	failed_or_left() {
		[[ $log != *"rolling back failed"* ]] || explain "there was nothing to roll back on" || return
		left_cleanly
	}
	for_each_operation "remove $GPU" failed_or_left hotplug $GPU
}

@test "a GPU with an interrupted act that leaves while it is given back" {
	driverless
	make_record $GPU acting
	set_attribute $GPU driver_override 'vfio-pci\n'
	set_config <<<$'[policy]\ngpu = native'
	settled() {
		((status == 0 || status == 3)) || explain "exit status is $status" || return
		hardly_written
	}
	# The record is of the directory's inode, which a copy of the tree does not keep.
	again() {
		make_record $GPU acting
		reapply $GPU
	}
	for_each_operation "remove $GPU" settled again
}

@test "a whole card that leaves before any operation for a companion" {
	driverless
	companion_left() {
		((status == 0 || status == 3)) || explain "exit status is $status" || return
		hardly_written
	}
	for_each_operation "remove $GPU $SND" companion_left hotplug $SND
}

@test "function 0 that leaves while its companion is looked at" {
	driverless
	companion_alone() {
		((status == 0 || status == 3)) || explain "exit status is $status" || return
		# Taken before function 0 left, or not at all: never halfway.
		[[ $(driver_of $SND) == vfio-pci || -z $(override_of $SND) ]] || explain "an override was left behind"
	}
	for_each_operation "remove $GPU" companion_alone hotplug $SND
}

@test "a PF that leaves while its VF is looked at" {
	add_function $GPU 10de:2331 030200 --group 1 --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	vf_alone() {
		((status == 0 || status == 3)) || explain "exit status is $status" || return
		[[ $(driver_of $VF) == vfio-pci || -z $(override_of $VF) ]] || explain "an override was left behind"
	}
	for_each_operation "remove $GPU" vf_alone hotplug $VF
}

# --- another takes its address --------------------------------------------------------------------------------------

@test "a driverless GPU that is replaced before any operation" {
	driverless
	for_each_operation "replace $GPU" newcomer_untouched hotplug $GPU
}

@test "a bound GPU that is replaced before any operation" {
	native
	for_each_operation "replace $GPU" newcomer_untouched hotplug $GPU
}

@test "a GPU whose bind fails that is replaced before any operation" {
	native
	probe_fails $GPU vfio-pci EINVAL
	for_each_operation "replace $GPU" nothing_for_newcomer hotplug $GPU
}

@test "a bound GPU that is replaced by one in use, which keeps its driver" {
	native
	still_bound() {
		local operation
		((n > opened)) || return 0
		nothing_for_newcomer || return
		operation=$(sed -n "${n}p" "$TREE.ops")
		# A name is all that unbind takes: what comes after the last look cannot be seen.
		[[ $operation == *"sys/bus/pci/drivers/nvidia/unbind" || $(driver_of $GPU) == nvidia ]] ||
			explain "the newcomer lost its driver"
	}
	for_each_operation "replace-bound $GPU" still_bound hotplug $GPU
}

# --- forget ---------------------------------------------------------------------------------------------------------

@test "forget drops record and lock of a function that left" {
	driverless
	hotplug $GPU
	assert_state bound
	local path
	path=$(syspath_of $GPU)
	rm -rf "$(device_dir $GPU)" "$TREE/sys/bus/pci/devices/$GPU"
	nvfio_udev forget "$path"
	assert_status 0
	[[ -z $(find "$TREE/run/nvfio" -name "*$GPU*") ]] || explain "left: $(ls -A "$TREE/run/nvfio")"
}

@test "forget keeps what belongs to the function that sits there now" {
	driverless
	hotplug $GPU
	nvfio_udev forget "$(syspath_of $GPU)"
	assert_status 0
	[[ $(record_of $GPU state) == bound ]] || explain "the record is gone"
}

@test "forget leaves somebody who still acts his lock" {
	driverless
	lock_function $GPU
	rm -rf "$(device_dir $GPU)" "$TREE/sys/bus/pci/devices/$GPU"
	nvfio_udev forget "/sys/devices/$PORT/$GPU"
	assert_status 0
	[[ -e $TREE/run/nvfio/$GPU.lock ]] || explain "the lock is gone"
}

@test "forget of what was never known is no error, and leaves nothing" {
	nvfio_udev forget "/sys/devices/$PORT/0000:09:00.0"
	assert_status 0
	[[ -z $(find "$TREE/run/nvfio" -type f 2>/dev/null) ]] || explain "something was made"
}
