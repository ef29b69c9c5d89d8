// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's end of a channel. One mover sends frames and receives the verdict.
 */
#include <linux/bvec.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/uio.h>

#include "channel.h"
#include "ready.h"
#include "send.h"
#include "session.h"
#include "staging.h"
#include "trace.h"

static struct migmux_channel *to_channel(struct migmux_mover *mover)
{
	return container_of(mover, struct migmux_channel, mover);
}

/**
 * migmux_send_copy() - the copying method: &migmux_send_ops.send
 * @ch: the channel
 * @frame: the frame
 * @offset: bytes of it that are sent
 *
 * The socket is done with the memory when it has taken it.
 */
ssize_t migmux_send_copy(struct migmux_channel *ch, struct migmux_frame *frame,
			 size_t offset)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };

	if (offset < sizeof(frame->header))
		return migmux_channel_send(ch, (void *)&frame->header + offset,
					   sizeof(frame->header) - offset, frame->bytes);
	offset -= sizeof(frame->header);
	if (!frame->bvec)
		return migmux_channel_send(ch, frame->config + offset,
					   frame->bytes - offset, false);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, frame->bvec, frame->nr_bvec,
		      frame->bytes);
	iov_iter_advance(&msg.msg_iter, offset);
	return sock_sendmsg(ch->sock, &msg);
}

static void copy_release(struct migmux_session *s, struct migmux_frame *frame)
	__must_hold(&s->lock)
{
	migmux_staging_put(s->staging, frame);
}

static const struct migmux_send_ops copy_ops = {
	.method = VFIO_MIGMUX_SEND_METHOD_COPY,
	.send = migmux_send_copy,
	.release = copy_release,
};

static bool zerocopy = true;
module_param(zerocopy, bool, 0644);
MODULE_PARM_DESC(zerocopy,
		 "channels that are made from now on send without copying, where the socket can (default Y)");

/**
 * migmux_send_choose() - the best way to send through a socket
 * @sock: a socket that can be a channel
 */
const struct migmux_send_ops *migmux_send_choose(struct socket *sock)
{
	if (!READ_ONCE(zerocopy))
		return &copy_ops;
	if (migmux_zerocopy_can(sock))
		return &migmux_zerocopy_ops;
	return migmux_splice_choose(sock) ?: &copy_ops;
}

static bool has_work(struct migmux_channel *ch)
{
	return !ch->init_sent || migmux_ready_query_due(ch) || ch->frame ||
	       !list_empty_careful(&ch->queue) || migmux_verdict_confirm_due(ch);
}

static bool ready(struct migmux_mover *mover)
{
	struct migmux_channel *ch = to_channel(mover);

	if (READ_ONCE(ch->session->failed))
		return false;
	if (migmux_verdict_expected(ch) &&
	    test_bit(MIGMUX_CHANNEL_READABLE, &ch->flags))
		return true;
	return !ch->send_error && test_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags) &&
	       has_work(ch);
}

/*
 * A peer that refuses what we send says why before it closes, so with a verdict
 * to come a broken socket is read to its end first. If it has come, nothing will. Nor if
 * it is for want of memory that we cannot send: of that the peer knows nothing.
 */
static void broken(struct migmux_channel *ch, int err)
{
	struct migmux_session *s = ch->session;
	const bool ours = err == -ENOMEM || err == -ENOBUFS;

	if (s->verdict && !ch->verdict && !ours) {
		ch->send_error = err;
		spin_lock(&s->lock);
		ch->sched.dead = true;
		spin_unlock(&s->lock);
		set_bit(MIGMUX_CHANNEL_READABLE, &ch->flags);
		return;
	}
	migmux_session_fail(s, err, migmux_channel_device_index(ch), ch->id,
			    "channel %u to %s broke while sending: error %d",
			    ch->id, ch->peer, -err);
}

/* A record that is no frame did not go out. Its count of bytes is now what is received. */
static void record_broken(struct migmux_channel *ch, int err)
{
	ch->have = 0;
	broken(ch, err);
}

static void send_init(struct migmux_channel *ch)
{
	static const u8 uuid[MIGMUX_WIRE_UUID_LEN];
	struct migmux_wire_init init;
	int ret;

	migmux_wire_init_encode(&init, uuid, ch->id);
	ret = migmux_channel_reply(ch, &init, sizeof(init));
	if (ret == 1)
		ch->init_sent = true;
	else if (ret != -EAGAIN)
		record_broken(ch, ret);
}

