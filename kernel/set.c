// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets: which there are, and how they come and go.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "follow.h"
#include "hook.h"
#include "netlink.h"
#include "set.h"
#include "trace.h"

/* protects @sets and @last_serial, who is in sets, and which devices they have */
DEFINE_MUTEX(migmux_set_lock);
static LIST_HEAD(sets);
/* of the last set */
static unsigned long last_serial;

static void release(struct kref *ref)
{
	struct migmux_set *set = container_of(ref, struct migmux_set, ref);

	trace_migmux_object_destroy("set", set);
	put_pid(set->owner);
	kfree(set);
}

/**
 * migmux_set_put() - drop a reference
 * @set: the set
 *
 * Context: any.
 */
void migmux_set_put(struct migmux_set *set)
{
	kref_put(&set->ref, release);
}

/**
 * migmux_set_create() - make an empty set
 * @name: not in use
 * @owner: process of an automatic set, or NULL
 * @config: what it does
 *
 * Context: migmux_set_lock is held; sleeps.
 * Return: the set, which is in the list of sets, or NULL without memory.
 */
struct migmux_set *migmux_set_create(const char *name, struct pid *owner,
				     const struct migmux_set_config *config)
{
	struct migmux_set *set;

	lockdep_assert_held(&migmux_set_lock);
	set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	if (!set)
		return NULL;
	kref_init(&set->ref);
	strscpy(set->name, name, sizeof(set->name));
	set->owner = get_pid(owner);
	spin_lock_init(&set->lock);
	set->config = *config;
	INIT_LIST_HEAD(&set->members);
	init_waitqueue_head(&set->wq);
	INIT_DELAYED_WORK(&set->tick, migmux_early_tick);
	mutex_init(&set->timeline_lock);
	set->serial = ++last_serial;
	list_add_tail(&set->node, &sets);
	trace_migmux_object_create("set", set);
	return set;
}

/**
 * migmux_set_find() - find a set by its name
 * @name: its name
 *
 * Context: migmux_set_lock is held, and keeps it.
 * Return: the set or NULL.
 */
struct migmux_set *migmux_set_find(const char *name)
{
	struct migmux_set *set;

	lockdep_assert_held(&migmux_set_lock);
	list_for_each_entry(set, &sets, node)
		if (!strcmp(set->name, name))
			return set;
	return NULL;
}

/**
 * migmux_set_find_owner() - find the automatic set of a process
 * @owner: the process; NULL finds any automatic set
 *
 * Context: migmux_set_lock is held, and keeps it.
 * Return: the set or NULL.
 */
struct migmux_set *migmux_set_find_owner(const struct pid *owner)
{
	struct migmux_set *set;

	lockdep_assert_held(&migmux_set_lock);
	list_for_each_entry(set, &sets, node)
		if (set->owner && (!owner || set->owner == owner))
			return set;
	return NULL;
}

/**
 * migmux_set_find_waiting() - find a member that has no device yet
 * @handle: of the device
 *
 * Context: migmux_set_lock is held, and keeps it.
 * Return: the member or NULL.
 */
struct migmux_member *migmux_set_find_waiting(const char *handle)
{
	struct migmux_member *m;
	struct migmux_set *set;

	lockdep_assert_held(&migmux_set_lock);
	list_for_each_entry(set, &sets, node) {
		m = migmux_member_find(set, handle);
		if (m && !m->hook)
			return m;
	}
	return NULL;
}

/**
 * migmux_set_configure() - change what a set does, from the next call of a VMM on
 * @set: the set
 * @config: all of it
 *
 * Context: migmux_set_lock is held.
 */
void migmux_set_configure(struct migmux_set *set,
			  const struct migmux_set_config *config)
{
	lockdep_assert_held(&migmux_set_lock);
	spin_lock(&set->lock);
	set->config = *config;
	spin_unlock(&set->lock);
	migmux_slot_check(set);
	/* the claim timeout may be shorter now */
	mod_delayed_work(migmux_compat_unbound_wq, &set->tick, 0);
}

/* The first member that is still there, with a reference. */
static struct migmux_member *first_member(struct migmux_set *set)
{
	struct migmux_member *m;

