#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio check`: each finding in each of its grades, on fake hosts. A host that is ready is made first, then one thing is
# taken from it. Nothing of the real host may show through.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash
load lib/host.bash

GPU=0000:01:00.0

setup() {
	new_tree
	ready_host
	printf '[policy]\nboot = vfio\n' | set_config
	add_card 0000:01:00
}

teardown() {
	end_all
}

# install_module NAME...: on disk, not loaded.
install_module() {
	local name
	for name in "$@"; do
		fake_ko "$TREE/lib/modules/$RELEASE/kernel/$name.ko"
		rm -rf "$TREE/sys/module/$name"
	done
	depmod -b "$TREE" "$RELEASE"
}

# on_vfio_with_node [MODE [GROUP]]: the GPU, and its group's node.
on_vfio_with_node() {
	on_vfio $GPU || put_on_vfio $GPU
	put /dev/vfio/1
	chmod "${1-600}" "$TREE/dev/vfio/1"
	chown "0:${2-0}" "$TREE/dev/vfio/1"
}

# The lines about a finding.
finding() {
	awk -v name="$1:" '/^[a-z]/ { on = ($2 == name) } on' <<<"$output"
}

# assert_finding NAME GRADE [TEXT...]: of a check with the arguments in $arguments.
assert_finding() {
	local name=$1 grade=$2 lines text problems
	shift 2
	nvfio check "${arguments[@]}"
	lines=$(finding "$name")
	[[ $lines == "$grade "* ]] || explain "$name is no $grade: $lines"
	for text in "$@"; do
		[[ $lines == *"$text"* ]] || explain "$name does not say: $text" "$lines"
	done
	problems=$(grep -c '^problem ' <<<"$output") || :
	assert_status $((problems ? 5 : 0))
	[[ -z $log && -z $(writes) ]] || explain "it said or wrote something"
}

# refute_mend NAME TEXT: after assert_finding.
refute_mend() {
	[[ $(finding "$1") != *"$2"* ]] || explain "$1 says: $2"
}

# --- the whole ------------------------------------------------------------------------------------------------------

@test "a host that is ready: no problem, no note" {
	nvfio check
	assert_status 0
	assert_output <<-END
		ok       functions: 0000:01:00.0
		ok       iommu: IOMMU on: dmar0
		ok       translation: every function is in an IOMMU group, of type DMA
		ok       groups: no wanted function shares its group with one on a native driver
		ok       interrupts: interrupts are remapped
		ok       no-iommu-mode: VFIO's no-IOMMU mode is off
		ok       acs: nothing on the kernel command line overrides ACS
		ok       kernel: kernel $RELEASE
		ok       vfio: vfio loaded, vfio_pci loaded, vfio_iommu_type1 loaded, iommufd loaded
		ok       drivers: 0000:01:00.0: vfio-pci, 0000:01:00.1: vfio-pci, 0000:01:00.2: vfio-pci
		ok       grace: no function needs a VFIO variant driver that the kernel does not have
		ok       signatures: unsigned modules may be loaded
		ok       built-in: no native GPU driver is built into the kernel
		ok       initramfs: neither nvfio nor a native GPU driver is in /boot/initrd.img-$RELEASE: udev of the root file system comes first
		ok       rules: /usr/lib/udev/rules.d/70-nvfio.rules
		ok       udev: udev is running
		ok       switch: nvfio is not switched off on the kernel command line
		ok       configuration: parses: /etc/nvfio.conf
		ok       sections: each section for an address has its function
		ok       boot: taken at boot: 0000:01:00.0
		ok       console: no NVIDIA GPU has the console
		ok       driverctl: driverctl has no override for an NVIDIA function
		ok       libvirt: libvirt is not running, and no domain manages an NVIDIA function
		ok       ids: no list of ids of vfio-pci or pci-stub names NVIDIA
		ok       kubernetes: no sign of the GPU operator or KubeVirt
		ok       vgpu: no sign of NVIDIA vGPU
		ok       services: no service that keeps GPUs open
		ok       other-rules: no other udev rule removes or binds functions
		ok       memlock: root may lock any amount of memory; --user NAME tells of others
		ok       node-group: node-group is not set: only root opens VFIO nodes, unless another rule says so
		ready: 0 problems, 0 notes, 30 ok
	END
	[[ -z $(writes) ]] || explain "it wrote something"
}

@test "an empty tree: nothing of the host shows, and it does not fail" {
	rm -rf "${TREE:?}"/{etc,run,usr,lib,dev,boot,proc}
	rm -rf "$TREE"/sys/{class,module,kernel}
	nvfio check
	assert_status 5
	[[ $output != *"$RELEASE"* && $output != *dmar* ]] || explain "this is of the host"
	assert_says 'problem  iommu: no IOMMU is on'
	assert_says 'problem  vfio: vfio missing, vfio_pci missing, vfio_iommu_type1 missing, iommufd missing'
	assert_says 'note     kernel: the version of the kernel cannot be told'
	assert_says 'note     switch: the kernel command line cannot be read'
	assert_says 'note     initramfs: no initramfs'
	assert_says 'problem  rules: there is no 70-nvfio.rules'
	[[ $(tail -n 1 <<<"$output") == 'not ready: '* ]] || explain "it does not sum up"
}

