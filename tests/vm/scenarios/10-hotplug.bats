#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# The main job: a card of three functions in one IOMMU group is plugged.

load ../guest/lib
bats_require_minimum_version 1.5.0

@test "native driver not loaded: all three functions land, and it never is" {
	local func bdf

	module_loaded nvidia && rmmod nvidia
	plug_card 1
	settle
	for func in 0 1 2; do
		bdf=$(bdf_of 1 $func)
		wait_for 15 driver_is "$bdf" vfio-pci
		[[ $(override_of "$bdf") == vfio-pci ]]
		wait_for 5 state_is "$bdf" bound
		[[ $(property_of "$bdf" NVFIO_DRIVER) == vfio-pci ]]
		grep -q '^G:nvfio$' "/run/udev/data/+pci:$bdf"
	done
	run ! module_loaded nvidia
}

@test "the VFIO client attaches the group, reads 10de and maps a page" {
	run vfio-client "$(bdf_of 1)"
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $output == *"reads 10de:2331"* ]]
}

@test "each function has one record, saying where it is and why" {
	local func bdf

	for func in 0 1 2; do
		bdf=$(bdf_of 1 $func)
		run records_of "$bdf"
		echo "$output"
		[[ $(grep -c "$bdf: bound to vfio-pci" <<<"$output") -eq 1 ]]
	done
}

@test "unplugged, nothing of it is left" {
	unplug_card 1
	settle
	[[ -z $(find /run/nvfio -name '0000:*') ]]
	[[ ! -e /run/udev/data/+pci:$(bdf_of 1) ]]
}

@test "native drivers loaded: all three land in each of 20 plug and unplug cycles" {
	local cycle func

	modprobe nvidia
	modprobe snd_hda_intel
	modprobe xhci_pci
	records_reset
	for ((cycle = 1; cycle <= 20; cycle++)); do
		echo "cycle $cycle"
		plug_card 1
		for func in 0 1 2; do
			wait_for 20 driver_is "$(bdf_of 1 $func)" vfio-pci
		done
		settle
		((cycle % 10)) || vfio-client "$(bdf_of 1)"
		unplug_card 1
	done
	# As many functions came as went, and no lock or record stayed.
	settle
	[[ -z $(find /run/nvfio -name '0000:*') ]]
	[[ -z $(pgrep -f nvfio-udev) ]]
}

@test "native probe of function 0 takes 6 s: companions, whose attach comes after it, land too" {
	local func bdf

	nvidia_set probe_delay_ms 6000
	plug_card 1
	for func in 0 1 2; do
		bdf=$(bdf_of 1 $func)
		wait_for 25 driver_is "$bdf" vfio-pci
	done
	settle
	for func in 0 1 2; do
		wait_for 5 state_is "$(bdf_of 1 $func)" bound
	done
	vfio-client "$(bdf_of 1)"
	nvidia_set probe_delay_ms 0
	unplug_card 1
}

@test "native probe of function 0 outlasts the deadline: companions are claimed, and land" {
	local func bdf

	printf '[policy]\ntimeout = 2s\n' >/etc/nvfio.conf
	nvidia_set probe_delay_ms 6000
	records_reset
	plug_card 1
	wait_for 10 state_is "$(bdf_of 1 1)" claimed
	for func in 0 1 2; do
		wait_for 25 driver_is "$(bdf_of 1 $func)" vfio-pci
	done
	settle
	for func in 0 1 2; do
		wait_for 10 state_is "$(bdf_of 1 $func)" bound
	done
	vfio-client "$(bdf_of 1)"
	nvidia_set probe_delay_ms 0
	rm /etc/nvfio.conf
	unplug_card 1
}

@test "two cards at once: all six functions land" {
	local func port

	# Both cards' events are in udevd's queue before it handles the first.
	udevd_hold
	plug_card 1
	plug_card 2
	udevd_go_on
	for port in 1 2; do
		for func in 0 1 2; do
			wait_for 20 driver_is "$(bdf_of $port $func)" vfio-pci
		done
	done
	settle
	vfio-client "$(bdf_of 1)"
	vfio-client "$(bdf_of 2)"
	unplug_card 1
	unplug_card 2
}
