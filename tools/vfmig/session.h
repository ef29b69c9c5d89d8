/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lists of sessions, for more than one command.
 */
#ifndef VFMIG_SESSION_H
#define VFMIG_SESSION_H

#include <json-c/json.h>

#include "model.h"

void session_print(const struct session_list *list, bool live_only);
struct json_object *session_json(const struct session_list *list, bool live_only);

#endif /* VFMIG_SESSION_H */
