// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: why a destination with dedicated channels cannot deadlock
 *
 * The devices of a session share S >= 1 staging slots.  A channel that has
 * read a header waits, reading nothing more, until the frame is admitted; it
 * asks again whenever a slot is freed or a frame is handed out.  The rule
 * (migmux_gather_admit()): the next frame of its device takes any free slot;
 * any other frame leaves at least one.  A config frame needs no slot.
 *
 * Given: each channel carries one device; the source hands out indexes in
 * order, so they rise along each channel (migmux_gather_rise() enforces it);
 * a feed that has a frame finishes it and frees its slot.  Claim: until all
 * is loaded, something always moves.
 *
 * 1. If any slot holds a frame that is the next of its device, that frame
 *    completes (its channel is being read, nobody but us holds it up), is
 *    fed, and frees its slot.  So suppose no slot holds such a frame and
 *    nothing is being fed.
 * 2. Then each taken slot holds a frame that was not the next when it was
 *    admitted: one that was the next stays the next until it is handed out.
 *    So each of them left a slot free.  The one admitted last did, and since
 *    then slots have only been freed.  So at least one slot is free.
 * 3. Take a device that is not complete and its next frame N (or its config
 *    frame, if the data is complete).  It has neither been claimed (1) nor
 *    handed out, so it is still on a channel.  All that precedes N there is of
 *    the same device and lower, so handed out long ago.  So N is the head of
 *    that channel, and by 2 it is admitted: something moves.
 * 4. The source cannot be what stops N.  Its slots are freed as frames are
 *    received.  If a device of the source holds one, the lowest frame it holds
 *    is either its next here, or that one is already on the wire and 3 holds
 *    for it.  If no device holds one, all are free to read N into.
 *
 * A device may be held to a part of the slots (migmux_gather_admit()'s @full).
 * That refuses frames that are not the next, so it changes nothing above.
 *
 * With channels shared between devices 3 fails: a frame of another device may
 * stand before N.  It still holds where the source, as ours, puts frames on
 * channels one at a time over all devices, those of each device in their order:
 * then take for N the frame that was put first of all that are still on a
 * channel.  All that was put before it is claimed.  So it is at the head of its
 * channel, and the next of its device: if a lower one were claimed and not
 * handed out, the lowest of those would hold a slot as the next, against 1.
 *
 * Who knows how a peer puts its frames?  If nothing moves any more
 * (migmux_gather_moves() of no device, and nothing is being fed) and a shared
 * channel has a frame that is not admitted, that frame may hide N.  So it is
 * spilled: taken into memory beyond the slots, up to a cap, at which the session
 * fails.  That uncovers the next frame of the channel; after all that hide N, N
 * comes.  When its turn comes, a spilled frame takes a slot like any next frame:
 * there is one by 2, for spilled frames hold none.
 *
 * A thread of the VMM that hands in frames (VFIO_MIGMUX_LOAD_BUFFER) and waits
 * here is such a channel, shared or not, if it takes the frames in the order in
 * which its peer sent them and waits for nothing but us.  QEMU's source puts the
 * frames of each device on its channels in order, one at a time over all
 * devices: so with one such thread per channel of QEMU's the same N exists.
 */
#include "gather.h"

static int refuse(struct migmux_wire_fault *fault, enum migmux_wire_err err,
		  u32 idx)
{
	fault->err = err;
	fault->value = idx;
	return -EPROTO;
}

/**
 * migmux_gather_init - begin with idx 0 and no known end
 * @g: the gather
 */
void migmux_gather_init(struct migmux_gather *g)
{
	memset(g, 0, sizeof(*g));
}

/**
 * migmux_gather_skip - begin with another idx than 0
 * @g: the gather, in which nothing was claimed yet
 * @idx: of the first frame to come; what lies below is somebody else's
 */
void migmux_gather_skip(struct migmux_gather *g, u32 idx)
{
	g->next = idx;
	g->seen = idx;
}

/**
 * migmux_gather_admit - may this data frame take a staging slot now?
 * @g: gather of the frame's device
 * @idx: the frame's idx
 * @free_slots: free slots of the session
 * @full: the device holds as many slots as it may, but for its next frame
 *
 * Pure: a true answer must be followed by taking the slot and
 * migmux_gather_claim() before the lock is dropped.  After a false answer ask
 * again when a slot is freed or @g hands out a frame.  Not for config frames.
 *
 * Return: true when the frame may be received.
 */
bool migmux_gather_admit(const struct migmux_gather *g, u32 idx, u32 free_slots, bool full)
{
	/*
	 * What lies before the next or beyond the end may go as well: a claim
	 * that refuses it is better than a wait that might never end.
	 */
	if (idx <= g->next || (g->config && idx >= g->config->idx))
		return free_slots > 0;
	return free_slots > 1 && !full;
}

/**
 * migmux_gather_moves - is the next frame in order here, or on its way in?
 * @g: the gather
 *
 * Return: false if the next frame has not been claimed; then, unless all of the
 * device is handed out, something must come first from a channel.
 */
bool migmux_gather_moves(const struct migmux_gather *g)
{
	return g->head && g->head->idx == g->next;
}

/**
 * migmux_gather_rise - check that indexes rise along a dedicated channel
 * @floor: lowest idx the channel may still bring; the channel's, 0 at first
 * @idx: idx of the frame at its head, data or config
 * @fault: filled on failure
 *
 * A peer that breaks this could stall the session for ever (see above), so
 * check before waiting for a slot.  Not for channels shared between devices,
 * which spill.
 *
 * Return: 0 or -EPROTO.
 */
int migmux_gather_rise(u32 *floor, u32 idx, struct migmux_wire_fault *fault)
{
	if (idx == U32_MAX)
		return refuse(fault, MIGMUX_WIRE_BAD_IDX, idx);
	if (idx < *floor)
		return refuse(fault, MIGMUX_GATHER_NOT_RISING, idx);
	*floor = idx + 1;
	return 0;
}

static int claim_config(struct migmux_gather *g, struct migmux_gather_node *node,
			u32 idx, struct migmux_wire_fault *fault)
{
	if (g->config)
		return refuse(fault, MIGMUX_GATHER_SECOND_CONFIG, idx);
	if (idx < g->seen)
		return refuse(fault, MIGMUX_GATHER_END_TOO_LOW, idx);
	g->config = node;
	node->next = NULL;
	return 0;
}

static int claim_data(struct migmux_gather *g, struct migmux_gather_node *node,
		      u32 idx, struct migmux_wire_fault *fault)
{
	struct migmux_gather_node **at = &g->head;

	if (g->config && idx >= g->config->idx)
		return refuse(fault, MIGMUX_GATHER_BEYOND_END, idx);
	if (idx < g->next)
		return refuse(fault, MIGMUX_GATHER_DUPLICATE, idx);
	while (*at && (*at)->idx < idx)
		at = &(*at)->next;
	if (*at && (*at)->idx == idx)
		return refuse(fault, MIGMUX_GATHER_DUPLICATE, idx);
	node->next = *at;
	*at = node;
	if (g->seen <= idx)
		g->seen = idx + 1;
	return 0;
}

/**
 * migmux_gather_claim - enter a frame whose header has arrived
 * @g: gather of the frame's device
 * @node: the frame's; @g keeps it until it is popped or dropped, that of a
 *	config frame for good
 * @idx: from the header
 * @is_config: from the header
 * @fault: filled on failure
 *
 * Return: 0; or -EPROTO, @g unchanged and @node free again, when the idx was
 * seen before, contradicts the end, or a second config frame came.
 */
int migmux_gather_claim(struct migmux_gather *g, struct migmux_gather_node *node,
			u32 idx, bool is_config, struct migmux_wire_fault *fault)
{
	if (idx == U32_MAX)
		return refuse(fault, MIGMUX_WIRE_BAD_IDX, idx);
	node->idx = idx;
	node->ready = false;
	return is_config ? claim_config(g, node, idx, fault) :
			   claim_data(g, node, idx, fault);
}

/**
 * migmux_gather_unclaim - a claimed data frame does not come after all
 * @g: gather of the frame's device
 * @node: the frame's, not ready; free again
 *
 * Its idx can be claimed anew, but still counts as seen: a config frame must lie
 * above it.
 */
void migmux_gather_unclaim(struct migmux_gather *g, struct migmux_gather_node *node)
{
	struct migmux_gather_node **at = &g->head;

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
}

/**
 * migmux_gather_ready - a claimed frame has arrived whole
 * @node: the frame's
 */
void migmux_gather_ready(struct migmux_gather_node *node)
{
	node->ready = true;
}

/**
 * migmux_gather_peek - look at the next data frame in order
 * @g: the gather
 *
 * Return: the frame, which stays; NULL when it has not arrived whole.
 */
struct migmux_gather_node *migmux_gather_peek(const struct migmux_gather *g)
{
	struct migmux_gather_node *node = g->head;

	return node && node->idx == g->next && node->ready ? node : NULL;
}

/**
 * migmux_gather_pop - hand out the next data frame in order
 * @g: the gather
 *
 * The one after it becomes the next: ask again for the frames that
 * migmux_gather_admit() held back.
 *
 * Return: the frame, now the caller's; NULL when it has not arrived whole.
 */
struct migmux_gather_node *migmux_gather_pop(struct migmux_gather *g)
{
	struct migmux_gather_node *node = migmux_gather_peek(g);

	if (node) {
		g->head = node->next;
		node->next = NULL;
		g->next++;
	}
	return node;
}

/**
 * migmux_gather_drop - take any pending data frame out, for teardown
 * @g: the gather; after this only good for more drops
 *
 * Return: a frame, now the caller's; NULL when none is left.
 */
struct migmux_gather_node *migmux_gather_drop(struct migmux_gather *g)
{
	struct migmux_gather_node *node = g->head;

	if (node) {
		g->head = node->next;
		node->next = NULL;
	}
	return node;
}

/**
 * migmux_gather_complete - is all of the device here and handed out?
 * @g: the gather
 *
 * Return: true when all data was popped and the config frame is whole.
 */
bool migmux_gather_complete(const struct migmux_gather *g)
{
	return g->config && g->config->ready && g->next == g->config->idx;
}

/**
 * migmux_gather_missing - what would never come if the channels closed now
 * @g: the gather
 * @first: result: lowest idx that has not arrived whole; when all data seen so
 *	far is whole, that of the frame that should follow
 *
 * Return: true when a frame is missing; false, @first untouched, when all
 * have arrived, handed out or not.
 */
bool migmux_gather_missing(const struct migmux_gather *g, u32 *first)
{
	const struct migmux_gather_node *node = g->head;
	u32 idx = g->next;

	while (node && node->idx == idx && node->ready) {
		node = node->next;
		idx++;
	}
	if (g->config && g->config->ready && idx == g->config->idx)
		return false;
	*first = idx;
	return true;
}
