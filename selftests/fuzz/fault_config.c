// SPDX-License-Identifier: GPL-2.0-only
/*
 * What fault_sweep.c makes fail: what an operator can choose of sets, what netlink shows of
 * sessions, and what it tells those who listen.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fault_runs.h"
#include "mnl_set.h"
#include "set_util.h"

/* --- sets ------------------------------------------------------------------------------ */

static struct vmm vmm;

static void put_config(struct nlmsghdr *nlh, __u32 policy)
{
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_POLICY, policy);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_MAX_PARALLEL, 1);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT, 600000);
	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_ALLOW_NO_P2P, 1);
}

static int set_new(__u32 policy)
{
	const char *const three[] = { handles[0], handles[1], handles[2] };
	struct nlmsghdr *nlh = nl_set_begin(&nl, VFIO_MIGMUX_CMD_SET_NEW, "swept");

	put_config(nlh, policy);
	nl_set_put_devices(nlh, VFIO_MIGMUX_A_SET_ADD, 3, three);
	return nl_call(&nl, NULL, NULL);
}

/* All that can be changed, at once. */
static int set_change(__u32 policy)
{
	struct nlmsghdr *nlh = nl_set_begin(&nl, VFIO_MIGMUX_CMD_SET_SET, "swept");

	put_config(nlh, policy);
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_SET_ADD, handles[3]);
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_SET_REMOVE, handles[2]);
	return nl_call(&nl, NULL, NULL);
}

/* What the VMM does not ask for in time is taken back, and so is what a deleted set began. */
static int take_back(void)
{
	return set_timeout(&nl, "swept", 1) ?: vmm_move(&vmm, 0, RUNNING_P2P) ?:
	       set_wait_idle(&nl, "swept") ?: vmm_move(&vmm, 0, RUNNING) ?:
	       set_wait_idle(&nl, "swept") ?: set_timeout(&nl, "swept", 600000) ?:
	       vmm_move(&vmm, 0, RUNNING_P2P) ?: nl_set_del(&nl, "swept") ?:
	       vmm_move(&vmm, 0, RUNNING);
}

/* One device after the other, past a barrier, and only one of them at a time. */
static int policy(void)
{
	int ret;

	vmm_init(&vmm, VMM_CLOUD, devices.dev, 3);
	ret = set_new(0) ?: vmm_move(&vmm, 1, RUNNING_P2P) ?: vmm_move(&vmm, 1, RUNNING) ?:
	      vmm_move(&vmm, 2, RUNNING_P2P) ?: vmm_move(&vmm, 2, RUNNING) ?:
	      set_policy(&nl, "swept", P_ALL | P_BARRIER);
	ret = ret ?: vmm_stop(&vmm) ?: vmm_save(&vmm) ?: vmm_cont(&vmm) ?: take_back();
	return ret ?: vmm_are(&vmm, RUNNING) ? ret : -EIO;
}

/* Sets that make themselves, with a policy; and a set that is changed. */
static int automatic(void)
{
	struct nlmsghdr *nlh = nl_begin(&nl, VFIO_MIGMUX_CMD_SET_AUTO_SET, NLM_F_ACK);
	struct nl_set set = { .nl = &nl };
	struct nl_auto conf;
	int ret;

	vmm_init(&vmm, VMM_QEMU, devices.dev, NR_DEVS);
	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_AUTO_ENABLED, 1);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_AUTO_POLICY, P_ALL);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL, 2);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT, 600000);
	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P, 1);
	ret = nl_call(&nl, NULL, NULL) ?: vmm_boot(&vmm) ?: nl_set_dump(&nl, &set) ?:
	      vmm_precopy(&vmm) ?: vmm_stop(&vmm) ?: vmm_save(&vmm) ?: vmm_cont(&vmm) ?:
	      nl_auto_get(&nl, &conf) ?: nl_auto_set(&nl, false, NULL);
	return ret ?: set_new(P_ALL) ?: set_change(P_DEFAULT) ?: nl_set_get(&nl, "swept", &set);
}

static void sets_undo(void)
{
	vmm_free(&vmm);
	sets_forget(&nl);
}

/* --- what a session tells ----------------------------------------------------------------- */

static int fd = -1;

static int session_with_devices(void)
{
	int i, ret = 0;

	fd = session_open();
	for (i = 0; i < 2 && ret >= 0; i++)
		ret = session_device_add(fd, devices.dev[2 + i].fd, idstrs[i], 0);
	return ret < 0 ? ret : 0;
}

