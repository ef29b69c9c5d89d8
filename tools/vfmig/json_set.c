// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets as JSON; vfmig-set(8) documents the keys.
 */
#include "libvfmig.h"
#include "output.h"

static void add_config(struct json_object *o, const struct set_config *config)
{
	struct json_object *names = json_object_new_array();

	for (unsigned int i = 0; i < MODEL_NR_POLICIES; i++)
		if (config->policy & 1U << i)
			json_object_array_add(names, json_object_new_string(model_policy_name(i)));
	json_add_u64(o, "policy_flags", config->policy);
	json_object_object_add(o, "policy", names);
	json_add_u64(o, "max_parallel", config->max_parallel);
	json_add_u64(o, "claim_timeout_ms", config->claim_timeout_ms);
	json_add_bool(o, "allow_no_p2p", config->allow_no_p2p);
}

static void add_counters(struct json_object *o, const struct set_counters *c)
{
	json_add_u64(o, "early_starts", c->early_starts);
	json_add_u64(o, "claims", c->claims);
	json_add_u64(o, "take_backs", c->take_backs);
	json_add_u64(o, "errors", c->errors);
	json_add_u64(o, "saved_ns", c->saved_ns);
}

static struct json_object *json_member(const struct set_member *m)
{
	struct json_object *o = json_object_new_object();

	json_add_string(o, "handle", m->handle);
	json_add_bool(o, "present", m->present);
	json_add_bool(o, "driven", m->driven);
	json_add_bool(o, "pending", m->pending);
	add_counters(o, &m->counters);
	return o;
}

/**
 * json_set() - a set with its members
 * @set: the set
 */
struct json_object *json_set(const struct set *set)
{
	struct json_object *members = json_object_new_array();
	struct json_object *o = json_object_new_object();

	json_add_string(o, "name", set->name);
	json_add_bool(o, "auto", set->automatic);
	add_config(o, &set->config);
	json_add_nonzero(o, "pid", set->pid);
	json_add_nonzero(o, "timeline", set->timeline);
	add_counters(o, &set->counters);
	for (uint32_t i = 0; i < set->nr_members; i++)
		json_object_array_add(members, json_member(&set->members[i]));
	json_object_object_add(o, "members", members);
	if (set->gone)
		json_add_bool(o, "gone", true);
	return o;
}

/**
 * json_sets() - an array of sets
 * @list: the sets
 */
struct json_object *json_sets(const struct set_list *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		json_object_array_add(array, json_set(&list->v[i]));
	return array;
}

/**
 * json_set_policy() - what an operator has chosen for a set
 * @set: the set
 */
struct json_object *json_set_policy(const struct set *set)
{
	struct json_object *o = json_object_new_object();

	json_add_string(o, "name", set->name);
	add_config(o, &set->config);
	return o;
}

/**
 * json_set_auto() - whether there are automatic sets, and what they do
 * @a: that
 */
struct json_object *json_set_auto(const struct set_auto *a)
{
	struct json_object *o = json_object_new_object();

	json_add_bool(o, "enabled", a->enabled);
	add_config(o, &a->config);
	return o;
}

/**
 * json_set_event() - what a member of a set does
 * @e: the event
 */
struct json_object *json_set_event(const struct set_event *e)
{
	struct json_object *o = json_object_new_object();

	json_add_string(o, "event", "member");
	json_add_string(o, "set", e->set);
	json_add_string(o, "type", model_set_event_name(e->type));
	json_add_u64(o, "at_ns", e->at);
	json_add_string(o, "device", e->device);
	json_add_string(o, "from", vfmig_state_name(e->from));
	json_add_string(o, "to", vfmig_state_name(e->to));
	json_add_nonzero(o, "error", e->error);
	if (e->type == VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM)
		json_add_u64(o, "saved_ns", e->saved_ns);
	json_add_nonzero(o, "timeline", e->timeline);
	return o;
}
