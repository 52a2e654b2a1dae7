# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scenarios of removal: the card goes while the helper is stopped between two steps, and another one comes to the
# same address before it goes on. Nothing may be written to that one: it has the same native driver and is configured to
# keep it. How a card goes is the scenario's choice.

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

# The step after which the helper stops: which point that is, and its system call. A fork is two of them where there is no
# cgroup to be born in. The points before the lock are the child that looks for users: fork, exit.
declare -gA STEP_AT=(
	[lock]="5 fcntl"           # openat, fcntl
	[record]="13 renameat"     # fork, the second look's fork and exit, openat, write, renameat
	[override]="14 write"
	[unbind]="15 write"
	[landed]="16 write"
)

# ejected: an orderly unplug of the card in port 1, and another card.
ejected()
{
	unplug_card 1
	plug_card 1 vga
}

# removed: the kernel is told to drop the function, and finds something else there.
removed()
{
	echo 1 >"$SYS/$(bdf_of 1)/remove"
	echo "$(bus_of 1):00.0=${KIND_ID[vga]}" >"$IDS"
	echo 1 >/sys/bus/pci/rescan
}

# another_card_after STEP WAY: the helper is stopped after that step, the card replaced in that way, the helper gone on.
another_card_after()
{
	local at removes

	read -ra at <<<"${STEP_AT[$1]}"
	at_point "${at[0]}" after stop
	plug_card 1 gpu
	wait_for 20 test -e "$POINT"
	echo "stopped $(<"$POINT")"
	[[ $(<"$POINT") == *"${at[1]}"* ]]
	$2
	wait_for 20 driver_is "$(bdf_of 1)" nvidia
	removes=$(removes_of nvidia)
	go_on
	at_point_off
	settle
	[[ $(attr_of "$(bdf_of 1)" device) == 0x2204 ]]
	[[ $(removes_of nvidia) == "$removes" ]]
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(state_of "$(bdf_of 1)") == left ]]
	wait_for 5 no_strays
	unplug_card 1
	settle
}
