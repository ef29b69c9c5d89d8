// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-dma - what is left of mapping memory in the downtime
 *
 *	bench-dma MIB PIECE_MIB SOURCE... DESTINATION...
 *
 * Maps MIB of memory by the devices' type1 container, twice: when the devices start, by one
 * VFIO_IOMMU_MAP_DMA, and ahead of time by a session, which then loads the devices' state and
 * starts them. Prints a line
 *
 *	dma MIB PIECE_MIB AT_START AHEAD LEFT STALL IDLE_STALL
 *
 * all in ns: how long the first took, and the second; how long devices that were to be
 * started waited, with the second; and the longest time that this thread, which maps,
 * touches and unmaps a page and asks how far mapping is, took once for that, while it was
 * going on and while nothing was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libvfmig.h"
#include "vfio-open.h"

#define MIB		(1ULL << 20)
#define IOVA		(4ULL << 30)
#define IDLE_NS		1000000000ULL

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-dma: %s: %s\n", what, strerror(error));
	return -1;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Memory of which no page is there yet, as that of a VM that is coming. */
static void *fresh(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int unmap(int container, size_t size)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg), .iova = IOVA, .size = size,
	};

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg) ? fail("unmapping", errno) : 0;
}

static int at_start(int container, size_t size, uint64_t *ns)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = IOVA,
		.size = size,
	};
	void *at = fresh(size);
	int ret;

	if (!at)
		return fail("memory", errno);
	arg.vaddr = (uintptr_t)at;
	*ns = now();
	ret = ioctl(container, VFIO_IOMMU_MAP_DMA, &arg) ? fail("mapping", errno) : 0;
	*ns = now() - *ns;
	if (!ret)
		ret = unmap(container, size);
	munmap(at, size);
	return ret;
}

/* What a VMM's main loop does at least; how long that took, at most, goes to @stall. */
static int turn(int fd, uint64_t *stall)
{
	struct vfio_migmux_dma_wait state;
	uint64_t start = now();
	char *page = fresh(4096);
	int ret;

	if (!page)
		return -errno;
	*page = 1;
	munmap(page, 4096);
	ret = vfmig_dma_wait(fd, 0, &state, NULL, 0);
	start = now() - start;
	if (start > *stall)
		*stall = start;
	return ret;
}

static int ahead(int fd, int container, void *at, size_t size, size_t piece, uint64_t *ns,
		 uint64_t *stall)
{
	struct vfio_migmux_dma_range range = {
		.iova = IOVA,
		.vaddr = (uintptr_t)at,
		.size = size,
		.flags = VFIO_MIGMUX_DMA_READ | VFIO_MIGMUX_DMA_WRITE,
	};
	int ret;

	*ns = now();
	ret = vfmig_dma_map(fd, container, 0, piece, &range, 1, NULL);
	while (!ret || ret == -ETIMEDOUT) {
		ret = turn(fd, stall);
		if (!ret)
			break;
	}
	*ns = now() - *ns;
	return ret ? fail("mapping ahead", -ret) : 0;
}

static int idle(int fd, uint64_t *stall)
{
	uint64_t end = now() + IDLE_NS;
	int ret = 0;

	while (!ret && now() < end)
		ret = turn(fd, stall);
	return ret ? fail("turning", -ret) : 0;
}

/* The first device that left STOP. */
static int first_start(int fd, uint32_t n, uint64_t *ns)
{
	struct vfio_migmux_timeline_device *dev = calloc(n, sizeof(*dev));
	struct vfio_migmux_timeline t;
	int ret = dev ? vfmig_timeline(fd, &t, dev, n) : -ENOMEM;
	uint64_t start;
	uint32_t i;

	*ns = UINT64_MAX;
	for (i = 0; !ret && i < n; i++) {
		start = dev[i].phases[VFIO_MIGMUX_PHASE_RESUME].start_ns;
		if (start && start < *ns)
			*ns = start;
	}
	free(dev);
	return ret;
}

static int sessions_make(const struct vfio_dev *from, const struct vfio_dev *to, int n,
			 int src, int dst)
{
	int pair[2], ret = 0, i;
	char idstr[32];

	for (i = 0; !ret && i < n; i++) {
		snprintf(idstr, sizeof(idstr), "bench/%d", i);
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return -errno;
		ret = vfmig_device_add(src, from[i].fd, idstr, 0, NULL, NULL) ?:
		      vfmig_device_add(dst, to[i].fd, idstr, 0, NULL, NULL) ?:
		      vfmig_channel_add(src, pair[0], i, NULL) ?:
		      vfmig_channel_add(dst, pair[1], i, NULL);
		close(pair[0]);
		close(pair[1]);
	}
	return ret;
}

static int start(int src, int dst, uint32_t n, uint64_t *left)
{
	uint64_t called, started;
	int ret;

	ret = vfmig_save(src, VFIO_MIGMUX_SAVE_VERDICT, VFIO_DEVICE_STATE_RUNNING, 0, 0) ?:
	      vfmig_wait(dst, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 60000, NULL);
	called = now();
	ret = ret ?: vfmig_set_state(dst, 0, VFIO_DEVICE_STATE_RUNNING,
				     VFIO_MIGMUX_RECOVER_NONE, 0, NULL, NULL) ?:
		     first_start(dst, n, &started);
	if (ret)
		return fail("moving", -ret);
	*left = started - called;
	return 0;
}

static int measure(const struct vfio_set *set, size_t size, size_t piece)
{
	const struct vfio_dev *from = set->dev, *to = set->dev + set->n / 2;
	uint64_t whole = 0, early = 0, left = 0, stall = 0, idle_stall = 0;
	int src = vfmig_open(), dst = vfmig_open(), n = set->n / 2, i, ret;
	void *at = fresh(size);

	if (src < 0 || dst < 0 || !at)
		return fail("/dev/vfio/migmux, or memory", ENOENT);
	ret = sessions_make(from, to, n, src, dst) ?:
	      vfmig_load(dst, VFIO_MIGMUX_LOAD_VERDICT, VFIO_DEVICE_STATE_RUNNING, 0, 0);
	if (ret)
		return fail("session", -ret);
	ret = idle(dst, &idle_stall) || at_start(set->container, size, &whole) ||
	      ahead(dst, set->container, at, size, piece, &early, &stall) ||
	      start(src, dst, n, &left);
	close(src);
	close(dst);
	if (ret || unmap(set->container, size))
		return -1;
	printf("dma %llu %llu %llu %llu %llu %llu %llu\n", size / MIB, piece / MIB,
	       (unsigned long long)whole, (unsigned long long)early,
	       (unsigned long long)left, (unsigned long long)stall,
	       (unsigned long long)idle_stall);
	for (i = 0; i < n; i++)
		if (vfio_state_set(from[i].fd, VFIO_DEVICE_STATE_RUNNING, NULL))
			return fail("RUNNING", errno);
	return 0;
}

int main(int argc, char **argv)
{
	static struct vfio_set set;
	int ret;

	if (argc < 5 || argc % 2 == 0) {
		fprintf(stderr, "usage: bench-dma MIB PIECE_MIB SOURCE... DESTINATION...\n");
		return 2;
	}
	if (vfio_set_open(&set, argc - 3, argv + 3))
		return 1;
	ret = measure(&set, strtoull(argv[1], NULL, 0) * MIB, strtoull(argv[2], NULL, 0) * MIB);
	vfio_set_close(&set);
	return ret ? 1 : 0;
}
