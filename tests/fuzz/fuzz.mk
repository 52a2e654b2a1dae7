# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fuzzers, by clang's libFuzzer (clang and libclang-rt-14-dev, or clang's own libFuzzer elsewhere).
#
# make fuzz-short  10 s a target, as in CI; make fuzz runs each FUZZ_RUNS times. What is found lies in build/fuzz and is
#                  run again by `build/fuzz/fuzz-NAME FILE`. Start from tests/fuzz/corpus; new inputs go to build/fuzz.

FUZZ         := $(patsubst tests/fuzz/fuzz-%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 10
FUZZ_RUNS    ?= 10000000
FUZZ_CFLAGS  := -std=gnu11 -D_GNU_SOURCE -DNVFIO_VERSION='"$(VERSION)"' $(WARN) -Werror -O2 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -Ihelper
FUZZ_OBJECTS := $(MODULES:%=$(BUILD)/fuzz/helper/%.o)

.SECONDARY: $(FUZZ_OBJECTS)

# The helper's own sources, with the coverage that guides libFuzzer.
$(BUILD)/fuzz/helper/%.o: helper/%.c VERSION tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -c -o $@ $<

$(BUILD)/fuzz/fuzz-%: tests/fuzz/fuzz-%.c $(FUZZ_OBJECTS)
	@echo "  FUZZ  $@"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -o $@ $< $(FUZZ_OBJECTS) $(LIBS)

-include $(wildcard $(BUILD)/fuzz/helper/*.d $(BUILD)/fuzz/*.d)

# One after the other: the seeds as they are, then what libFuzzer makes of them and of what earlier runs found.
fuzz_run = set -e; for t in $(FUZZ); do echo "\# fuzz-$$t"; mkdir -p $(BUILD)/fuzz/corpus/$$t; \
	dict=$$(ls tests/fuzz/$$t.dict 2>/dev/null || :); \
	run="$(BUILD)/fuzz/fuzz-$$t -timeout=10 -artifact_prefix=$(BUILD)/fuzz/$$t-"; \
	$$run -verbosity=0 tests/fuzz/corpus/$$t/*; \
	$$run -verbosity=0 -print_final_stats=1 -max_len=600 $${dict:+-dict=$$dict} $(1) \
		$(BUILD)/fuzz/corpus/$$t tests/fuzz/corpus/$$t; done

.PHONY: fuzz fuzz-short fuzz-programs
fuzz-programs: $(FUZZ:%=$(BUILD)/fuzz/fuzz-%)

fuzz-short: fuzz-programs
	$(Q)$(call fuzz_run,-max_total_time=$(FUZZ_SECONDS))

fuzz: fuzz-programs
	$(Q)$(call fuzz_run,-runs=$(FUZZ_RUNS))
