// SPDX-License-Identifier: GPL-2.0-only
/*
 * The barrier at P2P, for VMMs that take one device after another from RUNNING to STOP:
 * by the logs of migsim no device passes P2P before all are in P2P, on the way down and
 * on the way up.
 */
#include "set_fixture.h"

/* The oracle. Both kinds of arcs, once for each device, and all of one before any of the other. */
static bool meet(const struct vmm *vmm, const char *from, const char *p2p, const char *to)
{
	int came = vmm_arcs(vmm, from, p2p);
	int went = vmm_arcs(vmm, p2p, to);
	__u64 last = vmm_last_end(vmm, from, p2p);
	__u64 first = vmm_first_start(vmm, p2p, to);

	if (came == vmm->n && went == vmm->n && last <= first)
		return true;
	printf("# %s>%s>%s: %d came, the last at %llu, %d went, the first at %llu\n",
	       from, p2p, to, came, last, went, first);
	return false;
}

/* Nobody has gone back from P2P before the first went on. */
static bool before(const struct vmm *vmm, const char *p2p, const char *on, const char *back)
{
	__u64 went = vmm_first_start(vmm, p2p, on);
	__u64 left = vmm_first_start(vmm, p2p, back);

	if (went && (!left || went < left))
		return true;
	printf("# %s: the first went to %s at %llu, and to %s at %llu\n", p2p, on, went,
	       back, left);
	return false;
}

/* One stop and one start, each judged by itself. */
static void check_meetings(struct __test_metadata *_metadata, struct vmm *vmm, bool precopy)
{
	if (precopy)
		ASSERT_EQ(0, vmm_precopy(vmm));
	vmm_logs_clear(vmm);
	ASSERT_EQ(0, vmm_stop(vmm));
	EXPECT_TRUE(vmm_are(vmm, STOP_COPY));
	EXPECT_TRUE(states_agree(vmm));
	ASSERT_EQ(0, vmm_save(vmm));
	EXPECT_TRUE(precopy ? meet(vmm, "PRE_COPY", "PRE_COPY_P2P", "STOP_COPY") :
			      meet(vmm, "RUNNING", "RUNNING_P2P", "STOP"));
	vmm_logs_clear(vmm);
	ASSERT_EQ(0, vmm_cont(vmm));
	EXPECT_TRUE(vmm_are(vmm, RUNNING));
	EXPECT_TRUE(states_agree(vmm));
	EXPECT_TRUE(meet(vmm, "STOP", "RUNNING_P2P", "RUNNING"));
	vmm_free(vmm);
}

FIXTURE(barrier)
{
	FIXTURE_DATA(sets) sets;
};

FIXTURE_VARIANT(barrier)
{
	enum vmm_order order;
	bool precopy;
};

FIXTURE_VARIANT_ADD(barrier, cloud) { .order = VMM_CLOUD };
FIXTURE_VARIANT_ADD(barrier, cloud_precopy) { .order = VMM_CLOUD, .precopy = true };
FIXTURE_VARIANT_ADD(barrier, cloud_threaded) { .order = VMM_CLOUD_THREADED };
FIXTURE_VARIANT_ADD(barrier, cloud_threaded_precopy) {
	.order = VMM_CLOUD_THREADED, .precopy = true,
};

FIXTURE_VARIANT_ADD(barrier, qemu) { .order = VMM_QEMU };
FIXTURE_VARIANT_ADD(barrier, qemu_precopy) { .order = VMM_QEMU, .precopy = true };
FIXTURE_VARIANT_ADD(barrier, threaded) { .order = VMM_THREADED };

FIXTURE_SETUP(barrier)
{
	sets_setup(_metadata, &self->sets, NULL);
}

FIXTURE_TEARDOWN(barrier)
{
	sets_teardown(_metadata, &self->sets, NULL);
}

