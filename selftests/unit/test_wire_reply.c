// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records that only our own ends exchange, byte by byte; see test_wire.c.
 */
#include <kselftest_harness.h>
#include "wire.h"
#include "wire_bytes.h"

TEST(verdict_offsets)
{
	struct migmux_wire_result in = {
		.status = 5,
		.instance_id = 9,
		.idstr = "dev",
		.reason = "broken\nbadly\x1b[2J",
	}, out;
	struct migmux_wire_fault fault = {};
	struct migmux_wire_verdict verdict;

	ASSERT_EQ(512, sizeof(verdict));
	memset(&verdict, 0xee, sizeof(verdict));
	migmux_wire_verdict_encode(&verdict, &in);
	EXPECT_EQ(0x4d4d5856, get32(&verdict, 0));
	EXPECT_EQ(1, get32(&verdict, 4));
	EXPECT_EQ(5, get32(&verdict, 8));
	EXPECT_EQ(9, get32(&verdict, 12));
	EXPECT_STREQ("dev", (char *)&verdict + 16);
	EXPECT_TRUE(zero(&verdict, 16 + 3, 272));
	EXPECT_STREQ("broken?badly?[2J", (char *)&verdict + 272);
	EXPECT_TRUE(zero(&verdict, 272 + 16, 512));

	/* A peer need not be so kind. */
	((u8 *)&verdict)[272] = '\a';
	ASSERT_EQ(0, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_EQ(5, out.status);
	EXPECT_EQ(9, out.instance_id);
	EXPECT_STREQ("dev", out.idstr);
	EXPECT_STREQ("?roken?badly?[2J", out.reason);
}

TEST(verdict_refused)
{
	static const struct wire_poke pokes[] = {
		{ 0, 0x4d4d5843, MIGMUX_WIRE_BAD_MAGIC, 0x4d4d5843 },
		{ 4, 2, MIGMUX_WIRE_BAD_VERSION, 2 },
		{ 8, (u32)-EIO, MIGMUX_WIRE_BAD_STATUS, (u32)-EIO },
		/* nothing may hide behind the name, not even behind an empty one */
		{ 16, 0x64000001, MIGMUX_WIRE_IDSTR_PADDING, 1 },
		{ 16, 0x00000001, MIGMUX_WIRE_IDSTR_PADDING, 1 },
	};
	struct migmux_wire_result in = { .status = 0 }, out;
	struct migmux_wire_verdict good, verdict;
	struct migmux_wire_fault fault = {};
	size_t i;

	migmux_wire_verdict_encode(&good, &in);
	EXPECT_EQ(0, migmux_wire_verdict_decode(&good, &out, &fault));

	for (i = 0; i < ARRAY_SIZE(pokes); i++) {
		verdict = good;
		put32(&verdict, pokes[i].at, pokes[i].value);
		EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&verdict, &out, &fault));
		EXPECT_FAULT(fault, pokes[i].err, pokes[i].fault);
	}
	verdict = good;
	memset((u8 *)&verdict + 16, 'a', 256);
	EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_IDSTR_UNTERMINATED, 256);
	verdict = good;
	memset((u8 *)&verdict + 272, 'a', 240);
	EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_REASON_UNTERMINATED, 232);
	((u8 *)&verdict)[272 + 231] = 0;
	memset((u8 *)&verdict + 504, 0, 8);
	ASSERT_EQ(0, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_EQ(231, strlen(out.reason));
}

TEST(verdict_crc)
{
	struct migmux_wire_result in = {
		.idstr = "dev",
		.verified = true,
		.crc = 0x89abcdef,
	}, out;
	struct migmux_wire_verdict good, verdict;
	struct migmux_wire_fault fault = {};

	migmux_wire_verdict_encode(&good, &in);
	EXPECT_EQ(1, get32(&good, 504));
	EXPECT_EQ(0x89abcdef, get32(&good, 508));
	ASSERT_EQ(0, migmux_wire_verdict_decode(&good, &out, &fault));
	EXPECT_TRUE(out.verified);
	EXPECT_EQ(0x89abcdef, out.crc);
	in.verified = false;
	migmux_wire_verdict_encode(&verdict, &in);
	EXPECT_TRUE(zero(&verdict, 504, 512));
	ASSERT_EQ(0, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_FALSE(out.verified);

	verdict = good;
	put32(&verdict, 504, 2);
	EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_VERIFIED, 2);
	put32(&verdict, 504, 0);
	EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_STRAY_CRC, 0x89abcdef);
	verdict = good;
	memset((u8 *)&verdict + 16, 0, 256);
	EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&verdict, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_IDSTR_EMPTY, 0);
}

