// SPDX-License-Identifier: GPL-2.0-only
/*
 * Staging. Drivers only take user pointers in their data files, so the pages are
 * mapped into the owner's address space. The owner can write to them and unmap
 * them at any time: it harms only its own state. Headers are not in here.
 *
 * Who holds what: a mapping holds the file (VFS), the file holds the staging,
 * the staging holds the pages; each frame that a socket reads holds the staging
 * too. The session holds file and staging until migmux_staging_destroy(), which
 * unmaps it if the address space still lives. If the owner moved the mapping, or
 * is being killed, the mapping goes with the address space.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "device.h"
#include "limit.h"
#include "session.h"
#include "staging.h"
#include "trace.h"

static void frame_free_pages(struct migmux_frame *frame)
{
	u32 i;

	for (i = 0; i < frame->nr_bvec; i++)
		__free_pages(frame->bvec[i].bv_page, MIGMUX_CHUNK_ORDER);
	kfree(frame->bvec);
}

static int frame_alloc_pages(struct migmux_frame *frame)
{
	/* zeroed: the owner can read it before anything was written */
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_ZERO;
	struct page *page;

	frame->bvec = kcalloc(MIGMUX_FRAME_CHUNKS, sizeof(*frame->bvec),
			      GFP_KERNEL_ACCOUNT);
	if (!frame->bvec)
		return -ENOMEM;
	while (frame->nr_bvec < MIGMUX_FRAME_CHUNKS) {
		page = alloc_pages(gfp, MIGMUX_CHUNK_ORDER);
		if (!page)
			return -ENOMEM;
		bvec_set_page(&frame->bvec[frame->nr_bvec++], page,
			      MIGMUX_CHUNK_SIZE, 0);
	}
	return 0;
}

static size_t mapped_size(const struct migmux_staging *staging)
{
	return (size_t)staging->nr_frames * MIGMUX_WIRE_DATA_MAX;
}

static void staging_free(struct kref *ref)
{
	struct migmux_staging *staging =
		container_of(ref, struct migmux_staging, ref);
	u32 i;

	for (i = 0; i < staging->nr_frames; i++)
		frame_free_pages(&staging->frames[i]);
	mmdrop(staging->mm);
	migmux_limit_staging_put(mapped_size(staging));
	trace_migmux_object_destroy("staging", staging);
	kvfree(staging);
}

static int frame_map(struct vm_area_struct *vma, struct migmux_frame *frame,
		     unsigned long addr)
{
	struct page *pages[1 << MIGMUX_CHUNK_ORDER];
	unsigned long nr;
	u32 i, j;
	int err;

	for (i = 0; i < frame->nr_bvec; i++) {
		for (j = 0; j < ARRAY_SIZE(pages); j++)
			pages[j] = frame->bvec[i].bv_page + j;
		nr = ARRAY_SIZE(pages);
		err = vm_insert_pages(vma, addr, pages, &nr);
		if (err)
			return err;
		addr += MIGMUX_CHUNK_SIZE;
	}
	return 0;
}

static int staging_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct migmux_staging *staging = file->private_data;
	unsigned long addr = vma->vm_start;
	int err;
	u32 i;

	if (vma->vm_pgoff || vma_pages(vma) !=
	    (unsigned long)staging->nr_frames * (MIGMUX_WIRE_DATA_MAX >> PAGE_SHIFT))
		return -EINVAL;
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	for (i = 0; i < staging->nr_frames; i++) {
		err = frame_map(vma, &staging->frames[i], addr);
		if (err)
			return err;
		addr += MIGMUX_WIRE_DATA_MAX;
	}
	return 0;
}

static int staging_release(struct inode *inode, struct file *file)
{
	struct migmux_staging *staging = file->private_data;

	kref_put(&staging->ref, staging_free);
	return 0;
}

static const struct file_operations staging_fops = {
	.owner = THIS_MODULE,
	.mmap = staging_mmap,
	.release = staging_release,
};