static void send_query(struct migmux_channel *ch)
{
	struct migmux_wire_query query;
	int ret;

	migmux_wire_query_encode(&query, ch->session->report->id);
	ret = migmux_channel_reply(ch, &query, sizeof(query));
	if (ret == -EAGAIN)
		return;
	ch->asked = true;
	if (ret < 0)
		record_broken(ch, ret);
}

static struct migmux_frame *dequeue(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_frame *frame;

	spin_lock(&s->lock);
	frame = list_first_entry_or_null(&ch->queue, struct migmux_frame, node);
	if (frame)
		list_del_init(&frame->node);
	spin_unlock(&s->lock);
	return frame;
}

static void frame_done(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_frame *frame = ch->frame;
	struct migmux_device *dev = frame->device;
	struct vfio_migmux_timeline_device *t = &dev->report->t;
	bool sent, all = false;

	trace_migmux_frame_sent(s->report->id, dev->index, ch->id,
				frame->gather.idx, frame->bytes);
	ch->frame = NULL;
	spin_lock(&s->lock);
	ch->sched.queued -= sizeof(frame->header) + frame->bytes;
	dev->unsent--;
	/* the last use of the frame: the socket may be done with it at once */
	if (frame->bvec)
		ch->send->release(s, frame);
	sent = migmux_device_sent_locked(dev, &all);
	spin_lock(&s->report->lock);
	t->frames++;
	t->last_byte_ns = ktime_get_ns();
	spin_unlock(&s->report->lock);
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
	if (sent)
		migmux_device_sent_tell(dev, all);
}

/* More bytes of the frame into the socket; 0 if it takes none now. */
static ssize_t send_some(struct migmux_channel *ch)
{
	ssize_t n;

	migmux_channel_try(ch, MIGMUX_CHANNEL_WRITABLE);
	n = ch->send->send(ch, ch->frame, ch->offset);
	/* a signal came while TLS was busy: the mover's loop sees to it */
	if (n > 0 || n == -EINTR)
		set_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
	if (n == -EAGAIN)
		migmux_channel_refused(ch);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n > 0) {
		atomic64_add(n, &ch->sent);
		ch->offset += n;
	}
	return n;
}

static void send_frame(struct migmux_channel *ch)
{
	struct migmux_frame *frame;
	size_t size;
	ssize_t n = 1;

	if (!ch->frame) {
		ch->frame = dequeue(ch);
		ch->offset = 0;
	}
	frame = ch->frame;
	if (!frame)
		return;
	size = sizeof(frame->header) + frame->bytes;
	if (ch->offset < size)
		n = send_some(ch);
	/* what was taken is sent when it cannot be lost in the socket */
	if (ch->offset == size)
		n = migmux_channel_flush(ch);
	if (n < 0) {
		broken(ch, n);
		return;
	}
	migmux_report_wait(ch->session->report, frame->device->report, MIGMUX_WAIT_WIRE,
			   &ch->blocked, !n);
	if (n && ch->offset == size)
		frame_done(ch);
}

/**
 * migmux_send_abandon() - give up a frame that was sent in part
 * @ch: the channel of a source that ends; its mover is stopped
 *
 * Context: sleeps.
 */
void migmux_send_abandon(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_frame *frame = ch->frame;

	ch->frame = NULL;
	if (!frame || !frame->bvec)
		return;
	spin_lock(&s->lock);
	ch->send->release(s, frame);
	spin_unlock(&s->lock);
}

static void step(struct migmux_mover *mover)
{
	struct migmux_channel *ch = to_channel(mover);

	if (migmux_verdict_expected(ch) &&
	    test_bit(MIGMUX_CHANNEL_READABLE, &ch->flags))
		migmux_verdict_receive(ch);
	else if (!ch->init_sent)
		send_init(ch);
	else if (migmux_ready_query_due(ch))
		send_query(ch);
	else if (migmux_verdict_confirm_due(ch))
		migmux_verdict_confirm(ch);
	else
		send_frame(ch);
}

static void mover_killed(struct migmux_mover *mover)
{
	migmux_session_killed(to_channel(mover)->session);
}

const struct migmux_mover_ops migmux_send_mover_ops = {
	.ready = ready,
	.step = step,
	.killed = mover_killed,
};
