#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fake kernel itself: what the other suites believe of it.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
PCI=sys/bus/pci

setup() {
	new_tree
	add_function $GPU 10de:2331 030200 --native nvidia --group 1
}

teardown() {
	end_all
}

client() {
	under_kernel "$FAKES_DIR/client" "$@"
}

# write_attr NAME VALUE: of the GPU.
write_attr() {
	client write "$TREE/sys/bus/pci/devices/$GPU" "$1" "$2"
}

bind_to() { client write "$TREE/$PCI/drivers/$1" bind "${2-$GPU}"; }
unbind_from() { client write "$TREE/$PCI/drivers/$1" unbind "${2-$GPU}"; }
probe() { client write "$TREE/$PCI" drivers_probe "${1-$GPU}"; }

assert_error() {
	[[ $status == 1 && $log == "$1" ]] || explain "error is '$log' with status $status, not '$1'"
}

override_file() {
	cat "$TREE/$PCI/devices/$GPU/driver_override"
}

# --- the tree -------------------------------------------------------------------------------------------------------

@test "a function's attributes are spelled as the kernel spells them" {
	cd "$TREE/sys/bus/pci/devices/$GPU"
	[[ $(cat vendor device class) == $'0x10de\n0x2331\n0x030200' ]]
	[[ $(cat modalias) == pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00 ]]
	[[ $(cat driver_override) == '(null)' ]]
	[[ $(realpath iommu_group) == "$TREE/sys/kernel/iommu_groups/1" ]]
	[[ $(realpath subsystem) == "$TREE/sys/bus/pci" ]]
	[[ $(realpath "$TREE/sys/kernel/iommu_groups/1/devices/$GPU") == "$(pwd -P)" ]]
}

@test "class letters in a modalias are upper case" {
	add_function $SND 10de:1ad8 0c0330
	[[ $(cat "$(device_dir $SND)/modalias") == *bc0Csc03i30 ]]
}

@test "a card is its functions in one group, bound or not" {
	add_card 0000:02:00 --native --usb-c --group 7
	assert_driver 0000:02:00.0 nvidia
	assert_driver 0000:02:00.3 nvidia-gpu
	[[ $(find "$TREE/sys/kernel/iommu_groups/7/devices" -type l | wc -l) == 4 ]]
	[[ $(realpath "$TREE/$PCI/drivers/nvidia/0000:02:00.0") == "$(device_dir 0000:02:00.0)" ]]
	[[ $(realpath "$(device_dir 0000:02:00.0)/driver") == "$TREE/$PCI/drivers/nvidia" ]]
}

@test "VF and PF are linked, unless told otherwise" {
	add_function 0000:03:00.0 10de:2331 030200 --sriov 16
	add_function 0000:03:00.4 10de:2331 030200 --vf-of 0000:03:00.0
	add_function 0000:03:00.5 10de:2331 030200 --vf-of 0000:03:00.0 --no-physfn
	[[ $(realpath "$(device_dir 0000:03:00.4)/physfn") == "$(device_dir 0000:03:00.0)" ]]
	[[ $(realpath "$(device_dir 0000:03:00.0)/virtfn0") == "$(device_dir 0000:03:00.4)" ]]
	[[ -e $(device_dir 0000:03:00.5)/sriov_vf_msix_count && ! -L $(device_dir 0000:03:00.5)/physfn ]]
}

@test "the module index answers libkmod's lookup" {
	run -0 modprobe -d "$TREE" -R vfio_pci:v000010DEd00002342sv000010DEsd00001626bc03sc02i00
	[[ $output == vfio_pci ]]
	run -0 modprobe -d "$FAKES_DIR/modules/variant" -R vfio_pci:v000010DEd00002342sv000010DEsd00001626bc03sc02i00
	[[ $(sort <<<"$output") == $'nvfio_test_variant\nvfio_pci' ]]
}

