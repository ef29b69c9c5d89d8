/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a set's policy says about a state change: may it be started early for the
 * other members, does it cross P2P, and how is it taken back.
 */
#ifndef MIGMUX_POLICY_H
#define MIGMUX_POLICY_H

#include <uapi/linux/vfio_migmux_netlink.h>

#include "pure.h"

/* no state: there is no way back */
#define MIGMUX_POLICY_NO_WAY	U32_MAX

/**
 * enum migmux_policy_side - which way a state change crosses P2P
 * @MIGMUX_POLICY_STAYS: it does not
 * @MIGMUX_POLICY_STOPS: from running to stopped
 * @MIGMUX_POLICY_STARTS: from stopped to running
 */
enum migmux_policy_side {
	MIGMUX_POLICY_STAYS,
	MIGMUX_POLICY_STOPS,
	MIGMUX_POLICY_STARTS,
};

u32 migmux_policy_step(u32 from, u32 to);
u32 migmux_policy_back(u32 shown, u32 reached);
bool migmux_policy_needs_p2p(u32 from, u32 to);
enum migmux_policy_side migmux_policy_side(u32 from, u32 to);
u32 migmux_policy_meet(u32 state, enum migmux_policy_side side, u32 policy);
u32 migmux_policy_beyond(u32 meet, u32 to, u32 policy);

#endif /* MIGMUX_POLICY_H */
