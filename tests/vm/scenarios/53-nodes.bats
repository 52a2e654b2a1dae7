#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# Who may open a VFIO node: node-group of nvfio.conf(5), in udev's hands. Whoever opens a group's node has all members that
# are on VFIO, so one that somebody else put there takes the access away. (Linux 6.1 has no nodes of single functions:
# those are on the fake tree only, tests/bats/45-nodes.bats.)

load ../guest/lib
bats_require_minimum_version 1.5.0

setup_file()
{
	bench_reset
	groupadd --system vmusers
	useradd --system --no-user-group --gid nogroup --groups vmusers vmuser
	# Where users may start it.
	install "$BUILD/vfio-client" $CLIENT
}

CLIENT=/usr/local/bin/vfio-client

configure()
{
	printf '[policy]\n%s\n' "$1" >/etc/nvfio.conf
}

# access_of BDF: owner and mode of its group's node.
access_of()
{
	stat -c '%U:%G %a' "/dev/vfio/$(group_of "$1")"
}

access_is()
{
	[[ $(access_of "$1") == "$2" ]]
}

link_of()
{
	readlink -m "/dev/vfio/by-bdf/$1"
}

# somebody_binds BDF: as driverctl would, without a word to nvfio.
somebody_binds()
{
	echo vfio-pci >"$SYS/$1/driver_override"
	[[ ! -e $SYS/$1/driver ]] || echo "$1" >"$SYS/$1/driver/unbind"
	echo "$1" >/sys/bus/pci/drivers_probe
	[[ $(driver_of "$1") == vfio-pci ]]
}

node_messages()
{
	records_of | grep -F "/dev/vfio/$(group_of "$1") "
}

@test "without node-group a node stays root's alone, and there are no links" {
	starts_reset
	plug_card 1
	wait_for 20 driver_is "$(bdf_of 1 2)" vfio-pci
	settle
	[[ $(starts_of nvfio-udev) == 3 ]]
	[[ $(access_of "$(bdf_of 1)") == "root:root 600" ]]
	[[ ! -e /dev/vfio/by-bdf && ! -e /run/nvfio/nodes ]]
}

@test "set later, it is given by a trigger; unset, it is taken back" {
	configure 'node-group = vmusers'
	udevadm trigger --settle --subsystem-match=vfio
	[[ $(access_of "$(bdf_of 1)") == "root:vmusers 660" ]]
	[[ $(link_of "$(bdf_of 1)") == "/dev/vfio/$(group_of "$(bdf_of 1)")" ]]
	# What udev does to it for another reason keeps it.
	udevadm trigger --settle --action=add --subsystem-match=vfio
	[[ $(access_of "$(bdf_of 1)") == "root:vmusers 660" ]]
	rm /etc/nvfio.conf
	udevadm trigger --settle --subsystem-match=vfio
	[[ $(access_of "$(bdf_of 1)") == "root:root 600" ]]
	[[ ! -e /dev/vfio/by-bdf ]]
	unplug_card 1
}

@test "a user in node-group opens the node and pins memory, another one does not" {
	local bdf

	configure 'node-group = vmusers'
	records_reset
	starts_reset
	plug_card 1
	wait_for 20 driver_is "$(bdf_of 1 2)" vfio-pci
	settle
	# One for each function, and one more for its word to the node.
	[[ $(starts_of nvfio-udev) == 6 ]]
	bdf=$(bdf_of 1)
	[[ $(access_of "$bdf") == "root:vmusers 660" ]]
	runuser -u vmuser -- $CLIENT "$bdf"
	run -1 runuser -u nobody -- $CLIENT "$bdf"
	[[ $output == *"Permission denied"* ]]
	run node_messages "$bdf"
	[[ ${#lines[@]} == 1 && $output == *"has group vmusers and mode 0660"* ]]
}

@test "each function of the group has a link to its node, which goes with it" {
	local node func

	node=/dev/vfio/$(group_of "$(bdf_of 1)")
	for func in 0 1 2; do
		[[ $(link_of "$(bdf_of 1 $func)") == "$node" ]]
	done
	bdf_of 1 2 >/sys/bus/pci/drivers/vfio-pci/unbind
	settle
	[[ ! -e /dev/vfio/by-bdf/$(bdf_of 1 2) ]]
	[[ $(link_of "$(bdf_of 1 1)") == "$node" ]]
	unplug_card 1
	settle
	[[ ! -e /dev/vfio/by-bdf ]]
}

@test "a member that somebody else puts on VFIO takes the access away, and gives it back when it goes" {
	local bdf

	plug_card 1 gpu foreign
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	wait_for 20 driver_is "$(bdf_of 1 1)" e1000e
	settle
	bdf=$(bdf_of 1)
	[[ $(access_of "$bdf") == "root:vmusers 660" ]]
	records_reset
	somebody_binds "$(bdf_of 1 1)"
	settle
	[[ $(access_of "$bdf") == "root:root 600" ]]
	run -1 runuser -u vmuser -- $CLIENT "$bdf"
	run node_messages "$bdf"
	[[ $output == *"root's alone: $(bdf_of 1 1) of IOMMU group "*"not nvfio that put it there"* ]]
	[[ $(link_of "$bdf") == "/dev/vfio/$(group_of "$bdf")" && ! -e /dev/vfio/by-bdf/$(bdf_of 1 1) ]]
	bdf_of 1 1 >/sys/bus/pci/drivers/vfio-pci/unbind
	settle
	[[ $(access_of "$bdf") == "root:vmusers 660" ]]
	unplug_card 1
}

@test "it is never given where somebody else was there first" {
	udevd_hold
	plug_card 1 gpu foreign
	modprobe vfio-pci
	somebody_binds "$(bdf_of 1 1)"
	udevd_go_on
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
	[[ $(access_of "$(bdf_of 1)") == "root:root 600" ]]
	unplug_card 1
}

@test "a group that does not exist is an error with file and line, and the node stays root's alone" {
	configure 'node-group = vmuzers'
	records_reset
	plug_card 1 gpu
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
	[[ $(access_of "$(bdf_of 1)") == "root:root 600" ]]
	run node_messages "$(bdf_of 1)"
	[[ $output == *"/etc/nvfio.conf:2: node-group = vmuzers"*"no such group"* ]]
	unplug_card 1
}
