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
	{ "$f" 2>&1; echo "$?" >/tmp/rc; } | tee -a /tmp/fuzz.out | awk '{ print "    " $0; fflush() }'
	result "$(cat /tmp/rc)" "$f"
done
# number NAME FORMAT: a figure, from the line of that format, its number being "N".
number()
{
	value=$(sed -n "s/^# ${2%%N*}\([0-9]*\)${2#*N}.*/\1/p" /tmp/fuzz.out | tail -n 1)
	[ -z "$value" ] || figure "$1" "$value"
}
number netlink_requests "N requests, "
number ioctl_programs "N programs, [0-9]* ioctls"
number ioctl_points "N points of the module reached"
number frame_migrations "N migrations, "
number frame_messages "[0-9]* migrations, N messages touched"
check "the module can be unloaded" rmmod vfio_migmux
ktap_exit
