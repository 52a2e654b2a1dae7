# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests, from the quick ones to the real kernel. Each part can be run alone: make check-unit, check-tree, ...

UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*-test.c))
SAN  := $(BUILD)/asan
SHELL_FILES = $(shell grep -lE '^\#!/(bin/bash|usr/bin/env bats)' -r tests .ci packaging 2>/dev/null | grep -v '^tests/vm/out') $(wildcard tests/bats/lib/*.bash tests/vm/guest/*.bash)

.PHONY: check check-unit check-tree check-rules check-vm
check: lint check-unit check-tree check-rules check-vm

# Unit tests run under the sanitizers and, built plainly, under valgrind.
$(BUILD)/unit/%: tests/unit/%.c $(OBJECTS)
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -Ihelper $(ALL_LDFLAGS) -o $@ $< $(OBJECTS) $(LIBS)

.PHONY: unit-programs
unit-programs: $(UNIT:%=$(BUILD)/unit/%)

check-unit: unit-programs
	$(Q)$(MAKE) --no-print-directory BUILD=$(SAN) ASAN=1 WERROR=1 unit-programs
	$(Q)for t in $(UNIT); do echo "# $$t (sanitizers)"; $(SAN)/unit/$$t || exit 1; done
	$(Q)for t in $(UNIT); do echo "# $$t (valgrind)"; \
		valgrind -q --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes $(BUILD)/unit/$$t >$(BUILD)/unit/$$t.log 2>&1 || \
			{ cat $(BUILD)/unit/$$t.log; exit 1; }; done

# The helper on a fake tree with a fake kernel under it; the second time built with the sanitizers.
check-tree: all
	$(Q)$(MAKE) --no-print-directory BUILD=$(SAN) ASAN=1 WERROR=1 all
	bats tests/bats
	NVFIO_UDEV=$(CURDIR)/$(SAN)/nvfio-udev bats tests/bats

check-rules: all $(BUILD)/udev/udevadm
	bats tests/rules
	$(BUILD)/udev/udevadm verify --resolve-names=never $(BUILD)/70-nvfio.rules

$(BUILD)/udev/udevadm: tests/fetch-udev
	$(Q)tests/fetch-udev $(BUILD)/udev

# A real kernel decides.
check-vm: all
	tests/vm/run

.PHONY: demo vm-shell
demo: all
	@tests/vm/run --demo

vm-shell: all
	@tests/vm/run --shell $(if $(BOOT),--boot $(BOOT))

# Both compilers with every warning an error, and the scripts.
.PHONY: lint
lint:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/lint-gcc CC=gcc WERROR=1 all
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/lint-clang CC=clang WERROR=1 all
	shellcheck $(SHELL_FILES)
