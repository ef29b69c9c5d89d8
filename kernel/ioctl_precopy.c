// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_PRECOPY_INFO: what is left to be sent.
 */
#include <linux/uaccess.h>

#include "device.h"
#include "hook.h"
#include "ioctl.h"
#include "session.h"
#include "upage.h"

static int check(struct migmux_session *s,
		 const struct vfio_migmux_precopy_info *info)
{
	if (info->device_size > PAGE_SIZE ||
	    (info->devices && info->device_size < sizeof(u64)))
		return migmux_session_refuse(s, -EINVAL, "device_size is %u",
					     info->device_size);
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed");
	if (!s->precopy)
		return migmux_session_refuse(s, -EBUSY, "the session is not in pre-copy");
	if (migmux_batch_running(s))
		return migmux_session_refuse(s, -EBUSY, "the devices are on their way into pre-copy: wait for the milestone PRECOPY");
	return 0;
}

/* Nobody changes @running: that needs a batch, and so the session's mutex. */
static int ask_precopy(struct migmux_device *dev, unsigned long uaddr,
		       struct vfio_migmux_precopy_device *d)
{
	struct migmux_session *s = dev->session;
	struct vfio_precopy_info info;
	int err;

	if (!dev->pre.running || !dev->data_file)
		return 0;
	err = migmux_precopy_query(dev->data_file, uaddr, &info);
	if (err)
		return migmux_session_refuse(s, err, "%s does not tell what it has in pre-copy: error %d",
					     dev->hook->name, -err);
	migmux_precopy_heard(dev, &info);
	d->initial_bytes = info.initial_bytes;
	d->dirty_bytes = info.dirty_bytes;
	d->flags = VFIO_MIGMUX_PRECOPY_ACTIVE;
	spin_lock(&s->lock);
	if (dev->pre.ack == MIGMUX_PRECOPY_ACKED)
		d->flags |= VFIO_MIGMUX_PRECOPY_ACKED;
	spin_unlock(&s->lock);
	return 0;
}

static int ask(struct migmux_device *dev, unsigned long uaddr,
	       struct vfio_migmux_precopy_device *d)
{
	const struct vfio_migmux_timeline_device *t = &dev->report->t;
	struct migmux_session *s = dev->session;
	int err;

	*d = (struct vfio_migmux_precopy_device) { .index = dev->index };
	err = ask_precopy(dev, uaddr, d);
	if (err)
		return err;
	err = migmux_hook_get_data_size(dev->hook, &d->stop_copy_bytes);
	if (err)
		return migmux_session_refuse(s, err, "%s does not tell how much it has to save: error %d",
					     dev->hook->name, -err);
	spin_lock(&s->report->lock);
	d->bytes = t->precopy_bytes;
	d->rounds = t->precopy_rounds;
	d->ns = t->precopy_ns;
	spin_unlock(&s->report->lock);
	return 0;
}

static void add(struct vfio_migmux_precopy_info *info,
		const struct vfio_migmux_precopy_device *d)
{
	info->nr_precopy += !!(d->flags & VFIO_MIGMUX_PRECOPY_ACTIVE);
	info->nr_acked += !!(d->flags & VFIO_MIGMUX_PRECOPY_ACKED);
	info->initial_bytes += d->initial_bytes;
	info->dirty_bytes += d->dirty_bytes;
	info->stop_copy_bytes += d->stop_copy_bytes;
}

static int put(const struct vfio_migmux_precopy_info *info, u32 n,
	       const struct vfio_migmux_precopy_device *d)
{
	void __user *to = u64_to_user_ptr(info->devices) + (size_t)n * info->device_size;

	return migmux_ioctl_put(to, info->device_size, d, sizeof(*d));
}

static int ask_all(struct migmux_session *s, struct vfio_migmux_precopy_info *info,
		   unsigned long uaddr)
{
	const u32 room = info->devices ? info->nr_devices : 0;
	struct vfio_migmux_precopy_device d;
	struct migmux_device *dev;
	u32 i, n = 0;
	int err;

	migmux_session_for_each_device(s, dev, i) {
		err = ask(dev, uaddr, &d);
		if (!err && n < room)
			err = put(info, n, &d);
		if (err)
			return err;
		add(info, &d);
		n++;
	}
	info->nr_devices = n;
	return 0;
}

long migmux_ioctl_precopy_info(struct migmux_session *s, void *args)
{
	struct vfio_migmux_precopy_info *info = args;
	unsigned long uaddr;
	int err;

	info->nr_precopy = 0;
	info->nr_acked = 0;
	info->initial_bytes = 0;
	info->dirty_bytes = 0;
	info->stop_copy_bytes = 0;
	mutex_lock(&s->mutex);
	err = check(s, info);
	if (err)
		goto out_unlock;
	uaddr = migmux_upage_map();
	if (IS_ERR_VALUE(uaddr)) {
		err = migmux_session_refuse(s, (int)uaddr, "no page for the drivers' answers");
		goto out_unlock;
	}
	err = ask_all(s, info, uaddr);
	migmux_upage_unmap(uaddr);
out_unlock:
	mutex_unlock(&s->mutex);
	return err;
}
