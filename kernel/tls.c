// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels over kernel TLS. The handshake is over before a socket becomes a channel; the
 * kernel encrypts and decrypts records, and hands over those that are not data, marked as
 * such, to whoever receives: alerts, and messages of a handshake that goes on.
 *
 * - close_notify ends the stream as a plain close does. We send one before we shut
 *   down the sending side. An end without it can be the work of somebody in between: it
 *   is an end all the same, and what came before is genuine, so whether it is an error is
 *   for the frames to say, which know what is missing; the error then says of it.
 * - Any other alert breaks the channel, and so does a message of a handshake: the peer
 *   wants to change its keys, or something that vfmig never asks for, and nobody is here
 *   who could answer. A peer that is vfmig sends none.
 *
 * The socket of a channel may become a TLS socket at any time, by whoever else has it, but
 * a TLS socket stays one.
 */
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/uio.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tcp_states.h>
#include <net/tls.h>
#include <net/tls_prot.h>

#include "channel.h"
#include "tls.h"

/* Types of messages that can follow a handshake. */
enum {
	HANDSHAKE_TICKET = 4,
	HANDSHAKE_CERTIFICATE_REQUEST = 13,
	HANDSHAKE_KEY_UPDATE = 24,
};

/* Room for one control message with a byte in it. */
union control {
	struct cmsghdr head;
	u8 room[CMSG_SPACE(sizeof(u8))];
};

/* The socket's lock, or one TLS never leaves: a socket does not lose its ULP. */
static struct tls_context *context(const struct sock *sk)
{
	const struct tcp_ulp_ops *ops;

	if (!sk_is_tcp(sk))
		return NULL;
	ops = READ_ONCE(inet_csk(sk)->icsk_ulp_ops);
	return ops && !strcmp(ops->name, "tls") ? tls_get_ctx(sk) : NULL;
}

/**
 * migmux_tls_info() - how a socket is encrypted
 * @sock: a socket that can be a channel
 *
 * Context: sleeps.
 * Return: all zero if it is not, or in one direction only.
 */
struct migmux_tls_info migmux_tls_info(struct socket *sock)
{
	struct migmux_tls_info info = { };
	struct sock *sk = sock->sk;
	struct tls_context *ctx;

	lock_sock(sk);
	ctx = context(sk);
	if (ctx && ctx->tx_conf != TLS_BASE && ctx->rx_conf != TLS_BASE) {
		info.version = ctx->prot_info.version;
		info.cipher = ctx->prot_info.cipher_type;
	}
	release_sock(sk);
	return info;
}

/**
 * migmux_tls_can_splice() - is TLS done with pages when a send returns?
 * @sock: a socket that can be a channel
 *
 * A send without MSG_MORE closes the record that it fills, and waits for the cipher even
 * where that runs elsewhere, so that only encrypted pages outlive the call. Network cards
 * that encrypt get a copy, unless the socket's owner has promised that pages do not
 * change: then they are read when they are sent, and again when they are lost.
 *
 * Context: any that may hold a reference to the socket.
 */
bool migmux_tls_can_splice(struct socket *sock)
{
	const struct tls_context *ctx = context(sock->sk);

	return ctx && ctx->tx_conf != TLS_BASE && !ctx->zerocopy_sendfile;
}

/**
 * migmux_tls_flushed() - has TLS given all that it took to TCP?
 * @sock: a channel's socket, maybe without TLS
 *
 * TLS takes what TCP may have no room for, and loses it when the socket is closed or
 * shut down. So what it took is not sent before this says so. If it does not, the
 * socket's wait queue is woken when there is reason to ask again.
 *
 * Context: sleeps.
 * Return: 1, 0 if something is still there, or the error that keeps it there.
 */
int migmux_tls_flushed(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct tls_context *ctx = context(sk);
	bool flushed = true;
	int ret = 0;

	if (!ctx)
		return 1;
	lock_sock(sk);
	/* a record that went in part is still listed */
	if (ctx->tx_conf == TLS_SW)
		flushed = list_empty(&tls_sw_ctx_tx(ctx)->tx_list);
	else if (ctx->tx_conf == TLS_HW)
		flushed = !ctx->partially_sent_record;
	if (!flushed) {
		set_bit(SOCK_NOSPACE, &sock->flags);
		ret = -READ_ONCE(sk->sk_err);
		if (!ret && sk->sk_state == TCP_CLOSE)
			ret = -EPIPE;
	}
	release_sock(sk);
	return flushed ? 1 : ret;
}

