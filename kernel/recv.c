// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination's end of a channel. One mover receives frames, straight into
 * staging, and hands them to the gather of their device. Everything that comes
 * is hostile until wire.c and gather.c have seen it.
 */
#include <linux/bvec.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "channel.h"
#include "ready.h"
#include "recv.h"
#include "session.h"
#include "spill.h"
#include "staging.h"
#include "trace.h"
#include "verify.h"

/* A frame is written when it is whole, so a mover that is woken often gains nothing. */
#define RECV_WAKE_AT	((size_t)SZ_256K)

static struct migmux_channel *to_channel(struct migmux_mover *mover)
{
	return container_of(mover, struct migmux_channel, mover);
}

/*
 * Every failure closes the channel for us: the session's failure stops all
 * movers, but does not count any more once the devices are handed over.
 */
static void fail(struct migmux_channel *ch, int err, const char *what)
{
	ch->closed = true;
	migmux_session_fail(ch->session, err, VFIO_MIGMUX_INDEX_NONE, ch->id,
			    "channel %u from %s: %s%s", ch->id, ch->peer, what,
			    ch->detail);
}

static void refuse(struct migmux_channel *ch, const struct migmux_wire_fault *fault)
{
	char text[MIGMUX_WIRE_FAULT_LEN];
	const u32 device = ch->carries ? ch->carries->index : VFIO_MIGMUX_INDEX_NONE;

	ch->closed = true;
	migmux_wire_fault_format(text, sizeof(text), fault);
	migmux_session_fail(ch->session, -EPROTO, device, ch->id,
			    "channel %u from %s%s%s: %s", ch->id, ch->peer,
			    ch->carries ? ", device " : "",
			    ch->carries ? ch->carries->idstr : "", text);
}

/* Session's lock: may the frame at the head of the channel have memory? */
static bool admitted(struct migmux_channel *ch)
	__must_hold(&ch->session->lock)
{
	struct migmux_session *s = ch->session;

	lockdep_assert_held(&s->lock);
	return migmux_gather_admit(&ch->carries->gather, ch->head.idx, s->staging->nr_free,
				   ch->carries->held >= s->max_held);
}

/*
 * Session's lock: will nothing ever be admitted? So it is when each channel is closed or
 * waits, itself or with all others, for a frame that only the others could bring, and
 * no feed has anything that would free memory. A source that plays by the rules of gather.c
 * comes here only by closing a channel on which a frame was still to come.
 */
static bool stuck(struct migmux_session *s)
	__must_hold(&s->lock)
{
	struct migmux_channel *ch;
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->lock);
	if (s->buffers)
		return false;
	for (i = 0; i < s->nr_channels; i++) {
		ch = s->channels[i];
		/* what devices share spills before it is in vain to wait */
		if (!READ_ONCE(ch->closed) &&
		    (!ch->stalled || !ch->device || admitted(ch)))
			return false;
	}
	migmux_session_for_each_device(s, dev, i)
		if (dev->frame || migmux_gather_peek(&dev->gather))
			return false;
	return true;
}

/**
 * migmux_recv_stall_locked() - measure how long a channel's frame waits for staging memory
 * @ch: a channel of the destination
 * @waits: does it now? The first look that finds so is the beginning
 *
 * Context: the session's lock is held. The channel's mover.
 */
void migmux_recv_stall_locked(struct migmux_channel *ch, bool waits)
{
	lockdep_assert_held(&ch->session->lock);
	migmux_report_wait(ch->session->report, ch->carries->report, MIGMUX_WAIT_STAGING,
			   &ch->stalled, waits);
}

/* Also when it is in vain to wait: step_admit() tells. */
static bool ready_admit(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	bool ok;

	spin_lock(&s->lock);
	ok = admitted(ch) || migmux_spill_due_locked(ch);
	if (!ok)
		migmux_recv_stall_locked(ch, true);
	ok |= stuck(s);
	spin_unlock(&s->lock);
	return ok;
}

/* Between two packets: is there something to be said before the next? */
static bool reply_due(const struct migmux_channel *ch)
{
	return !ch->have && (READ_ONCE(ch->acks) || migmux_ready_due(ch) ||
			     READ_ONCE(ch->session->verdict_due));
}

