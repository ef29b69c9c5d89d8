// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoding and decoding of what crosses the wire toward the destination.  A peer is hostile: a
 * decoder believes nothing, says what it refused and with which value, and
 * leaves its results untouched when it refuses.
 */
#include "wire.h"
#include "wire_check.h"

/* Not isprint(): the kernel's accepts Latin-1, a terminal may not. */
static bool printable(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/**
 * migmux_wire_text_copy - copy text that may come from a peer
 * @dst: result: printable ASCII, terminated, padded with NUL
 * @src: text; read up to its NUL or @size - 1 bytes, whichever comes first
 * @size: size of @dst, at least 1
 *
 * Each byte that is not printable becomes a question mark.
 */
void migmux_wire_text_copy(char *dst, const char *src, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1 && src[i]; i++)
		dst[i] = printable(src[i]) ? src[i] : '?';
	memset(dst + i, 0, size - i);
}

/**
 * migmux_wire_idstr_check - can this string name a device on the wire?
 * @idstr: the string; read up to its NUL or MIGMUX_WIRE_IDSTR_LEN bytes
 * @fault: filled on failure
 *
 * Return: 0, or -EPROTO when it is empty, too long or not printable.
 */
int migmux_wire_idstr_check(const char *idstr, struct migmux_wire_fault *fault)
{
	size_t len = strnlen(idstr, MIGMUX_WIRE_IDSTR_LEN);
	size_t i;

	if (!len)
		return refuse(fault, MIGMUX_WIRE_IDSTR_EMPTY, 0);
	if (len == MIGMUX_WIRE_IDSTR_LEN)
		return refuse(fault, MIGMUX_WIRE_IDSTR_UNTERMINATED, len);
	for (i = 0; i < len; i++)
		if (!printable(idstr[i]))
			return refuse(fault, MIGMUX_WIRE_IDSTR_UNPRINTABLE,
				      (u8)idstr[i]);
	return 0;
}

/**
 * migmux_wire_init_encode - make the first bytes of a channel
 * @init: result
 * @uuid: the VM's UUID, zeros if it has none
 * @id: the channel's number
 */
void migmux_wire_init_encode(struct migmux_wire_init *init,
			     const u8 uuid[MIGMUX_WIRE_UUID_LEN], u8 id)
{
	memset(init, 0, sizeof(*init));
	init->magic = cpu_to_be32(MIGMUX_WIRE_MAGIC);
	init->version = cpu_to_be32(MIGMUX_WIRE_VERSION);
	memcpy(init->uuid, uuid, sizeof(init->uuid));
	init->id = id;
}

/**
 * migmux_wire_init_decode - check the first bytes of a channel
 * @init: as received
 * @uuid: the UUID that both ends must agree on
 * @id: result: the channel's number; the caller checks that it is new
 * @fault: filled on failure
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_init_decode(const struct migmux_wire_init *init,
			    const u8 uuid[MIGMUX_WIRE_UUID_LEN], u8 *id,
			    struct migmux_wire_fault *fault)
{
	size_t i;
	int ret;

	ret = check_magic(init->magic, MIGMUX_WIRE_MAGIC, init->version,
			  MIGMUX_WIRE_VERSION, fault);
	if (ret)
		return ret;
	for (i = 0; i < sizeof(init->uuid); i++)
		if (init->uuid[i] != uuid[i])
			return refuse(fault, MIGMUX_WIRE_BAD_UUID, i);
	i = first_set(init->reserved, sizeof(init->reserved));
	if (i < sizeof(init->reserved))
		return refuse(fault, MIGMUX_WIRE_BAD_RESERVED,
			      offsetof(struct migmux_wire_init, reserved) + i);
	*id = init->id;
	return 0;
}

static u32 payload_flags(const struct migmux_wire_head *head)
{
	return (head->config ? MIGMUX_WIRE_P_CONFIG : 0) |
	       (head->precopy ? MIGMUX_WIRE_P_PRECOPY : 0) |
	       (head->ack ? MIGMUX_WIRE_P_ACK : 0) |
	       (head->verify ? MIGMUX_WIRE_P_VERIFY : 0);
}

/* The last frame is not of pre-copy, and what is to be acknowledged is. */
static bool flags_fit(u32 flags)
{
	switch (flags & ~MIGMUX_WIRE_P_VERIFY) {
	case 0:
	case MIGMUX_WIRE_P_CONFIG:
	case MIGMUX_WIRE_P_PRECOPY:
	case MIGMUX_WIRE_P_PRECOPY | MIGMUX_WIRE_P_ACK:
		return true;
	}
	return false;
}

