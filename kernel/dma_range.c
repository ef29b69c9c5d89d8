// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges of memory that are to be mapped for DMA.
 *
 * Pieces of a range are given out from its start, and taken away from its end, so that
 * what is mapped of it is always its first @claimed bytes while no worker is in it.
 * Pieces end where the IOVA is a multiple of their size: then an IOMMU can use its
 * large pages, and where a piece begins follows from where it ends.
 *
 * Several workers can map pieces of one range at the same time. One that fails leaves a
 * hole, which is at most as far from the end as there are workers, for nothing more is
 * given out of a range that failed. Holes are left out on the way back: somebody else
 * may have something mapped there.
 *
 * Taking away goes before mapping, in the whole table: so a range that replaces others
 * is not mapped before they are gone.
 */
#include "dma_range.h"

static const int errors[MIGMUX_DMA_ERR_NR] = {
	[MIGMUX_DMA_EMPTY]	= -EINVAL,
	[MIGMUX_DMA_UNALIGNED]	= -EINVAL,
	[MIGMUX_DMA_WRAPS]	= -EINVAL,
	[MIGMUX_DMA_NO_ACCESS]	= -EINVAL,
	[MIGMUX_DMA_OUTSIDE]	= -ERANGE,
	[MIGMUX_DMA_OVERLAPS]	= -EEXIST,
	[MIGMUX_DMA_CUTS]	= -EINVAL,
	[MIGMUX_DMA_NONE]	= -ENOENT,
};

static const char * const reasons[MIGMUX_DMA_ERR_NR] = {
	[MIGMUX_DMA_OK]		= "it is good",
	[MIGMUX_DMA_EMPTY]	= "it is empty",
	[MIGMUX_DMA_UNALIGNED]	= "IOVA, address or size is no multiple of the page size",
	[MIGMUX_DMA_WRAPS]	= "it goes beyond the end of the address space",
	[MIGMUX_DMA_NO_ACCESS]	= "devices can neither read nor write it: set a flag",
	[MIGMUX_DMA_OUTSIDE]	= "its IOVAs are not all among those that the target takes",
	[MIGMUX_DMA_OVERLAPS]	= "it overlaps another range: take that away, or replace it",
	[MIGMUX_DMA_CUTS]	= "a part of a range: only whole ranges can be taken away",
	[MIGMUX_DMA_NONE]	= "there is no range",
};

/**
 * migmux_dma_errno() - what a refused range is called
 * @err: the reason
 *
 * Return: negative errno.
 */
int migmux_dma_errno(enum migmux_dma_err err)
{
	return errors[err];
}

/**
 * migmux_dma_strerror() - why a range is refused, in words
 * @err: the reason
 */
const char *migmux_dma_strerror(enum migmux_dma_err err)
{
	return reasons[err];
}

/* Only of ranges that do not wrap. */
static bool meets(const struct migmux_dma_range *r, u64 iova, u64 size)
{
	return r->iova <= iova + (size - 1) && iova <= r->iova + (r->size - 1);
}

/**
 * migmux_dma_overlap() - do two ranges want the same IOVA?
 * @a: a good range
 * @b: another one
 */
bool migmux_dma_overlap(const struct migmux_dma_range *a,
			const struct migmux_dma_range *b)
{
	return meets(a, b->iova, b->size);
}

/* The first range from place @i on, or NULL. */
static struct migmux_dma_range *range_from(const struct migmux_dma_table *table, size_t i)
{
	for (; i < MIGMUX_DMA_RANGES_MAX; i++)
		if (table->ranges[i].used)
			return &table->ranges[i];
	return NULL;
}

#define for_each_range(table, r)				\
	for ((r) = range_from(table, 0); (r);			\
	     (r) = range_from(table, (r) - (table)->ranges + 1))

