// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls that make a session do something, or tell what it did.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "device.h"
#include "hook.h"
#include "ioctl.h"
#include "session.h"

#define ALL_MILESTONES	(VFIO_MIGMUX_MILESTONE_PEER_READY * 2 - 1)

static int check_recover(struct migmux_session *s, u32 recover)
{
	switch (recover) {
	case VFIO_MIGMUX_RECOVER_NONE:
	case VFIO_DEVICE_STATE_STOP:
	case VFIO_DEVICE_STATE_RUNNING:
	case VFIO_DEVICE_STATE_RUNNING_P2P:
		return 0;
	default:
		return migmux_session_refuse(s, -EINVAL, "recover is %u: it can be STOP, RUNNING, RUNNING_P2P or none",
					     recover);
	}
}

/* A destination must not run what its source may take back. */
static int check_set_state(struct migmux_session *s,
			   const struct vfio_migmux_set_state *args)
{
	struct migmux_device *dev;
	u32 reached, i;

	lockdep_assert_held(&s->mutex);
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	if (migmux_batch_running(s))
		return migmux_session_refuse(s, -EBUSY, "a batch runs: wait for it first");
	if (!migmux_session_live(s))
		return migmux_session_refuse(s, -EINVAL, "the session has no device: add one first");
	migmux_session_for_each_device(s, dev, i)
		if (READ_ONCE(dev->gone))
			return migmux_session_refuse(s, -ENODEV, "%s was unregistered: close the session, and move the others by VFIO",
						     dev->hook->name);
	reached = migmux_session_reached(s);
	if (s->role == VFIO_MIGMUX_ROLE_NONE ||
	    reached & VFIO_MIGMUX_MILESTONE_HANDED_OVER)
		return 0;
	if (s->role == VFIO_MIGMUX_ROLE_SOURCE && !s->verdict &&
	    reached & VFIO_MIGMUX_MILESTONE_SENT)
		return 0;
	return migmux_session_refuse(s, -EBUSY, "the devices are not handed over yet: wait for that milestone");
}

static int put_results(struct migmux_session *s, struct vfio_migmux_set_state *args)
{
	struct vfio_migmux_device_result __user *to = u64_to_user_ptr(args->results);
	const u32 room = args->results ? args->nr_results : 0;
	struct vfio_migmux_device_result result;
	struct migmux_device *dev;
	u32 i, n = 0;

	migmux_session_for_each_device(s, dev, i) {
		result = (struct vfio_migmux_device_result) {
			.index = i,
			.error = -dev->error,
			.state = dev->state,
			.ns = dev->arrived_ns,
		};
		if (n < room && copy_to_user(&to[n], &result, sizeof(result)))
			return -EFAULT;
		n++;
	}
	args->nr_results = n;
	return 0;
}

/* For a new batch, or back after none has begun: returns what was there. */
static u32 milestone_batch(struct migmux_session *s, u32 to)
{
	u32 before;

	spin_lock(&s->report->lock);
	before = s->report->milestones & VFIO_MIGMUX_MILESTONE_BATCH;
	s->report->milestones = (s->report->milestones & ~VFIO_MIGMUX_MILESTONE_BATCH) | to;
	spin_unlock(&s->report->lock);
	return before;
}

/* A failure, and the way back that follows it, may be over when the call wakes up. */
static bool is_over(struct migmux_session *s, u64 serial)
{
	bool over;

	spin_lock(&s->lock);
	over = s->batch.set_done >= serial;
	spin_unlock(&s->lock);
	return over;
}

long migmux_ioctl_set_state(struct migmux_session *s, void *args)
{
	struct vfio_migmux_set_state *set = args;
	u64 serial = 0;
	u32 before;
	int err;

	err = check_recover(s, set->recover);
	if (err)
		return err;
	mutex_lock(&s->mutex);
	err = check_set_state(s, set);
	if (err)
		goto out_unlock;
	err = migmux_session_drive(s);
	if (err)
		goto out_unlock;
	before = milestone_batch(s, 0);
	serial = ++s->batch.set_begun;
	err = migmux_batch_start(s, MIGMUX_BATCH_SET_STATE, set->target,
				 set->recover, set->timeout_ms,
				 set->flags & VFIO_MIGMUX_SET_STATE_NO_P2P);
	if (err) {
		milestone_batch(s, before);
		s->batch.set_begun--;
		migmux_session_rest(s);
	}
out_unlock:
	mutex_unlock(&s->mutex);
	if (err || set->flags & VFIO_MIGMUX_SET_STATE_ASYNC)
		return err;
	/* interrupted, the batch goes on: its milestone tells */
	if (wait_event_interruptible(s->wq, is_over(s, serial)))
		return -EINTR;
	mutex_lock(&s->mutex);
	err = put_results(s, set) ?: s->batch.set_result;
	mutex_unlock(&s->mutex);
	return err;
}

long migmux_ioctl_save(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_save *save = args;
	int err;

	err = check_recover(s, save->recover);
	if (err)
		return err;
	mutex_lock(&s->mutex);
	if (s->asking)
		err = migmux_session_go(s, save);
	else if (s->precopy)
		err = migmux_session_switchover(s, save);
	else
		err = migmux_session_save(s, save);
	mutex_unlock(&s->mutex);
	return err;
}

static bool has_ended(struct migmux_session *s)
{
	return migmux_session_reached(s) & VFIO_MIGMUX_MILESTONE_ENDED;
}

