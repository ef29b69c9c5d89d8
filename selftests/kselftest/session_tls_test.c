// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels over kernel TLS: how they end, and what a peer can send besides data. Links that
 * are for TLS alone.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <linux/tls.h>

#include "mnl.h"
#include "session_fixture.h"

#define ALERT		21
#define HANDSHAKE	22

static const __u8 close_notify[] = { 1, 0 };
static const __u8 bad_mac[] = { 2, 20 };
static const __u8 unknown_alert[] = { 2, 200 };
static const __u8 key_update[] = { 24, 0, 0, 1, 0 };
static const __u8 ticket[] = { 4, 0, 0, 1, 0 };

FIXTURE(tls)
{
	FIXTURE_DATA(vmm) vmm;
	struct nl nl;
	int ch;		/* the peer's end */
};

#define VMM	(&self->vmm)

FIXTURE_SETUP(tls)
{
	int fd[2];

	self->ch = -1;
	if (peer_pair_tls(fd))
		SKIP(return, "the module tls is not loaded");
	close(fd[0]);
	close(fd[1]);
	vmm_setup(_metadata, VMM, NULL);
	ASSERT_EQ(0, nl_open(&self->nl));
}

FIXTURE_TEARDOWN(tls)
{
	close(self->ch);
	vmm_teardown(_metadata, VMM, NULL);
	nl_link_del(&self->nl, "l");
	nl_close(&self->nl);
}

/* TLS at one end and in one direction alone. */
static int tls_one_way(int fd, int direction)
{
	const struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof("tls")) ||
	    setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)))
		return -errno;
	return 0;
}

/* What the peer writes is for us a record, whatever it is. */
static int half_tls(int fd[2])
{
	return peer_pair(fd) ?: tls_one_way(fd[0], TLS_RX);
}

static int session_over(struct _test_data_tls *self, int (*connect)(int fd[2]))
{
	int fd[2], ret;

	ret = attr_write(VMM->dev[0].addr, "headerless", "1");
	if (!ret)
		ret = session_device_add(VMM->fd, VMM->dev[0].fd, idstrs[0], 0);
	if (!ret)
		ret = connect(fd);
	if (!ret) {
		ret = session_channel_add(VMM->fd, fd[0], 0);
		close(fd[0]);
		self->ch = fd[1];
	}
	return ret;
}

static int destination(struct _test_data_tls *self, __u32 flags)
{
	return session_over(self, peer_pair_tls) ?:
	       session_load(VMM->fd, flags, RUNNING, STAGING) ?:
	       peer_send_init(self->ch, 0);
}

/* The session has failed, for that reason. */
static void failed(struct __test_metadata *_metadata, struct _test_data_tls *self, int error,
		   const char *words)
{
	ASSERT_EQ(0, session_wait(VMM->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(VMM->fd, error, words));
	EXPECT_TRUE(device_is(&VMM->dev[0], RUNNING));
}

/* Of a frame with a megabyte, the header and a bit more. */
static int half_a_frame(int fd)
{
	const struct peer_frame frame = peer_frame(idstrs[0], 0, MIB, false);
	char data[1000] = "half";

	return peer_send(fd, &frame, sizeof(frame)) ?: peer_send(fd, data, sizeof(data));
}

/* --- what ends a channel ------------------------------------------------------------- */

TEST_F(tls, close_notify_in_frame)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, half_a_frame(self->ch));
	ASSERT_EQ(0, peer_send_record(self->ch, ALERT, close_notify, 2));
	failed(_metadata, self, ECONNABORTED, "closed in the middle of a frame");
	EXPECT_FALSE(strstr((char *)session_last_error(VMM->fd).text, "TLS"));
}

TEST_F(tls, cut_off_in_frame)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, half_a_frame(self->ch));
	ASSERT_EQ(0, shutdown(self->ch, SHUT_WR));
	failed(_metadata, self, ECONNABORTED,
	       "middle of a frame (TLS: cut off, no close_notify came)");
}

/* Where a packet ends, an end alone says nothing of what is missing: the frames do. */
TEST_F(tls, cut_off_between_frames)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, peer_send_frame(self->ch, idstrs[0], 0, 1000, false));
	ASSERT_EQ(0, shutdown(self->ch, SHUT_WR));
	failed(_metadata, self, EPROTO, "has not come (TLS: cut off, no close_notify came)");
}

