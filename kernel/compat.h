/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that asks which kernel this is.
 */
#ifndef MIGMUX_COMPAT_H
#define MIGMUX_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "vfio_migmux needs Linux 6.12 or newer"
#endif

#endif /* MIGMUX_COMPAT_H */
