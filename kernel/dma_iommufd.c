// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOAS of an iommufd. iommufd itself knows its files. Each piece is an area of its own
 * there, so that several workers map at the same time.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <uapi/linux/iommufd.h>

#include "compat.h"
#include "dma.h"

static bool matches(struct file *file)
{
	struct iommufd_ctx *ctx = iommufd_ctx_from_file(file);

	if (IS_ERR(ctx))
		return false;
	iommufd_ctx_put(ctx);
	return true;
}

/* The IOAS behind the ioctls of a VFIO container, where the VMM has made one. */
static int find_compat(struct migmux_dma_target *t)
{
	struct iommu_vfio_ioas arg = {
		.size = sizeof(arg),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	long ret;

	ret = migmux_dma_ioctl(t->file, IOMMU_VFIO_IOAS, &arg, &arg, sizeof(arg));
	if (!ret)
		t->id = arg.ioas_id;
	return ret;
}

static int probe(struct migmux_dma_target *t, const char **why)
{
	struct iommu_ioas_iova_ranges arg = { .size = sizeof(arg) };
	long ret;

	*why = "space is the id of no IOAS of this iommufd";
	ret = t->space ? 0 : find_compat(t);
	if (ret)
		return ret == -ENODEV ? -ENOENT : ret;
	arg.ioas_id = t->id;
	/* without room for the ranges, which is an error, it tells the alignment */
	ret = migmux_dma_ioctl(t->file, IOMMU_IOAS_IOVA_RANGES, &arg, &arg, sizeof(arg));
	if (ret && ret != -EMSGSIZE)
		return ret;
	t->table.align = max_t(u64, arg.out_iova_alignment, PAGE_SIZE);
	t->table.first = 0;
	t->table.last = U64_MAX;
	return 0;
}

static int map(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	struct iommu_ioas_map arg = {
		.size = sizeof(arg),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA |
			 (piece->access & MIGMUX_DMA_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
			 (piece->access & MIGMUX_DMA_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0),
		.ioas_id = t->id,
		.user_va = piece->vaddr,
		.length = piece->size,
		.iova = piece->iova,
	};

	return migmux_dma_ioctl(t->file, IOMMU_IOAS_MAP, &arg, NULL, sizeof(arg));
}

static int unmap(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	struct iommu_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = t->id,
		.iova = piece->iova,
		.length = piece->size,
	};
	long ret;

	ret = migmux_dma_ioctl(t->file, IOMMU_IOAS_UNMAP, &arg, NULL, sizeof(arg));
	return ret == -ENOENT ? 0 : ret;
}

const struct migmux_dma_ops migmux_dma_iommufd_ops = {
	.kind = VFIO_MIGMUX_DMA_KIND_IOMMUFD,
	.name = "iommufd",
	/* iommufd holds the process's mmap lock for all of it: its threads wait so long */
	.piece = SZ_8M,
	.workers = MIGMUX_DMA_WORKERS_MAX,
	.map_answers = true,
	.matches = matches,
	.probe = probe,
	.map = map,
	.unmap = unmap,
};

MIGMUX_COMPAT_IMPORT_IOMMUFD;
