// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automatic sets: one for each process that moves devices which are in no set of
 * an operator.
 */
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include "hook.h"
#include "netlink.h"
#include "set.h"

/* what new sets do; migmux_set_lock */
static struct migmux_set_config config = {
	.policy = MIGMUX_SET_DEFAULT_POLICY,
	.claim_timeout_ms = MIGMUX_SET_DEFAULT_TIMEOUT_MS,
};

/* changed under migmux_set_lock; a call that reads it late is no harm */
static bool enabled;

/**
 * migmux_auto_get() - are there automatic sets?
 * @to: gets what they do
 *
 * Context: sleeps.
 */
bool migmux_auto_get(struct migmux_set_config *to)
{
	bool on;

	mutex_lock(&migmux_set_lock);
	*to = config;
	on = enabled;
	mutex_unlock(&migmux_set_lock);
	return on;
}

/**
 * migmux_auto_set() - switch automatic sets on or off
 * @on: which
 * @to: what new ones do
 *
 * When they are switched off, those that there are go.
 *
 * Context: sleeps as long as drivers take.
 */
void migmux_auto_set(bool on, const struct migmux_set_config *to)
{
	struct migmux_set *set;

	mutex_lock(&migmux_set_lock);
	config = *to;
	WRITE_ONCE(enabled, on);
	while (!on && (set = migmux_set_find_owner(NULL))) {
		migmux_netlink_set_ntf(set, true);
		migmux_set_delete(set);
	}
	/* meanwhile somebody may have decided otherwise */
	migmux_hook_all(enabled);
	mutex_unlock(&migmux_set_lock);
}

static struct migmux_set *find_or_create(struct pid *owner)
{
	char name[VFIO_MIGMUX_NAME_MAX + 1];
	struct migmux_set *set;

	set = migmux_set_find_owner(owner);
	if (set)
		return set;
	snprintf(name, sizeof(name), "auto-%d", pid_nr(owner));
	/* an operator may have a set of that name */
	if (migmux_set_find(name))
		return NULL;
	return migmux_set_create(name, owner, &config);
}

/* A member without a device is none. */
static void forget(struct migmux_set *set, const char *name)
	__must_hold(&migmux_set_lock)
{
	struct migmux_member *m = migmux_member_find(set, name);

	lockdep_assert_held(&migmux_set_lock);
	if (m && !m->hook)
		migmux_member_drop(m);
}

/**
 * migmux_auto_join() - the current process moves a device that is in no set
 * @hook: the device; the caller is inside it
 *
 * Context: the VMM's ioctl; sleeps.
 * Return: its member in the process's set, with a reference, or NULL.
 */
struct migmux_member *migmux_auto_join(struct migmux_hook *hook)
{
	struct migmux_member *m = NULL;
	struct migmux_set *set = NULL;

	if (!READ_ONCE(enabled))
		return NULL;
	mutex_lock(&migmux_set_lock);
	if (enabled && (config.allow_no_p2p ||
			hook->vdev->migration_flags & VFIO_MIGRATION_P2P))
		set = find_or_create(task_tgid(current));
	if (set && !migmux_member_add(set, hook->name, NULL))
		m = migmux_hook_member(hook);
	/* the device is being unregistered, and nothing will tell its member that it closes */
	if (set && !m)
		forget(set, hook->name);
	if (set && list_empty(&set->members))
		migmux_set_delete(set);
	else if (set)
		migmux_netlink_set_ntf(set, false);
	mutex_unlock(&migmux_set_lock);
	return m;
}

/**
 * migmux_auto_leave() - a member of an automatic set goes, and maybe the set
 * @m: the member; the caller holds a reference
 *
 * Nothing happens if its set is an operator's.
 *
 * Context: no lock of ours is held. Sleeps as long as the driver takes.
 */
void migmux_auto_leave(struct migmux_member *m)
{
	struct migmux_set *set = m->set;

	if (!set->owner)
		return;
	mutex_lock(&migmux_set_lock);
	migmux_member_leave(m);
	migmux_member_drop(m);
	if (list_empty(&set->members) && !set->dying) {
		migmux_netlink_set_ntf(set, true);
		migmux_set_delete(set);
	}
	mutex_unlock(&migmux_set_lock);
}
