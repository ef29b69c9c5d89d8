#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 5 --smp 1 --timeout 600 --module ghash-generic --module iommufd --module vdpa_sim_net
# kernel: debug
#
# Calls of the module that can fail do, one after the other: see fault_sweep.c. By default
# one in FAULT_STEP (11) of them, for FAULT_SECONDS (150); FAULTS names some of what is swept.
# With FAULT_STEP=1 and FAULT_SECONDS=0 it is all: "make check-faults". FAULT_TRACE=1 shows
# where in the module a call of any task was made to fail, and not those of our own only.
#
# One thing fails at a time, so one CPU will do: with two that are emulated by one it takes twice
# as long.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh

MARK="vfio_migmux test: failures begin"
LOG=/tmp/kmsg

# The kernel says of some allocations that failed, with a call trace, as of a bug. So the
# console gets errors only, and the whole log is looked through here; a panic, of a warning,
# says all of it.
log_begin()
{
	echo 32 >/proc/sys/kernel/panic_print
	read -r LEVEL _ </proc/sys/kernel/printk
	echo 4 >/proc/sys/kernel/printk
	echo "$MARK" >/dev/kmsg
	cat /dev/kmsg >$LOG &
	READER=$!
}

log_end()
{
	sleep 1
	kill $READER || { echo "the log was lost"; return 1; }
	echo "$LEVEL" >/proc/sys/kernel/printk
	sed "1,/$MARK/d" $LOG | grep -E -f /lib/migmux/splats |
		grep -v -e 'Call Trace:' -e 'page allocation failure' >/tmp/splats
	cat /tmp/splats
	[ ! -s /tmp/splats ]
}

# The stack of the last call that was made to fail, and was traced.
last_stack()
{
	awk '/FAULT_INJECTION: forcing a failure/ { text = ""; lines = 60 }
		lines-- > 0 { sub(/^[^;]*;/, ""); text = text $0 "\n" }
		END { printf "%s", text }' $LOG | grep -v ' ? '
}

modprobe vfio_pci_migsim || skip_all "vfio_pci_migsim is not built"
modprobe vfio_migmux || skip_all "vfio_migmux is not built"
# a simulator that was loaded at boot takes addresses, and pins nothing
rmmod vdpa_sim_net vdpa_sim 2>/dev/null
modprobe vdpa_sim use_va=0 max_iotlb_entries=4096 && modprobe vdpa_sim_net
modprobe vhost_vdpa max_iotlb_entries=4096
modprobe iommufd
# without them the runs with TLS and AF_VSOCK skip
for module in tls gcm ghash-generic vsock_loopback; do
	modprobe $module 2>/dev/null || :
done
[ -d /sys/kernel/debug/failslab ] || skip_all "this kernel injects no failures"
for bdf in $(edu_list); do
	driver_bind vfio_pci_migsim "$bdf" || exit 1
done
export FAULTS="${FAULTS:-}" FAULT_STEP="${FAULT_STEP:-11}" FAULT_SECONDS="${FAULT_SECONDS:-150}"
export FAULT_TRACE="${FAULT_TRACE:-0}"

ktap_plan 3
log_begin
{ fault_sweep 2>&1; echo "$?" >/tmp/rc; } | tee /tmp/sweep | awk '{ print "    " $0; fflush() }'
result "$(cat /tmp/rc)" "fault_sweep"
[ "$(cat /tmp/rc)" = 0 ] || diag "$(last_stack)"
check "the kernel had nothing to complain of" log_end
figure step "$FAULT_STEP"
figure points "$(sed -n 's/^# total: \([0-9]*\) points.*/\1/p' /tmp/sweep)"
figure failed_runs "$(sed -n 's/^# total: [0-9]* points, \([0-9]*\) failed.*/\1/p' /tmp/sweep)"
check "the module can be unloaded" rmmod vfio_migmux
ktap_exit
