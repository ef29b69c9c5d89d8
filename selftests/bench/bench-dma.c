// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-dma - what is left of mapping memory in the downtime
 *
 *	bench-dma KIND MIB PIECE_MIB SOURCE... DESTINATION...
 *
 * Maps MIB of memory, twice: when the devices start, by one call, and ahead of time by a
 * session, which loads the devices' state meanwhile, and then starts them. KIND says by
 * what: type1 or iommufd, the container that the devices are in; or the path of a vhost-vdpa
 * device, which they have nothing to do with. Prints a line
 *
 *	dma KIND MIB PIECE_MIB AT_START AHEAD LEFT STALL IDLE_STALL
 *
 * all in ns: how long the first took, and the second; how long devices that were to be
 * started waited, with the second; and the longest time that this thread, which maps,
 * touches and unmaps a page and asks how far mapping is, took once for that, while it was
 * going on and while nothing was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vhost.h>

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

/*
 * What memory is mapped by: fd is the devices' container, or a vhost-vdpa device, and then
 * the limit of locked memory must have room.
 */
struct target {
	int fd;
	int vdpa;
};

static int vdpa_message(int fd, uint8_t type, const void *at, size_t size)
{
	const struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = IOVA,
			.size = size,
			.uaddr = (uintptr_t)at,
			.perm = VHOST_ACCESS_RW,
			.type = type,
		},
	};

	return write(fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -1;
}

/* One batch, as VMMs do it: else the device is given all of its map anew for each run of pages. */
static int vdpa_batch(int fd, uint8_t type, const void *at, size_t size)
{
	return vdpa_message(fd, VHOST_IOTLB_BATCH_BEGIN, NULL, 0) ||
	       vdpa_message(fd, type, at, size) ||
	       vdpa_message(fd, VHOST_IOTLB_BATCH_END, NULL, 0) ? -1 : 0;
}

static int container_map(int fd, const void *at, size_t size)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)at,
		.iova = IOVA,
		.size = size,
	};

	return ioctl(fd, VFIO_IOMMU_MAP_DMA, &arg);
}

static int unmap(const struct target *t, size_t size)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg), .iova = IOVA, .size = size,
	};

	if (t->vdpa ? vdpa_batch(t->fd, VHOST_IOTLB_INVALIDATE, NULL, size) :
		      ioctl(t->fd, VFIO_IOMMU_UNMAP_DMA, &arg))
		return fail("unmapping", errno);
	return 0;
}

static int at_start(const struct target *t, size_t size, uint64_t *ns)
{
	void *at = fresh(size);
	int ret;

	if (!at)
		return fail("memory", errno);
	*ns = now();
	if (t->vdpa)
		ret = vdpa_batch(t->fd, VHOST_IOTLB_UPDATE, at, size);
	else
		ret = container_map(t->fd, at, size);
	if (ret)
		ret = fail("mapping", errno);
	*ns = now() - *ns;
	if (!ret)
		ret = unmap(t, size);
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

static int ahead(int src, int fd, const struct target *t, void *at, size_t size, size_t piece,
		 uint64_t *ns, uint64_t *stall)
{
	struct vfio_migmux_dma_range range = {
		.iova = IOVA,
		.vaddr = (uintptr_t)at,
		.size = size,
		.flags = VFIO_MIGMUX_DMA_READ | VFIO_MIGMUX_DMA_WRITE,
	};
	int ret;

	*ns = now();
	ret = vfmig_dma_map(fd, t->fd, 0, piece, &range, 1, NULL) ?:
	      vfmig_save(src, VFIO_MIGMUX_SAVE_VERDICT, VFIO_DEVICE_STATE_RUNNING, 0, 0);
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

static int start(int dst, uint32_t n, uint64_t *left)
{
	uint64_t called, started;
	int ret;

	ret = vfmig_wait(dst, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 60000, NULL);
	called = now();
	ret = ret ?: vfmig_set_state(dst, 0, VFIO_DEVICE_STATE_RUNNING,
				     VFIO_MIGMUX_RECOVER_NONE, 0, NULL, NULL) ?:
		     first_start(dst, n, &started);
	if (ret)
		return fail("moving", -ret);
	*left = started - called;
	return 0;
}

static int measure(const struct vfio_set *set, const struct target *t, const char *kind,
		   size_t size, size_t piece)
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
	ret = idle(dst, &idle_stall) || at_start(t, size, &whole) ||
	      ahead(src, dst, t, at, size, piece, &early, &stall) || start(dst, n, &left);
	close(src);
	close(dst);
	if (ret || unmap(t, size))
		return -1;
	printf("dma %s %llu %llu %llu %llu %llu %llu %llu\n", kind, size / MIB, piece / MIB,
	       (unsigned long long)whole, (unsigned long long)early,
	       (unsigned long long)left, (unsigned long long)stall,
	       (unsigned long long)idle_stall);
	for (i = 0; i < n; i++)
		if (vfio_state_set(from[i].fd, VFIO_DEVICE_STATE_RUNNING, NULL))
			return fail("RUNNING", errno);
	return 0;
}

/* A vhost-vdpa device of our own; the containers are the devices'. */
static int target_open(struct target *t, const char *kind, const struct vfio_set *set)
{
	const uint64_t features = 1ULL << VHOST_BACKEND_F_IOTLB_MSG_V2 |
				  1ULL << VHOST_BACKEND_F_IOTLB_BATCH;

	t->vdpa = kind[0] == '/';
	t->fd = set->container;
	if (!t->vdpa)
		return 0;
	t->fd = open(kind, O_RDWR | O_CLOEXEC);
	if (t->fd < 0 || ioctl(t->fd, VHOST_SET_OWNER) ||
	    ioctl(t->fd, VHOST_SET_BACKEND_FEATURES, &features))
		return fail(kind, errno);
	return 0;
}

int main(int argc, char **argv)
{
	static struct vfio_set set;
	const char *kind = argv[1];
	struct target t;
	int ret;

	if (argc < 6 || argc % 2) {
		fprintf(stderr, "usage: bench-dma KIND MIB PIECE_MIB SOURCE... DESTINATION...\n");
		return 2;
	}
	if (vfio_set_open_in(&set, strcmp(kind, "iommufd") ? "/dev/vfio/vfio" : "/dev/iommu",
			     argc - 4, argv + 4))
		return 1;
	ret = target_open(&t, kind, &set) ||
	      measure(&set, &t, t.vdpa ? "vhost-vdpa" : kind, strtoull(argv[2], NULL, 0) * MIB,
		      strtoull(argv[3], NULL, 0) * MIB);
	vfio_set_close(&set);
	return ret ? 1 : 0;
}
