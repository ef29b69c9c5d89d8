// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself: pre-copy, and that what it gives is needed
 */

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "migsim_fixture.h"

#define PRECOPY_SIZE	(300 * KIB)	/* two records */
#define BLOCK		4096UL
#define PIECE		(256 * KIB)

static int precopy_info(int fd, struct precopy_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	return ioctl(fd, PRECOPY_INFO, info) ? -errno : 0;
}

static bool info_is(int fd, __u64 initial, __u64 dirty)
{
	struct precopy_info info;

	if (precopy_info(fd, &info))
		return false;
	if (info.initial_bytes == initial && info.dirty_bytes == dirty)
		return true;
	ksft_print_msg("initial %llu, not %llu; dirty %llu, not %llu\n",
		       info.initial_bytes, initial, info.dirty_bytes,
		       dirty);
	return false;
}

static int precopy_open(struct _test_data_migsim *self, size_t size)
{
	devices_close(self);
	if (attr_write(self->addr[0], "precopy", "1") ||
	    attr_write_num(self->addr[0], "precopy_size", size) ||
	    devices_open(self))
		return -1;
	return 0;
}

static int dirty(struct _test_data_migsim *self, size_t bytes)
{
	return attr_write_num(self->src->addr, "dirty", bytes);
}

/* Read until there is nothing for now. */
static long round_read(int fd, char *buf, size_t chunk)
{
	ssize_t n;
	long done = 0;

	while ((n = read(fd, buf + done, chunk)) > 0)
		done += n;
	return n < 0 && errno != ENOMSG ? -errno : done;
}

static bool same_payload(struct _test_data_migsim *self)
{
	char a[32], b[32];

	attr_read(self->src->addr, "payload_crc", a, sizeof(a));
	attr_read(self->dst->addr, "payload_crc", b, sizeof(b));
	return !strcmp(a, b);
}

