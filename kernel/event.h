/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session's events: for read() on its file, and for everybody over netlink.
 */
#ifndef MIGMUX_EVENT_H
#define MIGMUX_EVENT_H

#include <linux/fs.h>
#include <linux/spinlock.h>

#include <uapi/linux/vfio_migmux.h>

struct migmux_session;

/* Events that wait for a reader; more push out the oldest. */
#define MIGMUX_MAX_EVENTS	256

/**
 * struct migmux_events - ring of events
 * @lock: protects the rest; innermost
 * @head: number of events written so far
 * @tail: number of events read (or lost) so far
 * @lost: events lost since the last read
 * @ring: the events
 */
struct migmux_events {
	spinlock_t lock;	/* protects the rest */
	u32 head;
	u32 tail;
	u32 lost;
	struct vfio_migmux_event ring[MIGMUX_MAX_EVENTS];
};

void migmux_events_init(struct migmux_events *events);
bool migmux_events_pending(struct migmux_events *events);
ssize_t migmux_events_read(struct migmux_session *s, struct file *file,
			   char __user *buf, size_t count);
void migmux_event_post(struct migmux_session *s, enum vfio_migmux_event_type type,
		       u32 device, u32 channel, u32 value, int error,
		       const char *text);

#endif /* MIGMUX_EVENT_H */
