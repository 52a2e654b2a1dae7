#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# The helper is killed, parent or child, before each of its system calls that changes something; before the next one is
# after this one. One udevadm trigger later the function is on VFIO, or deferred with the override it had, and nothing is left.

load ../guest/lib

setup_file()
{
	bench_reset
	points_prepare
	mkdir -p "$BENCH/out/80-kill"
	# A card is taken from the kernel and found again by it: hotplug without the emulator's part.
	plug_card 1 gpu
	settle
}

teardown_file()
{
	points_end
}

setup()
{
	BDF=$(bdf_of 1)
}

trigger()
{
	udevadm trigger --subsystem-match=pci --attr-match=vendor=0x10de --settle
}

hotplug()
{
	[[ ! -e $SYS/$BDF ]] || echo 1 >"$SYS/$BDF/remove"
	# Its native driver's `unbind` may start a helper, which is not meant.
	settle
	echo 1 >/sys/bus/pci/rescan
	settle
}

on_vfio()
{
	[[ $(driver_of "$BDF") == vfio-pci && $(state_of "$BDF") == bound ]]
}

native_as_before()
{
	[[ $(driver_of "$BDF") == nvidia && $(override_of "$BDF") == none && ! -e /run/nvfio/$BDF ]]
}

on_vfio_or_deferred()
{
	on_vfio || { native_as_before && [[ $(state_of "$BDF") == deferred ]]; }
}

# each_point VERB MINIMUM EVENT CONVERGED: the helper that EVENT starts is killed at its first point, its second, ... until
# it gets through; after each a trigger, and CONVERGED must hold. There have to be MINIMUM points. PREPARE makes the
# situation again before each. STEP and UNTIL (part of a point's text) narrow the points down.
each_point()
{
	local n

	for ((n = 1; ; n += ${STEP:-1})); do
		${PREPARE:-:}
		at_point $n before kill "$1"
		$3
		at_point_off
		[[ -e $POINT ]] || break
		echo "$BATS_TEST_DESCRIPTION: $n $(<"$POINT")" >>"$BENCH/out/80-kill/points"
		trigger
		if $4 && wait_for 5 no_strays; then
			[[ -z ${UNTIL:-} || $(<"$POINT") != *"$UNTIL"* ]] || return 0
			continue
		fi
		echo "killed $(<"$POINT"): not converged"
		strays
		cards
		return 1
	done
	$4 || return 1
	((n > $2))
}

@test "hotplug without a native driver" {
	echo "blacklist nvidia" >/etc/modprobe.d/nvfio-test-native.conf
	udevd_reload
	modprobe -r vfio-pci || { echo "$BDF" >/sys/bus/pci/drivers/vfio-pci/unbind; modprobe -r vfio-pci; }
	each_point event 15 hotplug on_vfio
	vfio-client "$BDF"
}

vfio_unloaded()
{
	[[ $(driver_of "$BDF") == none ]] || echo "$BDF" >"$SYS/$BDF/driver/unbind"
	settle
	modprobe -r vfio-pci vfio_iommu_type1
	! module_loaded vfio
}

@test "loading the VFIO modules" {
	local loads

	PREPARE=vfio_unloaded UNTIL=unlinkat each_point event 5 hotplug on_vfio
	loads=$(grep -c "^$BATS_TEST_DESCRIPTION: .* finit_module" "$BENCH/out/80-kill/points")
	echo "$loads modules"
	((loads >= 3))
}

@test "hotplug with an idle native driver, takeover = idle" {
	rm /etc/modprobe.d/nvfio-test-native.conf
	modprobe nvidia
	printf '[policy]\ntakeover = idle\n' >/etc/nvfio.conf
	# One driver more than above: every other point will do in the short form.
	STEP=${SOAK:-2} each_point event 15 hotplug on_vfio
	rm /etc/nvfio.conf
}

@test "hotplug with an idle native driver: on VFIO, or deferred as it was before" {
	each_point event 15 hotplug on_vfio_or_deferred
}

# What a helper that was killed between override and bind leaves, and an administrator who wants the native driver.
undo()
{
	echo vfio-pci >"$SYS/$BDF/driver_override"
	if [[ $LEFT_WITH == none ]]; then
		echo "$BDF" >/sys/bus/pci/drivers/nvidia/unbind
	fi
	printf '%s\n' state=acting "inode=$(stat -c %i "$SYS/$BDF/")" vendor=10de device=2331 wanted=vfio-pci driver=nvidia \
		override= autoprobe-off=0 companions-stay=0 >"/run/nvfio/$BDF"
	trigger
}

@test "giving back what an interrupted helper left" {
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	hotplug
	native_as_before
	LEFT_WITH=nvidia each_point event 6 undo native_as_before
	LEFT_WITH=none each_point event 6 undo native_as_before
	rm /etc/nvfio.conf
}

# A companion that was faster than function 0, which a rule leaves: on VFIO, with the record of the helper that did it.
companion_was_faster()
{
	[[ $(driver_of "$SND") == vfio-pci ]] && return
	echo vfio-pci >"$SYS/$SND/driver_override"
	echo "$SND" >/sys/bus/pci/drivers/snd_hda_intel/unbind
	echo "$SND" >/sys/bus/pci/drivers/vfio-pci/bind
	rm -f "/run/nvfio/$BDF"
	printf '%s\n' state=bound "inode=$(stat -c %i "$SYS/$SND/")" vendor=10de device=22bc wanted=vfio-pci \
		driver=snd_hda_intel override= autoprobe-off=0 companions-stay=0 >"/run/nvfio/$SND"
	settle
}

