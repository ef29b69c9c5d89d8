#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 1 --devices 2 --timeout 600
#
# Load, bind, hook, send, unhook, unbind, unload, a hundred times, or 40 in a slow kernel, which has
# kmemleak as well: no object of the module outlives its cycle, and no slab, vmalloc area or page
# that is taken in each cycle stays.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh

CYCLES=${CYCLES:-$((${VM_PATIENCE:-1} > 1 ? 40 : 100))}
# By then whatever is allocated once, or kept for use again, is there.
WARM=20
TRACING=/sys/kernel/tracing
EVENTS=$TRACING/events/vfio_migmux

mapfile -t DEVS <<<"$(edu_list)"
SOURCE=${DEVS[0]}
DESTINATION=${DEVS[1]}

# --- a cycle --------------------------------------------------------------------------

# Events are enabled before a device is there, so that no object is missed.
load()
{
	modprobe vfio_migmux || return 1
	echo >$TRACING/trace
	echo 1 >$EVENTS/migmux_object_create/enable
	echo 1 >$EVENTS/migmux_object_destroy/enable
	modprobe vfio_pci_migsim && driver_bind vfio_pci_migsim "${DEVS[@]}" &&
		knob "$SOURCE" state_size 70001 &&
		vfmig device hook "pci/$SOURCE" "pci/$DESTINATION"
}

links_make()
{
	local listener

	vfmig link listen in --on tcp:127.0.0.1:5000 --channels 2 --timeout 30 >/dev/null &
	listener=$!
	vfmig link connect out --to tcp:127.0.0.1:5000 --channels 2 --timeout 30 >/dev/null &&
		wait $listener
}

move()
{
	local receiver rc=0

	vfmig recv in "pci/$DESTINATION" >/tmp/recv.out 2>&1 &
	receiver=$!
	vfmig send out "pci/$SOURCE" >/tmp/send.out 2>&1 || rc=$?
	# a send that fails before it sends tells the other end nothing
	((rc == 0)) || kill -INT $receiver
	wait $receiver || rc=$?
	((rc == 0)) || { cat /tmp/send.out /tmp/recv.out; return 1; }
	[[ $(device_facts "$SOURCE") == "$(device_facts "$DESTINATION")" ]] ||
		{ echo "the states differ"; return 1; }
}

# Was each object that was created destroyed? Says which were not.
objects_gone()
{
	awk '
		/migmux_object_create:/ { n[$(NF - 1) " " $NF]++ }
		/migmux_object_destroy:/ { n[$(NF - 1) " " $NF]-- }
		END {
			for (object in n)
				if (n[object] != 0) {
					print object ": " n[object]
					bad = 1
				}
			exit bad
		}' $TRACING/trace
}

