// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that become channels: accept or make a number of TCP connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connect.h"
#include "output.h"

#define RETRY_MS 100

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Milliseconds left for poll(): -1 is no limit. */
static int left_ms(uint64_t deadline)
{
	uint64_t now = now_ms();

	if (deadline == UINT64_MAX)
		return -1;
	if (now >= deadline)
		return 0;
	return deadline - now > INT32_MAX ? INT32_MAX : (int)(deadline - now);
}

static uint64_t deadline_of(uint32_t timeout_ms)
{
	return timeout_ms == CONNECT_FOREVER ? UINT64_MAX : now_ms() + timeout_ms;
}

static int resolve(const struct address *addr, int flags, struct addrinfo **list)
{
	struct addrinfo hints = {
		.ai_flags = flags | AI_ADDRCONFIG,
		.ai_socktype = SOCK_STREAM,
	};
	int ret = getaddrinfo(addr->host, addr->port, &hints, list);

	/* AI_ADDRCONFIG hides loopback addresses where there is no other */
	if (ret) {
		hints.ai_flags = flags;
		ret = getaddrinfo(addr->host, addr->port, &hints, list);
	}
	if (ret) {
		output_error("%s port %s: %s", addr->host, addr->port, gai_strerror(ret));
		return -EADDRNOTAVAIL;
	}
	return 0;
}

static void close_all(int *fds, unsigned int n)
{
	while (n)
		close(fds[--n]);
}

/*
 * A frame's end must not wait for more data, and a peer that died while it owed
 * us data must be noticed.
 */
static void tune(int fd)
{
	int one = 1, idle = 10, interval = 5, probes = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static int open_listener(const struct addrinfo *list, unsigned int backlog)
{
	const struct addrinfo *ai;
	int one = 1, err = 0;
	int fd;

	for (ai = list; ai; ai = ai->ai_next) {
		fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
		if (fd < 0) {
			err = errno;
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (!bind(fd, ai->ai_addr, ai->ai_addrlen) && !listen(fd, (int)backlog))
			return fd;
		err = errno;
		close(fd);
	}
	return -err;
}

static int accept_one(int listener, uint64_t deadline)
{
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	int ret, fd;

	for (;;) {
		ret = poll(&pfd, 1, left_ms(deadline));
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (!ret)
			return -ETIMEDOUT;
		if (ret < 0)
			continue;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		/* the peer may be gone between poll() and accept() */
		if (errno != ECONNABORTED && errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/**
 * connect_listen() - accept connections
 * @addr: where
 * @timeout_ms: for all of them, CONNECT_FOREVER is no limit
 * @fds: filled with @n sockets on success
 * @n: how many
 * @progress: called with 0 when it listens, then for each connection
 * @arg: for @progress
 *
 * Return: 0, or a negative errno after it said why.
 */
int connect_listen(const struct address *addr, uint32_t timeout_ms, int *fds, unsigned int n,
		   connect_progress_fn progress, void *arg)
{
	uint64_t deadline = deadline_of(timeout_ms);
	struct addrinfo *list;
	unsigned int i;
	int listener;
	int ret;

	ret = resolve(addr, AI_PASSIVE, &list);
	if (ret)
		return ret;
	listener = open_listener(list, n);
	freeaddrinfo(list);
	if (listener < 0) {
		output_error("cannot listen on %s port %s: %s", addr->host, addr->port,
			     strerror(-listener));
		return listener;
	}
	progress(0, n, arg);
	for (i = 0; i < n; i++) {
		fds[i] = accept_one(listener, deadline);
		if (fds[i] < 0) {
			ret = fds[i];
			output_error("connection %u of %u did not come: %s", i + 1, n,
				     strerror(-ret));
			close_all(fds, i);
			break;
		}
		tune(fds[i]);
		progress(i + 1, n, arg);
	}
	close(listener);
	return ret;
}

/* One attempt at one address, not longer than the deadline. */
static int attempt(const struct addrinfo *ai, uint64_t deadline)
{
	struct pollfd pfd = { .events = POLLOUT };
	int err = 0;
	socklen_t len = sizeof(err);

	pfd.fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			ai->ai_protocol);
	if (pfd.fd < 0)
		return -errno;
	if (connect(pfd.fd, ai->ai_addr, ai->ai_addrlen))
		err = errno;
	if (err == EINPROGRESS) {
		if (poll(&pfd, 1, left_ms(deadline)) <= 0)
			err = ETIMEDOUT;
		else
			getsockopt(pfd.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	}
	if (err) {
		close(pfd.fd);
		return -err;
	}
	fcntl(pfd.fd, F_SETFL, fcntl(pfd.fd, F_GETFL) & ~O_NONBLOCK);
	return pfd.fd;
}

/* Nobody listens yet: that is waited for, so that the order of starting is free. */
static int connect_one(const struct addrinfo *list, uint64_t deadline)
{
	int ret = -EADDRNOTAVAIL;
	const struct addrinfo *ai;
	bool refused;

	for (;;) {
		refused = false;
		for (ai = list; ai; ai = ai->ai_next) {
			ret = attempt(ai, deadline);
			if (ret >= 0)
				return ret;
			refused |= ret == -ECONNREFUSED;
		}
		if (!refused)
			return ret;
		if (left_ms(deadline) < RETRY_MS)
			return -ECONNREFUSED;
		poll(NULL, 0, RETRY_MS);
	}
}

/**
 * connect_to() - make connections
 * @addr: where to
 * @timeout_ms: for all of them
 * @fds: filled with @n sockets on success
 * @n: how many
 * @progress: called for each connection
 * @arg: for @progress
 *
 * Return: 0, or a negative errno after it said why.
 */
int connect_to(const struct address *addr, uint32_t timeout_ms, int *fds, unsigned int n,
	       connect_progress_fn progress, void *arg)
{
	uint64_t deadline = deadline_of(timeout_ms);
	struct addrinfo *list;
	unsigned int i;
	int ret;

	ret = resolve(addr, 0, &list);
	if (ret)
		return ret;
	for (i = 0; i < n; i++) {
		fds[i] = connect_one(list, deadline);
		if (fds[i] < 0) {
			ret = fds[i];
			output_error("cannot make connection %u of %u to %s port %s: %s", i + 1, n,
				     addr->host, addr->port, strerror(-ret));
			close_all(fds, i);
			break;
		}
		tune(fds[i]);
		progress(i + 1, n, arg);
	}
	freeaddrinfo(list);
	return ret;
}
