// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink operations on the channels of links.
 */
#include "link.h"
#include "netlink.h"
#include "netlink_gen.h"

#define CHANNEL_SIZE (nla_total_size(VFIO_MIGMUX_LINK_NAME_SIZE) + \
		      4 * nla_total_size(sizeof(u32)) + \
		      nla_total_size(sizeof_field(struct migmux_channel_info, local)) + \
		      nla_total_size(sizeof_field(struct migmux_channel_info, peer)) + \
		      2 * nla_total_size_64bit(sizeof(u64)))

static int channel_put(struct sk_buff *skb, const struct genl_info *info, int flags,
		       const struct migmux_channel_info *ch)
{
	void *hdr;

	hdr = __genlmsg_iput(skb, info, flags);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, VFIO_MIGMUX_A_CHANNEL_LINK, ch->link) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_CHANNEL_ID, ch->id) ||
	    nla_put_string(skb, VFIO_MIGMUX_A_CHANNEL_LOCAL, ch->local) ||
	    nla_put_string(skb, VFIO_MIGMUX_A_CHANNEL_PEER, ch->peer) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_CHANNEL_SEND_METHOD, ch->method) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_CHANNEL_SENT, ch->sent,
			      VFIO_MIGMUX_A_CHANNEL_PAD) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_CHANNEL_RECEIVED, ch->received,
			      VFIO_MIGMUX_A_CHANNEL_PAD) ||
	    (ch->tls.version &&
	     (nla_put_u32(skb, VFIO_MIGMUX_A_CHANNEL_TLS_VERSION, ch->tls.version) ||
	      nla_put_u32(skb, VFIO_MIGMUX_A_CHANNEL_TLS_CIPHER, ch->tls.cipher)))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static const char *link_of(struct genl_info *info, int *err)
{
	*err = migmux_netlink_require(info, VFIO_MIGMUX_A_CHANNEL_LINK, "link");
	return *err ? NULL : nla_data(info->attrs[VFIO_MIGMUX_A_CHANNEL_LINK]);
}

/* Link and number, which name a channel. */
static const char *link_and_id_of(struct genl_info *info, u32 *id, int *err)
{
	const char *link;

	link = link_of(info, err);
	if (!link)
		return NULL;
	*err = migmux_netlink_require(info, VFIO_MIGMUX_A_CHANNEL_ID, "id");
	if (*err)
		return NULL;
	*id = nla_get_u32(info->attrs[VFIO_MIGMUX_A_CHANNEL_ID]);
	return link;
}

static int new_channel(struct sk_buff *reply, struct genl_info *info,
		       const char *link)
{
	s32 fd = nla_get_s32(info->attrs[VFIO_MIGMUX_A_CHANNEL_SOCKET_FD]);
	void *hdr;
	u32 id;
	int err;

	/* first what can fail for want of room: nothing has to be undone then */
	hdr = genlmsg_iput(reply, info);
	if (!hdr || nla_put_string(reply, VFIO_MIGMUX_A_CHANNEL_LINK, link))
		return -EMSGSIZE;
	err = migmux_link_channel_new(genl_info_net(info), link, fd, &id,
				      info->extack);
	if (err)
		return err;
	WARN_ON_ONCE(nla_put_u32(reply, VFIO_MIGMUX_A_CHANNEL_ID, id));
	genlmsg_end(reply, hdr);
	return 0;
}

int vfio_migmux_nl_channel_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	const char *link;
	int err;

	link = link_of(info, &err);
	if (!link)
		return err;
	err = migmux_netlink_require(info, VFIO_MIGMUX_A_CHANNEL_SOCKET_FD,
				     "socket-fd");
	if (err)
		return err;

	reply = genlmsg_new(CHANNEL_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	err = new_channel(reply, info, link);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vfio_migmux_nl_channel_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	const char *link;
	int err;
	u32 id;

	link = link_and_id_of(info, &id, &err);
	if (!link)
		return err;
	return migmux_link_channel_del(genl_info_net(info), link, id, info->extack);
}

int vfio_migmux_nl_channel_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_channel_info ch;
	struct sk_buff *reply;
	const char *link;
	int err;
	u32 id;

	link = link_and_id_of(info, &id, &err);
	if (!link)
		return err;
	err = migmux_link_channel_info_get(genl_info_net(info), link, id, &ch,
					   info->extack);
	if (err)
		return err;

	reply = genlmsg_new(CHANNEL_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	err = channel_put(reply, info, 0, &ch);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vfio_migmux_nl_channel_get_dumpit(struct sk_buff *skb,
				      struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct migmux_link_pos *pos = (void *)cb->ctx;
	struct net *net = genl_info_net(info);
	struct migmux_link_pos next = *pos;
	struct migmux_link_info link_info;
	struct migmux_channel_info ch;
	const char *link = NULL;
	int err;

	if (info->attrs[VFIO_MIGMUX_A_CHANNEL_LINK])
		link = nla_data(info->attrs[VFIO_MIGMUX_A_CHANNEL_LINK]);
	if (link && !pos->serial) {
		err = migmux_link_info_get(net, link, &link_info, info->extack);
		if (err)
			return err;
	}

	while (!migmux_link_channel_info_next(net, link, &next, &ch)) {
		err = channel_put(skb, info, NLM_F_MULTI, &ch);
		if (err)
			return err;
		*pos = next;
	}
	return 0;
}
