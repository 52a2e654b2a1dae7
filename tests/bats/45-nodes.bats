#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who may open a VFIO node: what nvfio-udev node prints for a group's node and for that of a single function (which only
# kernels from 6.6 on have), who is told when a function comes to VFIO or leaves it, and what keeps access from all.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
NIC=0000:06:00.0
GROUP_NODE=/sys/devices/virtual/vfio/1

setup() {
	new_tree
	add_card 0000:01:00 --group 1
	printf 'root:x:0:\nkvm:x:104:vm\nkvmx:x:105:\n' >"$TREE/etc/group"
	configure 'node-group = kvm'
}

teardown() {
	end_all
}

configure() {
	set_config <<-END
		[policy]
		$1
	END
}

# node [OPTION...] SYSPATH: a follow-up event of it.
node() {
	nvfio_udev node --action=change --synth=11111111-2222-4333-8444-555555555555 --seqnum=12 "$@"
}

# landed BDF...: nvfio put them on VFIO.
landed() {
	local bdf
	for bdf; do
		hotplug "$bdf"
		assert_state bound || return
	done
	forget_writes
}

# cdev_of BDF [NUMBER]: the kernel gives the function a node of its own. Prints its sysfs path.
cdev_of() {
	local dir
	dir=$(echo "$(device_dir "$1")"/vfio-dev/vfio*)
	printf '511:%d\n' "${2:-0}" >"$dir/dev"
	: >"$dir/uevent"
	printf '%s\n' "${dir#"$TREE"}"
}

# assert_node REASON GID MODE
assert_node() {
	assert_status 0 || return
	[[ $(prop NVFIO_NODE_REASON) == "$1" ]] || explain "reason is '$(prop NVFIO_NODE_REASON)', not '$1'" || return
	[[ $(prop NVFIO_NODE_GID) == "$2" ]] || explain "gid is '$(prop NVFIO_NODE_GID)', not '$2'" || return
	[[ $(prop NVFIO_NODE_MODE) == "$3" ]] || explain "mode is '$(prop NVFIO_NODE_MODE)', not '$3'"
}

assert_links() {
	local got
	got=$(prop NVFIO_NODE_LINKS | tr ' ' '\n' | sort | tr '\n' ' ')
	[[ $got == "${*/#/vfio/by-bdf/} " ]] || explain "links are '$got'"
}

# told: who was asked for an event with our argument, in order.
told() {
	! uevents | grep -v ' change [-0-9a-f]* NVFIO=1$' || explain "not a follow-up"
	uevents | cut -d ' ' -f 1 | sort | tr '\n' ' '
}

assert_told() {
	[[ $(told) == "${*:+$* }" ]] || explain "told were: $(told)"
}

@test "a group's node with functions of ours only is given, with a link for each of them" {
	landed $GPU 0000:01:00.1 0000:01:00.2
	node $GROUP_NODE
	assert_node given 104 0660
	assert_links $GPU 0000:01:00.1 0000:01:00.2
	assert_log "/dev/vfio/1 has group kvm and mode 0660"
	[[ -z $(writes)$(uevents) ]] || explain "it changed something"
}

@test "node-mode alone, and both together" {
	landed $GPU
	configure 'node-mode = 0666'
	node $GROUP_NODE
	assert_node given 0 0666
	configure $'node-group = kvmx\nnode-mode = 0666'
	node $GROUP_NODE
	assert_node given 105 0666
	configure 'node-mode = 0600'
	node $GROUP_NODE
	assert_node given 0 0600
	assert_links $GPU
}

@test "where neither is set nothing is said about a node, nobody told, no mark left" {
	local conf
	for conf in 'gpu = vfio' 'node-group =' $'node-group =\nnode-mode ='; do
		configure "$conf"
		save_tree
		hotplug $GPU
		assert_state bound
		[[ $(uevents | cut -d ' ' -f 1 | sort | tr '\n' ' ') == "0000:01:00.1 0000:01:00.2 " ]] || explain "node told"
		[[ ! -e $TREE/run/nvfio/nodes ]] || explain "a mark is left"
		node $GROUP_NODE
		assert_node '' '' ''
		[[ -z $(prop NVFIO_NODE_LINKS)$log ]] || explain "something is said"
		[[ ! -e $TREE/run/nvfio/nodes ]] || explain "a mark is left"
		restore_tree
	done
}

