/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets, for more than one command.
 */
#ifndef VFMIG_SET_H
#define VFMIG_SET_H

#include "command.h"
#include "model.h"

/* set_change.c */
extern const struct option_desc set_options[];

int set_add(struct app *app, const struct command *cmd, int argc, char **argv);
int set_del(struct app *app, const struct command *cmd, int argc, char **argv);
int set_policy(struct app *app, const struct command *cmd, int argc, char **argv);
int set_auto(struct app *app, const struct command *cmd, int argc, char **argv);

/* set.c */
void set_print(const struct set_list *list);
void set_print_config(const struct set_config *config);

#endif /* VFMIG_SET_H */
