#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the fake file system of one test: $TREE holds sys, proc, run, etc, dev and lib as nvfio looks at them. Words
# are the field's: add_card, add_function, set_config. What the kernel would do with a write is fakebus.c's business;
# here is only what stands there before.

LIB_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for helper.bash
REPO_DIR=$(cd -- "$LIB_DIR/../../.." && pwd)
CC=${CC:-gcc}

# Where all devices hang unless a test says otherwise: below one root port.
PORT=pci0000:00/0000:00:01.0

# --- once a run -----------------------------------------------------------------------------------------------------

# fake_ko FILE ALIAS...: a kernel module that is nothing but a .modinfo section, enough for depmod and libkmod.
fake_ko() {
	local file=$1 alias name
	shift
	name=$(basename -- "$file" .ko)
	{
		printf '__attribute__((section(".modinfo"), used)) static const char info[] ='
		printf ' "%s\\0"' 'license=GPL' "name=${name//-/_}" 'depends=' 'vermagic=fake'
		for alias in "$@"; do
			printf ' "alias=%s\\0"' "$alias"
		done
		printf ';\n'
	} | "$CC" -x c -c -o "$file" -
}

# Three sets of modules on disk: plain has vfio-pci, variant a driver for 10de:2342 as well, none nothing.
build_modules() {
	local dir=$1 release mod
	release=$(uname -r)
	for mod in plain variant none; do
		mkdir -p "$dir/$mod/lib/modules/$release/kernel"
		: >"$dir/$mod/lib/modules/$release/modules.order"
		: >"$dir/$mod/lib/modules/$release/modules.builtin"
		: >"$dir/$mod/lib/modules/$release/modules.builtin.modinfo"
	done
	fake_ko "$dir/plain/lib/modules/$release/kernel/vfio-pci.ko" 'vfio_pci:v*d*sv*sd*bc*sc*i*'
	fake_ko "$dir/variant/lib/modules/$release/kernel/nvfio-test-variant.ko" \
		'vfio_pci:v000010DEd00002342sv*sd*bc*sc*i*'
	cp "$dir/plain/lib/modules/$release/kernel/vfio-pci.ko" "$dir/variant/lib/modules/$release/kernel/"
	for mod in plain variant none; do
		depmod -b "$dir/$mod" "$release"
	done
}

# Compiles the fake kernel and the modules, unless another test of this run has. Sets FAKES_DIR.
build_fakes() {
	FAKES_DIR=$BATS_RUN_TMPDIR/fakes
	[[ -e $FAKES_DIR/done ]] && return
	mkdir -p "$FAKES_DIR"
	(
		flock 9
		[[ -e $FAKES_DIR/done ]] && exit
		set -e
		"$CC" -std=gnu11 -D_GNU_SOURCE -U_FORTIFY_SOURCE -O1 -g -Wall -Wextra -Wshadow -Werror -fPIC -shared \
			-fvisibility=hidden -o "$FAKES_DIR/fakekernel.so" \
			"$LIB_DIR/fakekernel.c" "$LIB_DIR/fakefault.c" "$LIB_DIR/fakebus.c"
		"$CC" -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Wshadow -Werror -o "$FAKES_DIR/client" \
			"$LIB_DIR/client.c"
		build_modules "$FAKES_DIR/modules"
		TREE=$FAKES_DIR/base build_base
		# What fails does not end this, called as it is in a condition.
		[[ ! -e $FAKES_DIR/fakekernel.so || ! -e $FAKES_DIR/client ]] || : >"$FAKES_DIR/done"
	) 9>"$FAKES_DIR/lock"
	[[ -e $FAKES_DIR/done ]]
}

