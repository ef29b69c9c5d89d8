/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * vfio_migmux: migrate the state of several VFIO devices at once.
 *
 * The ioctls of /dev/vfio/migmux. One open file is one session: the source or
 * the destination of one migration.
 */
#ifndef _UAPI_LINUX_VFIO_MIGMUX_H
#define _UAPI_LINUX_VFIO_MIGMUX_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Common rules
 *
 * Every argument starts with @argsz, the size of the structure that the caller
 * knows, and @flags. A structure may grow at its end. As they are here is their first
 * version: what is shorter is refused. A later kernel takes what the caller does not know
 * of a structure as zero; an earlier one refuses what it does not know itself, unless that is
 * zero and @argsz is at most the size of a page. Output fields may hold anything on entry.
 * Reserved fields and unknown flag bits must be zero.
 *
 * A session belongs to the process (the address space) that makes its first
 * ioctl other than VFIO_MIGMUX_GET_INFO and VFIO_MIGMUX_LAST_ERROR. It acts only
 * on devices whose VFIO file its owner holds. Closing the last file descriptor
 * of a session aborts what it does; see VFIO_MIGMUX_ABORT.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC. Device states are those of
 * enum vfio_device_mig_state (linux/vfio.h).
 *
 * open() fails with ENFILE when there are as many sessions as the host allows (module
 * parameter max_sessions).
 *
 * An ioctl returns 0, or -1 with errno as follows. VFIO_MIGMUX_LAST_ERROR tells
 * in words what the session's last refusal or failure was about.
 *
 *  - ENOTTY: the ioctl is not known.
 *  - EINVAL: @argsz is smaller than the first version, an unknown flag is set, a reserved
 *    field is not zero, or a field is out of its range.
 *  - E2BIG: the structure is longer than the kernel knows and its unknown part
 *    is not zero, or it is longer than a page.
 *  - EFAULT: a user pointer cannot be read or written.
 *  - EPERM: the session belongs to another process.
 *  - EBADF: a file descriptor is not open, or not of the kind that is needed.
 *  - ENOTSOCK, EPROTOTYPE, ENOTCONN: a channel is not a socket, not a stream
 *    socket, not connected.
 *  - EOPNOTSUPP: the device cannot migrate, or cannot reach that state.
 *  - EEXIST: the device, its wire identity or the socket is in the session already.
 *  - EBUSY: another session holds the device, or this session is in a step that
 *    excludes the call.
 *  - ENOENT: no device, channel or link of that index or name.
 *  - ENOSPC: a limit of the session (see VFIO_MIGMUX_GET_INFO) is reached.
 *  - ENODEV: the device went away from under the session.
 *  - ECANCELED: the session failed or was aborted.
 *  - ETIMEDOUT: the time given was over.
 *  - EINTR: a signal came. What was started goes on; wait for it.
 */

#define VFIO_MIGMUX_TYPE		0xBD
#define VFIO_MIGMUX_API_VERSION		1

/* Limits that are part of the interface. */
#define VFIO_MIGMUX_IDSTR_SIZE		256
#define VFIO_MIGMUX_LINK_NAME_SIZE	32
#define VFIO_MIGMUX_TEXT_SIZE		240
#define VFIO_MIGMUX_DRIVER_SIZE		32

/* Features, see VFIO_MIGMUX_GET_INFO. */
/* VFIO_MIGMUX_SAVE_READY, VFIO_MIGMUX_PEER_INFO */
#define VFIO_MIGMUX_FEATURE_READY	(1 << 0)
/* drivers of this kernel can tell of new initial data in pre-copy */
#define VFIO_MIGMUX_FEATURE_PRECOPY_V2	(1 << 1)

/**
 * struct vfio_migmux_info - VFIO_MIGMUX_GET_INFO
 * @argsz: size of this structure
 * @flags: out: 0
 * @api_version: out: VFIO_MIGMUX_API_VERSION
 * @max_devices: out: devices a session can hold (1 to 64, a module parameter)
 * @max_channels: out: channels a session can hold (1 to 255, a module parameter)
 * @frame_data_max: out: bytes of device state in one frame, at the most
 * @config_max: out: bytes of a config blob, at the most
 * @reserved: out: 0
 * @features: out: VFIO_MIGMUX_FEATURE_* bits
 * @staging_default: out: staging budget in bytes of a session that asks for 0
 * @staging_max: out: largest staging budget in bytes
 *
 * May be called by anyone who can open the file, at any time.
 */
struct vfio_migmux_info {
	__u32 argsz;
	__u32 flags;
	__u32 api_version;
	__u32 max_devices;
	__u32 max_channels;
	__u32 frame_data_max;
	__u32 config_max;
	__u32 reserved;
	__aligned_u64 features;
	__aligned_u64 staging_default;
	__aligned_u64 staging_max;
};

#define VFIO_MIGMUX_GET_INFO		_IO(VFIO_MIGMUX_TYPE, 0x00)

/**
 * struct vfio_migmux_device_add - VFIO_MIGMUX_DEVICE_ADD
 * @argsz: size of this structure
 * @flags: must be 0
 * @device_fd: a VFIO device file descriptor (not a group's) of the caller
 * @instance_id: second half of the device's identity on the wire
 * @idstr: first half: 1 to 255 printable characters and a NUL. Both ends must use
 *	the same; QEMU uses the device's path in the VM, "0000:00:04.0/vfio"
 * @index: out: the device's index in this session, counted from 0
 * @migration_flags: out: VFIO_MIGRATION_* of the device
 * @weight: 1 to 1000, 0 is 1: how much of the channels of a link that
 *	VFIO_MIGMUX_LINK_ATTACH deals out, of channels that devices share, and of the
 *	source's staging the device gets, in relation to the weights of the others. Of
 *	no effect on a destination
 * @reserved: must be 0
 *
 * The device is hooked as long as it is in the session, and its file stays
 * open. Only before VFIO_MIGMUX_SAVE or VFIO_MIGMUX_LOAD.
 *
 * Errors beside the common ones: EBADF if @device_fd is a VFIO group, no VFIO
 * file, or a device that is not opened yet; EOPNOTSUPP if its driver cannot
 * migrate; EEXIST if the device or the identity is in this session; EBUSY if the
 * device is in another one; ENOSPC.
 */
struct vfio_migmux_device_add {
	__u32 argsz;
	__u32 flags;
	__s32 device_fd;
	__u32 instance_id;
	__u8 idstr[VFIO_MIGMUX_IDSTR_SIZE];
	__u32 index;
	__u32 migration_flags;
	__u32 weight;
	__u32 reserved;
};

