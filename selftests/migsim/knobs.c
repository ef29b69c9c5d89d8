// SPDX-License-Identifier: GPL-2.0-only
/* What the knobs mean for an arc, a byte or a save, and the log of arcs */

#include <linux/random.h>

#include "migsim.h"

/**
 * migsim_knobs_init - set the defaults
 * @dev: the device, not registered yet
 *
 * The seed is random: a test that forgets to load anything must not find the
 * right content by accident.
 */
void migsim_knobs_init(struct migsim_device *dev)
{
	struct migsim_knobs *knobs = &dev->knobs;

	memset(knobs, 0, sizeof(*knobs));
	memset(knobs->arcs, 0xff, sizeof(knobs->arcs));
	knobs->state_size = SZ_1M;
	knobs->in_memory = 1;
	knobs->precopy_size = SZ_4K;
	knobs->seed = get_random_u32();
}

/**
 * migsim_knob_arc_ms - how long an arc takes
 * @dev: the device
 * @from: state it leaves
 * @to: state it reaches
 *
 * Return: milliseconds.
 */
u32 migsim_knob_arc_ms(struct migsim_device *dev, unsigned int from,
		       unsigned int to)
{
	u32 ms = READ_ONCE(dev->knobs.arcs[from][to]);

	return ms == MIGSIM_ARC_MS_UNSET ? READ_ONCE(dev->knobs.arc_ms) : ms;
}

/* Return: true if the caller has to fail now. */
static bool fault_use(bool *armed, u32 *count)
{
	if (!*armed)
		return false;
	if (*count && !--*count)
		*armed = false;
	return true;
}

/* Return: the errno of the fault, positive, if it happens at this arc; else 0. */
static int arc_fault(struct migsim_device *dev, struct migsim_arc_fault *fault,
		     unsigned int from, unsigned int to)
{
	int ret = 0;

	spin_lock(&dev->knob_lock);
	if (fault->from == from && fault->to == to &&
	    fault_use(&fault->armed, &fault->count))
		ret = fault->err;
	spin_unlock(&dev->knob_lock);
	return ret;
}

/**
 * migsim_knob_arc_fault - shall this arc fail?
 * @dev: the device
 * @from: state it leaves
 * @to: state it would reach
 *
 * Return: 0 or the negative errno to fail with.
 */
int migsim_knob_arc_fault(struct migsim_device *dev, unsigned int from,
			  unsigned int to)
{
	return -arc_fault(dev, &dev->knobs.fail_arc, from, to);
}

/**
 * migsim_knob_arc_reset - shall the device be reset after this arc?
 * @dev: the device
 * @from: state it left
 * @to: state it has reached
 *
 * Return: true if so.
 */
bool migsim_knob_arc_reset(struct migsim_device *dev, unsigned int from,
			   unsigned int to)
{
	return arc_fault(dev, &dev->knobs.reset_at_arc, from, to);
}

/**
 * migsim_knob_fault - shall this read or write fail?
 * @dev: the device
 * @fault: fail_read or fail_write of its knobs
 * @pos: position in the stream
 * @len: bytes about to be moved; cut so that it ends where the failure is
 *
 * Return: 0 or the negative errno to fail with.
 */
int migsim_knob_fault(struct migsim_device *dev, struct migsim_fault *fault,
		      u64 pos, size_t *len)
{
	int ret = 0;

	spin_lock(&dev->knob_lock);
	if (fault->armed && pos < fault->at)
		*len = min_t(u64, *len, fault->at - pos);
	else if (pos == fault->at && fault_use(&fault->armed, &fault->count))
		ret = -fault->err;
	spin_unlock(&dev->knob_lock);
	return ret;
}

/* The data_fd of a device that is in PRE_COPY with data, locked; or NULL. */
static struct migsim_file *precopy_lock(struct migsim_device *dev)
{
	struct migsim_file *file = dev->saving;

	lockdep_assert_held(&dev->state_mutex);

	if (!file)
		return NULL;
	mutex_lock(&file->lock);
	if (file->phase == MIGSIM_FILE_PRECOPY && file->precopy.base)
		return file;
	mutex_unlock(&file->lock);
	return NULL;
}

/* There may be something to read now. */
static void precopy_unlock(struct migsim_file *file)
{
	mutex_unlock(&file->lock);
	wake_up_all(&file->wait);
}

/**
 * migsim_knob_dirty - the device writes to its memory right now
 * @dev: the device
 * @bytes: how much, rounded up to whole blocks
 *
 * Context: state_mutex.
 * Return: 0, or -EINVAL if it is not in PRE_COPY or has no pre-copy data.
 */
int migsim_knob_dirty(struct migsim_device *dev, u64 bytes)
{
	struct migsim_file *file = precopy_lock(dev);

	if (!file)
		return -EINVAL;
	migsim_precopy_write(file, bytes);
	precopy_unlock(file);
	return 0;
}

/**
 * migsim_knob_reinit - something happens to the device that makes it start over
 * @dev: the device
 *
 * There is initial data again, if the user wants to hear of it; if not, all is dirty.
 *
 * Context: state_mutex.
 * Return: 0, or -EINVAL if it is not in PRE_COPY or has no pre-copy data.
 */
int migsim_knob_reinit(struct migsim_device *dev)
{
	struct migsim_file *file = precopy_lock(dev);

	if (!file)
		return -EINVAL;
	migsim_precopy_reinit(file);
	precopy_unlock(file);
	return 0;
}

/**
 * migsim_knob_dirty_rate - change the knob, with effect from now on
 * @dev: the device
 * @rate: bytes per second
 *
 * Context: state_mutex.
 */
void migsim_knob_dirty_rate(struct migsim_device *dev, u64 rate)
{
	struct migsim_file *file = dev->saving;

	if (file) {
		mutex_lock(&file->lock);
		if (file->precopy.base)
			migsim_precopy_catch_up(file);
	}
	WRITE_ONCE(dev->knobs.dirty_rate, rate);
	if (file) {
		mutex_unlock(&file->lock);
		wake_up_all(&file->wait);
	}
}

/**
 * migsim_log_add - remember an arc
 * @dev: the device
 * @entry: what happened; replaces the oldest when the log is full
 */
void migsim_log_add(struct migsim_device *dev,
		    const struct migsim_log_entry *entry)
{
	spin_lock(&dev->knob_lock);
	dev->log[dev->log_count++ % MIGSIM_LOG_SIZE] = *entry;
	spin_unlock(&dev->knob_lock);
}
