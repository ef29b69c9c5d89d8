// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks: find devices that can migrate, and know who wants which of them hooked.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "device.h"
#include "hook.h"
#include "interpose.h"
#include "netlink.h"
#include "set.h"
#include "trace.h"

/* the records, in the order of registration */
static LIST_HEAD(registry);
/* of the last record */
static unsigned long last_serial;
/* protects @registry, @last_serial and @hook_all, and users, pinned and gone of each record */
static DEFINE_MUTEX(migmux_hook_lock);
/* automatic sets are switched on: hook every device */
static bool hook_all;

static const struct class *vfio_class;

static void hook_free(struct kref *ref)
{
	struct migmux_hook *hook = container_of(ref, struct migmux_hook, ref);

	trace_migmux_object_destroy("hook", hook);
	kfree(hook);
}

/**
 * migmux_hook_get() - take a reference
 * @hook: a device that the caller has a reference to, or a lock that keeps it
 *
 * Context: any.
 */
void migmux_hook_get(struct migmux_hook *hook)
{
	kref_get(&hook->ref);
}

/**
 * migmux_hook_put() - give back a reference
 * @hook: from a migmux_hook_get_by_*()
 *
 * Context: any.
 */
void migmux_hook_put(struct migmux_hook *hook)
{
	kref_put(&hook->ref, hook_free);
}

/* Does anybody want the device hooked? */
static bool wanted(const struct migmux_hook *hook)
	__must_hold(&migmux_hook_lock)
{
	lockdep_assert_held(&migmux_hook_lock);
	return !hook->gone && (hook->users || hook->pinned || hook_all ||
			       READ_ONCE(hook->left_file));
}

static void interpose(struct migmux_hook *hook)
	__must_hold(&migmux_hook_lock)
{
	lockdep_assert_held(&migmux_hook_lock);
	if (!hook->gone)
		migmux_interpose(hook, wanted(hook));
}

/* Name a device as devlink does: bus/name. */
static void name_device(struct migmux_hook *hook)
{
	struct device *dev = hook->vdev->dev;
	const char *bus = dev->bus ? dev->bus->name : "none";

	snprintf(hook->name, sizeof(hook->name), "%s/%s", bus, dev_name(dev));
	strscpy(hook->driver, dev->driver ? dev->driver->name : "none",
		sizeof(hook->driver));
}

static void info_fill(struct migmux_hook *hook, struct migmux_hook_info *info)
	__must_hold(&migmux_hook_lock)
{
	lockdep_assert_held(&migmux_hook_lock);
	memset(info, 0, sizeof(*info));
	strscpy(info->name, hook->name, sizeof(info->name));
	strscpy(info->driver, hook->driver, sizeof(info->driver));
	info->gone = hook->gone;
	info->users = hook->users;
	info->pinned = hook->pinned;
	info->hooked = wanted(hook);
	if (!hook->gone)
		info->migration_flags = hook->vdev->migration_flags;
	info->arcs = atomic_read(&hook->arcs);
	info->refused = atomic_read(&hook->refused);
	spin_lock(&hook->lock);
	if (hook->owner)
		info->session = migmux_device_session_id(hook->owner);
	if (hook->member)
		strscpy(info->set, hook->member->set->name, sizeof(info->set));
	spin_unlock(&hook->lock);
}

static void notify(struct migmux_hook *hook)
	__must_hold(&migmux_hook_lock)
{
	struct migmux_hook_info info;

	info_fill(hook, &info);
	migmux_netlink_device_ntf(&info);
}

static int add_dev(struct device *dev)
{
	struct vfio_device *vdev = container_of(dev, struct vfio_device, device);
	struct migmux_hook *hook;

	if (!vdev->mig_ops)
		return 0;
	hook = kzalloc(sizeof(*hook), GFP_KERNEL);
	if (!hook)
		return -ENOMEM;
	kref_init(&hook->ref);
	spin_lock_init(&hook->lock);
	init_waitqueue_head(&hook->idle);
	hook->vdev = vdev;
	hook->mapping = vdev->inode ? vdev->inode->i_mapping : NULL;
	name_device(hook);
	trace_migmux_object_create("hook", hook);

	migmux_interpose_register(hook);
	mutex_lock(&migmux_hook_lock);
	hook->serial = ++last_serial;
	list_add_tail(&hook->node, &registry);
	interpose(hook);
	notify(hook);
	mutex_unlock(&migmux_hook_lock);
	migmux_member_device_new(hook);
	return 0;
}

