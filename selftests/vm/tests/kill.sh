#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 2 --timeout 600
#
# send or recv is killed or interrupted, or the link is cut, at each stage of a transfer. The
# source's devices go back to RUNNING, both ends end, nothing is left, and the next send
# works.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
SIZE=$((2 * MIB))
CHANNELS=4

# stage_prepare STAGE: knobs that make the stage last long enough to be met also on a slow
# machine. Where they can, devices give and take a little at a time, so that it ends soon
# once it was met.
stage_prepare()
{
	case $1 in
	alone)
		;;
	quiesce)
		knobs_all "arcs=RUNNING>RUNNING_P2P=4000" ;;
	stream)
		knobs_all read_us_per_mib=5000000 read_chunk=32768 ;;
	load)
		on b knobs_all write_us_per_mib=5000000 write_chunk=32768 ;;
	esac
}

# stage_reached STAGE: has the transfer come there? "alone": the peer has not come.
stage_reached()
{
	case $1 in
	alone)
		if [[ $VICTIM == send ]]; then
			wait_for 20 session_is source
		else
			on b wait_for 20 session_reached ready
		fi ;;
	quiesce)
		wait_for 20 session_begun quiesce ;;
	stream)
		wait_for 20 session_begun transfer ;;
	load)
		wait_for 20 session_reached sent ;;
	esac
}

start()
{
	[[ $1 == alone && $VICTIM == send ]] || recv_start
	[[ $1 == alone && $VICTIM == recv ]] || send_start
}

# ended WHO RC PATTERN: with that exit code, saying that; no pattern, no words.
ended()
{
	local rc=$SEND_RC

	[[ $1 == send ]] || rc=$RECV_RC
	[[ $rc == "$2" ]] || return 1
	[[ -z $3 ]] || grep -Eq "$3" "/tmp/$1.err"
}

# What an end says whose peer has gone: it depends on how far it is.
PEER_GONE="(send failed|recv failed|cannot send|cannot receive|cannot take the link): ."

# The victim ends as it was told to, its peer with a message.
ends_well()
{
	local stage=$1 signal=$2 peer

	if [[ $VICTIM == send ]]; then peer=recv; else peer=send; fi
	"${VICTIM}_wait"
	[[ $stage == alone ]] || ${peer}_wait
	if [[ $signal == KILL ]]; then
		ended "$VICTIM" 137 "" || return 1
	else
		ended "$VICTIM" 2 "$VICTIM interrupted: aborted by the VMM" || return 1
	fi
	[[ $stage == alone ]] || ended $peer 2 "$PEER_GONE"
}

next_works()
{
	both knobs_default $SIZE && link_renew $CHANNELS && transfer && devices_same &&
		host_becomes_clean && on b host_becomes_clean
}

# end_at STAGE VICTIM SIGNAL
end_at()
{
	local stage=$1 signal=$3

	VICTIM=$2
	SEND_RC=- RECV_RC=-
	rm -f /tmp/send.err /tmp/recv.err
	both knobs_all arcs_log= && stage_prepare "$stage" || return 1
	start "$stage"
	stage_reached "$stage" || { echo "the stage is not met"; transfer_show; return 1; }
	"${VICTIM}_signal" "$signal" || return 1
	ends_well "$stage" "$signal" || { transfer_show; return 1; }
	hosts_clean && all_in RUNNING "${DEVS[@]}" && next_works
}

# Whatever one failure leaves must not spoil the next test.
attempt()
{
	local failed=$KTAP_FAILED

	check "$@"
	((KTAP_FAILED == failed)) && return
	both sessions_kill
	hosts_clean
	both knobs_default $SIZE
	link_renew $CHANNELS >/dev/null
}

devices_setup
both knobs_default $SIZE
link_up $CHANNELS >/dev/null || not_ok "a link"

for victim in send recv; do
	for signal in KILL INT TERM; do
		for stage in alone quiesce stream load; do
			# SIGTERM takes the way of SIGINT: one stage shows it.
			[[ $signal != TERM || $stage == stream ]] || continue
			attempt "$victim gets SIG$signal, stage $stage" \
				end_at $stage $victim $signal
		done
	done
done

# --- those who make the link ------------------------------------------------------------

listen_killed()
{
	local listener

	link_down
	on_b_bg vfmig link listen "$LINK" --on "tcp:$ADDR_B:$PORT" --channels 2 >/tmp/listen.out
	listener=$!
	wait_for 20 grep -q waiting /tmp/listen.out || return 1
	# One of two connections is made, then both ends are killed.
	vfmig link connect "$LINK" --to "tcp:$ADDR_B:$PORT" --channels 1 >/dev/null || return 1
	kill -KILL $listener
	wait $listener
	! on b vfmig link show "$LINK" >/dev/null 2>&1 || return 1
	next_works
}
attempt "link listen is killed with half of its connections" listen_killed

# --- the link ------------------------------------------------------------------------------

# Nothing says that a wire is cut: only who waits can give up.
wire_cut()
{
	local rc=0

	both knobs_all arcs_log= && stage_prepare stream || return 1
	start stream
	stage_reached stream || return 1
	ip link set link0 down
	send_signal INT
	send_wait
	recv_signal INT
	recv_wait
	ip link set link0 up
	[[ $SEND_RC == 2 && $RECV_RC == 2 ]] || { transfer_show; rc=1; }
	((rc == 0)) && hosts_clean && all_in RUNNING "${DEVS[@]}" && next_works
}
attempt "the wire is cut, and both ends are interrupted" wire_cut

# A link that is down for a while is no failure: TCP repeats what was lost.
wire_blinks()
{
	both knobs_all arcs_log= && stage_prepare stream || return 1
	start stream
	stage_reached stream || return 1
	ip link set link0 down
	wait_for 2 false || :
	ip link set link0 up
	send_wait
	recv_wait
	((SEND_RC == 0 && RECV_RC == 0)) || { transfer_show; return 1; }
	devices_same && hosts_clean && next_works
}
attempt "the wire is cut for two seconds, and all arrives" wire_blinks

# The host's addresses go, so do its connections.
connections_die()
{
	local rc=0

	both knobs_all arcs_log= && stage_prepare stream || return 1
	start stream
	stage_reached stream || return 1
	on b ip addr del "$ADDR_B/24" dev link0
	on b ip route add unreachable "$ADDR_A" 2>/dev/null
	recv_signal KILL
	recv_wait
	on b ip route del unreachable "$ADDR_A" 2>/dev/null
	on b ip addr add "$ADDR_B/24" dev link0
	# What the source sends now meets a host that knows nothing of the connection.
	send_wait
	ended send 2 "$PEER_GONE" || { transfer_show; rc=1; }
	((rc == 0)) && hosts_clean && all_in RUNNING "${DEVS[@]}" && next_works
}
attempt "the other host loses its address and its process" connections_die

# An idle link is deleted at one end: who uses the other learns it.
deleted()
{
	local victim=$1

	both knobs_all arcs_log= || return 1
	if [[ $victim == send ]]; then
		on b vfmig link del "$LINK" || return 1
		send_start
		send_wait
		ended send 2 "$PEER_GONE" || { transfer_show; return 1; }
		all_in RUNNING "${DEVS[@]}" || return 1
	else
		vfmig link del "$LINK" || return 1
		recv_start
		recv_wait
		ended recv 2 "$PEER_GONE" || { transfer_show; return 1; }
	fi
	hosts_clean && next_works
}
attempt "the link was deleted on b: send fails" deleted send
attempt "the link was deleted on a: recv fails" deleted recv

check "nothing is left of them" hosts_clean
ktap_exit
