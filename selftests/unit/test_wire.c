// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wire format byte by byte: offsets and numbers here are written out, not
 * taken from wire.h, so that a change of the format cannot pass unseen.
 */
#include <kselftest_harness.h>
#include "wire.h"
#include "wire_bytes.h"

static const u8 uuid[16] = "0123456789abcde";

static void make_frame(struct migmux_wire_frame *frame, u32 bytes, u32 idx,
		       bool config)
{
	struct migmux_wire_head head = {
		.idstr = "0000:00:04.0/vfio",
		.instance_id = 7,
		.bytes = bytes,
		.idx = idx,
		.config = config,
	};

	memset(frame, 0xee, sizeof(*frame));
	if (migmux_wire_frame_encode(frame, &head))
		abort();
}

static int decode_frame(const struct migmux_wire_frame *frame,
			struct migmux_wire_head *head,
			struct migmux_wire_fault *fault)
{
	int ret = migmux_wire_packet_decode(&frame->packet, head, fault);

	return ret ? ret : migmux_wire_payload_decode(&frame->payload, head, fault);
}

/* A frame that is right but for one u32. */
static struct migmux_wire_fault poke_frame(size_t at, u32 v)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_frame frame;
	struct migmux_wire_head head;

	make_frame(&frame, 100, 3, false);
	put32(&frame, at, v);
	if (decode_frame(&frame, &head, &fault) != (fault.err ? -EPROTO : 0))
		abort();
	return fault;
}

TEST(init_offsets)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_init init;
	u8 id = 0;

	ASSERT_EQ(64, sizeof(init));
	memset(&init, 0xee, sizeof(init));
	migmux_wire_init_encode(&init, uuid, 5);
	EXPECT_EQ(0x11223344, get32(&init, 0));
	EXPECT_EQ(1, get32(&init, 4));
	EXPECT_EQ(0, memcmp((u8 *)&init + 8, uuid, 16));
	EXPECT_EQ(5, ((u8 *)&init)[24]);
	EXPECT_TRUE(zero(&init, 25, 64));
	EXPECT_EQ(0, migmux_wire_init_decode(&init, uuid, &id, &fault));
	EXPECT_EQ(5, id);
	EXPECT_EQ(MIGMUX_WIRE_OK, fault.err);
}

TEST(init_refused)
{
	static const struct {
		size_t at;
		u8 byte;
		enum migmux_wire_err err;
		u64 value;
	} rows[] = {
		{ 0, 0x51, MIGMUX_WIRE_BAD_MAGIC, 0x51223344 },
		{ 7, 2, MIGMUX_WIRE_BAD_VERSION, 2 },
		{ 8, 'x', MIGMUX_WIRE_BAD_UUID, 0 },
		{ 23, 'x', MIGMUX_WIRE_BAD_UUID, 15 },
		{ 25, 1, MIGMUX_WIRE_BAD_RESERVED, 25 },
		{ 63, 1, MIGMUX_WIRE_BAD_RESERVED, 63 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migmux_wire_fault fault = {};
		struct migmux_wire_init init;
		u8 id = 0xaa;

		migmux_wire_init_encode(&init, uuid, 5);
		((u8 *)&init)[rows[i].at] = rows[i].byte;
		EXPECT_EQ(-EPROTO, migmux_wire_init_decode(&init, uuid, &id, &fault));
		EXPECT_FAULT(fault, rows[i].err, rows[i].value);
		EXPECT_EQ(0xaa, id);
	}
}

TEST(frame_offsets)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_frame frame;
	struct migmux_wire_head head;

	ASSERT_EQ(288, sizeof(frame));
	make_frame(&frame, 0x1234, 0x56789, false);
	EXPECT_EQ(0x11223344, get32(&frame, 0));
	EXPECT_EQ(1, get32(&frame, 4));
	EXPECT_EQ(0x40, get32(&frame, 8));
	EXPECT_STREQ("0000:00:04.0/vfio", (char *)&frame + 12);
	EXPECT_TRUE(zero(&frame, 12 + 17, 268));
	EXPECT_EQ(7, get32(&frame, 268));
	EXPECT_EQ(12 + 0x1234, get32(&frame, 272));
	EXPECT_EQ(0, get32(&frame, 276));
	EXPECT_EQ(0x56789, get32(&frame, 280));
	EXPECT_EQ(0, get32(&frame, 284));

	ASSERT_EQ(0, decode_frame(&frame, &head, &fault));
	EXPECT_STREQ("0000:00:04.0/vfio", head.idstr);
	EXPECT_EQ(7, head.instance_id);
	EXPECT_EQ(0x1234, head.bytes);
	EXPECT_EQ(0x56789, head.idx);
	EXPECT_FALSE(head.config);
}

