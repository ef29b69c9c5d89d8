// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "dma.h"
#include "upage.h"

/**
 * migmux_dma_ioctl() - call an ioctl of a target as the VMM would
 * @file: the target
 * @cmd: the ioctl
 * @arg: its argument
 * @answer: where what it made of that goes, or NULL if nobody asks; may be @arg
 * @size: bytes of each; no more than a page
 *
 * The argument lies in a page of the process, which another thread of it can write to:
 * then the process has asked the target for something else itself.
 *
 * Context: a task with the address space of the VMM; no lock is held. Sleeps as long as
 * the target takes.
 * Return: what the ioctl returns; -EFAULT also if its answer cannot be read; -ENOMEM if there
 * is no memory for the page, or another error of mapping it: then it was not called.
 */
long migmux_dma_ioctl(struct file *file, unsigned int cmd, const void *arg, void *answer,
		      size_t size)
{
	unsigned long uaddr = migmux_upage_map();
	void __user *to = (void __user *)uaddr;
	long ret = -ENOMEM;

	if (IS_ERR_VALUE(uaddr))
		return (long)uaddr;
	if (!copy_to_user(to, arg, size)) {
		ret = file->f_op->unlocked_ioctl(file, cmd, uaddr);
		if (answer && copy_from_user(answer, to, size))
			ret = ret ?: -EFAULT;
	}
	migmux_upage_unmap(uaddr);
	return ret;
}
