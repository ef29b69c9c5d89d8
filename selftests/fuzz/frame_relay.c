// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame_relay PORT CHANNELS HOST HOST_PORT
 *
 * A hostile wire between two hosts: takes so many TCP connections on PORT, makes as many
 * to the other host's address and port, and is a lane between each two. It says "ready"
 * when it can be connected to, and how many messages it has touched when it is told to end,
 * by SIGTERM. FUZZ_SEED chooses what it does.
 *
 * When it has touched something, and then nothing comes for a while, it cuts all lanes: an
 * end that waits for what was lost has no other way to learn that it will not come.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lanes.h"

/* How long the other host may need to listen, and the wire be silent. */
#define CONNECT_MS	30000
#define SILENCE_MS	1000

static int listen_on(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)addr, sizeof(*addr)) || listen(fd, LANES_MAX))
		return -errno;
	return fd;
}

/* The other host may not listen yet. */
static int connect_to(const struct sockaddr_in *addr)
{
	const __u64 until = now_ms() + CONNECT_MS;
	int fd, err;

	do {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			return fd;
		err = -errno;
		close(fd);
		usleep(10000);
	} while (err == -ECONNREFUSED && now_ms() < until);
	return err;
}

static int lanes_take(int server, const struct sockaddr_in *there, unsigned int n)
{
	int src, dst;

	while (n--) {
		src = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		if (src < 0)
			return -errno;
		dst = connect_to(there);
		if (dst < 0)
			return dst;
		lane_add(src, dst, rnd(1 << 30));
	}
	return 0;
}

/* Until SIGTERM comes, which before this ends all at once. */
static void run(void)
{
	const struct timespec tick = { .tv_nsec = 10000000 };
	bool cut = false;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	lanes_start();
	while (sigtimedwait(&set, NULL, &tick) < 0) {
		if (!cut && lanes_touched() && lanes_silent_ms() > SILENCE_MS) {
			lanes_cut();
			cut = true;
		}
	}
	lanes_end();
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET }, there = here;
	unsigned int n = argc == 5 ? atoi(argv[2]) : 0;
	int server, ret;

	if (!n || n > LANES_MAX || !inet_aton(argv[3], &there.sin_addr)) {
		fputs("frame_relay PORT CHANNELS HOST HOST_PORT\n", stderr);
		return 2;
	}
	here.sin_port = htons(atoi(argv[1]));
	there.sin_port = htons(atoi(argv[4]));
	chance = env_number("FUZZ_SEED", 0);
	plan_choose();
	server = listen_on(&here);
	ret = server;
	if (ret >= 0) {
		puts("ready");
		fflush(stdout);
		ret = lanes_take(server, &there, n);
	}
	if (ret < 0) {
		printf("no wire: %s\n", strerror(-ret));
		return 1;
	}
	run();
	printf("%lu messages touched, one in %u%s\n", lanes_touched(), plan.once_in,
	       plan.replies ? ", replies too" : "");
	return 0;
}
