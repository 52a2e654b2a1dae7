#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio-udev vfs`: the VFs of a PF that wait for its event, all in one. What comes of each is what its own event would have
# made of it; how udev is told: by a file for its `bind` event, or by an event that is asked for.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

PF=0000:01:00.0
VF0=0000:01:01.0 VF1=0000:01:01.1 VF2=0000:01:01.2

setup() {
	new_tree
	RUN=$TREE/run/nvfio
	add_function $PF 10de:2331 030200 --group 1 --driver nvidia --sriov 64
	nvidia_node $PF 0
}

teardown() {
	end_all
}

# vf N: its address.
vf() {
	printf '0000:01:%02x.%d' $((1 + $1 / 8)) $(($1 % 8))
}

# add_vf N [OPTION...]: of add_function; in a group of its own unless told otherwise, and waiting.
add_vf() {
	local n=$1
	shift
	add_function "$(vf "$n")" 10de:2331 030200 --vf-of $PF --group $((100 + n)) "$@"
	udev_says "$(vf "$n")" claimed with-pf
}

add_vfs() {
	local n
	for ((n = 0; n < $1; n++)); do
		add_vf "$n" --native nvidia
	done
}

take_vfs() {
	nvfio_udev vfs --seqnum=12 "$(syspath_of $PF)"
}

short_timeout() {
	set_config <<<$'[policy]\ntimeout = 1s'
}

# assert_landed BDF...: on VFIO with a record, and nobody acts on it any more.
assert_landed() {
	local bdf
	for bdf; do
		assert_on_vfio "$bdf" || return
		assert_override "$bdf" vfio-pci || return
		[[ -e $RUN/$bdf && $(record_of "$bdf" state) == bound ]] || explain "$bdf has no record of it" || return
		assert_unlocked "$bdf" || return
	done
}

assert_unlocked() {
	[[ ! -e $RUN/$1.lock ]] || "$FAKES_DIR/client" lock "$RUN/$1.lock" </dev/null >/dev/null || explain "$1 is locked"
}

# assert_same BDF...: nothing was written to it, and nothing is on record.
assert_same() {
	local bdf
	for bdf; do
		! grep -F "$bdf" < <(writes | grep -v '/uevent') || explain "something was written to $bdf" || return
		[[ ! -e $RUN/$bdf ]] || explain "$bdf has a record" || return
		assert_unlocked "$bdf" || return
	done
}

