#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio-udev decide`: every row of the decision table, on a whole tree instead of hand-made facts (those are in
# tests/unit). Nothing is ever written here.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
USB=0000:01:00.2

setup() {
	new_tree
}

teardown() {
	end_all
}

gpu() {
	add_function $GPU 10de:2331 030200 --group 1 "$@"
}

# decided VERDICT REASON: and that reaching it changed nothing.
decided() {
	assert_verdict "$@"
	[[ -z $(writes) ]] || explain "deciding wrote something"
}

# decide_hotplug, decide_coldplug, ...: the kinds of event.
decide_hotplug() { nvfio_decide add "$@"; }
decide_coldplug() { nvfio_decide add --synth 0 "$@"; }
decide_reapply() { nvfio_decide change --synth 0 "$@"; }
decide_follow_up() { nvfio_decide change --synth 11111111-2222-4333-8444-555555555555 --follow-up 1 "$@"; }
decide_release() { nvfio_decide unbind --state deferred "$@"; }

# --- what the administrator wishes ----------------------------------------------------------------------------------

@test "a driverless GPU at hotplug is taken" {
	gpu
	decide_hotplug $GPU
	decided bind no-driver
	[[ $(prop NVFIO_DRIVER) == vfio-pci ]] || explain "no driver named"
	assert_untouched
}

@test "nvfio=off on the kernel command line leaves everything" {
	gpu
	kernel_command_line root=/dev/sda1 nvfio=off quiet
	decide_hotplug $GPU
	decided leave off
}

@test "a word that only contains nvfio=off does not switch anything off" {
	gpu
	kernel_command_line root=/dev/sda1 xnvfio=off nvfio=office
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a rule's native wins over a configured vfio" {
	gpu
	set_config <<-END
		[device $GPU]
		gpu = vfio
	END
	decide_hotplug --admin native $GPU
	decided leave rule
}

@test "a rule's vfio wins over a configured native" {
	gpu
	set_config <<-END
		[policy]
		gpu = native
	END
	decide_hotplug --admin vfio $GPU
	decided bind no-driver
}

@test "configured native is left, and file and line are named" {
	gpu
	set_config <<-END
		[policy]
		gpu = native
	END
	decide_hotplug $GPU
	decided leave configured
	[[ $(prop NVFIO_MESSAGE) == */etc/nvfio.conf:2* ]] || explain "file and line are missing"
}

@test "a configuration that does not parse takes nothing" {
	gpu
	set_config <<-END
		[policy]
		gpu = vfio
		gpu = perhaps
	END
	decide_hotplug $GPU
	decided leave config-broken
	[[ $(prop NVFIO_MESSAGE) == *nvfio.conf:3:* ]] || explain "file and line are missing"
}

@test "a configuration others can write takes nothing" {
	gpu
	set_config <<<"[policy]"
	chmod 0666 "$TREE/etc/nvfio.conf"
	decide_hotplug $GPU
	decided leave config-broken
}

@test "the most specific section wins" {
	gpu --subsys 10de:1626
	add_function 0000:02:00.0 10de:2331 030200 --group 2 --subsys 10de:1627
	add_function 0000:03:00.0 10de:2330 030200 --group 3
	set_config <<-END
		[device $GPU]
		gpu = vfio
		[device 10de:2331:10de:1626]
		gpu = native
		[device 10de:2331]
		gpu = vfio
		[policy]
		gpu = native
	END
	decide_hotplug $GPU
	decided bind no-driver
	decide_hotplug 0000:02:00.0
	decided bind no-driver
	decide_hotplug 0000:03:00.0
	decided leave configured
}

@test "an address's section is for the card it names in id" {
	gpu
	set_config <<-END
		[device $GPU]
		id = 10de:2342
		gpu = native
	END
	decide_hotplug $GPU
	decided bind no-driver
	sed -i s/2342/2331/ "$TREE/etc/nvfio.conf"
	decide_hotplug $GPU
	decided leave configured
}

