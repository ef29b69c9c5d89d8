/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The saved stream of vfio_pci_migsim
 *
 * A stream is a list of records; integers are little-endian. Any number of
 * PRECOPY records comes first, exactly one STATE record ends it:
 *
 *	record header	16 bytes	magic, version, type, size of what follows
 *	PRECOPY		16 bytes	where in the payload, running number, CRC
 *			the rest	a piece of the payload as it was then
 *	STATE		48 bytes	registers, where in the payload
 *			the rest	the payload from there on
 *
 * A later piece replaces what an earlier one put at the same place, so the
 * payload comes out right only if no byte is lost and none arrives out of turn.
 * A lost or exchanged piece that is replaced later would not show in the
 * payload: the running number and the CRC find it.
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

/**
 * struct migsim_precopy_head - begin of a PRECOPY record
 * @record: size is that of the rest of this struct and of the data
 * @offset: where in the payload the data belongs; no gap before it
 * @seq: number of the record, from 0
 * @crc: CRC-32 of the data
 */
struct migsim_precopy_head {
	struct migsim_record record;
	__le64 offset;
	__le32 seq;
	__le32 crc;
} __packed;

/**
 * struct migsim_state_head - begin of the STATE record
 * @record: size is that of the rest of this struct and of the data
 * @live: registers, down to @cnt
 * @fact: see struct migsim_regs
 * @status: see struct migsim_regs
 * @irq: see struct migsim_regs
 * @src: see struct migsim_regs
 * @dst: see struct migsim_regs
 * @cnt: see struct migsim_regs
 * @start: where in the payload the data belongs: PRECOPY records had what is
 *	before it
 */
struct migsim_state_head {
	struct migsim_record record;
	__le32 live;
	__le32 fact;
	__le32 status;
	__le32 irq;
	__le64 src;
	__le64 dst;
	__le64 cnt;
	__le64 start;
} __packed;

#define MIGSIM_STATE_HEAD	sizeof(struct migsim_state_head)
#define MIGSIM_PRECOPY_HEAD	sizeof(struct migsim_precopy_head)
#define MIGSIM_PRECOPY_DATA	(256UL << 10)	/* most in one PRECOPY record */
static_assert(sizeof(struct migsim_record) == 16);
static_assert(sizeof(struct migsim_precopy_head) == 32);
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
 * enum migsim_part - which part of a stream the next byte belongs to
 * @MIGSIM_PART_HEAD: the head of a record, as much of it as is known to come
 * @MIGSIM_PART_PIECE: the data of a PRECOPY record
 * @MIGSIM_PART_PAYLOAD: the data of the STATE record
 * @MIGSIM_PART_EXCESS: behind the end
 * @MIGSIM_PART_BAD: whatever, the stream is wrong
 */
enum migsim_part {
	MIGSIM_PART_HEAD,
	MIGSIM_PART_PIECE,
	MIGSIM_PART_PAYLOAD,
	MIGSIM_PART_EXCESS,
	MIGSIM_PART_BAD,
};

/**
 * struct migsim_parser - how far a stream has been understood; zero at first
 * @part: part that comes next
 * @left: bytes of it that are still to come; without meaning for EXCESS and BAD
 * @have: bytes of @head that are filled
 * @head: the record's head so far
 * @offset: PIECE, PAYLOAD: where in the payload its first byte belongs
 * @mark: the payload is known up to here
 * @seq: number of the next PRECOPY record
 * @crc: what the CRC of the piece should be
 * @excess: bytes behind the end
 * @regs: PAYLOAD and later: registers
 */
struct migsim_parser {
	enum migsim_part part;
	u64 left;
	size_t have;
	u8 head[sizeof(struct migsim_state_head)];
	u64 offset;
	u64 mark;
	u32 seq;
	u32 crc;
	u64 excess;
	struct migsim_regs regs;
};

void migsim_stream_fill_precopy(struct migsim_precopy_head *head, u64 offset,
				u32 seq, const void *data, u32 size);
void migsim_stream_fill_state(struct migsim_state_head *head,
			      const struct migsim_regs *regs, u64 start,
			      u64 payload);

void migsim_stream_begin(struct migsim_parser *parser);
void migsim_stream_head(struct migsim_parser *parser, size_t len,
			u64 payload_max);
void migsim_stream_piece(struct migsim_parser *parser, const void *data,
			 u32 size);
int migsim_stream_end(const struct migsim_parser *parser);

#endif /* MIGSIM_STREAM_H */
