// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much: the module's parameters, the limits of a session, and that the VMM's cgroup
 * pays for its staging.
 */
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "session_fixture.h"
#include "mnl_set.h"
#include "params.h"
#include "thread.h"

#define CGROUPS	"/tmp/cgroup"
#define CGROUP	CGROUPS "/vmm"

/* --- module parameters -------------------------------------------------------------- */

FIXTURE(params)
{
	FIXTURE_DATA(vmm) vmm;
	long sessions, devices, channels, total, max, dflt;
	int other;
};

FIXTURE_SETUP(params)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	self->other = -1;
	self->sessions = number_read(PARAMS "max_sessions", NULL);
	self->devices = number_read(PARAMS "max_devices", NULL);
	self->channels = number_read(PARAMS "max_channels", NULL);
	self->total = number_read(PARAMS "staging_total_mib", NULL);
	self->max = number_read(PARAMS "staging_max_mib", NULL);
	self->dflt = number_read(PARAMS "staging_default_mib", NULL);
}

FIXTURE_TEARDOWN(params)
{
	close(self->other);
	EXPECT_EQ(0, number_write(PARAMS "max_sessions", self->sessions));
	EXPECT_EQ(0, number_write(PARAMS "max_devices", self->devices));
	EXPECT_EQ(0, number_write(PARAMS "max_channels", self->channels));
	EXPECT_EQ(0, number_write(PARAMS "staging_total_mib", self->total));
	EXPECT_EQ(0, number_write(PARAMS "staging_max_mib", self->max));
	EXPECT_EQ(0, number_write(PARAMS "staging_default_mib", self->dflt));
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(params, defaults)
{
	EXPECT_EQ(1024, self->sessions);
	EXPECT_EQ(64, self->devices);
	EXPECT_EQ(255, self->channels);
	EXPECT_EQ(0, self->total);
	EXPECT_EQ(1024, self->max);
	EXPECT_EQ(32, self->dflt);
}

/* A session goes when its file is closed, but for a work that may be on its way. */
static int session_open_patiently(void)
{
	int i, fd = -ENFILE;

	for (i = 0; i < WAIT_MS && fd == -ENFILE; i++) {
		fd = session_open();
		if (fd == -ENFILE)
			usleep(1000);
	}
	return fd;
}

TEST_F(params, max_sessions)
{
	ASSERT_EQ(0, number_write(PARAMS "max_sessions", 2));
	self->other = session_open_patiently();
	ASSERT_LE(0, self->other);
	EXPECT_EQ(-ENFILE, session_open());
	EXPECT_EQ(-ENFILE, session_open());
	close(self->other);
	/* refusals do not count */
	self->other = session_open_patiently();
	EXPECT_LE(0, self->other);
	EXPECT_EQ(-ENFILE, session_open());
}

TEST_F(params, max_devices)
{
	const struct vfio_dev *dev = self->vmm.dev;
	const int fd = self->vmm.fd;

	ASSERT_EQ(0, session_device_add(fd, dev[0].fd, "x", 0));
	ASSERT_EQ(1, session_device_add(fd, dev[1].fd, "x", 1));
	/* those that are there stay; 0 is no limit that one could work with */
	ASSERT_EQ(0, number_write(PARAMS "max_devices", 0));
	EXPECT_EQ(1, session_info(fd).max_devices);
	EXPECT_EQ(-ENOSPC, session_device_add(fd, dev[2].fd, "x", 2));
	EXPECT_TRUE(session_says(fd, ENOSPC, "at most 1 devices"));
	EXPECT_TRUE(session_says(fd, ENOSPC, "max_devices"));
	EXPECT_EQ(0, session_set_state(fd, STOP, RUNNING, 0, 0, NULL));
	EXPECT_EQ(0, session_set_state(fd, RUNNING, RUNNING, 0, 0, NULL));
	ASSERT_EQ(0, number_write(PARAMS "max_devices", 3));
	EXPECT_EQ(2, session_device_add(fd, dev[2].fd, "x", 2));
	/* nor can the limit be more than the interface's */
	ASSERT_EQ(0, number_write(PARAMS "max_devices", 1000));
	EXPECT_EQ(64, session_info(fd).max_devices);
}

TEST_F(params, max_devices_of_a_set)
{
	const char *const two[] = { "pci/none.0", "pci/none.1" };
	struct nl nl;

	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, number_write(PARAMS "max_devices", 1));
	EXPECT_EQ(-ENOSPC, nl_set_new(&nl, "few", P_DEFAULT, 2, two));
	EXPECT_NE(NULL, strstr(nl.text, "max_devices"));
	EXPECT_EQ(-ENOENT, nl_set_del(&nl, "few"));
	EXPECT_EQ(0, nl_set_new(&nl, "few", P_DEFAULT, 1, two));
	EXPECT_EQ(0, nl_set_del(&nl, "few"));
	nl_close(&nl);
}

