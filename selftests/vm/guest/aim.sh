# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Aim at a phase of a migration: it is made long, it is waited for, and afterwards the events
# tell which phases there were at an instant. For bash, after loop.sh.
#
#	aim_knobs save; follow_begin; ...; aim save && mark; ...; follow_end; phases_at save
#
# The phases are those of a timeline, at either end, and some that are told by what there is:
#
#	setup		VMMs begin, and no device has begun to move
#	asking		the source is alone, and asks whether the destination is ready
#	ready		the destination is alone, and waits for the source
#	prepare		on the destination all that leads to RESUMING
#	end		the destination owns the devices, or the session has failed, and no device of
#			a timeline moves; but a VMM is left
#
# Variables: SEND and RECV are the pids of the two VMMs, or nothing; PRE is 1 if there is
# pre-copy; IN is what a command begins with to run where they do.

# shellcheck disable=SC2034 # for who sources this
PHASES=(setup asking ready prepare precopy quiesce stop save transfer load resume start
	rollback end)
PRECOPY=300000
LONG=$((300 * ${VM_PATIENCE:-1}))
IN=()
EVENTS_FILE=/tmp/events

# rand N: 0 to N - 1, in $R. No subshell, which would have a chance of its own.
rand()
{
	R=$(((RANDOM << 15 | RANDOM) % $1))
}

# pause MS: less than that, by chance.
pause()
{
	local ms

	rand "$1"
	ms=00$R
	nap "$((R / 1000)).${ms: -3}"
}

# --- a phase that lasts -----------------------------------------------------------------

# arcs_long ARC BDF...: that one takes long.
arcs_long()
{
	local arc=$1 bdf

	shift
	for bdf; do
		knob "$bdf" arcs "$arc=$LONG" || return 1
	done
}

# What leads to a rollback: a device does not stop at the source, or does not load.
rollback_comes()
{
	rand 2
	if ((R)); then
		knob "${DEVS[0]}" fail_arc "STOP>STOP_COPY:5:1"
	else
		knob "${SINKS[0]}" fail_arc "RESUMING>STOP:5:1"
	fi
}

# aim_knobs PHASE: it will be there, for long. After knobs_default and with PRE.
aim_knobs()
{
	local bdf

	case $1 in
	prepare) arcs_long "STOP>RESUMING" "${SINKS[@]}" ;;
	precopy)
		for bdf in "${DEVS[@]}"; do
			knobs "$bdf" dirty_rate=1000000 || return 1
		done ;;
	quiesce) arcs_long "RUNNING>RUNNING_P2P" "${DEVS[@]}" &&
		arcs_long "PRE_COPY>PRE_COPY_P2P" "${DEVS[@]}" ;;
	stop) arcs_long "RUNNING_P2P>STOP" "${DEVS[@]}" ;;
	save) arcs_long "STOP>STOP_COPY" "${DEVS[@]}" &&
		arcs_long "PRE_COPY_P2P>STOP_COPY" "${DEVS[@]}" ;;
	transfer) knobs_all read_us_per_mib=$((LONG * 3000)) ;;
	load) arcs_long "RESUMING>STOP" "${SINKS[@]}" ;;
	resume) arcs_long "STOP>RUNNING_P2P" "${SINKS[@]}" ;;
	start) arcs_long "RUNNING_P2P>RUNNING" "${SINKS[@]}" ;;
	rollback) arcs_long "STOP>RUNNING_P2P" "${LOOP[@]}" && rollback_comes ;;
	end) arcs_long "STOP_COPY>STOP" "${DEVS[@]}" ;;
	esac
}

# arm PHASE ERRNO: what a device does in it fails so, once. Says in ARMED which knob that is.
arm()
{
	local src dst

	rand 2
	[[ $1 != rollback ]] || R=1
	src=${DEVS[R]} dst=${SINKS[R]}
	case $1 in
	prepare) ARMED=("$dst" fail_arc "STOP>RESUMING") ;;
	precopy | transfer)
		if [[ $1 == precopy ]]; then rand $PRECOPY; else rand "$STATE"; fi
		ARMED=("$src" fail_read_at "$R")
		rand 2
		((R == 0)) || ARMED=("$dst" fail_write_at "${ARMED[2]}") ;;
	quiesce) ARMED=("$src" fail_arc "RUNNING>RUNNING_P2P")
		((PRE == 0)) || ARMED[2]="PRE_COPY>PRE_COPY_P2P" ;;
	stop) ARMED=("$src" fail_arc "RUNNING_P2P>STOP") ;;
	save) ARMED=("$src" fail_arc "STOP>STOP_COPY")
		((PRE == 0)) || ARMED[2]="PRE_COPY_P2P>STOP_COPY" ;;
	load) ARMED=("$dst" fail_arc "RESUMING>STOP") ;;
	resume) ARMED=("$dst" fail_arc "STOP>RUNNING_P2P") ;;
	start) ARMED=("$dst" fail_arc "RUNNING_P2P>RUNNING") ;;
	rollback) ARMED=("$src" fail_arc "STOP>RUNNING_P2P") ;;
	end) ARMED=("$src" fail_arc "STOP_COPY>STOP") ;;
	esac
	knob "${ARMED[0]}" "${ARMED[1]}" "${ARMED[2]}:$2:1"
}

