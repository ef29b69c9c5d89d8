/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libvfmig: the ioctls of /dev/vfio/migmux as C functions, for VMMs.
 */
#ifndef LIBVFMIG_H
#define LIBVFMIG_H

#include <stdint.h>

#include <linux/vfio_migmux.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: Rules for all functions
 *
 * A session is a file descriptor; there is no other state. The library starts no
 * thread, prints nothing and allocates nothing, so every function may be called
 * from any thread; what two threads may do to one session at the same time is up
 * to the kernel, which answers -EBUSY where steps exclude each other.
 *
 * Functions return 0 or a negative errno, those with a result in the return value
 * say so. Each is one system call and blocks as long as that does: only
 * vfmig_set_state(), vfmig_load(), vfmig_wait(), vfmig_abort(), vfmig_read_events(),
 * vfmig_dma_unmap(), vfmig_dma_cancel(), vfmig_dma_wait()
 * and closing the descriptor can take longer than a moment. They are not restarted
 * after a signal: -EINTR comes to the caller.
 *
 * Pointers to results may be NULL where the caller does not want the result.
 * Results are written only on success unless said otherwise.
 *
 * Opening the device file is the only permission that is checked (mode 0600). A
 * session then belongs to the process that made its first call other than
 * vfmig_get_info() and vfmig_last_error(); others get -EPERM.
 *
 * linux/vfio_migmux.h has the errors of each call and what the fields mean. All
 * times are nanoseconds of CLOCK_MONOTONIC.
 */

#if defined(__GNUC__)
#define VFMIG_API __attribute__((visibility("default")))
#else
#define VFMIG_API
#endif

/**
 * vfmig_open() - open a new, empty session
 *
 * Close it with close(): that aborts what it does and leaves devices as the
 * recover state of the running step says.
 *
 * Return: a file descriptor (close-on-exec), -ENOENT or -ENODEV if the module
 * is not loaded, -EACCES.
 */
VFMIG_API int vfmig_open(void);

/**
 * vfmig_get_info() - version, limits and features of the module
 * @fd: session
 * @info: filled in; fields that an older kernel does not know are 0
 */
VFMIG_API int vfmig_get_info(int fd, struct vfio_migmux_info *info);

/**
 * vfmig_device_add() - put a VFIO device into the session
 * @fd: session
 * @device_fd: VFIO device descriptor of the caller, not a group's; may be closed
 *	afterwards
 * @idstr: identity on the wire, 1 to 255 printable characters
 * @instance_id: second half of the identity, usually 0
 * @index: the device's number in this session
 * @migration_flags: VFIO_MIGRATION_* that the device supports
 *
 * Return: 0; -ENAMETOOLONG if @idstr is too long; else as the ioctl.
 */
VFMIG_API int vfmig_device_add(int fd, int device_fd, const char *idstr,
			       uint32_t instance_id, uint32_t *index,
			       uint32_t *migration_flags);

/**
 * vfmig_device_add_weighted() - the same, with a weight
 * @fd: session
 * @device_fd: as for vfmig_device_add()
 * @idstr: as for vfmig_device_add()
 * @instance_id: as for vfmig_device_add()
 * @weight: 1 to 1000: the device's part of the channels and of the memory, in relation
 *	to the other devices'; 1 is that of a device without one
 * @index: as for vfmig_device_add()
 * @migration_flags: as for vfmig_device_add()
 *
 * Return: as vfmig_device_add().
 */
VFMIG_API int vfmig_device_add_weighted(int fd, int device_fd, const char *idstr,
					uint32_t instance_id, uint32_t weight,
					uint32_t *index, uint32_t *migration_flags);

/**
 * vfmig_device_remove() - take a device and its channels out of the session
 * @fd: session
 * @index: the device; its number is not used again
 */
VFMIG_API int vfmig_device_remove(int fd, uint32_t index);

/**
 * vfmig_channel_add() - hand a connected stream socket to the session
 * @fd: session
 * @socket_fd: the socket; may be closed afterwards, must not be used any more
 * @device: the device whose frames go there; 0 on a destination;
 *	VFIO_MIGMUX_INDEX_NONE if all devices share it, on both ends
 * @index: the channel's number in this session
 */
VFMIG_API int vfmig_channel_add(int fd, int socket_fd, uint32_t device,
				uint32_t *index);

