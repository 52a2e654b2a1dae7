#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# Which event does what: triggers, boot, replays, replacement. The kernel's
# exec trace counts the helper's starts.

load ../guest/lib

# unbound PORT FUNC: a function that has no driver and no override, as after a crash of whatever had it.
unbound()
{
	local bdf

	bdf=$(bdf_of "$1" "$2")
	printf '[policy]\ngpu = native\ncompanion = native\n' >/etc/nvfio.conf
	plug_card "$1" gpu
	settle
	echo "$bdf" >"$SYS/$bdf/driver/unbind"
	settle
	rm /etc/nvfio.conf
}

@test "a driverless function is bound by a plain trigger" {
	modprobe nvidia
	unbound 1 0
	[[ $(driver_of "$(bdf_of 1)") == none ]]
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == vfio-pci ]]
	[[ $(state_of "$(bdf_of 1)") == bound ]]
}

@test "a bound function costs no program start, whatever is triggered" {
	starts_reset
	udevadm trigger --subsystem-match=pci --settle
	udevadm trigger --subsystem-match=pci --action=add --settle
	udevadm trigger --subsystem-match=pci --action=bind --settle
	[[ $(starts_of nvfio-udev) -eq 0 ]]
	[[ $(state_of "$(bdf_of 1)") == bound ]]
	[[ $(property_of "$(bdf_of 1)" NVFIO_DRIVER) == vfio-pci ]]
	unplug_card 1
}

@test "udevadm test changes nothing" {
	modprobe nvidia
	unbound 1 0
	udevadm test --action=change "$SYS/$(bdf_of 1)" >/dev/null 2>&1
	[[ $(driver_of "$(bdf_of 1)") == none ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(state_of "$(bdf_of 1)") != bound ]]
	unplug_card 1
}

@test "the events of one card are bounded in number" {
	local lines monitor

	udevadm monitor --kernel --subsystem-match=pci >/run/bench/events 2>&1 3>&- &
	monitor=$!
	wait_for 10 grep -q 'KERNEL - the kernel' /run/bench/events
	plug_card 1
	wait_for 15 driver_is "$(bdf_of 1 2)" vfio-pci
	settle
	udevadm trigger --subsystem-match=pci --settle
	kill $monitor
	# Of each function: add, unbind and bind of the native driver, bind, a follow-up, and the trigger's change.
	lines=$(grep -c "$(bdf_of 1 1) " /run/bench/events)
	echo "$lines events of one companion"
	((lines <= 8))
	unplug_card 1
}

# boot_with_card: the card is there before udevd is.
boot_with_card()
{
	udevd_stop
	plug_card 1
	udevd_start
}

@test "boot: left by default, and said so" {
	records_reset
	boot_with_card
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(state_of "$(bdf_of 1)") == left ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(records_of "$(bdf_of 1)") == *"boot = vfio"* ]]
	unplug_card 1
}

@test "boot: with boot = vfio on VFIO; replayed, it has no effect and starts nothing" {
	local func

	module_loaded nvidia && rmmod nvidia
	modprobe -r snd_hda_intel xhci_pci
	printf '[policy]\nboot = vfio\n' >/etc/nvfio.conf
	boot_with_card
	for func in 0 1 2; do
		wait_for 15 driver_is "$(bdf_of 1 $func)" vfio-pci
	done
	settle
	starts_reset
	udevadm trigger --type=all --action=add --settle
	[[ $(starts_of nvfio-udev) -eq 0 ]]
	[[ $(state_of "$(bdf_of 1)") == bound ]]
	vfio-client "$(bdf_of 1)"
}

@test "the database is kept when udev is asked to clean up for switch-root" {
	udevadm info --cleanup-db
	[[ $(state_of "$(bdf_of 1)") == bound ]]
	unplug_card 1
	rm /etc/nvfio.conf
}

@test "another card at the same address is judged afresh" {
	printf '[device 10de:2204]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1 gpu
	settle
	[[ $(driver_of "$(bdf_of 1)") == vfio-pci ]]
	unplug_card 1
	settle
	[[ ! -e /run/nvfio/$(bdf_of 1) ]]
	plug_card 1 vga
	settle
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(property_of "$(bdf_of 1)" NVFIO_DRIVER) == none ]]
	[[ $(property_of "$(bdf_of 1)" NVFIO_REASON) == configured ]]
	unplug_card 1
}
