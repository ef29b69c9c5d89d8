// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a set's policy says: over all pairs of states.
 */
#include "kselftest_harness.h"

#include "policy.h"

#define NR_STATES	(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)
#define NR_PAIRS	(NR_STATES * NR_STATES)
#define ALL		((VFIO_MIGMUX_SET_POLICY_BARRIER << 1) - 1)

static bool live(u32 state)
{
	return state == VFIO_DEVICE_STATE_RUNNING || state == VFIO_DEVICE_STATE_PRE_COPY;
}

static bool p2p(u32 state)
{
	return state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static bool stopped(u32 state)
{
	return state == VFIO_DEVICE_STATE_STOP || state == VFIO_DEVICE_STATE_STOP_COPY ||
	       state == VFIO_DEVICE_STATE_RESUMING;
}

TEST(qemu_steps)
{
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_STOP,
		  migmux_policy_step(VFIO_DEVICE_STATE_RUNNING,
				     VFIO_DEVICE_STATE_RUNNING_P2P));
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_STOP,
		  migmux_policy_step(VFIO_DEVICE_STATE_PRE_COPY,
				     VFIO_DEVICE_STATE_PRE_COPY_P2P));
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_STOP,
		  migmux_policy_step(VFIO_DEVICE_STATE_RUNNING_P2P,
				     VFIO_DEVICE_STATE_STOP));
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_COPY,
		  migmux_policy_step(VFIO_DEVICE_STATE_STOP,
				     VFIO_DEVICE_STATE_STOP_COPY));
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_COPY,
		  migmux_policy_step(VFIO_DEVICE_STATE_PRE_COPY_P2P,
				     VFIO_DEVICE_STATE_STOP_COPY));
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_RESUME,
		  migmux_policy_step(VFIO_DEVICE_STATE_RESUMING,
				     VFIO_DEVICE_STATE_RUNNING_P2P));
	EXPECT_EQ(VFIO_MIGMUX_SET_POLICY_START,
		  migmux_policy_step(VFIO_DEVICE_STATE_RUNNING_P2P,
				     VFIO_DEVICE_STATE_RUNNING));
}

/* What a VMM may well ask of one device alone starts nobody. */
TEST(steps_of_one_device)
{
	EXPECT_EQ(0, migmux_policy_step(VFIO_DEVICE_STATE_RUNNING,
					VFIO_DEVICE_STATE_STOP));
	EXPECT_EQ(0, migmux_policy_step(VFIO_DEVICE_STATE_RUNNING,
					VFIO_DEVICE_STATE_PRE_COPY));
	EXPECT_EQ(0, migmux_policy_step(VFIO_DEVICE_STATE_STOP,
					VFIO_DEVICE_STATE_RUNNING));
	EXPECT_EQ(0, migmux_policy_step(VFIO_DEVICE_STATE_STOP_COPY,
					VFIO_DEVICE_STATE_STOP));
	EXPECT_EQ(0, migmux_policy_step(VFIO_DEVICE_STATE_STOP,
					VFIO_DEVICE_STATE_RESUMING));
	for (u32 pair = 0; pair < NR_PAIRS; pair++) {
		const u32 from = pair / NR_STATES, to = pair % NR_STATES;

		if (from == to)
			EXPECT_EQ(0, migmux_policy_step(from, to));
		if (from == VFIO_DEVICE_STATE_ERROR || to == VFIO_DEVICE_STATE_ERROR)
			EXPECT_EQ(0, migmux_policy_step(from, to));
	}
}

/* No step crosses P2P but that which makes a device ready that has not run. */
TEST(no_step_crosses_p2p)
{
	for (u32 pair = 0; pair < NR_PAIRS; pair++) {
		const u32 from = pair / NR_STATES, to = pair % NR_STATES;

		if (!migmux_policy_step(from, to) || to == VFIO_DEVICE_STATE_RESUMING)
			continue;
		EXPECT_FALSE(live(from) && stopped(to));
		EXPECT_FALSE(stopped(from) && live(to));
	}
}

static enum migmux_policy_side expected_side(u32 from, u32 to)
{
	if (to == VFIO_DEVICE_STATE_RESUMING)
		return MIGMUX_POLICY_STAYS;
	if ((live(from) || p2p(from)) && stopped(to))
		return MIGMUX_POLICY_STOPS;
	if (to == VFIO_DEVICE_STATE_RUNNING &&
	    (stopped(from) || from == VFIO_DEVICE_STATE_RUNNING_P2P))
		return MIGMUX_POLICY_STARTS;
	return MIGMUX_POLICY_STAYS;
}

TEST(sides)
{
	for (u32 pair = 0; pair < NR_PAIRS; pair++) {
		const u32 from = pair / NR_STATES, to = pair % NR_STATES;

		EXPECT_EQ(expected_side(from, to), migmux_policy_side(from, to));
	}
}

/* Who meets, meets in P2P, and comes from the side that is left. */
TEST(meeting_points)
{
	for (u32 state = 0; state < NR_STATES; state++) {
		u32 meet = migmux_policy_meet(state, MIGMUX_POLICY_STOPS, ALL);

		EXPECT_EQ(live(state), meet != state);
		if (meet != state)
			EXPECT_TRUE(p2p(meet));
		meet = migmux_policy_meet(state, MIGMUX_POLICY_STARTS, ALL);
		EXPECT_EQ(stopped(state), meet != state);
		if (meet != state)
			EXPECT_EQ(VFIO_DEVICE_STATE_RUNNING_P2P, meet);
		EXPECT_EQ(state, migmux_policy_meet(state, MIGMUX_POLICY_STAYS, ALL));
	}
	EXPECT_EQ(VFIO_DEVICE_STATE_RESUMING,
		  migmux_policy_meet(VFIO_DEVICE_STATE_RESUMING, MIGMUX_POLICY_STARTS,
				     ALL & ~VFIO_MIGMUX_SET_POLICY_RESUME));
}

TEST(beyond_needs_its_policy)
{
	EXPECT_EQ(VFIO_DEVICE_STATE_STOP,
		  migmux_policy_beyond(VFIO_DEVICE_STATE_RUNNING_P2P,
				       VFIO_DEVICE_STATE_STOP, ALL));
	EXPECT_EQ(VFIO_DEVICE_STATE_RUNNING,
		  migmux_policy_beyond(VFIO_DEVICE_STATE_RUNNING_P2P,
				       VFIO_DEVICE_STATE_RUNNING, ALL));
	EXPECT_EQ(VFIO_DEVICE_STATE_STOP_COPY,
		  migmux_policy_beyond(VFIO_DEVICE_STATE_PRE_COPY_P2P,
				       VFIO_DEVICE_STATE_STOP_COPY, ALL));
	for (u32 pair = 0; pair < NR_PAIRS; pair++) {
		const u32 from = pair / NR_STATES, to = pair % NR_STATES;

		EXPECT_EQ(from, migmux_policy_beyond(from, to,
						     VFIO_MIGMUX_SET_POLICY_BARRIER));
	}
}

/* What is taken back is not running if the VMM did not know it to run. */
TEST(ways_back)
{
	for (u32 pair = 0; pair < NR_PAIRS; pair++) {
		const u32 shown = pair / NR_STATES, reached = pair % NR_STATES;

		u32 back = migmux_policy_back(shown, reached);

		if (back == MIGMUX_POLICY_NO_WAY) {
			EXPECT_EQ(VFIO_DEVICE_STATE_STOP_COPY, reached);
			continue;
		}
		EXPECT_EQ(stopped(shown) ? VFIO_DEVICE_STATE_STOP : shown, back);
	}
}

TEST_HARNESS_MAIN