static bool ready(struct migmux_mover *mover)
{
	struct migmux_channel *ch = to_channel(mover);
	struct migmux_session *s = ch->session;

	if (READ_ONCE(s->failed) || ch->closed)
		return false;
	switch (ch->rx) {
	case MIGMUX_RX_PREFIX:
		if (reply_due(ch))
			return true;
		fallthrough;
	case MIGMUX_RX_INIT:
	case MIGMUX_RX_HEADER:
	case MIGMUX_RX_DATA:
	case MIGMUX_RX_CONFIRM:
		return test_bit(MIGMUX_CHANNEL_READABLE, &ch->flags);
	case MIGMUX_RX_ADMIT:
		return ready_admit(ch);
	case MIGMUX_RX_READY:
	case MIGMUX_RX_ACK:
	case MIGMUX_RX_VERDICT:
		return test_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
	case MIGMUX_RX_DONE:
		break;
	}
	return false;
}

/* If something has not come that will not come any more, the session fails. */
static void missing(struct migmux_session *s, const char *why, const char *detail)
{
	struct migmux_device *dev;
	u32 i, first;
	bool is;

	migmux_session_for_each_device(s, dev, i) {
		spin_lock(&s->lock);
		is = migmux_gather_missing(&dev->gather, &first);
		spin_unlock(&s->lock);
		if (!is)
			continue;
		migmux_session_fail(s, -EPROTO, i, VFIO_MIGMUX_INDEX_NONE,
				    "device %s: %s, and frame %u has not come%s",
				    dev->idstr, why, first, detail);
		return;
	}
}

/* The peer closed the channel at a boundary: well, unless something is missing. */
static void peer_closed(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	bool all;

	if (s->verdict) {
		fail(ch, -ECONNABORTED, "closed by the source before the end");
		return;
	}
	ch->closed = true;
	spin_lock(&s->lock);
	all = ++s->nr_closed == s->nr_channels;
	spin_unlock(&s->lock);
	/* what has not come, the VMM may still hand in */
	if (all && !s->buffers)
		missing(s, "all channels are closed", ch->detail);
	/* what others wait for may have been to come from here */
	migmux_session_wake_stalled(s);
}

/* One record of the channel into ch->buf; true when it is there. */
static bool record(struct migmux_channel *ch, u32 at, u32 size)
{
	int ret = migmux_channel_recv(ch, ch->buf + at, size);

	if (ret == 1)
		return true;
	if (ret == -ECONNABORTED)
		fail(ch, ret, "closed in the middle of a header");
	else if (!ret && at)
		fail(ch, -ECONNABORTED, "closed in the middle of a header");
	else if (!ret)
		peer_closed(ch);
	else if (ret != -EAGAIN)
		fail(ch, ret, "broke while receiving");
	return false;
}

static void step_init(struct migmux_channel *ch)
{
	static const u8 uuid[MIGMUX_WIRE_UUID_LEN];
	struct migmux_wire_fault fault = { };
	u8 id;

	if (!record(ch, 0, sizeof(struct migmux_wire_init)))
		return;
	if (migmux_wire_init_decode((void *)ch->buf, uuid, &id, &fault)) {
		refuse(ch, &fault);
		return;
	}
	ch->init_received = true;
	ch->rx = MIGMUX_RX_PREFIX;
}

/* The source asks whether we are ready; the answer may have to wait until we are. */
static void query(struct migmux_channel *ch)
{
	struct migmux_wire_fault fault = { };

	if (migmux_wire_query_decode((void *)ch->buf, &ch->query_id, &fault))
		refuse(ch, &fault);
	else if (!ch->session->verdict)
		fail(ch, -EPROTO, "the source asks whether we are ready, which goes with a verdict only");
	else
		ch->asked = true;
}

static void step_prefix(struct migmux_channel *ch)
{
	struct migmux_wire_fault fault = { };
	enum migmux_wire_kind kind;

	if (reply_due(ch)) {
		if (READ_ONCE(ch->acks))
			migmux_precopy_begin_ack(ch);
		else if (migmux_ready_due(ch))
			ch->rx = MIGMUX_RX_READY;
		else
			ch->rx = MIGMUX_RX_VERDICT;
		return;
	}
	if (!record(ch, 0, sizeof(struct migmux_wire_prefix)))
		return;
	if (migmux_wire_is_query((void *)ch->buf)) {
		query(ch);
		return;
	}
	if (migmux_wire_prefix_decode((void *)ch->buf, &kind, &fault)) {
		refuse(ch, &fault);
		return;
	}
	if (kind != MIGMUX_WIRE_DEVICE_STATE) {
		fail(ch, -EPROTO, "a RAM packet came: give the session channels of its own");
		return;
	}
	ch->rx = MIGMUX_RX_HEADER;
}

