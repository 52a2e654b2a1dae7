#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the packages, for the tests of this directory, and gives them a root to be installed in.

REPO=$(cd -- "${BASH_SOURCE[0]%/*}/../../.." && pwd)

# Into $PACKAGES, once a run: nvfio-VERSION.tar.gz, deb/, rpm/, arch/, and what each kind installs in tree-deb/, tree-rpm/
# and tree-arch/.
build_packages() {
	local kind version file
	export PACKAGES=$BATS_RUN_TMPDIR/packages
	[[ ! -e $PACKAGES/done ]] || return 0
	rm -rf "$PACKAGES"
	mkdir "$PACKAGES"
	version=$(git -C "$REPO" show HEAD:VERSION)
	"$REPO/packaging/dist" "$PACKAGES/nvfio-$version.tar.gz"
	for kind in deb rpm arch; do
		"$REPO/packaging/build-$kind" "$PACKAGES/nvfio-$version.tar.gz" "$PACKAGES/$kind" >"$PACKAGES/log" 2>&1 || {
			cat "$PACKAGES/log"
			return 1
		}
		mkdir "$PACKAGES/tree-$kind"
	done
	for file in "$PACKAGES"/deb/nvfio_*.deb "$PACKAGES"/deb/nvfio-tools_*.deb; do
		dpkg-deb -x "$file" "$PACKAGES/tree-deb"
	done
	for file in "$PACKAGES"/rpm/RPMS/*/*.rpm; do
		(cd "$PACKAGES/tree-rpm" && rpm2cpio "$file" | cpio -idm --quiet)
	done
	tar -xf "$PACKAGES"/arch/*.pkg.tar.zst -C "$PACKAGES/tree-arch"
	touch "$PACKAGES/done"
}

# installed DIR: mode and path of each file. Each distribution has its own documents beside ours, compresses man pages or
# not, and Debian has a directory of its own for the completions of zsh.
installed() {
	(cd "$1" && find . -mindepth 2 ! -type d -printf '%m %y %P\n') |
		sed -e 's|usr/share/zsh/vendor-completions/|usr/share/zsh/site-functions/|' -e 's|\(/man/.*\)\.gz$|\1|' \
			-e '/ usr\/lib\/\.build-id\//d' -e '/ usr\/share\/licenses\//d' |
		grep -vE ' usr/share/doc/([^/]*/)?[^/]*$' | sort -k 3
}

# in_root COMMAND...: with bash -e in a copy of this system's root that nobody sees, with $PACKAGES in it. /run is empty,
# there is no /sys, and `udevadm` writes its arguments to /udevadm.log. Without udevd: no /run/udev/control.
in_root() {
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount bash -euc '
		dir=$1 packages=$2
		shift 2
		mount -t tmpfs none "$dir"
		mkdir "$dir/upper" "$dir/work" "$dir/root"
		mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" none "$dir/root"
		mount -t tmpfs none "$dir/root/run"
		mount --rbind /dev "$dir/root/dev"
		mount --rbind /proc "$dir/root/proc"
		mkdir "$dir/root/packages"
		mount --bind "$packages" "$dir/root/packages"
		printf "#!/bin/sh\necho \"\$@\" >>/udevadm.log\n" >"$dir/root/usr/bin/.udevadm"
		chmod 755 "$dir/root/usr/bin/.udevadm"
		mv -f "$dir/root/usr/bin/.udevadm" "$dir/root/usr/bin/udevadm"
		exec chroot "$dir/root" env DEBIAN_FRONTEND=noninteractive bash -eux -c "$1"
	' bash "$(mktemp -d -p "$BATS_TEST_TMPDIR")" "$PACKAGES" "$FUNCTIONS
$1"
}

# What the commands of in_root may call.
# shellcheck disable=SC2016
FUNCTIONS='
udevd_runs() {
	mkdir -p /run/udev
	perl -MIO::Socket::UNIX -e "IO::Socket::UNIX->new(Local => q(/run/udev/control), Listen => 1) or die"
}
# told ARGUMENTS: all that udevadm was told since the last time.
told() {
	[ "$(cat /udevadm.log 2>/dev/null)" = "$1" ]
	rm -f /udevadm.log
}
'