/**
 * migmux_tls_push() - have TLS give TCP what it holds
 * @sock: a socket that is not flushed, though TCP has room
 *
 * TLS tries again when TCP says that there is room, which after want of memory nobody does
 * unless something is on its way. So we say it, and as TCP does: with the socket locked.
 *
 * Context: sleeps.
 */
void migmux_tls_push(struct socket *sock)
{
	struct sock *sk = sock->sk;

	lock_sock(sk);
	sk->sk_write_space(sk);
	release_sock(sk);
}

static void explain(struct migmux_channel *ch, const char *fmt, ...) __printf(2, 3);

static void explain(struct migmux_channel *ch, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(ch->detail, sizeof(ch->detail), fmt, args);
	va_end(args);
}

static const char *alert_name(u8 alert)
{
	switch (alert) {
	case TLS_ALERT_DESC_UNEXPECTED_MESSAGE:
		return "unexpected message";
	case TLS_ALERT_DESC_BAD_RECORD_MAC:
		return "bad record MAC";
	case TLS_ALERT_DESC_RECORD_OVERFLOW:
		return "record overflow";
	case TLS_ALERT_DESC_BAD_CERTIFICATE:
		return "bad certificate";
	case TLS_ALERT_DESC_CERTIFICATE_REVOKED:
		return "certificate revoked";
	case TLS_ALERT_DESC_CERTIFICATE_EXPIRED:
		return "certificate expired";
	case TLS_ALERT_DESC_CERTIFICATE_UNKNOWN:
		return "certificate unknown";
	case TLS_ALERT_DESC_UNKNOWN_CA:
		return "unknown CA";
	case TLS_ALERT_DESC_ACCESS_DENIED:
		return "access denied";
	case TLS_ALERT_DESC_DECRYPT_ERROR:
		return "decrypt error";
	case TLS_ALERT_DESC_INTERNAL_ERROR:
		return "internal error";
	case TLS_ALERT_DESC_USER_CANCELED:
		return "user canceled";
	case TLS_ALERT_DESC_CERTIFICATE_REQUIRED:
		return "certificate required";
	default:
		return "see RFC 8446";
	}
}

static int alert_came(struct migmux_channel *ch, u8 alert)
{
	if (alert == TLS_ALERT_DESC_CLOSE_NOTIFY)
		return 0;
	explain(ch, " (TLS alert %u: %s)", alert, alert_name(alert));
	return -ECONNABORTED;
}

static int handshake_came(struct migmux_channel *ch, u8 message)
{
	switch (message) {
	case HANDSHAKE_KEY_UPDATE:
		explain(ch, " (TLS: the peer changes its keys, which a channel cannot follow)");
		break;
	case HANDSHAKE_TICKET:
		explain(ch, " (TLS: the peer sends session tickets, and must not)");
		break;
	case HANDSHAKE_CERTIFICATE_REQUEST:
		explain(ch, " (TLS: the peer asks for a certificate after the handshake)");
		break;
	default:
		explain(ch, " (TLS: a handshake message %u came)", message);
	}
	return -EPROTO;
}

/* The type of the record that was received, or 0 if TLS says nothing. */
static u8 record_type(union control *control, const struct msghdr *msg)
{
	const struct cmsghdr *head = &control->head;

	if (msg->msg_controllen == sizeof(*control) || head->cmsg_level != SOL_TLS ||
	    head->cmsg_type != TLS_GET_RECORD_TYPE)
		return 0;
	return *(u8 *)CMSG_DATA(head);
}

static int recv_record(struct socket *sock, struct msghdr *msg, u8 *type)
{
	union control control = { };
	int ret;

	msg->msg_control = &control;
	msg->msg_control_is_user = false;
	msg->msg_controllen = sizeof(control);
	ret = sock_recvmsg(sock, msg, msg->msg_flags);
	*type = record_type(&control, msg);
	return ret;
}

