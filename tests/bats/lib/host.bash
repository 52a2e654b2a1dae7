#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `nvfio check` looks at besides PCI functions: a host that is ready, in the fake tree. Needs tree.bash.

RELEASE=$(uname -r)

# put PATH [LINE...]: a file of the tree.
put() {
	local path=$TREE$1
	shift
	mkdir -p "$(dirname -- "$path")"
	printf '%s\n' "$@" >"$path"
}

# ready_host: Debian on Intel, VFIO loaded, nvfio installed. Cards and configuration are the caller's.
ready_host() {
	local module
	put /etc/os-release 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"' ID=debian
	put /proc/cpuinfo 'processor	: 0' 'vendor_id	: GenuineIntel'
	put /proc/interrupts '            CPU0' '   0:         42  IR-IO-APIC    2-edge      timer'
	put /proc/sys/kernel/osrelease "$RELEASE"
	put /proc/meminfo 'MemTotal:       67108864 kB'
	put /proc/1/limits 'Max locked memory         8388608              8388608              bytes     '
	put /proc/self/limits 'Max locked memory         8388608              8388608              bytes     '
	for module in vfio vfio_iommu_type1 iommufd; do
		put /sys/module/$module/initstate live
	done
	put /usr/lib/udev/rules.d/70-nvfio.rules 'IMPORT{program}="nvfio-udev event"'
	put /usr/lib/udev/nvfio-udev
	chmod +x "$TREE/usr/lib/udev/nvfio-udev"
	put /run/udev/control
	put /etc/passwd root:x:0:0:root:/root:/bin/bash alice:x:1000:1000::/home/alice:/bin/bash \
		bob:x:1001:1001::/home/bob:/bin/bash
	put /etc/group root:x:0: kvm:x:104:bob alice:x:1000: bob:x:1001:
	make_initramfs etc/hostname
}

# make_initramfs PATH...: an image of these files behind an uncompressed one, as with microcode.
make_initramfs() {
	local dir=$BATS_TEST_TMPDIR/image path
	rm -rf "$dir"
	for path in kernel/x86/microcode "$@"; do
		mkdir -p "$dir/$(dirname -- "$path")"
		echo something >"$dir/$path"
	done
	mkdir -p "$TREE/boot"
	(cd "$dir" && find kernel | cpio --quiet -o -H newc) >"$TREE/boot/initrd.img-$RELEASE"
	(cd "$dir" && find "$@" | cpio --quiet -o -H newc) | "${COMPRESS[@]-gzip}" >>"$TREE/boot/initrd.img-$RELEASE"
}