	spin_lock(&set->lock);
	m = list_first_entry_or_null(&set->members, struct migmux_member, node);
	if (m)
		migmux_member_get(m);
	spin_unlock(&set->lock);
	return m;
}

/**
 * migmux_set_delete() - forget a set
 * @set: in the list of sets; the list's reference goes
 *
 * Its name is free at once; its devices are when this returns. All members begin
 * to take back what was started early before the first is waited for.
 *
 * Context: migmux_set_lock is held, and dropped meanwhile. Sleeps as long as
 * drivers take.
 */
void migmux_set_delete(struct migmux_set *set)
	__must_hold(&migmux_set_lock)
{
	struct migmux_member *m;

	lockdep_assert_held(&migmux_set_lock);
	list_del_init(&set->node);
	set->dying = true;
	spin_lock(&set->lock);
	migmux_set_for_each(set, m)
		m->leaving = true;
	set->config.claim_timeout_ms = 0;
	spin_unlock(&set->lock);

	mod_delayed_work(migmux_compat_unbound_wq, &set->tick, 0);
	while ((m = first_member(set))) {
		migmux_member_leave(m);
		migmux_member_drop(m);
		migmux_member_put(m);
	}
	mutex_unlock(&migmux_set_lock);
	/* no member is left whose work could queue it again */
	cancel_delayed_work_sync(&set->tick);
	migmux_timeline_close(set);
	migmux_set_put(set);
	mutex_lock(&migmux_set_lock);
}

static void member_info(const struct migmux_member *m, struct migmux_member_info *info)
	__must_hold(&m->set->lock)
{
	lockdep_assert_held(&m->set->lock);
	strscpy(info->name, m->name, sizeof(info->name));
	info->present = m->hook;
	info->driven = m->driver;
	info->pending = m->early.state != MIGMUX_EARLY_NONE;
	info->counters = m->counters;
}

/**
 * migmux_set_info() - look at a set
 * @set: the set
 *
 * Context: migmux_set_lock is held; sleeps.
 * Return: a consistent copy of it, to be freed with kvfree(), or NULL without memory.
 */
struct migmux_set_info *migmux_set_info(struct migmux_set *set)
{
	struct migmux_set_info *info;
	struct migmux_member *m;
	u32 n = 0;

	lockdep_assert_held(&migmux_set_lock);
	info = kvzalloc(struct_size(info, members, set->nr_members), GFP_KERNEL);
	if (!info)
		return NULL;
	info->nr_members = set->nr_members;
	strscpy(info->name, set->name, sizeof(info->name));
	info->automatic = set->owner;
	info->gone = set->dying;
	info->timeline = migmux_timeline_id(set);
	spin_lock(&set->lock);
	info->config = set->config;
	info->pid = pid_nr(set->owner);
	migmux_set_for_each(set, m) {
		if (m->driver)
			info->pid = pid_nr(m->driver);
		member_info(m, &info->members[n++]);
	}
	spin_unlock(&set->lock);
	return info;
}

/**
 * migmux_set_info_next() - look at the next set
 * @serial: of the one before, 0 for the first; becomes the one's that is found
 * @info: gets a copy as migmux_set_info() makes it
 *
 * Context: migmux_set_lock is held; sleeps.
 * Return: 0, -ENOENT when there is no other, -ENOMEM.
 */
int migmux_set_info_next(unsigned long *serial, struct migmux_set_info **info)
{
	struct migmux_set *set;

	lockdep_assert_held(&migmux_set_lock);
	list_for_each_entry(set, &sets, node) {
		if (set->serial > *serial) {
			*serial = set->serial;
			*info = migmux_set_info(set);
			return *info ? 0 : -ENOMEM;
		}
	}
	return -ENOENT;
}

/**
 * migmux_set_exit() - forget all sets
 *
 * After migmux_netlink_exit() and migmux_hook_exit(): nobody makes new ones.
 *
 * Context: sleeps.
 */
void migmux_set_exit(void)
{
	mutex_lock(&migmux_set_lock);
	while (!list_empty(&sets))
		migmux_set_delete(list_first_entry(&sets, struct migmux_set, node));
	mutex_unlock(&migmux_set_lock);
}
