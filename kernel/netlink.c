// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family. Operations are in netlink_<object>.c; tables and
 * policies are generated from Documentation/netlink/specs/vfio_migmux.yaml.
 */
#include <linux/ctype.h>
#include <linux/string.h>

#include "netlink.h"
#include "netlink_gen.h"

/* As generated, and a flag that the generator has no word for. */
static const struct genl_multicast_group groups[] = {
	[VFIO_MIGMUX_NLGRP_EVENTS] = {
		.name = VFIO_MIGMUX_MCGRP_EVENTS,
		/* of the namespace that is listened to: events tell what session-get would */
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

static_assert(ARRAY_SIZE(groups) == VFIO_MIGMUX_NLGRP_EVENTS + 1);

/* Set while the family has its multicast group. */
static bool registered;

/**
 * migmux_netlink_require() - check that a request has an attribute
 * @info: the request; gets the reason of a refusal
 * @attr: the attribute
 * @name: its name in words
 *
 * Return: 0 or -EINVAL.
 */
int migmux_netlink_require(struct genl_info *info, u32 attr, const char *name)
{
	if (!GENL_REQ_ATTR_CHECK(info, attr))
		return 0;
	GENL_SET_ERR_MSG_FMT(info, "attribute '%s' is missing", name);
	return -EINVAL;
}

/**
 * migmux_netlink_name_is_good() - check a name that somebody gives to an object
 * @what: the object, in words
 * @name: names go into logs, files and terminals
 * @extack: gets the reason of a refusal
 */
bool migmux_netlink_name_is_good(const char *what, const char *name,
				 struct netlink_ext_ack *extack)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isascii(name[i]) ||
		    !(isalnum(name[i]) || strchr("._-", name[i])))
			break;
	if (i && i <= VFIO_MIGMUX_NAME_MAX && !name[i])
		return true;
	NL_SET_ERR_MSG_FMT(extack,
			   "a %s's name is 1 to 31 characters out of A-Z a-z 0-9 . _ -",
			   what);
	return false;
}

/**
 * migmux_netlink_host() - check that a request may see the host's objects
 * @info: the request; gets the reason of a refusal
 *
 * Devices and sets have no network namespace: they are the initial one's.
 *
 * Return: 0 or -EPERM.
 */
int migmux_netlink_host(const struct genl_info *info)
{
	if (net_eq(genl_info_net(info), &init_net))
		return 0;
	GENL_SET_ERR_MSG(info,
			 "devices and sets belong to the host: use the initial network namespace");
	return -EPERM;
}

/**
 * migmux_netlink_listens() - is anybody told of events?
 * @net: a network namespace
 */
bool migmux_netlink_listens(struct net *net)
{
	return READ_ONCE(registered) &&
	       genl_has_listeners(&vfio_migmux_nl_family, net,
				  VFIO_MIGMUX_NLGRP_EVENTS);
}

/**
 * migmux_netlink_ntf_lost() - there is no memory for a notification
 * @net: for whom it was
 *
 * Listeners learn from an overrun (ENOBUFS) that they missed something.
 *
 * Context: any.
 */
void migmux_netlink_ntf_lost(struct net *net)
{
	genl_set_err(&vfio_migmux_nl_family, net, 0, VFIO_MIGMUX_NLGRP_EVENTS, -ENOBUFS);
}

/**
 * migmux_netlink_ntf_new() - begin a notification
 * @net: for whom
 * @cmd: what about
 * @size: most bytes of its attributes
 * @info: gets what genlmsg_iput() needs
 *
 * Context: sleeps.
 * Return: an empty message for migmux_netlink_ntf_send(), or NULL if nobody listens or
 * there is no memory, which listeners are told.
 */
struct sk_buff *migmux_netlink_ntf_new(struct net *net, u8 cmd, size_t size,
				       struct genl_info *info)
{
	struct sk_buff *msg;

	if (!migmux_netlink_listens(net))
		return NULL;
	msg = genlmsg_new(size, GFP_KERNEL);
	if (!msg) {
		migmux_netlink_ntf_lost(net);
		return NULL;
	}
	genl_info_init_ntf(info, &vfio_migmux_nl_family, cmd);
	return msg;
}

/**
 * migmux_netlink_ntf_send() - end a notification
 * @net: for whom
 * @msg: the message; consumed
 * @err: it could not be filled: its size was wrong
 *
 * Context: sleeps.
 */
void migmux_netlink_ntf_send(struct net *net, struct sk_buff *msg, int err)
{
	if (WARN_ON_ONCE(err)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_multicast_netns(&vfio_migmux_nl_family, net, msg, 0,
				VFIO_MIGMUX_NLGRP_EVENTS, GFP_KERNEL);
}

/**
 * migmux_netlink_init() - open the module to netlink
 *
 * After migmux_net_init(). Notifications before it are dropped.
 *
 * Context: sleeps.
 * Return: 0 or an error.
 */
int migmux_netlink_init(void)
{
	int err;

	vfio_migmux_nl_family.mcgrps = groups;
	err = genl_register_family(&vfio_migmux_nl_family);
	if (!err)
		WRITE_ONCE(registered, true);
	return err;
}

/**
 * migmux_netlink_exit() - close it again
 *
 * When this returns no request runs any more. Nobody else may notify while it
 * runs, but later again: that is dropped.
 *
 * Context: sleeps.
 */
void migmux_netlink_exit(void)
{
	WRITE_ONCE(registered, false);
	genl_unregister_family(&vfio_migmux_nl_family);
}
