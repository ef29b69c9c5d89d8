// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vfio/migmux: open, ioctl, read, poll, close.
 */
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "ioctl.h"
#include "main.h"
#include "session.h"

/* The argument of any ioctl, as a kernel copy. */
union args {
	struct vfio_migmux_info info;
	struct vfio_migmux_device_add device_add;
	struct vfio_migmux_device_remove device_remove;
	struct vfio_migmux_channel_add channel_add;
	struct vfio_migmux_link_attach link_attach;
	struct vfio_migmux_set_state set_state;
	struct vfio_migmux_save save;
	struct vfio_migmux_load load;
	struct vfio_migmux_config config;
	struct vfio_migmux_load_buffer load_buffer;
	struct vfio_migmux_data_fd data_fd;
	struct vfio_migmux_wait wait;
	struct vfio_migmux_abort abort;
	struct vfio_migmux_timeline timeline;
	struct vfio_migmux_last_error last_error;
	struct vfio_migmux_precopy_info precopy_info;
	struct vfio_migmux_peer_info peer_info;
	struct vfio_migmux_dma_map dma_map;
	struct vfio_migmux_dma_unmap dma_unmap;
	struct vfio_migmux_dma_wait dma_wait;
};

/**
 * struct op - an ioctl
 * @cmd: its number
 * @size: size of its argument, and the least that a caller may pass: all structures are
 *	as they were first. One that grows needs both here
 * @flags: flags that it knows
 * @anyone: whoever holds the file may call it
 * @out: the argument is copied back, also after an error
 * @fn: does it, with a kernel copy of the argument
 */
struct op {
	unsigned int cmd;
	u32 size;
	u32 flags;
	bool anyone;
	bool out;
	long (*fn)(struct migmux_session *s, void *args);
};

#define OP(_cmd, _member, _flags, _fn, ...)				\
	{								\
		.cmd = _cmd,						\
		.size = sizeof_field(union args, _member),		\
		.flags = _flags,					\
		.fn = _fn,						\
		__VA_ARGS__						\
	}

static const struct op ops[] = {
	OP(VFIO_MIGMUX_GET_INFO, info, 0, migmux_ioctl_get_info,
	   .anyone = true, .out = true),
	OP(VFIO_MIGMUX_DEVICE_ADD, device_add, 0, migmux_ioctl_device_add,
	   .out = true),
	OP(VFIO_MIGMUX_DEVICE_REMOVE, device_remove, 0, migmux_ioctl_device_remove),
	OP(VFIO_MIGMUX_CHANNEL_ADD, channel_add, 0, migmux_ioctl_channel_add,
	   .out = true),
	OP(VFIO_MIGMUX_LINK_ATTACH, link_attach, VFIO_MIGMUX_LINK_ATTACH_SHARED,
	   migmux_ioctl_link_attach, .out = true),
	OP(VFIO_MIGMUX_SET_STATE, set_state,
	   VFIO_MIGMUX_SET_STATE_ASYNC | VFIO_MIGMUX_SET_STATE_NO_P2P,
	   migmux_ioctl_set_state, .out = true),
	OP(VFIO_MIGMUX_SAVE, save,
	   VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_NO_P2P |
	   VFIO_MIGMUX_SAVE_NO_CONFIG | VFIO_MIGMUX_SAVE_PRECOPY |
	   VFIO_MIGMUX_SAVE_VERIFY | VFIO_MIGMUX_SAVE_READY, migmux_ioctl_save),
	OP(VFIO_MIGMUX_LOAD, load,
	   VFIO_MIGMUX_LOAD_VERDICT | VFIO_MIGMUX_LOAD_NO_P2P |
	   VFIO_MIGMUX_LOAD_BUFFERS | VFIO_MIGMUX_LOAD_VERIFY, migmux_ioctl_load),
	OP(VFIO_MIGMUX_CONFIG_SET, config, 0, migmux_ioctl_config_set),
	OP(VFIO_MIGMUX_CONFIG_GET, config, 0, migmux_ioctl_config_get,
	   .out = true),
	OP(VFIO_MIGMUX_WAIT, wait, 0, migmux_ioctl_wait, .out = true),
	OP(VFIO_MIGMUX_ABORT, abort, 0, migmux_ioctl_abort),
	OP(VFIO_MIGMUX_TIMELINE, timeline, 0, migmux_ioctl_timeline, .out = true),
	OP(VFIO_MIGMUX_PRECOPY_INFO, precopy_info, 0, migmux_ioctl_precopy_info,
	   .out = true),
	OP(VFIO_MIGMUX_PEER_INFO, peer_info, 0, migmux_ioctl_peer_info, .out = true),
	OP(VFIO_MIGMUX_LAST_ERROR, last_error, 0, migmux_ioctl_last_error,
	   .anyone = true, .out = true),
	OP(VFIO_MIGMUX_LOAD_BUFFER, load_buffer,
	   VFIO_MIGMUX_LOAD_BUFFER_NONBLOCK, migmux_ioctl_load_buffer),
	OP(VFIO_MIGMUX_DATA_FD, data_fd, 0, migmux_ioctl_data_fd),
	OP(VFIO_MIGMUX_DMA_MAP, dma_map, 0, migmux_ioctl_dma_map, .out = true),
	OP(VFIO_MIGMUX_DMA_UNMAP, dma_unmap,
	   VFIO_MIGMUX_DMA_UNMAP_ALL | VFIO_MIGMUX_DMA_UNMAP_CANCEL,
	   migmux_ioctl_dma_unmap),
	OP(VFIO_MIGMUX_DMA_WAIT, dma_wait, 0, migmux_ioctl_dma_wait, .out = true),
};

