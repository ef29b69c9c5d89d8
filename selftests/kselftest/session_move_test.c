// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_SAVE and VFIO_MIGMUX_LOAD between two sessions of one process: what
 * arrives, what the timeline says of it, config blobs, staging, milestones.
 */
#include "session_fixture.h"

/* Registers that differ between all devices, and payloads of that size. */
static int fill(struct vfio_dev *dev, __u64 state_size, __u32 seed)
{
	void *bar = bar_map(dev);
	int ret;

	if (!bar)
		return -ENOMEM;
	ret = registers_fill(bar, seed);
	bar_unmap(bar);
	if (!ret)
		ret = attr_write_num(dev->addr, "state_size", state_size);
	if (!ret)
		ret = attr_write_num(dev->addr, "seed", seed);
	return ret;
}

/* Two pairs: devices 0 and 1 are sources, 2 and 3 destinations. */
static int fill_all(struct _test_data_vmm *self, __u64 state_size)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES; i++)
		ret |= fill(&self->dev[i], i < 2 ? state_size : 1000, 7 + 10 * i);
	return ret;
}

static bool span_done(const struct vfio_migmux_timeline_device *dev, int phase)
{
	return ordered(dev->phases[phase].start_ns, dev->phases[phase].end_ns);
}

static void check_source(struct __test_metadata *_metadata, const struct pair *pair,
			 const struct vfio_migmux_timeline_device *dev, __u64 size,
			 __u32 channels)
{
	const struct vfio_migmux_span *p = dev->phases;

	EXPECT_EQ(0, dev->error);
	EXPECT_EQ(STOP_COPY, dev->state);
	EXPECT_EQ(channels, dev->nr_channels);
	EXPECT_EQ(size, dev->bytes);
	/* whole frames, perhaps one that the driver's reads cut, and the config */
	EXPECT_LE((size + MIB - 1) / MIB + 1, dev->frames);
	EXPECT_EQ(size, attr_read_num(pair->src[dev->index].addr, "saved_bytes"));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_QUIESCE));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_STOP));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_SAVE));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_TRANSFER));
	EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_QUIESCE].end_ns,
			    p[VFIO_MIGMUX_PHASE_STOP].start_ns));
	EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_STOP].end_ns,
			    p[VFIO_MIGMUX_PHASE_SAVE].start_ns));
	EXPECT_TRUE(ordered(dev->first_byte_ns, dev->last_byte_ns));
	EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_SAVE].start_ns, dev->first_byte_ns));
}

static void check_destination(struct __test_metadata *_metadata, const struct pair *pair,
			      const struct vfio_migmux_timeline_device *dev, __u64 size,
			      __u32 channels)
{
	const struct vfio_migmux_span *p = dev->phases;

	EXPECT_EQ(0, dev->error);
	EXPECT_EQ(RUNNING, dev->state);
	/* those that carried something */
	EXPECT_LE(1, dev->nr_channels);
	EXPECT_GE(channels, dev->nr_channels);
	EXPECT_EQ(size, dev->bytes);
	EXPECT_EQ(size, attr_read_num(pair->dst[dev->index].addr, "loaded_bytes"));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_PREPARE));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_TRANSFER));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_LOAD));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_RESUME));
	EXPECT_TRUE(span_done(dev, VFIO_MIGMUX_PHASE_START));
	EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_TRANSFER].end_ns,
			    p[VFIO_MIGMUX_PHASE_LOAD].end_ns));
	EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_LOAD].end_ns,
			    p[VFIO_MIGMUX_PHASE_RESUME].start_ns));
	EXPECT_TRUE(ordered(dev->first_byte_ns, dev->last_byte_ns));
}

