// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink operations on sets, and their events.
 */
#include <linux/mm.h>
#include <linux/sizes.h>

#include "hook.h"
#include "netlink.h"
#include "netlink_gen.h"
#include "set.h"

#define COUNTERS_SIZE (nla_total_size(0) + \
		       4 * nla_total_size(sizeof(u32)) + \
		       nla_total_size_64bit(sizeof(u64)))
#define MEMBER_SIZE (nla_total_size(0) + \
		     nla_total_size(VFIO_MIGMUX_HANDLE_MAX + 1) + \
		     3 * nla_total_size(0) + COUNTERS_SIZE)
#define SET_SIZE (nla_total_size(VFIO_MIGMUX_NAME_MAX + 1) + \
		  5 * nla_total_size(sizeof(u32)) + \
		  nla_total_size(sizeof(u8)) + \
		  2 * nla_total_size(0) + COUNTERS_SIZE)
#define EVENT_SIZE (nla_total_size(VFIO_MIGMUX_NAME_MAX + 1) + \
		    nla_total_size(VFIO_MIGMUX_HANDLE_MAX + 1) + \
		    5 * nla_total_size(sizeof(u32)) + \
		    2 * nla_total_size_64bit(sizeof(u64)))

static int counters_put(struct sk_buff *skb, int attr,
			const struct migmux_set_counters *c)
{
	struct nlattr *nest;

	nest = nla_nest_start(skb, attr);
	if (!nest ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_COUNTERS_EARLY_STARTS,
			c->early_starts) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_COUNTERS_CLAIMS, c->claims) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_COUNTERS_TAKE_BACKS, c->take_backs) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_COUNTERS_ERRORS, c->errors) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SET_COUNTERS_SAVED, c->saved_ns,
			      VFIO_MIGMUX_A_SET_COUNTERS_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int member_put(struct sk_buff *skb, const struct migmux_member_info *m)
{
	struct nlattr *nest;

	nest = nla_nest_start(skb, VFIO_MIGMUX_A_SET_MEMBER);
	if (!nest ||
	    nla_put_string(skb, VFIO_MIGMUX_A_SET_MEMBER_HANDLE, m->name) ||
	    (m->present && nla_put_flag(skb, VFIO_MIGMUX_A_SET_MEMBER_PRESENT)) ||
	    (m->driven && nla_put_flag(skb, VFIO_MIGMUX_A_SET_MEMBER_DRIVEN)) ||
	    (m->pending && nla_put_flag(skb, VFIO_MIGMUX_A_SET_MEMBER_PENDING)) ||
	    counters_put(skb, VFIO_MIGMUX_A_SET_MEMBER_COUNTERS, &m->counters))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static struct migmux_set_counters sum(const struct migmux_set_info *set)
{
	struct migmux_set_counters s = { };
	u32 i;

	for (i = 0; i < set->nr_members; i++) {
		const struct migmux_set_counters *c = &set->members[i].counters;

		s.early_starts += c->early_starts;
		s.claims += c->claims;
		s.take_backs += c->take_backs;
		s.errors += c->errors;
		s.saved_ns += c->saved_ns;
	}
	return s;
}

static int set_put(struct sk_buff *skb, const struct genl_info *info, int flags,
		   const struct migmux_set_info *set)
{
	const struct migmux_set_counters counters = sum(set);
	void *hdr;
	u32 i;

	hdr = __genlmsg_iput(skb, info, flags);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, VFIO_MIGMUX_A_SET_NAME, set->name) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_POLICY, set->config.policy) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_MAX_PARALLEL,
			set->config.max_parallel) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT,
			set->config.claim_timeout_ms) ||
	    nla_put_u8(skb, VFIO_MIGMUX_A_SET_ALLOW_NO_P2P,
		       set->config.allow_no_p2p) ||
	    (set->automatic && nla_put_flag(skb, VFIO_MIGMUX_A_SET_AUTO)) ||
	    (set->pid && nla_put_u32(skb, VFIO_MIGMUX_A_SET_PID, set->pid)) ||
	    (set->timeline &&
	     nla_put_u32(skb, VFIO_MIGMUX_A_SET_TIMELINE, set->timeline)) ||
	    counters_put(skb, VFIO_MIGMUX_A_SET_COUNTERS, &counters) ||
	    (set->gone && nla_put_flag(skb, VFIO_MIGMUX_A_SET_GONE)))
		goto cancel;
	for (i = 0; i < set->nr_members; i++)
		if (member_put(skb, &set->members[i]))
			goto cancel;
	genlmsg_end(skb, hdr);
	return 0;

cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

