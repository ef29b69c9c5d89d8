// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an address on the command line to socket addresses.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

#include "output.h"
#include "resolve.h"

static int resolve_tcp(const struct address *addr, bool passive, struct addrinfo **list)
{
	int flags = passive ? AI_PASSIVE : 0;
	struct addrinfo hints = {
		.ai_flags = flags | AI_ADDRCONFIG,
		.ai_socktype = SOCK_STREAM,
	};
	int ret = getaddrinfo(addr->host, addr->port, &hints, list);
	struct addrinfo *ai;

	/* AI_ADDRCONFIG hides loopback addresses where there is no other */
	if (ret) {
		hints.ai_flags = flags;
		ret = getaddrinfo(addr->host, addr->port, &hints, list);
	}
	if (ret) {
		output_error("%s port %s: %s", addr->host, addr->port, gai_strerror(ret));
		return -EADDRNOTAVAIL;
	}
	/* which getaddrinfo() does not know */
	for (ai = *list; ai && addr->mptcp; ai = ai->ai_next)
		ai->ai_protocol = IPPROTO_MPTCP;
	return 0;
}

/* An abstract name is told by a zero in front, and its length is part of it. */
static socklen_t fill_unix(const struct address *addr, struct sockaddr_un *sa)
{
	size_t len = strlen(addr->path);

	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, addr->path, len);
	if (*addr->path != '@')
		return sizeof(*sa);
	sa->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + len;
}

static socklen_t fill_vsock(const struct address *addr, struct sockaddr_vm *sa)
{
	sa->svm_family = AF_VSOCK;
	sa->svm_cid = addr->cid;
	sa->svm_port = addr->vport;
	return sizeof(*sa);
}

/**
 * resolve() - find the socket addresses of an address
 * @addr: the address
 * @passive: to listen there
 * @targets: filled in on success; resolve_done() gives it back
 *
 * Return: 0, or a negative errno after it said why.
 */
int resolve(const struct address *addr, bool passive, struct targets *targets)
{
	struct addrinfo *one = &targets->one;

	memset(targets, 0, sizeof(*targets));
	if (addr->kind == ADDRESS_TCP)
		return resolve_tcp(addr, passive, &targets->list);
	one->ai_socktype = SOCK_STREAM;
	one->ai_addr = (struct sockaddr *)&targets->sa;
	if (addr->kind == ADDRESS_UNIX)
		one->ai_addrlen = fill_unix(addr, (struct sockaddr_un *)&targets->sa);
	else
		one->ai_addrlen = fill_vsock(addr, (struct sockaddr_vm *)&targets->sa);
	one->ai_family = targets->sa.ss_family;
	targets->list = one;
	return 0;
}

/**
 * resolve_done() - give back what resolve() found
 * @targets: filled by resolve()
 */
void resolve_done(struct targets *targets)
{
	if (targets->list != &targets->one)
		freeaddrinfo(targets->list);
	targets->list = NULL;
}

/**
 * resolve_name() - the address for an error message
 * @addr: the address
 * @buf: RESOLVE_NAME_MAX bytes
 *
 * Return: @buf
 */
const char *resolve_name(const struct address *addr, char *buf)
{
	if (addr->kind == ADDRESS_UNIX)
		snprintf(buf, RESOLVE_NAME_MAX, "unix:%s", addr->path);
	else if (addr->kind == ADDRESS_VSOCK && addr->cid == VMADDR_CID_ANY)
		snprintf(buf, RESOLVE_NAME_MAX, "vsock:any:%u", addr->vport);
	else if (addr->kind == ADDRESS_VSOCK)
		snprintf(buf, RESOLVE_NAME_MAX, "vsock:%u:%u", addr->cid, addr->vport);
	else
		snprintf(buf, RESOLVE_NAME_MAX, "%s port %s", addr->host, addr->port);
	return buf;
}
