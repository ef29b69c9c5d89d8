// SPDX-License-Identifier: GPL-2.0-only
/* Sessions in the middle of something; see phase.h */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "phase.h"

/* Without a header, so that a part of the state will do on the way back. */
int stage_open(struct stage *stage, struct vfio_dev *dev)
{
	int i, fd[2], ret = 0;

	*stage = (struct stage){ .fd = session_open(), .dev = dev, .ch = { -1, -1 } };
	for (i = 0; i < 2 && ret >= 0; i++) {
		ret = attr_write(dev[i].addr, "headerless", "1");
		if (!ret)
			ret = session_device_add(stage->fd, dev[i].fd, idstrs[i], 0);
		if (ret >= 0)
			ret = peer_pair(fd);
		if (ret >= 0)
			ret = session_channel_add(stage->fd, fd[0], i);
		close(fd[0]);
		stage->ch[i] = fd[1];
	}
	return ret < 0 ? ret : 0;
}

void stage_close(struct stage *stage)
{
	close(stage->fd);
	close(stage->ch[0]);
	close(stage->ch[1]);
	stage->fd = -1;
	stage->ch[0] = -1;
	stage->ch[1] = -1;
}

static int save(struct stage *stage)
{
	return session_save(stage->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, STAGING);
}

static int slow_arc(struct stage *stage, const char *arc)
{
	return attr_write(stage->dev[0].addr, "arcs", arc) ?:
	       attr_write(stage->dev[1].addr, "arcs", arc);
}

int phase_idle(struct stage *stage)
{
	return session_wait(stage->fd, M_ENDED, 0) == -ETIMEDOUT ? 0 : -EPROTO;
}

int phase_batch(struct stage *stage)
{
	return slow_arc(stage, "RUNNING_P2P>STOP=300") ?:
	       session_set_state(stage->fd, STOP_COPY, RUNNING, VFIO_MIGMUX_SET_STATE_ASYNC,
				 0, NULL);
}

/* Nobody answers. */
int phase_asking(struct stage *stage)
{
	return session_save(stage->fd, VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_READY,
			    RUNNING, STAGING);
}

static int precopy(struct stage *stage)
{
	return attr_write(stage->dev[0].addr, "headerless", "0") ?:
	       attr_write(stage->dev[1].addr, "headerless", "0") ?:
	       session_save(stage->fd, VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_PRECOPY,
			    RUNNING, STAGING);
}

int phase_precopy_arc(struct stage *stage)
{
	return slow_arc(stage, "RUNNING>PRE_COPY=300") ?: precopy(stage);
}

/* All is read that there was, and nothing more comes. */
int phase_precopy_idle(struct stage *stage)
{
	struct timeline t;
	int ret, i;

	ret = precopy(stage) ?: session_wait(stage->fd, M_PRECOPY, WAIT_MS);
	for (i = 0; i < WAIT_MS && !ret; i++) {
		ret = session_timeline(stage->fd, &t);
		if (ret || (t.dev[0].precopy_rounds && t.dev[1].precopy_rounds))
			return ret;
		usleep(1000);
	}
	return ret ?: -ETIMEDOUT;
}

/* Always one of many small reads is under way. */
int phase_precopy_busy(struct stage *stage)
{
	const char *addr = stage->dev[1].addr;
	struct timeline t;
	int ret, i;

	ret = attr_write_num(addr, "precopy_size", STATE_SIZE) ?:
	      attr_write_num(addr, "read_us_per_mib", 10000000) ?:
	      attr_write_num(addr, "read_chunk", 1024) ?: precopy(stage) ?:
	      session_wait(stage->fd, M_PRECOPY, WAIT_MS);
	for (i = 0; i < WAIT_MS && !ret; i++) {
		ret = session_timeline(stage->fd, &t);
		if (ret || t.dev[1].precopy_bytes >= 2048)
			return ret;
		usleep(1000);
	}
	return ret ?: -ETIMEDOUT;
}

int phase_switchover(struct stage *stage)
{
	return slow_arc(stage, "PRE_COPY_P2P>STOP_COPY=300") ?:
	       phase_precopy_busy(stage) ?:
	       session_save(stage->fd, VFIO_MIGMUX_SAVE_VERDICT, RUNNING, 0);
}

int phase_quiescing(struct stage *stage)
{
	return slow_arc(stage, "RUNNING>RUNNING_P2P=300") ?: save(stage);
}

int phase_stopping(struct stage *stage)
{
	return slow_arc(stage, "RUNNING_P2P>STOP=300") ?: save(stage) ?:
	       session_wait(stage->fd, M_QUIESCED, WAIT_MS);
}

int phase_saving(struct stage *stage)
{
	return slow_arc(stage, "STOP>STOP_COPY=300") ?: save(stage) ?:
	       session_wait(stage->fd, M_STOPPED, WAIT_MS);
}

