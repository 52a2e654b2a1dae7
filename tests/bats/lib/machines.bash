#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the fake tree of a recorded machine, tests/bats/machines/NAME.machine, and lets its NVIDIA functions have their
# events. Needs tree.bash and helper.bash. A line of such a file is
#   cmdline TEXT          the kernel command line
#   iommu NAME            the IOMMU
#   arch NAME             what uname(2) says, if it is not this machine
#   driver NAME MODULE    a driver that is loaded, besides those that every tree has
#   variant NAME ALIAS    a VFIO variant driver that is installed and loaded, and the alias of its module
#   name ID TEXT          what the hardware database calls the model
# or a function:
#   BDF CLASS ID SUBSYSTEM DRIVER GROUP ABOVE [BAR:SIZE:KIND | rom:SIZE | boot-vga | sriov:N | vf-of:BDF]...
# DRIVER: -, a driver, or -/NAME where it has none and NAME would take it. GROUP: a number, or -. ABOVE: the bridge in
# front of it, on an earlier line, or - on a root bus. KIND: 32 or 64, with p behind it if prefetchable, or io.

MACHINES_DIR=$LIB_DIR/../machines
declare -gA above_of=() name_of=()
nvidia_functions=()

# bytes TEXT: 16M is 16777216.
bytes() {
	local unit=${1##*[0-9]}
	case $unit in
	'') echo "$1" ;;
	K) echo $((${1%K} << 10)) ;;
	M) echo $((${1%M} << 20)) ;;
	G) echo $((${1%G} << 30)) ;;
	*) echo "bytes: what is $1?" >&2 && return 1 ;;
	esac
}

# The resource file as drivers/pci/pci-sysfs.c prints it. The addresses are made up, sizes and flags are not.
# add_resources BDF BAR:SIZE:KIND...
add_resources() {
	local dev bar size flags start i lines=()
	dev=$(device_dir "$1")
	shift
	for ((i = 0; i < 7; i++)); do
		lines[i]='0x0000000000000000 0x0000000000000000 0x0000000000000000'
	done
	for bar in "$@"; do
		size=$(bytes "$(cut -d: -f2 <<<"$bar")")
		case ${bar%%:*}:${bar##*:} in
		rom:*) i=6 flags=0x46200 ;;
		*:32) i=${bar%%:*} flags=0x40200 ;;
		*:32p) i=${bar%%:*} flags=0x42208 ;;
		*:64) i=${bar%%:*} flags=0x140204 ;;
		*:64p) i=${bar%%:*} flags=0x14220c ;;
		*:io) i=${bar%%:*} flags=0x40101 ;;
		*) echo "add_resources: what is $bar?" >&2 && return 1 ;;
		esac
		case $bar in
		*:io) start=$((io_next = (io_next + size - 1) & -size)) && io_next=$((io_next + size)) ;;
		*:64p) start=$((high_next = (high_next + size - 1) & -size)) && high_next=$((high_next + size)) ;;
		*) start=$((low_next = (low_next + size - 1) & -size)) && low_next=$((low_next + size)) ;;
		esac
		printf -v 'lines[i]' '0x%016x 0x%016x 0x%016x' $start $((start + size - 1)) $flags
	done
	printf '%s\n' "${lines[@]}" >"$dev/resource"
}

# path_of BDF: where a function with this name is below sys/devices, without it.
path_of() {
	local above=${above_of[$1]}
	if [[ $above == - ]]; then
		printf 'pci%s\n' "${1%:*}"
	else
		printf '%s/%s\n' "$(path_of "$above")" "$above"
	fi
}

