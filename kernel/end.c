// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a session ends: by failure, abort or close. All three come to end_work,
 * which stops everything in this order:
 *
 * 1. @failed is set: no mover starts another step, and migmux_verdict_*() decide
 *    nothing any more.
 * 2. The batch is cancelled: no new arc; wait for those that drivers have begun.
 * 3. Movers are stopped: wait for the step they are in. Now nobody queues
 *    load_work or reclaim_work, reads a data file or touches a channel.
 * 4. load_work is waited for.
 * 5. The peer is told, and the channels are shut down.
 * 6. Nobody maps memory any more, and what was mapped ahead of time is taken away.
 * 7. The devices go to the recover state, all together.
 *
 * A close of which nothing has to end does by itself what of this there is to do, and then no
 * end may begin beside it: @closing sees to that.
 */
#include <linux/file.h>
#include <linux/net.h>
#include <linux/vfio.h>

#include "channel.h"
#include "compat.h"
#include "guard.h"
#include "ready.h"
#include "send.h"
#include "session.h"
#include "spill.h"
#include "staging.h"
#include "trace.h"

/**
 * migmux_session_fail() - the session fails
 * @s: the session
 * @error: negative errno
 * @device: the device it is about, or VFIO_MIGMUX_INDEX_NONE
 * @channel: the channel it is about, or VFIO_MIGMUX_INDEX_NONE
 * @fmt: one line: what is wrong
 *
 * Only the first failure counts, and none after the devices are handed over, or when
 * nobody has the session open any more.
 *
 * The caller has a reference, or is one of those that the close waits for after end_work.
 *
 * Context: sleeps; movers may call it.
 */
void migmux_session_fail(struct migmux_session *s, int error, u32 device,
			 u32 channel, const char *fmt, ...)
{
	struct migmux_report *r = s->report;
	char text[VFIO_MIGMUX_TEXT_SIZE];
	va_list args;

	spin_lock(&s->lock);
	if (s->failed || s->handed_over || s->closing) {
		spin_unlock(&s->lock);
		return;
	}
	WRITE_ONCE(s->failed, true);
	spin_unlock(&s->lock);
	wake_up_all(&s->buffer_wq);

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	spin_lock(&r->lock);
	migmux_report_settle_locked(r);
	r->failed = true;
	r->error = -error;
	r->error_device = device;
	r->error_channel = channel;
	strscpy(r->text, text, sizeof(r->text));
	spin_unlock(&r->lock);

	trace_migmux_session_err(r->id, device, channel, error, text);
	migmux_event_post(s, VFIO_MIGMUX_EVENT_FAILED, device, channel, 0, -error,
			  text);
	migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_FAILED);
	migmux_session_get(s);		/* end_work puts it */
	queue_work(migmux_compat_unbound_wq, &s->end_work);
	/* who was told that it failed may be closing it already */
	WRITE_ONCE(s->ending, true);
	wake_up_all(&s->wq);
}

/**
 * migmux_session_killed() - a mover ends because the VMM is being killed
 * @s: the session
 *
 * Context: the mover, on its way out.
 */
void migmux_session_killed(struct migmux_session *s)
{
	migmux_dma_killed(s);
	migmux_session_fail(s, -EINTR, VFIO_MIGMUX_INDEX_NONE,
			    VFIO_MIGMUX_INDEX_NONE, "the VMM was killed");
}

/**
 * migmux_session_stop_movers() - wait until no mover runs
 * @s: the session
 *
 * Context: sleeps as long as the steps that movers are in. Not from a mover.
 */
void migmux_session_stop_movers(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		migmux_mover_stop(&dev->mover);
	for (i = 0; i < s->nr_channels; i++) {
		migmux_channel_stop(s->channels[i]);
		if (s->role == VFIO_MIGMUX_ROLE_SOURCE)
			migmux_send_abandon(s->channels[i]);
		s->channels[i]->frame = NULL;
	}
	cancel_delayed_work_sync(&s->reclaim_work);
	migmux_session_for_each_device(s, dev, i)
		flush_work(&dev->load_work);
}

/*
 * A destination that says why it failed leaves its receiving side open: closing
 * it with data on the way would reset the connection, and the verdict with it.
 */
static void shut_channels(struct migmux_session *s)
{
	const bool tell = s->verdict && s->role == VFIO_MIGMUX_ROLE_DESTINATION;
	u32 i;

	if (s->role == VFIO_MIGMUX_ROLE_NONE)
		return;
	/* who only asked goes without the destination noticing it */
	if (s->asking && migmux_ready_left(s))
		return;
	if (tell)
		migmux_verdict_send_failure(s);
	else if (s->verify)
		migmux_verdict_send_refusal(s);
	for (i = 0; i < s->nr_channels; i++)
		migmux_channel_shutdown(s->channels[i], tell ? SHUT_WR : SHUT_RDWR);
}

/*
 * Where to. A destination that gives a verdict must not run devices that have
 * taken their state, unless they are handed over: the source may run its own.
 */
static u32 recover_state(struct migmux_session *s)
{
	bool loaded;

	spin_lock(&s->lock);
	loaded = s->nr_loaded;
	spin_unlock(&s->lock);
	if (s->verdict && loaded && s->recover != VFIO_MIGMUX_RECOVER_NONE)
		return VFIO_DEVICE_STATE_STOP;
	return s->recover;
}

