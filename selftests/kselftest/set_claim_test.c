// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of a change that a set started early: claimed, taken back, dropped,
 * failed, lost in a reset. Each way with its counters and events.
 */
#include "session.h"
#include "set_fixture.h"

/* A leader along a step, and both siblings there, unclaimed for so many ms. */
static int lead(struct nl *nl, struct vmm *vmm, const struct step *step, __u32 timeout)
{
	return set_make(nl, "s", 0, vmm) ?: step_prepare(vmm, step) ?:
	       set_timeout(nl, "s", timeout) ?:
	       set_policy(nl, "s", P_ALL) ?: vmm_move(vmm, 0, step->to) ?:
	       set_wait_starts(nl, "s", 2);
}

#define CALL		VFIO_MIGMUX_SET_EVENT_TYPE_CALL
#define RETURN		VFIO_MIGMUX_SET_EVENT_TYPE_RETURN
#define EARLY_START	VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_START
#define EARLY_END	VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_END
#define CLAIM		VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM
#define TAKE_BACK	VFIO_MIGMUX_SET_EVENT_TYPE_TAKE_BACK
#define DROP		VFIO_MIGMUX_SET_EVENT_TYPE_DROP

/* The next event of that type for that device. */
static int event_wait(struct nl *listener, __u32 type, const char *addr,
		      struct nl_set_event *event)
{
	int ret;

	do {
		ret = nl_next_event(listener, 5000, nl_set_event_seen, event);
	} while (!ret && (event->cmd != VFIO_MIGMUX_CMD_SET_EVENT || event->type != type ||
			  strcmp(event->device, handle_of(addr))));
	return ret;
}

/* --- nobody asks ------------------------------------------------------------------ */

TEST_F_TIMEOUT(sets, taken_back, 60)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	size_t i;
	int j;

	for (i = 0; i < STEPS; i++) {
		const struct step *step = &steps[i];
		bool kept = step->back == step->to;

		TH_LOG("%s", step->name);
		ASSERT_EQ(0, sets_settle());
		ASSERT_EQ(0, lead(nl, vmm, step, 50));
		/* that one is let be is told by nothing */
		if (kept)
			usleep(4 * 50 * 1000);
		else
			ASSERT_EQ(0, set_wait_take_backs(nl, "s", 2));
		for (j = 1; j < vmm->n; j++) {
			ASSERT_EQ(0, attr_wait_text(vmm->dev[j].addr, "state",
						    vfio_state_name(step->back)));
			EXPECT_TRUE(kept || vfio_state_get(vmm->dev[j].fd) == step->back);
			EXPECT_EQ(kept, member_pending(nl, "s", vmm->dev[j].addr));
		}
		EXPECT_EQ(0, set_counters(nl, "s").claims);
		EXPECT_TRUE(vmm_is(vmm, 0, step->to));

		/* then it does, and gets its own arc */
		ASSERT_EQ(0, set_policy(nl, "s", 0));
		if (step->from != RESUMING) {
			EXPECT_EQ(0, vmm_move(vmm, 1, step->to));
			EXPECT_EQ(0, vmm_move(vmm, 2, step->to));
			EXPECT_TRUE(vmm_are(vmm, step->to));
		}
		EXPECT_TRUE(states_agree(vmm));
		EXPECT_EQ(kept ? 2 : 0, set_counters(nl, "s").claims);
		ASSERT_EQ(0, nl_set_del(nl, "s"));
		vmm_free(vmm);
	}
}

/* What has no way back is not hidden from the VMM when a session has the device. */
TEST_F(sets, kept_until_a_session)
{
	const struct step *step = &steps[5];
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	int fd;

	ASSERT_EQ(step->to, step->back);
	ASSERT_EQ(0, lead(nl, vmm, step, 5000));
	EXPECT_EQ(step->from, vfio_state_get(vmm->dev[1].fd));
	EXPECT_TRUE(member_pending(nl, "s", vmm->dev[1].addr));
	fd = session_open();
	ASSERT_EQ(0, session_device_add(fd, vmm->dev[1].fd, "kept", 0));
	EXPECT_FALSE(member_pending(nl, "s", vmm->dev[1].addr));
	EXPECT_EQ(step->to, vfio_state_get(vmm->dev[1].fd));
	close(fd);
}

