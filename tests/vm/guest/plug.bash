# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Part of lib.bash: cards, and the emulator they are plugged into.

# --- the emulator ------------------------------------------------------------

# port_of NAME: device node of a virtio port.
port_of()
{
	local dir name

	for dir in /sys/class/virtio-ports/*; do
		read -r name <"$dir/name"
		[[ $name == "$1" ]] || continue
		echo "/dev/${dir##*/}"
		return 0
	done
	return 1
}

# qmp COMMAND [JSON]: one command to the emulator; 1 if it refuses.
qmp()
{
	local id=$RANDOM$RANDOM answer=

	printf '{"execute": "%s"%s, "id": "%s"}\n' "$1" "${2:+, \"arguments\": ${2//$'\n'/ }}" "$id" \
		>"$BENCH/qmp.in"
	wait_for 20 test -e "$BENCH/answer.$id" && answer=$(<"$BENCH/answer.$id")
	rm -f "$BENCH/answer.$id"
	[[ $answer == *'"return"'* ]] && return 0
	echo "qmp $1: ${answer:-no answer}" >&2
	return 1
}

# Holds the monitor's port for the life of the guest: what arrives while a port
# is closed, or was not read when it is, is lost. Answers and deletions become
# files.
qmp_relay()
{
	local port=$1 line fd

	exec {fd}<>"$port"
	# The writing side stays open, whoever comes and goes.
	cat <>"$BENCH/qmp.in" >&"$fd" &
	while IFS= read -ru "$fd" line; do
		if [[ $line == *'"DEVICE_DELETED"'* && $line =~ '"device": "'([^\"]+) ]]; then
			: >"$BENCH/deleted.${BASH_REMATCH[1]}"
		elif [[ $line =~ '"id": "'([0-9]+) ]]; then
			echo "$line" >"$BENCH/answer.new"
			mv "$BENCH/answer.new" "$BENCH/answer.${BASH_REMATCH[1]}"
		fi
	done
}

# --- addresses ---------------------------------------------------------------

# bus_of PORT: bus number below root port 1..6, s (the SR-IOV port), h (where a card is from power-on), or a, b, c (behind
# switches), in hex.
bus_of()
{
	local number port=$SYS/0000:00:1$1.0

	case $1 in
	s) port=$SYS/0000:00:18.0 ;;
	h) port=$SYS/0000:00:1b.0 ;;
	a) port=$(echo "$SYS"/0000:00:19.0/*:00.0/*:01.0) ;;
	b) port=$(echo "$SYS"/0000:00:19.0/*:00.0/*:02.0) ;;
	c) port=$(echo "$SYS"/0000:00:1a.0/*:00.0/*:01.0) ;;
	esac
	read -r number <"$port/secondary_bus_number"
	printf '%02x\n' "$number"
}

# bdf_of PORT [FUNC]
bdf_of()
{
	echo "0000:$(bus_of "$1"):00.${2:-0}"
}

# vfs_of BDF: the BDFs of a PF's virtual functions.
vfs_of()
{
	local link

	for link in "$SYS/$1"/virtfn*; do
		[[ -e $link ]] && basename "$(readlink "$link")"
	done
}

# --- plugging ----------------------------------------------------------------

# Emulated device and identity of each kind of function. Without an identity a
# function stays what it is (and has the driver that Linux has for it).
declare -gA KIND_DEVICE=(
	[gpu]=e1000e [vga]=e1000e [audio]=ich9-intel-hda [usb]=qemu-xhci
	[ucsi]=edu [nvswitch]=edu [other]=edu [foreign]=e1000e
	[nvme]=nvme [xhci]=qemu-xhci
)
declare -gA KIND_ID=(
	[gpu]=10de:2331:030200 [vga]=10de:2204:030000 [audio]=10de:22bc:040300
	[usb]=10de:1ad8:0c0330 [ucsi]=10de:1ad9:0c8000 [nvswitch]=10de:22a3:068000
	[other]=10de:0373:020000 [foreign]="" [nvme]="" [xhci]=""
)

# disk_for ID: an empty disk for the emulated device, as a property of it.
disk_for()
{
	truncate -s 32M "$BENCH/out/disk-$1" || return 1
	qmp blockdev-add "{\"driver\": \"file\", \"node-name\": \"disk-$1\",
		\"filename\": \"$OUT/disk-$1\"}" || return 1
	echo ", \"drive\": \"disk-$1\""
}

# properties_of KIND ID: what the emulated device needs besides its place.
properties_of()
{
	case ${KIND_DEVICE[$1]} in
	e1000e)
		echo ', "romfile": ""'
		;;
	nvme)
		disk_for "$2" && echo ", \"serial\": \"nvfio-$2\""
		;;
	esac
}

# plug_card PORT [KIND[=ID]]...: plug a card, function 0 first in the list, and
# wait until the kernel has all of them. Default: gpu audio usb. ID is
# VVVV:DDDD:CCCCCC[:SSSS:SSSS]. Does not wait for udev.
plug_card()
{
	local port=$1 bus func kind id name serial properties
	shift
	local -a kinds=("$@")

	((${#kinds[@]})) || kinds=(gpu audio usb)
	bus=$(bus_of "$port")
	read -r serial <"$BENCH/serial"
	echo $((serial + 1)) >"$BENCH/serial"
	echo "c${port}f0n$serial" >"$BENCH/card.$port"
	# Function 0 last: it is what makes the slot's hotplug event.
	for ((func = ${#kinds[@]} - 1; func >= 0; func--)); do
		kind=${kinds[func]%%=*}
		id=${KIND_ID[$kind]}
		[[ ${kinds[func]} == *=* ]] && id=${kinds[func]#*=}
		echo "$bus:00.$func=$id" >"$IDS"
		name=c${port}f${func}n$serial
		properties=$(properties_of "$kind" "$name") || return 1
		qmp device_add "{\"driver\": \"${KIND_DEVICE[$kind]}\", \"id\": \"$name\",
			\"bus\": \"rp$port\", \"addr\": \"0.$func\", \"multifunction\": true
			$properties}" || return 1
	done
	for ((func = 0; func < ${#kinds[@]}; func++)); do
		wait_for 20 test -e "$SYS/0000:$bus:00.$func/class" || return 1
	done
}

# plug_usb PORT FUNC usb-kbd|usb-storage: into the USB controller that is this
# function of the card in PORT.
# Waits until the kernel has its interface. unplug_usb PORT FUNC takes it out.
plug_usb()
{
	local controller disk=''

	controller=$(sed "s/f0/f$2/" "$BENCH/card.$1")
	[[ $3 != usb-storage ]] || disk=$(disk_for "$controller-usb") || return 1
	qmp device_add "{\"driver\": \"$3\", \"id\": \"$controller-usb\",
		\"bus\": \"$controller.0\"$disk}" || return 1
	wait_for 20 usb_devices "$1" "$2"
}

unplug_usb()
{
	qmp device_del "{\"id\": \"$(sed "s/f0/f$2/" "$BENCH/card.$1")-usb\"}" || return 1
	wait_for 20 no_usb_devices "$1" "$2"
}

# usb_devices PORT FUNC: whether an interface is below the controller's hubs.
usb_devices()
{
	compgen -G "$SYS/$(bdf_of "$1" "$2")/usb*/*-*/*:*/bInterfaceClass" >/dev/null
}

no_usb_devices()
{
	! usb_devices "$@"
}

# plug_sriov [VFS [ID]]: plug a PF with up to VFS (8) virtual functions into
# port s; the VFs have the PF's identity.
plug_sriov()
{
	local n=${1:-8} id=${2:-10de:2331:030200} bus serial

	bus=$(bus_of s)
	read -r serial <"$BENCH/serial"
	echo $((serial + 1)) >"$BENCH/serial"
	echo "$bus:00.0=$id $bus:vf=$id" >"$IDS"
	qmp device_add "{\"driver\": \"nvme\", \"id\": \"csn$serial\", \"bus\": \"rps\",
		\"addr\": \"0.0\", \"serial\": \"nvfio\", \"subsys\": \"subsys\",
		\"sriov_max_vfs\": $n, \"sriov_vq_flexible\": $((2 * n)),
		\"sriov_vi_flexible\": $n, \"max_ioqpairs\": $((2 * n + 2)),
		\"msix_qsize\": $((n + 1))}" || return 1
	echo "csn$serial" >"$BENCH/card.s"
	wait_for 20 test -e "$SYS/0000:$bus:00.0/class"
}

# sriov PORT N: N virtual functions on function 0 of the card in PORT.
sriov()
{
	echo "$2" >"$SYS/$(bdf_of "$1")/sriov_numvfs"
}

# unplug_start PORT: ask for an orderly unplug of the slot, do not wait.
unplug_start()
{
	qmp device_del "{\"id\": \"$(<"$BENCH/card.$1")\"}"
}

# unplug_wait PORT: until nothing is left of the card, in kernel and emulator.
# The emulator reports only the function that was asked for; the others of the
# slot went in the same step.
unplug_wait()
{
	local bdf

	bdf=$(bdf_of "$1")
	wait_for 30 gone "$SYS/$bdf" || return 1
	wait_for 20 test -e "$BENCH/deleted.$(<"$BENCH/card.$1")" || return 1
	rm "$BENCH/card.$1"
}

# unplug_card PORT
unplug_card()
{
	unplug_start "$1" && unplug_wait "$1"
}