static void check_timelines(struct __test_metadata *_metadata, const struct pair *pair,
			    __u64 size, __u64 staging, __u32 channels)
{
	struct timeline from, to;
	int i;

	ASSERT_EQ(0, session_timeline(pair->from, &from));
	ASSERT_EQ(0, session_timeline(pair->to, &to));
	EXPECT_NE(from.t.session, to.t.session);
	ASSERT_EQ(pair->n, from.t.nr_devices);
	ASSERT_EQ(pair->n, to.t.nr_devices);
	for (i = 0; i < pair->n; i++) {
		check_source(_metadata, pair, &from.dev[i], size, channels);
		check_destination(_metadata, pair, &to.dev[i], size, channels);
		EXPECT_EQ(from.dev[i].frames, to.dev[i].frames);
	}
	EXPECT_GE(staging, from.t.staging_peak);
	EXPECT_GE(staging, to.t.staging_peak);
	EXPECT_TRUE(ordered(from.t.milestone_ns[2], from.t.milestone_ns[3]));
	EXPECT_TRUE(ordered(from.t.milestone_ns[3], from.t.milestone_ns[4]));
	EXPECT_TRUE(ordered(to.t.milestone_ns[1], to.t.milestone_ns[5]));
	EXPECT_TRUE(ordered(to.t.milestone_ns[5], to.t.milestone_ns[6]));
	/* SENT of one end and LOADED of the other have no order: see verdict.c */
}

FIXTURE(move)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
};

FIXTURE_VARIANT(move)
{
	bool verdict;
	__u64 size;
	int channels;
	__u64 staging;
	int read_chunk;
	int write_chunk;
};

FIXTURE_VARIANT_ADD(move, plain) {
	.size = 3 * MIB + 5, .channels = 2
};

FIXTURE_VARIANT_ADD(move, verdict) {
	.verdict = true, .size = 3 * MIB + 5, .channels = 2
};

FIXTURE_VARIANT_ADD(move, nothing) {
	.verdict = true, .size = 0, .channels = 1
};

FIXTURE_VARIANT_ADD(move, one_byte) {
	.size = 1, .channels = 3
};

FIXTURE_VARIANT_ADD(move, short_steps) {
	.size = 300000, .channels = 2, .read_chunk = 10007,
	.write_chunk = 4099
};

FIXTURE_VARIANT_ADD(move, staging_1m) {
	.verdict = true, .size = 6 * MIB, .channels = 3, .staging = 1
};

FIXTURE_SETUP(move)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->pair.from = -1;
	self->pair.to = -1;
}

FIXTURE_TEARDOWN(move)
{
	pair_close(&self->pair);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(move, arrives)
{
	const __u64 size = MIGSIM_HEAD + variant->size;
	const __u64 staging = variant->staging ? MIB : 1ULL << 40;
	struct _test_data_vmm *vmm = &self->vmm;
	int i;

	ASSERT_EQ(0, fill_all(vmm, variant->size));
	for (i = 0; i < 2; i++) {
		attr_write_num(vmm->dev[i].addr, "read_chunk", variant->read_chunk);
		attr_write_num(vmm->dev[2 + i].addr, "write_chunk", variant->write_chunk);
	}
	ASSERT_EQ(0, pair_open(&self->pair, &vmm->dev[0], &vmm->dev[2], 2,
			       variant->channels));
	ASSERT_EQ(0, pair_start(&self->pair, variant->verdict, variant->staging));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
	check_timelines(_metadata, &self->pair, size, staging, variant->channels);

	EXPECT_EQ(M_QUIESCED | M_STOPPED | M_SENT | (variant->verdict ? M_HANDED_OVER : 0),
		  session_reached(self->pair.from));
	EXPECT_EQ(M_BATCH | M_READY | M_LOADED | M_HANDED_OVER,
		  session_reached(self->pair.to));
	/* the source may be closed down, or started again by whoever knows better */
	EXPECT_TRUE(device_is(&vmm->dev[0], STOP_COPY));
	EXPECT_EQ(0, session_set_state(self->pair.from, STOP, NONE, 0, 0, NULL));
}

TEST_F(vmm, headerless_sizes)
{
	static const __u64 sizes[] = { 0, 1, MIB, MIB + 1 };
	struct timeline t;
	struct pair pair;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, devices_settle(&devices));
		ASSERT_EQ(0, fill(&self->dev[0], sizes[i], i + 1));
		ASSERT_EQ(0, fill(&self->dev[1], 77, i + 1));
		ASSERT_EQ(0, attr_write(self->dev[0].addr, "headerless", "1"));
		ASSERT_EQ(0, attr_write(self->dev[1].addr, "headerless", "1"));
		ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[1], 1, 2));
		ASSERT_EQ(0, pair_start(&pair, i & 1, STAGING));
		ASSERT_EQ(0, pair_finish(&pair));
		EXPECT_TRUE(pair_equal(&pair));
		ASSERT_EQ(0, session_timeline(pair.to, &t));
		EXPECT_EQ(sizes[i], t.dev[0].bytes);
		EXPECT_EQ((sizes[i] + MIB - 1) / MIB + 1, t.dev[0].frames);
		pair_close(&pair);
	}
}