@test "drop-ins are read, and a link to /dev/null masks one" {
	gpu
	mkdir -p "$TREE"/{etc,run,usr/lib}/nvfio.conf.d
	printf '[policy]\ngpu = native\n' >"$TREE/usr/lib/nvfio.conf.d/50-site.conf"
	decide_hotplug $GPU
	decided leave configured
	ln -s /dev/null "$TREE/etc/nvfio.conf.d/50-site.conf"
	decide_hotplug $GPU
	decided bind no-driver
}

# --- who owns it ----------------------------------------------------------------------------------------------------

@test "somebody acting on it right now is left alone" {
	gpu
	lock_function $GPU
	decide_hotplug $GPU
	decided leave in-flight
}

@test "a lock file nobody holds means nothing" {
	gpu
	mkdir "$TREE/run/nvfio"
	: >"$TREE/run/nvfio/$GPU.lock"
	decide_hotplug $GPU
	decided bind no-driver
}

@test "on VFIO already is bound, whatever the event" {
	local kind
	gpu
	put_on_vfio $GPU
	for kind in hotplug coldplug reapply release; do
		decide_$kind $GPU
		decided bound on-vfio
	done
}

@test "ours, but configured native meanwhile, stays and says how to give it back" {
	gpu
	put_on_vfio $GPU
	make_record $GPU bound
	set_config <<-END
		[policy]
		gpu = native
	END
	decide_coldplug $GPU
	decided leave native-but-bound
	[[ $(prop NVFIO_MESSAGE) == *"nvfio unbind"* ]] || explain "no way out is named"
}

@test "a vGPU's VF, on nvidia and VFIO at once, is left" {
	gpu --sriov 16
	add_function 0000:01:00.4 10de:2331 030200 --group 4 --vf-of $GPU --driver nvidia
	mkdir -p "$(device_dir 0000:01:00.4)/vfio-dev/vfio3"
	set_config <<-END
		[policy]
		vf = vfio
	END
	decide_hotplug 0000:01:00.4
	decided leave vgpu-host
}

@test "released by nvfio unbind is left, until another card sits there" {
	gpu
	make_record $GPU released
	decide_hotplug $GPU
	decided leave released
	make_record $GPU released inode=1
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a record that is none of ours is no reason" {
	gpu
	mkdir -p "$TREE/run/nvfio"
	printf 'garbage\n' >"$TREE/run/nvfio/$GPU"
	decide_hotplug $GPU
	decided bind no-driver
}

@test "driverctl's functions are left" {
	gpu
	mkdir -p "$TREE/etc/driverctl.d"
	printf 'nvidia\n' >"$TREE/etc/driverctl.d/pci-$GPU"
	decide_hotplug $GPU
	decided leave driverctl
}

@test "stub drivers mean another manager" {
	local driver
	for driver in pci-stub pciback xen-pciback uio_pci_generic igb_uio; do
		add_driver $driver "${driver//-/_}"
		gpu --driver $driver
		decide_hotplug $GPU
		decided leave stub-driver
		rm -r "$(device_dir $GPU)" "$TREE/sys/bus/pci/devices/$GPU" "$TREE/sys/kernel/iommu_groups/1/devices/$GPU"
	done
}

@test "another manager's override is left" {
	gpu
	set_attribute $GPU driver_override 'nouveau\n'
	decide_hotplug $GPU
	decided leave override
	[[ $(prop NVFIO_MESSAGE) == *nouveau* ]] || explain "the override is not named"
}

@test "the override that is wanted anyhow is no obstacle" {
	gpu
	set_attribute $GPU driver_override 'vfio-pci\n'
	decide_hotplug $GPU
	decided bind no-driver
}

# --- what it is -----------------------------------------------------------------------------------------------------

@test "what is not NVIDIA's is left, whatever its own section says" {
	add_function $GPU 8086:56c0 030000 --group 1
	decide_hotplug $GPU
	decided leave not-nvidia
	set_config <<-END
		[device $GPU]
		gpu = vfio
	END
	decide_hotplug $GPU
	decided leave not-nvidia
}

