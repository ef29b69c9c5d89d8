/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLS on connections that become channels.
 */
#ifndef VFMIG_TLS_H
#define VFMIG_TLS_H

#include <stdbool.h>
#include <stddef.h>

/* room for why a handshake failed */
#define TLS_WHY_MAX 512
/* A peer that says nothing, or not in TLS, is given up after this. */
#define TLS_TIMEOUT_MS 10000

/**
 * struct tls_options - who we are, and whom we trust
 * @cert: PEM file of our certificate, and of those between it and the CA's
 * @key: PEM file of its private key
 * @ca: PEM file of the CAs that may have signed the peer's
 * @peer: host name or address that must be in the peer's certificate; NULL for any
 * @listen: the peer connects to us
 */
struct tls_options {
	const char *cert;
	const char *key;
	const char *ca;
	const char *peer;
	bool listen;
};

struct tls;

struct tls *tls_open(const struct tls_options *options);
void tls_close(struct tls *tls);
int tls_handshake(struct tls *tls, int fd, char *why);
const char *tls_library(void);

#endif /* VFMIG_TLS_H */
