# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Results of a test script, as KTAP on stdout. For bash and for busybox's sh.
#
#	. /lib/migmux/ktap.sh
#	ktap_plan 3
#	check "the module loads" modprobe vfio_migmux
#	if ...; then ok "it answers"; else not_ok "it answers" "reason"; fi
#	skip "it flies" "no wings"
#	ktap_exit

KTAP_N=0
KTAP_FAILED=0
KTAP_PLAN=

# ktap_plan N: how many results will follow. A script that cannot know calls nothing;
# ktap_exit then prints the plan at the end.
ktap_plan()
{
	KTAP_PLAN=$1
	echo "KTAP version 1"
	echo "1..$1"
}

ok()
{
	KTAP_N=$((KTAP_N + 1))
	echo "ok $KTAP_N $1"
}

# not_ok NAME [REASON]
not_ok()
{
	KTAP_N=$((KTAP_N + 1))
	KTAP_FAILED=$((KTAP_FAILED + 1))
	echo "not ok $KTAP_N $1"
	[ -z "${2:-}" ] || diag "$2"
}

# skip NAME REASON
skip()
{
	KTAP_N=$((KTAP_N + 1))
	echo "ok $KTAP_N $1 # SKIP ${2:-}"
}

# diag TEXT: lines that explain; never a result.
diag()
{
	printf '%s\n' "$*" | sed 's/^/# /'
}

# result RC NAME: ok when RC is 0.
result()
{
	if [ "$1" -eq 0 ]; then ok "$2"; else not_ok "$2" "exit code $1"; fi
}

# check NAME CMD [ARG...]: ok when CMD succeeds; its output is shown when it does not.
check()
{
	local name=$1 rc=0 out

	shift
	out=$("$@" 2>&1) || rc=$?
	[ $rc -eq 0 ] || diag "$* said: $out"
	result $rc "$name"
}

# check_fails NAME CMD [ARG...]: ok when CMD fails.
check_fails()
{
	local name=$1 out

	shift
	if out=$("$@" 2>&1); then
		not_ok "$name" "$* succeeded: $out"
	else
		ok "$name"
	fi
}

# figure NAME VALUE: a number for the table of "make trust-report", see run --record.
figure()
{
	echo "$1 $2" >>/out/figures
}

# skip_all REASON: this script cannot run here.
skip_all()
{
	echo "1..0 # SKIP $1"
	exit 4
}

# Close the list; the exit code says whether all passed.
ktap_exit()
{
	[ -n "$KTAP_PLAN" ] || echo "1..$KTAP_N"
	[ "$KTAP_FAILED" -eq 0 ] || exit 1
	exit 0
}
