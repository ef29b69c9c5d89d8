/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The movers beside a device: the pump reads its state, the feed writes it.
 */
#ifndef MIGMUX_PUMP_H
#define MIGMUX_PUMP_H

#include <linux/workqueue.h>

#include "mover.h"

struct migmux_session;

extern const struct migmux_mover_ops migmux_pump_ops;
extern const struct migmux_mover_ops migmux_feed_ops;

void migmux_feed_load_work(struct work_struct *work);

#endif /* MIGMUX_PUMP_H */
