// SPDX-License-Identifier: GPL-2.0-only
/*
 * The feed: frames in their order into a device's data file, and then the arc
 * RESUMING to STOP, with which the device says whether it can live with them.
 */
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "arc.h"
#include "channel.h"
#include "datafile.h"
#include "hook.h"
#include "pump.h"
#include "session.h"
#include "spill.h"
#include "staging.h"
#include "trace.h"
#include "verify.h"

static struct migmux_device *to_device(struct migmux_mover *mover)
{
	return container_of(mover, struct migmux_device, mover);
}

/* Of frames the first is no wait: before it there was nothing to wait for. */
static void note_wait(struct migmux_device *dev, bool waits)
	__must_hold(&dev->session->lock)
{
	if (!waits || dev->report->t.first_byte_ns)
		migmux_device_stall_locked(dev, MIGMUX_WAIT_WIRE, waits);
}

/* For a place in the staging, which a spilled frame takes when its turn comes? */
static bool waits_for_place(struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	const bool waits = !dev->frame && migmux_spill_waits_locked(dev);

	migmux_device_stall_locked(dev, MIGMUX_WAIT_STAGING, waits);
	return waits;
}

static bool ready(struct migmux_mover *mover)
{
	struct migmux_device *dev = to_device(mover);
	struct migmux_session *s = dev->session;
	bool ok = false;

	spin_lock(&s->lock);
	if (!s->failed && dev->data_file && !dev->eof) {
		ok = dev->frame || migmux_gather_peek(&dev->gather) ||
		     migmux_gather_complete(&dev->gather);
		note_wait(dev, !ok);
		ok &= !waits_for_place(dev);
		ok &= !migmux_precopy_waits(dev);
	}
	spin_unlock(&s->lock);
	return ok;
}

/*
 * The next frame in order becomes dev->frame, in one step for who looks whether memory
 * will be free (recv.c). If there is none, *done says whether it was the last.
 */
static void take(struct migmux_device *dev, bool *done)
{
	struct migmux_frame *spilled = NULL;
	struct migmux_session *s = dev->session;
	struct migmux_gather_node *node = NULL;

	spin_lock(&s->lock);
	if (!migmux_spill_waits_locked(dev))
		node = migmux_gather_pop(&dev->gather);
	if (node) {
		dev->frame = container_of(node, struct migmux_frame, gather);
	} else {
		*done = migmux_gather_complete(&dev->gather);
		dev->eof = *done;
	}
	if (node && !dev->frame->bvec) {
		spilled = dev->frame;
		dev->frame = migmux_staging_get(s->staging, dev);
	}
	spin_unlock(&s->lock);
	if (spilled)
		migmux_spill_settle(spilled, dev->frame);
	/* a frame that waits at another channel may be the next one now */
	if (node)
		migmux_session_wake_stalled(s);
}

static void account(struct migmux_device *dev, u64 start, size_t bytes, bool whole)
{
	struct vfio_migmux_timeline_device *t = &dev->report->t;
	const u64 now = ktime_get_ns();

	spin_lock(&dev->session->report->lock);
	t->bytes += bytes;
	if (dev->frame->precopy)
		t->precopy_bytes += bytes;
	t->frames += whole;
	t->stall_device_ns += now - start;
	t->last_byte_ns = now;
	spin_unlock(&dev->session->report->lock);
}

static ssize_t write_state(struct migmux_device *dev)
{
	const size_t left = dev->frame->bytes - dev->offset;
	const u64 start = ktime_get_ns();
	ssize_t n;

	n = migmux_datafile_write(dev->data_file, dev->frame, dev->offset);
	if (n <= 0)
		return n;
	account(dev, start, n, n == left);
	migmux_verify_add(dev, dev->frame, dev->offset, n);
	return n;
}

