// SPDX-License-Identifier: GPL-2.0-only
/* The saved stream: build and parse; touches neither device nor file */

#include <asm/byteorder.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "stream.h"

static u32 crc_of(const void *data, u32 size)
{
	return ~crc32_le(~0U, data, size);
}

static void fill_record(struct migsim_record *rec, enum migsim_record_type type,
			u64 size)
{
	rec->magic = cpu_to_le32(MIGSIM_MAGIC);
	rec->version = cpu_to_le16(MIGSIM_VERSION);
	rec->type = cpu_to_le16(type);
	rec->size = cpu_to_le64(size);
}

/**
 * migsim_stream_fill_precopy - write the head of a PRECOPY record
 * @head: head to fill
 * @offset: where in the payload the data belongs
 * @seq: number of the record
 * @data: what follows the head
 * @size: bytes of it
 */
void migsim_stream_fill_precopy(struct migsim_precopy_head *head, u64 offset,
				u32 seq, const void *data, u32 size)
{
	fill_record(&head->record, MIGSIM_RECORD_PRECOPY,
		    sizeof(*head) - sizeof(head->record) + size);
	head->offset = cpu_to_le64(offset);
	head->seq = cpu_to_le32(seq);
	head->crc = cpu_to_le32(crc_of(data, size));
}

/**
 * migsim_stream_fill_state - write all of the STATE record but its payload
 * @head: head to fill
 * @regs: registers of the idle device
 * @start: where in the payload the data belongs
 * @payload: bytes of payload that follow
 */
void migsim_stream_fill_state(struct migsim_state_head *head,
			      const struct migsim_regs *regs, u64 start,
			      u64 payload)
{
	fill_record(&head->record, MIGSIM_RECORD_STATE,
		    sizeof(*head) - sizeof(head->record) + payload);
	head->live = cpu_to_le32(regs->live);
	head->fact = cpu_to_le32(regs->fact);
	head->status = cpu_to_le32(regs->status);
	head->irq = cpu_to_le32(regs->irq);
	head->src = cpu_to_le64(regs->src);
	head->dst = cpu_to_le64(regs->dst);
	head->cnt = cpu_to_le64(regs->cnt);
	head->start = cpu_to_le64(start);
}

/**
 * migsim_stream_begin - expect the head of the next record, or the first
 * @parser: the parser
 */
void migsim_stream_begin(struct migsim_parser *parser)
{
	parser->part = MIGSIM_PART_HEAD;
	parser->left = sizeof(struct migsim_record);
	parser->have = 0;
}

static void parse_precopy(struct migsim_parser *parser, u64 payload_max)
{
	const struct migsim_precopy_head *head = (void *)parser->head;
	u64 size = le64_to_cpu(head->record.size) -
		   (sizeof(*head) - sizeof(head->record));

	parser->part = MIGSIM_PART_BAD;
	if (!size || size > MIGSIM_PRECOPY_DATA ||
	    le32_to_cpu(head->seq) != parser->seq)
		return;
	/* no gap, so that memory grows with what really arrives */
	if (le64_to_cpu(head->offset) > parser->mark ||
	    le64_to_cpu(head->offset) > payload_max - size)
		return;
	parser->part = MIGSIM_PART_PIECE;
	parser->left = size;
	parser->offset = le64_to_cpu(head->offset);
	parser->crc = le32_to_cpu(head->crc);
}

static void parse_state(struct migsim_parser *parser, u64 payload_max)
{
	const struct migsim_state_head *head = (void *)parser->head;
	u64 size = le64_to_cpu(head->record.size) -
		   (sizeof(*head) - sizeof(head->record));

	parser->part = MIGSIM_PART_BAD;
	if (size > payload_max || le64_to_cpu(head->start) > parser->mark ||
	    le64_to_cpu(head->start) > payload_max - size)
		return;
	parser->regs = (struct migsim_regs) {
		.live = le32_to_cpu(head->live),
		.fact = le32_to_cpu(head->fact),
		.status = le32_to_cpu(head->status),
		.irq = le32_to_cpu(head->irq),
		.src = le64_to_cpu(head->src),
		.dst = le64_to_cpu(head->dst),
		.cnt = le64_to_cpu(head->cnt),
	};
	parser->part = size ? MIGSIM_PART_PAYLOAD : MIGSIM_PART_EXCESS;
	parser->left = size;
	parser->offset = le64_to_cpu(head->start);
}

/* The size of a record's head, which its first 16 bytes tell; 0 if it is wrong. */
static size_t head_size(const struct migsim_parser *parser)
{
	const struct migsim_record *rec = (void *)parser->head;
	size_t size;

	if (le32_to_cpu(rec->magic) != MIGSIM_MAGIC ||
	    le16_to_cpu(rec->version) != MIGSIM_VERSION)
		return 0;
	if (le16_to_cpu(rec->type) == MIGSIM_RECORD_STATE)
		size = MIGSIM_STATE_HEAD;
	else if (le16_to_cpu(rec->type) == MIGSIM_RECORD_PRECOPY)
		size = MIGSIM_PRECOPY_HEAD;
	else
		return 0;
	return le64_to_cpu(rec->size) < size - sizeof(*rec) ? 0 : size;
}

/**
 * migsim_stream_head - bytes of a record's head have come
 * @parser: the parser, in MIGSIM_PART_HEAD
 * @len: how many were put behind those that @head had, at most @left
 * @payload_max: largest payload that is accepted
 */
void migsim_stream_head(struct migsim_parser *parser, size_t len,
			u64 payload_max)
{
	size_t size;

	parser->have += len;
	parser->left -= len;
	if (parser->left)
		return;
	size = head_size(parser);
	if (parser->have < size)
		parser->left = size - parser->have;
	else if (!size)
		parser->part = MIGSIM_PART_BAD;
	else if (size == MIGSIM_STATE_HEAD)
		parse_state(parser, payload_max);
	else
		parse_precopy(parser, payload_max);
}

/**
 * migsim_stream_piece - the data of a PRECOPY record is complete
 * @parser: the parser, in MIGSIM_PART_PIECE
 * @data: the data; belongs at @offset of the payload if the parser is in
 *	MIGSIM_PART_HEAD afterwards, else it is wrong
 * @size: bytes of it
 */
void migsim_stream_piece(struct migsim_parser *parser, const void *data,
			 u32 size)
{
	if (crc_of(data, size) != parser->crc) {
		parser->part = MIGSIM_PART_BAD;
		return;
	}
	parser->mark = max(parser->mark, parser->offset + size);
	parser->seq++;
	migsim_stream_begin(parser);
}

/**
 * migsim_stream_end - is this a whole stream?
 * @parser: the parser
 *
 * Return: 0; -EINVAL for a wrong record; -ENODATA if the stream ends too
 * early; -E2BIG if bytes follow the STATE record.
 */
int migsim_stream_end(const struct migsim_parser *parser)
{
	if (parser->part == MIGSIM_PART_BAD)
		return -EINVAL;
	if (parser->part != MIGSIM_PART_EXCESS)
		return -ENODATA;
	return parser->excess ? -E2BIG : 0;
}
