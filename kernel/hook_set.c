// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a set asks of a hook.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/sched.h>

#include "hook.h"
#include "policy.h"
#include "set.h"

/**
 * migmux_hook_member() - a device's place in a set
 * @hook: the device
 *
 * Context: any but irq.
 * Return: the member with a reference, or NULL.
 */
struct migmux_member *migmux_hook_member(struct migmux_hook *hook)
{
	struct migmux_member *m;

	if (!READ_ONCE(hook->member))
		return NULL;
	spin_lock(&hook->lock);
	m = hook->member;
	if (m)
		migmux_member_get(m);
	spin_unlock(&hook->lock);
	return m;
}

/**
 * migmux_hook_can_follow() - may a device's set move it?
 * @hook: the device, which is a member
 * @from: where it should be
 * @to: where it would go
 *
 * Context: any but irq.
 * Return: false if a session holds it, or it lacks P2P that this needs.
 */
bool migmux_hook_can_follow(struct migmux_hook *hook, u32 from, u32 to)
{
	bool held;

	spin_lock(&hook->lock);
	held = hook->owner;
	spin_unlock(&hook->lock);
	return !held && (!migmux_policy_needs_p2p(from, to) ||
			 hook->vdev->migration_flags & VFIO_MIGRATION_P2P);
}

struct search {
	const struct migmux_hook *hook;
	struct file *found;
};

/* The file table keeps the file while we look. */
static int match(const void *arg, struct file *file, unsigned int fd)
{
	struct search *search = (struct search *)arg;

	if (file->f_mapping != search->hook->mapping || !vfio_file_is_valid(file))
		return 0;
	search->found = get_file(file);
	return 1;
}

/**
 * migmux_hook_find_file() - has the current process this device open?
 * @hook: the device
 *
 * Context: sleeps.
 * Return: its VFIO file with a reference, or NULL.
 */
struct file *migmux_hook_find_file(struct migmux_hook *hook)
{
	struct search search = { .hook = hook };

	if (!hook->mapping || !current->files)
		return NULL;
	iterate_fd(current->files, 0, match, &search);
	/* of a device that has gone, another one may have the address of the mapping */
	if (search.found && (READ_ONCE(hook->gone) ||
			     !migmux_hook_file_is_open(search.found))) {
		fput(search.found);
		search.found = NULL;
	}
	return search.found;
}

/**
 * migmux_hook_leave_file() - leave a data file to the VMM's next call
 * @hook: the device
 * @state: the state that the driver gave it for, in which the device is
 * @file: the reference passes to @hook
 *
 * For what a set began and cannot take back: without the file the VMM could not get
 * the device out of that state, for the driver gives one only on the way there.
 *
 * Context: any but irq.
 * Return: a file that was left before, or NULL; the caller puts it.
 */
struct file *migmux_hook_leave_file(struct migmux_hook *hook, u32 state,
				    struct file *file)
{
	struct file *old;

	spin_lock(&hook->lock);
	old = hook->left_file;
	hook->left_file = file;
	hook->left_state = state;
	spin_unlock(&hook->lock);
	return old;
}

/**
 * migmux_hook_take_file() - was a data file left?
 * @hook: the device
 * @state: the state that the VMM asks for; another one gives the file up
 *
 * Context: sleeps; takes the registry's lock.
 * Return: the file with a reference, or NULL.
 */
struct file *migmux_hook_take_file(struct migmux_hook *hook, u32 state)
{
	enum vfio_device_mig_state now;
	struct file *file;
	bool good;

	if (!READ_ONCE(hook->left_file))
		return NULL;
	spin_lock(&hook->lock);
	file = hook->left_file;
	hook->left_file = NULL;
	good = hook->left_state == state;
	spin_unlock(&hook->lock);
	if (!file)
		return NULL;
	migmux_hook_review(hook);
	/* a reset has undone it */
	if (good && !hook->orig->migration_get_state(hook->vdev, &now) && now == state)
		return file;
	fput(file);
	return NULL;
}