#define VFIO_MIGMUX_DEVICE_ADD		_IO(VFIO_MIGMUX_TYPE, 0x01)

/**
 * struct vfio_migmux_device_remove - VFIO_MIGMUX_DEVICE_REMOVE
 * @argsz: size of this structure
 * @flags: must be 0
 * @index: the device
 * @reserved: must be 0
 *
 * Takes the device and its channels out of the session and unhooks it. Other
 * devices keep their index; the index is not used again. The device's state is
 * left as it is. EBUSY while a step runs.
 */
struct vfio_migmux_device_remove {
	__u32 argsz;
	__u32 flags;
	__u32 index;
	__u32 reserved;
};

#define VFIO_MIGMUX_DEVICE_REMOVE	_IO(VFIO_MIGMUX_TYPE, 0x02)

/**
 * struct vfio_migmux_channel_add - VFIO_MIGMUX_CHANNEL_ADD
 * @argsz: size of this structure
 * @flags: must be 0
 * @socket_fd: a connected stream socket; the session takes a reference, the
 *	caller may close its descriptor and must not read or write the socket
 * @device: the device whose frames a source sends here; on a destination any
 *	device of the session: the first frame that arrives says whose channel it is.
 *	VFIO_MIGMUX_INDEX_NONE: a channel that all devices share
 * @index: out: the channel's index in this session, counted from 0
 * @reserved: must be 0
 *
 * Only before VFIO_MIGMUX_SAVE or VFIO_MIGMUX_LOAD. Sockets are TCP (IPv4 or
 * IPv6, with kernel TLS or without), MPTCP, AF_UNIX or AF_VSOCK.
 *
 * A session can have both kinds of channels; each frame takes the least busy one of
 * those that its device may use. Dedicated ones are better where there are enough: on a
 * shared one a slow device can hold up the others, and a peer that puts frames on it in
 * a bad order can make the destination fail (max_spill of struct vfio_migmux_load). Both
 * ends must agree which channels are shared.
 *
 * Errors beside the common ones: ENOTSOCK, EPROTOTYPE, ENOTCONN, EAFNOSUPPORT,
 * EINVAL also if files wait in the socket, EEXIST, ENOENT (no such device), ENOSPC.
 */
struct vfio_migmux_channel_add {
	__u32 argsz;
	__u32 flags;
	__s32 socket_fd;
	__u32 device;
	__u32 index;
	__u32 reserved;
};

#define VFIO_MIGMUX_CHANNEL_ADD		_IO(VFIO_MIGMUX_TYPE, 0x03)

/**
 * struct vfio_migmux_link_attach - VFIO_MIGMUX_LINK_ATTACH
 * @argsz: size of this structure
 * @flags: VFIO_MIGMUX_LINK_ATTACH_*
 * @name: name of a link in the session's network namespace, NUL-terminated
 * @nr_channels: out: how many channels the session got
 * @reserved: must be 0
 *
 * Takes all channels of a link that "vfmig link" (generic netlink) made, and
 * deals them out to the session's devices by their weights, in turn if all weigh the
 * same: call it after the devices are added. With VFIO_MIGMUX_LINK_ATTACH_SHARED all
 * devices share all channels.
 *
 * The link is busy until the session ends; afterwards it can be attached
 * again if the session completed, and is dead if it did not.
 *
 * Errors beside the common ones: ENOENT (no such link); EBUSY (another session
 * has it); ENOTCONN (the link is dead); EINVAL (fewer channels than devices, which do
 * not share them; or no device yet).
 */
struct vfio_migmux_link_attach {
	__u32 argsz;
	__u32 flags;
#define VFIO_MIGMUX_LINK_ATTACH_SHARED	(1 << 0)
	__u8 name[VFIO_MIGMUX_LINK_NAME_SIZE];
	__u32 nr_channels;
	__u32 reserved;
};

#define VFIO_MIGMUX_LINK_ATTACH		_IO(VFIO_MIGMUX_TYPE, 0x04)

/* Spans of a device's way through a migration, in a timeline. */
enum vfio_migmux_phase {
	/* RUNNING to RUNNING_P2P, or PRE_COPY to PRE_COPY_P2P */
	VFIO_MIGMUX_PHASE_QUIESCE = 0,
	/* to STOP */
	VFIO_MIGMUX_PHASE_STOP = 1,
	/* STOP to STOP_COPY */
	VFIO_MIGMUX_PHASE_SAVE = 2,
	/* source: first read to last byte taken by a socket;
	 * destination: first header to last byte taken by the device
	 */
	VFIO_MIGMUX_PHASE_TRANSFER = 3,
	/* to RESUMING */
	VFIO_MIGMUX_PHASE_PREPARE = 4,
	/* RESUMING to STOP: the device checks what it was given */
	VFIO_MIGMUX_PHASE_LOAD = 5,
	/* STOP to RUNNING_P2P */
	VFIO_MIGMUX_PHASE_RESUME = 6,
	/* RUNNING_P2P (or STOP) to RUNNING */
	VFIO_MIGMUX_PHASE_START = 7,
	/* back to the recover state after a failure or an abort */
	VFIO_MIGMUX_PHASE_ROLLBACK = 8,
	/* source: from the arc to PRE_COPY until the next arc begins; destination: first
	 * header until the first one of the stopped device. Comes before QUIESCE, and is
	 * no part of the downtime: TRANSFER then begins where it ends
	 */
	VFIO_MIGMUX_PHASE_PRECOPY = 9,
	VFIO_MIGMUX_NR_PHASES = 10,
};

/* A recover state that means: leave each device where it is. */
#define VFIO_MIGMUX_RECOVER_NONE	0xffffffffU

/**
 * struct vfio_migmux_device_result - what became of one device in a batch
 * @index: the device
 * @error: 0, or the positive errno that its first failing arc returned;
 *	ECANCELED if it was stopped or taken back because of another device
 * @state: the state the device is in now, as its driver says
 * @reserved: 0
 * @ns: time from the start of the batch until the device had arrived (or failed)
 */
struct vfio_migmux_device_result {
	__u32 index;
	__s32 error;
	__u32 state;
	__u32 reserved;
	__aligned_u64 ns;
};

