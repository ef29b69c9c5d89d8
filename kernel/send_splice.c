// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending without copying where a socket takes pages but does not say when it is done with
 * them.
 *
 * Kernel TLS is done when the call returns: it encrypts into pages of its own, see
 * migmux_tls_can_splice().
 *
 * AF_UNIX queues the pages themselves at the peer, whose reads, or splices, read them. Such
 * a frame is lent: it stays out of the free list until each of its pages has only those
 * references that were there before. So a peer that is slow, or keeps the pages in a pipe,
 * keeps the frame, and back-pressure is all that it gains.
 *
 * 1. The last reference goes where no wake-up follows: the socket tells of an skb that is
 *    freed before its pages are. So who wants memory looks itself, and while there is none,
 *    reclaim_work looks again every tick. Sockets that park freed skbs, as TCP does, would
 *    make this slow; AF_UNIX frees them where they are read.
 * 2. Nothing waits for a lent frame when a session ends. The staging gives its references
 *    up, the pages go with the peer's, and nobody writes to them any more.
 * 3. A VMM can pin its staging, or unmap it. Pins delay a frame, which only its own session
 *    waits for; what is mapped is counted out.
 */
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "channel.h"
#include "send.h"
#include "session.h"
#include "staging.h"

/* Below that a copy costs less; and a lent frame is a whole one. */
#define SPLICE_MIN	SZ_16K

static ssize_t splice(struct migmux_channel *ch, struct migmux_frame *frame, size_t offset)
{
	struct msghdr msg = {
		/* not MSG_MORE: TLS would leave a record open that refers to the pages */
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_SPLICE_PAGES,
	};

	if (offset < sizeof(frame->header) || !frame->bvec || frame->bytes < SPLICE_MIN)
		return migmux_send_copy(ch, frame, offset);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, frame->bvec, frame->nr_bvec,
		      frame->bytes);
	iov_iter_advance(&msg.msg_iter, offset - sizeof(frame->header));
	return sock_sendmsg(ch->sock, &msg);
}

/* --- kernel TLS ----------------------------------------------------------------------- */

static ssize_t tls_send(struct migmux_channel *ch, struct migmux_frame *frame,
			size_t offset)
{
	/* its owner may have changed its mind about that */
	if (!migmux_tls_can_splice(ch->sock))
		return migmux_send_copy(ch, frame, offset);
	return splice(ch, frame, offset);
}

static void tls_release(struct migmux_session *s, struct migmux_frame *frame)
	__must_hold(&s->lock)
{
	lockdep_assert_held(&s->lock);
	migmux_staging_put(s->staging, frame);
}

static const struct migmux_send_ops tls_ops = {
	.method = VFIO_MIGMUX_SEND_METHOD_SPLICE,
	.send = tls_send,
	.release = tls_release,
};

/* --- AF_UNIX -------------------------------------------------------------------------- */

static void unix_release(struct migmux_session *s, struct migmux_frame *frame)
	__must_hold(&s->lock)
{
	lockdep_assert_held(&s->lock);
	migmux_staging_lend(s->staging, frame);
}

static const struct migmux_send_ops unix_ops = {
	.method = VFIO_MIGMUX_SEND_METHOD_SPLICE,
	.send = splice,
	.release = unix_release,
};

/**
 * migmux_splice_choose() - can this socket take pages?
 * @sock: a socket that can be a channel
 *
 * Return: how to send through it, or NULL.
 */
const struct migmux_send_ops *migmux_splice_choose(struct socket *sock)
{
	if (sock->sk->sk_family == AF_UNIX)
		return &unix_ops;
	return migmux_tls_can_splice(sock) ? &tls_ops : NULL;
}

/* --- frames that were lent --------------------------------------------------------------- */

/**
 * migmux_splice_reclaim() - a pump has no memory: are frames back that were lent?
 * @s: the session
 *
 * Pumps that stall are woken when others are: what is back may be another device's share.
 *
 * Context: the session's lock is held.
 * Return: true if there were some.
 */
bool migmux_splice_reclaim(struct migmux_session *s)
{
	bool back;

	lockdep_assert_held(&s->lock);
	back = migmux_staging_reclaim(s->staging);
	if (!list_empty(&s->staging->lent))
		queue_delayed_work(migmux_wq, &s->reclaim_work, 1);
	return back;
}

/**
 * migmux_splice_reclaim_work() - look once more for frames that are back
 * @work: &migmux_session.reclaim_work; holds no reference: it is cancelled after
 *	the movers are stopped, who alone begin it
 */
void migmux_splice_reclaim_work(struct work_struct *work)
{
	struct migmux_session *s = container_of(to_delayed_work(work),
						struct migmux_session, reclaim_work);
	bool some;

	spin_lock(&s->lock);
	/* a pump may have found some that it must not take */
	some = migmux_splice_reclaim(s) || s->staging->nr_free;
	spin_unlock(&s->lock);
	if (some)
		migmux_session_wake_stalled(s);
}
