#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 6 --timeout 1200 --module ghash-generic --module crc32c_generic --module tipc --module cuse --module iommufd --module vdpa_sim_net
#
# All kselftests of this project, one after the other, each a KTAP subtest. Five devices
# are bound to the simulated driver and one to plain vfio-pci.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh

modprobe vfio_pci_migsim || skip_all "vfio_pci_migsim is not built"
modprobe vfio_migmux || skip_all "vfio_migmux is not built"
modprobe vfio_pci
# without them the tests of vsock, TLS, CUSE, iommufd and vDPA skip; a vDPA simulator that was
# loaded at boot takes addresses, and pins nothing; memory in pieces needs many entries: 64 MiB, if
# no two pages lie side by side, all that vhost-vdpa is given here
rmmod vdpa_sim_net vdpa_sim 2>/dev/null
modprobe vdpa_sim use_va=0 max_iotlb_entries=65536 2>/dev/null || :
modprobe vhost_vdpa max_iotlb_entries=16400 2>/dev/null || :
for module in vsock_loopback tls gcm ghash-generic crc32c_generic tipc cuse iommufd vdpa_sim_net; do
	modprobe $module || :
done

n=0
for bdf in $(edu_list); do
	n=$((n + 1))
	if [ "$n" -le 5 ]; then
		driver_bind vfio_pci_migsim "$bdf" || exit 1
	else
		driver_bind vfio-pci "$bdf" || exit 1
		export PLAIN_DEVICE="$bdf"
	fi
done

# ONLY: names of programs, without _test, separated by space.
tests=
for t in /usr/local/bin/netlink_test /usr/local/bin/session_*_test; do
	name=${t##*/}
	case " ${ONLY:-${name%_test}} " in
	*" ${name%_test} "*) tests="$tests $t" ;;
	esac
done
[ -n "$tests" ] || skip_all "no kselftest is built"

# The tests of one program, indented below its result.
program_run()
{
	{ "$1" 2>&1; echo "$?" >/tmp/rc; } | awk '{ print "    " $0; fflush() }'
	return "$(cat /tmp/rc)"
}

# shellcheck disable=SC2086 # it is a list
ktap_plan "$(set -- $tests; echo $#)"
for t in $tests; do
	rc=0
	from=$(now_ms)
	program_run "$t" || rc=$?
	result "$rc" "${t##*/}"
	diag "${t##*/}: $((($(now_ms) - from) / 1000)) s"
done

ktap_exit
