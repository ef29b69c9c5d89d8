// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verification: a byte that changes on its way is found, and nothing else is.
 */
#include <poll.h>
#include <pthread.h>

#include "session_fixture.h"

#define SAVE_FLAGS	(VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_VERIFY)
#define LOAD_FLAGS	(VFIO_MIGMUX_LOAD_VERDICT | VFIO_MIGMUX_LOAD_VERIFY)
#define PEER_VERIFY	8u	/* payload flag */

/* CRC32C a bit at a time, so as not to make the kernel's mistakes. */
static __u32 crc32c(__u32 crc, const void *data, size_t size)
{
	const __u8 *p = data;
	int bit;

	for (crc = ~crc; size; size--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* The last eight bytes of a verdict, where older peers have the end of the reason. */
static void crc_put(struct peer_verdict *verdict, __u32 verified, __u32 crc)
{
	__u32 tail[2] = { peer_put32(verified), peer_put32(crc) };

	memcpy(verdict->reason + 232, tail, sizeof(tail));
}

static __u32 crc_get(const struct peer_verdict *verdict)
{
	__u32 tail[2];

	memcpy(tail, verdict->reason + 232, sizeof(tail));
	return peer_get32(tail[0]) == 1 ? peer_get32(tail[1]) : ~0U;
}

static int start(struct pair *pair, __u32 save, __u32 load)
{
	int ret = session_load(pair->to, load, RUNNING, STAGING);

	return ret ?: session_save(pair->from, save, RUNNING, STAGING);
}

/* --- what is right ------------------------------------------------------------------ */

TEST_F(vmm, verified)
{
	static const struct {
		__u64 size;
		int channels;
		int read_iter;
	} moves[] = {
		{ 0, 1, 0 }, { 1, 3, 1 }, { MIB, 2, 0 }, { 3 * MIB + 5, 4, 1 },
	};
	struct pair pair;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		ASSERT_EQ(0, devices_settle(&devices));
		for (j = 0; j < 4; j++) {
			attr_write_num(self->dev[j].addr, "seed", 4 * i + j);
			attr_write_num(self->dev[j].addr, "read_iter",
				       moves[i].read_iter);
		}
		attr_write_num(self->dev[0].addr, "state_size", moves[i].size);
		attr_write_num(self->dev[0].addr, "read_chunk", 100003);
		attr_write_num(self->dev[2].addr, "write_chunk", 77777);
		ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 2,
				       moves[i].channels));
		ASSERT_EQ(0, start(&pair, SAVE_FLAGS, LOAD_FLAGS));
		ASSERT_EQ(0, pair_finish(&pair));
		EXPECT_EQ(0, session_wait(pair.from, M_HANDED_OVER, WAIT_MS));
		EXPECT_TRUE(pair_equal(&pair));
		pair_close(&pair);
	}
}

/* --- what is wrong ------------------------------------------------------------------ */

/* A proxy between two sockets, which turns over a bit of what goes from a to b. */
struct proxy {
	int a;
	int b;
	__u64 flip;	/* offset of the byte */
};

static int pass(struct proxy *proxy, int from, int to, __u64 *done)
{
	char buf[16384];
	ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		shutdown(to, SHUT_WR);
		return -1;
	}
	if (from == proxy->a && *done <= proxy->flip && proxy->flip < *done + n)
		buf[proxy->flip - *done] ^= 0x10;
	*done += n;
	return peer_send(to, buf, n);
}

static void *proxy_run(void *arg)
{
	struct proxy *proxy = arg;
	struct pollfd pfd[2] = {
		{ .fd = proxy->a, .events = POLLIN },
		{ .fd = proxy->b, .events = POLLIN },
	};
	__u64 done[2] = { 0 };

	while ((pfd[0].fd >= 0 || pfd[1].fd >= 0) && poll(pfd, 2, WAIT_MS) > 0) {
		if (pfd[0].revents && pass(proxy, proxy->a, proxy->b, &done[0]))
			pfd[0].fd = -1;
		if (pfd[1].revents && pass(proxy, proxy->b, proxy->a, &done[1]))
			pfd[1].fd = -1;
	}
	close(proxy->a);
	close(proxy->b);
	free(proxy);
	return NULL;
}

