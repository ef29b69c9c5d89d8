// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plans, by name where the case is worth a name, and then all of them: each
 * combination of up to three devices, abilities, states and targets is walked
 * through a model of VFIO's state machine and held against the P2P rule.
 */
#include <kselftest_harness.h>
#include "plan.h"

#define ERROR		VFIO_DEVICE_STATE_ERROR
#define STOP		VFIO_DEVICE_STATE_STOP
#define RUNNING		VFIO_DEVICE_STATE_RUNNING
#define STOP_COPY	VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING	VFIO_DEVICE_STATE_RESUMING
#define RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define PRE_COPY	VFIO_DEVICE_STATE_PRE_COPY
#define PRE_COPY_P2P	VFIO_DEVICE_STATE_PRE_COPY_P2P

#define F_STOP		VFIO_MIGRATION_STOP_COPY
#define F_P2P		(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P)
#define F_PRE		(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY)
#define F_ALL		(F_P2P | F_PRE)

#define MASK(state)	(1u << (state))

static bool can_be(u32 state, u64 flags)
{
	switch (state) {
	case RUNNING_P2P:
		return flags & VFIO_MIGRATION_P2P;
	case PRE_COPY:
		return flags & VFIO_MIGRATION_PRE_COPY;
	case PRE_COPY_P2P:
		return (flags & F_ALL) == F_ALL;
	default:
		return state && state <= PRE_COPY_P2P;
	}
}

/* One arc with all features present. */
static u32 fsm_arc(u32 from, u32 to)
{
	bool pre = to == PRE_COPY || to == PRE_COPY_P2P;

	if (from == to)
		return to;
	switch (from) {
	case STOP:
		return to == STOP_COPY || to == RESUMING ? to : RUNNING_P2P;
	case STOP_COPY:
		return pre ? ERROR : STOP;
	case RESUMING:
		return STOP;
	case RUNNING:
		return to == PRE_COPY ? PRE_COPY : RUNNING_P2P;
	case PRE_COPY:
		return to == PRE_COPY_P2P || to == STOP_COPY ? PRE_COPY_P2P : RUNNING;
	case RUNNING_P2P:
		if (to == RUNNING || to == PRE_COPY)
			return RUNNING;
		return to == PRE_COPY_P2P ? PRE_COPY_P2P : STOP;
	case PRE_COPY_P2P:
		return to == PRE_COPY || to == STOP_COPY ? to : RUNNING_P2P;
	}
	return ERROR;
}

/* The model of vfio_mig_get_next_state(): steps over what is not supported. */
static u32 fsm_next(u32 from, u32 to, u64 flags)
{
	u32 next;

	if (!can_be(from, flags) || !can_be(to, flags))
		return ERROR;
	next = fsm_arc(from, to);
	while (next && !can_be(next, flags))
		next = fsm_arc(next, to);
	return next;
}

static bool fsm_reaches(u32 from, u32 to, u64 flags)
{
	while (from && from != to)
		from = fsm_next(from, to, flags);
	return from == to && can_be(to, flags);
}

static bool live(u32 s)
{
	return s == RUNNING || s == PRE_COPY;
}

static bool stopped(u32 s)
{
	return s == STOP || s == STOP_COPY || s == RESUMING;
}

#define PHASES(plan, want) EXPECT_EQ(want, (plan)->nr_phases)
#define POINT(plan, phase, dev, want) \
	EXPECT_STREQ(migmux_state_name(want), \
		     migmux_state_name(migmux_plan_checkpoint(plan, phase, dev)))

TEST(stop_two)
{
	struct migmux_plan_dev devs[] = { { RUNNING, F_ALL }, { PRE_COPY, F_ALL } };
	struct migmux_plan plan;

	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 2, STOP_COPY, false));
	PHASES(&plan, 2);
	POINT(&plan, 0, 0, RUNNING_P2P);
	POINT(&plan, 0, 1, PRE_COPY_P2P);
	POINT(&plan, 1, 0, STOP_COPY);
	POINT(&plan, 1, 1, STOP_COPY);
}

TEST(start_two)
{
	struct migmux_plan_dev devs[] = { { RESUMING, F_P2P }, { STOP, F_P2P } };
	struct migmux_plan plan;

	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 2, RUNNING, false));
	PHASES(&plan, 2);
	POINT(&plan, 0, 0, RUNNING_P2P);
	POINT(&plan, 0, 1, RUNNING_P2P);
	POINT(&plan, 1, 0, RUNNING);
	POINT(&plan, 1, 1, RUNNING);
}

