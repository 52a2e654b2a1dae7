#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nvfio bind and nvfio unbind: what an administrator asks for by hand, and what stays of it.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
USB=0000:01:00.2
OTHER=0000:02:00.0
DROP_IN=etc/nvfio.conf.d/50-bind

setup() {
	new_tree
}

teardown() {
	end_all
}

# said N: line N of what it printed.
said() {
	sed -n "$1p" <<<"$output"
}

# What it said on standard error but for what it waited for, which depends on how busy the host is.
complaints() {
	sed -e '/: waiting for /d' -e '/"code":"waiting"/d' <<<"$log"
}

assert_off_vfio() {
	assert_driver "$1" "$2"
	! on_vfio "$1" || explain "$1 still has vfio-dev"
	assert_override "$1" "${3-}"
}

driver_is() {
	[[ $(driver_of "$1") == "$2" ]]
}

# A virtual machine has the group's node open.
vm_uses_group() {
	add_node /dev/vfio/1 240 0
	echo 240:0 >"$TREE/sys/devices/virtual/vfio/1/dev"
	ln -s ../../../../class/vfio "$TREE/sys/devices/virtual/vfio/1/subsystem"
	hold /dev/vfio/1 4242 qemu-system-x86
}

# --- bind -----------------------------------------------------------------------------------------------------------

@test "bind takes the whole card, from whichever address, a line each, and says so to no companion" {
	add_card 0000:01:00 --native
	nvfio bind 01:00.1
	assert_status 0
	assert_output <<-EOF
		$GPU: bound to vfio-pci, was on nvidia (nobody uses it)
		$SND: bound to vfio-pci, was on snd_hda_intel (nobody uses it)
		$USB: bound to vfio-pci, was on xhci_hcd (nobody uses it)
	EOF
	assert_writes "$GPU/driver_override vfio-pci" "nvidia/unbind $GPU" "vfio-pci/bind $GPU" \
		"$SND/driver_override vfio-pci" "$SND/power/control on" "snd_hda_intel/unbind $SND" "vfio-pci/bind $SND" \
		"$USB/driver_override vfio-pci" "xhci_hcd/unbind $USB" "vfio-pci/bind $USB"
	[[ $(record_of $GPU state) == bound && $(record_of $GPU driver) == nvidia ]]
	[[ -z $(complaints) ]] || explain "it said something"
}

@test "bind knows the words of vfio-manage: --device-id, --all" {
	add_card 0000:01:00 --native
	add_card 0000:02:00 --native --group 2
	nvfio bind --device-id $GPU
	assert_status 0
	assert_on_vfio $USB
	assert_driver $OTHER nvidia
	nvfio bind --all
	assert_status 0
	assert_on_vfio $OTHER
	[[ $(said 1) == "$GPU: bound: it is on VFIO already" ]] || explain "already there is no word about it"
}

@test "bind asks neither for boot nor takeover, nor for what is said of all functions of its kind" {
	add_card 0000:01:00 --native
	set_config <<<$'[policy]\ngpu = native\ncompanion = native\ntakeover = never'
	nvfio bind $GPU
	assert_status 0
	assert_on_vfio $GPU
	assert_on_vfio $SND
}

@test "half a list of functions or of a group's members is none: nothing is done" {
	add_card 0000:01:00 --native
	FAKE_FAIL=list:bus/pci/devices:EIO nvfio bind --all
	assert_status 1
	[[ $log == *'could not be listed: Input/output error'* ]] || explain "it does not say so"
	FAKE_FAIL=list:iommu_groups/1/devices:EIO nvfio bind --group $GPU
	assert_status 1
	[[ $log == *'could not be listed: Input/output error'* ]] || explain "it does not say so"
	[[ -z $(writes) ]] || explain "something was written"
}

@test "bind --all names nobody: what is configured native is left, and that is no error" {
	add_card 0000:01:00 --native
	set_config <<<$'[policy]\ngpu = native'
	add_function 0000:00:0a.0 10de:0373 020000 --driver nouveau --parent pci0000:00
	nvfio bind --all
	assert_status 0
	assert_untouched
	assert_says "$GPU: left: configured native (/etc/nvfio.conf:2)"
	[[ $output != *00:0a.0* ]] || explain "a chipset's function is none of its business"
}

@test "bind leaves what a section of this very address or a rule says is native" {
	add_card 0000:01:00 --native
	set_config <<<"[device $GPU]"$'\ngpu = native'
	nvfio bind $GPU
	assert_status 1
	assert_untouched
	assert_log "$GPU: left: configured native (/etc/nvfio.conf:2)"
	rm "$TREE/etc/nvfio.conf"
	mkdir -p "$TREE/run/udev/data"
	printf 'E:NVFIO=native\n' >"$TREE/run/udev/data/+pci:$GPU"
	nvfio bind $GPU
	assert_status 1
	assert_untouched
	assert_log "$GPU: left: a udev rule says ENV{NVFIO}=native"
}