@test "NVIDIA's network, bridge, and other display classes are left" {
	local class n=0
	for class in 020000 060400 038000 058000 010601; do
		add_function 0000:0$n:00.0 10de:0057 $class --group 1$n
		decide_hotplug 0000:0$n:00.0
		decided leave not-gpu
		n=$((n + 1))
	done
}

@test "chipset audio is no companion" {
	add_function 0000:00:10.0 10de:03f0 040300 --group 1
	add_function 0000:00:10.1 10de:03f0 040300 --group 1
	decide_hotplug 0000:00:10.0
	decided leave not-gpu
	decide_hotplug 0000:00:10.1
	decided leave not-gpu
}

@test "integrated graphics are left, unless named" {
	local id n=0
	for id in 2b00 2e12 0240 0845 08a0; do
		add_function 0000:0$n:00.0 10de:$id 030000 --group 1$n
		decide_hotplug 0000:0$n:00.0
		decided leave integrated
		n=$((n + 1))
	done
	decide_hotplug --admin vfio 0000:00:00.0
	decided bind no-driver
}

@test "domains of more than four digits are functions as well" {
	add_function 10000:e1:00.0 10de:2331 030200 --group 1
	decide_hotplug 10000:e1:00.0
	decided bind no-driver
}

# --- console --------------------------------------------------------------------------------------------------------

vga() {
	add_function $GPU 10de:1b80 030000 --group 1 "$@"
}

@test "the boot VGA device is left, unless named or allowed" {
	vga --boot-vga
	decide_hotplug $GPU
	decided leave boot-vga
	decide_hotplug --admin vfio $GPU
	decided bind no-driver
	set_config <<<$'[policy]\nboot-vga = vfio'
	decide_hotplug $GPU
	decided bind no-driver
	set_config <<<"[device $GPU]"$'\ngpu = vfio'
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a model's section does not name the boot VGA device" {
	vga --boot-vga
	set_config <<<$'[device 10de:1b80]\ngpu = vfio'
	decide_hotplug $GPU
	decided leave boot-vga
}

@test "a firmware framebuffer in one of its BARs is a console" {
	vga
	printf '%s\n' 'd0000000-efffffff : PCI Bus 0000:01' "  d0000000-d1ffffff : $GPU" \
		'    d0000000-d02fffff : efifb' >"$TREE/proc/iomem"
	decide_hotplug $GPU
	decided leave console
}

@test "a firmware framebuffer elsewhere is not" {
	vga
	printf '%s\n' 'd0000000-efffffff : PCI Bus 0000:01' "  d0000000-d1ffffff : $GPU" \
		'  d2000000-d3ffffff : 0000:02:00.0' '    d2000000-d22fffff : simple-framebuffer' >"$TREE/proc/iomem"
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a console on its frame buffer device is one" {
	vga --driver nouveau
	mkdir -p "$(device_dir $GPU)/graphics/fb0" "$TREE/sys/class/vtconsole/vtcon1"
	printf '(M) frame buffer device\n' >"$TREE/sys/class/vtconsole/vtcon1/name"
	printf '1\n' >"$TREE/sys/class/vtconsole/vtcon1/bind"
	decide_hotplug $GPU
	decided leave console
	# Whether it is bound is under console_lock, which may be held for ever: not asked.
	printf '0\n' >"$TREE/sys/class/vtconsole/vtcon1/bind"
	decide_hotplug $GPU
	decided leave console
	printf '(S) VGA+\n' >"$TREE/sys/class/vtconsole/vtcon1/name"
	decide_hotplug $GPU
	decided bind idle
}

@test "an enabled display is a console, a dark one is not" {
	vga --driver nouveau
	drm_node $GPU card0 226:0
	connector $GPU card0 DP-1 disabled
	decide_hotplug $GPU
	decided bind idle
	connector $GPU card0 HDMI-A-1 enabled
	decide_hotplug $GPU
	decided leave console
	[[ $(prop NVFIO_MESSAGE) == *card0-HDMI-A-1* ]] || explain "the connector is not named"
}

