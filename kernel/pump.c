// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pump: a device's data file into frames, each onto one of its channels.
 */
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "channel.h"
#include "datafile.h"
#include "hook.h"
#include "pump.h"
#include "sched.h"
#include "send.h"
#include "session.h"
#include "staging.h"
#include "trace.h"
#include "verify.h"

static struct migmux_device *to_device(struct migmux_mover *mover)
{
	return container_of(mover, struct migmux_device, mover);
}

/* No device holds so much memory that another one cannot send at all. */
static bool may_take(const struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	const struct migmux_session *s = dev->session;

	return s->staging->nr_free &&
	       dev->held < migmux_sched_share(s->staging->nr_frames, dev->weight,
					      s->weights);
}

static bool memory_ready(struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	struct migmux_session *s = dev->session;
	const bool ok = may_take(dev) || (migmux_splice_reclaim(s) && may_take(dev));

	migmux_device_stall_locked(dev, MIGMUX_WAIT_STAGING, !ok);
	return ok;
}

static bool ready(struct migmux_mover *mover)
{
	struct migmux_device *dev = to_device(mover);
	struct migmux_session *s = dev->session;
	bool ok;

	spin_lock(&s->lock);
	ok = !s->failed && dev->data_file && !dev->eof &&
	     !migmux_precopy_waits(dev) && memory_ready(dev);
	spin_unlock(&s->lock);
	return ok;
}

static void fail(struct migmux_device *dev, int err, const char *what)
{
	migmux_device_set_error(dev, err);
	migmux_session_fail(dev->session, err, dev->index, VFIO_MIGMUX_INDEX_NONE,
			    "%s: %s: error %d", dev->hook->name, what, -err);
}

/* @flags has nothing but config, precopy and ack. */
static int encode(struct migmux_device *dev, struct migmux_frame *frame,
		  const struct migmux_wire_head *flags)
{
	const struct migmux_wire_head head = {
		.idstr = dev->idstr,
		.instance_id = dev->instance_id,
		.bytes = frame->bytes,
		.idx = dev->next_idx,
		.config = flags->config,
		.precopy = flags->precopy,
		.ack = flags->ack,
		.verify = dev->session->verify,
	};

	frame->gather.idx = dev->next_idx++;
	return migmux_wire_frame_encode(&frame->header, &head);
}

/* Session's lock: a mover of one channel may die meanwhile. */
static struct migmux_channel *choose(struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	struct migmux_channel *ch, *best = NULL;

	list_for_each_entry(ch, &dev->channels, dev_node)
		if (migmux_sched_better(best ? &best->sched : NULL, &ch->sched))
			best = ch;
	list_for_each_entry(ch, &dev->session->shared, dev_node)
		if (migmux_sched_better(best ? &best->sched : NULL, &ch->sched))
			best = ch;
	return best;
}

/* The pump reads no more: its part of the memory is the others'. */
static void set_eof(struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	lockdep_assert_held(&dev->session->lock);
	if (dev->eof)
		return;
	dev->eof = true;
	dev->session->weights -= dev->weight;
}

static int dispatch(struct migmux_device *dev, struct migmux_frame *frame)
{
	struct migmux_session *s = dev->session;
	struct migmux_channel *ch;

	spin_lock(&s->lock);
	ch = choose(dev);
	if (ch) {
		dev->unsent++;
		ch->sched.queued += sizeof(frame->header) + frame->bytes;
		list_add_tail(&frame->node, &ch->queue);
	}
	spin_unlock(&s->lock);
	if (!ch)
		return -EPIPE;
	migmux_mover_wake(&ch->mover);
	return 0;
}

/*
 * A frame has no way. If all channels of the device are broken and a verdict is due,
 * one of them reads what the peer has left to say, and fails the session with that.
 */
static void no_way(struct migmux_device *dev, int err, const char *what)
{
	struct migmux_session *s = dev->session;

	if (err != -EPIPE || !s->verdict) {
		fail(dev, err, what);
		return;
	}
	spin_lock(&s->lock);
	set_eof(dev);
	spin_unlock(&s->lock);
}

/* The VMM will say that the device's state is complete, so this is all. */
static void finish_silently(struct migmux_device *dev)
{
	struct migmux_session *s = dev->session;
	bool sent, all = false;

	spin_lock(&s->lock);
	set_eof(dev);
	dev->config_done = true;
	sent = migmux_device_sent_locked(dev, &all);
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
	if (sent)
		migmux_device_sent_tell(dev, all);
}

