#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: pciehp
#
# An audio function that snd_hda_intel is still probing. Its remove() gives up the device lock while it waits for that
# probe; whoever ejects the card then releases the function a second time, and the kernel dies of it, with the lock held.
# So nvfio waits for the probe and not in remove(). The probe is held by the module of its codec, which comes when we say.

load ../guest/lib

setup_file()
{
	bench_reset
	GPU=$(bdf_of h) SND=$(bdf_of h 1)
	export GPU SND
	mkfifo "$BENCH/codec.go"
	cat >"$BENCH/modprobe" <<-END
		#!/bin/bash
		if [[ \$* == *hdaudio:* ]]; then
			: >$BENCH/codec.asked
			read -r _ <$BENCH/codec.go
		fi
		exec /sbin/modprobe "\$@"
	END
	chmod +x "$BENCH/modprobe"
	echo "$BENCH/modprobe" >/proc/sys/kernel/modprobe
	echo "${GPU#0000:}=${KIND_ID[gpu]}" >"$IDS"
	echo "${SND#0000:}=${KIND_ID[audio]}" >"$IDS"
}

teardown_file()
{
	echo /sbin/modprobe >/proc/sys/kernel/modprobe
}

# The kernel's own eject, without the emulator's part.
take_out()
{
	echo 1 >"$SYS/$1/remove"
}

# card_appears: both functions anew, with the codec of the audio function not answering yet.
card_appears()
{
	local func

	for func in "$SND" "$GPU"; do
		[[ ! -e $SYS/$func ]] || take_out "$func"
	done
	modprobe -r snd_hda_intel snd_hda_codec_generic
	modprobe -a nvidia snd_hda_intel
	records_reset
	rm -f "$BENCH/codec.asked"
	echo 1 >/sys/bus/pci/rescan
	wait_for 20 test -e "$BENCH/codec.asked"
}

codec_answers()
{
	echo >"$BENCH/codec.go"
}

# waiting_in FUNCTION NAME: how many processes of that name wait there in the kernel.
waiting_in()
{
	local dir n=0

	for dir in /proc/[0-9]*; do
		{ [[ $(<"$dir/comm") == "$2" ]] && grep -q "$1" "$dir/stack"; } 2>/dev/null && n=$((n + 1))
	done
	echo "$n"
}

# The parent waits for the acting process, and that for the probe, both in poll().
waits_for_probe()
{
	[[ $(waiting_in poll nvfio-udev) -eq 2 && -z $(records_of "$SND") ]]
}

ejecting()
{
	[[ $(waiting_in azx_remove bash) -eq 1 ]]
}

@test "a function that is still probed is not unbound before that is over" {
	card_appears
	wait_for 20 driver_is "$GPU" vfio-pci
	wait_for 20 waits_for_probe
	[[ $(waiting_in azx_remove nvfio-udev) -eq 0 ]]
	driver_is "$SND" snd_hda_intel
	[[ ! -e $SYS/$SND/sound ]]
	codec_answers
	wait_for 20 driver_is "$SND" vfio-pci
	settle
	[[ $(state_of "$SND") == bound ]]
}

@test "and may be ejected meanwhile" {
	local taint

	taint=$(</proc/sys/kernel/tainted)
	card_appears
	wait_for 20 waits_for_probe
	# Held, so that it is not the quicker of the two that decides whether they meet.
	pkill -STOP -x nvfio-udev
	take_out "$SND" 3>&- &
	wait_for 20 ejecting
	codec_answers
	wait_for 20 gone "$SYS/$SND"
	pkill -CONT -x nvfio-udev
	settle
	wait_for 20 no_strays
	[[ $(records_of "$SND") == *"it went away at step await-probe"* ]]
	[[ $(</proc/sys/kernel/tainted) == "$taint" ]]
	take_out "$GPU"
	settle
}
