// SPDX-License-Identifier: GPL-2.0-only
/* Model VMMs; see vmm.h */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm.h"

void vmm_init(struct vmm *vmm, enum vmm_order order, const struct vfio_dev *dev, int n)
{
	int i;

	*vmm = (struct vmm){ .order = order, .dev = dev, .n = n };
	for (i = 0; i < VMM_DEVICES; i++)
		vmm->data_fd[i] = -1;
}

static void data_fd_close(struct vmm *vmm, int i)
{
	if (vmm->data_fd[i] >= 0)
		close(vmm->data_fd[i]);
	vmm->data_fd[i] = -1;
}

void vmm_free(struct vmm *vmm)
{
	int i;

	for (i = 0; i < vmm->n; i++) {
		data_fd_close(vmm, i);
		free(vmm->stream[i]);
		vmm->stream[i] = NULL;
	}
}

/* A data_fd stays as long as the driver may still use it: until the next one comes. */
int vmm_move(struct vmm *vmm, int i, unsigned int state)
{
	int fd = -1;
	int ret = set_state(&vmm->dev[i], state, &fd);

	if (!ret && fd >= 0) {
		data_fd_close(vmm, i);
		vmm->data_fd[i] = fd;
	}
	return ret;
}

/* --- who goes when --------------------------------------------------------------- */

/* The way of one device: states, the last of them 0, which is ERROR and no target. */
struct way {
	struct vmm *vmm;
	const unsigned int *states;
	int i;
	int ret;
};

static void *way_go(void *arg)
{
	struct way *way = arg;
	const unsigned int *state;

	for (state = way->states; *state && !way->ret; state++)
		way->ret = vmm_move(way->vmm, way->i, *state);
	return NULL;
}

static int way_threads(struct vmm *vmm, const unsigned int *states)
{
	pthread_t thread[VMM_DEVICES];
	struct way way[VMM_DEVICES];
	int i, ret = 0;

	for (i = 0; i < vmm->n; i++) {
		way[i] = (struct way){ .vmm = vmm, .states = states, .i = i };
		if (pthread_create(&thread[i], NULL, way_go, &way[i]))
			abort();
	}
	for (i = 0; i < vmm->n; i++) {
		pthread_join(thread[i], NULL);
		ret = ret ?: way[i].ret;
	}
	return ret;
}

/* QEMU's handlers take the last device first when a VM is stopped; saving does not. */
static bool backwards(const struct vmm *vmm, unsigned int state)
{
	return vmm->order == VMM_QEMU && vmm->stopping && state != STOP_COPY;
}

static int way_serial(struct vmm *vmm, const unsigned int *states, bool reverse)
{
	int i, ret = 0;

	for (i = 0; i < vmm->n && !ret; i++) {
		struct way way = {
			.vmm = vmm,
			.states = states,
			.i = reverse ? vmm->n - 1 - i : i,
		};

		way_go(&way);
		ret = way.ret;
	}
	return ret;
}

int vmm_all(struct vmm *vmm, unsigned int state)
{
	const unsigned int states[] = { state, 0 };

	if (vmm->order == VMM_THREADED || vmm->order == VMM_CLOUD_THREADED)
		return way_threads(vmm, states);
	return way_serial(vmm, states, backwards(vmm, state));
}

/* A way, arc by arc or device by device. */
static int all_along(struct vmm *vmm, const unsigned int *states)
{
	int ret = 0;

	if (vmm->order == VMM_CLOUD)
		return way_serial(vmm, states, false);
	if (vmm->order == VMM_CLOUD_THREADED)
		return way_threads(vmm, states);
	for (; *states && !ret; states++)
		ret = vmm_all(vmm, *states);
	return ret;
}

static bool has_p2p(const struct vmm *vmm)
{
	return vmm->order == VMM_QEMU || vmm->order == VMM_THREADED;
}

/* --- a migration ------------------------------------------------------------------- */

/* Without P2P states a VM begins to run without a call. */
int vmm_boot(struct vmm *vmm)
{
	static const unsigned int states[] = { RUNNING_P2P, RUNNING, 0 };

	return has_p2p(vmm) ? all_along(vmm, states) : 0;
}

