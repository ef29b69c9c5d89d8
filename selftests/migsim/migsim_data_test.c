// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself: data_fds that can be polled, that do not wait,
 * that take vectors, that lose bytes
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "migsim_fixture.h"

#define BLOCK		4096UL
#define SOON_MS		10000	/* it is an error if that is ever over */

static int precopy_open(struct _test_data_migsim *self)
{
	devices_close(self);
	if (attr_write(self->addr[0], "precopy", "1") ||
	    attr_write(self->addr[0], "poll", "1") || devices_open(self))
		return -1;
	return 0;
}

static int events(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLRDHUP };

	return poll(&pollfd, 1, ms) == 1 ? pollfd.revents : 0;
}

static void drain(int fd, char *buf)
{
	while (read(fd, buf, MIB) > 0)
		;
}

struct poller {
	pthread_t thread;
	int fd;
	int events;
};

static void *poller_run(void *arg)
{
	struct poller *poller = arg;

	poller->events = events(poller->fd, SOON_MS);
	return NULL;
}

static void poller_start(struct poller *poller, int fd)
{
	poller->fd = fd;
	pthread_create(&poller->thread, NULL, poller_run, poller);
	/* nothing depends on it: then it sleeps, or looks right away */
	usleep(20000);
}

static int poller_end(struct poller *poller)
{
	pthread_join(poller->thread, NULL);
	return poller->events;
}

