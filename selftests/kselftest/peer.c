// SPDX-License-Identifier: GPL-2.0-only
/* The other end of a channel, played by hand; see peer.h */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tls.h>
#include <linux/vm_sockets.h>

#include "peer.h"

#define PATIENCE_MS	20000

/* Of 6.16: a socket can refuse files that come along with bytes. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS	83
#endif

struct peer_init peer_init(__u8 id)
{
	return (struct peer_init){
		.magic = peer_put32(PEER_MAGIC),
		.version = peer_put32(1),
		.id = id,
	};
}

struct peer_frame peer_frame(const char *idstr, __u32 idx, __u32 bytes, bool config)
{
	struct peer_frame frame = {
		.magic = peer_put32(PEER_MAGIC),
		.version = peer_put32(1),
		.flags = peer_put32(PEER_DEVICE_STATE),
		.size = peer_put32(12 + bytes),
		.idx = peer_put32(idx),
		.payload_flags = peer_put32(config),
	};

	strncpy(frame.idstr, idstr, sizeof(frame.idstr) - 1);
	return frame;
}

struct peer_verdict peer_verdict(__u32 status, const char *idstr, const char *reason)
{
	struct peer_verdict verdict = {
		.magic = peer_put32(PEER_VERDICT_MAGIC),
		.version = peer_put32(1),
		.status = peer_put32(status),
	};

	strncpy(verdict.idstr, idstr, sizeof(verdict.idstr) - 1);
	strncpy(verdict.reason, reason, sizeof(verdict.reason) - 1);
	return verdict;
}

struct peer_confirm peer_confirm(__u32 status)
{
	return (struct peer_confirm){
		.magic = peer_put32(PEER_CONFIRM_MAGIC),
		.version = peer_put32(1),
		.status = peer_put32(status),
	};
}

struct peer_ack peer_ack(const char *idstr, __u32 idx)
{
	struct peer_ack ack = {
		.magic = peer_put32(PEER_ACK_MAGIC),
		.version = peer_put32(1),
		.idx = peer_put32(idx),
	};

	strncpy(ack.idstr, idstr, sizeof(ack.idstr) - 1);
	return ack;
}

struct peer_query peer_query(__u32 id)
{
	return (struct peer_query){
		.magic = peer_put32(PEER_QUERY_MAGIC),
		.version = peer_put32(1),
		.id = peer_put32(id),
	};
}

struct peer_ready peer_ready(__u32 id, const char *idstr, __u32 index, __u32 nr_devices)
{
	struct peer_ready ready = {
		.magic = peer_put32(PEER_READY_MAGIC),
		.version = peer_put32(1),
		.id = peer_put32(id),
		.driver = "by_hand",
		.index = peer_put32(index),
		.nr_devices = peer_put32(nr_devices),
		.migration = peer_put32(3),
		.staging = { 0, peer_put32(1 << 20) },
	};

	strncpy(ready.idstr, idstr, sizeof(ready.idstr) - 1);
	return ready;
}

/* fd[0] connected to an address that the kernel chooses, fd[1] accepted. */
static int pair_over(int fd[2], struct sockaddr *addr, socklen_t len, int protocol)
{
	int server = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	int ret = 0;

	fd[0] = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (server < 0 || fd[0] < 0 || bind(server, addr, len) ||
	    listen(server, 1) || getsockname(server, addr, &len) ||
	    connect(fd[0], addr, len))
		ret = -errno;
	fd[1] = ret ? -1 : accept4(server, NULL, NULL, SOCK_CLOEXEC);
	close(server);
	return ret;
}

static int pair_loopback(int fd[2], int protocol)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return pair_over(fd, (struct sockaddr *)&addr, sizeof(addr), protocol);
}

/* TCP over the loopback. */
int peer_pair(int fd[2])
{
	return pair_loopback(fd, 0);
}

/* Wants a kernel that has it, and where it is not switched off. */
int peer_pair_mptcp(int fd[2])
{
	return pair_loopback(fd, IPPROTO_MPTCP);
}

int peer_pair_unix(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) ? -errno : 0;
}

/* Wants vsock_loopback: without it there is no such address, or no such family. */
int peer_pair_vsock(int fd[2])
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_LOCAL,
		.svm_port = VMADDR_PORT_ANY,
	};

	return pair_over(fd, (struct sockaddr *)&addr, sizeof(addr), 0);
}

static int tls_way(int from, int to, __u8 key)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
		.key = { key },
	};

	if (setsockopt(from, SOL_TLS, TLS_TX, &info, sizeof(info)) ||
	    setsockopt(to, SOL_TLS, TLS_RX, &info, sizeof(info)))
		return -errno;
	return 0;
}

/* Two ends of a TCP connection become kernel TLS, as after a handshake. Wants tls. */
int peer_tls(int fd[2])
{
	int i;

	for (i = 0; i < 2; i++)
		if (setsockopt(fd[i], SOL_TCP, TCP_ULP, "tls", sizeof("tls")))
			return -errno;
	return tls_way(fd[0], fd[1], 1) ?: tls_way(fd[1], fd[0], 2);
}

int peer_pair_tls(int fd[2])
{
	return peer_pair(fd) ?: peer_tls(fd);
}

/* Bytes with a control message of @len bytes. */
static int send_control(int fd, const void *buf, size_t size, const struct cmsghdr *head,
			const void *data, size_t len)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vec = { .iov_base = (void *)buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(len),
	};

	*CMSG_FIRSTHDR(&msg) = *head;
	CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), data, len);
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -errno;
}

