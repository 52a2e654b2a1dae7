#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs nvfio-udev on the fake tree as udevd would (no environment, stdin /dev/null) and asserts what came of it. Needs
# tree.bash. What failed is shown with the command, its output and the writes: no test needs a second run to be read.

NVFIO_UDEV=${NVFIO_UDEV:-$REPO_DIR/build/nvfio-udev}
NVFIO=${NVFIO:-$REPO_DIR/build/nvfio}
# An hour on: what libkmod answers is noted at once, and not where a slow machine has let the modules of the tree grow old.
FAKE_CLOCK=${FAKE_CLOCK-3600}

# Runs a program under the fake kernel; the FAKE_ variables of the caller reach it. Sets
# $status, $output (stdout) and $log (stderr). Through files, not pipes, and new ones each time (stdout.1, stderr.1,
# ...): an acting child may outlive its parent.
under_kernel() {
	local name vars=() out err
	run_number=$((${run_number-0} + 1))
	out=$BATS_TEST_TMPDIR/stdout.$run_number err=$BATS_TEST_TMPDIR/stderr.$run_number
	# A sanitizer's library cannot come first where the fake kernel does.
	vars=("ASAN_OPTIONS=${ASAN_OPTIONS-verify_asan_link_order=0}")
	for name in FAKE_FAIL FAKE_HOOK FAKE_BLOCK FAKE_BLOCK_MAX FAKE_COUNT FAKE_CLOCK; do
		[[ -v $name ]] && vars+=("$name=${!name}")
	done
	command=("$@")
	status=0
	rm -f "$TREE/.fake_counter" "$TREE/.fake_ops"
	# NVFIO_UNDER: words before the program, such as "valgrind -q --error-exitcode=99".
	# shellcheck disable=SC2086
	env -i "${vars[@]}" FAKE_ROOT="$TREE" LD_PRELOAD="$FAKES_DIR/fakekernel.so" ${NVFIO_UNDER-} "$@" \
		</dev/null >"$out" 2>"$err" || status=$?
	output=$(<"$out") log=$(<"$err")
}

# nvfio_udev VERB ARGUMENT...: the helper with nothing added but the tree.
nvfio_udev() {
	local verb=$1
	shift
	under_kernel "$NVFIO_UDEV" "$verb" --sysroot="$TREE" "$@"
}

# nvfio ARGUMENT...: the operator's command on the tree.
nvfio() {
	under_kernel "$NVFIO" --sysroot="$TREE" "$@"
}

# The arguments as the rules pass them. [--decide] ACTION [--synth U] [--seqnum N] [--follow-up V] [--state S]
# [--reason R] [--admin A] BDF
nvfio_event() {
	local verb=event synth='' seqnum=12 follow_up='' state='' reason='' admin='' action bdf
	if [[ $1 == --decide ]]; then
		verb=decide && shift
	fi
	action=$1
	shift
	while (($# > 1)); do
		case $1 in
		--synth) synth=$2 ;;
		--seqnum) seqnum=$2 ;;
		--follow-up) follow_up=$2 ;;
		--state) state=$2 ;;
		--reason) reason=$2 ;;
		--admin) admin=$2 ;;
		*) echo "nvfio_event: what is $1?" >&2 && return 1 ;;
		esac
		shift 2
	done
	bdf=$1 state_before=$state
	nvfio_udev "$verb" "--action=$action" "--synth=$synth" "--seqnum=$seqnum" "--follow-up=$follow_up" \
		"--state=$state" "--reason=$reason" "--admin=$admin" "$(syspath_of "$bdf")"
}

nvfio_decide() {
	nvfio_event --decide "$@"
}

# The kinds of event, by their names in the documentation.
hotplug() { nvfio_event add "$@"; }
coldplug() { nvfio_event add --synth 0 "$@"; }
reapply() { nvfio_event change --synth 0 "$@"; }
follow_up() { nvfio_event change --synth 11111111-2222-4333-8444-555555555555 --follow-up 1 "$@"; }
release() { nvfio_event unbind "$@"; }

# --- asserting ------------------------------------------------------------------------------------------------------

# explain MESSAGE...: fails, and says all there is to know.
explain() {
	{
		printf '%s\n' "$@"
		printf -- '--- command:'
		printf ' %.200q' "${command[@]-none}"
		printf '\n--- status: %s\n--- stdout:\n%s\n--- stderr:\n%s\n' "${status-}" "${output-}" "${log-}"
		printf -- '--- writes:\n%s\n' "$(writes)"
		[[ ! -e $TREE/.fake_uevents ]] || printf -- '--- uevents:\n%s\n' "$(uevents)"
		[[ ! -e $TREE/.fake_blocked ]] || printf -- '--- blocked:\n%s\n' "$(cat "$TREE/.fake_blocked")"
	} >&2
	return 1
}

