// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink family: every refusal with its errno and its text, links and
 * channels, sessions as they are shown, notifications. Wants root. Each test works in
 * a network namespace of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vfio_migmux.h>

#include "kselftest_harness.h"
#include "mnl.h"

#define NOBODY 65534

/* The longest name a link may have, and one more character. */
#define NAME_31 "abcdefghijklmnopqrstuvwxyz01234"
#define NAME_32 NAME_31 "5"

/* --- sockets --------------------------------------------------------------------- */

static int lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int err;

	err = ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return err;
}

static int tcp_listen(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (bind(fd, (struct sockaddr *)addr, len) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)addr, &len)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A connected pair, as socketpair() would make it. */
static int tcp_pair(int fd[2])
{
	struct sockaddr_in addr;
	int server = tcp_listen(&addr);

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (server < 0 || connect(fd[0], (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	fd[1] = accept(server, NULL, NULL);
	close(server);
	return fd[1] < 0 ? -1 : 0;
}

/* Has the peer of a socket closed? Waits up to @ms for it. */
static bool at_eof(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&pfd, 1, ms) == 1 && read(fd, &c, 1) <= 0;
}

/* --- the tests ------------------------------------------------------------------- */

/* @host: socket in the initial network namespace; @nl: in that of the test */
FIXTURE(netlink)
{
	struct nl host;
	struct nl nl;
};

FIXTURE_SETUP(netlink)
{
	int err;

	if (geteuid())
		SKIP(return, "wants root");
	err = nl_open(&self->host);
	if (err == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, lo_up());
	ASSERT_EQ(0, nl_open(&self->nl));
}

FIXTURE_TEARDOWN(netlink)
{
	nl_close(&self->nl);
	nl_close(&self->host);
}

static bool said(const struct nl *nl, const char *word)
{
	if (strstr(nl->text, word))
		return true;
	ksft_print_msg("'%s' is not in the text '%s'\n", word, nl->text);
	return false;
}

/* A refusal has an errno and a text with the words that help. */
#define EXPECT_REFUSED(nl, error, word, call) do {	\
	EXPECT_EQ(-(error), (call));			\
	EXPECT_TRUE(said((nl), (word)));		\
} while (0)

TEST_F(netlink, missing_attributes)
{
	static const struct {
		__u8 cmd;
		__u16 attr;
		const char *name;
	} cases[] = {
		{ VFIO_MIGMUX_CMD_LINK_NEW, VFIO_MIGMUX_A_LINK_NAME, "'name'" },
		{ VFIO_MIGMUX_CMD_LINK_DEL, VFIO_MIGMUX_A_LINK_NAME, "'name'" },
		{ VFIO_MIGMUX_CMD_LINK_GET, VFIO_MIGMUX_A_LINK_NAME, "'name'" },
		{ VFIO_MIGMUX_CMD_CHANNEL_NEW, VFIO_MIGMUX_A_CHANNEL_LINK, "'link'" },
		{ VFIO_MIGMUX_CMD_CHANNEL_DEL, VFIO_MIGMUX_A_CHANNEL_LINK, "'link'" },
		{ VFIO_MIGMUX_CMD_CHANNEL_GET, VFIO_MIGMUX_A_CHANNEL_LINK, "'link'" },
		{ VFIO_MIGMUX_CMD_SESSION_GET, VFIO_MIGMUX_A_SESSION_ID, "'id'" },
	}, with_link[] = {
		{ VFIO_MIGMUX_CMD_CHANNEL_NEW, VFIO_MIGMUX_A_CHANNEL_SOCKET_FD, "'socket-fd'" },
		{ VFIO_MIGMUX_CMD_CHANNEL_DEL, VFIO_MIGMUX_A_CHANNEL_ID, "'id'" },
		{ VFIO_MIGMUX_CMD_CHANNEL_GET, VFIO_MIGMUX_A_CHANNEL_ID, "'id'" },
	};
	static const __u8 devices[] = {
		VFIO_MIGMUX_CMD_DEVICE_GET,
		VFIO_MIGMUX_CMD_DEVICE_HOOK,
		VFIO_MIGMUX_CMD_DEVICE_UNHOOK,
	};
	struct nl *host = &self->host;
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		nl_begin(nl, cases[i].cmd, NLM_F_ACK);
		EXPECT_REFUSED(nl, EINVAL, cases[i].name, nl_call(nl, NULL, NULL));
		EXPECT_EQ(cases[i].attr, nl->missing);
	}
	for (i = 0; i < ARRAY_SIZE(with_link); i++) {
		nlh = nl_begin(nl, with_link[i].cmd, NLM_F_ACK);
		mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_CHANNEL_LINK, "l");
		EXPECT_REFUSED(nl, EINVAL, with_link[i].name, nl_call(nl, NULL, NULL));
		EXPECT_EQ(with_link[i].attr, nl->missing);
	}
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		nl_begin(host, devices[i], NLM_F_ACK);
		EXPECT_REFUSED(host, EINVAL, "'handle'", nl_call(host, NULL, NULL));
		EXPECT_EQ(VFIO_MIGMUX_A_DEVICE_HANDLE, host->missing);
	}
}

