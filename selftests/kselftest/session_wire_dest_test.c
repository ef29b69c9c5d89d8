// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile or broken source, played by hand: each thing that it can do wrong fails
 * the destination's session with an error that names channel, device and value; the
 * source is told the same by a verdict, all devices end in a state that is reported,
 * and the next migration works.
 *
 * Two devices, D0 and D1; channels 0 and 1 are used for D0, 2 for D1.
 */
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

/* --- channel init ----------------------------------------------------------------- */

BAD(init_magic, .no_init = true, .words = "bad magic 0x11223355")
{
	struct peer_init init = peer_init(0);

	init.magic = peer_put32(0x11223355);
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_version, .no_init = true, .words = "unknown version 2")
{
	struct peer_init init = peer_init(0);

	init.version = peer_put32(2);
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_uuid, .no_init = true, .words = "UUID, differs from byte 3")
{
	struct peer_init init = peer_init(0);

	init.uuid[3] = 1;
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_reserved, .no_init = true, .words = "not zero, at offset 63")
{
	struct peer_init init = peer_init(0);

	init.zero[38] = 1;
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_main_channel, .no_init = true, .words = "bad magic 0x5145564d")
{
	static const char zero[56];

	/* what QEMU's main channel begins with */
	return peer_send(ch[0], "QEVM\0\0\0\3", 8) ?: peer_send(ch[0], zero, sizeof(zero));
}

BAD(init_cut, .no_init = true, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_init init = peer_init(0);

	return peer_send(ch[0], &init, 63) ?: shutdown(ch[0], SHUT_WR);
}

/* --- packets ------------------------------------------------------------------------ */

BAD(magic, .words = "bad magic 0x12345678")
{
	return SPOILED(magic, 0x12345678);
}

BAD(version, .words = "unknown version 7")
{
	return SPOILED(version, 7);
}

BAD(flag_sync, .words = "SYNC on device state, flags 0x41")
{
	return SPOILED(flags, 0x41);
}

BAD(flag_compression, .words = "compressed device state, flags 0x42")
{
	return SPOILED(flags, 0x42);
}

BAD(flag_unknown, .words = "bad packet flags 0x80000040")
{
	return SPOILED(flags, 0x80000040);
}

BAD(ram_packet, .words = "RAM packet")
{
	return SPOILED(flags, 0);
}

BAD(sync_packet, .words = "RAM packet")
{
	return SPOILED(flags, 1);
}

BAD(idstr_unknown, .words = "0000:00:1f.0/vfio, instance 0 is not in this session")
{
	return frame(ch[0], "0000:00:1f.0/vfio", 0);
}

BAD(instance_unknown, .words = "0000:00:04.0/vfio, instance 5 is not in this session")
{
	return SPOILED(instance, 5);
}

BAD(idstr_empty, .words = "empty device name")
{
	return frame(ch[0], "", 0);
}

BAD(idstr_unterminated, .words = "unterminated device name")
{
	struct peer_frame frame = peer_frame(D0, 0, 10, false);

	memset(frame.idstr, 'x', sizeof(frame.idstr));
	return peer_send(ch[0], &frame, sizeof(frame));
}

BAD(idstr_unprintable, .words = "unprintable byte 0x1b")
{
	return frame(ch[0], "\033[2J", 0);
}

BAD(idstr_padding, .words = "padded with byte 0x58")
{
	struct peer_frame frame = peer_frame(D0, 0, 10, false);

	frame.idstr[255] = 'X';
	return peer_send(ch[0], &frame, sizeof(frame));
}

BAD(size_0, .words = "too short, size 0")
{
	return SPOILED(size, 0);
}

BAD(size_11, .words = "too short, size 11")
{
	return SPOILED(size, 11);
}

BAD(size_12, .words = "no data in frame idx 0")
{
	return SPOILED(size, 12);
}

BAD(size_over, .words = "too long, size 1048589")
{
	return SPOILED(size, (1 << 20) + 13);
}

BAD(size_max, .words = "too long, size 4294967295")
{
	return SPOILED(size, 0xffffffff);
}

BAD(size_config, .words = "config too long, size 262145")
{
	struct peer_frame frame = peer_frame(D0, 0, (256 << 10) + 1, true);

	return peer_send(ch[0], &frame, sizeof(frame));
}

BAD(payload_version, .words = "unknown payload version 1")
{
	return SPOILED(payload_version, 1);
}

BAD(payload_flags, .words = "bad payload flags 0x2")
{
	return SPOILED(payload_flags, 2);
}

/* --- order ---------------------------------------------------------------------------- */

BAD(idx_max, .words = "bad frame idx 4294967295")
{
	return SPOILED(idx, 0xffffffff);
}