/* Laid out alike, but not to be taken for one another. */
TEST(answer)
{
	struct migmux_wire_result in = { .status = 74, .reason = "no" }, out;
	struct migmux_wire_fault fault = {};
	struct migmux_wire_verdict answer;

	migmux_wire_answer_encode(&answer, &in);
	EXPECT_EQ(0x4d4d5843, get32(&answer, 0));
	EXPECT_EQ(-EPROTO, migmux_wire_verdict_decode(&answer, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_MAGIC, 0x4d4d5843);
	ASSERT_EQ(0, migmux_wire_answer_decode(&answer, &out, &fault));
	EXPECT_EQ(74, out.status);
	EXPECT_STREQ("no", out.reason);
	migmux_wire_verdict_encode(&answer, &in);
	EXPECT_EQ(-EPROTO, migmux_wire_answer_decode(&answer, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_MAGIC, 0x4d4d5856);
}

TEST(confirm)
{
	static const struct wire_poke pokes[] = {
		{ 0, 0x4d4d5856, MIGMUX_WIRE_BAD_MAGIC, 0x4d4d5856 },
		{ 4, 0, MIGMUX_WIRE_BAD_VERSION, 0 },
		{ 8, 4096, MIGMUX_WIRE_BAD_STATUS, 4096 },
		{ 12, 1, MIGMUX_WIRE_BAD_RESERVED, 15 },
	};
	struct migmux_wire_fault fault = {};
	struct migmux_wire_confirm good, c;
	u32 status = 1;
	size_t i;

	ASSERT_EQ(16, sizeof(good));
	memset(&good, 0xee, sizeof(good));
	migmux_wire_confirm_encode(&good, 104);
	EXPECT_EQ(0x4d4d5843, get32(&good, 0));
	EXPECT_EQ(1, get32(&good, 4));
	EXPECT_EQ(104, get32(&good, 8));
	EXPECT_EQ(0, get32(&good, 12));
	EXPECT_EQ(0, migmux_wire_confirm_decode(&good, &status, &fault));
	EXPECT_EQ(104, status);

	for (i = 0; i < ARRAY_SIZE(pokes); i++) {
		c = good;
		put32(&c, pokes[i].at, pokes[i].value);
		EXPECT_EQ(-EPROTO, migmux_wire_confirm_decode(&c, &status, &fault));
		EXPECT_FAULT(fault, pokes[i].err, pokes[i].fault);
		EXPECT_EQ(104, status);
	}
}

TEST(ack)
{
	struct migmux_wire_head in = { .idstr = "dev", .instance_id = 9, .idx = 77 };
	struct migmux_wire_head out = { .idx = 1 };
	struct migmux_wire_fault fault = {};
	struct migmux_wire_ack good, ack;
	static const struct wire_poke pokes[] = {
		{ 0, 0x4d4d5856, MIGMUX_WIRE_BAD_MAGIC, 0x4d4d5856 },
		{ 4, 2, MIGMUX_WIRE_BAD_VERSION, 2 },
		{ 16, 0, MIGMUX_WIRE_IDSTR_EMPTY, 0 },
		{ 16, 0x41410a41, MIGMUX_WIRE_IDSTR_UNPRINTABLE, 0x0a },
		{ 268, 0x41, MIGMUX_WIRE_IDSTR_PADDING, 0x41 },
		{ 272, 0x01000000, MIGMUX_WIRE_BAD_RESERVED, 272 },
		{ 508, 1, MIGMUX_WIRE_BAD_RESERVED, 511 },
	};
	size_t i;

	ASSERT_EQ(512, sizeof(good));
	memset(&good, 0xee, sizeof(good));
	migmux_wire_ack_encode(&good, &in);
	EXPECT_EQ(0x4d4d5841, get32(&good, 0));
	EXPECT_EQ(1, get32(&good, 4));
	EXPECT_EQ(77, get32(&good, 8));
	EXPECT_EQ(9, get32(&good, 12));
	EXPECT_STREQ("dev", (char *)&good + 16);
	EXPECT_TRUE(zero(&good, 19, 512));
	EXPECT_TRUE(migmux_wire_is_ack(&good));

	for (i = 0; i < ARRAY_SIZE(pokes); i++) {
		ack = good;
		put32(&ack, pokes[i].at, pokes[i].value);
		EXPECT_EQ(-EPROTO, migmux_wire_ack_decode(&ack, &out, &fault));
		EXPECT_FAULT(fault, pokes[i].err, pokes[i].fault);
		EXPECT_EQ(1, out.idx);
	}
	ASSERT_EQ(0, migmux_wire_ack_decode(&good, &out, &fault));
	EXPECT_STREQ("dev", out.idstr);
	EXPECT_EQ(9, out.instance_id);
	EXPECT_EQ(77, out.idx);
}

TEST(query)
{
	struct migmux_wire_fault fault = {};
	struct migmux_wire_query good, query;
	u32 id = 1;

	ASSERT_EQ(12, sizeof(good));
	migmux_wire_query_encode(&good, 0x89abcdef);
	EXPECT_EQ(0x4d4d5851, get32(&good, 0));
	EXPECT_EQ(1, get32(&good, 4));
	EXPECT_EQ(0x89abcdef, get32(&good, 8));
	EXPECT_TRUE(migmux_wire_is_query(&good));
	query = good;
	put32(&query, 4, 2);
	EXPECT_EQ(-EPROTO, migmux_wire_query_decode(&query, &id, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_VERSION, 2);
	put32(&query, 0, 0x11223344);
	EXPECT_FALSE(migmux_wire_is_query(&query));
	EXPECT_EQ(-EPROTO, migmux_wire_query_decode(&query, &id, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_MAGIC, 0x11223344);
	EXPECT_EQ(1, id);
	EXPECT_EQ(0, migmux_wire_query_decode(&good, &id, &fault));
	EXPECT_EQ(0x89abcdef, id);
}

static const struct migmux_wire_peer good_peer = {
	.id = 0x89abcdef,
	.index = 1,
	.nr_devices = 2,
	.flags = MIGMUX_WIRE_R_VERIFY,
	.staging = 0x123456789abc,
	.max_state = 0xfedcba987654,
	.instance_id = 9,
	.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
	.precopy_version = 2,
	.idstr = "dev",
	.driver = "mlx5\a_vfio_pci",
};

TEST(ready)
{
	struct migmux_wire_peer in = good_peer, out;
	struct migmux_wire_fault fault = {};
	struct migmux_wire_ready ready;

	ASSERT_EQ(512, sizeof(ready));
	memset(&ready, 0xee, sizeof(ready));
	migmux_wire_ready_encode(&ready, &in);
	EXPECT_EQ(0x4d4d5852, get32(&ready, 0));
	EXPECT_EQ(1, get32(&ready, 4));
	EXPECT_EQ(0x89abcdef, get32(&ready, 8));
	EXPECT_EQ(9, get32(&ready, 12));
	EXPECT_STREQ("dev", (char *)&ready + 16);
	EXPECT_TRUE(zero(&ready, 16 + 3, 272));
	EXPECT_STREQ("mlx5?_vfio_pci", (char *)&ready + 272);
	EXPECT_TRUE(zero(&ready, 272 + 14, 304));
	EXPECT_EQ(1, get32(&ready, 304));
	EXPECT_EQ(2, get32(&ready, 308));
	EXPECT_EQ(5, get32(&ready, 312));
	EXPECT_EQ(2, get32(&ready, 316));
	EXPECT_EQ(1, get32(&ready, 320));
	EXPECT_EQ(0, get32(&ready, 324));
	EXPECT_EQ(0x1234, get32(&ready, 328));
	EXPECT_EQ(0x56789abc, get32(&ready, 332));
	EXPECT_EQ(0xfedc, get32(&ready, 336));
	EXPECT_EQ(0xba987654, get32(&ready, 340));
	EXPECT_TRUE(zero(&ready, 344, 512));
	EXPECT_TRUE(migmux_wire_is_ready(&ready));

	ASSERT_EQ(0, migmux_wire_ready_decode(&ready, &out, &fault));
	EXPECT_EQ(in.id, out.id);
	EXPECT_EQ(1, out.index);
	EXPECT_EQ(2, out.nr_devices);
	EXPECT_EQ(MIGMUX_WIRE_R_VERIFY, out.flags);
	EXPECT_EQ(in.staging, out.staging);
	EXPECT_EQ(in.max_state, out.max_state);
	EXPECT_EQ(9, out.instance_id);
	EXPECT_EQ(in.migration_flags, out.migration_flags);
	EXPECT_EQ(2, out.precopy_version);
	EXPECT_STREQ("dev", out.idstr);
	EXPECT_STREQ("mlx5?_vfio_pci", out.driver);

	/* what a later kernel's driver can do besides has no place here */
	in.migration_flags |= 0x100;
	migmux_wire_ready_encode(&ready, &in);
	EXPECT_EQ(5, get32(&ready, 312));
}

TEST(ready_refused)
{
	static const struct wire_poke pokes[] = {
		{ 0, 0x4d4d5856, MIGMUX_WIRE_BAD_MAGIC, 0x4d4d5856 },
		{ 4, 2, MIGMUX_WIRE_BAD_VERSION, 2 },
		{ 16, 0, MIGMUX_WIRE_IDSTR_EMPTY, 0 },
		{ 16, 0x41410a41, MIGMUX_WIRE_IDSTR_UNPRINTABLE, 0x0a },
		{ 268, 0x41, MIGMUX_WIRE_IDSTR_PADDING, 0x41 },
		{ 272, 0x41410a41, MIGMUX_WIRE_BAD_DRIVER, 274 },
		{ 272, 0x414180ff, MIGMUX_WIRE_BAD_DRIVER, 274 },
		{ 272, 0x41004100, MIGMUX_WIRE_BAD_DRIVER, 274 },
		{ 300, 0x41, MIGMUX_WIRE_BAD_DRIVER, 303 },
		{ 304, 2, MIGMUX_WIRE_BAD_INDEX, 2 },
		{ 308, 0, MIGMUX_WIRE_BAD_COUNT, 0 },
		{ 308, 65, MIGMUX_WIRE_BAD_COUNT, 65 },
		{ 312, 4, MIGMUX_WIRE_BAD_MIGRATION, 4 },
		{ 312, 13, MIGMUX_WIRE_BAD_MIGRATION, 13 },
		{ 312, 3, MIGMUX_WIRE_BAD_PRECOPY, 2 },
		{ 316, 0, MIGMUX_WIRE_BAD_PRECOPY, 0 },
		{ 316, 3, MIGMUX_WIRE_BAD_PRECOPY, 3 },
		{ 320, 4, MIGMUX_WIRE_BAD_READY, 4 },
		{ 324, 0x100, MIGMUX_WIRE_BAD_RESERVED, 326 },
		{ 344, 0x01000000, MIGMUX_WIRE_BAD_RESERVED, 344 },
		{ 508, 1, MIGMUX_WIRE_BAD_RESERVED, 511 },
	};
	struct migmux_wire_fault fault = {};
	struct migmux_wire_ready good, ready;
	struct migmux_wire_peer out = { .index = 7 };
	size_t i;

	migmux_wire_ready_encode(&good, &good_peer);
	for (i = 0; i < ARRAY_SIZE(pokes); i++) {
		ready = good;
		put32(&ready, pokes[i].at, pokes[i].value);
		EXPECT_EQ(-EPROTO, migmux_wire_ready_decode(&ready, &out, &fault));
		EXPECT_FAULT(fault, pokes[i].err, pokes[i].fault);
		EXPECT_EQ(7, out.index);
	}
	ready = good;
	memset((u8 *)&ready + 272, 'a', 32);
	EXPECT_EQ(-EPROTO, migmux_wire_ready_decode(&ready, &out, &fault));
	EXPECT_FAULT(fault, MIGMUX_WIRE_BAD_DRIVER, 303);
}

TEST_HARNESS_MAIN
