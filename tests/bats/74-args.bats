#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio args`: what a VMM is told of cards on VFIO, on trees of the kinds of machines it is for; who is refused, and why.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

setup() {
	new_tree
}

teardown() {
	end_all
}

# --- machines -------------------------------------------------------------------------------------------------------

# bars BDF [TYPE:MIB]...: the attribute resource: memory in 32 or 64 bits, "rom"; the others are empty, as is what a PF
# has behind its own.
bars() {
	local bdf=$1 word lines=() rom='' none='0x0000000000000000 0x0000000000000000 0x0000000000000000'
	shift
	for word; do
		printf -v size '0x%016x' $((${word#*:} * 1024 * 1024 - 1))
		case $word in
		32:*) lines+=("0x0000000000000000 $size 0x0000000000040200") ;;
		64:*) lines+=("0x0000000000000000 $size 0x000000000014220c" "$none") ;;
		rom:*) rom="0x0000000000000000 $size 0x0000000000046200" ;;
		esac
	done
	while ((${#lines[@]} < 6)); do
		lines+=("$none")
	done
	printf '%s\n' "${lines[@]}" "${rom:-$none}" "0x0000000000000000 0x0000000fffffffff 0x000000000014220c" \
		>"$(device_dir "$bdf")/resource"
}

# vfio_function BDF ID CLASS [OPTION...]: a function on VFIO, with the BARs of its kind.
vfio_function() {
	add_function "$@"
	put_on_vfio "$1"
	case $3 in
	0302*) bars "$1" 32:16 64:65536 64:32 rom:1 ;;
	0680*) bars "$1" 32:32 ;;
	*) bars "$1" 32:1 ;;
	esac
}

# vfio_card SLOT [GROUP]: a card of three functions on VFIO.
vfio_card() {
	vfio_function "$1.0" 10de:26b9 030200 --group "${2:-1}"
	vfio_function "$1.1" 10de:22bc 040300 --group "${2:-1}"
	vfio_function "$1.2" 10de:1ad8 0c0330 --group "${2:-1}"
}

# gpu_at BDF GROUP PATH: a GPU on VFIO below these bridges.
gpu_at() {
	vfio_function "$1" 10de:2330 030200 --group "$2" --parent "pci0000:00/$3"
}

two_behind_one_switch() {
	gpu_at 0000:03:00.0 30 0000:00:01.0/0000:01:00.0/0000:02:00.0
	gpu_at 0000:04:00.0 31 0000:00:01.0/0000:01:00.0/0000:02:01.0
}

# --- asserting ------------------------------------------------------------------------------------------------------

# Only notes were said, in lines of their own, and nothing was written.
assert_notes_only() {
	assert_status 0
	[[ -z $log ]] || ! grep -qv '^# ' <<<"$log" || explain "more than notes on standard error"
	assert_untouched
}

# assert_error STATUS TEXT: nothing is printed that a VM could be started with.
assert_error() {
	assert_status "$1"
	[[ -z $output ]] || explain "there is output all the same"
	assert_log "$2"
	assert_untouched
}

# assert_cliques WORD...: the -device lines' "BDF=CLIQUE" or "BDF", in order.
assert_cliques() {
	local got
	got=$(sed -nE 's/^-device vfio-pci,host=([^,]*)(.*x-nv-gpudirect-clique=([0-9]+))?.*/\1=\3/p' <<<"$output" | sed 's/=$//')
	[[ $got == "$(printf '%s\n' "$@")" ]] || explain "cliques are not: $*" "$got"
}

# domain: a VM with the XML of the output in the places that its comments name.
domain() {
	cat <<-END
		<domain type='kvm'>
		  <name>nvfio</name>
		  <memory unit='GiB'>4</memory>
		  <os><type arch='x86_64' machine='q35'>hvm</type></os>
		  <devices>
		$(sed '/into domain itself/,$d' <<<"$output")
		  </devices>
		$(sed -n '/into domain itself/,$p' <<<"$output")
		</domain>
	END
}

