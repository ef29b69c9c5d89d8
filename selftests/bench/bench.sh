#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The measurements, on host a. Results go to /out/bench.txt, a line each:
#
#	arcs together|sequential|set|threads stop|start DEVICES NS ARC_MS
#	ioctl unhooked|hooked|set-of-one|unhooked-again arc|set|get NS
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

# arcs ARC_MS WAY [N]: ROUNDS_ARCS times, with the first N devices or all
arcs()
{
	local bdf

	for bdf in $(edu_list); do
		echo "$1" >"/sys/bus/pci/devices/$bdf/migsim/arc_ms"
	done
	echo "  ${3:-1 to $VM_DEVICES} devices $2, arcs of $1 ms, $ROUNDS_ARCS times"
	# shellcheck disable=SC2046 # words
	bench-arcs "$ROUNDS_ARCS" "$2" $(edu_list | head -n "${3:-$VM_DEVICES}") >/tmp/arcs.txt || die "bench-arcs $2"
	sed "s/$/ $1/" /tmp/arcs.txt >>/out/bench.txt
}

# What the hook costs, and a set that has one device.
ioctls()
{
	local bdf round pid to

	bdf=$(edu_list | head -n 1)
	echo "  ioctls with and without the hook, $ROUNDS_IOCTL times"
	# no device is quicker: a mailbox command or two
	echo 0 >"/sys/bus/pci/devices/$bdf/migsim/arc_ms"
	echo 50 >"/sys/bus/pci/devices/$bdf/migsim/arc_us"
	coproc BENCH { bench-ioctl "$bdf"; }
	pid=$BENCH_PID
	for round in $(seq "$ROUNDS_IOCTL"); do
		ioctl_round unhooked
		vfmig device hook "pci/$bdf" && ioctl_round hooked && vfmig device unhook "pci/$bdf"
		vfmig set add one "pci/$bdf" && ioctl_round set-of-one && vfmig set del one
		ioctl_round unhooked-again
	done >/dev/null || die "bench-ioctl"
	to=${BENCH[1]}
	exec {to}>&-
	wait "$pid" || die "bench-ioctl"
	echo 0 >"/sys/bus/pci/devices/$bdf/migsim/arc_us"
}

ioctl_round()
{
	local line

	echo "$1" >&"${BENCH[1]}"
	for _ in arc set get; do
		IFS= read -r line <&"${BENCH[0]}" || return 1
		echo "$line" >>/out/bench.txt
	done
}

# Without the module's hook, as without the module: the drivers' own ops.
# shellcheck disable=SC2046 # words
vfmig device unhook $(edu_list | sed 's,^,pci/,') || die "host A cannot unhook its devices"
ioctls
arcs 100 sequential
arcs 100 threads
for n in 1 2 4 8; do
	# shellcheck disable=SC2046 # words
	vfmig set add vm $(edu_list | head -n $n | sed 's,^,pci/,') || die "no set"
	arcs 100 set $n
	vfmig set del vm || die "the set does not go"
done
arcs 100 together
arcs 50 together
arcs 50 sequential

for round in $(seq "$ROUNDS_MOVE"); do
	echo "  $MOVE_DEVICES devices from A to B, both ways, $round of $ROUNDS_MOVE"
	move_vfmig vfmig --progress never || die "vfmig: the state did not arrive as it was"
	move_serial serial || die "serial-vmm: the state did not arrive as it was"
	{ downtime vfmig "$round" && downtime serial "$round"; } >>/out/bench.txt ||
		die "there are no times"
done
