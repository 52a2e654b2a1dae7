#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio-udev event`: what is written, in which order, and what is left when a step fails.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
USB=0000:01:00.2
VF=0000:01:00.4

setup() {
	new_tree
}

teardown() {
	end_all
}

gpu() {
	add_function $GPU 10de:2331 030200 --group 1 "$@"
}

native_gpu() {
	gpu --driver nvidia "$@"
	nvidia_node $GPU 0
}

short_timeout() {
	set_config <<<$'[policy]\ntimeout = 1s'
}

# assert_record BDF STATE DRIVER OVERRIDE
assert_record() {
	[[ -e $TREE/run/nvfio/$1 ]] || explain "$1 has no record"
	[[ $(record_of "$1" state) == "$2" ]] || explain "record of $1 says: $(record_of "$1")"
	[[ $(record_of "$1" driver) == "$3" ]] || explain "record of $1 says: $(record_of "$1")"
	[[ $(record_of "$1" override) == "$4" ]] || explain "record of $1 says: $(record_of "$1")"
}

# assert_native BDF DRIVER: as if nothing had ever happened.
assert_native() {
	assert_driver "$1" "$2"
	assert_override "$1" ""
	[[ -z $(records) ]] || explain "there are records: $(records)"
}

# assert_log_lines N
assert_log_lines() {
	[[ $(grep -c '^nvfio-udev: ' <<<"$log") == "$1" ]] || explain "not $1 log records"
}

is_there() {
	[[ -e $1 ]]
}

# --- taking ---------------------------------------------------------------------------------------------------------

@test "a driverless GPU lands with two writes" {
	gpu
	hotplug $GPU
	assert_state bound bound
	assert_on_vfio $GPU
	assert_writes "$GPU/driver_override vfio-pci" "vfio-pci/bind $GPU"
	assert_record $GPU bound "" ""
	[[ $(prop NVFIO_DRIVER) == vfio-pci && $(prop NVFIO_GROUP) == 1 ]] || explain "properties are missing"
	assert_log "$GPU: bound to vfio-pci"
	assert_log_lines 1
	[[ -z $(uevents) ]] || explain "an event was sent"
}

@test "an idle native driver is unbound by its name, after the override" {
	native_gpu
	hotplug $GPU
	assert_state bound bound
	assert_on_vfio $GPU
	assert_writes "$GPU/driver_override vfio-pci" "nvidia/unbind $GPU" "vfio-pci/bind $GPU"
	assert_record $GPU bound nvidia ""
}

@test "the record is written before the first write to the device" {
	native_gpu
	FAKE_HOOK="write:driver_override sh cp \$TREE/run/nvfio/$GPU \$TREE/ahead" hotplug $GPU
	assert_state bound
	grep -qx state=acting "$TREE/ahead"
	grep -qx driver=nvidia "$TREE/ahead"
}

@test "the function's lock is held while it is acted on, and not any more afterwards" {
	gpu
	FAKE_HOOK="write:vfio-pci/bind sh $FAKES_DIR/client lock \$TREE/run/nvfio/$GPU.lock </dev/null 2>\$TREE/lock-error" \
		hotplug $GPU
	assert_state bound
	[[ $(cat "$TREE/lock-error") == EAGAIN ]] || explain "the lock was not held"
	"$FAKES_DIR/client" lock "$TREE/run/nvfio/$GPU.lock" </dev/null
}

@test "a variant driver is taken where one names the device" {
	rm -rf "$TREE" && new_tree variant
	add_driver nvfio-test-variant nvfio_test_variant
	add_function $GPU 10de:2342 030200 --group 1
	hotplug $GPU
	assert_state bound
	assert_on_vfio $GPU nvfio-test-variant
	assert_writes "$GPU/driver_override nvfio-test-variant" "nvfio-test-variant/bind $GPU"
}

@test "an override that is right already is not written again" {
	gpu
	set_attribute $GPU driver_override 'vfio-pci\n'
	hotplug $GPU
	assert_state bound
	assert_writes "vfio-pci/bind $GPU"
	assert_record $GPU bound "" vfio-pci
}

