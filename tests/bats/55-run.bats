#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is found in the place of /run/nvfio and of the files in it, another version's files among them; a clock that
# jumps; a configuration that is replaced while it is read. Never a hang, nothing written elsewhere, the function as it
# was or as it is wanted, a word about it and a documented exit status.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0

setup() {
	new_tree
	RUN=$TREE/run/nvfio
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia
	nvidia_node $GPU 0
	set_config <<<$'[policy]\ntakeover = idle\n'
	# What a link may lead to: nothing of it may change.
	mkdir "$TREE/elsewhere"
	printf 'precious\n' >"$TREE/elsewhere/file"
	NVFIO_UNDER="timeout 20"
}

teardown() {
	end_all
	! mountpoint -q "$TREE/run" || umount "$TREE/run"
}

taken() {
	assert_state bound || return
	assert_on_vfio $GPU || return
	nothing_elsewhere
}

# Not even tried, and said with this text.
as_before() {
	((status == 1)) || explain "exit status is $status" || return
	[[ $log == *"$1"*"nothing was changed"* ]] || explain "the record does not say: $1" || return
	[[ -z $(writes) ]] || explain "something was written" || return
	nothing_elsewhere
}

nothing_elsewhere() {
	[[ $(ls -A "$TREE/elsewhere") == file && $(<"$TREE/elsewhere/file") == precious ]] ||
		explain "written through a link: $(ls -lA "$TREE/elsewhere")"
}

# --- the directory --------------------------------------------------------------------------------------------------

@test "/run/nvfio is made where it is missing, for root alone to write" {
	hotplug $GPU
	taken
	[[ $(stat -c %a:%u "$RUN") == 755:0 ]]
}

@test "/run/nvfio is no directory" {
	: >"$RUN"
	hotplug $GPU
	as_before "Not a directory"
	rm "$RUN"
	reapply $GPU
	taken
}

@test "/run/nvfio is a link to elsewhere" {
	ln -s "$TREE/elsewhere" "$RUN"
	hotplug $GPU
	as_before "Not a directory"
}

@test "/run/nvfio is somebody else's" {
	mkdir "$RUN"
	chown 12345 "$RUN"
	make_record $GPU released
	hotplug $GPU
	as_before "not permitted"
}

@test "/run/nvfio is for everybody to write" {
	local mode
	for mode in 0777 1777 0775; do
		mkdir -m "$mode" "$RUN"
		hotplug $GPU
		as_before "not permitted"
		rmdir "$RUN"
	done
}

# A tmpfs of two pages, for a record and for what is noted of modules: full of something else, the directory and an empty
# lock fit still.
@test "/run is full" {
	mount -t tmpfs -o size=8k,mode=0755 none "$TREE/run"
	cat /dev/zero >"$TREE/run/filler" 2>/dev/null || :
	hotplug $GPU
	assert_state failed
	assert_log "No space left on device"
	assert_log "step=record"
	[[ -z $(writes) && -z $(records) ]] || explain "something was changed"
	assert_driver $GPU nvidia
	rm "$TREE/run/filler"
	reapply $GPU
	taken
}

@test "/run has no inodes left" {
	mount -t tmpfs -o nr_inodes=2,mode=0755 none "$TREE/run"
	: >"$TREE/run/filler"
	hotplug $GPU
	as_before "No space left on device"
}

@test "/run is read-only" {
	mount -t tmpfs -o ro,mode=0755 none "$TREE/run"
	hotplug $GPU
	as_before "Read-only file system"
	mount -o remount,rw "$TREE/run"
	reapply $GPU
	taken
	# What is there is believed also once nothing can be written.
	make_record $GPU released
	mount -o remount,ro "$TREE/run"
	rm -rf "$(device_dir $GPU)"/{vfio-dev,driver} "$TREE/sys/bus/pci/drivers/vfio-pci/$GPU"
	set_attribute $GPU driver_override '(null)\n'
	hotplug $GPU
	assert_state left released
}

# --- what is in it --------------------------------------------------------------------------------------------------

# put KIND FILE: something that is no file of ours.
put() {
	rm -rf "$2"
	case $1 in
	garbage) head -c 300 /dev/urandom >"$2" ;;
	nuls) head -c 400 /dev/zero >"$2" ;;
	large) head -c 1048576 /dev/zero | tr '\0' 'x' >"$2" ;;
	empty) : >"$2" ;;
	link) ln -s "$TREE/elsewhere/file" "$2" ;;
	dangling) ln -s "$TREE/elsewhere/nothing" "$2" ;;
	fifo) mkfifo "$2" ;;
	directory) mkdir "$2" ;;
	device) mknod "$2" c 1 5 ;;
	hardlink) ln "$TREE/elsewhere/file" "$2" ;;
	esac
}

@test "what is no record is said, and replaced" {
	local kind
	mkdir "$RUN"
	save_tree
	for kind in garbage nuls large empty link dangling fifo device hardlink; do
		restore_tree
		put "$kind" "$RUN/$GPU"
		hotplug $GPU
		taken
		assert_log "is no record"
		[[ -f $RUN/$GPU && ! -L $RUN/$GPU && $(record_of $GPU state) == bound ]] || explain "$kind is still there"
	done
}

