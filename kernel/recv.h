/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The destination's end of a channel: frames out of the socket, the verdict into
 * it.
 */
#ifndef MIGMUX_RECV_H
#define MIGMUX_RECV_H

#include <linux/types.h>

#include "mover.h"

struct migmux_channel;

extern const struct migmux_mover_ops migmux_recv_mover_ops;

void migmux_recv_stall_locked(struct migmux_channel *ch, bool waits);

#endif /* MIGMUX_RECV_H */
