#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 2 --timeout 240
#
# What a socket still sends outlives whoever sent it: a VMM that is killed goes at once, while
# its pages stay until a peer that does not read has read them or is gone; so does the
# module. The peer is a shell that has a connection.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

MIB=1048576
TRACING=/sys/kernel/tracing
EVENTS=$TRACING/events/vfio_migmux

for module in vfio_pci_migsim vfio_migmux; do
	modprobe $module || skip_all "$module is not built"
done
mapfile -t DEVS <<<"$(edu_list)"
driver_bind vfio_pci_migsim "${DEVS[@]}" || exit 1
A=pci/${DEVS[0]}

# Objects of a kind that live: created and not destroyed since tracing began.
alive()
{
	awk -v kind="$1" '
		/migmux_object_create:/ && $(NF - 1) == kind { n++ }
		/migmux_object_destroy:/ && $(NF - 1) == kind { n-- }
		END { print n + 0 }' $TRACING/trace
}

none_alive()
{
	[[ $(alive "$1") == 0 ]]
}

trace_begin()
{
	echo >$TRACING/trace
	echo 1 >$EVENTS/migmux_object_create/enable
	echo 1 >$EVENTS/migmux_object_destroy/enable
}

# A link "out" whose other end is our descriptor 5, and nobody reads it. Not in a subshell.
link_to_shell()
{
	local listener

	vfmig link listen out --on tcp:127.0.0.1:5000 --channels 1 >/tmp/listen.out &
	listener=$!
	wait_for 20 grep -q waiting /tmp/listen.out || return 1
	exec 5<>/dev/tcp/127.0.0.1/5000
	wait $listener
}

has_ended()
{
	! kill -0 "$1" 2>/dev/null
}

saved()
{
	session_shows ".devices | any(.bytes >= $1)"
}

# A send whose socket is full, killed; fails if it takes long to die. The shell answers no
# question, so send must not ask the other end whether it fits.
send_and_kill()
{
	local send started

	knobs_default $((64 * MIB)) || return 1
	vfmig send out "$A" --no-check --staging 32M >/tmp/send.out 2>&1 &
	send=$!
	wait_for 30 saved $((32 * MIB)) || { echo "it does not send"; return 1; }
	started=$(now_ms)
	kill -KILL $send
	wait $send 2>/dev/null
	# a second is far more than it takes, and far less than the peer does
	(($(now_ms) - started < 1000)) || { echo "it took $(($(now_ms) - started)) ms"; return 1; }
	wait_for 10 host_clean || host_clean
}

method_is()
{
	[[ $(vfmig link show out -j | jq -r '.channels[0].send_method') == "$1" ]]
}

# The link is dead and the kernel still has what the peer did not read.
pages_held()
{
	[[ $(alive staging) == 1 && $(alive session) == 1 ]] ||
		{ echo "stagings: $(alive staging), sessions: $(alive session)"; return 1; }
}

# Our end of the link's connection is nobody's file any more: it is for TCP alone to end it.
# Those of earlier links are in TIME_WAIT at most.
orphaned()
{
	awk '$2 ~ /:1388$/ && $4 != "06" { print; n++; owned += $10 != 0 }
		END { exit n != 1 || owned }' /proc/net/tcp
}

pages_gone()
{
	wait_for 20 none_alive staging && wait_for 20 none_alive session
}

trace_begin
link_to_shell
result $? "a link"
check "plain TCP sends without copying" method_is zerocopy
check "a VMM with a full socket dies at once" send_and_kill
check "its pages live on" pages_held
check "the device can be used meanwhile" vfmig device probe "pci/${DEVS[1]}"
cat <&5 >/tmp/drained
exec 5>&-
check "the peer has got whole frames of it" test "$(stat -c %s /tmp/drained)" -gt $((2 * MIB))
check "the pages are gone when the peer has read" pages_gone
vfmig link del out

link_to_shell
result $? "another link"
check "a VMM dies again" send_and_kill
check "its pages live on" pages_held
exec 5>&-
check "the pages are gone when the peer is" pages_gone
vfmig link del out

link_to_shell
result $? "a third link"
check "a VMM dies once more" send_and_kill
rmmod vfio_pci_migsim
rmmod vfio_migmux &
RMMOD=$!
check "the module's links are gone" wait_for 20 none_alive channel
wait_for 20 orphaned
check "its socket is left to TCP" orphaned
check "the module stays" eval "! has_ended $RMMOD && pages_held"
cat <&5 >/dev/null
exec 5>&-
check "the module is gone when the peer has read" wait_for 60 has_ended $RMMOD
wait $RMMOD
result $? "its unloading succeeds"

modprobe vfio_migmux zerocopy=0 && modprobe vfio_pci_migsim
driver_bind vfio_pci_migsim "${DEVS[@]}"
link_to_shell
result $? "a link of a module that is told to copy"
check "it copies" method_is copy
trace_begin
check "a VMM dies with it" send_and_kill
check "nothing is held for the socket" pages_gone
exec 5>&-
vfmig link del out
check "nothing is left" host_becomes_clean
ktap_exit
