#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Images that initramfs-tools and dracut build for the bench's kernel, with nvfio installed and without. What nvfio adds to
# one is compared with a list; with boot = native it adds nothing.
# shellcheck disable=SC2154 # bats sets output, fake_ko is given CC

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CC=${CC:-cc}
load ../bats/lib/tree.bash

VARIANT=nvfio_no_list_has_this
MODULES=(kernel/drivers/vfio/pci/vfio-pci-core.ko kernel/drivers/vfio/pci/vfio-pci.ko kernel/drivers/vfio/vfio.ko
	 kernel/drivers/vfio/vfio_iommu_type1.ko kernel/drivers/vfio/vfio_virqfd.ko kernel/virt/lib/irqbypass.ko
	 "extra/$VARIANT.ko")

# The images without nvfio, for all tests of the file.
setup_file() {
	export KERNEL=$REPO/build/vm/kernel VERSION
	VERSION=$("$REPO/tests/vm/fetch-kernel")
	new_root "$BATS_FILE_TMPDIR/none"
	local tool
	for tool in initramfs-tools dracut; do
		build "$BATS_FILE_TMPDIR/none" $tool "$BATS_FILE_TMPDIR/$tool"
	done
}

setup() {
	D=$BATS_TEST_TMPDIR/root
	IMAGE=$BATS_TEST_TMPDIR/image
	new_root "$D"
	make -s -C "$REPO" DESTDIR="$D" install >/dev/null
	mkdir "$D/etc/nvfio.conf.d"
}

new_root() {
	mkdir -p "$1"/{etc,usr,modules}
	fake_ko "$1/modules/$VARIANT.ko" 'vfio_pci:v000010DEd0000ABCDsv*sd*bc*sc*i*'
}

# build ROOT TOOL IMAGE [MODULE]: unpacked into IMAGE.d
build() {
	"$REPO/tests/packages/build-image" "$1" "$KERNEL" "$VERSION" "$2" "$3" "${@:4}" >"$3.log" 2>&1 || { cat "$3.log" >&2; return 1; }
	mkdir "$3.d"
	(cd "$3.d" && zcat "$3" | cpio --quiet -id --no-absolute-filenames)
}

# assert_added TOOL LINE...: the image has what the one without nvfio has, and these. Directories do not count, nor what
# depmod made there. libkmod is udev's, too; libinih comes with the helper, with the links that the tool likes.
assert_added() {
	local tool=$1
	shift
	diff <(printf '+%s\n' "$@" | LC_ALL=C sort) <(diff <(contents "$BATS_FILE_TMPDIR/$tool") <(contents "$IMAGE") |
		sed -n 's|^> \./|+|p; s|^< \./|-|p' | sed 's|\(/libinih\)\.so.*|\1|; s| $||' | LC_ALL=C sort -u)
}

contents() {
	(cd "$1.d" && find . \( -type f -o -type l \) ! -name 'modules.*' -printf '%p %l\n' | LC_ALL=C sort)
}

ours() {
	# shellcheck disable=SC2086 # a word, or none
	printf '%s\n' usr/lib/udev/nvfio-{udev,no-modalias} usr/lib/udev/rules.d/70-nvfio.rules usr/lib/udev/rules.d/90-nvfio-nodes.rules \
		usr/lib/nvfio/in-initramfs usr/lib/nvfio/native-drivers etc/modprobe.d/nvfio-native.conf \
		${CONF-usr/lib/nvfio/nvfio.conf} usr/lib/x86_64-linux-gnu/libinih "${MODULES[@]/#/usr/lib/modules/$VERSION/}"
}

# hooks TOOL: what calls native-drivers.
hooks() {
	case $1 in
	initramfs-tools) echo scripts/init-top/nvfio ;;
	dracut) printf 'usr/lib/dracut/hooks/%s/01-native-drivers.sh\n' initqueue/settled pre-mount ;;
	esac
}

put() {
	mkdir -p "$D${1%/*}"
	printf '%s\n' "${@:2}" >"$D$1"
}

