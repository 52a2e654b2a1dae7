#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The recipes of nvfio(7): every configuration parses, every command is one that nvfio has, and what a recipe promises of
# a configuration is what happens.
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash
load lib/machines.bash

PAGE=$REPO_DIR/man/nvfio.7.scd

setup() {
	new_tree
}

teardown() {
	end_all
}

# blocks conf|commands SECTION: the fenced blocks of a section of the page that are a configuration, or that are none.
# Without a section: of the page. They are written to $BATS_TEST_TMPDIR/block.N, whose names are printed.
blocks() {
	awk -v kind="$1" -v section="${2-}" -v to="$BATS_TEST_TMPDIR/block." '
		/^# / { here = section == "" || $0 == "# " section }
		/^```$/ && !inside { inside = 1; text = ""; next }
		/^```$/ { inside = 0
			if (here && (text ~ /^\[/) == (kind == "conf")) {
				n++
				file = to n
				printf "%s", text >file
				close(file)
				print file
			}
			next
		}
		inside { text = text $0 "\n" }' "$PAGE"
}

# use_recipe SECTION [N]: its (N-th) configuration is the host's.
use_recipe() {
	local files
	mapfile -t files < <(blocks conf "$1")
	set_config <"${files[${2:-1} - 1]}"
}

@test "every configuration parses, and there is one for every task" {
	local file section n=0
	while read -r section; do
		[[ $section != @(NAME|DESCRIPTION|SEE ALSO) ]] || continue
		[[ $(blocks conf "$section") ]] || explain "$section has none"
		n=$((n + 1))
	done < <(sed -n 's/^# //p' "$PAGE")
	((n == 12)) || explain "these are $n tasks"
	while read -r file; do
		nvfio config --check "$file"
		assert_status 0
	done < <(blocks conf)
	printf 'gpu = vfio\n' >"$BATS_TEST_TMPDIR/wrong"
	nvfio config --check "$BATS_TEST_TMPDIR/wrong"
	assert_status 4
}

# Of verbs that this build does not know yet nothing is said.
@test "every option that a recipe uses is one of its verb's" {
	local line verb word n=0 known
	known=$("$NVFIO" --help)
	while read -r _ verb line; do
		[[ $verb != -* ]] || { line="$verb $line" verb=list; }
		grep -q "^  $verb  " <<<"$known" || continue
		for word in $line; do
			[[ $word == -* ]] || continue
			word=${word%%=*}
			grep -qE -- "(^|[ ,])$word([ ,=]|\$)" <<<"$known" || explain "$verb $word: --help does not know it"
			n=$((n + 1))
		done
	done < <(blocks commands | xargs cat | grep '^nvfio')
	((n >= 10)) || explain "only $n options were compared"
}

@test "pages refer to the recipes, and the recipes to them" {
	local page
	for page in nvfio.8 nvfio-udev.8 nvfio.conf.5; do
		grep -q '^\*nvfio\*(7)' "$REPO_DIR/man/$page.scd" || explain "$page does not"
		grep -q "\\*${page%.*}\\*(${page##*.})" "$PAGE" || explain "nvfio(7) does not refer to $page"
	done
	grep -q 'man 7 nvfio' "$REPO_DIR/README.md"
}

@test "a second GPU for a virtual machine: that card, and no other" {
	use_recipe 'A SECOND GPU FOR A VIRTUAL MACHINE'
	add_function 0000:01:00.0 10de:2684 030000 --native nvidia --group 1 --boot-vga
	add_function 0000:41:00.0 10de:2684 030000 --native nvidia --group 2
	add_function 0000:41:00.1 10de:22ba 040300 --driver snd_hda_intel --group 2
	nvidia_functions=(0000:01:00.0 0000:41:00.0 0000:41:00.1)
	have_events coldplug
	nvfio -rno bdf,state,reason
	[[ $output == $'0000:01:00.0 left configured\n0000:41:00.0 bound bound\n0000:41:00.1 bound bound' ]] || explain "it is not so"
	assert_on_vfio 0000:41:00.1
}

# Function 0 is on vfio-pci by the kernel: nvfio has no record of it.
@test "a host for virtual machines alone: companions follow, at boot as well, and check has no problem with the example" {
	local func
	add_card 0000:41:00 --native
	rm "$(device_dir 0000:41:00.0)/driver"
	put_on_vfio 0000:41:00.0
	coldplug 0000:41:00.1
	assert_state left boot
	use_recipe 'A HOST FOR VIRTUAL MACHINES ALONE'
	for func in 1 2; do
		coldplug 0000:41:00.$func
		assert_on_vfio 0000:41:00.$func
	done
	install -D -m 644 "$REPO_DIR/conf/examples/dedicated-host.conf" "$TREE/etc/modprobe.d/dedicated-host.conf"
	grep -q 'examples/dedicated-host.conf /etc/modprobe.d/$' <(blocks commands 'A HOST FOR VIRTUAL MACHINES ALONE' | xargs cat)
	nvfio check
	grep -q '^note     ids: vfio-pci.ids is set (/etc/modprobe.d/dedicated-host.conf:' <<<"$output" || explain "no note"
}

@test "SR-IOV: the trigger switches native probing of VFs off, vf = vfio counts on a vGPU host as well" {
	use_recipe 'SR-IOV VFS'
	add_function 0000:41:00.0 10de:2331 030200 --driver nvidia --group 1 --sriov 16
	install -D /dev/null "$TREE/usr/lib/nvidia/sriov-manage"
	reapply 0000:41:00.0
	assert_state left configured
	[[ $(cat "$(device_dir 0000:41:00.0)/sriov_drivers_autoprobe") == 0 ]] || explain "native drivers are offered the VFs"
	add_function 0000:41:00.4 10de:2331 030200 --vf-of 0000:41:00.0 --group 2
	hotplug 0000:41:00.4
	assert_state bound
}

@test "a vGPU host: everything stays, also before there is a sign" {
	use_recipe 'A VGPU HOST'
	add_function 0000:51:00.0 10de:2235 030200 --driver nvidia --group 1 --sriov 4
	add_function 0000:51:00.4 10de:2235 030200 --native nvidia --vf-of 0000:51:00.0 --group 2
	hotplug 0000:51:00.4
	assert_state left configured
}

@test "NVSwitches: their group is viable without the switch's own driver" {
	use_recipe 'NVSWITCH FULL PASSTHROUGH'
	load_machine hgx-h100 --cold
	have_events coldplug
	nvfio explain 05:00.0
	assert_says 'group 114: not viable because of 0000:03:00.1 (switchtec)'
	rm "$(device_dir 0000:03:00.1)/driver"
	nvfio explain 05:00.0
	assert_says 'group 114: viable'
	nvfio -rno state
	[[ $(sort -u <<<"$output") == bound ]] || explain "some are not bound"
}

@test "Grace: its GPU goes to the variant driver" {
	use_recipe GRACE
	load_machine gh200 --cold
	have_events coldplug
	assert_on_vfio 0009:01:00.0 nvgrace_gpu_vfio_pci
}

@test "Grace: where the variant driver is missing, the GPU is refused, and not put on vfio-pci" {
	use_recipe GRACE
	add_function 0009:01:00.0 10de:2342 030200 --group 19 --parent pci0009:00
	coldplug 0009:01:00.0
	assert_state refused no-module
	printf '[policy]\nboot = vfio\n' | set_config
	coldplug 0009:01:00.0
	assert_on_vfio 0009:01:00.0 vfio-pci
}

@test "coming from driverctl: what it has an override for is left" {
	use_recipe 'COMING FROM DRIVERCTL'
	add_function 0000:41:00.0 10de:2684 030000 --group 1
	install -D /dev/null "$TREE/etc/driverctl.d/pci-0000:41:00.0"
	coldplug 0000:41:00.0
	assert_state left driverctl
	rm "$TREE/etc/driverctl.d/pci-0000:41:00.0"
	coldplug 0000:41:00.0
	assert_state bound
}

@test "coming from vfio-pci.ids: of two alike one stays" {
	use_recipe 'COMING FROM VFIO-PCI.IDS' 1
	install -D -m 644 "$TREE/etc/nvfio.conf" "$TREE/etc/nvfio.conf.d/50-model.conf"
	use_recipe 'COMING FROM VFIO-PCI.IDS' 2
	add_function 0000:01:00.0 10de:2684 030000 --group 1
	add_function 0000:41:00.0 10de:2684 030000 --group 2
	coldplug 0000:01:00.0
	assert_state left configured
	coldplug 0000:41:00.0
	assert_state bound
}

@test "getting back: nothing is taken, of no kind" {
	local bdf
	use_recipe 'GETTING BACK'
	load_machine geforce --cold
	add_function 0000:05:00.0 10de:22a3 068000 --group 30
	add_function 0000:51:00.4 10de:2235 030200 --vf-of 0000:01:00.0 --group 31
	nvidia_functions+=(0000:05:00.0 0000:51:00.4)
	have_events hotplug
	for bdf in "${nvidia_functions[@]}"; do
		! on_vfio "$bdf" || explain "$bdf was taken"
	done
	assert_untouched
}
