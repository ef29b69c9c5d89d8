/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands, their options and their help: one table says it all.
 */
#ifndef VFMIG_COMMAND_H
#define VFMIG_COMMAND_H

#include <stdbool.h>

/* Exit codes; vfmig(8) documents them. */
enum {
	VFMIG_OK = 0,
	VFMIG_USAGE = 1,
	/* refused by the kernel, or failed as a whole */
	VFMIG_REFUSED = 2,
	/* no such device, set, link or session */
	VFMIG_MISSING = 3,
	/* some devices failed, others did not */
	VFMIG_PARTIAL = 4,
};

/**
 * struct app - one run of the tool
 * @json: print JSON
 * @path: the command so far, "vfmig link listen", for messages and help
 * @status: exit code after a function said that the run is over
 */
struct app {
	bool json;
	char path[64];
	int status;
};

/**
 * struct option_desc - an option that takes a long name only
 * @id: what command_option() returns, from 256
 * @name: without the dashes
 * @arg: name of the argument in the help, NULL if it takes none
 * @help: one line
 */
struct option_desc {
	int id;
	const char *name;
	const char *arg;
	const char *help;
};

/**
 * struct command - a node in the tree of commands
 * @name: NULL ends a table
 * @args: positional arguments for the usage line, NULL for none
 * @help: one line
 * @sub: commands below this one, or NULL
 * @run: gets the arguments with the command's name as first; with @sub it is
 *	what the bare object does, NULL if that is an error
 * @options: ended by a NULL name, or NULL
 * @min_args: fewest positional arguments
 * @max_args: most of them, -1 is no limit
 */
struct command {
	const char *name;
	const char *args;
	const char *help;
	const struct command *sub;
	int (*run)(struct app *app, const struct command *cmd, int argc, char **argv);
	const struct option_desc *options;
	int min_args;
	int max_args;
};

int command_dispatch(struct app *app, const struct command *cmd, int argc, char **argv);
int command_option(struct app *app, const struct command *cmd, int argc, char **argv);
int command_args(struct app *app, const struct command *cmd, int argc, char **argv);
int command_only_args(struct app *app, const struct command *cmd, int argc, char **argv);
const char *command_name(struct app *app, const struct command *cmd, int argc, char **argv,
			 const char *(*check)(const char *arg));
int command_check(struct app *app, int argc, char **argv, int first,
		  const char *(*check)(const char *arg));
int command_usage(struct app *app, const char *fmt, ...)
	__attribute((format(printf, 2, 3)));

#endif /* VFMIG_COMMAND_H */
