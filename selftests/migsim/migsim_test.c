// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself, through the VFIO ioctls: arcs, streams,
 * and the knobs that make them slow, short or fail
 */

#include <errno.h>
#include <fcntl.h>
#include <kselftest_harness.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "migsim_fixture.h"

static int log_lines(const char *addr, char *log, size_t size)
{
	int n = 0;

	if (attr_read(addr, "arcs_log", log, size))
		return -1;
	for (; *log; log++)
		n += *log == '\n';
	return n + 1;
}

TEST_F(migsim, arcs)
{
	static const unsigned int path[] = {
		RUNNING_P2P, STOP, STOP_COPY, STOP, RUNNING_P2P, RUNNING,
	};
	char log[4096], state[32];
	size_t i;
	int fd;

	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(path); i++) {
		ASSERT_EQ(set_state(self->src, path[i], &fd), 0);
		EXPECT_EQ(fd >= 0, path[i] == STOP_COPY);
		if (fd >= 0)
			close(fd);
		EXPECT_EQ(vfio_state_get(self->src->fd), path[i]);
		attr_read(self->src->addr, "state", state, sizeof(state));
		EXPECT_STREQ(state, vfio_state_name(path[i]));
	}
	EXPECT_EQ(log_lines(self->src->addr, log, sizeof(log)), 6);
	EXPECT_NE(strstr(log, " STOP STOP_COPY 0\n"), NULL);
	EXPECT_EQ(set_state(self->src, PRE_COPY, NULL), -EINVAL);
	EXPECT_EQ(set_state(self->src, 99, NULL), -EINVAL);
	EXPECT_EQ(set_state(self->src, ERROR, NULL), -EINVAL);
}

TEST_F(migsim, arc_delay)
{
	__u64 start;

	ASSERT_EQ(attr_write_num(self->src->addr, "arc_ms", 100), 0);
	ASSERT_EQ(attr_write(self->src->addr, "arcs",
			     "RUNNING>RUNNING_P2P=180,RUNNING_P2P>STOP=0"), 0);
	start = now_ns();
	ASSERT_EQ(set_state(self->src, RUNNING_P2P, NULL), 0);
	EXPECT_GE(now_ns() - start, 180000000);
	start = now_ns();
	ASSERT_EQ(set_state(self->src, STOP, NULL), 0);
	EXPECT_LT(now_ns() - start, 100000000);
	ASSERT_EQ(attr_write(self->src->addr, "arcs",
			     "RUNNING>RUNNING_P2P=default RUNNING_P2P>STOP=default"),
		  0);
	start = now_ns();
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	EXPECT_GE(now_ns() - start, 200000000);
}

TEST_F(migsim, move)
{
	static const size_t sizes[] = {
		0, 1, 4095, MIB - 1, MIB, MIB + 1, 3 * MIB,
	};
	struct registers want, got;
	void *src, *dst;
	char a[32], b[32];
	__u64 left;
	size_t i;
	long len;

	src = bar_map(self->src);
	dst = bar_map(self->dst);
	ASSERT_NE(src, NULL);
	ASSERT_NE(dst, NULL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		attr_write_num(self->src->addr, "state_size", sizes[i]);
		ASSERT_EQ(registers_fill(src, 0x55 * (i + 1)), 0);
		registers_get(src, &want);
		attr_read(self->src->addr, "payload_crc", a, sizeof(a));
		EXPECT_EQ(vfio_data_size(self->src->fd, &left), 0);
		EXPECT_EQ(left, sizes[i] + MIGSIM_HEAD);
		len = device_save(self->src, self->stream, 300 * KIB);
		ASSERT_EQ(len, sizes[i] + MIGSIM_HEAD);
		EXPECT_EQ(attr_read_num(self->src->addr, "saved_bytes"), len);

		/* as if the destination had been used for something else */
		attr_write_num(self->dst->addr, "seed", i);
		ASSERT_EQ(registers_fill(dst, 7), 0);
		ASSERT_EQ(device_load(self->dst, self->stream, len, 77777), 0);
		EXPECT_EQ(attr_read_num(self->dst->addr, "loaded_bytes"), len);
		attr_read(self->dst->addr, "payload_crc", b, sizeof(b));
		EXPECT_STREQ(a, b);
		EXPECT_EQ(attr_read_num(self->dst->addr, "payload_size"),
			  sizes[i]);
		registers_get(dst, &got);
		EXPECT_EQ(memcmp(&want, &got, sizeof(got)), 0);
	}
	bar_unmap(src);
	bar_unmap(dst);
}

