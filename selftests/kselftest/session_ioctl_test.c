// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all ioctls have in common: sizes, flags, reserved fields, bad pointers, who
 * may call. And the calls that only tell.
 */
#include "session_fixture.h"

/* @first: size of the structure's first version, which never changes */
#define IOCTL(name, type, first, flags, reserved_at, anyone, out) \
	{ #name, VFIO_MIGMUX_##name, first, sizeof(struct vfio_migmux_##type), flags, \
	  reserved_at, anyone, out }
#define RESERVED(type) ((int)offsetof(struct vfio_migmux_##type, reserved))
#define NO_RESERVED (-1)

static const struct {
	const char *name;
	unsigned int cmd;
	__u32 first;
	__u32 size;
	__u32 flags;
	int reserved_at;
	bool anyone;
	bool out;
} ioctls[] = {
	IOCTL(GET_INFO, info, 56, 0, NO_RESERVED, true, true),
	IOCTL(DEVICE_ADD, device_add, 288, 0, RESERVED(device_add), false, true),
	IOCTL(DEVICE_REMOVE, device_remove, 16, 0, RESERVED(device_remove), false, false),
	IOCTL(CHANNEL_ADD, channel_add, 24, 0, RESERVED(channel_add), false, true),
	IOCTL(LINK_ATTACH, link_attach, 48, VFIO_MIGMUX_LINK_ATTACH_SHARED, RESERVED(link_attach),
	      false, true),
	IOCTL(SET_STATE, set_state, 32, VFIO_MIGMUX_SET_STATE_ASYNC | VFIO_MIGMUX_SET_STATE_NO_P2P,
	      NO_RESERVED, false, true),
	IOCTL(SAVE, save, 24, VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_NO_P2P |
	      VFIO_MIGMUX_SAVE_NO_CONFIG | VFIO_MIGMUX_SAVE_PRECOPY |
	      VFIO_MIGMUX_SAVE_VERIFY | VFIO_MIGMUX_SAVE_READY, NO_RESERVED, false, false),
	IOCTL(LOAD, load, 48, VFIO_MIGMUX_LOAD_VERDICT | VFIO_MIGMUX_LOAD_NO_P2P |
	      VFIO_MIGMUX_LOAD_BUFFERS | VFIO_MIGMUX_LOAD_VERIFY, NO_RESERVED, false, false),
	IOCTL(CONFIG_SET, config, 24, 0, NO_RESERVED, false, false),
	IOCTL(CONFIG_GET, config, 24, 0, NO_RESERVED, false, true),
	IOCTL(WAIT, wait, 24, 0, RESERVED(wait), false, true),
	IOCTL(ABORT, abort, 16, 0, RESERVED(abort), false, false),
	IOCTL(TIMELINE, timeline, 176, 0, NO_RESERVED, false, true),
	IOCTL(LAST_ERROR, last_error, 264, 0, RESERVED(last_error), true, true),
	IOCTL(LOAD_BUFFER, load_buffer, 280, VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK, NO_RESERVED,
	      false, false),
	IOCTL(DATA_FD, data_fd, 24, 0, RESERVED(data_fd), false, false),
	IOCTL(PRECOPY_INFO, precopy_info, 56, 0, NO_RESERVED, false, true),
	IOCTL(PEER_INFO, peer_info, 48, 0, RESERVED(peer_info), false, true),
	IOCTL(DMA_MAP, dma_map, 48, 0, RESERVED(dma_map), false, true),
	IOCTL(DMA_UNMAP, dma_unmap, 32,
	      VFIO_MIGMUX_DMA_UNMAP_ALL | VFIO_MIGMUX_DMA_UNMAP_CANCEL,
	      RESERVED(dma_unmap), false, false),
	IOCTL(DMA_WAIT, dma_wait, 48, 0, NO_RESERVED, false, true),
};

/* An argument of any ioctl, with more behind it than any page has. */
struct arg {
	__u32 argsz;
	__u32 flags;
	__u8 rest[8192];
};

static struct arg arg;

static int call(int fd, int i, __u32 argsz)
{
	arg.argsz = argsz;
	return session_call(fd, ioctls[i].cmd, &arg);
}

