// SPDX-License-Identifier: GPL-2.0-only
/* Saving: the data_fd of PRE_COPY, PRE_COPY_P2P and STOP_COPY */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "migsim.h"

/* content of the pre-copy record; any other sequence than the payload's */
#define PRECOPY_SEED	0x505245434f5059ULL

static void segment_add(struct migsim_file *file, const void *data,
			size_t size)
{
	lockdep_assert_held(&file->lock);

	if (!size)
		return;
	file->seg[file->nseg++] = (struct migsim_segment) {
		.data = data,
		.size = size,
	};
	file->end += size;
}

static int copy_segments(const struct migsim_file *file, char __user *buf,
			 u64 pos, size_t len)
{
	const struct migsim_segment *seg = file->seg;

	while (len) {
		size_t part;

		if (pos >= seg->size) {
			pos -= seg->size;
			seg++;
			continue;
		}
		part = min_t(u64, seg->size - pos, len);
		if (copy_to_user(buf, (const u8 *)seg->data + pos, part))
			return -EFAULT;
		buf += part;
		pos += part;
		len -= part;
	}
	return 0;
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
	left = file->end - file->pos;
	if (!left && file->phase == MIGSIM_FILE_PRECOPY) {
		ret = -ENOMSG;
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

static int read_end(struct migsim_file *file, size_t len)
{
	int ret = 0;

	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_DISABLED) {
		ret = -ENODEV;
	} else {
		file->pos += len;
		WRITE_ONCE(file->dev->saved_bytes, file->pos);
	}
	mutex_unlock(&file->lock);
	return ret;
}

static ssize_t save_read(struct file *f, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct migsim_file *file = f->private_data;
	ssize_t ret;
	u64 rate;

	if (pos)
		return -ESPIPE;
	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;

	ret = read_begin(file, &len, &rate);
	if (ret || !len)
		goto out;
	ret = migsim_file_pace(file, rate, len);
	if (ret)
		goto out;
	/* what lies before @end never changes: no lock over the user copy */
	ret = copy_segments(file, buf, file->pos, len);
	if (ret)
		goto out;
	ret = read_end(file, len);
out:
	mutex_unlock(&file->io_lock);
	return ret ? ret : len;
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

	info.flags = 0;
	info.dirty_bytes = 0;
	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_DISABLED)
		ret = -ENODEV;
	else if (file->phase != MIGSIM_FILE_PRECOPY)
		ret = -EINVAL;
	else
		info.initial_bytes = file->end - file->pos;
	mutex_unlock(&file->lock);
	if (ret)
		return ret;
	return copy_to_user(uarg, &info, minsz) ? -EFAULT : 0;
}

static const struct file_operations save_fops = {
	.owner = THIS_MODULE,
	.read = save_read,
	.unlocked_ioctl = save_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = migsim_file_release,
};

static int precopy_add(struct migsim_device *dev, struct migsim_file *file)
{
	u64 size = READ_ONCE(dev->knobs.precopy_size);

	/* without records a destination could not tell it from the payload */
	if (!size || READ_ONCE(dev->knobs.headerless))
		return 0;
	file->precopy = migsim_blob_generate(PRECOPY_SEED, size);
	if (!file->precopy)
		return -ENOMEM;

	migsim_stream_fill_record(&file->precopy_head, MIGSIM_RECORD_PRECOPY,
				  size);
	mutex_lock(&file->lock);
	segment_add(file, &file->precopy_head, sizeof(file->precopy_head));
	segment_add(file, file->precopy->data, size);
	mutex_unlock(&file->lock);
	return 0;
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

	file = migsim_file_create(dev, &save_fops, O_RDONLY,
				  MIGSIM_FILE_PRECOPY);
	if (IS_ERR(file))
		return file;

	ret = precopy ? precopy_add(dev, file) : migsim_save_finish(dev, file);
	if (ret) {
		migsim_file_disable(file);
		return ERR_PTR(ret);
	}
	WRITE_ONCE(dev->saved_bytes, 0);
	return file;
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
	bool headerless = READ_ONCE(dev->knobs.headerless);
	struct migsim_regs regs;
	int ret;

	ret = migsim_payload_need(dev);
	if (ret)
		return ret;
	ret = migsim_regs_wait_idle(dev, false);
	if (ret)
		return ret;
	ret = migsim_regs_read(dev, &regs);
	if (ret)
		return ret;

	file->payload = migsim_blob_get(dev->payload);
	migsim_stream_fill_state(&file->state_head, &regs, dev->payload->size);
	mutex_lock(&file->lock);
	if (!headerless)
		segment_add(file, &file->state_head, MIGSIM_STATE_HEAD);
	segment_add(file, file->payload->data, file->payload->size);
	file->phase = MIGSIM_FILE_FINAL;
	mutex_unlock(&file->lock);
	return 0;
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
	struct migsim_file *file = dev->saving;
	u64 left = 0;
	bool all = false;

	if (file) {
		mutex_lock(&file->lock);
		left = file->end - file->pos;
		all = file->phase == MIGSIM_FILE_FINAL;
		mutex_unlock(&file->lock);
	}
	if (!all) {
		left += dev->payload ? dev->payload->size :
				       dev->knobs.state_size;
		if (!READ_ONCE(dev->knobs.headerless))
			left += MIGSIM_STATE_HEAD;
	}
	return left;
}
