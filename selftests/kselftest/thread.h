/* SPDX-License-Identifier: GPL-2.0-only */
/* What other threads and processes do, as /proc tells. */
#ifndef SELFTEST_THREAD_H
#define SELFTEST_THREAD_H

#include <errno.h>
#include <stdio.h>
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

#endif /* SELFTEST_THREAD_H */
