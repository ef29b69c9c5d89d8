/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of a channel, played by hand: the wire format of
 * Documentation/wire.rst, written down once more and independently of the
 * module, with every field open to be spoiled.
 */
#ifndef SELFTEST_PEER_H
#define SELFTEST_PEER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#define PEER_MAGIC		0x11223344u
#define PEER_DEVICE_STATE	0x40u
#define PEER_VERDICT_MAGIC	0x4d4d5856u
#define PEER_CONFIRM_MAGIC	0x4d4d5843u
#define PEER_ACK_MAGIC		0x4d4d5841u
#define PEER_QUERY_MAGIC	0x4d4d5851u
#define PEER_READY_MAGIC	0x4d4d5852u
#define PEER_DATA_MAX		(1u << 20)

/* Big-endian on the wire: peer_put32() and peer_get32(). */
struct peer_init {
	__u32 magic;
	__u32 version;
	__u8 uuid[16];
	__u8 id;
	__u8 zero[39];
};

struct peer_frame {
	__u32 magic;
	__u32 version;
	__u32 flags;
	char idstr[256];
	__u32 instance;
	__u32 size;
	__u32 payload_version;
	__u32 idx;
	__u32 payload_flags;
};

struct peer_verdict {
	__u32 magic;
	__u32 version;
	__u32 status;
	__u32 instance;
	char idstr[256];
	char reason[240];
};

struct peer_confirm {
	__u32 magic;
	__u32 version;
	__u32 status;
	__u32 zero;
};

struct peer_ack {
	__u32 magic;
	__u32 version;
	__u32 idx;
	__u32 instance;
	char idstr[256];
	__u8 zero[240];
};

struct peer_query {
	__u32 magic;
	__u32 version;
	__u32 id;
};

struct peer_ready {
	__u32 magic;
	__u32 version;
	__u32 id;
	__u32 instance;
	char idstr[256];
	char driver[32];
	__u32 index;
	__u32 nr_devices;
	__u32 migration;
	__u32 precopy;
	__u32 flags;
	__u32 zero;
	__u32 staging[2];	/* high, low */
	__u32 max_state[2];
	__u8 padding[168];
};

static_assert(sizeof(struct peer_init) == 64, "channel init");
static_assert(sizeof(struct peer_frame) == 288, "frame");
static_assert(sizeof(struct peer_verdict) == 512, "verdict");
static_assert(sizeof(struct peer_confirm) == 16, "confirmation");
static_assert(sizeof(struct peer_ack) == 512, "acknowledgment");
static_assert(sizeof(struct peer_query) == 12, "question");
static_assert(sizeof(struct peer_ready) == 512, "answer");

static inline __u32 peer_put32(__u32 value)
{
	return __builtin_bswap32(value);
}

static inline __u32 peer_get32(__u32 value)
{
	return __builtin_bswap32(value);
}

/* Good ones, to be sent or spoiled. */
struct peer_init peer_init(__u8 id);
struct peer_frame peer_frame(const char *idstr, __u32 idx, __u32 bytes, bool config);
struct peer_verdict peer_verdict(__u32 status, const char *idstr, const char *reason);
struct peer_confirm peer_confirm(__u32 status);
struct peer_ack peer_ack(const char *idstr, __u32 idx);
struct peer_query peer_query(__u32 id);
struct peer_ready peer_ready(__u32 id, const char *idstr, __u32 index, __u32 nr_devices);

/* Do channels over AF_UNIX take no files at all? */
bool peer_file_refused(void);

/* A frame that was taken, to be passed on. */
struct peer_held {
	struct peer_frame head;
	char *data;
	__u32 bytes;
};

/* All of these return 0 or more, or -errno; none waits longer than @ms or 20 s. */
int peer_pair(int fd[2]);
int peer_pair_mptcp(int fd[2]);
int peer_pair_unix(int fd[2]);
int peer_pair_vsock(int fd[2]);
int peer_pair_tls(int fd[2]);
int peer_tls(int fd[2]);
int peer_send_file(int fd, const void *buf, size_t size, int file);
int peer_send_record(int fd, __u8 type, const void *buf, size_t size);
int peer_recv_record(int fd, void *buf, size_t size);
int peer_send(int fd, const void *buf, size_t size);
int peer_send_init(int fd, __u8 id);
int peer_send_frame(int fd, const char *idstr, __u32 idx, __u32 bytes, bool config);
int peer_recv(int fd, void *buf, size_t size);
int peer_recv_frame(int fd, struct peer_frame *frame);
int peer_drain(const int *fds, int n, int configs);
int peer_take(int fd, struct peer_held *held, int max, int configs);
int peer_pass(int fd, const struct peer_held *held);
void peer_let_go(struct peer_held *held, int n);
bool peer_at_eof(int fd, int ms);
void peer_reset(int fd);

#endif /* SELFTEST_PEER_H */