/* While it is there, and the record that is left of it. */
static int records(void)
{
	struct vfio_migmux_last_error last = { .argsz = sizeof(last) };
	struct vfio_migmux_info info = { .argsz = sizeof(info) };
	struct timeline timeline;
	unsigned int n;
	int ret;

	ret = session_with_devices() ?: session_call(fd, VFIO_MIGMUX_GET_INFO, &info) ?:
	      session_call(fd, VFIO_MIGMUX_LAST_ERROR, &last) ?:
	      session_timeline(fd, &timeline) ?:
	      nl_session(&nl, timeline.t.session, NULL, NULL);
	close(fd);
	fd = -1;
	return ret ?: nl_session(&nl, timeline.t.session, NULL, NULL) ?:
	       nl_dump(&nl, VFIO_MIGMUX_CMD_SESSION_GET, &n);
}

static void session_undo(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
	nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handles[0]);
	nl_set_del(&nl, "told");
	link_forget("told");
}

/* --- who listens --------------------------------------------------------------------------- */

#define LATE_MS	2000	/* after the call that they are about, at the most */

/* Messages about what the run has made, by command. */
static unsigned int seen[__VFIO_MIGMUX_CMD_MAX], usual[__VFIO_MIGMUX_CMD_MAX];
static __u32 session_id;

static bool is(const struct nlattr *attr, const char *name)
{
	return attr && !strcmp(mnl_attr_get_str(attr), name);
}

static void see(void *data, __u8 cmd, const struct nlattr **attrs)
{
	bool ours = false;

	(void)data;
	switch (cmd) {
	case VFIO_MIGMUX_CMD_DEVICE_NTF:
		ours = is(attrs[VFIO_MIGMUX_A_DEVICE_HANDLE], handles[0]);
		break;
	case VFIO_MIGMUX_CMD_SET_NTF:
		ours = is(attrs[VFIO_MIGMUX_A_SET_NAME], "told");
		break;
	case VFIO_MIGMUX_CMD_SET_EVENT:
		ours = is(attrs[VFIO_MIGMUX_A_SET_EVENT_SET], "told");
		break;
	case VFIO_MIGMUX_CMD_LINK_NTF:
		ours = is(attrs[VFIO_MIGMUX_A_LINK_NAME], "told");
		break;
	case VFIO_MIGMUX_CMD_SESSION_EVENT:
		ours = attrs[VFIO_MIGMUX_A_EVENT_SESSION] &&
		       mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_EVENT_SESSION]) == session_id;
		break;
	}
	seen[cmd] += ours;
}

/* The command of which less has come than usual, or 0. */
static int short_of(void)
{
	int cmd = __VFIO_MIGMUX_CMD_MAX - 1;

	while (cmd && seen[cmd] >= usual[cmd])
		cmd--;
	return cmd;
}

/* All there is, and what usually comes: 0, or -ENOBUFS if something was lost. */
static int listen_to(struct nl *ear)
{
	int ret;

	memset(seen, 0, sizeof(seen));
	do {
		ret = nl_next_event(ear, short_of() ? LATE_MS : 0, see, NULL);
	} while (!ret);
	return ret == -ETIMEDOUT ? 0 : ret;
}

static int tell(void)
{
	const char *const two[] = { handles[0], handles[1] };
	struct timeline timeline;
	int ret;

	ret = nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_HOOK, handles[0]) ?:
	      nl_set_new(&nl, "told", P_ALL, 2, two) ?:
	      set_state(&devices.dev[0], RUNNING_P2P, NULL) ?:
	      set_state(&devices.dev[0], RUNNING, NULL) ?:
	      nl_set_del(&nl, "told") ?:
	      nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handles[0]) ?:
	      nl_link_new(&nl, "told") ?: nl_link_del(&nl, "told") ?:
	      session_with_devices() ?: session_timeline(fd, &timeline);
	if (ret)
		return ret;
	session_id = timeline.t.session;
	return session_set_state(fd, RUNNING_P2P, RUNNING, 0, 0, NULL) ?:
	       session_set_state(fd, RUNNING, RUNNING, 0, 0, NULL);
}

/* Who listens is told everything, or that there was more. */
static int events(void)
{
	struct nl ear;
	int cmd, ret;

	ret = nl_open(&ear);
	if (ret)
		return ret;
	ret = nl_subscribe(&ear) ?: tell();
	if (!ret && !listen_to(&ear)) {
		cmd = short_of();
		if (cmd) {
			printf("# %u messages of command %d, and not %u\n", seen[cmd], cmd,
			       usual[cmd]);
			ret = WRONG;
		} else {
			memcpy(usual, seen, sizeof(usual));
		}
	}
	nl_close(&ear);
	return ret;
}

const struct run config_runs[] = {
	{ .name = "policy", .run = policy, .undo = sets_undo, .tasks = true },
	{ .name = "automatic", .run = automatic, .undo = sets_undo, .tasks = true },
	{ .name = "records", .run = records, .undo = session_undo },
	{ .name = "events", .run = events, .undo = session_undo, .tasks = true },
};

const size_t nr_config_runs = ARRAY_SIZE(config_runs);