/**
 * migmux_dma_table_check() - could a range be added?
 * @table: the table
 * @range: the range; only what the VMM gives of it matters
 * @replace: ranges that it overlaps are taken away
 *
 * Return: MIGMUX_DMA_OK, or why not.
 */
enum migmux_dma_err migmux_dma_table_check(const struct migmux_dma_table *table,
					   const struct migmux_dma_range *range,
					   bool replace)
{
	const struct migmux_dma_range *r;

	if (!range->size)
		return MIGMUX_DMA_EMPTY;
	if ((range->iova | range->vaddr | range->size) & (table->align - 1))
		return MIGMUX_DMA_UNALIGNED;
	if (range->iova + (range->size - 1) < range->iova ||
	    range->vaddr + (range->size - 1) < range->vaddr)
		return MIGMUX_DMA_WRAPS;
	if (!range->access)
		return MIGMUX_DMA_NO_ACCESS;
	if (range->iova < table->first || range->iova + (range->size - 1) > table->last)
		return MIGMUX_DMA_OUTSIDE;
	for_each_range(table, r)
		if (!replace && !r->leaving && migmux_dma_overlap(r, range))
			return MIGMUX_DMA_OVERLAPS;
	return MIGMUX_DMA_OK;
}

/* A range of which nothing is mapped is gone at once. */
static void leave(struct migmux_dma_range *r)
{
	r->leaving = true;
	r->stuck = false;
	if (!r->claimed && !r->busy)
		*r = (struct migmux_dma_range) { };
}

/**
 * migmux_dma_table_room() - how many ranges can be added?
 * @table: the table
 */
u32 migmux_dma_table_room(const struct migmux_dma_table *table)
{
	const struct migmux_dma_range *r;
	u32 room = MIGMUX_DMA_RANGES_MAX;

	for_each_range(table, r)
		room--;
	return room;
}

/**
 * migmux_dma_table_add() - add a range
 * @table: the table
 * @range: a range that migmux_dma_table_check() finds good
 * @replace: take ranges away that it overlaps
 *
 * Return: its index, or -ENOSPC; then nothing has happened.
 */
int migmux_dma_table_add(struct migmux_dma_table *table,
			 const struct migmux_dma_range *range, bool replace)
{
	struct migmux_dma_range *r;
	u32 i;

	for (i = 0; i < MIGMUX_DMA_RANGES_MAX; i++)
		if (!table->ranges[i].used)
			break;
	if (i == MIGMUX_DMA_RANGES_MAX)
		return -ENOSPC;
	for_each_range(table, r)
		if (replace && migmux_dma_overlap(r, range))
			leave(r);
	table->ranges[i] = (struct migmux_dma_range) {
		.iova = range->iova,
		.vaddr = range->vaddr,
		.size = range->size,
		.piece = range->piece,
		.access = range->access,
		.used = true,
	};
	return i;
}

/**
 * migmux_dma_table_check_remove() - could that be taken away?
 * @table: the table
 * @iova: where it begins
 * @size: bytes
 *
 * Return: MIGMUX_DMA_OK if these are one or more whole ranges, or what they are.
 */
enum migmux_dma_err migmux_dma_table_check_remove(const struct migmux_dma_table *table,
						  u64 iova, u64 size)
{
	const struct migmux_dma_range *r;
	bool found = false;

	if (!size)
		return MIGMUX_DMA_EMPTY;
	if (iova + (size - 1) < iova)
		return MIGMUX_DMA_WRAPS;
	for_each_range(table, r) {
		if (r->leaving || !meets(r, iova, size))
			continue;
		if (r->iova < iova || r->iova + (r->size - 1) > iova + (size - 1))
			return MIGMUX_DMA_CUTS;
		found = true;
	}
	return found ? MIGMUX_DMA_OK : MIGMUX_DMA_NONE;
}

/**
 * migmux_dma_table_remove() - take ranges away
 * @table: the table
 * @iova: where they begin
 * @size: bytes, that migmux_dma_table_check_remove() finds good
 */