/**
 * struct vfio_migmux_set_state - VFIO_MIGMUX_SET_STATE
 * @argsz: size of this structure
 * @flags: VFIO_MIGMUX_SET_STATE_*
 * @target: state for all devices; not ERROR. STOP_COPY and RESUMING are the
 *	business of VFIO_MIGMUX_SAVE and VFIO_MIGMUX_LOAD, but allowed here: the
 *	session then holds the data files until the devices leave the state
 * @recover: where all devices go if one fails, or VFIO_MIGMUX_RECOVER_NONE
 * @timeout_ms: no new arc starts after this time and the batch fails with
 *	ETIMEDOUT; 0 is no limit. An arc that a driver has begun is always waited for
 * @nr_results: in: room in @results; out: devices in the session
 * @results: user address of an array of struct vfio_migmux_device_result, or 0
 *
 * Moves all devices of the session toward @target in parallel. On a way between
 * running and stopped all devices first reach their P2P state, and none goes
 * on before the last has arrived there. If a device fails, no further arc is
 * started, and all devices go to @recover in parallel, by the same rules. With
 * VFIO_MIGMUX_RECOVER_NONE the others finish the phase that they are in (to P2P, or
 * to @target) and stay there.
 *
 * Returns when all devices have arrived or are back, unless
 * VFIO_MIGMUX_SET_STATE_ASYNC is set: then wait for VFIO_MIGMUX_MILESTONE_BATCH
 * and take the results from VFIO_MIGMUX_TIMELINE.
 *
 * Errors beside the common ones: EOPNOTSUPP (more than one device and one cannot
 * do P2P, or a device cannot reach @target); EBUSY (a step runs, or the
 * destination does not own the devices yet); ENODEV (a device was unregistered: the
 * session moves none any more); ETIMEDOUT; ECANCELED (it was aborted); the errno of the
 * first device that failed.
 */
struct vfio_migmux_set_state {
	__u32 argsz;
	__u32 flags;
#define VFIO_MIGMUX_SET_STATE_ASYNC	(1 << 0)
/* allow several devices though some lack P2P: they do no peer-to-peer DMA */
#define VFIO_MIGMUX_SET_STATE_NO_P2P	(1 << 1)
	__u32 target;
	__u32 recover;
	__u32 timeout_ms;
	__u32 nr_results;
	__aligned_u64 results;
};

#define VFIO_MIGMUX_SET_STATE		_IO(VFIO_MIGMUX_TYPE, 0x05)

/**
 * struct vfio_migmux_save - VFIO_MIGMUX_SAVE
 * @argsz: size of this structure
 * @flags: VFIO_MIGMUX_SAVE_*
 * @recover: state of the devices after a failure before the peer has taken
 *	over, or VFIO_MIGMUX_RECOVER_NONE; usually VFIO_DEVICE_STATE_RUNNING
 * @timeout_ms: for the arcs, as in struct vfio_migmux_set_state
 * @staging: staging budget in bytes, rounded up to whole frames; 0 is the default
 *
 * The whole switchover of the source: all devices to P2P, then each to
 * STOP_COPY, and its state, its config blob last, onto its channels as soon as
 * it is there. Returns when the movers run; wait for the milestones QUIESCED,
 * STOPPED, SENT and, with VFIO_MIGMUX_SAVE_VERDICT, HANDED_OVER. After a failure
 * the devices are taken to @recover, and the milestone ENDED comes last.
 * A session saves or loads once.
 *
 * With VFIO_MIGMUX_SAVE_VERIFY, which needs VFIO_MIGMUX_SAVE_VERDICT and state that all
 * passes through the session, the source compares a CRC32C of what it has read of each
 * device with that of what the destination has written, before it gives the devices up.
 * If they differ both ends fail (EBADMSG here, EREMOTEIO there), and the devices go to
 * @recover. If only one end asks for it both fail with the first frame (EPROTO).
 *
 * If the VMM gave it the devices' data files (VFIO_MIGMUX_DATA_FD) the session only
 * streams them, from where they stand: it makes no arc, unless it fails and @recover
 * is a state.
 *
 * With VFIO_MIGMUX_SAVE_NO_CONFIG the VMM sends the config frames, by a channel of its
 * own. The idx of a device's is the number of the session's frames, which
 * VFIO_MIGMUX_TIMELINE tells once SENT is reached, and first_idx of
 * struct vfio_migmux_data_fd on top.
 *
 * With VFIO_MIGMUX_SAVE_READY, which needs VFIO_MIGMUX_SAVE_VERDICT, nothing moves yet: the
 * session asks the destination whether it is ready, which it answers when its devices are
 * in RESUMING and it can receive; it may come later than the question. Wait for the
 * milestone PEER_READY; VFIO_MIGMUX_PEER_INFO then tells what there is at the other end.
 * A second call without that flag, and with @staging 0, goes on, with pre-copy or the
 * switchover; its @recover and @timeout_ms count from then on. It is refused with EBUSY
 * before PEER_READY, and if it is refused nothing has changed. Until then
 * VFIO_MIGMUX_ABORT and closing the file leave all as it was: the devices where they are,
 * the destination waiting, and the link as good as before. A destination that does
 * not know the question fails.
 *
 * With VFIO_MIGMUX_SAVE_PRECOPY it begins while the VM runs: those devices that are
 * in RUNNING and support PRE_COPY go there (milestone PRECOPY), and their state flows
 * in rounds; see VFIO_MIGMUX_PRECOPY_INFO. The others stay where they are. A further
 * call without that flag is the switchover: all go to P2P together, then each to
 * STOP_COPY, and the same stream goes on to its end. It has the other flags of the
 * first call, and @staging 0; its @recover and @timeout_ms count from then on. If it
 * is refused for what a device is or does (ENODEV, EIO), the session has failed.
 * With the VMM's data files all devices must be in PRE_COPY or PRE_COPY_P2P for it, and
 * in STOP_COPY, where the VMM has taken them, for the second call, which else is
 * refused with EINVAL and may be made again. There is nothing to ask then.
 *
 * Errors beside the common ones: EINVAL (no device; or one is in a state of saving
 * already; or a further call differs), ENOTCONN (a device has no channel), EOPNOTSUPP
 * as in VFIO_MIGMUX_SET_STATE, EBUSY, ENOSPC (@staging is over the limit, or would be with
 * that of all other sessions).
 */
struct vfio_migmux_save {
	__u32 argsz;
	__u32 flags;
/* wait for the peer's verdict and confirm it; the peer must ask for it as well */
#define VFIO_MIGMUX_SAVE_VERDICT	(1 << 0)
#define VFIO_MIGMUX_SAVE_NO_P2P		(1 << 1)
/* send no config frames */
#define VFIO_MIGMUX_SAVE_NO_CONFIG	(1 << 3)
/* pre-copy; a second call without it switches over */
#define VFIO_MIGMUX_SAVE_PRECOPY	(1 << 4)
/* compare a checksum of each device's state; the peer must ask for it as well */
#define VFIO_MIGMUX_SAVE_VERIFY		(1 << 5)
/* only ask whether the peer is ready; a second call without it goes on */
#define VFIO_MIGMUX_SAVE_READY		(1 << 6)
	__u32 recover;
	__u32 timeout_ms;
	__aligned_u64 staging;
};