static void recover(struct migmux_session *s)
{
	const u32 state = recover_state(s);

	/* who only asked has moved nobody */
	if (state == VFIO_MIGMUX_RECOVER_NONE || s->asking)
		return;
	mutex_lock(&s->mutex);
	/* until now the arcs were the VMM's; a worker gets no signal */
	if (s->adopted)
		migmux_session_drive(s);
	migmux_batch_start(s, MIGMUX_BATCH_RECOVER, state,
			   VFIO_MIGMUX_RECOVER_NONE, 0, true);
	mutex_unlock(&s->mutex);
	wait_event(s->wq, !migmux_batch_running(s));
}

/* Devices that are being unregistered must be let go; the others stay. */
static void detach_gone(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	mutex_lock(&s->mutex);
	migmux_session_for_each_device(s, dev, i)
		if (READ_ONCE(dev->gone))
			migmux_device_detach(dev);
	mutex_unlock(&s->mutex);
}

/**
 * migmux_session_end_work() - stop everything, see above
 * @work: &migmux_session.end_work
 */
void migmux_session_end_work(struct work_struct *work)
{
	struct migmux_session *s = container_of(work, struct migmux_session, end_work);

	/*
	 * An ioctl may be starting movers or a batch: it holds the mutex, looks
	 * at @failed first, and when we have had the mutex it is over.
	 */
	mutex_lock(&s->mutex);
	mutex_unlock(&s->mutex);
	migmux_batch_cancel(s, -ECANCELED);
	wait_event(s->wq, !migmux_batch_running(s));
	migmux_session_stop_movers(s);
	shut_channels(s);
	migmux_dma_stop(s);
	recover(s);
	migmux_session_rest(s);
	spin_lock(&s->lock);
	s->ended = true;
	spin_unlock(&s->lock);
	detach_gone(s);
	migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_ENDED);
	migmux_session_put(s);
}

/**
 * migmux_session_idle() - does nothing of the session use its devices?
 * @s: the session
 *
 * Context: the session's mutex is held.
 * Return: true if the session has ended, or has handed over and runs no batch.
 */
bool migmux_session_idle(struct migmux_session *s)
{
	bool idle;

	spin_lock(&s->lock);
	idle = s->ended || (s->handed_over && !s->batch.running);
	spin_unlock(&s->lock);
	return idle;
}

static void close_work(struct work_struct *work)
{
	struct migmux_session *s =
		container_of(work, struct migmux_session, close_work);

	migmux_staging_destroy(s->staging);
	s->staging = NULL;
}

/**
 * migmux_session_close() - the file is closed
 * @s: the session; its reference is put
 *
 * Context: sleeps as long as drivers take for what they have begun.
 */
void migmux_session_close(struct migmux_session *s)
{
	bool done;

	spin_lock(&s->lock);
	done = (s->role == VFIO_MIGMUX_ROLE_NONE || s->asking) && !s->batch.running;
	/* without a verdict a source is done when the sockets have it all */
	done |= s->role == VFIO_MIGMUX_ROLE_SOURCE && !s->verdict &&
		s->nr_sent == migmux_session_live(s);
	s->closing = done;
	spin_unlock(&s->lock);
	if (!done)
		migmux_session_fail(s, -ECANCELED, VFIO_MIGMUX_INDEX_NONE,
				    VFIO_MIGMUX_INDEX_NONE, "the session was closed");
	/* whoever fails from now on, maybe because it cannot hand over, has nothing to end */
	spin_lock(&s->lock);
	s->closing = true;
	spin_unlock(&s->lock);
	/* a failure that came before ours is told first, and then queues its work */
	wait_event(s->wq, !READ_ONCE(s->failed) || READ_ONCE(s->ending));
	flush_work(&s->end_work);
	/* nothing runs any more but a batch after the handing over, and idle movers */
	migmux_batch_cancel(s, -ECANCELED);
	wait_event(s->wq, !migmux_batch_running(s));
	migmux_session_stop_movers(s);
	migmux_dma_stop(s);
	migmux_guard_stop(s);
	flush_work(&s->guard_work);
	flush_work(&s->gone_work);
	migmux_session_rest(s);
	migmux_spill_drop(s);
	if (s->staging) {
		/* by a worker: it borrows the address space of the owner */
		INIT_WORK(&s->close_work, close_work);
		queue_work(migmux_compat_unbound_wq, &s->close_work);
		flush_work(&s->close_work);
	}
	/*
	 * The rest here: a task closes what it puts before it returns to its
	 * process or is gone, a worker only some time later. Who waited for this
	 * process can open its devices at once.
	 */
	migmux_session_detach(s);
	/* what came in between has found nothing left to do */
	flush_work(&s->gone_work);
	migmux_report_close(s->net, s->report);
	migmux_session_put(s);
}

static void later_work(struct work_struct *work)
{
	migmux_session_close(container_of(work, struct migmux_session, later_work));
}

/**
 * migmux_session_close_later() - the file is closed by a thread that must not wait
 * @s: the session; its reference is put
 *
 * The module waits for it, too, when it is unloaded.
 *
 * Context: any.
 */
void migmux_session_close_later(struct migmux_session *s)
{
	INIT_WORK(&s->later_work, later_work);
	queue_work(migmux_wq, &s->later_work);
}
