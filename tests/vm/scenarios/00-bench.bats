#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# The bench itself, without nvfio: if this fails, no other scenario means
# anything. The rules are told to leave every device alone.

load ../guest/lib

setup_file()
{
	bench_reset
	mkdir -p /run/udev/rules.d
	printf '%s\n' 'ENV{NVFIO}="native"' >/run/udev/rules.d/65-nvfio-bench.rules
	udevd_reload
}

# by_hand BDF DRIVER: what a person types.
by_hand()
{
	echo "$2" >"$SYS/$1/driver_override"
	[[ ! -e $SYS/$1/driver ]] || echo "$1" >"$SYS/$1/driver/unbind"
	echo "$1" >/sys/bus/pci/drivers_probe
}

@test "functions of a plugged card carry NVIDIA ids and share an IOMMU group" {
	local group

	plug_card 1
	[[ $(attr_of "$(bdf_of 1 0)" vendor) == 0x10de ]]
	[[ $(attr_of "$(bdf_of 1 0)" device) == 0x2331 ]]
	[[ $(attr_of "$(bdf_of 1 0)" class) == 0x030200 ]]
	[[ $(attr_of "$(bdf_of 1 1)" class) == 0x040300 ]]
	[[ $(attr_of "$(bdf_of 1 2)" class) == 0x0c0330 ]]
	group=$(group_of "$(bdf_of 1 0)")
	[[ $group != none ]]
	[[ $(group_of "$(bdf_of 1 1)") == "$group" ]]
	[[ $(group_of "$(bdf_of 1 2)") == "$group" ]]
}

@test "udev loads the native drivers by modalias, and they attach" {
	settle
	wait_for 10 driver_is "$(bdf_of 1 0)" nvidia
	wait_for 10 driver_is "$(bdf_of 1 1)" snd_hda_intel
	wait_for 10 driver_is "$(bdf_of 1 2)" xhci_hcd
	[[ $(probes_of nvidia) == 1 ]]
	[[ $(override_of "$(bdf_of 1 0)") == none ]]
}

@test "unplug works, and so does a second time at the same address" {
	local bdf inode

	bdf=$(bdf_of 1)
	inode=$(stat -c %i "$SYS/$bdf/")
	unplug_card 1
	[[ ! -e $SYS/$bdf ]]
	plug_card 1 vga
	[[ $(attr_of "$bdf" class) == 0x030000 ]]
	[[ $(stat -c %i "$SYS/$bdf/") != "$inode" ]]
	[[ ! -e $SYS/$(bdf_of 1 1) ]]
	unplug_card 1
	[[ ! -e $SYS/$bdf ]]
	[[ $(removes_of nvidia) == 2 ]]
}

@test "remove() of the stand-in driver waits for an open node" {
	local bdf fd

	bdf=$(bdf_of 2)
	plug_card 2 gpu
	wait_for 10 driver_is "$bdf" nvidia
	exec {fd}<>"$(gpu_node "$bdf")"
	unplug_start 2
	wait_for 10 eval 'dmesg | grep -q "non-zero usage count"'
	[[ -e $SYS/$bdf ]]
	exec {fd}>&-
	unplug_wait 2
}

@test "a vfio client opens a card that was bound by hand" {
	local func

	modprobe vfio-pci
	plug_card 1
	settle
	for func in 0 1; do
		by_hand "$(bdf_of 1 $func)" vfio-pci
		[[ $(driver_of "$(bdf_of 1 $func)") == vfio-pci ]]
	done
	wait_for 10 driver_is "$(bdf_of 1 2)" xhci_hcd
	run vfio-client "$(bdf_of 1)"
	echo "$output"
	[[ $status -eq 3 ]]

	by_hand "$(bdf_of 1 2)" vfio-pci
	run vfio-client "$(bdf_of 1)"
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $output == *"reads 10de:2331"* ]]
}

@test "virtual functions come with NVIDIA ids, each in its own group" {
	local bdf groups=()

	plug_sriov 8
	wait_for 10 driver_is "$(bdf_of s)" nvidia
	sriov s 8
	for bdf in $(vfs_of "$(bdf_of s)"); do
		[[ $(attr_of "$bdf" vendor) == 0x10de ]]
		[[ $(attr_of "$bdf" class) == 0x030200 ]]
		[[ $(driver_of "$bdf") == none ]]
		groups+=("$(group_of "$bdf")")
	done
	[[ ${#groups[@]} -eq 8 ]]
	[[ $(printf '%s\n' "${groups[@]}" | sort -u | wc -l) -eq 8 ]]
	sriov s 0
	[[ -z $(vfs_of "$(bdf_of s)") ]]
}

@test "the variant driver's alias leads to its module, and its driver takes the card" {
	grep -q '^alias vfio_pci:v000010DEd00002342.* nvfio_test_vfio_pci$' \
		/lib/modules/"$VERSION"/modules.alias
	plug_card 3 gpu=10de:2342:030200
	modprobe nvfio_test_vfio_pci
	[[ -e /sys/module/nvfio_test_vfio_pci/drivers/pci:nvfio-test-variant ]]
	settle
	by_hand "$(bdf_of 3)" nvfio-test-variant
	[[ $(driver_of "$(bdf_of 3)") == nvfio-test-variant ]]
	vfio-client "$(bdf_of 3)"
}