@test "a file in dev is the device it says" {
	nvidia_node $GPU 3
	hold /dev/nvidia3 812 sleep
	client rdev "$TREE/proc/812/fd/3"
	[[ $output == "c 195 3" ]] || explain "no character device"
	client rdev "$TREE/proc/cmdline"
	[[ $output == "- 0 0" ]] || explain "not a plain file"
}

# --- driver_override ------------------------------------------------------------------------------------------------

@test "an override is cut at the first newline" {
	write_attr driver_override $'vfio-pci\nnvidia'
	[[ $(override_file) == vfio-pci ]]
	client read "$(device_dir $GPU)" driver_override
	[[ $output == vfio-pci ]] || explain "does not read back"
}

@test "a newline clears an override" {
	write_attr driver_override vfio-pci
	write_attr driver_override $'\n'
	[[ $(override_file) == '(null)' ]]
}

@test "a write of no bytes does nothing" {
	write_attr driver_override vfio-pci
	client zero "$(device_dir $GPU)" driver_override
	assert_status 0
	[[ $(override_file) == vfio-pci ]]
}

@test "an override that fills the page is refused" {
	write_attr driver_override "$(printf '%4095s' x)"
	assert_error EINVAL
	write_attr driver_override "$(printf '%4094s' x)"
	assert_status 0
}

@test "an override named (null) is stored, and matches no driver" {
	write_attr driver_override '(null)'
	[[ $(override_file) == '(null)' ]]
	bind_to nvidia
	assert_error ENODEV
	write_attr driver_override $'\n'
	bind_to nvidia
	assert_status 0
}

# --- bind -----------------------------------------------------------------------------------------------------------

@test "bind with the override set gives a device on VFIO" {
	write_attr driver_override vfio-pci
	bind_to vfio-pci
	assert_status 0
	assert_on_vfio $GPU
	[[ -e $(device_dir $GPU)/vfio-dev/vfio0 ]]
	[[ $(realpath "$TREE/sys/class/vfio-dev/vfio0") == "$(device_dir $GPU)/vfio-dev/vfio0" ]]
	[[ -e $TREE/sys/class/vfio/1/uevent ]]
	[[ $(realpath "$(device_dir $GPU)/driver") == "$TREE/$PCI/drivers/vfio-pci" ]]
	[[ $(realpath "$TREE/$PCI/drivers/vfio-pci/$GPU") == "$(device_dir $GPU)" ]]
}

@test "bind takes one newline, and no space" {
	write_attr driver_override vfio-pci
	bind_to vfio-pci "$GPU "
	assert_error ENODEV
	bind_to vfio-pci "$GPU"$'\n'
	assert_status 0
}

@test "bind to a VFIO driver without override is ENODEV" {
	bind_to vfio-pci
	assert_error ENODEV
}

@test "bind against the override is ENODEV" {
	write_attr driver_override vfio-pci
	bind_to nvidia
	assert_error ENODEV
	[[ -z $(driver_of $GPU) ]]
}

@test "bind of no device is ENODEV" {
	bind_to vfio-pci 0000:09:00.0
	assert_error ENODEV
	bind_to vfio-pci ..
	assert_error ENODEV
}

@test "bind of a bound device is EBUSY" {
	write_attr driver_override vfio-pci
	bind_to vfio-pci
	bind_to vfio-pci
	assert_error EBUSY
}

@test "bind returns what probe() says and leaves no link" {
	probe_fails $GPU vfio-pci EINVAL
	probe_fails $GPU nvidia EIO
	bind_to nvidia
	assert_error EIO
	write_attr driver_override vfio-pci
	bind_to vfio-pci
	assert_error EINVAL
	[[ -z $(driver_of $GPU) && ! -e $TREE/$PCI/drivers/vfio-pci/$GPU ]]
}

