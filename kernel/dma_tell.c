// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told of the mapping: events, and the session's report.
 */
#include <linux/ktime.h>
#include <linux/math64.h>

#include "dma.h"
#include "session.h"

/* Events tell of steps of this many thousandths. */
#define TELL_STEP	50

static void sum_up(struct migmux_dma *dma, struct migmux_dma_sum *all)
	__must_hold(&dma->lock)
{
	struct migmux_dma_sum sum;
	u32 i;

	lockdep_assert_held(&dma->lock);
	*all = (struct migmux_dma_sum) { };
	for (i = 0; i < dma->nr_targets; i++) {
		migmux_dma_table_sum(&dma->targets[i]->table, &sum);
		all->failed += sum.failed + !!dma->targets[i]->error;
		all->bytes += sum.bytes;
		all->done += sum.done;
	}
}

/* The last one only when devices can have it. */
static u32 thousandths(const struct migmux_dma_sum *all, bool pending)
{
	u32 now = 1000;

	if (all->bytes)
		now = mul_u64_u64_div_u64(all->done, 1000, all->bytes);
	return pending ? min(now, 999) : now;
}

/* Is it worth an event? Steps are few, whatever the size of a piece. */
static bool news(struct migmux_dma *dma, u32 now, u32 failed)
	__must_hold(&dma->lock)
{
	lockdep_assert_held(&dma->lock);
	if (failed == dma->told_failed && now / TELL_STEP == dma->told / TELL_STEP)
		return false;
	dma->told = now;
	dma->told_failed = failed;
	return true;
}

static void report(struct migmux_session *s)
{
	struct migmux_report_target *to;
	struct migmux_dma_target *t;
	struct migmux_dma_sum sum;
	bool pending;
	u32 i;

	spin_lock(&s->dma.lock);
	spin_lock(&s->report->lock);
	for (i = 0; i < s->dma.nr_targets; i++) {
		t = s->dma.targets[i];
		to = &s->report->targets[i];
		migmux_dma_table_sum(&t->table, &sum);
		pending = migmux_dma_table_pending(&t->table) || t->batch;
		to->kind = t->ops->kind;
		to->space = t->space;
		to->ranges = sum.ranges;
		to->failed = sum.failed;
		to->bytes = sum.bytes;
		to->mapped = sum.done;
		to->start_ns = t->start_ns;
		if (pending)
			to->end_ns = 0;
		else if (t->start_ns && !to->end_ns)
			to->end_ns = ktime_get_ns();
	}
	s->report->nr_targets = s->dma.nr_targets;
	spin_unlock(&s->report->lock);
	spin_unlock(&s->dma.lock);
}

static int first_error(struct migmux_dma *dma)
	__must_hold(&dma->lock)
{
	const struct migmux_dma_range *r;
	u32 i;

	lockdep_assert_held(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++) {
		r = migmux_dma_table_failed(&dma->targets[i]->table);
		if (r || dma->targets[i]->error)
			return r ? r->error : dma->targets[i]->error;
	}
	return 0;
}

/**
 * migmux_dma_tell() - something has changed
 * @s: the session
 *
 * Context: sleeps.
 */
void migmux_dma_tell(struct migmux_session *s)
{
	struct migmux_dma *dma = &s->dma;
	const bool pending = migmux_dma_unfinished(s);
	struct migmux_dma_sum all;
	bool tell;
	int error;
	u32 now;

	report(s);
	spin_lock(&dma->lock);
	sum_up(dma, &all);
	now = thousandths(&all, pending);
	error = all.failed > dma->told_failed ? first_error(dma) : 0;
	tell = news(dma, now, all.failed);
	spin_unlock(&dma->lock);
	if (tell)
		migmux_event_post(s, VFIO_MIGMUX_EVENT_DMA, VFIO_MIGMUX_INDEX_NONE,
				  VFIO_MIGMUX_INDEX_NONE, now, -error, NULL);
	wake_up_all(&s->wq);
}
