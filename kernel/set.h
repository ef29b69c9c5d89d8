/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets: the devices of one VM, which migrate together although their VMM moves
 * them one by one.
 *
 * Lock order, outermost first:
 *
 *   migmux_set_lock > migmux_hook_lock > migmux_hook.lock
 *   migmux_set_lock > migmux_set.lock > migmux_hook.lock
 *   migmux_set_lock > migmux_set.timeline_lock > migmux_report_list.lock
 *
 * VFIO's lock of the device's set is outside of all of them when a device is
 * closed, the class's mutex when one is registered or unregistered.
 *
 * No lock is held across a call of a driver, or while waiting for one.
 */
#ifndef MIGMUX_SET_H
#define MIGMUX_SET_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <uapi/linux/vfio_migmux_netlink.h>

#include "identity.h"
#include "report.h"

struct file;
struct migmux_hook;
struct migmux_report;
struct netlink_ext_ack;
struct pid;

/* Of a set whose operator says nothing else: what every VMM does for a whole VM. */
#define MIGMUX_SET_DEFAULT_POLICY	(VFIO_MIGMUX_SET_POLICY_STOP | \
					 VFIO_MIGMUX_SET_POLICY_COPY | \
					 VFIO_MIGMUX_SET_POLICY_START)
#define MIGMUX_SET_DEFAULT_TIMEOUT_MS	5000

/* What a set counts, as netlink shows it; saved_ns in ns. */
struct migmux_set_counters {
	u32 early_starts;
	u32 claims;
	u32 take_backs;
	u32 errors;
	u64 saved_ns;
};

/* What an operator chooses, see the netlink spec. */
struct migmux_set_config {
	u32 policy;
	u32 max_parallel;
	u32 claim_timeout_ms;
	bool allow_no_p2p;
};

/**
 * enum migmux_early_state - what was started for a member before its VMM asked
 * @MIGMUX_EARLY_NONE: nothing
 * @MIGMUX_EARLY_QUEUED: it waits because max-parallel others run; a call of the
 *	VMM cancels it
 * @MIGMUX_EARLY_RUNNING: a worker is in the driver, or about to look at it
 * @MIGMUX_EARLY_DONE: its result waits for the VMM's call
 * @MIGMUX_EARLY_BACK: a worker takes it back
 */
enum migmux_early_state {
	MIGMUX_EARLY_NONE,
	MIGMUX_EARLY_QUEUED,
	MIGMUX_EARLY_RUNNING,
	MIGMUX_EARLY_DONE,
	MIGMUX_EARLY_BACK,
};

/**
 * struct migmux_early - a state change that was started early
 * @state: see above
 * @kept: nobody could take it back: it waits for the VMM without limit
 * @shown: the state that the VMM last asked for, and is shown
 * @at: where the device is, or was when the change began
 * @to: where it goes; in DONE without @error, where it is
 * @error: negative errno of the change, kept for the VMM's own call
 * @file: data file that the driver gave, with a reference
 * @start_ns: when the first of the changes since @shown began
 * @end_ns: when the last one ended
 * @since_ns: since when it waits for the VMM's call
 * @id: the process that the device belongs to; not empty unless NONE
 */
struct migmux_early {
	enum migmux_early_state state;
	bool kept;
	u32 shown;
	u32 at;
	u32 to;
	int error;
	struct file *file;
	u64 start_ns;
	u64 end_ns;
	u64 since_ns;
	struct migmux_identity id;
};

/**
 * struct migmux_member - a device's place in a set
 * @ref: the set's list holds one, the hook one, each call inside and each queued
 *	work one
 * @set: with a reference; constant
 * @node: in the set's list; set's lock
 * @name: the device's handle; constant
 * @hook: the device with a reference, or NULL while there is none;
 *	migmux_set_lock and the set's lock to change, and only when @early is NONE
 *	and @leaving
 * @leaving: nothing is started early any more; set's lock
 * @driver: the process that moved the device since it was opened, with a
 *	reference, or NULL; set's lock
 * @seen: the state that @driver last got; only worth anything as long as the device
 *	is there; set's lock
 * @faulty: its last arc failed: it does not follow until the VMM moved it;
 *	set's lock
 * @calls: calls of the VMM that are inside; set's lock
 * @met: how many of these wait at, or have passed, P2P together with the others;
 *	set's lock
 * @awaited: calls of other members that wait for this one at P2P: @early is not taken
 *	back meanwhile; set's lock
 * @early: set's lock. While a worker runs or takes back it is the worker's, but
 *	for what others only read
 * @counters: set's lock
 * @work: runs, or takes back
 * @timeline: id of the report that has this device; set's timeline lock
 * @line: its line there
 * @began: it has left RUNNING or PRE_COPY in this timeline; timeline lock
 * @over: its state is saved, what it does now is not the switchover's; likewise
 */
