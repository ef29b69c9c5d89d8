/* SPDX-License-Identifier: GPL-2.0-only */
/* What other threads and processes do, as /proc tells, and who comes first. */
#ifndef SELFTEST_THREAD_H
#define SELFTEST_THREAD_H

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session.h"

/* Wait until it sleeps, and for no lock of the kernel; its name goes to @name. */
static inline int thread_idle(pid_t tid, char name[16])
{
	char path[32], state = 0;
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	for (i = 0; i < WAIT_MS && state != 'S'; i++) {
		usleep(i ? 1000 : 0);
		f = fopen(path, "r");
		if (!f)
			return -errno;
		if (fscanf(f, "%*d (%15[^)]) %c", name, &state) != 2)
			state = 0;
		fclose(f);
	}
	return state == 'S' ? 0 : -ETIMEDOUT;
}

/* A thread of ours of that name and in that state, any if that is 0; 0 for none. */
static inline pid_t thread_find(const char *name, char state)
{
	DIR *dir = opendir("/proc/self/task");
	char path[300], its_name[16], its_state;
	struct dirent *entry;
	pid_t tid = 0;
	FILE *f;

	while (dir && !tid && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%d (%15[^)]) %c", &tid, its_name, &its_state) != 3 ||
		    strcmp(its_name, name) || (state && its_state != state))
			tid = 0;
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return tid;
}

/* Is there one? */
static inline bool thread_is(const char *name, char state)
{
	return thread_find(name, state);
}

/* How long a thread of ours has had a CPU, in ns; ~0 if nobody knows. */
static inline __u64 thread_ran(pid_t tid)
{
	/* as the C library does it for threads that it has made */
	const clockid_t clock = ~tid << 3 | 6;
	struct timespec t;

	if (clock_gettime(clock, &t))
		return ~0ULL;
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Wait until there is; 0 or -ETIMEDOUT. */
static inline int thread_wait(const char *name, char state)
{
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (thread_is(name, state))
			return 0;
		usleep(1000);
	}
	printf("# no thread %s is in %c\n", name, state);
	return -ETIMEDOUT;
}

/* It runs on that CPU, and on no other; 0 is the caller. */
static inline int thread_pin(pid_t tid, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(tid, sizeof(cpus), &cpus) ? -errno : 0;
}

/* The caller comes before all that is not real-time. */
static inline int thread_first(void)
{
	const struct sched_param first = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO, &first) ? -errno : 0;
}

#endif /* SELFTEST_THREAD_H */
