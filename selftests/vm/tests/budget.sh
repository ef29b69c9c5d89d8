#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 4 --timeout 400
#
# A destination keeps to its staging budget, however slow its devices are and in whatever
# pieces they take and give their state, and it gets all of it.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
BUDGET=$MIB

# peak_within FILE: did the session ever hold more than its budget, or nothing?
peak_within()
{
	jq -e --argjson max $BUDGET \
		'.staging_budget == $max and .staging_peak > 0 and .staging_peak <= $max' \
		"$1" >/dev/null && return
	jq -c '[.staging_budget, .staging_peak]' "$1"
	return 1
}

devices_all_moved()
{
	devices_same && all_in STOP "${DEVS[@]}" && on b all_in RUNNING "${DEVS[@]}"
}

# The record that the kernel keeps says the same as recv did.
record_agrees()
{
	local id

	id=$(jq .session /tmp/recv.json)
	on b vfmig session show "$id" -j | jq -e --argjson max $BUDGET \
		'.closed and .staging_peak > 0 and .staging_peak <= $max' >/dev/null
}

# The source had to wait: without that the budget was never the limit.
source_waited()
{
	jq -e 'all(.devices[]; .stall_wire_ns + .stall_staging_ns > 0)' /tmp/send.json \
		>/dev/null && return
	jq -c '.devices[] | [.stall_wire_ns, .stall_staging_ns]' /tmp/send.json
	return 1
}

devices_setup
both knobs_default $((8 * MIB + 17))
link_up 8 >/dev/null || not_ok "a link"

on b knobs_all write_us_per_mib=150000
check "4 slow devices, 2 channels each, take 32 MiB within a budget of 1 MiB" \
	transfer_with --recv --staging 1M
check "all of it has come" devices_all_moved
check "the destination's staging stayed within its budget" peak_within /tmp/recv.json
check "its record says so" record_agrees
check "the source had to wait for it" source_waited

on b knobs_all write_us_per_mib=0
check "both ends have a budget of 1 MiB" transfer_with --both --staging 1M
check "all of it has come" devices_all_moved
check "the source's staging stayed within its budget" peak_within /tmp/send.json
check "so did the destination's" peak_within /tmp/recv.json

# Pieces that fit neither pages nor frames; small ones only of a small state.
both knobs_default 300007
chunk=1000
for bdf in "${DEVS[@]}"; do
	knobs "$bdf" read_chunk=$chunk
	on b knobs "$bdf" write_chunk=$((chunk + 333))
	chunk=$((chunk * 3 + 1))
done
check "short reads and short writes within 1 MiB" transfer_with --both --staging 1M
check "all of it has come" devices_all_moved
check "the source's staging stayed within its budget" peak_within /tmp/send.json
check "so did the destination's" peak_within /tmp/recv.json

# Byte by byte: the steps of movers, not the memory, are what is tried.
both knobs_default 2500
knobs_all read_chunk=1
on b knobs_all write_chunk=1
check "devices that give and take single bytes" transfer_with --both --staging 1M
check "all of it has come" devices_all_moved

both knobs_default
check "the next send works" transfer
check "nothing is left of them" hosts_clean
ktap_exit