int vmm_precopy(struct vmm *vmm)
{
	return vmm_all(vmm, PRE_COPY);
}

int vmm_stop(struct vmm *vmm)
{
	static const unsigned int plain[] = { RUNNING_P2P, STOP, STOP_COPY, 0 };
	static const unsigned int precopy[] = { PRE_COPY_P2P, STOP_COPY, 0 };
	static const unsigned int no_p2p[] = { STOP, STOP_COPY, 0 };
	static const unsigned int precopy_no_p2p[] = { STOP_COPY, 0 };
	bool from_precopy = vfio_state_get(vmm->dev[0].fd) == PRE_COPY;
	const unsigned int *states = from_precopy ? precopy_no_p2p : no_p2p;
	int ret;

	if (has_p2p(vmm))
		states = from_precopy ? precopy : plain;
	vmm->stopping = true;
	ret = all_along(vmm, states);
	vmm->stopping = false;
	return ret;
}

/* Each device in these states has given its VMM a file. */
static int data_fd_need(const struct vmm *vmm, int i)
{
	if (vmm->data_fd[i] >= 0)
		return 0;
	printf("# %s is in %s and has given no data_fd\n", vmm->dev[i].addr,
	       vfio_state_name(vfio_state_get(vmm->dev[i].fd)));
	return -EBADF;
}

int vmm_save(struct vmm *vmm)
{
	int i;

	for (i = 0; i < vmm->n; i++) {
		if (data_fd_need(vmm, i))
			return -EBADF;
		if (!vmm->stream[i])
			vmm->stream[i] = malloc(STREAM_MAX);
		if (!vmm->stream[i])
			return -ENOMEM;
		vmm->len[i] = stream_read(vmm->data_fd[i], vmm->stream[i], STREAM_MAX, MIB);
		if (vmm->len[i] < 0)
			return vmm->len[i];
	}
	return 0;
}

int vmm_cont(struct vmm *vmm)
{
	static const unsigned int states[] = { STOP, RUNNING_P2P, RUNNING, 0 };
	static const unsigned int no_p2p[] = { RUNNING, 0 };
	int i;

	for (i = 0; i < vmm->n; i++)
		data_fd_close(vmm, i);
	return all_along(vmm, has_p2p(vmm) ? states : no_p2p);
}

int vmm_setup(struct vmm *vmm)
{
	return vmm_all(vmm, RESUMING);
}

