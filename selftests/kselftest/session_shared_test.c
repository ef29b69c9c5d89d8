// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels that devices share, weights, and how much of the destination's memory a device
 * may fill.
 *
 * Devices 0 and 1 are sources, 2 and 3 destinations; 0 to 3 can pre-copy.
 */
#include "params.h"
#include "session_fixture.h"

#define NR_DEVICES	2
#define MAX_FRAMES	32

FIXTURE(shared)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
};

FIXTURE_SETUP(shared)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->pair.from = -1;
	self->pair.to = -1;
}

FIXTURE_TEARDOWN(shared)
{
	pair_close(&self->pair);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define DEV	(self->vmm.dev)
#define PAIR	(&self->pair)

static int fill(struct vfio_dev *dev, __u64 size)
{
	static int seed = 100;

	return attr_write_num(dev->addr, "state_size", size) ?:
	       attr_write_num(dev->addr, "seed", ++seed);
}

/* Two sessions and their devices, without any channel. */
static int open_sessions(struct pair *pair, struct vfio_dev *dev, const __u32 *weights)
{
	int i, ret;

	ret = pair_open(pair, dev, dev + NR_DEVICES, 0, 0);
	pair->n = NR_DEVICES;
	for (i = 0; i < NR_DEVICES && ret >= 0; i++) {
		ret = session_device_add_weighted(pair->from, dev[i].fd, idstrs[i], 0,
						  weights ? weights[i] : 0);
		if (ret >= 0)
			ret = session_device_add(pair->to, dev[NR_DEVICES + i].fd, idstrs[i],
						 0);
	}
	return ret < 0 ? ret : 0;
}

/* A channel between them, for device @from at one end and @to at the other. */
static int connect_them(const struct pair *pair, __u32 from, __u32 to)
{
	int fd[2], ret;

	ret = peer_pair(fd);
	if (ret)
		return ret;
	ret = session_channel_add(pair->from, fd[0], from);
	if (ret >= 0)
		ret = session_channel_add(pair->to, fd[1], to);
	close(fd[0]);
	close(fd[1]);
	return ret < 0 ? ret : 0;
}

static int frames_of(int fd, int device, __u32 *channels)
{
	struct timeline t;
	int ret = session_timeline(fd, &t);

	*channels = t.dev[device].nr_channels;
	return ret ? ret : (int)t.dev[device].frames;
}

/* --- what arrives ------------------------------------------------------------------- */

FIXTURE(carry)
{
	FIXTURE_DATA(shared) shared;
};

FIXTURE_VARIANT(carry)
{
	int shared;
	bool dedicated;		/* each device has a channel of its own, too */
	__u32 flags;		/* of SAVE and LOAD, which are alike */
	__u64 staging;
	__u64 size;
	__u64 precopy;
};

FIXTURE_VARIANT_ADD(carry, one_channel) {
	.shared = 1, .size = 3 * MIB + 5
};

FIXTURE_VARIANT_ADD(carry, one_channel_one_frame_of_memory) {
	.shared = 1, .size = 5 * MIB, .staging = 1
};

FIXTURE_VARIANT_ADD(carry, three_channels) {
	.shared = 3, .size = 9 * MIB + 1, .flags = VFIO_MIGMUX_SAVE_VERDICT
};

FIXTURE_VARIANT_ADD(carry, three_channels_one_frame_of_memory) {
	.shared = 3, .size = 5 * MIB + 1, .flags = VFIO_MIGMUX_SAVE_VERDICT, .staging = 1
};

FIXTURE_VARIANT_ADD(carry, nothing) {
	.shared = 2, .size = 0, .flags = VFIO_MIGMUX_SAVE_VERDICT
};

FIXTURE_VARIANT_ADD(carry, with_dedicated_ones) {
	.shared = 1, .dedicated = true, .size = 8 * MIB, .flags = VFIO_MIGMUX_SAVE_VERDICT
};

FIXTURE_VARIANT_ADD(carry, verified) {
	.shared = 2, .size = 2 * MIB + 3,
	.flags = VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_VERIFY
};

FIXTURE_VARIANT_ADD(carry, precopy) {
	.shared = 1, .size = 4 * MIB, .precopy = 2 * MIB, .flags = VFIO_MIGMUX_SAVE_VERDICT
};

FIXTURE_VARIANT_ADD(carry, precopy_verified) {
	.shared = 3, .dedicated = true, .size = 4 * MIB, .precopy = 2 * MIB,
	.flags = VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_VERIFY
};

FIXTURE_SETUP(carry)
{
	shared_setup(_metadata, &self->shared, NULL);
}

FIXTURE_TEARDOWN(carry)
{
	shared_teardown(_metadata, &self->shared, NULL);
}

static int move(struct pair *pair, __u32 flags, __u64 staging, bool precopy)
{
	int ret = session_load(pair->to, flags, RUNNING, staging);

	if (!ret && precopy)
		ret = session_save(pair->from, flags | VFIO_MIGMUX_SAVE_PRECOPY, RUNNING,
				   staging) ?:
		      session_wait(pair->from, M_PRECOPY | M_ACKED, WAIT_MS);
	if (!ret)
		ret = session_save(pair->from, flags, RUNNING, precopy ? 0 : staging);
	return ret ?: pair_finish(pair);
}

TEST_F(carry, arrives)
{
	struct vfio_dev *dev = self->shared.vmm.dev;
	struct pair *pair = &self->shared.pair;
	const int most = variant->shared + variant->dedicated;
	__u32 from, to;
	int i;

	for (i = 0; i < 2 * NR_DEVICES; i++) {
		ASSERT_EQ(0, fill(&dev[i], i < NR_DEVICES ? variant->size : 1000));
		ASSERT_EQ(0, attr_write_num(dev[i].addr, "precopy_size", variant->precopy));
	}
	ASSERT_EQ(0, open_sessions(pair, dev, NULL));
	for (i = 0; i < variant->shared; i++)
		ASSERT_EQ(0, connect_them(pair, NO_INDEX, NO_INDEX));
	for (i = 0; i < NR_DEVICES && variant->dedicated; i++)
		ASSERT_EQ(0, connect_them(pair, i, 0));
	ASSERT_EQ(0, move(pair, variant->flags, variant->staging, variant->precopy));
	EXPECT_TRUE(pair_equal(pair));
	for (i = 0; i < NR_DEVICES; i++) {
		EXPECT_EQ(frames_of(pair->from, i, &from), frames_of(pair->to, i, &to));
		EXPECT_EQ(most, from);
		/* those that carried something */
		EXPECT_LE(1, to);
		EXPECT_GE(most, to);
	}
	if (variant->flags)
		EXPECT_EQ(0, session_wait(pair->from, M_HANDED_OVER, WAIT_MS));
}

/* --- what is refused ------------------------------------------------------------------ */

TEST_F(shared, only_one_end_shares)
{
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	ASSERT_EQ(0, connect_them(PAIR, NO_INDEX, 0));
	ASSERT_EQ(0, session_load(PAIR->to, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, 0));
	ASSERT_EQ(0, session_save(PAIR->from, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 0));
	ASSERT_EQ(0, session_wait(PAIR->to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(PAIR->to, EPROTO, "share channels on both ends or on none"));
	ASSERT_EQ(0, session_wait(PAIR->from, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(PAIR->from, EREMOTEIO, "share channels on both ends"));
	EXPECT_TRUE(device_is(&DEV[0], RUNNING));
	EXPECT_TRUE(device_is(&DEV[1], RUNNING));
}

TEST_F(shared, weights_out_of_range)
{
	struct vfio_migmux_device_add add = {
		.argsz = sizeof(add),
		.device_fd = DEV[0].fd,
		.idstr = "d",
		.reserved = 1,
	};
	int fd = self->vmm.fd;

	EXPECT_EQ(-EINVAL, session_device_add_weighted(fd, DEV[0].fd, "d", 0, 1001));
	EXPECT_TRUE(session_says(fd, EINVAL, "weight is 1001, and 1000 at most"));
	EXPECT_EQ(-EINVAL, session_call(fd, VFIO_MIGMUX_DEVICE_ADD, &add));
	EXPECT_TRUE(session_says(fd, EINVAL, "reserved is not 0"));
	EXPECT_EQ(0, session_device_add_weighted(fd, DEV[0].fd, "d", 0, 1000));
}

TEST_F(shared, more_spill_than_any_staging)
{
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	ASSERT_EQ(0, connect_them(PAIR, NO_INDEX, NO_INDEX));
	EXPECT_EQ(-ENOSPC, session_load_limited(PAIR->to, 0, RUNNING, 0, 0, 1ULL << 50));
	EXPECT_TRUE(session_says(PAIR->to, ENOSPC, "max_spill"));
	EXPECT_EQ(0, session_load_limited(PAIR->to, 0, RUNNING, 0, 0, VFIO_MIGMUX_NO_SPILL));
}

/* --- weights -------------------------------------------------------------------------- */

/*
 * The peer takes frames of two devices that both have always more, one by one: what each
 * has sent, when the first of them is through, is as their weights are.
 */
TEST_F(shared, a_channel_follows_the_weights)
{
	static const __u32 weights[NR_DEVICES] = { 1, 3 };
	__u64 got[NR_DEVICES] = { 0 };
	struct peer_frame frame;
	struct peer_init init;
	int i, n, fd[2];

	ASSERT_EQ(0, fill(&DEV[0], 24 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 24 * MIB));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, weights));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_channel_add(PAIR->from, fd[0], NO_INDEX));
	close(fd[0]);
	ASSERT_EQ(0, session_save(PAIR->from, 0, RUNNING, 8 * MIB));
	/* both have filled their part of the memory */
	ASSERT_EQ(0, saved_wait(DEV[0].addr, 2 * MIB));
	ASSERT_EQ(0, saved_wait(DEV[1].addr, 6 * MIB));
	ASSERT_EQ(0, peer_recv(fd[1], &init, sizeof(init)));
	do {
		n = peer_recv_frame(fd[1], &frame);
		ASSERT_LE(0, n);
		i = !!strcmp(frame.idstr, idstrs[0]);
		got[i] += n;
	} while (peer_get32(frame.payload_flags) != 1);
	TH_LOG("%llu and %llu bytes", got[0], got[1]);
	/* the heavier one ends first, and the other has a third of that by then */
	EXPECT_EQ(1, i);
	EXPECT_LE(got[1] / 5, got[0]);
	EXPECT_GE(got[1] / 2, got[0]);
	close(fd[1]);
}

