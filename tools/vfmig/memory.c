// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the devices of recv, as a VM would have: mapped for DMA while the state is
 * still elsewhere.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "libvfmig.h"
#include "output.h"
#include "transfer.h"

/* Behind 4 GiB, so that no window below that is in the way. */
#define IOVA		(UINT64_C(4) << 30)
#define HUGE_PAGE	(UINT64_C(2) << 20)

/* Huge pages where some are set aside, or where the kernel finds them. */
static void *get_memory(uint64_t size)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *at;

	at = mmap(NULL, size, prot, flags | MAP_HUGETLB, -1, 0);
	if (at != MAP_FAILED)
		return at;
	at = mmap(NULL, size, prot, flags, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_HUGEPAGE);
	return at;
}

/**
 * memory_map() - begin to map memory for the devices
 * @t: the run; @t->memory says how much
 *
 * The memory is the process's until it ends. Starting the devices waits for it.
 *
 * Return: 0, or -1 after it said why not.
 */
int memory_map(struct transfer *t)
{
	const uint64_t size = (t->memory + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	struct vfio_migmux_dma_range range = {
		.iova = IOVA,
		.size = size,
		.flags = VFIO_MIGMUX_DMA_READ | VFIO_MIGMUX_DMA_WRITE,
	};
	void *at = get_memory(size);
	int ret;

	if (!at) {
		output_error("no memory for --memory: %s", strerror(errno));
		return -1;
	}
	range.vaddr = (uintptr_t)at;
	ret = vfmig_dma_map(t->fd, t->vfio.container, 0, 0, &range, 1, NULL);
	if (ret)
		transfer_failed(t, "cannot map memory", ret);
	return ret ? -1 : 0;
}