/* What is claimed in time is not taken back; each has its own time. */
TEST_F(sets, claimed_in_time)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	ASSERT_EQ(0, set_timeout(nl, "s", 500));
	vmm_knob(vmm, "arc_ms", "50");
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	ASSERT_EQ(0, set_wait_take_backs(nl, "s", 1));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING_P2P));
	ASSERT_EQ(0, attr_wait_text(vmm->dev[2].addr, "state", "RUNNING"));
	EXPECT_EQ(1, member_counters(nl, "s", vmm->dev[1].addr).claims);
	EXPECT_EQ(1, member_counters(nl, "s", vmm->dev[2].addr).take_backs);

	/* it is a member as before */
	ASSERT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));
	ASSERT_EQ(0, set_timeout(nl, "s", 5000));
	EXPECT_EQ(0, vmm_all(vmm, RUNNING));
	EXPECT_EQ(0, vmm_works(vmm));
	EXPECT_LT(1, member_counters(nl, "s", vmm->dev[2].addr).claims);
	EXPECT_EQ(1, set_counters(nl, "s").take_backs);
}

/* The call comes while the change is being taken back. */
TEST_F(sets, claimed_too_late)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	struct nl_set_event event;
	struct nl listener;

	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	ASSERT_EQ(0, nl_open(&listener));
	ASSERT_EQ(0, nl_subscribe(&listener));
	attr_write(vmm->dev[1].addr, "arcs", "RUNNING_P2P>RUNNING=300");
	ASSERT_EQ(0, set_timeout(nl, "s", 1));
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	/* its sibling is back, it is on the way */
	ASSERT_EQ(0, set_wait_take_backs(nl, "s", 1));
	ASSERT_EQ(0, set_policy(nl, "s", 0));
	EXPECT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING_P2P));
	EXPECT_TRUE(states_agree(vmm));
	EXPECT_EQ(2, set_counters(nl, "s").take_backs);
	EXPECT_EQ(0, set_counters(nl, "s").claims);
	/* the call has waited, and not taken away what the worker was busy with */
	ASSERT_EQ(0, event_wait(&listener, TAKE_BACK, vmm->dev[1].addr, &event));
	EXPECT_EQ(RUNNING_P2P, event.from);
	EXPECT_EQ(RUNNING, event.to);
	nl_close(&listener);
}

/*
 * What the driver does not take back stays for the VMM, with the file that it gives only
 * once: here a device that was made ready for a state which has not come.
 */
TEST_F(sets, cannot_be_taken_back)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	int turn;

	for (turn = 0; turn < 2; turn++) {
		ASSERT_EQ(0, set_make(nl, "s", P_SETUP, vmm));
		ASSERT_EQ(0, set_timeout(nl, "s", turn ? 5000 : 20));
		/* RUNNING needs a state to be whole */
		ASSERT_EQ(0, vmm_move(vmm, 0, RESUMING));
		ASSERT_EQ(0, set_wait_starts(nl, "s", 2));
		if (!turn) {
			/* that it was tried is seen in the log */
			while (vmm_arcs(vmm, "RESUMING", "STOP") < 2)
				usleep(1000);
			EXPECT_EQ(0, set_counters(nl, "s").take_backs);
		}
		ASSERT_EQ(0, nl_set_del(nl, "s"));
		EXPECT_TRUE(vmm_is(vmm, 1, RESUMING));
		ASSERT_EQ(0, vmm_move(vmm, 1, RESUMING));
		EXPECT_LE(0, vmm->data_fd[1]);
		EXPECT_EQ(1, write(vmm->data_fd[1], "x", 1));
		/* who asks for something else gets no file */
		ASSERT_EQ(-ENODATA, vmm_move(vmm, 2, RUNNING));
		ASSERT_EQ(0, device_reset(&vmm->dev[2]));
		EXPECT_EQ(-1, vmm->data_fd[2]);
		vmm_free(vmm);
		ASSERT_EQ(0, sets_settle());
		EXPECT_EQ(0, data_files_wait(vmm));
	}
}

/* --- the VMM asks for something else ---------------------------------------------- */

TEST_F(sets, dropped)
{
	const struct step *copy = &steps[2];
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	ASSERT_EQ(STOP_COPY, copy->to);
	ASSERT_EQ(0, lead(nl, vmm, copy, 5000));
	EXPECT_EQ(3, vmm_data_files(vmm));
	/* the file that nobody was told of goes */
	ASSERT_EQ(0, vmm_move(vmm, 1, RUNNING));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));
	EXPECT_EQ(-1, vmm->data_fd[1]);
	EXPECT_EQ(0, attr_read_num(vmm->dev[1].addr, "data_files"));
	/* the others are not touched */
	EXPECT_TRUE(vmm_is(vmm, 0, STOP_COPY));
	EXPECT_TRUE(vmm_is(vmm, 2, STOP_COPY));
	ASSERT_EQ(0, vmm_move(vmm, 2, STOP_COPY));
	EXPECT_LE(0, vmm->data_fd[2]);
	EXPECT_EQ(0, member_counters(nl, "s", vmm->dev[1].addr).claims);
	EXPECT_EQ(1, member_counters(nl, "s", vmm->dev[2].addr).claims);
	EXPECT_EQ(0, set_counters(nl, "s").take_backs);
	EXPECT_TRUE(states_agree(vmm));
}

