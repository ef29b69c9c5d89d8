// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of a session.
 *
 * What a device holds from migmux_device_add() to migmux_device_detach(): its
 * VFIO file (so it stays open, and its driver loaded), its hook's owner slot and a
 * reference to the hook's record. The structure itself lives as long as the
 * session, because workers and netlink names may still point to it.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "channel.h"
#include "compat.h"
#include "datafile.h"
#include "follow.h"
#include "hook.h"
#include "limit.h"
#include "pump.h"
#include "session.h"
#include "set.h"
#include "trace.h"

static bool has_identity(const struct migmux_device *dev, const char *idstr,
			 u32 instance_id)
{
	return dev->instance_id == instance_id && !strcmp(dev->idstr, idstr);
}

static int check_new(struct migmux_session *s, struct migmux_hook *hook,
		     const char *idstr, u32 instance_id)
{
	struct migmux_wire_fault fault = { };
	const u32 max = migmux_devices_max();
	char text[MIGMUX_WIRE_FAULT_LEN];
	struct migmux_device *dev;
	u32 i;

	if (migmux_wire_idstr_check(idstr, &fault)) {
		migmux_wire_fault_format(text, sizeof(text), &fault);
		return migmux_session_refuse(s, -EINVAL, "device name: %s", text);
	}
	if (s->nr_devices >= max)
		return migmux_session_refuse(s, -ENOSPC, "a session holds at most %u devices: see the module parameter max_devices",
					     max);
	migmux_session_for_each_device(s, dev, i) {
		if (dev->hook == hook)
			return migmux_session_refuse(s, -EEXIST, "%s is device %u of this session already",
						     hook->name, i);
		if (has_identity(dev, idstr, instance_id))
			return migmux_session_refuse(s, -EEXIST, "device %u has the name %s, instance %u already",
						     i, idstr, instance_id);
	}
	return 0;
}

static struct migmux_device *create(struct migmux_session *s,
				    struct migmux_hook *hook, struct file *file,
				    const char *idstr, u32 instance_id, u32 weight)
{
	struct migmux_device *dev;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	if (!dev)
		return NULL;
	dev->session = s;
	dev->index = s->nr_devices;
	dev->hook = hook;
	dev->file = file;
	dev->flags = hook->vdev->migration_flags;
	dev->instance_id = instance_id;
	dev->weight = weight;
	strscpy(dev->idstr, idstr, sizeof(dev->idstr));
	INIT_LIST_HEAD(&dev->channels);
	INIT_LIST_HEAD(&dev->config_frame.node);
	dev->config_frame.device = dev;
	INIT_WORK(&dev->batch_work, migmux_batch_work);
	INIT_WORK(&dev->load_work, migmux_feed_load_work);
	migmux_mover_init(&dev->mover);
	migmux_gather_init(&dev->gather);
	migmux_precopy_init(dev);
	trace_migmux_object_create("device", dev);
	return dev;
}

static int hold(struct migmux_session *s, struct migmux_device *dev)
{
	struct migmux_member *m;
	int err;

	err = migmux_hook_hold(dev->hook, dev);
	if (err == -EBUSY)
		migmux_session_refuse(s, err, "%s belongs to another session",
				      dev->hook->name);
	else if (err)
		migmux_session_refuse(s, err, "%s is being unregistered",
				      dev->hook->name);
	if (err)
		return err;
	/* what a set began for it, and nobody claimed, is no business of ours */
	m = migmux_hook_member(dev->hook);
	if (m) {
		migmux_early_settle(m);
		migmux_member_put(m);
	}
	return 0;
}

static int refuse_file(struct migmux_session *s, int fd, int err)
{
	if (err == -EBADF)
		return migmux_session_refuse(s, err, "descriptor %d is not that of an opened VFIO device (a group's will not do)",
					     fd);
	return migmux_session_refuse(s, err, "the driver of the device behind descriptor %d does not support migration",
				     fd);
}

