// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is the initial data of all devices loaded? Between two ends that agreed on a verdict:
 *
 *   source                           destination
 *   all initial data is read:
 *   a frame says "acknowledge" --->  feed: this and all before are written
 *   all devices acknowledged?  <---  acknowledgment, on the frame's channel
 *
 * Nothing waits for it but the VMM, which may switch over without it: then it comes late,
 * but before the verdict.
 */
#include "channel.h"
#include "device.h"
#include "session.h"
#include "wire.h"

static bool all_acked_locked(struct migmux_session *s)
	__must_hold(&s->lock)
{
	lockdep_assert_held(&s->lock);
	return s->verdict && s->all_joined && s->nr_acked == s->nr_precopy;
}

/**
 * migmux_precopy_all_joined() - source: all devices that can are in PRE_COPY
 * @s: the session
 *
 * Some may have been acknowledged already, and if there are none all are.
 *
 * Context: work; sleeps.
 */
void migmux_precopy_all_joined(struct migmux_session *s)
{
	bool all;

	spin_lock(&s->lock);
	s->all_joined = true;
	all = all_acked_locked(s);
	spin_unlock(&s->lock);
	if (all)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_PRECOPY_ACKED);
}

/* Does it answer what a device has asked, on a channel of its own or one of all? */
static bool matches_locked(const struct migmux_channel *ch, const struct migmux_device *dev,
			   u32 idx)
	__must_hold(&ch->session->lock)
{
	lockdep_assert_held(&ch->session->lock);
	return dev && (!ch->device || ch->device == dev) &&
	       dev->pre.ack == MIGMUX_PRECOPY_ASKED && dev->pre.ack_idx == idx;
}

static void take(struct migmux_channel *ch, const struct migmux_wire_head *head)
{
	struct migmux_session *s = ch->session;
	struct migmux_device *dev = migmux_frame_device(s, head);
	bool asked, again = false, all = false;
	struct migmux_precopy *pre;

	spin_lock(&s->lock);
	asked = matches_locked(ch, dev, head->idx);
	if (asked) {
		pre = &dev->pre;
		again = pre->again;
		pre->again = false;
		pre->ack = again ? MIGMUX_PRECOPY_INITIAL : MIGMUX_PRECOPY_ACKED;
		s->nr_acked += !again;
		all = !again && all_acked_locked(s);
	}
	spin_unlock(&s->lock);
	if (!asked)
		migmux_session_fail(s, -EPROTO, migmux_channel_device_index(ch), ch->id,
				    "channel %u to %s: frame %u of %s was acknowledged, which nobody asked for",
				    ch->id, ch->peer, head->idx, head->idstr);
	if (again) {
		set_bit(MIGMUX_PRECOPY_LOOK, &dev->pre.wakes);
		migmux_mover_wake(&dev->mover);
	}
	if (all)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_PRECOPY_ACKED);
}

/**
 * migmux_precopy_receive_ack() - source: an acknowledgment has come
 * @ch: the channel; the record is in its buffer
 *
 * Context: the channel's mover.
 */
void migmux_precopy_receive_ack(struct migmux_channel *ch)
{
	struct migmux_wire_fault fault = { };
	struct migmux_wire_head head = { };
	char text[MIGMUX_WIRE_FAULT_LEN];

	if (!migmux_wire_ack_decode((void *)ch->buf, &head, &fault)) {
		take(ch, &head);
		return;
	}
	migmux_wire_fault_format(text, sizeof(text), &fault);
	migmux_session_fail(ch->session, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
			    "channel %u to %s: the acknowledgment makes no sense: %s",
			    ch->id, ch->peer, text);
}

/**
 * migmux_precopy_frame_written() - destination: a frame and all before are written
 * @frame: the frame
 *
 * Of several that are due for a device on a channel the last speaks for all.
 *
 * Context: the feed.
 */
void migmux_precopy_frame_written(struct migmux_frame *frame)
{
	const u32 index = frame->device->index;
	struct migmux_channel *ch = frame->ack;

	if (!ch)
		return;
	spin_lock(&ch->session->lock);
	ch->ack_idx[index] = frame->gather.idx;
	WRITE_ONCE(ch->acks, ch->acks | BIT_ULL(index));
	spin_unlock(&ch->session->lock);
	migmux_mover_wake(&ch->mover);
}

/**
 * migmux_precopy_begin_ack() - destination: the next thing to send is an acknowledgment
 * @ch: the channel, between two frames
 *
 * Context: the channel's mover.
 */
void migmux_precopy_begin_ack(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_wire_head head = { };
	const struct migmux_device *dev;

	spin_lock(&s->lock);
	dev = s->devices[__ffs64(ch->acks)];
	head.idx = ch->ack_idx[dev->index];
	WRITE_ONCE(ch->acks, ch->acks & (ch->acks - 1));
	spin_unlock(&s->lock);
	head.idstr = dev->idstr;
	head.instance_id = dev->instance_id;
	migmux_wire_ack_encode((void *)ch->buf, &head);
	ch->rx = MIGMUX_RX_ACK;
}

/**
 * migmux_precopy_send_ack() - destination: go on sending an acknowledgment
 * @ch: the channel
 *
 * Context: the channel's mover.
 */
void migmux_precopy_send_ack(struct migmux_channel *ch)
{
	int ret;

	ret = migmux_channel_reply(ch, ch->buf, sizeof(struct migmux_wire_ack));
	if (ret == 1)
		ch->rx = MIGMUX_RX_PREFIX;
	else if (ret != -EAGAIN)
		migmux_session_fail(ch->session, ret, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u from %s broke before an acknowledgment was sent",
				    ch->id, ch->peer);
}
