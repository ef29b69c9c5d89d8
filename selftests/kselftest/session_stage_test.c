// SPDX-License-Identifier: GPL-2.0-only
/*
 * One stage of a transfer is slowed at a time, the read, the wire or the write: the
 * timelines of both ends, as "vfmig session show" prints them, say which it is.
 */
#include <poll.h>
#include <pthread.h>

#include "session_fixture.h"

#define STATE		(4 * MIB)
#define SLOW_US_PER_MIB	"100000"
#define RELAY_US	25000	/* for up to RELAY_BYTES: the same by each of two channels */
#define RELAY_BYTES	(128 * 1024)

/* A wire: from fd[0], which is the source's end, to fd[1] and back. */
struct relay {
	pthread_t thread;
	int fd[2];
};

static struct relay relays[2];
static unsigned int nr_relays;

static bool pass_on(int from, int to, bool slow)
{
	static __thread char buf[RELAY_BYTES];
	ssize_t n = read(from, buf, sizeof(buf)), done, sent;

	if (n <= 0)
		return false;
	if (slow)
		usleep(n * RELAY_US / RELAY_BYTES);
	for (done = 0; done < n; done += sent) {
		sent = write(to, buf + done, n - done);
		if (sent <= 0)
			return false;
	}
	return true;
}

static void *relay(void *arg)
{
	struct relay *r = arg;
	struct pollfd p[2] = {
		{ .fd = r->fd[0], .events = POLLIN }, { .fd = r->fd[1], .events = POLLIN },
	};
	int i, open = 2;

	while (open && poll(p, 2, WAIT_MS) > 0) {
		for (i = 0; i < 2; i++) {
			if (!p[i].revents || pass_on(r->fd[i], r->fd[!i], !i))
				continue;
			shutdown(r->fd[!i], SHUT_WR);
			p[i].fd = -1;
			open--;
		}
	}
	close(r->fd[0]);
	close(r->fd[1]);
	return NULL;
}

static int connect_relay(int fd[2])
{
	struct relay *r = &relays[nr_relays];
	int from[2], to[2], ret;

	ret = peer_pair_unix(from) ?: peer_pair_unix(to);
	if (ret)
		return ret;
	r->fd[0] = from[1];
	r->fd[1] = to[0];
	fd[0] = from[0];
	fd[1] = to[1];
	ret = -pthread_create(&r->thread, NULL, relay, r);
	nr_relays += !ret;
	return ret;
}

/* Does the session's only row of the table name that stage? */
static bool waits_for(int fd, const char *stage)
{
	char line[512], command[64];
	struct timeline t;
	bool found = false;
	FILE *f;

	if (session_timeline(fd, &t))
		return false;
	snprintf(command, sizeof(command), "vfmig session show %u", t.t.session);
	f = popen(command, "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		found |= !strncmp(line, "pci/", 4) && strstr(line, stage);
		printf("# %s", line);
	}
	return !pclose(f) && found;
}

FIXTURE_VARIANT(vmm)
{
	const char *read_us;
	const char *write_us;
	bool wire;
	__u64 staging;		/* room for the skew of the channels, or so little that it fills */
	const char *from;	/* what the source waits for, and the destination */
	const char *to;
};

FIXTURE_VARIANT_ADD(vmm, read) {
	.read_us = SLOW_US_PER_MIB, .write_us = "0", .staging = 2 * MIB,
	.from = " device ", .to = " wire ",
};

FIXTURE_VARIANT_ADD(vmm, wire) {
	.read_us = "0", .write_us = "0", .wire = true, .staging = 16 * MIB,
	.from = " wire ", .to = " wire ",
};

FIXTURE_VARIANT_ADD(vmm, write) {
	.read_us = "0", .write_us = SLOW_US_PER_MIB, .staging = 2 * MIB,
	.from = " wire ", .to = " device ",
};

TEST_F(vmm, names)
{
	struct pair pair;
	unsigned int i;

	ASSERT_EQ(0, attr_write_num(self->dev[0].addr, "state_size", STATE));
	ASSERT_EQ(0, attr_write(self->dev[0].addr, "read_us_per_mib", variant->read_us));
	ASSERT_EQ(0, attr_write(self->dev[2].addr, "write_us_per_mib", variant->write_us));
	nr_relays = 0;
	ASSERT_EQ(0, pair_open_over(&pair, &self->dev[0], &self->dev[2], 1, 2,
				    variant->wire ? connect_relay : peer_pair_unix));
	ASSERT_EQ(0, pair_start(&pair, true, variant->staging));
	ASSERT_EQ(0, pair_finish(&pair));
	EXPECT_TRUE(pair_equal(&pair));
	EXPECT_TRUE(waits_for(pair.from, variant->from));
	EXPECT_TRUE(waits_for(pair.to, variant->to));
	pair_close(&pair);
	for (i = 0; i < nr_relays; i++)
		pthread_join(relays[i].thread, NULL);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