# What was armed has failed.
fired()
{
	[[ $(knob "${ARMED[0]}" "${ARMED[1]}") == none ]]
}

# --- when it is there -------------------------------------------------------------------

follow_begin()
{
	rm -f $EVENTS_FILE.ready
	"${IN[@]}" vfmig monitor --ready-file $EVENTS_FILE.ready >$EVENTS_FILE 2>&1 &
	FOLLOWER=$!
	wait_for 10 test -s $EVENTS_FILE.ready || { echo "no events are seen"; return 1; }
	exec {EVENTS}<$EVENTS_FILE
}

follow_end()
{
	kill -KILL "$FOLLOWER" || :
	wait "$FOLLOWER" || :
	exec {EVENTS}<&-
}

# A VMM has not ended.
vmm_left()
{
	{ [[ $SEND ]] && kill -0 "$SEND"; } || { [[ $RECV ]] && kill -0 "$RECV"; }
} 2>/dev/null

# await PATTERN: an event like that comes, as vfmig monitor prints it, while a VMM is left.
await()
{
	local i line left=1

	for ((i = 0; i < 1000 * ${VM_PATIENCE:-1}; i++)); do
		while read -r line; do
			# shellcheck disable=SC2053 # it is a pattern
			[[ $line != $1 ]] || return 0
		done <&"$EVENTS"
		((left)) || return 1
		vmm_left || left=0
		nap 0.01
	done
	return 1
}

# aim PHASE: an instant in it, by chance.
aim()
{
	local begins=''

	case $1 in
	asking) begins="link out busy*" ;;
	ready) begins="*milestone ready" ;;
	end) begins="*milestone handed_over" ;;
	quiesce | stop | save) begins="*phase_start $1, device ${FROM[0]}*" ;;
	prepare | load | resume | start) begins="*phase_start $1, device ${TO[0]}*" ;;
	precopy | transfer | rollback) begins="*phase_start $1, *" ;;
	esac
	[[ -z $begins ]] || await "$begins" || return 1
	pause $LONG
}

# This is the instant, and was a VMM left then? Events have the same clock; this one goes by
# steps of 10 ms.
mark()
{
	local up

	read -r up _ </proc/uptime
	AT=${up/./}0
	LEFT=0
	! vmm_left || LEFT=1
}

unmark()
{
	LEFT=0
}

# phases_at PHASE: those there were when it was marked, on one line; PHASE was aimed at.
phases_at()
{
	((LEFT)) || return 0
	case $1 in
	asking | ready)
		echo "$1"
		return ;;
	esac
	awk -v at="$AT" -v sources=" ${FROM[*]} " '
		function name(	phase) {
			phase = $6
			sub(",", "", phase)
			if (!index(sources, " " $8 " ") && phase ~ /^(quiesce|stop)$/)
				phase = "prepare"
			return phase
		}
		$1 != "session" || $4 * 1000 > at + 10 { next }
		$5 == "phase_end" { delete open[$2 " " $8 " " name()] }
		$5 == "milestone" && $6 == "ended" {
			for (span in open)
				if (index(span, $2 " ") == 1)
					delete open[span]
		}
		$4 * 1000 > at { next }
		$5 == "phase_start" { open[$2 " " $8 " " name()] = 1; began = 1 }
		$5 == "milestone" && $6 ~ /^(handed_over|ended)$/ { over = 1 }
		END {
			for (span in open) {
				split(span, part, " ")
				if (!said[part[3]]++)
					printf "%s ", part[3]
			}
			if (!length(said))
				print began ? over ? "end" : "" : "setup"
		}' $EVENTS_FILE
}