each_tool() {
	local tool
	for tool in initramfs-tools dracut; do
		rm -rf "$IMAGE" "$IMAGE.d"
		"$@" "$tool"
	done
}

adds_nothing() {
	build "$D" "$1" "$IMAGE"
	diff -r --no-dereference "$BATS_FILE_TMPDIR/$1.d" "$IMAGE.d"
}

@test "boot = native: an image is what it was" {
	each_tool adds_nothing
}

@test "boot = vfio, and 70-nvfio.rules masked: an image is what it was" {
	put /etc/nvfio.conf.d/boot.conf '[policy]' 'boot = vfio'
	put /etc/udev/rules.d/.keep
	ln -s /dev/null "$D/etc/udev/rules.d/70-nvfio.rules"
	build "$D" dracut "$IMAGE"
	diff -r --no-dereference "$BATS_FILE_TMPDIR/dracut.d" "$IMAGE.d"
}

adds_ours() {
	build "$D" "$1" "$IMAGE"
	mapfile -t lines < <(ours)
	mapfile -t -O ${#lines[@]} lines < <(hooks "$1")
	assert_added "$1" "${lines[@]}" etc/nvfio.conf.d/boot.conf
	# With all it is linked to, and what it loads.
	chroot "$IMAGE.d" /usr/lib/udev/nvfio-udev --version
	find "$IMAGE.d"/ -name libkmod.so.2 -exec test -e {} ';' -print | grep -q .
	cmp "$D/usr/lib/udev/nvfio-udev" "$IMAGE.d/usr/lib/udev/nvfio-udev"
	# By alias, in the index of the image.
	grep -q "^alias vfio_pci:v000010DEd0000ABCDsv\*sd\*bc\*sc\*i\* $VARIANT$" "$IMAGE.d/usr/lib/modules/$VERSION/modules.alias"
}

@test "boot = vfio: helper, rules, configuration, vfio and its variant drivers, and nothing else" {
	put /etc/nvfio.conf.d/boot.conf '[policy]' 'boot = vfio'
	each_tool adds_ours
}

adds_words() {
	build "$D" "$1" "$IMAGE"
	mapfile -t lines < <(ours)
	# initramfs-tools copies an administrator's rules by itself, to another place.
	[[ $1 != initramfs-tools ]] || lines+=(usr/lib/udev/rules.d/60-gpu.rules)
	mapfile -t -O ${#lines[@]} lines < <(hooks "$1")
	assert_added "$1" "${lines[@]}" etc/udev/rules.d/60-gpu.rules etc/nvfio.conf "etc/nvfio.conf.d/mask.conf /dev/null" \
		etc/driverctl.d/pci-0000:41:00.0 usr/lib/nvidia/sriov-manage
}

@test "an administrator's files, masks, and the signs of other managers" {
	put /etc/nvfio.conf '[policy]' 'boot = vfio'
	rm "$D/usr/lib/nvfio/nvfio.conf"
	ln -s /dev/null "$D/etc/nvfio.conf.d/mask.conf"
	put /etc/udev/rules.d/60-gpu.rules 'SUBSYSTEM=="pci", KERNEL=="0000:42:00.0", ENV{NVFIO}="native"'
	put /etc/driverctl.d/pci-0000:41:00.0 nvidia
	put /usr/lib/nvidia/sriov-manage '#!/bin/bash'
	CONF=
	each_tool adds_words
}

has_mistake() {
	build "$D" "$1" "$IMAGE"
	[ -L "$IMAGE.d/etc/nvfio.conf" ]
	[ -e "$IMAGE.d/usr/lib/udev/nvfio-udev" ]
}

@test "a link to nowhere is no reason to have no image, and is as wrong in there" {
	ln -s nowhere "$D/etc/nvfio.conf"
	put /etc/nvfio.conf.d/boot.conf '[policy]' 'boot = vfio'
	each_tool has_mistake
}

@test "dracut --add nvfio: also with boot = native" {
	build "$D" dracut "$IMAGE" nvfio
	mapfile -t lines < <(ours; hooks dracut)
	assert_added dracut "${lines[@]}"
}
