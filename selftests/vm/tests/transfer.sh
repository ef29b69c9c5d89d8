#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 8 --timeout 900
#
# From one host to another by TCP: every set of devices and channels with every size of
# guest/cases.sh, and every size with pre-copy.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/cases.sh

# shellcheck disable=SC2034 # of cases.sh
CASES_LARGE=2

case_link()
{
	link_renew "$1"
}

case_unlink()
{
	link_down
}

case_knobs()
{
	on b knobs_all "$@"
}

case_move()
{
	transfer
}

case_arrived()
{
	devices_same && all_in STOP "${DEVS[@]}" && on b all_in RUNNING "${DEVS[@]}"
}

devices_setup
cases_all TCP whole
cases_run TCP begun
check "nothing is left of them" hosts_clean
ktap_exit
