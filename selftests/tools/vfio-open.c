// SPDX-License-Identifier: GPL-2.0-only
/* Open VFIO devices by PCI address; see vfio-open.h */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vfio-open.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int fail(const char *addr, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", addr, what, strerror(errno));
	return -1;
}

static int group_open(const char *addr)
{
	char link[128], target[256], path[320];
	const char *group;
	ssize_t len;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group",
		 addr);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return fail(addr, link);
	target[len] = '\0';
	group = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%s",
		 group ? group + 1 : target);
	len = open(path, O_RDWR | O_CLOEXEC);
	if (len < 0)
		return fail(addr, path);
	return len;
}

static int group_attach(struct vfio_set *set, const struct vfio_dev *dev)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(dev->group_fd, VFIO_GROUP_GET_STATUS, &status))
		return fail(dev->addr, "VFIO_GROUP_GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errno = EBUSY;
		return fail(dev->addr, "other devices of its IOMMU group are in use by the host");
	}
	if (ioctl(dev->group_fd, VFIO_GROUP_SET_CONTAINER, &set->container))
		return fail(dev->addr, "VFIO_GROUP_SET_CONTAINER");
	/* the type of a container can be set once it has a group */
	if (!set->n &&
	    ioctl(set->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return fail(dev->addr, "VFIO_SET_IOMMU");
	return 0;
}

static int feature(int fd, __u32 flags, void *data, size_t size)
{
	union {
		struct vfio_device_feature head;
		__u64 align[8];
	} buf = {};
	int ret;

	if (sizeof(buf.head) + size > sizeof(buf)) {
		errno = EINVAL;
		return -1;
	}
	buf.head.argsz = sizeof(buf.head) + size;
	buf.head.flags = flags;
	memcpy(buf.head.data, data, size);
	ret = ioctl(fd, VFIO_DEVICE_FEATURE, &buf);
	memcpy(data, buf.head.data, size);
	return ret < 0 ? -1 : 0;
}

static int device_open(struct vfio_set *set, struct vfio_dev *dev)
{
	struct vfio_device_feature_migration mig = {};

	dev->group_fd = group_open(dev->addr);
	if (dev->group_fd < 0)
		return -1;
	if (group_attach(set, dev))
		goto err_group;
	dev->fd = ioctl(dev->group_fd, VFIO_GROUP_GET_DEVICE_FD, dev->addr);
	if (dev->fd < 0) {
		fail(dev->addr, "VFIO_GROUP_GET_DEVICE_FD");
		goto err_group;
	}
	if (!feature(dev->fd,
		     VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
		     &mig, sizeof(mig)))
		dev->migration_flags = mig.flags;
	return 0;

err_group:
	close(dev->group_fd);
	return -1;
}

int vfio_set_open(struct vfio_set *set, int n, char *const names[])
{
	return vfio_set_open_in(set, "/dev/vfio/vfio", n, names);
}

int vfio_set_open_in(struct vfio_set *set, const char *container, int n, char *const names[])
{
	int i;

	memset(set, 0, sizeof(*set));
	if (n > VFIO_OPEN_MAX) {
		fprintf(stderr, "at most %d devices\n", VFIO_OPEN_MAX);
		return -1;
	}
	set->container = open(container, O_RDWR | O_CLOEXEC);
	if (set->container < 0)
		return fail(container, "open");

	for (i = 0; i < n; i++) {
		struct vfio_dev *dev = &set->dev[i];
		const char *addr = names[i];

		if (!strncmp(addr, "pci/", 4))
			addr += 4;
		if (strlen(addr) >= sizeof(dev->addr)) {
			fprintf(stderr, "%s: no PCI address\n", names[i]);
			goto err_close;
		}
		memcpy(dev->addr, addr, strlen(addr) + 1);
		if (device_open(set, dev))
			goto err_close;
		set->n++;
	}
	return 0;

err_close:
	vfio_set_close(set);
	return -1;
}

void vfio_set_close(struct vfio_set *set)
{
	while (set->n) {
		set->n--;
		close(set->dev[set->n].fd);
		close(set->dev[set->n].group_fd);
	}
	close(set->container);
	set->container = -1;
}

static void exec_child(const struct vfio_set *set, const char *command)
{
	char env[VFIO_OPEN_MAX * 48] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < set->n; i++) {
		const struct vfio_dev *dev = &set->dev[i];

		/* VFIO opens devices close-on-exec */
		if (fcntl(dev->fd, F_SETFD, 0))
			_exit(126);
		len += snprintf(env + len, sizeof(env) - len, "%spci/%s=%d",
				i ? " " : "", dev->addr, dev->fd);
	}
	setenv("VFMIG_DEVICES", env, 1);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

int vfio_set_exec(const struct vfio_set *set, const char *command)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		exec_child(set, command);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("exec");
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int vfio_state_set(int fd, unsigned int state, int *data_fd)
{
	struct vfio_device_feature_mig_state mig = {
		.device_state = state,
		.data_fd = -1,
	};

	if (feature(fd, VFIO_DEVICE_FEATURE_SET |
		    VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig, sizeof(mig)))
		return -1;
	if (data_fd)
		*data_fd = mig.data_fd;
	else if (mig.data_fd >= 0)
		close(mig.data_fd);
	return 0;
}

int vfio_state_get(int fd)
{
	struct vfio_device_feature_mig_state mig = {};

	if (feature(fd, VFIO_DEVICE_FEATURE_GET |
		    VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig, sizeof(mig)))
		return -1;
	return mig.device_state;
}

int vfio_data_size(int fd, __u64 *size)
{
	__aligned_u64 stop_copy_length = 0;

	if (feature(fd, VFIO_DEVICE_FEATURE_GET | VFIO_FEATURE_MIG_DATA_SIZE,
		    &stop_copy_length, sizeof(stop_copy_length)))
		return -1;
	*size = stop_copy_length;
	return 0;
}

const char *vfio_state_name(unsigned int state)
{
	static const char *const names[] = {
		"ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING",
		"RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "?";
}
