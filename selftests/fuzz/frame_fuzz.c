// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile wire between two live sessions: it flips, drops, repeats, swaps, cuts and
 * makes up what the frames of a migration are made of. However it ends, both sessions must
 * end in a reported state, the devices must be usable, and the next migration must work.
 * Where both ends verify and only frames were touched, a destination that owns its devices
 * must have what the source had.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"
#include "peer.h"
#include "vfio.h"

enum { NR_DEVS = 2, CHANNELS = 2, LANES = NR_DEVS * CHANNELS, DATA_MAX = 1 << 20 };

/* How long a wire is silent before it is given up; sessions then have WAIT_MS. */
#define SILENCE_MS 3000

/* One channel: the wire's ends of it, and what it does. */
struct lane {
	int src, dst;
	unsigned int seed;	/* of both directions: see chance_of() */
	pthread_t forth, back;
	bool running;
};

static struct lane lanes[LANES];
static int nr_lanes;

/* What the wire does in this round. */
static struct {
	bool replies;		/* touch what comes back, and the confirmation, as well */
	__u32 once_in;		/* one message of so many; 0: none */
	int left;		/* at most so many */
} plan;

static unsigned long touched;	/* in this round */
static __u64 moved_at;		/* when something last came over the wire */

static bool hit(unsigned int *seed)
{
	if (!plan.once_in || rand_r(seed) % plan.once_in)
		return false;
	if (__atomic_sub_fetch(&plan.left, 1, __ATOMIC_RELAXED) < 0)
		return false;
	__atomic_add_fetch(&touched, 1, __ATOMIC_RELAXED);
	return true;
}

static bool get(int fd, void *buf, size_t size)
{
	/* a socket waits for something to come, even if none of it is wanted */
	ssize_t n = size ? recv(fd, buf, size, MSG_WAITALL) : 0;

	__atomic_store_n(&moved_at, now_ms(), __ATOMIC_RELAXED);
	return n == (ssize_t)size;
}

