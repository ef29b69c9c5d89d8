// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile or broken source: what is wrong in what it sends.
 */
#include "session_wire_dest.h"

/* --- channel init ----------------------------------------------------------------- */

BAD(init_magic, .no_init = true, .words = "bad magic 0x11223355")
{
	struct peer_init init = peer_init(0);

	init.magic = peer_put32(0x11223355);
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_version, .no_init = true, .words = "unknown version 2")
{
	struct peer_init init = peer_init(0);

	init.version = peer_put32(2);
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_uuid, .no_init = true, .words = "UUID, differs from byte 3")
{
	struct peer_init init = peer_init(0);

	init.uuid[3] = 1;
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_reserved, .no_init = true, .words = "not zero, at offset 63")
{
	struct peer_init init = peer_init(0);

	init.zero[38] = 1;
	return peer_send(ch[0], &init, sizeof(init));
}

BAD(init_main_channel, .no_init = true, .words = "bad magic 0x5145564d")
{
	static const char zero[56];

	/* what QEMU's main channel begins with */
	return peer_send(ch[0], "QEVM\0\0\0\3", 8) ?: peer_send(ch[0], zero, sizeof(zero));
}

BAD(init_cut, .no_init = true, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_init init = peer_init(0);

	return peer_send(ch[0], &init, 63) ?: shutdown(ch[0], SHUT_WR);
}

/* --- packets ------------------------------------------------------------------------ */

BAD(magic, .words = "bad magic 0x12345678")
{
	return SPOILED(magic, 0x12345678);
}

BAD(version, .words = "unknown version 7")
{
	return SPOILED(version, 7);
}

BAD(flag_sync, .words = "SYNC on device state, flags 0x41")
{
	return SPOILED(flags, 0x41);
}

BAD(flag_compression, .words = "compressed device state, flags 0x42")
{
	return SPOILED(flags, 0x42);
}

BAD(flag_unknown, .words = "bad packet flags 0x80000040")
{
	return SPOILED(flags, 0x80000040);
}

BAD(ram_packet, .words = "RAM packet")
{
	return SPOILED(flags, 0);
}

BAD(sync_packet, .words = "RAM packet")
{
	return SPOILED(flags, 1);
}

BAD(idstr_unknown, .words = "0000:00:1f.0/vfio, instance 0 is not in this session")
{
	return frame(ch[0], "0000:00:1f.0/vfio", 0);
}

BAD(instance_unknown, .words = "0000:00:04.0/vfio, instance 5 is not in this session")
{
	return SPOILED(instance, 5);
}

BAD(idstr_empty, .words = "empty device name")
{
	return frame(ch[0], "", 0);
}

BAD(idstr_unterminated, .words = "unterminated device name")
{
	struct peer_frame frame = peer_frame(D0, 0, 10, false);

	memset(frame.idstr, 'x', sizeof(frame.idstr));
	return peer_send(ch[0], &frame, sizeof(frame));
}

BAD(idstr_unprintable, .words = "unprintable byte 0x1b")
{
	return frame(ch[0], "\033[2J", 0);
}

BAD(idstr_padding, .words = "padded with byte 0x58")
{
	struct peer_frame frame = peer_frame(D0, 0, 10, false);

	frame.idstr[255] = 'X';
	return peer_send(ch[0], &frame, sizeof(frame));
}

BAD(size_0, .words = "too short, size 0")
{
	return SPOILED(size, 0);
}

BAD(size_11, .words = "too short, size 11")
{
	return SPOILED(size, 11);
}

BAD(size_12, .words = "no data in frame idx 0")
{
	return SPOILED(size, 12);
}

BAD(size_over, .words = "too long, size 1048589")
{
	return SPOILED(size, (1 << 20) + 13);
}

BAD(size_max, .words = "too long, size 4294967295")
{
	return SPOILED(size, 0xffffffff);
}

BAD(size_config, .words = "config too long, size 262145")
{
	struct peer_frame frame = peer_frame(D0, 0, (256 << 10) + 1, true);

	return peer_send(ch[0], &frame, sizeof(frame));
}

BAD(payload_version, .words = "unknown payload version 1")
{
	return SPOILED(payload_version, 1);
}

BAD(payload_flags, .words = "bad payload flags 0x2")
{
	return SPOILED(payload_flags, 2);
}

/* --- order ---------------------------------------------------------------------------- */

