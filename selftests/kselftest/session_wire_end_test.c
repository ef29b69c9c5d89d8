// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile or broken source: what is wrong in when it sends, and how it ends.
 */
#include <linux/sockios.h>

#include "session_wire_dest.h"
#include "thread.h"

/* --- frames that wait for one that cannot come ------------------------------------------- */

#define GAP "wait with later frames, and frame 0 has not come"

/* Of two slots the last is for a next frame: so the second of these waits. */
static int gap(int fd, const char *idstr, __u32 idx)
{
	return frame(fd, idstr, idx) ?: frame(fd, idstr, idx + 1);
}

/* A source that has died left one channel at the end of a packet, the other beyond. */
BAD(gap_and_closed, .device = D0, .no_verdict = true, .no_channel = true, .words = GAP)
{
	return gap(ch[0], D0, 1) ?: shutdown(ch[1], SHUT_WR) ?: shutdown(ch[2], SHUT_WR);
}

BAD(closed_and_gap, .device = D0, .no_verdict = true, .no_channel = true, .words = GAP)
{
	return shutdown(ch[1], SHUT_WR) ?: shutdown(ch[2], SHUT_WR) ?: gap(ch[0], D0, 1);
}

BAD(gap_on_all, .device = D0, .no_channel = true, .words = GAP)
{
	return gap(ch[0], D0, 1) ?: gap(ch[1], D0, 3) ?: gap(ch[2], D1, 1);
}

/* --- the confirmation --------------------------------------------------------------------- */

/* All state, then the good verdicts. */
static int load_all(const int *ch)
{
	struct peer_verdict verdict;
	int i, ret;

	ret = frame(ch[0], D0, 0) ?: config(ch[1], D0, 1) ?: config(ch[2], D1, 0);
	for (i = 0; i < NR_CHANNELS && !ret; i++) {
		ret = peer_recv(ch[i], &verdict, sizeof(verdict));
		if (!ret && (peer_get32(verdict.magic) != PEER_VERDICT_MAGIC ||
			     peer_get32(verdict.version) != 1 || verdict.status ||
			     verdict.idstr[0]))
			ret = -EPROTO;
	}
	return ret;
}

BAD(confirm_magic, .confirming = true, .words = "makes no sense: bad magic 0x11223344")
{
	struct peer_confirm confirm = peer_confirm(0);

	confirm.magic = peer_put32(PEER_MAGIC);
	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_version, .confirming = true, .words = "makes no sense: unknown version 9")
{
	struct peer_confirm confirm = peer_confirm(0);

	confirm.version = peer_put32(9);
	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_reserved, .confirming = true, .words = "makes no sense: reserved byte")
{
	struct peer_confirm confirm = peer_confirm(0);

	confirm.zero = 1;
	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_no_errno, .confirming = true, .words = "status is no error number 4096")
{
	const struct peer_confirm confirm = peer_confirm(4096);

	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_refused, .confirming = true, .error = EREMOTEIO, .words = "keeps its devices: error 16")
{
	const struct peer_confirm confirm = peer_confirm(EBUSY);

	return load_all(ch) ?: peer_send(ch[0], &confirm, sizeof(confirm));
}

BAD(confirm_missing, .confirming = true, .error = ECONNABORTED, .words = "before it confirmed")
{
	return load_all(ch) ?: shutdown(ch[0], SHUT_WR);
}

BAD(confirm_cut, .confirming = true, .error = ECONNABORTED, .words = "before it confirmed")
{
	const struct peer_confirm confirm = peer_confirm(0);

	return load_all(ch) ?: peer_send(ch[0], &confirm, 15) ?: shutdown(ch[0], SHUT_WR);
}

/*
 * One confirmation decides, whatever the other channels say. Should they be heard before it,
 * the session fails. In any case it ends.
 */
BAD(confirm_refused_too_late, .confirmed = true)
{
	const struct peer_confirm good = peer_confirm(0), bad = peer_confirm(EBUSY);

	return load_all(ch) ?: peer_send(ch[0], &good, sizeof(good)) ?:
	       peer_send(ch[1], &good, sizeof(good)) ?: peer_send(ch[2], &bad, sizeof(bad));
}

BAD(confirm_spoiled_too_late, .confirmed = true)
{
	const struct peer_confirm good = peer_confirm(0);

	return load_all(ch) ?: peer_send(ch[0], &good, sizeof(good)) ?:
	       peer_send(ch[1], &good, sizeof(good)) ?: frame(ch[2], D1, 1);
}

BAD(frame_for_confirm, .confirming = true, .words = "makes no sense: bad magic")
{
	return load_all(ch) ?: frame(ch[0], D0, 1);
}

/* --- one channel is confirmed, another has not had its verdict ------------------------------ */