/* So many connections are made before the one that has a byte changed. */
static int flip_connection;

static int connect_by_proxy(int fd[2])
{
	struct proxy *proxy = malloc(sizeof(*proxy));
	int left[2], right[2], ret;
	pthread_t thread;

	ret = peer_pair(left) ?: peer_pair(right);
	if (ret)
		return ret;
	*proxy = (struct proxy){
		.a = left[1],
		.b = right[0],
		/* in the data of its first frame */
		.flip = flip_connection-- ? ~0ULL : sizeof(struct peer_init) +
						    sizeof(struct peer_frame) + 5000,
	};
	ret = pthread_create(&thread, NULL, proxy_run, proxy);
	if (ret)
		return -ret;
	pthread_detach(thread);
	fd[0] = left[0];
	fd[1] = right[1];
	return 0;
}

static int open_changing(struct _test_data_vmm *self, struct pair *pair, int connection)
{
	int i;

	/* without a header any bytes will do */
	for (i = 0; i < 4; i++) {
		attr_write_num(self->dev[i].addr, "state_size", 300000);
		attr_write_num(self->dev[i].addr, "seed", i);
		attr_write_num(self->dev[i].addr, "headerless", 1);
	}
	flip_connection = connection;
	return pair_open_over(pair, &self->dev[0], &self->dev[2], 2, 1,
			      connect_by_proxy);
}

static bool same_payload(const struct vfio_dev *a, const struct vfio_dev *b)
{
	char of_a[32], of_b[32];

	return !attr_read(a->addr, "payload_crc", of_a, sizeof(of_a)) &&
	       !attr_read(b->addr, "payload_crc", of_b, sizeof(of_b)) &&
	       !strcmp(of_a, of_b);
}

/* The device takes it, and nobody knows. */
TEST_F(vmm, unverified_change)
{
	struct pair pair;

	ASSERT_EQ(0, open_changing(self, &pair, 1));
	ASSERT_EQ(0, pair_start(&pair, true, STAGING));
	ASSERT_EQ(0, pair_finish(&pair));
	EXPECT_TRUE(same_payload(&self->dev[0], &self->dev[2]));
	EXPECT_FALSE(same_payload(&self->dev[1], &self->dev[3]));
	pair_close(&pair);
}

TEST_F(vmm, verified_change)
{
	struct vfio_migmux_last_error at_source, at_destination;
	struct pair pair;
	unsigned int read, written;
	int crcs;

	ASSERT_EQ(0, open_changing(self, &pair, 1));
	ASSERT_EQ(0, start(&pair, SAVE_FLAGS, LOAD_FLAGS));
	ASSERT_EQ(0, session_wait(pair.from, M_FAILED | M_ENDED, WAIT_MS));
	ASSERT_EQ(0, session_wait(pair.to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(pair.from, EBADMSG, "verification failed"));
	EXPECT_TRUE(session_says(pair.from, EBADMSG, idstrs[1]));
	EXPECT_TRUE(session_blames(pair.from, 1, NO_INDEX));
	at_source = session_last_error(pair.from);
	crcs = sscanf((char *)at_source.text,
		      "verification failed: CRC32C %x was read, %x was written",
		      &read, &written);
	ASSERT_EQ(2, crcs);
	EXPECT_NE(read, written);

	EXPECT_TRUE(session_says(pair.to, EREMOTEIO, "the source keeps its devices"));
	at_destination = session_last_error(pair.to);
	EXPECT_NE(NULL, strstr((char *)at_destination.text, (char *)at_source.text));
	EXPECT_EQ(1, at_destination.device);
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	EXPECT_TRUE(device_is(&self->dev[1], RUNNING));
	EXPECT_TRUE(device_is(&self->dev[2], STOP));
	EXPECT_TRUE(device_is(&self->dev[3], STOP));
	pair_close(&pair);
}

/* --- one end alone -------------------------------------------------------------------- */

static void one_end(struct __test_metadata *_metadata, struct _test_data_vmm *self,
		    __u32 save, __u32 load, const char *words)
{
	struct pair pair;

	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 2, 1));
	ASSERT_EQ(0, start(&pair, save, load));
	ASSERT_EQ(0, session_wait(pair.from, M_FAILED | M_ENDED, WAIT_MS));
	ASSERT_EQ(0, session_wait(pair.to, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(pair.to, EPROTO, words));
	EXPECT_TRUE(session_says(pair.from, EREMOTEIO, words));
	EXPECT_TRUE(device_is(&self->dev[0], RUNNING));
	EXPECT_TRUE(device_is(&self->dev[1], RUNNING));
	pair_close(&pair);
}

