/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions that lie in their own channels.
 */
#ifndef MIGMUX_GUARD_H
#define MIGMUX_GUARD_H

struct migmux_channel;
struct migmux_session;

void migmux_guard_init(struct migmux_session *s);
int migmux_guard_start(struct migmux_session *s, const struct migmux_channel *ch);
void migmux_guard_stop(struct migmux_session *s);

#endif /* MIGMUX_GUARD_H */
