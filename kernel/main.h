/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGMUX_MAIN_H
#define MIGMUX_MAIN_H

#include <linux/fs.h>
#include <linux/types.h>

extern const struct file_operations migmux_fops;

u64 migmux_staging_default(void);
u64 migmux_staging_max(void);

#endif /* MIGMUX_MAIN_H */
