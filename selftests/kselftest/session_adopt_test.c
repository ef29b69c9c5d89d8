// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_DATA_FD: the VMM moves the devices itself and gives the session their data
 * files. The session streams and makes no arc; frames and config that the VMM sends
 * itself fit in; whatever is no such file is refused.
 */
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "session_fixture.h"

#define D0	"0000:00:04.0/vfio"	/* idstrs[0] */
#define HEAD	1000			/* bytes that the VMM sends itself */

/*
 * Devices 0 and 1 save, 2 and 3 load.
 */
FIXTURE(adopt)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
	int save[2];		/* data files, -1 when closed */
	int load[2];
	int fd;			/* the source's session, for EXPECT_SAYS() */
};

/* The VMM's part of the way. */
static int move(struct _test_data_adopt *self, int n)
{
	struct vfio_dev *dev = self->vmm.dev;
	int i, ret = 0;

	for (i = 0; i < n && !ret; i++)
		ret = set_state(&dev[i], STOP_COPY, &self->save[i]) ?:
		      set_state(&dev[2 + i], RESUMING, &self->load[i]) ?:
		      attr_write(dev[i].addr, "arcs_log", "0") ?:
		      attr_write(dev[2 + i].addr, "arcs_log", "0");
	return ret;
}

static void forget(int *fd)
{
	close(*fd);
	*fd = -1;
}

static int adopt(struct _test_data_adopt *self, int n, __u32 first_idx)
{
	int i, ret = 0;

	for (i = 0; i < n && !ret; i++) {
		ret = session_data_fd(self->pair.from, i, self->save[i], first_idx) ?:
		      session_data_fd(self->pair.to, i, self->load[i], first_idx);
		forget(&self->save[i]);
		forget(&self->load[i]);
	}
	return ret;
}

FIXTURE_SETUP(adopt)
{
	int i;

	vmm_setup(_metadata, &self->vmm, NULL);
	for (i = 0; i < 2; i++) {
		self->save[i] = -1;
		self->load[i] = -1;
		ASSERT_EQ(0, attr_write_num(self->vmm.dev[i].addr, "seed", now_ns()));
	}
	ASSERT_EQ(0, pair_open(&self->pair, &self->vmm.dev[0], &self->vmm.dev[2], 2, 2));
	self->fd = self->pair.from;
}

FIXTURE_TEARDOWN(adopt)
{
	int i;

	for (i = 0; i < 2; i++) {
		close(self->save[i]);
		close(self->load[i]);
	}
	pair_close(&self->pair);
	EXPECT_EQ(0, devices_settle(&devices));
	/* nobody holds a data file any more */
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, attr_wait_text(self->vmm.dev[i].addr, "data_files", "0"));
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* The devices are where the VMM took them, and nobody else has made an arc. */
static bool untouched(const struct _test_data_adopt *self)
{
	struct arc arcs[ARCS_MAX];
	bool ok = true;
	int i;

	for (i = 0; i < 2; i++) {
		ok &= device_is(&self->vmm.dev[i], STOP_COPY);
		ok &= device_is(&self->vmm.dev[2 + i], RESUMING);
		ok &= !arcs_read(self->vmm.dev[i].addr, arcs);
		ok &= !arcs_read(self->vmm.dev[2 + i].addr, arcs);
	}
	return ok;
}

/* The VMM's own arcs at the end, and what came of it all. */
static bool arrived(const struct _test_data_adopt *self, int n)
{
	const struct pair pair = {
		.src = &self->vmm.dev[0], .dst = &self->vmm.dev[2], .n = n,
	};
	bool ok = true;
	int i;

	for (i = 0; i < n; i++)
		ok &= !set_state(&self->vmm.dev[2 + i], RUNNING, NULL) &&
		      !set_state(&self->vmm.dev[i], RUNNING, NULL);
	return ok && pair_equal(&pair);
}

