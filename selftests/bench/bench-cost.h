/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways to move a device's state whose cost bench-cost compares.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stddef.h>
#include <linux/types.h>

#define COST_BUFFER	(1 << 20)
#define COST_CHANNELS	8

/**
 * struct cost - one move
 * @src_fd: the source's VFIO device, RUNNING
 * @dst_fd: the destination's, RUNNING
 * @src_data: its data_fd in STOP_COPY; -1 if the way makes its own arcs
 * @dst_data: likewise in RESUMING
 * @nr: connections
 * @src_sock: the source's ends
 * @dst_sock: the destination's
 */
struct cost {
	int src_fd;
	int dst_fd;
	int src_data;
	int dst_data;
	int nr;
	int src_sock[COST_CHANNELS];
	int dst_sock[COST_CHANNELS];
};

/**
 * struct cost_way - a way to move it in user space, over the first connection
 * @name: as on the command line
 * @source: from @src_data until its end; shuts the socket down. Returns 0 or -1
 * @sink: to @dst_data until the socket's end. Returns 0 or -1
 */
struct cost_way {
	const char *name;
	int (*source)(const struct cost *cost);
	int (*sink)(const struct cost *cost);
};

/* bench-cost-user.c */
extern const struct cost_way cost_copy;
extern const struct cost_way cost_zerocopy;

/* bench-cost-queue.c */
extern const struct cost_way cost_queue;

/* bench-cost.c */
int cost_fail(const char *what, int error);
int cost_send(int sock, const void *buf, size_t len, int flags);
int cost_write(int fd, const void *buf, size_t len);

#endif /* BENCH_COST_H */
