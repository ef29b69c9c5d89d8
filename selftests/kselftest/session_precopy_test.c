// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pre-copy: rounds while the devices run, the switchover in the middle of a stream,
 * acknowledgments, refusals, devices that fail.
 *
 * Devices 0 to 2 can pre-copy, 3 cannot. What migsim gives in pre-copy is a part of its
 * payload, so each byte of it, and their order, show in the payload's CRC.
 */
#include "phase.h"
#include "session_fixture.h"

#define VERDICT		VFIO_MIGMUX_SAVE_VERDICT
#define PRECOPY		VFIO_MIGMUX_SAVE_PRECOPY
#define BLOCK		4096

static int knob(const struct vfio_dev *dev, const char *attr, __u64 value)
{
	return attr_write_num(dev->addr, attr, value);
}

/* Payloads that differ, and of which that much is given in pre-copy. */
static int fill(struct vfio_dev *dev, __u64 size, __u64 precopy)
{
	static int seed;

	return knob(dev, "state_size", size) ?: knob(dev, "seed", ++seed) ?:
	       knob(dev, "precopy_size", precopy);
}

static int begin(struct pair *pair, __u32 verdict)
{
	return session_load(pair->to, verdict, RUNNING, STAGING) ?:
	       session_save(pair->from, verdict | PRECOPY, RUNNING, STAGING) ?:
	       session_wait(pair->from, M_PRECOPY, WAIT_MS);
}

static int switchover(struct pair *pair, __u32 verdict)
{
	return session_save(pair->from, verdict, RUNNING, 0) ?: pair_finish(pair);
}

/* Until that many rounds of a device are over; events say so. */
static int rounds_wait(int fd, __u32 device, __u32 rounds)
{
	struct vfio_migmux_event events[32];
	struct timeline t;
	int ret;

	for (;;) {
		ret = session_timeline(fd, &t);
		if (ret || t.dev[device].precopy_rounds >= rounds)
			return ret;
		ret = session_poll(fd, POLLIN, WAIT_MS);
		if (ret <= 0)
			return ret ?: -ETIMEDOUT;
		ret = session_events(fd, events, 32);
		if (ret < 0)
			return ret;
	}
}

FIXTURE(precopy)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
};

FIXTURE_SETUP(precopy)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->pair.from = -1;
	self->pair.to = -1;
}

FIXTURE_TEARDOWN(precopy)
{
	pair_close(&self->pair);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define DEV	(self->vmm.dev)
#define PAIR	(&self->pair)

FIXTURE_VARIANT(precopy)
{
	__u32 verdict;
	const char *end;
	bool poll;
};

FIXTURE_VARIANT_ADD(precopy, enomsg) { .verdict = VERDICT, .end = "enomsg" };

FIXTURE_VARIANT_ADD(precopy, zero) { .verdict = VERDICT, .end = "zero" };

FIXTURE_VARIANT_ADD(precopy, enomsg_poll) {
	.verdict = VERDICT, .end = "enomsg", .poll = true
};

FIXTURE_VARIANT_ADD(precopy, zero_poll) {
	.verdict = VERDICT, .end = "zero", .poll = true
};

FIXTURE_VARIANT_ADD(precopy, no_verdict) { .end = "enomsg" };

/* the same bits at both ends */
FIXTURE_VARIANT_ADD(precopy, verified) {
	.verdict = VERDICT | VFIO_MIGMUX_SAVE_VERIFY, .end = "enomsg", .poll = true
};

static int knobs(struct vfio_dev *dev, const struct _fixture_variant_precopy *variant)
{
	return attr_write(dev->addr, "precopy_end", variant->end) ?:
	       knob(dev, "poll", variant->poll);
}

/* Pre-copy, then the downtime; and the two ends say the same. */
static void check_timelines(struct __test_metadata *_metadata, const struct pair *pair,
			    bool verdict)
{
	const struct vfio_migmux_span *p;
	struct timeline from, to;
	int i;

	ASSERT_EQ(0, session_timeline(pair->from, &from));
	ASSERT_EQ(0, session_timeline(pair->to, &to));
	for (i = 0; i < pair->n; i++) {
		p = from.dev[i].phases;
		EXPECT_EQ(from.dev[i].bytes, to.dev[i].bytes);
		EXPECT_EQ(from.dev[i].frames, to.dev[i].frames);
		EXPECT_LT(from.dev[i].precopy_bytes, from.dev[i].bytes);
		EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_PRECOPY].start_ns,
				    p[VFIO_MIGMUX_PHASE_PRECOPY].end_ns));
		EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_PRECOPY].end_ns,
				    p[VFIO_MIGMUX_PHASE_QUIESCE].start_ns));
		EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_PRECOPY].end_ns,
				    p[VFIO_MIGMUX_PHASE_TRANSFER].start_ns));
		EXPECT_TRUE(ordered(from.dev[i].first_byte_ns,
				    p[VFIO_MIGMUX_PHASE_QUIESCE].start_ns));
		EXPECT_EQ(0, p[VFIO_MIGMUX_PHASE_STOP].start_ns);
		p = to.dev[i].phases;
		EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_TRANSFER].start_ns,
				    p[VFIO_MIGMUX_PHASE_TRANSFER].end_ns));
		if (!verdict) {
			EXPECT_EQ(0, p[VFIO_MIGMUX_PHASE_PRECOPY].start_ns);
			EXPECT_EQ(0, to.dev[i].precopy_bytes);
			continue;
		}
		EXPECT_EQ(from.dev[i].precopy_bytes, to.dev[i].precopy_bytes);
		EXPECT_TRUE(ordered(p[VFIO_MIGMUX_PHASE_PRECOPY].start_ns,
				    p[VFIO_MIGMUX_PHASE_PRECOPY].end_ns));
		EXPECT_EQ(p[VFIO_MIGMUX_PHASE_PRECOPY].end_ns,
			  p[VFIO_MIGMUX_PHASE_TRANSFER].start_ns);
	}
}

