/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Channels over kernel TLS: what differs from a socket that takes and gives plain bytes.
 */
#ifndef MIGMUX_TLS_H
#define MIGMUX_TLS_H

#include <linux/types.h>

struct migmux_channel;
struct msghdr;
struct socket;

/**
 * struct migmux_tls_info - how a socket is encrypted
 * @version: as on the wire, 0x0304 is TLS 1.3; 0 if it is not encrypted
 * @cipher: TLS_CIPHER_* of linux/tls.h
 */
struct migmux_tls_info {
	u16 version;
	u16 cipher;
};

struct migmux_tls_info migmux_tls_info(struct socket *sock);
bool migmux_tls_can_splice(struct socket *sock);
int migmux_tls_flushed(struct socket *sock);
void migmux_tls_push(struct socket *sock);
int migmux_tls_recv(struct migmux_channel *ch, struct msghdr *msg);
void migmux_tls_bye(struct migmux_channel *ch);

#endif /* MIGMUX_TLS_H */
