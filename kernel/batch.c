// SPDX-License-Identifier: GPL-2.0-only
/*
 * The batch engine. Every device has a work item on an unbound queue; one phase
 * is one run of all of them, and the last to arrive starts the next phase, so
 * nobody waits in between. What a phase is, says plan.c.
 */
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "arc.h"
#include "batch.h"
#include "compat.h"
#include "hook.h"
#include "ready.h"
#include "session.h"

/*
 * A source's device is where this session has taken it, or outside of any save: else
 * its data file is somebody else's, or none any more.
 */
static int check_saving(struct migmux_session *s, const struct migmux_device *dev,
			enum vfio_device_mig_state state)
{
	const bool precopy = state == VFIO_DEVICE_STATE_PRE_COPY ||
			     state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
	const bool saving = precopy || state == VFIO_DEVICE_STATE_STOP_COPY;

	if (dev->pre.running && !precopy)
		return migmux_session_refuse(s, -ENODEV, "%s is in %s: it has left PRE_COPY by itself, by a reset perhaps",
					     dev->hook->name, migmux_state_name(state));
	if (saving && !dev->data_file)
		return migmux_session_refuse(s, -EINVAL, "%s is in %s already: take it back to RUNNING or STOP first",
					     dev->hook->name, migmux_state_name(state));
	return 0;
}

/* Where are the devices? A recovery goes on without those that do not say. */
static int look(struct migmux_session *s, struct migmux_batch *b)
{
	enum vfio_device_mig_state state;
	struct migmux_device *dev;
	u32 i, n = 0;
	int err;

	migmux_session_for_each_device(s, dev, i) {
		if (!dev->file)
			continue;
		err = migmux_hook_get_state(dev->hook, &state);
		if (err && b->rollback)
			continue;
		if (err)
			return migmux_session_refuse(s, err, "%s does not tell its state: error %d",
						     dev->hook->name, -err);
		if (b->kind == MIGMUX_BATCH_SAVE || b->kind == MIGMUX_BATCH_PRECOPY)
			err = check_saving(s, dev, state);
		if (err)
			return err;
		migmux_device_set_state(dev, state);
		if (state == VFIO_DEVICE_STATE_ERROR && b->rollback)
			continue;
		b->plan_devs[n].state = state;
		b->plan_devs[n].flags = dev->flags;
		b->devices[n++] = dev;
	}
	return n;
}

static void drop(struct migmux_batch *b, u32 i, u32 n)
{
	for (; i + 1 < n; i++) {
		b->plan_devs[i] = b->plan_devs[i + 1];
		b->devices[i] = b->devices[i + 1];
	}
}

/*
 * Plan the way to @target. The way back leaves out devices that cannot go: the
 * others should not stay behind with them.
 */
static int make_plan(struct migmux_session *s, struct migmux_batch *b, u32 target)
{
	const u32 flags = (b->no_p2p || b->rollback ? MIGMUX_PLAN_NO_P2P_OK : 0) |
			  (b->kind == MIGMUX_BATCH_PRECOPY ? MIGMUX_PLAN_STAY : 0);
	int n, err;
	u32 i;

	n = look(s, b);
	if (n <= 0)
		return n;
	err = migmux_plan_make(&b->plan, b->plan_devs, n, target, flags);
	while (err && b->rollback && b->plan.culprit < n && n > 1) {
		drop(b, b->plan.culprit, n);
		n--;
		err = migmux_plan_make(&b->plan, b->plan_devs, n, target, flags);
	}
	if (err && b->rollback)
		return 0;
	if (err)
		return migmux_session_refuse(s, err, "%s to %s: %s",
					     b->plan.culprit < n ?
					     b->devices[b->plan.culprit]->hook->name :
					     "devices",
					     migmux_state_name(target),
					     migmux_plan_strerror(b->plan.err));
	for (i = 0; i < n; i++)
		b->devices[i]->plan_index = i;
	b->phase = 0;
	return n;
}

static void run_phase(struct migmux_batch *b)
{
	u32 i, n = b->plan.nr_devs;

	atomic_set(&b->pending, n);
	for (i = 0; i < n; i++)
		queue_work(migmux_wq, &b->devices[i]->batch_work);
}

/* The batch failed: name the device that did, and fail the session if it must. */
static void say_why(struct migmux_session *s)
{
	struct migmux_batch *b = &s->batch;
	u32 i, culprit = VFIO_MIGMUX_INDEX_NONE;
	const char *who = "a device";
	struct migmux_device *dev;

	if (b->gated) {
		migmux_dma_refuse(s, b->result);
		return;
	}
	migmux_session_for_each_device(s, dev, i) {
		if (!dev->error || dev->error == -ECANCELED)
			continue;
		culprit = i;
		who = dev->hook->name;
		break;
	}
	if (b->kind == MIGMUX_BATCH_SAVE || b->kind == MIGMUX_BATCH_LOAD ||
	    b->kind == MIGMUX_BATCH_PRECOPY)
		migmux_session_fail(s, b->result, culprit, VFIO_MIGMUX_INDEX_NONE,
				    "%s does not reach %s: error %d", who,
				    migmux_state_name(b->target), -b->result);
	else if (b->kind == MIGMUX_BATCH_SET_STATE)
		migmux_session_refuse(s, b->result, "%s does not reach %s: error %d",
				      who, migmux_state_name(b->target), -b->result);
}

