#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every single operation fails once, with every errno the kernel can give there. Whatever fails, the function ends where
# it was or where it is wanted, with a word about it, and the next event finds its way.
#
# A test runs its event once to count the operations. Then, with SOAK=1, each of them fails with each errno of its kind.
# Without it, one errno is tried of those that change something and of every third of the others, each day another
# (FAULT_TURN, the day of the year).
# shellcheck disable=SC2154 # status, output and log are set by lib/helper.bash

bats_require_minimum_version 1.5.0
load lib/tree.bash
load lib/helper.bash

GPU=0000:01:00.0
SND=0000:01:00.1
VF=0000:01:00.4
FAULT_TURN=${FAULT_TURN:-$(date +%-j)}

setup() {
	new_tree
}

teardown() {
	end_all
}

# errnos_of OP PATH: what the kernel can answer there. Sets $errnos. SHORT is half the work.
errnos_of() {
	case "$1 $2" in
	"mkdir run/"*) errnos=(ENOSPC EROFS EACCES EPERM ENOMEM EIO EDQUOT ENOENT) ;;
	"open run/"*.new) errnos=(ENOSPC EROFS EACCES EPERM ENOMEM EIO EDQUOT EMFILE ENFILE EEXIST ENOENT) ;;
	"open run/"*.lock) errnos=(ENOSPC EROFS EACCES EPERM ENOMEM EIO EDQUOT EMFILE ENFILE ELOOP ENOENT) ;;
	# A link in a record's place is no error of reading it: 55-run.bats.
	"open run/"*) errnos=(EACCES EPERM ENOMEM EIO EMFILE ENFILE ENOENT) ;;
	"write run/"*) errnos=(ENOSPC EIO EDQUOT EFBIG EINTR ENOMEM SHORT) ;;
	"rename run/"*) errnos=(ENOSPC EROFS EACCES EPERM ENOMEM EIO EDQUOT EBUSY ENOENT) ;;
	"unlink run/"*) errnos=(EROFS EACCES EPERM ENOMEM EIO EBUSY ENOENT) ;;
	"lock "*) errnos=(EAGAIN EACCES ENOLCK EINTR ENOMEM EIO) ;;
	"getlk "*) errnos=(ENOLCK EINTR ENOMEM EIO) ;;
	"write "*) errnos=(EIO ENODEV ENOENT EBUSY EAGAIN EPERM EACCES ENOMEM EINTR EINVAL SHORT) ;;
	"read proc/"* | "list proc/"*) errnos=(EIO ENOENT ESRCH EPERM EACCES EAGAIN ENOMEM EINTR) ;;
	"read sys/"*) errnos=(EIO ENODEV ENOENT EBUSY EAGAIN EPERM EACCES ENOMEM EINTR EINVAL SHORT) ;;
	"read "* | "list "*) errnos=(EIO ENODEV ENOENT EAGAIN ENOMEM EINTR) ;;
	"open proc/"*) errnos=(EIO ENOENT ESRCH EPERM EACCES EAGAIN ENOMEM EMFILE ENFILE) ;;
	"open "*) errnos=(EIO ENODEV ENOENT EBUSY EAGAIN EPERM EACCES ENOMEM EMFILE ENFILE EINTR) ;;
	"readlink "* | "access "*) errnos=(EIO ENOENT EACCES EPERM ENOMEM) ;;
	fork*) errnos=(EAGAIN ENOMEM EPERM) ;;
	pipe*) errnos=(EMFILE ENFILE ENOMEM) ;;
	socket*) errnos=(EMFILE ENFILE ENOMEM ENOBUFS EACCES EPERM EAFNOSUPPORT) ;;
	module*) errnos=(EIO ENOENT ENODEV EBUSY EAGAIN EPERM EACCES ENOMEM EMFILE ENOEXEC) ;;
	*) explain "no errnos are known for: $1 $2" ;;
	esac
}