@test "a function that lands has its group's node judged, and leaves the mark for the rules" {
	put_on_vfio $GPU
	hotplug 0000:01:00.1
	assert_state bound
	assert_told 1
	[[ -e $TREE/run/nvfio/nodes ]] || explain "no mark"
}

@test "the mark is left before the bind" {
	FAKE_HOOK="write:vfio-pci/bind sh ls $TREE/run/nvfio >$TREE/seen" hotplug $GPU
	assert_state bound
	grep -qx nodes "$TREE/seen" || explain "there was: $(cat "$TREE/seen")"
}

@test "another member on VFIO that is not ours keeps access from everybody, by name" {
	landed $GPU
	add_function $NIC 8086:10d3 020000 --group 1
	node $GROUP_NODE
	assert_node given 104 0660
	put_on_vfio $NIC
	node --reason=given $GROUP_NODE
	assert_node foreign 0 0600
	assert_links $GPU
	assert_log "/dev/vfio/1 is root's alone: $NIC of IOMMU group 1 is on VFIO, and it was not nvfio that put it there"
	# Also if it is NVIDIA's.
	put_on_vfio 0000:01:00.2
	node --reason=foreign $GROUP_NODE
	assert_node foreign 0 0600
	[[ $(prop NVFIO_NODE_MESSAGE) == *" and 1 more of IOMMU group 1 "* ]] || explain "it is not counted"
}

@test "a member on another driver does not" {
	landed $GPU
	add_driver e1000e e1000e
	add_function $NIC 8086:10d3 020000 --driver e1000e --group 1
	node $GROUP_NODE
	assert_node given 104 0660
}

@test "whose a member is, the record says: acting, claimed and bound are ours, anything else is not" {
	local state
	put_on_vfio $GPU
	for state in acting claimed bound; do
		make_record $GPU $state
		node $GROUP_NODE
		assert_node given 104 0660
	done
	landed 0000:01:00.1
	for state in released left; do
		make_record $GPU $state
		node $GROUP_NODE
		assert_node foreign 0 0600
	done
	# About another card that sat there, garbage, a newer nvfio's, none.
	make_record $GPU bound inode=1
	node $GROUP_NODE
	assert_node foreign 0 0600
	printf 'garbage\n' >"$TREE/run/nvfio/$GPU"
	node $GROUP_NODE
	assert_node foreign 0 0600
	make_record $GPU bound state=tomorrow
	node $GROUP_NODE
	assert_node foreign 0 0600
	rm "$TREE/run/nvfio/$GPU"
	node $GROUP_NODE
	assert_node foreign 0 0600
}

@test "a node of which no function is ours is left to whoever made it so" {
	put_on_vfio $GPU
	node $GROUP_NODE
	assert_node '' '' ''
	[[ -z $log ]] || explain "something is said"
	node /sys/devices/virtual/vfio/99
	assert_node '' '' ''
}

@test "an unknown group is an error with file and line, and nobody gets access" {
	landed $GPU
	configure $'gpu = vfio\nnode-group = kvmz'
	node $GROUP_NODE
	assert_node no-such-group 0 0600
	assert_links $GPU
	assert_log "/dev/vfio/1 is root's alone: /etc/nvfio.conf:3: node-group = kvmz, and there is no such group"
	# Not a part of a name, and not a group of the host.
	configure 'node-group = kv'
	node $GROUP_NODE
	assert_node no-such-group 0 0600
	rm "$TREE/etc/group"
	configure 'node-group = root'
	node $GROUP_NODE
	assert_node no-such-group 0 0600
}

@test "a group of the vendor's part of an image counts" {
	landed $GPU
	rm "$TREE/etc/group"
	printf 'kvm:x:36:\n' >"$TREE/usr/lib/group"
	node $GROUP_NODE
	assert_node given 36 0660
}