# The part of the tree every test has.
build_base() {
	mkdir -p "$TREE"/sys/{bus/pci/{devices,drivers},class/iommu,class/drm,class/vfio,class/vtconsole,class/graphics} \
		"$TREE"/sys/{kernel/iommu_groups,module,devices/virtual/iommu/dmar0} \
		"$TREE/sys/devices/$PORT" "$TREE"/{proc,run,etc/modprobe.d,dev,usr/lib}
	ln -s ../../devices/virtual/iommu/dmar0 "$TREE/sys/class/iommu/dmar0"
	: >"$TREE/sys/bus/pci/drivers_probe"
	printf 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet intel_iommu=on\n' >"$TREE/proc/cmdline"
	printf 'Character devices:\n  1 mem\n 29 fb\n 89 i2c\n116 alsa\n195 nvidia\n226 drm\n234 nvidia-uvm\n' \
		>"$TREE/proc/devices"
	printf '00000000-00000fff : Reserved\n00100000-7fffffff : System RAM\n' >"$TREE/proc/iomem"
	mkdir -p "$TREE"/proc/{1/fd,self,net} "$TREE"/sys/{dev/block,class/{block,nvme-subsystem}}
	printf 'tty0                 -WU (EC p  )    4:7\n' >"$TREE/proc/consoles"
	printf '21 1 8:1 / / rw - ext4 /dev/sda1 rw\n' | tee "$TREE/proc/1/mountinfo" >"$TREE/proc/self/mountinfo"
	printf 'Filename\tType\tSize\tUsed\tPriority\n' >"$TREE/proc/swaps"
	printf 'Iface\tDestination\tGateway\n' >"$TREE/proc/net/route"
	: >"$TREE/proc/net/if_inet6"
	: >"$TREE/proc/net/ipv6_route"
	printf 'init\n' >"$TREE/proc/1/comm"
	add_driver vfio-pci vfio_pci
	add_driver nvidia nvidia
	add_driver nouveau nouveau
	add_driver snd_hda_intel snd_hda_intel
	add_driver xhci_hcd xhci_pci
}

# --- the tree -------------------------------------------------------------------------------------------------------

# new_tree [plain|variant|none]: an empty host with IOMMU, the usual drivers loaded and the given modules installed.
new_tree() {
	build_fakes || return 1
	TREE=$(realpath -- "$BATS_TEST_TMPDIR")/tree
	cp -a "$FAKES_DIR/base" "$TREE"
	cp -a "$FAKES_DIR/modules/${1:-plain}/lib" "$TREE/"
	if [[ ${1:-plain} == none ]]; then
		remove_driver vfio-pci
	fi
	export TREE
}

# add_driver NAME MODULE: as if the module were loaded.
add_driver() {
	mkdir -p "$TREE/sys/bus/pci/drivers/$1" "$TREE/sys/module/$2/drivers"
	: >"$TREE/sys/bus/pci/drivers/$1/bind"
	: >"$TREE/sys/bus/pci/drivers/$1/unbind"
	: >"$TREE/sys/bus/pci/drivers/$1/new_id"
	ln -s "../../../../module/$2" "$TREE/sys/bus/pci/drivers/$1/module"
	ln -s "../../../bus/pci/drivers/$1" "$TREE/sys/module/$2/drivers/pci:$1"
	printf 'live\n' >"$TREE/sys/module/$2/initstate"
}

# remove_driver NAME: as if its module were not loaded.
remove_driver() {
	rm -rf "$(realpath -- "$TREE/sys/bus/pci/drivers/$1/module")" "$TREE/sys/bus/pci/drivers/$1"
}

# uninstall_modules: the running kernel has no modules on disk, or none but the loaded ones.
uninstall_modules() {
	cp -a "$FAKES_DIR/modules/none/lib/." "$TREE/lib/"
	find "$TREE/lib/modules" -name '*.ko' -delete
}

