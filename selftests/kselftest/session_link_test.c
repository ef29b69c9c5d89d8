// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_LINK_ATTACH: which links can be attached, and what a link is afterwards.
 * Links are made by netlink.
 */
#include <sched.h>

#include "mnl.h"
#include "session_fixture.h"

FIXTURE(link)
{
	FIXTURE_DATA(vmm) vmm;
	struct nl nl;
	int peer[4];
};

/* A link with channels, whose other ends are self->peer. */
static int link_make(struct _test_data_link *self, const char *name, int channels)
{
	struct nl_channels ch;
	int i, fd[2], ret;

	ret = nl_link_new(&self->nl, name);
	for (i = 0; i < channels && !ret; i++) {
		ret = peer_pair(fd);
		if (!ret)
			ret = nl_channel_new(&self->nl, name, fd[0], &ch);
		close(fd[0]);
		self->peer[i] = fd[1];
	}
	return ret;
}

FIXTURE_SETUP(link)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(self->peer); i++)
		self->peer[i] = -1;
	vmm_setup(_metadata, &self->vmm, NULL);
	if (!devices.n)
		return;
	ASSERT_EQ(0, nl_open(&self->nl));
}

FIXTURE_TEARDOWN(link)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(self->peer); i++)
		close(self->peer[i]);
	vmm_teardown(_metadata, &self->vmm, NULL);
	nl_link_del(&self->nl, "l");
	nl_link_del(&self->nl, "empty");
	nl_close(&self->nl);
}

#define LINK_SAYS(error, words, call) do {				\
	EXPECT_EQ(-(error), (call));					\
	EXPECT_TRUE(session_says(self->vmm.fd, (error), (words)));	\
} while (0)

TEST_F(link, refused)
{
	struct _test_data_vmm *vmm = &self->vmm;

	ASSERT_EQ(0, link_make(self, "l", 1));
	ASSERT_EQ(0, nl_link_new(&self->nl, "empty"));
	LINK_SAYS(EINVAL, "not terminated",
		  session_link_attach(vmm->fd, "0123456789abcdef0123456789abcdef"));
	LINK_SAYS(EINVAL, "no device", session_link_attach(vmm->fd, "l"));
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(1, session_device_add(vmm->fd, vmm->dev[1].fd, idstrs[1], 0));
	LINK_SAYS(ENOENT, "no link 'nolink'", session_link_attach(vmm->fd, "nolink"));
	LINK_SAYS(ENOENT, "no link ''", session_link_attach(vmm->fd, ""));
	LINK_SAYS(EINVAL, "link 'empty' has no channels",
		  session_link_attach(vmm->fd, "empty"));
	LINK_SAYS(EINVAL, "fewer channels", session_link_attach(vmm->fd, "l"));
	/* not taken */
	EXPECT_EQ(0, nl_link_del(&self->nl, "l"));
}

TEST_F(link, attached)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int other = session_open();
	struct nl_channels ch;
	struct timeline t;

	ASSERT_EQ(0, link_make(self, "l", 3));
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(1, session_device_add(vmm->fd, vmm->dev[1].fd, idstrs[1], 0));
	EXPECT_EQ(3, session_link_attach(vmm->fd, "l"));
	/* dealt out in turn */
	ASSERT_EQ(0, session_timeline(vmm->fd, &t));
	EXPECT_EQ(2, t.dev[0].nr_channels);
	EXPECT_EQ(1, t.dev[1].nr_channels);

	/* it is ours, and brings all there is */
	ASSERT_EQ(0, session_device_add(other, vmm->dev[2].fd, idstrs[2], 0));
	EXPECT_EQ(-EBUSY, session_link_attach(other, "l"));
	EXPECT_TRUE(session_says(other, EBUSY, "'l'"));
	EXPECT_EQ(-EBUSY, nl_link_del(&self->nl, "l"));
	EXPECT_EQ(-EBUSY, nl_channel(&self->nl, VFIO_MIGMUX_CMD_CHANNEL_DEL, "l", 0, &ch));
	LINK_SAYS(EBUSY, "already", session_link_attach(vmm->fd, "l"));
	LINK_SAYS(EBUSY, "link is attached",
		  session_device_add(vmm->fd, vmm->dev[3].fd, idstrs[3], 0));
	LINK_SAYS(EBUSY, "link is attached", session_device_remove(vmm->fd, 0));
	LINK_SAYS(EBUSY, "link is attached", session_channel_add(vmm->fd, -1, 0));

	/* a session that did nothing gives it back as it was */
	close(vmm->fd);
	EXPECT_EQ(3, session_link_attach(other, "l"));
	close(other);
	vmm->fd = session_open();
}

/* After a failure nobody knows what is on the wire. */
TEST_F(link, dead_after_failure)
{
	struct _test_data_vmm *vmm = &self->vmm;

	ASSERT_EQ(0, link_make(self, "l", 1));
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(1, session_link_attach(vmm->fd, "l"));
	ASSERT_EQ(0, session_save(vmm->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, session_abort(vmm->fd, RUNNING));
	close(vmm->fd);
	vmm->fd = session_open();
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	LINK_SAYS(ENOTCONN, "link 'l' is dead", session_link_attach(vmm->fd, "l"));
	EXPECT_EQ(0, nl_link_del(&self->nl, "l"));
	LINK_SAYS(ENOENT, "'l'", session_link_attach(vmm->fd, "l"));
}

/* A link belongs to a network namespace, and so does a session: that of its opener. */
TEST_F(link, namespaces)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int status = -1, fd;
	pid_t pid;

	ASSERT_EQ(0, link_make(self, "l", 1));
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(4);
		fd = session_open();
		if (session_device_add(fd, vmm->dev[0].fd, idstrs[0], 0))
			_exit(1);
		_exit(session_link_attach(fd, "l") == -ENOENT ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