#define VFIO_MIGMUX_SAVE		_IO(VFIO_MIGMUX_TYPE, 0x06)

/**
 * struct vfio_migmux_load - VFIO_MIGMUX_LOAD
 * @argsz: size of this structure
 * @flags: VFIO_MIGMUX_LOAD_*
 * @recover: state of the devices after a failure, or VFIO_MIGMUX_RECOVER_NONE. With
 *	VFIO_MIGMUX_LOAD_VERDICT, once a device has taken all its state, they go no
 *	further than STOP: the source may run its own again
 * @timeout_ms: for the arcs to RESUMING, as in struct vfio_migmux_set_state
 * @staging: most bytes of state that wait in the module, rounded up to whole
 *	frames; 0 is the default. A slow device then slows the sender down
 * @max_queued: most bytes of @staging for the frames of one device, rounded up to whole
 *	frames; 0 is all. The next one in order is always let in, and does not count. So
 *	a slow device leaves room for others. Of shared channels it may hold one up with
 *	that
 * @max_spill: most bytes beyond @staging for frames that came by shared channels before
 *	their time, when one that is needed can only be behind them; each counts for a page
 *	at least; 0 is as much as @staging, VFIO_MIGMUX_NO_SPILL none. The session fails
 *	(ENOBUFS) where that does not do. A source of this module never needs it
 * @max_state: most bytes of state of one device; 0 is any. If more comes the session
 *	fails (EFBIG). A source that asks is told (VFIO_MIGMUX_PEER_INFO)
 *
 * Takes all devices to RESUMING and starts to receive. Returns when the devices
 * are there and the receivers run (milestone READY). Each device goes to STOP
 * when all its state is written: milestone LOADED when all have. With
 * VFIO_MIGMUX_LOAD_VERDICT the source is then told, and HANDED_OVER comes when
 * it has confirmed that it gives the devices up; until then VFIO_MIGMUX_SET_STATE
 * toward a running state is refused. Without it HANDED_OVER comes with LOADED.
 *
 * VFIO_MIGMUX_LOAD_VERIFY needs VFIO_MIGMUX_LOAD_VERDICT; see struct vfio_migmux_save.
 *
 * With VFIO_MIGMUX_LOAD_BUFFERS frames come by VFIO_MIGMUX_LOAD_BUFFER too. Then the
 * session needs no channels, unless it is to give a verdict.
 *
 * If the VMM gave it the devices' data files (VFIO_MIGMUX_DATA_FD) the session only
 * writes to them and makes no arc, unless it fails and @recover is a state: LOADED
 * means that all state is written, and with the arc from RESUMING, which is the
 * VMM's, each device says whether it accepts it. VFIO_MIGMUX_LOAD_VERDICT is refused
 * with EINVAL then.
 *
 * Errors as in VFIO_MIGMUX_SAVE, and the errno of a device that does not reach
 * RESUMING.
 */
struct vfio_migmux_load {
	__u32 argsz;
	__u32 flags;
#define VFIO_MIGMUX_LOAD_VERDICT	(1 << 0)
#define VFIO_MIGMUX_LOAD_NO_P2P		(1 << 1)
/* the VMM hands in frames */
#define VFIO_MIGMUX_LOAD_BUFFERS	(1 << 3)
/* tell the source a checksum of each device's state; it must ask for it as well */
#define VFIO_MIGMUX_LOAD_VERIFY		(1 << 5)
	__u32 recover;
	__u32 timeout_ms;
	__aligned_u64 staging;
	__aligned_u64 max_queued;
	__aligned_u64 max_spill;
#define VFIO_MIGMUX_NO_SPILL		0xffffffffffffffffULL
	__aligned_u64 max_state;
};

#define VFIO_MIGMUX_LOAD		_IO(VFIO_MIGMUX_TYPE, 0x07)

/**
 * struct vfio_migmux_config - VFIO_MIGMUX_CONFIG_SET, VFIO_MIGMUX_CONFIG_GET
 * @argsz: size of this structure
 * @flags: must be 0
 * @device: the device's index
 * @size: bytes at @data. SET: of the blob, at most config_max, 0 removes it. GET:
 *	in: room; out: size of the blob, also when it fails with ENOSPC
 * @data: user address
 *
 * The VMM's own configuration of a device, opaque to the module. A source sets
 * it before its device's state is sent completely; it travels as the last
 * frame. A destination gets it once the device is loaded.
 *
 * Errors beside the common ones: SET: EBUSY (sent already); GET: ENODATA (no blob
 * has come, or none was set), ENOSPC (@size is too small).
 */
struct vfio_migmux_config {
	__u32 argsz;
	__u32 flags;
	__u32 device;
	__u32 size;
	__aligned_u64 data;
};

#define VFIO_MIGMUX_CONFIG_SET		_IO(VFIO_MIGMUX_TYPE, 0x08)
#define VFIO_MIGMUX_CONFIG_GET		_IO(VFIO_MIGMUX_TYPE, 0x09)

/*
 * Milestones: bits that are set once, in the order of the list but the last three, and
 * never cleared while the session lives; only BATCH is cleared when the next batch
 * starts, and PRECOPY_ACKED when a device has new initial data.
 */
/* the last VFIO_MIGMUX_SET_STATE is over, well or not */
#define VFIO_MIGMUX_MILESTONE_BATCH		(1 << 0)
/* destination: devices are in RESUMING, receivers run */
#define VFIO_MIGMUX_MILESTONE_READY		(1 << 1)
/* source: all devices are in a P2P state or beyond */
#define VFIO_MIGMUX_MILESTONE_QUIESCED		(1 << 2)
/* source: all devices are in STOP or beyond; guest memory changes no more */
#define VFIO_MIGMUX_MILESTONE_STOPPED		(1 << 3)
/* source: the sockets have taken the last byte */
#define VFIO_MIGMUX_MILESTONE_SENT		(1 << 4)
/* destination: all devices have taken all their state and are in STOP */
#define VFIO_MIGMUX_MILESTONE_LOADED		(1 << 5)
/* the destination owns the devices and may start them */
#define VFIO_MIGMUX_MILESTONE_HANDED_OVER	(1 << 6)
/* the session failed; the movers may still be stopping */
#define VFIO_MIGMUX_MILESTONE_FAILED		(1 << 7)
/* after FAILED: everything has stopped, the devices are as the timeline says */
#define VFIO_MIGMUX_MILESTONE_ENDED		(1 << 8)
/* source, before QUIESCED: all devices that can are in PRE_COPY */
#define VFIO_MIGMUX_MILESTONE_PRECOPY		(1 << 9)
/*
 * source, with VFIO_MIGMUX_SAVE_VERDICT: the destination has loaded the initial data of
 * all those; a switchover before that may take longer
 */
