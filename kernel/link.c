// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: made over netlink, used by sessions.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "channel.h"
#include "link.h"
#include "net.h"
#include "netlink.h"

static void release(struct kref *ref)
{
	struct migmux_link *link = container_of(ref, struct migmux_link, ref);
	u32 i;

	for (i = 0; i < link->nr_channels; i++) {
		migmux_tls_bye(link->channels[i]);
		migmux_channel_destroy(link->channels[i]);
	}
	kfree(link);
}

static struct migmux_link *find_locked(struct migmux_link_list *list,
				       const char *name)
	__must_hold(&list->lock)
{
	struct migmux_link *link;

	lockdep_assert_held(&list->lock);
	list_for_each_entry(link, &list->head, node)
		if (!strcmp(link->name, name))
			return link;
	return NULL;
}

/**
 * migmux_link_resolve_locked() - find the link that a user named
 * @list: where; locked
 * @name: its name
 * @err: gets the error, and is left alone without one
 * @extack: gets the reason of a refusal
 *
 * Return: the link, valid under the lock, or NULL with @err: -EINVAL (bad name) or
 * -ENOENT.
 */
struct migmux_link *migmux_link_resolve_locked(struct migmux_link_list *list,
					       const char *name, int *err,
					       struct netlink_ext_ack *extack)
	__must_hold(&list->lock)
{
	struct migmux_link *link;

	if (!migmux_netlink_name_is_good("link", name, extack)) {
		*err = -EINVAL;
		return NULL;
	}
	link = find_locked(list, name);
	if (!link) {
		NL_SET_ERR_MSG_FMT(extack,
				   "no link '%s' in this network namespace",
				   name);
		*err = -ENOENT;
	}
	return link;
}

/**
 * migmux_link_busy_locked() - does a session use the link?
 * @link: the link; its list is locked
 * @extack: told so if it does
 *
 * Return: whether it does.
 */
bool migmux_link_busy_locked(const struct migmux_link *link,
			     struct netlink_ext_ack *extack)
	__must_hold(&link->list->lock)
{
	lockdep_assert_held(&link->list->lock);
	if (link->state != VFIO_MIGMUX_LINK_STATE_BUSY)
		return false;
	NL_SET_ERR_MSG_FMT(extack, "link '%s' is in use: end session %u first",
			   link->name, link->session);
	return true;
}

static void info_fill(const struct migmux_link *link, struct migmux_link_info *info)
{
	memset(info, 0, sizeof(*info));
	strscpy(info->name, link->name, sizeof(info->name));
	strscpy(info->error, link->error, sizeof(info->error));
	info->state = link->state;
	info->session = link->session;
	info->nr_channels = link->nr_channels;
	info->tls = link->tls;
}

/**
 * migmux_link_notify_locked() - tell who monitors that a link changed
 * @link: the link
 * @gone: it was deleted
 *
 * Context: the list's lock is held, so that notifications come in the order of
 * events. Sleeps.
 */
void migmux_link_notify_locked(const struct migmux_link *link, bool gone)
	__must_hold(&link->list->lock)
{
	struct migmux_link_info info;

	lockdep_assert_held(&link->list->lock);
	info_fill(link, &info);
	info.gone = gone;
	migmux_netlink_link_ntf(link->net, &info);
}

/* The caller puts the list's reference once it has dropped the lock. */
static void unlist_locked(struct migmux_link *link)
	__must_hold(&link->list->lock)
{
	migmux_link_notify_locked(link, true);
	list_del_init(&link->node);
	link->list->nr--;
}

/**
 * migmux_link_new() - make an empty link
 * @net: where
 * @name: its name; a dead link of that name is replaced
 * @tls: it is to take channels over kernel TLS only
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EINVAL (bad name), -EEXIST, -ENOSPC (too many links), -ENOMEM.
 */
int migmux_link_new(struct net *net, const char *name, bool tls,
		    struct netlink_ext_ack *extack)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link, *old;
	int err;

	if (!migmux_netlink_name_is_good("link", name, extack))
		return -EINVAL;

	link = kzalloc(sizeof(*link), GFP_KERNEL);
	if (!link)
		return -ENOMEM;
	kref_init(&link->ref);
	link->list = list;
	link->net = net;
	link->tls = tls;
	strscpy(link->name, name, sizeof(link->name));
	link->state = VFIO_MIGMUX_LINK_STATE_IDLE;

	mutex_lock(&list->lock);
	old = find_locked(list, name);
	if (old && old->state != VFIO_MIGMUX_LINK_STATE_DEAD) {
		NL_SET_ERR_MSG_FMT(extack,
				   "link '%s' exists: delete it or take another name",
				   name);
		err = -EEXIST;
		goto err_unlock;
	}
	if (!old && list->nr == MIGMUX_MAX_LINKS) {
		NL_SET_ERR_MSG_FMT(extack,
				   "%u links exist already: delete one first",
				   list->nr);
		err = -ENOSPC;
		goto err_unlock;
	}
	if (old)
		unlist_locked(old);
	link->serial = ++list->last_serial;
	list_add_tail(&link->node, &list->head);
	list->nr++;
	migmux_link_notify_locked(link, false);
	mutex_unlock(&list->lock);

	if (old)
		kref_put(&old->ref, release);
	return 0;

