// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making and taking connections, over loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

	if (connect_to(addr, NULL, 5000, fds, NR, count, &seen) || seen != NR)
		_exit(1);
	if (fcntl(fds[0], F_GETFL) & O_NONBLOCK)
		_exit(1);
	/* until the peer has looked at its sockets */
	_exit(read(fds[NR - 1], &byte, 1) != 0);
}

static void test_pair(const struct address *addr, const char *what)
{
	unsigned int seen = 0;
	int fds[NR], status = 1;
	pid_t pid;
	int ret;

	fflush(stdout);
	pid = fork();
	if (!pid)
		connect_child(addr);
	/* long enough for the peer to be refused and to try again */
	usleep(300 * 1000);
	ret = connect_listen(addr, NULL, 5000, fds, NR, count, &seen);
	test_result(!ret && seen == NR, "%d connections come to %s", NR, what);
	if (!ret)
		for (int i = 0; i < NR; i++)
			close(fds[i]);
	waitpid(pid, &status, 0);
	test_result(!status, "... made by a peer that came first");
}

static void test_tcp(const char *host)
{
	struct address addr = { .kind = ADDRESS_TCP };

	if (free_port(host, &addr))
		test_result(true, "connections over %s # SKIP no such address here", host);
	else
		test_pair(&addr, host);
}

/* The mode of the file, as long as it is there. */
static void mode(unsigned int number, unsigned int of, void *arg)
{
	const char *path = "test_connect.sock";
	struct stat st;

	(void)of;
	if (!number && !stat(path, &st))
		*(unsigned int *)arg = st.st_mode;
}

static void test_unix(void)
{
	struct address addr = { .kind = ADDRESS_UNIX, .path = "test_connect.sock" };
	struct address abstract = { .kind = ADDRESS_UNIX, .path = "@test_connect" };
	unsigned int seen = 0;
	int fds[NR], file;

	unlink(addr.path);
	test_pair(&addr, "a path");
	test_result(access(addr.path, F_OK), "... and the file is gone");
	test_pair(&abstract, "an abstract name");
	test_result(connect_to(&addr, NULL, 0, fds, NR, count, &seen) == -ENOENT,
		    "a path with nobody");
	test_result(connect_listen(&addr, NULL, 0, fds, NR, mode, &seen) == -ETIMEDOUT &&
		    seen == (S_IFSOCK | 0600), "the file is the owner's alone");
	test_result(access(addr.path, F_OK), "... and gone when nobody comes");

	file = open(addr.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	test_result(connect_listen(&addr, NULL, 0, fds, NR, count, &seen) == -EEXIST &&
		    !access(addr.path, F_OK), "a file that is not a socket is left alone");
	close(file);
	unlink(addr.path);
}

static bool no_connection(int server)
{
	struct pollfd pfd = { .fd = server, .events = POLLIN };

	return !poll(&pfd, 1, 0);
}

/* A file that nobody listens on is replaced, one with a listener is not. */
static void test_stale(void)
{
	struct address addr = { .kind = ADDRESS_UNIX, .path = "test_connect.sock" };
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "test_connect.sock" };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned int seen = 0;
	int fds[NR];

	if (bind(server, (struct sockaddr *)&sa, sizeof(sa)) || listen(server, 1))
		seen = 99;
	test_result(!seen && connect_listen(&addr, NULL, 0, fds, NR, count, &seen) == -EADDRINUSE,
		    "where another listens");
	test_result(no_connection(server),
		    "... who does not notice");
	close(server);
	test_result(!access(addr.path, F_OK) &&
		    connect_listen(&addr, NULL, 0, fds, NR, count, &seen) == -ETIMEDOUT,
		    "where nobody listens any more");
	unlink(addr.path);
}

static void test_timeouts(void)
{
	struct address addr = { .kind = ADDRESS_TCP };
	unsigned int seen = 0;
	int fds[NR];

	if (free_port("127.0.0.1", &addr))
		return;
	test_result(connect_to(&addr, NULL, 300, fds, NR, count, &seen) == -ECONNREFUSED,
		    "nobody listens: refused in the end");
	test_result(connect_listen(&addr, NULL, 100, fds, NR, count, &seen) == -ETIMEDOUT,
		    "nobody comes: timed out");
	strcpy(addr.port, "no-such-service");
	test_result(connect_to(&addr, NULL, 100, fds, NR, count, &seen) < 0, "unknown port name");
}

void test_connect(void)
{
	test_tcp("127.0.0.1");
	test_tcp("::1");
	test_unix();
	test_stale();
	test_timeouts();
}