# --- companions -----------------------------------------------------------------------------------------------------

@test "all functions of a driverless card are taken" {
	local bdf
	add_card 0000:01:00 --usb-c
	for bdf in $GPU $SND $USB 0000:01:00.3; do
		decide_hotplug "$bdf"
		decided bind no-driver
	done
}

@test "companions are left where function 0 is left" {
	add_card 0000:01:00
	set_config <<<"[device $GPU]"$'\ngpu = native'
	decide_hotplug $SND
	decided leave function0
	[[ $(prop NVFIO_MESSAGE) == *$GPU* ]] || explain "function 0 is not named"
	decide_hotplug $USB
	decided leave function0
}

@test "companions are deferred where function 0 is deferred, though they are idle themselves" {
	add_card 0000:01:00 --native
	nvidia_node $GPU 0
	hold /dev/nvidia0 812
	decide_hotplug $SND
	decided defer function0
}

@test "companions are refused where function 0 is refused" {
	add_card 0000:01:00
	rm "$(device_dir $GPU)/iommu_group"
	decide_hotplug $SND
	decided refuse function0
}

@test "companions follow while function 0 is in flight" {
	add_card 0000:01:00
	lock_function $GPU
	decide_hotplug $SND
	decided bind no-driver
}

@test "companions are left while boot VGA is function 0" {
	add_function $GPU 10de:1b80 030000 --group 1 --boot-vga
	add_function $SND 10de:10f0 040300 --group 1
	decide_hotplug $SND
	decided leave function0
}

@test "companions can be configured native on their own" {
	add_card 0000:01:00
	set_config <<<$'[policy]\ncompanion = native'
	decide_hotplug $GPU
	decided bind no-driver
	decide_hotplug $SND
	decided leave configured
}

@test "a follow-up takes an idle companion of a function 0 on VFIO" {
	add_card 0000:01:00 --native
	decide_follow_up $SND
	decided leave function0
	rm "$(device_dir $GPU)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$GPU"
	put_on_vfio $GPU
	decide_follow_up $SND
	decided bind idle
	decide_reapply $SND
	decided defer takeover
}

@test "a follow-up takes no companion in use" {
	add_card 0000:01:00 --native
	rm "$(device_dir $GPU)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$GPU"
	put_on_vfio $GPU
	sound_node $SND card1 pcmC1D3p 116:7
	hold /dev/snd/pcmC1D3p 900 pipewire
	decide_follow_up $SND
	decided defer held
	usb_device $USB
	decide_follow_up $USB
	decided defer held
}

# --- SR-IOV and vGPU ------------------------------------------------------------------------------------------------

@test "a PF with VFs is left, always" {
	gpu --sriov 16
	add_function 0000:01:00.4 10de:2331 030200 --group 4 --vf-of $GPU
	local kind
	for kind in hotplug coldplug reapply release; do
		decide_$kind $GPU
		decided leave pf-has-vfs
	done
	decide_hotplug --admin vfio $GPU
	decided leave pf-has-vfs
}

@test "a GPU that could have VFs is taken like any other" {
	gpu --sriov 16
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a VF is taken" {
	gpu --sriov 16 --driver nvidia
	add_function 0000:01:00.4 10de:2331 030200 --group 4 --vf-of $GPU
	decide_hotplug 0000:01:00.4
	decided bind no-driver
}

@test "a VF whose PF is not known yet waits" {
	gpu --sriov 16 --driver nvidia
	add_function 0000:01:00.4 10de:2331 030200 --group 4 --vf-of $GPU --no-physfn
	decide_hotplug 0000:01:00.4
	decided defer no-physfn
	link_vf 0000:01:00.4 $GPU
	nvfio_decide change --state deferred --reason no-physfn 0000:01:00.4
	decided bind no-driver
	bind_natively 0000:01:00.4 nvidia
	nvfio_decide change --state deferred --reason no-physfn 0000:01:00.4
	decided bind idle
	nvfio_decide change --state deferred --reason held 0000:01:00.4
	decided defer takeover
}

