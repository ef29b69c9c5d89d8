// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acknowledgments of pre-copy on the wire: a destination that lies about them, played by
 * hand, and what our own answers, byte for byte.
 */
#include "session_fixture.h"

#define VERDICT		VFIO_MIGMUX_SAVE_VERDICT
#define PRECOPY		VFIO_MIGMUX_SAVE_PRECOPY

/* --- a destination that lies ----------------------------------------------------------- */

FIXTURE(liar)
{
	FIXTURE_DATA(vmm) vmm;
	int ch;
};

FIXTURE_VARIANT(liar)
{
	const char *idstr;
	__u32 instance;
	__u32 magic;
	__u8 zero;
	__s32 idx;
	bool early;
	const char *words;
};

FIXTURE_VARIANT_ADD(liar, other_idx) {
	.idstr = "0000:00:04.0/vfio", .idx = 1, .words = "which nobody asked for"
};

FIXTURE_VARIANT_ADD(liar, other_name) {
	.idstr = "0000:00:05.0/vfio", .words = "which nobody asked for"
};

FIXTURE_VARIANT_ADD(liar, other_instance) {
	.idstr = "0000:00:04.0/vfio", .instance = 7, .words = "which nobody asked for"
};

FIXTURE_VARIANT_ADD(liar, bad_name) {
	.idstr = "\033[2J", .words = "no sense: device name with unprintable byte 0x1b"
};

FIXTURE_VARIANT_ADD(liar, no_name) { .idstr = "", .words = "no sense: empty device name" };

FIXTURE_VARIANT_ADD(liar, not_zero) {
	.idstr = "0000:00:04.0/vfio", .zero = 1,
	.words = "no sense: reserved byte not zero, at offset 511"
};

FIXTURE_VARIANT_ADD(liar, no_ack) {
	.idstr = "0000:00:04.0/vfio", .magic = 0x4d4d5858,
	.words = "the verdict makes no sense: bad magic 0x4d4d5858"
};

FIXTURE_VARIANT_ADD(liar, too_early) {
	.idstr = "0000:00:04.0/vfio", .early = true, .words = "which nobody asked for"
};

