// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pre-copy: which bytes of the payload a saving data_fd has yet to give, while
 * the device goes on writing to them
 *
 * The device writes to one block after the other, at "dirty_rate". Nobody needs
 * to see that while it happens, so it is worked out when somebody looks: all
 * blocks that were due since the last look get new content now.
 */

#include <linux/bitmap.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "migsim.h"

static u64 block_end(const struct migsim_precopy *pre, unsigned long block)
{
	return min_t(u64, (block + 1) * MIGSIM_BLOCK, pre->size);
}

static unsigned long nr_blocks(const struct migsim_precopy *pre)
{
	return DIV_ROUND_UP(pre->size, MIGSIM_BLOCK);
}

/**
 * migsim_precopy_start - begin pre-copy
 * @file: a new saving data_fd
 * @payload: the device's payload
 * @size: bytes of it that are given in PRE_COPY
 *
 * Context: state_mutex.
 * Return: 0 or -ENOMEM.
 */
int migsim_precopy_start(struct migsim_file *file, struct migsim_blob *payload,
			 u64 size)
{
	struct migsim_precopy *pre = &file->precopy;

	pre->base = migsim_blob_get(payload);
	pre->size = min_t(u64, size, payload->size);
	pre->clock = ktime_get();
	pre->dirty = bitmap_zalloc(nr_blocks(pre) + 1, GFP_KERNEL_ACCOUNT);
	pre->record = migsim_blob_alloc(MIGSIM_PRECOPY_HEAD +
					MIGSIM_PRECOPY_DATA);
	return pre->dirty && pre->record ? 0 : -ENOMEM;
}

/**
 * migsim_precopy_free - the data_fd is gone
 * @pre: its pre-copy, started or not
 */
void migsim_precopy_free(struct migsim_precopy *pre)
{
	migsim_blob_put(pre->base);
	migsim_blob_put(pre->live);
	bitmap_free(pre->dirty);
	vfree(pre->record);
}

/* The copy that the device writes to; the payload itself never changes. */
static bool live_need(struct migsim_precopy *pre)
{
	void *copy;

	if (pre->live)
		return true;
	copy = migsim_blob_alloc(PAGE_ALIGN(pre->base->size));
	if (!copy)
		return false;
	memcpy(copy, pre->base->data, pre->base->size);
	pre->live = migsim_blob_wrap(copy, 0, pre->base->size);
	if (!pre->live)
		vfree(copy);
	return pre->live;
}

static void block_write(struct migsim_precopy *pre, unsigned long block)
{
	u64 at = (u64)block * MIGSIM_BLOCK;
	const u64 end = block_end(pre, block);
	u8 *data = pre->live->base;

	/* rising: what a block gets is none of its earlier versions */
	pre->stamp += 2;
	for (; at + sizeof(u64) <= end; at += sizeof(u64))
		*(u64 *)(data + at) += pre->stamp * 0x0101010101010101ULL;
	for (; at < end; at++)
		data[at] += pre->stamp | 1;
	/* what has never been given needs no second time */
	if (block * MIGSIM_BLOCK < pre->given)
		set_bit(block, pre->dirty);
}

/**
 * migsim_precopy_write - the device writes to some of its memory
 * @file: the data_fd
 * @bytes: how much, rounded up to whole blocks
 *
 * Without memory for it nothing gets dirty.
 *
 * Context: the file's lock.
 */
void migsim_precopy_write(struct migsim_file *file, u64 bytes)
{
	struct migsim_precopy *pre = &file->precopy;
	u64 n = min_t(u64, DIV_ROUND_UP_ULL(bytes, MIGSIM_BLOCK),
		      nr_blocks(pre));

	lockdep_assert_held(&file->lock);

	if (!n || !live_need(pre))
		return;
	while (n--) {
		block_write(pre, pre->next);
		pre->next = (pre->next + 1) % nr_blocks(pre);
	}
}

/**
 * migsim_precopy_reinit - all that is given in PRE_COPY has to be given once more
 * @file: a data_fd in PRE_COPY
 *
 * As initial data, or to a user who would not understand that, as dirty data.
 *
 * Context: the file's lock.
 */
void migsim_precopy_reinit(struct migsim_file *file)
{
	struct migsim_precopy *pre = &file->precopy;

	lockdep_assert_held(&file->lock);

	if (migsim_knows_reinit(file->dev)) {
		bitmap_zero(pre->dirty, nr_blocks(pre));
		pre->given = 0;
		pre->reinit = true;
	} else {
		bitmap_set(pre->dirty, 0, DIV_ROUND_UP(pre->given, MIGSIM_BLOCK));
	}
}

/**
 * migsim_precopy_catch_up - what has the device written since the last look?
 * @file: a data_fd in PRE_COPY
 *
 * Context: the file's lock.
 */
