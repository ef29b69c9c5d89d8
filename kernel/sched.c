// SPDX-License-Identifier: GPL-2.0-only
#include "sched.h"

/**
 * migmux_sched_pick - choose the channel for a device's next frame
 * @chans: the device's channels, or all when they are shared
 * @n: how many
 *
 * The least loaded one, and among equals the first: a lone small frame always
 * goes the same way, a fast channel drains sooner and so gets more.
 *
 * Return: index into @chans, or -EPIPE when all are dead.
 */
int migmux_sched_pick(const struct migmux_sched_chan *const *chans, u32 n)
{
	int best = -EPIPE;
	u32 i;

	for (i = 0; i < n; i++) {
		if (chans[i]->dead)
			continue;
		if (best < 0 || chans[i]->queued < chans[best]->queued)
			best = i;
	}
	return best;
}
