// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device is unregistered when its session has handed over. It is let go as soon as no batch
 * uses it; and no later batch claims to have moved it.
 *
 * It is one device more than those that main() opens, and has a reset or two of its own.
 */
#include "session_fixture.h"

FIXTURE(gone)
{
	FIXTURE_DATA(vmm) vmm;
	int fd;			/* the session, for EXPECT_SAYS() */
	char addr[VFIO_ADDR_MAX];
	struct vfio_set own;	/* the one that goes */
	pid_t pid;		/* who unbinds it, 0 when that is over */
	int over;		/* hangs up then */
};

FIXTURE_SETUP(gone)
{
	char addr[SESSION_DEVICES + 1][VFIO_ADDR_MAX];

	if (devices_names(addr, SESSION_DEVICES + 1) <= SESSION_DEVICES)
		SKIP(return, "wants one device more");
	vmm_setup(_metadata, &self->vmm, NULL);
	self->fd = self->vmm.fd;
	self->pid = 0;
	self->over = -1;
	memcpy(self->addr, addr[SESSION_DEVICES], sizeof(self->addr));
	ASSERT_EQ(0, device_knobs_default(self->addr));
	ASSERT_EQ(0, devices_open(&self->own, SESSION_DEVICES, 1));
}

FIXTURE_TEARDOWN(gone)
{
	close(self->vmm.fd);
	self->vmm.fd = -1;
	vfio_set_close(&self->own);
	if (self->pid > 0)
		waitpid(self->pid, NULL, 0);
	close(self->over);
	EXPECT_EQ(0, driver_write("bind", self->addr));
	EXPECT_EQ(0, attr_write_num(self->addr, "state_size", STATE_SIZE));
	EXPECT_TRUE(device_reopens(self->addr));
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* A destination that has loaded nothing, and owns its devices. */
static int hand_over(int fd, struct vfio_dev *const *dev, int n)
{
	int i, ret = 0;

	for (i = 0; i < n && ret >= 0; i++) {
		ret = attr_write(dev[i]->addr, "headerless", "1");
		if (!ret)
			ret = session_device_add(fd, dev[i]->fd, idstrs[i], 0);
	}
	if (ret >= 0)
		ret = session_load(fd, VFIO_MIGMUX_LOAD_BUFFERS, NONE, STAGING);
	for (i = 0; i < n && !ret; i++)
		ret = session_load_buffer(fd, 0, idstrs[i], 0, true, NULL, 0);
	return ret ?: session_wait(fd, M_LOADED | M_HANDED_OVER, WAIT_MS);
}

/* The VMM itself has it open no longer; else a process of its own would wait for that. */
static int unbind_begin(struct _test_data_gone *self)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	close(self->own.dev[0].fd);
	self->own.dev[0].fd = -1;
	self->pid = fork();
	if (!self->pid) {
		/* not ours to keep open */
		close(self->fd);
		vfio_set_close(&self->own);
		_exit(driver_write("unbind", self->addr) ? 1 : 0);
	}
	close(fd[1]);
	self->over = fd[0];
	return self->pid < 0 ? -EAGAIN : 0;
}

static int unbind_end(struct _test_data_gone *self)
{
	int status;

	if (session_poll(self->over, POLLIN, WAIT_MS) != POLLHUP)
		return -ETIMEDOUT;
	waitpid(self->pid, &status, 0);
	self->pid = 0;
	return status;
}

/* Wait until the session knows that a device has gone. */
static int gone_wait(int fd, __u32 device)
{
	struct timeline t;
	int i, ret;

	for (i = 0; i < WAIT_MS; i++) {
		ret = session_timeline(fd, &t);
		if (ret || t.dev[device].error == ENODEV)
			return ret;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

TEST_F(gone, during_batch)
{
	struct vfio_dev *const dev[] = { &self->vmm.dev[0], &self->own.dev[0] };
	int i;

	ASSERT_EQ(0, hand_over(self->fd, dev, 2));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, attr_write(dev[i]->addr, "arcs", "STOP>RUNNING_P2P=2000"));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, NONE, VFIO_MIGMUX_SET_STATE_ASYNC,
				       0, NULL));
	ASSERT_EQ(0, unbind_begin(self));
	ASSERT_EQ(0, gone_wait(self->fd, 1));
	ASSERT_EQ(-ETIMEDOUT, session_wait(self->fd, M_BATCH, 0));
	ASSERT_EQ(0, session_wait(self->fd, M_BATCH, WAIT_MS));
	/* and the session is still open */
	EXPECT_EQ(0, unbind_end(self));
	EXPECT_TRUE(device_is(dev[0], RUNNING));
	EXPECT_EQ(0, session_reached(self->fd) & M_FAILED);
}

TEST_F(gone, before_batch)
{
	struct vfio_dev *const dev[] = { &self->vmm.dev[0], &self->own.dev[0] };
	struct arc arcs[ARCS_MAX];

	ASSERT_EQ(0, hand_over(self->fd, dev, 2));
	ASSERT_EQ(0, unbind_begin(self));
	ASSERT_EQ(0, unbind_end(self));
	ASSERT_EQ(0, attr_write(dev[0]->addr, "arcs_log", "0"));
	EXPECT_SAYS(ENODEV, "was unregistered",
		    session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(session_says(self->fd, ENODEV, self->addr));
	EXPECT_TRUE(device_is(dev[0], STOP));
	EXPECT_EQ(0, arcs_read(dev[0]->addr, arcs));
	/* the VMM can go on without the session */
	EXPECT_EQ(0, set_state(dev[0], RUNNING, NULL));
}

/* No batch can begin, so the last one's milestone stays. */
TEST_F(gone, alone)
{
	struct vfio_dev *const dev[] = { &self->own.dev[0] };

	ASSERT_EQ(0, hand_over(self->fd, dev, 1));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, session_wait(self->fd, M_BATCH, 0));
	ASSERT_EQ(0, unbind_begin(self));
	ASSERT_EQ(0, unbind_end(self));
	EXPECT_SAYS(ENODEV, "was unregistered",
		    session_set_state(self->fd, STOP, NONE, VFIO_MIGMUX_SET_STATE_ASYNC,
				      0, NULL));
	EXPECT_TRUE(session_says(self->fd, ENODEV, self->addr));
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, 0));
	EXPECT_SAYS(ENODEV, "was unregistered",
		    session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, 0));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
