#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The last test on each host that boots the debug kernel: what the tests before it made is
# gone again, the modules can be unloaded, and no memory of anybody is lost.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/leaks.sh
# for host b
LIBRARY+='; . /lib/migmux/leaks.sh'

hosts=(a)
[[ $VM_HOSTS != 2 ]] || hosts+=(b)
ktap_plan $((4 * ${#hosts[@]}))

for host in "${hosts[@]}"; do
	check "host $host: what is left can be closed and unbound" on "$host" host_tidy
	check "host $host: every object that was made has ended" on "$host" objects_balance
	diag "host $host: $(on "$host" objects_all) objects were made"
	check "host $host: the modules can be unloaded" on "$host" host_unload
	check "host $host: kmemleak finds nothing" on "$host" memory_reachable
done
ktap_exit
