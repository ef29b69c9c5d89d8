/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frame on its way through this host: header, place in its device's order,
 * and where its bytes are.
 */
#ifndef MIGMUX_FRAME_H
#define MIGMUX_FRAME_H

#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/skbuff.h>

#include "gather.h"
#include "wire.h"

struct migmux_channel;
struct migmux_device;
struct migmux_session;
struct migmux_staging;

/**
 * struct migmux_flight - a socket's hold on the pages of a frame, see send_zerocopy.c
 * @ubuf: the network stack's view of it
 * @session: with a reference; NULL while not in flight
 * @staging: whose the frame is; with a reference
 * @node: in the list of those that have landed
 */
struct migmux_flight {
	struct ubuf_info ubuf;
	struct migmux_session *session;
	struct migmux_staging *staging;
	struct llist_node node;
};

/**
 * struct migmux_frame - a frame
 * @node: in the staging's free list, or in a channel's queue; session's lock
 * @gather: place in its device's order; session's lock
 * @device: whose state it carries
 * @header: the header as it is on the wire
 * @bytes: bytes of data
 * @bvec: the data's pages, enough for MIGMUX_WIRE_DATA_MAX; NULL for a config
 *	frame, whose data is at @config
 * @nr_bvec: elements of @bvec
 * @uaddr: where the owner's address space sees the pages; 0 for a config frame
 * @config: data of a config frame; kvmalloc'ed, owned by the frame
 * @precopy: destination: it is of pre-copy
 * @ack: destination: where to acknowledge that it is written, or NULL
 * @flight: the socket's hold on @bvec, where it sends without copying
 *
 * A frame has one owner at a time: the staging's free list, the pump or the
 * receiver that fills it, the queue or the gather that holds it, the sender or
 * the feed that empties it, the socket that goes on reading it. Only the owner
 * touches it; it changes hands under the session's lock, to and from the socket
 * by @flight.
 */
struct migmux_frame {
	struct list_head node;
	struct migmux_gather_node gather;
	struct migmux_device *device;
	struct migmux_wire_frame header;
	u32 bytes;
	struct bio_vec *bvec;
	u32 nr_bvec;
	unsigned long uaddr;
	void *config;
	bool precopy;
	struct migmux_channel *ack;
	struct migmux_flight flight;
};

/* frame.c: a frame has come, by a channel or from the VMM */
struct migmux_device *migmux_frame_device(struct migmux_session *s,
					  const struct migmux_wire_head *head);
int migmux_frame_claim_config(struct migmux_device *dev,
			      const struct migmux_wire_head *head, void *blob,
			      struct migmux_wire_fault *fault);
void migmux_frame_deliver(struct migmux_device *dev, struct migmux_frame *frame,
			  u32 channel);

#endif /* MIGMUX_FRAME_H */
