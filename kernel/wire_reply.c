// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoding and decoding of what only our own ends exchange: verdict, confirmation,
 * acknowledgment. A peer is hostile here too, see wire.c.
 */
#include "wire.h"
#include "wire_check.h"

static int check_status(__be32 status, struct migmux_wire_fault *fault)
{
	if (be32_to_cpu(status) > MIGMUX_WIRE_ERRNO_MAX)
		return refuse(fault, MIGMUX_WIRE_BAD_STATUS, be32_to_cpu(status));
	return 0;
}

/* As in a frame, or empty. */
static int check_name(const char *idstr, struct migmux_wire_fault *fault)
{
	size_t i;

	if (idstr[0])
		return check_idstr(idstr, fault);
	i = first_set(idstr, MIGMUX_WIRE_IDSTR_LEN);
	if (i < MIGMUX_WIRE_IDSTR_LEN)
		return refuse(fault, MIGMUX_WIRE_IDSTR_PADDING, (u8)idstr[i]);
	return 0;
}

static void result_encode(struct migmux_wire_verdict *record, u32 magic,
			  const struct migmux_wire_result *result)
{
	record->magic = cpu_to_be32(magic);
	record->version = cpu_to_be32(MIGMUX_WIRE_REPLY_VERSION);
	record->status = cpu_to_be32(result->status);
	record->instance_id = cpu_to_be32(result->instance_id);
	migmux_wire_text_copy(record->idstr, result->idstr,
			      sizeof(record->idstr));
	migmux_wire_text_copy(record->reason, result->reason,
			      sizeof(record->reason));
	record->verified = cpu_to_be32(result->verified);
	record->crc = cpu_to_be32(result->verified ? result->crc : 0);
}

static int check_verified(const struct migmux_wire_verdict *record,
			  struct migmux_wire_fault *fault)
{
	u32 verified = be32_to_cpu(record->verified);

	if (verified > 1)
		return refuse(fault, MIGMUX_WIRE_BAD_VERIFIED, verified);
	if (!verified && record->crc)
		return refuse(fault, MIGMUX_WIRE_STRAY_CRC, be32_to_cpu(record->crc));
	if (verified && !record->idstr[0])
		return refuse(fault, MIGMUX_WIRE_IDSTR_EMPTY, 0);
	return 0;
}

static int result_decode(const struct migmux_wire_verdict *record, u32 magic,
			 struct migmux_wire_result *result,
			 struct migmux_wire_fault *fault)
{
	size_t len = sizeof(record->reason);
	int ret;

	ret = check_magic(record->magic, magic, record->version,
			  MIGMUX_WIRE_REPLY_VERSION, fault);
	if (!ret)
		ret = check_status(record->status, fault);
	if (!ret)
		ret = check_name(record->idstr, fault);
	if (!ret && strnlen(record->reason, len) == len)
		ret = refuse(fault, MIGMUX_WIRE_REASON_UNTERMINATED, len);
	if (!ret)
		ret = check_verified(record, fault);
	if (ret)
		return ret;

	result->status = be32_to_cpu(record->status);
	result->instance_id = be32_to_cpu(record->instance_id);
	migmux_wire_text_copy(result->idstr, record->idstr,
			      sizeof(result->idstr));
	migmux_wire_text_copy(result->reason, record->reason,
			      sizeof(result->reason));
	result->verified = record->verified;
	result->crc = be32_to_cpu(record->crc);
	return 0;
}

/**
 * migmux_wire_verdict_encode - make the destination's verdict
 * @verdict: result
 * @result: what to say; its texts are sanitised
 */
void migmux_wire_verdict_encode(struct migmux_wire_verdict *verdict,
				const struct migmux_wire_result *result)
{
	result_encode(verdict, MIGMUX_WIRE_VERDICT_MAGIC, result);
}

/**
 * migmux_wire_verdict_decode - check a verdict
 * @verdict: as received
 * @result: result, with texts that may be printed
 * @fault: filled on failure
 *
 * Return: 0 (also for a verdict of failure) or -EPROTO.
 */
int migmux_wire_verdict_decode(const struct migmux_wire_verdict *verdict,
			       struct migmux_wire_result *result,
			       struct migmux_wire_fault *fault)
{
	return result_decode(verdict, MIGMUX_WIRE_VERDICT_MAGIC, result, fault);
}

/**
 * migmux_wire_answer_encode - make the confirmation of a source that verifies
 * @answer: result
 * @result: what to say; its texts are sanitised
 */
