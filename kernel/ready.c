// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is the destination ready, and what is it? Between two ends that use the verdict:
 *
 *   source                                destination
 *   question, on its first channel --->   all devices in RESUMING, memory and movers
 *                                         there: then
 *   who is there?                  <---   a record for each device, on that channel
 *
 * No device of the source has moved then, and it may leave it at that: the destination
 * goes on waiting, for the next question or the first frame, and at both ends the link
 * is as it was. An answer that nobody has read stays in the socket. It has the number of
 * the session that asked, so the next one knows that it can throw it away.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "channel.h"
#include "hook.h"
#include "ioctl.h"
#include "ready.h"
#include "session.h"
#include "staging.h"
#include "wire.h"

static_assert(MIGMUX_WIRE_DEVICES_MAX == MIGMUX_MAX_DEVICES);
static_assert(MIGMUX_WIRE_DRIVER_LEN == VFIO_MIGMUX_DRIVER_SIZE);
static_assert(MIGMUX_WIRE_R_VERIFY == VFIO_MIGMUX_PEER_VERIFY);
static_assert(MIGMUX_WIRE_R_SHARED == VFIO_MIGMUX_PEER_SHARED);

/**
 * struct migmux_peer - what the destination has said
 * @nr: records that came; the mover's, until there are all
 * @devices: they; constant then
 */
struct migmux_peer {
	u32 nr;
	struct migmux_wire_peer devices[MIGMUX_WIRE_DEVICES_MAX];
};

/**
 * migmux_ready_begin() - source: there will be a question
 * @s: the session
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0 or -ENOMEM.
 */
int migmux_ready_begin(struct migmux_session *s)
{
	lockdep_assert_held(&s->mutex);
	if (!s->peer)
		s->peer = kvzalloc(sizeof(*s->peer), GFP_KERNEL_ACCOUNT);
	return s->peer ? 0 : -ENOMEM;
}

/**
 * migmux_ready_free() - forget the answer
 * @s: the session, which is being freed
 */
void migmux_ready_free(struct migmux_session *s)
{
	kvfree(s->peer);
}

/**
 * migmux_ready_query_due() - source: is the question to be sent here?
 * @ch: the channel
 */
bool migmux_ready_query_due(const struct migmux_channel *ch)
{
	const struct migmux_session *s = ch->session;

	return READ_ONCE(s->asking) && ch == s->channels[0] && !ch->asked;
}

/**
 * migmux_ready_told() - source: has the destination said that it is ready?
 * @s: the session
 */
bool migmux_ready_told(struct migmux_session *s)
{
	return migmux_session_reached(s) & VFIO_MIGMUX_MILESTONE_PEER_READY;
}

/**
 * migmux_ready_left() - source: can the link be used as if nobody had asked?
 * @s: the session, which has done nothing but ask, with its movers stopped
 *
 * Not after a failure, if that was not the VMM's wish, nor within a record.
 */
bool migmux_ready_left(struct migmux_session *s)
{
	const struct migmux_channel *ch;
	bool failed;
	u32 i;

	spin_lock(&s->report->lock);
	failed = s->report->failed && s->report->error != ECANCELED;
	spin_unlock(&s->report->lock);
	for (i = 0; i < s->nr_channels; i++) {
		ch = s->channels[i];
		failed |= ch->have || ch->send_error;
	}
	return !failed;
}

/* The records of one answer go together, and name each device once. */
static const char *check(const struct migmux_peer *p, const struct migmux_wire_peer *peer)
{
	const struct migmux_wire_peer *first = &p->devices[0];
	u32 i;

	if (p->nr && p->nr == first->nr_devices)
		return "more than was announced";
	if (peer->index != p->nr)
		return "out of order";
	if (p->nr && (peer->nr_devices != first->nr_devices || peer->flags != first->flags ||
		      peer->staging != first->staging || peer->max_state != first->max_state))
		return "unlike the first";
	for (i = 0; i < p->nr; i++)
		if (peer->instance_id == p->devices[i].instance_id &&
		    !strcmp(peer->idstr, p->devices[i].idstr))
			return "of a device that was there before";
	return NULL;
}

static void take(struct migmux_channel *ch, const struct migmux_wire_peer *peer)
{
	struct migmux_session *s = ch->session;
	struct migmux_peer *p = s->peer;
	const char *wrong;

	/* for a session that was here before us */
	if (!p || peer->id != s->report->id)
		return;
	wrong = ch == s->channels[0] ? check(p, peer) : "on a channel where nobody asked";
	if (wrong) {
		migmux_session_fail(s, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u to %s: the answer makes no sense: record %u of %u is %s",
				    ch->id, ch->peer, peer->index, peer->nr_devices, wrong);
		return;
	}
	p->devices[p->nr++] = *peer;
	if (p->nr == peer->nr_devices)
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_PEER_READY);
}

/**
 * migmux_ready_receive() - source: a record of an answer has come
 * @ch: the channel; the record is in its buffer
 *
 * Context: the channel's mover.
 */
