// SPDX-License-Identifier: GPL-2.0-only
/* Loading: the data_fd of RESUMING */

#include <linux/crc32.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "migsim.h"

/*
 * A record's head and a piece of pre-copy data are kept until they are complete;
 * the payload goes to where it belongs at once, so the arc to STOP has no byte to
 * move. The memory grows with what really arrives, never by a size that the
 * stream claims. A payload that is not kept goes through the memory of a piece.
 */
static int image_grow(struct migsim_file *file, u64 need)
{
	u64 capacity;
	u8 *image;

	lockdep_assert_held(&file->io_lock);

	if (need <= file->capacity)
		return 0;
	if (need > MIGSIM_STATE_MAX)
		return -ENOSPC;
	capacity = max3(need, file->capacity + file->capacity / 2,
			(u64)SZ_64K);
	image = migsim_blob_alloc(capacity);
	if (!image)
		return -ENOMEM;
	if (file->image)
		memcpy(image, file->image, file->capacity);
	vfree(file->image);
	file->image = image;
	file->capacity = capacity;
	return 0;
}

/* Where the next bytes go; @len is cut to those that go there. */
static int room(struct migsim_file *file, u8 **dst, size_t *len)
{
	struct migsim_parser *parser = &file->parser;
	int ret;

	switch (parser->part) {
	case MIGSIM_PART_HEAD:
		*dst = parser->head + parser->have;
		*len = min_t(u64, *len, parser->left);
		return 0;
	case MIGSIM_PART_PIECE:
		/* it would be replaced later, and is not kept so long */
		if (file->unkept)
			return -EINVAL;
		*dst = file->piece + file->piece_len;
		*len = min_t(u64, *len, parser->left);
		/* for when it is complete */
		return image_grow(file, parser->offset + file->piece_len +
					parser->left);
	case MIGSIM_PART_PAYLOAD:
		*len = min_t(u64, *len, parser->left);
		if (file->unkept) {
			*dst = file->piece;
			*len = min_t(u64, *len, MIGSIM_PRECOPY_DATA);
			return parser->offset + *len > MIGSIM_UNKEPT_MAX ?
			       -ENOSPC : 0;
		}
		ret = image_grow(file, parser->offset + *len);
		if (!ret)
			*dst = file->image + parser->offset;
		return ret;
	default:
		/* read and forgotten */
		*dst = file->piece;
		*len = min_t(u64, *len, MIGSIM_PRECOPY_DATA);
		return 0;
	}
}

static void piece_done(struct migsim_file *file)
{
	struct migsim_parser *parser = &file->parser;

	migsim_stream_piece(parser, file->piece, file->piece_len);
	if (parser->part == MIGSIM_PART_HEAD)
		memcpy(file->image + parser->offset, file->piece,
		       file->piece_len);
	file->piece_len = 0;
}

/* Bytes were put where room() said. */
static void arrived(struct migsim_file *file, size_t len)
{
	struct migsim_parser *parser = &file->parser;

	switch (parser->part) {
	case MIGSIM_PART_HEAD:
		migsim_stream_head(parser, len, file->unkept ?
				   MIGSIM_UNKEPT_MAX : MIGSIM_STATE_MAX);
		break;
	case MIGSIM_PART_PIECE:
		file->piece_len += len;
		parser->left -= len;
		if (!parser->left)
			piece_done(file);
		break;
	case MIGSIM_PART_PAYLOAD:
		if (file->unkept)
			file->crc = crc32_le(file->crc, file->piece, len);
		parser->offset += len;
		parser->left -= len;
		if (!parser->left)
			parser->part = MIGSIM_PART_EXCESS;
		break;
	default:
		parser->excess += len;
	}
}

