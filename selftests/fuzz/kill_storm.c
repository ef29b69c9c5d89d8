// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMMs migrate, and one of them, or both, are killed at any instant, stopped for a
 * while, or get a signal. Who is left must end by itself and say how; the devices, which
 * stay open here, must be usable; and now and then a migration must work.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "peer.h"
#include "vfio.h"

enum { NR_DEVS = 2, CHANNELS = 2, NR_SOCKETS = NR_DEVS * CHANNELS };

/* How a VMM ends: as it should, or after a failure that was reported. */
enum { EXIT_MOVED = 0, EXIT_FAILED = 3, EXIT_WRONG = 4, EXIT_HANGS = 5 };

struct plan {
	bool verify, precopy;
	__u64 staging;
	struct vfio_dev *src, *dst;
	bool late;	/* who has its channels later: is it the source? */
	__u32 late_us;
	int sockets[NR_SOCKETS][2];
};

static unsigned long kills, moved, failed;

/* What is refused or has failed was explained; a child writes past its copy of stdout. */
static int explained(int fd, const char *which, const char *what)
{
	struct vfio_migmux_last_error last = session_last_error(fd);

	if (last.error && last.text[0])
		return EXIT_FAILED;
	dprintf(STDOUT_FILENO, "# %s: %s, without a word\n", which, what);
	return EXIT_WRONG;
}

/* A session that is over says how it went. */
static int outcome(int fd, const char *which)
{
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (session_reached(fd) & (M_HANDED_OVER | M_ENDED))
			break;
		usleep(1000);
	}
	if (i == WAIT_MS) {
		dprintf(STDOUT_FILENO, "# %s: it does not end, reached %#x\n", which,
			session_reached(fd));
		return EXIT_HANGS;
	}
	return session_reached(fd) & M_ENDED ? explained(fd, which, "it ended") : EXIT_MOVED;
}

/* The other one may be gone before we come to this: its end has shut the sockets down. */
static int channels_add(int fd, const struct plan *plan, const char *which, bool source)
{
	int i, ret;

	for (i = 0; i < NR_SOCKETS; i++) {
		ret = session_channel_add(fd, plan->sockets[i][!source], i % NR_DEVS);
		if (ret == -ENOTCONN)
			return explained(fd, which, "a channel was refused");
		if (ret < 0) {
			dprintf(STDOUT_FILENO, "# %s: CHANNEL_ADD: error %d\n", which, -ret);
			return EXIT_WRONG;
		}
		close(plan->sockets[i][0]);
		close(plan->sockets[i][1]);
	}
	return 0;
}

static void vmm_run(const struct plan *plan, bool source)
{
	const char *which = source ? "the source" : "the destination";
	struct vfio_dev *dev = source ? plan->src : plan->dst;
	int i, ret, fd = session_open();
	__u32 flags;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < NR_DEVS; i++) {
		ret = session_device_add(fd, dev[i].fd, idstrs[i], 0);
		if (ret >= 0)
			continue;
		dprintf(STDOUT_FILENO, "# %s: DEVICE_ADD: error %d\n", which, -ret);
		_exit(EXIT_WRONG);
	}
	usleep(plan->late == source ? plan->late_us : 0);
	ret = channels_add(fd, plan, which, source);
	if (ret)
		_exit(ret);
	/* the flags of both calls have the same values */
	flags = VFIO_MIGMUX_SAVE_VERDICT | (plan->verify ? VFIO_MIGMUX_SAVE_VERIFY : 0);
	if (!source) {
		ret = session_load(fd, flags, RUNNING, plan->staging);
	} else if (plan->precopy) {
		ret = session_save(fd, flags | VFIO_MIGMUX_SAVE_PRECOPY, RUNNING,
				   plan->staging);
		usleep(rnd(50000));
		ret = ret ?: session_save(fd, flags, RUNNING, 0);
	} else {
		ret = session_save(fd, flags, RUNNING, plan->staging);
	}
	/* a stop has interrupted LOAD, which goes on */
	if (ret && ret != -EINTR && !(session_reached(fd) & M_FAILED))
		_exit(explained(fd, which, "it was refused"));
	_exit(outcome(fd, which));
}

