#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installed, upgraded, removed and purged: what the scripts of the packages tell udev, and what they leave.
# shellcheck disable=SC2016 # the shell in the root expands them

bats_require_minimum_version 1.5.0

load lib/packages

setup_file() {
	build_packages
}

@test "deb: installed where there is neither udevd nor a kernel, as in a chroot or a container" {
	in_root 'rm -rf /lib/modules/* /boot/*
		dpkg -i /packages/deb/nvfio_*.deb /packages/deb/nvfio-tools_*.deb
		nvfio --version
		/usr/lib/udev/nvfio-udev --version
		nvfio check >/check || test $? = 5
		grep "^problem  udev: " /check
		grep "^problem  functions: no PCI functions" /check
		told ""
		test ! -e /run/nvfio
		test ! -e /etc/nvfio.conf.d
		dpkg --purge nvfio-tools nvfio
		told ""'
}

@test "deb: install, upgrade, remove and purge ask udevd to read its rules, and for no event" {
	in_root 'udevd_runs
		dpkg -i /packages/deb/nvfio_*.deb
		told "control --reload"
		dpkg-deb -R /packages/deb/nvfio_*.deb /next
		sed -i "s/^Version: .*/&.1/" /next/DEBIAN/control
		dpkg-deb -b /next /next.deb
		dpkg -i /next.deb
		told "control --reload"
		dpkg --remove nvfio
		told "control --reload"
		dpkg --purge nvfio
		told ""'
}

# With a stand-in for initramfs-tools and dracut: both are interested in this.
@test "deb: with each install, upgrade and removal images are built again, once, after the package is configured" {
	in_root 'mkdir -p /images/DEBIAN
		printf "%s\n" "Package: images" "Version: 1" "Architecture: all" "Maintainer: none <none@localhost>" \
			"Provides: linux-initramfs-tool" "Description: test" >/images/DEBIAN/control
		echo "interest update-initramfs" >/images/DEBIAN/triggers
		printf "%s\n" "#!/bin/sh" "[ \"\$1\" != triggered ] || dpkg-query -W -f \"\\\${Status}\\n\" nvfio >>/images.log" \
			>/images/DEBIAN/postinst
		chmod 755 /images/DEBIAN/postinst
		dpkg-deb -b /images /images.deb
		dpkg -i /images.deb
		built() {
			[ "$(cat /images.log)" = "$1" ]
			rm /images.log
		}
		dpkg -i /packages/deb/nvfio_*.deb /packages/deb/nvfio-tools_*.deb
		built "install ok installed"
		dpkg -i /packages/deb/nvfio_*.deb
		built "install ok installed"
		dpkg --remove nvfio-tools nvfio
		built "deinstall ok config-files"
		dpkg --purge nvfio
		test ! -e /images.log'
}

@test "deb: a udevd that does not answer fails no installation" {
	in_root 'udevd_runs
		printf "#!/bin/sh\nexit 1\n" >/usr/bin/udevadm
		dpkg -i /packages/deb/nvfio_*.deb
		dpkg --purge nvfio'
}

@test "deb: configuration and state stay with remove and go with purge, but for files of the administrator's naming" {
	in_root 'dpkg -i /packages/deb/nvfio_*.deb
		mkdir -p /etc/nvfio.conf.d /run/nvfio
		touch /etc/nvfio.conf.d/50-bind-0000:41:00.0.conf /etc/nvfio.conf.d/.50-bind-0000:41:00.0.conf.new
		touch /etc/nvfio.conf.d/host-gpu.conf /run/nvfio/0000:41:00.0
		cp /usr/lib/nvfio/nvfio.conf /etc
		dpkg --remove nvfio
		test -e /etc/nvfio.conf
		test -e /run/nvfio/0000:41:00.0
		test -e /etc/nvfio.conf.d/50-bind-0000:41:00.0.conf
		test ! -e /usr/lib/nvfio
		dpkg --purge nvfio
		test ! -e /etc/nvfio.conf
		test ! -e /run/nvfio
		test "$(ls -A /etc/nvfio.conf.d)" = host-gpu.conf

		rm /etc/nvfio.conf.d/host-gpu.conf
		dpkg -i /packages/deb/nvfio_*.deb
		dpkg --purge nvfio
		test ! -e /etc/nvfio.conf.d'
}

@test "rpm: install, upgrade and removal ask udevd to read its rules, and for no event" {
	in_root 'rpm --initdb
		rpm -i --nodeps /packages/rpm/RPMS/*/nvfio-[0-9]*.rpm
		told ""
		udevd_runs
		rpm -U --force --nodeps /packages/rpm/RPMS/*/*.rpm
		told "control --reload"
		nvfio --version
		touch /etc/nvfio.conf
		rpm -e nvfio nvfio-tools
		told "control --reload"
		test ! -e /usr/lib/udev/rules.d/70-nvfio.rules
		test -e /etc/nvfio.conf'
}

# pacman's own hook asks for events after the transaction: until the next boot the rules say nothing to them.
@test "arch: a first installation masks the rules until the next boot, an upgrade does not" {
	in_root 'tar -xOf /packages/arch/*.pkg.tar.zst .INSTALL >/install
		. /install
		post_install
		test ! -e /run/udev
		udevd_runs
		post_install
		test "$(readlink /run/udev/rules.d/70-nvfio.rules)" = /dev/null
		test "$(type -t post_upgrade)" = ""
		post_remove
		test ! -e /run/udev/rules.d/70-nvfio.rules
		told ""'
}
