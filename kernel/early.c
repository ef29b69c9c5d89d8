// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a set starts before its VMM asks for it, and what becomes of it.
 *
 * A worker is in a driver without a reference to the device's VFIO file. It does
 * not need one: as long as a member's early change is queued to run, runs or is
 * taken back, nobody gets past migmux_early_settle() or migmux_follow_close(), and
 * all ways to lose the device lead through these: the last close of the device,
 * leaving the set, and unregistration, which come before the device is closed, the
 * ops are given back, and the driver goes.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "follow.h"
#include "hook.h"
#include "policy.h"
#include "session.h"
#include "set.h"

static bool slot_take_locked(struct migmux_set *set)
	__must_hold(&set->lock)
{
	const u32 max = set->config.max_parallel;

	lockdep_assert_held(&set->lock);
	if (max && set->running >= max)
		return false;
	set->running++;
	return true;
}

static void start_queued_locked(struct migmux_set *set)
	__must_hold(&set->lock)
{
	struct migmux_member *m;

	migmux_set_for_each(set, m) {
		if (m->early.state != MIGMUX_EARLY_QUEUED)
			continue;
		/* the VMM's own calls come first */
		if (set->waiting || !slot_take_locked(set))
			return;
		m->early.state = MIGMUX_EARLY_RUNNING;
		migmux_member_get(m);		/* the work puts it */
		queue_work(migmux_wq, &m->work);
	}
}

static bool slot_wait(struct migmux_set *set)
{
	bool got;

	spin_lock(&set->lock);
	got = slot_take_locked(set);
	spin_unlock(&set->lock);
	return got;
}

/**
 * migmux_slot_get() - a call of the VMM waits until max-parallel allows it
 * @set: the set
 *
 * Context: sleeps.
 * Return: 0, or -EINTR if the VMM is being killed.
 */
int migmux_slot_get(struct migmux_set *set)
{
	int err = 0;

	spin_lock(&set->lock);
	if (!slot_take_locked(set)) {
		set->waiting++;
		spin_unlock(&set->lock);
		err = wait_event_killable(set->wq, slot_wait(set)) ? -EINTR : 0;
		spin_lock(&set->lock);
		set->waiting--;
		start_queued_locked(set);
	}
	spin_unlock(&set->lock);
	return err;
}

static void slot_put_locked(struct migmux_set *set)
	__must_hold(&set->lock)
{
	lockdep_assert_held(&set->lock);
	set->running--;
	start_queued_locked(set);
}

/**
 * migmux_slot_put() - the call is out of the driver
 * @set: the set
 *
 * Context: any but irq.
 */
void migmux_slot_put(struct migmux_set *set)
{
	spin_lock(&set->lock);
	slot_put_locked(set);
	spin_unlock(&set->lock);
	wake_up_all(&set->wq);
}

/**
 * migmux_slot_check() - max-parallel has changed
 * @set: the set
 *
 * Context: any but irq.
 */
void migmux_slot_check(struct migmux_set *set)
{
	spin_lock(&set->lock);
	start_queued_locked(set);
	spin_unlock(&set->lock);
	wake_up_all(&set->wq);
}

/**
 * migmux_early_release() - give back what a result holds
 * @early: taken from a member
 *
 * Context: sleeps.
 */
void migmux_early_release(struct migmux_early *early)
{
	if (early->file)
		fput(early->file);
	early->file = NULL;
	migmux_identity_put(&early->id);
}

/**
 * migmux_early_busy_locked() - must one wait for a worker?
 * @m: the member
 */
bool migmux_early_busy_locked(const struct migmux_member *m)
{
	lockdep_assert_held(&m->set->lock);
	return m->early.state == MIGMUX_EARLY_RUNNING ||
	       m->early.state == MIGMUX_EARLY_BACK;
}

/**
 * migmux_early_start_locked() - start a change that the VMM has not asked for
 * @m: a member with a device, whose early change is NONE, or DONE without error;
 *	then it goes on from there
 * @at: where the device should be; checked by the worker
 * @to: where it goes
 *
 * Context: a task of the VMM that the device belongs to; the set's lock is held.
 */
void migmux_early_start_locked(struct migmux_member *m, u32 at, u32 to)
{
	struct migmux_early *early = &m->early;

	lockdep_assert_held(&m->set->lock);
	if (early->state == MIGMUX_EARLY_NONE) {
		*early = (struct migmux_early) { .shown = at };
		migmux_identity_take(&early->id);
	}
	early->at = at;
	early->to = to;
	early->state = MIGMUX_EARLY_QUEUED;
	start_queued_locked(m->set);
}

