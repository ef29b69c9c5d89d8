// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO container with type1.
 *
 * Its file has no exported function that knows it. But the character device 10:196 can be
 * opened as nothing else: the number is VFIO's, misc devices hand out no operations but
 * those that were registered for it, and whatever file system the inode is on, opening it
 * has gone that way.
 */
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include "dma.h"

static bool matches(struct file *file)
{
	const struct inode *inode = file_inode(file);
	const struct module *owner = file->f_op->owner;

	return S_ISCHR(inode->i_mode) &&
	       inode->i_rdev == MKDEV(MISC_MAJOR, VFIO_MINOR) &&
	       (!owner || !strcmp(owner->name, "vfio")) &&
	       file->f_op->unlocked_ioctl;
}

static int keep_group(const void *arg, struct file *file, unsigned int fd)
{
	struct migmux_dma_target *t = (struct migmux_dma_target *)arg;
	u32 i;

	if (!vfio_file_is_group(file))
		return 0;
	for (i = 0; i < t->nr_kept; i++)
		if (t->kept[i] == file)
			return 0;
	if (t->nr_kept == ARRAY_SIZE(t->kept))
		return -ENOSPC;
	t->kept[t->nr_kept++] = get_file(file);
	return 0;
}

/*
 * VFIO frees what a container's ioctls use when its last group is closed. No thread that has
 * the process's files can see that happen to a process that is killed; but movers do not
 * have them. Which groups are the container's only VFIO knows.
 */
static int keep_groups(struct migmux_dma_target *t)
{
	return iterate_fd(current->files, 0, keep_group, t);
}

/* A container without an IOMMU says yes to any extension, and knows no page sizes. */
static int probe(struct migmux_dma_target *t, const char **why)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	long ret;

	*why = "a VFIO container has one address space: space must be 0";
	if (t->space)
		return -EINVAL;
	*why = "this process has more VFIO groups open than a session can have devices";
	ret = keep_groups(t);
	if (ret)
		return ret;
	*why = "the container has no type1 IOMMU: set one first (VFIO_SET_IOMMU)";
	ret = t->file->f_op->unlocked_ioctl(t->file, VFIO_CHECK_EXTENSION,
					    VFIO_TYPE1v2_IOMMU);
	if (ret <= 0)
		return ret ?: -EBADF;
	ret = migmux_dma_ioctl(t->file, VFIO_IOMMU_GET_INFO, &info, &info, sizeof(info));
	if (ret)
		return ret == -EINVAL || ret == -ENOTTY ? -EBADF : ret;
	if (!(info.flags & VFIO_IOMMU_INFO_PGSIZES) || !info.iova_pgsizes)
		return -EBADF;
	t->table.align = max_t(u64, 1ULL << __ffs64(info.iova_pgsizes), PAGE_SIZE);
	t->table.first = 0;
	t->table.last = U64_MAX;
	return 0;
}

static int map(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = (piece->access & MIGMUX_DMA_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (piece->access & MIGMUX_DMA_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = piece->vaddr,
		.iova = piece->iova,
		.size = piece->size,
	};

	return migmux_dma_ioctl(t->file, VFIO_IOMMU_MAP_DMA, &arg, NULL, sizeof(arg));
}

static int unmap(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.iova = piece->iova,
		.size = piece->size,
	};

	return migmux_dma_ioctl(t->file, VFIO_IOMMU_UNMAP_DMA, &arg, NULL, sizeof(arg));
}

/* type1 has a lock for each container over all pinning: one worker. */
const struct migmux_dma_ops migmux_dma_type1_ops = {
	.kind = VFIO_MIGMUX_DMA_KIND_TYPE1,
	.name = "type1 container",
	.piece = SZ_64M,
	.workers = 1,
	.matches = matches,
	.probe = probe,
	.map = map,
	.unmap = unmap,
};