TEST_F(tls, cut_off_before_confirmed)
{
	struct peer_verdict verdict;

	ASSERT_EQ(0, destination(self, VFIO_MIGMUX_LOAD_VERDICT));
	ASSERT_EQ(0, peer_send_frame(self->ch, idstrs[0], 0, 1000, false));
	ASSERT_EQ(0, peer_send_frame(self->ch, idstrs[0], 1, 0, true));
	ASSERT_EQ(0, peer_recv(self->ch, &verdict, sizeof(verdict)));
	ASSERT_EQ(0, verdict.status);
	ASSERT_EQ(0, shutdown(self->ch, SHUT_WR));
	ASSERT_EQ(0, session_wait(VMM->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(VMM->fd, ECONNABORTED, "before it confirmed (TLS: cut off"));
}

static void loads(struct __test_metadata *_metadata, struct _test_data_tls *self)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, peer_send_frame(self->ch, idstrs[0], 0, 1000, false));
	ASSERT_EQ(0, peer_send_frame(self->ch, idstrs[0], 1, 0, true));
}

TEST_F(tls, close_notify_at_end)
{
	loads(_metadata, self);
	ASSERT_EQ(0, peer_send_record(self->ch, ALERT, close_notify, 2));
	EXPECT_EQ(0, session_wait(VMM->fd, M_LOADED | M_HANDED_OVER, WAIT_MS));
}

/* Nothing is missing, so nothing was cut off. */
TEST_F(tls, plain_end_at_end)
{
	loads(_metadata, self);
	ASSERT_EQ(0, shutdown(self->ch, SHUT_WR));
	EXPECT_EQ(0, session_wait(VMM->fd, M_LOADED | M_HANDED_OVER, WAIT_MS));
}

/* --- what is no data ----------------------------------------------------------------- */

TEST_F(tls, alert)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, half_a_frame(self->ch));
	ASSERT_EQ(0, peer_send_record(self->ch, ALERT, bad_mac, 2));
	failed(_metadata, self, ECONNABORTED, "(TLS alert 20: bad record MAC)");
}

/* Only one byte is wanted when it comes. */
TEST_F(tls, alert_in_last_byte)
{
	const struct peer_init init = peer_init(0);

	ASSERT_EQ(0, session_over(self, peer_pair_tls));
	ASSERT_EQ(0, session_load(VMM->fd, 0, RUNNING, STAGING));
	ASSERT_EQ(0, peer_send(self->ch, &init, sizeof(init) - 1));
	ASSERT_EQ(0, peer_send_record(self->ch, ALERT, unknown_alert, 2));
	failed(_metadata, self, ECONNABORTED, "(TLS alert 200: see RFC 8446)");
}

TEST_F(tls, alert_cut)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, peer_send_record(self->ch, ALERT, bad_mac, 1));
	failed(_metadata, self, EPROTO, "type 21 with 1 bytes makes no sense");
}

TEST_F(tls, alert_for_verdict)
{
	struct peer_init init;

	ASSERT_EQ(0, session_over(self, peer_pair_tls));
	ASSERT_EQ(0, session_save(VMM->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, peer_recv(self->ch, &init, sizeof(init)));
	ASSERT_EQ(0, peer_send_record(self->ch, ALERT, bad_mac, 2));
	failed(_metadata, self, ECONNABORTED,
	       "before its verdict (TLS alert 20: bad record MAC)");
}

TEST_F(tls, key_update)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, half_a_frame(self->ch));
	ASSERT_EQ(0, peer_send_record(self->ch, HANDSHAKE, key_update, sizeof(key_update)));
	failed(_metadata, self, EPROTO, "(TLS: the peer changes its keys");
}

TEST_F(tls, ticket)
{
	ASSERT_EQ(0, destination(self, 0));
	ASSERT_EQ(0, peer_send_record(self->ch, HANDSHAKE, ticket, sizeof(ticket)));
	failed(_metadata, self, EPROTO, "(TLS: the peer sends session tickets");
}

TEST_F(tls, forged_record)
{
	__u8 record[5 + 100] = { 23, 3, 3, 0, 100, 1, 2, 3 };

	ASSERT_EQ(0, session_over(self, half_tls));
	ASSERT_EQ(0, session_load(VMM->fd, 0, RUNNING, STAGING));
	ASSERT_EQ(0, peer_send(self->ch, record, sizeof(record)));
	failed(_metadata, self, EBADMSG, "(TLS: a record was damaged, forged");
}

