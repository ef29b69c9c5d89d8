// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsers of arguments. Each returns NULL, or a text that says what is wrong
 * and what would be right.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "model.h"
#include "parse.h"

/* Decimal digits, and whatever follows them. */
static bool read_number(const char *arg, unsigned long long *v, char **rest)
{
	if (!isdigit((unsigned char)*arg))
		return false;
	errno = 0;
	*v = strtoull(arg, rest, 10);
	if (errno)
		*v = ULLONG_MAX;
	return true;
}

/* HOST:PORT; an IPv6 address stands in brackets. */
static const char *parse_tcp(const char *host, struct address *addr)
{
	const char *end, *port;

	if (*host == '[') {
		host++;
		end = strchr(host, ']');
		if (!end || end[1] != ':')
			return "want tcp:[IPV6]:PORT";
		port = end + 2;
	} else {
		end = strchr(host, ':');
		if (!end)
			return "the port is missing, want tcp:HOST:PORT";
		port = end + 1;
		if (strchr(port, ':'))
			return "an IPv6 address needs brackets, tcp:[IPV6]:PORT";
	}
	if (end == host)
		return "the host is missing, want tcp:HOST:PORT";
	if (!*port)
		return "the port is missing, want tcp:HOST:PORT";
	if ((size_t)(end - host) >= sizeof(addr->host) || strlen(port) >= sizeof(addr->port))
		return "the address is too long";

	memcpy(addr->host, host, end - host);
	addr->host[end - host] = '\0';
	strcpy(addr->port, port);
	addr->kind = ADDRESS_TCP;
	return NULL;
}

static const char *parse_unix(const char *path, struct address *addr)
{
	if (!*path || !strcmp(path, "@"))
		return "the path is missing, want unix:PATH";
	if (strlen(path) >= sizeof(addr->path))
		return "the path is longer than 107 characters";
	strcpy(addr->path, path);
	addr->kind = ADDRESS_UNIX;
	return NULL;
}

/* CID:PORT; the CIDs that mean something have names. */
static const char *parse_vsock(const char *arg, struct address *addr)
{
	static const struct {
		const char *name;
		uint32_t cid;
	} names[] = {
		{ "any:", VMADDR_CID_ANY }, { "local:", VMADDR_CID_LOCAL },
		{ "host:", VMADDR_CID_HOST },
	};
	unsigned long long v = ULLONG_MAX;
	char *rest = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(arg, names[i].name, strlen(names[i].name)))
			break;
	if (i < sizeof(names) / sizeof(*names)) {
		addr->cid = names[i].cid;
		arg += strlen(names[i].name);
	} else {
		if (!read_number(arg, &v, &rest) || *rest != ':' || v >= VMADDR_CID_ANY)
			return "want vsock:CID:PORT, CID a number, any, local or host";
		addr->cid = (uint32_t)v;
		arg = rest + 1;
	}
	if (!read_number(arg, &v, &rest) || *rest || v >= VMADDR_PORT_ANY)
		return "the port is no number, want vsock:CID:PORT";
	addr->vport = (uint32_t)v;
	addr->kind = ADDRESS_VSOCK;
	return NULL;
}

/**
 * parse_address() - parse tcp:HOST:PORT, mptcp:HOST:PORT, unix:PATH or vsock:CID:PORT
 * @arg: the argument
 * @addr: filled in
 */
const char *parse_address(const char *arg, struct address *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (!strncmp(arg, "tcp:", 4))
		return parse_tcp(arg + 4, addr);
	if (!strncmp(arg, "mptcp:", 6)) {
		addr->mptcp = true;
		return parse_tcp(arg + 6, addr);
	}
	if (!strncmp(arg, "unix:", 5))
		return parse_unix(arg + 5, addr);
	if (!strncmp(arg, "vsock:", 6))
		return parse_vsock(arg + 6, addr);
	return "want tcp:HOST:PORT, mptcp:HOST:PORT, unix:PATH or vsock:CID:PORT";
}

/**
 * parse_size() - parse bytes with an optional K, M, G or T (powers of 1024)
 * @arg: the argument
 * @bytes: set
 */
const char *parse_size(const char *arg, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	static const char bad[] = "want bytes, or a number with K, M, G or T";
	const char *suffix;
	unsigned int shift = 0;
	uint64_t value;
	char *end;

	if (!isdigit((unsigned char)*arg))
		return bad;
	errno = 0;
	value = strtoull(arg, &end, 10);
	if (errno)
		return "the size is too large";
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix)
			return bad;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		end++;
		if (*end && strcmp(end, "iB"))
			return bad;
	}
	if (value > UINT64_MAX >> shift)
		return "the size is too large";
	*bytes = value << shift;
	return NULL;
}

/**
 * parse_u32() - parse a decimal number
 * @arg: the argument
 * @min: smallest allowed
 * @max: largest allowed
 * @value: set
 */
const char *parse_u32(const char *arg, uint32_t min, uint32_t max, uint32_t *value)
{
	unsigned long long v;
	char *rest;

	if (!read_number(arg, &v, &rest) || *rest)
		return "want a number";
	if (v < min || v > max)
		return "the number is out of range";
	*value = (uint32_t)v;
	return NULL;
}

