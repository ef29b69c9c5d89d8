// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that is killed, stopped for a while, or that loses a device, at every point on
 * the way. Afterwards no session holds the module, the devices can be opened and run.
 *
 * The VMM is a child; nobody else has the devices open.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "peer.h"
#include "phase.h"

#define NR_DEVICES	2

FIXTURE(vmm)
{
	char addr[NR_DEVICES][VFIO_ADDR_MAX];
	int told[2];	/* pipe from the VMM */
	pid_t pid;
};

FIXTURE_SETUP(vmm)
{
	int i;

	if (devices_names(self->addr, NR_DEVICES) < NR_DEVICES)
		SKIP(return, "fewer than 2 devices are bound to " MIGSIM_DRIVER);
	if (access("/dev/vfio/migmux", F_OK))
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_EQ(0, module_wait_unused());
	for (i = 0; i < NR_DEVICES; i++) {
		ASSERT_EQ(0, device_knobs_default(self->addr[i]));
		ASSERT_EQ(0, attr_write_num(self->addr[i], "state_size", STATE_SIZE));
	}
	ASSERT_EQ(0, devices_precopy(NR_DEVICES, true));
	ASSERT_EQ(0, pipe2(self->told, O_CLOEXEC));
}

FIXTURE_TEARDOWN(vmm)
{
	int i;

	if (self->pid > 0 && !kill(self->pid, SIGKILL))
		waitpid(self->pid, NULL, 0);
	for (i = 0; i < NR_DEVICES; i++)
		device_knobs_default(self->addr[i]);
	devices_precopy(NR_DEVICES, false);
}

/* In the VMM: say that it is there. */
static void tell(int fd, char c)
{
	if (write(fd, &c, 1) != 1)
		_exit(1);
}

/* A process that does not outlive the test, however that ends. */
static pid_t fork_vmm(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Fork a VMM that enters a phase, says so, and goes on sleeping. */
static int vmm_start(struct _test_data_vmm *self, int (*enter)(struct stage *stage))
{
	struct vfio_set set;
	struct stage stage;
	char c = 0;

	self->pid = fork_vmm();
	if (!self->pid) {
		if (devices_open(&set, 0, NR_DEVICES) || devices_settle(&set) ||
		    stage_open(&stage, set.dev) || enter(&stage))
			_exit(1);
		tell(self->told[1], '+');
		for (;;)
			pause();
	}
	close(self->told[1]);
	self->told[1] = -1;
	return read(self->told[0], &c, 1) == 1 ? 0 : -EIO;
}

static void check_gone(struct __test_metadata *_metadata, struct _test_data_vmm *self)
{
	int i;

	EXPECT_EQ(0, module_wait_unused());
	for (i = 0; i < NR_DEVICES; i++) {
		EXPECT_EQ(0, device_knobs_default(self->addr[i]));
		EXPECT_TRUE(device_reopens(self->addr[i]));
	}
}

/* --- killed ------------------------------------------------------------------------ */

FIXTURE(killed)
{
	FIXTURE_DATA(vmm) vmm;
};

FIXTURE_VARIANT(killed)
{
	int (*enter)(struct stage *stage);
};

FIXTURE_VARIANT_ADD(killed, idle) { .enter = phase_idle };
FIXTURE_VARIANT_ADD(killed, asking) { .enter = phase_asking };
FIXTURE_VARIANT_ADD(killed, batch) { .enter = phase_batch };
FIXTURE_VARIANT_ADD(killed, precopy_idle) { .enter = phase_precopy_idle };
FIXTURE_VARIANT_ADD(killed, precopy_busy) { .enter = phase_precopy_busy };
FIXTURE_VARIANT_ADD(killed, switchover) { .enter = phase_switchover };
FIXTURE_VARIANT_ADD(killed, quiescing) { .enter = phase_quiescing };
FIXTURE_VARIANT_ADD(killed, stopping) { .enter = phase_stopping };
FIXTURE_VARIANT_ADD(killed, saving) { .enter = phase_saving };
FIXTURE_VARIANT_ADD(killed, streaming) { .enter = phase_streaming };
FIXTURE_VARIANT_ADD(killed, blocked) { .enter = phase_blocked };
FIXTURE_VARIANT_ADD(killed, verdict) { .enter = phase_verdict };
FIXTURE_VARIANT_ADD(killed, ready) { .enter = phase_ready };
FIXTURE_VARIANT_ADD(killed, loading) { .enter = phase_loading };
FIXTURE_VARIANT_ADD(killed, load_arc) { .enter = phase_load_arc };
FIXTURE_VARIANT_ADD(killed, confirm) { .enter = phase_confirm };
FIXTURE_VARIANT_ADD(killed, buffers) { .enter = phase_buffers };
FIXTURE_VARIANT_ADD(killed, adopted) { .enter = phase_adopted };

FIXTURE_SETUP(killed)
{
	vmm_setup(_metadata, &self->vmm, NULL);
}

FIXTURE_TEARDOWN(killed)
{
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(killed, by_9)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int status;

	ASSERT_EQ(0, vmm_start(vmm, variant->enter));
	EXPECT_LT(0, module_users());
	ASSERT_EQ(0, kill(vmm->pid, SIGKILL));
	ASSERT_EQ(vmm->pid, waitpid(vmm->pid, &status, 0));
	vmm->pid = 0;
	EXPECT_TRUE(WIFSIGNALED(status));
	check_gone(_metadata, vmm);
}

/* --- stopped and continued ------------------------------------------------------------ */

/* All of a migration, both ends in the VMM. */
static int migrate_slowly(struct stage *stage)
{
	struct pair pair;

	stage_close(stage);
	return attr_write_num(stage->dev[0].addr, "state_size", MIB) ?:
	       attr_write_num(stage->dev[0].addr, "read_us_per_mib", 1000000) ?:
	       attr_write_num(stage->dev[0].addr, "read_chunk", 4096) ?:
	       attr_write_num(stage->dev[0].addr, "headerless", 0) ?:
	       attr_write_num(stage->dev[1].addr, "headerless", 0) ?:
	       pair_open(&pair, &stage->dev[0], &stage->dev[1], 1, 2) ?:
	       pair_start(&pair, true, STAGING) ?: pair_finish(&pair) ?:
	       pair_equal(&pair) ? 0 : -EIO;
}

TEST_F(vmm, stopped_and_continued)
{
	struct vfio_set set;
	struct stage stage;
	__u64 bytes;
	int status;

	self->pid = fork_vmm();
	if (!self->pid) {
		if (devices_open(&set, 0, NR_DEVICES) || devices_settle(&set) ||
		    stage_open(&stage, set.dev))
			_exit(1);
		_exit(migrate_slowly(&stage) ? 1 : 0);
	}
	ASSERT_EQ(0, saved_wait(self->addr[0], 8192));
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	/* what is in a step may end it; then nothing moves */
	usleep(100000);
	bytes = attr_read_num(self->addr[0], "saved_bytes");
	usleep(200000);
	EXPECT_EQ(bytes, attr_read_num(self->addr[0], "saved_bytes"));
	EXPECT_GT(MIB, bytes);

	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, status);
	check_gone(_metadata, self);
}

