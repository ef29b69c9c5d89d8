// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_SET_STATE: what is refused, results, events, time limits, signals, and
 * who else may drive the devices meanwhile.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "session_fixture.h"

/* Most tests have all devices in their session. */
static int add_all(struct _test_data_vmm *self)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES && ret >= 0; i++)
		ret = session_device_add(self->fd, self->dev[i].fd, idstrs[i], 0);
	return ret < 0 ? ret : 0;
}

static bool all_are(struct _test_data_vmm *self, int state)
{
	bool ok = true;
	int i;

	for (i = 0; i < SESSION_DEVICES; i++)
		ok &= device_is(&self->dev[i], state);
	return ok;
}

static int knob_all(struct _test_data_vmm *self, const char *attr, const char *value)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES; i++)
		ret |= attr_write(self->dev[i].addr, attr, value);
	return ret;
}

TEST_F(vmm, refused_states)
{
	static const struct {
		__u32 target;
		__u32 recover;
		int error;
		const char *words;
	} bad[] = {
		{ ERROR, NONE, EINVAL, "not a state to ask for" },
		{ 99, NONE, EINVAL, "not a state to ask for" },
		{ NONE, NONE, EINVAL, "not a state to ask for" },
		{ PRE_COPY, NONE, EOPNOTSUPP, "does not support PRE_COPY" },
		{ PRE_COPY_P2P, NONE, EOPNOTSUPP, "does not support PRE_COPY" },
		{ STOP, ERROR, EINVAL, "recover is 0" },
		{ STOP, STOP_COPY, EINVAL, "recover is 3" },
		{ STOP, RESUMING, EINVAL, "recover is 4" },
		{ STOP, PRE_COPY, EINVAL, "recover is 6" },
		{ STOP, 99, EINVAL, "recover is 99" },
	};
	int i;

	EXPECT_SAYS(EINVAL, "no device",
		    session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	ASSERT_EQ(0, add_all(self));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_SAYS(bad[i].error, bad[i].words,
			    session_set_state(self->fd, bad[i].target, bad[i].recover,
					      0, 0, NULL));
	EXPECT_SAYS(EOPNOTSUPP, self->dev[0].addr,
		    session_set_state(self->fd, PRE_COPY, NONE, 0, 0, NULL));
	EXPECT_TRUE(all_are(self, RUNNING));
	/* a refusal is no failure */
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_TRUE(all_are(self, STOP));
}

/* A device without P2P, which costs a reset or two. */
TEST_F(vmm, without_p2p)
{
	struct vfio_dev *dev;
	struct vfio_set own;
	char addr[SESSION_DEVICES + 1][VFIO_ADDR_MAX];
	char *name = addr[SESSION_DEVICES];

	if (devices_names(addr, SESSION_DEVICES + 1) <= SESSION_DEVICES)
		SKIP(return, "wants one device more");
	ASSERT_EQ(0, attr_write(name, "p2p", "0"));
	ASSERT_EQ(0, attr_write(name, "precopy", "1"));
	ASSERT_EQ(0, devices_open(&own, SESSION_DEVICES, 1));
	dev = &own.dev[0];
	ASSERT_EQ(0, session_device_add(self->fd, dev->fd, "x", 0));

	/* alone it needs none, but cannot do it either */
	EXPECT_SAYS(EOPNOTSUPP, "does not support P2P",
		    session_set_state(self->fd, RUNNING_P2P, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_set_state(self->fd, PRE_COPY, NONE, 0, 0, NULL));
	EXPECT_TRUE(device_is(dev, PRE_COPY));
	EXPECT_EQ(0, session_set_state(self->fd, STOP_COPY, NONE, 0, 0, NULL));
	EXPECT_SAYS(EINVAL, "cannot go there",
		    session_set_state(self->fd, PRE_COPY, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));

	ASSERT_EQ(1, session_device_add(self->fd, self->dev[0].fd, "y", 0));
	EXPECT_SAYS(EOPNOTSUPP, "does not support P2P",
		    session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_TRUE(session_says(self->fd, EOPNOTSUPP, name));
	EXPECT_TRUE(device_is(dev, RUNNING));
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, VFIO_MIGMUX_SET_STATE_NO_P2P,
				       0, NULL));
	EXPECT_TRUE(device_is(dev, STOP));
	EXPECT_TRUE(device_is(&self->dev[0], STOP));

	close(self->fd);
	vfio_set_close(&own);
	EXPECT_EQ(0, attr_write(name, "p2p", "1"));
	EXPECT_EQ(0, attr_write(name, "precopy", "0"));
	self->fd = session_open();
}

TEST_F(vmm, results)
{
	struct vfio_migmux_set_state set = {
		.argsz = sizeof(set),
		.target = RUNNING,
		.recover = NONE,
	};
	struct vfio_migmux_device_result one[2] = { [1] = { .index = 77 } };
	struct results r;
	int i;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, knob_all(self, "arc_ms", "20"));
	ASSERT_EQ(0, attr_write(self->dev[3].addr, "arc_ms", "250"));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING_P2P, NONE, 0, 0, &r));
	ASSERT_EQ(SESSION_DEVICES, r.n);
	for (i = 0; i < r.n; i++) {
		EXPECT_EQ(i, r.dev[i].index);
		EXPECT_EQ(0, r.dev[i].error);
		EXPECT_EQ(RUNNING_P2P, r.dev[i].state);
		EXPECT_EQ(0, r.dev[i].reserved);
		EXPECT_LE((i == 3 ? 250 : 20) * 1000000ULL, r.dev[i].ns);
	}
	/* the quick ones are not said to have waited for the slow one */
	EXPECT_LT(r.dev[0].ns, r.dev[3].ns);
	EXPECT_TRUE(all_are(self, RUNNING_P2P));

	/* room for one, and room for none */
	set.nr_results = 1;
	set.results = (__u64)(unsigned long)one;
	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_SET_STATE, &set));
	EXPECT_EQ(SESSION_DEVICES, set.nr_results);
	EXPECT_EQ(RUNNING, one[0].state);
	EXPECT_EQ(77, one[1].index);
	set.nr_results = 0;
	ASSERT_EQ(0, session_call(self->fd, VFIO_MIGMUX_SET_STATE, &set));
	EXPECT_EQ(SESSION_DEVICES, set.nr_results);

	/* the state where they are takes no arc */
	ASSERT_EQ(0, knob_all(self, "arcs_log", "0"));
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, &r));
	for (i = 0; i < r.n; i++) {
		struct arc arcs[ARCS_MAX];

		EXPECT_EQ(RUNNING, r.dev[i].state);
		EXPECT_EQ(0, arcs_read(self->dev[i].addr, arcs));
	}
}

