// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who owns the devices in the end. Between two of our sessions:
 *
 *   destination            source
 *   all loaded
 *   verdict  ------------> on every channel; all good?
 *                          gives the devices up, for good
 *            <------------ confirmation, on every channel
 *   owns the devices
 *
 * Until it gives the devices up, the source can take them back; until the first
 * confirmation comes, the destination must not start them. So whatever breaks,
 * at most one side goes on. If the link breaks between the two, none does, and
 * both say so. If no confirmation can be handed to a socket at all, the source
 * knows that none can come and takes the devices back.
 */
#include "channel.h"
#include "ready.h"
#include "session.h"
#include "verify.h"
#include "wire.h"

/**
 * migmux_verdict_expected() - source: is a verdict still to come here?
 * @ch: the channel
 *
 * Not while the init or the question is being sent: both use the channel's count of bytes.
 */
bool migmux_verdict_expected(struct migmux_channel *ch)
{
	const bool sending = !ch->init_sent || migmux_ready_query_due(ch);

	return ch->session->verdict && !READ_ONCE(ch->verdict) &&
	       (ch->send_error || !sending);
}

static struct migmux_device *device_named(struct migmux_session *s,
					  const struct migmux_wire_result *result)
{
	struct migmux_device *dev;
	u32 i;

	migmux_session_for_each_device(s, dev, i)
		if (dev->instance_id == result->instance_id &&
		    !strcmp(dev->idstr, result->idstr))
			return dev;
	return NULL;
}

static u32 index_of(const struct migmux_device *dev)
{
	return dev ? dev->index : VFIO_MIGMUX_INDEX_NONE;
}

static void verdict_missing(struct migmux_channel *ch, int err)
{
	struct migmux_session *s = ch->session;
	const bool early = READ_ONCE(s->asking) && !migmux_ready_told(s);

	if (ch->send_error)
		migmux_session_fail(s, ch->send_error,
				    migmux_channel_device_index(ch), ch->id,
				    "channel %u to %s broke while sending: error %d",
				    ch->id, ch->peer, -ch->send_error);
	else
		migmux_session_fail(s, err ?: -ECONNABORTED,
				    VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u to %s: closed by the destination before %s%s",
				    ch->id, ch->peer,
				    early ? "it said that it is ready" : "its verdict",
				    ch->detail);
}

static void verdict_bad(struct migmux_channel *ch,
			const struct migmux_wire_result *result)
{
	struct migmux_session *s = ch->session;
	struct migmux_device *dev = device_named(s, result);

	if (dev)
		migmux_device_set_error(dev, -(int)result->status);
	migmux_session_fail(s, -EREMOTEIO, index_of(dev), ch->id,
			    "the destination failed: %s (error %u)",
			    result->reason, result->status);
}

/*
 * The point of no return: from here on migmux_session_fail() does nothing. The
 * last verdict may come before the mover that sent the last frame has counted it.
 * If a device turns out to be @wrong, all channels have had their verdict: on each
 * the destination waits for what we say.
 */
static bool decide_locked(struct migmux_session *s, struct migmux_device **wrong)
	__must_hold(&s->lock)
{
	lockdep_assert_held(&s->lock);
	if (s->failed || s->handed_over || s->nr_verdicts < s->nr_channels ||
	    s->nr_sent < migmux_session_live(s))
		return false;
	*wrong = migmux_verify_wrong_locked(s);
	if (*wrong)
		return false;
	s->handed_over = true;
	WRITE_ONCE(s->confirm_due, true);
	return true;
}

/**
 * migmux_verdict_decide() - source: give the devices up if all is said
 * @s: the session
 *
 * Context: a mover, when a verdict came or the last frame was sent.
 */
void migmux_verdict_decide(struct migmux_session *s)
{
	struct migmux_device *wrong = NULL;
	bool decided;

	spin_lock(&s->lock);
	decided = decide_locked(s, &wrong);
	spin_unlock(&s->lock);
	if (decided)
		migmux_session_wake_channels(s);
	if (wrong)
		migmux_verify_fail(wrong);
}

/* A device whose last frame is not even queued cannot have been loaded. */
static bool all_queued_locked(struct migmux_session *s)
	__must_hold(&s->lock)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->lock);
	migmux_session_for_each_device(s, dev, i)
		if (!dev->config_done)
			return false;
	return true;
}

