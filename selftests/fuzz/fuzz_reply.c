// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer on the decoders of kernel/wire_reply.c; see fuzz_wire.c.
 */
#include "oracle.h"

static bool good_result(const void *buf, u32 magic)
{
	const char *reason = (const char *)buf + 272;
	const bool named = *((const char *)buf + 16);
	u32 verified = get32(buf, 504);

	if (!good_head(buf, magic, 1) || get32(buf, 8) > 4095)
		return false;
	if (!named && !zero(buf, 16, 272))
		return false;
	if (named && !good_name(buf, 16))
		return false;
	if (strnlen(reason, 232) == 232 || verified > 1)
		return false;
	/* what comes after the reason's NUL does not matter: nobody reads it */
	return verified ? named : !get32(buf, 508);
}

/* Text as it was meant: up to its NUL. */
static bool same_text(const char *got, const char *sent, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1 && sent[i]; i++)
		if (got[i] != (sent[i] < 0x20 || sent[i] > 0x7e ? '?' : sent[i]))
			return false;
	return zero(got, i, size);
}

static void check_result(int ret, bool good, const void *buf,
			 const struct migmux_wire_result *out,
			 const struct migmux_wire_fault *fault)
{
	struct migmux_wire_result before;

	check_verdict(ret, good, fault);
	if (!good) {
		memset(&before, 0x5a, sizeof(before));
		REQUIRE(!memcmp(out, &before, sizeof(before)));
		return;
	}
	REQUIRE(out->status == get32(buf, 8) && out->instance_id == get32(buf, 12));
	REQUIRE(same_text(out->idstr, (const char *)buf + 16, 256));
	REQUIRE(same_text(out->reason, (const char *)buf + 272, 232));
	REQUIRE(out->verified == get32(buf, 504) && out->crc == get32(buf, 508));
}

static void fuzz_verdict(const struct migmux_wire_verdict *verdict, u32 magic,
			 int (*decode)(const struct migmux_wire_verdict *verdict,
				       struct migmux_wire_result *result,
				       struct migmux_wire_fault *fault),
			 void (*encode)(struct migmux_wire_verdict *verdict,
					const struct migmux_wire_result *result))
{
	const bool good = good_result(verdict, magic);
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_result out, twice;
	struct migmux_wire_verdict again;
	int ret;

	memset(&out, 0x5a, sizeof(out));
	ret = decode(verdict, &out, &fault);
	check_result(ret, good, verdict, &out, &fault);
	if (!good)
		return;
	/* what was cleaned stays as it is */
	memset(&again, 0xff, sizeof(again));
	encode(&again, &out);
	memset(&twice, 0x5a, sizeof(twice));
	ret = decode(&again, &twice, &fault);
	check_result(ret, true, &again, &twice, &fault);
	REQUIRE(!strcmp(out.idstr, twice.idstr) && !strcmp(out.reason, twice.reason));
}

static void fuzz_confirm(const struct migmux_wire_confirm *confirm)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_confirm again;
	u32 status = 0x5a5a5a5a;
	bool good;
	int ret;

	good = good_head(confirm, MIGMUX_WIRE_CONFIRM_MAGIC, 1) &&
	       get32(confirm, 8) <= 4095 && !get32(confirm, 12);
	ret = migmux_wire_confirm_decode(confirm, &status, &fault);
	check_verdict(ret, good, &fault);
	if (!good) {
		REQUIRE(status == 0x5a5a5a5a);
		return;
	}
	migmux_wire_confirm_encode(&again, status);
	REQUIRE(!memcmp(confirm, &again, sizeof(again)));
}

