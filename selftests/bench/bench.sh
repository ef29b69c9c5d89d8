#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The measurements, on host a. Results go to /out/bench.txt, a line each:
#
#	arcs together|sequential DEVICES NS
#	downtime vfmig|serial ROUND MS

set -u
. /lib/migmux/move.sh

die()
{
	echo "FAILED: $*"
	exit 1
}

# downtime WAY ROUND: add a way's two parts of the downtime.
downtime()
{
	jq -rn --arg way "$1" -f /lib/migmux/times.jq "$MOVE_DIR/$1-send.json" \
		"$MOVE_DIR/$1-recv.json" |
		awk -v way="$1" -v round="$2" '
			$1 == "total" { sum += $4; n++ }
			END { print "downtime", way, round, sum; exit n != 2 }'
}

move_host_setup || die "host A cannot set up its devices"
b_do move_host_setup || die "host B cannot set up its devices"
# shellcheck disable=SC2046 # words
vfmig device hook $(edu_list | sed 's,^,pci/,') || die "host A cannot hook them"
b_do eval "vfmig device hook \$(move_devices)" || die "host B cannot hook them"
move_link_up || die "the hosts cannot connect"
move_warm_up || die "warming up: the state did not arrive as it was"

echo "  1 to $VM_DEVICES devices to STOP_COPY, $ROUNDS_ARCS times"
# shellcheck disable=SC2046 # words
bench-arcs "$ROUNDS_ARCS" $(edu_list) >>/out/bench.txt || die "bench-arcs"

for round in $(seq "$ROUNDS_MOVE"); do
	echo "  $MOVE_DEVICES devices from A to B, both ways, $round of $ROUNDS_MOVE"
	move_vfmig vfmig --progress never || die "vfmig: the state did not arrive as it was"
	move_serial serial || die "serial-vmm: the state did not arrive as it was"
	{ downtime vfmig "$round" && downtime serial "$round"; } >>/out/bench.txt ||
		die "there are no times"
done
