/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel: one connected stream socket that carries frames.
 */
#ifndef MIGMUX_CHANNEL_H
#define MIGMUX_CHANNEL_H

#include <linux/net.h>
#include <linux/poll.h>
#include <linux/wait.h>

#include <uapi/linux/vfio_migmux_netlink.h>

#include "address.h"
#include "device.h"
#include "frame.h"
#include "mover.h"
#include "sched.h"
#include "tls.h"

struct migmux_channel;
struct migmux_device;
struct migmux_session;

/**
 * struct migmux_send_ops - how bytes of a frame get into a socket
 * @method: as netlink shows it
 * @send: hand over what follows @offset of @frame's bytes on the wire (header,
 *	then data), as much as the socket takes without blocking. Returns bytes
 *	taken (not 0), -EAGAIN, or an error
 * @release: the sender is done with @frame, which has pages of the staging: give
 *	it back when the socket is done with it too. Session's lock; the caller
 *	wakes who waits for memory, unless that comes later
 *
 * With the copying method a frame's memory is free as soon as @send has taken
 * the last byte. A method whose socket goes on reading the pages must keep the
 * frame until it is done with them.
 */
struct migmux_send_ops {
	enum vfio_migmux_send_method method;
	ssize_t (*send)(struct migmux_channel *ch, struct migmux_frame *frame,
			size_t offset);
	void (*release)(struct migmux_session *s, struct migmux_frame *frame);
};

#define MIGMUX_CHANNEL_DETAIL_LEN	80

enum migmux_rx_state {
	MIGMUX_RX_INIT,		/* the channel's first 64 bytes */
	MIGMUX_RX_PREFIX,	/* first bytes of a packet: which kind? */
	MIGMUX_RX_HEADER,	/* the rest of a frame's header */
	MIGMUX_RX_ADMIT,	/* waits until the frame may have memory */
	MIGMUX_RX_DATA,		/* the frame's data */
	MIGMUX_RX_READY,	/* answers that all is ready */
	MIGMUX_RX_ACK,		/* sends an acknowledgment */
	MIGMUX_RX_VERDICT,	/* sends the verdict */
	MIGMUX_RX_CONFIRM,	/* waits for the source's confirmation */
	MIGMUX_RX_DONE,		/* nothing more is expected */
};

enum migmux_channel_flags {
	MIGMUX_CHANNEL_READABLE,	/* the socket woke us: try to receive */
	MIGMUX_CHANNEL_WRITABLE,	/* the socket woke us: try to send */
};

/**
 * struct migmux_channel - one connected stream socket
 * @file: the socket's file; owned, put by migmux_channel_destroy()
 * @sock: the same; constant
 * @send: how to send; constant
 * @rights: it took files along with bytes before it was a channel; constant
 * @local: own address in words; constant
 * @peer: the peer's address in words; constant
 * @tls: how it was encrypted when it became a channel; constant
 * @node: in the module's list of all channels, which knows each socket once
 * @id: number in its link, on the wire and in its session
 * @init_sent: the channel init went out; kept over sessions of a link
 * @init_received: the channel init came in; kept over sessions of a link
 * @said_bye: TLS's close_notify was sent
 * @detail: what TLS says about the end of receiving, to be put behind a message: in
 *	brackets with a blank in front, or empty
 * @sent: bytes sent since the channel was made
 * @received: bytes received since the channel was made
 *
 * The rest belongs to the session that uses the channel:
 *
 * @session: that session; set and cleared while no mover runs
 * @device: source: the device whose frames it carries; NULL on both ends if all share it
 * @carries: destination: the device of the last frame that came; the mover's
 * @seen: destination: all whose frames came, by index; the mover's
 * @dev_node: in @device's list of channels, or the session's of shared ones; session's
 *	lock
 * @flags: enum migmux_channel_flags
 * @wait: our entry in the socket's wait queue
 * @wqh: that wait queue
 * @mover: sends (source) or receives (destination)
 * @sched: queued bytes and death, for migmux_sched_better(); session's lock
 * @queue: frames to send; session's lock
 * @frame: the frame that is being sent or received; the mover's
 * @offset: bytes of @frame done; the mover's
 * @wake_at: bytes that must be there before the socket wakes the mover; the mover's
 * @floor: lowest index that may come next, see migmux_gather_rise(); the mover's
 * @rx: what the mover expects next; the mover's
 * @have: bytes of @buf filled (or sent); the mover's
 * @stalled: it waits for staging memory; session's lock
 * @blocked: source: its socket is full with @frame; the mover's
 * @send_error: source: sending broke, but a verdict may still come; the mover's
 * @head: destination: what the current frame's header says; the mover's
 * @acks: destination: devices whose data is to be acknowledged here, by index; session's
 *	lock
 * @ack_idx: destination: of which frame of each of these; session's lock
 * @asked: source: the question whether the peer is ready went out here; destination: it
 *	came and is to be answered; the mover's
 * @query_id: destination: who asked; the mover's
 * @answered: destination: records of the answer that went out; the mover's
 * @told: verdicts that went or came, where each device has one; the mover's
 * @verdict: source: a good verdict has come; session's lock
 * @confirmed: source: confirmation sent; destination: received; session's lock
 * @closed: nothing more is received: the peer closed it, or broke the rules; the
 *	mover's
 * @buf: a record that is received or sent in pieces; the mover's
 */
