#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The packages of three distributions, built once from HEAD: what is in them, and that two builds are one. What their
# scripts do is in scripts.bats.

bats_require_minimum_version 1.5.0

load lib/packages

setup_file() {
	build_packages
}

# check-packages says nothing about what is not committed: see dist.
@test "the tarball is HEAD's, and the same from another clone, umask and user's settings" {
	local version other=$BATS_TEST_TMPDIR/other
	version=$(git -C "$REPO" show HEAD:VERSION)
	git clone -q "$REPO" "$other"
	git -C "$other" config core.autocrlf true
	git -C "$other" config tar.umask 0077
	(umask 077 && TZ=Asia/Tokyo "$other/packaging/dist" "$BATS_TEST_TMPDIR/again.tar.gz")
	cmp "$PACKAGES/nvfio-$version.tar.gz" "$BATS_TEST_TMPDIR/again.tar.gz"
	[ "$(tar -xzOf "$PACKAGES/nvfio-$version.tar.gz" "nvfio-$version/VERSION")" = "$version" ]
	[ "$("$PACKAGES/tree-deb/usr/bin/nvfio" --version | grep -oE '[0-9]+(\.[0-9]+)+')" = "$version" ]
	[ "$(rpm -qp --qf '%{VERSION}' "$PACKAGES"/rpm/SRPMS/*.rpm)" = "$version" ]
	grep -qx "pkgver = $version-1" "$PACKAGES/tree-arch/.PKGINFO"
}

@test "deb: a changelog that speaks of another version is refused" {
	local root=$BATS_TEST_TMPDIR/nvfio-9.9
	mkdir "$root" && cp -r "$REPO/packaging" "$root" && echo 9.9 >"$root/VERSION"
	tar -czf "$BATS_TEST_TMPDIR/nvfio-9.9.tar.gz" -C "$BATS_TEST_TMPDIR" nvfio-9.9
	run -1 "$REPO/packaging/build-deb" "$BATS_TEST_TMPDIR/nvfio-9.9.tar.gz" "$BATS_TEST_TMPDIR/deb"
	[[ $output == *"VERSION is 9.9"* ]]
}

# built_again KIND: into $again, in another place, umask, time zone and language.
built_again() {
	again=$BATS_TEST_TMPDIR/a/longer/path
	mkdir -p "$again"
	(umask 077 && TZ=Asia/Tokyo LC_ALL=C "$REPO/packaging/build-$1" "$PACKAGES"/nvfio-*.tar.gz "$again") \
		>"$BATS_TEST_TMPDIR/log" 2>&1 || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}

@test "deb: built again elsewhere, they are the same" {
	local file
	built_again deb
	for file in "$PACKAGES"/deb/*.deb "$PACKAGES"/deb/*.tar.* "$PACKAGES"/deb/*.dsc; do
		cmp "$file" "$again/${file##*/}"
	done
}

@test "rpm: built again elsewhere, they are the same" {
	local file
	built_again rpm
	for file in "$PACKAGES"/rpm/RPMS/*/*.rpm; do
		cmp "$file" "$again/${file#"$PACKAGES/rpm/"}"
	done
	# The source package's header has the spec as it was expanded, with the directory in it.
	cmp <(rpm2cpio "$PACKAGES"/rpm/SRPMS/*.rpm) <(rpm2cpio "$again"/SRPMS/*.rpm)
}

# .BUILDINFO says where it was built, and .MTREE has the checksum of that.
@test "arch: built again elsewhere, they are the same but for where" {
	built_again arch
	mkdir "$BATS_TEST_TMPDIR/tree"
	tar -xf "$again"/*.pkg.tar.zst -C "$BATS_TEST_TMPDIR/tree"
	diff -r --exclude .BUILDINFO --exclude .MTREE "$PACKAGES/tree-arch" "$BATS_TEST_TMPDIR/tree"
	# With modes and times.
	diff <(zcat "$PACKAGES/tree-arch/.MTREE" | grep -v '^./.BUILDINFO ') <(zcat "$BATS_TEST_TMPDIR/tree/.MTREE" | grep -v '^./.BUILDINFO ')
	run -1 diff --changed-group-format=%\< --unchanged-group-format= "$PACKAGES/tree-arch/.BUILDINFO" "$BATS_TEST_TMPDIR/tree/.BUILDINFO"
	[ "$(cut -d ' ' -f 1 <<<"$output" | tr '\n' ' ')" = "builddir startdir " ]
}

@test "deb: lintian has neither error nor warning" {
	run -0 lintian --allow-root --fail-on=error,warning "$PACKAGES"/deb/*.changes
}

@test "rpm: rpmlint has neither error nor warning" {
	run -0 rpmlint --config "$REPO/packaging/rpm/rpmlint.toml" "$PACKAGES"/rpm/SPECS/nvfio.spec "$PACKAGES"/rpm/SRPMS/*.rpm "$PACKAGES"/rpm/RPMS/*/*.rpm
	[[ $output == *" 0 errors, 0 warnings, "* ]]
}

@test "what an event needs is a package that needs libc, libkmod and libinih" {
	[ "$(dpkg-deb -f "$PACKAGES"/deb/nvfio_*.deb Depends | tr ',' '\n' | sed 's/^ *\([^ ]*\).*/\1/' | sort | tr '\n' ' ')" = "libc6 libinih1 libkmod2 " ]
	run -0 rpm -qp --requires "$PACKAGES"/rpm/RPMS/*/nvfio-[0-9]*.rpm
	[[ $output == *libkmod.so* && $output != *libudev* && $output != *libsmartcols* ]]
}

@test "deb: no file in /etc, no conffile, and one trigger: images are built again" {
	local deb
	for deb in "$PACKAGES"/deb/nvfio_*.deb "$PACKAGES"/deb/nvfio-tools_*.deb; do
		run -0 dpkg-deb -c "$deb"
		[[ $output != *" ./etc"* ]]
		run -0 tar -tf <(dpkg-deb --ctrl-tarfile "$deb")
		[[ $output != *conffiles* ]]
	done
	[[ $output != *triggers* ]]
	run -0 tar -xOf <(dpkg-deb --ctrl-tarfile "$PACKAGES"/deb/nvfio_*.deb) ./triggers
	[ "$(grep -v '^#' <<<"$output")" = 'activate-noawait update-initramfs' ]
}

@test "all of them install what make install does, with the same modes" {
	local kind
	make -s -C "$REPO" BUILD="$BATS_TEST_TMPDIR/build" DESTDIR="$BATS_TEST_TMPDIR/tree" install >/dev/null
	installed "$BATS_TEST_TMPDIR/tree" >"$BATS_TEST_TMPDIR/make"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/make")" -gt 10 ]
	for kind in deb rpm arch; do
		installed "$PACKAGES/tree-$kind" >"$BATS_TEST_TMPDIR/$kind"
		diff -u "$BATS_TEST_TMPDIR/make" "$BATS_TEST_TMPDIR/$kind"
	done
}
