// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "mnl.h"

static int collect(const struct nlattr *attr, void *data)
{
	const struct nlattr **attrs = data;
	__u16 type = mnl_attr_get_type(attr);

	if (type < NL_MAX_ATTR)
		attrs[type] = attr;
	return MNL_CB_OK;
}

/**
 * nl_parse_nested() - sort the attributes in a nested one
 * @nest: the outer attribute
 * @attrs: NL_MAX_ATTR elements, by type; the last one of several of a type
 */
void nl_parse_nested(const struct nlattr *nest, const struct nlattr **attrs)
{
	memset(attrs, 0, NL_MAX_ATTR * sizeof(*attrs));
	mnl_attr_parse_nested(nest, collect, attrs);
}

static void parse(const struct nlmsghdr *nlh, const struct nlattr **attrs)
{
	memset(attrs, 0, NL_MAX_ATTR * sizeof(*attrs));
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), collect, attrs);
}

/* The attribute of the request that begins @offset bytes into it. */
static __u32 attr_at(const struct nl *nl, __u32 offset)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->request;

	if (offset + sizeof(struct nlattr) > nlh->nlmsg_len)
		return 0;
	return mnl_attr_get_type((const struct nlattr *)(nl->request + offset));
}

static void ack_parse(struct nl *nl, const struct nlmsghdr *nlh, size_t skip)
{
	const struct nlattr *attrs[NL_MAX_ATTR] = {};

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_parse(nlh, skip, collect, attrs);
	if (attrs[NLMSGERR_ATTR_MSG])
		snprintf(nl->text, sizeof(nl->text), "%s",
			 mnl_attr_get_str(attrs[NLMSGERR_ATTR_MSG]));
	if (attrs[NLMSGERR_ATTR_OFFS])
		nl->bad_attr = attr_at(nl, mnl_attr_get_u32(attrs[NLMSGERR_ATTR_OFFS]));
	if (attrs[NLMSGERR_ATTR_MISS_TYPE])
		nl->missing = mnl_attr_get_u32(attrs[NLMSGERR_ATTR_MISS_TYPE]);
}

/* One message of an answer. 1: go on, 0: done, or a negative errno. */
static int message(struct nl *nl, const struct nlmsghdr *nlh, nl_message_fn fn, void *data)
{
	const struct nlattr *attrs[NL_MAX_ATTR];
	const struct genlmsghdr *genl;
	const int *err;

	if (nlh->nlmsg_seq != nl->seq)
		return 1;
	err = mnl_nlmsg_get_payload(nlh);
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		/* the request's header follows; NETLINK_CAP_ACK cuts off the rest */
		ack_parse(nl, nlh, sizeof(struct nlmsgerr));
		return *err;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		ack_parse(nl, nlh, sizeof(*err));
		return *err;
	}
	genl = mnl_nlmsg_get_payload(nlh);
	parse(nlh, attrs);
	nl->message = nlh;
	if (fn)
		fn(data, genl->cmd, attrs);
	return 1;
}

/**
 * nl_begin() - begin a request
 * @nl: the socket
 * @cmd: the command
 * @flags: NLM_F_DUMP or NLM_F_ACK
 *
 * Return: the message, for mnl_attr_put_*().
 */
struct nlmsghdr *nl_begin(struct nl *nl, __u8 cmd, __u16 flags)
{
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;

	memset(nl->request, 0, sizeof(nl->request));
	nlh = mnl_nlmsg_put_header(nl->request);
	nlh->nlmsg_type = nl->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = VFIO_MIGMUX_FAMILY_VERSION;
	return nlh;
}

/**
 * nl_send() - send the request
 * @nl: the socket
 *
 * When this returns the kernel has done what was asked; of a dump it has made the first part.
 *
 * Return: 0 or a negative errno.
 */
int nl_send(struct nl *nl)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->request;

	nl->text[0] = '\0';
	nl->bad_attr = 0;
	nl->missing = 0;
	return mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

/**
 * nl_receive() - take the answer
 * @nl: the socket, after nl_send()
 * @fn: called for each message of the reply, or NULL
 * @data: for @fn
 *
 * Return: 0 or a negative errno, with what the kernel said in @nl.
 */
