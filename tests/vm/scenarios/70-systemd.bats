#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: systemd
#
# The main job under the real systemd-udevd.service, with its cgroup and its sandbox, and journald.

load ../guest/lib

# show NAME: a property of udevd's unit.
show()
{
	systemctl show --value --property="$1" systemd-udevd.service
}

# What the next tests prove is worth nothing in another unit, or without its sandbox.
@test "udevd runs as the distribution has it" {
	local unit

	unit=$(show FragmentPath)
	[[ $unit == */systemd/system/systemd-udevd.service ]]
	# From 254 on the package has a drop-in, too.
	for unit in "$unit" $(show DropInPaths); do
		(cd / && grep -h " ${unit#/}\$" /var/lib/dpkg/info/udev.md5sums | md5sum --check --strict)
	done
	[[ $(show CapabilityBoundingSet) == *cap_sys_module* && $(show CapabilityBoundingSet) != *cap_sys_time* ]]
	[[ $(show SystemCallFilter) == *finit_module* && $(show SystemCallFilter) != *clock_settime* ]]
	[[ $(show RestrictAddressFamilies) == *AF_NETLINK* && $(show RestrictAddressFamilies) != *AF_PACKET* ]]
	[[ $(show MemoryDenyWriteExecute) == yes && $(show PrivateMounts) == yes ]]
}

@test "a card of three functions lands under systemd-udevd.service" {
	local func

	systemctl is-active systemd-udevd.service
	natives_load
	records_reset
	plug_card 1
	for func in 0 1 2; do
		wait_for 20 driver_is "$(bdf_of 1 $func)" vfio-pci
	done
	settle
	vfio-client "$(bdf_of 1)"
}

@test "its records are in the journal with their fields" {
	local bdf line

	bdf=$(bdf_of 1)
	journalctl --sync
	run journalctl --quiet --output=verbose --lines=1 NVFIO_BDF="$bdf"
	echo "$output"
	for line in SYSLOG_IDENTIFIER=nvfio-udev PRIORITY=5 "NVFIO_BDF=$bdf" NVFIO_EVENT=hotplug NVFIO_STATE=bound \
		NVFIO_REASON=bound NVFIO_DRIVER=vfio-pci "MESSAGE=$bdf: bound to vfio-pci"; do
		[[ $output == *"$line"* ]]
	done
	[[ $(records_of "$bdf" | wc -l) -eq 1 ]]
}

@test "unplugged and plugged again it lands again" {
	unplug_card 1
	plug_card 1
	wait_for 20 driver_is "$(bdf_of 1 2)" vfio-pci
	settle
	unplug_card 1
}

@test "a GPU in use is deferred, and its holder is named in the journal" {
	local bdf held

	bdf=$(bdf_of 1)
	records_reset
	udevd_hold
	plug_card 1
	wait_for 10 driver_is "$bdf" nvidia
	exec {held}<>"$(gpu_node "$bdf")"
	udevd_go_on
	wait_for 20 state_is "$bdf" deferred
	[[ $(records_of "$bdf") == *"open in pid $$ "* ]]
	exec {held}>&-
	echo "$bdf" >/sys/bus/pci/drivers/nvidia/unbind
	wait_for 20 driver_is "$(bdf_of 1 1)" vfio-pci
	settle
	unplug_card 1
}