@test "VFIO without an IOMMU group is EINVAL, with VFs EBUSY" {
	add_function 0000:03:00.0 10de:2331 030200 --sriov 16 --group 3
	add_function 0000:03:00.4 10de:2331 030200 --vf-of 0000:03:00.0
	local bdf
	for bdf in 0000:03:00.0 0000:03:00.4; do
		client write "$(device_dir $bdf)" driver_override vfio-pci
	done
	bind_to vfio-pci 0000:03:00.0
	assert_error EBUSY
	bind_to vfio-pci 0000:03:00.4
	assert_error EINVAL
}

@test "while match is off bind is ENODEV and drivers_probe succeeds for nothing" {
	printf '2\n' >"$(device_dir $GPU)/.fake_match_off"
	write_attr driver_override vfio-pci
	bind_to vfio-pci
	assert_error ENODEV
	probe
	assert_status 0
	[[ -z $(driver_of $GPU) ]]
	bind_to vfio-pci
	assert_on_vfio $GPU
}

# --- unbind and drivers_probe ---------------------------------------------------------------------------------------

@test "unbind takes the driver it names, and no other" {
	bind_natively $GPU nvidia
	unbind_from nouveau
	assert_error ENODEV
	assert_driver $GPU nvidia
	unbind_from nvidia
	assert_status 0
	[[ -z $(driver_of $GPU) && ! -e $TREE/$PCI/drivers/nvidia/$GPU ]]
	unbind_from nvidia
	assert_error ENODEV
}

@test "unbind from VFIO takes vfio-dev away" {
	write_attr driver_override vfio-pci
	bind_to vfio-pci
	unbind_from vfio-pci
	[[ ! -e $(device_dir $GPU)/vfio-dev && ! -e $TREE/sys/class/vfio-dev/vfio0 ]]
}

@test "drivers_probe binds the native driver" {
	probe
	assert_driver $GPU nvidia
	run ! on_vfio $GPU
}

@test "drivers_probe follows the override" {
	write_attr driver_override vfio-pci
	probe "$GPU"$'\n'
	assert_on_vfio $GPU
}

@test "drivers_probe succeeds where probe() fails, and where a driver is bound" {
	probe_fails $GPU nvidia EIO
	probe
	assert_status 0
	[[ -z $(driver_of $GPU) ]]
	bind_natively $GPU nvidia
	probe
	assert_status 0
	assert_driver $GPU nvidia
}

@test "drivers_probe of no device is ENODEV" {
	probe 0000:09:00.0
	assert_error ENODEV
	probe "$GPU "
	assert_error ENODEV
}

# --- other attributes -----------------------------------------------------------------------------------------------

@test "uevent takes what the kernel takes" {
	local uuid=01234567-89ab-4cde-8f01-23456789abcd ok
	for ok in add change $'change\n' "change $uuid" "change $uuid NVFIO=1" "change $uuid NVFIO=1 A=b"; do
		write_attr uevent "$ok"
		assert_status 0
	done
	[[ $(uevents | tail -n 1) == "$GPU change $uuid NVFIO=1 A=b" ]]
	[[ $(uevents | wc -l) == 6 ]]
}

@test "uevent refuses what the kernel refuses" {
	local uuid=01234567-89ab-4cde-8f01-23456789abcd bad
	for bad in "" replug "change " "change 0" "change ${uuid}0" "change $uuid " "change $uuid NVFIO" \
		"change $uuid NVFIO=" "change $uuid =1" "change $uuid NVFIO=a:b" "change $uuid  NVFIO=1" \
		"change $uuid NVFIO_X=1" "change $uuid A=1 " $'change\n\n'; do
		[[ $bad ]] || continue
		write_attr uevent "$bad"
		assert_error EINVAL
	done
	[[ -z $(uevents) ]]
}

@test "sriov_drivers_autoprobe is a switch" {
	add_function 0000:03:00.0 10de:2331 030200 --sriov 16
	client write "$(device_dir 0000:03:00.0)" sriov_drivers_autoprobe 0
	assert_status 0
	[[ $(cat "$(device_dir 0000:03:00.0)/sriov_drivers_autoprobe") == 0 ]]
	client write "$(device_dir 0000:03:00.0)" sriov_drivers_autoprobe 2
	assert_error EINVAL
}