TEST_F(vmm, sizes)
{
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		const __u32 first = ioctls[i].first, size = ioctls[i].size;

		ksft_print_msg("%s\n", ioctls[i].name);
		memset(&arg, 0, sizeof(arg));
		EXPECT_SAYS(EINVAL, "argsz is 0", call(self->fd, i, 0));
		EXPECT_SAYS(EINVAL, "argsz is 8", call(self->fd, i, 8));
		EXPECT_SAYS(EINVAL, "argsz", call(self->fd, i, first - 1));

		/* longer than the kernel knows */
		arg.rest[size - 8] = 1;
		EXPECT_SAYS(E2BIG, "not zero", call(self->fd, i, size + 8));
		EXPECT_SAYS(E2BIG, "page", call(self->fd, i, 8192));
		EXPECT_SAYS(E2BIG, "page", call(self->fd, i, 0xffffffff));
		arg.rest[size - 8] = 0;
		memset(&arg, 0, sizeof(arg));
		ret = call(self->fd, i, size + 8);
		EXPECT_NE(-E2BIG, ret);
		memset(&arg, 0, sizeof(arg));
		EXPECT_EQ(ret, call(self->fd, i, size));
		memset(&arg, 0, sizeof(arg));
		EXPECT_EQ(ret, call(self->fd, i, first));
		if (ioctls[i].cmd == VFIO_MIGMUX_ABORT) {
			close(self->fd);
			self->fd = session_open();
		}
	}
}

TEST_F(vmm, flags_and_reserved)
{
	__u32 bit;
	int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		ksft_print_msg("%s\n", ioctls[i].name);
		for (bit = 1; bit; bit <<= 1) {
			if (ioctls[i].flags & bit)
				continue;
			memset(&arg, 0, sizeof(arg));
			arg.flags = bit;
			EXPECT_SAYS(EINVAL, "flags", call(self->fd, i, ioctls[i].size));
		}
		if (ioctls[i].reserved_at == NO_RESERVED)
			continue;
		memset(&arg, 0, sizeof(arg));
		arg.rest[ioctls[i].reserved_at - 8] = 1;
		EXPECT_EQ(-EINVAL, call(self->fd, i, ioctls[i].size));
		if (ioctls[i].cmd != VFIO_MIGMUX_LAST_ERROR)
			EXPECT_TRUE(session_says(self->fd, EINVAL, "reserved"));
	}
}

TEST_F(vmm, bad_pointers)
{
	const long page = sysconf(_SC_PAGESIZE);
	__u32 *two, *args;
	int i;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, munmap((char *)two + page, page));
	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		ksft_print_msg("%s\n", ioctls[i].name);
		EXPECT_EQ(-EFAULT, session_call(self->fd, ioctls[i].cmd, NULL));
		EXPECT_EQ(-EFAULT, session_call(self->fd, ioctls[i].cmd, (void *)-4L));
		/* it begins in memory and ends outside */
		args = (__u32 *)((char *)two + page - 8);
		args[0] = ioctls[i].size;
		args[1] = 0;
		EXPECT_EQ(-EFAULT, session_call(self->fd, ioctls[i].cmd, args));
		if (!ioctls[i].out)
			continue;
		/* it can be read and not written */
		memset(two, 0, page);
		two[0] = ioctls[i].size;
		ASSERT_EQ(0, mprotect(two, page, PROT_READ));
		EXPECT_EQ(-EFAULT, session_call(self->fd, ioctls[i].cmd, two));
		ASSERT_EQ(0, mprotect(two, page, PROT_READ | PROT_WRITE));
	}
}

TEST_F(vmm, bad_inner_pointers)
{
	struct vfio_migmux_set_state set = {
		.argsz = sizeof(set),
		.target = STOP,
		.recover = NONE,
		.nr_results = 1,
		.results = 8,
	};
	struct vfio_migmux_timeline timeline = {
		.argsz = sizeof(timeline),
		.device_size = sizeof(struct vfio_migmux_timeline_device),
		.nr_devices = 1,
		.devices = 8,
	};
	__u32 size = 4096;

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	EXPECT_EQ(-EFAULT, session_config_set(self->fd, 0, (void *)8, 1));
	ASSERT_EQ(0, session_config_set(self->fd, 0, "x", 1));
	EXPECT_EQ(-EFAULT, session_config_get(self->fd, 0, (void *)8, &size));
	EXPECT_EQ(-EFAULT, session_call(self->fd, VFIO_MIGMUX_TIMELINE, &timeline));
	/* the batch was done nevertheless, and the session lives */
	EXPECT_EQ(-EFAULT, session_call(self->fd, VFIO_MIGMUX_SET_STATE, &set));
	EXPECT_TRUE(device_is(&self->dev[0], STOP));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
}

static bool known(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (_IOC_NR(ioctls[i].cmd) == nr)
			return true;
	return false;
}

TEST_F(vmm, unknown_ioctls)
{
	unsigned int i;

	for (i = 0x0e; i < 0x100; i++)
		if (!known(i))
			EXPECT_EQ(-ENOTTY, session_call(self->fd, _IO(VFIO_MIGMUX_TYPE, i), &arg));
	EXPECT_EQ(-ENOTTY, session_call(self->fd, _IO(VFIO_TYPE, 0), &arg));
	EXPECT_EQ(-ENOTTY, session_call(self->fd, _IOR(VFIO_MIGMUX_TYPE, 0, int), &arg));
}

