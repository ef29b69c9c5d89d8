// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic of a session's timeline, and its picture in text.
 */
#include <string.h>

#include "libvfmig.h"
#include "output.h"
#include "timeline.h"

#define BAR_WIDTH 40

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void widen(struct timeline_bounds *b, uint64_t ns)
{
	if (!ns)
		return;
	if (!b->start || ns < b->start)
		b->start = ns;
	if (ns > b->end)
		b->end = ns;
}

/**
 * timeline_phase() - phases in the order of time, which is that of their numbers but one
 * @i: place in that order, from 0
 *
 * Return: enum vfio_migmux_phase.
 */
unsigned int timeline_phase(unsigned int i)
{
	return i ? i - 1 : VFIO_MIGMUX_PHASE_PRECOPY;
}

/**
 * timeline_target_name() - what stands where devices have their handle
 * @buf: TIMELINE_TARGET_MAX bytes
 * @s: the session
 * @i: index of a target
 *
 * Return: @buf.
 */
const char *timeline_target_name(char *buf, const struct session *s, uint32_t i)
{
	snprintf(buf, TIMELINE_TARGET_MAX, "memory/%s/%u",
		 model_dma_kind_name(s->targets[i].kind), i);
	return buf;
}

/**
 * timeline_bounds() - from the first span's start to the last thing known
 * @s: the session
 *
 * Milestones of a session without any span do not make a picture: both are 0 then.
 */
struct timeline_bounds timeline_bounds(const struct session *s)
{
	struct timeline_bounds b = { 0 };
	const struct vfio_migmux_timeline_device *t;

	for (uint32_t i = 0; i < s->nr_devices; i++) {
		t = &s->devices[i].t;
		for (unsigned int p = 0; p < VFIO_MIGMUX_NR_PHASES; p++) {
			widen(&b, t->phases[p].start_ns);
			widen(&b, t->phases[p].end_ns);
		}
	}
	for (uint32_t i = 0; i < s->nr_targets; i++) {
		widen(&b, s->targets[i].span.start_ns);
		widen(&b, s->targets[i].span.end_ns);
	}
	if (!b.start)
		return b;
	/* what the other end said before may be long ago */
	for (unsigned int i = 0; i < MODEL_NR_MILESTONES; i++)
		if (s->milestones & ~(uint32_t)VFIO_MIGMUX_MILESTONE_PEER_READY & 1U << i)
			widen(&b, s->milestone_ns[i]);
	return b;
}

/**
 * timeline_length() - how long a span took
 * @span: the span
 * @b: an open span ends at their end
 */
uint64_t timeline_length(const struct vfio_migmux_span *span, const struct timeline_bounds *b)
{
	uint64_t end = span->end_ns ? span->end_ns : b->end;

	return span->start_ns && end > span->start_ns ? end - span->start_ns : 0;
}

/**
 * timeline_milestone() - name of a milestone
 * @mask: one VFIO_MIGMUX_MILESTONE_*
 */
const char *timeline_milestone(uint32_t mask)
{
	return vfmig_milestone_name(mask ? (uint32_t)__builtin_ctz(mask) : 32);
}

static uint64_t when(const struct session *s, uint32_t mask)
{
	return s->milestones & mask ? s->milestone_ns[__builtin_ctz(mask)] : 0;
}

static void add_part(struct timeline_parts *parts, const char *key, uint64_t from, uint64_t to)
{
	if (!from || to < from)
		return;
	parts->v[parts->n].key = key;
	parts->v[parts->n].ns = to - from;
	parts->n++;
}

/* The VM runs while it pre-copies: what comes then is no downtime. */
static uint64_t first_byte(const struct session *s)
{
	const struct vfio_migmux_timeline_device *t;
	struct timeline_bounds b = { 0 };

	for (uint32_t i = 0; i < s->nr_devices; i++) {
		t = &s->devices[i].t;
		widen(&b, t->phases[VFIO_MIGMUX_PHASE_PRECOPY].start_ns ?
			  t->phases[VFIO_MIGMUX_PHASE_TRANSFER].start_ns : t->first_byte_ns);
	}
	return b.start;
}

/* The first device's first arc of the switchover. */
static uint64_t first_arc(const struct session *s)
{
	struct timeline_bounds b = { 0 };

	for (uint32_t i = 0; i < s->nr_devices; i++)
		for (unsigned int p = 0; p < VFIO_MIGMUX_NR_PHASES; p++)
			if (p != VFIO_MIGMUX_PHASE_PRECOPY)
				widen(&b, s->devices[i].t.phases[p].start_ns);
	return b.start;
}

