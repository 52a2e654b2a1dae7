#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What nvfio needs in an initramfs, as initramfs-files lists it, and what mkinitcpio's hook makes of that, with stand-ins
# for mkinitcpio's functions. tests/packages/initramfs.bats builds images with initramfs-tools and dracut.
# shellcheck disable=SC2154,SC2317 # bats sets output; the hook calls the stand-ins

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
HOOKS=${NVFIO_HOOKS:-$REPO/build/packaging}
LIST=$HOOKS/initramfs-files

setup() {
	D=$BATS_TEST_TMPDIR/root
	M=$D/lib/modules/6.1.0-test
	put /usr/lib/udev/nvfio-udev
	chmod +x "$D/usr/lib/udev/nvfio-udev"
	put /usr/lib/udev/nvfio-no-modalias 'MODALIAS=""'
	put /usr/lib/udev/rules.d/70-nvfio.rules '# rules'
	put /usr/lib/udev/rules.d/90-nvfio-nodes.rules '# rules'
	put /usr/lib/nvfio/nvfio.conf '#boot = native'
	put /usr/lib/nvfio/native-drivers '#!/bin/sh'
	put /lib/modules/6.1.0-test/modules.dep ''
	put /lib/modules/6.1.0-test/modules.alias 'alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci' \
		'alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau'
}

# put PATH LINE...
put() {
	mkdir -p "$D${1%/*}"
	printf '%s\n' "${@:2}" >"$D$1"
}

wanted() {
	put /etc/nvfio.conf.d/boot.conf '[policy]' 'boot = vfio'
}

# assert_list LINE...: these and no others.
assert_list() {
	run -0 sh "$LIST" "$M" "$D"
	diff <(printf '%s\n' "$@") <(printf '%s\n' "$output")
}

# assert_listed LINE, assert_not_listed LINE
assert_listed() {
	run -0 sh "$LIST" "$M" "$D"
	grep -qxF -- "$1" <<<"$output"
}

assert_not_listed() {
	run -0 sh "$LIST" "$M" "$D"
	[ -n "$output" ]
	run ! grep -qxF -- "$1" <<<"$output"
}

assert_nothing() {
	run -0 sh "$LIST" "$@" "$M" "$D"
	[ -z "$output" ]
}

@test "with the configuration as it is installed: nothing" {
	assert_nothing
	put /etc/nvfio.conf '[policy]' '# boot = vfio' 'boot = native' 'gpu = vfio'
	assert_nothing
}

@test "boot = vfio: helper, rules, configuration, modules" {
	wanted
	assert_list 'sign /usr/lib/nvfio/in-initramfs' 'program /usr/lib/udev/nvfio-udev' 'library libkmod.so.2' 'file /usr/lib/udev/nvfio-no-modalias' \
		'file /usr/lib/udev/rules.d/70-nvfio.rules' 'file /usr/lib/udev/rules.d/90-nvfio-nodes.rules' \
		'file /usr/lib/nvfio/nvfio.conf' 'file /etc/nvfio.conf.d/boot.conf' 'module vfio' 'module vfio_iommu_type1' 'module vfio_pci' 'file /usr/lib/nvfio/native-drivers' 'native nouveau'
}

@test "boot = vfio as it may be written, and in any of the files" {
	put /etc/nvfio.conf '[device 0000:41:00.0]' 'boot=vfio ; this one'
	assert_listed 'file /etc/nvfio.conf'
	rm "$D/etc/nvfio.conf"
	put /usr/lib/nvfio.conf.d/vendor.conf '[policy]' 'boot =vfio'
	assert_listed 'file /usr/lib/nvfio.conf.d/vendor.conf'
	put /etc/nvfio.conf.d/README 'boot = vfio'
	assert_not_listed 'file /etc/nvfio.conf.d/README'
}

@test "of the main files the one that counts, and masks" {
	wanted
	put /etc/nvfio.conf '[policy]'
	assert_listed 'file /etc/nvfio.conf'
	assert_not_listed 'file /usr/lib/nvfio/nvfio.conf'
	ln -s /dev/null "$D/etc/nvfio.conf.d/vendor.conf"
	assert_listed 'file /etc/nvfio.conf.d/vendor.conf'
	# A link to nowhere is a mistake of the configuration, in the image as well as outside.
	ln -sf nowhere "$D/etc/nvfio.conf"
	assert_listed 'file /etc/nvfio.conf'
}

