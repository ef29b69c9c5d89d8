// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of /dev/vfio/migmux; see session.h */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "session.h"

int session_open(void)
{
	int fd = open("/dev/vfio/migmux", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int session_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

struct vfio_migmux_info session_info(int fd)
{
	struct vfio_migmux_info info = { .argsz = sizeof(info) };

	session_call(fd, VFIO_MIGMUX_GET_INFO, &info);
	return info;
}

/* The index of the new device, or -errno. */
int session_device_add(int fd, int device_fd, const char *idstr, __u32 instance)
{
	return session_device_add_weighted(fd, device_fd, idstr, instance, 0);
}

int session_device_add_weighted(int fd, int device_fd, const char *idstr, __u32 instance,
				__u32 weight)
{
	struct vfio_migmux_device_add add = {
		.argsz = sizeof(add),
		.device_fd = device_fd,
		.instance_id = instance,
		.weight = weight,
	};
	int ret;

	strncpy((char *)add.idstr, idstr, sizeof(add.idstr) - 1);
	ret = session_call(fd, VFIO_MIGMUX_DEVICE_ADD, &add);
	return ret ? ret : (int)add.index;
}

int session_device_remove(int fd, __u32 index)
{
	struct vfio_migmux_device_remove remove = {
		.argsz = sizeof(remove),
		.index = index,
	};

	return session_call(fd, VFIO_MIGMUX_DEVICE_REMOVE, &remove);
}

/* The index of the new channel, or -errno. */
int session_channel_add(int fd, int sock, __u32 device)
{
	struct vfio_migmux_channel_add add = {
		.argsz = sizeof(add),
		.socket_fd = sock,
		.device = device,
	};
	int ret = session_call(fd, VFIO_MIGMUX_CHANNEL_ADD, &add);

	return ret ? ret : (int)add.index;
}

/* The number of channels, or -errno. */
static int link_attach(int fd, __u32 flags, const char *name)
{
	struct vfio_migmux_link_attach attach = {
		.argsz = sizeof(attach),
		.flags = flags,
	};
	int ret;

	/* may fill it without a NUL */
	memcpy(attach.name, name, strnlen(name, sizeof(attach.name)));
	ret = session_call(fd, VFIO_MIGMUX_LINK_ATTACH, &attach);
	return ret ? ret : (int)attach.nr_channels;
}

int session_link_attach(int fd, const char *name)
{
	return link_attach(fd, 0, name);
}

int session_link_attach_shared(int fd, const char *name)
{
	return link_attach(fd, VFIO_MIGMUX_LINK_ATTACH_SHARED, name);
}

int session_save(int fd, __u32 flags, __u32 recover, __u64 staging)
{
	struct vfio_migmux_save save = {
		.argsz = sizeof(save),
		.flags = flags,
		.recover = recover,
		.staging = staging,
	};

	return session_call(fd, VFIO_MIGMUX_SAVE, &save);
}

int session_load(int fd, __u32 flags, __u32 recover, __u64 staging)
{
	return session_load_limited(fd, flags, recover, staging, 0, 0);
}

int session_load_limited(int fd, __u32 flags, __u32 recover, __u64 staging,
			 __u64 max_queued, __u64 max_spill)
{
	struct vfio_migmux_load load = {
		.argsz = sizeof(load),
		.flags = flags,
		.recover = recover,
		.staging = staging,
		.max_queued = max_queued,
		.max_spill = max_spill,
	};

	return session_call(fd, VFIO_MIGMUX_LOAD, &load);
}

static int wait_for(int fd, __u32 milestones, __u32 timeout_ms, __u32 *reached)
{
	struct vfio_migmux_wait wait = {
		.argsz = sizeof(wait),
		.milestones = milestones,
		.timeout_ms = timeout_ms,
	};
	int ret = session_call(fd, VFIO_MIGMUX_WAIT, &wait);

	*reached = wait.reached;
	return ret;
}

int session_wait(int fd, __u32 milestones, __u32 timeout_ms)
{
	__u32 reached;

	return wait_for(fd, milestones, timeout_ms, &reached);
}

__u32 session_reached(int fd)
{
	__u32 reached = 0;

	wait_for(fd, M_ENDED, 0, &reached);
	return reached;
}

/* Handed over, or failed and ended: one of them within WAIT_MS. */
bool session_comes_to_end(int fd)
{
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (session_reached(fd) & (M_HANDED_OVER | M_ENDED))
			return true;
		usleep(1000);
	}
	printf("# it has reached %#x, and no end\n", session_reached(fd));
	return false;
}

int session_abort(int fd, __u32 recover)
{
	struct vfio_migmux_abort abort = {
		.argsz = sizeof(abort),
		.recover = recover,
	};

	return session_call(fd, VFIO_MIGMUX_ABORT, &abort);
}

/* Payload header and data, as they are on the wire. */
int session_load_payload(int fd, __u32 flags, const char *idstr, const void *payload,
			 __u32 size)
{
	struct vfio_migmux_load_buffer load = {
		.argsz = sizeof(load),
		.flags = flags,
		.size = size,
		.payload = (__u64)(unsigned long)payload,
	};

	strncpy((char *)load.idstr, idstr, sizeof(load.idstr) - 1);
	return session_call(fd, VFIO_MIGMUX_LOAD_BUFFER, &load);
}

int session_load_buffer(int fd, __u32 flags, const char *idstr, __u32 idx, bool config,
			const void *data, __u32 bytes)
{
	__u32 *payload = malloc(12 + bytes);
	int ret;

	if (!payload)
		return -ENOMEM;
	payload[0] = 0;
	payload[1] = __builtin_bswap32(idx);
	payload[2] = __builtin_bswap32(config);
	if (bytes)
		memcpy(&payload[3], data, bytes);
	ret = session_load_payload(fd, flags, idstr, payload, 12 + bytes);
	free(payload);
	return ret;
}

int session_data_fd(int fd, __u32 device, int data_fd, __u32 first_idx)
{
	struct vfio_migmux_data_fd data = {
		.argsz = sizeof(data),
		.device = device,
		.data_fd = data_fd,
		.first_idx = first_idx,
	};

	return session_call(fd, VFIO_MIGMUX_DATA_FD, &data);
}

int session_config_set(int fd, __u32 device, const void *blob, __u32 size)
{
	struct vfio_migmux_config config = {
		.argsz = sizeof(config),
		.device = device,
		.size = size,
		.data = (__u64)(unsigned long)blob,
	};

	return session_call(fd, VFIO_MIGMUX_CONFIG_SET, &config);
}

int session_config_get(int fd, __u32 device, void *blob, __u32 *size)
{
	struct vfio_migmux_config config = {
		.argsz = sizeof(config),
		.device = device,
		.size = *size,
		.data = (__u64)(unsigned long)blob,
	};
	int ret = session_call(fd, VFIO_MIGMUX_CONFIG_GET, &config);

	*size = config.size;
	return ret;
}

int session_set_state(int fd, __u32 target, __u32 recover, __u32 flags,
		      __u32 timeout_ms, struct results *results)
{
	struct vfio_migmux_set_state set = {
		.argsz = sizeof(set),
		.flags = flags,
		.target = target,
		.recover = recover,
		.timeout_ms = timeout_ms,
	};
	int ret;

	if (results) {
		memset(results, 0xee, sizeof(*results));
		set.nr_results = SESSION_DEVICES;
		set.results = (__u64)(unsigned long)results->dev;
	}
	ret = session_call(fd, VFIO_MIGMUX_SET_STATE, &set);
	if (results)
		results->n = set.nr_results;
	return ret;
}

int session_timeline(int fd, struct timeline *timeline)
{
	struct vfio_migmux_timeline *t = &timeline->t;

	memset(timeline, 0xee, sizeof(*timeline));
	t->argsz = sizeof(*t);
	t->flags = 0;
	t->device_size = sizeof(timeline->dev[0]);
	t->nr_devices = SESSION_DEVICES;
	t->devices = (__u64)(unsigned long)timeline->dev;
	return session_call(fd, VFIO_MIGMUX_TIMELINE, t);
}

int session_precopy_info(int fd, struct precopy *precopy)
{
	struct vfio_migmux_precopy_info *i = &precopy->i;

	memset(precopy, 0xee, sizeof(*precopy));
	i->argsz = sizeof(*i);
	i->flags = 0;
	i->device_size = sizeof(precopy->dev[0]);
	i->nr_devices = SESSION_DEVICES;
	i->devices = (__u64)(unsigned long)precopy->dev;
	return session_call(fd, VFIO_MIGMUX_PRECOPY_INFO, i);
}

int session_peer_info(int fd, struct peer_info *peer)
{
	struct vfio_migmux_peer_info *i = &peer->i;

	memset(peer, 0xee, sizeof(*peer));
	i->argsz = sizeof(*i);
	i->flags = 0;
	i->reserved = 0;
	i->device_size = sizeof(peer->dev[0]);
	i->nr_devices = SESSION_DEVICES;
	i->devices = (__u64)(unsigned long)peer->dev;
	return session_call(fd, VFIO_MIGMUX_PEER_INFO, i);
}

int session_dma_map(int fd, int target_fd, __u32 space, __u64 piece,
		    struct vfio_migmux_dma_range *ranges, __u32 n)
{
	struct vfio_migmux_dma_map map = {
		.argsz = sizeof(map),
		.target_fd = target_fd,
		.space = space,
		.piece = piece,
		.range_size = sizeof(*ranges),
		.nr_ranges = n,
		.ranges = (__u64)(unsigned long)ranges,
	};
	int ret = session_call(fd, VFIO_MIGMUX_DMA_MAP, &map);

	return ret ? ret : (int)map.target;
}

int session_dma_unmap(int fd, __u32 target, struct vfio_migmux_dma_range *ranges, __u32 n)
{
	struct vfio_migmux_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.target = target,
		.range_size = sizeof(*ranges),
		.nr_ranges = n,
		.ranges = (__u64)(unsigned long)ranges,
	};

	return session_call(fd, VFIO_MIGMUX_DMA_UNMAP, &unmap);
}

