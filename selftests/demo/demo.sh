#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo, as host a runs it. What it prints is for people.

set -u
. /lib/migmux/move.sh

if [ "$DEMO_TTY" = 1 ]; then
	bold=$'\e[1m' plain=$'\e[0m' progress=always
else
	bold='' plain='' progress=never
fi

say()
{
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

die()
{
	printf '\n%sFAILED: %s%s\n' "$bold" "$*" "$plain"
	exit 1
}

# A line per device while the old way works, as vfmig has it, from what migsim knows. Pid.
watch_serial()
{
	local dev devs drawn='' state bytes

	[ "$progress" = always ] || return 0
	devs=$(move_devices)
	while kill -0 "$1" 2>/dev/null; do
		[ -z "$drawn" ] || printf '\e[%dA' "$VM_DEVICES"
		drawn=1
		for dev in $devs; do
			read -r state <"$(knob "$dev" state)" || state=
			read -r bytes <"$(knob "$dev" saved_bytes)" || bytes=0
			printf '%-24s %-12s %20s\e[K\n' "$dev" "$state" \
				"$((bytes >> 20)) MiB of $STATE_MIB"
		done
		sleep 0.2
	done
	[ -z "$drawn" ] || printf '\e[%dA\e[J' "$VM_DEVICES"
}

# verified WAY: what move_end has checked, in words.
verified()
{
	echo "  verified on B: every register, and the CRC-32 of every payload:"
	awk '{ printf "    %s  %s (before the move: %s)\n", $1, $4, $3 }' "$MOVE_DIR/$1-crc.txt"
}

say "Preparing the devices on both hosts"
move_host_setup || die "host A cannot set up its devices"
b_do move_host_setup || die "host B cannot set up its devices"
# shellcheck disable=SC2046 # words
vfmig device hook $(move_devices) || die "host A cannot hook them"
b_do eval "vfmig device hook \$(move_devices)" || die "host B cannot hook them"
move_link_up || die "the hosts cannot connect"
echo "  driver vfio_pci_migsim, hooked by vfio_migmux; a link of $((MOVE_CHANNELS * VM_DEVICES)) TCP connections"
echo "  both ways once with 1 MiB each, unmeasured: an emulator is slow with code it sees first"
move_warm_up 2>&1 || die "the state did not arrive as it was"

say "vfmig send on A, vfmig recv on B: all devices at once"
move_vfmig vfmig --progress $progress 2>&1 || die "the state did not arrive as it was"
verified vfmig

say "The old way: one device after another, read() and write(), one connection"
move_serial serial watch_serial 2>&1 || die "the state did not arrive as it was"
verified serial

say "Where the time went"
for way in serial vfmig; do
	jq -rn --arg way $way -f /lib/migmux/times.jq "$MOVE_DIR/$way-send.json" \
		"$MOVE_DIR/$way-recv.json" || die "there are no times"
done >"$MOVE_DIR/times.tsv"
echo
awk -v names="$(edu_list | sed 's/^0000://' | tr '\n' ' ')" -v bold="$bold" \
	-v plain="$plain" -f /lib/migmux/table.awk "$MOVE_DIR/times.tsv" || die "there are no times"
cat <<END

  On A from the first change of state until B has accepted every byte, on B from there
  until the last device runs. The hosts' clocks are never compared.
END
