// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels. Sockets are never waited for: a channel's entry in the socket's wait
 * queue notes what became possible and wakes the mover, which then tries without
 * blocking. So a mover can be stopped at any time and a socket need not be shut
 * down for it.
 *
 * Who owns the socket: migmux_channel_create() takes a reference of its own to
 * the file that the caller named by fd; migmux_channel_destroy() puts it. The
 * caller's descriptor is its own business.
 */
#include <linux/bvec.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <net/af_unix.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "channel.h"
#include "compat.h"
#include "mptcp.h"
#include "send.h"
#include "trace.h"

/* all channels: a socket can be one only once */
static LIST_HEAD(channels);
/* protects @channels; innermost */
static DEFINE_MUTEX(channels_lock);

/*
 * What the families differ in, as far as a channel can see it. Each has one wait
 * queue, wakes it when a direction ends or breaks, and lets what came before the
 * end be read: so a verdict is not lost when the peer closes after it.
 * - TCP wakes a writer that met a full socket, when a third is free again. So do kernel
 *   TLS and MPTCP, which sit on top of it.
 * - AF_UNIX wakes writers when three quarters are free, whoever met what. A close
 *   with unread data is ECONNRESET for the peer, but after all that it can read.
 * - AF_VSOCK wakes writers with each credit that comes and each packet that left. A
 *   connection that is reset is read to its end all the same.
 */
static bool family_can(const struct sock *sk)
{
	switch (sk->sk_family) {
	case AF_INET:
	case AF_INET6:
		return sk->sk_protocol == IPPROTO_TCP ||
		       sk->sk_protocol == IPPROTO_MPTCP;
	case AF_UNIX:
	case AF_VSOCK:
		return true;
	}
	return false;
}

static int socket_check(struct socket *sock, const char **why)
{
	struct sock *sk = sock->sk;

	if (sock->type != SOCK_STREAM) {
		*why = "the socket is not a stream socket: a channel needs SOCK_STREAM";
		return -EPROTOTYPE;
	}
	if (!family_can(sk)) {
		*why = "a channel needs a TCP, MPTCP, AF_UNIX or AF_VSOCK socket";
		return -EAFNOSUPPORT;
	}
	/* all families use TCP's name of that state */
	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED) {
		*why = "the socket is not connected: connect or accept it first";
		return -ENOTCONN;
	}
	return 0;
}

/* One entry in one wait queue; stream sockets have no more. */
static void queue_wait(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct migmux_poll *poll = container_of(pt, struct migmux_poll, pt);

	if (poll->ch->wqh)
		return;
	poll->ch->wqh = wqh;
	add_wait_queue(wqh, &poll->ch->wait);
}

static int woken(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct migmux_channel *ch = container_of(wait, struct migmux_channel, wait);
	const __poll_t broken = EPOLLERR | EPOLLHUP;
	__poll_t events = key_to_poll(key);

	/* a wake-up without a key says nothing: try everything */
	if (!events || events & (EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | broken))
		set_bit(MIGMUX_CHANNEL_READABLE, &ch->flags);
	if (!events || events & (EPOLLOUT | EPOLLWRNORM | broken))
		set_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
	migmux_mover_wake(&ch->mover);
	return 0;
}

static int channel_register(struct migmux_channel *ch, const char **why)
{
	struct migmux_channel *other;
	int err = 0;

	mutex_lock(&channels_lock);
	list_for_each_entry(other, &channels, node) {
		if (other->sock == ch->sock) {
			*why = "the socket is a channel already";
			err = -EEXIST;
			break;
		}
	}
	if (!err)
		list_add(&ch->node, &channels);
	mutex_unlock(&channels_lock);
	return err;
}

static void channel_unregister(struct migmux_channel *ch)
{
	mutex_lock(&channels_lock);
	list_del(&ch->node);
	mutex_unlock(&channels_lock);
}

/*
 * Files are no part of the format. One that refers to the session, in the queue of a socket
 * that the session refers to, would keep both for ever.
 */
static bool holds_files(const struct sock *sk)
{
	return sk->sk_family == AF_UNIX && atomic_read(&unix_sk(sk)->scm_stat.nr_fds);
}