TEST_F(vmm, source_alone)
{
	one_end(_metadata, self, SAVE_FLAGS, VFIO_MIGMUX_LOAD_VERDICT,
		"the source wants its state verified, the destination does not");
}

TEST_F(vmm, destination_alone)
{
	one_end(_metadata, self, VFIO_MIGMUX_SAVE_VERDICT, LOAD_FLAGS,
		"the destination wants its state verified, the source does not");
}

TEST_F(vmm, refused)
{
	struct pair pair;

	ASSERT_EQ(0, pair_open(&pair, &self->dev[0], &self->dev[2], 1, 1));
	EXPECT_EQ(-EINVAL, session_save(pair.from, VFIO_MIGMUX_SAVE_VERIFY, RUNNING, 0));
	EXPECT_TRUE(session_says(pair.from, EINVAL, "verdict"));
	EXPECT_EQ(-EINVAL, session_load(pair.to, VFIO_MIGMUX_LOAD_VERIFY, RUNNING, 0));
	EXPECT_TRUE(session_says(pair.to, EINVAL, "verdict"));
	EXPECT_EQ(-EINVAL, session_save(pair.from, SAVE_FLAGS | VFIO_MIGMUX_SAVE_NO_CONFIG,
					RUNNING, 0));
	EXPECT_TRUE(session_says(pair.from, EINVAL, "config"));
	EXPECT_EQ(-EINVAL, session_load(pair.to, LOAD_FLAGS | VFIO_MIGMUX_LOAD_BUFFERS,
					RUNNING, 0));
	EXPECT_TRUE(session_says(pair.to, EINVAL, "buffers"));
	pair_close(&pair);
}

/* --- a destination played by hand ------------------------------------------------------ */

FIXTURE(source)
{
	FIXTURE_DATA(vmm) vmm;
	int ch[2];	/* the peer's ends; both carry device 0 */
	__u32 crc;	/* of what came */
};

/**
 * struct source - verdicts on two channels
 * @verified: do they have a CRC?
 * @wrong: this is added to it
 * @idstr: the device's name, NULL for the right one
 * @error: errno at the source, 0: it hands over
 * @words: of the text
 */
FIXTURE_VARIANT(source)
{
	__u32 verified[2];
	__u32 wrong[2];
	const char *idstr;
	int error;
	const char *words;
};

FIXTURE_VARIANT_ADD(source, good) { .verified = { 1, 1 } };
FIXTURE_VARIANT_ADD(source, once) { .verified = { 0, 1 } };
FIXTURE_VARIANT_ADD(source, never) {
	.error = EPROTO, .words = "does not say what was written"
};

FIXTURE_VARIANT_ADD(source, wrong) {
	.verified = { 1, 1 }, .wrong = { 1, 1 },
	.error = EBADMSG, .words = "verification failed"
};

FIXTURE_VARIANT_ADD(source, torn) {
	.verified = { 1, 1 }, .wrong = { 0, 1 },
	.error = EPROTO, .words = "the verdict makes no sense: CRC32C"
};

