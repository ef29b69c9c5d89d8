// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several VMMs with devices in one set, each of them dying and beginning anew, while the
 * set, its policy and the hooks come and go:
 *
 *	set_hammer SECONDS
 *
 * For the first half of the time nothing happens to a device but what its VMM asks, so
 * every call must succeed and every stream be whole. In the second half devices fail and
 * are reset as well; then only the end counts: no data_fd, session or user of the module
 * is left, and each device opens and runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "set_util.h"

#define SET	"hammer"

enum kind {
	SEQUENTIAL,
	THREADED,
	BATCHED,
	NR_KINDS,
};

static const char *const kind_names[NR_KINDS] = { "sequential", "threaded", "batched" };

/* The devices of each VMM. */
static const struct {
	int first, n;
} share[NR_KINDS] = { { 0, 3 }, { 3, 3 }, { 6, 2 } };

#define NR_DEVICES	8

/**
 * struct scores - what all processes write to
 * @chaos: devices fail and are reset
 * @failed: somebody has seen what must not be
 * @rounds: of each VMM
 * @lives: of each VMM
 * @kills: of each VMM
 * @changes: of the configuration
 */
static struct scores {
	bool chaos;
	bool failed;
	unsigned long rounds[NR_KINDS];
	unsigned long lives[NR_KINDS];
	unsigned long kills[NR_KINDS];
	unsigned long changes;
} *scores;

static char addr[NR_DEVICES][VFIO_ADDR_MAX];
static __u64 started_ns, end_ns;

static bool over(void)
{
	return now_ns() > end_ns || scores->failed;
}

static int chance(int n)
{
	return rand() % n;
}

/* --- a VMM ------------------------------------------------------------------------- */

static int load_again(struct vmm *vmm)
{
	int i, ret;

	ret = vmm_stop(vmm) ?: vmm_save(vmm) ?: vmm_cont(vmm) ?: vmm_setup(vmm) ?:
	      vmm_load(vmm, vmm) ?: vmm_start(vmm);
	for (i = 0; i < vmm->n && !ret; i++)
		if (vmm->len[i] <= STATE_SIZE)
			ret = -ENODATA;
	return ret;
}

static int round_by_ioctls(struct vmm *vmm, enum kind kind)
{
	int ret, what = chance(4);

	vmm->order = kind == THREADED ? VMM_THREADED : VMM_QEMU;
	if (what == 3)
		vmm->order = kind == THREADED ? VMM_CLOUD_THREADED : VMM_CLOUD;
	if (what == 0)
		ret = load_again(vmm);
	else
		ret = (what == 1 ? vmm_precopy(vmm) : 0) ?:
		      vmm_stop(vmm) ?: vmm_save(vmm) ?: vmm_cont(vmm);
	vmm_free(vmm);
	return ret;
}

static int round_by_session(struct vmm *vmm)
{
	int i, ret = 0, fd = session_open();

	if (fd < 0)
		return fd;
	for (i = 0; i < vmm->n && ret >= 0; i++)
		ret = session_device_add(fd, vmm->dev[i].fd, idstrs[i], 0);
	ret = ret < 0 ? ret : 0;
	ret = ret ?: session_set_state(fd, STOP_COPY, NONE, 0, 0, NULL) ?:
	      session_set_state(fd, RUNNING, NONE, 0, 0, NULL);
	close(fd);
	return ret;
}

/* Whatever failures and resets have done to them. */
static void settle(struct vmm *vmm)
{
	int i;

	for (i = 0; i < vmm->n; i++)
		if (vmm_move(vmm, i, RUNNING))
			device_reset(&vmm->dev[i]);
}

static void live(enum kind kind)
{
	struct vfio_set set;
	struct vmm vmm;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(getpid());
	if (devices_open(&set, share[kind].first, share[kind].n))
		_exit(1);
	vmm_init(&vmm, VMM_QEMU, set.dev, set.n);
	ret = vmm_boot(&vmm);
	while (!over()) {
		if (!ret)
			ret = kind == BATCHED ? round_by_session(&vmm) :
						round_by_ioctls(&vmm, kind);
		if (ret && !scores->chaos) {
			printf("# %s: %s\n", kind_names[kind], strerror(-ret));
			fflush(stdout);
			_exit(1);
		}
		if (ret)
			settle(&vmm);
		ret = 0;
		scores->rounds[kind]++;
	}
	vmm_free(&vmm);
	vfio_set_close(&set);
	_exit(0);
}

