// SPDX-License-Identifier: GPL-2.0-only
#include "sched.h"

/**
 * migmux_sched_better - does a channel suit a device's next frame better?
 * @best: the best one so far, or NULL
 * @next: the next one
 *
 * The least loaded one is best, and among equals the first: a lone small frame always
 * goes the same way, a fast channel drains sooner and so gets more.
 *
 * Return: true if @next lives and is better than @best.
 */
bool migmux_sched_better(const struct migmux_sched_chan *best,
			 const struct migmux_sched_chan *next)
{
	return !next->dead && (!best || next->queued < best->queued);
}
