# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Several test programs as one KTAP document with a closing line: each is a stage, its
# output the stage's subtests. A program leaves the counts of its results in the file
# $work/counts, "passed failed skipped".
#
#	stages_work; stages_begin 2; stage "first" CMD...; stage "second" CMD...; stages_end
#
# Those that take long can run beside each other, and are told in their order:
#
#	parts_begin 2 LANES FUNCTION; stage "first" part_told 0; stage "second" part_told 1

stages_n=0 stages_passed=0 stages_failed=0 stages_skipped=0
stages_bad=()
lanes_pid=

# $work becomes a directory that ends with the script, as do its lanes.
stages_work()
{
	work=$(mktemp -d "${TMPDIR:-/tmp}/migmux-${0##*/}.XXXXXX")
	trap stages_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

stages_cleanup()
{
	[[ -z $lanes_pid ]] || kill "$lanes_pid" 2>/dev/null || :
	rm -rf "$work"
}

# stages_begin N: how many there will be.
stages_begin()
{
	echo "KTAP version 1"
	echo "1..$1"
}

# stage NAME CMD...: run it, show its output as subtests, add up its counts.
stage()
{
	local name=$1 rc=0 from=$SECONDS p f s bad stage_fd stage_pid took=''

	shift
	echo "# $name"
	rm -f "${work:?}/counts"
	exec {stage_fd}> >(sed -u "/^ *not ok /w $work/bad"$'\n''s/^/    /')
	stage_pid=$!
	"$@" >&"$stage_fd" || rc=$?
	exec {stage_fd}>&-
	wait "$stage_pid" || :
	p=0 f=0 s=0
	[[ ! -r $work/counts ]] || read -r p f s <"$work/counts"
	# A failure that no result line tells is one all the same.
	((rc == 0 || f > 0)) || f=1
	((stages_passed += p, stages_failed += f, stages_skipped += s, ++stages_n))
	if ((f)); then
		echo "not ok $stages_n $name"
		mapfile -t bad <"$work/bad"
		stages_bad+=("$name:" "${bad[@]/#/    }")
	else
		echo "ok $stages_n $name"
	fi
	echo "# ${took:-$((SECONDS - from))} s"
}

# parts_begin N LANES FUNCTION: run "FUNCTION 0" to "FUNCTION N-1", LANES at a time, each with a
# $work of its own. Sets $lanes_pid, a process whose end is the end of all of them.
parts_begin()
{
	local i

	for ((i = 0; i < $1; i++)); do
		: >"$work/part$i.out"
	done
	lanes "$@" &
	lanes_pid=$!
}

lanes()
{
	local i

	trap 'kill $(jobs -pr) 2>/dev/null; exit 143' TERM
	for ((i = 0; i < $2; i++)); do
		lane "$1" "$3" &
	done
	wait
}

# What no other lane has taken.
lane()
{
	local all=$work i rc from

	trap - TERM
	for ((i = 0; i < $1; i++)); do
		work=$all/part$i
		mkdir "$work" 2>/dev/null || continue
		rc=0 from=$SECONDS
		"$2" "$i" >"$work.out" || rc=$?
		echo "$rc" $((SECONDS - from)) >"$work/rc"
		echo @over >>"$work.out"
	done
}

# part_told I: pass on what it prints, and end as it does. Tells stage how long it took.
part_told()
{
	local part=$work/part$1 rc=1

	# waited for, and not run: a signal is heard
	tail -n +1 -f --pid="$lanes_pid" "$part.out" | sed -u '/^@over$/Q' &
	wait $!
	[[ ! -e $part/counts ]] || mv "$part/counts" "$work/"
	[[ ! -e $part/rc ]] || read -r rc took <"$part/rc"
	return "$rc"
}

# stages_record NAME KERNEL [KEY VALUE]...: keep the results for "make trust-report".
stages_record()
{
	"${BASH_SOURCE[0]%/*}/../trust/record" "$1" "$2" passed $stages_passed \
		failed $stages_failed skipped $stages_skipped "${@:3}"
}

# Fails if anything has, and says once more what: nobody looks through a long log.
stages_end()
{
	((${#stages_bad[@]} == 0)) || printf '# %s\n' "What failed" "${stages_bad[@]}"
	echo "$stages_passed passed, $stages_failed failed, $stages_skipped skipped"
	((stages_failed == 0))
}