static void verdict_good(struct migmux_channel *ch,
			 const struct migmux_wire_result *result)
{
	struct migmux_session *s = ch->session;
	struct migmux_device *dev = device_named(s, result);
	bool early;
	int err = 0;

	/* whatever it says: what could not be sent cannot be loaded */
	if (ch->send_error) {
		verdict_missing(ch, 0);
		return;
	}
	spin_lock(&s->lock);
	early = !all_queued_locked(s);
	if (!early)
		err = migmux_verify_hear_locked(s, dev, result);
	if (!early && !err && ++ch->told == migmux_verify_verdicts(ch)) {
		WRITE_ONCE(ch->verdict, true);
		s->nr_verdicts++;
	}
	spin_unlock(&s->lock);
	if (err)
		migmux_session_fail(s, err, index_of(dev), ch->id,
				    "channel %u to %s: the verdict makes no sense: CRC32C %08x of '%s'",
				    ch->id, ch->peer, result->crc, result->idstr);
	else if (early)
		migmux_session_fail(s, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u to %s: the verdict came before the state was sent",
				    ch->id, ch->peer);
	else
		migmux_verdict_decide(s);
}

/**
 * migmux_verdict_receive() - source: go on receiving the verdict, or what comes before
 * @ch: the channel
 *
 * Context: the channel's mover.
 */
void migmux_verdict_receive(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_wire_fault fault = { };
	struct migmux_wire_result result;
	char text[MIGMUX_WIRE_FAULT_LEN];
	int ret;

	ret = migmux_channel_recv(ch, ch->buf, sizeof(struct migmux_wire_verdict));
	/* of a broken socket, what is there is all that will come */
	if (ret == -EAGAIN && (!ch->send_error ||
			       test_bit(MIGMUX_CHANNEL_READABLE, &ch->flags)))
		return;
	if (ret != 1) {
		verdict_missing(ch, ret);
		return;
	}
	if (migmux_wire_is_ack((void *)ch->buf)) {
		migmux_precopy_receive_ack(ch);
	} else if (migmux_wire_is_ready((void *)ch->buf)) {
		migmux_ready_receive(ch);
	} else if (migmux_wire_verdict_decode((void *)ch->buf, &result, &fault)) {
		migmux_wire_fault_format(text, sizeof(text), &fault);
		migmux_session_fail(s, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u to %s: the verdict makes no sense: %s",
				    ch->id, ch->peer, text);
	} else if (result.status) {
		verdict_bad(ch, &result);
	} else {
		verdict_good(ch, &result);
	}
}

/**
 * migmux_verdict_confirm_due() - source: is a confirmation to be sent here?
 * @ch: the channel
 */
bool migmux_verdict_confirm_due(struct migmux_channel *ch)
{
	return READ_ONCE(ch->session->confirm_due) && !READ_ONCE(ch->confirmed) &&
	       !ch->send_error;
}

/*
 * The confirmation went through this channel, or the channel broke when the
 * devices were handed over already. When all channels are through, nothing is on
 * its way any more: only now both sides are told, so that neither closes a channel
 * on which the other still waits.
 *
 * Return: false when all channels broke, and not one carried a confirmation.
 */
static bool channel_over(struct migmux_channel *ch, bool confirmed)
{
	struct migmux_session *s = ch->session;
	bool all, none;

	spin_lock(&s->lock);
	if (confirmed) {
		WRITE_ONCE(ch->confirmed, true);
		s->nr_confirmed++;
	} else {
		s->nr_closed++;
	}
	none = s->nr_closed == s->nr_channels;
	all = s->nr_confirmed + s->nr_closed == s->nr_channels;
	spin_unlock(&s->lock);
	if (all && !none) {
		/* before the milestone: after it the VMM may begin its next step */
		migmux_session_rest(s);
		migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_HANDED_OVER);
	}
	return !none;
}

static bool is_owned(struct migmux_session *s)
{
	bool owned;

	spin_lock(&s->lock);
	owned = s->handed_over;
	spin_unlock(&s->lock);
	return owned;
}

/**
 * migmux_verdict_lost() - destination: a channel broke that was not confirmed
 * @ch: the channel; the session fails for that, unless it owns its devices
 *
 * If another channel's confirmation has decided, this is only one channel less.
 *
 * Context: the channel's mover, once.
 */
void migmux_verdict_lost(struct migmux_channel *ch)
{
	if (!is_owned(ch->session))
		return;
	ch->rx = MIGMUX_RX_DONE;
	channel_over(ch, false);
}

