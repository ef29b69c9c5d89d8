// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks: find devices that can migrate, and interpose in their migration ops.
 *
 * vfio_device.mig_ops is read by VFIO without a lock, once per call, so each
 * hooked device gets ops of its own and only the pointer changes. A task may be
 * anywhere between loading the pointer and returning from our function when we
 * take the pointer back. Why nothing breaks then:
 *
 * 1. The ops and the record live in struct migmux_hook, which stays in @hooks
 *    from registration to unregistration of the device, whether interposed or
 *    not. So a late caller finds its record and goes on to the driver's ops.
 * 2. A caller of ops holds the device open (or is in its debugfs file, which is
 *    removed before). remove_dev() runs before unregistration waits for those,
 *    therefore the record leaves @hooks only in reap_work(): after a grace
 *    period of tasks RCU (nobody is before our first instruction any more) and
 *    before one of SRCU (nobody uses a record that he has found).
 * 3. A record of a device at the same address may be registered before the old
 *    one is reaped; it replaces the old one in @hooks, and the old device has no
 *    callers by then. reap_work() removes only what is its own.
 * 4. Module text is left when exit has waited for tasks RCU once more, after the
 *    last caller has left SRCU.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "device.h"
#include "hook.h"
#include "netlink.h"
#include "trace.h"

/* the records, in the order of registration; @hooks below has the same */
static LIST_HEAD(registry);
/* protects @registry, and users, pinned and gone of each record */
static DEFINE_MUTEX(migmux_hook_lock);

/* vfio_device to record, for the interposed functions */
static DEFINE_XARRAY(hooks);
DEFINE_STATIC_SRCU(hooks_srcu);

/* records of unregistered devices that wait for their grace period */
static LIST_HEAD(graves);
static DEFINE_SPINLOCK(graves_lock);
static void reap(struct work_struct *work);
static DECLARE_WORK(reap_work, reap);

static const struct class *vfio_class;

