// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile or broken destination, played by hand. The source's devices are back in
 * RUNNING, or, once they are handed over, left alone; the next migration works.
 *
 * Two devices with a channel each.
 */
#include "session_fixture.h"

FIXTURE(reply)
{
	FIXTURE_DATA(vmm) vmm;
	int ch[2];	/* the peer's ends */
};

FIXTURE_SETUP(reply)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int i, fd[2];

	vmm_setup(_metadata, vmm, NULL);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(i, session_device_add(vmm->fd, vmm->dev[i].fd, idstrs[i], 0));
		ASSERT_EQ(0, peer_pair(fd));
		ASSERT_EQ(i, session_channel_add(vmm->fd, fd[0], i));
		close(fd[0]);
		self->ch[i] = fd[1];
	}
}

FIXTURE_TEARDOWN(reply)
{
	close(self->ch[0]);
	close(self->ch[1]);
	close(self->vmm.fd);
	EXPECT_EQ(0, migration_works());
	self->vmm.fd = session_open();
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* Failed: why, and all devices run again. */
static void check_failed(struct __test_metadata *_metadata, struct _test_data_vmm *vmm,
			 int error, const char *words, __u32 device, __u32 channel)
{
	struct timeline t;
	int i;

	ASSERT_EQ(0, session_wait(vmm->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_EQ(-ECANCELED, session_wait(vmm->fd, M_HANDED_OVER, WAIT_MS));
	EXPECT_TRUE(session_says(vmm->fd, error, words));
	EXPECT_TRUE(session_blames(vmm->fd, device, channel));
	ASSERT_EQ(0, session_timeline(vmm->fd, &t));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(RUNNING, t.dev[i].state);
		EXPECT_TRUE(device_is(&vmm->dev[i], RUNNING));
	}
}

static int save(struct _test_data_vmm *vmm)
{
	return session_save(vmm->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING);
}

static int send_verdict(int fd, __u32 status, const char *idstr, const char *reason)
{
	const struct peer_verdict verdict = peer_verdict(status, idstr, reason);

	return peer_send(fd, &verdict, sizeof(verdict));
}

/* --- verdicts, after all state has come ------------------------------------------- */

FIXTURE_VARIANT(reply)
{
	struct peer_verdict verdict;
	size_t size;
	int error;
	__u32 device;
	const char *words;
	int reported;
};

#define BE(value)	__builtin_bswap32(value)
#define GOOD_HEAD	.magic = BE(PEER_VERDICT_MAGIC), .version = BE(1)
FIXTURE_VARIANT_ADD(reply, magic) {
	.verdict = { .magic = BE(PEER_MAGIC), .version = BE(1) },
	.error = EPROTO, .device = NO_INDEX,
	.words = "the verdict makes no sense: bad magic 0x11223344"
};

FIXTURE_VARIANT_ADD(reply, version) {
	.verdict = { .magic = BE(PEER_VERDICT_MAGIC), .version = BE(2) },
	.error = EPROTO, .device = NO_INDEX, .words = "no sense: unknown version 2"
};

FIXTURE_VARIANT_ADD(reply, no_errno) {
	.verdict = { GOOD_HEAD, .status = BE(4096) },
	.error = EPROTO, .device = NO_INDEX,
	.words = "no sense: status is no error number 4096"
};

FIXTURE_VARIANT_ADD(reply, idstr) {
	.verdict = { GOOD_HEAD, .status = BE(5), .idstr = "a\tb" },
	.error = EPROTO, .device = NO_INDEX, .words = "no sense: device name with"
};

FIXTURE_VARIANT_ADD(reply, reason) {
	.verdict = { GOOD_HEAD, .status = BE(5),
	.reason = { [0 ... 239] = 'x' } },
	.error = EPROTO, .device = NO_INDEX, .words = "no sense: unterminated reason"
};

FIXTURE_VARIANT_ADD(reply, names_device) {
	.verdict = { GOOD_HEAD, .status = BE(ENOSPC),
	.idstr = "0000:00:05.0/vfio", .reason = "no \033[31mroom" },
	.error = EREMOTEIO, .device = 1, .reported = ENOSPC,
	.words = "the destination failed: no ?[31mroom (error 28)"
};

FIXTURE_VARIANT_ADD(reply, names_stranger) {
	.verdict = { GOOD_HEAD, .status = BE(EIO),
	.idstr = "0000:00:99.0/vfio", .reason = "who?" },
	.error = EREMOTEIO, .device = NO_INDEX, .words = "who? (error 5)"
};

FIXTURE_VARIANT_ADD(reply, other_instance) {
	.verdict = { GOOD_HEAD, .status = BE(EIO), .instance = BE(1),
	.idstr = "0000:00:05.0/vfio", .reason = "it" },
	.error = EREMOTEIO, .device = NO_INDEX, .words = "it (error 5)"
};

FIXTURE_VARIANT_ADD(reply, names_nobody) {
	.verdict = { GOOD_HEAD, .status = BE(EPROTO), .reason = "all" },
	.error = EREMOTEIO, .device = NO_INDEX, .words = "all (error 71)"
};

FIXTURE_VARIANT_ADD(reply, cut) {
	.verdict = { GOOD_HEAD }, .size = 511, .error = ECONNABORTED,
	.device = NO_INDEX, .words = "closed by the destination before its verdict"
};

FIXTURE_VARIANT_ADD(reply, none) {
	.size = -1, .error = ECONNABORTED, .device = NO_INDEX,
	.words = "closed by the destination before its verdict"
};

TEST_F(reply, verdict)
{
	struct _test_data_vmm *vmm = &self->vmm;
	struct timeline t;

	ASSERT_EQ(0, save(vmm));
	ASSERT_EQ(0, peer_drain(self->ch, 2, 2));
	ASSERT_EQ(0, session_wait(vmm->fd, M_SENT, WAIT_MS));
	if (variant->size != (size_t)-1)
		ASSERT_EQ(0, peer_send(self->ch[1], &variant->verdict,
				       variant->size ?: sizeof(variant->verdict)));
	if (variant->size)
		ASSERT_EQ(0, shutdown(self->ch[1], SHUT_WR));
	check_failed(_metadata, vmm, variant->error, variant->words, variant->device, 1);
	if (variant->device != NO_INDEX) {
		ASSERT_EQ(0, session_timeline(vmm->fd, &t));
		EXPECT_EQ(variant->reported, t.dev[variant->device].error);
	}
}

/* --- the same without variants --------------------------------------------------------- */

FIXTURE(source)
{
	FIXTURE_DATA(reply) reply;
};

FIXTURE_SETUP(source)
{
	reply_setup(_metadata, &self->reply, NULL);
}

FIXTURE_TEARDOWN(source)
{
	reply_teardown(_metadata, &self->reply, NULL);
}

/* So slowly that the test is over before, but in steps that are not waited for. */
static int read_slowly(const struct vfio_dev *dev)
{
	return attr_write_num(dev->addr, "read_us_per_mib", 100000000) ?:
	       attr_write_num(dev->addr, "read_chunk", 100);
}

#define VMM	(&self->reply.vmm)
#define CH	(self->reply.ch)

/* What the whole exchange looks like when nobody is hostile. */
TEST_F(source, good)
{
	struct peer_confirm confirm;
	int i;

	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(CH, 2, 2));
	ASSERT_EQ(0, send_verdict(CH[0], 0, "", "fine"));
	EXPECT_FALSE(peer_at_eof(CH[0], 50));
	EXPECT_EQ(0, session_reached(VMM->fd) & M_HANDED_OVER);
	ASSERT_EQ(0, send_verdict(CH[1], 0, "", ""));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_recv(CH[i], &confirm, sizeof(confirm)));
		EXPECT_EQ(PEER_CONFIRM_MAGIC, peer_get32(confirm.magic));
		EXPECT_EQ(1, peer_get32(confirm.version));
		EXPECT_EQ(0, confirm.status);
		EXPECT_EQ(0, confirm.zero);
	}
	ASSERT_EQ(0, session_wait(VMM->fd, M_HANDED_OVER, WAIT_MS));

	/* given away is given away: nothing that comes now takes them back */
	close(CH[0]);
	EXPECT_EQ(0, session_abort(VMM->fd, RUNNING));
	EXPECT_EQ(0, session_reached(VMM->fd) & M_FAILED);
	EXPECT_TRUE(device_is(&VMM->dev[0], STOP_COPY));
	EXPECT_TRUE(device_is(&VMM->dev[1], STOP_COPY));
	EXPECT_EQ(0, session_set_state(VMM->fd, STOP, NONE, 0, 0, NULL));
	CH[0] = -1;
}

