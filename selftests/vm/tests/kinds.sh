#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 16 --timeout 600 --module ghash-generic
#
# Every size, and every number of devices and of channels, of guest/cases.sh, over each kind of
# channel that there is, from eight devices of a host to the eight others. KINDS names some;
# TCP is transfer.sh's, but can be named. CASES_OF=all is for every size with every set, and
# takes long.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh
. /lib/migmux/certs.sh
. /lib/migmux/cases.sh

KINDS=${KINDS:-TLS AF_UNIX vsock MPTCP}

case_link()
{
	links_del 2>/dev/null
	out_in "$ADDR" "$1"
}

case_unlink()
{
	links_del
}

case_knobs()
{
	local bdf

	loop_use "${#DEVS[@]}"
	for bdf in "${SINKS[@]}"; do
		knobs "$bdf" "$@" || return 1
	done
}

case_move()
{
	carry "${SEND_OPTS[@]}"
}

case_arrived()
{
	arrived
}

# kind_begin KIND: ADDR, and the options of both ends. Fails without the kernel's part of it.
# shellcheck disable=SC2034 # options of loop.sh
kind_begin()
{
	ADDR=tcp:127.0.0.1:5000
	IN_OPTS=()
	OUT_OPTS=()
	case $1 in
	TCP)
		;;
	TLS)
		modprobe ghash-generic	# part of gcm, or of the kernel, in later ones
		modprobe tls && modprobe gcm && certs_make || return 1
		certs_of IN_OPTS host-a
		certs_of OUT_OPTS host-b ;;
	AF_UNIX)
		ADDR=unix:/tmp/vfmig.sock ;;
	vsock)
		ADDR=vsock:local:5000
		modprobe vsock_loopback ;;
	MPTCP)
		ADDR=mptcp:127.0.0.1:5000
		[[ $(cat /proc/sys/net/mptcp/enabled) == 1 ]] ;;
	esac
}

loop_setup
for kind in $KINDS; do
	if kind_begin "$kind" >/tmp/kind.out 2>&1; then
		loop_use 8
		"cases_${CASES_OF:-run}" "$kind" whole begun
	else
		skip "$kind" "this host has none: $(cat /tmp/kind.out)"
	fi
done
check "nothing is left of them" host_becomes_clean
ktap_exit
