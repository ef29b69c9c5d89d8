# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests of links from a host to itself share. For bash, after ktap.sh, hosts.sh and
# migmux.sh.
#
#	loop_setup; out_in tcp:127.0.0.1:5000; transfers tcp; links_del
#
# Variables: DEVS are moved to SINKS, which is half of the devices to the other half, or as
# many of each as loop_use was told; FROM and TO are their handles. IN_OPTS and OUT_OPTS are
# more options of the listening and of the connecting end, RECV_OPTS of recv.

IN_OPTS=()
OUT_OPTS=()
RECV_OPTS=()

# Modules and devices. Without them, no test.
loop_setup()
{
	local module

	for module in vfio_pci_migsim vfio_migmux; do
		modprobe $module || skip_all "$module is not built"
	done
	mapfile -t LOOP <<<"$(edu_list)"
	driver_bind vfio_pci_migsim "${LOOP[@]}" || exit 1
	loop_use $((${#LOOP[@]} / 2))
}

# loop_use N: N devices are moved to N others.
loop_use()
{
	DEVS=("${LOOP[@]:0:$1}")
	SINKS=("${LOOP[@]:${#LOOP[@]} / 2:$1}")
	FROM=("${DEVS[@]/#/pci/}")
	TO=("${SINKS[@]/#/pci/}")
}

# out_in ADDR [CHANNELS]: links "in", which listens there, and "out". Says what they say.
out_in()
{
	local listener rc=0

	vfmig link listen in --on "$1" --channels "${2:-2}" --timeout 30 \
		"${IN_OPTS[@]}" >/tmp/listen.out 2>&1 &
	listener=$!
	vfmig link connect out --to "$1" --channels "${2:-2}" --timeout 30 "${OUT_OPTS[@]}" \
		>/tmp/connect.out 2>&1 || rc=$?
	wait $listener || rc=$?
	cat /tmp/listen.out /tmp/connect.out
	return $rc
}

links_del()
{
	vfmig link del in
	vfmig link del out
}

# carry [OPTION...]: DEVS to SINKS. The options are send's.
carry()
{
	local recv rc=0

	vfmig recv -j in "${TO[@]}" --staging 1M "${RECV_OPTS[@]}" >/tmp/recv.json 2>/tmp/recv.err &
	recv=$!
	vfmig send -j out "${FROM[@]}" "$@" >/tmp/send.json 2>/tmp/send.err || rc=$?
	# a source that was refused has told its peer nothing
	((rc == 0)) || wait_for 10 has_ended $recv || kill -INT $recv
	wait $recv || rc=$?
	((rc == 0)) || cat /tmp/send.err /tmp/recv.err
	return $rc
}

# SINKS have what DEVS have, and run; DEVS do not.
arrived()
{
	local bdf

	[[ $(device_facts "${DEVS[@]}") == "$(device_facts "${SINKS[@]}")" ]] || {
		device_facts "${DEVS[@]}" "${SINKS[@]}"
		for bdf in "${SINKS[@]}"; do
			echo "$bdf: $(knob "$bdf" loaded_bytes) bytes were loaded, its arcs:"
			knob "$bdf" arcs_log | tail -n 12
		done
		return 1
	}
	all_in STOP "${DEVS[@]}" && all_in RUNNING "${SINKS[@]}"
}

# prepare SIZE: of each of DEVS, with contents of its own.
prepare()
{
	local bdf

	knobs_default "$1" || return 1
	for bdf in "${DEVS[@]}"; do
		knobs "$bdf" "seed=$RANDOM" || return 1
	done
}

# Half of the state of each source can go before, and changes on the way.
precopies()
{
	local bdf

	knobs_all precopy=1 || return 1
	for bdf in "${DEVS[@]}"; do
		knobs "$bdf" precopy_size=2500000 dirty_rate=1000000 || return 1
	done
}

preceded()
{
	jq -e '.precopy.devices == 2 and all(.devices[]; .precopy_bytes >= 2500000)' \
		/tmp/send.json >/dev/null && return
	jq -c '[.precopy, (.devices[] | .precopy_bytes)]' /tmp/send.json
	return 1
}

# shows LINK FILTER: jq's FILTER holds for all channels of the link.
shows()
{
	vfmig link show "$1" -j >/tmp/link.json
	jq -e "(.channels | length) > 0 and all(.channels[]; $2)" /tmp/link.json >/dev/null &&
		return
	cat /tmp/link.json
	return 1
}

# What a kind of link carries is tried by kinds.sh; here it has little memory at both ends.
transfers()
{
	check "$1: ${#DEVS[@]} devices, both ends have a budget of 1 MiB" \
		eval "prepare 5000001 && carry --staging 1M && arrived"
}
