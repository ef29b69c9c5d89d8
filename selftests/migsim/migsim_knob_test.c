// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself: the knobs with which several devices get in each
 * other's way, resets that nobody asked for, failures of any arc, data_fds that are
 * counted
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "migsim_fixture.h"

#define ARC_MS		100
#define ARC_NS		(ARC_MS * 1000000ULL)

static int read_errno(int fd)
{
	char byte;
	ssize_t n = read(fd, &byte, 1);

	return n < 0 ? -errno : n;
}

/* The last line of a device's log. */
struct last_arc {
	__u64 start_ns, end_ns;
	char from[16], to[16];
	int error;
};

static int last_arc(const char *addr, struct last_arc *arc)
{
	char log[8192], *line;

	if (attr_read(addr, "arcs_log", log, sizeof(log)))
		return -1;
	line = strrchr(log, '\n');
	return sscanf(line ? line + 1 : log, "%llu %llu %15s %15s %d",
		      &arc->start_ns, &arc->end_ns, arc->from, arc->to,
		      &arc->error) == 5 ? 0 : -1;
}

/* --- two devices at once ---------------------------------------------------------- */

struct mover {
	const struct vfio_dev *dev;
	unsigned int state;
	int ret;
};

static void *mover_run(void *arg)
{
	struct mover *mover = arg;

	mover->ret = set_state(mover->dev, mover->state, NULL);
	return NULL;
}

static void move_both(struct _test_data_migsim *self, unsigned int state,
		      int *ret)
{
	struct mover mover[2] = {
		{ .dev = self->src, .state = state },
		{ .dev = self->dst, .state = state },
	};
	pthread_t thread;

	pthread_create(&thread, NULL, mover_run, &mover[0]);
	mover_run(&mover[1]);
	pthread_join(thread, NULL);
	ret[0] = mover[0].ret;
	ret[1] = mover[1].ret;
}

static bool overlap(struct _test_data_migsim *self)
{
	struct last_arc a, b;

	if (last_arc(self->addr[0], &a) || last_arc(self->addr[1], &b))
		return false;
	return a.start_ns < b.end_ns && b.start_ns < a.end_ns;
}

TEST_F(migsim, serial)
{
	int ret[2];

	if (self->src == self->dst)
		SKIP(return, "there is only one device");
	attr_write_num(self->addr[0], "arc_ms", ARC_MS);
	attr_write_num(self->addr[1], "arc_ms", ARC_MS);

	/* no group: side by side */
	move_both(self, RUNNING_P2P, ret);
	EXPECT_EQ(ret[0] | ret[1], 0);
	EXPECT_TRUE(overlap(self));

	/* one group */
	ASSERT_EQ(attr_write_num(self->addr[0], "serial", 31), 0);
	ASSERT_EQ(attr_write_num(self->addr[1], "serial", 31), 0);
	move_both(self, STOP, ret);
	EXPECT_EQ(ret[0] | ret[1], 0);
	EXPECT_FALSE(overlap(self));

	/* two groups */
	ASSERT_EQ(attr_write_num(self->addr[1], "serial", 1), 0);
	move_both(self, RUNNING_P2P, ret);
	EXPECT_EQ(ret[0] | ret[1], 0);
	EXPECT_TRUE(overlap(self));
	EXPECT_EQ(attr_write_num(self->addr[1], "serial", 32), -ERANGE);
}