@test "an attribute nobody can write is EIO, and is not changed" {
	write_attr vendor 0x8086
	assert_error EIO
	[[ $(cat "$(device_dir $GPU)/vendor") == 0x10de ]]
}

@test "an unbindLock that is refused stays 0" {
	nvidia_node $GPU 0
	unbind_lock $GPU busy
	client write "$TREE/proc/driver/nvidia/gpus/$GPU" unbindLock 1
	[[ $(cat "$TREE/proc/driver/nvidia/gpus/$GPU/unbindLock") == 0 ]]
	rm "$TREE/proc/driver/nvidia/gpus/$GPU/unbindLock.fake_busy"
	client write "$TREE/proc/driver/nvidia/gpus/$GPU" unbindLock 1
	[[ $(cat "$TREE/proc/driver/nvidia/gpus/$GPU/unbindLock") == 1 ]]
}

# --- the list of writes ---------------------------------------------------------------------------------------------

@test "all writes are listed in order, failed ones too" {
	bind_to vfio-pci
	write_attr driver_override $'vfio-pci\n'
	client fork "$TREE/$PCI" drivers_probe $GPU
	assert_on_vfio $GPU
	assert_writes "vfio-pci/bind $GPU" "$GPU/driver_override vfio-pci\\n" "drivers_probe $GPU"
	[[ $(head -n 1 "$TREE/.fake_writes") == "sys/bus/pci/drivers/vfio-pci/bind"$'\t'"$GPU" ]]
}

@test "reads are not listed" {
	client read "$(device_dir $GPU)" vendor device
	assert_untouched
}

# --- faults ---------------------------------------------------------------------------------------------------------

