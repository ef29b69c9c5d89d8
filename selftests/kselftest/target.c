// SPDX-License-Identifier: GPL-2.0-only
/* What can map memory for DMA; see target.h */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"
#include "mnl.h"
#include "target.h"

#define NAME	"migmux-test"

/* --- vhost-vdpa ---------------------------------------------------------------------------- */

int vdpa_device(__u8 cmd)
{
	struct nlmsghdr *nlh;
	struct nl nl;
	int ret;

	ret = nl_open_family(&nl, VDPA_GENL_NAME);
	if (ret)
		return ret;
	nlh = nl_begin(&nl, cmd, NLM_F_ACK);
	if (cmd == VDPA_CMD_DEV_NEW)
		mnl_attr_put_strz(nlh, VDPA_ATTR_MGMTDEV_DEV_NAME, "vdpasim_net");
	mnl_attr_put_strz(nlh, VDPA_ATTR_DEV_NAME, NAME);
	ret = nl_call(&nl, NULL, NULL);
	nl_close(&nl);
	return ret;
}

/* Its character device's name is beside it in sysfs. */
int vdpa_open(void)
{
	char path[300];
	struct dirent *d;
	int i, fd = -ENODEV;
	DIR *dir;

	for (i = 0; i < WAIT_MS && fd < 0; i++) {
		dir = opendir("/sys/bus/vdpa/devices/" NAME);
		while (dir && (d = readdir(dir)))
			if (!strncmp(d->d_name, "vhost-vdpa-", 11)) {
				snprintf(path, sizeof(path), "/dev/%s", d->d_name);
				fd = open(path, O_RDWR | O_CLOEXEC);
			}
		if (dir)
			closedir(dir);
		usleep(1000);
	}
	return fd;
}

int vdpa_message(int vdpa, __u8 type, __u64 iova, const void *at, __u64 size)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = iova,
			.size = size,
			.uaddr = (__u64)(unsigned long)at,
			.perm = VHOST_ACCESS_RW,
			.type = type,
		},
	};

	return write(vdpa, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

/* --- all three ------------------------------------------------------------------------------ */

/* With the device that main() leaves alone. */
static int container_open(struct target *t, const char *path)
{
	char addr[SESSION_DEVICES + 1][VFIO_ADDR_MAX];
	char *name = addr[SESSION_DEVICES];

	if (access(path, F_OK))
		return -ENODEV;
	if (devices_names(addr, SESSION_DEVICES + 1) <= SESSION_DEVICES)
		return -ENODEV;
	if (vfio_set_open_in(&t->set, path, 1, &name))
		return -EIO;
	t->fd = t->set.container;
	return 0;
}

static int owned_open(struct target *t)
{
	vdpa_device(VDPA_CMD_DEV_DEL);
	if (vdpa_device(VDPA_CMD_DEV_NEW))
		return -ENODEV;
	t->fd = vdpa_open();
	if (t->fd < 0)
		return t->fd;
	return ioctl(t->fd, VHOST_SET_OWNER) ? -errno : 0;
}

int target_open(struct target *t, enum target_kind kind)
{
	t->kind = kind;
	t->fd = -1;
	switch (kind) {
	case TARGET_TYPE1:
		return container_open(t, "/dev/vfio/vfio");
	case TARGET_IOMMUFD:
		return container_open(t, "/dev/iommu");
	default:
		return owned_open(t);
	}
}

void target_close(struct target *t)
{
	if (t->fd < 0)
		return;
	if (t->kind == TARGET_VDPA)
		close(t->fd);
	else
		vfio_set_close(&t->set);
	t->fd = -1;
}

/* An iommufd that stands in for a container knows its ioctls. */
int target_map(const struct target *t, __u64 iova, const void *at, __u64 size)
{
	if (t->kind == TARGET_VDPA)
		return vdpa_message(t->fd, VHOST_IOTLB_UPDATE, iova, at, size);
	return type1_map(t->fd, iova, at, size);
}

int target_unmap(const struct target *t, __u64 iova, __u64 size)
{
	long ret;

	if (t->kind == TARGET_VDPA)
		return vdpa_message(t->fd, VHOST_IOTLB_INVALIDATE, iova, NULL, size);
	ret = type1_unmap(t->fd, iova, size);
	return ret < 0 ? ret : ret == (long)size ? 0 : -ENOENT;
}
