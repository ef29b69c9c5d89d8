/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is mapped for DMA: what the kernel counts of it, and what a type1 container
 * has.
 */
#ifndef SELFTEST_MEMORY_H
#define SELFTEST_MEMORY_H

#include <stddef.h>

#include <linux/types.h>
#include <linux/vfio_migmux.h>

#define PIECE		(2UL << 20)	/* the smallest there is */
#define RW		(VFIO_MIGMUX_DMA_READ | VFIO_MIGMUX_DMA_WRITE)

/* Bytes of this process that are locked by type1, as /proc/self/status says. */
long memory_locked(void);
/* Pages of the host that are pinned for DMA now, as /proc/vmstat says. */
long memory_pinned(void);
/* Wait until that is @pages or less: memory of a process that is gone is let go last. */
int memory_wait_pinned(long pages);

/* Fresh memory, of which no page is there yet. */
void *memory_new(size_t size);
struct vfio_migmux_dma_range memory_range(__u64 iova, const void *at, __u64 size);

/* VFIO's own ioctls: 0 or -errno; bytes that were unmapped, or -errno. */
int type1_map(int container, __u64 iova, const void *at, __u64 size);
long type1_unmap(int container, __u64 iova, __u64 size);
long type1_unmap_all(int container);

/* Give up the right to lock more than the limit, and set that. */
int memory_limit(__u64 bytes);

/* The next event about mapping: thousandths, or -errno. */
int dma_event(int fd);

#endif /* SELFTEST_MEMORY_H */
