// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself: data_fds that can be polled, that do not
 * wait
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
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

TEST_HARNESS_MAIN
