// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is mapped ahead of time by an iommufd and by a vhost-vdpa device: what is theirs
 * alone. Both are skipped on kernels that lack them.
 */
#include <sys/resource.h>

#include "memory.h"
#include "session_fixture.h"
#include "target.h"

#define SIZE	(64 * MIB)

/* Not in the headers of Linux 6.1, which is what a Debian 12 builds with. */
#define IOMMU_IOAS_ALLOC	_IO(';', 0x81)
#define IOMMU_IOAS_UNMAP	_IO(';', 0x86)
#define IOMMU_VFIO_IOAS		_IO(';', 0x88)

struct ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 id;
};

struct ioas_unmap {
	__u32 size;
	__u32 id;
	__aligned_u64 iova;
	__aligned_u64 length;
};

struct vfio_ioas {
	__u32 size;
	__u32 id;
	__u16 op;
	__u16 reserved;
};

FIXTURE(iommufd)
{
	int fd;
	int iommufd;
	__u32 id;
	char *at;
	struct dma state;
};

FIXTURE_SETUP(iommufd)
{
	struct ioas_alloc alloc = { .size = sizeof(alloc) };

	self->fd = session_open();
	if (self->fd == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (self->iommufd < 0)
		SKIP(return, "this kernel has no iommufd");
	ASSERT_EQ(0, ioctl(self->iommufd, IOMMU_IOAS_ALLOC, &alloc));
	self->id = alloc.id;
	self->at = memory_new(SIZE);
	ASSERT_NE(NULL, self->at);
}

FIXTURE_TEARDOWN(iommufd)
{
	close(self->fd);
	close(self->iommufd);
}

/* Bytes that were mapped there, or -errno. */
static long ioas_unmap(int iommufd, __u32 id, __u64 iova, __u64 length)
{
	struct ioas_unmap unmap = {
		.size = sizeof(unmap), .id = id, .iova = iova, .length = length,
	};

	return ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap) ? -errno : (long)unmap.length;
}

TEST_F(iommufd, maps)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(0, self->at, MIB),
		memory_range(1ULL << 32, self->at + MIB, SIZE - MIB),
	};

	r[0].flags = VFIO_MIGMUX_DMA_READ;
	ASSERT_EQ(0, session_dma_map(self->fd, self->iommufd, self->id, PIECE, r, 2));
	ASSERT_EQ(0, session_dma_wait(self->fd, WAIT_MS, &self->state));
	EXPECT_EQ(SIZE, self->state.w.mapped);
	EXPECT_EQ(0, session_dma_unmap(self->fd, 0, r, 1));
	EXPECT_EQ(-ENOENT, ioas_unmap(self->iommufd, self->id, 0, MIB));
	close(self->fd);
	self->fd = session_open();
	EXPECT_EQ(SIZE - MIB, ioas_unmap(self->iommufd, self->id, r[1].iova, r[1].size));
}

/* Pieces are mapped by several threads; what is mapped after a failure is all or none. */
TEST_F(iommufd, fails)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(1ULL << 32, self->at, SIZE - MIB),
		memory_range(0, self->at + SIZE - MIB, MIB),
	};
	struct vfio_migmux_dma_range own = memory_range(r[0].iova + 11 * MIB, self->at, MIB);
	int other = session_open();

	/* somebody else's mapping is in the way */
	ASSERT_EQ(0, session_dma_map(other, self->iommufd, self->id, PIECE, &own, 1));
	ASSERT_EQ(0, session_dma_wait(other, WAIT_MS, &self->state));
	ASSERT_EQ(0, session_dma_map(self->fd, self->iommufd, self->id, PIECE, r, 2));
	EXPECT_REFUSED(self->fd, EEXIST, "something else",
		       session_dma_wait(self->fd, WAIT_MS, &self->state));
	EXPECT_EQ(EEXIST, self->state.range[0].error);
	EXPECT_EQ(0, self->state.range[0].mapped);
	EXPECT_EQ(MIB, self->state.range[1].mapped);
	EXPECT_EQ(MIB, ioas_unmap(self->iommufd, self->id, r[0].iova, r[0].size));
	close(other);
}

