// SPDX-License-Identifier: GPL-2.0-only
/* Loading: the data_fd of RESUMING */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "migsim.h"

/*
 * The stream is kept whole until the arc to STOP, which finds the payload in
 * it without moving a byte. The buffer grows with what really arrives, never
 * by a size that the stream claims.
 */
#define STREAM_MAX	(MIGSIM_STATE_MAX + MIGSIM_PRECOPY_MAX + SZ_1M)

static int buffer_grow(struct migsim_file *file, u64 need)
{
	u64 capacity;
	u8 *buf;

	lockdep_assert_held(&file->io_lock);

	if (need <= file->capacity)
		return 0;
	capacity = max3(need, file->capacity + file->capacity / 2,
			(u64)SZ_64K);
	buf = migsim_blob_alloc(capacity);
	if (!buf)
		return -ENOMEM;
	if (file->buf)
		memcpy(buf, file->buf, file->pos);
	vfree(file->buf);
	file->buf = buf;
	file->capacity = capacity;
	return 0;
}

/* Decide how much one write takes, and how big the buffer should start. */
static int write_begin(struct migsim_file *file, size_t *len, u64 *rate)
{
	struct migsim_knobs *knobs;
	u64 chunk;
	int ret = 0;

	mutex_lock(&file->lock);
	if (file->phase != MIGSIM_FILE_LOADING) {
		ret = -ENODEV;
		goto out;
	}
	if (*len > STREAM_MAX - file->pos) {
		ret = -ENOSPC;
		goto out;
	}

	knobs = &file->dev->knobs;
	chunk = READ_ONCE(knobs->write_chunk);
	if (chunk)
		*len = min_t(u64, *len, chunk);
	*rate = READ_ONCE(knobs->write_us_per_mib);
	ret = migsim_knob_fault(file->dev, &knobs->fail_write, file->pos, len);
out:
	mutex_unlock(&file->lock);
	return ret;
}

static int write_end(struct migsim_file *file, size_t len)
{
	int ret = 0;

	mutex_lock(&file->lock);
	if (file->phase != MIGSIM_FILE_LOADING) {
		ret = -ENODEV;
	} else {
		file->pos += len;
		WRITE_ONCE(file->dev->loaded_bytes, file->pos);
	}
	mutex_unlock(&file->lock);
	return ret;
}

static ssize_t load_write(struct file *f, const char __user *buf,
			  size_t len, loff_t *pos)
{
	struct migsim_file *file = f->private_data;
	ssize_t ret;
	u64 rate;

	if (pos)
		return -ESPIPE;
	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;

	ret = write_begin(file, &len, &rate);
	if (ret || !len)
		goto out;
	ret = migsim_file_pace(file, rate, len);
	if (ret)
		goto out;
	ret = buffer_grow(file, file->pos + len);
	if (ret)
		goto out;
	if (copy_from_user(file->buf + file->pos, buf, len)) {
		ret = -EFAULT;
		goto out;
	}
	ret = write_end(file, len);
out:
	mutex_unlock(&file->io_lock);
	return ret ? ret : len;
}

static const struct file_operations load_fops = {
	.owner = THIS_MODULE,
	.write = load_write,
	.release = migsim_file_release,
};

/*
 * Most streams are as big as our own state. A generated payload can be made
 * again at any time, so it need not take memory beside the buffer.
 */
static void memory_prepare(struct migsim_device *dev, struct migsim_file *file)
{
	if (dev->payload && dev->payload->generated) {
		migsim_blob_put(dev->payload);
		dev->payload = NULL;
	}
	mutex_lock(&file->io_lock);
	/* if it fails now, the write that needs it says so */
	buffer_grow(file, dev->knobs.state_size + MIGSIM_STATE_HEAD);
	mutex_unlock(&file->io_lock);
}

/**
 * migsim_load_start - open a loading data_fd
 * @dev: the device
 *
 * Context: state_mutex.
 * Return: the file or an ERR_PTR.
 */
struct migsim_file *migsim_load_start(struct migsim_device *dev)
{
	struct migsim_file *file;

	file = migsim_file_create(dev, &load_fops, O_WRONLY,
				  MIGSIM_FILE_LOADING);
	if (IS_ERR(file))
		return file;
	memory_prepare(dev, file);
	WRITE_ONCE(dev->loaded_bytes, 0);
	return file;
}

static int load_stream(struct migsim_device *dev, struct migsim_file *file)
{
	bool headerless = READ_ONCE(dev->knobs.headerless);
	struct migsim_stream stream = { .size = file->pos };
	struct migsim_blob *blob;
	int ret;

	if (!headerless) {
		ret = migsim_stream_parse(file->buf, file->pos, &stream);
		if (ret)
			return ret;
	}
	blob = migsim_blob_wrap(file->buf, stream.payload, stream.size);
	if (!blob)
		return -ENOMEM;

	if (!headerless) {
		ret = migsim_regs_write(dev, &stream.regs);
		if (ret) {
			blob->base = NULL; /* still the file's */
			migsim_blob_put(blob);
			return ret;
		}
	}
	file->buf = NULL;
	file->capacity = 0;
	migsim_blob_put(dev->payload);
	dev->payload = blob;
	return 0;
}

/**
 * migsim_load_finish - take over what was written
 * @dev: the device
 * @file: its loading data_fd
 *
 * Waits for a write that is under way, in its pacing sleep perhaps. On an
 * error the file still takes bytes, so a stream that is merely short can be
 * completed.
 *
 * Context: state_mutex.
 * Return: 0, or an error of migsim_stream_parse() or migsim_regs_write(); the
 * payload is then the old one.
 */
int migsim_load_finish(struct migsim_device *dev, struct migsim_file *file)
{
	int ret;

	mutex_lock(&file->io_lock);
	ret = load_stream(dev, file);
	if (!ret)
		file->pos = 0;
	mutex_unlock(&file->io_lock);
	return ret;
}
