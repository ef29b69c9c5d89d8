/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands on links share.
 */
#ifndef VFMIG_LINK_H
#define VFMIG_LINK_H

#include "command.h"
#include "genl.h"

extern const struct option_desc link_listen_options[];
extern const struct option_desc link_connect_options[];

int link_forget(struct genl *g, const char *name);
int link_listen(struct app *app, const struct command *cmd, int argc, char **argv);
int link_connect(struct app *app, const struct command *cmd, int argc, char **argv);

#endif /* VFMIG_LINK_H */
