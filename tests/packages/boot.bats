#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A Debian system in the VM, from installation to purge: systemd, apt, images of initramfs-tools and dracut, and cards that
# are there from power-on. What the guest reports (boot/guest) is compared here; boot/boot says what machine it is.
# In the images, before udevd starts, a module gives the emulated functions their ids. nouveau is Debian's: it matches all
# three GPUs, probes and finds no chipset it knows. nvidia is the bench's stand-in: it has what it probes.

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
W=$REPO/build/boot
HERE=$BATS_TEST_DIRNAME/boot
VGA=0000:00:01.0 GPU=0000:01:00.0 AUDIO=0000:01:00.1 USB=0000:01:00.2 OTHER=0000:02:00.0 DISK=0000:02:00.1

# The packages of HEAD, the same with a newer version, roots and images. The base is kept from run to run.
setup_file() {
	local version kernel
	rm -rf "$W"/{deb,upgrade,source,run,logs} && mkdir -p "$W/source" "$W/logs"
	version=$(git -C "$REPO" show HEAD:VERSION)
	kernel=$("$REPO/tests/vm/build")
	"$REPO/packaging/dist" "$W/source/nvfio.tar.gz"
	tar -xzf "$W/source/nvfio.tar.gz" -C "$W/source"
	(cd "$W/source/nvfio-$version/packaging/debian" && {
		printf 'nvfio (%s-0upstream9) unstable; urgency=medium\n\n  * Newer.\n\n' "$version"
		printf ' -- nvfio maintainers <maintainers@nvfio.invalid>  Sun, 22 Nov 2026 09:00:00 +0000\n\n'
		cat changelog
	} >new && mv new changelog)
	tar -czf "$W/source/newer.tar.gz" -C "$W/source" "nvfio-$version"
	step base "$HERE/build-base" "$W/base" "$kernel"
	export DEB_BUILD_OPTIONS=nocheck
	step deb "$REPO/packaging/build-deb" "$W/source/nvfio.tar.gz" "$W/deb"
	step upgrade "$REPO/packaging/build-deb" "$W/source/newer.tar.gz" "$W/upgrade"
	step roots "$HERE/build-roots" "$W/run" "$W/base" "$kernel" "$REPO/build/vm" "$W/deb" "$W/upgrade"
}

# step NAME COMMAND...: with its output in a log.
step() {
	"${@:2}" >"$W/logs/$1" 2>&1 || { tail -n 40 "$W/logs/$1" >&2; return 1; }
}

# booted NAME IMAGE DISK keep|forget WORD...: what the guest reports goes to $report; it boots once.
booted() {
	report=$W/logs/$1.report
	[[ ! -e $report ]] || return 0
	"$HERE/boot" "$REPO/build/vm/kernel/vmlinuz" "$W/run/$2" "$W/run/$3" "$W/logs/$1" "${@:4}" >"$W/logs/$1.out" || {
		cat "$W/logs/$1.out"
		rm -f "$report"
		return 1
	}
	cp "$W/logs/$1.out" "$report"
}

native() { booted native native disk-native forget bench=facts; }
vfio() {
	[[ -e $W/run/disk-used ]] || cp --sparse=always "$W/run/disk-vfio" "$W/run/disk-used"
	booted vfio vfio disk-used keep bench=all
}
off() { booted off vfio disk-vfio forget bench=facts nvfio=off; }
dracut() { booted dracut dracut disk-dracut forget bench=facts; }
purged() {
	vfio
	debugfs -R "dump /boot/initrd.img-$("$REPO/tests/vm/fetch-kernel") $W/run/purged" "$W/run/disk-used" 2>"$W/logs/debugfs"
	booted purged purged disk-used forget bench=facts
}

# assert_are PREFIX LINE...: these lines of the report begin with that, in any order, and no others.
assert_are() {
	diff <(printf '%s\n' "${@:2}" | sort) <(sed -n "s/^$1 //p" "$report" | sort)
}

# assert_has LINE...
assert_has() {
	local line
	for line; do
		grep -qxF -- "$line" "$report" || { echo "# no: $line"; cat "$report"; return 1; }
	done
}

# assert_like PATTERN...: lines that begin with it.
assert_like() {
	local pattern
	for pattern; do
		grep -q -- "^$pattern" "$report" || { echo "# nothing like: $pattern"; cat "$report"; return 1; }
	done
}

assert_none() {
	! grep -- "^$1" "$report"
}

# unpacked IMAGE: its content as a directory.
unpacked() {
	[[ -e $W/run/$1.d ]] || unmkinitramfs "$W/run/$1" "$W/run/$1.d"
	echo "$W/run/$1.d"
}

assert_native_boot() {
	[[ ${1-} == off ]] || assert_are early nouveau nvidia
	assert_are image "$VGA nvidia" "$GPU nvidia" "$AUDIO none" "$USB none" "$OTHER nvidia" "$DISK nvme" 'probes 3'
	assert_are 'nouveau probed' "$VGA" "$GPU" "$OTHER"
	assert_console
}

assert_console() {
	assert_has 'console boot_vga 1' 'console (S) VGA+ bound 1' 'console tty0'
	assert_none failed
}