no_iommu() {
	rm -rf "$TREE"/sys/class/iommu/* "$TREE"/sys/kernel/iommu_groups/*
}

# --- functions ------------------------------------------------------------------------------------------------------

# up N: "../" N times.
up() {
	local text
	printf -v text '%*s' "$1" ''
	printf '%s' "${text// /../}"
}

# add_function BDF VENDOR:DEVICE CLASS [option...]. CLASS has six hex digits (030200), or four.
#   --driver D        bound to D natively, and D is what the kernel would bind it to
#   --native D        not bound, but D is what the kernel would bind it to
#   --group N         in IOMMU group N; without it in none
#   --parent PATH     below sys/devices/PATH instead of the root port
#   --subsys V:D      subsystem ids (10de:1626)
#   --boot-vga        the console is on it
#   --sriov N         a PF that can have N VFs
#   --vf-of BDF       a VF; with --no-physfn the links between PF and VF are not made yet
#   --match-off N     the kernel does not match it for the next N attempts to bind
add_function() {
	local bdf=$1 ids=$2 class=$3 driver='' native='' group='' parent=$PORT subsys=10de:1626 boot_vga='' sriov=''
	local pf='' physfn=yes off=''
	shift 3
	while (($#)); do
		case $1 in
		--driver) driver=$2 native=$2 && shift 2 ;;
		--native) native=$2 && shift 2 ;;
		--group) group=$2 && shift 2 ;;
		--parent) parent=$2 && shift 2 ;;
		--subsys) subsys=$2 && shift 2 ;;
		--boot-vga) boot_vga=yes && shift ;;
		--sriov) sriov=$2 && shift 2 ;;
		--vf-of) pf=$2 && shift 2 ;;
		--no-physfn) physfn='' && shift ;;
		--match-off) off=$2 && shift 2 ;;
		*) echo "add_function: what is $1?" >&2 && return 1 ;;
		esac
	done
	[[ ${#class} == 4 ]] && class+=00

	local dev=$TREE/sys/devices/$parent/$bdf slashes=${parent//[^\/]/} depth
	depth=$((${#slashes} + 3))
	mkdir -p "$dev"
	ln -s "$(up $((depth)))bus/pci" "$dev/subsystem"
	ln -s "../../../devices/$parent/$bdf" "$TREE/sys/bus/pci/devices/$bdf"
	write_attributes "$dev" "$ids" "$class" "$subsys"
	[[ $native ]] && printf '%s\n' "$native" >"$dev/.fake_native"
	[[ $off ]] && printf '%s\n' "$off" >"$dev/.fake_match_off"
	[[ $class == 0300?? ]] && printf '%d\n' "${boot_vga:+1}" >"$dev/boot_vga"
	if [[ $group ]]; then
		mkdir -p "$TREE/sys/kernel/iommu_groups/$group/devices"
		printf 'DMA\n' >"$TREE/sys/kernel/iommu_groups/$group/type"
		ln -s "../../../../devices/$parent/$bdf" "$TREE/sys/kernel/iommu_groups/$group/devices/$bdf"
		ln -s "$(up $((depth)))kernel/iommu_groups/$group" "$dev/iommu_group"
	fi
	if [[ $sriov ]]; then
		printf '%s\n' "$sriov" >"$dev/sriov_totalvfs"
		printf '0\n' >"$dev/sriov_numvfs"
		printf '1\n' >"$dev/sriov_drivers_autoprobe"
	fi
	if [[ $pf ]]; then
		printf '0\n' >"$dev/sriov_vf_msix_count"
		[[ $physfn ]] && link_vf "$bdf" "$pf"
	fi
	[[ $driver ]] && bind_natively "$bdf" "$driver"
	return 0
}

# The attributes in the kernel's spelling (drivers/pci/pci-sysfs.c, pci-driver.c).
write_attributes() {
	local dev=$1 ids=$2 class=$3 subsys=$4 vendor device subvendor subdevice modalias class_up=${3^^}
	vendor=${ids%:*} device=${ids#*:} subvendor=${subsys%:*} subdevice=${subsys#*:}
	printf -v modalias 'pci:v0000%sd0000%ssv0000%ssd0000%sbc%ssc%si%s' "${vendor^^}" "${device^^}" "${subvendor^^}" \
		"${subdevice^^}" "${class_up:0:2}" "${class_up:2:2}" "${class_up:4:2}"
	printf '0x%s\n' "$vendor" >"$dev/vendor"
	printf '0x%s\n' "$device" >"$dev/device"
	printf '0x%s\n' "$subvendor" >"$dev/subsystem_vendor"
	printf '0x%s\n' "$subdevice" >"$dev/subsystem_device"
	printf '0x%s\n' "$class" >"$dev/class"
	printf '0xa1\n' >"$dev/revision"
	printf '%s\n' "$modalias" >"$dev/modalias"
	printf '(null)\n' >"$dev/driver_override"
	printf 'PCI_CLASS=%X\nPCI_ID=%s\nPCI_SUBSYS_ID=%s\nPCI_SLOT_NAME=%s\nMODALIAS=%s\n' "0x$class" "${ids^^}" \
		"${subsys^^}" "${dev##*/}" "$modalias" >"$dev/uevent"
}

