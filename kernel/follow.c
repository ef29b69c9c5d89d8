// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's calls for a device that is in a set. Each call returns when its own
 * device has arrived, with its own file or error; on the way it may start the
 * same change for the others.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "follow.h"
#include "hook.h"
#include "policy.h"
#include "set.h"

static bool idle(struct migmux_member *m)
{
	bool busy;

	spin_lock(&m->set->lock);
	busy = migmux_early_busy_locked(m);
	spin_unlock(&m->set->lock);
	return !busy;
}

/*
 * From here on nothing is started early for @m. Returns 1 if there is something in
 * @early for the VMM, 0 if not, -EINTR if the VMM is being killed.
 */
static int begin(struct migmux_member *m, struct migmux_early *early)
{
	struct migmux_set *set = m->set;
	bool result;

	spin_lock(&set->lock);
	while (migmux_early_busy_locked(m)) {
		spin_unlock(&set->lock);
		if (wait_event_killable(set->wq, idle(m)))
			return -EINTR;
		spin_lock(&set->lock);
	}
	result = migmux_early_take_locked(m, early);
	m->calls++;
	spin_unlock(&set->lock);
	if (!result)
		migmux_early_release(early);
	return result;
}

static void end(struct migmux_member *m, bool moved, u32 state, bool met)
{
	struct migmux_set *set = m->set;
	struct pid *old = NULL;

	spin_lock(&set->lock);
	m->calls--;
	m->met -= met;
	m->faulty = !moved;
	m->seen = state;
	if (m->driver != task_tgid(current)) {
		old = m->driver;
		m->driver = get_pid(task_tgid(current));
	}
	spin_unlock(&set->lock);
	wake_up_all(&set->wq);
	put_pid(old);
}

static bool is_there(struct migmux_hook *hook, u32 state)
{
	enum vfio_device_mig_state now;

	return !hook->orig->migration_get_state(hook->vdev, &now) && now == state;
}

/* Does a way from @shown to @target lead over @to, where all of the set meet? */
static bool on_the_way(u32 shown, u32 to, u32 target)
{
	return to != shown &&
	       migmux_policy_meet(shown, migmux_policy_side(shown, target),
				  VFIO_MIGMUX_SET_POLICY_RESUME) == to;
}

/* The VMM asks for what was done already: how long did it not have to wait? */
static u64 count_claim(struct migmux_member *m, const struct migmux_early *early,
		       u64 waited_ns)
{
	u64 took = early->end_ns - early->start_ns;
	u64 saved = took > waited_ns ? took - waited_ns : 0;

	spin_lock(&m->set->lock);
	m->counters.claims++;
	m->counters.saved_ns += saved;
	spin_unlock(&m->set->lock);
	return saved;
}

/*
 * What the VMM's call is to what was done early:
 * CLAIMED: the same; its result is the call's.
 * ON_THE_WAY: the device is where it would come by.
 * ASIDE: something else. The VMM does not know where the device is, so its call says
 * nothing about the others.
 * LOST: nothing was done, or a reset has undone it.
 */
enum verdict { CLAIMED, ON_THE_WAY, ASIDE, LOST };

static enum verdict judge(struct migmux_hook *hook, const struct migmux_early *early,
			  u32 target)
{
	if (early->error)
		return early->to == target ? CLAIMED : LOST;
	if (!is_there(hook, early->to))
		return LOST;
	if (early->to == target)
		return CLAIMED;
	return on_the_way(early->shown, early->to, target) ? ON_THE_WAY : ASIDE;
}

static enum verdict claim(struct migmux_member *m, struct migmux_hook *hook,
			  struct migmux_early *early, u32 target, u64 waited_ns,
			  struct file **file)
{
	const enum verdict verdict = judge(hook, early, target);
	u64 saved = 0;

	if (verdict == ASIDE || verdict == LOST) {
		migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_DROP, early->shown,
				 early->to, early->error, 0);
		return verdict;
	}
	if (!early->error)
		saved = count_claim(m, early, waited_ns);
	migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM, early->shown,
			 early->to, early->error, saved);
	if (verdict == CLAIMED) {
		*file = early->error ? ERR_PTR(early->error) : early->file;
		early->file = NULL;
	}
	return verdict;
}

/*
 * May @sib follow a change that the current process makes from @from to @to? Where
 * it really is, a worker finds out.
 */
static bool follows_locked(const struct migmux_member *sib, u32 from, u32 to)
	__must_hold(&sib->set->lock)
{
	lockdep_assert_held(&sib->set->lock);
	return sib->hook && !sib->leaving && !sib->faulty && !sib->calls &&
	       sib->early.state == MIGMUX_EARLY_NONE &&
	       sib->driver == task_tgid(current) && sib->seen == from &&
	       migmux_hook_can_follow(sib->hook, from, to);
}

static void lead(struct migmux_member *m, u32 from, u32 to)
{
	struct migmux_set *set = m->set;
	struct migmux_member *sib;

	spin_lock(&set->lock);
	migmux_set_for_each(set, sib)
		if (sib != m && follows_locked(sib, from, to))
			migmux_early_start_locked(sib, from, to);
	spin_unlock(&set->lock);
}

