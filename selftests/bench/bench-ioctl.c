// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-ioctl - what the hook adds to a device's ioctls
 *
 * Moves a device from RUNNING to RUNNING_P2P and back ("arc"), sets the state that
 * it has already ("set"), and gets it ("get"), over and over. It waits for a line on
 * stdin before each round: so the caller can hook and unhook the device. Prints a line
 * "ioctl LINE arc|set|get NANOSECONDS" each, the median of many calls.
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vfio-open.h"

/* even: the device ends where it began */
#define NR_ARCS		2000
#define NR_OTHERS	2000

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

enum call { ARC, SET, GET, NR_CALL };

static const char *const call_names[NR_CALL] = { "arc", "set", "get" };

static int call(int fd, enum call what, int i)
{
	switch (what) {
	case ARC:
		return vfio_state_set(fd, i % 2 ? VFIO_DEVICE_STATE_RUNNING :
					  VFIO_DEVICE_STATE_RUNNING_P2P, NULL);
	case SET:
		return vfio_state_set(fd, VFIO_DEVICE_STATE_RUNNING, NULL);
	default:
		return vfio_state_get(fd) == VFIO_DEVICE_STATE_RUNNING ? 0 : -1;
	}
}

static int measure(int fd, enum call what, const char *line)
{
	const int rounds = what == ARC ? NR_ARCS : NR_OTHERS;
	static __u64 ns[NR_OTHERS];
	__u64 start;
	int i;

	for (i = 0; i < rounds; i++) {
		start = now_ns();
		if (call(fd, what, i)) {
			fprintf(stderr, "bench-ioctl: %s\n", strerror(errno));
			return -1;
		}
		ns[i] = now_ns() - start;
	}
	qsort(ns, rounds, sizeof(ns[0]), compare);
	printf("ioctl %s %s %llu\n", line, call_names[what],
	       (unsigned long long)ns[rounds / 2]);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct vfio_set set;
	char line[32];
	cpu_set_t cpus;
	int ret = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: bench-ioctl DEVICE\n");
		return 2;
	}
	/* emulated CPUs disagree about how long a microsecond of waiting is */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
		fprintf(stderr, "bench-ioctl: CPU 0: %s\n", strerror(errno));
		return 1;
	}
	if (vfio_set_open(&set, 1, argv + 1))
		return 1;
	while (!ret && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		ret = measure(set.dev[0].fd, ARC, line) ||
		      measure(set.dev[0].fd, SET, line) ||
		      measure(set.dev[0].fd, GET, line);
	}
	vfio_set_close(&set);
	return ret ? 1 : 0;
}