/* All is given, something gets dirty and is given again, all stop. */
TEST_F(precopy, rounds)
{
	struct precopy info;
	__u64 given;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, fill(&DEV[i], MIB + 77, 700000));
		ASSERT_EQ(0, knobs(&DEV[i], variant));
	}
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 2));
	ASSERT_EQ(0, begin(PAIR, variant->verdict));
	EXPECT_TRUE(device_is(&DEV[0], PRE_COPY));
	EXPECT_TRUE(device_is(&DEV[1], PRE_COPY));
	if (variant->verdict)
		ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 1));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 1, 1));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	EXPECT_EQ(2, info.i.nr_precopy);
	EXPECT_EQ(variant->verdict ? 2 : 0, info.i.nr_acked);
	EXPECT_EQ(0, info.i.initial_bytes);
	EXPECT_EQ(0, info.i.dirty_bytes);
	EXPECT_EQ(2, info.i.nr_devices);
	EXPECT_LT(700000, info.dev[1].bytes);
	EXPECT_EQ(1, info.dev[1].rounds);
	EXPECT_LT(0, info.dev[1].ns);
	EXPECT_LT(MIB - 700000, info.dev[1].stop_copy_bytes);
	EXPECT_EQ(info.i.stop_copy_bytes,
		  info.dev[0].stop_copy_bytes + info.dev[1].stop_copy_bytes);

	/* it is noticed without anybody asking */
	given = info.dev[1].bytes;
	ASSERT_EQ(0, knob(&DEV[1], "dirty", 3 * BLOCK));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 1, 2));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	EXPECT_LE(given + 3 * BLOCK, info.dev[1].bytes);
	EXPECT_EQ(0, info.i.dirty_bytes);

	ASSERT_EQ(0, switchover(PAIR, variant->verdict));
	EXPECT_TRUE(pair_equal(PAIR));
	EXPECT_TRUE(device_is(&DEV[0], STOP_COPY));
	check_timelines(_metadata, PAIR, variant->verdict);
}

/*
 * The switchover comes while a device that never has nothing to give is being read in
 * small pieces: the stream goes on where it was.
 */
TEST_F_TIMEOUT(precopy, busy, 150)
{
	int i, j;

	for (i = 0; i < 4; i++) {
		for (j = 0; j < 2; j++) {
			ASSERT_EQ(0, fill(&DEV[j], MIB, MIB));
			ASSERT_EQ(0, knobs(&DEV[j], variant));
			ASSERT_EQ(0, knob(&DEV[j], "read_chunk", 1000 + 777 * i));
			ASSERT_EQ(0, knob(&DEV[j], "dirty_rate", (i + j) * 50 * MIB));
		}
		ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 3));
		ASSERT_EQ(0, begin(PAIR, variant->verdict));
		if (i)
			ASSERT_EQ(0, attr_wait(DEV[0].addr, "saved_bytes",
					       i * 300000));
		ASSERT_EQ(0, switchover(PAIR, variant->verdict));
		EXPECT_TRUE(pair_equal(PAIR));
		pair_close(PAIR);
		ASSERT_EQ(0, devices_settle(&devices));
	}
}

