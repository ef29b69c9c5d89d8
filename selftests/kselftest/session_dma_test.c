// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is mapped ahead of time, by a type1 container: what is mapped and what is
 * reported, cancelling, changes while it runs, and devices that have to wait for it.
 *
 * What is mapped is asked of the container, by VFIO's own ioctls, and of the kernel's
 * counters.
 */
#include "memory.h"
#include "session_fixture.h"

#define BIG	(192 * MIB)	/* takes a while */
#define AT	(4UL << 30)	/* where devices see memory */

FIXTURE(dma)
{
	FIXTURE_DATA(vmm) vmm;
	int container;
	long pinned;
	struct dma state;
};

FIXTURE_SETUP(dma)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->container = devices.container;
	ASSERT_LE(0, type1_unmap_all(self->container));
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
	ASSERT_EQ(0, memory_locked());
}

FIXTURE_TEARDOWN(dma)
{
	close(self->vmm.fd);
	self->vmm.fd = session_open();
	/* what a test has left, and nothing stays pinned behind that */
	EXPECT_LE(0, type1_unmap_all(self->container));
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define FD	(self->vmm.fd)
#define STATE	(&self->state)

static int map(struct _test_data_dma *self, struct vfio_migmux_dma_range *ranges, int n)
{
	return session_dma_map(FD, self->container, 0, PIECE, ranges, n);
}

/* Until some of it is mapped, and not all; events tell. */
static int map_some(struct _test_data_dma *self, struct vfio_migmux_dma_range *range)
{
	int ret = map(self, range, 1);

	while (ret >= 0 && ret < 50)
		ret = dma_event(FD);
	return ret < 0 ? ret : ret < 1000 ? 0 : -EALREADY;
}

/* All of the ranges' bytes, or -1 if one has not got that much mapped. */
static long mapped(const struct dma *state)
{
	long sum = 0;
	__u32 i;

	for (i = 0; i < state->w.nr_ranges; i++)
		sum += state->range[i].mapped;
	return sum == state->w.mapped ? sum : -1;
}

TEST_F(dma, maps)
{
	char *at = memory_new(32 * MIB);
	struct vfio_migmux_dma_range r[3] = {
		memory_range(0, at, MIB),
		memory_range(AT + MIB, at + 2 * MIB, 11 * MIB),
		memory_range(16 * MIB, at + 16 * MIB, 4096),
	};
	int i, told = 0, now;

	ASSERT_NE(NULL, at);
	r[2].flags = VFIO_MIGMUX_DMA_READ;
	ASSERT_EQ(0, map(self, r, 3));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(12 * MIB + 4096, STATE->w.bytes);
	EXPECT_EQ(12 * MIB + 4096, mapped(STATE));
	EXPECT_EQ(12 * MIB + 4096, memory_locked());
	EXPECT_EQ(self->pinned + (12 * MIB + 4096) / 4096, memory_pinned());
	ASSERT_EQ(3, STATE->w.nr_ranges);
	EXPECT_EQ(0, STATE->w.nr_failed);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(r[i].iova, STATE->range[i].iova);
		EXPECT_EQ(r[i].vaddr, STATE->range[i].vaddr);
		EXPECT_EQ(r[i].size, STATE->range[i].size);
		EXPECT_EQ(r[i].flags, STATE->range[i].flags);
		EXPECT_EQ(0, STATE->range[i].error);
		EXPECT_EQ(0, STATE->range[i].target);
	}
	/* events count up to the end */
	do {
		now = dma_event(FD);
		EXPECT_LE(told, now);
		told = now;
	} while (now >= 0 && now < 1000);
	EXPECT_EQ(1000, told);

	/* for the VMM these are its own mappings */
	EXPECT_EQ(MIB, type1_unmap(self->container, 0, MIB));
	EXPECT_EQ(11 * MIB, type1_unmap(self->container, AT + MIB, 11 * MIB));
	EXPECT_EQ(4096, type1_unmap(self->container, 16 * MIB, 4096));
	EXPECT_EQ(0, memory_locked());
}

