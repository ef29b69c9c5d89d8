/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arcs: one device steps from state to state.
 */
#ifndef MIGMUX_ARC_H
#define MIGMUX_ARC_H

#include <linux/types.h>

#include <uapi/linux/vfio_migmux.h>

struct migmux_device;

/**
 * struct migmux_walk - how far, and when to stop
 * @target: the state to reach
 * @rollback: on the way back: all arcs count as VFIO_MIGMUX_PHASE_ROLLBACK
 * @deadline_ns: no arc begins after this; 0 is none
 * @stop: no arc begins once this is not 0; NULL if nothing stops the walk
 */
struct migmux_walk {
	u32 target;
	bool rollback;
	u64 deadline_ns;
	const int *stop;
};

enum vfio_migmux_phase migmux_arc_phase(u32 from, u32 to);
int migmux_arc_walk(struct migmux_device *dev, const struct migmux_walk *walk);

#endif /* MIGMUX_ARC_H */