/**
 * vfmig_link_attach() - take all channels of a link made by "vfmig link"
 * @fd: session that has its devices already
 * @name: the link, in the caller's network namespace
 * @nr_channels: how many channels it brought
 *
 * Return: 0; -ENAMETOOLONG if @name is too long; else as the ioctl.
 */
VFMIG_API int vfmig_link_attach(int fd, const char *name, uint32_t *nr_channels);

/**
 * vfmig_link_attach_shared() - the same, and all devices share all of its channels
 * @fd: session that has its devices already
 * @name: the link, in the caller's network namespace
 * @nr_channels: how many channels it brought
 *
 * For a link that has fewer channels than there are devices. Both ends must do so.
 *
 * Return: as vfmig_link_attach().
 */
VFMIG_API int vfmig_link_attach_shared(int fd, const char *name, uint32_t *nr_channels);

/**
 * vfmig_set_state() - move all devices to a state in parallel
 * @fd: session
 * @flags: VFIO_MIGMUX_SET_STATE_*
 * @target: enum vfio_device_mig_state
 * @recover: state to go back to if a device fails, or VFIO_MIGMUX_RECOVER_NONE
 * @timeout_ms: no arc is begun after this time; 0 is no limit
 * @results: array for what became of each device, or NULL
 * @nr_results: in: room in @results; out: devices in the session. NULL without
 *	@results
 *
 * Blocks until all devices have arrived or are back, unless
 * VFIO_MIGMUX_SET_STATE_ASYNC is given. @results is filled in after a failure, too,
 * once the batch has begun; a refused call leaves it alone, so zero it before.
 */
VFMIG_API int vfmig_set_state(int fd, uint32_t flags, uint32_t target,
			      uint32_t recover, uint32_t timeout_ms,
			      struct vfio_migmux_device_result *results,
			      uint32_t *nr_results);

/**
 * vfmig_save() - source: begin pre-copy, or the switchover
 * @fd: session
 * @flags: VFIO_MIGMUX_SAVE_*
 * @recover: state after a failure, usually VFIO_DEVICE_STATE_RUNNING
 * @timeout_ms: for the arcs; 0 is no limit
 * @staging: budget in bytes; 0 is the default
 *
 * Returns when the movers run. Wait for milestones afterwards. With
 * VFIO_MIGMUX_SAVE_PRECOPY the devices go on running; a second call without that
 * flag, and with 0 for @staging, is the switchover. With VFIO_MIGMUX_SAVE_READY nothing
 * moves, and the destination is asked; see vfmig_peer_info().
 */
VFMIG_API int vfmig_save(int fd, uint32_t flags, uint32_t recover,
			 uint32_t timeout_ms, uint64_t staging);

/**
 * vfmig_peer_info() - source: what the destination has said of itself
 * @fd: session, after VFIO_MIGMUX_MILESTONE_PEER_READY
 * @info: filled in; its nr_devices says how many devices the destination has
 * @devices: array, or NULL with @nr 0
 * @nr: room in @devices
 *
 * Return: 0; -ENODATA before that milestone.
 */
VFMIG_API int vfmig_peer_info(int fd, struct vfio_migmux_peer_info *info,
			      struct vfio_migmux_peer_device *devices, uint32_t nr);

/**
 * vfmig_precopy_info() - source, in pre-copy: what is left to be sent
 * @fd: session
 * @info: filled in; its nr_devices says how many devices the session has
 * @devices: array, or NULL with @nr 0
 * @nr: room in @devices
 *
 * Asks the devices' drivers, which may take long: once a round is enough.
 */
VFMIG_API int vfmig_precopy_info(int fd, struct vfio_migmux_precopy_info *info,
				 struct vfio_migmux_precopy_device *devices,
				 uint32_t nr);

/**
 * vfmig_load() - destination: devices to RESUMING, begin to receive
 * @fd: session
 * @flags: VFIO_MIGMUX_LOAD_*
 * @recover: state after a failure, or VFIO_MIGMUX_RECOVER_NONE
 * @timeout_ms: for the arcs; 0 is no limit
 * @staging: budget in bytes; 0 is the default
 *
 * Blocks until all devices are in RESUMING.
 */
