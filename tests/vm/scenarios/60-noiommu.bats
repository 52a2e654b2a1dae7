#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: noiommu
#
# A host without IOMMU.

load ../guest/lib
bats_require_minimum_version 1.5.0

@test "nothing is taken, the native drivers load and work, and each record says why" {
	local bdf

	plug_card 1
	settle
	wait_for 15 driver_is "$(bdf_of 1 0)" nvidia
	wait_for 15 driver_is "$(bdf_of 1 1)" snd_hda_intel
	wait_for 15 driver_is "$(bdf_of 1 2)" xhci_hcd
	for bdf in "$(bdf_of 1 0)" "$(bdf_of 1 1)" "$(bdf_of 1 2)"; do
		[[ $(override_of "$bdf") == none ]]
		[[ $(state_of "$bdf") == refused ]]
		run records_of "$bdf"
		echo "$output"
		[[ ${#lines[@]} -eq 1 ]]
		[[ $output == *"IOMMU"* ]]
	done
	: <>"$(gpu_node "$(bdf_of 1)")"
	run ! module_loaded vfio_pci
}

@test "a trigger and the native driver's release change nothing" {
	local removes

	removes=$(removes_of nvidia)
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(removes_of nvidia) == "$removes" ]]
	rmmod nvidia
	settle
	[[ $(driver_of "$(bdf_of 1)") == none ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	unplug_card 1
}

@test "nvfio check says so, and what mends it" {
	run nvfio check
	echo "$output"
	((status == 5))
	grep -q '^problem  iommu: no IOMMU is on' <<<"$output"
	grep -qF -- '-> firmware setup: enable IOMMU (AMD-Vi)' <<<"$output"
	grep -q '^note     interrupts: interrupts are not remapped' <<<"$output"
}