/* No confirmation can be sent any more: the destination will not start. */
static void take_back(struct migmux_session *s, int err)
{
	spin_lock(&s->lock);
	s->handed_over = false;
	/* nor does whoever comes late decide once more */
	s->nr_verdicts = 0;
	WRITE_ONCE(s->confirm_due, false);
	spin_unlock(&s->lock);
	migmux_session_fail(s, err, VFIO_MIGMUX_INDEX_NONE, VFIO_MIGMUX_INDEX_NONE,
			    "all channels broke before the destination could be confirmed");
}

/**
 * migmux_verdict_confirm() - source: go on sending the confirmation
 * @ch: the channel
 *
 * Context: the channel's mover.
 */
void migmux_verdict_confirm(struct migmux_channel *ch)
{
	static const struct migmux_wire_result yours = { .reason = "handed over" };
	struct migmux_session *s = ch->session;
	u32 size;
	int ret;

	if (s->verify) {
		migmux_wire_answer_encode((void *)ch->buf, &yours);
		size = sizeof(struct migmux_wire_verdict);
	} else {
		migmux_wire_confirm_encode((void *)ch->buf, 0);
		size = sizeof(struct migmux_wire_confirm);
	}
	ret = migmux_channel_reply(ch, ch->buf, size);
	if (ret == -EAGAIN)
		return;
	/* for want of memory, of which the destination knows nothing: it still waits for it */
	if (ret == -ENOMEM || ret == -ENOBUFS) {
		migmux_channel_refused(ch);
		return;
	}
	if (ret < 0)
		ch->send_error = ret;
	if (!channel_over(ch, ret == 1))
		take_back(s, ret);
}

/**
 * migmux_verdict_loaded() - destination: all devices have taken their state
 * @s: the session
 *
 * Context: work; sleeps.
 */
void migmux_verdict_loaded(struct migmux_session *s)
{
	bool owned;

	spin_lock(&s->lock);
	if (s->failed) {
		spin_unlock(&s->lock);
		return;
	}
	migmux_session_milestone_locked(s, VFIO_MIGMUX_MILESTONE_LOADED);
	owned = !s->verdict;
	s->handed_over = owned;
	if (!owned)
		WRITE_ONCE(s->verdict_due, true);
	spin_unlock(&s->lock);
	migmux_session_milestone_tell(s, VFIO_MIGMUX_MILESTONE_LOADED);
	if (!owned) {
		migmux_session_wake_channels(s);
		return;
	}
	migmux_session_rest(s);
	migmux_session_milestone(s, VFIO_MIGMUX_MILESTONE_HANDED_OVER);
}

/**
 * migmux_verdict_send() - destination: go on sending the good verdict
 * @ch: the channel
 *
 * Context: the channel's mover.
 */
void migmux_verdict_send(struct migmux_channel *ch)
{
	struct migmux_wire_result good = { .reason = "loaded" };
	int ret;

	migmux_verify_say(ch, &good);
	migmux_wire_verdict_encode((void *)ch->buf, &good);
	ret = migmux_channel_reply(ch, ch->buf, sizeof(struct migmux_wire_verdict));
	if (ret == 1 && ++ch->told == migmux_verify_verdicts(ch))
		ch->rx = MIGMUX_RX_CONFIRM;
	if (ret >= 0 || ret == -EAGAIN)
		return;
	migmux_session_fail(ch->session, ret, VFIO_MIGMUX_INDEX_NONE, ch->id,
			    "channel %u from %s broke before the verdict was sent",
			    ch->id, ch->peer);
	migmux_verdict_lost(ch);
}

/* The first confirmation decides: from here on migmux_session_fail() does nothing. */
static bool own(struct migmux_session *s)
{
	bool owned;

	spin_lock(&s->lock);
	owned = !s->failed;
	if (owned)
		s->handed_over = true;
	spin_unlock(&s->lock);
	return owned;
}

/* The record that came: one with room for words, if both ends verify. */
static int answer_decode(struct migmux_channel *ch, struct migmux_wire_result *result,
			 struct migmux_wire_fault *fault)
{
	*result = (struct migmux_wire_result) { };
	if (ch->session->verify)
		return migmux_wire_answer_decode((void *)ch->buf, result, fault);
	return migmux_wire_confirm_decode((void *)ch->buf, &result->status, fault);
}

