#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nvfio list`: what is true now, on trees of the kinds of machines it is for, and on bad ones. It writes nothing, starts
# nothing, and reads nothing that may have to wait for a driver.
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

# Nothing was written, nothing said.
assert_quiet() {
	assert_status 0
	[[ -z $log ]] || explain "something was said on standard error"
	[[ -z $(writes) ]] || explain "something was written"
}

# A workstation: a GeForce card of four functions with the console on it, and a second one for virtual machines.
two_cards() {
	local f
	add_bridge 0000:00:01.0
	add_card 0000:01:00 --native --usb-c
	add_card 0000:02:00 --group 2
	set_config <<-END
		[device 0000:01:00.0]
		gpu = native
	END
	for f in 0 1 2; do
		put_on_vfio 0000:02:00.$f
		make_record 0000:02:00.$f bound
	done
	udev_says 0000:01:00.0 left configured 'left: configured native' 'GA102 [GeForce RTX 3090]'
	udev_says 0000:02:00.0 bound on-vfio '' 'GA102 [GeForce RTX 3090]'
	udev_says 0000:02:00.1 bound on-vfio
	udev_says 0000:02:00.2 bound on-vfio
}

# A PF on its native driver with three VFs: on VFIO, waiting for its event, and without driver.
pf_with_vfs() {
	local f
	add_bridge 0000:00:01.0
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	for f in 4 5 6; do
		add_function 0000:02:00.$f 10de:2235 030200 --vf-of 0000:02:00.0 --group 1$f
	done
	put_on_vfio 0000:02:00.4
	udev_says 0000:02:00.0 left pf-has-vfs '' 'GA102GL [A40]'
	udev_says 0000:02:00.4 bound on-vfio '' 'GA102GL [A40]'
	udev_says 0000:02:00.5 deferred no-physfn
}

# A board of two GPUs and an NVSwitch behind a PCIe switch.
board() {
	local up=pci0000:00/0000:00:01.0/0000:01:00.0
	add_driver pcieport pcieportdrv
	add_function 0000:00:01.0 8086:352a 060400 --driver pcieport --parent pci0000:00
	add_function 0000:01:00.0 1000:c030 060400 --driver pcieport
	add_function 0000:02:00.0 1000:c030 060400 --driver pcieport --parent $up
	add_function 0000:02:01.0 1000:c030 060400 --driver pcieport --parent $up
	add_function 0000:02:02.0 1000:c030 060400 --driver pcieport --parent $up
	add_function 0000:03:00.0 10de:2330 030200 --group 30 --parent $up/0000:02:00.0
	add_function 0000:04:00.0 10de:2330 030200 --group 31 --driver nvidia --parent $up/0000:02:01.0
	add_function 0000:05:00.0 10de:22a3 068000 --group 32 --parent $up/0000:02:02.0
	put_on_vfio 0000:03:00.0
	udev_says 0000:03:00.0 bound on-vfio '' 'GH100 [H100 SXM5 80GB]'
	udev_says 0000:04:00.0 deferred held 'deferred: it is in use' 'GH100 [H100 SXM5 80GB]'
	udev_says 0000:05:00.0 left configured '' 'GH100 [H100 NVSwitch]'
}

# --- golden outputs -------------------------------------------------------------------------------------------------

@test "a workstation with two cards" {
	two_cards
	nvfio
	assert_quiet
	assert_output <<-'END'
		BDF          ROLE      DRIVER        WANTED   GROUP STATE REASON     NAME
		0000:01:00.0 gpu       nvidia        native       1 left  configured GA102 [GeForce RTX 3090]
		0000:01:00.1 companion snd_hda_intel native       1 left  function0
		0000:01:00.2 companion xhci_hcd      native       1 left  function0
		0000:01:00.3 companion nvidia-gpu    native       1 left  function0
		0000:02:00.0 gpu       vfio-pci      vfio-pci     2 bound on-vfio    GA102 [GeForce RTX 3090]
		0000:02:00.1 companion vfio-pci      vfio-pci     2 bound on-vfio
		0000:02:00.2 companion vfio-pci      vfio-pci     2 bound on-vfio
	END
}