TEST_F(adopt, both_ends)
{
	const struct pair *pair = &self->pair;
	struct timeline t;
	__u32 size = 3;
	char blob[3];

	ASSERT_EQ(0, move(self, 2));
	ASSERT_EQ(0, adopt(self, 2, 0));
	ASSERT_EQ(0, session_config_set(pair->from, 1, "abc", 3));
	ASSERT_EQ(0, session_load(pair->to, 0, NONE, STAGING));
	EXPECT_EQ(M_READY, session_reached(pair->to));
	ASSERT_EQ(0, session_save(pair->from, 0, NONE, STAGING));
	ASSERT_EQ(0, session_wait(pair->from, M_QUIESCED | M_STOPPED | M_SENT, WAIT_MS));
	ASSERT_EQ(0, session_wait(pair->to, M_LOADED | M_HANDED_OVER, WAIT_MS));
	EXPECT_TRUE(untouched(self));
	EXPECT_EQ(0, session_config_get(pair->to, 1, blob, &size));
	EXPECT_EQ(0, memcmp(blob, "abc", 3));
	ASSERT_EQ(0, session_timeline(pair->from, &t));
	EXPECT_EQ(STOP_COPY, t.dev[0].state);
	EXPECT_EQ(STATE_SIZE + MIGSIM_HEAD, t.dev[0].bytes);
	EXPECT_TRUE(arrived(self, 2));
}

/* Once it is handed over the session may do the rest as well. */
TEST_F(adopt, session_starts)
{
	const struct pair *pair = &self->pair;

	ASSERT_EQ(0, move(self, 2));
	ASSERT_EQ(0, adopt(self, 2, 0));
	ASSERT_EQ(0, session_load(pair->to, 0, NONE, STAGING));
	ASSERT_EQ(0, session_save(pair->from, 0, NONE, STAGING));
	ASSERT_EQ(0, session_wait(pair->to, M_HANDED_OVER, WAIT_MS));
	ASSERT_EQ(0, session_set_state(pair->to, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(pair_equal(pair));
}

/* A verdict is the peer's, and says nothing about whose the source's arcs are. */
TEST_F(adopt, source_with_verdict)
{
	struct pair *pair = &self->pair;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, set_state(&self->vmm.dev[i], STOP_COPY, &self->save[i]));
		ASSERT_EQ(0, session_data_fd(pair->from, i, self->save[i], 0));
	}
	ASSERT_EQ(0, pair_start(pair, true, STAGING));
	ASSERT_EQ(0, session_wait(pair->from, M_HANDED_OVER, WAIT_MS));
	ASSERT_EQ(0, pair_finish(pair));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP_COPY));
	EXPECT_TRUE(pair_equal(pair));
}

/* One device: the VMM sends the first bytes and the config frame, the session the rest. */
static int from_the_middle(struct _test_data_adopt *self, __u32 *config_idx)
{
	const int from = self->pair.from, to = self->pair.to;
	struct timeline t;
	char head[HEAD];
	int ret;

	ret = session_device_remove(from, 1) ?: session_device_remove(to, 1) ?: move(self, 1);
	if (!ret && read(self->save[0], head, HEAD) != HEAD)
		ret = -EIO;
	if (!ret)
		ret = session_data_fd(from, 0, self->save[0], 1) ?:
		      session_data_fd(to, 0, self->load[0], 0) ?:
		      session_load(to, VFIO_MIGMUX_LOAD_BUFFERS, NONE, STAGING) ?:
		      session_save(from, VFIO_MIGMUX_SAVE_NO_CONFIG, NONE, STAGING) ?:
		      session_wait(from, M_SENT, WAIT_MS) ?:
		      session_timeline(from, &t);
	if (ret)
		return ret;
	*config_idx = 1 + t.dev[0].frames;
	return session_load_buffer(to, 0, D0, *config_idx, true, "abc", 3) ?:
	       session_load_buffer(to, 0, D0, 0, false, head, HEAD);
}

