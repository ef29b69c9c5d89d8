/* SPDX-License-Identifier: GPL-2.0-only */
/* Which code of the module a task reached, as KCOV says; nothing where there is none. */
#ifndef FUZZ_IOCTL_COVER_H
#define FUZZ_IOCTL_COVER_H

#include <stdbool.h>

void cover_open(void);
void cover_begin(void);
void cover_end(void);
bool cover_news(void);
void cover_print(int kept);

#endif /* FUZZ_IOCTL_COVER_H */
