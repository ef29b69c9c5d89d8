/* SPDX-License-Identifier: GPL-2.0-only */
/* What migsim_test does to a device: knobs, streams, registers */
#ifndef MIGSIM_UTIL_H
#define MIGSIM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "vfio-open.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define MIGSIM_DRIVER	"vfio_pci_migsim"
#define MIGSIM_HEAD	64	/* bytes of a stream that are not payload */
#define MIGSIM_PIECE_HEAD	32	/* and those of a pre-copy record */
#define STREAM_MAX	(4UL << 20)	/* size of the tests' buffers */

/* VFIO_MIG_GET_PRECOPY_INFO, which the headers of Linux 6.1 lack */
struct precopy_info {
	__u32 argsz;
	__u32 flags;
	__aligned_u64 initial_bytes;
	__aligned_u64 dirty_bytes;
};

#define PRECOPY_INFO	_IO(VFIO_TYPE, VFIO_BASE + 21)

/* Registers of BAR 0, by 8-byte access where the device allows it. */
struct registers {
	__u32 live, fact, status, irq;
	__u64 src, dst, cnt;
};

/* All of these return 0 or more, or -errno. */
int devices_find(char addr[][VFIO_ADDR_MAX], int max);
int attr_write(const char *addr, const char *attr, const char *value);
int attr_write_num(const char *addr, const char *attr, __u64 value);
int attr_read(const char *addr, const char *attr, char *buf, size_t size);
__u64 attr_read_num(const char *addr, const char *attr);
int knobs_reset(const char *addr);
int driver_write(const char *file, const char *value);
int param_write(const char *name, const char *value);

int set_state(const struct vfio_dev *dev, unsigned int state, int *data_fd);
long stream_read(int data_fd, char *buf, size_t size, size_t chunk);
long stream_write(int data_fd, const char *buf, size_t size, size_t chunk);

long device_save(const struct vfio_dev *dev, char *buf, size_t chunk);
int device_load(const struct vfio_dev *dev, const char *buf, long len,
		size_t chunk);

/* One access of 4 or 8 bytes each, as the device wants it. */
static inline __u32 get32(void *bar, unsigned int offset)
{
	return __atomic_load_n((__u32 *)(bar + offset), __ATOMIC_SEQ_CST);
}

static inline __u64 get64(void *bar, unsigned int offset)
{
	return __atomic_load_n((__u64 *)(bar + offset), __ATOMIC_SEQ_CST);
}

static inline void set32(void *bar, unsigned int offset, __u32 value)
{
	__atomic_store_n((__u32 *)(bar + offset), value, __ATOMIC_RELEASE);
}

static inline void set64(void *bar, unsigned int offset, __u64 value)
{
	__atomic_store_n((__u64 *)(bar + offset), value, __ATOMIC_RELEASE);
}

void *bar_map(const struct vfio_dev *dev);
void bar_unmap(void *bar);
int registers_fill(void *bar, __u32 seed);
void registers_get(void *bar, struct registers *regs);

__u64 now_ns(void);

#endif /* MIGSIM_UTIL_H */
