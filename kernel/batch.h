/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Batches: all devices of a session move toward a state together.
 */
#ifndef MIGMUX_BATCH_H
#define MIGMUX_BATCH_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "plan.h"
#include "report.h"

struct migmux_device;
struct migmux_session;

/**
 * enum migmux_batch_kind - on whose behalf
 * @MIGMUX_BATCH_SET_STATE: VFIO_MIGMUX_SET_STATE: rolls back by itself
 * @MIGMUX_BATCH_PRECOPY: the source's way to PRE_COPY, for those that can: a failure
 *	fails the session
 * @MIGMUX_BATCH_SAVE: the source's way to STOP_COPY: a failure fails the session
 * @MIGMUX_BATCH_LOAD: the destination's way to RESUMING: likewise
 * @MIGMUX_BATCH_RECOVER: the way back of a failed session: goes as far as it can
 */
enum migmux_batch_kind {
	MIGMUX_BATCH_SET_STATE,
	MIGMUX_BATCH_PRECOPY,
	MIGMUX_BATCH_SAVE,
	MIGMUX_BATCH_LOAD,
	MIGMUX_BATCH_RECOVER,
};

/**
 * struct migmux_batch - one move of all devices
 * @running: from start until everybody has arrived or is back; session's lock
 * @kind: on whose behalf
 * @target: where to
 * @recover: where to after a failure, or VFIO_MIGMUX_RECOVER_NONE
 * @no_p2p: devices without P2P are allowed
 * @rollback: this is the way back already
 * @gated: it has failed because of memory that cannot be mapped, before any device moved
 * @start_ns: when it began
 * @deadline_ns: no arc begins after this; 0 is none
 * @error: errno (negative) of the first failure, 0 so far; set once by cmpxchg
 * @cancelled: not 0 once somebody outside wants it to end
 * @result: what the caller gets when it is over
 * @set_begun: batches of SET_STATE so far; session's mutex
 * @set_done: the last of them that is over; session's lock
 * @set_result: @result of that; likewise. The next batch, a way back maybe, leaves it alone
 * @pending: devices that have not reached their checkpoint
 * @phase: of @plan
 * @plan: the phases
 * @plan_devs: what it was planned from
 * @devices: the devices in it, in the plan's order
 *
 * Started under the session's mutex when none runs. From then on it belongs to
 * the worker that counts @pending down to 0, until @running is cleared.
 */
struct migmux_batch {
	bool running;
	enum migmux_batch_kind kind;
	u32 target;
	u32 recover;
	bool no_p2p;
	bool rollback;
	bool gated;
	u64 start_ns;
	u64 deadline_ns;
	int error;
	int cancelled;
	int result;
	u64 set_begun;
	u64 set_done;
	int set_result;
	atomic_t pending;
	u32 phase;
	struct migmux_plan plan;
	struct migmux_plan_dev plan_devs[MIGMUX_MAX_DEVICES];
	struct migmux_device *devices[MIGMUX_MAX_DEVICES];
};

int migmux_batch_start(struct migmux_session *s, enum migmux_batch_kind kind,
		       u32 target, u32 recover, u32 timeout_ms, bool no_p2p);
void migmux_batch_cancel(struct migmux_session *s, int error);
bool migmux_batch_running(struct migmux_session *s);
void migmux_batch_work(struct work_struct *work);
void migmux_batch_gate_work(struct work_struct *work);

#endif /* MIGMUX_BATCH_H */
