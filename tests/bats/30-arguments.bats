#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bad input: arguments and attributes no udev and no kernel would send. Each ends with its documented exit code, says
# what was wrong, and writes nothing. Exit codes: helper/exit-code.h.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SYSPATH=/sys/devices/$PORT/$GPU

USAGE=2 GONE=3 BAD_DATA=4

setup() {
	new_tree
	add_function $GPU 10de:2331 030200 --group 1
}

teardown() {
	end_all
}

event() {
	nvfio_udev event --action=add --seqnum=1 "$@"
}

# assert_refused EXIT-STATUS [TEXT]: in words on standard error, no property, nothing written.
assert_refused() {
	assert_status "$1"
	[[ $log ]] || explain "nothing was said"
	[[ -z ${2-} ]] || assert_log "$2"
	[[ -z $output ]] || explain "properties were printed"
	assert_untouched
	[[ ! -e $TREE/run/nvfio ]] || explain "/run/nvfio was made"
}

# --- arguments ------------------------------------------------------------------------------------------------------

@test "the arguments these tests start from are good" {
	event "$SYSPATH"
	assert_state bound
}

@test "no arguments at all" {
	under_kernel "$NVFIO_UDEV"
	assert_refused $USAGE Usage
}

@test "an unknown option" {
	event --colour "$SYSPATH"
	assert_refused $USAGE colour
}

@test "an option without its value" {
	under_kernel "$NVFIO_UDEV" event "$SYSPATH" --action
	assert_refused $USAGE action
}

@test "an unknown verb" {
	nvfio_udev bind "$SYSPATH"
	assert_refused $USAGE "unknown verb"
}

@test "no path" {
	event
	assert_refused $USAGE
}

@test "two paths" {
	event "$SYSPATH" "$SYSPATH"
	assert_refused $USAGE
}

@test "an event that is none of ours" {
	local action
	for action in bind remove move online "" ADD "add "; do
		nvfio_udev event --action="$action" --seqnum=1 "$SYSPATH"
		assert_refused $USAGE "$action"
	done
	nvfio_udev event --action=unbind --synth=0 --seqnum=1 "$SYSPATH"
	assert_refused $USAGE unbind
}

@test "a word in ENV{NVFIO} nobody knows takes nothing" {
	local word
	for word in nativ NATIVE off " native"; do
		event --admin="$word" "$SYSPATH"
		assert_untouched || explain "word was '$word'"
	done
}

@test "a sysroot that is too long" {
	under_kernel "$NVFIO_UDEV" event --action=add --seqnum=1 --sysroot="/$(printf 'x%.0s' {1..5000})" "$SYSPATH"
	assert_refused $USAGE
}

@test "a sysroot that is not there" {
	under_kernel "$NVFIO_UDEV" event --action=add --seqnum=1 --sysroot="$TREE/nowhere" "$SYSPATH"
	assert_refused $GONE
}

@test "help and version are no errors" {
	under_kernel "$NVFIO_UDEV" --help
	assert_status 0
	[[ $output == Usage:* ]] || explain "no usage"
	under_kernel "$NVFIO_UDEV" --version
	assert_status 0
	[[ $output == "nvfio-udev "* ]] || explain "no version"
}

# --- the path -------------------------------------------------------------------------------------------------------

@test "paths that are none of a PCI function" {
	local path
	for path in "" / . "$GPU" "sys/devices/$PORT/$GPU" "/sys/bus/pci/devices/$GPU" "/sys/devices/pci0000:00" \
		"/sys/devices/../devices/$PORT/$GPU" "/sys/devices/./$PORT/$GPU" "/sys/devices//$PORT/$GPU" \
		"$SYSPATH/" "$SYSPATH/." "$SYSPATH/.." "$SYSPATH/vendor" "/sys/devices/$PORT/0000:01:00" \
		"/sys/devices/$PORT/0000:01:00.8" "/sys/devices/$PORT/0000:01:20.0" "/sys/devices/$PORT/000:01:00.0" \
		"/sys/devices/$PORT/123456789:01:00.0" "/sys/devices/$PORT/0000:01:00.0x" \
		"/sys/devices/$PORT/ 0000:01:00.0" "/sys/devices/$PORT/0000_01_00.0" "/proc/devices/$GPU"; do
		event "$path"
		assert_refused $USAGE "$path"
	done
}

@test "a path longer than paths are" {
	event "/sys/devices/$(printf 'x/%.0s' {1..5000})$GPU"
	((status == USAGE || status == GONE)) || explain "status is $status"
	assert_untouched
}

@test "a directory of another subsystem that is called like a function" {
	mkdir -p "$TREE/sys/devices/virtual/net/$GPU" "$TREE/sys/devices/virtual/net/0000:09:00.0"
	event "/sys/devices/virtual/net/$GPU"
	assert_refused $USAGE
	event "/sys/devices/virtual/net/0000:09:00.0"
	assert_refused $USAGE
}

@test "a function that is not there" {
	event "/sys/devices/$PORT/0000:09:00.0"
	assert_refused $GONE 0000:09:00.0
}

@test "a function at another place than the path says" {
	event "/sys/devices/pci0000:00/$GPU"
	((status == USAGE || status == GONE)) || explain "status is $status"
	assert_untouched
}

# --- attributes -----------------------------------------------------------------------------------------------------