@test "a directory in a record's place keeps the function where it is, until it goes" {
	mkdir -p "$RUN/$GPU"
	hotplug $GPU
	assert_state failed
	assert_log "step=record errno=21"
	[[ -z $(writes) ]] || explain "something was written"
	rmdir "$RUN/$GPU"
	reapply $GPU
	taken
}

@test "what is no lock is not locked, opened for long or removed" {
	local kind
	mkdir "$RUN"
	save_tree
	for kind in link dangling fifo directory device; do
		restore_tree
		put "$kind" "$RUN/$GPU.lock"
		hotplug $GPU
		as_before ": "
		reapply $GPU
		as_before ": "
		rm -r "${RUN:?}/$GPU.lock"
		reapply $GPU
		taken
	done
}

@test "whatever stands where a record is prepared" {
	local kind
	mkdir "$RUN"
	save_tree
	for kind in garbage large link dangling fifo device hardlink; do
		restore_tree
		put "$kind" "$RUN/.$GPU.new"
		hotplug $GPU
		taken
		[[ ! -e $RUN/.$GPU.new && ! -L $RUN/.$GPU.new ]] || explain "$kind is still there"
	done
	restore_tree
	put directory "$RUN/.$GPU.new"
	hotplug $GPU
	assert_state failed
	assert_log step=record
	[[ -z $(writes) ]] || explain "something was written"
}

@test "what is no mark of ours does not silence us" {
	local kind
	kernel_command_line quiet nvfio=off
	mkdir "$RUN"
	for kind in link dangling fifo directory device; do
		put "$kind" "$RUN/said-off"
		hotplug $GPU
		assert_state left off
		assert_log nvfio=off
		nothing_elsewhere
	done
	put empty "$RUN/said-off"
	hotplug $GPU
	refute_log nvfio=off
}

@test "forget of what is no record or lock ends, and removes nothing elsewhere" {
	local kind path
	path=$(syspath_of $GPU)
	rm -rf "$(device_dir $GPU)" "$TREE/sys/bus/pci/devices/$GPU"
	mkdir "$RUN"
	for kind in garbage large link dangling fifo device hardlink directory; do
		put "$kind" "$RUN/$GPU"
		put "$kind" "$RUN/.$GPU.new"
		nvfio_udev forget "$path"
		nothing_elsewhere
		if [[ $kind == directory ]]; then
			assert_status 1
			assert_log /run/nvfio
		else
			assert_status 0
			[[ -z $(ls -A "$RUN") ]] || explain "left of $kind: $(ls -A "$RUN")"
		fi
	done
	rm -rf "${RUN:?}"
	mkdir "$RUN"
	for kind in link fifo directory; do
		put "$kind" "$RUN/$GPU.lock"
		nvfio_udev forget "$path"
		assert_status 1
		assert_log /run/nvfio
		nothing_elsewhere
	done
}

# --- two versions ---------------------------------------------------------------------------------------------------

# An earlier one wrote the state and the identity, and what it had to give back.
@test "an older helper's record, without the keys it did not know, is given back by" {
	make_record $GPU acting driver=nvidia
	sed -i '/autoprobe-off\|companions-stay/d' "$RUN/$GPU"
	set_attribute $GPU driver_override 'vfio-pci\n'
	set_config <<<$'[policy]\ngpu = native'
	hotplug $GPU
	assert_state left configured
	[[ -z $(override_of $GPU) && -z $(records) ]] || explain "not given back"
	make_record $GPU released
	sed -i '/wanted\|driver\|override/d' "$RUN/$GPU"
	set_config <<<'[policy]'
	reapply $GPU
	assert_state left released
}

@test "a newer helper's record with keys that are not known means what the others say" {
	make_record $GPU released
	printf 'colour=green\nstates=acting,released\n' >>"$RUN/$GPU"
	hotplug $GPU
	assert_state left released
	[[ -z $(writes) ]] || explain "something was written"
}

@test "a newer helper's record in a state that is not known keeps the function as it is" {
	make_record $GPU parked
	hotplug $GPU
	as_before "newer nvfio"
	[[ $(record_of $GPU state) == parked ]]
	nvfio_udev forget "$(syspath_of $GPU)"
	assert_status 0
	[[ $(record_of $GPU state) == parked ]] || explain "forgotten"
	# Another device's is none.
	make_record $GPU parked inode=1
	reapply $GPU
	taken
}

@test "what this version writes has all the keys that the first had" {
	local key
	hotplug $GPU
	taken
	for key in state inode vendor device wanted driver override; do
		grep -q "^$key=" "$RUN/$GPU" || explain "$key is missing"
	done
}

# The lock is the file's, whoever has it: client.c takes it without any code of the helper's.
@test "a lock that another version holds is respected" {
	lock_function $GPU
	hotplug $GPU
	assert_state left in-flight
	[[ -z $(writes) ]] || explain "something was written"
	end_all
	wait_until lock_is_free
	reapply $GPU
	taken
}

lock_is_free() {
	"$FAKES_DIR/client" lock "$RUN/$GPU.lock" </dev/null >/dev/null 2>&1
}

