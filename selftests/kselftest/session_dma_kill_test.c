// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that is killed while its memory is being mapped: it is gone soon, nothing stays
 * pinned, and the devices are free. Nobody else has its devices open.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "holder.h"
#include "memory.h"
#include "session_fixture.h"
#include "target.h"

#define BIG	(96 * MIB)
#define SMALL	(48 * MIB)	/* more single pages are too many for vhost-vdpa */
#define AT	(4UL << 30)	/* where no IOMMU has anything else */
#define BOUND_NS 10000000000ULL

FIXTURE(killed)
{
	char addr[2][VFIO_ADDR_MAX];
	int told[2];	/* pipe from the VMM */
	long pinned;
	pid_t pid;
};

FIXTURE_VARIANT(killed)
{
	enum target_kind kind;
	bool starting;	/* a device waits for the memory */
	bool undoing;	/* the session has failed, and takes it away */
	bool done;	/* all is mapped */
	bool alone;	/* the session has no device that keeps the container's group open */
};

FIXTURE_VARIANT_ADD(killed, mapping) { };
FIXTURE_VARIANT_ADD(killed, starting) { .starting = true };
FIXTURE_VARIANT_ADD(killed, undoing) { .undoing = true };
FIXTURE_VARIANT_ADD(killed, mapped) { .done = true };
FIXTURE_VARIANT_ADD(killed, mapping_alone) { .alone = true };

FIXTURE_VARIANT_ADD(killed, mapping_by_iommufd) { .kind = TARGET_IOMMUFD };
FIXTURE_VARIANT_ADD(killed, starting_by_iommufd) {
	.kind = TARGET_IOMMUFD, .starting = true
};

FIXTURE_VARIANT_ADD(killed, undoing_by_iommufd) {
	.kind = TARGET_IOMMUFD, .undoing = true
};

FIXTURE_VARIANT_ADD(killed, mapped_by_iommufd) { .kind = TARGET_IOMMUFD, .done = true };

FIXTURE_VARIANT_ADD(killed, mapping_by_vdpa) { .kind = TARGET_VDPA };
FIXTURE_VARIANT_ADD(killed, starting_by_vdpa) { .kind = TARGET_VDPA, .starting = true };
FIXTURE_VARIANT_ADD(killed, undoing_by_vdpa) { .kind = TARGET_VDPA, .undoing = true };
FIXTURE_VARIANT_ADD(killed, mapped_by_vdpa) { .kind = TARGET_VDPA, .done = true };

FIXTURE_SETUP(killed)
{
	struct target t;
	int ret;

	if (devices_names(self->addr, 2) < 2)
		SKIP(return, "fewer than 2 devices are bound to " MIGSIM_DRIVER);
	if (access("/dev/vfio/migmux", F_OK))
		SKIP(return, "vfio_migmux is not loaded");
	ret = target_open(&t, variant->kind);
	if (ret == -ENODEV)
		SKIP(return, "there is nothing of this kind");
	ASSERT_EQ(0, ret);
	target_close(&t);
	ASSERT_EQ(0, module_wait_unused());
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
	ASSERT_EQ(0, pipe2(self->told, O_CLOEXEC));
}

FIXTURE_TEARDOWN(killed)
{
	if (self->pid > 0 && !kill(self->pid, SIGKILL))
		waitpid(self->pid, NULL, 0);
	if (variant->kind == TARGET_VDPA)
		EXPECT_EQ(0, vdpa_device(VDPA_CMD_DEV_DEL));
}

/* In the VMM: begin to map, say so, and stay. */
static int vmm(const struct _fixture_variant_killed *variant, int told)
{
	const __u64 size = variant->kind == TARGET_TYPE1 ? BIG : SMALL;
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(size), size);
	struct vfio_migmux_abort abort = { .argsz = sizeof(abort), .recover = NONE };
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	int fd, ret, until = variant->done ? 1000 : 50;
	struct vfio_set set;
	struct target t;

	fd = session_open();
	ret = devices_open(&set, 0, 2) ?: devices_settle(&set) ?:
	      setrlimit(RLIMIT_MEMLOCK, &any);
	t.fd = set.container;
	if (!ret && variant->kind != TARGET_TYPE1)
		ret = target_open(&t, variant->kind);
	if (ret || fd < 0)
		return 1;
	if (!variant->alone)
		ret = session_device_add(fd, set.dev[0].fd, idstrs[0], 0) ?:
		      session_set_state(fd, STOP, NONE, 0, 0, NULL);
	ret = ret ?: session_dma_map(fd, t.fd, 0, PIECE, &r, 1);
	while (ret >= 0 && ret < until)
		ret = dma_event(fd);
	if (ret < 0 || (ret == 1000 && !variant->done))
		return 1;
	if (variant->starting &&
	    session_set_state(fd, RUNNING, NONE, VFIO_MIGMUX_SET_STATE_ASYNC, 0, NULL))
		return 1;
	if (write(told, "+", 1) != 1)
		return 1;
	if (variant->undoing)
		session_call(fd, VFIO_MIGMUX_ABORT, &abort);
	for (;;)
		pause();
}

