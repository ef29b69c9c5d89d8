/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory beyond the staging, for frames that came by a shared channel before their time.
 */
#ifndef MIGMUX_SPILL_H
#define MIGMUX_SPILL_H

#include <linux/types.h>

struct migmux_channel;
struct migmux_device;
struct migmux_frame;
struct migmux_session;
struct migmux_wire_fault;

bool migmux_spill_due_locked(const struct migmux_channel *ch);
int migmux_spill_take(struct migmux_channel *ch, struct migmux_frame **spilled,
		      struct migmux_wire_fault *fault);
bool migmux_spill_waits_locked(const struct migmux_device *dev);
void migmux_spill_settle(struct migmux_frame *spilled, struct migmux_frame *frame);
void migmux_spill_drop(struct migmux_session *s);

#endif /* MIGMUX_SPILL_H */
