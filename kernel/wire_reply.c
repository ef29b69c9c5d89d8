// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoding and decoding of what only our own ends exchange: question and answer, verdict,
 * confirmation, acknowledgment. A peer is hostile here too, see wire.c.
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

/**
 * migmux_wire_query_encode - make the question whether the peer is ready
 * @query: result
 * @id: to know the answer by
 */
void migmux_wire_query_encode(struct migmux_wire_query *query, u32 id)
{
	query->magic = cpu_to_be32(MIGMUX_WIRE_QUERY_MAGIC);
	query->version = cpu_to_be32(MIGMUX_WIRE_REPLY_VERSION);
	query->id = cpu_to_be32(id);
}

/**
 * migmux_wire_is_query - the question, or the prefix of a packet?
 * @query: as received; may be anything
 */
bool migmux_wire_is_query(const struct migmux_wire_query *query)
{
	return be32_to_cpu(query->magic) == MIGMUX_WIRE_QUERY_MAGIC;
}

/**
 * migmux_wire_query_decode - check the question
 * @query: as received
 * @id: result
 * @fault: filled on failure
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_query_decode(const struct migmux_wire_query *query, u32 *id,
			     struct migmux_wire_fault *fault)
{
	int ret;

	ret = check_magic(query->magic, MIGMUX_WIRE_QUERY_MAGIC, query->version,
			  MIGMUX_WIRE_REPLY_VERSION, fault);
	if (!ret)
		*id = be32_to_cpu(query->id);
	return ret;
}

#define MIGRATION_FLAGS							\
	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)
#define READY_FLAGS	(MIGMUX_WIRE_R_VERIFY | MIGMUX_WIRE_R_SHARED)

/**
 * migmux_wire_ready_encode - make one record of the answer
 * @ready: result
 * @peer: what to say; its driver's name is sanitised, and flags that have no place on
 *	the wire are left out
 */
void migmux_wire_ready_encode(struct migmux_wire_ready *ready,
			      const struct migmux_wire_peer *peer)
{
	memset(ready, 0, sizeof(*ready));
	ready->magic = cpu_to_be32(MIGMUX_WIRE_READY_MAGIC);
	ready->version = cpu_to_be32(MIGMUX_WIRE_REPLY_VERSION);
	ready->id = cpu_to_be32(peer->id);
	ready->instance_id = cpu_to_be32(peer->instance_id);
	migmux_wire_text_copy(ready->idstr, peer->idstr, sizeof(ready->idstr));
	migmux_wire_text_copy(ready->driver, peer->driver, sizeof(ready->driver));
	ready->index = cpu_to_be32(peer->index);
	ready->nr_devices = cpu_to_be32(peer->nr_devices);
	ready->migration_flags = cpu_to_be32(peer->migration_flags & MIGRATION_FLAGS);
	ready->precopy_version = cpu_to_be32(peer->precopy_version);
	ready->flags = cpu_to_be32(peer->flags);
	ready->staging = cpu_to_be64(peer->staging);
	ready->max_state = cpu_to_be64(peer->max_state);
}

/**
 * migmux_wire_is_ready - a record of the answer, or something else?
 * @ready: as received; may be anything
 */
bool migmux_wire_is_ready(const struct migmux_wire_ready *ready)
{
	return be32_to_cpu(ready->magic) == MIGMUX_WIRE_READY_MAGIC;
}

/* Printable and padded with nothing but NUL. */
static int check_driver(const struct migmux_wire_ready *ready,
			struct migmux_wire_fault *fault)
{
	const size_t at = offsetof(struct migmux_wire_ready, driver);
	const size_t len = sizeof(ready->driver);
	size_t i;

	for (i = 0; i < len && ready->driver[i] >= 0x20 && ready->driver[i] < 0x7f; i++)
		;
	if (i == len)
		return refuse(fault, MIGMUX_WIRE_BAD_DRIVER, at + len - 1);
	i += first_set(ready->driver + i, len - i);
	if (i < len)
		return refuse(fault, MIGMUX_WIRE_BAD_DRIVER, at + i);
	return 0;
}

static int check_device(const struct migmux_wire_ready *ready,
			struct migmux_wire_fault *fault)
{
	const u32 nr = be32_to_cpu(ready->nr_devices);
	const u32 index = be32_to_cpu(ready->index);
	const u32 flags = be32_to_cpu(ready->migration_flags);
	const u32 precopy = be32_to_cpu(ready->precopy_version);

	if (!nr || nr > MIGMUX_WIRE_DEVICES_MAX)
		return refuse(fault, MIGMUX_WIRE_BAD_COUNT, nr);
	if (index >= nr)
		return refuse(fault, MIGMUX_WIRE_BAD_INDEX, index);
	if (!(flags & VFIO_MIGRATION_STOP_COPY) || flags & ~MIGRATION_FLAGS)
		return refuse(fault, MIGMUX_WIRE_BAD_MIGRATION, flags);
	if (precopy > 2 || !precopy != !(flags & VFIO_MIGRATION_PRE_COPY))
		return refuse(fault, MIGMUX_WIRE_BAD_PRECOPY, precopy);
	return 0;
}

static int check_zero(const struct migmux_wire_ready *ready,
		      struct migmux_wire_fault *fault)
{
	size_t i;

	if (ready->reserved)
		return refuse(fault, MIGMUX_WIRE_BAD_RESERVED,
			      offsetof(struct migmux_wire_ready, reserved) +
			      first_set(&ready->reserved, sizeof(ready->reserved)));
	i = first_set(ready->padding, sizeof(ready->padding));
	if (i < sizeof(ready->padding))
		return refuse(fault, MIGMUX_WIRE_BAD_RESERVED,
			      offsetof(struct migmux_wire_ready, padding) + i);
	return 0;
}

/**
 * migmux_wire_ready_decode - check one record of the answer
 * @ready: as received
 * @peer: result, with texts that may be printed
 * @fault: filled on failure
 *
 * Whether the records of one answer go together is not seen here.
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_ready_decode(const struct migmux_wire_ready *ready,
			     struct migmux_wire_peer *peer,
			     struct migmux_wire_fault *fault)
{
	int ret;

	ret = check_magic(ready->magic, MIGMUX_WIRE_READY_MAGIC, ready->version,
			  MIGMUX_WIRE_REPLY_VERSION, fault);
	if (!ret)
		ret = check_idstr(ready->idstr, fault);
	if (!ret)
		ret = check_driver(ready, fault);
	if (!ret)
		ret = check_device(ready, fault);
	if (!ret && be32_to_cpu(ready->flags) & ~READY_FLAGS)
		ret = refuse(fault, MIGMUX_WIRE_BAD_READY, be32_to_cpu(ready->flags));
	if (!ret)
		ret = check_zero(ready, fault);
	if (ret)
		return ret;

	peer->id = be32_to_cpu(ready->id);
	peer->index = be32_to_cpu(ready->index);
	peer->nr_devices = be32_to_cpu(ready->nr_devices);
	peer->flags = be32_to_cpu(ready->flags);
	peer->staging = be64_to_cpu(ready->staging);
	peer->max_state = be64_to_cpu(ready->max_state);
	peer->instance_id = be32_to_cpu(ready->instance_id);
	peer->migration_flags = be32_to_cpu(ready->migration_flags);
	peer->precopy_version = be32_to_cpu(ready->precopy_version);
	migmux_wire_text_copy(peer->idstr, ready->idstr, sizeof(peer->idstr));
	migmux_wire_text_copy(peer->driver, ready->driver, sizeof(peer->driver));
	return 0;
}
