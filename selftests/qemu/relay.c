// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay [--replace [--spoil]] [--adopt | --precopy] [--channels] [--staging MIB]
 *	LISTEN CONNECT ADDR=IDSTR...
 *
 * Stands between a stock QEMU that migrates to the socket LISTEN and one that waits for
 * a migration at CONNECT, and has devices of its own, each with the name of one of
 * QEMU's. What goes over the main channel, RAM and SYNC packets pass unchanged. Each
 * device-state packet is also given to a session of ours, which loads it into our
 * device of that name.
 *
 * With --replace the destination does not get the source's device-state packets. When
 * our devices have all their state, a second session saves it from them again, and its
 * packets take that place on the multifd channels. They must be, byte by byte, those
 * that the source made; with --spoil one of them gets a wrong byte afterwards.
 *
 * With --precopy the relay also picks what the devices' pre-copy yields out of the main
 * channel, and writes it to its devices itself, before a session adopts their data files.
 *
 * It says "ready" when QEMU can begin, "loaded" when our devices have their state, then
 * "replaced N packets" or "running", and stays until it is killed, for a script to look
 * at the devices.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay.h"

#define MAGIC		0x11223344u
#define MAGIC_MAIN	0x5145564du	/* "QEVM" */
#define DEVICE_STATE	0x40u
#define INIT_SIZE	64
#define RAM_SIZE	1344		/* of a RAM or SYNC packet */
#define RAM_PAGES_AT	20		/* where it says how many bytes of pages follow */
#define RAM_PAGES_MAX	(1u << 20)
#define STATE_MAX	(12u + (1u << 20))

struct options options = { .staging = 3 << 20 };

/**
 * struct conn - a connection of the source's, and ours to the destination
 * @nr: order in which it came
 * @from: the source's end
 * @to: the destination's
 * @lock: a packet is being written to @to
 * @thread: who reads @from
 */
struct conn {
	unsigned int nr;
	int from;
	int to;
	pthread_mutex_t lock;
	pthread_t thread;
};

static struct conn conns[CONNS_MAX];
static const char *destination;

/* multifd channels that packets may be put on; the list only grows */
static struct conn *multifd[CONNS_MAX];
static unsigned int nr_multifd;
static pthread_mutex_t multifd_lock = PTHREAD_MUTEX_INITIALIZER;

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("relay: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	va_end(args);
}

/* False at the end, if nothing of it came. */
bool read_all(int fd, void *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, MSG_WAITALL);

	if (n == (ssize_t)size)
		return true;
	if (n > 0)
		die("a connection ends in the middle of a packet");
	return false;
}

/* False if nobody reads any more: QEMU says by itself whether that matters. */
bool write_all(int fd, const void *buf, size_t size)
{
	ssize_t n;

	for (; size; size -= n, buf += n) {
		n = send(fd, buf, size, MSG_NOSIGNAL);
		if (n < 0)
			return false;
	}
	return true;
}

static void copy(int from, int to, void (*scan)(const void *bytes, size_t size))
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(from, buf, sizeof(buf), 0)) > 0) {
		if (!write_all(to, buf, n))
			break;
		if (scan)
			scan(buf, n);
	}
	shutdown(to, SHUT_WR);
}

static void dial(struct conn *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strncpy(addr.sun_path, destination, sizeof(addr.sun_path) - 1);
	c->to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->to < 0 || connect(c->to, (struct sockaddr *)&addr, sizeof(addr)))
		die("cannot connect to %s: %s", destination, strerror(errno));
}

/* --- the main channel ------------------------------------------------------------------ */

static void *answer(void *arg)
{
	struct conn *c = arg;

	copy(c->to, c->from, NULL);
	return NULL;
}

static void main_channel(struct conn *c)
{
	pthread_t back;

	if (pthread_create(&back, NULL, answer, c))
		die("no thread");
	copy(c->from, c->to, options.precopy ? main_scan : NULL);
}

/* --- multifd channels -------------------------------------------------------------------- */

static uint32_t get32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return __builtin_bswap32(value);
}

static bool put(struct conn *c, const void *packet, size_t size)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = write_all(c->to, packet, size);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

/* A packet that the source did not make, on the channels in turn. */
void inject(const void *packet, size_t size)
{
	static unsigned int turn;
	struct conn *c;

	pthread_mutex_lock(&multifd_lock);
	if (!nr_multifd)
		die("there is no multifd channel");
	c = multifd[turn++ % nr_multifd];
	pthread_mutex_unlock(&multifd_lock);
	if (!put(c, packet, size))
		die("the destination takes no packet of ours");
}

