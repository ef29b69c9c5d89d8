// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-arcs - how long it takes to stop devices, and to start them again
 *
 * Moves the first N of the devices given, N = 1, 2, 4 ... up to all of them, from
 * RUNNING to STOP_COPY and, from STOP, back to RUNNING. Way "set" moves all of them
 * only. The ways to do that:
 *
 *	together	one VFIO_MIGMUX_SET_STATE, as the session's timeline measures it
 *	sequential	VFIO's own ioctls, one device after another in QEMU's order
 *	set		the same, of devices that are in a set (which the caller made)
 *	threads		VFIO's own ioctls, one thread per device, all meeting in P2P
 *
 * Prints a line "arcs WAY stop|start N NANOSECONDS" for each.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libvfmig.h"
#include "vfio-open.h"

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-arcs: %s: %s\n", what, strerror(error));
	return -1;
}

/* A session with the first @n devices. */
static int session_open(const struct vfio_set *set, int n)
{
	int fd = vfmig_open(), ret, i;
	char idstr[32];

	if (fd < 0)
		return fail("/dev/vfio/migmux", -fd);
	for (i = 0; i < n; i++) {
		snprintf(idstr, sizeof(idstr), "bench/%d", i);
		ret = vfmig_device_add(fd, set->dev[i].fd, idstr, 0, NULL, NULL);
		if (ret) {
			close(fd);
			return fail(set->dev[i].addr, -ret);
		}
	}
	return fd;
}

static int batch_to(int fd, unsigned int state, const char *what)
{
	int ret = vfmig_set_state(fd, 0, state, VFIO_DEVICE_STATE_RUNNING, 0,
				  NULL, NULL);

	return ret ? fail(what, -ret) : 0;
}

/* From the first device's first arc to the last device's last one. */
static int timeline_length(int fd, int n, unsigned int first, unsigned int last,
			   __u64 *ns)
{
	struct vfio_migmux_timeline_device dev[VFIO_OPEN_MAX];
	struct vfio_migmux_timeline timeline;
	__u64 start = UINT64_MAX, end = 0;
	int ret, i;

	ret = vfmig_timeline(fd, &timeline, dev, n);
	if (ret)
		return fail("timeline", -ret);
	for (i = 0; i < n; i++) {
		if (dev[i].phases[first].start_ns < start)
			start = dev[i].phases[first].start_ns;
		if (dev[i].phases[last].end_ns > end)
			end = dev[i].phases[last].end_ns;
	}
	if (!start || start >= end)
		return fail("timeline without the phases", EPROTO);
	*ns = end - start;
	return 0;
}

enum step { STOP, START, NR_STEPS };

static const char *const step_names[NR_STEPS] = { "stop", "start" };

#define NR_STATES 3

/* The states that a step leads through; START has one less. */
static const struct {
	unsigned int n;
	unsigned int states[NR_STATES];
	unsigned int first_phase;
	unsigned int last_phase;
} steps[NR_STEPS] = {
	[STOP] = { 3, { VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP,
			VFIO_DEVICE_STATE_STOP_COPY },
		   VFIO_MIGMUX_PHASE_QUIESCE, VFIO_MIGMUX_PHASE_SAVE },
	[START] = { 2, { VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING },
		    VFIO_MIGMUX_PHASE_RESUME, VFIO_MIGMUX_PHASE_START },
};

static int together(const struct vfio_set *set, int n, enum step step, __u64 *ns)
{
	const unsigned int target = steps[step].states[steps[step].n - 1];
	int fd = session_open(set, n), ret;

	if (fd < 0)
		return -1;
	ret = batch_to(fd, target, step_names[step]) ||
	      timeline_length(fd, n, steps[step].first_phase,
			      steps[step].last_phase, ns);
	close(fd);
	return ret ? -1 : 0;
}

static int one_by_one(const struct vfio_set *set, int n, enum step step, __u64 *ns)
{
	__u64 start = now_ns();
	unsigned int s;
	int i, data_fd;

	for (s = 0; s < steps[step].n; s++) {
		for (i = 0; i < n; i++) {
			data_fd = -1;
			if (vfio_state_set(set->dev[i].fd, steps[step].states[s], &data_fd))
				return fail(set->dev[i].addr, errno);
			if (data_fd >= 0)
				close(data_fd);
		}
	}
	*ns = now_ns() - start;
	return 0;
}