# libvirt's own schema and its parser take it; and what the parser understood is in $dump.
assert_libvirt_takes_it() {
	domain >"$BATS_TEST_TMPDIR/domain.xml"
	virt-xml-validate "$BATS_TEST_TMPDIR/domain.xml" domain >"$BATS_TEST_TMPDIR/validate" 2>&1 ||
		explain "the schema does not take it:" "$(cat "$BATS_TEST_TMPDIR/validate")"
	dump=$(virsh --quiet --connect test:///default "define $BATS_TEST_TMPDIR/domain.xml; dumpxml nvfio" 2>&1) ||
		explain "libvirt does not take it:" "$dump"
}

# --- golden outputs -------------------------------------------------------------------------------------------------

@test "one GPU with three functions: QEMU" {
	vfio_card 0000:41:00
	nvfio args --vmm=qemu 41:00.0
	assert_notes_only
	assert_output <<-'END'
		-device pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128
		-device vfio-pci,host=0000:41:00.0,bus=nvfio0,addr=00.0,multifunction=on
		-device vfio-pci,host=0000:41:00.1,bus=nvfio0,addr=00.1
		-device vfio-pci,host=0000:41:00.2,bus=nvfio0,addr=00.2
	END
	[[ $log == '# 64-bit BARs: 128 GiB of guest addresses above the memory: '*'X-PciMmio64Mb,string=131072'$'\n''# memlock: '* ]] ||
		explain "these are not the notes"
}

@test "one GPU with three functions: QEMU with iommufd" {
	vfio_card 0000:41:00
	nvfio args --vmm qemu --iommufd 41:00.0
	assert_notes_only
	assert_output <<-'END'
		-object iommufd,id=iommufd0
		-device pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128
		-device vfio-pci,host=0000:41:00.0,bus=nvfio0,addr=00.0,multifunction=on,iommufd=iommufd0
		-device vfio-pci,host=0000:41:00.1,bus=nvfio0,addr=00.1,iommufd=iommufd0
		-device vfio-pci,host=0000:41:00.2,bus=nvfio0,addr=00.2,iommufd=iommufd0
	END
}

@test "one GPU with three functions: Cloud Hypervisor" {
	vfio_card 0000:41:00
	nvfio args --vmm=cloud-hypervisor 41:00.0
	assert_notes_only
	assert_output <<-'END'
		--device path=/sys/bus/pci/devices/0000:41:00.0/ path=/sys/bus/pci/devices/0000:41:00.1/ path=/sys/bus/pci/devices/0000:41:00.2/
	END
	[[ $log == *'# 64-bit BARs: 128 GiB '*'# 32-bit BARs: 19 of the 640 MiB '*'; one segment is enough'* ]] ||
		explain "these are not the notes"
}

@test "one GPU with three functions: libvirt" {
	vfio_card 0000:41:00
	nvfio args --vmm=libvirt 41:00.0
	assert_status 0
	[[ -z $log ]] || explain "notes are comments there"
	output=$(grep -v '^<!-- [0-9m]' <<<"$output")
	assert_output <<-'END'
		<!-- into devices -->
		<controller type='pci' index='16' model='pcie-root-port'/>
		<hostdev mode='subsystem' type='pci' managed='no'>
		  <source>
		    <address domain='0x0000' bus='0x41' slot='0x00' function='0x0'/>
		  </source>
		  <address type='pci' domain='0x0000' bus='0x10' slot='0x00' function='0x0' multifunction='on'/>
		</hostdev>
		<hostdev mode='subsystem' type='pci' managed='no'>
		  <source>
		    <address domain='0x0000' bus='0x41' slot='0x00' function='0x1'/>
		  </source>
		  <address type='pci' domain='0x0000' bus='0x10' slot='0x00' function='0x1'/>
		</hostdev>
		<hostdev mode='subsystem' type='pci' managed='no'>
		  <source>
		    <address domain='0x0000' bus='0x41' slot='0x00' function='0x2'/>
		  </source>
		  <address type='pci' domain='0x0000' bus='0x10' slot='0x00' function='0x2'/>
		</hostdev>
	END
}

@test "JSON" {
	vfio_function 0000:41:00.0 10de:2330 030200 --group 7
	nvfio args --json --vmm=qemu 41:00.0
	assert_status 0
	[[ -z $log ]] || explain "notes have a place in JSON"
	output=$(sed -E 's/"notes":\[[^]]*\]/"notes":[]/' <<<"$output")
	assert_output <<-'END'
		{"vmm":"qemu","functions":[{"bdf":"0000:41:00.0","role":"gpu","driver":"vfio-pci","group":"7","switch":null,"clique":null}],"notes":[],"arguments":["-device","pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128","-device","vfio-pci,host=0000:41:00.0,bus=nvfio0,addr=00.0"]}
	END
	nvfio args --json --vmm=libvirt 41:00.0
	assert_says "\"xml\":\"<!-- into devices -->\\u000a<controller "
}

# --- cliques --------------------------------------------------------------------------------------------------------

@test "two GPUs behind one switch: a clique, for each VMM" {
	two_behind_one_switch
	nvfio args --vmm=qemu 03:00.0 04:00.0
	assert_notes_only
	assert_output <<-'END'
		-device pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128
		-device vfio-pci,host=0000:03:00.0,bus=nvfio0,addr=00.0,x-nv-gpudirect-clique=0
		-device pcie-root-port,id=nvfio1,bus=pcie.0,chassis=129
		-device vfio-pci,host=0000:04:00.0,bus=nvfio1,addr=00.0,x-nv-gpudirect-clique=0
	END
	assert_log '# GPUDirect P2P clique 0, behind the switch at 0000:01:00.0: 0000:03:00.0 0000:04:00.0'
	nvfio args --vmm=cloud-hypervisor 04:00.0 03:00.0
	assert_notes_only
	assert_output <<-'END'
		--device path=/sys/bus/pci/devices/0000:03:00.0/,x_nv_gpudirect_clique=0 path=/sys/bus/pci/devices/0000:04:00.0/,x_nv_gpudirect_clique=0
	END
	nvfio args --vmm=libvirt 03:00.0 04:00.0
	assert_status 0
	assert_says "<alias name='ua-nvfio-0000-04-00-0'/>"
	output=$(sed -n '/into domain/,$p' <<<"$output")
	assert_output <<-'END'
		<!-- behind devices, into domain itself -->
		<qemu:override xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <qemu:device alias='ua-nvfio-0000-03-00-0'>
		    <qemu:frontend>
		      <qemu:property name='x-nv-gpudirect-clique' type='unsigned' value='0'/>
		    </qemu:frontend>
		  </qemu:device>
		  <qemu:device alias='ua-nvfio-0000-04-00-0'>
		    <qemu:frontend>
		      <qemu:property name='x-nv-gpudirect-clique' type='unsigned' value='0'/>
		    </qemu:frontend>
		  </qemu:device>
		</qemu:override>
	END
	nvfio args --json --vmm=qemu 03:00.0 04:00.0
	assert_says '"switch":"0000:01:00.0","clique":0},{"bdf":"0000:04:00.0"'
}

@test "with iommufd there are none, and that is said" {
	two_behind_one_switch
	nvfio args --vmm=qemu --iommufd 03:00.0 04:00.0
	assert_notes_only
	assert_cliques 0000:03:00.0 0000:04:00.0
	assert_log '# no GPUDirect P2P cliques: QEMU maps no BARs'
}

@test "behind different switches, or none: no clique, and that is said" {
	gpu_at 0000:03:00.0 30 0000:00:01.0/0000:01:00.0/0000:02:00.0
	gpu_at 0000:13:00.0 31 0000:00:02.0/0000:11:00.0/0000:12:00.0
	gpu_at 0000:21:00.0 32 0000:00:03.0
	gpu_at 0000:22:00.0 33 0000:00:04.0
	nvfio args --vmm=qemu 03:00.0 13:00.0 21:00.0 22:00.0
	assert_notes_only
	assert_cliques 0000:03:00.0 0000:13:00.0 0000:21:00.0 0000:22:00.0
	assert_log '# no GPUDirect P2P clique, as no switch below a root port is shared with another of the GPUs: 0000:03:00.0 0000:13:00.0 0000:21:00.0 0000:22:00.0'
	# One GPU has nobody to talk to, and nothing is said of it.
	nvfio args --vmm=qemu 03:00.0
	assert_notes_only
	refute_log clique
}

@test "eight GPUs in pairs behind four switches, and one more" {
	local i port bdfs=()
	for i in 0 1 2 3 4 5 6 7; do
		port=$((i / 2 + 1))
		gpu_at 0000:$port$((i % 2 + 3)):00.0 3$i 0000:00:0$port.0/0000:${port}1:00.0/0000:${port}2:0$((i % 2)).0
		bdfs+=("0000:$port$((i % 2 + 3)):00.0")
	done
	gpu_at 0000:05:00.0 39 0000:00:05.0
	nvfio args --vmm=qemu 05:00.0 "${bdfs[@]}"
	assert_notes_only
	assert_cliques 0000:05:00.0 0000:13:00.0=0 0000:14:00.0=0 0000:23:00.0=1 0000:24:00.0=1 0000:33:00.0=2 \
		0000:34:00.0=2 0000:43:00.0=3 0000:44:00.0=3
	assert_log '# GPUDirect P2P clique 3, behind the switch at 0000:41:00.0: 0000:43:00.0 0000:44:00.0'
	assert_log 'another of the GPUs: 0000:05:00.0'
	assert_log '64-bit BARs: 1152 GiB'
}

@test "switches below a switch are one" {
	local root=0000:00:01.0/0000:01:00.0
	gpu_at 0000:05:00.0 30 $root/0000:02:00.0/0000:03:00.0/0000:04:00.0
	gpu_at 0000:06:00.0 31 $root/0000:02:00.0/0000:03:00.0/0000:04:01.0
	gpu_at 0000:09:00.0 32 $root/0000:02:01.0/0000:07:00.0/0000:08:00.0
	nvfio args --vmm=qemu 05:00.0 06:00.0 09:00.0
	assert_notes_only
	assert_cliques 0000:05:00.0=0 0000:06:00.0=0 0000:09:00.0=0
}

@test "only display functions are in a clique: not audio, no NVSwitch, no VF" {
	local up=pci0000:00/0000:00:01.0/0000:01:00.0 f
	two_behind_one_switch
	vfio_function 0000:03:00.1 10de:22bc 040300 --group 30 --parent $up/0000:02:00.0
	vfio_function 0000:05:00.0 10de:22a3 068000 --group 32 --parent $up/0000:02:02.0
	add_function 0000:06:00.0 10de:2235 030200 --driver nvidia --group 40 --sriov 4 --parent $up/0000:02:03.0
	for f in 4 5; do
		vfio_function 0000:06:00.$f 10de:2235 030200 --vf-of 0000:06:00.0 --group 4$f --parent $up/0000:02:03.0
	done
	nvfio args --vmm=qemu 03:00.0 04:00.0 05:00.0 06:00.4 06:00.5
	assert_notes_only
	assert_cliques 0000:03:00.0=0 0000:03:00.1 0000:04:00.0=0 0000:05:00.0 0000:06:00.4 0000:06:00.5
}

@test "a seventeenth clique has no number, and that is said" {
	local i bdfs=()
	for ((i = 0; i < 34; i++)); do
		printf -v bdf '0000:%02x:00.0' $((100 + i))
		printf -v path '0000:%02x:01.0/0000:%02x:00.0/0000:%02x:%02x.0' $((i / 2)) $((30 + i / 2)) $((60 + i / 2)) $((i % 2))
		gpu_at "$bdf" $((i + 1)) "$path"
		bdfs+=("$bdf")
	done
	nvfio args --vmm=qemu "${bdfs[@]}"
	assert_notes_only
	assert_says 'host=0000:83:00.0,bus=nvfio31,addr=00.0,x-nv-gpudirect-clique=15'
	assert_says 'host=0000:84:00.0,bus=nvfio32,addr=00.0'$'\n'
	[[ $output != *clique=16* ]] || explain "there is no clique 16"
	assert_log '# no GPUDirect P2P clique, as there are 16 at most, or no switch with another of the GPUs: 0000:84:00.0 0000:85:00.0'
}

# --- kinds of functions ---------------------------------------------------------------------------------------------

@test "VFs, each in a slot of its own; their PF is refused" {
	local f
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	for f in 4 5 6; do
		vfio_function 0000:02:00.$f 10de:2235 030200 --vf-of 0000:02:00.0 --group 1$f
	done
	nvfio args --vmm=qemu 02:00.6 02:00.4
	assert_notes_only
	assert_output <<-'END'
		-device pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128
		-device vfio-pci,host=0000:02:00.4,bus=nvfio0,addr=00.0
		-device pcie-root-port,id=nvfio1,bus=pcie.0,chassis=129
		-device vfio-pci,host=0000:02:00.6,bus=nvfio1,addr=00.0
	END
	refute_log token
	nvfio args --vmm=libvirt 02:00.4 02:00.6
	[[ $output != *multifunction* ]] || explain "a VF alone has no other function"
	nvfio args --vmm=qemu 02:00.0 02:00.4
	assert_error 1 '0000:02:00.0: not on VFIO, but on nvidia: '
}

@test "a PF on VFIO that has VFs: without them, and they need its token" {
	add_function 0000:02:00.0 10de:2235 030200 --group 10 --sriov 4
	vfio_function 0000:02:00.1 10de:22bc 040300 --group 10
	put_on_vfio 0000:02:00.0
	bars 0000:02:00.0 64:65536
	vfio_function 0000:02:00.4 10de:2235 030200 --vf-of 0000:02:00.0 --group 14
	nvfio args --vmm=qemu 02:00.0
	assert_notes_only
	assert_output <<-'END'
		-device pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128
		-device vfio-pci,host=0000:02:00.0,bus=nvfio0,addr=00.0,multifunction=on
		-device vfio-pci,host=0000:02:00.1,bus=nvfio0,addr=00.1
	END
	refute_log token
	nvfio args --vmm=qemu 02:00.4
	assert_notes_only
	assert_log '# 0000:02:00.4: its PF 0000:02:00.0 is on VFIO, too: only with the VF token'
}

@test "GPUs with their NVSwitches" {
	local up=pci0000:00/0000:00:01.0/0000:01:00.0
	two_behind_one_switch
	vfio_function 0000:05:00.0 10de:22a3 068000 --group 32 --parent $up/0000:02:02.0
	nvfio args --vmm=cloud-hypervisor 03:00.0 04:00.0 05:00.0
	assert_notes_only
	assert_output <<-'END'
		--device path=/sys/bus/pci/devices/0000:03:00.0/,x_nv_gpudirect_clique=0 path=/sys/bus/pci/devices/0000:04:00.0/,x_nv_gpudirect_clique=0 path=/sys/bus/pci/devices/0000:05:00.0/
	END
	assert_log '# 32-bit BARs: 66 of the 640 MiB '
}

@test "a variant driver, a long domain, a companion for its card, names given twice" {
	add_driver nvfio-test-variant nvfio_test_variant
	add_function 10000:41:00.0 10de:2342 030200 --group 1
	put_on_vfio 10000:41:00.0 nvfio-test-variant
	bars 10000:41:00.0 64:16
	vfio_function 10000:41:00.1 10de:22bc 040300 --group 1
	nvfio args --vmm=qemu 10000:41:00.1 10000:41:00.0 10000:41:00.1
	assert_notes_only
	assert_output <<-'END'
		-device pcie-root-port,id=nvfio0,bus=pcie.0,chassis=128
		-device vfio-pci,host=10000:41:00.0,bus=nvfio0,addr=00.0,multifunction=on
		-device vfio-pci,host=10000:41:00.1,bus=nvfio0,addr=00.1
	END
}

@test "a function 0 that is another vendor's is not passed, and the guest has a function 0 all the same" {
	add_function 0000:41:00.0 8086:1234 020000 --group 2
	vfio_function 0000:41:00.1 10de:22bc 040300 --group 1
	vfio_function 0000:41:00.3 10de:22bc 040300 --group 1
	nvfio args --vmm=qemu 41:00.3
	assert_notes_only
	assert_says 'host=0000:41:00.1,bus=nvfio0,addr=00.0,multifunction=on'
	assert_says 'host=0000:41:00.3,bus=nvfio0,addr=00.3'
	nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.0: not an NVIDIA function, its vendor is 8086'
}

@test "more root ports than slots share them" {
	local i bdfs=()
	for ((i = 1; i <= 17; i++)); do
		vfio_function "0000:$((10 + i)):00.0" 10de:2330 030200 --group "$i"
		bdfs+=("0000:$((10 + i)):00.0")
	done
	nvfio args --vmm=qemu "${bdfs[@]:0:16}"
	assert_says $'\n-device pcie-root-port,id=nvfio15,bus=pcie.0,chassis=143\n'
	nvfio args --vmm=qemu "${bdfs[@]}"
	assert_notes_only
	[[ $output == '-device pcie-root-port,id=nvfio0,bus=pcie.0,addr=10.0,multifunction=on,chassis=128'$'\n'* ]] ||
		explain "the first one is not there"
	assert_says $'\n-device pcie-root-port,id=nvfio15,bus=pcie.0,addr=11.7,multifunction=on,chassis=143\n'
	assert_says $'\n-device pcie-root-port,id=nvfio16,bus=pcie.0,addr=12.0,multifunction=on,chassis=144\n'
	assert_says $'\n-device vfio-pci,host=0000:27:00.0,bus=nvfio16,addr=00.0'
}

@test "more cards than there is room for root ports" {
	local i j bdfs=()
	for ((i = 0; i < 121; i++)); do
		printf -v j '0000:02:%02x.%d' $((i / 8 + 1)) $((i % 8))
		add_function "$j" 10de:2235 030200 --vf-of 0000:02:00.0 --no-physfn --group $i
		put_on_vfio "$j"
		bars "$j" 64:16
		bdfs+=("$j")
	done
	nvfio args --vmm=libvirt "${bdfs[@]}"
	assert_error 1 '121 cards and VFs need a root port each, and there is room for 120'
	nvfio args --vmm=qemu "${bdfs[@]:1}"
	assert_notes_only
	assert_says $'
-device pcie-root-port,id=nvfio119,bus=pcie.0,addr=1e.7,multifunction=on,chassis=247
'
}

@test "Cloud Hypervisor: more functions than a segment has slots for" {
	local i bdfs=()
	for ((i = 10; i < 22; i++)); do
		vfio_card "0000:$i:00" "$i"
		bdfs+=("0000:$i:00.0")
	done
	nvfio args --vmm=cloud-hypervisor "${bdfs[@]}"
	assert_notes_only
	# Eight cards in the first segment, four (76 MiB) in the second: 80 and a BAR of 16 to spare.
	[[ $output == '--platform num_pci_segments=2
--pci-segment pci_segment=0,mmio32_aperture_weight=544 pci_segment=1,mmio32_aperture_weight=96
--device path=/sys/bus/pci/devices/0000:10:00.0/ '*'0000:17:00.2/ path=/sys/bus/pci/devices/0000:18:00.0/,pci_segment=1 '*'0000:21:00.2/,pci_segment=1' ]] ||
		explain "these are not the segments"
	assert_log '# 32-bit BARs: 228 of the 640 MiB that all PCI segments have together; the weights are MiB'
}

@test "Cloud Hypervisor: more 32-bit BARs than there is room for" {
	vfio_function 0000:41:00.0 10de:2330 030200 --group 1
	bars 0000:41:00.0 32:512 32:256
	nvfio args --vmm=cloud-hypervisor 41:00.0
	assert_notes_only
	assert_log '# 32-bit BARs: 768 of the 640 MiB that all PCI segments have together; they may not fit, take fewer functions'
	# Also where the slots of one segment are too few: there are no weights with which they would.
	local i bdfs=()
	for ((i = 10; i < 35; i++)); do
		vfio_function "0000:$i:00.0" 10de:2330 030200 --group "$i"
		bars "0000:$i:00.0" 32:32
		bdfs+=("0000:$i:00.0")
	done
	nvfio args --vmm=cloud-hypervisor "${bdfs[@]}"
	assert_notes_only
	[[ $output == '--platform num_pci_segments=2
--device path='* ]] || explain "these are not the segments"
	assert_log 'they may not fit'
}

# --- that it can be used --------------------------------------------------------------------------------------------

@test "the output is words of harmless characters, and the words are the arguments" {
	local vmm words
	two_behind_one_switch
	vfio_card 0000:41:00
	for vmm in qemu cloud-hypervisor; do
		nvfio args --vmm=$vmm 03:00.0 04:00.0 41:00.0
		[[ $output =~ ^[[:alnum:]\ :.,=/_$'\n'-]+$ ]] || explain "a shell could take some of it for something else"
		words=$(xargs -n1 printf '%s\n' -- <<<"$output" | grep -vx -- --)
		[[ $words == "$(tr ' ' '\n' <<<"$output")" ]] || explain "xargs reads other words"
		nvfio args --json --vmm=$vmm 03:00.0 04:00.0 41:00.0
		[[ $output == *"\"arguments\":[\"${words//$'\n'/\",\"}\"]}" ]] || explain "these are other arguments"
	done
}

@test "libvirt's schema and parser take the XML" {
	local dump
	two_behind_one_switch
	vfio_card 0000:41:00
	nvfio args --vmm=libvirt 41:00.0
	assert_libvirt_takes_it
	nvfio args --vmm=libvirt 03:00.0 04:00.0 41:00.0
	assert_libvirt_takes_it
	[[ $(grep -c "<hostdev mode='subsystem' type='pci' managed='no'>" <<<"$dump") == 5 ]] || explain "$dump"
	[[ $dump == *"<address type='pci' domain='0x0000' bus='0x12' slot='0x00' function='0x2'/>"* ]] || explain "$dump"
	[[ $dump == *"<alias name='ua-nvfio-0000-04-00-0'/>"* ]] || explain "$dump"
}

@test "nothing is read that may wait for a driver" {
	local op
	vfio_card 0000:41:00
	FAKE_BLOCK=uevent,driver_override,sriov_numvfs FAKE_COUNT=1 nvfio args --vmm=qemu 41:00.0
	assert_notes_only
	[[ ! -e $TREE/.fake_blocked ]] || explain "it waited"
	for op in /uevent /driver_override /sriov_numvfs; do
		! grep -q "$op\$" "$TREE/.fake_ops" || explain "it touched $op"
	done
}

# --- refused --------------------------------------------------------------------------------------------------------

@test "a function of the card that is not on VFIO is named, with its driver and why" {
	vfio_function 0000:41:00.0 10de:26b9 030200 --group 1
	add_function 0000:41:00.1 10de:22bc 040300 --group 1 --driver snd_hda_intel
	bars 0000:41:00.1 32:1
	udev_says 0000:41:00.1 deferred held
	add_function 0000:41:00.2 10de:1ad8 0c0330 --group 1
	bars 0000:41:00.2 32:1
	nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.1: not on VFIO, but on snd_hda_intel: deferred (held); nvfio explain 0000:41:00.1 tells more'
	assert_log '0000:41:00.2: not on VFIO, but without driver: unseen'
	refute_log '0000:41:00.0:'
	nvfio args --json --vmm=libvirt 41:00.0
	assert_error 1 '{"error":{"code":"not-on-vfio","about":"0000:41:00.1",'
}

@test "a vGPU's VF, which is on nvidia whatever that registers" {
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	add_function 0000:02:00.4 10de:2235 030200 --vf-of 0000:02:00.0 --group 14
	put_on_vfio 0000:02:00.4 nvidia
	bars 0000:02:00.4 64:16
	nvfio args --vmm=qemu 02:00.4
	assert_error 1 '0000:02:00.4: not on VFIO, but on nvidia'
}

@test "a function that is being acted on" {
	vfio_card 0000:41:00
	lock_function 0000:41:00.1
	nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.1: it is being acted on right now'
}

@test "half a list of a group's members is none" {
	vfio_card 0000:41:00
	FAKE_FAIL=list:iommu_groups/1/devices:EIO nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.0: the members of its IOMMU group 1 could not be listed: Input/output error'
}

@test "a group that is not viable: the member is named" {
	vfio_card 0000:41:00
	add_driver nvme nvme
	add_function 0000:42:00.0 144d:a80a 010802 --group 1 --driver nvme
	add_function 0000:42:00.1 144d:a80a 010802 --group 1
	nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.0: its IOMMU group 1 is not viable: 0000:42:00.0 is on nvme'
	refute_log 0000:42:00.1
	refute_log 'not on VFIO'
}

@test "another card of NVIDIA's in the group, and a PF in its VF's group" {
	vfio_function 0000:41:00.0 10de:26b9 030200 --group 1
	add_function 0000:42:00.0 10de:26b9 030200 --group 1 --driver nvidia
	bars 0000:42:00.0 32:1
	nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.0: its IOMMU group 1 is not viable: 0000:42:00.0 is on nvidia'
	# Named as well, it is refused itself, once.
	nvfio args --vmm=qemu 41:00.0 42:00.0
	assert_error 1 '0000:42:00.0: not on VFIO, but on nvidia'
	refute_log viable
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	vfio_function 0000:02:00.4 10de:2235 030200 --vf-of 0000:02:00.0 --group 10
	nvfio args --vmm=qemu 02:00.4
	assert_error 1 '0000:02:00.4: its IOMMU group 10 is not viable: 0000:02:00.0 is on nvidia'
}

@test "bridges and what is on VFIO are in nobody's way" {
	add_bridge 0000:00:01.0 --group 1
	vfio_card 0000:41:00
	add_function 0000:42:00.0 8086:1533 020000 --group 1
	put_on_vfio 0000:42:00.0
	nvfio args --vmm=qemu 41:00.0
	assert_notes_only
	[[ $output != *42:00* ]] || explain "nobody asked for that one"
}

@test "no IOMMU group, and one that vfio made up" {
	vfio_function 0000:41:00.0 10de:26b9 030200
	nvfio args --vmm=qemu 41:00.0
	assert_error 1 '0000:41:00.0: it is in no IOMMU group that isolates anything'
	vfio_function 0000:42:00.0 10de:26b9 030200 --group 3
	printf 'vfio-noiommu\n' >"$TREE/sys/kernel/iommu_groups/3/name"
	nvfio args --vmm=qemu 42:00.0
	assert_error 1 '0000:42:00.0: it is in no IOMMU group that isolates anything'
}

@test "a function that is not there, or vanishes" {
	vfio_card 0000:41:00
	nvfio args --vmm=qemu 41:00.0 09:00.0
	assert_error 3 '0000:09:00.0: no such PCI function, or it went away'
	FAKE_HOOK="open:0000:41:00.0/modalias remove 0000:41:00.0" nvfio args --vmm=qemu 41:00.0
	assert_status 3
	assert_log '0000:41:00.0: no such PCI function, or it went away'
	[[ -z $output ]] || explain "half a card is printed"
	vfio_card 0000:42:00
	FAKE_HOOK="open:0000:42:00.1/resource remove 0000:42:00.1" nvfio args --vmm=qemu 42:00.0
	assert_status 3
	assert_log '0000:42:00.1: no such PCI function, or it went away'
	[[ -z $output ]] || explain "half a card is printed"
}

@test "a function that vanishes at any moment: the whole card is printed, or nothing" {
	local whole ops n first
	vfio_card 0000:41:00
	FAKE_COUNT=1 nvfio args --vmm=qemu 41:00.0
	whole=$output
	ops=$(wc -l <"$TREE/.fake_ops")
	first=$(grep -nm1 0000:41:00.0 "$TREE/.fake_ops" | cut -d: -f1)
	((ops - first > 50)) || explain "that were few operations"
	save_tree
	# Every seventh operation: each attribute is read several times.
	for ((n = first; n <= ops; n += 7)); do
		restore_tree
		FAKE_HOOK="$n remove 0000:41:00.0" nvfio args --vmm=qemu 41:00.0
		if [[ -n $output ]]; then
			assert_status 0
			[[ $output == "$whole" ]] || explain "half a card is printed, after operation $n"
		else
			assert_status 3
			assert_log 'no such PCI function, or it went away'
		fi
	done
}

@test "an attribute that no kernel prints" {
	vfio_function 0000:41:00.0 10de:26b9 030200 --group 1
	set_attribute 0000:41:00.0 resource '0x0 0x1fff 0x200\n'
	nvfio args --vmm=qemu 41:00.0
	assert_error 4 '0000:41:00.0: attribute resource is not what a kernel prints'
}

@test "wrong usage" {
	vfio_card 0000:41:00
	nvfio args 41:00.0
	assert_error 2 'nvfio args: for which VMM? --vmm=qemu, cloud-hypervisor or libvirt is missing'
	nvfio args --vmm=xen 41:00.0
	assert_error 2 'xen: no such VMM: qemu, cloud-hypervisor or libvirt'
	nvfio args --vmm=qemu
	assert_error 2 'nvfio args: which function? its address is missing'
	nvfio args --vmm=libvirt --iommufd 41:00.0
	assert_error 2 '--iommufd: that is for --vmm=qemu'
	nvfio args --vmm=qemu 41:00.0 41:00.8
	assert_error 2 "41:00.8: not the address of a PCI function: function '8' is not 0 to 7"
	nvfio args --vmm=qemu --tree 41:00.0
	assert_error 2 '--tree: no option of nvfio args'
	nvfio list --vmm=qemu
	assert_error 2 '--vmm: no option of nvfio list'
	nvfio args --json --vmm=qemu gpu0
	assert_error 2 '{"error":{"code":"bad-address","about":"gpu0",'
}
