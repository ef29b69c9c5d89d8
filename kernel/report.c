// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the outside sees of a session.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "net.h"
#include "report.h"

/* Numbers are unique over all namespaces: events of different ones can be told apart. */
static atomic_t last_id = ATOMIC_INIT(0);

static void release(struct kref *ref)
{
	struct migmux_report *report = container_of(ref, struct migmux_report, ref);
	u32 i;

	for (i = 0; i < report->nr_devices; i++)
		kfree(report->devices[i]);
	kfree(report);
}

/**
 * migmux_report_put() - drop a reference
 * @report: the report
 *
 * Context: any but softirq and irq.
 */
void migmux_report_put(struct migmux_report *report)
{
	kref_put(&report->ref, release);
}

/**
 * migmux_report_create() - make the report of a new session
 * @net: where it is shown; the caller holds it until migmux_report_close()
 *
 * The session is that of the current process.
 *
 * Context: sleeps.
 * Return: the report with a reference for the session, or NULL without memory.
 */
struct migmux_report *migmux_report_create(struct net *net)
{
	struct migmux_report_list *list = &migmux_net(net)->reports;
	struct migmux_report *report;

	report = kzalloc(sizeof(*report), GFP_KERNEL);
	if (!report)
		return NULL;
	kref_init(&report->ref);
	INIT_LIST_HEAD(&report->closed_node);
	spin_lock_init(&report->lock);
	report->pid = current->tgid;
	get_task_comm(report->comm, current->group_leader);
	report->error_device = VFIO_MIGMUX_INDEX_NONE;
	report->error_channel = VFIO_MIGMUX_INDEX_NONE;

	kref_get(&report->ref);
	spin_lock(&list->lock);
	/* numbered under the lock: they rise along the list */
	report->id = atomic_inc_return(&last_id);
	list_add_tail(&report->node, &list->head);
	spin_unlock(&list->lock);
	return report;
}

static struct migmux_report *unlist_oldest_closed_locked(struct migmux_report_list *list)
	__must_hold(&list->lock)
{
	struct migmux_report *report;

	lockdep_assert_held(&list->lock);
	report = list_first_entry(&list->closed, struct migmux_report, closed_node);
	list_del_init(&report->closed_node);
	list_del_init(&report->node);
	list->nr_closed--;
	return report;
}

/**
 * migmux_report_close() - the session's file is closed
 * @net: as given to migmux_report_create()
 * @report: the report; from now on a record, which goes when enough later ones
 *	have come. The caller keeps its reference. Once only
 *
 * Context: does not sleep; not in softirq or irq.
 */
void migmux_report_close(struct net *net, struct migmux_report *report)
{
	struct migmux_report_list *list = &migmux_net(net)->reports;
	struct migmux_report *oldest = NULL;

	spin_lock(&list->lock);
	spin_lock(&report->lock);
	migmux_report_settle_locked(report);
	report->closed = true;
	spin_unlock(&report->lock);
	list_add_tail(&report->closed_node, &list->closed);
	if (++list->nr_closed > MIGMUX_MAX_RECORDS)
		oldest = unlist_oldest_closed_locked(list);
	spin_unlock(&list->lock);

	if (oldest)
		migmux_report_put(oldest);
}

/**
 * migmux_report_get_after() - find the next report
 * @net: where to look
 * @id: number of the previous one, or 0. It need not exist any more
 *
 * Context: not in softirq.
 * Return: the report with the lowest number above @id, with a reference, or NULL.
 */
struct migmux_report *migmux_report_get_after(struct net *net, u32 id)
{
	struct migmux_report_list *list = &migmux_net(net)->reports;
	struct migmux_report *report, *found = NULL;

	spin_lock(&list->lock);
	list_for_each_entry(report, &list->head, node) {
		if (report->id > id) {
			kref_get(&report->ref);
			found = report;
			break;
		}
	}
	spin_unlock(&list->lock);
	return found;
}

