// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_SAVE_READY: is the destination ready, and what is there? Until it has said
 * so the source's devices do not move, whatever happens; and what was only asked leaves
 * no trace.
 *
 * Devices 0 and 1, which can pre-copy, are the source, 2 and 3 the destination, by a link
 * of two channels. The answers of a hostile destination are in session_ready_wire_test.c.
 */
#include "mnl.h"
#include "session_fixture.h"

#define VERDICT		VFIO_MIGMUX_SAVE_VERDICT
#define READY		VFIO_MIGMUX_SAVE_READY
#define PRECOPY		VFIO_MIGMUX_SAVE_PRECOPY
#define A_MOMENT_MS	100

/* The link "l" is the source's; the destination has the other ends as channels. */
FIXTURE(ready)
{
	FIXTURE_DATA(vmm) vmm;
	struct nl nl;
	struct pair pair;
	int far[2];
};

static int destination_open(struct _test_data_ready *self)
{
	int i, ret = 0;

	self->pair.to = session_open();
	for (i = 0; i < 2 && ret >= 0; i++)
		ret = session_device_add(self->pair.to, self->pair.dst[i].fd, idstrs[i], 0);
	for (i = 0; i < 2 && ret >= 0; i++)
		ret = session_channel_add(self->pair.to, self->far[i], i);
	return ret < 0 ? ret : 0;
}

static int source_open(struct _test_data_ready *self)
{
	int i, ret = 0;

	self->pair.from = session_open();
	for (i = 0; i < 2 && ret >= 0; i++)
		ret = session_device_add(self->pair.from, self->pair.src[i].fd, idstrs[i], 0);
	return ret < 0 ? ret : session_link_attach(self->pair.from, "l") == 2 ? 0 : -ENOTCONN;
}

FIXTURE_SETUP(ready)
{
	struct vfio_dev *dev;
	struct nl_channels ch;
	int i, fd[2];

	self->pair = (struct pair){ .n = 2, .from = -1, .to = -1 };
	vmm_setup(_metadata, &self->vmm, NULL);
	dev = self->vmm.dev;
	self->pair.src = dev;
	self->pair.dst = dev + 2;
	ASSERT_EQ(0, nl_open(&self->nl));
	ASSERT_EQ(0, nl_link_new(&self->nl, "l"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_pair(fd));
		ASSERT_EQ(0, nl_channel_new(&self->nl, "l", fd[0], &ch));
		close(fd[0]);
		self->far[i] = fd[1];
		ASSERT_EQ(0, attr_write_num(dev[i].addr, "seed", now_ns()));
		ASSERT_EQ(0, attr_write(dev[i].addr, "arcs_log", "0"));
	}
	ASSERT_EQ(0, destination_open(self));
	ASSERT_EQ(0, source_open(self));
}

FIXTURE_TEARDOWN(ready)
{
	int i;

	close(self->pair.from);
	close(self->pair.to);
	for (i = 0; i < 2; i++)
		close(self->far[i]);
	nl_link_del(&self->nl, "l");
	nl_close(&self->nl);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define FROM	(self->pair.from)
#define TO	(self->pair.to)

/* They are where they were, and have been nowhere else. */
static bool unmoved(const struct _test_data_ready *self)
{
	char log[8];
	int i;

	for (i = 0; i < 2; i++)
		if (!device_is(&self->pair.src[i], RUNNING) ||
		    attr_read(self->pair.src[i].addr, "arcs_log", log, sizeof(log)) || *log)
			return false;
	return true;
}

static int load(const struct _test_data_ready *self)
{
	return session_load(self->pair.to, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, STAGING);
}

static int ask(const struct _test_data_ready *self)
{
	return session_save(self->pair.from, VERDICT | READY, RUNNING, STAGING);
}

/* Both ends come to a good end from there. */
static void check_goes_on(struct __test_metadata *_metadata, struct _test_data_ready *self)
{
	ASSERT_EQ(0, session_save(FROM, VERDICT, RUNNING, 0));
	ASSERT_EQ(0, pair_finish(&self->pair));
	ASSERT_EQ(0, session_wait(FROM, M_HANDED_OVER, WAIT_MS));
	EXPECT_TRUE(pair_equal(&self->pair));
}

TEST_F(ready, answered)
{
	struct peer_info peer;
	int i;

	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_peer_info(FROM, &peer));
	EXPECT_EQ(2, peer.i.nr_devices);
	EXPECT_EQ(0, peer.i.peer_flags);
	EXPECT_EQ(STAGING, peer.i.staging);
	EXPECT_EQ(0, peer.i.max_state);
	for (i = 0; i < 2; i++) {
		EXPECT_STREQ(idstrs[i], (char *)peer.dev[i].idstr);
		EXPECT_EQ(0, peer.dev[i].instance_id);
		EXPECT_EQ(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
			  peer.dev[i].migration_flags);
		EXPECT_EQ(0, peer.dev[i].precopy_version);
		EXPECT_EQ(0, peer.dev[i].reserved);
		EXPECT_STREQ(MIGSIM_DRIVER, (char *)peer.dev[i].driver);
	}
	/* it takes more than the answer */
	EXPECT_EQ(M_PEER_READY, session_reached(FROM));
	EXPECT_TRUE(unmoved(self));
	check_goes_on(_metadata, self);
}

