/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Staging: the module's own pages, mapped into the VMM's address space, so that
 * a driver's data file can read from and write to them.
 */
#ifndef MIGMUX_STAGING_H
#define MIGMUX_STAGING_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>

#include "frame.h"

struct migmux_device;

/*
 * Pages come in physically contiguous chunks: fewer, larger fragments for the
 * socket. The largest order that the page allocator tries hard to get.
 */
#define MIGMUX_CHUNK_ORDER	PAGE_ALLOC_COSTLY_ORDER
#define MIGMUX_CHUNK_SIZE	(PAGE_SIZE << MIGMUX_CHUNK_ORDER)
#define MIGMUX_FRAME_CHUNKS	(MIGMUX_WIRE_DATA_MAX / MIGMUX_CHUNK_SIZE)

/**
 * struct migmux_staging - memory for frames
 * @ref: the session holds one, each frame that a socket still reads one, and the file
 *	below one, which lives as long as it is mapped. The pages go with the last
 * @file: what is mapped; the session's reference
 * @mm: where it is mapped: grabbed, not pinned
 * @uaddr: where in @mm
 * @nr_frames: frames that there are
 * @nr_free: frames that nobody owns; session's lock
 * @free: those; session's lock
 * @lent: frames of which a socket may still have pages, see send_splice.c; session's lock
 * @frames: all; each owns its chunks
 */
struct migmux_staging {
	struct kref ref;
	struct file *file;
	struct mm_struct *mm;
	unsigned long uaddr;
	u32 nr_frames;
	u32 nr_free;
	struct list_head free;
	struct list_head lent;
	struct migmux_frame frames[] __counted_by(nr_frames);
};

struct migmux_staging *migmux_staging_create(u64 bytes);
void migmux_staging_destroy(struct migmux_staging *staging);
void migmux_staging_release(struct migmux_staging *staging);
void migmux_staging_hold(struct migmux_staging *staging);
void migmux_staging_drop(struct migmux_staging *staging);
struct migmux_frame *migmux_staging_get(struct migmux_staging *staging,
					struct migmux_device *dev);
void migmux_staging_put(struct migmux_staging *staging, struct migmux_frame *frame);
void migmux_staging_lend(struct migmux_staging *staging, struct migmux_frame *frame);
bool migmux_staging_reclaim(struct migmux_staging *staging);

#endif /* MIGMUX_STAGING_H */