/* The name of the set that a request is about, or NULL with @err. */
static const char *name_of(struct genl_info *info, int *err)
{
	const char *name;

	*err = migmux_netlink_host(info) ?:
	       migmux_netlink_require(info, VFIO_MIGMUX_A_SET_NAME, "name");
	if (*err)
		return NULL;
	name = nla_data(info->attrs[VFIO_MIGMUX_A_SET_NAME]);
	if (migmux_netlink_name_is_good("set", name, info->extack))
		return name;
	NL_SET_BAD_ATTR(info->extack, info->attrs[VFIO_MIGMUX_A_SET_NAME]);
	*err = -EINVAL;
	return NULL;
}

static struct migmux_set *find(struct genl_info *info, const char *name)
	__must_hold(&migmux_set_lock)
{
	struct migmux_set *set = migmux_set_find(name);

	if (!set)
		NL_SET_ERR_MSG_ATTR_FMT(info->extack,
					info->attrs[VFIO_MIGMUX_A_SET_NAME],
					"no set '%.31s': set-get lists them", name);
	return set;
}

/* Takes what the request says of it, and leaves the rest. */
static void get_config(const struct genl_info *info, struct migmux_set_config *config)
{
	struct nlattr **attrs = info->attrs;

	if (attrs[VFIO_MIGMUX_A_SET_POLICY])
		config->policy = nla_get_u32(attrs[VFIO_MIGMUX_A_SET_POLICY]);
	if (attrs[VFIO_MIGMUX_A_SET_MAX_PARALLEL])
		config->max_parallel =
			nla_get_u32(attrs[VFIO_MIGMUX_A_SET_MAX_PARALLEL]);
	if (attrs[VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT])
		config->claim_timeout_ms =
			nla_get_u32(attrs[VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT]);
	if (attrs[VFIO_MIGMUX_A_SET_ALLOW_NO_P2P])
		config->allow_no_p2p =
			nla_get_u8(attrs[VFIO_MIGMUX_A_SET_ALLOW_NO_P2P]);
}

/* The policy of an attribute that can come several times does not want a NUL. */
static const char *handle_of(const struct nlattr *attr, char *buf)
{
	nla_strscpy(buf, attr, VFIO_MIGMUX_HANDLE_MAX + 1);
	return buf;
}

/*
 * Devices that shall become members leave their automatic sets: those are only for
 * devices that no operator cares for.
 */
static void free_handles(struct genl_info *info)
{
	char buf[VFIO_MIGMUX_HANDLE_MAX + 1];
	struct migmux_member *m;
	struct migmux_hook *hook;
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr_type(attr, VFIO_MIGMUX_A_SET_ADD, info->nlhdr, GENL_HDRLEN,
				 rem) {
		hook = migmux_hook_get_by_name(handle_of(attr, buf));
		if (!hook)
			continue;
		m = migmux_hook_member(hook);
		if (m) {
			migmux_auto_leave(m);
			migmux_member_put(m);
		}
		migmux_hook_put(hook);
	}
}

/*
 * Take a member out of a set that the caller holds a reference to. The lock is dropped
 * while drivers are waited for: afterwards the set may be dying.
 */
static void drop_member(struct migmux_set *set, const char *name)
	__must_hold(&migmux_set_lock)
{
	struct migmux_member *m = migmux_member_find(set, name);

	if (!m)
		return;
	migmux_member_get(m);
	migmux_member_leave(m);
	migmux_member_drop(m);
	migmux_member_put(m);
}

/* Undo the first @n additions of a request. */
static void undo_add(struct genl_info *info, struct migmux_set *set, u32 n)
	__must_hold(&migmux_set_lock)
{
	char buf[VFIO_MIGMUX_HANDLE_MAX + 1];
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr_type(attr, VFIO_MIGMUX_A_SET_ADD, info->nlhdr, GENL_HDRLEN,
				 rem) {
		if (!n--)
			return;
		drop_member(set, handle_of(attr, buf));
	}
}

/* @added gets how many have become members, also when one was refused. */
static int add_members(struct genl_info *info, struct migmux_set *set, u32 *added)
	__must_hold(&migmux_set_lock)
{
	char buf[VFIO_MIGMUX_HANDLE_MAX + 1];
	struct nlattr *attr;
	int rem, err;

	*added = 0;
	nlmsg_for_each_attr_type(attr, VFIO_MIGMUX_A_SET_ADD, info->nlhdr, GENL_HDRLEN,
				 rem) {
		err = migmux_member_add(set, handle_of(attr, buf), info->extack);
		if (err)
			return err;
		++*added;
	}
	return 0;
}