/* A session's, and a link's. */
TEST_F(params, max_channels)
{
	const int fd = self->vmm.fd;
	struct nl_channels ch = { .count = 0 };
	struct nl nl;
	int pair[2];

	ASSERT_EQ(0, session_device_add(fd, self->vmm.dev[0].fd, "x", 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, number_write(PARAMS "max_channels", 1));
	ASSERT_EQ(0, session_channel_add(fd, pair[0], 0));
	EXPECT_EQ(-ENOSPC, session_channel_add(fd, pair[1], 0));
	EXPECT_TRUE(session_says(fd, ENOSPC, "at most 1 channels"));
	EXPECT_TRUE(session_says(fd, ENOSPC, "max_channels"));
	close(pair[0]);
	close(pair[1]);

	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, nl_link_new(&nl, "few"));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_EQ(0, nl_channel_new(&nl, "few", pair[0], &ch));
	EXPECT_EQ(-ENOSPC, nl_channel_new(&nl, "few", pair[1], &ch));
	EXPECT_NE(NULL, strstr(nl.text, "max_channels"));
	EXPECT_EQ(0, nl_link_del(&nl, "few"));
	nl_close(&nl);
	close(pair[0]);
	close(pair[1]);
	/* nor can the limit be more than the interface's */
	ASSERT_EQ(0, number_write(PARAMS "max_channels", 0));
	EXPECT_EQ(1, session_info(fd).max_channels);
	ASSERT_EQ(0, number_write(PARAMS "max_channels", 1000));
	EXPECT_EQ(255, session_info(fd).max_channels);
}

static int load_with(int fd, const struct vfio_dev *dev, __u64 staging)
{
	int ret = session_device_add(fd, dev->fd, "x", 0);

	if (ret < 0 && ret != -EEXIST)
		return ret;
	return session_load(fd, VFIO_MIGMUX_LOAD_BUFFERS, RUNNING, staging);
}

TEST_F(params, staging_total)
{
	const int fd = self->vmm.fd;
	int i, ret = -1;

	self->other = session_open();
	ASSERT_EQ(0, number_write(PARAMS "staging_total_mib", 3));
	ASSERT_EQ(0, load_with(self->other, &self->vmm.dev[0], 2 * MIB));
	EXPECT_EQ(-ENOSPC, load_with(fd, &self->vmm.dev[1], 2 * MIB));
	EXPECT_TRUE(session_says(fd, ENOSPC, "all sessions together may have 3145728"));
	EXPECT_TRUE(session_says(fd, ENOSPC, "staging_total_mib"));
	/* the device was not touched, and what fits is granted */
	EXPECT_TRUE(device_is(&self->vmm.dev[1], RUNNING));
	close(self->other);
	self->other = -1;
	for (i = 0; i < WAIT_MS && ret; i++) {
		ret = load_with(fd, &self->vmm.dev[1], 3 * MIB);
		usleep(ret ? 1000 : 0);
	}
	EXPECT_EQ(0, ret);
}

TEST_F(params, staging_max)
{
	const int fd = self->vmm.fd;

	ASSERT_EQ(0, number_write(PARAMS "staging_max_mib", 2));
	EXPECT_EQ(-ENOSPC, load_with(fd, &self->vmm.dev[0], 3 * MIB));
	EXPECT_TRUE(session_says(fd, ENOSPC, "over the limit of 2097152"));
	/* the default is never more than the limit, and never nothing */
	EXPECT_EQ(2 * MIB, session_info(fd).staging_default);
	ASSERT_EQ(0, number_write(PARAMS "staging_default_mib", 0));
	EXPECT_EQ(MIB, session_info(fd).staging_default);
	EXPECT_EQ(0, load_with(fd, &self->vmm.dev[0], 2 * MIB));
}

/* --- a session ------------------------------------------------------------------------ */

TEST_F(vmm, channels)
{
	struct vfio_migmux_info info = session_info(self->fd);
	int fd[2], i;

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	for (i = 0; i < info.max_channels; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		ASSERT_EQ(i, session_channel_add(self->fd, fd[0], 0));
		close(fd[0]);
		close(fd[1]);
	}
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	EXPECT_SAYS(ENOSPC, "at most 255 channels", session_channel_add(self->fd, fd[0], 0));
	close(fd[0]);
	close(fd[1]);
}

TEST_F(vmm, config_blob)
{
	struct vfio_migmux_info info = session_info(self->fd);
	void *blob = calloc(1, info.config_max + 1);

	ASSERT_EQ(0, session_device_add(self->fd, self->dev[0].fd, "x", 0));
	EXPECT_SAYS(EINVAL, "over the limit of 262144",
		    session_config_set(self->fd, 0, blob, info.config_max + 1));
	EXPECT_EQ(0, session_config_set(self->fd, 0, blob, info.config_max));
	free(blob);
}

