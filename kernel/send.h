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
struct migmux_session;
struct socket;
struct work_struct;

extern const struct migmux_mover_ops migmux_send_mover_ops;

const struct migmux_send_ops *migmux_send_choose(struct socket *sock);
ssize_t migmux_send_copy(struct migmux_channel *ch, struct migmux_frame *frame,
			 size_t offset);
void migmux_send_abandon(struct migmux_channel *ch);

/* send_splice.c: the socket takes the pages */
const struct migmux_send_ops *migmux_splice_choose(struct socket *sock);
bool migmux_splice_reclaim(struct migmux_session *s);
void migmux_splice_reclaim_work(struct work_struct *work);

/* send_zerocopy.c: the socket takes the pages, and says when it is done with them */
extern const struct migmux_send_ops migmux_zerocopy_ops;

bool migmux_zerocopy_can(const struct socket *sock);
void migmux_zerocopy_exit(void);

#endif /* MIGMUX_SEND_H */
