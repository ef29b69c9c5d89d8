/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page of user memory for a moment: some ioctls that the module calls take nothing
 * else.
 */
#ifndef MIGMUX_UPAGE_H
#define MIGMUX_UPAGE_H

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mman.h>

/**
 * migmux_upage_map() - map a page of zeros into the current address space
 *
 * The process can see it, write to it and unmap it: what comes back from there is not to
 * be trusted more than what the process says itself.
 *
 * Context: a task with an address space; sleeps, takes the mmap lock.
 * Return: its address, or a negative errno, to be told apart by IS_ERR_VALUE().
 */
static inline unsigned long migmux_upage_map(void)
{
	return vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
}

/**
 * migmux_upage_unmap() - take it away
 * @uaddr: its address
 *
 * Context: as migmux_upage_map().
 */
static inline void migmux_upage_unmap(unsigned long uaddr)
{
	vm_munmap(uaddr, PAGE_SIZE);
}

#endif /* MIGMUX_UPAGE_H */
