/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open VFIO devices by PCI address (group and type1 container) and move them
 * through the migration states, by plain ioctls.
 */
#ifndef VFIO_OPEN_H
#define VFIO_OPEN_H

#include <linux/types.h>
#include <linux/vfio.h>

/* not in the headers of Linux 6.1, which is what a Debian 12 builds with */
#define VFIO_STATE_PRE_COPY		6
#define VFIO_STATE_PRE_COPY_P2P		7
#define VFIO_FEATURE_MIG_DATA_SIZE	9

#define VFIO_OPEN_MAX	64
#define VFIO_ADDR_MAX	16	/* "0000:00:00.0" and room */

/**
 * struct vfio_dev - an open device
 * @addr: PCI address
 * @group_fd: its group
 * @fd: the device
 * @migration_flags: VFIO_MIGRATION_*, 0 if it cannot migrate
 */
struct vfio_dev {
	char addr[VFIO_ADDR_MAX];
	int group_fd;
	int fd;
	__u64 migration_flags;
};

/**
 * struct vfio_set - the devices of one process, in one container
 * @container: the container
 * @n: devices open
 * @dev: the devices
 */
struct vfio_set {
	int container;
	int n;
	struct vfio_dev dev[VFIO_OPEN_MAX];
};

/**
 * vfio_set_open() - open devices
 * @set: to be filled
 * @n: number of names
 * @names: "0000:01:00.0" or "pci/0000:01:00.0"
 *
 * Return: 0, or -1 after a message on stderr; nothing is open then.
 */
int vfio_set_open(struct vfio_set *set, int n, char *const names[]);

/**
 * vfio_set_open_in() - the same, in another container
 * @set: to be filled
 * @container: "/dev/iommu" for an iommufd that stands in for one
 * @n: number of names
 * @names: as those of vfio_set_open()
 *
 * Return: as vfio_set_open().
 */
int vfio_set_open_in(struct vfio_set *set, const char *container, int n, char *const names[]);

/**
 * vfio_set_close() - close all devices and the container
 * @set: the devices
 */
void vfio_set_close(struct vfio_set *set);

/**
 * vfio_set_exec() - run a shell command that finds the devices open
 * @set: the devices
 * @command: for sh -c; VFMIG_DEVICES in its environment is a list of
 *	"pci/ADDRESS=FD"
 *
 * Return: the command's exit code, or -1.
 */
int vfio_set_exec(const struct vfio_set *set, const char *command);

/**
 * vfio_state_set() - VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
 * @fd: device
 * @state: enum vfio_device_mig_state
 * @data_fd: the new data_fd or -1; NULL if none is expected (and one that
 *	comes nevertheless is closed)
 *
 * Return: 0, or -1 with errno set.
 */
int vfio_state_set(int fd, unsigned int state, int *data_fd);

/**
 * vfio_state_get() - VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
 * @fd: device
 *
 * Return: enum vfio_device_mig_state, or -1 with errno set.
 */
int vfio_state_get(int fd);

/**
 * vfio_data_size() - VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
 * @fd: device
 * @size: result
 *
 * Return: 0, or -1 with errno set.
 */
int vfio_data_size(int fd, __u64 *size);

/**
 * vfio_state_name() - name of a migration state
 * @state: enum vfio_device_mig_state
 *
 * Return: the name without its prefix.
 */
const char *vfio_state_name(unsigned int state);

#endif /* VFIO_OPEN_H */
