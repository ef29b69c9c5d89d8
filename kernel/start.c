// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a session begins to save or to load. All that can fail or take time comes
 * before the first device moves.
 */
#include <linux/err.h>
#include <linux/sched/signal.h>

#include "adopt.h"
#include "channel.h"
#include "hook.h"
#include "ioctl.h"
#include "limit.h"
#include "pump.h"
#include "ready.h"
#include "recv.h"
#include "send.h"
#include "session.h"
#include "spill.h"
#include "staging.h"
#include "verify.h"

/* What saving and loading have in common. */
struct start {
	enum vfio_migmux_role role;
	enum migmux_batch_kind kind;
	u32 target;
	const struct migmux_mover_ops *device_ops;
	const struct migmux_mover_ops *channel_ops;
	const char *device_name;
	const char *channel_name;
	u32 recover;
	u32 timeout_ms;
	u64 staging;
	u64 max_queued;
	u64 max_spill;
	u64 max_state;
	bool verdict;
	bool verify;
	bool no_p2p;
	bool buffers;
	bool no_config;
	bool precopy;
	bool ask;
};

/*
 * SET_STATE has left a data file. A session can go on with what it would ask for itself; of
 * pre-copy a pump would not know that an end is a temporary one.
 */
static int check_data_file(struct migmux_session *s, const struct start *how,
			   const struct migmux_device *dev)
{
	const u32 good = how->role == VFIO_MIGMUX_ROLE_SOURCE ?
			 VFIO_DEVICE_STATE_STOP_COPY : VFIO_DEVICE_STATE_RESUMING;

	if (dev->adopted || !dev->data_file || dev->state == good)
		return 0;
	return migmux_session_refuse(s, -EINVAL, "%s is in %s by SET_STATE: take it back to RUNNING or STOP first",
				     dev->hook->name, migmux_state_name(dev->state));
}

static int check(struct migmux_session *s, const struct start *how)
{
	struct migmux_device *dev;
	int err;
	u32 i;

	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	if (s->role != VFIO_MIGMUX_ROLE_NONE)
		return migmux_session_refuse(s, -EBUSY, "a session saves or loads once: open a new one");
	if (migmux_batch_running(s))
		return migmux_session_refuse(s, -EBUSY, "a batch runs: wait for it first");
	if (!migmux_session_live(s))
		return migmux_session_refuse(s, -EINVAL, "the session has no device: add one first");
	if (!s->nr_channels && (!how->buffers || how->verdict))
		return migmux_session_refuse(s, -ENOTCONN, "the session has no channel: add one, or attach a link");
	if (how->staging > migmux_staging_max())
		return migmux_session_refuse(s, -ENOSPC, "staging of %llu bytes is over the limit of %llu",
					     how->staging, migmux_staging_max());
	if (how->max_spill > migmux_staging_max() && how->max_spill != VFIO_MIGMUX_NO_SPILL)
		return migmux_session_refuse(s, -ENOSPC, "max_spill of %llu bytes is over the limit of %llu for staging",
					     how->max_spill, migmux_staging_max());
	migmux_session_for_each_device(s, dev, i) {
		if (how->role == VFIO_MIGMUX_ROLE_SOURCE && !dev->nr_channels &&
		    list_empty(&s->shared))
			return migmux_session_refuse(s, -ENOTCONN, "device %u has no channel: add one for it",
						     i);
		err = check_data_file(s, how, dev);
		if (err)
			return err;
	}
	return 0;
}

static void reset_channel(struct migmux_session *s, struct migmux_channel *ch)
{
	ch->session = s;
	ch->carries = NULL;
	ch->seen = 0;
	INIT_LIST_HEAD(&ch->queue);
	ch->sched = (struct migmux_sched_chan) { };
	ch->frame = NULL;
	ch->offset = 0;
	ch->floor = 0;
	ch->have = 0;
	ch->stalled = false;
	ch->blocked = false;
	ch->send_error = 0;
	ch->acks = 0;
	ch->asked = false;
	ch->answered = 0;
	ch->told = 0;
	ch->verdict = false;
	ch->confirmed = false;
	ch->closed = false;
	ch->rx = ch->init_received ? MIGMUX_RX_PREFIX : MIGMUX_RX_INIT;
}