int vfio_migmux_nl_set_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_set_config config = {
		.policy = MIGMUX_SET_DEFAULT_POLICY,
		.claim_timeout_ms = MIGMUX_SET_DEFAULT_TIMEOUT_MS,
	};
	struct migmux_set *set;
	const char *name;
	u32 added;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	get_config(info, &config);
	free_handles(info);
	mutex_lock(&migmux_set_lock);
	if (migmux_set_find(name)) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack,
					info->attrs[VFIO_MIGMUX_A_SET_NAME],
					"there is a set '%.31s' already: set-set changes it",
					name);
		err = -EEXIST;
		goto out;
	}
	set = migmux_set_create(name, NULL, &config);
	if (!set) {
		err = -ENOMEM;
		goto out;
	}
	err = add_members(info, set, &added);
	/* all at once, and unlisted first: nobody else may delete it, too */
	if (err)
		migmux_set_delete(set);
	else
		migmux_netlink_set_ntf(set, false);
out:
	mutex_unlock(&migmux_set_lock);
	return err;
}

/* All that leave must be members. */
static int check_removals(struct genl_info *info, struct migmux_set *set)
	__must_hold(&migmux_set_lock)
{
	char buf[VFIO_MIGMUX_HANDLE_MAX + 1];
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr_type(attr, VFIO_MIGMUX_A_SET_REMOVE, info->nlhdr, GENL_HDRLEN,
				 rem) {
		if (migmux_member_find(set, handle_of(attr, buf)))
			continue;
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr, "'%.41s' is no member",
					buf);
		return -ENOENT;
	}
	return 0;
}

/* Another request may delete the set meanwhile: then there is nobody left to find. */
static void remove_members(struct genl_info *info, struct migmux_set *set)
	__must_hold(&migmux_set_lock)
{
	char buf[VFIO_MIGMUX_HANDLE_MAX + 1];
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr_type(attr, VFIO_MIGMUX_A_SET_REMOVE, info->nlhdr, GENL_HDRLEN,
				 rem)
		drop_member(set, handle_of(attr, buf));
}

int vfio_migmux_nl_set_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_set_config config, old;
	struct migmux_set *set;
	const char *name;
	u32 added = 0;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	free_handles(info);
	mutex_lock(&migmux_set_lock);
	set = find(info, name);
	if (!set) {
		err = -ENOENT;
		goto out;
	}
	kref_get(&set->ref);
	err = check_removals(info, set);
	if (err)
		goto out_put;
	old = set->config;
	config = old;
	get_config(info, &config);
	migmux_set_configure(set, &config);
	err = migmux_member_check_p2p(set, NULL, info->extack) ?:
	      add_members(info, set, &added);
	if (err) {
		/* before the lock is dropped: a dying set's tick must not be queued again */
		migmux_set_configure(set, &old);
		undo_add(info, set, added);
		goto out_put;
	}
	remove_members(info, set);
	if (!set->dying)
		migmux_netlink_set_ntf(set, false);
out_put:
	migmux_set_put(set);
out:
	mutex_unlock(&migmux_set_lock);
	return err;
}

int vfio_migmux_nl_set_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_set *set;
	const char *name;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	mutex_lock(&migmux_set_lock);
	set = find(info, name);
	if (set) {
		migmux_netlink_set_ntf(set, true);
		migmux_set_delete(set);
	}
	mutex_unlock(&migmux_set_lock);
	return set ? 0 : -ENOENT;
}

int vfio_migmux_nl_set_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_set_info *set = NULL;
	struct migmux_set *found;
	struct sk_buff *reply;
	const char *name;
	int err;

	name = name_of(info, &err);
	if (!name)
		return err;
	mutex_lock(&migmux_set_lock);
	found = find(info, name);
	if (found)
		set = migmux_set_info(found);
	mutex_unlock(&migmux_set_lock);
	if (!set)
		return found ? -ENOMEM : -ENOENT;
	reply = genlmsg_new(SET_SIZE + set->nr_members * MEMBER_SIZE, GFP_KERNEL);
	err = reply ? set_put(reply, info, 0, set) : -ENOMEM;
	kvfree(set);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vfio_migmux_nl_set_get_start(struct netlink_callback *cb)
{
	/* the longest set is one message */
	BUILD_BUG_ON(SET_SIZE + MIGMUX_MAX_DEVICES * MEMBER_SIZE > SZ_16K);
	cb->min_dump_alloc = SZ_16K;
	return 0;
}

int vfio_migmux_nl_set_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	unsigned long serial = cb->args[0];
	struct migmux_set_info *set;
	int err;

	err = migmux_netlink_host(info);
	if (err)
		return err;
	mutex_lock(&migmux_set_lock);
	while (!(err = migmux_set_info_next(&serial, &set))) {
		err = set_put(skb, info, NLM_F_MULTI, set);
		kvfree(set);
		if (err)
			break;
		cb->args[0] = serial;
	}
	mutex_unlock(&migmux_set_lock);
	return err == -ENOENT ? 0 : err;
}

