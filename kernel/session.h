/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions: one open file of /dev/vfio/migmux each.
 *
 * Lock order, outermost first:
 *
 *   migmux_session.mutex > migmux_link_list.lock > channel list's lock
 *   migmux_session.mutex > migmux_hook_lock > migmux_hook.lock
 *   migmux_session.lock > migmux_mover.lock
 *
 *   migmux_dma.lock > migmux_report.lock
 *   migmux_report_list.lock > migmux_report.lock
 *
 * migmux_report.lock, migmux_events.lock and those at the right end are
 * innermost. No lock is held across a call of a driver's ops
 * or data file, or of a socket, but the session's mutex over the first look at
 * the devices' states, and over VFIO_MIGMUX_PRECOPY_INFO.
 */
#ifndef MIGMUX_SESSION_H
#define MIGMUX_SESSION_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "batch.h"
#include "device.h"
#include "dma.h"
#include "event.h"
#include "identity.h"
#include "mover.h"
#include "report.h"

struct migmux_channel;
struct migmux_link;
struct migmux_peer;
struct migmux_staging;
struct net;

/**
 * struct migmux_session - a migration's source or destination on this host
 * @ref: the open file holds one; each queued work and each frame in flight one. The
 *	last one frees
 * @net: namespace of the opener, with a reference
 * @owner: the process that acts here, empty before the first ioctl; @mutex to set
 * @report: what the outside sees, with a reference; has its own lock
 * @mutex: one ioctl at a time; protects the arrays below, @role, @link and the
 *	files of the devices. Never held while waiting for movers, batches or the
 *	peer, but see migmux_session_end()
 * @devices: by index; NULL when removed
 * @removed: by index: those that were removed, to be freed with the session
 * @nr_devices: indexes given out
 * @channels: by index; those of a link are the link's
 * @nr_channels: elements of @channels
 * @next_channel: id of the next channel that is added
 * @shared: channels of all devices; @mutex and @lock to change, either to look
 * @link: the attached link with a reference, or NULL
 * @role: what it does
 * @verdict: it waits for the peer's verdict, or gives one; constant once started
 * @verify: it verifies what is moved, with the verdict; constant once started
 * @no_p2p: devices without P2P are allowed; constant once started
 * @buffers: destination: the VMM hands in frames, too; constant once started
 * @adopted: the devices' data files were the VMM's, and so are the arcs, but those
 *	after a failure; constant once started
 * @no_config: source: the config frames are the VMM's; constant once started
 * @precopy: source: from VFIO_MIGMUX_SAVE_PRECOPY until the switchover
 * @asking: source: from VFIO_MIGMUX_SAVE_READY until the next VFIO_MIGMUX_SAVE: no device
 *	has moved
 * @peer: source: what the destination has said of itself, or NULL
 * @loading: destination: its devices are in RESUMING: it may say so
 * @recover: where devices go after a failure
 * @staging: memory for frames, from start to end; @lock to use
 * @max_held: destination: frames that a device may hold, but for its next one; constant
 *	once started
 * @max_spill: destination: most bytes beyond staging; constant once started
 * @max_state: destination: most bytes of state of a device, 0 is any; constant once started
 * @batch: the batch that runs, or ran last
 * @dma: memory that is mapped ahead of time; has its own lock
 * @events: what read() returns
 * @wq: waiters for milestones and batches, and poll
 * @buffer_wq: threads of the VMM whose frame waits for memory
 * @lock: protects frames, queues, gathers, staging and the counts below
 * @weights: source: sum over the devices that still read
 * @spilled: destination: bytes beyond staging
 * @failed: the session fails: no mover starts another step, no arc begins
 * @closing: its file is closed: what fails does not count any more, see end.c
 * @ending: after a failure end_work is queued
 * @ended: after a failure everything has stopped
 * @nr_quiesced: source: devices in a P2P state or beyond
 * @nr_stopped: source: devices in STOP or beyond
 * @nr_precopy: source: devices that came to PRE_COPY
 * @nr_acked: source: those whose initial data is written at the destination
 * @all_joined: source: all that can are in PRE_COPY
 * @nr_sent: source: devices whose last byte was taken by a socket
 * @nr_loaded: destination: devices that are in STOP with their new state
 * @nr_verdicts: source: channels on which a good verdict came
 * @nr_confirmed: channels on which the confirmation went or came
 * @nr_closed: destination: channels that the peer closed
 * @verdict_due: destination: all is loaded, the channels send the verdict
 * @confirm_due: source: all verdicts are good, the channels send the confirmation
 * @handed_over: the destination owns the devices, or is about to be told so:
 *	nothing fails or rolls back any more
 * @gate_work: lets a batch wait until memory is mapped; the batch's reference
 * @end_work: stops everything after a failure
 * @close_work: gives staging back when the file is closed
 * @later_work: closes the session when the last file was put by a thread that must not wait
 * @guard: is killed with the VMM, see guard.c
 * @guarded: it was started; session's mutex
 * @guard_work: sees to it that no channel keeps the session then
 * @gone_work: fails the session because a device is being unregistered
 * @reclaim_work: looks whether memory has come back, while movers run
 */
struct migmux_session {
	struct kref ref;
	struct net *net;
	struct migmux_identity owner;
	struct migmux_report *report;