/**
 * migmux_early_take_locked() - take what was started early off a member
 * @m: a member; no worker is busy with it
 * @early: is filled, to be given to migmux_early_release() without the lock
 *
 * Return: true if there is a result in @early; false if nothing had begun.
 */
bool migmux_early_take_locked(struct migmux_member *m, struct migmux_early *early)
{
	lockdep_assert_held(&m->set->lock);
	*early = m->early;
	m->early = (struct migmux_early) { };
	if (early->state == MIGMUX_EARLY_QUEUED) {
		/* it may have gone part of the way before */
		early->to = early->at;
		return early->at != early->shown;
	}
	return early->state == MIGMUX_EARLY_DONE;
}

/* In the driver, as the device's own process. Returns false if it did not begin. */
static bool change(struct migmux_member *m, struct file **file)
{
	struct migmux_early *early = &m->early;
	enum vfio_device_mig_state state;

	if (migmux_hook_get_state(m->hook, &state) || state != early->at)
		return false;
	if (!early->start_ns)
		early->start_ns = ktime_get_ns();
	migmux_timeline_start(m, early->at, early->to);
	migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_START, early->at,
			 early->to, 0, 0);
	*file = migmux_hook_set_state(m->hook, early->to);
	migmux_timeline_end(m, early->at, early->to, PTR_ERR_OR_ZERO(*file));
	migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_END, early->at,
			 early->to, PTR_ERR_OR_ZERO(*file), 0);
	return true;
}

static void run(struct migmux_member *m)
{
	struct migmux_early *early = &m->early, unbegun = { };
	struct migmux_set *set = m->set;
	struct file *file = NULL;
	struct migmux_self self;
	bool begun = false;

	if (migmux_hook_enter(m->hook)) {
		migmux_identity_assume(&early->id, &self);
		begun = change(m, &file);
		migmux_identity_leave(&self);
		migmux_hook_leave(m->hook);
	}

	spin_lock(&set->lock);
	early->end_ns = ktime_get_ns();
	early->since_ns = early->end_ns;
	early->state = MIGMUX_EARLY_DONE;
	m->counters.early_starts += begun;
	if (begun && IS_ERR(file)) {
		early->error = PTR_ERR(file);
		m->faulty = true;
		m->counters.errors++;
	} else if (begun) {
		early->file = file;
		early->at = early->to;
	} else if (early->at == early->shown) {
		unbegun = *early;
		*early = (struct migmux_early) { };
	} else {
		early->to = early->at;
	}
	slot_put_locked(set);
	queue_delayed_work(migmux_compat_unbound_wq, &set->tick,
			   msecs_to_jiffies(set->config.claim_timeout_ms));
	spin_unlock(&set->lock);
	wake_up_all(&set->wq);
	migmux_early_release(&unbegun);
}

enum outcome { TAKEN_BACK, DROPPED, KEPT };

/*
 * Where there is nothing to take back the device stays where it is, and the VMM's next
 * call starts from there. Where there is no way back, or the driver does not take it, the
 * result is kept for the VMM.
 */
static enum outcome go_back(struct migmux_member *m)
{
	const struct migmux_early *early = &m->early;
	const u32 to = migmux_policy_back(early->shown, early->to);
	enum vfio_device_mig_state state;
	struct file *file;

	if (early->error)
		return DROPPED;
	/* a reset was there before us */
	if (migmux_hook_get_state(m->hook, &state) || state != early->to)
		return DROPPED;
	if (to == MIGMUX_POLICY_NO_WAY)
		return KEPT;
	file = migmux_hook_set_state(m->hook, to);
	if (!IS_ERR_OR_NULL(file))
		fput(file);
	if (!IS_ERR(file))
		return TAKEN_BACK;
	if (migmux_hook_get_state(m->hook, &state) || state != early->to)
		return DROPPED;
	return KEPT;
}

/*
 * In a worker, or by whoever made the state BACK. If it is the @last word nothing waits
 * for the VMM in the set, whose calls then do not come by here any more.
 */
static void back(struct migmux_member *m, bool last)
{
	enum outcome outcome = DROPPED;
	struct migmux_early early = { };
	struct migmux_set *set = m->set;
	struct migmux_self self;

	if (migmux_hook_enter(m->hook)) {
		migmux_identity_assume(&m->early.id, &self);
		outcome = go_back(m);
		migmux_identity_leave(&self);
		migmux_hook_leave(m->hook);
	}
	if (outcome != KEPT)
		migmux_set_event(m, outcome == TAKEN_BACK ?
				 VFIO_MIGMUX_SET_EVENT_TYPE_TAKE_BACK :
				 VFIO_MIGMUX_SET_EVENT_TYPE_DROP,
				 m->early.to, m->early.shown, m->early.error, 0);
	spin_lock(&set->lock);
	m->early.state = MIGMUX_EARLY_DONE;
	m->early.kept = true;
	m->counters.take_backs += outcome == TAKEN_BACK;
	if (outcome != KEPT || last || m->leaving)
		migmux_early_take_locked(m, &early);
	/* before anybody can ask for it; the device has its hook as long as we are here */
	if (outcome == KEPT && early.file)
		early.file = migmux_hook_leave_file(m->hook, early.to, early.file);
	spin_unlock(&set->lock);
	wake_up_all(&set->wq);
	migmux_early_release(&early);
}

