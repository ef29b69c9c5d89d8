// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory mapped for DMA ahead of time, by movers: threads of the VMM, so that its limits,
 * capabilities and cgroup apply.
 *
 * What is worked on is in the tables of the targets, under a lock that is never held
 * while a target is called. A mover takes a piece from a table, calls, and gives it back;
 * what it was interrupted in it does again.
 *
 * The end, by failure or close:
 *
 * 1. The session has failed, or its last file is gone: no mover takes another piece, and
 *    no ioctl runs that could add a range.
 * 2. Movers take away what devices may not use yet. One that waits in a call for memory
 *    that never comes, as user space can arrange, ends when its process is killed, as any
 *    thread of it would. If the process is going, so are its descriptors: then it is
 *    the targets' own business, as if the process had mapped everything itself.
 * 3. Movers are stopped.
 * 4. The targets' files are put when the session gives back all that it holds.
 */
#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dma.h"
#include "session.h"
#include "trace.h"

static const struct migmux_dma_ops *const kinds[] = {
	&migmux_dma_type1_ops,
	&migmux_dma_iommufd_ops,
	&migmux_dma_vdpa_ops,
};

/**
 * migmux_dma_init() - of a new session
 * @s: the session
 */
void migmux_dma_init(struct migmux_session *s)
{
	spin_lock_init(&s->dma.lock);
}

/* --- working ------------------------------------------------------------------------- */

/* All is done that is to be done for now: the device can have it. */
static bool must_end(const struct migmux_dma_target *t)
	__must_hold(&t->session->dma.lock)
{
	lockdep_assert_held(&t->session->dma.lock);
	return t->batch && !migmux_dma_table_ready(&t->table) &&
	       !migmux_dma_table_busy(&t->table);
}

/*
 * EFAULT may be about the answer, when the deed is done. What is taken away once more is
 * gone for sure, and what is not said to be mapped must not be. But where mapping has no
 * answer, EFAULT says that nothing was mapped, and what is there is somebody else's.
 */
static int call(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	const struct migmux_dma_ops *ops = t->ops;
	int err = piece->unmap ? ops->unmap(t, piece) : ops->map(t, piece);

	if (err != -EFAULT)
		return err;
	if (piece->unmap)
		return ops->unmap(t, piece);
	if (ops->map_answers)
		ops->unmap(t, piece);
	return err;
}

/* Map a piece, or take it away. */
static int work(struct migmux_dma_target *t, const struct migmux_dma_piece *piece)
{
	int err;

	if (t->batches && !t->batch) {
		err = t->ops->begin(t);
		if (err)
			return err;
		spin_lock(&t->session->dma.lock);
		t->batch = true;
		spin_unlock(&t->session->dma.lock);
	}
	err = call(t, piece);
	trace_migmux_dma(t->session->report->id, t->index, piece->unmap, piece->iova,
			 piece->size, err);
	return err;
}

/* The last piece is done for now. */
static void end_batch(struct migmux_dma_target *t)
{
	int err = t->ops->end(t);

	spin_lock(&t->session->dma.lock);
	t->batch = false;
	t->error = err;
	spin_unlock(&t->session->dma.lock);
}

static struct migmux_dma_worker *worker_of(struct migmux_mover *mover)
{
	return container_of(mover, struct migmux_dma_worker, mover);
}

static bool ready(struct migmux_mover *mover)
{
	struct migmux_dma_worker *w = worker_of(mover);
	struct migmux_dma_target *t = w->target;
	struct migmux_session *s = t->session;
	bool is_ready;

	if (READ_ONCE(s->dma.dead) ||
	    (READ_ONCE(s->failed) && !READ_ONCE(s->dma.undo)))
		return false;
	spin_lock(&s->dma.lock);
	is_ready = w->has_piece || migmux_dma_table_ready(&t->table) || must_end(t);
	spin_unlock(&s->dma.lock);
	return is_ready;
}

static bool take(struct migmux_dma_worker *w, bool *end)
{
	struct migmux_dma_target *t = w->target;

	spin_lock(&t->session->dma.lock);
	/* one that a signal has interrupted */
	if (w->has_piece && !w->piece.unmap && t->session->dma.undo) {
		migmux_dma_table_settle(&t->table, &w->piece, -EINTR);
		w->has_piece = false;
	}
	if (!w->has_piece)
		w->has_piece = migmux_dma_table_next(&t->table, &w->piece);
	if (w->has_piece && !t->start_ns)
		t->start_ns = ktime_get_ns();
	*end = !w->has_piece && must_end(t);
	spin_unlock(&t->session->dma.lock);
	return w->has_piece;
}