void migmux_dma_table_remove(struct migmux_dma_table *table, u64 iova, u64 size)
{
	struct migmux_dma_range *r;

	for_each_range(table, r)
		if (meets(r, iova, size))
			leave(r);
}

/**
 * migmux_dma_table_undo() - take all ranges away that no device may use yet
 * @table: the table
 */
void migmux_dma_table_undo(struct migmux_dma_table *table)
{
	struct migmux_dma_range *r;

	table->held = true;
	for_each_range(table, r)
		if (!r->kept)
			leave(r);
}

static bool waiting(const struct migmux_dma_range *r)
{
	return !r->leaving && !r->error && r->claimed < r->size;
}

static bool complete(const struct migmux_dma_range *r)
{
	return !r->leaving && !r->error && r->claimed == r->size && !r->busy;
}

/* Something of it is mapped, and must not be. */
static bool going(const struct migmux_dma_range *r)
{
	return (r->leaving || r->error) && !r->stuck;
}

/**
 * migmux_dma_table_keep() - devices may use what is mapped now
 * @table: the table
 */
void migmux_dma_table_keep(struct migmux_dma_table *table)
{
	struct migmux_dma_range *r;

	for_each_range(table, r)
		if (complete(r))
			r->kept = true;
}

static u64 piece_end(const struct migmux_dma_range *r, u64 from)
{
	const u64 left = r->piece - ((r->iova + from) & (r->piece - 1));

	return left < r->size - from ? from + left : r->size;
}

static u64 piece_start(const struct migmux_dma_range *r, u64 end)
{
	const u64 start = (r->iova + (end - 1)) & ~(r->piece - 1);

	return start > r->iova ? start - r->iova : 0;
}

/* The range that is worked on next, with the oldest place first. */
static struct migmux_dma_range *pick(const struct migmux_dma_table *table)
{
	struct migmux_dma_range *r, *map = NULL;
	bool wait = table->held;

	for_each_range(table, r) {
		if (going(r) && r->claimed && !r->busy)
			return r;
		wait |= r->leaving && !r->stuck;
		if (!map && waiting(r))
			map = r;
	}
	return wait ? NULL : map;
}

/**
 * migmux_dma_table_ready() - is there something for a worker to do?
 * @table: the table
 */
bool migmux_dma_table_ready(const struct migmux_dma_table *table)
{
	return pick(table);
}

static bool is_hole(const struct migmux_dma_range *r, u64 offset)
{
	u32 i;

	for (i = 0; i < r->nr_holes; i++)
		if (r->holes[i] == offset)
			return true;
	return false;
}

/* Holes are of no interest; the range is gone if nothing else is left. */
static void skip_holes(struct migmux_dma_range *r)
{
	while (r->claimed && is_hole(r, piece_start(r, r->claimed)))
		r->claimed = piece_start(r, r->claimed);
	if (!r->claimed && r->leaving && !r->busy)
		*r = (struct migmux_dma_range) { };
}

/**
 * migmux_dma_table_next() - give out the next piece
 * @table: the table
 * @piece: the piece; the caller gives it back by migmux_dma_table_settle()
 *
 * Return: false if there is none for now.
 */
bool migmux_dma_table_next(struct migmux_dma_table *table,
			   struct migmux_dma_piece *piece)
{
	struct migmux_dma_range *r = pick(table);
	u64 from, to;

	if (!r)
		return false;
	piece->unmap = going(r);
	to = piece->unmap ? r->claimed : piece_end(r, r->claimed);
	from = piece->unmap ? piece_start(r, to) : r->claimed;
	if (!piece->unmap)
		r->claimed = to;
	r->busy++;
	piece->range = r - table->ranges;
	piece->offset = from;
	piece->iova = r->iova + from;
	piece->vaddr = r->vaddr + from;
	piece->size = to - from;
	piece->access = r->access;
	return true;
}

