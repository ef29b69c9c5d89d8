#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 1 --devices 3 --timeout 240
#
# What scripts rely on: vfmig's exit codes, the words of each refusal, JSON, monitor, probe,
# the picture of a timeline. The last device has a driver that cannot migrate.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

mapfile -t DEVS <<<"$(edu_list)"
A=pci/${DEVS[0]}
B=pci/${DEVS[1]}
PLAIN=pci/${DEVS[2]}
NOBODY=pci/0000:7f:1f.7

# --- without the module ------------------------------------------------------------------

check "without the module" says 2 "modprobe vfio_migmux" vfmig device list
check "send without the module" says 2 "vfio_migmux is not loaded" vfmig send l "$A"

modprobe vfio_migmux
modprobe vfio-pci
modprobe vfio_pci_migsim
driver_bind vfio_pci_migsim "${DEVS[@]:0:2}"
driver_bind vfio-pci "${DEVS[2]}"

# --- the command line ----------------------------------------------------------------------

check "an unknown command" says 1 "unknown command 'frob'" vfmig frob
check "an unknown command of an object" says 1 "unknown command 'frob'" vfmig link frob
check "an unknown option" says 1 "unknown option '--frob'" vfmig link list --frob
check "a missing argument" says 1 "missing argument, want LINK" vfmig link show
check "an argument too many" says 1 "unexpected argument 'x'" vfmig link show l x
check "an option without its argument" says 1 "wants an argument" vfmig link listen l --on
check "options that are needed" says 1 "--to and --channels are needed" vfmig link connect l
check "an address without a port" says 1 "want tcp:HOST:PORT" \
	vfmig link connect l --to tcp:10.0.0.1 --channels 1
check "an address of another kind" says 1 "want tcp:HOST:PORT, mptcp:HOST:PORT, unix:PATH or vsock:CID:PORT" \
	vfmig link connect l --to udp:host:1 --channels 1
check "no channels" says 1 "0: " vfmig link connect l --to tcp:127.0.0.1:1 --channels 0
check "a bad name of a link" says 2 "a link's name is 1 to 31 characters" vfmig link show a/b
check "a bad handle" says 1 "$A/x|handle|name|want" vfmig device show usb/1
check "a bad number of a session" says 1 "abc: " vfmig session show abc
check "a bad size" says 1 "12Q: want bytes" vfmig recv l "$A" --staging 12Q
check "the same device twice" says 1 "twice|already|given" vfmig send l "$A" "$A"
for command in "" device "device probe" link "link listen" "link connect" session \
	       "session timeline" send check recv monitor; do
	# shellcheck disable=SC2086 # words
	check "vfmig $command --help" sh -c 'vfmig "$@" --help | grep -q ^Usage:' sh $command
done
check "vfmig --version" vfmig --version

# --- what is not there -----------------------------------------------------------------------

check "show of an unknown device" says 3 "$NOBODY: no device '$NOBODY'" vfmig device show $NOBODY
check "show of a device that cannot migrate" says 3 "no device" vfmig device show "$PLAIN"
check "hook of an unknown device" says 3 "$NOBODY: no device" vfmig device hook $NOBODY
check "hook of a device and of an unknown one" says 4 "$NOBODY: no device" \
	vfmig device hook "$A" $NOBODY
check "hook of a hooked device" says 2 "hooked already" vfmig device hook "$A"
check "unhook" vfmig device unhook "$A"
check "unhook of a device not hooked" says 2 "not hooked" vfmig device unhook "$A"
check "show of an unknown link" says 3 "no link 'l'" vfmig link show l
check "deletion of an unknown link" says 3 "no link 'l'" vfmig link del l
check "show of an unknown session" says 3 "no session 4711" vfmig session show 4711
check "timeline of an unknown session" says 3 "no session 4711" vfmig session timeline 4711
check "send over an unknown link" says 3 "no link 'l'" vfmig send l "$A"
check "check over an unknown link" says 3 "no link 'l'" vfmig check l "$A"
check "send of an unknown device" says 3 "$NOBODY" vfmig send l $NOBODY
check "send of a device that cannot migrate" says 2 "does not support migration" \
	vfmig send l "$PLAIN"
check "probe of an unknown device" says 3 "$NOBODY" vfmig device probe $NOBODY

# --- links ------------------------------------------------------------------------------------

# It ends by itself: the harness would see it otherwise.
check "connect to nobody" says 2 "connection 1 of 1 to 127.0.0.1 port 9: Connection refused" \
	vfmig link connect l --to tcp:127.0.0.1:9 --channels 1 --timeout 1