static void fail(struct migmux_device *dev, int err)
{
	const char *why = "";

	if (err == -EINTR)
		why = ": interrupted by a signal to the process; nobody knows how much was written";
	migmux_device_set_error(dev, err);
	migmux_session_fail(dev->session, err, dev->index, VFIO_MIGMUX_INDEX_NONE,
			    "%s: writing its state, frame %u: error %d%s",
			    dev->hook->name, dev->frame->gather.idx, -err, why);
}

/* A device does not run again before it is resumed, whatever its source says. */
static bool check_order(struct migmux_device *dev)
{
	if (!dev->frame->precopy) {
		dev->final = true;
		return true;
	}
	if (!dev->final)
		return true;
	migmux_session_fail(dev->session, -EPROTO, dev->index, VFIO_MIGMUX_INDEX_NONE,
			    "device %s: frame %u is of pre-copy, and comes after the state of the stopped device",
			    dev->idstr, dev->frame->gather.idx);
	return false;
}

/* Go on with the frame: true when it is all written. */
static bool write_frame(struct migmux_device *dev)
{
	ssize_t n;

	/* an empty one only asks for an acknowledgment */
	if (!dev->frame->bytes) {
		account(dev, ktime_get_ns(), 0, true);
		return true;
	}
	/* a feed that is to look again tries again */
	clear_bit(MIGMUX_PRECOPY_LOOK, &dev->pre.wakes);
	migmux_precopy_try(dev);
	n = write_state(dev);
	if (n == -EAGAIN)
		migmux_precopy_not_now(dev);
	if (n == -ERESTARTSYS || n == -EAGAIN)
		return false;
	if (n < 0) {
		fail(dev, n);
		return false;
	}
	dev->offset += n;
	return dev->offset == dev->frame->bytes;
}

static void step(struct migmux_mover *mover)
{
	struct migmux_device *dev = to_device(mover);
	struct migmux_session *s = dev->session;
	bool done = false;

	if (!dev->frame) {
		take(dev, &done);
		dev->offset = 0;
	}
	if (done) {
		migmux_session_phase_end(s, dev->index, VFIO_MIGMUX_PHASE_TRANSFER, 0);
		queue_work(migmux_wq, &dev->load_work);
	}
	if (!dev->frame || !check_order(dev) || !write_frame(dev))
		return;
	migmux_precopy_frame_written(dev->frame);
	trace_migmux_frame_written(s->report->id, dev->index, VFIO_MIGMUX_INDEX_NONE,
				   dev->frame->gather.idx, dev->frame->bytes);
	spin_lock(&s->lock);
	migmux_staging_put(s->staging, dev->frame);
	dev->frame = NULL;
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
}

static void mover_killed(struct migmux_mover *mover)
{
	migmux_session_killed(to_device(mover)->session);
}

const struct migmux_mover_ops migmux_feed_ops = {
	.ready = ready,
	.step = step,
	.killed = mover_killed,
};

/**
 * migmux_feed_load_work() - all state is written: let the device check it
 * @work: &migmux_device.load_work
 *
 * Queued once by the feed, which then leaves the data file alone. It is waited
 * for after the movers have stopped.
 */
void migmux_feed_load_work(struct work_struct *work)
{
	struct migmux_device *dev =
		container_of(work, struct migmux_device, load_work);
	const struct migmux_walk walk = { .target = VFIO_DEVICE_STATE_STOP };
	struct migmux_session *s = dev->session;
	bool all;
	int err;

	/* the arc that tells is the VMM's where the data file was */
	err = s->adopted ? 0 : migmux_arc_walk(dev, &walk);
	if (err) {
		migmux_device_set_error(dev, err);
		migmux_session_fail(s, err, dev->index, VFIO_MIGMUX_INDEX_NONE,
				    "%s does not accept the state it was given: error %d",
				    dev->hook->name, -err);
		return;
	}
	spin_lock(&s->lock);
	all = ++s->nr_loaded == migmux_session_live(s);
	spin_unlock(&s->lock);
	if (all)
		migmux_verdict_loaded(s);
}
