// SPDX-License-Identifier: GPL-2.0-only
/*
 * What makes up a session: devices and channels; every refusal with its errno and
 * its text, and that a refusal changes nothing.
 */
#include <netinet/in.h>

#include "session_fixture.h"

#define NAME_255 \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"012345678901234567890123456789012345678901234567890123456789012"

TEST_F(vmm, device_add_wrong_files)
{
	const int files[] = {
		self->dev[0].group_fd, devices.container, self->fd,
		open("/dev/null", O_RDWR), socket(AF_INET, SOCK_STREAM, 0),
	};
	int i, closed = dup(0);

	close(closed);
	EXPECT_SAYS(EBADF, "descriptor -1 is not open",
		    session_device_add(self->fd, -1, "x", 0));
	EXPECT_SAYS(EBADF, "is not open", session_device_add(self->fd, closed, "x", 0));
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		char text[32];

		snprintf(text, sizeof(text), "descriptor %d ", files[i]);
		EXPECT_SAYS(EBADF, text,
			    session_device_add(self->fd, files[i], "x", 0));
		EXPECT_TRUE(session_says(self->fd, EBADF, "VFIO device"));
	}
	/* and the session is none the worse */
	EXPECT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
}

/* What has no driver state yet must not be asked about its migration. */
TEST_F(vmm, device_add_unopened)
{
	int fd = open("/dev/vfio/devices/vfio0", O_RDWR);

	if (fd < 0)
		SKIP(return, "no VFIO device nodes");
	EXPECT_SAYS(EBADF, "opened", session_device_add(self->fd, fd, "x", 0));
}

/* Nor is a device told to do what the VMM may have where nobody has anything. */
TEST_F(vmm, device_add_page_zero)
{
	const struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_mig_state state;
	} stop = {
		.feature.argsz = sizeof(stop),
		.feature.flags = VFIO_DEVICE_FEATURE_SET |
				 VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		.state.device_state = STOP,
		.state.data_fd = -1,
	};
	int fd = memfd_create("zero", MFD_CLOEXEC);

	ASSERT_EQ(sizeof(stop), write(fd, &stop, sizeof(stop)));
	if (mmap(NULL, sizeof(stop), PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0))
		SKIP(return, "nothing can be mapped at 0");
	EXPECT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	EXPECT_EQ(0, munmap(NULL, sizeof(stop)));
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	close(fd);
}

TEST_F(vmm, device_add_cannot_migrate)
{
	char *name = getenv("PLAIN_DEVICE");
	struct vfio_set set;

	if (!name)
		SKIP(return, "PLAIN_DEVICE names no device bound to vfio-pci");
	ASSERT_EQ(0, vfio_set_open(&set, 1, &name));
	EXPECT_SAYS(EOPNOTSUPP, "does not support migration",
		    session_device_add(self->fd, set.dev[0].fd, "x", 0));
	vfio_set_close(&set);
}

TEST_F(vmm, device_add_twice)
{
	int other = session_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 3));
	EXPECT_SAYS(EEXIST, self->dev[0].addr,
		    session_device_add(self->fd, self->dev[0].fd, "y", 0));
	EXPECT_SAYS(EEXIST, "x, instance 3",
		    session_device_add(self->fd, self->dev[1].fd, "x", 3));
	/* an identity has two halves */
	EXPECT_EQ(1, session_device_add(self->fd, self->dev[1].fd, "x", 4));

	EXPECT_EQ(-EBUSY, session_device_add(other, self->dev[0].fd, "x", 0));
	EXPECT_TRUE(session_says(other, EBUSY, self->dev[0].addr));
	EXPECT_TRUE(session_says(other, EBUSY, "another session"));
	/* free again when it is removed, and when its session is closed */
	EXPECT_EQ(0, session_device_remove(self->fd, 0));
	EXPECT_EQ(0, session_device_add(other, self->dev[0].fd, "x", 0));
	close(self->fd);
	EXPECT_EQ(1, session_device_add(other, self->dev[1].fd, "y", 0));
	close(other);
	self->fd = session_open();
}

