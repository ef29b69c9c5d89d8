#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 3 --timeout 600
#
# vfmig send --precopy between two hosts: each reason to switch over, what the two ends say of
# it, and pre-copy that is interrupted or fails. Each byte of the payload is needed: see
# the README of migsim.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576

# The first two can pre-copy, the last cannot.
knobs_fresh()
{
	local bdf

	for bdf in $(edu_list); do
		knobs "$bdf" "state_size=$MIB" "seed=$RANDOM" "precopy_size=$MIB" dirty_rate=0 \
			precopy_end=enomsg poll=0 fail_read_at=none fail_write_at=none \
			read_us_per_mib=0 read_chunk=0 write_us_per_mib=0 write_chunk=0 \
			arcs_log= || return 1
	done
}

# carry WHY OPTION...: a transfer of DEVS that is switched over for that reason.
carry()
{
	local why=$1

	shift
	transfer_with --send "$@" && devices_same && all_in STOP "${DEVS[@]}" &&
		on b all_in RUNNING "${DEVS[@]}" || return 1
	jq -e --arg why "$why" '.precopy.switched_over == $why' /tmp/send.json >/dev/null && return
	jq -c '.precopy' /tmp/send.json
	return 1
}

# shows FILE FILTER: is it so, of the document that one end printed?
shows()
{
	jq -e "$2" "/tmp/$1.json" >/dev/null && return
	jq -c '[.precopy, .milestones, .downtime, (.devices[] | [.bytes, .precopy_bytes,
		.precopy_rounds, .phases])]' "/tmp/$1.json"
	return 1
}

timeline_shows()
{
	local id

	id=$(jq .session /tmp/send.json)
	vfmig session timeline "$id" >/tmp/timeline
	grep -q '  precopy  .*|#' /tmp/timeline &&
		grep -q '^pre-copy: 2.0 MiB, rounds: [0-9]' /tmp/timeline &&
		vfmig session timeline "$id" --svg - | grep -q '<title>precopy' && return
	cat /tmp/timeline
	return 1
}

# The next transfer begins with knobs as new.
fresh()
{
	knobs_fresh && on b knobs_fresh
}

# The knobs of this file, for host b as well.
LIBRARY+="; $(declare -f knobs_fresh); MIB=$MIB"

devices_setup
ALL=("${DEVS[@]}")
both knobs "${ALL[0]}" precopy=1
both knobs "${ALL[1]}" precopy=1
check "a link" link_up 6

DEVS=("${ALL[@]:0:2}")
fresh
check "all is given before: what is left takes no time" carry downtime --precopy
check "both ends know what came while the devices ran" sh -c '
	jq -c "[.devices[] | .precopy_bytes]" /tmp/send.json >/tmp/a.bytes
	jq -c "[.devices[] | .precopy_bytes]" /tmp/recv.json >/tmp/b.bytes
	grep -q "[0-9]\{7\},[0-9]\{7\}" /tmp/a.bytes && cmp /tmp/a.bytes /tmp/b.bytes'
check "the source's phases and milestones" shows send '
	(.milestones | has("precopy") and has("precopy_acked") and
		.precopy_acked <= .quiesced) and
	all(.devices[]; .phases.precopy.end_ns <= .phases.quiesce.start_ns and
		.precopy_rounds >= 1) and .precopy.loaded and .precopy.devices == 2'
# the first device to leave pre-copy begins the downtime
# shellcheck disable=SC2016 # jq's variables
check "it is no part of the source's downtime" shows send '
	.devices[0].phases.precopy.start_ns as $begin |
	(.devices | map(.phases.precopy.end_ns) | min) as $left |
	.downtime.total_ns + $left - $begin <= .milestones.handed_over - $begin + 1000000'
# shellcheck disable=SC2016 # jq's variable
check "nor of the destination's" shows recv '
	(.devices | map(.phases.transfer.start_ns) | min) as $begin |
	all(.devices[]; .phases.precopy.end_ns == .phases.transfer.start_ns) and
	.downtime.receive_ns == .milestones.loaded - $begin'
check "the timeline of the record" timeline_shows

fresh
knob "${DEVS[0]}" precopy_size $((MIB / 2))
check "only the stopped device has the rest" carry converged --downtime-limit 0
check "nothing was dirty then" shows send '.precopy.dirty_bytes == 0'

fresh
knob "${DEVS[0]}" dirty_rate $((20 * MIB))
check "a device that is never through" carry converged --downtime-limit 0 --precopy-time 120000

fresh
knob "${DEVS[0]}" dirty_rate 100000
knob "${DEVS[0]}" precopy_end zero
knob "${DEVS[1]}" poll 1
knob "${DEVS[1]}" dirty_rate 100000
check "so many rounds" carry rounds --downtime-limit 0 --precopy-rounds 2
check "it had them" shows send '.precopy.rounds >= 2'

fresh
knob "${DEVS[0]}" read_us_per_mib 2000000
knob "${DEVS[0]}" read_chunk 10000
check "so much time" carry time --precopy-time 200
check "the destination was not through" shows send '.precopy.loaded == false'

fresh
# shellcheck disable=SC2034 # transfer reads them
SEND_OPTS=(--precopy --no-verdict) RECV_OPTS=(--no-verdict)
check "pre-copy without a verdict" transfer
check "its state arrives" devices_same
check "nobody waits for the destination" shows send '
	(.milestones | has("precopy_acked") | not) and .precopy.switched_over == "downtime"'
link_renew 6 >/dev/null

DEVS=("${ALL[2]}")
fresh
check "none that can" carry no_device --precopy
DEVS=("${ALL[@]}")
fresh
check "two that can and one that cannot" carry downtime --downtime-limit 10000
check "two were in pre-copy" shows send '.precopy.devices == 2'

# --- interrupted, failed ------------------------------------------------------------------

# interrupted SIGNAL: send is in pre-copy and would stay there for long.
interrupted()
{
	knob "${DEVS[0]}" read_us_per_mib 100000000 && knob "${DEVS[0]}" read_chunk 1000 || return 1
	recv_start
	send_start --precopy
	wait_for 20 session_reached precopy || echo "no pre-copy"
	send_signal "$1"
	send_wait
	recv_wait
}

# The destination's devices can go back with a part of the state, if that has no header.
fresh
on b knobs_all headerless=1
interrupted INT
check "interrupted" test "$SEND_RC" = 2 -a "$RECV_RC" = 2
check "it says so" grep -q "send interrupted in pre-copy" /tmp/send.err
check "the devices ran on" all_in RUNNING "${DEVS[@]}"
check "those of the other end run again" on b all_in RUNNING "${DEVS[@]}"
on b knobs_all headerless=0
link_renew 6 >/dev/null

fresh
interrupted KILL
check "killed" test "$SEND_RC" = 137 -a "$RECV_RC" = 2
check "nothing is left of it" hosts_clean
link_renew 6 >/dev/null

fresh
knob "${DEVS[1]}" fail_read_at 300000:71
transfer_with --send --precopy >/dev/null
check "a device fails" test "$SEND_RC" = 2 -a "$RECV_RC" = 2
check "it says which, and when" grep -q "send failed in pre-copy.*${DEVS[1]}" /tmp/send.err
check "all devices ran on" all_in RUNNING "${DEVS[@]}"
check "the document says so, too" shows send '.precopy.switched_over == "aborted" and
	.error == 71'

check "usage" says 1 "want a number|number" vfmig send --precopy-rounds 0 "$LINK" "$(handles | head -n1)"
link_down
check "nothing is left" hosts_clean
ktap_exit