/* STOP_COPY and RESUMING too: the session holds the data files. */
TEST_F(vmm, every_state)
{
	static const int way[] = {
		RUNNING_P2P, STOP, STOP_COPY, STOP, STOP_COPY, RUNNING, STOP_COPY,
		RUNNING_P2P, RUNNING, STOP, RUNNING_P2P, STOP,
	};
	int i;

	ASSERT_EQ(0, add_all(self));
	for (i = 0; i < ARRAY_SIZE(way); i++) {
		EXPECT_EQ(0, session_set_state(self->fd, way[i], NONE, 0, 0, NULL));
		EXPECT_TRUE(all_are(self, way[i]));
	}
	ASSERT_EQ(0, knob_all(self, "headerless", "1"));
	EXPECT_EQ(0, session_set_state(self->fd, RESUMING, NONE, 0, 0, NULL));
	EXPECT_TRUE(all_are(self, RESUMING));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(all_are(self, RUNNING));
}

TEST_F(vmm, timeout)
{
	struct results r;
	int i;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, knob_all(self, "arc_ms", "300"));
	/* the arcs that have begun are waited for, the next does not begin */
	EXPECT_EQ(-ETIMEDOUT,
		  session_set_state(self->fd, STOP, RUNNING, 0, 200, &r));
	ASSERT_EQ(SESSION_DEVICES, r.n);
	for (i = 0; i < r.n; i++) {
		EXPECT_NE(0, r.dev[i].error);
		EXPECT_EQ(RUNNING, r.dev[i].state);
	}
	EXPECT_TRUE(all_are(self, RUNNING));

	EXPECT_EQ(-ETIMEDOUT, session_set_state(self->fd, STOP, NONE, 0, 200, &r));
	for (i = 0; i < r.n; i++)
		EXPECT_TRUE(device_is(&self->dev[i], r.dev[i].state));
	EXPECT_TRUE(all_are(self, RUNNING_P2P));
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 5000, &r));
}

