#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 500
#
# Migrations between the devices of one host, and while they run a mishap: a kill, a stop, an
# unbound driver, a reset, an attempt to unload the module, a cut link, a network namespace
# that goes, limits of memory, of threads and of the module, errors of the devices. After each
# both ends have ended by themselves, sessions and devices are in a reported state, and the
# next migration works.
#
# Each round aims at a pair of a mishap and a phase, at an instant within that by chance: see
# aim.sh. Which phases it has hit is taken from the events. The pairs are gone through, those
# missed come again, and a table tells how often each was hit.
#
# STORM_SECONDS (120) says how long; STORM_SEED, which is printed, repeats a run, as far as
# the machine does. KILLS (50) of kill_storm, which goes faster, come first. "make soak" is
# the long form.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh
. /lib/migmux/aim.sh

SECONDS_ALL=${STORM_SECONDS:-120}
SEED=${STORM_SEED:-$(($(date +%s) % 30000))}
CGROUPS=/tmp/cgroup
PARAMETERS=/sys/module/vfio_migmux/parameters
PORT=6000

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
	sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$CGROUPS/$who" "${IN[@]}" vfmig "$@" \
		>"/tmp/$who.out" 2>"/tmp/$who.err" &
	PID=$!
}

recv_begin()
{
	vmm recv recv in "${TO[@]}" --staging "$STAGING" "${OPTS[@]}" "${RECV_OPTS[@]}"
	RECV=$PID
}

send_begin()
{
	vmm send send out "${FROM[@]}" --staging "$STAGING" "${OPTS[@]}" "${SEND_OPTS[@]}"
	SEND=$PID
}

# One that is to be alone is, for now.
vmms_begin()
{
	SEND='' RECV=''
	[[ $PHASE == asking ]] || recv_begin
	[[ $PHASE == ready ]] || send_begin
}

one_ended() { has_ended "$SEND" || has_ended "$RECV"; }
both_ended() { has_ended "$SEND" && has_ended "$RECV"; }

# Both end by themselves. Only who may still wait for a peer that never came has to be told.
both_end()
{
	local pid rc=0

	wait_for 10 one_ended || :
	if ! wait_for 10 both_ended; then
		TOLD+=" $PAIR"
		[[ $PHASE =~ ^(setup|asking|ready|prepare)$ ]] ||
			{ echo "a VMM does not end by itself"; rc=1; }
		kill -INT "$SEND" "$RECV"
	fi
	for pid in "$SEND" "$RECV"; do
		ends "$pid" 60
		((ENDED_RC != 124)) || { echo "a VMM does not end"; return 1; }
		RCS+=" $ENDED_RC"
	done
	return $rc
}

# --- what happens meanwhile --------------------------------------------------------------

MISHAPS=(kill_send kill_recv kill_both interrupt stop unbind reset rmmod netns cut memory pids
	limits enospc eagain broken)

# Either of them, if there are both.
victim()
{
	rand 2
	WHO=send VICTIM=$SEND
	((R)) || WHO=recv VICTIM=$RECV
	[[ $SEND ]] || WHO=recv VICTIM=$RECV
	[[ $RECV ]] || WHO=send VICTIM=$SEND
}

do_kill_send() { kill -KILL "$SEND"; }
do_kill_recv() { kill -KILL "$RECV"; }
do_kill_both() { kill -KILL "$SEND" "$RECV"; }
do_interrupt() { victim; kill -INT "$VICTIM"; }

do_stop()
{
	victim
	kill -STOP "$VICTIM"
	pause 1000
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

# While somebody has a session it cannot be done; else it is no matter. It takes longer than what
# VMMs do before they move a device, so they stand still for that.
do_rmmod()
{
	[[ $PHASE != setup ]] || kill -STOP "$SEND" "$RECV"
	rmmod vfio_migmux && modprobe vfio_migmux
	mark
	[[ $PHASE != setup ]] || kill -CONT "$SEND" "$RECV"
}

# The namespace goes with its last process, while sessions end and links are left.
do_netns() { kill -KILL "$HOLDER" "$FOLLOWER" ${SEND:+"$SEND"} ${RECV:+"$RECV"}; }

do_cut()
{
	ip link set lo down
	mark
	pause 1000
	ip link set lo up
}

# No memory at all is the end of a VMM at once; with little it may go on. The kernel says of
# whom it kills, with a call trace, as of a bug: quiet_round.
do_memory()
{
	victim
	rand 6000
	limit "$WHO" memory.max $((R < 3000 ? 0 : (R - 2500) * 1024))
}

do_pids() { victim; rand 12; limit "$WHO" pids.max $((1 + R)); }

# The module grants next to nothing any more.
do_limits()
{
	local file

	for file in "${!GRANTED[@]}"; do
		echo 1 >"$PARAMETERS/$file"
	done
}

# These were armed before, and come when the phase does.
do_enospc() { :; }
do_eagain() { :; }
do_broken() { :; }

mishap_arm()
{
	ARMED=()
	case $KIND in
	enospc) arm "$PHASE" 28 ;;
	eagain) arm "$PHASE" 11 ;;
	broken) knobs_all fail_to_error=1 && arm "$PHASE" 5 ;;
	esac
}

