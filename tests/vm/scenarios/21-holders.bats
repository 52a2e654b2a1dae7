#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# Whoever uses a GPU is found, in whatever way and from wherever; what cannot be looked at counts as use; nvidia's
# unbindLock is taken where it is offered. Without that a native driver's remove() would wait for the user, for ever.

load ../guest/lib

# Also what a failed test has left behind must not be in the way of the next one.
setup()
{
	let_go
	bench_reset
	modprobe nvidia
}

# hold COMMAND...: starts it and waits until it is ready; it stays until let_go.
hold()
{
	rm -f "$BENCH"/hold.*
	mkfifo "$BENCH/hold.in"
	"$@" <"$BENCH/hold.in" >"$BENCH/hold.out" 2>&1 3>&- &
	echo $! >"$BENCH/hold.pid"
	exec {HOLD_IN}>"$BENCH/hold.in"
	wait_for 10 grep -q ready "$BENCH/hold.out" || { cat "$BENCH/hold.out"; return 1; }
}

let_go()
{
	[[ -e $BENCH/hold.pid ]] || return 0
	[[ ! -e $NVIDIA/hang_mmap ]] || nvidia_set hang_mmap N
	[[ -z ${HOLD_IN-} ]] || exec {HOLD_IN}>&-
	wait_for 10 gone "/proc/$(<"$BENCH/hold.pid")"
	rm "$BENCH/hold.pid"
}

# native_gpu [ID]: a card in port 1 that nvidia has, and that the next event takes if nobody uses it.
native_gpu()
{
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1 "gpu${1:+=$1}"
	settle
	driver_is "$(bdf_of 1)" nvidia
	node=$(gpu_node "$(bdf_of 1)")
	minor=${node#/dev/nvidia}
	lock=/proc/driver/nvidia/gpus/$(bdf_of 1)/unbindLock
	removes=$(removes_of nvidia)
	printf '[policy]\ntakeover = idle\n' >/etc/nvfio.conf
	records_reset
}

# deferred_for TEXT: that is what the next event says of the card, and writes nothing to it.
deferred_for()
{
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == nvidia ]]
	[[ $(override_of "$(bdf_of 1)") == none ]]
	[[ $(removes_of nvidia) == "$removes" ]]
	[[ $(state_of "$(bdf_of 1)") == deferred ]]
	# At most a note for its companions, of which it has none.
	[[ ! -e /run/nvfio/$(bdf_of 1) || $(<"/run/nvfio/$(bdf_of 1)") == *state=left* ]]
	run records_of "$(bdf_of 1)"
	[[ $output == *"$1"* ]]
}

lands()
{
	udevadm trigger --subsystem-match=pci --settle
	[[ $(driver_of "$(bdf_of 1)") == "${1:-vfio-pci}" ]]
	vfio-client "$(bdf_of 1)"
	unplug_card 1
}

@test "mapped, with the descriptor closed" {
	native_gpu
	hold node-client map "$node"
	deferred_for "$node mapped in pid $(<"$BENCH/hold.pid") (node-client)"
	let_go
	lands
}

@test "open in another mount namespace, under another name" {
	native_gpu
	# shellcheck disable=SC2016 # for the inner shell
	hold unshare --mount bash -c 'mount -t tmpfs tmpfs /mnt && mknod /mnt/elsewhere c 195 "$1" &&
		exec node-client open /mnt/elsewhere' - "$minor"
	gone /mnt/elsewhere
	rm "$node"
	deferred_for "$node open in pid $(<"$BENCH/hold.pid") (node-client)"
	let_go
	lands
}

# Each of the two alone asks for rights of its own: to look into another user's /proc/<pid>, and through its links.
@test "open, then mapped, by another user" {
	local how done=(open:"open in" map:"mapped in")

	native_gpu
	chmod 666 "$node"
	for how in "${done[@]}"; do
		records_reset
		hold setpriv --reuid=65534 --regid=65534 --clear-groups node-client "${how%%:*}" "$node"
		[[ $(stat -c %u "/proc/$(<"$BENCH/hold.pid")/fd") == 65534 ]]
		deferred_for "$node ${how#*:} pid $(<"$BENCH/hold.pid") (node-client)"
		let_go
	done
	lands
}

@test "open in another pid namespace with a /proc of its own" {
	native_gpu
	hold unshare --pid --fork --mount-proc node-client open "$node"
	deferred_for "$node open in pid "
	[[ $output == *"(node-client)"* ]]
	let_go
	lands
}

