#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# What speaks against VFIO: nothing is taken, the native driver is loaded and works, no override is left, and one record
# says why.

load ../guest/lib
bats_require_minimum_version 1.5.0

setup()
{
	bench_reset
}

# stays_native REASON TEXT: the card in port 1 is on its native drivers, and the record of function 0 has these words.
stays_native()
{
	local func bdf

	for func in 0 1 2; do
		bdf=$(bdf_of 1 $func)
		wait_for 15 driver_is "$bdf" "$(case $func in 0) echo nvidia ;; 1) echo snd_hda_intel ;; 2) echo xhci_hcd ;; esac)"
		[[ $(override_of "$bdf") == none ]]
	done
	[[ $(property_of "$(bdf_of 1)" NVFIO_REASON) == "$1" ]]
	run records_of "$(bdf_of 1)"
	echo "$output"
	[[ ${#lines[@]} -eq 1 ]]
	[[ $output == *"$2"* ]]
	# It works: its node opens.
	: <>"$(gpu_node "$(bdf_of 1)")"
}

# contained COMMAND...: as in a container without udev: sysfs read-only, and a /run of its own.
contained()
{
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount bash -ec 'mount -o remount,bind,ro /sys; mount -t tmpfs tmpfs /run; exec "$@"' - "$@" 3>&-
}

@test "in a container without udev, sysfs read-only: failed, says so, and nothing was changed" {
	local bdf

	bdf=$(bdf_of 1)
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1
	settle
	printf '[policy]\ntakeover = idle\n' >/etc/nvfio.conf
	records_reset
	run -0 contained /usr/lib/udev/nvfio-udev event --action=change --synth=0 --seqnum=1 \
		"$(realpath "/sys/bus/pci/devices/$bdf")"
	echo "$output"
	[[ $output == *'NVFIO_STATE="failed"'* ]]
	[[ $output == *'NVFIO_MESSAGE="failed: sysfs is read-only: Read-only file system (in a container?); nothing was changed"'* ]]
	run records_of "$bdf"
	[[ ${#lines[@]} -eq 1 && $output == *"sysfs is read-only"*"step=write-access errno=30"* ]]
	[[ $(driver_of "$bdf") == nvidia && $(override_of "$bdf") == none && ! -e /sys/module/vfio_pci ]]
	# Where it may write, the same call does it: udev is not what was missing.
	run -0 /usr/lib/udev/nvfio-udev event --action=change --synth=0 --seqnum=1 "$(realpath "/sys/bus/pci/devices/$bdf")"
	[[ $output == *'NVFIO_STATE="bound"'* && $(driver_of "$bdf") == vfio-pci ]]
	settle
	unplug_card 1
}

@test "gpu = native for this BDF: left, with file and line" {
	printf '[device %s]\ngpu = native\n' "$(bdf_of 1)" >/etc/nvfio.conf
	plug_card 1
	settle
	stays_native configured "/etc/nvfio.conf:2"
	unplug_card 1
	rm /etc/nvfio.conf
}

@test "an administrator's rule: left" {
	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s*", ENV{NVFIO}="native"\n' "$(bdf_of 1 | cut -d. -f1)" >/run/udev/rules.d/65-site.rules
	udevd_reload
	plug_card 1
	settle
	stays_native rule "ENV{NVFIO}=native"
	unplug_card 1
}

@test "a rule for function 0 alone keeps its companions too, whoever is faster, in each of 10 plugs" {
	local i

	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ENV{NVFIO}="native"\n' "$(bdf_of 1)" >/run/udev/rules.d/65-site.rules
	udevd_reload
	natives_load
	for ((i = 0; i < 10; i++)); do
		records_reset
		plug_card 1
		settle
		stays_native rule "ENV{NVFIO}=native"
		unplug_card 1
	done
	# Without the rule the card is as any other, at the next plug and for a trigger.
	rm /run/udev/rules.d/65-site.rules
	udevd_reload
	plug_card 1
	wait_for 20 driver_is "$(bdf_of 1 2)" vfio-pci
	settle
	unplug_card 1
}

@test "a broken configuration takes nothing, and is said once with file and line" {
	printf '[policy]\ngpu = maybe\n' >/etc/nvfio.conf
	plug_card 1
	settle
	run records_of
	echo "$output"
	[[ ${#lines[@]} -eq 1 ]]
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(driver_of "$(bdf_of 1 1)") == snd_hda_intel ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(property_of "$(bdf_of 1)" NVFIO_REASON) == config-broken ]]
	unplug_card 1
	rm /etc/nvfio.conf
}

@test "vfio-pci blacklisted: refused" {
	echo "blacklist vfio_pci" >/etc/modprobe.d/nvfio-test.conf
	plug_card 1
	settle
	stays_native blacklisted "blacklisted"
	run ! module_loaded vfio_pci
	unplug_card 1
	rm /etc/modprobe.d/nvfio-test.conf
}

@test "an install command for vfio-pci is not run: refused" {
	echo "install vfio_pci /bin/touch /run/bench/ran" >/etc/modprobe.d/nvfio-test.conf
	plug_card 1
	settle
	stays_native install-command "install command"
	[[ ! -e /run/bench/ran ]]
	unplug_card 1
	rm /etc/modprobe.d/nvfio-test.conf
}

@test "no vfio-pci module installed: refused" {
	without_vfio
	plug_card 1
	settle
	stays_native no-module "no VFIO module"
	unplug_card 1
}

@test "somebody else's driver_override: left as it is" {
	local bdf

	bdf=$(bdf_of 1)
	# The override is there before our event is handled, as another tool's rule or daemon would have it.
	natives_load
	udevd_hold
	plug_card 1
	wait_for 10 driver_is "$bdf" nvidia
	echo nvidia >"$SYS/$bdf/driver_override"
	udevd_go_on
	settle
	# Its companions cannot see the override; they stay all the same.
	[[ $(driver_of "$(bdf_of 1 1)") == snd_hda_intel ]]
	[[ $(driver_of "$(bdf_of 1 2)") == xhci_hcd ]]
	[[ $(driver_of "$bdf") == nvidia ]]
	[[ $(override_of "$bdf") == nvidia ]]
	[[ $(property_of "$bdf" NVFIO_REASON) == override ]]
	run records_of "$bdf"
	[[ ${#lines[@]} -eq 1 ]]
	[[ $output == *"another manager"* ]]
	unplug_card 1
}

@test "a driverctl override: left" {
	mkdir -p /etc/driverctl.d
	echo nvidia >"/etc/driverctl.d/pci-$(bdf_of 1)"
	plug_card 1
	settle
	stays_native driverctl "driverctl"
	unplug_card 1
	rm -r /etc/driverctl.d
}

@test "the boot VGA device: left, with or without a native driver, until it is named" {
	local bdf=0000:00:01.0

	echo "00:01.0=10de:2204:030000" >"$IDS"
	echo 1 >"$SYS/$bdf/remove"
	echo 1 >/sys/bus/pci/rescan
	settle
	wait_for 15 driver_is "$bdf" nvidia
	[[ $(attr_of "$bdf" boot_vga) == 1 ]]
	[[ $(override_of "$bdf") == none ]]
	[[ $(property_of "$bdf" NVFIO_REASON) == boot-vga ]]
	run records_of "$bdf"
	echo "$output"
	[[ ${#lines[@]} -eq 1 ]]
	rmmod nvidia
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$bdf") == none ]]
	printf '[device %s]\ngpu = vfio\n' "$bdf" >/etc/nvfio.conf
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$bdf") == vfio-pci ]]
	echo clear >"$IDS"
	echo 1 >"$SYS/$bdf/remove"
	echo 1 >/sys/bus/pci/rescan
	settle
	[[ $(override_of "$bdf") == none ]]
}

@test "NVIDIA functions that are no GPU are left" {
	plug_card 1 other nvswitch
	settle
	[[ $(driver_of "$(bdf_of 1 0)") == none ]]
	[[ $(driver_of "$(bdf_of 1 1)") == none ]]
	[[ $(state_of "$(bdf_of 1 0)") == none ]]
	[[ $(property_of "$(bdf_of 1 1)" NVFIO_REASON) == configured ]]
	unplug_card 1
}

@test "a foreign function in the group stays on its driver, and the record says what that means" {
	plug_card 1 gpu audio foreign
	wait_for 15 driver_is "$(bdf_of 1 1)" vfio-pci
	settle
	[[ $(driver_of "$(bdf_of 1 0)") == vfio-pci ]]
	wait_for 10 driver_is "$(bdf_of 1 2)" e1000e
	run records_of "$(bdf_of 1)"
	echo "$output"
	[[ $output == *"not viable because of $(bdf_of 1 2) (e1000e)"* ]]
	run vfio-client "$(bdf_of 1)"
	[[ $status -eq 3 ]]
	unplug_card 1
}

@test "a variant driver with an alias for the device is chosen, under its driver's name" {
	plug_card 1 gpu=10de:2342:030200
	settle
	[[ $(driver_of "$(bdf_of 1)") == nvfio-test-variant ]]
	[[ $(override_of "$(bdf_of 1)") == nvfio-test-variant ]]
	[[ $(property_of "$(bdf_of 1)" NVFIO_DRIVER) == nvfio-test-variant ]]
	vfio-client "$(bdf_of 1)"
	unplug_card 1
}

@test "a pinned driver overrules the variant" {
	printf '[device 10de:2342]\ndriver = vfio-pci\n' >/etc/nvfio.conf
	plug_card 1 gpu=10de:2342:030200
	settle
	[[ $(driver_of "$(bdf_of 1)") == vfio-pci ]]
	unplug_card 1
	rm /etc/nvfio.conf
}

@test "a pinned driver that is no VFIO driver is rolled back" {
	modprobe e1000e
	printf '[device %s]\ndriver = e1000e\n' "$(bdf_of 1)" >/etc/nvfio.conf
	modprobe nvidia
	plug_card 1 gpu
	settle
	wait_for 15 driver_is "$(bdf_of 1)" nvidia
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(state_of "$(bdf_of 1)") == failed ]]
	run records_of "$(bdf_of 1)"
	echo "$output"
	[[ $output == *"rolled back"* ]]
	unplug_card 1
	rm /etc/nvfio.conf
}