# possible KIND PHASE: is there such a thing?
possible()
{
	case $1/$2 in
	kill_send/ready | kill_recv/asking | kill_both/ready | kill_both/asking | \
	enospc/setup | enospc/asking | enospc/ready | eagain/setup | eagain/asking | \
	eagain/ready | broken/setup | broken/asking | broken/ready)
		return 1 ;;
	esac
}

# --- pairs of a mishap and a phase -------------------------------------------------------

PAIRS=()
TOLD=''
declare -A HITS=() MISSED=() PASSED=() GRANTED=()

pairs_setup()
{
	local kind phase

	for kind in "${MISHAPS[@]}"; do
		# shellcheck disable=SC2153 # of aim.sh
		for phase in "${PHASES[@]}"; do
			! possible "$kind" "$phase" || PAIRS+=("$kind/$phase")
		done
	done
}

# The next round has a number, which is its seed and says what it aims at. What was hit
# already is passed over, and what was missed thrice, until that is so of all. A prime number
# apart, so that neighbours have little in common.
pair_next()
{
	local i

	for ((i = 0; i <= ${#PAIRS[@]}; i++)); do
		PAIR=${PAIRS[++ROUND * 7919 % ${#PAIRS[@]}]}
		[[ ${PASSED[$PAIR]:-} ]] || break
		((i < ${#PAIRS[@]})) || PASSED=()
	done
	KIND=${PAIR%/*} PHASE=${PAIR#*/}
}

# pair_told: what has this round hit?
pair_told()
{
	local phase phases hit=''

	if ((${#ARMED[@]})); then
		phases=$(! fired || echo "$PHASE")
	else
		phases=$(phases_at "$PHASE")
	fi
	for phase in $phases; do
		((++HITS[$KIND/$phase]))
		PASSED[$KIND/$phase]=1
	done
	[[ ! ${PASSED[$PAIR]:-} ]] || return 0
	((++MISSED[$PAIR] % 3)) || PASSED[$PAIR]=1
}

pairs_print()
{
	local kind phase pair line hit=0

	for kind in "${MISHAPS[@]}"; do
		line=''
		for phase in "${PHASES[@]}"; do
			[[ ! ${HITS[$kind/$phase]:-} ]] || line+=", $phase ${HITS[$kind/$phase]}"
		done
		echo "# $kind: ${line:2}"
	done
	line=''
	for pair in "${PAIRS[@]}"; do
		if [[ ${HITS[$pair]:-} ]]; then ((++hit)); else line+=" $pair"; fi
	done
	echo "# $hit of ${#PAIRS[@]} pairs were hit"
	((${#line} == 0 || ${#line} > 1500)) || echo "# not hit:$line"
	echo "# a VMM had to be told to end:${TOLD:- none}"
	figure pairs $hit
	figure pairs_all ${#PAIRS[@]}
}

# --- a round -----------------------------------------------------------------------------

repair()
{
	local file

	[[ -z $HOLDER ]] || { kill -KILL "$HOLDER"; wait "$HOLDER"; } 2>/dev/null || :
	HOLDER='' IN=()
	[[ -z $UNBINDING ]] || { wait "$UNBINDING" || :; }
	UNBINDING=
	[[ -z $UNBOUND ]] || driver_bind vfio_pci_migsim "$UNBOUND" || return 1
	UNBOUND=
	limits_lift
	[[ -e /sys/module/vfio_migmux ]] || modprobe vfio_migmux || return 1
	for file in "${!GRANTED[@]}"; do
		echo "${GRANTED[$file]}" >"$PARAMETERS/$file"
	done
}

# A network namespace for all that follows.
netns_begin()
{
	unshare -n sleep 1000 &
	HOLDER=$!
	wait_for 10 netns_own || return 1
	IN=(nsenter -t "$HOLDER" -n --)
	"${IN[@]}" ip link set lo up
}

netns_own()
{
	local here there

	here=$(readlink /proc/$$/ns/net)
	there=$(readlink "/proc/$HOLDER/ns/net") && [[ $here != "$there" ]]
}

links_new()
{
	links_del >/dev/null 2>&1
	((PORT = PORT < 9000 ? PORT + 1 : 6000))
	if ((${#IN[@]})); then
		# shellcheck disable=SC2016 # for the inner shell
		"${IN[@]}" bash -c "$LIBRARY"'; . /lib/migmux/loop.sh; out_in "$1" 2' \
			bash "$1:$PORT"
	else
		out_in "$1:$PORT" 2
	fi >/tmp/links.out 2>&1 || { cat /tmp/links.out; return 1; }
}

# Nobody holds the modules, and no device is open. No process has to begin for it.
unused()
{
	local file users

	for file in /sys/module/vfio_{migmux,pci_migsim}/refcnt \
		    /sys/bus/pci/drivers/vfio_pci_migsim/*/migsim/open; do
		read -r users <"$file" && ((users == 0)) || return 1
	done
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

next_works()
{
	OPTS=() SEND_OPTS=() RECV_OPTS=()
	knobs_all precopy=0 && prepare 65536 && links_new tcp:127.0.0.1 && carry && arrived
}

# What VMMs and devices are like, by chance, but so that the phase will be there.
round_prepare()
{
	OPTS=() SEND_OPTS=() RECV_OPTS=() RCS='' UNBOUND='' UNBINDING='' HOLDER=''
	rand 2
	case $PHASE in
	precopy) PRE=1 SEND_OPTS=(--precopy --downtime-limit 1 --precopy-time $((2 * LONG))) ;;
	stop | transfer | rollback) PRE=0 ;;
	*)	PRE=$R
		((PRE == 0)) || SEND_OPTS=(--precopy) ;;
	esac
	rand 1500000
	STATE=$R
	[[ $PRE == 0 && $PHASE != transfer ]] || ((STATE += PRECOPY))
	knobs_default "$STATE" || return 1
	rand 30
	knobs_all "precopy=$PRE" "precopy_size=$PRECOPY" arc_ms="$R" read_us_per_mib=300000 \
		read_chunk=65536 || return 1
	rand 2
	((R == 0)) || OPTS+=(--verify)
	rand 3
	((R)) || RECV_OPTS+=(--memory 16M)
	rand 4
	STAGING=$((1 + R))M
	aim_knobs "$PHASE" && mishap_arm
}

# A round of that pair.
round()
{
	round_prepare || return 1
	[[ $KIND != netns ]] || netns_begin || return 1
	links_new tcp:127.0.0.1 && follow_begin || return 1
	vmms_begin
	if ((${#ARMED[@]})) || aim "$PHASE"; then
		mark
		"do_$KIND" >/dev/null 2>&1
	else
		unmark
	fi
	[[ $RECV ]] || recv_begin
	[[ $SEND ]] || send_begin
	both_end || return 1
	follow_end
	pair_told
	repair || return 1
	wait_for 10 unused || { host_clean; return 1; }
	next_works && host_becomes_clean && sessions_told
}

# The round of that number.
storm()
{
	RANDOM=$ROUND
	if [[ $KIND == memory ]]; then quiet_round; else round; fi
}

ktap_plan 4
loop_setup
ulimit -l unlimited
for file in max_sessions max_devices max_channels staging_total_mib; do
	[[ ! -e $PARAMETERS/$file ]] || GRANTED[$file]=$(<$PARAMETERS/$file)
done
pairs_setup
echo "# STORM_SEED=$SEED"
check "cgroups" cgroups_setup

{ KILLS=${KILLS:-50} FUZZ_SEED=$SEED kill_storm 2>&1; echo $? >/tmp/rc; } |
	tee /tmp/kills.out | awk '{ print "    " $0; fflush() }'
result "$(cat /tmp/rc)" "kill_storm"
figure kills "$(sed -n 's/^# \([0-9]*\) kills survived.*/\1/p' /tmp/kills.out)"

failed='' rounds=0 ROUND=$((SEED - 1))
end=$(($(now_ms) + SECONDS_ALL * 1000))
while [[ -z $failed ]] && (($(now_ms) < end)); do
	pair_next
	storm >/tmp/round.out 2>&1 || failed=1
	((++rounds))
done
pairs_print
if [[ $failed ]]; then
	diag "$(cat /tmp/round.out; cat /tmp/send.err /tmp/recv.err)"
	not_ok "storms" "round $rounds, $PAIR$RCS: STORM_SEED=$ROUND begins there"
else
	ok "storms"
fi
echo "# VMMs killed for want of memory: $(cat $CGROUPS/*/memory.events | awk '
	$1 == "oom_kill" { n += $2 } END { print n + 0 }')"
figure rounds $rounds
figure seconds "$SECONDS_ALL"
links_del >/dev/null 2>&1
check "the module can be unloaded" rmmod vfio_migmux
ktap_exit