static bool put(int fd, const void *buf, size_t size)
{
	return send(fd, buf, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void flip(void *buf, size_t size, unsigned int *seed)
{
	if (size)
		((__u8 *)buf)[rand_r(seed) % size] ^= 1 << rand_r(seed) % 8;
}

/* A field gets a value that somebody might not have thought of. */
static void set_field(struct peer_frame *frame, unsigned int *seed)
{
	static const __u32 values[] = {
		0, 1, 2, 7, 11, 12, 13, 255, 1 << 20, (1 << 20) + 12, (1 << 20) + 13,
		0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
	};
	__u32 *const fields[] = {
		&frame->magic, &frame->version, &frame->flags, &frame->instance, &frame->size,
		&frame->payload_version, &frame->idx, &frame->payload_flags,
	};

	*fields[rand_r(seed) % ARRAY_SIZE(fields)] =
		peer_put32(values[rand_r(seed) % ARRAY_SIZE(values)]);
}

struct held {
	struct peer_frame frame;
	__u8 *data;
	size_t size;	/* of data; frame and data were held if there is data */
};

/* One frame with its data toward the destination, with what befalls it; false to end. */
static bool forward(struct lane *lane, struct peer_frame *frame, __u8 *data, size_t size,
		    struct held *held)
{
	unsigned int *seed = &lane->seed;
	int fate = hit(seed) ? rand_r(seed) % 8 : -1;
	int copies = 1;

	switch (fate) {
	case 0:
		flip(frame, sizeof(*frame), seed);
		break;
	case 1:
		flip(data, size, seed);
		break;
	case 2:
		set_field(frame, seed);
		break;
	case 3:		/* lost */
		return true;
	case 4:
		copies = 2;
		break;
	case 5:		/* after the next one */
		if (!held->data) {
			*held = (struct held){ *frame, malloc(size + 1), size };
			memcpy(held->data, data, size);
			return true;
		}
		break;
	case 6:		/* cut */
		put(lane->dst, frame, rand_r(seed) % sizeof(*frame));
		return false;
	case 7:		/* cut in the data */
		put(lane->dst, frame, sizeof(*frame));
		put(lane->dst, data, size ? rand_r(seed) % size : 0);
		return false;
	}
	while (copies--)
		if (!put(lane->dst, frame, sizeof(*frame)) || !put(lane->dst, data, size))
			return false;
	if (held->data) {
		put(lane->dst, &held->frame, sizeof(held->frame));
		put(lane->dst, held->data, held->size);
		free(held->data);
		held->data = NULL;
	}
	return true;
}

/* A confirmation: its length tells itself, by whether both ends verify. */
static bool forward_confirm(struct lane *lane, struct peer_frame *begin)
{
	__u8 rest[sizeof(struct peer_verdict)];
	ssize_t n;

	memcpy(rest, begin, 12);
	n = recv(lane->src, rest + 12, sizeof(rest) - 12, 0);
	if (n < 0)
		return false;
	if (plan.replies && hit(&lane->seed))
		flip(rest, 12 + n, &lane->seed);
	return put(lane->dst, rest, 12 + n);
}

static void *lane_forth(void *arg)
{
	struct held held = { .data = NULL };
	__u8 *data = malloc(DATA_MAX);
	struct lane *lane = arg;
	struct peer_frame frame;
	struct peer_init init;
	size_t size;

	if (!get(lane->src, &init, sizeof(init)))
		goto out;
	if (hit(&lane->seed))
		flip(&init, sizeof(init), &lane->seed);
	if (!put(lane->dst, &init, sizeof(init)))
		goto out;
	while (get(lane->src, &frame, 12)) {
		if (peer_get32(frame.magic) == PEER_CONFIRM_MAGIC) {
			if (!forward_confirm(lane, &frame))
				break;
			continue;
		}
		if (!get(lane->src, (void *)&frame + 12, sizeof(frame) - 12))
			break;
		size = peer_get32(frame.size) - 12;
		if (size > DATA_MAX || !get(lane->src, data, size) ||
		    !forward(lane, &frame, data, size, &held))
			break;
	}
out:
	free(held.data);
	free(data);
	shutdown(lane->dst, SHUT_WR);
	return NULL;
}

static void *lane_back(void *arg)
{
	struct lane *lane = arg;
	unsigned int seed = lane->seed + 1;
	__u8 buf[sizeof(struct peer_verdict)];
	ssize_t n;

	while ((n = recv(lane->dst, buf, sizeof(buf), 0)) > 0) {
		__atomic_store_n(&moved_at, now_ms(), __ATOMIC_RELAXED);
		if (plan.replies && hit(&seed)) {
			if (rand_r(&seed) % 4 == 0)
				break;
			flip(buf, n, &seed);
		}
		if (!put(lane->src, buf, n))
			break;
	}
	shutdown(lane->src, SHUT_WR);
	return NULL;
}

/* As peer_pair(), with a lane in between. */
static int lane_new(int fd[2])
{
	struct lane *lane = &lanes[nr_lanes];
	int a[2], b[2], ret;

	ret = once_in(2) ? peer_pair(a) : peer_pair_unix(a);
	if (ret)
		return ret;
	ret = once_in(2) ? peer_pair(b) : peer_pair_unix(b);
	if (ret)
		return ret;
	*lane = (struct lane){ .src = a[1], .dst = b[0], .seed = rnd(1 << 30) };
	fd[0] = a[0];
	fd[1] = b[1];
	nr_lanes++;
	return 0;
}

static void lanes_start(void)
{
	int i;

	moved_at = now_ms();
	for (i = 0; i < nr_lanes; i++)
		lanes[i].running = !pthread_create(&lanes[i].forth, NULL, lane_forth, &lanes[i]) &&
				   !pthread_create(&lanes[i].back, NULL, lane_back, &lanes[i]);
}

static void lanes_cut(void)
{
	int i;

	for (i = 0; i < nr_lanes; i++) {
		shutdown(lanes[i].src, SHUT_RDWR);
		shutdown(lanes[i].dst, SHUT_RDWR);
	}
}

static void lanes_end(void)
{
	int i;

	lanes_cut();
	for (i = 0; i < nr_lanes; i++) {
		if (lanes[i].running) {
			pthread_join(lanes[i].forth, NULL);
			pthread_join(lanes[i].back, NULL);
		}
		close(lanes[i].src);
		close(lanes[i].dst);
	}
	nr_lanes = 0;
}

/* --- a round ------------------------------------------------------------------------ */

static bool over(int fd)
{
	return session_reached(fd) & (M_HANDED_OVER | M_ENDED);
}

/* A session that is over says how. */
static int check_session(int fd, const char *which)
{
	struct vfio_migmux_last_error last = session_last_error(fd);
	const __u32 reached = session_reached(fd);

	if (reached & M_ENDED && (!(reached & M_FAILED) || !last.error || !last.text[0])) {
		printf("# the %s ended and does not say why\n", which);
		return -EIO;
	}
	return 0;
}

static int check_devices(const struct vfio_dev *dev, int n)
{
	int i, ret = 0;

	for (i = 0; i < n; i++)
		if (vfio_state_get(dev[i].fd) < 0)
			ret = -EIO;
	return ret;
}

/* Where the movers are that do not end. */
static void stacks_show(void)
{
	fflush(stdout);
	if (system("cd /proc/$PPID/task && for t in *; do cat $t/comm $t/stack; done"))
		puts("# no stacks");
}

static unsigned long handed_over, failed;

static int migrate(bool verify)
{
	const __u32 save = VFIO_MIGMUX_SAVE_VERDICT | (verify ? VFIO_MIGMUX_SAVE_VERIFY : 0);
	const __u32 load = VFIO_MIGMUX_LOAD_VERDICT | (verify ? VFIO_MIGMUX_LOAD_VERIFY : 0);
	struct pair pair = { .from = -1, .to = -1 };
	__u64 until = now_ms() + WAIT_MS;
	bool cut = false;
	int ret;

	ret = pair_open_over(&pair, &devices.dev[0], &devices.dev[NR_DEVS], NR_DEVS, CHANNELS,
			     lane_new);
	if (!ret)
		lanes_start();
	ret = ret ?: session_load(pair.to, load, RUNNING, MIB + MIB * rnd(2)) ?:
	      session_save(pair.from, save, RUNNING, MIB + MIB * rnd(2));
	while (!ret && !(over(pair.from) && over(pair.to))) {
		if (!cut && now_ms() > __atomic_load_n(&moved_at, __ATOMIC_RELAXED) + SILENCE_MS) {
			lanes_cut();
			cut = true;
			until = now_ms() + WAIT_MS;
		}
		if (now_ms() > until && cut) {
			printf("# a session does not end: reached %#x and %#x\n",
			       session_reached(pair.from), session_reached(pair.to));
			stacks_show();
			ret = -ETIMEDOUT;
		}
		usleep(1000);
	}
	lanes_end();
	if (!ret && session_reached(pair.to) & M_HANDED_OVER) {
		handed_over++;
		if (verify && !plan.replies && !pair_equal(&pair)) {
			puts("# a destination owns something else than was sent");
			ret = -EBADMSG;
		}
	} else if (!ret) {
		failed++;
		if (!touched) {
			puts("# nothing was touched, and yet it failed");
			session_says(pair.from, 0, "");
			session_says(pair.to, 0, "");
			ret = -EIO;
		}
	}
	ret = ret ?: check_session(pair.from, "source") ?:
	      check_session(pair.to, "destination") ?: check_devices(devices.dev, devices.n);
	pair_close(&pair);
	return ret;
}

static int round_prepare(void)
{
	int i, ret = devices_settle(&devices);

	for (i = 0; i < NR_DEVS && !ret; i++)
		ret = attr_write_num(devices.dev[i].addr, "seed", rnd(1 << 30)) ?:
		      attr_write_num(devices.dev[i].addr, "state_size",
				     once_in(4) ? rnd(64) : rnd(400000)) ?:
		      attr_write_num(devices.dev[i].addr, "read_chunk", 4096 << rnd(6));
	plan.replies = once_in(3);
	plan.once_in = once_in(8) ? 0 : 1 << rnd(6);
	plan.left = once_in(2) ? 1 : 1000;
	touched = 0;
	return ret;
}

int main(void)
{
	__u64 until = fuzz_begin();
	unsigned long rounds = 0, all = 0;
	int ret;

	puts("1..1");
	ret = devices_open(&devices, 0, SESSION_DEVICES);
	while (!ret && now_ms() < until) {
		const __u64 seed = chance;

		ret = round_prepare() ?: migrate(once_in(2));
		all += touched;
		rounds++;
		if (!ret && !(rounds % 16))
			ret = migration_works();
		if (ret)
			printf("# round %lu fails with %d, FUZZ_SEED=%llu: one in %u%s\n", rounds,
			       ret, (unsigned long long)seed, plan.once_in,
			       plan.replies ? ", replies too" : "");
	}
	ret = ret ?: migration_works();
	vfio_set_close(&devices);
	ret = ret ?: module_wait_unused();
	printf("# %lu migrations, %lu messages touched, %lu handed over, %lu failed\n", rounds,
	       all, handed_over, failed);
	printf("%s 1 sessions over a hostile wire end, and the next migration works\n",
	       ret || !failed || !handed_over ? "not ok" : "ok");
	return ret || !failed || !handed_over;
}