@test "a function on VFIO is not touched again, whatever the event" {
	local kind
	gpu
	hotplug $GPU
	forget_writes
	for kind in hotplug coldplug reapply release; do
		$kind $GPU
		assert_state bound on-vfio
		[[ -z $(writes) ]] || explain "something was written"
		assert_record $GPU bound "" ""
	done
}

@test "a re-apply takes a driverless GPU" {
	gpu
	reapply $GPU
	assert_state bound
	assert_on_vfio $GPU
}

@test "what was deferred lands when its native driver lets go" {
	native_gpu
	hold /dev/nvidia0 812 sleep
	hotplug $GPU
	assert_state deferred held
	assert_untouched
	rm -r "$TREE/proc/812" "$(device_dir $GPU)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$GPU"
	release --state deferred $GPU
	assert_state bound
	assert_on_vfio $GPU
}

@test "without a sequence number nothing is done, only judged" {
	gpu
	hotplug --seqnum "" $GPU
	assert_verdict bind no-driver
	assert_untouched
	[[ ! -e $TREE/run/nvfio ]] || explain "/run/nvfio was made"
}

@test "a group that is not viable is told, with who is in the way" {
	add_card 0000:01:00
	add_driver nvme nvme
	add_driver pcieport pcieportdrv
	add_function 0000:00:1c.0 8086:1901 060400 --driver pcieport --group 1
	add_function 0000:02:00.0 144d:a808 010802 --driver nvme --group 1
	hotplug $GPU
	assert_state bound
	[[ $(prop NVFIO_MESSAGE) == *"not viable"*"0000:02:00.0 (nvme)"* ]] || explain "nothing about the group"
	[[ $(prop NVFIO_MESSAGE) != *0000:00:1c.0* ]] || explain "a bridge is in nobody's way"
}

@test "companions that are on their way do not make a group unviable" {
	add_card 0000:01:00
	bind_natively $SND snd_hda_intel
	hotplug $GPU
	assert_state bound
	[[ $(prop NVFIO_MESSAGE) != *"not viable"* ]] || explain "not viable"
}

# --- not taking: nothing is written ---------------------------------------------------------------------------------

# untouched_when STATE REASON: the hotplug's outcome, and that it left everything as it was.
untouched_when() {
	hotplug $GPU
	assert_state "$@"
	assert_untouched
}

@test "a GPU in use is not touched" {
	native_gpu
	hold /dev/nvidia0 812 sleep
	untouched_when deferred held
	assert_driver $GPU nvidia
	assert_log 812
	assert_log_lines 1
}

@test "a GPU that is mapped is not touched" {
	native_gpu
	map /dev/nvidia0 812
	untouched_when deferred held
	assert_log "/dev/nvidia0 mapped in pid 812 (mapper)"
}

@test "takeover = idle touches nothing where it is in doubt" {
	native_gpu
	set_config <<<$'[policy]\ntakeover = idle'
	# No directory: as good as one that cannot be read.
	mkdir -p "$TREE/proc/812/fd"
	: >"$TREE/proc/812/map_files"
	reapply $GPU
	assert_state deferred held
	assert_untouched
	assert_log "pid 812 could not be looked at"
	rm "$TREE/proc/812/map_files"
	reapply $GPU
	assert_state bound
}

@test "a takeover that is not allowed touches nothing" {
	native_gpu
	reapply $GPU
	assert_state deferred takeover
	assert_untouched
	set_config <<<$'[policy]\ntakeover = never'
	reapply $GPU
	assert_state left takeover-never
	assert_untouched
}

@test "takeover = idle takes an idle GPU at a re-apply" {
	native_gpu
	set_config <<<$'[policy]\ntakeover = idle'
	reapply $GPU
	assert_state bound
	assert_writes "$GPU/driver_override vfio-pci" "nvidia/unbind $GPU" "vfio-pci/bind $GPU"
}

@test "boot = native touches nothing, boot = vfio takes what is free" {
	gpu
	coldplug $GPU
	assert_state left boot
	assert_untouched
	set_config <<<$'[policy]\nboot = vfio'
	coldplug $GPU
	assert_state bound
}

