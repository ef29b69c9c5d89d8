// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transport: requests and replies of the generic netlink family, and the
 * kernel's words when it refuses.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/vfio_migmux_netlink.h>

#include "genl.h"
#include "output.h"

/* Room for the names of some hundred devices. */
#define REQUEST_MAX 65536

/* One request's state while its replies are read. */
struct talk {
	struct genl *g;
	genl_reply_fn fn;
	void *arg;
	bool done;
};

/**
 * genl_open() - open a socket of the family
 * @g: set up
 * @app: the run
 *
 * Return: 0, or -1 when the run is over: it has said why, and app->status is set.
 */
int genl_open(struct genl *g, struct app *app)
{
	int one = 1;
	int ret;

	app->status = VFMIG_REFUSED;
	memset(g, 0, sizeof(*g));
	g->sock = nl_socket_alloc();
	if (!g->sock) {
		output_error("no memory for a netlink socket");
		return -1;
	}
	ret = genl_connect(g->sock);
	if (ret) {
		output_error("cannot open a netlink socket: %s", nl_geterror(ret));
		goto err_free;
	}
	g->family = genl_ctrl_resolve(g->sock, VFIO_MIGMUX_FAMILY_NAME);
	if (g->family < 0) {
		output_error("vfio_migmux is not loaded: run modprobe vfio_migmux");
		goto err_free;
	}
	/* without these a refusal is a bare errno */
	setsockopt(nl_socket_get_fd(g->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(g->sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	/* a session with many devices is longer than a page */
	nl_socket_enable_msg_peek(g->sock);
	app->status = VFMIG_OK;
	return 0;

err_free:
	nl_socket_free(g->sock);
	g->sock = NULL;
	return -1;
}

/**
 * genl_close() - close the socket
 * @g: may be closed already
 */
void genl_close(struct genl *g)
{
	nl_socket_free(g->sock);
	g->sock = NULL;
}

/**
 * genl_request() - begin a request
 * @g: the socket
 * @cmd: VFIO_MIGMUX_CMD_*
 * @flags: NLM_F_DUMP or 0
 *
 * Return: a message for genl_talk(). Ends the program if there is no memory.
 */
struct nl_msg *genl_request(struct genl *g, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(REQUEST_MAX);

	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, g->family, 0,
				 flags | NLM_F_REQUEST | NLM_F_ACK, cmd,
				 VFIO_MIGMUX_FAMILY_VERSION))
		abort();
	return msg;
}

static void take_text(struct genl *g, void *attrs, int len)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];

	if (len <= 0 || nla_parse(tb, NLMSGERR_ATTR_MAX, attrs, len, NULL))
		return;
	if (tb[NLMSGERR_ATTR_MSG])
		nla_strlcpy(g->text, tb[NLMSGERR_ATTR_MSG], sizeof(g->text));
	else if (tb[NLMSGERR_ATTR_MISS_TYPE])
		snprintf(g->text, sizeof(g->text), "attribute %u is missing",
			 nla_get_u32(tb[NLMSGERR_ATTR_MISS_TYPE]));
}

static int on_error(struct sockaddr_nl *nla, struct nlmsgerr *err, void *arg)
{
	/* libnl hands over the payload of an NLMSG_ERROR message */
	struct nlmsghdr *nlh = (struct nlmsghdr *)((char *)err - NLMSG_HDRLEN);
	size_t skip = sizeof(*err);
	struct talk *t = arg;

	(void)nla;
	t->done = true;
	t->g->error = -err->error;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			skip += NLMSG_ALIGN(err->msg.nlmsg_len) - NLMSG_HDRLEN;
		take_text(t->g, (char *)err + skip,
			  (int)nlh->nlmsg_len - NLMSG_HDRLEN - (int)skip);
	}
	return NL_STOP;
}

