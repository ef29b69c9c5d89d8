/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGMUX_MAIN_H
#define MIGMUX_MAIN_H

#include <linux/fs.h>

extern const struct file_operations migmux_fops;

#endif /* MIGMUX_MAIN_H */
