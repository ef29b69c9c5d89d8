// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself: payloads that are in no memory
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "migsim_fixture.h"

#define GIB	(1024UL * MIB)
#define ODD	(3 * 64 * KIB + 4099)

static int same_crc(struct _test_data_migsim *self)
{
	char a[32] = "", b[32] = "-";

	attr_read(self->src->addr, "payload_crc", a, sizeof(a));
	attr_read(self->dst->addr, "payload_crc", b, sizeof(b));
	return !strcmp(a, b);
}

/* However it is read, it is the payload that the same seed makes in memory. */
TEST_F(migsim, same_bytes)
{
	static const size_t chunks[] = { MIB, 64 * KIB, 1001, 7 };
	char want[32], got[32], *kept;
	size_t i;

	attr_write_num(self->src->addr, "state_size", ODD);
	attr_read(self->src->addr, "payload_crc", want, sizeof(want));
	kept = malloc(STREAM_MAX);
	ASSERT_NE(kept, NULL);
	ASSERT_EQ(device_save(self->src, kept, MIB), ODD + MIGSIM_HEAD);
	ASSERT_EQ(attr_write(self->src->addr, "in_memory", "0"), 0);
	attr_read(self->src->addr, "payload_crc", got, sizeof(got));
	EXPECT_STREQ(got, want);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		/* away with a CRC that was worked out before */
		attr_write_num(self->src->addr, "state_size", 0);
		attr_write_num(self->src->addr, "state_size", ODD);
		memset(self->stream, 0, ODD + MIGSIM_HEAD);
		ASSERT_EQ(device_save(self->src, self->stream, chunks[i]),
			  ODD + MIGSIM_HEAD);
		EXPECT_EQ(memcmp(self->stream, kept, ODD + MIGSIM_HEAD), 0);
		attr_read(self->src->addr, "payload_crc", got, sizeof(got));
		EXPECT_STREQ(got, want);
	}
	free(kept);
}

/* A save that was not read to its end leaves the CRC to be worked out. */
TEST_F(migsim, half_a_save)
{
	char want[32], got[32];
	int fd;

	attr_write_num(self->src->addr, "state_size", ODD);
	attr_read(self->src->addr, "payload_crc", want, sizeof(want));
	attr_write(self->src->addr, "in_memory", "0");
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	ASSERT_EQ(read(fd, self->stream, 100 * KIB), 100 * KIB);
	close(fd);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	attr_read(self->src->addr, "payload_crc", got, sizeof(got));
	EXPECT_STREQ(got, want);
}

TEST_F(migsim, loaded)
{
	static const size_t sizes[] = { 0, 1, 4097, ODD };
	size_t i;
	long len;
	int fd;

	if (self->src == self->dst)
		SKIP(return, "there is one device");
	attr_write(self->dst->addr, "in_memory", "0");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		attr_write_num(self->src->addr, "state_size", sizes[i]);
		len = device_save(self->src, self->stream, MIB);
		ASSERT_EQ(len, sizes[i] + MIGSIM_HEAD);
		ASSERT_EQ(device_load(self->dst, self->stream, len, 1001), 0);
		EXPECT_TRUE(same_crc(self));
		EXPECT_EQ(attr_read_num(self->dst->addr, "payload_size"), sizes[i]);
	}
	/* nobody has it any more */
	EXPECT_EQ(set_state(self->dst, STOP_COPY, &fd), -ENODATA);
	EXPECT_EQ(set_state(self->dst, RUNNING, NULL), 0);

	/* a wrong byte is seen */
	self->stream[MIGSIM_HEAD + 4242] ^= 1;
	ASSERT_EQ(device_load(self->dst, self->stream, len, MIB), 0);
	EXPECT_FALSE(same_crc(self));
	self->stream[MIGSIM_HEAD + 4242] ^= 1;

	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	ASSERT_EQ(stream_write(fd, self->stream, len - 1, MIB), len - 1);
	EXPECT_EQ(set_state(self->dst, STOP, NULL), -ENODATA);
	ASSERT_EQ(stream_write(fd, self->stream + len - 1, 1, 1), 1);
	EXPECT_EQ(set_state(self->dst, STOP, NULL), 0);
	EXPECT_TRUE(same_crc(self));
	close(fd);
}

TEST_F(migsim, limits)
{
	const char *addr = self->src->addr;
	int fd;

	EXPECT_EQ(attr_write_num(addr, "state_size", 2 * GIB + 1), -ERANGE);
	ASSERT_EQ(attr_write(addr, "in_memory", "0"), 0);
	EXPECT_EQ(attr_write_num(addr, "state_size", 64 * GIB + 1), -ERANGE);
	ASSERT_EQ(attr_write_num(addr, "state_size", 64 * GIB), 0);
	EXPECT_EQ(attr_read_num(addr, "payload_size"), 64 * GIB);
	EXPECT_EQ(attr_write(addr, "in_memory", "1"), -ERANGE);
	EXPECT_EQ(attr_read_num(addr, "in_memory"), 0);

	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(read(fd, self->stream, MIB), MIB);
	close(fd);
	EXPECT_EQ(set_state(self->src, RUNNING, NULL), 0);
}

/* Pre-copy data is for payloads that are kept until it is replaced. */
TEST_F(migsim, no_precopy)
{
	struct precopy_info info = { .argsz = sizeof(info) };
	long len;
	int fd;

	if (self->src == self->dst)
		SKIP(return, "there is one device");
	devices_close(self);
	ASSERT_EQ(attr_write(self->addr[0], "precopy", "1"), 0);
	ASSERT_EQ(devices_open(self), 0);
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	len = read(fd, self->stream, MIB);
	ASSERT_EQ(len, 4096 + MIGSIM_PIECE_HEAD);
	close(fd);
	ASSERT_EQ(set_state(self->src, RUNNING, NULL), 0);
	attr_write(self->dst->addr, "in_memory", "0");
	ASSERT_EQ(set_state(self->dst, RESUMING, &fd), 0);
	/* as far as the piece's head goes it is a stream like another */
	EXPECT_EQ(write(fd, self->stream, len), MIGSIM_PIECE_HEAD);
	EXPECT_EQ(stream_write(fd, self->stream + MIGSIM_PIECE_HEAD, 1, 1), -EINVAL);
	close(fd);

	attr_write(self->src->addr, "in_memory", "0");
	ASSERT_EQ(set_state(self->src, PRE_COPY, &fd), 0);
	EXPECT_EQ(ioctl(fd, PRECOPY_INFO, &info), 0);
	EXPECT_EQ(info.initial_bytes, 0);
	EXPECT_EQ(read(fd, self->stream, MIB), -1);
	EXPECT_EQ(errno, ENOMSG);
	ASSERT_EQ(set_state(self->src, STOP_COPY, NULL), 0);
	EXPECT_EQ(stream_read(fd, self->stream, STREAM_MAX, MIB), MIB + MIGSIM_HEAD);
	close(fd);
}

TEST_HARNESS_MAIN