# --- the clock ------------------------------------------------------------------------------------------------------

# Every look at the wall clock shows another day. What has a deadline neither ends at once nor waits for ever.
@test "a clock that jumps moves no deadline" {
	local jump
	add_function 0000:02:00.0 10de:2331 030200 --group 2 --match-off 99
	set_config <<<$'[policy]\ntimeout = 1s'
	save_tree
	for jump in 86400 -86400; do
		restore_tree
		FAKE_CLOCK=$jump hotplug 0000:02:00.0
		assert_state claimed claimed
		# Tried at once twice, and again after 0.25 s.
		[[ $(writes | grep -c vfio-pci/bind) -ge 3 ]] || explain "it did not wait"
	done
}

# --- the configuration ----------------------------------------------------------------------------------------------

# before_each_operation ACTION CHECK: ACTION (a shell command) before each operation of an event on a fresh tree, up to
# a few after the configuration was read. $read_at is the first that reads of it.
before_each_operation() {
	local action=$1 check=$2 n count ops read_at
	save_tree
	cp -a "$TREE/etc" "$TREE.etc"
	FAKE_COUNT=1 hotplug $GPU
	mapfile -t ops <"$TREE/.fake_ops"
	count=${#ops[@]}
	read_at=$(awk '/ read etc/ { print $1; exit }' "$TREE/.fake_ops")
	for ((n = 1; n <= count; n++)); do
		# The configuration is read once, by its first operation on etc; what comes long after it shows nothing new.
		[[ ${ops[n - 1]} == *" etc/"* || ${ops[n - 1]} == *" run/"* || $n -lt 4 ]] || continue
		restore_tree
		rm -rf "${TREE:?}/etc"
		cp -a "$TREE.etc" "$TREE/etc"
		FAKE_HOOK="$n sh $action" hotplug $GPU
		$check || explain "$action before operation $n of $count: ${ops[n - 1]}"
	done
}

# The hook leaves its mark in the list of writes.
written() {
	[[ $(writes) == *$'\t'* ]]
}

# Old: takes it; new: leaves it; anything else takes nothing and says why.
old_or_new() {
	((status == 0)) || explain "exit status is $status" || return
	case $(prop NVFIO_STATE):$(prop NVFIO_REASON) in
	bound:*) assert_on_vfio $GPU || return ;;
	left:configured) ! written || explain "left, and something was written" || return ;;
	left:config-broken) ! written || explain "something was written" || return ;;
	*) explain "neither the old nor the new" || return ;;
	esac
}

@test "the configuration is replaced by another" {
	printf '[policy]\ntakeover = idle\ngpu = native\n' >"$TREE/new.conf"
	# shellcheck disable=SC2016 # expanded by the hook
	before_each_operation 'cp "$TREE/new.conf" "$TREE/etc/x" && mv "$TREE/etc/x" "$TREE/etc/nvfio.conf"' old_or_new
}

@test "the configuration is cut off while it is read" {
	{
		printf '[policy]\ntakeover = idle\n'
		printf '# %0100d\n' {1..6000}
		printf '[device %s]\ngpu = native\n' $GPU
	} >"$TREE/etc/nvfio.conf"
	chmod 0644 "$TREE/etc/nvfio.conf"
	# Cut before it was opened it is the new one, which parses and takes the GPU; cut later it is neither.
	cut_off() {
		((n > read_at)) || return 0
		case $(prop NVFIO_STATE):$(prop NVFIO_REASON) in
		left:configured | left:config-broken) ! written || explain "something was written" ;;
		*) explain "taken by half a file" ;;
		esac
	}
	# The first read(2) gives half a MiB, as it may, and the file is larger.
	# shellcheck disable=SC2016 # expanded by the hook
	FAKE_FAIL=read:etc/nvfio.conf:SHORT before_each_operation 'truncate -s 27 "$TREE/etc/nvfio.conf"' cut_off
}

@test "a drop-in disappears while they are read" {
	mkdir "$TREE/etc/nvfio.conf.d"
	printf '[policy]\ngpu = native\n' >"$TREE/etc/nvfio.conf.d/50.conf"
	# shellcheck disable=SC2016 # expanded by the hook
	before_each_operation 'rm -f "$TREE/etc/nvfio.conf.d/50.conf"' old_or_new
}

@test "the directory of drop-ins is replaced while they are read" {
	mkdir "$TREE/etc/nvfio.conf.d" "$TREE/etc/other.d"
	printf '[policy]\ngpu = native\n' >"$TREE/etc/nvfio.conf.d/50.conf"
	printf '[policy]\ngpu = native\n' >"$TREE/etc/other.d/60.conf"
	# shellcheck disable=SC2016 # expanded by the hook
	before_each_operation 'mv "$TREE/etc/nvfio.conf.d" "$TREE/etc/gone.d"; mv "$TREE/etc/other.d" "$TREE/etc/nvfio.conf.d"' \
		never_taken
}

# Both directories say native.
never_taken() {
	! written || explain "something was written" || return
	[[ $(prop NVFIO_STATE) == left ]] || explain "taken, though the old and the new say native"
}