/* Each device is the slow one in turn, with and without followers. */
TEST_F(barrier, all_meet)
{
	static const __u32 policies[SET_DEVICES] = {
		P_DEFAULT | P_BARRIER, P_BARRIER, P_DEFAULT | P_BARRIER,
	};
	struct nl *nl = &self->sets.nl;
	struct vmm *vmm = &self->sets.src;
	int i;

	vmm->order = variant->order;
	ASSERT_EQ(0, set_make(nl, "s", 0, vmm));
	for (i = 0; i < vmm->n; i++) {
		ASSERT_EQ(0, set_policy(nl, "s", policies[i]));
		vmm_knob(vmm, "arc_ms", "5");
		attr_write(vmm->dev[i].addr, "arc_ms", "40");
		check_meetings(_metadata, vmm, variant->precopy);
	}
	EXPECT_EQ(0, set_counters(nl, "s").errors);
	EXPECT_EQ(0, set_counters(nl, "s").take_backs);
	EXPECT_EQ(0, data_files_wait(vmm));
}

/* With it a stop of three takes as long as one of one, and a bit. */
TEST_F(sets, barrier_is_parallel)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	vmm->order = VMM_CLOUD;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT | P_BARRIER, vmm));
	vmm_knob(vmm, "arc_ms", "100");
	ASSERT_EQ(0, vmm_works(vmm));
	EXPECT_EQ(3, vmm_parallel(vmm, "RUNNING", "RUNNING_P2P"));
	EXPECT_EQ(3, vmm_parallel(vmm, "RUNNING_P2P", "STOP"));
	EXPECT_EQ(3, vmm_parallel(vmm, "STOP", "RUNNING_P2P"));
	EXPECT_EQ(3, vmm_parallel(vmm, "RUNNING_P2P", "RUNNING"));
	EXPECT_LT(0, set_counters(nl, "s").claims);
	EXPECT_LT(0, set_counters(nl, "s").saved);
}

/* Devices that were never moved: such a VMM does not move them before it stops them. */
TEST_F(sets, barrier_never_moved)
{
	const char *handles[SPARE_DEVICES];
	struct nl *nl = &self->nl;
	struct vmm vmm;
	int i;

	for (i = 0; i < SPARE_DEVICES; i++)
		handles[i] = handle_of(self->spare.addr[i]);
	ASSERT_EQ(0, nl_set_new(nl, "s", P_DEFAULT | P_BARRIER, SPARE_DEVICES, handles));
	ASSERT_EQ(0, spare_open(&self->spare));
	vmm_init(&vmm, VMM_CLOUD, self->spare.set.dev, SPARE_DEVICES);
	vmm_knob(&vmm, "arc_ms", "30");
	check_meetings(_metadata, &vmm, false);
	EXPECT_LT(0, set_counters(nl, "s").claims);
}

/*
 * The destination of a migration: all are loaded to STOP, then each is started. With
 * the resume policy the first call of a VMM without P2P does as well.
 */
TEST_F(sets, barrier_destination)
{
	struct vmm *src = &self->src, *dst = &self->dst;
	struct nl *nl = &self->nl;
	int i;

	src->order = VMM_CLOUD;
	dst->order = VMM_CLOUD;
	ASSERT_EQ(0, set_of(nl, "src", P_DEFAULT | P_BARRIER, src));
	ASSERT_EQ(0, set_of(nl, "dst", P_DEFAULT | P_BARRIER, dst));
	for (i = 0; i < dst->n; i++)
		attr_write_num(src->dev[i].addr, "seed", now_ns());
	ASSERT_EQ(0, vmm_setup(dst));
	ASSERT_EQ(0, vmm_stop(src));
	ASSERT_EQ(0, vmm_save(src));
	ASSERT_EQ(0, vmm_load(dst, src));
	vmm_logs_clear(dst);
	vmm_knob(dst, "arc_ms", "30");
	ASSERT_EQ(0, vmm_start(dst));
	EXPECT_TRUE(vmm_are(dst, RUNNING));
	EXPECT_TRUE(meet(dst, "STOP", "RUNNING_P2P", "RUNNING"));
	EXPECT_TRUE(vmm_equal(src, dst));
	EXPECT_EQ(0, set_counters(nl, "dst").errors);
}

/*
 * A claim timeout that is over while one is still on the way: who waits for it must not find
 * the others gone. It begins when all have met, and then counts.
 */
