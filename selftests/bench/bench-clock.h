/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A clock that counts the instructions of the whole machine, but for those of idling.
 *
 * It means something on an emulated machine with one CPU whose clock counts instructions,
 * one a nanosecond (QEMU: -icount shift=0). A thread that has nothing to do but to count
 * gets the CPU when nobody else wants it; what it counted was no work.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <linux/types.h>

/* A reading of the clock; the difference of two is what bench_clock_work() wants. */
struct bench_mark {
	__u64 ns;
	__u64 idle;
};

/**
 * bench_clock_start() - start to count; once
 *
 * Return: 0, or -1 after a message on stderr.
 */
int bench_clock_start(void);

/** bench_clock_mark() - read the clock */
struct bench_mark bench_clock_mark(void);

/** bench_clock_work() - instructions that were work between two marks */
double bench_clock_work(const struct bench_mark *from, const struct bench_mark *to);

#endif /* BENCH_CLOCK_H */
