// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic of timelines.
 */
#include <stdlib.h>
#include <string.h>

#include "sample.h"
#include "test.h"
#include "timeline.h"

static uint64_t part(const struct timeline_parts *parts, const char *key)
{
	for (unsigned int i = 0; i < parts->n; i++)
		if (!strcmp(parts->v[i].key, key))
			return parts->v[i].ns;
	return UINT64_MAX;
}

static void test_bounds(void)
{
	struct timeline_bounds b;
	struct session s;

	sample_session(&s);
	b = timeline_bounds(&s);
	test_result(b.start == SAMPLE_BASE, "bounds begin with the first span");
	test_result(b.end == SAMPLE_BASE + 200 * MS, "bounds end with the last milestone");

	s.devices[1].t.phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns = 0;
	test_result(timeline_length(&s.devices[1].t.phases[VFIO_MIGMUX_PHASE_TRANSFER], &b) ==
		    140 * MS, "an open span ends at the bounds' end");
	test_result(!timeline_length(&s.devices[1].t.phases[VFIO_MIGMUX_PHASE_LOAD], &b),
		    "a span that has not begun has no length");

	s.nr_devices = 0;
	b = timeline_bounds(&s);
	test_result(!b.start && !b.end, "a session without spans has no bounds");
}

static void test_slowest(void)
{
	struct vfio_migmux_timeline_device d = { 0 };
	struct session s = { .role = VFIO_MIGMUX_ROLE_SOURCE };
	uint64_t ns;

	test_result(!timeline_slowest(&s, &d, &ns) && !ns, "slowest: nothing waited");
	d.stall_wire_ns = 2;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "wire") && ns == 2,
		    "slowest: the wire");
	d.stall_staging_ns = 3;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "memory") && ns == 3,
		    "slowest: memory");
	d.stall_device_ns = 4;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "device") && ns == 4,
		    "slowest: the device");
	d.stall_staging_ns = 5;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "memory") && ns == 5,
		    "slowest: a source's memory, before its device");
	s.role = VFIO_MIGMUX_ROLE_DESTINATION;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "device") && ns == 4,
		    "slowest: the device that a destination's memory waits for");
	d.stall_wire_ns = 6;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "wire") && ns == 6,
		    "slowest: the wire that a destination's device waits for");
	d.stall_staging_ns = 7;
	test_result(!strcmp(timeline_slowest(&s, &d, &ns), "memory") && ns == 7,
		    "slowest: a destination's memory, where its device waits, too");
}

static void test_source(void)
{
	struct timeline_parts parts;
	struct session s;

	sample_session(&s);
	timeline_downtime(&s, &parts);
	test_result(part(&parts, "quiesce_ns") == 20 * MS, "source: quiesce");
	test_result(part(&parts, "stop_ns") == 20 * MS, "source: stop");
	test_result(part(&parts, "send_ns") == 140 * MS, "source: send");
	test_result(part(&parts, "handover_ns") == 20 * MS, "source: handover");
	test_result(part(&parts, "total_ns") == 200 * MS, "source: total");

	s.milestones &= ~(uint32_t)VFIO_MIGMUX_MILESTONE_HANDED_OVER;
	timeline_downtime(&s, &parts);
	test_result(part(&parts, "handover_ns") == UINT64_MAX, "source: no handover, no part");
	test_result(part(&parts, "total_ns") == 180 * MS, "source: total without handover");

	s.milestones = 0;
	timeline_downtime(&s, &parts);
	test_result(!parts.n, "source: nothing reached, nothing told");
}

static void test_destination(void)
{
	struct timeline_parts parts;
	struct session s;

	sample_session(&s);
	s.role = VFIO_MIGMUX_ROLE_DESTINATION;
	s.milestones = VFIO_MIGMUX_MILESTONE_LOADED | VFIO_MIGMUX_MILESTONE_HANDED_OVER;
	s.milestone_ns[5] = SAMPLE_BASE + 190 * MS;
	s.devices[0].t.phases[VFIO_MIGMUX_PHASE_START].end_ns = SAMPLE_BASE + 300 * MS;
	s.devices[1].t.phases[VFIO_MIGMUX_PHASE_START].end_ns = SAMPLE_BASE + 310 * MS;
	timeline_downtime(&s, &parts);
	test_result(part(&parts, "receive_ns") == 130 * MS, "destination: receive");
	test_result(part(&parts, "handover_ns") == 10 * MS, "destination: handover");
	test_result(part(&parts, "resume_ns") == 110 * MS, "destination: resume");
	test_result(part(&parts, "total_ns") == 250 * MS, "destination: total");
}

