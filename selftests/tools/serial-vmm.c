// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial-vmm - a minimal VMM that migrates its devices one after another
 *
 * The baseline: plain VFIO ioctls, read() and write() with 1 MiB buffers, one
 * TCP connection, in the order in which QEMU does it on its main channel.
 */

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serial-vmm.h"

#define CONNECT_TRIES	100	/* with 100 ms between: the peer may be late */

enum { EXIT_OK, EXIT_USAGE, EXIT_FAILED };

/** now_ns() - CLOCK_MONOTONIC */
__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/** read_full() - read exactly @len bytes; 0, or -1 after a message */
int read_full(int fd, void *buf, size_t len)
{
	char *pos = buf;

	while (len) {
		ssize_t n = read(fd, pos, len);

		if (n <= 0) {
			fprintf(stderr, "connection: %s\n",
				n ? strerror(errno) : "closed by the peer");
			return -1;
		}
		pos += n;
		len -= n;
	}
	return 0;
}

/** write_full() - send exactly @len bytes; 0, or -1 after a message */
int write_full(int fd, const void *buf, size_t len)
{
	const char *pos = buf;

	while (len) {
		ssize_t n = send(fd, pos, len, MSG_NOSIGNAL);

		if (n < 0) {
			fprintf(stderr, "connection: %s\n", strerror(errno));
			return -1;
		}
		pos += n;
		len -= n;
	}
	return 0;
}

/** arc() - a state change with its time; 0, or -1 after a message */
int arc(const struct vfio_dev *dev, unsigned int state, int *data_fd,
	struct serial_span *span)
{
	int ret;

	span->start_ns = now_ns();
	ret = vfio_state_set(dev->fd, state, data_fd);
	span->end_ns = now_ns();
	if (ret)
		fprintf(stderr, "%s: to %s: %s\n", dev->addr,
			vfio_state_name(state), strerror(errno));
	return ret;
}

static struct addrinfo *resolve(const char *addr, int flags)
{
	const struct addrinfo hints = {
		.ai_flags = flags,
		.ai_socktype = SOCK_STREAM,
	};
	const char *colon = strrchr(addr, ':');
	struct addrinfo *info;
	char host[256];
	int ret;

	if (!colon || (size_t)(colon - addr) >= sizeof(host)) {
		fprintf(stderr, "%s: not HOST:PORT\n", addr);
		return NULL;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - addr), addr);
	ret = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &info);
	if (ret) {
		fprintf(stderr, "%s: %s\n", addr, gai_strerror(ret));
		return NULL;
	}
	return info;
}

static int tcp_connect(const char *addr)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct addrinfo *info = resolve(addr, 0);
	int sock = -1, i, one = 1;

	if (!info)
		return -1;
	for (i = 0; i < CONNECT_TRIES; i++) {
		sock = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sock < 0 ||
		    !connect(sock, info->ai_addr, info->ai_addrlen))
			break;
		close(sock);
		sock = -1;
		if (errno != ECONNREFUSED)
			break;
		nanosleep(&pause, NULL);
	}
	if (sock < 0)
		perror(addr);
	else
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	freeaddrinfo(info);
	return sock;
}

static int tcp_accept(const char *addr)
{
	struct addrinfo *info = resolve(addr, AI_PASSIVE);
	int sock = -1, listener, one = 1;

	if (!info)
		return -1;
	listener = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listener < 0 || bind(listener, info->ai_addr, info->ai_addrlen) ||
	    listen(listener, 1))
		perror(addr);
	else
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (listener >= 0)
		close(listener);
	if (sock >= 0)
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	freeaddrinfo(info);
	return sock;
}

static int exec_run(const struct vfio_set *set, const char *command)
{
	int ret = command ? vfio_set_exec(set, command) : 0;

	if (ret)
		fprintf(stderr, "%s: exit code %d\n", command, ret);
	return ret;
}

static int send_run(struct vfio_set *set, const char *addr,
		    const char *command, struct serial_report *report)
{
	int sock, ret;

	report->role = "source";
	if (exec_run(set, command))
		return -1;
	sock = tcp_connect(addr);
	if (sock < 0)
		return -1;
	ret = serial_send(set, sock, report);
	close(sock);
	return ret;
}

static int recv_run(struct vfio_set *set, const char *addr,
		    const char *command, struct serial_report *report)
{
	int data_fd[VFIO_OPEN_MAX], sock, ret;

	report->role = "destination";
	if (serial_recv_setup(set, data_fd, report))
		return -1;
	sock = tcp_accept(addr);
	if (sock < 0)
		return -1;
	ret = serial_recv(set, sock, data_fd, report);
	close(sock);
	return ret ? ret : exec_run(set, command);
}

static int help(FILE *out)
{
	fprintf(out,
		"usage: serial-vmm send|recv HOST:PORT [OPTION...] DEVICE...\n"
		"\n"
		"  --exec CMD   run CMD while the devices run: before send, after recv;\n"
		"               VFMIG_DEVICES names the open devices\n"
		"  --json FILE  write the times there\n"
		"\n"
		"Exit codes: 0 ok, 1 usage, 2 failed.\n");
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "exec", required_argument, NULL, 'e' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	static struct serial_report report;
	static struct vfio_set set;
	const char *command = NULL, *json = NULL;
	const char *verb, *addr;
	int ret, opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'e')
			command = optarg;
		else if (opt == 'j')
			json = optarg;
		else
			return help(opt == 'h' ? stdout : stderr);
	}
	if (argc - optind < 3)
		return help(stderr);
	verb = argv[optind++];
	addr = argv[optind++];
	if (strcmp(verb, "send") && strcmp(verb, "recv"))
		return help(stderr);

	if (vfio_set_open(&set, argc - optind, argv + optind))
		return EXIT_FAILED;
	if (*verb == 's')
		ret = send_run(&set, addr, command, &report);
	else
		ret = recv_run(&set, addr, command, &report);
	if (json && serial_report_write(&report, &set, json))
		ret = -1;
	vfio_set_close(&set);
	return ret ? EXIT_FAILED : EXIT_OK;
}
