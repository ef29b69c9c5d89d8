/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model VMMs: programs that migrate several devices by VFIO's own ioctls and know
 * nothing of this module. Each has an order of its own in which it takes its devices
 * along the arcs.
 */
#ifndef SELFTEST_VMM_H
#define SELFTEST_VMM_H

#include <stdbool.h>

#include "vfio.h"

#define VMM_DEVICES	8

/**
 * enum vmm_order - who goes when
 * @VMM_QEMU: all devices take one arc, last device first when stopping; then all take
 *	the next one
 * @VMM_THREADED: the same, and all at once, each device in a thread of its own
 * @VMM_CLOUD: as cloud-hypervisor does: one device all the way, then the next;
 *	without P2P states
 * @VMM_CLOUD_THREADED: all devices all the way, each in a thread of its own
 */
enum vmm_order {
	VMM_QEMU,
	VMM_THREADED,
	VMM_CLOUD,
	VMM_CLOUD_THREADED,
};

/**
 * struct vmm - a VMM
 * @order: how it goes about it
 * @stopping: it is stopping the VM
 * @dev: its devices
 * @n: how many
 * @data_fd: the data_fd of each, or -1
 * @stream: what it has read from there, or NULL
 * @len: how much
 */
struct vmm {
	enum vmm_order order;
	bool stopping;
	const struct vfio_dev *dev;
	int n;
	int data_fd[VMM_DEVICES];
	char *stream[VMM_DEVICES];
	long len[VMM_DEVICES];
};

void vmm_init(struct vmm *vmm, enum vmm_order order, const struct vfio_dev *dev, int n);
void vmm_free(struct vmm *vmm);

/* All of these return 0 or -errno. One device, and all of them in the VMM's order: */
int vmm_move(struct vmm *vmm, int i, unsigned int state);
int vmm_all(struct vmm *vmm, unsigned int state);

/* A VM begins to run: only then a set knows that these are this VMM's devices. */
int vmm_boot(struct vmm *vmm);

/* The source's part of a migration, and its end if it comes to nothing. */
int vmm_precopy(struct vmm *vmm);
int vmm_stop(struct vmm *vmm);
int vmm_save(struct vmm *vmm);
int vmm_cont(struct vmm *vmm);

/* The destination's part. */
int vmm_setup(struct vmm *vmm);
int vmm_load(struct vmm *vmm, const struct vmm *from);
int vmm_start(struct vmm *vmm);

/* All of a stop and a start again: does a migration work? */
int vmm_works(struct vmm *vmm);

/*
 * What migsim says: the state it is in, all arcs of that kind since the logs were
 * cleared (NULL: of any), how many of them ran at the same time at most.
 */
bool vmm_is(const struct vmm *vmm, int i, unsigned int state);
bool vmm_are(const struct vmm *vmm, unsigned int state);
void vmm_logs_clear(const struct vmm *vmm);
int vmm_arcs(const struct vmm *vmm, const char *from, const char *to);
int vmm_parallel(const struct vmm *vmm, const char *from, const char *to);
int vmm_data_files(const struct vmm *vmm);

/* Do the devices of two VMMs have the same state, as far as it is migrated? */
bool vmm_equal(const struct vmm *a, const struct vmm *b);

/* When the first of these arcs began, the last one ended; 0 if there was none. */
__u64 vmm_first_start(const struct vmm *vmm, const char *from, const char *to);
__u64 vmm_last_end(const struct vmm *vmm, const char *from, const char *to);

#endif /* SELFTEST_VMM_H */