@test "nvfio=off touches nothing, and is said once" {
	gpu
	kernel_command_line quiet nvfio=off
	untouched_when left off
	assert_log_lines 1
	untouched_when left off
	assert_log_lines 0
}

@test "nvfio=off works where nothing else does" {
	gpu
	kernel_command_line quiet nvfio=off
	set_attribute $GPU vendor 'garbage\n'
	set_config <<<garbage
	untouched_when left off
}

@test "boot VGA is not touched" {
	add_function $GPU 10de:1b80 030000 --group 1 --boot-vga
	untouched_when left boot-vga
}

@test "a firmware framebuffer is not touched" {
	add_function $GPU 10de:1b80 030000 --group 1
	printf '%s\n' "d0000000-d1ffffff : $GPU" '  d0000000-d02fffff : BOOTFB' >"$TREE/proc/iomem"
	untouched_when left console
}

@test "an enabled display is not touched" {
	gpu --driver nouveau
	drm_node $GPU card0 226:0
	connector $GPU card0 DP-1 enabled
	untouched_when left console
}

@test "without IOMMU nothing is touched" {
	add_function $GPU 10de:2331 030200 --driver nvidia
	nvidia_node $GPU 0
	no_iommu
	untouched_when refused no-iommu
	assert_driver $GPU nvidia
}

@test "without module nothing is touched" {
	rm -rf "$TREE" && new_tree none
	native_gpu
	untouched_when refused no-module
}

@test "with a blacklisted module nothing is touched" {
	native_gpu
	printf 'blacklist vfio_pci\n' >"$TREE/etc/modprobe.d/no.conf"
	untouched_when refused blacklisted
}

@test "a module that cannot be loaded leaves the native driver as it is" {
	native_gpu
	remove_driver vfio-pci
	hotplug $GPU
	assert_state refused
	assert_untouched
	assert_driver $GPU nvidia
}

@test "PFs with VFs are not touched" {
	native_gpu --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	set_config <<<$'[policy]\nvf-autoprobe = keep'
	untouched_when left pf-has-vfs
}

@test "on a vGPU host neither PF nor VF is touched" {
	native_gpu --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	unbind_lock $GPU
	untouched_when left pf-has-vfs
	hotplug $VF
	assert_state left vgpu-host
	assert_untouched
}

@test "the override of another manager is found by the child, and stays" {
	native_gpu
	set_attribute $GPU driver_override 'nvidia\n'
	hotplug $GPU
	assert_state left override
	assert_untouched
	assert_driver $GPU nvidia
	assert_override $GPU nvidia
}

@test "what nvfio unbind released stays where it is" {
	gpu
	make_record $GPU released
	hotplug $GPU
	assert_state left released
	[[ -z $(writes) ]] || explain "something was written"
	assert_record $GPU released "" ""
}

@test "while somebody acts on it nothing is touched" {
	gpu
	lock_function $GPU
	hotplug $GPU
	assert_state left in-flight
	assert_untouched
}

@test "a broken configuration takes nothing, and is logged once for all functions" {
	gpu
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	set_config <<<$'[policy]\ngpu = perhaps'
	untouched_when left config-broken
	assert_log nvfio.conf:2
	assert_log_lines 1
	hotplug 0000:02:00.0
	assert_state left config-broken
	assert_log_lines 0
	hotplug $GPU
	assert_log_lines 0
}

@test "another version of a broken configuration is logged anew" {
	gpu
	set_config <<<$'[policy]\ngpu = perhaps'
	hotplug $GPU
	assert_log_lines 1
	set_config <<<$'[policy]\n\ngpu = perhaps'
	hotplug $GPU
	assert_log_lines 1
	assert_log nvfio.conf:3
}

@test "a state directory others can write to is refused, before anything is written" {
	gpu
	mkdir -p "$TREE/run/nvfio"
	chmod 0777 "$TREE/run/nvfio"
	hotplug $GPU
	assert_status 1
	assert_untouched
}

