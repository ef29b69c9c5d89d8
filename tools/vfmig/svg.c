// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timeline as SVG: a row per device, a box per phase with its length in ms,
 * milestones as lines.
 */
#include <string.h>

#include "libvfmig.h"
#include "timeline.h"

enum {
	WIDTH = 1000,
	LEFT = 220,
	RIGHT = 30,
	TOP = 84,
	ROW = 26,
	PLOT = WIDTH - LEFT - RIGHT,
	HANDLE_FITS = 30,	/* characters, in LEFT */
	LENGTH_WIDTH = 45,	/* a box as wide as this has room for its length */
};

/* The name of an mdev is a UUID. */
#define NARROW " font-size=\"8\""

/* Distinct for the colour-blind, too: after Okabe and Ito. */
static const char * const colours[VFIO_MIGMUX_NR_PHASES] = {
	[VFIO_MIGMUX_PHASE_QUIESCE] = "#e69f00",
	[VFIO_MIGMUX_PHASE_STOP] = "#d55e00",
	[VFIO_MIGMUX_PHASE_SAVE] = "#cc79a7",
	[VFIO_MIGMUX_PHASE_TRANSFER] = "#0072b2",
	[VFIO_MIGMUX_PHASE_PREPARE] = "#999999",
	[VFIO_MIGMUX_PHASE_LOAD] = "#56b4e9",
	[VFIO_MIGMUX_PHASE_RESUME] = "#009e73",
	[VFIO_MIGMUX_PHASE_START] = "#f0e442",
	[VFIO_MIGMUX_PHASE_ROLLBACK] = "#333333",
	[VFIO_MIGMUX_PHASE_PRECOPY] = "#b5d99c",
};

/* Memory that is mapped, in a row of its own. */
#define MAP_COLOUR "#7a5195"

static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			/* control and non-ASCII characters may not be XML */
			fputc(*text >= ' ' && *text < 127 ? *text : '?', out);
		}
	}
}

static double x_of(uint64_t ns, const struct timeline_bounds *b)
{
	return LEFT + (double)(ns - b->start) * PLOT / (double)(b->end - b->start);
}

/* The distance of marks on the axis: 1, 2 or 5 times a power of ten, in ms. */
static double axis_step(double ms)
{
	static const double factors[] = { 2, 2.5, 2 };
	double step = 0.001;

	for (unsigned int i = 0; ms / step > 10; i++)
		step *= factors[i % 3];
	return step;
}

static void put_line(FILE *out, double x, int bottom, const char *style)
{
	fprintf(out, "<line x1=\"%.2f\" y1=\"%d\" x2=\"%.2f\" y2=\"%d\" %s/>\n",
		x, TOP, x, bottom, style);
}

static void put_axis(FILE *out, const struct timeline_bounds *b, int bottom)
{
	double all = (double)(b->end - b->start) / 1e6;
	double step = axis_step(all);

	for (unsigned int i = 0; i * step <= all; i++) {
		double x = LEFT + i * step * PLOT / all;

		put_line(out, x, bottom, "stroke=\"#ddd\"");
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
			x, bottom + 16, i * step);
	}
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">ms</text>\n",
		LEFT - 10, bottom + 16);
}

static void put_title(FILE *out, const struct session *s)
{
	fprintf(out, "<text x=\"20\" y=\"24\" font-size=\"15\">session %u, %s", s->id,
		model_role_name(s->role));
	fputs(s->link[0] ? ", link " : s->set[0] ? ", set " : "", out);
	put_text(out, s->link[0] ? s->link : s->set);
	fputs("</text>\n", out);
}

static void put_legend(FILE *out)
{
	int x = 20;

	for (unsigned int i = 0; i < VFIO_MIGMUX_NR_PHASES; i++) {
		unsigned int p = timeline_phase(i);

		fprintf(out, "<rect x=\"%d\" y=\"38\" width=\"12\" height=\"12\" fill=\"%s\"/>\n",
			x, colours[p]);
		fprintf(out, "<text x=\"%d\" y=\"48\">%s</text>\n", x + 17, vfmig_phase_name(p));
		x += 90;
	}
}

static bool is_dark(unsigned int phase)
{
	return phase == VFIO_MIGMUX_PHASE_TRANSFER || phase == VFIO_MIGMUX_PHASE_ROLLBACK;
}

