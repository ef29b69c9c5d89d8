// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that cannot be mapped, and files that cannot map it: each gets an error of its own,
 * and nothing stays pinned.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <linux/fuse.h>

#include "memory.h"
#include "session_fixture.h"

FIXTURE(bad)
{
	FIXTURE_DATA(vmm) vmm;
	int container;
	long pinned;
	char *at;
	struct dma state;
};

FIXTURE_SETUP(bad)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->container = devices.container;
	self->at = memory_new(32 * MIB);
	ASSERT_NE(NULL, self->at);
	ASSERT_LE(0, type1_unmap_all(self->container));
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
}

FIXTURE_TEARDOWN(bad)
{
	close(self->vmm.fd);
	self->vmm.fd = session_open();
	EXPECT_LE(0, type1_unmap_all(self->container));
	EXPECT_EQ(0, memory_locked());
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define FD	(self->vmm.fd)

static int map(struct _test_data_bad *self, struct vfio_migmux_dma_range *ranges, int n)
{
	return session_dma_map(FD, self->container, 0, PIECE, ranges, n);
}

/* --- refused at once --------------------------------------------------------------------- */

FIXTURE(range)
{
	FIXTURE_DATA(bad) bad;
};

/* The second range of three, that is bad, and why. */
FIXTURE_VARIANT(range)
{
	__u64 iova;
	__u64 vaddr;	/* counted from where there is memory */
	__u64 size;
	__u32 flags;
	int error;
	const char *words;
};

FIXTURE_VARIANT_ADD(range, empty) {
	.iova = 64 * MIB, .size = 0, .flags = RW, .error = EINVAL, .words = "empty"
};

FIXTURE_VARIANT_ADD(range, iova_unaligned) {
	.iova = 64 * MIB + 1, .size = 4096, .flags = RW, .error = EINVAL,
	.words = "multiple"
};

FIXTURE_VARIANT_ADD(range, vaddr_unaligned) {
	.iova = 64 * MIB, .vaddr = 512, .size = 4096, .flags = RW, .error = EINVAL,
	.words = "multiple"
};

FIXTURE_VARIANT_ADD(range, size_unaligned) {
	.iova = 64 * MIB, .size = 4097, .flags = RW, .error = EINVAL, .words = "multiple"
};

FIXTURE_VARIANT_ADD(range, iova_wraps) {
	.iova = -4096ULL, .size = 8192, .flags = RW, .error = EINVAL,
	.words = "beyond the end"
};

FIXTURE_VARIANT_ADD(range, size_wraps) {
	.iova = 64 * MIB, .size = -4096ULL, .flags = RW, .error = EINVAL,
	.words = "beyond the end"
};

FIXTURE_VARIANT_ADD(range, no_access) {
	.iova = 64 * MIB, .size = 4096, .flags = 0, .error = EINVAL, .words = "set a flag"
};

FIXTURE_VARIANT_ADD(range, unknown_flag) {
	.iova = 64 * MIB, .size = 4096, .flags = RW | 1 << 3, .error = EINVAL,
	.words = "not known"
};

FIXTURE_VARIANT_ADD(range, overlaps_its_list) {
	.iova = 4 * MIB - 4096, .size = 8192, .flags = RW, .error = EEXIST,
	.words = "overlaps"
};

FIXTURE_VARIANT_ADD(range, no_memory) {
	.iova = 64 * MIB, .vaddr = 1ULL << 46, .size = 4096, .flags = RW, .error = EFAULT,
	.words = "no memory there"
};

FIXTURE_VARIANT_ADD(range, kernel_memory) {
	.iova = 64 * MIB, .vaddr = -2ULL << 40, .size = 4096, .flags = RW,
	.error = EFAULT, .words = "no memory there"
};

FIXTURE_VARIANT_ADD(range, ends_in_a_hole) {
	.iova = 64 * MIB, .vaddr = 20 * MIB, .size = 8 * MIB, .flags = RW, .error = EFAULT,
	.words = "no memory there"
};

FIXTURE_VARIANT_ADD(range, read_only) {
	.iova = 64 * MIB, .vaddr = 30 * MIB, .size = MIB, .flags = RW, .error = EACCES,
	.words = "only read"
};

FIXTURE_SETUP(range)
{
	bad_setup(_metadata, &self->bad, NULL);
	ASSERT_EQ(0, munmap(self->bad.at + 24 * MIB, MIB));
	ASSERT_EQ(0, mprotect(self->bad.at + 30 * MIB, 2 * MIB, PROT_READ));
}

FIXTURE_TEARDOWN(range)
{
	bad_teardown(_metadata, &self->bad, NULL);
}

TEST_F(range, refused)
{
	struct _test_data_bad *bad = &self->bad;
	struct vfio_migmux_dma_range r[3] = {
		memory_range(0, bad->at, 4 * MIB),
		{
			.iova = variant->iova,
			.vaddr = (__u64)(unsigned long)bad->at + variant->vaddr,
			.size = variant->size,
			.flags = variant->flags,
		},
		memory_range(128 * MIB, bad->at, 4 * MIB),
	};

	EXPECT_EQ(-variant->error, map(bad, r, 3));
	EXPECT_TRUE(session_says(bad->vmm.fd, variant->error, variant->words));
	EXPECT_TRUE(session_says(bad->vmm.fd, variant->error, "range 1"));
	EXPECT_EQ(0, r[0].error);
	EXPECT_EQ(variant->error, r[1].error);
	EXPECT_EQ(0, r[2].error);
	/* all or none */
	EXPECT_EQ(0, session_dma_wait(bad->vmm.fd, WAIT_MS, &bad->state));
	EXPECT_EQ(0, bad->state.w.nr_ranges);
	EXPECT_EQ(0, memory_locked());

	/* and the good ones alone, then the bad one once more */
	r[1] = r[2];
	EXPECT_EQ(0, map(bad, r, 2));
	EXPECT_EQ(0, session_dma_wait(bad->vmm.fd, WAIT_MS, &bad->state));
	EXPECT_EQ(8 * MIB, bad->state.w.mapped);
}

TEST_F(bad, arguments)
{
	struct vfio_migmux_dma_range r[1] = { memory_range(0, self->at, MIB) };
	struct vfio_migmux_dma_map m = {
		.argsz = sizeof(m),
		.target_fd = self->container,
		.range_size = sizeof(r[0]),
		.nr_ranges = 1,
		.ranges = (__u64)(unsigned long)r,
	};
	static const __u64 pieces[] = { 1, 4096, MIB, 3 * MIB, 2ULL << 40, 1ULL << 63 };
	int i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		m.piece = pieces[i];
		EXPECT_REFUSED(FD, EINVAL, "power of two",
			       session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	}
	m.piece = 0;
	m.range_size = sizeof(r[0]) - 1;
	EXPECT_REFUSED(FD, EINVAL, "range_size", session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	m.range_size = 4097;
	EXPECT_REFUSED(FD, EINVAL, "range_size", session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	m.range_size = sizeof(r[0]);
	m.nr_ranges = 0xffffffff;
	EXPECT_REFUSED(FD, ENOSPC, "at most", session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	m.nr_ranges = 1;
	m.ranges = 8;
	EXPECT_EQ(-EFAULT, session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	m.ranges = (__u64)(unsigned long)r;
	r[0].reserved = 1;
	EXPECT_REFUSED(FD, EINVAL, "reserved", session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	r[0].reserved = 0;
	m.space = 1;
	EXPECT_REFUSED(FD, EINVAL, "space must be 0",
		       session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	m.space = 0;
	EXPECT_EQ(0, session_call(FD, VFIO_MIGMUX_DMA_MAP, &m));
	EXPECT_EQ(0, session_dma_wait(FD, WAIT_MS, &self->state));
}

TEST_F(bad, too_many_ranges)
{
	struct vfio_migmux_dma_range *r = calloc(512, sizeof(*r));
	int i;

	ASSERT_NE(NULL, r);
	for (i = 0; i < 512; i++)
		r[i] = memory_range(i * 8192ULL, self->at, 4096);
	ASSERT_EQ(0, map(self, r, 512));
	r[0].iova = MIB * 64;
	EXPECT_REFUSED(FD, ENOSPC, "512 ranges", map(self, r, 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(512, self->state.w.nr_ranges);
	EXPECT_EQ(512 * 4096, self->state.w.mapped);
	ASSERT_EQ(0, session_dma_unmap_all(FD, VFIO_MIGMUX_DMA_UNMAP_ALL));
	ASSERT_EQ(0, map(self, r, 1));
}

/* --- files that are none of the three kinds ------------------------------------------------- */

#define KINDS "neither a VFIO container nor an iommufd nor"

static void check_fd(struct __test_metadata *_metadata, struct _test_data_bad *self,
		     const char *what, int fd, const char *words)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, MIB);

	ksft_print_msg("%s\n", what);
	EXPECT_REFUSED(FD, EBADF, words, session_dma_map(FD, fd, 0, 0, &r, 1));
	if (fd >= 0)
		close(fd);
}

TEST_F(bad, files)
{
	int fd[2];

	check_fd(_metadata, self, "none", -1, "not open");
	check_fd(_metadata, self, "closed", 1000, "not open");
	check_fd(_metadata, self, "null", open("/dev/null", O_RDWR), KINDS);
	check_fd(_metadata, self, "regular", open("/proc/self/exe", O_RDONLY), KINDS);
	check_fd(_metadata, self, "directory", open("/dev/vfio", O_RDONLY), KINDS);
	check_fd(_metadata, self, "path", open("/dev/vfio/vfio", O_PATH), "not open");
	check_fd(_metadata, self, "event", eventfd(0, 0), KINDS);
	check_fd(_metadata, self, "memory", memfd_create("x", 0), KINDS);
	check_fd(_metadata, self, "session", session_open(), KINDS);
	check_fd(_metadata, self, "device", dup(self->vmm.dev[0].fd), KINDS);
	check_fd(_metadata, self, "group", dup(self->vmm.dev[0].group_fd), KINDS);
	check_fd(_metadata, self, "container without an IOMMU",
		 open("/dev/vfio/vfio", O_RDWR), "VFIO_SET_IOMMU");
	ASSERT_EQ(0, pipe(fd));
	check_fd(_metadata, self, "pipe", fd[0], KINDS);
	close(fd[1]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	check_fd(_metadata, self, "socket", fd[0], KINDS);
	close(fd[1]);
	EXPECT_EQ(0, memory_locked());
}

/* A character device in user space, that answers an open and nothing more. */
struct cuse {
	int fd;
	int others;	/* requests that must not come */
};

static int cuse_answer(int fd, __u64 unique, const void *data, size_t size)
{
	struct fuse_out_header head = { .len = sizeof(head) + size, .unique = unique };
	char buf[512];

	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), data, size);
	return write(fd, buf, head.len) == head.len ? 0 : -errno;
}

static void *cuse_serve(void *arg)
{
	struct cuse *cuse = arg;
	struct fuse_open_out opened = { .fh = 1 };
	static char buf[1 << 18];
	struct fuse_in_header *in = (void *)buf;

	while (read(cuse->fd, buf, sizeof(buf)) > 0) {
		if (in->opcode == FUSE_OPEN)
			cuse_answer(cuse->fd, in->unique, &opened, sizeof(opened));
		else if (in->opcode == FUSE_RELEASE)
			cuse_answer(cuse->fd, in->unique, NULL, 0);
		else
			cuse->others++;
	}
	return NULL;
}

static int cuse_open(struct cuse *cuse, const char *name)
{
	static char buf[1 << 18];
	struct fuse_in_header *in = (void *)buf;
	struct {
		struct cuse_init_out out;
		char info[64];
	} init = { .out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.flags = CUSE_UNRESTRICTED_IOCTL,
		.max_read = 4096,
		.max_write = 4096,
	} };

	cuse->fd = open("/dev/cuse", O_RDWR | O_CLOEXEC);
	if (cuse->fd < 0)
		return -errno;
	if (read(cuse->fd, buf, sizeof(buf)) < 0)
		return -errno;
	snprintf(init.info, sizeof(init.info), "DEVNAME=%s", name);
	return cuse_answer(cuse->fd, in->unique, &init,
			   sizeof(init.out) + strlen(init.info) + 1);
}

/* Its ioctls would never return: it must not be called. */
TEST_F(bad, device_of_user_space)
{
	struct cuse cuse = { };
	pthread_t thread;
	int fd, ret, i;

	ret = cuse_open(&cuse, "vhost-vdpa-77");
	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "no CUSE");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, pthread_create(&thread, NULL, cuse_serve, &cuse));
	for (i = 0; i < WAIT_MS && access("/dev/vhost-vdpa-77", F_OK); i++)
		usleep(1000);
	fd = open("/dev/vhost-vdpa-77", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	check_fd(_metadata, self, "cuse", fd, KINDS);
	EXPECT_EQ(0, cuse.others);
	close(cuse.fd);
}

/* --- what shows while it is mapped --------------------------------------------------------- */

/* What is there is let go again, other ranges are mapped, and it can be put right. */
TEST_F(bad, memory_limit)
{
	struct vfio_migmux_dma_range r[3] = {
		memory_range(0, self->at, 4 * MIB),
		memory_range(64 * MIB, self->at + 4 * MIB, 20 * MIB),
		memory_range(128 * MIB, self->at + 24 * MIB, 2 * MIB),
	};
	int ret, i;

	ASSERT_EQ(0, memory_limit(12 * MIB));
	ASSERT_EQ(0, map(self, r, 3));
	EXPECT_REFUSED(FD, ENOMEM, "RLIMIT_MEMLOCK",
		       session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(1, self->state.w.nr_failed);
	EXPECT_EQ(6 * MIB, self->state.w.mapped);
	EXPECT_EQ(6 * MIB, memory_locked());
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i == 1 ? ENOMEM : 0, self->state.range[i].error);
		EXPECT_EQ(i == 1 ? 0 : r[i].size, self->state.range[i].mapped);
	}
	/* of the range that failed nothing is mapped */
	EXPECT_EQ(0, type1_unmap(self->container, 64 * MIB, 20 * MIB));
	EXPECT_EQ(self->pinned + 6 * MIB / 4096, memory_pinned());
	/* an event says so as well */
	do {
		ret = dma_event(FD);
	} while (ret >= 0);
	EXPECT_EQ(-ENOMEM, ret);

	ASSERT_EQ(0, memory_limit(64 * MIB));
	r[1].flags |= VFIO_MIGMUX_DMA_REPLACE;
	ASSERT_EQ(0, map(self, &r[1], 1));
	ASSERT_EQ(0, session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(26 * MIB, memory_locked());
}

/* The limit is the VMM's, and so is the right to be above it. */
TEST_F(bad, above_the_limit)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, 8 * MIB);
	struct rlimit limit = { .rlim_cur = MIB, .rlim_max = RLIM_INFINITY };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, map(self, &r, 1));
	EXPECT_EQ(0, session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(8 * MIB, memory_locked());
}

/* Addresses that look like memory, and have none behind: a file that is too short. */
TEST_F(bad, file_too_short)
{
	int fd = memfd_create("x", 0);
	struct vfio_migmux_dma_range r[2] = {
		memory_range(0, NULL, 8 * MIB), memory_range(64 * MIB, self->at, 2 * MIB),
	};
	void *at;

	ASSERT_EQ(0, ftruncate(fd, 5 * MIB));
	at = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, at);
	r[0].vaddr = (__u64)(unsigned long)at;
	ASSERT_EQ(0, map(self, r, 2));
	EXPECT_REFUSED(FD, EFAULT, "no memory",
		       session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(EFAULT, self->state.range[0].error);
	EXPECT_EQ(0, self->state.range[0].mapped);
	EXPECT_EQ(2 * MIB, self->state.w.mapped);
	EXPECT_EQ(2 * MIB, memory_locked());
}

/* The VMM's own mappings are left alone, whatever they are in the way of. */
TEST_F(bad, something_else_there)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, 16 * MIB);

	ASSERT_EQ(0, type1_map(self->container, 10 * MIB, self->at + 20 * MIB, MIB));
	ASSERT_EQ(0, map(self, &r, 1));
	EXPECT_REFUSED(FD, EEXIST, "something else",
		       session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(0, self->state.w.mapped);
	EXPECT_EQ(MIB, memory_locked());
	EXPECT_EQ(MIB, type1_unmap(self->container, 10 * MIB, MIB));
}

/* What the VMM takes away behind our back is just gone. */
TEST_F(bad, unmapped_by_the_vmm)
{
	struct vfio_migmux_dma_range r = memory_range(0, self->at, 8 * MIB);

	ASSERT_EQ(0, map(self, &r, 1));
	EXPECT_EQ(0, session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(4 * MIB, type1_unmap(self->container, 2 * MIB, 4 * MIB));
	EXPECT_EQ(0, session_dma_unmap(FD, 0, &r, 1));
	EXPECT_EQ(0, memory_locked());
}

/* IOVAs that the IOMMU does not have. */
TEST_F(bad, out_of_reach)
{
	struct vfio_migmux_dma_range r = memory_range(1ULL << 62, self->at, MIB);

	ASSERT_EQ(0, map(self, &r, 1));
	EXPECT_REFUSED(FD, EINVAL, "does not reach",
		       session_dma_wait(FD, WAIT_MS, &self->state));
	EXPECT_EQ(EINVAL, self->state.range[0].error);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
