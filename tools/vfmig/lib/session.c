// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a session, one function each.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libvfmig.h"

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

int vfmig_open(void)
{
	int fd = open("/dev/vfio/migmux", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int vfmig_get_info(int fd, struct vfio_migmux_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	return call(fd, VFIO_MIGMUX_GET_INFO, info);
}

int vfmig_device_add(int fd, int device_fd, const char *idstr,
		     uint32_t instance_id, uint32_t *index,
		     uint32_t *migration_flags)
{
	return vfmig_device_add_weighted(fd, device_fd, idstr, instance_id, 0, index,
					 migration_flags);
}

int vfmig_device_add_weighted(int fd, int device_fd, const char *idstr,
			      uint32_t instance_id, uint32_t weight, uint32_t *index,
			      uint32_t *migration_flags)
{
	struct vfio_migmux_device_add arg = {
		.argsz = sizeof(arg),
		.device_fd = device_fd,
		.instance_id = instance_id,
		.weight = weight,
	};
	size_t len = strlen(idstr);
	int ret;

	if (len >= sizeof(arg.idstr))
		return -ENAMETOOLONG;
	memcpy(arg.idstr, idstr, len);
	ret = call(fd, VFIO_MIGMUX_DEVICE_ADD, &arg);
	if (ret)
		return ret;
	if (index)
		*index = arg.index;
	if (migration_flags)
		*migration_flags = arg.migration_flags;
	return 0;
}

int vfmig_device_remove(int fd, uint32_t index)
{
	struct vfio_migmux_device_remove arg = {
		.argsz = sizeof(arg),
		.index = index,
	};

	return call(fd, VFIO_MIGMUX_DEVICE_REMOVE, &arg);
}

int vfmig_channel_add(int fd, int socket_fd, uint32_t device, uint32_t *index)
{
	struct vfio_migmux_channel_add arg = {
		.argsz = sizeof(arg),
		.socket_fd = socket_fd,
		.device = device,
	};
	int ret = call(fd, VFIO_MIGMUX_CHANNEL_ADD, &arg);

	if (!ret && index)
		*index = arg.index;
	return ret;
}

static int link_attach(int fd, uint32_t flags, const char *name, uint32_t *nr_channels)
{
	struct vfio_migmux_link_attach arg = { .argsz = sizeof(arg), .flags = flags };
	size_t len = strlen(name);
	int ret;

	if (len >= sizeof(arg.name))
		return -ENAMETOOLONG;
	memcpy(arg.name, name, len);
	ret = call(fd, VFIO_MIGMUX_LINK_ATTACH, &arg);
	if (!ret && nr_channels)
		*nr_channels = arg.nr_channels;
	return ret;
}

int vfmig_link_attach(int fd, const char *name, uint32_t *nr_channels)
{
	return link_attach(fd, 0, name, nr_channels);
}

int vfmig_link_attach_shared(int fd, const char *name, uint32_t *nr_channels)
{
	return link_attach(fd, VFIO_MIGMUX_LINK_ATTACH_SHARED, name, nr_channels);
}

int vfmig_set_state(int fd, uint32_t flags, uint32_t target, uint32_t recover,
		    uint32_t timeout_ms,
		    struct vfio_migmux_device_result *results,
		    uint32_t *nr_results)
{
	struct vfio_migmux_set_state arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.target = target,
		.recover = recover,
		.timeout_ms = timeout_ms,
		.nr_results = results && nr_results ? *nr_results : 0,
		.results = (uintptr_t)results,
	};
	int ret = call(fd, VFIO_MIGMUX_SET_STATE, &arg);

	if (results && nr_results)
		*nr_results = arg.nr_results;
	return ret;
}

int vfmig_save(int fd, uint32_t flags, uint32_t recover, uint32_t timeout_ms,
	       uint64_t staging)
{
	struct vfio_migmux_save arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.recover = recover,
		.timeout_ms = timeout_ms,
		.staging = staging,
	};

	return call(fd, VFIO_MIGMUX_SAVE, &arg);
}

int vfmig_precopy_info(int fd, struct vfio_migmux_precopy_info *info,
		       struct vfio_migmux_precopy_device *devices, uint32_t nr)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->device_size = sizeof(*devices);
	info->nr_devices = nr;
	info->devices = (uintptr_t)devices;
	return call(fd, VFIO_MIGMUX_PRECOPY_INFO, info);
}

int vfmig_peer_info(int fd, struct vfio_migmux_peer_info *info,
		    struct vfio_migmux_peer_device *devices, uint32_t nr)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->device_size = sizeof(*devices);
	info->nr_devices = nr;
	info->devices = (uintptr_t)devices;
	return call(fd, VFIO_MIGMUX_PEER_INFO, info);
}

