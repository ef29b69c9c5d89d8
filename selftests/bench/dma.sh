#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is left of mapping memory in the downtime, by the memory's size and by that of the
# pieces, for four devices that load their state. Results go to /out/dma.txt, see
# bench-dma.c.

set -u
. /lib/migmux/move.sh

die()
{
	echo "FAILED: $*"
	exit 1
}

mapfile -t DEV < <(edu_list)
move_host_setup || die "cannot set up the devices"
move_host_knobs 1 10 0 || die "cannot set up the devices"
for round in $(seq "$ROUNDS_DMA"); do
	echo "  memory of 256 MiB and 1 GiB, pieces of 2 MiB to 1 GiB, round $round of $ROUNDS_DMA"
	for what in "256 2" "256 16" "256 64" "256 256" "1024 2" "1024 16" "1024 64" "1024 1024"; do
		# shellcheck disable=SC2086 # two words
		bench-dma $what "${DEV[@]}" >>/out/dma.txt || die "$what"
	done
done