TEST_F(migsim, poll)
{
	struct poller poller;
	int fd;

	ASSERT_EQ(precopy_open(self), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	EXPECT_EQ(events(fd, 0), POLLIN);
	drain(fd, self->stream);
	EXPECT_EQ(events(fd, 50), 0);

	poller_start(&poller, fd);
	ASSERT_EQ(attr_write_num(self->src->addr, "dirty", 1), 0);
	EXPECT_EQ(poller_end(&poller), POLLIN);
	drain(fd, self->stream);

	/* by and by: the rate changes under the sleeper, and then its time comes */
	poller_start(&poller, fd);
	ASSERT_EQ(attr_write_num(self->src->addr, "dirty_rate", BLOCK * 5), 0);
	EXPECT_EQ(poller_end(&poller), POLLIN);
	ASSERT_EQ(attr_write_num(self->src->addr, "dirty_rate", 0), 0);
	drain(fd, self->stream);

	poller_start(&poller, fd);
	ASSERT_EQ(set_state(self->src, STOP_COPY, NULL), 0);
	EXPECT_EQ(poller_end(&poller), POLLIN);
	drain(fd, self->stream);
	EXPECT_EQ(events(fd, 0), POLLIN);
	ASSERT_EQ(set_state(self->src, PRE_COPY, NULL), -EINVAL);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	EXPECT_EQ(events(fd, 0), POLLIN | POLLRDHUP);
	close(fd);

	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	drain(fd, self->stream);
	poller_start(&poller, fd);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	EXPECT_EQ(poller_end(&poller), POLLIN | POLLRDHUP);
	close(fd);
	devices_close(self);
}

/* What cannot be polled is always ready, as far as poll() knows. */
TEST_F(migsim, no_poll)
{
	int fd;

	ASSERT_EQ(precopy_open(self), 0);
	ASSERT_EQ(attr_write(self->src->addr, "poll", "0"), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	drain(fd, self->stream);
	EXPECT_EQ(events(fd, 0), POLLIN);
	close(fd);
	devices_close(self);
}

TEST_F(migsim, nonblock)
{
	long done = 0, again = 0;
	__u64 start;
	ssize_t n;
	int fd;

	ASSERT_EQ(attr_write(self->src->addr, "poll", "1"), 0);
	ASSERT_EQ(attr_write(self->src->addr, "nonblock", "1"), 0);
	ASSERT_EQ(attr_write(self->src->addr, "read_us_per_mib", "200000"), 0);
	start = now_ns();
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	for (;;) {
		n = read(fd, self->stream + done, 300 * KIB);
		if (!n || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0) {
			done += n;
			continue;
		}
		again++;
		ASSERT_EQ(events(fd, SOON_MS), POLLIN);
	}
	EXPECT_EQ(n, 0);
	EXPECT_EQ(done, MIB + MIGSIM_HEAD);
	EXPECT_GE(again, 4);
	/* poll is not just another word for "now" */
	EXPECT_LT(again, 100);
	EXPECT_GE(now_ns() - start, 190000000);

	/* a flag like others: without it the same file waits */
	close(fd);
	ASSERT_EQ(set_state(self->src, STOP, NULL), 0);
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(read(fd, self->stream, MIB), -1);
	EXPECT_EQ(errno, EAGAIN);
	ASSERT_EQ(fcntl(fd, F_SETFL, 0), 0);
	EXPECT_EQ(read(fd, self->stream, MIB), MIB);
	close(fd);

	ASSERT_EQ(attr_write(self->dst->addr, "nonblock", "1"), 0);
	ASSERT_EQ(attr_write(self->dst->addr, "write_us_per_mib", "50000"), 0);
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	EXPECT_EQ(write(fd, self->stream, MIB), -1);
	EXPECT_EQ(errno, EAGAIN);
	close(fd);
}

/* --- read_iter --------------------------------------------------------------------- */

/* Four small pieces are one call of read_iter, and four of read. */
static long vector(int fd, char *buf, ssize_t (*call)(int, const struct iovec *, int))
{
	struct iovec iov[4];
	int i;

	for (i = 0; i < 4; i++)
		iov[i] = (struct iovec) { buf + i * 500, 500 };
	return call(fd, iov, 4);
}

TEST_F(migsim, read_iter)
{
	int fd, iter;
	long len;

	for (iter = 0; iter < 2; iter++) {
		attr_write_num(self->src->addr, "read_iter", iter);
		attr_write_num(self->dst->addr, "read_iter", iter);
		attr_write_num(self->src->addr, "read_chunk", 1000);
		ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
		len = vector(fd, self->stream, readv);
		EXPECT_EQ(len, iter ? 1000 : 2000);
		len += stream_read(fd, self->stream + len, STREAM_MAX - len, MIB);
		EXPECT_EQ(len, MIB + MIGSIM_HEAD);
		close(fd);

		attr_write_num(self->dst->addr, "write_chunk", 1000);
		attr_write_num(self->dst->addr, "seed", iter);
		ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
		len = vector(fd, self->stream,
			     (ssize_t (*)(int, const struct iovec *, int))writev);
		EXPECT_EQ(len, iter ? 1000 : 2000);
		EXPECT_EQ(stream_write(fd, self->stream + len,
				       MIB + MIGSIM_HEAD - len, MIB),
			  MIB + MIGSIM_HEAD - len);
		close(fd);
		EXPECT_EQ(set_state(self->dst, RUNNING, NULL), 0);
		if (self->src != self->dst)
			EXPECT_EQ(set_state(self->src, RUNNING, NULL), 0);
	}
}

/* --- bytes that a signal loses -------------------------------------------------------- */

static void on_alarm(int sig)
{
}

static void alarms(long us)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = {
		.it_interval.tv_usec = us,
		.it_value.tv_usec = us,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

TEST_F(migsim, lossy)
{
	long done = 0, interrupted = 0;
	ssize_t n;
	int fd;

	attr_write(self->src->addr, "lossy", "1");
	/* without a signal it is like any other */
	ASSERT_EQ(device_save(self->src, self->stream, 99999), MIB + MIGSIM_HEAD);
	EXPECT_EQ(attr_read_num(self->src->addr, "lost_bytes"), 0);

	attr_write(self->src->addr, "read_us_per_mib", "300000");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	alarms(20000);
	do {
		n = read(fd, self->stream + done, 100 * KIB);
		if (n > 0)
			done += n;
		else if (n < 0 && errno == EINTR)
			interrupted++;
	} while (n > 0 || (n < 0 && errno == EINTR));
	alarms(0);
	EXPECT_EQ(n, 0);
	EXPECT_GT(interrupted, 0);
	EXPECT_GT(attr_read_num(self->src->addr, "lost_bytes"), 0);
	EXPECT_EQ(done + attr_read_num(self->src->addr, "lost_bytes"),
		  MIB + MIGSIM_HEAD);
	close(fd);

	attr_write(self->dst->addr, "lossy", "1");
	attr_write(self->dst->addr, "write_us_per_mib", "1000000");
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	alarms(20000);
	EXPECT_EQ(write(fd, self->stream, MIB), -1);
	EXPECT_EQ(errno, EINTR);
	alarms(0);
	EXPECT_EQ(attr_read_num(self->dst->addr, "lost_bytes"), MIB / 2);
	EXPECT_EQ(attr_read_num(self->dst->addr, "loaded_bytes"), MIB / 2);
	close(fd);
}

TEST_HARNESS_MAIN
