// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that become channels: accept or make a number of connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "connect.h"
#include "output.h"
#include "resolve.h"
#include "sockfile.h"
#include "tls.h"

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

static void close_all(int *fds, unsigned int n)
{
	while (n)
		close(fds[--n]);
}

/*
 * A frame's end must not wait for more data, and a peer that died while it owed
 * us data must be noticed.
 */
static void tune(int fd, const struct address *addr)
{
	int one = 1, idle = 10, interval = 5, probes = 3;

	if (addr->kind != ADDRESS_TCP)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static int secure(struct tls *tls, int fd, unsigned int number, unsigned int of)
{
	char why[TLS_WHY_MAX];
	int ret = tls ? tls_handshake(tls, fd, why) : 0;

	if (ret)
		output_error("no TLS on connection %u of %u: %s", number, of, why);
	return ret;
}

/* What the kernel's error means here, or its usual text. */
static const char *reason(const struct address *addr, int err)
{
	if (addr->kind == ADDRESS_VSOCK && err == -EAFNOSUPPORT)
		return "there is no vsock: load the module vsock";
	if (addr->kind == ADDRESS_VSOCK && err == -ENODEV)
		return "no transport of vsock goes there: is vsock_loopback or vhost_vsock loaded?";
	if (addr->kind == ADDRESS_UNIX && err == -EEXIST)
		return "there is a file that is not a socket";
	return strerror(-err);
}

static int bind_and_listen(int fd, const struct address *addr, const struct addrinfo *ai,
			   unsigned int backlog, struct sockfile *file)
{
	int one = 1, ret;

	if (addr->kind == ADDRESS_UNIX) {
		ret = sockfile_bind(fd, addr, ai->ai_addr, ai->ai_addrlen, file);
		if (ret)
			return ret;
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, ai->ai_addr, ai->ai_addrlen))
			return -errno;
	}
	return listen(fd, (int)backlog) ? -errno : 0;
}

static int open_listener(const struct address *addr, unsigned int backlog,
			 struct sockfile *file)
{
	const struct addrinfo *ai;
	struct targets targets;
	char name[RESOLVE_NAME_MAX];
	int fd = -1, ret;

	ret = resolve(addr, true, &targets);
	if (ret)
		return ret;
	for (ai = targets.list; ai; ai = ai->ai_next) {
		fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
		ret = fd < 0 ? -errno : bind_and_listen(fd, addr, ai, backlog, file);
		if (!ret)
			break;
		sockfile_remove(addr, file);
		if (fd >= 0)
			close(fd);
	}
	resolve_done(&targets);
	if (!ret)
		return fd;
	output_error("cannot listen on %s: %s", resolve_name(addr, name), reason(addr, ret));
	return ret;
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
 * @tls: credentials for TLS on each of them, or NULL
 * @timeout_ms: for all of them, CONNECT_FOREVER is no limit; a handshake has its own
 * @fds: filled with @n sockets on success
 * @n: how many
 * @progress: called with 0 when it listens, then for each connection
 * @arg: for @progress
 *
 * Return: 0, or a negative errno after it said why.
 */
int connect_listen(const struct address *addr, struct tls *tls, uint32_t timeout_ms, int *fds,
		   unsigned int n, connect_progress_fn progress, void *arg)
{
	uint64_t deadline = deadline_of(timeout_ms);
	struct sockfile file = { 0 };
	unsigned int i;
	int listener;
	int ret = 0;

	listener = open_listener(addr, n, &file);
	if (listener < 0)
		return listener;
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
		tune(fds[i], addr);
		ret = secure(tls, fds[i], i + 1, n);
		if (ret) {
			close_all(fds, i + 1);
			break;
		}
		progress(i + 1, n, arg);
	}
	close(listener);
	/* nobody else is going to come in */
	sockfile_remove(addr, &file);
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

/* Does nobody listen yet, or not take more at this moment? */
static bool not_yet(const struct address *addr, int err)
{
	switch (addr->kind) {
	case ADDRESS_UNIX:
		return err == -ECONNREFUSED || err == -ENOENT || err == -EAGAIN;
	case ADDRESS_VSOCK:
		return err == -ECONNREFUSED || err == -ECONNRESET;
	case ADDRESS_TCP:
		break;
	}
	return err == -ECONNREFUSED;
}

/* That is waited for, so that the order of starting is free. */
static int connect_one(const struct address *addr, const struct addrinfo *list,
		       uint64_t deadline)
{
	int ret = -EADDRNOTAVAIL, wait;
	const struct addrinfo *ai;

	for (;;) {
		wait = 0;
		for (ai = list; ai; ai = ai->ai_next) {
			ret = attempt(ai, deadline);
			if (ret >= 0)
				return ret;
			if (not_yet(addr, ret))
				wait = ret;
		}
		if (!wait)
			return ret;
		if (left_ms(deadline) < RETRY_MS)
			return wait;
		poll(NULL, 0, RETRY_MS);
	}
}

/**
 * connect_to() - make connections
 * @addr: where to
 * @tls: credentials for TLS on each of them, or NULL
 * @timeout_ms: for all of them; a handshake has its own
 * @fds: filled with @n sockets on success
 * @n: how many
 * @progress: called for each connection
 * @arg: for @progress
 *
 * Return: 0, or a negative errno after it said why.
 */
int connect_to(const struct address *addr, struct tls *tls, uint32_t timeout_ms, int *fds,
	       unsigned int n, connect_progress_fn progress, void *arg)
{
	uint64_t deadline = deadline_of(timeout_ms);
	char name[RESOLVE_NAME_MAX];
	struct targets targets;
	unsigned int i;
	int ret;

	if (addr->kind == ADDRESS_VSOCK && addr->cid == VMADDR_CID_ANY) {
		output_error("%s: a CID to connect to is needed", resolve_name(addr, name));
		return -EINVAL;
	}
	ret = resolve(addr, false, &targets);
	if (ret)
		return ret;
	for (i = 0; i < n; i++) {
		fds[i] = connect_one(addr, targets.list, deadline);
		if (fds[i] < 0) {
			ret = fds[i];
			output_error("cannot make connection %u of %u to %s: %s", i + 1, n,
				     resolve_name(addr, name), reason(addr, ret));
			close_all(fds, i);
			break;
		}
		tune(fds[i], addr);
		ret = secure(tls, fds[i], i + 1, n);
		if (ret) {
			close_all(fds, i + 1);
			break;
		}
		progress(i + 1, n, arg);
	}
	resolve_done(&targets);
	return ret;
}