static struct migmux_hook *find_by_vdev(const struct vfio_device *vdev)
	__must_hold(&migmux_hook_lock)
{
	struct migmux_hook *hook;

	lockdep_assert_held(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node)
		if (hook->vdev == vdev)
			return hook;
	return NULL;
}

/*
 * A device is registered until we return, so its record stays meanwhile. First no set or
 * session can get it any more, then those that have it let go.
 */
static void remove_dev(struct device *dev)
{
	struct vfio_device *vdev = container_of(dev, struct vfio_device, device);
	struct migmux_hook *hook;

	mutex_lock(&migmux_hook_lock);
	hook = find_by_vdev(vdev);
	if (hook) {
		migmux_hook_get(hook);
		hook->gone = true;
		hook->pinned = false;
	}
	mutex_unlock(&migmux_hook_lock);
	if (!hook)
		return;
	migmux_member_device_gone(hook);

	mutex_lock(&migmux_hook_lock);
	list_del(&hook->node);
	spin_lock(&hook->lock);
	if (hook->owner)
		migmux_device_gone(hook->owner);
	spin_unlock(&hook->lock);
	notify(hook);
	migmux_interpose_bury(hook);
	mutex_unlock(&migmux_hook_lock);
	/* nobody can ask for it any more */
	migmux_hook_take_file(hook, VFIO_DEVICE_STATE_ERROR);
	migmux_hook_put(hook);
}

static struct class_interface interface = {
	.add_dev = add_dev,
	.remove_dev = remove_dev,
};

/**
 * migmux_hook_get_by_name() - find a device by its handle
 * @name: as in &migmux_hook.name
 *
 * Context: sleeps.
 * Return: the record with a reference, or NULL.
 */
struct migmux_hook *migmux_hook_get_by_name(const char *name)
{
	struct migmux_hook *hook, *found = NULL;

	mutex_lock(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node) {
		if (!hook->gone && !strcmp(hook->name, name)) {
			kref_get(&hook->ref);
			found = hook;
			break;
		}
	}
	mutex_unlock(&migmux_hook_lock);
	return found;
}

/**
 * migmux_hook_file_is_open() - is the device of a VFIO device file opened?
 * @file: a VFIO device file
 *
 * A device fd of VFIO's cdev may not be bound yet, and then the device may be
 * closed. VFIO refuses every ioctl of such a file with EINVAL before it looks at
 * the argument; of an opened device it takes the argument, which no process can have
 * mapped here.
 *
 * Context: sleeps.
 */
bool migmux_hook_file_is_open(struct file *file)
{
	const unsigned long nowhere = -PAGE_SIZE;

	return file->f_op->unlocked_ioctl &&
	       file->f_op->unlocked_ioctl(file, VFIO_DEVICE_FEATURE, nowhere) != -EINVAL;
}

/**
 * migmux_hook_get_by_file() - find a device by a VFIO device file
 * @file: any file
 *
 * Context: sleeps.
 * Return: the record with a reference; ERR_PTR(-EBADF) if @file is not the file
 * of an opened VFIO device, ERR_PTR(-EOPNOTSUPP) if that device cannot migrate.
 */
struct migmux_hook *migmux_hook_get_by_file(struct file *file)
{
	struct migmux_hook *hook, *found = ERR_PTR(-EOPNOTSUPP);

	if (!vfio_file_is_valid(file) || vfio_file_is_group(file) ||
	    !migmux_hook_file_is_open(file))
		return ERR_PTR(-EBADF);
	mutex_lock(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node) {
		if (hook->mapping && hook->mapping == file->f_mapping) {
			kref_get(&hook->ref);
			found = hook;
			break;
		}
	}
	mutex_unlock(&migmux_hook_lock);
	return found;
}

