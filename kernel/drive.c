// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driving: a session calls the drivers of the devices that it holds, and keeps
 * others out meanwhile.
 */
#include <linux/err.h>
#include <linux/pm_runtime.h>

#include "hook.h"

/**
 * migmux_hook_drive() - begin a step: refuse state changes from elsewhere
 * @hook: a device that the caller's session holds
 *
 * Waits until those that are in the driver already are over.
 *
 * Context: sleeps.
 * Return: 0, -EINTR if a fatal signal came first.
 */
int migmux_hook_drive(struct migmux_hook *hook)
{
	atomic_or(MIGMUX_HOOK_DRIVEN, &hook->gate);
	if (wait_event_killable(hook->idle,
				atomic_read_acquire(&hook->gate) == MIGMUX_HOOK_DRIVEN)) {
		migmux_hook_rest(hook);
		return -EINTR;
	}
	return 0;
}

/**
 * migmux_hook_rest() - end a step
 * @hook: a device that the caller's session holds
 *
 * Context: any.
 */
void migmux_hook_rest(struct migmux_hook *hook)
{
	/* the next call from elsewhere sees what the step did */
	atomic_fetch_andnot_release(MIGMUX_HOOK_DRIVEN, &hook->gate);
}

/* VFIO's ioctl path does this for calls from user space. */
static int power_get(struct device *dev)
{
	if (!dev->driver || !dev->driver->pm)
		return 0;
	return pm_runtime_resume_and_get(dev) ? -EIO : 0;
}

static void power_put(struct device *dev)
{
	if (dev->driver && dev->driver->pm)
		pm_runtime_put(dev);
}

/**
 * migmux_hook_set_state() - move a device that the caller's session drives
 * @hook: the device; the caller holds its VFIO file
 * @state: one arc away from where it is
 *
 * Context: sleeps, for as long as the driver takes. No lock is held.
 * Return: what &vfio_migration_ops.migration_set_state returns: NULL, a data
 * file with a reference, or an ERR_PTR; ERR_PTR(-EIO) if the device cannot be
 * powered up.
 */
struct file *migmux_hook_set_state(struct migmux_hook *hook,
				   enum vfio_device_mig_state state)
{
	struct vfio_device *vdev = hook->vdev;
	struct file *file;
	int err;

	err = power_get(vdev->dev);
	if (err)
		return ERR_PTR(err);
	file = hook->orig->migration_set_state(vdev, state);
	power_put(vdev->dev);
	return file;
}

/**
 * migmux_hook_get_data_size() - ask a device how much STOP_COPY would yield
 * @hook: the device; the caller holds its VFIO file
 * @bytes: is filled with an estimate
 *
 * Context: sleeps. No lock is held but a session's mutex.
 * Return: 0, or the driver's error.
 */
int migmux_hook_get_data_size(struct migmux_hook *hook, u64 *bytes)
{
	struct vfio_device *vdev = hook->vdev;
	unsigned long size = 0;
	int err;

	err = power_get(vdev->dev);
	if (err)
		return err;
	err = hook->orig->migration_get_data_size(vdev, &size);
	power_put(vdev->dev);
	*bytes = size;
	return err;
}

/**
 * migmux_hook_get_state() - ask a device where it is
 * @hook: the device; the caller holds its VFIO file
 * @state: is filled
 *
 * Not for statistics: it may wait for a load that is going on.
 *
 * Context: sleeps. No lock is held.
 * Return: 0, or the driver's error.
 */
int migmux_hook_get_state(struct migmux_hook *hook,
			  enum vfio_device_mig_state *state)
{
	struct vfio_device *vdev = hook->vdev;
	int err;

	err = power_get(vdev->dev);
	if (err)
		return err;
	err = hook->orig->migration_get_state(vdev, state);
	power_put(vdev->dev);
	return err;
}
