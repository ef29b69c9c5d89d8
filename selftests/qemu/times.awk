# SPDX-License-Identifier: GPL-2.0-only
#
# awk -v precopy=precopy|stopcopy -v source="FILE..." -f times.awk SOURCE_LOG... DEST_LOG...
#
# The arcs_log of each device of one migration, those of the source (which "source"
# lists) and those of the destination. Prints, in ms, how long all devices of the source
# took to stop and those of the destination to resume and start, and how long the
# destination was preparing. Fails, and says why, if a device did anything but what QEMU
# asks of it, in that order.

BEGIN {
	n = split(source, list, " ")
	for (i = 1; i <= n; i++)
		is_source[list[i]] = 1
	precopy = precopy == "precopy"
	if (precopy)
		want_source = "RUNNING>PRE_COPY PRE_COPY>PRE_COPY_P2P " \
			"PRE_COPY_P2P>STOP_COPY STOP_COPY>STOP "
	else
		want_source = "RUNNING>RUNNING_P2P RUNNING_P2P>STOP STOP>STOP_COPY " \
			"STOP_COPY>STOP "
	want_dest = "RUNNING>RUNNING_P2P RUNNING_P2P>STOP STOP>RESUMING RESUMING>STOP " \
		"STOP>RUNNING_P2P RUNNING_P2P>RUNNING "
	stop_arcs = precopy ? "PRE_COPY>PRE_COPY_P2P PRE_COPY_P2P>STOP_COPY" :
		"RUNNING>RUNNING_P2P RUNNING_P2P>STOP"
	setup_arcs = "RUNNING>RUNNING_P2P RUNNING_P2P>STOP STOP>RESUMING"
	start_arcs = "RESUMING>STOP STOP>RUNNING_P2P RUNNING_P2P>RUNNING"
}

# Nanoseconds since boot lose nothing that matters in a double.
function span(phase, arcs) {
	if (index(" " arcs " ", " " $3 ">" $4 " ") == 0)
		return
	if (!(phase in first) || $1 + 0 < first[phase])
		first[phase] = $1 + 0
	if ($2 + 0 > last[phase])
		last[phase] = $2 + 0
}

{
	did[FILENAME] = did[FILENAME] $3 ">" $4 ($5 ? "=" $5 : "") " "
	if (FILENAME in is_source) {
		span("stop", stop_arcs)
	} else if (did[FILENAME] ~ /STOP>RESUMING.*RESUMING>STOP/) {
		span("start", start_arcs)
	} else {
		span("setup", setup_arcs)
	}
}

END {
	for (i = 1; i < ARGC; i++) {
		file = ARGV[i]
		if (did[file] == (file in is_source ? want_source : want_dest))
			continue
		print file ": " (did[file] == "" ? "no arc" : did[file])
		bad = 1
	}
	if (first["stop"] < last["setup"]) {
		print "the source stopped before the destination was prepared"
		bad = 1
	}
	if (bad)
		exit 1
	printf "%.1f %.1f %.1f\n", (last["stop"] - first["stop"]) / 1e6,
		(last["start"] - first["start"]) / 1e6, (last["setup"] - first["setup"]) / 1e6
}
