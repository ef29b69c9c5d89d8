// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pre-copy on the source: how a pump goes on reading a device that runs.
 *
 * The data file then has temporary ends: its read says ENOMSG, or 0 with some drivers.
 * A round is what lies between two of them. At an end the pump waits for the first of:
 * the file's wait queue, where the driver has one; a timer, for the others; the VMM's
 * VFIO_MIGMUX_PRECOPY_INFO having heard of more; the switchover. After the timer it asks
 * the device what there is before it reads: some drivers do not prepare a new round
 * unless they are asked.
 *
 * Whether an end is temporary depends on where the device was when the read began, for
 * an arc may come in between: @running, looked at before each read, is cleared only
 * after the arc to STOP_COPY. So an end that was read too early is just read once more.
 */
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "channel.h"
#include "device.h"
#include "hook.h"
#include "session.h"
#include "trace.h"

/* How long a temporary end lasts where nothing else ends it. */
#define LOOK_AGAIN_MS	50

struct listen {
	poll_table pt;
	struct migmux_device *dev;
};

static void wake(struct migmux_device *dev, enum migmux_precopy_wakes why)
{
	set_bit(why, &dev->pre.wakes);
	migmux_mover_wake(&dev->mover);
}

static void timer_over(struct timer_list *timer)
{
	wake(container_of(timer, struct migmux_device, pre.timer), MIGMUX_PRECOPY_LOOK);
}

static int file_woke(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	wake(container_of(wait, struct migmux_device, pre.wait),
	     MIGMUX_PRECOPY_READABLE);
	return 0;
}

/* One entry in one wait queue; no driver has more. */
static void queue_wait(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct migmux_precopy *pre = &container_of(pt, struct listen, pt)->dev->pre;

	if (pre->wqh)
		return;
	pre->wqh = wqh;
	add_wait_queue(wqh, &pre->wait);
}

/**
 * migmux_precopy_init() - of a new device
 * @dev: the device
 */
void migmux_precopy_init(struct migmux_device *dev)
{
	timer_setup(&dev->pre.timer, timer_over, 0);
	init_waitqueue_func_entry(&dev->pre.wait, file_woke);
}

/**
 * migmux_precopy_enter() - a source's device has come to PRE_COPY
 * @dev: the device; the pump does not have its data file yet
 *
 * Context: the batch's worker.
 */
void migmux_precopy_enter(struct migmux_device *dev)
{
	struct migmux_session *s = dev->session;
	struct migmux_precopy *pre = &dev->pre;

	migmux_compat_precopy_v2(dev->hook->vdev);
	spin_lock(&s->lock);
	if (!pre->joined)
		s->nr_precopy++;
	pre->joined = true;
	pre->live = true;
	pre->running = true;
	pre->initial = U64_MAX;
	spin_unlock(&s->lock);
	set_bit(MIGMUX_PRECOPY_LOOK, &pre->wakes);
}

/**
 * migmux_precopy_listen() - hear of what can be read, where the driver tells
 * @dev: the device
 * @file: its data file, which the pump does not have yet
 *
 * Context: sleeps.
 */
void migmux_precopy_listen(struct migmux_device *dev, struct file *file)
{
	struct listen listen = { .dev = dev };

	if (!file->f_op->poll)
		return;
	init_poll_funcptr(&listen.pt, queue_wait);
	vfs_poll(file, &listen.pt);
}

/**
 * migmux_precopy_leave() - the data file is given back
 * @dev: the device; its pump is stopped or at the end
 *
 * Context: sleeps.
 */
void migmux_precopy_leave(struct migmux_device *dev)
{
	struct migmux_precopy *pre = &dev->pre;

	timer_delete_sync(&pre->timer);
	if (pre->wqh)
		remove_wait_queue(pre->wqh, &pre->wait);
	pre->wqh = NULL;
}

/**
 * migmux_precopy_stopping() - a source's device is going to leave PRE_COPY
 * @dev: the device
 *
 * What is read from now on belongs to the downtime, though the file's ends are temporary
 * for a while yet.
 *
 * Context: whoever walks the device; takes the session's lock.
 */
void migmux_precopy_stopping(struct migmux_device *dev)
{
	spin_lock(&dev->session->lock);
	dev->pre.live = false;
	spin_unlock(&dev->session->lock);
}

/**
 * migmux_precopy_stopped() - a source's device has come to STOP_COPY
 * @dev: the device
 *
 * Context: whoever walks the device; takes the session's lock.
 */
void migmux_precopy_stopped(struct migmux_device *dev)
{
	spin_lock(&dev->session->lock);
	dev->pre.live = false;
	dev->pre.running = false;
	spin_unlock(&dev->session->lock);
	wake(dev, MIGMUX_PRECOPY_READABLE);
}