static void settle(struct migmux_dma_worker *w, int err)
{
	struct migmux_dma_target *t = w->target;
	u32 i;

	spin_lock(&t->session->dma.lock);
	migmux_dma_table_settle(&t->table, &w->piece, err);
	w->has_piece = false;
	spin_unlock(&t->session->dma.lock);
	/* what waited until something was taken away can be mapped by all of them */
	for (i = 0; i < t->nr_workers; i++)
		if (&t->workers[i] != w)
			migmux_mover_wake(&t->workers[i].mover);
}

/* Interrupted by what does not kill: the same again, when the signal is handled. */
static bool again(int err)
{
	return (err == -EINTR || err == -ERESTARTSYS) && signal_pending(current) &&
	       !fatal_signal_pending(current);
}

static void step(struct migmux_mover *mover)
{
	struct migmux_dma_worker *w = worker_of(mover);
	struct migmux_dma_target *t = w->target;
	bool end;
	int err;

	if (take(w, &end)) {
		err = work(t, &w->piece);
		if (again(err))
			return;
		settle(w, err == -ERESTARTSYS ? -EINTR : err);
	} else if (end) {
		end_batch(t);
	}
	migmux_dma_tell(t->session);
}

static void killed(struct migmux_mover *mover)
{
	struct migmux_dma_worker *w = worker_of(mover);

	migmux_session_killed(w->target->session);
}

static const struct migmux_mover_ops worker_ops = {
	.ready = ready,
	.step = step,
	.killed = killed,
};

/**
 * migmux_dma_wake() - there may be something to do for movers
 * @s: the session
 */
void migmux_dma_wake(struct migmux_session *s)
{
	struct migmux_dma_target *t;
	u32 i, j, n;

	spin_lock(&s->dma.lock);
	n = s->dma.nr_targets;
	spin_unlock(&s->dma.lock);
	for (i = 0; i < n; i++) {
		t = s->dma.targets[i];
		for (j = 0; j < t->nr_workers; j++)
			migmux_mover_wake(&t->workers[j].mover);
	}
}

/* --- targets ------------------------------------------------------------------------- */

/**
 * migmux_dma_find() - a target that the session has
 * @s: the session
 * @file: its file
 * @space: as the VMM calls it
 *
 * Context: the session's mutex is held.
 * Return: the target, or NULL.
 */
struct migmux_dma_target *migmux_dma_find(struct migmux_session *s,
					  const struct file *file, u32 space)
{
	u32 i;

	lockdep_assert_held(&s->mutex);
	for (i = 0; i < s->dma.nr_targets; i++)
		if (s->dma.targets[i]->file == file && s->dma.targets[i]->space == space)
			return s->dma.targets[i];
	return NULL;
}

static const struct migmux_dma_ops *kind_of(struct file *file)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i]->matches(file))
			return kinds[i];
	return NULL;
}

static void put_files(struct migmux_dma_target *t)
{
	while (t->nr_kept)
		fput(t->kept[--t->nr_kept]);
	if (t->file)
		fput(t->file);
	t->file = NULL;
}

/**
 * migmux_dma_target_create() - a new target, not in the session yet
 * @s: the session
 * @file: its file; the reference is the target's in any case
 * @space: as the VMM calls it
 *
 * Context: the VMM's ioctl; no lock is held. Sleeps as long as the target takes to tell
 * what it can do.
 * Return: the target, or an ERR_PTR after a refusal.
 */
struct migmux_dma_target *migmux_dma_target_create(struct migmux_session *s,
						   struct file *file, u32 space)
{
	const struct migmux_dma_ops *ops = kind_of(file);
	struct migmux_dma_target *t;
	const char *why = "no memory";
	int err = -ENOMEM;

