#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio explain` and `nvfio config`: how a verdict came about, what would be written, and which file said so. Both read
# only.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1

setup() {
	new_tree
}

teardown() {
	end_all
}

assert_quiet() {
	assert_status 0
	[[ -z $log ]] || explain "something was said on standard error"
	assert_untouched
}

# assert_error STATUS TEXT
assert_error() {
	assert_status "$1"
	assert_log "$2"
	assert_untouched
}

# --- golden outputs -------------------------------------------------------------------------------------------------

@test "a GPU in use in a group with a stranger" {
	add_card 0000:01:00 --native
	add_function 0000:03:00.0 8086:10fb 020000 --driver xhci_hcd --group 1
	add_bridge 0000:00:01.0 --group 1
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 sleep
	set_config <<-END
		[policy]
		takeover = idle
		[device 10de:2331]
		gpu = vfio
	END
	udev_says $GPU deferred held 'deferred: it is in use (/dev/nvidia0 open in pid 811 (python3))' 'GH100 [H100 PCIe]'
	nvfio explain $GPU
	assert_quiet
	assert_output <<-'END'
		0000:01:00.0 GH100 [H100 PCIe]
		  role: gpu
		  driver: nvidia
		  state: deferred (held)
		  last event: deferred: it is in use (/dev/nvidia0 open in pid 811 (python3))
		  verdict, if a trigger event came now: defer (held)
		    deferred: it is in use; it lands when its native driver lets go (/dev/nvidia0 open in pid 812 (sleep))
		  configured
		    gpu = vfio               section of its model, /etc/nvfio.conf:4
		    boot-vga = native        default
		    takeover = idle          [policy], /etc/nvfio.conf:2
		    driver = auto            default
		  asked, in this order; the first that objects decides
		    wish       gpu = vfio
		    owner      lock: free, record: none, driver: nvidia, driver_override: not read while a driver is bound
		    kind       10de:2331 class 0302, role: gpu
		    sibling    no sibling of a GPU
		    console    boot-vga = native, boot VGA: no, console or display: none
		    sriov      no SR-IOV
		    companion  no companion of a GPU
		    ability    IOMMU group: 1, module vfio_pci with driver vfio-pci
		    critical   a GPU, or a part of one
		    event      driver: nvidia, deferred before, takeover = idle, users: /dev/nvidia0 open in pid 812 (sleep)
		               => defer (held)
		  group 1: not viable because of 0000:03:00.0 (xhci_hcd)
		    0000:00:01.0  pcieport       leaves DMA alone, not NVIDIA's
		    0000:01:00.0  nvidia         does its own DMA (this one)
		    0000:01:00.1  snd_hda_intel  does its own DMA
		    0000:01:00.2  xhci_hcd       does its own DMA
		    0000:03:00.0  xhci_hcd       does its own DMA, not NVIDIA's
		  users: /dev/nvidia0 open in pid 812 (sleep)
		  if it were taken, this would be written, in this order
		    driver and driver_override as they are, for the way back > /run/nvfio/0000:01:00.0
		    vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override
		    0000:01:00.0 > /sys/bus/pci/drivers/nvidia/unbind
		    0000:01:00.0 > /sys/bus/pci/drivers/vfio-pci/bind
		    change UUID NVFIO=1 > uevent of its companions that are not on VFIO
	END
}

@test "a companion that is left, and the line that says so" {
	add_card 0000:01:00
	set_config <<-END
		[device $SND]
		companion = native
	END
	nvfio explain --event=hotplug $SND
	assert_quiet
	assert_output <<-'END'
		0000:01:00.1
		  role: companion
		  driver: none
		  state: left (configured)
		  verdict, if a hotplug event came now: leave (configured)
		    left: configured native (/etc/nvfio.conf:2)
		  configured
		    companion = native       section of its address, /etc/nvfio.conf:2
		    driver = auto            default
		  asked, in this order; the first that objects decides
		    wish       companion = native
		               => leave (configured)
		  group 1: viable once this card is on VFIO
		    0000:01:00.0  no driver      nobody's
		    0000:01:00.1  no driver      nobody's (this one)
		    0000:01:00.2  no driver      nobody's
		  users: none
		  if it were taken, this would be written, in this order
		    driver and driver_override as they are, for the way back > /run/nvfio/0000:01:00.1
		    vfio-pci > /sys/bus/pci/devices/0000:01:00.1/driver_override
		    0000:01:00.1 > /sys/bus/pci/drivers/vfio-pci/bind
	END
}