struct migmux_member {
	struct kref ref;
	struct migmux_set *set;
	struct list_head node;
	char name[VFIO_MIGMUX_HANDLE_MAX + 1];
	struct migmux_hook *hook;
	bool leaving;
	struct pid *driver;
	u32 seen;
	bool faulty;
	u32 calls;
	u32 met;
	u32 awaited;
	struct migmux_early early;
	struct migmux_set_counters counters;
	struct work_struct work;

	u32 timeline;
	struct migmux_report_device *line;
	bool began;
	bool over;
};

/**
 * struct migmux_set - devices that must migrate together
 * @ref: the list of sets holds one, each member one, each user of
 *	migmux_set_get() one
 * @node: in the list of sets; migmux_set_lock
 * @serial: rises along the list; constant
 * @name: constant
 * @owner: process of an automatic set with a reference, NULL of an operator's;
 *	constant
 * @dying: deleted, not in the list any more; migmux_set_lock
 * @lock: protects all that follows up to @wq, and what the members say
 * @config: what the operator chose
 * @members: all members
 * @nr_members: their number
 * @nr_present: members that have a device
 * @running: state changes that are in a driver now, if @config limits them
 * @waiting: calls of the VMM that wait for @running to fall
 * @wq: woken when a change ends, or a member has met
 * @tick: looks for results that nobody claimed in time
 * @timeline_lock: protects @timeline_closed and @report
 * @timeline_closed: there is no further report
 * @report: the switchover that is under way, or the last one, or NULL; with a
 *	reference
 */
struct migmux_set {
	struct kref ref;
	struct list_head node;
	unsigned long serial;
	char name[VFIO_MIGMUX_NAME_MAX + 1];
	struct pid *owner;
	bool dying;

	spinlock_t lock;	/* see above */
	struct migmux_set_config config;
	struct list_head members;
	u32 nr_members;
	u32 nr_present;
	u32 running;
	u32 waiting;
	wait_queue_head_t wq;
	struct delayed_work tick;

	struct mutex timeline_lock;	/* see above */
	bool timeline_closed;
	struct migmux_report *report;
};

#define migmux_set_for_each(set, m)					\
	list_for_each_entry(m, &(set)->members, node)

/* What netlink shows of a member, and of a set. */
struct migmux_member_info {
	char name[VFIO_MIGMUX_HANDLE_MAX + 1];
	bool present;
	bool driven;
	bool pending;
	struct migmux_set_counters counters;
};

struct migmux_set_info {
	char name[VFIO_MIGMUX_NAME_MAX + 1];
	struct migmux_set_config config;
	bool automatic;
	bool gone;
	u32 pid;
	u32 timeline;
	u32 nr_members;
	struct migmux_member_info members[] __counted_by(nr_members);
};

/* set.c: which sets there are */
extern struct mutex migmux_set_lock;

struct migmux_set *migmux_set_create(const char *name, struct pid *owner,
				     const struct migmux_set_config *config);
void migmux_set_put(struct migmux_set *set);
struct migmux_set *migmux_set_find(const char *name);
struct migmux_set *migmux_set_find_owner(const struct pid *owner);
struct migmux_member *migmux_set_find_waiting(const char *handle);
void migmux_set_configure(struct migmux_set *set,
			  const struct migmux_set_config *config);
void migmux_set_delete(struct migmux_set *set);
struct migmux_set_info *migmux_set_info(struct migmux_set *set);
int migmux_set_info_next(unsigned long *serial, struct migmux_set_info **info);
void migmux_set_exit(void);

/* member.c: who is in them */
int migmux_member_add(struct migmux_set *set, const char *name,
		      struct netlink_ext_ack *extack);
struct migmux_member *migmux_member_find(struct migmux_set *set, const char *name);
int migmux_member_check_p2p(struct migmux_set *set, struct migmux_hook *hook,
			    struct netlink_ext_ack *extack);
void migmux_member_leave(struct migmux_member *m);
void migmux_member_drop(struct migmux_member *m);
void migmux_member_get(struct migmux_member *m);
void migmux_member_put(struct migmux_member *m);
void migmux_member_device_new(struct migmux_hook *hook);
void migmux_member_device_gone(struct migmux_hook *hook);

/* auto.c: sets that make themselves */
void migmux_auto_set(bool enabled, const struct migmux_set_config *config);
bool migmux_auto_get(struct migmux_set_config *config);
struct migmux_member *migmux_auto_join(struct migmux_hook *hook);
void migmux_auto_leave(struct migmux_member *m);

/* timeline.c: what a switchover looked like */
void migmux_timeline_start(struct migmux_member *m, u32 from, u32 to);
void migmux_timeline_end(struct migmux_member *m, u32 from, u32 to, int error);
u32 migmux_timeline_id(struct migmux_set *set);
void migmux_timeline_close(struct migmux_set *set);
void migmux_set_event(struct migmux_member *m,
		      enum vfio_migmux_set_event_type type, u32 from, u32 to,
		      int error, u64 saved_ns);

#endif /* MIGMUX_SET_H */
