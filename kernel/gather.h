/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reassembly: frames of one device come in any order over several channels
 * and leave in the order of their idx.  Memory is the caller's: it embeds a
 * node in each staging slot.  Nothing here is locked; one lock of the caller
 * covers a gather with its nodes, and, where slots are shared, the count of
 * free ones.
 */
#ifndef MIGMUX_GATHER_H
#define MIGMUX_GATHER_H

#include "pure.h"
#include "wire.h"

/**
 * struct migmux_gather_node - a frame between its header and its end
 * @next: the pending frame with the next higher idx
 * @idx: the frame's idx
 * @ready: all of its data has arrived
 */
struct migmux_gather_node {
	struct migmux_gather_node *next;
	u32 idx;
	bool ready;
};

/**
 * struct migmux_gather - the frames of one device
 * @head: pending data frames, idx rising; some are still being received
 * @config: the config frame, once its header has come; never in @head, and
 *	the caller keeps it for as long as the gather
 * @next: idx of the frame to hand out next
 * @seen: highest idx claimed for data, plus 1
 */
struct migmux_gather {
	struct migmux_gather_node *head;
	struct migmux_gather_node *config;
	u32 next;
	u32 seen;
};

void migmux_gather_init(struct migmux_gather *g);
void migmux_gather_skip(struct migmux_gather *g, u32 idx);
bool migmux_gather_admit(const struct migmux_gather *g, u32 idx, u32 free_slots, bool full);
bool migmux_gather_moves(const struct migmux_gather *g);
int migmux_gather_rise(u32 *floor, u32 idx, struct migmux_wire_fault *fault);
int migmux_gather_claim(struct migmux_gather *g, struct migmux_gather_node *node,
			u32 idx, bool is_config, struct migmux_wire_fault *fault);
void migmux_gather_unclaim(struct migmux_gather *g, struct migmux_gather_node *node);
void migmux_gather_ready(struct migmux_gather_node *node);
struct migmux_gather_node *migmux_gather_peek(const struct migmux_gather *g);
struct migmux_gather_node *migmux_gather_pop(struct migmux_gather *g);
struct migmux_gather_node *migmux_gather_drop(struct migmux_gather *g);
bool migmux_gather_complete(const struct migmux_gather *g);
bool migmux_gather_missing(const struct migmux_gather *g, u32 *first);

#endif /* MIGMUX_GATHER_H */
