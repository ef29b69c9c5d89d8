// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending over plain TCP without copying: the socket reads staging, until the peer has
 * acknowledged what it read. Staging is not given to the pump again before that.
 *
 * Each frame has an ubuf_info of its own. The sender holds one reference from the first
 * byte that it hands over to the last, or until it gives the frame up; the network
 * stack holds one for each skb that points to the frame. ubuf_complete() drops one. The last
 * one ends the flight:
 *
 * 1. A frame in flight holds its session and its staging. So a VMM that is killed, or a
 *    session that is closed, does not wait for the peer: pages, session and socket live
 *    on without them, and go as the peer reads, or as TCP gives up on it.
 * 2. ubuf_complete() runs in whatever context an skb is freed in, so it only lists the frame
 *    and queues landed_work, both of which are the module's and not the session's: it
 *    touches nothing that landed_work frees.
 * 3. landed_work returns the frame to the staging, wakes who waits for memory, and puts
 *    what the frame held.
 * 4. migmux_zerocopy_exit() waits until no frame is in flight, and then for those
 *    calls of ubuf_complete() that are on their way out.
 *
 * An skb still holds a page's reference count after ubuf_complete(), for a moment or, parked
 * on another CPU, for long. It reads the page no more: the count protects the page from
 * being freed, and that is all that it means here.
 */
#include <linux/bvec.h>
#include <linux/llist.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "channel.h"
#include "send.h"
#include "session.h"
#include "staging.h"

/* Below that, pinning and completing costs more than a copy. */
#define ZEROCOPY_MIN	SZ_16K

static void land(struct work_struct *work);

/* frames that sockets are done with, for landed_work */
static LLIST_HEAD(landed);
static DECLARE_WORK(landed_work, land);
/* frames in flight, and those that landed_work has not seen to */
static atomic_t in_flight = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(none_in_flight);

static void land_one(struct migmux_frame *frame)
{
	struct migmux_session *s = frame->flight.session;
	struct migmux_staging *staging = frame->flight.staging;

	spin_lock(&s->lock);
	frame->flight.session = NULL;
	migmux_staging_put(staging, frame);
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
	migmux_staging_drop(staging);
	migmux_session_put(s);
	if (atomic_dec_and_test(&in_flight))
		wake_up_all(&none_in_flight);
}

static void land(struct work_struct *work)
{
	struct llist_node *list = llist_reverse_order(llist_del_all(&landed));
	struct migmux_frame *frame, *next;

	llist_for_each_entry_safe(frame, next, list, flight.node)
		land_one(frame);
}

static void ubuf_complete(struct sk_buff *skb, struct ubuf_info *ubuf, bool done)
{
	struct migmux_frame *frame = container_of(ubuf, struct migmux_frame, flight.ubuf);

	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	llist_add(&frame->flight.node, &landed);
	queue_work(migmux_wq, &landed_work);
}

static const struct ubuf_info_ops ubuf_ops = {
	.complete = ubuf_complete,
};

static void take_off(struct migmux_session *s, struct migmux_frame *frame)
{
	/* the second flag: an skb that is looped back must not need the sender */
	frame->flight.ubuf = (struct ubuf_info){
		.ops = &ubuf_ops,
		.flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN,
	};
	refcount_set(&frame->flight.ubuf.refcnt, 1);
	frame->flight.session = s;
	migmux_session_get(s);
	frame->flight.staging = s->staging;
	migmux_staging_hold(s->staging);
	atomic_inc(&in_flight);
}

static ssize_t zerocopy_send(struct migmux_channel *ch, struct migmux_frame *frame,
			     size_t offset)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ZEROCOPY };
	ssize_t n;

	if (offset < sizeof(frame->header) || !frame->bvec || frame->bytes < ZEROCOPY_MIN)
		return migmux_send_copy(ch, frame, offset);
	if (!frame->flight.session)
		take_off(ch->session, frame);
	msg.msg_ubuf = &frame->flight.ubuf;
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, frame->bvec, frame->nr_bvec,
		      frame->bytes);
	iov_iter_advance(&msg.msg_iter, offset - sizeof(frame->header));
	n = sock_sendmsg(ch->sock, &msg);
	/* its owner made it a TLS socket after it had become a channel */
	if (n == -EOPNOTSUPP)
		n = migmux_send_copy(ch, frame, offset);
	return n;
}

static void zerocopy_release(struct migmux_session *s, struct migmux_frame *frame)
	__must_hold(&s->lock)
{
	lockdep_assert_held(&s->lock);
	if (frame->flight.session)
		ubuf_complete(NULL, &frame->flight.ubuf, true);
	else
		migmux_staging_put(s->staging, frame);
}

const struct migmux_send_ops migmux_zerocopy_ops = {
	.method = VFIO_MIGMUX_SEND_METHOD_ZEROCOPY,
	.send = zerocopy_send,
	.release = zerocopy_release,
};

/**
 * migmux_zerocopy_can() - can this socket send without copying?
 * @sock: a socket that can be a channel
 *
 * Only TCP as it comes: kernel TLS refuses MSG_ZEROCOPY, BPF's socket maps do not know
 * of in-kernel buffers. Both replace the socket's sendmsg.
 */
bool migmux_zerocopy_can(const struct socket *sock)
{
	const struct sock *sk = sock->sk;

	return (sk->sk_family == AF_INET || sk->sk_family == AF_INET6) &&
	       sk->sk_protocol == IPPROTO_TCP && !inet_csk_has_ulp(sk) &&
	       READ_ONCE(sk->sk_prot)->sendmsg == tcp_sendmsg;
}

/**
 * migmux_zerocopy_exit() - wait until no socket reads staging any more
 *
 * After the last link and session are closed, so that TCP gives up on a peer that does
 * not read.
 *
 * Context: sleeps.
 */
void migmux_zerocopy_exit(void)
{
	wait_event_idle(none_in_flight, !atomic_read(&in_flight));
	flush_work(&landed_work);
	/* ubuf_complete() has queued the work; here it leaves, in softirq or in a task */
	synchronize_rcu();
	synchronize_rcu_tasks();
}