TEST_F(adopt, from_the_middle)
{
	__u32 config_idx = 0;

	ASSERT_EQ(0, attr_write_num(self->vmm.dev[0].addr, "read_chunk", 5000));
	ASSERT_EQ(0, from_the_middle(self, &config_idx));
	EXPECT_EQ(1 + (STATE_SIZE + MIGSIM_HEAD - HEAD + 4999) / 5000, config_idx);
	ASSERT_EQ(0, session_wait(self->pair.to, M_LOADED, WAIT_MS));
	EXPECT_TRUE(arrived(self, 1));
}

/* Nothing is left to read: SENT comes without a single frame. */
TEST_F(adopt, from_the_end)
{
	char state[STATE_SIZE + MIGSIM_HEAD];
	struct timeline t;

	ASSERT_EQ(0, session_device_remove(self->pair.from, 1));
	ASSERT_EQ(0, move(self, 1));
	ASSERT_EQ((long)sizeof(state),
		  stream_read(self->save[0], state, sizeof(state), sizeof(state)));
	ASSERT_EQ(0, session_data_fd(self->fd, 0, self->save[0], 7));
	ASSERT_EQ(0, session_save(self->fd, VFIO_MIGMUX_SAVE_NO_CONFIG, NONE, STAGING));
	ASSERT_EQ(0, session_wait(self->fd, M_SENT, WAIT_MS));
	ASSERT_EQ(0, session_timeline(self->fd, &t));
	EXPECT_EQ(0, t.dev[0].frames);
	EXPECT_NE(0, t.dev[0].phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns);
}

/* The destination's VMM has written the first bytes itself: frame 0 is not for us. */
TEST_F(adopt, into_the_middle)
{
	const int from = self->pair.from, to = self->pair.to;
	char head[HEAD];

	ASSERT_EQ(0, session_device_remove(from, 1));
	ASSERT_EQ(0, session_device_remove(to, 1));
	ASSERT_EQ(0, move(self, 1));
	ASSERT_EQ(HEAD, read(self->save[0], head, HEAD));
	ASSERT_EQ(HEAD, write(self->load[0], head, HEAD));
	ASSERT_EQ(0, adopt(self, 1, 1));
	ASSERT_EQ(0, session_load(to, VFIO_MIGMUX_LOAD_BUFFERS, NONE, STAGING));
	ASSERT_EQ(0, session_save(from, 0, NONE, STAGING));
	ASSERT_EQ(0, session_wait(to, M_LOADED, WAIT_MS));
	EXPECT_TRUE(arrived(self, 1));
}

TEST_F(adopt, below_the_first)
{
	const int to = self->pair.to;

	ASSERT_EQ(0, move(self, 2));
	ASSERT_EQ(0, adopt(self, 2, 3));
	ASSERT_EQ(0, session_load(to, VFIO_MIGMUX_LOAD_BUFFERS, NONE, STAGING));
	EXPECT_EQ(-EPROTO, session_load_buffer(to, 0, D0, 2, false, "x", 1));
	EXPECT_TRUE(session_says(to, EPROTO, "duplicate frame idx 2"));
	EXPECT_EQ(0, session_wait(to, M_ENDED, WAIT_MS));
	EXPECT_TRUE(untouched(self));
}

/* --- what goes wrong on the way ------------------------------------------------------- */

/* The VMM takes a device away in the middle of the stream. */
static int lose(struct _test_data_adopt *self, __u32 recover)
{
	struct vfio_dev *dev = self->vmm.dev;
	int ret;

	ret = attr_write_num(dev[0].addr, "read_us_per_mib", 5000000) ?:
	      attr_write_num(dev[0].addr, "read_chunk", 1000) ?: move(self, 2) ?:
	      adopt(self, 2, 0) ?: session_save(self->fd, 0, recover, STAGING) ?:
	      saved_wait(dev[0].addr, 2000) ?: set_state(&dev[0], STOP, NULL);
	return ret ? ret : session_wait(self->fd, M_FAILED | M_ENDED, WAIT_MS);
}

