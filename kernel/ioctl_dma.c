// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIGMUX_DMA_MAP, DMA_UNMAP, DMA_WAIT.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dma.h"
#include "ioctl.h"
#include "session.h"

#define ACCESS	(VFIO_MIGMUX_DMA_READ | VFIO_MIGMUX_DMA_WRITE)

static_assert(VFIO_MIGMUX_DMA_READ == (int)MIGMUX_DMA_READ);
static_assert(VFIO_MIGMUX_DMA_WRITE == (int)MIGMUX_DMA_WRITE);

/**
 * struct list - the VMM's array of ranges
 * @user: where it is
 * @size: of an element there
 * @n: elements
 * @r: a copy
 */
struct list {
	void __user *user;
	u32 size;
	u32 n;
	struct vfio_migmux_dma_range *r;
};

static int list_get(struct migmux_session *s, struct list *list, u64 user, u32 size,
		    u32 n)
{
	int err = 0;
	u32 i;

	*list = (struct list) { .user = u64_to_user_ptr(user), .size = size, .n = n };
	if (!n)
		return 0;
	if (n > MIGMUX_DMA_RANGES_MAX)
		return migmux_session_refuse(s, -ENOSPC, "nr_ranges is %u, %u at most are taken",
					     n, MIGMUX_DMA_RANGES_MAX);
	if (size < sizeof(*list->r) || size > PAGE_SIZE)
		return migmux_session_refuse(s, -EINVAL, "range_size is %u", size);
	list->r = kvcalloc(n, sizeof(*list->r), GFP_KERNEL_ACCOUNT);
	if (!list->r)
		return -ENOMEM;
	for (i = 0; i < n && !err; i++)
		err = copy_struct_from_user(&list->r[i], sizeof(*list->r),
					    list->user + (size_t)i * size, size);
	if (err)
		kvfree(list->r);
	return err;
}

/* What is wrong with each; and nothing of the copy is used afterwards. */
static int list_put(struct list *list)
{
	int err = 0;
	u32 i;

	for (i = 0; i < list->n && !err; i++)
		if (copy_to_user(list->user + (size_t)i * list->size, &list->r[i],
				 sizeof(*list->r)))
			err = -EFAULT;
	kvfree(list->r);
	return err;
}

/* A range is refused: the first one is the one that the call is refused for. */
static int refuse(struct migmux_session *s, struct list *list, u32 i, int err, int first,
		  const char *why)
{
	list->r[i].error = -err;
	if (first)
		return first;
	return migmux_session_refuse(s, err, "range %u, %#llx bytes at IOVA %#llx: %s",
				     i, list->r[i].size, list->r[i].iova, why);
}

/* --- DMA_MAP ------------------------------------------------------------------------- */

/* Targets would say so too, but not all of them clearly. */
static int check_memory(const struct vfio_migmux_dma_range *r, const char **why)
{
	const unsigned long last = r->vaddr + (r->size - 1);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long at;
	int err = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for (at = r->vaddr; !err; at = vma->vm_end) {
		vma = find_vma(mm, at);
		if (!vma || vma->vm_start > at) {
			err = -EFAULT;
			*why = "the process has no memory there";
		} else if (r->flags & VFIO_MIGMUX_DMA_WRITE &&
			   !(vma->vm_flags & VM_WRITE)) {
			err = -EACCES;
			*why = "the process can only read that memory, and devices are to write it";
		} else if (vma->vm_end - 1 >= last) {
			break;
		}
	}
	mmap_read_unlock(mm);
	return err;
}

static int check_range(struct migmux_dma_target *t, const struct list *list, u32 i,
		       const char **why)
{
	const struct vfio_migmux_dma_range *r = &list->r[i];
	const struct migmux_dma_range range = {
		.iova = r->iova,
		.vaddr = r->vaddr,
		.size = r->size,
		.access = r->flags & ACCESS,
	};
	struct migmux_dma *dma = &t->session->dma;
	struct migmux_dma_range other;
	enum migmux_dma_err err;
	u32 j;

	*why = "flags or reserved have bits that are not known";
	if (r->reserved || r->flags & ~(ACCESS | VFIO_MIGMUX_DMA_REPLACE))
		return -EINVAL;
	spin_lock(&dma->lock);
	err = migmux_dma_table_check(&t->table, &range,
				     r->flags & VFIO_MIGMUX_DMA_REPLACE);
	spin_unlock(&dma->lock);
	/* those before it are good, or refused already */
	for (j = 0; j < i && !err; j++) {
		other.iova = list->r[j].iova;
		other.size = list->r[j].size;
		if (!list->r[j].error && migmux_dma_overlap(&other, &range))
			err = MIGMUX_DMA_OVERLAPS;
	}
	*why = migmux_dma_strerror(err);
	return migmux_dma_errno(err) ?: check_memory(r, why);
}

