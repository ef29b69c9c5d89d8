#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 8 --timeout 600
#
# Sequential, threaded and batched VMMs hammer one set from several processes, for
# HAMMER_SECONDS, while it is changed: afterwards no object of the module is left. What the
# kernel complains of fails the run of the test host.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh

HAMMERING=${HAMMER_SECONDS:-20}
TRACING=/sys/kernel/tracing
EVENTS=$TRACING/events/vfio_migmux

mapfile -t DEVS <<<"$(edu_list)"

# Afresh, with events on before the first device is there, so that no object is missed.
setup()
{
	driver_unbind "${DEVS[@]}" || return 1
	rmmod vfio_migmux vfio_pci_migsim 2>/dev/null
	modprobe vfio_migmux || return 1
	echo 16384 >$TRACING/buffer_size_kb
	echo >$TRACING/trace
	echo 1 >$EVENTS/migmux_object_create/enable
	echo 1 >$EVENTS/migmux_object_destroy/enable
	modprobe vfio_pci_migsim && driver_bind vfio_pci_migsim "${DEVS[@]}"
}

# No event was lost, each object created was destroyed, and there were sets and members.
objects_gone()
{
	if grep -qv ' 0$' <(grep -h '^overrun' $TRACING/per_cpu/cpu*/stats); then
		echo "the trace buffer is too small"
		return 1
	fi
	awk '
		/migmux_object_create:/ { n[$(NF - 1) " " $NF]++; kind[$(NF - 1)]++ }
		/migmux_object_destroy:/ { n[$(NF - 1) " " $NF]-- }
		END {
			for (object in n)
				if (n[object] != 0) {
					print object ": " n[object]
					bad = 1
				}
			for (k in kind)
				print k ": " kind[k]
			exit bad || !kind["set"] || !kind["member"] || !kind["hook"] ||
				!kind["session"]
		}' $TRACING/trace
}

if ! out=$(setup 2>&1); then
	skip_all "no module, or no devices: $out"
fi
out=$(set_hammer "$HAMMERING" 2>&1)
result $? "$HAMMERING seconds of hammering"
diag "$out"
check "the driver can go" driver_unbind "${DEVS[@]}"
wait_for 10 objects_gone
check "each object of the module is gone" objects_gone
diag "$(objects_gone)"
check "nothing holds the modules" rmmod vfio_pci_migsim vfio_migmux
ktap_exit