/* Each channel must say yes. */
TEST_F(source, good_and_closed)
{
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(CH, 2, 2));
	ASSERT_EQ(0, send_verdict(CH[0], 0, "", "fine"));
	ASSERT_EQ(0, shutdown(CH[1], SHUT_WR));
	check_failed(_metadata, VMM, ECONNABORTED, "channel 1 to tcp:127.0.0.1:", NO_INDEX,
		     1);
	EXPECT_TRUE(peer_at_eof(CH[0], 5000));
}

TEST_F(source, good_and_bad)
{
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(CH, 2, 2));
	ASSERT_EQ(0, send_verdict(CH[0], 0, "", "fine"));
	ASSERT_EQ(0, send_verdict(CH[1], EIO, idstrs[0], "not so fine"));
	check_failed(_metadata, VMM, EREMOTEIO, "not so fine", 0, 1);
}

/* A verdict on what has not been sent is no verdict. */
TEST_F(source, good_too_early)
{
	ASSERT_EQ(0, read_slowly(&VMM->dev[0]));
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(&CH[1], 1, 1));
	ASSERT_EQ(0, send_verdict(CH[1], 0, "", "fine"));
	check_failed(_metadata, VMM, EPROTO, "before the state was sent", NO_INDEX, 1);
}

/* The destination fails while there is still much to send. */
TEST_F(source, bad_early)
{
	ASSERT_EQ(0, read_slowly(&VMM->dev[0]));
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(&CH[1], 1, 1));
	ASSERT_EQ(0, send_verdict(CH[1], ENOSPC, idstrs[1], "full"));
	check_failed(_metadata, VMM, EREMOTEIO, "full (error 28)", 1, 1);
}