/* The status of a child in which @expr is true. */
#define CHILD(expr) ({						\
	int status = -1;					\
	pid_t pid = fork();					\
								\
	if (!pid)						\
		_exit((expr) ? 0 : 1);				\
	waitpid(pid, &status, 0);				\
	status;							\
})

static bool only_owner(int fd)
{
	bool ok = true;
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		memset(&arg, 0, sizeof(arg));
		ret = call(fd, i, ioctls[i].size);
		if (ret == (ioctls[i].anyone ? 0 : -EPERM))
			continue;
		ksft_print_msg("%s of a child: %d\n", ioctls[i].name, ret);
		ok = false;
	}
	return ok;
}

TEST_F(vmm, owner)
{
	/* nobody's yet: the child may become the owner */
	EXPECT_EQ(0, CHILD(session_wait(self->fd, M_BATCH, 0) == -ETIMEDOUT));
	EXPECT_EQ(-EPERM, session_wait(self->fd, M_BATCH, 0));
	close(self->fd);

	self->fd = session_open();
	EXPECT_EQ(0, CHILD(session_call(self->fd, VFIO_MIGMUX_GET_INFO,
					(arg.argsz = sizeof(struct vfio_migmux_info),
					 &arg)) == 0));
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	EXPECT_EQ(0, CHILD(only_owner(self->fd)));
	EXPECT_TRUE(session_says(self->fd, EPERM, "another process"));
	/* a child that closes its copy ends nothing */
	EXPECT_EQ(0, CHILD(close(self->fd) == 0));
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
}

TEST_F(vmm, info)
{
	struct vfio_migmux_info info;

	memset(&info, 0xee, sizeof(info));
	info.argsz = sizeof(info);
	info.flags = 0;
	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_GET_INFO, &info));
	EXPECT_EQ(sizeof(info), info.argsz);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(VFIO_MIGMUX_API_VERSION, info.api_version);
	EXPECT_EQ(MIB, info.frame_data_max);
	EXPECT_EQ(256 * KIB, info.config_max);
	EXPECT_EQ(0, info.reserved);
	EXPECT_TRUE(info.features & VFIO_MIGMUX_FEATURE_READY);
	EXPECT_LT(0, info.staging_default);
	EXPECT_LE(info.staging_default, info.staging_max);
}

TEST_F(vmm, wait_and_read)
{
	struct vfio_migmux_event events[4];
	char small[sizeof(struct vfio_migmux_event) - 1];

	EXPECT_SAYS(EINVAL, "milestones 0", session_wait(self->fd, 0, 0));
	EXPECT_SAYS(EINVAL, "0x80000000", session_wait(self->fd, 1U << 31, 0));
	EXPECT_EQ(-ETIMEDOUT, session_wait(self->fd, M_BATCH, 0));
	EXPECT_EQ(-ETIMEDOUT, session_wait(self->fd, M_BATCH | M_ENDED, 10));
	EXPECT_EQ(0, session_reached(self->fd));

	EXPECT_EQ(-1, read(self->fd, small, sizeof(small)));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, session_events(self->fd, events, 4));
	EXPECT_EQ(0, session_poll(self->fd, POLLIN, 0));
}

TEST_F(vmm, timeline_sizes)
{
	struct {
		struct vfio_migmux_timeline_device dev;
		__u64 more[4];
	} large[2];
	struct vfio_migmux_timeline t = {
		.argsz = sizeof(t),
		.device_size = sizeof(large[0]),
		.nr_devices = 2,
		.devices = (__u64)(unsigned long)large,
	};
	__u32 small[8];

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	ASSERT_EQ(1, session_device_add(self->fd, self->dev[1].fd, "y", 0));
	memset(large, 0xee, sizeof(large));
	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_TIMELINE, &t));
	EXPECT_EQ(2, t.nr_devices);
	EXPECT_EQ(1, large[1].dev.index);
	EXPECT_EQ(0, large[1].more[3]);

	memset(small, 0xee, sizeof(small));
	t.device_size = 8;
	t.nr_devices = 1;
	t.devices = (__u64)(unsigned long)small;
	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_TIMELINE, &t));
	EXPECT_EQ(2, t.nr_devices);
	EXPECT_EQ(0, small[0]);
	EXPECT_EQ(0xeeeeeeee, small[2]);
	t.device_size = 65536;
	EXPECT_SAYS(EINVAL, "device_size",
		    session_call(self->fd, VFIO_MIGMUX_TIMELINE, &t));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
