// SPDX-License-Identifier: GPL-2.0-only
/* The migration state machine: one function per kind of arc */

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/wait_bit.h>

#include "migsim.h"

static unsigned int arc_cap;
module_param(arc_cap, uint, 0644);
MODULE_PARM_DESC(arc_cap, "arcs that the driver runs at once; one more fails with ENOSPC (0: no limit)");

/* arcs of all devices, those included that wait for their turn */
static atomic_t arcs_running;

/* a bit for each "serial" group, set while a device of it runs an arc */
static unsigned long serial_busy;

static const char * const state_names[MIGSIM_NUM_STATES] = {
	[VFIO_DEVICE_STATE_ERROR] = "ERROR",
	[VFIO_DEVICE_STATE_STOP] = "STOP",
	[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
	[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
	[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
	[VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
	[VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
};

/**
 * migsim_state_name - name of a migration state
 * @state: enum vfio_device_mig_state
 *
 * Return: the name without its prefix.
 */
const char *migsim_state_name(unsigned int state)
{
	return state < MIGSIM_NUM_STATES ? state_names[state] : "?";
}

/**
 * migsim_state_parse - state of a name
 * @name: name without its prefix
 *
 * Return: enum vfio_device_mig_state or -EINVAL.
 */
int migsim_state_parse(const char *name)
{
	return match_string(state_names, MIGSIM_NUM_STATES, name);
}

/**
 * migsim_files_disable - end every data_fd of the device
 * @dev: the device
 *
 * Context: state_mutex.
 */
void migsim_files_disable(struct migsim_device *dev)
{
	lockdep_assert_held(&dev->state_mutex);

	if (dev->saving) {
		migsim_save_abandon(dev);
		migsim_file_disable(dev->saving);
	}
	if (dev->loading)
		migsim_file_disable(dev->loading);
	dev->saving = NULL;
	dev->loading = NULL;
}

/*
 * Firmware does not care about signals, so neither does the delay of an arc.
 * TASK_IDLE keeps a long one out of the hung task detector.
 */
static void arc_sleep(u32 ms)
{
	ktime_t end = ktime_add_ms(ktime_get(), ms);

	while (ms && ktime_before(ktime_get(), end)) {
		set_current_state(TASK_IDLE);
		schedule_hrtimeout(&end, HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);
}

static struct file *arc_save(struct migsim_device *dev, bool precopy)
{
	struct migsim_file *file = migsim_save_start(dev, precopy);

	if (IS_ERR(file))
		return ERR_CAST(file);
	dev->saving = file;
	return get_file(file->f);
}

static struct file *arc_load(struct migsim_device *dev)
{
	struct migsim_file *file = migsim_load_start(dev);

	if (IS_ERR(file))
		return ERR_CAST(file);
	dev->loading = file;
	return get_file(file->f);
}

static int arc_loaded(struct migsim_device *dev)
{
	int ret = migsim_load_finish(dev, dev->loading);

	if (!ret)
		migsim_files_disable(dev);
	return ret;
}

static int arc_end_save(struct migsim_device *dev)
{
	migsim_files_disable(dev);
	return 0;
}

#define ARC(from, to)	((from) * MIGSIM_NUM_STATES + (to))
#define ARC_OF(from, to) \
	ARC(VFIO_DEVICE_STATE_ ## from, VFIO_DEVICE_STATE_ ## to)

/*
 * Return: NULL, the new data_fd, or an ERR_PTR, as migration_set_state does.
 * A user may write to the BAR in any state; keeping the device idle once it
 * was made idle is the VMM's business, as with real devices.
 */
static struct file *arc_do(struct migsim_device *dev, unsigned int from,
			   unsigned int to)
{
	switch (ARC(from, to)) {
	case ARC_OF(RUNNING, RUNNING_P2P):
	case ARC_OF(PRE_COPY, PRE_COPY_P2P):
		return ERR_PTR(migsim_regs_wait_idle(dev, true));

	case ARC_OF(RUNNING_P2P, STOP):
	case ARC_OF(RUNNING, STOP):
		return ERR_PTR(migsim_regs_wait_idle(dev, false));

	case ARC_OF(STOP, RUNNING_P2P):
	case ARC_OF(STOP, RUNNING):
	case ARC_OF(RUNNING_P2P, RUNNING):
	case ARC_OF(PRE_COPY_P2P, PRE_COPY):
		return NULL;

	case ARC_OF(RUNNING, PRE_COPY):
	case ARC_OF(RUNNING_P2P, PRE_COPY_P2P):
		return arc_save(dev, true);

	case ARC_OF(STOP, STOP_COPY):
		return arc_save(dev, false);

	case ARC_OF(PRE_COPY, STOP_COPY):
	case ARC_OF(PRE_COPY_P2P, STOP_COPY):
		return ERR_PTR(migsim_save_finish(dev, dev->saving));

	case ARC_OF(STOP_COPY, STOP):
	case ARC_OF(PRE_COPY, RUNNING):
	case ARC_OF(PRE_COPY_P2P, RUNNING_P2P):
		return ERR_PTR(arc_end_save(dev));

	case ARC_OF(STOP, RESUMING):
		return arc_load(dev);

	case ARC_OF(RESUMING, STOP):
		return ERR_PTR(arc_loaded(dev));
	}
	return ERR_PTR(-EINVAL);
}

static int arc_admit(void)
{
	unsigned int cap = READ_ONCE(arc_cap);

	if (atomic_inc_return(&arcs_running) <= cap || !cap)
		return 0;
	atomic_dec(&arcs_running);
	return -ENOSPC;
}

/* The arc with its delay and its injected failure, when its turn has come. */
static struct file *arc_serial(struct migsim_device *dev,
			       struct migsim_log_entry *entry)
{
	unsigned int group = READ_ONCE(dev->knobs.serial);
	struct file *f;
	int err;

	if (group)
		wait_on_bit_lock(&serial_busy, group, TASK_IDLE);
	entry->start_ns = ktime_get_ns();
	arc_sleep(migsim_knob_arc_ms(dev, entry->from, entry->to));
	udelay(READ_ONCE(dev->knobs.arc_us));
	err = migsim_knob_arc_fault(dev, entry->from, entry->to);
	f = err ? ERR_PTR(err) : arc_do(dev, entry->from, entry->to);
	/* before the next one begins */
	entry->end_ns = ktime_get_ns();
	if (group)
		clear_and_wake_up_bit(group, &serial_busy);
	return f;
}

/*
 * One arc and its line in the log. A failed arc leaves the device where it
 * was, or in ERROR if the knob says so.
 */
static struct file *arc_run(struct migsim_device *dev, unsigned int to)
{
	unsigned int from = dev->mig_state;
	struct migsim_log_entry entry = {
		.start_ns = ktime_get_ns(),
		.from = from,
		.to = to,
	};
	struct file *f;

	entry.err = arc_admit();
	if (!entry.err) {
		f = arc_serial(dev, &entry);
		atomic_dec(&arcs_running);
	} else {
		entry.end_ns = entry.start_ns;
		f = ERR_PTR(entry.err);
	}

	if (!IS_ERR(f)) {
		WRITE_ONCE(dev->mig_state, to);
		/* happens when the call is over that this arc is a part of */
		if (migsim_knob_arc_reset(dev, from, to))
			migsim_reset(dev);
	} else {
		entry.err = PTR_ERR(f);
		if (READ_ONCE(dev->knobs.fail_to_error)) {
			migsim_files_disable(dev);
			WRITE_ONCE(dev->mig_state, VFIO_DEVICE_STATE_ERROR);
		}
	}
	migsim_log_add(dev, &entry);
	return f;
}

static struct file *set_state(struct vfio_device *vdev,
			      enum vfio_device_mig_state new_state)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);
	enum vfio_device_mig_state next;
	struct file *f = NULL;
	int ret;

	migsim_state_lock(dev);
	WRITE_ONCE(dev->in_arc, true);
	while (new_state != dev->mig_state) {
		/* VFIO warns when it is asked for a way out of ERROR */
		ret = dev->mig_state == VFIO_DEVICE_STATE_ERROR ? -EINVAL :
		      vfio_mig_get_next_state(vdev, dev->mig_state, new_state,
					      &next);
		if (ret) {
			f = ERR_PTR(ret);
			break;
		}
		f = arc_run(dev, next);
		if (IS_ERR(f))
			break;
		/* only the last arc of a path opens a file */
		if (f && next != new_state) {
			fput(f);
			f = ERR_PTR(-EINVAL);
			break;
		}
	}
	WRITE_ONCE(dev->in_arc, false);
	migsim_state_unlock(dev);
	return f;
}

static int get_state(struct vfio_device *vdev,
		     enum vfio_device_mig_state *state)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);

	/* waits for an arc under way, as most drivers do */
	migsim_state_lock(dev);
	*state = dev->mig_state;
	migsim_state_unlock(dev);
	return 0;
}

static int get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);

	migsim_state_lock(dev);
	*length = migsim_save_left(dev);
	migsim_state_unlock(dev);
	return 0;
}

const struct vfio_migration_ops migsim_mig_ops = {
	.migration_set_state = set_state,
	.migration_get_state = get_state,
	.migration_get_data_size = get_data_size,
};
