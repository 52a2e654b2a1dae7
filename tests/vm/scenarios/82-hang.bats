#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# A remove() that does not return although nobody could be seen using the device: the event ends in time, nothing more is
# written to the function, other cards are served, and it lands when remove() returns. What the kernel itself blocks
# meanwhile is measured here; docs/RELIABILITY.md has the list.

bats_require_minimum_version 1.5.0
load ../guest/lib

setup_file()
{
	bench_reset
	natives_load vfio-pci
	# A boot's first event reads helper and libraries from disk, which that one does not that in_time() compares with.
	plug_card 2 gpu
	settle
	unplug_all
}

# A failed test may have left the guest without udevd, or with a client of a card.
setup()
{
	rm -f "$BENCH"/client.*
	! udevd_gone || udevd_start
	BDF=$(bdf_of 1)
	records_reset
}

# remove_hangs: from here on, of the card in port 1.
remove_hangs()
{
	printf '[policy]\ntimeout = 1s\ntakeover = idle\n' >/etc/nvfio.conf
	nvidia_set hang_only "$BDF"
	nvidia_set hang_remove Y
	REMOVES=$(removes_of nvidia)
}

in_flight()
{
	[[ $(state_of "$BDF") == claimed && $(property_of "$BDF" NVFIO_REASON) == in-flight ]]
}

# hanging_takeover: a trigger makes the helper unbind the card in port 1, and remove() hangs. Unlike a hotplug that leaves
# no event of the function behind: at a hotplug its native driver's `bind` waits in udev's queue.
hanging_takeover()
{
	printf '[policy]\ngpu = native\n' >/etc/nvfio.conf
	plug_card 1 gpu
	settle
	remove_hangs
	uevents_start --udev
	udevadm trigger "$SYS/$BDF"
	wait_for 15 in_flight
	settle
}

# another_lands: a card plugged meanwhile.
another_lands()
{
	plug_card 2 gpu
	wait_for 20 driver_is "$(bdf_of 2)" vfio-pci
	wait_for 10 state_is "$(bdf_of 2)" bound
	vfio-client "$(bdf_of 2)"
	# Its native driver was faster, and let go of it.
	REMOVES=$((REMOVES + 1))
}

# lands: as soon as remove() returns, once.
lands()
{
	nvidia_set hang_remove N
	wait_for 15 driver_is "$BDF" vfio-pci
	settle
	wait_for 5 state_is "$BDF" bound
	[[ $(removes_of nvidia) == $((REMOVES + 1)) ]]
	[[ $(override_of "$BDF") == vfio-pci ]]
	vfio-client "$BDF"
	wait_for 5 no_strays
}

# helpers: how many processes of ours there are.
helpers()
{
	pgrep -cx nvfio-udev || :
}

