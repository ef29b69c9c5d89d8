/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP lines for tests/run, which numbers them.
 */
#ifndef VFMIG_TEST_H
#define VFMIG_TEST_H

#include <stdbool.h>

void test_result(bool good, const char *fmt, ...) __attribute((format(printf, 2, 3)));

void test_parse(void);
void test_set(void);
void test_fetch(void);
void test_timeline(void);
void test_precopy(void);
void test_compare(void);
void test_output(void);
void test_lib(void);
void test_connect(void);

#endif /* VFMIG_TEST_H */
