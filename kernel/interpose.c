// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interposing in a device's ops: its migration ops, and of its device ops the one
 * that closes it.
 *
 * Both are read by VFIO without a lock, once per call, so each hooked device gets
 * ops of its own and only the pointers change. A task may be anywhere between
 * loading a pointer and returning from our function when we take the pointer back.
 * Why nothing breaks then:
 *
 * 1. The ops and the record live in struct migmux_hook, which stays in @hooks
 *    from registration to unregistration of the device, whether interposed or
 *    not. So a late caller finds its record and goes on to the driver's ops.
 * 2. A caller of ops holds the device open (or is in its debugfs file, which is
 *    removed before). The device is buried before unregistration waits for those,
 *    therefore the record leaves @hooks only in reap(): after a grace period of
 *    tasks RCU (nobody is before our first instruction any more) and before one of
 *    SRCU (nobody uses a record that he has found).
 * 3. A record of a device at the same address may be registered before the old
 *    one is reaped; it comes before the old one in @hooks, and the old device has no
 *    callers by then.
 * 4. Module text is left when exit has waited for tasks RCU once more, after the
 *    last caller has left SRCU.
 */
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "follow.h"
#include "hook.h"
#include "interpose.h"
#include "set.h"
#include "trace.h"

/* vfio_device to record, for the interposed functions; hooks_lock to change */
static DEFINE_HASHTABLE(hooks, 8);
static DEFINE_SPINLOCK(hooks_lock);
DEFINE_STATIC_SRCU(hooks_srcu);

/* records of unregistered devices that wait for their grace period */
static LIST_HEAD(graves);
static DEFINE_SPINLOCK(graves_lock);
static void reap(struct work_struct *work);
static DECLARE_WORK(reap_work, reap);

static struct migmux_hook *find(const struct vfio_device *vdev)
	__must_hold(&hooks_srcu)
{
	struct migmux_hook *hook;

	hash_for_each_possible_rcu(hooks, hook, hash, (unsigned long)vdev,
				   srcu_read_lock_held(&hooks_srcu))
		if (hook->vdev == vdev)
			return hook;
	return NULL;
}

/**
 * migmux_hook_enter() - a call that is not a session's wants to go to the driver
 * @hook: the device
 *
 * Return: true if it may, until migmux_hook_leave(); false if a session drives it.
 */
bool migmux_hook_enter(struct migmux_hook *hook)
{
	int gate = atomic_read(&hook->gate);

	do {
		if (gate & MIGMUX_HOOK_DRIVEN)
			return false;
	} while (!atomic_try_cmpxchg_acquire(&hook->gate, &gate, gate + 1));
	return true;
}

/**
 * migmux_hook_leave() - undo migmux_hook_enter()
 * @hook: the device
 */
void migmux_hook_leave(struct migmux_hook *hook)
{
	if (atomic_dec_return_release(&hook->gate) == MIGMUX_HOOK_DRIVEN)
		wake_up_all(&hook->idle);
}

static struct file *set_state(struct migmux_hook *hook,
			      enum vfio_device_mig_state state)
{
	struct migmux_member *m;
	struct file *file;

	m = migmux_hook_member(hook) ?: migmux_auto_join(hook);
	if (!m)
		return migmux_hook_take_file(hook, state) ?:
		       hook->orig->migration_set_state(hook->vdev, state);
	file = migmux_follow_call(m, hook, state);
	migmux_member_put(m);
	return file;
}

static struct file *hooked_set_state(struct vfio_device *vdev,
				     enum vfio_device_mig_state state)
{
	struct migmux_hook *hook;
	struct file *file;
	int idx;

	idx = srcu_read_lock(&hooks_srcu);
	hook = find(vdev);
	if (!hook) {
		file = ERR_PTR(-ENODEV);
		goto out;
	}
	if (!migmux_hook_enter(hook)) {
		atomic_inc(&hook->refused);
		trace_migmux_arc_vmm_err(hook->name, state, -EBUSY);
		file = ERR_PTR(-EBUSY);
		goto out;
	}
	file = set_state(hook, state);
	if (IS_ERR(file)) {
		trace_migmux_arc_vmm_err(hook->name, state, PTR_ERR(file));
	} else {
		atomic_inc(&hook->arcs);
		trace_migmux_arc_vmm(hook->name, state, 0);
	}
	migmux_hook_leave(hook);
out:
	srcu_read_unlock(&hooks_srcu, idx);
	return file;
}