static void settle_map(struct migmux_dma_range *r, const struct migmux_dma_piece *piece,
		       int err)
{
	if (!err) {
		r->done += piece->size;
		return;
	}
	r->error = r->error ? r->error : err;
	r->holes[r->nr_holes++] = piece->offset;
}

static void settle_unmap(struct migmux_dma_range *r,
			 const struct migmux_dma_piece *piece, int err)
{
	if (err) {
		r->error = err;
		r->stuck = true;
		r->leaving = false;
		return;
	}
	r->done -= piece->size;
	r->claimed = piece->offset;
}

/**
 * migmux_dma_table_settle() - a piece is mapped, or taken away
 * @table: the table
 * @piece: the piece
 * @err: 0, or the negative errno with which that failed
 */
void migmux_dma_table_settle(struct migmux_dma_table *table,
			     const struct migmux_dma_piece *piece, int err)
{
	struct migmux_dma_range *r = &table->ranges[piece->range];

	r->busy--;
	if (piece->unmap)
		settle_unmap(r, piece, err);
	else
		settle_map(r, piece, err);
	if (going(r) && !r->busy)
		skip_holes(r);
}

/**
 * migmux_dma_table_busy() - is a piece given out?
 * @table: the table
 */
bool migmux_dma_table_busy(const struct migmux_dma_table *table)
{
	const struct migmux_dma_range *r;

	for_each_range(table, r)
		if (r->busy)
			return true;
	return false;
}

/**
 * migmux_dma_table_pending() - is there still something that will be done?
 * @table: the table
 */
bool migmux_dma_table_pending(const struct migmux_dma_table *table)
{
	const struct migmux_dma_range *r;

	for_each_range(table, r)
		if (r->busy || (waiting(r) && !table->held) ||
		    (going(r) && (r->leaving || r->claimed)))
			return true;
	return false;
}

/**
 * migmux_dma_table_leaving() - is something being taken away?
 * @table: the table
 */
bool migmux_dma_table_leaving(const struct migmux_dma_table *table)
{
	const struct migmux_dma_range *r;

	for_each_range(table, r)
		if (r->leaving)
			return true;
	return false;
}

/**
 * migmux_dma_table_stuck() - a range that cannot be taken away
 * @table: the table
 * @iova: of what lies from here
 * @size: bytes on, at least 1
 *
 * Return: the range, or NULL if there is none.
 */
const struct migmux_dma_range *
migmux_dma_table_stuck(const struct migmux_dma_table *table, u64 iova, u64 size)
{
	const struct migmux_dma_range *r;

	for_each_range(table, r)
		if (r->stuck && meets(r, iova, size))
			return r;
	return NULL;
}

/**
 * migmux_dma_table_waiting() - is something not mapped yet that could be?
 * @table: the table
 */
bool migmux_dma_table_waiting(const struct migmux_dma_table *table)
{
	const struct migmux_dma_range *r;

	for_each_range(table, r)
		if (waiting(r))
			return true;
	return false;
}

/**
 * migmux_dma_table_failed() - a range that cannot be mapped
 * @table: the table
 *
 * Return: the range, or NULL if there is none.
 */
const struct migmux_dma_range *
migmux_dma_table_failed(const struct migmux_dma_table *table)
{
	const struct migmux_dma_range *r;

	for_each_range(table, r)
		if (!r->leaving && r->error)
			return r;
	return NULL;
}

/**
 * migmux_dma_table_sum() - sum up
 * @table: the table
 * @sum: is filled
 */
void migmux_dma_table_sum(const struct migmux_dma_table *table,
			  struct migmux_dma_sum *sum)
{
	const struct migmux_dma_range *r;

	*sum = (struct migmux_dma_sum) { };
	for_each_range(table, r) {
		if (r->leaving)
			continue;
		sum->ranges++;
		sum->failed += !!r->error;
		sum->bytes += r->size;
		sum->done += r->done;
	}
}
