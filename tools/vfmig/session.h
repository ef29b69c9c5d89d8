/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions and their timelines, for more than one command.
 */
#ifndef VFMIG_SESSION_H
#define VFMIG_SESSION_H

#include "command.h"
#include "model.h"

extern const struct option_desc timeline_options[];

void session_print(const struct session_list *list, bool live_only);
int session_timeline_option(struct app *app, const struct command *cmd, int argc, char **argv,
			    const char **svg);
int session_timeline_show(struct app *app, uint32_t id, const char *svg);

#endif /* VFMIG_SESSION_H */
