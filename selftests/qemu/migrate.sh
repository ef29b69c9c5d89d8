# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# One VM that goes back and forth between two QEMU processes, "east" and "west", each with
# devices of its own. For bash, after hosts.sh, migmux.sh and qmp.sh.
#
# CHANNEL is main or multifd, PRECOPY stopcopy or precopy, SETS with or without: which
# kind of migration leg() makes. A function that fails says why on stdout.

VM_DEVICES_EACH=4
LEG_TIMES=			# of the last leg: stop, start, QEMU's downtime, setup; ms
declare -A SIDE=()		# a side's devices
declare -A SPARE=()		# and one more, which the VM may have without migrating it

# The first devices are the east's, the next the west's, the last two the spare ones.
sides_make()
{
	local devs n=$VM_DEVICES_EACH

	mapfile -t devs <<<"$(edu_list)"
	SIDE[east]=${devs[*]:0:n}
	SIDE[west]=${devs[*]:n:n}
	SPARE[east]=${devs[2 * n]:-}
	SPARE[west]=${devs[2 * n + 1]:-}
}

other_side()
{
	[[ $1 == east ]] && echo west || echo east
}

# --- the devices ----------------------------------------------------------------------

side_knobs()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		knobs "$bdf" "${@:2}" || return 1
	done
}

side_logs()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		echo "/sys/bus/pci/devices/$bdf/migsim/arcs_log"
	done
}

# side_in SIDE STATE: as the driver sees it, not the VMM.
side_in()
{
	local bdf state

	for bdf in ${SIDE[$1]}; do
		read -r state <"/sys/bus/pci/devices/$bdf/migsim/state"
		[[ $state == "$2" ]] || return 1
	done
}

side_reaches()
{
	local bdf

	wait_for "$QMP_PATIENCE" side_in "$1" "$2" && return
	for bdf in ${SIDE[$1]}; do
		echo "$1 should be in $2: $bdf is in $(knob "$bdf" state)"
	done
	return 1
}

side_payloads()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		knob "$bdf" payload_crc
	done
}

# The register that the guest writes only once, so that it is the same on both sides.
side_constants()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		knob "$bdf" registers | grep -o 'cnt=[^ ]*'
	done
}

# same WHAT ONE OTHER
same()
{
	[[ -n $2 && $2 == "$3" ]] && return
	echo "$1 differ: ${2//$'\n'/, } and ${3//$'\n'/, }"
	return 1
}

# A VM's device is one that migrates, or one that QEMU leaves alone.
device_arg()
{
	local id=$1 bdf=$2 migrates=$3

	echo "vfio-pci,id=$id,host=$bdf,rombar=0,enable-migration=$migrates$(
		)$([[ $migrates == off ]] || echo ,x-device-dirty-page-tracking=off)"
}

# --- what the guest says ------------------------------------------------------------------

guest_said()
{
	SAID=
	read -r SAID <"$QMP_DIR/$1.debug" || :
	[[ $SAID ]]
}

guest_ticks()
{
	guest_said "$1" && [[ $SAID == *.....* ]]
}

# guest_runs SIDE GREETING: it ticks, and says nothing but GREETING.
guest_runs()
{
	wait_for "$QMP_PATIENCE" guest_ticks "$1" || { echo "the guest does not run"; return 1; }
	[[ $SAID =~ ^"$2"\.+$ ]] || { echo "the guest said: ${SAID//..../}"; return 1; }
}

# --- sides ----------------------------------------------------------------------------

# side_start SIDE ARG...: QEMU with its devices.
side_start()
{
	local side=$1 bdf args=() n=0

	shift
	for bdf in ${SIDE[$side]}; do
		args+=(-device "$(device_arg "dev$n" "$bdf" on),addr=$((n++ + 4))")
	done
	vm_start "$side" -machine pc,hpet=off -m 16 -accel tcg,tb-size=16 \
		-drive if=floppy,format=raw,readonly=on,file=/lib/migmux/boot.img \
		"${args[@]}" "$@"
}

# All there is to know of a side, for a report of a failure.
side_show()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		echo "$bdf is in $(knob "$bdf" state), saved $(knob "$bdf" saved_bytes)," \
			"loaded $(knob "$bdf" loaded_bytes)"
		knob "$bdf" arcs_log | tail -n 8
	done
	vm_show "$1"
}

