#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 90-nvfio-nodes.rules under the real udev rule engine, as rules.bats does it: which events of VFIO's devices start a
# program, with what, and what udev makes of its answer.

bats_require_minimum_version 1.5.0

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
PCI=/devices/pci0000:00/0000:00:01.0/0000:01:00.0
DEV=$PCI/vfio-dev/vfio3
GROUP=/devices/virtual/vfio/12

GIVEN='NVFIO_NODE_GID="104"
NVFIO_NODE_MODE="0660"
NVFIO_NODE_LINKS="vfio/by-bdf/0000:01:00.0 vfio/by-bdf/0000:01:00.1"
NVFIO_NODE_REASON="given"'

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	HELPER_PRINTS=$GIVEN DB='' PARENT_DB='' SUBSYSTEM=vfio DEVICE=$GROUP NODE=vfio/12 DB_NAME=c511:12 PROGRAM=$PWD/helper
	mkdir -p run/nvfio
	: >started
}

# of_group, of_function [node]: whose events they are from here on; a function may have a node of its own.
of_group() {
	SUBSYSTEM=vfio DEVICE=$GROUP NODE=vfio/12 DB_NAME=c511:12
}

of_function() {
	SUBSYSTEM=vfio-dev DEVICE=$DEV NODE=${1:+vfio/devices/vfio3} DB_NAME=+vfio-dev:vfio3
	[[ ! $NODE ]] || DB_NAME=c511:12
	: >run/nvfio/nodes
}

