/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a hook gets between VFIO and a driver.
 */
#ifndef MIGMUX_INTERPOSE_H
#define MIGMUX_INTERPOSE_H

#include <linux/types.h>

struct migmux_hook;

void migmux_interpose_register(struct migmux_hook *hook);
bool migmux_interpose(struct migmux_hook *hook, bool on);
void migmux_interpose_bury(struct migmux_hook *hook);
void migmux_interpose_exit(void);

#endif /* MIGMUX_INTERPOSE_H */