@test "a PF and its VFs, as a tree" {
	pf_with_vfs
	nvfio list --tree
	assert_quiet
	assert_output <<-'END'
		BDF              ROLE   DRIVER   WANTED   GROUP STATE    REASON     NAME
		0000:00:01.0     bridge pcieport
		`-0000:02:00.0   pf     nvidia   native      10 left     pf-has-vfs GA102GL [A40]
		  |-0000:02:00.4 vf     vfio-pci vfio-pci    14 bound    on-vfio    GA102GL [A40]
		  |-0000:02:00.5 vf              vfio-pci    15 deferred no-physfn
		  `-0000:02:00.6 vf              vfio-pci    16 unseen   no-driver
	END
}

@test "GPUs and an NVSwitch behind a PCIe switch, as a tree" {
	board
	nvfio list -T
	assert_quiet
	assert_output <<-'END'
		BDF                ROLE     DRIVER   WANTED   GROUP STATE    REASON     NAME
		0000:00:01.0       bridge   pcieport
		`-0000:01:00.0     bridge   pcieport
		  |-0000:02:00.0   bridge   pcieport
		  | `-0000:03:00.0 gpu      vfio-pci vfio-pci    30 bound    on-vfio    GH100 [H100 SXM5 80GB]
		  |-0000:02:01.0   bridge   pcieport
		  | `-0000:04:00.0 gpu      nvidia   vfio-pci    31 deferred held       GH100 [H100 SXM5 80GB]
		  `-0000:02:02.0   bridge   pcieport
		    `-0000:05:00.0 nvswitch          native      32 left     configured GH100 [H100 NVSwitch]
	END
}

@test "JSON, nested as the tree" {
	pf_with_vfs
	nvfio list --tree --json -o bdf,state,note
	assert_quiet
	assert_output <<-'END'
		{
		   "functions": [
		      {
		         "bdf": "0000:00:01.0",
		         "state": null,
		         "note": null,
		         "children": [
		            {
		               "bdf": "0000:02:00.0",
		               "state": "left",
		               "note": null,
		               "children": [
		                  {
		                     "bdf": "0000:02:00.4",
		                     "state": "bound",
		                     "note": null
		                  },{
		                     "bdf": "0000:02:00.5",
		                     "state": "deferred",
		                     "note": null
		                  },{
		                     "bdf": "0000:02:00.6",
		                     "state": "unseen",
		                     "note": null
		                  }
		               ]
		            }
		         ]
		      }
		   ]
		}
	END
}

@test "every column, as pairs" {
	two_cards
	nvfio -P -O
	assert_quiet
	[[ $(head -n 1 <<<"$output") == 'BDF="0000:01:00.0" ROLE="gpu" DRIVER="nvidia" WANTED="native" GROUP="1" STATE="left" REASON="configured" NAME="GA102 [GeForce RTX 3090]" IDS="10de:2331" SUBSYS="10de:1626" CLASS="0302" CARD="0000:01:00" PF="" NODE="" VERDICT="leave" MESSAGE="left: configured native" NOTE=""' ]] ||
		explain "the first line is another one"
	assert_says 'VERDICT="bound"'
	assert_says 'NODE="/dev/vfio/2"'
}

@test "raw, without headings, chosen columns" {
	two_cards
	nvfio --raw -n --output=state,BDF
	assert_quiet
	[[ $(sed -n '1p;5p' <<<"$output") == $'left 0000:01:00.0\nbound 0000:02:00.0' ]] || explain "these are other lines"
}

@test "columns besides the usual ones" {
	two_cards
	nvfio -o +class,verdict
	[[ $(head -n 1 <<<"$output") =~ ^BDF.*NAME\ +CLASS\ VERDICT$ ]] || explain "these are other columns"
}

@test "sorted by group: by number, then by address" {
	add_function 0000:01:00.0 10de:2331 030200 --group 100
	add_function 0000:02:00.0 10de:2331 030200 --group 9
	add_function 0000:03:00.0 10de:2331 030200 --group 10
	add_function 0000:03:00.1 10de:22bc 040300 --group 9
	nvfio -rno group,bdf --sort group
	assert_quiet
	[[ $output == $'9 0000:02:00.0\n9 0000:03:00.1\n10 0000:03:00.0\n100 0000:01:00.0' ]] || explain "this is another order"
}

@test "domains of five digits come after those of four, and buses sort as hex" {
	add_function 10000:01:00.0 10de:2331 030200 --group 1
	add_function 0000:9f:00.0 10de:2331 030200 --group 2
	add_function 0000:10:00.0 10de:2331 030200 --group 3
	nvfio -rno bdf
	[[ $output == $'0000:10:00.0\n0000:9f:00.0\n10000:01:00.0' ]] || explain "this is another order"
}

@test "--all shows the other members of the groups, and nobody else" {
	add_card 0000:01:00 --native
	add_function 0000:03:00.0 8086:10fb 020000 --driver xhci_hcd --group 1
	add_function 0000:04:00.0 8086:10fb 020000 --driver xhci_hcd --group 4
	nvfio -rno bdf,role,state,reason
	[[ $output != *0000:03* ]] || explain "a foreign function is shown without --all"
	nvfio --all -rno bdf,role,state,reason
	assert_quiet
	assert_says '0000:03:00.0 foreign left not-nvidia'
	[[ $output != *0000:04* ]] || explain "another group's function is shown"
}

# --- states ---------------------------------------------------------------------------------------------------------

# assert_shown "STATE REASON"
assert_shown() {
	nvfio list -rno bdf,state,reason
	[[ $output == "$GPU $1" ]] || explain "its state is not '$1'"
}

@test "what an event decided is shown until something else is to be seen" {
	local state
	add_function $GPU 10de:2331 030200 --driver nvidia --group 1
	for state in 'left configured' 'deferred held' 'refused no-iommu' 'failed failed'; do
		# shellcheck disable=SC2086 # two words
		udev_says $GPU $state
		assert_shown "$state"
	done
}

@test "in flight while the lock is held, whatever udev says" {
	add_function $GPU 10de:2331 030200 --driver nvidia --group 1
	make_record $GPU acting
	udev_says $GPU deferred held
	lock_function $GPU
	assert_shown 'in-flight in-flight'
}

@test "the record tells interrupted, claimed and released" {
	add_function $GPU 10de:2331 030200 --group 1
	make_record $GPU acting
	assert_shown 'interrupted interrupted'
	make_record $GPU claimed
	assert_shown 'claimed claimed'
	make_record $GPU released
	assert_shown 'left released'
	# Another card's.
	make_record $GPU released inode=1
	assert_shown 'unseen no-driver'
}

@test "a function no event has met is unseen, or left if it will be" {
	add_function $GPU 10de:2331 030200 --group 1
	assert_shown 'unseen no-driver'
	kernel_command_line nvfio=off
	assert_shown 'left off'
}

@test "bound in udev's database and not in the kernel: said, and not believed" {
	add_function $GPU 10de:2331 030200 --driver nvidia --group 1
	udev_says $GPU bound on-vfio
	assert_shown 'left unbound'
	assert_log "$GPU: udev's database says bound (on-vfio), but it is on nvidia"
	nvfio -rno note
	[[ -z $log && $output == *"but\\x20it"* ]] || explain "the note is no column, or said twice"
}

@test "bound in the kernel and deferred in udev's database: said, and not believed" {
	add_function $GPU 10de:2331 030200 --group 1
	put_on_vfio $GPU
	udev_says $GPU deferred held
	assert_shown 'bound on-vfio'
	assert_log "$GPU: udev's database says deferred (held), but it is on vfio-pci"
}

@test "an administrator's rule counts as it did at the last event" {
	add_function $GPU 10de:2331 030200 --group 1
	printf 'E:NVFIO=native\n' | install -D /dev/stdin "$TREE/run/udev/data/+pci:$GPU"
	assert_shown 'left rule'
}

@test "a configuration that does not parse is said, and so is what that means" {
	add_function $GPU 10de:2331 030200 --group 1
	echo 'gpu vfio' | set_config
	assert_shown 'left config-broken'
	assert_status 0
	assert_log '/etc/nvfio.conf:1: '
	assert_log 'nothing is taken'
}

# --- how it looks ---------------------------------------------------------------------------------------------------

@test "nothing is read that may wait for a driver, nothing written" {
	local op
	add_card 0000:01:00 --native --usb-c
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 4
	add_function 0000:02:00.4 10de:2235 030200 --vf-of 0000:02:00.0 --group 14
	add_function 0000:03:00.0 10de:2331 030200 --group 3
	make_record 0000:03:00.0 acting
	set_config <<-END
		[policy]
		takeover = idle
	END
	FAKE_BLOCK=uevent,driver_override,sriov_numvfs FAKE_COUNT=1 nvfio list -aTO
	assert_quiet
	[[ ! -e $TREE/.fake_blocked ]] || explain "it waited"
	for op in /uevent /driver_override /sriov_numvfs; do
		! grep -q "$op\$" "$TREE/.fake_ops" || explain "it touched $op"
	done
	! grep -Ev '^[0-9]+ (open|read|readlink|stat|access|list|module)' "$TREE/.fake_ops" | grep . >&2 || explain "these are no reads"
}

# without_processes COMMAND...: whoever starts a process, or opens many files at a time, fails.
without_processes() {
	cat >"$BATS_TEST_TMPDIR/alone.c" <<-END
		#include <stdlib.h>
		#include <sys/types.h>
		pid_t fork(void) { abort(); }
		pid_t vfork(void) { abort(); }
		int clone(int (*f)(void *), void *s, int n, void *a, ...) { (void)f, (void)s, (void)n, (void)a; abort(); }
		int posix_spawn(void) { abort(); }
	END
	$CC -w -shared -fPIC -o "$BATS_TEST_TMPDIR/alone.so" "$BATS_TEST_TMPDIR/alone.c"
	NVFIO_UNDER="/usr/bin/env LD_PRELOAD=$FAKES_DIR/fakekernel.so:$BATS_TEST_TMPDIR/alone.so /usr/bin/prlimit --nofile=64" "$@"
}

# Mounts are found by a child, and by opening the disk.
@test "what the host needs on a named drive is not asked by the list" {
	add_driver nvme nvme
	add_function $GPU 10de:2331 030200 --group 1
	put_on_vfio $GPU
	add_function 0000:05:00.0 144d:a808 010802 --driver nvme --group 1
	disk_of 0000:05:00.0 nvme0n1 259:0
	mount_disk nvme0n1 259:0 /srv
	make_record 0000:05:00.0 acting
	forget_writes
	set_config <<-END
		[device $GPU]
		siblings = 0000:05:00.0
	END
	FAKE_COUNT=1 without_processes nvfio list -a -rno role,state,verdict,message
	assert_status 0
	assert_says 'foreign interrupted not-asked whether\x20the\x20host\x20needs\x20what\x20is\x20on\x20it\x20was\x20not\x20asked'
	! grep 'dev/nvme' "$TREE/.fake_ops" >&2 || explain "it opened the disk"
	[[ -z $(writes) ]] || explain "something was written"
}

@test "a record that is none is noted, and one of a newer nvfio said" {
	add_function $GPU 10de:2331 030200 --group 1
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	make_record $GPU bound
	make_record 0000:02:00.0 bound
	echo garbage >"$TREE/run/nvfio/$GPU"
	nvfio list -rno bdf,state,note
	assert_status 0
	assert_says "$GPU unseen what\\x20is\\x20in\\x20its\\x20record's\\x20place"
	sed -i 's/^state=.*/state=newer/' "$TREE/run/nvfio/0000:02:00.0"
	nvfio list -rno bdf
	assert_status 1
	[[ $output == "$GPU" ]] || explain "the other one is missing"
	assert_log "0000:02:00.0: could not be looked at: its record in /run/nvfio is a newer nvfio's"
}

# Not to have seen a function is not "there is none".
@test "a function whose vendor cannot be read, and a list that ends early, are said" {
	add_function $GPU 10de:2331 030200 --group 1
	add_function 0000:02:00.0 10de:2331 030200 --group 2
	FAKE_FAIL=read:0000:02:00.0/vendor:EIO nvfio list -rno bdf
	assert_status 1
	[[ $output == "$GPU" ]] || explain "the other one is missing"
	assert_log '0000:02:00.0: could not be looked at: Input/output error'
	FAKE_FAIL=list:sys/bus/pci/devices:EIO nvfio list
	assert_status 1
	assert_log 'cannot list PCI functions: Input/output error'
	FAKE_FAIL=list:iommu_groups/1/devices:EIO nvfio list -a -rno bdf
	assert_status 1
	assert_log "$GPU: could not be looked at: Input/output error"
}

@test "300 functions: no process is started, no descriptor kept" {
	add_300_functions
	hold /dev/nvidia3 4242
	without_processes nvfio list -n
	assert_quiet
	(($(wc -l <<<"$output") == 300)) || explain "these are not 300"
}

# What the kernel sees of it, and not the C library alone.
@test "no process is started, as seen by strace" {
	add_card 0000:01:00 --native
	add_function 0000:02:00.0 10de:2331 030200 --group 2 --driver nvidia
	nvidia_node 0000:02:00.0 0
	hold /dev/nvidia0 4242
	set_config <<-END
		[policy]
		takeover = idle
	END
	# A sanitizer's look for leaks is no process of ours, and does not work under ptrace(2).
	ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 \
		NVFIO_UNDER="/usr/bin/strace -f -qq -e trace=process -o $BATS_TEST_TMPDIR/trace" nvfio list -aTO
	assert_status 0
	[[ $(sed -E 's/^[0-9]+ +//; s/\(.*//' "$BATS_TEST_TMPDIR/trace") == $'execve\nexit_group' ]] ||
		explain "there is more:" "$(cat "$BATS_TEST_TMPDIR/trace")"
}

# cost VFS: lists a PF with so many VFs; sets $own to how many operations that took on them, and $others to those on
# everything else, each with its number.
cost() {
	local i
	new_tree_again
	add_function 0000:02:00.0 10de:2235 030200 --driver nvidia --group 10 --sriov 64
	for ((i = 0; i < $1; i++)); do
		add_function "0000:03:$(printf '%02x.%d' $((i / 8)) $((i % 8)))" 10de:2235 030200 --vf-of 0000:02:00.0 --group 1$i
	done
	FAKE_COUNT=1 nvfio list -rn
	assert_status 0
	(($(wc -l <<<"$output") == $1 + 1)) || explain "these are not all"
	own=$(grep -c '0000:03:' "$TREE/.fake_ops")
	others=$(grep -v '0000:03:' "$TREE/.fake_ops" | cut -d ' ' -f 2- |
		grep -vE ' (run/nvfio|(sys/class/mdev_bus|proc/driver/nvidia/gpus)/0000:02:00.0(/unbindLock)?)$' | sort | uniq -c)
}

new_tree_again() {
	rm -rf "$TREE"
	new_tree
}

@test "a VF more costs what is read of itself, and not its PF, the configuration or the modules once more" {
	local own others own_few others_few
	cost 8
	own_few=$own others_few=$others
	cost 32
	[[ $others == "$others_few" ]] || explain "more of the same:" "$(diff <(echo "$others_few") <(echo "$others"))"
	((own == own_few * 4)) || explain "$own_few operations for 8, and $own for 32"
	((own <= 32 * 40)) || explain "more than 40 operations a VF: $own for 32"
}

# What is kept from function to function is the answer for that model, that pinned driver, that PF.
@test "functions alike and unlike, side by side, are told apart" {
	rm -rf "$TREE"
	new_tree variant
	add_function 0000:01:00.0 10de:2331 030200 --group 1
	add_function 0000:02:00.0 10de:2342 030200 --group 2
	add_function 0000:03:00.0 10de:2331 030200 --group 3
	add_function 0000:04:00.0 10de:2342 030200 --group 4
	add_function 0000:05:00.0 10de:2342 030200 --group 5
	add_function 0000:06:00.0 10de:2235 030200 --driver nvidia --group 6 --sriov 4
	add_function 0000:07:00.0 10de:2235 030200 --driver nvidia --group 7 --sriov 4
	add_function 0000:06:00.4 10de:2235 030200 --vf-of 0000:06:00.0 --group 64
	add_function 0000:07:00.4 10de:2235 030200 --vf-of 0000:07:00.0 --group 74
	add_function 0000:06:00.5 10de:2235 030200 --vf-of 0000:06:00.0 --group 65
	add_function 0000:07:00.5 10de:2235 030200 --vf-of 0000:07:00.0 --group 75
	set_config <<-END
		[device 0000:05:00.0]
		driver = vfio-pci
		[device 0000:07:00.0]
		vf = native
	END
	nvfio list -rno bdf,wanted
	assert_quiet
	assert_output <<-'END'
		0000:01:00.0 vfio-pci
		0000:02:00.0 nvfio_test_variant
		0000:03:00.0 vfio-pci
		0000:04:00.0 nvfio_test_variant
		0000:05:00.0 vfio-pci
		0000:06:00.0 native
		0000:06:00.4 vfio-pci
		0000:06:00.5 vfio-pci
		0000:07:00.0 native
		0000:07:00.4 native
		0000:07:00.5 native
	END
}

@test "firmware's framebuffer is on one of the GPUs" {
	add_function 0000:01:00.0 10de:2331 030000 --group 1
	add_function 0000:02:00.0 10de:2331 030000 --group 2
	add_function 0000:03:00.0 10de:2331 030000 --group 3
	printf 'c0000000-febfffff : PCI Bus 0000:00\n  c0000000-cfffffff : 0000:01:00.0\n  d0000000-dfffffff : 0000:02:00.0\n    d0000000-d02fffff : efifb\n  e0000000-efffffff : 0000:03:00.0\n' \
		>"$TREE/proc/iomem"
	nvfio list -rno bdf,reason
	assert_output <<-'END'
		0000:01:00.0 no-driver
		0000:02:00.0 console
		0000:03:00.0 no-driver
	END
}

@test "only what is shown is looked for" {
	add_bridge 0000:00:01.0
	add_card 0000:01:00
	FAKE_COUNT=1 nvfio list
	! grep -E 'readlink sys/bus/pci/devices' "$TREE/.fake_ops" >&2 || explain "the tree is not shown"
	FAKE_COUNT=1 nvfio list -T
	grep -q 'readlink sys/bus/pci/devices' "$TREE/.fake_ops" || explain "this is where it is read"
}

@test "a terminal of 40 columns: words are cut, addresses and states are not" {
	local out
	two_cards
	out=$(env -i TERM=dumb script -qec "stty cols 40; $(printf %q "$NVFIO") --sysroot=$(printf %q "$TREE")" /dev/null \
		</dev/null | tr -d '\r') || explain "it failed: $out"
	output=$out
	(($(wc -l <<<"$out") == 8)) || explain "these are not 8 lines"
	[[ $(awk 'NR > 1 { print $1 }' <<<"$out") == $(nvfio -rno bdf && echo "$output") ]] || explain "addresses are cut"
	! grep -q 'GeForce RTX 3090' <<<"$out" || explain "nothing was cut"
	(($(grep -Ec ' (left|bound) ' <<<"$out") == 7)) || explain "states are cut"
}

@test "a UTF-8 locale draws the tree with lines, and plain ASCII none" {
	pf_with_vfs
	nvfio -To bdf
	[[ $output == *'`-0000:02:00.0'* ]] || explain "this is not ASCII"
	NVFIO_UNDER="/usr/bin/env LC_ALL=C.UTF-8" nvfio -To bdf
	[[ $output == *'└─0000:02:00.0'* ]] || explain "these are no lines"
}

