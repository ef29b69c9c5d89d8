/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory mapped for DMA ahead of time: targets, and the movers that work on them.
 */
#ifndef MIGMUX_DMA_H
#define MIGMUX_DMA_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include "dma_range.h"
#include "mover.h"
#include "report.h"

struct file;
struct migmux_dma_target;
struct migmux_session;

/**
 * struct migmux_dma_ops - one kind of target
 * @kind: its name for the outside
 * @name: and for people
 * @piece: bytes that are mapped at once if the VMM does not say
 * @map_answers: @map writes to the caller's memory when it is done
 * @workers: threads that can map at the same time to some use
 * @matches: is it a file of that kind? The answer must be certain: its ops are called
 *	with what they do not expect otherwise, and may never return
 * @probe: may this process map there, and what? Fills @table of the target, and @kept. After
 *	a refusal, for which @why is set, nothing else is left behind
 * @begin: before a run of @map and @unmap, or NULL
 * @end: after it
 * @map: map a piece
 * @unmap: take one away that was mapped by @map. One that is gone already is no error
 *
 * All but @matches run in the address space of the session's owner, @probe and @map in
 * a thread of it, without any lock, and sleep. They return 0 or a negative errno. An
 * interrupted @map or @unmap has done nothing.
 */
struct migmux_dma_ops {
	enum vfio_migmux_dma_kind kind;
	const char *name;
	u64 piece;
	bool map_answers;
	u32 workers;
	bool (*matches)(struct file *file);
	int (*probe)(struct migmux_dma_target *t, const char **why);
	int (*begin)(struct migmux_dma_target *t);
	int (*end)(struct migmux_dma_target *t);
	int (*map)(struct migmux_dma_target *t, const struct migmux_dma_piece *piece);
	int (*unmap)(struct migmux_dma_target *t, const struct migmux_dma_piece *piece);
};

extern const struct migmux_dma_ops migmux_dma_type1_ops;
extern const struct migmux_dma_ops migmux_dma_iommufd_ops;
extern const struct migmux_dma_ops migmux_dma_vdpa_ops;

/**
 * struct migmux_dma_worker - a thread that works on a target
 * @mover: the thread
 * @target: the target; constant
 * @piece: what it is at
 * @has_piece: it is at something; the mover's, or who has stopped it
 */
struct migmux_dma_worker {
	struct migmux_mover mover;
	struct migmux_dma_target *target;
	struct migmux_dma_piece piece;
	bool has_piece;
};

/**
 * struct migmux_dma_target - something that maps memory for devices
 * @session: whose it is; constant
 * @index: in that session; constant once it is there
 * @ops: what kind it is; constant
 * @file: the container, iommufd or device, with a reference; constant until the session
 *	gives everything back
 * @kept: files without which @file must not be called, with references; as @file
 * @nr_kept: how many
 * @space: IOAS or address space in it, as the VMM calls it; constant
 * @id: and as the file does; constant
 * @batches: the file knows @ops->begin and @ops->end; constant
 * @table: its ranges; &migmux_dma.lock
 * @batch: between @ops->begin and @ops->end; set and cleared by its only worker, or who
 *	has stopped it, under &migmux_dma.lock
 * @error: negative errno of an @ops->end that failed; &migmux_dma.lock
 * @start_ns: when its first piece was given out; &migmux_dma.lock
 * @nr_workers: elements of @workers; constant
 * @workers: the threads
 */
struct migmux_dma_target {
	struct migmux_session *session;
	u32 index;
	const struct migmux_dma_ops *ops;
	struct file *file;
	struct file *kept[MIGMUX_MAX_DEVICES];
	u32 nr_kept;
	u32 space;
	u32 id;
	bool batches;
	struct migmux_dma_table table;
	bool batch;
	int error;
	u64 start_ns;
	u32 nr_workers;
	struct migmux_dma_worker workers[MIGMUX_DMA_WORKERS_MAX];
};

/**
 * struct migmux_dma - a session's part in it
 * @lock: protects what is said so here and in &struct migmux_dma_target; innermost but for
 *	a mover's
 * @targets: by index; only grows; session's mutex and @lock to add
 * @nr_targets: how many; likewise
 * @told: thousandths of which the last event told; @lock
 * @told_failed: and how many ranges had failed; @lock
 * @dead: the process is being killed: nobody maps, and all goes with it
 * @undo: the session ends: nothing is mapped any more, but taken away; @lock to set
 */
struct migmux_dma {
	spinlock_t lock;	/* see above */
	struct migmux_dma_target *targets[MIGMUX_MAX_TARGETS];
	u32 nr_targets;
	u32 told;
	u32 told_failed;
	bool dead;
	bool undo;
};

/* dma.c: targets, and threads that work on them */
void migmux_dma_init(struct migmux_session *s);
struct migmux_dma_target *migmux_dma_find(struct migmux_session *s,
					  const struct file *file, u32 space);
struct migmux_dma_target *migmux_dma_target_create(struct migmux_session *s,
						   struct file *file, u32 space);
int migmux_dma_target_add(struct migmux_dma_target *t);
void migmux_dma_target_free(struct migmux_dma_target *t);
void migmux_dma_wake(struct migmux_session *s);
void migmux_dma_killed(struct migmux_session *s);
void migmux_dma_stop(struct migmux_session *s);
void migmux_dma_detach(struct migmux_session *s);
void migmux_dma_free(struct migmux_session *s);

/* dma_tell.c: events and the report */
void migmux_dma_tell(struct migmux_session *s);

/* dma_wait.c: is all mapped? */
bool migmux_dma_settled(struct migmux_session *s, int *err);
bool migmux_dma_removed(struct migmux_session *s);
int migmux_dma_stuck(struct migmux_session *s, u32 target, u64 iova, u64 size);
int migmux_dma_refuse(struct migmux_session *s, int err);
void migmux_dma_hold(struct migmux_session *s, bool hold);
bool migmux_dma_gate(struct migmux_session *s);
bool migmux_dma_unfinished(struct migmux_session *s);

/* dma_call.c: calling a target */
long migmux_dma_ioctl(struct file *file, unsigned int cmd, const void *arg, void *answer,
		      size_t size);

#endif /* MIGMUX_DMA_H */