status_of()
{
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# in_sandbox PID: it has udevd's filter and mounts, and of root's capabilities those that helper/privilege.h names:
# dac_read_search (2), sys_module (16), sys_ptrace (19), checkpoint_restore (40).
in_sandbox()
{
	local set

	[[ $(status_of "$1" Seccomp) == 2 && $(status_of "$1" NoNewPrivs) == 1 ]]
	[[ "/proc/$1/ns/mnt" -ef "/proc/$(show MainPID)/ns/mnt" && ! "/proc/$1/ns/mnt" -ef /proc/1/ns/mnt ]]
	for set in CapPrm CapEff CapBnd; do
		[[ $(status_of "$1" $set) == 0000010000090004 ]]
	done
	[[ $(status_of "$1" CapInh) == 0000000000000000 && $(status_of "$1" CapAmb) == 0000000000000000 ]]
}

# works_on_outside: a child whose event is over is in no cgroup of udevd's, and ends its work.
works_on_outside()
{
	local bdf pid

	bdf=$(bdf_of 1)
	printf '[policy]\ntimeout = 1s\n' >/etc/nvfio.conf
	nvidia_set hang_remove Y
	plug_card 1 gpu
	# The event is over at the deadline; the child waits on in the native driver's remove(), where udevd's clean-up of its own
	# cgroup does not reach it.
	wait_for 15 state_is "$bdf" claimed
	[[ $(property_of "$bdf" NVFIO_REASON) == in-flight ]]
	pid=$(pgrep -x nvfio-udev)
	[[ $(<"/proc/$pid/cgroup") == "0::/" ]]
	in_sandbox "$pid"
	nvidia_set hang_remove N
	wait_for 20 driver_is "$bdf" vfio-pci
	settle
	wait_for 10 state_is "$bdf" bound
	rm /etc/nvfio.conf
	unplug_card 1
}

@test "what works on when the event is over has left udevd's cgroup" {
	works_on_outside
}

@test "so it has where clone3() is not to be had" {
	local dir=/run/systemd/system/systemd-udevd.service.d

	mkdir -p $dir
	printf '[Service]\nSystemCallFilter=~clone3:ENOSYS\n' >$dir/no-clone3.conf
	systemctl daemon-reload
	systemctl restart systemd-udevd.service
	rm $dir/no-clone3.conf
	systemctl daemon-reload
	works_on_outside
	systemctl restart systemd-udevd.service
}

examples=/usr/share/doc/nvfio/examples

unit_is()
{
	[[ $(systemctl is-active "$1") == "$2" ]]
}

invocation_of()
{
	systemctl show --property=InvocationID --value "$1"
}

@test "a unit is started for each GPU, as a user in node-group, and stays over the events that follow" {
	local bdf unit first

	groupadd --system kvmtest
	useradd --system --no-user-group --gid nogroup --groups kvmtest vm
	install "$BUILD/vfio-client" /usr/local/bin/vfio-client
	printf '[policy]\nnode-group = kvmtest\n' >/etc/nvfio.conf
	mkdir -p /run/udev/rules.d /run/systemd/system/gpu-vm@.service.d
	cp $examples/80-gpu-vm.rules /run/udev/rules.d/
	cp $examples/gpu-vm@.service /run/systemd/system/
	cp $examples/memlock-service.conf /run/systemd/system/gpu-vm@.service.d/
	# In the place of the virtual machine, which would keep the GPU from being taken off VFIO. This guest never boots to
	# the units that every service wants.
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=\nExecStart=/usr/local/bin/vfio-client %%i\n' \
		>/run/systemd/system/gpu-vm@.service.d/test.conf
	systemctl daemon-reload
	udevd_reload
	bdf=$(bdf_of 1)
	unit=gpu-vm@$bdf.service
	# With events of both drivers after the one that starts it.
	modprobe nvidia
	plug_card 1 gpu audio
	wait_for 20 unit_is "$unit" active
	[[ $(systemctl show --property=LimitMEMLOCK --value "$unit") == infinity ]]
	first=$(invocation_of "$unit")
	settle
	udevadm trigger --settle "$SYS/$bdf"
	udevadm trigger --settle --action=add "$SYS/$bdf"
	udevadm trigger --settle --subsystem-match=vfio
	systemctl daemon-reload
	unit_is "$unit" active
	[[ $(invocation_of "$unit") == "$first" ]]
	# Of the card only the GPU has one.
	[[ $(systemctl list-units --no-legend 'gpu-vm@*' | wc -l) == 1 ]]
}

@test "it ends when the GPU is taken off VFIO, is started when it is back, and ends when it is unplugged" {
	local bdf unit first

	bdf=$(bdf_of 1)
	unit=gpu-vm@$bdf.service
	first=$(invocation_of "$unit")
	# A second GPU has its own.
	plug_card 2 gpu
	wait_for 20 unit_is "gpu-vm@$(bdf_of 2).service" active
	echo "$bdf" >/sys/bus/pci/drivers/vfio-pci/unbind
	wait_for 20 unit_is "$unit" inactive
	udevadm trigger "$SYS/$bdf"
	wait_for 20 unit_is "$unit" active
	[[ $(invocation_of "$unit") != "$first" ]]
	unplug_card 1
	wait_for 20 unit_is "$unit" inactive
	unit_is "gpu-vm@$(bdf_of 2).service" active
	unplug_card 2
	rm -r /etc/nvfio.conf /run/udev/rules.d /run/systemd/system/gpu-vm@.service*
	systemctl daemon-reload
	udevd_reload
}

# unit_of BDF: active or inactive, by both names. One for the other is what a wrong name would get, too.
unit_of()
{
	local short long

	short=$(systemctl is-active "sys-bus-pci-devices-$1.device") || :
	long=$(systemctl list-units --no-legend --plain --all --full --type=device "sys-devices-*$1.device" | wc -l)
	case $short$long in
	active1) echo active ;;
	inactive0) echo inactive ;;
	*) echo "$short by one name, $long units by the other" ;;
	esac
}

unit_of_is()
{
	[[ $(unit_of "$1") == "$2" ]]
}

# tag_of BDF: "systemd" if its last event left that, the only tag that systemd goes by.
tag_of()
{
	sed -n 's/^Q:\(systemd\)$/\1/p' "/run/udev/data/+pci:$1"
}