static bool may_be_empty(u32 flags)
{
	return flags & (MIGMUX_WIRE_P_CONFIG | MIGMUX_WIRE_P_ACK);
}

/**
 * migmux_wire_frame_encode - make the header of a frame
 * @frame: result; @head->bytes bytes of data follow it on the wire
 * @head: what to say
 *
 * Return: 0, or -EINVAL when the receiver would have to refuse the frame.
 */
int migmux_wire_frame_encode(struct migmux_wire_frame *frame,
			     const struct migmux_wire_head *head)
{
	u32 max = head->config ? MIGMUX_WIRE_CONFIG_MAX : MIGMUX_WIRE_DATA_MAX;
	struct migmux_wire_packet *packet = &frame->packet;
	const u32 flags = payload_flags(head);
	struct migmux_wire_fault fault;

	if (migmux_wire_idstr_check(head->idstr, &fault) || !flags_fit(flags) ||
	    head->bytes > max || (!head->bytes && !may_be_empty(flags)) ||
	    head->idx == U32_MAX)
		return -EINVAL;

	packet->prefix.magic = cpu_to_be32(MIGMUX_WIRE_MAGIC);
	packet->prefix.version = cpu_to_be32(MIGMUX_WIRE_VERSION);
	packet->prefix.flags = cpu_to_be32(MIGMUX_WIRE_F_DEVICE_STATE);
	migmux_wire_text_copy(packet->idstr, head->idstr, sizeof(packet->idstr));
	packet->instance_id = cpu_to_be32(head->instance_id);
	packet->size = cpu_to_be32(MIGMUX_WIRE_PAYLOAD_SIZE + head->bytes);
	frame->payload.version = cpu_to_be32(MIGMUX_WIRE_PAYLOAD_VERSION);
	frame->payload.idx = cpu_to_be32(head->idx);
	frame->payload.flags = cpu_to_be32(flags);
	return 0;
}

