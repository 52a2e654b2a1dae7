#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: off
#
# A host whose kernel command line says nvfio=off.

load ../guest/lib

@test "nothing is taken, and one record says so for the whole boot" {
	local func

	plug_card 1
	settle
	udevadm trigger --subsystem-match=pci --settle
	wait_for 15 driver_is "$(bdf_of 1 0)" nvidia
	wait_for 15 driver_is "$(bdf_of 1 1)" snd_hda_intel
	for func in 0 1 2; do
		[[ $(override_of "$(bdf_of 1 $func)") == none ]]
		[[ $(state_of "$(bdf_of 1 $func)") == left ]]
		[[ $(property_of "$(bdf_of 1 $func)" NVFIO_REASON) == off ]]
	done
	[[ $(dmesg | grep -c 'nvfio-udev.*nvfio=off is on the kernel command line') -eq 1 ]]
	: <>"$(gpu_node "$(bdf_of 1)")"
	unplug_card 1
}