/**
 * migmux_precopy_waits() - does the mover wait for the data file?
 * @dev: its device
 *
 * Context: the pump or feed, before it sleeps; the session's lock is held.
 */
bool migmux_precopy_waits(struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	const struct migmux_precopy *pre = &dev->pre;

	lockdep_assert_held(&dev->session->lock);
	return pre->waiting && !READ_ONCE(pre->wakes);
}

/**
 * migmux_precopy_try() - the mover is going to try the data file
 * @dev: its device
 */
void migmux_precopy_try(struct migmux_device *dev)
{
	dev->pre.waiting = false;
	clear_bit(MIGMUX_PRECOPY_READABLE, &dev->pre.wakes);
	/* clear before trying: what wakes us in between is then not lost */
	smp_mb__after_atomic();
}

/**
 * migmux_precopy_live() - does what was just read count as pre-copy?
 * @dev: the pump's device
 *
 * Context: the pump; takes the session's lock.
 */
bool migmux_precopy_live(struct migmux_device *dev)
{
	bool live;

	spin_lock(&dev->session->lock);
	live = dev->pre.live;
	spin_unlock(&dev->session->lock);
	return live;
}

/**
 * migmux_precopy_begin() - the pump is going to read
 * @dev: its device
 * @temporary: is set if an end that is read now is a temporary one
 *
 * Return: true if what is read now counts as pre-copy, unless the device stops meanwhile.
 */
bool migmux_precopy_begin(struct migmux_device *dev, bool *temporary)
{
	struct migmux_precopy *pre = &dev->pre;
	bool live;

	migmux_precopy_try(dev);
	spin_lock(&dev->session->lock);
	live = pre->live;
	*temporary = pre->running;
	spin_unlock(&dev->session->lock);
	/* there is nothing to be asked any more, and it must not look like work */
	if (!live)
		clear_bit(MIGMUX_PRECOPY_LOOK, &pre->wakes);
	return live;
}

/**
 * migmux_precopy_query() - VFIO_MIG_GET_PRECOPY_INFO
 * @file: a data file
 * @uaddr: room for the answer in the current address space: drivers want it there
 * @info: the answer
 *
 * It may take long, and may make the device prepare more to be read: only when a
 * decision needs it.
 *
 * Context: a task of the VMM; sleeps.
 * Return: 0, the driver's error (-EINVAL: the device is not in PRE_COPY), -ENOTTY or
 * -EFAULT.
 */
int migmux_precopy_query(struct file *file, unsigned long uaddr,
			 struct vfio_precopy_info *info)
{
	void __user *to = (void __user *)uaddr;
	long ret;

	*info = (struct vfio_precopy_info) { .argsz = sizeof(*info) };
	if (!file->f_op->unlocked_ioctl)
		return -ENOTTY;
	if (copy_to_user(to, info, sizeof(*info)))
		return -EFAULT;
	ret = file->f_op->unlocked_ioctl(file, VFIO_MIG_GET_PRECOPY_INFO, uaddr);
	if (ret)
		return ret;
	return copy_from_user(info, to, sizeof(*info)) ? -EFAULT : 0;
}

/* New initial data: what the destination said, or will say, is not the last word. */
static void start_again_locked(struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	struct migmux_session *s = dev->session;
	struct migmux_precopy *pre = &dev->pre;

	lockdep_assert_held(&s->lock);
	pre->again = pre->ack == MIGMUX_PRECOPY_ASKED;
	if (pre->ack != MIGMUX_PRECOPY_ACKED)
		return;
	pre->ack = MIGMUX_PRECOPY_INITIAL;
	s->nr_acked--;
	spin_lock(&s->report->lock);
	s->report->milestones &= ~VFIO_MIGMUX_MILESTONE_PRECOPY_ACKED;
	spin_unlock(&s->report->lock);
}

/**
 * migmux_precopy_heard() - a device has told what there is to be read
 * @dev: the device
 * @info: what it told
 *
 * Context: a task of the VMM, no lock is held but the session's mutex.
 */
void migmux_precopy_heard(struct migmux_device *dev,
			  const struct vfio_precopy_info *info)
{
	const bool reinit = info->flags & VFIO_PRECOPY_INFO_REINIT;
	struct migmux_session *s = dev->session;

	spin_lock(&s->lock);
	dev->pre.initial = info->initial_bytes;
	if (reinit)
		start_again_locked(dev);
	spin_unlock(&s->lock);
	/* the new data may have been read already: then the pump has to ask for its ack */
	if (reinit)
		wake(dev, MIGMUX_PRECOPY_LOOK);
	if (info->initial_bytes || info->dirty_bytes)
		wake(dev, MIGMUX_PRECOPY_READABLE);
}

static bool ack_due(struct migmux_device *dev)
{
	struct migmux_session *s = dev->session;
	const struct migmux_precopy *pre = &dev->pre;
	bool due;

	spin_lock(&s->lock);
	due = s->verdict && pre->ack == MIGMUX_PRECOPY_INITIAL && !pre->initial;
	spin_unlock(&s->lock);
	return due;
}