/*
 * The destination's memory is bounded by its budget, however slow its devices are, and
 * with channels that bring frames in any order; it slows the source down instead.
 */
TEST_F(vmm, staging_bounded)
{
	struct timeline t;
	struct pair pair;
	int i;

	ASSERT_EQ(0, fill_all(self, 4 * MIB));
	for (i = 2; i < SESSION_DEVICES; i++)
		ASSERT_EQ(0, attr_write(self->dev[i].addr, "write_us_per_mib", "50000"));
	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 2, 4));
	ASSERT_EQ(0, session_load(pair.to, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, MIB));
	ASSERT_EQ(0, session_save(pair.from, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 16 * MIB));
	ASSERT_EQ(0, pair_finish(&pair));
	EXPECT_TRUE(pair_equal(&pair));
	ASSERT_EQ(0, session_timeline(pair.to, &t));
	EXPECT_EQ(MIB, t.t.staging_peak);
	for (i = 0; i < 2; i++)
		EXPECT_LE(4 * 50000000ULL, t.dev[i].stall_device_ns);
	EXPECT_LT(0, t.dev[0].stall_staging_ns + t.dev[1].stall_staging_ns);
	pair_close(&pair);
}

TEST_F(vmm, config_blobs)
{
	static const __u32 sizes[] = { 1, 4096, 256 * KIB, 0 };
	static char blob[256 * KIB + 1], got[256 * KIB];
	struct pair pair;
	__u32 size, i;

	for (i = 0; i < sizeof(blob); i++)
		blob[i] = i * 2654435761U >> 24;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, devices_settle(&devices));
		ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 2, 1));
		EXPECT_EQ(-ENOENT, session_config_set(pair.from, 2, blob, 1));
		EXPECT_EQ(-EINVAL, session_config_set(pair.from, 0, blob, 256 * KIB + 1));
		EXPECT_TRUE(session_says(pair.from, EINVAL, "262145"));
		/* the last one counts, and 0 removes it */
		ASSERT_EQ(0, session_config_set(pair.from, 1, blob, 100));
		ASSERT_EQ(0, session_config_set(pair.from, 1, blob + 1, sizes[i]));
		size = sizeof(got);
		EXPECT_EQ(sizes[i] ? 0 : -ENODATA,
			  session_config_get(pair.from, 1, got, &size));
		size = sizeof(got);
		EXPECT_EQ(-ENODATA, session_config_get(pair.to, 1, got, &size));
		ASSERT_EQ(0, pair_start(&pair, true, STAGING));
		EXPECT_EQ(-EBUSY, session_config_set(pair.to, 1, blob, 1));
		ASSERT_EQ(0, pair_finish(&pair));
		EXPECT_EQ(-EBUSY, session_config_set(pair.from, 1, blob, 1));
		EXPECT_TRUE(session_says(pair.from, EBUSY, "device 1"));

		size = sizeof(got);
		EXPECT_EQ(-ENODATA, session_config_get(pair.to, 0, got, &size));
		size = 0;
		EXPECT_EQ(sizes[i] ? -ENOSPC : -ENODATA,
			  session_config_get(pair.to, 1, got, &size));
		EXPECT_EQ(sizes[i], size);
		if (sizes[i]) {
			ASSERT_EQ(0, session_config_get(pair.to, 1, got, &size));
			EXPECT_EQ(sizes[i], size);
			EXPECT_EQ(0, memcmp(blob + 1, got, size));
		}
		pair_close(&pair);
	}
}

/* The first device's bytes leave while the second is still on its way. */
TEST_F(vmm, streams_early)
{
	struct timeline t;
	struct pair pair;

	ASSERT_EQ(0, attr_write(self->dev[1].addr, "arcs", "STOP>STOP_COPY=500"));
	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 2, 1));
	ASSERT_EQ(0, pair_start(&pair, true, STAGING));
	ASSERT_EQ(0, pair_finish(&pair));
	ASSERT_EQ(0, session_timeline(pair.from, &t));
	EXPECT_LT(t.dev[0].last_byte_ns, t.dev[1].phases[VFIO_MIGMUX_PHASE_SAVE].end_ns);
	pair_close(&pair);
}

