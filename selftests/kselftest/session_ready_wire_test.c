// SPDX-License-Identifier: GPL-2.0-only
/*
 * The question and its answer, with one end played by hand: wrong answers, answers that
 * end too early, questions that make no sense. A source's devices have not moved then.
 *
 * Two devices with a channel each; the question goes by channel 0.
 */
#include "phase.h"
#include "session_fixture.h"

FIXTURE(wire)
{
	FIXTURE_DATA(vmm) vmm;
	struct stage stage;
	__u32 id;	/* of the question */
};

FIXTURE_SETUP(wire)
{
	int i;

	vmm_setup(_metadata, &self->vmm, NULL);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, attr_write(self->vmm.dev[i].addr, "arcs_log", "0"));
	ASSERT_EQ(0, stage_open(&self->stage, self->vmm.dev));
}

FIXTURE_TEARDOWN(wire)
{
	stage_close(&self->stage);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define FD	(self->stage.fd)
#define CH	(self->stage.ch)

/* The source asks, and the question is as it should be. */
static void ask(struct __test_metadata *_metadata, struct _test_data_wire *self)
{
	struct peer_query query;
	struct peer_init init;
	int i;

	ASSERT_EQ(0, phase_asking(&self->stage));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_recv(CH[i], &init, sizeof(init)));
	ASSERT_EQ(0, peer_recv(CH[0], &query, sizeof(query)));
	EXPECT_EQ(PEER_QUERY_MAGIC, peer_get32(query.magic));
	EXPECT_EQ(1, peer_get32(query.version));
	self->id = peer_get32(query.id);
}

static int answer(struct _test_data_wire *self, int ch, __u32 id, int device, __u32 index,
		  __u32 nr)
{
	const struct peer_ready ready = peer_ready(id, idstrs[device], index, nr);

	return peer_send(CH[ch], &ready, sizeof(ready));
}

/* It failed, and its devices have not moved. */
static void check_failed(struct __test_metadata *_metadata, struct _test_data_wire *self,
			 int error, const char *words, __u32 device, __u32 channel)
{
	char log[8];
	int i;

	ASSERT_EQ(0, session_wait(FD, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_EQ(0, session_reached(FD) & M_PEER_READY);
	EXPECT_TRUE(session_says(FD, error, words));
	EXPECT_TRUE(session_blames(FD, device, channel));
	EXPECT_EQ(-ECANCELED, session_save(FD, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(device_is(&self->stage.dev[i], RUNNING));
		ASSERT_EQ(0, attr_read(self->stage.dev[i].addr, "arcs_log", log, sizeof(log)));
		EXPECT_STREQ("", log);
	}
	EXPECT_TRUE(peer_at_eof(CH[0], 5000));
	EXPECT_TRUE(peer_at_eof(CH[1], 5000));
}

/* --- one field of the first record is spoiled ------------------------------------------- */

FIXTURE_VARIANT(wire)
{
	__u32 at;
	__u32 value;
	const char *words;
};

FIXTURE_VARIANT_ADD(wire, version) { 4, 2, "unknown version 2" };
FIXTURE_VARIANT_ADD(wire, no_name) { 16, 0, "empty device name" };
FIXTURE_VARIANT_ADD(wire, bad_name) { 16, 0x61090061, "device name with unprintable byte 0x9" };
FIXTURE_VARIANT_ADD(wire, bad_driver) { 272, 0x1b5b6d00, "bad name of a driver, at offset 272" };
FIXTURE_VARIANT_ADD(wire, bad_index) { 304, 2, "bad index of a device 2" };
FIXTURE_VARIANT_ADD(wire, no_devices) { 308, 0, "bad number of devices 0" };
FIXTURE_VARIANT_ADD(wire, too_many_devices) { 308, 0xffffffff, "bad number of devices 4294967295" };
FIXTURE_VARIANT_ADD(wire, no_stop_copy) { 312, 2, "bad migration flags 0x2" };
FIXTURE_VARIANT_ADD(wire, bad_migration) { 312, 0x80000003, "bad migration flags 0x80000003" };
FIXTURE_VARIANT_ADD(wire, bad_precopy) { 316, 1, "bad version of pre-copy 1" };
FIXTURE_VARIANT_ADD(wire, bad_flags) { 320, 0x80000000, "unknown flags 0x80000000" };
FIXTURE_VARIANT_ADD(wire, reserved) { 324, 1, "reserved byte not zero, at offset 327" };
FIXTURE_VARIANT_ADD(wire, padding) { 508, 1, "reserved byte not zero, at offset 511" };
FIXTURE_VARIANT_ADD(wire, out_of_order) { 304, 1, "record 1 of 2 is out of order" };

TEST_F(wire, spoiled)
{
	struct peer_ready ready;
	__u32 value = peer_put32(variant->value);

	ask(_metadata, self);
	ready = peer_ready(self->id, idstrs[0], 0, 2);
	memcpy((char *)&ready + variant->at, &value, sizeof(value));
	ASSERT_EQ(0, peer_send(CH[0], &ready, sizeof(ready)));
	check_failed(_metadata, self, EPROTO, "channel 0 to tcp:127.0.0.1:", NO_INDEX, 0);
	EXPECT_TRUE(session_says(FD, EPROTO, "the answer makes no sense"));
	EXPECT_TRUE(session_says(FD, EPROTO, variant->words));
}

/* --- the same without variants ------------------------------------------------------------- */

FIXTURE(hand)
{
	FIXTURE_DATA(wire) wire;
};

FIXTURE_SETUP(hand)
{
	wire_setup(_metadata, &self->wire, NULL);
}

FIXTURE_TEARDOWN(hand)
{
	wire_teardown(_metadata, &self->wire, NULL);
}

#define WIRE	(&self->wire)
#undef FD
#undef CH
#define FD	(WIRE->stage.fd)
#define CH	(WIRE->stage.ch)

/* Answers to others are no answers. */
TEST_F(hand, good)
{
	struct peer_info peer;

	ask(_metadata, WIRE);
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id - 1, 1, 0, 1));
	ASSERT_EQ(0, answer(WIRE, 1, WIRE->id + 1, 1, 7, 9));
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 1, 0, 2));
	EXPECT_EQ(-ETIMEDOUT, session_wait(FD, M_PEER_READY, 50));
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 0, 1, 2));
	ASSERT_EQ(0, session_wait(FD, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, session_peer_info(FD, &peer));
	EXPECT_EQ(2, peer.i.nr_devices);
	EXPECT_EQ(MIB, peer.i.staging);
	EXPECT_STREQ(idstrs[1], (char *)peer.dev[0].idstr);
	EXPECT_STREQ(idstrs[0], (char *)peer.dev[1].idstr);
	EXPECT_STREQ("by_hand", (char *)peer.dev[1].driver);
	ASSERT_EQ(0, session_save(FD, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 0));
	ASSERT_EQ(0, session_wait(FD, M_STOPPED, WAIT_MS));
}