/**
 * migmux_device_add() - take a device into a session
 * @s: the session, not saving or loading yet
 * @fd: VFIO device file descriptor of the current process
 * @idstr: name on the wire, NUL-terminated
 * @instance_id: second half of the name
 * @weight: its part of what devices share
 * @added: the device, when it returns 0
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0, or an error of VFIO_MIGMUX_DEVICE_ADD with its text.
 */
int migmux_device_add(struct migmux_session *s, int fd, const char *idstr,
		      u32 instance_id, u32 weight, struct migmux_device **added)
{
	enum vfio_device_mig_state state;
	struct migmux_device *dev;
	struct migmux_hook *hook;
	struct file *file;
	int err;

	file = fget(fd);
	if (!file)
		return migmux_session_refuse(s, -EBADF, "descriptor %d is not open", fd);
	hook = migmux_hook_get_by_file(file);
	if (IS_ERR(hook)) {
		err = refuse_file(s, fd, PTR_ERR(hook));
		goto err_fput;
	}
	err = check_new(s, hook, idstr, instance_id);
	if (err)
		goto err_put_hook;
	err = -ENOMEM;
	dev = create(s, hook, file, idstr, instance_id, weight);
	if (!dev)
		goto err_put_hook;
	err = hold(s, dev);
	if (err)
		goto err_free;
	dev->report = migmux_report_device_add(s->report, hook->name, idstr,
					       instance_id, weight);
	if (!dev->report) {
		err = -ENOMEM;
		goto err_release;
	}
	s->devices[s->nr_devices++] = dev;
	*added = dev;
	/* for the timeline; each step looks again */
	if (!migmux_hook_get_state(hook, &state))
		migmux_device_set_state(dev, state);
	return 0;

err_release:
	migmux_hook_release(hook);
err_free:
	trace_migmux_object_destroy("device", dev);
	kfree(dev);
err_put_hook:
	migmux_hook_put(hook);
err_fput:
	fput(file);
	return err;
}

/**
 * migmux_device_detach() - give back all that a device holds outside
 * @dev: the device; no mover or batch uses it. Nothing happens the second time
 *
 * Context: the session's mutex is held. Sleeps.
 */
void migmux_device_detach(struct migmux_device *dev)
{
	lockdep_assert_held(&dev->session->mutex);
	if (!dev->file)
		return;
	migmux_device_put_data_file(dev);
	migmux_hook_release(dev->hook);
	fput(dev->file);
	dev->file = NULL;
}

/**
 * migmux_device_free() - free a detached device
 * @dev: the device; nobody can reach it any more
 */
void migmux_device_free(struct migmux_device *dev)
{
	migmux_hook_put(dev->hook);
	kvfree(dev->config_frame.config);
	trace_migmux_object_destroy("device", dev);
	kfree(dev);
}

/**
 * migmux_device_gone() - the device is being unregistered
 * @dev: the device
 *
 * Unregistration waits until nobody has the device open: the session must let it
 * go. It fails, and end_work detaches the device.
 *
 * Context: the hook's lock is held: does not sleep.
 */
void migmux_device_gone(struct migmux_device *dev)
{
	struct migmux_session *s = dev->session;

	WRITE_ONCE(dev->gone, true);
	migmux_session_get(s);		/* the work puts it */
	if (!queue_work(migmux_compat_unbound_wq, &s->gone_work))
		migmux_session_put(s);
}

/**
 * migmux_device_session_id() - for whom a hook is held
 * @dev: owner of a hook
 */
u32 migmux_device_session_id(const struct migmux_device *dev)
{
	return dev->session->report->id;
}

