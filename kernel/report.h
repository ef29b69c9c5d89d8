/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the outside sees of a session: its timeline, milestones and errors.
 * A report outlives its session, so that netlink never looks into a session.
 */
#ifndef MIGMUX_REPORT_H
#define MIGMUX_REPORT_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <uapi/linux/vfio_migmux.h>
#include <uapi/linux/vfio_migmux_netlink.h>

struct net;

/* Devices that a session can hold. */
#define MIGMUX_MAX_DEVICES	64
/* Channels that a session or a link can hold: the wire's channel id is a u8. */
#define MIGMUX_MAX_CHANNELS	255

/* For what the path of a device's state can wait. */
enum migmux_wait {
	MIGMUX_WAIT_STAGING,
	MIGMUX_WAIT_WIRE,
	MIGMUX_NR_WAITS
};

/* Records of closed sessions that a network namespace keeps. */
#define MIGMUX_MAX_RECORDS	32

/**
 * struct migmux_report_device - one device of a report
 * @handle: its name; constant
 * @idstr: its identity on the wire; constant
 * @instance_id: second half of that; constant
 * @weight: its part of what devices share, 0 in the timeline of a set; constant
 * @has_method: it has had a data file
 * @method: how that is read, or written
 * @removed: VFIO_MIGMUX_DEVICE_REMOVE took it out; not shown any more
 * @waiting: who waits for staging memory, and for the wire, now; the report's lock
 * @t: its timeline, in the form in which ioctl and netlink show it. While somebody waits,
 *	the sum of that kind lacks what migmux_report_device_show() adds
 */
struct migmux_report_device {
	char handle[VFIO_MIGMUX_HANDLE_MAX + 1];
	char idstr[VFIO_MIGMUX_IDSTR_SIZE];
	u32 instance_id;
	u32 weight;
	bool has_method;
	enum vfio_migmux_read_method method;
	bool removed;
	u32 waiting[MIGMUX_NR_WAITS];
	struct vfio_migmux_timeline_device t;
};

/* Targets for DMA that a session can have: all, and a device, fit into one message. */
#define MIGMUX_MAX_TARGETS	12

/**
 * struct migmux_report_target - memory that is mapped for DMA by one target
 * @kind: what the target is
 * @space: its IOAS or address space
 * @ranges: how many it has
 * @failed: of them, those that cannot be mapped
 * @bytes: of all ranges
 * @mapped: of them, bytes that are mapped
 * @start_ns: when mapping began; 0 before
 * @end_ns: when nothing was left to do; 0 while something is
 */
struct migmux_report_target {
	enum vfio_migmux_dma_kind kind;
	u32 space;
	u32 ranges;
	u32 failed;
	u64 bytes;
	u64 mapped;
	u64 start_ns;
	u64 end_ns;
};

/**
 * struct migmux_report - all that is shown of a session
 * @ref: the session holds one until it is freed, the namespace's list one until
 *	the record falls out of it, readers one each
 * @node: in the namespace's list; that list's lock
 * @closed_node: in the list of the closed ones; that list's lock
 * @id: number of the session, unique since the module was loaded; constant
 * @pid: process that opened it, in the initial pid namespace; constant
 * @comm: its name; constant
 * @lock: protects all that follows; innermost, not taken in softirq or irq
 * @role: enum vfio_migmux_role
 * @link: name of the attached link or ""
 * @set: name of the set whose switchover this is, or ""
 * @closed: the session's file is closed
 * @milestones: VFIO_MIGMUX_MILESTONE_* reached
 * @milestone_ns: when, by bit number
 * @error: positive errno of the failure, else of the last refused ioctl
 * @failed: @error is the session's failure and stays
 * @error_device: index or VFIO_MIGMUX_INDEX_NONE
 * @error_channel: index or VFIO_MIGMUX_INDEX_NONE
 * @text: the error in words
 * @staging_budget: bytes
 * @staging_peak: bytes
 * @spill_peak: bytes, beyond the staging
 * @nr_targets: elements of @targets
 * @targets: memory that is mapped for DMA
 * @nr_devices: elements of @devices
 * @devices: in the order of their index; each allocated on its own, freed with
 *	the report
 */
struct migmux_report {
	struct kref ref;
	struct list_head node;
	struct list_head closed_node;
	u32 id;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	spinlock_t lock;	/* protects all that follows */
	enum vfio_migmux_role role;
	char link[VFIO_MIGMUX_LINK_NAME_SIZE];
	char set[VFIO_MIGMUX_NAME_MAX + 1];
	bool closed;
	u32 milestones;
	u64 milestone_ns[16];
	int error;
	bool failed;
	u32 error_device;
	u32 error_channel;
	char text[VFIO_MIGMUX_TEXT_SIZE];
	u64 staging_budget;
	u64 staging_peak;
	u64 spill_peak;
	u32 nr_targets;
	struct migmux_report_target targets[MIGMUX_MAX_TARGETS];
	u32 nr_devices;
	struct migmux_report_device *devices[MIGMUX_MAX_DEVICES];
};

struct migmux_report *migmux_report_create(struct net *net);
void migmux_report_close(struct net *net, struct migmux_report *report);
void migmux_report_put(struct migmux_report *report);
struct migmux_report *migmux_report_get(struct net *net, u32 id);
struct migmux_report *migmux_report_get_after(struct net *net, u32 id);

struct migmux_report_device *
migmux_report_device_add(struct migmux_report *report, const char *handle,
			 const char *idstr, u32 instance_id, u32 weight);
void migmux_report_span_start(struct migmux_report *report, u32 device,
			      enum vfio_migmux_phase phase);
void migmux_report_span_end(struct migmux_report *report, u32 device,
			    enum vfio_migmux_phase phase);
void migmux_report_wait(struct migmux_report *report, struct migmux_report_device *dev,
			enum migmux_wait wait, bool *known, bool waits);
void migmux_report_device_show(const struct migmux_report_device *dev, u64 now,
			       struct vfio_migmux_timeline_device *shown);
void migmux_report_settle_locked(struct migmux_report *report);

/**
 * struct migmux_report_copy - a consistent copy of a report
 * @r: the report's fields; @r.devices, its lists and its lock mean nothing here
 * @devices: @r.nr_devices of them
 */
struct migmux_report_copy {
	struct migmux_report r;
	struct migmux_report_device devices[];
};

struct migmux_report_copy *migmux_report_copy(struct migmux_report *report);

/* per network namespace; called from net.c */
struct migmux_report_list {
	spinlock_t lock;	/* protects the rest; outside of a report's lock */
	struct list_head head;	/* reports, id rising; each holds a reference */
	struct list_head closed;	/* those of closed sessions, in that order */
	u32 nr_closed;		/* elements of @closed */
};

void migmux_report_list_init(struct migmux_report_list *list);
void migmux_report_list_exit(struct migmux_report_list *list);

#endif /* MIGMUX_REPORT_H */