void migmux_ready_receive(struct migmux_channel *ch)
{
	struct migmux_wire_fault fault = { };
	char text[MIGMUX_WIRE_FAULT_LEN];
	struct migmux_wire_peer peer;

	if (!migmux_wire_ready_decode((void *)ch->buf, &peer, &fault)) {
		take(ch, &peer);
		return;
	}
	migmux_wire_fault_format(text, sizeof(text), &fault);
	migmux_session_fail(ch->session, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
			    "channel %u to %s: the answer makes no sense: %s",
			    ch->id, ch->peer, text);
}

/**
 * migmux_ready_loading() - destination: from now on questions are answered
 * @s: the session; its devices are in RESUMING
 *
 * Context: work.
 */
void migmux_ready_loading(struct migmux_session *s)
{
	WRITE_ONCE(s->loading, true);
	migmux_session_wake_channels(s);
}

/**
 * migmux_ready_due() - destination: is there a question to be answered here?
 * @ch: the channel; its mover calls
 */
bool migmux_ready_due(const struct migmux_channel *ch)
{
	return ch->asked && READ_ONCE(ch->session->loading);
}

static const struct migmux_device *nth_device(const struct migmux_session *s, u32 n)
{
	const struct migmux_device *dev;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		if (!n--)
			return dev;
	return NULL;
}

static void describe(const struct migmux_channel *ch, struct migmux_wire_peer *peer)
{
	const struct migmux_session *s = ch->session;
	const struct migmux_device *dev = nth_device(s, ch->answered);

	*peer = (struct migmux_wire_peer) {
		.id = ch->query_id,
		.index = ch->answered,
		.nr_devices = migmux_session_live(s),
		.flags = (s->verify ? MIGMUX_WIRE_R_VERIFY : 0) |
			 (ch->device ? 0 : MIGMUX_WIRE_R_SHARED),
		.staging = (u64)s->staging->nr_frames * MIGMUX_WIRE_DATA_MAX,
		.max_state = s->max_state,
		.instance_id = dev->instance_id,
		.migration_flags = dev->flags,
	};
	if (dev->flags & VFIO_MIGRATION_PRE_COPY)
		peer->precopy_version = MIGMUX_COMPAT_PRECOPY_VERSION;
	strscpy(peer->idstr, dev->idstr, sizeof(peer->idstr));
	strscpy(peer->driver, dev->hook->driver, sizeof(peer->driver));
}

/**
 * migmux_ready_send() - destination: go on sending the answer
 * @ch: the channel
 *
 * Context: the channel's mover.
 */
void migmux_ready_send(struct migmux_channel *ch)
{
	struct migmux_wire_peer peer;
	int ret;

	describe(ch, &peer);
	migmux_wire_ready_encode((void *)ch->buf, &peer);
	ret = migmux_channel_reply(ch, ch->buf, sizeof(struct migmux_wire_ready));
	if (ret == 1 && ++ch->answered == peer.nr_devices) {
		ch->asked = false;
		ch->answered = 0;
		ch->rx = MIGMUX_RX_PREFIX;
	} else if (ret < 0 && ret != -EAGAIN) {
		migmux_session_fail(ch->session, ret, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u from %s broke before the source was told that all is ready",
				    ch->id, ch->peer);
	}
}

static int put(const struct vfio_migmux_peer_info *info, u32 n,
	       const struct migmux_wire_peer *peer)
{
	struct vfio_migmux_peer_device dev = {
		.instance_id = peer->instance_id,
		.migration_flags = peer->migration_flags,
		.precopy_version = peer->precopy_version,
	};

	strscpy(dev.idstr, peer->idstr, sizeof(dev.idstr));
	strscpy(dev.driver, peer->driver, sizeof(dev.driver));
	return migmux_ioctl_put(u64_to_user_ptr(info->devices) +
				(size_t)n * info->device_size,
				info->device_size, &dev, sizeof(dev));
}

long migmux_ioctl_peer_info(struct migmux_session *s, void *args)
{
	struct vfio_migmux_peer_info *info = args;
	const struct migmux_peer *p;
	u32 i, room;
	int err = 0;

	if (info->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (info->device_size > PAGE_SIZE ||
	    (info->devices && info->device_size < sizeof(u64)))
		return migmux_session_refuse(s, -EINVAL, "device_size is %u",
					     info->device_size);
	/* what is there then does not change any more */
	if (!migmux_ready_told(s))
		return migmux_session_refuse(s, -ENODATA, "the destination has not said that it is ready, or was not asked");
	p = s->peer;
	room = info->devices ? info->nr_devices : 0;
	info->peer_flags = p->devices[0].flags;
	info->staging = p->devices[0].staging;
	info->max_state = p->devices[0].max_state;
	info->nr_devices = p->nr;
	for (i = 0; i < min(p->nr, room) && !err; i++)
		err = put(info, i, &p->devices[i]);
	return err;
}
