/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The transport: requests and replies of the generic netlink family.
 */
#ifndef VFMIG_GENL_H
#define VFMIG_GENL_H

#include <stdint.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "command.h"

/**
 * struct genl - a socket of the family
 * @sock: libnl's
 * @family: the family's number
 * @error: positive errno of the last request, 0 if it was taken
 * @text: what the kernel said about it, may be empty
 */
struct genl {
	struct nl_sock *sock;
	int family;
	int error;
	char text[256];
};

/* Called for each message of a reply, with the attributes behind the header. */
typedef void (*genl_reply_fn)(uint8_t cmd, struct nlattr *attrs, int len, void *arg);

int genl_open(struct genl *g, struct app *app);
void genl_close(struct genl *g);
struct nl_msg *genl_request(struct genl *g, uint8_t cmd, int flags);
int genl_talk(struct genl *g, struct nl_msg *msg, genl_reply_fn fn, void *arg);
int genl_complain(const struct genl *g, const char *what, const char *name);
int genl_subscribe(struct genl *g, const char *group);
int genl_listen(struct genl *g, genl_reply_fn fn, void *arg);

#endif /* VFMIG_GENL_H */
