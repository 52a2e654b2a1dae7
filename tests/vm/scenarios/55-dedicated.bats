#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# A host for virtual machines alone: the example dedicated-host.conf as it is installed. What it gives, and its price.

load ../guest/lib
bats_require_minimum_version 1.5.0

setup_file()
{
	bench_reset
	cp /usr/share/doc/nvfio/examples/dedicated-host.conf /etc/modprobe.d/nvfio-test-dedicated.conf
}

# taken_by_kernel BDF...: on vfio-pci while udevd is held, so by nobody but the kernel. Then nvfio says what it found, and
# has nothing to do.
taken_by_kernel()
{
	local bdf

	for bdf; do
		wait_for 15 driver_is "$bdf" vfio-pci
	done
	udevd_go_on
	settle
	for bdf; do
		[[ $(driver_of "$bdf") == vfio-pci && $(override_of "$bdf") == none ]]
		[[ $(state_of "$bdf") == bound && $(property_of "$bdf" NVFIO_REASON) == on-vfio ]]
		[[ -z $(records_of "$bdf") ]]
	done
}

@test "loading nvidia has vfio-pci loaded before it" {
	modprobe nvidia
	module_loaded vfio_pci
	[[ $(tac /proc/modules | grep -oE '^(vfio_pci|nvidia) ' | head -n 1) == 'vfio_pci ' ]]
}

@test "a plugged GPU is never probed by nvidia, its audio function lands by nvfio; no other class is taken" {
	local audio

	modprobe snd_hda_intel
	udevd_hold
	plug_card 1 gpu audio other=10de:2331:038000
	taken_by_kernel "$(bdf_of 1)"
	[[ $(probes_of nvidia) -eq 0 ]]
	audio=$(bdf_of 1 1)
	wait_for 20 driver_is "$audio" vfio-pci
	settle
	[[ $(override_of "$audio") == vfio-pci && $(state_of "$audio") == bound ]]
	[[ $(records_of "$audio") == *"bound to vfio-pci"* ]]
	[[ $(driver_of "$(bdf_of 1 2)") == none ]]
	vfio-client "$(bdf_of 1)"
	unplug_card 1
}

@test "the price: the boot VGA device is taken, also where it is configured native" {
	local vga=0000:00:01.0

	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	echo "00:01.0=10de:2204:030000" >"$IDS"
	udevd_hold
	echo 1 >"$SYS/$vga/remove"
	echo 1 >/sys/bus/pci/rescan
	taken_by_kernel "$vga"
	[[ $(attr_of "$vga" boot_vga) == 1 ]]
	[[ $(probes_of nvidia) -eq 0 ]]
	rm /etc/nvfio.conf
	echo clear >"$IDS"
	echo 1 >"$SYS/$vga/remove"
	echo 1 >/sys/bus/pci/rescan
	settle
}

@test "the price: a PF is taken, and makes no VFs; given to nvidia, its VFs are never probed by it, whoever attaches them" {
	local pf vf vfs

	udevd_hold
	plug_sriov 2
	pf=$(bdf_of s)
	taken_by_kernel "$pf"
	run ! sriov s 2
	nvfio unbind --to=nvidia "$pf"
	udevd_hold
	sriov s 2
	mapfile -t vfs < <(vfs_of "$pf")
	taken_by_kernel "${vfs[@]}"
	# With VF autoprobe off the kernel offers them to nobody.
	sriov s 0
	printf '[device %s]\ngpu = native\n' "$pf" >/etc/nvfio.conf
	udevadm trigger --settle "$SYS/$pf"
	[[ $(attr_of "$pf" sriov_drivers_autoprobe) == 0 ]]
	sriov s 2
	settle
	for vf in "${vfs[@]}"; do
		[[ $(driver_of "$vf") == vfio-pci && $(override_of "$vf") == vfio-pci && $(state_of "$vf") == bound ]]
	done
	[[ $(probes_of nvidia) -eq 1 ]]
}
