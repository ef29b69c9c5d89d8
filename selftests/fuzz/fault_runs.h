/* SPDX-License-Identifier: GPL-2.0-only */
/* What fault_sweep.c makes fail. */
#ifndef FUZZ_FAULT_RUNS_H
#define FUZZ_FAULT_RUNS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct run - something that works, unless one of its calls is made to fail
 * @name: for FAULTS
 * @tasks: movers and workers have a part in it
 * @run: returns 0, or the first errno (negative) that it met, and does no more then
 * @check: after a failure has ended the run with @err: is all as it should be? 0, or a
 *	negative errno and a word on stdout. NULL: an errno is all there is to say
 * @undo: takes back whatever @run has left, and leaves devices that can be made to run
 */
struct run {
	const char *name;
	bool tasks;
	int (*run)(void);
	int (*check)(int err);
	void (*undo)(void);
};

extern const struct run runs[];
extern const size_t nr_runs;
extern const struct run dma_runs[];	/* fault_dma.c */
extern const size_t nr_dma_runs;

int runs_begin(void);
void runs_end(void);

#endif /* FUZZ_FAULT_RUNS_H */
