// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is all memory mapped? For VFIO_MIGMUX_DMA_WAIT, and for devices that are to run.
 */
#include "dma.h"
#include "session.h"

static const char *reason(int err)
{
	switch (err) {
	case -ENOMEM:
		return "the limit of locked memory (RLIMIT_MEMLOCK), or memory, is exhausted";
	case -EFAULT:
		return "no memory, or (vhost-vdpa) in use, or more pieces than max_iotlb_entries";
	case -EEXIST:
		return "something else is mapped there already";
	case -EINVAL:
	case -ERANGE:
		return "the IOMMU does not reach these IOVAs, or not with this alignment";
	case -ENOSPC:
		return "the target takes no more mappings: use larger pieces";
	case -EPERM:
		return "the target belongs to another process";
	case -EINTR:
		return "the process is being killed";
	default:
		return "the target refuses";
	}
}

/* Will more be done by itself? */
static bool pending(const struct migmux_dma_target *t)
{
	return migmux_dma_table_pending(&t->table) || t->batch;
}

static int error_of(const struct migmux_dma_target *t)
{
	const struct migmux_dma_range *r = migmux_dma_table_failed(&t->table);

	return r ? r->error : t->error;
}

/**
 * migmux_dma_settled() - is nothing left that will be done?
 * @s: the session
 * @err: if so: 0 if all is mapped, the error of a range, -ECANCELED if mapping was
 *	cancelled, or the session failed
 *
 * Context: any but softirq and irq; takes the lock.
 */
bool migmux_dma_settled(struct migmux_session *s, int *err)
{
	struct migmux_dma *dma = &s->dma;
	bool settled = true, waiting = false;
	int error = 0;
	u32 i;

	*err = READ_ONCE(dma->dead) ? -EINTR : -ECANCELED;
	if (READ_ONCE(s->failed) || READ_ONCE(dma->dead))
		return true;
	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++) {
		settled &= !pending(dma->targets[i]);
		waiting |= migmux_dma_table_waiting(&dma->targets[i]->table);
		error = error ?: error_of(dma->targets[i]);
	}
	spin_unlock(&dma->lock);
	*err = error ?: waiting ? -ECANCELED : 0;
	return settled;
}

/**
 * migmux_dma_removed() - is all gone that was to be taken away, or cannot be?
 * @s: the session
 *
 * Context: as migmux_dma_settled().
 */
bool migmux_dma_removed(struct migmux_session *s)
{
	struct migmux_dma *dma = &s->dma;
	bool gone = true;
	u32 i;

	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++)
		gone &= !migmux_dma_table_leaving(&dma->targets[i]->table);
	spin_unlock(&dma->lock);
	return gone || READ_ONCE(s->failed) || READ_ONCE(dma->dead);
}

static int refuse_for(struct migmux_session *s, int err, const struct migmux_dma_range *r,
		      u32 target)
{
	return migmux_session_refuse(s, err, "memory %#llx of %#llx bytes cannot be %s at IOVA %#llx by target %u, a %s: %s",
				     r->vaddr, r->size, r->stuck ? "taken away" : "mapped",
				     r->iova, target, s->dma.targets[target]->ops->name,
				     reason(r->error));
}

/**
 * migmux_dma_stuck() - say which range cannot be taken away, and why
 * @s: the session
 * @target: index of its target, which there is
 * @iova: of what lies from here
 * @size: bytes on, at least 1
 *
 * Context: as migmux_dma_settled().
 *
 * Return: its error, or 0 if there is none.
 */
int migmux_dma_stuck(struct migmux_session *s, u32 target, u64 iova, u64 size)
{
	struct migmux_dma *dma = &s->dma;
	const struct migmux_dma_range *r;
	struct migmux_dma_range copy;

	spin_lock(&dma->lock);
	r = migmux_dma_table_stuck(&dma->targets[target]->table, iova, size);
	if (r)
		copy = *r;
	spin_unlock(&dma->lock);
	return r ? refuse_for(s, copy.error, &copy, target) : 0;
}

/**
 * migmux_dma_refuse() - say what is not mapped, and why
 * @s: the session
 * @err: the error, from migmux_dma_settled()
 *
 * Return: @err.
 */
int migmux_dma_refuse(struct migmux_session *s, int err)
{
	struct migmux_dma *dma = &s->dma;
	const struct migmux_dma_range *r;
	struct migmux_dma_range copy;
	u32 i;

	for (i = 0; i < dma->nr_targets; i++) {
		spin_lock(&dma->lock);
		r = migmux_dma_table_failed(&dma->targets[i]->table);
		if (r)
			copy = *r;
		spin_unlock(&dma->lock);
		if (r)
			return refuse_for(s, err, &copy, i);
	}
	if (err == -ECANCELED)
		return migmux_session_refuse(s, err, "mapping was cancelled before all memory was mapped");
	return migmux_session_refuse(s, err, "memory is not mapped: error %d", -err);
}

/**
 * migmux_dma_hold() - stop mapping ahead of time, or go on
 * @s: the session
 * @hold: stop; what threads are at goes on
 */
void migmux_dma_hold(struct migmux_session *s, bool hold)
{
	struct migmux_dma *dma = &s->dma;
	u32 i;

	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++)
		dma->targets[i]->table.held = hold;
	spin_unlock(&dma->lock);
	migmux_dma_wake(s);
}

/**
 * migmux_dma_gate() - may devices run, as far as memory goes?
 * @s: the session
 *
 * If not, mapping goes on, even if it was cancelled. If so, all that is mapped is the
 * VMM's from now on.
 *
 * Return: true if all is mapped.
 */
bool migmux_dma_gate(struct migmux_session *s)
{
	struct migmux_dma *dma = &s->dma;
	u32 i;
	int err;

	if (!migmux_dma_settled(s, &err) || err) {
		migmux_dma_hold(s, false);
		return false;
	}
	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++)
		migmux_dma_table_keep(&dma->targets[i]->table);
	spin_unlock(&dma->lock);
	return true;
}

/**
 * migmux_dma_unfinished() - is the session in the middle of mapping?
 * @s: the session
 */
bool migmux_dma_unfinished(struct migmux_session *s)
{
	struct migmux_dma *dma = &s->dma;
	bool unfinished = false;
	u32 i;

	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++)
		unfinished |= pending(dma->targets[i]);
	spin_unlock(&dma->lock);
	return unfinished;
}
