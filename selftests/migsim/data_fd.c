// SPDX-License-Identifier: GPL-2.0-only
/* What saving and loading files have in common: birth, pacing, death */

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "migsim.h"

/* shorter waits are owed instead, and slept when they have added up */
#define PACE_MIN_NS	(200 * NSEC_PER_USEC)

/**
 * migsim_files_create - begin to count data_fds
 *
 * Return: the counter, for the device to put, or NULL.
 */
struct migsim_files *migsim_files_create(void)
{
	struct migsim_files *files = kzalloc(sizeof(*files), GFP_KERNEL);

	if (files)
		kref_init(&files->ref);
	return files;
}

static void files_free(struct kref *ref)
{
	kfree(container_of(ref, struct migsim_files, ref));
}

/**
 * migsim_files_put - the device or one of its data_fds is gone
 * @files: the counter
 */
void migsim_files_put(struct migsim_files *files)
{
	kref_put(&files->ref, files_free);
}

/**
 * migsim_files_alive - how many data_fds are there?
 * @files: the counter of a device that is alive
 *
 * Return: how many, those included that only their user still holds.
 */
unsigned int migsim_files_alive(struct migsim_files *files)
{
	return kref_read(&files->ref) - 1;
}

static void poll_timer(struct timer_list *timer)
{
	struct migsim_file *file = container_of(timer, struct migsim_file,
						poll_timer);

	wake_up_all(&file->wait);
}

/**
 * migsim_file_create - make a data_fd
 * @dev: the device
 * @fops: its operations, by MIGSIM_FOPS_*, with migsim_file_release() among them
 * @flags: O_RDONLY or O_WRONLY
 * @phase: phase to begin with
 *
 * Context: state_mutex.
 * Return: the file with one reference on @f, for the device to keep, or an
 * ERR_PTR.
 */
struct migsim_file *migsim_file_create(struct migsim_device *dev,
				       const struct file_operations fops[4],
				       int flags, enum migsim_file_phase phase)
{
	struct migsim_file *file;

	if (READ_ONCE(dev->knobs.poll))
		fops += MIGSIM_FOPS_POLL;
	if (READ_ONCE(dev->knobs.read_iter))
		fops += MIGSIM_FOPS_ITER;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return ERR_PTR(-ENOMEM);
	mutex_init(&file->io_lock);
	mutex_init(&file->lock);
	init_waitqueue_head(&file->wait);
	timer_setup(&file->poll_timer, poll_timer, 0);
	file->dev = dev;
	file->phase = phase;
	file->crc = ~0U;
	if (READ_ONCE(dev->knobs.nonblock))
		flags |= O_NONBLOCK;

	file->f = anon_inode_getfile("migsim", fops, file, flags);
	if (IS_ERR(file->f)) {
		int ret = PTR_ERR(file->f);

		kfree(file);
		return ERR_PTR(ret);
	}
	kref_get(&dev->files->ref);
	file->files = dev->files;
	stream_open(file->f->f_inode, file->f);
	WRITE_ONCE(dev->lost_bytes, 0);
	return file;
}

/**
 * migsim_file_disable - end a data_fd and drop the device's reference
 * @file: the file; gone for the caller afterwards
 *
 * From here on no read or write touches the device, a pacing sleep ends at
 * once, and every call returns -ENODEV. The content goes with the last
 * reference of the user, in migsim_file_release().
 *
 * Context: state_mutex; never waits for a read or write.
 */
void migsim_file_disable(struct migsim_file *file)
{
	mutex_lock(&file->lock);
	WRITE_ONCE(file->phase, MIGSIM_FILE_DISABLED);
	mutex_unlock(&file->lock);
	wake_up_all(&file->wait);
	fput(file->f);
}

/**
 * migsim_file_release - the last user is gone
 * @inode: unused
 * @f: the file
 *
 * The device is not touched: it dropped its reference in
 * migsim_file_disable(), or never got to keep the file.
 *
 * Return: 0.
 */
int migsim_file_release(struct inode *inode, struct file *f)
{
	struct migsim_file *file = f->private_data;

	timer_shutdown_sync(&file->poll_timer);
	migsim_precopy_free(&file->precopy);
	migsim_blob_put(file->payload);
	vfree(file->part);
	vfree(file->piece);
	vfree(file->image);
	mutex_destroy(&file->lock);
	mutex_destroy(&file->io_lock);
	migsim_files_put(file->files);
	kfree(file);
	return 0;
}