/* --- the device goes away ---------------------------------------------------------------- */

FIXTURE(unbound)
{
	FIXTURE_DATA(vmm) vmm;
};

FIXTURE_VARIANT(unbound)
{
	int (*enter)(struct stage *stage);
};

FIXTURE_VARIANT_ADD(unbound, idle) { .enter = phase_idle };
FIXTURE_VARIANT_ADD(unbound, asking) { .enter = phase_asking };
FIXTURE_VARIANT_ADD(unbound, batch) { .enter = phase_batch };
FIXTURE_VARIANT_ADD(unbound, precopy_idle) { .enter = phase_precopy_idle };
FIXTURE_VARIANT_ADD(unbound, precopy_busy) { .enter = phase_precopy_busy };
FIXTURE_VARIANT_ADD(unbound, switchover) { .enter = phase_switchover };
FIXTURE_VARIANT_ADD(unbound, quiescing) { .enter = phase_quiescing };
FIXTURE_VARIANT_ADD(unbound, stopping) { .enter = phase_stopping };
FIXTURE_VARIANT_ADD(unbound, saving) { .enter = phase_saving };
FIXTURE_VARIANT_ADD(unbound, streaming) { .enter = phase_streaming };
FIXTURE_VARIANT_ADD(unbound, blocked) { .enter = phase_blocked };
FIXTURE_VARIANT_ADD(unbound, verdict) { .enter = phase_verdict };
FIXTURE_VARIANT_ADD(unbound, ready) { .enter = phase_ready };
FIXTURE_VARIANT_ADD(unbound, loading) { .enter = phase_loading };
FIXTURE_VARIANT_ADD(unbound, load_arc) { .enter = phase_load_arc };
FIXTURE_VARIANT_ADD(unbound, confirm) { .enter = phase_confirm };
FIXTURE_VARIANT_ADD(unbound, buffers) { .enter = phase_buffers };
FIXTURE_VARIANT_ADD(unbound, adopted) { .enter = phase_adopted };

FIXTURE_SETUP(unbound)
{
	vmm_setup(_metadata, &self->vmm, NULL);
}

