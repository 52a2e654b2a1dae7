#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What make needs of a system: libraries and their headers, and nothing that finds them. On musl: make check-musl.
# shellcheck disable=SC2016 # the shell in the root expands them

bats_require_minimum_version 1.5.0

load lib/packages

setup_file() {
	build_packages
}

@test "make needs no pkg-config, no .pc file, and no header or library of systemd" {
	in_root 'rm -rf /usr/lib/*/pkgconfig /usr/lib/pkgconfig /usr/share/pkgconfig /usr/bin/pkg-config /usr/bin/pkgconf
		rm -rf /usr/include/systemd /usr/lib/*/libsystemd.so
		tar -xf /packages/nvfio-*.tar.gz -C /
		make -s -C /nvfio-* WERROR=1 DESTDIR=/tree install
		/tree/usr/bin/nvfio --version
		/tree/usr/lib/udev/nvfio-udev --version'
}

@test "the helper needs libkmod and libinih, and nothing of the command" {
	in_root 'rm -rf /usr/include/libudev.h /usr/include/libsmartcols /usr/include/archive*.h
		rm -f /usr/lib/*/libudev.so /usr/lib/*/libsmartcols.so /usr/lib/*/libarchive.so
		tar -xf /packages/nvfio-*.tar.gz -C /
		cd /nvfio-*
		make -s WERROR=1 build/nvfio-udev build/70-nvfio.rules build/90-nvfio-nodes.rules
		build/nvfio-udev --version'
}
