// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole channels: a walker like a receiver's goes over what stock QEMU sent,
 * and over a fixture of our own encoder where no captures are at hand.
 */
#include <kselftest_harness.h>
#include <dirent.h>
#include <json-c/json.h>
#include <nettle/sha2.h>
#include "gather.h"

enum { MAX_PACKETS = 64, MAX_CHANS = 8, MAX_DEVS = 8 };

struct packet {
	enum migmux_wire_kind kind;
	struct migmux_wire_frame frame;	/* as it came; head points into it */
	struct migmux_wire_head head;
	const u8 *data;
	struct migmux_gather_node node;
};

struct stream {
	u8 *bytes;
	size_t len;
	u8 id;
	u32 nr;
	struct packet packets[MAX_PACKETS];
};

struct cursor {
	const u8 *at;
	size_t left;
};

static bool take(struct cursor *c, void *dst, size_t n)
{
	if (c->left < n)
		return false;
	if (dst)
		memcpy(dst, c->at, n);
	c->at += n;
	c->left -= n;
	return true;
}

static int walk_frame(struct cursor *c, struct packet *p,
		      struct migmux_wire_fault *fault)
{
	int ret;

	if (!take(c, (u8 *)&p->frame.packet + 12, sizeof(p->frame.packet) - 12))
		return -ENODATA;
	ret = migmux_wire_packet_decode(&p->frame.packet, &p->head, fault);
	if (ret)
		return ret;
	if (!take(c, &p->frame.payload, sizeof(p->frame.payload)))
		return -ENODATA;
	ret = migmux_wire_payload_decode(&p->frame.payload, &p->head, fault);
	if (ret)
		return ret;
	p->data = c->at;
	return take(c, NULL, p->head.bytes) ? 0 : -ENODATA;
}

static int walk_ram(struct cursor *c, const struct migmux_wire_prefix *prefix,
		    struct migmux_wire_fault *fault)
{
	struct migmux_wire_ram ram = { .prefix = *prefix };
	u32 skip;
	int ret;

	if (!take(c, (u8 *)&ram + sizeof(*prefix), sizeof(ram) - sizeof(*prefix)))
		return -ENODATA;
	ret = migmux_wire_ram_decode(&ram, &skip, fault);
	if (ret)
		return ret;
	return take(c, NULL, skip) ? 0 : -ENODATA;
}

/* 0; -EPROTO; -ENODATA when the channel ends inside of something. */
static int walk(struct stream *s, const u8 *uuid, struct migmux_wire_fault *fault)
{
	struct cursor c = { s->bytes, s->len };
	struct migmux_wire_init init;
	int ret;

	s->nr = 0;
	if (!take(&c, &init, sizeof(init)))
		return -ENODATA;
	ret = migmux_wire_init_decode(&init, uuid, &s->id, fault);
	while (!ret && c.left && s->nr < MAX_PACKETS) {
		struct packet *p = &s->packets[s->nr];
		struct migmux_wire_prefix *prefix = &p->frame.packet.prefix;

		if (!take(&c, prefix, sizeof(*prefix)))
			return -ENODATA;
		ret = migmux_wire_prefix_decode(prefix, &p->kind, fault);
		if (ret)
			break;
		ret = p->kind == MIGMUX_WIRE_DEVICE_STATE ?
		      walk_frame(&c, p, fault) : walk_ram(&c, prefix, fault);
		s->nr += !ret;
	}
	return ret;
}

/* Each device's frames, one of each channel in turn, must gather in order. */
struct gathered {
	const char *idstr;
	struct migmux_gather g;
	u64 data_bytes;
};

static struct gathered *find(struct gathered *devs, const char *idstr)
{
	u32 i;

	for (i = 0; i < MAX_DEVS; i++) {
		if (!devs[i].idstr) {
			devs[i].idstr = idstr;
			migmux_gather_init(&devs[i].g);
		}
		if (!strcmp(devs[i].idstr, idstr))
			return &devs[i];
	}
	return NULL;
}

static int gather_all(struct stream *streams, u32 nr, struct gathered *devs)
{
	struct migmux_gather_node *node;
	struct migmux_wire_fault fault;
	u32 i, k;
	int ret;

	for (k = 0; k < MAX_PACKETS; k++) {
		for (i = 0; i < nr; i++) {
			struct packet *p = &streams[i].packets[k];
			struct gathered *dev;

			if (k >= streams[i].nr || p->kind != MIGMUX_WIRE_DEVICE_STATE)
				continue;
			dev = find(devs, p->head.idstr);
			if (!dev)
				return -ENOSPC;
			ret = migmux_gather_claim(&dev->g, &p->node, p->head.idx,
						  p->head.config, &fault);
			if (ret)
				return ret;
			migmux_gather_ready(&p->node);
			if (!p->head.config)
				dev->data_bytes += p->head.bytes;
			for (node = NULL; (node = migmux_gather_pop(&dev->g));)
				if (node->idx + 1 != dev->g.next)
					return -EILSEQ;
		}
	}
	for (i = 0; i < MAX_DEVS && devs[i].idstr; i++)
		if (!migmux_gather_complete(&devs[i].g))
			return -ENODATA;
	return 0;
}

