#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# A GPU somebody computes on is never written to, whatever event comes; it lands when its native driver lets go.

load ../guest/lib

setup_file()
{
	bench_reset
	modprobe nvidia
	modprobe snd_hda_intel
	modprobe xhci_pci
}

# hotplug_in_use PORT: the card's event is handled only after somebody has opened its node.
hotplug_in_use()
{
	udevd_hold
	plug_card "$1"
	wait_for 10 driver_is "$(bdf_of "$1")" nvidia
	exec {HELD}<>"$(gpu_node "$(bdf_of "$1")")"
	udevd_go_on
	settle
}

untouched()
{
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(removes_of nvidia) == "$removes" ]]
	[[ $(state_of "$(bdf_of 1)") == deferred ]]
}

@test "held: hotplug, trigger and trigger --action=add defer it, ten times each; released: the card lands" {
	local removes i func start

	removes=$(removes_of nvidia)
	for ((i = 0; i < 10; i++)); do
		hotplug_in_use 1
		untouched
		[[ $(driver_of "$(bdf_of 1 1)") == snd_hda_intel ]]
		run records_of "$(bdf_of 1)"
		[[ $output == *"/dev/nvidia"*"open in pid"* ]]
		((i == 9)) && break
		exec {HELD}>&-
		unplug_card 1
		removes=$(removes_of nvidia)
		records_reset
	done
	for ((i = 0; i < 10; i++)); do
		udevadm trigger --subsystem-match=pci --settle
		untouched
		udevadm trigger --subsystem-match=pci --action=add --settle
		untouched
	done
	# udev is not busy with it: another card is served meanwhile.
	plug_card 2
	wait_for 15 driver_is "$(bdf_of 2)" vfio-pci
	unplug_card 2

	exec {HELD}>&-
	bdf_of 1 >/sys/bus/pci/drivers/nvidia/unbind
	for func in 0 1 2; do
		wait_for 20 driver_is "$(bdf_of 1 $func)" vfio-pci
	done
	settle
	vfio-client "$(bdf_of 1)"
	unplug_card 1
}

@test "rmmod of the native driver is a release too" {
	local func

	hotplug_in_use 1
	[[ $(state_of "$(bdf_of 1)") == deferred ]]
	exec {HELD}>&-
	rmmod nvidia
	for func in 0 1 2; do
		wait_for 20 driver_is "$(bdf_of 1 $func)" vfio-pci
	done
	settle
	unplug_card 1
	modprobe nvidia
}

@test "a companion in use is deferred, and lands when its driver lets go" {
	local bdf

	bdf=$(bdf_of 1 1)
	udevd_hold
	plug_card 1
	wait_for 10 test -e "$SYS/$bdf/sound/card0"
	wait_for 10 test -e /dev/snd/controlC0
	exec {HELD}<>/dev/snd/controlC0
	udevd_go_on
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
	[[ $(driver_of "$bdf") == snd_hda_intel ]]
	[[ $(state_of "$bdf") == deferred ]]
	run vfio-client "$(bdf_of 1)"
	[[ $status -eq 3 ]]
	exec {HELD}>&-
	echo "$bdf" >/sys/bus/pci/drivers/snd_hda_intel/unbind
	wait_for 20 driver_is "$bdf" vfio-pci
	settle
	vfio-client "$(bdf_of 1)"
	unplug_card 1
}

@test "takeover = idle takes an idle function at a trigger, takeover = never none" {
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1 gpu
	settle
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	printf '[policy]\ntakeover = never\n' >/etc/nvfio.conf
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(property_of "$(bdf_of 1)" NVFIO_REASON) == takeover-never ]]
	printf '[policy]\ntakeover = idle\n' >/etc/nvfio.conf
	exec {HELD}<>"$(gpu_node "$(bdf_of 1)")"
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(state_of "$(bdf_of 1)") == deferred ]]
	exec {HELD}>&-
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == vfio-pci ]]
	rm /etc/nvfio.conf
	unplug_card 1
}
