#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 3 --timeout 600
#
# vfmig check, and what send finds out before it stops anything: nobody waits at the other end,
# or with devices that do not fit. The source's devices are not touched then, recv goes on
# waiting, and the link can be used.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

# The devices of this host run, and have never done anything else.
untouched()
{
	local bdf log

	all_in RUNNING "${ALL[@]}" || return 1
	for bdf in "${ALL[@]}"; do
		log=$(knob "$bdf" arcs_log)
		[[ -z $log ]] || { echo "$bdf: $log"; return 1; }
	done
}

link_is()
{
	local states

	states=$(link_states)
	[[ $states == "$1" ]] || { echo "the link is $states"; return 1; }
}

# recv_waits [OPTION...]: on host b.
recv_waits()
{
	recv_start "$@"
	on b wait_for 20 session_reached ready || { echo "recv is not ready"; return 1; }
}

recv_ends()
{
	recv_signal INT
	recv_wait
	on b host_becomes_clean
}

# fits [OPTION...]: vfmig check says so, and leaves nothing behind.
# shellcheck disable=SC2120 # check gives it some
fits()
{
	# shellcheck disable=SC2046 # one argument per handle
	vfmig check "$@" "$LINK" $(handles) >/tmp/check.out 2>/tmp/check.err && untouched &&
		on b session_reached ready && return
	cat /tmp/check.out /tmp/check.err
	return 1
}

# refuses WORDS COMMAND [OPTION...]: check or send does, with these words.
refuses()
{
	local words=$1 rc=0

	shift
	# shellcheck disable=SC2046 # one argument per handle
	vfmig "$@" "$LINK" $(handles) >/tmp/refuses.out 2>/tmp/refuses.err || rc=$?
	if [[ $rc == 2 ]] && grep -Eq -- "$words" /tmp/refuses.err; then
		untouched && host_becomes_clean
		return
	fi
	echo "exit code $rc: $(cat /tmp/refuses.out /tmp/refuses.err)"
	return 1
}

# differ WORDS RECV_DEVICES RECV_OPTION...: recv waits with so many devices, and check and send
# with SEND_OPTS refuse, but recv does not notice.
differ()
{
	local words=$1 n=$2 rc=0

	shift 2
	DEVS=("${ALL[@]:0:n}")
	recv_waits "$@" || return 1
	DEVS=("${ALL[@]}")
	refuses "$words" check "${SEND_OPTS[@]}" && grep -q " differs$" /tmp/refuses.out &&
		refuses "$words" send "${SEND_OPTS[@]}" && on b session_reached ready || rc=1
	recv_ends || rc=1
	link_renew 6 >/dev/null || rc=1
	return $rc
}

devices_setup
ALL=("${DEVS[@]}")
check "a link" link_up 6

# --- nobody is there ------------------------------------------------------------------------

check "check without recv" \
	refuses "no recv was ready at the other end of link $LINK within 200 ms" check --ready-timeout 200
check "send without recv, for some time" \
	refuses "no recv was ready at the other end of link $LINK within 200 ms" send --ready-timeout 200
check "the link is as before" link_is idle,idle

# send waits, with its devices running, until it is told to stop.
cancelled()
{
	local rc=0

	send_start
	wait_for 20 session_is source || { echo "no session"; rc=1; }
	untouched || rc=1
	send_signal INT
	send_wait
	grep -q "send interrupted: aborted by the VMM" /tmp/send.err || { cat /tmp/send.err; rc=1; }
	[[ $SEND_RC == 2 ]] || { echo "exit code $SEND_RC"; rc=1; }
	((rc == 0)) && untouched && host_becomes_clean && link_is idle,idle
}
check "send without recv, cancelled" cancelled

# What the three have asked is still in the sockets, and nobody wants it any more.
check "recv comes, and all fits" eval "recv_waits && fits"
cp /tmp/check.out /tmp/first.out
check "it says so in a table" grep -Eq "driver +vfio_pci_migsim +vfio_pci_migsim +agrees" \
	/tmp/first.out
check "... of all devices" test "$(grep -c " identity " /tmp/first.out)" = 3
check "... and nothing else" sh -c "! grep -E ' (differs|more)$' /tmp/first.out"
check "another check, as JSON" fits -j
check "its document" prints '.fits and (.compared | length) == 18 and
	all(.compared[]; .result == "agrees") and (.there.devices | length) == 3 and
	.there.staging_budget > 0 and .here.devices[0].stop_copy_bytes > 65536 and
	.here.devices[0].driver == "vfio_pci_migsim" and .here.devices[0].migration_flags == 3' \
	cat /tmp/check.out

