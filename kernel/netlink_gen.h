/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vfio_migmux.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_VFIO_MIGMUX_GEN_H
#define _LINUX_VFIO_MIGMUX_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/vfio_migmux_netlink.h>

int vfio_migmux_nl_set_get_start(struct netlink_callback *cb);

int vfio_migmux_nl_device_get_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_device_get_dumpit(struct sk_buff *skb,
				     struct netlink_callback *cb);
int vfio_migmux_nl_device_hook_doit(struct sk_buff *skb,
				    struct genl_info *info);
int vfio_migmux_nl_device_unhook_doit(struct sk_buff *skb,
				      struct genl_info *info);
int vfio_migmux_nl_set_new_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_set_set_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_set_del_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_set_get_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_set_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int vfio_migmux_nl_set_auto_set_doit(struct sk_buff *skb,
				     struct genl_info *info);
int vfio_migmux_nl_set_auto_get_doit(struct sk_buff *skb,
				     struct genl_info *info);
int vfio_migmux_nl_link_new_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_link_del_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_link_get_doit(struct sk_buff *skb, struct genl_info *info);
int vfio_migmux_nl_link_get_dumpit(struct sk_buff *skb,
				   struct netlink_callback *cb);
int vfio_migmux_nl_channel_new_doit(struct sk_buff *skb,
				    struct genl_info *info);
int vfio_migmux_nl_channel_del_doit(struct sk_buff *skb,
				    struct genl_info *info);
int vfio_migmux_nl_channel_get_doit(struct sk_buff *skb,
				    struct genl_info *info);
int vfio_migmux_nl_channel_get_dumpit(struct sk_buff *skb,
				      struct netlink_callback *cb);
int vfio_migmux_nl_session_get_doit(struct sk_buff *skb,
				    struct genl_info *info);
int vfio_migmux_nl_session_get_dumpit(struct sk_buff *skb,
				      struct netlink_callback *cb);

enum {
	VFIO_MIGMUX_NLGRP_EVENTS,
};

extern struct genl_family vfio_migmux_nl_family;

#endif /* _LINUX_VFIO_MIGMUX_GEN_H */
