// SPDX-License-Identifier: GPL-2.0-only
/*
 * The batch engine against the drivers' own log of their arcs: no device passes P2P
 * before all are there, in both directions; and what happens when any arc of any
 * device fails.
 */
#include "session_fixture.h"

static int knob_all(struct _test_data_vmm *self, const char *attr, const char *value)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES; i++)
		ret |= attr_write(self->dev[i].addr, attr, value);
	return ret;
}

static int add_all(struct _test_data_vmm *self)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES && ret >= 0; i++)
		ret = session_device_add(self->fd, self->dev[i].fd, idstrs[i], 0);
	return ret < 0 ? ret : knob_all(self, "headerless", "1");
}

/* When the devices were on an arc, over all of them. */
struct together {
	__u64 first_start;
	__u64 last_start;
	__u64 first_end;
	__u64 last_end;
};

static int arcs_together(struct _test_data_vmm *self, const char *from, const char *to,
			 struct together *t)
{
	struct arc arcs[ARCS_MAX];
	const struct arc *arc;
	int i;

	*t = (struct together){ .first_start = ~0ULL, .first_end = ~0ULL };
	for (i = 0; i < SESSION_DEVICES; i++) {
		arc = arcs_find(arcs, arcs_read(self->dev[i].addr, arcs), from, to);
		if (!arc || arc->error)
			return -ENOENT;
		t->first_start = arc->start_ns < t->first_start ? arc->start_ns :
								  t->first_start;
		t->first_end = arc->end_ns < t->first_end ? arc->end_ns : t->first_end;
		t->last_start = arc->start_ns > t->last_start ? arc->start_ns :
								t->last_start;
		t->last_end = arc->end_ns > t->last_end ? arc->end_ns : t->last_end;
	}
	return 0;
}

/* Devices of different speed, so that order is no matter of luck. */
static int speeds(struct _test_data_vmm *self)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES; i++) {
		ret |= attr_write_num(self->dev[i].addr, "arc_ms", 150 + 50 * i);
		ret |= attr_write(self->dev[i].addr, "arcs_log", "0");
	}
	return ret;
}

TEST_F(vmm, order_stop)
{
	struct together p2p, stop, copy;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, speeds(self));
	ASSERT_EQ(0, session_set_state(self->fd, STOP_COPY, RUNNING, 0, 0, NULL));
	ASSERT_EQ(0, arcs_together(self, "RUNNING", "RUNNING_P2P", &p2p));
	ASSERT_EQ(0, arcs_together(self, "RUNNING_P2P", "STOP", &stop));
	ASSERT_EQ(0, arcs_together(self, "STOP", "STOP_COPY", &copy));
	EXPECT_LE(p2p.last_end, stop.first_start);
	/* in parallel, and behind the barrier nobody waits for anybody */
	EXPECT_LT(p2p.last_start, p2p.first_end);
	EXPECT_LT(stop.last_start, stop.first_end);
	EXPECT_LT(copy.first_start, stop.last_end);
}

TEST_F(vmm, order_start)
{
	struct together p2p, run;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, session_set_state(self->fd, RESUMING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, speeds(self));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, arcs_together(self, "STOP", "RUNNING_P2P", &p2p));
	ASSERT_EQ(0, arcs_together(self, "RUNNING_P2P", "RUNNING", &run));
	EXPECT_LE(p2p.last_end, run.first_start);
	EXPECT_LT(run.last_start, run.first_end);
}