# fail_each CHECK COMMAND...: CHECK after COMMAND with $op on $path having failed with $error.
fail_each() {
	local check=$1 n count op path error errnos all
	shift
	save_tree
	FAKE_COUNT=1 "$@"
	mapfile -t all <"$TREE/.fake_ops"
	count=${#all[@]}
	((count > 5)) || explain "only $count operations"
	for ((n = 1; n <= count; n++)); do
		read -r _ op path <<<"${all[n - 1]}"
		errnos_of "$op" "$path"
		choose_errnos
		for error in "${errnos[@]}"; do
			restore_tree
			[[ $(type -t begin) != function ]] || begin
			FAKE_FAIL=$n:$error "$@"
			$check || failures+=("$n of $count, $op $path, failed with $error")
		done
	done
	((${#failures[@]} == 0)) || explain "${#failures[@]} faults were not borne (FAULT_TURN=$FAULT_TURN):" "${failures[@]}"
}

# Without SOAK: one errno for what changes something, and for every third look, each day other ones.
choose_errnos() {
	[[ ! ${SOAK-} ]] || return 0
	if [[ $op == @(open|read|list|access|readlink|getlk|module) && $path != *driver_override ]] &&
		(((FAULT_TURN + n) % 3 != 0)); then
		errnos=()
	else
		errnos=("${errnos[(FAULT_TURN / 3 + n) % ${#errnos[@]}]}")
	fi
}

# --- what has to hold whatever failed -------------------------------------------------------------------------------

# Whether the errno may just as well be news: what is looked for is not there, or not any more.
is_news() {
	[[ $error == ENOENT || $error == ENODEV || $error == ESRCH || $error == SHORT ]]
}

is_wanted() {
	[[ $(driver_of "$1") == vfio-pci && $(override_of "$1") == vfio-pci ]] && on_vfio "$1"
}

# as_before BDF DRIVER OVERRIDE: nothing, or what the record says, was changed.
as_before() {
	local driver override
	driver=$(driver_of "$1") override=$(override_of "$1")
	[[ $driver == "$2" && $override == "$3" ]] && return
	[[ -e $TREE/run/nvfio/$1 ]] || explain "$1 is on '$driver' with override '$override', and there is no record" || return
	[[ $log ]] || explain "$1 is on '$driver' with override '$override', and not a word" || return
	# Off its driver only where giving it back failed as well.
	is_news && [[ $log == *"went away"* ]] && return
	[[ $driver == "$2" || $log == *"failed too"* || $log == *"giving "*fail* ]] ||
		explain "$1 is on '$driver', and the record does not say why"
}

# The exit status and the record fit each other and what failed.
told() {
	local state
	state=$(prop NVFIO_STATE)
	case $status in
	0)
		[[ $state == @(bound|claimed|left|deferred|refused|failed) ]] || explain "status 0, and the state is '$state'" || return
		;;
	1) ;;
	# Two paths of which one alone leads to the function are no function's.
	2) [[ $error == ENOENT && $op == open && $path == sys/*/????:??:??.? ]] || explain "exit status is 2" || return ;;
	3) is_news || explain "gone, it says" || return ;;
	4) [[ $op == @(open|read) && $path == sys/devices/* ]] || explain "no attribute was wrong" || return ;;
	*) explain "exit status is $status" || return ;;
	esac
	[[ $status == 0 && $state == @(bound|claimed) || $log ]] || explain "status $status, state '$state', and not a word" || return
	[[ $status != 1 || $log == *": "* ]] || explain "no reason is given" || return
	[[ $state != failed ]] || [[ $log == *"step="* && $log == *"errno="* ]] || explain "the record names no step" || return
	# The errno is the one that the kernel gave, unless it has a meaning of its own there.
	[[ $state != failed || $log == *"errno=$(errno_number)"* || $error == @(SHORT|ENOENT|EBUSY|EAGAIN|ENODEV|EXDEV) ]] ||
		[[ ${expected_failure-} && $log == *"$expected_failure"* ]] ||
		# A process that was not to be had is told by what was wanted of it; libkmod has no errno for a missing context.
		[[ $op == @(fork|pipe|module) ]] || explain "the record does not name $error"
}

# As the record has it.
errno_number() {
	local -A number=([EPERM]=1 [ENOENT]=2 [ESRCH]=3 [EINTR]=4 [EIO]=5 [ENOEXEC]=8 [EAGAIN]=11 [ENOMEM]=12 [EACCES]=13
		[EBUSY]=16 [EEXIST]=17 [ENODEV]=19 [EINVAL]=22 [ENFILE]=23 [EMFILE]=24 [EFBIG]=27 [ENOSPC]=28 [EROFS]=30
		[ENOLCK]=37 [ELOOP]=40 [EAFNOSUPPORT]=97 [ENOBUFS]=105 [EDQUOT]=122 [SHORT]=5)
	printf '%d' "${number[$error]}"
}

# Nothing is in /run/nvfio but records, locks, properties, what was said, and what was noted of the host's modules.
run_is_clean() {
	local file
	for file in "$TREE"/run/nvfio/.[!.]* "$TREE"/run/nvfio/*; do
		[[ ! -e $file || $file =~ /(said-[^/]*|modules|[0-9a-f:]+\.[0-7](\.lock|\.properties)?)$ ]] || explain "left behind: $file" || return
	done
}

# The properties of the last event as udev keeps them.
next_event() {
	local state reason
	state=$(prop NVFIO_STATE) reason=$(prop NVFIO_REASON)
	((status == 0)) || state=failed reason=''
	reapply --state "$state" --reason "$reason" "$1"
}

# Where a function is to be taken.
taken() {
	local bdf=$1
	told || return
	if is_wanted "$bdf"; then
		[[ -e $TREE/run/nvfio/$bdf ]] || explain "no record of what was there before" || return
	else
		((status != 0)) || [[ $(prop NVFIO_STATE) != bound ]] || explain "bound, it says" || return
		as_before "$bdf" "$native" "" || return
	fi
	next_event "$bdf"
	assert_state bound || return
	is_wanted "$bdf" || explain "not on VFIO at the second try" || return
	# Of a function on VFIO "acting" says the same: its last update is what failed.
	[[ -z $(record_of "$bdf" override) && $(record_of "$bdf" state) == @(acting|bound) ]] ||
		explain "the record is wrong" || return
	run_is_clean
}

# Where it is to stay as it was.
stays() {
	local bdf=$1
	told || return
	as_before "$bdf" "$native" "" || return
	next_event "$bdf"
	[[ $(driver_of "$bdf") == "$native" && -z $(override_of "$bdf") && -z $(records) ]] ||
		explain "not as before at the second try" || return
	run_is_clean
}

# Where nothing is even to be tried; a PF's native probing of new VFs is another matter. An errno that is news changes
# what is true.
untouched() {
	is_news && return
	told || return
	! grep -qv sriov_drivers_autoprobe < <(writes) || explain "something was written" || return
	run_is_clean
}

gpu_taken() { taken $GPU; }
gpu_stays() { stays $GPU; }

native_gpu() {
	native=nvidia failures=()
	set_config <<<$'[policy]\ntakeover = idle'
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia "$@"
	nvidia_node $GPU 0
}

# --- taking ---------------------------------------------------------------------------------------------------------

@test "a driverless GPU that the kernel does not match at first, with a companion to tell" {
	native='' failures=()
	add_function $GPU 10de:2331 030200 --group 1 --match-off 1
	add_function $SND 10de:22bc 040300 --group 1
	fail_each gpu_taken hotplug $GPU
}

@test "an idle GPU is taken from its native driver" {
	native_gpu
	unbind_lock $GPU
	fail_each gpu_taken hotplug $GPU
}

@test "a companion follows function 0" {
	native=snd_hda_intel failures=()
	set_config <<<$'[policy]\ntakeover = idle'
	add_function $GPU 10de:2331 030200 --group 1
	put_on_vfio $GPU
	add_function $SND 10de:22bc 040300 --group 1 --driver snd_hda_intel
	sound_node $SND card0 pcmC0D3p 116:4
	snd_taken() { taken $SND; }
	fail_each snd_taken follow_up $SND
}

@test "a VF is taken" {
	native='' failures=()
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	vf_taken() { taken $VF; }
	fail_each vf_taken hotplug $VF
}

# What the VF's event would find: its `bind`, or the one that was asked for. Sets $output to what becomes of it.
event_of_vf() {
	if [[ -e $TREE/run/nvfio/$VF.properties ]] && { on_vfio $VF || [[ $(uevents) == "$VF add "*" NVFIO=told" ]]; }; then
		output=$(<"$TREE/run/nvfio/$VF.properties")
	else
		output=$(printf 'NVFIO_%s="%s"\n' STATE claimed REASON with-pf)
	fi
	status=0
}

# Its exit status, which is about the PF, fits what failed.
vfs_ended() {
	case $status in
	0) ;;
	1) [[ $log ]] || explain "status 1, and not a word" ;;
	# Two paths of which one alone leads to the function are no function's.
	2) [[ $error == ENOENT && $op == open && $path == sys/*/????:??:??.? ]] || explain "exit status is 2" ;;
	3) is_news || explain "gone, it says" ;;
	4) [[ $op == @(open|read) && $path == sys/devices/* ]] || explain "no attribute was wrong" ;;
	*) explain "exit status is $status" ;;
	esac
}

# The VF lands, or is as before, and udev has or gets the truth about it; with its next event it lands.
vf_with_pf_taken() {
	vfs_ended || return
	if is_wanted $VF; then
		[[ -e $TREE/run/nvfio/$VF ]] || explain "no record of what was there before" || return
	else
		as_before $VF "" "" || return
		[[ $log || $(uevents) == "$VF add "*" NVFIO="@(told|come) ]] || is_news || explain "not a word, and it is told nothing" || return
	fi
	event_of_vf
	[[ $(prop NVFIO_STATE) != bound ]] || is_wanted $VF || explain "its event says that it is bound" || return
	[[ $(prop NVFIO_STATE) == bound ]] || ! is_wanted $VF || [[ $log ]] ||
		explain "it is on VFIO, its event says otherwise, and not a word" || return
	next_event $VF
	assert_state bound || return
	is_wanted $VF || explain "not on VFIO at the second try" || return
	run_is_clean
}

waiting_vf() {
	native='' failures=()
	add_function $GPU 10de:2331 030200 --group 1 --driver nvidia --sriov 16
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	udev_says $VF claimed with-pf
}

@test "a VF that waits for its PF is taken" {
	waiting_vf
	fail_each vf_with_pf_taken nvfio_udev vfs --seqnum=12 "$(syspath_of $GPU)"
}

@test "the bind of a VF that waited for its PF fails" {
	waiting_vf
	probe_fails $VF vfio-pci EINVAL
	vf_stays() {
		vfs_ended || return
		as_before $VF "" "" || return
		[[ $log || $(uevents) == "$VF add "*" NVFIO="@(told|come) ]] || is_news || explain "not a word, and it is told nothing" || return
		event_of_vf
		[[ $(prop NVFIO_STATE) != bound ]] || explain "its event says that it is bound" || return
		next_event $VF
		assert_state failed || return
		[[ -z $(driver_of $VF) && -z $(override_of $VF) && -z $(records) ]] || explain "not as before at the second try" || return
		run_is_clean
	}
	fail_each vf_stays nvfio_udev vfs --seqnum=12 "$(syspath_of $GPU)"
}

@test "a bind fails and is rolled back" {
	local expected_failure=errno=22
	native_gpu
	probe_fails $GPU vfio-pci EINVAL
	fail_each gpu_stays hotplug $GPU
}

# --- giving back ----------------------------------------------------------------------------------------------------

@test "an interrupted act is given back" {
	native_gpu --native nvidia
	rm "$(device_dir $GPU)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$GPU"
	set_attribute $GPU driver_override 'vfio-pci\n'
	set_config <<<$'[policy]\ngpu = native'
	# The record is of the directory's inode, which a copy of the tree does not keep.
	begin() { make_record $GPU acting driver=nvidia; }
	begin
	given_back() {
		# Without the configuration it is to be taken.
		[[ $error != ENOENT || $path != etc/* ]] || return 0
		told || return
		if [[ $(driver_of $GPU) != nvidia || $(override_of $GPU) ]]; then
			[[ $(record_of $GPU state) == acting && $log ]] || explain "neither given back nor on record" || return
		fi
		next_event $GPU
		[[ $(driver_of $GPU) == nvidia && -z $(override_of $GPU) && -z $(records) ]] ||
			explain "not given back at the second try" || return
		run_is_clean
	}
	fail_each given_back reapply $GPU
}

@test "a function that left is forgotten" {
	local path
	native='' failures=()
	add_function $GPU 10de:2331 030200 --group 1
	path=$(syspath_of $GPU)
	hotplug $GPU
	rm -rf "$(device_dir $GPU)" "$TREE/sys/bus/pci/devices/$GPU" "$TREE/sys/kernel/iommu_groups/1"
	# A killed writer's file goes, too.
	: >"$TREE/run/nvfio/.$GPU.new"
	forgotten() {
		((status == 0 || status == 1)) || explain "exit status is $status" || return
		((status == 0)) || [[ $log == *"/run/nvfio"* ]] || explain "not a word" || return
		# A lock that another holds is another's record, which stays.
		((status != 0)) || is_news || [[ $op == lock || ! -e $TREE/run/nvfio/$GPU && ! -e $TREE/run/nvfio/.$GPU.new ]] ||
			explain "its record stays, and the exit status is 0" || return
		[[ -z $(writes) ]] || explain "something was written" || return
		# What was not removed says nothing about who sits there next.
		add_function $GPU 10de:2331 030200 --group 1
		hotplug $GPU
		assert_state bound || return
		is_wanted $GPU || explain "the next one at the address is not taken"
		run_is_clean
	}
	fail_each forgotten nvfio_udev forget "$path"
}

# --- staying --------------------------------------------------------------------------------------------------------

@test "a PF's native probing is switched off" {
	native_gpu --sriov 4
	set_config <<<'[policy]'
	autoprobe_off() {
		told || return
		as_before $GPU nvidia "" || return
		[[ $(cat "$(device_dir $GPU)/sriov_drivers_autoprobe") == 1 || $(record_of $GPU autoprobe-off) == 1 ]] ||
			explain "an 'off' that will be taken for an administrator's" || return
		next_event $GPU
		assert_state deferred takeover || return
		[[ $(cat "$(device_dir $GPU)/sriov_drivers_autoprobe") == 0 && $(record_of $GPU autoprobe-off) == 1 ]] ||
			explain "not off at the second try" || return
		run_is_clean
	}
	fail_each autoprobe_off reapply $GPU
}

@test "a GPU in use is not taken for an answer that did not come" {
	native_gpu
	hold /dev/nvidia0 812
	fail_each untouched hotplug $GPU
}

# What says to keep away cannot be read: as good as what it says. The helper looks once or twice; the first look has to do.
gpu_with() {
	native='' failures=()
	add_function $GPU 10de:2331 030000 --group 1
	"$@"
}

@test "a boot VGA that cannot be seen to be one is not taken" {
	gpu_with set_attribute $GPU boot_vga '1\n'
	fail_each untouched hotplug $GPU
}

@test "a GPU that driverctl manages is not taken where that cannot be seen" {
	gpu_with mkdir -p "$TREE/etc/driverctl.d"
	printf 'nvidia\n' >"$TREE/etc/driverctl.d/pci-$GPU"
	fail_each untouched hotplug $GPU
}

@test "a GPU with an enabled display is not taken where that cannot be seen" {
	gpu_with drm_node $GPU card0 226:0
	connector $GPU card0 DP-1 enabled
	fail_each untouched hotplug $GPU
}

@test "a GPU with the firmware's framebuffer is not taken where that cannot be seen" {
	gpu_with true
	printf 'd0000000-d1ffffff : %s\n  d0000000-d07e8fff : efifb\n' $GPU >"$TREE/proc/iomem"
	fail_each untouched hotplug $GPU
}

@test "a GPU with somebody's override is not taken where that cannot be seen" {
	gpu_with set_attribute $GPU driver_override 'none\n'
	fail_each untouched hotplug $GPU
}

@test "a released GPU is not taken where its record cannot be read" {
	gpu_with true
	# The record is of the directory's inode, which a copy of the tree does not keep.
	begin() { make_record $GPU released; }
	begin
	fail_each untouched hotplug $GPU
}

@test "nothing is taken with nvfio=off where that cannot be read" {
	gpu_with kernel_command_line quiet nvfio=off
	fail_each untouched hotplug $GPU
}

@test "a PF with VFs is not taken where they cannot be seen" {
	native_gpu --sriov 4
	add_function $VF 10de:2331 030200 --group 4 --vf-of $GPU
	fail_each untouched hotplug $GPU
}

@test "a GPU that a thread alone has open is not taken where that cannot be seen" {
	native_gpu
	mkdir -p "$TREE/proc/812/task/813/fd"
	printf 'holder\n' >"$TREE/proc/812/comm"
	ln -s "$TREE/dev/nvidia0" "$TREE/proc/812/task/813/fd/3"
	fail_each untouched hotplug $GPU
}

@test "a companion with a USB stick is not taken where that cannot be seen" {
	native='' failures=()
	add_card 0000:01:00 --native
	rm "$(device_dir $GPU)/driver" "$TREE/sys/bus/pci/drivers/nvidia/$GPU"
	put_on_vfio $GPU
	usb_device 0000:01:00.2
	fail_each untouched hotplug 0000:01:00.2
}