/* What the VMM waits for before it begins the next one. */
static u32 milestone_of(const struct migmux_batch *b)
{
	if (b->kind == MIGMUX_BATCH_SET_STATE)
		return VFIO_MIGMUX_MILESTONE_BATCH;
	if (b->kind == MIGMUX_BATCH_PRECOPY && !b->result)
		return VFIO_MIGMUX_MILESTONE_PRECOPY;
	return 0;
}

/* Devices that were unregistered meanwhile, and that the batch kept. */
static void let_go(struct migmux_session *s)
{
	struct migmux_device *dev;
	bool gone = false;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		gone |= READ_ONCE(dev->gone);
	if (!gone)
		return;
	migmux_session_get(s);		/* gone_work puts it */
	/* in our own queue: the session may be closed, and nobody else waits for it */
	if (!queue_work(migmux_wq, &s->gone_work))
		migmux_session_put(s);
}

static void finish(struct migmux_session *s)
{
	struct migmux_batch *b = &s->batch;
	const enum migmux_batch_kind kind = b->kind;
	u32 milestone;
	struct migmux_device *dev;
	u32 i;

	b->result = b->error;
	if (b->result)
		say_why(s);
	migmux_session_for_each_device(s, dev, i)
		if (b->result && !dev->error && dev->state != b->target)
			dev->error = -ECANCELED;
	if (kind == MIGMUX_BATCH_SET_STATE)
		migmux_session_rest(s);

	if (kind == MIGMUX_BATCH_LOAD && !b->result) {
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_READY);
		migmux_ready_loading(s);
	}
	milestone = milestone_of(b);
	/* from here on the next batch may start */
	spin_lock(&s->lock);
	b->running = false;
	if (kind == MIGMUX_BATCH_SET_STATE) {
		b->set_done = b->set_begun;
		b->set_result = b->result;
	}
	if (milestone)
		migmux_session_milestone_locked(s, milestone);
	spin_unlock(&s->lock);
	if (milestone)
		migmux_session_milestone_tell(s, milestone);
	if (milestone == VFIO_MIGMUX_MILESTONE_PRECOPY)
		migmux_precopy_all_joined(s);
	wake_up_all(&s->wq);
	let_go(s);
	migmux_session_put(s);
}

/* A set-state batch failed: everybody back. False if there is no way or no wish. */
static bool roll_back(struct migmux_session *s)
{
	struct migmux_batch *b = &s->batch;
	struct migmux_device *dev;
	u32 i;

	if (b->kind != MIGMUX_BATCH_SET_STATE || b->rollback ||
	    b->recover == VFIO_MIGMUX_RECOVER_NONE)
		return false;
	b->rollback = true;
	migmux_session_for_each_device(s, dev, i)
		if (!dev->error)
			dev->error = -ECANCELED;
	if (make_plan(s, b, b->recover) <= 0)
		return false;
	run_phase(b);
	return true;
}

/* All devices are at their checkpoint, or one of them failed. */
static void next(struct migmux_session *s)
{
	struct migmux_batch *b = &s->batch;

	if (READ_ONCE(b->error) && !b->rollback) {
		if (!roll_back(s))
			finish(s);
		return;
	}
	if (++b->phase < b->plan.nr_phases)
		run_phase(b);
	else
		finish(s);
}

/*
 * What ends a device's walk early. A way back goes as far as it can. If nobody is
 * to be taken back, the others finish the phase, so that it is no matter of
 * chance how far they come.
 */
static const int *stop_of(const struct migmux_batch *b)
{
	if (b->rollback)
		return NULL;
	if (b->kind == MIGMUX_BATCH_SET_STATE &&
	    b->recover == VFIO_MIGMUX_RECOVER_NONE)
		return &b->cancelled;
	return &b->error;
}

/**
 * migmux_batch_work() - take one device to the checkpoint of the current phase
 * @work: &migmux_device.batch_work
 */