TEST(frame_config)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_frame frame;
	struct migmux_wire_head head;

	make_frame(&frame, 0, 9, true);
	EXPECT_EQ(12, get32(&frame, 272));
	EXPECT_EQ(1, get32(&frame, 284));
	ASSERT_EQ(0, decode_frame(&frame, &head, &fault));
	EXPECT_TRUE(head.config);
	EXPECT_EQ(0, head.bytes);

	make_frame(&frame, 256 << 10, 9, true);
	EXPECT_EQ(0, decode_frame(&frame, &head, &fault));
}

TEST(frame_encode_refuses_what_a_receiver_would)
{
	struct migmux_wire_frame frame;
	char longest[256];
	struct migmux_wire_head good = { .idstr = longest, .bytes = 1 << 20 };
	struct migmux_wire_head head;

	memset(longest, 'a', 255);
	longest[255] = 0;
	EXPECT_EQ(0, migmux_wire_frame_encode(&frame, &good));
	head = good;
	head.bytes++;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &head));
	head.bytes = 0;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &head));
	head.config = true;
	EXPECT_EQ(0, migmux_wire_frame_encode(&frame, &head));
	head.bytes = (256 << 10) + 1;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &head));
	head = good;
	head.idx = U32_MAX;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &head));
	head = good;
	head.idstr = "";
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &head));
	head.idstr = "a\nb";
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &head));
	longest[255] = 'a';
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &good));
}

