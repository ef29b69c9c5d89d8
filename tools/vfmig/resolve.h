/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From an address on the command line to what bind() and connect() take.
 */
#ifndef VFMIG_RESOLVE_H
#define VFMIG_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "parse.h"

/* room for what resolve_name() writes */
#define RESOLVE_NAME_MAX 320

/**
 * struct targets - the socket addresses of an address
 * @list: one or more, as getaddrinfo() gives them
 * @one: that one, where no name is to be resolved
 * @sa: its address
 */
struct targets {
	struct addrinfo *list;
	struct addrinfo one;
	struct sockaddr_storage sa;
};

int resolve(const struct address *addr, bool passive, struct targets *targets);
void resolve_done(struct targets *targets);
const char *resolve_name(const struct address *addr, char *buf);

#endif /* VFMIG_RESOLVE_H */