# --- companions -----------------------------------------------------------------------------------------------------

@test "a card hotplugged function by function lands whole" {
	local bdf
	add_card 0000:01:00 --usb-c
	for bdf in $GPU $SND $USB 0000:01:00.3; do
		hotplug "$bdf"
		assert_state bound
	done
	for bdf in $GPU $SND $USB 0000:01:00.3; do
		assert_on_vfio "$bdf"
		assert_record "$bdf" bound "" ""
	done
}

@test "function 0 tells its companions that are not there yet, and nobody else" {
	add_card 0000:01:00 --usb-c
	add_function 0000:02:00.1 10de:22bc 040300 --group 2
	put_on_vfio $USB
	hotplug $GPU
	assert_state bound
	diff <(uevents | sed -E 's/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/UUID/') - <<-END
		$SND change UUID NVFIO=1
		0000:01:00.3 change UUID NVFIO=1
	END
	[[ $(writes | tail -n 1) == "0000:01:00.3/uevent"* ]] || explain "follow-ups come last"
}

@test "a foreign function in the same slot is told nothing" {
	gpu
	add_function $SND 8086:1234 040300 --group 1
	hotplug $GPU
	assert_state bound
	[[ -z $(uevents) ]] || explain "an event was sent"
}

@test "a follow-up takes an idle companion, and sends none" {
	add_card 0000:01:00
	bind_natively $SND snd_hda_intel
	hotplug $GPU
	forget_writes
	follow_up $SND
	assert_state bound
	assert_on_vfio $SND
	assert_writes "$SND/driver_override vfio-pci" "$SND/power/control on" "snd_hda_intel/unbind $SND" "vfio-pci/bind $SND"
	[[ -z $(uevents) ]] || explain "an event was sent"
}

@test "a companion whose sound card never comes is taken when it was waited for" {
	add_card 0000:01:00
	bind_natively $SND snd_hda_intel
	rm -r "$(device_dir $SND)/sound"
	set_config <<<$'[policy]\ntimeout = 1s'
	hotplug $GPU
	follow_up $SND
	assert_state bound
	assert_on_vfio $SND
}

@test "companions are not touched where function 0 is not taken" {
	add_card 0000:01:00
	set_config <<<"[device $GPU]"$'\ngpu = native'
	hotplug $SND
	assert_state left function0
	hotplug $USB
	assert_state left function0
	assert_untouched
}

@test "companions that were faster are given back where function 0 turns out to be left" {
	add_card 0000:01:00
	bind_natively $GPU nvidia
	nvidia_node $GPU 0
	set_attribute $GPU driver_override 'nvidia\n'
	hotplug $SND
	hotplug $GPU
	assert_state left override
	assert_driver $GPU nvidia
	assert_native $SND snd_hda_intel
	hotplug $USB
	assert_state left function0
	assert_override $USB ""
}

@test "a follow-up that cannot be sent is told, and costs nothing else" {
	add_card 0000:01:00
	FAKE_FAIL=write:.1/uevent:EPERM hotplug $GPU
	assert_state bound
	assert_on_vfio $GPU
	assert_log "$SND: could not send a follow-up event"
	[[ $(uevents) == "$USB "* ]] || explain "the other companion was not told"
}

# --- the kernel does not match it yet -------------------------------------------------------------------------------

@test "while the kernel does not match it the bind is tried again" {
	gpu --match-off 3
	hotplug $GPU
	assert_state bound
	assert_on_vfio $GPU
	assert_writes "$GPU/driver_override vfio-pci" "vfio-pci/bind $GPU" "vfio-pci/bind $GPU" "vfio-pci/bind $GPU" \
		"vfio-pci/bind $GPU"
}

@test "what the kernel attaches itself meanwhile is found bound" {
	gpu --match-off 100
	short_timeout
	local dev
	dev=$(device_dir $GPU)
	FAKE_HOOK="write:vfio-pci/bind sh cd $dev; ln -s ../../../../bus/pci/drivers/vfio-pci driver; mkdir -p vfio-dev/vfio0" \
		hotplug $GPU
	assert_state bound
	assert_record $GPU bound "" ""
}