FIXTURE_SETUP(liar)
{
	int fd[2];

	vmm_setup(_metadata, &self->vmm, NULL);
	ASSERT_EQ(0, session_device_add(self->vmm.fd, self->vmm.dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_channel_add(self->vmm.fd, fd[0], 0));
	close(fd[0]);
	self->ch = fd[1];
}

FIXTURE_TEARDOWN(liar)
{
	close(self->ch);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* Take frames until one wants to be acknowledged: its idx, or -errno. */
static int ack_wanted(int ch)
{
	struct peer_frame frame;
	struct peer_init init;
	int ret = peer_recv(ch, &init, sizeof(init));

	while (!ret) {
		ret = peer_recv_frame(ch, &frame);
		if (ret < 0)
			return ret;
		if (peer_get32(frame.payload_flags) == 6)
			return peer_get32(frame.idx);
		if (peer_get32(frame.payload_flags) != 4)
			return -EPROTO;
		ret = 0;
	}
	return ret;
}

static struct peer_ack lie(const struct _fixture_variant_liar *variant, int idx)
{
	struct peer_ack ack = peer_ack(variant->idstr, idx + variant->idx);

	ack.instance = peer_put32(variant->instance);
	ack.zero[239] = variant->zero;
	if (variant->magic)
		ack.magic = peer_put32(variant->magic);
	return ack;
}

TEST_F(liar, told)
{
	struct peer_ack ack;
	int idx = 0;

	if (variant->early) {
		ASSERT_EQ(0, attr_write_num(self->vmm.dev[0].addr, "read_us_per_mib", 100000000));
		ASSERT_EQ(0, attr_write_num(self->vmm.dev[0].addr, "read_chunk", 100));
	}
	ASSERT_EQ(0, session_save(self->vmm.fd, VERDICT | PRECOPY, RUNNING, STAGING));
	ASSERT_EQ(0, session_wait(self->vmm.fd, M_PRECOPY, WAIT_MS));
	if (!variant->early)
		idx = ack_wanted(self->ch);
	ASSERT_LE(0, idx);
	ack = lie(variant, idx);
	ASSERT_EQ(0, peer_send(self->ch, &ack, sizeof(ack)));
	ASSERT_EQ(0, session_wait(self->vmm.fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(self->vmm.fd, EPROTO, variant->words));
	EXPECT_TRUE(session_says(self->vmm.fd, EPROTO, "channel 0 to tcp:127.0.0.1:"));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	close(self->vmm.fd);
	EXPECT_EQ(0, migration_works());
	self->vmm.fd = session_open();
}

/* The truth, and then once more. */
TEST_F(vmm, ack_twice)
{
	struct peer_ack ack;
	int fd[2], idx;

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	ASSERT_EQ(0, session_save(self->fd, VERDICT | PRECOPY, RUNNING, STAGING));
	idx = ack_wanted(fd[1]);
	ASSERT_LT(0, idx);
	ack = peer_ack(idstrs[0], idx);
	ASSERT_EQ(0, peer_send(fd[1], &ack, sizeof(ack)));
	ASSERT_EQ(0, session_wait(self->fd, M_PRECOPY | M_ACKED, WAIT_MS));
	ASSERT_EQ(0, peer_send(fd[1], &ack, sizeof(ack)));
	ASSERT_EQ(0, session_wait(self->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(self->fd, EPROTO, "which nobody asked for"));
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	close(fd[1]);
	close(self->fd);
	self->fd = session_open();
}

/* --- a source that asks ------------------------------------------------------------------ */

static int ask(int ch, __u32 idx, __u32 bytes)
{
	struct peer_frame frame = peer_frame(idstrs[0], idx, bytes, false);
	char data[100] = "";

	frame.payload_flags = peer_put32(6);
	return peer_send(ch, &frame, sizeof(frame)) ?: peer_send(ch, data, bytes);
}

static bool answers(int ch, __u32 idx)
{
	struct peer_ack want = peer_ack(idstrs[0], idx), got;

	return !peer_recv(ch, &got, sizeof(got)) && !memcmp(&got, &want, sizeof(got));
}

/* What the destination answers, byte for byte, and when. */
TEST_F(vmm, answers)
{
	int fd[2][2], i;

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, idstrs[0], 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_pair(fd[i]));
		ASSERT_EQ(i, session_channel_add(self->fd, fd[i][1], 0));
		close(fd[i][1]);
		ASSERT_EQ(0, peer_send_init(fd[i][0], i));
	}
	ASSERT_EQ(0, attr_write(self->dev[0].addr, "headerless", "1"));
	ASSERT_EQ(0, session_load(self->fd, VERDICT, RUNNING, STAGING));
	/* an empty one, and one with data, on another channel */
	ASSERT_EQ(0, ask(fd[0][0], 0, 0));
	EXPECT_TRUE(answers(fd[0][0], 0));
	ASSERT_EQ(0, ask(fd[1][0], 1, 100));
	EXPECT_TRUE(answers(fd[1][0], 1));
	/* not before all that precede it have come, by any channel */
	ASSERT_EQ(0, ask(fd[1][0], 3, 0));
	EXPECT_FALSE(peer_at_eof(fd[1][0], 0));
	EXPECT_EQ(0, session_poll(fd[1][0], POLLIN, 100));
	ASSERT_EQ(0, ask(fd[0][0], 2, 10));
	EXPECT_TRUE(answers(fd[0][0], 2));
	EXPECT_TRUE(answers(fd[1][0], 3));

	ASSERT_EQ(0, peer_send_frame(fd[0][0], idstrs[0], 4, 5, true));
	ASSERT_EQ(0, session_wait(self->fd, M_LOADED, WAIT_MS));
	EXPECT_EQ(110, attr_read_num(self->dev[0].addr, "payload_size"));
	close(fd[0][0]);
	close(fd[1][0]);
	close(self->fd);
	self->fd = session_open();
}

int main(int argc, char **argv)
{
	return session_main_precopy(argc, argv, 3);
}