/* Nobody starts a device that is not its own yet. */
TEST_F(vmm, not_handed_over)
{
	struct pair pair;

	ASSERT_EQ(0, attr_write(self->dev[0].addr, "read_us_per_mib", "4000000"));
	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 1, 1));
	ASSERT_EQ(0, pair_start(&pair, true, STAGING));
	EXPECT_EQ(-EBUSY, session_set_state(pair.to, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(session_says(pair.to, EBUSY, "handed over"));
	EXPECT_EQ(-EBUSY, session_set_state(pair.from, RUNNING, NONE, 0, 0, NULL));
	/* by VFIO's ioctls neither */
	EXPECT_EQ(-EBUSY, set_state(&self->dev[0], RUNNING, NULL));
	EXPECT_EQ(-EBUSY, set_state(&self->dev[2], RUNNING, NULL));
	ASSERT_EQ(0, pair_finish(&pair));
	EXPECT_TRUE(device_is(&self->dev[2], RUNNING));
	/* the destination may know it first */
	ASSERT_EQ(0, session_wait(pair.from, M_HANDED_OVER, WAIT_MS));
	EXPECT_EQ(0, set_state(&self->dev[0], STOP, NULL));
	pair_close(&pair);
}

/* A session is one migration; its devices are free for the next one at once. */
TEST_F(vmm, there_and_back)
{
	struct pair there, back;

	ASSERT_EQ(0, fill_all(self, 100000));
	ASSERT_EQ(0, pair_open(&there, &self->dev[0], &self->dev[2], 2, 1));
	ASSERT_EQ(0, pair_start(&there, true, STAGING));
	ASSERT_EQ(0, pair_finish(&there));
	EXPECT_EQ(-EBUSY, session_save(there.from, 0, RUNNING, 0));
	EXPECT_EQ(-EBUSY, session_load(there.to, 0, RUNNING, 0));
	pair_close(&there);

	ASSERT_EQ(0, fill(&self->dev[0], 5, 99));
	ASSERT_EQ(0, pair_open(&back, &self->dev[2], &self->dev[0], 2, 1));
	ASSERT_EQ(0, pair_start(&back, true, STAGING));
	ASSERT_EQ(0, pair_finish(&back));
	EXPECT_TRUE(pair_equal(&back));
	EXPECT_EQ(100000, attr_read_num(self->dev[0].addr, "payload_size"));
	pair_close(&back);
}

/*
 * All that a device needs is there before it is in RESUMING, so it may be loaded, and in
 * STOP, before who took it to RESUMING has looked again. It must stay there: taken to
 * RESUMING once more it would forget all. Once in some hundred times it was.
 */
TEST_F_TIMEOUT(vmm, loaded_at_once, 150)
{
	const struct arc *arc;
	struct arc arcs[64];
	int i, n, fd, ch[2];

	ASSERT_EQ(0, attr_write(self->dev[0].addr, "headerless", "1"));
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, set_state(&self->dev[0], RUNNING, NULL));
		ASSERT_EQ(0, attr_write(self->dev[0].addr, "arcs_log", "0"));
		fd = session_open();
		ASSERT_EQ(0, session_device_add(fd, self->dev[0].fd, idstrs[0], 0));
		ASSERT_EQ(0, peer_pair(ch));
		ASSERT_EQ(0, session_channel_add(fd, ch[0], 0));
		ASSERT_EQ(0, peer_send_init(ch[1], 0));
		ASSERT_EQ(0, peer_send_frame(ch[1], idstrs[0], 0, 1, false));
		ASSERT_EQ(0, peer_send_frame(ch[1], idstrs[0], 1, 0, true));
		ASSERT_EQ(0, session_load(fd, 0, RUNNING, MIB));
		ASSERT_EQ(0, session_wait(fd, M_LOADED, WAIT_MS));
		close(fd);
		close(ch[0]);
		close(ch[1]);
		n = arcs_read(self->dev[0].addr, arcs);
		ASSERT_LT(0, n);
		arc = arcs_find(arcs, n, "STOP", "RESUMING");
		ASSERT_NE(NULL, arc);
		ASSERT_EQ(NULL, arcs_find(arc + 1, n - (int)(arc + 1 - arcs), "STOP", "RESUMING"))
			TH_LOG("after %d that were right", i);
		ASSERT_TRUE(device_is(&self->dev[0], STOP));
	}
	EXPECT_EQ(1, attr_read_num(self->dev[0].addr, "payload_size"));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
