// SPDX-License-Identifier: GPL-2.0-only
/* Saving: the data_fd of PRE_COPY, PRE_COPY_P2P and STOP_COPY */

#include <linux/crc32.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "migsim.h"

static void segment_add(struct migsim_file *file, const void *data, u64 from,
			size_t size)
{
	lockdep_assert_held(&file->lock);

	if (!size)
		return;
	file->seg[file->nseg++] = (struct migsim_segment) {
		.data = data,
		.from = from,
		.size = size,
	};
	file->end += size;
}

/* The STATE record: the rest of the payload, and the end of the stream. */
static void state_add(struct migsim_file *file)
{
	const struct migsim_blob *payload = file->payload;

	file->last = true;
	if (!READ_ONCE(file->dev->knobs.headerless))
		segment_add(file, &file->state_head, 0, MIGSIM_STATE_HEAD);
	segment_add(file, payload->data ? payload->data + file->start : NULL,
		    file->start, payload->size - file->start);
}

/* All that there was is read: is there more? If not, pos stays at end. */
static void refill(struct migsim_file *file)
{
	bool stopped = file->phase == MIGSIM_FILE_FINAL;
	size_t size = 0;

	lockdep_assert_held(&file->io_lock);
	lockdep_assert_held(&file->lock);

	if (file->pos < file->end || file->last)
		return;
	file->nseg = 0;
	file->seg_pos = file->end;
	/* a payload that is not the one that was given is given whole */
	if (file->precopy.base && !(stopped && !file->start))
		size = migsim_precopy_record(file, !stopped);
	if (size)
		segment_add(file, file->precopy.record, 0, size);
	else if (stopped)
		state_add(file);
}

/* @crc goes on over the payload if it is not kept. */
static int copy_segments(const struct migsim_file *file, struct iov_iter *to,
			 u64 pos, size_t len, u32 *crc)
{
	const struct migsim_segment *seg = file->seg;

	pos -= file->seg_pos;
	while (len) {
		const void *data;
		size_t part;

		if (pos >= seg->size) {
			pos -= seg->size;
			seg++;
			continue;
		}
		part = min_t(u64, seg->size - pos, len);
		data = seg->data ? seg->data + pos :
		       migsim_blob_part(file->payload, seg->from + pos, &part,
					file->part);
		if (copy_to_iter(data, part, to) != part)
			return -EFAULT;
		if (!seg->data)
			*crc = crc32_le(*crc, data, part);
		pos += part;
		len -= part;
	}
	return 0;
}

/* What PRE_COPY has to say when it has no bytes. */
static int nothing_now(struct migsim_file *file)
{
	return READ_ONCE(file->dev->knobs.precopy_zero) ? 0 : -ENOMSG;
}

/* Decide how much one read returns; 0 bytes in @len with 0 is the end. */
static int read_begin(struct migsim_file *file, size_t *len, u64 *rate)
{
	struct migsim_knobs *knobs;
	u64 left, chunk;
	int ret = 0;

	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_DISABLED) {
		ret = -ENODEV;
		goto out;
	}

	knobs = &file->dev->knobs;
	if (file->phase == MIGSIM_FILE_PRECOPY)
		migsim_precopy_catch_up(file);
	refill(file);
	left = file->end - file->pos;
	if (!left && file->phase == MIGSIM_FILE_PRECOPY) {
		*len = 0;
		ret = nothing_now(file);
		migsim_file_poll_in(file, migsim_precopy_next_ns(file));
		goto out;
	}
	chunk = READ_ONCE(knobs->read_chunk);
	if (chunk)
		left = min(left, chunk);
	*len = min_t(u64, *len, left);
	*rate = READ_ONCE(knobs->read_us_per_mib);
	ret = migsim_knob_fault(file->dev, &knobs->fail_read, file->pos, len);
out:
	mutex_unlock(&file->lock);
	return ret;
}

static int read_end(struct migsim_file *file, size_t len, u32 crc)
{
	int ret = 0;

	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_DISABLED) {
		ret = -ENODEV;
	} else {
		file->pos += len;
		file->crc = crc;
		WRITE_ONCE(file->dev->saved_bytes, file->pos);
	}
	mutex_unlock(&file->lock);
	return ret;
}

static ssize_t give(struct migsim_file *file, struct iov_iter *to, size_t len)
{
	u32 crc = file->crc;
	int ret;

	/* only a reader changes what lies before @end: no lock over the user copy */
	ret = copy_segments(file, to, file->pos, len, &crc);
	return ret ? ret : read_end(file, len, crc);
}

