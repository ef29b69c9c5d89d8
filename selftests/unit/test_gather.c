// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gather: order, and each way in which a peer can get it wrong; then random
 * claims against a judge that is too simple to be wrong.
 */
#include <kselftest_harness.h>
#include "gather.h"

FIXTURE(gather) {
	struct migmux_gather g;
	struct migmux_gather_node node[16];
	struct migmux_gather_node config;
	struct migmux_wire_fault fault;
};

FIXTURE_SETUP(gather)
{
	memset(self, 0, sizeof(*self));
	migmux_gather_init(&self->g);
}

FIXTURE_TEARDOWN(gather)
{
}

#define CLAIM(idx_) do {						\
	u32 __idx = (idx_);						\
									\
	ASSERT_EQ(0, migmux_gather_claim(&self->g, &self->node[__idx],	\
					 __idx, false, &self->fault));	\
} while (0)
#define CONFIG(idx)							\
	ASSERT_EQ(0, migmux_gather_claim(&self->g, &self->config, idx,	\
					 true, &self->fault))
#define READY(idx) migmux_gather_ready(&self->node[idx])
#define POP(idx) ASSERT_EQ(&self->node[idx], migmux_gather_pop(&self->g))
#define POP_NONE() ASSERT_EQ(NULL, migmux_gather_pop(&self->g))
#define REFUSED(idx_, config_, err_) do {				\
	struct migmux_gather_node __spare;				\
	struct migmux_gather __before = self->g;			\
	u32 __idx = (idx_);						\
									\
	ASSERT_EQ(-EPROTO, migmux_gather_claim(&self->g, &__spare, __idx, \
					       config_, &self->fault));	\
	EXPECT_EQ(err_, self->fault.err);				\
	EXPECT_EQ(__idx, self->fault.value);				\
	EXPECT_EQ(0, memcmp(&__before, &self->g, sizeof(self->g)));	\
} while (0)

TEST_F(gather, hands_out_in_order)
{
	CLAIM(2);
	READY(2);
	POP_NONE();
	CLAIM(0);
	POP_NONE();
	CLAIM(1);
	READY(1);
	POP_NONE();
	READY(0);
	ASSERT_EQ(&self->node[0], migmux_gather_peek(&self->g));
	POP(0);
	POP(1);
	POP(2);
	POP_NONE();
	EXPECT_FALSE(migmux_gather_complete(&self->g));
	CONFIG(3);
	EXPECT_FALSE(migmux_gather_complete(&self->g));
	migmux_gather_ready(&self->config);
	EXPECT_TRUE(migmux_gather_complete(&self->g));
}

TEST_F(gather, begins_elsewhere)
{
	migmux_gather_skip(&self->g, 3);
	REFUSED(2, false, MIGMUX_GATHER_DUPLICATE);
	REFUSED(2, true, MIGMUX_GATHER_END_TOO_LOW);
	CLAIM(4);
	READY(4);
	POP_NONE();
	CLAIM(3);
	READY(3);
	POP(3);
	POP(4);
	CONFIG(5);
	migmux_gather_ready(&self->config);
	EXPECT_TRUE(migmux_gather_complete(&self->g));
}

/* One that does not come after all, at the head, in the middle and at the end. */
TEST_F(gather, unclaims)
{
	u32 idx;

	for (idx = 0; idx < 5; idx++)
		CLAIM(idx);
	for (idx = 0; idx < 5; idx += 2)
		migmux_gather_unclaim(&self->g, &self->node[idx]);
	READY(1);
	READY(3);
	POP_NONE();
	REFUSED(3, false, MIGMUX_GATHER_DUPLICATE);
	/* what was there once counts as seen */
	REFUSED(4, true, MIGMUX_GATHER_END_TOO_LOW);
	for (idx = 0; idx < 5; idx += 2) {
		CLAIM(idx);
		READY(idx);
	}
	for (idx = 0; idx < 5; idx++)
		POP(idx);
	POP_NONE();
}

TEST_F(gather, config_may_come_first)
{
	CONFIG(1);
	migmux_gather_ready(&self->config);
	EXPECT_FALSE(migmux_gather_complete(&self->g));
	CLAIM(0);
	READY(0);
	EXPECT_FALSE(migmux_gather_complete(&self->g));
	POP(0);
	EXPECT_TRUE(migmux_gather_complete(&self->g));
}