TEST(who_cannot_precopy_stays)
{
	struct migmux_plan_dev devs[] = {
		{ RUNNING, F_ALL }, { RUNNING, F_P2P }, { STOP, F_ALL }, { PRE_COPY, F_ALL },
	};
	const u32 both = MIGMUX_PLAN_STAY | MIGMUX_PLAN_NO_P2P_OK;
	struct migmux_plan plan;

	EXPECT_EQ(-EOPNOTSUPP, migmux_plan_make(&plan, devs, 2, PRE_COPY, 0));
	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 4, PRE_COPY, MIGMUX_PLAN_STAY));
	PHASES(&plan, 1);
	POINT(&plan, 0, 0, PRE_COPY);
	POINT(&plan, 0, 1, RUNNING);
	POINT(&plan, 0, 2, STOP);
	POINT(&plan, 0, 3, PRE_COPY);

	/* who stays counts, too, when it comes to what all must be able to do */
	devs[1].flags = F_STOP;
	EXPECT_EQ(-EOPNOTSUPP, migmux_plan_make(&plan, devs, 4, PRE_COPY, MIGMUX_PLAN_STAY));
	EXPECT_EQ(1, plan.culprit);
	EXPECT_EQ(0, migmux_plan_make(&plan, devs, 4, PRE_COPY, both));
	devs[1].state = ERROR;
	EXPECT_EQ(-EIO, migmux_plan_make(&plan, devs, 4, PRE_COPY, both));
}

TEST(mixed_states_wait_for_the_slowest)
{
	struct migmux_plan_dev devs[] = {
		{ STOP_COPY, F_ALL }, { RUNNING, F_ALL }, { PRE_COPY_P2P, F_ALL },
	};
	struct migmux_plan plan;

	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 3, STOP, false));
	PHASES(&plan, 2);
	POINT(&plan, 0, 0, STOP_COPY);
	POINT(&plan, 0, 1, RUNNING_P2P);
	POINT(&plan, 0, 2, PRE_COPY_P2P);
	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 3, RUNNING, false));
	PHASES(&plan, 2);
	POINT(&plan, 0, 0, RUNNING_P2P);
	POINT(&plan, 0, 1, RUNNING);
	POINT(&plan, 0, 2, PRE_COPY_P2P);
}

TEST(one_phase_inside_a_group)
{
	struct migmux_plan_dev devs[] = { { STOP_COPY, F_ALL }, { STOP, F_ALL } };
	struct migmux_plan_dev up[] = { { RUNNING, F_ALL }, { RUNNING_P2P, F_ALL } };
	struct migmux_plan plan;

	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 2, RESUMING, false));
	PHASES(&plan, 1);
	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 2, RUNNING_P2P, false));
	PHASES(&plan, 1);
	ASSERT_EQ(0, migmux_plan_make(&plan, up, 2, PRE_COPY, false));
	PHASES(&plan, 1);
	ASSERT_EQ(0, migmux_plan_make(&plan, up, 1, RUNNING, false));
	PHASES(&plan, 1);
	POINT(&plan, 0, 0, RUNNING);
}

TEST(without_p2p)
{
	struct migmux_plan_dev devs[] = { { RUNNING, F_P2P }, { RUNNING, F_STOP } };
	struct migmux_plan plan;

	EXPECT_EQ(-EOPNOTSUPP, migmux_plan_make(&plan, devs, 2, STOP, false));
	EXPECT_EQ(MIGMUX_PLAN_NO_P2P, plan.err);
	EXPECT_EQ(1, plan.culprit);

	ASSERT_EQ(0, migmux_plan_make(&plan, devs, 2, STOP, true));
	PHASES(&plan, 2);
	POINT(&plan, 0, 0, RUNNING_P2P);
	POINT(&plan, 0, 1, RUNNING);
	POINT(&plan, 1, 1, STOP);

	ASSERT_EQ(0, migmux_plan_make(&plan, devs + 1, 1, STOP, false));
	PHASES(&plan, 1);
	EXPECT_EQ(-EOPNOTSUPP,
		  migmux_plan_make(&plan, devs, 2, RUNNING_P2P, true));
	EXPECT_EQ(MIGMUX_PLAN_NO_P2P, plan.err);
	EXPECT_EQ(1, plan.culprit);
}