TEST(prefix_kinds)
{
	static const struct {
		u32 flags;
		enum migmux_wire_err err;
		enum migmux_wire_kind kind;
	} rows[] = {
		{ 0x40, MIGMUX_WIRE_OK, MIGMUX_WIRE_DEVICE_STATE },
		{ 0x00, MIGMUX_WIRE_OK, MIGMUX_WIRE_RAM },
		{ 0x04, MIGMUX_WIRE_OK, MIGMUX_WIRE_RAM },
		{ 0x01, MIGMUX_WIRE_OK, MIGMUX_WIRE_SYNC },
		{ 0x41, MIGMUX_WIRE_SYNC_AND_STATE, 0 },
		{ 0x42, MIGMUX_WIRE_COMPRESSED_STATE, 0 },
		{ 0x60, MIGMUX_WIRE_COMPRESSED_STATE, 0 },
		{ 0x05, MIGMUX_WIRE_BAD_FLAGS, 0 },
		{ 0x80, MIGMUX_WIRE_BAD_FLAGS, 0 },
		{ 0xc0, MIGMUX_WIRE_BAD_FLAGS, 0 },
		{ 0x80000040, MIGMUX_WIRE_BAD_FLAGS, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migmux_wire_fault fault = {};
		struct migmux_wire_prefix prefix;
		enum migmux_wire_kind kind = 0;

		put32(&prefix, 0, 0x11223344);
		put32(&prefix, 4, 1);
		put32(&prefix, 8, rows[i].flags);
		EXPECT_EQ(rows[i].err ? -EPROTO : 0,
			  migmux_wire_prefix_decode(&prefix, &kind, &fault));
		EXPECT_FAULT(fault, rows[i].err, rows[i].err ? rows[i].flags : 0);
		EXPECT_EQ(rows[i].kind, kind);
	}
}

TEST(packet_refused)
{
	EXPECT_FAULT(poke_frame(0, 0x5145564d), MIGMUX_WIRE_BAD_MAGIC, 0x5145564d);
	EXPECT_FAULT(poke_frame(4, 0), MIGMUX_WIRE_BAD_VERSION, 0);
	EXPECT_FAULT(poke_frame(8, 0), MIGMUX_WIRE_BAD_FLAGS, 0);
	EXPECT_FAULT(poke_frame(8, 1), MIGMUX_WIRE_BAD_FLAGS, 1);
	EXPECT_FAULT(poke_frame(8, 0x41), MIGMUX_WIRE_SYNC_AND_STATE, 0x41);
	EXPECT_FAULT(poke_frame(12, 0), MIGMUX_WIRE_IDSTR_EMPTY, 0);
	EXPECT_FAULT(poke_frame(12, 0x30301b5b), MIGMUX_WIRE_IDSTR_UNPRINTABLE, 0x1b);
	EXPECT_FAULT(poke_frame(12, 0x3030ff30), MIGMUX_WIRE_IDSTR_UNPRINTABLE, 0xff);
	EXPECT_FAULT(poke_frame(12, 0x30307f30), MIGMUX_WIRE_IDSTR_UNPRINTABLE, 0x7f);
	EXPECT_FAULT(poke_frame(264, 0x41), MIGMUX_WIRE_IDSTR_PADDING, 0x41);
}

TEST(packet_length)
{
	EXPECT_FAULT(poke_frame(272, 0), MIGMUX_WIRE_TOO_SHORT, 0);
	EXPECT_FAULT(poke_frame(272, 11), MIGMUX_WIRE_TOO_SHORT, 11);
	EXPECT_FAULT(poke_frame(272, 12), MIGMUX_WIRE_NO_DATA, 3);
	EXPECT_FAULT(poke_frame(272, 13), MIGMUX_WIRE_OK, 0);
	EXPECT_FAULT(poke_frame(272, 12 + (1 << 20)), MIGMUX_WIRE_OK, 0);
	EXPECT_FAULT(poke_frame(272, 13 + (1 << 20)), MIGMUX_WIRE_TOO_LONG,
		     13 + (1 << 20));
	EXPECT_FAULT(poke_frame(272, U32_MAX), MIGMUX_WIRE_TOO_LONG, U32_MAX);
}

TEST(packet_idstr_unterminated)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_frame frame;
	struct migmux_wire_head head;

	make_frame(&frame, 100, 3, false);
	memset((u8 *)&frame + 12, 'a', 256);
	EXPECT_EQ(-EPROTO, decode_frame(&frame, &head, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_IDSTR_UNTERMINATED, 256);
	((u8 *)&frame)[267] = 0;
	EXPECT_EQ(0, decode_frame(&frame, &head, &fault));
	EXPECT_EQ(255, strlen(head.idstr));
}

TEST(payload_refused)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_frame frame;
	struct migmux_wire_head head;

	EXPECT_FAULT(poke_frame(276, 1), MIGMUX_WIRE_BAD_PAYLOAD_VERSION, 1);
	EXPECT_FAULT(poke_frame(280, U32_MAX), MIGMUX_WIRE_BAD_IDX, U32_MAX);
	EXPECT_FAULT(poke_frame(280, U32_MAX - 1), MIGMUX_WIRE_OK, 0);
	/* an acknowledgment without pre-copy, config in pre-copy, what nobody knows */
	EXPECT_FAULT(poke_frame(284, 2), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, 2);
	EXPECT_FAULT(poke_frame(284, 3), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, 3);
	EXPECT_FAULT(poke_frame(284, 5), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, 5);
	EXPECT_FAULT(poke_frame(284, 7), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, 7);
	EXPECT_FAULT(poke_frame(284, 8), MIGMUX_WIRE_OK, 0);
	EXPECT_FAULT(poke_frame(284, 0xe), MIGMUX_WIRE_OK, 0);
	EXPECT_FAULT(poke_frame(284, 0xa), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, 0xa);
	EXPECT_FAULT(poke_frame(284, 0x10), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS, 0x10);
	EXPECT_FAULT(poke_frame(284, 0x80000001), MIGMUX_WIRE_BAD_PAYLOAD_FLAGS,
		     0x80000001);

	make_frame(&frame, (256 << 10) + 1, 3, false);
	put32(&frame, 284, 1);
	EXPECT_EQ(-EPROTO, decode_frame(&frame, &head, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_CONFIG_TOO_LONG, (256 << 10) + 1);
}

TEST(frame_precopy)
{
	struct migmux_wire_head in = {
		.idstr = "dev", .bytes = 10, .idx = 4, .precopy = true,
	}, head;
	struct migmux_wire_fault fault = {};
	struct migmux_wire_frame frame;

	ASSERT_EQ(0, migmux_wire_frame_encode(&frame, &in));
	EXPECT_EQ(4, get32(&frame, 284));
	ASSERT_EQ(0, decode_frame(&frame, &head, &fault));
	EXPECT_TRUE(head.precopy);
	EXPECT_FALSE(head.ack);
	EXPECT_FALSE(head.config);

	/* only what is to be acknowledged may be empty */
	in.bytes = 0;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &in));
	in.ack = true;
	ASSERT_EQ(0, migmux_wire_frame_encode(&frame, &in));
	EXPECT_EQ(6, get32(&frame, 284));
	EXPECT_EQ(12, get32(&frame, 272));
	ASSERT_EQ(0, decode_frame(&frame, &head, &fault));
	EXPECT_TRUE(head.precopy);
	EXPECT_TRUE(head.ack);
	EXPECT_EQ(0, head.bytes);
	put32(&frame, 284, 4);
	EXPECT_EQ(-EPROTO, decode_frame(&frame, &head, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_NO_DATA, 4);

	in.precopy = false;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &in));
	in.ack = false;
	in.precopy = true;
	in.config = true;
	EXPECT_EQ(-EINVAL, migmux_wire_frame_encode(&frame, &in));
}

