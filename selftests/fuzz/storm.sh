#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 500
#
# Migrations between the devices of one host, and while they run, at any instant: kills,
# stops, an unbound driver, a reset, an attempt to unload the module, a cut link, a network
# namespace that goes, limits of memory and of threads, errors of the devices. After each
# both ends have ended by themselves, sessions and devices are in a reported state, and
# the next migration works.
#
# STORM_SECONDS (120) says how long; STORM_SEED, which is printed, repeats a run, as far as
# the machine does. KILLS (50) of kill_storm, which goes faster, come first. "make soak" is
# the long form.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh

SECONDS_ALL=${STORM_SECONDS:-120}
SEED=${STORM_SEED:-$(($(date +%s) % 30000))}
CGROUPS=/tmp/cgroup
PORT=6000
declare -A COUNT=()

# rand N: 0 to N - 1, in $R. No subshell, which would have a chance of its own.
rand()
{
	R=$(((RANDOM << 15 | RANDOM) % $1))
}

# --- two VMMs -------------------------------------------------------------------------

cgroups_setup()
{
	mkdir -p $CGROUPS
	mount -t cgroup2 cgroup2 $CGROUPS || return 1
	echo "+memory +pids" >$CGROUPS/cgroup.subtree_control || return 1
	mkdir $CGROUPS/send $CGROUPS/recv
}

# limit WHO FILE VALUE: of the cgroup that send or recv runs in.
limit()
{
	echo "$3" >"$CGROUPS/$1/$2"
}

limits_lift()
{
	local who

	for who in send recv; do
		limit $who memory.max max
		limit $who pids.max max
	done
}

# vmm WHO COMMAND...: in its cgroup, in the background; its pid is $PID.
vmm()
{
	local who=$1

	shift
	sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$CGROUPS/$who" vfmig "$@" \
		>"/tmp/$who.out" 2>"/tmp/$who.err" &
	PID=$!
}

both_start()
{
	vmm recv recv in "${TO[@]}" --staging "$1" "${OPTS[@]}"
	RECV=$PID
	vmm send send out "${FROM[@]}" --staging "$1" "${OPTS[@]}" "${SEND_OPTS[@]}"
	SEND=$PID
}

# Both end: by themselves if their peer's end reaches them, or when they are told to.
both_end()
{
	local pid

	wait_for 10 has_ended "$SEND" || kill -INT "$SEND"
	wait_for 5 has_ended "$RECV" || kill -INT "$RECV"
	for pid in "$SEND" "$RECV"; do
		ends "$pid" 60
		((ENDED_RC != 124)) || { echo "a VMM does not end"; return 1; }
		RCS+=" $ENDED_RC"
	done
}

# --- what happens meanwhile --------------------------------------------------------------

victim()
{
	rand 2
	if ((R)); then WHO=send VICTIM=$SEND; else WHO=recv VICTIM=$RECV; fi
}

pause()
{
	rand "$1"
	sleep "$((R / 1000)).$(printf %03d $((R % 1000)))"
}

do_nothing() { :; }
do_kill() { victim; kill -KILL "$VICTIM"; }
do_kill_both() { kill -KILL "$SEND" "$RECV"; }
do_interrupt() { victim; kill -INT "$VICTIM"; }

do_stop()
{
	victim
	kill -STOP "$VICTIM"
	pause 1500
	kill -CONT "$VICTIM"
}

# It waits until the session has let the device go, and the VMM has closed it.
do_unbind()
{
	rand 4
	UNBOUND=${LOOP[R]}
	echo "$UNBOUND" >/sys/bus/pci/drivers/vfio_pci_migsim/unbind &
	UNBINDING=$!
}

do_reset()
{
	rand 4
	echo 1 >"/sys/bus/pci/devices/${LOOP[R]}/migsim/reset"
}

# While somebody has a session it cannot be done; else it is no matter.
do_rmmod()
{
	rmmod vfio_migmux && modprobe vfio_migmux
}

do_cut()
{
	ip link set lo down
	pause 1500
	ip link set lo up
}

# The kernel says of whom it kills, with a call trace, as of a bug: quiet_round.
do_memory() { victim; rand 3000; limit "$WHO" memory.max $(((500 + R) * 1024)); }
do_read_error() { rand 60000; knobs "${DEVS[0]}" fail_read_at="$R:28:1"; }
do_write_error() { rand 60000; knobs "${SINKS[0]}" fail_write_at="$R:11:1"; }
do_arc_error() { knobs "${DEVS[1]}" fail_arc="RUNNING_P2P>STOP:28:1"; }
do_arc_broken() { knobs_all fail_to_error=1 && knobs "${SINKS[1]}" fail_arc="RESUMING>STOP:5:1"; }

# Before they start: no more threads than that.
pids_short() { victim; rand 12; limit "$WHO" pids.max $((1 + R)); }

STORMS=(nothing kill kill_both interrupt stop unbind reset rmmod cut memory read_error
	write_error arc_error arc_broken pids netns)

# --- a round -----------------------------------------------------------------------------

repair()
{
	[[ -z $UNBINDING ]] || { wait "$UNBINDING" || :; }
	UNBINDING=
	[[ -z $UNBOUND ]] || driver_bind vfio_pci_migsim "$UNBOUND" || return 1
	UNBOUND=
	limits_lift
	[[ -e /sys/module/vfio_migmux ]] || modprobe vfio_migmux
}