# Who has what before switch-root, and from then on; native drivers came after all were judged, to the boot VGA only.
assert_vfio_boot() {
	assert_none early
	assert_are image "$VGA nvidia" "$GPU vfio-pci" "$AUDIO vfio-pci" "$USB vfio-pci" "$OTHER vfio-pci" "$DISK nvme" 'probes 1'
	assert_vfio root "$VGA nvidia left boot-vga" "$DISK nvme refused critical"
	assert_are 'nouveau probed' "$VGA"
	assert_console
}

# assert_vfio WHEN LINE...: both cards on VFIO, and what is said of the rest.
assert_vfio() {
	local bdf lines=("${@:2}")
	for bdf in "$GPU" "$AUDIO" "$USB" "$OTHER"; do
		lines+=("$bdf vfio-pci bound bound")
	done
	assert_are "$1" "${lines[@]}" 'probes 1'
}

# assert_recorded_once BDF: in the image, and not again after it.
assert_recorded_once() {
	[ "$(grep -c "^record image .* $1: bound to vfio-pci, was on no driver" "$report")" = 1 ]
	[ "$(grep -c "^record .* $1: " "$report")" = 1 ]
}

@test "installed: the image is what it was, the native driver has the cards, and nvfio says what would change that" {
	diff -r --no-dereference "$(unpacked before)" "$(unpacked native)"
	native
	assert_native_boot
	assert_are root "$VGA nvidia left boot-vga" "$GPU nvidia left boot" "$AUDIO snd_hda_intel left function0" \
		"$USB xhci_hcd left function0" "$OTHER nvidia left boot" "$DISK nvme" 'probes 3'
	assert_none 'record image'
	assert_like "list $GPU nvidia left boot .*boot = vfio would take it"
}

@test "boot = vfio, nvfio=off on the kernel command line: the native driver has the cards" {
	off
	assert_native_boot off
	assert_are root "$VGA nvidia left off" "$GPU nvidia left off" "$AUDIO snd_hda_intel left off" \
		"$USB xhci_hcd left off" "$OTHER nvidia left off" "$DISK nvme" 'probes 3'
}

@test "boot = vfio: on VFIO before switch-root, and no native driver has seen them; the console stays" {
	vfio
	assert_vfio_boot
}

@test "boot = vfio: the image's records are in the journal, by kmsg, and nvfio list says why" {
	local bdf
	vfio
	for bdf in $GPU $AUDIO $USB $OTHER; do
		assert_recorded_once "$bdf"
		assert_like "record image kernel $bdf: bound to vfio-pci, was on no driver (no driver is bound)" \
			"list $bdf vfio-pci bound bound .*bound to vfio-pci, was on no driver"
	done
	assert_like "list $VGA nvidia left boot-vga .*it is the boot VGA device"
}

@test "boot = vfio: for functions on VFIO the coldplug after switch-root starts no program" {
	vfio
	assert_are 'started root' "event $VGA" "event $DISK"
}

@test "the disk with the root file system, which a GPU names as sibling, is taken neither in the image nor after it" {
	vfio
	assert_like "record image kernel $DISK: refused: .*the root file system is not mounted yet" \
		"record root journal $DISK: refused: .*file system / on /dev/nvme0n1"
}

@test "the same with dracut" {
	local bdf
	dracut
	assert_vfio_boot
	for bdf in $GPU $AUDIO $USB $OTHER; do
		assert_recorded_once "$bdf"
		assert_like "list $bdf vfio-pci bound bound .*bound to vfio-pci, was on no driver"
	done
	assert_like "record image journal $DISK: refused: .*the root file system is not mounted yet" \
		"record root journal $DISK: refused: .*file system / on /dev/nvme0n1"
}

@test "upgraded while a process has the card: nobody is asked, nothing moves, and the process goes on" {
	vfio
	assert_like 'upgrade dpkg 0 .*-0upstream9$'
	assert_none 'started upgrade'
	assert_vfio upgraded "$VGA nvidia left boot-vga" "$DISK nvme refused critical"
	assert_has 'upgrade: the client goes on' 'upgrade: the client ended with 0'
}

@test "configured native, and udevadm trigger: the cards stay, and nvfio explains it" {
	vfio
	assert_vfio reconfigured "$VGA nvidia left configured" "$DISK nvme left not-nvidia"
	assert_has 'explain   state: bound (bound)' \
		'explain   verdict, if a trigger event came now: leave (native-but-bound)' \
		"explain     left: configured native, but nvfio put it on VFIO before; \`nvfio unbind\` gives it back"
}

# udev's tag goes with /run.
@test "purged: the cards stay where they are, and no file is left" {
	vfio
	assert_has 'purge dpkg 0'
	assert_vfio purged "$VGA nvidia left configured" "$DISK nvme left not-nvidia"
	assert_are 'purge left' /run/udev/tags/nvfio
}

@test "purged and booted again: image and machine are as before the installation" {
	purged
	diff -r --no-dereference "$(unpacked before)" "$(unpacked purged)"
	assert_native_boot
	assert_are root "$VGA nvidia" "$GPU nvidia" "$AUDIO snd_hda_intel" "$USB xhci_hcd" "$OTHER nvidia" "$DISK nvme" 'probes 3'
	assert_none record
	assert_none left
}