/* The arc takes its time, and the pump meets ends all the while. */
TEST_F(precopy, ends_during_the_arcs)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, fill(&DEV[i], 100000, 50000));
		ASSERT_EQ(0, knobs(&DEV[i], variant));
		ASSERT_EQ(0, knob(&DEV[i], "dirty_rate", 10 * BLOCK));
		ASSERT_EQ(0, attr_write(DEV[i].addr, "arcs",
					"PRE_COPY>PRE_COPY_P2P=150 PRE_COPY_P2P>STOP_COPY=150"));
	}
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, begin(PAIR, variant->verdict));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 2));
	ASSERT_EQ(0, switchover(PAIR, variant->verdict));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* --- without variants ---------------------------------------------------------------- */

FIXTURE(one)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
};

FIXTURE_SETUP(one)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->pair.from = -1;
	self->pair.to = -1;
}

FIXTURE_TEARDOWN(one)
{
	pair_close(&self->pair);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

static void check_failed(struct __test_metadata *_metadata, struct pair *pair, int error,
			 const char *words)
{
	struct timeline t;
	int i;

	ASSERT_EQ(0, session_wait(pair->from, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(pair->from, error, words));
	ASSERT_EQ(0, session_timeline(pair->from, &t));
	for (i = 0; i < pair->n; i++) {
		EXPECT_EQ(RUNNING, t.dev[i].state);
		EXPECT_TRUE(device_is(&pair->src[i], RUNNING));
	}
}

/* One that cannot runs until the switchover. */
TEST_F(one, beside_one_that_cannot)
{
	struct precopy info;
	struct timeline t;

	ASSERT_EQ(0, fill(&DEV[2], MIB, MIB / 2));
	ASSERT_EQ(0, fill(&DEV[3], MIB, MIB / 2));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[2], &DEV[0], 2, 2));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	EXPECT_TRUE(device_is(&DEV[2], PRE_COPY));
	EXPECT_TRUE(device_is(&DEV[3], RUNNING));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	EXPECT_EQ(1, info.i.nr_precopy);
	EXPECT_EQ(1, info.i.nr_acked);
	EXPECT_EQ(2, info.i.nr_devices);
	EXPECT_EQ(VFIO_MIGMUX_PRECOPY_ACTIVE | VFIO_MIGMUX_PRECOPY_ACKED, info.dev[0].flags);
	EXPECT_EQ(0, info.dev[1].flags);
	EXPECT_EQ(0, info.dev[1].rounds);
	EXPECT_LE(MIB, info.dev[1].stop_copy_bytes);
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
	ASSERT_EQ(0, session_timeline(PAIR->from, &t));
	EXPECT_EQ(0, t.dev[1].precopy_bytes);
	EXPECT_EQ(0, t.dev[1].phases[VFIO_MIGMUX_PHASE_PRECOPY].start_ns);
	EXPECT_LT(0, t.dev[1].phases[VFIO_MIGMUX_PHASE_STOP].start_ns);
}

/* None that can: pre-copy is over at once, and asked for in vain is no error. */
TEST_F(one, only_one_that_cannot)
{
	struct precopy info;

	ASSERT_EQ(0, pair_open(PAIR, &DEV[3], &DEV[0], 1, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	EXPECT_EQ(0, info.i.nr_precopy);
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* Nothing to be given in pre-copy: the destination acknowledges just that. */
TEST_F(one, nothing_to_give)
{
	ASSERT_EQ(0, fill(&DEV[0], MIB, 0));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 2));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* Acknowledged is what is written, not what is sent. */
TEST_F(one, ack_comes_after_the_write)
{
	struct timeline t;

	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB));
	ASSERT_EQ(0, knob(&DEV[2], "write_us_per_mib", 300000));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 3));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 1));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, session_timeline(PAIR->from, &t));
	EXPECT_LE(t.dev[0].precopy_bytes, attr_read_num(DEV[2].addr, "loaded_bytes"));
	EXPECT_LT(MIB, t.dev[0].precopy_bytes);
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* A read that goes on while the device stops may bring what only a stopped one has. */
TEST_F(one, read_across_the_stop)
{
	struct timeline t;

	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB));
	ASSERT_EQ(0, knob(&DEV[0], "read_us_per_mib", 2000000));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
	ASSERT_EQ(0, session_timeline(PAIR->from, &t));
	EXPECT_EQ(0, t.dev[0].precopy_bytes);
	EXPECT_LT(MIB, t.dev[0].bytes);
}

