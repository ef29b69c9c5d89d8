/* SPDX-License-Identifier: GPL-2.0-only */
/* Failures that the kernel injects, of calls from the module; see inject.c. */
#ifndef FUZZ_INJECT_H
#define FUZZ_INJECT_H

#include <stdbool.h>

/* Whose calls, and which: any of the calling task; or of all tasks those of one kind. */
enum inject { INJECT_TASK, INJECT_SLAB, INJECT_PAGES, INJECT_USERCOPY, NR_INJECT };

extern const char *const inject_name[NR_INJECT];

int inject_open(void);
bool inject_has(enum inject what);

/*
 * Before the calls of @what are counted. Failures of calls of all tasks leave a stack trace in
 * the log only if @traced is true: then the count is less sure.
 */
void inject_begin(enum inject what, bool traced);

/* The @n-th call from now on fails, and no other. */
int inject_arm(enum inject what, unsigned int n);
/* Has it? */
bool inject_done(enum inject what);
/*
 * No call fails any more. Where inject_done() is not true yet this loses count, and calls
 * are counted from a later one: leave it armed until it is.
 */
void inject_disarm(enum inject what);

#endif /* FUZZ_INJECT_H */