TEST_F(netlink, wrong_attributes)
{
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;

	/* too long */
	EXPECT_REFUSED(nl, EINVAL, "ttribute", nl_link_new(nl, NAME_32));
	EXPECT_EQ(VFIO_MIGMUX_A_LINK_NAME, nl->bad_attr);

	/* not terminated */
	nlh = nl_begin(nl, VFIO_MIGMUX_CMD_LINK_NEW, NLM_F_ACK);
	mnl_attr_put(nlh, VFIO_MIGMUX_A_LINK_NAME, 4, "abcd");
	EXPECT_REFUSED(nl, EINVAL, "ttribute", nl_call(nl, NULL, NULL));
	EXPECT_EQ(VFIO_MIGMUX_A_LINK_NAME, nl->bad_attr);

	/* a number of the wrong size */
	nlh = nl_begin(nl, VFIO_MIGMUX_CMD_SESSION_GET, NLM_F_ACK);
	mnl_attr_put_u16(nlh, VFIO_MIGMUX_A_SESSION_ID, 1);
	EXPECT_REFUSED(nl, EINVAL, "ttribute", nl_call(nl, NULL, NULL));
	EXPECT_EQ(VFIO_MIGMUX_A_SESSION_ID, nl->bad_attr);

	/* no descriptor */
	nlh = nl_begin(nl, VFIO_MIGMUX_CMD_CHANNEL_NEW, NLM_F_ACK);
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_CHANNEL_LINK, "l");
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_CHANNEL_SOCKET_FD, -1);
	EXPECT_REFUSED(nl, ERANGE, "range", nl_call(nl, NULL, NULL));
	EXPECT_EQ(VFIO_MIGMUX_A_CHANNEL_SOCKET_FD, nl->bad_attr);
}

TEST_F(netlink, unknown_attributes_and_commands)
{
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	unsigned int cmd;

	for (cmd = VFIO_MIGMUX_CMD_DEVICE_GET; cmd < __VFIO_MIGMUX_CMD_MAX; cmd++) {
		if (cmd == VFIO_MIGMUX_CMD_DEVICE_NTF || cmd == VFIO_MIGMUX_CMD_LINK_NTF ||
		    cmd == VFIO_MIGMUX_CMD_SET_NTF || cmd == VFIO_MIGMUX_CMD_SET_EVENT ||
		    cmd == VFIO_MIGMUX_CMD_SESSION_EVENT)
			continue;
		/* netlink does not look at what comes with a command that takes nothing */
		if (cmd == VFIO_MIGMUX_CMD_SET_AUTO_GET)
			continue;
		nlh = nl_begin(nl, cmd, NLM_F_ACK);
		mnl_attr_put_u32(nlh, 200, 1);
		EXPECT_REFUSED(nl, EINVAL, "attribute", nl_call(nl, NULL, NULL));
		EXPECT_EQ(200, nl->bad_attr);
	}

	/* what only the kernel sends, and what nobody knows */
	nl_begin(nl, VFIO_MIGMUX_CMD_LINK_NTF, NLM_F_ACK);
	EXPECT_EQ(-EOPNOTSUPP, nl_call(nl, NULL, NULL));
	nl_begin(nl, 200, NLM_F_ACK);
	EXPECT_EQ(-EOPNOTSUPP, nl_call(nl, NULL, NULL));

	/* attributes of a reply are not taken in a request */
	nlh = nl_begin(nl, VFIO_MIGMUX_CMD_LINK_NEW, NLM_F_ACK);
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_LINK_NAME, "l");
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_LINK_STATE, 2);
	EXPECT_EQ(-EINVAL, nl_call(nl, NULL, NULL));
	EXPECT_EQ(-ENOENT, nl_link_del(nl, "l"));
}