/* --- the destination's memory ----------------------------------------------------------- */

/* A slow device has its part of the memory, and its sibling is loaded long before it. */
TEST_F(shared, max_queued_bounds_a_slow_device)
{
	struct timeline t;
	int i;

	ASSERT_EQ(0, fill(&DEV[0], 12 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 12 * MIB));
	ASSERT_EQ(0, attr_write_num(DEV[2].addr, "write_us_per_mib", 100000));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	for (i = 0; i < 2 * NR_DEVICES; i++)
		ASSERT_EQ(0, connect_them(PAIR, i % NR_DEVICES, 0));
	ASSERT_EQ(0, session_load_limited(PAIR->to, 0, RUNNING, 16 * MIB, 2 * MIB, 0));
	ASSERT_EQ(0, session_save(PAIR->from, 0, RUNNING, 0));
	ASSERT_EQ(0, pair_finish(PAIR));
	EXPECT_TRUE(pair_equal(PAIR));
	ASSERT_EQ(0, session_timeline(PAIR->to, &t));
	/* of sixteen frames: two of each, and next ones, which are always let in */
	EXPECT_GE(8 * MIB, t.t.staging_peak);
	EXPECT_LT(t.dev[1].phases[VFIO_MIGMUX_PHASE_LOAD].end_ns,
		  t.dev[0].phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns);
}