TEST_F(killed, by_9)
{
	__u64 start;
	int status;
	char c;

	self->pid = fork();
	if (!self->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(vmm(variant, self->told[1]));
	}
	close(self->told[1]);
	ASSERT_EQ(1, read(self->told[0], &c, 1));
	/* who takes it away may have done so already */
	if (!variant->undoing)
		EXPECT_LT(self->pinned, memory_pinned());
	start = now_ns();
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_GT(BOUND_NS, now_ns() - start);
	EXPECT_EQ(0, module_wait_unused());
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_EQ(0, device_knobs_default(self->addr[0]));
	EXPECT_TRUE(device_reopens(self->addr[0]));
}

FIXTURE(type1)
{
	FIXTURE_DATA(killed) killed;
};

static const struct _fixture_variant_killed by_type1;

FIXTURE_SETUP(type1)
{
	killed_setup(_metadata, &self->killed, &by_type1);
}

FIXTURE_TEARDOWN(type1)
{
	killed_teardown(_metadata, &self->killed, &by_type1);
}

/* One that is stopped for a while goes on where it was. */
TEST_F(type1, stopped_and_continued)
{
	struct _test_data_killed *killed = &self->killed;
	struct vfio_migmux_dma_range r;
	struct vfio_set set;
	int status, fd, ret;
	struct dma dma;

	killed->pid = fork();
	if (!killed->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = session_open();
		r = memory_range(0, memory_new(BIG), BIG);
		if (devices_open(&set, 0, 1) ||
		    session_dma_map(fd, set.container, 0, PIECE, &r, 1) ||
		    dma_event(fd) < 0 || write(killed->told[1], "+", 1) != 1)
			_exit(1);
		do {
			ret = session_dma_wait(fd, WAIT_MS * 3, &dma);
		} while (ret == -EINTR);
		_exit(ret || dma.w.mapped != BIG || memory_locked() != BIG);
	}
	ASSERT_EQ(1, read(killed->told[0], &status, 1));
	ASSERT_EQ(0, kill(killed->pid, SIGSTOP));
	ASSERT_EQ(killed->pid, waitpid(killed->pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, kill(killed->pid, SIGCONT));
	ASSERT_EQ(killed->pid, waitpid(killed->pid, &status, 0));
	killed->pid = 0;
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, memory_wait_pinned(killed->pinned));
}

/* --- while its session ends --------------------------------------------------------------- */

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
	void *at = memory_new(HOLDER_PAGE);

	return at && !munmap(at, HOLDER_PAGE) ? at : NULL;
}

static int wait_mapped(void *page)
{
	unsigned char there;
	int i;

	for (i = 0; i < WAIT_MS && mincore(page, HOLDER_PAGE, &there); i++)
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
TEST_F(type1, killed_without_page)
{
	struct _test_data_killed *killed = &self->killed;
	int status, uffd;

	killed->pid = fork();
	if (!killed->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		uffd = undo_without_page();
		if (write(killed->told[1], &uffd, sizeof(uffd)) != sizeof(uffd))
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(sizeof(uffd), read(killed->told[0], &uffd, sizeof(uffd)));
	ASSERT_LE(0, uffd);
	/* it stays when the process has closed its own */
	uffd = file_of(killed->pid, uffd);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, kill(killed->pid, SIGKILL));
	EXPECT_EQ(killed->pid, wait_dead(killed->pid, &status));
	close(uffd);
	/* if it was not gone it is now */
	waitpid(killed->pid, &status, 0);
	killed->pid = 0;
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, module_wait_unused());
	EXPECT_EQ(0, memory_wait_pinned(killed->pinned));
	EXPECT_TRUE(device_reopens(killed->addr[0]));
}

TEST_HARNESS_MAIN
