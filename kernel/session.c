// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: their lifetime.
 *
 * The open file holds one reference, every queued work one, and so does every frame that
 * a socket still reads. When the file is
 * closed, migmux_session_close() (end.c) ends what runs, and then
 * migmux_session_detach() gives back all that the session holds outside. What is
 * left is memory, freed with the last reference:
 *
 * 1. Movers are stopped before the detach, so nobody uses channels, staging, data
 *    files or targets for DMA.
 * 2. A batch holds a reference, and the close waits until none runs.
 * 3. end_work, gone_work and guard_work hold references. All are waited for before the
 *    detach, also the end_work of a failure that was told but had not queued it yet. What
 *    comes later looks at what is there under the mutex, and finds nothing.
 * 4. A hook's owner slot is emptied by the detach, under the hook's lock, so no
 *    migmux_device_gone() comes later.
 * 5. The report has a reference count of its own.
 * 6. A frame in flight gives itself back to its staging, which it holds, under the
 *    session's lock, and wakes movers, of which there are none.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "channel.h"
#include "guard.h"
#include "hook.h"
#include "limit.h"
#include "link.h"
#include "ready.h"
#include "send.h"
#include "session.h"
#include "trace.h"

static void session_free(struct kref *ref)
{
	struct migmux_session *s = container_of(ref, struct migmux_session, ref);
	struct migmux_device *dev;
	u32 i;

	for (i = 0; i < s->nr_devices; i++) {
		dev = s->devices[i] ?: s->removed[i];
		migmux_device_free(dev);
	}
	migmux_dma_free(s);
	migmux_ready_free(s);
	migmux_report_put(s->report);
	migmux_identity_put(&s->owner);
	put_net(s->net);
	mutex_destroy(&s->mutex);
	trace_migmux_object_destroy("session", s);
	kvfree(s);
	migmux_limit_session_put();
}

/**
 * migmux_session_get() - take a reference
 * @s: a session that somebody has a reference to
 */
void migmux_session_get(struct migmux_session *s)
{
	kref_get(&s->ref);
}

/**
 * migmux_session_put() - give back a reference
 * @s: the session
 *
 * Context: sleeps if it is the last one.
 */
void migmux_session_put(struct migmux_session *s)
{
	kref_put(&s->ref, session_free);
}

static void gone_work(struct work_struct *work)
{
	struct migmux_session *s = container_of(work, struct migmux_session, gone_work);
	struct migmux_device *dev;
	u32 i;

	mutex_lock(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		if (!READ_ONCE(dev->gone) || !dev->file)
			continue;
		migmux_device_set_error(dev, -ENODEV);
		migmux_session_fail(s, -ENODEV, i, VFIO_MIGMUX_INDEX_NONE,
				    "%s was unregistered", dev->hook->name);
		/* a session that failed before, or handed over, still holds it */
		if (migmux_session_idle(s))
			migmux_device_detach(dev);
	}
	mutex_unlock(&s->mutex);
	migmux_session_put(s);
}

/**
 * migmux_session_create() - a session for a file that is being opened
 *
 * Context: sleeps.
 * Return: the session with one reference, or ERR_PTR: -ENFILE (there are enough), -ENOMEM.
 */
struct migmux_session *migmux_session_create(void)
{
	struct net *net = current->nsproxy->net_ns;
	struct migmux_session *s;

	if (!migmux_limit_session_take())
		return ERR_PTR(-ENFILE);
	s = kvzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		goto err_put;
	kref_init(&s->ref);
	mutex_init(&s->mutex);
	spin_lock_init(&s->lock);
	INIT_LIST_HEAD(&s->shared);
	init_waitqueue_head(&s->wq);
	init_waitqueue_head(&s->buffer_wq);
	migmux_dma_init(s);
	migmux_events_init(&s->events);
	INIT_WORK(&s->gate_work, migmux_batch_gate_work);
	INIT_WORK(&s->end_work, migmux_session_end_work);
	INIT_WORK(&s->gone_work, gone_work);
	migmux_guard_init(s);
	INIT_DELAYED_WORK(&s->reclaim_work, migmux_splice_reclaim_work);
	s->recover = VFIO_MIGMUX_RECOVER_NONE;
	s->report = migmux_report_create(net);
	if (!s->report)
		goto err_free;
	s->net = get_net(net);
	trace_migmux_object_create("session", s);
	return s;

err_free:
	mutex_destroy(&s->mutex);
	kvfree(s);
err_put:
	migmux_limit_session_put();
	return ERR_PTR(-ENOMEM);
}

/**
 * migmux_session_device_from() - for migmux_session_for_each_device()
 * @s: the session
 * @index: where to begin; is set to the device's index
 *
 * Context: as migmux_session_live().
 * Return: the first device from @index on, or NULL.
 */