@test "control characters of a name do not reach the terminal" {
	add_function $GPU 10de:2331 030200 --group 1
	udev_says $GPU left configured '' $'a\x1b[31mname'
	nvfio -o bdf,name
	[[ $output != *$'\x1b'* ]] || explain "an escape sequence came through"
	assert_says 'name'
}

# as_nobody ARGUMENT...: without the fake kernel, which keeps its books in the tree.
as_nobody() {
	command=(as_nobody "$@") status=0
	install -m 755 "$NVFIO" "$BATS_TEST_TMPDIR/nvfio"
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	env -i setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/nvfio" --sysroot="$TREE" "$@" \
		</dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	output=$(<"$BATS_TEST_TMPDIR/out") log=$(<"$BATS_TEST_TMPDIR/err")
}

@test "not as root: the same" {
	local want
	two_cards
	make_record 0000:01:00.0 acting
	nvfio -aTO
	want=$output
	as_nobody -aTO
	assert_quiet
	[[ $output == "$want" ]] || explain "it is not the same as root's:" "$want"
}

@test "not as root, and the configuration is root's alone: an error" {
	two_cards
	chmod 600 "$TREE/etc/nvfio.conf"
	as_nobody
	assert_error 1 'only root can read this configuration'
}

# --- bad input ------------------------------------------------------------------------------------------------------