static int start_movers(struct migmux_session *s, const struct start *how)
{
	const u32 shared = list_count_nodes(&s->shared);
	struct migmux_device *dev;
	int err;
	u32 i;

	/* a pump whose data file is there already queues frames at once */
	for (i = 0; i < s->nr_channels; i++)
		reset_channel(s, s->channels[i]);
	migmux_session_for_each_device(s, dev, i) {
		dev->held = 0;
		spin_lock(&s->report->lock);
		/* a destination counts the channels that turn out to be a device's */
		dev->report->t.nr_channels = how->role == VFIO_MIGMUX_ROLE_SOURCE ?
					     dev->nr_channels + shared : 0;
		spin_unlock(&s->report->lock);
		migmux_verify_begin(dev);
		err = migmux_mover_start(&dev->mover, how->device_ops,
					 how->device_name);
		if (err)
			return err;
	}
	for (i = 0; i < s->nr_channels; i++) {
		err = migmux_channel_start(s->channels[i], how->channel_ops,
					   how->channel_name);
		if (err)
			return err;
	}
	return 0;
}

static u32 weights(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i, sum = 0;

	migmux_session_for_each_device(s, dev, i)
		sum += dev->weight;
	return sum;
}

/* How much may wait in the module: see struct vfio_migmux_load. */
static void set_limits(struct migmux_session *s, const struct start *how)
{
	const u32 frames = s->staging ? s->staging->nr_frames : 0;
	const u64 queued = DIV_ROUND_UP_ULL(how->max_queued, MIGMUX_WIRE_DATA_MAX);

	s->max_state = how->max_state;
	s->max_held = queued ? min_t(u64, queued, frames) : frames;
	if (how->max_spill == VFIO_MIGMUX_NO_SPILL)
		s->max_spill = 0;
	else
		s->max_spill = how->max_spill ?: (u64)frames * MIGMUX_WIRE_DATA_MAX;
}

static void set_role(struct migmux_session *s, const struct start *how)
{
	set_limits(s, how);
	spin_lock(&s->report->lock);
	s->report->role = how->role;
	s->report->staging_budget = s->staging ?
		(u64)s->staging->nr_frames * MIGMUX_WIRE_DATA_MAX : 0;
	spin_unlock(&s->report->lock);
	spin_lock(&s->lock);
	WRITE_ONCE(s->role, how->role);
	s->verdict = how->verdict;
	s->verify = how->verify;
	s->no_p2p = how->no_p2p;
	s->buffers = how->buffers;
	s->no_config = how->no_config;
	s->precopy = how->precopy;
	WRITE_ONCE(s->asking, how->ask);
	s->recover = how->recover;
	s->weights = weights(s);
	s->nr_quiesced = 0;
	s->nr_stopped = 0;
	spin_unlock(&s->lock);
}

static void unset_role(struct migmux_session *s)
{
	static const struct start none = {
		.recover = VFIO_MIGMUX_RECOVER_NONE,
	};
	struct migmux_device *dev;
	u32 i;

	set_role(s, &none);
	migmux_session_for_each_device(s, dev, i) {
		dev->quiesced = false;
		dev->stopped = false;
	}
}

/* Both ends must see all of the state, and exchange the result. */
static int check_verify(struct migmux_session *s, const struct start *how)
{
	if (!how->verify)
		return 0;
	if (!how->verdict)
		return migmux_session_refuse(s, -EINVAL, "verification needs the verdict: ask for that too");
	if (how->no_config || how->buffers || migmux_adopt_count(s))
		return migmux_session_refuse(s, -EINVAL, "verification needs all state to pass through the session's own channels: no adopted data files, no buffers, no config frames of the VMM's");
	return 0;
}

