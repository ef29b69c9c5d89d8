/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family: what operators configure and everyone observes.
 */
#ifndef MIGMUX_NETLINK_H
#define MIGMUX_NETLINK_H

#include <linux/types.h>

struct genl_info;
struct migmux_hook_info;
struct migmux_link_info;
struct net;
struct sk_buff;
struct vfio_migmux_event;

int migmux_netlink_init(void);
void migmux_netlink_exit(void);

/* notifications, each to the listeners of group "events" */
void migmux_netlink_device_ntf(const struct migmux_hook_info *info);
void migmux_netlink_link_ntf(struct net *net, const struct migmux_link_info *info);
void migmux_netlink_session_event(struct net *net, u32 session,
				  const struct vfio_migmux_event *ev,
				  const char *handle, const char *text);

/* for netlink_*.c */
int migmux_netlink_require(struct genl_info *info, u32 attr, const char *name);
struct sk_buff *migmux_netlink_ntf_new(struct net *net, u8 cmd, size_t size,
				       struct genl_info *info);
void migmux_netlink_ntf_send(struct net *net, struct sk_buff *msg, int err);

#endif /* MIGMUX_NETLINK_H */
