/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verification: is what was written into a device what was read from the other one?
 */
#ifndef MIGMUX_VERIFY_H
#define MIGMUX_VERIFY_H

#include <linux/types.h>

struct migmux_channel;
struct migmux_device;
struct migmux_frame;
struct migmux_session;
struct migmux_wire_result;

void migmux_verify_begin(struct migmux_device *dev);
void migmux_verify_add(struct migmux_device *dev, const struct migmux_frame *frame,
		       size_t offset, size_t bytes);
bool migmux_verify_agreed(struct migmux_channel *ch);
u32 migmux_verify_verdicts(const struct migmux_channel *ch);
void migmux_verify_say(const struct migmux_channel *ch, struct migmux_wire_result *result);
int migmux_verify_hear_locked(struct migmux_session *s, struct migmux_device *dev,
			      const struct migmux_wire_result *result);
struct migmux_device *migmux_verify_wrong_locked(struct migmux_session *s);
void migmux_verify_fail(struct migmux_device *dev);

#endif /* MIGMUX_VERIFY_H */
