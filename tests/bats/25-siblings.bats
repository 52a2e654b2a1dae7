#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Members of a GPU's IOMMU group that are not its card's: who is told when function 0 lands, and what becomes of those
# that are named.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
NVME=0000:05:00.0
NIC=0000:06:00.0

setup() {
	new_tree
	add_driver nvme nvme
	add_driver e1000e e1000e
	add_driver ioatdma ioatdma
	add_driver amdgpu amdgpu
	add_function $GPU 10de:2331 030200 --group 1
	add_function $NVME 144d:a808 010802 --driver nvme --group 1
	add_function $NIC 8086:10d3 020000 --driver e1000e --group 1
	disk_of $NVME nvme0n1 259:0
	interface_of $NIC lan1 down
	siblings "$NVME, $NIC"
}

teardown() {
	end_all
}

# siblings VALUE: what the GPU's section says.
siblings() {
	set_config <<-END
		[device $GPU]
		siblings = $1
	END
}

# told: who was sent a follow-up event, in order of address.
told() {
	uevents | sort | cut -d ' ' -f 1 | tr '\n' ' '
}

# landed: function 0 is on VFIO already.
landed() {
	put_on_vfio $GPU
}

@test "function 0 that lands tells the members it names, and no other" {
	add_function 0000:07:00.0 8086:10d3 020000 --driver e1000e --group 1
	add_function 0000:08:00.0 144d:a808 010802 --driver nvme --group 2
	siblings "$NVME, $NIC, 0000:08:00.0"
	hotplug $GPU
	assert_state bound
	[[ $(told) == "$NVME $NIC " ]] || explain "told were: $(told)"
	[[ $(uevents) == *"change "*" NVFIO=1"* ]] || explain "no follow-up"
	# Those on their way are not in the way.
	assert_log "IOMMU group 1 is not viable because of 0000:07:00.0 (e1000e) [state"
}

@test "with card and group nobody else is told, and the record names what is in the way" {
	local value
	for value in card group; do
		siblings $value
		save_tree
		hotplug $GPU
		assert_state bound
		[[ -z $(uevents) ]] || explain "an event was sent"
		assert_log "IOMMU group 1 is not viable because of"
		assert_log "$NVME (nvme)"
		assert_log "$NIC (e1000e)"
		restore_tree
		follow_up $NVME
		assert_state left not-nvidia
		assert_untouched
	done
}

@test "a bridge is told nothing and not taken, though it is named" {
	add_bridge 0000:00:01.0 --group 1
	siblings 0000:00:01.0
	hotplug $GPU
	[[ -z $(uevents) ]] || explain "an event was sent"
	forget_writes
	follow_up 0000:00:01.0
	assert_state left not-nvidia
	[[ -z $(writes) ]] || explain "something was written"
}

@test "an idle drive and an idle interface are taken by their follow-up, and send none" {
	landed
	follow_up $NVME
	assert_state bound
	assert_on_vfio $NVME
	assert_writes "$NVME/driver_override vfio-pci" "nvme/unbind $NVME" "vfio-pci/bind $NVME"
	[[ $(prop NVFIO_ROLE) == foreign ]]
	[[ $(record_of $NVME driver) == nvme ]]
	follow_up $NIC
	assert_state bound
	assert_on_vfio $NIC
	[[ -z $(uevents) ]] || explain "an event was sent"
}

@test "before the GPU is on VFIO, and for an event of its own, nothing is taken" {
	follow_up $NVME
	assert_state left function0
	[[ $(prop NVFIO_MESSAGE) == *"$GPU names it, and is not on VFIO"* ]]
	landed
	hotplug $NVME
	assert_state left function0
	reapply $NVME
	assert_state left function0
	assert_untouched
	reapply --state deferred $NVME
	assert_state bound
}

@test "a list of a GPU in another group, of a companion, or in the function's own section names nobody" {
	landed
	add_function 0000:01:00.1 10de:22bc 040300 --group 1
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	put_on_vfio 0000:02:00.0
	set_config <<-END
		[device 0000:02:00.0]
		siblings = $NVME
		[device 0000:01:00.1]
		siblings = $NVME
		[device $NVME]
		siblings = $NVME
		gpu = vfio
	END
	follow_up $NVME
	assert_state left not-nvidia
	assert_untouched
}

@test "of two GPUs that name it the one on VFIO counts" {
	add_function 0000:02:00.0 10de:2331 030200 --group 1
	put_on_vfio 0000:02:00.0
	set_config <<-END
		[policy]
		siblings = $NVME
	END
	follow_up $NVME
	assert_state bound
}

