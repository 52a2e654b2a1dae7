# SPDX-License-Identifier: GPL-2.0-or-later
#
# make dist               build/dist/nvfio-VERSION.tar.gz of the commit that is checked out
# make deb, rpm, arch     packages of that commit, in build/deb, build/rpm, build/arch
# make check-boot         installs the Debian package in a Debian root and boots that in the VM (tests/packages/boot.bats)
# make check-packages     builds all of them, and looks at what they are (docs/PACKAGING.md)

DIST := $(BUILD)/dist/nvfio-$(VERSION).tar.gz

.PHONY: dist deb rpm arch check-packages check-boot
dist:
	packaging/dist $(DIST)

deb rpm arch: dist
	packaging/build-$@ $(DIST) $(BUILD)/$@

# Not part of check: minutes, and the package tools of three distributions.
check-packages: check-musl
	bats tests/packages

check-boot:
	bats tests/packages/boot.bats
