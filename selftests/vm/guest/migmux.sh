# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests of a transfer from host a to host b share. For bash, after ktap.sh and
# hosts.sh. The devices have the same addresses on both hosts.
#
#	devices_setup; link_up 8; transfer; check ... ; hosts_clean
#
# Variables: DEVS are the devices of the transfer, LINK is the link's name; SEND_RC,
# RECV_RC and the files send.json, send.err, recv.json, recv.err in /tmp are what the
# last transfer left.

LINK=l0
PORT=5000
DEVS=()
LIBRARY='. /lib/migmux/ktap.sh; . /lib/migmux/hosts.sh; . /lib/migmux/migmux.sh'

# on HOST CMD [ARG...]: run a command, or a function of these libraries, on a or b.
on()
{
	local host=$1

	shift
	if [[ $host == a ]]; then
		"$@"
	else
		on_b bash -c "$LIBRARY"'; "$@"' bash "$@"
	fi
}

# both CMD [ARG...]: on both hosts, side by side. Fails if one does.
both()
{
	local pid rc=0

	on b "$@" &
	pid=$!
	on a "$@" || rc=$?
	wait $pid || rc=$?
	return $rc
}

# --- devices ------------------------------------------------------------------------

# This host's edu devices become devices that can migrate.
devices_bind()
{
	local devs

	mapfile -t devs <<<"$(edu_list)"
	modprobe vfio_migmux && modprobe vfio_pci_migsim &&
		driver_bind vfio_pci_migsim "${devs[@]}"
}

# Both hosts have modules and devices; DEVS is all of them. Without that, no test.
devices_setup()
{
	local out

	out=$(both devices_bind 2>&1 && both knobs_default 2>&1) || {
		not_ok "both hosts have modules and devices" "$out"
		ktap_exit
	}
	mapfile -t DEVS <<<"$(edu_list)"
}

handles()
{
	printf 'pci/%s\n' "${DEVS[@]}"
}

