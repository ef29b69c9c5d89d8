// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-arcs - how long it takes to bring devices from RUNNING to STOP_COPY
 *
 * Moves the first N of the devices given, N = 1, 2, 4 ... up to all of them, in
 * two ways in turn: all with one VFIO_MIGMUX_SET_STATE, as the session's
 * timeline measures it, and by VFIO's own ioctls, one device after another in
 * QEMU's order. Prints a line "arcs WAY N NANOSECONDS" for each.
 */

#include <errno.h>
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
static int timeline_length(int fd, int n, __u64 *ns)
{
	struct vfio_migmux_timeline_device dev[VFIO_OPEN_MAX];
	struct vfio_migmux_timeline timeline;
	__u64 start = UINT64_MAX, end = 0;
	int ret, i;

	ret = vfmig_timeline(fd, &timeline, dev, n);
	if (ret)
		return fail("timeline", -ret);
	for (i = 0; i < n; i++) {
		if (dev[i].phases[VFIO_MIGMUX_PHASE_QUIESCE].start_ns < start)
			start = dev[i].phases[VFIO_MIGMUX_PHASE_QUIESCE].start_ns;
		if (dev[i].phases[VFIO_MIGMUX_PHASE_SAVE].end_ns > end)
			end = dev[i].phases[VFIO_MIGMUX_PHASE_SAVE].end_ns;
	}
	if (!start || start >= end)
		return fail("timeline without the phases", EPROTO);
	*ns = end - start;
	return 0;
}

static int together(const struct vfio_set *set, int n, __u64 *ns)
{
	int fd = session_open(set, n), ret;

	if (fd < 0)
		return -1;
	ret = batch_to(fd, VFIO_DEVICE_STATE_STOP_COPY, "to STOP_COPY") ||
	      timeline_length(fd, n, ns) ||
	      batch_to(fd, VFIO_DEVICE_STATE_RUNNING, "to RUNNING");
	close(fd);
	return ret ? -1 : 0;
}

/* Nobody measures the way back, so it is the quick one. */
static int all_back(const struct vfio_set *set, int n)
{
	int fd = session_open(set, n), ret;

	if (fd < 0)
		return -1;
	ret = batch_to(fd, VFIO_DEVICE_STATE_RUNNING, "to RUNNING");
	close(fd);
	return ret;
}

static int one_by_one(const struct vfio_set *set, int n, __u64 *ns)
{
	enum { NR_WAY = 3 };
	static const unsigned int way[NR_WAY] = {
		VFIO_DEVICE_STATE_RUNNING_P2P,
		VFIO_DEVICE_STATE_STOP,
		VFIO_DEVICE_STATE_STOP_COPY,
	};
	__u64 start = now_ns();
	unsigned int step;
	int i;

	for (step = 0; step < NR_WAY; step++)
		for (i = 0; i < n; i++)
			if (vfio_state_set(set->dev[i].fd, way[step], NULL))
				return fail(set->dev[i].addr, errno);
	*ns = now_ns() - start;
	return all_back(set, n);
}

static int measure(const struct vfio_set *set, int n)
{
	__u64 ns;

	if (together(set, n, &ns))
		return -1;
	printf("arcs together %d %llu\n", n, (unsigned long long)ns);
	if (one_by_one(set, n, &ns))
		return -1;
	printf("arcs sequential %d %llu\n", n, (unsigned long long)ns);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct vfio_set set;
	int rounds, n, ret = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: bench-arcs ROUNDS DEVICE...\n");
		return 2;
	}
	rounds = atoi(argv[1]);
	if (vfio_set_open(&set, argc - 2, argv + 2))
		return 1;
	while (!ret && rounds-- > 0)
		for (n = 1; !ret && n <= set.n; n *= 2)
			ret = measure(&set, n);
	vfio_set_close(&set);
	return ret ? 1 : 0;
}
