// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members of sets. A member is known by its device's handle, and waits for the
 * device if there is none.
 *
 * A device leaves its set in this order:
 * 1. @leaving: nothing is started early any more.
 * 2. What was started early ends, and is taken back (migmux_early_settle()). Until
 *    then the device keeps its hook, so that its last close waits for us.
 * 3. The hook forgets the member. Calls of the VMM that are inside have the member
 *    and the set by reference; they find @hook gone, and nobody to lead.
 */
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "follow.h"
#include "hook.h"
#include "limit.h"
#include "set.h"
#include "trace.h"

static void release(struct kref *ref)
{
	struct migmux_member *m = container_of(ref, struct migmux_member, ref);

	trace_migmux_object_destroy("member", m);
	put_pid(m->driver);
	migmux_set_put(m->set);
	kfree(m);
}

/**
 * migmux_member_get() - take a reference
 * @m: a member that the caller has a reference to, or a lock that keeps it
 */
void migmux_member_get(struct migmux_member *m)
{
	kref_get(&m->ref);
}

/**
 * migmux_member_put() - drop a reference
 * @m: the member
 *
 * Context: any.
 */
void migmux_member_put(struct migmux_member *m)
{
	kref_put(&m->ref, release);
}

/**
 * migmux_member_find() - find a member by its device's handle
 * @set: the set
 * @name: the handle
 *
 * Context: migmux_set_lock is held, and keeps it.
 * Return: the member or NULL.
 */
struct migmux_member *migmux_member_find(struct migmux_set *set, const char *name)
{
	struct migmux_member *m;

	lockdep_assert_held(&migmux_set_lock);
	migmux_set_for_each(set, m)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

static void set_hook(struct migmux_member *m, struct migmux_hook *hook)
	__must_hold(&migmux_set_lock)
{
	struct migmux_set *set = m->set;
	struct pid *driver;

	lockdep_assert_held(&migmux_set_lock);
	spin_lock(&set->lock);
	m->hook = hook;
	set->nr_present += hook ? 1 : -1;
	if (hook)
		m->leaving = false;
	driver = m->driver;
	m->driver = NULL;
	m->faulty = false;
	spin_unlock(&set->lock);
	put_pid(driver);
}

/*
 * The reference to @hook passes to @m if this succeeds. A device alone has nobody to
 * follow, so its VMM pays for no hook. Only when the hooks are in place may something
 * be started early.
 */
static int attach(struct migmux_member *m, struct migmux_hook *hook)
	__must_hold(&migmux_set_lock)
{
	struct migmux_member *sib;
	int err;

	err = migmux_hook_join(hook, m);
	if (err)
		return err;
	migmux_set_for_each(m->set, sib) {
		if (!sib->hook)
			continue;
		migmux_hook_follow(sib->hook);
		migmux_hook_follow(hook);
	}
	set_hook(m, hook);
	return 0;
}

static void detach(struct migmux_member *m)
	__must_hold(&migmux_set_lock)
{
	struct migmux_hook *hook = m->hook;

	lockdep_assert_held(&migmux_set_lock);
	if (!hook)
		return;
	migmux_hook_leave_set(hook);
	set_hook(m, NULL);
	migmux_hook_put(hook);
}

static bool lacks_p2p(struct migmux_hook *hook)
{
	struct migmux_hook_info info;

	if (!hook)
		return false;
	/* asked so because the device may be going right now */
	migmux_hook_info_get(hook, &info);
	return !info.gone && !(info.migration_flags & VFIO_MIGRATION_P2P);
}

/**
 * migmux_member_check_p2p() - may the members be in a set together?
 * @set: the set
 * @hook: device of a member that is to be attached, or NULL
 * @extack: gets the reason of a refusal
 *
 * One device alone talks to nobody.
 *
 * Context: migmux_set_lock is held.
 * Return: 0, or -EOPNOTSUPP if a device lacks P2P and that is not allowed.
 */
int migmux_member_check_p2p(struct migmux_set *set, struct migmux_hook *hook,
			    struct netlink_ext_ack *extack)
{
	const char *culprit = lacks_p2p(hook) ? hook->name : NULL;
	struct migmux_member *m;