TEST_F(adopt, lost)
{
	ASSERT_EQ(0, lose(self, NONE));
	EXPECT_TRUE(session_says(self->fd, ENODEV, "reading its state"));
	EXPECT_TRUE(session_blames(self->fd, 0, NO_INDEX));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));
	EXPECT_TRUE(device_is(&self->vmm.dev[1], STOP_COPY));
}

/* With a recover state the session takes them back. */
TEST_F(adopt, lost_and_recovered)
{
	struct timeline t;

	ASSERT_EQ(0, lose(self, RUNNING));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	EXPECT_TRUE(device_is(&self->vmm.dev[1], RUNNING));
	ASSERT_EQ(0, session_timeline(self->fd, &t));
	EXPECT_EQ(RUNNING, t.dev[0].state);
	EXPECT_EQ(ENODEV, t.dev[0].error);
}

TEST_F(adopt, aborted)
{
	ASSERT_EQ(0, move(self, 2));
	ASSERT_EQ(0, adopt(self, 2, 0));
	ASSERT_EQ(0, session_load(self->pair.to, 0, NONE, STAGING));
	ASSERT_EQ(0, session_abort(self->pair.to, NONE));
	EXPECT_TRUE(untouched(self));
}

/* Closing leaves the devices where the VMM took them. */
TEST_F(adopt, closed)
{
	ASSERT_EQ(0, move(self, 2));
	ASSERT_EQ(0, adopt(self, 2, 0));
	ASSERT_EQ(0, session_save(self->pair.from, 0, NONE, STAGING));
	pair_close(&self->pair);
	EXPECT_TRUE(untouched(self));
	self->pair.from = -1;
	self->pair.to = -1;
}

/* --- taken back --------------------------------------------------------------------------- */

/* SET_STATE ends what was adopted: from then on the session makes the arcs itself. */
static int take_back(struct _test_data_adopt *self, int fd)
{
	return attr_write(self->vmm.dev[2].addr, "headerless", "1") ?:
	       session_set_state(fd, RUNNING, NONE, 0, 0, NULL) ?:
	       attr_write(self->vmm.dev[2].addr, "headerless", "0");
}

/* Only devices 0 and 2, so that no channel ends before the others. */
static int pair_of_one(struct _test_data_adopt *self)
{
	pair_close(&self->pair);
	return pair_open(&self->pair, &self->vmm.dev[0], &self->vmm.dev[2], 1, 2);
}

/* A whole migration with a verdict: so nothing is adopted any more. */
static void check_migrates(struct __test_metadata *_metadata, struct _test_data_adopt *self)
{
	ASSERT_EQ(0, pair_start(&self->pair, true, STAGING)) {
		TH_LOG("from: %s", session_last_error(self->pair.from).text);
		TH_LOG("to: %s", session_last_error(self->pair.to).text);
	}
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
}

TEST_F(adopt, source_taken_back)
{
	ASSERT_EQ(0, pair_of_one(self));
	ASSERT_EQ(0, set_state(&self->vmm.dev[0], STOP_COPY, &self->save[0]));
	/* nor does the first index hold any more: the destination wants frame 0 */
	ASSERT_EQ(0, session_data_fd(self->pair.from, 0, self->save[0], 3));
	forget(&self->save[0]);
	ASSERT_EQ(0, take_back(self, self->pair.from));
	check_migrates(_metadata, self);
}

TEST_F(adopt, destination_taken_back)
{
	ASSERT_EQ(0, pair_of_one(self));
	ASSERT_EQ(0, attr_write(self->vmm.dev[2].addr, "headerless", "1"));
	ASSERT_EQ(0, set_state(&self->vmm.dev[2], RESUMING, &self->load[0]));
	ASSERT_EQ(0, session_data_fd(self->pair.to, 0, self->load[0], 3));
	forget(&self->load[0]);
	ASSERT_EQ(0, take_back(self, self->pair.to));
	check_migrates(_metadata, self);
}

/* --- what is refused ---------------------------------------------------------------- */

