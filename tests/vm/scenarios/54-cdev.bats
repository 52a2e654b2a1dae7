#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
# with: debian-13 newest
#
# Kernels with CONFIG_VFIO_DEVICE_CDEV (6.6) have a node for each function, /dev/vfio/devices/vfioN, beside the one of its
# group. Whoever has it open holds the function, whatever becomes of the group's; and it is given to node-group as that is.
# No amd64 kernel of Debian has them, so the VFIO modules are built anew from its source (../cdev/build).

load ../guest/lib
bats_require_minimum_version 1.5.0

setup_file()
{
	bench_reset
	with_cdev
	modprobe -a vfio-pci iommufd
	groupadd --system cdevusers
	useradd --system --no-user-group --gid nogroup --groups cdevusers cdevuser
	# Where users may start it.
	install "$BUILD/node-client" $CLIENT
}

teardown_file()
{
	without_cdev
}

CLIENT=/usr/local/bin/node-client

# cdev_of BDF: the function's own node.
cdev_of()
{
	local dir

	for dir in "$SYS/$1"/vfio-dev/vfio*; do
		echo "/dev/vfio/devices/${dir##*/}"
	done
}

access_of()
{
	stat -c '%U:%G %a' "$1"
}

# hold COMMAND...: starts it and waits until it is ready; it stays until let_go.
hold()
{
	rm -f "$BENCH"/hold.*
	mkfifo "$BENCH/hold.in"
	"$@" <"$BENCH/hold.in" >"$BENCH/hold.out" 2>&1 3>&- &
	HOLDER=$!
	exec {HELD}>"$BENCH/hold.in"
	wait_for 10 grep -q ready "$BENCH/hold.out" || { cat "$BENCH/hold.out"; return 1; }
}

let_go()
{
	exec {HELD}>&-
	wait_for 10 gone "/proc/$HOLDER"
}

# lands [KIND...]: a card in port 1.
lands()
{
	plug_card 1 "$@"
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
}

@test "each function of a card has a node of its own, which is root's alone" {
	local func nodes=()

	lands
	for func in 0 1 2; do
		[[ -c $(cdev_of "$(bdf_of 1 $func)") ]]
		[[ $(access_of "$(cdev_of "$(bdf_of 1 $func)")") == "root:root 600" ]]
		nodes+=("$(cdev_of "$(bdf_of 1 $func)")")
	done
	[[ $(printf '%s\n' "${nodes[@]}" | sort -u | wc -l) -eq 3 ]]
	[[ ! -e /dev/vfio/by-bdf ]]
	vfio-client "$(bdf_of 1)"
}

@test "who has it open is a user of the function: explain names the pid, unbind is refused" {
	local bdf node

	bdf=$(bdf_of 1)
	node=$(cdev_of "$bdf")
	hold node-client open "$node"
	run within 10 nvfio explain "$bdf"
	echo "$output"
	[[ $output == *"$node open in pid $HOLDER (node-client)"* ]]
	run -1 within 10 nvfio unbind "$bdf"
	echo "$output"
	[[ $output == *"its VFIO node is in use: $node open in pid $HOLDER (node-client)"* ]]
	# Nor is what the card has beside it.
	[[ $(driver_of "$bdf") == vfio-pci && $(driver_of "$(bdf_of 1 1)") == vfio-pci ]]
	let_go
}

@test "also of a companion, which is not unbound when function 0 is left by now" {
	local snd node

	snd=$(bdf_of 1 1)
	node=$(cdev_of "$snd")
	hold node-client open "$node"
	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ENV{NVFIO}="native"\n' "$(bdf_of 1)" >/run/udev/rules.d/65-site.rules
	udevd_reload
	bdf_of 1 >/sys/bus/pci/drivers/vfio-pci/unbind
	printf '\n' >"$SYS/$(bdf_of 1)/driver_override"
	rm "/run/nvfio/$(bdf_of 1)"
	udevadm trigger --settle "$SYS/$(bdf_of 1)"
	[[ $(property_of "$(bdf_of 1)" NVFIO_REASON) == rule ]]
	[[ $(driver_of "$snd") == vfio-pci && -e /proc/$HOLDER ]]
	let_go
	rm /run/udev/rules.d/65-site.rules
	udevd_reload
	unplug_card 1
}

@test "node-group: a user of it opens the node, another one does not, and it is taken back" {
	local bdf node

	printf '[policy]\nnode-group = cdevusers\n' >/etc/nvfio.conf
	lands gpu audio
	bdf=$(bdf_of 1)
	node=$(cdev_of "$bdf")
	[[ $(access_of "$node") == "root:cdevusers 660" ]]
	[[ $(access_of "$(cdev_of "$(bdf_of 1 1)")") == "root:cdevusers 660" ]]
	[[ $(access_of "/dev/vfio/$(group_of "$bdf")") == "root:cdevusers 660" ]]
	runuser -u cdevuser -- $CLIENT open "$node" </dev/null
	run -1 runuser -u nobody -- $CLIENT open "$node" </dev/null
	[[ $output == *"Permission denied"* ]]
	# The link is the group's node, whichever event came last.
	[[ $(readlink -m "/dev/vfio/by-bdf/$bdf") == "/dev/vfio/$(group_of "$bdf")" ]]
	rm /etc/nvfio.conf
	udevadm trigger --settle --subsystem-match=vfio --subsystem-match=vfio-dev
	[[ $(access_of "$node") == "root:root 600" ]]
	[[ $(access_of "/dev/vfio/$(group_of "$bdf")") == "root:root 600" ]]
	unplug_card 1
}

@test "a member that somebody else put on VFIO: its node and ours stay root's" {
	local bdf foreign

	printf '[policy]\nnode-group = cdevusers\n' >/etc/nvfio.conf
	udevd_hold
	plug_card 1 gpu foreign
	bdf=$(bdf_of 1) foreign=$(bdf_of 1 1)
	echo vfio-pci >"$SYS/$foreign/driver_override"
	[[ ! -e $SYS/$foreign/driver ]] || echo "$foreign" >"$SYS/$foreign/driver/unbind"
	echo "$foreign" >/sys/bus/pci/drivers_probe
	[[ $(driver_of "$foreign") == vfio-pci ]]
	udevd_go_on
	wait_for 20 driver_is "$bdf" vfio-pci
	settle
	[[ $(access_of "$(cdev_of "$foreign")") == "root:root 600" ]]
	[[ $(access_of "$(cdev_of "$bdf")") == "root:root 600" ]]
	[[ $(access_of "/dev/vfio/$(group_of "$bdf")") == "root:root 600" ]]
	rm /etc/nvfio.conf
	unplug_card 1
}

@test "a real QEMU has the card through /dev/iommu, with what nvfio args --iommufd prints" {
	local bdf words

	lands gpu audio
	bdf=$(bdf_of 1)
	read -rd '' -a words < <(within 20 nvfio args --vmm=qemu --iommufd "$bdf" 2>"$BENCH/notes") || :
	echo "${words[@]}"
	[[ "${words[*]}" == *iommufd* ]]
	printf 'info qtree\nquit\n' >"$BENCH/monitor.in"
	timeout 100 qemu-system-x86_64 -machine q35,accel=tcg -m 64 -display none -nodefaults -no-user-config -S \
		-monitor stdio "${words[@]}" <"$BENCH/monitor.in" >"$BENCH/qtree" 2>&1 || { cat "$BENCH/qtree"; return 1; }
	[[ $(grep -c 'dev: vfio-pci' "$BENCH/qtree") -eq 2 ]]
	grep -q "host = \"$bdf\"" "$BENCH/qtree"
	unplug_card 1
}
