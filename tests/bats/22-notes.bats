#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What an event notes of libkmod's answers, and when the next one believes it.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

PF=0000:01:00.0
VF1=0000:01:00.1
VF2=0000:01:00.2

# A host whose modules were installed a while ago, with two VFs of one model.
setup() {
	new_tree
	mkdir -p "$TREE/elsewhere"
	add_function $PF 10de:2331 030200 --driver nvidia --group 1 --sriov 8
	add_function $VF1 10de:2331 030200 --vf-of $PF --group 2
	add_function $VF2 10de:2331 030200 --vf-of $PF --group 3
	NOTES=$TREE/run/nvfio/modules
}

teardown() {
	end_all
}

# What is unpacked or copied has the time it had.
age() {
	find "$TREE/lib" "$TREE/etc" "$TREE/usr" "$TREE/elsewhere" -exec touch -h -d 2025-01-01 {} +
}

# blacklist MODULE FILE
blacklist() {
	echo "blacklist $1" >"$2"
}

# asked EVENT...: it succeeds, and asks libkmod.
asked() {
	FAKE_COUNT=1 "$@"
	assert_status 0 || return
	grep -q ' module' "$TREE/.fake_ops" || explain "libkmod was not asked"
}

not_asked() {
	FAKE_COUNT=1 "$@"
	assert_status 0 || return
	! grep ' module' "$TREE/.fake_ops" || explain "libkmod was asked"
}

@test "the second function of a model is put on VFIO without libkmod" {
	asked hotplug $VF1
	assert_state bound
	not_asked hotplug $VF2
	assert_state bound
	assert_on_vfio $VF2
}

@test "one that was not asked does not have it in its memory" {
	hotplug $VF1
	command=(strace -f -e trace=openat -o "$BATS_TEST_TMPDIR/calls" "$NVFIO_UDEV" decide
		--sysroot="$TREE" --action=add --seqnum=12 "$(syspath_of $VF2)")
	ASAN_OPTIONS=detect_leaks=0 "${command[@]}"
	grep -q 'libc\.so' "$BATS_TEST_TMPDIR/calls"
	run ! grep -E 'libkmod|libcrypto' "$BATS_TEST_TMPDIR/calls"
}

@test "decide believes notes, and makes none" {
	asked nvfio_decide add $VF1
	[[ ! -e $NOTES ]]
	hotplug $VF1
	[[ $(wc -l <"$NOTES") == 2 ]]
	not_asked nvfio_decide add $VF2
	assert_verdict bind no-driver
}

@test "nor does udevadm test" {
	asked nvfio_event add --seqnum '' $VF1
	[[ ! -e $NOTES ]]
}

@test "another model is asked for" {
	hotplug $VF1
	set_attribute $VF2 modalias 'pci:v000010DEd00002342sv000010DEsd000016EBbc03sc02i00'
	asked hotplug $VF2
	assert_state bound
}

# changes COMMAND...: after it the notes do not count.
changes() {
	hotplug $VF1
	assert_status 0
	not_asked nvfio_decide add $VF2
	"$@"
	asked nvfio_decide add $VF2
}

@test "a new file of modprobe.d: asked again" {
	changes blacklist vfio_pci "$TREE/etc/modprobe.d/a.conf"
	assert_verdict refuse blacklisted
}

@test "a file of modprobe.d with other contents: asked again" {
	blacklist other "$TREE/etc/modprobe.d/a.conf"
	changes blacklist vfio_pci "$TREE/etc/modprobe.d/a.conf"
	assert_verdict refuse blacklisted
}

# Of the same size, and as old: what is left is the time of its inode's change.
same_look() {
	blacklist vfio_pci "$TREE/etc/modprobe.d/a.conf"
	age
}

@test "a file of modprobe.d that was made to look the same: asked again" {
	blacklist vfio_pcx "$TREE/etc/modprobe.d/a.conf"
	age
	changes same_look
	assert_verdict refuse blacklisted
}

@test "a file that is not in modprobe.d any more: asked again" {
	blacklist other "$TREE/etc/modprobe.d/a.conf"
	changes rm "$TREE/etc/modprobe.d/a.conf"
}

@test "a directory of modprobe.d that was not there: asked again" {
	blacklist vfio_pci "$TREE/elsewhere/a.conf"
	changes ln -s ../../elsewhere "$TREE/usr/lib/modprobe.d"
	assert_verdict refuse blacklisted
}

@test "a directory of modprobe.d, and a file in it, that are links: asked again" {
	ln -s ../../elsewhere "$TREE/usr/lib/modprobe.d"
	blacklist other "$TREE/elsewhere/data"
	ln -s data "$TREE/elsewhere/a.conf"
	changes blacklist vfio_pci "$TREE/elsewhere/data"
	assert_verdict refuse blacklisted
}