/**
 * migmux_early_work() - run what was queued, or take it back
 * @work: &migmux_member.work
 */
void migmux_early_work(struct work_struct *work)
{
	struct migmux_member *m = container_of(work, struct migmux_member, work);

	if (m->early.state == MIGMUX_EARLY_RUNNING)
		run(m);
	else
		back(m, false);
	migmux_member_put(m);
}

/**
 * migmux_early_await_locked() - a call of the VMM waits for a member at P2P
 * @m: the member
 *
 * What it was started to do is not taken back meanwhile, however long others take.
 *
 * Context: the set's lock is held.
 */
void migmux_early_await_locked(struct migmux_member *m)
{
	lockdep_assert_held(&m->set->lock);
	m->awaited++;
}

/**
 * migmux_early_awaited() - undo migmux_early_await_locked()
 * @m: the member
 *
 * From now on the VMM has as long as ever to ask for it.
 *
 * Context: any but irq.
 */
void migmux_early_awaited(struct migmux_member *m)
{
	struct migmux_set *set = m->set;

	spin_lock(&set->lock);
	if (!--m->awaited && m->early.state == MIGMUX_EARLY_DONE) {
		m->early.since_ns = ktime_get_ns();
		/* of a set that is deleted all are leaving, before it is cancelled */
		if (!m->leaving)
			queue_delayed_work(migmux_compat_unbound_wq, &set->tick,
					   msecs_to_jiffies(set->config.claim_timeout_ms));
	}
	spin_unlock(&set->lock);
}

/**
 * migmux_early_tick() - take back what the VMM did not ask for in time
 * @work: &migmux_set.tick
 *
 * What fails goes with its error: the VMM's next call finds out by itself.
 */
void migmux_early_tick(struct work_struct *work)
{
	struct migmux_set *set = container_of(to_delayed_work(work),
					      struct migmux_set, tick);
	const u64 now = ktime_get_ns();
	u64 due, next = U64_MAX;
	struct migmux_member *m;

	spin_lock(&set->lock);
	migmux_set_for_each(set, m) {
		if (m->early.state != MIGMUX_EARLY_DONE || m->early.kept || m->awaited)
			continue;
		due = m->early.since_ns + set->config.claim_timeout_ms * NSEC_PER_MSEC;
		if (due > now) {
			next = min(next, due - now);
			continue;
		}
		m->early.state = MIGMUX_EARLY_BACK;
		migmux_member_get(m);		/* the work puts it */
		queue_work(migmux_wq, &m->work);
	}
	if (next != U64_MAX)
		queue_delayed_work(migmux_compat_unbound_wq, &set->tick,
				   nsecs_to_jiffies(next) + 1);
	spin_unlock(&set->lock);
}

static bool idle(struct migmux_member *m)
{
	bool busy;

	spin_lock(&m->set->lock);
	busy = migmux_early_busy_locked(m);
	spin_unlock(&m->set->lock);
	return !busy;
}

/**
 * migmux_early_settle() - end what was started early for a member
 * @m: a member that is leaving or held by a session, so that nothing new begins
 *
 * Context: sleeps as long as drivers take.
 */
void migmux_early_settle(struct migmux_member *m)
{
	struct migmux_early early = { };
	struct migmux_set *set = m->set;
	bool result;

	spin_lock(&set->lock);
	while (migmux_early_busy_locked(m)) {
		spin_unlock(&set->lock);
		wait_event(set->wq, idle(m));
		spin_lock(&set->lock);
	}
	result = m->early.state == MIGMUX_EARLY_DONE ||
		 (m->early.state == MIGMUX_EARLY_QUEUED &&
		  m->early.at != m->early.shown);
	if (result) {
		if (m->early.state == MIGMUX_EARLY_QUEUED)
			m->early.to = m->early.at;
		m->early.state = MIGMUX_EARLY_BACK;
	} else {
		migmux_early_take_locked(m, &early);
	}
	spin_unlock(&set->lock);
	if (result)
		back(m, true);
	else
		wake_up_all(&set->wq);	/* who waited for what was queued */
	migmux_early_release(&early);
}