/* A session that is done leaves them to the VMM. */
TEST_F(dma, close_when_done)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(8 * MIB), 8 * MIB);

	ASSERT_EQ(0, map(self, &r, 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	close(FD);
	FD = session_open();
	EXPECT_EQ(8 * MIB, memory_locked());
	EXPECT_EQ(8 * MIB, type1_unmap_all(self->container));
}

TEST_F(dma, close_while_mapping)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, map_some(self, &r));
	close(FD);
	FD = session_open();
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_EQ(0, type1_unmap_all(self->container));
}

TEST_F(dma, abort)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(0, memory_new(4 * MIB), 4 * MIB),
		memory_range(AT, memory_new(BIG), BIG),
	};

	ASSERT_EQ(0, session_device_add(FD, self->vmm.dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, map(self, &r[0], 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	ASSERT_EQ(0, map(self, &r[1], 1));
	ASSERT_EQ(0, session_abort(FD, RUNNING));
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, type1_unmap_all(self->container));
	EXPECT_REFUSED(FD, ECANCELED, "aborted", session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(0, STATE->w.mapped);
	EXPECT_EQ(-ECANCELED, map(self, &r[0], 1));
}

/* What cannot be taken away is left, and tried only once. */
TEST_F(dma, abort_in_vain)
{
	struct vfio_migmux_dma_range r = memory_range(AT + 2 * MIB, memory_new(2 * MIB),
						      2 * MIB);

	ASSERT_EQ(0, session_device_add(FD, self->vmm.dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, map(self, &r, 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	/* there is something larger in its place now, of which no part can go */
	ASSERT_EQ(2 * MIB, type1_unmap(self->container, AT + 2 * MIB, 2 * MIB));
	ASSERT_EQ(0, type1_map(self->container, AT, memory_new(8 * MIB), 8 * MIB));
	ASSERT_EQ(0, session_abort(FD, RUNNING));
	close(FD);
	FD = session_open();
	EXPECT_EQ(8 * MIB, type1_unmap_all(self->container));
}

/* What cannot be taken away is told to who asked for it, and to nobody else. */
TEST_F(dma, unmap_in_vain)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(AT + 2 * MIB, memory_new(2 * MIB), 2 * MIB),
		memory_range(0, memory_new(2 * MIB), 2 * MIB),
	};

	ASSERT_EQ(0, map(self, r, 2));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	ASSERT_EQ(2 * MIB, type1_unmap(self->container, AT + 2 * MIB, 2 * MIB));
	ASSERT_EQ(0, type1_map(self->container, AT, memory_new(8 * MIB), 8 * MIB));
	EXPECT_REFUSED(FD, EINVAL, "cannot be taken away at IOVA 0x100200000",
		       session_dma_unmap(FD, 0, r, 1));
	EXPECT_EQ(EINVAL, r[0].error);
	EXPECT_EQ(0, session_dma_unmap(FD, 0, &r[1], 1));
	EXPECT_EQ(0, r[1].error);
	EXPECT_EQ(-EINVAL, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_ALL));
	/* once it can go, it does */
	ASSERT_EQ(8 * MIB, type1_unmap(self->container, AT, 8 * MIB));
	EXPECT_EQ(0, session_dma_unmap(FD, 0, r, 1));
	EXPECT_EQ(0, r[0].error);
}

/* What is reported after a cancel is exactly what is there. */
TEST_F(dma, cancel)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(AT, memory_new(BIG), BIG),
		memory_range(0, memory_new(MIB), MIB),
	};
	struct dma again;
	__u64 there;

	ASSERT_EQ(0, map_some(self, &r[0]));
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	EXPECT_REFUSED(FD, ECANCELED, "cancelled", session_dma_wait(FD, WAIT_MS, STATE));
	there = STATE->range[0].mapped;
	EXPECT_LT(0, there);
	EXPECT_GT(BIG, there);
	EXPECT_EQ(0, STATE->range[0].error);
	EXPECT_EQ(there, memory_locked());
	/* nothing more comes */
	EXPECT_EQ(-ECANCELED, session_dma_wait(FD, WAIT_MS, &again));
	EXPECT_EQ(there, again.w.mapped);
	/* behind that something else can be mapped, and before it there is no gap */
	EXPECT_EQ(0, type1_map(self->container, AT + there, (void *)r[1].vaddr, 4096));
	EXPECT_EQ(4096, type1_unmap(self->container, AT + there, 4096));
	EXPECT_EQ(-EEXIST, type1_map(self->container, AT + there - 4096,
				     (void *)r[1].vaddr, 4096));

	/* it goes on when it is asked to, and ends as if nothing had been */
	ASSERT_EQ(0, map(self, NULL, 0));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(BIG, memory_locked());
	EXPECT_EQ(BIG, type1_unmap(self->container, AT, BIG));
}

