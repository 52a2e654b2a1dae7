#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# Members of a GPU's IOMMU group that are not NVIDIA's: the host may live on them. They go with the GPU where it names
# them, and never from under a file system or an address.

load ../guest/lib
bats_require_minimum_version 1.5.0

MNT=/run/bench/mnt
NET=/run/bench/net.pid

# configure gpu|native: what the GPU is for; it names the card's functions 1 and 2.
configure()
{
	cat >/etc/nvfio.conf <<-END
		[policy]
		takeover = idle
		[device $(bdf_of 1)]
		gpu = $1
		siblings = $(bdf_of 1 1), $(bdf_of 1 2)
	END
}

has_disk()
{
	DISK=$(echo "$SYS/$(bdf_of 1 1)"/nvme/nvme*/nvme*n1)
	DISK=/dev/${DISK##*/}
	[[ -b $DISK ]]
}

has_interface()
{
	NIC=$(echo "$SYS/$(bdf_of 1 2)"/net/*)
	NIC=${NIC##*/}
	[[ -e /sys/class/net/$NIC ]]
}

# plug: a card of a native GPU, a drive and a network interface, with their drivers at work.
plug()
{
	configure native
	plug_card 1 gpu nvme foreign
	wait_for 20 driver_is "$(bdf_of 1 1)" nvme
	wait_for 20 driver_is "$(bdf_of 1 2)" e1000e
	wait_for 20 has_disk
	wait_for 20 has_interface
	settle
}

make_file_system()
{
	mkfs.ext4 -q "$DISK" 2>/dev/null
	mkdir -p "$MNT"
	settle
}

# land_gpu: function 0 goes to VFIO and tells those it names.
land_gpu()
{
	configure vfio
	udevadm trigger "$SYS/$(bdf_of 1)"
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
}

again()
{
	udevadm trigger --settle "$SYS/$(bdf_of 1 "$1")"
}

# refused_for TEXT: function 1, met again, stays where it is because of that.
refused_for()
{
	again 1
	run records_of "$(bdf_of 1 1)"
	[[ ${lines[-1]} == *"$1"* ]] || { echo "the last record is ${lines[-1]}"; return 1; }
	[[ $(state_of "$(bdf_of 1 1)") == refused ]]
	[[ $(property_of "$(bdf_of 1 1)" NVFIO_REASON) == critical ]]
	[[ $(driver_of "$(bdf_of 1 1)") != vfio-pci ]]
}

teardown_file()
{
	[[ ! -e $NET ]] || kill "$(<$NET)" || :
	! mountpoint -q $MNT || umount $MNT
}

@test "no program starts for a foreign function that is named, before the GPU is on VFIO" {
	plug
	starts_reset
	again 1
	again 2
	udevadm trigger --action=add --settle "$SYS/$(bdf_of 1 1)"
	[[ $(starts_of nvfio-udev) == 0 ]]
	[[ $(state_of "$(bdf_of 1 1)") == none ]]
}

@test "a mounted file system, and an interface that is up with an address, are refused by name" {
	has_disk
	has_interface
	make_file_system
	mount "$DISK" $MNT
	ip address add 192.0.2.1/24 dev "$NIC"
	ip link set "$NIC" up
	land_gpu
	[[ $(state_of "$(bdf_of 1 1)") == refused ]]
	[[ $(state_of "$(bdf_of 1 2)") == refused ]]
	[[ $(property_of "$(bdf_of 1 1)" NVFIO_REASON) == critical ]]
	[[ $(driver_of "$(bdf_of 1 1)") == nvme ]]
	[[ $(driver_of "$(bdf_of 1 2)") == e1000e ]]
	[[ $(override_of "$(bdf_of 1 1)") == none ]]
	run records_of "$(bdf_of 1 1)"
	[[ $output == *"file system $MNT on $DISK"* ]]
	run records_of "$(bdf_of 1 2)"
	[[ $output == *"network interface $NIC, up with an address"* ]]
	run -3 vfio-client "$(bdf_of 1)"
}

@test "unmounted, the drive is taken at its next event" {
	umount $MNT
	again 1
	again 2
	[[ $(driver_of "$(bdf_of 1 1)") == vfio-pci ]]
	[[ $(state_of "$(bdf_of 1 1)") == bound ]]
	[[ $(driver_of "$(bdf_of 1 2)") == e1000e ]]
}

@test "without address and down, the interface is taken, and the whole group can be opened" {
	has_interface
	ip address flush dev "$NIC"
	again 2
	[[ $(state_of "$(bdf_of 1 2)") == refused ]]
	ip link set "$NIC" down
	again 2
	[[ $(driver_of "$(bdf_of 1 2)") == vfio-pci ]]
	[[ $(state_of "$(bdf_of 1 2)") == bound ]]
	vfio-client "$(bdf_of 1)"
	vfio-client "$(bdf_of 1 1)"
	vfio-client "$(bdf_of 1 2)"
}

@test "on VFIO they cost no program; unplugged they are forgotten" {
	starts_reset
	again 1
	udevadm trigger --action=add --settle "$SYS/$(bdf_of 1 2)"
	[[ $(starts_of nvfio-udev) == 0 ]]
	[[ $(state_of "$(bdf_of 1 1)") == bound ]]
	[[ -e /run/nvfio/$(bdf_of 1 1) ]]
	unplug_card 1
	settle
	[[ ! -e /run/nvfio/$(bdf_of 1 1) ]]
	[[ ! -e /run/nvfio/$(bdf_of 1 2) ]]
}

@test "an idle drive and an idle interface land with the GPU; a drive somebody reads lands when its driver lets go" {
	local fd

	bench_reset
	plug
	exec {fd}<"$DISK"
	land_gpu
	[[ $(driver_of "$(bdf_of 1 2)") == vfio-pci ]]
	[[ $(driver_of "$(bdf_of 1 1)") == nvme ]]
	[[ $(state_of "$(bdf_of 1 1)") == deferred ]]
	run records_of "$(bdf_of 1 1)"
	[[ $output == *"$DISK open in pid $$ "* || $output == *"$DISK open in pid $BASHPID "* ]]
	exec {fd}<&-
	bdf_of 1 1 >/sys/bus/pci/drivers/nvme/unbind
	wait_for 20 driver_is "$(bdf_of 1 1)" vfio-pci
	settle
	vfio-client "$(bdf_of 1)"
}

@test "a mount and an interface in other namespaces are seen" {
	bench_reset
	plug
	make_file_system
	unshare --mount --net --propagation private sh -c "mount $DISK $MNT && exec sleep 1000" 3>&- &
	echo $! >$NET
	wait_for 20 grep -q $MNT "/proc/$!/mountinfo"
	run ! mountpoint -q $MNT
	ip link set "$NIC" netns "$(<$NET)"
	wait_for 10 gone "/sys/class/net/$NIC"
	land_gpu
	[[ $(state_of "$(bdf_of 1 1)") == refused ]]
	[[ $(state_of "$(bdf_of 1 2)") == refused ]]
	run records_of "$(bdf_of 1 1)"
	[[ $output == *"$DISK, which the kernel says is in use"* ]]
	run records_of "$(bdf_of 1 2)"
	[[ $output == *"another network namespace"* ]]
	kill "$(<$NET)"
	rm $NET
	wait_for 20 has_interface
	again 1
	again 2
	[[ $(driver_of "$(bdf_of 1 1)") == vfio-pci ]]
	[[ $(driver_of "$(bdf_of 1 2)") == vfio-pci ]]
	vfio-client "$(bdf_of 1)"
}

@test "swap, a device mapping, a loop device and an NVMe target on the drive are refused by name" {
	local bdf table target=/sys/kernel/config/nvmet/subsystems/nqn.test

	bench_reset
	plug
	mkswap "$DISK"
	swapon "$DISK"
	land_gpu
	bdf=$(bdf_of 1 1)
	refused_for "swap on $DISK"
	swapoff "$DISK"
	modprobe dm-mod
	table="0 8 linear $DISK 0"
	dmsetup create --noudevsync kept --table "$table"
	refused_for "(kept) on $DISK"
	dmsetup remove --noudevsync kept
	modprobe loop
	loop=$(losetup --find --show "$DISK")
	refused_for "${loop#/dev/} on $DISK"
	losetup --detach "$loop"
	modprobe nvmet
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mkdir -p $target/namespaces/1
	echo "$DISK" >$target/namespaces/1/device_path
	echo 1 >$target/namespaces/1/enable
	refused_for "an NVMe target on $DISK"
	rmdir $target/namespaces/1 $target
	again 1
	[[ $(driver_of "$bdf") == vfio-pci ]]
	modprobe -r nvmet loop dm-mod
}

@test "a USB controller with a keyboard or a disk is refused by name, without it is taken" {
	bench_reset
	configure native
	plug_card 1 gpu xhci
	wait_for 20 driver_is "$(bdf_of 1 1)" xhci_hcd
	plug_usb 1 1 usb-kbd
	settle
	land_gpu
	refused_for "a USB input device ("
	unplug_usb 1 1
	plug_usb 1 1 usb-storage
	settle
	refused_for "a USB storage device ("
	unplug_usb 1 1
	again 1
	[[ $(driver_of "$(bdf_of 1 1)") == vfio-pci ]]
	vfio-client "$(bdf_of 1)"
}

@test "no word takes a foreign function without the list of a GPU that is on VFIO in its group" {
	bench_reset
	plug
	cat >/etc/nvfio.conf <<-END
		[policy]
		takeover = idle
		siblings = group
		[device $(bdf_of 1 1)]
		gpu = vfio
		boot = vfio
	END
	udevadm trigger "$SYS/$(bdf_of 1)"
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
	starts_reset
	again 1
	udevadm trigger --action=add --settle "$SYS/$(bdf_of 1 1)"
	[[ $(starts_of nvfio-udev) == 0 ]]
	echo "change $(</proc/sys/kernel/random/uuid) NVFIO=1" >"$SYS/$(bdf_of 1 1)/uevent"
	settle
	[[ $(starts_of nvfio-udev) == 1 ]]
	[[ $(state_of "$(bdf_of 1 1)") == left ]]
	[[ $(property_of "$(bdf_of 1 1)" NVFIO_REASON) == not-nvidia ]]
	[[ $(driver_of "$(bdf_of 1 1)") == nvme ]]
	# The list alone, by the event that nvfio.conf(5) names.
	configure vfio
	echo "change $(</proc/sys/kernel/random/uuid) NVFIO=1" >"$SYS/$(bdf_of 1 1)/uevent"
	settle
	[[ $(driver_of "$(bdf_of 1 1)") == vfio-pci ]]
}
