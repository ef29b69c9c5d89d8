// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that gives up: VFIO_MIGMUX_ABORT, once and again, and close(), at every point
 * on the way.
 */
#include <pthread.h>

#include "phase.h"
#include "session_fixture.h"
#include "thread.h"

/* Nothing that is interrupted takes longer than the arc that it is in. */
#define BOUND_NS	3000000000ULL

FIXTURE(phase)
{
	FIXTURE_DATA(vmm) vmm;
	struct stage stage;
};

FIXTURE_VARIANT(phase)
{
	int (*enter)(struct stage *stage);
	bool loaded;	/* a destination's devices have taken their state */
};

FIXTURE_VARIANT_ADD(phase, idle) { .enter = phase_idle };
FIXTURE_VARIANT_ADD(phase, batch) { .enter = phase_batch };
FIXTURE_VARIANT_ADD(phase, precopy_arc) { .enter = phase_precopy_arc };
FIXTURE_VARIANT_ADD(phase, precopy_idle) { .enter = phase_precopy_idle };
FIXTURE_VARIANT_ADD(phase, precopy_busy) { .enter = phase_precopy_busy };
FIXTURE_VARIANT_ADD(phase, switchover) { .enter = phase_switchover };
FIXTURE_VARIANT_ADD(phase, quiescing) { .enter = phase_quiescing };
FIXTURE_VARIANT_ADD(phase, stopping) { .enter = phase_stopping };
FIXTURE_VARIANT_ADD(phase, saving) { .enter = phase_saving };
FIXTURE_VARIANT_ADD(phase, streaming) { .enter = phase_streaming };
FIXTURE_VARIANT_ADD(phase, blocked) { .enter = phase_blocked };
FIXTURE_VARIANT_ADD(phase, verdict) { .enter = phase_verdict };
FIXTURE_VARIANT_ADD(phase, ready) { .enter = phase_ready };
FIXTURE_VARIANT_ADD(phase, loading) { .enter = phase_loading };
FIXTURE_VARIANT_ADD(phase, load_arc) { .enter = phase_load_arc, .loaded = true };
FIXTURE_VARIANT_ADD(phase, confirm) { .enter = phase_confirm, .loaded = true };

FIXTURE_SETUP(phase)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	ASSERT_EQ(0, stage_open(&self->stage, self->vmm.dev));
}

FIXTURE_TEARDOWN(phase)
{
	stage_close(&self->stage);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

static void check_states(struct __test_metadata *_metadata, struct stage *stage,
			 __u32 recover)
{
	struct timeline t;
	int i;

	ASSERT_EQ(0, session_timeline(stage->fd, &t));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(device_is(&stage->dev[i], t.dev[i].state));
		if (recover != NONE)
			EXPECT_EQ(recover, t.dev[i].state);
	}
}

static void check_abort(struct __test_metadata *_metadata, struct stage *stage,
			const struct _fixture_variant_phase *variant, __u32 recover)
{
	__u64 start;

	ASSERT_EQ(0, variant->enter(stage));
	start = now_ns();
	EXPECT_EQ(0, session_abort(stage->fd, recover));
	EXPECT_GT(BOUND_NS, now_ns() - start);
	EXPECT_EQ(M_FAILED | M_ENDED, session_reached(stage->fd) & (M_FAILED | M_ENDED));
	EXPECT_TRUE(session_says(stage->fd, ECANCELED, "aborted by the VMM"));
	EXPECT_TRUE(session_blames(stage->fd, NO_INDEX, NO_INDEX));
	/* what is loaded must not run: the source may run its own */
	if (variant->loaded && recover == RUNNING)
		recover = STOP;
	check_states(_metadata, stage, recover);

	/* again, and to another state: it is over */
	EXPECT_EQ(0, session_abort(stage->fd, recover));
	EXPECT_EQ(0, session_abort(stage->fd, STOP));
	check_states(_metadata, stage, recover);
	EXPECT_EQ(-ECANCELED, session_wait(stage->fd, M_HANDED_OVER, WAIT_MS));
	/* and the devices are the VMM's */
	EXPECT_EQ(0, set_state(&stage->dev[0], RUNNING, NULL));
}

TEST_F(phase, abort)
{
	check_abort(_metadata, &self->stage, variant, RUNNING);
}

TEST_F(phase, abort_to_stop)
{
	check_abort(_metadata, &self->stage, variant, STOP);
}

TEST_F(phase, abort_and_stay)
{
	check_abort(_metadata, &self->stage, variant, NONE);
}