static bool disabled(const struct migsim_file *file)
{
	return READ_ONCE(file->phase) == MIGSIM_FILE_DISABLED;
}

/**
 * migsim_file_pace - take as long as the device would for some bytes
 * @file: the file
 * @us_per_mib: microseconds per MiB, 0 for no wait
 * @bytes: bytes about to be moved
 * @nonblock: begin the step, but do not wait for its end
 *
 * The device works on one step after the other and does not work ahead: a
 * step begins when the user asks for it or when the last one ends, whichever
 * is later. Short waits are owed, and what a timer was late is given back, so
 * many small reads take as long as a big one. Nothing has moved when a signal
 * interrupts the wait, and the time waited counts when the call is repeated.
 *
 * Context: io_lock, not lock.
 * Return: 0 (the caller has to look at the phase again), -ERESTARTSYS, or -EAGAIN
 * with @nonblock.
 */
int migsim_file_pace(struct migsim_file *file, u64 us_per_mib, u64 bytes,
		     bool nonblock)
{
	u64 cost = mul_u64_u64_shr(bytes, us_per_mib * NSEC_PER_USEC, 20);
	ktime_t now = ktime_get();
	ktime_t end, wait;
	int ret;

	lockdep_assert_held(&file->io_lock);

	if (!file->busy_since)
		file->busy_since = max(ktime_sub(now, file->late),
				       file->ready_at);
	end = ktime_add_ns(file->busy_since, cost);

	wait = ktime_sub(end, now);
	WRITE_ONCE(file->due_ns, nonblock && wait >= PACE_MIN_NS ? end : 0);
	if (file->due_ns) {
		migsim_file_poll_in(file, wait);
		return -EAGAIN;
	}
	if (wait >= PACE_MIN_NS) {
		ret = wait_event_interruptible_hrtimeout(file->wait,
							 disabled(file), wait);
		if (ret == -ERESTARTSYS)
			return ret;
	}
	file->busy_since = 0;
	file->ready_at = end;
	/* what this step has not used up is for the next ones */
	file->late = wait >= PACE_MIN_NS ? max_t(ktime_t, ktime_sub(ktime_get(), end), 0) :
		     clamp_t(ktime_t, -wait, 0, file->late);
	return 0;
}

/**
 * migsim_file_lossy - is half of this read or write to be moved before the wait?
 * @file: the file
 * @nonblock: it does not wait
 *
 * Return: true if so, and then migsim_file_lost() belongs behind the wait.
 */
bool migsim_file_lossy(struct migsim_file *file, bool nonblock)
{
	return READ_ONCE(file->dev->knobs.lossy) && !nonblock;
}

/**
 * migsim_file_lost - what becomes of bytes that were moved before the wait?
 * @file: the file
 * @ret: what the wait said
 * @bytes: how many they are
 *
 * As drivers do that move a packet at a time and return an error when a signal
 * comes in between: the user does not learn how many packets went. A signal that
 * was there before counts, also where nothing had to be waited for.
 *
 * Context: io_lock, not lock.
 * Return: @ret, or -EINTR if they are lost.
 */
int migsim_file_lost(struct migsim_file *file, int ret, u64 bytes)
{
	lockdep_assert_held(&file->io_lock);

	if (ret != -ERESTARTSYS && (ret || !signal_pending(current)))
		return ret;
	mutex_lock(&file->lock);
	if (file->phase != MIGSIM_FILE_DISABLED)
		WRITE_ONCE(file->dev->lost_bytes, file->dev->lost_bytes + bytes);
	mutex_unlock(&file->lock);
	return -EINTR;
}

/**
 * migsim_file_due_in - when is the step done that a call without waiting began?
 * @file: the file
 *
 * Return: nanoseconds from now, 0 if it is done or there is none.
 */
u64 migsim_file_due_in(struct migsim_file *file)
{
	ktime_t due = READ_ONCE(file->due_ns);

	return due ? max_t(s64, ktime_sub(due, ktime_get()), 0) : 0;
}

/**
 * migsim_file_poll_in - wake who polls when the time has come
 * @file: the file
 * @ns: nanoseconds from now, or U64_MAX for never
 */
void migsim_file_poll_in(struct migsim_file *file, u64 ns)
{
	if (ns != U64_MAX)
		mod_timer(&file->poll_timer, jiffies + nsecs_to_jiffies(ns) + 1);
}