/*
 * The kernel says at length whom it killed for want of memory, with a call trace, as of a
 * bug. So it is not let speak of warnings meanwhile; that there was none, is asked of its taint.
 */
#define PRINTK		"/proc/sys/kernel/printk"
#define TAINT_WARN	(1 << 9)

static long tainted(void)
{
	return number_read("/proc/sys/kernel/tainted", NULL) & TAINT_WARN;
}

/* --- the VMM's cgroup ------------------------------------------------------------------- */

FIXTURE(cgroup)
{
	FIXTURE_DATA(vmm) vmm;
	pid_t pid;
	int told[2];
};

FIXTURE_SETUP(cgroup)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	mkdir(CGROUPS, 0755);
	if (mount("cgroup2", CGROUPS, "cgroup2", 0, NULL) && errno != EBUSY)
		SKIP(return, "no cgroup2");
	if (text_write(CGROUPS "/cgroup.subtree_control", "+memory +pids"))
		SKIP(return, "no controllers of memory and pids");
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	ASSERT_EQ(0, pipe(self->told));
}

FIXTURE_TEARDOWN(cgroup)
{
	int i;

	if (self->pid > 0 && !kill(self->pid, SIGKILL))
		waitpid(self->pid, NULL, 0);
	/* it is empty when the last exit is through */
	for (i = 0; i < WAIT_MS && rmdir(CGROUP) && errno == EBUSY; i++)
		usleep(1000);
	EXPECT_NE(0, access(CGROUP, F_OK));
	umount(CGROUPS);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* A VMM in the cgroup: loads with @staging and says so, and again when it has ended. */
static void vmm_run(struct _test_data_cgroup *self, __u64 staging)
{
	int fd;

	if (number_write(CGROUP "/cgroup.procs", getpid()))
		_exit(1);
	fd = session_open();
	if (fd < 0 || load_with(fd, &self->vmm.dev[0], staging)) {
		/* if it lives to tell */
		session_says(fd, 0, "");
		fflush(stdout);
		_exit(2);
	}
	if (write(self->told[1], "+", 1) != 1)
		_exit(3);
	for (;;)
		pause();
}

static int vmm_fork(struct _test_data_cgroup *self, __u64 staging)
{
	char c;

	self->pid = fork();
	if (!self->pid)
		vmm_run(self, staging);
	close(self->told[1]);
	return read(self->told[0], &c, 1) == 1 ? 0 : -EIO;
}

TEST_F(cgroup, pays_for_staging)
{
	long before = number_read(CGROUP "/memory.current", NULL), now;
	int i;

	EXPECT_GT(MIB, before);
	ASSERT_EQ(0, vmm_fork(self, 16 * MIB));
	now = number_read(CGROUP "/memory.current", NULL);
	EXPECT_LE(before + 16 * MIB, now);
	EXPECT_GT(before + 24 * MIB, now);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	self->pid = 0;
	for (i = 0; i < WAIT_MS && now > 2 * MIB; i++) {
		usleep(1000);
		now = number_read(CGROUP "/memory.current", NULL);
	}
	EXPECT_GE(2 * MIB, now);
}

/* What does not fit ends the VMM, as its own memory would, and nobody else. */
TEST_F(cgroup, is_killed_over_its_limit)
{
	const long level = number_read(PRINTK, NULL), taint = tainted();
	int status;

	ASSERT_EQ(0, number_write(PRINTK, 4));
	ASSERT_EQ(0, number_write(CGROUP "/memory.max", 8 * MIB));
	EXPECT_NE(0, vmm_fork(self, 64 * MIB));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, number_write(PRINTK, level));
	EXPECT_EQ(taint, tainted());
	EXPECT_EQ(SIGKILL, status);
	EXPECT_LE(1, number_read(CGROUP "/memory.events", "oom_kill "));
	EXPECT_EQ(0, migration_works());
}

/* --- no memory for a confirmation --------------------------------------------------------- */

static long oom_events(void)
{
	return number_read(CGROUP "/memory.events", "oom ");
}

/* A VMM that cannot be killed for want of memory saves, and hands over. */
static void vmm_save(struct _test_data_cgroup *self, int sock)
{
	int fd;

	if (number_write(CGROUP "/cgroup.procs", getpid()) ||
	    number_write("/proc/self/oom_score_adj", -1000))
		_exit(1);
	fd = session_open();
	if (fd < 0 || session_device_add(fd, self->vmm.dev[0].fd, "x", 0) ||
	    session_channel_add(fd, sock, 0) ||
	    session_save(fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, MIB))
		_exit(2);
	_exit(session_wait(fd, M_HANDED_OVER, WAIT_MS) ? 3 : 0);
}