/* From wherever they are: some run, some are stopped. */
TEST_F(vmm, order_mixed)
{
	struct arc arcs[ARCS_MAX];
	const struct arc *arc;
	__u64 p2p = 0;
	int i, n;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, set_state(&self->dev[0], RUNNING_P2P, NULL));
	ASSERT_EQ(0, set_state(&self->dev[1], RUNNING_P2P, NULL));
	ASSERT_EQ(0, speeds(self));
	ASSERT_EQ(0, session_set_state(self->fd, STOP, RUNNING, 0, 0, NULL));
	for (i = 0; i < SESSION_DEVICES; i++) {
		n = arcs_read(self->dev[i].addr, arcs);
		arc = arcs_find(arcs, n, "RUNNING", "RUNNING_P2P");
		EXPECT_EQ(i < 2, !arc);
		if (arc && arc->end_ns > p2p)
			p2p = arc->end_ns;
	}
	for (i = 0; i < SESSION_DEVICES; i++) {
		n = arcs_read(self->dev[i].addr, arcs);
		arc = arcs_find(arcs, n, "RUNNING_P2P", "STOP");
		ASSERT_NE(NULL, arc);
		EXPECT_LE(p2p, arc->start_ns);
	}
}

/* The way back keeps to the same rules. */
TEST_F(vmm, order_rollback)
{
	struct together p2p, run;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	ASSERT_EQ(0, attr_write(self->dev[2].addr, "fail_arc", "STOP>STOP_COPY:28:1"));
	ASSERT_EQ(0, speeds(self));
	EXPECT_EQ(-ENOSPC, session_set_state(self->fd, STOP_COPY, RUNNING, 0, 0, NULL));
	ASSERT_EQ(0, arcs_together(self, "STOP", "RUNNING_P2P", &p2p));
	ASSERT_EQ(0, arcs_together(self, "RUNNING_P2P", "RUNNING", &run));
	EXPECT_LE(p2p.last_end, run.first_start);
	EXPECT_LT(run.last_start, run.first_end);
}

/* --- failing arcs --------------------------------------------------------------- */

FIXTURE(arc)
{
	FIXTURE_DATA(vmm) vmm;
};

FIXTURE_VARIANT(arc)
{
	int start;
	int target;
	const char *arc;
};

FIXTURE_VARIANT_ADD(arc, quiesce) {
	.start = RUNNING, .target = STOP_COPY, .arc = "RUNNING>RUNNING_P2P"
};

FIXTURE_VARIANT_ADD(arc, stop) {
	.start = RUNNING, .target = STOP_COPY, .arc = "RUNNING_P2P>STOP"
};

FIXTURE_VARIANT_ADD(arc, save) {
	.start = RUNNING, .target = STOP_COPY, .arc = "STOP>STOP_COPY"
};

FIXTURE_VARIANT_ADD(arc, prepare) {
	.start = RUNNING, .target = RESUMING, .arc = "STOP>RESUMING"
};

FIXTURE_VARIANT_ADD(arc, load) {
	.start = RESUMING, .target = RUNNING, .arc = "RESUMING>STOP"
};

FIXTURE_VARIANT_ADD(arc, resume) {
	.start = RESUMING, .target = RUNNING, .arc = "STOP>RUNNING_P2P"
};

FIXTURE_VARIANT_ADD(arc, start) {
	.start = RESUMING, .target = RUNNING, .arc = "RUNNING_P2P>RUNNING"
};

FIXTURE_VARIANT_ADD(arc, end_save) {
	.start = STOP_COPY, .target = RUNNING, .arc = "STOP_COPY>STOP"
};

FIXTURE_SETUP(arc)
{
	vmm_setup(_metadata, &self->vmm, NULL);
}