TEST_F(migsim, precopy)
{
	const long total = 5000 + MIGSIM_PIECE_HEAD + MIB - 5000 + MIGSIM_HEAD;
	struct precopy_info info;
	__u64 left;
	int fd;

	ASSERT_EQ(precopy_open(self, 5000), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	EXPECT_TRUE(info_is(fd, 5032, 0));
	EXPECT_EQ(vfio_data_size(self->src->fd, &left), 0);
	EXPECT_EQ(left, MIB + MIGSIM_HEAD);
	EXPECT_EQ(read(fd, self->stream, 1000), 1000);
	EXPECT_TRUE(info_is(fd, 4032, 0));
	EXPECT_EQ(vfio_data_size(self->src->fd, &left), 0);
	EXPECT_EQ(left, total - 1000);
	EXPECT_EQ(read(fd, self->stream + 1000, 6000), 4032);
	EXPECT_EQ(read(fd, self->stream, 1), -1);
	EXPECT_EQ(errno, ENOMSG);
	EXPECT_TRUE(info_is(fd, 0, 0));

	/* PRE_COPY_P2P and back keep the file; STOP_COPY adds the rest */
	ASSERT_EQ(set_state(self->src, PRE_COPY_P2P, NULL), 0);
	EXPECT_EQ(read(fd, self->stream, 1), -1);
	EXPECT_EQ(errno, ENOMSG);
	ASSERT_EQ(set_state(self->src, PRE_COPY, NULL), 0);
	ASSERT_EQ(set_state(self->src, STOP_COPY, NULL), 0);
	EXPECT_EQ(precopy_info(fd, &info), -EINVAL);
	EXPECT_EQ(vfio_data_size(self->src->fd, &left), 0);
	EXPECT_EQ(left, total - 5032);
	EXPECT_EQ(stream_read(fd, self->stream + 5032, STREAM_MAX - 5032, MIB),
		  total - 5032);
	EXPECT_EQ(set_state(self->src, PRE_COPY, NULL), -EINVAL);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	EXPECT_EQ(precopy_info(fd, &info), -ENODEV);
	close(fd);

	attr_write(self->dst->addr, "seed", "1");
	ASSERT_EQ(device_load(self->dst, self->stream, total, MIB), 0);
	EXPECT_TRUE(same_payload(self));

	ASSERT_EQ(set_state(self->src, PRE_COPY_P2P, &fd), 0);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	EXPECT_EQ(read(fd, self->stream, 1), -1);
	EXPECT_EQ(errno, ENODEV);
	close(fd);
	devices_close(self);
}

/* What is written behind the reader is dirty, what is written before it is not. */
TEST_F(migsim, precopy_info)
{
	const long second = PRECOPY_SIZE - PIECE + MIGSIM_PIECE_HEAD;
	int fd;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	EXPECT_EQ(dirty(self, 1), -EINVAL);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	EXPECT_TRUE(info_is(fd, PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD, 0));
	ASSERT_EQ(dirty(self, BLOCK), 0);
	EXPECT_TRUE(info_is(fd, PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD, 0));
	/* the first record is a snapshot as soon as it is begun */
	EXPECT_EQ(read(fd, self->stream, 1), 1);
	ASSERT_EQ(dirty(self, BLOCK + 1), 0);
	EXPECT_TRUE(info_is(fd, PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD - 1,
			    2 * BLOCK + MIGSIM_PIECE_HEAD));
	EXPECT_EQ(read(fd, self->stream, MIB), PIECE + MIGSIM_PIECE_HEAD - 1);
	EXPECT_EQ(read(fd, self->stream, second - 10), second - 10);
	EXPECT_TRUE(info_is(fd, 10, 2 * BLOCK + MIGSIM_PIECE_HEAD));
	EXPECT_EQ(read(fd, self->stream, MIB), 10);
	EXPECT_EQ(read(fd, self->stream, 1), 1);
	EXPECT_TRUE(info_is(fd, 0, 2 * BLOCK + MIGSIM_PIECE_HEAD - 1));
	/* twice around: each block once, the last one is short */
	ASSERT_EQ(dirty(self, 2 * PRECOPY_SIZE), 0);
	EXPECT_TRUE(info_is(fd, 0, 2 * BLOCK + MIGSIM_PIECE_HEAD - 1 +
			    PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD));
	close(fd);
	devices_close(self);
}

/* A stream with three rounds, the last one after the stop; its size */
static long rounds(struct _test_data_migsim *self, size_t chunk, long *last)
{
	long len, n;
	int fd, i;

	if (set_state(self->src, PRE_COPY, &fd))
		return -1;
	len = round_read(fd, self->stream, chunk);
	for (i = 0; i < 2 && len > 0; i++) {
		if (dirty(self, 100 * KIB))
			return -1;
		*last = len;
		n = round_read(fd, self->stream + len, chunk);
		len += n;
	}
	if (len < 0 || dirty(self, BLOCK) ||
	    set_state(self->src, STOP_COPY, NULL))
		return -1;
	n = stream_read(fd, self->stream + len, STREAM_MAX - len, chunk);
	close(fd);
	return n < 0 ? n : len + n;
}

TEST_F(migsim, precopy_rounds)
{
	static const size_t chunks[] = { MIB, 100 * KIB, 999 };
	char before[32], after[32];
	size_t i;
	long len, last;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		attr_read(self->src->addr, "payload_crc", before,
			  sizeof(before));
		len = rounds(self, chunks[i], &last);
		ASSERT_GT(len, 0);
		EXPECT_EQ(attr_read_num(self->src->addr, "saved_bytes"), len);
		attr_read(self->src->addr, "payload_crc", after, sizeof(after));
		EXPECT_STRNE(before, after);
		attr_write_num(self->dst->addr, "seed", i);
		ASSERT_EQ(device_load(self->dst, self->stream, len, chunks[i]),
			  0);
		EXPECT_TRUE(same_payload(self));
		ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	}
	devices_close(self);
}