/* It says why and closes, with data of ours on the way, which resets the connection. */
TEST_F(source, bad_and_closed)
{
	ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", 16 * MIB));
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, session_wait(VMM->fd, M_STOPPED, WAIT_MS));
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, MIB));
	ASSERT_EQ(0, send_verdict(CH[0], ENOSPC, idstrs[0], "full"));
	ASSERT_EQ(0, shutdown(CH[0], SHUT_WR));
	check_failed(_metadata, VMM, EREMOTEIO, "full (error 28)", 0, 0);
}

TEST_F(source, closed_at_once)
{
	struct vfio_migmux_last_error last;

	ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", 16 * MIB));
	close(CH[0]);
	CH[0] = -1;
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, session_wait(VMM->fd, M_ENDED, WAIT_MS));
	/* which error it is, is TCP's business */
	last = session_last_error(VMM->fd);
	EXPECT_NE(0, last.error);
	check_failed(_metadata, VMM, last.error, "channel 0 to tcp:127.0.0.1:",
		     last.device, 0);
}

TEST_F(source, reset_while_streaming)
{
	struct vfio_migmux_last_error last;

	ASSERT_EQ(0, attr_write_num(VMM->dev[1].addr, "state_size", 16 * MIB));
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, saved_wait(VMM->dev[1].addr, 2 * MIB));
	peer_reset(CH[1]);
	CH[1] = -1;
	ASSERT_EQ(0, session_wait(VMM->fd, M_ENDED, WAIT_MS));
	last = session_last_error(VMM->fd);
	EXPECT_TRUE(last.error == ECONNRESET || last.error == EPIPE);
	check_failed(_metadata, VMM, last.error, "channel 1 to tcp:127.0.0.1:",
		     last.device, 1);
}

TEST_F(source, reset_before_verdict)
{
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(CH, 2, 2));
	ASSERT_EQ(0, session_wait(VMM->fd, M_SENT, WAIT_MS));
	peer_reset(CH[0]);
	CH[0] = -1;
	check_failed(_metadata, VMM, ECONNRESET, "channel 0 to", NO_INDEX, 0);
}

/* Without a verdict a source has no reason to read, but notices a broken channel. */
TEST_F(source, reset_without_verdict)
{
	struct vfio_migmux_last_error last;

	ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", 16 * MIB));
	ASSERT_EQ(0, session_save(VMM->fd, 0, RUNNING, STAGING));
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, MIB));
	peer_reset(CH[0]);
	CH[0] = -1;
	ASSERT_EQ(0, session_wait(VMM->fd, M_ENDED, WAIT_MS));
	last = session_last_error(VMM->fd);
	check_failed(_metadata, VMM, last.error, "channel 0 to tcp:127.0.0.1:",
		     last.device, 0);
}