int vfmig_load(int fd, uint32_t flags, uint32_t recover, uint32_t timeout_ms,
	       uint64_t staging)
{
	const struct vfmig_load_limits limits = { .staging = staging };

	return vfmig_load_limited(fd, flags, recover, timeout_ms, &limits);
}

int vfmig_load_limited(int fd, uint32_t flags, uint32_t recover, uint32_t timeout_ms,
		       const struct vfmig_load_limits *limits)
{
	struct vfio_migmux_load arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.recover = recover,
		.timeout_ms = timeout_ms,
		.staging = limits->staging,
		.max_queued = limits->max_queued,
		.max_spill = limits->max_spill,
		.max_state = limits->max_state,
	};

	return call(fd, VFIO_MIGMUX_LOAD, &arg);
}

int vfmig_load_buffer(int fd, uint32_t flags, const void *idstr,
		      uint32_t instance_id, const void *payload, uint32_t size)
{
	struct vfio_migmux_load_buffer arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.instance_id = instance_id,
		.size = size,
		.payload = (uintptr_t)payload,
	};

	memcpy(arg.idstr, idstr, sizeof(arg.idstr));
	return call(fd, VFIO_MIGMUX_LOAD_BUFFER, &arg);
}

int vfmig_data_fd(int fd, uint32_t device, int data_fd, uint32_t first_idx)
{
	struct vfio_migmux_data_fd arg = {
		.argsz = sizeof(arg),
		.device = device,
		.data_fd = data_fd,
		.first_idx = first_idx,
	};

	return call(fd, VFIO_MIGMUX_DATA_FD, &arg);
}

int vfmig_config_set(int fd, uint32_t device, const void *data, uint32_t size)
{
	struct vfio_migmux_config arg = {
		.argsz = sizeof(arg),
		.device = device,
		.size = size,
		.data = (uintptr_t)data,
	};

	return call(fd, VFIO_MIGMUX_CONFIG_SET, &arg);
}

int vfmig_config_get(int fd, uint32_t device, void *data, uint32_t *size)
{
	struct vfio_migmux_config arg = {
		.argsz = sizeof(arg),
		.device = device,
		.size = *size,
		.data = (uintptr_t)data,
	};
	int ret = call(fd, VFIO_MIGMUX_CONFIG_GET, &arg);

	if (!ret || ret == -ENOSPC)
		*size = arg.size;
	return ret;
}

int vfmig_wait(int fd, uint32_t milestones, uint32_t timeout_ms,
	       uint32_t *reached)
{
	struct vfio_migmux_wait arg = {
		.argsz = sizeof(arg),
		.milestones = milestones,
		.timeout_ms = timeout_ms,
	};
	int ret = call(fd, VFIO_MIGMUX_WAIT, &arg);

	if (reached)
		*reached = arg.reached;
	return ret;
}

int vfmig_abort(int fd, uint32_t recover)
{
	struct vfio_migmux_abort arg = {
		.argsz = sizeof(arg),
		.recover = recover,
	};

	return call(fd, VFIO_MIGMUX_ABORT, &arg);
}

int vfmig_timeline(int fd, struct vfio_migmux_timeline *timeline,
		   struct vfio_migmux_timeline_device *devices, uint32_t nr)
{
	memset(timeline, 0, sizeof(*timeline));
	timeline->argsz = sizeof(*timeline);
	timeline->device_size = sizeof(*devices);
	timeline->nr_devices = nr;
	timeline->devices = (uintptr_t)devices;
	return call(fd, VFIO_MIGMUX_TIMELINE, timeline);
}

int vfmig_last_error(int fd, struct vfio_migmux_last_error *error)
{
	int ret;

	memset(error, 0, sizeof(*error));
	error->argsz = sizeof(*error);
	ret = call(fd, VFIO_MIGMUX_LAST_ERROR, error);
	/* a string for the caller whatever the kernel wrote */
	error->text[sizeof(error->text) - 1] = '\0';
	return ret;
}

int vfmig_read_events(int fd, struct vfio_migmux_event *events, uint32_t nr)
{
	struct vfio_migmux_event event;
	char *raw = (char *)events;
	ssize_t len;
	int i = 0;

	len = read(fd, events, nr * sizeof(*events));
	if (len < 0)
		return -errno;
	/*
	 * A later kernel's events may be longer than ours: move each one's
	 * known part down. The target never passes the source.
	 */
	for (ssize_t pos = 0; pos + (ssize_t)sizeof(event) <= len; pos += event.size) {
		memcpy(&event, raw + pos, sizeof(event));
		if (event.size < sizeof(event))
			return -EPROTO;
		events[i++] = event;
	}
	return i;
}