BAD(idx_consumed, .device = D0, .channel = 1, .words = "duplicate frame idx 0")
{
	/* channel 1 brings it again when it is written already */
	return frame(ch[0], D0, 0) ?: attr_wait(devices.dev[0].addr, "loaded_bytes", 1000) ?:
	       frame(ch[1], D0, 0);
}

BAD(idx_pending, .device = D0, .channel = 0, .words = "duplicate frame idx 2")
{
	/* one of the two is there first; then both wait for idx 0 */
	return frame(ch[1], D0, 1) ?: frame(ch[1], D0, 2) ?: frame(ch[1], D0, 3) ?:
	       frame(ch[0], D0, 0) ?: attr_wait(devices.dev[0].addr, "loaded_bytes", 4000) ?:
	       frame(ch[0], D0, 2);
}

BAD(idx_falls, .device = D0, .words = "out of order on its channel, idx 1")
{
	return frame(ch[0], D0, 2) ?: frame(ch[0], D0, 1);
}

BAD(idx_repeats, .device = D0, .words = "out of order on its channel, idx 2")
{
	return frame(ch[0], D0, 2) ?: frame(ch[0], D0, 2);
}

BAD(idx_beyond_end, .device = D0, .words = "beyond the end, idx 5")
{
	return config(ch[0], D0, 4) ?: frame(ch[0], D0, 5);
}

BAD(config_below_seen, .device = D0, .channel = 1, .words = "already seen, idx 1")
{
	return frame(ch[0], D0, 0) ?: frame(ch[0], D0, 1) ?:
	       attr_wait(devices.dev[0].addr, "loaded_bytes", 2000) ?:
	       config(ch[1], D0, 1);
}

BAD(config_twice, .device = D0, .words = "second config frame, idx 3")
{
	return config(ch[0], D0, 2) ?: config(ch[0], D0, 3);
}

BAD(foreign_frame, .device = D1, .words = "05.0/vfio on the channel of 0000:00:04.0/vfio")
{
	return frame(ch[0], D0, 0) ?: frame(ch[0], D1, 0);
}

BAD(hole, .no_verdict = true, .device = D0, .no_channel = true, .words = "frame 1 has not come")
{
	return config(ch[2], D1, 0) ?: frame(ch[0], D0, 0) ?: config(ch[1], D0, 2) ?:
	       shutdown(ch[0], SHUT_WR) ?: shutdown(ch[1], SHUT_WR) ?:
	       shutdown(ch[2], SHUT_WR);
}

BAD(no_end, .no_verdict = true, .device = D1, .no_channel = true, .words = "frame 1 has not come")
{
	return config(ch[0], D0, 0) ?: frame(ch[2], D1, 0) ?: shutdown(ch[0], SHUT_WR) ?:
	       shutdown(ch[1], SHUT_WR) ?: shutdown(ch[2], SHUT_WR);
}

/* --- channels that end ------------------------------------------------------------------ */

BAD(cut_in_prefix, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, 5) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_after_prefix, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, 12) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_in_header, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, 280) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_before_data, .error = ECONNABORTED, .words = "middle of a frame")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, sizeof(frame)) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_in_data, .error = ECONNABORTED, .words = "middle of a frame")
{
	const struct peer_frame frame = peer_frame(D0, 0, 1000, false);

	return peer_send(ch[0], &frame, sizeof(frame)) ?: peer_send(ch[0], &frame, 100) ?:
	       shutdown(ch[0], SHUT_WR);
}

BAD(cut_in_config, .no_verdict = true, .error = ECONNABORTED, .words = "middle of a frame")
{
	const struct peer_frame frame = peer_frame(D0, 0, 1000, true);

	return peer_send(ch[0], &frame, sizeof(frame)) ?: peer_send(ch[0], &frame, 100) ?:
	       shutdown(ch[0], SHUT_WR);
}

/* With a verdict to come, a source has no reason to close. */
BAD(closed_early, .error = ECONNABORTED, .words = "closed by the source before the end")
{
	return frame(ch[0], D0, 0) ?: shutdown(ch[0], SHUT_WR);
}

/* --- frames that wait for one that cannot come ------------------------------------------- */

#define GAP "wait with later frames, and frame 0 has not come"

/* Of two slots the last is for a next frame: so the second of these waits. */
static int gap(int fd, const char *idstr, __u32 idx)
{
	return frame(fd, idstr, idx) ?: frame(fd, idstr, idx + 1);
}

/* A source that has died left one channel at the end of a packet, the other beyond. */
BAD(gap_and_closed, .device = D0, .no_verdict = true, .no_channel = true, .words = GAP)
{
	return gap(ch[0], D0, 1) ?: shutdown(ch[1], SHUT_WR) ?: shutdown(ch[2], SHUT_WR);
}

