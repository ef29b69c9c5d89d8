/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hostile wire: lanes, one for each channel between a source and a destination, that
 * flip, drop, repeat, swap, cut and make up what the frames of a migration are made of.
 */
#ifndef FUZZ_LANES_H
#define FUZZ_LANES_H

#include <stdbool.h>

#include <linux/types.h>

#include "guest.h"

enum { LANES_MAX = 8 };

/**
 * struct lanes_plan - what the lanes do
 * @replies: touch what comes back, the question and the confirmation as well as frames
 * @once_in: one message of so many; 0 is none
 * @left: at most so many
 */
struct lanes_plan {
	bool replies;
	__u32 once_in;
	int left;
};

extern struct lanes_plan plan;

static inline void plan_choose(void)
{
	plan.replies = once_in(3);
	plan.once_in = once_in(8) ? 0 : 1 << rnd(6);
	plan.left = once_in(2) ? 1 : 1000;
}

void lane_add(int src, int dst, unsigned int seed);
void lanes_start(void);
unsigned long lanes_touched(void);
__u64 lanes_silent_ms(void);
void lanes_cut(void);
void lanes_end(void);

#endif /* FUZZ_LANES_H */
