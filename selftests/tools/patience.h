/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's test harness ends a test by alarm(), after so many seconds. A test host says
 * in VM_PATIENCE how many times as long its kernel takes.
 */
#ifndef SELFTEST_PATIENCE_H
#define SELFTEST_PATIENCE_H

#include <stdlib.h>
#include <unistd.h>

static inline unsigned int alarm_patient(unsigned int seconds)
{
	const char *patience = getenv("VM_PATIENCE");

	return alarm(seconds * (patience ? atoi(patience) : 1));
}

#define alarm(seconds)	alarm_patient(seconds)

#endif /* SELFTEST_PATIENCE_H */