void migsim_precopy_catch_up(struct migsim_file *file)
{
	const u64 rate = READ_ONCE(file->dev->knobs.dirty_rate);
	struct migsim_precopy *pre = &file->precopy;
	const ktime_t now = ktime_get();
	u64 blocks;

	lockdep_assert_held(&file->lock);

	if (!rate) {
		pre->clock = now;
		return;
	}
	blocks = mul_u64_u64_div_u64(ktime_sub(now, pre->clock), rate,
				     MIGSIM_BLOCK * NSEC_PER_SEC);
	pre->clock = ktime_add_ns(pre->clock,
				  mul_u64_u64_div_u64(blocks, MIGSIM_BLOCK *
						      NSEC_PER_SEC, rate));
	migsim_precopy_write(file, blocks * MIGSIM_BLOCK);
}

/**
 * migsim_precopy_next_ns - when will the device write to the next block?
 * @file: a data_fd in PRE_COPY, looked at just now
 *
 * Context: the file's lock.
 * Return: nanoseconds from now, or U64_MAX for never.
 */
u64 migsim_precopy_next_ns(struct migsim_file *file)
{
	const u64 rate = READ_ONCE(file->dev->knobs.dirty_rate);

	if (!rate || !file->precopy.size)
		return U64_MAX;
	return div64_u64(MIGSIM_BLOCK * NSEC_PER_SEC, rate) + 1;
}

/* The next run of dirty blocks from @block on, cut to what a record takes. */
static bool dirty_run(const struct migsim_precopy *pre, unsigned long block,
		      u64 *start, u64 *end)
{
	const unsigned long limit = DIV_ROUND_UP(pre->given, MIGSIM_BLOCK);
	unsigned long first, behind;

	first = find_next_bit(pre->dirty, limit, block);
	if (first >= limit)
		return false;
	behind = find_next_zero_bit(pre->dirty, limit, first);
	behind = min(behind, first + MIGSIM_PRECOPY_DATA / MIGSIM_BLOCK);
	*start = (u64)first * MIGSIM_BLOCK;
	*end = block_end(pre, behind - 1);
	return true;
}

/**
 * migsim_precopy_initial - bytes of records that were never begun
 * @pre: the pre-copy
 *
 * Context: the file's lock.
 * Return: with the heads of the records.
 */
u64 migsim_precopy_initial(const struct migsim_precopy *pre)
{
	const u64 left = pre->size - pre->given;

	return left + DIV_ROUND_UP_ULL(left, MIGSIM_PRECOPY_DATA) *
		      MIGSIM_PRECOPY_HEAD;
}

/**
 * migsim_precopy_dirty - bytes of records with what was written meanwhile
 * @pre: the pre-copy
 *
 * Context: the file's lock.
 * Return: with the heads of the records.
 */
u64 migsim_precopy_dirty(const struct migsim_precopy *pre)
{
	unsigned long block = 0;
	u64 start, end, sum = 0;

	while (dirty_run(pre, block, &start, &end)) {
		sum += end - start + MIGSIM_PRECOPY_HEAD;
		block = DIV_ROUND_UP(end, MIGSIM_BLOCK);
	}
	return sum;
}

/**
 * migsim_precopy_record - make the next record
 * @file: the data_fd; all of the last record was read
 * @initial: also what was never given before, not only what was written since
 *
 * The record is a snapshot: what the device writes from now on is dirty again.
 *
 * Context: the file's io_lock and lock.
 * Return: its size; it is at precopy.record. 0 if there is none.
 */
size_t migsim_precopy_record(struct migsim_file *file, bool initial)
{
	struct migsim_precopy *pre = &file->precopy;
	const struct migsim_blob *from = pre->live ?: pre->base;
	u64 start, end;

	lockdep_assert_held(&file->io_lock);
	lockdep_assert_held(&file->lock);

	pre->is_initial = initial && pre->given < pre->size;
	if (pre->is_initial) {
		start = pre->given;
		end = min(start + MIGSIM_PRECOPY_DATA, pre->size);
		pre->given = end;
	} else if (dirty_run(pre, 0, &start, &end)) {
		bitmap_clear(pre->dirty, start / MIGSIM_BLOCK,
			     DIV_ROUND_UP(end - start, MIGSIM_BLOCK));
	} else {
		return 0;
	}
	memcpy(pre->record + MIGSIM_PRECOPY_HEAD, from->data + start,
	       end - start);
	migsim_stream_fill_precopy((void *)pre->record, start, pre->seq++,
				   pre->record + MIGSIM_PRECOPY_HEAD,
				   end - start);
	return MIGSIM_PRECOPY_HEAD + end - start;
}
