#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 8 --timeout 600
#
# Sets: the tests of the simulated driver, by whose log of arcs sets are judged, then
# those of sets with it. Each program is a KTAP subtest.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh

modprobe vfio_pci_migsim || skip_all "vfio_pci_migsim is not built"
# Without it the tests of sets say that they are skipped.
modprobe vfio_migmux || diag "vfio_migmux cannot be loaded"
# shellcheck disable=SC2046 # it is a list
driver_bind vfio_pci_migsim $(edu_list) || exit 1

# ONLY: names of programs, without _test, separated by space.
tests=
for t in /usr/local/bin/migsim_*_test /usr/local/bin/migsim_test /usr/local/bin/set_*_test; do
	name=${t##*/}
	case " ${ONLY:-${name%_test}} " in
	*" ${name%_test} "*) [ ! -x "$t" ] || tests="$tests $t" ;;
	esac
done
[ -n "$tests" ] || skip_all "no such test is built"

# The tests of one program, indented below its result.
program_run()
{
	# shellcheck disable=SC2086 # they are options
	{ "$1" ${ARGS:-} 2>&1; echo "$?" >/tmp/rc; } | awk '{ print "    " $0; fflush() }'
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
