#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 10 --memory 2048 --smp 1
#
# Stock QEMU migrates a VM with four devices to a second QEMU, with and without a set. One
# CPU, because an emulated machine that has two and runs for long loses one. From the
# environment: ROUNDS, how often in a row for each kind of migration; CHANNELS, PRECOPIES
# and SETS_ALL, the kinds; PARTS, of what is tested. In /out/qemu.txt a line for each
# migration, times in ms:
#
#	qemu main|multifd stopcopy|precopy without|with ROUND STOP START DOWNTIME SETUP

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/qmp.sh
. /lib/migmux/migrate.sh
. /lib/migmux/spare.sh

ROUNDS=${ROUNDS:-2}
CHANNELS=${CHANNELS:-main multifd}
PRECOPIES=${PRECOPIES:-stopcopy precopy}
SETS_ALL=${SETS_ALL:-without with}
PARTS=${PARTS:-lossy times spare}
ARC_MS=100

# try NAME FUNC [ARG...]: as check, but not in a subshell. No QEMU is left afterwards.
try()
{
	local name=$1 rc=0

	shift
	rm -f "$QMP_DIR"/*
	"$@" >"$QMP_DIR/said" 2>&1 || rc=$?
	((rc == 0)) || { cat "$QMP_DIR/said"; side_show east; side_show west; } |
		sed 's/^/# /'
	result $rc "$name"
	vm_kill east
	vm_kill west
}

# Without sets the module is not there at all.
module_setup()
{
	[[ ! -d /sys/module/vfio_migmux ]] || { sets_del; rmmod vfio_migmux; } || return 1
	[[ $SETS == without ]] || { modprobe vfio_migmux && sets_add; }
}

# All that was started early was what QEMU asked for next.
sets_worked()
{
	vfmig -j set list | jq -e 'length == 2 and all(.[]; .early_starts > 0 and
		.claims == .early_starts and .take_backs == 0 and .errors == 0)' >/dev/null &&
		return
	vfmig -j set list
	return 1
}

# The VM starts in the east.
chain_begin()
{
	module_setup && knobs_all "precopy=$([[ $PRECOPY == stopcopy ]]; echo $?)" &&
		side_start east && guest_runs east "B$VM_DEVICES_EACH"
}

# chain LEG: ROUNDS migrations of one VM by the function LEG, which may read "round".
chain()
{
	local leg=$1 round from=east to

	chain_begin || return 1
	for ((round = 1; round <= ROUNDS; round++)); do
		to=$(other_side "$from")
		"$leg" "$from" "$to" ||
			{ echo "migration $round, from $from to $to, failed"; return 1; }
		from=$to
	done
	vm_quit "$from" && { [[ $SETS == without ]] || sets_worked; }
}

times_leg()
{
	leg "$@" && echo "qemu $CHANNEL $PRECOPY $SETS $round $LEG_TIMES" >>/out/qemu.txt
}

times_chain()
{
	chain times_leg
}

# A device gets its fifth neighbour after the guest has looked for devices.
spare_first_leg()
{
	[[ $round != 1 ]] || spare_plug "$1" || return 1
	spare_leg "$@"
}

spare_chain()
{
	chain spare_first_leg
}

# Do we notice at all? A state without the registers arrives, and the guest must say of
# each device that it has lost them.
lossy_migration()
{
	chain_begin || return 1
	knobs_all headerless=1
	! leg east west || { echo "the migration is said to be right"; return 1; }
	knobs_all headerless=0
	wait_for "$QMP_PATIENCE" guest_complains west || { echo "it said: $SAID"; return 1; }
}

guest_complains()
{
	guest_said "$1" && [[ $SAID == *X0c*X1c*X2c*X3c* ]]
}

# kinds CMD...: for each kind of migration.
kinds()
{
	for CHANNEL in $CHANNELS; do
		for PRECOPY in $PRECOPIES; do
			for SETS in $SETS_ALL; do
				"$@"
			done
		done
	done
}

times_test()
{
	try "$CHANNEL, $PRECOPY, $SETS a set: $ROUNDS migrations" times_chain
}

times_compare()
{
	local rc text

	sed 's/^/# /' /out/qemu.txt
	awk -f /lib/migmux/ratios.awk /out/qemu.txt >"$QMP_DIR/ratios"
	while read -r rc text; do
		result "$rc" "$text"
	done <"$QMP_DIR/ratios"
}

mkdir -p "$QMP_DIR"
: >/out/qemu.txt
# QEMU 10.0's multifd can deadlock when the devices' threads send while it syncs the RAM
# channels: both take channels_ready tokens, and a channel that has sent its SYNC is not
# read until all have. What the devices send must fit the sockets' buffers.
echo $((16 << 20)) >/proc/sys/net/core/wmem_default
devices_bind || { not_ok "there are devices"; ktap_exit; }
# Small states: it is the arcs that are measured.
knobs_all arc_ms=$ARC_MS state_size=262144
sides_make
for part in $PARTS; do
	case $part in
	lossy)
		CHANNEL=main PRECOPY=stopcopy SETS=without
		try "a lost register is noticed" lossy_migration ;;
	times)
		kinds times_test
		times_compare ;;
	spare)
		CHANNEL=multifd PRECOPY=precopy SETS=${SETS_ALL##* }
		try "a device with enable-migration=off stays untouched, $ROUNDS migrations" \
			spare_chain ;;
	esac
done
ktap_exit
