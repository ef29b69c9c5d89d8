// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses of sockets in words.
 */
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/string_helpers.h>
#include <linux/un.h>
#include <linux/vm_sockets.h>
#include <net/sock.h>

#include "address.h"

/*
 * A path is any bytes, and an abstract name, which is told by a zero in front, may
 * have more zeros. What cannot be printed is shown in hex.
 */
static void name_unix(char *buf, const struct sockaddr_un *addr, int len)
{
	static const char prefix[] = "unix:";
	const unsigned int flags = ESCAPE_HEX | ESCAPE_NAP;
	const char *path = addr->sun_path;
	char *pos = buf + strlen(prefix);
	char *end = buf + MIGMUX_ADDRESS_LEN - 1;
	int n = len - (int)offsetof(struct sockaddr_un, sun_path);

	strscpy(buf, prefix, MIGMUX_ADDRESS_LEN);
	if (n <= 0) {
		strscpy(pos, "(unnamed)", MIGMUX_ADDRESS_LEN - strlen(prefix));
		return;
	}
	if (!*path) {
		*pos++ = '@';
		path++;
		n--;
	} else {
		n = strnlen(path, n);
	}
	pos += string_escape_mem(path, n, pos, end - pos, flags, NULL);
	*min(pos, end) = '\0';
}

static void name_vsock(char *buf, const struct sockaddr_vm *addr)
{
	/* whoever connects is bound to no CID of its own */
	if (addr->svm_cid == VMADDR_CID_ANY)
		snprintf(buf, MIGMUX_ADDRESS_LEN, "vsock:any:%u", addr->svm_port);
	else
		snprintf(buf, MIGMUX_ADDRESS_LEN, "vsock:%u:%u", addr->svm_cid,
			 addr->svm_port);
}

/**
 * migmux_address_name() - an address of a connected socket in words
 * @buf: gets it, MIGMUX_ADDRESS_LEN bytes
 * @sock: a TCP, MPTCP, AF_UNIX or AF_VSOCK socket
 * @peer: the peer's address, not the socket's own
 *
 * Context: sleeps.
 */
void migmux_address_name(char *buf, struct socket *sock, bool peer)
{
	struct sockaddr_storage addr = { };
	int len;

	len = peer ? kernel_getpeername(sock, (struct sockaddr *)&addr) :
		     kernel_getsockname(sock, (struct sockaddr *)&addr);
	if (len < 0)
		strscpy(buf, "unknown", MIGMUX_ADDRESS_LEN);
	else if (addr.ss_family == AF_UNIX)
		name_unix(buf, (struct sockaddr_un *)&addr, len);
	else if (addr.ss_family == AF_VSOCK)
		name_vsock(buf, (struct sockaddr_vm *)&addr);
	else
		snprintf(buf, MIGMUX_ADDRESS_LEN, "%s:%pISpc",
			 sock->sk->sk_protocol == IPPROTO_MPTCP ? "mptcp" : "tcp",
			 &addr);
}
