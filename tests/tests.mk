# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests, from the quick ones to the real kernel. Each part can be run alone: make check-unit, check-tree, ...

UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*-test.c))
SAN  := $(BUILD)/asan

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
