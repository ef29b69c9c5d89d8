// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the barrier at P2P
 *
 * States fall into three groups: live (RUNNING, PRE_COPY: may start P2P DMA),
 * P2P (RUNNING_P2P, PRE_COPY_P2P: answers P2P DMA, starts none) and stopped
 * (STOP, STOP_COPY, RESUMING: does neither).  A device may enter stopped only
 * when no other is live, and enter live only when no other is stopped.  So a
 * batch that crosses from live to stopped or back first brings all devices to
 * P2P, or leaves them where they are if they are on the far side already,
 * waits for all, and then goes on to the target.  A target of P2P, and moves
 * inside a group, need no such stop.
 *
 * Only checkpoints are planned; VFIO's own state machine finds the arcs
 * between them.  From each state it reaches the checkpoint without entering
 * the group behind it; the unit test proves that over all combinations.
 */
#include "plan.h"

enum group { ERRONEOUS, LIVE, P2P, STOPPED };

static const struct {
	const char *name;
	enum group group;
	u32 needs;	/* VFIO_MIGRATION_* beyond STOP_COPY */
} states[] = {
	[VFIO_DEVICE_STATE_ERROR] = { "ERROR", ERRONEOUS, 0 },
	[VFIO_DEVICE_STATE_STOP] = { "STOP", STOPPED, 0 },
	[VFIO_DEVICE_STATE_RUNNING] = { "RUNNING", LIVE, 0 },
	[VFIO_DEVICE_STATE_STOP_COPY] = { "STOP_COPY", STOPPED, 0 },
	[VFIO_DEVICE_STATE_RESUMING] = { "RESUMING", STOPPED, 0 },
	[VFIO_DEVICE_STATE_RUNNING_P2P] = {
		"RUNNING_P2P", P2P, VFIO_MIGRATION_P2P },
	[VFIO_DEVICE_STATE_PRE_COPY] = {
		"PRE_COPY", LIVE, VFIO_MIGRATION_PRE_COPY },
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = {
		"PRE_COPY_P2P", P2P, VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P },
};

static enum group group_of(u32 state)
{
	return state < ARRAY_SIZE(states) ? states[state].group : ERRONEOUS;
}

static bool supports(const struct migmux_plan_dev *dev, u32 flags)
{
	return (dev->flags & flags) == flags;
}

/* Where @dev waits for the others; its own state when it need not move. */
static u32 meeting_point(const struct migmux_plan_dev *dev, u32 target)
{
	enum group from = group_of(dev->state), to = group_of(target);

	if (!supports(dev, VFIO_MIGRATION_P2P))
		return dev->state;
	if (from == LIVE && to == STOPPED)
		return dev->state == VFIO_DEVICE_STATE_PRE_COPY ?
		       VFIO_DEVICE_STATE_PRE_COPY_P2P :
		       VFIO_DEVICE_STATE_RUNNING_P2P;
	if (from == STOPPED && to == LIVE)
		return VFIO_DEVICE_STATE_RUNNING_P2P;
	return dev->state;
}

static int refuse(struct migmux_plan *plan, enum migmux_plan_err err,
		  u32 culprit, int ret)
{
	plan->err = err;
	plan->culprit = culprit;
	return ret;
}

/**
 * migmux_plan_target - the state a device must reach in the end
 * @plan: made by migmux_plan_make()
 * @dev: index of the device
 *
 * Return: the batch's target, or the state of a device that stays.
 */
u32 migmux_plan_target(const struct migmux_plan *plan, u32 dev)
{
	const struct migmux_plan_dev *d = &plan->devs[dev];

	if (plan->flags & MIGMUX_PLAN_STAY &&
	    (d->state != VFIO_DEVICE_STATE_RUNNING ||
	     !supports(d, states[plan->target].needs)))
		return d->state;
	return plan->target;
}