/* Who does not wait for it does not get it in the way of the verdict. */
TEST_F(one, ack_comes_late)
{
	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB));
	ASSERT_EQ(0, knob(&DEV[2], "write_us_per_mib", 2000000));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 1));
	EXPECT_EQ(0, session_reached(PAIR->from) & M_ACKED);
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
	EXPECT_EQ(0, session_wait(PAIR->from, M_HANDED_OVER, WAIT_MS));
}

/*
 * Something happens to the device and all is given once more: as initial data, which is
 * to be acknowledged once more, where the kernel lets it say so, else as dirty data.
 */
TEST_F(one, starts_over)
{
	struct precopy info;
	__u64 first;

	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB / 2));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 2));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 1));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	first = info.dev[0].bytes;
	ASSERT_EQ(0, attr_write(DEV[0].addr, "reinit", "1"));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 2));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	EXPECT_EQ(2 * first, info.dev[0].bytes);
	EXPECT_EQ(1, info.i.nr_acked);
	EXPECT_EQ(0, info.i.initial_bytes);
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* Of Linux 7.1: to be told of new initial data. */
#define FEATURE_PRECOPY_INFO_V2	12

static bool kernel_tells_reinit(int device_fd)
{
	struct vfio_device_feature feature = {
		.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			 FEATURE_PRECOPY_INFO_V2,
	};

	return !ioctl(device_fd, VFIO_DEVICE_FEATURE, &feature);
}

/* What was acknowledged is so no more, until the destination has written it once more. */
TEST_F(one, acknowledged_again)
{
	const bool told = kernel_tells_reinit(DEV[0].fd);
	struct precopy info;

	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB / 2));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 2));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 1));
	/* slow, but not for long where that is taken back */
	ASSERT_EQ(0, knob(&DEV[2], "write_chunk", BLOCK));
	ASSERT_EQ(0, knob(&DEV[2], "write_us_per_mib", 20000000));
	ASSERT_EQ(0, attr_write(DEV[0].addr, "reinit", "1"));
	ASSERT_EQ(0, rounds_wait(PAIR->from, 0, 2));
	ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	EXPECT_EQ(!told, info.i.nr_acked);
	ASSERT_EQ(0, knob(&DEV[2], "write_us_per_mib", 0));
	while (!info.i.nr_acked) {
		usleep(1000);
		ASSERT_EQ(0, session_precopy_info(PAIR->from, &info));
	}
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* The VMM's blob can come until the end, and comes last. */
TEST_F(one, config)
{
	char got[8];
	__u32 size = sizeof(got);

	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, session_config_set(PAIR->from, 0, "late", 4));
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
	ASSERT_EQ(0, session_config_get(PAIR->to, 0, got, &size));
	EXPECT_EQ(4, size);
	EXPECT_EQ(0, memcmp(got, "late", 4));
}

TEST_F(one, refused)
{
	struct precopy info;
	int fd;

	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 1));
	fd = PAIR->from;
	EXPECT_REFUSED(fd, EBUSY, "not in pre-copy", session_precopy_info(fd, &info));
	ASSERT_EQ(0, session_load(PAIR->to, VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, attr_write(DEV[0].addr, "arcs", "RUNNING>PRE_COPY=300"));
	ASSERT_EQ(0, session_save(fd, VERDICT | PRECOPY, RUNNING, STAGING));
	EXPECT_REFUSED(fd, EBUSY, "milestone PRECOPY", session_save(fd, VERDICT, RUNNING, 0));
	EXPECT_REFUSED(fd, EBUSY, "milestone PRECOPY", session_precopy_info(fd, &info));
	ASSERT_EQ(0, session_wait(fd, M_PRECOPY, WAIT_MS));

	EXPECT_REFUSED(fd, EBUSY, "leave the flag out",
		       session_save(fd, VERDICT | PRECOPY, RUNNING, 0));
	EXPECT_REFUSED(fd, EINVAL, "not those", session_save(fd, 0, RUNNING, 0));
	EXPECT_REFUSED(fd, EINVAL, "not those",
		       session_save(fd, VERDICT | VFIO_MIGMUX_SAVE_NO_P2P, RUNNING, 0));
	EXPECT_REFUSED(fd, EINVAL, "give 0", session_save(fd, VERDICT, RUNNING, MIB));
	EXPECT_REFUSED(fd, EINVAL, "recover is 6", session_save(fd, VERDICT, PRE_COPY, 0));
	EXPECT_REFUSED(fd, EBUSY, "handed over",
		       session_set_state(fd, RUNNING, NONE, 0, 0, NULL));
	EXPECT_EQ(-EBUSY, set_state(&DEV[0], RUNNING, NULL));
	EXPECT_REFUSED(PAIR->to, EBUSY, "not in pre-copy",
		       session_precopy_info(PAIR->to, &info));

	/* none of that has harmed it */
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
	EXPECT_REFUSED(fd, EBUSY, "not in pre-copy", session_precopy_info(fd, &info));
	EXPECT_REFUSED(fd, EBUSY, "once", session_save(fd, VERDICT, RUNNING, 0));
}

