# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a scenario can do in a guest of the VM bench: plug and unplug cards
# (plug.bash), look at what became of their functions and wait for it (here),
# change the guest and put it back (guest.bash), interrupt the helper and look
# for what it left (points.bash). A scenario begins with
# "load ../guest/lib" and gets setup_file() and teardown() of guest.bash.
# Programs are slow to start under emulation: what bash can do alone, it does.

BENCH=/run/bench
SYS=/sys/bus/pci/devices
NVIDIA=/sys/module/nvidia/parameters
IDS=/sys/module/nvfio_ids/parameters/map
# shellcheck source=/dev/null
. $BENCH/conf
PATH=$PATH:$BUILD
# shellcheck source=guest/plug.bash
. "$REPO/tests/vm/guest/plug.bash"
# shellcheck source=guest/guest.bash
. "$REPO/tests/vm/guest/guest.bash"
# shellcheck source=guest/points.bash
. "$REPO/tests/vm/guest/points.bash"

# A pipe nobody writes to: "read -t" on it is a sleep without a program.
[[ -n ${BENCH_NEVER:-} ]] || exec {BENCH_NEVER}<> <(:)

# --- waiting -----------------------------------------------------------------

# wait_for SECONDS COMMAND...: until COMMAND succeeds; 1 at the deadline.
wait_for()
{
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	until "$@"; do
		if ((${EPOCHREALTIME/./} > deadline)); then
			echo "# gave up waiting for: $*" >&2
			return 1
		fi
		read -rt 0.05 -u "$BENCH_NEVER" || :
	done
}

# within SECONDS COMMAND...: its exit status, or 124 if it takes longer. Then
# it is left alone: what hangs in the kernel cannot be killed. Do not capture
# its output with $( ), that would wait for it.
within()
{
	local pid seconds=$1

	shift
	"$@" 3>&- &
	pid=$!
	wait_for "$seconds" gone "/proc/$pid" || return 124
	wait "$pid"
}

# settle [SECONDS]: until udev has no event left. If it does not come to that,
# says who is at work and where in the kernel each of them is.
settle()
{
	udevadm settle --timeout="${1:-30}" && return 0
	at_work
	return 1
}