VFMIG_API int vfmig_load(int fd, uint32_t flags, uint32_t recover,
			 uint32_t timeout_ms, uint64_t staging);

/**
 * struct vfmig_load_limits - what vfmig_load_limited() may keep in memory
 * @staging: budget in bytes; 0 is the default
 * @max_queued: bytes of it for each device; 0 is all
 * @max_spill: bytes beyond it, with shared channels only; 0 is as much as @staging,
 *	VFIO_MIGMUX_NO_SPILL none
 * @max_state: bytes of state that are taken of a device; 0 is any
 */
struct vfmig_load_limits {
	uint64_t staging;
	uint64_t max_queued;
	uint64_t max_spill;
	uint64_t max_state;
};

/**
 * vfmig_load_limited() - vfmig_load() with more limits
 * @fd: session
 * @flags: as for vfmig_load()
 * @recover: as for vfmig_load()
 * @timeout_ms: as for vfmig_load()
 * @limits: see struct vfio_migmux_load
 */
VFMIG_API int vfmig_load_limited(int fd, uint32_t flags, uint32_t recover, uint32_t timeout_ms,
				 const struct vfmig_load_limits *limits);

/**
 * vfmig_load_buffer() - destination: hand in a frame that the VMM received
 * @fd: session, loading with VFIO_MIGMUX_LOAD_BUFFERS
 * @flags: VFIO_MIGMUX_LOAD_BUFFER_*
 * @idstr: VFIO_MIGMUX_IDSTR_SIZE bytes, as in the frame's header
 * @instance_id: likewise
 * @payload: what follows that header
 * @size: its bytes
 *
 * Blocks until there is memory for the frame, unless
 * VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK is given.
 *
 * Return: 0; -EAGAIN, -EINTR: not taken, hand it in again; -EPROTO: the frame is
 * wrong, and the session has failed; -ECANCELED: it had failed.
 */
VFMIG_API int vfmig_load_buffer(int fd, uint32_t flags, const void *idstr,
				uint32_t instance_id, const void *payload,
				uint32_t size);

/**
 * vfmig_data_fd() - give the session a device's data file
 * @fd: session that neither saves nor loads yet
 * @device: its index; in STOP_COPY or RESUMING
 * @data_fd: what VFIO returned for that move
 * @first_idx: idx of the session's first frame, usually 0
 *
 * vfmig_save() or vfmig_load() then make no arcs.
 */
VFMIG_API int vfmig_data_fd(int fd, uint32_t device, int data_fd,
			    uint32_t first_idx);

/**
 * vfmig_config_set() - source: set the VMM's opaque blob of a device
 * @fd: session
 * @device: its index
 * @data: the blob, copied
 * @size: its bytes; 0 removes it
 */
VFMIG_API int vfmig_config_set(int fd, uint32_t device, const void *data,
			       uint32_t size);

/**
 * vfmig_config_get() - destination: get the blob that came for a device
 * @fd: session
 * @device: its index
 * @data: buffer
 * @size: in: room; out: size of the blob, also when -ENOSPC is returned
 */
VFMIG_API int vfmig_config_get(int fd, uint32_t device, void *data,
			       uint32_t *size);

/**
 * vfmig_wait() - wait for milestones
 * @fd: session
 * @milestones: VFIO_MIGMUX_MILESTONE_* bits; all are waited for
 * @timeout_ms: 0 asks without waiting, UINT32_MAX waits without limit
 * @reached: all milestones reached so far; valid after a failure, too
 *
 * Return: 0; -ETIMEDOUT; -ECANCELED if the session failed, see
 * vfmig_last_error(); -EINTR.
 */
VFMIG_API int vfmig_wait(int fd, uint32_t milestones, uint32_t timeout_ms,
			 uint32_t *reached);

/**
 * vfmig_dma_map() - map memory for devices while the VM still runs on the source
 * @fd: session
 * @target_fd: VFIO container with type1, iommufd, or vhost-vdpa device; may be closed
 *	afterwards
 * @space: iommufd: id of the IOAS; vhost-vdpa: of the address space; else 0
 * @piece: bytes that are mapped at once, 0 is a default
 * @ranges: array; its error fields are filled in if the call is refused
 * @nr: elements of @ranges; 0 goes on after vfmig_dma_cancel()
 * @target: the target's number in this session
 *
 * Returns when the ranges are known; threads of this process, made by the kernel, map
 * them. vfmig_set_state() to a running state waits for them.
 */