# link_vf VF PF: what the kernel does shortly after the VF's add event (drivers/pci/iov.c, pci_iov_sysfs_link()).
link_vf() {
	local vf pf n=0
	vf=$(device_dir "$1") pf=$(device_dir "$2")
	while [[ -L $pf/virtfn$n ]]; do
		n=$((n + 1))
	done
	ln -s "../$1" "$pf/virtfn$n"
	ln -s "../$2" "$vf/physfn"
	printf '%d\n' $((n + 1)) >"$pf/sriov_numvfs"
}

# bind_natively BDF DRIVER: as it is after the driver's probe().
bind_natively() {
	local dev rel slashes
	dev=$(device_dir "$1") rel=${dev#"$TREE"/sys/} slashes=${rel//[^\/]/}
	ln -s "$(up $((${#slashes} + 1)))bus/pci/drivers/$2" "$dev/driver"
	ln -s "../../../../$rel" "$TREE/sys/bus/pci/drivers/$2/$1"
	# It has probed to its end when its sound card has a control device, and lets the function suspend then.
	if [[ $2 == snd_hda_intel ]]; then
		mkdir -p "$dev/sound/card0/controlC0" "$dev/power"
		printf 'auto\n' >"$dev/power/control"
	fi
}

# in_remove BDF DRIVER: as it is while a driver's remove() runs: its link is gone, dev->driver is not.
in_remove() {
	local dev
	dev=$(device_dir "$1")
	[[ ! -L $dev/driver ]] || rm "$dev/driver"
	sed -i "1i DRIVER=$2" "$dev/uevent"
}

# put_on_vfio BDF [DRIVER]: as it is when somebody else has bound it to a VFIO driver.
put_on_vfio() {
	local dev
	dev=$(device_dir "$1")
	bind_natively "$1" "${2:-vfio-pci}"
	printf '%s\n' "${2:-vfio-pci}" >"$dev/driver_override"
	mkdir -p "$dev/vfio-dev/vfio9"
}

# add_card SLOT [--native] [--group N] [--usb-c]: a GPU with audio and USB (and UCSI) functions in one group, without
# drivers as after a hotplug, or with --native on those the kernel would bind.
add_card() {
	local slot=$1 group=1 native=--native
	shift
	while (($#)); do
		case $1 in
		--native) native=--driver && shift ;;
		--group) group=$2 && shift 2 ;;
		--usb-c) local usb_c=yes && shift ;;
		*) echo "add_card: what is $1?" >&2 && return 1 ;;
		esac
	done
	add_function "$slot.0" 10de:2331 030200 $native nvidia --group "$group"
	add_function "$slot.1" 10de:22bc 040300 $native snd_hda_intel --group "$group"
	add_function "$slot.2" 10de:1ad8 0c0330 $native xhci_hcd --group "$group"
	if [[ ${usb_c-} ]]; then
		add_driver nvidia-gpu i2c_nvidia_gpu
		add_function "$slot.3" 10de:1ad9 0c8000 $native nvidia-gpu --group "$group"
	fi
}

