#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 8 --memory 2048 --smp 1
#
# The downtime of four devices that stock QEMU 10.0 migrates, on its main channel and by
# multifd, and of the same devices when vfmig does: from the first change of state of the
# source's devices to the end of the last one of the destination's, as the devices saw it.
# One CPU, as in selftests/qemu/qemu.sh. From the environment: ROUNDS, and SETTINGS, a list
# of MIB:MS_PER_MIB:ARC_MS. Results go to /out/versus.txt:
#
#	versus SETTING vfmig|main|multifd ROUND MS

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/qmp.sh
. /lib/migmux/migrate.sh

# What migrate.sh wants to know.
# shellcheck disable=SC2034
PRECOPY=stopcopy SETS=without
WIRE=unix:/tmp/vfmig.wire

die()
{
	echo "FAILED: $*"
	exit 1
}

# setting_apply MIB MS_PER_MIB ARC_MS
setting_apply()
{
	knobs_all state_size=$(($1 << 20)) read_us_per_mib=$(($2 * 1000)) \
		write_us_per_mib=$(($2 * 1000)) "arc_ms=$3"
}

# seeds SIDE SALT: contents that no device had before.
seeds()
{
	local bdf n=$2

	for bdf in ${SIDE[$1]}; do
		knob "$bdf" seed $((n++)) || return 1
	done
}

# took WAY: what the last migration, from FROM to TO, is to be remembered for.
took()
{
	local sources dests ms

	mapfile -t sources < <(side_logs "$FROM")
	mapfile -t dests < <(side_logs "$TO")
	ms=$(awk -v n=${#sources[@]} '
		FNR == 1 { file++ }
		file <= n && (!first || $1 + 0 < first) { first = $1 + 0 }
		file > n && $4 == "RUNNING" && $2 + 0 > last { last = $2 + 0 }
		END { printf "%.1f", (last - first) / 1e6; exit !(first && last > first) }
		' "${sources[@]}" "${dests[@]}") || return 1
	echo "versus $setting $1 $round $ms" >>/out/versus.txt
}

# --- QEMU ---------------------------------------------------------------------------------

# qemu_rounds CHANNEL: one VM goes back and forth.
qemu_rounds()
{
	CHANNEL=$1 FROM=east
	side_start east && guest_runs east B4 || return 1
	for round in $(seq "$ROUNDS"); do
		TO=$(other_side "$FROM")
		leg "$FROM" "$TO" && took "$CHANNEL" || return 1
		FROM=$TO
	done
	vm_quit "$FROM"
}

# --- vfmig --------------------------------------------------------------------------------

handles_of()
{
	local bdf

	for bdf in ${SIDE[$1]}; do
		echo "pci/$bdf"
	done
}

vfmig_round()
{
	local payloads receiver rc=0

	seeds east $((salt += 8)) && side_knobs east arcs_log= && side_knobs west arcs_log= ||
		return 1
	payloads=$(side_payloads east)
	rm -f /tmp/ready
	# shellcheck disable=SC2046 # words
	vfmig recv --progress never --ready-file /tmp/ready in $(handles_of west) >/dev/null &
	receiver=$!
	wait_for "$QMP_PATIENCE" test -s /tmp/ready || { kill $receiver; return 1; }
	# shellcheck disable=SC2046 # words
	vfmig send --progress never out $(handles_of east) >/dev/null || rc=$?
	wait $receiver || rc=$?
	((rc == 0)) && FROM=east TO=west && took vfmig &&
		same payloads "$payloads" "$(side_payloads west)"
}

vfmig_rounds()
{
	modprobe vfio_migmux || return 1
	vfmig link listen in --on "$WIRE" --channels 8 >/dev/null &
	vfmig link connect out --to "$WIRE" --channels 8 >/dev/null && wait $! || return 1
	for round in $(seq "$ROUNDS"); do
		vfmig_round || return 1
	done
	vfmig link del in && vfmig link del out && rmmod vfio_migmux
}

# --------------------------------------------------------------------------------------------

salt=1000
mkdir -p "$QMP_DIR"
# as in qemu.sh: multifd's threads must not wait for each other
echo $((16 << 20)) >/proc/sys/net/core/wmem_default
devices_bind || die "there are no devices"
sides_make
rmmod vfio_migmux || die "the module does not go"
for setting in $SETTINGS; do
	IFS=: read -r mib ms arc <<<"$setting"
	setting_apply "$mib" "$ms" "$arc" || die "the devices cannot be set up"
	echo "  4 devices, $mib MiB each, $ms ms per MiB, arcs of $arc ms, $ROUNDS times"
	{ seeds east 1 && seeds west 5; } || die "the devices have no contents"
	for channel in main multifd; do
		qemu_rounds $channel || die "QEMU, $channel: a migration failed"
	done
	vfmig_rounds || die "vfmig: a migration failed"
done