/* A question comes before all else. */
static int check_ask(struct migmux_session *s, const struct start *how)
{
	struct migmux_device *dev;
	u32 i;

	if (!how->ask)
		return 0;
	if (!how->verdict)
		return migmux_session_refuse(s, -EINVAL, "the destination says that it is ready as it gives its verdict: ask for that too");
	if (how->precopy)
		return migmux_session_refuse(s, -EINVAL, "pre-copy begins when the destination is ready: with a second call");
	migmux_session_for_each_device(s, dev, i)
		if (dev->data_file)
			return migmux_session_refuse(s, -EINVAL, "device %u has left RUNNING already: it is too late to ask",
						     i);
	if (migmux_ready_begin(s))
		return migmux_session_refuse(s, -ENOMEM, "no memory for the destination's answer");
	return 0;
}

/* Whose the arcs are: the session's, unless the VMM has made them already. */
static int check_adopted(struct migmux_session *s, const struct start *how)
{
	s->adopted = migmux_adopt_count(s);
	if (!s->adopted)
		return 0;
	if (how->verdict && how->role == VFIO_MIGMUX_ROLE_DESTINATION)
		return migmux_session_refuse(s, -EINVAL, "no verdict with adopted data files: whether the devices accept their state is told by the VMM's arcs");
	return migmux_adopt_check(s, how->target);
}

static int start_arcs(struct migmux_session *s, const struct start *how)
{
	if (how->ask)
		return 0;
	if (!s->adopted)
		return migmux_batch_start(s, how->kind, how->target, how->recover,
					  how->timeout_ms, how->no_p2p);
	migmux_adopt_begin(s);
	return 0;
}

/* How much the channels have received so far. */
static u64 received(const struct migmux_session *s)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < s->nr_channels; i++)
		bytes += atomic64_read(&s->channels[i]->received);
	return bytes;
}

/*
 * The session does not start, for a reason that was told. But movers ran: a pump that has
 * its data file from before may have read from it, a receiver from its socket. What they
 * have read is lost, so then the session must not be started again, nor its link be used.
 */
static void spoil(struct migmux_session *s, u64 received_before, int err)
{
	struct vfio_migmux_last_error why = { .argsz = sizeof(why) };
	bool lost = received(s) != received_before;
	struct migmux_device *dev;
	u32 i;

	/* and a question that was asked is answered once */
	lost |= s->asking && s->channels[0]->asked;
	migmux_session_for_each_device(s, dev, i)
		lost |= s->role == VFIO_MIGMUX_ROLE_SOURCE && dev->data_file;
	if (!lost)
		return;
	/* it has no role when it ends, and then the peer is not told */
	for (i = 0; i < s->nr_channels; i++)
		migmux_channel_shutdown(s->channels[i], SHUT_RDWR);
	migmux_ioctl_last_error(s, &why);
	/* no thread was created because the VMM is to stop: nobody shall see that number */
	migmux_session_fail(s, err == -ERESTARTNOINTR ? -EINTR : err, VFIO_MIGMUX_INDEX_NONE,
			    VFIO_MIGMUX_INDEX_NONE, "%s", (const char *)why.text);
}

static int start(struct migmux_session *s, const struct start *how)
{
	const u64 staging = how->staging ?: migmux_staging_default();
	const u64 before = received(s);
	int err;

	lockdep_assert_held(&s->mutex);
	err = check(s, how) ?: check_verify(s, how) ?: check_ask(s, how) ?:
	      check_adopted(s, how);
	if (err)
		return err;
	err = s->adopted ? 0 : migmux_session_drive(s);
	if (err)
		return migmux_session_refuse(s, err, "interrupted while the devices were busy");
	s->staging = migmux_staging_create(staging);
	if (IS_ERR(s->staging)) {
		err = PTR_ERR(s->staging);
		s->staging = NULL;
		if (err == -ENOSPC)
			migmux_session_refuse(s, err, "%llu bytes of staging are too many: all sessions together may have %llu, see the module parameter staging_total_mib",
					      staging, migmux_staging_total());
		else
			migmux_session_refuse(s, err, "no memory for %llu bytes of staging",
					      staging);
		goto err_rest;
	}
	set_role(s, how);
	if (s->adopted && s->precopy)
		migmux_adopt_precopy(s);
	err = start_movers(s, how);
	if (err) {
		migmux_session_refuse(s, err, "cannot create threads for the data path: error %d",
				      -err);
		goto err_stop;
	}
	err = start_arcs(s, how);
	if (err)
		goto err_stop;
	return 0;

err_stop:
	migmux_session_stop_movers(s);
	/* now nobody reads any more */
	spoil(s, before, err);
	migmux_spill_drop(s);
	unset_role(s);
	migmux_staging_release(s->staging);
	s->staging = NULL;
err_rest:
	migmux_session_rest(s);
	return err;
}

