// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making and taking connections, over loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connect.h"
#include "test.h"

#define NR 5

/* A port that was free a moment ago. */
static int free_port(const char *host, struct address *addr)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in in = { .sin_family = AF_INET };
	bool six = strchr(host, ':');
	struct sockaddr *sa = six ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
	socklen_t len = six ? sizeof(in6) : sizeof(in);
	int fd = socket(sa->sa_family, SOCK_STREAM, 0);
	int ret;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ret = fd < 0 || bind(fd, sa, len) || getsockname(fd, sa, &len);
	if (fd >= 0)
		close(fd);
	snprintf(addr->host, sizeof(addr->host), "%s", host);
	snprintf(addr->port, sizeof(addr->port), "%u", ntohs(six ? in6.sin6_port : in.sin_port));
	return ret ? -1 : 0;
}

static void count(unsigned int number, unsigned int of, void *arg)
{
	(void)of;
	*(unsigned int *)arg = number;
}

/* The other end: connects first, so that it is refused for a while. */
static void connect_child(const struct address *addr)
{
	unsigned int seen = 0;
	int fds[NR];
	char byte;

	if (connect_to(addr, 5000, fds, NR, count, &seen) || seen != NR)
		_exit(1);
	if (fcntl(fds[0], F_GETFL) & O_NONBLOCK)
		_exit(1);
	/* until the peer has looked at its sockets */
	_exit(read(fds[NR - 1], &byte, 1) != 0);
}

static void test_pair(const char *host)
{
	struct address addr;
	unsigned int seen = 0;
	int fds[NR], status = 1;
	pid_t pid;
	int ret;

	if (free_port(host, &addr)) {
		test_result(true, "connections over %s # SKIP no such address here", host);
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid)
		connect_child(&addr);
	/* long enough for the peer to be refused and to try again */
	usleep(300 * 1000);
	ret = connect_listen(&addr, 5000, fds, NR, count, &seen);
	test_result(!ret && seen == NR, "%d connections come to %s", NR, host);
	if (!ret)
		for (int i = 0; i < NR; i++)
			close(fds[i]);
	waitpid(pid, &status, 0);
	test_result(!status, "... made by a peer that came first");
}

static void test_timeouts(void)
{
	struct address addr;
	unsigned int seen = 0;
	int fds[NR];

	if (free_port("127.0.0.1", &addr))
		return;
	test_result(connect_to(&addr, 300, fds, NR, count, &seen) == -ECONNREFUSED,
		    "nobody listens: refused in the end");
	test_result(connect_listen(&addr, 100, fds, NR, count, &seen) == -ETIMEDOUT,
		    "nobody comes: timed out");
	strcpy(addr.port, "no-such-service");
	test_result(connect_to(&addr, 100, fds, NR, count, &seen) < 0, "unknown port name");
}

void test_connect(void)
{
	test_pair("127.0.0.1");
	test_pair("::1");
	test_timeouts();
}