static int staging_map(struct migmux_staging *staging)
{
	unsigned long addr;
	struct file *file;
	u32 i;

	file = anon_inode_getfile("[vfio_migmux]", &staging_fops, staging, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	kref_get(&staging->ref);	/* staging_release() puts it */
	addr = vm_mmap(file, 0, mapped_size(staging), PROT_READ | PROT_WRITE,
		       MAP_SHARED, 0);
	if (IS_ERR_VALUE(addr)) {
		fput(file);
		return (int)addr;
	}
	staging->file = file;
	staging->uaddr = addr;
	for (i = 0; i < staging->nr_frames; i++)
		staging->frames[i].uaddr = addr + (size_t)i * MIGMUX_WIRE_DATA_MAX;
	return 0;
}

/**
 * migmux_staging_create() - allocate memory for frames and map it
 * @bytes: how much, rounded up to whole frames; more than 0
 *
 * Charged to the memory cgroup of the current process and mapped into its
 * address space.
 *
 * Context: the VMM's ioctl. Sleeps; takes the mmap lock.
 * Return: the staging or an ERR_PTR: -ENOSPC (all sessions together have too much),
 * -ENOMEM, or what mmap() fails with.
 */
struct migmux_staging *migmux_staging_create(u64 bytes)
{
	u32 nr = div_u64(bytes + MIGMUX_WIRE_DATA_MAX - 1, MIGMUX_WIRE_DATA_MAX);
	struct migmux_staging *staging;
	int err;
	u32 i;

	staging = kvzalloc(struct_size(staging, frames, nr), GFP_KERNEL_ACCOUNT);
	if (!staging)
		return ERR_PTR(-ENOMEM);
	if (!migmux_limit_staging_take((u64)nr * MIGMUX_WIRE_DATA_MAX)) {
		kvfree(staging);
		return ERR_PTR(-ENOSPC);
	}
	kref_init(&staging->ref);
	INIT_LIST_HEAD(&staging->free);
	INIT_LIST_HEAD(&staging->lent);
	staging->nr_frames = nr;
	staging->mm = current->mm;
	mmgrab(staging->mm);
	trace_migmux_object_create("staging", staging);

	for (i = 0; i < nr; i++) {
		err = frame_alloc_pages(&staging->frames[i]);
		if (err)
			goto err_put;
		list_add_tail(&staging->frames[i].node, &staging->free);
		staging->nr_free++;
	}
	err = staging_map(staging);
	if (err)
		goto err_put;
	return staging;

err_put:
	kref_put(&staging->ref, staging_free);
	return ERR_PTR(err);
}

/* Unmap it, unless the owner moved it away or put something else there. */
static void staging_unmap(struct migmux_staging *staging)
{
	struct vm_area_struct *vma;
	bool ours;

	if (!mmget_not_zero(staging->mm))
		return;
	mmap_read_lock(staging->mm);
	vma = vma_lookup(staging->mm, staging->uaddr);
	ours = vma && vma->vm_file == staging->file &&
	       vma->vm_end - vma->vm_start == mapped_size(staging);
	mmap_read_unlock(staging->mm);
	if (ours) {
		kthread_use_mm(staging->mm);
		vm_munmap(staging->uaddr, mapped_size(staging));
		kthread_unuse_mm(staging->mm);
	}
	mmput(staging->mm);
}

/**
 * migmux_staging_destroy() - unmap it and give up the session's hold
 * @staging: the staging; nobody owns a frame any more
 *
 * Context: work, not a task of a user: it borrows the owner's address space.
 * Sleeps; takes the mmap lock.
 */
void migmux_staging_destroy(struct migmux_staging *staging)
{
	staging_unmap(staging);
	fput(staging->file);
	kref_put(&staging->ref, staging_free);
}

/**
 * migmux_staging_release() - like migmux_staging_destroy(), for the owner itself
 * @staging: the staging; nobody owns a frame any more
 *
 * Context: a task of the owner's address space. Sleeps; takes the mmap lock.
 */
void migmux_staging_release(struct migmux_staging *staging)
{
	vm_munmap(staging->uaddr, mapped_size(staging));
	fput(staging->file);
	kref_put(&staging->ref, staging_free);
}

/**
 * migmux_staging_hold() - keep the pages
 * @staging: the staging; migmux_staging_drop() ends it
 */
void migmux_staging_hold(struct migmux_staging *staging)
{
	kref_get(&staging->ref);
}

/**
 * migmux_staging_drop() - end what migmux_staging_hold() began
 * @staging: the staging
 *
 * Context: sleeps if it was the last hold.
 */
void migmux_staging_drop(struct migmux_staging *staging)
{
	kref_put(&staging->ref, staging_free);
}

/**
 * migmux_staging_get() - take a free frame
 * @staging: the staging
 * @dev: the device whose state it will carry
 *
 * Context: the session's lock is held.
 * Return: the frame, or NULL if there is none.
 */
struct migmux_frame *migmux_staging_get(struct migmux_staging *staging,
					struct migmux_device *dev)
	__must_hold(&dev->session->lock)
{
	struct migmux_report *report = dev->session->report;
	struct migmux_frame *frame;
	u64 used;

	frame = list_first_entry_or_null(&staging->free, struct migmux_frame, node);
	if (!frame)
		return NULL;
	list_del_init(&frame->node);
	frame->device = dev;
	dev->held++;
	staging->nr_free--;
	used = (u64)(staging->nr_frames - staging->nr_free) * MIGMUX_WIRE_DATA_MAX;
	spin_lock(&report->lock);
	report->staging_peak = max(report->staging_peak, used);
	spin_unlock(&report->lock);
	return frame;
}

/**
 * migmux_staging_put() - give a frame back
 * @staging: the staging
 * @frame: from migmux_staging_get()
 *
 * Context: the session's lock is held; the caller wakes who waits for memory.
 */
void migmux_staging_put(struct migmux_staging *staging, struct migmux_frame *frame)
{
	frame->device->held--;
	frame->device = NULL;
	frame->bytes = 0;
	frame->precopy = false;
	frame->ack = NULL;
	/* last in, first out: its pages are the warmest */
	list_add(&frame->node, &staging->free);
	staging->nr_free++;
}

/* Are its pages referred to by us, and by where they are mapped, and by nobody else? */
static bool frame_is_ours(const struct migmux_frame *frame)
{
	const struct folio *folio;
	u32 i;

	for (i = 0; i < frame->nr_bvec; i++) {
		folio = page_folio(frame->bvec[i].bv_page);
		if (folio_ref_count(folio) > 1 + folio_mapcount(folio))
			return false;
	}
	/* whoever gave the last one up has read before; we write after */
	smp_mb();
	return true;
}

/**
 * migmux_staging_lend() - give a frame back of which a socket may still have pages
 * @staging: the staging
 * @frame: from migmux_staging_get()
 *
 * Context: as migmux_staging_put().
 */
void migmux_staging_lend(struct migmux_staging *staging, struct migmux_frame *frame)
{
	if (frame_is_ours(frame))
		migmux_staging_put(staging, frame);
	else
		list_add_tail(&frame->node, &staging->lent);
}

/**
 * migmux_staging_reclaim() - look which of the frames that were lent are back
 * @staging: the staging
 *
 * Context: the session's lock is held.
 * Return: whether there was one.
 */
bool migmux_staging_reclaim(struct migmux_staging *staging)
{
	struct migmux_frame *frame, *next;
	bool back = false;

	list_for_each_entry_safe(frame, next, &staging->lent, node) {
		if (!frame_is_ours(frame))
			continue;
		list_del(&frame->node);
		migmux_staging_put(staging, frame);
		back = true;
	}
	return back;
}
