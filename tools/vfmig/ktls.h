/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a handshake that is over to a socket that encrypts.
 */
#ifndef VFMIG_KTLS_H
#define VFMIG_KTLS_H

#include <gnutls/gnutls.h>

int ktls_start(gnutls_session_t session, int fd, char *why);

#endif /* VFMIG_KTLS_H */