static void put_span(FILE *out, const struct vfio_migmux_span *span, const char *what,
		     const char *colour, bool dark, const struct timeline_bounds *b, int y)
{
	double ms = (double)timeline_length(span, b) / 1e6;
	double x = x_of(span->start_ns, b);
	double width = x_of(span->start_ns + timeline_length(span, b), b) - x;

	fprintf(out, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" ",
		x, y + 3, width < 0.5 ? 0.5 : width, ROW - 6);
	fprintf(out, "fill=\"%s\"%s>", colour,
		span->end_ns ? "" : " fill-opacity=\"0.5\"");
	fprintf(out, "<title>%s %.3f ms</title></rect>\n", what, ms);
	if (width < LENGTH_WIDTH)
		return;
	fprintf(out, "<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\" font-size=\"10\" ",
		x + width / 2, y + 17);
	fprintf(out, "fill=\"%s\">%.1f</text>\n", dark ? "#fff" : "#000", ms);
}

static void put_name(FILE *out, const char *name, int y)
{
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\"%s>", LEFT - 10, y + 17,
		strlen(name) > HANDLE_FITS ? NARROW : "");
	put_text(out, name);
	fputs("</text>\n", out);
}

static void put_device(FILE *out, const struct session_device *dev,
		       const struct timeline_bounds *b, int y)
{
	put_name(out, dev->handle, y);
	for (unsigned int i = 0; i < VFIO_MIGMUX_NR_PHASES; i++)
		if (dev->t.phases[i].start_ns)
			put_span(out, &dev->t.phases[i], vfmig_phase_name(i), colours[i],
				 is_dark(i), b, y);
}

static void put_target(FILE *out, const struct session *s, uint32_t i,
		       const struct timeline_bounds *b, int y)
{
	char name[TIMELINE_TARGET_MAX];

	put_name(out, timeline_target_name(name, s, i), y);
	if (s->targets[i].span.start_ns)
		put_span(out, &s->targets[i].span, "map", MAP_COLOUR, true, b, y);
}

static void put_milestones(FILE *out, const struct session *s, const struct timeline_bounds *b,
			   int bottom)
{
	unsigned int n = 0;
	double x;

	for (unsigned int i = 0; i < MODEL_NR_MILESTONES; i++) {
		if (!(s->milestones & 1U << i) || s->milestone_ns[i] < b->start)
			continue;
		x = x_of(s->milestone_ns[i], b);
		put_line(out, x, bottom, "stroke=\"#000\" stroke-dasharray=\"3 3\"");
		/* neighbours alternate in height, so that they stay readable */
		fprintf(out, "<text x=\"%.2f\" y=\"%d\" text-anchor=\"%s\" font-size=\"10\">",
			x, TOP - 4 - (int)(n++ % 2) * 12, x > WIDTH - 60 ? "end" : "middle");
		fprintf(out, "%s</text>\n", vfmig_milestone_name(i));
	}
}

/**
 * timeline_svg() - draw a timeline
 * @out: where to
 * @s: the session
 */
void timeline_svg(FILE *out, const struct session *s)
{
	struct timeline_bounds b = timeline_bounds(s);
	int bottom = TOP + (int)(s->nr_devices + s->nr_targets) * ROW;

	if (b.end == b.start)	/* nothing, or a single instant: no scale to divide by */
		b.end = b.start + 1;
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"",
		WIDTH, bottom + 30);
	fprintf(out, " viewBox=\"0 0 %d %d\"", WIDTH, bottom + 30);
	fputs(" font-family=\"sans-serif\" font-size=\"12\">\n", out);
	fputs("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", out);
	put_title(out, s);
	put_legend(out);
	put_axis(out, &b, bottom);
	for (uint32_t i = 0; i < s->nr_devices; i++)
		put_device(out, &s->devices[i], &b, TOP + (int)i * ROW);
	for (uint32_t i = 0; i < s->nr_targets; i++)
		put_target(out, s, i, &b, TOP + (int)(s->nr_devices + i) * ROW);
	if (timeline_bounds(s).start)
		put_milestones(out, s, &b, bottom);
	fputs("</svg>\n", out);
}