/* Does the connection end, whatever comes before that? */
static bool eof_follows(int fd)
{
	int ret;
	char c;

	do {
		ret = peer_recv(fd, &c, 1);
	} while (!ret);
	return ret == -ENODATA || ret == -ECONNRESET;
}

TEST_F(phase, close)
{
	struct stage *stage = &self->stage;
	__u64 start;

	ASSERT_EQ(0, variant->enter(stage));
	start = now_ns();
	close(stage->fd);
	EXPECT_GT(BOUND_NS, now_ns() - start);
	stage->fd = -1;
	/* of a batch of the VMM's own nobody has said where it should end */
	if (variant->enter != phase_batch) {
		EXPECT_TRUE(device_is(&stage->dev[0], variant->loaded ? STOP : RUNNING));
		EXPECT_TRUE(device_is(&stage->dev[1], variant->loaded ? STOP : RUNNING));
	}
	EXPECT_EQ(0, set_state(&stage->dev[0], RUNNING, NULL));
	/* and the peer learns of it */
	if (variant->enter != phase_idle && variant->enter != phase_batch &&
	    variant->enter != phase_blocked)
		EXPECT_TRUE(eof_follows(stage->ch[0]));
}

/* --- who waits for the batch ---------------------------------------------------------------- */

#define CPU	1	/* of the one who waits, and of what comes before it there */
#define TRIES	3

struct waiter {
	int fd;
	int ret;
	pid_t tid;
	pthread_t thread;
};

static void *stop_and_wait(void *arg)
{
	struct waiter *w = arg;

	w->ret = thread_pin(0, CPU);
	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	if (!w->ret)
		w->ret = session_set_state(w->fd, STOP, NONE, 0, 0, NULL);
	return NULL;
}

/* A thread that sleeps in SET_STATE. */
static int waiter_start(struct waiter *w, int fd)
{
	char name[16];
	int i;

	*w = (struct waiter){ .fd = fd };
	if (pthread_create(&w->thread, NULL, stop_and_wait, w))
		return -EAGAIN;
	for (i = 0; i < WAIT_MS && !__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	return w->tid ? thread_idle(w->tid, name) : -ETIMEDOUT;
}

enum { SPIN_BEGINS, SPINS, SPIN_ENDS };

static void *spin(void *arg)
{
	int *state = arg;

	if (thread_pin(0, CPU) || thread_first()) {
		__atomic_store_n(state, SPIN_ENDS, __ATOMIC_RELEASE);
		return "cannot come first";
	}
	__atomic_store_n(state, SPINS, __ATOMIC_RELEASE);
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) == SPINS)
		;
	return NULL;
}

static int spin_start(pthread_t *thread, int *state)
{
	*state = SPIN_BEGINS;
	if (pthread_create(thread, NULL, spin, state))
		return -EAGAIN;
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) == SPIN_BEGINS)
		usleep(1000);
	return 0;
}

/*
 * The devices are back before the one who waits for the batch gets to see that it ended: a
 * real-time thread keeps its CPU busy. What it is told is not how the way back went.
 */
TEST_F(vmm, abort_of_who_waits)
{
	struct waiter waiter;
	pthread_t thread;
	int i, t, state;
	void *ret;

	if (thread_pin(0, CPU) || thread_pin(0, 0))
		SKIP(return, "wants two CPUs");
	for (t = 0; t < TRIES; t++) {
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, attr_write(self->dev[i].addr, "arcs",
						"RUNNING>RUNNING_P2P=200"));
			ASSERT_EQ(i, session_device_add(self->fd, self->dev[i].fd,
							idstrs[i], 0));
		}
		ASSERT_EQ(0, waiter_start(&waiter, self->fd));
		ASSERT_EQ(0, spin_start(&thread, &state));
		EXPECT_EQ(0, session_abort(self->fd, RUNNING));
		__atomic_store_n(&state, SPIN_ENDS, __ATOMIC_RELEASE);
		ASSERT_EQ(0, pthread_join(thread, &ret));
		EXPECT_EQ(NULL, ret);
		ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
		EXPECT_EQ(-ECANCELED, waiter.ret);
		for (i = 0; i < 2; i++)
			EXPECT_TRUE(device_is(&self->dev[i], RUNNING));
		close(self->fd);
		self->fd = session_open();
		ASSERT_LE(0, self->fd);
	}
}

int main(int argc, char **argv)
{
	return session_main_precopy(argc, argv, 2);
}
