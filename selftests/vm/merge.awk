# SPDX-License-Identifier: GPL-2.0-only
#
# Turn what a test host reports (see guest/init) into one KTAP stream, each test a result
# whose subtests are what it printed. Variables: names (the tests, in order), logs (how
# many results the caller adds), counts (a file that gets "passed failed skipped").
#
# Only leaves are counted: a test with subtests counts as they do, and as one failure
# more where it failed otherwise.

function leaf(result)
{
	if (result == "fail")
		nfail++
	else if (result == "skip")
		nskip++
	else
		npass++
}

# A result line of the test at some depth of its own nesting.
function subtest(line, depth, result, d, failed)
{
	result = "pass"
	if (line ~ /^ *not ok/)
		result = "fail"
	if (toupper(line) ~ /# SKIP/)
		result = "skip"
	if (seen[depth + 1] > 0) {
		# The line sums up the deeper ones before it.
		if (result == "fail" && !bad[depth + 1])
			leaf("fail")
	} else {
		leaf(result)
	}
	for (d = depth + 1; d in seen; d++) {
		delete seen[d]
		delete bad[d]
	}
	seen[depth]++
	if (result == "fail")
		bad[depth]++
}

# Say what is wrong with the running test, whatever its exit code is.
function complain(text)
{
	wrong = 1
	print "    # " text
}

function finish(rc, ms, result, tail)
{
	tail = sprintf(" # time %.1f s", ms / 1000)
	if (!seen[0] && plan == "") {
		# No KTAP of its own: the exit code is the result.
		result = rc == 0 ? "pass" : rc == 4 ? "skip" : "fail"
		if (result == "fail")
			print "    # exit code " rc
		leaf(result)
	} else {
		if (plan == "")
			complain("it printed no plan")
		else if (plan != seen[0] + 0)
			complain("it planned " plan " results and printed " seen[0] + 0)
		if (rc != 0 && rc != 4 && !bad[0])
			complain("exit code " rc)
		result = wrong || bad[0] ? "fail" : plan == 0 ? "skip" : "pass"
		if (wrong)
			leaf("fail")
		else if (result == "skip")
			leaf("skip")
	}
	conclude(result, tail)
}

function conclude(result, tail)
{
	n++
	if (result == "skip")
		print "ok " n " " name " # SKIP"
	else
		print (result == "fail" ? "not ok " : "ok ") n " " name tail
	name = ""
	fflush()
}

BEGIN {
	count = split(names, all, " ")
	print "KTAP version 1"
	print "1.." count + logs
	fflush()
}

/^@start / {
	name = $2
	plan = ""
	wrong = 0
	delete seen
	delete bad
	print "# running " name
	fflush()
}

/^\|/ {
	line = substr($0, 2)
	if (line ~ /^1\.\.[0-9]+/)
		plan = substr(line, 4) + 0
	else if (line ~ /^ *(not )?ok [0-9]/) {
		match(line, /^ */)
		subtest(line, int(RLENGTH / 4))
	}
	print "    " line
	fflush()
}

/^!/ {
	print "    # " substr($0, 2)
	fflush()
}

/^@end / {
	finish($3 + 0, $4)
}

/^@done/ {
	done = 1
}

END {
	if (name != "") {
		complain("the host stopped answering while it ran")
		leaf("fail")
		conclude("fail")
	}
	while (n < count) {
		name = all[n + 1]
		leaf("fail")
		conclude("fail", " # was not run")
	}
	if (!done) {
		print "# the host did not come to the end of its tests"
		nfail += nfail == 0
	}
	print npass + 0, nfail + 0, nskip + 0 >counts
}
