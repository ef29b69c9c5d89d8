// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO devices that no VM uses: open them as a VMM would, in one container.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "model.h"
#include "output.h"
#include "vfio_dev.h"

/**
 * vfio_init() - begin with nothing open
 * @v: set up
 */
void vfio_init(struct vfio *v)
{
	*v = (struct vfio){ .container = -1 };
}

/**
 * vfio_close() - close everything
 * @v: may be empty
 */
void vfio_close(struct vfio *v)
{
	for (unsigned int i = 0; i < v->nr_devices; i++)
		close(v->devices[i]);
	for (unsigned int i = 0; i < v->nr_groups; i++)
		close(v->groups[i]);
	if (v->container >= 0)
		close(v->container);
	free(v->devices);
	free(v->groups);
	free(v->group_names);
	vfio_init(v);
}

static int open_container(struct vfio *v)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		output_error("cannot open /dev/vfio/vfio: %s", strerror(errno));
		return VFMIG_REFUSED;
	}
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
	    ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
		output_error("VFIO lacks type1v2: run modprobe vfio_iommu_type1");
		close(fd);
		return VFMIG_REFUSED;
	}
	v->container = fd;
	return 0;
}

static void device_path(const char *handle, char *path, size_t size)
{
	const char *bus = handle, *name = strchr(handle, '/') + 1;

	snprintf(path, size, "/sys/bus/%.*s/devices/%s", (int)(name - bus - 1), bus, name);
}

/**
 * vfio_driver() - the name of a device's driver
 * @handle: the device
 * @name: set to it, or to "none"
 * @size: of @name; what is longer is cut
 */
void vfio_driver(const char *handle, char *name, size_t size)
{
	char path[256], target[256];
	const char *base;
	ssize_t len;

	device_path(handle, path, sizeof(path) - sizeof("/driver"));
	strcat(path, "/driver");
	len = readlink(path, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	base = strrchr(target, '/');
	snprintf(name, size, "%s", base ? base + 1 : "none");
}

/* The group of a device: the last part of where its iommu_group link leads. */
static int find_group(const char *handle, char *group, size_t size)
{
	char path[256], target[256];
	const char *base;
	ssize_t len;

	device_path(handle, path, sizeof(path) - sizeof("/iommu_group"));
	if (access(path, F_OK)) {
		output_error("%s: no such device", handle);
		return VFMIG_MISSING;
	}
	strcat(path, "/iommu_group");
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0) {
		output_error("%s: no IOMMU group: is the IOMMU on, and a VFIO driver bound?",
			     handle);
		return VFMIG_REFUSED;
	}
	target[len] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) >= size) {
		output_error("%s: the name of its IOMMU group is too long: %s", handle, base);
		return VFMIG_REFUSED;
	}
	strcpy(group, base);
	return 0;
}

static int set_group(struct vfio *v, int fd, const char *handle, const char *name)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status)) {
		output_error("%s: group %s: %s", handle, name, strerror(errno));
		return VFMIG_REFUSED;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		output_error("%s: group %s has devices that are not bound to a VFIO driver",
			     handle, name);
		return VFMIG_REFUSED;
	}
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &v->container)) {
		output_error("%s: cannot put group %s into a container: %s", handle, name,
			     strerror(errno));
		return VFMIG_REFUSED;
	}
	/* possible only once there is a group */
	if (!v->nr_groups && ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)) {
		output_error("%s: cannot set type1v2 IOMMU: %s", handle, strerror(errno));
		return VFMIG_REFUSED;
	}
	return 0;
}

static int get_group(struct vfio *v, const char *handle, int *group)
{
	char name[sizeof(*v->group_names)], path[64];
	int ret, fd;

	ret = find_group(handle, name, sizeof(name));
	if (ret)
		return ret;
	for (unsigned int i = 0; i < v->nr_groups; i++) {
		if (!strcmp(v->group_names[i], name)) {
			*group = v->groups[i];
			return 0;
		}
	}

	snprintf(path, sizeof(path), "/dev/vfio/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		output_error("%s: cannot open %s: %s", handle, path,
			     errno == EBUSY ? "a VM or another process uses it" :
			     errno == ENOENT ? "the device is not bound to a VFIO driver" :
			     strerror(errno));
		return VFMIG_REFUSED;
	}
	ret = set_group(v, fd, handle, name);
	if (ret) {
		close(fd);
		return ret;
	}
	v->groups = model_grow(v->groups, v->nr_groups, sizeof(*v->groups));
	v->group_names = model_grow(v->group_names, v->nr_groups, sizeof(*v->group_names));
	v->groups[v->nr_groups] = fd;
	memcpy(v->group_names[v->nr_groups++], name, sizeof(name));
	*group = fd;
	return 0;
}