/* The first frame says whose channel it is, unless all devices share it. */
static bool bind(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_device *dev = migmux_frame_device(s, &ch->head);

	if (!dev) {
		ch->closed = true;
		migmux_session_fail(s, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u from %s: device %s, instance %u is not in this session",
				    ch->id, ch->peer, ch->head.idstr,
				    ch->head.instance_id);
		return false;
	}
	if (ch->device && ch->carries && ch->carries != dev) {
		ch->closed = true;
		migmux_session_fail(s, -EPROTO, dev->index, ch->id,
				    "channel %u from %s: a frame of %s on the channel of %s: share channels on both ends or on none",
				    ch->id, ch->peer, dev->idstr, ch->carries->idstr);
		return false;
	}
	ch->carries = dev;
	if (ch->seen & BIT_ULL(dev->index))
		return true;
	ch->seen |= BIT_ULL(dev->index);
	migmux_device_first_frame(dev, 1, ch->head.precopy);
	return true;
}

/* Who does not ask for a verdict is QEMU, and knows only its own flags. */
static bool check_precopy(struct migmux_channel *ch)
{
	if (!ch->head.precopy) {
		migmux_device_stopped_frame(ch->carries);
		return true;
	}
	if (ch->session->verdict)
		return true;
	ch->closed = true;
	migmux_session_fail(ch->session, -EPROTO, ch->carries->index, ch->id,
			    "channel %u from %s, device %s: frame %u is of pre-copy, which goes with a verdict only",
			    ch->id, ch->peer, ch->carries->idstr, ch->head.idx);
	return false;
}

static void deliver(struct migmux_channel *ch)
{
	struct migmux_frame *frame = ch->frame;

	ch->frame = NULL;
	ch->rx = MIGMUX_RX_PREFIX;
	migmux_frame_deliver(ch->carries, frame, ch->id);
}

/* A config frame has memory of its own, bounded by its size on the wire. */
static void accept_config(struct migmux_channel *ch)
{
	struct migmux_device *dev = ch->carries;
	struct migmux_frame *frame = &dev->config_frame;
	struct migmux_wire_fault fault = { };
	void *buf = NULL;

	if (ch->head.bytes) {
		buf = kvmalloc(ch->head.bytes, GFP_KERNEL_ACCOUNT);
		if (!buf) {
			fail(ch, -ENOMEM, "no memory for a config blob");
			return;
		}
	}
	if (migmux_frame_claim_config(dev, &ch->head, buf, &fault)) {
		kvfree(buf);
		refuse(ch, &fault);
		return;
	}
	ch->frame = frame;
	ch->offset = 0;
	ch->rx = MIGMUX_RX_DATA;
	if (!frame->bytes)
		deliver(ch);
}

static void step_header(struct migmux_channel *ch)
{
	const u32 prefix = sizeof(struct migmux_wire_prefix);
	struct migmux_wire_frame *header = (void *)ch->buf;
	struct migmux_wire_fault fault = { };

	if (!record(ch, prefix, sizeof(*header) - prefix))
		return;
	if (migmux_wire_packet_decode(&header->packet, &ch->head, &fault) ||
	    migmux_wire_payload_decode(&header->payload, &ch->head, &fault)) {
		refuse(ch, &fault);
		return;
	}
	if (!bind(ch) || !check_precopy(ch) || !migmux_verify_agreed(ch))
		return;
	if (ch->device && migmux_gather_rise(&ch->floor, ch->head.idx, &fault)) {
		refuse(ch, &fault);
		return;
	}
	if (ch->head.config)
		accept_config(ch);
	else
		ch->rx = MIGMUX_RX_ADMIT;
}

/* The frame at the head of the channel has memory: its data comes next. */
static void accept_data(struct migmux_channel *ch, struct migmux_frame *frame)
{
	frame->bytes = ch->head.bytes;
	frame->precopy = ch->head.precopy;
	frame->ack = ch->head.ack ? ch : NULL;
	ch->frame = frame;
	ch->offset = 0;
	ch->rx = MIGMUX_RX_DATA;
	if (!frame->bytes)
		deliver(ch);
}

