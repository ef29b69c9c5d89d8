// SPDX-License-Identifier: GPL-2.0-only
/* The lanes of a hostile wire; see lanes.h */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lanes.h"
#include "peer.h"

#define PAYLOAD_VERIFY	8u	/* both ends verify */

enum { DATA_MAX = 1 << 20 };

/* One channel: the wire's ends of it, and what it does. */
struct lane {
	int src, dst;
	unsigned int seed;	/* of both directions */
	pthread_t forth, back;
	bool running;
};

struct lanes_plan plan;

static struct lane lanes[LANES_MAX];
static int nr_lanes;
static unsigned long touched;	/* since the lanes were started */
static __u64 moved_at;		/* when something last came over the wire */
static bool verified;		/* a frame said that both ends verify */

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

/* Neither a frame nor an init, of @size; its first 12 bytes are in @begin. */
static bool forward_word(struct lane *lane, const struct peer_frame *begin, size_t size)
{
	__u8 word[sizeof(struct peer_verdict)];

	memcpy(word, begin, 12);
	if (size > 12 && !get(lane->src, word + 12, size - 12))
		return false;
	if (plan.replies && hit(&lane->seed))
		flip(word, size, &lane->seed);
	return put(lane->dst, word, size);
}

/* A question has 12 bytes; a confirmation is longer where both ends verify. */
static size_t word_size(const struct peer_frame *begin)
{
	switch (peer_get32(begin->magic)) {
	case PEER_QUERY_MAGIC:
		return sizeof(struct peer_query);
	case PEER_CONFIRM_MAGIC:
		return __atomic_load_n(&verified, __ATOMIC_RELAXED) ?
		       sizeof(struct peer_verdict) : sizeof(struct peer_confirm);
	}
	return 0;
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
	/* it ends all before anything has begun: now and then is enough */
	if (!(rand_r(&lane->seed) % 4) && hit(&lane->seed))
		flip(&init, sizeof(init), &lane->seed);
	if (!put(lane->dst, &init, sizeof(init)))
		goto out;
	while (get(lane->src, &frame, 12)) {
		size = word_size(&frame);
		if (size) {
			if (!forward_word(lane, &frame, size))
				break;
			continue;
		}
		if (!get(lane->src, (void *)&frame + 12, sizeof(frame) - 12))
			break;
		if (peer_get32(frame.payload_flags) & PAYLOAD_VERIFY)
			__atomic_store_n(&verified, true, __ATOMIC_RELAXED);
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

/* All that comes back has one size. */
static void *lane_back(void *arg)
{
	struct lane *lane = arg;
	unsigned int seed = lane->seed + 1;
	__u8 buf[sizeof(struct peer_verdict)];
	ssize_t n;

	while ((n = recv(lane->dst, buf, sizeof(buf), MSG_WAITALL)) > 0) {
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

/* @src and @dst, towards the source and the destination, are the lane's from now on. */
void lane_add(int src, int dst, unsigned int seed)
{
	static const int on = 1;

	/* a lane writes piece by piece; a socket that is not TCP has no such option */
	setsockopt(src, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(dst, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	lanes[nr_lanes++] = (struct lane){ .src = src, .dst = dst, .seed = seed };
}

/* They do what the plan says, which may not change until lanes_end(). */
void lanes_start(void)
{
	int i;

	touched = 0;
	verified = false;
	moved_at = now_ms();
	for (i = 0; i < nr_lanes; i++)
		lanes[i].running = !pthread_create(&lanes[i].forth, NULL, lane_forth, &lanes[i]) &&
				   !pthread_create(&lanes[i].back, NULL, lane_back, &lanes[i]);
}

/* How many messages were since lanes_start(). */
unsigned long lanes_touched(void)
{
	return __atomic_load_n(&touched, __ATOMIC_RELAXED);
}

/* How long nothing has come from either end. */
__u64 lanes_silent_ms(void)
{
	const __u64 moved = __atomic_load_n(&moved_at, __ATOMIC_RELAXED), now = now_ms();

	return now > moved ? now - moved : 0;
}

/* Both ends see all channels end. */
void lanes_cut(void)
{
	int i;

	for (i = 0; i < nr_lanes; i++) {
		shutdown(lanes[i].src, SHUT_RDWR);
		shutdown(lanes[i].dst, SHUT_RDWR);
	}
}

/* The same, and there are none any more. */
void lanes_end(void)
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
