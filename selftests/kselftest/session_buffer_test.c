// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_LOAD_BUFFER: the VMM hands in frames that it received itself. In any
 * order and by any number of threads all of them load; memory is bounded; what is
 * wrong with the call leaves the session as it was.
 */
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "buffer_fixture.h"

/* All is there, and the device runs with it. */
static void check_loaded(struct __test_metadata *_metadata,
			 struct _test_data_buffer *self, int n)
{
	struct pair pair = { .src = &self->dev[SOURCE], .n = 1 };
	struct timeline t;
	__u32 size = 16;
	char blob[16];
	int i;

	ASSERT_EQ(0, session_wait(self->fd, M_LOADED | M_HANDED_OVER, WAIT_MS));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, session_timeline(self->fd, &t));
	for (i = 0; i < n; i++) {
		pair.dst = &self->dev[i];
		EXPECT_TRUE(pair_equal(&pair));
		EXPECT_EQ(self->size, t.dev[i].bytes);
		EXPECT_EQ(self->frames + 1, t.dev[i].frames);
		EXPECT_NE(0, t.dev[i].first_byte_ns);
		EXPECT_NE(0, t.dev[i].phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns);
		size = sizeof(blob);
		EXPECT_EQ(0, session_config_get(self->fd, i, blob, &size));
		EXPECT_EQ(10, size);
		EXPECT_EQ(0, memcmp(blob, idstrs[i], 10));
	}
	EXPECT_GE(STAGING, t.t.staging_peak);
}

/* --- what must work --------------------------------------------------------------- */

TEST_F(buffer, in_order)
{
	struct timeline t;
	__u32 i;

	ASSERT_EQ(0, load(self, 1));
	for (i = 0; i < self->frames; i++)
		ASSERT_EQ(0, hand_in(self, 0, D0, i));
	ASSERT_EQ(0, end(self, D0));
	check_loaded(_metadata, self, 1);
	ASSERT_EQ(0, session_timeline(self->fd, &t));
	EXPECT_EQ(0, t.dev[0].nr_channels);
}

/* The largest frames that there are, and the end before the beginning. */
TEST_F(buffer, large_frames)
{
	const __u32 size = PEER_DATA_MAX;
	__u32 i;

	ASSERT_EQ(0, make_state(self, 3 * MIB));
	ASSERT_EQ(0, load(self, 1));
	self->frames = (self->size + size - 1) / size;
	ASSERT_EQ(0, end(self, D0));
	for (i = 0; i < self->frames; i++)
		ASSERT_EQ(0, session_load_buffer(self->fd, 0, D0, i, false,
						 self->state + (size_t)i * size,
						 self->size - i * size < size ?
						 self->size - i * size : size));
	check_loaded(_metadata, self, 1);
}

/* Staging is two frames: one for what is not the next, one for the next. */
TEST_F(buffer, backwards)
{
	__u32 next = 0, i;

	ASSERT_EQ(0, load(self, 1));
	ASSERT_EQ(0, end(self, D0));
	ASSERT_EQ(0, hand_in(self, NONBLOCK, D0, self->frames - 1));
	while (next < self->frames - 1) {
		for (i = self->frames - 2; i > next; i--)
			ASSERT_EQ(-EAGAIN, hand_in(self, NONBLOCK, D0, i));
		/* the memory of the one before may still be in use */
		ASSERT_EQ(0, hand_in(self, 0, D0, next++));
	}
	check_loaded(_metadata, self, 1);
}

/**
 * struct connection - a thread with the frames of one of a VMM's connections
 * @self: the test
 * @nr: which one
 * @ret: of its last call
 * @over: it ended
 * @tid: of a thread that is to wait, 0 before it begins
 */
struct connection {
	struct _test_data_buffer *self;
	unsigned int nr;
	int ret;
	atomic_bool over;
	pid_t tid;
	pthread_t thread;
};

#define CONNECTIONS	4

