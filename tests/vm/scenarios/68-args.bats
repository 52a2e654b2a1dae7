#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: switch
#
# nvfio args on a real kernel: PCIe switches, as sysfs shows them, make the cliques; and a real QEMU that is started with
# what was printed has the functions in its PCI tree. It emulates the processor, is inside an emulated machine with an
# emulated IOMMU, and stays paused: VFIO is real to it all the same.

load ../guest/lib

# e1000e has a capability at C8h, where QEMU before 8.1 puts the clique, as GPUs since Turing have.
KIND_DEVICE[gpu]=edu

setup_file()
{
	bench_reset
	modprobe nvidia
	modprobe vfio-pci
	printf '[device %s]\ngpu = native\n' "$(bdf_of s)" >/etc/nvfio.conf
	plug_card a gpu audio usb
	plug_card b gpu
	plug_card c gpu
	plug_card 1 gpu audio
	plug_sriov 2
	settle
	sriov s 2
	settle
}

# args VMM BDF...: what nvfio prints for it, its notes on standard error.
args()
{
	local vmm=$1

	shift
	within 20 nvfio args --vmm="$vmm" "$@"
}

# in_qemu ARGUMENT...: starts QEMU with them, and prints what became of each VFIO device: host's address, port, address
# behind it, whether the slot has more functions, ids, clique.
in_qemu()
{
	printf 'info qtree\nquit\n' >"$BENCH/monitor.in"
	timeout 60 qemu-system-x86_64 -machine q35,accel=tcg -m 64 -display none -nodefaults -no-user-config -S \
		-monitor stdio "$@" <"$BENCH/monitor.in" >"$BENCH/qtree" 2>"$BENCH/complaint" || { cat "$BENCH/complaint"; return 1; }
	cat "$BENCH/complaint"
	# Its lines end as on a terminal.
	tr -d '\r"' <"$BENCH/qtree" | awk '$1 == "bus:" { bus = $2 }
		$1 == "dev:" { vfio = $2 == "vfio-pci," }
		!vfio { next }
		$1 == "host" { host = $3 }
		$1 == "addr" { addr = $3 }
		$1 == "multifunction" { multi = $3 }
		$1 == "x-nv-gpudirect-clique" { clique = $3 }
		$1 == "class" { match($0, /pci id [0-9a-f:]+/); print host, bus, addr, multi, substr($0, RSTART + 7, 9), clique }' |
		sort
}

@test "GPUs behind one switch are a clique, those behind another or none are not" {
	local a b c d output

	a=$(bdf_of a) b=$(bdf_of b) c=$(bdf_of c) d=$(bdf_of 1)
	output=$(args qemu "$d" "$c" "$b" "$a" 2>"$BENCH/notes")
	echo "$output" && cat "$BENCH/notes"
	[[ $(grep -c pcie-root-port <<<"$output") == 4 ]]
	[[ $(grep -c clique <<<"$output") == 2 ]]
	grep -qx -- "-device vfio-pci,host=$a,bus=nvfio[0-9],addr=00.0,multifunction=on,x-nv-gpudirect-clique=0" <<<"$output"
	grep -qx -- "-device vfio-pci,host=$b,bus=nvfio[0-9],addr=00.0,x-nv-gpudirect-clique=0" <<<"$output"
	# The switch is the bridge below the root port 19.
	grep -qx -- "# GPUDirect P2P clique 0, behind the switch at $(basename "$SYS"/0000:00:19.0/0000:*:00.0): $a $b" "$BENCH/notes"
	grep -q -- "^# no GPUDirect P2P clique, as no switch .* $d $c$" "$BENCH/notes"
}

@test "QEMU realises them: cards of several functions, cliques, VFs" {
	local a b d vfs words

	a=$(bdf_of a) b=$(bdf_of b) d=$(bdf_of 1)
	read -rd '' -a vfs < <(vfs_of "$(bdf_of s)") || :
	((${#vfs[@]} == 2))
	read -rd '' -a words < <(args qemu "$a" "$b" "$d" "${vfs[@]}" 2>/dev/null) || :
	run in_qemu "${words[@]}"
	echo "$output"
	diff -u - <(echo "$output") <<-END
		$d nvfio0 00.0 true 10de:2331 255
		${d%.0}.1 nvfio0 00.1 false 10de:22bc 255
		${vfs[0]} nvfio1 00.0 false 10de:2331 255
		${vfs[1]} nvfio2 00.0 false 10de:2331 255
		$a nvfio3 00.0 true 10de:2331 0
		${a%.0}.1 nvfio3 00.1 false 10de:22bc 255
		${a%.0}.2 nvfio3 00.2 false 10de:1ad8 255
		$b nvfio4 00.0 false 10de:2331 0
	END
}

@test "the paths for Cloud Hypervisor are there, and the BARs are counted" {
	local word found=0 output

	output=$(args cloud-hypervisor "$(bdf_of a)" "$(bdf_of b)" 2>"$BENCH/notes")
	for word in $output; do
		[[ $word == path=* ]] || continue
		word=${word#path=}
		[[ -e ${word%%,*}vfio-dev ]]
		found=$((found + 1))
	done
	((found == 4))
	# Two of 1 MiB for the GPUs, 16 KiB each for audio and, in 64 bits, USB.
	grep -qx '# 32-bit BARs: 3 of the 640 MiB .*' "$BENCH/notes"
	grep -qx '# 64-bit BARs: 1 GiB .*' "$BENCH/notes"
}

@test "what is not on VFIO is refused" {
	run args qemu "$(bdf_of s)"
	echo "$output"
	((status == 1))
	[[ $output == "nvfio: $(bdf_of s): not on VFIO, but on nvidia: left (configured)"* ]]
}
