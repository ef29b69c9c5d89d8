#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a migration costs by the number of its devices, with 2 channels each, and by the
# number of its channels, with one device. Results go to /out/scale.txt:
#
#	scale DEVICES CHANNELS_EACH INSTRUCTIONS KIB

set -u
. /lib/migmux/move.sh

die()
{
	echo "FAILED: $*"
	exit 1
}

mapfile -t DEV < <(edu_list)
half=$((${#DEV[@]} / 2))

# run DEVICES CHANNELS
run()
{
	local -a from=("${DEV[@]:0:$1}") to=("${DEV[@]:half:$1}")
	local i crcs

	bench-scale "$1" "$2" "${from[@]}" "${to[@]}" >>/out/scale.txt || return 1
	for ((i = 0; i < $1; i++)); do
		crcs=$(sort -u "$(knob "${from[i]}" payload_crc)" "$(knob "${to[i]}" payload_crc)")
		[[ $crcs != *$'\n'* ]] || return 1
	done
}

move_host_setup || die "cannot set up the devices"
move_host_knobs 1 0 0 || die "cannot set up the devices"
salt=0
for bdf in "${DEV[@]}"; do
	echo $((salt += 1)) >"$(knob "$bdf" seed)" || die "a device has no contents"
done
run 2 2 || die "warming up"
rm /out/scale.txt
for round in $(seq "$ROUNDS_SCALE"); do
	echo "  1 to $half devices, 1 to 64 channels, round $round of $ROUNDS_SCALE"
	for n in 1 4 16 32; do
		run $n 2 || die "$n devices: the state did not arrive as it was"
	done
	for n in 1 2 4 8 16 32 64; do
		run 1 $n || die "$n channels: the state did not arrive as it was"
	done
done
