# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A fifth device that QEMU has open but does not migrate (enable-migration=off), and that
# is in the set nevertheless: nothing of what the four do may touch it. For bash, after
# migrate.sh.
#
# QEMU refuses to migrate such a VM ("Migration is disabled for VFIO device", a blocker
# that vfio_migration_realize() adds). So on the source the four are stopped and started
# by QMP's stop and cont, which ask for the same arcs as a migration, then the fifth is
# unplugged; at the destination, where QEMU checks no blocker, a fifth is there from the
# start and stays through the whole migration.

spare_untouched()
{
	local bdf=${SPARE[$1]} log state

	log=$(knob "$bdf" arcs_log)
	state=$(knob "$bdf" state)
	[[ $(knob "$bdf" open) == 1 ]] || { echo "$bdf is not open"; return 1; }
	[[ ! $log && $state == RUNNING ]] && return
	echo "$bdf was moved and is in $state: $log"
	return 1
}

# side_together SIDE FROM TO: did the set do its work? Each of the four must begin that arc
# before one of them has ended it.
side_together()
{
	local logs

	[[ $SETS == with ]] || return 0
	mapfile -t logs < <(side_logs "$1")
	awk -v from="$2" -v to="$3" '
		$3 == from && $4 == to {
			if (!n++ || $1 + 0 > begin) begin = $1 + 0
			if (n == 1 || $2 + 0 < end) end = $2 + 0
		}
		END { exit !(n == 4 && begin < end) }' "${logs[@]}" && return
	echo "$1 did not go from $2 to $3 together"
	return 1
}

spare_stop_cont()
{
	local side=$1

	side_knobs "$side" arcs_log= &&
		qmp "$side" stop && side_in "$side" STOP && spare_untouched "$side" &&
		qmp "$side" cont && side_in "$side" RUNNING && spare_untouched "$side" &&
		side_together "$side" RUNNING RUNNING_P2P &&
		side_together "$side" RUNNING_P2P STOP &&
		side_together "$side" STOP RUNNING_P2P &&
		side_together "$side" RUNNING_P2P RUNNING
}

# If QEMU takes to migrating such a VM one day, test that.
spare_refused()
{
	! qmp "$1" migrate "\"uri\": \"unix:$QMP_DIR/wire\"" >/dev/null &&
		[[ $RETURN == *"Migration is disabled for VFIO device"* ]] && return
	echo "QEMU was to refuse a device with enable-migration=off: $RETURN"
	return 1
}

spare_plug()
{
	qmp "$1" device_add "\"driver\": \"vfio-pci\", \"id\": \"spare\", \"addr\": \"10\",
		\"host\": \"${SPARE[$1]}\", \"rombar\": 0, \"enable-migration\": \"off\""
}

spare_unplug()
{
	qmp_forget "$1"
	qmp "$1" device_del '"id": "spare"' && qmp_event "$1" '"DEVICE_DELETED"'
}

# spare_leg FROM TO: from one side, where it has a fifth device, to the other, likewise.
spare_leg()
{
	local from=$1 to=$2

	knobs "${SPARE[$from]}" arcs_log= && knobs "${SPARE[$to]}" arcs_log= &&
		side_policy "$from" source &&
		spare_stop_cont "$from" && spare_refused "$from" && spare_unplug "$from" &&
		leg "$from" "$to" \
			-device "$(device_arg spare "${SPARE[$to]}" off),addr=10" &&
		spare_untouched "$to"
}