TEST_F(hand, too_many_records)
{
	ask(_metadata, WIRE);
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 0, 0, 1));
	ASSERT_EQ(0, session_wait(FD, M_PEER_READY, WAIT_MS));
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 0, 0, 1));
	ASSERT_EQ(0, session_wait(FD, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(FD, EPROTO, "record 0 of 1 is more than was announced"));
}

TEST_F(hand, same_device_twice)
{
	ask(_metadata, WIRE);
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 0, 0, 2));
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 0, 1, 2));
	check_failed(_metadata, WIRE, EPROTO, "record 1 of 2 is of a device that was there before",
		     NO_INDEX, 0);
}

TEST_F(hand, unlike_the_first)
{
	ask(_metadata, WIRE);
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 0, 0, 2));
	ASSERT_EQ(0, answer(WIRE, 0, WIRE->id, 1, 1, 3));
	check_failed(_metadata, WIRE, EPROTO, "record 1 of 3 is unlike the first", NO_INDEX, 0);
}

TEST_F(hand, other_channel)
{
	ask(_metadata, WIRE);
	ASSERT_EQ(0, answer(WIRE, 1, WIRE->id, 0, 0, 1));
	check_failed(_metadata, WIRE, EPROTO, "channel where nobody asked", NO_INDEX, 1);
}

TEST_F(hand, closed)
{
	ask(_metadata, WIRE);
	ASSERT_EQ(0, shutdown(CH[1], SHUT_WR));
	check_failed(_metadata, WIRE, ECONNABORTED,
		     "closed by the destination before it said that it is ready", NO_INDEX, 1);
}

TEST_F(hand, closed_within_the_answer)
{
	const struct peer_ready ready = peer_ready(0, idstrs[0], 0, 1);

	ask(_metadata, WIRE);
	ASSERT_EQ(0, peer_send(CH[0], &ready, sizeof(ready) - 1));
	ASSERT_EQ(0, shutdown(CH[0], SHUT_WR));
	check_failed(_metadata, WIRE, ECONNABORTED,
		     "closed by the destination before it said that it is ready", NO_INDEX, 0);
}

TEST_F(hand, verdict_instead)
{
	const struct peer_verdict verdict = peer_verdict(ENOSPC, idstrs[1], "full");

	ask(_metadata, WIRE);
	ASSERT_EQ(0, peer_send(CH[0], &verdict, sizeof(verdict)));
	check_failed(_metadata, WIRE, EREMOTEIO, "the destination failed: full (error 28)", 1, 0);
}