check "listen with nobody coming" says 2 "time|connection" \
	sh -c 'vfmig link listen l --on tcp:127.0.0.1:5000 --channels 1 --timeout 1 >/dev/null'
check "neither leaves a link" prints "length == 0" vfmig link list -j

vfmig link listen in --on tcp:127.0.0.1:5000 --channels 2 >/tmp/listen.out &
listener=$!
wait_for 20 grep -q waiting /tmp/listen.out
check "listen where another listens" says 2 "127.0.0.1 port 5000: Address already in use" \
	sh -c 'vfmig link listen other --on tcp:127.0.0.1:5000 --channels 1 >/dev/null'
check "connect prints the link" prints \
	'.name == "out" and .state == "idle" and (.channels | length) == 2' \
	vfmig link connect out --to tcp:127.0.0.1:5000 --channels 2 -j
wait $listener
result $? "listen ends when all have come"
check "connect with the name of a link that is there" says 2 "link out exists" \
	vfmig link connect out --to tcp:127.0.0.1:5000 --channels 1
check "more devices than channels" says 2 "fewer channels" sh -c "
	vfmig link listen one --on tcp:127.0.0.1:5001 --channels 1 >/dev/null &
	vfmig link connect uno --to tcp:127.0.0.1:5001 --channels 1 >/dev/null
	wait
	vfmig send uno $A $B"
vfmig link del one
vfmig link del uno

# --- monitor, and a transfer for it to see --------------------------------------------------

vfmig monitor -j --ready-file /tmp/monitor.ready >/tmp/events.json &
monitor=$!
vfmig monitor --ready-file /tmp/monitor2.ready >/tmp/events.txt &
monitor2=$!
wait_for 20 test -s /tmp/monitor.ready
wait_for 20 test -s /tmp/monitor2.ready

# A source waits until its destination is ready: so it is busy until recv comes.
vfmig device hook "$A"
knob "${DEVS[0]}" state_size 1234567
vfmig send out "$A" -j >/tmp/send.json 2>/tmp/send.err &
sender=$!
wait_for 20 session_is source
busy=$(vfmig link show out -j | jq .session)
check "a busy link is shown as such" prints '.state == "busy" and .session > 0' \
	vfmig link show out -j
check "deletion of a busy link" says 2 "link 'out' is in use: end session $busy first" \
	vfmig link del out
check "connect with the name of a busy link" says 2 "link out exists" \
	vfmig link connect out --to tcp:127.0.0.1:5000 --channels 1
check "send over a busy link" says 2 "another session uses link 'out'" vfmig send out "$B"
check "send of a device in use" says 2 "$A|busy" vfmig send in "$A"
check "the summary shows what runs" prints \
	'(.hooked | length) == 1 and (.links | length) == 2 and (.sessions | length) == 1' vfmig -j
check "device show says who holds it" prints ".session == $busy and .hooked" \
	vfmig device show "$A" -j
check "unhook of a device in a session" vfmig device unhook "$A"
check "it stays hooked" prints '.hooked and (.pinned | not)' vfmig device show "$A" -j
vfmig recv in "$B" -j >/tmp/recv.json 2>/tmp/recv.err &
receiver=$!
wait $sender
result $? "send"
wait $receiver
result $? "recv"
vfmig link del out

check "send prints its session" prints \
	'.role == "source" and .link == "out" and .error == 0 and .devices[0].state == "STOP"' \
	cat /tmp/send.json
check "recv prints its session" prints \
	'.role == "destination" and .devices[0].state == "RUNNING"' cat /tmp/recv.json

events()
{
	jq -s -e "any(.[]; $1)" /tmp/events.json >/dev/null
}

for event in \
	".event == \"device\" and .handle == \"$A\" and .hooked and .pinned" \
	".event == \"device\" and .handle == \"$A\" and (.hooked | not)" \
	".event == \"device\" and .handle == \"$B\" and .hooked" \
	'.event == "link" and .name == "out" and .state == "busy"' \
	'.event == "link" and .name == "out" and .state == "idle"' \
	'.event == "link" and .name == "out" and .gone' \
	'.event == "session" and .milestone == "sent"' \
	'.event == "session" and .milestone == "handed_over"' \
	'.event == "session" and .type == "phase_start" and .phase == "quiesce"' \
	'.event == "session" and .type == "phase_end" and .phase == "start"'; do
	check "monitor: $event" wait_for 5 events "$event"
done
for event in "device $A hooked \(pinned\)" "device $A not hooked" "link out busy" \
	     "link out deleted" "session [0-9]+ at .*: milestone handed_over"; do
	check "monitor: $event" wait_for 5 grep -Eq "$event" /tmp/events.txt
