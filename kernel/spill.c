// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory beyond the staging, for frames that came by a shared channel before their time.
 *
 * Why it is needed, and when, is argued at the top of gather.c. A spilled frame has no
 * place in the staging, and is not mapped into the VMM: its data is one buffer. When its
 * turn comes the feed copies it into a frame of the staging, which there is by then.
 *
 * Lifetime: a spilled frame belongs to the gather of its device, also while its channel
 * still receives it, until the feed takes it out, or migmux_spill_drop() does at the end.
 * As long as it lives it counts as a whole frame in what all sessions may hold (limit.c).
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "channel.h"
#include "device.h"
#include "limit.h"
#include "recv.h"
#include "session.h"
#include "spill.h"
#include "staging.h"
#include "trace.h"

/* Is a frame that could go on here, or on its way in? Then memory comes back. */
static bool moves_locked(struct migmux_session *s)
	__must_hold(&s->lock)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->lock);
	migmux_session_for_each_device(s, dev, i)
		if (dev->frame || migmux_gather_moves(&dev->gather))
			return true;
	return false;
}

/**
 * migmux_spill_due_locked() - must this channel's frame make way for what is behind it?
 * @ch: a channel of the destination, whose frame is not admitted
 *
 * Context: the session's lock is held.
 */
bool migmux_spill_due_locked(const struct migmux_channel *ch)
{
	lockdep_assert_held(&ch->session->lock);
	return !ch->device && !moves_locked(ch->session);
}

/* A frame counts for what it costs: for a page at least, however small its sender makes it. */
static u64 cost(u32 bytes)
{
	return max_t(u64, bytes, PAGE_SIZE);
}

static void spilled_free(struct migmux_frame *frame)
{
	trace_migmux_object_destroy("spilled", frame);
	migmux_limit_staging_put(cost(frame->bytes));
	kvfree(frame->config);
	kfree(frame);
}

static struct migmux_frame *spilled_create(const struct migmux_channel *ch)
{
	struct migmux_frame *frame;

	if (!migmux_limit_staging_take(cost(ch->head.bytes)))
		return ERR_PTR(-ENOSPC);
	frame = kzalloc(sizeof(*frame), GFP_KERNEL_ACCOUNT);
	if (!frame)
		goto err_put;
	frame->config = kvmalloc(max(ch->head.bytes, 1U), GFP_KERNEL_ACCOUNT);
	if (!frame->config)
		goto err_free;
	trace_migmux_object_create("spilled", frame);
	frame->device = ch->carries;
	frame->bytes = ch->head.bytes;
	return frame;

err_free:
	kfree(frame);
err_put:
	migmux_limit_staging_put(cost(ch->head.bytes));
	return ERR_PTR(-ENOMEM);
}

/* The lowest frame that has not come, of the first device that misses one. */
static struct migmux_device *missing(struct migmux_session *s, u32 *idx)
{
	struct migmux_device *dev;
	bool found;
	u32 i;

	migmux_session_for_each_device(s, dev, i) {
		spin_lock(&s->lock);
		found = migmux_gather_missing(&dev->gather, idx);
		spin_unlock(&s->lock);
		if (found)
			return dev;
	}
	return NULL;
}

static void fail_full(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_device *dev;
	u32 idx = 0;

	dev = missing(s, &idx);
	migmux_session_fail(s, -ENOBUFS, ch->carries->index, ch->id,
			    "channel %u from %s: frame %u of %s comes too early: frame %u of %s has not come, and memory for %llu bytes beyond the staging is used up",
			    ch->id, ch->peer, ch->head.idx, ch->carries->idstr, idx,
			    dev ? dev->idstr : "?", s->max_spill);
}

/**
 * migmux_spill_take() - memory beyond the staging for a channel's frame
 * @ch: a channel of the destination, for which it was due
 * @spilled: the frame, claimed
 * @fault: why its idx is refused
 *
 * Context: the channel's mover. Sleeps.
 * Return: 0; -EAGAIN if it is not needed any more; -EPROTO, with @fault filled, if the
 * frame's idx is refused; another error if the session fails for that.
 */
