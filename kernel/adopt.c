// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adopting: the VMM has moved its devices to STOP_COPY or RESUMING itself, and gives
 * the session their data files. The session pumps or feeds them and makes no arc but
 * after a failure, and only if it was given a recover state. It does not drive the
 * devices: the VMM may move them at any time, and a read or write that comes too late
 * fails in the driver.
 *
 * What such a file is allowed to be is a matter of safety: it is called with a NULL
 * position, which only a stream takes, and by a thread that must not be caught in a
 * call of something that waits for us. So it must be a file of the device's own
 * driver: its code must be that of the driver's module. Of which device of that
 * driver it is cannot be told; a wrong one spoils the VMM's own state. For drivers
 * built into the kernel less can be told: that the file is anonymous and not of a
 * module.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "adopt.h"
#include "datafile.h"
#include "hook.h"
#include "ioctl.h"
#include "plan.h"
#include "session.h"

static bool is_drivers(const struct migmux_device *dev, const struct file *file)
{
	const struct device_driver *driver = dev->hook->vdev->dev->driver;

	return driver && file->f_op->owner == driver->owner &&
	       file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC;
}

static const char *why_not(const struct migmux_device *dev, const struct file *file,
			   u32 state)
{
	const bool save = state == VFIO_DEVICE_STATE_STOP_COPY;
	const fmode_t mode = save ? FMODE_READ : FMODE_WRITE;
	enum vfio_migmux_read_method method;

	if (!is_drivers(dev, file))
		return "is no file of the device's driver";
	if (!(file->f_mode & FMODE_STREAM))
		return "is no stream";
	if (!(file->f_mode & mode) || !migmux_datafile_method(file, &method))
		return save ? "cannot be read" : "cannot be written";
	return NULL;
}

static int check_state(struct migmux_session *s, struct migmux_device *dev,
		       enum vfio_device_mig_state *state)
{
	int err;

	err = migmux_hook_get_state(dev->hook, state);
	if (err)
		return migmux_session_refuse(s, err, "%s does not tell its state: error %d",
					     dev->hook->name, -err);
	if (*state != VFIO_DEVICE_STATE_STOP_COPY &&
	    *state != VFIO_DEVICE_STATE_RESUMING)
		return migmux_session_refuse(s, -EINVAL, "%s is in %s: move it to STOP_COPY or RESUMING before its data file is adopted",
					     dev->hook->name,
					     migmux_state_name(*state));
	return 0;
}

static int check_file(struct migmux_session *s, struct migmux_device *dev, int fd,
		      const struct file *file, u32 state)
{
	const char *why = why_not(dev, file, state);
	struct migmux_device *other;
	u32 i;

	if (why)
		return migmux_session_refuse(s, -EBADF, "descriptor %d %s: %s in %s wants the one that the move there returned",
					     fd, why, dev->hook->name,
					     migmux_state_name(state));
	migmux_session_for_each_device(s, other, i)
		if (other != dev && other->data_file == file)
			return migmux_session_refuse(s, -EEXIST, "descriptor %d is the data file of device %u already",
						     fd, i);
	return 0;
}

static int adopt(struct migmux_session *s, const struct vfio_migmux_data_fd *args)
{
	enum vfio_device_mig_state state;
	struct migmux_device *dev;
	struct file *file;
	int err;

	dev = migmux_ioctl_device(s, args->device);
	if (!dev)
		return -ENOENT;
	err = check_state(s, dev, &state);
	if (err)
		return err;
	file = fget(args->data_fd);
	if (!file)
		return migmux_session_refuse(s, -EBADF, "descriptor %d is not open",
					     args->data_fd);
	err = check_file(s, dev, args->data_fd, file, state);
	if (err) {
		fput(file);
		return err;
	}
	migmux_device_set_data_file(dev, file);
	migmux_device_set_state(dev, state);
	migmux_gather_skip(&dev->gather, args->first_idx);
	dev->next_idx = args->first_idx;
	dev->first_idx = args->first_idx;
	dev->adopted = true;
	return 0;
}

long migmux_ioctl_data_fd(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_data_fd *data = args;
	int err;

	if (data->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (data->first_idx == U32_MAX)
		return migmux_session_refuse(s, -EINVAL, "first_idx is out of range");
	mutex_lock(&s->mutex);
	err = migmux_ioctl_check_setup(s) ?: adopt(s, data);
	mutex_unlock(&s->mutex);
	return err;
}

/**
 * migmux_adopt_count() - how many devices have a data file of the VMM's?
 * @s: the session
 *
 * Context: the session's mutex is held.
 */
u32 migmux_adopt_count(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i, n = 0;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i)
		n += dev->adopted;
	return n;
}

/**
 * migmux_adopt_check() - may an adopted session start?
 * @s: the session; at least one device is adopted
 * @state: STOP_COPY for a source, RESUMING for a destination
 *
 * Context: the session's mutex is held; asks the drivers.
 * Return: 0, or a refusal.
 */
int migmux_adopt_check(struct migmux_session *s, u32 state)
{
	enum vfio_device_mig_state now;
	struct migmux_device *dev;
	int err;
	u32 i;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		if (!dev->adopted || !dev->data_file)
			return migmux_session_refuse(s, -EINVAL, "device %u has no data file, and others do: adopt all or none",
						     i);
		err = check_state(s, dev, &now);
		if (!err && now != state)
			err = migmux_session_refuse(s, -EINVAL, "device %u with an adopted data file is in %s, not in %s",
						    i, migmux_state_name(now),
						    migmux_state_name(state));
		if (err)
			return err;
	}
	return 0;
}

/**
 * migmux_adopt_begin() - what else the arcs' end would tell
 * @s: the session, which saves or loads
 * @state: where all its devices are
 *
 * Context: the session's mutex is held; sleeps.
 */
void migmux_adopt_begin(struct migmux_session *s, u32 state)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		dev->error = 0;
		migmux_device_set_error(dev, 0);
		migmux_device_set_state(dev, state);
	}
	if (s->role == VFIO_MIGMUX_ROLE_DESTINATION)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_READY);
}
