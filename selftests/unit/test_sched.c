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

TEST(memory_is_shared_by_weight)
{
	EXPECT_EQ(32, migmux_sched_share(32, 1, 1));
	EXPECT_EQ(8, migmux_sched_share(32, 1, 4));
	EXPECT_EQ(24, migmux_sched_share(32, 3, 4));
	EXPECT_EQ(10, migmux_sched_share(32, 1, 3));
	EXPECT_EQ(65536, migmux_sched_share(65536, MIGMUX_WEIGHT_MAX, MIGMUX_WEIGHT_MAX));
}

TEST(each_device_may_have_one_frame)
{
	EXPECT_EQ(1, migmux_sched_share(1, 1, 4));
	EXPECT_EQ(1, migmux_sched_share(4, 1, 64 * MIGMUX_WEIGHT_MAX));
}

/* All shares together never need more than there is, if there is a frame for each. */
TEST(shares_leave_none_without)
{
	u32 slots, a, b, c;

	for (slots = 3; slots < 40; slots++)
		for (a = 1; a < 6; a++)
			for (b = 1; b < 6; b++) {
				c = migmux_sched_share(slots, a, a + b + 1) +
				    migmux_sched_share(slots, b, a + b + 1) +
				    migmux_sched_share(slots, 1, a + b + 1);
				/* a share of less than one is one */
				EXPECT_LE(c, slots + 2);
				if (slots >= a + b + 1)
					EXPECT_LE(c, slots);
			}
}

struct hand {
	u32 channels, weight;
};

static void deal(struct hand *hands, u32 n, u32 channels)
{
	u32 i, best;

	while (channels--) {
		best = 0;
		for (i = 1; i < n; i++)
			if (migmux_sched_poorer(hands[i].channels, hands[i].weight,
						hands[best].channels, hands[best].weight))
				best = i;
		hands[best].channels++;
	}
}

TEST(equals_get_channels_in_turn)
{
	struct hand hands[3] = { { 0, 5 }, { 0, 5 }, { 0, 5 } };

	deal(hands, 3, 2);
	EXPECT_EQ(1, hands[0].channels);
	EXPECT_EQ(1, hands[1].channels);
	EXPECT_EQ(0, hands[2].channels);
	deal(hands, 3, 2);
	EXPECT_EQ(2, hands[0].channels);
	EXPECT_EQ(1, hands[2].channels);
}

TEST(channels_follow_weights_and_all_get_one)
{
	struct hand hands[3] = { { 0, 1000 }, { 0, 1 }, { 0, 3 } };
	struct hand even[2] = { { 0, 1 }, { 0, 3 } };

	deal(hands, 3, 3);
	EXPECT_EQ(1, hands[0].channels);
	EXPECT_EQ(1, hands[1].channels);
	EXPECT_EQ(1, hands[2].channels);
	deal(even, 2, 8);
	EXPECT_EQ(2, even[0].channels);
	EXPECT_EQ(6, even[1].channels);
}

TEST_HARNESS_MAIN