@test "a busy function is refused by the name of who uses it; --force takes it" {
	add_card 0000:01:00 --native
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 python3
	nvfio bind $GPU
	assert_status 1
	assert_untouched
	assert_log "$GPU: refused: it is in use; end its users and try again (/dev/nvidia0 open in pid 812 (python3))"
	assert_log "$SND: refused: it follows function 0 of its card"
	nvfio bind --force $GPU
	assert_status 0
	assert_on_vfio $GPU
	assert_on_vfio $SND
	assert_says "$GPU: bound to vfio-pci, was on nvidia (whether it is in use was not asked)"
}

@test "nvidia's own gate holds against --force: its remove() would hang" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvidia_node $GPU 0
	unbind_lock $GPU busy
	nvfio bind --force $GPU
	assert_status 1
	assert_log "$GPU: refused: it is in use; end its users and try again (nvidia refuses its unbindLock)"
	assert_driver $GPU nvidia
	assert_override $GPU ''
	[[ -z $(records) ]]
}

@test "--force lifts no critical guard, and neither does an address on the command line" {
	add_function $GPU 10de:2204 030000 --group 1 --driver nvidia --boot-vga
	add_function $OTHER 10de:2331 030200 --driver nvidia
	nvfio bind --force $GPU $OTHER
	assert_status 1
	assert_untouched
	assert_log "$GPU: left: it is the boot VGA device"
	assert_log "$OTHER: refused: it has no IOMMU group"
	set_config <<<"[device $GPU]"$'\ngpu = vfio'
	nvfio bind $GPU
	assert_status 0
}

@test "a PF with VFs stays, a VF of a vGPU host as well; other VFs can be asked for alone" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia --sriov 4
	add_function 0000:01:00.4 10de:2331 030200 --group 4 --driver nouveau --vf-of $GPU
	nvfio bind $GPU
	assert_status 1
	assert_log "$GPU: left: it is a PF with VFs"
	nvfio bind 0000:01:00.4
	assert_status 0
	assert_output <<<"0000:01:00.4: bound to vfio-pci, was on nouveau (nobody uses it)"
	nvfio unbind 0000:01:00.4
	assert_off_vfio 0000:01:00.4 nouveau
	mkdir -p "$TREE/usr/lib/nvidia"
	: >"$TREE/usr/lib/nvidia/sriov-manage"
	forget_writes
	nvfio bind --force 0000:01:00.4
	assert_status 1
	[[ -z $(writes) ]] || explain "something was written"
	assert_log "0000:01:00.4: left: the host looks like a vGPU host"
}

@test "bind leaves what another manager has" {
	add_card 0000:01:00 --native
	mkdir -p "$TREE/etc/driverctl.d"
	: >"$TREE/etc/driverctl.d/pci-$GPU"
	nvfio bind $GPU
	assert_status 1
	assert_untouched
	assert_log "$GPU: left: driverctl manages it"
	rm "$TREE/etc/driverctl.d/pci-$GPU"
	set_attribute $GPU driver_override 'other\n'
	nvfio bind $GPU
	assert_status 1
	assert_log "$GPU: left: another manager set its driver_override (other)"
	assert_driver $GPU nvidia
}

@test "not NVIDIA's, not there, no address: what is wrong is said, and the others are taken" {
	add_card 0000:01:00 --native
	add_function $OTHER 8086:1533 020000 --group 2
	nvfio bind $OTHER 0000:03:00.0 $GPU
	assert_status 3
	assert_log "$OTHER: not an NVIDIA device (8086:1533)"
	assert_log "0000:03:00.0: no such PCI function"
	assert_on_vfio $GPU
	nvfio unbind $OTHER
	assert_status 1
	assert_log "$OTHER: not an NVIDIA device (8086:1533)"
	forget_writes
	nvfio unbind $GPU 0000:01:00.9
	assert_status 2
	assert_log "0000:01:00.9: not the address of a PCI function: function '9' is not 0 to 7"
	[[ -z $(writes) ]] || explain "a mistyped command does nothing"
	nvfio bind
	assert_status 2
	nvfio bind --all $GPU
	assert_status 2
	nvfio unbind --force $GPU
	assert_status 2
}

@test "one that fails does not stop the others, and the exit status is the worst" {
	add_card 0000:01:00 --native
	add_card 0000:02:00 --native --group 2
	probe_fails $GPU vfio-pci EINVAL
	nvfio bind $GPU $OTHER
	assert_status 1
	assert_log "$GPU: failed to bind to vfio-pci: Invalid argument at step bind; rolled back: driver nvidia, override unset"
	assert_log "$SND: left: it follows function 0 of its card"
	assert_off_vfio $GPU nvidia
	assert_off_vfio $SND snd_hda_intel
	assert_on_vfio $OTHER
	assert_on_vfio 0000:02:00.2
}

