/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adopting data files that the VMM has.
 */
#ifndef MIGMUX_ADOPT_H
#define MIGMUX_ADOPT_H

#include <linux/types.h>

struct migmux_session;

u32 migmux_adopt_count(struct migmux_session *s);
int migmux_adopt_check(struct migmux_session *s, u32 state);
void migmux_adopt_precopy(struct migmux_session *s);
void migmux_adopt_switchover(struct migmux_session *s);
void migmux_adopt_begin(struct migmux_session *s);

#endif /* MIGMUX_ADOPT_H */