static int load_again(struct _test_data_migsim *self, long len)
{
	ioctl(self->dst->fd, VFIO_DEVICE_RESET);
	return device_load(self->dst, self->stream, len, MIB);
}

/* Also what is replaced later must come, once, in its turn, and right. */
TEST_F(migsim, precopy_bad)
{
	const long piece = PIECE + MIGSIM_PIECE_HEAD;
	const long round = 100 * KIB + MIGSIM_PIECE_HEAD;
	char *copy = malloc(STREAM_MAX);
	long len, last;

	if (self->src == self->dst)
		SKIP(return, "there is only one device");
	ASSERT_NE(copy, NULL);
	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	len = rounds(self, MIB, &last);
	ASSERT_GT(len, 0);
	EXPECT_EQ(load_again(self, len), 0);
	EXPECT_TRUE(same_payload(self));

	/* a bit, of what is replaced later */
	self->stream[1000] ^= 1;
	EXPECT_EQ(load_again(self, len), -EINVAL);
	self->stream[1000] ^= 1;
	/* a record is missing, or comes twice */
	memcpy(copy, self->stream, len);
	memmove(self->stream + last, self->stream + last + round,
		len - last - round);
	EXPECT_EQ(load_again(self, len - round), -EINVAL);
	memcpy(self->stream + piece, copy, len - piece);
	memcpy(self->stream, copy, piece);
	memmove(self->stream + piece, copy, len);
	EXPECT_EQ(load_again(self, len + piece), -EINVAL);
	/* a gap: the second record first */
	memcpy(self->stream, copy + piece, len - piece);
	self->stream[24] = 0;
	EXPECT_EQ(load_again(self, len - piece), -EINVAL);
	/* a part of the payload that no record had */
	memcpy(self->stream, copy, len);
	EXPECT_EQ(load_again(self, len), 0);
	EXPECT_TRUE(same_payload(self));
	ioctl(self->dst->fd, VFIO_DEVICE_RESET);
	free(copy);
	devices_close(self);
}

