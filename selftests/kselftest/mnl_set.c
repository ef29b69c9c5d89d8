// SPDX-License-Identifier: GPL-2.0-only
/* Sets over netlink; see mnl_set.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/genetlink.h>

#include "mnl_set.h"

static void get_text(const struct nlattr *attr, char *text, size_t size)
{
	if (attr)
		snprintf(text, size, "%s", mnl_attr_get_str(attr));
}

static __u32 get_u32(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u32(attr) : 0;
}

static __u64 get_u64(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u64(attr) : 0;
}

/* --- requests -------------------------------------------------------------------- */

struct nlmsghdr *nl_set_begin(struct nl *nl, __u8 cmd, const char *name)
{
	struct nlmsghdr *nlh = nl_begin(nl, cmd, NLM_F_ACK);

	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_SET_NAME, name);
	return nlh;
}

void nl_set_put_devices(struct nlmsghdr *nlh, __u16 attr, int n, const char *const *handles)
{
	int i;

	for (i = 0; i < n; i++)
		mnl_attr_put_strz(nlh, attr, handles[i]);
}

int nl_set_new(struct nl *nl, const char *name, __u32 policy, int n,
	       const char *const *handles)
{
	struct nlmsghdr *nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_NEW, name);

	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_POLICY, policy);
	nl_set_put_devices(nlh, VFIO_MIGMUX_A_SET_ADD, n, handles);
	return nl_call(nl, NULL, NULL);
}

int nl_set_u32(struct nl *nl, const char *name, __u16 attr, __u32 value)
{
	struct nlmsghdr *nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_SET, name);

	mnl_attr_put_u32(nlh, attr, value);
	return nl_call(nl, NULL, NULL);
}

int nl_set_change(struct nl *nl, const char *name, __u16 add_or_remove, const char *handle)
{
	struct nlmsghdr *nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_SET, name);

	mnl_attr_put_strz(nlh, add_or_remove, handle);
	return nl_call(nl, NULL, NULL);
}

int nl_set_del(struct nl *nl, const char *name)
{
	nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_DEL, name);
	return nl_call(nl, NULL, NULL);
}

/* --- replies --------------------------------------------------------------------- */

static bool counters_get(const struct nlattr *nest, struct nl_counters *counters)
{
	const struct nlattr *attrs[NL_MAX_ATTR];
	int i;

	if (!nest)
		return false;
	nl_parse_nested(nest, attrs);
	counters->early_starts = get_u32(attrs[VFIO_MIGMUX_A_SET_COUNTERS_EARLY_STARTS]);
	counters->claims = get_u32(attrs[VFIO_MIGMUX_A_SET_COUNTERS_CLAIMS]);
	counters->take_backs = get_u32(attrs[VFIO_MIGMUX_A_SET_COUNTERS_TAKE_BACKS]);
	counters->errors = get_u32(attrs[VFIO_MIGMUX_A_SET_COUNTERS_ERRORS]);
	counters->saved = get_u64(attrs[VFIO_MIGMUX_A_SET_COUNTERS_SAVED]);
	for (i = VFIO_MIGMUX_A_SET_COUNTERS_EARLY_STARTS;
	     i <= VFIO_MIGMUX_A_SET_COUNTERS_SAVED; i++)
		if (!attrs[i])
			return false;
	return true;
}

static bool member_get(const struct nlattr *nest, struct nl_set_member *member)
{
	const struct nlattr *attrs[NL_MAX_ATTR];

	nl_parse_nested(nest, attrs);
	get_text(attrs[VFIO_MIGMUX_A_SET_MEMBER_HANDLE], member->handle,
		 sizeof(member->handle));
	member->present = attrs[VFIO_MIGMUX_A_SET_MEMBER_PRESENT];
	member->driven = attrs[VFIO_MIGMUX_A_SET_MEMBER_DRIVEN];
	member->pending = attrs[VFIO_MIGMUX_A_SET_MEMBER_PENDING];
	return counters_get(attrs[VFIO_MIGMUX_A_SET_MEMBER_COUNTERS], &member->counters) &&
	       attrs[VFIO_MIGMUX_A_SET_MEMBER_HANDLE];
}

static void members_get(struct nl_set *set)
{
	const struct nlattr *pos;

	mnl_attr_for_each(pos, set->nl->message, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(pos) == VFIO_MIGMUX_A_SET_MEMBER &&
		    set->members < NL_SET_MEMBERS)
			set->complete &= member_get(pos, &set->member[set->members++]);
}

/**
 * nl_set_seen() - take what a message says of a set
 * @data: a struct nl_set with its socket
 * @cmd: unused
 * @attrs: of the message
 */