/* Somebody else's save is not ours to go on with. */
TEST_F(one, in_precopy_already)
{
	int data_fd = -1;

	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 1, 1));
	ASSERT_EQ(0, set_state(&DEV[0], PRE_COPY, &data_fd));
	EXPECT_REFUSED(PAIR->from, EINVAL, "is in PRE_COPY already",
		       session_save(PAIR->from, PRECOPY, RUNNING, 0));
	EXPECT_REFUSED(PAIR->from, EINVAL, "is in PRE_COPY already",
		       session_save(PAIR->from, 0, RUNNING, 0));
	close(data_fd);
	ASSERT_EQ(0, set_state(&DEV[0], RUNNING, NULL));
	ASSERT_EQ(0, session_set_state(PAIR->from, PRE_COPY, NONE, 0, 0, NULL));
	EXPECT_REFUSED(PAIR->from, EINVAL, "by SET_STATE",
		       session_save(PAIR->from, PRECOPY, RUNNING, 0));
	ASSERT_EQ(0, session_set_state(PAIR->from, RUNNING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, switchover(PAIR, VERDICT));
	EXPECT_TRUE(pair_equal(PAIR));
}

/* --- devices that fail ------------------------------------------------------------------ */

TEST_F(one, arc_fails)
{
	ASSERT_EQ(0, attr_write(DEV[1].addr, "fail_arc", "RUNNING>PRE_COPY:28"));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, session_load(PAIR->to, VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, session_save(PAIR->from, VERDICT | PRECOPY, RUNNING, STAGING));
	check_failed(_metadata, PAIR, ENOSPC, DEV[1].addr);
	EXPECT_EQ(0, session_reached(PAIR->from) & M_PRECOPY);
}

TEST_F(one, read_fails)
{
	ASSERT_EQ(0, fill(&DEV[1], MIB, MIB));
	ASSERT_EQ(0, attr_write(DEV[1].addr, "fail_read_at", "300000:71"));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, session_load(PAIR->to, VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, session_save(PAIR->from, VERDICT | PRECOPY, RUNNING, STAGING));
	check_failed(_metadata, PAIR, EPROTO, DEV[1].addr);
}

TEST_F(one, arc_of_the_switchover_fails)
{
	ASSERT_EQ(0, attr_write(DEV[1].addr, "fail_arc", "PRE_COPY_P2P>STOP_COPY:71:1"));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_save(PAIR->from, VERDICT, RUNNING, 0));
	check_failed(_metadata, PAIR, EPROTO, DEV[1].addr);
}

/* A device that is reset runs, and has forgotten its save. */
TEST_F(one, reset)
{
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, device_reset(&DEV[1]));
	check_failed(_metadata, PAIR, ENODEV, DEV[1].addr);
}

/* The same, and nobody looks before the switchover does. */
TEST_F(one, reset_and_switchover)
{
	int ret;

	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, begin(PAIR, VERDICT));
	ASSERT_EQ(0, session_wait(PAIR->from, M_ACKED, WAIT_MS));
	ASSERT_EQ(0, device_reset(&DEV[1]));
	ret = session_save(PAIR->from, VERDICT, RUNNING, 0);
	EXPECT_TRUE(ret == -ENODEV || ret == -ECANCELED);
	check_failed(_metadata, PAIR, ENODEV, DEV[1].addr);
}

/* The destination's device fails while the source's still runs. */
TEST_F(one, write_fails)
{
	ASSERT_EQ(0, fill(&DEV[0], MIB, MIB));
	ASSERT_EQ(0, attr_write(DEV[2].addr, "fail_write_at", "300000:28"));
	ASSERT_EQ(0, pair_open(PAIR, &DEV[0], &DEV[2], 2, 1));
	ASSERT_EQ(0, session_load(PAIR->to, VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, session_save(PAIR->from, VERDICT | PRECOPY, RUNNING, STAGING));
	check_failed(_metadata, PAIR, EREMOTEIO, "error 28");
}

int main(int argc, char **argv)
{
	return session_main_precopy(argc, argv, 3);
}