# assert_error STATUS TEXT: said on standard error alone; and as JSON with the same words in the field.
assert_error() {
	assert_status "$1"
	assert_log "$2"
	[[ -z $output ]] || explain "something was printed"
}

@test "no NVIDIA function: said, no error" {
	nvfio
	assert_status 0
	assert_log 'there is no NVIDIA function'
	nvfio --json
	assert_status 0
	[[ $(tr -d ' \n' <<<"$output") == '{"functions":[]}' ]] || explain "this is no empty list"
	[[ $log == '{"warning":{"code":"none","about":null,"message":"there is no NVIDIA function"}}' ]] || explain "this is no JSON"
}

@test "no PCI at all: an error" {
	rm -r "$TREE/sys/bus/pci/devices"
	nvfio
	assert_error 1 'cannot list PCI functions'
}

@test "wrong words and options, in words and as JSON" {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		nvfio ${line%%|*}
		assert_error 2 "${line#*|}"
		# shellcheck disable=SC2086
		nvfio --json ${line%%|*}
		assert_status 2
		[[ -z $output && $log == '{"error":{"code":"usage","about":'*'}}' && $log != *$'\n'* ]] || explain "this is no JSON"
	done <<-'END'
		frobnicate|frobnicate: no such verb
		bind|which functions?
		list here|nvfio list takes no arguments
		--colour|--colour: no such option
		-Z|-Z: no such option
		-o|-o: no such option
		--tree=yes|superfluous
		-o bdf,,state|no such column: ''
		-o bdf,|no such column: ''
		-o +|no such column: ''
		-o flavour|no such column: 'flavour'; there are BDF,ROLE,
		--sort flavour|no such column
		--event hotplug|--event: no option of nvfio list
		--raw --pairs|exclude each other
		--tree --raw|--tree is for tables
		config --tree|--tree: no option of nvfio config
	END
}