# assert_told [BDF...]: these, and no others, are asked to import what became of them.
assert_told() {
	diff <(uevents | sed -E 's/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/UUID/' | sort) \
		<((($# == 0)) || printf "%s add UUID NVFIO=${WORD:-told}\n" "$@" | sort) >&2 || explain "others were told"
}

# assert_called [BDF...]: these, and no others, are asked to come by themselves.
assert_called() {
	WORD=come assert_told "$@"
}

# imported BDF KEY: what the VF's next event takes from the file.
imported() {
	[[ ! -e $RUN/$1.properties ]] || sed -n "s/^$2=\"\(.*\)\"$/\1/p" "$RUN/$1.properties"
}

# assert_imports BDF STATE REASON
assert_imports() {
	[[ $(imported "$1" NVFIO_STATE) == "$2" && $(imported "$1" NVFIO_REASON) == "$3" ]] ||
		explain "its event imports: $(cat "$RUN/$1.properties" 2>&1)"
}

# like_events N: what comes of N VFs is what comes of their own events: files, attributes, and the log but for its order.
# The trees may be as they are only before.
like_events() {
	local n bdf log_of_events=()
	save_tree
	for ((n = 0; n < $1; n++)); do
		bdf=$(vf "$n")
		hotplug "$bdf"
		assert_status 0
		printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/$bdf.printed"
		[[ ! $log ]] || log_of_events+=("$log")
		look "$bdf" >"$BATS_TEST_TMPDIR/$bdf.before"
	done
	restore_tree
	take_vfs
	assert_status 0
	[[ -z $output ]] || explain "udev does not read its output"
	for ((n = 0; n < $1; n++)); do
		bdf=$(vf "$n")
		diff "$BATS_TEST_TMPDIR/$bdf.printed" "$RUN/$bdf.properties" >&2 || explain "another file for $bdf" || return
		diff "$BATS_TEST_TMPDIR/$bdf.before" <(look "$bdf") >&2 || explain "$bdf ended in another way" || return
		assert_unlocked "$bdf" || return
	done
	diff <(printf '%s\n' "${log_of_events[@]}" | sort) <(sort <<<"$log") >&2 || explain "another log"
}

# What an act leaves of a function, but for the inode.
look() {
	driver_of "$1"
	override_of "$1"
	[[ ! -e $RUN/$1 ]] || grep -v inode "$RUN/$1"
	writes | grep -F "$1" | grep -v /uevent || :
}

# --- all land -------------------------------------------------------------------------------------------------------

@test "all VFs that wait land, as by their own events, and none needs another event" {
	local n
	add_vfs 20
	like_events 20
	for ((n = 0; n < 20; n++)); do
		assert_landed "$(vf $n)"
		assert_imports "$(vf $n)" bound bound
	done
	assert_told
	[[ $(grep -c '^nvfio-udev: ' <<<"$log") == 20 ]] || explain "not 20 log records"
	[[ $(writes | wc -l) == 40 ]] || explain "more was written than override and bind"
	[[ $(find "$RUN" -type f | grep -vE '/0000:01:0[123]\.[0-7](\.lock|\.properties)?$') == "$RUN/modules" ]] ||
		explain "left behind: $(ls -A "$RUN")"
}

@test "the record and the file for the bind event are there before the bind" {
	add_vfs 1
	FAKE_HOOK="write:vfio-pci/bind sh cat \$TREE/run/nvfio/$VF0 \$TREE/run/nvfio/$VF0.properties >\$TREE/ahead" take_vfs
	assert_status 0
	grep -qx state=acting "$TREE/ahead"
	grep -qx 'NVFIO_STATE="bound"' "$TREE/ahead"
	assert_told
}

@test "its lock is held while a VF is acted on" {
	add_vfs 1
	FAKE_HOOK="write:vfio-pci/bind sh $FAKES_DIR/client lock \$TREE/run/nvfio/$VF0.lock </dev/null 2>\$TREE/lock-error" \
		take_vfs
	[[ $(cat "$TREE/lock-error") == EAGAIN ]] || explain "the lock was not held"
	assert_landed $VF0
}

@test "a VF that an idle native driver got first is taken from it" {
	add_vf 0 --driver nvidia
	add_vf 1 --driver nvidia
	nvidia_node $VF0 1
	nvidia_node $VF1 2
	like_events 2
	assert_landed $VF0 $VF1
	assert_told
	[[ $(imported $VF0 NVFIO_MESSAGE) == "bound to vfio-pci, was on nvidia"* ]] || explain "another message"
}

@test "a variant driver is taken where one names the device" {
	rm -rf "$TREE" && setup && cp -a "$FAKES_DIR/modules/variant/lib" "$TREE/"
	add_driver nvfio-test-variant nvfio_test_variant
	add_function $VF0 10de:2342 030200 --group 4 --vf-of $PF
	udev_says $VF0 claimed with-pf
	take_vfs
	assert_on_vfio $VF0 nvfio-test-variant
	[[ $(imported $VF0 NVFIO_DRIVER) == nvfio-test-variant ]] || explain "another driver in the file"
	assert_told
}

@test "the nodes of their groups are asked for, as by their own events" {
	local n asked=()
	add_vfs 3
	printf 'root:x:0:\nkvm:x:104:vm\n' >"$TREE/etc/group"
	set_config <<<$'[policy]\nnode-group = kvm'
	save_tree
	for n in 0 1 2; do
		hotplug "$(vf $n)"
	done
	mapfile -t asked < <(uevents | cut -d ' ' -f 1,2,4 | sort)
	[[ ${asked[*]} == "100 change NVFIO=1 101 change NVFIO=1 102 change NVFIO=1" ]] || explain "asked were: ${asked[*]}"
	restore_tree
	take_vfs
	assert_landed $VF0 $VF1 $VF2
	diff <(printf '%s\n' "${asked[@]}") <(uevents | cut -d ' ' -f 1,2,4 | sort) >&2 || explain "others were asked for"
	[[ -e $RUN/nodes ]] || explain "the rules would pass over them"
}

@test "VFs of a PF that is on VFIO itself land" {
	rm "$(device_dir $PF)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$PF"
	put_on_vfio $PF
	add_vfs 3
	take_vfs
	assert_status 0
	assert_landed $VF0 $VF1 $VF2
	assert_told
}

@test "a second event of the PF does nothing to VFs that landed" {
	local n
	add_vfs 3
	take_vfs
	for n in 0 1 2; do
		udev_says "$(vf $n)" bound bound
	done
	forget_writes
	take_vfs
	assert_status 0
	[[ -z $(writes) && -z $log ]] || explain "it did something"
	assert_landed $VF0 $VF1 $VF2
}

@test "a VF that landed before udev took note of it is bound, and not told" {
	add_vfs 2
	hotplug $VF1
	forget_writes
	take_vfs
	assert_landed $VF0 $VF1
	! grep -F $VF1 < <(writes) || explain "something was written to it"
	assert_told
}

# --- who is none of its business ------------------------------------------------------------------------------------

@test "a VF that udev has not heard of yet is told to come by itself" {
	add_vfs 3
	rm "$TREE/run/udev/data/+pci:$VF1"
	take_vfs
	assert_status 0
	assert_landed $VF0 $VF2
	assert_same $VF1
	assert_called $VF1
	[[ ! -e $RUN/$VF1.properties ]] || explain "there is a file for it to import"
	nvfio_event add --synth 5 --follow-up come --state claimed --reason with-pf $VF1
	assert_state bound
	assert_landed $VF1
}

@test "a VF whose first look takes long is told, too, though the second was another worker's" {
	add_vfs 3
	rm "$TREE/run/udev/data/+pci:$VF2"
	FAKE_HOOK="open:+pci:$VF2 sh sleep 1" take_vfs
	assert_status 0
	assert_landed $VF0 $VF1
	assert_called $VF2
}

@test "a VF that does not wait is not taken, and told only where that may be of another VF" {
	local row told=()
	add_vfs 8
	put_on_vfio "$(vf 0)"
	udev_says "$(vf 0)" bound bound
	lock_function "$(vf 1)"
	udev_says "$(vf 1)" left in-flight
	told=("$(vf 1)")
	# Each may be what the database says of the VF that was at the address before, and the lock its `remove` event's.
	for row in '2 bound bound' '3 left configured' '4 failed failed' '5 deferred held' '6 claimed claimed' '7 left with-pf'; do
		# shellcheck disable=SC2086 # words
		set -- $row
		udev_says "$(vf "$1")" "$2" "$3"
		told+=("$(vf "$1")")
	done
	take_vfs
	assert_status 0
	assert_called "${told[@]}"
	! grep -v '/uevent' < <(writes) || explain "something was written"
	[[ -z $(records) ]] || explain "there are records: $(records)"
}

@test "without a sequence number nothing is done" {
	add_vfs 2
	nvfio_udev vfs "$(syspath_of $PF)"
	assert_status 0
	assert_untouched
	[[ -z $output && ! -e $RUN ]] || explain "it did something"
}

@test "a PF that is gone" {
	nvfio_udev vfs --seqnum=12 "/sys/devices/$PORT/0000:09:00.0"
	assert_status 3
	assert_untouched
}

@test "a PF without VFs, and a function that is no PF" {
	take_vfs
	assert_status 0
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	nvfio_udev vfs --seqnum=12 "$(syspath_of 0000:02:00.0)"
	assert_status 0
	assert_untouched
	[[ -z $log && ! -e $RUN ]] || explain "it did something"
}

@test "a VF that goes while its turn comes is no error" {
	add_vfs 3
	FAKE_HOOK="lock:$VF1.lock remove $VF1" take_vfs
	assert_status 0
	assert_landed $VF0 $VF2
	assert_told
	assert_log "$VF1: no such PCI function, or it went away"
	refute_log failed
	add_vf 3
	FAKE_HOOK="write:$(vf 3)/driver_override remove $(vf 3)" take_vfs
	assert_status 0
	assert_told
	assert_log "$(vf 3): it went away at step"
	refute_log failed
}

@test "while somebody else acts on a VF it is passed over and told to come by itself, and the others land" {
	add_vfs 3
	lock_function $VF1
	take_vfs
	assert_status 0
	assert_landed $VF0 $VF2
	[[ ! -e $RUN/$VF1 && ! -e $RUN/$VF1.properties ]] || explain "something is known of $VF1"
	! grep -F $VF1 < <(writes) | grep -v '/uevent' || explain "something was written to $VF1"
	assert_called $VF1
	refute_log $VF1
}

# --- not taken: told, with nothing written --------------------------------------------------------------------------

# stay STATE REASON: all three do, as by their own events.
stay() {
	like_events 3
	assert_imports $VF0 "$@"
	assert_imports $VF1 "$@"
	assert_imports $VF2 "$@"
	assert_same $VF0 $VF1 $VF2
	assert_told $VF0 $VF1 $VF2
}

@test "VFs that are native by configuration are left" {
	add_vfs 3
	set_config <<<$'[policy]\nvf = native'
	stay left configured
}

@test "of VFs of which one is native by configuration the others land" {
	add_vfs 3
	set_config <<<"[device $VF1]"$'\nvf = native'
	like_events 3
	assert_landed $VF0 $VF2
	assert_same $VF1
	assert_imports $VF1 left configured
	assert_told $VF1
}

@test "VFs of a vGPU host are left" {
	add_vfs 3
	mkdir -p "$TREE/usr/lib/nvidia"
	: >"$TREE/usr/lib/nvidia/sriov-manage"
	stay left vgpu-host
}

@test "VFs without IOMMU are refused" {
	local n
	for n in 0 1 2; do
		add_vf $n
		rm "$(device_dir "$(vf $n)")/iommu_group"
	done
	no_iommu
	stay refused no-iommu
}

@test "VFs for which no module is installed are refused" {
	rm -rf "${TREE:?}/lib" && cp -a "$FAKES_DIR/modules/none/lib" "$TREE/"
	remove_driver vfio-pci
	add_vfs 3
	stay refused no-module
}

@test "VFs whose module cannot be loaded are refused" {
	remove_driver vfio-pci
	add_vfs 3
	stay refused load
}

@test "VFs with somebody else's override are left" {
	local n
	add_vfs 3
	for n in 0 1 2; do
		set_attribute "$(vf $n)" driver_override 'nvidia\n'
	done
	like_events 3
	assert_imports $VF0 left override
	assert_same $VF0 $VF1 $VF2
	assert_override $VF1 nvidia
	assert_told $VF0 $VF1 $VF2
}

@test "a VF in use on its native driver is deferred, and the others land" {
	add_vf 0
	add_vf 1 --driver nvidia
	nvidia_node $VF1 1
	hold /dev/nvidia1 812 sleep
	add_vf 2
	set_config <<<$'[policy]\nvf-autoprobe = keep'
	like_events 3
	assert_landed $VF0 $VF2
	assert_same $VF1
	assert_driver $VF1 nvidia
	assert_imports $VF1 deferred held
	assert_told $VF1
	assert_log "pid 812"
}

@test "a broken configuration leaves every VF, and is said once with file and line" {
	add_vfs 3
	set_config <<<$'[policy]\nvf = perhaps'
	stay left config-broken
	[[ $(grep -c 'nvfio.conf:2' <<<"$log") == 1 && $(wc -l <<<"$log") == 1 ]] || explain "not said once"
}

@test "nvfio=off leaves every VF, and is said once" {
	add_vfs 3
	kernel_command_line quiet nvfio=off
	take_vfs
	assert_status 0
	assert_same $VF0 $VF1 $VF2
	assert_imports $VF1 left off
	assert_told $VF0 $VF1 $VF2
	[[ $(grep -c 'left to its native driver' <<<"$log") == 1 && $(wc -l <<<"$log") == 1 ]] || explain "not said once"
}

@test "a VF that cannot be judged is told to come by itself, and the others land" {
	add_vfs 3
	set_attribute $VF1 class 'garbage\n'
	take_vfs
	assert_status 0
	assert_landed $VF0 $VF2
	assert_same $VF1
	assert_log "$VF1: attribute class is not what a kernel prints"
	assert_called $VF1
	[[ ! -e $RUN/$VF1.properties ]] || explain "there is a file for it to import"
}

# --- not as expected: told, with another file -----------------------------------------------------------------------

@test "a VF whose bind fails is rolled back, and the others land" {
	add_vfs 3
	probe_fails $VF1 vfio-pci EINVAL
	like_events 3
	assert_landed $VF0 $VF2
	assert_driver $VF1 nvidia
	assert_override $VF1 ""
	[[ ! -e $RUN/$VF1 ]] || explain "$VF1 has a record"
	assert_imports $VF1 failed failed
	assert_told $VF1
}

@test "a VF that the kernel does not match yet is claimed, by its own word" {
	add_vf 0 --match-off 100
	short_timeout
	like_events 1
	assert_override $VF0 vfio-pci
	[[ $(record_of $VF0 state) == claimed ]] || explain "the record says: $(record_of $VF0)"
	assert_imports $VF0 claimed claimed
	assert_told $VF0
	refute_log "in flight"
}

@test "a group that is not viable is told" {
	add_driver nvme nvme
	add_vfs 2
	add_function 0000:02:00.0 144d:a808 010802 --driver nvme --group 101
	like_events 2
	[[ $(imported $VF1 NVFIO_MESSAGE) == *"not viable"*"0000:02:00.0 (nvme)"* ]] || explain "nothing about the group"
	assert_landed $VF0 $VF1
	assert_told $VF1
}

@test "what a killed act left is given back where the VF is not wanted any more" {
	add_vfs 1
	make_record $VF0 acting driver=nvidia
	set_attribute $VF0 driver_override 'vfio-pci\n'
	set_config <<<$'[policy]\nvf = native'
	take_vfs
	assert_status 0
	assert_driver $VF0 nvidia
	assert_override $VF0 ""
	[[ -z $(records) ]] || explain "there are records: $(records)"
	assert_log "giving back what nvfio changed earlier"
	assert_imports $VF0 left configured
	assert_told $VF0
}

# nth OP SUFFIX N: the number of the N-th such operation of the last run.
nth() {
	awk -v op="$1" -v suffix="$2" -v n="$3" \
		'$2 == op && substr($3, length($3) - length(suffix) + 1) == suffix && ++seen == n { print $1 }' "$TREE/.fake_ops"
}

@test "what came of it cannot be written: what was expected is not left to be imported" {
	local second
	add_vfs 1
	probe_fails $VF0 vfio-pci EINVAL
	save_tree
	FAKE_COUNT=1 take_vfs
	assert_imports $VF0 failed failed
	second=$(nth rename .properties 2)
	[[ $second ]] || explain "the file was written once"
	restore_tree
	FAKE_FAIL=$second:ENOSPC take_vfs
	assert_status 0
	[[ ! -e $RUN/$VF0.properties ]] || explain "its event imports: $(cat "$RUN/$VF0.properties")"
	assert_log "could not write its properties"
	assert_called $VF0
}

@test "what is expected cannot be written: it is told what came of it" {
	add_vfs 1
	FAKE_FAIL=rename:.properties:ENOSPC take_vfs
	assert_status 0
	assert_landed $VF0
	assert_imports $VF0 bound bound
	assert_told $VF0
}

# --- a VF that takes long -------------------------------------------------------------------------------------------

@test "a probe that hangs keeps one VF: the others land, the parent says so and ends, the child goes on alone" {
	add_vfs 5
	short_timeout
	FAKE_BLOCK=$VF1/probe take_vfs
	assert_status 0
	assert_landed $VF0 $VF2 "$(vf 3)" "$(vf 4)"
	assert_driver $VF1 vfio-pci
	! on_vfio $VF1 || explain "it has landed"
	[[ $(record_of $VF1 state) == acting ]] || explain "the record says: $(record_of $VF1)"
	assert_log "$VF1: in flight: the kernel has not answered step bind in time"
	assert_log "step=bind"
	[[ $(grep -c 'in flight' <<<"$log") == 1 ]] || explain "not said once"
	assert_told
	# Nobody else acts on it.
	reapply --state claimed --reason with-pf $VF1
	assert_state left in-flight
	: >"$TREE/.fake_release"
	wait_until grep -q "$VF1: bound to vfio-pci" "$BATS_TEST_TMPDIR/stderr.1"
	wait_until assert_landed $VF1
	assert_imports $VF1 bound bound
	assert_told
}

@test "a worker that is killed while it hangs: its VF is said to have failed, the others land" {
	add_vfs 5
	FAKE_BLOCK=$VF1/probe FAKE_HOOK="lock:$VF1.lock sh (until grep -q probe \$TREE/.fake_blocked || [ ! -e \$TREE/sys ]; do
		sleep 0.01; done; kill -9 \$(cut -d ' ' -f 1 \$TREE/.fake_blocked)) >/dev/null 2>&1 &" take_vfs
	assert_status 0
	assert_landed $VF0 $VF2 "$(vf 3)" "$(vf 4)"
	assert_log "$VF1: failed: the acting process ended at step bind"
	[[ $(grep -c 'failed' <<<"$log") == 1 ]] || explain "not said once"
	assert_unlocked $VF1
	[[ $(record_of $VF1 state) == acting ]] || explain "the record says: $(record_of $VF1)"
	# As it says: the trigger.
	rm "$(device_dir $VF1)/driver" "$TREE/sys/bus/pci/drivers/vfio-pci/$VF1"
	reapply --state claimed --reason with-pf $VF1
	assert_state bound
	assert_landed $VF1
}

@test "a worker that is killed before the first step of a VF is not said to have been at the last one of another" {
	add_vfs 3
	FAKE_HOOK="lock:$VF1.lock sh kill -9 \$PPID" take_vfs
	assert_status 0
	assert_landed $VF0 $VF2
	assert_same $VF1
	assert_log "$VF1: failed: the acting process ended at step start"
	assert_log "step=start"
}

@test "no other worker is to be had for those that a killed one left: said at once" {
	add_vfs 3
	echo 1 >"$TREE/.fake_forks"
	FAKE_HOOK="lock:$VF0.lock sh kill -9 \$PPID" take_vfs
	assert_status 1
	assert_log "$VF0: failed: the acting process ended at step start"
	assert_log "$PF: not all of its VFs were come to: Resource temporarily unavailable"
	assert_same $VF1 $VF2
}

@test "no process is to be had at all: said, and nothing is touched" {
	add_vfs 3
	echo 0 >"$TREE/.fake_forks"
	take_vfs
	assert_status 1
	assert_log "$PF: not all of its VFs were come to: Resource temporarily unavailable"
	assert_same $VF0 $VF1 $VF2
}

@test "slow probes are shared by eight, who go on alone with those that had to wait" {
	local n
	add_vfs 12
	short_timeout
	FAKE_BLOCK=/probe take_vfs
	assert_status 0
	[[ $(cut -d ' ' -f 1 "$TREE/.fake_blocked" | sort -u | wc -l) == 8 && $(wc -l <"$TREE/.fake_blocked") == 8 ]] ||
		explain "not eight at once"
	[[ $(grep -c 'in flight' <<<"$log") == 8 ]] || explain "not all eight are said to be in flight"
	assert_log "$PF: 4 of its VFs are not begun with"
	: >"$TREE/.fake_release"
	for ((n = 0; n < 12; n++)); do
		wait_until grep -q "$(vf $n): bound to vfio-pci" "$BATS_TEST_TMPDIR/stderr.1"
		wait_until assert_landed "$(vf $n)"
	done
	assert_told
}

@test "as long as VFs get done nobody is late: one after the other may take longer than the timeout" {
	local n
	add_vfs 24
	short_timeout
	# Eight at a time, for a second each.
	FAKE_BLOCK=/probe FAKE_BLOCK_MAX=1 take_vfs
	assert_status 0
	for ((n = 0; n < 24; n++)); do
		assert_landed "$(vf $n)"
	done
	refute_log "in flight"
}

# --- what is left behind --------------------------------------------------------------------------------------------

@test "nothing stays of VFs that are removed" {
	local n path=()
	add_vfs 3
	probe_fails $VF1 vfio-pci EINVAL
	take_vfs
	for n in 0 1 2; do
		path+=("$(syspath_of "$(vf $n)")")
		rm -rf "$(device_dir "$(vf $n)")" "$TREE/sys/bus/pci/devices/$(vf $n)"
	done
	for n in 0 1 2; do
		nvfio_udev forget "${path[n]}"
		assert_status 0
	done
	[[ $(ls -A "$RUN") == modules ]] || explain "left behind: $(ls -A "$RUN")"
}

@test "a link or a directory in the place of the file is not written through, and the VF is told" {
	add_vfs 2
	mkdir "$RUN" "$TREE/elsewhere" "$RUN/$VF1.properties"
	printf 'precious\n' >"$TREE/elsewhere/file"
	ln -s "$TREE/elsewhere/file" "$RUN/$VF0.properties"
	take_vfs
	assert_status 0
	assert_landed $VF0 $VF1
	[[ $(<"$TREE/elsewhere/file") == precious && ! -L $RUN/$VF0.properties ]] || explain "written through the link"
	assert_imports $VF0 bound bound
	assert_log "$VF1: could not write its properties"
	assert_called $VF1
}

@test "/run/nvfio that others can write to: nothing is taken, and the VFs are told to come by themselves" {
	add_vfs 2
	mkdir -m 0777 "$RUN"
	take_vfs
	assert_status 0
	! grep -v '/uevent' < <(writes) || explain "something was written"
	assert_called $VF0 $VF1
	[[ -z $(ls -A "$RUN") ]] || explain "something is in it"
}
