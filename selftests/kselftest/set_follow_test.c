// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets at work: whole migrations by VMMs that know nothing of them, who follows whom
 * along which step, and who must not.
 */
#include "set_fixture.h"

/* What migsim's logs say of an arc: each device took it once, all at the same time. */
static bool together(const struct vmm *vmm, const char *from, const char *to)
{
	int arcs = vmm_arcs(vmm, from, to);
	int parallel = vmm_parallel(vmm, from, to);

	if (arcs == vmm->n && parallel == vmm->n)
		return true;
	printf("# %s>%s: %d times, %d at once\n", from, to, arcs, parallel);
	return false;
}

/* --- whole migrations ------------------------------------------------------------- */

FIXTURE(migration)
{
	FIXTURE_DATA(sets) sets;
};

FIXTURE_VARIANT(migration)
{
	enum vmm_order order;
	bool precopy;
};

FIXTURE_VARIANT_ADD(migration, qemu) { .order = VMM_QEMU };
FIXTURE_VARIANT_ADD(migration, qemu_precopy) { .order = VMM_QEMU, .precopy = true };
FIXTURE_VARIANT_ADD(migration, threaded) { .order = VMM_THREADED };
FIXTURE_VARIANT_ADD(migration, threaded_precopy) { .order = VMM_THREADED, .precopy = true };

FIXTURE_SETUP(migration)
{
	sets_setup(_metadata, &self->sets, NULL);
}

FIXTURE_TEARDOWN(migration)
{
	sets_teardown(_metadata, &self->sets, NULL);
}

/* A VMM whose devices are not what they were in the last test. */
static int fresh(struct vmm *vmm, enum vmm_order order)
{
	char seed[32];
	int i, ret = 0;

	vmm->order = order;
	for (i = 0; i < vmm->n; i++) {
		snprintf(seed, sizeof(seed), "%llu", now_ns());
		ret |= attr_write(vmm->dev[i].addr, "seed", seed);
		/* registers too */
		ret |= device_reset(&vmm->dev[i]);
	}
	return ret;
}

TEST_F(migration, moves)
{
	struct nl *nl = &self->sets.nl;
	struct vmm *src = &self->sets.src;
	struct vmm *dst = &self->sets.dst;
	struct nl_counters counters;
	int i;

	ASSERT_EQ(0, fresh(src, variant->order));
	ASSERT_EQ(0, fresh(dst, variant->order));
	ASSERT_EQ(0, set_make(nl, "src", P_DEFAULT, src));
	ASSERT_EQ(0, set_make(nl, "dst", P_ALL, dst));
	vmm_knob(src, "arc_ms", "100");
	vmm_knob(dst, "arc_ms", "100");

	ASSERT_EQ(0, vmm_setup(dst));
	EXPECT_TRUE(vmm_are(dst, RESUMING));
	if (variant->precopy)
		ASSERT_EQ(0, vmm_precopy(src));
	ASSERT_EQ(0, vmm_stop(src));
	EXPECT_TRUE(vmm_are(src, STOP_COPY));
	EXPECT_TRUE(states_agree(src));
	ASSERT_EQ(0, vmm_save(src));
	for (i = 0; i < src->n; i++)
		EXPECT_LT(STATE_SIZE, src->len[i]);
	ASSERT_EQ(0, vmm_load(dst, src));
	ASSERT_EQ(0, vmm_start(dst));
	EXPECT_TRUE(vmm_are(dst, RUNNING));
	EXPECT_TRUE(states_agree(dst));
	EXPECT_TRUE(vmm_equal(src, dst));

	EXPECT_TRUE(together(dst, "STOP", "RESUMING"));
	EXPECT_TRUE(together(dst, "RESUMING", "STOP"));
	EXPECT_TRUE(together(dst, "STOP", "RUNNING_P2P"));
	EXPECT_TRUE(together(dst, "RUNNING_P2P", "RUNNING"));
	if (variant->precopy) {
		EXPECT_TRUE(together(src, "PRE_COPY", "PRE_COPY_P2P"));
		EXPECT_TRUE(together(src, "PRE_COPY_P2P", "STOP_COPY"));
	} else {
		EXPECT_TRUE(together(src, "RUNNING", "RUNNING_P2P"));
		EXPECT_TRUE(together(src, "RUNNING_P2P", "STOP"));
		EXPECT_TRUE(together(src, "STOP", "STOP_COPY"));
	}

	/* what was started was claimed */
	counters = set_counters(nl, "src");
	EXPECT_EQ(counters.early_starts, counters.claims);
	EXPECT_EQ(0, counters.take_backs);
	EXPECT_EQ(0, counters.errors);
	if (variant->order == VMM_QEMU) {
		EXPECT_EQ((src->n - 1) * (variant->precopy ? 2 : 3), counters.claims);
		/* of 100 ms each */
		EXPECT_LT(counters.claims * 50000000ULL, counters.saved);
		EXPECT_GT(counters.claims * 1000000000ULL, counters.saved);
	}
	counters = set_counters(nl, "dst");
	EXPECT_EQ(counters.early_starts, counters.claims);
	EXPECT_EQ(0, counters.take_backs + counters.errors);
	if (variant->order == VMM_QEMU)
		EXPECT_EQ((dst->n - 1) * 3, counters.claims);

	/* each VMM has all the files there are */
	vmm_free(src);
	vmm_free(dst);
	ASSERT_EQ(0, vmm_cont(src));
	EXPECT_EQ(0, data_files_wait(src));
	EXPECT_EQ(0, data_files_wait(dst));
}