/**
 * migmux_precopy_ask() - ask the device what there is, if it is time to
 * @dev: the pump's device
 * @frame: a frame whose memory is free for the answer
 *
 * Return: true if all initial data is read, and the destination is to acknowledge
 * that it is written.
 */
bool migmux_precopy_ask(struct migmux_device *dev, struct migmux_frame *frame)
{
	struct vfio_precopy_info info;

	if (!test_and_clear_bit(MIGMUX_PRECOPY_LOOK, &dev->pre.wakes))
		return false;
	dev->pre.looked = true;
	if (!migmux_precopy_query(dev->data_file, frame->uaddr, &info))
		migmux_precopy_heard(dev, &info);
	return ack_due(dev);
}

/**
 * migmux_precopy_asked() - the destination is going to be asked
 * @dev: the pump's device
 * @idx: about this frame
 */
void migmux_precopy_asked(struct migmux_device *dev, u32 idx)
{
	spin_lock(&dev->session->lock);
	dev->pre.ack = MIGMUX_PRECOPY_ASKED;
	dev->pre.ack_idx = idx;
	spin_unlock(&dev->session->lock);
}

/**
 * migmux_precopy_read() - the pump has read something that counts as pre-copy
 * @dev: its device
 * @start: when the read began
 * @bytes: how much
 */
void migmux_precopy_read(struct migmux_device *dev, u64 start, size_t bytes)
{
	struct migmux_session *s = dev->session;
	struct migmux_precopy *pre = &dev->pre;
	bool last = false;

	pre->looked = false;
	if (!pre->round_ns)
		pre->round_ns = start;
	spin_lock(&s->report->lock);
	dev->report->t.precopy_bytes += bytes;
	spin_unlock(&s->report->lock);
	spin_lock(&s->lock);
	if (pre->initial && pre->initial != U64_MAX) {
		pre->initial -= min_t(u64, pre->initial, bytes);
		last = !pre->initial;
	}
	spin_unlock(&s->lock);
	/* it seems to be all of the initial data: let the device say so */
	if (last)
		set_bit(MIGMUX_PRECOPY_LOOK, &pre->wakes);
}

/* The first end counts even if nothing came before it: the device is through. */
static void end_round(struct migmux_device *dev)
{
	struct vfio_migmux_timeline_device *t = &dev->report->t;
	struct migmux_session *s = dev->session;
	struct migmux_precopy *pre = &dev->pre;
	u32 round = 0;

	spin_lock(&s->report->lock);
	if (pre->round_ns || !t->precopy_rounds)
		round = ++t->precopy_rounds;
	if (pre->round_ns)
		t->precopy_ns += ktime_get_ns() - pre->round_ns;
	spin_unlock(&s->report->lock);
	pre->round_ns = 0;
	if (!round)
		return;
	trace_migmux_precopy_round(s->report->id, dev->index, round);
	migmux_event_post(s, VFIO_MIGMUX_EVENT_ROUND, dev->index,
			  VFIO_MIGMUX_INDEX_NONE, round, 0, NULL);
}

static void wait(struct migmux_precopy *pre)
{
	pre->waiting = true;
	mod_timer(&pre->timer, jiffies + msecs_to_jiffies(LOOK_AGAIN_MS));
}

/**
 * migmux_precopy_not_now() - the data file does not block, and has or takes nothing yet
 * @dev: the mover's device, running or stopped
 */
void migmux_precopy_not_now(struct migmux_device *dev)
{
	wait(&dev->pre);
}

/**
 * migmux_precopy_end() - the pump has met a temporary end
 * @dev: its device
 */
void migmux_precopy_end(struct migmux_device *dev)
{
	struct migmux_session *s = dev->session;
	struct migmux_precopy *pre = &dev->pre;
	bool look;

	if (!dev->final)
		end_round(dev);
	spin_lock(&s->lock);
	look = pre->live && s->verdict && pre->ack == MIGMUX_PRECOPY_INITIAL &&
	       !pre->looked;
	/* a driver that does not tell: then this end is as good a sign as any */
	if (pre->initial == U64_MAX)
		pre->initial = 0;
	spin_unlock(&s->lock);
	if (look)
		set_bit(MIGMUX_PRECOPY_LOOK, &pre->wakes);
	else
		wait(pre);
}

/**
 * migmux_precopy_over() - the pump sees that pre-copy is over, or there was none
 * @dev: its device
 *
 * Once, before it reads the rest.
 */
void migmux_precopy_over(struct migmux_device *dev)
{
	if (dev->pre.joined)
		end_round(dev);
	migmux_session_phase_start(dev->session, dev->index,
				   VFIO_MIGMUX_PHASE_TRANSFER);
}
