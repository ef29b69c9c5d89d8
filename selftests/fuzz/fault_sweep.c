// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first, second, third ... call of the module that can fail does: until a run ends in
 * which none was left to fail. After each the failure is an errno and, from a session, a
 * text; devices are where the session says; what was begun can be taken back, the devices
 * run, and without a failure the same works. Wants a kernel with fault injection; the
 * script looks for splats and leaks.
 *
 * FAULTS names some of the runs, which --list lists. FAULT_STEP takes every so manieth call
 * only, from one on that FAULT_START says or the clock; and with FAULT_SECONDS each sweep has
 * its share of that time, and says where it was when it was over. FAULT_TRACE=1 has the log
 * tell of calls of all tasks, too, from where they were made to fail.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fault_runs.h"
#include "guest.h"
#include "inject.h"
#include "vfio.h"

enum {
	MAX_POINTS = 20000,
	/* so many calls are never made that were not counted */
	MAX_AHEAD = 10000,
	/* calls of several tasks come in any order: an end is one when it comes again */
	ENDS = 3,
};

static unsigned int step, start;
static bool traced;
static __u64 deadline;		/* of now_ms(), 0: none */
static unsigned long all_points, all_failed;

struct tally {
	unsigned int points, failed, ends;
};

/* Without a failure it works. */
static int works(const struct run *run)
{
	int ret = devices_run() ?: run->run();

	run->undo();
	return ret ?: devices_run();
}

/*
 * What was armed and has not come does come, and calls are counted from there again: with
 * the @n-th run at the latest. If it does not, calls were made that were not counted, and the
 * one that is armed may be past: so others are, further and further ahead. Unless there is
 * no such call at all.
 */
static int recount(const struct run *run, enum inject what, unsigned int n)
{
	unsigned int ahead, runs;
	int ret = 0;

	for (ahead = n; !ret && !inject_done(what); ahead *= 4) {
		if (ahead > n)
			ret = ahead > MAX_AHEAD ? -ERANGE : inject_arm(what, ahead);
		for (runs = 0; !ret && runs < ahead && !inject_done(what); runs++) {
			ret = devices_run();
			if (ret)
				break;
			run->run();
			run->undo();
		}
		if (n == 1)
			break;
	}
	return ret ?: devices_run();
}

/*
 * A run with the @n-th call armed: 0, what @run returned in @err, and @done says if it came. If
 * it did not, there is none; or calls were not counted: then it is looked for once more, from a
 * count that is known.
 */
static int attempt(const struct run *run, enum inject what, unsigned int n, int *err, bool *done)
{
	bool came;
	int again, ret;

	for (again = 1;; again--) {
		ret = inject_arm(what, n);
		if (ret)
			return ret;
		*err = run->run();
		*done = inject_done(what);
		if (*done || *err || what == INJECT_TASK)
			break;
		run->undo();
		ret = recount(run, what, n);
		came = inject_done(what);
		inject_disarm(what);
		/* it may have come while a run was undone */
		run->undo();
		if (ret || !again || !came)
			return ret;
	}
	inject_disarm(what);
	return 0;
}

/* One run with the @n-th call failing. */
static int point(const struct run *run, enum inject what, unsigned int n, struct tally *tally)
{
	bool done;
	int err, ret;

	ret = attempt(run, what, n, &err, &done);
	if (ret)
		return ret;
	if (err && !done)
		printf("# nothing was made to fail\n");
	else if (err == WRONG)
		ret = err;
	else if (err && run->check)
		ret = run->check(err);
	run->undo();
	if (!ret && err && !done)
		ret = err;
	ret = ret ?: works(run);
	if (ret) {
		printf("# %s, %s, call %u: error %d, and then %d\n", run->name,
		       inject_name[what], n, err, ret);
		return ret < 0 ? ret : -EIO;
	}
	tally->points += done;
	tally->failed += done && err;
	tally->ends = done ? 0 : tally->ends + 1;
	return 0;
}

/* Until when a sweep may go on, of @left that are to come: each has its share. */
static __u64 share(unsigned int left)
{
	__u64 now = now_ms();

	return !deadline ? 0 : deadline > now ? now + (deadline - now) / left : now;
}

