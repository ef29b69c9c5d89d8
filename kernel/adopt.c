// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adopting: the VMM has moved its devices to PRE_COPY, STOP_COPY or RESUMING itself, and
 * gives the session their data files. The session pumps or feeds them and makes no arc but
 * after a failure, and only if it was given a recover state. It does not drive the
 * devices: the VMM may move them at any time, and a read or write that comes too late
 * fails in the driver. That devices have gone on from PRE_COPY to STOP_COPY it learns
 * when the VMM asks it for the switchover; until then an end of a data file is a
 * temporary one, which does no harm but a wait.
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
	const bool save = state != VFIO_DEVICE_STATE_RESUMING;
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

static bool has_data_file(u32 state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P ||
	       state == VFIO_DEVICE_STATE_STOP_COPY ||
	       state == VFIO_DEVICE_STATE_RESUMING;
}

static int check_state(struct migmux_session *s, struct migmux_device *dev,
		       enum vfio_device_mig_state *state)
{
	int err;

	err = migmux_hook_get_state(dev->hook, state);
	if (err)
		return migmux_session_refuse(s, err, "%s does not tell its state: error %d",
					     dev->hook->name, -err);
	if (!has_data_file(*state))
		return migmux_session_refuse(s, -EINVAL, "%s is in %s: move it to PRE_COPY, STOP_COPY or RESUMING before its data file is adopted",
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
	migmux_device_set_adopted(dev, true, args->first_idx);
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

/* In PRE_COPY the VMM may have gone to P2P already. */
static bool is_there(u32 now, u32 state)
{
	return now == state || (state == VFIO_DEVICE_STATE_PRE_COPY &&
				now == VFIO_DEVICE_STATE_PRE_COPY_P2P);
}

/**
 * migmux_adopt_check() - may an adopted session start, or switch over?
 * @s: the session; at least one device is adopted
 * @state: PRE_COPY or STOP_COPY for a source, RESUMING for a destination
 *
 * Notes where each device is.
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
		if (!err && !is_there(now, state))
			err = migmux_session_refuse(s, -EINVAL, "device %u with an adopted data file is in %s, not in %s",
						    i, migmux_state_name(now),
						    migmux_state_name(state));
		if (err)
			return err;
		migmux_device_set_state(dev, now);
	}
	return 0;
}

/**
 * migmux_adopt_precopy() - source: the devices are in PRE_COPY already
 * @s: the session; no pump runs yet
 *
 * Context: the session's mutex is held; sleeps.
 */
void migmux_adopt_precopy(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		migmux_session_phase_start(s, i, VFIO_MIGMUX_PHASE_PRECOPY);
		migmux_precopy_listen(dev, dev->data_file);
		migmux_precopy_enter(dev);
	}
}

/**
 * migmux_adopt_switchover() - source: the VMM has taken the devices on to STOP_COPY
 * @s: the session, in pre-copy
 *
 * Context: the session's mutex is held; sleeps.
 */
void migmux_adopt_switchover(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		migmux_session_phase_end(s, i, VFIO_MIGMUX_PHASE_PRECOPY, 0);
		migmux_precopy_stopped(dev);
	}
}

/**
 * migmux_adopt_begin() - what else the arcs' end would tell
 * @s: the session, which saves or loads; its devices were checked
 *
 * Context: the session's mutex is held; sleeps.
 */
void migmux_adopt_begin(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		dev->error = 0;
		migmux_device_set_error(dev, 0);
		/* again, for now it counts for milestones */
		migmux_device_set_state(dev, dev->state);
	}
	if (s->role == VFIO_MIGMUX_ROLE_DESTINATION)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_READY);
	if (!s->precopy)
		return;
	migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_PRECOPY);
	migmux_precopy_all_joined(s);
}