static int check_dev(struct migmux_plan *plan, u32 i, bool need_p2p)
{
	const struct migmux_plan_dev *dev = &plan->devs[i];
	const u32 target = migmux_plan_target(plan, i);
	const u32 needs = states[target].needs;

	if (dev->state == VFIO_DEVICE_STATE_ERROR)
		return refuse(plan, MIGMUX_PLAN_IN_ERROR, i, -EIO);
	if (!supports(dev, VFIO_MIGRATION_STOP_COPY))
		return refuse(plan, MIGMUX_PLAN_NO_STOP_COPY, i, -EOPNOTSUPP);
	if (group_of(dev->state) == ERRONEOUS ||
	    !supports(dev, states[dev->state].needs))
		return refuse(plan, MIGMUX_PLAN_BAD_STATE, i, -EIO);
	if (needs & VFIO_MIGRATION_P2P)
		need_p2p = true;
	if (need_p2p && !supports(dev, VFIO_MIGRATION_P2P))
		return refuse(plan, MIGMUX_PLAN_NO_P2P, i, -EOPNOTSUPP);
	if (!supports(dev, needs))
		return refuse(plan, MIGMUX_PLAN_NO_PRE_COPY, i, -EOPNOTSUPP);
	if (dev->state == VFIO_DEVICE_STATE_STOP_COPY && target != dev->state &&
	    (needs & VFIO_MIGRATION_PRE_COPY))
		return refuse(plan, MIGMUX_PLAN_BLOCKED, i, -EINVAL);
	return 0;
}

/**
 * migmux_plan_make - plan a batch
 * @plan: result; on failure its err and culprit say why
 * @devs: the devices, the caller's; kept by @plan
 * @n: how many
 * @target: where all of them go
 * @flags: enum migmux_plan_flags
 *
 * Context: the states must not change until the plan was carried out.
 *
 * Return: 0 or an errno of &enum migmux_plan_err.
 */
int migmux_plan_make(struct migmux_plan *plan, const struct migmux_plan_dev *devs,
		     u32 n, u32 target, u32 flags)
{
	u32 i;
	int ret;

	memset(plan, 0, sizeof(*plan));
	plan->devs = devs;
	plan->nr_devs = n;
	plan->target = target;
	plan->flags = flags;
	if (!n)
		return refuse(plan, MIGMUX_PLAN_NO_DEVICES, 0, -EINVAL);
	if (group_of(target) == ERRONEOUS)
		return refuse(plan, MIGMUX_PLAN_BAD_TARGET, 0, -EINVAL);

	plan->nr_phases = 1;
	for (i = 0; i < n; i++) {
		ret = check_dev(plan, i, n > 1 && !(flags & MIGMUX_PLAN_NO_P2P_OK));
		if (ret)
			return ret;
		if (meeting_point(&devs[i], migmux_plan_target(plan, i)) !=
		    devs[i].state)
			plan->nr_phases = 2;
	}
	return 0;
}

/**
 * migmux_plan_checkpoint - the state a device must reach in a phase
 * @plan: made by migmux_plan_make()
 * @phase: below plan->nr_phases
 * @dev: index of the device
 *
 * Return: enum vfio_device_mig_state; may be the one the device is in.
 */
u32 migmux_plan_checkpoint(const struct migmux_plan *plan, u32 phase, u32 dev)
{
	const u32 target = migmux_plan_target(plan, dev);

	if (phase + 1 < plan->nr_phases)
		return meeting_point(&plan->devs[dev], target);
	return target;
}

/**
 * migmux_plan_strerror - text for a refusal
 * @err: reason code
 *
 * Return: text that fits behind a device's name, never NULL.
 */
const char *migmux_plan_strerror(enum migmux_plan_err err)
{
	static const char *const texts[] = {
		[MIGMUX_PLAN_OK] = "no error",
		[MIGMUX_PLAN_NO_DEVICES] = "no devices",
		[MIGMUX_PLAN_BAD_TARGET] = "not a state to ask for",
		[MIGMUX_PLAN_NO_STOP_COPY] = "cannot migrate",
		[MIGMUX_PLAN_NO_PRE_COPY] = "does not support PRE_COPY",
		[MIGMUX_PLAN_NO_P2P] = "does not support P2P",
		[MIGMUX_PLAN_IN_ERROR] = "is in ERROR and needs a reset",
		[MIGMUX_PLAN_BAD_STATE] = "is in a state that it does not support",
		[MIGMUX_PLAN_BLOCKED] = "cannot go there from its state",
	};

	static_assert(ARRAY_SIZE(texts) == MIGMUX_PLAN_ERR_NR);
	return (u32)err < ARRAY_SIZE(texts) ? texts[err] : "unknown refusal";
}

/**
 * migmux_state_name - name of a state, as in vfio.h without its prefix
 * @state: enum vfio_device_mig_state
 *
 * Return: the name, never NULL.
 */
const char *migmux_state_name(u32 state)
{
	return state < ARRAY_SIZE(states) ? states[state].name : "unknown";
}