# event ACTION [KEY=VALUE...]: $output are the properties afterwards, ./log what udev did, ./started the helper's arguments.
event() {
	local action=$1
	shift
	printf '#!/bin/sh\necho "$@" >>%s/started\n%s\n' "$PWD" "${HELPER_FAILS:+exit 1}
cat <<'END'
$HELPER_PRINTS
END" >helper
	chmod +x helper
	sed -e "s|@HELPER@|$PWD/helper|" -e "s|@PROGRAM@|$PROGRAM|" -e "s|@RUNDIR@|$PWD/run|" \
		"$REPO/rules/90-nvfio-nodes.rules.in" >90-nvfio-nodes.rules
	{
		printf 'P: %s\nE: SUBSYSTEM=%s\nE: SEQNUM=7\n' "$DEVICE" "$SUBSYSTEM"
		[ -z "$NODE" ] || printf 'N: %s\nE: DEVNAME=/dev/%s\nE: MAJOR=511\nE: MINOR=12\nA: dev=511:12\\n\n' "$NODE" "$NODE"
		[ $# = 0 ] || printf 'E: %s\n' "$@"
		printf '\nP: %s\nE: SUBSYSTEM=pci\nE: PCI_ID=10DE:2331\n' "$PCI"
	} >device.umockdev
	cat >inside <<-END
		set -e
		mount -t tmpfs none /run
		# udevadm test makes links, and umockdev lets it make them on the host.
		mkdir -p /run/dev/pts
		cp -a /dev/null /dev/urandom /dev/ptmx /run/dev
		mount --bind /dev/pts /run/dev/pts
		# bats' files may be there.
		mkdir /run/dev/shm
		mount --bind /dev/shm /run/dev/shm
		mount --rbind /run/dev /dev
		mkdir -p /run/udev/rules.d /run/udev/data
		cp 90-nvfio-nodes.rules /run/udev/rules.d/
		[ -z "\$DB" ] || printf 'I:1\n%s\nV:1\n' "\$DB" >/run/udev/data/$DB_NAME
		[ -z "\$PARENT_DB" ] || printf 'I:1\n%s\nV:1\n' "\$PARENT_DB" >/run/udev/data/+pci:0000:01:00.0
		umockdev-run -d device.umockdev -- udevadm test --action=$action /sys$DEVICE >log 2>&1
	END
	DB=$DB PARENT_DB=$PARENT_DB unshare -m bash inside || { cat log; return 1; }
	run sed -n '/^[A-Z_.]*=/p' log
}

starts() { wc -l <started; }

assert_starts() {
	[ "$(starts)" = "$1" ] || { echo "$(starts) starts"; cat log; return 1; }
}

has() {
	grep -qxF -- "$1" <<<"$output" || { echo "no '$1' in:"; echo "$output"; cat log; return 1; }
}

has_no() {
	! grep -q -- "^$1" <<<"$output" || { echo "'$1' in:"; echo "$output"; return 1; }
}

# access: what udev was told to do to the node, "GROUP MODE".
access() {
	sed -n 's/.*90-nvfio-nodes.rules:[0-9]* \(GROUP [0-9]*\|MODE [0-9]*\).*/\1/p' log | tr '\n' ' '
}

assert_access() {
	[ "$(access)" = "$1" ] || { echo "access: $(access)"; cat log; return 1; }
}

@test "the kernel's first event of a group's node starts nothing and gives nothing, whatever was known of its number" {
	DB=$'E:NVFIO_NODE_MODE=0660\nE:NVFIO_NODE_GID=104\nE:NVFIO_NODE_LINKS=vfio/by-bdf/0000:01:00.0'
	: >run/nvfio/nodes
	event add
	assert_starts 0
	assert_access ''
	has_no NVFIO_
	has_no DEVLINKS
}

@test "a follow-up and a replay judge it: group, mode, links and a tag for systemd" {
	local action
	for action in change add; do
		: >started
		event $action SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
		: >run/nvfio/nodes
		[ "$(cat started)" = "node --action=$action --synth=0 --seqnum=7 --group= --reason= /sys$GROUP" ]
		assert_access 'GROUP 104 MODE 0660 '
		grep -q "LINK 'vfio/by-bdf/0000:01:00.0'" log
		grep -q "LINK 'vfio/by-bdf/0000:01:00.1'" log
		has TAGS=:systemd:
	done
}

@test "a replayed add, as at boot, starts nothing where node access was not asked for" {
	event add SYNTH_UUID=0
	assert_starts 0
	has_no NVFIO_
}

@test "root's alone is said as well, with links" {
	HELPER_PRINTS='NVFIO_NODE_GID="0"
NVFIO_NODE_MODE="0600"
NVFIO_NODE_LINKS="vfio/by-bdf/0000:01:00.0"
NVFIO_NODE_REASON="foreign"'
	DB=$'E:NVFIO_NODE_MODE=0660\nE:NVFIO_NODE_GID=104\nE:NVFIO_NODE_REASON=given'
	event change SYNTH_UUID=0
	[[ $(cat started) == *" --reason=given "* ]]
	assert_access 'GROUP 0 MODE 0600 '
	has NVFIO_NODE_REASON=foreign
}

@test "where nothing is said about a node it stays as it is, and is taken back where something was" {
	HELPER_PRINTS='NVFIO_NODE_GID=""
NVFIO_NODE_MODE=""
NVFIO_NODE_LINKS=""
NVFIO_NODE_REASON=""'
	event change SYNTH_UUID=0
	assert_starts 1
	assert_access ''
	has_no TAGS
	DB=$'E:NVFIO_NODE_MODE=0660\nE:NVFIO_NODE_GID=104\nE:NVFIO_NODE_LINKS=vfio/by-bdf/0000:01:00.0'
	event change SYNTH_UUID=0
	assert_access 'GROUP 0 MODE 0600 '
	has_no DEVLINKS
}

@test "where the helper fails or is missing it stays as it was" {
	DB=$'E:NVFIO_NODE_MODE=0660\nE:NVFIO_NODE_GID=104\nE:NVFIO_NODE_LINKS=vfio/by-bdf/0000:01:00.0'
	HELPER_FAILS=1 event change SYNTH_UUID=0
	assert_starts 1
	assert_access 'GROUP 104 MODE 0660 '
	has DEVLINKS=/dev/vfio/by-bdf/0000:01:00.0
	PROGRAM=/nonexistent event change SYNTH_UUID=0
	assert_starts 1
	assert_access 'GROUP 104 MODE 0660 '
}

@test "the container, no-IOMMU nodes and a node's removal start nothing" {
	event remove SYNTH_UUID=0
	DEVICE=/devices/virtual/vfio/noiommu-0 NODE=vfio/noiommu-0
	event change SYNTH_UUID=0
	SUBSYSTEM=misc DEVICE=/devices/virtual/misc/vfio NODE=vfio/vfio
	event change SYNTH_UUID=0
	DEVICE=/devices/virtual/misc/iommu NODE=iommu
	event change SYNTH_UUID=0
	assert_starts 0
}

@test "where node access was not asked for since boot no event of a function starts anything" {
	local action
	of_function node
	rm run/nvfio/nodes
	for action in add change remove; do
		event $action
		event $action SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
	done
	assert_starts 0
	has_no NVFIO_
}

@test "a function without node: nothing where nvfio has just bound it, its group told where anybody else did" {
	local row n=0
	of_function
	HELPER_PRINTS='NVFIO_GROUP="12"'
	PARENT_DB=$'E:NVFIO_STATE=bound\nE:NVFIO_REASON=bound\nE:NVFIO_GROUP=12'
	event add
	assert_starts 0
	has NVFIO_GROUP=12
	has_no NVFIO_STATE
	for row in '' 'bound on-vfio' 'claimed claimed' 'left unbound' 'failed failed'; do
		PARENT_DB=${row:+E:NVFIO_STATE=${row% *}$'\n'E:NVFIO_REASON=${row#* }}
		event add
		n=$((n + 1))
		assert_starts $n
		[ "$(tail -n 1 started)" = "node --action=add --synth= --seqnum=7 --group= --reason= /sys$DEV" ]
		has NVFIO_GROUP=12
		has_no NVFIO_STATE
	done
	event change SYNTH_UUID=0
	assert_starts $n
}

@test "a function with a node: judged at each of its events" {
	of_function node
	HELPER_PRINTS+=$'\nNVFIO_GROUP="12"'
	PARENT_DB=$'E:NVFIO_STATE=bound\nE:NVFIO_REASON=bound\nE:NVFIO_GROUP=12'
	event add
	assert_starts 1
	assert_access 'GROUP 104 MODE 0660 '
	has NVFIO_GROUP=12
	event change SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
	assert_starts 2
	[[ $(tail -n 1 started) == *"--synth=0 --seqnum=7 --group=12 "* ]]
	# Somebody else's knows it from its own event before.
	PARENT_DB='' DB='E:NVFIO_GROUP=12'
	event change SYNTH_UUID=0 SYNTH_ARG_NVFIO=1
	assert_starts 3
	[[ $(tail -n 1 started) == *" --group=12 "* ]]
}

@test "a function that leaves: its group is told, also if the function is gone; a replay tells nobody" {
	of_function
	DB='E:NVFIO_GROUP=12'
	event remove
	[ "$(cat started)" = "node --action=remove --seqnum=7 --group=12 /sys$DEV" ]
	event remove SYNTH_UUID=0
	assert_starts 1
}