@test "always: also without boot = vfio" {
	run -0 sh "$LIST" --always "$M" "$D"
	grep -qx 'program /usr/lib/udev/nvfio-udev' <<<"$output"
}

@test "no program: nothing" {
	wanted
	rm "$D/usr/lib/udev/nvfio-udev"
	assert_nothing --always
}

@test "masked rules: nothing, not even always; changed rules go in their stead" {
	wanted
	put /etc/udev/rules.d/90-nvfio-nodes.rules '# changed'
	assert_listed 'file /etc/udev/rules.d/90-nvfio-nodes.rules'
	assert_not_listed 'file /usr/lib/udev/rules.d/90-nvfio-nodes.rules'
	ln -sf /dev/null "$D/etc/udev/rules.d/70-nvfio.rules"
	assert_nothing
	assert_nothing --always
	rm "$D/etc/udev/rules.d/70-nvfio.rules"
	: >"$D/etc/udev/rules.d/70-nvfio.rules"
	assert_nothing --always
	put /etc/udev/rules.d/70-nvfio.rules '# changed'
	assert_listed 'file /etc/udev/rules.d/70-nvfio.rules'
}

@test "an administrator's rules" {
	put /etc/udev/rules.d/60-gpu.rules 'KERNEL=="0000:41:00.0", ENV{NVFIO}="native"'
	put /etc/udev/rules.d/60-other.rules 'ENV{NVFIO_STATE}=="bound"'
	assert_nothing
	# A word of the administrator's that is vfio holds at boot, too.
	put /usr/lib/udev/rules.d/61-gpu.rules 'KERNEL=="0000:42:00.0", ENV{NVFIO}="vfio"'
	assert_listed 'file /etc/udev/rules.d/60-gpu.rules'
	assert_listed 'file /usr/lib/udev/rules.d/61-gpu.rules'
	assert_not_listed 'file /etc/udev/rules.d/60-other.rules'
	ln -s /dev/null "$D/etc/udev/rules.d/61-gpu.rules"
	assert_nothing
}

@test "what the image must know so that it takes nothing the root file system leaves" {
	wanted
	put /etc/driverctl.d/pci-0000:41:00.0 nvidia
	assert_listed 'sign /etc/driverctl.d/pci-0000:41:00.0'
	assert_not_listed 'sign /usr/lib/nvidia/sriov-manage'
	put /usr/lib/nvidia/sriov-manage '#!/bin/bash'
	assert_listed 'sign /usr/lib/nvidia/sriov-manage'
	rm "$D/usr/lib/nvidia/sriov-manage"
	put /lib/modules/6.1.0-test/modules.dep 'updates/dkms/nvidia-vgpu-vfio.ko.xz: updates/dkms/nvidia.ko.xz'
	assert_listed 'sign /usr/lib/nvidia/sriov-manage'
}

@test "VFIO drivers by their aliases, whatever they are called" {
	wanted
	printf 'alias vfio_pci:v000010DEd0000%ssv*sd*bc*sc*i* any_name\n' 2342 2345 >>"$M/modules.alias"
	run -0 sh "$LIST" "$M" "$D"
	[ "$(grep -c '^module any_name$' <<<"$output")" = 1 ]
	# A kernel without modules, or before 5.16.
	rm "$M/modules.alias"
	assert_listed 'module vfio_pci'
}