/* Who comes first waits, and its devices run. */
TEST_F(ready, asked_before_there_is_anybody)
{
	ASSERT_EQ(0, ask(self));
	EXPECT_EQ(-ETIMEDOUT, session_wait(FROM, M_PEER_READY, A_MOMENT_MS));
	EXPECT_REFUSED(FROM, EBUSY, "the destination has not said that it is ready",
		       session_save(FROM, VERDICT, RUNNING, 0));
	EXPECT_REFUSED(FROM, EBUSY, "the destination has not said that it is ready",
		       session_save(FROM, VERDICT | PRECOPY, RUNNING, 0));
	EXPECT_TRUE(unmoved(self));
	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	EXPECT_TRUE(unmoved(self));
	check_goes_on(_metadata, self);
}

/* The question is there before the devices are, of which one takes its time. */
TEST_F(ready, answered_when_all_are_there)
{
	struct timeline from, to;
	int i;

	ASSERT_EQ(0, attr_write(self->pair.dst[1].addr, "arcs", "STOP>RESUMING=200"));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_timeline(FROM, &from));
	ASSERT_EQ(0, session_timeline(TO, &to));
	for (i = 0; i < 2; i++)
		EXPECT_LE(to.dev[i].phases[VFIO_MIGMUX_PHASE_PREPARE].end_ns,
			  from.t.milestone_ns[__builtin_ctz(M_PEER_READY)]);
	check_goes_on(_metadata, self);
}

TEST_F(ready, then_precopy)
{
	struct timeline t;

	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_save(FROM, VERDICT | PRECOPY, RUNNING, 0));
	ASSERT_EQ(0, session_wait(FROM, M_PRECOPY, WAIT_MS));
	EXPECT_REFUSED(FROM, EBUSY, "in pre-copy",
		       session_save(FROM, VERDICT | READY, RUNNING, 0));
	check_goes_on(_metadata, self);
	ASSERT_EQ(0, session_timeline(FROM, &t));
	EXPECT_LT(0, t.dev[0].precopy_bytes + t.dev[1].precopy_bytes +
		  t.dev[0].precopy_rounds);
}

/* --- given up --------------------------------------------------------------------------- */

/* The destination does not notice that somebody asked, and the link is as it was. */
TEST_F(ready, asked_by_one_after_another)
{
	struct peer_info peer;
	int i;

	ASSERT_EQ(0, load(self));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ask(self));
		ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
		ASSERT_EQ(0, session_peer_info(FROM, &peer));
		EXPECT_EQ(2, peer.i.nr_devices);
		/* both ways to leave */
		if (i == 1)
			ASSERT_EQ(0, session_abort(FROM, RUNNING));
		close(FROM);
		EXPECT_TRUE(unmoved(self));
		EXPECT_EQ(M_READY, session_reached(TO));
		ASSERT_EQ(0, source_open(self));
	}
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	check_goes_on(_metadata, self);
}