/* An alert has two bytes, of which there may have been room for one: the other waits. */
static int rest_of_alert(struct migmux_channel *ch, u8 *byte)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = byte, .iov_len = 1 };
	u8 type;

	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &vec, 1, 1);
	return recv_record(ch->sock, &msg, &type) == 1 &&
	       type == TLS_RECORD_TYPE_ALERT ? 0 : -EPROTO;
}

/* What came is no data, but lies where data was wanted. */
static int control_came(struct migmux_channel *ch, u8 type, int bytes,
			const struct iov_iter *where)
{
	struct iov_iter iter = *where;
	u8 head[2] = { };
	size_t n;

	iter.data_source = ITER_SOURCE;
	n = copy_from_iter(head, min(bytes, 2), &iter);
	if (type == TLS_RECORD_TYPE_ALERT && n &&
	    (n == 2 || !rest_of_alert(ch, &head[1])))
		return alert_came(ch, head[1]);
	if (type == TLS_RECORD_TYPE_HANDSHAKE && n)
		return handshake_came(ch, head[0]);
	explain(ch, " (TLS: a record of type %u with %d bytes makes no sense)", type, bytes);
	return -EPROTO;
}

static void explain_error(struct migmux_channel *ch, int err)
{
	switch (err) {
	case -EBADMSG:
		explain(ch, " (TLS: a record was damaged, forged or made with another key)");
		break;
	case -EKEYEXPIRED:
		explain(ch, " (TLS: the peer has changed its keys)");
		break;
	case -EMSGSIZE:
	case -EINVAL:
		explain(ch, " (TLS: what comes is no TLS record)");
		break;
	}
}

/**
 * migmux_tls_recv() - receive from a socket that may be one of TLS
 * @ch: the channel; its mover calls
 * @msg: as for sock_recvmsg(); only TCP, which passes no files, gets room for control
 *	messages
 *
 * Context: sleeps, as far as @msg says.
 * Return: as sock_recvmsg(): bytes, 0 at the end, or an error. In both last cases
 * &migmux_channel.detail says what TLS knows about it.
 */
int migmux_tls_recv(struct migmux_channel *ch, struct msghdr *msg)
{
	const struct iov_iter where = msg->msg_iter;
	u8 type;
	int ret;

	if (!sk_is_tcp(ch->sock->sk))
		return sock_recvmsg(ch->sock, msg, msg->msg_flags);
	ret = recv_record(ch->sock, msg, &type);
	if (ret >= 0 && type && type != TLS_RECORD_TYPE_DATA)
		return control_came(ch, type, ret, &where);
	if (context(ch->sock->sk)) {
		if (!ret)
			explain(ch, " (TLS: cut off, no close_notify came)");
		else if (ret < 0)
			explain_error(ch, ret);
	}
	return ret;
}

/**
 * migmux_tls_bye() - tell the peer that nothing more will come
 * @ch: the channel, maybe without TLS; nobody else uses it. Once is enough
 *
 * As far as the socket takes it at once: to a peer that does not read we owe nothing.
 *
 * Context: sleeps.
 */
void migmux_tls_bye(struct migmux_channel *ch)
{
	u8 alert[2] = { TLS_ALERT_LEVEL_WARNING, TLS_ALERT_DESC_CLOSE_NOTIFY };
	union control control = { .head = {
		.cmsg_level = SOL_TLS,
		.cmsg_type = TLS_SET_RECORD_TYPE,
		.cmsg_len = CMSG_LEN(sizeof(u8)),
	} };
	struct kvec vec = { .iov_base = alert, .iov_len = sizeof(alert) };
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct tls_context *ctx = context(ch->sock->sk);

	if (!ctx || ctx->tx_conf == TLS_BASE || ch->said_bye)
		return;
	ch->said_bye = true;
	*(u8 *)CMSG_DATA(&control.head) = TLS_RECORD_TYPE_ALERT;
	kernel_sendmsg(ch->sock, &msg, &vec, 1, sizeof(alert));
}
