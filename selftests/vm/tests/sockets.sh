#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 240
#
# vfmig over AF_UNIX and vsock, from two devices of a host to two others of the same one:
# the links, their names and files, what is refused, and transfers that arrive.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

SOCK=/tmp/vfmig.sock

# out_in ADDR [CHANNELS]: links "in", which listens there, and "out". Says what they say.
out_in()
{
	local listener rc=0

	vfmig link listen in --on "$1" --channels "${2:-2}" --timeout 30 >/tmp/listen.out 2>&1 &
	listener=$!
	vfmig link connect out --to "$1" --channels "${2:-2}" --timeout 30 \
		>/tmp/connect.out 2>&1 || rc=$?
	wait $listener || rc=$?
	cat /tmp/listen.out /tmp/connect.out
	return $rc
}

links_del()
{
	vfmig link del in
	vfmig link del out
}

# carry [OPTION...]: from the first two devices to the others. The options are send's.
carry()
{
	local recv rc=0

	vfmig recv -j in "${TO[@]}" --staging 1M >/tmp/recv.json 2>/tmp/recv.err &
	recv=$!
	vfmig send -j out "${FROM[@]}" "$@" >/tmp/send.json 2>/tmp/send.err || rc=$?
	wait $recv || rc=$?
	((rc == 0)) || cat /tmp/send.err /tmp/recv.err
	return $rc
}

# The destinations have what the sources have, and run; the sources do not.
arrived()
{
	[[ $(device_facts "${DEVS[@]:0:2}") == "$(device_facts "${DEVS[@]:2:2}")" ]] ||
		{ device_facts "${DEVS[@]}"; return 1; }
	all_in STOP "${DEVS[@]:0:2}" && all_in RUNNING "${DEVS[@]:2:2}"
}

prepare()
{
	knobs_default "$1" || return 1
	knobs "${DEVS[0]}" seed=$RANDOM state_size="$1"
	knobs "${DEVS[1]}" seed=$RANDOM state_size="$1"
}

# shows LINK FILTER: jq's FILTER holds for all channels of the link.
shows()
{
	vfmig link show "$1" -j >/tmp/link.json
	jq -e "(.channels | length) > 0 and all(.channels[]; $2)" /tmp/link.json >/dev/null &&
		return
	cat /tmp/link.json
	return 1
}

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

transfers()
{
	local what=$1 size

	for size in 0 1 65536 5000001; do
		check "$what: 2 devices with $size bytes" eval "prepare $size && carry && arrived"
	done
	check "$what: the source has a budget of 1 MiB" \
		eval "prepare 8000003 && carry --staging 1M && arrived"
}

for module in vfio_pci_migsim vfio_migmux; do
	modprobe $module || skip_all "$module is not built"
done
mapfile -t DEVS <<<"$(edu_list)"
driver_bind vfio_pci_migsim "${DEVS[@]}" || exit 1
mapfile -t FROM < <(printf 'pci/%s\n' "${DEVS[@]:0:2}")
mapfile -t TO < <(printf 'pci/%s\n' "${DEVS[@]:2:2}")

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

check "nothing is left of them" host_becomes_clean
ktap_exit