/* A RAM or SYNC packet whose prefix has been read. */
static bool pass(struct conn *c, const struct prefix *prefix)
{
	char *packet = malloc(RAM_SIZE + RAM_PAGES_MAX);
	uint32_t pages;
	bool ok;

	if (!packet)
		die("no memory");
	memcpy(packet, prefix, sizeof(*prefix));
	if (!read_all(c->from, packet + sizeof(*prefix), RAM_SIZE - sizeof(*prefix)))
		die("a connection ends in a RAM packet");
	pages = get32(packet + RAM_PAGES_AT);
	if (pages > RAM_PAGES_MAX)
		die("a RAM packet with %u bytes of pages", pages);
	if (pages && !read_all(c->from, packet + RAM_SIZE, pages))
		die("a connection ends before the pages of a RAM packet");
	ok = put(c, packet, RAM_SIZE + pages);
	free(packet);
	return ok;
}

/* A device-state packet whose prefix has been read. */
static bool divert(struct conn *c, const struct prefix *prefix)
{
	const size_t head = PAYLOAD_AT - sizeof(*prefix);
	struct packet packet = { .prefix = *prefix };
	struct frame *frame;
	uint32_t size;

	if (!read_all(c->from, packet.idstr, head))
		die("a connection ends in a device-state packet");
	size = get32(&packet.size);
	if (size < 12 || size > STATE_MAX)
		die("a device-state packet of %u bytes", size);
	frame = malloc(sizeof(*frame) + size);
	if (!frame)
		die("no memory");
	frame->packet = packet;
	if (!read_all(c->from, (char *)&frame->packet + PAYLOAD_AT, size))
		die("a connection ends before its payload");
	frame->size = PAYLOAD_AT + size;
	frame->device = sessions_device(&frame->packet);
	frame->idx = get32(&frame->packet.idx);
	frame->config = get32(&frame->packet.payload_flags) & CONFIG;
	frame->sent = !options.replace;
	frames_add(frame);
	if (!options.precopy)
		sessions_load(frame, c->nr);
	return options.replace || put(c, &frame->packet, frame->size);
}

static void multifd_channel(struct conn *c)
{
	char init[INIT_SIZE];
	struct prefix prefix;

	if (!read_all(c->from, init, sizeof(init)) || !put(c, init, sizeof(init)))
		die("connection %u ends in its init", c->nr);
	pthread_mutex_lock(&multifd_lock);
	multifd[nr_multifd++] = c;
	pthread_mutex_unlock(&multifd_lock);
	while (read_all(c->from, &prefix, sizeof(prefix))) {
		if (get32(&prefix.magic) != MAGIC)
			die("connection %u: magic %#x", c->nr, get32(&prefix.magic));
		if (get32(&prefix.flags) & DEVICE_STATE ? !divert(c, &prefix) :
							  !pass(c, &prefix))
			return;
	}
	shutdown(c->to, SHUT_WR);
}

/* Which kind of connection it is, is said by its first bytes. */
static void *serve(void *arg)
{
	struct conn *c = arg;
	uint32_t magic;

	if (recv(c->from, &magic, sizeof(magic), MSG_PEEK | MSG_WAITALL) != sizeof(magic))
		die("connection %u ends at once", c->nr);
	dial(c);
	if (get32(&magic) == MAGIC_MAIN)
		main_channel(c);
	else
		multifd_channel(c);
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, CONNS_MAX))
		die("cannot listen at %s: %s", path, strerror(errno));
	return fd;
}

static void options_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "replace", no_argument, NULL, 'r' },
		{ "adopt", no_argument, NULL, 'a' },
		{ "precopy", no_argument, NULL, 'p' },
		{ "channels", no_argument, NULL, 'c' },
		{ "spoil", no_argument, NULL, 'x' },
		{ "staging", required_argument, NULL, 's' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'r':
			options.replace = true;
			break;
		case 'a':
			options.adopt = true;
			break;
		case 'p':
			options.precopy = true;
			options.adopt = true;
			break;
		case 'c':
			options.channels = true;
			break;
		case 'x':
			options.spoil = true;
			break;
		case 's':
			options.staging = strtoull(optarg, NULL, 0) << 20;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind < 3)
		die("usage: relay [OPTION...] LISTEN CONNECT ADDR=IDSTR...");
}

int main(int argc, char **argv)
{
	unsigned int n;
	int fd;

	options_parse(argc, argv);
	destination = argv[optind + 1];
	sessions_open(argc - optind - 2, argv + optind + 2);
	fd = listen_at(argv[optind]);
	say("ready");
	for (n = 0; n < CONNS_MAX; n++) {
		conns[n].nr = n;
		conns[n].from = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_mutex_init(&conns[n].lock, NULL);
		if (conns[n].from < 0 ||
		    pthread_create(&conns[n].thread, NULL, serve, &conns[n]))
			die("cannot take connection %u: %s", n, strerror(errno));
	}
	die("more than %u connections", CONNS_MAX);
}