#define VFIO_MIGMUX_MILESTONE_PRECOPY_ACKED	(1 << 10)
/* source, with VFIO_MIGMUX_SAVE_READY, before all others: the destination is ready */
#define VFIO_MIGMUX_MILESTONE_PEER_READY	(1 << 11)

/**
 * struct vfio_migmux_wait - VFIO_MIGMUX_WAIT
 * @argsz: size of this structure
 * @flags: must be 0
 * @milestones: wait until all of these VFIO_MIGMUX_MILESTONE_* are reached
 * @timeout_ms: 0 does not wait, 0xffffffff waits without limit
 * @reached: out: all milestones reached so far, also when the call fails
 * @reserved: must be 0
 *
 * Errors beside the common ones: ECANCELED (the session failed and not all of
 * @milestones were reached), ETIMEDOUT, EINTR.
 */
struct vfio_migmux_wait {
	__u32 argsz;
	__u32 flags;
	__u32 milestones;
	__u32 timeout_ms;
	__u32 reached;
	__u32 reserved;
};

#define VFIO_MIGMUX_WAIT		_IO(VFIO_MIGMUX_TYPE, 0x0a)

/**
 * struct vfio_migmux_abort - VFIO_MIGMUX_ABORT
 * @argsz: size of this structure
 * @flags: must be 0
 * @recover: state for the devices, or VFIO_MIGMUX_RECOVER_NONE
 * @reserved: must be 0
 *
 * Stops what the session does: no further arc, read or write is begun, the
 * channels are shut down, and the devices go to @recover in parallel. Returns
 * when all that is over. A device whose state the destination has taken over
 * (HANDED_OVER) is left alone. Calling it again does nothing more.
 */
struct vfio_migmux_abort {
	__u32 argsz;
	__u32 flags;
	__u32 recover;
	__u32 reserved;
};

#define VFIO_MIGMUX_ABORT		_IO(VFIO_MIGMUX_TYPE, 0x0b)

/* A span that has not begun or not ended has 0 there. */
struct vfio_migmux_span {
	__aligned_u64 start_ns;
	__aligned_u64 end_ns;
};

/**
 * struct vfio_migmux_timeline_device - one device of a timeline
 * @index: the device
 * @error: 0, or the positive errno of its failure
 * @state: last state that the module saw the device in
 * @nr_channels: channels that carry (source) or carried (destination) its frames
 * @bytes: bytes of state read from or written to the device so far
 * @frames: frames sent or received, the config frame included
 * @first_byte_ns: when the first byte of state was read or received
 * @last_byte_ns: when the last byte was taken by a socket or by the device
 * @stall_device_ns: time that the data path waited for the device: in its read
 *	or write
 * @stall_staging_ns: time that the device's frames waited for staging memory
 * @precopy_bytes: of @bytes, those that came while the device ran. A destination knows
 *	it only with VFIO_MIGMUX_LOAD_VERDICT
 * @precopy_rounds: source: how often all was read that there was
 * @precopy_ns: source: time that the rounds took; the pauses in between do not count
 * @stall_wire_ns: source: time that frames waited for full sockets, summed up
 *	over the device's channels; destination: time that the device waited for the
 *	next frame to arrive
 * @phases: spans by enum vfio_migmux_phase
 *
 * A wait for staging memory or for the wire that still goes on counts in its sum.
 */
struct vfio_migmux_timeline_device {
	__u32 index;
	__s32 error;
	__u32 state;
	__u32 nr_channels;
	__aligned_u64 bytes;
	__aligned_u64 frames;
	__aligned_u64 first_byte_ns;
	__aligned_u64 last_byte_ns;
	__aligned_u64 stall_device_ns;
	__aligned_u64 stall_staging_ns;
	__aligned_u64 stall_wire_ns;
	__aligned_u64 precopy_bytes;
	__aligned_u64 precopy_rounds;
	__aligned_u64 precopy_ns;
	struct vfio_migmux_span phases[VFIO_MIGMUX_NR_PHASES];
};

/**
 * struct vfio_migmux_timeline - VFIO_MIGMUX_TIMELINE
 * @argsz: size of this structure
 * @flags: must be 0
 * @session: out: id of the session, as in "vfmig session show"
 * @milestones: out: VFIO_MIGMUX_MILESTONE_* reached
 * @milestone_ns: out: when, by bit number; 0 if not
 * @staging_peak: out: most bytes of staging in use at once
 * @device_size: in: size of one element of @devices
 * @nr_devices: in: room in @devices; out: devices in the session
 * @devices: user address of an array of struct vfio_migmux_timeline_device
 * @spill_peak: out: most bytes beyond staging in use at once, see max_spill of
 *	struct vfio_migmux_load
 *
 * A consistent copy, at any time, without disturbing the movers.
 */
struct vfio_migmux_timeline {
	__u32 argsz;
	__u32 flags;
	__u32 session;
	__u32 milestones;
	__aligned_u64 milestone_ns[16];
	__aligned_u64 staging_peak;
	__u32 device_size;
	__u32 nr_devices;
	__aligned_u64 devices;
	__aligned_u64 spill_peak;
};

#define VFIO_MIGMUX_TIMELINE		_IO(VFIO_MIGMUX_TYPE, 0x0c)

/* An index that names no device or no channel. */
#define VFIO_MIGMUX_INDEX_NONE		0xffffffffU

/**
 * struct vfio_migmux_last_error - VFIO_MIGMUX_LAST_ERROR
 * @argsz: size of this structure
 * @flags: must be 0
 * @error: out: positive errno, 0 if nothing was refused and nothing failed yet
 * @device: out: the device it is about, or VFIO_MIGMUX_INDEX_NONE
 * @channel: out: the channel it is about, or VFIO_MIGMUX_INDEX_NONE
 * @reserved: must be 0
 * @text: out: what was wrong and what would be right, one line, NUL-terminated
 *
 * Says why the session failed; while it has not failed, why its last refused
 * ioctl was refused. May be called by anyone who holds the file.
 */
