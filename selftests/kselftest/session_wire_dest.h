/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hostile or broken source, played by hand: each thing that it can do wrong fails
 * the destination's session with an error that names channel, device and value; the
 * source is told the same by a verdict, all devices end in a state that is reported,
 * and the next migration works. What it does is in the files that include this.
 *
 * Two devices, D0 and D1; channels 0 and 1 are used for D0, 2 for D1.
 */
#ifndef SELFTEST_SESSION_WIRE_DEST_H
#define SELFTEST_SESSION_WIRE_DEST_H

#include "session_fixture.h"

#define NR_CHANNELS	3
#define D0		"0000:00:04.0/vfio"	/* idstrs[0] */
#define D1		"0000:00:05.0/vfio"	/* idstrs[1] */

FIXTURE(wire)
{
	FIXTURE_DATA(vmm) vmm;
	int ch[NR_CHANNELS];	/* the peer's ends */
};

/**
 * struct wire - what the peer does and what comes of it
 * @play: the peer's part, after the session is ready
 * @no_init: it sends the channels' init itself
 * @no_verdict: the destination gives none
 * @error: errno of the session; EPROTO if 0
 * @device: that it is about, or NULL
 * @channel: that it is about
 * @no_channel: it is about no channel
 * @words: of the text; it names the channel and the device too
 * @confirming: the good verdict went out before
 * @confirmed: it was confirmed, too: then all else comes too late
 */
FIXTURE_VARIANT(wire)
{
	int (*play)(const int *ch);
	bool no_init;
	bool no_verdict;
	int error;
	const char *device;
	__u32 channel;
	bool no_channel;
	const char *words;
	bool confirming;
	bool confirmed;
};

#define BAD(name, ...)							\
	static int play_##name(const int *ch);				\
	FIXTURE_VARIANT_ADD(wire, name) {				\
		.play = play_##name, __VA_ARGS__			\
	};								\
	static int play_##name(const int *ch)

/* A header of 10 bytes of D0's frame 0, of which one field is spoiled. */
#define SPOILED(field, value) ({					\
	struct peer_frame frame = peer_frame(D0, 0, 10, false);		\
									\
	frame.field = peer_put32(value);				\
	peer_send(ch[0], &frame, sizeof(frame));			\
})

static int frame(int fd, const char *idstr, __u32 idx)
{
	return peer_send_frame(fd, idstr, idx, 1000, false);
}

static int config(int fd, const char *idstr, __u32 idx)
{
	return peer_send_frame(fd, idstr, idx, 10, true);
}

/* --- the test ------------------------------------------------------------------------------ */

FIXTURE_SETUP(wire)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int i, fd[2];

	vmm_setup(_metadata, vmm, NULL);
	for (i = 0; i < 2; i++) {
		/* whatever was loaded, the way back is open */
		ASSERT_EQ(0, attr_write(vmm->dev[i].addr, "headerless", "1"));
		ASSERT_EQ(i, session_device_add(vmm->fd, vmm->dev[i].fd, idstrs[i], 0));
	}
	for (i = 0; i < NR_CHANNELS; i++) {
		ASSERT_EQ(0, peer_pair(fd));
		ASSERT_EQ(i, session_channel_add(vmm->fd, fd[1], 0));
		close(fd[1]);
		self->ch[i] = fd[0];
	}
}

FIXTURE_TEARDOWN(wire)
{
	int i;

	for (i = 0; i < NR_CHANNELS; i++)
		close(self->ch[i]);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* What the peer learns: the same, on every channel where nothing was said yet. */
static void check_verdict(struct __test_metadata *_metadata, int fd,
			  const struct _fixture_variant_wire *variant)
{
	struct peer_verdict verdict;

	if (!variant->confirming && !variant->no_verdict) {
		ASSERT_EQ(0, peer_recv(fd, &verdict, sizeof(verdict)));
		EXPECT_EQ(PEER_VERDICT_MAGIC, peer_get32(verdict.magic));
		EXPECT_EQ(1, peer_get32(verdict.version));
		EXPECT_EQ(variant->error ?: EPROTO, peer_get32(verdict.status));
		EXPECT_EQ(0, peer_get32(verdict.instance));
		EXPECT_STREQ(variant->device ?: "", verdict.idstr);
		EXPECT_NE(NULL, strstr(verdict.reason, variant->words));
	}
	EXPECT_TRUE(peer_at_eof(fd, 5000));
}

TEST_F(wire, refused)
{
	const __u32 flags = variant->no_verdict ? 0 : VFIO_MIGMUX_LOAD_VERDICT;
	const int error = variant->error ?: EPROTO;
	__u32 device = NO_INDEX, channel = NO_INDEX;
	struct _test_data_vmm *vmm = &self->vmm;
	struct timeline t;
	char name[64];
	int i;

	if (variant->device)
		device = strcmp(variant->device, D0) ? 1 : 0;
	if (!variant->no_channel)
		channel = variant->channel;
	ASSERT_EQ(0, session_load(vmm->fd, flags, RUNNING, STAGING));
	for (i = 0; i < NR_CHANNELS && !variant->no_init; i++)
		ASSERT_EQ(0, peer_send_init(self->ch[i], i));
	ASSERT_EQ(0, variant->play(self->ch));

	if (variant->confirmed) {
		ASSERT_TRUE(session_comes_to_end(vmm->fd));
		close(vmm->fd);
		EXPECT_EQ(0, migration_works());
		vmm->fd = session_open();
		return;
	}
	ASSERT_EQ(0, session_wait(vmm->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_EQ(-ECANCELED, session_wait(vmm->fd, M_HANDED_OVER, WAIT_MS));
	EXPECT_EQ(POLLHUP, session_poll(vmm->fd, 0, 0));
	EXPECT_TRUE(session_says(vmm->fd, error, variant->words));
	EXPECT_TRUE(session_blames(vmm->fd, device, channel));
	snprintf(name, sizeof(name), "channel %u from tcp:127.0.0.1:", channel);
	if (channel != NO_INDEX && error != EREMOTEIO)
		EXPECT_TRUE(session_says(vmm->fd, error, name));
	if (variant->device)
		EXPECT_TRUE(session_says(vmm->fd, error, variant->device));
	for (i = 0; i < NR_CHANNELS; i++)
		check_verdict(_metadata, self->ch[i], variant);

	ASSERT_EQ(0, session_timeline(vmm->fd, &t));
	for (i = 0; i < 2; i++) {
		/* what is loaded must not run: the source may run its own */
		const __u32 state = variant->confirming ? STOP : RUNNING;

		EXPECT_EQ(state, t.dev[i].state);
		EXPECT_TRUE(device_is(&vmm->dev[i], state));
	}
	EXPECT_EQ(-ECANCELED, session_set_state(vmm->fd, STOP, NONE, 0, 0, NULL));
	close(vmm->fd);
	EXPECT_EQ(0, migration_works());
	vmm->fd = session_open();
}

#endif /* SELFTEST_SESSION_WIRE_DEST_H */