static int check_ranges(struct migmux_dma_target *t, struct list *list)
{
	struct migmux_session *s = t->session;
	int err, first = 0;
	const char *why;
	u32 i, room;

	for (i = 0; i < list->n; i++) {
		list->r[i].error = 0;
		err = check_range(t, list, i, &why);
		if (err)
			first = refuse(s, list, i, err, first, why);
	}
	if (first)
		return first;
	spin_lock(&s->dma.lock);
	room = migmux_dma_table_room(&t->table);
	spin_unlock(&s->dma.lock);
	if (list->n > room)
		return migmux_session_refuse(s, -ENOSPC, "a target can have %u ranges",
					     MIGMUX_DMA_RANGES_MAX);
	return 0;
}

static void add_ranges(struct migmux_dma_target *t, struct list *list, u64 piece)
{
	struct migmux_dma *dma = &t->session->dma;
	struct vfio_migmux_dma_range *r;
	struct migmux_dma_range range;
	u32 i;

	/* at once: what replaces something must not be mapped before that is gone */
	spin_lock(&dma->lock);
	for (i = 0; i < list->n; i++) {
		r = &list->r[i];
		range = (struct migmux_dma_range) {
			.iova = r->iova,
			.vaddr = r->vaddr,
			.size = r->size,
			.piece = piece,
			.access = r->flags & ACCESS,
		};
		/* nobody else adds, so the room that there was is still there */
		migmux_dma_table_add(&t->table, &range,
				     r->flags & VFIO_MIGMUX_DMA_REPLACE);
		r->target = t->index;
		r->mapped = 0;
	}
	t->error = 0;
	spin_unlock(&dma->lock);
}