struct vfio_migmux_last_error {
	__u32 argsz;
	__u32 flags;
	__s32 error;
	__u32 device;
	__u32 channel;
	__u32 reserved;
	__u8 text[VFIO_MIGMUX_TEXT_SIZE];
};

#define VFIO_MIGMUX_LAST_ERROR		_IO(VFIO_MIGMUX_TYPE, 0x0d)

/* flags of struct vfio_migmux_precopy_device */
/* it is in pre-copy */
#define VFIO_MIGMUX_PRECOPY_ACTIVE	(1 << 0)
/* the destination has loaded its initial data */
#define VFIO_MIGMUX_PRECOPY_ACKED	(1 << 1)

/**
 * struct vfio_migmux_precopy_device - one device in pre-copy
 * @index: the device
 * @flags: VFIO_MIGMUX_PRECOPY_*
 * @initial_bytes: initial data still to be read; better not to switch over before
 *	it is 0. 0 for a device that is not in pre-copy
 * @dirty_bytes: what else there is to be read now; 0 likewise
 * @stop_copy_bytes: what the driver expects STOP_COPY to yield; may include the others
 * @bytes: read in pre-copy so far
 * @rounds: as precopy_rounds of struct vfio_migmux_timeline_device
 * @ns: as precopy_ns there
 */
struct vfio_migmux_precopy_device {
	__u32 index;
	__u32 flags;
	__aligned_u64 initial_bytes;
	__aligned_u64 dirty_bytes;
	__aligned_u64 stop_copy_bytes;
	__aligned_u64 bytes;
	__aligned_u64 rounds;
	__aligned_u64 ns;
};

/**
 * struct vfio_migmux_precopy_info - VFIO_MIGMUX_PRECOPY_INFO
 * @argsz: size of this structure
 * @flags: must be 0
 * @nr_precopy: out: devices in pre-copy
 * @nr_acked: out: those of them whose initial data the destination has loaded
 * @initial_bytes: out: sum over all devices
 * @dirty_bytes: out: sum over all devices
 * @stop_copy_bytes: out: sum over all devices
 * @device_size: in: size of one element of @devices
 * @nr_devices: in: room in @devices; out: devices in the session
 * @devices: user address of an array of struct vfio_migmux_precopy_device, or 0
 *
 * What is left to be sent, by estimate of the drivers. It asks each of them, which may
 * take long, and makes some prepare what they tell of: ask at the end of a round
 * (VFIO_MIGMUX_EVENT_ROUND), or when a decision is due. The devices yield what there is
 * without being asked.
 *
 * The page that drivers want for their answer is mapped into the caller's address
 * space for the time of the call.
 *
 * Errors beside the common ones: EBUSY (the session is not in pre-copy, or on its way
 * into it); ENOMEM (no room for that page); the errno of a driver.
 */
struct vfio_migmux_precopy_info {
	__u32 argsz;
	__u32 flags;
	__u32 nr_precopy;
	__u32 nr_acked;
	__aligned_u64 initial_bytes;
	__aligned_u64 dirty_bytes;
	__aligned_u64 stop_copy_bytes;
	__u32 device_size;
	__u32 nr_devices;
	__aligned_u64 devices;
};

#define VFIO_MIGMUX_PRECOPY_INFO	_IO(VFIO_MIGMUX_TYPE, 0x10)

/**
 * struct vfio_migmux_peer_device - a device of the destination
 * @idstr: first half of its identity on the wire
 * @instance_id: second half
 * @migration_flags: VFIO_MIGRATION_* of the device, as far as this kernel knows them
 * @precopy_version: 0 if it cannot pre-copy; 1; 2 with VFIO_MIGMUX_FEATURE_PRECOPY_V2
 * @reserved: 0
 * @driver: name of its driver, printable, NUL-terminated
 */
struct vfio_migmux_peer_device {
	__u8 idstr[VFIO_MIGMUX_IDSTR_SIZE];
	__u32 instance_id;
	__u32 migration_flags;
	__u32 precopy_version;
	__u32 reserved;
	__u8 driver[VFIO_MIGMUX_DRIVER_SIZE];
};

/* peer_flags of struct vfio_migmux_peer_info */
/* it verifies: VFIO_MIGMUX_LOAD_VERIFY */
#define VFIO_MIGMUX_PEER_VERIFY		(1 << 0)
/* its devices share the first channel */
#define VFIO_MIGMUX_PEER_SHARED		(1 << 1)

/**
 * struct vfio_migmux_peer_info - VFIO_MIGMUX_PEER_INFO
 * @argsz: size of this structure
 * @flags: must be 0
 * @peer_flags: out: VFIO_MIGMUX_PEER_*
 * @reserved: must be 0
 * @staging: out: its budget of staging in bytes
 * @max_state: out: most bytes of state that it takes of a device; 0 is any
 * @device_size: in: size of one element of @devices
 * @nr_devices: in: room in @devices; out: devices that the destination has
 * @devices: user address of an array of struct vfio_migmux_peer_device, or 0
 *
 * What the destination has said of itself when it was asked (VFIO_MIGMUX_SAVE_READY). The
 * session does not compare it with its own devices: that is the VMM's task, before it
 * goes on.
 *
 * Errors beside the common ones: ENODATA (it was not asked, or has not answered).
 */
struct vfio_migmux_peer_info {
	__u32 argsz;
	__u32 flags;
	__u32 peer_flags;
	__u32 reserved;
	__aligned_u64 staging;
	__aligned_u64 max_state;
	__u32 device_size;
	__u32 nr_devices;
	__aligned_u64 devices;
};

#define VFIO_MIGMUX_PEER_INFO		_IO(VFIO_MIGMUX_TYPE, 0x11)

enum vfio_migmux_event_type {
	/* @value: the milestone's bit */
	VFIO_MIGMUX_EVENT_MILESTONE = 1,
	/* @device entered a phase; @value: enum vfio_migmux_phase */
	VFIO_MIGMUX_EVENT_PHASE_START = 2,
	/* @device left a phase; @value: enum vfio_migmux_phase; @error */
	VFIO_MIGMUX_EVENT_PHASE_END = 3,
	/* the session fails; @error, @device, @channel say where */
	VFIO_MIGMUX_EVENT_FAILED = 4,
	/* @value events were lost because nobody read them */
	VFIO_MIGMUX_EVENT_LOST = 5,
	/* pre-copy: all was read that @device had; @value: how often that was so */
	VFIO_MIGMUX_EVENT_ROUND = 6,
	/*
	 * memory is being mapped for DMA; @value: how much is, in thousandths of all ranges'
	 * bytes; @error: a range could not be mapped
	 */
	VFIO_MIGMUX_EVENT_DMA = 16,
};

