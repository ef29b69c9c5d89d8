/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes of a message by their number. What is missing, or too short, is 0 or
 * leaves the default.
 */
#ifndef VFMIG_ATTR_H
#define VFMIG_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netlink/attr.h>

static inline uint32_t attr_u32(struct nlattr **tb, int type)
{
	return tb[type] && nla_len(tb[type]) >= 4 ? nla_get_u32(tb[type]) : 0;
}

static inline uint64_t attr_u64(struct nlattr **tb, int type)
{
	return tb[type] && nla_len(tb[type]) >= 8 ? nla_get_u64(tb[type]) : 0;
}

static inline bool attr_bool(struct nlattr **tb, int type)
{
	return tb[type] && nla_len(tb[type]) >= 1 && nla_get_u8(tb[type]);
}

/* Names of processes may hold anything, but neither a terminal nor JSON may. */
static inline void attr_string(struct nlattr **tb, int type, char *out, size_t size)
{
	if (!tb[type])
		return;
	nla_strlcpy(out, tb[type], size);
	for (; *out; out++)
		if (*out < ' ' || *out > '~')
			*out = '?';
}

#endif /* VFMIG_ATTR_H */