void nl_set_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	static const __u16 always[] = {
		VFIO_MIGMUX_A_SET_NAME, VFIO_MIGMUX_A_SET_POLICY,
		VFIO_MIGMUX_A_SET_MAX_PARALLEL, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT,
		VFIO_MIGMUX_A_SET_ALLOW_NO_P2P, VFIO_MIGMUX_A_SET_COUNTERS, 0
	};
	struct nl_set *set = data;
	int i;

	(void)cmd;
	*set = (struct nl_set){ .nl = set->nl, .count = set->count + 1, .complete = true };
	for (i = 0; always[i]; i++)
		set->complete &= !!attrs[always[i]];
	get_text(attrs[VFIO_MIGMUX_A_SET_NAME], set->name, sizeof(set->name));
	set->policy = get_u32(attrs[VFIO_MIGMUX_A_SET_POLICY]);
	set->max_parallel = get_u32(attrs[VFIO_MIGMUX_A_SET_MAX_PARALLEL]);
	set->claim_timeout = get_u32(attrs[VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT]);
	if (attrs[VFIO_MIGMUX_A_SET_ALLOW_NO_P2P])
		set->allow_no_p2p = mnl_attr_get_u8(attrs[VFIO_MIGMUX_A_SET_ALLOW_NO_P2P]);
	set->automatic = attrs[VFIO_MIGMUX_A_SET_AUTO];
	set->pid = get_u32(attrs[VFIO_MIGMUX_A_SET_PID]);
	set->timeline = get_u32(attrs[VFIO_MIGMUX_A_SET_TIMELINE]);
	set->gone = attrs[VFIO_MIGMUX_A_SET_GONE];
	set->complete &= counters_get(attrs[VFIO_MIGMUX_A_SET_COUNTERS], &set->counters);
	members_get(set);
}

int nl_set_get(struct nl *nl, const char *name, struct nl_set *set)
{
	*set = (struct nl_set){ .nl = nl };
	nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_GET, name);
	return nl_call(nl, nl_set_seen, set);
}

int nl_set_dump(struct nl *nl, struct nl_set *set)
{
	*set = (struct nl_set){ .nl = nl };
	nl_begin(nl, VFIO_MIGMUX_CMD_SET_GET, NLM_F_DUMP);
	return nl_call(nl, nl_set_seen, set);
}

const struct nl_set_member *nl_set_member(const struct nl_set *set, const char *handle)
{
	unsigned int i;

	for (i = 0; i < set->members; i++)
		if (!strcmp(set->member[i].handle, handle))
			return &set->member[i];
	return NULL;
}

/* --- automatic sets -------------------------------------------------------------- */

int nl_auto_set(struct nl *nl, bool enabled, const __u32 *policy)
{
	struct nlmsghdr *nlh = nl_begin(nl, VFIO_MIGMUX_CMD_SET_AUTO_SET, NLM_F_ACK);

	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_AUTO_ENABLED, enabled);
	if (policy)
		mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_AUTO_POLICY, *policy);
	return nl_call(nl, NULL, NULL);
}

static void auto_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct nl_auto *conf = data;
	int i;

	(void)cmd;
	conf->complete = true;
	for (i = VFIO_MIGMUX_A_SET_AUTO_ENABLED; i <= VFIO_MIGMUX_A_SET_AUTO_MAX; i++)
		conf->complete &= !!attrs[i];
	if (!conf->complete)
		return;
	conf->enabled = mnl_attr_get_u8(attrs[VFIO_MIGMUX_A_SET_AUTO_ENABLED]);
	conf->policy = get_u32(attrs[VFIO_MIGMUX_A_SET_AUTO_POLICY]);
	conf->max_parallel = get_u32(attrs[VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL]);
	conf->claim_timeout = get_u32(attrs[VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT]);
	conf->allow_no_p2p = mnl_attr_get_u8(attrs[VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P]);
}

int nl_auto_get(struct nl *nl, struct nl_auto *conf)
{
	memset(conf, 0, sizeof(*conf));
	nl_begin(nl, VFIO_MIGMUX_CMD_SET_AUTO_GET, NLM_F_ACK);
	return nl_call(nl, auto_seen, conf);
}

/* --- events, devices ------------------------------------------------------------- */

/**
 * nl_set_event_seen() - take a message of the multicast group
 * @data: a struct nl_set_event
 * @cmd: of the message
 * @attrs: of the message
 */
void nl_set_event_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct nl_set_event *event = data;

	*event = (struct nl_set_event){ .cmd = cmd };
	if (cmd != VFIO_MIGMUX_CMD_SET_EVENT)
		return;
	get_text(attrs[VFIO_MIGMUX_A_SET_EVENT_SET], event->set, sizeof(event->set));
	get_text(attrs[VFIO_MIGMUX_A_SET_EVENT_DEVICE], event->device,
		 sizeof(event->device));
	event->type = get_u32(attrs[VFIO_MIGMUX_A_SET_EVENT_TYPE]);
	event->from = get_u32(attrs[VFIO_MIGMUX_A_SET_EVENT_FROM]);
	event->to = get_u32(attrs[VFIO_MIGMUX_A_SET_EVENT_TO]);
	event->error = get_u32(attrs[VFIO_MIGMUX_A_SET_EVENT_ERROR]);
	event->saved = get_u64(attrs[VFIO_MIGMUX_A_SET_EVENT_SAVED]);
	event->timeline = get_u32(attrs[VFIO_MIGMUX_A_SET_EVENT_TIMELINE]);
	event->at = get_u64(attrs[VFIO_MIGMUX_A_SET_EVENT_AT]);
}

struct device_set {
	char *name;
	size_t size;
};

static void device_set_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct device_set *found = data;

	(void)cmd;
	get_text(attrs[VFIO_MIGMUX_A_DEVICE_SET], found->name, found->size);
}

int nl_device_set(struct nl *nl, const char *handle, char *name, size_t size)
{
	struct device_set found = { .name = name, .size = size };
	struct nlmsghdr *nlh = nl_begin(nl, VFIO_MIGMUX_CMD_DEVICE_GET, NLM_F_ACK);

	*name = '\0';
	mnl_attr_put_strz(nlh, VFIO_MIGMUX_A_DEVICE_HANDLE, handle);
	return nl_call(nl, device_set_seen, &found);
}