/* As QEMU puts frames of two devices on its channels: in turn, in a random order. */
static unsigned int connection_of(const char *idstr, __u32 idx)
{
	return ((idx * 2 + (idstr == idstrs[1])) * 2654435761u >> 16) % CONNECTIONS;
}

static void *connection_run(void *arg)
{
	struct connection *c = arg;
	int i;
	__u32 idx;

	for (idx = 0; idx < c->self->frames && !c->ret; idx++)
		for (i = 0; i < 2 && !c->ret; i++)
			if (connection_of(idstrs[i], idx) == c->nr)
				c->ret = hand_in(c->self, 0, idstrs[i], idx);
	c->over = true;
	return NULL;
}

TEST_F(buffer, connections)
{
	struct connection c[CONNECTIONS];
	unsigned int i;

	/* a device that takes its time, so that threads wait */
	ASSERT_EQ(0, attr_write_num(self->dev[1].addr, "write_us_per_mib", 1000000));
	ASSERT_EQ(0, load(self, 2));
	for (i = 0; i < CONNECTIONS; i++) {
		c[i] = (struct connection){ .self = self, .nr = i };
		ASSERT_EQ(0, pthread_create(&c[i].thread, NULL, connection_run, &c[i]));
	}
	for (i = 0; i < CONNECTIONS; i++) {
		pthread_join(c[i].thread, NULL);
		EXPECT_EQ(0, c[i].ret);
	}
	ASSERT_EQ(0, end(self, D0));
	ASSERT_EQ(0, end(self, D1));
	check_loaded(_metadata, self, 2);
}

/* Even frames come by a channel, which then ends: that alone is no end. */
TEST_F(buffer, beside_a_channel)
{
	const __u32 last = self->frames - 1;	/* even: 64 KiB and a header of 64 bytes */
	struct peer_frame head;
	__u32 i;
	int fd[2];

	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, D0, 0));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	ASSERT_EQ(0, session_load(self->fd, VFIO_MIGMUX_LOAD_BUFFERS, NONE, STAGING));
	ASSERT_EQ(0, peer_send_init(fd[1], 0));
	for (i = 0; i <= last; i += 2) {
		head = peer_frame(D0, i, frame_size(self, i), false);
		ASSERT_EQ(0, peer_send(fd[1], &head, sizeof(head)));
		ASSERT_EQ(0, peer_send(fd[1], self->state + (size_t)i * FRAME,
				       frame_size(self, i)));
	}
	shutdown(fd[1], SHUT_WR);
	for (i = 1; i < last; i += 2)
		ASSERT_EQ(0, hand_in(self, 0, D0, i));
	/* when it has all, the channel's end is next */
	ASSERT_EQ(0, attr_wait(self->dev[0].addr, "loaded_bytes", self->size));
	EXPECT_EQ(M_READY, session_reached(self->fd));
	ASSERT_EQ(0, end(self, D0));
	check_loaded(_metadata, self, 1);
	close(fd[0]);
	close(fd[1]);
}

/* KiB that the kernel has allocated, in whichever way it gets a config blob. */
static long kernel_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long kib, sum = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %ld", &kib) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &kib) == 1)
			sum += kib;
	if (file)
		fclose(file);
	return sum;
}

/* Blobs that were set before the session loads, and those that come. */
static int load_over(struct _test_data_buffer *self, int fd, char *blob, __u32 size)
{
	int i, ret = 0;

	memset(blob, 'a', size);
	for (i = 0; i < SESSION_DEVICES && ret >= 0; i++) {
		ret = session_device_add(fd, self->dev[i].fd, idstrs[i], 0);
		if (ret >= 0)
			ret = session_config_set(fd, i, blob, size);
	}
	if (ret >= 0)
		ret = session_load(fd, VFIO_MIGMUX_LOAD_BUFFERS, NONE, STAGING);
	memset(blob, 'b', size);
	for (i = 0; i < SESSION_DEVICES && !ret; i++)
		ret = session_load_buffer(fd, 0, idstrs[i], 0, true, blob, size);
	if (!ret)
		ret = session_wait(fd, M_LOADED | M_HANDED_OVER, WAIT_MS);
	blob[0] = 0;
	return ret ?: session_config_get(fd, 0, blob, &size) ?:
	       session_set_state(fd, RUNNING, NONE, 0, 0, NULL);
}

