// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_DATA_FD of devices in PRE_COPY: the session does the rounds, the VMM makes
 * all arcs, and tells of the switchover.
 *
 * Devices 0 and 1 save, 2 and 3 load. What migsim gives in pre-copy is a part of its
 * payload, so each byte of it shows in the payload's CRC.
 */
#include "session_fixture.h"

#define VERDICT	VFIO_MIGMUX_SAVE_VERDICT
#define ROUNDS	VFIO_MIGMUX_SAVE_PRECOPY

FIXTURE(adopt)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
	int fd;			/* the source's session, for EXPECT_SAYS() */
};

FIXTURE_SETUP(adopt)
{
	int i;

	vmm_setup(_metadata, &self->vmm, NULL);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, attr_write_num(self->vmm.dev[i].addr, "seed", now_ns()));
		ASSERT_EQ(0, attr_write_num(self->vmm.dev[i].addr, "precopy_size",
					    STATE_SIZE / 2));
	}
	ASSERT_EQ(0, pair_open(&self->pair, &self->vmm.dev[0], &self->vmm.dev[2], 2, 2));
	self->fd = self->pair.from;
}

FIXTURE_TEARDOWN(adopt)
{
	pair_close(&self->pair);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* The VMM's arcs of both sources. */
static int move(struct _test_data_adopt *self, __u32 state)
{
	return set_state(&self->vmm.dev[0], state, NULL) ?:
	       set_state(&self->vmm.dev[1], state, NULL);
}

static int adopt(struct _test_data_adopt *self)
{
	int i, data_fd = -1, ret = 0;

	for (i = 0; i < 2 && !ret; i++) {
		ret = set_state(&self->vmm.dev[i], PRE_COPY, &data_fd);
		if (!ret)
			ret = session_data_fd(self->fd, i, data_fd, 0);
		close(data_fd);
	}
	return ret;
}

/* Into pre-copy; the destination's devices are its session's. */
static int begin(struct _test_data_adopt *self, __u32 verdict)
{
	return adopt(self) ?: session_load(self->pair.to, verdict, RUNNING, STAGING) ?:
	       session_save(self->fd, verdict | ROUNDS, NONE, STAGING) ?:
	       session_wait(self->fd, M_PRECOPY, WAIT_MS);
}

/* All that pre-copy has to give is loaded while the devices run. */
static int rounds(struct _test_data_adopt *self)
{
	return attr_wait(self->vmm.dev[2].addr, "loaded_bytes", STATE_SIZE / 2) ?:
	       attr_wait(self->vmm.dev[3].addr, "loaded_bytes", STATE_SIZE / 2);
}

static void check_all(struct __test_metadata *_metadata, struct _test_data_adopt *self,
		      __u32 verdict)
{
	struct timeline t;

	ASSERT_EQ(0, begin(self, verdict));
	ASSERT_EQ(0, rounds(self));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], PRE_COPY));
	ASSERT_EQ(0, move(self, PRE_COPY_P2P));
	ASSERT_EQ(0, move(self, STOP_COPY));
	ASSERT_EQ(0, session_save(self->fd, verdict, NONE, 0));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP_COPY));
	ASSERT_EQ(0, session_timeline(self->fd, &t));
	EXPECT_LE(STATE_SIZE / 2, t.dev[1].precopy_bytes);
	EXPECT_NE(0, t.dev[1].precopy_rounds);
	EXPECT_NE(0, t.dev[1].phases[VFIO_MIGMUX_PHASE_PRECOPY].end_ns);
	EXPECT_NE(0, t.dev[1].phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns);
	EXPECT_EQ(M_QUIESCED | M_STOPPED,
		  session_reached(self->fd) & (M_QUIESCED | M_STOPPED));
}

/* As with QEMU on the other end. */
TEST_F(adopt, rounds)
{
	check_all(_metadata, self, 0);
}

/* Between two of our sessions, with acknowledgments. */
TEST_F(adopt, rounds_with_verdict)
{
	check_all(_metadata, self, VERDICT);
	EXPECT_NE(0, session_reached(self->fd) & VFIO_MIGMUX_MILESTONE_PRECOPY_ACKED);
}

/* The VMM has quiesced the devices before it asks for pre-copy. */
TEST_F(adopt, already_in_p2p)
{
	ASSERT_EQ(0, adopt(self));
	ASSERT_EQ(0, move(self, PRE_COPY_P2P));
	ASSERT_EQ(0, session_load(self->pair.to, 0, RUNNING, STAGING));
	ASSERT_EQ(0, session_save(self->fd, ROUNDS, NONE, STAGING));
	ASSERT_EQ(0, move(self, STOP_COPY));
	ASSERT_EQ(0, session_save(self->fd, 0, NONE, 0));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
}

/* Adopted in PRE_COPY, but it is in STOP_COPY when the session begins. */
TEST_F(adopt, moved_on)
{
	ASSERT_EQ(0, adopt(self));
	ASSERT_EQ(0, move(self, STOP_COPY));
	EXPECT_SAYS(EINVAL, "in STOP_COPY, not in PRE_COPY",
		    session_save(self->fd, ROUNDS, NONE, STAGING));
	ASSERT_EQ(0, session_load(self->pair.to, 0, RUNNING, STAGING));
	ASSERT_EQ(0, session_save(self->fd, 0, NONE, STAGING));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
}

/* A switchover that comes before the arcs is refused, and then made. */
TEST_F(adopt, too_early)
{
	ASSERT_EQ(0, begin(self, 0));
	EXPECT_SAYS(EINVAL, "in PRE_COPY, not in STOP_COPY",
		    session_save(self->fd, 0, NONE, 0));
	ASSERT_EQ(0, set_state(&self->vmm.dev[0], STOP_COPY, NULL));
	EXPECT_SAYS(EINVAL, "device 1 with an adopted data file is in PRE_COPY",
		    session_save(self->fd, 0, NONE, 0));
	ASSERT_EQ(0, set_state(&self->vmm.dev[1], STOP_COPY, NULL));
	ASSERT_EQ(0, session_save(self->fd, 0, NONE, 0));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
}

/* The VMM thinks better of it. */
TEST_F(adopt, taken_back)
{
	ASSERT_EQ(0, begin(self, 0));
	ASSERT_EQ(0, move(self, RUNNING));
	ASSERT_EQ(0, session_wait(self->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(self->fd, ENODEV, "reading its state"));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
}

TEST_F(adopt, aborted)
{
	ASSERT_EQ(0, begin(self, 0));
	ASSERT_EQ(0, session_abort(self->fd, NONE));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], PRE_COPY));
	EXPECT_TRUE(device_is(&self->vmm.dev[1], PRE_COPY));
}

/* With a recover state the session takes them back. */
TEST_F(adopt, aborted_and_recovered)
{
	ASSERT_EQ(0, begin(self, 0));
	ASSERT_EQ(0, session_abort(self->fd, RUNNING));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	EXPECT_TRUE(device_is(&self->vmm.dev[1], RUNNING));
}

int main(int argc, char **argv)
{
	return session_main_precopy(argc, argv, SESSION_DEVICES);
}
