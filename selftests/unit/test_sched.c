// SPDX-License-Identifier: GPL-2.0-only
#include <kselftest_harness.h>
#include "sched.h"

#define NR 4

struct load {
	struct migmux_sched_chan chan[NR];
};

static void load_init(struct load *l)
{
	memset(l, 0, sizeof(*l));
}

/* As the pump does it: the index of the best one, or -1. */
static int pick(const struct load *l, int n)
{
	int i, best = -1;

	for (i = 0; i < n; i++)
		if (migmux_sched_better(best < 0 ? NULL : &l->chan[best], &l->chan[i]))
			best = i;
	return best;
}

TEST(least_loaded_wins)
{
	struct load l;

	load_init(&l);
	l.chan[0].queued = 300;
	l.chan[1].queued = 200;
	l.chan[2].queued = 100;
	l.chan[3].queued = 1ULL << 40;
	EXPECT_EQ(2, pick(&l, NR));
	EXPECT_EQ(0, pick(&l, 1));
}

TEST(ties_go_to_the_first)
{
	struct load l;

	load_init(&l);
	EXPECT_EQ(0, pick(&l, NR));
	l.chan[0].queued = 2;
	l.chan[1].queued = 1;
	l.chan[2].queued = 1;
	l.chan[3].queued = 1;
	EXPECT_EQ(1, pick(&l, NR));
}

TEST(dead_are_skipped)
{
	struct load l;
	int i;

	load_init(&l);
	l.chan[0].dead = true;
	l.chan[1].queued = 10;
	l.chan[2].queued = 20;
	l.chan[3].dead = true;
	EXPECT_EQ(1, pick(&l, NR));
	for (i = 0; i < NR; i++)
		l.chan[i].dead = true;
	EXPECT_EQ(-1, pick(&l, NR));
	EXPECT_EQ(-1, pick(&l, 0));
}

/* With equal channels no one gets more than a frame ahead of another. */
TEST(spreads_evenly)
{
	struct load l;
	int i, best;

	load_init(&l);
	for (i = 0; i < 1000 * NR; i++) {
		best = pick(&l, NR);
		ASSERT_LE(0, best);
		l.chan[best].queued += 100;
	}
	for (i = 0; i < NR; i++)
		EXPECT_EQ(100000, l.chan[i].queued);
}

TEST_HARNESS_MAIN