/* Its end comes to nothing, ten times: the source goes on, and the next one is as good. */
TEST_F_TIMEOUT(migration, again_and_again, 60)
{
	struct nl *nl = &self->sets.nl;
	struct vmm *src = &self->sets.src;
	int i;

	src->order = variant->order;
	ASSERT_EQ(0, set_make(nl, "src", P_DEFAULT, src));
	for (i = 0; i < 10; i++) {
		if (variant->precopy)
			ASSERT_EQ(0, vmm_precopy(src));
		ASSERT_EQ(0, vmm_works(src));
	}
	EXPECT_EQ(0, set_counters(nl, "src").take_backs);
	EXPECT_EQ(0, data_files_wait(src));
}

/* --- the policy ------------------------------------------------------------------- */

/* Without its bit nobody follows along a step; with nothing else all do. */
TEST_F_TIMEOUT(sets, policy_bits, 60)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	size_t i;
	int j;

	for (i = 0; i < STEPS; i++) {
		const struct step *step = &steps[i];

		TH_LOG("%s", step->name);
		ASSERT_EQ(0, sets_settle());
		ASSERT_EQ(0, set_make(nl, "s", 0, vmm));
		ASSERT_EQ(0, step_prepare(vmm, step));
		ASSERT_EQ(0, set_policy(nl, "s", P_ALL & ~step->bit));
		ASSERT_EQ(0, vmm_move(vmm, 0, step->to));
		EXPECT_TRUE(vmm_is(vmm, 1, step->from));
		EXPECT_TRUE(vmm_is(vmm, 2, step->from));
		EXPECT_FALSE(member_pending(nl, "s", vmm->dev[1].addr));
		ASSERT_EQ(0, vmm_move(vmm, 1, step->to));
		ASSERT_EQ(0, vmm_move(vmm, 2, step->to));
		EXPECT_TRUE(vmm_are(vmm, step->to));
		EXPECT_EQ(0, set_counters(nl, "s").early_starts);
		vmm_free(vmm);
		ASSERT_EQ(0, nl_set_del(nl, "s"));

		ASSERT_EQ(0, sets_settle());
		ASSERT_EQ(0, set_make(nl, "s", 0, vmm));
		ASSERT_EQ(0, step_prepare(vmm, step));
		ASSERT_EQ(0, set_policy(nl, "s", step->bit));
		ASSERT_EQ(0, vmm_move(vmm, 0, step->to));
		ASSERT_EQ(0, set_wait_starts(nl, "s", 2));
		EXPECT_TRUE(vmm_are(vmm, step->to));
		for (j = 1; j < vmm->n; j++) {
			EXPECT_TRUE(member_pending(nl, "s", vmm->dev[j].addr));
			ASSERT_EQ(0, vmm_move(vmm, j, step->to));
			EXPECT_FALSE(member_pending(nl, "s", vmm->dev[j].addr));
			EXPECT_EQ(vmm->data_fd[0] >= 0, vmm->data_fd[j] >= 0);
		}
		EXPECT_TRUE(states_agree(vmm));
		EXPECT_EQ(2, set_counters(nl, "s").claims);
		vmm_free(vmm);
		ASSERT_EQ(0, nl_set_del(nl, "s"));
	}
}

