/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session as a kernel could have reported it.
 */
#ifndef VFMIG_SAMPLE_H
#define VFMIG_SAMPLE_H

#include "model.h"

#define MS 1000000ULL
#define SAMPLE_BASE (1000 * MS)

/* Two devices, constant storage: valid until the next call. */
void sample_session(struct session *s);

/* A switchover of a set of four, of which the last one follows alone. */
void sample_set_session(struct session *s);

#endif /* VFMIG_SAMPLE_H */