TEST_F(tls, no_record)
{
	ASSERT_EQ(0, session_over(self, half_tls));
	ASSERT_EQ(0, session_load(VMM->fd, 0, RUNNING, STAGING));
	ASSERT_EQ(0, peer_send_init(self->ch, 0));
	ASSERT_EQ(0, session_wait(VMM->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(VMM->fd, session_last_error(VMM->fd).error,
				 "(TLS: what comes is no TLS record)"));
}

/* --- what we say ----------------------------------------------------------------------- */

TEST_F(tls, says_close_notify_after_verdict)
{
	struct peer_verdict verdict;
	__u8 alert[2];

	ASSERT_EQ(0, destination(self, VFIO_MIGMUX_LOAD_VERDICT));
	ASSERT_EQ(0, peer_send_frame(self->ch, "nobody", 0, 10, false));
	ASSERT_EQ(0, peer_recv(self->ch, &verdict, sizeof(verdict)));
	EXPECT_NE(0, verdict.status);
	EXPECT_EQ(ALERT, peer_recv_record(self->ch, alert, sizeof(alert)));
	EXPECT_EQ(0, memcmp(alert, close_notify, sizeof(alert)));
	EXPECT_EQ(0, peer_recv_record(self->ch, alert, sizeof(alert)));
}

TEST_F(tls, says_close_notify_with_link)
{
	struct nl_channels ch;
	__u8 alert[2];
	int fd[2];

	ASSERT_EQ(0, nl_link_new_tls(&self->nl, "l"));
	ASSERT_EQ(0, peer_pair_tls(fd));
	ASSERT_EQ(0, nl_channel_new(&self->nl, "l", fd[0], &ch));
	close(fd[0]);
	self->ch = fd[1];
	ASSERT_EQ(0, nl_link_del(&self->nl, "l"));
	EXPECT_EQ(ALERT, peer_recv_record(self->ch, alert, sizeof(alert)));
	EXPECT_EQ(0, memcmp(alert, close_notify, sizeof(alert)));
	EXPECT_EQ(0, peer_recv_record(self->ch, alert, sizeof(alert)));
}

/* --- what TLS keeps ------------------------------------------------------------------------ */

#define SEND_BUFFER	(11 * 1024)
#define RECV_BUFFER	(4 * 1024)
#define SEGMENT		1024

/*
 * Sockets that hold next to nothing. The peer's window and the segments are small from the
 * beginning, so that TCP takes a record in many pieces, and is often full in the middle of it.
 */
static int small_pair(int fd[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	const int send = SEND_BUFFER, recv = RECV_BUFFER, segment = SEGMENT;
	int ret = 0;

	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setsockopt(server, SOL_SOCKET, SO_RCVBUF, &recv, sizeof(recv)) ||
	    setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &send, sizeof(send)) ||
	    setsockopt(fd[0], SOL_TCP, TCP_MAXSEG, &segment, sizeof(segment)) ||
	    bind(server, (struct sockaddr *)&addr, len) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&addr, &len) ||
	    connect(fd[0], (struct sockaddr *)&addr, len))
		ret = -errno;
	fd[1] = ret ? -1 : accept4(server, NULL, NULL, SOCK_CLOEXEC);
	close(server);
	return ret ?: tls_one_way(fd[0], TLS_TX);
}

static int small_channels(int session, int peer[2])
{
	int i, fd[2], ret = 0;

	for (i = 0; i < 2 && !ret; i++) {
		ret = small_pair(fd);
		if (!ret && session_channel_add(session, fd[0], 0) != i)
			ret = -EINVAL;
		close(fd[0]);
		peer[i] = fd[1];
	}
	return ret;
}

/* Bytes of data in whole records, or -1 if the last one is not whole. */
static long records_data(const __u8 *raw, size_t size)
{
	const size_t overhead = 1 + 16;	/* type and tag */
	size_t at = 0, data = 0, len;

	while (at + 5 <= size) {
		len = raw[at + 3] << 8 | raw[at + 4];
		at += 5 + len;
		data += len - overhead;
	}
	return at == size ? (long)data : -1;
}

/*
 * A device's only frame goes through the first channel, what says so through the second. All
 * is closed in the moment in which both are sent: the peer has read no more than it had to.
 * It does not decrypt: kernel TLS would read a record ahead. The bytes of data that came.
 */
static long leave(struct _test_data_tls *self)
{
	static __u8 raw[2 * MIB];
	int peer[2], ret, session = session_open();
	size_t done;
	ssize_t n;

	ret = session_device_add(session, VMM->dev[0].fd, idstrs[0], 0) ?:
	      small_channels(session, peer) ?:
	      session_save(session, 0, RUNNING, STAGING);
	ret = ret ?: peer_recv(peer[0], raw, MIB - 64 * KIB);
	done = MIB - 64 * KIB;
	while (!ret && session_wait(session, M_SENT, 1) == -ETIMEDOUT) {
		n = recv(peer[0], raw + done, 500, MSG_DONTWAIT);
		done += n > 0 ? n : 0;
	}
	close(session);
	while (!ret && done < sizeof(raw) && !peer_recv(peer[0], raw + done, 1))
		done++;
	close(peer[0]);
	close(peer[1]);
	return ret ?: records_data(raw, done);
}