@test "depmod was run: a vGPU host's module is seen, and a variant driver" {
	hotplug $VF1
	fake_ko "$(echo "$TREE"/lib/modules/*)/kernel/nvidia_vgpu_vfio.ko"
	depmod -b "$TREE" "$(uname -r)"
	asked nvfio_decide add $VF2
	assert_verdict leave vgpu-host
}

@test "another kernel command line: asked again" {
	changes kernel_command_line module_blacklist=vfio_pci
	assert_verdict refuse blacklisted
}

@test "what has just been changed is not noted, whatever time its contents have" {
	FAKE_CLOCK=0
	blacklist other "$TREE/etc/modprobe.d/a.conf"
	age
	asked hotplug $VF1
	assert_state bound
	[[ ! -e $NOTES ]]
	asked hotplug $VF2
	assert_state bound
}

@test "nor what had just been changed when a slow libkmod was asked" {
	FAKE_CLOCK=0
	touch "$TREE/etc/modprobe.d/a.conf"
	FAKE_HOOK="module:- sh sleep 4" hotplug $VF1
	assert_state bound
	[[ ! -e $NOTES ]]
}

# other_program FROM TO: this program, but for some text in it. Sets NVFIO_UDEV.
other_program() {
	sed "s/$1/$2/g" "$NVFIO_UDEV" >"$BATS_TEST_TMPDIR/nvfio-udev"
	! cmp -s "$NVFIO_UDEV" "$BATS_TEST_TMPDIR/nvfio-udev" || explain "there is no $1 in it" || return
	chmod +x "$BATS_TEST_TMPDIR/nvfio-udev"
	NVFIO_UDEV=$BATS_TEST_TMPDIR/nvfio-udev
}

@test "what another version noted: asked again" {
	hotplug $VF1
	not_asked nvfio_decide add $VF2
	other_program "$(sed 's/\./\\./g' "$REPO_DIR/VERSION")" "$(tr 0-9 1-90 <"$REPO_DIR/VERSION")"
	asked nvfio_decide add $VF2
}

@test "no modules where they are looked for: nothing is noted" {
	rm -r "$TREE/lib/modules"
	hotplug $VF1
	[[ ! -e $NOTES ]]
}

@test "a driver that is not in the kernel is not noted, and its module is asked for" {
	hotplug $VF1
	remove_driver vfio-pci
	asked nvfio_decide add $VF2
	asked hotplug $VF2
}

@test "a line that is not whole, or too long, or not ours does not count" {
	local stamp line
	hotplug $VF1
	read -r stamp _ <"$NOTES"
	for line in "$stamp nvidia_vgpu_vfio missing" "$stamp nvidia_vgpu_vfio missing ." "$stamp  missing ." "$stamp nvidia_vgpu_vfio  ." \
		"0$stamp nvidia_vgpu_vfio missing ." "$stamp nvidia_vgpu_vfio mis$stamp nvidia_vgpu_vfio missing ."; do
		printf '%s\n' "$line" >"$NOTES"
		asked nvfio_decide add $VF2
		assert_verdict bind no-driver
	done
	printf '%s pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00 %0300d .\n' "$stamp" 0 >"$NOTES"
	asked nvfio_decide add $VF2
	assert_verdict bind no-driver
	rm "$NOTES" && ln -s /dev/null "$NOTES"
	asked nvfio_decide add $VF2
	rm "$NOTES" && mkfifo "$NOTES"
	asked hotplug $VF2
	assert_state bound
}

@test "a full file is begun anew" {
	hotplug $VF1
	head -c 16384 /dev/zero | tr '\0' '\n' >"$NOTES"
	asked hotplug $VF2
	assert_state bound
	[[ $(wc -l <"$NOTES") == 1 ]]
}

@test "without libkmod it says so, and leaves the function" {
	other_program 'libkmod\.so\.2' libkmod.so.X
	set_config <<<$'[policy]\nvf = vfio'
	hotplug $VF1
	assert_status 1
	assert_log 'libkmod.so.X is not installed'
	[[ -z $(writes) ]]
}

# The driver was named, and is in the kernel: nothing else is asked of libkmod.
@test "without an answer of libkmod a VF may be a vGPU host's, and is left" {
	local fault
	set_config <<<$'[policy]\ndriver = vfio-pci'
	asked nvfio_decide add $VF1
	assert_verdict bind no-driver
	for fault in 1 2; do
		FAKE_FAIL=$(awk '/ module/ && ++n == '$fault' { print $1 }' "$TREE/.fake_ops"):EIO nvfio_decide add $VF1
		assert_verdict leave vgpu-host
		asked nvfio_decide add $VF1
	done
	other_program 'libkmod\.so\.2' libkmod.so.X
	hotplug $VF1
	assert_state left vgpu-host
	assert_log 'libkmod cannot tell whether nvidia_vgpu_vfio is installed'
	[[ -z $(writes) ]]
}