# add_recorded [--cold] BDF CLASS ID SUBSYSTEM DRIVER GROUP ABOVE [MORE...]
add_recorded() {
	local cold='' options=() bars=() word
	[[ $1 == --cold ]] && cold=yes && shift
	local bdf=$1 class=$2 id=$3 subsystem=$4 driver=$5 group=$6
	above_of[$bdf]=$7
	shift 7
	if [[ $cold && $id == 10de:* && $class != 0604?? && $driver != -* ]]; then
		driver=-/$driver
	fi
	case $driver in
	-) ;;
	-/*) options+=(--native "${driver#-/}") ;;
	*) options+=(--driver "$driver") ;;
	esac
	[[ $group == - ]] || options+=(--group "$group")
	for word in "$@"; do
		case $word in
		boot-vga) options+=(--boot-vga) ;;
		sriov:*) options+=(--sriov "${word#*:}") ;;
		vf-of:*) options+=(--vf-of "${word#*:}") ;;
		*) bars+=("$word") ;;
		esac
	done
	add_function "$bdf" "$id" "$class" --subsys "$subsystem" --parent "$(path_of "$bdf")" "${options[@]}"
	add_resources "$bdf" "${bars[@]}"
	if [[ $id == 10de:* ]]; then
		remember "$bdf" "$id"
		# The rules do not start it for the others, such as Grace's root ports.
		[[ $class != @(030000|030200|038000|040300|0c03??|0c80??|068000) ]] || nvidia_functions+=("$bdf")
	fi
}

add_variant() {
	fake_ko "$TREE/lib/modules/$(uname -r)/kernel/$1.ko" "$2"
	depmod -b "$TREE" "$(uname -r)"
	add_driver "$1" "$1"
	printf 'vfio-pci %s\n' "$1" >"$TREE/.fake_vfio_drivers"
}

# remember BDF ID: udev's database, with what the last event printed ($output).
remember() {
	mkdir -p "$TREE/run/udev/data"
	{
		printf 'E:ID_MODEL_FROM_DATABASE=%s\n' "${name_of[$2]-}"
		[[ -z $output ]] || sed -n 's/^\([A-Z_]*\)="\(.*\)"$/E:\1=\2/p' <<<"$output"
		printf 'V:1\n'
	} >"$TREE/run/udev/data/+pci:$1"
}

# load_machine NAME [--cold]: --cold as it is before udev's first event: no NVIDIA function has a driver but bridges.
load_machine() {
	local line words output=''
	io_next=$((0x6000)) low_next=$((0x90000000)) high_next=$((0x380000000000))
	while read -r line; do
		read -ra words <<<"$line"
		case $line in
		'#'* | '') ;;
		cmdline\ *) kernel_command_line "BOOT_IMAGE=/vmlinuz ${line#* }" ;;
		iommu\ *) rm "$TREE/sys/class/iommu/dmar0" && ln -s ../../devices/virtual/iommu/dmar0 "$TREE/sys/class/iommu/${words[1]}" ;;
		arch\ *) printf '%s\n' "${words[1]}" >"$TREE/.fake_machine" ;;
		driver\ *) add_driver "${words[@]:1}" ;;
		variant\ *) add_variant "${words[@]:1}" ;;
		name\ *) name_of[${words[1]}]=${line#name * } ;;
		*) add_recorded ${2+"$2"} "${words[@]}" ;;
		esac
	done <"$MACHINES_DIR/$1.machine"
}

# have_event EVENT BDF: as udev: the event's properties are kept, and a function that is not taken gets its native
# driver (80-drivers.rules).
have_event() {
	local dev native
	# The rules start nothing for it.
	! on_vfio "$2" || return 0
	"$1" "$2"
	((status == 0)) || explain "the event of $2 failed"
	dev=$(device_dir "$2")
	remember "$2" "$(cut -c 3- "$dev/vendor"):$(cut -c 3- "$dev/device")"
	native=$(cat "$dev/.fake_native" 2>/dev/null) || return 0
	case $(prop NVFIO_STATE) in
	bound | claimed) ;;
	*) [[ -L $dev/driver ]] || bind_natively "$2" "$native" ;;
	esac
}

# have_events EVENT [BDF...]: each of these, or of the machine's NVIDIA functions, has it; then those that nvfio told.
have_events() {
	local event=$1 bdf told
	shift
	(($#)) || set -- "${nvidia_functions[@]}"
	for bdf in "$@"; do
		have_event "$event" "$bdf"
	done
	while told=$(uevents) && [[ $told ]]; do
		rm "$TREE/.fake_uevents"
		while read -r bdf _; do
			have_event follow_up "$bdf"
		done <<<"$told"
	done
	forget_writes
}

# assert_golden CASE.WHAT: the output is the file of that name, but for blanks at the ends of lines. With GOLDEN=1 it
# is written instead; look at the difference before you commit it.
assert_golden() {
	local file=$MACHINES_DIR/$1 got
	# shellcheck disable=SC2001 # of each line
	got=$(sed 's/ *$//' <<<"$output")
	assert_status 0
	if [[ ${GOLDEN-} ]]; then
		printf '%s\n' "$got" >"$file"
	fi
	[[ $got == "$(cat "$file")" ]] || explain "the output is not $1:" "$(diff -u "$file" <(printf '%s\n' "$got"))"
}
