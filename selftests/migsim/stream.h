/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The saved stream of vfio_pci_migsim
 *
 * A stream is a list of records; integers are little-endian. Any number of
 * PRECOPY records comes first, exactly one STATE record ends it:
 *
 *	record header	16 bytes	magic, version, type, size of what follows
 *	PRECOPY		size bytes	thrown away by the destination
 *	STATE		48 bytes	registers
 *			the rest	payload
 *
 * A device that never was in PRE_COPY saves MIGSIM_STATE_HEAD (64) bytes and
 * the payload. With the knob "headerless" the stream is the payload and
 * nothing else.
 */
#ifndef MIGSIM_STREAM_H
#define MIGSIM_STREAM_H

#include <linux/build_bug.h>
#include <linux/types.h>

#define MIGSIM_MAGIC	0x4d53494dU	/* "MISM" in the stream */
#define MIGSIM_VERSION	1

enum migsim_record_type {
	MIGSIM_RECORD_PRECOPY = 1,
	MIGSIM_RECORD_STATE = 2,
};

struct migsim_record {
	__le32 magic;
	__le16 version;
	__le16 type;
	__le64 size;
} __packed;

struct migsim_state_head {
	struct migsim_record record;
	__le32 live;
	__le32 fact;
	__le32 status;
	__le32 irq;
	__le64 src;
	__le64 dst;
	__le64 cnt;
	__le64 reserved;
} __packed;

#define MIGSIM_STATE_HEAD	sizeof(struct migsim_state_head)
static_assert(sizeof(struct migsim_record) == 16);
static_assert(sizeof(struct migsim_state_head) == 64);

/**
 * struct migsim_regs - edu's registers as a reader of BAR 0 sees them
 * @live: 0x04, the complement of what was written
 * @fact: 0x08, n! modulo 2^32 once the device is idle
 * @status: 0x20, MIGSIM_STATUS_*
 * @irq: 0x24, interrupts raised and not acknowledged
 * @src: 0x80
 * @dst: 0x88
 * @cnt: 0x90
 * @cmd: 0x98, for show: it cannot be set without starting a transfer and is
 *	not part of the stream
 */
struct migsim_regs {
	u32 live;
	u32 fact;
	u32 status;
	u32 irq;
	u64 src;
	u64 dst;
	u64 cnt;
	u64 cmd;
};

/**
 * struct migsim_stream - a stream that was found valid
 * @regs: registers of the STATE record
 * @payload: offset of the payload in the stream
 * @size: bytes of payload
 */
struct migsim_stream {
	struct migsim_regs regs;
	size_t payload;
	size_t size;
};

void migsim_stream_fill_record(struct migsim_record *rec,
			       enum migsim_record_type type, u64 size);
void migsim_stream_fill_state(struct migsim_state_head *head,
			      const struct migsim_regs *regs, u64 payload);
int migsim_stream_parse(const u8 *buf, size_t len, struct migsim_stream *out);

#endif /* MIGSIM_STREAM_H */