struct migmux_device *
migmux_session_device_from(const struct migmux_session *s, u32 *index)
{
	for (; *index < s->nr_devices; (*index)++)
		if (s->devices[*index])
			return s->devices[*index];
	return NULL;
}

/**
 * migmux_session_live() - number of devices in the session
 * @s: the session
 *
 * Context: the session's mutex is held, or the session saves or loads: then the
 * number does not change.
 */
u32 migmux_session_live(const struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i, n = 0;

	migmux_session_for_each_device(s, dev, i)
		n++;
	return n;
}

/**
 * migmux_session_drive() - refuse state changes of the devices from elsewhere
 * @s: the session
 *
 * Context: the session's mutex is held. Waits for calls that are going on.
 * Return: 0, or -EINTR if a fatal signal came.
 */
int migmux_session_drive(struct migmux_session *s)
{
	struct migmux_device *dev;
	int err;
	u32 i;

	lockdep_assert_held(&s->mutex);
	migmux_session_for_each_device(s, dev, i) {
		if (!dev->file)
			continue;
		err = migmux_hook_drive(dev->hook);
		if (err) {
			migmux_session_rest(s);
			return err;
		}
	}
	return 0;
}

/**
 * migmux_session_rest() - allow state changes from elsewhere again
 * @s: the session
 *
 * Context: any but irq; the devices cannot be removed meanwhile.
 */
void migmux_session_rest(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	/* a device that was given back may belong to another session by now */
	migmux_session_for_each_device(s, dev, i)
		if (READ_ONCE(dev->file))
			migmux_hook_rest(dev->hook);
}

/**
 * migmux_session_wake_channels() - there is something to be said on all channels
 * @s: the session, which saves or loads
 *
 * Context: not in irq.
 */
void migmux_session_wake_channels(struct migmux_session *s)
{
	u32 i;

	for (i = 0; i < s->nr_channels; i++)
		migmux_mover_wake(&s->channels[i]->mover);
}

/**
 * migmux_session_wake_stalled() - staging memory was freed, or an order advanced
 * @s: the session
 *
 * Context: not in softirq; the session's lock is not held.
 */
void migmux_session_wake_stalled(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		if (READ_ONCE(dev->stalled[MIGMUX_WAIT_STAGING]))
			migmux_mover_wake(&dev->mover);
	/* nor of a session whose start failed: its frames may still be on their way */
	if (s->role != VFIO_MIGMUX_ROLE_DESTINATION)
		return;
	for (i = 0; i < s->nr_channels; i++)
		if (READ_ONCE(s->channels[i]->stalled))
			migmux_mover_wake(&s->channels[i]->mover);
	if (wq_has_sleeper(&s->buffer_wq))
		wake_up_all(&s->buffer_wq);
}

/*
 * May the link be used again? Only if each channel stands at the end of a packet
 * and nothing is on its way.
 */
static bool link_is_clean(struct migmux_session *s)
{
	struct migmux_channel *ch;
	u32 i;

	if (s->role == VFIO_MIGMUX_ROLE_NONE)
		return !s->failed;
	if (s->asking)
		return migmux_ready_left(s);
	if (!s->handed_over || !s->verdict)
		return false;
	for (i = 0; i < s->nr_channels; i++) {
		ch = s->channels[i];
		if (!ch->confirmed || ch->closed)
			return false;
	}
	return true;
}

static void detach_channels(struct migmux_session *s)
{
	bool clean = link_is_clean(s);
	char text[VFIO_MIGMUX_TEXT_SIZE];
	u32 i;

	for (i = 0; i < s->nr_channels; i++) {
		struct migmux_channel *ch = s->channels[i];

		/* the peer must not wait for what will not come */
		if (s->link && !clean && !s->failed)
			migmux_channel_shutdown(ch, SHUT_RDWR);
		list_del_init(&ch->dev_node);
		ch->session = NULL;
		ch->device = NULL;
		if (!s->link)
			migmux_channel_destroy(ch);
	}
	s->nr_channels = 0;
	if (!s->link)
		return;
	if (!clean) {
		spin_lock(&s->report->lock);
		strscpy(text, s->report->failed ? s->report->text :
			"a session ended without the peer's confirmation",
			sizeof(text));
		spin_unlock(&s->report->lock);
	}
	migmux_link_detach(s->link, clean ? NULL : text);
	s->link = NULL;
}

/**
 * migmux_session_detach() - give back everything that is not the session's own
 * @s: the session; no mover, batch or work of it runs, and it has no staging
 *
 * Context: takes the session's mutex. Sleeps.
 */
void migmux_session_detach(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	mutex_lock(&s->mutex);
	detach_channels(s);
	migmux_session_for_each_device(s, dev, i)
		migmux_device_detach(dev);
	migmux_dma_detach(s);
	mutex_unlock(&s->mutex);
}