int vmm_load(struct vmm *vmm, const struct vmm *from)
{
	long ret;
	int i;

	for (i = 0; i < vmm->n; i++) {
		if (data_fd_need(vmm, i))
			return -EBADF;
		ret = stream_write(vmm->data_fd[i], from->stream[i], from->len[i], MIB);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* cloud-hypervisor loads a device to STOP before it starts the first. */
int vmm_start(struct vmm *vmm)
{
	static const unsigned int states[] = { RUNNING_P2P, RUNNING, 0 };
	static const unsigned int no_p2p[] = { RUNNING, 0 };
	int ret = 0;

	if (!has_p2p(vmm) && vfio_state_get(vmm->dev[0].fd) == RESUMING)
		ret = vmm_all(vmm, STOP);
	return ret ?: all_along(vmm, has_p2p(vmm) ? states : no_p2p);
}

int vmm_works(struct vmm *vmm)
{
	int ret = vmm_stop(vmm);

	if (!ret && !vmm_are(vmm, STOP_COPY))
		ret = -EIO;
	ret = ret ?: vmm_save(vmm) ?: vmm_cont(vmm);
	if (!ret && !vmm_are(vmm, RUNNING))
		ret = -EIO;
	vmm_free(vmm);
	return ret;
}

/* --- what migsim says ---------------------------------------------------------------- */

bool vmm_is(const struct vmm *vmm, int i, unsigned int state)
{
	const char *addr = vmm->dev[i].addr;
	char now[32];

	if (!attr_read(addr, "state", now, sizeof(now)) &&
	    !strcmp(now, vfio_state_name(state)))
		return true;
	printf("# %s is in %s, not in %s\n", addr, now, vfio_state_name(state));
	return false;
}

bool vmm_are(const struct vmm *vmm, unsigned int state)
{
	bool are = true;
	int i;

	for (i = 0; i < vmm->n; i++)
		are &= vmm_is(vmm, i, state);
	return are;
}

void vmm_logs_clear(const struct vmm *vmm)
{
	int i;

	for (i = 0; i < vmm->n; i++)
		attr_write(vmm->dev[i].addr, "arcs_log", "0");
}

int vmm_data_files(const struct vmm *vmm)
{
	int i, n = 0;

	for (i = 0; i < vmm->n; i++)
		n += attr_read_num(vmm->dev[i].addr, "data_files");
	return n;
}

/* The last register is a command, and not a part of the state. */
static bool attr_equal(const char *a, const char *b, const char *attr)
{
	char of_a[256], of_b[256], *cmd;

	if (attr_read(a, attr, of_a, sizeof(of_a)) || attr_read(b, attr, of_b, sizeof(of_b)))
		return false;
	cmd = strstr(of_a, " cmd=");
	if (cmd)
		*cmd = '\0';
	cmd = strstr(of_b, " cmd=");
	if (cmd)
		*cmd = '\0';
	if (!strcmp(of_a, of_b))
		return true;
	printf("# %s of %s and %s: '%s', '%s'\n", attr, a, b, of_a, of_b);
	return false;
}

bool vmm_equal(const struct vmm *a, const struct vmm *b)
{
	static const char *const attrs[] = { "payload_size", "payload_crc", "registers" };
	bool equal = true;
	size_t i;
	int j;

	for (j = 0; j < a->n; j++)
		for (i = 0; i < ARRAY_SIZE(attrs); i++)
			equal &= attr_equal(a->dev[j].addr, b->dev[j].addr, attrs[i]);
	return equal;
}

/* The arcs of that kind of all devices; how many. */
static int arcs_of(const struct vmm *vmm, const char *from, const char *to,
		   struct arc *arcs)
{
	int i, j, k, n = 0;

	for (i = 0; i < vmm->n; i++) {
		k = arcs_read(vmm->dev[i].addr, arcs + n);
		if (k < 0)
			abort();
		for (j = n; k; j++, k--)
			if ((!from || !strcmp(arcs[j].from, from)) &&
			    (!to || !strcmp(arcs[j].to, to)))
				arcs[n++] = arcs[j];
	}
	return n;
}

int vmm_arcs(const struct vmm *vmm, const char *from, const char *to)
{
	struct arc arcs[VMM_DEVICES * ARCS_MAX];

	return arcs_of(vmm, from, to, arcs);
}

int vmm_parallel(const struct vmm *vmm, const char *from, const char *to)
{
	struct arc arcs[VMM_DEVICES * ARCS_MAX];
	int i, j, at_once, most = 0;
	int n = arcs_of(vmm, from, to, arcs);

	/* most run at the start of one of them */
	for (i = 0; i < n; i++) {
		for (j = 0, at_once = 0; j < n; j++)
			at_once += arcs[j].start_ns <= arcs[i].start_ns &&
				   arcs[j].end_ns > arcs[i].start_ns;
		if (at_once > most)
			most = at_once;
	}
	return most;
}

__u64 vmm_first_start(const struct vmm *vmm, const char *from, const char *to)
{
	struct arc arcs[VMM_DEVICES * ARCS_MAX];
	int i, n = arcs_of(vmm, from, to, arcs);
	__u64 first = 0;

	for (i = 0; i < n; i++)
		if (!first || arcs[i].start_ns < first)
			first = arcs[i].start_ns;
	return first;
}

__u64 vmm_last_end(const struct vmm *vmm, const char *from, const char *to)
{
	struct arc arcs[VMM_DEVICES * ARCS_MAX];
	int i, n = arcs_of(vmm, from, to, arcs);
	__u64 last = 0;

	for (i = 0; i < n; i++)
		if (arcs[i].end_ns > last)
			last = arcs[i].end_ns;
	return last;
}
