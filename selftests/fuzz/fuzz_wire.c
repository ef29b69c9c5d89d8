// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer on the decoders of kernel/wire.c. The first byte of an input chooses one,
 * the rest is what came over the wire, zeros behind it.
 *
 * Each must accept exactly what Documentation/wire.rst allows, leave its results alone
 * when it does not, and what it accepts must encode to the same bytes again.
 */
#include "oracle.h"

static const u8 uuid[MIGMUX_WIRE_UUID_LEN] = { 1, 2, 3 };

static void fuzz_init(const struct migmux_wire_init *init)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_init again;
	u8 id = 0x5a;
	bool good;
	int ret;

	good = good_head(init, MIGMUX_WIRE_MAGIC, 1) &&
	       !memcmp(init->uuid, uuid, sizeof(uuid)) && zero(init, 25, 64);
	ret = migmux_wire_init_decode(init, uuid, &id, &fault);
	check_verdict(ret, good, &fault);
	if (!good) {
		REQUIRE(id == 0x5a);
		return;
	}
	migmux_wire_init_encode(&again, uuid, id);
	REQUIRE(!memcmp(init, &again, sizeof(again)));
}

/* Which packet this is; -1 if none. */
static int kind_of(const void *buf)
{
	u32 flags = get32(buf, 8);

	if (!good_head(buf, MIGMUX_WIRE_MAGIC, 1))
		return -1;
	if (flags == 0x40)
		return MIGMUX_WIRE_DEVICE_STATE;
	if (flags == 0x01)
		return MIGMUX_WIRE_SYNC;
	return flags & ~0x3eu ? -1 : MIGMUX_WIRE_RAM;
}

static void fuzz_prefix(const struct migmux_wire_prefix *prefix)
{
	struct migmux_wire_fault fault = untouched();
	enum migmux_wire_kind kind = 0x5a;
	int want = kind_of(prefix), ret;

	ret = migmux_wire_prefix_decode(prefix, &kind, &fault);
	check_verdict(ret, want >= 0, &fault);
	REQUIRE((int)kind == (want < 0 ? 0x5a : want));
}

static bool good_packet(const void *buf)
{
	u32 size = get32(buf, 272);

	return kind_of(buf) == MIGMUX_WIRE_DEVICE_STATE && good_name(buf, 12) &&
	       size >= 12 && size <= 12 + (1 << 20);
}

static bool good_payload(const void *buf, u32 bytes)
{
	u32 flags = get32(buf, 8), base = flags & ~8u;

	if (get32(buf, 0) || get32(buf, 4) == U32_MAX)
		return false;
	if (base != 0 && base != 1 && base != 4 && base != 6)
		return false;
	if (base == 1)
		return bytes <= 256 << 10;
	return bytes || base == 6;
}

static void fuzz_frame(const struct migmux_wire_frame *frame)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_head head, before;
	struct migmux_wire_frame again;
	bool good = good_packet(&frame->packet);
	int ret;

	memset(&head, 0x5a, sizeof(head));
	before = head;
	ret = migmux_wire_packet_decode(&frame->packet, &head, &fault);
	check_verdict(ret, good, &fault);
	if (!good) {
		REQUIRE(!memcmp(&head, &before, sizeof(head)));
		return;
	}
	REQUIRE(head.idstr == frame->packet.idstr);
	REQUIRE(head.bytes == get32(frame, 272) - 12);

	before = head;
	good = good_payload(&frame->payload, head.bytes);
	ret = migmux_wire_payload_decode(&frame->payload, &head, &fault);
	check_verdict(ret, good, &fault);
	if (!good) {
		REQUIRE(!memcmp(&head, &before, sizeof(head)));
		return;
	}
	REQUIRE(migmux_wire_frame_encode(&again, &head) == 0);
	REQUIRE(!memcmp(frame, &again, sizeof(again)));
}

static void fuzz_ram(const struct migmux_wire_ram *ram)
{
	struct migmux_wire_fault fault = untouched();
	int kind = kind_of(ram), ret;
	u32 size = get32(ram, 20);
	u32 skip = 0x5a5a5a5a;
	bool good;

	good = kind == MIGMUX_WIRE_SYNC ? !size : kind == MIGMUX_WIRE_RAM && size <= 1 << 20;
	ret = migmux_wire_ram_decode(ram, &skip, &fault);
	check_verdict(ret, good, &fault);
	REQUIRE(skip == (good ? size : 0x5a5a5a5a));
}

/* What the encoder takes, the decoder takes as well, and reads the same from it. */
static void fuzz_encode(const u8 *in)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_head head, back;
	struct migmux_wire_frame frame;

	head = (struct migmux_wire_head){
		.idstr = (const char *)in + 16,
		.instance_id = get32(in, 0),
		.bytes = get32(in, 4),
		.idx = get32(in, 8),
		.config = in[12] & 1,
		.precopy = in[12] & 2,
		.ack = in[12] & 4,
		.verify = in[12] & 8,
	};
	if (migmux_wire_frame_encode(&frame, &head)) {
		REQUIRE(fault.err == UNTOUCHED);
		return;
	}
	REQUIRE(!migmux_wire_packet_decode(&frame.packet, &back, &fault));
	REQUIRE(!migmux_wire_payload_decode(&frame.payload, &back, &fault));
	REQUIRE(!strcmp(back.idstr, head.idstr));
	REQUIRE(back.instance_id == head.instance_id && back.bytes == head.bytes);
	REQUIRE(back.idx == head.idx && back.config == head.config);
	REQUIRE(back.precopy == head.precopy && back.ack == head.ack);
	REQUIRE(back.verify == head.verify);
}

static void fuzz_fault(const u8 *in)
{
	struct migmux_wire_fault fault = { get32(in, 0), (u64)get32(in, 4) << 32 | get32(in, 8) };
	char text[MIGMUX_WIRE_FAULT_LEN], cut[8];
	int len;

	len = migmux_wire_fault_format(text, sizeof(text), &fault);
	REQUIRE(len > 0 && len < (int)sizeof(text) && is_printable(text, sizeof(text)));
	REQUIRE(migmux_wire_fault_format(cut, sizeof(cut), &fault) == len);
	REQUIRE(!strncmp(cut, text, sizeof(cut) - 1) && is_printable(cut, sizeof(cut)));
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static union {
		u8 bytes[MIGMUX_WIRE_RAM_SIZE];
		struct migmux_wire_init init;
		struct migmux_wire_prefix prefix;
		struct migmux_wire_frame frame;
		struct migmux_wire_ram ram;
	} in;

	switch (take_input(&in, sizeof(in), data, size)) {
	case 'i':
		fuzz_init(&in.init);
		break;
	case 'p':
		fuzz_prefix(&in.prefix);
		break;
	case 'f':
		fuzz_frame(&in.frame);
		break;
	case 'r':
		fuzz_ram(&in.ram);
		break;
	case 'e':
		fuzz_encode(in.bytes);
		break;
	case 't':
		fuzz_fault(in.bytes);
		break;
	default:
		return -1;	/* not worth to be kept */
	}
	return 0;
}
