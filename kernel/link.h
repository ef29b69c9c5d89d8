/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Links: named bundles of channels to one peer host. An operator makes them
 * over netlink, a session borrows one.
 */
#ifndef MIGMUX_LINK_H
#define MIGMUX_LINK_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netlink.h>

#include <uapi/linux/vfio_migmux.h>
#include <uapi/linux/vfio_migmux_netlink.h>

#include "address.h"
#include "report.h"
#include "tls.h"

struct migmux_channel;
struct net;

/* Links that a network namespace can hold. */
#define MIGMUX_MAX_LINKS	256

/*
 * Per network namespace. The lock is taken inside a session's mutex and outside
 * the lock of the list of all channels; it is not taken together with the
 * hook's locks.
 */
struct migmux_link_list {
	struct mutex lock;	/* protects the rest and all of each link */
	struct list_head head;	/* links, serial rising */
	u64 last_serial;	/* of the link that was made last */
	u32 nr;
};

/**
 * struct migmux_link - a named bundle of channels
 * @ref: the list holds one until the link is deleted, an attached session one
 *	until it detaches
 * @node: in the list; empty once deleted
 * @list: the list whose lock protects the rest
 * @net: only valid while @node is listed or a session is attached: a session
 *	holds its network namespace
 * @serial: rises from link to link: where a dump goes on; constant
 * @name: unique in its namespace among listed links; constant
 * @state: idle, busy or dead
 * @session: id of the session while busy
 * @nr_channels: elements of @channels in use
 * @error: why it is dead
 * @tls: it takes channels over kernel TLS only; constant
 * @channels: owned, id rising; closed with the link. A dead link keeps them: an
 *	early close could reset a connection and destroy a verdict that the peer
 *	has not read yet. The session has shut them down as far as needed
 *
 * Lifetime: only an idle or dead link can leave the list, so an attached one is
 * always listed. Once its session has detached nothing but the list refers to
 * it: whoever puts it last, the list's side or a session that is just leaving
 * migmux_link_detach(), closes channels that nobody uses.
 *
 * A channel's socket pins the network namespace in which the socket was made,
 * usually the link's own. So a link with channels keeps that alive until it is
 * deleted or the module is unloaded.
 */
struct migmux_link {
	struct kref ref;
	struct list_head node;
	struct migmux_link_list *list;
	struct net *net;
	u64 serial;
	char name[VFIO_MIGMUX_LINK_NAME_SIZE];
	enum vfio_migmux_link_state state;
	u32 session;
	u32 nr_channels;
	char error[VFIO_MIGMUX_TEXT_SIZE];
	bool tls;
	struct migmux_channel *channels[MIGMUX_MAX_CHANNELS];
};

/* A copy of what netlink shows of a link. */
struct migmux_link_info {
	char name[VFIO_MIGMUX_LINK_NAME_SIZE];
	enum vfio_migmux_link_state state;
	u32 session;
	u32 nr_channels;
	char error[VFIO_MIGMUX_TEXT_SIZE];
	bool tls;
	bool gone;
};

/* A copy of what netlink shows of a channel. */
struct migmux_channel_info {
	char link[VFIO_MIGMUX_LINK_NAME_SIZE];
	u32 id;
	char local[MIGMUX_ADDRESS_LEN];
	char peer[MIGMUX_ADDRESS_LEN];
	enum vfio_migmux_send_method method;
	struct migmux_tls_info tls;
	u64 sent;
	u64 received;
};

/* Where a dump of links or channels is: behind this one. */
struct migmux_link_pos {
	u64 serial;
	u32 next_id;	/* first channel of the link @serial that is still to come */
};

void migmux_link_list_init(struct migmux_link_list *list);
void migmux_link_list_exit(struct migmux_link_list *list);

/* for netlink */
int migmux_link_new(struct net *net, const char *name, bool tls,
		    struct netlink_ext_ack *extack);
int migmux_link_del(struct net *net, const char *name,
		    struct netlink_ext_ack *extack);
int migmux_link_channel_new(struct net *net, const char *name, int fd, u32 *id,
			    struct netlink_ext_ack *extack);
int migmux_link_channel_del(struct net *net, const char *name, u32 id,
			    struct netlink_ext_ack *extack);

int migmux_link_info_get(struct net *net, const char *name,
			 struct migmux_link_info *info,
			 struct netlink_ext_ack *extack);
int migmux_link_info_next(struct net *net, struct migmux_link_pos *pos,
			  struct migmux_link_info *info);
int migmux_link_channel_info_get(struct net *net, const char *name, u32 id,
				 struct migmux_channel_info *info,
				 struct netlink_ext_ack *extack);
int migmux_link_channel_info_next(struct net *net, const char *name,
				  struct migmux_link_pos *pos,
				  struct migmux_channel_info *info);

/* for link_channel.c */
void migmux_link_notify_locked(const struct migmux_link *link, bool gone);
struct migmux_link *migmux_link_resolve_locked(struct migmux_link_list *list,
					       const char *name, int *err,
					       struct netlink_ext_ack *extack);
bool migmux_link_busy_locked(const struct migmux_link *link,
			     struct netlink_ext_ack *extack);

/* for sessions */
struct migmux_link *migmux_link_attach(struct net *net, const char *name,
				       u32 session, int *err);
void migmux_link_detach(struct migmux_link *link, const char *error);

#endif /* MIGMUX_LINK_H */
