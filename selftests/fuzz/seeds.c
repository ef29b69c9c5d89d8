// SPDX-License-Identifier: GPL-2.0-only
/*
 * Write one good record of each kind, for the fuzzers of the wire to begin with:
 *
 *	seeds DIR
 *
 * makes DIR/wire and DIR/reply. Their first byte is what the fuzzers choose by.
 */
#include <err.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "wire.h"

static const char *dir;

static void seed(const char *fuzzer, const char *name, char which, const void *record,
		 size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, fuzzer);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, fuzzer, name);
	f = fopen(path, "w");
	if (!f || fputc(which, f) == EOF || fwrite(record, 1, size, f) != size || fclose(f))
		err(1, "%s", path);
}

static void seed_frame(const char *name, u32 bytes, bool config, bool precopy, bool ack)
{
	const struct migmux_wire_head head = {
		.idstr = "0000:00:04.0/vfio",
		.bytes = bytes,
		.idx = 3,
		.config = config,
		.precopy = precopy,
		.ack = ack,
		.verify = ack,
	};
	struct migmux_wire_frame frame;

	if (migmux_wire_frame_encode(&frame, &head))
		errx(1, "%s is no good frame", name);
	seed("wire", name, 'f', &frame, sizeof(frame));
}

static void seeds_wire(void)
{
	/* instance, bytes, idx, flags, idstr: see fuzz_encode() */
	static const char head[] = "\0\0\0\1\0\1\0\0\0\0\0\7\6\0\0\0mdev0";
	struct migmux_wire_ram ram = {
		.prefix = {
			.magic = cpu_to_be32(MIGMUX_WIRE_MAGIC),
			.version = cpu_to_be32(MIGMUX_WIRE_VERSION),
		},
	};
	static const u8 uuid[MIGMUX_WIRE_UUID_LEN] = { 1, 2, 3 };
	struct migmux_wire_init init;
	u8 fault[12] = { 0 };

	migmux_wire_init_encode(&init, uuid, 7);
	seed("wire", "init", 'i', &init, sizeof(init));
	seed_frame("data", 4096, false, false, false);
	seed_frame("config", 100, true, false, false);
	seed_frame("precopy", 1 << 20, false, true, false);
	seed_frame("ack", 0, false, true, true);
	ram.size = cpu_to_be32(8192);
	seed("wire", "ram", 'r', &ram, sizeof(ram));
	ram.size = 0;
	ram.prefix.flags = cpu_to_be32(MIGMUX_WIRE_F_SYNC);
	seed("wire", "sync", 'r', &ram, sizeof(ram));
	seed("wire", "prefix", 'p', &ram.prefix, sizeof(ram.prefix));
	seed("wire", "encode", 'e', head, sizeof(head));
	fault[3] = MIGMUX_WIRE_BAD_MAGIC;
	seed("wire", "fault", 't', fault, sizeof(fault));
}

static void seeds_reply(void)
{
	static const struct migmux_wire_result good = {
		.idstr = "0000:00:04.0/vfio",
		.verified = true,
		.crc = 0x12345678,
	};
	static const struct migmux_wire_result bad = {
		.status = EIO,
		.idstr = "0000:00:04.0/vfio",
		.reason = "it broke",
	};
	const struct migmux_wire_head head = { .idstr = "0000:00:04.0/vfio", .idx = 5 };
	struct migmux_wire_confirm confirm;
	struct migmux_wire_verdict verdict;
	const struct migmux_wire_peer peer = {
		.id = 7,
		.index = 1,
		.nr_devices = 2,
		.staging = 64 << 20,
		.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
		.precopy_version = 1,
		.idstr = "0000:00:04.0/vfio",
		.driver = "vfio_pci_migsim",
	};
	struct migmux_wire_query query;
	struct migmux_wire_ready ready;
	struct migmux_wire_ack ack;

	migmux_wire_verdict_encode(&verdict, &good);
	seed("reply", "verdict", 'v', &verdict, sizeof(verdict));
	migmux_wire_verdict_encode(&verdict, &bad);
	seed("reply", "refusal", 'v', &verdict, sizeof(verdict));
	migmux_wire_answer_encode(&verdict, &good);
	seed("reply", "answer", 'w', &verdict, sizeof(verdict));
	migmux_wire_confirm_encode(&confirm, EREMOTEIO);
	seed("reply", "confirm", 'c', &confirm, sizeof(confirm));
	migmux_wire_ack_encode(&ack, &head);
	seed("reply", "ack", 'a', &ack, sizeof(ack));
	migmux_wire_query_encode(&query, 7);
	seed("reply", "query", 'q', &query, sizeof(query));
	migmux_wire_ready_encode(&ready, &peer);
	seed("reply", "ready", 'r', &ready, sizeof(ready));
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(1, "usage: seeds DIR");
	dir = argv[1];
	mkdir(dir, 0777);
	seeds_wire();
	seeds_reply();
	return 0;
}