/* The policy, unless there is nobody to follow. */
static bool has_siblings(struct migmux_set *set, u32 *policy)
{
	bool several;

	spin_lock(&set->lock);
	several = set->nr_present > 1;
	*policy = set->config.policy;
	spin_unlock(&set->lock);
	return several;
}

static struct file *change(struct migmux_member *m, struct migmux_hook *hook,
			   u32 from, enum vfio_device_mig_state target, u32 policy)
{
	struct file *file;
	int err;

	err = migmux_slot_get(m->set);
	if (err)
		return ERR_PTR(err);
	migmux_timeline_start(m, from, target);
	if (policy & migmux_policy_step(from, target))
		lead(m, from, target);
	file = hook->orig->migration_set_state(hook->vdev, target);
	migmux_timeline_end(m, from, target, PTR_ERR_OR_ZERO(file));
	migmux_slot_put(m->set);
	return file;
}

/*
 * The VMM's own call, with the others beside it unless it is @alone. @met is set if it
 * was counted as one that has met them.
 */
static struct file *move(struct migmux_member *m, struct migmux_hook *hook,
			 enum vfio_device_mig_state target, bool alone, bool *met)
{
	enum vfio_device_mig_state from;
	struct file *file;
	u32 policy;
	int err;

	if (!has_siblings(m->set, &policy))
		return hook->orig->migration_set_state(hook->vdev, target);
	err = hook->orig->migration_get_state(hook->vdev, &from);
	if (err)
		return ERR_PTR(err);
	if (alone)
		policy = 0;
	migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_CALL, from, target, 0, 0);
	if (policy & VFIO_MIGMUX_SET_POLICY_BARRIER)
		err = migmux_meet(m, hook, &from, target, met);
	file = err ? ERR_PTR(err) : change(m, hook, from, target, policy);
	migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_RETURN, from, target,
			 PTR_ERR_OR_ZERO(file), 0);
	return file;
}

/**
 * migmux_follow_call() - a VMM asks for a state of a member
 * @m: the member; the caller holds a reference
 * @hook: its device; the caller is inside it
 * @target: the state
 *
 * Context: the VMM's ioctl. Sleeps as long as the drivers take.
 * Return: as &vfio_migration_ops.migration_set_state; ERR_PTR(-EINTR) if the VMM is
 * being killed.
 */
struct file *migmux_follow_call(struct migmux_member *m, struct migmux_hook *hook,
				enum vfio_device_mig_state target)
{
	const u64 start_ns = ktime_get_ns();
	enum verdict verdict = LOST;
	struct file *file = NULL;
	struct migmux_early early;
	bool met = false;
	int ret;

	ret = begin(m, &early);
	if (ret < 0)
		return ERR_PTR(ret);
	if (ret) {
		verdict = claim(m, hook, &early, target,
				ktime_get_ns() - start_ns, &file);
		migmux_early_release(&early);
	} else {
		file = migmux_hook_take_file(hook, target);
	}
	if (verdict != CLAIMED && !file)
		file = move(m, hook, target, verdict == ASIDE, &met);
	end(m, !IS_ERR(file), target, met);
	return file;
}

/**
 * migmux_follow_get_state() - a VMM asks for the state of a member
 * @m: the member
 * @hook: its device; the caller is inside it
 * @state: is filled with what the VMM knows: not with what was done early
 *
 * Context: sleeps; may wait for the driver.
 * Return: as &vfio_migration_ops.migration_get_state.
 */
int migmux_follow_get_state(struct migmux_member *m, struct migmux_hook *hook,
			    enum vfio_device_mig_state *state)
{
	struct migmux_early early;
	int err;

	spin_lock(&m->set->lock);
	early = m->early;
	if (migmux_early_busy_locked(m)) {
		spin_unlock(&m->set->lock);
		*state = early.shown;
		return 0;
	}
	spin_unlock(&m->set->lock);
	err = hook->orig->migration_get_state(hook->vdev, state);
	/* only what was done early is hidden, not what came after it */
	if (!err && early.state == MIGMUX_EARLY_DONE && *state == early.at)
		*state = early.shown;
	return err;
}

/**
 * migmux_follow_close() - the last user of a member's device is closing it
 * @m: the member
 *
 * Context: the driver's close_device; sleeps as long as a worker is in the driver.
 */
void migmux_follow_close(struct migmux_member *m)
{
	struct migmux_set *set = m->set;
	struct migmux_early early;
	struct pid *driver;
	bool result;

	spin_lock(&set->lock);
	while (migmux_early_busy_locked(m)) {
		spin_unlock(&set->lock);
		wait_event(set->wq, idle(m));
		spin_lock(&set->lock);
	}
	result = migmux_early_take_locked(m, &early);
	driver = m->driver;
	m->driver = NULL;
	m->faulty = false;
	spin_unlock(&set->lock);
	put_pid(driver);
	if (result)
		migmux_set_event(m, VFIO_MIGMUX_SET_EVENT_TYPE_DROP, early.shown,
				 early.to, early.error, 0);
	migmux_early_release(&early);
}