@test "a PF's section speaks for its VFs" {
	gpu --sriov 16 --driver nvidia
	add_function 0000:01:00.4 10de:2331 030200 --group 4 --vf-of $GPU
	set_config <<<"[device $GPU]"$'\nvf = native'
	decide_hotplug 0000:01:00.4
	decided leave configured
}

vgpu_sign() {
	case $1 in
	module-loaded) mkdir "$TREE/sys/module/nvidia_vgpu_vfio" ;;
	module-on-disk)
		fake_ko "$TREE/lib/modules/$(uname -r)/kernel/nvidia-vgpu-vfio.ko"
		depmod -b "$TREE"
		;;
	sriov-manage) mkdir -p "$TREE/usr/lib/nvidia" && : >"$TREE/usr/lib/nvidia/sriov-manage" ;;
	pf-stub)
		add_driver pci-pf-stub pci_pf_stub
		rm "$(device_dir $GPU)/driver"
		bind_natively $GPU pci-pf-stub
		;;
	mdev-of-pf) mkdir -p "$TREE/sys/class/mdev_bus/$GPU" ;;
	mdev-of-vf) mkdir -p "$TREE/sys/class/mdev_bus/0000:01:00.4" ;;
	nvidia-dir) mkdir "$(device_dir 0000:01:00.4)/nvidia" ;;
	unbind-lock) nvidia_node $GPU 0 && unbind_lock $GPU ;;
	esac
}

@test "each sign of a vGPU host leaves VFs, and vf = vfio takes them all the same" {
	local sign
	for sign in module-loaded module-on-disk sriov-manage pf-stub mdev-of-pf mdev-of-vf nvidia-dir unbind-lock; do
		rm -rf "$TREE" && new_tree
		gpu --sriov 16 --driver nvidia
		add_function 0000:01:00.4 10de:2331 030200 --group 4 --vf-of $GPU
		vgpu_sign $sign
		decide_hotplug 0000:01:00.4
		assert_verdict leave vgpu-host || explain "sign was $sign"
		set_config <<<$'[policy]\nvf = vfio'
		decide_hotplug 0000:01:00.4
		assert_verdict bind no-driver || explain "sign was $sign"
	done
}

@test "an SR-IOV capable GPU is left on a vGPU host" {
	gpu --sriov 16
	vgpu_sign sriov-manage
	decide_hotplug $GPU
	decided leave vgpu-host
}

@test "a GPU without SR-IOV is taken on a vGPU host" {
	gpu
	vgpu_sign sriov-manage
	decide_hotplug $GPU
	decided bind no-driver
}

@test "NVSwitches are left, unless configured" {
	add_function 0000:05:00.0 10de:22a3 068000 --group 5
	decide_hotplug 0000:05:00.0
	decided leave configured
	set_config <<<$'[policy]\nnvswitch = vfio'
	decide_hotplug 0000:05:00.0
	decided bind no-driver
}

# --- whether it could work ------------------------------------------------------------------------------------------

@test "without IOMMU group it is refused" {
	add_function $GPU 10de:2331 030200
	no_iommu
	decide_hotplug $GPU
	decided refuse no-iommu
}

@test "a group that VFIO's unsafe mode made up is none" {
	gpu
	printf 'vfio-noiommu\n' >"$TREE/sys/kernel/iommu_groups/1/name"
	decide_hotplug $GPU
	decided refuse no-iommu
}

@test "without VFIO module it is refused" {
	rm -rf "$TREE" && new_tree none
	gpu
	decide_hotplug $GPU
	decided refuse no-module
}

