// SPDX-License-Identifier: GPL-2.0-only
/* What the set tests share; see set_util.h */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "set_util.h"

#define PATIENCE_NS	20000000000ULL

/* --- devices ---------------------------------------------------------------------- */

int sets_devices_open(void)
{
	char addr[2 * SET_DEVICES + SPARE_DEVICES][VFIO_ADDR_MAX];
	int i, n = ARRAY_SIZE(addr);

	if (devices_names(addr, n) < n)
		return -ENODEV;
	/* which states there are cannot be changed while a device is open */
	for (i = 0; i < n; i++) {
		attr_write(addr[i], "p2p", "1");
		attr_write(addr[i], "precopy", "1");
	}
	return devices_open(&devices, 0, 2 * SET_DEVICES);
}

int sets_settle(void)
{
	int i, ret = param_write("arc_cap", "0");

	for (i = 0; i < devices.n; i++) {
		ret |= attr_write(devices.dev[i].addr, "serial", "0");
		ret |= attr_write(devices.dev[i].addr, "reset_at_arc", "none");
	}
	return ret ?: devices_settle(&devices);
}

int spare_find(struct spare *spare)
{
	char addr[2 * SET_DEVICES + SPARE_DEVICES][VFIO_ADDR_MAX];
	int n = devices_names(addr, ARRAY_SIZE(addr));
	int i;

	for (i = 0; i < SPARE_DEVICES && 2 * SET_DEVICES + i < n; i++) {
		memcpy(spare->addr[i], addr[2 * SET_DEVICES + i], VFIO_ADDR_MAX);
		device_knobs_default(spare->addr[i]);
		attr_write(spare->addr[i], "p2p", "1");
		attr_write(spare->addr[i], "precopy", "0");
	}
	return i;
}

int spare_open(struct spare *spare)
{
	int ret = devices_open(&spare->set, 2 * SET_DEVICES, SPARE_DEVICES);

	spare->open = !ret;
	return ret;
}

void spare_close(struct spare *spare)
{
	if (spare->open)
		vfio_set_close(&spare->set);
	spare->open = false;
}

bool states_agree(const struct vmm *vmm)
{
	bool agree = true;
	int i;

	for (i = 0; i < vmm->n; i++) {
		int state = vfio_state_get(vmm->dev[i].fd);

		agree &= state >= 0 && vmm_is(vmm, i, state);
	}
	return agree;
}

int vmm_knob(const struct vmm *vmm, const char *attr, const char *value)
{
	int i, ret = 0;

	for (i = 0; i < vmm->n; i++)
		ret |= attr_write(vmm->dev[i].addr, attr, value);
	return ret;
}

const char *handle_of(const char *addr)
{
	static char handles[16][VFIO_ADDR_MAX + 4];
	static int next;
	char *handle = handles[next++ % ARRAY_SIZE(handles)];

	snprintf(handle, sizeof(handles[0]), "pci/%.*s", VFIO_ADDR_MAX - 1, addr);
	return handle;
}

int sets_pin(bool on)
{
	__u8 cmd = on ? VFIO_MIGMUX_CMD_DEVICE_HOOK : VFIO_MIGMUX_CMD_DEVICE_UNHOOK;
	char addr[2 * SET_DEVICES + SPARE_DEVICES][VFIO_ADDR_MAX];
	int i, n = devices_names(addr, ARRAY_SIZE(addr));
	struct nl nl;
	int ret = nl_open(&nl);

	for (i = 0; i < n && !ret; i++)
		ret = nl_device(&nl, cmd, handle_of(addr[i]));
	nl_close(&nl);
	return ret;
}

/* --- sets ------------------------------------------------------------------------- */

int sets_forget(struct nl *nl)
{
	struct nl_set set;
	int ret = nl_auto_set(nl, false, NULL);

	while (!ret && !nl_set_dump(nl, &set) && set.count)
		ret = nl_set_del(nl, set.name);
	return ret;
}

int set_of(struct nl *nl, const char *name, __u32 policy, const struct vmm *vmm)
{
	const char *handles[VMM_DEVICES];
	int i;

	for (i = 0; i < vmm->n; i++)
		handles[i] = handle_of(vmm->dev[i].addr);
	return nl_set_new(nl, name, policy, vmm->n, handles);
}

/* The devices follow each other already on the way to RUNNING: so count from here. */
int set_make(struct nl *nl, const char *name, __u32 policy, struct vmm *vmm)
{
	int ret = set_of(nl, name, 0, vmm);

	ret = ret ?: vmm_boot(vmm) ?: set_policy(nl, name, policy);
	vmm_logs_clear(vmm);
	return ret;
}

int set_policy(struct nl *nl, const char *name, __u32 policy)
{
	return nl_set_u32(nl, name, VFIO_MIGMUX_A_SET_POLICY, policy);
}

int set_timeout(struct nl *nl, const char *name, __u32 ms)
{
	return nl_set_u32(nl, name, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT, ms);
}

struct nl_counters set_counters(struct nl *nl, const char *name)
{
	struct nl_set set;

