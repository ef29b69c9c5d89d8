/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host grants to all sessions together, and to one: module parameters.
 */
#ifndef MIGMUX_LIMIT_H
#define MIGMUX_LIMIT_H

#include <linux/types.h>

u32 migmux_devices_max(void);
u32 migmux_channels_max(void);

u64 migmux_staging_default(void);
u64 migmux_staging_max(void);
u64 migmux_staging_total(void);

bool migmux_limit_session_take(void);
void migmux_limit_session_put(void);
bool migmux_limit_staging_take(u64 bytes);
void migmux_limit_staging_put(u64 bytes);

#endif /* MIGMUX_LIMIT_H */