# add_300_functions: 32 cards of GPU, audio and six VFs each, the first of them on VFIO, and 44 GPUs on nouveau. udev has met
# all of them.
add_300_functions() {
	local card f bdf
	set_config <<-END
		[policy]
		takeover = idle
	END
	for ((card = 16; card < 48; card++)); do
		printf -v bdf '0000:%02x:00' $card
		add_function "$bdf.0" 10de:2331 030200 --driver nvidia --group $card
		nvidia_node "$bdf.0" $((card - 16))
		add_function "$bdf.1" 10de:22bc 040300 --native snd_hda_intel --group $card
		for f in 2 3 4 5 6 7; do
			add_function "$bdf.$f" 10de:2331 030200 --vf-of "$bdf.0" --group 1$card$f
			udev_says "$bdf.$f" '' '' '' 'GH100 [H100 PCIe]'
		done
		put_on_vfio "$bdf.2"
		make_record "$bdf.2" bound
		udev_says "$bdf.0" left pf-has-vfs 'left: it is a PF with VFs' 'GH100 [H100 PCIe]'
		udev_says "$bdf.1" left function0 'left: it follows function 0 of its card' 'GH100 High Definition Audio Controller'
		udev_says "$bdf.2" bound bound "bound to vfio-pci, was on nvidia" 'GH100 [H100 PCIe]'
	done
	for ((card = 48; card < 92; card++)); do
		printf -v bdf '0000:%02x:00.0' $card
		add_function "$bdf" 10de:2331 030200 --driver nouveau --group $card
		drm_node "$bdf" card$card 226:$card
		udev_says "$bdf" deferred takeover 'deferred: its native driver has it' 'GA102 [GeForce RTX 3090]'
	done
	forget_writes
}

# add_bridge BDF [--group N]: the root port itself, as a function on its bus with a driver of its own.
add_bridge() {
	local bdf=$1
	shift
	[[ -d $TREE/sys/bus/pci/drivers/pcieport ]] || add_driver pcieport pcieportdrv
	add_function "$bdf" 8086:1901 060400 --driver pcieport --parent pci0000:00 "$@"
}

# probe_fails BDF DRIVER ERRNO: that driver's probe() refuses it.
probe_fails() {
	printf '%s %s\n' "$2" "$3" >>"$(device_dir "$1")/.fake_probe_error"
}

# set_attribute BDF NAME VALUE: as if the hardware or somebody else had set it; no newline is added.
set_attribute() {
	printf '%b' "$3" >"$(device_dir "$1")/$2"
}

# --- what else is on the host ---------------------------------------------------------------------------------------

# set_config <<EOF: the configuration file.
set_config() {
	cat >"$TREE/etc/nvfio.conf"
	chmod 0644 "$TREE/etc/nvfio.conf"
}

# udev_says BDF STATE REASON [MESSAGE [MODEL]]: what udev's database remembers of its last event.
udev_says() {
	mkdir -p "$TREE/run/udev/data"
	printf 'I:12\nE:NVFIO_STATE=%s\nE:NVFIO_REASON=%s\nE:NVFIO_MESSAGE=%s\nE:ID_MODEL_FROM_DATABASE=%s\nG:nvfio\nV:1\n' \
		"$2" "$3" "${4-}" "${5-}" >"$TREE/run/udev/data/+pci:$1"
}

kernel_command_line() {
	printf '%s\n' "$*" >"$TREE/proc/cmdline"
}

# add_node PATH MAJOR MINOR: a device node; the preload makes stat(2) see one.
add_node() {
	mkdir -p "$(dirname -- "$TREE$1")"
	printf 'c %d %d\n' "$2" "$3" >"$TREE$1"
}

# hold NODE PID [COMM]: a process that has the node open.
hold() {
	local fds=$TREE/proc/$2/fd n=3
	mkdir -p "$fds"
	printf '%s\n' "${3:-holder}" >"$TREE/proc/$2/comm"
	while [[ -L $fds/$n ]]; do
		n=$((n + 1))
	done
	ln -s "$TREE$1" "$fds/$n"
}

# map NODE PID: the process has mapped the node, and closed it.
map() {
	mkdir -p "$TREE/proc/$2/fd" "$TREE/proc/$2/map_files"
	printf 'mapper\n' >"$TREE/proc/$2/comm"
	ln -s "$TREE$1" "$TREE/proc/$2/map_files/7f1000000000-7f1000001000"
}