TEST_F(iommufd, cancel_and_close)
{
	struct vfio_migmux_dma_range r = memory_range(1ULL << 32, self->at, SIZE);
	long there;

	ASSERT_EQ(0, session_dma_map(self->fd, self->iommufd, self->id, PIECE, &r, 1));
	ASSERT_EQ(0, session_dma_unmap_all(self->fd, VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	session_dma_wait(self->fd, 0, &self->state);
	there = self->state.w.mapped;
	close(self->fd);
	self->fd = session_open();
	EXPECT_EQ(there ?: -ENOENT, ioas_unmap(self->iommufd, self->id, r.iova, r.size));

	/* and without a cancel */
	ASSERT_EQ(0, session_dma_map(self->fd, self->iommufd, self->id, PIECE, &r, 1));
	if (session_dma_wait(self->fd, 0, &self->state) == -ETIMEDOUT) {
		close(self->fd);
		self->fd = session_open();
		EXPECT_EQ(-ENOENT, ioas_unmap(self->iommufd, self->id, r.iova, r.size));
	}
}

TEST_F(iommufd, spaces)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, MIB);
	struct vfio_ioas set = { .size = sizeof(set), .id = self->id, .op = 1 };

	EXPECT_REFUSED(self->fd, ENOENT, "no IOAS",
		       session_dma_map(self->fd, self->iommufd, self->id + 7, 0, &r, 1));
	/* the one that stands for a container, as soon as there is one */
	EXPECT_REFUSED(self->fd, ENOENT, "no IOAS",
		       session_dma_map(self->fd, self->iommufd, 0, 0, &r, 1));
	ASSERT_EQ(0, ioctl(self->iommufd, IOMMU_VFIO_IOAS, &set));
	EXPECT_EQ(0, session_dma_map(self->fd, self->iommufd, 0, 0, &r, 1));
	EXPECT_EQ(0, session_dma_wait(self->fd, WAIT_MS, &self->state));
	EXPECT_EQ(MIB, ioas_unmap(self->iommufd, self->id, 0, MIB));
}

/* --- vhost-vdpa ---------------------------------------------------------------------------- */

FIXTURE(vdpa)
{
	int fd;
	int vdpa;
	long pinned;
	char *at;
	struct dma state;
};

FIXTURE_SETUP(vdpa)
{
	/* vhost-vdpa heeds it whatever the process is capable of */
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };

	self->fd = session_open();
	if (self->fd == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	vdpa_device(VDPA_CMD_DEV_DEL);
	if (vdpa_device(VDPA_CMD_DEV_NEW))
		SKIP(return, "this kernel has no vdpa_sim_net");
	self->vdpa = vdpa_open();
	ASSERT_LE(0, self->vdpa);
	ASSERT_EQ(0, ioctl(self->vdpa, VHOST_SET_OWNER));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &any));
	self->at = memory_new(SIZE);
	ASSERT_NE(NULL, self->at);
	self->pinned = memory_pinned();
}

FIXTURE_TEARDOWN(vdpa)
{
	close(self->fd);
	close(self->vdpa);
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_EQ(0, vdpa_device(VDPA_CMD_DEV_DEL));
}

static int vdpa_map(struct _test_data_vdpa *self, struct vfio_migmux_dma_range *r, int n)
{
	return session_dma_map(self->fd, self->vdpa, 0, PIECE, r, n);
}

TEST_F(vdpa, maps)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(0, self->at, MIB),
		memory_range(1ULL << 32, self->at + MIB, SIZE - MIB),
	};

	ASSERT_EQ(0, vdpa_map(self, r, 2));
	ASSERT_EQ(0, session_dma_wait(self->fd, WAIT_MS, &self->state));
	EXPECT_EQ(SIZE, self->state.w.mapped);
	EXPECT_EQ(self->pinned + SIZE / 4096, memory_pinned());
	/* it is there for the VMM too */
	EXPECT_EQ(-EFAULT, vdpa_message(self->vdpa, VHOST_IOTLB_UPDATE, r[1].iova, self->at,
					4096));
	EXPECT_EQ(0, session_dma_unmap(self->fd, 0, r, 1));
	EXPECT_EQ(self->pinned + (SIZE - MIB) / 4096, memory_pinned());
	EXPECT_EQ(0, vdpa_message(self->vdpa, VHOST_IOTLB_INVALIDATE, r[1].iova, NULL,
				  r[1].size));
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
}