# knob BDF ATTRIBUTE [VALUE]: write it, or print it.
knob()
{
	local file=/sys/bus/pci/devices/$1/migsim/$2 value

	if (($# > 2)); then
		echo "$3" >"$file"
	else
		value=$(<"$file") || return 1
		[[ -z $value ]] || echo "$value"
	fi
}

# knobs BDF ATTRIBUTE=VALUE...
knobs()
{
	local bdf=$1 pair

	shift
	for pair; do
		knob "$bdf" "${pair%%=*}" "${pair#*=}" || return 1
	done
}

# knobs_all ATTRIBUTE=VALUE...: of all devices of this host.
knobs_all()
{
	local bdf

	for bdf in $(edu_list); do
		knobs "$bdf" "$@" || return 1
	done
}

# All devices of this host as if newly bound, but with SIZE bytes of state (64 KiB), and
# with nothing in their logs.
knobs_default()
{
	local from to arcs=

	for from in RUNNING RUNNING_P2P STOP STOP_COPY RESUMING; do
		for to in RUNNING RUNNING_P2P STOP STOP_COPY RESUMING; do
			arcs+=" $from>$to=default"
		done
	done
	knobs_all "state_size=${1:-65536}" headerless=0 arc_ms=0 "arcs=$arcs" \
		read_us_per_mib=0 write_us_per_mib=0 read_chunk=0 write_chunk=0 \
		fail_arc=none fail_read_at=none fail_write_at=none fail_to_error=0 arcs_log=
}

# device_facts BDF...: what must be the same on both hosts, a line per device. Fails if one
# has none to tell.
device_facts()
{
	local bdf size crc

	for bdf; do
		size=$(</sys/bus/pci/devices/"$bdf"/migsim/payload_size) &&
			crc=$(</sys/bus/pci/devices/"$bdf"/migsim/payload_crc) &&
			[[ $size && $crc ]] && echo "$size bytes, CRC $crc" && continue
		echo "$bdf has no facts"
		return 1
	done
}

# last_arc BDF: LAST_STATE is where its last arc that succeeded has led, RUNNING if there was
# none; LAST_ERROR is that of its last arc, 0 or negative. Unlike the attribute "state" that is
# not made RUNNING by the closing of the device.
last_arc()
{
	local arcs arc i

	LAST_STATE=RUNNING LAST_ERROR=0
	mapfile -t arcs <"/sys/bus/pci/devices/$1/migsim/arcs_log"
	for ((i = ${#arcs[@]} - 1; i >= 0; i--)); do
		read -r -a arc <<<"${arcs[i]}"
		((i < ${#arcs[@]} - 1)) || LAST_ERROR=${arc[4]}
		[[ ${arc[4]} != 0 ]] || { LAST_STATE=${arc[3]}; return; }
	done
}

# last_arcs BDF...: a line per device, with both.
last_arcs()
{
	local bdf

	for bdf; do
		last_arc "$bdf"
		echo "$LAST_STATE $LAST_ERROR"
	done
}

# all_in STATE BDF...: has the last arc of each led there?
all_in()
{
	local want=$1 bdf rc=0

	shift
	for bdf; do
		last_arc "$bdf"
		[[ $LAST_STATE == "$want" ]] && continue
		echo "$bdf is in $LAST_STATE, not in $want"
		rc=1
	done
	return $rc
}

# --- links --------------------------------------------------------------------------

# link_up CHANNELS: LINK from a to b. It may replace a dead one.
link_up()
{
	local listener rc=0

	on_b_bg vfmig link listen "$LINK" --on "tcp:$ADDR_B:$PORT" --channels "$1" \
		--timeout 30 >/tmp/listen.out 2>&1
	listener=$!
	vfmig link connect "$LINK" --to "tcp:$ADDR_B:$PORT" --channels "$1" \
		--timeout 30 >/tmp/connect.out 2>&1 || rc=$?
	wait $listener || rc=$?
	((rc == 0)) || cat /tmp/listen.out /tmp/connect.out
	return $rc
}

# Whatever state it is in: gone on both.
link_down()
{
	both vfmig link del "$LINK" >/dev/null 2>&1 || :
}

# The state that LINK has on host a and on host b: two words, a comma between.
link_states()
{
	echo "$(vfmig link show "$LINK" -j | jq -r .state),$(
		on b vfmig link show "$LINK" -j | jq -r .state)"
}

# link_renew CHANNELS: a new one in place of whatever there is.
link_renew()
{
	link_down
	link_up "$1"
}

# --- transfers ----------------------------------------------------------------------

# send_start [OPTION...], recv_start [OPTION...]: in the background.
send_start()
{
	# shellcheck disable=SC2046 # one argument per handle
	vfmig send -j "$@" "$LINK" $(handles) >/tmp/send.json 2>/tmp/send.err &
	SEND=$!
}

recv_start()
{
	# shellcheck disable=SC2016,SC2046 # host b expands it; one argument per handle
	on_b_bg sh -c 'echo $$ >/tmp/recv.pid; exec "$@"' sh \
		vfmig recv -j "$@" "$LINK" $(handles) >/tmp/recv.json 2>/tmp/recv.err
	RECV=$!
}

send_signal()
{
	kill "-$1" "$SEND"
}

recv_signal()
{
	# shellcheck disable=SC2016 # host b expands it
	on_b sh -c 'kill "-$1" $(cat /tmp/recv.pid)' sh "$1"
}

has_ended()
{
	! kill -0 "$1"
}

# ends PID SECONDS: its exit code in ENDED_RC, 124 if it had to be killed.
ends()
{
	ENDED_RC=0
	if wait_for "$2" has_ended "$1"; then
		wait "$1" || ENDED_RC=$?
	else
		kill -KILL "$1"
		wait "$1" || :
		ENDED_RC=124
	fi
}

# Their exit codes; no test is allowed so much time, but for the debug kernel's largest.
send_wait()
{
	ends "$SEND" 200
	SEND_RC=$ENDED_RC
}

recv_wait()
{
	ends "$RECV" 200
	RECV_RC=$ENDED_RC
}

# transfer: SEND_OPTS and RECV_OPTS are more options. Fails unless both succeed, and then
# says what they said.
SEND_OPTS=()
RECV_OPTS=()
transfer()
{
	recv_start "${RECV_OPTS[@]}"
	send_start "${SEND_OPTS[@]}"
	transfer_wait
}

# transfer_into a|b: the same, but the other host is there before that one comes, to hear
# of what fails there.
transfer_into()
{
	if [[ $1 == a ]]; then
		recv_start "${RECV_OPTS[@]}"
		on b wait_for 20 session_reached ready || echo "recv is not ready"
		send_start "${SEND_OPTS[@]}"
	else
		send_start "${SEND_OPTS[@]}"
		wait_for 20 session_is source || echo "send does not begin"
		recv_start "${RECV_OPTS[@]}"
	fi
	transfer_wait
}

transfer_wait()
{
	send_wait
	recv_wait
	((SEND_RC == 0 && RECV_RC == 0)) && return
	transfer_show
	return 1
}

# transfer_with --send|--recv|--both OPTION...: the options are for that end.
transfer_with()
{
	local end=$1

	shift
	SEND_OPTS=()
	RECV_OPTS=()
	[[ $end == --recv ]] || SEND_OPTS=("$@")
	[[ $end == --send ]] || RECV_OPTS=("$@")
	transfer
}

transfer_show()
{
	echo "send: exit code $SEND_RC: $(</tmp/send.err)"
	echo "recv: exit code $RECV_RC: $(</tmp/recv.err)"
}

# Do both hosts' devices have the same state now?
devices_same()
{
	local here there

	here=$(device_facts "${DEVS[@]}") && there=$(on b device_facts "${DEVS[@]}") &&
		[[ -n $here && $here == "$there" ]] && return
	printf 'a: %s\n' "$here"
	printf 'b: %s\n' "$there"
	return 1
}

# --- what sessions show -----------------------------------------------------------------

# session_shows FILTER: is jq's FILTER true for a session of this host that is alive?
session_shows()
{
	vfmig session list -j | jq -e "any(.[]; (.closed | not) and ($1))" >/dev/null
}

# session_is source|destination: is there one that saves or loads?
session_is()
{
	session_shows ".role == \"$1\""
}

# session_reached MILESTONE, session_begun PHASE: has an alive session?
session_reached()
{
	session_shows ".milestones | has(\"$1\")"
}

session_begun()
{
	session_shows ".devices | any(.phases | has(\"$1\"))"
}

# SIGKILL for whoever has a session on this host.
sessions_kill()
{
	vfmig session list -j | jq '.[] | select(.closed | not) | .pid' | xargs -r kill -KILL
}

# --- afterwards -------------------------------------------------------------------------

# Nothing on this host is left of a session: it is not alive, its devices are closed and not
# hooked, nobody holds the modules. Says what is left.
host_clean()
{
	local module open rc=0

	vfmig -j | jq -e '.hooked + .sessions == []' >/dev/null ||
		{ echo "a session is alive or a device is hooked"; rc=1; }
	for module in vfio_migmux vfio_pci_migsim; do
		[[ $(</sys/module/$module/refcnt) == 0 ]] ||
			{ echo "$module is in use"; rc=1; }
	done
	for open in /sys/bus/pci/drivers/vfio_pci_migsim/*/migsim/open; do
		[[ ! -e $open || $(<"$open") == 0 ]] || { echo "$open is not 0"; rc=1; }
	done
	return $rc
}

# What a process held goes when the kernel has seen to it: soon, but not at once.
host_becomes_clean()
{
	wait_for 10 host_clean || host_clean
}

hosts_clean()
{
	both host_becomes_clean
}

# --- what vfmig says ----------------------------------------------------------------------

# says RC PATTERN CMD...: the exit code, and what is said on stderr; nothing on stdout.
says()
{
	local want=$1 pattern=$2 rc=0 out

	shift 2
	out=$("$@" 2>/tmp/says.err) || rc=$?
	[[ $rc == "$want" && -z $out ]] && grep -Eq -- "$pattern" /tmp/says.err && return
	echo "exit code $rc, not $want; stdout: $out; stderr: $(</tmp/says.err)"
	return 1
}

# prints FILTER CMD...: succeeds and prints one JSON document of which jq's FILTER is true.
prints()
{
	local filter=$1

	shift
	"$@" >/tmp/prints.json || return 1
	jq -s -e "length == 1 and (.[0] | $filter)" /tmp/prints.json >/dev/null && return
	cat /tmp/prints.json
	return 1
}