/**
 * migmux_report_get() - find a report
 * @net: where to look
 * @id: its number
 *
 * Context: not in softirq.
 * Return: the report with a reference, or NULL.
 */
struct migmux_report *migmux_report_get(struct net *net, u32 id)
{
	struct migmux_report *report;

	if (!id)
		return NULL;
	report = migmux_report_get_after(net, id - 1);
	if (report && report->id != id) {
		migmux_report_put(report);
		return NULL;
	}
	return report;
}

/**
 * migmux_report_device_add() - add a device to a report
 * @report: the report; only its session adds
 * @handle: the device's name
 * @idstr: its identity on the wire
 * @instance_id: second half of that
 * @weight: its part of what devices share
 *
 * Context: sleeps.
 * Return: the device, valid as long as @report; its index is in its timeline. NULL
 * without memory, or if @report has MIGMUX_MAX_DEVICES, removed ones included.
 */
struct migmux_report_device *
migmux_report_device_add(struct migmux_report *report, const char *handle,
			 const char *idstr, u32 instance_id, u32 weight)
{
	struct migmux_report_device *dev;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return NULL;
	strscpy(dev->handle, handle, sizeof(dev->handle));
	strscpy(dev->idstr, idstr, sizeof(dev->idstr));
	dev->instance_id = instance_id;
	dev->weight = weight;

	spin_lock(&report->lock);
	if (report->nr_devices == MIGMUX_MAX_DEVICES) {
		spin_unlock(&report->lock);
		kfree(dev);
		return NULL;
	}
	dev->t.index = report->nr_devices;
	report->devices[report->nr_devices++] = dev;
	spin_unlock(&report->lock);
	return dev;
}

static struct vfio_migmux_span *span(struct migmux_report *report, u32 device,
				     enum vfio_migmux_phase phase)
	__must_hold(&report->lock)
{
	lockdep_assert_held(&report->lock);
	if (WARN_ON_ONCE(device >= report->nr_devices ||
			 (u32)phase >= VFIO_MIGMUX_NR_PHASES))
		return NULL;
	return &report->devices[device]->t.phases[phase];
}

/**
 * migmux_report_span_start() - a device enters a phase
 * @report: the report
 * @device: index of the device
 * @phase: the phase
 *
 * A device can enter a phase again: the span then goes from the first start to
 * the last end, and has no end while the device is in the phase.
 *
 * Context: any but softirq and irq.
 */
void migmux_report_span_start(struct migmux_report *report, u32 device,
			      enum vfio_migmux_phase phase)
{
	u64 now = ktime_get_ns();
	struct vfio_migmux_span *s;

	spin_lock(&report->lock);
	s = span(report, device, phase);
	if (s) {
		if (!s->start_ns)
			s->start_ns = now;
		s->end_ns = 0;
	}
	spin_unlock(&report->lock);
}

/**
 * migmux_report_span_end() - a device leaves a phase
 * @report: the report
 * @device: index of the device
 * @phase: the phase; nothing happens if the device was never in it
 *
 * Context: any but softirq and irq.
 */
void migmux_report_span_end(struct migmux_report *report, u32 device,
			    enum vfio_migmux_phase phase)
{
	u64 now = ktime_get_ns();
	struct vfio_migmux_span *s;

	spin_lock(&report->lock);
	s = span(report, device, phase);
	if (s && s->start_ns)
		s->end_ns = now;
	spin_unlock(&report->lock);
}

static u64 *wait_sum(struct vfio_migmux_timeline_device *t, enum migmux_wait wait)
{
	return wait == MIGMUX_WAIT_WIRE ? &t->stall_wire_ns : &t->stall_staging_ns;
}

/**
 * migmux_report_wait() - measure how long the path of a device's state waits
 * @report: the report
 * @dev: the device, of @report
 * @wait: for what. Several may wait at once: their times add up
 * @known: whether the caller has told of a wait that goes on; changed only here, after
 *	the report, by one caller at a time
 * @waits: does it now? The first call that says so is the beginning
 *
 * A wait that nobody ends does so when the session fails or is closed.
 *
 * Context: any but softirq and irq.
 */