function0_event()
{
	udevadm trigger --settle "$SYS/$BDF"
}

companion_is_back()
{
	[[ $(driver_of "$BDF") == nvidia && $(override_of "$BDF") == none ]] &&
		wait_for 5 driver_is "$SND" snd_hda_intel && wait_for 5 gone "/run/nvfio/$SND" &&
		[[ $(override_of "$SND") == none ]]
}

@test "taking back a companion that was faster than function 0" {
	SND=$(bdf_of 1 1)
	unplug_card 1
	settle
	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ENV{NVFIO}="native"\n' "$BDF" >/run/udev/rules.d/65-site.rules
	udevd_reload
	modprobe snd_hda_intel
	plug_card 1 gpu audio
	settle
	companion_is_back
	STEP=${SOAK:-3} PREPARE=companion_was_faster each_point event 12 function0_event companion_is_back
	unplug_card 1
	rm /run/udev/rules.d/65-site.rules
	udevd_reload
	plug_card 1 gpu
	settle
}

autoprobe_is_off()
{
	[[ $(attr_of "$BDF" sriov_drivers_autoprobe) == 0 && $(driver_of "$BDF") == nvidia &&
		$(override_of "$BDF") == none && $(</run/nvfio/"$BDF") == *autoprobe-off=1* ]]
}

autoprobe_is_on()
{
	[[ $(attr_of "$BDF" sriov_drivers_autoprobe) == 1 && $(driver_of "$BDF") == nvidia &&
		$(override_of "$BDF") == none && ! -e /run/nvfio/$BDF ]]
}

# As nvfio leaves a PF whose VFs are for VFIO.
autoprobe_off_by_us()
{
	echo 0 >"$SYS/$BDF/sriov_drivers_autoprobe"
	printf '%s\n' state=left "inode=$(stat -c %i "$SYS/$BDF/")" vendor=10de device=2331 wanted= driver= override= \
		autoprobe-off=1 companions-stay=0 >"/run/nvfio/$BDF"
}

@test "switching a PF's native probing of VFs off, and on again" {
	BDF=$(bdf_of s)
	printf '[device %s]\ngpu = native\n' "$BDF" >/etc/nvfio.conf
	plug_sriov 8
	settle
	autoprobe_is_off
	STEP=${SOAK:-2} each_point event 7 hotplug autoprobe_is_off
	printf '[policy]\nvf-autoprobe = keep\n[device %s]\ngpu = native\n' "$BDF" >/etc/nvfio.conf
	STEP=${SOAK:-2} PREPARE=autoprobe_off_by_us each_point event 4 trigger autoprobe_is_on
	unplug_card s
	rm /etc/nvfio.conf
}

burst()
{
	sriov s 2
	settle
}

no_burst()
{
	sriov s 0
	settle
}

# vfs_on_vfio: both, and udev knows; the PF is as it was.
vfs_on_vfio()
{
	local bdf

	for bdf in "${BDF%0}1" "${BDF%0}2"; do
		[[ -e $SYS/$bdf/vfio-dev && $(driver_of "$bdf") == vfio-pci && $(state_of "$bdf") == bound ]] || return 1
	done
	autoprobe_is_off
}

@test "a burst of VFs" {
	BDF=$(bdf_of s)
	printf '[device %s]\ngpu = native\n' "$BDF" >/etc/nvfio.conf
	plug_sriov 2
	settle
	STEP=${SOAK:-3} PREPARE=no_burst each_point vfs 20 burst vfs_on_vfio
	no_burst
}

# half_way: the program for both VFs has a child at one of them, which waits there. When the program starts a second child
# depends on the clock, so the point may be that.
half_way()
{
	local n

	BDF=$(bdf_of s)
	for ((n = 6; n < 12; n++)); do
		at_point $n before stop vfs
		sriov s 2
		wait_for 20 test -e "$POINT" || return 1
		at_point_off
		echo "stopped $(<"$POINT")"
		[[ $(<"$POINT") != child* ]] || return 0
		go_on
		no_burst
	done
	return 1
}

@test "the program for a burst killed, a child of it going on: all land, and udev knows" {
	half_way
	pkill -KILL -o -x nvfio-udev.real
	# What udev has started in the program's place, and does not hear of its end while a child is stopped.
	pkill -KILL -o -x at-point
	settle
	go_on
	wait_for 20 vfs_on_vfio
	settle
	no_strays
	no_burst
}

udevd_is_killed()
{
	udevd_gone && ! pgrep -x '\(udev-worker\)' >/dev/null
}

@test "udevd killed as well: all land, and udev knows after a trigger" {
	half_way
	pkill -KILL -x 'systemd-udevd|\(udev-worker\)'
	wait_for 10 udevd_is_killed
	pkill -KILL -o -x nvfio-udev.real
	go_on
	wait_for 20 test -e "$SYS/${BDF%0}2/vfio-dev"
	wait_for 20 test -e "$SYS/${BDF%0}1/vfio-dev"
	udevd_run
	trigger
	vfs_on_vfio
	wait_for 5 no_strays
	unplug_card s
	rm /etc/nvfio.conf
}

@test "forgetting a function that went away" {
	hotplug
	on_vfio
	each_point forget 4 hotplug on_vfio
}

@test "a record killed while it was written goes with its function" {
	local n

	for ((n = 1; n < 20; n++)); do
		at_point $n before kill
		hotplug
		[[ $(<"$POINT") != *renameat* ]] || break
	done
	at_point_off
	[[ -e /run/nvfio/.$BDF.new ]]
	unplug_card 1
	settle
	[[ -z $(find /run/nvfio -name '*0000:*') ]]
}
