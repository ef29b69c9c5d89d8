/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses of sockets in words, as users write them.
 */
#ifndef MIGMUX_ADDRESS_H
#define MIGMUX_ADDRESS_H

#include <linux/types.h>

struct socket;

/* room for "unix:" and the longest path */
#define MIGMUX_ADDRESS_LEN	120

void migmux_address_name(char *buf, struct socket *sock, bool peer);

#endif /* MIGMUX_ADDRESS_H */