/**
 * migmux_hook_pin() - hook a device until migmux_hook_unpin()
 * @hook: the device
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EEXIST if it is pinned already, -ENODEV if it went away.
 */
int migmux_hook_pin(struct migmux_hook *hook, struct netlink_ext_ack *extack)
{
	int err = 0;

	mutex_lock(&migmux_hook_lock);
	if (hook->gone) {
		NL_SET_ERR_MSG(extack, "the device is being unregistered");
		err = -ENODEV;
	} else if (hook->pinned) {
		NL_SET_ERR_MSG(extack, "the device is hooked already");
		err = -EEXIST;
	} else {
		hook->pinned = true;
		interpose(hook);
		notify(hook);
	}
	mutex_unlock(&migmux_hook_lock);
	return err;
}

/**
 * migmux_hook_unpin() - undo migmux_hook_pin()
 * @hook: the device
 * @extack: gets the reason of a refusal
 *
 * The device stays hooked while a session uses it.
 *
 * Context: sleeps.
 * Return: 0, -EALREADY if it is not pinned.
 */
int migmux_hook_unpin(struct migmux_hook *hook, struct netlink_ext_ack *extack)
{
	int err = 0;

	mutex_lock(&migmux_hook_lock);
	if (!hook->pinned) {
		NL_SET_ERR_MSG(extack, "the device is not hooked by device-hook");
		err = -EALREADY;
	} else {
		hook->pinned = false;
		interpose(hook);
		notify(hook);
	}
	mutex_unlock(&migmux_hook_lock);
	return err;
}

/**
 * migmux_hook_info_next() - look at the next registered device
 * @serial: of the one before, 0 for the first; becomes the one's that is found
 * @info: is filled
 *
 * Context: sleeps.
 * Return: 0, or -ENOENT when there is no other.
 */
int migmux_hook_info_next(unsigned long *serial, struct migmux_hook_info *info)
{
	struct migmux_hook *hook;
	int err = -ENOENT;

	mutex_lock(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node) {
		if (!hook->gone && hook->serial > *serial) {
			*serial = hook->serial;
			info_fill(hook, info);
			err = 0;
			break;
		}
	}
	mutex_unlock(&migmux_hook_lock);
	return err;
}

/**
 * migmux_hook_info_get() - look at one device
 * @hook: the device
 * @info: is filled
 *
 * Context: sleeps.
 */
void migmux_hook_info_get(struct migmux_hook *hook, struct migmux_hook_info *info)
{
	mutex_lock(&migmux_hook_lock);
	info_fill(hook, info);
	mutex_unlock(&migmux_hook_lock);
}

/* A session or set begins (1), or ceases (-1), to want the device hooked, or neither. */
static void users_change(struct migmux_hook *hook, int change)
	__must_hold(&migmux_hook_lock)
{
	lockdep_assert_held(&migmux_hook_lock);
	hook->users += change;
	interpose(hook);
	/* of one that goes the last word is said by remove_dev() */
	if (!hook->gone)
		notify(hook);
}

/**
 * migmux_hook_hold() - make a session the owner of a device, and hook it
 * @hook: the device; the owner has a reference to it
 * @owner: the session's device
 *
 * Context: sleeps; takes the registry's lock.
 * Return: 0, -EBUSY if it has an owner, -ENODEV if it went away.
 */
int migmux_hook_hold(struct migmux_hook *hook, struct migmux_device *owner)
{
	int err = 0;

	mutex_lock(&migmux_hook_lock);
	spin_lock(&hook->lock);
	if (hook->gone)
		err = -ENODEV;
	else if (hook->owner)
		err = -EBUSY;
	else
		hook->owner = owner;
	spin_unlock(&hook->lock);
	if (!err)
		users_change(hook, 1);
	mutex_unlock(&migmux_hook_lock);
	return err;
}

/**
 * migmux_hook_release() - undo migmux_hook_hold()
 * @hook: the device
 *
 * Context: sleeps; takes the registry's lock.
 */
void migmux_hook_release(struct migmux_hook *hook)
{
	mutex_lock(&migmux_hook_lock);
	spin_lock(&hook->lock);
	hook->owner = NULL;
	spin_unlock(&hook->lock);
	migmux_hook_rest(hook);
	users_change(hook, -1);
	mutex_unlock(&migmux_hook_lock);
}