FIXTURE_TEARDOWN(arc)
{
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* One failure of one device, and where all go then. */
static void fail_one(struct __test_metadata *_metadata, struct _test_data_vmm *self,
		     const struct _fixture_variant_arc *variant, int culprit, __u32 recover)
{
	char spec[64];
	struct results r;
	int i;

	snprintf(spec, sizeof(spec), "%s:%d:1", variant->arc, ENOSPC);
	ASSERT_EQ(0, devices_settle(&devices));
	ASSERT_EQ(0, knob_all(self, "headerless", "1"));
	ASSERT_EQ(0, session_set_state(self->fd, variant->start, NONE, 0, 0, NULL));
	ASSERT_EQ(0, attr_write(self->dev[culprit].addr, "fail_arc", spec));

	EXPECT_EQ(-ENOSPC,
		  session_set_state(self->fd, variant->target, recover, 0, 0, &r));
	ASSERT_EQ(SESSION_DEVICES, r.n);
	for (i = 0; i < r.n; i++) {
		if (i == culprit || recover != NONE)
			EXPECT_EQ(i == culprit ? ENOSPC : ECANCELED, r.dev[i].error);
		if (recover != NONE)
			EXPECT_EQ(recover, r.dev[i].state);
		EXPECT_TRUE(device_is(&self->dev[i], r.dev[i].state));
		/* those that were not stopped have arrived */
		if (!r.dev[i].error)
			EXPECT_EQ(variant->target, r.dev[i].state);
	}
}

TEST_F(arc, fails_and_recovers)
{
	int culprit;

	ASSERT_EQ(0, add_all(&self->vmm));
	for (culprit = 0; culprit < SESSION_DEVICES; culprit++)
		fail_one(_metadata, &self->vmm, variant, culprit, RUNNING);
	fail_one(_metadata, &self->vmm, variant, 1, STOP);
}

TEST_F(arc, fails_and_stays)
{
	int culprit;

	ASSERT_EQ(0, add_all(&self->vmm));
	for (culprit = 0; culprit < SESSION_DEVICES; culprit++)
		fail_one(_metadata, &self->vmm, variant, culprit, NONE);
}

/* A device in ERROR stays there, and does not keep the others from going back. */
TEST_F(arc, fails_to_error)
{
	struct _test_data_vmm *vmm = &self->vmm;
	char spec[64];
	struct results r;
	int i;

	snprintf(spec, sizeof(spec), "%s:%d:1", variant->arc, ENOSPC);
	ASSERT_EQ(0, add_all(vmm));
	ASSERT_EQ(0, session_set_state(vmm->fd, variant->start, NONE, 0, 0, NULL));
	ASSERT_EQ(0, attr_write(vmm->dev[1].addr, "fail_to_error", "1"));
	ASSERT_EQ(0, attr_write(vmm->dev[1].addr, "fail_arc", spec));
	EXPECT_EQ(-ENOSPC, session_set_state(vmm->fd, variant->target, RUNNING, 0, 0, &r));
	for (i = 0; i < r.n; i++) {
		EXPECT_EQ(i == 1 ? ENOSPC : ECANCELED, r.dev[i].error);
		EXPECT_EQ(i == 1 ? ERROR : RUNNING, r.dev[i].state);
		EXPECT_TRUE(device_is(&vmm->dev[i], r.dev[i].state));
	}
	EXPECT_EQ(-EIO, session_set_state(vmm->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_TRUE(session_says(vmm->fd, EIO, "needs a reset"));
	EXPECT_TRUE(session_says(vmm->fd, EIO, vmm->dev[1].addr));
	ASSERT_EQ(0, device_reset(&vmm->dev[1]));
	EXPECT_EQ(0, session_set_state(vmm->fd, STOP, NONE, 0, 0, NULL));
}

/* The way back fails as well: everybody's state is told as it is. */
TEST_F(vmm, recovery_fails)
{
	struct results r;
	int i;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, attr_write(self->dev[1].addr, "fail_arc", "STOP>STOP_COPY:28:1"));
	ASSERT_EQ(0, attr_write(self->dev[3].addr, "fail_arc",
				"RUNNING_P2P>RUNNING:5:0"));
	EXPECT_EQ(-ENOSPC, session_set_state(self->fd, STOP_COPY, RUNNING, 0, 0, &r));
	for (i = 0; i < r.n; i++) {
		EXPECT_NE(0, r.dev[i].error);
		EXPECT_EQ(i == 3 ? RUNNING_P2P : RUNNING, r.dev[i].state);
		EXPECT_TRUE(device_is(&self->dev[i], r.dev[i].state));
	}
	EXPECT_EQ(ENOSPC, r.dev[1].error);
	EXPECT_EQ(EIO, r.dev[3].error);
	ASSERT_EQ(0, attr_write(self->dev[3].addr, "fail_arc", "none"));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
