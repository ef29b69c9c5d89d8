// SPDX-License-Identifier: GPL-2.0-only
/*
 * A frame has come to the destination, by a channel (recv.c) or handed in by the VMM
 * (buffer.c): what both have in common.
 */
#include "frame.h"
#include "session.h"
#include "trace.h"

/**
 * migmux_frame_device() - whose state does a frame carry?
 * @s: the session, which loads
 * @head: the frame's header
 *
 * Return: the device, or NULL if it is not in the session.
 */
struct migmux_device *migmux_frame_device(struct migmux_session *s,
					  const struct migmux_wire_head *head)
{
	struct migmux_device *dev;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		if (dev->instance_id == head->instance_id &&
		    !strcmp(dev->idstr, head->idstr))
			return dev;
	return NULL;
}

/**
 * migmux_frame_claim_config() - a config frame's header has come
 * @dev: whose it is
 * @head: the header
 * @blob: memory for its data, or the data; &migmux_device.config_frame's from now on
 * @fault: filled on failure
 *
 * Context: takes the session's lock.
 * Return: 0; or -EPROTO, and @blob is still the caller's.
 */
int migmux_frame_claim_config(struct migmux_device *dev,
			      const struct migmux_wire_head *head, void *blob,
			      struct migmux_wire_fault *fault)
{
	struct migmux_frame *frame = &dev->config_frame;
	struct migmux_session *s = dev->session;
	struct migmux_gather_node second;
	void *old = blob;
	int err;

	spin_lock(&s->lock);
	/* a second one is refused, and must not touch the first */
	err = migmux_gather_claim(&dev->gather, dev->gather.config ?
				  &second : &frame->gather,
				  head->idx, true, fault);
	if (!err) {
		/* the VMM may have given one before it knew that it would load */
		swap(frame->config, old);
		frame->bytes = head->bytes;
	}
	spin_unlock(&s->lock);
	if (!err)
		kvfree(old);
	return err;
}

/**
 * migmux_frame_deliver() - a claimed frame has all its bytes: it is the gather's
 * @dev: whose it is
 * @frame: the frame
 * @channel: that brought it, or VFIO_MIGMUX_INDEX_NONE
 *
 * More state than the destination wants of a device fails the session.
 *
 * Context: sleeps; takes the session's lock.
 */
void migmux_frame_deliver(struct migmux_device *dev, struct migmux_frame *frame,
			  u32 channel)
{
	struct migmux_session *s = dev->session;
	bool much = false;

	trace_migmux_frame_received(s->report->id, dev->index, channel,
				    frame->gather.idx, frame->bytes);
	spin_lock(&s->lock);
	migmux_gather_ready(&frame->gather);
	if (frame == &dev->config_frame) {
		/* the feed, which never writes it, does not count it either */
		dev->config_done = true;
		spin_lock(&s->report->lock);
		dev->report->t.frames++;
		spin_unlock(&s->report->lock);
	} else {
		dev->came += frame->bytes;
		much = s->max_state && dev->came > s->max_state;
	}
	spin_unlock(&s->lock);
	if (much)
		migmux_session_fail(s, -EFBIG, dev->index, channel,
				    "device %s: more than %llu bytes of state, the most that is wanted here",
				    dev->idstr, s->max_state);
	migmux_mover_wake(&dev->mover);
}