/**
 * migmux_session_save() - VFIO_MIGMUX_SAVE
 * @s: the session
 * @args: the ioctl's argument, checked for unknown flags
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0 when the switchover, pre-copy or the question is under way, or an error of
 * VFIO_MIGMUX_SAVE.
 */
int migmux_session_save(struct migmux_session *s,
			const struct vfio_migmux_save *args)
{
	const bool precopy = args->flags & VFIO_MIGMUX_SAVE_PRECOPY;
	const struct start how = {
		.role = VFIO_MIGMUX_ROLE_SOURCE,
		.kind = precopy ? MIGMUX_BATCH_PRECOPY : MIGMUX_BATCH_SAVE,
		.target = precopy ? VFIO_DEVICE_STATE_PRE_COPY :
				    VFIO_DEVICE_STATE_STOP_COPY,
		.device_ops = &migmux_pump_ops,
		.channel_ops = &migmux_send_mover_ops,
		.device_name = "migmux-pump",
		.channel_name = "migmux-send",
		.recover = args->recover,
		.timeout_ms = args->timeout_ms,
		.staging = args->staging,
		.verdict = args->flags & VFIO_MIGMUX_SAVE_VERDICT,
		.verify = args->flags & VFIO_MIGMUX_SAVE_VERIFY,
		.no_p2p = args->flags & VFIO_MIGMUX_SAVE_NO_P2P,
		.no_config = args->flags & VFIO_MIGMUX_SAVE_NO_CONFIG,
		.precopy = precopy,
		.ask = args->flags & VFIO_MIGMUX_SAVE_READY,
	};

	return start(s, &how);
}

/* A further call goes on with what the first one began. */
static int check_same(struct migmux_session *s, const struct vfio_migmux_save *args)
{
	if (!(args->flags & VFIO_MIGMUX_SAVE_VERDICT) != !s->verdict ||
	    !(args->flags & VFIO_MIGMUX_SAVE_VERIFY) != !s->verify ||
	    !(args->flags & VFIO_MIGMUX_SAVE_NO_P2P) != !s->no_p2p ||
	    !(args->flags & VFIO_MIGMUX_SAVE_NO_CONFIG) != !s->no_config)
		return migmux_session_refuse(s, -EINVAL, "flags %#x are not those that the session began with",
					     args->flags);
	if (args->staging)
		return migmux_session_refuse(s, -EINVAL, "staging is that of the first call: give 0 now");
	return 0;
}

static int check_go(struct migmux_session *s, const struct vfio_migmux_save *args)
{
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	if (args->flags & VFIO_MIGMUX_SAVE_READY)
		return migmux_session_refuse(s, -EBUSY, "the destination was asked already: leave the flag out to go on");
	if (!migmux_ready_told(s))
		return migmux_session_refuse(s, -EBUSY, "the destination has not said that it is ready: wait for the milestone PEER_READY");
	return check_same(s, args);
}

/**
 * migmux_session_go() - VFIO_MIGMUX_SAVE of a session that has asked its peer
 * @s: the session
 * @args: the ioctl's argument, checked for unknown flags
 *
 * If it is refused nothing has changed.
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0 when pre-copy or the switchover is under way, or an error of
 * VFIO_MIGMUX_SAVE.
 */
