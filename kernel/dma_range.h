/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges of memory that are to be mapped for DMA, in pieces: which piece comes next,
 * what is mapped, and what must be taken away again.
 */
#ifndef MIGMUX_DMA_RANGE_H
#define MIGMUX_DMA_RANGE_H

#include "pure.h"

enum migmux_dma_limits {
	MIGMUX_DMA_RANGES_MAX = 512,	/* of one target */
	MIGMUX_DMA_WORKERS_MAX = 4,	/* that work on one target */
};

enum migmux_dma_access {
	MIGMUX_DMA_READ = 1,
	MIGMUX_DMA_WRITE = 2,
};

/**
 * struct migmux_dma_range - memory that is to be mapped
 * @iova: where devices are to see it
 * @vaddr: where the process has it
 * @size: bytes
 * @piece: bytes mapped at once at most, a power of two
 * @access: what devices may do, enum migmux_dma_access
 * @claimed: how many of its bytes, from its start, were given to workers. While no
 *	worker is in it, these are mapped, but for @holes
 * @done: of them, bytes that are mapped
 * @busy: workers that are in it
 * @holes: offsets of pieces that could not be mapped
 * @nr_holes: how many
 * @error: negative errno of the first piece that could not be mapped; what was mapped of
 *	the range is taken away then
 * @used: it is a range, and not an empty place in the table
 * @leaving: it is being taken away, and its place is empty then
 * @kept: devices may use it: it is taken away only if the VMM asks for it
 * @stuck: what is mapped of it cannot be taken away; nobody tries again. @error says why
 */
struct migmux_dma_range {
	u64 iova;
	u64 vaddr;
	u64 size;
	u64 piece;
	u32 access;
	u64 claimed;
	u64 done;
	u32 busy;
	u64 holes[MIGMUX_DMA_WORKERS_MAX];
	u32 nr_holes;
	int error;
	bool used;
	bool leaving;
	bool kept;
	bool stuck;
};

/**
 * struct migmux_dma_table - all ranges of one target
 * @align: what IOVAs, addresses and sizes must be multiples of, a power of two
 * @first: lowest IOVA that the target takes
 * @last: highest one
 * @held: nothing more is mapped
 * @ranges: the caller's array of MIGMUX_DMA_RANGES_MAX, all zero in the beginning
 */
struct migmux_dma_table {
	u64 align;
	u64 first;
	u64 last;
	bool held;
	struct migmux_dma_range *ranges;
};

/**
 * struct migmux_dma_piece - what a worker does next
 * @range: index of the range
 * @unmap: take it away, and do not map it
 * @offset: where it begins in the range
 * @iova: where devices see it
 * @vaddr: where the process has it
 * @size: bytes
 * @access: enum migmux_dma_access
 */
struct migmux_dma_piece {
	u32 range;
	bool unmap;
	u64 offset;
	u64 iova;
	u64 vaddr;
	u64 size;
	u32 access;
};

/**
 * struct migmux_dma_sum - a table, summed up
 * @ranges: that are not leaving
 * @failed: of them, those that cannot be mapped
 * @bytes: of those that are not leaving
 * @done: of them, mapped
 */
struct migmux_dma_sum {
	u32 ranges;
	u32 failed;
	u64 bytes;
	u64 done;
};

/**
 * enum migmux_dma_err - why a range is refused
 * @MIGMUX_DMA_OK: it is not
 * @MIGMUX_DMA_EMPTY: no bytes; -EINVAL
 * @MIGMUX_DMA_UNALIGNED: -EINVAL
 * @MIGMUX_DMA_WRAPS: the last byte's address does not fit; -EINVAL
 * @MIGMUX_DMA_NO_ACCESS: neither to be read nor written; -EINVAL
 * @MIGMUX_DMA_OUTSIDE: an IOVA that the target does not take; -ERANGE
 * @MIGMUX_DMA_OVERLAPS: a range of the table; -EEXIST
 * @MIGMUX_DMA_CUTS: a part of a range is to be taken away; -EINVAL
 * @MIGMUX_DMA_NONE: no range is to be taken away; -ENOENT
 */
enum migmux_dma_err {
	MIGMUX_DMA_OK = 0,
	MIGMUX_DMA_EMPTY,
	MIGMUX_DMA_UNALIGNED,
	MIGMUX_DMA_WRAPS,
	MIGMUX_DMA_NO_ACCESS,
	MIGMUX_DMA_OUTSIDE,
	MIGMUX_DMA_OVERLAPS,
	MIGMUX_DMA_CUTS,
	MIGMUX_DMA_NONE,
	/* private: */
	MIGMUX_DMA_ERR_NR,
};

int migmux_dma_errno(enum migmux_dma_err err);
const char *migmux_dma_strerror(enum migmux_dma_err err);
bool migmux_dma_overlap(const struct migmux_dma_range *a,
			const struct migmux_dma_range *b);

enum migmux_dma_err migmux_dma_table_check(const struct migmux_dma_table *table,
					   const struct migmux_dma_range *range,
					   bool replace);
u32 migmux_dma_table_room(const struct migmux_dma_table *table);
int migmux_dma_table_add(struct migmux_dma_table *table,
			 const struct migmux_dma_range *range, bool replace);
enum migmux_dma_err migmux_dma_table_check_remove(const struct migmux_dma_table *table,
						  u64 iova, u64 size);
void migmux_dma_table_remove(struct migmux_dma_table *table, u64 iova, u64 size);
void migmux_dma_table_undo(struct migmux_dma_table *table);
void migmux_dma_table_keep(struct migmux_dma_table *table);

bool migmux_dma_table_ready(const struct migmux_dma_table *table);
bool migmux_dma_table_next(struct migmux_dma_table *table,
			   struct migmux_dma_piece *piece);
void migmux_dma_table_settle(struct migmux_dma_table *table,
			     const struct migmux_dma_piece *piece, int err);

bool migmux_dma_table_busy(const struct migmux_dma_table *table);
bool migmux_dma_table_pending(const struct migmux_dma_table *table);
bool migmux_dma_table_leaving(const struct migmux_dma_table *table);
const struct migmux_dma_range *
migmux_dma_table_stuck(const struct migmux_dma_table *table, u64 iova, u64 size);
bool migmux_dma_table_waiting(const struct migmux_dma_table *table);
const struct migmux_dma_range *
migmux_dma_table_failed(const struct migmux_dma_table *table);
void migmux_dma_table_sum(const struct migmux_dma_table *table,
			  struct migmux_dma_sum *sum);

#endif /* MIGMUX_DMA_RANGE_H */
