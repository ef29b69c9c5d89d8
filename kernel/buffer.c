// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_LOAD_BUFFER: a frame that the VMM has received itself. A thread that
 * hands in frames is what a channel's mover is to those of a channel: header,
 * admission, data straight into staging, gather. And as with a channel everything in
 * the frame is hostile, so what is wrong with it ends the session.
 *
 * Staging, the devices and their gathers stay until the last close of the session's
 * file, and the ioctl holds the file.
 */
#include <linux/bvec.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "device.h"
#include "ioctl.h"
#include "session.h"
#include "staging.h"

/**
 * struct buffer - a frame that is being handed in
 * @s: the session
 * @packet: the header that it would have on a channel
 * @head: what that says; the name is in @packet
 * @dev: whose it is
 * @data: what follows the payload header, in the VMM
 * @frame: memory for it, once it is admitted
 * @fault: why it is refused
 */
struct buffer {
	struct migmux_session *s;
	struct migmux_wire_packet packet;
	struct migmux_wire_head head;
	struct migmux_device *dev;
	struct iov_iter data;
	struct migmux_frame *frame;
	struct migmux_wire_fault fault;
};

/* The session's mutex keeps a start that may still fail apart from us. */
static int check(struct migmux_session *s)
{
	int err = 0;

	mutex_lock(&s->mutex);
	if (READ_ONCE(s->failed))
		err = migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	else if (s->role != VFIO_MIGMUX_ROLE_DESTINATION || !s->buffers)
		err = migmux_session_refuse(s, -EBUSY, "the session takes no buffers: call VFIO_MIGMUX_LOAD with VFIO_MIGMUX_LOAD_BUFFERS first");
	mutex_unlock(&s->mutex);
	return err;
}

static int refuse(struct buffer *b)
{
	char text[MIGMUX_WIRE_FAULT_LEN];

	migmux_wire_fault_format(text, sizeof(text), &b->fault);
	migmux_session_fail(b->s, -EPROTO, b->dev ? b->dev->index :
			    VFIO_MIGMUX_INDEX_NONE, VFIO_MIGMUX_INDEX_NONE,
			    "a buffer of the VMM%s%s: %s", b->dev ? ", device " : "",
			    b->dev ? b->dev->idstr : "", text);
	return -EPROTO;
}

static int decode(struct buffer *b, const struct vfio_migmux_load_buffer *args)
{
	struct migmux_wire_payload payload;
	int err;

	b->packet = (struct migmux_wire_packet) {
		.prefix.magic = cpu_to_be32(MIGMUX_WIRE_MAGIC),
		.prefix.version = cpu_to_be32(MIGMUX_WIRE_VERSION),
		.prefix.flags = cpu_to_be32(MIGMUX_WIRE_F_DEVICE_STATE),
		.instance_id = cpu_to_be32(args->instance_id),
		.size = cpu_to_be32(args->size),
	};
	memcpy(b->packet.idstr, args->idstr, sizeof(b->packet.idstr));
	if (migmux_wire_packet_decode(&b->packet, &b->head, &b->fault))
		return refuse(b);
	err = import_ubuf(ITER_SOURCE, u64_to_user_ptr(args->payload), args->size,
			  &b->data);
	if (err)
		return err;
	if (!copy_from_iter_full(&payload, sizeof(payload), &b->data))
		return -EFAULT;
	if (migmux_wire_payload_decode(&payload, &b->head, &b->fault))
		return refuse(b);
	if (b->head.verify) {
		b->fault.err = MIGMUX_WIRE_BAD_PAYLOAD_FLAGS;
		b->fault.value = be32_to_cpu(payload.flags);
		return refuse(b);
	}
	b->dev = migmux_frame_device(b->s, &b->head);
	if (b->dev && !b->head.precopy)
		return 0;
	if (b->dev)
		migmux_session_fail(b->s, -EPROTO, b->dev->index, VFIO_MIGMUX_INDEX_NONE,
				    "a buffer of the VMM, device %s: frame %u is of pre-copy, which comes by a channel of the session only",
				    b->dev->idstr, b->head.idx);
	else
		migmux_session_fail(b->s, -EPROTO, VFIO_MIGMUX_INDEX_NONE,
				    VFIO_MIGMUX_INDEX_NONE,
				    "a buffer of the VMM: device %s, instance %u is not in this session",
				    b->head.idstr, b->head.instance_id);
	return -EPROTO;
}

