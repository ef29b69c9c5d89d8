/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What send and recv have in common: a minimal VMM.
 */
#ifndef VFMIG_TRANSFER_H
#define VFMIG_TRANSFER_H

#include <signal.h>
#include <stdio.h>

#include "command.h"
#include "model.h"
#include "parse.h"
#include "precopy.h"
#include "vfio_dev.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/**
 * struct transfer - one run of send or recv
 * @app: the run
 * @session: its model; devices in the order of the command line
 * @args: the devices as asked for
 * @vfio: the devices, open
 * @fd: the session's descriptor, -1 if closed
 * @signal_fd: SIGINT and SIGTERM come there once the session has its devices, else -1
 * @old_mask: signal mask that we were started with
 * @staging: bytes, 0 is the default
 * @max_queued: recv: bytes of it for each device, 0 is all
 * @max_spill: recv: bytes beyond it, as in struct vfmig_load_limits
 * @max_state: recv: bytes of state of a device, 0 is any
 * @timeout_ms: for arcs, 0 is no limit
 * @exec: command for sh, or NULL
 * @memory: recv: bytes of memory for the devices, 0 is none
 * @memory_error: negative errno with which some of it could not be mapped, 0 if not
 * @ready_file: recv: where to say that it is ready, or NULL
 * @check: send: ask the other end before anything is stopped
 * @check_only: and leave it at that
 * @ready_ms: how long to wait until it is ready, 0 is no limit
 * @verdict: ask for the peer's verdict
 * @verify: compare checksums with the peer
 * @shared: all devices share all channels
 * @weights: send: DEV=WEIGHT as they were given
 * @nr_weights: elements of @weights
 * @no_p2p: allow several devices though some lack P2P
 * @precopy: send: pre-copy, if it is wanted
 * @progress: when to show progress
 * @aborted: a signal stopped the session
 */
struct transfer {
	struct app *app;
	struct session session;
	struct device_arg *args;
	struct vfio vfio;
	int fd;
	int signal_fd;
	sigset_t old_mask;
	uint64_t staging;
	uint64_t max_queued;
	uint64_t max_spill;
	uint64_t max_state;
	uint32_t timeout_ms;
	uint64_t memory;
	int memory_error;
	const char *exec;
	const char *ready_file;
	bool check;
	bool check_only;
	uint32_t ready_ms;
	bool verdict;
	bool verify;
	bool shared;
	const char **weights;
	uint32_t nr_weights;
	bool no_p2p;
	struct precopy precopy;
	enum progress_mode progress;
	bool aborted;
};

int transfer_options(struct transfer *t, struct app *app, const struct command *cmd, int argc,
		     char **argv);
int transfer_main(struct app *app, const struct command *cmd, int argc, char **argv,
		  uint32_t role, int (*run)(struct transfer *t));
int transfer_exec(struct transfer *t);
uint64_t transfer_now_ms(void);
int transfer_refresh(struct transfer *t);
int transfer_wait(struct transfer *t, uint32_t milestones);
int transfer_wait_event(struct transfer *t, int timeout_ms);
int transfer_set_state(struct transfer *t, uint32_t target);
void transfer_failed(struct transfer *t, const char *what, int error);

/* check.c */
int check_peer(struct transfer *t, uint32_t flags);

/* memory.c */
int memory_map(struct transfer *t);

/* precopy_run.c */
int precopy_run(struct transfer *t, uint32_t flags);
void precopy_print(FILE *out, const struct precopy *p);

/* progress.c */
struct progress {
	bool on;
	unsigned int lines;
};

bool progress_wanted(enum progress_mode mode);
void progress_show(struct progress *p, const struct session *s);
void progress_clear(struct progress *p);

#endif /* VFMIG_TRANSFER_H */
