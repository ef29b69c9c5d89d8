/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Movers: threads of the VMM that move bytes. A vhost_task gives them the VMM's
 * address space, cgroup, limits and lifetime.
 */
#ifndef MIGMUX_MOVER_H
#define MIGMUX_MOVER_H

#include <linux/spinlock.h>

struct migmux_mover;
struct vhost_task;

/**
 * struct migmux_mover_ops - what a mover does
 * @ready: is there something to do? Called in state TASK_INTERRUPTIBLE: takes
 *	spinlocks at the most
 * @step: do one bounded piece of it. May sleep. With a signal pending it must
 *	not start a read of a device: some drivers lose bytes then
 * @killed: the VMM is being killed and the mover ends. Called at most once, and
 *	not if migmux_mover_stop() came first; must not stop the mover itself
 */
struct migmux_mover_ops {
	bool (*ready)(struct migmux_mover *mover);
	void (*step)(struct migmux_mover *mover);
	void (*killed)(struct migmux_mover *mover);
};

/**
 * struct migmux_mover - one such thread
 * @ops: what it does; constant while it runs
 * @widened: it has looked on which CPUs it may run; the thread's
 * @lock: protects @task against migmux_mover_stop(); innermost, irq-safe
 * @task: the thread, NULL before start and after stop
 */
struct migmux_mover {
	const struct migmux_mover_ops *ops;
	bool widened;
	spinlock_t lock;	/* protects task */
	struct vhost_task *task;
};

void migmux_mover_init(struct migmux_mover *mover);
int migmux_mover_start(struct migmux_mover *mover,
		       const struct migmux_mover_ops *ops, const char *name);
void migmux_mover_wake(struct migmux_mover *mover);
void migmux_mover_stop(struct migmux_mover *mover);

#endif /* MIGMUX_MOVER_H */
