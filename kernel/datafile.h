/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver's data file: how the bytes of a frame get out of it and into it.
 */
#ifndef MIGMUX_DATAFILE_H
#define MIGMUX_DATAFILE_H

#include <linux/fs.h>

#include <uapi/linux/vfio_migmux_netlink.h>

#include "frame.h"

bool migmux_datafile_method(const struct file *file,
			    enum vfio_migmux_read_method *method);
ssize_t migmux_datafile_read(struct file *file, struct migmux_frame *frame);
ssize_t migmux_datafile_write(struct file *file, struct migmux_frame *frame,
			      size_t offset);

#endif /* MIGMUX_DATAFILE_H */