FIXTURE_VARIANT_ADD(source, stranger) {
	.verified = { 1, 1 }, .idstr = "nobody",
	.error = EPROTO, .words = "of 'nobody'"
};

FIXTURE_VARIANT_ADD(source, flag) {
	.verified = { 2, 1 }, .error = EPROTO, .words = "neither verified nor not 2"
};

/* Drain the channels: the CRC of all data, which small frames bring in one piece. */
static int receive(struct _test_data_source *self)
{
	struct peer_init init;
	struct peer_frame frame;
	char data[2000];
	int i, ret;

	for (i = 0; i < 2; i++) {
		ret = peer_recv(self->ch[i], &init, sizeof(init));
		if (ret)
			return ret;
	}
	/* one frame of state, then the config: on the channel that is less busy */
	for (i = 0; i < 2; i++) {
		struct pollfd pfd[2] = {
			{ .fd = self->ch[0], .events = POLLIN },
			{ .fd = self->ch[1], .events = POLLIN },
		};
		__u32 bytes;
		int fd;

		if (poll(pfd, 2, WAIT_MS) <= 0)
			return -ETIMEDOUT;
		fd = pfd[0].revents ? self->ch[0] : self->ch[1];
		ret = peer_recv(fd, &frame, sizeof(frame));
		bytes = peer_get32(frame.size) - 12;
		if (ret || !(peer_get32(frame.payload_flags) & PEER_VERIFY) ||
		    bytes > sizeof(data))
			return ret ?: -EPROTO;
		ret = peer_recv(fd, data, bytes);
		if (ret)
			return ret;
		self->crc = crc32c(self->crc, data, bytes);
	}
	return 0;
}

FIXTURE_SETUP(source)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int i, fd[2];

	vmm_setup(_metadata, vmm, NULL);
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_pair(fd));
		ASSERT_EQ(i, session_channel_add(vmm->fd, fd[0], 0));
		close(fd[0]);
		self->ch[i] = fd[1];
	}
	ASSERT_EQ(0, attr_write_num(vmm->dev[0].addr, "state_size", 1000));
	ASSERT_EQ(0, session_save(vmm->fd, SAVE_FLAGS, RUNNING, STAGING));
	self->crc = 0;
	ASSERT_EQ(0, receive(self));
}

FIXTURE_TEARDOWN(source)
{
	close(self->ch[0]);
	close(self->ch[1]);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(source, hears)
{
	struct peer_verdict verdict, answer;
	int i, fd = self->vmm.fd;

	for (i = 0; i < 2; i++) {
		verdict = peer_verdict(0, variant->verified[i] ?
				       variant->idstr ?: idstrs[0] : "", "loaded");
		crc_put(&verdict, variant->verified[i], variant->verified[i] ?
			self->crc + variant->wrong[i] : 0);
		ASSERT_EQ(0, peer_send(self->ch[i], &verdict, sizeof(verdict)));
	}
	if (!variant->error) {
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, peer_recv(self->ch[i], &answer, sizeof(answer)));
			EXPECT_EQ(PEER_CONFIRM_MAGIC, peer_get32(answer.magic));
			EXPECT_EQ(0, answer.status);
		}
		EXPECT_EQ(0, session_wait(fd, M_HANDED_OVER, WAIT_MS));
		return;
	}
	ASSERT_EQ(0, session_wait(fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(fd, variant->error, variant->words));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], RUNNING));
	if (variant->error != EBADMSG)
		return;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_recv(self->ch[i], &answer, sizeof(answer)));
		EXPECT_EQ(PEER_CONFIRM_MAGIC, peer_get32(answer.magic));
		EXPECT_EQ(EBADMSG, peer_get32(answer.status));
		EXPECT_STREQ(idstrs[0], answer.idstr);
		EXPECT_NE(NULL, strstr(answer.reason, "verification failed"));
	}
}