@test "JSON: valid, with the same findings, and names for the distributions" {
	local plain
	no_iommu
	put /etc/os-release ID=other
	nvfio check
	plain=$(grep -oE '^(ok|note|problem) +[a-z-]+:' <<<"$output" | tr -d ':' | tr -s ' ')
	nvfio check --json
	assert_status 5
	perl -MJSON::PP -0 -e '
		my $all = decode_json(<STDIN>);
		print "$_->{grade} $_->{finding}\n" for @{$all->{findings}};
		my ($iommu) = grep { $_->{finding} eq "iommu" } @{$all->{findings}};
		die unless !$all->{ready} && $all->{problems} == 1 && $iommu->{means} =~ /memory/;
		die unless join(",", map { $_->{system} // "all" } @{$iommu->{mend}}) eq "all,Debian,Fedora,Arch";
	' <<<"$output" >"$BATS_TEST_TMPDIR/findings" || explain "this is another JSON"
	[[ $(<"$BATS_TEST_TMPDIR/findings") == "$plain" ]] || explain "these are other findings:" "$plain"
}

@test "the mend is for this distribution, for all three where it is another" {
	no_iommu
	assert_finding iommu problem 'update-grub && reboot'
	refute_mend iommu grubby
	put /etc/os-release 'ID="rocky"' 'ID_LIKE="rhel centos fedora"'
	assert_finding iommu problem '-> grubby --update-kernel=ALL --args=intel_iommu=on'
	refute_mend iommu update-grub
	put /etc/os-release ID=arch
	assert_finding iommu problem grub-mkconfig
	refute_mend iommu grubby
	put /etc/os-release ID=archaic
	assert_finding iommu problem '-> Debian: add' '-> Fedora: grubby' '-> Arch: add'
}

@test "a terminal of 40 columns: words are wrapped, commands are not" {
	no_iommu
	output=$(env -i TERM=dumb ASAN_OPTIONS=verify_asan_link_order=0 script -qec "stty cols 40; $(printf %q "$NVFIO") \
		--sysroot=$(printf %q "$TREE") check" /dev/null </dev/null | tr -d '\r') || :
	! grep -vE '^ *->|^ {9}[^ ]+$' <<<"$output" | grep -E '^.{41}' >&2 || explain "a line is too long"
	assert_says $'ok       groups: no wanted function\n         shares its group with one on a\n'
	assert_says '-> add intel_iommu=on to GRUB_CMDLINE_LINUX in /etc/default/grub, then: update-grub && reboot'
}

@test "locales make no difference, and nothing is but ASCII" {
	local plain
	no_iommu
	nvfio check
	plain=$output
	NVFIO_UNDER="/usr/bin/env LC_ALL=C.UTF-8" nvfio check
	[[ $output == "$plain" ]] || explain "it is another one in UTF-8"
	! LC_ALL=C grep -P '[^\n\x20-\x7e]' <<<"$output" || explain "this is not ASCII"
}

@test "control characters of a name do not reach the terminal" {
	put $'/sys/class/iommu/a\x1b[31mb'
	nvfio check
	[[ $output != *$'\x1b'* ]] || explain "an escape sequence came through"
	assert_says 'a?[31mb'
	nvfio check --json
	perl -MJSON::PP -0 -e 'decode_json(<STDIN>)' <<<"$output" || explain "this is no JSON"
}

@test "not as root: the same, but for what root alone can see" {
	command=(as_nobody) status=0
	chmod 600 "$TREE/boot/initrd.img-$RELEASE" "$TREE/etc/nvfio.conf"
	mkdir -p "$TREE/etc/libvirt/qemu"
	chmod 700 "$TREE/etc/libvirt/qemu"
	install -m 755 "$NVFIO" "$BATS_TEST_TMPDIR/nvfio"
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	output=$(env -i setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/nvfio" --sysroot="$TREE" check \
		2>&1 </dev/null) || status=$?
	assert_status 0
	assert_says 'note     initramfs: needs root to tell what is in the initramfs'
	assert_says 'note     configuration: needs root to tell what the configuration says'
	assert_says 'note     console: needs root to tell whether a GPU has the boot framebuffer'
	assert_says 'note     libvirt: needs root to tell whether a libvirt domain'
	assert_says 'note     memlock: 8 MiB may be locked from here'
	assert_says 'ok       iommu: '
	output=$(env -i setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/nvfio" --sysroot="$TREE" check \
		--json 2>/dev/null </dev/null)
	[[ $output == *'"finding":"console","grade":"note","needs_root":true'* ]] || explain "the JSON does not tell"
}

@test "bad input: unknown user, superfluous words, options of other verbs" {
	nvfio check --user mallory
	assert_status 2
	[[ -z $output && $log == 'nvfio: mallory: there is no such user' ]] || explain "that is not said"
	nvfio check --json --user mallory
	[[ $status == 2 && $log == '{"error":{"code":"no-such-user","about":"mallory",'* ]] || explain "that is no JSON"
	nvfio check --user ''
	assert_status 2
	nvfio check 0000:01:00.0
	[[ $status == 2 && $log == *'nvfio check takes no arguments'* ]] || explain "that is not said"
	nvfio check --tree
	[[ $status == 2 && $log == *'no option of nvfio check'* ]] || explain "that is not said"
	nvfio list --user alice
	[[ $status == 2 && $log == *'no option of nvfio list'* ]] || explain "that is not said"
}

@test "what cannot be read is said, and no reason to fail: directories, FIFOs, large files, bad attributes" {
	rm "$TREE/proc/interrupts" "$TREE/etc/os-release" "$TREE/proc/sys/kernel/osrelease" "$TREE/proc/1/limits"
	mkdir -p "$TREE/proc/interrupts" "$TREE/etc/os-release" "$TREE/etc/udev/rules.d"
	mkfifo "$TREE/etc/udev/rules.d/pipe.rules" "$TREE/proc/sys/kernel/osrelease" "$TREE/proc/1/limits"
	head -c 2000000 /dev/zero | tr '\0' 'a' >"$TREE/etc/modprobe.d/large.conf"
	add_function 0000:05:00.0 10de:2331 030200 --group 5
	set_attribute 0000:05:00.0 class 'what\n'
	nvfio check --user alice
	assert_status 5
	assert_says 'problem  functions: could not be looked at: 0000:05:00.0 (class)'
	assert_says 'note     interrupts: /proc/interrupts does not tell'
	assert_says 'note     kernel: the version of the kernel cannot be told'
	assert_says 'note     user-memlock: how much memory alice may lock cannot be told'
}

@test "a function that vanishes while it is looked at is not missed" {
	FAKE_HOOK="open:0000:01:00.1/class remove 0000:01:00.1" nvfio check
	assert_status 0
	[[ -z $log ]] || explain "it complained"
	assert_says 'drivers: 0000:01:00.0: vfio-pci, 0000:01:00.2: vfio-pci'
}

@test "nothing is read that may wait for a driver" {
	FAKE_BLOCK=uevent,driver_override,sriov_numvfs nvfio check --user alice
	[[ ! -e $TREE/.fake_blocked ]] || explain "it waited"
	assert_says 'ready: '
}

@test "the man page has every finding, in this order" {
	nvfio check --user alice
	grep -oE '^(ok|note|problem) +[a-z-]+:' <<<"$output" | awk '{ print $2 }' | tr -d : >"$BATS_TEST_TMPDIR/findings"
	sed -n '/^# FINDINGS/,/^# COLUMNS/{/^\*/p}' "$REPO_DIR/man/nvfio.8.scd" | grep -oE '[a-z-]+' |
		diff -u "$BATS_TEST_TMPDIR/findings" - || explain "they differ"
}

@test "functions: none is a note" {
	rm -r "$TREE"/sys/bus/pci/devices/*
	assert_finding functions note 'no NVIDIA GPU'
	add_function 0000:05:00.0 10de:0760 020000
	assert_finding functions note
}

@test "functions: no PCI at all, as in a chroot without /sys, is a problem, and the rest is looked at" {
	rm -rf "$TREE"/sys/bus
	assert_finding functions problem '/sys is not mounted'
	[[ -n $(finding vfio) && -n $(finding rules) ]] || explain "it ends there"
	mkdir "$TREE/sys/bus"
	: >"$TREE/sys/bus/pci"
	nvfio check
	[[ $status == 1 && -z $output && $log == *"cannot list PCI functions: Not a directory"* ]] || explain "an error of looking is no answer"
}

# --- IOMMU ----------------------------------------------------------------------------------------------------------

@test "iommu: off, with the mend for the processor and what the firmware offers" {
	no_iommu
	kernel_command_line quiet
	assert_finding iommu problem 'no IOMMU is on' 'enable VT-d' 'intel_iommu=on'
	put /sys/firmware/acpi/tables/DMAR
	assert_finding iommu problem 'though the firmware offers one' 'intel_iommu=on'
	refute_mend iommu 'firmware setup'
	kernel_command_line intel_iommu=off
	assert_finding iommu problem 'the kernel command line has intel_iommu=off' 'remove intel_iommu=off' 'add intel_iommu=on'
	rm "$TREE/sys/firmware/acpi/tables/DMAR"
	kernel_command_line quiet
	put /proc/cpuinfo 'vendor_id	: AuthenticAMD'
	assert_finding iommu problem 'enable IOMMU (AMD-Vi)'
	refute_mend iommu intel_iommu
	kernel_command_line iommu=off
	assert_finding iommu problem 'remove iommu=off'
	kernel_command_line quiet
	put /proc/cpuinfo 'CPU implementer	: 0x41'
	assert_finding iommu problem 'SMMU'
}

@test "translation: of type identity is a note, without a group a problem" {
	put /sys/kernel/iommu_groups/1/type identity
	kernel_command_line iommu=pt
	assert_finding translation note 'type identity: 0000:01:00.0, 0000:01:00.1' 'VMs are as isolated as ever' 'remove iommu=pt'
	kernel_command_line iommu.passthrough=1
	assert_finding translation note 'remove iommu.passthrough=1'
	rm "$TREE/sys/kernel/iommu_groups/1/type"
	assert_finding translation ok 'in an IOMMU group'
	add_function 0000:05:00.0 10de:2331 030200
	assert_finding translation problem 'no IOMMU group: 0000:05:00.0'
	put /proc/cpuinfo 'CPU implementer	: 0x41'
	assert_finding translation note 'no fault'
	rm "$TREE/sys/class/iommu/dmar0"
	assert_finding translation note 'nothing translates'
}

@test "translation: a group that VFIO made up isolates nothing" {
	put /sys/kernel/iommu_groups/1/name vfio-noiommu
	assert_finding translation problem 'no IOMMU isolates 0000:01:00.0' 'all memory'
}

@test "groups: shared with a native driver is a problem, if it is wanted" {
	add_driver mlx5_core mlx5_core
	add_function 0000:03:00.0 15b3:1021 020000 --driver mlx5_core --group 1
	assert_finding groups problem '0000:01:00.0 with 0000:03:00.0 (mlx5_core)' 'another slot' 'siblings = 0000:03:00.0'
	refute_mend groups '0000:01:00.1 with'
	# Of a memory controller it cannot be told whether the host needs it: no list of siblings takes it.
	echo 0x058000 >"$(device_dir 0000:03:00.0)/class"
	assert_finding groups problem '0000:01:00.0 with 0000:03:00.0 (mlx5_core)' 'blacklist that driver'
	refute_mend groups 'siblings ='
	printf '[policy]\nboot = vfio\n[device 0000:01:00.0]\nsiblings = 0000:03:00.0\n' | set_config
	assert_finding groups ok
	printf '[policy]\ngpu = native\n' | set_config
	assert_finding groups ok
}

@test "interrupts: not remapped is a problem, allowed all the same a note" {
	put /proc/interrupts '   0:         42   IO-APIC    2-edge      timer'
	assert_finding interrupts problem 'not remapped' EPERM 'firmware setup' 'last resort'
	kernel_command_line intremap=off
	assert_finding interrupts problem 'remove intremap=off'
	kernel_command_line nointremapping intremap=offline
	assert_finding interrupts problem 'firmware setup'
	kernel_command_line nointremap
	assert_finding interrupts problem 'remove nointremap'
	put /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts Y
	assert_finding interrupts note 'take it over' 'allowed by /sys/module/vfio_iommu_type1'
	refute_mend interrupts 'last resort'
	put /proc/interrupts '   0:         42  IR-IO-APIC    2-edge      timer'
	assert_finding interrupts note 'remapped, and allow_unsafe_interrupts is on'
	put /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts N
	assert_finding interrupts ok
	put /proc/interrupts '  12:   0   ITS-PCI-MSI-0000:01:00.0   0 Edge'
	assert_finding interrupts ok
	put /proc/interrupts '   0:   0   GICv2  27 Level  arch_timer'
	assert_finding interrupts note 'does not tell'
	rm "$TREE/sys/class/iommu/dmar0"
	assert_finding interrupts note 'no IOMMU is on'
}

@test "interrupts: allow_unsafe_interrupts counts before the module is loaded" {
	put /proc/interrupts '   0:         42   IO-APIC    2-edge      timer'
	kernel_command_line vfio_iommu_type1.allow_unsafe_interrupts=1
	assert_finding interrupts note 'allowed by vfio_iommu_type1.allow_unsafe_interrupts=1'
	kernel_command_line vfio-iommu-type1.allow_unsafe_interrupts=0
	assert_finding interrupts problem
	put /etc/modprobe.d/unsafe.conf '# told so' 'options vfio_iommu_type1 allow_unsafe_interrupts=1'
	assert_finding interrupts note '/etc/modprobe.d/unsafe.conf:2'
	put /etc/modprobe.d/unsafe.conf 'options vfio_iommu_type1 allow_unsafe_interrupts=0'
	assert_finding interrupts problem
}

@test "no-iommu-mode: on is a note" {
	put /sys/module/vfio/parameters/enable_unsafe_noiommu_mode Y
	assert_finding no-iommu-mode note 'all memory' 'echo N >'
	put /sys/module/vfio/parameters/enable_unsafe_noiommu_mode N
	assert_finding no-iommu-mode ok
	rm -r "$TREE/sys/module/vfio"
	kernel_command_line vfio.enable_unsafe_noiommu_mode=1
	assert_finding no-iommu-mode note
	kernel_command_line vfio.enable_unsafe_noiommu_mode=
	assert_finding no-iommu-mode ok
}

@test "acs: overridden is a note" {
	kernel_command_line pcie_acs_override=downstream,multifunction
	assert_finding acs note 'pcie_acs_override=downstream,multifunction' 'past the IOMMU'
	kernel_command_line pci=noaer,disable_acs_redir=0000:00:01.0
	assert_finding acs note 'disable_acs_redir'
	kernel_command_line pci=config_acs=x@0000:00:01.0
	assert_finding acs note 'config_acs'
	kernel_command_line pci=noaer
	assert_finding acs ok
}

# --- modules --------------------------------------------------------------------------------------------------------

@test "kernel: too old, or without its modules" {
	put /proc/sys/kernel/osrelease 5.10.0-28-amd64
	assert_finding kernel problem '5.10.0-28-amd64 is too old' 'Debian 12'
	put /proc/sys/kernel/osrelease 6.0.9
	assert_finding kernel problem 'too old'
	put /proc/sys/kernel/osrelease 6.1.0-99-amd64
	assert_finding kernel problem 'there is no /lib/modules/6.1.0-99-amd64' '-> reboot' 'linux-image-6.1.0-99-amd64'
	put /proc/sys/kernel/osrelease nonsense
	assert_finding kernel note 'cannot be told'
}

@test "vfio: missing, blacklisted, with an install command, and loadable" {
	install_module vfio vfio_iommu_type1
	rm -r "$TREE/sys/module/iommufd"
	remove_driver vfio-pci
	assert_finding vfio ok 'vfio can be loaded, vfio_pci can be loaded, vfio_iommu_type1 can be loaded, iommufd missing'
	put /etc/modprobe.d/no.conf 'options snd x=1' 'blacklist vfio-pci'
	assert_finding vfio problem 'vfio_pci blacklisted' 'remove the line /etc/modprobe.d/no.conf:2'
	put /etc/modprobe.d/no.conf 'install vfio-pci /sbin/vfio-pci-override.sh'
	assert_finding vfio problem 'vfio_pci has an install command' 'no.conf:1 (install vfio_pci)'
	rm "$TREE/etc/modprobe.d/no.conf"
	kernel_command_line module_blacklist=nouveau,vfio_pci
	assert_finding vfio problem 'vfio_pci blacklisted' 'remove vfio_pci from module_blacklist='
	kernel_command_line quiet
	find "$TREE/lib/modules" -name 'vfio_iommu_type1.ko' -delete
	depmod -b "$TREE" "$RELEASE"
	assert_finding vfio problem 'vfio_iommu_type1 missing' 'apt install linux-image-'
	put /sys/module/iommufd/initstate live
	assert_finding vfio ok 'iommufd loaded'
	uninstall_modules
	depmod -b "$TREE" "$RELEASE"
	assert_finding vfio problem 'vfio_pci missing' 'nvfio refuses'
}

@test "vfio: a line that goes on, a file that is shadowed, one that is switched off" {
	remove_driver vfio-pci
	put /etc/modprobe.d/a.conf "options snd \\" 'x=1' "blacklist \\" 'vfio_pci'
	assert_finding vfio problem 'remove the line /etc/modprobe.d/a.conf:3'
	mv "$TREE/etc/modprobe.d/a.conf" "$TREE/etc/modprobe.d/../b.conf"
	put /usr/lib/modprobe.d/b.conf 'blacklist vfio_pci'
	assert_finding vfio problem '/usr/lib/modprobe.d/b.conf:1'
	ln -s /dev/null "$TREE/etc/modprobe.d/b.conf"
	assert_finding vfio ok
}

@test "vfio: built in" {
	rm "$TREE"/sys/module/{vfio,vfio_pci}/initstate
	assert_finding vfio ok 'vfio built in, vfio_pci built in'
}

@test "drivers: a wanted function without a VFIO driver is a problem, one that is not wanted none" {
	printf '[policy]\nboot = vfio\n[device 0000:01:00.0]\ndriver = nonesuch\n' | set_config
	assert_finding drivers problem 'no VFIO driver for 0000:01:00.0 (no such module)'
	printf '[policy]\ngpu = native\n' | set_config
	assert_finding drivers ok 'no function is wanted'
}

@test "grace: on plain vfio-pci is a note" {
	add_function 0000:09:00.0 10de:2342 030200 --group 9
	assert_finding grace note '0000:09:00.0' 'without their coherent memory'
	rm -r "${TREE:?}/lib"
	cp -a "$FAKES_DIR/modules/variant/lib" "$TREE/"
	assert_finding grace ok
	assert_finding drivers ok '0000:09:00.0: nvfio_test_variant'
}

# sign FILE: with a signature that says little, but where the kernel and libkmod look for one.
sign() {
	printf 'skx\1\4\1\1\1\0\0\0\0\0\0\1~Module signature appended~\n' >>"$1"
}

@test "signatures: lockdown is a note, with an unsigned module to load a problem" {
	put /sys/kernel/security/lockdown 'none [integrity] confidentiality'
	assert_finding signatures note 'lockdown is integrity' 'signed modules'
	remove_driver vfio-pci
	assert_finding signatures problem 'lockdown is integrity: vfio_pci cannot be loaded' mokutil
	sign "$TREE/lib/modules/$RELEASE/kernel/vfio-pci.ko"
	assert_finding signatures note
	put /sys/kernel/security/lockdown '[none] integrity confidentiality'
	assert_finding signatures ok
	put /sys/module/module/parameters/sig_enforce Y
	assert_finding signatures note sig_enforce
	put /sys/module/module/parameters/sig_enforce N
	mkdir -p "$TREE/sys/firmware/efi/efivars"
	printf '\6\0\0\0\1' >"$TREE/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	assert_finding signatures ok 'secure boot is on, and the kernel does not enforce'
	put /proc/sys/kernel/modules_disabled 1
	assert_finding signatures problem 'modules_disabled is set: vfio_pci cannot be loaded' modules-load.d
	add_driver vfio-pci vfio_pci
	assert_finding signatures note 'loaded or built in'
}

@test "built-in: a native driver before udev is a problem, unless takeover = idle or boot = native" {
	rm "$TREE/sys/module/nouveau/initstate"
	assert_finding built-in problem 'built into the kernel: nouveau' 'takeover = idle' nouveau.modeset=0
	printf '[policy]\nboot = vfio\ntakeover = idle\n' | set_config
	assert_finding built-in note
	printf '[policy]\nboot = native\n' | set_config
	assert_finding built-in note
}

@test "initramfs: a native driver without nvfio is a problem, unless takeover = idle or boot = native" {
	make_initramfs usr/lib/modules/nouveau.ko.xz usr/lib/modules/nvidia-drm.ko
	assert_finding initramfs problem "/boot/initrd.img-$RELEASE has nouveau, and not nvfio" 'takeover = idle' update-initramfs
	printf '[policy]\nboot = vfio\ntakeover = idle\n' | set_config
	assert_finding initramfs note
	printf '[policy]\nboot = native\n' | set_config
	assert_finding initramfs ok 'need not be'
}

@test "initramfs: nvfio is in there, whole, in part, or older than its configuration" {
	make_initramfs usr/lib/udev/nvfio-udev usr/lib/udev/rules.d/70-nvfio.rules nouveau.ko
	assert_finding initramfs ok "nvfio is in /boot/initrd.img-$RELEASE"
	touch -d '+1 hour' "$TREE/etc/nvfio.conf"
	assert_finding initramfs note 'older than /etc/nvfio.conf' update-initramfs
	make_initramfs etc/udev/rules.d/70-nvfio.rules
	assert_finding initramfs problem 'rules without its helper'
	make_initramfs usr/lib/udev/nvfio-udev
	assert_finding initramfs problem 'helper without its rules'
}

@test "initramfs: compressed in each way, or not at all" {
	local -a COMPRESS
	local way
	for way in cat 'xz --check=crc32' 'zstd -q'; do
		read -ra COMPRESS <<<"$way"
		make_initramfs usr/lib/udev/nvfio-udev usr/lib/udev/rules.d/70-nvfio.rules
		assert_finding initramfs ok "nvfio is in /boot/initrd.img-$RELEASE"
	done
}

@test "initramfs: what is no initramfs, cut off, empty or none at all cannot be told" {
	local image=$TREE/boot/initrd.img-$RELEASE what
	cp "$image" "$BATS_TEST_TMPDIR/whole"
	for what in 'head -c 90' 'head -c -120' 'tr 0-9 a-j' 'true' 'sed s/070701/0707zz/' 'sed s/TRAILER/TRXXLER/'; do
		$what <"$BATS_TEST_TMPDIR/whole" >"$image"
		assert_finding initramfs note 'cannot be told: it is no initramfs, or damaged'
	done
	rm "$image"
	assert_finding initramfs note "no initramfs of kernel $RELEASE" 'unified kernel image'
	mkdir "$image"
	assert_finding initramfs note 'cannot be told'
}

@test "initramfs: found by the names of Fedora, of Arch, and of boot loader entries" {
	local image=$TREE/boot/initrd.img-$RELEASE id=0123456789abcdef0123456789abcdef
	mv "$image" "$TREE/boot/initramfs-$RELEASE.img"
	assert_finding initramfs ok "/boot/initramfs-$RELEASE.img"
	mv "$TREE/boot/initramfs-$RELEASE.img" "$TREE/boot/initramfs-linux-lts.img"
	put "/lib/modules/$RELEASE/pkgbase" linux-lts
	assert_finding initramfs ok /boot/initramfs-linux-lts.img
	put /etc/machine-id $id
	mkdir -p "$TREE/boot/$id/$RELEASE"
	mv "$TREE/boot/initramfs-linux-lts.img" "$TREE/boot/$id/$RELEASE/initrd"
	assert_finding initramfs ok "/boot/$id/$RELEASE/initrd"
}

@test "initramfs: without libarchive that is said, with the package" {
	printf '#include <stddef.h>\nvoid *dlopen(const char *f, int g) { (void)f, (void)g; return NULL; }\n' |
		$CC -w -x c -shared -fPIC -o "$BATS_TEST_TMPDIR/none.so" -
	NVFIO_UNDER="/usr/bin/env LD_PRELOAD=$FAKES_DIR/fakekernel.so:$BATS_TEST_TMPDIR/none.so" assert_finding initramfs note \
		'cannot be told without libarchive' 'apt install libarchive13'
}

# --- nvfio itself ---------------------------------------------------------------------------------------------------

@test "rules: missing, masked, replaced, or without the helper" {
	put /etc/udev/rules.d/70-nvfio.rules
	assert_finding rules problem 'switched off by /etc/udev/rules.d/70-nvfio.rules' 'rm /etc'
	rm "$TREE/etc/udev/rules.d/70-nvfio.rules"
	ln -s /dev/null "$TREE/etc/udev/rules.d/70-nvfio.rules"
	assert_finding rules problem 'switched off'
	rm "$TREE/etc/udev/rules.d/70-nvfio.rules"
	chmod -x "$TREE/usr/lib/udev/nvfio-udev"
	assert_finding rules problem 'nvfio-udev is not'
	rm "$TREE/usr/lib/udev/rules.d/70-nvfio.rules"
	assert_finding rules problem 'there is no 70-nvfio.rules'
}

@test "udev: not running is a problem" {
	rm "$TREE/run/udev/control"
	assert_finding udev problem 'systemctl start systemd-udevd'
}

@test "switch: nvfio=off is a problem, a word like it none" {
	kernel_command_line quiet nvfio=off
	assert_finding switch problem 'remove nvfio=off'
	kernel_command_line nvfio=offline xnvfio=off
	assert_finding switch ok
	rm "$TREE/proc/cmdline"
	assert_finding switch note 'cannot be read'
}

@test "configuration: broken or not to be trusted is a problem, none at all is fine" {
	printf '[policy]\ngpu = maybe\n' | set_config
	assert_finding configuration problem '/etc/nvfio.conf:2: ' 'nvfio config --check'
	printf '[policy]\nboot = vfio\n' | set_config
	chmod 666 "$TREE/etc/nvfio.conf"
	assert_finding configuration problem 'writable' 'chmod go-w /etc/nvfio.conf'
	rm "$TREE/etc/nvfio.conf"
	assert_finding configuration ok 'the defaults hold'
	put /etc/nvfio.conf.d/a.conf '[policy]' 'boot = vfio'
	put /run/nvfio.conf.d/b.conf '[policy]' 'gpu = vfio'
	assert_finding configuration ok 'parses: /etc/nvfio.conf.d/a.conf, /run/nvfio.conf.d/b.conf'
}

@test "sections: for another card or for nobody is a note" {
	printf '[policy]\nboot = vfio\n[device 0000:77:00.0]\ngpu = native\n' | set_config
	assert_finding sections note '0000:77:00.0 (/etc/nvfio.conf:3)'
	printf '[device 0000:01:00.0]\nid = 10de:9999\ngpu = native\n' | set_config
	assert_finding sections note '0000:01:00.0 (/etc/nvfio.conf:2)' 'Another card'
}

@test "boot: left at boot is a note" {
	printf '[policy]\nboot = native\n' | set_config
	assert_finding boot note 'left at boot: 0000:01:00.0' 'boot = vfio'
	refute_mend boot 0000:01:00.1
	printf '[policy]\ngpu = native\n' | set_config
	assert_finding boot ok 'no GPU is wanted'
}

# frame_buffer BDF: the firmware's, on this function.
frame_buffer() {
	printf '%s\n' 'd0000000-dfffffff : PCI Bus 0000:01' "  d0000000-d1ffffff : $1" '    d0000000-d07fffff : simple-framebuffer' \
		>"$TREE/proc/iomem"
}

@test "console: spared is fine, lost a note, and where the kernel keeps the framebuffer a problem" {
	frame_buffer $GPU
	assert_finding console ok '0000:01:00.0 has the console (firmware framebuffer), and is left'
	printf '[device 0000:01:00.0]\ngpu = vfio\n' | set_config
	assert_finding console problem '0000:01:00.0 is wanted on VFIO, and has the boot framebuffer' initcall_blacklist=sysfb_init
	rm "$TREE/proc/iomem"
	mkdir "$TREE/proc/iomem"
	assert_finding console note 'cannot be told'
	rmdir "$TREE/proc/iomem"
	add_function 0000:07:00.0 10de:2204 030000 --group 7 --boot-vga
	assert_finding console ok '0000:07:00.0 has the console'
	printf '[device 0000:07:00.0]\ngpu = vfio\n' | set_config
	assert_finding console note '0000:07:00.0 is wanted on VFIO' 'goes dark'
}

# --- others ---------------------------------------------------------------------------------------------------------

@test "driverctl: an override for one of ours is a note" {
	put /etc/driverctl.d/pci-0000:01:00.1 vfio-pci
	put /etc/driverctl.d/pci-0000:05:00.0 vfio-pci
	assert_finding driverctl note 'overrides for 0000:01:00.1' 'unset-override 0000:01:00.1'
	refute_mend driverctl 0000:05
}

# domain NAME MANAGED BUS
domain() {
	put "/etc/libvirt/qemu/$1.xml" "<domain type='kvm'><devices><hostdev mode='subsystem' type='pci' managed='$2'>" \
		'<driver name="vfio"/><source>' "<address domain='0x0000' bus='$3' slot='0x00' function='0x0'/></source>" \
		"<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></hostdev></devices></domain>"
}

@test "libvirt: managed='yes' for one of ours is a note" {
	domain guest yes 0x01
	assert_finding libvirt note "domains with managed='yes': 0000:01:00.0 in guest" 'virsh edit'
	domain guest no 0x01
	assert_finding libvirt ok
	# The guest's own address is none of the host's.
	domain guest yes 0x05
	assert_finding libvirt ok
	put /run/libvirt/virtqemud-sock
	assert_finding libvirt ok 'libvirt is running'
}

@test "libvirt: what is no XML, or cut off, does no harm" {
	put /etc/libvirt/qemu/a.xml '<hostdev ' "<hostdev managed='yes'" '</hostdev>'
	put /etc/libvirt/qemu/b.xml "<hostdev managed='yes'><source><address bus='0x0x' slot='0x99' function=" '</source></hostdev>'
	put /etc/libvirt/qemu/c.xml "<hostdev managed='yes'><source><address domain='0x0' bus='0x01' slot='0x20' function='0x0'/></source></hostdev>"
	put /etc/libvirt/qemu/e.xml "<hostdev managed='yes'><source></source>" \
		"<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></hostdev>"
	assert_finding libvirt ok
	mkdir "$TREE/etc/libvirt/qemu/d.xml"
	assert_finding libvirt note 'could not be read'
}

@test "ids: a list is a note, and a problem where it takes what is to be left" {
	kernel_command_line quiet vfio-pci.ids=10de:2331,10de:22bc
	assert_finding ids note 'vfio-pci.ids is set (kernel command line)' 'remove vfio-pci.ids=10de:2331,10de:22bc'
	add_function 0000:07:00.0 10de:2331 030000 --group 7 --boot-vga
	assert_finding ids problem 'also takes 0000:07:00.0 (boot-vga)'
	kernel_command_line vfio_pci.ids=8086:1572
	assert_finding ids ok
	put /etc/modprobe.d/vfio.conf 'softdep nvidia pre: vfio-pci' 'options vfio-pci disable_vga=1 ids=10de:ffffffff:ffffffff'
	assert_finding ids problem '/etc/modprobe.d/vfio.conf:2' update-initramfs
	mkdir -p "$TREE/usr/lib/modprobe.d"
	mv "$TREE/etc/modprobe.d/vfio.conf" "$TREE/usr/lib/modprobe.d/vfio.conf"
	assert_finding ids problem '/usr/lib/modprobe.d/vfio.conf:2'
	ln -s /dev/null "$TREE/etc/modprobe.d/vfio.conf"
	assert_finding ids ok
	kernel_command_line pci-stub.ids=10de:22bc
	assert_finding ids problem 'pci-stub.ids (kernel command line) takes 0000:01:00.1'
}

@test "ids: a class and its mask count, so that the dedicated host's list does not take companions or NVSwitches" {
	local list=10de:ffffffff:ffffffff:ffffffff:030000:fffd00
	grep -q "^options vfio-pci ids=$list\$" "$REPO_DIR/conf/examples/dedicated-host.conf"
	install -D "$REPO_DIR/conf/examples/dedicated-host.conf" "$TREE/etc/modprobe.d/dedicated-host.conf"
	add_function 0000:05:00.0 10de:22a3 068000 --group 30
	add_function 0000:06:00.0 10de:2331 038000 --group 31
	assert_finding ids note "vfio-pci.ids is set (/etc/modprobe.d/dedicated-host.conf:"
	add_function 0000:07:00.0 10de:2331 030000 --group 7 --boot-vga
	assert_finding ids problem 'also takes 0000:07:00.0 (boot-vga)'
	kernel_command_line vfio-pci.ids=10de:ffffffff:1458
	assert_finding ids note 'vfio-pci.ids is set (kernel command line)'
}

@test "kubernetes: the GPU operator and KubeVirt are notes" {
	put /run/kubevirt/x
	assert_finding kubernetes note 'KubeVirt is here' 'delete pod'
	put /run/nvidia/validations/driver-ready
	assert_finding kubernetes note 'GPU operator' '"vfioManager":{"enabled":false}'
	put /run/nvidia/validations/vfio-pci-ready
	assert_finding kubernetes note 'with its vfio-manager'
}

@test "vgpu: signs are a note, with what is left for it" {
	put /usr/lib/nvidia/sriov-manage
	assert_finding vgpu note 'sriov-manage is installed' 'vf = native'
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	add_function 0000:02:00.4 10de:2235 030200 --vf-of 0000:02:00.0 --group 14
	assert_finding vgpu note 'left: 0000:02:00.4'
}

@test "services: nvidia-persistenced is a note where a wanted GPU is on nvidia" {
	put /proc/812/comm nvidia-persiste
	put /proc/abc/comm nvidia-persiste
	assert_finding services ok 'nvidia-persistenced (pid 812)'
	add_function 0000:05:00.0 10de:2331 030200 --group 5 --driver nvidia
	assert_finding services note 'systemctl stop nvidia-persistenced'
	put /proc/812/comm nv-hostengine
	assert_finding services note 'systemctl stop nvidia-dcgm'
}

@test "other-rules: those that remove or bind functions are a note" {
	put /usr/lib/udev/rules.d/80-nvidia-pm.rules '# ATTR{remove}="1" 10de' "ACTION==\"add\", ATTR{vendor}==\"0x10de\", \\" \
		' ATTR{class}=="0x040300", ATTR{remove}="1"'
	assert_finding other-rules note '/usr/lib/udev/rules.d/80-nvidia-pm.rules' 'without them' 'ln -s /dev/null'
	rm "$TREE/usr/lib/udev/rules.d/80-nvidia-pm.rules"
	put /etc/udev/rules.d/50-mine.rules 'KERNEL=="0000:01:00.0", ATTR{driver_override}="vfio-pci"'
	assert_finding other-rules note 'write driver_override: /etc/udev/rules.d/50-mine.rules'
	put /etc/udev/rules.d/50-mine.rules 'ATTR{driver_override}=="vfio-pci", ATTR{remove}=="1", TAG+="10de"'
	assert_finding other-rules ok
}

# --- access ---------------------------------------------------------------------------------------------------------

@test "node-group: one that does not exist is a problem" {
	printf '[policy]\nboot = vfio\nnode-group = gpus\n' | set_config
	assert_finding node-group problem 'no such group' 'groupadd --system gpus'
	printf '[policy]\nboot = vfio\nnode-group = kvm\n' | set_config
	assert_finding node-group ok 'node-group = kvm'
}

@test "user-nodes: by owner, group and mode of the group's node" {
	local arguments=(--user bob)
	on_vfio_with_node
	assert_finding user-nodes problem 'bob cannot open 0000:01:00.0 (/dev/vfio/1 is root:root 0600)' 'node-group = kvm'
	refute_mend user-nodes usermod
	on_vfio_with_node 660 104
	assert_finding user-nodes ok 'bob can open the nodes of 1 function'
	arguments=(--user alice)
	assert_finding user-nodes problem 'root:kvm 0660' 'usermod --append --groups kvm alice'
	on_vfio_with_node 440 1000
	assert_finding user-nodes problem 'root:alice 0440'
	on_vfio_with_node 666
	assert_finding user-nodes ok
	put /dev/vfio/vfio
	chmod 600 "$TREE/dev/vfio/vfio"
	assert_finding user-nodes problem '/dev/vfio/vfio is root:root 0600'
	arguments=(--user root)
	assert_finding user-nodes ok
	rm "$TREE/dev/vfio/1"
	arguments=(--user alice)
	assert_finding user-nodes problem '/dev/vfio/1 is not there'
}

@test "user-nodes: iommufd is the other way" {
	local arguments=(--user bob)
	on_vfio_with_node
	put /dev/vfio/devices/vfio9
	put /dev/iommu
	chown 0:104 "$TREE/dev/vfio/devices/vfio9" "$TREE/dev/iommu"
	chmod 660 "$TREE/dev/vfio/devices/vfio9" "$TREE/dev/iommu"
	assert_finding user-nodes ok
	chmod 600 "$TREE/dev/iommu"
	assert_finding user-nodes problem
}

@test "user-nodes: before anything is on VFIO it is the configuration that tells" {
	local arguments=(--user bob)
	assert_finding user-nodes note 'will not be able' 'node-group = kvm'
	printf '[policy]\nboot = vfio\nnode-group = kvm\n' | set_config
	assert_finding user-nodes ok 'bob will be able'
	arguments=(--user alice)
	assert_finding user-nodes note 'usermod'
}

@test "user-memlock: by limits.conf, of which the user's line holds, then the group's" {
	local arguments=(--user bob)
	assert_finding user-memlock problem 'bob may lock 8 MiB' "echo 'bob - memlock unlimited'" LimitMEMLOCK
	put /etc/security/limits.conf '# bob - memlock unlimited' '* soft memlock 33554432' 'bob - nofile 10'
	assert_finding user-memlock note 'bob may lock 32 GiB'
	put /etc/security/limits.d/10.conf '@kvm - memlock unlimited' '@kvm hard memlock 1'
	assert_finding user-memlock ok 'all memory'
	put /etc/security/limits.d/20.conf '* - memlock 1'
	assert_finding user-memlock ok
	put /etc/security/limits.d/05.conf 'bob - memlock 64'
	assert_finding user-memlock problem
	arguments=(--user alice)
	assert_finding user-memlock problem '0 MiB'
	arguments=(--user root)
	assert_finding user-memlock ok
}