@test "at the deadline it is claimed: the override stays for the kernel's own attach" {
	gpu --match-off 100
	short_timeout
	hotplug $GPU
	assert_state claimed claimed
	assert_override $GPU vfio-pci
	assert_record $GPU claimed "" ""
	[[ $(writes | sort -u | tr '\t' ' ') == "$GPU/driver_override vfio-pci"$'\n'"vfio-pci/bind $GPU" ]] ||
		explain "something else was written"
}

@test "claimed and then attached by the kernel is bound, and ours" {
	gpu --match-off 100
	short_timeout
	hotplug $GPU
	assert_state claimed
	put_on_vfio $GPU
	reapply $GPU
	assert_state bound on-vfio
	[[ -e $TREE/run/nvfio/$GPU ]] || explain "the record is gone"
}

@test "long after hotplug a device that is not matched is given back" {
	gpu --match-off 100
	short_timeout
	reapply $GPU
	assert_state failed failed
	assert_override $GPU ""
	[[ -z $(records) ]] || explain "there are records"
}

# --- a step fails ---------------------------------------------------------------------------------------------------

# assert_failed STEP ERRNO-TEXT: the outcome, and the record that says so.
assert_failed() {
	assert_state failed failed
	assert_log "step=$1"
	assert_log "$2"
}

@test "a bind that fails gives a driverless GPU to its native driver" {
	gpu --native nvidia
	probe_fails $GPU vfio-pci EINVAL
	hotplug $GPU
	assert_failed bind "Invalid argument"
	assert_writes "$GPU/driver_override vfio-pci" "vfio-pci/bind $GPU" "$GPU/driver_override \\n" "drivers_probe $GPU"
	assert_native $GPU nvidia
}

@test "a bind that fails gives an unbound GPU back to its native driver" {
	native_gpu
	probe_fails $GPU vfio-pci EINVAL
	hotplug $GPU
	assert_failed bind "Invalid argument"
	assert_writes "$GPU/driver_override vfio-pci" "nvidia/unbind $GPU" "vfio-pci/bind $GPU" \
		"$GPU/driver_override \\n" "drivers_probe $GPU"
	assert_native $GPU nvidia
}

@test "rolling back puts an earlier override back" {
	gpu
	set_attribute $GPU driver_override 'vfio-pci\n'
	probe_fails $GPU vfio-pci ENOMEM
	hotplug $GPU
	assert_failed bind "Cannot allocate memory"
	assert_override $GPU vfio-pci
	[[ -z $(records) ]] || explain "there are records"
}

@test "an override that cannot be written changes nothing" {
	native_gpu
	FAKE_FAIL=write:driver_override:EPERM hotplug $GPU
	assert_failed override "Operation not permitted"
	assert_native $GPU nvidia
}

@test "an unbind that fails gives the override back" {
	native_gpu
	FAKE_FAIL=write:nvidia/unbind:EIO hotplug $GPU
	assert_failed unbind "Input/output error"
	assert_native $GPU nvidia
}

@test "a short write is a failure" {
	native_gpu
	FAKE_FAIL=write:driver_override:SHORT hotplug $GPU
	assert_failed override "Input/output error"
	assert_native $GPU nvidia
}

@test "a record that cannot be written stops before the first write" {
	native_gpu
	FAKE_FAIL=rename:run/nvfio/$GPU:ENOSPC hotplug $GPU
	assert_failed record "No space left"
	assert_untouched
	assert_driver $GPU nvidia
}

@test "a native driver that cannot be had back is told" {
	native_gpu
	probe_fails $GPU vfio-pci EINVAL
	probe_fails $GPU nvidia EIO
	hotplug $GPU
	assert_failed bind "Invalid argument"
	assert_override $GPU ""
	[[ -z $(driver_of $GPU) ]]
	assert_log "rolling back failed too: Input/output error"
	assert_record $GPU acting nvidia ""
}