TEST_F(dma, close_when_cancelled)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, map_some(self, &r));
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	EXPECT_EQ(-ECANCELED, session_dma_wait(FD, WAIT_MS, STATE));
	close(FD);
	FD = session_open();
	EXPECT_EQ(STATE->w.mapped, type1_unmap_all(self->container));
}

/* Ranges come, go and are replaced while others are being mapped. */
TEST_F(dma, incremental)
{
	char *at = memory_new(16 * MIB), *other = memory_new(4 * MIB);
	struct vfio_migmux_dma_range big = memory_range(AT, memory_new(BIG), BIG);
	struct vfio_migmux_dma_range r[3] = {
		memory_range(0, at, 4 * MIB),
		memory_range(4 * MIB, at + 4 * MIB, 4 * MIB),
		memory_range(8 * MIB, at + 8 * MIB, 4 * MIB),
	};
	struct vfio_migmux_dma_range gone = memory_range(4 * MIB, NULL, 8 * MIB);
	struct vfio_migmux_dma_range swap = memory_range(2 * MIB, other, 4 * MIB);
	char c;

	ASSERT_EQ(0, map_some(self, &big));
	ASSERT_EQ(0, map(self, r, 3));
	EXPECT_EQ(0, session_dma_unmap(FD, 0, &gone, 1));
	EXPECT_REFUSED(FD, EEXIST, "overlaps", map(self, &swap, 1));
	swap.flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, map(self, &swap, 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(BIG + 4 * MIB, STATE->w.bytes);
	EXPECT_EQ(BIG + 4 * MIB, mapped(STATE));
	EXPECT_EQ(2, STATE->w.nr_ranges);
	EXPECT_EQ(BIG + 4 * MIB, memory_locked());
	EXPECT_EQ(0, type1_unmap(self->container, 0, 2 * MIB));
	EXPECT_EQ(4 * MIB, type1_unmap(self->container, 2 * MIB, 4 * MIB));
	/* memory that is not mapped any more is the process's again */
	EXPECT_EQ(0, munmap(at, 16 * MIB));
	c = *other;
	EXPECT_EQ(0, c);

	/* in the middle of it, all goes */
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_ALL));
	ASSERT_EQ(0, session_dma_wait(FD, 0, STATE));
	EXPECT_EQ(0, STATE->w.nr_ranges);
	EXPECT_EQ(0, memory_locked());
	ASSERT_EQ(0, map(self, &big, 1));
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_ALL));
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, type1_unmap_all(self->container));
}

