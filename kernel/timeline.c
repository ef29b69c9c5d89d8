// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a switchover of a set looked like. Each has a report of its own, which
 * is shown beside those of sessions. One begins when a device that has left
 * RUNNING in the last one leaves it again, or when there is none yet.
 */
#include <linux/ktime.h>
#include <linux/pid.h>
#include <net/net_namespace.h>

#include "arc.h"
#include "netlink.h"
#include "set.h"
#include "trace.h"

static void close_report(struct migmux_set *set)
	__must_hold(&set->timeline_lock)
{
	lockdep_assert_held(&set->timeline_lock);
	if (!set->report)
		return;
	migmux_report_close(&init_net, set->report);
	migmux_report_put(set->report);
	set->report = NULL;
}

static void open_report(struct migmux_set *set, u32 from, u32 to)
	__must_hold(&set->timeline_lock)
{
	struct migmux_report *report;

	close_report(set);
	if (set->timeline_closed)
		return;
	report = migmux_report_create(&init_net);
	if (!report)
		return;
	spin_lock(&report->lock);
	report->role = to == VFIO_DEVICE_STATE_RESUMING ||
		       from == VFIO_DEVICE_STATE_RESUMING ?
		       VFIO_MIGMUX_ROLE_DESTINATION : VFIO_MIGMUX_ROLE_SOURCE;
	strscpy(report->set, set->name, sizeof(report->set));
	spin_unlock(&report->lock);
	set->report = report;
}

/* The member's line in the timeline, which it may begin. */
static struct migmux_report_device *line(struct migmux_member *m, u32 from, u32 to)
	__must_hold(&m->set->timeline_lock)
{
	const bool leaves = from == VFIO_DEVICE_STATE_RUNNING ||
			    from == VFIO_DEVICE_STATE_PRE_COPY;
	struct migmux_set *set = m->set;

	lockdep_assert_held(&set->timeline_lock);
	if (!set->report ||
	    (leaves && m->began && m->timeline == set->report->id))
		open_report(set, from, to);
	if (!set->report)
		return NULL;
	if (m->timeline != set->report->id) {
		m->line = migmux_report_device_add(set->report, m->name, "", 0, 0);
		m->timeline = set->report->id;
		m->began = false;
		m->over = false;
	}
	m->began |= leaves;
	return m->over ? NULL : m->line;
}

/**
 * migmux_timeline_start() - a member begins to change its state
 * @m: the member
 * @from: its state
 * @to: where it goes
 *
 * Context: sleeps. The first change of a switchover is told by a task of the VMM.
 */
void migmux_timeline_start(struct migmux_member *m, u32 from, u32 to)
{
	const enum vfio_migmux_phase phase = migmux_arc_phase(from, to);
	struct migmux_set *set = m->set;
	struct migmux_report_device *dev;

	if (phase == VFIO_MIGMUX_NR_PHASES)
		return;
	mutex_lock(&set->timeline_lock);
	dev = line(m, from, to);
	if (dev && !dev->t.phases[phase].end_ns)
		migmux_report_span_start(set->report, dev->t.index, phase);
	mutex_unlock(&set->timeline_lock);
}

/**
 * migmux_timeline_end() - a member has changed its state, or failed to
 * @m: the member
 * @from: its state before
 * @to: where it went
 * @error: negative errno, or 0
 *
 * Context: sleeps.
 */
void migmux_timeline_end(struct migmux_member *m, u32 from, u32 to, int error)
{
	const enum vfio_migmux_phase phase = migmux_arc_phase(from, to);
	struct migmux_set *set = m->set;
	struct migmux_report_device *dev;

	mutex_lock(&set->timeline_lock);
	if (set->report && m->timeline == set->report->id && m->line && !m->over) {
		dev = m->line;
		if (phase != VFIO_MIGMUX_NR_PHASES && !dev->t.phases[phase].end_ns)
			migmux_report_span_end(set->report, dev->t.index, phase);
		spin_lock(&set->report->lock);
		if (!error)
			dev->t.state = to;
		else if (!dev->t.error)
			dev->t.error = -error;
		spin_unlock(&set->report->lock);
		m->over = !error && from == VFIO_DEVICE_STATE_STOP_COPY &&
			  to == VFIO_DEVICE_STATE_STOP;
	}
	mutex_unlock(&set->timeline_lock);
}

/**
 * migmux_timeline_id() - the report of a set's switchover
 * @set: the set
 *
 * Context: sleeps.
 * Return: its id, or 0 if there is none yet.
 */
u32 migmux_timeline_id(struct migmux_set *set)
{
	u32 id;

	mutex_lock(&set->timeline_lock);
	id = set->report ? set->report->id : 0;
	mutex_unlock(&set->timeline_lock);
	return id;
}

/**
 * migmux_timeline_close() - a set's last switchover becomes a record
 * @set: the set, which is being deleted; calls that are still inside get none
 *
 * Context: sleeps.
 */
void migmux_timeline_close(struct migmux_set *set)
{
	mutex_lock(&set->timeline_lock);
	set->timeline_closed = true;
	close_report(set);
	mutex_unlock(&set->timeline_lock);
}

/**
 * migmux_set_event() - tell everybody who monitors what a member does
 * @m: the member
 * @type: what happens
 * @from: the state that it is about
 * @to: the other one
 * @error: negative errno, or 0
 * @saved_ns: only in a claim
 *
 * Context: sleeps.
 */
void migmux_set_event(struct migmux_member *m,
		      enum vfio_migmux_set_event_type type, u32 from, u32 to,
		      int error, u64 saved_ns)
{
	const struct migmux_set_event event = {
		.set = m->set->name,
		.device = m->name,
		.type = type,
		.from = from,
		.to = to,
		.error = -error,
		.saved_ns = saved_ns,
		.at_ns = ktime_get_ns(),
	};

	trace_migmux_set_event(m->set->name, m->name, type, from, to, error);
	if (migmux_netlink_listens(&init_net))
		migmux_netlink_set_event(&event, migmux_timeline_id(m->set));
}
