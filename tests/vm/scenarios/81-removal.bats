#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
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

# another_card_after POINT CALL: stopped after that point, which has to be this call, replaced, gone on. The points before
# the lock are the child that looks for users: fork, exit.
another_card_after()
{
	local removes

	at_point "$1" after stop
	plug_card 1 gpu
	wait_for 20 test -e "$POINT"
	echo "stopped $(<"$POINT")"
	[[ $(<"$POINT") == *"$2"* ]]
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
	another_card_after 4 fcntl # openat, fcntl
}

@test "... after its record" {
	another_card_after 11 renameat # fork, the second look's fork and exit, unlinkat, openat, write, renameat
}

@test "... after driver_override" {
	another_card_after 12 write
}

@test "... after the unbind" {
	another_card_after 13 write
}

@test "... after it landed" {
	another_card_after 14 write
}
