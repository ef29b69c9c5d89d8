// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink operations on devices.
 */
#include "hook.h"
#include "netlink.h"
#include "netlink_gen.h"

#define DEVICE_SIZE (nla_total_size(sizeof_field(struct migmux_hook_info, name)) + \
		     nla_total_size(sizeof_field(struct migmux_hook_info, driver)) + \
		     nla_total_size(sizeof_field(struct migmux_hook_info, set)) + \
		     5 * nla_total_size(sizeof(u32)) + \
		     3 * nla_total_size(0))

static int device_put(struct sk_buff *skb, const struct genl_info *info, int flags,
		      const struct migmux_hook_info *dev)
{
	void *hdr;

	hdr = __genlmsg_iput(skb, info, flags);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, VFIO_MIGMUX_A_DEVICE_HANDLE, dev->name) ||
	    nla_put_string(skb, VFIO_MIGMUX_A_DEVICE_DRIVER, dev->driver) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_DEVICE_MIGRATION_FLAGS,
			dev->migration_flags) ||
	    (dev->hooked && nla_put_flag(skb, VFIO_MIGMUX_A_DEVICE_HOOKED)) ||
	    (dev->pinned && nla_put_flag(skb, VFIO_MIGMUX_A_DEVICE_PINNED)) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_DEVICE_USERS, dev->users) ||
	    (dev->session &&
	     nla_put_u32(skb, VFIO_MIGMUX_A_DEVICE_SESSION, dev->session)) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_DEVICE_ARCS, dev->arcs) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_DEVICE_REFUSED, dev->refused) ||
	    (dev->set[0] &&
	     nla_put_string(skb, VFIO_MIGMUX_A_DEVICE_SET, dev->set)) ||
	    (dev->gone && nla_put_flag(skb, VFIO_MIGMUX_A_DEVICE_GONE))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static struct migmux_hook *resolve(struct genl_info *info, int *err)
{
	struct migmux_hook *hook;
	const char *name;

	*err = migmux_netlink_host(info);
	if (*err)
		return NULL;
	*err = migmux_netlink_require(info, VFIO_MIGMUX_A_DEVICE_HANDLE, "handle");
	if (*err)
		return NULL;
	name = nla_data(info->attrs[VFIO_MIGMUX_A_DEVICE_HANDLE]);
	hook = migmux_hook_get_by_name(name);
	if (!hook) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack,
					info->attrs[VFIO_MIGMUX_A_DEVICE_HANDLE],
					"no device '%.41s': device-get lists them",
					name);
		*err = -ENOENT;
	}
	return hook;
}

int vfio_migmux_nl_device_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_hook_info dev;
	struct migmux_hook *hook;
	struct sk_buff *reply;
	int err;

	hook = resolve(info, &err);
	if (!hook)
		return err;
	migmux_hook_info_get(hook, &dev);
	migmux_hook_put(hook);

	reply = genlmsg_new(DEVICE_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	err = device_put(reply, info, 0, &dev);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vfio_migmux_nl_device_get_dumpit(struct sk_buff *skb,
				     struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	unsigned long serial = cb->args[0];
	struct migmux_hook_info dev;
	int err;

	err = migmux_netlink_host(info);
	if (err)
		return err;
	while (!migmux_hook_info_next(&serial, &dev)) {
		err = device_put(skb, info, NLM_F_MULTI, &dev);
		if (err)
			return err;
		cb->args[0] = serial;
	}
	return 0;
}

int vfio_migmux_nl_device_hook_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_hook *hook;
	int err;

	hook = resolve(info, &err);
	if (!hook)
		return err;
	err = migmux_hook_pin(hook, info->extack);
	migmux_hook_put(hook);
	return err;
}

int vfio_migmux_nl_device_unhook_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_hook *hook;
	int err;

	hook = resolve(info, &err);
	if (!hook)
		return err;
	err = migmux_hook_unpin(hook, info->extack);
	migmux_hook_put(hook);
	return err;
}

/**
 * migmux_netlink_device_ntf() - tell that a device came, went or changed
 * @dev: the device as it is now
 *
 * Context: sleeps.
 */
void migmux_netlink_device_ntf(const struct migmux_hook_info *dev)
{
	struct genl_info info;
	struct sk_buff *msg;

	msg = migmux_netlink_ntf_new(&init_net, VFIO_MIGMUX_CMD_DEVICE_NTF,
				     DEVICE_SIZE, &info);
	if (msg)
		migmux_netlink_ntf_send(&init_net, msg,
					device_put(msg, &info, 0, dev));
}