/* Return: bytes taken, fewer than @len if memory ends in between, or an error. */
static ssize_t take(struct migsim_file *file, struct iov_iter *from, size_t len)
{
	size_t done = 0, part;
	u8 *dst;
	int ret;

	while (done < len) {
		part = len - done;
		ret = room(file, &dst, &part);
		if (ret)
			return done ?: ret;
		if (copy_from_iter(dst, part, from) != part)
			return done ?: -EFAULT;
		arrived(file, part);
		done += part;
	}
	return done;
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

static ssize_t write_some(struct migsim_file *file, struct iov_iter *from,
			  bool nonblock)
{
	size_t len = iov_iter_count(from);
	ssize_t early = 0;
	ssize_t ret;
	u64 rate;

	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;

	ret = write_begin(file, &len, &rate);
	if (ret || !len)
		goto out;
	if (migsim_file_lossy(file, nonblock)) {
		early = take(file, from, DIV_ROUND_UP(len, 2));
		ret = early < 0 ? early : write_end(file, early);
		if (ret)
			goto out;
	}
	ret = migsim_file_pace(file, rate, len, nonblock);
	if (early)
		ret = migsim_file_lost(file, ret, early);
	if (ret)
		goto out;
	ret = take(file, from, len - early);
	if (ret < 0)
		goto out;
	len = ret + early;
	ret = write_end(file, ret);
out:
	mutex_unlock(&file->io_lock);
	return ret ? ret : len;
}

static ssize_t load_write(struct file *f, const char __user *buf,
			  size_t len, loff_t *pos)
{
	struct iov_iter from;
	int ret;

	if (pos)
		return -ESPIPE;
	ret = import_ubuf(ITER_SOURCE, (char __user *)buf, len, &from);
	if (ret)
		return ret;
	return write_some(f->private_data, &from, f->f_flags & O_NONBLOCK);
}

static ssize_t load_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *f = iocb->ki_filp;

	if (iocb->ki_pos)
		return -ESPIPE;
	return write_some(f->private_data, from, iocb->ki_flags & IOCB_NOWAIT ||
			  f->f_flags & O_NONBLOCK);
}

static __poll_t load_poll(struct file *f, poll_table *table)
{
	struct migsim_file *file = f->private_data;
	u64 ns;

	poll_wait(f, &file->wait, table);
	if (READ_ONCE(file->phase) == MIGSIM_FILE_DISABLED)
		return EPOLLOUT | EPOLLWRNORM | EPOLLERR;
	ns = migsim_file_due_in(file);
	if (!ns)
		return EPOLLOUT | EPOLLWRNORM;
	migsim_file_poll_in(file, ns);
	return 0;
}

#define LOAD_FOPS .owner = THIS_MODULE, .release = migsim_file_release

static const struct file_operations load_fops[] = {
	{ LOAD_FOPS, .write = load_write },
	[MIGSIM_FOPS_POLL] = { LOAD_FOPS, .write = load_write, .poll = load_poll },
	[MIGSIM_FOPS_ITER] = { LOAD_FOPS, .write_iter = load_write_iter },
	[MIGSIM_FOPS_ITER | MIGSIM_FOPS_POLL] = {
		LOAD_FOPS, .write_iter = load_write_iter, .poll = load_poll,
	},
};

/*
 * Most streams are as big as our own state. A generated payload can be made
 * again at any time, so it need not take memory beside the new one.
 */
static int memory_prepare(struct migsim_device *dev, struct migsim_file *file)
{
	if (dev->payload && dev->payload->generated) {
		migsim_blob_put(dev->payload);
		dev->payload = NULL;
	}
	file->piece = migsim_blob_alloc(MIGSIM_PRECOPY_DATA);
	if (!file->piece)
		return -ENOMEM;
	migsim_stream_begin(&file->parser);
	if (READ_ONCE(dev->knobs.headerless)) {
		file->headerless = true;
		file->parser.part = MIGSIM_PART_PAYLOAD;
		file->parser.left = U64_MAX;
	}
	file->unkept = !dev->knobs.in_memory;
	if (file->unkept)
		return 0;
	mutex_lock(&file->io_lock);
	/* if it fails now, the write that needs it says so */
	image_grow(file, dev->knobs.state_size);
	mutex_unlock(&file->io_lock);
	return 0;
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
	int ret;

	file = migsim_file_create(dev, load_fops, O_WRONLY,
				  MIGSIM_FILE_LOADING);
	if (IS_ERR(file))
		return file;
	ret = memory_prepare(dev, file);
	if (ret) {
		migsim_file_disable(file);
		return ERR_PTR(ret);
	}
	WRITE_ONCE(dev->loaded_bytes, 0);
	return file;
}

static int load_stream(struct migsim_device *dev, struct migsim_file *file)
{
	struct migsim_blob *blob;
	int ret;

	if (!file->headerless) {
		ret = migsim_stream_end(&file->parser);
		if (ret)
			return ret;
	}
	blob = migsim_blob_wrap(file->image, 0, file->parser.offset);
	if (!blob)
		return -ENOMEM;
	if (file->unkept) {
		blob->crc = ~file->crc;
		blob->crc_valid = true;
	}

	if (!file->headerless) {
		ret = migsim_regs_write(dev, &file->parser.regs);
		if (ret) {
			blob->base = NULL; /* still the file's */
			migsim_blob_put(blob);
			return ret;
		}
	}
	file->image = NULL;
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
 * Return: 0, or an error of migsim_stream_end() or migsim_regs_write(); the
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