@test "operations are counted, and listed by name" {
	FAKE_COUNT=1 client read "$(device_dir $GPU)" vendor device
	local dev
	dev=$(device_dir $GPU) dev=${dev#"$TREE/"}
	diff "$TREE/.fake_ops" - <<-END
		1 open $dev
		2 open $dev/vendor
		3 read $dev/vendor
		4 open $dev/device
		5 read $dev/device
	END
}

@test "a child's operations are counted with its parent's" {
	FAKE_COUNT=1 client fork "$(device_dir $GPU)" driver_override vfio-pci
	[[ $(wc -l <"$TREE/.fake_ops") == 4 ]]
	FAKE_FAIL=4:EACCES client fork "$(device_dir $GPU)" driver_override nvidia
	assert_error EACCES
	[[ $(override_file) == vfio-pci ]]
}

@test "the n-th operation fails with the errno, whichever it is" {
	local n
	for n in 1 2 3 4 5; do
		FAKE_FAIL=$n:EPERM client read "$(device_dir $GPU)" vendor device
		assert_error EPERM
	done
	FAKE_FAIL=6:EPERM client read "$(device_dir $GPU)" vendor device
	assert_status 0
}

@test "a named operation fails once" {
	FAKE_FAIL=write:driver_override:EACCES write_attr driver_override vfio-pci
	assert_error EACCES
	FAKE_FAIL=write:driver_override:EIO client write "$(device_dir $GPU)" uevent change driver_override vfio-pci
	assert_error EIO
	assert_writes "$GPU/driver_override vfio-pci" "$GPU/uevent change" "$GPU/driver_override vfio-pci"
}

@test "a short write is short" {
	FAKE_FAIL=write:driver_override:SHORT write_attr driver_override vfio-pci
	assert_error "SHORT 4"
}

@test "a device removed before an operation is gone for it" {
	FAKE_HOOK="2 remove $GPU" client read "$(device_dir $GPU)" vendor
	assert_error ENOENT
	[[ ! -e $TREE/$PCI/devices/$GPU && ! -e $TREE/sys/kernel/iommu_groups/1/devices/$GPU ]]
}

@test "a device removed under an open attribute is ENODEV" {
	FAKE_HOOK="3 remove $GPU" client read "$(device_dir $GPU)" vendor
	assert_error ENODEV
	[[ $(writes) == "# remove $GPU" ]]
}

@test "a device replaced has another inode, no override and no driver, and is not reached through the old one" {
	local dev before after
	dev=$(device_dir $GPU)
	bind_natively $GPU nvidia
	printf 'nvidia\n' >"$dev/driver_override"
	before=$(stat -c %i "$dev")
	FAKE_HOOK="3 replace $GPU" write_attr driver_override vfio-pci
	assert_error ENODEV
	assert_writes "# replace $GPU" "$GPU/driver_override (gone) vfio-pci"
	after=$(stat -c %i "$dev")
	((before != after))
	[[ $(override_file) == '(null)' && -z $(driver_of $GPU) && $(cat "$dev/device") == 0x2331 ]]
	[[ $(realpath "$dev/iommu_group") == "$TREE/sys/kernel/iommu_groups/1" ]]
	[[ ! -e $TREE/$PCI/drivers/nvidia/$GPU ]]
}

@test "a device can be replaced by one that is bound already" {
	bind_natively $GPU nvidia
	FAKE_HOOK="3 replace-bound $GPU" write_attr driver_override vfio-pci
	assert_error ENODEV
	assert_driver $GPU nvidia
	[[ $(override_file) == '(null)' ]]
	[[ $(realpath "$TREE/$PCI/drivers/nvidia/$GPU") == "$(device_dir $GPU)" ]]
}

@test "a hook can be a command" {
	FAKE_HOOK="write:driver_override sh echo hello >\$TREE/said" write_attr driver_override vfio-pci
	[[ $(cat "$TREE/said") == hello ]]
	[[ $(override_file) == vfio-pci ]]
}

is_there() {
	[[ -e $1 ]]
}

@test "a blocked attribute blocks until it is released" {
	FAKE_BLOCK=driver_override write_attr driver_override vfio-pci &
	local pid=$!
	wait_until is_there "$TREE/.fake_blocked"
	[[ $(override_file) == '(null)' ]]
	: >"$TREE/.fake_release"
	wait $pid
	[[ $(override_file) == vfio-pci ]]
}

@test "in a blocked unbind the link is gone and the driver still has the device" {
	bind_natively $GPU nvidia
	FAKE_BLOCK=nvidia/unbind unbind_from nvidia &
	local pid=$!
	wait_until is_there "$TREE/.fake_blocked"
	[[ -z $(driver_of $GPU) && -L $TREE/$PCI/drivers/nvidia/$GPU ]]
	: >"$TREE/.fake_release"
	wait $pid
	[[ ! -L $TREE/$PCI/drivers/nvidia/$GPU ]]
}

@test "a block ends by itself" {
	FAKE_BLOCK=vendor FAKE_BLOCK_MAX=0 client read "$(device_dir $GPU)" vendor
	[[ $output == 0x10de ]]
}

@test "sysfs makes no files and cuts none" {
	local dev
	dev=$(device_dir $GPU)
	under_kernel dd if=/dev/zero of="$dev/nothing" bs=1 count=1
	((status != 0))
	[[ ! -e $dev/nothing ]]
	under_kernel dd if="$dev/vendor" of="$dev/device" bs=1 count=1
	[[ $(cat "$dev/device") == 0x2331 ]]
}

@test "it works under valgrind" {
	NVFIO_UNDER="/usr/bin/valgrind -q --error-exitcode=99" write_attr driver_override vfio-pci
	assert_status 0
	[[ $(override_file) == vfio-pci ]]
}

@test "it works in a program built with ASan" {
	gcc -std=gnu11 -D_GNU_SOURCE -fsanitize=address,undefined -o "$BATS_TEST_TMPDIR/client" "$LIB_DIR/client.c"
	under_kernel "$BATS_TEST_TMPDIR/client" write "$(device_dir $GPU)" \
		driver_override vfio-pci
	assert_status 0
	[[ $(override_file) == vfio-pci ]]
}