static const struct op *find_op(unsigned int cmd)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (ops[i].cmd == cmd)
			return &ops[i];
	return NULL;
}

/* The first caller becomes the owner; nobody else may act. */
static int check_owner(struct migmux_session *s)
{
	int err = 0;

	mutex_lock(&s->mutex);
	if (!s->owner.mm)
		migmux_identity_take(&s->owner);
	else if (s->owner.mm != current->mm)
		err = migmux_session_refuse(s, -EPERM, "the session belongs to another process");
	mutex_unlock(&s->mutex);
	return err;
}

static long get_args(struct migmux_session *s, const struct op *op,
		     union args *args, void __user *uargs, u32 *argsz)
{
	const u32 *head = (const u32 *)args;
	int err;

	if (get_user(*argsz, (u32 __user *)uargs))
		return -EFAULT;
	if (*argsz < op->size)
		return migmux_session_refuse(s, -EINVAL, "argsz is %u, and %u at least is needed",
					     *argsz, op->size);
	if (*argsz > PAGE_SIZE)
		return migmux_session_refuse(s, -E2BIG, "argsz is %u, more than a page", *argsz);
	err = copy_struct_from_user(args, op->size, uargs, *argsz);
	if (err == -E2BIG)
		migmux_session_refuse(s, err, "argsz is %u, and bytes after %u are not zero",
				      *argsz, op->size);
	if (err)
		return err;
	if (head[1] & ~op->flags)
		return migmux_session_refuse(s, -EINVAL, "flags %#x are not known here",
					     head[1] & ~op->flags);
	return 0;
}

static long migmux_unlocked_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg)
{
	struct migmux_session *s = file->private_data;
	void __user *uargs = (void __user *)arg;
	const struct op *op;
	union args args = { };
	u32 argsz;
	long ret;

	op = find_op(cmd);
	if (!op)
		return -ENOTTY;
	ret = get_args(s, op, &args, uargs, &argsz);
	if (ret)
		return ret;
	if (!op->anyone) {
		ret = check_owner(s);
		if (ret)
			return ret;
	}
	ret = op->fn(s, &args);
	if (op->out && copy_to_user(uargs, &args, op->size))
		return -EFAULT;
	return ret;
}

static int migmux_open(struct inode *inode, struct file *file)
{
	struct migmux_session *s = migmux_session_create();

	if (IS_ERR(s))
		return PTR_ERR(s);
	file->private_data = s;
	return stream_open(inode, file);
}

static int migmux_release(struct inode *inode, struct file *file)
{
	struct migmux_session *s = file->private_data;

	/*
	 * A mover that was sent the file, and which the session maybe waits for; or the worker
	 * that closes what other workers put.
	 */
	if (current->flags & (PF_USER_WORKER | PF_KTHREAD))
		migmux_session_close_later(s);
	else
		migmux_session_close(s);
	return 0;
}

static ssize_t migmux_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	return migmux_events_read(file->private_data, file, buf, count);
}

static __poll_t migmux_poll(struct file *file, poll_table *wait)
{
	struct migmux_session *s = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &s->wq, wait);
	if (migmux_events_pending(&s->events))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (migmux_session_reached(s) & VFIO_MIGMUX_MILESTONE_ENDED)
		mask |= EPOLLHUP;
	return mask;
}

const struct file_operations migmux_fops = {
	.owner = THIS_MODULE,
	.open = migmux_open,
	.release = migmux_release,
	.read = migmux_read,
	.poll = migmux_poll,
	.unlocked_ioctl = migmux_unlocked_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
