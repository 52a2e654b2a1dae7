#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# The card goes while the helper is stopped between two steps, and another one comes to the same address before it goes on.
# Nothing may be written to that one: it has the same native driver and is configured to keep it.

load ../guest/lib

setup_file()
{
	bench_reset
	points_prepare
	natives_load vfio-pci
	printf '[device 10de:2204]\ngpu = native\n' >/etc/nvfio.conf
}

teardown_file()
{
	points_end
}

# another_card_at POINT: stopped there, replaced, gone on; prints how it ended.
another_card_after()
{
	local removes

	at_point "$1" after stop
	plug_card 1 gpu
	wait_for 20 test -e "$POINT"
	echo "stopped $(<"$POINT")"
	unplug_card 1
	plug_card 1 vga
	wait_for 20 driver_is "$(bdf_of 1)" nvidia
	removes=$(removes_of nvidia)
	go_on
	at_point_off
	settle
	[[ $(removes_of nvidia) == "$removes" ]]
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(state_of "$(bdf_of 1)") == left ]]
	wait_for 5 no_strays
	unplug_card 1
	settle
}

@test "another card at the address while the helper is stopped after the lock" {
	another_card_after 2 # openat, fcntl
}

@test "... after its record" {
	another_card_after 7 # fork, unlinkat, openat, write, renameat
}

@test "... after driver_override" {
	another_card_after 8
}

@test "... after the unbind" {
	another_card_after 9
}

@test "... after it landed" {
	another_card_after 10
}
