// SPDX-License-Identifier: GPL-2.0-only
/*
 * Units, tables and JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "sample.h"
#include "test.h"

static void test_units(void)
{
	char buf[OUTPUT_UNIT_MAX];

	test_result(!strcmp(output_bytes(buf, 0), "0 B"), "no bytes");
	test_result(!strcmp(output_bytes(buf, 1023), "1023 B"), "bytes");
	test_result(!strcmp(output_bytes(buf, 1536), "1.5 KiB"), "KiB");
	test_result(!strcmp(output_bytes(buf, 4 << 20), "4.0 MiB"), "MiB");
	test_result(strlen(output_bytes(buf, UINT64_MAX)) < OUTPUT_UNIT_MAX, "most bytes");
	test_result(!strcmp(output_ms(buf, 50 * MS), "50.000"), "ms");
	test_result(!strcmp(output_ms(buf, 0), "-"), "no ms");
	test_result(!strcmp(output_rate(buf, 1 << 20, 500 * MS), "2.0 MiB/s"), "rate");
	test_result(!strcmp(output_rate(buf, 1 << 20, 0), "-"), "rate in no time");
	test_result(!strcmp(output_migration(buf, 7), "stop-copy,p2p,pre-copy"), "migration flags");
}

static void test_table(void)
{
	static const char * const header[] = { "a", "number", "rest" };
	struct table t;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	table_begin(&t, 3, 1U << 1, header);
	table_cell(&t, "long");
	table_cell(&t, "%d", 7);
	table_cell(&t, "x");
	table_end(&t, out);
	fclose(out);
	test_result(!strcmp(text, "a     number  rest\nlong       7  x\n"), "table");
	free(text);
}

static const char *get_string(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "";
}

static uint64_t get_u64(struct json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static void test_session(void)
{
	struct json_object *o, *dev, *span;
	struct session s;

	sample_session(&s);
	s.devices[0].t.phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns = 0;
	o = json_session(&s);
	test_result(get_u64(o, "session") == 7, "JSON: session");
	test_result(!strcmp(get_string(o, "role"), "source"), "JSON: role");
	test_result(get_u64(json_object_object_get(o, "milestones"), "stopped") ==
		    SAMPLE_BASE + 40 * MS, "JSON: milestone");
	test_result(get_u64(json_object_object_get(o, "downtime"), "total_ns") == 200 * MS,
		    "JSON: downtime");
	dev = json_object_array_get_idx(json_object_object_get(o, "devices"), 0);
	test_result(!strcmp(get_string(dev, "handle"), "pci/0000:01:00.0"), "JSON: handle");
	test_result(!strcmp(get_string(dev, "state"), "STOP_COPY"), "JSON: state");
	test_result(get_u64(dev, "bytes") == 4 << 20, "JSON: bytes");
	span = json_object_object_get(json_object_object_get(dev, "phases"), "transfer");
	test_result(get_u64(span, "start_ns") == SAMPLE_BASE + 60 * MS, "JSON: start of a span");
	test_result(!json_object_object_get(span, "end_ns"), "JSON: an open span has no end");
	test_result(!json_object_object_get(json_object_object_get(dev, "phases"), "load"),
		    "JSON: a span that has not begun is left out");
	json_object_put(o);
}

static void test_event(void)
{
	struct event e = {
		.session = 3, .type = VFIO_MIGMUX_EVENT_MILESTONE,
		.value = VFIO_MIGMUX_MILESTONE_HANDED_OVER, .at = 5,
	};
	struct json_object *o = json_event(&e);

	test_result(!strcmp(get_string(o, "milestone"), "handed_over"), "JSON: milestone event");
	test_result(!json_object_object_get(o, "channel"), "JSON: no channel, no key");
	json_object_put(o);

	e = (struct event){ .type = VFIO_MIGMUX_EVENT_FAILED, .error = 5, .has_channel = true,
			    .channel = 2, .text = "channel 2: broken \"frame\"" };
	o = json_event(&e);
	test_result(get_u64(o, "channel") == 2, "JSON: channel of a failure");
	test_result(!strcmp(get_string(o, "text"), e.text), "JSON: text of a failure");
	json_object_put(o);
}

void test_output(void)
{
	test_units();
	test_table();
	test_session();
	test_event();
}