/* A verdict cannot be good of what was not sent: nothing comes after it, and it ends. */
TEST_F(source, good_verdict_and_reset)
{
	struct vfio_migmux_last_error last;

	/* all is queued, and the socket does not take it */
	ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", 24 * MIB));
	ASSERT_EQ(0, attr_write_num(VMM->dev[1].addr, "state_size", 1000));
	ASSERT_EQ(0, session_save(VMM->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 32 * MIB));
	ASSERT_EQ(0, session_wait(VMM->fd, M_STOPPED, WAIT_MS));
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, 24 * MIB));
	ASSERT_EQ(0, send_verdict(CH[0], 0, "", "loaded"));
	peer_reset(CH[0]);
	CH[0] = -1;
	ASSERT_TRUE(session_comes_to_end(VMM->fd));
	last = session_last_error(VMM->fd);
	check_failed(_metadata, VMM, last.error, "channel 0 to tcp:127.0.0.1:",
		     last.device, 0);
}

/* A peer that does not read holds us up, and no longer than we want. */
TEST_F(source, never_reads)
{
	struct timeline t;
	__u64 start;

	ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", 32 * MIB));
	ASSERT_EQ(0, attr_write_num(VMM->dev[1].addr, "state_size", 1000));
	ASSERT_EQ(0, session_save(VMM->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 2 * MIB));
	ASSERT_EQ(0, session_wait(VMM->fd, M_STOPPED, WAIT_MS));
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, MIB));
	EXPECT_EQ(-ETIMEDOUT, session_wait(VMM->fd, M_SENT, 500));
	ASSERT_EQ(0, session_timeline(VMM->fd, &t));
	EXPECT_GE(2 * MIB, t.t.staging_peak);
	EXPECT_GT(32 * MIB, t.dev[0].bytes);
	start = now_ns();
	EXPECT_EQ(0, session_abort(VMM->fd, RUNNING));
	EXPECT_GT(2000000000ULL, now_ns() - start);
	check_failed(_metadata, VMM, ECANCELED, "aborted", NO_INDEX, NO_INDEX);
}

static __u64 stalled(const struct timeline *t)
{
	return t->dev[0].stall_staging_ns + t->dev[0].stall_wire_ns;
}

/*
 * A device whose channel is stuck does not keep the others from what they need. How long
 * it has waited is seen while it waits, not only when that is over.
 */
TEST_F(source, never_reads_of_one)
{
	struct timeline t, later;

	ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", 32 * MIB));
	ASSERT_EQ(0, attr_write_num(VMM->dev[1].addr, "state_size", 16 * MIB));
	/* the first has taken all that it can get before the other begins */
	ASSERT_EQ(0, attr_write(VMM->dev[1].addr, "arcs", "STOP>STOP_COPY=500"));
	ASSERT_EQ(0, session_save(VMM->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 4 * MIB));
	ASSERT_EQ(0, peer_drain(&CH[1], 1, 1));
	ASSERT_EQ(0, session_timeline(VMM->fd, &t));
	EXPECT_LE(16 * MIB, t.dev[1].bytes);
	EXPECT_GT(32 * MIB, t.dev[0].bytes);
	EXPECT_LT(0, stalled(&t));
	usleep(50000);
	ASSERT_EQ(0, session_timeline(VMM->fd, &later));
	EXPECT_LE(stalled(&t) + 50000000, stalled(&later));
	EXPECT_EQ(0, session_abort(VMM->fd, RUNNING));
	check_failed(_metadata, VMM, ECANCELED, "aborted", NO_INDEX, NO_INDEX);
	ASSERT_EQ(0, session_timeline(VMM->fd, &t));
	EXPECT_LE(stalled(&later), stalled(&t));
	usleep(1000);
	ASSERT_EQ(0, session_timeline(VMM->fd, &later));
	EXPECT_EQ(stalled(&t), stalled(&later));
}

TEST_F(source, never_answers)
{
	ASSERT_EQ(0, save(VMM));
	ASSERT_EQ(0, peer_drain(CH, 2, 2));
	ASSERT_EQ(0, session_wait(VMM->fd, M_SENT, WAIT_MS));
	EXPECT_EQ(-ETIMEDOUT, session_wait(VMM->fd, M_HANDED_OVER, 200));
	EXPECT_EQ(0, session_abort(VMM->fd, RUNNING));
	check_failed(_metadata, VMM, ECANCELED, "aborted", NO_INDEX, NO_INDEX);
	EXPECT_TRUE(peer_at_eof(CH[0], 5000));
	EXPECT_TRUE(peer_at_eof(CH[1], 5000));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
