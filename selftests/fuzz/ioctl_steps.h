/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs of ioctl_fuzz work on, and their steps. */
#ifndef FUZZ_IOCTL_STEPS_H
#define FUZZ_IOCTL_STEPS_H

#include <linux/types.h>

enum { NR_SESSIONS = 3, NR_PAIRS = 6, NR_DATA = 4, BYTES_MAX = 512 };

extern int sessions[NR_SESSIONS];
extern int pairs[NR_PAIRS][2];	/* of connected sockets */
extern int data_fds[NR_DATA];	/* that VFIO gave us */
extern char *area;		/* a page, and behind it nothing */
extern char *memory;		/* for devices: 16 pages, and behind them nothing for sure */
extern long page;
extern unsigned long steps_done;

struct program {
	__u8 bytes[BYTES_MAX];
	int len;
};

/* Where a thread is in its program. */
struct run {
	const struct program *program;
	int at;
};

void *program_run(void *arg);
void staging_forget(void);

#endif /* FUZZ_IOCTL_STEPS_H */