BAD(closed_and_gap, .device = D0, .no_verdict = true, .no_channel = true, .words = GAP)
{
	return shutdown(ch[1], SHUT_WR) ?: shutdown(ch[2], SHUT_WR) ?: gap(ch[0], D0, 1);
}

BAD(gap_on_all, .device = D0, .no_channel = true, .words = GAP)
{
	return gap(ch[0], D0, 1) ?: gap(ch[1], D0, 3) ?: gap(ch[2], D1, 1);
}

/* --- the confirmation --------------------------------------------------------------------- */

/* All state, then the good verdicts. */
static int load_all(const int *ch)
{
	struct peer_verdict verdict;
	int i, ret;

	ret = frame(ch[0], D0, 0) ?: config(ch[1], D0, 1) ?: config(ch[2], D1, 0);
	for (i = 0; i < NR_CHANNELS && !ret; i++) {
		ret = peer_recv(ch[i], &verdict, sizeof(verdict));
		if (!ret && (peer_get32(verdict.magic) != PEER_VERDICT_MAGIC ||
			     peer_get32(verdict.version) != 1 || verdict.status ||
			     verdict.idstr[0]))
			ret = -EPROTO;
	}
	return ret;
}

BAD(confirm_magic, .confirming = true, .words = "makes no sense: bad magic 0x11223344")
{
	struct peer_confirm confirm = peer_confirm(0);

	confirm.magic = peer_put32(PEER_MAGIC);
	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_version, .confirming = true, .words = "makes no sense: unknown version 9")
{
	struct peer_confirm confirm = peer_confirm(0);

	confirm.version = peer_put32(9);
	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_reserved, .confirming = true, .words = "makes no sense: reserved byte")
{
	struct peer_confirm confirm = peer_confirm(0);

	confirm.zero = 1;
	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_no_errno, .confirming = true, .words = "status is no error number 4096")
{
	const struct peer_confirm confirm = peer_confirm(4096);

	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_refused, .confirming = true, .error = EREMOTEIO, .words = "keeps its devices: error 16")
{
	const struct peer_confirm confirm = peer_confirm(EBUSY);

	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_missing, .confirming = true, .error = ECONNABORTED, .words = "before it confirmed")
{
	return load_all(ch) ?: shutdown(ch[0], SHUT_WR);
}

BAD(confirm_cut, .confirming = true, .error = ECONNABORTED, .words = "before it confirmed")
{
	const struct peer_confirm confirm = peer_confirm(0);

	return load_all(ch) ?: peer_send(ch[0], &confirm, 15) ?: shutdown(ch[0], SHUT_WR);
}

/*
 * One confirmation decides, whatever the other channels say. Should they be heard before it,
 * the session fails. In any case it ends.
 */
BAD(confirm_refused_too_late, .confirmed = true)
{
	const struct peer_confirm good = peer_confirm(0), bad = peer_confirm(EBUSY);

	return load_all(ch) ?: peer_send(ch[0], &good, sizeof(good)) ?:
	       peer_send(ch[1], &good, sizeof(good)) ?: peer_send(ch[2], &bad, sizeof(bad));
}

BAD(confirm_spoiled_too_late, .confirmed = true)
{
	const struct peer_confirm good = peer_confirm(0);

	return load_all(ch) ?: peer_send(ch[0], &good, sizeof(good)) ?:
	       peer_send(ch[1], &good, sizeof(good)) ?: frame(ch[2], D1, 1);
}

BAD(frame_for_confirm, .confirming = true, .words = "makes no sense: bad magic")
{
	return load_all(ch) ?: frame(ch[0], D0, 1);
}

/* --- pre-copy ------------------------------------------------------------------------- */

static int precopy_frame(int fd, __u32 idx, __u32 bytes, __u32 flags)
{
	struct peer_frame frame = peer_frame(D0, idx, bytes, false);
	static const char data[1000];

	frame.payload_flags = peer_put32(flags);
	return peer_send(fd, &frame, sizeof(frame)) ?: peer_send(fd, data, bytes);
}

BAD(precopy_without_verdict, .device = D0, .no_verdict = true, .words = "goes with a verdict only")
{
	return precopy_frame(ch[0], 0, 10, 4);
}

BAD(precopy_empty, .words = "no data in frame idx 0")
{
	return precopy_frame(ch[0], 0, 0, 4);
}

BAD(precopy_config, .words = "bad payload flags 0x5")
{
	return precopy_frame(ch[0], 0, 10, 5);
}

BAD(ack_of_no_precopy, .words = "bad payload flags 0x2")
{
	return precopy_frame(ch[0], 0, 10, 2);
}

BAD(precopy_after_stop, .device = D0, .no_channel = true, .words = "of the stopped device")
{
	return precopy_frame(ch[0], 0, 10, 4) ?: precopy_frame(ch[0], 1, 10, 0) ?:
	       precopy_frame(ch[0], 2, 10, 4);
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

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
