// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers' data files of all kinds, at both ends of a migration: with read or read_iter,
 * and such as lose bytes when a signal comes.
 */
#include <signal.h>
#include <sys/time.h>

#include "mnl.h"
#include "session_fixture.h"
#include "thread.h"

static void session_message(void *data, __u8 cmd, const struct nlattr **attrs)
{
	const struct nlattr *device[NL_MAX_ATTR], *attr;
	__u32 *method = data;

	if (cmd != VFIO_MIGMUX_CMD_SESSION_GET || !attrs[VFIO_MIGMUX_A_SESSION_DEVICE])
		return;
	nl_parse_nested(attrs[VFIO_MIGMUX_A_SESSION_DEVICE], device);
	attr = device[VFIO_MIGMUX_A_SESSION_DEVICE_READ_METHOD];
	if (attr)
		*method = mnl_attr_get_u32(attr);
}

/* What netlink shows of the last device of a session; ~0 for nothing. */
static __u32 method_of(int session)
{
	struct timeline t;
	struct nl nl = { };
	__u32 method = ~0U;

	if (nl_open(&nl) || session_timeline(session, &t))
		return ~0U;
	if (nl_session(&nl, t.t.session, session_message, &method))
		method = ~0U;
	nl_close(&nl);
	return method;
}

/* --- what each kind moves -------------------------------------------------------- */

FIXTURE(kinds)
{
	FIXTURE_DATA(vmm) vmm;
};

FIXTURE_VARIANT(kinds)
{
	bool src;
	bool dst;
};

FIXTURE_VARIANT_ADD(kinds, user_user) { };
FIXTURE_VARIANT_ADD(kinds, iter_user) { .src = true };
FIXTURE_VARIANT_ADD(kinds, user_iter) { .dst = true };
FIXTURE_VARIANT_ADD(kinds, iter_iter) { .src = true, .dst = true };

FIXTURE_SETUP(kinds)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	ASSERT_EQ(0, attr_write_num(self->vmm.dev[0].addr, "read_iter", variant->src));
	ASSERT_EQ(0, attr_write_num(self->vmm.dev[1].addr, "read_iter", variant->dst));
}

FIXTURE_TEARDOWN(kinds)
{
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(kinds, arrives)
{
	static const struct {
		__u64 size;
		__u64 chunk;
	} moves[] = {
		{ 0, 0 }, { MIB - MIGSIM_HEAD, 0 }, { 3 * MIB + 5, 0 }, { 200001, 7001 },
	};
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	int i;

	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		ASSERT_EQ(0, devices_settle(&devices));
		ASSERT_EQ(0, attr_write_num(dev[0].addr, "read_iter", variant->src));
		ASSERT_EQ(0, attr_write_num(dev[1].addr, "read_iter", variant->dst));
		ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", moves[i].size));
		ASSERT_EQ(0, attr_write_num(dev[0].addr, "seed", 2 * i));
		ASSERT_EQ(0, attr_write_num(dev[1].addr, "seed", 2 * i + 1));
		ASSERT_EQ(0, attr_write_num(dev[0].addr, "read_chunk", moves[i].chunk));
		ASSERT_EQ(0, attr_write_num(dev[1].addr, "write_chunk",
					    moves[i].chunk * 2 / 3));
		ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
		EXPECT_EQ(~0U, method_of(pair.from));
		ASSERT_EQ(0, pair_start(&pair, true, STAGING));
		ASSERT_EQ(0, pair_finish(&pair));
		EXPECT_TRUE(pair_equal(&pair));
		EXPECT_EQ(variant->src, method_of(pair.from));
		EXPECT_EQ(variant->dst, method_of(pair.to));
		pair_close(&pair);
	}
}

/* Data files that would rather not wait for their device. */
TEST_F(kinds, nonblock)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct timeline t;
	struct pair pair;
	int i, poll;

	for (poll = 0; poll < 2; poll++) {
		ASSERT_EQ(0, devices_settle(&devices));
		for (i = 0; i < 2; i++) {
			attr_write_num(dev[i].addr, "read_iter", i ? variant->dst : variant->src);
			attr_write_num(dev[i].addr, "nonblock", 1);
			attr_write_num(dev[i].addr, "poll", poll);
			attr_write_num(dev[i].addr, "seed", 2 * poll + i);
		}
		attr_write_num(dev[0].addr, "state_size", MIB);
		attr_write_num(dev[0].addr, "read_us_per_mib", 200000);
		attr_write_num(dev[0].addr, "read_chunk", 200000);
		attr_write_num(dev[1].addr, "write_us_per_mib", 200000);
		ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
		ASSERT_EQ(0, pair_start(&pair, true, STAGING));
		ASSERT_EQ(0, pair_finish(&pair));
		EXPECT_TRUE(pair_equal(&pair));
		ASSERT_EQ(0, session_timeline(pair.to, &t));
		EXPECT_EQ(MIB + MIGSIM_HEAD, t.dev[0].bytes);
		pair_close(&pair);
	}
}