static void fuzz_ack(const struct migmux_wire_ack *ack)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_head head, before;
	struct migmux_wire_ack again;
	bool good;
	int ret;

	memset(&head, 0x5a, sizeof(head));
	before = head;
	good = good_head(ack, MIGMUX_WIRE_ACK_MAGIC, 1) && good_name(ack, 16) &&
	       zero(ack, 272, 512);
	REQUIRE(migmux_wire_is_ack(ack) == (get32(ack, 0) == MIGMUX_WIRE_ACK_MAGIC));
	ret = migmux_wire_ack_decode(ack, &head, &fault);
	check_verdict(ret, good, &fault);
	if (!good) {
		REQUIRE(!memcmp(&head, &before, sizeof(head)));
		return;
	}
	migmux_wire_ack_encode(&again, &head);
	REQUIRE(!memcmp(ack, &again, sizeof(again)));
}

static void fuzz_query(const struct migmux_wire_query *query)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_query again;
	u32 id = 0x5a5a5a5a;
	bool good;

	good = good_head(query, MIGMUX_WIRE_QUERY_MAGIC, 1);
	REQUIRE(migmux_wire_is_query(query) == (get32(query, 0) == MIGMUX_WIRE_QUERY_MAGIC));
	check_verdict(migmux_wire_query_decode(query, &id, &fault), good, &fault);
	if (!good) {
		REQUIRE(id == 0x5a5a5a5a);
		return;
	}
	migmux_wire_query_encode(&again, id);
	REQUIRE(!memcmp(query, &again, sizeof(again)));
}

static bool good_ready(const void *buf)
{
	const char *driver = (const char *)buf + 272;
	const u32 nr = get32(buf, 308), flags = get32(buf, 312);
	const size_t len = strnlen(driver, 32);

	return good_head(buf, MIGMUX_WIRE_READY_MAGIC, 1) && good_name(buf, 16) &&
	       len < 32 && is_printable(driver, 32) && zero(driver, len, 32) &&
	       nr >= 1 && nr <= 64 && get32(buf, 304) < nr &&
	       (flags & 1) && flags < 8 && get32(buf, 316) <= 2 &&
	       !get32(buf, 316) == !(flags & 4) && get32(buf, 320) < 4 &&
	       zero(buf, 324, 328) && zero(buf, 344, 512);
}

static void fuzz_ready(const struct migmux_wire_ready *ready)
{
	struct migmux_wire_fault fault = untouched();
	struct migmux_wire_peer peer, before;
	struct migmux_wire_ready again;
	const bool good = good_ready(ready);

	memset(&peer, 0x5a, sizeof(peer));
	memset(&before, 0x5a, sizeof(before));
	REQUIRE(migmux_wire_is_ready(ready) == (get32(ready, 0) == MIGMUX_WIRE_READY_MAGIC));
	check_verdict(migmux_wire_ready_decode(ready, &peer, &fault), good, &fault);
	if (!good) {
		REQUIRE(!memcmp(&peer, &before, sizeof(peer)));
		return;
	}
	migmux_wire_ready_encode(&again, &peer);
	REQUIRE(!memcmp(ready, &again, sizeof(again)));
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static union {
		struct migmux_wire_verdict verdict;
		struct migmux_wire_confirm confirm;
		struct migmux_wire_ack ack;
		struct migmux_wire_query query;
		struct migmux_wire_ready ready;
	} in;

	switch (take_input(&in, sizeof(in), data, size)) {
	case 'v':
		fuzz_verdict(&in.verdict, MIGMUX_WIRE_VERDICT_MAGIC,
			     migmux_wire_verdict_decode, migmux_wire_verdict_encode);
		break;
	case 'w':
		fuzz_verdict(&in.verdict, MIGMUX_WIRE_CONFIRM_MAGIC,
			     migmux_wire_answer_decode, migmux_wire_answer_encode);
		break;
	case 'c':
		fuzz_confirm(&in.confirm);
		break;
	case 'a':
		fuzz_ack(&in.ack);
		break;
	case 'q':
		fuzz_query(&in.query);
		break;
	case 'r':
		fuzz_ready(&in.ready);
		break;
	default:
		return -1;	/* not worth to be kept */
	}
	return 0;
}
