#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 1 --devices 5 --timeout 300
#
# vfmig set: every command, the words of each refusal, JSON, hostile names; then a VMM that
# knows nothing of sets (serial-vmm) migrates two devices to two others, and what monitor,
# counters and timelines say about it. The fifth device is in no set.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

devices_bind || skip_all "no devices that can migrate"
mapfile -t BDFS <<<"$(edu_list)"
DEV=("${BDFS[@]/#/pci/}")
A=${DEV[0]}
B=${DEV[1]}
NOBODY=pci/0000:7f:1f.7

# shows PATTERN CMD...: succeeds and prints a line like that.
shows()
{
	local pattern=$1

	shift
	"$@" >/tmp/shows.txt || return 1
	grep -Eq -- "$pattern" /tmp/shows.txt && return
	cat /tmp/shows.txt
	return 1
}

silent()
{
	local out

	out=$("$@" 2>&1) && [[ -z $out ]] && return
	echo "$out"
	return 1
}

# --- nothing yet ------------------------------------------------------------------------

check "no sets" prints '. == []' vfmig set list -j
check "an object without a command is listed" prints '. == []' vfmig set -j
check "show of an unknown set" says 3 "no set 'vm'" vfmig set show vm
check "policy of an unknown set" says 3 "no set 'vm'" vfmig set policy vm
check "a policy for an unknown set" says 3 "no set 'vm'" vfmig set policy vm stop
check "deletion of an unknown set" says 3 "no set 'vm'" vfmig set del vm
check "timeline of an unknown set" says 3 "no set 'vm'" vfmig set timeline vm

# --- hostile names ----------------------------------------------------------------------

check "an empty name" says 1 "the name is empty" vfmig set add "" "$A"
check "a name of 32 characters" says 1 "longer than 31" \
	vfmig set add 01234567890123456789012345678901 "$A"
# shellcheck disable=SC2016 # must not be expanded
for name in a/b ../x 'a b' $'a\nb' $'a\tb' $'\033[2J' '%s%n' '$(reboot)' '"' "'" $'\xff'; do
	printf -v shown '%q' "$name"
	check "a set named $shown" says 2 "set's name is 1 to 31 characters" \
		vfmig set add "$name" $NOBODY
	check "show of a set named $shown" says 2 "set's name is 1 to 31 characters" \
		vfmig set show "$name"
	vfmig set del "$name" 2>/dev/null	# if it was made: else all that follows fails
done
check "a name that looks like an option" says 1 "unknown option '-x'" vfmig set add -x "$A"
for handle in usb/1 pci pci/ pci/.. pci/a/b "${BDFS[0]}" ""; do
	check "a member named '$handle'" says 1 "" vfmig set add vm "$handle"
done
check "a name of a device that is too long" says 1 "too long" \
	vfmig set add vm "pci/$(printf 'x%.0s' {1..130})"
check "none of them made a set" prints '. == []' vfmig set list -j

# --- add, show, list, del ------------------------------------------------------------------

check "add says nothing" silent vfmig set add vm "$A"
check "add of a member" says 2 "$A" vfmig set add vm "$A"
check "a device alone in its set is not hooked" prints '.set == "vm" and (.hooked | not)' \
	vfmig device show "$A" -j
check "add of more, one of them not there, prints the set" prints \
	'.name == "vm" and (.members | length) == 3' vfmig set add vm "$B" $NOBODY -j
check "show -j has its keys" prints '
	(keys - ["pid", "timeline"]) == ["allow_no_p2p", "auto", "claim_timeout_ms", "claims",
		"early_starts", "errors", "max_parallel", "members", "name", "policy",
		"policy_flags", "saved_ns", "take_backs"] and
	(.members | all(keys == ["claims", "driven", "early_starts", "errors", "handle",
		"pending", "present", "saved_ns", "take_backs"]))' vfmig set show vm -j
check "and their types" prints '
	(.name | type) == "string" and .auto == false and .allow_no_p2p == false and
	.claim_timeout_ms == 5000 and .max_parallel == 0 and
	.policy == ["stop", "copy", "start"] and .policy_flags == 7 and
	([.claims, .early_starts, .errors, .saved_ns, .take_backs] == [0, 0, 0, 0, 0])' \
	vfmig set show vm -j
