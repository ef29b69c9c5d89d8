#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 300
#
# The fuzzers that need the module: of its netlink family, of its ioctls, and of what
# crosses the wire between two sessions. FUZZ_SECONDS (10) each; FUZZ_SEED repeats a run;
# FUZZERS names some of them.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh

modprobe vfio_pci_migsim || skip_all "vfio_pci_migsim is not built"
modprobe vfio_migmux || skip_all "vfio_migmux is not built"
for bdf in $(edu_list); do
	driver_bind vfio_pci_migsim "$bdf" || exit 1
done
export FUZZ_SECONDS="${FUZZ_SECONDS:-10}"

# shellcheck disable=SC2086 # it is a list
set -- ${FUZZERS:-netlink_fuzz ioctl_fuzz frame_fuzz}
ktap_plan $(($# + 1))
for f; do
	{ "$f" 2>&1; echo "$?" >/tmp/rc; } | awk '{ print "    " $0; fflush() }'
	result "$(cat /tmp/rc)" "$f"
done
check "the module can be unloaded" rmmod vfio_migmux
ktap_exit
