// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the place of tls.c when vfmig is built with TLS=no.
 */
#include <errno.h>
#include <stdio.h>

#include "output.h"
#include "tls.h"

struct tls *tls_open(const struct tls_options *options)
{
	(void)options;
	output_error("--tls: this vfmig was built without TLS");
	return NULL;
}

void tls_close(struct tls *tls)
{
	(void)tls;
}

int tls_handshake(struct tls *tls, int fd, char *why)
{
	(void)tls;
	(void)fd;
	snprintf(why, TLS_WHY_MAX, "built without TLS");
	return -ENOTSUP;
}

const char *tls_library(void)
{
	return "no TLS";
}