void migmux_report_wait(struct migmux_report *report, struct migmux_report_device *dev,
			enum migmux_wait wait, bool *known, bool waits)
{
	u64 *sum = wait_sum(&dev->t, wait);

	if (waits == *known)
		return;
	spin_lock(&report->lock);
	if (!report->failed && !report->closed) {
		if (waits) {
			dev->waiting[wait]++;
			*sum -= ktime_get_ns();
		} else {
			dev->waiting[wait]--;
			*sum += ktime_get_ns();
		}
	}
	spin_unlock(&report->lock);
	WRITE_ONCE(*known, waits);
}

/**
 * migmux_report_device_show() - a device's timeline, with the waits that go on
 * @dev: the device
 * @now: ktime_get_ns(), taken under the report's lock
 * @shown: the timeline
 *
 * Context: the report's lock is held.
 */
void migmux_report_device_show(const struct migmux_report_device *dev, u64 now,
			       struct vfio_migmux_timeline_device *shown)
{
	u32 i;

	*shown = dev->t;
	for (i = 0; i < MIGMUX_NR_WAITS; i++)
		*wait_sum(shown, i) += dev->waiting[i] * now;
}

/**
 * migmux_report_settle_locked() - no wait counts beyond this instant
 * @report: the report of a session that fails or is closed, before it says so
 *
 * Context: the report's lock is held.
 */
void migmux_report_settle_locked(struct migmux_report *report)
{
	const u64 now = ktime_get_ns();
	struct migmux_report_device *dev;
	u32 i;

	lockdep_assert_held(&report->lock);
	if (report->failed || report->closed)
		return;
	for (i = 0; i < report->nr_devices; i++) {
		dev = report->devices[i];
		migmux_report_device_show(dev, now, &dev->t);
		memset(dev->waiting, 0, sizeof(dev->waiting));
	}
}

/**
 * migmux_report_copy() - copy a report for showing it
 * @report: the report
 *
 * What formats a report takes longer, and may sleep: the movers, which write
 * into it, wait only for this copy.
 *
 * Context: sleeps.
 * Return: the copy, to be freed with kvfree(), or NULL without memory. Devices that
 * are added meanwhile may be missing.
 */
struct migmux_report_copy *migmux_report_copy(struct migmux_report *report)
{
	struct migmux_report_copy *copy;
	u32 i, n;
	u64 now;

	n = READ_ONCE(report->nr_devices);
	copy = kvmalloc(struct_size(copy, devices, n), GFP_KERNEL);
	if (!copy)
		return NULL;

	spin_lock(&report->lock);
	copy->r = *report;
	now = ktime_get_ns();
	for (i = 0; i < n; i++) {
		copy->devices[i] = *report->devices[i];
		migmux_report_device_show(report->devices[i], now, &copy->devices[i].t);
	}
	spin_unlock(&report->lock);
	copy->r.nr_devices = n;
	return copy;
}

/**
 * migmux_report_list_init() - a network namespace begins
 * @list: its reports
 */
void migmux_report_list_init(struct migmux_report_list *list)
{
	spin_lock_init(&list->lock);
	INIT_LIST_HEAD(&list->head);
	INIT_LIST_HEAD(&list->closed);
	list->nr_closed = 0;
}

/**
 * migmux_report_list_exit() - a network namespace ends
 * @list: its reports; all sessions are closed, for they hold the namespace
 */
void migmux_report_list_exit(struct migmux_report_list *list)
{
	struct migmux_report *report, *next;

	WARN_ON_ONCE(list_count_nodes(&list->head) != list->nr_closed);
	list_for_each_entry_safe(report, next, &list->head, node) {
		list_del_init(&report->node);
		migmux_report_put(report);
	}
}