/**
 * vfio_open_device() - open one more device
 * @v: the container
 * @handle: the device, checked by parse_handle()
 *
 * Return: 0, or an exit code after it said why.
 */
int vfio_open_device(struct vfio *v, const char *handle)
{
	int ret, fd, group = -1;

	if (v->container < 0) {
		ret = open_container(v);
		if (ret)
			return ret;
	}
	ret = get_group(v, handle, &group);
	if (ret)
		return ret;
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, strchr(handle, '/') + 1);
	if (fd < 0) {
		output_error("%s: cannot open the device: %s", handle, strerror(errno));
		return VFMIG_REFUSED;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	v->devices = model_grow(v->devices, v->nr_devices, sizeof(*v->devices));
	v->devices[v->nr_devices++] = fd;
	return 0;
}

/* struct vfio_device_feature with room for the largest payload used here. */
struct feature {
	uint32_t argsz;
	uint32_t flags;
	uint64_t payload;
};

static int feature(int fd, uint32_t flags, struct feature *f)
{
	f->argsz = sizeof(*f);
	f->flags = flags;
	return ioctl(fd, VFIO_DEVICE_FEATURE, f) < 0 ? -errno : 0;
}

/**
 * vfio_migration_flags() - what the device can do
 * @device_fd: the device
 * @flags: set to VFIO_MIGRATION_* bits
 *
 * Return: 0 or a negative errno, -ENOTTY if the device cannot migrate.
 */
int vfio_migration_flags(int device_fd, uint64_t *flags)
{
	struct feature f = { 0 };
	int ret = feature(device_fd, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION, &f);

	*flags = f.payload;
	return ret;
}

/**
 * vfio_stop_copy_bytes() - how much state the driver expects the device to have
 * @device_fd: the device
 * @bytes: set to it
 *
 * Return: 0 or a negative errno, -ENOTTY if the driver does not say.
 */
int vfio_stop_copy_bytes(int device_fd, uint64_t *bytes)
{
	struct feature f = { 0 };
	int ret = feature(device_fd, VFIO_DEVICE_FEATURE_GET |
			  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &f);

	*bytes = f.payload;
	return ret;
}

/**
 * vfio_get_state() - where the device is
 * @device_fd: the device
 * @state: set to its enum vfio_device_mig_state
 *
 * Return: 0 or a negative errno.
 */
int vfio_get_state(int device_fd, uint32_t *state)
{
	struct vfio_device_feature_mig_state mig = { 0 };
	struct feature f = { 0 };
	int ret = feature(device_fd, VFIO_DEVICE_FEATURE_GET |
			  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &f);

	memcpy(&mig, &f.payload, sizeof(mig));
	*state = mig.device_state;
	return ret;
}

/**
 * vfio_set_state() - move the device
 * @device_fd: the device
 * @state: where to
 * @data_fd: set to the new data file, -1 if there is none
 *
 * Return: 0 or a negative errno.
 */
int vfio_set_state(int device_fd, uint32_t state, int *data_fd)
{
	struct vfio_device_feature_mig_state mig = { .device_state = state, .data_fd = -1 };
	struct feature f = { 0 };
	int ret;

	static_assert(sizeof(mig) == sizeof(f.payload), "payload of a state change");
	static_assert(offsetof(struct feature, payload) ==
		       offsetof(struct vfio_device_feature, data), "place of the payload");
	memcpy(&f.payload, &mig, sizeof(mig));
	ret = feature(device_fd, VFIO_DEVICE_FEATURE_SET |
		      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &f);
	memcpy(&mig, &f.payload, sizeof(mig));
	*data_fd = ret ? -1 : mig.data_fd;
	return ret;
}
