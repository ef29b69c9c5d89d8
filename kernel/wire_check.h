/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the decoders have in common.
 */
#ifndef MIGMUX_WIRE_CHECK_H
#define MIGMUX_WIRE_CHECK_H

#include "wire.h"

static inline int refuse(struct migmux_wire_fault *fault, enum migmux_wire_err err,
			 u64 value)
{
	fault->err = err;
	fault->value = value;
	return -EPROTO;
}

/* Offset of the first byte that is not zero, or @size. */
static inline size_t first_set(const void *buf, size_t size)
{
	const u8 *p = buf;
	size_t i;

	for (i = 0; i < size && !p[i]; i++)
		;
	return i;
}

static inline int check_magic(__be32 magic, u32 want_magic, __be32 version,
			      u32 want_version, struct migmux_wire_fault *fault)
{
	if (be32_to_cpu(magic) != want_magic)
		return refuse(fault, MIGMUX_WIRE_BAD_MAGIC, be32_to_cpu(magic));
	if (be32_to_cpu(version) != want_version)
		return refuse(fault, MIGMUX_WIRE_BAD_VERSION,
			      be32_to_cpu(version));
	return 0;
}

/* A name as it is on the wire: padded with nothing but NUL. */
static inline int check_idstr(const char *idstr, struct migmux_wire_fault *fault)
{
	size_t len;
	int ret;

	ret = migmux_wire_idstr_check(idstr, fault);
	if (ret)
		return ret;
	len = strnlen(idstr, MIGMUX_WIRE_IDSTR_LEN);
	len += first_set(idstr + len, MIGMUX_WIRE_IDSTR_LEN - len);
	if (len < MIGMUX_WIRE_IDSTR_LEN)
		return refuse(fault, MIGMUX_WIRE_IDSTR_PADDING, (u8)idstr[len]);
	return 0;
}

#endif /* MIGMUX_WIRE_CHECK_H */
