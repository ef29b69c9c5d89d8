#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 2 --memory 512 --timeout 240
#
# A stream that is bigger than the memory of the host goes through budgets of 24 MiB, from
# one device to another. Neither has its payload in memory: one makes it as it is read,
# both count it and work out its CRC. BYTES (1 GiB) is how much.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh

MIB=1048576
BUDGET=$((24 * MIB))
BYTES=${BYTES:-$((1024 * MIB))}
# what both budgets and all else that works may take: sockets, processes, page tables
ALLOWED=$((2 * BUDGET + 48 * MIB))

# The most memory that there was ever less than now, in bytes, to a file; until it is gone.
memory_watch()
{
	local name kib first='' least=''

	while [[ -e /tmp/watching ]]; do
		while read -r name kib _; do
			[[ $name != MemAvailable: ]] || break
		done </proc/meminfo
		first=${first:-$kib} least=${least:-$kib}
		((kib > least)) || least=$kib
		nap 0.2
	done
	echo $(((first - least) * 1024)) >/tmp/watched
}

stream()
{
	local watch rc=0

	: >/tmp/watching
	memory_watch &
	watch=$!
	# shellcheck disable=SC2034 # of loop.sh
	RECV_OPTS=(--staging 24M)
	carry --staging 24M || rc=$?
	rm /tmp/watching
	wait $watch
	return $rc
}

bytes_right()
{
	jq -se --argjson n $((BYTES + 64)) 'length == 2 and all(.[].devices[]; .bytes == $n)' \
		/tmp/send.json /tmp/recv.json >/dev/null && return
	jq -c '.devices[] | .bytes' /tmp/send.json /tmp/recv.json
	return 1
}

# peak_within: of both ends.
peak_within()
{
	jq -se --argjson max $BUDGET 'length == 2 and all(.[]; .staging_budget == $max and
		.staging_peak > 0 and .staging_peak <= $max)' /tmp/send.json /tmp/recv.json \
		>/dev/null && return
	jq -c '[.staging_budget, .staging_peak]' /tmp/send.json /tmp/recv.json
	return 1
}

memory_bounded()
{
	(($(cat /tmp/watched) <= ALLOWED)) && return
	echo "$(cat /tmp/watched) bytes less than before, of which $ALLOWED are allowed"
	return 1
}

loop_setup
for bdf in "${DEVS[@]}" "${SINKS[@]}"; do
	knobs "$bdf" in_memory=0
done
knobs "${DEVS[0]}" state_size="$BYTES" seed=$RANDOM
check "a link" out_in unix:/tmp/vfmig.sock 2
began=$(now_ms)
check "$((BYTES / MIB)) MiB, in a host of $(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB" \
	stream
diag "it took $((($(now_ms) - began) / 1000)) s, and $(($(cat /tmp/watched) / MIB)) MiB of memory"
check "both ends counted all of it" bytes_right
check "it is what was sent, and the devices are where they should be" arrived
check "neither end's staging went beyond its budget" peak_within
check "nobody's memory grew with it" memory_bounded
links_del
check "nothing is left of it" host_becomes_clean
ktap_exit
