/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls. Each gets a kernel copy of its argument, whose size and flags are
 * checked; reserved fields and all else are its own business. What they do, and
 * their errors, stand in uapi/linux/vfio_migmux.h.
 *
 * Context of all: the VMM's ioctl; they take the session's mutex and sleep.
 */
#ifndef MIGMUX_IOCTL_H
#define MIGMUX_IOCTL_H

#include <linux/types.h>

struct migmux_device;
struct migmux_session;

/* ioctl_setup.c: what a session is made of */
long migmux_ioctl_get_info(struct migmux_session *s, void *args);
long migmux_ioctl_device_add(struct migmux_session *s, void *args);
long migmux_ioctl_device_remove(struct migmux_session *s, void *args);
long migmux_ioctl_channel_add(struct migmux_session *s, void *args);
long migmux_ioctl_link_attach(struct migmux_session *s, void *args);
long migmux_ioctl_config_set(struct migmux_session *s, void *args);
long migmux_ioctl_config_get(struct migmux_session *s, void *args);
/* may devices, channels and data files come and go now? */
int migmux_ioctl_check_setup(struct migmux_session *s);
/* an element of an array of the caller's, who knows @room bytes of it */
int migmux_ioctl_put(void __user *to, size_t room, const void *from, size_t size);
/* a device by its index, or NULL after a refusal with ENOENT */
struct migmux_device *migmux_ioctl_device(struct migmux_session *s, u32 index);

/* adopt.c, buffer.c: what the VMM brings along */
long migmux_ioctl_data_fd(struct migmux_session *s, void *args);
long migmux_ioctl_load_buffer(struct migmux_session *s, void *args);

/* ioctl_run.c: what it does */
long migmux_ioctl_set_state(struct migmux_session *s, void *args);
long migmux_ioctl_save(struct migmux_session *s, void *args);
long migmux_ioctl_load(struct migmux_session *s, void *args);
long migmux_ioctl_precopy_info(struct migmux_session *s, void *args);
long migmux_ioctl_wait(struct migmux_session *s, void *args);
long migmux_ioctl_abort(struct migmux_session *s, void *args);
long migmux_ioctl_timeline(struct migmux_session *s, void *args);
long migmux_ioctl_last_error(struct migmux_session *s, void *args);

/* ready.c: what the destination has said */
long migmux_ioctl_peer_info(struct migmux_session *s, void *args);

/* ioctl_dma.c: memory mapped ahead of time */
long migmux_ioctl_dma_map(struct migmux_session *s, void *args);
long migmux_ioctl_dma_unmap(struct migmux_session *s, void *args);
long migmux_ioctl_dma_wait(struct migmux_session *s, void *args);

#endif /* MIGMUX_IOCTL_H */
