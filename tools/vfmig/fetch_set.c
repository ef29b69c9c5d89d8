// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink messages about sets to the model.
 */
#include <string.h>

#include "attr.h"
#include "fetch.h"

static void fetch_counters(struct nlattr *nest, struct set_counters *c)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SET_COUNTERS_MAX + 1];

	if (!nest || nla_parse_nested(tb, VFIO_MIGMUX_A_SET_COUNTERS_MAX, nest, NULL))
		return;
	c->early_starts = attr_u32(tb, VFIO_MIGMUX_A_SET_COUNTERS_EARLY_STARTS);
	c->claims = attr_u32(tb, VFIO_MIGMUX_A_SET_COUNTERS_CLAIMS);
	c->take_backs = attr_u32(tb, VFIO_MIGMUX_A_SET_COUNTERS_TAKE_BACKS);
	c->errors = attr_u32(tb, VFIO_MIGMUX_A_SET_COUNTERS_ERRORS);
	c->saved_ns = attr_u64(tb, VFIO_MIGMUX_A_SET_COUNTERS_SAVED);
}

static void fetch_member(struct nlattr *nest, struct set_member *m)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SET_MEMBER_MAX + 1];

	if (nla_parse_nested(tb, VFIO_MIGMUX_A_SET_MEMBER_MAX, nest, NULL))
		return;
	attr_string(tb, VFIO_MIGMUX_A_SET_MEMBER_HANDLE, m->handle, sizeof(m->handle));
	m->present = tb[VFIO_MIGMUX_A_SET_MEMBER_PRESENT];
	m->driven = tb[VFIO_MIGMUX_A_SET_MEMBER_DRIVEN];
	m->pending = tb[VFIO_MIGMUX_A_SET_MEMBER_PENDING];
	fetch_counters(tb[VFIO_MIGMUX_A_SET_MEMBER_COUNTERS], &m->counters);
}

static void fetch_config(struct nlattr **tb, struct set_config *config)
{
	config->policy = attr_u32(tb, VFIO_MIGMUX_A_SET_POLICY);
	config->max_parallel = attr_u32(tb, VFIO_MIGMUX_A_SET_MAX_PARALLEL);
	config->claim_timeout_ms = attr_u32(tb, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT);
	config->allow_no_p2p = attr_bool(tb, VFIO_MIGMUX_A_SET_ALLOW_NO_P2P);
}

/**
 * fetch_set() - a set's attributes to the model
 * @attrs: attributes of VFIO_MIGMUX_CMD_SET_GET or _NTF
 * @len: their bytes
 * @set: filled in, what is missing is 0; its members are allocated
 */
void fetch_set(struct nlattr *attrs, int len, struct set *set)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SET_MAX + 1];
	struct nlattr *pos;
	int rem;

	if (nla_parse(tb, VFIO_MIGMUX_A_SET_MAX, attrs, len, NULL))
		return;
	attr_string(tb, VFIO_MIGMUX_A_SET_NAME, set->name, sizeof(set->name));
	fetch_config(tb, &set->config);
	set->automatic = tb[VFIO_MIGMUX_A_SET_AUTO];
	set->pid = attr_u32(tb, VFIO_MIGMUX_A_SET_PID);
	set->timeline = attr_u32(tb, VFIO_MIGMUX_A_SET_TIMELINE);
	fetch_counters(tb[VFIO_MIGMUX_A_SET_COUNTERS], &set->counters);
	set->gone = tb[VFIO_MIGMUX_A_SET_GONE];

	nla_for_each_attr(pos, attrs, len, rem) {
		if (nla_type(pos) != VFIO_MIGMUX_A_SET_MEMBER)
			continue;
		set->members = model_grow(set->members, set->nr_members, sizeof(*set->members));
		fetch_member(pos, &set->members[set->nr_members++]);
	}
}

/**
 * fetch_set_event() - an event's attributes to the model
 * @attrs: attributes of VFIO_MIGMUX_CMD_SET_EVENT
 * @len: their bytes
 * @e: filled in; what is missing is 0
 */
void fetch_set_event(struct nlattr *attrs, int len, struct set_event *e)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SET_EVENT_MAX + 1];

	if (nla_parse(tb, VFIO_MIGMUX_A_SET_EVENT_MAX, attrs, len, NULL))
		return;
	attr_string(tb, VFIO_MIGMUX_A_SET_EVENT_SET, e->set, sizeof(e->set));
	attr_string(tb, VFIO_MIGMUX_A_SET_EVENT_DEVICE, e->device, sizeof(e->device));
	e->type = attr_u32(tb, VFIO_MIGMUX_A_SET_EVENT_TYPE);
	e->from = attr_u32(tb, VFIO_MIGMUX_A_SET_EVENT_FROM);
	e->to = attr_u32(tb, VFIO_MIGMUX_A_SET_EVENT_TO);
	e->error = attr_u32(tb, VFIO_MIGMUX_A_SET_EVENT_ERROR);
	e->saved_ns = attr_u64(tb, VFIO_MIGMUX_A_SET_EVENT_SAVED);
	e->timeline = attr_u32(tb, VFIO_MIGMUX_A_SET_EVENT_TIMELINE);
	e->at = attr_u64(tb, VFIO_MIGMUX_A_SET_EVENT_AT);
}

static void add_set(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	struct set_list *list = arg;

	(void)cmd;
	list->v = model_grow(list->v, list->n, sizeof(*list->v));
	fetch_set(attrs, len, &list->v[list->n++]);
}

static void take_auto(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SET_AUTO_MAX + 1];
	struct set_auto *a = arg;

	(void)cmd;
	if (nla_parse(tb, VFIO_MIGMUX_A_SET_AUTO_MAX, attrs, len, NULL))
		return;
	a->enabled = attr_bool(tb, VFIO_MIGMUX_A_SET_AUTO_ENABLED);
	a->config.policy = attr_u32(tb, VFIO_MIGMUX_A_SET_AUTO_POLICY);
	a->config.max_parallel = attr_u32(tb, VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL);
	a->config.claim_timeout_ms = attr_u32(tb, VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT);
	a->config.allow_no_p2p = attr_bool(tb, VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P);
}

int fetch_sets(struct genl *g, const char *name, struct set_list *list)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_SET_GET, name ? 0 : NLM_F_DUMP);

	if (name)
		nla_put_string(msg, VFIO_MIGMUX_A_SET_NAME, name);
	return genl_talk(g, msg, add_set, list);
}

int fetch_set_auto(struct genl *g, struct set_auto *config)
{
	return genl_talk(g, genl_request(g, VFIO_MIGMUX_CMD_SET_AUTO_GET, 0), take_auto, config);
}