/*
 * Between the two sessions sits who has all frames of both devices before the first goes
 * on, and sends them in the worst order there is: backwards.
 */
static int send_backwards(int fd, const struct peer_held *held, int n)
{
	int ret = peer_send_init(fd, 0);

	while (n-- && !ret)
		ret = peer_pass(fd, &held[n]);
	return ret;
}

static int backwards(struct pair *pair, __u64 max_spill, __u64 max_state)
{
	struct vfio_migmux_load load = {
		.argsz = sizeof(load), .recover = RUNNING, .staging = MIB,
		.max_state = max_state, .max_spill = max_spill,
	};
	struct peer_held held[MAX_FRAMES] = { 0 };
	int i, n, ret, a[2], b[2];

	if (peer_pair(a) || peer_pair(b))
		return -EMFILE;
	ret = session_channel_add(pair->from, a[0], NO_INDEX);
	if (ret >= 0)
		ret = session_channel_add(pair->to, b[0], NO_INDEX);
	if (ret >= 0)
		ret = session_call(pair->to, VFIO_MIGMUX_LOAD, &load);
	if (!ret)
		ret = session_save(pair->from, 0, RUNNING, 0);
	n = ret ?: peer_take(a[1], held, MAX_FRAMES, NR_DEVICES);
	if (n > 0)
		send_backwards(b[1], held, n);
	peer_let_go(held, MAX_FRAMES);
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	return n < 0 ? n : 0;
}

