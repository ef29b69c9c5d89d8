// SPDX-License-Identifier: GPL-2.0-only
/* The saved stream: build and parse; touches neither device nor file */

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "stream.h"

/**
 * migsim_stream_fill_record - write a record header
 * @rec: header to fill
 * @type: type of the record
 * @size: bytes that follow the header
 */
void migsim_stream_fill_record(struct migsim_record *rec,
			       enum migsim_record_type type, u64 size)
{
	rec->magic = cpu_to_le32(MIGSIM_MAGIC);
	rec->version = cpu_to_le16(MIGSIM_VERSION);
	rec->type = cpu_to_le16(type);
	rec->size = cpu_to_le64(size);
}

/**
 * migsim_stream_fill_state - write all of the STATE record but its payload
 * @head: header to fill
 * @regs: registers of the idle device
 * @payload: bytes of payload that follow
 */
void migsim_stream_fill_state(struct migsim_state_head *head,
			      const struct migsim_regs *regs, u64 payload)
{
	memset(head, 0, sizeof(*head));
	migsim_stream_fill_record(&head->record, MIGSIM_RECORD_STATE,
				  sizeof(*head) - sizeof(head->record) +
				  payload);
	head->live = cpu_to_le32(regs->live);
	head->fact = cpu_to_le32(regs->fact);
	head->status = cpu_to_le32(regs->status);
	head->irq = cpu_to_le32(regs->irq);
	head->src = cpu_to_le64(regs->src);
	head->dst = cpu_to_le64(regs->dst);
	head->cnt = cpu_to_le64(regs->cnt);
}

static void parse_regs(const u8 *buf, struct migsim_regs *regs)
{
	struct migsim_state_head head;

	memcpy(&head, buf, sizeof(head));
	*regs = (struct migsim_regs) {
		.live = le32_to_cpu(head.live),
		.fact = le32_to_cpu(head.fact),
		.status = le32_to_cpu(head.status),
		.irq = le32_to_cpu(head.irq),
		.src = le64_to_cpu(head.src),
		.dst = le64_to_cpu(head.dst),
		.cnt = le64_to_cpu(head.cnt),
	};
}

static int parse_state(const u8 *buf, size_t pos, size_t len, u64 size,
		       struct migsim_stream *out)
{
	const size_t head = MIGSIM_STATE_HEAD;

	if (size < head - sizeof(struct migsim_record))
		return -EINVAL;
	size -= head - sizeof(struct migsim_record);
	if (len - pos < head || len - pos - head < size)
		return -ENODATA;
	if (len - pos - head > size)
		return -E2BIG;

	parse_regs(buf + pos, &out->regs);
	out->payload = pos + head;
	out->size = size;
	return 0;
}

/**
 * migsim_stream_parse - check a whole stream
 * @buf: the stream
 * @len: its length
 * @out: where registers and payload are
 *
 * Return: 0; -EINVAL for a wrong magic, version, type or size; -ENODATA if
 * the stream ends too early; -E2BIG if bytes follow the STATE record.
 */
int migsim_stream_parse(const u8 *buf, size_t len, struct migsim_stream *out)
{
	size_t pos = 0;

	for (;;) {
		struct migsim_record rec;
		u64 size;

		if (len - pos < sizeof(rec))
			return -ENODATA;
		memcpy(&rec, buf + pos, sizeof(rec));
		if (le32_to_cpu(rec.magic) != MIGSIM_MAGIC ||
		    le16_to_cpu(rec.version) != MIGSIM_VERSION)
			return -EINVAL;

		size = le64_to_cpu(rec.size);
		switch (le16_to_cpu(rec.type)) {
		case MIGSIM_RECORD_STATE:
			return parse_state(buf, pos, len, size, out);
		case MIGSIM_RECORD_PRECOPY:
			pos += sizeof(rec);
			if (len - pos < size)
				return -ENODATA;
			pos += size;
			break;
		default:
			return -EINVAL;
		}
	}
}