static void hook_free(struct kref *ref)
{
	struct migmux_hook *hook = container_of(ref, struct migmux_hook, ref);

	trace_migmux_object_destroy("hook", hook);
	kfree(hook);
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

/* A call from elsewhere wants to go to the driver: may it? */
static bool enter(struct migmux_hook *hook)
{
	bool ok;

	spin_lock(&hook->lock);
	ok = !hook->driven;
	if (ok)
		hook->inflight++;
	spin_unlock(&hook->lock);
	return ok;
}

static void leave(struct migmux_hook *hook)
{
	spin_lock(&hook->lock);
	if (!--hook->inflight)
		wake_up_all(&hook->idle);
	spin_unlock(&hook->lock);
}

static struct file *hooked_set_state(struct vfio_device *vdev,
				     enum vfio_device_mig_state state)
{
	struct migmux_hook *hook;
	struct file *file;
	int idx;

	idx = srcu_read_lock(&hooks_srcu);
	hook = xa_load(&hooks, (unsigned long)vdev);
	if (!hook) {
		file = ERR_PTR(-ENODEV);
		goto out;
	}
	if (!enter(hook)) {
		atomic_inc(&hook->refused);
		trace_migmux_arc_vmm_err(hook->name, state, -EBUSY);
		file = ERR_PTR(-EBUSY);
		goto out;
	}
	file = hook->orig->migration_set_state(vdev, state);
	if (IS_ERR(file)) {
		trace_migmux_arc_vmm_err(hook->name, state, PTR_ERR(file));
	} else {
		atomic_inc(&hook->arcs);
		trace_migmux_arc_vmm(hook->name, state, 0);
	}
	leave(hook);
out:
	srcu_read_unlock(&hooks_srcu, idx);
	return file;
}

/* migmux_hook_lock is held. */
static void interpose(struct migmux_hook *hook)
	__must_hold(&migmux_hook_lock)
{
	const struct vfio_migration_ops *ops = hook->orig;

	lockdep_assert_held(&migmux_hook_lock);
	if (hook->gone)
		return;
	if (hook->users || hook->pinned)
		ops = &hook->ops;
	if (READ_ONCE(hook->vdev->mig_ops) == ops)
		return;
	/* publishes @ops, which were written before the record was */
	smp_store_release(&hook->vdev->mig_ops, ops);
	trace_migmux_hook(hook->name, ops == &hook->ops);
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
	info->hooked = !hook->gone && (hook->users || hook->pinned);
	if (!hook->gone)
		info->migration_flags = hook->vdev->migration_flags;
	info->arcs = atomic_read(&hook->arcs);
	info->refused = atomic_read(&hook->refused);
	spin_lock(&hook->lock);
	if (hook->owner)
		info->session = migmux_device_session_id(hook->owner);
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
	int err;

	if (!vdev->mig_ops)
		return 0;
	hook = kzalloc(sizeof(*hook), GFP_KERNEL);
	if (!hook)
		return -ENOMEM;
	kref_init(&hook->ref);
	spin_lock_init(&hook->lock);
	init_waitqueue_head(&hook->idle);
	hook->vdev = vdev;
	hook->orig = vdev->mig_ops;
	hook->ops = *hook->orig;
	hook->ops.migration_set_state = hooked_set_state;
	name_device(hook);
	trace_migmux_object_create("hook", hook);

	err = xa_err(xa_store(&hooks, (unsigned long)vdev, hook, GFP_KERNEL));
	if (err) {
		dev_err(vdev->dev, "vfio_migmux: cannot register: %d\n", err);
		migmux_hook_put(hook);
		return err;
	}
	mutex_lock(&migmux_hook_lock);
	list_add_tail(&hook->node, &registry);
	notify(hook);
	mutex_unlock(&migmux_hook_lock);
	return 0;
}

static void reap(struct work_struct *work)
{
	struct migmux_hook *hook, *tmp;
	LIST_HEAD(dead);

	spin_lock(&graves_lock);
	list_splice_init(&graves, &dead);
	spin_unlock(&graves_lock);
	if (list_empty(&dead))
		return;
	/* see the numbered argument above */
	synchronize_rcu_tasks();
	list_for_each_entry(hook, &dead, node)
		xa_cmpxchg(&hooks, (unsigned long)hook->vdev, hook, NULL,
			   GFP_KERNEL);
	synchronize_srcu(&hooks_srcu);
	synchronize_rcu_tasks();
	list_for_each_entry_safe(hook, tmp, &dead, node) {
		list_del(&hook->node);
		migmux_hook_put(hook);
	}
}

static void bury(struct migmux_hook *hook)
	__must_hold(&migmux_hook_lock)
{
	lockdep_assert_held(&migmux_hook_lock);
	WRITE_ONCE(hook->vdev->mig_ops, hook->orig);
	hook->gone = true;
	hook->pinned = false;
	list_del(&hook->node);
	spin_lock(&graves_lock);
	list_add_tail(&hook->node, &graves);
	spin_unlock(&graves_lock);
	queue_work(system_unbound_wq, &reap_work);
}

static void remove_dev(struct device *dev)
{
	struct vfio_device *vdev = container_of(dev, struct vfio_device, device);
	struct migmux_hook *hook;

	mutex_lock(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node) {
		if (hook->vdev != vdev)
			continue;
		bury(hook);
		spin_lock(&hook->lock);
		if (hook->owner)
			migmux_device_gone(hook->owner);
		spin_unlock(&hook->lock);
		notify(hook);
		break;
	}
	mutex_unlock(&migmux_hook_lock);
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
		if (!strcmp(hook->name, name)) {
			kref_get(&hook->ref);
			found = hook;
			break;
		}
	}
	mutex_unlock(&migmux_hook_lock);
	return found;
}

/*
 * A device fd of VFIO's cdev may not be bound yet, and then the device may be
 * closed. VFIO refuses every ioctl of such a file with EINVAL before it looks at
 * the argument; of an opened device it takes the argument, which is bad here.
 */
static bool file_is_open(struct file *file)
{
	return file->f_op->unlocked_ioctl &&
	       file->f_op->unlocked_ioctl(file, VFIO_DEVICE_FEATURE, 0) != -EINVAL;
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
	    !file_is_open(file))
		return ERR_PTR(-EBADF);
	mutex_lock(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node) {
		if (hook->vdev->inode &&
		    hook->vdev->inode->i_mapping == file->f_mapping) {
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
 * migmux_hook_info_nth() - look at the n-th registered device
 * @n: from 0
 * @info: is filled
 *
 * Context: sleeps.
 * Return: 0, or -ENOENT when there are not so many.
 */
int migmux_hook_info_nth(unsigned int n, struct migmux_hook_info *info)
{
	struct migmux_hook *hook;
	int err = -ENOENT;

	mutex_lock(&migmux_hook_lock);
	list_for_each_entry(hook, &registry, node) {
		if (!n--) {
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
	if (!err) {
		hook->users++;
		interpose(hook);
		notify(hook);
	}
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
	hook->driven = false;
	spin_unlock(&hook->lock);
	hook->users--;
	interpose(hook);
	notify(hook);
	mutex_unlock(&migmux_hook_lock);
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
	flush_work(&reap_work);
	/* a last caller may be past SRCU, but not yet out of our text */
	synchronize_rcu_tasks();
	xa_destroy(&hooks);
}