/* The captures */

static char *path_join(const char *dir, const char *file)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, file) < 0)
		abort();
	return path;
}

static int stream_load(struct stream *s, const char *dir, const char *file)
{
	char *path = path_join(dir, file);
	FILE *f = fopen(path, "rb");

	free(path);
	memset(s, 0, sizeof(*s));
	if (!f)
		return -errno;
	s->bytes = malloc(1 << 22);
	s->len = s->bytes ? fread(s->bytes, 1, 1 << 22, f) : 0;
	fclose(f);
	return s->len ? 0 : -EIO;
}

static const char *get_string(json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "";
}

static u64 get_number(json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static bool get_bool(json_object *o, const char *key)
{
	return json_object_get_boolean(json_object_object_get(o, key));
}

static void sha256_hex(const u8 *data, size_t len, char *hex)
{
	u8 digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;
	size_t i;

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (i = 0; i < sizeof(digest); i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
}

static bool packet_matches(const struct packet *p, json_object *want)
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];

	if (get_bool(want, "sync"))
		return p->kind == MIGMUX_WIRE_SYNC;
	if (p->kind != MIGMUX_WIRE_DEVICE_STATE)
		return false;
	sha256_hex(p->data, p->head.bytes, hex);
	return !strcmp(p->head.idstr, get_string(want, "idstr")) &&
	       p->head.instance_id == get_number(want, "instance_id") &&
	       p->head.idx == get_number(want, "idx") &&
	       p->head.bytes == get_number(want, "bytes") &&
	       p->head.config == get_bool(want, "config") &&
	       !strcmp(hex, get_string(want, "sha256"));
}

static bool encodes_the_same(const struct packet *p)
{
	struct migmux_wire_frame again;

	return p->kind != MIGMUX_WIRE_DEVICE_STATE ||
	       (!migmux_wire_frame_encode(&again, &p->head) &&
		!memcmp(&again, &p->frame, sizeof(again)));
}

static void check_capture(struct __test_metadata *_metadata, const char *dir)
{
	struct gathered devs[MAX_DEVS] = {};
	struct stream *streams = calloc(MAX_CHANS, sizeof(*streams));
	struct migmux_wire_fault fault = {};
	u8 uuid[MIGMUX_WIRE_UUID_LEN];
	char *path = path_join(dir, "frames.json");
	json_object *chans = json_object_from_file(path);
	u32 nr, i, k;

	free(path);
	ASSERT_NE(NULL, streams);
	ASSERT_NE(NULL, chans);
	nr = json_object_array_length(chans);
	ASSERT_TRUE(nr > 0 && nr <= MAX_CHANS);
	for (i = 0; i < nr; i++) {
		json_object *chan = json_object_array_get_idx(chans, i);
		json_object *frames = json_object_object_get(chan, "frames");
		struct stream *s = &streams[i];

		ASSERT_EQ(0, stream_load(s, dir, get_string(chan, "file")));
		if (!i)
			memcpy(uuid, s->bytes + 8, sizeof(uuid));
		ASSERT_EQ(0, walk(s, uuid, &fault));
		EXPECT_EQ(s->id, get_number(chan, "channel"));
		ASSERT_EQ(s->nr, json_object_array_length(frames));
		for (k = 0; k < s->nr; k++) {
			json_object *want = json_object_array_get_idx(frames, k);

			EXPECT_TRUE(packet_matches(&s->packets[k], want));
			EXPECT_TRUE(encodes_the_same(&s->packets[k]));
		}
	}
	EXPECT_EQ(0, gather_all(streams, nr, devs));
	for (i = 0; i < nr; i++)
		free(streams[i].bytes);
	free(streams);
	json_object_put(chans);
}

TEST(captures_of_qemu)
{
	const char *samples = getenv("VFIO_MIGMUX_SAMPLES");
	DIR *dir = samples ? opendir(samples) : NULL;
	u32 found = 0;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char *sub = path_join(samples, e->d_name);
		char *index = path_join(sub, "frames.json");

		if (!access(index, R_OK)) {
			check_capture(_metadata, sub);
			found++;
		}
		free(index);
		free(sub);
	}
	if (dir)
		closedir(dir);
	if (!found)
		SKIP(return, "no captures in %s", samples ? samples :
		     "$VFIO_MIGMUX_SAMPLES");
}

/* The fixture: two devices over two channels, with RAM and SYNC between. */

static const u8 fixture_uuid[MIGMUX_WIRE_UUID_LEN] = { 0x11, 0x22, 0x33 };

static void put(struct stream *s, const void *what, size_t n)
{
	memcpy(s->bytes + s->len, what, n);
	s->len += n;
}