#define ROUNDS	16

/* They take the place of the old ones, which are freed. */
TEST_F(buffer, config_set_before)
{
	const __u32 size = session_info(self->fd).config_max;
	const long all_kib = ROUNDS * SESSION_DEVICES * (size >> 10);
	char *blob = malloc(size);
	int i, fd, ret = 0;
	long before = 0;

	ASSERT_NE(NULL, blob);
	/* any state will do, also none */
	for (i = 0; i < SESSION_DEVICES; i++)
		ASSERT_EQ(0, attr_write(self->dev[i].addr, "headerless", "1"));
	/* the first round is for what stays */
	for (i = 0; i <= ROUNDS && !ret; i++) {
		fd = session_open();
		ASSERT_LE(0, fd);
		ret = load_over(self, fd, blob, size);
		close(fd);
		EXPECT_EQ('b', blob[0]);
		if (!i)
			before = kernel_kib();
	}
	EXPECT_EQ(0, ret);
	EXPECT_GT(all_kib / 2, kernel_kib() - before);
	free(blob);
}

/* --- who waits -------------------------------------------------------------------- */

static void *wait_for_memory(void *arg)
{
	struct connection *c = arg;

	__atomic_store_n(&c->tid, gettid(), __ATOMIC_RELEASE);
	c->ret = hand_in(c->self, 0, D0, 2);
	c->over = true;
	return NULL;
}

/* Is the thread asleep in an ioctl? */
static bool waits(const struct connection *c)
{
	const pid_t tid = __atomic_load_n(&c->tid, __ATOMIC_ACQUIRE);
	char name[64], text[64] = "";
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/syscall", tid);
	fd = tid ? open(name, O_RDONLY) : -1;
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return isdigit(text[0]) && atoi(text) == SYS_ioctl;
}

/* A thread that waits with frame 2: the frame before it has not come, 3 takes memory. */
static int waiter_start(struct connection *c, struct _test_data_buffer *self)
{
	int ret;

	*c = (struct connection){ .self = self };
	ret = load(self, 1) ?: hand_in(self, NONBLOCK, D0, 3) ?:
	      -pthread_create(&c->thread, NULL, wait_for_memory, c);
	while (!ret && !waits(c) && !c->over)
		usleep(1000);
	return ret;
}

TEST_F(buffer, waits)
{
	struct connection c;
	struct timeline t;
	__u32 i;

	ASSERT_EQ(0, waiter_start(&c, self));
	ASSERT_EQ(-EAGAIN, hand_in(self, NONBLOCK, D0, 4));
	ASSERT_EQ(0, hand_in(self, 0, D0, 0));
	EXPECT_FALSE(c.over);
	ASSERT_EQ(0, hand_in(self, 0, D0, 1));
	pthread_join(c.thread, NULL);
	EXPECT_EQ(0, c.ret);
	for (i = 4; i < self->frames; i++)
		ASSERT_EQ(0, hand_in(self, 0, D0, i));
	ASSERT_EQ(0, end(self, D0));
	check_loaded(_metadata, self, 1);
	ASSERT_EQ(0, session_timeline(self->fd, &t));
	EXPECT_NE(0, t.dev[0].stall_staging_ns);
}

static void no_op(int signo)
{
	(void)signo;
}

TEST_F(buffer, interrupted)
{
	const struct sigaction act = { .sa_handler = no_op, .sa_flags = SA_RESTART };
	struct connection c;
	__u32 i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	ASSERT_EQ(0, waiter_start(&c, self));
	while (!c.over) {
		pthread_kill(c.thread, SIGUSR1);
		usleep(1000);
	}
	pthread_join(c.thread, NULL);
	EXPECT_EQ(-EINTR, c.ret);
	/* the frame was not taken */
	for (i = 0; i < self->frames; i++)
		if (i != 3)
			ASSERT_EQ(0, hand_in(self, 0, D0, i));
	ASSERT_EQ(0, end(self, D0));
	check_loaded(_metadata, self, 1);
}