/* The device's state is complete: the config frame says so on the wire. */
static void finish(struct migmux_device *dev)
{
	static const struct migmux_wire_head config = { .config = true };
	struct migmux_session *s = dev->session;
	struct migmux_frame *frame = &dev->config_frame;
	bool sent, all = false;
	int err;

	spin_lock(&s->lock);
	set_eof(dev);
	dev->config_done = true;
	/* the frame before may be sent at once: the device is not, before this one is */
	dev->unsent++;
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
	err = encode(dev, frame, &config);
	if (!err)
		err = dispatch(dev, frame);
	if (err) {
		no_way(dev, err, "cannot send the config frame");
		return;
	}
	spin_lock(&s->lock);
	dev->unsent--;
	sent = migmux_device_sent_locked(dev, &all);
	spin_unlock(&s->lock);
	if (sent)
		migmux_device_sent_tell(dev, all);
}

static void account(struct migmux_device *dev, u64 start, size_t bytes)
{
	struct vfio_migmux_timeline_device *t = &dev->report->t;
	const u64 now = ktime_get_ns();

	spin_lock(&dev->session->report->lock);
	t->bytes += bytes;
	t->stall_device_ns += now - start;
	if (!t->first_byte_ns && bytes)
		t->first_byte_ns = now;
	spin_unlock(&dev->session->report->lock);
}

static struct migmux_frame *take_memory(struct migmux_device *dev)
{
	struct migmux_session *s = dev->session;
	struct migmux_frame *frame = NULL;

	spin_lock(&s->lock);
	if (may_take(dev))
		frame = migmux_staging_get(s->staging, dev);
	spin_unlock(&s->lock);
	return frame;
}

static void give_back(struct migmux_session *s, struct migmux_frame *frame)
{
	spin_lock(&s->lock);
	migmux_staging_put(s->staging, frame);
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
}

/* What is read from now on belongs to the downtime. */
static void begin_final(struct migmux_device *dev)
{
	if (dev->final)
		return;
	dev->final = true;
	migmux_precopy_over(dev);
}

/*
 * One read of the data file. Nobody changes dev->data_file while this mover
 * runs and the device is in a state that has one.
 *
 * The device may stop while a read that began in pre-copy goes on, and may give what it
 * had to be stopped for: @live is then cleared.
 */
static ssize_t read_state(struct migmux_device *dev, struct migmux_frame *frame,
			  bool *live)
{
	const u64 start = ktime_get_ns();
	ssize_t n;

	n = migmux_datafile_read(dev->data_file, frame);
	if (n > 0)
		migmux_verify_add(dev, frame, 0, n);
	account(dev, start, n > 0 ? n : 0);
	if (!*live || n <= 0)
		return n;
	*live = migmux_precopy_live(dev);
	if (*live)
		migmux_precopy_read(dev, start, n);
	else
		begin_final(dev);
	return n;
}

/* Off with it, as one of pre-copy or not; with @ack the destination shall answer. */
static void send(struct migmux_device *dev, struct migmux_frame *frame, bool live,
		 bool ack)
{
	struct migmux_session *s = dev->session;
	const struct migmux_wire_head flags = {
		.precopy = live && s->verdict,
		.ack = ack,
	};
	int err;

	if (ack)
		migmux_precopy_asked(dev, dev->next_idx);
	err = encode(dev, frame, &flags);
	trace_migmux_frame_read(s->report->id, dev->index, VFIO_MIGMUX_INDEX_NONE,
				frame->gather.idx, frame->bytes);
	if (!err)
		err = dispatch(dev, frame);
	if (!err)
		return;
	give_back(s, frame);
	no_way(dev, err, "no channel takes its state");
}

/* A read brought nothing. @temporary: an end that it met is. */
static void at_end(struct migmux_device *dev, ssize_t n, bool temporary)
{
	if (n == -ERESTARTSYS)
		return;
	if (n == -EAGAIN)
		migmux_precopy_not_now(dev);
	else if (temporary && (!n || n == -ENOMSG))
		migmux_precopy_end(dev);
	else if (!n && dev->session->no_config)
		finish_silently(dev);
	else if (!n)
		finish(dev);
	else if (n == -EINTR)
		fail(dev, n, "a signal to the process interrupted a read, and the driver lost what it had read");
	else
		fail(dev, n, "reading its state");
}

static void step(struct migmux_mover *mover)
{
	struct migmux_device *dev = to_device(mover);
	struct migmux_frame *frame;
	bool live, temporary;
	ssize_t n;

	frame = take_memory(dev);
	if (!frame)
		return;
	live = migmux_precopy_begin(dev, &temporary);
	if (live && migmux_precopy_ask(dev, frame)) {
		send(dev, frame, true, true);
		return;
	}
	if (!live)
		begin_final(dev);
	n = read_state(dev, frame, &live);
	if (n > 0) {
		frame->bytes = n;
		send(dev, frame, live, false);
		return;
	}
	give_back(dev->session, frame);
	at_end(dev, n, temporary);
}

static void mover_killed(struct migmux_mover *mover)
{
	migmux_session_killed(to_device(mover)->session);
}

const struct migmux_mover_ops migmux_pump_ops = {
	.ready = ready,
	.step = step,
	.killed = mover_killed,
};
