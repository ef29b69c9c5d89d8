/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pre-copy: a device yields state while it runs, in rounds, before the switchover.
 */
#ifndef MIGMUX_PRECOPY_H
#define MIGMUX_PRECOPY_H

#include <linux/fs.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/wait.h>

#include "compat.h"

struct migmux_channel;
struct migmux_device;
struct migmux_frame;
struct migmux_session;

enum migmux_precopy_wakes {
	MIGMUX_PRECOPY_READABLE,	/* there may be more: read */
	MIGMUX_PRECOPY_LOOK,		/* time to ask the device, and then read */
};

/* How far the destination is with the device's initial data. */
enum migmux_precopy_ack {
	MIGMUX_PRECOPY_INITIAL,		/* it is not all read */
	MIGMUX_PRECOPY_ASKED,		/* the destination was asked */
	MIGMUX_PRECOPY_ACKED,		/* it is all written there */
};

/**
 * struct migmux_precopy - a device's part in pre-copy; all of it on a source
 * @joined: it went to PRE_COPY, and was counted for it; session's lock
 * @live: and has not begun to leave it: what is read counts as pre-copy; session's lock
 * @running: it has not come to STOP_COPY since: what its data file yields is not the
 *	last, and an end of that is temporary; session's lock
 * @wakes: enum migmux_precopy_wakes
 * @timer: sets MIGMUX_PRECOPY_LOOK some time after a temporary end
 * @wait: our entry in the data file's wait queue
 * @wqh: that wait queue, NULL if the driver has none
 * @waiting: at a temporary end, until something of @wakes; the pump's
 * @looked: the device was asked what there is, and nothing was read since; the pump's
 * @round_ns: when the round began, 0 between two; the pump's
 * @initial: bytes of initial data still to be read, as far as we know; session's lock
 * @ack: enum migmux_precopy_ack; session's lock
 * @ack_idx: frame that the destination was asked about; session's lock
 * @again: new initial data came while it was asked; session's lock
 */
struct migmux_precopy {
	bool joined;
	bool live;
	bool running;
	unsigned long wakes;
	struct timer_list timer;
	wait_queue_entry_t wait;
	wait_queue_head_t *wqh;
	bool waiting;
	bool looked;
	u64 round_ns;
	u64 initial;
	enum migmux_precopy_ack ack;
	u32 ack_idx;
	bool again;
};

void migmux_precopy_init(struct migmux_device *dev);
void migmux_precopy_enter(struct migmux_device *dev);
void migmux_precopy_stopping(struct migmux_device *dev);
void migmux_precopy_stopped(struct migmux_device *dev);
void migmux_precopy_listen(struct migmux_device *dev, struct file *file);
void migmux_precopy_leave(struct migmux_device *dev);

/* the pump's */
bool migmux_precopy_waits(struct migmux_device *dev);
void migmux_precopy_try(struct migmux_device *dev);
bool migmux_precopy_live(struct migmux_device *dev);
bool migmux_precopy_begin(struct migmux_device *dev, bool *temporary);
bool migmux_precopy_ask(struct migmux_device *dev, struct migmux_frame *frame);
void migmux_precopy_read(struct migmux_device *dev, u64 start, size_t bytes);
void migmux_precopy_not_now(struct migmux_device *dev);
void migmux_precopy_end(struct migmux_device *dev);
void migmux_precopy_over(struct migmux_device *dev);
void migmux_precopy_asked(struct migmux_device *dev, u32 idx);

/* VFIO_MIG_GET_PRECOPY_INFO, and what follows from it */
int migmux_precopy_query(struct file *file, unsigned long uaddr,
			 struct vfio_precopy_info *info);
void migmux_precopy_heard(struct migmux_device *dev,
			  const struct vfio_precopy_info *info);

/* acknowledgments: source, destination */
void migmux_precopy_all_joined(struct migmux_session *s);
void migmux_precopy_receive_ack(struct migmux_channel *ch);
void migmux_precopy_frame_written(struct migmux_frame *frame);
void migmux_precopy_begin_ack(struct migmux_channel *ch);
void migmux_precopy_send_ack(struct migmux_channel *ch);

#endif /* MIGMUX_PRECOPY_H */