TEST_F(vmm, async)
{
	struct vfio_migmux_event ev[32];
	int i, n = 0, ret, phases = 0, milestones = 0;
	struct timeline t;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, knob_all(self, "arc_ms", "150"));
	ASSERT_EQ(0, session_set_state(self->fd, STOP, RUNNING,
				       VFIO_MIGMUX_SET_STATE_ASYNC, 0, NULL));
	EXPECT_EQ(-ETIMEDOUT, session_wait(self->fd, M_BATCH, 0));
	EXPECT_SAYS(EBUSY, "batch runs",
		    session_set_state(self->fd, RUNNING, RUNNING, 0, 0, NULL));
	EXPECT_SAYS(EBUSY, "batch runs", session_device_remove(self->fd, 0));
	EXPECT_SAYS(EBUSY, "batch runs",
		    session_device_add(self->fd, devices.container, "z", 0));
	ASSERT_EQ(0, session_wait(self->fd, M_BATCH, WAIT_MS));
	EXPECT_EQ(M_BATCH, session_reached(self->fd));
	EXPECT_TRUE(all_are(self, STOP));

	/* all that happened can be read: a start and an end per device and arc */
	while (session_poll(self->fd, POLLIN, 0) == POLLIN) {
		ret = session_events(self->fd, ev + n, ARRAY_SIZE(ev) - n);
		ASSERT_LT(0, ret);
		n += ret;
	}
	for (i = 0; i < n; i++) {
		EXPECT_EQ(sizeof(ev[i]), ev[i].size);
		EXPECT_EQ(0, ev[i].error);
		EXPECT_EQ(NO_INDEX, ev[i].channel);
		phases += ev[i].type == VFIO_MIGMUX_EVENT_PHASE_START;
		phases += ev[i].type == VFIO_MIGMUX_EVENT_PHASE_END;
		milestones += ev[i].type == VFIO_MIGMUX_EVENT_MILESTONE;
	}
	EXPECT_EQ(2 * 2 * SESSION_DEVICES, phases);
	EXPECT_EQ(1, milestones);
	EXPECT_EQ(VFIO_MIGMUX_EVENT_MILESTONE, ev[n - 1].type);
	EXPECT_EQ(M_BATCH, ev[n - 1].value);

	ASSERT_EQ(0, session_timeline(self->fd, &t));
	EXPECT_EQ(M_BATCH, t.t.milestones);
	for (i = 0; i < SESSION_DEVICES; i++) {
		const struct vfio_migmux_span *span = t.dev[i].phases;

		EXPECT_EQ(STOP, t.dev[i].state);
		EXPECT_LT(0, span[VFIO_MIGMUX_PHASE_QUIESCE].start_ns);
		EXPECT_LE(span[VFIO_MIGMUX_PHASE_QUIESCE].end_ns,
			  span[VFIO_MIGMUX_PHASE_STOP].start_ns);
		EXPECT_LT(span[VFIO_MIGMUX_PHASE_STOP].start_ns,
			  span[VFIO_MIGMUX_PHASE_STOP].end_ns);
	}
	/* the milestone falls when the next batch begins */
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, RUNNING,
				       VFIO_MIGMUX_SET_STATE_ASYNC, 0, NULL));
	EXPECT_EQ(0, session_reached(self->fd) & M_BATCH);
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, WAIT_MS));
}

/* While a batch drives the devices, the VMM's own VFIO ioctls wait outside. */
TEST_F(vmm, own_ioctls)
{
	const struct vfio_dev *dev = &self->dev[0];

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, set_state(dev, STOP, NULL));
	ASSERT_EQ(0, set_state(dev, RUNNING, NULL));
	ASSERT_EQ(0, knob_all(self, "arc_ms", "300"));
	ASSERT_EQ(0, session_set_state(self->fd, STOP, RUNNING,
				       VFIO_MIGMUX_SET_STATE_ASYNC, 0, NULL));
	EXPECT_EQ(-EBUSY, set_state(dev, STOP, NULL));
	EXPECT_EQ(-EBUSY, set_state(dev, RUNNING, NULL));
	ASSERT_EQ(0, session_wait(self->fd, M_BATCH, WAIT_MS));
	EXPECT_TRUE(all_are(self, STOP));

	/* between the steps they are the VMM's, and the next step sees it */
	ASSERT_EQ(0, knob_all(self, "arc_ms", "0"));
	EXPECT_EQ(0, set_state(dev, RUNNING_P2P, NULL));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(all_are(self, RUNNING));
}

