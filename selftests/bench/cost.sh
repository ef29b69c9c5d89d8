#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What moving a byte of device state costs, in instructions of the whole machine, source
# and destination together, over two network cards. Results go to /out/cost.txt:
#
#	cost WAY ROUND BYTES INSTRUCTIONS

set -u
. /lib/migmux/move.sh

die()
{
	echo "FAILED: $*"
	exit 1
}

mapfile -t DEV < <(edu_list)
unshare -n sleep infinity &
netns=$!

wire_up()
{
	local n

	for n in 0 1; do
		ip link set wire$n mtu 9000 || return 1
	done
	ip addr add 10.97.0.1/24 dev wire0 && ip link set wire0 up &&
		ip link set wire1 netns $netns &&
		nsenter -t $netns -n ip addr add 10.97.0.2/24 dev wire1 &&
		nsenter -t $netns -n ip link set wire1 up &&
		wait_for 30 ping -c 1 -W 1 10.97.0.2 >/dev/null
}

crc()
{
	cat "$(knob "$1" payload_crc)"
}

# measure MIB ROUND
measure()
{
	local way dev

	# the destination's, too: a device knows how much it will be given
	for dev in "${DEV[@]:0:2}"; do
		echo $(($1 << 20)) >"$(knob "$dev" state_size)" || return 1
	done
	for way in $COST_WAYS; do
		echo $((salt += 1)) >"$(knob "${DEV[0]}" seed)" || return 1
		bench-cost /proc/$netns/ns/net 10.97.0.2 "${DEV[@]:0:2}" "$way" >/tmp/cost.txt ||
			return 1
		[[ $(crc "${DEV[0]}") == $(crc "${DEV[1]}") ]] || return 1
		sed "s/^cost \(.*\) \(.*\)/cost \1 $2 $(($1 << 20)) \2/" /tmp/cost.txt >>/out/cost.txt
	done
}

salt=0
move_host_setup || die "cannot set up the devices"
wire_up || die "cannot set up the wire"
measure 1 warm || die "warming up"
rm /out/cost.txt
for round in $(seq "$ROUNDS_COST"); do
	echo "  cost per byte, round $round of $ROUNDS_COST"
	for mib in 8 40; do
		measure $mib "$round" || die "the state did not arrive as it was"
	done
done
kill $netns
