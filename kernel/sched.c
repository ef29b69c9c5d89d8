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

/**
 * migmux_sched_share - how many staging slots may a device of the source hold?
 * @slots: those of the session
 * @weight: the device's
 * @weights: sum over all devices that still read, this one included; not 0
 *
 * So no device can hold all memory while another has yet to send, whatever its sockets
 * do. And where devices share channels, and wait for memory and not for themselves,
 * their shares of the channels are those of the memory: channels send first in, first
 * out.
 *
 * Return: 1 at least, even where there are fewer slots than devices.
 */
u32 migmux_sched_share(u32 slots, u32 weight, u32 weights)
{
	/* no overflow: 65536 slots (migmux_staging_max()) of MIGMUX_WEIGHT_MAX */
	const u32 share = slots * weight / weights;

	return share ?: 1;
}

/**
 * migmux_sched_poorer - has a device fewer channels for its weight than another?
 * @channels: that it has
 * @weight: its weight
 * @best_channels: that the other one has
 * @best_weight: the other one's weight
 *
 * Channels of a link are dealt out one by one, each to the poorest, and among equals to
 * the first: in turn where all weigh the same.
 *
 * Return: true if a further channel should go to it and not to the other one.
 */
bool migmux_sched_poorer(u32 channels, u32 weight, u32 best_channels, u32 best_weight)
{
	return (u64)channels * best_weight < (u64)best_channels * weight;
}
