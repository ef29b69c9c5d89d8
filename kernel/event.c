// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "event.h"
#include "netlink.h"
#include "session.h"

/**
 * migmux_events_init() - empty
 * @events: the ring
 */
void migmux_events_init(struct migmux_events *events)
{
	spin_lock_init(&events->lock);
}

/**
 * migmux_events_pending() - is there something to read?
 * @events: the ring
 */
bool migmux_events_pending(struct migmux_events *events)
{
	bool pending;

	spin_lock(&events->lock);
	pending = events->lost || events->head != events->tail;
	spin_unlock(&events->lock);
	return pending;
}

static bool take(struct migmux_events *events, struct vfio_migmux_event *event)
{
	bool got = true;

	spin_lock(&events->lock);
	if (events->lost) {
		*event = (struct vfio_migmux_event) {
			.size = sizeof(*event),
			.type = VFIO_MIGMUX_EVENT_LOST,
			.device = VFIO_MIGMUX_INDEX_NONE,
			.channel = VFIO_MIGMUX_INDEX_NONE,
			.value = events->lost,
			.ns = ktime_get_ns(),
		};
		events->lost = 0;
	} else if (events->head != events->tail) {
		*event = events->ring[events->tail++ % MIGMUX_MAX_EVENTS];
	} else {
		got = false;
	}
	spin_unlock(&events->lock);
	return got;
}

/**
 * migmux_events_read() - read() of a session
 * @s: the session
 * @file: its file, for O_NONBLOCK
 * @buf: user memory
 * @count: bytes of it
 *
 * An event that cannot be copied to @buf is lost.
 *
 * Context: sleeps.
 * Return: bytes read; -EINVAL, -EAGAIN, -ERESTARTSYS, -EFAULT.
 */
ssize_t migmux_events_read(struct migmux_session *s, struct file *file,
			   char __user *buf, size_t count)
{
	struct vfio_migmux_event event;
	size_t done = 0;
	int err;

	if (count < sizeof(event))
		return -EINVAL;
	while (count - done >= sizeof(event)) {
		if (take(&s->events, &event)) {
			if (copy_to_user(buf + done, &event, sizeof(event)))
				return done ? done : -EFAULT;
			done += sizeof(event);
			continue;
		}
		if (done)
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(s->wq,
					       migmux_events_pending(&s->events));
		if (err)
			return err;
	}
	return done;
}

/**
 * migmux_event_post() - tell the session's reader and everybody who monitors
 * @s: the session
 * @type: what happened
 * @device: index or VFIO_MIGMUX_INDEX_NONE
 * @channel: index or VFIO_MIGMUX_INDEX_NONE
 * @value: by @type
 * @error: positive errno or 0
 * @text: in words, or NULL
 *
 * Context: sleeps.
 */
void migmux_event_post(struct migmux_session *s, enum vfio_migmux_event_type type,
		       u32 device, u32 channel, u32 value, int error,
		       const char *text)
{
	struct migmux_events *events = &s->events;
	const struct vfio_migmux_event event = {
		.size = sizeof(event),
		.type = type,
		.device = device,
		.channel = channel,
		.value = value,
		.error = error,
		.ns = ktime_get_ns(),
	};
	const char *handle = NULL;

	spin_lock(&events->lock);
	if (events->head - events->tail == MIGMUX_MAX_EVENTS) {
		events->tail++;
		events->lost++;
	}
	events->ring[events->head++ % MIGMUX_MAX_EVENTS] = event;
	spin_unlock(&events->lock);
	wake_up_all(&s->wq);
	/* a report's devices and their handles stay as long as the report */
	if (device < s->report->nr_devices)
		handle = s->report->devices[device]->handle;
	migmux_netlink_session_event(s->net, s->report->id, &event, handle, text);
}