int nl_receive(struct nl *nl, nl_message_fn fn, void *data)
{
	char *buf = malloc(NL_BUFFER_SIZE);
	const struct nlmsghdr *nlh;
	ssize_t len;
	int more = 1;
	int left;

	if (!buf)
		return -ENOMEM;
	while (more == 1) {
		len = mnl_socket_recvfrom(nl->sock, buf, NL_BUFFER_SIZE);
		if (len < 0) {
			more = -errno;
			break;
		}
		left = len;
		for (nlh = (struct nlmsghdr *)buf; more == 1 && mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			more = message(nl, nlh, fn, data);
	}
	free(buf);
	return more;
}

/**
 * nl_call() - send the request and take the answer
 * @nl: the socket
 * @fn: called for each message of the reply, or NULL
 * @data: for @fn
 *
 * Return: 0 or a negative errno, with what the kernel said in @nl.
 */
int nl_call(struct nl *nl, nl_message_fn fn, void *data)
{
	return nl_send(nl) ?: nl_receive(nl, fn, data);
}

static void group_found(struct nl *nl, const struct nlattr *nest)
{
	const struct nlattr *attrs[NL_MAX_ATTR];
	const struct nlattr *pos;

	mnl_attr_for_each_nested(pos, nest) {
		nl_parse_nested(pos, attrs);
		if (attrs[CTRL_ATTR_MCAST_GRP_NAME] && attrs[CTRL_ATTR_MCAST_GRP_ID] &&
		    !strcmp(mnl_attr_get_str(attrs[CTRL_ATTR_MCAST_GRP_NAME]),
			    VFIO_MIGMUX_MCGRP_EVENTS))
			nl->group = mnl_attr_get_u32(attrs[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static void family_found(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct nl *nl = data;

	(void)cmd;
	if (attrs[CTRL_ATTR_FAMILY_ID])
		nl->family = mnl_attr_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
	if (attrs[CTRL_ATTR_MCAST_GROUPS])
		group_found(nl, attrs[CTRL_ATTR_MCAST_GROUPS]);
}

/**
 * nl_open_family() - open a socket in the current network namespace
 * @nl: the socket
 * @name: of the generic netlink family
 *
 * Return: 0 or a negative errno: -ENOENT if there is no such family.
 */
int nl_open_family(struct nl *nl, const char *name)
{
	struct nlmsghdr *nlh;
	int on = 1;
	int err;

	memset(nl, 0, sizeof(*nl));
	nl->seq = time(NULL);
	nl->sock = mnl_socket_open(NETLINK_GENERIC);
	if (!nl->sock)
		return -errno;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on))) {
		err = -errno;
		goto close;
	}

	nl->family = GENL_ID_CTRL;
	nlh = nl_begin(nl, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	err = nl_call(nl, family_found, nl);
	if (!err)
		return 0;
close:
	nl_close(nl);
	return err;
}

/**
 * nl_open() - the same, for the module's family
 * @nl: the socket
 *
 * Return: 0 or a negative errno: -ENOENT without the module.
 */
int nl_open(struct nl *nl)
{
	return nl_open_family(nl, VFIO_MIGMUX_FAMILY_NAME);
}

/**
 * nl_close() - close a socket
 * @nl: the socket; nothing happens if it is not open
 */
void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

/**
 * nl_subscribe() - listen to the family's events
 * @nl: the socket; use it for nothing else from now on
 *
 * Return: 0 or a negative errno.
 */
int nl_subscribe(struct nl *nl)
{
	return mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &nl->group,
				     sizeof(nl->group)) ? -errno : 0;
}

/**
 * nl_next_event() - wait for an event
 * @nl: the socket
 * @timeout_ms: how long
 * @fn: called with it
 * @data: for @fn
 *
 * Return: 0, -ETIMEDOUT or another negative errno.
 */
int nl_next_event(struct nl *nl, int timeout_ms, nl_message_fn fn, void *data)
{
	struct pollfd pfd = { .fd = mnl_socket_get_fd(nl->sock), .events = POLLIN };
	const struct nlattr *attrs[NL_MAX_ATTR];
	const struct genlmsghdr *genl;
	char buf[8192];
	ssize_t len;

	if (poll(&pfd, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	len = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	if (!mnl_nlmsg_ok((struct nlmsghdr *)buf, len))
		return -EBADMSG;
	genl = mnl_nlmsg_get_payload((struct nlmsghdr *)buf);
	parse((struct nlmsghdr *)buf, attrs);
	nl->message = (struct nlmsghdr *)buf;
	fn(data, genl->cmd, attrs);
	return 0;
}

/* --- requests -------------------------------------------------------------------- */

int nl_device(struct nl *nl, __u8 cmd, const char *handle)
{
	struct nlmsghdr *nlh = nl_begin(nl, cmd, NLM_F_ACK);

	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_DEVICE_HANDLE, handle);
	return nl_call(nl, NULL, NULL);
}

int nl_link(struct nl *nl, __u8 cmd, const char *name)
{
	struct nlmsghdr *nlh = nl_begin(nl, cmd, NLM_F_ACK);

	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_LINK_NAME, name);
	return nl_call(nl, NULL, NULL);
}

int nl_link_new(struct nl *nl, const char *name)
{
	return nl_link(nl, VFIO_MIGMUX_CMD_LINK_NEW, name);
}

int nl_link_new_tls(struct nl *nl, const char *name)
{
	struct nlmsghdr *nlh = nl_begin(nl, VFIO_MIGMUX_CMD_LINK_NEW, NLM_F_ACK);

	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_LINK_NAME, name);
	mnl_attr_put(nlh, VFIO_MIGMUX_A_LINK_TLS, 0, NULL);
	return nl_call(nl, NULL, NULL);
}

int nl_link_del(struct nl *nl, const char *name)
{
	return nl_link(nl, VFIO_MIGMUX_CMD_LINK_DEL, name);
}

static void channel_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct nl_channels *ch = data;
	__u32 id;

	(void)cmd;
	if (!attrs[VFIO_MIGMUX_A_CHANNEL_LINK] || !attrs[VFIO_MIGMUX_A_CHANNEL_ID])
		return;
	id = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_CHANNEL_ID]);
	ch->rising = !ch->count || (ch->rising && id > ch->id);
	ch->id = id;
	ch->count++;
	snprintf(ch->link, sizeof(ch->link), "%s",
		 mnl_attr_get_str(attrs[VFIO_MIGMUX_A_CHANNEL_LINK]));
	if (!attrs[VFIO_MIGMUX_A_CHANNEL_LOCAL] || !attrs[VFIO_MIGMUX_A_CHANNEL_PEER])
		return;
	snprintf(ch->local, sizeof(ch->local), "%s",
		 mnl_attr_get_str(attrs[VFIO_MIGMUX_A_CHANNEL_LOCAL]));
	snprintf(ch->peer, sizeof(ch->peer), "%s",
		 mnl_attr_get_str(attrs[VFIO_MIGMUX_A_CHANNEL_PEER]));
	if (!attrs[VFIO_MIGMUX_A_CHANNEL_SEND_METHOD])
		return;
	ch->method = mnl_attr_get_u32(attrs[VFIO_MIGMUX_A_CHANNEL_SEND_METHOD]);
	ch->complete = attrs[VFIO_MIGMUX_A_CHANNEL_SENT] &&
		       attrs[VFIO_MIGMUX_A_CHANNEL_RECEIVED];
}

