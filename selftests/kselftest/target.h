/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can map memory for DMA: a type1 container, an iommufd that stands in for one, a
 * vhost-vdpa device.
 */
#ifndef SELFTEST_TARGET_H
#define SELFTEST_TARGET_H

#include <linux/types.h>
#include <linux/vdpa.h>
#include <linux/vhost.h>

#include "vfio.h"

enum target_kind { TARGET_TYPE1, TARGET_IOMMUFD, TARGET_VDPA };

/**
 * struct target - one of them
 * @kind: which
 * @fd: for session_dma_map(), with space 0; -1 if it is closed
 * @set: a device that is in it, none of main()'s: without one nothing would be pinned
 */
struct target {
	enum target_kind kind;
	int fd;
	struct vfio_set set;
};

/* 0, -ENODEV where the kernel has no such thing, or -errno. */
int target_open(struct target *t, enum target_kind kind);
/* All of its descriptors, once or more often. */
void target_close(struct target *t);

/* What the VMM does itself; 0 or -errno, also where not all was mapped. */
int target_map(const struct target *t, __u64 iova, const void *at, __u64 size);
int target_unmap(const struct target *t, __u64 iova, __u64 size);

/*
 * Our vDPA device is one of vdpa_sim_net's, which was loaded so that it is given pages and
 * not addresses (vdpa_sim use_va=0): with these nothing is pinned.
 */
int vdpa_device(__u8 cmd);	/* VDPA_CMD_DEV_NEW, VDPA_CMD_DEV_DEL */
int vdpa_open(void);		/* a descriptor, or -errno */
int vdpa_message(int vdpa, __u8 type, __u64 iova, const void *at, __u64 size);

#endif /* SELFTEST_TARGET_H */