static uint64_t last_start(const struct session *s)
{
	const struct vfio_migmux_span *p;
	uint64_t last = 0;

	for (uint32_t i = 0; i < s->nr_devices; i++) {
		p = s->devices[i].t.phases;
		if (p[VFIO_MIGMUX_PHASE_RESUME].end_ns > last)
			last = p[VFIO_MIGMUX_PHASE_RESUME].end_ns;
		if (p[VFIO_MIGMUX_PHASE_START].end_ns > last)
			last = p[VFIO_MIGMUX_PHASE_START].end_ns;
	}
	return last;
}

struct phase_part {
	unsigned int phase;
	const char *key;
};

static const struct phase_part source_phases[] = {
	{ VFIO_MIGMUX_PHASE_QUIESCE, "quiesce_ns" },
	{ VFIO_MIGMUX_PHASE_STOP, "stop_ns" },
	{ VFIO_MIGMUX_PHASE_SAVE, "save_ns" },
};

static const struct phase_part destination_phases[] = {
	{ VFIO_MIGMUX_PHASE_LOAD, "load_ns" },
	{ VFIO_MIGMUX_PHASE_RESUME, "resume_ns" },
	{ VFIO_MIGMUX_PHASE_START, "start_ns" },
};

/* What a phase covers, from the first device's start to the last one's end. */
static struct timeline_bounds phase_bounds(const struct session *s, unsigned int phase)
{
	struct timeline_bounds b = { 0 };

	for (uint32_t i = 0; i < s->nr_devices; i++) {
		widen(&b, s->devices[i].t.phases[phase].start_ns);
		widen(&b, s->devices[i].t.phases[phase].end_ns);
	}
	return b;
}

static void set_parts(const struct session *s, struct timeline_parts *parts)
{
	const struct phase_part *p = s->role == VFIO_MIGMUX_ROLE_SOURCE ? source_phases :
									 destination_phases;
	struct timeline_bounds all = { 0 }, b;

	for (unsigned int i = 0; i < ARRAY_SIZE(source_phases); i++) {
		b = phase_bounds(s, p[i].phase);
		widen(&all, b.start);
		widen(&all, b.end);
		add_part(parts, p[i].key, b.start, b.end);
	}
	add_part(parts, "total_ns", all.start, all.end);
}

/**
 * timeline_downtime() - a host's share of the downtime, in parts
 * @s: the session
 * @parts: filled in, only with what is known
 *
 * Of a set's switchover only the devices' own phases are known: each part is one of
 * them, and what the VMM does in between counts in the total only.
 *
 * A source counts from the first device's first arc to the hand-over (or, without
 * a verdict, to the last byte sent); a destination from the first byte received
 * to the last device started. The two overlap while the state travels. Pre-copy comes
 * before all that.
 */
void timeline_downtime(const struct session *s, struct timeline_parts *parts)
{
	uint64_t quiesced = when(s, VFIO_MIGMUX_MILESTONE_QUIESCED);
	uint64_t stopped = when(s, VFIO_MIGMUX_MILESTONE_STOPPED);
	uint64_t sent = when(s, VFIO_MIGMUX_MILESTONE_SENT);
	uint64_t loaded = when(s, VFIO_MIGMUX_MILESTONE_LOADED);
	uint64_t handed = when(s, VFIO_MIGMUX_MILESTONE_HANDED_OVER);
	uint64_t begin;

	parts->n = 0;
	if (s->set[0]) {
		set_parts(s, parts);
	} else if (s->role == VFIO_MIGMUX_ROLE_SOURCE) {
		begin = first_arc(s);
		add_part(parts, "quiesce_ns", begin, quiesced);
		add_part(parts, "stop_ns", quiesced, stopped);
		add_part(parts, "send_ns", stopped, sent);
		add_part(parts, "handover_ns", sent, handed);
		add_part(parts, "total_ns", begin, handed ? handed : sent);
	} else if (s->role == VFIO_MIGMUX_ROLE_DESTINATION) {
		begin = first_byte(s);
		add_part(parts, "receive_ns", begin, loaded);
		add_part(parts, "handover_ns", loaded, handed);
		add_part(parts, "resume_ns", handed, last_start(s));
		add_part(parts, "total_ns", begin, last_start(s));
	}
}

/**
 * timeline_bar() - a span as a bar of text
 * @bar: room for @width and a NUL
 * @width: columns that stand for the whole of @b
 * @span: the span; one that has begun shows at least one mark
 * @b: the bounds
 */