/* Write a line to a file of tracefs. */
static int trace(const char *file, const char *line)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/%s", file);
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0)
		return -errno;
	ret = write(fd, line, strlen(line)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* How often the probe was hit, or -1. */
static long probe_hits(void)
{
	FILE *f = fopen("/sys/kernel/tracing/kprobe_profile", "r");
	char name[64];
	long hits, found = -1;

	while (f && fscanf(f, " %63s %ld %*d", name, &hits) == 2)
		if (!strcmp(name, "migmux_set_map"))
			found = hits;
	if (f)
		fclose(f);
	return found;
}

/* The device is told of all pieces together, once. */
TEST_F(vdpa, batched)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, SIZE);

	if (trace("kprobe_events", "p:migmux_set_map vdpasim_set_map") ||
	    trace("events/kprobes/migmux_set_map/enable", "1"))
		SKIP(return, "no kprobe on vdpasim_set_map");
	EXPECT_EQ(0, vdpa_map(self, &r, 1));
	EXPECT_EQ(0, session_dma_wait(self->fd, WAIT_MS, &self->state));
	EXPECT_EQ(1, probe_hits());
	trace("events/kprobes/migmux_set_map/enable", "0");
	trace("kprobe_events", "-:migmux_set_map");
}

TEST_F(vdpa, cancel_and_close)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, SIZE);

	ASSERT_EQ(0, vdpa_map(self, &r, 1));
	ASSERT_EQ(0, session_dma_unmap_all(self->fd, VFIO_MIGMUX_DMA_UNMAP_CANCEL));
	session_dma_wait(self->fd, 0, &self->state);
	EXPECT_EQ(self->pinned + self->state.w.mapped / 4096, memory_pinned());
	ASSERT_EQ(0, session_dma_unmap_all(self->fd, VFIO_MIGMUX_DMA_UNMAP_ALL));
	EXPECT_EQ(self->pinned, memory_pinned());
	ASSERT_EQ(0, vdpa_map(self, &r, 1));
	if (session_dma_wait(self->fd, 0, &self->state) == -ETIMEDOUT) {
		close(self->fd);
		self->fd = session_open();
		EXPECT_EQ(self->pinned, memory_pinned());
	}
}

TEST_F(vdpa, memory_limit)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(0, self->at, 4 * MIB),
		memory_range(1ULL << 32, self->at + 4 * MIB, 32 * MIB),
	};

	ASSERT_EQ(0, memory_limit(16 * MIB));
	ASSERT_EQ(0, vdpa_map(self, r, 2));
	EXPECT_REFUSED(self->fd, ENOMEM, "RLIMIT_MEMLOCK",
		       session_dma_wait(self->fd, WAIT_MS, &self->state));
	EXPECT_EQ(ENOMEM, self->state.range[1].error);
	EXPECT_EQ(0, self->state.range[1].mapped);
	EXPECT_EQ(4 * MIB, self->state.w.mapped);
	EXPECT_EQ(self->pinned + 4 * MIB / 4096, memory_pinned());
}

/*
 * vhost-vdpa has an entry for each run of pages that lie side by side. These pages hardly do;
 * what few entries are left then are taken by more pages, one after the other.
 */
