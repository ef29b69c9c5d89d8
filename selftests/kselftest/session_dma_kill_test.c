// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that is killed while its memory is being mapped: it is gone soon, nothing stays
 * pinned, and the devices are free. Nobody else has its devices open.
 */
#include <signal.h>
#include <sys/prctl.h>

#include "memory.h"
#include "session_fixture.h"

#define BIG	(256 * MIB)
#define BOUND_NS 10000000000ULL

FIXTURE(killed)
{
	char addr[2][VFIO_ADDR_MAX];
	int told[2];	/* pipe from the VMM */
	long pinned;
	pid_t pid;
};

FIXTURE_SETUP(killed)
{
	if (devices_names(self->addr, 2) < 2)
		SKIP(return, "fewer than 2 devices are bound to " MIGSIM_DRIVER);
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

FIXTURE_VARIANT(killed)
{
	bool starting;	/* a device waits for the memory */
	bool undoing;	/* the session has failed, and takes it away */
	bool done;	/* all is mapped */
};

FIXTURE_VARIANT_ADD(killed, mapping) { };
FIXTURE_VARIANT_ADD(killed, starting) { .starting = true };
FIXTURE_VARIANT_ADD(killed, undoing) { .undoing = true };
FIXTURE_VARIANT_ADD(killed, mapped) { .done = true };

/* In the VMM: begin to map, say so, and stay. */
static int vmm(const struct _fixture_variant_killed *variant, int told)
{
	struct vfio_migmux_dma_range r = memory_range(0, memory_new(BIG), BIG);
	struct vfio_migmux_abort abort = { .argsz = sizeof(abort), .recover = NONE };
	int fd, ret, until = variant->done ? 1000 : 50;
	struct vfio_set set;

	fd = session_open();
	ret = devices_open(&set, 0, 2) ?: devices_settle(&set);
	if (ret || fd < 0)
		return 1;
	ret = session_device_add(fd, set.dev[0].fd, idstrs[0], 0) ?:
	      session_set_state(fd, STOP, NONE, 0, 0, NULL) ?:
	      session_dma_map(fd, set.container, 0, PIECE, &r, 1);
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

/* One that is stopped for a while goes on where it was. */
TEST_F(killed, stopped_and_continued)
{
	struct vfio_migmux_dma_range r;
	struct vfio_set set;
	int status, fd, ret;
	struct dma dma;

	if (variant->starting || variant->undoing || variant->done)
		return;
	self->pid = fork();
	if (!self->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = session_open();
		r = memory_range(0, memory_new(BIG), BIG);
		if (devices_open(&set, 0, 1) ||
		    session_dma_map(fd, set.container, 0, PIECE, &r, 1) ||
		    dma_event(fd) < 0 || write(self->told[1], "+", 1) != 1)
			_exit(1);
		do {
			ret = session_dma_wait(fd, WAIT_MS * 3, &dma);
		} while (ret == -EINTR);
		_exit(ret || dma.w.mapped != BIG || memory_locked() != BIG);
	}
	ASSERT_EQ(1, read(self->told[0], &status, 1));
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
}

TEST_HARNESS_MAIN