TEST_F(vmm, device_add_names)
{
	static const struct {
		const char *idstr;
		const char *words;
	} bad[] = {
		{ "", "empty" },
		{ "a\nb", "unprintable byte 0xa" },
		{ "a\x7f", "unprintable byte 0x7f" },
		{ "\xc3\xa4", "unprintable byte 0xc3" },
	};
	struct vfio_migmux_device_add add = {
		.argsz = sizeof(add),
		.device_fd = self->dev[0].fd,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_SAYS(EINVAL, bad[i].words,
			    session_device_add(self->fd, self->dev[0].fd,
					       bad[i].idstr, 0));
	memset(add.idstr, 'x', sizeof(add.idstr));
	EXPECT_SAYS(EINVAL, "not terminated",
		    session_call(self->fd, VFIO_MIGMUX_DEVICE_ADD, &add));
	EXPECT_EQ(0, session_device_add(self->fd, self->dev[0].fd, NAME_255, 0));
	EXPECT_EQ(1, session_device_add(self->fd, self->dev[1].fd, " ~", 0));
}

TEST_F(vmm, device_add_tells)
{
	struct vfio_migmux_device_add add = {
		.argsz = sizeof(add),
		.device_fd = self->dev[0].fd,
		.idstr = "x",
		.index = 77,
		.migration_flags = 77,
	};

	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_DEVICE_ADD, &add));
	EXPECT_EQ(0, add.index);
	EXPECT_EQ(self->dev[0].migration_flags, add.migration_flags);
}

/* An index is given out once, and there are as many as GET_INFO says. */
TEST_F(vmm, device_limit)
{
	struct vfio_migmux_info info = { .argsz = sizeof(info) };
	int i;

	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_GET_INFO, &info));
	ASSERT_LT(SESSION_DEVICES, info.max_devices);
	for (i = 0; i < info.max_devices; i++) {
		ASSERT_EQ(i, session_device_add(self->fd, self->dev[0].fd, "x", 0));
		ASSERT_EQ(0, session_device_remove(self->fd, i));
	}
	EXPECT_SAYS(ENOSPC, "at most",
		    session_device_add(self->fd, self->dev[0].fd, "x", 0));
}

TEST_F(vmm, device_remove)
{
	struct timeline timeline;

	EXPECT_SAYS(ENOENT, "no device 0", session_device_remove(self->fd, 0));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	ASSERT_EQ(1, session_device_add(self->fd, self->dev[1].fd, "y", 0));
	EXPECT_SAYS(ENOENT, "no device 2", session_device_remove(self->fd, 2));
	EXPECT_SAYS(ENOENT, "4294967295", session_device_remove(self->fd, NO_INDEX));
	EXPECT_EQ(0, session_device_remove(self->fd, 0));
	EXPECT_SAYS(ENOENT, "no device 0", session_device_remove(self->fd, 0));

	/* the others keep their index, and steps go on with them */
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	EXPECT_TRUE(device_is(&self->dev[1], STOP));
	ASSERT_EQ(0, session_timeline(self->fd, &timeline));
	ASSERT_EQ(1, timeline.t.nr_devices);
	EXPECT_EQ(1, timeline.dev[0].index);
}