/* One life after the other; most end by force. */
static void reincarnate(enum kind kind)
{
	int i, status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(getpid());
	while (!over()) {
		for (i = 0; i < share[kind].n; i++)
			if (attr_wait_text(addr[share[kind].first + i], "open", "0"))
				_exit(1);
		pid = fork();
		if (!pid)
			live(kind);
		scores->lives[kind]++;
		usleep(500000 + chance(2000000));
		/* the last one may end by itself */
		if (!over() && !kill(pid, SIGKILL))
			scores->kills[kind]++;
		waitpid(pid, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			scores->failed = true;
	}
	_exit(0);
}

/* --- the operator ------------------------------------------------------------------- */

static const char *any_device(void)
{
	return addr[chance(NR_DEVICES)];
}

static void set_make_new(struct nl *nl)
{
	const char *handles[NR_DEVICES];
	int i;

	for (i = 0; i < NR_DEVICES; i++)
		handles[i] = handle_of(addr[i]);
	nl_set_new(nl, SET, chance(2 * P_BARRIER), NR_DEVICES, handles);
}

/* Each of these may be refused: that the set or a member is there is not certain. */
static void change(struct nl *nl)
{
	const char *handle = handle_of(any_device());
	struct nl_set set;

	switch (chance(16)) {
	case 0:
		nl_set_del(nl, SET);
		break;
	case 1:
		nl_set_change(nl, SET, VFIO_MIGMUX_A_SET_REMOVE, handle);
		break;
	case 2:
	case 3:
		nl_set_change(nl, SET, VFIO_MIGMUX_A_SET_ADD, handle);
		break;
	case 4:
	case 5:
		set_policy(nl, SET, chance(2 * P_BARRIER));
		break;
	case 6:
		set_timeout(nl, SET, 1 + chance(300));
		break;
	case 7:
		nl_set_u32(nl, SET, VFIO_MIGMUX_A_SET_MAX_PARALLEL, chance(5));
		break;
	case 8:
		nl_device(nl, VFIO_MIGMUX_CMD_DEVICE_HOOK, handle);
		break;
	case 9:
		nl_device(nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handle);
		break;
	case 10:
		nl_auto_set(nl, chance(2), NULL);
		break;
	case 11:
		nl_set_dump(nl, &set);
		break;
	case 12:
		attr_write_num(any_device(), "arc_ms", chance(8));
		break;
	default:
		set_make_new(nl);
	}
}

static void harm(void)
{
	static const char *const arcs[] = {
		"RUNNING>RUNNING_P2P:5:1", "RUNNING_P2P>STOP:5:1", "STOP>STOP_COPY:5:1",
		"STOP>RUNNING_P2P:5:1", "PRE_COPY_P2P>STOP_COPY:5:1",
	};

	if (chance(2))
		attr_write(any_device(), "reset", "1");
	else
		attr_write(any_device(), "fail_arc", arcs[chance(ARRAY_SIZE(arcs))]);
}

static void operate(void)
{
	struct nl nl;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(getpid());
	if (nl_open(&nl))
		_exit(1);
	set_make_new(&nl);
	while (!over()) {
		change(&nl);
		scores->changes++;
		scores->chaos = now_ns() > (started_ns + end_ns) / 2;
		if (scores->chaos && !chance(3))
			harm();
		usleep(chance(20000));
	}
	nl_close(&nl);
	_exit(0);
}

/* --- all together ------------------------------------------------------------------- */

static int left_over(void)
{
	int i, ret = module_wait_unused();
	struct nl nl;

	ret |= nl_open(&nl) ?: sets_forget(&nl);
	for (i = 0; i < NR_DEVICES; i++) {
		/* what the operator has hooked, if so */
		nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handle_of(addr[i]));
		ret |= device_knobs_default(addr[i]);
		ret |= attr_wait_text(addr[i], "data_files", "0");
		if (!device_reopens(addr[i]))
			ret = -EIO;
	}
	nl_close(&nl);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 20;
	int kind, status, i;
	struct nl nl;

	if (devices_names(addr, NR_DEVICES) < NR_DEVICES || nl_open(&nl)) {
		fprintf(stderr, "wants 8 devices of " MIGSIM_DRIVER ", and vfio_migmux\n");
		return 4;
	}
	nl_close(&nl);
	for (i = 0; i < NR_DEVICES; i++) {
		device_knobs_default(addr[i]);
		attr_write(addr[i], "precopy", "1");
		attr_write_num(addr[i], "state_size", STATE_SIZE);
	}
	scores = mmap(NULL, sizeof(*scores), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scores == MAP_FAILED)
		return 1;
	started_ns = now_ns();
	end_ns = started_ns + seconds * 1000000000ULL;
	if (!fork())
		operate();
	for (kind = 0; kind < NR_KINDS; kind++)
		if (!fork())
			reincarnate(kind);
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			scores->failed = true;

	for (kind = 0; kind < NR_KINDS; kind++)
		printf("# %s: %lu rounds in %lu lives, %lu of them ended by force\n",
		       kind_names[kind], scores->rounds[kind], scores->lives[kind],
		       scores->kills[kind]);
	printf("# %lu changes of the configuration\n", scores->changes);
	if (left_over()) {
		printf("# something is left\n");
		return 1;
	}
	for (kind = 0; kind < NR_KINDS; kind++)
		if (!scores->rounds[kind])
			scores->failed = true;
	return scores->failed;
}