/* --- a source played by hand ------------------------------------------------------------ */

FIXTURE(destination)
{
	FIXTURE_DATA(vmm) vmm;
	int ch;
};

/**
 * struct destination - a confirmation
 * @magic: its magic
 * @status: its status
 * @idstr: the device that it names
 * @size: bytes of it that come
 * @error: errno at the destination, 0: it takes over
 * @words: of the text
 */
FIXTURE_VARIANT(destination)
{
	__u32 magic;
	__u32 status;
	const char *idstr;
	size_t size;
	int error;
	const char *words;
};

FIXTURE_VARIANT_ADD(destination, good) {
	.magic = PEER_CONFIRM_MAGIC, .idstr = "", .size = 512
};

FIXTURE_VARIANT_ADD(destination, refused) {
	.magic = PEER_CONFIRM_MAGIC, .status = EBADMSG, .idstr = "stranger", .size = 512,
	.error = EREMOTEIO, .words = "the source keeps its devices: b?d, error 74"
};

FIXTURE_VARIANT_ADD(destination, verdict) {
	.magic = PEER_VERDICT_MAGIC, .idstr = "", .size = 512,
	.error = EPROTO, .words = "the confirmation makes no sense: bad magic"
};

FIXTURE_VARIANT_ADD(destination, short_one) {
	.magic = PEER_CONFIRM_MAGIC, .idstr = "", .size = 16,
	.error = ECONNABORTED, .words = "before it confirmed"
};

FIXTURE_SETUP(destination)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int fd[2];

	vmm_setup(_metadata, vmm, NULL);
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair(fd));
	ASSERT_EQ(0, session_channel_add(vmm->fd, fd[0], 0));
	close(fd[0]);
	self->ch = fd[1];
	ASSERT_EQ(0, attr_write(vmm->dev[0].addr, "headerless", "1"));
	ASSERT_EQ(0, session_load(vmm->fd, LOAD_FLAGS, RUNNING, STAGING));
}

FIXTURE_TEARDOWN(destination)
{
	close(self->ch);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

static int send_frame(int fd, __u32 idx, const void *data, __u32 bytes, bool config)
{
	struct peer_frame frame = peer_frame(idstrs[0], idx, bytes, config);
	int ret;

	frame.payload_flags |= peer_put32(PEER_VERIFY);
	ret = peer_send(fd, &frame, sizeof(frame));
	return ret ?: peer_send(fd, data, bytes);
}

TEST_F(destination, says)
{
	static const char data[] = "123456789";	/* of which everybody knows the CRC */
	struct peer_verdict verdict, answer;
	int fd = self->vmm.fd;

	EXPECT_EQ(0xe3069283, crc32c(0, data, 9));
	ASSERT_EQ(0, peer_send_init(self->ch, 0));
	ASSERT_EQ(0, send_frame(self->ch, 0, data, 4, false));
	ASSERT_EQ(0, send_frame(self->ch, 1, data + 4, 5, false));
	ASSERT_EQ(0, send_frame(self->ch, 2, "config is not state", 19, true));
	ASSERT_EQ(0, peer_recv(self->ch, &verdict, sizeof(verdict)));
	EXPECT_EQ(0, verdict.status);
	EXPECT_STREQ(idstrs[0], verdict.idstr);
	EXPECT_EQ(0xe3069283, crc_get(&verdict));

	answer = peer_verdict(variant->status, variant->idstr, "b\033d");
	answer.magic = peer_put32(variant->magic);
	ASSERT_EQ(0, peer_send(self->ch, &answer, variant->size));
	if (variant->size < sizeof(answer))
		shutdown(self->ch, SHUT_WR);
	if (!variant->error) {
		EXPECT_EQ(0, session_wait(fd, M_HANDED_OVER, WAIT_MS));
		return;
	}
	ASSERT_EQ(0, session_wait(fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(fd, variant->error, variant->words));
	EXPECT_TRUE(device_is(&self->vmm.dev[0], STOP));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
