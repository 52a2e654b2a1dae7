#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make install puts exactly these files there, make uninstall takes exactly these away, and UDEVDIR moves helper and rules
# together.

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

setup() {
	D=$BATS_TEST_TMPDIR/root
	B=$BATS_TEST_TMPDIR/build
	mkdir "$D"
}

in_tree() {
	make -s -C "$REPO" BUILD="$B" DESTDIR="$D" "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}

files() {
	(cd "$D" && find . -type f -o -type l | sort | tr '\n' ' ')
}

@test "install and uninstall" {
	in_tree install
	[ "$(files)" = "./usr/bin/nvfio ./usr/lib/dracut/modules.d/90nvfio/module-setup.sh ./usr/lib/dracut/modules.d/90nvfio/native-drivers.sh ./usr/lib/initcpio/hooks/nvfio ./usr/lib/initcpio/install/nvfio ./usr/lib/nvfio/initramfs-files ./usr/lib/nvfio/native-drivers ./usr/lib/nvfio/nvfio.conf ./usr/lib/udev/nvfio-no-modalias ./usr/lib/udev/nvfio-udev ./usr/lib/udev/rules.d/70-nvfio.rules ./usr/lib/udev/rules.d/90-nvfio-nodes.rules ./usr/share/bash-completion/completions/nvfio ./usr/share/doc/nvfio/examples/80-gpu-vm.rules ./usr/share/doc/nvfio/examples/dedicated-host.conf ./usr/share/doc/nvfio/examples/gpu-vm@.service ./usr/share/doc/nvfio/examples/memlock-limits.conf ./usr/share/doc/nvfio/examples/memlock-service.conf ./usr/share/fish/vendor_completions.d/nvfio.fish ./usr/share/initramfs-tools/hooks/nvfio ./usr/share/initramfs-tools/scripts/init-top/nvfio ./usr/share/man/man5/nvfio.conf.5 ./usr/share/man/man7/nvfio.7 ./usr/share/man/man8/nvfio-udev.8 ./usr/share/man/man8/nvfio.8 ./usr/share/zsh/site-functions/_nvfio " ]
	[ "$(stat -c %a "$D/usr/lib/udev/nvfio-udev")" = 755 ]
	[ "$(stat -c %a "$D/usr/lib/nvfio/nvfio.conf")" = 644 ]
	[ "$(stat -c %a "$D/usr/bin/nvfio")" = 755 ]
	"$D/usr/lib/udev/nvfio-udev" --version
	"$D/usr/bin/nvfio" --version
	[ "$(stat -c %a "$D"/usr/lib/nvfio/initramfs-files "$D"/usr/share/initramfs-tools/hooks/nvfio | uniq)" = 755 ]
	: >"$D/usr/lib/udev/rules.d/60-other.rules"
	in_tree uninstall
	[ "$(files)" = "./usr/lib/udev/rules.d/60-other.rules " ]
	[ ! -e "$D/usr/lib/nvfio" ]
	[ ! -e "$D/usr/lib/dracut/modules.d/90nvfio" ]
	[ ! -e "$D/usr/share/doc/nvfio" ]
}

@test "UDEVDIR and PREFIX" {
	in_tree install PREFIX=/opt/nvfio UDEVDIR=/lib/udev
	[ -x "$D/lib/udev/nvfio-udev" ]
	[ -x "$D/opt/nvfio/bin/nvfio" ]
	grep -q 'IMPORT{program}="/lib/udev/nvfio-udev event ' "$D/lib/udev/rules.d/70-nvfio.rules"
	grep -q 'IMPORT{file}="/lib/udev/nvfio-no-modalias"' "$D/lib/udev/rules.d/70-nvfio.rules"
	[ -e "$D/lib/udev/nvfio-no-modalias" ]
	grep -q 'IMPORT{program}="/lib/udev/nvfio-udev node ' "$D/lib/udev/rules.d/90-nvfio-nodes.rules"
	grep -q '(/opt/nvfio/lib/nvfio/initramfs-files ' "$D/opt/nvfio/share/initramfs-tools/hooks/nvfio"
	grep -q '"program /lib/udev/nvfio-udev"' "$D/opt/nvfio/lib/nvfio/initramfs-files"
	run ! grep -rqI '@[A-Z]*@' "$D"/lib "$D"/opt/nvfio/lib "$D"/opt/nvfio/share/initramfs-tools
	[ -e "$D/opt/nvfio/lib/nvfio/nvfio.conf" ]
}

@test "both programs are hardened: PIE, full RELRO, stack protector, FORTIFY, no executable stack" {
	local program
	in_tree all
	for program in nvfio nvfio-udev; do
		run -0 readelf -hldW --dyn-syms "$B/$program"
		[[ $output == *"DYN (Position-Independent Executable file)"* ]]
		[[ $output == *GNU_RELRO* && $output == *BIND_NOW* ]]
		[[ $output == *__stack_chk_fail* && $output == *_chk@* ]]
		grep -q 'GNU_STACK .* RW ' <<<"$output"
	done
	# Small enough for an initramfs: libc and libinih, nothing else, and 160 KiB of its own. libkmod is loaded at run time.
	[ "$(grep -c '(NEEDED)' <<<"$output")" = 2 ]
	run -0 size "$B/nvfio-udev"
	[ "$(awk 'NR == 2 { print $4 }' <<<"$output")" -lt 163840 ]
}