# at_work: what udev has started, and whatever waits in the kernel.
at_work()
{
	local dir line comm state

	for dir in /proc/[0-9]*; do
		{ read -r line <"$dir/stat"; } 2>/dev/null || continue
		comm=${line#*(}
		comm=${comm%)*}
		state=${line##*) }
		[[ $comm == *udev* || $comm == modprobe || $state == D* ]] || continue
		echo "at work: ${dir##*/} $comm ${state%% *} $(tr '\0' ' ' <"$dir/cmdline")"
		sed 's/^/    /' "$dir/stack"
	done >&2
}

gone()
{
	[[ ! -e $1 ]]
}

# --- looking -----------------------------------------------------------------

# driver_of BDF: name of the bound driver, or none.
driver_of()
{
	[[ -e $SYS/$1/driver ]] || { echo none; return; }
	(cd -P "$SYS/$1/driver" && echo "${PWD##*/}")
}

# group_of BDF: number of its IOMMU group, or none.
group_of()
{
	[[ -e $SYS/$1/iommu_group ]] || { echo none; return; }
	(cd -P "$SYS/$1/iommu_group" && echo "${PWD##*/}")
}

# override_of BDF: driver_override, or none. Waits while a driver's probe() or
# remove() runs.
override_of()
{
	local override

	read -r override <"$SYS/$1/driver_override" || :
	[[ $override == "(null)" || -z $override ]] && override=none
	echo "$override"
}

# attr_of BDF NAME: a sysfs attribute.
attr_of()
{
	local value

	read -r value <"$SYS/$1/$2" && echo "$value"
}

# property_of BDF NAME: a property in udev's database, or none. Read from the
# file, because "udevadm info" hangs on a device whose driver's remove() does.
property_of()
{
	local line value=none

	if [[ -e /run/udev/data/+pci:$1 ]]; then
		while read -r line; do
			[[ $line == "E:$2="* ]] && value=${line#*=}
		done <"/run/udev/data/+pci:$1"
	fi
	echo "$value"
}

# state_of BDF: what nvfio says it is.
state_of()
{
	property_of "$1" NVFIO_STATE
}

# Conditions for wait_for.
driver_is()
{
	[[ $(driver_of "$1") == "$2" ]]
}

state_is()
{
	[[ $(state_of "$1") == "$2" ]]
}

# probes_of nvidia, removes_of nvidia: counters of the stand-in driver.
probes_of()
{
	cat "/sys/module/$1/parameters/probes"
}

removes_of()
{
	cat "/sys/module/$1/parameters/removes"
}

module_loaded()
{
	[[ -d /sys/module/$1 ]]
}

# records_of [BDF]: nvfio's log records since records_reset, one a line; those
# about a function, or all. In the bare guest the details follow in brackets,
# with systemd they are fields of the journal.
records_of()
{
	if [[ $BOOT == systemd ]]; then
		journalctl --sync
		journalctl --quiet --output=cat --identifier=nvfio-udev \
			--since="@$(<$BENCH/since)" ${1:+NVFIO_BDF="$1"} || :
	else
		dmesg | sed -n "/nvfio-bench: $(<$BENCH/mark)\$/,\$p" | grep -F "nvfio-udev: ${1:+$1: }" || :
	fi
}

records_reset()
{
	if [[ $BOOT == systemd ]]; then
		journalctl --sync
		# Not a cursor: with one, a filtered journalctl 252 drops its first hit.
		echo "$EPOCHREALTIME" >$BENCH/since
	else
		echo "mark$RANDOM$RANDOM" >$BENCH/mark
		echo "nvfio-bench: $(<$BENCH/mark)" >/dev/kmsg
	fi
}

# cards: a table of all NVIDIA functions, for people.
cards()
{
	local dir bdf

	for dir in "$SYS"/*; do
		bdf=${dir##*/}
		[[ $(attr_of "$bdf" vendor) == 0x10de ]] || continue
		printf '%s %s:%s %s group %-4s %-14s %s\n' "$bdf" \
			"$(attr_of "$bdf" vendor)" "$(attr_of "$bdf" device)" \
			"$(attr_of "$bdf" class)" "$(group_of "$bdf")" \
			"$(driver_of "$bdf")" "$(state_of "$bdf")"
	done
}

# --- what differs between kernels --------------------------------------------

# By the release's name, not by looking: a test that found out for itself what
# the kernel does would also agree with a kernel that does it wrong.

# reads_wait: reading a function's uevent or driver_override waits for its
# device lock (up to 6.11; 6.12.y has it from 7.1).
reads_wait()
{
	[[ $VERSION == 6.1.* ]]
}

# vfio_dev_stays: an unbind from VFIO takes vfio-dev/ away when the virtual
# machine has let go (up to 6.5), and not before it waits for that.
vfio_dev_stays()
{
	[[ $VERSION == 6.1.* ]]
}

# --- the native driver -------------------------------------------------------

# gpu_node BDF: device node of a GPU of the stand-in driver. Makes it, as
# nvidia-modprobe does; hold it with: exec {fd}<>"$(gpu_node BDF)"
gpu_node()
{
	local line minor=

	while IFS= read -r line; do
		[[ $line == "Device Minor:"* ]] && minor=${line##*[[:space:]]}
	done <"/proc/driver/nvidia/gpus/$1/information"
	[[ -n $minor ]] || return 1
	[[ -e /dev/nvidia$minor ]] || mknod -m 0666 "/dev/nvidia$minor" c 195 "$minor"
	echo "/dev/nvidia$minor"
}

# nvidia_set NAME VALUE: a parameter of the loaded stand-in driver.
nvidia_set()
{
	echo "$2" >"$NVIDIA/$1"
}