static int check_map(struct migmux_session *s, const struct vfio_migmux_dma_map *map)
{
	if (map->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (map->piece && (map->piece < SZ_2M || map->piece > SZ_1T ||
			   !is_power_of_2(map->piece)))
		return migmux_session_refuse(s, -EINVAL, "piece is %llu: it can be a power of two from 2 MiB to 1 TiB",
					     map->piece);
	return 0;
}

static int check_session(struct migmux_session *s)
{
	lockdep_assert_held(&s->mutex);
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed: open a new one");
	if (s->role == VFIO_MIGMUX_ROLE_SOURCE)
		return migmux_session_refuse(s, -EBUSY, "the session saves: memory is mapped on the destination");
	return 0;
}

/* The target if it is there, or a new one, which the caller adds or frees. */
static struct migmux_dma_target *find_or_create(struct migmux_session *s,
						const struct vfio_migmux_dma_map *map)
{
	struct migmux_dma_target *t;
	struct file *file;
	int err;

	file = fget(map->target_fd);
	if (!file)
		return ERR_PTR(migmux_session_refuse(s, -EBADF, "target_fd %d is not open",
						     map->target_fd));
	mutex_lock(&s->mutex);
	err = check_session(s);
	t = migmux_dma_find(s, file, map->space);
	mutex_unlock(&s->mutex);
	if (!t && !err)
		return migmux_dma_target_create(s, file, map->space);
	fput(file);
	return err ? ERR_PTR(err) : t;
}

static int add(struct migmux_session *s, struct migmux_dma_target *t, struct list *list,
	       struct vfio_migmux_dma_map *map)
{
	const bool is_new = !t->nr_workers;
	int err;

	lockdep_assert_held(&s->mutex);
	/* another thread may have been faster */
	if (is_new && migmux_dma_find(s, t->file, t->space))
		return -EAGAIN;
	err = check_session(s) ?: check_ranges(t, list);
	if (!err && is_new)
		err = migmux_dma_target_add(t);
	if (err)
		return err;
	add_ranges(t, list, map->piece ?: t->ops->piece);
	map->target = t->index;
	return 0;
}

long migmux_ioctl_dma_map(struct migmux_session *s, void *args)
{
	struct vfio_migmux_dma_map *map = args;
	struct migmux_dma_target *t;
	struct list list;
	int err;

	err = check_map(s, map) ?:
	      list_get(s, &list, map->ranges, map->range_size, map->nr_ranges);
	if (err)
		return err;
	do {
		t = find_or_create(s, map);
		if (IS_ERR(t)) {
			err = PTR_ERR(t);
			break;
		}
		mutex_lock(&s->mutex);
		err = add(s, t, &list, map);
		mutex_unlock(&s->mutex);
		/* those of the session have threads */
		if (!t->nr_workers)
			migmux_dma_target_free(t);
	} while (err == -EAGAIN);
	if (!err) {
		migmux_dma_hold(s, false);
		migmux_dma_tell(s);
	}
	return list_put(&list) ?: err;
}

/* --- DMA_UNMAP ----------------------------------------------------------------------- */

static int check_unmap(struct migmux_session *s, const struct vfio_migmux_dma_unmap *unmap)
{
	const u32 all = VFIO_MIGMUX_DMA_UNMAP_ALL | VFIO_MIGMUX_DMA_UNMAP_CANCEL;

	if (unmap->reserved)
		return migmux_session_refuse(s, -EINVAL, "reserved is not 0");
	if (unmap->flags == all)
		return migmux_session_refuse(s, -EINVAL, "flags exclude each other");
	if (unmap->flags && (unmap->nr_ranges || unmap->target != VFIO_MIGMUX_INDEX_NONE))
		return migmux_session_refuse(s, -EINVAL, "flags are about all targets: target must be none and nr_ranges 0");
	return 0;
}

static int remove_ranges(struct migmux_session *s, struct list *list, u32 target)
{
	struct migmux_dma *dma = &s->dma;
	struct migmux_dma_table *table;
	enum migmux_dma_err err;
	int first = 0;
	u32 i;

	lockdep_assert_held(&s->mutex);
	if (target >= dma->nr_targets)
		return migmux_session_refuse(s, -ENOENT, "there is no target %u", target);
	table = &dma->targets[target]->table;
	for (i = 0; i < list->n; i++) {
		spin_lock(&dma->lock);
		err = migmux_dma_table_check_remove(table, list->r[i].iova,
						    list->r[i].size);
		spin_unlock(&dma->lock);
		list->r[i].error = 0;
		if (err)
			first = refuse(s, list, i, migmux_dma_errno(err), first,
				       migmux_dma_strerror(err));
	}
	spin_lock(&dma->lock);
	for (i = 0; i < list->n && !first; i++)
		migmux_dma_table_remove(table, list->r[i].iova, list->r[i].size);
	spin_unlock(&dma->lock);
	return first;
}

static void remove_all(struct migmux_dma *dma)
{
	u32 i;

	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++)
		migmux_dma_table_remove(&dma->targets[i]->table, 0, U64_MAX);
	spin_unlock(&dma->lock);
}

static bool is_gone(struct migmux_session *s, bool cancel)
{
	int err;

	return cancel ? migmux_dma_settled(s, &err) : migmux_dma_removed(s);
}

/* Until it is done: it goes on after a signal. */
static int wait_gone(struct migmux_session *s, bool cancel)
{
	if (wait_event_interruptible(s->wq, is_gone(s, cancel)))
		return -EINTR;
	if (READ_ONCE(s->failed))
		return migmux_session_refuse(s, -ECANCELED, "the session has failed");
	return 0;
}

/* What of the call is still there; the last word is about the first. */
static int check_gone(struct migmux_session *s, struct list *list, u32 target)
{
	int err, first = 0;
	u32 i;

	for (i = list->n; i--;) {
		err = migmux_dma_stuck(s, target, list->r[i].iova, list->r[i].size);
		list->r[i].error = -err;
		first = err ?: first;
	}
	return first;
}

static int check_all_gone(struct migmux_session *s)
{
	int err = 0;
	u32 i;

	for (i = 0; i < s->dma.nr_targets && !err; i++)
		err = migmux_dma_stuck(s, i, 0, U64_MAX);
	return err;
}

long migmux_ioctl_dma_unmap(struct migmux_session *s, void *args)
{
	const struct vfio_migmux_dma_unmap *unmap = args;
	const bool cancel = unmap->flags & VFIO_MIGMUX_DMA_UNMAP_CANCEL;
	struct list list;
	int err;

	err = check_unmap(s, unmap) ?:
	      list_get(s, &list, unmap->ranges, unmap->range_size, unmap->nr_ranges);
	if (err)
		return err;
	mutex_lock(&s->mutex);
	err = check_session(s);
	if (!err && !unmap->flags)
		err = remove_ranges(s, &list, unmap->target);
	if (!err && unmap->flags & VFIO_MIGMUX_DMA_UNMAP_ALL)
		remove_all(&s->dma);
	mutex_unlock(&s->mutex);
	if (!err) {
		if (cancel)
			migmux_dma_hold(s, true);
		else
			migmux_dma_wake(s);
		migmux_dma_tell(s);
		err = wait_gone(s, cancel);
		if (!err && !unmap->flags)
			err = check_gone(s, &list, unmap->target);
		if (!err && unmap->flags & VFIO_MIGMUX_DMA_UNMAP_ALL)
			err = check_all_gone(s);
	}
	return list_put(&list) ?: err;
}

