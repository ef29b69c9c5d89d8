# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Several test programs as one KTAP document with a closing line: each is a stage, its
# output the stage's subtests. $work is a directory; a program leaves the counts of its
# results there in the file counts, "passed failed skipped".
#
#	stages_begin 2; stage "first" CMD...; stage "second" CMD...; stages_end

stages_n=0 stages_passed=0 stages_failed=0 stages_skipped=0
stages_bad=()

# stages_begin N: how many there will be.
stages_begin()
{
	echo "KTAP version 1"
	echo "1..$1"
}

# stage NAME CMD...: run it, show its output as subtests, add up its counts.
stage()
{
	local name=$1 rc=0 from=$SECONDS p f s bad out shown

	shift
	echo "# $name"
	rm -f "${work:?}/counts"
	exec {out}> >(sed -u "/^ *not ok /w $work/bad"$'\n''s/^/    /')
	shown=$!
	"$@" >&"$out" || rc=$?
	exec {out}>&-
	wait "$shown" || :
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
	echo "# $((SECONDS - from)) s"
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