@test "open in a thread that has outlived the first one" {
	native_gpu
	hold node-client thread "$node"
	run ls "/proc/$(<"$BENCH/hold.pid")/fd"
	[[ -z $output ]]
	deferred_for "$node open in pid $(<"$BENCH/hold.pid") (node-client)"
	let_go
	lands
}

mmap_hangs()
{
	dmesg | sed -n "/nvfio-bench: $(<"$BENCH/mark")\$/,\$p" | grep -q 'NVRM: .* mmap hangs'
}

no_helper()
{
	local name

	for name in /proc/[0-9]*/comm; do
		{ read -r name <"$name"; } 2>/dev/null || continue
		[[ $name != nvfio-udev ]] || return 1
	done
}

@test "a process whose memory cannot be looked at holds up no event, and may be a user" {
	# It maps another GPU, so that nothing but its memory speaks against this one.
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 2 gpu
	settle
	native_gpu
	nvidia_set hang_mmap Y
	# shellcheck disable=SC2016 # for the inner shell
	hold bash -c 'echo ready; exec node-client map "$1"' - "$(gpu_node "$(bdf_of 2)")"
	wait_for 10 mmap_hangs
	deferred_for "memory of pid $(<"$BENCH/hold.pid") could not be looked at"
	# Nobody waits on for it.
	wait_for 5 no_helper
	nvidia_set hang_mmap N
	let_go
	lands
	unplug_card 2
}

@test "the stand-in's unbindLock does what nvidia's does" {
	nvidia_set unbind_lock Y
	native_gpu
	exec {HELD}<>"$node"
	echo 1 >"$lock"
	[[ $(<"$lock") == 0 ]]
	exec {HELD}>&-
	echo 1 >"$lock"
	[[ $(<"$lock") == 1 ]]
	run node-client open "$node" </dev/null
	[[ $status -eq 1 && $output == *"No such device"* ]]
	echo 0 >"$lock"
	[[ $(<"$lock") == 0 ]]
	node-client open "$node" </dev/null
	unplug_card 1
}

@test "unbindLock is taken before the unbind" {
	nvidia_set unbind_lock Y
	native_gpu
	[[ $(<"$lock") == 0 ]]
	lands
	dmesg | grep -q 'NVRM: .* remove, unbindLock taken'
}

@test "unbindLock refused: deferred, although no process uses it" {
	nvidia_set unbind_lock Y
	native_gpu
	nvidia_set kernel_client Y
	deferred_for "nvidia refuses its unbindLock"
	[[ $(<"$lock") == 0 ]]
	exec {HELD}<>"$node"
	exec {HELD}>&-
	nvidia_set kernel_client N
	lands
}

@test "unbindLock is given back where the record cannot be written" {
	nvidia_set unbind_lock Y
	native_gpu
	# Room for the directory and the function's lock, not for the record.
	mkdir -p /run/nvfio
	mount -t tmpfs -o nr_inodes=2,mode=0755 tmpfs /run/nvfio
	: >"/run/nvfio/$(bdf_of 1).lock"
	udevadm trigger --subsystem-match=pci --settle
	umount /run/nvfio
	[[ $(state_of "$(bdf_of 1)") == failed ]]
	run records_of "$(bdf_of 1)"
	[[ $output == *"failed at step record"* ]]
	[[ $(driver_of "$(bdf_of 1)") == nvidia && $(removes_of nvidia) == "$removes" ]]
	[[ $(<"$lock") == 0 ]]
	exec {HELD}<>"$node"
	exec {HELD}>&-
	lands
}

@test "a bind that fails is rolled back to a GPU that can be opened" {
	nvidia_set unbind_lock Y
	modprobe nvfio_test_vfio_pci fail_probe=1
	native_gpu 10de:2342:030200
	udevadm trigger --subsystem-match=pci --settle
	[[ $(state_of "$(bdf_of 1)") == failed ]]
	[[ $(driver_of "$(bdf_of 1)") == nvidia && $(override_of "$(bdf_of 1)") == none ]]
	[[ $(removes_of nvidia) == $((removes + 1)) ]]
	[[ $(<"$lock") == 0 ]]
	exec {HELD}<>"$(gpu_node "$(bdf_of 1)")"
	exec {HELD}>&-
	echo 0 >/sys/module/nvfio_test_vfio_pci/parameters/fail_probe
	lands nvfio-test-variant
}