void timeline_bar(char *bar, unsigned int width, const struct vfio_migmux_span *span,
		  const struct timeline_bounds *b)
{
	uint64_t all = b->end - b->start;
	unsigned int from, to;

	memset(bar, '.', width);
	bar[width] = '\0';
	if (!span->start_ns || !all)
		return;
	from = (unsigned int)((double)(span->start_ns - b->start) * width / (double)all);
	to = from + (unsigned int)((double)timeline_length(span, b) * width / (double)all + 0.5);
	if (from >= width)
		from = width - 1;
	if (to <= from)
		to = from + 1;
	if (to > width)
		to = width;
	memset(bar + from, span->end_ns ? '#' : '>', to - from);
}

/* In the order of time, which is not that of the bits: batches come and go. */
static void print_milestones(FILE *out, const struct session *s, const struct timeline_bounds *b)
{
	uint32_t left = s->milestones & ((1U << MODEL_NR_MILESTONES) - 1);
	unsigned int next;

	if (left)
		fputc('\n', out);
	while (left) {
		next = (unsigned int)__builtin_ctz(left);
		for (unsigned int i = next; i < MODEL_NR_MILESTONES; i++)
			if (left & 1U << i && s->milestone_ns[i] < s->milestone_ns[next])
				next = i;
		fprintf(out, "%-12s %12.3f ms\n", vfmig_milestone_name(next),
			((double)s->milestone_ns[next] - (double)b->start) / 1e6);
		left &= ~(1U << next);
	}
}

static void print_precopy(FILE *out, const struct session *s)
{
	const struct vfio_migmux_timeline_device *t;
	uint64_t bytes = 0, rounds = 0;
	char buf[OUTPUT_UNIT_MAX];

	for (uint32_t i = 0; i < s->nr_devices; i++) {
		t = &s->devices[i].t;
		bytes += t->precopy_bytes;
		if (t->precopy_rounds > rounds)
			rounds = t->precopy_rounds;
	}
	if (!bytes)
		return;
	fprintf(out, "\npre-copy: %s", output_bytes(buf, bytes));
	if (rounds)
		fprintf(out, ", rounds: %llu", (unsigned long long)rounds);
	fputc('\n', out);
}

static void print_downtime(FILE *out, const struct session *s)
{
	struct timeline_parts parts;

	timeline_downtime(s, &parts);
	if (!parts.n)
		return;
	fputs(s->set[0] ? "\nall devices:" : "\ndowntime on this host:", out);
	for (unsigned int i = 0; i < parts.n; i++)
		fprintf(out, "%s %.*s %.3f ms", i ? "," : "",
			(int)strlen(parts.v[i].key) - 3, parts.v[i].key,
			(double)parts.v[i].ns / 1e6);
	fputc('\n', out);
}

static void print_span(struct table *t, const char *who, const char *what,
		       const struct vfio_migmux_span *span, const struct timeline_bounds *b)
{
	char bar[BAR_WIDTH + 1];

	timeline_bar(bar, BAR_WIDTH, span, b);
	table_cell(t, "%s", who);
	table_cell(t, "%s", what);
	table_cell(t, "%.3f", (double)(span->start_ns - b->start) / 1e6);
	table_cell(t, "%.3f", (double)timeline_length(span, b) / 1e6);
	table_cell(t, "|%s|", bar);
}

/**
 * timeline_print() - each device's phases with start, length and bar
 * @out: where to
 * @s: the session
 *
 * Times are relative to the first span's start.
 */
void timeline_print(FILE *out, const struct session *s)
{
	static const char * const header[] = { "device", "phase", "start ms", "length ms", "" };
	struct timeline_bounds b = timeline_bounds(s);
	const struct vfio_migmux_span *span;
	char name[TIMELINE_TARGET_MAX];
	struct table t;

	if (!b.start) {
		fprintf(out, "session %u has not moved a device yet\n", s->id);
		return;
	}
	table_begin(&t, 5, 1U << 2 | 1U << 3, header);
	for (uint32_t i = 0; i < s->nr_devices; i++) {
		for (unsigned int n = 0; n < VFIO_MIGMUX_NR_PHASES; n++) {
			unsigned int p = timeline_phase(n);

			span = &s->devices[i].t.phases[p];
			if (span->start_ns)
				print_span(&t, s->devices[i].handle, vfmig_phase_name(p), span, &b);
		}
	}
	for (uint32_t i = 0; i < s->nr_targets; i++)
		if (s->targets[i].span.start_ns)
			print_span(&t, timeline_target_name(name, s, i), "map",
				   &s->targets[i].span, &b);
	table_end(&t, out);
	print_milestones(out, s, &b);
	print_precopy(out, s);
	print_downtime(out, s);
}

