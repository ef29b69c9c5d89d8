// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same over each kind of socket: everything arrives byte for byte, whatever fills
 * up and whoever is slow; what was sent survives a close; a verdict is never lost.
 */
#include "session_fixture.h"

#define SIZE	(3 * MIB + 5)

FIXTURE(socket)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
	int ch;		/* the end of a peer that is played by hand */
};

FIXTURE_VARIANT(socket)
{
	int (*connect)(int fd[2]);
	const char *missing;
};

FIXTURE_VARIANT_ADD(socket, tcp) { .connect = peer_pair };
FIXTURE_VARIANT_ADD(socket, tls) {
	.connect = peer_pair_tls,
	.missing = "the module tls is not loaded",
};

FIXTURE_VARIANT_ADD(socket, mptcp) {
	.connect = peer_pair_mptcp,
	.missing = "the kernel has no MPTCP",
};

FIXTURE_VARIANT_ADD(socket, unix) { .connect = peer_pair_unix };
FIXTURE_VARIANT_ADD(socket, vsock) {
	.connect = peer_pair_vsock,
	.missing = "vsock_loopback is not loaded",
};

FIXTURE_SETUP(socket)
{
	int fd[2];

	self->pair.from = -1;
	self->pair.to = -1;
	self->ch = -1;
	if (variant->missing && variant->connect(fd))
		SKIP(return, "%s", variant->missing);
	vmm_setup(_metadata, &self->vmm, NULL);
}