/* --- DMA_WAIT ------------------------------------------------------------------------ */

static void fill(struct vfio_migmux_dma_range *to, const struct migmux_dma_range *r,
		 u32 target)
{
	*to = (struct vfio_migmux_dma_range) {
		.iova = r->iova,
		.vaddr = r->vaddr,
		.size = r->size,
		.mapped = r->done,
		.flags = r->access | (r->leaving ? VFIO_MIGMUX_DMA_LEAVING : 0),
		.error = -r->error,
		.target = target,
	};
}

/* All ranges at one moment, as far as there is room. */
static u32 copy_ranges(struct migmux_dma *dma, struct vfio_migmux_dma_range *to, u32 room)
{
	const struct migmux_dma_range *r;
	u32 i, j, n = 0;

	spin_lock(&dma->lock);
	for (i = 0; i < dma->nr_targets; i++) {
		for (j = 0; j < MIGMUX_DMA_RANGES_MAX; j++) {
			r = &dma->targets[i]->table.ranges[j];
			if (!r->used)
				continue;
			if (n < room)
				fill(&to[n], r, i);
			n++;
		}
	}
	spin_unlock(&dma->lock);
	return n;
}

static int put_ranges(struct vfio_migmux_dma_wait *wait,
		      const struct vfio_migmux_dma_range *from, u32 n)
{
	u8 __user *to = u64_to_user_ptr(wait->ranges);
	const size_t size = wait->range_size;
	u32 i;

	for (i = 0; i < n; i++, to += size) {
		if (copy_to_user(to, &from[i], min(size, sizeof(*from))))
			return -EFAULT;
		if (size > sizeof(*from) &&
		    clear_user(to + sizeof(*from), size - sizeof(*from)))
			return -EFAULT;
	}
	return 0;
}

static void put_sums(struct migmux_session *s, struct vfio_migmux_dma_wait *wait)
{
	struct migmux_dma_sum sum;
	u32 i;

	wait->nr_failed = 0;
	wait->bytes = 0;
	wait->mapped = 0;
	spin_lock(&s->dma.lock);
	for (i = 0; i < s->dma.nr_targets; i++) {
		migmux_dma_table_sum(&s->dma.targets[i]->table, &sum);
		wait->nr_failed += sum.failed;
		wait->bytes += sum.bytes;
		wait->mapped += sum.done;
	}
	spin_unlock(&s->dma.lock);
}

static int put_state(struct migmux_session *s, struct vfio_migmux_dma_wait *wait)
{
	const u32 most = MIGMUX_MAX_TARGETS * MIGMUX_DMA_RANGES_MAX;
	const u32 room = wait->ranges ? min(wait->nr_ranges, most) : 0;
	struct vfio_migmux_dma_range *copy = NULL;
	int err;

	if (room) {
		copy = kvcalloc(room, sizeof(*copy), GFP_KERNEL_ACCOUNT);
		if (!copy)
			return -ENOMEM;
	}
	put_sums(s, wait);
	wait->nr_ranges = copy_ranges(&s->dma, copy, room);
	err = put_ranges(wait, copy, min(room, wait->nr_ranges));
	kvfree(copy);
	return err;
}

long migmux_ioctl_dma_wait(struct migmux_session *s, void *args)
{
	struct vfio_migmux_dma_wait *wait = args;
	long timeout, left;
	int err = 0;

	if (wait->range_size > PAGE_SIZE ||
	    (wait->ranges && wait->range_size < sizeof(u64)))
		return migmux_session_refuse(s, -EINVAL, "range_size is %u",
					     wait->range_size);
	timeout = wait->timeout_ms == U32_MAX ? MAX_SCHEDULE_TIMEOUT :
						msecs_to_jiffies(wait->timeout_ms);
	left = wait_event_interruptible_timeout(s->wq, migmux_dma_settled(s, &err),
						timeout);
	if (left < 0)
		err = -EINTR;
	else if (!left)
		err = -ETIMEDOUT;
	else if (err)
		migmux_dma_refuse(s, err);
	return put_state(s, wait) ?: err;
}
