// SPDX-License-Identifier: GPL-2.0-only
/* What fault_sweep.c makes fail: all that the module does for a VMM and an operator. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault_runs.h"
#include "mnl_set.h"
#include "peer.h"

struct nl nl;
static struct nl listener;	/* for whom notifications are made */
char handles[SESSION_DEVICES][64];

/* --- netlink, sets ---------------------------------------------------------------------- */

static int hook(void)
{
	unsigned int n;

	return nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_HOOK, handles[0]) ?:
	       nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_GET, handles[0]) ?:
	       nl_dump(&nl, VFIO_MIGMUX_CMD_DEVICE_GET, &n) ?:
	       nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handles[0]);
}

static void hook_undo(void)
{
	nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handles[0]);
}

static int sets(void)
{
	const char *const two[] = { handles[0], handles[1] };
	struct nl_set set = { .nl = &nl };
	struct nl_auto conf;
	int ret;

	ret = nl_set_new(&nl, "swept", P_ALL, 2, two) ?:
	      nl_set_get(&nl, "swept", &set) ?: nl_set_dump(&nl, &set) ?:
	      nl_set_change(&nl, "swept", VFIO_MIGMUX_A_SET_REMOVE, handles[1]) ?:
	      nl_set_change(&nl, "swept", VFIO_MIGMUX_A_SET_ADD, handles[2]);
	/* members move together, and what was started early is taken by its call */
	ret = ret ?: set_state(&devices.dev[0], RUNNING_P2P, NULL) ?:
	      set_state(&devices.dev[2], RUNNING_P2P, NULL) ?:
	      set_state(&devices.dev[0], RUNNING, NULL) ?:
	      set_state(&devices.dev[2], RUNNING, NULL);
	return ret ?: nl_set_del(&nl, "swept") ?: nl_auto_set(&nl, true, NULL) ?:
	       nl_auto_get(&nl, &conf) ?: nl_auto_set(&nl, false, NULL);
}

static void sets_undo(void)
{
	nl_set_del(&nl, "swept");
	nl_auto_set(&nl, false, NULL);
}

/* A link's channels, and the link in a session. */
static int links(void)
{
	struct nl_channels ch = { .count = 0 };
	unsigned int n;
	int fd[2], ret, session;

	ret = peer_pair(fd);
	if (ret)
		return ret;
	ret = nl_link_new(&nl, "swept") ?: nl_channel_new(&nl, "swept", fd[0], &ch) ?:
	      nl_channel_new(&nl, "swept", fd[1], &ch) ?:
	      nl_channel_dump(&nl, "swept", &ch) ?:
	      nl_channel(&nl, VFIO_MIGMUX_CMD_CHANNEL_GET, "swept", 0, &ch) ?:
	      nl_dump(&nl, VFIO_MIGMUX_CMD_LINK_GET, &n) ?:
	      nl_link(&nl, VFIO_MIGMUX_CMD_LINK_GET, "swept") ?:
	      nl_channel(&nl, VFIO_MIGMUX_CMD_CHANNEL_DEL, "swept", 0, &ch);
	close(fd[0]);
	close(fd[1]);
	if (ret)
		return ret;
	session = session_open();
	if (session < 0)
		return session;
	ret = session_device_add(session, devices.dev[0].fd, idstrs[0], 0);
	ret = ret < 0 ? ret : session_link_attach(session, "swept");
	ret = ret < 0 ? ret : nl_dump(&nl, VFIO_MIGMUX_CMD_SESSION_GET, &n);
	close(session);
	return ret;
}

/* What is closed ends soon, but not at once. */
void link_forget(const char *name)
{
	int i;

	for (i = 0; i < WAIT_MS && nl_link_del(&nl, name) == -EBUSY; i++)
		usleep(1000);
}

static void links_undo(void)
{
	link_forget("swept");
}

/* --- sessions --------------------------------------------------------------------------- */

static int setup(void)
{
	const int fd = ends_open(peer_pair_unix) ?: ends.pair.from;
	struct timeline timeline;
	char blob[100] = "blob";
	__u32 size = sizeof(blob);

	if (fd < 0)
		return fd;
	return session_config_set(fd, 0, blob, size) ?:
	       session_config_get(fd, 0, blob, &size) ?:
	       session_timeline(fd, &timeline) ?:
	       session_set_state(fd, STOP, RUNNING, 0, 0, NULL) ?:
	       session_set_state(fd, RUNNING, RUNNING, 0, 0, NULL) ?:
	       session_device_remove(fd, 1);
}

static int migration(void)
{
	return migrate(peer_pair);
}

static int precopy(void)
{
	struct precopy info;

	return state_new() ?: ends_open(peer_pair_unix) ?: ends_load(VERIFIED, MIB) ?:
	       ends_save(VERIFIED | VFIO_MIGMUX_SAVE_PRECOPY, MIB) ?:
	       session_wait(ends.pair.from, M_PRECOPY, WAIT_MS) ?:
	       session_precopy_info(ends.pair.from, &info) ?: ends_save(VERIFIED, 0) ?:
	       ends_finish();
}

/* The destination is asked whether it is ready, and what there is. */
static int ready(void)
{
	struct peer_info peer;

	return state_new() ?: ends_open(peer_pair) ?: ends_load(VERIFIED, MIB) ?:
	       ends_save(VERIFIED | VFIO_MIGMUX_SAVE_READY, MIB) ?:
	       session_wait(ends.pair.from, M_PEER_READY, WAIT_MS) ?:
	       session_peer_info(ends.pair.from, &peer) ?: ends_save(VERIFIED, 0) ?:
	       ends_finish();
}

const struct run runs[] = {
	{ .name = "hook", .run = hook, .undo = hook_undo },
	{ .name = "links", .run = links, .undo = links_undo },
	{ .name = "sets", .run = sets, .undo = sets_undo, .tasks = true },
	{ .name = "setup", .run = setup, .undo = ends_undo, .check = ends_check },
	{ .name = "migration", .run = migration, .undo = ends_undo, .check = ends_check,
	  .tasks = true },
	{ .name = "precopy", .run = precopy, .undo = ends_undo, .check = ends_check,
	  .tasks = true },
	{ .name = "ready", .run = ready, .undo = ends_undo, .check = ends_check,
	  .tasks = true },
};

const size_t nr_runs = ARRAY_SIZE(runs);

int runs_begin(void)
{
	int i, ret;

	ret = devices_precopy(NR_DEVS, true) ?: devices_open(&devices, 0, SESSION_DEVICES) ?:
	      devices_settle(&devices) ?: nl_open(&nl) ?: nl_open(&listener) ?:
	      nl_subscribe(&listener);
	for (i = 0; i < devices.n && !ret; i++) {
		snprintf(handles[i], sizeof(handles[0]), "pci/%s", devices.dev[i].addr);
		ret = attr_write_num(devices.dev[i].addr, "state_size", STATE_BYTES);
	}
	return ret;
}

void runs_end(void)
{
	vfio_set_close(&devices);
	devices_precopy(NR_DEVS, false);
	nl_close(&nl);
	nl_close(&listener);
}