/* It asks for more: what was done early is a part of it. */
TEST_F(sets, claimed_on_the_way)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_make(nl, "s", P_STOP, vmm));
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, set_wait_starts(nl, "s", 2));
	ASSERT_EQ(0, set_policy(nl, "s", 0));
	ASSERT_EQ(0, vmm_move(vmm, 1, STOP));
	ASSERT_EQ(0, vmm_move(vmm, 2, STOP_COPY));
	EXPECT_TRUE(vmm_is(vmm, 1, STOP));
	EXPECT_TRUE(vmm_is(vmm, 2, STOP_COPY));
	/* no device went anywhere twice */
	EXPECT_EQ(3, vmm_arcs(vmm, "RUNNING", "RUNNING_P2P"));
	EXPECT_EQ(0, vmm_arcs(vmm, NULL, "RUNNING"));
	EXPECT_TRUE(states_agree(vmm));
}

/* --- failures --------------------------------------------------------------------- */

/* A sibling's error is told by its own call, and it does not follow until it was moved. */
TEST_F(sets, sibling_fails)
{
	struct vmm *vmm = &self->src;
	const char *addr = vmm->dev[1].addr;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	attr_write(addr, "fail_arc", "RUNNING>RUNNING_P2P:28:1");
	EXPECT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	EXPECT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));
	EXPECT_EQ(-ENOSPC, vmm_move(vmm, 1, RUNNING_P2P));
	EXPECT_TRUE(states_agree(vmm));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING));
	EXPECT_EQ(1, set_counters(nl, "s").errors);
	EXPECT_EQ(1, set_counters(nl, "s").claims);

	/* the others go back; it stays out of this */
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING));
	ASSERT_EQ(0, vmm_move(vmm, 2, RUNNING));
	vmm_logs_clear(vmm);
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, vmm_move(vmm, 2, RUNNING_P2P));
	EXPECT_EQ(2, vmm_arcs(vmm, NULL, NULL));
	/* moved by its VMM, it follows again */
	ASSERT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	ASSERT_EQ(0, vmm_all(vmm, STOP));
	EXPECT_LT(0, member_counters(nl, "s", addr).claims);
}

/* The leader's error is its own; those who followed are claimed or go back. */
TEST_F(sets, leader_fails)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	ASSERT_EQ(0, set_timeout(nl, "s", 500));
	attr_write(vmm->dev[0].addr, "fail_arc", "RUNNING>RUNNING_P2P:28:1");
	EXPECT_EQ(-ENOSPC, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, set_wait_starts(nl, "s", 2));
	EXPECT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	ASSERT_EQ(0, set_wait_take_backs(nl, "s", 1));
	ASSERT_EQ(0, set_wait_idle(nl, "s"));
	EXPECT_TRUE(vmm_is(vmm, 0, RUNNING));
	EXPECT_TRUE(vmm_is(vmm, 1, RUNNING_P2P));
	EXPECT_TRUE(vmm_is(vmm, 2, RUNNING));
	EXPECT_TRUE(states_agree(vmm));
	EXPECT_EQ(0, set_counters(nl, "s").errors);
}

/* --- resets ----------------------------------------------------------------------- */

/* A reset that no migration op tells of, between the change and the call that claims it. */
TEST_F(sets, reset_before_claim)
{
	const struct step *copy = &steps[2];
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	char byte;

	ASSERT_EQ(0, lead(nl, vmm, copy, 5000));
	ASSERT_EQ(0, attr_write(vmm->dev[1].addr, "reset", "1"));
	ASSERT_EQ(0, device_reset(&vmm->dev[2]));
	EXPECT_EQ(RUNNING, vfio_state_get(vmm->dev[1].fd));
	EXPECT_EQ(RUNNING, vfio_state_get(vmm->dev[2].fd));
	/* a real one is made from where the device is: no dead file is handed over */
	ASSERT_EQ(0, vmm_move(vmm, 1, STOP_COPY));
	ASSERT_EQ(0, vmm_move(vmm, 2, STOP_COPY));
	EXPECT_TRUE(vmm_are(vmm, STOP_COPY));
	EXPECT_EQ(1, read(vmm->data_fd[1], &byte, 1));
	EXPECT_EQ(1, read(vmm->data_fd[2], &byte, 1));
	EXPECT_EQ(0, set_counters(nl, "s").claims);
	EXPECT_EQ(3, vmm_data_files(vmm));
}

/* --- the end ---------------------------------------------------------------------- */

