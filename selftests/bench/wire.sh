#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# From host a to host b over their link: how fast the state of one device arrives by 1 to 8
# channels, and iperf3's bytes by as many streams, in turns; and how the bytes of devices
# with weights share the link. Results go to /out/wire.txt:
#
#	wire vfmig|iperf3 CHANNELS ROUND BYTES NS
#	share WEIGHT ROUND BYTES
#
# A share is what had been sent for the device at one moment, when all were still at it.

set -u
. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
MTU=9000			# as on the networks that carry migrations
WEIGHTS=(1 2 4)
WEIGHED=7			# so many channels, and MiB of staging, can be dealt out exactly

die()
{
	echo "FAILED: $*"
	exit 1
}

# vfmig_once CHANNELS ROUND: as the destination saw it, first byte to last.
vfmig_once()
{
	knob "${DEVS[0]}" seed $RANDOM && transfer && devices_same || return 1
	jq -r --arg n "$1" --arg round "$2" '.devices[0] |
		"wire vfmig \($n) \($round) \(.bytes) \(.last_byte_ns - .first_byte_ns)"' \
		/tmp/recv.json >>/out/wire.txt
}

# iperf3_once STREAMS ROUND: the same of as many bytes.
iperf3_once()
{
	iperf3 -J -c "$ADDR_B" -n "$((WIRE_MIB * MIB))" -P "$1" >/tmp/iperf3.json || return 1
	jq -er --arg n "$1" --arg round "$2" '.end.sum_received |
		"wire iperf3 \($n) \($round) \(.bytes) \(.seconds * 1e9 | floor)"' \
		/tmp/iperf3.json >>/out/wire.txt
}

throughput()
{
	local server round n

	DEVS=("${ALL[0]}")
	both knobs_default "$((WIRE_MIB * MIB))" || return 1
	on_b_bg iperf3 -s >/dev/null
	server=$!
	for round in $(seq "$ROUNDS_WIRE"); do
		echo "  $WIRE_MIB MiB of one device, 1 to 8 channels, and iperf3, round $round of $ROUNDS_WIRE"
		for n in 1 2 4 8; do
			link_up $n && vfmig_once $n "$round" && link_down &&
				iperf3_once $n "$round" || return 1
		done
	done
	kill $server
}

# --- weights --------------------------------------------------------------------------------

total_sent()
{
	vfmig session list -j >/tmp/sessions.json
	jq -e --argjson n "$1" 'map(select(.closed | not))[0].devices | map(.bytes) | add >= $n' \
		/tmp/sessions.json
}

# share_once ROUND: the heaviest could not send all of its state before we look.
share_once()
{
	local weight opts=() i

	for ((i = 0; i < ${#WEIGHTS[@]}; i++)); do
		opts+=(--weight "pci/${DEVS[i]}=${WEIGHTS[i]}")
	done
	recv_start
	send_start --staging "${WEIGHED}M" "${opts[@]}"
	wait_for 120 total_sent "$((WIRE_MIB * MIB))" || return 1
	jq -r '.[] | select(.closed | not).devices[].bytes' /tmp/sessions.json >/tmp/bytes
	transfer_wait && devices_same || return 1
	for weight in "${WEIGHTS[@]}"; do
		read -r bytes
		echo "share $weight $1 $bytes" >>/out/wire.txt
	done </tmp/bytes
}

shares()
{
	local round

	DEVS=("${ALL[@]:0:${#WEIGHTS[@]}}")
	both knobs_default "$((WIRE_MIB * MIB))" || return 1
	for round in $(seq "$ROUNDS_WIRE"); do
		echo "  devices with weights ${WEIGHTS[*]}, round $round of $ROUNDS_WIRE"
		link_up $WEIGHED && share_once "$round" && link_down || return 1
	done
}

devices_setup
ALL=("${DEVS[@]}")
{ ip link set link0 mtu $MTU && on_b ip link set link0 mtu $MTU; } || die "no MTU of $MTU"
throughput || die "throughput: $(transfer_show)"
if vfmig send --help 2>&1 | grep -q -- --weight; then
	shares || die "shares: $(transfer_show)"
fi
