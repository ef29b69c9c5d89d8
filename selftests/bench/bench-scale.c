// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-scale - what sessions cost that have many devices, or many channels
 *
 *	bench-scale DEVICES CHANNELS SOURCE... DESTINATION...
 *
 * Moves the state of the first DEVICES of the sources to as many of the destinations, over
 * CHANNELS connections each, socket pairs. Prints a line
 *
 *	scale DEVICES CHANNELS INSTRUCTIONS KIB
 *
 * the instructions of making both sessions, moving and closing (see bench-clock.h), and
 * how much less memory there was when all was ready to move.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench-clock.h"
#include "libvfmig.h"
#include "vfio-open.h"

/* So little that a frame's worth of each device, not its bytes, is what counts. */
#define STAGING (64ULL << 20)

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-scale: %s: %s\n", what, strerror(error));
	return -1;
}

static long memory_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "MemAvailable: %ld kB", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* A session pair of @n devices, @src and @dst its files. */
static int sessions_make(const struct vfio_dev *from, const struct vfio_dev *to, int n,
			 int channels, int src, int dst)
{
	int pair[2], ret = 0, i, k;
	char idstr[32];

	for (i = 0; !ret && i < n; i++) {
		snprintf(idstr, sizeof(idstr), "bench/%d", i);
		ret = vfmig_device_add(src, from[i].fd, idstr, 0, NULL, NULL);
		if (!ret)
			ret = vfmig_device_add(dst, to[i].fd, idstr, 0, NULL, NULL);
	}
	for (i = 0; !ret && i < n * channels; i++) {
		k = i % n;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return fail("socketpair", errno);
		ret = vfmig_channel_add(src, pair[0], k, NULL);
		if (!ret)
			ret = vfmig_channel_add(dst, pair[1], k, NULL);
		close(pair[0]);
		close(pair[1]);
	}
	return ret ? fail("session", -ret) : 0;
}

static int sessions_move(int src, int dst, long *kib)
{
	const long before = *kib;
	int ret;

	ret = vfmig_load(dst, VFIO_MIGMUX_LOAD_VERDICT, VFIO_DEVICE_STATE_RUNNING, 0,
			 STAGING);
	if (!ret)
		ret = vfmig_save(src, VFIO_MIGMUX_SAVE_VERDICT,
				 VFIO_DEVICE_STATE_RUNNING, 0, STAGING);
	*kib = before - memory_kib();
	if (!ret)
		ret = vfmig_wait(dst, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 60000, NULL);
	if (!ret)
		ret = vfmig_wait(src, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 60000, NULL);
	return ret ? fail("moving", -ret) : 0;
}

static int move(const struct vfio_dev *from, const struct vfio_dev *to, int n,
		int channels, long *kib)
{
	int src = vfmig_open(), dst = vfmig_open(), ret = -1;

	if (src < 0 || dst < 0)
		fail("/dev/vfio/migmux", src < 0 ? -src : -dst);
	else
		ret = sessions_make(from, to, n, channels, src, dst) ||
		      sessions_move(src, dst, kib) ? -1 : 0;
	if (src >= 0)
		close(src);
	if (dst >= 0)
		close(dst);
	return ret;
}

static int measure(const struct vfio_set *set, int n, int channels)
{
	const struct vfio_dev *from = set->dev, *to = set->dev + set->n / 2;
	struct bench_mark start, end;
	long kib = memory_kib();
	int i;

	start = bench_clock_mark();
	if (move(from, to, n, channels, &kib))
		return -1;
	end = bench_clock_mark();
	printf("scale %d %d %.0f %ld\n", n, channels, bench_clock_work(&start, &end), kib);
	for (i = 0; i < n; i++)
		if (vfio_state_set(from[i].fd, VFIO_DEVICE_STATE_RUNNING, NULL) ||
		    vfio_state_set(to[i].fd, VFIO_DEVICE_STATE_RUNNING, NULL))
			return fail("RUNNING", errno);
	return 0;
}

int main(int argc, char **argv)
{
	static struct vfio_set set;
	int n, channels, ret;

	if (argc < 5 || argc % 2 == 0) {
		fprintf(stderr, "usage: bench-scale DEVICES CHANNELS SOURCE... DESTINATION...\n");
		return 2;
	}
	n = atoi(argv[1]);
	channels = atoi(argv[2]);
	if (vfio_set_open(&set, argc - 3, argv + 3))
		return 1;
	if (n < 1 || n > set.n / 2 || channels < 1) {
		fprintf(stderr, "bench-scale: 1 to %d devices, 1 channel or more\n", set.n / 2);
		return 2;
	}
	ret = bench_clock_start() || measure(&set, n, channels);
	vfio_set_close(&set);
	return ret ? 1 : 0;
}
