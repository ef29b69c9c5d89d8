// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a session whose mapping stands still: somebody else is in the container, for as
 * long as the test wants. That one has asked for a bitmap of dirty pages, which type1 copies to
 * memory that is not there (userfaultfd), under its lock.
 *
 * Nobody else has the devices open.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "fault.h"
#include "memory.h"
#include "session_fixture.h"
#include "thread.h"

#define AT	(4UL << 30)	/* where no IOMMU has anything else */
#define PAGE	4096UL
#define BOUND_NS 10000000000ULL

/* --- who is in the container ---------------------------------------------------------- */

struct holder {
	int container;
	int uffd;
	void *bitmap;
	pthread_t thread;
};

/* Of the page at IOVA 0. */
static void *get_bitmap(void *arg)
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
			.size = PAGE,
			.bitmap = { .pgsize = PAGE, .size = 8, .data = holder->bitmap },
		},
	};

	return ioctl(holder->container, VFIO_IOMMU_DIRTY_PAGES, &dirty) ? "no bitmap" : NULL;
}

/* From here until holder_end() all others wait. */
static int holder_start(struct holder *holder, int container)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};
	int ret;

	holder->container = container;
	holder->bitmap = memory_new(PAGE);
	ret = type1_map(container, 0, memory_new(PAGE), PAGE);
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
static const char *holder_end(struct holder *holder)
{
	void *ret;

	close(holder->uffd);
	return pthread_join(holder->thread, &ret) ? "no thread" : ret;
}

/* --- a device goes while its session is closed ------------------------------------------- */

FIXTURE(closing)
{
	char addr[2][VFIO_ADDR_MAX];
	struct vfio_set set[2];
	int fd;
	long pinned;
};

FIXTURE_SETUP(closing)
{
	int i;

	if (devices_names(self->addr, 2) < 2)
		SKIP(return, "fewer than 2 devices are bound to " MIGSIM_DRIVER);
	self->fd = session_open();
	if (self->fd == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_LE(0, self->fd);
	/* a container each: what goes must not wait for the other's */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, devices_open(&self->set[i], i, 1));
		ASSERT_EQ(0, devices_settle(&self->set[i]));
	}
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
	ASSERT_EQ(0, memory_locked());
}

FIXTURE_TEARDOWN(closing)
{
	close(self->fd);
	vfio_set_close(&self->set[0]);
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_EQ(0, module_wait_unused());
	EXPECT_TRUE(device_reopens(self->addr[0]));
	EXPECT_TRUE(device_reopens(self->addr[1]));
}

static void *close_session(void *arg)
{
	int *fd = arg;

	pthread_setname_np(pthread_self(), "closer");
	return close(*fd) ? "cannot close" : NULL;
}

static void *unbind(void *addr)
{
	return driver_write("unbind", addr) ? "cannot unbind" : NULL;
}

/*
 * The close has found that nothing has to end, and waits for the thread that maps. The session
 * does not fail beside it any more: nobody gives up what that thread is at.
 */