int nl_channel_new(struct nl *nl, const char *link, int fd, struct nl_channels *ch)
{
	struct nlmsghdr *nlh = nl_begin(nl, VFIO_MIGMUX_CMD_CHANNEL_NEW, NLM_F_ACK);

	memset(ch, 0, sizeof(*ch));
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_CHANNEL_LINK, link);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_CHANNEL_SOCKET_FD, fd);
	return nl_call(nl, channel_seen, ch);
}

int nl_channel(struct nl *nl, __u8 cmd, const char *link, __u32 id,
	       struct nl_channels *ch)
{
	struct nlmsghdr *nlh = nl_begin(nl, cmd, NLM_F_ACK);

	memset(ch, 0, sizeof(*ch));
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_CHANNEL_LINK, link);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_CHANNEL_ID, id);
	return nl_call(nl, channel_seen, ch);
}

int nl_channel_dump(struct nl *nl, const char *link, struct nl_channels *ch)
{
	struct nlmsghdr *nlh = nl_begin(nl, VFIO_MIGMUX_CMD_CHANNEL_GET, NLM_F_DUMP);

	memset(ch, 0, sizeof(*ch));
	if (link)
		mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_CHANNEL_LINK, link);
	return nl_call(nl, channel_seen, ch);
}

int nl_session(struct nl *nl, __u32 id, nl_message_fn fn, void *data)
{
	struct nlmsghdr *nlh = nl_begin(nl, VFIO_MIGMUX_CMD_SESSION_GET, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SESSION_ID, id);
	return nl_call(nl, fn, data);
}

static void count(void *data, __u8 cmd, const struct nlattr **attrs)
{
	(void)cmd;
	(void)attrs;
	++*(unsigned int *)data;
}

int nl_dump(struct nl *nl, __u8 cmd, unsigned int *n)
{
	*n = 0;
	nl_begin(nl, cmd, NLM_F_DUMP);
	return nl_call(nl, count, n);
}