TEST(ram_and_sync)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_ram ram = {};
	u32 skip = 1;

	ASSERT_EQ(1344, sizeof(ram));
	put32(&ram, 0, 0x11223344);
	put32(&ram, 4, 1);
	put32(&ram, 20, 512 << 10);
	EXPECT_EQ(0, migmux_wire_ram_decode(&ram, &skip, &fault));
	EXPECT_EQ(512 << 10, skip);
	put32(&ram, 20, U32_MAX);
	EXPECT_EQ(-EPROTO, migmux_wire_ram_decode(&ram, &skip, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_RAM_TOO_LONG, U32_MAX);

	put32(&ram, 8, 1);
	put32(&ram, 20, 0);
	put32(&ram, 28, 5);
	EXPECT_EQ(5, be64_to_cpu(ram.packet_num));
	EXPECT_EQ(0, migmux_wire_ram_decode(&ram, &skip, &fault));
	EXPECT_EQ(0, skip);
	put32(&ram, 20, 4096);
	EXPECT_EQ(-EPROTO, migmux_wire_ram_decode(&ram, &skip, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_SYNC_PAYLOAD, 4096);

	put32(&ram, 8, 0x40);
	EXPECT_EQ(-EPROTO, migmux_wire_ram_decode(&ram, &skip, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_FLAGS, 0x40);
}

TEST(fault_texts)
{
	struct migmux_wire_fault fault = { .value = ~0ULL };
	char text[MIGMUX_WIRE_FAULT_LEN];
	u32 err;

	for (err = 0; err < MIGMUX_WIRE_ERR_NR; err++) {
		fault.err = err;
		ASSERT_NE(NULL, migmux_wire_strerror(err));
		EXPECT_GT(sizeof(text),
			  (size_t)migmux_wire_fault_format(text, sizeof(text), &fault));
	}
	EXPECT_STREQ("unknown fault", migmux_wire_strerror(MIGMUX_WIRE_ERR_NR));

	fault.err = MIGMUX_WIRE_BAD_MAGIC;
	fault.value = 0x51455649;
	migmux_wire_fault_format(text, sizeof(text), &fault);
	EXPECT_STREQ("bad magic 0x51455649", text);
	fault.err = MIGMUX_GATHER_DUPLICATE;
	fault.value = 12;
	migmux_wire_fault_format(text, sizeof(text), &fault);
	EXPECT_STREQ("duplicate frame idx 12", text);
}

/* What decodes is exactly what we would have sent, whatever bytes came. */
TEST(frame_mutations)
{
	unsigned int accepted = 0, i, n;

	srandom(1);
	for (i = 0; i < 200000; i++) {
		struct migmux_wire_frame frame, again;
		struct migmux_wire_fault fault = {};
		struct migmux_wire_head head;

		make_frame(&frame, 1 + random() % 1000, random() % 1000,
			   random() % 2);
		if (!get32(&frame, 284))
			put32(&frame, 284, random() % 8);
		for (n = random() % 3; n; n--)
			((u8 *)&frame)[random() % sizeof(frame)] = random();
		if (decode_frame(&frame, &head, &fault)) {
			ASSERT_NE(MIGMUX_WIRE_OK, fault.err);
			continue;
		}
		ASSERT_EQ(MIGMUX_WIRE_OK, fault.err);
		ASSERT_EQ(0, migmux_wire_frame_encode(&again, &head));
		ASSERT_EQ(0, memcmp(&frame, &again, sizeof(frame)));
		accepted++;
	}
	EXPECT_LT(50000, accepted);
}

TEST_HARNESS_MAIN