@test "a GPU has a unit, its VFs have none, but for the one that a rule gives it to, as long as it is there" {
	local vfs bdf pf

	pf=$(bdf_of s)
	printf '[device %s]\ngpu = native\n' "$pf" >/etc/nvfio.conf
	plug_card 1 gpu
	plug_sriov 2
	sriov s 2
	mapfile -t vfs < <(vfs_of "$pf")
	((${#vfs[@]} == 2))
	for bdf in "$(bdf_of 1)" "${vfs[@]}"; do
		wait_for 20 driver_is "$bdf" vfio-pci
	done
	settle
	wait_for 10 unit_of_is "$(bdf_of 1)" active
	[[ $(tag_of "$(bdf_of 1)") == systemd ]]
	for bdf in "${vfs[@]}"; do
		[[ $(property_of "$bdf" NVFIO_ROLE) == vf && $(property_of "$bdf" NVFIO_STATE) == bound ]]
		[[ $(unit_of "$bdf") == inactive && -z $(tag_of "$bdf") ]]
	done
	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ENV{NVFIO_UNIT}="1"\n' "${vfs[0]}" >/run/udev/rules.d/60-unit.rules
	udevd_reload
	# For what is there, and for what comes.
	udevadm trigger --settle "$SYS/${vfs[0]}" "$SYS/${vfs[1]}"
	wait_for 10 unit_of_is "${vfs[0]}" active
	sriov s 0
	wait_for 10 unit_of_is "${vfs[0]}" inactive
	sriov s 2
	for bdf in "${vfs[@]}"; do
		wait_for 20 driver_is "$bdf" vfio-pci
	done
	settle
	wait_for 10 unit_of_is "${vfs[0]}" active
	udevadm trigger --settle --action=add "$SYS/${vfs[0]}" "$SYS/${vfs[1]}"
	systemctl daemon-reload
	[[ $(unit_of "${vfs[0]}") == active && $(unit_of "${vfs[1]}") == inactive && -z $(tag_of "${vfs[1]}") ]]
	sriov s 0
	wait_for 10 unit_of_is "${vfs[0]}" inactive
	unplug_all
	rm /etc/nvfio.conf /run/udev/rules.d/60-unit.rules
	udevd_reload
}

# hanging_takeover BDF: a trigger makes the helper unbind the card in port 1, whose native driver's remove() hangs.
hanging_takeover()
{
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1 gpu
	settle
	printf '[policy]\ntimeout = 1s\ntakeover = idle\n' >/etc/nvfio.conf
	nvidia_set hang_only "$1"
	nvidia_set hang_remove Y
	udevadm trigger "$SYS/$1"
	wait_for 15 state_is "$1" claimed
}

udevd_is()
{
	[[ $(systemctl show --property=ActiveState --value systemd-udevd.service) == "$1" ]]
}

udevd_is_new()
{
	udevd_is active && [[ $(systemctl show --property=MainPID --value systemd-udevd.service) != "$1" ]]
}

uevent_blocks()
{
	grep -qs uevent_show /proc/[0-9]*/stack
}

left_over()
{
	pgrep -f 'sleep 4711' >/dev/null
}

@test "udevd's clean-up and its restart do not end what waits for a hanging remove(); it lands" {
	local bdf pid old

	bdf=$(bdf_of 1)
	# A program that stays in udevd's cgroup, as ours does not.
	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", RUN+="/bin/sh -c %s"\n' "$bdf" "'setsid sleep 4711 >/dev/null 2>&1 &'" \
		>/run/udev/rules.d/99-bench.rules
	udevd_reload
	hanging_takeover "$bdf"
	pid=$(pgrep -x nvfio-udev)
	wait_for 10 left_over
	wait_for 30 eval '! left_over'
	[[ -e /proc/$pid ]]
	rm /run/udev/rules.d/99-bench.rules
	old=$(systemctl show --property=MainPID --value systemd-udevd.service)
	systemctl restart --no-block systemd-udevd.service
	wait_for 30 udevd_is_new "$old"
	[[ -e /proc/$pid ]]
	plug_card 2 gpu
	wait_for 20 driver_is "$(bdf_of 2)" vfio-pci
	nvidia_set hang_remove N
	wait_for 20 driver_is "$bdf" vfio-pci
	settle
	wait_for 10 state_is "$bdf" bound
	unplug_all
}

@test "with an event of the hanging function in its hands udevd's restart waits for remove(), where reads do, and then is done" {
	local bdf pid old

	bdf=$(bdf_of 1)
	hanging_takeover "$bdf"
	pid=$(pgrep -x nvfio-udev)
	udevadm trigger "$SYS/$bdf"
	! reads_wait || wait_for 10 uevent_blocks
	old=$(systemctl show --property=MainPID --value systemd-udevd.service)
	systemctl restart --no-block systemd-udevd.service
	if reads_wait; then
		wait_for 10 udevd_is deactivating
	else
		wait_for 30 udevd_is_new "$old"
	fi
	[[ -e /proc/$pid ]]
	nvidia_set hang_remove N
	wait_for 20 driver_is "$bdf" vfio-pci
	wait_for 30 udevd_is_new "$old"
	settle
	wait_for 10 state_is "$bdf" bound
	vfio-client "$bdf"
	rm /etc/nvfio.conf
	unplug_all
}