/**
 * migmux_channel_create() - make a channel of a connected socket
 * @fd: the socket in the current process
 * @why: on failure: static text, what is wrong and what would be right
 *
 * Context: sleeps; takes the lock of the channel list.
 * Return: the channel, or ERR_PTR: -EBADF, -ENOTSOCK, -EPROTOTYPE,
 * -EAFNOSUPPORT, -ENOTCONN, -EEXIST (the socket is a channel), -EINVAL (files wait in it),
 * -ENOMEM.
 */
struct migmux_channel *migmux_channel_create(int fd, const char **why)
{
	struct migmux_channel *ch;
	struct socket *sock;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock) {
		*why = err == -ENOTSOCK ? "the file is not a socket" :
					  "the socket's file descriptor is not open";
		return ERR_PTR(err);
	}
	err = socket_check(sock, why);
	if (err)
		goto err_put;
	*why = "out of memory";
	err = -ENOMEM;
	ch = kzalloc(sizeof(*ch), GFP_KERNEL_ACCOUNT);
	if (!ch)
		goto err_put;
	ch->file = sock->file;
	ch->sock = sock;
	ch->send = migmux_send_choose(sock);
	migmux_address_name(ch->local, sock, false);
	migmux_address_name(ch->peer, sock, true);
	ch->tls = migmux_tls_info(sock);
	INIT_LIST_HEAD(&ch->dev_node);
	INIT_LIST_HEAD(&ch->queue);
	migmux_mover_init(&ch->mover);
	init_waitqueue_func_entry(&ch->wait, woken);
	err = channel_register(ch, why);
	if (err)
		goto err_free;
	ch->rights = migmux_compat_pass_rights(sock->sk, false);
	if (holds_files(sock->sk)) {
		*why = "files wait in the socket with its bytes: receive them first";
		err = -EINVAL;
		goto err_rights;
	}
	trace_migmux_object_create("channel", ch);
	return ch;

err_rights:
	migmux_compat_pass_rights(sock->sk, ch->rights);
	channel_unregister(ch);
err_free:
	kfree(ch);
err_put:
	sockfd_put(sock);
	return ERR_PTR(err);
}

/**
 * migmux_channel_destroy() - give up a channel and its socket
 * @ch: the channel; no session uses it
 *
 * Context: sleeps; takes the lock of the channel list.
 */
void migmux_channel_destroy(struct migmux_channel *ch)
{
	migmux_compat_pass_rights(ch->sock->sk, ch->rights);
	channel_unregister(ch);
	trace_migmux_object_destroy("channel", ch);
	sockfd_put(ch->sock);
	kfree(ch);
}

/**
 * migmux_channel_start() - start the channel's mover and listen to its socket
 * @ch: the channel, attached to a session
 * @ops: what the mover does
 * @name: the thread's name
 *
 * Context: the VMM's ioctl; sleeps.
 * Return: 0, or the error of creating a thread.
 */
int migmux_channel_start(struct migmux_channel *ch,
			 const struct migmux_mover_ops *ops, const char *name)
{
	struct migmux_poll poll = { .ch = ch };
	int err;

	err = migmux_mover_start(&ch->mover, ops, name);
	if (err)
		return err;
	init_poll_funcptr(&poll.pt, queue_wait);
	vfs_poll(ch->file, &poll.pt);
	/* whatever its owner may have set */
	ch->wake_at = 0;
	migmux_channel_await(ch, 1);
	/* what was possible before we listened woke nobody */
	set_bit(MIGMUX_CHANNEL_READABLE, &ch->flags);
	set_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
	migmux_mover_wake(&ch->mover);
	return 0;
}

/**
 * migmux_channel_stop() - stop the mover and leave the socket alone
 * @ch: the channel; nothing happens if it is not started
 *
 * Context: sleeps; not from a mover.
 */
void migmux_channel_stop(struct migmux_channel *ch)
{
	migmux_mover_stop(&ch->mover);
	if (ch->wqh)
		remove_wait_queue(ch->wqh, &ch->wait);
	ch->wqh = NULL;
}