TEST_F(migsim, arc_cap)
{
	struct last_arc arc;
	int ret[2], refused;

	if (self->src == self->dst)
		SKIP(return, "there is only one device");
	attr_write_num(self->addr[0], "arc_ms", ARC_MS);
	attr_write_num(self->addr[1], "arc_ms", ARC_MS);
	ASSERT_EQ(param_write("arc_cap", "1"), 0);
	move_both(self, RUNNING_P2P, ret);
	EXPECT_EQ(ret[0] + ret[1], -ENOSPC);
	refused = ret[1] == -ENOSPC;
	ASSERT_EQ(last_arc(self->addr[refused], &arc), 0);
	EXPECT_EQ(arc.error, -ENOSPC);
	EXPECT_LT(arc.end_ns - arc.start_ns, ARC_NS / 2);
	EXPECT_EQ(vfio_state_get(self->set.dev[refused].fd), RUNNING);
	EXPECT_EQ(vfio_state_get(self->set.dev[!refused].fd), RUNNING_P2P);

	/* what waits for its turn counts */
	ASSERT_EQ(set_state(&self->set.dev[!refused], RUNNING, NULL), 0);
	attr_write_num(self->addr[0], "serial", 1);
	attr_write_num(self->addr[1], "serial", 1);
	move_both(self, RUNNING_P2P, ret);
	EXPECT_EQ(ret[0] + ret[1], -ENOSPC);

	ASSERT_EQ(param_write("arc_cap", "2"), 0);
	move_both(self, STOP, ret);
	EXPECT_EQ(ret[0] | ret[1], 0);
	ASSERT_EQ(param_write("arc_cap", "0"), 0);
}

/* --- resets ------------------------------------------------------------------------ */

TEST_F(migsim, sudden_reset)
{
	char crc[32], again[32];
	int fd;

	attr_read(self->src->addr, "payload_crc", crc, sizeof(crc));
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(read_errno(fd), 1);
	attr_write(self->src->addr, "arcs_log", "0");
	ASSERT_EQ(attr_write(self->src->addr, "reset", "1"), 0);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	close(fd);

	/* what was loaded is lost, and no arc was taken */
	ASSERT_EQ(attr_write(self->src->addr, "headerless", "1"), 0);
	ASSERT_EQ(device_load(self->src, "abc", 3, 3), 0);
	attr_read(self->src->addr, "payload_crc", again, sizeof(again));
	EXPECT_STRNE(crc, again);
	attr_write(self->src->addr, "arcs_log", "0");
	ASSERT_EQ(attr_write(self->src->addr, "reset", "1"), 0);
	attr_read(self->src->addr, "payload_crc", again, sizeof(again));
	EXPECT_STREQ(crc, again);
	attr_read(self->src->addr, "arcs_log", again, sizeof(again));
	EXPECT_STREQ(again, "");

	EXPECT_EQ(attr_write(self->src->addr, "reset", "0"), -EINVAL);
	devices_close(self);
	EXPECT_EQ(attr_write(self->addr[0], "reset", "1"), -ENODEV);
}

static void *reset_soon(void *arg)
{
	usleep(ARC_MS * 1000 / 2);
	attr_write(arg, "reset", "1");
	return NULL;
}

/* The arc ends as it would, and then the device is reset. */
TEST_F(migsim, reset_during_arc)
{
	pthread_t thread;
	__u64 start;
	int fd;

	ASSERT_EQ(attr_write(self->src->addr, "arcs", "STOP>STOP_COPY=100"), 0);
	ASSERT_EQ(set_state(self->src, STOP, NULL), 0);
	pthread_create(&thread, NULL, reset_soon, self->src->addr);
	start = now_ns();
	EXPECT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_GE(now_ns() - start, ARC_NS);
	pthread_join(thread, NULL);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	close(fd);
	attr_write(self->src->addr, "arcs", "STOP>STOP_COPY=default");
}

