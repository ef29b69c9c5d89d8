// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arcs. One worker walks one device; the driver has its own lock, so no lock is
 * held here.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/ktime.h>

#include "arc.h"
#include "hook.h"
#include "plan.h"
#include "session.h"
#include "trace.h"

/**
 * migmux_arc_phase() - which span of the timeline a state change belongs to
 * @from: enum vfio_device_mig_state
 * @to: where it goes, by one arc or several
 *
 * Return: the phase, or VFIO_MIGMUX_NR_PHASES if it belongs to none.
 */
enum vfio_migmux_phase migmux_arc_phase(u32 from, u32 to)
{
	switch (to) {
	case VFIO_DEVICE_STATE_RUNNING_P2P:
		return from == VFIO_DEVICE_STATE_RUNNING ||
		       from == VFIO_DEVICE_STATE_PRE_COPY_P2P ?
			VFIO_MIGMUX_PHASE_QUIESCE : VFIO_MIGMUX_PHASE_RESUME;
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
		return VFIO_MIGMUX_PHASE_QUIESCE;
	case VFIO_DEVICE_STATE_STOP:
		if (from == VFIO_DEVICE_STATE_RESUMING)
			return VFIO_MIGMUX_PHASE_LOAD;
		/* what ends a save is no part of the way into one */
		if (from == VFIO_DEVICE_STATE_STOP_COPY)
			return VFIO_MIGMUX_NR_PHASES;
		return VFIO_MIGMUX_PHASE_STOP;
	case VFIO_DEVICE_STATE_STOP_COPY:
		return VFIO_MIGMUX_PHASE_SAVE;
	case VFIO_DEVICE_STATE_RESUMING:
		return VFIO_MIGMUX_PHASE_PREPARE;
	case VFIO_DEVICE_STATE_RUNNING:
		return VFIO_MIGMUX_PHASE_START;
	default:
		return VFIO_MIGMUX_NR_PHASES;
	}
}

/* Where is it really, after an arc that failed? */
static void look_again(struct migmux_device *dev)
{
	enum vfio_device_mig_state state;

	if (migmux_hook_get_state(dev->hook, &state))
		return;
	migmux_device_set_state(dev, state);
}

static int arc(struct migmux_device *dev, enum vfio_device_mig_state next)
{
	struct migmux_self self;
	struct file *file;

	trace_migmux_arc(dev->hook->name, dev->state, next);
	migmux_identity_assume(&dev->session->owner, &self);
	file = migmux_hook_set_state(dev->hook, next);
	migmux_identity_leave(&self);
	if (IS_ERR(file)) {
		trace_migmux_arc_err(dev->hook->name, next, PTR_ERR(file));
		look_again(dev);
		return PTR_ERR(file);
	}
	/* a save keeps its file until it ends: a new one means that a reset has ended it */
	if (file && dev->data_file &&
	    READ_ONCE(dev->session->role) == VFIO_MIGMUX_ROLE_SOURCE) {
		fput(file);
		trace_migmux_arc_err(dev->hook->name, next, -ENODEV);
		look_again(dev);
		return -ENODEV;
	}
	trace_migmux_arc_done(dev->hook->name, next, 0);
	if (next == VFIO_DEVICE_STATE_STOP || next == VFIO_DEVICE_STATE_RUNNING ||
	    next == VFIO_DEVICE_STATE_RUNNING_P2P)
		migmux_device_put_data_file(dev);
	migmux_device_set_state(dev, next);
	if (file && next == VFIO_DEVICE_STATE_PRE_COPY &&
	    READ_ONCE(dev->session->role) == VFIO_MIGMUX_ROLE_SOURCE)
		migmux_precopy_enter(dev);
	if (file)
		migmux_device_set_data_file(dev, file);
	return 0;
}

/* Pre-copy lasts from the arc that leads there to the one that ends it. */
static void precopy_span(struct migmux_device *dev, u32 next)
{
	if (next == VFIO_DEVICE_STATE_PRE_COPY && dev->session->precopy)
		migmux_session_phase_start(dev->session, dev->index,
					   VFIO_MIGMUX_PHASE_PRECOPY);
	if (dev->state != VFIO_DEVICE_STATE_PRE_COPY || !dev->pre.joined)
		return;
	migmux_session_phase_end(dev->session, dev->index, VFIO_MIGMUX_PHASE_PRECOPY, 0);
	migmux_precopy_stopping(dev);
}

static void precopy_fails(struct migmux_device *dev, u32 next, int err)
{
	if (err && next == VFIO_DEVICE_STATE_PRE_COPY && dev->session->precopy)
		migmux_session_phase_end(dev->session, dev->index,
					 VFIO_MIGMUX_PHASE_PRECOPY, err);
}

static int check(const struct migmux_walk *walk)
{
	if (walk->stop && READ_ONCE(*walk->stop))
		return -ECANCELED;
	if (walk->deadline_ns && ktime_get_ns() > walk->deadline_ns)
		return -ETIMEDOUT;
	return 0;
}

/**
 * migmux_arc_walk() - take a device arc by arc to a state
 * @dev: the device; &migmux_device.state says where it is
 * @walk: how
 *
 * A data file that the device yields is kept in &migmux_device.data_file until
 * the device leaves the state that it belongs to. After a failure the device may
 * be anywhere on the way; &migmux_device.state says where. After a walk to RESUMING
 * it may have been loaded, and walked on to STOP, before this returns.
 *
 * Context: work; sleeps as long as the driver takes. The device's VFIO file is
 * held, its movers do not use the data file if an arc ends its validity.
 * Return: 0, the driver's error, -ECANCELED or -ETIMEDOUT.
 */
int migmux_arc_walk(struct migmux_device *dev, const struct migmux_walk *walk)
{
	/* our own way: with its data file a device can be loaded, and move, at once */
	enum vfio_device_mig_state state = dev->state, next;
	struct migmux_session *s = dev->session;
	enum vfio_migmux_phase phase;
	int err;

	for (; state != walk->target; state = next) {
		/* VFIO's state machine warns when it is asked for a way from there */
		if (state == VFIO_DEVICE_STATE_ERROR)
			return -EIO;
		err = check(walk);
		if (err)
			return err;
		err = vfio_mig_get_next_state(dev->hook->vdev, state, walk->target, &next);
		if (err)
			return err;
		phase = walk->rollback ? VFIO_MIGMUX_PHASE_ROLLBACK :
					 migmux_arc_phase(state, next);
		precopy_span(dev, next);
		migmux_session_phase_start(s, dev->index, phase);
		err = arc(dev, next);
		migmux_session_phase_end(s, dev->index, phase, err);
		precopy_fails(dev, next, err);
		if (err)
			return err;
	}
	return 0;
}
