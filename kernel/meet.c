// SPDX-License-Identifier: GPL-2.0-only
/*
 * The barrier at P2P, for VMMs that take one device after another from RUNNING to
 * STOP, or back: nobody goes beyond P2P before all have met there.
 *
 * Such a VMM may not have moved the other devices yet. So those count that the
 * calling process has open now; their files are held until all have met. As long as one
 * waits for them, they are not taken back: that they are at P2P is what it waits for.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "follow.h"
#include "hook.h"
#include "policy.h"
#include "set.h"

/**
 * struct party - who must meet
 * @side: which way they cross
 * @policy: of the set
 * @nr: elements of @guests
 * @guests: all members but the caller's own that it has open, each with references
 *	to the member, its device and its VFIO file
 */
struct party {
	enum migmux_policy_side side;
	u32 policy;
	u32 nr;
	struct guest {
		struct migmux_member *m;
		struct migmux_hook *hook;
		struct file *file;
		u32 state;
	} guests[MIGMUX_MAX_DEVICES];
};

static void guest_put(struct guest *g)
{
	migmux_early_awaited(g->m);
	if (g->file)
		fput(g->file);
	migmux_hook_put(g->hook);
	migmux_member_put(g->m);
}

static void uninvite(struct party *party)
{
	while (party->nr)
		guest_put(&party->guests[--party->nr]);
}

static void list_members(struct party *party, struct migmux_member *m)
{
	struct migmux_member *sib;
	struct guest *g;

	spin_lock(&m->set->lock);
	migmux_set_for_each(m->set, sib) {
		if (sib == m || !sib->hook || sib->leaving || sib->faulty ||
		    party->nr == ARRAY_SIZE(party->guests))
			continue;
		g = &party->guests[party->nr++];
		migmux_member_get(sib);
		migmux_hook_get(sib->hook);
		migmux_early_await_locked(sib);
		*g = (struct guest) { .m = sib, .hook = sib->hook };
	}
	spin_unlock(&m->set->lock);
}

static bool none_goes_back(const struct party *party, struct migmux_set *set)
{
	bool none = true;
	u32 i;

	spin_lock(&set->lock);
	for (i = 0; i < party->nr; i++)
		none &= party->guests[i].m->early.state != MIGMUX_EARLY_BACK;
	spin_unlock(&set->lock);
	return none;
}

/* Who is here, and where? Not before those have arrived that are being taken back. */
static int invite(struct party *party, struct migmux_member *m)
{
	enum vfio_device_mig_state state;
	u32 i, n = 0;

	list_members(party, m);
	if (wait_event_killable(m->set->wq, none_goes_back(party, m->set)))
		return -EINTR;
	for (i = 0; i < party->nr; i++) {
		struct guest g = party->guests[i];

		g.file = migmux_hook_find_file(g.hook);
		if (!g.file || migmux_hook_get_state(g.hook, &state)) {
			guest_put(&g);
			continue;
		}
		g.state = state;
		party->guests[n++] = g;
	}
	party->nr = n;
	return 0;
}

static bool can_start_locked(const struct guest *g, u32 to)
	__must_hold(&g->m->set->lock)
{
	const struct migmux_member *m = g->m;

	lockdep_assert_held(&m->set->lock);
	if (m->hook != g->hook || m->leaving || m->faulty || m->calls)
		return false;
	if (m->early.state != MIGMUX_EARLY_NONE &&
	    (m->early.state != MIGMUX_EARLY_DONE || m->early.error ||
	     m->early.file || m->early.at != g->state))
		return false;
	if (m->driver && m->driver != task_tgid(current))
		return false;
	return migmux_hook_can_follow(m->hook, g->state, to);
}

static void call_all(struct party *party, struct migmux_set *set)
{
	struct guest *g;
	u32 to;

	spin_lock(&set->lock);
	for (g = party->guests; g < party->guests + party->nr; g++) {
		to = migmux_policy_meet(g->state, party->side, party->policy);
		if (to != g->state && can_start_locked(g, to))
			migmux_early_start_locked(g->m, g->state, to);
	}
	spin_unlock(&set->lock);
}