static void step_spill(struct migmux_channel *ch)
{
	struct migmux_wire_fault fault = { };
	struct migmux_frame *frame;
	int err;

	err = migmux_spill_take(ch, &frame, &fault);
	if (!err)
		accept_data(ch, frame);
	else if (err == -EPROTO)
		refuse(ch, &fault);
	else if (err != -EAGAIN)
		ch->closed = true;
}

static void step_admit(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_wire_fault fault = { };
	struct migmux_frame *frame = NULL;
	bool spill = false, in_vain;
	int err = 0;

	spin_lock(&s->lock);
	in_vain = stuck(s);
	if (admitted(ch))
		frame = migmux_staging_get(s->staging, ch->carries);
	else
		spill = migmux_spill_due_locked(ch);
	if (frame) {
		migmux_recv_stall_locked(ch, false);
		err = migmux_gather_claim(&ch->carries->gather, &frame->gather,
					  ch->head.idx, false, &fault);
		if (err)
			migmux_staging_put(s->staging, frame);
	}
	spin_unlock(&s->lock);
	if (spill)
		step_spill(ch);
	if (in_vain)
		missing(s, "all channels are closed or wait with later frames", "");
	if (!frame)
		return;
	if (err) {
		refuse(ch, &fault);
		return;
	}
	accept_data(ch, frame);
}

static int recv_data(struct migmux_channel *ch)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct migmux_frame *frame = ch->frame;
	const size_t left = frame->bytes - ch->offset;
	struct kvec vec;

	if (frame->bvec) {
		iov_iter_bvec(&msg.msg_iter, ITER_DEST, frame->bvec,
			      frame->nr_bvec, frame->bytes);
		iov_iter_advance(&msg.msg_iter, ch->offset);
	} else {
		vec.iov_base = frame->config + ch->offset;
		vec.iov_len = left;
		iov_iter_kvec(&msg.msg_iter, ITER_DEST, &vec, 1, left);
	}
	return migmux_tls_recv(ch, &msg);
}

static void step_data(struct migmux_channel *ch)
{
	size_t left;
	int ret;

	migmux_channel_try(ch, MIGMUX_CHANNEL_READABLE);
	ret = recv_data(ch);
	if (ret == -EAGAIN)
		return;
	if (!ret) {
		fail(ch, -ECONNABORTED, "closed in the middle of a frame");
		return;
	}
	if (ret < 0) {
		fail(ch, ret, "broke while receiving");
		return;
	}
	atomic64_add(ret, &ch->received);
	ch->offset += ret;
	left = ch->frame->bytes - ch->offset;
	/* short of what we asked for the socket is empty, and will wake us */
	if (left && migmux_channel_await(ch, min(left, RECV_WAKE_AT)))
		return;
	set_bit(MIGMUX_CHANNEL_READABLE, &ch->flags);
	if (left)
		return;
	migmux_channel_await(ch, 1);
	deliver(ch);
}

static void step(struct migmux_mover *mover)
{
	struct migmux_channel *ch = to_channel(mover);

	switch (ch->rx) {
	case MIGMUX_RX_INIT:
		step_init(ch);
		break;
	case MIGMUX_RX_PREFIX:
		step_prefix(ch);
		break;
	case MIGMUX_RX_HEADER:
		step_header(ch);
		break;
	case MIGMUX_RX_ADMIT:
		step_admit(ch);
		break;
	case MIGMUX_RX_DATA:
		step_data(ch);
		break;
	case MIGMUX_RX_READY:
		migmux_ready_send(ch);
		break;
	case MIGMUX_RX_ACK:
		migmux_precopy_send_ack(ch);
		break;
	case MIGMUX_RX_VERDICT:
		migmux_verdict_send(ch);
		break;
	case MIGMUX_RX_CONFIRM:
		migmux_verdict_await(ch);
		break;
	case MIGMUX_RX_DONE:
		break;
	}
	/* the session fails for that, unless it owns its devices already */
	if (ch->closed && ch->session->verdict)
		migmux_verdict_lost(ch);
}

static void mover_killed(struct migmux_mover *mover)
{
	migmux_session_killed(to_channel(mover)->session);
}

const struct migmux_mover_ops migmux_recv_mover_ops = {
	.ready = ready,
	.step = step,
	.killed = mover_killed,
};
