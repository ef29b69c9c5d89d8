/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry of devices that can migrate, and the interposition in their
 * migration ops.
 */
#ifndef MIGMUX_HOOK_H
#define MIGMUX_HOOK_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/netlink.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include <linux/wait.h>

#include <uapi/linux/vfio_migmux_netlink.h>

struct migmux_device;
struct migmux_member;

/**
 * struct migmux_hook - a device that can migrate
 * @ref: the registry holds one reference as long as the device is registered,
 *	and so does everyone to whom a migmux_hook_get_by_*() returned it
 * @node: in the registry; migmux_hook_lock
 * @serial: rises along the registry; constant
 * @hash: to find it by @vdev; see interpose.c
 * @vdev: the device; its memory is there as long as the device is registered
 *	or its VFIO file is held
 * @name: its handle, "pci/0000:3b:00.1"; constant
 * @driver: the VFIO driver's name; constant
 * @mapping: of all its VFIO files; only to compare with; constant
 * @orig: the driver's own migration ops; constant
 * @ops: what replaces them; constant once it is published in @vdev
 * @orig_device: the driver's own device ops; constant
 * @device_ops: what replaces them: a copy that tells when the device is closed;
 *	constant as @ops
 * @users: sessions and sets that hook the device; migmux_hook_lock
 * @followed: one of @users is the set of @member; migmux_hook_lock
 * @pinned: an operator hooked it; migmux_hook_lock
 * @gone: the device is unregistered: never hook it again; migmux_hook_lock
 * @lock: protects @owner, @member and @left_file; innermost
 * @owner: the session's device that holds it, or NULL. Valid until the owner
 *	calls migmux_hook_release(), under @lock also against that
 * @gate: the calls from elsewhere that are inside the driver now, and
 *	MIGMUX_HOOK_DRIVEN: @owner's session is in a step, no more of them come in.
 *	A word of its own, because it is all that a call from elsewhere pays
 * @idle: woken when the last of them has left a device that is driven
 * @member: its place in a set, with a reference, or NULL; migmux_set_lock too to
 *	change
 * @left_file: a data file that a set got from the driver and could not give back when
 *	the device left it; for the call that asks for @left_state, which is the
 *	device's. It keeps the device hooked; @lock
 * @left_state: see @left_file
 * @arcs: state changes from elsewhere that went through the hook
 * @refused: state changes from elsewhere that were refused
 */
struct migmux_hook {
	struct kref ref;
	struct list_head node;
	unsigned long serial;
	struct hlist_node hash;
	struct vfio_device *vdev;
	char name[VFIO_MIGMUX_HANDLE_MAX + 1];
	char driver[32];
	const struct address_space *mapping;
	const struct vfio_migration_ops *orig;
	struct vfio_migration_ops ops;
	const struct vfio_device_ops *orig_device;
	struct vfio_device_ops device_ops;
	u32 users;
	bool followed;
	bool pinned;
	bool gone;
	spinlock_t lock;	/* protects what follows, up to left_state */
	struct migmux_device *owner;
	struct migmux_member *member;
	struct file *left_file;
	u32 left_state;
	atomic_t gate;
	wait_queue_head_t idle;
	atomic_t arcs;
	atomic_t refused;
};

/* in &migmux_hook.gate; there are never as many tasks as it has bits below */
#define MIGMUX_HOOK_DRIVEN	BIT(30)

/* A consistent copy of what netlink shows of a hook. */
struct migmux_hook_info {
	char name[VFIO_MIGMUX_HANDLE_MAX + 1];
	char driver[32];
	char set[VFIO_MIGMUX_NAME_MAX + 1];
	u32 migration_flags;
	u32 users;
	u32 session;
	u32 arcs;
	u32 refused;
	bool hooked;
	bool pinned;
	bool gone;
};

/* hook.c: the registry, and who hooks a device */
int migmux_hook_init(struct device *parent);
void migmux_hook_exit(void);

struct migmux_hook *migmux_hook_get_by_name(const char *name);
struct migmux_hook *migmux_hook_get_by_file(struct file *file);
void migmux_hook_get(struct migmux_hook *hook);
void migmux_hook_put(struct migmux_hook *hook);

int migmux_hook_pin(struct migmux_hook *hook, struct netlink_ext_ack *extack);
int migmux_hook_unpin(struct migmux_hook *hook, struct netlink_ext_ack *extack);
int migmux_hook_info_next(unsigned long *serial, struct migmux_hook_info *info);
void migmux_hook_info_get(struct migmux_hook *hook, struct migmux_hook_info *info);

int migmux_hook_hold(struct migmux_hook *hook, struct migmux_device *owner);
void migmux_hook_release(struct migmux_hook *hook);
void migmux_hook_all(bool on);
int migmux_hook_join(struct migmux_hook *hook, struct migmux_member *member);
void migmux_hook_follow(struct migmux_hook *hook);
void migmux_hook_leave_set(struct migmux_hook *hook);
void migmux_hook_review(struct migmux_hook *hook);
bool migmux_hook_file_is_open(struct file *file);
/* hook_set.c: what sets ask of it */
struct migmux_member *migmux_hook_member(struct migmux_hook *hook);
bool migmux_hook_can_follow(struct migmux_hook *hook, u32 from, u32 to);
struct file *migmux_hook_leave_file(struct migmux_hook *hook, u32 state,
				    struct file *file);
struct file *migmux_hook_take_file(struct migmux_hook *hook, u32 state);
struct file *migmux_hook_find_file(struct migmux_hook *hook);
/* interpose.c: who is inside */
bool migmux_hook_enter(struct migmux_hook *hook);
void migmux_hook_leave(struct migmux_hook *hook);
/* drive.c: what the owner does with it */
int migmux_hook_drive(struct migmux_hook *hook);
void migmux_hook_rest(struct migmux_hook *hook);

struct file *migmux_hook_set_state(struct migmux_hook *hook,
				   enum vfio_device_mig_state state);
int migmux_hook_get_data_size(struct migmux_hook *hook, u64 *bytes);
int migmux_hook_get_state(struct migmux_hook *hook,
			  enum vfio_device_mig_state *state);

#endif /* MIGMUX_HOOK_H */
