// SPDX-License-Identifier: GPL-2.0-only
/*
 * Movers. The rules that shape this file: a vhost_task has no file table; it
 * may end at any time by SIGKILL, and then calls handle_sigkill() unless
 * vhost_task_stop() came first; it must be stopped exactly once, and not by
 * itself.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/vhost_task.h>
#include <linux/task_work.h>

#include "mover.h"
#include "trace.h"

/*
 * A thread inherits the CPUs of the one that made it, and that may be pinned to a
 * single one. It may run where any thread of the process may.
 */
static void widen(void)
{
	struct task_struct *thread;
	cpumask_var_t mask;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	rcu_read_lock();
	for_each_thread(current, thread)
		cpumask_or(mask, mask, thread->cpus_ptr);
	rcu_read_unlock();
	set_cpus_allowed_ptr(current, mask);
	free_cpumask_var(mask);
}

static bool run(void *data)
{
	struct migmux_mover *mover = data;

	if (!mover->widened) {
		__set_current_state(TASK_RUNNING);
		widen();
		mover->widened = true;
		return true;
	}

	/* files that an AF_UNIX peer sent along: they are closed where signals are handled */
	if (task_work_pending(current)) {
		__set_current_state(TASK_RUNNING);
		set_thread_flag(TIF_NOTIFY_SIGNAL);
		return true;
	}

	/*
	 * Still TASK_INTERRUPTIBLE: a wake-up after ready() said no makes the
	 * schedule() that follows return at once.
	 */
	if (!mover->ops->ready(mover))
		return false;
	__set_current_state(TASK_RUNNING);
	/* a stop or kill signal: back to the loop that handles it */
	if (!signal_pending(current))
		mover->ops->step(mover);
	return true;
}

static void killed(void *data)
{
	struct migmux_mover *mover = data;

	mover->ops->killed(mover);
}

/*
 * A thread is not created while a signal is pending: the call is to begin again once that
 * was delivered. A VMM with a timer would then begin forever, if what came before takes as
 * long as the timer. So signals wait, but those that end or stop the VMM.
 */
static struct vhost_task *create(struct migmux_mover *mover, const char *name)
{
	struct vhost_task *task;
	sigset_t wait, before;

	siginitsetinv(&wait, sigmask(SIGKILL) | sigmask(SIGSTOP));
	sigprocmask(SIG_BLOCK, &wait, &before);
	task = vhost_task_create(run, killed, mover, name);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return task;
}

/**
 * migmux_mover_init() - prepare a mover that is not running
 * @mover: the mover
 */
void migmux_mover_init(struct migmux_mover *mover)
{
	spin_lock_init(&mover->lock);
	mover->task = NULL;
}

/**
 * migmux_mover_start() - create the thread and let it run
 * @mover: the mover, not running
 * @ops: what it does
 * @name: name of the thread, 15 characters are shown
 *
 * Context: the VMM's ioctl: the thread is a copy of the current one. Sleeps.
 * Return: 0, or the error of creating a thread: -EAGAIN, -ENOMEM, -ERESTARTNOINTR (the
 * VMM is to stop, or to end).
 */
int migmux_mover_start(struct migmux_mover *mover,
		       const struct migmux_mover_ops *ops, const char *name)
{
	struct vhost_task *task;

	mover->ops = ops;
	mover->widened = false;
	task = create(mover, name);
	/* NULL is what the first kernels of 6.12 say of any error */
	if (IS_ERR_OR_NULL(task))
		return task ? PTR_ERR(task) : -ENOMEM;
	spin_lock_irq(&mover->lock);
	mover->task = task;
	spin_unlock_irq(&mover->lock);
	trace_migmux_object_create("mover", mover);
	vhost_task_start(task);
	return 0;
}

/**
 * migmux_mover_wake() - make the mover look whether it is ready
 * @mover: the mover, whether running or not
 *
 * Context: any but hard irq.
 */
void migmux_mover_wake(struct migmux_mover *mover)
{
	unsigned long flags;

	/* from a socket's wait queue, which may have irqs off */
	spin_lock_irqsave(&mover->lock, flags);
	if (mover->task)
		vhost_task_wake(mover->task);
	spin_unlock_irqrestore(&mover->lock, flags);
}

/**
 * migmux_mover_stop() - end the thread
 * @mover: the mover; nothing happens if it is not running
 *
 * Waits for the step it is in. Afterwards neither ops function runs.
 *
 * Context: sleeps. Not from a mover. Calls must not overlap.
 */
void migmux_mover_stop(struct migmux_mover *mover)
{
	struct vhost_task *task;
	unsigned long flags;

	spin_lock_irqsave(&mover->lock, flags);
	task = mover->task;
	mover->task = NULL;
	spin_unlock_irqrestore(&mover->lock, flags);
	if (!task)
		return;
	vhost_task_stop(task);
	trace_migmux_object_destroy("mover", mover);
}
