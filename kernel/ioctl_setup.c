// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls that make up a session: devices, channels, config blobs.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "channel.h"
#include "device.h"
#include "guard.h"
#include "hook.h"
#include "ioctl.h"
#include "limit.h"
#include "link.h"
#include "sched.h"
#include "session.h"

long migmux_ioctl_get_info(struct migmux_session *s, void *args)
{
	struct vfio_migmux_info *info = args;

	*info = (struct vfio_migmux_info) {
		.argsz = sizeof(*info),
		.api_version = VFIO_MIGMUX_API_VERSION,
		.max_devices = migmux_devices_max(),
		.max_channels = migmux_channels_max(),
		.frame_data_max = MIGMUX_WIRE_DATA_MAX,
		.config_max = MIGMUX_WIRE_CONFIG_MAX,
		.features = VFIO_MIGMUX_FEATURE_READY |
			    (MIGMUX_COMPAT_PRECOPY_VERSION > 1 ?
			     VFIO_MIGMUX_FEATURE_PRECOPY_V2 : 0),
		.staging_default = migmux_staging_default(),
		.staging_max = migmux_staging_max(),
	};
	return 0;
}

int migmux_ioctl_check_setup(struct migmux_session *s)
{
	lockdep_assert_held(&s->mutex);
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	if (s->role != VFIO_MIGMUX_ROLE_NONE)
		return migmux_session_refuse(s, -EBUSY, "the session saves or loads: devices and channels come before that");
	if (migmux_batch_running(s))
		return migmux_session_refuse(s, -EBUSY, "a batch runs: wait for it first");
	return 0;
}