@test "a module that is installed and not loaded is enough to decide" {
	remove_driver vfio-pci
	gpu
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a blacklisted module is refused, wherever it is blacklisted" {
	gpu
	printf 'blacklist vfio-pci\n' >"$TREE/etc/modprobe.d/no.conf"
	decide_hotplug $GPU
	decided refuse blacklisted
	rm "$TREE/etc/modprobe.d/no.conf"
	kernel_command_line quiet modprobe.blacklist=nouveau,vfio_pci
	decide_hotplug $GPU
	decided refuse blacklisted
	kernel_command_line quiet module_blacklist=vfio-pci
	decide_hotplug $GPU
	decided refuse blacklisted
	kernel_command_line quiet
	decide_hotplug $GPU
	decided bind no-driver
}

@test "a variant driver is chosen for the device it names, and for no other" {
	rm -rf "$TREE" && new_tree variant
	add_driver nvfio-test-variant nvfio_test_variant
	add_function $GPU 10de:2342 030200 --group 1
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	decide_hotplug $GPU
	decided bind no-driver
	[[ $(prop NVFIO_DRIVER) == nvfio-test-variant ]] || explain "not the variant"
	decide_hotplug 0000:02:00.0
	[[ $(prop NVFIO_DRIVER) == vfio-pci ]] || explain "not the generic driver"
}

@test "a blacklisted variant leaves the generic driver" {
	rm -rf "$TREE" && new_tree variant
	printf 'blacklist nvfio-test-variant\n' >"$TREE/etc/modprobe.d/no.conf"
	add_function $GPU 10de:2342 030200 --group 1
	decide_hotplug $GPU
	decided bind no-driver
	[[ $(prop NVFIO_DRIVER) == vfio-pci ]] || explain "not the generic driver"
}

@test "a pinned driver is taken at its name" {
	rm -rf "$TREE" && new_tree variant
	add_function $GPU 10de:2342 030200 --group 1
	add_driver nvfio-test-variant nvfio_test_variant
	set_config <<<$'[policy]\ndriver = vfio-pci'
	decide_hotplug $GPU
	decided bind no-driver
	[[ $(prop NVFIO_DRIVER) == vfio-pci ]] || explain "not the pinned driver"
	set_config <<<$'[policy]\ndriver = no-such-driver'
	decide_hotplug $GPU
	decided refuse no-module
}

# --- the event ------------------------------------------------------------------------------------------------------

@test "boot takes nothing by default, and says what would" {
	gpu
	decide_coldplug $GPU
	decided leave boot
	[[ $(prop NVFIO_MESSAGE) == *"boot = vfio"* ]] || explain "no way is named"
}

@test "boot = vfio takes what no driver has" {
	gpu
	add_function 0000:02:00.0 10de:2331 030200 --group 2 --driver nvidia
	set_config <<<$'[policy]\nboot = vfio'
	decide_coldplug $GPU
	decided bind no-driver
	decide_coldplug 0000:02:00.0
	decided defer takeover
}

@test "boot can be for one card" {
	gpu
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	set_config <<<"[device $GPU]"$'\nboot = vfio'
	decide_coldplug $GPU
	decided bind no-driver
	decide_coldplug 0000:02:00.0
	decided leave boot
}

@test "a replayed add is no boot for what hotplug deferred" {
	gpu
	decide_coldplug --state deferred $GPU
	decided bind no-driver
}

@test "an idle native driver is taken from at hotplug" {
	gpu --driver nvidia
	nvidia_node $GPU 0
	decide_hotplug $GPU
	decided bind idle
}

@test "a GPU somebody has open is deferred, and pid and name are told" {
	gpu --driver nvidia
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 sleep
	decide_hotplug $GPU
	decided defer held
	[[ $(prop NVFIO_MESSAGE) == *812*sleep* ]] || explain "the holder is not named"
}

@test "another GPU's node is no use of this one" {
	gpu --driver nvidia
	nvidia_node $GPU 0
	add_function 0000:02:00.0 10de:2331 030200 --group 2 --driver nvidia
	nvidia_node 0000:02:00.0 1
	hold /dev/nvidia1 812
	decide_hotplug $GPU
	decided bind idle
}