BAD(idx_max, .words = "bad frame idx 4294967295")
{
	return SPOILED(idx, 0xffffffff);
}

BAD(idx_consumed, .device = D0, .channel = 1, .words = "duplicate frame idx 0")
{
	/* channel 1 brings it again when it is written already */
	return frame(ch[0], D0, 0) ?: attr_wait(devices.dev[0].addr, "loaded_bytes", 1000) ?:
	       frame(ch[1], D0, 0);
}

BAD(idx_pending, .device = D0, .channel = 0, .words = "duplicate frame idx 2")
{
	/* one of the two is there first; then both wait for idx 0 */
	return frame(ch[1], D0, 1) ?: frame(ch[1], D0, 2) ?: frame(ch[1], D0, 3) ?:
	       frame(ch[0], D0, 0) ?: attr_wait(devices.dev[0].addr, "loaded_bytes", 4000) ?:
	       frame(ch[0], D0, 2);
}

BAD(idx_falls, .device = D0, .words = "out of order on its channel, idx 1")
{
	return frame(ch[0], D0, 2) ?: frame(ch[0], D0, 1);
}

BAD(idx_repeats, .device = D0, .words = "out of order on its channel, idx 2")
{
	return frame(ch[0], D0, 2) ?: frame(ch[0], D0, 2);
}

BAD(idx_beyond_end, .device = D0, .words = "beyond the end, idx 5")
{
	return config(ch[0], D0, 4) ?: frame(ch[0], D0, 5);
}

BAD(config_below_seen, .device = D0, .channel = 1, .words = "already seen, idx 1")
{
	return frame(ch[0], D0, 0) ?: frame(ch[0], D0, 1) ?:
	       attr_wait(devices.dev[0].addr, "loaded_bytes", 2000) ?:
	       config(ch[1], D0, 1);
}

BAD(config_twice, .device = D0, .words = "second config frame, idx 3")
{
	return config(ch[0], D0, 2) ?: config(ch[0], D0, 3);
}

BAD(foreign_frame, .device = D1, .words = "05.0/vfio on the channel of 0000:00:04.0/vfio")
{
	return frame(ch[0], D0, 0) ?: frame(ch[0], D1, 0);
}

BAD(hole, .no_verdict = true, .device = D0, .no_channel = true, .words = "frame 1 has not come")
{
	return config(ch[2], D1, 0) ?: frame(ch[0], D0, 0) ?: config(ch[1], D0, 2) ?:
	       shutdown(ch[0], SHUT_WR) ?: shutdown(ch[1], SHUT_WR) ?:
	       shutdown(ch[2], SHUT_WR);
}

BAD(no_end, .no_verdict = true, .device = D1, .no_channel = true, .words = "frame 1 has not come")
{
	return config(ch[0], D0, 0) ?: frame(ch[2], D1, 0) ?: shutdown(ch[0], SHUT_WR) ?:
	       shutdown(ch[1], SHUT_WR) ?: shutdown(ch[2], SHUT_WR);
}

/* --- channels that end ------------------------------------------------------------------ */

BAD(cut_in_prefix, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, 5) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_after_prefix, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, 12) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_in_header, .error = ECONNABORTED, .words = "middle of a header")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, 280) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_before_data, .error = ECONNABORTED, .words = "middle of a frame")
{
	const struct peer_frame frame = peer_frame(D0, 0, 10, false);

	return peer_send(ch[0], &frame, sizeof(frame)) ?: shutdown(ch[0], SHUT_WR);
}

BAD(cut_in_data, .error = ECONNABORTED, .words = "middle of a frame")
{
	const struct peer_frame frame = peer_frame(D0, 0, 1000, false);

	return peer_send(ch[0], &frame, sizeof(frame)) ?: peer_send(ch[0], &frame, 100) ?:
	       shutdown(ch[0], SHUT_WR);
}

BAD(cut_in_config, .no_verdict = true, .error = ECONNABORTED, .words = "middle of a frame")
{
	const struct peer_frame frame = peer_frame(D0, 0, 1000, true);

	return peer_send(ch[0], &frame, sizeof(frame)) ?: peer_send(ch[0], &frame, 100) ?:
	       shutdown(ch[0], SHUT_WR);
}

/* With a verdict to come, a source has no reason to close. */
BAD(closed_early, .error = ECONNABORTED, .words = "closed by the source before the end")
{
	return frame(ch[0], D0, 0) ?: shutdown(ch[0], SHUT_WR);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