TEST_F(adopt, wrong_files)
{
	struct wrong {
		const char *name;
		int fd;
	} wrong[] = {
		{ "a closed descriptor", 1000 },
		{ "no descriptor", -1 },
		{ "a device", open("/dev/zero", O_RDWR | O_CLOEXEC) },
		{ "a file", memfd_create("file", MFD_CLOEXEC) },
		{ "a socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) },
		{ "an eventfd", eventfd(0, EFD_CLOEXEC) },
		{ "a stream of another kind", inotify_init1(IN_CLOEXEC) },
		{ "the session", self->pair.from },
		{ "the device itself", self->vmm.dev[0].fd },
		{ "its group", self->vmm.dev[0].group_fd },
	};
	int pipes[2];
	size_t i;

	ASSERT_EQ(0, move(self, 2));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EBADF, session_data_fd(self->fd, 0, wrong[i].fd, 0)) {
			TH_LOG("it was %s", wrong[i].name);
		}
	}
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_SAYS(EBADF, "no file of the device's driver",
		    session_data_fd(self->fd, 0, pipes[0], 0));
	EXPECT_SAYS(EBADF, "cannot be read",
		    session_data_fd(self->fd, 0, self->load[0], 0));
	EXPECT_EQ(-EBADF, session_data_fd(self->pair.to, 0, self->save[0], 0));
	EXPECT_TRUE(session_says(self->pair.to, EBADF, "cannot be written"));
	EXPECT_EQ(0, session_data_fd(self->fd, 0, self->save[0], 0));
	EXPECT_EQ(0, session_data_fd(self->fd, 0, self->save[0], 0));
	EXPECT_SAYS(EEXIST, "data file of device 0",
		    session_data_fd(self->fd, 1, self->save[0], 0));
}

TEST_F(adopt, wrong_calls)
{
	struct vfio_migmux_data_fd arg = { .argsz = sizeof(arg), .reserved = 1 };

	EXPECT_SAYS(EINVAL, "is in RUNNING", session_data_fd(self->fd, 0, 0, 0));
	EXPECT_SAYS(ENOENT, "no device 9", session_data_fd(self->fd, 9, 0, 0));
	EXPECT_SAYS(EINVAL, "first_idx", session_data_fd(self->fd, 0, 0, 0xffffffff));
	EXPECT_SAYS(EINVAL, "reserved", session_call(self->fd, VFIO_MIGMUX_DATA_FD, &arg));
	ASSERT_EQ(0, move(self, 2));
	ASSERT_EQ(0, session_data_fd(self->fd, 0, self->save[0], 0));
	EXPECT_SAYS(EINVAL, "adopt all or none", session_save(self->fd, 0, NONE, STAGING));
	ASSERT_EQ(0, session_data_fd(self->fd, 1, self->save[1], 0));
	EXPECT_SAYS(EINVAL, "in STOP_COPY, not in RESUMING",
		    session_load(self->fd, 0, NONE, STAGING));
	EXPECT_SAYS(EINVAL, "no verdict",
		    session_load(self->fd, VFIO_MIGMUX_LOAD_VERDICT, NONE, STAGING));
	EXPECT_SAYS(EINVAL, "in STOP_COPY, not in PRE_COPY",
		    session_save(self->fd, VFIO_MIGMUX_SAVE_PRECOPY, NONE, STAGING));
	/* the VMM goes on without us */
	ASSERT_EQ(0, set_state(&self->vmm.dev[1], STOP, NULL));
	forget(&self->save[1]);
	EXPECT_SAYS(EINVAL, "is in STOP:", session_save(self->fd, 0, NONE, STAGING));
	/* none of which has spoiled it */
	ASSERT_EQ(0, set_state(&self->vmm.dev[1], STOP_COPY, &self->save[1]));
	ASSERT_EQ(0, session_data_fd(self->fd, 1, self->save[1], 0));
	EXPECT_EQ(0, session_save(self->fd, 0, NONE, STAGING));
	EXPECT_SAYS(EBUSY, "come before that", session_data_fd(self->fd, 1, self->save[1], 0));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