# nvidia_node BDF MINOR: nvidia.ko has the GPU as /dev/nvidia<MINOR>.
nvidia_node() {
	mkdir -p "$TREE/proc/driver/nvidia/gpus/$1"
	printf 'Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 42\nDevice Minor: \t %d\nGPU Excluded:\t No\n' "$2" \
		>"$TREE/proc/driver/nvidia/gpus/$1/information"
	add_node "/dev/nvidia$2" 195 "$2"
	add_node /dev/nvidiactl 195 255
	add_node /dev/nvidia-modeset 195 254
	add_node /dev/nvidia-uvm 234 0
}

# unbind_lock BDF [busy]: the gate of a vGPU host's nvidia driver; busy refuses.
unbind_lock() {
	printf '0\n' >"$TREE/proc/driver/nvidia/gpus/$1/unbindLock"
	if [[ ${2-} == busy ]]; then
		: >"$TREE/proc/driver/nvidia/gpus/$1/unbindLock.fake_busy"
	fi
}

# drm_node BDF CARD MAJOR:MINOR: a DRM node below the function.
drm_node() {
	local dev
	dev=$(device_dir "$1")
	mkdir -p "$dev/drm/$2"
	printf '%s\n' "$3" >"$dev/drm/$2/dev"
	ln -s "../../${dev#"$TREE/sys/"}/drm/$2" "$TREE/sys/class/drm/$2"
	ln -s ../.. "$dev/drm/$2/device"
	add_node "/dev/dri/$2" "${3%:*}" "${3#*:}"
}

# connector BDF CARD NAME enabled|disabled
connector() {
	local dev
	dev=$(device_dir "$1")
	mkdir -p "$dev/drm/$2/$2-$3"
	printf '%s\n' "$4" >"$dev/drm/$2/$2-$3/enabled"
	printf 'connected\n' >"$dev/drm/$2/$2-$3/status"
	ln -s "../../${dev#"$TREE/sys/"}/drm/$2/$2-$3" "$TREE/sys/class/drm/$2-$3"
}

# sound_node BDF CARD NAME MAJOR:MINOR: a sound card's node below the function.
sound_node() {
	local dev
	dev=$(device_dir "$1")
	mkdir -p "$dev/sound/$2/$3"
	printf '%s\n' "$4" >"$dev/sound/$2/$3/dev"
	add_node "/dev/snd/$3" "${4%:*}" "${4#*:}"
}

# disk_of BDF NAME MAJOR:MINOR: an NVMe disk below the function, and its node.
disk_of() {
	local dev
	dev=$(device_dir "$1")
	mkdir -p "$dev/nvme/nvme0/$2/holders"
	printf '%s\n' "$3" >"$dev/nvme/nvme0/$2/dev"
	ln -s ../../../../../../../class/block "$dev/nvme/nvme0/$2/subsystem"
	ln -s "../../${dev#"$TREE/sys/"}/nvme/nvme0/$2" "$TREE/sys/dev/block/$3"
	printf 'b %d %d\n' "${3%:*}" "${3#*:}" >"$TREE/dev/$2"
}

# interface_of BDF NAME up|down: a network interface below the function.
interface_of() {
	local dev
	dev=$(device_dir "$1")
	mkdir -p "$dev/net/$2"
	if [[ $3 == up ]]; then
		printf '0x1003\n' >"$dev/net/$2/flags"
	else
		printf '0x1002\n' >"$dev/net/$2/flags"
	fi
}

# mount_disk NAME MAJOR:MINOR WHERE: pid 1 has a file system of it mounted there.
mount_disk() {
	printf '40 21 %s / %s rw - ext4 /dev/%s rw\n' "$2" "$3" "$1" >>"$TREE/proc/1/mountinfo"
}

# usb_device BDF: something is plugged into the controller, besides its root hub.
usb_device() {
	local dev
	dev=$(device_dir "$1")
	mkdir -p "$dev/usb3/3-1"
	printf '09\n' >"$dev/usb3/bDeviceClass"
	printf '08\n' >"$dev/usb3/3-1/bDeviceClass"
	printf '0781\n' >"$dev/usb3/3-1/idVendor"
	printf '5583\n' >"$dev/usb3/3-1/idProduct"
}

