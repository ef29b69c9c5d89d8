/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers that run in a test host share: how long, which seed, and chance.
 */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <linux/types.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

static __u64 chance;

/* From 0 to @n - 1. */
static inline __u32 rnd(__u32 n)
{
	chance = chance * 6364136223846793005ull + 1442695040888963407ull;
	return (chance >> 33) % n;
}

/* Once in @n times. */
static inline bool once_in(__u32 n)
{
	return !rnd(n);
}

static inline __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static inline __u64 env_number(const char *name, __u64 value)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : value;
}

/*
 * FUZZ_SEED repeats a run, as far as the machine does: it is printed. FUZZ_SECONDS says
 * how long; returns when that is over, for now_ms().
 */
static inline __u64 fuzz_begin(void)
{
	chance = env_number("FUZZ_SEED", time(NULL));
	printf("# FUZZ_SEED=%llu\n", (unsigned long long)chance);
	setlinebuf(stdout);
	return now_ms() + 1000 * env_number("FUZZ_SECONDS", 10);
}

#endif /* FUZZ_GUEST_H */