int migmux_spill_take(struct migmux_channel *ch, struct migmux_frame **spilled,
		      struct migmux_wire_fault *fault)
{
	struct migmux_session *s = ch->session;
	struct migmux_frame *frame;
	const char *why;
	int err = 0;

	frame = spilled_create(ch);
	if (IS_ERR(frame)) {
		err = PTR_ERR(frame);
		why = err == -ENOSPC ? ": all sessions hold what staging_total_mib allows" : "";
		migmux_session_fail(s, err, ch->carries->index, ch->id,
				    "no memory for a frame of %s that came too early%s",
				    ch->carries->idstr, why);
		return err;
	}
	spin_lock(&s->lock);
	if (!migmux_spill_due_locked(ch))
		err = -EAGAIN;
	else if (s->spilled + cost(ch->head.bytes) > s->max_spill)
		err = -ENOBUFS;
	else
		err = migmux_gather_claim(&ch->carries->gather, &frame->gather,
					  ch->head.idx, false, fault);
	if (!err) {
		migmux_recv_stall_locked(ch, false);
		s->spilled += cost(ch->head.bytes);
		spin_lock(&s->report->lock);
		s->report->spill_peak = max(s->report->spill_peak, s->spilled);
		spin_unlock(&s->report->lock);
	}
	spin_unlock(&s->lock);
	if (err)
		spilled_free(frame);
	else
		*spilled = frame;
	if (err == -ENOBUFS)
		fail_full(ch);
	return err;
}

/**
 * migmux_spill_waits_locked() - does the feed's next frame wait for a place in the staging?
 * @dev: a device of the destination
 *
 * Context: the session's lock is held.
 */
bool migmux_spill_waits_locked(const struct migmux_device *dev)
{
	const struct migmux_gather_node *node = migmux_gather_peek(&dev->gather);

	lockdep_assert_held(&dev->session->lock);
	return node && !container_of(node, struct migmux_frame, gather)->bvec &&
	       !dev->session->staging->nr_free;
}

/**
 * migmux_spill_settle() - a spilled frame's turn has come
 * @spilled: the frame, out of the gather; freed
 * @frame: a frame of the staging in its place
 *
 * Context: the feed. Sleeps.
 */
void migmux_spill_settle(struct migmux_frame *spilled, struct migmux_frame *frame)
{
	struct migmux_session *s = frame->device->session;
	const struct bio_vec *vec = frame->bvec;
	const void *from = spilled->config;
	u32 part, left = spilled->bytes;

	for (; left; left -= part, from += part, vec++) {
		part = min(left, vec->bv_len);
		/* the memory is not from the high zone: it has an address */
		memcpy(page_address(vec->bv_page) + vec->bv_offset, from, part);
	}
	frame->gather.idx = spilled->gather.idx;
	frame->bytes = spilled->bytes;
	frame->precopy = spilled->precopy;
	frame->ack = spilled->ack;
	spin_lock(&s->lock);
	s->spilled -= cost(spilled->bytes);
	spin_unlock(&s->lock);
	spilled_free(spilled);
}

/**
 * migmux_spill_drop() - free what was spilled and never written
 * @s: the session; no mover of it runs, nor will one
 *
 * Context: sleeps.
 */
void migmux_spill_drop(struct migmux_session *s)
{
	struct migmux_gather_node *node;
	struct migmux_device *dev;
	u32 i;

	migmux_session_for_each_device(s, dev, i) {
		while ((node = migmux_gather_drop(&dev->gather))) {
			struct migmux_frame *frame =
				container_of(node, struct migmux_frame, gather);

			/* frames with pages are the staging's */
			if (!frame->bvec)
				spilled_free(frame);
		}
	}
	s->spilled = 0;
}