static void answer_bad(struct migmux_channel *ch, const struct migmux_wire_result *result)
{
	struct migmux_session *s = ch->session;
	struct migmux_device *dev = device_named(s, result);

	if (dev)
		migmux_device_set_error(dev, -(int)result->status);
	migmux_session_fail(s, -EREMOTEIO, index_of(dev), ch->id,
			    "channel %u from %s: the source keeps its devices: %s%serror %u",
			    ch->id, ch->peer, result->reason,
			    result->reason[0] ? ", " : "", result->status);
}

/**
 * migmux_verdict_await() - destination: go on receiving the confirmation
 * @ch: the channel
 *
 * Context: the channel's mover.
 */
void migmux_verdict_await(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;
	struct migmux_wire_fault fault = { };
	char text[MIGMUX_WIRE_FAULT_LEN];
	struct migmux_wire_result result;
	int ret;

	ret = migmux_channel_recv(ch, ch->buf, s->verify ?
				  sizeof(struct migmux_wire_verdict) :
				  sizeof(struct migmux_wire_confirm));
	if (ret == -EAGAIN)
		return;
	ch->rx = MIGMUX_RX_DONE;
	if (ret != 1) {
		migmux_session_fail(s, ret ?: -ECONNABORTED, VFIO_MIGMUX_INDEX_NONE,
				    ch->id,
				    "channel %u from %s: closed by the source before it confirmed%s",
				    ch->id, ch->peer, ch->detail);
	} else if (answer_decode(ch, &result, &fault)) {
		migmux_wire_fault_format(text, sizeof(text), &fault);
		migmux_session_fail(s, -EPROTO, VFIO_MIGMUX_INDEX_NONE, ch->id,
				    "channel %u from %s: the confirmation makes no sense: %s",
				    ch->id, ch->peer, text);
	} else if (result.status) {
		answer_bad(ch, &result);
	} else if (own(s)) {
		channel_over(ch, true);
		return;
	}
	migmux_verdict_lost(ch);
}

static void result_of(struct migmux_session *s, struct migmux_wire_result *result)
{
	struct migmux_report *r = s->report;

	memset(result, 0, sizeof(*result));
	spin_lock(&r->lock);
	result->status = r->error ?: EIO;
	strscpy(result->reason, r->text, sizeof(result->reason));
	if (r->error_device < r->nr_devices) {
		const struct migmux_report_device *dev = r->devices[r->error_device];

		result->instance_id = dev->instance_id;
		strscpy(result->idstr, dev->idstr, sizeof(result->idstr));
	}
	spin_unlock(&r->lock);
}

/**
 * migmux_verdict_send_failure() - destination: tell the source why it failed
 * @s: the session, failed, with its movers stopped
 *
 * On every channel where nothing was said yet, as far as the socket takes it at
 * once: there is room, nothing else goes that way.
 *
 * Context: work; sleeps.
 */
void migmux_verdict_send_failure(struct migmux_session *s)
{
	struct migmux_wire_result result;
	struct migmux_channel *ch;
	u32 i;

	result_of(s, &result);
	for (i = 0; i < s->nr_channels; i++) {
		ch = s->channels[i];
		if (ch->rx == MIGMUX_RX_CONFIRM || ch->rx == MIGMUX_RX_DONE ||
		    ((ch->rx == MIGMUX_RX_VERDICT || ch->rx == MIGMUX_RX_ACK ||
		      ch->rx == MIGMUX_RX_READY) && ch->have))
			continue;
		migmux_wire_verdict_encode((void *)ch->buf, &result);
		ch->have = 0;
		migmux_channel_reply(ch, ch->buf, sizeof(struct migmux_wire_verdict));
	}
}

/**
 * migmux_verdict_send_refusal() - source: tell the destination why it keeps its devices
 * @s: the session, which verifies, failed, with its movers stopped
 *
 * On every channel that had its verdict, so that the destination expects a
 * confirmation there; as far as the socket takes it at once.
 *
 * Context: work; sleeps.
 */
void migmux_verdict_send_refusal(struct migmux_session *s)
{
	struct migmux_wire_result result;
	struct migmux_channel *ch;
	u32 i;

	result_of(s, &result);
	for (i = 0; i < s->nr_channels; i++) {
		ch = s->channels[i];
		if (!ch->verdict || ch->send_error || ch->confirmed || ch->have)
			continue;
		migmux_wire_answer_encode((void *)ch->buf, &result);
		migmux_channel_reply(ch, ch->buf, sizeof(struct migmux_wire_verdict));
	}
}