static bool is_quiesced(u32 state)
{
	return state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static bool is_stopped(u32 state)
{
	return state == VFIO_DEVICE_STATE_STOP ||
	       state == VFIO_DEVICE_STATE_STOP_COPY;
}

/**
 * migmux_device_set_state() - note where a device is, and count for milestones
 * @dev: the device
 * @state: enum vfio_device_mig_state
 *
 * Context: whoever walks or plans the device; may sleep, no lock is held but the
 * session's mutex.
 */
void migmux_device_set_state(struct migmux_device *dev, u32 state)
{
	struct migmux_session *s = dev->session;
	const u32 live = migmux_session_live(s);
	bool quiesced = false, stopped = false;

	dev->state = state;
	spin_lock(&s->report->lock);
	dev->report->t.state = state;
	spin_unlock(&s->report->lock);
	if (READ_ONCE(s->role) != VFIO_MIGMUX_ROLE_SOURCE)
		return;
	spin_lock(&s->lock);
	if (!dev->quiesced && (is_quiesced(state) || is_stopped(state))) {
		dev->quiesced = true;
		quiesced = ++s->nr_quiesced == live;
	}
	if (!dev->stopped && is_stopped(state)) {
		dev->stopped = true;
		stopped = ++s->nr_stopped == live;
	}
	spin_unlock(&s->lock);
	if (state == VFIO_DEVICE_STATE_STOP_COPY)
		migmux_precopy_stopped(dev);
	if (quiesced)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_QUIESCED);
	if (stopped)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_STOPPED);
}

/**
 * migmux_device_first_frame() - destination: a frame has come, perhaps the first
 * @dev: the device
 * @nr_channels: channels that so turn out to be the device's: 1 or 0
 * @precopy: its first frame there is one of pre-copy
 *
 * Context: the channel's mover, or the VMM's ioctl; sleeps.
 */
void migmux_device_first_frame(struct migmux_device *dev, u32 nr_channels, bool precopy)
{
	struct vfio_migmux_timeline_device *t = &dev->report->t;
	struct migmux_report *r = dev->session->report;
	bool first;

	spin_lock(&r->lock);
	first = !t->first_byte_ns;
	if (first)
		t->first_byte_ns = ktime_get_ns();
	t->nr_channels += nr_channels;
	spin_unlock(&r->lock);
	if (first)
		migmux_session_phase_start(dev->session, dev->index, precopy ?
					   VFIO_MIGMUX_PHASE_PRECOPY :
					   VFIO_MIGMUX_PHASE_TRANSFER);
}

/**
 * migmux_device_stall_locked() - measure how long a device's mover waits
 * @dev: the device
 * @wait: for what
 * @waits: does it now? The first look that finds so is the beginning
 *
 * Context: the session's lock is held, so that whoever ends the wait, and then looks,
 * sees who waits.
 */
void migmux_device_stall_locked(struct migmux_device *dev, enum migmux_wait wait, bool waits)
	__must_hold(&dev->session->lock)
{
	lockdep_assert_held(&dev->session->lock);
	migmux_report_wait(dev->session->report, dev->report, wait, &dev->stalled[wait], waits);
}

/**
 * migmux_device_sent_locked() - source: has the device's last byte just been taken?
 * @dev: the device
 * @all: is set if it was the last device
 *
 * Context: the session's lock is held.
 * Return: true once: follow with migmux_device_sent_tell() when the lock is dropped.
 */
bool migmux_device_sent_locked(struct migmux_device *dev, bool *all)
	__must_hold(&dev->session->lock)
{
	struct migmux_session *s = dev->session;

	lockdep_assert_held(&s->lock);
	if (!dev->config_done || dev->unsent || dev->sent)
		return false;
	dev->sent = true;
	*all = ++s->nr_sent == migmux_session_live(s);
	return true;
}

/**
 * migmux_device_sent_tell() - source: tell who waits for that
 * @dev: the device
 * @all: it was the last one
 *
 * Context: a mover; sleeps.
 */
void migmux_device_sent_tell(struct migmux_device *dev, bool all)
{
	struct migmux_session *s = dev->session;

	migmux_session_phase_end(s, dev->index, VFIO_MIGMUX_PHASE_TRANSFER, 0);
	if (!all)
		return;
	/* without a verdict this is the end, and the VMM may begin its next step */
	if (!s->verdict)
		migmux_session_rest(s);
	migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_SENT);
	if (s->verdict)
		migmux_verdict_decide(s);
}

