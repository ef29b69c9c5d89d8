/* SPDX-License-Identifier: GPL-2.0-only */
/* What fault_sweep.c makes fail. */
#ifndef FUZZ_FAULT_RUNS_H
#define FUZZ_FAULT_RUNS_H

#include <stdbool.h>
#include <stddef.h>

#include "mnl.h"
#include "vfio.h"

/**
 * struct run - something that works, unless one of its calls is made to fail
 * @name: for FAULTS
 * @tasks: movers and workers have a part in it
 * @has: has this machine what it needs? NULL: always
 * @run: returns 0, or the first errno (negative) that it met, and does no more then; or
 *	WRONG for what no failure excuses
 * @check: after a failure has ended the run with @err: is all as it should be? 0, or a
 *	negative errno and a word on stdout. NULL: an errno is all there is to say
 * @undo: takes back whatever @run has left, and leaves devices that can be made to run
 */
struct run {
	const char *name;
	bool tasks;
	bool (*has)(void);
	int (*run)(void);
	int (*check)(int err);
	void (*undo)(void);
};

#define WRONG	(-EUCLEAN)

extern const struct run runs[];
extern const size_t nr_runs;
extern const struct run config_runs[];	/* fault_config.c */
extern const size_t nr_config_runs;
extern const struct run path_runs[];	/* fault_paths.c */
extern const size_t nr_path_runs;
extern const struct run dma_runs[];	/* fault_dma.c */
extern const size_t nr_dma_runs;

int runs_begin(void);
void runs_end(void);

/* --- fault_runs.c --------------------------------------------------------------------- */

extern struct nl nl;
extern char handles[SESSION_DEVICES][64];

/* Delete a link, once nobody uses it any more. */
void link_forget(const char *name);

/* --- fault_pair.c --------------------------------------------------------------------- */

enum { NR_DEVS = 2, STATE_BYTES = 100000 };

#define VERIFIED	(VFIO_MIGMUX_SAVE_VERDICT | VFIO_MIGMUX_SAVE_VERIFY)

/**
 * struct ends - the two sessions of a run
 * @pair: they and their devices, NR_DEVS at each end
 * @recover: where devices go after a failure
 * @saving: the source's SAVE was taken
 * @loading: the destination's LOAD was taken
 * @no_verdict: what becomes of the destination after SENT is not the source's business
 * @apart: neither has to see the other fail: there is no channel between them, or what has not
 *	come by one the VMM could still hand in
 * @vmm_moves: where the source's devices are is not the session's business
 */
struct ends {
	struct pair pair;
	__u32 recover;
	bool saving;
	bool loading;
	bool no_verdict;
	bool apart;
	bool vmm_moves;
};

extern struct ends ends;

/* Sessions with devices, and a channel for each from @connect; the errno of the first. */
int ends_open(int (*connect)(int fd[2]));
int ends_save(__u32 flags, __u64 staging);
int ends_load(__u32 flags, __u64 staging);
int ends_finish(void);
/* How far are they, and what do they say? */
void ends_tell(const char *what);
/* Are the devices of sessions that have ended where these say? */
int ends_reported(void);
int ends_check(int err);
void ends_undo(void);

/* Of the source's devices. */
int state_new(void);
/* All of a migration, with a verdict, verified. */
int migrate(int (*connect)(int fd[2]));

#endif /* FUZZ_FAULT_RUNS_H */