TEST(refused)
{
	static const struct {
		struct migmux_plan_dev dev;
		u32 target;
		int ret;
		enum migmux_plan_err err;
	} rows[] = {
		{ { RUNNING, F_P2P }, ERROR, -EINVAL, MIGMUX_PLAN_BAD_TARGET },
		{ { RUNNING, F_P2P }, 8, -EINVAL, MIGMUX_PLAN_BAD_TARGET },
		{ { RUNNING, F_P2P }, U32_MAX, -EINVAL, MIGMUX_PLAN_BAD_TARGET },
		{ { ERROR, F_P2P }, STOP, -EIO, MIGMUX_PLAN_IN_ERROR },
		{ { 8, F_P2P }, STOP, -EIO, MIGMUX_PLAN_BAD_STATE },
		{ { PRE_COPY, F_P2P }, STOP, -EIO, MIGMUX_PLAN_BAD_STATE },
		{ { RUNNING, 0 }, STOP, -EOPNOTSUPP, MIGMUX_PLAN_NO_STOP_COPY },
		{ { RUNNING, F_P2P }, PRE_COPY, -EOPNOTSUPP, MIGMUX_PLAN_NO_PRE_COPY },
		{ { RUNNING, F_P2P }, PRE_COPY_P2P, -EOPNOTSUPP, MIGMUX_PLAN_NO_PRE_COPY },
		{ { RUNNING, F_PRE }, PRE_COPY_P2P, -EOPNOTSUPP, MIGMUX_PLAN_NO_P2P },
		{ { STOP_COPY, F_ALL }, PRE_COPY, -EINVAL, MIGMUX_PLAN_BLOCKED },
		{ { STOP_COPY, F_ALL }, PRE_COPY_P2P, -EINVAL, MIGMUX_PLAN_BLOCKED },
	};
	struct migmux_plan_dev devs[2] = { { RUNNING, F_ALL } };
	struct migmux_plan plan;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		devs[1] = rows[i].dev;
		EXPECT_EQ(rows[i].ret, migmux_plan_make(&plan, devs, 2,
							rows[i].target, true));
		EXPECT_EQ(rows[i].err, plan.err);
		EXPECT_EQ(rows[i].err != MIGMUX_PLAN_BAD_TARGET, plan.culprit);
	}
	EXPECT_EQ(-EINVAL, migmux_plan_make(&plan, devs, 0, STOP, true));
	EXPECT_EQ(MIGMUX_PLAN_NO_DEVICES, plan.err);
}

TEST(names)
{
	u32 i;

	EXPECT_STREQ("ERROR", migmux_state_name(0));
	EXPECT_STREQ("RUNNING", migmux_state_name(RUNNING));
	EXPECT_STREQ("RUNNING_P2P", migmux_state_name(RUNNING_P2P));
	EXPECT_STREQ("PRE_COPY_P2P", migmux_state_name(7));
	EXPECT_STREQ("unknown", migmux_state_name(8));
	EXPECT_STREQ("unknown", migmux_state_name(U32_MAX));
	for (i = 0; i < MIGMUX_PLAN_ERR_NR; i++)
		EXPECT_NE(NULL, migmux_plan_strerror(i));
	EXPECT_STREQ("unknown refusal", migmux_plan_strerror(MIGMUX_PLAN_ERR_NR));
}

/* All the devices there are: each ability with each state it allows. */
static u32 all_devs(struct migmux_plan_dev *devs)
{
	static const u64 flags[] = { F_STOP, F_P2P, F_PRE, F_ALL };
	u32 f, state, n = 0;

	for (f = 0; f < ARRAY_SIZE(flags); f++)
		for (state = STOP; state <= PRE_COPY_P2P; state++)
			if (can_be(state, flags[f]))
				devs[n++] = (struct migmux_plan_dev){
					state, flags[f] };
	return n;
}

static bool should_be_refused(const struct migmux_plan_dev *devs, u32 n,
			      u32 target, bool allow)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (!fsm_reaches(devs[i].state, target, devs[i].flags) ||
		    (n > 1 && !allow && !(devs[i].flags & VFIO_MIGRATION_P2P)))
			return true;
	return false;
}

