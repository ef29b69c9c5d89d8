/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink messages to the model, and the family's requests.
 */
#ifndef VFMIG_FETCH_H
#define VFMIG_FETCH_H

#include "genl.h"
#include "model.h"

/* A NULL name and an id of 0 fetch all. They return 0 or a negative errno. */
int fetch_devices(struct genl *g, const char *handle, struct device_list *list);
int fetch_sets(struct genl *g, const char *name, struct set_list *list);
int fetch_set_auto(struct genl *g, struct set_auto *config);
int fetch_links(struct genl *g, const char *name, struct link_list *list);
int fetch_channels(struct genl *g, const char *link, struct channel_list *list);
int fetch_sessions(struct genl *g, uint32_t id, struct session_list *list);

void fetch_device(struct nlattr *attrs, int len, struct device *dev);
void fetch_set(struct nlattr *attrs, int len, struct set *set);
void fetch_set_event(struct nlattr *attrs, int len, struct set_event *event);
void fetch_link(struct nlattr *attrs, int len, struct link *link);
void fetch_session(struct nlattr *attrs, int len, struct session_list *list);
void fetch_event(struct nlattr *attrs, int len, struct event *event);

#endif /* VFMIG_FETCH_H */