@test "a mounted file system is refused by name, unmounted it is taken by a replay" {
	landed
	mount_disk nvme0n1 259:0 /srv
	follow_up $NVME
	assert_state refused critical
	assert_log "file system /srv on /dev/nvme0n1"
	assert_untouched
	printf '21 1 8:1 / / rw - ext4 /dev/sda1 rw\n' >"$TREE/proc/1/mountinfo"
	reapply --state refused $NVME
	assert_state bound
}

# What the host needs does not show before its root file system is mounted: the drive may be the one that it is on.
@test "in an initramfs nothing foreign is taken, whatever it is; after switch-root the replayed add looks again" {
	local sign bdf
	landed
	for sign in /usr/lib/nvfio/in-initramfs /etc/initrd-release; do
		mkdir -p "$TREE${sign%/*}"
		: >"$TREE$sign"
		for bdf in $NVME $NIC; do
			follow_up "$bdf"
			assert_state refused critical
			assert_log "the root file system is not mounted yet"
		done
		assert_untouched
		rm "$TREE$sign"
	done
	coldplug --state refused $NVME
	assert_state bound
	assert_on_vfio $NVME
}

@test "an interface that is up with an address is refused by name" {
	landed
	set_attribute $NIC net/lan1/flags '0x1003\n'
	printf 'fe80 02 40 20 80 lan1\n' >"$TREE/proc/net/if_inet6"
	follow_up $NIC
	assert_state refused critical
	assert_log "network interface lan1, up with an address"
	assert_untouched
}

@test "NVIDIA's own disk controller is as critical, also where its address is named" {
	add_function 0000:03:00.0 10de:0ab8 010601 --driver nvme --group 1
	disk_of 0000:03:00.0 sdb 8:16
	mount_disk sdb 8:16 /home
	landed
	set_config <<-END
		[device $GPU]
		siblings = 0000:03:00.0
		[device 0000:03:00.0]
		gpu = vfio
		takeover = idle
	END
	follow_up 0000:03:00.0
	assert_state refused critical
	assert_untouched
}

@test "a drive somebody has open is deferred, and lands when its native driver lets go" {
	landed
	hold /dev/nvme0n1 812 dd
	follow_up $NVME
	assert_state deferred held
	assert_log "/dev/nvme0n1 open in pid 812 (dd)"
	assert_untouched
	rm "$(device_dir $NVME)/driver" "$TREE/sys/bus/pci/drivers/nvme/$NVME"
	release --state deferred $NVME
	assert_state bound
}

@test "mounted after the judgement: seen before anything is written" {
	landed
	printf '40 21 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n' >"$TREE/mounted"
	FAKE_HOOK="read:$NVME/driver_override sh cp $TREE/mounted $TREE/proc/1/mountinfo" follow_up $NVME
	assert_state refused critical
	assert_log "file system /srv on /dev/nvme0n1"
	assert_driver $NVME nvme
	assert_override $NVME ""
	[[ -z $(records) ]] || explain "there are records: $(records)"
}

@test "configured native by its own section it stays, and gpu = native in [policy] does not speak for it" {
	landed
	set_config <<-END
		[policy]
		gpu = native
		[device $GPU]
		gpu = vfio
		siblings = $NVME, $NIC
		[device $NIC]
		gpu = native
	END
	follow_up $NIC
	assert_state left configured
	follow_up $NVME
	assert_state bound
}

@test "a driver configured for GPUs is not put on a foreign drive" {
	landed
	set_config <<-END
		[policy]
		driver = no-such-driver
		[device $GPU]
		siblings = $NVME
	END
	follow_up $NVME
	assert_state bound
	assert_on_vfio $NVME
}

@test "a kind of function that cannot be judged is refused, driver or not, and no word of its own helps" {
	landed
	add_function 0000:09:00.0 8086:0b00 088000 --driver ioatdma --group 1
	set_config <<-END
		[policy]
		takeover = idle
		[device $GPU]
		siblings = 0000:09:00.0
		[device 0000:09:00.0]
		gpu = vfio
	END
	forget_writes
	follow_up --admin vfio 0000:09:00.0
	assert_state refused critical
	assert_log "it cannot be told whether the host needs them"
	[[ -z $(writes) ]] || explain "something was written"
}

@test "a foreign boot VGA device is left, whatever is said about it" {
	landed
	add_function 0000:0a:00.0 1002:744c 030000 --driver amdgpu --group 1
	set_attribute 0000:0a:00.0 boot_vga '1\n'
	set_config <<-END
		[policy]
		boot-vga = vfio
		[device $GPU]
		siblings = 0000:0a:00.0
		[device 0000:0a:00.0]
		gpu = vfio
	END
	forget_writes
	follow_up --admin vfio 0000:0a:00.0
	assert_state left boot-vga
	[[ -z $(writes) ]] || explain "something was written"
}
