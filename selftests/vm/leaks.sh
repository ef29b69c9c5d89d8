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

# on_each NAME FUNCTION: a result for each host, which do it side by side.
on_each()
{
	local host rc
	local -A pids=()

	for host in "${hosts[@]}"; do
		on "$host" "$2" >"/tmp/each.$host" 2>&1 &
		pids[$host]=$!
	done
	for host in "${hosts[@]}"; do
		rc=0
		wait "${pids[$host]}" || rc=$?
		((rc == 0)) || diag "host $host: $(</tmp/each."$host")"
		result $rc "host $host: $1"
	done
}

on_each "what is left can be closed and unbound" host_tidy
on_each "every object that was made has ended" objects_balance
for host in "${hosts[@]}"; do
	diag "host $host: $(on "$host" objects_all) objects were made"
done
on_each "the modules can be unloaded" host_unload
on_each "kmemleak finds nothing" memory_reachable
ktap_exit