TEST_F(migsim, headerless)
{
	static const size_t sizes[] = { 0, 1, 4097 };
	char a[32], b[32];
	size_t i;

	attr_write(self->src->addr, "headerless", "1");
	attr_write(self->dst->addr, "headerless", "1");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		attr_write_num(self->src->addr, "state_size", sizes[i]);
		ASSERT_EQ(device_save(self->src, self->stream, MIB), sizes[i]);
		attr_read(self->src->addr, "payload_crc", a, sizeof(a));
		attr_write_num(self->dst->addr, "seed", i);
		ASSERT_EQ(device_load(self->dst, self->stream, sizes[i], MIB),
			  0);
		attr_read(self->dst->addr, "payload_crc", b, sizeof(b));
		EXPECT_STREQ(a, b);
	}
}

TEST_F(migsim, bad_stream)
{
	long len = device_save(self->src, self->stream, MIB);
	int fd;

	ASSERT_EQ(len, MIB + MIGSIM_HEAD);
	/* short, then completed: the state stays RESUMING in between */
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	EXPECT_EQ(set_state(self->dst, STOP, NULL), -ENODATA);
	EXPECT_EQ(vfio_state_get(self->dst->fd), RESUMING);
	ASSERT_EQ(stream_write(fd, self->stream, len - 1, MIB), len - 1);
	EXPECT_EQ(set_state(self->dst, RUNNING, NULL), -ENODATA);
	ASSERT_EQ(stream_write(fd, self->stream + len - 1, 1, MIB), 1);
	EXPECT_EQ(set_state(self->dst, STOP, NULL), 0);
	EXPECT_EQ(write(fd, "", 1), -1);
	EXPECT_EQ(errno, ENODEV);
	close(fd);

	EXPECT_EQ(device_load(self->dst, self->stream, len + 1, MIB), -E2BIG);
	ASSERT_EQ(ioctl(self->dst->fd, VFIO_DEVICE_RESET), 0);
	self->stream[0] ^= 1;
	EXPECT_EQ(device_load(self->dst, self->stream, len, MIB), -EINVAL);
	ASSERT_EQ(ioctl(self->dst->fd, VFIO_DEVICE_RESET), 0);
	self->stream[0] ^= 1;
	/* 5 is no factorial */
	memcpy(self->stream + 20, "\5\0\0\0", 4);
	attr_write(self->dst->addr, "fail_to_error", "1");
	EXPECT_EQ(device_load(self->dst, self->stream, len, MIB), -EINVAL);
	EXPECT_EQ(vfio_state_get(self->dst->fd), ERROR);
	EXPECT_EQ(set_state(self->dst, RUNNING, NULL), -EINVAL);
	ASSERT_EQ(ioctl(self->dst->fd, VFIO_DEVICE_RESET), 0);
	EXPECT_EQ(vfio_state_get(self->dst->fd), RUNNING);
}

TEST_F(migsim, fail_arc)
{
	char text[64];
	int fd;

	ASSERT_EQ(attr_write(self->src->addr, "fail_arc", "STOP>STOP_COPY:28:2"),
		  0);
	EXPECT_EQ(set_state(self->src, STOP_COPY, &fd), -ENOSPC);
	EXPECT_EQ(vfio_state_get(self->src->fd), STOP);
	EXPECT_EQ(set_state(self->src, STOP_COPY, &fd), -ENOSPC);
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	close(fd);
	attr_read(self->src->addr, "fail_arc", text, sizeof(text));
	EXPECT_STREQ(text, "none");

	attr_write(self->src->addr, "fail_to_error", "1");
	attr_write(self->src->addr, "fail_arc", "STOP>RUNNING_P2P");
	EXPECT_EQ(set_state(self->src, RUNNING, NULL), -EIO);
	EXPECT_EQ(vfio_state_get(self->src->fd), ERROR);

	EXPECT_EQ(attr_write(self->src->addr, "fail_arc", "STOP>NOWHERE"),
		  -EINVAL);
	EXPECT_EQ(attr_write(self->src->addr, "fail_arc", "STOP"), -EINVAL);
	EXPECT_EQ(attr_write(self->src->addr, "fail_arc", "STOP>STOP:-5"),
		  -ERANGE);
}