@test "a rollback that fails keeps the record, and the next event gives back" {
	native_gpu
	probe_fails $GPU vfio-pci EINVAL
	FAKE_FAIL=write:sys/bus/pci/drivers_probe:EIO hotplug $GPU
	assert_state failed failed
	if [[ $(records) ]]; then
		set_config <<<$'[policy]\ngpu = native'
		reapply $GPU
	fi
	assert_native $GPU nvidia
}

@test "a VFIO driver that stays busy is given up at the deadline" {
	gpu --native nvidia
	short_timeout
	probe_fails $GPU vfio-pci EBUSY
	hotplug $GPU
	assert_failed bind "busy"
	assert_native $GPU nvidia
}

@test "an acting process that is killed leaves a record, and the next event takes up from it" {
	native_gpu
	FAKE_HOOK="write:vfio-pci/bind sh kill -9 \$PPID" hotplug $GPU
	assert_state failed failed
	assert_record $GPU acting nvidia ""
	assert_log "the acting process ended"
	forget_writes
	reapply $GPU
	assert_state bound
	assert_writes "vfio-pci/bind $GPU"
	assert_record $GPU bound nvidia ""
}

@test "what a killed process left is given back where it is not wanted any more" {
	native_gpu
	FAKE_HOOK="write:vfio-pci/bind sh kill -9 \$PPID" hotplug $GPU
	assert_state failed failed
	forget_writes
	set_config <<<$'[policy]\ngpu = native'
	reapply $GPU
	assert_state left configured
	assert_writes "$GPU/driver_override \\n" "drivers_probe $GPU"
	assert_native $GPU nvidia
}

@test "an override that is not ours any more is not given back" {
	gpu
	make_record $GPU acting
	set_attribute $GPU driver_override 'nouveau\n'
	set_config <<<$'[policy]\ngpu = native'
	reapply $GPU
	assert_state left configured
	[[ -z $(writes) ]] || explain "something was written"
	assert_override $GPU nouveau
}

@test "a record of the card that sat there before is no record" {
	gpu
	make_record $GPU acting inode=1 override=nouveau driver=nouveau
	hotplug $GPU
	assert_state bound
	assert_record $GPU bound "" ""
}

# --- races ----------------------------------------------------------------------------------------------------------

# The native driver attaches right before our bind.
attach_nvidia() {
	local dev
	dev=$(device_dir $GPU)
	printf 'ln -s ../../../../bus/pci/drivers/nvidia %s/driver; ln -s %s %s/sys/bus/pci/drivers/nvidia/' "$dev" "$dev" \
		"$TREE"
}

@test "a native driver that was quicker is judged, and left go if idle" {
	gpu
	nvidia_node $GPU 0
	FAKE_HOOK="write:vfio-pci/bind sh $(attach_nvidia)" hotplug $GPU
	assert_state bound
	assert_on_vfio $GPU
	assert_writes "$GPU/driver_override vfio-pci" "# sh $(attach_nvidia)" "vfio-pci/bind $GPU" "nvidia/unbind $GPU" \
		"vfio-pci/bind $GPU"
}

@test "a native driver that was quicker and is in use keeps it" {
	gpu --native nvidia
	nvidia_node $GPU 0
	mkdir -p "$TREE/proc/812/fd"
	printf 'sleep\n' >"$TREE/proc/812/comm"
	FAKE_HOOK="write:vfio-pci/bind sh $(attach_nvidia); ln -s $TREE/dev/nvidia0 $TREE/proc/812/fd/3" hotplug $GPU
	assert_state deferred held
	assert_native $GPU nvidia
	run ! grep nvidia/unbind "$TREE/.fake_writes"
}

@test "a holder that comes while we prepare is seen" {
	native_gpu
	mkdir -p "$TREE/proc/812/fd"
	printf 'sleep\n' >"$TREE/proc/812/comm"
	FAKE_HOOK="read:driver_override sh ln -s $TREE/dev/nvidia0 $TREE/proc/812/fd/3" hotplug $GPU
	assert_state deferred held
	assert_native $GPU nvidia
	[[ $(writes | grep -vc '^#') == 0 ]] || explain "something was written"
}

