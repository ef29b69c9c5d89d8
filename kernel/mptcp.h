/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Channels over MPTCP: what it has taken, but not given to TCP.
 */
#ifndef MIGMUX_MPTCP_H
#define MIGMUX_MPTCP_H

#include <linux/types.h>

struct socket;

bool migmux_mptcp_is(const struct socket *sock);
int migmux_mptcp_flushed(struct socket *sock);
void migmux_mptcp_push(struct socket *sock);

#endif /* MIGMUX_MPTCP_H */