@test "lines that are none in the group file are passed over" {
	landed $GPU
	printf 'garbage\n\nkvm\nkvm:x:many:\n#kvm:x:1:\nkvm:x:104:\n' >"$TREE/etc/group"
	node $GROUP_NODE
	assert_node given 104 0660
}

@test "said once, and again when it changes" {
	landed $GPU
	node $GROUP_NODE
	assert_log "has group kvm"
	node --reason=given $GROUP_NODE
	[[ -z $log ]] || explain "said twice"
	configure 'node-group = kvmz'
	node --reason=given $GROUP_NODE
	assert_log "no such group"
}

@test "a broken configuration, and a group file that cannot be read, change nothing about a node" {
	landed $GPU
	configure 'node-group = k.v.m'
	node $GROUP_NODE
	assert_status 1
	[[ -z $output ]] || explain "something is imported"
	assert_log "/etc/nvfio.conf:2: node-group = k.v.m"
	configure 'node-group = kvm'
	rm "$TREE/etc/group"
	mkdir "$TREE/etc/group"
	node $GROUP_NODE
	assert_status 1
	[[ -z $output ]] || explain "something is imported"
	assert_log "stay as they are: Is a directory"
}

@test "whichever operation fails, a member that is not ours is not overlooked" {
	local n ops failed=0
	landed $GPU
	put_on_vfio 0000:01:00.1
	FAKE_COUNT=1 node $GROUP_NODE
	assert_node foreign 0 0600
	ops=$(wc -l <"$TREE/.fake_ops")
	((ops > 20)) || explain "only $ops operations"
	for ((n = 1; n <= ops; n++)); do
		FAKE_FAIL=$n:EIO node $GROUP_NODE
		((status == 0 || status == 1)) || explain "operation $n" || return
		[[ $(prop NVFIO_NODE_REASON) != given ]] || explain "given although operation $n failed" || return
		((status == 0)) || failed=$((failed + 1))
	done
	((failed > 3)) || explain "only $failed of them count"
}