static int sweep(const struct run *run, enum inject what, unsigned int left)
{
	const unsigned int ends = what == INJECT_TASK ? 1 : ENDS;
	const __u64 until = share(left);
	struct tally tally = { 0 };
	unsigned int n = 1;
	int ret = 0;

	inject_begin(what, traced);
	/* the first in any case: it tells whether there is one */
	while (!ret && tally.ends < ends && n < MAX_POINTS) {
		ret = point(run, what, n, &tally);
		if (n == 1 && !tally.points)
			break;
		n = n == 1 && start > 1 ? start : n + step;
		if (until && now_ms() > until)
			break;
	}
	printf("# %s, %s: %u points, %u of them failed the run%s\n", run->name,
	       inject_name[what], tally.points, tally.failed,
	       ret || tally.ends ? "" : ", and it had more");
	all_points += tally.points;
	all_failed += tally.failed;
	if (!ret && (n >= MAX_POINTS || (!tally.points && what <= INJECT_SLAB)))
		ret = -ERANGE;	/* no end, or nothing at all */
	return ret;
}

static bool wanted(const char *name)
{
	const char *list = getenv("FAULTS"), *at = list;
	const size_t len = strlen(name);

	if (!list || !*list)
		return true;
	for (; (at = strstr(at, name)); at += len)
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static bool has_sweep(const struct run *run, enum inject what)
{
	return wanted(run->name) && (!run->has || run->has()) && inject_has(what) &&
	       (run->tasks || what == INJECT_TASK);
}

/* NULL behind the last one. */
static const struct run *run_at(size_t i)
{
	const struct {
		const struct run *runs;
		size_t n;
	} lists[] = {
		{ runs, nr_runs }, { config_runs, nr_config_runs },
		{ path_runs, nr_path_runs }, { dma_runs, nr_dma_runs },
	};
	size_t j;

	for (j = 0; j < ARRAY_SIZE(lists); i -= lists[j++].n)
		if (i < lists[j].n)
			return &lists[j].runs[i];
	return NULL;
}

static int list(void)
{
	const struct run *run;
	size_t i;

	for (i = 0; (run = run_at(i)); i++)
		puts(run->name);
	return 0;
}

int main(int argc, char **argv)
{
	const __u64 seconds = env_number("FAULT_SECONDS", 0);
	unsigned int failed = 0, left = 0, n = 0;
	const struct run *run;
	size_t i;
	int what, ret;

	if (argc > 1 && !strcmp(argv[1], "--list"))
		return list();
	setlinebuf(stdout);
	step = env_number("FAULT_STEP", 1) ?: 1;
	start = env_number("FAULT_START", time(NULL) % step + 1) ?: 1;
	traced = env_number("FAULT_TRACE", 0);
	ret = runs_begin();
	if (ret) {
		printf("1..0 # SKIP no devices or no module: %d\n", ret);
		return 4;
	}
	ret = inject_open();
	if (ret) {
		printf("1..0 # SKIP this kernel injects no failures: %d\n", ret);
		return 4;
	}
	for (i = 0; (run = run_at(i)); i++) {
		n += wanted(run->name);
		for (what = 0; what < NR_INJECT; what++)
			left += has_sweep(run, what);
	}
	printf("1..%u\n# FAULT_STEP=%u FAULT_START=%u\n", n, step, start);
	deadline = seconds ? now_ms() + 1000 * seconds : 0;
	for (i = 0, n = 0; (run = run_at(i)); i++) {
		if (!wanted(run->name))
			continue;
		n++;
		if (run->has && !run->has()) {
			printf("ok %u %s # SKIP not here\n", n, run->name);
			continue;
		}
		ret = works(run);
		for (what = 0; what < NR_INJECT && !ret; what++)
			if (has_sweep(run, what))
				ret = sweep(run, what, left--);
		failed += !!ret;
		printf("%s %u %s\n", ret ? "not ok" : "ok", n, run->name);
	}
	runs_end();
	if (module_wait_unused())
		failed++;
	printf("# total: %lu points, %lu failed the run\n", all_points, all_failed);
	return !!failed;
}