# --- looking at it --------------------------------------------------------------------------------------------------

# Where the function's directory is, as an absolute path on the host. (cd rather than realpath: nothing to start.)
device_dir() {
	(cd -P -- "$TREE/sys/bus/pci/devices/$1" && pwd)
}

# The path as udev would hand it over, without the tree in front.
syspath_of() {
	local dev
	dev=$(device_dir "$1") && printf '%s\n' "${dev#"$TREE"}"
}

# The driver's name, or nothing.
driver_of() {
	local link=$TREE/sys/bus/pci/devices/$1/driver
	[[ ! -L $link ]] || basename -- "$(readlink -- "$link")"
}

# The override, or nothing if it is unset.
override_of() {
	local text
	text=$(cat -- "$TREE/sys/bus/pci/devices/$1/driver_override") && [[ $text == '(null)' ]] || printf '%s\n' "$text"
}

on_vfio() {
	[[ -d $TREE/sys/bus/pci/devices/$1/vfio-dev ]]
}

# The writes in order, "PATH<TAB>VALUE", with the device directories and drivers shortened:
# "0000:01:00.0/driver_override<TAB>vfio-pci", "vfio-pci/bind<TAB>0000:01:00.0".
writes() {
	[[ -e $TREE/.fake_writes ]] || return 0
	sed -E 's,^sys/devices/([^\t]*/)?([^/\t]+:[^/\t]+/[^\t]+)\t,\2\t,; s,^sys/bus/pci/(drivers/)?,,' "$TREE/.fake_writes"
}

# The accepted uevent requests, "BDF ACTION ...".
uevents() {
	[[ ! -e $TREE/.fake_uevents ]] || cat -- "$TREE/.fake_uevents"
}

# The functions of which something is on record that would have to be given back. A record that only remembers why
# function 0 was left is none of these.
records() {
	local file
	for file in "$TREE"/run/nvfio/????*:??:??.?; do
		[[ -e $file ]] || continue
		! grep -qx state=left "$file" || grep -qx autoprobe-off=1 "$file" || continue
		basename -- "$file"
	done
}

# record_of BDF [KEY]: the record, or one value of it.
record_of() {
	if [[ ${2-} ]]; then
		sed -n "s/^$2=//p" "$TREE/run/nvfio/$1"
	else
		cat -- "$TREE/run/nvfio/$1"
	fi
}

# Starts the next run at zero: no writes, no counted operations.
forget_writes() {
	rm -f "$TREE"/.fake_{writes,uevents,ops,counter,blocked}
}

# make_record BDF STATE [KEY=VALUE...]: as the helper writes it; of another card at the address with inode=1.
make_record() {
	local file=$TREE/run/nvfio/$1 inode pair wanted=vfio-pci
	# One that names it is not over.
	[[ $2 != released ]] || wanted=
	inode=$(stat -c %i "$(device_dir "$1")")
	mkdir -p "$TREE/run/nvfio"
	printf 'state=%s\ninode=%s\nvendor=%s\ndevice=%s\nwanted=%s\ndriver=\noverride=\n' "$2" "$inode" \
		"$(cut -c 3- "$(device_dir "$1")/vendor")" "$(cut -c 3- "$(device_dir "$1")/device")" "$wanted" >"$file"
	shift 2
	for pair in "$@"; do
		sed -i "s,^${pair%%=*}=.*,$pair," "$file"
	done
}

# What a run may change, for cases that run many times from the same beginning.
TREE_PARTS=(sys/bus sys/class sys/devices sys/kernel run proc/driver)

save_tree() {
	rm -rf "$TREE.before"
	mkdir -p "$TREE/proc/driver"
	cp -a "$TREE" "$TREE.before"
}

restore_tree() {
	local part
	rm -rf "${TREE_PARTS[@]/#/"$TREE/"}" "$TREE"/.fake_*
	for part in "${TREE_PARTS[@]}"; do
		printf '%s\0' "$part"
	done | (cd "$TREE.before" && xargs -0 cp -a --parents -t "$TREE")
}
