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

# Pages of 2 MiB that are set aside on a host and that nobody has.
huge_pages_free()
{
	awk '$1 == "HugePages_Free:" { print $2 }' /proc/meminfo
}

huge_pages_are()
{
	local free

	free=$(huge_pages_free)
	[[ $free == "$1" ]] || { echo "$free huge pages are free, not $1"; return 1; }
}

# Were there events of a part of it, each of more than the one before, and of all of it?
events_told()
{
	jq -s -e '[.[] | select(.type == "dma").thousandths] |
		length > 2 and . == sort and .[0] < 1000 and .[-1] == 1000' /tmp/events.json
}

# Both ends fail, recv says why, and the source has its devices.
is_given_up()
{
	[[ $RECV_RC == 2 && $SEND_RC == 2 ]] && grep -q 'cannot map memory: .*mappings' /tmp/recv.err &&
		all_in RUNNING "${DEVS[@]}" && return
	transfer_show
	return 1
}

LIBRARY+="; $(declare -f pinned nothing_pinned is_mapped huge_pages_free huge_pages_are)"
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
on_b_bg vfmig monitor -j --ready-file /tmp/monitor.ready >/tmp/events.json
monitor=$!
on b wait_for 20 test -s /tmp/monitor.ready
recv_start --memory 192M
check "it is mapped while nobody sends" on b wait_for 30 is_mapped
check "monitor tells how far it is" wait_for 20 events_told
kill $monitor
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

if on b test -w /proc/sys/vm/nr_hugepages; then
	on b sh -c 'echo 40 >/proc/sys/vm/nr_hugepages'
	link_renew 4 >/dev/null
	check "huge pages are set aside" on b huge_pages_are 40
	recv_start --memory 64M
	check "memory is mapped" on b wait_for 30 is_mapped
	check "it is of huge pages" on b huge_pages_are 8
	recv_signal INT
	recv_wait
	check "nothing stays pinned of these" on b wait_for 20 nothing_pinned
	check "they are free again" on b wait_for 20 huge_pages_are 40
	link_renew 4 >/dev/null
	check "more memory than there are huge pages" transfer_with --recv --memory 96M
	check "the state arrives" devices_same
	on b sh -c 'echo 0 >/proc/sys/vm/nr_hugepages'
else
	skip "huge pages" "the kernel has none that can be set aside"
fi

check "usage" says 1 "want bytes" vfmig recv --memory x "$LINK" "$(handles | head -n1)"
# Some of it cannot be mapped: that is known before the source has given its devices away.
limit=/sys/module/vfio_iommu_type1/parameters/dma_entry_limit
entries=$(on b cat $limit)
on b sh -c "echo 1 >$limit"
link_renew 4 >/dev/null
both knobs_default
knobs_all read_us_per_mib=20000000
recv_start --memory 192M
send_start
send_wait
recv_wait
check "memory that cannot all be mapped" is_given_up
check "nothing stays pinned of what was" on b wait_for 20 nothing_pinned
on b sh -c "echo $entries >$limit"
knobs_all read_us_per_mib=0
link_renew 4 >/dev/null
check "more than there is" on b says 2 "memory" vfmig recv --memory 900T "$LINK" "$(handles | head -n1)"
link_down
check "nothing is left" hosts_clean
ktap_exit
