/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO devices that no VM uses: open them as a VMM would.
 */
#ifndef VFMIG_VFIO_DEV_H
#define VFMIG_VFIO_DEV_H

#include <stddef.h>
#include <stdint.h>

#include <linux/vfio.h>

#include "parse.h"

/* Younger than the headers of Debian 12; values are VFIO's uAPI. */
#ifndef VFIO_MIGRATION_PRE_COPY
#define VFIO_MIGRATION_PRE_COPY 4
#endif
#ifndef VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
#define VFIO_DEVICE_FEATURE_MIG_DATA_SIZE 9
#endif

/**
 * struct vfio - a container with groups and devices
 * @container: its descriptor, -1 if closed
 * @groups: their descriptors
 * @group_names: as in /dev/vfio
 * @devices: descriptors in the order of opening
 * @nr_groups: number of groups
 * @nr_devices: number of devices
 */
struct vfio {
	int container;
	int *groups;
	char (*group_names)[32];
	int *devices;
	unsigned int nr_groups;
	unsigned int nr_devices;
};

void vfio_init(struct vfio *v);
int vfio_open_device(struct vfio *v, const char *handle);
void vfio_close(struct vfio *v);

void vfio_driver(const char *handle, char *name, size_t size);
int vfio_stop_copy_bytes(int device_fd, uint64_t *bytes);
int vfio_migration_flags(int device_fd, uint64_t *flags);
int vfio_get_state(int device_fd, uint32_t *state);
int vfio_set_state(int device_fd, uint32_t state, int *data_fd);

#endif /* VFMIG_VFIO_DEV_H */