void migmux_wire_answer_encode(struct migmux_wire_verdict *answer,
			       const struct migmux_wire_result *result)
{
	result_encode(answer, MIGMUX_WIRE_CONFIRM_MAGIC, result);
}

/**
 * migmux_wire_answer_decode - check the confirmation of a source that verifies
 * @answer: as received
 * @result: result, with texts that may be printed
 * @fault: filled on failure
 *
 * Return: 0 (also when its status is an error) or -EPROTO.
 */
int migmux_wire_answer_decode(const struct migmux_wire_verdict *answer,
			      struct migmux_wire_result *result,
			      struct migmux_wire_fault *fault)
{
	return result_decode(answer, MIGMUX_WIRE_CONFIRM_MAGIC, result, fault);
}

/**
 * migmux_wire_confirm_encode - make the source's confirmation
 * @confirm: result
 * @status: 0: handed over; else a positive error number
 */
void migmux_wire_confirm_encode(struct migmux_wire_confirm *confirm, u32 status)
{
	confirm->magic = cpu_to_be32(MIGMUX_WIRE_CONFIRM_MAGIC);
	confirm->version = cpu_to_be32(MIGMUX_WIRE_REPLY_VERSION);
	confirm->status = cpu_to_be32(status);
	confirm->reserved = 0;
}

/**
 * migmux_wire_confirm_decode - check a confirmation
 * @confirm: as received
 * @status: result: 0 or a positive error number
 * @fault: filled on failure
 *
 * Return: 0 (also when @status is an error) or -EPROTO.
 */
int migmux_wire_confirm_decode(const struct migmux_wire_confirm *confirm,
			       u32 *status, struct migmux_wire_fault *fault)
{
	size_t at = offsetof(struct migmux_wire_confirm, reserved);
	int ret;

	ret = check_magic(confirm->magic, MIGMUX_WIRE_CONFIRM_MAGIC,
			  confirm->version, MIGMUX_WIRE_REPLY_VERSION, fault);
	if (!ret)
		ret = check_status(confirm->status, fault);
	if (ret)
		return ret;
	if (confirm->reserved)
		return refuse(fault, MIGMUX_WIRE_BAD_RESERVED,
			      at + first_set(&confirm->reserved,
					     sizeof(confirm->reserved)));
	*status = be32_to_cpu(confirm->status);
	return 0;
}

/**
 * migmux_wire_ack_encode - make an acknowledgment
 * @ack: result
 * @head: the frame that it is about
 */
void migmux_wire_ack_encode(struct migmux_wire_ack *ack,
			    const struct migmux_wire_head *head)
{
	memset(ack, 0, sizeof(*ack));
	ack->magic = cpu_to_be32(MIGMUX_WIRE_ACK_MAGIC);
	ack->version = cpu_to_be32(MIGMUX_WIRE_REPLY_VERSION);
	ack->idx = cpu_to_be32(head->idx);
	ack->instance_id = cpu_to_be32(head->instance_id);
	migmux_wire_text_copy(ack->idstr, head->idstr, sizeof(ack->idstr));
}

/**
 * migmux_wire_is_ack - an acknowledgment, or a verdict?
 * @ack: as received; may be anything
 */
bool migmux_wire_is_ack(const struct migmux_wire_ack *ack)
{
	return be32_to_cpu(ack->magic) == MIGMUX_WIRE_ACK_MAGIC;
}

/**
 * migmux_wire_ack_decode - check an acknowledgment
 * @ack: as received
 * @head: result: idstr, which points into @ack, instance_id and idx; else untouched
 * @fault: filled on failure
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_ack_decode(const struct migmux_wire_ack *ack,
			   struct migmux_wire_head *head,
			   struct migmux_wire_fault *fault)
{
	const size_t at = offsetof(struct migmux_wire_ack, reserved);
	size_t i;
	int ret;

	ret = check_magic(ack->magic, MIGMUX_WIRE_ACK_MAGIC, ack->version,
			  MIGMUX_WIRE_REPLY_VERSION, fault);
	if (!ret)
		ret = check_idstr(ack->idstr, fault);
	if (ret)
		return ret;
	i = first_set(ack->reserved, sizeof(ack->reserved));
	if (i < sizeof(ack->reserved))
		return refuse(fault, MIGMUX_WIRE_BAD_RESERVED, at + i);
	head->idstr = ack->idstr;
	head->instance_id = be32_to_cpu(ack->instance_id);
	head->idx = be32_to_cpu(ack->idx);
	return 0;
}