TEST_F(closing, device_goes)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(PIECE), PIECE);
	const int container = self->set[0].container;
	pthread_t closer, unbinder;
	struct holder holder;
	void *ret = NULL;
	int i, fd = self->fd;

	ASSERT_EQ(0, session_device_add(fd, self->set[1].dev[0].fd, idstrs[0], 0));
	vfio_set_close(&self->set[1]);
	/* the target, which cannot be asked anything later */
	ASSERT_EQ(0, session_dma_map(fd, container, 0, PIECE, NULL, 0));
	ASSERT_EQ(0, holder_start(&holder, container));
	ASSERT_EQ(0, session_dma_map(fd, container, 0, PIECE, &r, 1));
	ASSERT_EQ(0, thread_wait("migmux-dma", 'D'));
	self->fd = -1;	/* it is the closer's */
	ASSERT_EQ(0, pthread_create(&closer, NULL, close_session, &fd));
	ASSERT_EQ(0, thread_wait("closer", 'D'));

	/* if the session ended now the device would be free at once */
	ASSERT_EQ(0, pthread_create(&unbinder, NULL, unbind, self->addr[1]));
	for (i = 0; i < 500 && pthread_tryjoin_np(unbinder, &ret); i++)
		usleep(1000);
	EXPECT_TRUE(thread_is("closer", 'D'));

	EXPECT_EQ(NULL, holder_end(&holder));
	if (i == 500)
		ASSERT_EQ(0, pthread_join(unbinder, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, pthread_join(closer, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, driver_write("bind", self->addr[1]));

	/* nothing is left of it but what is ours */
	EXPECT_EQ(PAGE, memory_locked());
	EXPECT_EQ(0, type1_map(container, AT, (void *)r.vaddr, PIECE));
	EXPECT_EQ(PAGE + PIECE, type1_unmap_all(container));
	EXPECT_EQ(0, memory_locked());
}

/* --- a process is killed while its session ends ------------------------------------------ */

FIXTURE(killed)
{
	char addr[1][VFIO_ADDR_MAX];
	int told[2];	/* pipe from the VMM */
	long pinned;
	pid_t pid;
};

FIXTURE_SETUP(killed)
{
	if (devices_names(self->addr, 1) < 1)
		SKIP(return, "no device is bound to " MIGSIM_DRIVER);
	if (access("/dev/vfio/migmux", F_OK))
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_EQ(0, module_wait_unused());
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
	ASSERT_EQ(0, pipe2(self->told, O_CLOEXEC));
}

FIXTURE_TEARDOWN(killed)
{
	if (self->pid > 0 && !kill(self->pid, SIGKILL))
		waitpid(self->pid, NULL, 0);
}

struct aborter {
	int fd;
	bool go;
	pthread_t thread;
};

static void *abort_session(void *arg)
{
	struct aborter *aborter = arg;

	while (!__atomic_load_n(&aborter->go, __ATOMIC_ACQUIRE))
		usleep(1000);
	return session_abort(aborter->fd, NONE) ? "cannot abort" : NULL;
}

/* Where the next page goes that anybody maps in this process. */
static void *next_page(void)
{
	void *at = memory_new(PAGE);

	return at && !munmap(at, PAGE) ? at : NULL;
}

static int wait_mapped(void *page)
{
	unsigned char there;
	int i;

	for (i = 0; i < WAIT_MS && mincore(page, PAGE, &there); i++)
		usleep(1000);
	return i < WAIT_MS ? 0 : -ETIMEDOUT;
}

/*
 * In the VMM: the session is aborted and takes away what it has mapped. While that waits for
 * the container, the page goes away that holds what the container is asked and answers: the
 * file that keeps it away, or -errno.
 */
static int undo_without_page(void)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(PIECE), PIECE);
	static struct aborter aborter;
	struct holder holder;
	struct vfio_set set;
	struct dma dma;
	void *page;
	int ret;

	aborter.fd = session_open();
	if (aborter.fd < 0)
		return aborter.fd;
	ret = devices_open(&set, 0, 1) ?: devices_settle(&set) ?:
	      session_dma_map(aborter.fd, set.container, 0, PIECE, &r, 1) ?:
	      session_dma_wait(aborter.fd, WAIT_MS, &dma) ?:
	      holder_start(&holder, set.container);
	if (!ret && pthread_create(&aborter.thread, NULL, abort_session, &aborter))
		ret = -EAGAIN;
	if (ret)
		return ret;
	page = next_page();
	__atomic_store_n(&aborter.go, true, __ATOMIC_RELEASE);
	ret = wait_mapped(page);
	if (ret)
		return ret;
	ret = fault_open();
	if (ret < 0)
		return ret;
	if (fault_at(ret, page) || holder_end(&holder) || fault_wait(ret))
		return -EIO;
	return ret;
}

static int file_of(pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return copy;
}

/* As waitpid(), with an end: 0 if it is still there. */
static pid_t wait_dead(pid_t pid, int *status)
{
	const __u64 until = now_ns() + BOUND_NS;
	pid_t ret;

	do {
		ret = waitpid(pid, status, WNOHANG);
		usleep(ret ? 0 : 1000);
	} while (!ret && now_ns() < until);
	return ret;
}

/* Whoever takes the memory away dies with the process, also if the page never comes. */
TEST_F(killed, without_page)
{
	int status, uffd;

	self->pid = fork();
	if (!self->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		uffd = undo_without_page();
		if (write(self->told[1], &uffd, sizeof(uffd)) != sizeof(uffd))
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(sizeof(uffd), read(self->told[0], &uffd, sizeof(uffd)));
	ASSERT_LE(0, uffd);
	/* it stays when the process has closed its own */
	uffd = file_of(self->pid, uffd);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	EXPECT_EQ(self->pid, wait_dead(self->pid, &status));
	close(uffd);
	/* if it was not gone it is now */
	waitpid(self->pid, &status, 0);
	self->pid = 0;
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, module_wait_unused());
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_TRUE(device_reopens(self->addr[0]));
}

TEST_HARNESS_MAIN
