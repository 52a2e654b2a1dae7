# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build nvfio-udev, nvfio and the rules into build/
# make check      every test: lint, analyzers, unit, fake tree, rules, VM
# make check-matrix  the VM tests on Debian 12 and 13 and the newest kernel and udev; an hour
# make soak       the long forms: every fault, 200 hotplugs in a storm, every kill point; an hour and more
# make bench      what it costs, beside the floor and others, on a clock that counts instructions
# make demo       the main job, in a VM: no GPU and no KVM needed
# make vm-shell   a shell in that VM
# make dist       the source tarball; make deb, rpm, arch: packages; make check-packages (packaging/packaging.mk)
# make install    DESTDIR= PREFIX=/usr UDEVDIR=$(PREFIX)/lib/udev; make uninstall takes the same. nvfio.conf(5) is read
#                 from /usr/lib/nvfio and /etc whatever PREFIX is
#
# Switches: V=1 shows commands, WERROR=1 makes warnings errors, ASAN=1 builds with address and undefined sanitizers,
# KMOD=linked links libkmod, which else is loaded at run time (helper/kmod-library.c).

PREFIX  ?= /usr
BINDIR  ?= $(PREFIX)/bin
UDEVDIR ?= $(PREFIX)/lib/udev
LIBDIR  ?= $(PREFIX)/lib
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/nvfio
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INITRAMFSDIR ?= $(PREFIX)/share/initramfs-tools
DRACUTDIR    ?= $(PREFIX)/lib/dracut/modules.d/90nvfio
INITCPIODIR  ?= $(PREFIX)/lib/initcpio
BUILD   ?= build
VERSION := $(shell cat VERSION)

CC      ?= cc
INSTALL ?= install
CFLAGS  ?= -O2 -g
ifeq ($(WERROR),1)
EXTRA += -Werror
endif
ifeq ($(ASAN),1)
EXTRA += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDEN :=
else
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
endif
ifeq ($(KMOD),linked)
EXTRA += -DNVFIO_LINK_KMOD
LIBKMOD := -lkmod
endif
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wpointer-arith \
	-Wwrite-strings -Wcast-qual -Wvla -Wswitch-enum
# Where it is built is not in it: the same sources give the same programs.
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DNVFIO_VERSION='"$(VERSION)"' $(WARN) $(HARDEN) -fno-common -fPIE \
	'-ffile-prefix-map=$(CURDIR)=.' $(CFLAGS) $(EXTRA)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -Wl,--as-needed $(LDFLAGS) $(EXTRA)

# The house, from the leaves up.
MODULES := \
	root privilege sysfs pci iommu console \
	nodes holders critical-net critical-nodes critical \
	log uevent state child \
	kmod-library kmod-notes kmod driver \
	config config-keys config-parse \
	policy siblings host judge node-access \
	steps bind undo sriov udevdb event vfs
OBJECTS := $(MODULES:%=$(BUILD)/helper/%.o)
LIBS    := $(LIBKMOD) -linih

# The operator's command is these on top of them.
COMMAND := \
	json say names config-view \
	status columns inventory table \
	explain-rows explain-parts \
	account initramfs modprobed \
	check-finding check-host check-iommu check-modules check-initramfs check-config check-managers check-services check-access \
	topology bars args args-print args-libvirt \
	lock-owner targets persist plan release request request-bind request-unbind \
	address list explain show-config check
COMMAND_OBJECTS := $(COMMAND:%=$(BUILD)/helper/%.o)
COMMAND_LIBS    := $(LIBS) -ludev -lsmartcols

RULES   := 70-nvfio.rules 90-nvfio-nodes.rules
MAN     := nvfio.7 nvfio.8 nvfio-udev.8 nvfio.conf.5

.PHONY: all
all: $(BUILD)/nvfio-udev $(BUILD)/nvfio $(RULES:%=$(BUILD)/%)

$(BUILD)/nvfio-udev: $(BUILD)/helper/nvfio-udev.o $(OBJECTS)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/nvfio: $(BUILD)/helper/nvfio.o $(COMMAND_OBJECTS) $(OBJECTS)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(COMMAND_LIBS)

$(BUILD)/helper/%.o: helper/%.c VERSION Makefile
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