/* What one device may well be asked alone starts nobody. */
TEST_F(sets, plain_changes)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_make(nl, "s", P_ALL, vmm));
	ASSERT_EQ(0, vmm_move(vmm, 0, STOP));
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING));
	ASSERT_EQ(0, vmm_move(vmm, 0, PRE_COPY));
	ASSERT_EQ(0, vmm_move(vmm, 0, STOP_COPY));
	ASSERT_EQ(0, vmm_move(vmm, 0, STOP));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));
	EXPECT_TRUE(vmm_is(vmm, 2, RUNNING));
	EXPECT_EQ(0, set_counters(nl, "s").early_starts);
}

/* The policy may change while devices are on the way. */
TEST_F(sets, policy_changes)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	struct call call;

	ASSERT_EQ(0, set_make(nl, "s", P_STOP, vmm));
	vmm_knob(vmm, "arc_ms", "300");
	call_start(&call, vmm, 0, RUNNING_P2P);
	while (!member_pending(nl, "s", vmm->dev[1].addr))
		usleep(1000);
	ASSERT_EQ(0, set_policy(nl, "s", 0));
	EXPECT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	EXPECT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));
	EXPECT_EQ(0, call_join(&call));
	EXPECT_EQ(2, set_counters(nl, "s").claims);
	vmm_knob(vmm, "arc_ms", "0");
	EXPECT_EQ(0, vmm_all(vmm, STOP));
	EXPECT_EQ(2, set_counters(nl, "s").early_starts);
}

/* --- who is shown what ------------------------------------------------------------ */

/* GET shows what the VMM asked for, and does not wait for what it did not ask for. */
TEST_F(sets, view_of_the_vmm)
{
	struct vmm *vmm = &self->src;
	const char *addr = vmm->dev[1].addr;
	struct nl *nl = &self->nl;
	struct call call;
	__u64 start;

	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	vmm_knob(vmm, "arc_ms", "1000");
	call_start(&call, vmm, 0, RUNNING_P2P);
	while (!member_pending(nl, "s", addr))
		usleep(1000);
	start = now_ns();
	EXPECT_EQ(RUNNING, vfio_state_get(vmm->dev[1].fd));
	EXPECT_GT(700000000, now_ns() - start);
	EXPECT_EQ(0, call_join(&call));
	ASSERT_EQ(0, attr_wait_text(addr, "state", "RUNNING_P2P"));
	EXPECT_EQ(RUNNING, vfio_state_get(vmm->dev[1].fd));
	EXPECT_EQ(RUNNING_P2P, vfio_state_get(vmm->dev[0].fd));
	EXPECT_TRUE(member_pending(nl, "s", addr));

	start = now_ns();
	EXPECT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	EXPECT_GT(700000000, now_ns() - start);
	EXPECT_EQ(RUNNING_P2P, vfio_state_get(vmm->dev[1].fd));
	EXPECT_FALSE(member_pending(nl, "s", addr));
	EXPECT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));

	/* of what a call asked for itself nothing is hidden */
	vmm_knob(vmm, "arc_ms", "0");
	EXPECT_EQ(0, vmm_all(vmm, RUNNING));
	EXPECT_TRUE(states_agree(vmm));
}