/* What they were told, when somebody came at last, is not for who comes after them. */
TEST_F(ready, gone_before_the_answer)
{
	ASSERT_EQ(0, ask(self));
	EXPECT_EQ(-ETIMEDOUT, session_wait(FROM, M_PEER_READY, A_MOMENT_MS));
	ASSERT_EQ(0, session_abort(FROM, RUNNING));
	EXPECT_EQ(M_FAILED | M_ENDED, session_reached(FROM));
	EXPECT_TRUE(unmoved(self));
	close(FROM);
	ASSERT_EQ(0, source_open(self));
	ASSERT_EQ(0, ask(self));
	close(FROM);
	EXPECT_TRUE(unmoved(self));
	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, source_open(self));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	check_goes_on(_metadata, self);
}

/* The same for one that does not ask at all. */
TEST_F(ready, gone_before_one_who_does_not_ask)
{
	ASSERT_EQ(0, ask(self));
	close(FROM);
	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, source_open(self));
	ASSERT_EQ(0, session_save(FROM, VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
}

/* Abort names a state, but nobody was taken away from where they are. */
TEST_F(ready, abort_moves_nobody)
{
	ASSERT_EQ(0, session_set_state(FROM, STOP, NONE, 0, 0, NULL));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_abort(FROM, RUNNING));
	EXPECT_TRUE(device_is(&self->pair.src[0], STOP));
	EXPECT_TRUE(device_is(&self->pair.src[1], STOP));
}

/* The destination gives up: its devices run again, and so do ours. */
TEST_F(ready, destination_gives_up)
{
	int i;

	/* they can go back without any state */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, attr_write(self->pair.dst[i].addr, "headerless", "1"));
	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_abort(TO, RUNNING));
	ASSERT_EQ(0, session_wait(FROM, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(FROM, EREMOTEIO, "the destination failed: aborted by the VMM"));
	EXPECT_EQ(-ECANCELED, session_save(FROM, VERDICT, RUNNING, 0));
	EXPECT_TRUE(unmoved(self));
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(device_is(&self->pair.dst[i], RUNNING));
}