/* A device that yields its state in small steps. */
int phase_streaming(struct stage *stage)
{
	const char *addr = stage->dev[1].addr;

	return attr_write_num(addr, "state_size", MIB) ?:
	       attr_write_num(addr, "read_us_per_mib", 10000000) ?:
	       attr_write_num(addr, "read_chunk", 1024) ?: save(stage) ?:
	       saved_wait(addr, 2048);
}

/* A peer that does not read. */
int phase_blocked(struct stage *stage)
{
	const char *addr = stage->dev[1].addr;

	return attr_write_num(addr, "state_size", 32 * MIB) ?: save(stage) ?:
	       saved_wait(addr, 2 * MIB);
}

/* A peer that does not answer. */
int phase_verdict(struct stage *stage)
{
	return save(stage) ?: peer_drain(stage->ch, 2, 2) ?:
	       session_wait(stage->fd, M_SENT, WAIT_MS);
}

int phase_ready(struct stage *stage)
{
	return session_load(stage->fd, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, STAGING) ?:
	       session_wait(stage->fd, M_READY, WAIT_MS) ?:
	       peer_send_init(stage->ch[0], 0) ?: peer_send_init(stage->ch[1], 1);
}

/* Half a frame is on its way, and another one is being taken slowly. */
int phase_loading(struct stage *stage)
{
	const struct peer_frame half = peer_frame(idstrs[0], 1, MIB, false);
	const char *addr = stage->dev[0].addr;

	return attr_write_num(addr, "write_us_per_mib", 10000000) ?:
	       attr_write_num(addr, "write_chunk", 1024) ?: phase_ready(stage) ?:
	       peer_send_frame(stage->ch[0], idstrs[0], 0, MIB, false) ?:
	       peer_send(stage->ch[0], &half, sizeof(half)) ?:
	       attr_wait(addr, "loaded_bytes", 2048);
}

static int send_all(struct stage *stage)
{
	return peer_send_frame(stage->ch[0], idstrs[0], 0, 1000, false) ?:
	       peer_send_frame(stage->ch[0], idstrs[0], 1, 0, true) ?:
	       peer_send_frame(stage->ch[1], idstrs[1], 0, 10, true);
}

/* All bytes are written some time before the arc begins: it is the arc that counts. */
static int load_arc_begins(struct stage *stage)
{
	struct timeline t;
	int ret, i;

	for (i = 0; i < WAIT_MS; i++) {
		ret = session_timeline(stage->fd, &t);
		if (ret || t.dev[0].phases[VFIO_MIGMUX_PHASE_LOAD].start_ns)
			return ret;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

int phase_load_arc(struct stage *stage)
{
	return slow_arc(stage, "RESUMING>STOP=300") ?: phase_ready(stage) ?:
	       send_all(stage) ?: load_arc_begins(stage);
}

/* The good verdict has gone out, and no answer comes. */
int phase_confirm(struct stage *stage)
{
	struct peer_verdict verdict;

	return phase_ready(stage) ?: send_all(stage) ?:
	       peer_recv(stage->ch[0], &verdict, sizeof(verdict)) ?:
	       session_wait(stage->fd, M_LOADED, WAIT_MS);
}

/* Frame 2 waits for memory, for frame 1 has not come. */
static void *hand_in(void *arg)
{
	struct stage *stage = arg;

	session_load_buffer(stage->fd, 0, idstrs[0], 2, false, "x", 1);
	return NULL;
}

/* A thread of the VMM waits inside, with a frame that it hands in. */
int phase_buffers(struct stage *stage)
{
	pthread_t thread;

	return session_load(stage->fd, VFIO_MIGMUX_LOAD_BUFFERS, RUNNING, STAGING) ?:
	       session_load_buffer(stage->fd, NONBLOCK, idstrs[0], 3, false, "x", 1) ?:
	       -pthread_create(&thread, NULL, hand_in, stage);
}

static int adopt(struct stage *stage, __u32 device)
{
	int data_fd = -1, ret;

	ret = set_state(&stage->dev[device], STOP_COPY, &data_fd) ?:
	      session_data_fd(stage->fd, device, data_fd, 0);
	close(data_fd);
	return ret;
}

/* A slow device whose data file was the VMM's. */
int phase_adopted(struct stage *stage)
{
	const char *addr = stage->dev[1].addr;

	return attr_write_num(addr, "read_us_per_mib", 10000000) ?:
	       attr_write_num(addr, "read_chunk", 1024) ?:
	       adopt(stage, 0) ?: adopt(stage, 1) ?:
	       session_save(stage->fd, 0, RUNNING, STAGING) ?: saved_wait(addr, 2048);
}
