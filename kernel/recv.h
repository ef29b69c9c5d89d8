/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The destination's end of a channel: frames out of the socket, the verdict into
 * it.
 */
#ifndef MIGMUX_RECV_H
#define MIGMUX_RECV_H

#include "mover.h"

extern const struct migmux_mover_ops migmux_recv_mover_ops;

#endif /* MIGMUX_RECV_H */