/* A socket that has no memory to send a confirmation is as good as before: it comes later. */
TEST_F(cgroup, confirms_without_memory)
{
	const long level = number_read(PRINTK, NULL), taint = tainted();
	const struct peer_verdict verdict = peer_verdict(0, "", "loaded");
	struct peer_confirm confirm;
	int i, status, sock[2];
	char c, name[16];
	long before;

	ASSERT_EQ(0, peer_pair_unix(sock));
	self->pid = fork();
	if (!self->pid)
		vmm_save(self, sock[0]);
	close(sock[0]);
	ASSERT_EQ(0, peer_drain(&sock[1], 1, 1));
	ASSERT_EQ(0, thread_idle(self->pid, name));

	ASSERT_EQ(0, number_write(PRINTK, 4));
	ASSERT_EQ(0, number_write(CGROUP "/memory.max", 0));
	before = oom_events();
	ASSERT_EQ(0, peer_send(sock[1], &verdict, sizeof(verdict)));
	for (i = 0; i < WAIT_MS && oom_events() == before; i++)
		usleep(1000);
	EXPECT_LT(before, oom_events());
	EXPECT_EQ(-1, recv(sock[1], &c, 1, MSG_PEEK | MSG_DONTWAIT));
	ASSERT_EQ(0, text_write(CGROUP "/memory.max", "max"));
	ASSERT_EQ(0, peer_recv(sock[1], &confirm, sizeof(confirm)));
	/* now the kernel has said all */
	EXPECT_EQ(0, number_write(PRINTK, level));
	EXPECT_EQ(taint, tainted());
	EXPECT_EQ(PEER_CONFIRM_MAGIC, peer_get32(confirm.magic));
	EXPECT_EQ(0, confirm.status);
	close(sock[1]);
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, status);
}

#define MOVERS_CHANNELS 6

/*
 * One attempt to load with too few threads, while the peer has sent a part of a frame on
 * each channel. Either the session can load afterwards, and has lost nothing, or it has
 * failed and says so. 0 if so.
 */
static int load_short_of_threads(struct vfio_dev *dev, const char *state, long size)
{
	const struct peer_frame frame = peer_frame("x", 0, size, false);
	int i, ret, ch[MOVERS_CHANNELS][2], fd = session_open();

	ret = session_device_add(fd, dev->fd, "x", 0);
	for (i = 0; i < MOVERS_CHANNELS && ret >= 0; i++) {
		ret = peer_pair(ch[i]) ?: peer_send_init(ch[i][1], i);
		ret = ret ?: session_channel_add(fd, ch[i][0], 0);
	}
	ret = ret < 0 ? ret : peer_send(ch[0][1], &frame, 100);
	/* this one, the feed, and some of the receivers */
	ret = ret ?: number_write(CGROUP "/pids.max", 1 + MOVERS_CHANNELS);
	if (!ret && session_load(fd, 0, RUNNING, MIB) != -EAGAIN)
		ret = -EINVAL;
	ret = ret ?: text_write(CGROUP "/pids.max", "max");
	if (ret)
		return ret;
	ret = session_load(fd, 0, RUNNING, MIB);
	if (ret == -ECANCELED)
		ret = session_wait(fd, M_ENDED, WAIT_MS) ?:
		      peer_at_eof(ch[0][1], WAIT_MS) ? 0 : -EPROTO;
	else
		ret = ret ?: peer_send(ch[0][1], (char *)&frame + 100, sizeof(frame) - 100) ?:
		      peer_send(ch[0][1], state, size) ?:
		      peer_send_frame(ch[0][1], "x", 1, 0, true) ?:
		      session_wait(fd, M_LOADED, WAIT_MS);
	if (ret)
		session_says(fd, 0, "");
	for (i = 0; i < MOVERS_CHANNELS; i++) {
		close(ch[i][0]);
		close(ch[i][1]);
	}
	close(fd);
	return ret;
}

TEST_F(cgroup, short_of_threads)
{
	char *state = malloc(STREAM_MAX);
	long size = device_save(&self->vmm.dev[1], state, STREAM_MAX);
	int i, status, ret = 0;

	ASSERT_LT(0, size);
	self->pid = fork();
	if (!self->pid) {
		ret = number_write(CGROUP "/cgroup.procs", getpid());
		for (i = 0; i < 20 && !ret; i++)
			ret = device_settle(&self->vmm.dev[0]) ?:
			      load_short_of_threads(&self->vmm.dev[0], state, size);
		printf("# attempt %d: %d\n", i, ret);
		fflush(stdout);
		_exit(ret ? 1 : 0);
	}
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, status);
	free(state);
	EXPECT_EQ(0, migration_works());
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
