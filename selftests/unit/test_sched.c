// SPDX-License-Identifier: GPL-2.0-only
#include <kselftest_harness.h>
#include "sched.h"

#define NR 4

struct load {
	struct migmux_sched_chan chan[NR];
	const struct migmux_sched_chan *list[NR];
};

static void load_init(struct load *l)
{
	int i;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < NR; i++)
		l->list[i] = &l->chan[i];
}

TEST(least_loaded_wins)
{
	struct load l;

	load_init(&l);
	l.chan[0].queued = 300;
	l.chan[1].queued = 200;
	l.chan[2].queued = 100;
	l.chan[3].queued = 1ULL << 40;
	EXPECT_EQ(2, migmux_sched_pick(l.list, NR));
	EXPECT_EQ(0, migmux_sched_pick(l.list, 1));
}

TEST(ties_go_to_the_first)
{
	struct load l;

	load_init(&l);
	EXPECT_EQ(0, migmux_sched_pick(l.list, NR));
	l.chan[0].queued = 2;
	l.chan[1].queued = 1;
	l.chan[2].queued = 1;
	l.chan[3].queued = 1;
	EXPECT_EQ(1, migmux_sched_pick(l.list, NR));
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
	EXPECT_EQ(1, migmux_sched_pick(l.list, NR));
	for (i = 0; i < NR; i++)
		l.chan[i].dead = true;
	EXPECT_EQ(-EPIPE, migmux_sched_pick(l.list, NR));
	EXPECT_EQ(-EPIPE, migmux_sched_pick(l.list, 0));
}

/* With equal channels no one gets more than a frame ahead of another. */
TEST(spreads_evenly)
{
	struct load l;
	int i, best;

	load_init(&l);
	for (i = 0; i < 1000 * NR; i++) {
		best = migmux_sched_pick(l.list, NR);
		ASSERT_LE(0, best);
		l.chan[best].queued += 100;
	}
	for (i = 0; i < NR; i++)
		EXPECT_EQ(100000, l.chan[i].queued);
}

TEST_HARNESS_MAIN