static ssize_t read_some(struct migsim_file *file, struct iov_iter *to,
			 bool nonblock)
{
	size_t len = iov_iter_count(to);
	size_t early = 0;
	ssize_t ret;
	u64 rate;

	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;

	ret = read_begin(file, &len, &rate);
	if (ret || !len)
		goto out;
	if (migsim_file_lossy(file, nonblock)) {
		early = DIV_ROUND_UP(len, 2);
		ret = give(file, to, early);
		if (ret)
			goto out;
	}
	ret = migsim_file_pace(file, rate, len, nonblock);
	if (early)
		ret = migsim_file_lost(file, ret, early);
	if (!ret)
		ret = give(file, to, len - early);
out:
	mutex_unlock(&file->io_lock);
	return ret ? ret : len;
}

static ssize_t save_read(struct file *f, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct iov_iter to;
	int ret;

	if (pos)
		return -ESPIPE;
	ret = import_ubuf(ITER_DEST, buf, len, &to);
	if (ret)
		return ret;
	return read_some(f->private_data, &to, f->f_flags & O_NONBLOCK);
}

static ssize_t save_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *f = iocb->ki_filp;

	if (iocb->ki_pos)
		return -ESPIPE;
	return read_some(f->private_data, to, iocb->ki_flags & IOCB_NOWAIT ||
			 f->f_flags & O_NONBLOCK);
}

static void precopy_info(struct migsim_file *file,
			 struct vfio_precopy_info *info)
{
	struct migsim_precopy *pre = &file->precopy;
	u64 left = file->end - file->pos;

	info->flags = 0;
	info->initial_bytes = 0;
	info->dirty_bytes = 0;
	if (!pre->base)
		return;
	migsim_precopy_catch_up(file);
	if (pre->reinit)
		info->flags |= VFIO_PRECOPY_INFO_REINIT;
	pre->reinit = false;
	info->initial_bytes = migsim_precopy_initial(pre);
	info->dirty_bytes = migsim_precopy_dirty(pre);
	if (pre->is_initial)
		info->initial_bytes += left;
	else
		info->dirty_bytes += left;
}

static long save_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct migsim_file *file = f->private_data;
	void __user *uarg = (void __user *)arg;
	struct vfio_precopy_info info;
	int ret = 0;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, uarg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_DISABLED)
		ret = -ENODEV;
	else if (file->phase != MIGSIM_FILE_PRECOPY)
		ret = -EINVAL;
	else
		precopy_info(file, &info);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;
	return copy_to_user(uarg, &info, minsz) ? -EFAULT : 0;
}

/* Nanoseconds until a read will find something, U64_MAX: unknown. */
static u64 readable_in(struct migsim_file *file)
{
	struct migsim_precopy *pre = &file->precopy;

	if (READ_ONCE(file->due_ns))
		return migsim_file_due_in(file);
	if (file->phase != MIGSIM_FILE_PRECOPY || file->pos < file->end)
		return 0;
	if (!pre->base)
		return U64_MAX;
	migsim_precopy_catch_up(file);
	if (migsim_precopy_initial(pre) || migsim_precopy_dirty(pre))
		return 0;
	return migsim_precopy_next_ns(file);
}

static __poll_t save_poll(struct file *f, poll_table *table)
{
	struct migsim_file *file = f->private_data;
	u64 ns;

	poll_wait(f, &file->wait, table);
	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_DISABLED) {
		mutex_unlock(&file->lock);
		return EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	}
	ns = readable_in(file);
	mutex_unlock(&file->lock);
	if (!ns)
		return EPOLLIN | EPOLLRDNORM;
	migsim_file_poll_in(file, ns);
	return 0;
}

#define SAVE_FOPS				\
	.owner = THIS_MODULE,			\
	.unlocked_ioctl = save_ioctl,		\
	.compat_ioctl = compat_ptr_ioctl,	\
	.release = migsim_file_release

static const struct file_operations save_fops[] = {
	{ SAVE_FOPS, .read = save_read },
	[MIGSIM_FOPS_POLL] = { SAVE_FOPS, .read = save_read, .poll = save_poll },
	[MIGSIM_FOPS_ITER] = { SAVE_FOPS, .read_iter = save_read_iter },
	[MIGSIM_FOPS_ITER | MIGSIM_FOPS_POLL] = {
		SAVE_FOPS, .read_iter = save_read_iter, .poll = save_poll,
	},
};

static int precopy_start(struct migsim_device *dev, struct migsim_file *file)
{
	u64 size = READ_ONCE(dev->knobs.precopy_size);
	int ret;

	/* without records a destination could not tell it from the payload */
	if (!size || READ_ONCE(dev->knobs.headerless))
		return 0;
	ret = migsim_payload_need(dev);
	if (ret || !migsim_blob_is_kept(dev->payload))
		return ret;
	return migsim_precopy_start(file, dev->payload, size);
}

/**
 * migsim_save_start - open a saving data_fd
 * @dev: the device
 * @precopy: start in PRE_COPY; migsim_save_finish() then follows when the
 *	device has stopped
 *
 * Context: state_mutex.
 * Return: the file or an ERR_PTR.
 */