@test "a mapping that comes while we prepare is seen" {
	native_gpu
	mkdir -p "$TREE/proc/812/fd" "$TREE/proc/812/map_files"
	printf 'sleep\n' >"$TREE/proc/812/comm"
	FAKE_HOOK="read:driver_override sh ln -s $TREE/dev/nvidia0 $TREE/proc/812/map_files/1000-2000" hotplug $GPU
	assert_state deferred held
	assert_native $GPU nvidia
	[[ $(writes | grep -vc '^#') == 0 ]] || explain "something was written"
}

@test "a native driver that leaves by itself meanwhile is no error" {
	native_gpu
	FAKE_HOOK="write:nvidia/unbind sh rm $(device_dir $GPU)/driver $TREE/sys/bus/pci/drivers/nvidia/$GPU" hotplug $GPU
	assert_state bound
	assert_on_vfio $GPU
}

# --- the kernel does not answer -------------------------------------------------------------------------------------

@test "an unbind that hangs does not hang us: claimed at the deadline, in flight for others, finished later" {
	native_gpu
	short_timeout
	FAKE_BLOCK=nvidia/unbind hotplug $GPU
	assert_state claimed in-flight
	assert_log "step=unbind"
	forget_writes
	reapply $GPU
	assert_state left in-flight
	[[ -z $(writes) ]] || explain "something was written"
	: >"$TREE/.fake_release"
	wait_until on_vfio $GPU
	wait_until grep -qx state=bound "$TREE/run/nvfio/$GPU"
	wait_until grep -q "$GPU: bound to vfio-pci" "$BATS_TEST_TMPDIR/stderr.1"
}

@test "an override that hangs does not hang us" {
	gpu
	short_timeout
	FAKE_BLOCK=driver_override hotplug $GPU
	assert_state claimed in-flight
	: >"$TREE/.fake_release"
	wait_until on_vfio $GPU
}

@test "a probe that hangs does not hang us" {
	gpu
	short_timeout
	FAKE_BLOCK=vfio-pci/bind hotplug $GPU
	assert_state claimed in-flight
	: >"$TREE/.fake_release"
	wait_until on_vfio $GPU
	wait_until grep -qx state=bound "$TREE/run/nvfio/$GPU"
}

# From 6.12 on nothing that is read waits for it. A bind would, with the override written.
@test "a function whose driver is in its remove() under somebody else is left, and lands with the unbind event" {
	native_gpu
	in_remove $GPU nvidia
	reapply $GPU
	assert_state left in-flight
	[[ -z $(writes) && -z $(records) ]] || explain "something was written"
	sed -i 1d "$(device_dir $GPU)/uevent"
	release $GPU
	assert_state bound
}

@test "nor is anything given back that nvfio took, while it is unbound from VFIO" {
	gpu --driver vfio-pci
	make_record $GPU bound driver=nvidia
	set_attribute $GPU driver_override 'vfio-pci\n'
	in_remove $GPU vfio-pci
	reapply $GPU
	assert_state left in-flight
	[[ -z $(writes) ]] || explain "something was written"
	[[ $(record_of $GPU state) == bound ]] || explain "its record says: $(record_of $GPU)"
}

# --- nvidia's own gate ----------------------------------------------------------------------------------------------

LOCK="proc/driver/nvidia/gpus/$GPU/unbindLock"

@test "unbindLock is taken before the unbind where it is offered" {
	native_gpu
	unbind_lock $GPU
	hotplug $GPU
	assert_state bound
	assert_writes "$LOCK 1" "$GPU/driver_override vfio-pci" "nvidia/unbind $GPU" "vfio-pci/bind $GPU"
}

@test "an unbindLock that is refused defers, with nothing written to the device" {
	native_gpu
	unbind_lock $GPU busy
	hotplug $GPU
	assert_state deferred held
	[[ $(writes | grep -v "^$LOCK") == "" ]] || explain "something was written"
	assert_native $GPU nvidia
}