static pid_t vmm_fork(const struct plan *plan, bool source)
{
	pid_t pid = fork();

	if (!pid)
		vmm_run(plan, source);
	return pid;
}

static void strike(pid_t pid)
{
	switch (rnd(8)) {
	case 0:
		kill(pid, SIGSTOP);
		usleep(rnd(20000));
		kill(pid, SIGCONT);
		return;
	case 1:		/* nobody handles it: it ends as by SIGKILL, with less haste */
		kill(pid, SIGTERM);
		break;
	default:
		kill(pid, SIGKILL);
	}
	kills++;
}

static int reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	if (WIFSIGNALED(status))
		return 0;
	switch (WEXITSTATUS(status)) {
	case EXIT_MOVED:
		moved++;
		return 0;
	case EXIT_FAILED:
		failed++;
		return 0;
	case EXIT_HANGS:
		return -ETIMEDOUT;
	}
	printf("# a VMM ended with status %#x\n", status);
	return -EPROTO;
}

static int storm(void)
{
	struct plan plan = {
		.verify = once_in(3),
		.precopy = once_in(3),
		.staging = MIB + MIB * rnd(2),
		.src = &devices.dev[0],
		.dst = &devices.dev[NR_DEVS],
		.late = rnd(2),
		.late_us = once_in(4) ? rnd(100000) : 0,
	};
	pid_t from, to;
	int i, ret = 0;

	for (i = 0; i < NR_SOCKETS && !ret; i++)
		ret = once_in(4) ? peer_pair_unix(plan.sockets[i]) : peer_pair(plan.sockets[i]);
	if (ret)
		return ret;
	to = vmm_fork(&plan, false);
	from = vmm_fork(&plan, true);
	for (i = 0; i < NR_SOCKETS; i++) {
		close(plan.sockets[i][0]);
		close(plan.sockets[i][1]);
	}
	usleep(once_in(4) ? rnd(500000) : rnd(60000));
	i = rnd(8);
	if (i < 4 || i == 7)
		strike(from);
	if (i >= 4)
		strike(to);
	ret = reap(from);
	i = reap(to);
	return ret ?: i ?: devices_run();
}

int main(void)
{
	const unsigned long want = env_number("KILLS", 0);
	__u64 until = fuzz_begin(), seed = chance;
	unsigned long rounds = 0;
	int i, ret;

	puts("1..1");
	ret = devices_precopy(NR_DEVS, true) ?: devices_open(&devices, 0, SESSION_DEVICES) ?:
	      devices_settle(&devices);
	/* long enough to be met by a signal */
	for (i = 0; i < devices.n && !ret; i++)
		ret = attr_write_num(devices.dev[i].addr, "state_size", 300000) ?:
		      attr_write_num(devices.dev[i].addr, "read_chunk", 16384);
	while (!ret && (want ? kills < want : now_ms() < until)) {
		seed = chance;
		ret = storm();
		if (!ret && !(++rounds % 25))
			ret = migration_works();
	}
	ret = ret ?: migration_works();
	if (ret)
		printf("# round %lu fails with %d, FUZZ_SEED=%llu\n", rounds, ret,
		       (unsigned long long)seed);
	vfio_set_close(&devices);
	devices_precopy(NR_DEVS, false);
	ret = ret ?: module_wait_unused();
	printf("# %lu kills survived in %lu migrations; VMMs that moved all: %lu, that failed: %lu\n",
	       kills, rounds, moved, failed);
	printf("%s 1 kills at any instant leave usable devices\n", ret || !kills ? "not ok" : "ok");
	return ret || !kills;
}