int session_dma_unmap_all(int fd, __u32 flags)
{
	struct vfio_migmux_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = flags,
		.target = NO_INDEX,
	};

	return session_call(fd, VFIO_MIGMUX_DMA_UNMAP, &unmap);
}

int session_dma_wait(int fd, __u32 timeout_ms, struct dma *dma)
{
	struct vfio_migmux_dma_wait *w = &dma->w;

	memset(dma, 0xee, sizeof(*dma));
	w->argsz = sizeof(*w);
	w->flags = 0;
	w->timeout_ms = timeout_ms;
	w->range_size = sizeof(dma->range[0]);
	w->nr_ranges = DMA_RANGES;
	w->ranges = (__u64)(unsigned long)dma->range;
	return session_call(fd, VFIO_MIGMUX_DMA_WAIT, w);
}

struct vfio_migmux_last_error session_last_error(int fd)
{
	struct vfio_migmux_last_error last = { .argsz = sizeof(last) };

	if (session_call(fd, VFIO_MIGMUX_LAST_ERROR, &last))
		last.error = -1;
	return last;
}

/* Is that the session's last error, and does its text have the words? */
bool session_says(int fd, int error, const char *words)
{
	struct vfio_migmux_last_error last = session_last_error(fd);

	if (last.error == error && strstr((char *)last.text, words))
		return true;
	printf("# wanted error %d '%s', got %d '%s'\n", error, words,
	       last.error, last.text);
	return false;
}

/* Is the session's last error about that device and that channel? */
bool session_blames(int fd, __u32 device, __u32 channel)
{
	struct vfio_migmux_last_error last = session_last_error(fd);

	if (last.device == device && last.channel == channel)
		return true;
	printf("# wanted device %d, channel %d, got %d, %d: '%s'\n", (int)device,
	       (int)channel, (int)last.device, (int)last.channel, last.text);
	return false;
}

int session_events(int fd, struct vfio_migmux_event *events, int max)
{
	ssize_t n = read(fd, events, max * sizeof(*events));

	return n < 0 ? -errno : (int)(n / (ssize_t)sizeof(*events));
}

/* revents, 0 when the time is over */
int session_poll(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = poll(&pfd, 1, timeout_ms);

	return ret < 0 ? -errno : pfd.revents;
}