side_configure()
{
	local side=$1 multifd=false ack=false n

	[[ $CHANNEL == main ]] || multifd=true
	[[ $PRECOPY == stopcopy ]] || ack=true
	qmp "$side" migrate-set-capabilities "\"capabilities\": [
		{\"capability\": \"events\", \"state\": true},
		{\"capability\": \"return-path\", \"state\": true},
		{\"capability\": \"switchover-ack\", \"state\": $ack},
		{\"capability\": \"multifd\", \"state\": $multifd}]" || return 1
	# Nothing is small enough to be sent in the downtime, until we say so. Until then
	# the RAM, all of which the devices may write, is sent over and over; slowly, for
	# a first pass that takes less than 100 ms ends in the switchover at once.
	qmp "$side" migrate-set-parameters '"downtime-limit": 1,
		"avail-switchover-bandwidth": 1000000, "max-bandwidth": 1000000' || return 1
	for ((n = 0; n < VM_DEVICES_EACH; n++)); do
		qmp "$side" qom-set "\"path\": \"/machine/peripheral/dev$n\",
			\"property\": \"x-migration-multifd-transfer\", \"value\": \"$(
			[[ $CHANNEL == main ]] && echo off || echo on)\"" || return 1
	done
}

# The operator's part. Its policies are those that suit a source, or a destination.
side_policy()
{
	local policy=stop,copy,start

	[[ $SETS == with ]] || return 0
	[[ $2 == source ]] || policy+=,resume,setup
	vfmig set policy "$1" "$policy"
}

sets_add()
{
	local side bdf members

	for side in east west; do
		members=()
		for bdf in ${SIDE[$side]} ${SPARE[$side]}; do
			members+=("pci/$bdf")
		done
		vfmig set add "$side" "${members[@]}" || return 1
	done
}

sets_del()
{
	vfmig set del east 2>/dev/null
	vfmig set del west 2>/dev/null
}

# --- a migration ----------------------------------------------------------------------

# The sockets that the source migrates to, and where the destination waits.
WIRE_FROM=$QMP_DIR/wire
WIRE_TO=$QMP_DIR/wire

# The destination is ready before the source stops, as it is when RAM takes its time.
leg_precopy()
{
	local from=$1 to=$2

	qmp "$to" migrate-incoming "\"uri\": \"unix:$WIRE_TO\"" &&
		qmp "$from" migrate "\"uri\": \"unix:$WIRE_FROM\"" &&
		side_reaches "$to" RESUMING
}

leg_switchover()
{
	local from=$1 to=$2

	qmp_forget "$from"
	qmp "$from" migrate-set-parameters '"downtime-limit": 2000000' &&
		qmp_event "$from" '"status": "completed"' &&
		qmp_event "$to" '"status": "completed"' '"RESUME"' &&
		side_reaches "$to" RUNNING &&
		side_reaches "$from" STOP
}

# LEG_TIMES of the migration that is over.
leg_measure()
{
	local from=$1 to=$2 stop start setup downtime sources dests

	mapfile -t sources < <(side_logs "$from")
	mapfile -t dests < <(side_logs "$to")
	LEG_TIMES=$(awk -v precopy="$PRECOPY" -v source="${sources[*]}" \
		-f /lib/migmux/times.awk "${sources[@]}" "${dests[@]}") ||
		{ echo "$LEG_TIMES"; return 1; }
	qmp "$from" query-migrate || return 1
	downtime=$(jq -e .return.downtime <<<"$RETURN") || { echo "$RETURN"; return 1; }
	read -r stop start setup <<<"$LEG_TIMES"
	LEG_TIMES="$stop $start $downtime $setup"
}

# leg FROM TO [ARG...]: the VM is on FROM, and goes to TO, where QEMU gets more arguments.
leg()
{
	local from=$1 to=$2 payloads

	shift 2
	side_start "$to" -incoming defer "$@" || return 1
	side_configure "$from" && side_configure "$to" || return 1
	side_policy "$from" source && side_policy "$to" destination || return 1
	side_knobs "$from" arcs_log= && side_knobs "$to" arcs_log= || return 1
	payloads=$(side_payloads "$from")
	leg_precopy "$from" "$to" && leg_switchover "$from" "$to" &&
		leg_measure "$from" "$to" || return 1
	same payloads "$payloads" "$(side_payloads "$to")" &&
		same registers "$(side_constants "$from")" "$(side_constants "$to")" &&
		guest_runs "$to" "" && vm_quit "$from"
}
