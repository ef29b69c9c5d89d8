# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every kind of channel must carry byte for byte: sets of 1, 2, 4 and 8 devices with 1 to 8
# channels each; streams of 0 bytes to 64 MiB, around the size of a frame, equal and mixed;
# all of it from devices that stand still, or some of it before. Half of the transfers are
# verified. For bash, after ktap.sh, hosts.sh and migmux.sh.
#
#	cases_run TCP whole begun	each size, each number of devices and of channels
#	cases_all TCP whole begun	each size with each of the sets
#
# Who uses it has at least 8 devices in DEVS, the sources, and these functions:
#
#	case_link CHANNELS		a link, in place of what there may be
#	case_unlink			no link
#	case_knobs KNOB=VALUE...	for all devices that take state
#	case_move			the transfer of DEVS with SEND_OPTS and RECV_OPTS, which
#					leaves send.json and recv.json in /tmp
#	case_arrived			DEVS stopped, and what took their state has it and runs

MIB=1048576
# What the devices of a set have, one after the other and from the start again. The last
# two are with the header that carries registers; the others are exactly that long, unless
# they begin before the devices stop, for which there is always a header.
CASES=(0 1 $((MIB - 1)) "$MIB" $((MIB + 1)) large "0 1 $((MIB + 1)) 5000" \
       "$((MIB - 1)) $((2 * MIB)) 0 $MIB" "1 $((3 * MIB)) 65536")
CASES_WITH_HEADER=7
# Devices, and channels of each, of those sets that have to do. To open and close a device
# takes a reset of a bus each, which is what there is most of.
CASES_SETS=("2 1" "1 2" "2 3" "2 4" "1 5" "1 6" "4 7" "8 8" "4 1")
# Large is 64 MiB for so many devices, unless some of it goes before, and 2 MiB else.
CASES_LARGE=1
CASES_N=0

# case_size WHAT HOW INDEX
case_size()
{
	local sizes size

	read -r -a sizes <<<"${CASES[$1]}"
	size=${sizes[$3 % ${#sizes[@]}]}
	if [[ $size == large ]]; then
		size=$((2 * MIB))
		[[ $2 == begun ]] || ((${#DEVS[@]} > CASES_LARGE)) || size=$((64 * MIB))
	fi
	echo "$size"
}

# case_prepare WHAT HOW: begun is a third of the payload, and it changes on the way.
case_prepare()
{
	local what=$1 how=$2 i size header seed=$RANDOM
	local -a more can=(precopy=0)

	header=$((what >= CASES_WITH_HEADER))
	[[ $how == whole ]] || header=1
	[[ $how == whole ]] || can=(precopy=1)
	for ((i = 0; i < ${#DEVS[@]}; i++)); do
		size=$(case_size "$what" "$how" "$i")
		more=("${can[@]}")
		[[ $how == whole ]] || more+=(precopy_size=$((size / 3)) dirty_rate=1000000)
		knobs "${DEVS[i]}" state_size=0 "seed=$((RANDOM * 65536 + i + 1))" \
			"state_size=$size" headerless=$((!header)) "${more[@]}" || return 1
	done
	case_knobs headerless=$((!header)) "${can[@]}" || return 1
	SEND_OPTS=(--exec "edutool fill $seed")
	RECV_OPTS=()
	((!header)) || RECV_OPTS=(--exec "edutool check $seed")
	[[ $how == whole ]] || SEND_OPTS+=(--precopy)
	# two of four: each way to begin is met both ways
	((CASES_N++ % 4 < 2)) || SEND_OPTS+=(--verify) RECV_OPTS+=(--verify)
}

# Every size as asked, on both ends, and every device with its share of the channels.
case_counted()
{
	local what=$1 how=$2 channels=$3 i want=() begun=()

	for ((i = 0; i < ${#DEVS[@]}; i++)); do
		want+=("$(case_size "$what" "$how" "$i")")
		begun+=($((want[i] / 3)))
		((what < CASES_WITH_HEADER)) || want[i]=$((want[i] + 64))
	done
	jq -se --arg how "$how" --argjson n "$channels" --argjson want "$(json_list "${want[@]}")" \
		--argjson begun "$(json_list "${begun[@]}")" '
		def all_of(f): map(.devices | map(f));
		all_of(.bytes)[] as $bytes | all_of(.precopy_bytes // 0)[] as $before |
		all(.[0].devices[]; .nr_channels == $n) and
		if $how == "whole" then $bytes == $want and ($before | all(. == 0))
		else all_of([.bytes, .precopy_bytes])[0] == all_of([.bytes, .precopy_bytes])[1] and
		     all([$before, $begun] | transpose[]; .[0] >= .[1]) end' \
		/tmp/send.json /tmp/recv.json >/dev/null && return
	echo "not ${want[*]} bytes over $channels channels each"
	jq -c '.devices[] | [.handle, .bytes, .precopy_bytes, .nr_channels]' /tmp/send.json \
		/tmp/recv.json
	return 1
}

json_list()
{
	local IFS=,

	echo "[$*]"
}

# case_carry WHAT HOW CHANNELS: one transfer of DEVS, and all that is to be seen of it.
case_carry()
{
	case_prepare "$1" "$2" && case_move && case_counted "$@" && case_arrived
}

# case_attempt KIND WHAT CHANNELS HOW...: if it fails, the next one gets a new link.
case_attempt()
{
	local kind=$1 what=$2 channels=$3 failed how
	local -A says=([whole]="" [begun]=", begun before the stop")

	shift 3
	for how; do
		failed=$KTAP_FAILED
		check "$kind: ${#DEVS[@]} devices, $channels channels each, bytes: ${CASES[what]}${says[$how]}" \
			case_carry "$what" "$how" "$channels"
		((KTAP_FAILED == failed)) || case_link $((channels * ${#DEVS[@]})) >/dev/null
	done
}

# cases_run KIND whole|begun...: each case with one set of devices and channels, and so each
# number of both.
cases_run()
{
	local kind=$1 what n channels
	local -a all=("${DEVS[@]}") hows=("${@:2}")

	for what in "${!CASES[@]}"; do
		read -r n channels <<<"${CASES_SETS[what]}"
		DEVS=("${all[@]:0:n}")
		case_link $((n * channels)) >/dev/null ||
			not_ok "$kind: a link of $((n * channels)) channels"
		case_attempt "$kind" "$what" "$channels" "${hows[@]}"
		case_unlink
	done
	DEVS=("${all[@]}")
}

# Which of the cases goes with so many channels is shifted from set to set.
case_of()
{
	echo $((($1 + 2 * $2 + $2 / 4) % ${#CASES[@]}))
}

# cases_all KIND whole|begun...: all sets, with all cases each. Links are used for all sets that
# have so many channels.
cases_all()
{
	local kind=$1 total n channels linked
	local -a all=("${DEVS[@]}") hows=("${@:2}")

	for ((total = 1; total <= 64; total++)); do
		linked=
		for n in 1 2 4 8; do
			channels=$((total / n))
			((total % n == 0 && channels <= 8)) || continue
			DEVS=("${all[@]:0:n}")
			[[ -n $linked ]] || case_link $total >/dev/null ||
				not_ok "$kind: a link of $total channels"
			linked=yes
			case_attempt "$kind" "$(case_of $channels $n)" $channels "${hows[@]}"
			# 8 channels and 9 cases: the last one is met here
			((channels > 1)) || case_attempt "$kind" "$(case_of 0 $n)" 1 "${hows[@]}"
		done
		[[ -z $linked ]] || case_unlink
	done
	DEVS=("${all[@]}")
}