/*
 * A phase has no order inside, so a device may meet each other one in any
 * state of that one's path: checking all states against all arcs covers all
 * interleavings.  Bits of the states a device passes, its first included.
 */
static u32 path_of(u32 from, u32 to, u64 flags)
{
	u32 bits = MASK(from);

	while (from && from != to) {
		from = fsm_next(from, to, flags);
		bits |= MASK(from);
	}
	return bits;
}

#define LIVE_BITS	(MASK(RUNNING) | MASK(PRE_COPY))
#define STOPPED_BITS	(MASK(STOP) | MASK(STOP_COPY) | MASK(RESUMING))

/* Is what device @i does in this phase safe for the others that speak P2P? */
static bool phase_is_safe(const struct migmux_plan_dev *devs, u32 n, u32 i,
			  const u32 *now, const u32 *path)
{
	bool stops = !stopped(now[i]) && path[i] & STOPPED_BITS;
	bool starts = !live(now[i]) && path[i] & LIVE_BITS;
	u32 j;

	if (!(devs[i].flags & VFIO_MIGRATION_P2P))
		return true;
	for (j = 0; j < n; j++) {
		if (j == i || !(devs[j].flags & VFIO_MIGRATION_P2P))
			continue;
		if ((stops && path[j] & LIVE_BITS) ||
		    (starts && path[j] & STOPPED_BITS))
			return false;
	}
	/* Alone it must not bounce either: live to stopped is two phases. */
	return !(live(now[i]) && path[i] & STOPPED_BITS) &&
	       !(stopped(now[i]) && path[i] & LIVE_BITS);
}

static bool plan_is_safe(const struct migmux_plan *plan)
{
	u32 now[3], path[3], phase, i, n = plan->nr_devs;

	if (plan->nr_phases < 1 || plan->nr_phases > MIGMUX_PLAN_PHASES_MAX)
		return false;
	for (i = 0; i < n; i++)
		now[i] = plan->devs[i].state;
	for (phase = 0; phase < plan->nr_phases; phase++) {
		for (i = 0; i < n; i++) {
			path[i] = path_of(now[i],
					  migmux_plan_checkpoint(plan, phase, i),
					  plan->devs[i].flags);
			if (path[i] & MASK(ERROR))
				return false;
		}
		for (i = 0; i < n; i++)
			if (!phase_is_safe(plan->devs, n, i, now, path))
				return false;
		for (i = 0; i < n; i++)
			now[i] = migmux_plan_checkpoint(plan, phase, i);
	}
	for (i = 0; i < n; i++)
		if (now[i] != plan->target)
			return false;
	return true;
}

/* A barrier costs the slowest device's arc: only where a device crosses. */
static bool needs_barrier(const struct migmux_plan *plan)
{
	u32 i;

	for (i = 0; i < plan->nr_devs; i++)
		if (plan->devs[i].flags & VFIO_MIGRATION_P2P &&
		    ((live(plan->devs[i].state) && stopped(plan->target)) ||
		     (stopped(plan->devs[i].state) && live(plan->target))))
			return true;
	return false;
}

TEST(all_combinations)
{
	struct migmux_plan_dev all[32], devs[3];
	u32 nr = all_devs(all), n, k, code, codes, target, plans = 0;
	struct migmux_plan plan;
	int allow;

	for (n = 1, codes = nr; n <= 3; n++, codes *= nr) {
		for (code = 0; code < codes * PRE_COPY_P2P * 2; code++) {
			u32 rest = code / 2 / PRE_COPY_P2P;
			bool refuse;

			allow = code % 2;
			target = 1 + code / 2 % PRE_COPY_P2P;
			for (k = 0; k < n; k++, rest /= nr)
				devs[k] = all[rest % nr];
			refuse = should_be_refused(devs, n, target, allow);
			ASSERT_EQ(refuse, !!migmux_plan_make(&plan, devs, n,
							     target, allow));
			ASSERT_EQ(refuse, plan.err != MIGMUX_PLAN_OK);
			if (refuse)
				continue;
			ASSERT_TRUE(plan_is_safe(&plan))
				TH_LOG("%u devices, first %s, to %s", n,
				       migmux_state_name(devs[0].state),
				       migmux_state_name(target));
			ASSERT_EQ(needs_barrier(&plan), plan.nr_phases == 2);
			plans++;
		}
	}
	EXPECT_LT(50000, plans);
}

TEST_HARNESS_MAIN