check "and its members" prints "
	[.members[] | [.handle, .present, .driven, .pending]] ==
	[[\"$A\", true, false, false], [\"$B\", true, false, false],
	 [\"$NOBODY\", false, false, false]]" vfmig set show vm -j
check "show" shows "^  policy +stop,copy,start$" vfmig set show vm
check "show of a member" shows "^$A +idle +0 +0 +0 +0 +-$" vfmig set show vm
check "show of an absent member" shows "^$NOBODY +absent " vfmig set show vm
check "list" shows "^vm +no +3 +stop,copy,start +- +0 +0 +0 +0 +-$" vfmig set list
check "list -j has what show -j has" \
	sh -c "vfmig set show vm -j | jq -s . >/tmp/show.json
		vfmig set list -j | jq . | cmp - /tmp/show.json"
check "the summary shows sets" prints \
	'.sets[0].name == "vm" and .set_auto.enabled == false and (.hooked | length) == 2' vfmig -j
check "the summary in words" shows "^1 set, automatic sets are off$" vfmig
check "a device shows its set" prints '.set == "vm" and .hooked' vfmig device show "$A" -j
check "another shows none" prints 'has("set") | not' vfmig device show "${DEV[4]}" -j
check "no timeline yet" says 3 "set vm has no timeline" vfmig set timeline vm

check "add of another set's member" says 2 "$A.* in set 'vm'" vfmig set add vm2 "$A"
check "it made no set" says 3 "no set 'vm2'" vfmig set show vm2
check "add of one that may join and one that may not" says 2 "$A" \
	vfmig set add vm "${DEV[4]}" "$A"
check "all or nothing: it has not joined" prints 'has("set") | not' \
	vfmig device show "${DEV[4]}" -j
check "the same device twice" says 2 "" vfmig set add vm3 "${DEV[4]}" "${DEV[4]}"
check "it made no set either" says 3 "no set 'vm3'" vfmig set show vm3

check "removal of a member" silent vfmig set del vm $NOBODY
check "removal of no member" says 3 "$NOBODY" vfmig set del vm $NOBODY
check "removal prints the set" prints '(.members | length) == 1' vfmig set del vm "$B" -j
check "that one is not hooked any more" prints 'has("set") or .hooked | not' \
	vfmig device show "$B" -j
check "who stays is, until it leaves" prints '.set == "vm" and .hooked' \
	vfmig device show "$A" -j
check "deletion" silent vfmig set del vm
check "it is gone" says 3 "no set 'vm'" vfmig set show vm
check "its devices are free" prints '.hooked == [] and .sets == []' vfmig -j

# --- policy and options ---------------------------------------------------------------------

vfmig set add vm "$A" "$B" --policy barrier,stop --max-parallel 2 --claim-timeout 7s
check "options of a new set" prints '.policy == ["stop", "barrier"] and .policy_flags == 33 and
	.max_parallel == 2 and .claim_timeout_ms == 7000' vfmig set show vm -j
check "policy" shows '^stop,barrier$' vfmig set policy vm
check "policy -j" prints '. == {name: "vm", policy: ["stop", "barrier"], policy_flags: 33,
	max_parallel: 2, claim_timeout_ms: 7000, allow_no_p2p: false}' vfmig set policy vm -j
check "policy none" silent vfmig set policy vm none
check "the set has none" shows '^none$' vfmig set policy vm
check "none is an empty array" prints '.policy == [] and .policy_flags == 0' \
	vfmig set policy vm -j
check "words, with spaces and commas" prints \
	'.policy == ["stop", "copy", "start", "resume", "setup", "barrier"]' \
	vfmig set policy vm setup,resume barrier start copy stop -j
check "options of policy" prints '.policy_flags == 63 and .max_parallel == 0 and
	.claim_timeout_ms == 20 and .allow_no_p2p' \
	vfmig set policy vm --max-parallel 0 --claim-timeout 20ms --allow-no-p2p yes -j
check "options of add to a set that is there" prints \
	'.policy_flags == 4 and (.members | length) == 3 and .claim_timeout_ms == 20' \
	vfmig set add vm $NOBODY --policy start -j
check "a word that is none" says 1 "halt: want none, or some of stop" vfmig set policy vm halt
check "none and another" says 1 "none: it stands alone" vfmig set policy vm stop none
check "a claim timeout too long" says 1 "out of range" \
	vfmig set policy vm --claim-timeout 600001
check "and nothing has changed" shows '^start$' vfmig set policy vm
vfmig set del vm

knob "${BDFS[4]}" p2p 0 &&
	check "a device without P2P" says 2 "${DEV[4]}.*P2P" vfmig set add vm "${DEV[4]}" "$A" &&
	check "it made no set" prints '. == []' vfmig set list -j &&
	check "a device without P2P, allowed" vfmig set add vm "${DEV[4]}" "$A" --allow-no-p2p yes
vfmig set del vm
knob "${BDFS[4]}" p2p 1

# --- who may ----------------------------------------------------------------------------------

check "anybody may look" prints '. == []' unshare -U vfmig set list -j
check "not anybody may change" says 2 "Operation not permitted" unshare -U vfmig set add vm "$A"
check "not anybody may switch" says 2 "Operation not permitted" unshare -U vfmig set auto on
check "another network namespace" says 2 "initial network namespace" \
	unshare -n vfmig set list
check "no change from another network namespace" says 2 "initial network namespace" \
	unshare -n vfmig set add vm "$A"
check "the summary there goes without sets" sh -c \
	'unshare -n vfmig -j 2>/dev/null | jq -e "has(\"sets\") or has(\"set_auto\") | not"'

# --- automatic sets -----------------------------------------------------------------------------

check "auto is off" shows "^automatic sets are off$" vfmig set auto
check "auto -j" prints '. == {enabled: false, policy: ["stop", "copy", "start"],
	policy_flags: 7, max_parallel: 0, claim_timeout_ms: 5000, allow_no_p2p: false}' \
	vfmig set auto -j
check "auto on" silent vfmig set auto on
check "it is on" prints '.enabled' vfmig set auto -j
check "its options" prints '.enabled and .policy == ["stop"] and .max_parallel == 3 and
	.claim_timeout_ms == 1000 and .allow_no_p2p' vfmig set auto --policy stop \
	--max-parallel 3 --claim-timeout 1s --allow-no-p2p yes -j
check "auto off keeps them" prints '(.enabled | not) and .policy == ["stop"]' \
	vfmig set auto off -j
check "neither on nor off" says 1 "want on or off" vfmig set auto maybe
vfmig set auto --policy stop,copy,start --max-parallel 0 --claim-timeout 5000 --allow-no-p2p no

# --- a VMM migrates two devices to two others ---------------------------------------------------

vfmig monitor -j --ready-file /tmp/monitor.ready >/tmp/events.json &
monitor=$!
vfmig monitor --ready-file /tmp/monitor2.ready >/tmp/events.txt &
monitor2=$!
wait_for 20 test -s /tmp/monitor.ready
wait_for 20 test -s /tmp/monitor2.ready

# migrate [CMD...]: the first two devices to the next two; CMD while the destination runs.
migrate()
{
	local receiver rc=0

	rm -f /tmp/go /tmp/migrated
	serial-vmm recv 127.0.0.1:6000 --exec \
		'touch /tmp/migrated; while [ ! -e /tmp/go ]; do sleep 0.1; done' \
		"${DEV[2]}" "${DEV[3]}" >/tmp/recv.txt 2>&1 &
	receiver=$!
	serial-vmm send 127.0.0.1:6000 "$A" "$B" >/tmp/send.txt 2>&1 || rc=$?
	if ((rc == 0)); then
		wait_for 60 test -e /tmp/migrated || rc=$?
		"${@:-:}"
	fi
	touch /tmp/go
	wait $receiver || rc=$?
	((rc == 0)) || cat /tmp/send.txt /tmp/recv.txt
	return $rc
}

same_state()
{
	[[ $(device_facts "${BDFS[@]:0:2}") == "$(device_facts "${BDFS[@]:2:2}")" ]]
}

for bdf in "${BDFS[@]}"; do
	knobs "$bdf" state_size=65536 arc_ms=100
done
knob "${BDFS[0]}" seed 1
knob "${BDFS[1]}" seed 2
vfmig set add src "$A" "$B"
vfmig set add dst "${DEV[2]}" "${DEV[3]}" --policy stop,copy,start,resume

while_it_lives()
{
	check "driven members" prints \
		'.pid > 1 and (.members | all(.driven and .present and (.pending | not)))' \
		vfmig set show dst -j
	check "driven members in words" shows "^${DEV[2]} +driven " vfmig set show dst
}

migrate while_it_lives
result $? "a VMM that knows nothing of sets migrates"
check "all state has arrived" same_state
check "the source's second device followed" prints \
	'.early_starts >= 2 and .claims >= 2 and .errors == 0 and .saved_ns > 100000000 and
	 .saved_ns == (.members | map(.saved_ns) | add) and
	 .members[1].claims >= 2 and .members[0].claims == 0 and has("timeline")' \
	vfmig set show src -j
check "so did the destination's" prints '.claims >= 2 and .errors == 0 and .saved_ns > 100000000' \
	vfmig set show dst -j
check "a set in words counts" shows "^src +no +2 +stop,copy,start +- +[2-9] +[2-9] " \
	vfmig set list

# --- events ----------------------------------------------------------------------------------

events()
{
	jq -s -e "any(.[]; $1)" /tmp/events.json >/dev/null
}

member='.event == "member" and .set == "src"'
for event in \
	'.event == "set" and .name == "src" and (.members | length) == 2' \
	"$member and .device == \"$A\" and .type == \"call\" and .from == \"RUNNING\" and
		.to == \"RUNNING_P2P\" and .at_ns > 0" \
	"$member and .device == \"$A\" and .type == \"return\" and .to == \"STOP\"" \
	"$member and .device == \"$B\" and .type == \"early_start\" and .from == \"RUNNING_P2P\" and
		.to == \"STOP\"" \
	"$member and .device == \"$B\" and .type == \"early_end\" and .to == \"STOP_COPY\"" \
	"$member and .device == \"$B\" and .type == \"claim\" and .saved_ns > 0 and .timeline > 0" \
	".event == \"member\" and .set == \"dst\" and .type == \"claim\" and .to == \"RUNNING\""; do
	check "monitor: $event" wait_for 5 events "$event"
done
for event in "^set src has 2 members, policy stop,copy,start$" \
	     "^set src at [0-9]+\.[0-9]{9}: call RUNNING -> RUNNING_P2P, device $A$" \
	     "^set src at .*: early_start RUNNING_P2P -> STOP, device $B$" \
	     "^set src at .*: claim .* -> STOP, device $B, saved [0-9.]+ ms$"; do
	check "monitor: $event" wait_for 5 grep -Eq "$event" /tmp/events.txt
done

# --- timelines ---------------------------------------------------------------------------------

id=$(vfmig set show src -j | jq .timeline)
check "session list shows the timeline" prints "any(.[]; .session == $id and .set == \"src\" and
	.role == \"source\" and (has(\"link\") | not))" vfmig session list -j
check "and one of the destination" prints 'any(.[]; .set == "dst" and .role == "destination")' \
	vfmig session list -j
check "session list in words" shows "^ *$id +source .* src +2 " vfmig session list
check "it is no live session" prints '.sessions == []' vfmig -j
check "its phases" prints ".set == \"src\" and (.devices | length) == 2 and
	(.devices | all(.phases | has(\"quiesce\") and has(\"stop\") and has(\"save\"))) and
	.downtime.stop_ns > 0 and .downtime.total_ns > .downtime.stop_ns" \
	vfmig session show "$id" -j
check "set timeline is the same" sh -c \
	"[ \"\$(vfmig set timeline src -j)\" = \"\$(vfmig session timeline $id -j)\" ]"
check "session show" shows "^  set +src, " vfmig session show "$id"
check "set timeline" shows "^$B +stop +[0-9.]+ +[0-9.]+ +\|[.#]+\|$" vfmig set timeline src
check "set timeline of the destination" shows "^${DEV[2]} +start " vfmig set timeline dst
check "they stop together" prints '[.devices[].phases.stop | {start_ns, end_ns}] |
	.[0].start_ns < .[1].end_ns and .[1].start_ns < .[0].end_ns' vfmig session show "$id" -j
check "a picture" vfmig set timeline src --svg /tmp/src.svg
check "with the set's name" grep -q "set src" /tmp/src.svg
boxes=$(grep -c "<title>" /tmp/src.svg)
check "and a box for each device and phase" test "$boxes" = 6

# --- early and in vain -------------------------------------------------------------------------

# The second device waits in STOP_COPY while the state of the first is read.
vfmig set policy src --claim-timeout 300
knobs "${BDFS[0]}" read_us_per_mib=2000000 state_size=1048576
migrate
result $? "a VMM that comes too late migrates"
check "all state has arrived again" same_state
check "a result was taken back" prints '.take_backs >= 1' vfmig set show src -j
check "monitor says so" wait_for 5 events \
	"$member and .type == \"take_back\" and .from == \"STOP_COPY\" and .to == \"STOP\""
check "the next timeline is another" prints ".timeline > $id" vfmig set show src -j
knobs "${BDFS[0]}" read_us_per_mib=0 state_size=65536
vfmig set policy src --claim-timeout 5000

before=$(vfmig set show src -j | jq -c '[.early_starts, .claims]')
vfmig set policy src none
vfmig set policy dst none
migrate
result $? "a VMM migrates with sets that do nothing"
check "they do nothing" prints "[.early_starts, .claims] == $before" vfmig set show src -j

# --- a device that fails ------------------------------------------------------------------------

fails()
{
	! migrate >/dev/null
}

vfmig set policy src stop,copy,start
knobs "${BDFS[1]}" "fail_arc=RUNNING_P2P>STOP:71"
check "a device fails early, and so does the VMM" fails
check "its error is counted" prints '.errors == 1 and .members[1].errors == 1' \
	vfmig set show src -j
check "monitor: the early change failed" wait_for 5 events \
	"$member and .device == \"$B\" and .type == \"early_end\" and .error == 71"
check "monitor: the VMM's own call got the error" wait_for 5 events \
	"$member and .device == \"$B\" and .type == \"claim\" and .error == 71"
check "the timeline says who" prints \
	"[.devices[] | select(.error == 71) | .handle] == [\"$B\"]" vfmig set timeline src -j
knobs "${BDFS[1]}" fail_arc=none

check "the sets go" sh -c "vfmig set del src && vfmig set del dst"
check "monitor: a set is deleted" wait_for 5 events \
	'.event == "set" and .name == "dst" and .gone'
check "monitor: a set is deleted, in words" wait_for 5 grep -q "^set dst deleted$" /tmp/events.txt

# --- sets that make themselves -------------------------------------------------------------------

shows_auto()
{
	check "an automatic set" prints 'any(.[]; .auto and .name == "auto-\(.pid)" and
		(.members | map(.handle)) == ["'"${DEV[2]}"'", "'"${DEV[3]}"'"])' vfmig set list -j
	check "an automatic set in words" shows "^auto-[0-9]+ +yes +2 " vfmig set list
}

vfmig set auto on --policy stop,copy,start,resume
migrate shows_auto
result $? "a VMM migrates with automatic sets"
check "they are gone with the VMM" wait_for 5 prints '. == []' vfmig set list -j
check "monitor has seen them help" wait_for 5 events \
	'.event == "member" and (.set | startswith("auto-")) and .type == "claim"'
vfmig set auto off

kill $monitor $monitor2
wait $monitor $monitor2
check "nothing is left" host_becomes_clean
check "the modules can go, with a set" sh -c "
	vfmig set add vm $A $NOBODY
	for d in ${BDFS[*]}; do echo \$d >/sys/bus/pci/devices/\$d/driver/unbind; done
	rmmod vfio_pci_migsim vfio_migmux"
ktap_exit
