// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verification. The pump computes a CRC32C of all bytes of a device in the order in
 * which it reads them, the feed of all bytes that it writes. The destination's goes
 * with its verdict, and the source compares before it gives the devices up. So what
 * is found is whatever happens to a byte in between: in staging, which the VMM can
 * write to, on the wire, and in the order of frames.
 *
 * Both ends must want it. The source says so in each frame, and an end that finds the
 * other of another mind refuses at the first one, not after everything was moved.
 */
#include <linux/mm.h>

#include "channel.h"
#include "compat.h"
#include "session.h"
#include "verify.h"

/**
 * migmux_verify_begin() - nothing is read or written yet
 * @dev: the device
 *
 * Context: before its mover runs.
 */
void migmux_verify_begin(struct migmux_device *dev)
{
	dev->crc = ~0U;
	dev->peer_crc = 0;
	dev->peer_said = false;
}

/**
 * migmux_verify_add() - bytes were read, or are being written
 * @dev: the device
 * @frame: the frame that they are in
 * @offset: where in it
 * @bytes: how many
 *
 * Context: the device's mover, which owns the frame.
 */
void migmux_verify_add(struct migmux_device *dev, const struct migmux_frame *frame,
		       size_t offset, size_t bytes)
{
	const struct bio_vec *vec = frame->bvec;
	size_t part;

	if (!dev->session->verify)
		return;
	for (; bytes; bytes -= part) {
		while (offset >= vec->bv_len)
			offset -= vec++->bv_len;
		part = min(bytes, vec->bv_len - offset);
		/* the memory is not from the high zone: it has an address */
		dev->crc = crc32c(dev->crc, page_address(vec->bv_page) + offset, part);
		offset += part;
	}
}

/**
 * migmux_verify_agreed() - destination: does the source want what we want?
 * @ch: a channel with the header of a frame
 *
 * Return: false if not, and the session fails.
 */
bool migmux_verify_agreed(struct migmux_channel *ch)
{
	struct migmux_session *s = ch->session;

	if (ch->head.verify == s->verify)
		return true;
	ch->closed = true;
	migmux_session_fail(s, -EPROTO, ch->carries->index, ch->id,
			    "device %s: the %s wants its state verified, the %s does not: ask for it on both ends or on none",
			    ch->carries->idstr, s->verify ? "destination" : "source",
			    s->verify ? "source" : "destination");
	return false;
}

/**
 * migmux_verify_verdicts() - how many good verdicts are there on a channel?
 * @ch: the channel, of either end
 *
 * Return: 1, but one for each device on a channel that all share, if both ends verify.
 */
u32 migmux_verify_verdicts(const struct migmux_channel *ch)
{
	return ch->session->verify && !ch->device ? migmux_session_live(ch->session) : 1;
}

/* The device of which the channel's next verdict tells; NULL if it carried nothing. */
static const struct migmux_device *subject(const struct migmux_channel *ch)
{
	const struct migmux_device *dev;
	u32 i, n = 0;

	if (ch->device)
		return ch->carries;
	migmux_session_for_each_device(ch->session, dev, i)
		if (n++ == ch->told)
			return dev;
	return NULL;
}

/**
 * migmux_verify_say() - destination: put a device's CRC into a good verdict
 * @ch: the channel that the verdict is for
 * @result: the verdict
 *
 * Context: the channel's mover; all devices are loaded.
 */
void migmux_verify_say(const struct migmux_channel *ch, struct migmux_wire_result *result)
{
	const struct migmux_device *dev;

	if (!ch->session->verify)
		return;
	dev = subject(ch);
	if (!dev)
		return;
	result->verified = true;
	result->crc = ~dev->crc;
	result->instance_id = dev->instance_id;
	strscpy(result->idstr, dev->idstr, sizeof(result->idstr));
}

/**
 * migmux_verify_hear_locked() - source: take a device's CRC from a good verdict
 * @s: the session; its lock is held
 * @dev: the device that the verdict names, or NULL
 * @result: the verdict
 *
 * Return: 0, or -EPROTO if it makes no sense.
 */
int migmux_verify_hear_locked(struct migmux_session *s, struct migmux_device *dev,
			      const struct migmux_wire_result *result)
{
	lockdep_assert_held(&s->lock);

	if (!result->verified)
		return 0;
	if (!s->verify || !dev || (dev->peer_said && dev->peer_crc != result->crc))
		return -EPROTO;
	dev->peer_said = true;
	dev->peer_crc = result->crc;
	return 0;
}

/**
 * migmux_verify_wrong_locked() - source: is a device not what it should be?
 * @s: the session, with all verdicts; its lock is held
 *
 * Return: the first such device, or NULL.
 */
struct migmux_device *migmux_verify_wrong_locked(struct migmux_session *s)
{
	struct migmux_device *dev;
	u32 i;

	lockdep_assert_held(&s->lock);

	if (!s->verify)
		return NULL;
	migmux_session_for_each_device(s, dev, i)
		if (!dev->peer_said || dev->peer_crc != ~dev->crc)
			return dev;
	return NULL;
}

/**
 * migmux_verify_fail() - source: such a device was found
 * @dev: the device
 *
 * Context: sleeps.
 */
void migmux_verify_fail(struct migmux_device *dev)
{
	migmux_device_set_error(dev, -EBADMSG);
	if (dev->peer_said)
		migmux_session_fail(dev->session, -EBADMSG, dev->index,
				    VFIO_MIGMUX_INDEX_NONE,
				    "verification failed: CRC32C %08x was read, %08x was written, of device %s",
				    ~dev->crc, dev->peer_crc, dev->idstr);
	else
		migmux_session_fail(dev->session, -EPROTO, dev->index,
				    VFIO_MIGMUX_INDEX_NONE,
				    "device %s: the verdict does not say what was written",
				    dev->idstr);
}
