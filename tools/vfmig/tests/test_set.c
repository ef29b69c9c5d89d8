// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets as text and as JSON.
 */
#include <string.h>

#include "output.h"
#include "sample.h"
#include "test.h"

static struct json_object *get(struct json_object *o, const char *key)
{
	return json_object_object_get(o, key);
}

static bool is_text(struct json_object *o, const char *key, const char *want)
{
	const char *s = json_object_get_string(get(o, key));

	return s && !strcmp(s, want);
}

static bool is_number(struct json_object *o, const char *key, uint64_t want)
{
	return json_object_is_type(get(o, key), json_type_int) &&
	       json_object_get_uint64(get(o, key)) == want;
}

static bool is_bool(struct json_object *o, const char *key, bool want)
{
	return json_object_is_type(get(o, key), json_type_boolean) &&
	       json_object_get_boolean(get(o, key)) == want;
}

static void test_policy_text(void)
{
	char buf[OUTPUT_POLICY_MAX];

	test_result(!strcmp(output_policy(buf, 0), "none"), "text of no policy");
	test_result(!strcmp(output_policy(buf, 7), "stop,copy,start"), "text of a policy");
	test_result(!strcmp(output_policy(buf, 0x3f),
			    "stop,copy,start,resume,setup,barrier"), "text of all policies");
	test_result(!strcmp(output_policy(buf, 0x41), "stop"), "a policy of a later kernel");
	test_result(!strcmp(output_policy(buf, 0x40), "unknown"), "only a later kernel's");
}

static void test_json_set(void)
{
	struct set_member members[] = {
		{ .handle = "pci/0000:01:00.0", .present = true, .driven = true,
		  .counters = { .early_starts = 3, .saved_ns = 5 * MS } },
		{ .handle = "mdev/x", .pending = true },
	};
	struct set set = {
		.name = "vm42", .config = { .policy = 7, .claim_timeout_ms = 5000 },
		.counters = { .claims = 2 }, .nr_members = 2, .members = members,
	};
	struct json_object *o = json_set(&set);
	struct json_object *m = json_object_array_get_idx(get(o, "members"), 0);

	test_result(is_text(o, "name", "vm42") && is_bool(o, "auto", false), "JSON: set");
	test_result(is_number(o, "policy_flags", 7) &&
		    json_object_array_length(get(o, "policy")) == 3, "JSON: policy");
	test_result(is_number(o, "max_parallel", 0) && is_number(o, "claim_timeout_ms", 5000) &&
		    is_bool(o, "allow_no_p2p", false), "JSON: options of a set");
	test_result(!get(o, "pid") && !get(o, "timeline") && !get(o, "gone"),
		    "JSON: what a set has not is left out");
	test_result(is_number(o, "claims", 2) && is_number(o, "saved_ns", 0), "JSON: counters");
	test_result(json_object_array_length(get(o, "members")) == 2 &&
		    is_text(m, "handle", "pci/0000:01:00.0") && is_bool(m, "driven", true) &&
		    is_bool(m, "pending", false) && is_number(m, "early_starts", 3) &&
		    is_number(m, "saved_ns", 5 * MS), "JSON: member");
	json_object_put(o);
}

static void test_json_others(void)
{
	struct set_event e = {
		.set = "vm42", .device = "pci/0000:01:00.0", .from = 2, .to = 5, .at = 7,
		.type = VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_START,
	};
	struct set_auto a = { .enabled = true, .config = { .policy = 32 } };
	struct json_object *o = json_set_event(&e);

	test_result(is_text(o, "event", "member") && is_text(o, "type", "early_start") &&
		    is_text(o, "from", "RUNNING") && is_text(o, "to", "RUNNING_P2P") &&
		    is_number(o, "at_ns", 7), "JSON: event of a member");
	test_result(!get(o, "error") && !get(o, "saved_ns") && !get(o, "timeline"),
		    "JSON: what an event has not is left out");
	json_object_put(o);

	e.type = VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM;
	o = json_set_event(&e);
	test_result(is_number(o, "saved_ns", 0), "JSON: a claim says what it saved");
	json_object_put(o);

	o = json_set_auto(&a);
	test_result(is_bool(o, "enabled", true) && is_number(o, "policy_flags", 32),
		    "JSON: automatic sets");
	json_object_put(o);
}

void test_set(void)
{
	test_policy_text();
	test_json_set();
	test_json_others();
}