/* A device of the destination fails on its way: that is the answer. */
TEST_F(ready, destination_does_not_get_ready)
{
	ASSERT_EQ(0, attr_write(self->pair.dst[1].addr, "fail_arc", "STOP>RESUMING:71"));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(-71, load(self));
	ASSERT_EQ(0, session_wait(FROM, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(FROM, EREMOTEIO, "does not reach RESUMING: error 71"));
	EXPECT_EQ(1, session_last_error(FROM).device);
	EXPECT_TRUE(unmoved(self));
}

/* --- refused ------------------------------------------------------------------------------ */

TEST_F(ready, refused)
{
	struct peer_info peer;

	EXPECT_REFUSED(FROM, EINVAL, "ask for that too",
		       session_save(FROM, READY, RUNNING, STAGING));
	EXPECT_REFUSED(FROM, EINVAL, "with a second call",
		       session_save(FROM, VERDICT | READY | PRECOPY, RUNNING, STAGING));
	EXPECT_REFUSED(FROM, ENODATA, "or was not asked", session_peer_info(FROM, &peer));
	ASSERT_EQ(0, session_set_state(FROM, STOP_COPY, NONE, 0, 0, NULL));
	EXPECT_REFUSED(FROM, EINVAL, "too late to ask", ask(self));
	ASSERT_EQ(0, session_set_state(FROM, RUNNING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, attr_write(self->pair.src[0].addr, "arcs_log", "0"));
	ASSERT_EQ(0, attr_write(self->pair.src[1].addr, "arcs_log", "0"));

	ASSERT_EQ(0, ask(self));
	EXPECT_REFUSED(FROM, ENODATA, "has not said that it is ready",
		       session_peer_info(FROM, &peer));
	EXPECT_REFUSED(FROM, EBUSY, "was asked already", ask(self));
	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	EXPECT_REFUSED(FROM, EBUSY, "was asked already", ask(self));
	EXPECT_REFUSED(FROM, EINVAL, "not those that the session began with",
		       session_save(FROM, 0, RUNNING, 0));
	EXPECT_REFUSED(FROM, EINVAL, "give 0 now", session_save(FROM, VERDICT, RUNNING, STAGING));
	EXPECT_REFUSED(FROM, EBUSY, "handed over",
		       session_set_state(FROM, STOP, NONE, 0, 0, NULL));
	EXPECT_TRUE(unmoved(self));
	check_goes_on(_metadata, self);
}

/* Each device of the caller's array is of the size that it knows. */
TEST_F(ready, info_sizes)
{
	struct {
		struct vfio_migmux_peer_device dev;
		__u64 more;
	} big[2];
	struct vfio_migmux_peer_info info = { .argsz = sizeof(info) };
	char small[2][8];

	ASSERT_EQ(0, load(self));
	ASSERT_EQ(0, ask(self));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_call(FROM, VFIO_MIGMUX_PEER_INFO, &info));
	EXPECT_EQ(2, info.nr_devices);
	memset(big, 0xee, sizeof(big));
	info.devices = (__u64)(unsigned long)big;
	info.device_size = sizeof(big[0]);
	ASSERT_EQ(0, session_call(FROM, VFIO_MIGMUX_PEER_INFO, &info));
	EXPECT_STREQ(idstrs[1], (char *)big[1].dev.idstr);
	EXPECT_EQ(0, big[1].more);
	info.devices = (__u64)(unsigned long)small;
	info.device_size = sizeof(small[0]);
	info.nr_devices = 2;
	ASSERT_EQ(0, session_call(FROM, VFIO_MIGMUX_PEER_INFO, &info));
	EXPECT_EQ(0, memcmp(small[1], idstrs[1], 8));
	info.device_size = 4;
	EXPECT_REFUSED(FROM, EINVAL, "device_size is 4",
		       session_call(FROM, VFIO_MIGMUX_PEER_INFO, &info));
	info.device_size = 8;
	info.nr_devices = 2;
	info.devices = 8;
	EXPECT_EQ(-EFAULT, session_call(FROM, VFIO_MIGMUX_PEER_INFO, &info));
	info.reserved = 1;
	EXPECT_REFUSED(FROM, EINVAL, "reserved", session_call(FROM, VFIO_MIGMUX_PEER_INFO, &info));
}

/* --- what a destination takes --------------------------------------------------------------- */

TEST_F(ready, max_state)
{
	struct vfio_migmux_load args = {
		.argsz = sizeof(args), .flags = VFIO_MIGMUX_LOAD_VERDICT | VFIO_MIGMUX_LOAD_VERIFY,
		.recover = RUNNING, .staging = STAGING, .max_state = MIB,
	};
	struct peer_info peer;

	ASSERT_EQ(0, attr_write_num(self->pair.src[1].addr, "state_size", MIB));
	ASSERT_EQ(0, session_call(TO, VFIO_MIGMUX_LOAD, &args));
	ASSERT_EQ(0, session_save(FROM, VERDICT | READY | VFIO_MIGMUX_SAVE_VERIFY, RUNNING,
				  STAGING));
	ASSERT_EQ(0, session_wait(FROM, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_peer_info(FROM, &peer));
	EXPECT_EQ(MIB, peer.i.max_state);
	EXPECT_EQ(VFIO_MIGMUX_PEER_VERIFY, peer.i.peer_flags);
	/* its header is more than that */
	ASSERT_EQ(0, session_save(FROM, VERDICT | VFIO_MIGMUX_SAVE_VERIFY, RUNNING, 0));
	ASSERT_EQ(0, session_wait(TO, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(TO, EFBIG, "more than 1048576 bytes of state"));
	EXPECT_TRUE(session_blames(TO, 1, 1));
	ASSERT_EQ(0, session_wait(FROM, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(FROM, EREMOTEIO, "more than 1048576 bytes of state"));
	EXPECT_TRUE(device_is(&self->pair.src[0], RUNNING));
	EXPECT_TRUE(device_is(&self->pair.src[1], RUNNING));
}

int main(int argc, char **argv)
{
	return session_main_precopy(argc, argv, 2);
}