/* The last record is long, and each ends at another place in the socket's memory. */
TEST_F_TIMEOUT(tls, sent_is_sent, 150)
{
	const size_t heads = sizeof(struct peer_init) + sizeof(struct peer_frame);
	size_t size;
	int i;

	for (i = 0; i < 12; i++) {
		size = MIB - sizeof(struct peer_frame) - 1 - 701 * i;
		ASSERT_EQ(0, attr_write(VMM->dev[0].addr, "headerless", "1"));
		ASSERT_EQ(0, attr_write_num(VMM->dev[0].addr, "state_size", size));
		EXPECT_EQ(heads + size, leave(self));
		ASSERT_EQ(0, set_state(&VMM->dev[0], RUNNING, NULL));
	}
}

/* --- links ------------------------------------------------------------------------------- */

static void link_refuses(struct __test_metadata *_metadata, struct _test_data_tls *self,
			 int (*connect)(int fd[2]))
{
	struct nl_channels ch;
	int fd[2];

	ASSERT_EQ(0, connect(fd));
	EXPECT_EQ(-EPROTONOSUPPORT, nl_channel_new(&self->nl, "l", fd[0], &ch));
	EXPECT_NE(NULL, strstr(self->nl.text, "the link is for TLS"));
	close(fd[0]);
	close(fd[1]);
}

TEST_F(tls, link_for_tls)
{
	ASSERT_EQ(0, nl_link_new_tls(&self->nl, "l"));
	link_refuses(_metadata, self, peer_pair);
	link_refuses(_metadata, self, peer_pair_unix);
	/* not in both directions */
	link_refuses(_metadata, self, half_tls);
}

/* What the last channel-get said of TLS. */
struct seen {
	__u32 version;
	__u32 cipher;
	__u32 method;
};

static void see(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct seen *seen = data;

	(void)cmd;
	memset(seen, 0, sizeof(*seen));
	seen->method = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_CHANNEL_SEND_METHOD]);
	if (attrs[VFIO_MIGMUX_A_CHANNEL_TLS_VERSION])
		seen->version = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_CHANNEL_TLS_VERSION]);
	if (attrs[VFIO_MIGMUX_A_CHANNEL_TLS_CIPHER])
		seen->cipher = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_CHANNEL_TLS_CIPHER]);
}

static struct seen channel_seen(struct nl *nl, __u32 id)
{
	struct nlmsghdr *head = nl_begin(nl, VFIO_MIGMUX_CMD_CHANNEL_GET, NLM_F_ACK);
	struct seen seen = { .version = 1 };

	mnl_attr_put_strz(head, VFIO_MIGMUX_A_CHANNEL_LINK, "l");
	mnl_attr_put_u32(head, VFIO_MIGMUX_A_CHANNEL_ID, id);
	nl_call(nl, see, &seen);
	return seen;
}

/* Without the wish any socket will do, and each is shown as what it is. */
TEST_F(tls, shown)
{
	static const struct {
		int (*connect)(int fd[2]);
		struct seen want;
	} kinds[] = {
		{ peer_pair_tls, { TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
				   VFIO_MIGMUX_SEND_METHOD_SPLICE } },
		{ peer_pair, { .method = VFIO_MIGMUX_SEND_METHOD_ZEROCOPY } },
		{ peer_pair_unix, { .method = VFIO_MIGMUX_SEND_METHOD_SPLICE } },
		{ peer_pair_mptcp, { .method = VFIO_MIGMUX_SEND_METHOD_COPY } },
	};
	struct nl_channels ch;
	struct seen seen;
	int i, fd[2];

	ASSERT_EQ(0, nl_link_new(&self->nl, "l"));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		ASSERT_EQ(0, kinds[i].connect(fd));
		ASSERT_EQ(0, nl_channel_new(&self->nl, "l", fd[0], &ch));
		seen = channel_seen(&self->nl, i);
		EXPECT_EQ(kinds[i].want.version, seen.version);
		EXPECT_EQ(kinds[i].want.cipher, seen.cipher);
		EXPECT_EQ(kinds[i].want.method, seen.method);
		close(fd[0]);
		close(fd[1]);
	}
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