TEST_F(migsim, precopy_end)
{
	char byte;
	int fd;

	ASSERT_EQ(precopy_open(self, 0), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	EXPECT_TRUE(info_is(fd, 0, 0));
	EXPECT_EQ(read(fd, &byte, 1), -1);
	EXPECT_EQ(errno, ENOMSG);
	ASSERT_EQ(attr_write(self->src->addr, "precopy_end", "zero"), 0);
	EXPECT_EQ(read(fd, &byte, 1), 0);
	EXPECT_EQ(attr_write(self->src->addr, "precopy_end", "x"), -EINVAL);
	ASSERT_EQ(set_state(self->src, STOP_COPY, NULL), 0);
	EXPECT_EQ(read(fd, &byte, 1), 1);
	EXPECT_EQ(stream_read(fd, self->stream, STREAM_MAX, MIB),
		  MIB + MIGSIM_HEAD - 1);
	close(fd);
	devices_close(self);
}

TEST_F(migsim, dirty_rate)
{
	struct precopy_info info;
	int fd;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	ASSERT_GT(round_read(fd, self->stream, MIB), 0);
	usleep(10000);
	EXPECT_TRUE(info_is(fd, 0, 0));
	/* nothing is owed for the time before */
	ASSERT_EQ(attr_write_num(self->src->addr, "dirty_rate", BLOCK * 10), 0);
	do {
		ASSERT_EQ(precopy_info(fd, &info), 0);
		usleep(1000);
	} while (!info.dirty_bytes);
	EXPECT_EQ(info.dirty_bytes, BLOCK + MIGSIM_PIECE_HEAD);
	EXPECT_EQ(info.initial_bytes, 0);
	ASSERT_EQ(attr_write_num(self->src->addr, "dirty_rate", 1000 * MIB), 0);
	usleep(10000);
	EXPECT_TRUE(info_is(fd, 0, PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD));
	close(fd);
	devices_close(self);
}

/* Of Linux 7.1: to be told of new initial data. */
#define FEATURE_PRECOPY_INFO_V2	12

static int reinit_understood(int device_fd)
{
	struct vfio_device_feature feature = {
		.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_SET | FEATURE_PRECOPY_INFO_V2,
	};

	return ioctl(device_fd, VFIO_DEVICE_FEATURE, &feature);
}

/* Who does not ask to be told of new initial data, finds dirty data. */
TEST_F(migsim, reinit_unasked)
{
	int fd;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	EXPECT_EQ(attr_write(self->src->addr, "reinit", "1"), -EINVAL);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	ASSERT_GT(round_read(fd, self->stream, MIB), 0);
	ASSERT_EQ(attr_write(self->src->addr, "reinit", "1"), 0);
	EXPECT_TRUE(info_is(fd, 0, PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD));
	close(fd);
	devices_close(self);
}

TEST_F(migsim, reinit)
{
	struct precopy_info info;
	long len, n;
	int fd;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	if (reinit_understood(self->src->fd)) {
		devices_close(self);
		SKIP(return, "this kernel's VFIO has no PRECOPY_INFOv2");
	}
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	len = round_read(fd, self->stream, MIB);
	ASSERT_GT(len, 0);
	ASSERT_EQ(dirty(self, BLOCK), 0);
	ASSERT_EQ(attr_write(self->src->addr, "reinit", "1"), 0);
	ASSERT_EQ(precopy_info(fd, &info), 0);
	EXPECT_EQ(info.flags, 1);
	EXPECT_TRUE(info_is(fd, PRECOPY_SIZE + 2 * MIGSIM_PIECE_HEAD, 0));
	ASSERT_EQ(set_state(self->src, STOP_COPY, NULL), 0);
	n = stream_read(fd, self->stream + len, STREAM_MAX - len, MIB);
	ASSERT_GT(n, 0);
	close(fd);
	ASSERT_EQ(device_load(self->dst, self->stream, len + n, MIB), 0);
	if (self->src != self->dst)
		EXPECT_TRUE(same_payload(self));
	devices_close(self);
}

/* A migration is cancelled: what the device wrote stays written. */
TEST_F(migsim, precopy_cancel)
{
	char a[32], b[32];
	int fd;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	attr_read(self->src->addr, "payload_crc", a, sizeof(a));
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	ASSERT_EQ(dirty(self, BLOCK), 0);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	close(fd);
	attr_read(self->src->addr, "payload_crc", b, sizeof(b));
	EXPECT_STRNE(a, b);
	ASSERT_EQ(ioctl(self->src->fd, VFIO_DEVICE_RESET), 0);
	attr_read(self->src->addr, "payload_crc", b, sizeof(b));
	EXPECT_STREQ(a, b);
	devices_close(self);
}

/* A payload that is another one than was given comes whole. */
TEST_F(migsim, precopy_new_payload)
{
	long len, n;
	int fd;

	ASSERT_EQ(precopy_open(self, PRECOPY_SIZE), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	len = round_read(fd, self->stream, MIB);
	ASSERT_GT(len, 0);
	ASSERT_EQ(dirty(self, BLOCK), 0);
	ASSERT_EQ(attr_write_num(self->src->addr, "state_size", 100 * KIB), 0);
	ASSERT_EQ(set_state(self->src, STOP_COPY, NULL), 0);
	n = stream_read(fd, self->stream + len, STREAM_MAX - len, MIB);
	EXPECT_EQ(n, 100 * KIB + MIGSIM_HEAD);
	close(fd);
	ASSERT_EQ(device_load(self->dst, self->stream, len + n, MIB), 0);
	if (self->src != self->dst)
		EXPECT_TRUE(same_payload(self));
	devices_close(self);
}

TEST_HARNESS_MAIN