TEST_F(migsim, fail_byte)
{
	long len;
	int fd;

	attr_write(self->src->addr, "fail_read_at", "1000:5:1");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(read(fd, self->stream, MIB), 1000);
	EXPECT_EQ(read(fd, self->stream + 1000, MIB), -1);
	EXPECT_EQ(errno, EIO);
	len = stream_read(fd, self->stream + 1000, STREAM_MAX - 1000, MIB);
	EXPECT_EQ(len, MIB + MIGSIM_HEAD - 1000);
	close(fd);
	len += 1000;

	attr_write(self->dst->addr, "fail_write_at", "777777:28:1");
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	EXPECT_EQ(write(fd, self->stream, len), 777777);
	EXPECT_EQ(write(fd, self->stream + 777777, 1), -1);
	EXPECT_EQ(errno, ENOSPC);
	EXPECT_EQ(stream_write(fd, self->stream + 777777, len - 777777, MIB),
		  len - 777777);
	EXPECT_EQ(set_state(self->dst, RUNNING, NULL), 0);
	close(fd);
}

TEST_F(migsim, short_steps)
{
	int fd;

	attr_write(self->src->addr, "read_chunk", "1000");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(read(fd, self->stream, MIB), 1000);
	EXPECT_EQ(read(fd, self->stream, 10), 10);
	attr_write(self->src->addr, "read_chunk", "0");
	EXPECT_EQ(read(fd, self->stream, MIB), MIB + MIGSIM_HEAD - 1010);
	EXPECT_EQ(read(fd, self->stream, MIB), 0);
	close(fd);

	attr_write(self->dst->addr, "write_chunk", "7");
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	EXPECT_EQ(write(fd, self->stream, 100), 7);
	close(fd);
}

/*
 * waited_ns() - how long this thread has not run: how long it takes to do something is a
 * matter of the machine
 */
static __u64 waited_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return now_ns() - (ts.tv_sec * 1000000000ULL + ts.tv_nsec);
}

TEST_F(migsim, pace)
{
	__u64 start, took, waited;
	int fd;

	attr_write(self->src->addr, "read_us_per_mib", "200000");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	start = now_ns();
	waited = waited_ns();
	EXPECT_EQ(stream_read(fd, self->stream, STREAM_MAX, 512),
		  MIB + MIGSIM_HEAD);
	waited = waited_ns() - waited;
	took = now_ns() - start;
	EXPECT_GE(took, 200000000);
	/* as a big one does; with a tick for every few reads it would be seconds */
	EXPECT_LT(waited, 1000000000);
	close(fd);
	TH_LOG("1 MiB in reads of 512 bytes at 200 ms per MiB: %llu us, %llu us of them waiting",
	       took / 1000, waited / 1000);

	attr_write(self->dst->addr, "write_us_per_mib", "100000");
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	start = now_ns();
	waited = waited_ns();
	EXPECT_EQ(write(fd, self->stream, MIB), MIB);
	waited = waited_ns() - waited;
	took = now_ns() - start;
	EXPECT_GE(took, 100000000);
	EXPECT_LT(waited, 500000000);
	close(fd);
}

static void on_alarm(int sig)
{
}

TEST_F(migsim, signals)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = {
		.it_interval.tv_usec = 10000,
		.it_value.tv_usec = 10000,
	};
	char *twin = malloc(STREAM_MAX);
	int fd, interrupted = 0;
	long len, done = 0;

	ASSERT_NE(twin, NULL);
	len = device_save(self->src, twin, MIB);
	attr_write(self->src->addr, "read_us_per_mib", "300000");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (done < len) {
		ssize_t n = read(fd, self->stream + done, 100 * KIB);

		if (n > 0)
			done += n;
		else if (n < 0 && errno == EINTR)
			interrupted++;
		else
			break;
	}
	timer.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	EXPECT_EQ(done, len);
	EXPECT_GT(interrupted, 0);
	EXPECT_EQ(memcmp(twin, self->stream, len), 0);
	close(fd);
	free(twin);
}

TEST_HARNESS_MAIN