TEST_F(hand, good_verdict_instead)
{
	const struct peer_verdict verdict = peer_verdict(0, "", "");

	ask(_metadata, WIRE);
	ASSERT_EQ(0, peer_send(CH[0], &verdict, sizeof(verdict)));
	check_failed(_metadata, WIRE, EPROTO, "before the state was sent", NO_INDEX, 0);
}

/* --- a source by hand --------------------------------------------------------------------- */

static int load(struct _test_data_wire *wire, __u32 flags)
{
	return session_load(wire->stage.fd, flags, RUNNING, STAGING) ?:
	       peer_send_init(wire->stage.ch[0], 0) ?: peer_send_init(wire->stage.ch[1], 1);
}

/* As often as it likes, by any channel, and also between frames. */
TEST_F(hand, asks)
{
	struct peer_query query;
	struct peer_ready ready;
	int i, round;

	ASSERT_EQ(0, load(WIRE, VFIO_MIGMUX_LOAD_VERDICT));
	for (round = 0; round < 4; round++) {
		query = peer_query(0xabcd0000 + round);
		ASSERT_EQ(0, peer_send(CH[round % 2], &query, sizeof(query)));
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, peer_recv(CH[round % 2], &ready, sizeof(ready)));
			EXPECT_EQ(PEER_READY_MAGIC, peer_get32(ready.magic));
			EXPECT_EQ(1, peer_get32(ready.version));
			EXPECT_EQ(0xabcd0000 + round, peer_get32(ready.id));
			EXPECT_EQ(0, ready.instance);
			EXPECT_STREQ(idstrs[i], ready.idstr);
			EXPECT_STREQ(MIGSIM_DRIVER, ready.driver);
			EXPECT_EQ(i, peer_get32(ready.index));
			EXPECT_EQ(2, peer_get32(ready.nr_devices));
			EXPECT_EQ(3, peer_get32(ready.migration));
			EXPECT_EQ(0, ready.precopy);
			EXPECT_EQ(0, ready.flags);
			EXPECT_EQ(STAGING, peer_get32(ready.staging[1]));
			EXPECT_EQ(0, ready.max_state[0] | ready.max_state[1]);
		}
		if (round == 2)
			ASSERT_EQ(0, peer_send_frame(CH[1], idstrs[1], 0, 1000, false));
	}
	EXPECT_EQ(M_READY, session_reached(FD));
}

TEST_F(hand, asks_by_shared_channels)
{
	const struct peer_query query = peer_query(1);
	struct peer_ready ready;
	int fd[2];

	/* those of the fixture are dedicated ones, as their first frames would show */
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(2, session_channel_add(FD, fd[0], NO_INDEX));
	close(fd[0]);
	ASSERT_EQ(0, load(WIRE, VFIO_MIGMUX_LOAD_VERDICT | VFIO_MIGMUX_LOAD_VERIFY));
	ASSERT_EQ(0, peer_send_init(fd[1], 2));
	ASSERT_EQ(0, peer_send(fd[1], &query, sizeof(query)));
	ASSERT_EQ(0, peer_recv(fd[1], &ready, sizeof(ready)));
	EXPECT_EQ(VFIO_MIGMUX_PEER_VERIFY | VFIO_MIGMUX_PEER_SHARED, peer_get32(ready.flags));
	close(fd[1]);
}

TEST_F(hand, asks_without_verdict)
{
	const struct peer_query query = peer_query(1);

	ASSERT_EQ(0, load(WIRE, 0));
	ASSERT_EQ(0, peer_send(CH[0], &query, sizeof(query)));
	ASSERT_EQ(0, session_wait(FD, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(FD, EPROTO, "which goes with a verdict only"));
	EXPECT_TRUE(session_blames(FD, NO_INDEX, 0));
}

TEST_F(hand, asks_in_another_version)
{
	struct peer_query query = peer_query(1);

	query.version = peer_put32(2);
	ASSERT_EQ(0, load(WIRE, VFIO_MIGMUX_LOAD_VERDICT));
	ASSERT_EQ(0, peer_send(CH[1], &query, sizeof(query)));
	ASSERT_EQ(0, session_wait(FD, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(FD, EPROTO, "channel 1 from tcp:127.0.0.1:"));
	EXPECT_TRUE(session_says(FD, EPROTO, "unknown version 2"));
}

/* Who never reads the answers is not asked to. */
TEST_F(hand, asks_without_end)
{
	struct peer_query query[64];
	int i, n = 0;

	for (i = 0; i < 64; i++)
		query[i] = peer_query(i);
	ASSERT_EQ(0, load(WIRE, VFIO_MIGMUX_LOAD_VERDICT));
	while (n < 100000 && send(CH[0], query, sizeof(query), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       sizeof(query))
		n++;
	EXPECT_EQ(M_READY, session_reached(FD));
	EXPECT_EQ(0, session_abort(FD, RUNNING));
	EXPECT_TRUE(device_is(&WIRE->stage.dev[0], RUNNING));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
