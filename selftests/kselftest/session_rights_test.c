// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what: each cell of the table in Documentation/security.rst.
 */
#include <sched.h>
#include <sys/prctl.h>

#include "session_fixture.h"
#include "mnl.h"

#define NOBODY 65534

/* Who tries, and where. */
enum who {
	ROOT,		/* the host's, as the VMM's operator is */
	USER,		/* without privilege, in the host's network namespace */
	USERNS,		/* root of a user namespace of such a user, in the host's network */
	USERNS_NET,	/* the same with a network namespace of its own */
	NETNS,		/* root in another network namespace */
	NR_WHO,
};

static const char *const who_name[] = {
	"root", "a user", "root of a user namespace", "root of user and network namespace",
	"root in a network namespace",
};

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -errno;

	close(fd);
	return ret;
}

/* Become it; 0 or -errno. */
static int become(enum who whom)
{
	if (whom == USER || whom == USERNS || whom == USERNS_NET) {
		if (setresuid(NOBODY, NOBODY, NOBODY))
			return -errno;
	}
	if (whom == USERNS || whom == USERNS_NET) {
		/* else /proc belongs to root */
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER))
			return -errno;
		if (file_write("/proc/self/uid_map", "0 65534 1"))
			return -EPERM;
		if (geteuid())
			return -EIO;
	}
	if (whom == USERNS_NET || whom == NETNS)
		return unshare(CLONE_NEWNET) ? -errno : 0;
	return 0;
}

/* Who we are, once we are a child that tries; and a device of the host. */
static enum who who;
static char handle[32];
static struct nl nl;

/* What is tried: 0 or more, or -errno. */

static int try_open(void)
{
	int fd = session_open();

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_device_get(void)
{
	return nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_GET, handle);
}

static int try_device_hook(void)
{
	int ret = nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_HOOK, handle);

	return ret ?: nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handle);
}

static int try_set(void)
{
	struct nlmsghdr *nlh = nl_begin(&nl, VFIO_MIGMUX_CMD_SET_NEW, NLM_F_ACK);
	int ret;

	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_SET_NAME, "rights");
	ret = nl_call(&nl, NULL, NULL);
	if (ret)
		return ret;
	nlh = nl_begin(&nl, VFIO_MIGMUX_CMD_SET_DEL, NLM_F_ACK);
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_SET_NAME, "rights");
	return nl_call(&nl, NULL, NULL);
}

static int try_link(void)
{
	return nl_link_new(&nl, "mine") ?: nl_link_del(&nl, "mine");
}

/* How many links are seen; the host has one. */
static int try_links_see(void)
{
	unsigned int n = 0;

	return nl_dump(&nl, VFIO_MIGMUX_CMD_LINK_GET, &n) ?: (int)n;
}

static void seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	const struct nlattr *pid = attrs[VFIO_MIGMUX_A_SESSION_PID];

	(void)cmd;
	if (pid && mnl_attr_get_u32(pid) == getppid())
		*(int *)data = 1;
}

/* Does one see the host's sessions? There is one, the fixture's. */
static int try_sessions_see(void)
{
	int found = 0;

	nl_begin(&nl, VFIO_MIGMUX_CMD_SESSION_GET, NLM_F_DUMP);
	return nl_call(&nl, seen, &found) ?: found;
}

static int try_events(void)
{
	return nl_subscribe(&nl);
}

static const struct {
	const char *what;
	int (*try)(void);
	int result[NR_WHO];
} rights[] = {
	{ "open the device node", try_open, { 0, -EACCES, -EACCES, -EACCES, 0 } },
	{ "see devices", try_device_get, { 0, 0, 0, -EPERM, -EPERM } },
	{ "hook devices", try_device_hook, { 0, -EPERM, -EPERM, -EPERM, -EPERM } },
	{ "make sets", try_set, { 0, -EPERM, -EPERM, -EPERM, -EPERM } },
	{ "make links", try_link, { 0, -EPERM, -EPERM, -EPERM, 0 } },
	{ "see the host's links", try_links_see, { 1, 1, 1, 0, 0 } },
	{ "see the host's sessions", try_sessions_see, { 1, -EPERM, -EPERM, -EPERM, 0 } },
	{ "listen to events", try_events, { 0, -EPERM, -EPERM, 0, 0 } },
};

/* In a child of its own; what was tried, or that it cannot be: EXIT_SKIP. */
#define EXIT_SKIP 99

static int all_rights(void)
{
	int wrong = 0, got, err = become(who);
	size_t i;

	if (err) {
		printf("# cannot become %s: %s\n", who_name[who], strerror(-err));
		return EXIT_SKIP;
	}
	if (nl_open(&nl))
		return 1;
	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		got = rights[i].try();
		if (got == rights[i].result[who])
			continue;
		printf("# %s: %s: %d, not %d: %s\n", who_name[who], rights[i].what, got,
		       rights[i].result[who], nl.text);
		wrong++;
	}
	nl_close(&nl);
	return wrong;
}

/* Run it as somebody else, and give back its exit code. */
static int as_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		status = fn();
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

FIXTURE(rights)
{
	FIXTURE_DATA(vmm) vmm;
};

FIXTURE_VARIANT(rights)
{
	enum who who;
};

