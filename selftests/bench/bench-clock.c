// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench-clock.h"

static __u64 rounds;
static double round_cost;	/* instructions, the timer's interrupts included */

static void *count(void *arg)
{
	const struct sched_param param = { };

	(void)arg;
	if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &param))
		fprintf(stderr, "SCHED_IDLE is refused: the counts are wrong\n");
	for (;;)
		__atomic_store_n(&rounds, rounds + 1, __ATOMIC_RELAXED);
	return NULL;
}

int bench_clock_start(void)
{
	const struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
	struct bench_mark from, to;
	pthread_t thread;
	int err;

	err = pthread_create(&thread, NULL, count, NULL);
	if (err) {
		fprintf(stderr, "thread: %s\n", strerror(err));
		return -1;
	}
	nanosleep(&pause, NULL);
	from = bench_clock_mark();
	nanosleep(&pause, NULL);
	to = bench_clock_mark();
	round_cost = (double)(to.ns - from.ns) / (to.idle - from.idle);
	return 0;
}

struct bench_mark bench_clock_mark(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct bench_mark){
		.ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec,
		.idle = __atomic_load_n(&rounds, __ATOMIC_RELAXED),
	};
}

double bench_clock_work(const struct bench_mark *from, const struct bench_mark *to)
{
	return to->ns - from->ns - (to->idle - from->idle) * round_cost;
}
