// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving state with buffers of 1 MiB: read() and send(), with and without
 * MSG_ZEROCOPY; recv() and write().
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "bench-cost.h"

static int copy_source(const struct cost *cost)
{
	static char buf[COST_BUFFER];
	ssize_t n;

	while ((n = read(cost->src_data, buf, sizeof(buf))) > 0)
		if (cost_send(cost->src_sock[0], buf, n, 0))
			return -1;
	if (n < 0)
		return cost_fail("read", errno);
	return shutdown(cost->src_sock[0], SHUT_WR);
}

static int copy_sink(const struct cost *cost)
{
	static char buf[COST_BUFFER];
	ssize_t n;

	while ((n = recv(cost->dst_sock[0], buf, sizeof(buf), MSG_WAITALL)) > 0)
		if (cost_write(cost->dst_data, buf, n))
			return -1;
	return n ? cost_fail("recv", errno) : 0;
}

const struct cost_way cost_copy = { "copy", copy_source, copy_sink };

/* Buffers in turn: one is read into again when the kernel is done with it. */
#define NR_BUFFERS 8

/**
 * struct ring - sends that the kernel may not be done with
 * @sock: of all of them
 * @sent: calls of send() so far
 * @done: how many of these the kernel is done with, from the first on
 */
struct ring {
	int sock;
	__u32 sent;
	__u32 done;
};

static int ring_reap(struct ring *ring)
{
	struct pollfd pfd = { .fd = ring->sock };
	struct sock_extended_err err;
	char control[128];
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (poll(&pfd, 1, -1) < 0)
		return cost_fail("poll", errno);
	if (recvmsg(ring->sock, &msg, MSG_ERRQUEUE) < 0)
		return errno == EAGAIN ? 0 : cost_fail("MSG_ERRQUEUE", errno);
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return cost_fail("MSG_ERRQUEUE", EPROTO);
	memcpy(&err, CMSG_DATA(cmsg), sizeof(err));
	ring->done = err.ee_data + 1;
	return 0;
}

static int ring_send(struct ring *ring, const char *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = send(ring->sock, buf, len, MSG_ZEROCOPY | MSG_NOSIGNAL);
		if (n < 0)
			return cost_fail("send", errno);
		ring->sent++;
		buf += n;
		len -= n;
	}
	return 0;
}

static int zerocopy_source(const struct cost *cost)
{
	struct ring ring = { .sock = cost->src_sock[0] };
	__u32 last[NR_BUFFERS] = { 0 };
	char *bufs = malloc((size_t)NR_BUFFERS * COST_BUFFER);
	int one = 1, i = 0, ret = -1;
	ssize_t n = -1;

	if (!bufs)
		return cost_fail("memory", errno);
	if (setsockopt(ring.sock, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one))) {
		cost_fail("SO_ZEROCOPY", errno);
		goto out;
	}
	for (;; i = (i + 1) % NR_BUFFERS) {
		char *buf = bufs + (size_t)i * COST_BUFFER;

		while ((__s32)(last[i] - ring.done) > 0)
			if (ring_reap(&ring))
				goto out;
		n = read(cost->src_data, buf, COST_BUFFER);
		if (n <= 0)
			break;
		if (ring_send(&ring, buf, n))
			goto out;
		last[i] = ring.sent;
	}
	while (ring.done != ring.sent)
		if (ring_reap(&ring))
			goto out;
	ret = n ? cost_fail("read", errno) : shutdown(ring.sock, SHUT_WR);
out:
	free(bufs);
	return ret;
}

const struct cost_way cost_zerocopy = { "zerocopy", zerocopy_source, copy_sink };