# recv was started by another shell: this one only knows its process.
recv_still_takes()
{
	send_start
	send_wait
	[[ $SEND_RC == 0 ]] || { cat /tmp/send.err; return 1; }
	wait_for 20 on b host_clean
	devices_same && all_in STOP "${DEVS[@]}" && on b all_in RUNNING "${DEVS[@]}"
}
check "send goes over the same link, to the same recv" recv_still_takes
check "the source knew before it began" prints '.milestones.peer_ready <= .milestones.quiesced' \
	cat /tmp/send.json

# --- what does not fit --------------------------------------------------------------------------

both knobs_default
SEND_OPTS=()
check "fewer devices there" differ "number of devices: 3 here, and 2 at the other end" 2
on b knobs "${ALL[1]}" p2p=0
check "no P2P there" differ "pci/${ALL[1]}: it can do P2P here, but not at the other end" 3 --no-p2p
on b knobs "${ALL[1]}" p2p=1
knobs "${ALL[2]}" precopy=1
check "no pre-copy there" differ "pci/${ALL[2]}: it can pre-copy here, but not at the other end" 3
knobs "${ALL[2]}" precopy=0
check "too much state" differ \
	"pci/${ALL[0]}: 64.1 KiB of state are expected, and the other end takes 1.0 KiB of a device" \
	3 --max-state 1K
check "verification there only" differ "--verify is used at the other end, but not here" 3 --verify
SEND_OPTS=(--shared)
check "shared channels here only" differ "--shared is used here, but not at the other end" 3
SEND_OPTS=()

# More there than here does no harm.
# shellcheck disable=SC2119 # it needs none
more()
{
	local rc=0

	recv_waits || return 1
	if ! fits || ! grep -Eq "pre-copy +no +version [12] +more$" /tmp/check.out; then
		cat /tmp/check.out
		rc=1
	fi
	recv_ends || { echo "recv is not gone"; rc=1; }
	link_renew 6 >/dev/null
	return $rc
}
on b knobs "${ALL[0]}" precopy=1
check "more there" more

# Who knows better.
knobs "${ALL[1]}" precopy=1
on b knobs "${ALL[0]}" precopy=0
check "--no-check" eval "transfer_with --send --no-check && devices_same"
knobs "${ALL[1]}" precopy=0

# --- who cannot answer -----------------------------------------------------------------------------

no_verdict()
{
	local rc=0

	both knobs_default && recv_waits --no-verdict || return 1
	refuses "the destination failed|closed by the destination|broke" check || rc=1
	recv_wait
	grep -q "the source asks whether we are ready, which goes with a verdict only" \
		/tmp/recv.err || { cat /tmp/recv.err; rc=1; }
	link_renew 6 >/dev/null
	return $rc
}
check "a recv that gives no verdict" no_verdict

# --- recv gives up before the switchover ---------------------------------------------------------

# Its devices can go back with a part of the state, if that has no header.
recv_cancelled()
{
	local rc=0

	both knobs_default && both knobs "${ALL[0]}" precopy=1 && on b knobs_all headerless=1 &&
		knobs "${ALL[0]}" precopy_size=1048576 read_us_per_mib=100000000 read_chunk=1000 &&
		recv_waits || return 1
	send_start --precopy
	wait_for 20 session_reached precopy || echo "no pre-copy"
	recv_signal INT
	send_wait
	recv_wait
	if [[ $SEND_RC != 2 || $RECV_RC != 2 ]] ||
		! grep -q "send failed in pre-copy: the destination failed: aborted by the VMM" \
			/tmp/send.err; then
		transfer_show
		rc=1
	fi
	all_in RUNNING "${ALL[@]}" && on b all_in RUNNING "${ALL[@]}" || rc=1
	both host_becomes_clean && both knobs "${ALL[0]}" precopy=0 && both knobs_default || rc=1
	link_renew 6 >/dev/null
	return $rc
}
check "recv is cancelled while send is in pre-copy" recv_cancelled
check "the next one works" eval "transfer && devices_same"

check "usage" says 1 "want a number|number" vfmig check --ready-timeout 0 "$LINK" "$(handles | head -n1)"
link_down
check "nothing is left" hosts_clean
ktap_exit