	lockdep_assert_held(&migmux_set_lock);
	if (set->config.allow_no_p2p || set->nr_members < 2)
		return 0;
	migmux_set_for_each(set, m)
		if (lacks_p2p(m->hook))
			culprit = m->name;
	if (!culprit)
		return 0;
	NL_SET_ERR_MSG_FMT(extack, "'%.27s' lacks P2P: set allow-no-p2p if it does none",
			   culprit);
	return -EOPNOTSUPP;
}

/* Finds the device of a new member, if there is one. The last step that can fail. */
static int find_device(struct migmux_member *m, struct netlink_ext_ack *extack)
	__must_hold(&migmux_set_lock)
{
	struct migmux_hook *hook = migmux_hook_get_by_name(m->name);
	struct migmux_hook_info info;
	int err;

	if (!hook)
		return 0;
	err = migmux_member_check_p2p(m->set, hook, extack) ?: attach(m, hook);
	if (err == -EBUSY) {
		migmux_hook_info_get(hook, &info);
		NL_SET_ERR_MSG_FMT(extack, "'%.25s' is in set '%.31s': remove it there first",
				   m->name, info.set);
	}
	/* one that goes away right now is no device any more */
	if (err)
		migmux_hook_put(hook);
	return err == -ENODEV ? 0 : err;
}

/* As devlink writes it: bus/name. */
static bool handle_is_good(const char *name)
{
	const char *slash = strchr(name, '/'), *c;

	for (c = name; *c; c++)
		if (!isascii(*c) || !isgraph(*c))
			return false;
	return slash && slash != name && slash[1];
}

/**
 * migmux_member_add() - make a device a member
 * @set: the set
 * @name: the device's handle; there need not be such a device
 * @extack: gets the reason of a refusal
 *
 * Context: migmux_set_lock is held; sleeps.
 * Return: 0, -EINVAL if that is no handle, -EEXIST if it is one already, -EBUSY if it
 * is in another set, -EOPNOTSUPP without P2P, -ENOSPC if the set is full, -ENOMEM.
 */
int migmux_member_add(struct migmux_set *set, const char *name,
		      struct netlink_ext_ack *extack)
{
	const u32 max = migmux_devices_max();
	struct migmux_member *m;
	int err;

	lockdep_assert_held(&migmux_set_lock);
	if (!handle_is_good(name)) {
		NL_SET_ERR_MSG(extack,
			       "a device is named BUS/NAME, as in pci/0000:3b:00.1");
		return -EINVAL;
	}
	if (migmux_member_find(set, name)) {
		NL_SET_ERR_MSG_FMT(extack, "'%.41s' is a member already", name);
		return -EEXIST;
	}
	if (set->nr_members >= max) {
		NL_SET_ERR_MSG_FMT(extack, "a set has at most %u members: see max_devices",
				   max);
		return -ENOSPC;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	kref_init(&m->ref);		/* the list's */
	INIT_WORK(&m->work, migmux_early_work);
	strscpy(m->name, name, sizeof(m->name));
	kref_get(&set->ref);
	m->set = set;
	trace_migmux_object_create("member", m);

	spin_lock(&set->lock);
	list_add_tail(&m->node, &set->members);
	set->nr_members++;
	spin_unlock(&set->lock);
	err = find_device(m, extack);
	if (err)
		migmux_member_drop(m);
	return err;
}

/**
 * migmux_member_leave() - end what a member does early, for good
 * @m: the member; the caller holds a reference
 *
 * A device that comes meanwhile leaves, too.
 *
 * Context: migmux_set_lock is held, and dropped meanwhile. Sleeps as long as drivers take.
 */
void migmux_member_leave(struct migmux_member *m)
	__must_hold(&migmux_set_lock)
{
	lockdep_assert_held(&migmux_set_lock);
	do {
		mutex_unlock(&migmux_set_lock);
		spin_lock(&m->set->lock);
		m->leaving = true;
		spin_unlock(&m->set->lock);
		migmux_early_settle(m);
		mutex_lock(&migmux_set_lock);
	} while (!m->leaving);
}

/**
 * migmux_member_drop() - a member is none any more
 * @m: the member, after migmux_member_leave(); the set's reference goes. Nothing
 *	happens if that was done already
 *
 * Context: migmux_set_lock is held.
 */
void migmux_member_drop(struct migmux_member *m)
{
	struct migmux_set *set = m->set;

	lockdep_assert_held(&migmux_set_lock);
	if (list_empty(&m->node))
		return;
	detach(m);
	spin_lock(&set->lock);
	list_del_init(&m->node);
	set->nr_members--;
	spin_unlock(&set->lock);
	migmux_member_put(m);
}

/**
 * migmux_member_device_new() - a device was registered
 * @hook: the device
 *
 * Context: sleeps.
 */
void migmux_member_device_new(struct migmux_hook *hook)
{
	struct migmux_member *m;

	mutex_lock(&migmux_set_lock);
	m = migmux_set_find_waiting(hook->name);
	if (m && migmux_member_check_p2p(m->set, hook, NULL)) {
		dev_warn(hook->vdev->dev,
			 "vfio_migmux: not in set %s: it, or another one, lacks P2P\n",
			 m->set->name);
	} else if (m) {
		migmux_hook_get(hook);
		if (attach(m, hook))
			migmux_hook_put(hook);
	}
	mutex_unlock(&migmux_set_lock);
}

/**
 * migmux_member_device_gone() - a device is being unregistered
 * @hook: the device
 *
 * When this returns its set is not in its driver any more, and never will be. An
 * operator's waits for such a device again.
 *
 * Context: sleeps as long as the driver takes.
 */
void migmux_member_device_gone(struct migmux_hook *hook)
{
	struct migmux_member *m = migmux_hook_member(hook);

	if (!m)
		return;
	migmux_auto_leave(m);
	mutex_lock(&migmux_set_lock);
	if (m->hook == hook)
		migmux_member_leave(m);
	if (m->hook == hook)
		detach(m);
	mutex_unlock(&migmux_set_lock);
	migmux_member_put(m);
}