/* A device that says EAGAIN for two seconds: the feed looks now and then, and sleeps. */
TEST_F(vmm, nonblock_feed_sleeps)
{
	struct vfio_migmux_timeline_device *dev;
	struct timeline t;
	struct pair pair;
	__u64 ran, all;

	ASSERT_EQ(0, attr_write_num(self->dev[1].addr, "nonblock", 1));
	ASSERT_EQ(0, attr_write_num(self->dev[1].addr, "write_us_per_mib", 32000000));
	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[1], 1, 1));
	ASSERT_EQ(0, pair_start(&pair, true, STAGING));
	ASSERT_EQ(0, session_wait(pair.to, M_LOADED, WAIT_MS));
	ran = thread_ran(thread_find("migmux-feed", 0));
	ASSERT_EQ(0, session_timeline(pair.to, &t));
	dev = &t.dev[0];
	all = dev->last_byte_ns - dev->first_byte_ns;
	TH_LOG("it ran %llu us of %llu", ran / 1000, all / 1000);
	EXPECT_GT(all / 10, ran);
	EXPECT_EQ(0, pair_finish(&pair));
	pair_close(&pair);
}

/* --- signals -------------------------------------------------------------------------- */

static int last_signal;

static void on_alarm(int sig)
{
	__atomic_store_n(&last_signal, sig, __ATOMIC_RELAXED);
}

static void alarms(long us)
{
	const struct sigaction action = {
		.sa_handler = on_alarm,
		.sa_flags = SA_RESTART,
	};
	struct itimerval timer = {
		.it_interval.tv_usec = us,
		.it_value.tv_usec = us,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The wait of this process itself may be interrupted. */
static int wait_through(int fd, __u32 milestones)
{
	int ret;

	do {
		ret = session_wait(fd, milestones, WAIT_MS);
	} while (ret == -EINTR);
	return ret;
}

static int finish(struct pair *pair)
{
	int ret = wait_through(pair->to, M_LOADED | M_HANDED_OVER);

	alarms(0);
	return ret ?: pair_finish(pair);
}

/* Signals that the process handles are no business of the threads that move bytes. */
TEST_F(kinds, alarms)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, attr_write(dev[i].addr, "lossy", "1"));
		ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", MIB));
	}
	ASSERT_EQ(0, attr_write(dev[0].addr, "read_us_per_mib", "400000"));
	ASSERT_EQ(0, attr_write(dev[0].addr, "read_chunk", "100000"));
	ASSERT_EQ(0, attr_write(dev[1].addr, "write_us_per_mib", "400000"));
	ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
	EXPECT_EQ(0, pair_start(&pair, true, STAGING));
	alarms(3000);
	EXPECT_EQ(0, finish(&pair));
	EXPECT_EQ(SIGALRM, __atomic_load_n(&last_signal, __ATOMIC_RELAXED));
	EXPECT_TRUE(pair_equal(&pair));
	EXPECT_EQ(0, attr_read_num(dev[0].addr, "lost_bytes"));
	EXPECT_EQ(0, attr_read_num(dev[1].addr, "lost_bytes"));
	pair_close(&pair);
}

/*
 * Nor of the calls that make those threads: a call that takes longer than the time between
 * two signals, because it has memory to set up, would begin again for each of them.
 */
TEST_F(vmm, alarms_at_start)
{
	struct pair pair;
	int load, save;

	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 2, 2));
	alarms(3000);
	load = session_load(pair.to, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, 16 * MIB);
	save = session_save(pair.from, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 16 * MIB);
	if (load)	/* it goes on, as any call that waits */
		EXPECT_EQ(-EINTR, load);
	EXPECT_EQ(0, save);
	EXPECT_EQ(0, finish(&pair));
	EXPECT_EQ(SIGALRM, __atomic_load_n(&last_signal, __ATOMIC_RELAXED));
	EXPECT_TRUE(pair_equal(&pair));
	pair_close(&pair);
}

/*
 * Start, and let a child stop this process for a moment when so many bytes are read, or
 * written: it is then in the next read or write, or waits. The child begins when
 * what an earlier test has moved is not counted any more.
 */
static pid_t start_and_stop(struct pair *pair, __u64 staging, bool reads, __u64 bytes)
{
	const char *addr = reads ? pair->src->addr : pair->dst->addr;
	pid_t vmm = getpid();
	pid_t pid;

	if (pair_start(pair, true, staging))
		return -1;
	pid = fork();
	if (pid)
		return pid;
	if (reads ? saved_wait(addr, bytes) : attr_wait(addr, "loaded_bytes", bytes))
		_exit(1);
	usleep(50000);
	kill(vmm, SIGSTOP);
	usleep(100000);
	kill(vmm, SIGCONT);
	_exit(0);
}