FIXTURE_TEARDOWN(socket)
{
	close(self->ch);
	pair_close(&self->pair);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define VMM	(&self->vmm)

/* Payloads that differ from device to device and from page to page. */
static int fill(struct _test_data_vmm *vmm, __u64 size)
{
	int i, ret = 0;

	for (i = 0; i < SESSION_DEVICES; i++) {
		ret |= attr_write_num(vmm->dev[i].addr, "state_size", i < 2 ? size : 1000);
		ret |= attr_write_num(vmm->dev[i].addr, "seed", 11 + i);
	}
	return ret;
}

/* A source session with one device and a channel to self->ch. */
static int source_open(struct _test_data_socket *self, int (*connect)(int fd[2]))
{
	int fd[2], ret;

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

TEST_F(socket, arrives)
{
	struct timeline t;

	ASSERT_EQ(0, fill(VMM, SIZE));
	ASSERT_EQ(0, pair_open_over(&self->pair, &VMM->dev[0], &VMM->dev[2], 2, 3,
				    variant->connect));
	ASSERT_EQ(0, pair_start(&self->pair, true, MIB));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
	ASSERT_EQ(0, session_timeline(self->pair.from, &t));
	EXPECT_GE(MIB, t.t.staging_peak);
	ASSERT_EQ(0, session_wait(self->pair.from, M_HANDED_OVER, WAIT_MS));
}

/* Pieces that fit neither pages nor frames, at both ends. */
TEST_F(socket, short_steps)
{
	int i;

	ASSERT_EQ(0, fill(VMM, 300007));
	for (i = 0; i < SESSION_DEVICES; i++) {
		ASSERT_EQ(0, attr_write_num(VMM->dev[i].addr, "read_chunk", 1000 + 777 * i));
		ASSERT_EQ(0, attr_write_num(VMM->dev[i].addr, "write_chunk", 1333 + 99 * i));
	}
	ASSERT_EQ(0, pair_open_over(&self->pair, &VMM->dev[0], &VMM->dev[2], 2, 2,
				    variant->connect));
	ASSERT_EQ(0, pair_start(&self->pair, true, MIB));
	ASSERT_EQ(0, pair_finish(&self->pair));
	EXPECT_TRUE(pair_equal(&self->pair));
}

/* Without a verdict the source is done, and gone, when its sockets have it all. */
TEST_F(socket, source_leaves)
{
	int i;

	ASSERT_EQ(0, fill(VMM, SIZE));
	for (i = 2; i < SESSION_DEVICES; i++)
		ASSERT_EQ(0, attr_write(VMM->dev[i].addr, "write_us_per_mib", "30000"));
	ASSERT_EQ(0, pair_open_over(&self->pair, &VMM->dev[0], &VMM->dev[2], 2, 1,
				    variant->connect));
	ASSERT_EQ(0, pair_start(&self->pair, false, 4 * MIB));
	ASSERT_EQ(0, session_wait(self->pair.from, M_SENT, WAIT_MS));
	close(self->pair.from);
	self->pair.from = -1;
	ASSERT_EQ(0, session_wait(self->pair.to, M_LOADED | M_HANDED_OVER, WAIT_MS));
	ASSERT_EQ(0, session_set_state(self->pair.to, RUNNING, NONE, 0, 0, NULL));
	EXPECT_TRUE(pair_equal(&self->pair));
}

/* The destination fails in the middle: the source hears why. */
TEST_F(socket, verdict_of_failure)
{
	ASSERT_EQ(0, fill(VMM, 16 * MIB));
	ASSERT_EQ(0, attr_write_num(VMM->dev[3].addr, "fail_write_at", 5000));
	ASSERT_EQ(0, pair_open_over(&self->pair, &VMM->dev[0], &VMM->dev[2], 2, 2,
				    variant->connect));
	ASSERT_EQ(0, pair_start(&self->pair, true, MIB));
	ASSERT_EQ(0, session_wait(self->pair.from, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(self->pair.from, EREMOTEIO, "the destination failed: "));
	EXPECT_TRUE(device_is(&VMM->dev[0], RUNNING));
	EXPECT_TRUE(device_is(&VMM->dev[1], RUNNING));
}

/* The source gives up in the middle: the destination notices. */
TEST_F(socket, source_aborts)
{
	struct vfio_migmux_last_error last;

	ASSERT_EQ(0, fill(VMM, 16 * MIB));
	ASSERT_EQ(0, attr_write(VMM->dev[0].addr, "read_us_per_mib", "100000"));
	ASSERT_EQ(0, pair_open_over(&self->pair, &VMM->dev[0], &VMM->dev[2], 1, 2,
				    variant->connect));
	ASSERT_EQ(0, pair_start(&self->pair, true, MIB));
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, MIB));
	ASSERT_EQ(0, session_abort(self->pair.from, RUNNING));
	ASSERT_EQ(0, session_wait(self->pair.to, M_FAILED | M_ENDED, WAIT_MS));
	last = session_last_error(self->pair.to);
	EXPECT_TRUE(last.error == ECONNABORTED || last.error == ECONNRESET);
	EXPECT_TRUE(session_says(self->pair.to, last.error, "channel "));
	EXPECT_TRUE(device_is(&VMM->dev[0], RUNNING));
}

/* The peer has sent a bad verdict and closed: the source says what it was told. */
static bool says_full(struct _test_data_socket *self, int (*connect)(int fd[2]))
{
	/* one that closes with unread data resets TCP, and TLS reads nothing after that */
	return session_says(VMM->fd, EREMOTEIO, "full (error 28)") ||
	       (connect == peer_pair_tls &&
		(session_says(VMM->fd, ECONNRESET, "channel 0 to ") ||
		 session_says(VMM->fd, EPIPE, "channel 0 to ")));
}

/* Before anything could be sent to it. */
TEST_F(socket, verdict_first)
{
	struct peer_verdict verdict = peer_verdict(ENOSPC, idstrs[0], "full");

	ASSERT_EQ(0, fill(VMM, 16 * MIB));
	ASSERT_EQ(0, source_open(self, variant->connect));
	ASSERT_EQ(0, peer_send(self->ch, &verdict, sizeof(verdict)));
	close(self->ch);
	self->ch = -1;
	ASSERT_EQ(0, session_save(VMM->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, session_wait(VMM->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(says_full(self, variant->connect));
	EXPECT_TRUE(device_is(&VMM->dev[0], RUNNING));
}

/* When the peer has not read all that came. */
TEST_F(socket, verdict_and_closed)
{
	struct peer_verdict verdict = peer_verdict(ENOSPC, idstrs[0], "full");

	ASSERT_EQ(0, fill(VMM, 16 * MIB));
	ASSERT_EQ(0, source_open(self, variant->connect));
	ASSERT_EQ(0, session_save(VMM->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, MIB));
	ASSERT_EQ(0, peer_send(self->ch, &verdict, sizeof(verdict)));
	close(self->ch);
	self->ch = -1;
	ASSERT_EQ(0, session_wait(VMM->fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(says_full(self, variant->connect));
	EXPECT_TRUE(device_is(&VMM->dev[0], RUNNING));
}

/* --- a slow reader -------------------------------------------------------------------- */

/* All of @size bytes in pieces that fit nothing, with pauses in between. */
static int recv_slowly(int fd, void *buf, size_t size)
{
	const size_t piece = 9973;
	size_t done, n;
	int ret;

	for (done = 0; done < size; done += n) {
		n = size - done < piece ? size - done : piece;
		ret = peer_recv(fd, buf + done, n);
		if (ret)
			return ret;
		usleep(300);
	}
	return 0;
}

/* Frames until the config frame; their data must be @want from its beginning to its end. */
static int frames_equal(int fd, const char *want, size_t size)
{
	static char data[PEER_DATA_MAX];
	struct peer_frame frame;
	size_t bytes, done = 0;
	__u32 idx;
	int ret;

	for (idx = 0; ; idx++) {
		ret = peer_recv(fd, &frame, sizeof(frame));
		if (ret)
			return ret;
		bytes = peer_get32(frame.size) - 12;
		if (peer_get32(frame.idx) != idx || bytes > sizeof(data))
			return -EPROTO;
		ret = recv_slowly(fd, data, bytes);
		if (ret)
			return ret;
		if (peer_get32(frame.payload_flags) == 1)
			return done == size ? 0 : -ENODATA;
		if (done + bytes > size || memcmp(want + done, data, bytes)) {
			printf("# frame %u differs\n", idx);
			return -EBADMSG;
		}
		done += bytes;
	}
}

/*
 * The pool is one frame, so its memory is wanted again while the socket may still hold
 * what was in it.
 */
TEST_F(socket, slow_reader)
{
	static char want[STREAM_MAX];
	struct peer_init init;
	long size;

	ASSERT_EQ(0, fill(VMM, SIZE));
	ASSERT_EQ(0, attr_write(VMM->dev[0].addr, "headerless", "1"));
	size = device_save(&VMM->dev[0], want, sizeof(want));
	ASSERT_EQ(SIZE, size);
	ASSERT_EQ(0, set_state(&VMM->dev[0], RUNNING, NULL));
	ASSERT_EQ(0, source_open(self, variant->connect));
	ASSERT_EQ(0, session_save(VMM->fd, 0, RUNNING, MIB));
	/* not a byte is taken before the socket is full */
	ASSERT_EQ(0, saved_wait(VMM->dev[0].addr, MIB));
	ASSERT_EQ(0, peer_recv(self->ch, &init, sizeof(init)));
	EXPECT_EQ(0, frames_equal(self->ch, want, size));
	ASSERT_EQ(0, session_wait(VMM->fd, M_SENT, WAIT_MS));
}

/*
 * A source that is sent has nothing left that its end could destroy: the session and its
 * socket are closed at once, while the peer has just begun to read.
 */
TEST_F(socket, sent_is_safe)
{
	static char want[STREAM_MAX];
	struct peer_init init;
	int status;
	pid_t pid;
	long size;

	ASSERT_EQ(0, fill(VMM, SIZE));
	ASSERT_EQ(0, attr_write(VMM->dev[0].addr, "headerless", "1"));
	size = device_save(&VMM->dev[0], want, sizeof(want));
	ASSERT_EQ(SIZE, size);
	ASSERT_EQ(0, set_state(&VMM->dev[0], RUNNING, NULL));
	ASSERT_EQ(0, source_open(self, variant->connect));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* the parent alone has the session */
		close(VMM->fd);
		_exit(peer_recv(self->ch, &init, sizeof(init)) ||
		      frames_equal(self->ch, want, size));
	}
	close(self->ch);
	self->ch = -1;
	ASSERT_EQ(0, session_save(VMM->fd, 0, RUNNING, 4 * MIB));
	EXPECT_EQ(0, session_wait(VMM->fd, M_SENT, WAIT_MS));
	close(VMM->fd);
	VMM->fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A channel that sent without copying, until its owner made it a TLS socket. */
TEST_F(vmm, becomes_tls)
{
	static char want[STREAM_MAX];
	struct peer_init init;
	int fd[2], ch[2];
	long size;

	if (peer_pair_tls(fd))
		SKIP(return, "the module tls is not loaded");
	close(fd[0]);
	close(fd[1]);
	ASSERT_EQ(0, fill(self, SIZE));
	ASSERT_EQ(0, attr_write(self->dev[0].addr, "headerless", "1"));
	size = device_save(&self->dev[0], want, sizeof(want));
	ASSERT_EQ(SIZE, size);
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair(ch));
	ASSERT_EQ(0, session_channel_add(self->fd, ch[0], 0));
	ASSERT_EQ(0, peer_tls(ch));
	ASSERT_EQ(0, session_save(self->fd, 0, RUNNING, MIB));
	ASSERT_EQ(0, peer_recv(ch[1], &init, sizeof(init)));
	EXPECT_EQ(0, frames_equal(ch[1], want, size));
	ASSERT_EQ(0, session_wait(self->fd, M_SENT, WAIT_MS));
	close(ch[0]);
	close(ch[1]);
}

/* --- files that nobody asked for --------------------------------------------------------- */

/* The only writer of a pipe goes to the session: it is closed when the pipe hangs up. */
static void check_file_closed(struct __test_metadata *_metadata, int ch, const void *buf,
			      size_t size)
{
	const bool refused = peer_file_refused();
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(refused ? -EPERM : 0, peer_send_file(ch, buf, size, pipes[1]));
	if (refused)
		ASSERT_EQ(0, peer_send(ch, buf, size));
	close(pipes[1]);
	EXPECT_EQ(POLLHUP, session_poll(pipes[0], POLLIN, WAIT_MS));
	close(pipes[0]);
}

/* A peer may send files along with its bytes: nobody keeps them. */
TEST_F(vmm, files_to_destination)
{
	const struct peer_frame head = peer_frame(idstrs[0], 0, 1000, false);
	const struct peer_init init = peer_init(0);
	const char data[1000] = { 0 };
	int fd[2];

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair_unix(fd));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	ASSERT_EQ(0, session_load(self->fd, 0, NONE, STAGING));
	check_file_closed(_metadata, fd[1], &init, sizeof(init));
	check_file_closed(_metadata, fd[1], &head, sizeof(head));
	check_file_closed(_metadata, fd[1], data, sizeof(data));
	EXPECT_EQ(M_READY, session_reached(self->fd));
	close(fd[1]);
}

TEST_F(vmm, files_to_source)
{
	const struct peer_verdict verdict = peer_verdict(0, "", "");
	int fd[2];

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, idstrs[0], 0));
	ASSERT_EQ(0, peer_pair_unix(fd));
	ASSERT_EQ(0, session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	ASSERT_EQ(0, session_save(self->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING));
	ASSERT_EQ(0, peer_drain(&fd[1], 1, 1));
	ASSERT_EQ(0, session_wait(self->fd, M_SENT, WAIT_MS));
	/* half of a verdict, so that it goes on */
	check_file_closed(_metadata, fd[1], &verdict, sizeof(verdict) / 2);
	EXPECT_EQ(0, session_reached(self->fd) & (M_HANDED_OVER | M_FAILED));
	close(fd[1]);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