TEST_F(netlink, link_names)
{
	static const char * const bad[] = { "", "a b", "a/b", "a\n", "l\xc3\xa4", "a:b", "*" };
	static const char * const good[] = { "a", "0", "A.b_c-9", NAME_31 };
	struct nl *nl = &self->nl;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_REFUSED(nl, EINVAL, "A-Z a-z 0-9", nl_link_new(nl, bad[i]));
		EXPECT_REFUSED(nl, EINVAL, "A-Z a-z 0-9", nl_link_del(nl, bad[i]));
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, nl_link_new(nl, good[i]));
		EXPECT_REFUSED(nl, EEXIST, good[i], nl_link_new(nl, good[i]));
		EXPECT_EQ(0, nl_link(nl, VFIO_MIGMUX_CMD_LINK_GET, good[i]));
		EXPECT_EQ(0, nl_link_del(nl, good[i]));
		EXPECT_REFUSED(nl, ENOENT, good[i], nl_link_del(nl, good[i]));
		EXPECT_REFUSED(nl, ENOENT, good[i],
			       nl_link(nl, VFIO_MIGMUX_CMD_LINK_GET, good[i]));
	}
}

TEST_F(netlink, sockets_that_are_no_channel)
{
	struct nl *nl = &self->nl;
	struct sockaddr_in addr;
	struct nl_channels ch;
	int fd[2], pair[2];

	ASSERT_EQ(0, nl_link_new(nl, "l"));
	EXPECT_REFUSED(nl, EBADF, "descriptor", nl_channel_new(nl, "l", 1000, &ch));

	fd[0] = open("/dev/null", O_RDWR);
	EXPECT_REFUSED(nl, ENOTSOCK, "socket", nl_channel_new(nl, "l", fd[0], &ch));
	close(fd[0]);

	fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_REFUSED(nl, EPROTOTYPE, "stream", nl_channel_new(nl, "l", fd[0], &ch));
	close(fd[0]);

	/* any kind of stream that is none of ours */
	fd[0] = socket(AF_TIPC, SOCK_STREAM, 0);
	ASSERT_LE(0, fd[0]);
	EXPECT_REFUSED(nl, EAFNOSUPPORT, "TCP", nl_channel_new(nl, "l", fd[0], &ch));
	close(fd[0]);

	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_REFUSED(nl, ENOTCONN, "connect", nl_channel_new(nl, "l", fd[0], &ch));
	close(fd[0]);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_REFUSED(nl, ENOTCONN, "connect", nl_channel_new(nl, "l", fd[0], &ch));
	close(fd[0]);

	fd[0] = tcp_listen(&addr);
	EXPECT_REFUSED(nl, ENOTCONN, "connect", nl_channel_new(nl, "l", fd[0], &ch));
	close(fd[0]);

	/* one socket, two channels */
	ASSERT_EQ(0, tcp_pair(pair));
	EXPECT_EQ(0, nl_channel_new(nl, "l", pair[0], &ch));
	EXPECT_REFUSED(nl, EEXIST, "already", nl_channel_new(nl, "l", pair[0], &ch));

	/* a good socket, but no such link */
	EXPECT_REFUSED(nl, ENOENT, "nolink", nl_channel_new(nl, "nolink", pair[1], &ch));
	EXPECT_EQ(0, nl_channel_dump(nl, NULL, &ch));
	EXPECT_EQ(1, ch.count);
	EXPECT_EQ(0, nl_link_del(nl, "l"));
}

