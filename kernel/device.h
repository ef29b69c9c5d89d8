/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device in a session.
 */
#ifndef MIGMUX_DEVICE_H
#define MIGMUX_DEVICE_H

#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "frame.h"
#include "gather.h"
#include "mover.h"
#include "precopy.h"
#include "report.h"

struct migmux_channel;
struct migmux_hook;
struct migmux_session;

/**
 * struct migmux_device - a device in a session
 * @session: whose it is; constant
 * @index: in that session; constant
 * @hook: its record, with a reference; constant
 * @file: its VFIO file, with a reference: keeps the device open and its driver
 *	loaded; NULL once the device is detached; session's mutex
 * @report: its line in the session's report; constant
 * @idstr: first half of its identity on the wire; constant
 * @instance_id: second half; constant
 * @flags: its VFIO_MIGRATION_*; constant
 * @weight: its part of what devices share; constant
 * @channels: source: those that carry its frames and no others'; session's lock
 * @nr_channels: their number; session's lock
 * @gone: it is being unregistered; written once, under the hook's lock
 *
 * Arcs, owned by the batch worker or load worker that walks it:
 *
 * @batch_work: walks it to the batch's checkpoint
 * @load_work: walks it from RESUMING to STOP when its state is written
 * @state: where it is, as far as we know
 * @error: errno (negative) of its first arc that failed in this batch
 * @arrived_ns: when it arrived or failed
 * @plan_index: its place in the batch's plan
 * @quiesced: it was counted for the milestone QUIESCED; session's lock
 * @stopped: it was counted for the milestone STOPPED; session's lock
 *
 * The data path:
 *
 * @mover: the pump (source) or the feed (destination)
 * @data_file: the driver's data file with a reference, NULL if there is none;
 *	set and cleared under the session's lock while no mover uses it
 * @eof: source: its last byte is read, or nothing takes more; destination: its last
 *	byte is written; session's lock
 * @adopted: @data_file was the VMM's, which moved the device; session's mutex, or an arc
 *	that gives it back
 * @first_idx: idx of the first frame; as @adopted, constant once started
 * @pre: source: its part in pre-copy
 * @final: source: what the pump reads is not of pre-copy; destination: a frame of that
 *	was taken; the mover's
 * @next_idx: source: idx of the next frame; the pump's
 * @unsent: source: frames that no socket has taken yet; session's lock
 * @sent: source: counted for the milestone SENT; session's lock
 * @crc: with @session->verify: of what was read or written, not inverted; the mover's
 *	until it is at @eof
 * @peer_crc: source: what the destination has written; session's lock
 * @peer_said: source: it has said so; session's lock
 * @gather: destination: frames that came; session's lock
 * @came: destination: bytes of state that came; session's lock
 * @held: frames of the staging that carry its state; session's lock
 * @frame: destination: the frame that is being written; the feed's, session's lock to
 *	change the pointer
 * @offset: bytes of it that are written; the feed's
 * @stalled: for what the pump or feed waits, by enum migmux_wait: for memory the pump,
 *	and the feed with a spilled frame; for a frame the feed. Session's lock to change
 *	it. Who has freed memory reads it after that, without
 * @config_frame: the last frame, with the VMM's blob; session's lock until it is
 *	queued or received
 * @config_done: source: the blob is on its way; destination: it has come;
 *	session's lock
 */
struct migmux_device {
	struct migmux_session *session;
	u32 index;
	struct migmux_hook *hook;
	struct file *file;
	struct migmux_report_device *report;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	u32 instance_id;
	u32 flags;
	u32 weight;
	struct list_head channels;
	u32 nr_channels;
	bool gone;

	struct work_struct batch_work;
	struct work_struct load_work;
	enum vfio_device_mig_state state;
	int error;
	u64 arrived_ns;
	u32 plan_index;
	bool quiesced;
	bool stopped;

	struct migmux_mover mover;
	struct file *data_file;
	bool eof;
	bool adopted;
	u32 first_idx;
	struct migmux_precopy pre;
	bool final;
	u32 next_idx;
	u32 unsent;
	bool sent;
	u32 crc;
	u32 peer_crc;
	bool peer_said;
	struct migmux_gather gather;
	u64 came;
	u32 held;
	struct migmux_frame *frame;
	size_t offset;
	bool stalled[MIGMUX_NR_WAITS];
	struct migmux_frame config_frame;
	bool config_done;
};

int migmux_device_add(struct migmux_session *s, int fd, const char *idstr,
		      u32 instance_id, u32 weight, struct migmux_device **added);
void migmux_device_detach(struct migmux_device *dev);
void migmux_device_free(struct migmux_device *dev);
void migmux_device_gone(struct migmux_device *dev);
u32 migmux_device_session_id(const struct migmux_device *dev);
void migmux_device_set_state(struct migmux_device *dev, u32 state);
void migmux_device_first_frame(struct migmux_device *dev, u32 nr_channels, bool precopy);
bool migmux_device_sent_locked(struct migmux_device *dev, bool *all);
void migmux_device_sent_tell(struct migmux_device *dev, bool all);
void migmux_device_stopped_frame(struct migmux_device *dev);
void migmux_device_stall_locked(struct migmux_device *dev, enum migmux_wait wait,
				bool waits);
void migmux_device_set_error(struct migmux_device *dev, int err);
void migmux_device_set_data_file(struct migmux_device *dev, struct file *file);
void migmux_device_set_adopted(struct migmux_device *dev, bool adopted, u32 first_idx);
void migmux_device_put_data_file(struct migmux_device *dev);

#endif /* MIGMUX_DEVICE_H */
