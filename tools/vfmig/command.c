// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of commands: find one, parse its options, print its help.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "tls.h"

#define MAX_OPTIONS 24

static void print_options(FILE *out, const struct command *cmd)
{
	const struct option_desc *o;
	char left[40];

	fprintf(out, "\nOptions:\n");
	for (o = cmd->options; o && o->name; o++) {
		snprintf(left, sizeof(left), "--%s%s%s", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(out, "      %-22s %s\n", left, o->help);
	}
	fprintf(out, "  -j, --json                 print JSON\n");
	fprintf(out, "  -h, --help                 print this help\n");
	if (!strcmp(cmd->name, "vfmig"))
		fprintf(out, "  -V, --version              print the version\n");
}

static void print_help(FILE *out, struct app *app, const struct command *cmd)
{
	const struct command *c;
	char left[48];

	if (!cmd->sub) {
		fprintf(out, "Usage: %s%s%s%s\n\n%s\n", app->path,
			cmd->options ? " [OPTIONS]" : "", cmd->args ? " " : "",
			cmd->args ? cmd->args : "", cmd->help);
		print_options(out, cmd);
		return;
	}

	fprintf(out, "Usage: %s [OPTIONS] %s\n\n%s\n\nCommands:\n", app->path,
		cmd->run ? "[COMMAND ...]" : "COMMAND ...", cmd->help);
	for (c = cmd->sub; c->name; c++) {
		snprintf(left, sizeof(left), "%s%s%s", c->name,
			 c->args ? " " : "", c->args ? c->args : "");
		fprintf(out, "  %-26s %s\n", left, c->help);
	}
	print_options(out, cmd);
}

/**
 * command_usage() - complain about the command line
 * @app: the run
 * @fmt: what is wrong
 *
 * Return: VFMIG_USAGE.
 */
int command_usage(struct app *app, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", app->path);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry '%s --help'.\n", app->path);
	app->status = VFMIG_USAGE;
	return VFMIG_USAGE;
}

static void build_options(const struct command *cmd, struct option *out)
{
	const struct option_desc *o;
	int n = 0;

	out[n++] = (struct option){ "json", no_argument, NULL, 'j' };
	out[n++] = (struct option){ "help", no_argument, NULL, 'h' };
	if (!strcmp(cmd->name, "vfmig"))
		out[n++] = (struct option){ "version", no_argument, NULL, 'V' };
	for (o = cmd->options; o && o->name && n < MAX_OPTIONS - 1; o++)
		out[n++] = (struct option){
			o->name, o->arg ? required_argument : no_argument, NULL, o->id
		};
	out[n] = (struct option){ 0 };
}

/**
 * command_option() - the next option of a command
 * @app: the run
 * @cmd: the command
 * @argc: as given to the command
 * @argv: as given to the command; options are moved before the arguments
 *
 * Takes -j and -h itself. For an object only what stands before its command's
 * name is looked at.
 *
 * Return: the option's id with optarg set; 0 when there is none left; -1 when
 * the run is over, with app->status set.
 */
int command_option(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct option options[MAX_OPTIONS];
	const char *shorts = cmd->sub ? "+:jhV" : ":jh";
	int c;

	build_options(cmd, options);
	opterr = 0;
	for (;;) {
		c = getopt_long(argc, argv, shorts, options, NULL);
		switch (c) {
		case -1:
			return 0;
		case 'j':
			app->json = true;
			continue;
		case 'h':
			print_help(stdout, app, cmd);
			app->status = VFMIG_OK;
			return -1;
		case 'V':
			printf("vfmig " VFMIG_VERSION " (%s)\n", tls_library());
			app->status = VFMIG_OK;
			return -1;
		case ':':
			command_usage(app, "option '%s' wants an argument", argv[optind - 1]);
			return -1;
		case '?':
			if (optopt && optopt < 256)
				command_usage(app, "unknown option '-%c'", optopt);
			else
				command_usage(app, "unknown option '%s'", argv[optind - 1]);
			return -1;
		default:
			return c;
		}
	}
}

