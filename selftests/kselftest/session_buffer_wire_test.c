// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_LOAD_BUFFER with frames that are wrong: each ends the session with an error
 * that names the device and the value, and the next migration works.
 */
#include "buffer_fixture.h"

FIXTURE(hostile)
{
	FIXTURE_DATA(buffer) buffer;
};

/**
 * struct hostile - a frame that is wrong
 * @play: hands it in; its result is that of the last call
 * @device: that it is about
 * @words: of the text
 */
FIXTURE_VARIANT(hostile)
{
	int (*play)(struct _test_data_buffer *self);
	__u32 device;
	const char *words;
};

#define BAD(name, _device, _words)					\
	static int play_##name(struct _test_data_buffer *self);	\
	FIXTURE_VARIANT_ADD(hostile, name) {				\
		.play = play_##name, .device = _device, .words = _words	\
	};								\
	static int play_##name(struct _test_data_buffer *self)

/* A payload of @size bytes, with that header. */
static int payload(struct _test_data_buffer *self, __u32 size, __u32 version, __u32 idx,
		   __u32 flags)
{
	__u32 *at = (__u32 *)self->state;

	at[0] = peer_put32(version);
	at[1] = peer_put32(idx);
	at[2] = peer_put32(flags);
	return session_load_payload(self->fd, 0, D0, at, size);
}

static int raw(struct _test_data_buffer *self, const void *idstr, __u32 instance)
{
	struct vfio_migmux_load_buffer load = {
		.argsz = sizeof(load),
		.instance_id = instance,
		.size = 12 + 100,
		.payload = (__u64)(unsigned long)self->state,
	};

	memcpy(load.idstr, idstr, sizeof(load.idstr));
	memset(self->state, 0, 12);
	return session_call(self->fd, VFIO_MIGMUX_LOAD_BUFFER, &load);
}

static int named(struct _test_data_buffer *self, const char *idstr, __u32 instance)
{
	char field[256] = "";

	strcpy(field, idstr);
	return raw(self, field, instance);
}

BAD(idstr_unknown, NO_INDEX, "0000:00:1f.0/vfio, instance 0 is not in this session")
{
	return named(self, "0000:00:1f.0/vfio", 0);
}

BAD(instance_unknown, NO_INDEX, "0000:00:04.0/vfio, instance 5 is not in this session")
{
	return named(self, D0, 5);
}

BAD(idstr_empty, NO_INDEX, "empty device name")
{
	return named(self, "", 0);
}

BAD(idstr_unterminated, NO_INDEX, "unterminated device name")
{
	char field[256];

	memset(field, 'x', sizeof(field));
	return raw(self, field, 0);
}

BAD(idstr_unprintable, NO_INDEX, "unprintable byte 0x1b")
{
	return named(self, "\033[2J", 0);
}

BAD(idstr_padding, NO_INDEX, "padded with byte 0x58")
{
	char field[256] = D0;

	field[255] = 'X';
	return raw(self, field, 0);
}

BAD(size_0, NO_INDEX, "too short, size 0")
{
	return payload(self, 0, 0, 0, 0);
}

BAD(size_11, NO_INDEX, "too short, size 11")
{
	return payload(self, 11, 0, 0, 0);
}

BAD(size_12, NO_INDEX, "no data in frame idx 0")
{
	return payload(self, 12, 0, 0, 0);
}

BAD(size_over, NO_INDEX, "too long, size 1048589")
{
	return payload(self, (1 << 20) + 13, 0, 0, 0);
}

BAD(size_max, NO_INDEX, "too long, size 4294967295")
{
	return payload(self, 0xffffffff, 0, 0, 0);
}

BAD(size_config, NO_INDEX, "config too long, size 262145")
{
	return payload(self, 12 + (256 << 10) + 1, 0, 0, 1);
}

BAD(payload_version, NO_INDEX, "unknown payload version 1")
{
	return payload(self, 112, 1, 0, 0);
}

BAD(payload_flags, NO_INDEX, "bad payload flags 0x2")
{
	return payload(self, 112, 0, 0, 2);
}

BAD(idx_max, NO_INDEX, "bad frame idx 4294967295")
{
	return payload(self, 112, 0, 0xffffffff, 0);
}

BAD(idx_consumed, 0, "duplicate frame idx 0")
{
	return hand_in(self, 0, D0, 0) ?: hand_in(self, 0, D0, 1) ?: hand_in(self, 0, D0, 0);
}

BAD(idx_pending, 1, "duplicate frame idx 3")
{
	return hand_in(self, 0, D1, 3) ?: hand_in(self, NONBLOCK, D1, 0) ?:
	       hand_in(self, 0, D1, 3);
}

BAD(idx_beyond_end, 0, "beyond the end, idx 5")
{
	return session_load_buffer(self->fd, 0, D0, 4, true, "", 0) ?:
	       hand_in(self, 0, D0, 5);
}

BAD(config_below_seen, 0, "already seen, idx 1")
{
	return hand_in(self, 0, D0, 0) ?: hand_in(self, 0, D0, 1) ?:
	       session_load_buffer(self->fd, 0, D0, 1, true, "x", 1);
}

BAD(config_twice, 0, "second config frame, idx 3")
{
	return session_load_buffer(self->fd, 0, D0, 2, true, "x", 1) ?:
	       session_load_buffer(self->fd, 0, D0, 3, true, "y", 1);
}

FIXTURE_SETUP(hostile)
{
	buffer_setup(_metadata, &self->buffer, NULL);
	/* room for a frame that must be refused beside those that wait */
	ASSERT_EQ(0, load_into(&self->buffer, 2, 2 * STAGING));
}

FIXTURE_TEARDOWN(hostile)
{
	buffer_teardown(_metadata, &self->buffer, NULL);
}

TEST_F(hostile, frame)
{
	const int fd = self->buffer.fd;
	int i;

	EXPECT_EQ(-EPROTO, variant->play(&self->buffer));
	EXPECT_TRUE(session_says(fd, EPROTO, variant->words));
	EXPECT_TRUE(session_blames(fd, variant->device, NO_INDEX));
	EXPECT_EQ(0, session_wait(fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_EQ(-ECANCELED, session_wait(fd, M_LOADED, 0));
	EXPECT_EQ(-ECANCELED, hand_in(&self->buffer, 0, D0, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(device_is(&self->buffer.dev[i], RESUMING));
		EXPECT_EQ(0, device_reset(&self->buffer.dev[i]));
	}
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