/* A refusal is no batch: what is said of the last one still holds. */
TEST_F(vmm, refused_after_batch)
{
	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	ASSERT_EQ(0, session_wait(self->fd, M_BATCH, 0));
	EXPECT_SAYS(EINVAL, "not a state to ask for",
		    session_set_state(self->fd, 99, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, 0));
	EXPECT_SAYS(EOPNOTSUPP, "does not support PRE_COPY",
		    session_set_state(self->fd, PRE_COPY, NONE, VFIO_MIGMUX_SET_STATE_ASYNC,
				      0, NULL));
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, 0));
	EXPECT_SAYS(EINVAL, "recover",
		    session_set_state(self->fd, RUNNING, 99, 0, 0, NULL));
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, 0));
	EXPECT_TRUE(all_are(self, STOP));
}

static void *stop_slowly(void *dev)
{
	return (void *)(long)set_state(dev, STOP, NULL);
}

/* The other way round: a step waits for the VMM's own arc. */
TEST_F(vmm, own_arc_first)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, attr_write(self->dev[0].addr, "arcs", "RUNNING_P2P>STOP=300"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_slowly, &self->dev[0]));
	ASSERT_EQ(0, attr_wait_text(self->dev[0].addr, "state", "RUNNING_P2P"));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(all_are(self, RUNNING));
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST_F(vmm, interrupted)
{
	const struct sigaction act = { .sa_handler = nothing };
	const struct itimerval soon = { .it_value.tv_usec = 50000 };

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, knob_all(self, "arc_ms", "400"));
	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-EINTR, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_reached(self->fd) & M_BATCH);
	/* what was started goes on */
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-EINTR, session_wait(self->fd, M_BATCH, WAIT_MS));
	EXPECT_EQ(0, session_wait(self->fd, M_BATCH, WAIT_MS));
	EXPECT_TRUE(all_are(self, STOP));
}

/* A reset takes a device back to RUNNING without asking us; the next step sees it. */
TEST_F(vmm, reset_between)
{
	struct results r;

	ASSERT_EQ(0, add_all(self));
	ASSERT_EQ(0, session_set_state(self->fd, STOP_COPY, NONE, 0, 0, NULL));
	ASSERT_EQ(0, device_reset(&self->dev[1]));
	EXPECT_TRUE(device_is(&self->dev[1], RUNNING));
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, &r));
	EXPECT_EQ(STOP, r.dev[1].state);
	EXPECT_TRUE(all_are(self, STOP));
}

/* The data file of a device in RESUMING is there to be written: nothing can be saved of it. */
TEST_F(vmm, save_from_resuming)
{
	const struct vfio_dev *dev = &self->dev[0];
	struct arc arcs[ARCS_MAX];
	int fd[2];

	ASSERT_EQ(0, attr_write(dev->addr, "headerless", "1"));
	ASSERT_EQ(0, session_device_add(self->fd, dev->fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	ASSERT_EQ(0, session_set_state(self->fd, RESUMING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, attr_write(dev->addr, "arcs_log", "0"));
	EXPECT_SAYS(EINVAL, "is in RESUMING", session_save(self->fd, 0, RUNNING, STAGING));
	EXPECT_TRUE(session_says(self->fd, EINVAL, dev->addr));
	EXPECT_SAYS(EINVAL, "is in RESUMING",
		    session_save(self->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	EXPECT_TRUE(device_is(dev, RESUMING));
	EXPECT_EQ(0, arcs_read(dev->addr, arcs));
	EXPECT_EQ(0, session_poll(fd[1], POLLIN, 0));
	/* it was a refusal: from RUNNING the same session saves */
	ASSERT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
	ASSERT_EQ(0, session_save(self->fd, 0, RUNNING, STAGING));
	EXPECT_EQ(0, peer_drain(&fd[1], 1, 1));
	EXPECT_EQ(0, session_wait(self->fd, M_SENT, WAIT_MS));
	close(fd[0]);
	close(fd[1]);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