# The value of a property the helper printed, without quotes.
prop() {
	local value
	value=$(sed -n "s/^$1=//p" <<<"$output")
	value=${value#\"}
	printf '%s\n' "${value%\"}"
}

assert_status() {
	((status == $1)) || explain "exit status is $status, not $1"
}

# assert_output <<EOF: exactly this on standard output, but for blanks at the ends of lines.
assert_output() {
	local want got
	# shellcheck disable=SC2001 # of each line
	want=$(cat) got=$(sed 's/ *$//' <<<"$output")
	[[ $got == "$want" ]] || explain "the output is not:" "$(diff -u <(printf '%s\n' "$want") <(printf '%s\n' "$got"))"
}

# assert_says TEXT: standard output contains it.
assert_says() {
	[[ $output == *"$1"* ]] || explain "the output does not say: $1"
}

# assert_state STATE [REASON]: also that the helper said so without failing.
assert_state() {
	((status == 0)) || explain "exit status is $status, not 0" || return
	[[ $(prop NVFIO_STATE) == "$1" ]] || explain "state is '$(prop NVFIO_STATE)', not '$1'" || return
	[[ $# == 1 || $(prop NVFIO_REASON) == "$2" ]] || explain "reason is '$(prop NVFIO_REASON)', not '$2'"
}

# assert_verdict VERDICT REASON: likewise of a mere judgement, which leads to no state.
assert_verdict() {
	((status == 0)) || explain "exit status is $status, not 0" || return
	[[ $(prop NVFIO_VERDICT) == "$1" ]] || explain "verdict is '$(prop NVFIO_VERDICT)', not '$1'" || return
	[[ $(prop NVFIO_REASON) == "$2" ]] || explain "reason is '$(prop NVFIO_REASON)', not '$2'" || return
	[[ $(prop NVFIO_STATE) == "$state_before" ]] || explain "a judgement alone changes no state"
}

# assert_writes LINE...: exactly these, in this order; "PATH VALUE" with one space for the tab.
assert_writes() {
	local want got
	want=$(printf '%s\n' "$@")
	got=$(writes | tr '\t' ' ')
	[[ $got == "$want" ]] || explain "writes are not:" "$want"
}

# Nothing was written to any device, and nothing recorded.
assert_untouched() {
	[[ -z $(writes) ]] || explain "something was written"
	[[ -z $(records) ]] || explain "there are records: $(records)"
}

assert_driver() {
	[[ $(driver_of "$1") == "$2" ]] || explain "driver of $1 is '$(driver_of "$1")', not '$2'"
}

assert_override() {
	[[ $(override_of "$1") == "$2" ]] || explain "override of $1 is '$(override_of "$1")', not '$2'"
}

assert_on_vfio() {
	assert_driver "$1" "${2:-vfio-pci}"
	on_vfio "$1" || explain "$1 has no vfio-dev"
}

# assert_log TEXT: the log says it.
assert_log() {
	[[ $log == *"$1"* ]] || explain "the log does not say: $1"
}

refute_log() {
	[[ $log != *"$1"* ]] || explain "the log says: $1"
}

# wait_until COMMAND...: polls with a deadline of 10 seconds.
wait_until() {
	local i
	for ((i = 0; i < 1000; i++)); do
		"$@" && return
		read -rt 0.01 <><(:) || :
	done
	explain "never became true: $*"
}

# In teardown: lets blocked children go and ends the lock holders, so that nothing outlives its test.
end_all() {
	[[ ! -d ${TREE-} ]] || : >"$TREE/.fake_release"
	if [[ ${LOCK_PID-} ]]; then
		kill "$LOCK_PID" 2>/dev/null || :
	fi
}

# lock_function BDF: somebody acts on it right now.
lock_function() {
	mkdir -p "$TREE/run/nvfio"
	mkfifo "$BATS_TEST_TMPDIR/lock-in"
	"$FAKES_DIR/client" lock "$TREE/run/nvfio/$1.lock" <"$BATS_TEST_TMPDIR/lock-in" \
		>"$BATS_TEST_TMPDIR/lock-out" 3>&- &
	LOCK_PID=$!
	# shellcheck disable=SC2034 # kept open: the lock lasts as long as the holder's input
	exec {LOCK_IN}>"$BATS_TEST_TMPDIR/lock-in"
	wait_until grep -q locked "$BATS_TEST_TMPDIR/lock-out"
}
