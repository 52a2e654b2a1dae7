#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# nvfio bind and unbind on a real kernel, with udevd beside them: a card goes to VFIO and back by hand, what was released
# stays so whatever event comes, and nobody loses a GPU that is in use in either direction.

bats_require_minimum_version 1.5.0
load ../guest/lib

NATIVE=(nvidia snd_hda_intel xhci_hcd)

setup_file()
{
	bench_reset
	natives_load
}

# run_nvfio ARGUMENT...: nvfio, with $lines of its standard output alone: what it waits for depends on the host.
run_nvfio()
{
	# shellcheck disable=SC2154 # stderr is set by run
	run --separate-stderr nvfio "$@"
	printf '%s\n' "$output" "$stderr"
}

# left_card PORT: a card that its native drivers have, because it is configured so.
left_card()
{
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card "$1"
	settle
	all_native "$1"
	rm /etc/nvfio.conf
}

# all_on PORT DRIVER: each function of the card is on it.
all_on()
{
	local func

	for func in 0 1 2; do
		driver_is "$(bdf_of "$1" $func)" "$2" || return
	done
}

# all_native PORT: each is on its native driver, and nothing overrides that.
all_native()
{
	local func bdf

	for func in 0 1 2; do
		bdf=$(bdf_of "$1" $func)
		driver_is "$bdf" "${NATIVE[func]}" && [[ $(override_of "$bdf") == none ]] || return
	done
}

# all_told PORT STATE REASON: udev's database says so of each.
all_told()
{
	local func bdf

	for func in 0 1 2; do
		bdf=$(bdf_of "$1" $func)
		[[ $(property_of "$bdf" NVFIO_STATE) == "$2" && $(property_of "$bdf" NVFIO_REASON) == "$3" ]] || return
	done
}

@test "bind and unbind: the card goes to VFIO and back, udev knows, and no trigger takes it again" {
	local bdf

	left_card 1
	bdf=$(bdf_of 1)
	run_nvfio bind "$bdf"
	((status == 0 && ${#lines[@]} == 3))
	all_on 1 vfio-pci
	settle
	[[ $(state_of "$bdf") == bound && $(state_of "$(bdf_of 1 2)") == bound ]]
	vfio-client "$bdf"
	run_nvfio unbind "$bdf"
	((status == 0 && ${#lines[@]} == 3))
	all_native 1
	settle
	all_told 1 left released
	printf '[policy]\nboot = vfio\ntakeover = idle\n' >/etc/nvfio.conf
	udevadm trigger --subsystem-match=pci --settle
	udevadm trigger --subsystem-match=pci --action=add --settle
	rm /etc/nvfio.conf
	all_native 1
	all_told 1 left released
	# Plugged anew it is another card.
	unplug_card 1
	plug_card 1
	wait_for 20 all_on 1 vfio-pci
	settle
}

@test "unbind is refused while a virtual machine has the node, by its pid" {
	local bdf pid

	bdf=$(bdf_of 1)
	mkfifo "$BENCH/vm.in"
	vfio-client --hold "$bdf" <"$BENCH/vm.in" >"$BENCH/vm.out" 2>&1 3>&- &
	pid=$!
	exec {HELD}>"$BENCH/vm.in"
	wait_for 10 grep -q 'reads 10de' "$BENCH/vm.out"
	run_nvfio unbind "$bdf"
	((status == 1))
	[[ $stderr == *"nvfio: $bdf: refused: its VFIO node is in use: /dev/vfio/$(group_of "$bdf") open in pid $pid (vfio-client)"* ]]
	all_on 1 vfio-pci
	exec {HELD}>&-
	wait_for 10 gone "/proc/$pid"
	nvfio unbind "$bdf"
	all_native 1
}

@test "a GPU in use is refused by its pid, and nothing of the card is taken" {
	local bdf node

	bdf=$(bdf_of 1)
	node=$(gpu_node "$bdf")
	exec {HELD}<>"$node"
	run_nvfio bind "$bdf"
	((status == 1))
	[[ $stderr == *"nvfio: $bdf: refused: it is in use; end its users and try again ($node open in pid $BASHPID (bash)"* ]]
	all_native 1
	exec {HELD}>&-
}

@test "--persist: the next boot takes the card, though its native drivers came first" {
	local bdf

	bdf=$(bdf_of 1)
	nvfio bind --persist "$bdf"
	nvfio unbind "$bdf"
	all_native 1
	# What a boot begins with: no record, and every device's add.
	settle
	rm /run/nvfio/0000:*
	udevadm trigger --subsystem-match=pci --action=add --settle
	wait_for 20 all_on 1 vfio-pci
	settle
	run_nvfio unbind --persist "$bdf"
	((status == 0))
	[[ ${lines[0]} == *"; removed /etc/nvfio.conf.d/50-bind-$bdf.conf" ]]
	settle
	rm /run/nvfio/0000:*
	udevadm trigger --subsystem-match=pci --action=add --settle
	all_native 1
	unplug_card 1
}

@test "never on a native driver before: unbind lets udev load one" {
	rmmod nvidia
	plug_card 1
	wait_for 20 all_on 1 vfio-pci
	settle
	nvfio unbind "$(bdf_of 1)"
	wait_for 20 all_native 1
	settle
	all_told 1 left released
	unplug_card 1
}