/**
 * struct vfio_migmux_event - what read() on a session returns, one or more
 * @size: sizeof(struct vfio_migmux_event) as the kernel knows it
 * @type: enum vfio_migmux_event_type
 * @device: index or VFIO_MIGMUX_INDEX_NONE
 * @channel: index or VFIO_MIGMUX_INDEX_NONE
 * @value: by @type
 * @error: positive errno or 0
 * @ns: when
 *
 * read() blocks until there is an event unless O_NONBLOCK is set (EAGAIN); it
 * wants room for at least one (EINVAL). poll() says POLLIN when there is an
 * event, and POLLHUP when the session has ended after a failure.
 */
struct vfio_migmux_event {
	__u32 size;
	__u32 type;
	__u32 device;
	__u32 channel;
	__u32 value;
	__s32 error;
	__aligned_u64 ns;
};

/**
 * struct vfio_migmux_load_buffer - VFIO_MIGMUX_LOAD_BUFFER
 * @argsz: size of this structure
 * @flags: VFIO_MIGMUX_LOAD_BUFFER_*
 * @instance_id: second half of the device's identity, as in the frame's header
 * @size: bytes at @payload
 * @idstr: first half, as in the frame's header, all of it
 * @payload: user address: payload header and data, as they follow the header of a
 *	device-state packet (Documentation/wire.rst)
 *
 * Hands in one frame that reached the VMM by a channel of its own: a VMM that speaks
 * QEMU's multifd passes a packet's idstr, instance_id and what comes after. Only
 * after VFIO_MIGMUX_LOAD with VFIO_MIGMUX_LOAD_BUFFERS. Frames may come in any order,
 * from several threads, and by channels of the session as well. The data is copied,
 * straight into staging.
 *
 * Memory is bounded as it is for frames from channels: the next frame of a device
 * takes any that is free, others leave room for one frame. Without memory the call
 * waits, or fails with EAGAIN if VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK is set. Threads that
 * wait here, each with the frames of one connection in the order in which QEMU sent
 * them, never wait for ever. A thread for which others wait before they go on (as QEMU's
 * do at a SYNC packet) must not wait here: it leaves a frame that gets EAGAIN to a thread
 * that may, and that hands in the frames of each device in order.
 *
 * What is wrong with the frame (idstr, instance_id, size, payload) is the peer's doing:
 * it fails the session, as if a channel had brought it.
 *
 * Errors beside the common ones, after which the frame is as if never handed in:
 * EBUSY (the session does not load, or without VFIO_MIGMUX_LOAD_BUFFERS), EAGAIN,
 * EINTR, EFAULT, ENOMEM. EPROTO: the frame is refused, and the session failed.
 */
struct vfio_migmux_load_buffer {
	__u32 argsz;
	__u32 flags;
/* do not wait for memory */
#define VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK	(1 << 0)
	__u32 instance_id;
	__u32 size;
	__u8 idstr[VFIO_MIGMUX_IDSTR_SIZE];
	__aligned_u64 payload;
};

#define VFIO_MIGMUX_LOAD_BUFFER		_IO(VFIO_MIGMUX_TYPE, 0x0e)

/**
 * struct vfio_migmux_data_fd - VFIO_MIGMUX_DATA_FD
 * @argsz: size of this structure
 * @flags: must be 0
 * @device: the device's index
 * @data_fd: what VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE returned for that device; the
 *	session takes a reference, the caller may close its descriptor and must not
 *	read or write the file while the session does
 * @first_idx: idx of the first frame that the session sends or takes: 0, unless the
 *	VMM has sent or loaded frames of this device itself
 * @reserved: must be 0
 *
 * The session adopts a data file: of a device that the VMM has taken to STOP_COPY, for
 * VFIO_MIGMUX_SAVE, to PRE_COPY or PRE_COPY_P2P, for that with VFIO_MIGMUX_SAVE_PRECOPY,
 * or to RESUMING, for VFIO_MIGMUX_LOAD. What the VMM has read before, in PRE_COPY for
 * instance, is its own business. Either all devices of a session have
 * one or none. Only before VFIO_MIGMUX_SAVE or VFIO_MIGMUX_LOAD; a second call for a
 * device replaces the file.
 *
 * From then on the devices' arcs are the VMM's, also while the session saves or loads.
 * If a device leaves the state too early, reading or writing fails, and so does the
 * session.
 *
 * The file must be an anonymous stream of the driver that the device is bound to, and
 * readable or writable as is needed. It cannot be told of which device of that driver
 * it is, and for drivers that are built into the kernel not of which driver: a wrong
 * one spoils the state that the VMM sends or loads.
 *
 * Errors beside the common ones: ENOENT (no such device); EINVAL (the device is
 * in a state that has none); EBADF (@data_fd is not open, or no such
 * file); EEXIST (it is the file of another device of the session); EBUSY.
 */
struct vfio_migmux_data_fd {
	__u32 argsz;
	__u32 flags;
	__u32 device;
	__s32 data_fd;
	__u32 first_idx;
	__u32 reserved;
};

#define VFIO_MIGMUX_DATA_FD		_IO(VFIO_MIGMUX_TYPE, 0x0f)

/* flags of struct vfio_migmux_dma_range */
/* devices may read it */
#define VFIO_MIGMUX_DMA_READ		(1 << 0)
/* devices may write it */
#define VFIO_MIGMUX_DMA_WRITE		(1 << 1)
/* DMA_MAP: take the ranges away first that it overlaps; DMA_WAIT: never set */
#define VFIO_MIGMUX_DMA_REPLACE		(1 << 2)
/* DMA_WAIT: it is being taken away */
#define VFIO_MIGMUX_DMA_LEAVING		(1 << 3)

/**
 * struct vfio_migmux_dma_range - memory that devices are to see
 * @iova: where they see it
 * @vaddr: where the process has it
 * @size: bytes
 * @mapped: out: bytes that are mapped; if nothing is mapped at the moment, and @error is
 *	0, these are the first ones of the range
 * @flags: VFIO_MIGMUX_DMA_*
 * @error: out: positive errno with which it was refused, or cannot be mapped or taken
 *	away. What was mapped of a range that cannot be mapped is taken away
 * @target: out: index of its target
 * @reserved: must be 0
 */
struct vfio_migmux_dma_range {
	__aligned_u64 iova;
	__aligned_u64 vaddr;
	__aligned_u64 size;
	__aligned_u64 mapped;
	__u32 flags;
	__s32 error;
	__u32 target;
	__u32 reserved;
};

