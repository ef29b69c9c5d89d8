/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the destination ready? The source's question, and the answer.
 */
#ifndef MIGMUX_READY_H
#define MIGMUX_READY_H

#include <linux/types.h>

struct migmux_channel;
struct migmux_session;

/* source */
int migmux_ready_begin(struct migmux_session *s);
void migmux_ready_free(struct migmux_session *s);
bool migmux_ready_query_due(const struct migmux_channel *ch);
bool migmux_ready_told(struct migmux_session *s);
bool migmux_ready_left(struct migmux_session *s);
void migmux_ready_receive(struct migmux_channel *ch);

/* destination */
void migmux_ready_loading(struct migmux_session *s);
bool migmux_ready_due(const struct migmux_channel *ch);
void migmux_ready_send(struct migmux_channel *ch);

#endif /* MIGMUX_READY_H */