/* The others need not wait for the VMM's call to go beyond, if the policy says so. */
static void send_all(struct party *party, struct migmux_set *set, u32 target)
{
	struct guest *g;
	u32 to;

	spin_lock(&set->lock);
	for (g = party->guests; g < party->guests + party->nr; g++) {
		if (g->m->early.state != MIGMUX_EARLY_DONE)
			continue;
		g->state = g->m->early.at;
		to = migmux_policy_beyond(g->state, target, party->policy);
		if (to != g->state && can_start_locked(g, to))
			migmux_early_start_locked(g->m, g->state, to);
	}
	spin_unlock(&set->lock);
}

/* The caller's own device. */
static int come(struct migmux_member *m, struct migmux_hook *hook,
		enum vfio_device_mig_state *from, u32 meet)
{
	struct file *file;
	int err;

	if (*from == meet)
		return 0;
	err = migmux_slot_get(m->set);
	if (err)
		return err;
	file = hook->orig->migration_set_state(hook->vdev, meet);
	err = PTR_ERR_OR_ZERO(file);
	migmux_timeline_end(m, *from, meet, err);
	migmux_slot_put(m->set);
	if (err)
		return err;
	if (file)
		fput(file);
	*from = meet;
	return 0;
}

/* Returns 1 when nobody is on the way any more, 0 before, or a device's error. */
static int have_met(const struct party *party, struct migmux_set *set)
{
	const struct guest *g;
	int ret = 1;

	spin_lock(&set->lock);
	for (g = party->guests; g < party->guests + party->nr; g++) {
		const struct migmux_member *m = g->m;

		if (migmux_early_busy_locked(m) ||
		    m->early.state == MIGMUX_EARLY_QUEUED ||
		    m->calls > m->met) {
			ret = 0;
			break;
		}
		if (m->early.state == MIGMUX_EARLY_DONE && m->early.error)
			ret = m->early.error;
	}
	spin_unlock(&set->lock);
	return ret;
}

static bool is_over(const struct party *party, struct migmux_set *set, int *ret)
{
	*ret = have_met(party, set);
	return *ret;
}

static int meet_there(struct party *party, struct migmux_member *m,
		      struct migmux_hook *hook, enum vfio_device_mig_state *from,
		      u32 meet, u32 target, bool *met)
{
	struct migmux_set *set = m->set;
	int err;

	/* before the others: the timeline is this process's */
	if (*from != meet)
		migmux_timeline_start(m, *from, meet);
	call_all(party, set);
	err = come(m, hook, from, meet);
	if (err)
		return err;
	spin_lock(&set->lock);
	m->met++;
	*met = true;
	spin_unlock(&set->lock);
	wake_up_all(&set->wq);
	if (wait_event_killable(set->wq, is_over(party, set, &err)))
		return -EINTR;
	if (err < 0)
		return err;
	send_all(party, set, target);
	return 0;
}

/**
 * migmux_meet() - wait until all members are in P2P
 * @m: the member that the VMM moves
 * @hook: its device; the caller is inside it
 * @from: where the device is; updated
 * @target: where the VMM wants it
 * @met: set if @m's count of calls that have met includes this one now
 *
 * Nothing happens if the change does not cross P2P, or the device has none.
 *
 * Context: the VMM's ioctl. Sleeps as long as the drivers take.
 * Return: 0; the error of a device that does not get to P2P: the caller's own is then
 * left there; -EINTR if the VMM is being killed; -ENOMEM.
 */
int migmux_meet(struct migmux_member *m, struct migmux_hook *hook,
		enum vfio_device_mig_state *from, u32 target, bool *met)
{
	const enum migmux_policy_side side = migmux_policy_side(*from, target);
	struct party *party;
	u32 meet;
	int err;

	if (side == MIGMUX_POLICY_STAYS ||
	    !(hook->vdev->migration_flags & VFIO_MIGRATION_P2P))
		return 0;
	party = kzalloc(sizeof(*party), GFP_KERNEL_ACCOUNT);
	if (!party)
		return -ENOMEM;
	party->side = side;
	spin_lock(&m->set->lock);
	party->policy = m->set->config.policy;
	spin_unlock(&m->set->lock);
	/* the VMM asks it for its own device */
	meet = migmux_policy_meet(*from, side, VFIO_MIGMUX_SET_POLICY_RESUME);
	err = invite(party, m) ?: meet_there(party, m, hook, from, meet, target, met);
	uninvite(party);
	kfree(party);
	return err;
}
