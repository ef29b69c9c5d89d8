// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-cost - what it costs to move a device's state from one device to another
 *
 *	bench-cost NETNS ADDR SOURCE DESTINATION WAY...
 *
 * Both devices are of this machine. The connections go from this network namespace to
 * ADDR in the one of the file NETNS, so over whatever network is between them. The ways:
 *
 *	migmux[N]	two sessions of the module, N channels (default 1)
 *	verify[N]	the same with checksums compared
 *	copy		read() and send(), recv() and write(), buffers of 1 MiB
 *	zerocopy	the same with MSG_ZEROCOPY
 *	queue		with the copies of QEMU's multifd device state
 *
 * Prints a line "cost WAY INSTRUCTIONS" each: all that was executed while the state
 * moved, by whomever; from when the destination waits in RESUMING until it has taken the
 * last byte. See bench-clock.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench-clock.h"
#include "bench-cost.h"
#include "libvfmig.h"
#include "vfio-open.h"

int cost_fail(const char *what, int error)
{
	fprintf(stderr, "bench-cost: %s: %s\n", what, strerror(error));
	return -1;
}

int cost_send(int sock, const void *buf, size_t len, int flags)
{
	const char *pos = buf;
	ssize_t n;

	while (len) {
		n = send(sock, pos, len, flags | MSG_NOSIGNAL);
		if (n < 0)
			return cost_fail("send", errno);
		pos += n;
		len -= n;
	}
	return 0;
}

int cost_write(int fd, const void *buf, size_t len)
{
	const char *pos = buf;
	ssize_t n;

	while (len) {
		n = write(fd, pos, len);
		if (n <= 0)
			return cost_fail("write", n ? errno : EIO);
		pos += n;
		len -= n;
	}
	return 0;
}

/* When the state of the current move began to move, and when all had. */
static struct bench_mark from, to;

/* --- connections ----------------------------------------------------------------- */

static int listen_in(const char *netns, const struct sockaddr_in *addr)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC), sock = -1, one = 1;

	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET)) {
		cost_fail(netns, errno);
		goto out;
	}
	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(sock, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    listen(sock, COST_CHANNELS)) {
		cost_fail("listen", errno);
		if (sock >= 0)
			close(sock);
		sock = -1;
	}
	if (setns(home, CLONE_NEWNET)) {
		cost_fail("network namespace", errno);
		exit(1);
	}
out:
	if (home >= 0)
		close(home);
	if (there >= 0)
		close(there);
	return sock;
}