FIXTURE_VARIANT_ADD(rights, root) { .who = ROOT };
FIXTURE_VARIANT_ADD(rights, user) { .who = USER };
FIXTURE_VARIANT_ADD(rights, userns) { .who = USERNS };
FIXTURE_VARIANT_ADD(rights, userns_net) { .who = USERNS_NET };
FIXTURE_VARIANT_ADD(rights, netns) { .who = NETNS };

FIXTURE_SETUP(rights)
{
	vmm_setup(_metadata, &self->vmm, NULL);
}

FIXTURE_TEARDOWN(rights)
{
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(rights, cells)
{
	struct nl root;
	int ret;

	who = variant->who;
	snprintf(handle, sizeof(handle), "pci/%s", self->vmm.dev[0].addr);
	ASSERT_EQ(0, nl_open(&root));
	ASSERT_EQ(0, nl_link_new(&root, "l"));
	ret = as_child(all_rights);
	EXPECT_EQ(0, nl_link_del(&root, "l"));
	nl_close(&root);
	if (ret == EXIT_SKIP)
		SKIP(return, "this kernel gives users no namespaces");
	EXPECT_EQ(0, ret);
}

/* --- with a session's file ------------------------------------------------------------ */

/* What each ioctl that acts says to one who has no VFIO file: nothing is done. */
static int without_device(void)
{
	int fd, i, wrong = 0, device_fds[SESSION_DEVICES];

	for (i = 0; i < SESSION_DEVICES; i++)
		device_fds[i] = devices.dev[i].fd;
	vfio_set_close(&devices);
	fd = session_open();
	wrong += fd < 0;
	for (i = 0; i < SESSION_DEVICES; i++)
		wrong += session_device_add(fd, device_fds[i], "x", 0) != -EBADF;
	wrong += session_set_state(fd, STOP, NONE, 0, 0, NULL) != -EINVAL;
	wrong += session_save(fd, 0, RUNNING, 0) != -EINVAL;
	wrong += session_load(fd, VFIO_MIGMUX_LOAD_BUFFERS, RUNNING, 0) != -EINVAL;
	wrong += session_link_attach(fd, "l") != -EINVAL;
	wrong += session_data_fd(fd, 0, 0, 0) != -ENOENT;
	wrong += session_load_buffer(fd, 0, "x", 0, false, "x", 1) == 0;
	printf("# %d calls did not say what they should\n", wrong);
	close(fd);
	return wrong;
}

TEST_F(vmm, no_vfio_file)
{
	/* the child's closing leaves ours open: they stay in RUNNING and usable */
	EXPECT_EQ(0, as_child(without_device));
	EXPECT_EQ(0, devices_settle(&devices));
	EXPECT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
}

static int inherited;

/* The session of somebody else: only what does nothing is allowed. */
static int with_others_session(void)
{
	struct vfio_migmux_info info = { .argsz = sizeof(info) };
	int wrong = 0;

	wrong += session_call(inherited, VFIO_MIGMUX_GET_INFO, &info) != 0;
	wrong += session_device_add(inherited, devices.dev[1].fd, "y", 0) != -EPERM;
	wrong += session_device_remove(inherited, 0) != -EPERM;
	wrong += session_channel_add(inherited, 0, 0) != -EPERM;
	wrong += session_link_attach(inherited, "l") != -EPERM;
	wrong += session_set_state(inherited, STOP, NONE, 0, 0, NULL) != -EPERM;
	wrong += session_save(inherited, 0, RUNNING, 0) != -EPERM;
	wrong += session_load(inherited, 0, RUNNING, 0) != -EPERM;
	wrong += session_data_fd(inherited, 0, 0, 0) != -EPERM;
	wrong += session_load_buffer(inherited, 0, "x", 0, false, "x", 1) != -EPERM;
	wrong += session_abort(inherited, RUNNING) != -EPERM;
	wrong += session_wait(inherited, M_READY, 0) != -EPERM;
	wrong += !session_says(inherited, EPERM, "belongs to another process");
	printf("# %d calls did not say what they should\n", wrong);
	return wrong;
}

TEST_F(vmm, session_of_another)
{
	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	inherited = self->fd;
	EXPECT_EQ(0, as_child(with_others_session));
	/* and the owner's is none the worse */
	EXPECT_EQ(0, session_set_state(self->fd, STOP, NONE, 0, 0, NULL));
	EXPECT_EQ(0, session_set_state(self->fd, RUNNING, NONE, 0, 0, NULL));
}

/* A session is of the network namespace that its opener was in. */
static int elsewhere(void)
{
	int fd, wrong = 0;

	if (become(NETNS))
		return EXIT_SKIP;
	fd = session_open();
	wrong += session_device_add(fd, devices.dev[0].fd, "x", 0) != 0;
	wrong += session_link_attach(fd, "l") != -ENOENT;
	wrong += !session_says(fd, ENOENT, "no link 'l'");
	close(fd);
	return wrong;
}

TEST_F(vmm, link_of_another_namespace)
{
	struct nl root;

	ASSERT_EQ(0, nl_open(&root));
	ASSERT_EQ(0, nl_link_new(&root, "l"));
	EXPECT_EQ(0, as_child(elsewhere));
	EXPECT_EQ(0, nl_link_del(&root, "l"));
	nl_close(&root);
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
