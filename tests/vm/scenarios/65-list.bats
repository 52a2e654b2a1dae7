#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# nvfio list and explain on a real kernel: they tell what is there, and they answer also while a native driver's
# remove() hangs with the device lock held, where lspci -k, udevadm info and cat would hang with it.

load ../guest/lib

setup_file()
{
	bench_reset
	modprobe nvidia
}

# said SECONDS ARGUMENT...: what nvfio prints, if it ends in time. Not by $( ), which would wait for what hangs.
said()
{
	local seconds=$1

	shift
	within "$seconds" nvfio "$@" >"$BENCH/said" 2>"$BENCH/complaint" || return
	[[ ! -s $BENCH/complaint ]]
	cat "$BENCH/said"
}

# hangs COMMAND...: it does not end in a second. It is left alone, with nothing of ours open.
hangs()
{
	local r=0

	within 1 "$@" >/dev/null 2>&1 </dev/null || r=$?
	((r == 124))
}

# unbind_from_nvidia BDF
unbind_from_nvidia()
{
	echo "$1" >/sys/bus/pci/drivers/nvidia/unbind
}

@test "a card on VFIO and what carries it" {
	local bdf

	bdf=$(bdf_of 1)
	plug_card 1
	wait_for 20 driver_is "$(bdf_of 1 2)" vfio-pci
	settle
	run said 10 -rno bdf,role,driver,group,state,reason,name "--sort=bdf"
	echo "$output"
	[[ ${lines[0]} == "$bdf gpu vfio-pci $(group_of "$bdf") bound bound GH100"* ]]
	[[ ${lines[1]} == "$(bdf_of 1 1) companion vfio-pci $(group_of "$bdf") bound bound "* ]]
	((${#lines[@]} == 3))
	run said 10 -To bdf,role
	[[ ${lines[1]} == *"$(basename "$(dirname "$(realpath "$SYS/$bdf")")")"*bridge ]]
	[[ ${lines[2]} == *"$bdf"*gpu ]]
	run said 10 explain "$bdf"
	[[ $output == *"state: bound (bound)"*"=> bound (on-vfio)"*"viable once"*"users: none"*"it is on VFIO"* ]]
	unplug_card 1
}

@test "while the native driver's remove() hangs under nvfio, both answer and say so" {
	local bdf

	bdf=$(bdf_of 1)
	printf '[policy]\ntimeout = 1s\n' >/etc/nvfio.conf
	nvidia_set hang_remove Y
	plug_card 1 gpu
	wait_for 15 state_is "$bdf" claimed
	# It does hang: this attribute is behind the device lock.
	hangs eval "echo auto >$SYS/$bdf/power/control"
	run said 10 -rno bdf,state
	[[ $output == "$bdf in-flight" ]]
	run said 10 -aTO
	[[ $output == *"$bdf"* ]]
	run said 10 explain "$bdf"
	[[ $output == *"state: in-flight (in-flight)"*"lock: held"*"=> leave (in-flight)"* ]]
	nvidia_set hang_remove N
	wait_for 20 driver_is "$bdf" vfio-pci
	settle
	run said 10 -rno bdf,state
	[[ $output == "$bdf bound" ]]
	rm /etc/nvfio.conf
	unplug_card 1
}

@test "while it hangs under somebody else, both answer and say so" {
	local bdf

	bdf=$(bdf_of 1)
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1 gpu
	wait_for 15 state_is "$bdf" left
	wait_for 10 driver_is "$bdf" nvidia
	nvidia_set hang_remove Y
	hangs unbind_from_nvidia "$bdf"
	# The link goes before remove() begins: what looks like a function without driver is not one.
	wait_for 10 driver_is "$bdf" none
	rm /etc/nvfio.conf
	run said 10 -rno bdf,state,reason
	[[ $output == "$bdf left configured" ]]
	run said 10 explain "$bdf"
	[[ $output == *"its device lock is held"*"=> leave (in-flight)"* ]]
	nvidia_set hang_remove N
	settle
	unplug_card 1
}
