#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 2 --timeout 300
#
# Migrations from host a to host b over a hostile wire: frame_relay is between the channels of
# send and of recv. After each both ends have ended by themselves and say why, sessions and
# devices are in a reported state, at most one side owns the devices, and where both verify, a
# destination that does has what the source had. In the end a migration works without it,
# and the module unloads.
#
# FUZZ_SECONDS (10) says how long. Each migration has a seed, which is printed when it
# fails; FUZZ_SEED begins there. SHOW_ALL=1 prints what each of them said.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

SEED=${FUZZ_SEED:-$(date +%s)}
RELAY_PORT=6000
declare -A COUNT=([moved]=0 [kept]=0 [nobody]=0)
TOUCHED=0 MESSAGES=0

# --- an end, on its own host --------------------------------------------------------------

# end_ends PID: by itself, with the exit code END_RC. Else it shows where the VMM and its
# movers are.
end_ends()
{
	local first task alarm

	sleep $((60 * ${VM_PATIENCE:-1})) >/dev/null 2>&1 &
	alarm=$!
	END_RC=0
	wait -n -p first "$1" $alarm || END_RC=$?
	if [[ $first == "$1" ]]; then
		kill $alarm
		wait $alarm || :
		return 0
	fi
	echo "it does not end:"
	for task in /proc/"$1"/task/*; do
		cat "$task/comm" "$task/stack"
	done
	kill -KILL "$1"
	return 1
}

# told RC: an end that ended so says what it should, and its devices are where it says. LOADED
# is whether it had all state. Who could not take the link had no session to speak of.
told()
{
	local i last error
	local -a said real

	mapfile -t said < <(jq -rs '.[0] // {} | .milestones as $m | (.error_text // "") as $text |
		($m // {} | has("loaded")),
		(if $m == null then "none" elif $m | has("handed_over") then "0"
		 elif $text != "" or ($m | has("failed") | not) then "2" else "silent" end),
		(.devices // [] | .[].state)' /tmp/end.json)
	LOADED=${said[0]}
	if ! [[ ${said[1]} == "$1" || ${said[1]} == none && $1 == 2 ]]; then
		echo "the session's end is ${said[1]}"
		return 1
	fi
	(($1 == 0)) || head -n 1 /tmp/end.err | grep -Eq "^vfmig: .*[a-z]{2}.*: .*[a-z]{2}" ||
		{ echo "it does not say why"; return 1; }
	mapfile -t real <<<"$(last_arcs "${DEVS[@]}")"
	for ((i = 0; i < ${#DEVS[@]}; i++)); do
		read -r last error <<<"${real[i]}"
		[[ ${said[i + 2]:-RUNNING} == "$last" ]] && continue
		echo "${DEVS[i]} is said to be in ${said[i + 2]} but is in $last, error $error"
		return 1
	done
}

# A line for each device, of those that somebody has open.
REGISTERS='cat /sys/bus/pci/drivers/vfio_pci_migsim/*/migsim/registers >/tmp/end.registers'

# end_run send|recv OPTION...: that end of a migration. If all is as it should be, prints its
# exit code, whether it had all state, and what the devices have.
end_run()
{
	: >/tmp/end.registers
	# shellcheck disable=SC2046 # one argument per handle
	vfmig "$1" -j --exec "$REGISTERS" "${@:2}" "$LINK" $(handles) \
		>/tmp/end.json 2>/tmp/end.err &
	end_ends $! || return 1
	[[ $END_RC == [02] ]] || { echo "exit code $END_RC"; return 1; }
	told "$END_RC" || return 1
	echo "$END_RC $LOADED"
	device_facts "${DEVS[@]}"
	cat /tmp/end.registers
}

# end_try CHANNELS PRECOPY COMMAND...: a link, whose command that is, and the end.
end_try()
{
	mapfile -t DEVS <<<"$(edu_list)"
	vfmig link del "$LINK" >/dev/null 2>&1
	rm -f /tmp/end.json /tmp/end.err
	# a device that is still open does not take it
	wait_for 10 knobs_all precopy="$2" arcs_log= || { echo "the devices are in use"; return 1; }
	case $3 in
	recv)
		vfmig link listen "$LINK" --on "tcp:$ADDR_B:$PORT" --channels "$1" \
			--timeout 30 >/dev/null || return 1 ;;
	send)
		vfmig link connect "$LINK" --to "tcp:127.0.0.1:$RELAY_PORT" --channels "$1" \
			--timeout 30 >/dev/null || return 1 ;;
	esac
	end_run "${@:3}" && return
	cat /tmp/end.err
	jq -c '.milestones, (.devices[] | .state)' /tmp/end.json
	return 1
}

# --- both ----------------------------------------------------------------------------------

# What both hosts have to know, as text for host b's shell.
FUNCTIONS=$(declare -p REGISTERS RELAY_PORT; declare -f end_ends told end_run end_try)