/* --- who must not follow ---------------------------------------------------------- */

/* A device with enable-migration=off beside the others: its VMM never moves it. */
TEST_F(sets, never_moved)
{
	struct vmm *vmm = &self->src;
	struct vmm others = *vmm;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_of(nl, "s", P_ALL, vmm));
	others.n = 2;
	ASSERT_EQ(0, vmm_boot(&others));
	vmm_logs_clear(vmm);
	ASSERT_EQ(0, vmm_works(&others));
	EXPECT_LT(0, set_counters(nl, "s").claims);
	EXPECT_FALSE(member_driven(nl, "s", vmm->dev[2].addr));
	EXPECT_EQ(0, member_counters(nl, "s", vmm->dev[2].addr).early_starts);
	vmm->dev += 2;
	vmm->n = 1;
	EXPECT_EQ(0, vmm_arcs(vmm, NULL, NULL));
	EXPECT_TRUE(vmm_is(vmm, 0, RUNNING));
}

/* The device of another process, which drives it. */
TEST_F(sets, other_process)
{
	struct vmm *vmm = &self->src;
	const char *spare = handle_of(self->spare.addr[0]);
	struct nl *nl = &self->nl;
	int told[2], status;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	ASSERT_EQ(0, set_of(nl, "s", P_ALL, vmm));
	ASSERT_EQ(0, nl_set_change(nl, "s", VFIO_MIGMUX_A_SET_ADD, spare));
	pid = fork();
	if (!pid) {
		struct vmm other;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (spare_open(&self->spare))
			_exit(1);
		vmm_init(&other, VMM_QEMU, self->spare.set.dev, 1);
		if (vmm_boot(&other) || write(told[1], "+", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(told[1]);
	ASSERT_EQ(1, read(told[0], &c, 1));
	EXPECT_TRUE(member_driven(nl, "s", self->spare.addr[0]));
	attr_write(self->spare.addr[0], "arcs_log", "0");
	ASSERT_EQ(0, vmm_boot(vmm));
	EXPECT_EQ(0, vmm_works(vmm));
	EXPECT_LT(0, set_counters(nl, "s").claims);
	EXPECT_EQ(0, member_counters(nl, "s", self->spare.addr[0]).early_starts);
	EXPECT_EQ(0, attr_wait_text(self->spare.addr[0], "arcs_log", ""));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(told[0]);
}

/* Nobody to wait for: nothing but the VMM's own arcs. */
TEST_F(sets, one_member)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	vmm->n = 1;
	ASSERT_EQ(0, set_make(nl, "s", P_ALL | P_BARRIER, vmm));
	EXPECT_EQ(0, vmm_works(vmm));
	EXPECT_EQ(6, vmm_arcs(vmm, NULL, NULL));
	EXPECT_EQ(0, set_counters(nl, "s").early_starts);
}

/* While a session has a member, that does not follow; nor does anybody follow it. */
TEST_F(sets, held_by_a_session)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	int fd = session_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	ASSERT_EQ(0, session_device_add(fd, vmm->dev[1].fd, idstrs[0], 0));
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, set_wait_starts(nl, "s", 1));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));
	ASSERT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));
	EXPECT_EQ(0, member_counters(nl, "s", vmm->dev[1].addr).early_starts);

	/* the session's own steps are its devices' alone */
	EXPECT_EQ(0, session_set_state(fd, RUNNING_P2P, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_set_state(fd, STOP, NONE, 0, 0, NULL));
	EXPECT_TRUE(vmm_is(vmm, 1, STOP));
	EXPECT_TRUE(vmm_is(vmm, 0, RUNNING_P2P));
	EXPECT_EQ(1, set_counters(nl, "s").early_starts);

	/* given back, it is one of them again when the VMM has moved it */
	close(fd);
	ASSERT_EQ(0, module_wait_unused());
	ASSERT_EQ(0, vmm_all(vmm, RUNNING));
	EXPECT_EQ(0, vmm_works(vmm));
	EXPECT_LT(0, member_counters(nl, "s", vmm->dev[1].addr).claims);
}