-include $(wildcard $(BUILD)/helper/*.d $(BUILD)/unit/*.d)

$(BUILD)/%.rules: rules/%.rules.in Makefile
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)sed -e 's|@HELPER@|$(UDEVDIR)/nvfio-udev|' -e 's|@PROGRAM@|$(UDEVDIR)/nvfio-udev|' -e 's|@RUNDIR@|/run|' \
		-e 's|@UDEVDIR@|$(UDEVDIR)|' $< >$@

# What all of them ask nvfio --help is in one file.
SHELLS := bash zsh fish
all: $(SHELLS:%=$(BUILD)/completions/nvfio.%)

$(BUILD)/completions/%: completions/%.in completions/words.awk
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)sed -e '/^@WORDS@$$/{r completions/words.awk' -e 'd}' $< >$@

# What an initramfs needs, and a hook for each generator: all of them, whichever is there. One that is not does not mind.
HOOKS := initramfs-files initramfs-tools/nvfio initramfs-tools/init-top dracut/module-setup.sh dracut/native-drivers.sh \
	mkinitcpio/install mkinitcpio/hook
all: $(HOOKS:%=$(BUILD)/packaging/%)

$(BUILD)/packaging/%: packaging/%.in Makefile
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)sed -e 's|@UDEVDIR@|$(UDEVDIR)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' $< >$@

# Man pages need scdoc; without it everything else is built and installed.
SCDOC := $(shell command -v scdoc)
ifneq ($(SCDOC),)
all: $(MAN:%=$(BUILD)/%)
endif

# Its date is the sources', so that two builds of one release are the same.
$(BUILD)/%: man/%.scd
	@mkdir -p $(@D)
	@echo "  MAN   $@"
	$(Q)SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(date -r $< +%s)} scdoc <$< >$@

# --- install

.PHONY: install uninstall
install: all
	$(INSTALL) -D -m 755 $(BUILD)/nvfio-udev $(DESTDIR)$(UDEVDIR)/nvfio-udev
	$(INSTALL) -D -m 755 $(BUILD)/nvfio $(DESTDIR)$(BINDIR)/nvfio
	$(INSTALL) -D -m 644 $(BUILD)/completions/nvfio.bash $(DESTDIR)$(BASHDIR)/nvfio
	$(INSTALL) -D -m 644 $(BUILD)/completions/nvfio.zsh $(DESTDIR)$(ZSHDIR)/_nvfio
	$(INSTALL) -D -m 644 $(BUILD)/completions/nvfio.fish $(DESTDIR)$(FISHDIR)/nvfio.fish
	$(foreach file,$(RULES),$(INSTALL) -D -m 644 $(BUILD)/$(file) $(DESTDIR)$(UDEVDIR)/rules.d/$(file) &&) :
	$(INSTALL) -D -m 644 rules/nvfio-no-modalias $(DESTDIR)$(UDEVDIR)/nvfio-no-modalias
	$(INSTALL) -D -m 644 conf/nvfio.conf $(DESTDIR)$(LIBDIR)/nvfio/nvfio.conf
	$(INSTALL) -D -m 755 $(BUILD)/packaging/initramfs-files $(DESTDIR)$(LIBDIR)/nvfio/initramfs-files
	$(INSTALL) -D -m 755 packaging/native-drivers $(DESTDIR)$(LIBDIR)/nvfio/native-drivers
	$(INSTALL) -D -m 755 $(BUILD)/packaging/initramfs-tools/nvfio $(DESTDIR)$(INITRAMFSDIR)/hooks/nvfio
	$(INSTALL) -D -m 755 $(BUILD)/packaging/initramfs-tools/init-top $(DESTDIR)$(INITRAMFSDIR)/scripts/init-top/nvfio
	$(INSTALL) -D -m 755 $(BUILD)/packaging/dracut/module-setup.sh $(DESTDIR)$(DRACUTDIR)/module-setup.sh
	$(INSTALL) -D -m 755 $(BUILD)/packaging/dracut/native-drivers.sh $(DESTDIR)$(DRACUTDIR)/native-drivers.sh
	$(INSTALL) -D -m 644 $(BUILD)/packaging/mkinitcpio/install $(DESTDIR)$(INITCPIODIR)/install/nvfio
	$(INSTALL) -D -m 644 $(BUILD)/packaging/mkinitcpio/hook $(DESTDIR)$(INITCPIODIR)/hooks/nvfio
	$(INSTALL) -D -m 644 -t $(DESTDIR)$(DOCDIR)/examples conf/examples/*
ifneq ($(SCDOC),)
	$(foreach page,$(MAN),$(INSTALL) -D -m 644 $(BUILD)/$(page) $(DESTDIR)$(MANDIR)/man$(lastword $(subst ., ,$(page)))/$(page) &&) :
endif

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/nvfio $(DESTDIR)$(BASHDIR)/nvfio $(DESTDIR)$(ZSHDIR)/_nvfio $(DESTDIR)$(FISHDIR)/nvfio.fish
	rm -f $(DESTDIR)$(UDEVDIR)/nvfio-udev $(DESTDIR)$(UDEVDIR)/nvfio-no-modalias \
		$(RULES:%=$(DESTDIR)$(UDEVDIR)/rules.d/%) $(DESTDIR)$(LIBDIR)/nvfio/nvfio.conf
	rm -f $(DESTDIR)$(LIBDIR)/nvfio/initramfs-files $(DESTDIR)$(LIBDIR)/nvfio/native-drivers $(DESTDIR)$(INITRAMFSDIR)/hooks/nvfio \
		$(DESTDIR)$(INITRAMFSDIR)/scripts/init-top/nvfio $(DESTDIR)$(DRACUTDIR)/module-setup.sh \
		$(DESTDIR)$(DRACUTDIR)/native-drivers.sh $(DESTDIR)$(INITCPIODIR)/install/nvfio $(DESTDIR)$(INITCPIODIR)/hooks/nvfio
	rm -f $(foreach page,$(MAN),$(DESTDIR)$(MANDIR)/man$(lastword $(subst ., ,$(page)))/$(page))
	rm -f $(patsubst conf/%,$(DESTDIR)$(DOCDIR)/%,$(wildcard conf/examples/*))
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(LIBDIR)/nvfio $(DESTDIR)$(DRACUTDIR) $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR)

include tests/tests.mk
include packaging/packaging.mk

.PHONY: clean
clean:
	rm -rf $(BUILD) tests/vm/out