TEST_F(migsim, reset_at_arc)
{
	const char *addr = self->src->addr;
	char text[64];
	int fd;

	ASSERT_EQ(attr_write(addr, "reset_at_arc", "STOP>STOP_COPY:1"), 0);
	attr_read(addr, "reset_at_arc", text, sizeof(text));
	EXPECT_STREQ(text, "STOP>STOP_COPY:1");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	close(fd);
	attr_read(addr, "reset_at_arc", text, sizeof(text));
	EXPECT_STREQ(text, "none");

	/* in the middle of a path: the path is gone to its end */
	ASSERT_EQ(attr_write(addr, "reset_at_arc", "RUNNING>RUNNING_P2P"), 0);
	EXPECT_EQ(set_state(self->src, STOP, NULL), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	EXPECT_EQ(set_state(self->src, RUNNING_P2P, NULL), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	ASSERT_EQ(attr_write(addr, "reset_at_arc", "none"), 0);
	EXPECT_EQ(set_state(self->src, RUNNING_P2P, NULL), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING_P2P);

	EXPECT_EQ(attr_write(addr, "reset_at_arc", "STOP"), -EINVAL);
	EXPECT_EQ(attr_write(addr, "reset_at_arc", "STOP>NOWHERE"), -EINVAL);
	EXPECT_EQ(attr_write(addr, "reset_at_arc", "STOP>STOP:x"), -EINVAL);
}

/* --- failures ---------------------------------------------------------------------- */

/* Any arc of any device can fail, once, with the errno that was asked for. */
TEST_F(migsim, fail_any_arc)
{
	static const struct {
		unsigned int from, to;
	} arcs[] = {
		{ RUNNING, RUNNING_P2P }, { RUNNING_P2P, STOP },
		{ STOP, STOP_COPY }, { STOP_COPY, STOP }, { STOP, RESUMING },
		{ RESUMING, STOP }, { STOP, RUNNING_P2P },
		{ RUNNING_P2P, PRE_COPY_P2P }, { PRE_COPY_P2P, PRE_COPY },
		{ PRE_COPY, PRE_COPY_P2P }, { PRE_COPY_P2P, RUNNING_P2P },
		{ RUNNING_P2P, RUNNING }, { RUNNING, PRE_COPY },
		{ PRE_COPY, PRE_COPY_P2P }, { PRE_COPY_P2P, STOP_COPY },
	};
	char knob[64];
	size_t i, j;

	devices_close(self);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(attr_write(self->addr[i], "precopy", "1"), 0);
		ASSERT_EQ(attr_write(self->addr[i], "headerless", "1"), 0);
	}
	ASSERT_EQ(devices_open(self), 0);
	for (i = 0; i < ARRAY_SIZE(arcs); i++) {
		snprintf(knob, sizeof(knob), "%s>%s:28:1",
			 vfio_state_name(arcs[i].from),
			 vfio_state_name(arcs[i].to));
		for (j = 0; j < self->set.n; j++) {
			struct vfio_dev *dev = &self->set.dev[j];

			ASSERT_EQ(attr_write(dev->addr, "fail_arc", knob), 0);
			EXPECT_EQ(set_state(dev, arcs[i].to, NULL), -ENOSPC)
				TH_LOG("%s", knob);
			EXPECT_EQ(vfio_state_get(dev->fd), arcs[i].from);
			EXPECT_EQ(set_state(dev, arcs[i].to, NULL), 0)
				TH_LOG("%s", knob);
		}
	}
	devices_close(self);
}

/* --- data_fds ---------------------------------------------------------------------- */

TEST_F(migsim, data_files)
{
	const char *addr = self->src->addr;
	int fd, late;

	EXPECT_EQ(attr_read_num(addr, "data_files"), 0);
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(attr_read_num(addr, "data_files"), 1);
	/* of no use any more, but alive; then a second one */
	ASSERT_EQ(set_state(self->src, STOP, NULL), 0);
	EXPECT_EQ(attr_read_num(addr, "data_files"), 1);
	ASSERT_EQ(set_state(self->src, RESUMING, &late), 0);
	EXPECT_EQ(attr_read_num(addr, "data_files"), 2);
	close(fd);
	EXPECT_EQ(attr_read_num(addr, "data_files"), 1);
	/* the device still holds it */
	close(late);
	EXPECT_EQ(attr_read_num(addr, "data_files"), 1);
	ASSERT_EQ(attr_write(addr, "reset", "1"), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	EXPECT_EQ(attr_read_num(addr, "data_files"), 0);

	/* one that outlives the device is not counted with the next one */
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	devices_close(self);
	EXPECT_EQ(attr_read_num(self->addr[0], "data_files"), 1);
	ASSERT_EQ(driver_write("unbind", self->addr[0]), 0);
	ASSERT_EQ(driver_write("bind", self->addr[0]), 0);
	EXPECT_EQ(attr_read_num(self->addr[0], "data_files"), 0);
	close(fd);
}

TEST_HARNESS_MAIN
