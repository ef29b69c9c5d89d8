// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels over MPTCP. What it takes it gives to one of its TCP connections when their
 * windows allow, and when there is memory for it. If there is none, it tries again when
 * an acknowledgment comes, or more to send; so the last record before a pause, with nothing
 * else on its way, would stay for ever. Nobody says so, but MPTCP can be asked, and told to
 * try.
 */
#include <linux/net.h>
#include <linux/sockios.h>
#include <linux/sockptr.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "mptcp.h"

/**
 * migmux_mptcp_is() - does a socket speak MPTCP, maybe fallen back to TCP?
 * @sock: a socket that can be a channel
 */
bool migmux_mptcp_is(const struct socket *sock)
{
	return sock->sk->sk_protocol == IPPROTO_MPTCP;
}

/**
 * migmux_mptcp_flushed() - has MPTCP given all that it took to TCP?
 * @sock: a channel's socket, maybe of another kind
 *
 * Fallen back to TCP, it counts what the peer has not acknowledged, too.
 *
 * Context: sleeps.
 * Return: 1, 0 if something is still there, or the error that keeps it there.
 */
int migmux_mptcp_flushed(struct socket *sock)
{
	struct sock *sk = sock->sk;
	int ret, err, unsent = 0;

	if (!migmux_mptcp_is(sock))
		return 1;
	/* before: of what TCP has taken, it must not say that it cannot be sent */
	err = -READ_ONCE(sk->sk_err);
	if (!err && READ_ONCE(sk->sk_state) == TCP_CLOSE)
		err = -EPIPE;
	ret = READ_ONCE(sk->sk_prot)->ioctl(sk, SIOCOUTQNSD, &unsent);
	if (ret || unsent <= 0)
		return ret ?: 1;
	return err;
}

/**
 * migmux_mptcp_push() - have MPTCP give TCP what it holds
 * @sock: a channel's socket, of MPTCP
 *
 * Whoever takes the cork out asks for just that, even if there is none.
 *
 * Context: sleeps.
 */
void migmux_mptcp_push(struct socket *sock)
{
	int cork = 0;

	READ_ONCE(sock->ops)->setsockopt(sock, SOL_TCP, TCP_CORK, KERNEL_SOCKPTR(&cork),
					 sizeof(cork));
}
