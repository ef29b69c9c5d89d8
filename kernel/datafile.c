// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data files. Where a driver has read_iter and write_iter, it is given the pages of
 * staging themselves; else, as today with all drivers of the kernel, it is given
 * the address where staging is mapped, and a mover has to call. The mapping is there
 * in any case: a device's method is known only when it has come to the state that has
 * a data file, and by then movers run.
 *
 * Signals: a mover gets no signal but those that kill and stop its process, and begins
 * no step with one pending. But the process may be stopped while a driver waits for
 * the device. All drivers whose calls end then with EINTR or ERESTARTSYS have the
 * same flaw: what they moved before they had to wait is lost. So such a call is
 * repeated only if nothing was moved, which shows in what the driver should have
 * filled: the vector's position, or the first bytes of the mapped memory. For
 * a write from mapped memory nothing shows it.
 */
#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "datafile.h"

/**
 * migmux_datafile_method() - how a data file will be read, or written
 * @file: the data file
 * @method: the answer
 *
 * Return: false if there is no way.
 */
bool migmux_datafile_method(const struct file *file,
			    enum vfio_migmux_read_method *method)
{
	const struct file_operations *fop = file->f_op;
	const bool reads = file->f_mode & FMODE_READ;
	const bool iter = reads ? !!fop->read_iter : !!fop->write_iter;

	*method = iter ? VFIO_MIGMUX_READ_METHOD_ITER : VFIO_MIGMUX_READ_METHOD_USER;
	if (!reads && !(file->f_mode & FMODE_WRITE))
		return false;
	return iter || (reads ? !!fop->read : !!fop->write);
}

static bool interrupted(ssize_t n)
{
	return n == -EINTR || n == -ERESTARTSYS;
}

/* What an interrupted call means; who is being killed needs no verdict on it. */
static ssize_t interruption(bool moved)
{
	return moved && !fatal_signal_pending(current) ? -EINTR : -ERESTARTSYS;
}

/* The memory is not from the high zone: it has an address. */
static u64 *first_bytes(const struct migmux_frame *frame)
{
	return page_address(frame->bvec[0].bv_page);
}

static ssize_t read_user(struct file *file, struct migmux_frame *frame)
{
	const u64 mark = get_random_u64();
	ssize_t n;

	WRITE_ONCE(*first_bytes(frame), mark);
	n = file->f_op->read(file, (char __user *)frame->uaddr,
			     MIGMUX_WIRE_DATA_MAX, NULL);
	if (interrupted(n))
		return interruption(READ_ONCE(*first_bytes(frame)) != mark);
	return n;
}

static void call_prepare(struct kiocb *iocb, struct file *file)
{
	/* data files are streams: the position stays 0 */
	init_sync_kiocb(iocb, file);
	iocb->ki_pos = 0;
}

static ssize_t read_iter(struct file *file, struct migmux_frame *frame)
{
	struct iov_iter to;
	struct kiocb iocb;
	ssize_t n;

	call_prepare(&iocb, file);
	iov_iter_bvec(&to, ITER_DEST, frame->bvec, frame->nr_bvec,
		      MIGMUX_WIRE_DATA_MAX);
	n = file->f_op->read_iter(&iocb, &to);
	if (interrupted(n))
		return interruption(iov_iter_count(&to) < MIGMUX_WIRE_DATA_MAX);
	return n;
}

/**
 * migmux_datafile_read() - one read of a device's state
 * @file: its data file
 * @frame: where to: the caller's, from the staging
 *
 * Context: a mover; sleeps as long as the driver takes.
 * Return: bytes, 0 at an end, -ERESTARTSYS if it was interrupted and nothing was
 * read, -EINTR if it was interrupted and bytes are lost, or the driver's error.
 */
ssize_t migmux_datafile_read(struct file *file, struct migmux_frame *frame)
{
	enum vfio_migmux_read_method method;
	ssize_t n;

	if (!(file->f_mode & FMODE_READ) || !migmux_datafile_method(file, &method))
		return -EOPNOTSUPP;
	n = method == VFIO_MIGMUX_READ_METHOD_ITER ? read_iter(file, frame) :
						     read_user(file, frame);
	return n > MIGMUX_WIRE_DATA_MAX ? -EIO : n;
}

static ssize_t write_user(struct file *file, struct migmux_frame *frame,
			  size_t offset)
{
	ssize_t n;

	n = file->f_op->write(file, (char __user *)frame->uaddr + offset,
			      frame->bytes - offset, NULL);
	return interrupted(n) ? interruption(true) : n;
}

static ssize_t write_iter(struct file *file, struct migmux_frame *frame,
			  size_t offset)
{
	const size_t left = frame->bytes - offset;
	struct iov_iter from;
	struct kiocb iocb;
	ssize_t n;

	call_prepare(&iocb, file);
	iov_iter_bvec(&from, ITER_SOURCE, frame->bvec, frame->nr_bvec, frame->bytes);
	iov_iter_advance(&from, offset);
	n = file->f_op->write_iter(&iocb, &from);
	if (interrupted(n))
		return interruption(iov_iter_count(&from) < left);
	return n;
}

/**
 * migmux_datafile_write() - one write of a device's state
 * @file: its data file
 * @frame: the frame; the caller's
 * @offset: bytes of it that are written; not all
 *
 * Context: a mover; sleeps as long as the driver takes.
 * Return: bytes, at least 1, -ERESTARTSYS if it was interrupted and nothing was
 * written, -EINTR if it was interrupted and nobody knows how much was, or the driver's
 * error.
 */
ssize_t migmux_datafile_write(struct file *file, struct migmux_frame *frame,
			      size_t offset)
{
	enum vfio_migmux_read_method method;
	ssize_t n;

	if (!(file->f_mode & FMODE_WRITE) || !migmux_datafile_method(file, &method))
		return -EOPNOTSUPP;
	n = method == VFIO_MIGMUX_READ_METHOD_ITER ? write_iter(file, frame, offset) :
						     write_user(file, frame, offset);
	return !n || n > (ssize_t)(frame->bytes - offset) ? -EIO : n;
}