TEST_F(netlink, channels)
{
	struct nl *nl = &self->nl;
	int pair[4][2];
	struct nl_channels ch;
	unsigned int i;

	ASSERT_EQ(0, nl_link_new(nl, "l"));
	ASSERT_EQ(0, nl_link_new(nl, "other"));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, tcp_pair(pair[i]));
		ASSERT_EQ(0, nl_channel_new(nl, "l", pair[i][0], &ch));
		EXPECT_EQ(i, ch.id);
		EXPECT_STREQ("l", ch.link);
		close(pair[i][0]);
	}

	EXPECT_EQ(0, nl_channel(nl, VFIO_MIGMUX_CMD_CHANNEL_GET, "l", 2, &ch));
	EXPECT_EQ(2, ch.id);
	EXPECT_TRUE(ch.complete);
	EXPECT_EQ(0, strncmp("tcp:127.0.0.1:", ch.local, 14));
	EXPECT_EQ(0, strncmp("tcp:127.0.0.1:", ch.peer, 14));
	EXPECT_NE(0, strcmp(ch.local, ch.peer));

	/* the link holds the socket until the channel is deleted */
	EXPECT_FALSE(at_eof(pair[1][1], 0));
	EXPECT_EQ(0, nl_channel(nl, VFIO_MIGMUX_CMD_CHANNEL_DEL, "l", 1, &ch));
	EXPECT_TRUE(at_eof(pair[1][1], 5000));
	EXPECT_REFUSED(nl, ENOENT, "no channel 1",
		       nl_channel(nl, VFIO_MIGMUX_CMD_CHANNEL_DEL, "l", 1, &ch));
	EXPECT_REFUSED(nl, ENOENT, "no channel 1",
		       nl_channel(nl, VFIO_MIGMUX_CMD_CHANNEL_GET, "l", 1, &ch));
	EXPECT_REFUSED(nl, ENOENT, "nolink",
		       nl_channel(nl, VFIO_MIGMUX_CMD_CHANNEL_GET, "nolink", 0, &ch));

	/* its number is the next one's */
	ASSERT_EQ(0, tcp_pair(pair[3]));
	EXPECT_EQ(0, nl_channel_new(nl, "l", pair[3][0], &ch));
	EXPECT_EQ(1, ch.id);
	EXPECT_EQ(0, nl_channel_new(nl, "other", pair[3][1], &ch));

	EXPECT_EQ(0, nl_channel_dump(nl, "l", &ch));
	EXPECT_EQ(3, ch.count);
	EXPECT_TRUE(ch.rising);
	EXPECT_EQ(0, nl_channel_dump(nl, "other", &ch));
	EXPECT_EQ(1, ch.count);
	EXPECT_STREQ("other", ch.link);
	EXPECT_EQ(0, nl_channel_dump(nl, NULL, &ch));
	EXPECT_EQ(4, ch.count);
	EXPECT_REFUSED(nl, ENOENT, "nolink", nl_channel_dump(nl, "nolink", &ch));

	/* or the link is */
	EXPECT_FALSE(at_eof(pair[0][1], 0));
	EXPECT_EQ(0, nl_link_del(nl, "l"));
	EXPECT_TRUE(at_eof(pair[0][1], 5000));
	EXPECT_EQ(0, nl_link_del(nl, "other"));
}

