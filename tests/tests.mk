# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests, from the quick ones to the real kernel. Each part can be run alone: make check-unit, check-tree, ...

UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*-test.c))
SAN  := $(BUILD)/asan
ANALYZE_FLAGS := -std=gnu11 -D_GNU_SOURCE -DNVFIO_VERSION=\"$(VERSION)\"
# Trees are copied for each operation of a run; bats runs as many files' tests at once as there are CPUs.
BATS := TMPDIR=$(if $(wildcard /dev/shm),/dev/shm,/tmp) bats --jobs $(shell nproc)
SCRIPTS = .ci/run packaging/dist $(wildcard packaging/build-*) \
	$(shell grep -lrE --include='*' '^.!/(bin/bash|usr/bin/env bats)' tests --exclude-dir=out) \
	$(wildcard tests/bats/lib/*.bash tests/packages/lib/*.bash tests/vm/guest/*.bash tests/bench/*.bash) \
	$(wildcard packaging/debian/*.post* packaging/debian/tests/installed packaging/debian/tests/unit) \
	$(wildcard packaging/initramfs-files.in packaging/native-drivers tests/packages/boot/image packaging/initramfs-tools/*.in \
	packaging/dracut/*.in packaging/mkinitcpio/*.in)

.PHONY: check check-unit check-tree check-rules check-vm lint analyze
check: lint analyze check-unit check-tree check-rules fuzz-short check-vm

# Both compilers with every warning an error, the scripts, and the man pages (but for scdoc's own superfluous paragraphs).
lint:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/lint-gcc CC=gcc WERROR=1 all unit-programs
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/lint-clang CC=clang WERROR=1 all unit-programs
	shellcheck $(SCRIPTS) $(BUILD)/lint-gcc/completions/nvfio.bash
	zsh -n $(BUILD)/lint-gcc/completions/nvfio.zsh
	fish -n $(BUILD)/lint-gcc/completions/nvfio.fish
	! for page in man/*.scd; do scdoc <"$$page" | mandoc -Tlint -Wwarning || :; done | \
		grep -v 'WARNING: skipping paragraph macro: PP '

# Three analyzers; a finding is an error. gcc's leaks are off: it loses what a struct keeps, and ASan and valgrind look for
# them. clang-tidy takes a file at a time: with several, version 14 finds va_lists that were not begun. Its checks, and why
# some are off, are in .clang-tidy.
analyze:
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) BUILD=$(BUILD)/lint-analyzer CC=gcc WERROR=1 \
		CFLAGS="-O2 -g -fanalyzer -Wno-analyzer-malloc-leak" $(BUILD)/lint-analyzer/nvfio-udev $(BUILD)/lint-analyzer/nvfio
	printf '%s\n' helper/*.c | xargs -P $(shell nproc) -I FILE clang-tidy --quiet FILE -- $(ANALYZE_FLAGS)
	cppcheck --quiet -j $(shell nproc) --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
		--inline-suppr --suppress=missingIncludeSystem $(filter -D%,$(ANALYZE_FLAGS)) helper

# An archive: a test is linked with what it calls, and needs no library that this does not.
$(BUILD)/unit/nvfio.a: $(COMMAND_OBJECTS) $(OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/unit/nvfio.a
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -Ihelper $(ALL_LDFLAGS) -o $@ $< $(BUILD)/unit/nvfio.a $(COMMAND_LIBS)

.PHONY: unit-programs
unit-programs: $(UNIT:%=$(BUILD)/unit/%)

# Unit tests run under the sanitizers and, built plainly, under valgrind.
check-unit: unit-programs
	$(Q)$(MAKE) --no-print-directory BUILD=$(SAN) ASAN=1 WERROR=1 unit-programs
	$(Q)set -e; for t in $(UNIT); do echo "# $$t (sanitizers)"; $(SAN)/unit/$$t; done
	$(Q)set -e; for t in $(UNIT); do echo "# $$t (valgrind)"; \
		valgrind -q --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes $(BUILD)/unit/$$t; done

# What a package runs while it is built: as any user, with no other tool than depmod. The others change their user, look into
# /proc, or ask udev's hwdb.
NOT_IN_BUILDS := critical-test holders-test names-test privilege-test uevent-test
.PHONY: check-unprivileged
check-unprivileged: unit-programs
	$(Q)set -e; for t in $(filter-out $(NOT_IN_BUILDS),$(UNIT)); do echo "# $$t"; $(BUILD)/unit/$$t; done

# musl: the helper, the objects of the command, and the unit tests but the one of libudev's hwdb; as root. Not part of
# check; apt-get install --no-install-recommends musl-tools.
MUSL := $(BUILD)/musl
MUSL_UNIT := $(filter-out names-test,$(UNIT))
.PHONY: check-musl
check-musl:
	tests/fetch-musl $(MUSL)
	$(Q)$(MAKE) --no-print-directory BUILD=$(MUSL)/build WERROR=1 KMOD=linked CC="musl-gcc -isystem $(abspath $(MUSL))/include" \
		LDFLAGS=-L$(abspath $(MUSL))/lib COMMAND_LIBS="-lkmod $(LIBS)" UNIT="$(MUSL_UNIT)" $(MUSL)/build/nvfio-udev unit-programs
	$(MUSL)/build/nvfio-udev --version
	$(Q)set -e; for t in $(MUSL_UNIT); do echo "# $$t (musl)"; $(MUSL)/build/unit/$$t; done

# The helper, built with the sanitizers, on a fake tree with a fake kernel under it; its arguments under valgrind, too.
check-tree: all
	$(Q)$(MAKE) --no-print-directory BUILD=$(SAN) ASAN=1 WERROR=1 all
	NVFIO_UDEV=$(CURDIR)/$(SAN)/nvfio-udev NVFIO=$(CURDIR)/$(SAN)/nvfio $(BATS) tests/bats
	NVFIO_UNDER="/usr/bin/valgrind -q --error-exitcode=99" $(BATS) tests/bats/30-arguments.bats

# Every fault with every errno; check-tree has a part of them, each day another (tests/bats/50-faults.bats).
.PHONY: soak-tree
soak-tree: all
	$(Q)$(MAKE) --no-print-directory BUILD=$(SAN) ASAN=1 WERROR=1 all
	SOAK=1 NVFIO_UDEV=$(CURDIR)/$(SAN)/nvfio-udev $(BATS) tests/bats/50-faults.bats

# The rules under udev's own engine, and a newer udev's opinion of them.
check-rules: all $(BUILD)/udev/udevadm
	bats tests/rules
	$(BUILD)/udev/udevadm verify --resolve-names=never $(RULES:%=$(BUILD)/%)

$(BUILD)/udev/udevadm: tests/fetch-udev
	$(Q)tests/fetch-udev $(BUILD)/udev

# A real kernel decides.
check-vm: all
	tests/vm/run

# Images of initramfs-tools and dracut, which are not among what check needs: apt-get install --no-install-recommends
# initramfs-tools-core dracut-core. Two minutes.
.PHONY: check-initramfs
check-initramfs: all
	bats tests/packages/initramfs.bats tests/packages/initramfs-boot.bats

# The same on Debian 12, Debian 13, and the newest kernel and udev of the archive; not a part of check: it fetches two
# releases (3 GB below build/) and takes an hour.
.PHONY: check-matrix
check-matrix: all
	tests/vm/matrix

# The long form of every scenario that has one: each point of the helper, hundreds of cycles.
.PHONY: soak
soak: all soak-tree
	SOAK=1 tests/vm/run --deadline 10800 --test-timeout 7200 $(notdir $(shell grep -l SOAK tests/vm/scenarios/*.bats))

# What it costs, beside the floor and others; nothing is asserted. make bench BENCH="--rounds 1 --sizes 64"
.PHONY: bench
bench: all
	tests/bench/run $(BENCH)

.PHONY: demo vm-shell
demo: all
	@tests/vm/run --demo

# A shell in the guest: make vm-shell BOOT=systemd
vm-shell: all
	@tests/vm/run --shell $(if $(BOOT),--boot $(BOOT))

# fuzz-short is part of check, fuzz is the long form.
include tests/fuzz/fuzz.mk
