#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# A burst of VFs is taken by one program, started by their PF's event. What could go wrong: one is forgotten, or waits for ever;
# one that has to be treated in another way is not, or keeps the others; what udev knows is not what became of it.

bats_require_minimum_version 1.5.0
load ../guest/lib

setup_file()
{
	bench_reset
	modprobe -a nvidia vfio-pci
	mkdir -p /run/udev/rules.d
}

# A failed test has unplugged it, or left the guest without udevd, or with its rule.
setup()
{
	! udevd_gone || udevd_start
	if [[ -e /run/udev/rules.d/65-site.rules ]]; then
		event_goes_on || :
		settle
	fi
	PF=$(bdf_of s)
	if [[ ! -e $SYS/$PF ]]; then
		configure
		plug_sriov 16
		settle
	fi
	records_reset
}

# configure [LINE]...: that the PF stays, and more.
configure()
{
	printf '[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
	((!$#)) || printf '%s\n' "$@" >>/etc/nvfio.conf
}

# burst N: into VFS.
burst()
{
	sriov s "$1"
	mapfile -t VFS < <(vfs_of "$PF")
	((${#VFS[@]} == $1))
}

no_vfs()
{
	sriov s 0
	settle
	wait_for 10 no_strays
}

# properties BDF: into P what udev knows.
properties()
{
	local line

	P=()
	while IFS= read -r line; do
		[[ $line != E:NVFIO_* ]] || { line=${line#E:NVFIO_}; P[${line%%=*}]=${line#*=}; }
	done <"/run/udev/data/+pci:$1"
}

# has BDF KEY=PATTERN...: of its properties; says what else it has.
has()
{
	local bdf=$1 want
	local -A P

	shift
	properties "$bdf"
	for want; do
		# shellcheck disable=SC2053 # a pattern
		[[ ${P[${want%%=*}]:-} == ${want#*=} ]] || { echo "$bdf: no $want in: $(declare -p P)"; return 1; }
	done
}

on_vfio()
{
	local bdf

	for bdf; do
		[[ -e $SYS/$bdf/vfio-dev && $SYS/$bdf/driver -ef /sys/bus/pci/drivers/vfio-pci ]] || return 1
	done
}

# landed BDF...: on VFIO, and udev knows everything about it.
landed()
{
	local bdf

	wait_for 30 on_vfio "$@" || { cards; return 1; }
	settle || return 1
	for bdf; do
		has "$bdf" STATE=bound VERDICT=bind REASON=bound ROLE=vf DRIVER=vfio-pci "GROUP=$(group_of "$bdf")" \
			"MESSAGE=bound to vfio-pci, was on *" || return 1
	done
}

@test "16 at once: one program takes them, each with its properties and its record" {
	local bdf records

	starts_reset
	burst 16
	landed "${VFS[@]}"
	echo "$(starts_of nvfio-udev) starts"
	[[ $(starts_of nvfio-udev) -eq 1 ]]
	records=$(records_of)
	for bdf in "${VFS[@]}"; do
		[[ $records == *"$bdf: bound to vfio-pci, was on no driver"* ]]
	done
	[[ $(wc -l <<<"$records") -eq 16 ]]
	[[ $(driver_of "$PF") == nvidia && $(state_of "$PF") == left ]]
	vfio-client "${VFS[15]}"
	no_vfs
}

@test "an administrator's rule: that VF is judged by its own event, the others land" {
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ENV{NVFIO}="%s"\n' "${PF%0}1" native "${PF%0}2" vfio >/run/udev/rules.d/65-site.rules
	udevd_reload
	burst 4
	landed "${VFS[@]:1}"
	has "${VFS[0]}" STATE=left VERDICT=leave REASON=rule ROLE=vf
	[[ $(driver_of "${VFS[0]}") == none && $(override_of "${VFS[0]}") == none ]]
	rm /run/udev/rules.d/65-site.rules
	udevd_reload
	no_vfs
}

# What the modalias of the VFs stands for, besides the native driver, which is there.
offer_reset()
{
	echo 'alias pci:v000010DEd00002331sv* snd_hda_intel' >/etc/modprobe.d/nvfio-test-offer.conf
	udevd_reload
	! module_loaded snd_hda_intel || modprobe -r snd_hda_intel
}

@test "configured native: it is left, its native driver's module is loaded, the others land" {
	offer_reset
	burst 2
	landed "${VFS[@]}"
	run ! module_loaded snd_hda_intel
	no_vfs
	records_reset
	configure "[device ${PF%0}3]" 'vf = native'
	burst 3
	landed "${VFS[@]:0:2}"
	wait_for 10 has "${VFS[2]}" STATE=left VERDICT=leave REASON=configured ROLE=vf
	[[ $(driver_of "${VFS[2]}") == none && $(override_of "${VFS[2]}") == none ]]
	wait_for 10 module_loaded snd_hda_intel
	[[ $(records_of "${VFS[2]}" | wc -l) -eq 1 ]]
	[[ ! -e /run/nvfio/${VFS[2]} ]]
	rm /etc/modprobe.d/nvfio-test-offer.conf
	udevd_reload
	modprobe -r snd_hda_intel
	no_vfs
}

@test "udevadm test of a VF's add changes nothing" {
	local before

	configure '[policy]' 'vf = native'
	burst 1
	settle
	has "${VFS[0]}" STATE=left
	configure
	before=$(cd /run/nvfio && ls -l && cat -- *)
	udevadm test --action=add "$SYS/${VFS[0]}" >"$BENCH/test" 2>&1
	cat "$BENCH/test"
	# What would be, where udevadm starts programs (252 does, 257 does not): but nothing that waits.
	grep -q 'NVFIO_ROLE=vf' "$BENCH/test"
	[[ $(<"$BENCH/test") != *NVFIO_REASON=with-pf* ]]
	[[ $(driver_of "${VFS[0]}") == none && $(override_of "${VFS[0]}") == none ]]
	has "${VFS[0]}" STATE=left
	[[ $(cd /run/nvfio && ls -l && cat -- *) == "$before" ]]
	no_vfs
}

@test "enabled while udev does nothing: all land when it goes on" {
	udevd_hold
	burst 6
	[[ $(driver_of "${VFS[0]}") == none ]]
	udevd_go_on
	landed "${VFS[@]}"
	no_vfs
}

@test "enabled and disabled in quick succession: those that are there in the end land, and of the others nothing stays" {
	local n

	for n in 3 4; do
		sriov s $n
		sriov s 0
	done
	burst 4
	landed "${VFS[@]}"
	wait_for 10 no_strays
	# The same, udev having it all before it at once.
	no_vfs
	udevd_hold
	for n in 3 2; do
		sriov s $n
		sriov s 0
	done
	burst 3
	udevd_go_on
	landed "${VFS[@]}"
	no_vfs
}

# event_waits BDF ACTION: from here on in a rule, udev not having come to ours. It has when event_is_there.
event_waits()
{
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ACTION=="%s", PROGRAM="/bin/sh -c %s"\n' "$1" "$2" \
		"': >$BENCH/event; exec sleep 600'" >/run/udev/rules.d/65-site.rules
	rm -f "$BENCH/event"
	udevd_reload
}

event_is_there()
{
	[[ -e $BENCH/event ]]
}

# event_goes_on: and udevd reads its rules anew before the next event of that kind, which would wait again. Settled it cannot
# be before.
event_goes_on()
{
	rm /run/udev/rules.d/65-site.rules
	udevd_signal HUP
	pkill -x -f 'sleep 600'
}

@test "a VF whose predecessor udev has not forgotten when the PF's event comes" {
	burst 2
	landed "${VFS[@]}"
	event_waits "${VFS[0]}" bind
	udevadm trigger --action=bind "$SYS/${VFS[0]}"
	wait_for 10 event_is_there
	sriov s 0
	burst 2
	wait_for 20 on_vfio "${VFS[1]}"
	has "${VFS[0]}" STATE=bound
	[[ $(driver_of "${VFS[0]}") == none ]]
	event_goes_on
	landed "${VFS[@]}"
	no_vfs
}

udevd_is_killed()
{
	udevd_gone && ! pgrep -x '\(udev-worker\)' >/dev/null
}

with_pf()
{
	local bdf

	for bdf; do
		[[ $(property_of "$bdf" NVFIO_REASON) == with-pf ]] || return 1
	done
}

@test "udevd killed before it came to the PF's event: the VFs wait, and a trigger takes them" {
	event_waits "$PF" change
	burst 4
	wait_for 10 event_is_there
	wait_for 10 with_pf "${VFS[@]}"
	pkill -KILL -x 'systemd-udevd|\(udev-worker\)'
	wait_for 10 udevd_is_killed
	rm /run/udev/rules.d/65-site.rules
	udevd_run
	for bdf in "${VFS[@]}"; do
		has "$bdf" STATE=claimed REASON=with-pf
		[[ $(driver_of "$bdf") == none ]]
	done
	udevadm trigger --settle "$SYS/${VFS[0]}"
	landed "${VFS[0]}"
	[[ $(driver_of "${VFS[1]}") == none ]]
	udevadm trigger --settle --subsystem-match=pci --action=add
	landed "${VFS[@]}"
	no_vfs
}

# --- where the native driver has them first -----------------------------------

native_first()
{
	configure '[policy]' 'vf-autoprobe = keep' "$@"
	udevadm trigger --settle "$SYS/$PF"
	[[ $(attr_of "$PF" sriov_drivers_autoprobe) == 1 ]]
	# Or the native driver refuses VFs.
	nvidia_set vgpu Y
}

@test "vf-autoprobe = keep: the native driver has them first, and all land" {
	local removes

	native_first
	removes=$(removes_of nvidia)
	burst 4
	landed "${VFS[@]}"
	has "${VFS[0]}" 'MESSAGE=*was on nvidia*'
	[[ $(removes_of nvidia) -eq $((removes + 4)) ]]
	no_vfs
}

@test "a VF in use is deferred, the others land, and it does when it is let go of" {
	udevd_hold
	burst 4
	exec {HELD}<>"$(gpu_node "${VFS[1]}")"
	udevd_go_on
	wait_for 20 has "${VFS[1]}" STATE=deferred VERDICT=defer ROLE=vf >/dev/null
	landed "${VFS[0]}" "${VFS[@]:2}"
	has "${VFS[1]}" STATE=deferred "MESSAGE=*pid $$*"
	[[ $(driver_of "${VFS[1]}") == nvidia && $(override_of "${VFS[1]}") == none ]]
	exec {HELD}>&-
	HELD=
	echo "${VFS[1]}" >/sys/bus/pci/drivers/nvidia/unbind
	landed "${VFS[1]}"
	no_vfs
}

said_in_flight()
{
	[[ $(records_of "$1") == *"in flight: the kernel has not answered step unbind in time"* ]]
}

@test "one VF whose native driver does not let go: the others land meanwhile, and it does afterwards" {
	native_first 'timeout = 1s'
	nvidia_set hang_only "${PF%0}1"
	nvidia_set hang_remove Y
	burst 3
	wait_for 30 on_vfio "${VFS[@]:1}"
	for bdf in "${VFS[@]:1}"; do
		wait_for 10 has "$bdf" STATE=bound REASON=bound >/dev/null
	done
	wait_for 10 said_in_flight "${VFS[0]}"
	with_pf "${VFS[0]}"
	nvidia_set hang_remove N
	landed "${VFS[@]}"
	no_vfs
	nvidia_set vgpu N
}

@test "a PF on vfio-pci: the kernel puts its VFs there, and udev knows" {
	unplug_card s
	modprobe -r vfio_pci
	modprobe vfio-pci enable_sriov=1
	rm /etc/nvfio.conf
	plug_sriov 4
	wait_for 20 driver_is "$PF" vfio-pci
	settle
	burst 2
	wait_for 20 on_vfio "${VFS[@]}"
	settle
	for bdf in "${VFS[@]}"; do
		has "$bdf" STATE=bound REASON=on-vfio DRIVER=vfio-pci
	done
	has "$PF" STATE=bound
	no_vfs
}