TEST_F(netlink, limits)
{
	struct nl *nl = &self->nl;
	struct nl_channels ch;
	char name[16];
	int pair[2];
	unsigned int i, n;

	for (i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		ASSERT_EQ(0, nl_link_new(nl, name));
	}
	EXPECT_REFUSED(nl, ENOSPC, "256 links", nl_link_new(nl, "more"));
	EXPECT_EQ(0, nl_dump(nl, VFIO_MIGMUX_CMD_LINK_GET, &n));
	EXPECT_EQ(256, n);
	for (i = 1; i < 256; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		EXPECT_EQ(0, nl_link_del(nl, name));
	}

	for (i = 0; i < 256; i++) {
		ASSERT_EQ(0, tcp_pair(pair));
		if (i < 255) {
			ASSERT_EQ(0, nl_channel_new(nl, "l0", pair[0], &ch));
		} else {
			EXPECT_REFUSED(nl, ENOSPC, "255 channels",
				       nl_channel_new(nl, "l0", pair[0], &ch));
		}
		close(pair[0]);
		close(pair[1]);
	}
	EXPECT_EQ(0, nl_channel_dump(nl, NULL, &ch));
	EXPECT_EQ(255, ch.count);
	EXPECT_TRUE(ch.rising);
	EXPECT_EQ(0, nl_link_del(nl, "l0"));
}

TEST_F(netlink, namespaces)
{
	static const __u8 cmds[] = {
		VFIO_MIGMUX_CMD_DEVICE_GET,
		VFIO_MIGMUX_CMD_DEVICE_HOOK,
		VFIO_MIGMUX_CMD_DEVICE_UNHOOK,
	};
	struct nl *host = &self->host;
	struct nl *nl = &self->nl;
	unsigned int n;
	size_t i;

	/* devices are the host's */
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_REFUSED(nl, EPERM, "initial network namespace",
			       nl_device(nl, cmds[i], "pci/0000:00:00.0"));
		EXPECT_REFUSED(host, ENOENT, "pci/ffff:ff:1f.7",
			       nl_device(host, cmds[i], "pci/ffff:ff:1f.7"));
	}
	EXPECT_REFUSED(nl, EPERM, "initial network namespace",
		       nl_dump(nl, VFIO_MIGMUX_CMD_DEVICE_GET, &n));
	EXPECT_EQ(0, nl_dump(host, VFIO_MIGMUX_CMD_DEVICE_GET, &n));

	/* links are not */
	EXPECT_EQ(0, nl_link_new(nl, "only-here"));
	EXPECT_REFUSED(host, ENOENT, "only-here",
		       nl_link(host, VFIO_MIGMUX_CMD_LINK_GET, "only-here"));
	EXPECT_EQ(0, nl_dump(nl, VFIO_MIGMUX_CMD_LINK_GET, &n));
	EXPECT_EQ(1, n);
	/* the namespace takes it along */
}

TEST_F(netlink, unprivileged)
{
	struct nl_channels ch;
	unsigned int n;
	struct nl nl;

	ASSERT_EQ(0, nl_link_new(&self->nl, "l"));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(0, nl_open(&nl));

	EXPECT_EQ(-EPERM, nl_link_new(&nl, "m"));
	EXPECT_EQ(-EPERM, nl_link_del(&nl, "l"));
	EXPECT_EQ(-EPERM, nl_channel_new(&nl, "l", 0, &ch));
	EXPECT_EQ(-EPERM, nl_channel(&nl, VFIO_MIGMUX_CMD_CHANNEL_DEL, "l", 0, &ch));
	EXPECT_EQ(-EPERM, nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_HOOK, "pci/x"));
	EXPECT_EQ(-EPERM, nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, "pci/x"));
	EXPECT_EQ(-EPERM, nl_dump(&nl, VFIO_MIGMUX_CMD_SESSION_GET, &n));

	EXPECT_EQ(0, nl_link(&nl, VFIO_MIGMUX_CMD_LINK_GET, "l"));
	EXPECT_EQ(0, nl_dump(&nl, VFIO_MIGMUX_CMD_LINK_GET, &n));
	EXPECT_EQ(1, n);
	nl_close(&nl);
}

struct link_event {
	__u8 cmd;
	char name[64];
	__u32 state;
	bool gone;
};

static void link_event_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct link_event *ev = data;

	memset(ev, 0, sizeof(*ev));
	ev->cmd = cmd;
	ev->state = UINT32_MAX;
	if (attrs[VFIO_MIGMUX_A_LINK_NAME])
		snprintf(ev->name, sizeof(ev->name), "%s",
			 mnl_attr_get_str(attrs[VFIO_MIGMUX_A_LINK_NAME]));
	if (attrs[VFIO_MIGMUX_A_LINK_STATE])
		ev->state = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_LINK_STATE]);
	ev->gone = attrs[VFIO_MIGMUX_A_LINK_GONE];
}

