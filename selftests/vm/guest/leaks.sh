# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Does anything stay behind? For the debug kernel, after hosts.sh, for bash and busybox's sh.
#
#	leaks_watch; ... the tests ...; host_tidy; objects_balance; host_unload; memory_reachable

KMEMLEAK=/sys/kernel/debug/kmemleak
# A trace of its own, which tests that use the other leave alone.
LIFE=/sys/kernel/tracing/instances/life

# leaks_watch: from here on record what vfio_migmux makes and ends, whenever it is loaded.
# Not a record is overwritten: when the buffer is full objects_balance says so. The kernel
# forgets the records of a module that is unloaded; what that one has left is unreachable
# then, and kmemleak's to find.
leaks_watch()
{
	mkdir $LIFE
	echo 16384 >$LIFE/buffer_size_kb
	echo 0 >$LIFE/options/overwrite
	# who is told of a module that comes is told once
	rm /bin/modprobe
	cat >/bin/modprobe <<-END
		#!/bin/sh
		. /lib/migmux/leaks.sh
		leaks_arm
		exec busybox modprobe "\$@"
	END
	chmod 755 /bin/modprobe
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
		}' $LIFE/trace
}

# What a process held goes soon after it, but not at once.
objects_balance()
{
	wait_for 20 objects_alive || objects_alive
}

# How many were made.
objects_seen()
{
	grep -c 'migmux_object_create:' $LIFE/trace
}

host_unload()
{
	local module

	for module in vfio_pci_migsim vfio_migmux; do
		[ ! -d "/sys/module/$module" ] || rmmod $module || return 1
	done
}

# memory_reachable: kmemleak knows of no memory that nothing points to. It reports what it
# has found so in two scans, the object being 5 s old by then, and what is on its way
# through a register or RCU may be found so: real is what a third scan does not reach either.
# Not ours is what VFIO_IOMMU_GET_INFO of a type1 container loses when it has no memory for
# the last of its capabilities.
memory_reachable()
{
	local found

	for _ in 1 2 3; do
		sleep 6
		echo scan >$KMEMLEAK
	done
	found=$(awk '
		function flush() { if (record !~ /vfio_info_cap_add/) printf "%s", record }
		/^unreferenced object/ { flush(); record = "" }
		{ record = record $0 "\n" }
		END { flush() }' $KMEMLEAK)
	echo "$found"
	[ -z "$found" ]
}
