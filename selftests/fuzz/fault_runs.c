// SPDX-License-Identifier: GPL-2.0-only
/* What fault_sweep.c makes fail: all that the module does for a VMM and an operator. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault_runs.h"
#include "mnl_set.h"
#include "peer.h"
#include "vfio.h"

enum { NR_DEVS = 2, STATE_BYTES = 100000 };

static struct nl nl;
static struct nl listener;	/* for whom notifications are made */
static char handles[SESSION_DEVICES][64];

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
static void links_undo(void)
{
	int i;

	for (i = 0; i < WAIT_MS && nl_link_del(&nl, "swept") == -EBUSY; i++)
		usleep(1000);
}

/* --- sessions --------------------------------------------------------------------------- */

static struct pair pair = { .from = -1, .to = -1 };
static bool saving, loading;

/* Which of the sessions can say why it went wrong? */
static int explained(int err)
{
	const int fds[] = { pair.from, pair.to };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] < 0)
			return 0;	/* it could not even be opened */
		if (session_last_error(fds[i]).text[0])
			return 0;
	}
	/* copies fail, and calls before there is anything to tell, without a word */
	if (err == -EFAULT || err == -ENOMEM)
		return 0;
	puts("# no session says why");
	return -EPROTO;
}

static bool over(int fd, bool began)
{
	return !began || session_reached(fd) & (M_ENDED | M_HANDED_OVER);
}

/* When one end has failed neither is left in the middle: both end, by themselves. */
static int ended(void)
{
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (!((session_reached(pair.from) | session_reached(pair.to)) & M_FAILED) ||
		    (over(pair.from, saving) && over(pair.to, loading)))
			return 0;
		usleep(1000);
	}
	printf("# no end: the source has reached %#x, the destination %#x\n",
	       session_reached(pair.from), session_reached(pair.to));
	return -ETIMEDOUT;
}

/* Of a session that has failed: its devices are where its timeline says. */
static int reported(int fd, const struct vfio_dev *dev)
{
	struct timeline timeline;
	__u32 i;
	int ret, state;

	if (!(session_reached(fd) & M_ENDED))
		return 0;
	ret = session_timeline(fd, &timeline);
	for (i = 0; i < timeline.t.nr_devices && !ret; i++) {
		state = vfio_state_get(dev[timeline.dev[i].index].fd);
		if (state != (int)timeline.dev[i].state) {
			printf("# device %u is in state %d, the timeline says %u\n",
			       timeline.dev[i].index, state, timeline.dev[i].state);
			ret = -EPROTO;
		}
	}
	return ret;
}

static int pair_check(int err)
{
	int ret = explained(err);

	if (ret || pair.from < 0 || pair.to < 0)
		return ret;
	return ended() ?: reported(pair.from, pair.src) ?: reported(pair.to, pair.dst);
}

static void pair_undo(void)
{
	pair_close(&pair);
	pair.from = -1;
	pair.to = -1;
	saving = false;
	loading = false;
}

static int begin(int (*connect)(int fd[2]))
{
	return pair_open_over(&pair, &devices.dev[0], &devices.dev[NR_DEVS], NR_DEVS, 1,
			      connect);
}

static int setup(void)
{
	struct timeline timeline;
	char blob[100] = "blob";
	__u32 size = sizeof(blob);

	return begin(peer_pair_unix) ?: session_config_set(pair.from, 0, blob, size) ?:
	       session_config_get(pair.from, 0, blob, &size) ?:
	       session_timeline(pair.from, &timeline) ?:
	       session_set_state(pair.from, STOP, RUNNING, 0, 0, NULL) ?:
	       session_set_state(pair.from, RUNNING, RUNNING, 0, 0, NULL) ?:
	       session_device_remove(pair.from, 1);
}

static int save(__u32 flags, __u64 staging)
{
	int ret = session_save(pair.from, flags | VFIO_MIGMUX_SAVE_VERDICT |
			       VFIO_MIGMUX_SAVE_VERIFY, RUNNING, staging);

	saving |= !ret;
	return ret;
}

static int load(void)
{
	int ret = session_load(pair.to, VFIO_MIGMUX_LOAD_VERDICT | VFIO_MIGMUX_LOAD_VERIFY,
			       RUNNING, MIB);

	loading = !ret;
	return ret;
}

/* What has begun ends with all devices running there, and all of their state. */
static int finish(void)
{
	struct vfio_migmux_event events[8];
	int ret;

	ret = session_events(pair.from, events, ARRAY_SIZE(events));
	if (ret < 0)
		return ret;
	ret = session_wait(pair.to, M_LOADED | M_HANDED_OVER, WAIT_MS) ?:
	      session_wait(pair.from, M_SENT, WAIT_MS) ?:
	      session_set_state(pair.to, RUNNING, NONE, 0, 0, NULL);
	return ret ?: pair_equal(&pair) ? ret : -EBADMSG;
}

/* Other state than the last time, so that what is left of that is no success. */
static int state_new(void)
{
	static __u64 seed;
	int i, ret = 0;

	for (i = 0; i < NR_DEVS && !ret; i++)
		ret = attr_write_num(devices.dev[i].addr, "seed", ++seed);
	return ret;
}

static int migration(void)
{
	return state_new() ?: begin(peer_pair) ?: load() ?: save(0, MIB) ?: finish();
}

static int precopy(void)
{
	struct precopy info;

	return state_new() ?: begin(peer_pair_unix) ?: load() ?:
	       save(VFIO_MIGMUX_SAVE_PRECOPY, MIB) ?:
	       session_wait(pair.from, M_PRECOPY, WAIT_MS) ?:
	       session_precopy_info(pair.from, &info) ?: save(0, 0) ?: finish();
}

/* The destination is asked whether it is ready, and what there is. */
static int ready(void)
{
	struct peer_info peer;

	return state_new() ?: begin(peer_pair) ?: load() ?:
	       save(VFIO_MIGMUX_SAVE_READY, MIB) ?:
	       session_wait(pair.from, M_PEER_READY, WAIT_MS) ?:
	       session_peer_info(pair.from, &peer) ?: save(0, 0) ?: finish();
}

const struct run runs[] = {
	{ .name = "hook", .run = hook, .undo = hook_undo },
	{ .name = "links", .run = links, .undo = links_undo },
	{ .name = "sets", .run = sets, .undo = sets_undo, .tasks = true },
	{ .name = "setup", .run = setup, .undo = pair_undo, .check = pair_check },
	{ .name = "migration", .run = migration, .undo = pair_undo, .check = pair_check,
	  .tasks = true },
	{ .name = "precopy", .run = precopy, .undo = pair_undo, .check = pair_check,
	  .tasks = true },
	{ .name = "ready", .run = ready, .undo = pair_undo, .check = pair_check,
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