/**
 * command_args() - check the number of positional arguments
 * @app: the run
 * @cmd: the command
 * @argc: as given to the command
 * @argv: as given to the command, after command_option() returned 0
 *
 * Return: their number, the first is argv[optind]; -1 when the run is over.
 */
int command_args(struct app *app, const struct command *cmd, int argc, char **argv)
{
	int n = argc - optind;

	if (n < cmd->min_args) {
		command_usage(app, "missing argument, want %s", cmd->args);
		return -1;
	}
	if (cmd->max_args >= 0 && n > cmd->max_args) {
		command_usage(app, "unexpected argument '%s'", argv[optind + cmd->max_args]);
		return -1;
	}
	return n;
}

/**
 * command_only_args() - the command line of a command without options of its own
 * @app: the run
 * @cmd: the command
 * @argc: as given to the command
 * @argv: as given to the command
 *
 * Return: as command_args().
 */
int command_only_args(struct app *app, const struct command *cmd, int argc, char **argv)
{
	if (command_option(app, cmd, argc, argv) < 0)
		return -1;
	return command_args(app, cmd, argc, argv);
}

/**
 * command_check() - check positional arguments that are all of one kind
 * @app: the run
 * @argc: as given to the command
 * @argv: as given to the command
 * @first: index of the first of them, argv[argc - 1] is the last
 * @check: returns NULL, or what is wrong
 *
 * Return: 0, or -1 when the run is over, with app->status set.
 */
int command_check(struct app *app, int argc, char **argv, int first,
		  const char *(*check)(const char *arg))
{
	const char *wrong;

	for (int i = first; i < argc; i++) {
		wrong = check(argv[i]);
		if (wrong) {
			command_usage(app, "%s: %s", argv[i], wrong);
			return -1;
		}
	}
	return 0;
}

/**
 * command_name() - the command line of a command that is about one object
 * @app: the run
 * @cmd: the command, whose first argument is the object's name
 * @argc: as given to the command
 * @argv: as given to the command; its options may have been read already
 * @check: returns NULL, or what is wrong with a name
 *
 * Return: the name, or NULL when the run is over, with app->status set.
 */
const char *command_name(struct app *app, const struct command *cmd, int argc, char **argv,
			 const char *(*check)(const char *arg))
{
	if (command_only_args(app, cmd, argc, argv) < 0 ||
	    command_check(app, optind + 1, argv, optind, check))
		return NULL;
	return argv[optind];
}

static int dispatch_sub(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const struct command *c;

	if (!strcmp(argv[0], "help")) {
		print_help(stdout, app, cmd);
		return VFMIG_OK;
	}
	for (c = cmd->sub; c->name; c++)
		if (!strcmp(c->name, argv[0]))
			return command_dispatch(app, c, argc, argv);

	fprintf(stderr, "%s: unknown command '%s'\n\n", app->path, argv[0]);
	print_help(stderr, app, cmd);
	return VFMIG_USAGE;
}

/**
 * command_dispatch() - run a command of the tree
 * @app: the run
 * @cmd: the command that argv[0] names
 * @argc: number of arguments
 * @argv: arguments, the command's name first
 *
 * Return: the exit code.
 */
int command_dispatch(struct app *app, const struct command *cmd, int argc, char **argv)
{
	size_t len = strlen(app->path);

	snprintf(app->path + len, sizeof(app->path) - len, "%s%s", len ? " " : "", cmd->name);
	optind = 0;	/* glibc: begin anew */

	if (!cmd->sub) {
		if (argc == 2 && !strcmp(argv[1], "help")) {
			print_help(stdout, app, cmd);
			return VFMIG_OK;
		}
		return cmd->run(app, cmd, argc, argv);
	}

	if (command_option(app, cmd, argc, argv) < 0)
		return app->status;
	if (optind < argc)
		return dispatch_sub(app, cmd, argc - optind, argv + optind);
	if (cmd->run)
		return cmd->run(app, cmd, argc, argv);
	return command_usage(app, "missing command");
}