static int hooked_get_state(struct vfio_device *vdev,
			    enum vfio_device_mig_state *state)
{
	struct migmux_hook *hook;
	struct migmux_member *m;
	int idx, err = -ENODEV;

	idx = srcu_read_lock(&hooks_srcu);
	hook = find(vdev);
	if (!hook)
		goto out;
	m = migmux_hook_member(hook);
	if (m) {
		err = migmux_follow_get_state(m, hook, state);
		migmux_member_put(m);
	} else {
		err = hook->orig->migration_get_state(vdev, state);
	}
out:
	srcu_read_unlock(&hooks_srcu, idx);
	return err;
}

/* VFIO holds the lock of the device's set. Whoever comes here finds the record. */
static void hooked_close_device(struct vfio_device *vdev)
{
	struct migmux_hook *hook;
	struct migmux_member *m;
	int idx;

	idx = srcu_read_lock(&hooks_srcu);
	hook = find(vdev);
	if (WARN_ON_ONCE(!hook))
		goto out;
	m = migmux_hook_member(hook);
	if (m) {
		migmux_follow_close(m);
		migmux_auto_leave(m);
		migmux_member_put(m);
	}
	migmux_hook_take_file(hook, VFIO_DEVICE_STATE_ERROR);
	if (hook->orig_device->close_device)
		hook->orig_device->close_device(vdev);
out:
	srcu_read_unlock(&hooks_srcu, idx);
}

/**
 * migmux_interpose_register() - a device is registered: get ready
 * @hook: its record, all but complete
 *
 * Context: any but irq; the device is not open yet.
 */
void migmux_interpose_register(struct migmux_hook *hook)
{
	struct vfio_device *vdev = hook->vdev;

	hook->orig = vdev->mig_ops;
	hook->ops = *hook->orig;
	hook->ops.migration_set_state = hooked_set_state;
	hook->ops.migration_get_state = hooked_get_state;
	hook->orig_device = vdev->ops;
	hook->device_ops = *hook->orig_device;
	hook->device_ops.close_device = hooked_close_device;
	spin_lock(&hooks_lock);
	hash_add_rcu(hooks, &hook->hash, (unsigned long)vdev);
	spin_unlock(&hooks_lock);
}

/**
 * migmux_interpose() - put our ops in, or take them out
 * @hook: a registered device
 * @on: which
 *
 * Context: the caller serialises.
 * Return: true if that changed anything.
 */
bool migmux_interpose(struct migmux_hook *hook, bool on)
{
	const struct vfio_migration_ops *ops = on ? &hook->ops : hook->orig;
	struct vfio_device *vdev = hook->vdev;

	if (READ_ONCE(vdev->mig_ops) == ops)
		return false;
	/* publish the ops, which were written before the record was */
	smp_store_release(&vdev->ops, on ? &hook->device_ops : hook->orig_device);
	/* likewise */
	smp_store_release(&vdev->mig_ops, ops);
	trace_migmux_hook(hook->name, on);
	return true;
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
	spin_lock(&hooks_lock);
	list_for_each_entry(hook, &dead, node)
		hash_del_rcu(&hook->hash);
	spin_unlock(&hooks_lock);
	synchronize_srcu(&hooks_srcu);
	synchronize_rcu_tasks();
	list_for_each_entry_safe(hook, tmp, &dead, node) {
		list_del(&hook->node);
		migmux_hook_put(hook);
	}
}

/**
 * migmux_interpose_bury() - a device is being unregistered: take our ops out for ever
 * @hook: its record; not in any list. The caller's reference is put when nobody can
 *	be inside any more
 *
 * Context: before unregistration waits for users of the device.
 */
void migmux_interpose_bury(struct migmux_hook *hook)
{
	migmux_interpose(hook, false);
	spin_lock(&graves_lock);
	list_add_tail(&hook->node, &graves);
	spin_unlock(&graves_lock);
	queue_work(migmux_compat_unbound_wq, &reap_work);
}

/**
 * migmux_interpose_exit() - wait until nobody is in our functions
 *
 * All devices are buried.
 *
 * Context: sleeps.
 */
void migmux_interpose_exit(void)
{
	flush_work(&reap_work);
	/* a last caller may be past SRCU, but not yet out of our text */
	synchronize_rcu_tasks();
}