/**
 * struct vfio_migmux_dma_map - VFIO_MIGMUX_DMA_MAP
 * @argsz: size of this structure
 * @flags: must be 0
 * @target_fd: what is to map: a VFIO container with type1 (v2), an iommufd, or a vhost-vdpa
 *	device; the session keeps a reference
 * @space: iommufd: id of the IOAS, or 0 for the one that stands for a VFIO container;
 *	vhost-vdpa: id of the address space; else 0
 * @piece: bytes that are mapped at once, a power of two from 2 MiB to 1 TiB, or 0 for a
 *	default that suits the target
 * @target: out: index of the target in this session. The same file and @space are the
 *	same target
 * @range_size: in: size of one element of @ranges
 * @nr_ranges: elements of @ranges; 0 resumes what VFIO_MIGMUX_DMA_UNMAP_CANCEL has
 *	stopped, and so does each call
 * @ranges: user address of an array of struct vfio_migmux_dma_range
 *
 * Maps guest memory ahead of time, while the VM still runs on the source. Returns when
 * the ranges are known; threads of the caller's process map them, piece by piece, with
 * its limits, capabilities and cgroup. VFIO_MIGMUX_EVENT_DMA tells how far they are,
 * VFIO_MIGMUX_DMA_WAIT waits. VFIO_MIGMUX_SET_STATE to a running state maps what is left,
 * and waits for it before a device moves; if a range cannot be mapped it fails with
 * that error, and no device has moved.
 *
 * Either all ranges are taken or none: then the first error is returned, and @error says
 * of each range what is wrong with it. Ranges of one target must not overlap.
 *
 * What is mapped belongs to the session until devices have been let go to a running
 * state by it: if it fails, is aborted, or is closed while it maps, it takes that away
 * again. A session that is closed when all is mapped, or mapping was cancelled, leaves
 * all mappings to the VMM, and so does one that saves.
 *
 * Errors beside the common ones: EBADF (@target_fd is nothing of that kind); EPERM (a
 * vhost-vdpa device that another process owns, or none); ENOENT (no such IOAS or address
 * space); EBUSY (the session saves). For a range: EINVAL (empty, unaligned, without access, or
 * it wraps), ERANGE (an IOVA that the target does not take), EEXIST (it overlaps),
 * EFAULT (the process has no memory there), EACCES (memory that is only to be read, for
 * a writable range). Those that show later, in @error of VFIO_MIGMUX_DMA_WAIT: ENOMEM
 * (RLIMIT_MEMLOCK; also where a range that fails had taken too much of it just then), ENOSPC
 * (the target's limit of mappings), EEXIST (something else is mapped there), EINTR (the
 * process is being killed), and others of the target.
 */
struct vfio_migmux_dma_map {
	__u32 argsz;
	__u32 flags;
	__s32 target_fd;
	__u32 space;
	__aligned_u64 piece;
	__u32 target;
	__u32 range_size;
	__u32 nr_ranges;
	__u32 reserved;
	__aligned_u64 ranges;
};

#define VFIO_MIGMUX_DMA_MAP		_IO(VFIO_MIGMUX_TYPE, 0x20)

/**
 * struct vfio_migmux_dma_unmap - VFIO_MIGMUX_DMA_UNMAP
 * @argsz: size of this structure
 * @flags: VFIO_MIGMUX_DMA_UNMAP_*
 * @target: index of the target; with flags VFIO_MIGMUX_INDEX_NONE
 * @range_size: in: size of one element of @ranges
 * @nr_ranges: elements of @ranges; with flags 0
 * @reserved: must be 0
 * @ranges: user address of an array of struct vfio_migmux_dma_range, of which @iova and
 *	@size count: each is one or more whole ranges of the target
 *
 * Takes ranges away, mapped or not, and returns when they are gone. Either all are or none:
 * then @error says of each what is wrong with it. Threads that map go on.
 *
 * With VFIO_MIGMUX_DMA_UNMAP_CANCEL instead nothing is taken away, but nothing more is
 * mapped: it returns when no thread maps any more, and VFIO_MIGMUX_DMA_WAIT then tells
 * exactly what is mapped. The rest is mapped when the devices start.
 *
 * Errors beside the common ones: ENOENT (no such target; there is no range), EINVAL (a part
 * of a range); the errno with which the target refuses to take one of them away, which its
 * @error has as well: it is left, and another call tries again.
 */
struct vfio_migmux_dma_unmap {
	__u32 argsz;
	__u32 flags;
/* all ranges of all targets */
#define VFIO_MIGMUX_DMA_UNMAP_ALL	(1 << 0)
/* stop mapping ahead of time */
#define VFIO_MIGMUX_DMA_UNMAP_CANCEL	(1 << 1)
	__u32 target;
	__u32 range_size;
	__u32 nr_ranges;
	__u32 reserved;
	__aligned_u64 ranges;
};

#define VFIO_MIGMUX_DMA_UNMAP		_IO(VFIO_MIGMUX_TYPE, 0x21)

/**
 * struct vfio_migmux_dma_wait - VFIO_MIGMUX_DMA_WAIT
 * @argsz: size of this structure
 * @flags: must be 0
 * @timeout_ms: 0 does not wait, 0xffffffff waits without limit
 * @nr_failed: out: ranges that cannot be mapped or taken away
 * @bytes: out: of all ranges
 * @mapped: out: of them, bytes that are mapped
 * @range_size: in: size of one element of @ranges
 * @nr_ranges: in: room in @ranges; out: ranges that there are
 * @ranges: user address of an array of struct vfio_migmux_dma_range, or 0
 *
 * Waits until nothing is left to be mapped or taken away. The output is valid after an
 * error too, and copies all ranges at one moment.
 *
 * Errors beside the common ones: that of the first range that failed, when the others are
 * mapped; ECANCELED (mapping was cancelled and not all is mapped, or the session
 * failed), ETIMEDOUT, EINTR.
 */
struct vfio_migmux_dma_wait {
	__u32 argsz;
	__u32 flags;
	__u32 timeout_ms;
	__u32 nr_failed;
	__aligned_u64 bytes;
	__aligned_u64 mapped;
	__u32 range_size;
	__u32 nr_ranges;
	__aligned_u64 ranges;
};

#define VFIO_MIGMUX_DMA_WAIT		_IO(VFIO_MIGMUX_TYPE, 0x22)

#endif /* _UAPI_LINUX_VFIO_MIGMUX_H */