struct migmux_channel {
	struct file *file;
	struct socket *sock;
	const struct migmux_send_ops *send;
	bool rights;
	char local[MIGMUX_ADDRESS_LEN];
	char peer[MIGMUX_ADDRESS_LEN];
	struct migmux_tls_info tls;
	struct list_head node;
	u32 id;
	bool init_sent;
	bool init_received;
	bool said_bye;
	char detail[MIGMUX_CHANNEL_DETAIL_LEN];
	atomic64_t sent;
	atomic64_t received;

	struct migmux_session *session;
	struct migmux_device *device;
	struct migmux_device *carries;
	u64 seen;
	struct list_head dev_node;
	unsigned long flags;
	wait_queue_entry_t wait;
	wait_queue_head_t *wqh;
	struct migmux_mover mover;
	struct migmux_sched_chan sched;
	struct list_head queue;
	struct migmux_frame *frame;
	size_t offset;
	u32 wake_at;
	u32 floor;
	enum migmux_rx_state rx;
	u32 have;
	bool stalled;
	bool blocked;
	int send_error;
	struct migmux_wire_head head;
	u64 acks;
	u32 ack_idx[MIGMUX_MAX_DEVICES];
	bool asked;
	u32 query_id;
	u32 answered;
	u32 told;
	bool verdict;
	bool confirmed;
	bool closed;
	u8 buf[MIGMUX_WIRE_VERDICT_SIZE] __aligned(8);
};

/* a poll table that knows for whom it is */
struct migmux_poll {
	poll_table pt;
	struct migmux_channel *ch;
};

/* Whose channel it is, for messages: a device's, or nobody's alone. */
static inline u32 migmux_channel_device_index(const struct migmux_channel *ch)
{
	return ch->device ? ch->device->index : VFIO_MIGMUX_INDEX_NONE;
}

struct migmux_channel *migmux_channel_create(int fd, const char **why);
void migmux_channel_destroy(struct migmux_channel *ch);

int migmux_channel_start(struct migmux_channel *ch,
			 const struct migmux_mover_ops *ops, const char *name);
void migmux_channel_stop(struct migmux_channel *ch);
void migmux_channel_shutdown(struct migmux_channel *ch, enum sock_shutdown_cmd how);
void migmux_channel_try(struct migmux_channel *ch, enum migmux_channel_flags flag);
bool migmux_channel_refused(struct migmux_channel *ch);
int migmux_channel_flush(struct migmux_channel *ch);
bool migmux_channel_await(struct migmux_channel *ch, u32 bytes);
int migmux_channel_recv(struct migmux_channel *ch, void *buf, u32 size);
int migmux_channel_reply(struct migmux_channel *ch, const void *buf, u32 size);
int migmux_channel_send(struct migmux_channel *ch, const void *data, size_t size, bool more);

#endif /* MIGMUX_CHANNEL_H */
