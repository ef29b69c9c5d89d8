// SPDX-License-Identifier: GPL-2.0-only
/*
 * What fault_sweep.c makes fail: memory that is mapped ahead of time, by each kind of target,
 * and a device that waits for that before it runs.
 * A failure leaves mapped exactly what the session says; and nothing is left pinned, but for
 * vhost-vdpa, which itself forgets what it has pinned of a message when it fails within it.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "fault_runs.h"
#include "memory.h"
#include "target.h"

#define BASE	(1ULL << 32)
#define SIZE	(64UL << 10)	/* of a range: few pages, which take time */

static struct target target = { .fd = -1 };
static int session = -1;
static char *memory;
static struct vfio_migmux_dma_range ranges[2];
static long pinned = -1;

static int prepare(enum target_kind kind)
{
	size_t i;

	if (!memory) {
		memory = memory_new(2 * SIZE);
		if (!memory)
			return -ENOMEM;
		/* its pages come in the module's name otherwise */
		for (i = 0; i < 2 * SIZE; i += 4096)
			memory[i] = 1;
		ranges[0] = memory_range(BASE, memory, SIZE);
		ranges[1] = memory_range(2 * BASE, memory + SIZE, SIZE);
		pinned = memory_pinned();
	}
	if (kind != TARGET_VDPA && memory_wait_pinned(pinned))
		return -EPROTO;
	return target_open(&target, kind);
}

static int begin(enum target_kind kind)
{
	int ret = prepare(kind);

	if (ret)
		return ret;
	session = session_open();
	return session < 0 ? session : 0;
}

/* Mapping is stopped, maybe before it is through, and goes on. */
static int cancel(void)
{
	struct dma dma;
	int ret;

	ret = session_dma_unmap_all(session, VFIO_MIGMUX_DMA_UNMAP_CANCEL);
	if (ret)
		return ret;
	ret = session_dma_wait(session, WAIT_MS, &dma);
	if (ret && ret != -ECANCELED)
		return ret;
	return session_dma_map(session, target.fd, 0, PIECE, NULL, 0);
}

static int map(enum target_kind kind)
{
	struct dma dma;
	int ret;

	ret = begin(kind);
	if (ret)
		return ret;
	ret = session_dma_map(session, target.fd, 0, PIECE, ranges, 2) ?: cancel() ?:
	      session_dma_wait(session, WAIT_MS, &dma) ?:
	      session_dma_unmap(session, 0, &ranges[0], 1) ?:
	      session_dma_map(session, target.fd, 0, PIECE, &ranges[0], 1) ?:
	      session_dma_wait(session, WAIT_MS, &dma);
	if (ret)
		return ret;
	return dma.w.mapped == 2 * SIZE ? 0 : -EPROTO;
}

static int map_type1(void)
{
	return map(TARGET_TYPE1);
}

static int map_iommufd(void)
{
	return map(TARGET_IOMMUFD);
}

static int map_vdpa(void)
{
	return map(TARGET_VDPA);
}

/* A device that is to run has all memory before, or has not moved. */
static int start(void)
{
	struct dma dma;
	int ret, err;

	ret = begin(TARGET_TYPE1);
	if (ret)
		return ret;
	ret = session_device_add(session, devices.dev[0].fd, idstrs[0], 0);
	if (ret < 0)
		return ret;
	ret = session_set_state(session, STOP, NONE, 0, 0, NULL) ?:
	      session_dma_map(session, target.fd, 0, PIECE, ranges, 2);
	if (ret)
		return ret;
	ret = session_set_state(session, RUNNING, NONE, 0, 0, NULL);
	if (device_is(&devices.dev[0], STOP))
		return ret ?: WRONG;
	err = session_dma_wait(session, 0, &dma);
	return err ? ret ?: err : dma.w.mapped == 2 * SIZE ? ret : WRONG;
}

/* What was failed is told; what is mapped is what the session says. */
static int map_check(int err)
{
	__u64 there = 0;
	struct dma dma;
	long n;
	int i;

	if (session < 0)
		return 0;
	if (!session_last_error(session).text[0] && err != -EFAULT && err != -ENOMEM) {
		puts("# the session does not say why");
		return -EPROTO;
	}
	if (session_dma_wait(session, WAIT_MS, &dma) == -ETIMEDOUT)
		return -ETIMEDOUT;
	if (target.kind == TARGET_VDPA)
		return 0;
	for (i = 0; i < 2; i++) {
		n = type1_unmap(target.fd, ranges[i].iova, ranges[i].size);
		there += n > 0 ? n : 0;
	}
	if (there == dma.w.mapped)
		return 0;
	printf("# %llu bytes were mapped, the session says %llu\n", there, dma.w.mapped);
	return -EPROTO;
}

static void map_undo(void)
{
	if (session >= 0)
		close(session);
	session = -1;
	target_close(&target);
}

#define DMA_RUN(what) \
	{ .name = #what, .run = map_##what, .check = map_check, .undo = map_undo, .tasks = true }

const struct run dma_runs[] = {
	DMA_RUN(type1), DMA_RUN(iommufd), DMA_RUN(vdpa),
	{ .name = "start", .run = start, .check = map_check, .undo = map_undo, .tasks = true },
};

const size_t nr_dma_runs = ARRAY_SIZE(dma_runs);
