/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic of a session's timeline, and its pictures.
 */
#ifndef VFMIG_TIMELINE_H
#define VFMIG_TIMELINE_H

#include <stdio.h>

#include "model.h"

/**
 * struct timeline_bounds - what a timeline covers
 * @start: first start of a span, 0 if there is none
 * @end: last end of anything
 */
struct timeline_bounds {
	uint64_t start;
	uint64_t end;
};

#define TIMELINE_TARGET_MAX 32	/* bytes of a target's name */

/**
 * struct timeline_parts - the parts of a host's share of the downtime
 * @v: key and length, in the order of time, the total last
 * @n: how many are known
 */
struct timeline_parts {
	struct {
		const char *key;
		uint64_t ns;
	} v[5];
	unsigned int n;
};

const char *timeline_target_name(char *buf, const struct session *s, uint32_t i);
unsigned int timeline_phase(unsigned int i);
struct timeline_bounds timeline_bounds(const struct session *s);
uint64_t timeline_length(const struct vfio_migmux_span *span, const struct timeline_bounds *b);
void timeline_downtime(const struct session *s, struct timeline_parts *parts);
const char *timeline_milestone(uint32_t mask);
void timeline_bar(char *bar, unsigned int width, const struct vfio_migmux_span *span,
		  const struct timeline_bounds *b);
void timeline_print(FILE *out, const struct session *s);
const char *timeline_slowest(const struct session *s,
			     const struct vfio_migmux_timeline_device *d, uint64_t *ns);
void timeline_print_table(FILE *out, const struct session *s);
void timeline_svg(FILE *out, const struct session *s);

#endif /* VFMIG_TIMELINE_H */