/* --- automatic sets --------------------------------------------------------------- */

TEST_F(sets, automatic)
{
	const struct nl_set_member *member;
	__u32 policy = P_ALL;
	struct nl *nl = &self->nl;
	struct nl_set set;
	struct vmm vmm;
	char name[64];

	ASSERT_EQ(0, spare_open(&self->spare));
	vmm_init(&vmm, VMM_QEMU, self->spare.set.dev, SPARE_DEVICES);
	vmm_knob(&vmm, "state_size", "65536");

	/* off: as without the module */
	ASSERT_EQ(0, vmm_boot(&vmm));
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(0, set.count);

	/* on, but nobody has moved */
	ASSERT_EQ(0, nl_auto_set(nl, true, &policy));
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(0, set.count);

	ASSERT_EQ(0, vmm_boot(&vmm));
	snprintf(name, sizeof(name), "auto-%d", getpid());
	ASSERT_EQ(0, nl_set_get(nl, name, &set));
	EXPECT_TRUE(set.complete);
	EXPECT_TRUE(set.automatic);
	EXPECT_EQ((__u32)getpid(), set.pid);
	EXPECT_EQ(P_ALL, set.policy);
	EXPECT_EQ(SPARE_DEVICES, set.members);
	member = nl_set_member(&set, handle_of(vmm.dev[0].addr));
	ASSERT_NE(NULL, member);
	EXPECT_TRUE(member->driven);
	vmm_knob(&vmm, "arc_ms", "100");
	vmm_logs_clear(&vmm);
	EXPECT_EQ(0, vmm_works(&vmm));
	EXPECT_TRUE(together(&vmm, "STOP", "STOP_COPY"));
	EXPECT_EQ(set_counters(nl, name).claims, set_counters(nl, name).early_starts);
	EXPECT_LT(0, set_counters(nl, name).claims);
	/* those that main() has open nobody has moved */
	EXPECT_EQ(0, nl_device_set(nl, handle_of(devices.dev[0].addr), name, sizeof(name)));
	EXPECT_STREQ("", name);

	/* a device leaves at its last close, the set with its last member */
	spare_close(&self->spare);
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(0, set.count);
}

/* Switched off at once: the sets go, and their VMM does not notice. */
TEST_F(sets, automatic_off)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	struct nl_set set;

	ASSERT_EQ(0, nl_auto_set(nl, true, NULL));
	ASSERT_EQ(0, vmm_boot(vmm));
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, attr_wait_text(vmm->dev[1].addr, "state", "RUNNING_P2P"));
	ASSERT_EQ(0, nl_auto_set(nl, false, NULL));
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(0, set.count);
	/* what was not claimed is taken back */
	EXPECT_TRUE(vmm_is(vmm, 0, RUNNING_P2P));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));
	EXPECT_TRUE(vmm_is(vmm, 2, RUNNING));
	ASSERT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	ASSERT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));
	ASSERT_EQ(0, vmm_all(vmm, RUNNING));
	EXPECT_EQ(0, vmm_works(vmm));
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(0, set.count);
}

/* An operator's set comes first. */
TEST_F(sets, not_automatic)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	struct nl_set set;

	ASSERT_EQ(0, set_of(nl, "s", P_DEFAULT, vmm));
	ASSERT_EQ(0, nl_auto_set(nl, true, NULL));
	ASSERT_EQ(0, vmm_boot(vmm));
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(1, set.count);
	EXPECT_STREQ("s", set.name);
}

int main(int argc, char **argv)
{
	return sets_main(argc, argv);
}