/**
 * migmux_hook_review() - look again whether anybody wants a device hooked
 * @hook: the device
 *
 * Context: sleeps; takes the registry's lock.
 */
void migmux_hook_review(struct migmux_hook *hook)
{
	mutex_lock(&migmux_hook_lock);
	interpose(hook);
	mutex_unlock(&migmux_hook_lock);
}

/**
 * migmux_hook_all() - hook all devices, or only those that somebody wants
 * @on: which
 *
 * Context: sleeps; takes the registry's lock.
 */
void migmux_hook_all(bool on)
{
	struct migmux_hook *hook;

	mutex_lock(&migmux_hook_lock);
	if (hook_all != on) {
		hook_all = on;
		list_for_each_entry(hook, &registry, node) {
			interpose(hook);
			notify(hook);
		}
	}
	mutex_unlock(&migmux_hook_lock);
}

/**
 * migmux_hook_join() - a device becomes a member of a set
 * @hook: the device; the member has a reference to it
 * @m: the member
 *
 * Context: sleeps; takes the registry's lock. migmux_set_lock is held.
 * Return: 0, -EBUSY if it is a member already, -ENODEV if it went away.
 */
int migmux_hook_join(struct migmux_hook *hook, struct migmux_member *m)
{
	int err = 0;

	mutex_lock(&migmux_hook_lock);
	spin_lock(&hook->lock);
	if (hook->gone) {
		err = -ENODEV;
	} else if (hook->member) {
		err = -EBUSY;
	} else {
		migmux_member_get(m);
		hook->member = m;
	}
	spin_unlock(&hook->lock);
	if (!err)
		notify(hook);
	mutex_unlock(&migmux_hook_lock);
	return err;
}

/**
 * migmux_hook_follow() - a device's set hooks it, as long as it is a member
 * @hook: the device, which is a member
 *
 * Context: sleeps; takes the registry's lock. migmux_set_lock is held.
 */
void migmux_hook_follow(struct migmux_hook *hook)
{
	mutex_lock(&migmux_hook_lock);
	if (!hook->followed) {
		hook->followed = true;
		users_change(hook, 1);
	}
	mutex_unlock(&migmux_hook_lock);
}

/**
 * migmux_hook_leave_set() - undo migmux_hook_join() and migmux_hook_follow()
 * @hook: the device
 *
 * Context: sleeps; takes the registry's lock. migmux_set_lock is held.
 */
void migmux_hook_leave_set(struct migmux_hook *hook)
{
	struct migmux_member *m;

	mutex_lock(&migmux_hook_lock);
	spin_lock(&hook->lock);
	m = hook->member;
	hook->member = NULL;
	spin_unlock(&hook->lock);
	users_change(hook, hook->followed ? -1 : 0);
	hook->followed = false;
	mutex_unlock(&migmux_hook_lock);
	migmux_member_put(m);
}

/* VFIO does not export its class: a device that is never registered has it. */
static const struct class *find_class(struct device *parent)
{
	static const struct vfio_device_ops ops = { .name = "vfio_migmux" };
	const struct class *class;
	struct vfio_device *vdev;

	vdev = _vfio_alloc_device(sizeof(*vdev), parent, &ops);
	if (IS_ERR(vdev))
		return ERR_CAST(vdev);
	class = vdev->device.class;
	vfio_put_device(vdev);
	return class;
}

/**
 * migmux_hook_init() - find all devices, now and in future
 * @parent: any device of ours
 *
 * Return: 0 or an error.
 */
int migmux_hook_init(struct device *parent)
{
	vfio_class = find_class(parent);
	if (IS_ERR(vfio_class))
		return PTR_ERR(vfio_class);
	interface.class = vfio_class;
	return class_interface_register(&interface);
}

/**
 * migmux_hook_exit() - unhook everything and forget it
 *
 * No session lives any more. Unregistering the interface calls remove_dev() for
 * every device; the work that it queues frees the records.
 */
void migmux_hook_exit(void)
{
	class_interface_unregister(&interface);
	migmux_interpose_exit();
}