void migmux_batch_work(struct work_struct *work)
{
	struct migmux_device *dev =
		container_of(work, struct migmux_device, batch_work);
	struct migmux_session *s = dev->session;
	struct migmux_batch *b = &s->batch;
	const struct migmux_walk walk = {
		.target = migmux_plan_checkpoint(&b->plan, b->phase, dev->plan_index),
		.rollback = b->rollback,
		.deadline_ns = b->rollback ? 0 : b->deadline_ns,
		.stop = stop_of(b),
	};
	int err;

	err = migmux_arc_walk(dev, &walk);
	dev->arrived_ns = ktime_get_ns() - b->start_ns;
	if (err) {
		/* the first failure of a device is the one to report */
		if (!dev->error || dev->error == -ECANCELED)
			dev->error = err;
		cmpxchg(&b->error, 0, err);
		migmux_device_set_error(dev, dev->error);
	}
	if (atomic_dec_and_test(&b->pending))
		next(s);
}

static bool gate_opens(struct migmux_session *s, int *err)
{
	*err = READ_ONCE(s->batch.cancelled);
	return *err || migmux_dma_settled(s, err);
}

/**
 * migmux_batch_gate_work() - wait until memory is mapped, and then move the devices
 * @work: &migmux_session.gate_work
 *
 * If it cannot be mapped, the batch is over, and nobody has moved.
 */
void migmux_batch_gate_work(struct work_struct *work)
{
	struct migmux_session *s = container_of(work, struct migmux_session, gate_work);
	struct migmux_batch *b = &s->batch;
	long left = MAX_SCHEDULE_TIMEOUT;
	int err;

	if (b->deadline_ns)
		left = nsecs_to_jiffies(b->deadline_ns - b->start_ns) + 1;
	/* more may be added just when all is mapped */
	do {
		left = wait_event_timeout(s->wq, gate_opens(s, &err), left);
		if (!left)
			err = -ETIMEDOUT;
	} while (!err && !migmux_dma_gate(s));
	if (!err) {
		run_phase(b);
		return;
	}
	b->gated = true;
	cmpxchg(&b->error, 0, err);
	finish(s);
}

/* May devices read and write memory there? */
static bool runs(u32 state)
{
	return state == VFIO_DEVICE_STATE_RUNNING ||
	       state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

/**
 * migmux_batch_start() - begin to move all devices of a session
 * @s: the session; its devices are driven
 * @kind: on whose behalf
 * @target: where to
 * @recover: where to after a failure
 * @timeout_ms: no arc begins later than this; 0 is no limit
 * @no_p2p: several devices are allowed even if some lack P2P
 *
 * When it is over, &migmux_session.wq is woken and migmux_batch_running() says
 * no; what comes then depends on @kind, see &enum migmux_batch_kind.
 *
 * Context: the session's mutex is held, no batch runs. Sleeps; asks all drivers
 * for their state.
 * Return: 0; or an error with its text, and nothing was started.
 */
int migmux_batch_start(struct migmux_session *s, enum migmux_batch_kind kind,
		       u32 target, u32 recover, u32 timeout_ms, bool no_p2p)
{
	struct migmux_batch *b = &s->batch;
	struct migmux_device *dev;
	int n;
	u32 i;

	lockdep_assert_held(&s->mutex);
	b->kind = kind;
	b->target = target;
	b->recover = recover;
	b->no_p2p = no_p2p;
	b->rollback = kind == MIGMUX_BATCH_RECOVER;
	b->gated = false;
	b->error = 0;
	b->cancelled = 0;
	b->result = 0;
	b->start_ns = ktime_get_ns();
	b->deadline_ns = timeout_ms ? b->start_ns + timeout_ms * NSEC_PER_MSEC : 0;
	n = make_plan(s, b, target);
	if (n <= 0)
		return n;
	migmux_session_for_each_device(s, dev, i) {
		if (kind == MIGMUX_BATCH_RECOVER) {
			dev->error = dev->error ?: -ECANCELED;
		} else {
			dev->error = 0;
			migmux_device_set_error(dev, 0);
		}
	}
	migmux_session_get(s);		/* finish() puts it */
	spin_lock(&s->lock);
	b->running = true;
	spin_unlock(&s->lock);
	if (kind == MIGMUX_BATCH_SET_STATE && runs(target) && !migmux_dma_gate(s))
		queue_work(migmux_compat_unbound_wq, &s->gate_work);
	else
		run_phase(b);
	return 0;
}

/**
 * migmux_batch_cancel() - let a running batch end before its next arc
 * @s: the session
 * @error: what it fails with
 *
 * A way back is not cancelled.
 */
void migmux_batch_cancel(struct migmux_session *s, int error)
{
	cmpxchg(&s->batch.error, 0, error);
	WRITE_ONCE(s->batch.cancelled, error);
	wake_up_all(&s->wq);
}

/**
 * migmux_batch_running() - does a batch run?
 * @s: the session
 *
 * Context: any; takes the session's lock.
 */
bool migmux_batch_running(struct migmux_session *s)
{
	bool running;

	spin_lock(&s->lock);
	running = s->batch.running;
	spin_unlock(&s->lock);
	return running;
}
