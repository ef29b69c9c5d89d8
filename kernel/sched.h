/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which channel of a device takes its next frame.
 */
#ifndef MIGMUX_SCHED_H
#define MIGMUX_SCHED_H

#include "pure.h"

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

#endif /* MIGMUX_SCHED_H */