	nl_set_get(nl, name, &set);
	return set.counters;
}

static struct nl_set_member member_get(struct nl *nl, const char *name, const char *addr)
{
	const struct nl_set_member *member;
	struct nl_set set;

	nl_set_get(nl, name, &set);
	member = nl_set_member(&set, handle_of(addr));
	return member ? *member : (struct nl_set_member){};
}

struct nl_counters member_counters(struct nl *nl, const char *name, const char *addr)
{
	return member_get(nl, name, addr).counters;
}

bool member_pending(struct nl *nl, const char *name, const char *addr)
{
	return member_get(nl, name, addr).pending;
}

bool member_driven(struct nl *nl, const char *name, const char *addr)
{
	return member_get(nl, name, addr).driven;
}

/* --- waiting ------------------------------------------------------------------------ */

struct want {
	struct nl *nl;
	const char *name;
	__u32 n;
	const struct vmm *vmm;
};

static int wait_until(bool (*is)(const struct want *want), const struct want *want)
{
	__u64 until = now_ns() + PATIENCE_NS;

	while (!is(want)) {
		if (now_ns() > until)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

static bool started(const struct want *want)
{
	return set_counters(want->nl, want->name).early_starts >= want->n;
}

int set_wait_starts(struct nl *nl, const char *name, __u32 n)
{
	return wait_until(started, &(struct want){ .nl = nl, .name = name, .n = n });
}

static bool taken_back(const struct want *want)
{
	return set_counters(want->nl, want->name).take_backs >= want->n;
}

int set_wait_take_backs(struct nl *nl, const char *name, __u32 n)
{
	return wait_until(taken_back, &(struct want){ .nl = nl, .name = name, .n = n });
}

static bool idle(const struct want *want)
{
	struct nl_set set;
	unsigned int i;

	if (nl_set_get(want->nl, want->name, &set))
		return true;
	for (i = 0; i < set.members; i++)
		if (set.member[i].pending)
			return false;
	return true;
}

int set_wait_idle(struct nl *nl, const char *name)
{
	return wait_until(idle, &(struct want){ .nl = nl, .name = name });
}

static bool no_files(const struct want *want)
{
	return !vmm_data_files(want->vmm);
}

int data_files_wait(const struct vmm *vmm)
{
	int ret = wait_until(no_files, &(struct want){ .vmm = vmm });

	if (ret)
		printf("# %d data_fds are left\n", vmm_data_files(vmm));
	return ret;
}

bool nl_said(const struct nl *nl, const char *word)
{
	if (strstr(nl->text, word))
		return true;
	printf("# '%s' is not in the text '%s'\n", word, nl->text);
	return false;
}

/* --- calls at the same time --------------------------------------------------------- */

static void *call_run(void *arg)
{
	struct call *call = arg;

	call->ret = vmm_move(call->vmm, call->i, call->state);
	return NULL;
}

void call_start(struct call *call, struct vmm *vmm, int i, unsigned int state)
{
	*call = (struct call){ .vmm = vmm, .i = i, .state = state };
	if (pthread_create(&call->thread, NULL, call_run, call))
		abort();
}

int call_join(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->ret;
}

/* --- steps --------------------------------------------------------------------------- */

const struct step steps[STEPS] = {
	{ "quiesce", P_STOP, RUNNING, RUNNING_P2P, RUNNING, "RUNNING>RUNNING_P2P" },
	{ "stop", P_STOP, RUNNING_P2P, STOP, RUNNING_P2P, "RUNNING_P2P>STOP" },
	{ "copy", P_COPY, STOP, STOP_COPY, STOP, "STOP>STOP_COPY" },
	{ "copy at once", P_COPY, RUNNING_P2P, STOP_COPY, RUNNING_P2P, "STOP>STOP_COPY" },
	{ "quiesce in pre-copy", P_STOP, PRE_COPY, PRE_COPY_P2P, PRE_COPY,
	  "PRE_COPY>PRE_COPY_P2P" },
	/* from there no way leads back */
	{ "copy after pre-copy", P_COPY, PRE_COPY_P2P, STOP_COPY, STOP_COPY,
	  "PRE_COPY_P2P>STOP_COPY" },
	{ "resume", P_START, STOP, RUNNING_P2P, STOP, "STOP>RUNNING_P2P" },
	{ "start", P_START, RUNNING_P2P, RUNNING, RUNNING_P2P, "RUNNING_P2P>RUNNING" },
	{ "set up", P_SETUP, RUNNING, RESUMING, RUNNING, "STOP>RESUMING" },
	/* what was loaded stays loaded */
	{ "resume a loaded one", P_RESUME, RESUMING, RUNNING_P2P, STOP, "RESUMING>STOP" },
};

/* Without headers anything loads, nothing too. */
int step_prepare(struct vmm *vmm, const struct step *step)
{
	int ret = vmm_knob(vmm, "headerless", "1") ?: vmm_boot(vmm);

	if (!ret && step->from != RUNNING)
		ret = vmm_all(vmm, step->from);
	vmm_logs_clear(vmm);
	return ret;
}