VFMIG_API int vfmig_dma_map(int fd, int target_fd, uint32_t space, uint64_t piece,
			    struct vfio_migmux_dma_range *ranges, uint32_t nr,
			    uint32_t *target);

/**
 * vfmig_dma_unmap() - take ranges away
 * @fd: session
 * @target: the target, or VFIO_MIGMUX_INDEX_NONE for all ranges of all targets
 * @ranges: array; iova and size count, and the error fields are filled in if the call is
 *	refused
 * @nr: elements of @ranges, 0 for all ranges
 */
VFMIG_API int vfmig_dma_unmap(int fd, uint32_t target,
			      struct vfio_migmux_dma_range *ranges, uint32_t nr);

/**
 * vfmig_dma_cancel() - stop mapping ahead of time
 * @fd: session
 *
 * What is mapped stays, and vfmig_dma_wait() tells exactly what that is. The rest is
 * mapped when the devices start.
 */
VFMIG_API int vfmig_dma_cancel(int fd);

/**
 * vfmig_dma_wait() - wait until all memory is mapped
 * @fd: session
 * @timeout_ms: 0 does not wait, UINT32_MAX waits without limit
 * @state: filled in, also after an error; its nr_ranges says how many ranges there are
 * @ranges: array, or NULL with @nr 0; filled in likewise
 * @nr: room in @ranges
 *
 * Return: 0, the error of a range, -ECANCELED, -ETIMEDOUT, -EINTR.
 */
VFMIG_API int vfmig_dma_wait(int fd, uint32_t timeout_ms, struct vfio_migmux_dma_wait *state,
			     struct vfio_migmux_dma_range *ranges, uint32_t nr);

/**
 * vfmig_abort() - stop what the session does
 * @fd: session
 * @recover: state for the devices, or VFIO_MIGMUX_RECOVER_NONE
 *
 * Blocks until everything has stopped and the devices are where they go. May be
 * called from a thread while another one waits; calling it twice is harmless.
 */
VFMIG_API int vfmig_abort(int fd, uint32_t recover);

/**
 * vfmig_timeline() - a consistent copy of the session's times and counters
 * @fd: session
 * @timeline: filled in; its nr_devices says how many devices the session has
 * @devices: array, or NULL with @nr 0
 * @nr: room in @devices
 */
VFMIG_API int vfmig_timeline(int fd, struct vfio_migmux_timeline *timeline,
			     struct vfio_migmux_timeline_device *devices,
			     uint32_t nr);

/**
 * vfmig_last_error() - in words, why the session failed or refused
 * @fd: session
 * @error: filled in; @error->error is 0 if nothing was refused
 */
VFMIG_API int vfmig_last_error(int fd, struct vfio_migmux_last_error *error);

/**
 * vfmig_read_events() - read what happened
 * @fd: session; set O_NONBLOCK on it to get -EAGAIN instead of waiting
 * @events: array
 * @nr: room in @events; give room for 8 or more, so that a later kernel's longer
 *	events fit
 *
 * Return: number of events, -EAGAIN, -EINTR, -EINVAL.
 */
VFMIG_API int vfmig_read_events(int fd, struct vfio_migmux_event *events,
				uint32_t nr);

/**
 * vfmig_state_name() - name of a device state, as "RUNNING_P2P"
 * @state: enum vfio_device_mig_state
 *
 * Return: a constant string, "UNKNOWN" for a number without a name.
 */
VFMIG_API const char *vfmig_state_name(uint32_t state);

/**
 * vfmig_phase_name() - name of a phase, as "quiesce"
 * @phase: enum vfio_migmux_phase
 *
 * Return: a constant string, "unknown" for a number without a name.
 */
VFMIG_API const char *vfmig_phase_name(uint32_t phase);

/**
 * vfmig_milestone_name() - name of a milestone, as "handed_over"
 * @bit: its bit number, not its mask
 *
 * Return: a constant string, "unknown" for a number without a name.
 */
VFMIG_API const char *vfmig_milestone_name(uint32_t bit);

#ifdef __cplusplus
}
#endif

#endif /* LIBVFMIG_H */