relay_start()
{
	local line

	exec {RELAY_OUT}< <(FUZZ_SEED=$1 exec frame_relay $RELAY_PORT "$2" "$ADDR_B" "$PORT" 2>&1)
	RELAY=$!
	read -r -t 30 -u "$RELAY_OUT" line && [[ $line == ready ]] && return
	echo "no relay: $line"
	return 1
}

# It is gone, and says what it has done.
relay_end()
{
	kill -TERM "$RELAY"
	read -r -t 30 -u "$RELAY_OUT" WIRE || { kill -KILL "$RELAY"; WIRE="no word of the relay"; }
	exec {RELAY_OUT}<&-
	wait "$RELAY" || :
	echo "$WIRE"
	TOUCHED=${WIRE%% *}
	[[ $TOUCHED =~ ^[0-9]+$ ]] || { TOUCHED=0; return 1; }
}

# outcome VERIFY: exactly one side owns the devices, or none: if the destination had said that
# it had all, and then it or what the source answered was lost.
outcome()
{
	local send recv loaded

	read -r send _ </tmp/send.out
	read -r recv loaded </tmp/recv.out
	if ((send != 0 && recv == 0)); then
		echo "both own the devices"
		return 1
	elif ((send != 0 && TOUCHED)); then
		((++COUNT[kept]))
	elif ((recv != 0 && TOUCHED)) && [[ $loaded == true ]]; then
		((++COUNT[nobody]))
	elif ((send != 0 || recv != 0)); then
		echo "exit codes $send and $recv, $TOUCHED messages touched, all loaded: $loaded"
		return 1
	else
		((++COUNT[moved]))
		((TOUCHED && ! $1)) || cmp <(tail -n +2 /tmp/send.out) <(tail -n +2 /tmp/recv.out)
	fi
}

# devices_choose: what is there to be moved.
devices_choose()
{
	local bdf size

	for bdf in "${DEVS[@]}"; do
		size=$((RANDOM % 4 ? RANDOM * 12 : RANDOM % 64))
		knobs "$bdf" seed="$RANDOM" state_size="$size" read_chunk=$((4096 << RANDOM % 6)) \
			precopy_size=$((size / 2)) dirty_rate=100000 || return 1
	done
}

# migrate SEED: over a wire that does what it chooses.
migrate()
{
	local channels precopy verify=0 opts=() send_opts=() pid rc=0

	RANDOM=$1
	channels=$((2 + RANDOM % 3))
	precopy=$((RANDOM % 3 == 0))
	((RANDOM % 2)) || { verify=1; opts+=(--verify); }
	((RANDOM % 3)) || { channels=$((channels - 1)); opts+=(--shared); }
	((!precopy)) || send_opts+=(--precopy)
	((RANDOM % 4)) || send_opts+=(--no-check)
	echo "channels $channels, options ${opts[*]} ${send_opts[*]}"
	devices_choose && relay_start "$1" $channels || return 1
	on_b_bg bash -c "$LIBRARY; $FUNCTIONS"'; end_try "$@"' bash \
		$channels $precopy recv --staging $((1 + RANDOM % 4))M "${opts[@]}" >/tmp/recv.out
	pid=$!
	end_try $channels $precopy send "${opts[@]}" "${send_opts[@]}" >/tmp/send.out || rc=1
	wait $pid || rc=1
	relay_end || rc=1
	((rc == 0)) && outcome $verify && return
	head -n 200 /tmp/send.out /tmp/recv.out
	return 1
}

devices_setup
ktap_plan 3
end=$(($(now_ms) + ${FUZZ_SECONDS:-10} * 1000)) rounds=0 rc=0
echo "# FUZZ_SEED=$SEED"
while ((rc == 0 && ($(now_ms) < end || MESSAGES == 0))); do
	seed=$((SEED + rounds))
	migrate $seed >/tmp/round.out 2>&1 || rc=1
	((++rounds, MESSAGES += TOUCHED))
	((rc || rounds % 8)) || hosts_clean >>/tmp/round.out 2>&1 || rc=1
	[[ -z ${SHOW_ALL:-} ]] || diag "$(echo "FUZZ_SEED=$seed"; cat /tmp/round.out /tmp/end.err
		on_b cat /tmp/end.err)"
done
((rc == 0)) || diag "$(echo "FUZZ_SEED=$seed begins with it:"; cat /tmp/round.out)"
echo "# $rounds migrations, $MESSAGES messages touched, ${COUNT[moved]} handed over," \
	"${COUNT[kept]} failed, ${COUNT[nobody]} without an owner"
result $rc "migrations over a hostile wire end, and one side at most owns the devices"
figure hosts_migrations $rounds
figure hosts_messages "$MESSAGES"

without()
{
	hosts_clean && both knobs_default && link_renew 4 && transfer && devices_same && link_down
}
check "without it a migration works" without
check "the module can be unloaded on both hosts" both rmmod vfio_migmux
ktap_exit
