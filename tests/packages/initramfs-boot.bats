#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The bench's kernel boots images of initramfs-tools, with cards that are there from power-on, as far as the root file
# system would be mounted: who has the cards then? The native driver is in each image.
# shellcheck disable=SC2154 # bats sets output

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
GPU=0000:01:00.0 OTHER=0000:02:00.0

setup_file() {
	export BUILD=$REPO/build/vm VERSION
	VERSION=$("$REPO/tests/vm/build")
}

setup() {
	D=$BATS_TEST_TMPDIR/root
	mkdir -p "$D"/{etc/nvfio.conf.d,usr,modules,conf/hooks,conf/scripts/{init-top,init-premount}}
	cp "$BUILD"/modules/{nvfio_ids,nvidia}.ko "$D/modules"
	make -s -C "$REPO" DESTDIR="$D" install >/dev/null
	script hooks/bench <<-'END'
		. /usr/share/initramfs-tools/hook-functions
		manual_add_modules nvfio_ids nvidia
	END
	# Before udev, by its name: the emulated cards get their ids and are found again.
	script scripts/init-top/a-bench <<-'END'
		modprobe nvfio_ids
		for bus in 01 02; do
			echo "$bus:00.0=10de:2331:030200" >/sys/module/nvfio_ids/parameters/map
			echo 1 >"/sys/bus/pci/devices/0000:$bus:00.0/remove"
		done
		echo 1 >/sys/bus/pci/rescan
	END
	# After it, and the end.
	script scripts/init-premount/report <<-'END'
		udevadm settle
		for bdf in 0000:01:00.0 0000:02:00.0; do
			driver=$(readlink "/sys/bus/pci/devices/$bdf/driver")
			echo "REPORT $bdf driver ${driver##*/}"
			while read -r line; do
				case $line in *NVFIO_*) echo "REPORT $bdf ${line#E:}" ;; esac
			done <"/run/udev/data/+pci:$bdf"
		done
		dmesg | while read -r line; do
			case $line in *nvfio-udev*) echo "REPORT kmsg $line" ;; esac
		done
		[ ! -e /sys/module/nvidia ] || echo "REPORT native probes $(cat /sys/module/nvidia/parameters/probes)"
		echo o >/proc/sysrq-trigger
		sleep 60
	END
}

script() {
	{
		# shellcheck disable=SC2016 # for the script
		printf '%s\n' '#!/bin/sh' '[ "${1-}" != prereqs ] || exit 0'
		cat
	} >"$D/conf/$1"
	chmod 755 "$D/conf/$1"
}

config() {
	printf '%s\n' "$@" >"$D/etc/nvfio.conf.d/boot.conf"
}

# boot [WORD...]: of the kernel's command line. Leaves the report in $report.
boot() {
	local image=$BATS_TEST_TMPDIR/image serial=$BATS_TEST_TMPDIR/serial bus qemu=()
	"$REPO/tests/packages/build-image" "$D" "$BUILD/kernel" "$VERSION" initramfs-tools "$image" >"$image.log" 2>&1 ||
		{ cat "$image.log"; return 1; }
	for bus in 1 2; do
		qemu+=(-device "pcie-root-port,id=rp$bus,bus=pcie.0,addr=0x1$bus,chassis=$bus" -device "e1000e,bus=rp$bus,addr=0")
	done
	timeout 120 qemu-system-x86_64 -machine q35,kernel-irqchip=split -accel tcg,thread=multi -cpu qemu64,+rdrand -smp 1 -m 512 \
		-no-reboot -nic none -vga std -display none -nodefaults -no-user-config -device intel-iommu,intremap=on "${qemu[@]}" \
		-kernel "$BUILD/kernel/vmlinuz" -initrd "$image" -serial "file:$serial" -append "console=ttyS0 quiet panic=-1 \
		mitigations=off nokaslr no_timer_check modprobe.blacklist=bochs intel_iommu=on $*" </dev/null >"$image.qemu" 2>&1
	report=$(tr -d '\r' <"$serial" | sed -n 's/^REPORT //p')
	echo "$report"
}

# assert_report LINE...
assert_report() {
	local line
	for line; do
		grep -qxF -- "$line" <<<"$report" || { echo "# no: $line"; return 1; }
	done
}

@test "boot = vfio: on VFIO before the native driver is loaded, and the record is in kmsg" {
	config '[policy]' 'boot = vfio'
	boot
	assert_report "$GPU driver vfio-pci" "$GPU NVFIO_STATE=bound" "$OTHER driver vfio-pci" "$OTHER NVFIO_STATE=bound"
	grep -q "^kmsg .*nvfio-udev.*$GPU" <<<"$report"
}

@test "boot = native: the native driver has them, and nvfio is not there to say so" {
	boot
	assert_report "$GPU driver nvidia" "$OTHER driver nvidia"
	run ! grep -q NVFIO <<<"$report"
}

@test "one card is left to the host, whose driver takes no other with it" {
	config '[policy]' 'boot = vfio' "[device $GPU]" 'gpu = native'
	boot
	assert_report "$GPU driver nvidia" "$GPU NVFIO_STATE=left" "$OTHER driver vfio-pci" "$OTHER NVFIO_STATE=bound" "native probes 1"
}

@test "boot = vfio, and nvfio=off: the native driver has them" {
	config '[policy]' 'boot = vfio'
	boot nvfio=off
	assert_report "$GPU driver nvidia" "$GPU NVFIO_STATE=left" "$GPU NVFIO_REASON=off" "$OTHER driver nvidia"
}