@test "nvidiactl, modeset and uvm may be use of any nvidia GPU" {
	local node
	gpu --driver nvidia
	nvidia_node $GPU 0
	for node in nvidiactl nvidia-modeset nvidia-uvm; do
		hold /dev/$node 812
		decide_hotplug $GPU
		assert_verdict defer held || explain "node was $node"
		rm -r "$TREE/proc/812"
	done
	decide_hotplug $GPU
	decided bind idle
}

@test "an nvidia GPU whose minor cannot be found out is in doubt, and deferred if any nvidia node is open" {
	gpu --driver nvidia
	add_node /dev/nvidia5 195 5
	hold /dev/nvidia5 812
	decide_hotplug $GPU
	decided defer held
}

@test "an open DRM or i2c node of a GPU is use" {
	gpu --driver nouveau
	drm_node $GPU card0 226:0
	drm_node $GPU renderD128 226:128
	hold /dev/dri/renderD128 700 vlc
	decide_hotplug $GPU
	decided defer held
	rm -r "$TREE/proc/700"
	decide_hotplug $GPU
	decided bind idle
	mkdir -p "$(device_dir $GPU)/i2c-4/i2c-dev/i2c-4"
	printf '89:4\n' >"$(device_dir $GPU)/i2c-4/i2c-dev/i2c-4/dev"
	add_node /dev/i2c-4 89 4
	hold /dev/i2c-4 701 ddcutil
	decide_hotplug $GPU
	decided defer held
}

@test "takeover says what becomes of a bound GPU at a re-apply" {
	gpu --driver nvidia
	nvidia_node $GPU 0
	decide_reapply $GPU
	decided defer takeover
	set_config <<<$'[policy]\ntakeover = idle'
	decide_reapply $GPU
	decided bind idle
	hold /dev/nvidia0 812
	decide_reapply $GPU
	decided defer held
	set_config <<<$'[policy]\ntakeover = never'
	decide_reapply $GPU
	decided leave takeover-never
}

@test "a driverless GPU is taken at a re-apply" {
	gpu
	decide_reapply $GPU
	decided bind no-driver
}

@test "what its native driver has released is judged again" {
	gpu
	decide_release $GPU
	decided bind no-driver
}

# --- how it is found out --------------------------------------------------------------------------------------------

@test "nothing that takes the device lock of a bound function is read" {
	add_card 0000:01:00 --native
	rm "$(device_dir $GPU)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$GPU"
	bind_natively $GPU nvidia
	printf '16\n' >"$(device_dir $GPU)/sriov_totalvfs"
	printf '0\n' >"$(device_dir $GPU)/sriov_numvfs"
	local bdf
	for bdf in $GPU $SND; do
		FAKE_COUNT=1 decide_hotplug "$bdf"
		assert_verdict bind idle
		run ! grep -E '(driver_override|sriov_numvfs|/uevent|/config)$' "$TREE/.fake_ops"
	done
}

# From 6.12 on no attribute waits for the device lock, so that it cannot be seen to be held.
@test "a driver that is in its remove() acts on the function, though its link is gone" {
	gpu --driver nvidia
	in_remove $GPU nvidia
	decide_reapply $GPU
	decided leave in-flight
}

@test "a driver whose link comes a moment later does not" {
	gpu
	in_remove $GPU nvidia
	FAKE_HOOK="socket:- sh ln -s ../../../bus/pci/drivers/nvidia $(device_dir $GPU)/driver" decide_reapply $GPU
	assert_verdict bind no-driver
}

@test "nothing is opened for writing" {
	gpu
	FAKE_COUNT=1 decide_hotplug $GPU
	run ! grep -E ' (write|rename|mkdir|unlink) ' "$TREE/.fake_ops"
	[[ ! -e $TREE/run/nvfio ]] || explain "deciding made /run/nvfio"
}