/**
 * migmux_wire_prefix_decode - tell what kind of packet begins
 * @prefix: first 12 bytes of a packet
 * @kind: result
 * @fault: filled on failure
 *
 * A RAM packet may be compressed, a SYNC has no other flag, and device state
 * has neither.
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_prefix_decode(const struct migmux_wire_prefix *prefix,
			      enum migmux_wire_kind *kind,
			      struct migmux_wire_fault *fault)
{
	u32 flags = be32_to_cpu(prefix->flags);
	int ret;

	ret = check_magic(prefix->magic, MIGMUX_WIRE_MAGIC, prefix->version,
			  MIGMUX_WIRE_VERSION, fault);
	if (ret)
		return ret;
	if (flags & ~(MIGMUX_WIRE_F_SYNC | MIGMUX_WIRE_F_COMPRESSION |
		      MIGMUX_WIRE_F_DEVICE_STATE))
		return refuse(fault, MIGMUX_WIRE_BAD_FLAGS, flags);

	if (flags & MIGMUX_WIRE_F_DEVICE_STATE) {
		if (flags & MIGMUX_WIRE_F_SYNC)
			return refuse(fault, MIGMUX_WIRE_SYNC_AND_STATE, flags);
		if (flags & MIGMUX_WIRE_F_COMPRESSION)
			return refuse(fault, MIGMUX_WIRE_COMPRESSED_STATE, flags);
		*kind = MIGMUX_WIRE_DEVICE_STATE;
	} else if (flags & MIGMUX_WIRE_F_SYNC) {
		if (flags != MIGMUX_WIRE_F_SYNC)
			return refuse(fault, MIGMUX_WIRE_BAD_FLAGS, flags);
		*kind = MIGMUX_WIRE_SYNC;
	} else {
		*kind = MIGMUX_WIRE_RAM;
	}
	return 0;
}

/**
 * migmux_wire_packet_decode - check a device-state packet
 * @packet: all 276 bytes, the prefix included
 * @head: result, without idx and flags: those are in the payload header;
 *	@head->idstr points into @packet
 * @fault: filled on failure
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_packet_decode(const struct migmux_wire_packet *packet,
			      struct migmux_wire_head *head,
			      struct migmux_wire_fault *fault)
{
	u32 size = be32_to_cpu(packet->size);
	enum migmux_wire_kind kind;
	int ret;

	ret = migmux_wire_prefix_decode(&packet->prefix, &kind, fault);
	if (ret)
		return ret;
	if (kind != MIGMUX_WIRE_DEVICE_STATE)
		return refuse(fault, MIGMUX_WIRE_BAD_FLAGS,
			      be32_to_cpu(packet->prefix.flags));

	ret = check_idstr(packet->idstr, fault);
	if (ret)
		return ret;
	if (size < MIGMUX_WIRE_PAYLOAD_SIZE)
		return refuse(fault, MIGMUX_WIRE_TOO_SHORT, size);
	if (size > MIGMUX_WIRE_PAYLOAD_SIZE + MIGMUX_WIRE_DATA_MAX)
		return refuse(fault, MIGMUX_WIRE_TOO_LONG, size);

	head->idstr = packet->idstr;
	head->instance_id = be32_to_cpu(packet->instance_id);
	head->bytes = size - MIGMUX_WIRE_PAYLOAD_SIZE;
	return 0;
}

/**
 * migmux_wire_payload_decode - check a payload header
 * @payload: as received, after its packet
 * @head: from migmux_wire_packet_decode(); gains idx, config, precopy and ack
 * @fault: filled on failure
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_payload_decode(const struct migmux_wire_payload *payload,
			       struct migmux_wire_head *head,
			       struct migmux_wire_fault *fault)
{
	u32 version = be32_to_cpu(payload->version);
	u32 flags = be32_to_cpu(payload->flags);
	u32 idx = be32_to_cpu(payload->idx);
	bool config = flags & MIGMUX_WIRE_P_CONFIG;

	if (version != MIGMUX_WIRE_PAYLOAD_VERSION)
		return refuse(fault, MIGMUX_WIRE_BAD_PAYLOAD_VERSION, version);
	if (!flags_fit(flags))
		return refuse(fault, MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, flags);
	if (idx == U32_MAX)
		return refuse(fault, MIGMUX_WIRE_BAD_IDX, idx);
	if (config && head->bytes > MIGMUX_WIRE_CONFIG_MAX)
		return refuse(fault, MIGMUX_WIRE_CONFIG_TOO_LONG, head->bytes);
	if (!head->bytes && !may_be_empty(flags))
		return refuse(fault, MIGMUX_WIRE_NO_DATA, idx);

	head->idx = idx;
	head->config = config;
	head->precopy = flags & MIGMUX_WIRE_P_PRECOPY;
	head->ack = flags & MIGMUX_WIRE_P_ACK;
	head->verify = flags & MIGMUX_WIRE_P_VERIFY;
	return 0;
}

/**
 * migmux_wire_ram_decode - measure a RAM or SYNC packet
 * @ram: all 1344 bytes, the prefix included
 * @skip: result: bytes of pages after it
 * @fault: filled on failure
 *
 * For a session that shares its channels with a VMM's RAM, or a tool that
 * walks a capture.  The size of the packet is that of a VMM with 4 KiB pages.
 *
 * Return: 0 or -EPROTO.
 */
int migmux_wire_ram_decode(const struct migmux_wire_ram *ram, u32 *skip,
			   struct migmux_wire_fault *fault)
{
	u32 size = be32_to_cpu(ram->size);
	enum migmux_wire_kind kind;
	int ret;

	ret = migmux_wire_prefix_decode(&ram->prefix, &kind, fault);
	if (ret)
		return ret;
	if (kind == MIGMUX_WIRE_DEVICE_STATE)
		return refuse(fault, MIGMUX_WIRE_BAD_FLAGS,
			      be32_to_cpu(ram->prefix.flags));
	if (kind == MIGMUX_WIRE_SYNC && size)
		return refuse(fault, MIGMUX_WIRE_SYNC_PAYLOAD, size);
	if (size > MIGMUX_WIRE_RAM_DATA_MAX)
		return refuse(fault, MIGMUX_WIRE_RAM_TOO_LONG, size);
	*skip = size;
	return 0;
}