@test "mkinitcpio's hook" {
	wanted
	ln -s /dev/null "$D/etc/nvfio.conf.d/vendor.conf"
	put /etc/driverctl.d/pci-0000:41:00.0 nvidia
	local log=$BATS_TEST_TMPDIR/log BUILDROOT=$BATS_TEST_TMPDIR/image hook=$BATS_TEST_TMPDIR/hook
	# Its list is that of the fake root.
	# shellcheck disable=SC2016 # for the hook
	sed 's|[^(]*/initramfs-files --always "[^"]*"|sh "$LIST" --always "$M" "$D"|; s|-f $what|-f $D$what|; s|readlink -m "|&$D|' \
		"$HOOKS/mkinitcpio/install" >"$hook"
	add_binary() { echo "binary $*" >>"$log"; }
	add_file() { echo "file $*" >>"$log"; }
	add_symlink() { echo "link $*" >>"$log"; }
	add_module() { echo "module $*" >>"$log"; }
	add_dir() { mkdir -p "$BUILDROOT$1"; }
	add_runscript() { echo runscript >>"$log"; }
	# shellcheck source=/dev/null
	source "$hook"
	build
	diff - "$log" <<-END
		binary /usr/lib/udev/nvfio-udev
		binary /usr/lib/libkmod.so.2
		file /usr/lib/udev/nvfio-no-modalias
		file /usr/lib/udev/rules.d/70-nvfio.rules
		file /usr/lib/udev/rules.d/90-nvfio-nodes.rules
		file /usr/lib/nvfio/nvfio.conf
		file /etc/nvfio.conf.d/boot.conf
		link /etc/nvfio.conf.d/vendor.conf /dev/null
		module vfio?
		module vfio_iommu_type1?
		module vfio_pci?
		file /usr/lib/nvfio/native-drivers
		runscript
	END
	[ -e "$BUILDROOT/etc/driverctl.d/pci-0000:41:00.0" ]
	[ -e "$BUILDROOT/usr/lib/nvfio/in-initramfs" ]
	[ "$(<"$BUILDROOT/etc/modprobe.d/nvfio-native.conf")" = 'blacklist nouveau' ]

	# With systemd nobody would end it.
	rm -r "$BUILDROOT" "$log"
	mkdir -p "$BUILDROOT/usr/lib/systemd"
	: >"$BUILDROOT/usr/lib/systemd/systemd"
	build
	[ ! -e "$BUILDROOT/etc/modprobe.d" ]
	run ! grep -x runscript "$log"
}

# native TREE: the script, with stand-ins for its programs and paths in TREE; what they were told goes to TREE/log.
native() {
	# shellcheck disable=SC2016 # for sh
	sed "s|/etc/modprobe.d|$1&|; s|/sys/bus|$1&|" "$REPO/packaging/native-drivers" >"$1/script"
	mkdir -p "$1/bin"
	# shellcheck disable=SC2016 # for sh
	printf '#!/bin/sh\necho "${0##*/} $*" >>"%s/log"\n' "$1" | tee "$1/bin/udevadm" >"$1/bin/modprobe"
	chmod +x "$1"/bin/*
	PATH=$1/bin /bin/sh "$1/script"
}

# function_at BDF VENDOR CLASS [DRIVER]
function_at() {
	put "/sys/bus/pci/devices/$1/vendor" "$2"
	put "/sys/bus/pci/devices/$1/class" "$3"
	put "/sys/bus/pci/devices/$1/modalias" "pci:$1"
	[ -z "${4-}" ] || put "/sys/bus/pci/devices/$1/driver"
}

@test "native drivers are let in once, after the coldplug, for GPUs without driver" {
	function_at 0000:01:00.0 0x10de 0x030200
	function_at 0000:01:00.1 0x10de 0x040300
	function_at 0000:02:00.0 0x10de 0x030000 vfio-pci
	function_at 0000:03:00.0 0x1002 0x030000
	native "$D"
	[ ! -e "$D/log" ]
	put /etc/modprobe.d/nvfio-native.conf 'blacklist nouveau'
	native "$D"
	diff - "$D/log" <<-END
		udevadm settle
		udevadm control --reload
		modprobe -qb pci:0000:01:00.0
		udevadm settle
	END
	[ ! -s "$D/etc/modprobe.d/nvfio-native.conf" ]
	native "$D"
	[ "$(wc -l <"$D/log")" = 4 ]
}

@test "mkinitcpio's runtime hook: MODULES, which it kept back, too, are loaded after that" {
	local log=$BATS_TEST_TMPDIR/log MODULES='nvidia nvidia_drm'
	sed "s|^\t/.*/native-drivers|\techo native-drivers >>$log|" "$REPO/build/packaging/mkinitcpio/hook" >"$BATS_TEST_TMPDIR/hook"
	modprobe() { echo "modprobe $*" >>"$log"; }
	# shellcheck source=/dev/null
	source "$BATS_TEST_TMPDIR/hook"
	run_hook
	MODULES=
	run_hook
	diff - "$log" <<-END
		native-drivers
		modprobe -qab nvidia nvidia_drm
		native-drivers
	END
}