/* What is sent while the VM runs is no downtime, on neither end. */
static void test_precopy_parts(void)
{
	struct vfio_migmux_timeline_device *t;
	struct timeline_parts parts;
	struct session s;
	size_t len = 0;
	char *text = NULL, *first;
	FILE *out;

	sample_session(&s);
	for (unsigned int i = 0; i < 2; i++) {
		t = &s.devices[i].t;
		t->first_byte_ns = SAMPLE_BASE - 400 * MS;
		t->precopy_bytes = 3 << 20;
		t->precopy_rounds = 4 + i;
		t->phases[VFIO_MIGMUX_PHASE_PRECOPY].start_ns = SAMPLE_BASE - 500 * MS;
		t->phases[VFIO_MIGMUX_PHASE_PRECOPY].end_ns = SAMPLE_BASE;
	}
	timeline_downtime(&s, &parts);
	test_result(part(&parts, "quiesce_ns") == 20 * MS, "pre-copy: quiesce comes after it");
	test_result(part(&parts, "total_ns") == 200 * MS, "pre-copy: not in the source's downtime");
	out = open_memstream(&text, &len);
	timeline_print(out, &s);
	fclose(out);
	first = strstr(text, "  precopy ");
	test_result(first && first < strstr(text, "  quiesce "),
		    "pre-copy: the text begins with it");
	test_result(strstr(text, "pre-copy: 6.0 MiB, rounds: 5\n"), "pre-copy: bytes and rounds");
	free(text);

	s.role = VFIO_MIGMUX_ROLE_DESTINATION;
	s.milestones = VFIO_MIGMUX_MILESTONE_LOADED;
	s.milestone_ns[5] = SAMPLE_BASE + 190 * MS;
	timeline_downtime(&s, &parts);
	test_result(part(&parts, "receive_ns") == 130 * MS,
		    "pre-copy: not in the destination's downtime");
}

static void test_set_parts(void)
{
	struct timeline_parts parts;
	struct session s;

	sample_set_session(&s);
	timeline_downtime(&s, &parts);
	test_result(part(&parts, "quiesce_ns") == 200 * MS, "set: quiesce of all");
	test_result(part(&parts, "stop_ns") == 103 * MS, "set: stop of all");
	test_result(part(&parts, "save_ns") == 53 * MS, "set: save of all");
	test_result(part(&parts, "total_ns") == 363 * MS, "set: total");
	test_result(part(&parts, "send_ns") == UINT64_MAX, "set: nothing is known of sending");

	s.role = VFIO_MIGMUX_ROLE_DESTINATION;
	timeline_downtime(&s, &parts);
	test_result(!parts.n, "set: no phase, no part");
}

static void test_bars(void)
{
	struct timeline_bounds b = { 100, 200 };
	struct vfio_migmux_span span = { 100, 200 };
	char bar[11];

	timeline_bar(bar, 10, &span, &b);
	test_result(!strcmp(bar, "##########"), "bar of all");
	span = (struct vfio_migmux_span){ 150, 170 };
	timeline_bar(bar, 10, &span, &b);
	test_result(!strcmp(bar, ".....##..."), "bar of a part");
	span = (struct vfio_migmux_span){ 200, 200 };
	timeline_bar(bar, 10, &span, &b);
	test_result(!strcmp(bar, ".........#"), "bar of an instant at the end");
	span = (struct vfio_migmux_span){ 180, 0 };
	timeline_bar(bar, 10, &span, &b);
	test_result(!strcmp(bar, "........>>"), "bar of an open span");
	span = (struct vfio_migmux_span){ 0, 0 };
	timeline_bar(bar, 10, &span, &b);
	test_result(!strcmp(bar, ".........."), "bar of nothing");
	b.end = b.start;
	span.start_ns = 100;
	timeline_bar(bar, 10, &span, &b);
	test_result(!strcmp(bar, ".........."), "bar without a scale");
}

static void test_print(void)
{
	struct session s;
	size_t len = 0;
	char *text = NULL;
	FILE *out;

	sample_session(&s);
	s.devices[1].t.error = 5;
	out = open_memstream(&text, &len);
	timeline_print(out, &s);
	timeline_print_table(out, &s);
	fclose(out);
	test_result(strstr(text, "pci/0000:02:00.0  transfer"), "text has the spans");
	test_result(strstr(text, "total 200.000 ms"), "text has the downtime");
	test_result(strstr(text, "handed_over"), "text has the milestones");
	test_result(strstr(text, "Input/output error"), "text has the device's error");
	free(text);
}

/* Memory is mapped before anything moves, and has rows of its own. */
static void test_memory(void)
{
	struct timeline_bounds b;
	struct session s;
	size_t len = 0;
	char *text = NULL;
	FILE *out;

	sample_session(&s);
	s.nr_targets = 2;
	s.targets[0] = (struct session_target){
		.kind = VFIO_MIGMUX_DMA_KIND_TYPE1,
		.span = { SAMPLE_BASE - 50 * MS, SAMPLE_BASE + 10 * MS },
	};
	s.targets[1].kind = VFIO_MIGMUX_DMA_KIND_VHOST_VDPA;
	b = timeline_bounds(&s);
	test_result(b.start == SAMPLE_BASE - 50 * MS, "bounds begin with memory");
	out = open_memstream(&text, &len);
	timeline_print(out, &s);
	timeline_svg(out, &s);
	fclose(out);
	test_result(strstr(text, "memory/type1/0    map ") && strstr(text, " 60.000  |##"),
		    "text has the memory");
	test_result(!strstr(text, "memory/vhost-vdpa/1  map"), "but not what has not begun");
	test_result(strstr(text, ">memory/vhost-vdpa/1</text>") &&
		    strstr(text, "<title>map 60.000 ms</title>"), "the picture has it");
	free(text);
}

void test_timeline(void)
{
	test_bounds();
	test_slowest();
	test_source();
	test_destination();
	test_precopy_parts();
	test_set_parts();
	test_bars();
	test_print();
	test_memory();
}