FIXTURE_TEARDOWN(unbound)
{
	driver_write("bind", self->vmm.addr[1]);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/*
 * Device 1 is unbound while the session uses it. The session fails and lets it go; when
 * the VMM has closed it as well, the driver is gone. Device 0 is not harmed.
 */
TEST_F(unbound, during)
{
	struct _test_data_vmm *vmm = &self->vmm;
	struct vfio_set set;
	struct stage stage;
	int status;

	ASSERT_EQ(0, devices_open(&set, 0, NR_DEVICES));
	ASSERT_EQ(0, stage_open(&stage, set.dev));
	ASSERT_EQ(0, variant->enter(&stage));
	vmm->pid = fork_vmm();
	if (!vmm->pid) {
		/* not ours to keep open */
		close(stage.fd);
		vfio_set_close(&set);
		_exit(driver_write("unbind", vmm->addr[1]) ? 1 : 0);
	}
	ASSERT_EQ(0, session_wait(stage.fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(stage.fd, ENODEV, vmm->addr[1]));
	EXPECT_TRUE(session_blames(stage.fd, 1, NO_INDEX));
	EXPECT_EQ(0, set_state(&set.dev[0], RUNNING, NULL));
	EXPECT_EQ(0, waitpid(vmm->pid, &status, WNOHANG));

	close(set.dev[1].fd);
	ASSERT_EQ(vmm->pid, waitpid(vmm->pid, &status, 0));
	vmm->pid = 0;
	EXPECT_EQ(0, status);
	/* what the session says of it is still there */
	EXPECT_TRUE(session_says(stage.fd, ENODEV, vmm->addr[1]));
	stage_close(&stage);
	vfio_set_close(&set);
	ASSERT_EQ(0, driver_write("bind", vmm->addr[1]));
	check_gone(_metadata, vmm);
}

/* --- killed, with a session that lies in its own channel ------------------------------- */

FIXTURE(knot)
{
	FIXTURE_DATA(vmm) vmm;
	int fd;		/* the session, which will be the VMM's */
	int sock[2];	/* the peer's end of its channel, and its own */
};

FIXTURE_VARIANT(knot)
{
	bool load;	/* somebody takes it out of the socket */
	bool closed;	/* nobody else has it then */
};

FIXTURE_VARIANT_ADD(knot, unread) { };
FIXTURE_VARIANT_ADD(knot, unread_last) { .closed = true };
FIXTURE_VARIANT_ADD(knot, read) { .load = true };
FIXTURE_VARIANT_ADD(knot, read_last) { .load = true, .closed = true };

FIXTURE_SETUP(knot)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->fd = session_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, peer_pair_unix(self->sock));
}

FIXTURE_TEARDOWN(knot)
{
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* Fork a VMM that makes the session its own. */
static int owner_start(struct _test_data_knot *self, bool load, bool closed)
{
	struct _test_data_vmm *vmm = &self->vmm;
	struct vfio_set set;
	char c = 0;

	vmm->pid = fork_vmm();
	if (!vmm->pid) {
		if (devices_open(&set, 0, NR_DEVICES) || devices_settle(&set) ||
		    session_device_add(self->fd, set.dev[0].fd, idstrs[0], 0) ||
		    session_channel_add(self->fd, self->sock[1], 0) ||
		    (load && session_load(self->fd, 0, NONE, STAGING)))
			_exit(1);
		close(self->sock[0]);
		close(self->sock[1]);
		if (closed)
			close(self->fd);
		tell(vmm->told[1], '+');
		for (;;)
			pause();
	}
	close(self->sock[1]);
	close(vmm->told[1]);
	vmm->told[1] = -1;
	return read(vmm->told[0], &c, 1) == 1 ? 0 : -EIO;
}

/* Is all taken that was sent? */
static int wait_taken(int sock)
{
	int i, n;

	for (i = 0; i < WAIT_MS; i++) {
		if (ioctl(sock, SIOCOUTQ, &n))
			return -errno;
		if (!n)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* What a worker puts is closed some time after it has let the module go. */
static bool reopens_soon(const char *addr)
{
	int i;

	for (i = 0; i < WAIT_MS / 10; i++) {
		if (device_reopens(addr))
			return true;
		usleep(10000);
	}
	return false;
}

/*
 * Who has the session's file sends it by the session's channel. It is on its way when nobody
 * else has it any more: neither the socket nor who reads from it may keep it.
 */
TEST_F(knot, killed)
{
	const struct peer_init init = peer_init(0);
	struct _test_data_vmm *vmm = &self->vmm;
	const bool refused = peer_file_refused();
	int i, status;

	ASSERT_EQ(0, owner_start(self, variant->load, variant->closed));
	/* nor may anybody read it before that */
	ASSERT_EQ(0, kill(vmm->pid, SIGSTOP));
	ASSERT_EQ(vmm->pid, waitpid(vmm->pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(refused ? -EPERM : 0,
		  peer_send_file(self->sock[0], &init, sizeof(init), self->fd));
	/* if it is not on its way, the last close waits for threads of the VMM */
	if (!refused)
		close(self->fd);
	ASSERT_EQ(0, kill(vmm->pid, SIGCONT));
	if (refused)
		close(self->fd);
	if (variant->load)
		ASSERT_EQ(0, wait_taken(self->sock[0]));
	ASSERT_EQ(0, kill(vmm->pid, SIGKILL));
	ASSERT_EQ(vmm->pid, waitpid(vmm->pid, &status, 0));
	vmm->pid = 0;
	close(self->sock[0]);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, module_wait_unused());
	for (i = 0; i < NR_DEVICES; i++)
		EXPECT_TRUE(reopens_soon(vmm->addr[i]));
}

TEST_HARNESS_MAIN
