#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 8 --timeout 600
#
# Sets of 1, 2, 4 and 8 devices with 1 to 8 channels each arrive byte for byte: streams of
# 0 bytes to 64 MiB, around the size of a frame, equal and mixed. Links are used again,
# and every other transfer is verified.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
# What the devices of a set have, one after the other and from the start again. The last
# two are with the header that carries registers; the others are exactly that long.
SIZES=(0 1 $((MIB - 1)) "$MIB" $((MIB + 1)) large "0 1 $((MIB + 1)) 5000" \
       "$((MIB - 1)) $((2 * MIB)) 0 $MIB" "1 $((3 * MIB)) 65536")
WITH_HEADER=7
VERIFY=0

# Large is 64 MiB where an emulated wire carries it in time.
size_of()
{
	local -a sizes

	read -r -a sizes <<<"${SIZES[$1]}"
	local size=${sizes[$2 % ${#sizes[@]}]}

	[[ $size == large ]] && size=$((${#DEVS[@]} <= 2 ? 64 * MIB : 2 * MIB))
	echo "$size"
}

# shellcheck disable=SC2034 # transfer reads the options
source_prepare()
{
	local what=$1 i header

	header=$((what >= WITH_HEADER))
	for ((i = 0; i < ${#DEVS[@]}; i++)); do
		knobs "${DEVS[i]}" state_size=0 "seed=$((RANDOM * 65536 + i + 1))" \
			"state_size=$(size_of "$what" "$i")" headerless=$((!header)) || return 1
	done
	on b knobs_all "headerless=$((!header))" || return 1
	SEED=$RANDOM
	SEND_OPTS=(--exec "edutool fill $SEED")
	RECV_OPTS=()
	((!header)) || RECV_OPTS=(--exec "edutool check $SEED")
	VERIFY=$((!VERIFY))
	((!VERIFY)) || SEND_OPTS+=(--verify) RECV_OPTS+=(--verify)
}

# Every size as asked, on both ends, and every device with its share of the channels.
counts_right()
{
	local what=$1 channels=$2 i want header=0

	((what < WITH_HEADER)) || header=64
	for ((i = 0; i < ${#DEVS[@]}; i++)); do
		want=$(($(size_of "$what" "$i") + header))
		jq -e --argjson i "$i" --argjson want "$want" --argjson n "$channels" \
			'.devices[$i] | .bytes == $want and .nr_channels == $n' \
			/tmp/send.json >/dev/null &&
			jq -e --argjson i "$i" --argjson want "$want" \
			'.devices[$i].bytes == $want' /tmp/recv.json >/dev/null && continue
		echo "${DEVS[i]}: not $want bytes over $channels channels"
		jq -c '.devices[] | [.handle, .bytes, .nr_channels]' /tmp/send.json /tmp/recv.json
		return 1
	done
}

# carry WHAT CHANNELS: one transfer of DEVS, and all that is to be seen of it.
carry()
{
	source_prepare "$1" && transfer && counts_right "$1" "$2" && devices_same &&
		all_in STOP "${DEVS[@]}" && on b all_in RUNNING "${DEVS[@]}"
}

# attempt CHANNELS WHAT: one transfer of DEVS; if it fails, the next one gets a new link.
attempt()
{
	local channels=$1 failed=$KTAP_FAILED

	check "${#DEVS[@]} devices, $channels channels each, bytes: ${SIZES[$2]}" \
		carry "$2" "$channels"
	((KTAP_FAILED == failed)) || link_renew $((channels * ${#DEVS[@]})) >/dev/null
}

devices_setup
ALL=("${DEVS[@]}")

# Which of the SIZES goes with 1 to 8 channels is shifted from set to set.
for ((total = 1; total <= 64; total++)); do
	linked=
	for n in 1 2 4 8; do
		channels=$((total / n))
		((total % n == 0 && channels <= 8)) || continue
		if [[ -z $linked ]]; then
			link_up "$total" >/dev/null || not_ok "a link of $total channels"
			linked=yes
		fi
		DEVS=("${ALL[@]:0:n}")
		what=$(((channels + 2 * n + n / 4) % ${#SIZES[@]}))
		attempt "$channels" "$what"
	done
	[[ -z $linked ]] || link_down
done

# Each set meets each size at least once.
for n in 1 2 4 8; do
	DEVS=("${ALL[@]:0:n}")
	link_up $n
	for what in "${!SIZES[@]}"; do
		met=
		for ((channels = 1; channels <= 8; channels++)); do
			(((channels + 2 * n + n / 4) % ${#SIZES[@]} != what)) || met=yes
		done
		[[ -z $met ]] || continue
		attempt 1 "$what"
	done
	link_down
done

check "nothing is left of them" hosts_clean
ktap_exit
