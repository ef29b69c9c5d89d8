#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 3 --timeout 1200
#
# Each arc and each transfer fails, of the first device and of the last, on either side: both
# ends say which device it was, every device is where the tools say, the source's go back
# to RUNNING, and the next send works.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
SIZE=$((MIB + 4321))

# said FILE PATTERN: the first line that a tool said.
said()
{
	local line

	read -r line <"/tmp/$1.err"
	[[ $line =~ $2 ]] && return
	echo "$1 did not say \"$2\""
	return 1
}

# states FILE HOST N CULPRIT OTHERS: the states that a tool reports match the patterns, and
# are true. An arc that led to ERROR is in the log as one that failed.
states()
{
	local file=$1 host=$2 n=$3 i state last error
	local -a said real

	mapfile -t said <<<"$(jq -r '.devices[].state' "/tmp/$file.json")"
	mapfile -t real <<<"$(on "$host" last_arcs "${DEVS[@]}")"
	for ((i = 0; i < ${#DEVS[@]}; i++)); do
		state=${said[i]}
		read -r last error <<<"${real[i]}"
		if ! [[ $state =~ ^($4)$ && $i == "$n" || $state =~ ^($5)$ && $i != "$n" ]]; then
			echo "$file: ${DEVS[i]} is said to be in $state"
			return 1
		fi
		[[ $state == "$last" || ($state == ERROR && $error != 0) ]] && continue
		echo "$file: ${DEVS[i]} is said to be in $state but is in $last, error $error"
		return 1
	done
}

# A failure leaves the link dead on both hosts or on none.
relink()
{
	local states

	states=$(link_states)
	case $states in
	idle,idle)
		;;
	dead,dead)
		link_up ${#DEVS[@]} >/dev/null ;;
	*)
		echo "the link is $states"
		return 1 ;;
	esac
}

# try HOST N KNOBS SEND_RC RECV_RC SEND_SAYS RECV_SAYS SEND_STATES RECV_STATES: device N of
# HOST gets the KNOBS. SAYS are patterns, @ is the device's handle; "-" is nothing at all.
# STATES are two words: patterns for the states of device N and of the others.
try()
{
	local host=$1 n=$2 handle
	local -a set states_a states_b

	handle=pci/${DEVS[n]}
	read -r -a set <<<"$3"
	read -r -a states_a <<<"$8"
	read -r -a states_b <<<"$9"
	both knobs_all arcs_log= && on "$host" knobs "${DEVS[n]}" "${set[@]}" || return 1
	transfer_into "$host" >/tmp/transfer.out
	cat /tmp/transfer.out
	[[ $SEND_RC == "$4" && $RECV_RC == "$5" ]] ||
		{ echo "want exit codes $4 and $5"; return 1; }
	[[ $6 == - ]] || said send "${6//@/$handle}" || return 1
	[[ $7 == - ]] || said recv "${7//@/$handle}" || return 1
	states send a "$n" "${states_a[@]}" && states recv b "$n" "${states_b[@]}" || return 1
	both host_becomes_clean && on "$host" knobs "${DEVS[n]}" fail_arc=none \
		fail_read_at=none fail_write_at=none fail_to_error=0 && relink &&
		transfer && devices_same
}

# fails NAME HOST ARGUMENTS OF TRY...: for the first device and for the last. One failed test
# does not take the others along.
fails()
{
	fails_of "0 $((${#DEVS[@]} - 1))" "$@"
}

# fails_once: for one of them, by turns.
TURN=0
fails_once()
{
	TURN=$((${#DEVS[@]} - 1 - TURN))
	fails_of $TURN "$@"
}

# fails_of DEVICES NAME HOST...
fails_of()
{
	local which=$1 name=$2 host=$3 n failed

	shift 3
	for n in $which; do
		failed=$KTAP_FAILED
		check "$name, device $n" try "$host" "$n" "$@"
		[[ -z ${SHOW_ALL:-} ]] || diag "$(cat /tmp/transfer.out)"
		((KTAP_FAILED == failed)) && continue
		both knobs_default $SIZE
		link_renew ${#DEVS[@]} >/dev/null
	done
}

devices_setup
both knobs_default $SIZE
link_up ${#DEVS[@]} >/dev/null || not_ok "a link"

# What has not got all of its state may not be allowed to leave RESUMING.
HALF="RUNNING|STOP|RESUMING"
# A source that fails closes its channels, wherever it is.
CLOSED="recv failed: .*closed (by the source|in the middle of a frame)"

# --- the source --------------------------------------------------------------------------

for arc in "RUNNING>RUNNING_P2P" "RUNNING_P2P>STOP" "STOP>STOP_COPY"; do
	fails "source: $arc fails" a "fail_arc=$arc:71" 2 2 \
		"send failed: @ does not reach STOP_COPY: error 71$" "$CLOSED" \
		"RUNNING RUNNING" "$HALF $HALF"
	fails_once "source: $arc leads to ERROR" a "fail_arc=$arc:71 fail_to_error=1" 2 2 \
		"send failed: @ does not reach STOP_COPY: error 71$" "$CLOSED" \
		"ERROR RUNNING" "$HALF $HALF"
done

for at in 0 70000 $MIB $((SIZE + 63)); do
	fails_once "source: reading fails at byte $at" a "fail_read_at=$at:71" 2 2 \
		"send failed: @: reading its state: error 71$" "$CLOSED" \
		"RUNNING RUNNING" "$HALF $HALF"
done

fails_once "source: reading fails, and so does the way back" a \
	"fail_read_at=$MIB fail_arc=STOP_COPY>STOP" 2 2 \
	"send failed: @: reading its state: error 5$" "$CLOSED" "STOP_COPY RUNNING" "$HALF $HALF"

fails_once "source: STOP_COPY>STOP fails after all was sent" a "fail_arc=STOP_COPY>STOP:71" 4 0 \
	"sent, but cannot stop the devices: @ does not reach STOP: error 71$" - \
	"STOP_COPY STOP" "RUNNING RUNNING"

# --- the destination -----------------------------------------------------------------------

# Another device may be quick enough to have got all of its state by then: nothing goes back
# beyond STOP any more, and the culprit stays where it failed.
for arc in "RUNNING>RUNNING_P2P" "RUNNING_P2P>STOP" "STOP>RESUMING"; do
	fails "destination: $arc fails" b "fail_arc=$arc:71" 2 2 \
		"send failed: the destination failed: @ .*error 71" \
		"cannot receive: @ does not reach RESUMING: error 71$" \
		"RUNNING RUNNING" "RUNNING|${arc%>*} $HALF"
done

fails "destination: RESUMING>STOP fails" b "fail_arc=RESUMING>STOP:71" 2 2 \
	"send failed: the destination failed: @ .*error 71" \
	"(recv failed|cannot receive): @ does not accept the state it was given: error 71$" \
	"RUNNING RUNNING" "RESUMING $HALF"
fails_once "destination: RESUMING>STOP leads to ERROR" b "fail_arc=RESUMING>STOP:71 fail_to_error=1" \
	2 2 "send failed: the destination failed: @ .*error 71" \
	"(recv failed|cannot receive): @ does not accept the state it was given: error 71$" \
	"RUNNING RUNNING" "ERROR $HALF"

for at in 0 70000 $MIB $((SIZE + 63)); do
	fails_once "destination: writing fails at byte $at" b "fail_write_at=$at:71" 2 2 \
		"send failed: the destination failed: @: writing its state, .*error 71" \
		"(recv failed|cannot receive): @: writing its state, .*error 71$" "RUNNING RUNNING" \
		"RESUMING $HALF"
done

# From here on the source has given its devices up. Nobody is taken back: the others end
# the phase in which the one failed, and none goes beyond the barrier.
fails "destination: STOP>RUNNING_P2P fails" b "fail_arc=STOP>RUNNING_P2P:71" 0 2 - \
	"received, but cannot start the devices: @ does not reach RUNNING: error 71$" \
	"STOP STOP" "STOP RUNNING_P2P"
fails "destination: RUNNING_P2P>RUNNING fails" b "fail_arc=RUNNING_P2P>RUNNING:71" 0 4 - \
	"received, but cannot start the devices: @ does not reach RUNNING: error 71$" \
	"STOP STOP" "RUNNING_P2P RUNNING"

check "nothing is left of them" hosts_clean
ktap_exit