	struct mutex mutex;	/* one ioctl at a time; the arrays */
	struct migmux_device *devices[MIGMUX_MAX_DEVICES];
	struct migmux_device *removed[MIGMUX_MAX_DEVICES];
	u32 nr_devices;
	struct migmux_channel *channels[MIGMUX_MAX_CHANNELS];
	u32 nr_channels;
	u32 next_channel;
	struct list_head shared;
	struct migmux_link *link;
	enum vfio_migmux_role role;
	bool verdict;
	bool verify;
	bool no_p2p;
	bool buffers;
	bool adopted;
	bool no_config;
	bool precopy;
	bool asking;
	struct migmux_peer *peer;
	bool loading;
	u32 recover;
	struct migmux_staging *staging;
	u32 max_held;
	u64 max_spill;
	u64 max_state;
	struct migmux_batch batch;
	struct migmux_dma dma;
	struct migmux_events events;
	wait_queue_head_t wq;
	wait_queue_head_t buffer_wq;

	spinlock_t lock;	/* frames, queues, gathers, staging, counts */
	u32 weights;
	u64 spilled;
	bool failed;
	bool closing;
	bool ending;
	bool ended;
	u32 nr_quiesced;
	u32 nr_stopped;
	u32 nr_precopy;
	u32 nr_acked;
	bool all_joined;
	u32 nr_sent;
	u32 nr_loaded;
	u32 nr_verdicts;
	u32 nr_confirmed;
	u32 nr_closed;
	bool verdict_due;
	bool confirm_due;
	bool handed_over;
	struct work_struct gate_work;
	struct work_struct end_work;
	struct work_struct close_work;
	struct work_struct later_work;
	struct migmux_mover guard;
	bool guarded;
	struct work_struct guard_work;
	struct work_struct gone_work;
	struct delayed_work reclaim_work;
};

/*
 * Arcs: unbound, so that devices run in parallel. What waits for arcs is queued
 * elsewhere.
 */
extern struct workqueue_struct *migmux_wq;

/* All devices that were not removed; @i is the device's index. */
#define migmux_session_for_each_device(s, dev, i)			\
	for ((i) = 0; ((dev) = migmux_session_device_from(s, &(i))); (i)++)

/* session.c: lifetime, devices together, channels together */
struct migmux_session *migmux_session_create(void);
void migmux_session_get(struct migmux_session *s);
void migmux_session_put(struct migmux_session *s);
void migmux_session_detach(struct migmux_session *s);
struct migmux_device *
migmux_session_device_from(const struct migmux_session *s, u32 *index);
u32 migmux_session_live(const struct migmux_session *s);
int migmux_session_drive(struct migmux_session *s);
void migmux_session_rest(struct migmux_session *s);
void migmux_session_wake_channels(struct migmux_session *s);
void migmux_session_wake_stalled(struct migmux_session *s);

/* start.c: the ways into a migration */
int migmux_session_save(struct migmux_session *s,
			const struct vfio_migmux_save *args);
int migmux_session_go(struct migmux_session *s, const struct vfio_migmux_save *args);
int migmux_session_switchover(struct migmux_session *s,
			      const struct vfio_migmux_save *args);
int migmux_session_load(struct migmux_session *s,
			const struct vfio_migmux_load *args);

/* end.c: the ways out of it */
void migmux_session_fail(struct migmux_session *s, int error, u32 device,
			 u32 channel, const char *fmt, ...) __printf(5, 6);
void migmux_session_killed(struct migmux_session *s);
void migmux_session_end_work(struct work_struct *work);
bool migmux_session_idle(struct migmux_session *s);
void migmux_session_stop_movers(struct migmux_session *s);
void migmux_session_close(struct migmux_session *s);
void migmux_session_close_later(struct migmux_session *s);

/* progress.c: milestones, phases, refusals: what the outside is told */
void migmux_session_milestone_locked(struct migmux_session *s, u32 milestone);
void migmux_session_milestone_tell(struct migmux_session *s, u32 milestone);
void migmux_session_milestone(struct migmux_session *s, u32 milestone);
u32 migmux_session_reached(struct migmux_session *s);
void migmux_session_phase_start(struct migmux_session *s, u32 device,
				enum vfio_migmux_phase phase);
void migmux_session_phase_end(struct migmux_session *s, u32 device,
			      enum vfio_migmux_phase phase, int err);
int migmux_session_refuse(struct migmux_session *s, int error,
			  const char *fmt, ...) __printf(3, 4);

/* verdict.c: who owns the devices in the end */
bool migmux_verdict_expected(struct migmux_channel *ch);
void migmux_verdict_decide(struct migmux_session *s);
void migmux_verdict_receive(struct migmux_channel *ch);
bool migmux_verdict_confirm_due(struct migmux_channel *ch);
void migmux_verdict_confirm(struct migmux_channel *ch);
void migmux_verdict_loaded(struct migmux_session *s);
void migmux_verdict_send(struct migmux_channel *ch);
void migmux_verdict_lost(struct migmux_channel *ch);
void migmux_verdict_await(struct migmux_channel *ch);
void migmux_verdict_send_failure(struct migmux_session *s);
void migmux_verdict_send_refusal(struct migmux_session *s);

#endif /* MIGMUX_SESSION_H */
