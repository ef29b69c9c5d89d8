// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vhost-vdpa device: IOTLB messages, written to its file.
 *
 * Its file has no exported function that knows it. It is told by its character device:
 * the operations are those of the device's cdev, whose parent is a device of vhost-vdpa's
 * by name, and they are of its module. A cdev of CUSE, whose operations user space would
 * answer, has no parent, and another module.
 *
 * A write only says EFAULT when a message fails. So what can be wrong is looked at
 * beforehand, and once more afterwards.
 */
#include <linux/cdev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <linux/vhost.h>
#include <linux/vhost_types.h>

#include "dma.h"

static bool is_cdev(const struct cdev *cdev, const struct file_operations *fops)
{
	return cdev && cdev->ops == fops && cdev->kobj.parent &&
	       !strncmp(kobject_name(cdev->kobj.parent), "vhost-vdpa-", 11);
}

static bool matches(struct file *file)
{
	const struct inode *inode = file_inode(file);
	const struct file_operations *fops = file->f_op;

	return S_ISCHR(inode->i_mode) && is_cdev(inode->i_cdev, fops) &&
	       (!fops->owner || !strcmp(fops->owner->name, "vhost_vdpa")) &&
	       fops->write_iter && fops->unlocked_ioctl;
}

static int send(struct migmux_dma_target *t, const struct vhost_iotlb_msg *iotlb)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.asid = t->id,
		.iotlb = *iotlb,
	};
	struct kvec vec = { .iov_base = &msg, .iov_len = sizeof(msg) };
	struct iov_iter from;
	struct kiocb iocb;
	ssize_t n;

	init_sync_kiocb(&iocb, t->file);
	iocb.ki_pos = 0;
	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, sizeof(msg));
	n = t->file->f_op->write_iter(&iocb, &from);
	if (n < 0)
		return n;
	return n == sizeof(msg) ? 0 : -EIO;
}

/*
 * Only its owner gets so far that the index, which no ring has, is looked at. Nothing is
 * changed by it.
 */
static int check_owner(struct migmux_dma_target *t)
{
	struct vhost_vring_state arg = { .index = U32_MAX };
	long ret;

	ret = migmux_dma_ioctl(t->file, VHOST_GET_VRING_BASE, &arg, &arg, sizeof(arg));
	return ret == -ENOBUFS ? 0 : ret ?: -EIO;
}

static int check_space(struct migmux_dma_target *t, u64 features)
{
	u32 spaces = 1;
	long ret = 0;

	if (features & BIT_ULL(VHOST_BACKEND_F_IOTLB_ASID))
		ret = migmux_dma_ioctl(t->file, VHOST_VDPA_GET_AS_NUM, &spaces,
				       &spaces, sizeof(spaces));
	if (ret)
		return ret;
	return t->id < spaces ? 0 : -ENOENT;
}

static int probe(struct migmux_dma_target *t, const char **why)
{
	struct vhost_vdpa_iova_range range = { };
	u64 features = 0;
	long ret;

	*why = "the vhost-vdpa device is not owned by this process (VHOST_SET_OWNER)";
	ret = check_owner(t);
	if (ret)
		return ret;
	*why = "the vhost-vdpa device does not tell what it can do";
	ret = migmux_dma_ioctl(t->file, VHOST_GET_BACKEND_FEATURES, &features,
			       &features, sizeof(features)) ?:
	      migmux_dma_ioctl(t->file, VHOST_VDPA_GET_IOVA_RANGE, &range,
			       &range, sizeof(range));
	if (ret)
		return ret;
	*why = "the vhost-vdpa device takes no IOTLB messages of version 2";
	if (!(features & BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)))
		return -EBADF;
	*why = "the vhost-vdpa device has no such address space";
	ret = check_space(t, features);
	if (ret)
		return ret;
	t->batches = features & BIT_ULL(VHOST_BACKEND_F_IOTLB_BATCH);
	t->table.align = PAGE_SIZE;
	t->table.first = range.first;
	t->table.last = range.last;
	return 0;
}

static int begin(struct migmux_dma_target *t)
{
	return send(t, &(struct vhost_iotlb_msg) { .type = VHOST_IOTLB_BATCH_BEGIN });
}

static int end(struct migmux_dma_target *t)
{
	return send(t, &(struct vhost_iotlb_msg) { .type = VHOST_IOTLB_BATCH_END });
}

/* vhost-vdpa looks at the limit, whatever the process is capable of. */
static bool over_limit(u64 size)
{
	const u64 pinned = atomic64_read(&current->mm->pinned_vm);

	return pinned + PHYS_PFN(size) > PHYS_PFN((u64)rlimit(RLIMIT_MEMLOCK));
}

static int map(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	const struct vhost_iotlb_msg msg = {
		.iova = piece->iova,
		.size = piece->size,
		.uaddr = piece->vaddr,
		.perm = (piece->access & MIGMUX_DMA_READ ? VHOST_ACCESS_RO : 0) |
			(piece->access & MIGMUX_DMA_WRITE ? VHOST_ACCESS_WO : 0),
		.type = VHOST_IOTLB_UPDATE,
	};
	int err;

	err = send(t, &msg);
	if (err != -EFAULT)
		return err;
	if (over_limit(piece->size))
		return -ENOMEM;
	return check_owner(t) ?: -EFAULT;
}

static int unmap(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	const struct vhost_iotlb_msg msg = {
		.iova = piece->iova,
		.size = piece->size,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	return send(t, &msg);
}

/* The mmap lock is held over each message: pieces are small. */
const struct migmux_dma_ops migmux_dma_vdpa_ops = {
	.kind = VFIO_MIGMUX_DMA_KIND_VHOST_VDPA,
	.name = "vhost-vdpa device",
	.piece = SZ_4M,
	.workers = 1,
	.matches = matches,
	.probe = probe,
	.begin = begin,
	.end = end,
	.map = map,
	.unmap = unmap,
};
