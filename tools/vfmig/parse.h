/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parsers of arguments. None of them prints or keeps anything.
 */
#ifndef VFMIG_PARSE_H
#define VFMIG_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vfio_migmux.h>
#include <linux/vfio_migmux_netlink.h>

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_VSOCK };

/**
 * struct address - where a channel goes
 * @kind: which of the others count
 * @host: TCP: name or number, without brackets
 * @port: TCP: name or number
 * @mptcp: TCP: several paths, where the peer has them too
 * @path: AF_UNIX: a path, or '@' and an abstract name
 * @cid: AF_VSOCK: the context, VMADDR_CID_ANY for "any"
 * @vport: AF_VSOCK: the port
 */
struct address {
	enum address_kind kind;
	char host[256];
	char port[32];
	bool mptcp;
	char path[108];
	uint32_t cid;
	uint32_t vport;
};

/**
 * struct device_arg - a device on the command line of send and recv
 * @handle: pci/0000:01:00.0 or mdev/UUID
 * @idstr: identity on the wire
 */
struct device_arg {
	char handle[VFIO_MIGMUX_HANDLE_MAX + 1];
	char idstr[VFIO_MIGMUX_IDSTR_SIZE];
};

const char *parse_address(const char *arg, struct address *addr);
const char *parse_size(const char *arg, uint64_t *bytes);
const char *parse_u32(const char *arg, uint32_t min, uint32_t max, uint32_t *value);
const char *parse_handle(const char *arg);
const char *parse_device(const char *arg, unsigned int position, struct device_arg *dev);
const char *parse_weight(const char *arg, struct device_arg *dev, uint32_t *weight);
const char *parse_name(const char *arg);
const char *parse_policy(const char *arg, uint32_t *policy);
const char *parse_ms(const char *arg, uint32_t min, uint32_t max, uint32_t *ms);
const char *parse_yes_no(const char *arg, bool *yes);

#endif /* VFMIG_PARSE_H */