static int connect_one(int listener, struct cost *cost)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int src, dst, one = 1;

	src = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (src < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(src, (struct sockaddr *)&addr, len))
		return cost_fail("connect", errno);
	dst = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (dst < 0)
		return cost_fail("accept", errno);
	setsockopt(src, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(dst, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	cost->src_sock[cost->nr] = src;
	cost->dst_sock[cost->nr++] = dst;
	return 0;
}

static void disconnect(struct cost *cost)
{
	while (cost->nr--) {
		close(cost->src_sock[cost->nr]);
		close(cost->dst_sock[cost->nr]);
	}
}

/* --- the module's way -------------------------------------------------------------- */

static int session(int vfio, const int *socks, int nr)
{
	int fd = vfmig_open(), ret, i;

	if (fd < 0)
		return cost_fail("/dev/vfio/migmux", -fd);
	ret = vfmig_device_add(fd, vfio, "bench", 0, NULL, NULL);
	for (i = 0; !ret && i < nr; i++)
		ret = vfmig_channel_add(fd, socks[i], 0, NULL);
	if (!ret)
		return fd;
	close(fd);
	return cost_fail("session", -ret);
}

static int sessions_run(int src, int dst, bool verify)
{
	int ret;

	ret = vfmig_load(dst, VFIO_MIGMUX_LOAD_VERDICT |
			 (verify ? VFIO_MIGMUX_LOAD_VERIFY : 0),
			 VFIO_DEVICE_STATE_RUNNING, 0, 0);
	from = bench_clock_mark();
	if (!ret)
		ret = vfmig_save(src, VFIO_MIGMUX_SAVE_VERDICT |
				 (verify ? VFIO_MIGMUX_SAVE_VERIFY : 0),
				 VFIO_DEVICE_STATE_RUNNING, 0, 0);
	if (!ret)
		ret = vfmig_wait(dst, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 60000, NULL);
	if (!ret)
		ret = vfmig_wait(src, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 60000, NULL);
	to = bench_clock_mark();
	return ret ? cost_fail("migrating", -ret) : 0;
}

static int migmux_run(const struct cost *cost, bool verify)
{
	int src = session(cost->src_fd, cost->src_sock, cost->nr);
	int dst = session(cost->dst_fd, cost->dst_sock, cost->nr);
	int ret = src < 0 || dst < 0 ? -1 : sessions_run(src, dst, verify);

	if (src >= 0)
		close(src);
	if (dst >= 0)
		close(dst);
	return ret;
}

/* --- the old ways ------------------------------------------------------------------- */

struct sink {
	const struct cost *cost;
	const struct cost_way *way;
	int ret;
};

static void *sink_run(void *arg)
{
	struct sink *sink = arg;

	sink->ret = sink->way->sink(sink->cost);
	return NULL;
}

static int arcs(int fd, const unsigned int *states, int *data_fd)
{
	for (; *states; states++)
		if (vfio_state_set(fd, *states, data_fd))
			return cost_fail(vfio_state_name(*states), errno);
	return 0;
}

static int user_run(struct cost *cost, const struct cost_way *way)
{
	static const unsigned int save[] = { VFIO_DEVICE_STATE_STOP_COPY, 0 };
	static const unsigned int load[] = { VFIO_DEVICE_STATE_RESUMING, 0 };
	static const unsigned int stop[] = { VFIO_DEVICE_STATE_STOP, 0 };
	struct sink sink = { cost, way, -1 };
	pthread_t thread;
	int ret;

	if (arcs(cost->dst_fd, load, &cost->dst_data) ||
	    arcs(cost->src_fd, save, &cost->src_data))
		return -1;
	from = bench_clock_mark();
	if (pthread_create(&thread, NULL, sink_run, &sink))
		return cost_fail("thread", EAGAIN);
	ret = way->source(cost);
	if (ret)
		shutdown(cost->src_sock[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	to = bench_clock_mark();
	close(cost->src_data);
	close(cost->dst_data);
	if (ret || sink.ret)
		return -1;
	return arcs(cost->dst_fd, stop, NULL) || arcs(cost->src_fd, stop, NULL) ? -1 : 0;
}

/* ------------------------------------------------------------------------------------ */

static const struct cost_way *const ways[] = { &cost_copy, &cost_zerocopy, &cost_queue };

/* The module's ways are told by their first six letters; behind them is a number. */
static bool is_way(const char *name, const char *way)
{
	return !strncmp(name, way, 6);
}

static int run(struct cost *cost, const char *name)
{
	size_t i;

	if (is_way(name, "migmux") || is_way(name, "verify"))
		return migmux_run(cost, is_way(name, "verify"));
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(name, ways[i]->name))
			return user_run(cost, ways[i]);
	return cost_fail(name, EINVAL);
}

static int channels_of(const char *name)
{
	const bool ours = is_way(name, "migmux") || is_way(name, "verify");
	const int n = ours && name[6] ? atoi(name + 6) : 1;

	return n < 1 || n > COST_CHANNELS ? 1 : n;
}

/* Instructions that were work, or -1. */
static double measure(struct cost *cost, int listener, const char *name)
{
	static const unsigned int running[] = { VFIO_DEVICE_STATE_RUNNING, 0 };
	int i, ret = 0;

	cost->nr = 0;
	for (i = 0; !ret && i < channels_of(name); i++)
		ret = connect_one(listener, cost);
	if (!ret)
		ret = run(cost, name);
	disconnect(cost);
	if (ret || arcs(cost->src_fd, running, NULL) || arcs(cost->dst_fd, running, NULL))
		return -1;
	return bench_clock_work(&from, &to);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(4600) };
	static struct vfio_set set;
	struct cost cost = { .src_data = -1, .dst_data = -1 };
	double insns;
	int listener, i;

	if (argc < 6 || !inet_aton(argv[2], &addr.sin_addr)) {
		fprintf(stderr, "usage: bench-cost NETNS ADDR SOURCE DESTINATION WAY...\n");
		return 2;
	}
	if (vfio_set_open(&set, 2, argv + 3))
		return 1;
	cost.src_fd = set.dev[0].fd;
	cost.dst_fd = set.dev[1].fd;
	listener = listen_in(argv[1], &addr);
	if (listener < 0 || bench_clock_start())
		return 1;
	for (i = 5; i < argc; i++) {
		insns = measure(&cost, listener, argv[i]);
		if (insns < 0)
			return 1;
		printf("cost %s %.0f\n", argv[i], insns);
		fflush(stdout);
	}
	vfio_set_close(&set);
	return 0;
}