TEST_F(dma, unmap_refused)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(AT, memory_new(4 * MIB), 4 * MIB),
		memory_range(AT + 8 * MIB, memory_new(4 * MIB), 4 * MIB),
	};
	struct vfio_migmux_dma_range bad[2] = { r[0], r[1] };

	EXPECT_REFUSED(FD, ENOENT, "no target 0", session_dma_unmap(FD, 0, r, 1));
	ASSERT_EQ(0, map(self, r, 2));
	bad[1].size = MIB;
	EXPECT_REFUSED(FD, EINVAL, "whole ranges", session_dma_unmap(FD, 0, bad, 2));
	EXPECT_EQ(0, bad[0].error);
	EXPECT_EQ(EINVAL, bad[1].error);
	bad[1].iova = 0;
	EXPECT_REFUSED(FD, ENOENT, "no range", session_dma_unmap(FD, 0, bad, 2));
	EXPECT_REFUSED(FD, ENOENT, "no target 1", session_dma_unmap(FD, 1, r, 1));
	EXPECT_REFUSED(FD, EINVAL, "exclude each other",
		       session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_ALL |
					     VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(8 * MIB, mapped(STATE));
	EXPECT_EQ(8 * MIB, memory_locked());
}

/* --- devices wait ---------------------------------------------------------------------- */

static int stopped_device(struct _test_data_dma *self)
{
	int ret = attr_write_num(self->vmm.dev[0].addr, "arcs_log", 0);

	if (!ret)
		ret = session_device_add(FD, self->vmm.dev[0].fd, idstrs[0], 0);
	return ret ?: session_set_state(FD, STOP, NONE, 0, 0, NULL);
}

/* When the device began to leave STOP. */
static __u64 left_stop(struct _test_data_dma *self)
{
	struct timeline t;

	return session_timeline(FD, &t) ? 0 : t.dev[0].phases[VFIO_MIGMUX_PHASE_RESUME].start_ns;
}

static __u64 all_mapped_at(int fd)
{
	struct vfio_migmux_event event;

	while (session_poll(fd, POLLIN, WAIT_MS) == POLLIN &&
	       session_events(fd, &event, 1) == 1)
		if (event.type == VFIO_MIGMUX_EVENT_DMA && event.value == 1000)
			return event.ns;
	return UINT64_MAX;
}

TEST_F(dma, start_waits)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, stopped_device(self));
	ASSERT_EQ(0, map_some(self, &r));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, 0, 0, NULL));
	EXPECT_EQ(BIG, memory_locked());
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	EXPECT_GT(left_stop(self), all_mapped_at(FD));
	/* what a running device may use is not taken away */
	ASSERT_EQ(0, session_abort(FD, NONE));
	EXPECT_EQ(BIG, memory_locked());
	EXPECT_EQ(BIG, type1_unmap_all(self->container));
}

TEST_F(dma, start_waits_async)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, stopped_device(self));
	ASSERT_EQ(0, map(self, &r, 1));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, VFIO_MIGMUX_SET_STATE_ASYNC, 0,
				       NULL));
	EXPECT_EQ(-EBUSY, session_set_state(FD, RUNNING, STOP, 0, 0, NULL));
	ASSERT_EQ(0, session_wait(FD, M_BATCH, WAIT_MS));
	EXPECT_EQ(BIG, memory_locked());
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	EXPECT_GT(left_stop(self), all_mapped_at(FD));
}

/* What was left when mapping was cancelled is mapped at the start. */
TEST_F(dma, start_maps_the_rest)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, stopped_device(self));
	ASSERT_EQ(0, map_some(self, &r));
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, 0, 0, NULL));
	EXPECT_EQ(BIG, memory_locked());
	EXPECT_GT(left_stop(self), all_mapped_at(FD));
}