/* A dump that fails half way says so in the message that ends it. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct talk *t = arg;
	int error;

	t->done = true;
	if (nlmsg_datalen(nlh) >= (int)sizeof(error)) {
		memcpy(&error, nlmsg_data(nlh), sizeof(error));
		t->g->error = -error;
		if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
			take_text(t->g, (char *)nlmsg_data(nlh) + sizeof(error),
				  nlmsg_datalen(nlh) - (int)sizeof(error));
	}
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;

	(void)msg;
	t->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *hdr = genlmsg_hdr(nlmsg_hdr(msg));
	struct talk *t = arg;

	if (t->fn && nlmsg_hdr(msg)->nlmsg_type == t->g->family)
		t->fn(hdr->cmd, genlmsg_attrdata(hdr, 0), genlmsg_attrlen(hdr, 0), t->arg);
	return NL_OK;
}

/* Notifications answer no request: their numbers mean nothing. */
static int on_any_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

static struct nl_cb *make_callbacks(struct talk *t)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		abort();
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, t);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, t);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, t);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, t);
	return cb;
}

static void take_nl_error(struct genl *g, int ret)
{
	g->error = EIO;
	snprintf(g->text, sizeof(g->text), "netlink: %s", nl_geterror(ret));
}

/**
 * genl_talk() - send a request and read all its replies
 * @g: the socket
 * @msg: from genl_request(), freed here
 * @fn: called for each reply, may be NULL
 * @arg: for @fn
 *
 * Return: 0 or a negative errno; g->error and g->text say the same.
 */
int genl_talk(struct genl *g, struct nl_msg *msg, genl_reply_fn fn, void *arg)
{
	struct talk t = { .g = g, .fn = fn, .arg = arg };
	struct nl_cb *cb = make_callbacks(&t);
	int ret;

	g->error = 0;
	g->text[0] = '\0';
	ret = nl_send_auto(g->sock, msg);
	nlmsg_free(msg);
	while (ret >= 0 && !t.done) {
		ret = nl_recvmsgs(g->sock, cb);
		/* objects came or went meanwhile: a list is a snapshot anyway */
		if (ret == -NLE_DUMP_INTR)
			ret = 0;
	}
	nl_cb_put(cb);
	if (ret < 0 && !g->error)
		take_nl_error(g, ret);
	return -g->error;
}

/**
 * genl_complain() - say that the last request was refused
 * @g: the socket
 * @what: "cannot hook"
 * @name: of the object, may be empty
 *
 * Return: the exit code that fits.
 */
int genl_complain(const struct genl *g, const char *what, const char *name)
{
	output_error("%s%s%s: %s", what, *name ? " " : "", name,
		     g->text[0] ? g->text : strerror(g->error));
	return g->error == ENOENT || g->error == ENODEV ? VFMIG_MISSING : VFMIG_REFUSED;
}

/**
 * genl_subscribe() - join a multicast group
 * @g: a socket that is used for nothing else
 * @group: its name
 *
 * Return: 0, or an exit code after it said why.
 */
int genl_subscribe(struct genl *g, const char *group)
{
	int ret = genl_ctrl_resolve_grp(g->sock, VFIO_MIGMUX_FAMILY_NAME, group);

	if (ret >= 0)
		ret = nl_socket_add_membership(g->sock, ret);
	if (ret < 0) {
		output_error("cannot listen to %s: %s", group, nl_geterror(ret));
		return VFMIG_REFUSED;
	}
	return 0;
}

/**
 * genl_listen() - read notifications
 * @g: a subscribed socket
 * @fn: called for each message
 * @arg: for @fn
 *
 * Blocks until at least one message has come.
 *
 * Return: 0; -ENOBUFS if messages were lost; another negative errno.
 */
int genl_listen(struct genl *g, genl_reply_fn fn, void *arg)
{
	struct talk t = { .g = g, .fn = fn, .arg = arg };
	struct nl_cb *cb = make_callbacks(&t);
	int ret;

	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_sequence, NULL);
	ret = nl_recvmsgs(g->sock, cb);
	nl_cb_put(cb);
	if (ret == -NLE_NOMEM)
		return -ENOBUFS;
	if (ret < 0) {
		take_nl_error(g, ret);
		return -EIO;
	}
	return 0;
}