err_unlock:
	mutex_unlock(&list->lock);
	kfree(link);
	return err;
}

/**
 * migmux_link_del() - close a link's channels and forget it
 * @net: where
 * @name: its name
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EINVAL (bad name), -ENOENT, -EBUSY (a session uses it).
 */
int migmux_link_del(struct net *net, const char *name,
		    struct netlink_ext_ack *extack)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;
	int err = 0;

	mutex_lock(&list->lock);
	link = migmux_link_resolve_locked(list, name, &err, extack);
	if (link && migmux_link_busy_locked(link, extack))
		err = -EBUSY;
	if (!err)
		unlist_locked(link);
	mutex_unlock(&list->lock);

	if (!err)
		kref_put(&link->ref, release);
	return err;
}

/**
 * migmux_link_info_get() - copy what is shown of a link
 * @net: where
 * @name: the link
 * @info: the copy
 * @extack: gets the reason of a refusal
 *
 * Context: sleeps.
 * Return: 0, -EINVAL (bad name) or -ENOENT.
 */
int migmux_link_info_get(struct net *net, const char *name,
			 struct migmux_link_info *info,
			 struct netlink_ext_ack *extack)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;
	int err = 0;

	mutex_lock(&list->lock);
	link = migmux_link_resolve_locked(list, name, &err, extack);
	if (link)
		info_fill(link, info);
	mutex_unlock(&list->lock);
	return err;
}

/**
 * migmux_link_info_next() - go to the next link
 * @net: where
 * @pos: the previous one, all zero for the first; moves to the one that is found
 * @info: the copy
 *
 * Sees each link that exists all the time exactly once.
 *
 * Context: sleeps.
 * Return: 0, or -ENOENT behind the last.
 */
int migmux_link_info_next(struct net *net, struct migmux_link_pos *pos,
			  struct migmux_link_info *info)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;
	int err = -ENOENT;

	mutex_lock(&list->lock);
	list_for_each_entry(link, &list->head, node) {
		if (link->serial <= pos->serial)
			continue;
		info_fill(link, info);
		pos->serial = link->serial;
		err = 0;
		break;
	}
	mutex_unlock(&list->lock);
	return err;
}

/**
 * migmux_link_attach() - lend a link to a session
 * @net: where; the session holds it
 * @name: the link
 * @session: id of the session
 * @err: gets the error
 *
 * The link is busy and its channels are the session's until
 * migmux_link_detach().
 *
 * Context: sleeps.
 * Return: the link, or NULL with @err: -ENOENT, -EBUSY, -ENOTCONN (it is dead), -EINVAL
 * (it has no channels).
 */
struct migmux_link *migmux_link_attach(struct net *net, const char *name,
				       u32 session, int *err)
{
	struct migmux_link_list *list = &migmux_net(net)->links;
	struct migmux_link *link;

	mutex_lock(&list->lock);
	link = find_locked(list, name);
	if (!link)
		*err = -ENOENT;
	else if (link->state == VFIO_MIGMUX_LINK_STATE_BUSY)
		*err = -EBUSY;
	else if (link->state == VFIO_MIGMUX_LINK_STATE_DEAD)
		*err = -ENOTCONN;
	else if (!link->nr_channels)
		*err = -EINVAL;
	else
		*err = 0;
	if (*err) {
		link = NULL;
		goto unlock;
	}

	kref_get(&link->ref);
	link->state = VFIO_MIGMUX_LINK_STATE_BUSY;
	link->session = session;
	migmux_link_notify_locked(link, false);
unlock:
	mutex_unlock(&list->lock);
	return link;
}

/**
 * migmux_link_detach() - give a link back
 * @link: the link
 * @error: why it is dead, or NULL if it can be used again
 *
 * No mover of the session touches the channels any more, and the session has
 * cleared all that points to it from them. Drops the session's reference.
 *
 * Context: sleeps.
 */
void migmux_link_detach(struct migmux_link *link, const char *error)
{
	struct migmux_link_list *list = link->list;

	mutex_lock(&list->lock);
	link->session = 0;
	link->state = VFIO_MIGMUX_LINK_STATE_IDLE;
	if (error) {
		link->state = VFIO_MIGMUX_LINK_STATE_DEAD;
		strscpy(link->error, error, sizeof(link->error));
	}
	migmux_link_notify_locked(link, false);
	mutex_unlock(&list->lock);
	kref_put(&link->ref, release);
}

/**
 * migmux_link_list_init() - a network namespace begins
 * @list: its links
 */
void migmux_link_list_init(struct migmux_link_list *list)
{
	mutex_init(&list->lock);
	INIT_LIST_HEAD(&list->head);
	list->last_serial = 0;
	list->nr = 0;
}

/**
 * migmux_link_list_exit() - a network namespace ends
 * @list: its links; no session has one. Notifies nobody: nobody can listen
 *
 * Context: sleeps.
 */
void migmux_link_list_exit(struct migmux_link_list *list)
{
	struct migmux_link *link, *next;

	list_for_each_entry_safe(link, next, &list->head, node) {
		WARN_ON_ONCE(link->state == VFIO_MIGMUX_LINK_STATE_BUSY);
		list_del_init(&link->node);
		kref_put(&link->ref, release);
	}
}
