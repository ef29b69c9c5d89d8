// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channels of a link, as netlink makes, closes and shows them.
 */
#include <linux/err.h>
#include <linux/string.h>

#include "channel.h"
#include "limit.h"
#include "link.h"
#include "net.h"

/* Ids are positions at first; after a deletion the lowest free one comes next. */
static u32 free_id_locked(const struct migmux_link *link)
	__must_hold(&link->list->lock)
{
	u32 id = 0;

	lockdep_assert_held(&link->list->lock);
	while (id < link->nr_channels && link->channels[id]->id == id)
		id++;
	return id;
}

static int channel_add_locked(struct migmux_link *link, int fd, u32 *id,
			      struct netlink_ext_ack *extack)
	__must_hold(&link->list->lock)
{
	struct migmux_channel *ch;
	const char *why = "the socket cannot carry a channel";

	if (migmux_link_busy_locked(link, extack))
		return -EBUSY;
	if (link->state == VFIO_MIGMUX_LINK_STATE_DEAD) {
		NL_SET_ERR_MSG_FMT(extack,
				   "link '%s' is dead: delete it or make it anew",
				   link->name);
		return -ENOTCONN;
	}
	if (link->nr_channels >= migmux_channels_max()) {
		NL_SET_ERR_MSG_FMT(extack,
				   "link '%s' has %u channels already: see max_channels",
				   link->name, link->nr_channels);
		return -ENOSPC;
	}

	ch = migmux_channel_create(fd, &why);
	if (IS_ERR(ch)) {
		NL_SET_ERR_MSG_FMT(extack, "%.79s", why);
		return PTR_ERR(ch);
	}
	if (link->tls && !ch->tls.version) {
		NL_SET_ERR_MSG(extack,
			       "the link is for TLS, and the socket does not do it both ways");
		migmux_channel_destroy(ch);
		return -EPROTONOSUPPORT;
	}
	*id = free_id_locked(link);
	ch->id = *id;
	memmove(&link->channels[*id + 1], &link->channels[*id],
		(link->nr_channels - *id) * sizeof(link->channels[0]));
	link->channels[*id] = ch;
	link->nr_channels++;
	migmux_link_notify_locked(link, false);
	return 0;
}

/**
 * migmux_link_channel_new() - add a channel to an idle link
 * @net: where
 * @name: the link
 * @fd: a connected stream socket of the current process; the channel holds it
 * @id: gets the channel's number
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EINVAL (bad name), -ENOENT, -EBUSY (a session uses the link), -ENOTCONN (the
 * link is dead, or the socket not connected), -ENOSPC (full), -EPROTONOSUPPORT (the
 * link is for TLS, and the socket has none), or what migmux_channel_create() says of
 * the socket.
 */
int migmux_link_channel_new(struct net *net, const char *name, int fd, u32 *id,
			    struct netlink_ext_ack *extack)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;
	int err;

	mutex_lock(&list->lock);
	link = migmux_link_resolve_locked(list, name, &err, extack);
	if (link)
		err = channel_add_locked(link, fd, id, extack);
	mutex_unlock(&list->lock);
	return err;
}

static int channel_find_locked(const struct migmux_link *link, u32 id, u32 *pos,
			       struct netlink_ext_ack *extack)
	__must_hold(&link->list->lock)
{
	u32 i;

	lockdep_assert_held(&link->list->lock);
	for (i = 0; i < link->nr_channels; i++) {
		if (link->channels[i]->id == id) {
			*pos = i;
			return 0;
		}
	}
	NL_SET_ERR_MSG_FMT(extack, "link '%s' has no channel %u", link->name, id);
	return -ENOENT;
}

/**
 * migmux_link_channel_del() - close a channel of an idle or dead link
 * @net: where
 * @name: the link
 * @id: the channel
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EINVAL (bad name), -ENOENT (no such link or channel), -EBUSY.
 */
int migmux_link_channel_del(struct net *net, const char *name, u32 id,
			    struct netlink_ext_ack *extack)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_channel *ch = NULL;
	struct migmux_link *link;
	int err = 0;
	u32 pos;

	mutex_lock(&list->lock);
	link = migmux_link_resolve_locked(list, name, &err, extack);
	if (!link)
		goto unlock;
	if (migmux_link_busy_locked(link, extack)) {
		err = -EBUSY;
		goto unlock;
	}
	err = channel_find_locked(link, id, &pos, extack);
	if (err)
		goto unlock;
	ch = link->channels[pos];
	link->nr_channels--;
	memmove(&link->channels[pos], &link->channels[pos + 1],
		(link->nr_channels - pos) * sizeof(link->channels[0]));
	migmux_link_notify_locked(link, false);
unlock:
	mutex_unlock(&list->lock);
	if (ch) {
		migmux_tls_bye(ch);
		migmux_channel_destroy(ch);
	}
	return err;
}

static void channel_info_fill(const struct migmux_link *link, u32 pos,
			      struct migmux_channel_info *info)
{
	struct migmux_channel *ch = link->channels[pos];

	memset(info, 0, sizeof(*info));
	strscpy(info->link, link->name, sizeof(info->link));
	info->id = ch->id;
	strscpy(info->local, ch->local, sizeof(info->local));
	strscpy(info->peer, ch->peer, sizeof(info->peer));
	info->method = ch->send->method;
	info->tls = ch->tls;
	info->sent = atomic64_read(&ch->sent);
	info->received = atomic64_read(&ch->received);
}

/**
 * migmux_link_channel_info_get() - copy what is shown of a channel
 * @net: where
 * @name: the link
 * @id: the channel
 * @info: the copy
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EINVAL (bad name) or -ENOENT.
 */
int migmux_link_channel_info_get(struct net *net, const char *name, u32 id,
				 struct migmux_channel_info *info,
				 struct netlink_ext_ack *extack)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;
	int err;
	u32 pos;

	mutex_lock(&list->lock);
	link = migmux_link_resolve_locked(list, name, &err, extack);
	if (link)
		err = channel_find_locked(link, id, &pos, extack);
	if (!err)
		channel_info_fill(link, pos, info);
	mutex_unlock(&list->lock);
	return err;
}

/* First channel of @link that a dump which is at @pos has not seen. */
static bool channel_next_locked(const struct migmux_link *link,
				struct migmux_link_pos *pos,
				struct migmux_channel_info *info)
	__must_hold(&link->list->lock)
{
	u32 id = link->serial == pos->serial ? pos->next_id : 0;
	u32 i;

	lockdep_assert_held(&link->list->lock);
	for (i = 0; i < link->nr_channels; i++) {
		if (link->channels[i]->id < id)
			continue;
		channel_info_fill(link, i, info);
		pos->serial = link->serial;
		pos->next_id = info->id + 1;
		return true;
	}
	return false;
}

/**
 * migmux_link_channel_info_next() - go to the next channel
 * @net: where
 * @name: only of this link, or NULL for all links
 * @pos: the previous one, all zero for the first; moves to the one that is found
 * @info: the copy
 *
 * Context: sleeps.
 * Return: 0, or -ENOENT behind the last.
 */
int migmux_link_channel_info_next(struct net *net, const char *name,
				  struct migmux_link_pos *pos,
				  struct migmux_channel_info *info)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;
	int err = -ENOENT;

	mutex_lock(&list->lock);
	list_for_each_entry(link, &list->head, node) {
		if (link->serial < pos->serial ||
		    (name && strcmp(link->name, name)))
			continue;
		if (channel_next_locked(link, pos, info)) {
			err = 0;
			break;
		}
	}
	mutex_unlock(&list->lock);
	return err;
}
