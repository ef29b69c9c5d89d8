#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# From host a to host b over their link: how fast the state of one device arrives by 1 to 8
# channels, and iperf3's bytes by as many streams, in turns; and how the bytes of devices
# with weights share the link. Results go to /out/wire.txt:
#
#	wire vfmig|iperf3 MBIT CHANNELS ROUND BYTES NS
#	share WEIGHT ROUND BYTES
#
# MBIT is what the link is held to, in 10^6 bits per second; at 0 it is not, and the emulated
# CPUs are the limit, which also make and check what the device yields and takes. A share is
# what had been sent for the device at one moment, when all were still at it, of a link that
# is held to LINK_MBIT.

set -u
. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
MTU=9000			# as on the networks that carry migrations
WEIGHTS=(1 2 4)
WEIGHED=7			# so many channels, and MiB of staging, can be dealt out exactly
SHARE_MIB=128			# of each, and looked at when that much of all was sent

die()
{
	echo "FAILED: $*"
	exit 1
}

# hold MBIT: what host a sends. A packet may be as large as 64 KiB before it is cut.
hold()
{
	if (($1)); then
		tc qdisc replace dev link0 root tbf rate "${1}mbit" burst 256k limit 8m
	else
		tc qdisc del dev link0 root
	fi
}

# vfmig_once MBIT CHANNELS ROUND: as the destination saw it, first byte to last.
vfmig_once()
{
	knob "${DEVS[0]}" seed $RANDOM && transfer && devices_same || return 1
	jq -r --arg what "$*" '.devices[0] |
		"wire vfmig \($what) \(.bytes) \(.last_byte_ns - .first_byte_ns)"' \
		/tmp/recv.json >>/out/wire.txt
}

# iperf3_once MBIT STREAMS ROUND: the same of as many bytes.
iperf3_once()
{
	iperf3 -J -c "$ADDR_B" -n "$((WIRE_MIB * MIB))" -P "$2" >/tmp/iperf3.json || return 1
	jq -er --arg what "$*" '.end.sum_received |
		"wire iperf3 \($what) \(.bytes) \(.seconds * 1e9 | floor)"' \
		/tmp/iperf3.json >>/out/wire.txt
}

# throughput MBIT
throughput()
{
	local round n

	for round in $(seq "$ROUNDS_WIRE"); do
		echo "  $WIRE_MIB MiB of one device, 1 to 8 channels, and iperf3, link held to $1 Mbit/s" \
			"(0: not): round $round of $ROUNDS_WIRE"
		for n in 1 2 4 8; do
			link_up $n && vfmig_once "$1" $n "$round" && link_down &&
				iperf3_once "$1" $n "$round" || return 1
		done
	done
}

throughputs()
{
	local server

	DEVS=("${ALL[0]}")
	both knobs_default "$((WIRE_MIB * MIB))" || return 1
	on_b_bg iperf3 -s >/dev/null
	server=$!
	throughput 0 && hold "$LINK_MBIT" && throughput "$LINK_MBIT" && hold 0 || return 1
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
	hold "$LINK_MBIT" || return 1
	recv_start
	send_start --staging "${WEIGHED}M" "${opts[@]}"
	wait_for 120 total_sent "$((SHARE_MIB * MIB))" && hold 0 || return 1
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
	both knobs_default "$((SHARE_MIB * MIB))" || return 1
	for round in $(seq "$ROUNDS_WIRE"); do
		echo "  devices with weights ${WEIGHTS[*]}, round $round of $ROUNDS_WIRE"
		link_up $WEIGHED && share_once "$round" && link_down || return 1
	done
}

devices_setup
ALL=("${DEVS[@]}")
{ ip link set link0 mtu $MTU && on_b ip link set link0 mtu $MTU; } || die "no MTU of $MTU"
modprobe sch_tbf || die "no sch_tbf"
throughputs || die "throughput: $(transfer_show)"
shares || die "shares: $(transfer_show)"