# So that "all are gone" cannot be said of none. Two devices, sessions and stagings; two
# channels a side; a mover for each device and each channel.
objects_expected()
{
	local want="channel 4 device 2 hook 2 mover 6 session 2 staging 2" got

	got=$(awk '/migmux_object_create:/ { n[$(NF - 1)]++ }
		END { for (kind in n) print kind, n[kind] }' $TRACING/trace | sort | xargs)
	[[ $got == "$want" ]] || { echo "created: $got"; return 1; }
}

# timed STEP CMD...: and add the microseconds to SPENT.
declare -A SPENT
timed()
{
	local step=$1 from=${EPOCHREALTIME/./} rc=0

	shift
	"$@" || rc=$?
	SPENT[$step]=$((${SPENT[$step]:-0} + ${EPOCHREALTIME/./} - from))
	return $rc
}

unhook()
{
	vfmig device unhook "pci/$SOURCE" "pci/$DESTINATION"
}

# Now and then links are left for the unloading to close.
drop()
{
	(($1 % 10 == 5)) || { vfmig link del in && vfmig link del out; } || return 1
	wait_for 10 host_clean || { host_clean; return 1; }
	driver_unbind "${DEVS[@]}" || return 1
	(($1 % 10 != 5)) || return 0
	wait_for 10 objects_gone || { objects_gone; return 1; }
	objects_expected
}

unload()
{
	rmmod vfio_pci_migsim && rmmod vfio_migmux
}

cycle()
{
	timed load load && timed link links_make && timed move move &&
		timed unhook unhook && timed drop drop "$1" && timed unload unload
}

# --- what there is between two cycles ------------------------------------------------------

# snapshot NAME: slabs and vmalloc areas, as lines "WHAT COUNT", and free memory in kB.
snapshot()
{
	local cache

	sync
	echo 3 >/proc/sys/vm/drop_caches
	# Free objects in slabs that CPUs keep would be counted as used.
	for cache in /sys/kernel/slab/*/shrink; do
		echo 1 >"$cache" 2>/dev/null
	done
	awk 'NR > 2 { print $1, $2 }' /proc/slabinfo | sort >"/tmp/$1.slab"
	# By who allocated it; of a module that is gone only an address is left, never the same
	# twice, so all of those count as one.
	awk '{ who = $3; if (who !~ /\+0x/) who = "unknown"; n[who]++ }
		END { for (who in n) print who, n[who] }' /proc/vmallocinfo |
		sort >"/tmp/$1.vmalloc"
	memory_get >"/tmp/$1.memory"
}

# Memory that could be had, in kB. KASAN and others keep each stack that they have seen, for ever;
# and a module that is loaded anew, elsewhere, brings new ones. So what those take is added, in a
# kernel that has them: pools of four pages.
memory_get()
{
	local stats=/sys/kernel/debug/stackdepot/stats

	[[ -r $stats ]] || stats=
	awk '/^MemAvailable:/ { n += $2 } /^pools:/ { n += 16 * $2 } END { print n }' \
		/proc/meminfo $stats
}

# grown KIND LIMIT: says what has grown by more than that since the warm-up, and fails then.
grown()
{
	join -a 2 -e 0 -o 0,1.2,2.2 "/tmp/warm.$1" "/tmp/end.$1" |
		awk -v limit="$2" '$3 - $2 > limit { print $1 ": " $2 " -> " $3; bad = 1 }
			END { exit bad }'
}

# Less than BYTES per cycle of any kind of memory.
memory_stays()
{
	local warm end

	warm=$(cat /tmp/warm.memory)
	end=$(cat /tmp/end.memory)
	((warm - end < $1 * (CYCLES - WARM) / 1024)) && return
	echo "available: $warm kB, then $end kB"
	return 1
}

failed=
for ((i = 1; i <= CYCLES; i++)); do
	cycle $i >/tmp/cycle.out 2>&1 || { failed="cycle $i: $(cat /tmp/cycle.out)"; break; }
	((i != WARM)) || snapshot warm
done
if [[ $failed ]]; then
	not_ok "$CYCLES cycles" "$failed"
	ktap_exit
fi
snapshot end
ok "$CYCLES cycles, each object gone at the end of its cycle"

# What leaks, leaks at least once a cycle. The other processes here are short-lived and the
# same in each cycle, so half of that is more than enough for noise.
leak=$(((CYCLES - WARM) / 2))
check "no slab grows with the cycles" grown slab $leak
# Areas come and go with threads' stacks, of which the kernel keeps some per CPU.
check "no vmalloc area stays" grown vmalloc $((leak / 4))
# Pages of their own are what staging is made of: a frame is 1 MiB. The rest of the host takes up
# to 60 KiB a cycle, or 150 in a debug kernel: files in memory, logs, per-CPU lists.
check "no memory is lost" memory_stays 524288
diag "memory to be had after $WARM and $CYCLES cycles: $(cat /tmp/{warm,end}.memory | xargs) kB"
for step in "${!SPENT[@]}"; do
	diag "$step: $((SPENT[$step] / CYCLES / 1000)) ms a cycle"
done
ktap_exit
