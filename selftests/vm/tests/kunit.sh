#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel: debug
# vm: --devices 0
#
# The unit tests of the pure parts once more, inside the kernel: each suite is a subtest.

. /lib/migmux/ktap.sh

SUITES=/sys/kernel/debug/kunit
modprobe migmux_kunit || skip_all "migmux_kunit is not built, or the kernel has no KUnit"

# What KUnit says of a suite's tests is KTAP, as deep as ours are.
suite_show()
{
	sed -n -e '/^ *# /d' -e '/^    /p' "$SUITES/$1/results"
	grep -q "^ok .*$1" "$SUITES/$1/results"
}

suites=$(cd "$SUITES" && echo migmux_*)
# shellcheck disable=SC2086 # it is a list
ktap_plan $(($(set -- $suites; echo $#) + 1))
for suite in $suites; do
	rc=0
	suite_show "$suite" || rc=$?
	result $rc "$suite"
done
check "the suites can be unloaded" rmmod migmux_kunit
ktap_exit
