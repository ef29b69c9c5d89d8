// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink operations on links.
 */
#include "link.h"
#include "netlink.h"
#include "netlink_gen.h"

#define LINK_SIZE (nla_total_size(VFIO_MIGMUX_LINK_NAME_SIZE) + \
		   3 * nla_total_size(sizeof(u32)) + \
		   nla_total_size(VFIO_MIGMUX_TEXT_SIZE) + \
		   2 * nla_total_size(0))

static_assert(sizeof(struct migmux_link_pos) <=
	      sizeof_field(struct netlink_callback, ctx));

static int link_put(struct sk_buff *skb, const struct genl_info *info, int flags,
		    const struct migmux_link_info *link)
{
	void *hdr;

	hdr = __genlmsg_iput(skb, info, flags);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, VFIO_MIGMUX_A_LINK_NAME, link->name) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_LINK_STATE, link->state) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_LINK_CHANNELS, link->nr_channels) ||
	    (link->session &&
	     nla_put_u32(skb, VFIO_MIGMUX_A_LINK_SESSION, link->session)) ||
	    (link->error[0] &&
	     nla_put_string(skb, VFIO_MIGMUX_A_LINK_ERROR, link->error)) ||
	    (link->tls && nla_put_flag(skb, VFIO_MIGMUX_A_LINK_TLS)) ||
	    (link->gone && nla_put_flag(skb, VFIO_MIGMUX_A_LINK_GONE))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static const char *name_of(struct genl_info *info, int *err)
{
	*err = migmux_netlink_require(info, VFIO_MIGMUX_A_LINK_NAME, "name");
	return *err ? NULL : nla_data(info->attrs[VFIO_MIGMUX_A_LINK_NAME]);
}

int vfio_migmux_nl_link_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	const char *name;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	return migmux_link_new(genl_info_net(info), name,
			       !!info->attrs[VFIO_MIGMUX_A_LINK_TLS], info->extack);
}

int vfio_migmux_nl_link_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	const char *name;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	return migmux_link_del(genl_info_net(info), name, info->extack);
}

int vfio_migmux_nl_link_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_link_info link;
	struct sk_buff *reply;
	const char *name;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	err = migmux_link_info_get(genl_info_net(info), name, &link, info->extack);
	if (err)
		return err;

	reply = genlmsg_new(LINK_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	err = link_put(reply, info, 0, &link);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vfio_migmux_nl_link_get_dumpit(struct sk_buff *skb,
				   struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct migmux_link_pos *pos = (void *)cb->ctx;
	struct migmux_link_pos next = *pos;
	struct migmux_link_info link;
	int err;

	while (!migmux_link_info_next(genl_info_net(info), &next, &link)) {
		err = link_put(skb, info, NLM_F_MULTI, &link);
		if (err)
			return err;
		*pos = next;
	}
	return 0;
}

/**
 * migmux_netlink_link_ntf() - tell that a link was made, deleted or changed
 * @net: the link's network namespace
 * @link: the link as it is now
 *
 * Context: sleeps.
 */
void migmux_netlink_link_ntf(struct net *net, const struct migmux_link_info *link)
{
	struct genl_info info;
	struct sk_buff *msg;

	msg = migmux_netlink_ntf_new(net, VFIO_MIGMUX_CMD_LINK_NTF, LINK_SIZE, &info);
	if (msg)
		migmux_netlink_ntf_send(net, msg, link_put(msg, &info, 0, link));
}