/**
 * migmux_channel_shutdown() - end a direction of the socket, or both
 * @ch: the channel; its mover is stopped
 * @how: as for shutdown(2)
 *
 * Context: sleeps.
 */
void migmux_channel_shutdown(struct migmux_channel *ch, enum sock_shutdown_cmd how)
{
	if (how != SHUT_RD)
		migmux_tls_bye(ch);
	kernel_sock_shutdown(ch->sock, how);
}

/**
 * migmux_channel_try() - the mover is going to try the socket
 * @ch: the channel
 * @flag: what it will try; to be set again when the socket had something
 */
void migmux_channel_try(struct migmux_channel *ch, enum migmux_channel_flags flag)
{
	clear_bit(flag, &ch->flags);
	/* clear before trying: a wake-up in between is then not lost */
	smp_mb__after_atomic();
}

/**
 * migmux_channel_refused() - the socket took nothing that it was given
 * @ch: the channel
 *
 * One that is full wakes the mover when there is room again. TCP that has room, but found
 * no memory, says the same and wakes nobody, unless something is on its way that the
 * peer will acknowledge: then the mover tries again, a tick later or when it is woken.
 * MPTCP can even be full of what TCP had no memory for.
 *
 * Context: the channel's mover, or nobody else uses it. Sleeps.
 * Return: true if the mover is to try again although nobody said that there is room.
 */
bool migmux_channel_refused(struct migmux_channel *ch)
{
	if (!(vfs_poll(ch->file, NULL) & EPOLLOUT) && !migmux_mptcp_is(ch->sock))
		return false;
	set_current_state(TASK_INTERRUPTIBLE);
	/* room that came just now has set it, and woken us before we slept */
	if (!test_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags))
		schedule_timeout(1);
	__set_current_state(TASK_RUNNING);
	return !test_and_set_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
}

/**
 * migmux_channel_flush() - see to it that what the socket took cannot be lost in it
 * @ch: the channel
 *
 * TLS and MPTCP hold what TCP did not take, until TCP says that there is room. After want
 * of memory TCP may never say so: see migmux_channel_refused().
 *
 * Context: the channel's mover, or nobody else uses it. Sleeps.
 * Return: 1 when TCP has it all, and with sockets that hold nothing; 0 if not yet: the mover
 * is woken, or may try at once; or the error that keeps it there.
 */
int migmux_channel_flush(struct migmux_channel *ch)
{
	const bool mptcp = migmux_mptcp_is(ch->sock);
	int ret;

	/* MPTCP loses nothing, and the next frame takes along what it holds */
	if (mptcp && !list_empty_careful(&ch->queue))
		return 1;
	migmux_channel_try(ch, MIGMUX_CHANNEL_WRITABLE);
	ret = mptcp ? migmux_mptcp_flushed(ch->sock) : migmux_tls_flushed(ch->sock);
	if (ret > 0)
		set_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
	else if (!ret && migmux_channel_refused(ch))
		mptcp ? migmux_mptcp_push(ch->sock) : migmux_tls_push(ch->sock);
	return ret;
}

/**
 * migmux_channel_send() - some of the kernel's memory into the socket, which copies it
 * @ch: the channel; its mover calls, or nobody else uses it
 * @data: of any kind, be it the stack or of vmalloc(), but not of a module's image
 * @size: bytes of it, not 0
 * @more: others follow at once
 *
 * What has no memory for them gives back what it was given: AF_VSOCK does so, since 6.17,
 * with a warning if that was a kvec. It copies, so pages need no references of their own;
 * kernel TLS takes some, which slab pages must not have.
 *
 * Context: sleeps, does not wait for the socket.
 * Return: bytes that the socket took, or an error.
 */
int migmux_channel_send(struct migmux_channel *ch, const void *data, size_t size, bool more)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = (void *)data, .iov_len = size };
	struct bio_vec page;

	if (ch->sock->sk->sk_family == AF_VSOCK) {
		size = min(size, PAGE_SIZE - offset_in_page(data));
		bvec_set_page(&page, is_vmalloc_addr(data) ? vmalloc_to_page(data) :
			      virt_to_page(data), size, offset_in_page(data));
		iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &page, 1, size);
	} else {
		iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, size);
	}
	if (more)
		msg.msg_flags |= MSG_MORE;
	return sock_sendmsg(ch->sock, &msg);
}

