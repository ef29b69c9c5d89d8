// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile or broken source: what is wrong in when it sends, and how it ends.
 */
#include "session_wire_dest.h"

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