	if (!ops) {
		fput(file);
		migmux_session_refuse(s, -EBADF, "target_fd is neither a VFIO container nor an iommufd nor a vhost-vdpa device");
		return ERR_PTR(-EBADF);
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (t)
		t->table.ranges = kvcalloc(MIGMUX_DMA_RANGES_MAX,
					   sizeof(*t->table.ranges), GFP_KERNEL_ACCOUNT);
	if (!t || !t->table.ranges)
		goto err_free;
	t->session = s;
	t->ops = ops;
	t->file = file;
	t->space = space;
	t->id = space;
	err = ops->probe(t, &why);
	if (err)
		goto err_free;
	trace_migmux_object_create("dma-target", t);
	return t;

err_free:
	migmux_session_refuse(s, err, "%s", why);
	if (t)
		kvfree(t->table.ranges);
	if (t && t->file)
		put_files(t);
	else
		fput(file);
	kfree(t);
	return ERR_PTR(err);
}

/**
 * migmux_dma_target_free() - of one that is not in a session, or whose session is freed
 * @t: the target
 *
 * Context: sleeps.
 */
void migmux_dma_target_free(struct migmux_dma_target *t)
{
	put_files(t);
	trace_migmux_object_destroy("dma-target", t);
	kvfree(t->table.ranges);
	kfree(t);
}

static void stop_workers(struct migmux_dma_target *t)
{
	u32 i;

	for (i = 0; i < t->nr_workers; i++)
		migmux_mover_stop(&t->workers[i].mover);
}

/**
 * migmux_dma_target_add() - the session gets a target, whose threads start
 * @t: from migmux_dma_target_create()
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0, or an error after a refusal; then the target is as it was.
 */
int migmux_dma_target_add(struct migmux_dma_target *t)
{
	struct migmux_session *s = t->session;
	struct migmux_dma *dma = &s->dma;
	struct migmux_dma_worker *w;
	int err;

	lockdep_assert_held(&s->mutex);
	if (dma->nr_targets == MIGMUX_MAX_TARGETS)
		return migmux_session_refuse(s, -ENOSPC, "a session can have %u targets for DMA",
					     MIGMUX_MAX_TARGETS);
	t->index = dma->nr_targets;
	while (t->nr_workers < min(t->ops->workers, num_online_cpus())) {
		w = &t->workers[t->nr_workers];
		w->target = t;
		migmux_mover_init(&w->mover);
		err = migmux_mover_start(&w->mover, &worker_ops, "migmux-dma");
		if (err) {
			stop_workers(t);
			t->nr_workers = 0;
			return migmux_session_refuse(s, err, "cannot create a thread that maps memory: error %d",
						     -err);
		}
		t->nr_workers++;
	}
	spin_lock(&dma->lock);
	dma->targets[dma->nr_targets++] = t;
	spin_unlock(&dma->lock);
	return 0;
}

/* --- the end ------------------------------------------------------------------------- */

/**
 * migmux_dma_killed() - the process is being killed
 * @s: its session
 */
void migmux_dma_killed(struct migmux_session *s)
{
	WRITE_ONCE(s->dma.dead, true);
	wake_up_all(&s->wq);
}

/*
 * Movers map nothing any more, but take away. What a source has mapped is its VM's, and what
 * a session has when it is closed in the middle of nothing is its VMM's.
 */
static void undo(struct migmux_session *s)
{
	const bool all = s->role != VFIO_MIGMUX_ROLE_SOURCE &&
			 (READ_ONCE(s->failed) || migmux_dma_unfinished(s));
	struct migmux_dma *dma = &s->dma;
	u32 i;

	spin_lock(&dma->lock);
	WRITE_ONCE(dma->undo, true);
	for (i = 0; i < dma->nr_targets; i++) {
		dma->targets[i]->table.held = true;
		if (all)
			migmux_dma_table_undo(&dma->targets[i]->table);
	}
	spin_unlock(&dma->lock);
	migmux_dma_wake(s);
	wait_event(s->wq, !migmux_dma_unfinished(s) || READ_ONCE(dma->dead));
}

/**
 * migmux_dma_stop() - take away what no device may use yet, and end the threads
 * @s: the session; nobody adds a target or a range
 *
 * Once; then nothing happens any more.
 *
 * Context: sleeps as long as the calls that movers are in. Not from a mover. Calls must
 * not overlap.
 */
void migmux_dma_stop(struct migmux_session *s)
{
	struct migmux_dma_target *t;
	u32 i, j;

	/* a close after the end: nobody is left who could try once more */
	if (!s->dma.nr_targets || s->dma.undo)
		return;
	undo(s);
	for (i = 0; i < s->dma.nr_targets; i++) {
		t = s->dma.targets[i];
		stop_workers(t);
		for (j = 0; j < t->nr_workers; j++)
			if (t->workers[j].has_piece)
				settle(&t->workers[j], -EINTR);
	}
	migmux_dma_tell(s);
}

/**
 * migmux_dma_detach() - give the targets' files back
 * @s: the session; migmux_dma_stop() was called, and nobody calls a target any more
 *
 * Context: sleeps.
 */
void migmux_dma_detach(struct migmux_session *s)
{
	u32 i;

	for (i = 0; i < s->dma.nr_targets; i++)
		put_files(s->dma.targets[i]);
}

/**
 * migmux_dma_free() - free all targets
 * @s: the session, which is being freed; migmux_dma_detach() was called
 */
void migmux_dma_free(struct migmux_session *s)
{
	while (s->dma.nr_targets)
		migmux_dma_target_free(s->dma.targets[--s->dma.nr_targets]);
}