@test "a function that vanishes while it is looked at is not shown, the others are" {
	add_card 0000:01:00 --native
	FAKE_HOOK="open:$SND/class remove $SND" nvfio -rno bdf
	assert_status 0
	[[ -z $log && ! -e $TREE/sys/bus/pci/devices/$SND ]] || explain "it complained, or nothing vanished"
	[[ $output == "$GPU"$'\n'"$USB" ]] || explain "these are others"
}

@test "an attribute no kernel prints: named, the other functions are shown" {
	add_card 0000:01:00 --native
	set_attribute $SND class '0x0403\0000\n'
	nvfio -rno bdf
	assert_status 4
	[[ $output == "$GPU"$'\n'"$USB" ]] || explain "these are others"
	assert_log "$SND: attribute class is not what a kernel prints"
	nvfio --json -o bdf
	assert_status 4
	[[ $log == '{"error":{"code":"bad-attribute","about":"0000:01:00.1",'*'}}' ]] || explain "this is no JSON"
}

# Through a shell, as under_kernel gives it a file to write to.
run_to() {
	log=$(eval "env -i ASAN_OPTIONS=verify_asan_link_order=0 \"\$NVFIO\" --sysroot=\"\$TREE\" $1 2>&1 >$2 </dev/null") && status=0 || status=$?
	output=''
}

@test "standard output that is closed or full is an error, not a success" {
	local verb
	two_cards
	for verb in list '--json' '--help' '--version' config "explain $GPU" "explain --json $GPU"; do
		run_to "$verb" '&-'
		assert_error 1 'standard output is closed'
		run_to "$verb" /dev/full
		assert_error 1 'cannot write to standard output: No space left on device'
	done
	run_to '--json' '&-'
	[[ $log == '{"error":{"code":"output",'*'}}' ]] || explain "this is no JSON"
}