# stuck_in FUNCTION [PID]: a process, or that one, waits there in the kernel and cannot be killed. With a PID also: where
# it waits, into WHERE.
stuck_in()
{
	local dir line

	for dir in /proc/${2:-[0-9]*}; do
		{ read -r line <"$dir/stat"; } 2>/dev/null || continue
		[[ ${line##*) } == D* ]] || continue
		! grep -qs " $1+" "$dir/stack" || return 0
	done
	return 1
}

# said TEXT: in this TAP stream, and in a file.
said()
{
	echo "# $*" >&3
	echo "$*" >>"$BENCH/out/82-hang/measured"
}

# worker_waits: the next event of the hanging function keeps a worker of udevd where reads wait, and is done with where not.
worker_waits()
{
	if reads_wait; then
		wait_for 10 stuck_in uevent_show
	else
		settle 10
	fi
}

# in_time NAME ACTION: the event of the hanging card ended within the deadline and a second, and what an event of a card
# that does not hang takes on this machine.
in_time()
{
	local hung plain

	hung=$(uevent_ms "$BDF" "$1")
	plain=$(uevent_ms "$(bdf_of 2)" add)
	said "$1: the event of the hanging card lasted $hung ms with a deadline of 1000 ms, that of another one $plain ms"
	((hung >= 1000 && hung <= 2000 + plain))
}

@test "hotplug: the event ends at its deadline, other cards land, and this one does when remove() returns" {
	mkdir -p "$BENCH/out/82-hang"
	remove_hangs
	uevents_start --udev
	plug_card 1 gpu
	wait_for 15 in_flight
	another_lands
	in_time add
	[[ $(helpers) -eq 1 ]]
	# Not ours: the native driver's `bind` event comes next, and up to 6.11 the kernel's uevent attribute takes the lock.
	worker_waits
	run records_of "$BDF"
	[[ ${#lines[@]} -eq 1 && $output == *"in flight: the kernel has not answered step unbind in time"* ]]
	lands
	unplug_all
}

@test "trigger: likewise; nothing of ours touches it while it is in flight" {
	local verb pid

	hanging_takeover
	another_lands
	in_time change
	# On 6.1 a udev worker does not come as far as the rules; where uevent takes no lock, this is what they start.
	for verb in decide event event; do
		within 5 "$HELPER" $verb --synth=1 --seqnum=1 --state=claimed --reason=in-flight "$(readlink -f "$SYS/$BDF")" >"$BENCH/out/82-hang/$verb"
		grep -q 'NVFIO_REASON="in-flight"' "$BENCH/out/82-hang/$verb"
		[[ $(helpers) -eq 1 ]]
	done
	udevadm trigger "$SYS/$BDF"
	worker_waits
	[[ $(helpers) -eq 1 ]]
	[[ $(removes_of nvidia) == $((REMOVES + 1)) ]]
	# The one that acts is a survivor of its event, with the record that says what was before.
	pid=$(pgrep -x nvfio-udev)
	# The stand-in sleeps in short turns, and in between there is no stack to read.
	wait_for 5 grep -q unbind_store "/proc/$pid/stack"
	grep -qx driver=nvidia "/run/nvfio/$BDF"
	lands
	unplug_all
}

# try EXPECTED COMMAND: EXPECTED is "answers", or the kernel function that the command waits in.
try()
{
	local pid

	bash -c "$2" >/dev/null 2>&1 3>&- &
	pid=$!
	TRIED+=("$pid")
	if [[ $1 == answers ]]; then
		wait_for 10 gone "/proc/$pid" || { echo "blocks: $2"; cat "/proc/$pid/stack"; return 1; }
		wait "$pid"
	else
		wait_for 10 stuck_in "$1" "$pid" || { echo "does not wait in $1: $2"; cat "/proc/$pid/stack"; return 1; }
	fi
	said "${1/answers/-}: ${2//$BDF/BDF}"
}

# reading FUNCTION: what becomes of one who reads `uevent` or `driver_override`, or writes the latter.
reading()
{
	if reads_wait; then echo "$1"; else echo answers; fi
}

@test "what the kernel blocks meanwhile, and what it does not" {
	local pid TRIED=()

	hanging_takeover
	cd "$SYS/$BDF"
	try answers "for attr in vendor device class subsystem_vendor modalias resource irq numa_node enable power/control \
		power/runtime_status iommu_group/type reset_method; do read x <\$attr || exit; done"
	try answers "head -c 64 config"
	try answers "echo 1 >rescan"
	try answers "echo 1 >/sys/bus/pci/rescan"
	try answers "echo $BDF >/sys/bus/pci/drivers_probe"
	try answers "read x </proc/driver/nvidia/gpus/$BDF/information"
	try "$(reading uevent_show)" "read x <uevent"
	try "$(reading uevent_show)" "exec udevadm info ."
	try "$(reading driver_override_show)" "read x <driver_override"
	try "$(reading driver_set_override)" "echo vfio-pci >driver_override"
	try control_store "echo auto >power/control"
	try enable_store "echo 0 >enable"
	try pci_reset_function "echo 1 >reset"
	try device_driver_attach "echo $BDF >/sys/bus/pci/drivers/vfio-pci/bind"
	try unbind_store "echo $BDF >/sys/bus/pci/drivers/nvidia/unbind"
	try bus_remove_driver "exec modprobe -r nvidia"
	[[ $(removes_of nvidia) == $((REMOVES + 1)) ]]
	nvidia_set hang_remove N
	# All of them get their answer now, and the driver goes.
	wait_for 10 eval '! module_loaded nvidia'
	for pid in "${TRIED[@]}"; do
		wait_for 15 gone "/proc/$pid"
	done
	wait_for 15 no_strays
	# The unbind by hand waited for the lock behind ours. Whatever driver is there when it gets it, it releases
	# (device_driver_detach() in drivers/base/dd.c): that may be vfio-pci, and a trigger takes the function again.
	driver_is "$BDF" vfio-pci || udevadm trigger "$SYS/$BDF"
	wait_for 15 driver_is "$BDF" vfio-pci
	settle
	wait_for 5 no_strays
	unplug_all
	modprobe nvidia
}

@test "its removal waits too, and every hotplug with it; what is found there afterwards lands" {
	hanging_takeover
	try device_release_driver_internal "echo 1 >$SYS/$BDF/remove"
	try rescan_store "echo 1 >/sys/bus/pci/rescan"
	[[ $(helpers) -eq 1 ]]
	nvidia_set hang_remove N
	# It went, and the rescan found it again.
	wait_for 15 driver_is "$BDF" vfio-pci
	settle
	wait_for 5 no_strays
	unplug_all
}

@test "udevd restarted meanwhile: others land, and it does when remove() returns" {
	local pid

	hanging_takeover
	pid=$(pgrep -x nvfio-udev)
	udevd_stop
	[[ -e /proc/$pid ]]
	udevd_run
	another_lands
	[[ -e /proc/$pid ]]
	lands
	unplug_all
}

@test "udevd restarted with a replay of all events: others land, also where the kernel holds the one of the hanging function" {
	hanging_takeover
	udevd_stop
	udevd_run
	within 10 udevadm trigger --type=devices --action=add
	worker_waits
	another_lands
	[[ $(helpers) -eq 1 ]]
	if reads_wait; then
		run -1 udevadm settle --timeout=1
		# And so it cannot be stopped now: its main process waits for its workers.
		udevd_signal TERM
		run ! wait_for 3 udevd_gone
		lands
		wait_for 10 udevd_gone
		udevd_start
	else
		udevd_stop
		udevd_run
		lands
	fi
	unplug_all
}

# client BDF: uses it as a VMM does, until client_ends.
client()
{
	mkfifo "$BENCH/client.in"
	vfio-client --hold "$1" <"$BENCH/client.in" >"$BENCH/client.out" 2>&1 3>&- &
	CLIENT=$!
	exec {HELD}>"$BENCH/client.in"
	wait_for 10 grep -q 'config space' "$BENCH/client.out"
}

client_ends()
{
	exec {HELD}>&-
	wait_for 10 gone "/proc/$CLIENT"
	rm "$BENCH"/client.*
}

@test "unbound by hand while a VM has it: our events end in time, it is left, and a trigger takes it again" {
	local verb pid

	rm -f /etc/nvfio.conf
	plug_card 1 gpu
	wait_for 15 driver_is "$BDF" vfio-pci
	settle
	client "$BDF"
	bash -c "echo $BDF >/sys/bus/pci/drivers/vfio-pci/unbind" {HELD}>&- 3>&- &
	pid=$!
	wait_for 10 grep -q vfio_unregister_group_dev "/proc/$pid/stack"
	for verb in decide event; do
		within 5 "$HELPER" $verb --synth=1 --seqnum=1 --state=bound --reason=bound "$(readlink -f "$SYS/$BDF")" >"$BENCH/out/82-hang/$verb"
		cat "$BENCH/out/82-hang/$verb"
		if vfio_dev_stays; then
			grep -q 'NVFIO_STATE="bound"' "$BENCH/out/82-hang/$verb" || [[ $verb == decide ]]
		else
			grep -q 'NVFIO_REASON="in-flight"' "$BENCH/out/82-hang/$verb"
		fi
		[[ $(helpers) -eq 0 ]]
	done
	another_lands
	client_ends
	wait_for 10 gone "/proc/$pid"
	settle
	[[ $(driver_of "$BDF") == none ]]
	[[ $(state_of "$BDF") == left && $(property_of "$BDF" NVFIO_REASON) == unbound ]]
	udevadm trigger --settle "$SYS/$BDF"
	[[ $(driver_of "$BDF") == vfio-pci ]]
	[[ $(state_of "$BDF") == bound ]]
	unplug_all
}

@test "a companion that a VM has is not unbound, although function 0 is left by now" {
	local snd

	rm -f /etc/nvfio.conf
	snd=$(bdf_of 1 1)
	plug_card 1 gpu audio
	wait_for 15 driver_is "$BDF" vfio-pci
	wait_for 15 driver_is "$snd" vfio-pci
	settle
	client "$snd"
	printf '\n' >"$SYS/$BDF/driver_override"
	echo "$BDF" >/sys/bus/pci/drivers/vfio-pci/unbind
	# Or its native driver is given back first, which the kernel refuses while a VM has the group.
	rm "/run/nvfio/$BDF"
	mkdir -p /run/udev/rules.d
	printf 'SUBSYSTEM=="pci", KERNEL=="%s", ENV{NVFIO}="native"\n' "$BDF" >/run/udev/rules.d/65-site.rules
	udevd_reload
	udevadm trigger --settle "$SYS/$BDF"
	[[ $(property_of "$BDF" NVFIO_REASON) == rule ]]
	wait_for 5 no_strays
	[[ $(driver_of "$snd") == vfio-pci && -e /proc/$CLIENT ]]
	client_ends
	udevadm trigger --settle "$SYS/$BDF"
	wait_for 10 driver_is "$snd" snd_hda_intel
	[[ $(override_of "$snd") == none ]]
	rm /run/udev/rules.d/65-site.rules
	udevd_reload
	unplug_all
}