TEST_F(shared, a_bad_order_is_spilled)
{
	struct timeline t;
	__u32 channels;
	int i;

	ASSERT_EQ(0, fill(&DEV[0], 4 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 4 * MIB));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	/* a little more than they have */
	ASSERT_EQ(0, backwards(PAIR, 16 * MIB, 5 * MIB));
	ASSERT_EQ(0, pair_finish(PAIR));
	EXPECT_TRUE(pair_equal(PAIR));
	ASSERT_EQ(0, session_timeline(PAIR->to, &t));
	EXPECT_GE(MIB, t.t.staging_peak);
	EXPECT_LE(3 * MIB, t.t.spill_peak);
	EXPECT_GE(16 * MIB, t.t.spill_peak);
	for (i = 0; i < NR_DEVICES; i++)
		EXPECT_EQ(frames_of(PAIR->from, i, &channels), t.dev[i].frames);
}

/* The destination's devices, and two channels that they share from us. */
static int by_hand(int session, struct vfio_dev *dev, int ch[2], __u64 max_spill)
{
	int i, fd[2], ret = 0;

	for (i = 0; i < NR_DEVICES && ret >= 0; i++) {
		ret = attr_write(dev[i].addr, "headerless", "1");
		if (!ret)
			ret = session_device_add(session, dev[i].fd, idstrs[i], 0);
	}
	for (i = 0; i < 2 && ret >= 0; i++) {
		ret = peer_pair(fd);
		if (ret)
			break;
		ret = session_channel_add(session, fd[0], NO_INDEX);
		close(fd[0]);
		ch[i] = fd[1];
	}
	return ret < 0 ? ret : session_load_limited(session, 0, RUNNING, MIB, 0, max_spill) ?:
	       peer_send_init(ch[0], 0) ?: peer_send_init(ch[1], 1);
}