@test "--group takes NVIDIA's other members, and says who is in the way" {
	add_driver igb igb
	add_card 0000:01:00 --native
	add_function $OTHER 10de:2331 030200 --group 1 --driver nvidia
	add_function 0000:03:00.0 8086:1533 020000 --group 1 --driver igb
	add_function 0000:04:00.0 8086:1533 020000 --group 1
	add_bridge 0000:00:01.0 --group 1
	nvfio bind --group $GPU
	assert_status 1
	assert_on_vfio $OTHER
	assert_log "0000:03:00.0: left: it is not an NVIDIA function (no \`siblings\` of its group names it)"
	[[ $log != *04:00.0* && $log != *00:01.0* ]] || explain "these are in nobody's way"
}

@test "--group takes a sibling that is named, after its GPU" {
	add_driver igb igb
	add_card 0000:41:00 --native
	add_function 0000:03:00.0 8086:1533 020000 --group 1 --driver igb
	interface_of 0000:03:00.0 eth1 down
	set_config <<<$'[device 0000:41:00.0]\nsiblings = 0000:03:00.0'
	nvfio bind --group 41:00.0
	assert_status 0
	assert_on_vfio 0000:03:00.0
	[[ $(said 4) == "0000:03:00.0: bound to vfio-pci, was on igb"* ]] || explain "it is not the last"
	nvfio unbind --all
	assert_status 0
	assert_off_vfio 0000:03:00.0 igb
	assert_off_vfio 0000:41:00.0 nvidia
	nvfio unbind 0000:03:00.0
	assert_status 0
	assert_says "0000:03:00.0: left: it is not on VFIO already (driver igb)"
}

@test "bind --dry-run prints what bind then writes, in that order, and writes nothing" {
	local plan
	add_card 0000:01:00 --native
	nvfio bind --dry-run $GPU
	assert_status 0
	assert_untouched
	assert_says "$GPU: bind: nobody uses it; would write, in this order"
	[[ $output != *uevent* ]] || explain "it tells no companion"
	plan=$(sed -nE 's,^    (.*) > /sys/bus/pci/(drivers|devices)/(.*)$,\3 \1,p' <<<"$output")
	nvfio bind $GPU
	[[ $plan == "$(writes | tr '\t' ' ')" ]] || explain "it said:" "$plan"
	nvfio bind --dry-run $GPU
	assert_status 0
	assert_says "$GPU: bound: it is on VFIO already"
}

@test "bind --dry-run of what would be refused says that, with the exit status" {
	add_card 0000:01:00 --native
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 python3
	nvfio bind --dry-run $GPU
	assert_status 1
	assert_says "$GPU: refused: it is in use; end its users and try again (/dev/nvidia0 open in pid 812 (python3))"
	[[ $output != *driver_override* ]] || explain "there is nothing to write"
}

@test "bind --dry-run of companions goes by what would become of function 0" {
	add_card 0000:01:00 --native
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 python3
	set_config <<<$'[policy]\ngpu = native'
	nvfio bind --dry-run --force $GPU
	assert_status 0
	assert_says "$GPU: bind: whether it is in use was not asked"
	assert_says "$USB: bind: whether it is in use was not asked"
}

# --- unbind ---------------------------------------------------------------------------------------------------------

@test "unbind gives back driver and override, of the whole card, and tells udev" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	forget_writes
	nvfio unbind $GPU
	assert_status 0
	assert_off_vfio $GPU nvidia
	assert_off_vfio $SND snd_hda_intel
	assert_off_vfio $USB xhci_hcd
	[[ $(said 1) == "$GPU: released: driver nvidia, override unset; no event takes it"* ]] || explain "what it says"
	[[ $(writes | grep -v uevent | tr '\t' ' ') == "vfio-pci/unbind $GPU
$GPU/driver_override \n
nvidia/bind $GPU
vfio-pci/unbind $SND
$SND/driver_override \n
snd_hda_intel/bind $SND
vfio-pci/unbind $USB
$USB/driver_override \n
xhci_hcd/bind $USB" ]] || explain "the writes"
	[[ $(uevents | cut -d' ' -f 1,2,4) == "$GPU change NVFIO=1
$SND change NVFIO=1
$USB change NVFIO=1" ]] || explain "the uevents"
	# And that event makes udev's properties right.
	follow_up --state left --reason unbound $GPU
	assert_state left released
}

@test "the lock is free when udev is told" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	FAKE_HOOK="write:.0/uevent sh $FAKES_DIR/client lock \$TREE/run/nvfio/$GPU.lock </dev/null >\$TREE/locked" \
		nvfio unbind $GPU
	assert_status 0
	grep -q locked "$TREE/locked" || explain "the event would have found it in flight"
}

@test "unbind of a companion is about that one; --card is the card" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	nvfio unbind $SND
	assert_status 0
	assert_off_vfio $SND snd_hda_intel
	assert_on_vfio $GPU
	assert_on_vfio $USB
	nvfio unbind --card $SND
	assert_status 0
	assert_off_vfio $GPU nvidia
	assert_off_vfio $USB xhci_hcd
}

@test "what was on no driver goes to whoever matches it; if nobody does, udev is asked to load one" {
	add_card 0000:01:00
	hotplug $GPU
	hotplug $SND
	nvfio unbind $SND
	assert_off_vfio $SND snd_hda_intel
	remove_driver nvidia
	forget_writes
	nvfio unbind $GPU
	assert_status 0
	assert_off_vfio $GPU ''
	assert_says "$GPU: released: driver none, override unset"
	assert_says "udev was asked to load a driver for it"
	[[ $(uevents) == "$GPU add "* ]] || explain "the uevents"
	coldplug --state left --reason unbound $GPU
	assert_state left released
}

@test "released: no event takes it back, whatever is configured" {
	local kind
	add_card 0000:01:00 --native
	set_config <<<$'[policy]\nboot = vfio\ntakeover = idle'
	nvfio bind $GPU
	nvfio unbind $GPU
	for kind in hotplug coldplug reapply follow_up release; do
		$kind --state deferred $GPU
		assert_state left released
		$kind $SND
		assert_state left released
	done
	assert_off_vfio $GPU nvidia
	nvfio list -rno bdf,state,reason
	[[ $(said 1) == "$GPU left released" ]]
	# Asked for, it is taken, and then it is as any other.
	nvfio bind $GPU
	assert_status 0
	assert_on_vfio $GPU
	[[ $(record_of $GPU state) == bound ]]
}

@test "released: a re-plugged one is another" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	nvfio unbind $GPU
	FAKE_HOOK="1 replace $GPU" nvfio_udev forget "$(syspath_of $GPU)"
	hotplug $GPU
	assert_state bound
}