int migmux_session_go(struct migmux_session *s, const struct vfio_migmux_save *args)
{
	const bool precopy = args->flags & VFIO_MIGMUX_SAVE_PRECOPY;
	const u32 before = s->recover;
	int err;

	lockdep_assert_held(&s->mutex);
	err = check_go(s, args);
	if (err)
		return err;
	spin_lock(&s->lock);
	if (!s->failed)
		s->recover = args->recover;
	s->precopy = precopy;
	WRITE_ONCE(s->asking, false);
	spin_unlock(&s->lock);
	err = migmux_batch_start(s, precopy ? MIGMUX_BATCH_PRECOPY : MIGMUX_BATCH_SAVE,
				 precopy ? VFIO_DEVICE_STATE_PRE_COPY :
					   VFIO_DEVICE_STATE_STOP_COPY,
				 args->recover, args->timeout_ms, s->no_p2p);
	if (!err)
		return 0;
	spin_lock(&s->lock);
	if (!s->failed)
		s->recover = before;
	s->precopy = false;
	WRITE_ONCE(s->asking, true);
	spin_unlock(&s->lock);
	return err;
}

static int check_switchover(struct migmux_session *s,
			    const struct vfio_migmux_save *args)
{
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	if (args->flags & (VFIO_MIGMUX_SAVE_PRECOPY | VFIO_MIGMUX_SAVE_READY))
		return migmux_session_refuse(s, -EBUSY, "the session is in pre-copy: leave the flag out to switch over");
	if (migmux_batch_running(s))
		return migmux_session_refuse(s, -EBUSY, "the devices are on their way into pre-copy: wait for the milestone PRECOPY");
	return check_same(s, args);
}

/**
 * migmux_session_switchover() - VFIO_MIGMUX_SAVE of a session in pre-copy
 * @s: the session
 * @args: the ioctl's argument, checked for unknown flags
 *
 * The pumps go on with the same frames. Devices that cannot go on end the session.
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0 when the switchover is under way, or an error of VFIO_MIGMUX_SAVE.
 */
int migmux_session_switchover(struct migmux_session *s,
			      const struct vfio_migmux_save *args)
{
	struct vfio_migmux_last_error why = { .argsz = sizeof(why) };
	int err;

	lockdep_assert_held(&s->mutex);
	err = check_switchover(s, args);
	if (!err && s->adopted)
		err = migmux_adopt_check(s, VFIO_DEVICE_STATE_STOP_COPY);
	if (err)
		return err;
	spin_lock(&s->lock);
	if (!s->failed)
		s->recover = args->recover;
	spin_unlock(&s->lock);
	if (s->adopted) {
		migmux_adopt_switchover(s);
		s->precopy = false;
		return 0;
	}
	err = migmux_batch_start(s, MIGMUX_BATCH_SAVE, VFIO_DEVICE_STATE_STOP_COPY,
				 args->recover, args->timeout_ms, s->no_p2p);
	s->precopy = false;
	if (!err)
		return 0;
	migmux_ioctl_last_error(s, &why);
	migmux_session_fail(s, err, VFIO_MIGMUX_INDEX_NONE, VFIO_MIGMUX_INDEX_NONE,
			    "%s", (const char *)why.text);
	return err;
}

/**
 * migmux_session_load() - first half of VFIO_MIGMUX_LOAD
 * @s: the session
 * @args: the ioctl's argument, checked for unknown flags
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0 when the devices are on their way to RESUMING, or an error of
 * VFIO_MIGMUX_LOAD.
 */
int migmux_session_load(struct migmux_session *s,
			const struct vfio_migmux_load *args)
{
	const struct start how = {
		.role = VFIO_MIGMUX_ROLE_DESTINATION,
		.kind = MIGMUX_BATCH_LOAD,
		.target = VFIO_DEVICE_STATE_RESUMING,
		.device_ops = &migmux_feed_ops,
		.channel_ops = &migmux_recv_mover_ops,
		.device_name = "migmux-feed",
		.channel_name = "migmux-recv",
		.recover = args->recover,
		.timeout_ms = args->timeout_ms,
		.staging = args->staging,
		.max_queued = args->max_queued,
		.max_spill = args->max_spill,
		.max_state = args->max_state,
		.verdict = args->flags & VFIO_MIGMUX_LOAD_VERDICT,
		.verify = args->flags & VFIO_MIGMUX_LOAD_VERIFY,
		.no_p2p = args->flags & VFIO_MIGMUX_LOAD_NO_P2P,
		.buffers = args->flags & VFIO_MIGMUX_LOAD_BUFFERS,
	};

	return start(s, &how);
}
