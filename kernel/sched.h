/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who gets how much of what devices share: which channel takes the next frame, how
 * much memory a device may have, whose the next channel is.
 */
#ifndef MIGMUX_SCHED_H
#define MIGMUX_SCHED_H

#include "pure.h"

/* A device's weight; that of one whose VMM says nothing is the lowest. */
#define MIGMUX_WEIGHT_MIN	1
#define MIGMUX_WEIGHT_MAX	1000

/**
 * struct migmux_sched_chan - what the choice depends on; embedded in a channel
 * @queued: bytes given to the channel and not yet accepted by its socket
 * @dead: takes no more frames
 */
struct migmux_sched_chan {
	u64 queued;
	bool dead;
};

bool migmux_sched_better(const struct migmux_sched_chan *best,
			 const struct migmux_sched_chan *next);
u32 migmux_sched_share(u32 slots, u32 weight, u32 weights);
bool migmux_sched_poorer(u32 channels, u32 weight, u32 best_channels, u32 best_weight);

#endif /* MIGMUX_SCHED_H */