@test "released stays what it was if a bind of it fails, and is lifted where it is on VFIO" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind $GPU
	nvfio unbind $GPU
	FAKE_FAIL=write:vfio-pci/bind:EIO nvfio bind $GPU
	assert_status 1
	assert_off_vfio $GPU nvidia
	[[ $(record_of $GPU state) == released ]] || explain "it is no longer released"
	# Somebody else put it there by hand, and it is to stay.
	rm "$TREE/sys/bus/pci/drivers/nvidia/$GPU" "$(device_dir $GPU)/driver"
	put_on_vfio $GPU
	nvfio bind $GPU
	assert_status 0
	[[ ! -e $TREE/run/nvfio/$GPU ]] || explain "it still is released"
}

@test "unbind of what is not on VFIO is a success, says so, and holds" {
	add_card 0000:01:00
	nvfio unbind $GPU
	assert_status 0
	assert_says "$GPU: left: it is not on VFIO already (driver none)"
	[[ $(record_of $GPU state) == released ]]
	hotplug $GPU
	assert_state left released
	nvfio unbind $GPU
	assert_status 0
}

@test "unbind finishes what an interrupted bind began" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	FAKE_HOOK="write:vfio-pci/bind sh kill -9 \$PPID" nvfio bind $GPU
	assert_status 1
	assert_log "the acting process ended at step bind"
	assert_driver $GPU ''
	assert_override $GPU vfio-pci
	nvfio unbind $GPU
	assert_status 0
	assert_off_vfio $GPU nvidia
	reapply $GPU
	assert_state left released
}