static const char *check_handle(const char *handle)
{
	const char *name = strchr(handle, '/');

	if (!name || (strncmp(handle, "pci/", 4) && strncmp(handle, "mdev/", 5)))
		return "want pci/ADDRESS as in pci/0000:01:00.0, or mdev/UUID";
	name++;
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return "the device's name after the bus is wrong";
	return NULL;
}

/**
 * parse_handle() - check a device handle
 * @arg: the argument
 */
const char *parse_handle(const char *arg)
{
	if (strlen(arg) > VFIO_MIGMUX_HANDLE_MAX)
		return "the device's name is too long";
	return check_handle(arg);
}

/**
 * parse_device() - parse DEV or DEV=IDSTR
 * @arg: the argument
 * @position: of the device on the command line; makes the default identity
 * @dev: filled in
 */
const char *parse_device(const char *arg, unsigned int position, struct device_arg *dev)
{
	const char *idstr = strchr(arg, '=');
	size_t len = idstr ? (size_t)(idstr - arg) : strlen(arg);
	const char *p;

	if (len > VFIO_MIGMUX_HANDLE_MAX)
		return "the device's name is too long";
	memcpy(dev->handle, arg, len);
	dev->handle[len] = '\0';

	if (!idstr) {
		snprintf(dev->idstr, sizeof(dev->idstr), "vfmig/%u", position);
		return check_handle(dev->handle);
	}
	idstr++;
	if (!*idstr)
		return "the identity after '=' is empty";
	if (strlen(idstr) >= sizeof(dev->idstr))
		return "the identity is longer than 255 characters";
	for (p = idstr; *p; p++)
		if (!isprint((unsigned char)*p))
			return "the identity has a character that cannot be printed";
	strcpy(dev->idstr, idstr);
	return check_handle(dev->handle);
}

/**
 * parse_weight() - parse DEV=WEIGHT
 * @arg: the argument
 * @dev: its handle is filled in
 * @weight: set, 1 to 1000
 */
const char *parse_weight(const char *arg, struct device_arg *dev, uint32_t *weight)
{
	const char *value = strrchr(arg, '=');
	size_t len;

	if (!value)
		return "want DEV=WEIGHT, as in pci/0000:01:00.0=3";
	len = (size_t)(value - arg);
	if (len > VFIO_MIGMUX_HANDLE_MAX)
		return "the device's name is too long";
	memcpy(dev->handle, arg, len);
	dev->handle[len] = '\0';
	if (parse_u32(value + 1, 1, 1000, weight))
		return "want a weight from 1 to 1000";
	return check_handle(dev->handle);
}

/**
 * parse_name() - check the name of a set or link
 * @arg: the argument
 */
const char *parse_name(const char *arg)
{
	if (!*arg)
		return "the name is empty";
	if (strlen(arg) > VFIO_MIGMUX_NAME_MAX)
		return "the name is longer than 31 characters";
	return NULL;
}

/**
 * parse_policy() - parse words of a set's policy, with commas between
 * @arg: the argument
 * @policy: set to bits of enum vfio_migmux_set_policy, 0 for "none"
 */
const char *parse_policy(const char *arg, uint32_t *policy)
{
	static const char bad[] =
		"want none, or some of stop,copy,start,resume,setup,barrier";
	uint32_t bits = 0;
	unsigned int i;
	size_t len;

	*policy = 0;
	if (!strcmp(arg, "none"))
		return NULL;
	for (;; arg += len + 1) {
		len = strcspn(arg, ",");
		for (i = 0; i < MODEL_NR_POLICIES; i++)
			if (strlen(model_policy_name(i)) == len &&
			    !strncmp(model_policy_name(i), arg, len))
				break;
		if (i == MODEL_NR_POLICIES)
			return bad;
		bits |= 1U << i;
		if (!arg[len])
			break;
	}
	*policy = bits;
	return NULL;
}

/**
 * parse_ms() - parse milliseconds, as 5000, 5000ms or 5s
 * @arg: the argument
 * @min: smallest allowed
 * @max: largest allowed
 * @ms: set
 */
const char *parse_ms(const char *arg, uint32_t min, uint32_t max, uint32_t *ms)
{
	unsigned long long v;
	bool seconds;
	char *rest;

	if (!read_number(arg, &v, &rest))
		return "want milliseconds, as in 5000, 5000ms or 5s";
	seconds = !strcmp(rest, "s");
	if (!seconds && *rest && strcmp(rest, "ms"))
		return "want milliseconds, as in 5000, 5000ms or 5s";
	/* what is too much already must not wrap around */
	if (seconds && v <= max)
		v *= 1000;
	if (v < min || v > max)
		return "the time is out of range";
	*ms = (uint32_t)v;
	return NULL;
}

/**
 * parse_yes_no() - parse yes or no
 * @arg: the argument
 * @yes: set
 */
const char *parse_yes_no(const char *arg, bool *yes)
{
	*yes = !strcmp(arg, "yes");
	return *yes || !strcmp(arg, "no") ? NULL : "want yes or no";
}
