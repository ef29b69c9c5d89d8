/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets that become channels.
 */
#ifndef VFMIG_CONNECT_H
#define VFMIG_CONNECT_H

#include <stdint.h>

#include "parse.h"

struct tls;

/* Called for each connection made, with its number from 1. */
typedef void (*connect_progress_fn)(unsigned int number, unsigned int of, void *arg);

#define CONNECT_FOREVER UINT32_MAX

int connect_listen(const struct address *addr, struct tls *tls, uint32_t timeout_ms, int *fds,
		   unsigned int n, connect_progress_fn progress, void *arg);
int connect_to(const struct address *addr, struct tls *tls, uint32_t timeout_ms, int *fds,
	       unsigned int n, connect_progress_fn progress, void *arg);

#endif /* VFMIG_CONNECT_H */