static const struct {
	const char *text;
	enum { PLAIN, DECIMAL, HEX } value;
} faults[] = {
	[MIGMUX_WIRE_OK] = { "no error", PLAIN },
	[MIGMUX_WIRE_BAD_MAGIC] = { "bad magic", HEX },
	[MIGMUX_WIRE_BAD_VERSION] = { "unknown version", DECIMAL },
	[MIGMUX_WIRE_BAD_UUID] = { "other VM UUID, differs from byte", DECIMAL },
	[MIGMUX_WIRE_BAD_RESERVED] = { "reserved byte not zero, at offset", DECIMAL },
	[MIGMUX_WIRE_SYNC_AND_STATE] = { "SYNC on device state, flags", HEX },
	[MIGMUX_WIRE_COMPRESSED_STATE] = { "compressed device state, flags", HEX },
	[MIGMUX_WIRE_BAD_FLAGS] = { "bad packet flags", HEX },
	[MIGMUX_WIRE_IDSTR_EMPTY] = { "empty device name", PLAIN },
	[MIGMUX_WIRE_IDSTR_UNTERMINATED] = { "unterminated device name", PLAIN },
	[MIGMUX_WIRE_IDSTR_UNPRINTABLE] = { "device name with unprintable byte", HEX },
	[MIGMUX_WIRE_IDSTR_PADDING] = { "device name padded with byte", HEX },
	[MIGMUX_WIRE_TOO_SHORT] = { "packet too short, size", DECIMAL },
	[MIGMUX_WIRE_TOO_LONG] = { "packet too long, size", DECIMAL },
	[MIGMUX_WIRE_BAD_PAYLOAD_VERSION] = { "unknown payload version", DECIMAL },
	[MIGMUX_WIRE_BAD_PAYLOAD_FLAGS] = { "bad payload flags", HEX },
	[MIGMUX_WIRE_BAD_IDX] = { "bad frame idx", DECIMAL },
	[MIGMUX_WIRE_NO_DATA] = { "no data in frame idx", DECIMAL },
	[MIGMUX_WIRE_CONFIG_TOO_LONG] = { "config too long, size", DECIMAL },
	[MIGMUX_WIRE_SYNC_PAYLOAD] = { "SYNC with payload, size", DECIMAL },
	[MIGMUX_WIRE_RAM_TOO_LONG] = { "RAM packet too long, size", DECIMAL },
	[MIGMUX_WIRE_BAD_STATUS] = { "status is no error number", DECIMAL },
	[MIGMUX_WIRE_REASON_UNTERMINATED] = { "unterminated reason", PLAIN },
	[MIGMUX_WIRE_BAD_VERIFIED] = { "neither verified nor not", DECIMAL },
	[MIGMUX_WIRE_STRAY_CRC] = { "a CRC though nothing was verified", HEX },
	[MIGMUX_WIRE_BAD_DRIVER] = { "bad name of a driver, at offset", DECIMAL },
	[MIGMUX_WIRE_BAD_COUNT] = { "bad number of devices", DECIMAL },
	[MIGMUX_WIRE_BAD_INDEX] = { "bad index of a device", DECIMAL },
	[MIGMUX_WIRE_BAD_MIGRATION] = { "bad migration flags", HEX },
	[MIGMUX_WIRE_BAD_PRECOPY] = { "bad version of pre-copy", DECIMAL },
	[MIGMUX_WIRE_BAD_READY] = { "unknown flags", HEX },
	[MIGMUX_GATHER_DUPLICATE] = { "duplicate frame idx", DECIMAL },
	[MIGMUX_GATHER_SECOND_CONFIG] = { "second config frame, idx", DECIMAL },
	[MIGMUX_GATHER_BEYOND_END] = { "frame beyond the end, idx", DECIMAL },
	[MIGMUX_GATHER_END_TOO_LOW] = { "end before frames already seen, idx", DECIMAL },
	[MIGMUX_GATHER_NOT_RISING] = { "frame out of order on its channel, idx", DECIMAL },
};

static_assert(ARRAY_SIZE(faults) == MIGMUX_WIRE_ERR_NR);

/**
 * migmux_wire_strerror - text for a reason code
 * @err: reason code
 *
 * Return: text without the value, never NULL.
 */
const char *migmux_wire_strerror(enum migmux_wire_err err)
{
	if ((u32)err >= ARRAY_SIZE(faults))
		return "unknown fault";
	return faults[err].text;
}

/**
 * migmux_wire_fault_format - text for a fault, with its value
 * @buf: result, terminated; MIGMUX_WIRE_FAULT_LEN bytes are always enough
 * @size: size of @buf
 * @fault: what to describe
 *
 * Return: as snprintf().
 */
int migmux_wire_fault_format(char *buf, size_t size,
			     const struct migmux_wire_fault *fault)
{
	const char *text = migmux_wire_strerror(fault->err);

	if ((u32)fault->err >= ARRAY_SIZE(faults) ||
	    faults[fault->err].value == PLAIN)
		return snprintf(buf, size, "%s", text);
	if (faults[fault->err].value == HEX)
		return snprintf(buf, size, "%s 0x%llx", text, fault->value);
	return snprintf(buf, size, "%s %llu", text, fault->value);
}