TEST_F_TIMEOUT(vdpa, too_many_pieces, 150)
{
	const char *path = "/sys/module/vhost_vdpa/parameters/max_iotlb_entries";
	struct vfio_migmux_dma_range r;
	int i, ret, entries = 0;
	FILE *f = fopen(path, "r");
	char *at;

	if (!f || fscanf(f, "%d", &entries) != 1 || entries > 20000)
		SKIP(return, "vhost_vdpa has no max_iotlb_entries that is small enough");
	fclose(f);
	at = memory_new((entries + 1) * 4096);
	ASSERT_NE(NULL, at);
	madvise(at, (entries + 1) * 4096, MADV_NOHUGEPAGE);
	for (i = 0; i <= entries; i += 2)
		at[i * 4096] = 1;
	for (i = 1; i <= entries; i += 2)
		at[i * 4096] = 1;
	r = memory_range(0, at, entries * 4096);
	ASSERT_EQ(0, vdpa_map(self, &r, 1));
	ASSERT_EQ(0, session_dma_wait(self->fd, WAIT_MS, &self->state));
	for (i = 0, ret = 0; i < 1000 && !ret; i++) {
		r = memory_range((1ULL << 32) + i * MIB, at, 4096);
		ASSERT_EQ(0, vdpa_map(self, &r, 1));
		ret = session_dma_wait(self->fd, WAIT_MS, &self->state);
	}
	EXPECT_EQ(-EFAULT, ret);
	EXPECT_TRUE(session_says(self->fd, EFAULT, "max_iotlb_entries"));
	EXPECT_EQ(1, self->state.w.nr_failed);
	EXPECT_EQ(self->pinned + entries + i - 1, memory_pinned());
}

/* A device that another process owns, or nobody. */
TEST_F(vdpa, owners)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, MIB);
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		int fd = session_open();

		_exit(session_dma_map(fd, self->vdpa, 0, 0, &r, 1) != -EPERM ||
		      !session_says(fd, EPERM, "not owned"));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(self->vdpa);
	self->vdpa = vdpa_open();
	ASSERT_LE(0, self->vdpa);
	EXPECT_REFUSED(self->fd, EPERM, "not owned", vdpa_map(self, &r, 1));
}

TEST_F(vdpa, spaces)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, MIB);

	EXPECT_REFUSED(self->fd, ENOENT, "no such address space",
		       session_dma_map(self->fd, self->vdpa, 1000, 0, &r, 1));
}

/* Devices wait for the memory of a vDPA device as for that of their own. */
TEST_F(vdpa, start_waits)
{
	struct vfio_migmux_dma_range r[2] = {
		memory_range(0, self->at, SIZE - 2 * MIB),
		memory_range(1ULL << 32, self->at + SIZE - 2 * MIB, 2 * MIB),
	};
	const __u8 driver_ok = 0xf;
	__u8 status = 0;

	if (!devices.n)
		SKIP(return, "fewer than 4 devices are bound to " MIGSIM_DRIVER);
	ASSERT_EQ(0, devices_settle(&devices));
	ASSERT_EQ(0, session_device_add(self->fd, devices.dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	/* something is in the way of the second range: the map cannot be completed */
	ASSERT_EQ(0, vdpa_message(self->vdpa, VHOST_IOTLB_UPDATE, r[1].iova, self->at, 4096));
	ASSERT_EQ(0, vdpa_map(self, r, 2));
	EXPECT_EQ(-EFAULT, session_set_state(self->fd, RUNNING, STOP, 0, 0, NULL));
	EXPECT_TRUE(device_is(&devices.dev[0], STOP));
	ASSERT_EQ(0, vdpa_message(self->vdpa, VHOST_IOTLB_INVALIDATE, r[1].iova, NULL, 4096));
	r[1].flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, vdpa_map(self, &r[1], 1));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, STOP, 0, 0, NULL));
	EXPECT_EQ(self->pinned + SIZE / 4096, memory_pinned());
	/* and the vDPA device starts on that map */
	ASSERT_EQ(0, ioctl(self->vdpa, VHOST_VDPA_SET_STATUS, &driver_ok));
	ASSERT_EQ(0, ioctl(self->vdpa, VHOST_VDPA_GET_STATUS, &status));
	EXPECT_EQ(driver_ok, status);
	ASSERT_EQ(0, devices_settle(&devices));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