/* Memory for the frame: false if it has to wait, else *err is 0, -ECANCELED, -EPROTO. */
static bool taken(struct buffer *b, int *err)
{
	struct migmux_gather *gather = &b->dev->gather;
	struct migmux_session *s = b->s;
	bool over = true;

	spin_lock(&s->lock);
	if (s->failed) {
		*err = -ECANCELED;
	} else if (migmux_gather_admit(gather, b->head.idx, s->staging->nr_free,
				       b->dev->held >= s->max_held)) {
		b->frame = migmux_staging_get(s->staging, b->dev);
		*err = migmux_gather_claim(gather, &b->frame->gather, b->head.idx,
					   false, &b->fault);
		if (*err)
			migmux_staging_put(s->staging, b->frame);
	} else {
		over = false;
	}
	spin_unlock(&s->lock);
	return over;
}

static int admit(struct buffer *b, bool nonblock)
{
	struct migmux_session *s = b->s;
	bool waits = false;
	int err = -EAGAIN;

	if (taken(b, &err) || nonblock)
		return err;
	migmux_report_wait(s->report, b->dev->report, MIGMUX_WAIT_STAGING, &waits, true);
	if (wait_event_interruptible(s->buffer_wq, taken(b, &err)))
		err = -EINTR;
	migmux_report_wait(s->report, b->dev->report, MIGMUX_WAIT_STAGING, &waits, false);
	return err;
}

static bool copy_data(struct buffer *b)
{
	const struct bio_vec *bvec = b->frame->bvec;
	size_t n, left = b->head.bytes;

	for (; left; left -= n, bvec++) {
		n = min_t(size_t, left, bvec->bv_len);
		if (copy_page_from_iter(bvec->bv_page, bvec->bv_offset, n,
					&b->data) != n)
			return false;
	}
	return true;
}

/* The VMM's memory could not be read: as if the frame had never come. */
static void take_back(struct buffer *b)
{
	struct migmux_session *s = b->s;

	spin_lock(&s->lock);
	migmux_gather_unclaim(&b->dev->gather, &b->frame->gather);
	migmux_staging_put(s->staging, b->frame);
	spin_unlock(&s->lock);
	migmux_session_wake_stalled(s);
}

static int load_data(struct buffer *b, bool nonblock)
{
	int err;

	err = admit(b, nonblock);
	if (err == -EPROTO)
		return refuse(b);
	if (err)
		return err;
	b->frame->bytes = b->head.bytes;
	if (!copy_data(b)) {
		take_back(b);
		return -EFAULT;
	}
	migmux_frame_deliver(b->dev, b->frame, VFIO_MIGMUX_INDEX_NONE);
	return 0;
}

/* A config frame has memory of its own, bounded by its size. */
static int load_config(struct buffer *b)
{
	void *blob = NULL;

	if (b->head.bytes) {
		blob = kvmalloc(b->head.bytes, GFP_KERNEL_ACCOUNT);
		if (!blob)
			return -ENOMEM;
		if (!copy_from_iter_full(blob, b->head.bytes, &b->data)) {
			kvfree(blob);
			return -EFAULT;
		}
	}
	if (migmux_frame_claim_config(b->dev, &b->head, blob, &b->fault)) {
		kvfree(blob);
		return refuse(b);
	}
	migmux_frame_deliver(b->dev, &b->dev->config_frame, VFIO_MIGMUX_INDEX_NONE);
	return 0;
}

long migmux_ioctl_load_buffer(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_load_buffer *load = args;
	struct buffer b = { .s = s };
	int err;

	err = check(s) ?: decode(&b, load);
	if (err)
		return err;
	migmux_device_first_frame(b.dev, 0, false);
	migmux_device_stopped_frame(b.dev);
	if (b.head.config)
		return load_config(&b);
	return load_data(&b, load->flags & VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK);
}