@test "ids and class that are not what the kernel prints" {
	local attr value keep
	for attr in vendor device subsystem_vendor subsystem_device class; do
		keep=$(cat "$TREE$SYSPATH/$attr")
		for value in '' '\n' '10de\n' '0x\n' '0x10dg\n' '-1\n' ' 0x10de\n' '0x10de \n' '0x1000000\n' '0x10de\0\n' \
			"$(printf '0%.0s' {1..5000})"; do
			set_attribute $GPU $attr "$value"
			event "$SYSPATH"
			assert_refused $BAD_DATA $attr
		done
		set_attribute $GPU $attr "$keep\n"
	done
	event "$SYSPATH"
	assert_state bound
}

@test "a modalias that is not what the kernel prints" {
	local value
	for value in '' '\n' 'usb:v10de\n' '\0\n' "pci:$(printf 'v%.0s' {1..300})\n"; do
		set_attribute $GPU modalias "$value"
		event "$SYSPATH"
		assert_refused $BAD_DATA modalias
	done
}

@test "a modalias with a pattern's characters matches nothing it should not" {
	set_attribute $GPU modalias 'pci:v*[\n'
	event "$SYSPATH"
	((status <= BAD_DATA)) || explain "status is $status"
	[[ $status == 0 ]] || assert_untouched
}

@test "attributes that are missing" {
	local attr
	for attr in vendor device subsystem_vendor subsystem_device class modalias; do
		mv "$TREE$SYSPATH/$attr" "$TREE/kept"
		event "$SYSPATH"
		((status == GONE || status == BAD_DATA)) || explain "status is $status without $attr"
		assert_untouched
		mv "$TREE/kept" "$TREE$SYSPATH/$attr"
	done
}

@test "attributes that are links or directories" {
	local attr
	for attr in vendor class; do
		mv "$TREE$SYSPATH/$attr" "$TREE/kept"
		ln -s "$TREE/kept" "$TREE$SYSPATH/$attr"
		event "$SYSPATH"
		((status > 0 && status <= BAD_DATA)) || explain "status is $status where $attr is a link"
		assert_untouched
		rm "$TREE$SYSPATH/$attr"
		mkdir "$TREE$SYSPATH/$attr"
		event "$SYSPATH"
		((status > 0 && status <= BAD_DATA)) || explain "status is $status where $attr is a directory"
		assert_untouched
		rmdir "$TREE$SYSPATH/$attr"
		mv "$TREE/kept" "$TREE$SYSPATH/$attr"
	done
}

@test "a driver_override longer than driver names is not overwritten" {
	local long
	long=$(printf 'x%.0s' {1..200})
	set_attribute $GPU driver_override "$long\n"
	event "$SYSPATH"
	((status <= 1)) || explain "status is $status"
	assert_untouched
	assert_override $GPU "$long"
}

@test "a driver link that leads to a name longer than names are" {
	ln -s "../../$(printf 'x%.0s' {1..200})" "$TREE$SYSPATH/driver"
	event "$SYSPATH"
	((status > 0 && status <= BAD_DATA)) || explain "status is $status"
	assert_untouched
}

@test "an iommu_group that is no link is no group" {
	rm "$TREE$SYSPATH/iommu_group"
	mkdir "$TREE$SYSPATH/iommu_group"
	event "$SYSPATH"
	assert_state refused no-iommu
	assert_untouched
}

# --- /run/nvfio -----------------------------------------------------------------------------------------------------

@test "a link in the place of /run/nvfio is not followed" {
	mkdir "$TREE/elsewhere"
	ln -s "$TREE/elsewhere" "$TREE/run/nvfio"
	event "$SYSPATH"
	assert_status 1
	[[ -z $(writes) && -z $(ls -A "$TREE/elsewhere") ]] || explain "something was written"
}

@test "links in the place of a record, its temporary file and the lock are not followed" {
	local name
	mkdir "$TREE/run/nvfio"
	printf 'precious\n' >"$TREE/victim"
	for name in $GPU .$GPU.new $GPU.lock; do
		rm -f "$TREE/run/nvfio/$name"
		ln -s "$TREE/victim" "$TREE/run/nvfio/$name"
		event "$SYSPATH"
		((status <= 1)) || explain "status is $status"
		[[ $(cat "$TREE/victim") == precious ]] || explain "written through $name"
	done
}

@test "a FIFO in the place of a record does not make us wait" {
	mkdir "$TREE/run/nvfio"
	mkfifo "$TREE/run/nvfio/$GPU"
	NVFIO_UNDER="timeout 10" event "$SYSPATH"
	((status <= 1)) || explain "status is $status"
}

@test "records that are not what we write" {
	local text
	mkdir "$TREE/run/nvfio"
	for text in 'state=bound' 'state=eaten\ninode=1\n' '=\n' 'inode=\n' '\0\0\0' \
		"state=acting\ninode=$(stat -c %i "$TREE$SYSPATH")\nvendor=10de\ndevice=2331\nwanted=$(printf 'x%.0s' {1..100})\n" \
		"$(printf 'x%.0s' {1..2000})"; do
		printf '%b' "$text" >"$TREE/run/nvfio/$GPU"
		nvfio_udev decide --action=add "$SYSPATH"
		assert_status 0
		[[ $(prop NVFIO_VERDICT) == bind ]] || explain "record was '${text:0:60}'"
	done
}
