// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_LINK_ATTACH: which links can be attached, and what a link is afterwards; the
 * names of its channels.
 * Links are made by netlink.
 */
#include <sched.h>
#include <stddef.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

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

TEST_F(link, dealt_out_by_weight)
{
	struct _test_data_vmm *vmm = &self->vmm;
	struct timeline t;

	ASSERT_EQ(0, link_make(self, "l", 4));
	ASSERT_EQ(0, session_device_add_weighted(vmm->fd, vmm->dev[0].fd, idstrs[0], 0, 5));
	ASSERT_EQ(1, session_device_add_weighted(vmm->fd, vmm->dev[1].fd, idstrs[1], 0, 15));
	EXPECT_EQ(4, session_link_attach(vmm->fd, "l"));
	ASSERT_EQ(0, session_timeline(vmm->fd, &t));
	EXPECT_EQ(1, t.dev[0].nr_channels);
	EXPECT_EQ(3, t.dev[1].nr_channels);
}

TEST_F(link, shared)
{
	struct _test_data_vmm *vmm = &self->vmm;

	ASSERT_EQ(0, link_make(self, "l", 1));
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(1, session_device_add(vmm->fd, vmm->dev[1].fd, idstrs[1], 0));
	EXPECT_EQ(1, session_link_attach_shared(vmm->fd, "l"));
	EXPECT_EQ(0, session_save(vmm->fd, 0, RUNNING, 0));
	EXPECT_EQ(0, peer_drain(self->peer, 1, 2));
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

/* What a channel of each kind is called; fd[0] is the one that becomes a channel. */
static int names_of(struct nl *nl, int fd[2], struct nl_channels *ch)
{
	int ret = nl_channel_new(nl, "l", fd[0], ch);

	if (!ret)
		ret = nl_channel(nl, VFIO_MIGMUX_CMD_CHANNEL_GET, "l", ch->id, ch);
	close(fd[0]);
	close(fd[1]);
	return ret;
}

static int accepted(int server, int client)
{
	int fd = accept(server, NULL, NULL);

	close(server);
	return client < 0 ? -1 : fd;
}

TEST_F(link, names_of_unix)
{
	static const char odd[] = "\0a b\n\0\xff";
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/tmp/netlink_test" };
	const socklen_t odd_len = offsetof(struct sockaddr_un, sun_path) + sizeof(odd) - 1;
	struct nl *nl = &self->nl;
	struct nl_channels ch;
	int fd[2], server;

	ASSERT_EQ(0, nl_link_new(nl, "l"));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_STREQ("unix:(unnamed)", ch.local);
	EXPECT_STREQ("unix:(unnamed)", ch.peer);

	unlink(addr.sun_path);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(server, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(server, 1));
	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(fd[0], (struct sockaddr *)&addr, sizeof(addr)));
	unlink(addr.sun_path);
	fd[1] = accepted(server, fd[0]);
	ASSERT_LE(0, fd[1]);
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_STREQ("unix:(unnamed)", ch.local);
	EXPECT_STREQ("unix:/tmp/netlink_test", ch.peer);

	memcpy(addr.sun_path, odd, sizeof(odd) - 1);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(server, (struct sockaddr *)&addr, odd_len));
	ASSERT_EQ(0, listen(server, 1));
	fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(fd[1], (struct sockaddr *)&addr, odd_len));
	fd[0] = accepted(server, fd[1]);
	ASSERT_LE(0, fd[0]);
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_STREQ("unix:@a b\\x0a\\x00\\xff", ch.local);
	EXPECT_STREQ("unix:(unnamed)", ch.peer);

	/* the longest name there is; what is too long in hex is cut */
	memset(addr.sun_path, 'x', sizeof(addr.sun_path));
	addr.sun_path[0] = '\0';
	addr.sun_path[106] = '\n';
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(server, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(server, 1));
	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(fd[0], (struct sockaddr *)&addr, sizeof(addr)));
	fd[1] = accepted(server, fd[0]);
	ASSERT_LE(0, fd[1]);
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_EQ(0, strncmp("unix:@xxx", ch.peer, 9));
	EXPECT_LE(110, strlen(ch.peer));
	EXPECT_EQ(0, nl_link_del(nl, "l"));
}

TEST_F(link, names_of_vsock)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_LOCAL,
		.svm_port = VMADDR_PORT_ANY,
	};
	socklen_t len = sizeof(addr);
	struct nl *nl = &self->nl;
	struct nl_channels ch;
	char name[64];
	int fd[2], server;

	server = socket(AF_VSOCK, SOCK_STREAM, 0);
	fd[0] = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&addr, len) ||
	    listen(server, 1) || getsockname(server, (struct sockaddr *)&addr, &len) ||
	    connect(fd[0], (struct sockaddr *)&addr, len))
		SKIP(return, "vsock_loopback is not loaded");
	fd[1] = accepted(server, fd[0]);
	ASSERT_LE(0, fd[1]);
	ASSERT_EQ(0, nl_link_new(nl, "l"));
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_EQ(0, strncmp("vsock:any:", ch.local, 10));
	snprintf(name, sizeof(name), "vsock:1:%u", addr.svm_port);
	EXPECT_STREQ(name, ch.peer);
	EXPECT_EQ(0, nl_link_del(nl, "l"));
}

/* Chosen when the channel is made. */
TEST_F(link, send_methods)
{
	struct nl *nl = &self->nl;
	struct nl_channels ch;
	int fd[2];

	ASSERT_EQ(0, nl_link_new(nl, "l"));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_EQ(VFIO_MIGMUX_SEND_METHOD_ZEROCOPY, ch.method);
	ASSERT_EQ(0, peer_pair_unix(fd));
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_EQ(VFIO_MIGMUX_SEND_METHOD_SPLICE, ch.method);
	if (peer_pair_tls(fd))
		SKIP(return, "the module tls is not loaded");
	ASSERT_EQ(0, names_of(nl, fd, &ch));
	EXPECT_EQ(VFIO_MIGMUX_SEND_METHOD_SPLICE, ch.method);
	EXPECT_EQ(0, nl_link_del(nl, "l"));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
