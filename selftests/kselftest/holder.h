/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapping stands still: somebody else is in a type1 container, for as long as the test wants.
 * That one has asked for a bitmap of dirty pages, which type1 copies to memory that is not
 * there (userfaultfd), under its lock.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "fault.h"
#include "memory.h"

#define HOLDER_PAGE	4096UL

struct holder {
	int container;
	int uffd;
	void *bitmap;
	pthread_t thread;
};

/* Of the page at IOVA 0. */
static inline void *get_bitmap(void *arg)
{
	struct holder *holder = arg;
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} dirty = {
		.head = {
			.argsz = sizeof(dirty),
			.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		},
		.get = {
			.size = HOLDER_PAGE,
			.bitmap = { .pgsize = HOLDER_PAGE, .size = 8, .data = holder->bitmap },
		},
	};

	return ioctl(holder->container, VFIO_IOMMU_DIRTY_PAGES, &dirty) ? "no bitmap" : NULL;
}

/* From here until holder_end() all others wait. */
static inline int holder_start(struct holder *holder, int container)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};
	int ret;

	holder->container = container;
	holder->bitmap = memory_new(HOLDER_PAGE);
	ret = type1_map(container, 0, memory_new(HOLDER_PAGE), HOLDER_PAGE);
	if (!ret && ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &dirty))
		ret = -errno;
	if (ret)
		return ret;
	holder->uffd = fault_open();
	if (holder->uffd < 0)
		return holder->uffd;
	ret = fault_at(holder->uffd, holder->bitmap);
	if (!ret && pthread_create(&holder->thread, NULL, get_bitmap, holder))
		ret = -EAGAIN;
	return ret ?: fault_wait(holder->uffd);
}

/* NULL or what is wrong. */
static inline const char *holder_end(struct holder *holder)
{
	void *ret;

	close(holder->uffd);
	return pthread_join(holder->thread, &ret) ? "no thread" : ret;
}

#endif /* HOLDER_H */