/* A record that is no data, as after a handshake: an alert, or more of a handshake. */
int peer_send_record(int fd, __u8 type, const void *buf, size_t size)
{
	const struct cmsghdr head = {
		.cmsg_level = SOL_TLS,
		.cmsg_type = TLS_SET_RECORD_TYPE,
	};

	return send_control(fd, buf, size, &head, &type, sizeof(type));
}

bool peer_file_refused(void)
{
	int on, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(on);
	int ret = getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &on, &len);

	close(fd);
	return !ret;
}

/* Bytes and an open file, by AF_UNIX. */
int peer_send_file(int fd, const void *buf, size_t size, int file)
{
	const struct cmsghdr head = {
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};

	return send_control(fd, buf, size, &head, &file, sizeof(file));
}

static int ready(int fd, short events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = poll(&pfd, 1, ms);

	return ret < 0 ? -errno : ret ? 0 : -ETIMEDOUT;
}

int peer_send(int fd, const void *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;
	int ret;

	while (done < size) {
		n = send(fd, buf + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			done += n;
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		ret = ready(fd, POLLOUT, PATIENCE_MS);
		if (ret)
			return ret;
	}
	return 0;
}

int peer_send_init(int fd, __u8 id)
{
	const struct peer_init init = peer_init(id);

	return peer_send(fd, &init, sizeof(init));
}

/* A good frame with arbitrary data. */
int peer_send_frame(int fd, const char *idstr, __u32 idx, __u32 bytes, bool config)
{
	const struct peer_frame frame = peer_frame(idstr, idx, bytes, config);
	void *data;
	int ret;

	ret = peer_send(fd, &frame, sizeof(frame));
	if (ret || !bytes)
		return ret;
	data = malloc(bytes);
	memset(data, 'a' + idx, bytes);
	ret = peer_send(fd, data, bytes);
	free(data);
	return ret;
}

/* 0; -ENODATA when the other side closed before the last byte */
int peer_recv(int fd, void *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;
	int ret;

	while (done < size) {
		ret = ready(fd, POLLIN, PATIENCE_MS);
		if (ret)
			return ret;
		n = recv(fd, buf + done, size - done, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

/* A frame, its data thrown away; the number of bytes of data, or -errno. */
int peer_recv_frame(int fd, struct peer_frame *frame)
{
	static char data[PEER_DATA_MAX];
	__u32 bytes;
	int ret;

	ret = peer_recv(fd, frame, sizeof(*frame));
	if (ret)
		return ret;
	bytes = peer_get32(frame->size) - 12;
	if (peer_get32(frame->magic) != PEER_MAGIC || bytes > sizeof(data))
		return -EPROTO;
	ret = peer_recv(fd, data, bytes);
	return ret ? ret : (int)bytes;
}

/* The type of the next record, 0 at the end, or -errno; its first bytes. */
int peer_recv_record(int fd, void *buf, size_t size)
{
	char control[CMSG_SPACE(sizeof(__u8))] = { 0 };
	struct iovec vec = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int ret;

	ret = ready(fd, POLLIN, PATIENCE_MS);
	if (ret)
		return ret;
	ret = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (ret < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	return cmsg && cmsg->cmsg_level == SOL_TLS ? *CMSG_DATA(cmsg) : 0;
}

/*
 * Take what a source sends on its channels, and throw it away, until @configs
 * config frames have come. Each channel begins with its init.
 */
int peer_drain(const int *fds, int n, int configs)
{
	struct peer_init init;
	struct peer_frame frame;
	struct pollfd pfd[16];
	int i, ret;

	for (i = 0; i < n; i++) {
		ret = peer_recv(fds[i], &init, sizeof(init));
		if (ret)
			return ret;
		pfd[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	}
	while (configs) {
		if (poll(pfd, n, PATIENCE_MS) <= 0)
			return -ETIMEDOUT;
		for (i = 0; i < n && configs; i++) {
			if (!pfd[i].revents)
				continue;
			ret = peer_recv_frame(fds[i], &frame);
			if (ret < 0)
				return ret;
			configs -= peer_get32(frame.payload_flags) == 1;
		}
	}
	return 0;
}

/*
 * Take and keep what a source sends on its only channel, until @configs config frames have
 * come; how many frames, or -errno. Either way peer_let_go() frees what was kept.
 */
int peer_take(int fd, struct peer_held *held, int max, int configs)
{
	struct peer_init init;
	int n, ret;

	memset(held, 0, max * sizeof(*held));
	ret = peer_recv(fd, &init, sizeof(init));
	for (n = 0; !ret && configs && n < max; n++) {
		ret = peer_recv(fd, &held[n].head, sizeof(held[n].head));
		if (ret)
			break;
		held[n].bytes = peer_get32(held[n].head.size) - 12;
		if (held[n].bytes > PEER_DATA_MAX)
			return -EPROTO;
		held[n].data = malloc(held[n].bytes + 1);
		if (!held[n].data)
			return -ENOMEM;
		ret = peer_recv(fd, held[n].data, held[n].bytes);
		configs -= peer_get32(held[n].head.payload_flags) == 1;
	}
	return ret ?: n;
}

int peer_pass(int fd, const struct peer_held *held)
{
	return peer_send(fd, &held->head, sizeof(held->head)) ?:
	       peer_send(fd, held->data, held->bytes);
}

void peer_let_go(struct peer_held *held, int n)
{
	while (n--)
		free(held[n].data);
}

/* Has the other side closed (or reset) the connection, all data being read? */
bool peer_at_eof(int fd, int ms)
{
	char c;

	return !ready(fd, POLLIN, ms) && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

/* Close, so that the other side sees a reset. */
void peer_reset(int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}
