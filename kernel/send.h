/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The source's end of a channel: frames into the socket, the verdict out of it.
 */
#ifndef MIGMUX_SEND_H
#define MIGMUX_SEND_H

#include "mover.h"

struct migmux_channel;
struct migmux_send_ops;
struct socket;

extern const struct migmux_mover_ops migmux_send_mover_ops;

const struct migmux_send_ops *migmux_send_choose(struct socket *sock);

#endif /* MIGMUX_SEND_H */
