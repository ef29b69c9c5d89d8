/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure parts (wire, gather, plan, sched) need from their
 * surroundings, so that the same files build in the kernel, in the unit
 * tests and under a fuzzer.  They take no locks, allocate nothing and sleep
 * nowhere: the caller serialises and owns all memory.
 */
#ifndef MIGMUX_PURE_H
#define MIGMUX_PURE_H

#ifdef __KERNEL__

#include <linux/array_size.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>
#include <uapi/linux/vfio.h>

#else /* userspace */

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/types.h>
#include <linux/vfio.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;

#ifndef U32_MAX
#define U32_MAX UINT32_MAX
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(arr) (sizeof(arr) / sizeof((arr)[0]))
#endif

/* The C library's copy of vfio.h may be older than pre-copy. */
#ifndef VFIO_MIGRATION_PRE_COPY
#define VFIO_MIGRATION_PRE_COPY 4
#define VFIO_DEVICE_STATE_PRE_COPY 6
#define VFIO_DEVICE_STATE_PRE_COPY_P2P 7
#endif

static inline u32 be32_to_cpu(__be32 v)
{
	return be32toh(v);
}

static inline u64 be64_to_cpu(__be64 v)
{
	return be64toh(v);
}

static inline __be32 cpu_to_be32(u32 v)
{
	return htobe32(v);
}

static inline __be64 cpu_to_be64(u64 v)
{
	return htobe64(v);
}

#endif /* __KERNEL__ */

#endif /* MIGMUX_PURE_H */