@test "unbind killed at each of its steps: the next event or command finishes it" {
	local ops n
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind $GPU
	save_tree
	FAKE_COUNT=1 nvfio unbind $GPU
	mapfile -t ops < <(awk '$2 ~ /^(write|rename)$/ { print $1 }' "$TREE/.fake_ops")
	((${#ops[@]} >= 7)) || explain "${#ops[@]} writes"
	for n in "${ops[@]}"; do
		for repair in reapply "nvfio unbind"; do
			restore_tree
			sed -i "s/^inode=.*/inode=$(stat -c %i "$(device_dir $GPU)")/" "$TREE/run/nvfio/$GPU"
			FAKE_HOOK="$n sh kill -9 \$PPID" nvfio unbind $GPU
			if [[ $repair == reapply ]] && on_vfio $GPU; then
				# Nothing had been written to it; an event sees what udev's rules see.
				reapply $GPU
				assert_state bound on-vfio
				continue
			fi
			$repair $GPU
			assert_status 0
			assert_off_vfio $GPU nvidia || explain "killed at operation $n, repaired by $repair"
			[[ $(record_of $GPU state) == released && -z $(record_of $GPU wanted) ]] ||
				explain "killed at operation $n, repaired by $repair: the record"
		done
	done
}

@test "what function 0 brings along stays with it, where its own VFIO node is in use" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	printf '511:0\n' >"$(echo "$(device_dir $GPU)"/vfio-dev/vfio*)/dev"
	add_node /dev/vfio/devices/vfio0 511 0
	hold /dev/vfio/devices/vfio0 4242 qemu-system-x86
	forget_writes
	nvfio unbind $GPU
	assert_status 1
	[[ -z $(writes) ]] || explain "something was written"
	assert_log "$SND: refused: function 0 of its card, $GPU, stays on VFIO"
	assert_on_vfio $SND
	# It may be released by its own name.
	nvfio unbind $SND
	assert_status 0
	assert_off_vfio $SND snd_hda_intel
}

@test "unbind --dry-run says so, too, and of a card whose function 0 would leave VFIO what it writes" {
	local bdf
	add_card 0000:01:00 --native
	add_card 0000:02:00 --native --group 2
	nvfio bind --all
	printf '511:0\n' >"$(echo "$(device_dir $GPU)"/vfio-dev/vfio*)/dev"
	add_node /dev/vfio/devices/vfio0 511 0
	hold /dev/vfio/devices/vfio0 4242 qemu-system-x86
	forget_writes
	nvfio unbind --dry-run --all
	assert_status 1
	[[ -z $(writes) ]] || explain "something was written"
	assert_says "$GPU: refused: its VFIO node is in use"
	for bdf in $SND $USB; do
		assert_says "$bdf: refused: function 0 of its card, $GPU, stays on VFIO"
	done
	for bdf in $OTHER 0000:02:00.1 0000:02:00.2; do
		assert_says "$bdf: release; would write, in this order"
	done
	[[ $(grep -c 'would write' <<<"$output") == 3 ]] || explain "something is written that would not be"
	nvfio unbind --dry-run --json $GPU
	assert_status 1
	[[ $(jq -c '[.bdf, (.writes | length)]' <<<"$output") == "[\"$GPU\",0]
[\"$SND\",0]
[\"$USB\",0]" ]] || explain "its JSON"
	nvfio unbind --dry-run $SND
	assert_status 0
	assert_says "$SND: release; would write, in this order"
	# Function 0 is refused, but not as one that stays on VFIO.
	add_function 0000:03:00.0 10de:2331 030200 --driver nvidia --group 3
	add_function 0000:03:00.1 10de:22bc 040300 --group 3
	put_on_vfio 0000:03:00.1
	nvfio unbind --dry-run --to nouveau 0000:03:00.0
	assert_status 1
	assert_says "0000:03:00.0: refused: it is on nvidia, not on VFIO"
	assert_says "0000:03:00.1: refused: it is on vfio-pci, but not by nvfio"
}

@test "unbind is refused while a virtual machine has the node open, by its pid" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	vm_uses_group
	forget_writes
	nvfio unbind $GPU
	assert_status 1
	[[ -z $(writes) ]] || explain "something was written"
	assert_log "$GPU: refused: its VFIO node is in use: /dev/vfio/1 open in pid 4242 (qemu-system-x86)"
	assert_on_vfio $GPU
	[[ $(record_of $GPU state) == bound ]]
	rm -r "$TREE/proc/4242"
	nvfio unbind $GPU
	assert_status 0
	assert_off_vfio $GPU nvidia
}

@test "a virtual machine that came while the lock was waited for is seen" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind $GPU
	vm_uses_group
	mv "$TREE/proc/4242" "$TREE/held"
	FAKE_HOOK="lock:$GPU.lock sh mv $TREE/held $TREE/proc/4242" nvfio unbind $GPU
	assert_status 1
	assert_log "in pid 4242"
	assert_on_vfio $GPU
}

@test "an unbind that was interrupted is shown as that, and ended by the next event" {
	add_function $GPU 10de:2331 030200 --group 1 --native nvidia
	make_record $GPU released wanted=vfio-pci driver=nvidia
	set_attribute $GPU driver_override 'vfio-pci\n'
	nvfio list -rno bdf,state
	[[ $output == "$GPU interrupted" ]]
	reapply $GPU
	assert_state left released
	assert_off_vfio $GPU nvidia
	nvfio list -rno bdf,state,reason
	[[ $output == "$GPU left released" ]]
}

# stands: after a failed unbind the function is on VFIO by nvfio as before, or what is left is on record, and it was said.
stands() {
	((status == 1)) || explain "$1: status" || return
	[[ $log == *"$GPU: "* ]] || explain "$1: not a word" || return
	if on_vfio $GPU; then
		[[ $(record_of $GPU state) == bound && $(override_of $GPU) == vfio-pci ]] || explain "$1: the record" || return
	else
		[[ $(record_of $GPU state) == released ]] || explain "$1: the record"
	fi
}

@test "unbind failing at each of its writes: what stands is on record, and the next try gets there" {
	local ops n op path
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind $GPU
	save_tree
	FAKE_COUNT=1 nvfio unbind $GPU
	mapfile -t ops < <(grep -E '^[0-9]+ (write|rename|lock|fork|open run/) ' "$TREE/.fake_ops")
	((${#ops[@]} >= 9)) || explain "${#ops[@]} operations"
	for op in "${ops[@]}"; do
		read -r n path <<<"$op"
		restore_tree
		sed -i "s/^inode=.*/inode=$(stat -c %i "$(device_dir $GPU)")/" "$TREE/run/nvfio/$GPU"
		FAKE_FAIL=$n:EIO nvfio unbind $GPU
		# There are two ways to the native driver; unlocking and telling udev change nothing.
		if ((status == 0)); then
			assert_off_vfio $GPU nvidia
			[[ $path == *@(nvidia/bind|driver_override|uevent|.lock) ]] || explain "$path failed, and nothing came of it"
		else
			stands "$path"
			nvfio unbind $GPU
			assert_status 0
		fi
		assert_off_vfio $GPU nvidia
		[[ $(record_of $GPU state) == released && -z $(record_of $GPU wanted) ]] || explain "$path: the record"
	done
}

@test "unbind works where nothing is taken: a configuration that does not parse, nvfio=off" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind $GPU
	set_config <<<'nonsense'
	kernel_command_line nvfio=off
	nvfio unbind $GPU
	assert_status 0
	assert_off_vfio $GPU nvidia
	nvfio bind $GPU
	assert_status 1
	assert_log "$GPU: left: nvfio=off is on the kernel command line"
	kernel_command_line quiet
	nvfio bind $GPU
	assert_status 1
	assert_log "$GPU: left: the configuration does not parse"
	assert_off_vfio $GPU nvidia
}

@test "unbind gives back only what nvfio took; --to says where the rest shall go" {
	add_function $GPU 10de:2331 030200 --group 1 --native nvidia
	put_on_vfio $GPU
	nvfio unbind $GPU
	assert_status 1
	[[ -z $(writes) ]] || explain "something was written"
	assert_log "$GPU: refused: it is on vfio-pci, but not by nvfio"
	nvfio unbind --to nvidia $GPU
	assert_status 0
	assert_off_vfio $GPU nvidia
	reapply $GPU
	assert_state left released
}

@test "unbind leaves what another manager has taken over since" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind $GPU
	set_attribute $GPU driver_override 'other\n'
	nvfio unbind $GPU
	assert_status 1
	assert_log "$GPU: refused: another manager set its driver_override (other)"
	assert_on_vfio $GPU
	[[ $(record_of $GPU state) == bound ]] || explain "its record is not what it was"
}

@test "an override for the VFIO driver from before nvfio does not bring it back there" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	set_attribute $GPU driver_override 'vfio-pci\n'
	nvfio bind $GPU
	nvfio unbind $GPU
	assert_status 0
	assert_off_vfio $GPU nvidia
}

@test "--to: another driver; one that is none, that does not take it, that is VFIO's" {
	add_card 0000:01:00 --native
	nvfio bind $GPU
	nvfio unbind --to no-such-driver $GPU
	assert_status 1
	assert_log "no-such-driver: no such PCI driver is in the kernel"
	assert_on_vfio $GPU
	nvfio unbind --to ../../etc $GPU
	assert_status 2
	nvfio unbind --to vfio-pci $GPU
	assert_status 1
	assert_log "$GPU: refused: vfio-pci is the VFIO driver that it is on"
	nvfio unbind --to nouveau $GPU
	assert_status 1
	assert_log "$GPU: failed at step give-back: nouveau does not take it: No such device; it is off VFIO (driver nvidia)"
	assert_off_vfio $GPU nvidia
	assert_off_vfio $SND snd_hda_intel
	nvfio bind $GPU
	printf 'nouveau\n' >"$(device_dir $GPU)/.fake_native"
	nvfio unbind --to nouveau $GPU
	assert_status 0
	assert_off_vfio $GPU nouveau
	assert_off_vfio $SND snd_hda_intel
	nvfio unbind --to nvidia $GPU
	assert_status 1
	assert_log "$GPU: refused: it is on nouveau, not on VFIO"
}

@test "unbind --all gives back what there is and is silent about the chipset" {
	add_card 0000:01:00 --native
	add_card 0000:02:00 --native --group 2
	add_function 0000:00:0a.0 10de:0373 020000 --driver nouveau --parent pci0000:00
	nvfio bind --all
	nvfio unbind --all
	assert_status 0
	assert_off_vfio $GPU nvidia
	assert_off_vfio $OTHER nvidia
	assert_off_vfio 0000:02:00.2 xhci_hcd
	[[ $(wc -l <<<"$output") == 6 ]] || explain "not a line each"
}

@test "unbind --dry-run prints what unbind then writes, and writes nothing" {
	local plan
	add_card 0000:01:00 --native
	nvfio bind $GPU
	forget_writes
	nvfio unbind --dry-run $GPU
	assert_status 0
	[[ -z $(writes) && $(record_of $GPU state) == bound ]] || explain "it did something"
	plan=$(sed -nE 's,^    (.*) > /sys/bus/pci/(drivers|devices)/(.*)$,\3 \1,p' <<<"$output" | sed 's/ newline$/ \\n/')
	nvfio unbind $GPU
	[[ $(sed '/uevent/d' <<<"$plan") == "$(writes | tr '\t' ' ' | sed '/uevent/d')" ]] || explain "it said:" "$plan"
	add_function $OTHER 10de:2331 030200 --group 2
	put_on_vfio $OTHER
	nvfio unbind --dry-run $OTHER
	assert_status 1
	assert_says "$OTHER: refused: it is on vfio-pci, but not by nvfio"
}

# --- --persist ------------------------------------------------------------------------------------------------------

@test "--persist: at boot the card is taken as well, and unbind --persist ends that" {
	add_card 0000:01:00 --native
	nvfio bind --persist $GPU
	assert_status 0
	assert_says "; /etc/nvfio.conf.d/50-bind-$GPU.conf takes it at every boot"
	[[ $(<"$TREE/$DROP_IN-$GPU.conf") == "# Written by \`nvfio bind --persist\`; \`nvfio unbind --persist $GPU\` removes it.
[device $GPU]
id = 10de:2331
boot = vfio
takeover = idle" ]] || explain "$(<"$TREE/$DROP_IN-$GPU.conf")"
	[[ $(stat -c %a "$TREE/$DROP_IN-$GPU.conf") == 644 ]]
	[[ $(ls -A "$TREE/etc/nvfio.conf.d") == "50-bind-$GPU.conf
50-bind-$SND.conf
50-bind-$USB.conf" ]] || explain "$(ls -A "$TREE/etc/nvfio.conf.d")"
	nvfio config --check "$TREE/$DROP_IN-$GPU.conf"
	assert_status 0
	# The next boot: nothing on record, and the native driver came first.
	nvfio unbind $GPU
	assert_says "; the next boot takes it again (/etc/nvfio.conf.d/50-bind-$GPU.conf:4; --persist removes that)"
	rm -r "$TREE/run/nvfio"
	coldplug $GPU
	assert_state bound
	nvfio unbind --persist $GPU
	assert_status 0
	assert_says "; removed /etc/nvfio.conf.d/50-bind-$GPU.conf"
	[[ -z $(ls "$TREE/etc/nvfio.conf.d") ]] || explain "something is left"
	rm -r "$TREE/run/nvfio"
	coldplug $GPU
	assert_state left boot
}

@test "--persist speaks against what is said of all functions, and says where it cannot" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	set_config <<<$'[policy]\ngpu = native'
	nvfio bind --persist $GPU
	assert_status 0
	grep -qx 'gpu = vfio' "$TREE/$DROP_IN-$GPU.conf"
	nvfio unbind $GPU
	rm -r "$TREE/run/nvfio"
	coldplug $GPU
	assert_state bound
	printf '[device %s]\nboot = native\n' $GPU >"$TREE/etc/nvfio.conf.d/90-mine.conf"
	nvfio bind --persist $GPU
	assert_status 1
	assert_log "was written, but at boot it will be left: /etc/nvfio.conf.d/90-mine.conf:2"
	assert_on_vfio $GPU
}

@test "--persist guards by the device's ids" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvfio bind --persist $GPU
	rm -r "$TREE/run/nvfio"
	nvfio unbind --to nvidia $GPU
	rm -r "$TREE/run/nvfio"
	set_attribute $GPU device '0x2342\n'
	coldplug $GPU
	assert_state left boot
}

@test "--persist writes nothing for what is not on VFIO, and no half a file" {
	local n
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 python3
	nvfio bind --persist $GPU
	assert_status 1
	[[ ! -e $TREE/etc/nvfio.conf.d ]] || explain "there are drop-ins"
	rm -r "$TREE/proc/812"
	mkdir "$TREE/etc/nvfio.conf.d"
	nvfio bind --dry-run --persist $GPU
	assert_says "would then write /etc/nvfio.conf.d/50-bind-$GPU.conf"
	[[ ! -s $TREE/$DROP_IN-$GPU.conf ]] || explain "a dry run wrote it"
	# Root's own files may be nobody else's business; these are.
	umask 077
	nvfio bind --persist $GPU
	umask 022
	assert_status 0
	[[ $(stat -c %a "$TREE/run/nvfio") == 755 ]]
	[[ $(stat -c %a "$TREE/$DROP_IN-$GPU.conf") == 644 ]]
	rm -r "$TREE/etc/nvfio.conf.d"
	FAKE_FAIL="write:50-bind-$GPU.conf.new:ENOSPC" nvfio bind --persist $GPU
	assert_status 1
	assert_log "; but /etc/nvfio.conf.d/50-bind-$GPU.conf could not be written: No space left on device"
	[[ -z $(ls -A "$TREE/etc/nvfio.conf.d") ]] || explain "half a file"
}

# --- waiting --------------------------------------------------------------------------------------------------------

# free_lock: the holder that lock_function() started lets go.
free_lock() {
	kill "$LOCK_PID"
	wait "$LOCK_PID" 2>/dev/null || :
	LOCK_PID=''
}

# The file that the program's standard error goes to, while it runs in the background.
said_so() {
	grep -q "$1" "$BATS_TEST_TMPDIR/stderr.$run_number"
}

# in_background COMMAND...: a function of helper.bash that runs nvfio; $PID is its shell, nvfio_pid the program.
in_background() {
	"$@" 3>&- &
	PID=$!
	run_number=$((${run_number-0} + 1))
}

nvfio_pid() {
	pgrep -f "sysroot=$TREE" -P "$PID"
}

@test "a function that somebody acts on is waited for, by the name of who it is" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	lock_function $GPU
	mkdir -p "$TREE"/proc/812/{fd,fdinfo}
	echo nvfio-udev >"$TREE/proc/812/comm"
	ln -s "$TREE/run/nvfio/$GPU.lock" "$TREE/proc/812/fd/5"
	printf 'pos:\t0\nflags:\t02100002\nlock:\t1: OFDLCK  ADVISORY  WRITE -1 00:19:5 0 EOF\n' >"$TREE/proc/812/fdinfo/5"
	in_background nvfio bind $GPU
	wait_until said_so "$GPU: waiting for pid 812 (nvfio-udev), which acts on it"
	free_lock
	wait "$PID"
	assert_on_vfio $GPU
}

@test "a function whose turn does not come is left, by the name of who acts on it" {
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	set_config <<<$'[policy]\ntimeout = 1s'
	lock_function $GPU
	nvfio bind $GPU
	assert_status 1
	assert_log "$GPU: in flight: another process acts on it; nothing was changed"
	nvfio unbind $GPU
	assert_status 1
	assert_log "$GPU: in flight: another process acts on it; nothing was changed"
	assert_untouched
}

@test "what is waited for is said, Ctrl-C ends the waiting, and the act goes on" {
	add_card 0000:01:00 --native
	FAKE_BLOCK=nvidia/unbind in_background nvfio bind $GPU
	wait_until said_so "$GPU: waiting for the driver it is on to let go of it (step unbind)"
	kill -INT "$(nvfio_pid)"
	wait "$PID"
	log=$(<"$BATS_TEST_TMPDIR/stderr.$run_number")
	assert_log "$GPU: in flight: interrupted at step unbind; a process waits on and finishes it"
	assert_log "interrupted; not begun: $SND, $USB"
	: >"$TREE/.fake_release"
	wait_until on_vfio $GPU
	wait_until grep -qx state=bound "$TREE/run/nvfio/$GPU"
	assert_driver $SND snd_hda_intel
}

@test "an unbind that does not come to an end in time is finished by its child" {
	local n
	add_card 0000:01:00 --native
	set_config <<<$'[policy]\ntimeout = 1s'
	nvfio bind $GPU
	FAKE_BLOCK=vfio-pci/unbind nvfio unbind $SND
	assert_status 1
	assert_log "$SND: in flight: the kernel has not answered step unbind in time; a process waits on and finishes it"
	# And it keeps nobody waiting who reads what nvfio says.
	for n in 0 1 2; do
		[[ $(readlink "/proc/$(cut -d' ' -f 1 "$TREE/.fake_blocked")/fd/$n") == /dev/null ]] || explain "descriptor $n"
	done
	: >"$TREE/.fake_release"
	wait_until driver_is $SND snd_hda_intel
}

# --- JSON, rights ---------------------------------------------------------------------------------------------------

@test "--json: an object a line and function, errors on standard error as well" {
	add_card 0000:01:00 --native
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 python3
	nvfio bind --json $GPU
	assert_status 1
	[[ $(jq -r '"\(.bdf) \(.state) \(.reason) \(.ok)"' <<<"$output") == "$GPU refused busy false
$SND refused function0 false
$USB refused function0 false" ]]
	[[ $(complaints | jq -r .error.code) == $'busy\nfunction0\nfunction0' ]]
	rm -r "$TREE/proc/812"
	nvfio bind --json --persist $GPU
	assert_status 0
	[[ -z $(complaints) ]]
	[[ $(jq -r '"\(.state) \(.driver) \(.drop_in) \(.ok)"' <<<"$(said 1)") == "bound vfio-pci /etc/nvfio.conf.d/50-bind-$GPU.conf true" ]]
	nvfio unbind --json --dry-run $GPU
	[[ $(jq -r '.writes[0].path' <<<"$(said 1)") == "/run/nvfio/$GPU" ]]
	nvfio unbind --json $GPU
	assert_status 0
	[[ $(jq -r '"\(.state) \(.reason) \(.driver) \(.drop_in)"' <<<"$(said 1)") == "left released nvidia null" ]]
}

@test "without root: what needs it is said, and a dry run does not" {
	local code=0 text
	add_card 0000:01:00 --native
	# Not on a tree, whose files are the tests': the host's address is not looked at before the question is asked.
	text=$(setpriv --reuid=65534 --clear-groups -- "$NVFIO" bind 0000:ff:1f.7 2>&1) || code=$?
	[[ $code == 1 && $text == "nvfio: only root may write to /sys/bus/pci and /run/nvfio"* ]] || explain "$code: $text"
	text=$(setpriv --reuid=65534 --clear-groups -- "$NVFIO" bind --dry-run 0000:ff:1f.7 2>&1) || code=$?
	[[ $code == 3 && $text == *"no such PCI function"* ]] || explain "$code: $text"
	# Who uses it cannot be seen: what would be written still is.
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 python3
	chmod 0700 "$TREE/proc/812/fd"
	chmod 0755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	text=$(ASAN_OPTIONS=verify_asan_link_order=0 setpriv --reuid=65534 --clear-groups -- \
		"$NVFIO" --sysroot="$TREE" bind --dry-run $GPU 2>&1) || code=$?
	[[ $text == "$GPU: bind: whether it is in use was not asked; would write, in this order"* ]] || explain "$text"
}

@test "no NVIDIA function at all is said" {
	nvfio bind --all
	assert_status 0
	assert_log "there is no NVIDIA function"
}