struct migsim_file *migsim_save_start(struct migsim_device *dev, bool precopy)
{
	struct migsim_file *file;
	int ret;

	file = migsim_file_create(dev, save_fops, O_RDONLY,
				  MIGSIM_FILE_PRECOPY);
	if (IS_ERR(file))
		return file;

	ret = precopy ? precopy_start(dev, file) : migsim_save_finish(dev, file);
	if (ret) {
		migsim_file_disable(file);
		return ERR_PTR(ret);
	}
	WRITE_ONCE(dev->saved_bytes, 0);
	return file;
}

/*
 * What the device wrote during the save is its payload from now on, unless it has
 * got another one meanwhile.
 */
static void payload_settle(struct migsim_device *dev, struct migsim_file *file)
{
	struct migsim_precopy *pre = &file->precopy;

	lockdep_assert_held(&dev->state_mutex);

	if (!pre->live || dev->payload != pre->base)
		return;
	dev->payload = migsim_blob_get(pre->live);
	migsim_blob_put(pre->base);
}

/* Memory to make a payload in that is not kept. One that was loaded is gone. */
static int part_need(struct migsim_device *dev, struct migsim_file *file)
{
	if (migsim_blob_is_kept(dev->payload) || file->part)
		return 0;
	if (!dev->payload->generated)
		return -ENODATA;
	file->part = migsim_blob_alloc(MIGSIM_PART);
	return file->part ? 0 : -ENOMEM;
}

/**
 * migsim_save_finish - append the state of the stopped device
 * @dev: the device
 * @file: its saving data_fd
 *
 * Context: state_mutex.
 * Return: 0 or an error, and then the file is as before.
 */
int migsim_save_finish(struct migsim_device *dev, struct migsim_file *file)
{
	struct migsim_precopy *pre = &file->precopy;
	struct migsim_regs regs;
	int ret;

	ret = migsim_payload_need(dev);
	if (!ret)
		ret = part_need(dev, file);
	if (ret)
		return ret;
	ret = migsim_regs_wait_idle(dev, false);
	if (ret)
		return ret;
	ret = migsim_regs_read(dev, &regs);
	if (ret)
		return ret;

	mutex_lock(&file->lock);
	if (pre->base) {
		bool same = dev->payload == pre->base;

		migsim_precopy_catch_up(file);
		payload_settle(dev, file);
		file->start = same ? pre->given : 0;
	}
	file->payload = migsim_blob_get(dev->payload);
	migsim_stream_fill_state(&file->state_head, &regs, file->start,
				 dev->payload->size - file->start);
	file->phase = MIGSIM_FILE_FINAL;
	mutex_unlock(&file->lock);
	wake_up_all(&file->wait);
	return 0;
}

/* The CRC of a payload that is not kept is that of what was read, if that was all. */
static void crc_settle(struct migsim_file *file)
{
	struct migsim_blob *payload = file->payload;

	lockdep_assert_held(&file->dev->state_mutex);
	lockdep_assert_held(&file->lock);

	if (!file->last || file->pos < file->end ||
	    migsim_blob_is_kept(payload))
		return;
	payload->crc = ~file->crc;
	payload->crc_valid = true;
}

/**
 * migsim_save_abandon - a save ends, complete or not
 * @dev: the device, with a saving data_fd
 *
 * Context: state_mutex.
 */
void migsim_save_abandon(struct migsim_device *dev)
{
	struct migsim_file *file = dev->saving;

	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_PRECOPY && file->precopy.base) {
		migsim_precopy_catch_up(file);
		payload_settle(dev, file);
	}
	crc_settle(file);
	mutex_unlock(&file->lock);
}

/**
 * migsim_save_left - bytes still to be read until the device is saved
 * @dev: the device
 *
 * Context: state_mutex.
 * Return: what STOP_COPY has left, or would have now.
 */
u64 migsim_save_left(struct migsim_device *dev)
{
	const struct migsim_blob *payload = dev->payload;
	struct migsim_file *file = dev->saving;
	u64 left = 0, given = 0;

	if (file) {
		mutex_lock(&file->lock);
		if (file->phase == MIGSIM_FILE_FINAL) {
			payload = file->payload;
			given = file->start;
		} else if (file->precopy.base && file->precopy.base == payload) {
			migsim_precopy_catch_up(file);
			given = file->precopy.given;
		}
		left = file->end - file->pos;
		if (given && !file->last)
			left += migsim_precopy_dirty(&file->precopy);
	}
	if (!file || !file->last) {
		left += payload ? payload->size - given : dev->knobs.state_size;
		if (!READ_ONCE(dev->knobs.headerless))
			left += MIGSIM_STATE_HEAD;
	}
	if (file)
		mutex_unlock(&file->lock);
	return left;
}