done
kill $monitor $monitor2
wait $monitor $monitor2
vfmig link del in

# --- sessions, pictures -----------------------------------------------------------------------

id=$(jq .session /tmp/send.json)
check "session list -j" prints "any(.[]; .session == $id and .closed)" vfmig session list -j
check "session show -j" prints ".session == $id and .milestones.handed_over > 0" \
	vfmig session show "$id" -j
check "session timeline -j" prints ".session == $id" vfmig session timeline "$id" -j
check "session show" sh -c "vfmig session show $id | grep -q $A"
check "session timeline" sh -c "vfmig session timeline $id | grep -q quiesce"
check "device list -j" prints "map(.handle) == [\"$A\", \"$B\"]" vfmig device list -j
check "device list" sh -c "vfmig device list | grep -q $B"

# Is it XML? Each tag is closed in order, each attribute has quotes, < and & are escaped.
well_formed()
{
	tr '\n' ' ' <"$1" | sed 's/>/>\n/g' | awk '
		function fail(why) { print why ": " $0; bad = 1; exit 1 }
		{
			text = $0
			sub(/<[^<]*>$/, "", text)
			if (text ~ /</) fail("stray <")
			gsub(/&(lt|gt|amp|quot|apos|#[0-9]+);/, "", text)
			if (text ~ /&/) fail("stray &")
			if (!match($0, /<[^<]*>$/)) next
			tag = substr($0, RSTART + 1, RLENGTH - 2)
			if (tag ~ /^[?!]/) next
			tags++
			name = tag
			sub(/^\//, "", name)
			sub(/[ \/].*/, "", name)
			rest = tag
			gsub(/ [a-zA-Z0-9:-]+="[^"]*"/, "", rest)
			if (rest !~ /^\/?[a-zA-Z]+ *\/?$/) fail("bad tag")
			if (tag ~ /^\//) {
				if (stack[depth--] != name) fail("wrong end")
			} else if (tag !~ /\/$/) {
				stack[++depth] = name
			}
		}
		END { exit bad || depth || tags < 10 }'
}

check "a picture of it" vfmig session timeline "$id" --svg /tmp/timeline.svg
check "it is XML" well_formed /tmp/timeline.svg
check "and shows the device" grep -q "$A" /tmp/timeline.svg
check "a picture on stdout" sh -c "vfmig session timeline $id --svg - | cmp - /tmp/timeline.svg"
check "a picture where none can be" says 2 "/nowhere/x: No such file" \
	vfmig session timeline "$id" --svg /nowhere/x

# --- probe ---------------------------------------------------------------------------------

knob "${DEVS[0]}" state_size 12345
check "probe" prints '.[0].state_bytes == 12409 and
	([.[0].steps[] | select(.step == "arc")] | length) == 8 and
	any(.[0].steps[]; .step == "read" and .bytes == 12409) and
	any(.[0].steps[]; .step == "write" and .bytes == 12409)' vfmig device probe "$A" -j
check "probe as text" sh -c "vfmig device probe $A | grep -q 'RESUMING -> STOP'"
knob "${DEVS[1]}" fail_arc "STOP>RESUMING:71"
check "probe of a device that fails" says 2 "$B.*" vfmig device probe "$B"
check "it is back in RUNNING" all_in RUNNING "${DEVS[1]}"
check "probe of a device and of one that fails" sh -c \
	"vfmig device probe $A $B -j >/tmp/probe.json 2>/dev/null; [ \$? = 4 ]"
check "it prints the one" prints "map(.handle) == [\"$A\"]" cat /tmp/probe.json
knob "${DEVS[1]}" fail_arc none

# --- --exec ------------------------------------------------------------------------------

check "the command of --exec fails" sh -c "
	vfmig link listen in --on tcp:127.0.0.1:5000 --channels 1 >/dev/null &
	vfmig link connect out --to tcp:127.0.0.1:5000 --channels 1 >/dev/null
	wait
	vfmig send out $A --exec 'exit 7' 2>/tmp/exec.err
	[ \$? = 2 ] && grep -q 'failed with exit code 7' /tmp/exec.err"
check "it has moved nothing" prints '.state == "idle"' vfmig link show out -j

check "nothing is left" host_becomes_clean
check "the modules can go" sh -c "
	for d in ${DEVS[*]}; do echo \$d >/sys/bus/pci/devices/\$d/driver/unbind; done
	rmmod vfio_pci_migsim vfio_migmux"
ktap_exit
