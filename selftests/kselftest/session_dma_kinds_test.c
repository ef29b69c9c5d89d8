// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same with each kind of target, with a device in it, so that memory is pinned: bad
 * ranges, a limit, cancelling, changes while it runs, descriptors that are closed in the
 * middle, devices that wait. In the end nothing is pinned, as the kernel counts it.
 */
#include <sys/resource.h>

#include "memory.h"
#include "session_fixture.h"
#include "target.h"
#include "thread.h"

#define AT	(4UL << 30)	/* where no IOMMU has anything else */
#define FEW	(8 * MIB)	/* for ranges beside the big one */

FIXTURE(kinds)
{
	int fd;
	struct target target;
	long pinned;
	struct vfio_migmux_dma_range big;
	struct dma state;
};

FIXTURE_VARIANT(kinds)
{
	enum target_kind kind;
	__u64 big;	/* takes a while; vhost-vdpa has no room for more single pages */
	int occupied;	/* errno where something else is mapped */
};

FIXTURE_VARIANT_ADD(kinds, type1) {
	.kind = TARGET_TYPE1, .big = 64 * MIB, .occupied = EEXIST
};

FIXTURE_VARIANT_ADD(kinds, iommufd) {
	.kind = TARGET_IOMMUFD, .big = 64 * MIB, .occupied = EEXIST
};

FIXTURE_VARIANT_ADD(kinds, vdpa) {
	.kind = TARGET_VDPA, .big = 48 * MIB, .occupied = EFAULT
};

#define FD	(self->fd)
#define STATE	(&self->state)
#define TARGET	(&self->target)
#define PAGES(bytes)	((long)((bytes) / 4096))

FIXTURE_SETUP(kinds)
{
	/* vhost-vdpa heeds it whatever the process is capable of */
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	int ret;

	FD = session_open();
	if (FD == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	ret = target_open(TARGET, variant->kind);
	if (ret == -ENODEV)
		SKIP(return, "there is nothing of this kind");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &any));
	self->big = memory_range(AT, memory_new(variant->big), variant->big);
	ASSERT_NE(0, self->big.vaddr);
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
}

FIXTURE_TEARDOWN(kinds)
{
	close(FD);
	target_close(TARGET);
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	if (variant->kind == TARGET_VDPA)
		EXPECT_EQ(0, vdpa_device(VDPA_CMD_DEV_DEL));
}

static int map(struct _test_data_kinds *self, struct vfio_migmux_dma_range *r, int n)
{
	return session_dma_map(FD, TARGET->fd, 0, PIECE, r, n);
}

/* So many bytes are pinned for us, and no more. */
static bool pins(const struct _test_data_kinds *self, __u64 bytes)
{
	const long now = memory_pinned() - self->pinned;

	if (now == PAGES(bytes))
		return true;
	printf("# %ld pages are pinned, not %ld\n", now, PAGES(bytes));
	return false;
}

/* --- bad input ------------------------------------------------------------------------------- */

/* Each is between two good ones; where it is, is counted from where they are. */
static const struct bad {
	__u64 iova;
	__u64 vaddr;
	__u64 size;
	__u32 flags;
	int error;
	const char *words;
} bad[] = {
	{ 16 * MIB, 0, 0, RW, EINVAL, "empty" },
	{ 16 * MIB + 1, 0, 4096, RW, EINVAL, "multiple" },
	{ 16 * MIB, 512, 4096, RW, EINVAL, "multiple" },
	{ 16 * MIB, 0, 4097, RW, EINVAL, "multiple" },
	{ -AT - 4096, 0, 8192, RW, EINVAL, "beyond the end" },
	{ 16 * MIB, 0, -4096ULL, RW, EINVAL, "beyond the end" },
	{ 2 * MIB - 4096, 0, 8192, RW, EEXIST, "overlaps" },
	{ 16 * MIB, 1ULL << 45, 4096, RW, EFAULT, "no memory there" },
	{ 16 * MIB, 4 * MIB, 4 * MIB, RW, EFAULT, "no memory there" },
	{ 16 * MIB, 7 * MIB, MIB, RW, EACCES, "only read" },
};

