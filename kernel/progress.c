// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a session tells the outside: milestones, phases, refusals.
 */
#include <linux/bitops.h>
#include <linux/ktime.h>

#include "session.h"
#include "trace.h"

/**
 * migmux_session_milestone_locked() - set a milestone together with other state
 * @s: the session
 * @milestone: one bit
 *
 * Follow with migmux_session_milestone_tell() when the lock is dropped.
 *
 * Context: the session's lock is held.
 */
void migmux_session_milestone_locked(struct migmux_session *s, u32 milestone)
{
	struct migmux_report *r = s->report;

	spin_lock(&r->lock);
	if (!(r->milestones & milestone)) {
		r->milestones |= milestone;
		r->milestone_ns[__ffs(milestone)] = ktime_get_ns();
	}
	spin_unlock(&r->lock);
}

/**
 * migmux_session_milestone_tell() - wake who waits for a milestone
 * @s: the session
 * @milestone: one bit
 *
 * Context: sleeps.
 */
void migmux_session_milestone_tell(struct migmux_session *s, u32 milestone)
{
	trace_migmux_milestone(s->report->id, milestone);
	migmux_event_post(s, VFIO_MIGMUX_EVENT_MILESTONE, VFIO_MIGMUX_INDEX_NONE,
			  VFIO_MIGMUX_INDEX_NONE, milestone, 0, NULL);
}

/**
 * migmux_session_milestone() - set a milestone and tell everybody
 * @s: the session
 * @milestone: one bit
 *
 * Context: sleeps.
 */
void migmux_session_milestone(struct migmux_session *s, u32 milestone)
{
	spin_lock(&s->lock);
	migmux_session_milestone_locked(s, milestone);
	spin_unlock(&s->lock);
	migmux_session_milestone_tell(s, milestone);
}

/**
 * migmux_session_reached() - milestones reached so far
 * @s: the session
 */
u32 migmux_session_reached(struct migmux_session *s)
{
	u32 reached;

	spin_lock(&s->report->lock);
	reached = s->report->milestones;
	spin_unlock(&s->report->lock);
	return reached;
}

/**
 * migmux_session_phase_start() - a device enters a phase
 * @s: the session
 * @device: its index
 * @phase: VFIO_MIGMUX_NR_PHASES is none
 *
 * Context: sleeps.
 */
void migmux_session_phase_start(struct migmux_session *s, u32 device,
				enum vfio_migmux_phase phase)
{
	if (phase == VFIO_MIGMUX_NR_PHASES)
		return;
	migmux_report_span_start(s->report, device, phase);
	migmux_event_post(s, VFIO_MIGMUX_EVENT_PHASE_START, device,
			  VFIO_MIGMUX_INDEX_NONE, phase, 0, NULL);
}

/**
 * migmux_session_phase_end() - a device leaves a phase
 * @s: the session
 * @device: its index
 * @phase: VFIO_MIGMUX_NR_PHASES is none
 * @err: negative errno, or 0
 *
 * Context: sleeps.
 */
void migmux_session_phase_end(struct migmux_session *s, u32 device,
			      enum vfio_migmux_phase phase, int err)
{
	if (phase == VFIO_MIGMUX_NR_PHASES)
		return;
	migmux_report_span_end(s->report, device, phase);
	migmux_event_post(s, VFIO_MIGMUX_EVENT_PHASE_END, device,
			  VFIO_MIGMUX_INDEX_NONE, phase, -err, NULL);
}

/**
 * migmux_session_refuse() - say why an ioctl is refused
 * @s: the session
 * @error: negative errno
 * @fmt: text: what is wrong, what would be right
 *
 * Kept for VFIO_MIGMUX_LAST_ERROR, unless the session failed: its failure is
 * what matters then.
 *
 * Return: @error.
 */
int migmux_session_refuse(struct migmux_session *s, int error, const char *fmt, ...)
{
	struct migmux_report *r = s->report;
	va_list args;

	va_start(args, fmt);
	spin_lock(&r->lock);
	if (!r->failed) {
		r->error = -error;
		r->error_device = VFIO_MIGMUX_INDEX_NONE;
		r->error_channel = VFIO_MIGMUX_INDEX_NONE;
		vscnprintf(r->text, sizeof(r->text), fmt, args);
	}
	spin_unlock(&r->lock);
	va_end(args);
	return error;
}