@test "the node of a single function: it alone is linked, and only where its group has no node" {
	local cdev
	landed $GPU 0000:01:00.1
	cdev=$(cdev_of 0000:01:00.1)
	node "$cdev"
	assert_node given 104 0660
	[[ -z $(prop NVFIO_NODE_LINKS) ]] || explain "linked twice"
	[[ $(prop NVFIO_GROUP) == 1 ]] || explain "its group is not kept"
	assert_log "0000:01:00.1: /dev/vfio/devices/$(basename "$cdev") has group kvm"
	rm -r "$TREE/sys/devices/virtual/vfio" "$TREE/sys/class/vfio"/*
	node "$cdev"
	assert_node given 104 0660
	assert_links 0000:01:00.1
}

@test "the node of a single function is root's alone where another member is not ours" {
	landed $GPU
	put_on_vfio 0000:01:00.1
	node "$(cdev_of $GPU)"
	assert_node foreign 0 0600
	# The other one's is not ours to speak of.
	node "$(cdev_of 0000:01:00.1 1)"
	assert_node '' '' ''
}

@test "a function without node of its own has none to give" {
	local dev
	landed $GPU
	dev=$(cdev_of $GPU)
	rm "$TREE$dev/dev"
	node "$dev"
	assert_node '' '' ''
}

@test "the kernel's event of a function tells its group's node; an event that was asked for nobody" {
	local gpu
	landed $GPU 0000:01:00.1
	gpu=$(cdev_of $GPU)
	cdev_of 0000:01:00.1 1
	nvfio_udev node --action=add --seqnum=12 "$gpu"
	assert_status 0
	assert_told 1
	forget_writes
	node "$gpu"
	assert_told
	nvfio_udev node --action=add --seqnum=12 --synth=0 "$gpu"
	assert_told
	# udevadm test
	nvfio_udev node --action=add "$gpu"
	assert_told
	# A group's own event is somebody's answer already.
	nvfio_udev node --action=change --seqnum=12 $GROUP_NODE
	assert_told
}

@test "one that is not ours tells the nodes of the other functions as well" {
	local nic audio
	landed $GPU 0000:01:00.1
	audio=$(cdev_of 0000:01:00.1 1)
	# The GPU has no node.
	rm "$TREE$(cdev_of $GPU 2)/dev"
	add_function $NIC 8086:10d3 020000 --group 1
	put_on_vfio $NIC
	nic=$(cdev_of $NIC)
	nvfio_udev node --action=add --seqnum=12 "$nic"
	assert_node '' '' ''
	assert_told 1 "$(basename "$audio")"
	forget_writes
	rm -r "$TREE$(dirname "$nic")"
	nvfio_udev node --action=remove --seqnum=12 --group=1 "$nic"
	assert_told 1 "$(basename "$audio")"
}

@test "a function that leaves VFIO tells its group's node, also when it is gone from the bus" {
	local gpu
	landed $GPU 0000:01:00.1
	gpu=$(cdev_of $GPU)
	rm -r "$TREE$(dirname "$gpu")"
	nvfio_udev node --action=remove --seqnum=12 --group= "$gpu"
	assert_status 0
	assert_told 1
	[[ -z $output ]] || explain "something is imported"
	forget_writes
	mv "$(device_dir $GPU)" "$BATS_TEST_TMPDIR/gone"
	rm "$TREE/sys/bus/pci/devices/$GPU" "$TREE/sys/kernel/iommu_groups/1/devices/$GPU"
	nvfio_udev node --action=remove --seqnum=12 --group=1 "$gpu"
	assert_status 0
	assert_told 1
	forget_writes
	nvfio_udev node --action=remove --seqnum=12 --group= "$gpu"
	assert_status 0
	assert_told
	# The node may be gone as well.
	rm -r "$TREE/sys/devices/virtual/vfio"
	nvfio_udev node --action=remove --seqnum=12 --group=1 "$gpu"
	assert_status 0
	[[ -z $log ]] || explain "something is said"
}

@test "an event that cannot be asked for is said" {
	landed $GPU
	FAKE_FAIL=write:virtual/vfio/1/uevent:EACCES nvfio_udev node --action=add --seqnum=12 "$(cdev_of $GPU)"
	assert_status 0
	assert_log "could not ask for an event of /sys/devices/virtual/vfio/1: Permission denied"
}

@test "links are as many as udev takes" {
	local i bdf links
	for ((i = 0; i < 48; i++)); do
		printf -v bdf '10000:02:%02x.%d' $((i / 8)) $((i % 8))
		add_function "$bdf" 10de:2331 030200 --group 1
		put_on_vfio "$bdf"
		make_record "$bdf" bound
	done
	node $GROUP_NODE
	assert_node given 104 0660
	links=$(prop NVFIO_NODE_LINKS)
	((${#links} < 1024 && ${#links} > 950)) || explain "${#links} bytes of links"
	[[ $links =~ ^(vfio/by-bdf/10000:02:0[0-5]\.[0-7]\ ?)+$ ]] || explain "a link is cut"
}

@test "no-IOMMU nodes, the container and paths that are no node are refused" {
	local path
	for path in /sys/devices/virtual/vfio/noiommu-0 /sys/devices/virtual/vfio/ /sys/devices/virtual/vfio/1/../2 \
		/sys/devices/virtual/misc/vfio "$(syspath_of $GPU)" "$(syspath_of $GPU)/vfio-dev/vfio" \
		"$(syspath_of $GPU)/vfio-dev/vfio1x" "$(syspath_of $GPU)/vfio-dex/vfio1" "$(syspath_of $GPU)/vfio-dev/1" \
		"$(syspath_of $GPU)/vfio-dev/vfio12345678901234567" /vfio-dev/vfio1 vfio1 '' \
		/sys/devices/virtual/vfio/12345678901234567; do
		node "$path"
		assert_status 2
		[[ -z $output$(uevents) ]] || explain "$path"
	done
	node --group=12345678901234567 "$(syspath_of $GPU | sed 's/00.0$/00.7/')/vfio-dev/vfio1"
	assert_status 2
}