TEST_F(kinds, bad_ranges)
{
	char *at = memory_new(FEW);
	struct vfio_migmux_dma_range good[2] = {
		memory_range(AT, at, 2 * MIB), memory_range(AT + 32 * MIB, at, 2 * MIB),
	};
	struct vfio_migmux_dma_range read_only = memory_range(AT + 48 * MIB, at + 7 * MIB, MIB);
	int i;

	ASSERT_NE(NULL, at);
	memset(at, 1, FEW);
	/* a hole, and something that cannot be written */
	ASSERT_EQ(0, munmap(at + 5 * MIB, MIB));
	ASSERT_EQ(0, mprotect(at + 7 * MIB, MIB, PROT_READ));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vfio_migmux_dma_range r[3] = {
			good[0],
			memory_range(AT + bad[i].iova, at + bad[i].vaddr, bad[i].size),
			good[1],
		};

		r[1].flags = bad[i].flags;
		EXPECT_REFUSED(FD, bad[i].error, bad[i].words, map(self, r, 3));
		EXPECT_TRUE(session_says(FD, bad[i].error, "range 1"));
		EXPECT_EQ(0, r[0].error);
		EXPECT_EQ(bad[i].error, r[1].error);
		EXPECT_EQ(0, r[2].error);
		EXPECT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
		EXPECT_EQ(0, STATE->w.nr_ranges);
		EXPECT_TRUE(pins(self, 0));
	}
	/* the good ones alone, and devices may read what they may not write */
	ASSERT_EQ(0, map(self, good, 2));
	read_only.flags = VFIO_MIGMUX_DMA_READ;
	ASSERT_EQ(0, map(self, &read_only, 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_TRUE(pins(self, 5 * MIB));
}

TEST_F(kinds, memory_limit)
{
	char *at = memory_new(40 * MIB);
	struct vfio_migmux_dma_range r[3] = {
		memory_range(AT, at, 4 * MIB),
		memory_range(AT + 64 * MIB, at + 36 * MIB, 2 * MIB),
		memory_range(AT + 128 * MIB, at + 4 * MIB, 32 * MIB),
	};
	int i;

	ASSERT_EQ(0, memory_limit(16 * MIB));
	/* what fails has its share of the limit until it is taken back: the others go first */
	ASSERT_EQ(0, map(self, r, 2));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	ASSERT_EQ(0, map(self, &r[2], 1));
	EXPECT_REFUSED(FD, ENOMEM, "RLIMIT_MEMLOCK", session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(1, STATE->w.nr_failed);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i == 2 ? ENOMEM : 0, STATE->range[i].error);
		EXPECT_EQ(i == 2 ? 0 : r[i].size, STATE->range[i].mapped);
	}
	EXPECT_TRUE(pins(self, 6 * MIB));
	/* and it can be put right */
	ASSERT_EQ(0, memory_limit(64 * MIB));
	r[2].flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, map(self, &r[2], 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_TRUE(pins(self, 38 * MIB));
}

/* --- what ends in the middle ------------------------------------------------------------------ */

/* What is reported after a cancel is what is there, and it goes on from that. */
TEST_F(kinds, cancelled)
{
	int ret;

	ASSERT_EQ(0, map(self, &self->big, 1));
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	ret = session_dma_wait(FD, WAIT_MS, STATE);
	EXPECT_EQ(STATE->w.mapped == variant->big ? 0 : -ECANCELED, ret);
	EXPECT_TRUE(pins(self, STATE->w.mapped));
	ASSERT_EQ(0, map(self, NULL, 0));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_TRUE(pins(self, variant->big));
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_ALL));
	EXPECT_TRUE(pins(self, 0));
}

/*
 * Who closes is a real-time thread, to be told in the middle. On a busy machine it may not be
 * in the first try: then all is mapped, and stays.
 */