/**
 * migmux_channel_await() - say how much the mover waits for
 * @ch: the channel; its mover calls
 * @bytes: how much must have come before it is worth to wake the mover, not 0
 *
 * Otherwise every packet may wake it. A peer that closes always does, and so does a
 * socket that can hold no more. Only TCP as it comes can do that: with TLS it would count
 * what is encrypted.
 *
 * Context: sleeps.
 * Return: true if the mover will be woken, provided that it has emptied the socket
 * before; false if the socket cannot do that: the mover has to try.
 */
bool migmux_channel_await(struct migmux_channel *ch, u32 bytes)
{
	struct sock *sk = ch->sock->sk;

	if (!sk_is_tcp(sk) || inet_csk_has_ulp(sk))
		return false;
	if (ch->wake_at == bytes)
		return true;
	lock_sock(sk);
	ch->sock->ops->set_rcvlowat(sk, bytes);
	release_sock(sk);
	ch->wake_at = bytes;
	return true;
}

/**
 * migmux_channel_recv() - go on receiving a record into &migmux_channel.buf
 * @ch: the channel; its mover calls
 * @buf: where in it the record begins
 * @size: of the record
 *
 * Context: the channel's mover; does not block.
 * Return: 1 when the record is complete (&migmux_channel.have is 0 again), 0 when
 * the peer closed before its first byte, -EAGAIN when there is nothing now,
 * -ECONNABORTED when the peer closed inside the record, or the socket's error.
 * &migmux_channel.detail says more of an end and of some errors.
 */
int migmux_channel_recv(struct migmux_channel *ch, void *buf, u32 size)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = buf + ch->have, .iov_len = size - ch->have };
	int ret;

	migmux_channel_try(ch, MIGMUX_CHANNEL_READABLE);
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &vec, 1, vec.iov_len);
	ret = migmux_tls_recv(ch, &msg);
	if (ret == 0)
		return ch->have ? -ECONNABORTED : 0;
	if (ret < 0)
		return ret;
	set_bit(MIGMUX_CHANNEL_READABLE, &ch->flags);
	atomic64_add(ret, &ch->received);
	ch->have += ret;
	if (ch->have < size)
		return -EAGAIN;
	ch->have = 0;
	return 1;
}

/* More bytes of a record into the socket: 0, or an error. */
static int reply_some(struct migmux_channel *ch, const void *buf, u32 size)
{
	int ret;

	migmux_channel_try(ch, MIGMUX_CHANNEL_WRITABLE);
	ret = migmux_channel_send(ch, buf + ch->have, size - ch->have, false);
	if (ret == -EAGAIN)
		migmux_channel_refused(ch);
	if (ret < 0 && ret != -EINTR)
		return ret;
	set_bit(MIGMUX_CHANNEL_WRITABLE, &ch->flags);
	/* a signal came while TLS was busy: the mover's loop sees to it */
	if (ret < 0)
		return -EAGAIN;
	atomic64_add(ret, &ch->sent);
	ch->have += ret;
	return 0;
}

/**
 * migmux_channel_reply() - go on sending a record that is no frame
 * @ch: the channel; its mover calls, or nobody else uses it
 * @buf: the record
 * @size: its size; &migmux_channel.have bytes went out before
 *
 * Context: sleeps, does not wait for the socket.
 * Return: 1 when all is sent (&migmux_channel.have is 0 again), -EAGAIN when the
 * socket is full, or its error.
 */
int migmux_channel_reply(struct migmux_channel *ch, const void *buf, u32 size)
{
	int ret = 0;

	if (ch->have < size)
		ret = reply_some(ch, buf, size);
	if (ch->have == size)
		ret = migmux_channel_flush(ch);
	if (ret <= 0)
		return ret ?: -EAGAIN;
	ch->have = 0;
	return 1;
}
