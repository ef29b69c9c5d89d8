// SPDX-License-Identifier: GPL-2.0-only
/*
 * libvfmig: memory mapped ahead of time.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "libvfmig.h"

int vfmig_dma_map(int fd, int target_fd, uint32_t space, uint64_t piece,
		  struct vfio_migmux_dma_range *ranges, uint32_t nr, uint32_t *target)
{
	struct vfio_migmux_dma_map arg = {
		.argsz = sizeof(arg),
		.target_fd = target_fd,
		.space = space,
		.piece = piece,
		.range_size = sizeof(*ranges),
		.nr_ranges = nr,
		.ranges = (uintptr_t)ranges,
	};

	if (ioctl(fd, VFIO_MIGMUX_DMA_MAP, &arg))
		return -errno;
	if (target)
		*target = arg.target;
	return 0;
}

int vfmig_dma_unmap(int fd, uint32_t target, struct vfio_migmux_dma_range *ranges,
		    uint32_t nr)
{
	struct vfio_migmux_dma_unmap arg = {
		.argsz = sizeof(arg),
		.flags = target == VFIO_MIGMUX_INDEX_NONE ? VFIO_MIGMUX_DMA_UNMAP_ALL : 0,
		.target = target,
		.range_size = sizeof(*ranges),
		.nr_ranges = nr,
		.ranges = (uintptr_t)ranges,
	};

	return ioctl(fd, VFIO_MIGMUX_DMA_UNMAP, &arg) ? -errno : 0;
}

int vfmig_dma_cancel(int fd)
{
	struct vfio_migmux_dma_unmap arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_MIGMUX_DMA_UNMAP_CANCEL,
		.target = VFIO_MIGMUX_INDEX_NONE,
	};

	return ioctl(fd, VFIO_MIGMUX_DMA_UNMAP, &arg) ? -errno : 0;
}

int vfmig_dma_wait(int fd, uint32_t timeout_ms, struct vfio_migmux_dma_wait *state,
		   struct vfio_migmux_dma_range *ranges, uint32_t nr)
{
	memset(state, 0, sizeof(*state));
	state->argsz = sizeof(*state);
	state->timeout_ms = timeout_ms;
	state->range_size = sizeof(*ranges);
	state->nr_ranges = nr;
	state->ranges = (uintptr_t)ranges;
	return ioctl(fd, VFIO_MIGMUX_DMA_WAIT, state) ? -errno : 0;
}
