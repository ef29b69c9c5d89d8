# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Does anything stay behind? For the debug kernel, after hosts.sh, for bash and busybox's sh.
#
#	leaks_watch; ... the tests ...; host_tidy; objects_balance; host_unload; memory_reachable

KMEMLEAK=/sys/kernel/debug/kmemleak
# A trace of its own, which tests that use the other leave alone.
LIFE=/sys/kernel/tracing/instances/life
# What it said of modules that were unloaded: the kernel forgets it then.
KEPT=/run/life

# leaks_watch: from here on record what vfio_migmux makes and ends, whenever it is loaded.
# Not a record is overwritten: when the buffer is full objects_balance says so.
leaks_watch()
{
	# memory_reachable asks for scans: one that nobody asked for takes seconds of a CPU
	echo scan=off >$KMEMLEAK
	mkdir $LIFE
	echo 16384 >$LIFE/buffer_size_kb
	echo 0 >$LIFE/options/overwrite
	mkdir $KEPT
	rm /bin/modprobe /bin/rmmod
	# who is told of a module that comes is told once
	cat >/bin/modprobe <<-END
		#!/bin/sh
		. /lib/migmux/leaks.sh
		leaks_arm
		exec busybox modprobe "\$@"
	END
	cat >/bin/rmmod <<-END
		#!/bin/sh
		. /lib/migmux/hosts.sh
		. /lib/migmux/leaks.sh
		leaks_rmmod "\$@"
	END
	chmod 755 /bin/modprobe /bin/rmmod
	# not ours: what was lost at boot
	echo clear >$KMEMLEAK
}

# leaks_arm: before the module is loaded.
leaks_arm()
{
	[ ! -d /sys/module/vfio_migmux ] || return 0
	echo vfio_migmux:migmux_object_create:mod:vfio_migmux >$LIFE/set_event
	echo vfio_migmux:migmux_object_destroy:mod:vfio_migmux >>$LIFE/set_event
}

# leaks_rmmod MODULE...: unload them. Of what that itself ends (sets, links, hooks, and staging
# that a socket still sends, with its session) the trace says no more, and it is kmemleak's to
# find; nothing else is left by then, for it holds the module.
leaks_rmmod()
{
	local users='' rc=0 kept

	[ ! -d /sys/module/vfio_migmux ] || read -r users </sys/module/vfio_migmux/refcnt
	kept=$(mktemp $KEPT/XXXXXX)
	if [ "$users" = 0 ]; then
		wait_for 20 sessions_balance || sessions_balance >"$kept.alive" || :
		objects_seen >"$kept.seen"
	fi
	busybox rmmod "$@" || rc=$?
	# nothing was forgotten, or nobody knows at which moment
	if [ -d /sys/module/vfio_migmux ] || [ "$users" != 0 ]; then
		rm -f "$kept".*
	fi
	rm "$kept"
	return $rc
}

# host_tidy: close and unbind all that tests may have left, as an operator would.
host_tidy()
{
	local name

	if [ -d /sys/module/vfio_migmux ]; then
		for name in $(vfmig set list -j | jq -r '.[] | select(.auto | not) | .name'); do
			vfmig set del "$name"
		done
		for name in $(vfmig link list -j | jq -r '.[].name'); do
			vfmig link del "$name"
		done
	fi
	# shellcheck disable=SC2046 # it is a list
	driver_unbind $(edu_list)
}

# objects_alive: those that were made and have not ended. Fails if there are any, if the
# trace lost records or if there is none.
objects_alive()
{
	if [ -d /sys/module/vfio_migmux ] &&
	   [ "$(cat $LIFE/events/vfio_migmux/migmux_object_*/enable | tr -d '\n')" != 11 ]; then
		echo "nobody watches the module's objects"
		return 1
	fi
	if grep -h -e '^overrun' -e '^dropped' $LIFE/per_cpu/cpu*/stats | grep -v ' 0$'; then
		echo "the trace has lost records"
		return 1
	fi
	if ! cat $KEPT/*.alive 2>/dev/null | awk '{ print; bad = 1 } END { exit bad }'; then
		echo "when the module was unloaded"
		return 1
	fi
	trace_alive
}

# The same of what holds the module: sessions, but those for which a socket still sends, and which
# have their staging as well.
sessions_balance()
{
	trace_alive | grep -q '^staging ' || trace_alive set member hook channel staging
}

# trace_alive [KIND...]: those of no such kind that were made since the module was loaded.
trace_alive()
{
	awk -v but=" $* " '
		/migmux_object_create:/ { n[$(NF - 1) " " $NF]++ }
		/migmux_object_destroy:/ { n[$(NF - 1) " " $NF]-- }
		END {
			for (object in n) {
				split(object, part, " ")
				if (n[object] != 0 && !index(but, " " part[1] " ")) {
					print object ": " n[object]
					bad = 1
				}
			}
			exit bad
		}' $LIFE/trace
}

# What a process held goes soon after it, but not at once.
objects_balance()
{
	wait_for 20 objects_alive || objects_alive
}

# How many were made since the module was loaded.
objects_seen()
{
	grep -c 'migmux_object_create:' $LIFE/trace || :
}

# And how many in all, of which it is known.
objects_all()
{
	{ objects_seen; cat $KEPT/*.seen 2>/dev/null; } | awk '{ n += $1 } END { print n }'
}

host_unload()
{
	local module

	for module in vfio_pci_migsim vfio_migmux; do
		[ ! -d "/sys/module/$module" ] || rmmod $module || return 1
	done
}

# What kmemleak reports. Not ours is what VFIO_IOMMU_GET_INFO of a type1 container loses when
# it has no memory for the last of its capabilities.
memory_lost()
{
	awk '
		function flush() { if (record !~ /vfio_info_cap_add/) printf "%s", record }
		/^unreferenced object/ { flush(); record = "" }
		{ record = record $0 "\n" }
		END { flush() }' $KMEMLEAK
}

# memory_reachable: kmemleak knows of no memory that nothing points to. It reports what it
# has found so in two scans, the object being 5 s old by then, and what is on its way
# through a register or RCU may be found so: real is what a third scan does not reach either.
memory_reachable()
{
	local scans found

	for scans in 1 2 3; do
		sleep 6
		echo scan >$KMEMLEAK
		found=$(memory_lost)
		[ $scans -eq 1 ] || [ "$found" ] || return 0
	done
	echo "$found"
	return 1
}
