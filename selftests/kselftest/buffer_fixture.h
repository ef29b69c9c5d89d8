/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the tests of VFIO_MIGMUX_LOAD_BUFFER: frames of a real state, that of the
 * device after those which load.
 */
#ifndef SELFTEST_BUFFER_FIXTURE_H
#define SELFTEST_BUFFER_FIXTURE_H

#include "session_fixture.h"

#define D0		"0000:00:04.0/vfio"	/* idstrs[0] */
#define D1		"0000:00:05.0/vfio"	/* idstrs[1] */
#define SOURCE		2			/* index of the device with the state */
#define FRAME		4096u			/* bytes of state in a frame */

FIXTURE(buffer)
{
	FIXTURE_DATA(vmm) vmm;
	int fd;
	struct vfio_dev *dev;
	char *state;
	long size;
	__u32 frames;		/* that it makes */
};

static inline int make_state(struct _test_data_buffer *self, __u64 bytes)
{
	struct vfio_dev *dev = &self->dev[SOURCE];

	if (attr_write_num(dev->addr, "state_size", bytes))
		return -EIO;
	self->size = device_save(dev, self->state, STREAM_MAX);
	self->frames = (self->size + FRAME - 1) / FRAME;
	return self->size > 0 ? 0 : -EIO;
}

FIXTURE_SETUP(buffer)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->fd = self->vmm.fd;
	self->dev = self->vmm.dev;
	self->state = malloc(STREAM_MAX);
	ASSERT_NE(NULL, self->state);
	ASSERT_EQ(0, make_state(self, STATE_SIZE));
}

FIXTURE_TEARDOWN(buffer)
{
	free(self->state);
	close(self->vmm.fd);
	self->vmm.fd = -1;
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* The first @n devices load, from buffers alone. */
static inline int load_into(struct _test_data_buffer *self, int n, __u64 staging)
{
	int i, ret = 0;

	for (i = 0; i < n && ret >= 0; i++)
		ret = session_device_add(self->fd, self->dev[i].fd, idstrs[i], 0);
	return ret < 0 ? ret : session_load(self->fd, VFIO_MIGMUX_LOAD_BUFFERS, NONE, staging);
}

static inline int load(struct _test_data_buffer *self, int n)
{
	return load_into(self, n, STAGING);
}

static inline __u32 frame_size(const struct _test_data_buffer *self, __u32 idx)
{
	const long left = self->size - (long)idx * FRAME;

	return left < FRAME ? left : FRAME;
}

static inline int hand_in(struct _test_data_buffer *self, __u32 flags, const char *idstr,
			  __u32 idx)
{
	return session_load_buffer(self->fd, flags, idstr, idx, false,
				   self->state + (size_t)idx * FRAME,
				   frame_size(self, idx));
}

static inline int end(struct _test_data_buffer *self, const char *idstr)
{
	return session_load_buffer(self->fd, 0, idstr, self->frames, true, idstr, 10);
}

#endif /* SELFTEST_BUFFER_FIXTURE_H */