/**
 * migmux_device_stopped_frame() - destination: a frame that is not of pre-copy has come
 * @dev: the device
 *
 * Context: the channel's mover; sleeps.
 */
void migmux_device_stopped_frame(struct migmux_device *dev)
{
	struct vfio_migmux_span *phases = dev->report->t.phases;
	struct migmux_session *s = dev->session;
	const u64 now = ktime_get_ns();
	bool switched = false;

	spin_lock(&s->report->lock);
	if (phases[VFIO_MIGMUX_PHASE_PRECOPY].start_ns &&
	    !phases[VFIO_MIGMUX_PHASE_PRECOPY].end_ns) {
		phases[VFIO_MIGMUX_PHASE_PRECOPY].end_ns = now;
		phases[VFIO_MIGMUX_PHASE_TRANSFER].start_ns = now;
		switched = true;
	}
	spin_unlock(&s->report->lock);
	if (!switched)
		return;
	migmux_event_post(s, VFIO_MIGMUX_EVENT_PHASE_END, dev->index,
			  VFIO_MIGMUX_INDEX_NONE, VFIO_MIGMUX_PHASE_PRECOPY, 0, NULL);
	migmux_event_post(s, VFIO_MIGMUX_EVENT_PHASE_START, dev->index,
			  VFIO_MIGMUX_INDEX_NONE, VFIO_MIGMUX_PHASE_TRANSFER, 0, NULL);
}

/**
 * migmux_device_set_error() - note a device's failure for the timeline
 * @dev: the device
 * @err: negative errno, or 0 when a new step begins
 *
 * The first failure of a device stays until the next step: what fails on the way
 * back follows from it.
 *
 * Context: any but irq.
 */
void migmux_device_set_error(struct migmux_device *dev, int err)
{
	struct vfio_migmux_timeline_device *t = &dev->report->t;

	spin_lock(&dev->session->report->lock);
	if (!err || !t->error || t->error == ECANCELED)
		t->error = -err;
	spin_unlock(&dev->session->report->lock);
}

/**
 * migmux_device_set_data_file() - the driver gave a data file: the mover can go
 * @dev: the device
 * @file: the file; the reference passes to @dev
 */
void migmux_device_set_data_file(struct migmux_device *dev, struct file *file)
{
	enum vfio_migmux_read_method method;
	struct file *old;
	bool known;

	/* without a way the mover will say so */
	known = migmux_datafile_method(file, &method);
	spin_lock(&dev->session->report->lock);
	dev->report->has_method = known;
	dev->report->method = method;
	spin_unlock(&dev->session->report->lock);
	migmux_precopy_leave(dev);
	migmux_precopy_listen(dev, file);
	spin_lock(&dev->session->lock);
	old = dev->data_file;
	dev->data_file = file;
	spin_unlock(&dev->session->lock);
	if (old)
		fput(old);
	migmux_mover_wake(&dev->mover);
}

/**
 * migmux_device_put_data_file() - give the data file back, if there is one
 * @dev: the device; its mover does not use the file
 */
void migmux_device_put_data_file(struct migmux_device *dev)
{
	struct file *file;

	spin_lock(&dev->session->lock);
	file = dev->data_file;
	dev->data_file = NULL;
	spin_unlock(&dev->session->lock);
	if (!file)
		return;
	migmux_precopy_leave(dev);
	fput(file);
	if (dev->adopted && dev->session->role == VFIO_MIGMUX_ROLE_NONE)
		migmux_device_set_adopted(dev, false, 0);
}

/**
 * migmux_device_set_adopted() - is the data file one of the VMM's?
 * @dev: the device of a session that does not save or load yet
 * @adopted: is it?
 * @first_idx: idx of the first frame: the VMM may have moved some itself
 *
 * Context: the session's mutex is held, or an arc of its gives the file back.
 */
void migmux_device_set_adopted(struct migmux_device *dev, bool adopted, u32 first_idx)
{
	migmux_gather_skip(&dev->gather, first_idx);
	dev->next_idx = first_idx;
	dev->first_idx = first_idx;
	dev->adopted = adopted;
}
