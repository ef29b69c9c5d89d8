// SPDX-License-Identifier: GPL-2.0-only
/*
 * What fault_sweep.c makes fail: the other ways of a device's state. By other sockets, by links,
 * by the hands of the VMM, in a bad order, and by data files that are the VMM's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault_runs.h"
#include "peer.h"

#define MAX_FRAMES	32
#define CHUNK		20000	/* bytes of a frame, so that there are several */

/* --- other sockets, links ----------------------------------------------------------------- */

static bool connects(int (*connect)(int fd[2]))
{
	int fd[2], ret = connect(fd);

	close(fd[0]);
	close(fd[1]);
	return !ret;
}

/* The whole of a migration by sockets of a kind, where there are such. */
#define SOCKET_RUN(_kind)				\
static bool _kind##_has(void)				\
{							\
	return connects(peer_pair_##_kind);		\
}							\
							\
static int _kind(void)					\
{							\
	return migrate(peer_pair_##_kind);		\
}

SOCKET_RUN(tls)		/* wants tls, and gcm */
SOCKET_RUN(mptcp)
SOCKET_RUN(vsock)	/* wants vsock_loopback */

static const char *const link_name[] = { "swept-from", "swept-to" };

/* Two links, and two channels between them. */
static int links_open(void)
{
	struct nl_channels ch;
	int i, fd[2], ret;

	ret = nl_link_new_tls(&nl, link_name[0]) ?: nl_link_new_tls(&nl, link_name[1]);
	for (i = 0; i < 2 && !ret; i++) {
		ret = peer_pair_tls(fd);
		if (ret)
			break;
		ret = nl_channel_new(&nl, link_name[0], fd[0], &ch) ?:
		      nl_channel_new(&nl, link_name[1], fd[1], &ch);
		close(fd[0]);
		close(fd[1]);
	}
	return ret;
}

static int attach(int session, const struct vfio_dev *dev, const char *link)
{
	int i, ret = 0;

	for (i = 0; i < NR_DEVS && ret >= 0; i++)
		ret = session_device_add_weighted(session, dev[i].fd, idstrs[i], 0, i + 1);
	return ret < 0 ? ret : session_link_attach_shared(session, link);
}

/* Sessions without channels and devices. */
static int ends_empty(void)
{
	int ret;

	ret = pair_open_over(&ends.pair, &devices.dev[0], &devices.dev[NR_DEVS], 0, 0, NULL);
	ends.pair.n = NR_DEVS;
	return ret ?: ends.pair.from < 0 ? ends.pair.from :
	       ends.pair.to < 0 ? ends.pair.to : 0;
}

/* Links for TLS, which devices of unlike weight share. */
static int attached(void)
{
	const struct pair *pair = &ends.pair;
	int ret;

	ret = state_new() ?: links_open() ?: ends_empty();
	if (!ret)
		ret = attach(pair->from, pair->src, link_name[0]);
	if (ret >= 0)
		ret = attach(pair->to, pair->dst, link_name[1]);
	if (ret < 0)
		return ret;
	return ends_load(VERIFIED, MIB) ?: ends_save(VERIFIED, MIB) ?: ends_finish() ?:
	       nl_link(&nl, VFIO_MIGMUX_CMD_LINK_GET, link_name[0]);
}

static void attached_undo(void)
{
	ends_undo();
	link_forget(link_name[0]);
	link_forget(link_name[1]);
}

/* --- frames that pass through the VMM ---------------------------------------------------- */

static struct peer_held held[MAX_FRAMES];
/* The VMM's ends of the source's channel, and of the destination's. */
static int wire[2] = { -1, -1 };

static int read_chunk(__u64 bytes)
{
	int i, ret = 0;

	for (i = 0; i < NR_DEVS && !ret; i++)
		ret = attr_write_num(devices.dev[i].addr, "read_chunk", bytes);
	return ret;
}

static int add_devices(void)
{
	const struct pair *pair = &ends.pair;
	int i, ret = 0;

	for (i = 0; i < NR_DEVS && ret >= 0; i++) {
		ret = session_device_add(pair->from, pair->src[i].fd, idstrs[i], 0);
		if (ret >= 0)
			ret = session_device_add(pair->to, pair->dst[i].fd, idstrs[i], 0);
	}
	return ret < 0 ? ret : 0;
}

/* Two sessions that only the VMM can bring together. */
static int ends_apart(void)
{
	ends.apart = true;
	ends.no_verdict = true;
	return state_new() ?: read_chunk(CHUNK) ?: ends_empty() ?: add_devices();
}

/* A channel that all devices share, to the VMM. */
static int channel(int session, int *mine)
{
	int fd[2], ret = peer_pair_unix(fd);

	if (ret)
		return ret;
	ret = session_channel_add(session, fd[0], NO_INDEX);
	close(fd[0]);
	*mine = fd[1];
	return ret < 0 ? ret : 0;
}

/* All frames of the source: how many. */
static int take(void)
{
	return channel(ends.pair.from, &wire[0]) ?: ends_save(0, 4 * MIB) ?:
	       peer_take(wire[0], held, MAX_FRAMES, NR_DEVS);
}

/* A frame that is not taken for want of memory is as if it had never been handed in. */
static int hand_in(__u32 flags, const char *idstr, __u32 idx, bool config, const void *data,
		   __u32 bytes)
{
	int i, ret = -EAGAIN;

	for (i = 0; i < 2; i++) {
		ret = session_load_buffer(ends.pair.to, flags, idstr, idx, config, data, bytes);
		if (ret != -EFAULT && ret != -ENOMEM)
			break;
	}
	return ret;
}

static int hand_in_held(const struct peer_held *frame, __u32 flags)
{
	return hand_in(flags, frame->head.idstr, peer_get32(frame->head.idx),
		       peer_get32(frame->head.payload_flags) == 1, frame->data, frame->bytes);
}

/* From the end on; what finds no memory then waits for it, in order. */
static int hand_in_all(int n)
{
	bool late[MAX_FRAMES];
	int i, ret = 0;

	for (i = n; i-- && !ret;) {
		ret = hand_in_held(&held[i], NONBLOCK);
		late[i] = ret == -EAGAIN;
		ret = late[i] ? 0 : ret;
	}
	for (i = 0; i < n && !ret; i++)
		ret = late[i] ? hand_in_held(&held[i], 0) : 0;
	return ret;
}

static int buffer(void)
{
	int ret;

	ret = ends_apart() ?: ends_load(VFIO_MIGMUX_LOAD_BUFFERS, 4 * MIB) ?: take();
	return ret < 0 ? ret : hand_in_all(ret) ?: ends_finish();
}

/* The config frames, which the source leaves to the VMM; all else goes by channels. */
static int config(void)
{
	const struct pair *pair = &ends.pair;
	struct timeline t;
	int i, ret;

	ends.apart = true;
	ends.no_verdict = true;
	ret = state_new() ?: ends_open(peer_pair) ?:
	      ends_load(VFIO_MIGMUX_LOAD_BUFFERS, MIB) ?:
	      ends_save(VFIO_MIGMUX_SAVE_NO_CONFIG, MIB) ?:
	      session_wait(pair->from, M_SENT, WAIT_MS) ?: session_timeline(pair->from, &t);
	for (i = 0; i < NR_DEVS && !ret; i++)
		ret = hand_in(0, idstrs[i], t.dev[i].frames, true, "blob", 4);
	return ret ?: ends_finish();
}

/* A channel that devices share, and the worst order on it: more waits than there is room. */
static int spill(void)
{
	int n, ret;

	n = ends_apart() ?: channel(ends.pair.to, &wire[1]) ?: ends_load(0, MIB) ?: take();
	if (n < 0) {
		if (n == -ETIMEDOUT)
			ends_tell("no frames");
		return n;
	}
	ret = peer_send_init(wire[1], 0);
	while (n-- && !ret)
		ret = peer_pass(wire[1], &held[n]);
	if (ret == -ETIMEDOUT)
		ends_tell("not taken");
	return ret ?: ends_finish();
}

static void by_hand_undo(void)
{
	int i;

	ends_undo();
	for (i = 0; i < 2; i++) {
		if (wire[i] >= 0)
			close(wire[i]);
		wire[i] = -1;
	}
	peer_let_go(held, MAX_FRAMES);
	memset(held, 0, sizeof(held));
	read_chunk(0);
}

/* --- data files of the VMM's -------------------------------------------------------------- */

/* Of the last run none is left. */
static int files_gone(void)
{
	const char *addr;
	int i, ret = 0;

	for (i = 0; i < devices.n && !ret; i++) {
		addr = devices.dev[i].addr;
		ret = attr_wait_text(addr, "data_files", "0");
		if (ret)
			printf("# %s, %d: %llu data files are held by sessions that are closed\n",
			       addr, vfio_state_get(devices.dev[i].fd),
			       attr_read_num(addr, "data_files"));
	}
	return ret;
}

static int adopt(int session, const struct vfio_dev *dev, __u32 state)
{
	int i, data_fd, ret = 0;

	for (i = 0; i < NR_DEVS && !ret; i++) {
		data_fd = -1;
		ret = set_state(&dev[i], state, &data_fd) ?:
		      session_data_fd(session, i, data_fd, 0);
		if (data_fd >= 0)
			close(data_fd);
	}
	return ret;
}

/* The VMM takes all devices where they begin, and a failure leaves them there. */
static int adopted(void)
{
	const struct pair *pair = &ends.pair;

	ends.recover = NONE;
	ends.no_verdict = true;
	return files_gone() ?: state_new() ?: ends_open(peer_pair) ?:
	       adopt(pair->from, pair->src, STOP_COPY) ?:
	       adopt(pair->to, pair->dst, RESUMING) ?:
	       ends_load(0, MIB) ?: ends_save(0, MIB) ?: ends_finish();
}

static int move(__u32 state)
{
	return set_state(&ends.pair.src[0], state, NULL) ?:
	       set_state(&ends.pair.src[1], state, NULL);
}

/* The source's VMM makes the arcs of a pre-copy, too. */
static int adopted_precopy(void)
{
	const __u32 verdict = VFIO_MIGMUX_SAVE_VERDICT;
	const struct pair *pair = &ends.pair;

	ends.vmm_moves = true;
	return files_gone() ?: state_new() ?: ends_open(peer_pair) ?:
	       adopt(pair->from, pair->src, PRE_COPY) ?: ends_load(verdict, MIB) ?:
	       ends_save(verdict | VFIO_MIGMUX_SAVE_PRECOPY, MIB) ?:
	       session_wait(pair->from, M_PRECOPY, WAIT_MS) ?:
	       move(PRE_COPY_P2P) ?: move(STOP_COPY) ?: ends_save(verdict, 0) ?:
	       ends_finish();
}

/* --- ways back ------------------------------------------------------------------------------ */

/* Devices are where the results say, if there are any. */
static int results_right(const struct results *results)
{
	const struct vfio_migmux_device_result *r = results->dev;
	int i;

	for (i = 0; results->n == NR_DEVS && i < NR_DEVS; i++)
		if (!device_is(&ends.pair.src[i], r[i].state))
			return WRONG;
	return 0;
}

/* A device fails, and all go back. */
static int batch_back(void)
{
	struct results results;
	int ret;

	ret = attr_write(ends.pair.src[1].addr, "fail_arc", "RUNNING_P2P>STOP:28:1");
	if (ret)
		return ret;
	ret = session_set_state(ends.pair.from, STOP, RUNNING, 0, 0, &results);
	if (ret != -EFAULT && results_right(&results))
		return WRONG;
	return ret == -ENOSPC ? 0 : ret ?: WRONG;
}

/* Devices are where the timelines say, unless those cannot be had. */
static int as_reported(void)
{
	const int ret = ends_reported();

	return ret == -EPROTO ? WRONG : ret;
}

/*
 * In the middle of a migration that takes its time the VMM thinks better of it. What the
 * destination has loaded in part may not have a way back.
 */
static int save_back(void)
{
	const struct pair *pair = &ends.pair;
	const char *addr = pair->src[1].addr;

	return attr_write_num(addr, "read_us_per_mib", 100000000) ?:
	       attr_write_num(addr, "read_chunk", 1000) ?:
	       ends_load(VERIFIED, MIB) ?: ends_save(VERIFIED, MIB) ?:
	       session_abort(pair->from, RUNNING) ?:
	       session_wait(pair->from, M_FAILED | M_ENDED, WAIT_MS) ?:
	       session_wait(pair->to, M_FAILED | M_ENDED, WAIT_MS) ?:
	       as_reported() ?:
	       device_is(&pair->src[0], RUNNING) && device_is(&pair->src[1], RUNNING) ? 0 :
	       -EIO;
}

static int back(void)
{
	struct timeline t;

	return ends_open(peer_pair_unix) ?: batch_back() ?:
	       session_set_state(ends.pair.from, STOP, RUNNING, VFIO_MIGMUX_SET_STATE_ASYNC,
				 60000, NULL) ?:
	       session_wait(ends.pair.from, M_BATCH, WAIT_MS) ?:
	       session_timeline(ends.pair.from, &t) ?:
	       session_set_state(ends.pair.from, RUNNING, NONE, 0, 0, NULL) ?: save_back();
}

static void back_undo(void)
{
	const char *addr = devices.dev[1].addr;

	ends_undo();
	attr_write(addr, "fail_arc", "none");
	attr_write(addr, "read_us_per_mib", "0");
	attr_write(addr, "read_chunk", "0");
}

#define PATH_RUN(_name, _has, _run, _undo)						\
	{ .name = _name, .has = _has, .run = _run, .check = ends_check, .undo = _undo,	\
	  .tasks = true }

const struct run path_runs[] = {
	PATH_RUN("tls", tls_has, tls, ends_undo),
	PATH_RUN("mptcp", mptcp_has, mptcp, ends_undo),
	PATH_RUN("vsock", vsock_has, vsock, ends_undo),
	PATH_RUN("attached", tls_has, attached, attached_undo),
	PATH_RUN("buffer", NULL, buffer, by_hand_undo),
	PATH_RUN("config", NULL, config, ends_undo),
	PATH_RUN("spill", NULL, spill, by_hand_undo),
	PATH_RUN("adopt", NULL, adopted, ends_undo),
	PATH_RUN("adopt_precopy", NULL, adopted_precopy, ends_undo),
	PATH_RUN("back", NULL, back, back_undo),
};

const size_t nr_path_runs = ARRAY_SIZE(path_runs);
