#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 240
#
# vfmig with devices that share channels, with weights, and with limits on what waits for a
# device: what arrives, what sessions show of it, and what is refused.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh

ADDR=tcp:127.0.0.1:5000

# sent FILTER, received FILTER: is jq's FILTER true for the session?
sent()
{
	jq -e "$1" /tmp/send.json >/dev/null || { jq -c "$1" /tmp/send.json; return 1; }
}

received()
{
	jq -e "$1" /tmp/recv.json >/dev/null || { jq -c "$1" /tmp/recv.json; return 1; }
}

loop_setup

# --- one channel for two devices ----------------------------------------------------------

out_in $ADDR 1 >/dev/null || not_ok "a link of one channel"
check "a link with fewer channels than devices" says 2 'fewer channels .*or let them share all' \
	vfmig send out "${FROM[@]}"
RECV_OPTS=(--shared)
for size in 0 1 5000001; do
	check "2 devices with $size bytes share a channel" \
		eval "prepare $size && carry --shared && arrived"
done
check "each has one channel" sent '[.devices[].nr_channels] == [1, 1]'
check "... at both ends" received '[.devices[].nr_channels] == [1, 1]'
check "nothing was spilled" received 'has("spill_peak") | not'
RECV_OPTS=(--shared --verify)
check "both compare checksums" eval "prepare 3000001 && carry --shared --verify && arrived"
RECV_OPTS=(--shared --max-queued-bytes 1M --max-spill 0)
check "a frame of memory for each, and no spill" \
	eval "prepare 5000001 && carry --shared --staging 1M && arrived"
RECV_OPTS=(--shared)
check "half of the state goes before" \
	eval "prepare 5000001 && precopies && carry --shared --precopy && arrived && preceded"
knobs_all precopy=0
# shellcheck disable=SC2034 # carry() uses it
RECV_OPTS=()
links_del

# --- weights ----------------------------------------------------------------------------------

out_in $ADDR 8 >/dev/null || not_ok "a link of eight channels"
check "channels go by weight" eval "prepare 5000001 &&
	carry --weight ${FROM[0]}=1 --weight ${FROM[1]}=3 && arrived"
check "... a quarter and three" sent '[.devices[].nr_channels] == [2, 6]'
check "the session shows weights" sent '[.devices[].weight] == [1, 3]'
check "weights are 1 if nobody says so" received '[.devices[].weight] == [1, 1]'
check "a weight that is too large" says 1 'weight from 1 to 1000' \
	vfmig send out "${FROM[@]}" --weight "${FROM[0]}=1001"
check "a weight of none of the devices" says 1 'none of the devices' \
	vfmig send out "${FROM[0]}" --weight "${FROM[1]}=2"
check "a weight without a device" says 1 'want DEV=WEIGHT' \
	vfmig send out "${FROM[0]}" --weight 3
check "no memory at all for a device" says 1 'needs memory' \
	vfmig recv in "${TO[0]}" --max-queued-bytes 0
links_del

check "nothing is left of them" host_becomes_clean
ktap_exit