TEST_F(gather, device_without_data)
{
	CONFIG(0);
	EXPECT_FALSE(migmux_gather_complete(&self->g));
	migmux_gather_ready(&self->config);
	EXPECT_TRUE(migmux_gather_complete(&self->g));
	REFUSED(0, false, MIGMUX_GATHER_BEYOND_END);
}

TEST_F(gather, duplicate_in_reception)
{
	CLAIM(0);
	REFUSED(0, false, MIGMUX_GATHER_DUPLICATE);
}

TEST_F(gather, duplicate_pending)
{
	CLAIM(1);
	CLAIM(4);
	READY(4);
	REFUSED(4, false, MIGMUX_GATHER_DUPLICATE);
	REFUSED(1, false, MIGMUX_GATHER_DUPLICATE);
}

TEST_F(gather, duplicate_handed_out)
{
	CLAIM(0);
	READY(0);
	POP(0);
	REFUSED(0, false, MIGMUX_GATHER_DUPLICATE);
}

TEST_F(gather, second_config)
{
	CONFIG(3);
	REFUSED(3, true, MIGMUX_GATHER_SECOND_CONFIG);
	REFUSED(7, true, MIGMUX_GATHER_SECOND_CONFIG);
}

TEST_F(gather, beyond_the_end)
{
	CONFIG(3);
	CLAIM(2);
	REFUSED(3, false, MIGMUX_GATHER_BEYOND_END);
	REFUSED(U32_MAX - 1, false, MIGMUX_GATHER_BEYOND_END);
	REFUSED(U32_MAX, false, MIGMUX_WIRE_BAD_IDX);
}

TEST_F(gather, end_below_what_was_seen)
{
	CLAIM(0);
	READY(0);
	POP(0);
	REFUSED(0, true, MIGMUX_GATHER_END_TOO_LOW);
	CLAIM(5);
	REFUSED(1, true, MIGMUX_GATHER_END_TOO_LOW);
	REFUSED(5, true, MIGMUX_GATHER_END_TOO_LOW);
	REFUSED(U32_MAX, true, MIGMUX_WIRE_BAD_IDX);
	CONFIG(6);
}

TEST_F(gather, missing)
{
	u32 first = 99;

	EXPECT_TRUE(migmux_gather_missing(&self->g, &first));
	EXPECT_EQ(0, first);
	CLAIM(0);
	CLAIM(1);
	CLAIM(3);
	READY(0);
	READY(3);
	EXPECT_TRUE(migmux_gather_missing(&self->g, &first));
	EXPECT_EQ(1, first);	/* cut in the middle */
	READY(1);
	EXPECT_TRUE(migmux_gather_missing(&self->g, &first));
	EXPECT_EQ(2, first);	/* a hole */
	CLAIM(2);
	READY(2);
	POP(0);
	EXPECT_TRUE(migmux_gather_missing(&self->g, &first));
	EXPECT_EQ(4, first);	/* no config */
	CONFIG(5);
	migmux_gather_ready(&self->config);
	EXPECT_TRUE(migmux_gather_missing(&self->g, &first));
	EXPECT_EQ(4, first);	/* a hole at the end */
	CLAIM(4);
	READY(4);
	first = 99;
	EXPECT_FALSE(migmux_gather_missing(&self->g, &first));
	EXPECT_EQ(99, first);
	EXPECT_FALSE(migmux_gather_complete(&self->g));
}

TEST_F(gather, rising_channel)
{
	u32 floor = 0;

	EXPECT_EQ(0, migmux_gather_rise(&floor, 0, &self->fault));
	EXPECT_EQ(0, migmux_gather_rise(&floor, 7, &self->fault));
	EXPECT_EQ(-EPROTO, migmux_gather_rise(&floor, 7, &self->fault));
	EXPECT_EQ(MIGMUX_GATHER_NOT_RISING, self->fault.err);
	EXPECT_EQ(7, self->fault.value);
	EXPECT_EQ(-EPROTO, migmux_gather_rise(&floor, 3, &self->fault));
	EXPECT_EQ(3, self->fault.value);
	EXPECT_EQ(-EPROTO, migmux_gather_rise(&floor, U32_MAX, &self->fault));
	EXPECT_EQ(MIGMUX_WIRE_BAD_IDX, self->fault.err);
	EXPECT_EQ(0, migmux_gather_rise(&floor, U32_MAX - 1, &self->fault));
}