links_new()
{
	links_del >/dev/null 2>&1
	((PORT = PORT < 9000 ? PORT + 1 : 6000))
	out_in "$1:$PORT" 2 >/tmp/links.out || { cat /tmp/links.out; return 1; }
}

# Sessions that are over say how: handed over, or why not, and each device's state.
sessions_told()
{
	vfmig session list -j >/tmp/sessions.json || return 1
	jq -e 'all(.[] | select(.closed and .role != "none");
		(.milestones | has("handed_over")) or (.error_text // "") != "" or
		(.milestones | has("failed") | not))' /tmp/sessions.json >/dev/null && return
	jq -c '.[]' /tmp/sessions.json
	return 1
}

# All of it in a network namespace of its own, which goes with its last process, while the
# sessions end and links are left.
in_netns()
{
	local pid

	# shellcheck disable=SC2016 # for the inner shell
	unshare -n bash -c '
		. /lib/migmux/ktap.sh; . /lib/migmux/hosts.sh; . /lib/migmux/migmux.sh
		. /lib/migmux/loop.sh
		ip link set lo up
		read -r -a FROM <<<"$1"; read -r -a TO <<<"$2"
		out_in tcp:127.0.0.1:7000 2 && carry; sleep 1' bash "${FROM[*]}" "${TO[*]}" \
		>/tmp/netns.out 2>&1 &
	pid=$!
	pause 2500
	kill -KILL $pid
	wait $pid || :
	# what it has left in the background holds its namespace
	vfmig_kill
}

# Whoever is a VMM of ours and left: by its pid.
vfmig_kill()
{
	local p

	for p in /proc/[0-9]*; do
		[[ $(cat "$p/comm" 2>/dev/null) != vfmig ]] || kill -KILL "${p#/proc/}"
	done 2>/dev/null
}

# A round in which the kernel does not speak of warnings. That there was
# none, its taint says.
quiet_round()
{
	local level taint rc=0

	read -r level _ </proc/sys/kernel/printk
	taint=$(($(cat /proc/sys/kernel/tainted) & 512))
	echo 4 >/proc/sys/kernel/printk
	round || rc=1
	echo "$level" >/proc/sys/kernel/printk
	((taint == ($(cat /proc/sys/kernel/tainted) & 512))) || { echo "a warning"; rc=1; }
	return $rc
}

# storm SEED: a round of a kind that the seed chooses.
storm()
{
	RANDOM=$1
	rand ${#STORMS[@]}
	KIND=${STORMS[R]}
	((++COUNT[$KIND]))
	if [[ $KIND == memory ]]; then quiet_round; else round; fi
}

next_works()
{
	OPTS=() SEND_OPTS=()
	prepare 65536 && links_new tcp:127.0.0.1 && carry && arrived
}

# A round of that $KIND.
round()
{
	local kind=$KIND staging

	RCS='' UNBOUND='' UNBINDING='' OPTS=() SEND_OPTS=()
	rand 3000000
	knobs_default "$R" || return 1
	rand 30
	knobs_all arc_ms="$R" read_us_per_mib=300000 read_chunk=65536 precopy_size=20000 || return 1
	rand 2
	((R == 0)) || OPTS+=(--verify)
	rand 2
	knobs_all precopy="$R" || return 1
	((R == 0)) || SEND_OPTS+=(--precopy)
	rand 4
	staging=$((1 + R))M
	if [[ $kind == netns ]]; then
		in_netns
	else
		links_new tcp:127.0.0.1 || return 1
		[[ $kind != pids ]] || pids_short
		both_start $staging
		pause 1500
		[[ $kind == pids ]] || "do_$kind" >/dev/null 2>&1
		both_end || return 1
	fi
	repair || return 1
	host_becomes_clean && sessions_told || return 1
	next_works && host_becomes_clean
}

KIND=none
ktap_plan 4
loop_setup
ulimit -l unlimited
echo "# STORM_SEED=$SEED"
check "cgroups" cgroups_setup

{ KILLS=${KILLS:-50} FUZZ_SEED=$SEED kill_storm 2>&1; echo $? >/tmp/rc; } |
	tee /tmp/kills.out | awk '{ print "    " $0; fflush() }'
result "$(cat /tmp/rc)" "kill_storm"
figure kills "$(sed -n 's/^# \([0-9]*\) kills survived.*/\1/p' /tmp/kills.out)"

failed='' rounds=0
end=$(($(now_ms) + SECONDS_ALL * 1000))
while [[ -z $failed ]] && (($(now_ms) < end)); do
	storm $((SEED + rounds)) >/tmp/round.out 2>&1 || failed=$KIND
	((++rounds))
done
if [[ $failed ]]; then
	diag "$(cat /tmp/round.out; cat /tmp/send.err /tmp/recv.err)"
	not_ok "storms" "round $rounds, $failed$RCS: STORM_SEED=$((SEED + rounds - 1)) begins there"
else
	ok "storms"
fi
figure rounds $rounds
figure seconds "$SECONDS_ALL"
for kind in "${!COUNT[@]}"; do
	echo "# $kind: ${COUNT[$kind]}"
done
links_del >/dev/null 2>&1
check "the module can be unloaded" rmmod vfio_migmux
ktap_exit
