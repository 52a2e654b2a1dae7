#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# VFs of a PF that stays on its native driver.

load ../guest/lib

setup_file()
{
	bench_reset
	modprobe nvidia
	modprobe vfio-pci
	printf '[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
}

vfs_are()
{
	local bdf

	for bdf in $(vfs_of "$(bdf_of s)"); do
		wait_for 30 driver_is "$bdf" "$1" || return 1
	done
}

@test "8 VFs land, the PF is untouched, no VF was probed natively" {
	local probes

	plug_sriov 8
	settle
	[[ $(driver_of "$(bdf_of s)") == nvidia ]]
	[[ $(state_of "$(bdf_of s)") == left ]]
	[[ $(attr_of "$(bdf_of s)" sriov_drivers_autoprobe) == 0 ]]
	probes=$(probes_of nvidia)
	sriov s 8
	[[ $(vfs_of "$(bdf_of s)" | wc -l) -eq 8 ]]
	vfs_are vfio-pci
	settle
	[[ $(probes_of nvidia) == "$probes" ]]
	[[ $(driver_of "$(bdf_of s)") == nvidia ]]
	[[ $(override_of "$(bdf_of s)") == none ]]
	vfio-client "$(vfs_of "$(bdf_of s)" | sed -n 8p)"
}

@test "disabled and enabled again they land again" {
	sriov s 0
	settle
	[[ -z $(vfs_of "$(bdf_of s)") ]]
	# The PF had no record of its own to lose but the one about autoprobe.
	[[ $(find /run/nvfio -name '0000:*' ! -name '*.lock') == /run/nvfio/$(bdf_of s) ]]
	sriov s 4
	vfs_are vfio-pci
	settle
}

@test "a PF with VFs is left also when everything is for VFIO" {
	rm /etc/nvfio.conf
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of s)") == nvidia ]]
	[[ $(property_of "$(bdf_of s)" NVFIO_REASON) == pf-has-vfs ]]
	printf '[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
	sriov s 0
	settle
}

@test "vf-autoprobe = keep: the native driver probes first, VFs land all the same" {
	local probes

	printf '[policy]\nvf-autoprobe = keep\n[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
	udevadm trigger --subsystem-match=pci --settle
	[[ $(attr_of "$(bdf_of s)" sriov_drivers_autoprobe) == 1 ]]
	probes=$(probes_of nvidia)
	sriov s 8
	vfs_are vfio-pci
	settle
	(($(probes_of nvidia) > probes))
	sriov s 0
	settle
}

@test "on a host with vGPU signs the VFs stay, unless vf = vfio" {
	local bdf

	printf '[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
	mkdir -p /usr/lib/nvidia
	: >/usr/lib/nvidia/sriov-manage
	nvidia_set vgpu Y
	udevadm trigger --subsystem-match=pci --settle
	[[ $(attr_of "$(bdf_of s)" sriov_drivers_autoprobe) == 1 ]]
	records_reset
	sriov s 4
	settle
	for bdf in $(vfs_of "$(bdf_of s)"); do
		[[ $(driver_of "$bdf") == nvidia ]]
		[[ $(override_of "$bdf") == none ]]
		[[ $(property_of "$bdf" NVFIO_REASON) == vgpu-host ]]
		[[ $(records_of "$bdf") == *sriov-manage* ]]
	done
	sriov s 0
	settle
	printf '[device %s]\ngpu = native\nvf = vfio\n' "$(bdf_of s)" >/etc/nvfio.conf
	sriov s 4
	vfs_are vfio-pci
	sriov s 0
	settle
	rm /usr/lib/nvidia/sriov-manage
	nvidia_set vgpu N
}
