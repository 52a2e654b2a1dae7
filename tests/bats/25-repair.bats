#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Functions that depend on each other, and acts that did not end as they began: what must be given back is, what somebody
# uses is not, and the next event finds its way.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
UCSI=0000:01:00.3
VF=0000:01:00.4

setup() {
	new_tree
}

teardown() {
	end_all
}

# As the kernel leaves a function that was unbound from its VFIO driver.
off_vfio() {
	rm -rf "$(device_dir "$1")/vfio-dev" "$(device_dir "$1")/driver" "$TREE/sys/bus/pci/drivers/vfio-pci/$1"
}

pf() {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia --sriov 4
	nvidia_node $GPU 0
}

autoprobe() {
	cat "$(device_dir $GPU)/sriov_drivers_autoprobe"
}

# A card on VFIO whose function 0 somebody unbound and claimed for something else.
claimed_card() {
	add_card 0000:01:00
	hotplug $GPU
	hotplug $SND
	assert_on_vfio $SND
	off_vfio $GPU
	set_attribute $GPU driver_override 'none\n'
	forget_writes
}

@test "a companion is not taken back from under a virtual machine" {
	claimed_card
	add_node /dev/vfio/1 240 0
	mkdir -p "$TREE/sys/class/vfio/1"
	echo 240:0 >"$TREE/sys/class/vfio/1/dev"
	hold /dev/vfio/1 4242 qemu-system-x86
	reapply $GPU
	assert_state left override
	wait_until [ "$(writes | grep -c unbind)" = 0 ]
	assert_on_vfio $SND
	# Its user gone, function 0's next event gives it back.
	rm -r "$TREE/proc/4242"
	reapply $GPU
	wait_until companion_is_back
}

companion_is_back() {
	! on_vfio $SND && [[ -z $(override_of $SND) ]]
}

@test "a companion whose override is somebody else's by now is not taken back" {
	claimed_card
	set_attribute $SND driver_override 'other\n'
	reapply $GPU
	wait_until [ ! -e "$TREE/run/nvfio/$SND" ]
	[[ $(override_of $SND) == other ]]
	assert_on_vfio $SND
}

@test "a companion that is being acted on is taken back when its lock is free" {
	add_card 0000:01:00
	bind_natively $GPU nvidia
	nvidia_node $GPU 0
	set_attribute $GPU driver_override 'nvidia\n'
	hotplug $SND
	assert_on_vfio $SND
	lock_function $SND
	hotplug $GPU
	assert_state left override
	assert_on_vfio $SND
	end_all
	wait_until companion_is_back
}

@test "a taking back that blocks does not keep function 0 in flight" {
	set_config <<<$'[policy]\ntimeout = 1s'
	claimed_card
	FAKE_BLOCK=vfio-pci/unbind reapply $GPU
	assert_state left override
	set_attribute $GPU driver_override '(null)\n'
	reapply $GPU
	assert_state bound
}

@test "function 0 whose bind fails takes its companions back" {
	add_card 0000:01:00
	probe_fails $GPU vfio-pci EINVAL
	lock_function $GPU
	hotplug $SND
	assert_on_vfio $SND
	end_all
	hotplug $GPU
	assert_state failed
	wait_until companion_is_back
}

@test "a PF whose VFs appear while its override is read is left" {
	pf
	FAKE_HOOK="read:driver_override sh ln -s ../$VF $(device_dir $GPU)/virtfn0" hotplug $GPU
	assert_state left pf-has-vfs
	assert_driver $GPU nvidia
	[[ $(writes) != *$'driver_override\t'* && $(writes) != *unbind* ]]
}

@test "native probing stays on where VFs would be refused" {
	no_iommu
	set_config <<<$'[policy]\ngpu = native'
	add_function $GPU 10de:2331 030200 --driver nvidia --sriov 4
	nvidia_node $GPU 0
	coldplug $GPU
	[[ $(autoprobe) == 1 ]]
}

@test "a configuration that broke gives native probing back" {
	set_config <<<$'[policy]\ngpu = native'
	pf
	coldplug $GPU
	[[ $(autoprobe) == 0 ]]
	set_config <<<$'[policy]\ngpu = maybe'
	reapply $GPU
	assert_state left config-broken
	[[ $(autoprobe) == 1 ]]
}

@test "that it was nvfio that switched native probing off survives an act" {
	pf
	reapply $GPU
	assert_state deferred
	[[ $(autoprobe) == 0 && $(record_of $GPU autoprobe-off) == 1 ]]
	rm "$(device_dir $GPU)/driver"
	release --state deferred $GPU
	assert_state bound
	[[ $(record_of $GPU autoprobe-off) == 1 ]]
}

@test "a released function stays released whatever rule came by" {
	add_card 0000:01:00 --native
	nvidia_node $GPU 0
	make_record $GPU released
	reapply --admin native $GPU
	assert_state left rule
	reapply $GPU
	assert_state left released
}

@test "an undoing that fails is tried again by the next event" {
	pf
	make_record $GPU acting driver=nvidia
	set_attribute $GPU driver_override 'vfio-pci\n'
	FAKE_FAIL=write:driver_override:EIO reapply $GPU
	[[ $(override_of $GPU) == vfio-pci && $(record_of $GPU state) == acting ]]
	reapply $GPU
	[[ -z $(override_of $GPU) ]]
	assert_driver $GPU nvidia
}

@test "an interrupted act whose module cannot be loaded any more is undone" {
	add_function $GPU 10de:2331 030200 --group 1 --native nvidia
	make_record $GPU acting driver=nvidia
	set_attribute $GPU driver_override 'vfio-pci\n'
	remove_driver vfio-pci
	reapply $GPU
	assert_state refused
	[[ -z $(override_of $GPU) ]]
	assert_driver $GPU nvidia
}

@test "a device lock that somebody else holds takes no companion" {
	add_card 0000:01:00 --usb-c
	FAKE_BLOCK=$GPU/driver_override FAKE_BLOCK_MAX=3 reapply $UCSI
	assert_state left function0
	[[ -z $(override_of $UCSI) ]]
}

@test "a GPU whose native driver is in its remove() under somebody else takes no companion" {
	add_card 0000:01:00 --usb-c
	in_remove $GPU nvidia
	reapply $UCSI
	assert_state left function0
	[[ -z $(override_of $UCSI) ]]
}

@test "an interrupted act whose GPU is in use by now is given back, and a refused unbindLock writes nothing" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvidia_node $GPU 0
	unbind_lock $GPU busy
	hotplug $GPU
	assert_state deferred held
	[[ $(writes) != *driver_override* && -z $(records) ]]
	make_record $GPU acting driver=nvidia
	set_attribute $GPU driver_override 'vfio-pci\n'
	hotplug $GPU
	assert_state deferred held
	[[ -z $(override_of $GPU) && -z $(records) ]]
	assert_driver $GPU nvidia
}