/* A device does not start without memory; the VMM can put it right. */
TEST_F(dma, start_fails)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(AT, memory_new(BIG), BIG),
		memory_range(0, memory_new(MIB), MIB),
	};
	struct results results;

	ASSERT_EQ(0, stopped_device(self));
	ASSERT_EQ(0, type1_map(self->container, AT + BIG - 4096, (void *)r[1].vaddr, 4096));
	ASSERT_EQ(0, map(self, r, 1));
	EXPECT_REFUSED(FD, EEXIST, "something else is mapped there",
		       session_set_state(FD, RUNNING, RUNNING, 0, 0, &results));
	EXPECT_EQ(ECANCELED, results.dev[0].error);
	EXPECT_EQ(STOP, results.dev[0].state);
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));
	EXPECT_EQ(4096, memory_locked());
	/* again, and no better */
	EXPECT_EQ(-EEXIST, session_set_state(FD, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));

	EXPECT_EQ(4096, type1_unmap_all(self->container));
	r[0].flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, map(self, r, 1));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, 0, 0, NULL));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	EXPECT_EQ(BIG, memory_locked());
}

TEST_F(dma, start_in_time)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, stopped_device(self));
	ASSERT_EQ(0, map(self, &r, 1));
	EXPECT_EQ(-ETIMEDOUT, session_set_state(FD, RUNNING, STOP, 0, 1, NULL));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, 0, 0, NULL));
}

/* A VMM that gives up while its devices wait. */
TEST_F(dma, abort_at_start)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);

	ASSERT_EQ(0, stopped_device(self));
	ASSERT_EQ(0, map(self, &r, 1));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, VFIO_MIGMUX_SET_STATE_ASYNC, 0,
				       NULL));
	ASSERT_EQ(0, session_abort(FD, NONE));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, type1_unmap_all(self->container));
}

/* The whole way, with memory mapped while the state is loaded. */
TEST_F(dma, migration)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(BIG), BIG);
	struct pair pair;

	ASSERT_EQ(0, pair_open(&pair, &self->vmm.dev[0], &self->vmm.dev[1], 1, 2));
	EXPECT_EQ(0, session_dma_map(pair.to, self->container, 0, PIECE, &r, 1));
	ASSERT_EQ(0, pair_start(&pair, true, STAGING));
	EXPECT_EQ(-EBUSY, session_dma_map(pair.from, self->container, 0, PIECE, &r, 1));
	EXPECT_EQ(0, pair_finish(&pair));
	EXPECT_EQ(0, session_set_state(pair.to, RUNNING, NONE, 0, 0, NULL));
	EXPECT_EQ(BIG, memory_locked());
	pair_close(&pair);
	EXPECT_EQ(BIG, type1_unmap_all(self->container));
}

/* What a source has mapped, its VM goes on using when the migration fails. */
TEST_F(dma, source_fails)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(8 * MIB), 8 * MIB);
	struct pair pair;

	ASSERT_EQ(0, pair_open(&pair, &self->vmm.dev[0], &self->vmm.dev[1], 1, 2));
	EXPECT_EQ(0, session_dma_map(pair.from, self->container, 0, PIECE, &r, 1));
	EXPECT_EQ(0, session_dma_wait(pair.from, WAIT_MS, STATE));
	EXPECT_EQ(0, session_save(pair.from, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	EXPECT_EQ(0, session_abort(pair.from, RUNNING));
	EXPECT_EQ(8 * MIB, memory_locked());
	EXPECT_EQ(8 * MIB, type1_unmap_all(self->container));
	pair_close(&pair);
}

/* A destination that nobody starts: the memory is as it was. */
TEST_F(dma, migration_fails)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(8 * MIB), 8 * MIB);
	struct pair pair;

	ASSERT_EQ(0, pair_open(&pair, &self->vmm.dev[0], &self->vmm.dev[1], 1, 2));
	EXPECT_EQ(0, session_dma_map(pair.to, self->container, 0, PIECE, &r, 1));
	EXPECT_EQ(0, session_dma_wait(pair.to, WAIT_MS, STATE));
	EXPECT_EQ(0, session_load(pair.to, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, STAGING));
	close(pair.from);
	pair.from = -1;
	EXPECT_EQ(0, session_wait(pair.to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, type1_unmap_all(self->container));
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