TEST_F(gather, admission)
{
	EXPECT_FALSE(migmux_gather_admit(&self->g, 0, 0, false));
	EXPECT_TRUE(migmux_gather_admit(&self->g, 0, 1, false));
	EXPECT_FALSE(migmux_gather_admit(&self->g, 1, 1, false));
	EXPECT_TRUE(migmux_gather_admit(&self->g, 1, 2, false));
	CLAIM(0);
	READY(0);
	EXPECT_FALSE(migmux_gather_admit(&self->g, 1, 1, false));
	POP(0);
	EXPECT_TRUE(migmux_gather_admit(&self->g, 1, 1, false));
	/* Doomed frames must not wait for what may never come. */
	CONFIG(5);
	EXPECT_TRUE(migmux_gather_admit(&self->g, 0, 1, false));
	EXPECT_FALSE(migmux_gather_admit(&self->g, 4, 1, false));
	EXPECT_TRUE(migmux_gather_admit(&self->g, 5, 1, false));
	EXPECT_TRUE(migmux_gather_admit(&self->g, 6, 1, false));
}

TEST_F(gather, a_full_device_gets_only_its_next_frame)
{
	EXPECT_TRUE(migmux_gather_admit(&self->g, 0, 1, true));
	EXPECT_FALSE(migmux_gather_admit(&self->g, 1, 9, true));
	CLAIM(0);
	READY(0);
	POP(0);
	EXPECT_TRUE(migmux_gather_admit(&self->g, 1, 1, true));
	EXPECT_FALSE(migmux_gather_admit(&self->g, 1, 0, true));
}

TEST_F(gather, it_moves_while_the_next_frame_is_here_or_comes)
{
	EXPECT_FALSE(migmux_gather_moves(&self->g));
	CLAIM(1);
	READY(1);
	EXPECT_FALSE(migmux_gather_moves(&self->g));
	CLAIM(0);
	EXPECT_TRUE(migmux_gather_moves(&self->g));
	READY(0);
	POP(0);
	EXPECT_TRUE(migmux_gather_moves(&self->g));
	POP(1);
	EXPECT_FALSE(migmux_gather_moves(&self->g));
}

TEST_F(gather, drop_empties)
{
	CLAIM(3);
	CLAIM(1);
	READY(3);
	ASSERT_EQ(&self->node[1], migmux_gather_drop(&self->g));
	ASSERT_EQ(&self->node[3], migmux_gather_drop(&self->g));
	ASSERT_EQ(NULL, migmux_gather_drop(&self->g));
}

/* The judge: an array of what was seen, and no cleverness. */
struct judge {
	bool seen[16];
	u32 end;	/* U32_MAX: no config frame yet */
};

static enum migmux_wire_err judge_claim(struct judge *j, u32 idx, bool config)
{
	u32 i;

	if (config) {
		if (j->end != U32_MAX)
			return MIGMUX_GATHER_SECOND_CONFIG;
		for (i = idx; i < ARRAY_SIZE(j->seen); i++)
			if (j->seen[i])
				return MIGMUX_GATHER_END_TOO_LOW;
		j->end = idx;
		return MIGMUX_WIRE_OK;
	}
	if (idx >= j->end)
		return MIGMUX_GATHER_BEYOND_END;
	if (j->seen[idx])
		return MIGMUX_GATHER_DUPLICATE;
	j->seen[idx] = true;
	return MIGMUX_WIRE_OK;
}

TEST_F(gather, random_claims)
{
	unsigned int round, step;

	srandom(1);
	for (round = 0; round < 20000; round++) {
		struct judge judge = { .end = U32_MAX };
		u32 popped = 0;

		migmux_gather_init(&self->g);
		for (step = 0; step < 24; step++) {
			u32 idx = random() % ARRAY_SIZE(self->node);
			struct migmux_gather_node spare, *node;
			bool config = random() % 12 == 0;
			enum migmux_wire_err want;

			want = judge_claim(&judge, idx, config);
			self->fault.err = MIGMUX_WIRE_OK;
			node = want ? &spare :
			       config ? &self->config : &self->node[idx];
			ASSERT_EQ(want ? -EPROTO : 0,
				  migmux_gather_claim(&self->g, node, idx,
						      config, &self->fault));
			ASSERT_EQ(want, self->fault.err);
			if (!want)
				migmux_gather_ready(node);
			while (random() % 2 && migmux_gather_peek(&self->g)) {
				POP(popped);
				popped++;
			}
		}
		while (judge.seen[popped] && popped < 15) {
			POP(popped);
			popped++;
		}
		if (popped < 15)
			POP_NONE();
		ASSERT_EQ(popped == judge.end,
			  migmux_gather_complete(&self->g));
	}
}

TEST_HARNESS_MAIN
