/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Batch planning: which states a group of devices must reach, phase by
 * phase, so that no device talks P2P to one that does not listen.
 */
#ifndef MIGMUX_PLAN_H
#define MIGMUX_PLAN_H

#include "pure.h"

enum migmux_plan_limits {
	MIGMUX_PLAN_PHASES_MAX = 2,
};

/**
 * enum migmux_plan_flags - what else a batch allows
 * @MIGMUX_PLAN_NO_P2P_OK: several devices may go although some lack P2P: the caller
 *	knows that those do no P2P DMA; they wait at the barrier where they are
 * @MIGMUX_PLAN_STAY: who is not in RUNNING, or lacks what the target needs, stays
 *	where it is: for a target of PRE_COPY
 */
enum migmux_plan_flags {
	MIGMUX_PLAN_NO_P2P_OK = 1,
	MIGMUX_PLAN_STAY = 2,
};

/**
 * struct migmux_plan_dev - a device before the batch
 * @state: where it is now, enum vfio_device_mig_state
 * @flags: what it supports, VFIO_MIGRATION_*
 */
struct migmux_plan_dev {
	u32 state;
	u64 flags;
};

/**
 * enum migmux_plan_err - why a batch was refused
 * @MIGMUX_PLAN_OK: it was not
 * @MIGMUX_PLAN_NO_DEVICES: the batch is empty
 * @MIGMUX_PLAN_BAD_TARGET: ERROR, or no state at all; -EINVAL
 * @MIGMUX_PLAN_NO_STOP_COPY: the device cannot migrate; -EOPNOTSUPP
 * @MIGMUX_PLAN_NO_PRE_COPY: the target needs PRE_COPY; -EOPNOTSUPP
 * @MIGMUX_PLAN_NO_P2P: the target, or a batch of several, needs P2P; -EOPNOTSUPP
 * @MIGMUX_PLAN_IN_ERROR: the device is in ERROR and needs a reset; -EIO
 * @MIGMUX_PLAN_BAD_STATE: the device claims a state that it cannot have; -EIO
 * @MIGMUX_PLAN_BLOCKED: VFIO has no way from its state to the target; -EINVAL
 */
enum migmux_plan_err {
	MIGMUX_PLAN_OK = 0,
	MIGMUX_PLAN_NO_DEVICES,
	MIGMUX_PLAN_BAD_TARGET,
	MIGMUX_PLAN_NO_STOP_COPY,
	MIGMUX_PLAN_NO_PRE_COPY,
	MIGMUX_PLAN_NO_P2P,
	MIGMUX_PLAN_IN_ERROR,
	MIGMUX_PLAN_BAD_STATE,
	MIGMUX_PLAN_BLOCKED,
	/* private: */
	MIGMUX_PLAN_ERR_NR,
};

/**
 * struct migmux_plan - a batch, planned
 * @devs: the devices; the caller's array, must outlive the plan unchanged
 * @nr_devs: how many
 * @target: where all go
 * @flags: enum migmux_plan_flags
 * @nr_phases: phases to run, with a barrier between them
 * @err: why the plan was refused
 * @culprit: index of the device that @err is about
 */
struct migmux_plan {
	const struct migmux_plan_dev *devs;
	u32 nr_devs;
	u32 target;
	u32 flags;
	u32 nr_phases;
	enum migmux_plan_err err;
	u32 culprit;
};

int migmux_plan_make(struct migmux_plan *plan, const struct migmux_plan_dev *devs,
		     u32 n, u32 target, u32 flags);
u32 migmux_plan_target(const struct migmux_plan *plan, u32 dev);
u32 migmux_plan_checkpoint(const struct migmux_plan *plan, u32 phase, u32 dev);
const char *migmux_plan_strerror(enum migmux_plan_err err);
const char *migmux_state_name(u32 state);

#endif /* MIGMUX_PLAN_H */