static int spilled_wait(int session)
{
	struct timeline t;
	int i, ret;

	for (i = 0; i < WAIT_MS; i++) {
		ret = session_timeline(session, &t);
		if (ret || t.t.spill_peak)
			return ret;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/*
 * A spilled frame's turn has come, and it is whole when the other device has the only place
 * in the staging. When that is free again, nothing else is to come that would wake the feed.
 */
TEST_F_TIMEOUT(shared, a_spilled_frame_waits_for_a_place, 60)
{
	const struct peer_frame late = peer_frame(idstrs[1], 1, KIB, false);
	static const char data[KIB] = "late";
	int ch[2] = { -1, -1 };

	ASSERT_EQ(0, attr_write_num(DEV[0].addr, "write_us_per_mib", 32000000));
	ASSERT_EQ(0, attr_write_num(DEV[0].addr, "write_chunk", KIB));
	ASSERT_EQ(0, by_hand(self->vmm.fd, DEV, ch, 0));
	ASSERT_EQ(0, peer_send(ch[0], &late, sizeof(late)));
	ASSERT_EQ(0, peer_send(ch[0], data, KIB / 2));
	ASSERT_EQ(0, spilled_wait(self->vmm.fd));
	ASSERT_EQ(0, peer_send_frame(ch[1], idstrs[1], 2, 10, true));
	ASSERT_EQ(0, peer_send_frame(ch[1], idstrs[1], 0, KIB, false));
	ASSERT_EQ(0, attr_wait(DEV[1].addr, "loaded_bytes", KIB));
	ASSERT_EQ(0, peer_send_frame(ch[1], idstrs[0], 0, 64 * KIB, false));
	ASSERT_EQ(0, peer_send_frame(ch[1], idstrs[0], 1, 10, true));
	ASSERT_EQ(0, attr_wait(DEV[0].addr, "loaded_bytes", KIB));
	ASSERT_EQ(0, peer_send(ch[0], data, KIB / 2));
	EXPECT_EQ(0, session_wait(self->vmm.fd, M_LOADED, WAIT_MS));
	close(ch[0]);
	close(ch[1]);
}

/* Frames of one byte, of which each comes too early: a peer cannot have many of them. */
TEST_F(shared, a_spilled_frame_counts_for_a_page)
{
	const struct peer_frame third = peer_frame(idstrs[1], 3, 1, false);
	const __u64 two = 2 * getpagesize();
	int ch[2] = { -1, -1 };
	struct timeline t;

	ASSERT_EQ(0, by_hand(self->vmm.fd, DEV, ch, two));
	ASSERT_EQ(0, peer_send_frame(ch[0], idstrs[1], 1, 1, false));
	ASSERT_EQ(0, peer_send_frame(ch[0], idstrs[1], 2, 1, false));
	ASSERT_EQ(0, peer_send(ch[0], &third, sizeof(third)));
	ASSERT_EQ(0, session_wait(self->vmm.fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(self->vmm.fd, ENOBUFS, "frame 3 of"));
	ASSERT_EQ(0, session_timeline(self->vmm.fd, &t));
	EXPECT_EQ(two, t.t.spill_peak);
	close(ch[0]);
	close(ch[1]);
}

/* @n frames of one byte, and then the one that must come before them, and all the rest. */
static int send_small(int fd, __u32 n)
{
	int ret = 0;
	__u32 i;

	for (i = 1; i <= n && !ret; i++)
		ret = peer_send_frame(fd, idstrs[1], i, 1, false);
	return ret ?: peer_send_frame(fd, idstrs[1], 0, 1, false) ?:
	       peer_send_frame(fd, idstrs[1], n + 1, 10, true) ?:
	       peer_send_frame(fd, idstrs[0], 0, 10, true);
}

/* Nor do a few of them use up what all sessions may have: one MiB beyond the staging. */
TEST_F(shared, spilled_frames_leave_memory_to_others)
{
	const long total = number_read(PARAMS "staging_total_mib", NULL);
	int ch[2] = { -1, -1 };
	struct timeline t;

	ASSERT_EQ(0, number_write(PARAMS "staging_total_mib", 2));
	EXPECT_EQ(0, by_hand(self->vmm.fd, DEV, ch, 0));
	EXPECT_EQ(0, send_small(ch[0], 10));
	EXPECT_EQ(0, session_wait(self->vmm.fd, M_LOADED, WAIT_MS));
	EXPECT_EQ(0, number_write(PARAMS "staging_total_mib", total));
	EXPECT_TRUE(session_says(self->vmm.fd, 0, ""));
	ASSERT_EQ(0, session_timeline(self->vmm.fd, &t));
	EXPECT_EQ(10 * getpagesize(), t.t.spill_peak);
	close(ch[0]);
	close(ch[1]);
}

/* What is spilled is state, too. */
TEST_F(shared, a_bad_order_meets_max_state)
{
	ASSERT_EQ(0, fill(&DEV[0], 4 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 4 * MIB));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	ASSERT_EQ(0, backwards(PAIR, 16 * MIB, 3 * MIB));
	ASSERT_EQ(0, session_wait(PAIR->to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(PAIR->to, EFBIG, "more than 3145728 bytes of state"));
}

TEST_F(shared, a_bad_order_meets_the_cap)
{
	struct timeline t;

	ASSERT_EQ(0, fill(&DEV[0], 4 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 4 * MIB));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	ASSERT_EQ(0, backwards(PAIR, 2 * MIB, 0));
	ASSERT_EQ(0, session_wait(PAIR->to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(PAIR->to, ENOBUFS,
				 "has not come, and memory for 2097152 bytes beyond"));
	ASSERT_EQ(0, session_timeline(PAIR->to, &t));
	EXPECT_GE(2 * MIB, t.t.spill_peak);
}

/* What is spilled is memory of all sessions: here for one frame beyond both stagings. */
TEST_F(shared, a_bad_order_meets_the_limit_of_all_sessions)
{
	const long own = 1 + number_read(PARAMS "staging_default_mib", NULL);
	const long total = number_read(PARAMS "staging_total_mib", NULL);
	struct timeline t;

	ASSERT_EQ(0, fill(&DEV[0], 4 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 4 * MIB));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	ASSERT_EQ(0, number_write(PARAMS "staging_total_mib", own + 1));
	EXPECT_EQ(0, backwards(PAIR, 16 * MIB, 0));
	EXPECT_EQ(0, session_wait(PAIR->to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_EQ(0, number_write(PARAMS "staging_total_mib", total));
	EXPECT_TRUE(session_says(PAIR->to, ENOSPC, "staging_total_mib"));
	ASSERT_EQ(0, session_timeline(PAIR->to, &t));
	EXPECT_LT(0, t.t.spill_peak);
	EXPECT_GE(MIB, t.t.spill_peak);
}

TEST_F(shared, a_bad_order_without_spill)
{
	ASSERT_EQ(0, fill(&DEV[0], 4 * MIB));
	ASSERT_EQ(0, fill(&DEV[1], 1000));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	ASSERT_EQ(0, backwards(PAIR, VFIO_MIGMUX_NO_SPILL, 0));
	ASSERT_EQ(0, session_wait(PAIR->to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(PAIR->to, ENOBUFS, "memory for 0 bytes beyond"));
}

/*
 * LOAD is refused for what the devices are, and frames have come by then: they are lost, so
 * the session is. Where none had been taken yet it may be started again, and gets them all.
 */
TEST_F(shared, refused_after_frames_came)
{
	int i, ret;

	for (i = 0; i < NR_DEVICES; i++)
		ASSERT_EQ(0, fill(&DEV[i], 3000));
	ASSERT_EQ(0, open_sessions(PAIR, DEV, NULL));
	for (i = 0; i < NR_DEVICES; i++)
		ASSERT_EQ(0, connect_them(PAIR, i, 0));
	ASSERT_EQ(0, session_save(PAIR->from, 0, RUNNING, 0));
	ASSERT_EQ(0, session_wait(PAIR->from, M_SENT, WAIT_MS));
	/* no way leads out of ERROR */
	ASSERT_EQ(0, attr_write(DEV[2].addr, "fail_to_error", "1"));
	ASSERT_EQ(0, attr_write(DEV[2].addr, "fail_arc", "RUNNING>RUNNING_P2P"));
	ASSERT_GT(0, set_state(&DEV[2], RUNNING_P2P, NULL));
	ASSERT_TRUE(device_is(&DEV[2], ERROR));
	EXPECT_EQ(-EIO, session_load(PAIR->to, 0, RUNNING, 0));
	EXPECT_TRUE(session_says(PAIR->to, EIO, "RESUMING: is in ERROR"));
	ASSERT_EQ(0, device_settle(&DEV[2]));
	ret = session_load(PAIR->to, 0, RUNNING, 0);
	if (ret == -ECANCELED) {
		EXPECT_EQ(0, session_wait(PAIR->to, M_FAILED | M_ENDED, WAIT_MS));
		return;
	}
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, pair_finish(PAIR));
	EXPECT_TRUE(pair_equal(PAIR));
}

int main(int argc, char **argv)
{
	return session_main_precopy(argc, argv, 4);
}
