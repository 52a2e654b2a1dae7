# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Part of lib.bash: the guest itself. Its start, udevd, counting, putting
# everything back, and what is kept of a failure.

# udevd_run: udevd as a restart leaves it, which has not seen what came while there was none.
udevd_run()
{
	# Started in a test it must not keep bats' pipes: bats waits for their end.
	(
		for fd in /proc/self/fd/*; do
			((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"
		done
		exec /lib/systemd/systemd-udevd --daemon
	) </dev/null >/dev/null 2>&1
}

# udevd_start: as at boot.
udevd_start()
{
	udevd_run
	udevadm trigger --type=subsystems --action=add
	udevadm trigger --type=devices --action=add
	settle 60
}

# udevd_signal SIGNAL: to its main process. Signals, not "udevadm control":
# udevd sets SO_PASSCRED on a control connection after accepting it, and a
# message that arrives in between has no credentials and is dropped without a
# word to the sender (systemd 252, src/udev/udev-ctrl.c).
udevd_signal()
{
	pkill "-$1" -x systemd-udevd
}

udevd_stop()
{
	udevd_signal TERM
	wait_for 10 udevd_gone
}

udevd_gone()
{
	! pgrep -x systemd-udevd >/dev/null
}

# udevd_hold, udevd_go_on: in between, events wait in udevd's socket.
udevd_hold()
{
	settle
	udevd_signal STOP
}

udevd_go_on()
{
	udevd_signal CONT
}

# udevd_reload: its rules, and the module index of libkmod.
udevd_reload()
{
	udevd_signal HUP
	settle
}

# without_vfio: from here to bench_reset this kernel has no VFIO modules.
without_vfio()
{
	mount --bind "$BUILD/kernel-without-vfio/lib/modules/$VERSION" "/lib/modules/$VERSION"
}

# with_cdev: from here on VFIO modules with device nodes (see cdev/build); until without_cdev.
with_cdev()
{
	mount --bind "$BUILD/kernel-with-cdev/lib/modules/$VERSION" "/lib/modules/$VERSION"
	udevd_reload
}

without_cdev()
{
	unplug_all
	modprobe -r vfio_pci nvfio_test_vfio_pci iommufd
	# Lazily, as in bench_reset.
	umount --lazy "/lib/modules/$VERSION"
	udevd_reload
}

# starts_reset, starts_of PROGRAM: how often a program of that name was started
# since. Counted by the kernel, so nothing about the program has to change.
starts_reset()
{
	local trace=/sys/kernel/tracing

	[[ -e $trace/trace ]] || mount -t tracefs tracefs $trace
	echo >$trace/trace
	echo 1 >$trace/events/sched/sched_process_exec/enable
}

starts_of()
{
	grep -c "filename=[^ ]*/$1 " /sys/kernel/tracing/trace || :
}

# uevents_start --udev|--property: from here on the kernel's PCI events are kept, whoever caused them and whether or not
# there is an udevd; with udev's own events beside them for uevent_ms, or with their properties for uevents_table.
uevents_start()
{
	[[ ! -e "$BENCH/monitor.pid" ]] || kill "$(<"$BENCH/monitor.pid")"
	udevadm monitor --kernel "$1" --subsystem-match=pci >"$BENCH/monitor" 2>&1 3>&- &
	echo $! >"$BENCH/monitor.pid"
	wait_for 10 grep -q 'KERNEL - the kernel' "$BENCH/monitor"
}

# uevents_table: lines "BDF KIND COUNT" of NVIDIA functions. KIND is add, remove, unbind, vfio (a bind), native (a
# bind), follow-up, trigger, change (the kernel's own), or replayed.
uevents_table()
{
	awk -F= '
		/^KERNEL\[/	{ p = 1; driver = uuid = ours = "" }
		/^ACTION=/	{ action = $2 }
		/^DEVPATH=/	{ n = split($2, path, "/"); bdf = path[n] }
		/^PCI_ID=/	{ id = $2 }
		/^DRIVER=/	{ driver = $2 }
		/^SYNTH_UUID=/	{ uuid = $2 }
		/^SYNTH_ARG_NVFIO=/	{ ours = 1 }
		/^$/ && p {
			p = 0
			kind = action
			if (action == "bind")
				kind = driver == "vfio-pci" ? "vfio" : "native"
			else if (action == "change" && uuid != "")
				kind = ours ? "follow-up" : "trigger"
			else if (uuid != "")
				kind = "replayed"
			if (id ~ /^10DE:/)
				count[bdf " " kind]++
		}
		END { for (i in count) print i, count[i] }' "$BENCH/monitor"
}

# uevent_ms BDF ACTION: how long the last such event took, from the kernel's word to udev's.
uevent_ms()
{
	local line event="^(KERNEL|UDEV) *\[([0-9]+)\.([0-9]+)\] $2 .*/$1 "
	local -A us

	while IFS= read -r line; do
		[[ $line =~ $event ]] || continue
		us[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
	done <"$BENCH/monitor"
	[[ -n ${us[UDEV]} ]] && echo $(((us[UDEV] - us[KERNEL]) / 1000))
}

# Once per boot, before udevd.
bench_prepare()
{
	echo 0 >"$BENCH/serial"
	mkfifo "$BENCH/qmp.in"
	qmp_relay "$(port_of qmp)" &
	qmp qmp_capabilities
	# NVIDIA's own driver package keeps these two off its cards as well.
	printf 'blacklist %s\n' nouveau nvidiafb >/etc/modprobe.d/nvfio-bench.conf
	modprobe nvfio_ids
	records_reset
}

unplug_all()
{
	local card switch

	for switch in hang_remove hang_mmap kernel_client; do
		[[ ! -e $NVIDIA/$switch ]] || nvidia_set $switch N
	done
	for card in "$BENCH"/card.*; do
		[[ ! -e $card ]] || unplug_card "${card##*.}"
	done
}

# bench_reset: no card, no native and no VFIO driver, no configuration, rule or
# record of a test. Every scenario file starts from here.
bench_reset()
{
	local module

	# A failed test may have left it stopped.
	udevd_signal CONT
	unplug_all
	if [[ -e "$BENCH/monitor.pid" ]]; then
		kill "$(<"$BENCH/monitor.pid")" 2>/dev/null
		rm "$BENCH/monitor.pid"
	fi
	while mountpoint -q "/lib/modules/$VERSION" &&
	      [[ ! -e /lib/modules/$VERSION/kernel/drivers/vfio ]]; do
		# Lazily: udevd has module indexes of it mapped.
		umount --lazy "/lib/modules/$VERSION"
	done
	rm -rf /etc/nvfio.conf /etc/nvfio.conf.d /run/nvfio.conf.d /run/nvfio.conf \
		/etc/modprobe.d/nvfio-test* /run/udev/rules.d
	udevd_reload
	echo clear >"$IDS"
	for module in nvidia snd_hda_intel xhci_pci nvfio_test_vfio_pci vfio_pci vfio_iommu_type1; do
		! module_loaded $module || modprobe -r $module
	done
	records_reset
}

# natives_load: the drivers a running host has loaded before a card arrives.
natives_load()
{
	modprobe -a nvidia snd_hda_intel xhci_pci "$@"
}

# collect DIR: what a person needs to understand a failure.
collect()
{
	local dir

	mkdir -p "$1"
	dmesg >"$1/kmsg" || :
	if [[ $BOOT == systemd ]]; then
		journalctl --boot --output=short-precise >"$1/journal" || :
	fi
	cards >"$1/cards" 2>&1
	for dir in "$SYS"/*; do
		[[ $(<"$dir/vendor") == 0x10de ]] || continue
		# It hangs on a device whose driver's remove() does.
		within 3 udevadm info "$dir" || echo "$dir: no answer"
	done >"$1/udevadm-info" 2>&1
}

setup_file()
{
	bench_reset
}

teardown()
{
	local name

	[[ -z ${BATS_TEST_COMPLETED:-} ]] || return 0
	name=$(basename "$BATS_TEST_FILENAME" .bats)
	collect "$BENCH/out/$name/test-$BATS_SUITE_TEST_NUMBER"
	touch "$BENCH/out/$name/failed"
	# The next test of the file is to tell of itself, not of this one.
	[[ -z ${HELD:-} ]] || exec {HELD}>&-
	udevd_go_on
	unplug_all || :
}