@test "JSON" {
	add_function $GPU 10de:2331 030200
	nvfio explain --json 01:00.0
	assert_quiet
	[[ $(tr , '\n' <<<"$output") == "$(cat <<-'END'
		{"functions":[{"bdf":"0000:01:00.0"
		"name":null
		"role":"gpu"
		"driver":null
		"state":"unseen"
		"reason":"no-iommu"
		"last_event":null
		"note":null
		"event":"trigger"
		"verdict":"refuse"
		"verdict_reason":"no-iommu"
		"verdict_text":"refused: it has no IOMMU group; enable the IOMMU (intel_iommu=on
		 firmware)"
		"settings":[{"key":"gpu"
		"value":"vfio"
		"from":"default"
		"file":null}
		{"key":"boot-vga"
		"value":"native"
		"from":"default"
		"file":null}
		{"key":"takeover"
		"value":"hotplug"
		"from":"default"
		"file":null}
		{"key":"driver"
		"value":"auto"
		"from":"default"
		"file":null}]
		"rows":[{"row":"wish"
		"facts":"gpu = vfio"
		"verdict":null
		"reason":null}
		{"row":"owner"
		"facts":"lock: free
		 record: none
		 driver: none
		 driver_override: unset"
		"verdict":null
		"reason":null}
		{"row":"kind"
		"facts":"10de:2331 class 0302
		 role: gpu"
		"verdict":null
		"reason":null}
		{"row":"sibling"
		"facts":"no sibling of a GPU"
		"verdict":null
		"reason":null}
		{"row":"console"
		"facts":"boot-vga = native
		 boot VGA: no
		 console or display: none"
		"verdict":null
		"reason":null}
		{"row":"sriov"
		"facts":"no SR-IOV"
		"verdict":null
		"reason":null}
		{"row":"companion"
		"facts":"no companion of a GPU"
		"verdict":null
		"reason":null}
		{"row":"ability"
		"facts":"IOMMU group: none
		 IOMMU: there
		 module vfio_pci with driver vfio-pci"
		"verdict":"refuse"
		"reason":"no-iommu"}]
		"group":{"number":null
		"viable":false
		"members":[]}
		"users":{"found":0
		"doubt":false
		"text":null}
		"load":null
		"writes":[{"path":"/run/nvfio/0000:01:00.0"
		"value":"driver and driver_override as they are
		 for the way back"}
		{"path":"/sys/bus/pci/devices/0000:01:00.0/driver_override"
		"value":"vfio-pci"}
		{"path":"/sys/bus/pci/drivers/vfio-pci/bind"
		"value":"0000:01:00.0"}
		{"path":"uevent of its companions that are not on VFIO"
		"value":"change UUID NVFIO=1"}]}]}
	END
	)" ]] || explain "this is other JSON"
}

# --- the same as what happens ---------------------------------------------------------------------------------------

# What explain says will be written is what nvfio-udev then writes.
@test "what it says would be written is written" {
	local said
	add_card 0000:01:00 --native
	nvfio explain --event hotplug $GPU
	assert_quiet
	assert_says 'taking it writes, in this order'
	said=$(sed -n 's,^    \([^ ]*\) > /sys/bus/pci/\(devices\|drivers\)/,\2 \1 ,p' <<<"$output" |
		sed -E 's,^(devices|drivers) ([^ ]*) (.*),\3 \2,')
	hotplug $GPU
	assert_state bound
	[[ $(writes | tr '\t' ' ' | grep -v '/uevent ') == "$said" ]] || explain "it had said:" "$said"
	# shellcheck disable=SC2012
	grep -q '/uevent' <<<"$(writes)" || explain "no follow-up"
	# Of the companion, and where node access is configured that of the group's node.
	set_config <<<$'[policy]\nnode-mode = 0660'
	nvfio explain --event hotplug 0000:01:00.1
	assert_status 0
	assert_says 'change UUID NVFIO=1 > uevent of the VFIO nodes of its IOMMU group'
}

# A GPU on VFIO, a drive in its group that the host lives on and udev has met, and one that nobody names.
named_drive() {
	add_driver nvme nvme
	add_function 0000:08:00.0 10de:2331 030200 --group 8
	put_on_vfio 0000:08:00.0
	add_function 0000:09:00.0 144d:a808 010802 --driver nvme --group 8
	add_function 0000:0a:00.0 144d:a808 010802 --driver nvme --group 8
	disk_of 0000:09:00.0 nvme0n1 259:0
	mount_disk nvme0n1 259:0 /srv
	udev_says 0000:09:00.0 deferred held
	forget_writes
}

@test "a named drive: which GPU names it, and what it carries" {
	named_drive
	set_config <<-END
		[device 0000:08:00.0]
		siblings = 0000:09:00.0
	END
	nvfio explain 0000:09:00.0
	assert_status 0
	assert_says 'refuse (critical)'
	assert_says 'the host needs what is on it; free it and replay its event to take it (file system /srv on /dev/nvme0n1)'
	assert_says '    sibling    siblings of 0000:08:00.0 names it, which is on VFIO, met before'
	assert_says '    critical   what the host needs on it: file system /srv on /dev/nvme0n1'
	nvfio explain 0000:08:00.0
	assert_says '    siblings = 0000:09:00.0  section of its address, /etc/nvfio.conf:2'
	assert_says "  group 8: not viable because of 0000:0a:00.0 (nvme)"
	assert_says "    0000:09:00.0  nvme           does its own DMA, not NVIDIA's, named by siblings"
	nvfio explain 0000:0a:00.0
	assert_says '    sibling    no siblings of its group names it'
	assert_says 'leave (not-nvidia)'
	[[ -z $(writes) ]] || explain "something was written"
}

@test "nvfio=off is seen, and decides" {
	add_function $GPU 10de:2331 030200 --group 1
	echo 'quiet nvfio=off' >"$TREE/proc/cmdline"
	nvfio explain $GPU
	assert_quiet
	assert_says '    wish       gpu = vfio, nvfio=off'
	assert_says 'leave (off)'
	nvfio list -rno state,reason
	[[ $output == 'left off' ]] || explain "the list does not know"
}

@test "each row can be the one that decides, and is the last shown" {
	local row last
	add_function $GPU 10de:2331 030000 --driver nvidia --group 1 --sriov 4
	add_function 0000:02:00.0 10de:1234 020000 --group 2
	add_function 0000:03:00.0 10de:2331 030000
	add_function 0000:04:00.0 10de:2331 030000 --group 4 --driver nvidia
	add_function 0000:04:00.1 10de:22bc 040300 --group 4
	add_function 0000:05:00.0 10de:2331 030000 --group 5 --boot-vga
	add_function 0000:06:00.0 10de:2331 030000 --group 6 --driver nvidia --sriov 4
	add_function 0000:06:00.4 10de:2331 030000 --group 7 --vf-of 0000:06:00.0
	make_record 0000:06:00.4 released
	named_drive
	set_config <<-END
		[device 0000:08:00.0]
		siblings = 0000:09:00.0
		[device $GPU]
		gpu = native
	END
	for row in "$GPU wish configured" '0000:06:00.4 owner released' '0000:02:00.0 kind not-gpu' \
		'0000:0a:00.0 sibling not-nvidia' '0000:09:00.0 critical critical' '0000:05:00.0 console boot-vga' '0000:06:00.0 sriov pf-has-vfs' '0000:04:00.1 companion function0' \
		'0000:03:00.0 ability no-iommu' '0000:04:00.0 event takeover'; do
		nvfio explain "${row%% *}"
		assert_status 0
		last=$(grep -B 1 '^ *=> ' <<<"$output" | tr -s '\n ' ' ')
		[[ $last == " $(cut -d ' ' -f 2 <<<"$row") "*" => "*" (${row##* }) " ]] || explain "another row decided: $row"
	done
}

@test "the verdict is that of nvfio-udev for every kind of event" {
	local event said
	add_function $GPU 10de:2331 030200 --driver nvidia --group 1
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	for bdf in $GPU 0000:02:00.0; do
		for event in hotplug:add: trigger:change:0 boot:add:0; do
			nvfio explain --event "${event%%:*}" "$bdf"
			said=$(sed -n 's/^  verdict, if a .*: \([a-z]*\) (\(.*\))$/\1 \2/p' <<<"$output")
			nvfio_decide "$(cut -d : -f 2 <<<"$event")" --synth "${event##*:}" "$bdf"
			[[ $said == "$(prop NVFIO_VERDICT) $(prop NVFIO_REASON)" ]] || explain "explain says: $said"
		done
	done
}

@test "release: as if the native driver had let go, and that it starts nothing unless it is waited for" {
	add_function $GPU 10de:2331 030200 --driver nvidia --group 1
	nvfio explain --event release $GPU
	assert_quiet
	assert_says 'if a release event came now: bind (no-driver)'
	assert_says 'starts nothing, as it is neither deferred nor claimed'
	udev_says $GPU deferred held
	nvfio explain --event release $GPU
	[[ $output != *'starts nothing'* ]] || explain "it would start"
	assert_driver $GPU nvidia
}

# --- reading --------------------------------------------------------------------------------------------------------

@test "nothing is read that may wait for a driver" {
	local op
	add_card 0000:01:00 --native
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	add_function 0000:02:00.4 10de:2235 030200 --vf-of 0000:02:00.0 --group 14 --driver nvidia
	FAKE_BLOCK=uevent,driver_override,sriov_numvfs FAKE_COUNT=1 nvfio explain $GPU $SND 0000:02:00.0 0000:02:00.4
	assert_quiet
	[[ ! -e $TREE/.fake_blocked ]] || explain "it waited"
	for op in /uevent /driver_override /sriov_numvfs; do
		! grep -q "$op\$" "$TREE/.fake_ops" || explain "it touched $op"
	done
}

# The link goes before remove() begins: without driver is no proof of a free device lock. A child asks, for half a second.
@test "an override that cannot be read is somebody acting on the function" {
	add_function $GPU 10de:2331 030200 --group 1
	FAKE_BLOCK=driver_override nvfio explain $GPU
	assert_status 0
	assert_says 'its device lock is held'
	assert_says 'leave (in-flight)'
}

@test "a driver that is in its remove() holds the device lock" {
	add_function $GPU 10de:2331 030200 --group 1
	in_remove $GPU nvidia
	nvfio explain $GPU
	assert_status 0
	assert_says 'its device lock is held'
	assert_says 'leave (in-flight)'
}

@test "neither a process name nor udev's database can write to the terminal" {
	add_function $GPU 10de:2331 030200 --driver nvidia --group 1
	nvidia_node $GPU 0
	hold /dev/nvidia0 812 $'a\e[31mb'
	udev_says $GPU left configured $'a\e[31mb' $'c\e[31md'
	nvfio explain $GPU
	assert_quiet
	[[ $output != *$'\e'* ]] || explain "an escape sequence came through"
	nvfio explain --json $GPU
	[[ $output != *$'\e'* ]] || explain "an escape sequence came through"
}

@test "an address section for another card says that it does not count" {
	add_function $GPU 10de:2331 030200 --group 1
	set_config <<-END
		[device $GPU]
		id = 10de:2204
		gpu = native
	END
	nvfio explain $GPU
	assert_quiet
	assert_says "but: the section at /etc/nvfio.conf:2 does not count, its id is another device's"
}

# --- bad input ------------------------------------------------------------------------------------------------------

@test "addresses that are none: the part that is wrong is named, and nothing is looked at" {
	local line
	add_function $GPU 10de:2331 030200 --group 1
	while read -r line; do
		nvfio explain $GPU "${line%%|*}"
		assert_error 2 "${line%%|*}: not the address of a PCI function: ${line#*|}"
		[[ -z $output ]] || explain "something was looked at"
		nvfio explain --json "${line%%|*}"
		assert_status 2
		[[ $log == '{"error":{"code":"bad-address","about":"'*'}}' ]] || explain "this is no JSON"
	done <<-'END'
		gpu0|expected domain:bus:device.function
		0000-01-00.0|expected domain:bus:device.function
		00:01:00.0|domain '00' is not 4 to 8 hex digits
		000g:01:00.0|domain '000g'
		000000000:01:00.0|domain '000000000'
		0000:1:00.0|bus '1' is not 2 hex digits
		0000:0x:00.0|bus '0x'
		0000:01:20.0|device '20' is not 00 to 1f
		0000:01:0.0|device '0'
		0000:01:00|no function behind device '00'
		0000:01:00.8|function '8' is not 0 to 7
		0000:01:00.|function '' is not
		0000:01:00.00|function '00'
		01:00.9|function '9'
		1:2|bus '1'
	END
	nvfio explain "$(printf '%0100d' 0):00.0"
	assert_status 2
}

@test "an unknown function, and those that are there all the same" {
	add_function $GPU 10de:2331 030200 --group 1
	nvfio explain 0000:09:00.0 $GPU
	assert_error 3 '0000:09:00.0: no such PCI function, or it went away'
	assert_says $GPU
	nvfio explain --json 0000:09:00.0
	assert_status 3
	[[ $output == '{"functions":[]}' ]] || explain "these are functions"
	[[ $log == '{"error":{"code":"no-such-function","about":"0000:09:00.0",'*'}}' ]] || explain "this is no JSON"
}

@test "a function that vanishes while it is looked at" {
	add_function $GPU 10de:2331 030200 --group 1
	FAKE_HOOK="open:$GPU/modalias remove $GPU" nvfio explain $GPU
	assert_status 3
	assert_log 'no such PCI function, or it went away'
}

@test "no address, an unknown event" {
	nvfio explain
	assert_error 2 'its address is missing'
	nvfio explain --event=weather $GPU
	assert_error 2 'weather: no such event: hotplug, trigger, boot or release'
}

# --- config ---------------------------------------------------------------------------------------------------------

@test "config: what holds, each key with file and line, in a form that can be read again" {
	mkdir "$TREE/etc/nvfio.conf.d"
	set_config <<-END
		[policy]
		takeover = idle
		timeout = 2500ms
		[device $GPU]
		id = 10de:2331
		gpu = native
	END
	printf '[device 10de:2235:10de:145a]\nvf = vfio\n[policy]\ntakeover = never\n' >"$TREE/etc/nvfio.conf.d/10-vf.conf"
	nvfio config
	assert_quiet
	assert_output <<-'END'
		[policy]
		gpu = vfio                               ; default
		companion = vfio                         ; default
		vf = auto                                ; default
		nvswitch = native                        ; default
		boot-vga = native                        ; default
		takeover = never                         ; /etc/nvfio.conf.d/10-vf.conf:4
		siblings = card                          ; default
		driver = auto                            ; default
		boot = native                            ; default
		vf-autoprobe = auto                      ; default
		timeout = 2500ms                         ; /etc/nvfio.conf:3
		node-group =                             ; default
		node-mode =                              ; default

		[device 0000:01:00.0]                    ; /etc/nvfio.conf:4
		id = 10de:2331                           ; /etc/nvfio.conf:5
		gpu = native                             ; /etc/nvfio.conf:6

		[device 10de:2235:10de:145a]             ; /etc/nvfio.conf.d/10-vf.conf:1
		vf = vfio                                ; /etc/nvfio.conf.d/10-vf.conf:2
	END
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/again.conf"
	nvfio config --check "$BATS_TEST_TMPDIR/again.conf"
	assert_quiet
	nvfio config --json
	assert_quiet
	assert_says '{"key":"takeover","value":"never","file":"/etc/nvfio.conf.d/10-vf.conf","line":4}'
	assert_says '{"section":"device 0000:01:00.0","file":"/etc/nvfio.conf","line":4,"id":"10de:2331","keys":[{"key":"gpu","value":"native","file":"/etc/nvfio.conf","line":6}]}'
}

@test "config: what does not parse, with file and line" {
	set_config <<<'[policy'
	nvfio config
	assert_error 4 '/etc/nvfio.conf:1: '
	[[ -z $output ]] || explain "half a configuration is shown"
}

@test "config --check: a file before it takes its place" {
	local file=$BATS_TEST_TMPDIR/my.conf
	printf '[policy]\ngpu = perhaps\n' >"$file"
	nvfio config --check="$file"
	assert_error 4 "$file:2: gpu = perhaps: expected vfio or native"
	printf '[policy]\ngpu = native\n' >"$file"
	nvfio config --check="$file"
	assert_quiet
	nvfio config --check="$file.not"
	assert_error 1 'No such file'
	nvfio config --check="$BATS_TEST_TMPDIR"
	assert_error 1 'Is a directory'
	head -c 1100000 /dev/zero >"$file"
	nvfio config --json --check="$file"
	assert_status 1
	[[ $log == '{"error":{'*'larger than 1 MiB"}}' ]] || explain "this is no JSON"
}
