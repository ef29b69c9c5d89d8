#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 2 --timeout 300
#
# vfmig recv --memory: memory is mapped while the state is on the other host, the devices
# start when it is, and what is told of it.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

SIZE=$((192 * 1048576))

# Pages of a host that are pinned for DMA.
pinned()
{
	echo 1 >/proc/sys/vm/stat_refresh
	awk '$1 == "nr_foll_pin_acquired" { n += $2 } $1 == "nr_foll_pin_released" { n -= $2 }
		END { print n }' /proc/vmstat
}

nothing_pinned()
{
	[[ $(pinned) == "$PINNED" ]]
}

# shows FILTER: is it so, of the record of recv's session?
shows()
{
	on b vfmig -j session show "$(jq .session /tmp/recv.json)" >/tmp/record.json
	jq -e "$1" /tmp/record.json >/dev/null && return
	jq -c '[.dma, .devices[].phases]' /tmp/record.json
	return 1
}

prints_memory()
{
	local id

	id=$(jq .session /tmp/recv.json)
	on b vfmig session show "$id" >/tmp/show
	on b vfmig session timeline "$id" >/tmp/timeline
	on b vfmig session timeline "$id" --svg - >/tmp/svg
	grep -q 'memory    192.0 MiB of 192.0 MiB mapped by type1' /tmp/show &&
		grep -q '^memory/type1/0 *map .*|#' /tmp/timeline &&
		grep -q '<title>map ' /tmp/svg && return
	cat /tmp/show /tmp/timeline
	return 1
}

# It is told while recv still waits for its peer.
is_mapped()
{
	vfmig -j session list | jq -e '[.[] | select(.closed | not).dma[0]] |
		any(.mapped == .bytes and .bytes > 0)' >/dev/null
}

LIBRARY+="; $(declare -f pinned nothing_pinned is_mapped)"
PINNED=$(on b pinned)
LIBRARY+="; PINNED=$PINNED"

devices_setup
check "a link" link_up 4

check "a transfer" transfer_with --recv --memory 192M
check "the state arrives" devices_same
check "all memory is mapped, before the devices start" shows "
	.dma[0].kind == \"type1\" and .dma[0].bytes == $SIZE and .dma[0].mapped == $SIZE and
	.dma[0].failed == 0 and (.dma[0].end_ns <= ([.devices[].phases.resume.start_ns] | min))"
check "people are shown it" prints_memory
check "nothing stays pinned" on b wait_for 20 nothing_pinned

link_renew 4 >/dev/null
recv_start --memory 192M
check "it is mapped while nobody sends" on b wait_for 30 is_mapped
recv_signal INT
recv_wait
check "interrupted" test "$RECV_RC" = 2
check "nothing stays pinned then" on b wait_for 20 nothing_pinned

link_renew 4 >/dev/null
recv_start --memory 192M
recv_signal KILL
recv_wait
check "killed" test "$RECV_RC" = 137
check "nothing stays pinned then, either" on b wait_for 20 nothing_pinned
check "nothing is left of it" hosts_clean

check "usage" says 1 "want bytes" vfmig recv --memory x "$LINK" "$(handles | head -n1)"
check "more than there is" on b says 2 "memory" vfmig recv --memory 900T "$LINK" "$(handles | head -n1)"
ktap_exit