int vfio_migmux_nl_set_auto_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct migmux_set_config config;
	bool enabled;
	int err;

	err = migmux_netlink_host(info);
	if (err)
		return err;
	enabled = migmux_auto_get(&config);
	if (attrs[VFIO_MIGMUX_A_SET_AUTO_ENABLED])
		enabled = nla_get_u8(attrs[VFIO_MIGMUX_A_SET_AUTO_ENABLED]);
	if (attrs[VFIO_MIGMUX_A_SET_AUTO_POLICY])
		config.policy = nla_get_u32(attrs[VFIO_MIGMUX_A_SET_AUTO_POLICY]);
	if (attrs[VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL])
		config.max_parallel =
			nla_get_u32(attrs[VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL]);
	if (attrs[VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT])
		config.claim_timeout_ms =
			nla_get_u32(attrs[VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT]);
	if (attrs[VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P])
		config.allow_no_p2p =
			nla_get_u8(attrs[VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P]);
	migmux_auto_set(enabled, &config);
	return 0;
}

int vfio_migmux_nl_set_auto_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_set_config config;
	struct sk_buff *reply;
	bool enabled;
	void *hdr;
	int err;

	err = migmux_netlink_host(info);
	if (err)
		return err;
	enabled = migmux_auto_get(&config);
	reply = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	hdr = genlmsg_iput(reply, info);
	if (!hdr ||
	    nla_put_u8(reply, VFIO_MIGMUX_A_SET_AUTO_ENABLED, enabled) ||
	    nla_put_u32(reply, VFIO_MIGMUX_A_SET_AUTO_POLICY, config.policy) ||
	    nla_put_u32(reply, VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL,
			config.max_parallel) ||
	    nla_put_u32(reply, VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT,
			config.claim_timeout_ms) ||
	    nla_put_u8(reply, VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P,
		       config.allow_no_p2p)) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	genlmsg_end(reply, hdr);
	return genlmsg_reply(reply, info);
}

/**
 * migmux_netlink_set_ntf() - tell that a set was made, changed or is going
 * @set: the set
 * @gone: it is going
 *
 * Context: migmux_set_lock is held; sleeps.
 */
void migmux_netlink_set_ntf(struct migmux_set *set, bool gone)
{
	struct migmux_set_info *set_info;
	struct genl_info info;
	struct sk_buff *msg;

	if (!migmux_netlink_listens(&init_net))
		return;
	set_info = migmux_set_info(set);
	if (!set_info) {
		migmux_netlink_ntf_lost(&init_net);
		return;
	}
	set_info->gone = gone;
	msg = migmux_netlink_ntf_new(&init_net, VFIO_MIGMUX_CMD_SET_NTF,
				     SET_SIZE + set_info->nr_members * MEMBER_SIZE,
				     &info);
	if (msg)
		migmux_netlink_ntf_send(&init_net, msg,
					set_put(msg, &info, 0, set_info));
	kvfree(set_info);
}

/**
 * migmux_netlink_set_event() - tell what a member of a set does
 * @ev: the event
 * @timeline: id of the report of the set's switchover, or 0
 *
 * Context: sleeps.
 */
void migmux_netlink_set_event(const struct migmux_set_event *ev, u32 timeline)
{
	struct genl_info info;
	struct sk_buff *msg;
	void *hdr;
	int err = 0;

	msg = migmux_netlink_ntf_new(&init_net, VFIO_MIGMUX_CMD_SET_EVENT, EVENT_SIZE,
				     &info);
	if (!msg)
		return;
	hdr = genlmsg_iput(msg, &info);
	if (!hdr ||
	    nla_put_string(msg, VFIO_MIGMUX_A_SET_EVENT_SET, ev->set) ||
	    nla_put_string(msg, VFIO_MIGMUX_A_SET_EVENT_DEVICE, ev->device) ||
	    nla_put_u32(msg, VFIO_MIGMUX_A_SET_EVENT_TYPE, ev->type) ||
	    nla_put_u32(msg, VFIO_MIGMUX_A_SET_EVENT_FROM, ev->from) ||
	    nla_put_u32(msg, VFIO_MIGMUX_A_SET_EVENT_TO, ev->to) ||
	    (ev->error && nla_put_u32(msg, VFIO_MIGMUX_A_SET_EVENT_ERROR, ev->error)) ||
	    (ev->type == VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM &&
	     nla_put_u64_64bit(msg, VFIO_MIGMUX_A_SET_EVENT_SAVED, ev->saved_ns,
			       VFIO_MIGMUX_A_SET_EVENT_PAD)) ||
	    (timeline && nla_put_u32(msg, VFIO_MIGMUX_A_SET_EVENT_TIMELINE, timeline)) ||
	    nla_put_u64_64bit(msg, VFIO_MIGMUX_A_SET_EVENT_AT, ev->at_ns,
			      VFIO_MIGMUX_A_SET_EVENT_PAD))
		err = -EMSGSIZE;
	else
		genlmsg_end(msg, hdr);
	migmux_netlink_ntf_send(&init_net, msg, err);
}