static void put_frame(struct stream *s, const char *idstr, u32 idx, u32 bytes,
		      bool config)
{
	struct migmux_wire_head head = {
		.idstr = idstr, .idx = idx, .bytes = bytes, .config = config,
	};
	struct migmux_wire_frame frame;

	if (migmux_wire_frame_encode(&frame, &head))
		abort();
	put(s, &frame, sizeof(frame));
	memset(s->bytes + s->len, 'a' + idx, bytes);
	s->len += bytes;
}

static void put_ram(struct stream *s, u32 flags, u32 bytes)
{
	struct migmux_wire_ram ram = {
		.prefix = {
			.magic = cpu_to_be32(MIGMUX_WIRE_MAGIC),
			.version = cpu_to_be32(MIGMUX_WIRE_VERSION),
			.flags = cpu_to_be32(flags),
		},
		.size = cpu_to_be32(bytes),
	};

	put(s, &ram, sizeof(ram));
	memset(s->bytes + s->len, 0x5a, bytes);
	s->len += bytes;
}

FIXTURE(made) {
	struct stream *streams;
	struct migmux_wire_fault fault;
};

FIXTURE_SETUP(made)
{
	struct migmux_wire_init init;
	struct stream *s;
	u8 i;

	memset(&self->fault, 0, sizeof(self->fault));
	self->streams = calloc(2, sizeof(*self->streams));
	ASSERT_NE(NULL, self->streams);
	for (i = 0; i < 2; i++) {
		s = &self->streams[i];
		s->bytes = malloc(1 << 16);
		ASSERT_NE(NULL, s->bytes);
		migmux_wire_init_encode(&init, fixture_uuid, i);
		put(s, &init, sizeof(init));
		put_ram(s, MIGMUX_WIRE_F_SYNC, 0);
	}
	s = &self->streams[0];
	put_frame(s, "dev/a", 1, 100, false);
	put_ram(s, 0, 8192);
	put_frame(s, "dev/b", 0, 1, false);
	put_frame(s, "dev/a", 2, 40, true);
	s = &self->streams[1];
	put_frame(s, "dev/b", 1, 0, true);
	put_frame(s, "dev/a", 0, 1000, false);
	put_ram(s, MIGMUX_WIRE_F_SYNC, 0);
}

FIXTURE_TEARDOWN(made)
{
	free(self->streams[0].bytes);
	free(self->streams[1].bytes);
	free(self->streams);
}

TEST_F(made, walks_and_gathers)
{
	struct gathered devs[MAX_DEVS] = {};
	u32 i, k;

	for (i = 0; i < 2; i++) {
		struct stream *s = &self->streams[i];

		ASSERT_EQ(0, walk(s, fixture_uuid, &self->fault));
		EXPECT_EQ(i, s->id);
		for (k = 0; k < s->nr; k++)
			EXPECT_TRUE(encodes_the_same(&s->packets[k]));
	}
	ASSERT_EQ(5, self->streams[0].nr);
	ASSERT_EQ(4, self->streams[1].nr);
	EXPECT_EQ(MIGMUX_WIRE_RAM, self->streams[0].packets[2].kind);
	EXPECT_EQ(MIGMUX_WIRE_SYNC, self->streams[1].packets[3].kind);
	ASSERT_EQ(0, gather_all(self->streams, 2, devs));
	EXPECT_EQ(1100, find(devs, "dev/a")->data_bytes);
	EXPECT_EQ(1, find(devs, "dev/b")->data_bytes);
}

TEST_F(made, other_vm)
{
	u8 uuid[MIGMUX_WIRE_UUID_LEN] = {};

	EXPECT_EQ(-EPROTO, walk(&self->streams[0], uuid, &self->fault));
	EXPECT_EQ(MIGMUX_WIRE_BAD_UUID, self->fault.err);
}

/* Cut at each byte: only a cut between packets is an end. */
TEST_F(made, cut_anywhere)
{
	struct stream *s = &self->streams[0];
	size_t whole = s->len;
	u32 ends = 0;

	for (s->len = 0; s->len <= whole; s->len++) {
		int ret = walk(s, fixture_uuid, &self->fault);

		ASSERT_TRUE(ret == 0 || ret == -ENODATA);
		ends += !ret;
	}
	EXPECT_EQ(6, ends);	/* after the init and each of five packets */
}

/* A channel that closed too early leaves a hole that has a name. */
TEST_F(made, lost_channel)
{
	struct gathered devs[MAX_DEVS] = {};
	u32 first;

	ASSERT_EQ(0, walk(&self->streams[0], fixture_uuid, &self->fault));
	EXPECT_EQ(-ENODATA, gather_all(self->streams, 1, devs));
	ASSERT_TRUE(migmux_gather_missing(&find(devs, "dev/a")->g, &first));
	EXPECT_EQ(0, first);
	ASSERT_TRUE(migmux_gather_missing(&find(devs, "dev/b")->g, &first));
	EXPECT_EQ(1, first);
}

TEST_HARNESS_MAIN
