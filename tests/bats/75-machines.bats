#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What nvfio says on machines of the kinds it is for: their trees are made from public listings (machines/*.machine, each
# with its sources), have the events that the real ones have, and what nvfio prints is compared with machines/CASE.*.
# After an intended change: GOLDEN=1 bats tests/bats/75-machines.bats, then git diff tests/bats/machines.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash
load lib/host.bash
load lib/machines.bash

setup() {
	new_tree
}

teardown() {
	end_all
}

# assert_lists CASE: list, list --tree and list --json.
assert_lists() {
	nvfio list
	assert_golden "$1.list"
	nvfio list --all --tree -o bdf,role,driver,wanted,group,state,reason,note
	assert_golden "$1.tree"
	nvfio list --json
	assert_golden "$1.json"
}

# assert_explains CASE ARGUMENT...
assert_explains() {
	local name=$1
	shift
	nvfio explain "$@"
	assert_golden "$name.explain"
}

# assert_checks CASE STATUS: nvfio check, on a host on which all else is ready.
assert_checks() {
	ready_host
	# On Arm.
	[[ ! -e $TREE/.fake_machine ]] || put /proc/interrupts ' 60:          9   ITS-MSI 8388608 Edge      nvme0q0'
	nvfio check
	assert_status "$2"
	status=0 output=${output//"$RELEASE"/RELEASE}
	assert_golden "$1.check"
}

# assert_args CASE ARGUMENT...: what is printed, and the notes.
assert_args() {
	local name=$1
	shift
	nvfio args "$@"
	output+=$'\n'$log
	assert_golden "$name"
}

# configure CASE: machines/CASE.conf
configure() {
	set_config <"$MACHINES_DIR/$1.conf"
}

@test "HGX H100, nothing configured: all stay" {
	load_machine hgx-h100 --cold
	have_events coldplug
	assert_explains hgx-h100-default --event=boot 18:00.0
	assert_lists hgx-h100-default
}

@test "HGX H100, GPUs and NVSwitches for one virtual machine" {
	configure hgx-h100-passthrough
	load_machine hgx-h100 --cold
	assert_explains hgx-h100-passthrough --event=boot 18:00.0 05:00.0 03:00.1
	have_events coldplug
	assert_lists hgx-h100-passthrough
	assert_checks hgx-h100-passthrough 5
	# Each GPU has a switch of its own: no cliques. The NVSwitches not as long as their group is not viable.
	assert_args hgx-h100-qemu.args --vmm=qemu {18,2a,3a,5d,9a,ab,ba,db}:00.0
	assert_args hgx-h100-ch.args --vmm=cloud-hypervisor {18,2a,3a,5d,9a,ab,ba,db}:00.0
	nvfio args --vmm=qemu 05:00.0
	assert_status 1
	[[ -z $output && $log == *0000:03:00.1* ]] || explain "it does not name what is in the way"
}

@test "GH200: Grace's variant driver, and root ports that are NVIDIA's" {
	local link
	configure boot
	load_machine gh200 --cold
	# Up to 6.14 Arm makes a function's group when its first driver is probed.
	link=$(device_dir 0009:01:00.0)/iommu_group
	mv "$link" "$TREE/"
	assert_explains gh200-early --event=boot 0009:01:00.0
	mv "$TREE/iommu_group" "$link"
	assert_explains gh200-boot --event=boot 0009:01:00.0 0009:00:00.0
	have_events coldplug
	assert_lists gh200-boot
	assert_args gh200.args --vmm=qemu 0009:01:00.0
	assert_checks gh200-boot 0
}

@test "a GeForce card with four functions, nothing configured, plugged in" {
	load_machine geforce --cold
	assert_explains geforce-hotplug --event=hotplug 01:00.0 01:00.1 01:00.2 01:00.3
	have_events hotplug
	assert_lists geforce-hotplug
	assert_args geforce-libvirt.args --vmm=libvirt 01:00.0
	assert_checks geforce-hotplug 0
}

@test "a GeForce card with four functions, as its listing has it, at boot and at udevadm trigger" {
	configure geforce-vm
	load_machine geforce
	assert_explains geforce-vm --event=boot 01:00.0 01:00.1
	have_events coldplug
	assert_lists geforce-vm
}

@test "GeForce cards behind a PCIe switch, at boot: each card as a whole" {
	configure boot
	load_machine geforce-switch --cold
	have_events coldplug
	assert_lists geforce-switch
	# The name of a slot, as it is printed, and all three in one set.
	nvfio list -rno bdf,role
	# shellcheck disable=SC2046 # addresses
	assert_args geforce-switch.args --vmm=qemu $(awk '$2 == "gpu" { print $1 }' <<<"$output")
}

@test "an A40 with VFs that is no vGPU host: its VFs go to VFIO" {
	load_machine a40
	have_events hotplug 0000:51:00.0
	assert_explains a40-vf --event=hotplug 51:00.0 51:00.4
	have_events hotplug "${nvidia_functions[@]:1}"
	assert_lists a40-vf
	assert_args a40-vf.args --vmm=qemu 51:00.4 51:00.5
	assert_checks a40-vf 0
}

@test "an A40 with VFs on a vGPU host: all stay, unless its VFs are named" {
	local bdf
	load_machine a40
	install -D /dev/null "$TREE/usr/lib/nvidia/sriov-manage"
	have_events hotplug
	# Its driver registers the VFs with mdev once it has them.
	mkdir "$TREE/sys/class/mdev_bus"
	for bdf in "${nvidia_functions[@]:1}"; do
		ln -s "../../devices/$(path_of "$bdf")/$bdf" "$TREE/sys/class/mdev_bus/$bdf"
	done
	assert_explains a40-vgpu --event=hotplug 51:00.0 51:00.4
	assert_lists a40-vgpu
	configure a40-vgpu-vf
	assert_explains a40-vgpu-vf --event=hotplug 51:00.4
}
