/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vfmig.c hangs into the tree of commands.
 */
#ifndef VFMIG_OBJECTS_H
#define VFMIG_OBJECTS_H

#include "command.h"

extern const struct command device_commands[];
extern const struct command set_commands[];
extern const struct command link_commands[];
extern const struct command session_commands[];
extern const struct option_desc send_options[];
extern const struct option_desc check_options[];
extern const struct option_desc recv_options[];
extern const struct option_desc monitor_options[];

int device_list(struct app *app, const struct command *cmd, int argc, char **argv);
int device_probe(struct app *app, const struct command *cmd, int argc, char **argv);
int set_list(struct app *app, const struct command *cmd, int argc, char **argv);
int link_list(struct app *app, const struct command *cmd, int argc, char **argv);
int session_list(struct app *app, const struct command *cmd, int argc, char **argv);
int check_run(struct app *app, const struct command *cmd, int argc, char **argv);
int send_run(struct app *app, const struct command *cmd, int argc, char **argv);
int recv_run(struct app *app, const struct command *cmd, int argc, char **argv);
int monitor_run(struct app *app, const struct command *cmd, int argc, char **argv);
int summary_run(struct app *app, const struct command *cmd, int argc, char **argv);

#endif /* VFMIG_OBJECTS_H */
