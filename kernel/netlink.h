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
struct migmux_set;
struct net;
struct netlink_ext_ack;
struct sk_buff;
struct vfio_migmux_event;

/**
 * struct migmux_set_event - something that a set's member does
 * @set: name of the set
 * @device: handle of the member's device
 * @type: enum vfio_migmux_set_event_type
 * @from: enum vfio_device_mig_state
 * @to: likewise
 * @error: positive errno or 0
 * @saved_ns: time that the VMM did not have to wait
 * @at_ns: CLOCK_MONOTONIC
 */
struct migmux_set_event {
	const char *set;
	const char *device;
	u32 type;
	u32 from;
	u32 to;
	u32 error;
	u64 saved_ns;
	u64 at_ns;
};

int migmux_netlink_init(void);
void migmux_netlink_exit(void);

/* notifications, each to the listeners of group "events" */
void migmux_netlink_device_ntf(const struct migmux_hook_info *info);
void migmux_netlink_link_ntf(struct net *net, const struct migmux_link_info *info);
void migmux_netlink_set_ntf(struct migmux_set *set, bool gone);
void migmux_netlink_set_event(const struct migmux_set_event *ev, u32 timeline);
void migmux_netlink_session_event(struct net *net, u32 session,
				  const struct vfio_migmux_event *ev,
				  const char *handle, const char *text);

bool migmux_netlink_name_is_good(const char *what, const char *name,
				 struct netlink_ext_ack *extack);
bool migmux_netlink_listens(struct net *net);

/* for netlink_*.c */
int migmux_netlink_host(const struct genl_info *info);
int migmux_netlink_require(struct genl_info *info, u32 attr, const char *name);
void migmux_netlink_ntf_lost(struct net *net);
struct sk_buff *migmux_netlink_ntf_new(struct net *net, u8 cmd, size_t size,
				       struct genl_info *info);
void migmux_netlink_ntf_send(struct net *net, struct sk_buff *msg, int err);

#endif /* MIGMUX_NETLINK_H */