static int stopped(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Calls of the driver that had moved nothing when the process was stopped. */
TEST_F(kinds, stopped_before_bytes)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	pid_t pid;

	ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", MIB));
	ASSERT_EQ(0, attr_write(dev[0].addr, "read_chunk", "300000"));
	ASSERT_EQ(0, attr_write(dev[0].addr, "read_us_per_mib", "1000000"));
	ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
	pid = start_and_stop(&pair, STAGING, true, 300000);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, finish(&pair));
	EXPECT_EQ(0, stopped(pid));
	EXPECT_TRUE(pair_equal(&pair));
	pair_close(&pair);
}

static void check_failed(struct __test_metadata *_metadata, struct pair *pair, int fd,
			 const char *words)
{
	EXPECT_EQ(0, wait_through(fd, M_FAILED | M_ENDED));
	EXPECT_TRUE(session_says(fd, EINTR, "signal"));
	EXPECT_TRUE(session_says(fd, EINTR, words));
	EXPECT_TRUE(session_says(fd, EINTR, fd == pair->from ? pair->src->addr :
							       pair->dst->addr));
	EXPECT_EQ(0, wait_through(pair->from, M_FAILED | M_ENDED));
	EXPECT_EQ(0, wait_through(pair->to, M_FAILED | M_ENDED));
	EXPECT_TRUE(device_is(pair->src, RUNNING));
}

/* Bytes that are lost are not lost unnoticed: the migration fails, the source goes on. */
TEST_F(kinds, stopped_while_reading)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	pid_t pid;

	ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", MIB));
	ASSERT_EQ(0, attr_write(dev[0].addr, "lossy", "1"));
	ASSERT_EQ(0, attr_write(dev[0].addr, "read_chunk", "300000"));
	ASSERT_EQ(0, attr_write(dev[0].addr, "read_us_per_mib", "2000000"));
	ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
	pid = start_and_stop(&pair, STAGING, true, 300001);
	ASSERT_LT(0, pid);
	check_failed(_metadata, &pair, pair.from, "lost what it had read");
	EXPECT_EQ(0, stopped(pid));
	EXPECT_LT(0, attr_read_num(dev[0].addr, "lost_bytes"));
	pair_close(&pair);
	EXPECT_EQ(0, device_knobs_default(dev[0].addr));
	EXPECT_EQ(0, migration_works());
}

TEST_F(kinds, stopped_while_writing)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	pid_t pid;

	ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", MIB));
	ASSERT_EQ(0, attr_write(dev[1].addr, "lossy", "1"));
	ASSERT_EQ(0, attr_write(dev[1].addr, "write_chunk", "300000"));
	ASSERT_EQ(0, attr_write(dev[1].addr, "write_us_per_mib", "2000000"));
	ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
	pid = start_and_stop(&pair, STAGING, false, 300001);
	ASSERT_LT(0, pid);
	check_failed(_metadata, &pair, pair.to, "nobody knows");
	EXPECT_EQ(0, stopped(pid));
	EXPECT_LT(0, attr_read_num(dev[1].addr, "lost_bytes"));
	pair_close(&pair);
}

/* With its vector a driver shows that it has moved nothing; with an address it does not. */
TEST_F(kinds, stopped_before_writing)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	pid_t pid;

	ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", MIB));
	ASSERT_EQ(0, attr_write(dev[1].addr, "write_chunk", "300000"));
	ASSERT_EQ(0, attr_write(dev[1].addr, "write_us_per_mib", "1000000"));
	ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 2));
	pid = start_and_stop(&pair, STAGING, false, 300000);
	ASSERT_LT(0, pid);
	if (variant->dst) {
		EXPECT_EQ(0, finish(&pair));
		EXPECT_TRUE(pair_equal(&pair));
	} else {
		check_failed(_metadata, &pair, pair.to, "nobody knows");
	}
	EXPECT_EQ(0, stopped(pid));
	pair_close(&pair);
}

/* The source waits for memory, not for its device: then it has no read to lose. */
TEST_F(kinds, stopped_while_waiting)
{
	struct vfio_dev *dev = self->vmm.dev;
	struct pair pair;
	pid_t pid;

	if (!variant->dst)
		SKIP(return, "the destination would not survive it");
	ASSERT_EQ(0, attr_write_num(dev[0].addr, "state_size", 4 * MIB));
	ASSERT_EQ(0, attr_write(dev[0].addr, "lossy", "1"));
	ASSERT_EQ(0, attr_write(dev[1].addr, "write_us_per_mib", "500000"));
	ASSERT_EQ(0, pair_open(&pair, &dev[0], &dev[1], 1, 1));
	pid = start_and_stop(&pair, MIB, false, MIB);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, finish(&pair));
	EXPECT_EQ(0, stopped(pid));
	EXPECT_TRUE(pair_equal(&pair));
	EXPECT_EQ(0, attr_read_num(dev[0].addr, "lost_bytes"));
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
