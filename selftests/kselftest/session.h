/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls of /dev/vfio/migmux, one function each, for the tests. */
#ifndef SELFTEST_SESSION_H
#define SELFTEST_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>
#include <linux/vfio_migmux.h>

#define M_BATCH		VFIO_MIGMUX_MILESTONE_BATCH
#define M_READY		VFIO_MIGMUX_MILESTONE_READY
#define M_QUIESCED	VFIO_MIGMUX_MILESTONE_QUIESCED
#define M_STOPPED	VFIO_MIGMUX_MILESTONE_STOPPED
#define M_SENT		VFIO_MIGMUX_MILESTONE_SENT
#define M_LOADED	VFIO_MIGMUX_MILESTONE_LOADED
#define M_HANDED_OVER	VFIO_MIGMUX_MILESTONE_HANDED_OVER
#define M_FAILED	VFIO_MIGMUX_MILESTONE_FAILED
#define M_ENDED		VFIO_MIGMUX_MILESTONE_ENDED
#define M_PRECOPY	VFIO_MIGMUX_MILESTONE_PRECOPY
#define M_ACKED		VFIO_MIGMUX_MILESTONE_PRECOPY_ACKED
#define M_PEER_READY	VFIO_MIGMUX_MILESTONE_PEER_READY

#define NONBLOCK	VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK

#define NONE		VFIO_MIGMUX_RECOVER_NONE
#define NO_INDEX	VFIO_MIGMUX_INDEX_NONE

#define WAIT_MS		20000	/* more than anything here takes */
#define SESSION_DEVICES	4	/* room for results */
#define DMA_RANGES	64	/* likewise */

/* All of these return 0 or more, or -errno. */
int session_open(void);
int session_call(int fd, unsigned long cmd, void *arg);
struct vfio_migmux_info session_info(int fd);
int session_device_add(int fd, int device_fd, const char *idstr, __u32 instance);
int session_device_add_weighted(int fd, int device_fd, const char *idstr, __u32 instance,
				__u32 weight);
int session_device_remove(int fd, __u32 index);
int session_channel_add(int fd, int sock, __u32 device);
int session_link_attach(int fd, const char *name);
int session_link_attach_shared(int fd, const char *name);
int session_save(int fd, __u32 flags, __u32 recover, __u64 staging);
int session_load(int fd, __u32 flags, __u32 recover, __u64 staging);
int session_load_limited(int fd, __u32 flags, __u32 recover, __u64 staging,
			 __u64 max_queued, __u64 max_spill);
int session_load_payload(int fd, __u32 flags, const char *idstr, const void *payload,
			 __u32 size);
int session_load_buffer(int fd, __u32 flags, const char *idstr, __u32 idx, bool config,
			const void *data, __u32 bytes);
int session_data_fd(int fd, __u32 device, int data_fd, __u32 first_idx);
int session_wait(int fd, __u32 milestones, __u32 timeout_ms);
int session_abort(int fd, __u32 recover);
int session_config_set(int fd, __u32 device, const void *blob, __u32 size);
int session_config_get(int fd, __u32 device, void *blob, __u32 *size);
__u32 session_reached(int fd);
bool session_comes_to_end(int fd);

/* What became of each device. */
struct results {
	__u32 n;
	struct vfio_migmux_device_result dev[SESSION_DEVICES];
};

int session_set_state(int fd, __u32 target, __u32 recover, __u32 flags,
		      __u32 timeout_ms, struct results *results);

struct timeline {
	struct vfio_migmux_timeline t;
	struct vfio_migmux_timeline_device dev[SESSION_DEVICES];
};

int session_timeline(int fd, struct timeline *timeline);

struct precopy {
	struct vfio_migmux_precopy_info i;
	struct vfio_migmux_precopy_device dev[SESSION_DEVICES];
};

int session_precopy_info(int fd, struct precopy *precopy);

/* What the destination has said of itself. */
struct peer_info {
	struct vfio_migmux_peer_info i;
	struct vfio_migmux_peer_device dev[SESSION_DEVICES];
};

int session_peer_info(int fd, struct peer_info *peer);

/* Ranges that are or were to be mapped, and what became of each. */
struct dma {
	struct vfio_migmux_dma_wait w;
	struct vfio_migmux_dma_range range[DMA_RANGES];
};

/* The target's index, or -errno; what is wrong with a range is in there. */
int session_dma_map(int fd, int target_fd, __u32 space, __u64 piece,
		    struct vfio_migmux_dma_range *ranges, __u32 n);
int session_dma_unmap(int fd, __u32 target, struct vfio_migmux_dma_range *ranges, __u32 n);
int session_dma_unmap_all(int fd, __u32 flags);
int session_dma_wait(int fd, __u32 timeout_ms, struct dma *dma);

struct vfio_migmux_last_error session_last_error(int fd);
bool session_says(int fd, int error, const char *words);
bool session_blames(int fd, __u32 device, __u32 channel);

/* Events, as far as there are any: how many fit into @events; waits for the first. */
int session_events(int fd, struct vfio_migmux_event *events, int max);
int session_poll(int fd, short events, int timeout_ms);

#endif /* SELFTEST_SESSION_H */