TEST_F(sets, barrier_outlasts_claim_timeout)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	vmm->order = VMM_CLOUD;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT | P_BARRIER, vmm));
	ASSERT_EQ(0, set_timeout(nl, "s", 50));
	vmm_knob(vmm, "arc_ms", "5");
	attr_write(vmm->dev[2].addr, "arc_ms", "300");
	ASSERT_EQ(0, vmm_move(vmm, 0, STOP));
	ASSERT_EQ(0, set_wait_take_backs(nl, "s", 2));
	EXPECT_TRUE(before(vmm, "RUNNING_P2P", "STOP", "RUNNING"));
	EXPECT_TRUE(meet(vmm, "RUNNING", "RUNNING_P2P", "STOP"));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));
	EXPECT_TRUE(vmm_is(vmm, 2, RUNNING));

	/* and on the way up */
	ASSERT_EQ(0, set_timeout(nl, "s", 5000));
	ASSERT_EQ(0, vmm_all(vmm, STOP));
	vmm_logs_clear(vmm);
	ASSERT_EQ(0, set_timeout(nl, "s", 50));
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING));
	ASSERT_EQ(0, set_wait_take_backs(nl, "s", 4));
	EXPECT_TRUE(before(vmm, "RUNNING_P2P", "RUNNING", "STOP"));
	EXPECT_TRUE(meet(vmm, "STOP", "RUNNING_P2P", "RUNNING"));
	EXPECT_EQ(0, set_counters(nl, "s").errors);
}

/* Without the barrier such a VMM gets what it asks for: one device after the other. */
TEST_F(sets, no_barrier)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	vmm->order = VMM_CLOUD;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	/* so that all are its own */
	ASSERT_EQ(0, vmm_works(vmm));
	vmm_logs_clear(vmm);
	vmm_knob(vmm, "arc_ms", "20");
	ASSERT_EQ(0, vmm_works(vmm));
	EXPECT_EQ(1, vmm_parallel(vmm, "RUNNING", NULL));
	EXPECT_EQ(1, vmm_parallel(vmm, "RUNNING_P2P", NULL));
	/* the oracle can say no */
	EXPECT_GT(vmm_last_end(vmm, "RUNNING", "RUNNING_P2P"),
		  vmm_first_start(vmm, "RUNNING_P2P", "STOP"));
}

/* All to STOP, then each to RUNNING; or the one and the other for each. */
TEST_F(sets, barrier_stop_and_run)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	int i, turn;

	vmm->order = VMM_CLOUD;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT | P_BARRIER, vmm));
	for (turn = 0; turn < 2; turn++) {
		ASSERT_EQ(0, vmm_stop(vmm));
		ASSERT_EQ(0, vmm_save(vmm));
		vmm_logs_clear(vmm);
		if (!turn)
			ASSERT_EQ(0, vmm_all(vmm, STOP));
		for (i = 0; i < vmm->n; i++) {
			if (turn)
				ASSERT_EQ(0, vmm_move(vmm, i, STOP));
			ASSERT_EQ(0, vmm_move(vmm, i, RUNNING));
		}
		ASSERT_EQ(0, set_wait_idle(nl, "s"));
		EXPECT_TRUE(vmm_are(vmm, RUNNING));
		EXPECT_TRUE(states_agree(vmm));
		if (!turn)
			EXPECT_TRUE(meet(vmm, "STOP", "RUNNING_P2P", "RUNNING"));
		EXPECT_EQ(0, set_counters(nl, "s").take_backs);
		vmm_free(vmm);
	}
}

/* A member that cannot get to P2P: then nobody passes. */
TEST_F(sets, barrier_member_fails)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	vmm->order = VMM_CLOUD;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT | P_BARRIER, vmm));
	attr_write(vmm->dev[1].addr, "fail_arc", "RUNNING>RUNNING_P2P:28:1");
	EXPECT_EQ(-ENOSPC, vmm_move(vmm, 0, STOP));
	EXPECT_EQ(0, vmm_arcs(vmm, "RUNNING_P2P", "STOP"));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));

	/* the VMM gives up, and tries again */
	EXPECT_EQ(0, vmm_all(vmm, RUNNING) == -ENOSPC ? vmm_all(vmm, RUNNING) : 0);
	ASSERT_EQ(0, set_wait_idle(nl, "s"));
	EXPECT_TRUE(vmm_are(vmm, RUNNING));
	EXPECT_TRUE(states_agree(vmm));
	vmm_logs_clear(vmm);
	EXPECT_EQ(0, vmm_works(vmm));
	EXPECT_TRUE(meet(vmm, "RUNNING", "RUNNING_P2P", "STOP"));
}

int main(int argc, char **argv)
{
	return sets_main(argc, argv);
}
