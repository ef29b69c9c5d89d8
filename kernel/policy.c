// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a set's policy says about a state change.
 */
#include "policy.h"

static const struct {
	u32 from;
	u32 to;
	u32 step;
} steps[] = {
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P,
	  VFIO_MIGMUX_SET_POLICY_STOP },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P,
	  VFIO_MIGMUX_SET_POLICY_STOP },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP,
	  VFIO_MIGMUX_SET_POLICY_STOP },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY,
	  VFIO_MIGMUX_SET_POLICY_COPY },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP_COPY,
	  VFIO_MIGMUX_SET_POLICY_COPY },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY,
	  VFIO_MIGMUX_SET_POLICY_COPY },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING_P2P,
	  VFIO_MIGMUX_SET_POLICY_START },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING,
	  VFIO_MIGMUX_SET_POLICY_START },
	{ VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_RUNNING_P2P,
	  VFIO_MIGMUX_SET_POLICY_RESUME },
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RESUMING,
	  VFIO_MIGMUX_SET_POLICY_SETUP },
};

/**
 * migmux_policy_step - the step of a whole-VM stop or start that a change is
 * @from: the device's state, enum vfio_device_mig_state
 * @to: the state that the VMM asks for
 *
 * Return: one bit of enum vfio_migmux_set_policy, or 0 if it is none: a change that a
 * VMM may well ask of one device alone.
 */
u32 migmux_policy_step(u32 from, u32 to)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i].from == from && steps[i].to == to)
			return steps[i].step;
	return 0;
}

/**
 * migmux_policy_back - where an unclaimed change is taken back to
 * @shown: the state that the VMM last asked for
 * @reached: the state that the device was taken to instead
 *
 * A device whose state was loaded stays loaded: it waits in STOP, from where the
 * VMM's own RUNNING_P2P goes on. A save that began in PRE_COPY cannot go back.
 *
 * Return: enum vfio_device_mig_state, or MIGMUX_POLICY_NO_WAY.
 */
u32 migmux_policy_back(u32 shown, u32 reached)
{
	if (shown == VFIO_DEVICE_STATE_RESUMING)
		return VFIO_DEVICE_STATE_STOP;
	if (reached == VFIO_DEVICE_STATE_STOP_COPY &&
	    (shown == VFIO_DEVICE_STATE_PRE_COPY ||
	     shown == VFIO_DEVICE_STATE_PRE_COPY_P2P))
		return MIGMUX_POLICY_NO_WAY;
	/* a save that the VMM ended must not begin again unseen */
	if (shown == VFIO_DEVICE_STATE_STOP_COPY)
		return VFIO_DEVICE_STATE_STOP;
	return shown;
}

/**
 * migmux_policy_needs_p2p - does a change begin or end in a P2P state?
 * @from: where it begins
 * @to: where it ends
 */
bool migmux_policy_needs_p2p(u32 from, u32 to)
{
	return from == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       from == VFIO_DEVICE_STATE_PRE_COPY_P2P ||
	       to == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       to == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

/**
 * migmux_policy_side - does a change cross P2P, and which way?
 * @from: where it begins
 * @to: where it ends
 *
 * A device that is made ready to load its state has not run: that is no stop.
 */
enum migmux_policy_side migmux_policy_side(u32 from, u32 to)
{
	switch (to) {
	case VFIO_DEVICE_STATE_STOP:
	case VFIO_DEVICE_STATE_STOP_COPY:
		if (from == VFIO_DEVICE_STATE_RUNNING ||
		    from == VFIO_DEVICE_STATE_PRE_COPY ||
		    from == VFIO_DEVICE_STATE_RUNNING_P2P ||
		    from == VFIO_DEVICE_STATE_PRE_COPY_P2P)
			return MIGMUX_POLICY_STOPS;
		return MIGMUX_POLICY_STAYS;
	case VFIO_DEVICE_STATE_RUNNING:
		if (from == VFIO_DEVICE_STATE_STOP ||
		    from == VFIO_DEVICE_STATE_STOP_COPY ||
		    from == VFIO_DEVICE_STATE_RESUMING ||
		    from == VFIO_DEVICE_STATE_RUNNING_P2P)
			return MIGMUX_POLICY_STARTS;
		return MIGMUX_POLICY_STAYS;
	default:
		return MIGMUX_POLICY_STAYS;
	}
}

/**
 * migmux_policy_meet - where a device waits for the others
 * @state: where it is
 * @side: which way the set crosses P2P
 * @policy: of the set
 *
 * Return: a P2P state; @state itself if the device need not, or must not, move.
 */
u32 migmux_policy_meet(u32 state, enum migmux_policy_side side, u32 policy)
{
	if (side == MIGMUX_POLICY_STOPS) {
		if (state == VFIO_DEVICE_STATE_RUNNING)
			return VFIO_DEVICE_STATE_RUNNING_P2P;
		if (state == VFIO_DEVICE_STATE_PRE_COPY)
			return VFIO_DEVICE_STATE_PRE_COPY_P2P;
	}
	if (side == MIGMUX_POLICY_STARTS) {
		if (state == VFIO_DEVICE_STATE_STOP ||
		    state == VFIO_DEVICE_STATE_STOP_COPY)
			return VFIO_DEVICE_STATE_RUNNING_P2P;
		if (state == VFIO_DEVICE_STATE_RESUMING &&
		    policy & VFIO_MIGMUX_SET_POLICY_RESUME)
			return VFIO_DEVICE_STATE_RUNNING_P2P;
	}
	return state;
}

/**
 * migmux_policy_beyond - how far the others follow when all have met
 * @meet: where a device waits
 * @to: what the VMM asked for one of them
 * @policy: of the set
 *
 * Return: a state, or @meet if it stays there until the VMM's own call.
 */
u32 migmux_policy_beyond(u32 meet, u32 to, u32 policy)
{
	if (meet == VFIO_DEVICE_STATE_RUNNING_P2P) {
		if (to == VFIO_DEVICE_STATE_RUNNING)
			return policy & VFIO_MIGMUX_SET_POLICY_START ? to : meet;
		if (to == VFIO_DEVICE_STATE_STOP)
			return policy & VFIO_MIGMUX_SET_POLICY_STOP ? to : meet;
	}
	if (policy & migmux_policy_step(meet, to))
		return to;
	return meet;
}