/* Here nothing is left to chance: a peer knows of AF_UNIX what the other end has read. */
FIXTURE(late)
{
	FIXTURE_DATA(vmm) vmm;
	int ch[2];		/* the peer's ends */
};

/*
 * @full: there is no room for the verdict; else the peer has begun a frame, after which it
 *	is to come
 * @breaks: the peer breaks the rules with it; else it closes the channel
 */
FIXTURE_VARIANT(late)
{
	bool full;
	bool breaks;
};

FIXTURE_VARIANT_ADD(late, closed_before_the_verdict) { .full = true };
FIXTURE_VARIANT_ADD(late, closed_in_a_frame) { };
FIXTURE_VARIANT_ADD(late, broken_in_a_frame) { .breaks = true };

static void fill_up(int fd)
{
	static const char junk[4096];

	while (send(fd, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
}

FIXTURE_SETUP(late)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int i, fd[2];

	vmm_setup(_metadata, vmm, NULL);
	ASSERT_EQ(0, attr_write(vmm->dev[0].addr, "headerless", "1"));
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, D0, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_pair_unix(fd));
		if (i && variant->full)
			fill_up(fd[1]);
		ASSERT_EQ(i, session_channel_add(vmm->fd, fd[1], 0));
		close(fd[1]);
		self->ch[i] = fd[0];
	}
}

FIXTURE_TEARDOWN(late)
{
	close(self->ch[0]);
	close(self->ch[1]);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* Wait until the session has read all that was sent, and thought about it. */
static int heard(int fd)
{
	int i, unread = 1;

	for (i = 0; i < WAIT_MS; i++) {
		if (ioctl(fd, SIOCOUTQ, &unread))
			return -errno;
		if (!unread && !thread_is("migmux-recv", 'R'))
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* The session owns its devices by one confirmation, so that is one channel less. */
TEST_F(late, hands_over)
{
	struct peer_frame begun = peer_frame(D0, 1, 10, false);
	const struct peer_confirm good = peer_confirm(0);
	const int *ch = self->ch, fd = self->vmm.fd;
	struct peer_verdict verdict;

	if (variant->breaks)
		begun.flags = peer_put32(0x42);
	ASSERT_EQ(0, session_load(fd, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, peer_send_init(ch[0], 0));
	ASSERT_EQ(0, peer_send_init(ch[1], 1));
	if (!variant->full)
		ASSERT_EQ(0, peer_send(ch[1], &begun, 5));
	ASSERT_EQ(0, heard(ch[1]));
	ASSERT_EQ(0, config(ch[0], D0, 0));
	ASSERT_EQ(0, peer_recv(ch[0], &verdict, sizeof(verdict)));
	ASSERT_EQ(0, verdict.status);
	ASSERT_EQ(0, peer_send(ch[0], &good, sizeof(good)));
	ASSERT_EQ(0, heard(ch[0]));
	EXPECT_FALSE(session_reached(fd) & (M_HANDED_OVER | M_FAILED));

	ASSERT_EQ(0, variant->breaks ? peer_send(ch[1], (char *)&begun + 5, sizeof(begun) - 5) :
				       shutdown(ch[1], SHUT_RDWR));
	ASSERT_EQ(0, session_wait(fd, M_HANDED_OVER, WAIT_MS));
	EXPECT_FALSE(session_reached(fd) & M_FAILED);
	EXPECT_EQ(0, session_set_state(fd, RUNNING, RUNNING, 0, WAIT_MS, NULL));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
}

/* --- pre-copy ------------------------------------------------------------------------- */

static int precopy_frame(int fd, __u32 idx, __u32 bytes, __u32 flags)
{
	struct peer_frame frame = peer_frame(D0, idx, bytes, false);
	static const char data[1000];

	frame.payload_flags = peer_put32(flags);
	return peer_send(fd, &frame, sizeof(frame)) ?: peer_send(fd, data, bytes);
}

BAD(precopy_without_verdict, .device = D0, .no_verdict = true, .words = "goes with a verdict only")
{
	return precopy_frame(ch[0], 0, 10, 4);
}

BAD(precopy_empty, .words = "no data in frame idx 0")
{
	return precopy_frame(ch[0], 0, 0, 4);
}

BAD(precopy_config, .words = "bad payload flags 0x5")
{
	return precopy_frame(ch[0], 0, 10, 5);
}

BAD(ack_of_no_precopy, .words = "bad payload flags 0x2")
{
	return precopy_frame(ch[0], 0, 10, 2);
}

BAD(precopy_after_stop, .device = D0, .no_channel = true, .words = "of the stopped device")
{
	return precopy_frame(ch[0], 0, 10, 4) ?: precopy_frame(ch[0], 1, 10, 0) ?:
	       precopy_frame(ch[0], 2, 10, 4);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