long migmux_ioctl_device_add(struct migmux_session *s, void *args)
{
	struct vfio_migmux_device_add *add = args;
	struct migmux_device *dev;
	int err;

	if (add->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (strnlen(add->idstr, sizeof(add->idstr)) == sizeof(add->idstr))
		return migmux_session_refuse(s, -EINVAL, "idstr is not terminated");
	if (add->weight > MIGMUX_WEIGHT_MAX)
		return migmux_session_refuse(s, -EINVAL, "weight is %u, and %u at most",
					     add->weight, MIGMUX_WEIGHT_MAX);
	mutex_lock(&s->mutex);
	err = migmux_ioctl_check_setup(s);
	if (!err && s->link)
		err = migmux_session_refuse(s, -EBUSY, "a link is attached: devices come before it");
	if (!err)
		err = migmux_device_add(s, add->device_fd, add->idstr,
					add->instance_id, add->weight ?: MIGMUX_WEIGHT_MIN,
					&dev);
	if (!err) {
		add->index = dev->index;
		add->migration_flags = dev->flags;
	}
	mutex_unlock(&s->mutex);
	return err;
}

struct migmux_device *migmux_ioctl_device(struct migmux_session *s, u32 index)
{
	if (index < s->nr_devices && s->devices[index])
		return s->devices[index];
	migmux_session_refuse(s, -ENOENT, "the session has no device %u", index);
	return NULL;
}

static void remove_channels(struct migmux_session *s, struct migmux_device *dev)
{
	u32 i, left = 0;

	for (i = 0; i < s->nr_channels; i++) {
		struct migmux_channel *ch = s->channels[i];

		if (ch->device == dev) {
			list_del_init(&ch->dev_node);
			migmux_channel_destroy(ch);
		} else {
			s->channels[left++] = ch;
		}
	}
	s->nr_channels = left;
}

long migmux_ioctl_device_remove(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_device_remove *remove = args;
	struct migmux_device *dev;
	int err;

	if (remove->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	mutex_lock(&s->mutex);
	err = migmux_ioctl_check_setup(s);
	if (!err && s->link)
		err = migmux_session_refuse(s, -EBUSY, "a link is attached: its channels are dealt out");
	if (err)
		goto out;
	dev = migmux_ioctl_device(s, remove->index);
	if (!dev) {
		err = -ENOENT;
		goto out;
	}
	remove_channels(s, dev);
	migmux_device_detach(dev);
	s->devices[dev->index] = NULL;
	/* a last worker or notification may still look at it */
	s->removed[dev->index] = dev;
	spin_lock(&s->report->lock);
	dev->report->removed = true;
	spin_unlock(&s->report->lock);
out:
	mutex_unlock(&s->mutex);
	return err;
}

/*
 * Give a channel to a source's device, or to all; on a destination a device's own will
 * find out whose it is. What the report says of them is set when the session starts.
 */
static void deal_out(struct migmux_session *s, struct migmux_channel *ch,
		     struct migmux_device *dev)
{
	ch->session = s;
	ch->device = dev;
	s->channels[s->nr_channels++] = ch;
	if (!dev) {
		list_add_tail(&ch->dev_node, &s->shared);
		return;
	}
	list_add_tail(&ch->dev_node, &dev->channels);
	dev->nr_channels++;
	spin_lock(&s->report->lock);
	dev->report->t.nr_channels = dev->nr_channels;
	spin_unlock(&s->report->lock);
}

long migmux_ioctl_channel_add(struct migmux_session *s, void *args)
{
	struct vfio_migmux_channel_add *add = args;
	const u32 max = migmux_channels_max();
	struct migmux_device *dev = NULL;
	struct migmux_channel *ch;
	const char *why = NULL;
	int err;

	if (add->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	mutex_lock(&s->mutex);
	err = migmux_ioctl_check_setup(s);
	if (!err && s->link)
		err = migmux_session_refuse(s, -EBUSY, "a link is attached: it brings all channels");
	if (err)
		goto out;
	if (s->next_channel >= max) {
		err = migmux_session_refuse(s, -ENOSPC, "a session takes at most %u channels: see the module parameter max_channels",
					    max);
		goto out;
	}
	if (add->device != VFIO_MIGMUX_INDEX_NONE) {
		dev = migmux_ioctl_device(s, add->device);
		if (!dev) {
			err = -ENOENT;
			goto out;
		}
	}
	ch = migmux_channel_create(add->socket_fd, &why);
	if (IS_ERR(ch)) {
		err = migmux_session_refuse(s, PTR_ERR(ch), "descriptor %d: %s",
					    add->socket_fd, why);
		goto out;
	}
	err = migmux_guard_start(s, ch);
	if (err) {
		migmux_channel_destroy(ch);
		migmux_session_refuse(s, err, "cannot create a thread for an AF_UNIX channel: error %d",
				      -err);
		goto out;
	}
	ch->id = s->next_channel++;
	add->index = ch->id;
	deal_out(s, ch, dev);
out:
	mutex_unlock(&s->mutex);
	return err;
}

/* Whose the next channel of a link is: the one's that has fewest for its weight. */
static struct migmux_device *poorest(struct migmux_session *s)
{
	struct migmux_device *dev, *best = NULL;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		if (!best || migmux_sched_poorer(dev->nr_channels, dev->weight,
						 best->nr_channels, best->weight))
			best = dev;
	return best;
}

static int attach(struct migmux_session *s, const char *name, bool shared)
{
	const u32 n = migmux_session_live(s);
	struct migmux_link *link;
	int err = 0;
	u32 i;

	if (!n)
		return migmux_session_refuse(s, -EINVAL, "the session has no device: add devices before the link");
	if (s->nr_channels)
		return migmux_session_refuse(s, -EBUSY, "the session has channels already");
	link = migmux_link_attach(s->net, name, s->report->id, &err);
	if (!link)
		return migmux_session_refuse(s, err, err == -ENOENT ?
					     "there is no link '%s'" : err == -EBUSY ?
					     "another session uses link '%s'" : err == -ENOTCONN ?
					     "link '%s' is dead: make it anew" :
					     "link '%s' has no channels", name);
	if (link->nr_channels < n && !shared) {
		migmux_link_detach(link, NULL);
		return migmux_session_refuse(s, -EINVAL, "link '%s' has fewer channels than the session has devices: one for each at least, or let them share all",
					     name);
	}
	s->link = link;
	for (i = 0; i < link->nr_channels; i++)
		deal_out(s, link->channels[i], shared ? NULL : poorest(s));
	spin_lock(&s->report->lock);
	strscpy(s->report->link, name, sizeof(s->report->link));
	spin_unlock(&s->report->lock);
	return 0;
}

long migmux_ioctl_link_attach(struct migmux_session *s, void *args)
{
	struct vfio_migmux_link_attach *attach_args = args;
	int err;

	if (attach_args->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (strnlen(attach_args->name, sizeof(attach_args->name)) ==
	    sizeof(attach_args->name))
		return migmux_session_refuse(s, -EINVAL, "the link's name is not terminated");
	mutex_lock(&s->mutex);
	err = migmux_ioctl_check_setup(s);
	if (!err)
		err = attach(s, attach_args->name,
			     attach_args->flags & VFIO_MIGMUX_LINK_ATTACH_SHARED);
	if (!err)
		attach_args->nr_channels = s->nr_channels;
	mutex_unlock(&s->mutex);
	return err;
}

/* As vmemdup_user(), but the VMM's cgroup pays for it. */
static void *blob_get(const struct vfio_migmux_config *config)
{
	void *blob = kvmalloc(config->size, GFP_KERNEL_ACCOUNT);

	if (!blob)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_user(blob, u64_to_user_ptr(config->data), config->size))
		return blob;
	kvfree(blob);
	return ERR_PTR(-EFAULT);
}

long migmux_ioctl_config_set(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_config *config = args;
	struct migmux_device *dev;
	void *blob = NULL;
	int err = 0;

	if (config->size > MIGMUX_WIRE_CONFIG_MAX)
		return migmux_session_refuse(s, -EINVAL, "a config blob of %u bytes is over the limit of %u",
					     config->size, MIGMUX_WIRE_CONFIG_MAX);
	if (config->size) {
		blob = blob_get(config);
		if (IS_ERR(blob))
			return PTR_ERR(blob);
	}
	mutex_lock(&s->mutex);
	dev = migmux_ioctl_device(s, config->device);
	if (!dev) {
		err = -ENOENT;
	} else if (s->role == VFIO_MIGMUX_ROLE_DESTINATION) {
		err = migmux_session_refuse(s, -EBUSY, "a destination receives its config blobs");
	} else {
		spin_lock(&s->lock);
		if (dev->config_done) {
			err = -EBUSY;
		} else {
			swap(dev->config_frame.config, blob);
			dev->config_frame.bytes = config->size;
		}
		spin_unlock(&s->lock);
		if (err)
			migmux_session_refuse(s, err, "the state of device %u is sent already",
					      config->device);
	}
	mutex_unlock(&s->mutex);
	kvfree(blob);
	return err;
}

long migmux_ioctl_config_get(struct migmux_session *s, void *args)
{
	struct vfio_migmux_config *config = args;
	struct migmux_device *dev;
	u32 room = config->size;
	bool there;
	int err = 0;

	mutex_lock(&s->mutex);
	dev = migmux_ioctl_device(s, config->device);
	if (!dev) {
		err = -ENOENT;
		goto out;
	}
	/* what is there does not change any more on a destination, and only under
	 * our mutex on a source
	 */
	spin_lock(&s->lock);
	there = s->role == VFIO_MIGMUX_ROLE_DESTINATION ? dev->eof && dev->config_done :
							  dev->config_frame.bytes;
	spin_unlock(&s->lock);
	if (!there || !dev->config_frame.bytes) {
		err = migmux_session_refuse(s, -ENODATA, "there is no config blob of device %u",
					    config->device);
		goto out;
	}
	config->size = dev->config_frame.bytes;
	if (room < config->size)
		err = migmux_session_refuse(s, -ENOSPC, "the config blob has %u bytes, and %u fit",
					    config->size, room);
	else if (copy_to_user(u64_to_user_ptr(config->data),
			      dev->config_frame.config, config->size))
		err = -EFAULT;
out:
	mutex_unlock(&s->mutex);
	return err;
}
