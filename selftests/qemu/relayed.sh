#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 12 --memory 2048 --smp 1
#
# Stock QEMU migrates a VM with four devices to a second QEMU through a relay (relay.c),
# whose sessions have a part in it: first as a destination, which gets the source's device
# state as well, then as a source too, whose packets the second QEMU gets in place of
# the first one's. One CPU as in qemu.sh.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/qmp.sh
. /lib/migmux/migrate.sh

# shellcheck disable=SC2034 # migrate.sh reads both
CHANNEL=multifd SETS=without
STATE_SIZE=$((2 << 20))		# more for four devices than the relay's staging
OURS=()				# the relay's devices
RELAY=				# its process
WIRE_FROM=$QMP_DIR/wire-from
WIRE_TO=$QMP_DIR/wire-to

relay_gone()
{
	! kill -0 "$RELAY" 2>/dev/null
}

relay_said()
{
	grep -q "^$1" "$QMP_DIR/relay.out"
}

relay_said_or_gone()
{
	relay_said "$1" || relay_gone
}

relay_reaches()
{
	wait_for "$QMP_PATIENCE" relay_said_or_gone "$1" && relay_said "$1" && return
	echo "the relay does not say '$1', but: $(cat "$QMP_DIR"/relay.*)"
	return 1
}

# relay_start OPTION...: each of its devices has the name of one of QEMU's.
relay_start()
{
	local bdf args=() n=4

	for bdf in "${OURS[@]}"; do
		args+=("$bdf=0000:00:0$((n++)).0/vfio")
	done
	relay "$@" "$WIRE_FROM" "$WIRE_TO" "${args[@]}" \
		>"$QMP_DIR/relay.out" 2>"$QMP_DIR/relay.err" &
	RELAY=$!
	relay_reaches ready
}

relay_kill()
{
	[[ $RELAY ]] || return 0
	kill -KILL "$RELAY" 2>/dev/null
	wait "$RELAY" 2>/dev/null
	RELAY=
}

ours()
{
	local bdf

	for bdf in "${OURS[@]}"; do
		knob "$bdf" "$1"
	done
}

registers()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		knob "$bdf" registers
	done
}

# The relay's devices have what the source's have, which stands still.
ours_equal()
{
	same "our payloads" "$(side_payloads "$1")" "$(ours payload_crc)" &&
		same "our registers" "$(registers "$1")" "$(ours registers)"
}

# relayed SAYS OPTION...: from the east to the west. When the relay has said SAYS it is
# through with its part.
relayed()
{
	local says=$1 payloads

	shift
	knobs_all "precopy=$([[ $PRECOPY == stopcopy ]]; echo $?)" &&
		side_start east && guest_runs east "B$VM_DEVICES_EACH" &&
		side_start west -incoming defer || return 1
	side_configure east && side_configure west || return 1
	payloads=$(side_payloads east)
	relay_start "$@" || return 1
	leg_precopy east west && leg_switchover east west && relay_reaches loaded &&
		relay_reaches "$says" && ours_equal east || return 1
	same payloads "$payloads" "$(side_payloads west)" &&
		same registers "$(side_constants east)" "$(side_constants west)" &&
		guest_runs west "" && vm_quit east && vm_quit west
}

# Do we notice at all, and is it our packets that the destination loads? One wrong byte
# must be seen as the payload of one device.
spoiled()
{
	! relayed replaced --replace --spoil >"$QMP_DIR/spoiled" ||
		{ echo "the migration is said to be right"; return 1; }
	grep -q "^payloads differ" "$QMP_DIR/spoiled" && return
	cat "$QMP_DIR/spoiled"
	return 1
}

# try NAME FUNC [ARG...]: no QEMU and no relay are left afterwards.
try()
{
	local name=$1 rc=0

	shift
	rm -f "$QMP_DIR"/*
	"$@" >"$QMP_DIR/said" 2>&1 || rc=$?
	((rc == 0)) || { cat "$QMP_DIR/said" "$QMP_DIR"/relay.*; side_show east; side_show west; } |
		sed 's/^/# /'
	result $rc "$name"
	relay_kill
	vm_kill east
	vm_kill west
}

mkdir -p "$QMP_DIR"
# what the devices send must fit the sockets' buffers, see qemu.sh
echo $((16 << 20)) >/proc/sys/net/core/wmem_default
devices_bind || { not_ok "there are devices"; ktap_exit; }
knobs_all state_size=$STATE_SIZE
sides_make
mapfile -t OURS < <(edu_list | tail -n "$VM_DEVICES_EACH")

PRECOPY=stopcopy
try "a wrong byte is noticed" spoiled
try "our destination loads what QEMU sends, by LOAD_BUFFER" relayed running
try "our destination loads what QEMU sends, by channels" relayed running --channels
try "QEMU loads what our source sends" relayed replaced --replace
try "the same with data files that are adopted" relayed replaced --replace --adopt
PRECOPY=precopy
try "pre-copy data is the VMM's, and the session adopts what follows" relayed running --precopy
ktap_exit