@test "unbindLock is given back where the bind fails" {
	native_gpu
	unbind_lock $GPU
	FAKE_FAIL=write:nvidia/unbind:EIO hotplug $GPU
	assert_state failed failed
	[[ $(cat "$TREE/$LOCK") == 0 ]] || explain "the lock is still taken"
	assert_native $GPU nvidia
}

@test "unbindLock is given back where the record cannot be written" {
	native_gpu
	unbind_lock $GPU
	FAKE_FAIL=rename:run/nvfio/$GPU:ENOSPC hotplug $GPU
	assert_state failed failed
	[[ $(cat "$TREE/$LOCK") == 0 ]] || explain "the lock is still taken"
}

# --- SR-IOV ---------------------------------------------------------------------------------------------------------

autoprobe_of() {
	cat "$(device_dir $GPU)/sriov_drivers_autoprobe"
}

@test "a VF lands like a GPU" {
	native_gpu --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	hotplug $VF
	assert_state bound
	assert_writes "$VF/driver_override vfio-pci" "vfio-pci/bind $VF"
}

@test "a VF without physfn waits for the change that follows" {
	native_gpu --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU --no-physfn
	hotplug $VF
	assert_state deferred no-physfn
	assert_untouched
	link_vf $VF $GPU
	nvfio_event change --state deferred --reason no-physfn $VF
	assert_state bound
}

@test "native VF probing goes off at a PF that stays native" {
	native_gpu --sriov 16
	coldplug $GPU
	assert_state left boot
	[[ $(autoprobe_of) == 0 ]] || explain "still on"
	assert_writes "$GPU/sriov_drivers_autoprobe 0"
	[[ $(record_of $GPU autoprobe-off) == 1 ]] || explain "the record says: $(record_of $GPU)"
	assert_driver $GPU nvidia
	forget_writes
	coldplug $GPU
	[[ -z $(writes) ]] || explain "written again"
}

@test "native VF probing is kept where VFs stay native, and where it was asked to be" {
	native_gpu --sriov 16
	set_config <<<$'[policy]\nvf = native'
	coldplug $GPU
	assert_untouched
	set_config <<<$'[policy]\nvf-autoprobe = keep'
	coldplug $GPU
	assert_untouched
}

@test "native VF probing is kept on a vGPU host, but not where vf = vfio" {
	native_gpu --sriov 16
	mkdir -p "$TREE/usr/lib/nvidia"
	: >"$TREE/usr/lib/nvidia/sriov-manage"
	coldplug $GPU
	assert_untouched
	set_config <<<$'[policy]\nvf = vfio'
	coldplug $GPU
	[[ $(autoprobe_of) == 0 ]] || explain "still on"
}

@test "native VF probing comes back where we switched it off and it is not wanted any more" {
	native_gpu --sriov 16
	coldplug $GPU
	set_config <<<$'[policy]\nvf = native'
	coldplug $GPU
	[[ $(autoprobe_of) == 1 ]] || explain "still off"
	[[ -z $(records) ]] || explain "the record stays"
}

@test "native VF probing that an administrator switched off stays off" {
	native_gpu --sriov 16
	set_attribute $GPU sriov_drivers_autoprobe '0\n'
	set_config <<<$'[policy]\nvf = native'
	coldplug $GPU
	assert_untouched
	[[ $(autoprobe_of) == 0 ]]
}

# --- what it says ---------------------------------------------------------------------------------------------------

@test "without journal the record goes to the kernel's log" {
	gpu
	: >"$TREE/dev/kmsg"
	hotplug $GPU
	assert_state bound
	[[ $(cat "$TREE/dev/kmsg") == "<29>nvfio-udev: $GPU: bound to vfio-pci"*"state=bound"* ]] ||
		explain "kmsg has: $(cat "$TREE/dev/kmsg")"
	[[ -z $log ]] || explain "standard error has it as well"
}

@test "every line on standard output is a property" {
	native_gpu
	hotplug $GPU
	run ! grep -vE '^NVFIO_[A-Z]+="[^"\\]*"$' "$BATS_TEST_TMPDIR/stdout.1"
}