TEST_F(kinds, session_closed)
{
	int i, ret;

	ASSERT_EQ(0, thread_first());
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, map(self, &self->big, 1));
		do {
			ret = dma_event(FD);
		} while (ret >= 0 && ret < 50);
		ASSERT_LE(0, ret);
		close(FD);
		FD = session_open();
		if (memory_pinned() == self->pinned)
			break;
		ASSERT_TRUE(pins(self, variant->big));
		ASSERT_EQ(0, target_unmap(TARGET, AT, variant->big));
	}
	printf("# closed in the middle in try %d\n", i + 1);
	EXPECT_GT(100, i);
	/* nor is anything mapped there */
	ASSERT_EQ(0, map(self, &self->big, 1));
	EXPECT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
}

/* The VMM lets go of what maps: it comes to an end, good or bad. */
TEST_F(kinds, target_closed)
{
	ASSERT_EQ(0, map(self, &self->big, 1));
	target_close(TARGET);
	EXPECT_NE(-ETIMEDOUT, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_LE(STATE->w.mapped, STATE->w.bytes);
	close(FD);
	FD = session_open();
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
}

/* --- changes while it runs -------------------------------------------------------------- */

TEST_F(kinds, incremental)
{
	char *at = memory_new(FEW);
	struct vfio_migmux_dma_range r[3] = {
		memory_range(AT + 512 * MIB, at, 2 * MIB),
		memory_range(AT + 514 * MIB, at + 2 * MIB, 2 * MIB),
		memory_range(AT + 516 * MIB, at + 4 * MIB, 2 * MIB),
	};
	struct vfio_migmux_dma_range gone = memory_range(AT + 514 * MIB, NULL, 4 * MIB);
	struct vfio_migmux_dma_range swap = memory_range(AT + 513 * MIB, at + 6 * MIB, 2 * MIB);

	ASSERT_EQ(0, map(self, &self->big, 1));
	ASSERT_EQ(0, map(self, r, 3));
	EXPECT_EQ(0, session_dma_unmap(FD, 0, &gone, 1));
	EXPECT_REFUSED(FD, EEXIST, "overlaps", map(self, &swap, 1));
	swap.flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, map(self, &swap, 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, STATE));
	EXPECT_EQ(2, STATE->w.nr_ranges);
	EXPECT_EQ(variant->big + 2 * MIB, STATE->w.mapped);
	EXPECT_TRUE(pins(self, variant->big + 2 * MIB));
	EXPECT_EQ(0, target_unmap(TARGET, swap.iova, swap.size));
	EXPECT_TRUE(pins(self, variant->big));
}

/* --- devices wait ------------------------------------------------------------------------- */

TEST_F(kinds, start_waits)
{
	const __u64 last = AT + variant->big - 4096;
	struct vfio_dev *dev = &devices.dev[0];

	if (!devices.n)
		SKIP(return, "fewer than 4 devices are bound to " MIGSIM_DRIVER);
	ASSERT_EQ(0, devices_settle(&devices));
	ASSERT_EQ(0, session_device_add(FD, dev->fd, idstrs[0], 0));
	ASSERT_EQ(0, session_set_state(FD, STOP, NONE, 0, 0, NULL));
	/* something is in the way: it cannot be completed */
	ASSERT_EQ(0, target_map(TARGET, last, memory_new(4096), 4096));
	ASSERT_EQ(0, map(self, &self->big, 1));
	EXPECT_EQ(-variant->occupied, session_set_state(FD, RUNNING, RUNNING, 0, 0, NULL));
	EXPECT_TRUE(device_is(dev, STOP));
	EXPECT_TRUE(pins(self, 4096));

	ASSERT_EQ(0, target_unmap(TARGET, last, 4096));
	self->big.flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, map(self, &self->big, 1));
	ASSERT_EQ(0, session_set_state(FD, RUNNING, STOP, 0, 0, NULL));
	EXPECT_TRUE(device_is(dev, RUNNING));
	EXPECT_TRUE(pins(self, variant->big));
	/* which is the VMM's from now on */
	ASSERT_EQ(0, session_abort(FD, NONE));
	EXPECT_TRUE(pins(self, variant->big));
	EXPECT_EQ(0, target_unmap(TARGET, AT, variant->big));
	ASSERT_EQ(0, devices_settle(&devices));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