static unsigned int used_phases(const struct session *s, unsigned int *used)
{
	unsigned int n = 0;

	for (unsigned int place = 0; place < VFIO_MIGMUX_NR_PHASES; place++) {
		unsigned int p = timeline_phase(place);

		for (uint32_t i = 0; i < s->nr_devices; i++) {
			if (s->devices[i].t.phases[p].start_ns) {
				used[n++] = p;
				break;
			}
		}
	}
	return n;
}

/**
 * timeline_slowest() - which stage of a transfer a device's data waited for
 * @s: its session
 * @d: the device
 * @ns: set: how long
 *
 * Where the stages of a transfer all have enough to do, the slowest is the one that the
 * others wait for. On a destination memory waits for the device: it is to blame only where
 * the device waits, too.
 *
 * Return: "device", "memory" or "wire"; NULL if it waited for nothing.
 */
const char *timeline_slowest(const struct session *s,
			     const struct vfio_migmux_timeline_device *d, uint64_t *ns)
{
	const char *name = NULL;

	*ns = 0;
	if (d->stall_device_ns > *ns) {
		*ns = d->stall_device_ns;
		name = "device";
	}
	if (s->role == VFIO_MIGMUX_ROLE_DESTINATION && name && *ns >= d->stall_wire_ns)
		return name;
	if (d->stall_staging_ns > *ns) {
		*ns = d->stall_staging_ns;
		name = "memory";
	}
	if (d->stall_wire_ns > *ns) {
		*ns = d->stall_wire_ns;
		name = "wire";
	}
	return name;
}

static void data_cells(struct table *t, const struct session *s,
		       const struct vfio_migmux_timeline_device *d)
{
	char buf[OUTPUT_UNIT_MAX];
	const char *name;
	uint64_t ns;

	table_cell(t, "%s", output_bytes(buf, d->bytes));
	table_cell(t, "%s", d->last_byte_ns > d->first_byte_ns && d->first_byte_ns ?
		   output_rate(buf, d->bytes, d->last_byte_ns - d->first_byte_ns) : "-");
	name = timeline_slowest(s, d, &ns);
	if (name)
		table_cell(t, "%s %s", name, output_ms(buf, ns));
	else
		table_cell(t, "-");
}

static void print_totals(FILE *out, const struct session *s, const struct timeline_bounds *b)
{
	char buf[OUTPUT_UNIT_MAX];
	uint64_t bytes = 0;

	fprintf(out, "\nphases in ms; %u device%s, ", s->nr_devices,
		s->nr_devices == 1 ? "" : "s");
	for (uint32_t i = 0; i < s->nr_devices; i++)
		bytes += s->devices[i].t.bytes;
	if (!s->set[0])
		fprintf(out, "%s, ", output_bytes(buf, bytes));
	fprintf(out, "%.3f ms from first to last\n", (double)(b->end - b->start) / 1e6);
}

/**
 * timeline_print_table() - a row per device: phases in ms, bytes, rate
 * @out: where to
 * @s: the session; the VMM moves the bytes of a set
 */
void timeline_print_table(FILE *out, const struct session *s)
{
	const char *header[VFIO_MIGMUX_NR_PHASES + 6] = { "device", "state" };
	const struct vfio_migmux_timeline_device *d;
	struct timeline_bounds b = timeline_bounds(s);
	unsigned int used[VFIO_MIGMUX_NR_PHASES];
	unsigned int n = used_phases(s, used);
	unsigned int columns = 2 + n;
	char buf[OUTPUT_UNIT_MAX];
	struct table t;

	for (unsigned int p = 0; p < n; p++)
		header[2 + p] = vfmig_phase_name(used[p]);
	if (!s->set[0]) {
		header[columns++] = "bytes";
		header[columns++] = "rate";
		header[columns++] = "waits for";
	}
	header[columns++] = "error";
	/* all but the first two and the last are numbers */
	table_begin(&t, columns, ((1U << (columns - 3)) - 1) << 2, header);
	for (uint32_t i = 0; i < s->nr_devices; i++) {
		d = &s->devices[i].t;
		table_cell(&t, "%s", s->devices[i].handle);
		table_cell(&t, "%s", vfmig_state_name(d->state));
		for (unsigned int p = 0; p < n; p++)
			table_cell(&t, "%s", output_ms(buf, timeline_length(&d->phases[used[p]],
									    &b)));
		if (!s->set[0])
			data_cells(&t, s, d);
		table_cell(&t, "%s", d->error ? strerror(d->error) : "-");
	}
	table_end(&t, out);
	print_totals(out, s, &b);
	print_precopy(out, s);
	print_downtime(out, s);
}