struct thread {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int fd;
	enum step step;
	int error;
};

/* All meet at the start, in P2P, and at the end. */
static void *thread_main(void *arg)
{
	struct thread *t = arg;
	unsigned int s;
	int data_fd;

	pthread_barrier_wait(t->barrier);
	for (s = 0; s < steps[t->step].n; s++) {
		data_fd = -1;
		if (vfio_state_set(t->fd, steps[t->step].states[s], &data_fd))
			t->error = errno;
		if (data_fd >= 0)
			close(data_fd);
		if (s == 0)
			pthread_barrier_wait(t->barrier);
	}
	pthread_barrier_wait(t->barrier);
	return NULL;
}

static int by_threads(const struct vfio_set *set, int n, enum step step, __u64 *ns)
{
	struct thread threads[VFIO_OPEN_MAX] = { };
	pthread_barrier_t barrier;
	int i, ret, error = 0;
	__u64 start;

	pthread_barrier_init(&barrier, NULL, n + 1);
	for (i = 0; i < n; i++) {
		threads[i].barrier = &barrier;
		threads[i].fd = set->dev[i].fd;
		threads[i].step = step;
		ret = pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]);
		if (ret) {
			/* those that run wait at the barrier for ever */
			fail("pthread_create", ret);
			exit(1);
		}
	}
	pthread_barrier_wait(&barrier);
	start = now_ns();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	*ns = now_ns() - start;
	for (i = 0; i < n; i++) {
		pthread_join(threads[i].thread, NULL);
		if (threads[i].error)
			error = fail(set->dev[i].addr, threads[i].error);
	}
	pthread_barrier_destroy(&barrier);
	return error;
}

static const struct way {
	const char *name;
	int (*move)(const struct vfio_set *set, int n, enum step step, __u64 *ns);
} ways[] = {
	{ "together", together },
	{ "sequential", one_by_one },
	{ "set", one_by_one },
	{ "threads", by_threads },
	{ }
};

/* From STOP_COPY to STOP, which is neither step's. */
static int end_save(const struct vfio_set *set, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (vfio_state_set(set->dev[i].fd, VFIO_DEVICE_STATE_STOP, NULL))
			return fail(set->dev[i].addr, errno);
	return 0;
}

static int measure(const struct vfio_set *set, int n, const struct way *way)
{
	__u64 stop, start;

	if (way->move(set, n, STOP, &stop) || end_save(set, n) ||
	    way->move(set, n, START, &start))
		return -1;
	printf("arcs %s stop %d %llu\n", way->name, n, (unsigned long long)stop);
	printf("arcs %s start %d %llu\n", way->name, n, (unsigned long long)start);
	fflush(stdout);
	return 0;
}

/* As QEMU does when a VM starts: from then on the VMM has moved all devices. */
static int start_vm(const struct vfio_set *set)
{
	__u64 ns;
	int i;

	for (i = 0; i < set->n; i++)
		if (vfio_state_set(set->dev[i].fd, VFIO_DEVICE_STATE_RUNNING_P2P, NULL))
			return fail(set->dev[i].addr, errno);
	return one_by_one(set, set->n, START, &ns);
}

static const struct way *find_way(const char *name)
{
	const struct way *way;

	for (way = ways; way->name; way++)
		if (!strcmp(way->name, name))
			return way;
	return NULL;
}

int main(int argc, char **argv)
{
	static struct vfio_set set;
	const struct way *way;
	int rounds, first, n, ret;

	way = argc < 4 ? NULL : find_way(argv[2]);
	if (!way) {
		fprintf(stderr,
			"usage: bench-arcs ROUNDS together|sequential|set|threads DEVICE...\n");
		return 2;
	}
	rounds = atoi(argv[1]);
	if (vfio_set_open(&set, argc - 3, argv + 3))
		return 1;
	ret = start_vm(&set);
	/* what belongs to a set moves together */
	first = strcmp(way->name, "set") ? 1 : set.n;
	while (!ret && rounds-- > 0)
		for (n = first; !ret && n <= set.n; n *= 2)
			ret = measure(&set, n, way);
	vfio_set_close(&set);
	return ret ? 1 : 0;
}