TEST_F(buffer, aborted)
{
	struct connection c;

	ASSERT_EQ(0, waiter_start(&c, self));
	ASSERT_EQ(0, session_abort(self->fd, NONE));
	pthread_join(c.thread, NULL);
	EXPECT_EQ(-ECANCELED, c.ret);
	EXPECT_EQ(-ECANCELED, hand_in(self, 0, D0, 0));
	EXPECT_EQ(0, device_reset(&self->dev[0]));
}

/* --- calls that are wrong ----------------------------------------------------------- */

TEST_F(buffer, not_loading)
{
	EXPECT_SAYS(EBUSY, "VFIO_MIGMUX_LOAD_BUFFERS", hand_in(self, 0, D0, 0));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, D0, 0));
	EXPECT_SAYS(ENOTCONN, "no channel", session_load(self->fd, 0, NONE, STAGING));
	/* a verdict goes by channel */
	EXPECT_SAYS(ENOTCONN, "no channel",
		    session_load(self->fd, VFIO_MIGMUX_LOAD_BUFFERS |
				 VFIO_MIGMUX_LOAD_VERDICT, NONE, STAGING));
	EXPECT_SAYS(EBUSY, "VFIO_MIGMUX_LOAD_BUFFERS", hand_in(self, 0, D0, 0));
}

TEST_F(buffer, not_asked_for)
{
	int fd[2];

	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, D0, 0));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	ASSERT_EQ(0, session_load(self->fd, 0, NONE, STAGING));
	EXPECT_SAYS(EBUSY, "VFIO_MIGMUX_LOAD_BUFFERS", hand_in(self, 0, D0, 0));
	EXPECT_EQ(0, session_abort(self->fd, NONE));
	EXPECT_EQ(0, device_reset(&self->dev[0]));
	close(fd[0]);
	close(fd[1]);
}

TEST_F(buffer, unknown_flag)
{
	ASSERT_EQ(0, load(self, 1));
	EXPECT_SAYS(EINVAL, "flags 0x80000000", hand_in(self, 1u << 31, D0, 0));
	EXPECT_EQ(M_READY, session_reached(self->fd));
}

TEST_F(buffer, other_process)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, load(self, 1));
	pid = fork();
	if (!pid)
		_exit(hand_in(self, 0, D0, 0) == -EPERM ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(M_READY, session_reached(self->fd));
}

/* What cannot be read was never handed in. */
TEST_F(buffer, bad_memory)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	__u32 *payload, i;
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page, page));
	payload = (__u32 *)(map + page - 12);
	ASSERT_EQ(0, load(self, 1));
	/* all of it, half of the header, the data; of a config frame */
	EXPECT_EQ(-EFAULT, session_load_payload(self->fd, 0, D0, NULL, 12 + FRAME));
	EXPECT_EQ(-EFAULT, session_load_payload(self->fd, 0, D0, (void *)~0xfffUL,
						12 + FRAME));
	EXPECT_EQ(-EFAULT, session_load_payload(self->fd, 0, D0, map + page - 6, 12 + FRAME));
	EXPECT_EQ(-EFAULT, session_load_payload(self->fd, 0, D0, payload, 12 + FRAME));
	payload[2] = peer_put32(1);
	EXPECT_EQ(-EFAULT, session_load_payload(self->fd, 0, D0, payload, 12 + FRAME));
	munmap(map, page);

	EXPECT_EQ(M_READY, session_reached(self->fd));
	for (i = 0; i < self->frames; i++)
		ASSERT_EQ(0, hand_in(self, 0, D0, i));
	ASSERT_EQ(0, end(self, D0));
	check_loaded(_metadata, self, 1);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