/* The last close of a device puts what was done for it, and nobody follows after that. */
TEST_F(sets, closed_unclaimed)
{
	struct nl *nl = &self->nl;
	struct vmm vmm;

	ASSERT_EQ(0, spare_open(&self->spare));
	vmm_init(&vmm, VMM_QEMU, self->spare.set.dev, SPARE_DEVICES);
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, &vmm));
	ASSERT_EQ(0, vmm_all(&vmm, STOP));
	ASSERT_EQ(0, vmm_move(&vmm, 0, STOP_COPY));
	ASSERT_EQ(0, attr_wait_text(vmm.dev[1].addr, "state", "STOP_COPY"));
	vmm_free(&vmm);
	spare_close(&self->spare);
	EXPECT_EQ(0, data_files_wait(&vmm));
	EXPECT_FALSE(member_driven(nl, "s", vmm.dev[0].addr));
	EXPECT_FALSE(member_pending(nl, "s", vmm.dev[1].addr));

	ASSERT_EQ(0, spare_open(&self->spare));
	vmm_logs_clear(&vmm);
	ASSERT_EQ(0, vmm_move(&vmm, 0, RUNNING_P2P));
	EXPECT_TRUE(vmm_is(&vmm, 1, RUNNING));
	EXPECT_EQ(1, vmm_arcs(&vmm, NULL, NULL));
}

/* --- events ----------------------------------------------------------------------- */

TEST_F(sets, events)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	struct nl_set_event event;
	struct nl listener;
	__u64 before;

	vmm->n = 2;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	vmm_knob(vmm, "arc_ms", "50");
	ASSERT_EQ(0, nl_open(&listener));
	ASSERT_EQ(0, nl_subscribe(&listener));
	before = now_ns();

	/* one is claimed, one taken back, one dropped */
	ASSERT_EQ(0, vmm_move(vmm, 0, RUNNING_P2P));
	ASSERT_EQ(0, vmm_move(vmm, 1, RUNNING_P2P));
	ASSERT_EQ(0, set_timeout(nl, "s", 1));
	ASSERT_EQ(0, vmm_move(vmm, 0, STOP));
	ASSERT_EQ(0, set_wait_take_backs(nl, "s", 1));
	ASSERT_EQ(0, set_timeout(nl, "s", 5000));
	ASSERT_EQ(0, vmm_move(vmm, 1, STOP));
	ASSERT_EQ(0, vmm_move(vmm, 0, STOP_COPY));
	ASSERT_EQ(0, set_wait_starts(nl, "s", 3));
	ASSERT_EQ(0, vmm_move(vmm, 1, RUNNING));

	ASSERT_EQ(0, event_wait(&listener, CALL, vmm->dev[0].addr, &event));
	EXPECT_STREQ("s", event.set);
	EXPECT_EQ(RUNNING, event.from);
	EXPECT_EQ(RUNNING_P2P, event.to);
	EXPECT_LT(before, event.at);
	EXPECT_GT(now_ns(), event.at);
	before = event.at;
	ASSERT_EQ(0, event_wait(&listener, EARLY_START, vmm->dev[1].addr, &event));
	EXPECT_EQ(RUNNING, event.from);
	EXPECT_EQ(RUNNING_P2P, event.to);
	EXPECT_LE(before, event.at);
	EXPECT_NE(0, event.timeline);
	ASSERT_EQ(0, event_wait(&listener, EARLY_END, vmm->dev[1].addr, &event));
	EXPECT_EQ(0, event.error);
	EXPECT_LE(before + 50000000, event.at);
	ASSERT_EQ(0, event_wait(&listener, CLAIM, vmm->dev[1].addr, &event));
	EXPECT_EQ(RUNNING_P2P, event.to);
	EXPECT_LT(0, event.saved);
	ASSERT_EQ(0, event_wait(&listener, TAKE_BACK, vmm->dev[1].addr, &event));
	ASSERT_EQ(0, event_wait(&listener, DROP, vmm->dev[1].addr, &event));
	EXPECT_EQ(STOP_COPY, event.to);
	nl_close(&listener);
}

TEST_F(sets, events_of_failures)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;
	struct nl_set_event event;
	struct nl listener;

	vmm->n = 2;
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	ASSERT_EQ(0, nl_open(&listener));
	ASSERT_EQ(0, nl_subscribe(&listener));
	vmm_knob(vmm, "fail_arc", "RUNNING>RUNNING_P2P:28:1");
	EXPECT_EQ(-ENOSPC, vmm_move(vmm, 0, RUNNING_P2P));
	EXPECT_EQ(-ENOSPC, vmm_move(vmm, 1, RUNNING_P2P));
	EXPECT_EQ(1, set_counters(nl, "s").errors);
	ASSERT_EQ(0, event_wait(&listener, CALL, vmm->dev[0].addr, &event));
	ASSERT_EQ(0, event_wait(&listener, EARLY_END, vmm->dev[1].addr, &event));
	EXPECT_EQ(ENOSPC, event.error);
	nl_close(&listener);
}

int main(int argc, char **argv)
{
	return sets_main(argc, argv);
}