long migmux_ioctl_load(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_load *load = args;
	int err;

	err = check_recover(s, load->recover);
	if (err)
		return err;
	mutex_lock(&s->mutex);
	err = migmux_session_load(s, load);
	mutex_unlock(&s->mutex);
	if (err)
		return err;
	if (wait_event_interruptible(s->wq, !migmux_batch_running(s)))
		return -EINTR;
	/* what comes after that is for WAIT to tell */
	if (migmux_session_reached(s) & VFIO_MIGMUX_MILESTONE_READY)
		return 0;
	if (wait_event_interruptible(s->wq, has_ended(s)))
		return -EINTR;
	spin_lock(&s->report->lock);
	err = -s->report->error;
	spin_unlock(&s->report->lock);
	return err;
}

/* After a failure only its own milestones are still worth waiting for. */
static bool wait_is_over(struct migmux_session *s, u32 milestones, u32 *reached)
{
	const u32 last = VFIO_MIGMUX_MILESTONE_FAILED | VFIO_MIGMUX_MILESTONE_ENDED;
	u32 missing;

	*reached = migmux_session_reached(s);
	missing = milestones & ~*reached;
	return !missing || (*reached & VFIO_MIGMUX_MILESTONE_FAILED && missing & ~last);
}

long migmux_ioctl_wait(struct migmux_session *s, void *args)
{
	struct vfio_migmux_wait *wait = args;
	long timeout, left;

	if (wait->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (!wait->milestones || wait->milestones & ~ALL_MILESTONES)
		return migmux_session_refuse(s, -EINVAL, "milestones %#x are not known",
					     wait->milestones);
	timeout = wait->timeout_ms == U32_MAX ? MAX_SCHEDULE_TIMEOUT :
						msecs_to_jiffies(wait->timeout_ms);
	left = wait_event_interruptible_timeout(s->wq,
						wait_is_over(s, wait->milestones,
							     &wait->reached),
						timeout);
	if (left < 0)
		return -EINTR;
	if (!(wait->milestones & ~wait->reached))
		return 0;
	return left ? -ECANCELED : -ETIMEDOUT;
}

long migmux_ioctl_abort(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_abort *abort = args;
	int err;

	if (abort->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	err = check_recover(s, abort->recover);
	if (err)
		return err;
	mutex_lock(&s->mutex);
	spin_lock(&s->lock);
	if (!s->failed)
		s->recover = abort->recover;
	spin_unlock(&s->lock);
	migmux_session_fail(s, -ECANCELED, VFIO_MIGMUX_INDEX_NONE,
			    VFIO_MIGMUX_INDEX_NONE, "aborted by the VMM");
	mutex_unlock(&s->mutex);
	if (!READ_ONCE(s->failed))
		return 0;
	if (wait_event_interruptible(s->wq, has_ended(s)))
		return -EINTR;
	return 0;
}

int migmux_ioctl_put(void __user *to, size_t room, const void *from, size_t size)
{
	if (copy_to_user(to, from, min(room, size)))
		return -EFAULT;
	if (room > size && clear_user(to + size, room - size))
		return -EFAULT;
	return 0;
}

static int put_timeline(struct vfio_migmux_timeline *args,
			const struct vfio_migmux_timeline_device *copy, u32 n)
{
	void __user *to = u64_to_user_ptr(args->devices);
	u32 i, room = args->devices ? args->nr_devices : 0;
	int err;

	args->nr_devices = n;
	for (i = 0; i < min(n, room); i++) {
		err = migmux_ioctl_put(to + (size_t)i * args->device_size,
				       args->device_size, &copy[i], sizeof(copy[i]));
		if (err)
			return err;
	}
	return 0;
}

long migmux_ioctl_timeline(struct migmux_session *s, void *args)
{
	struct vfio_migmux_timeline *timeline = args;
	struct vfio_migmux_timeline_device *copy;
	struct migmux_report *r = s->report;
	u32 i, n = 0;
	u64 now;
	int err;

	if (timeline->device_size > PAGE_SIZE ||
	    (timeline->devices && timeline->device_size < sizeof(u64)))
		return migmux_session_refuse(s, -EINVAL, "device_size is %u",
					     timeline->device_size);
	copy = kvcalloc(MIGMUX_MAX_DEVICES, sizeof(*copy), GFP_KERNEL_ACCOUNT);
	if (!copy)
		return -ENOMEM;
	spin_lock(&r->lock);
	now = ktime_get_ns();
	timeline->session = r->id;
	timeline->milestones = r->milestones;
	BUILD_BUG_ON(sizeof(timeline->milestone_ns) != sizeof(r->milestone_ns));
	memcpy(timeline->milestone_ns, r->milestone_ns, sizeof(r->milestone_ns));
	timeline->staging_peak = r->staging_peak;
	timeline->spill_peak = r->spill_peak;
	for (i = 0; i < r->nr_devices; i++)
		if (!r->devices[i]->removed)
			migmux_report_device_show(r->devices[i], now, &copy[n++]);
	spin_unlock(&r->lock);
	err = put_timeline(timeline, copy, n);
	kvfree(copy);
	return err;
}

long migmux_ioctl_last_error(struct migmux_session *s, void *args)
{
	struct vfio_migmux_last_error *last = args;
	struct migmux_report *r = s->report;

	if (last->reserved)
		return -EINVAL;
	spin_lock(&r->lock);
	last->error = r->error;
	last->device = r->error_device;
	last->channel = r->error_channel;
	strscpy(last->text, r->text, sizeof(last->text));
	spin_unlock(&r->lock);
	return 0;
}