TEST_F(netlink, notifications)
{
	struct link_event ev;
	struct nl listener;

	ASSERT_EQ(0, nl_open(&listener));
	ASSERT_NE(0, listener.group);
	ASSERT_EQ(0, nl_subscribe(&listener));
	/* a refusal is no event */
	EXPECT_NE(0, nl_link_new(&self->nl, "not good"));
	ASSERT_EQ(0, nl_link_new(&self->nl, "l"));
	ASSERT_EQ(0, nl_link_del(&self->nl, "l"));

	ASSERT_EQ(0, nl_next_event(&listener, 5000, link_event_seen, &ev));
	EXPECT_EQ(VFIO_MIGMUX_CMD_LINK_NTF, ev.cmd);
	EXPECT_STREQ("l", ev.name);
	EXPECT_EQ(VFIO_MIGMUX_LINK_STATE_IDLE, ev.state);
	EXPECT_FALSE(ev.gone);
	ASSERT_EQ(0, nl_next_event(&listener, 5000, link_event_seen, &ev));
	EXPECT_EQ(VFIO_MIGMUX_CMD_LINK_NTF, ev.cmd);
	EXPECT_STREQ("l", ev.name);
	EXPECT_TRUE(ev.gone);

	/* those of another namespace do not come here */
	ASSERT_EQ(0, nl_link_new(&self->host, "netlink-test"));
	EXPECT_EQ(0, nl_link_del(&self->host, "netlink-test"));
	EXPECT_EQ(-ETIMEDOUT, nl_next_event(&listener, 100, link_event_seen, &ev));
	nl_close(&listener);
}

struct session {
	__u32 id;
	__u32 pid;
	bool closed;
	unsigned int count;
};

static void session_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct session *s = data;

	(void)cmd;
	s->count++;
	if (attrs[VFIO_MIGMUX_A_SESSION_ID])
		s->id = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_SESSION_ID]);
	if (attrs[VFIO_MIGMUX_A_SESSION_PID])
		s->pid = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_SESSION_PID]);
	s->closed = attrs[VFIO_MIGMUX_A_SESSION_CLOSED];
}

static int session_dump(struct nl *nl, struct session *s)
{
	memset(s, 0, sizeof(*s));
	nl_begin(nl, VFIO_MIGMUX_CMD_SESSION_GET, NLM_F_DUMP);
	return nl_call(nl, session_seen, s);
}

static int session_get(struct nl *nl, __u32 id, struct session *s)
{
	memset(s, 0, sizeof(*s));
	return nl_session(nl, id, session_seen, s);
}

TEST_F(netlink, sessions)
{
	struct nl *nl = &self->nl;
	struct session s;
	__u32 first;
	int fd, i;

	EXPECT_EQ(0, session_dump(nl, &s));
	EXPECT_EQ(0, s.count);
	EXPECT_REFUSED(nl, ENOENT, "no session 0", session_get(nl, 0, &s));
	EXPECT_REFUSED(nl, ENOENT, "no session 4294967295",
		       session_get(nl, UINT32_MAX, &s));

	fd = open("/dev/vfio/migmux", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, session_dump(nl, &s));
	ASSERT_EQ(1, s.count);
	EXPECT_EQ((__u32)getpid(), s.pid);
	EXPECT_FALSE(s.closed);
	first = s.id;
	close(fd);
	EXPECT_EQ(0, session_get(nl, first, &s));
	EXPECT_TRUE(s.closed);

	/* records are kept, but not without end */
	for (i = 0; i < 40; i++)
		close(open("/dev/vfio/migmux", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(0, session_dump(nl, &s));
	EXPECT_EQ(32, s.count);
	EXPECT_EQ(-ENOENT, session_get(nl, first, &s));
	EXPECT_EQ(0, session_dump(&self->host, &s));
}

TEST_HARNESS_MAIN
