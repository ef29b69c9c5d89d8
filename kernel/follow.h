/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transparent batching: when a VMM moves one member of a set, the others follow
 * before it asks.
 */
#ifndef MIGMUX_FOLLOW_H
#define MIGMUX_FOLLOW_H

#include <linux/vfio.h>

struct migmux_early;
struct migmux_hook;
struct migmux_member;
struct migmux_set;

/* follow.c: the VMM's calls */
struct file *migmux_follow_call(struct migmux_member *m, struct migmux_hook *hook,
				enum vfio_device_mig_state target);
int migmux_follow_get_state(struct migmux_member *m, struct migmux_hook *hook,
			    enum vfio_device_mig_state *state);
void migmux_follow_close(struct migmux_member *m);

/* meet.c: the barrier at P2P */
int migmux_meet(struct migmux_member *m, struct migmux_hook *hook,
		enum vfio_device_mig_state *from, u32 target, bool *met);

/* early.c: what is started before the VMM asks */
void migmux_early_start_locked(struct migmux_member *m, u32 at, u32 to);
bool migmux_early_take_locked(struct migmux_member *m, struct migmux_early *early);
bool migmux_early_busy_locked(const struct migmux_member *m);
void migmux_early_release(struct migmux_early *early);
void migmux_early_work(struct work_struct *work);
void migmux_early_await_locked(struct migmux_member *m);
void migmux_early_awaited(struct migmux_member *m);
void migmux_early_tick(struct work_struct *work);
void migmux_early_settle(struct migmux_member *m);
int migmux_slot_get(struct migmux_set *set);
void migmux_slot_put(struct migmux_set *set);
void migmux_slot_check(struct migmux_set *set);

#endif /* MIGMUX_FOLLOW_H */
