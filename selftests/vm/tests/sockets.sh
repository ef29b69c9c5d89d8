#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 240
#
# vfmig over AF_UNIX, vsock and MPTCP, from two devices of a host to two others of the same one:
# the links, their names and files, what is refused, and transfers that arrive.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh

SOCK=/tmp/vfmig.sock

# fails_with RC WORDS CMD...: fails so, with these words on stderr.
fails_with()
{
	local want=$1 words=$2 rc=0

	shift 2
	"$@" >/tmp/fails_with.out 2>/tmp/fails_with.err || rc=$?
	((rc == want)) && grep -qF "$words" /tmp/fails_with.err && return
	echo "exit code $rc: $(cat /tmp/fails_with.err)"
	return 1
}

loop_setup

# --- AF_UNIX --------------------------------------------------------------------------------

vfmig link listen in --on unix:$SOCK --channels 1 >/tmp/listen.out &
listener=$!
wait_for 20 grep -q waiting /tmp/listen.out
check "the socket's file is its owner's alone" test "$(stat -c %a:%F $SOCK)" = 600:socket
check "another cannot listen there" fails_with 2 "unix:$SOCK: Address already in use" \
	vfmig link listen other --on unix:$SOCK --channels 1
check "... and does not disturb who does" test -S $SOCK -a -d /proc/$listener
kill -9 $listener
wait $listener
check "a listener that was killed leaves its file" test -S $SOCK
check "nobody listens there" fails_with 2 "unix:$SOCK: Connection refused" \
	vfmig link connect out --to unix:$SOCK --channels 1 --timeout 0
check "a stale file is replaced" out_in unix:$SOCK
check "the file is gone when all have come" test ! -e $SOCK
check "the connecting end's names" shows out \
	'.local == "unix:(unnamed)" and .peer == "unix:'$SOCK'"'
check "the accepting end's names" shows in \
	'.local == "unix:'$SOCK'" and .peer == "unix:(unnamed)"'
check "the sending method is to splice" shows out '.send_method == "splice"'
transfers unix
links_del

check "nobody comes" fails_with 2 "did not come" \
	vfmig link listen in --on unix:$SOCK --channels 1 --timeout 0
check "... and the file is gone" test ! -e $SOCK
check "no such file" fails_with 2 "unix:$SOCK: No such file or directory" \
	vfmig link connect out --to unix:$SOCK --channels 1 --timeout 0
echo data >$SOCK
check "a file that is not a socket" fails_with 2 "a file that is not a socket" \
	vfmig link listen in --on unix:$SOCK --channels 1 --timeout 0
check "... is left alone" test "$(cat $SOCK)" = data
rm $SOCK

check "more channels than a listener queues at once" out_in unix:$SOCK 40
check "2 devices over 40 channels" eval "prepare 3000001 && carry && arrived"
links_del
check "an abstract name" out_in unix:@vfmig
check "... is shown" shows out '.peer == "unix:@vfmig"'
check "... and carries" eval "prepare 65536 && carry && arrived"
links_del

# --- vsock ----------------------------------------------------------------------------------

if modprobe vsock_loopback; then
	check "a CID that has no transport" fails_with 2 "vsock:77:5000: no transport of vsock" \
		vfmig link connect out --to vsock:77:5000 --channels 1 --timeout 0
	check "vsock: nobody listens" fails_with 2 "vsock:1:5000: " \
		vfmig link connect out --to vsock:1:5000 --channels 1 --timeout 0
	check "no CID to connect to" fails_with 2 "vsock:any:5000: a CID" \
		vfmig link connect out --to vsock:any:5000 --channels 1
	check "links over vsock" out_in vsock:local:5000
	check "the connecting end's names" shows out \
		'(.local | startswith("vsock:any:")) and .peer == "vsock:1:5000"'
	check "the accepting end's names" shows in '.local == "vsock:1:5000"'
	check "the sending method is to copy" shows out '.send_method == "copy"'
	transfers vsock
	links_del
else
	skip "vsock" "vsock_loopback is not built"
fi

# --- MPTCP ----------------------------------------------------------------------------------

if [[ $(cat /proc/sys/net/mptcp/enabled 2>/dev/null) == 1 ]]; then
	check "links over MPTCP" out_in mptcp:127.0.0.1:5000
	check "the connecting end's names" shows out '.peer == "mptcp:127.0.0.1:5000"'
	check "the accepting end's names" shows in '.local == "mptcp:127.0.0.1:5000"'
	check "the sending method is to copy" shows out '.send_method == "copy"'
	transfers MPTCP
	links_del
	vfmig link listen in --on mptcp:127.0.0.1:5000 --channels 1 >/tmp/listen.out &
	listener=$!
	wait_for 20 grep -q waiting /tmp/listen.out
	vfmig link connect out --to tcp:127.0.0.1:5000 --channels 1 >/dev/null
	wait $listener
	result $? "a peer without MPTCP is served too"
	check "... by TCP" shows in '.send_method == "zerocopy"'
	links_del
else
	skip "MPTCP" "the kernel has none"
fi

check "nothing is left of them" host_becomes_clean
ktap_exit