TEST_F(vmm, channel_add_wrong_files)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd[2];

	EXPECT_SAYS(ENOENT, "no device 0", session_channel_add(self->fd, -1, 0));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	EXPECT_SAYS(EBADF, "descriptor -1", session_channel_add(self->fd, -1, 0));
	EXPECT_SAYS(ENOTSOCK, "socket",
		    session_channel_add(self->fd, self->dev[0].fd, 0));
	fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_SAYS(EPROTOTYPE, "SOCK_STREAM", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);

	/* any kind of stream that is none of ours */
	fd[0] = socket(AF_TIPC, SOCK_STREAM, 0);
	ASSERT_LE(0, fd[0]);
	EXPECT_SAYS(EAFNOSUPPORT, "TCP", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd));
	EXPECT_SAYS(EPROTOTYPE, "SOCK_STREAM", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	close(fd[1]);

	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_SAYS(ENOTCONN, "connect", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_SAYS(ENOTCONN, "connect", session_channel_add(self->fd, fd[0], 0));
	ASSERT_EQ(0, bind(fd[0], (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(fd[0], 1));
	EXPECT_SAYS(ENOTCONN, "connect", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);

	/* connected once, and closed by the peer */
	ASSERT_EQ(0, peer_pair(fd));
	close(fd[1]);
	EXPECT_TRUE(peer_at_eof(fd[0], 5000));
	EXPECT_SAYS(ENOTCONN, "connect", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
}

TEST_F(vmm, channel_add_twice)
{
	int other = session_open();
	int fd[2], copy;

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	ASSERT_EQ(0, session_device_add(other, self->dev[1].fd, "y", 0));
	ASSERT_EQ(0, peer_pair(fd));
	copy = dup(fd[0]);
	EXPECT_SAYS(ENOENT, "no device 1", session_channel_add(self->fd, fd[0], 1));
	EXPECT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	EXPECT_SAYS(EEXIST, "already", session_channel_add(self->fd, fd[0], 0));
	EXPECT_SAYS(EEXIST, "already", session_channel_add(self->fd, copy, 0));
	EXPECT_EQ(-EEXIST, session_channel_add(other, fd[0], 0));
	EXPECT_EQ(1, session_channel_add(self->fd, fd[1], 0));

	/* the session holds the socket, and lets it go with its device */
	close(copy);
	close(fd[0]);
	EXPECT_FALSE(peer_at_eof(fd[1], 0));
	EXPECT_EQ(0, session_device_remove(self->fd, 0));
	EXPECT_TRUE(peer_at_eof(fd[1], 5000));
	close(other);
}

TEST_F(vmm, channel_limit)
{
	struct vfio_migmux_info info = { .argsz = sizeof(info) };
	int i, fd[2];

	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_GET_INFO, &info));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	for (i = 0; i < info.max_channels; i++) {
		ASSERT_EQ(0, peer_pair(fd));
		ASSERT_EQ(i, session_channel_add(self->fd, fd[0], 0));
		close(fd[0]);
		close(fd[1]);
	}
	ASSERT_EQ(0, peer_pair(fd));
	EXPECT_SAYS(ENOSPC, "at most", session_channel_add(self->fd, fd[0], 0));
}

/* What belongs before SAVE is refused after it, and all after a failure. */
TEST_F(vmm, too_late)
{
	int fd[2], more[2];

	EXPECT_SAYS(EINVAL, "no device", session_save(self->fd, 0, RUNNING, 0));
	EXPECT_SAYS(EINVAL, "no device", session_load(self->fd, 0, RUNNING, 0));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	ASSERT_EQ(1, session_device_add(self->fd, self->dev[1].fd, "y", 0));
	EXPECT_SAYS(ENOTCONN, "no channel", session_save(self->fd, 0, RUNNING, 0));
	EXPECT_SAYS(ENOTCONN, "no channel", session_load(self->fd, 0, RUNNING, 0));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, peer_pair(more));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	EXPECT_SAYS(ENOTCONN, "device 1", session_save(self->fd, 0, RUNNING, 0));
	/* not the other end of the same connection: each would be the other's peer */
	ASSERT_EQ(1, session_channel_add(self->fd, more[0], 1));
	EXPECT_SAYS(ENOSPC, "over the limit", session_save(self->fd, 0, RUNNING, ~0ULL));
	EXPECT_SAYS(ENOSPC, "over the limit", session_load(self->fd, 0, RUNNING, ~0ULL));
	EXPECT_SAYS(EINVAL, "recover", session_save(self->fd, 0, STOP_COPY, 0));
	EXPECT_SAYS(EINVAL, "recover", session_load(self->fd, 0, 99, 0));

	ASSERT_EQ(0, session_save(self->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 0));
	EXPECT_SAYS(EBUSY, "saves or loads",
		    session_device_add(self->fd, self->dev[2].fd, "z", 0));
	EXPECT_SAYS(EBUSY, "saves or loads", session_device_remove(self->fd, 0));
	EXPECT_SAYS(EBUSY, "saves or loads", session_channel_add(self->fd, fd[1], 0));
	EXPECT_SAYS(EBUSY, "once", session_save(self->fd, 0, RUNNING, 0));
	EXPECT_SAYS(EBUSY, "once", session_load(self->fd, 0, RUNNING, 0));

	ASSERT_EQ(0, session_abort(self->fd, RUNNING));
	EXPECT_EQ(-ECANCELED, session_device_add(self->fd, self->dev[2].fd, "z", 0));
	EXPECT_EQ(-ECANCELED, session_device_remove(self->fd, 0));
	EXPECT_EQ(-ECANCELED, session_channel_add(self->fd, fd[1], 0));
	EXPECT_EQ(-ECANCELED, session_save(self->fd, 0, RUNNING, 0));
	EXPECT_EQ(-ECANCELED, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	/* what the failure was is not covered by what was refused after it */
	EXPECT_TRUE(session_says(self->fd, ECANCELED, "aborted"));
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	EXPECT_TRUE(device_is(&self->dev[1], RUNNING));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
