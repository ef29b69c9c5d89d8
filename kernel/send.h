/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The source's end of a channel: frames into the socket, the verdict out of it.
 */
#ifndef MIGMUX_SEND_H
#define MIGMUX_SEND_H

#include <linux/types.h>

#include "mover.h"

struct migmux_channel;
struct migmux_frame;
struct migmux_send_ops;
struct socket;

extern const struct migmux_mover_ops migmux_send_mover_ops;

const struct migmux_send_ops *migmux_send_choose(struct socket *sock);
ssize_t migmux_send_copy(struct migmux_channel *ch, struct migmux_frame *frame,
			 size_t offset);
void migmux_send_abandon(struct migmux_channel *ch);

/* send_zerocopy.c: the socket reads the pages themselves */
extern const struct migmux_send_ops migmux_zerocopy_ops;

bool migmux_zerocopy_can(const struct socket *sock);
void migmux_zerocopy_exit(void);

#endif /* MIGMUX_SEND_H */
