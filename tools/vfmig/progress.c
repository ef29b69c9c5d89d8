// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of send and recv on a terminal: a line per device, in place.
 */
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "libvfmig.h"
#include "output.h"
#include "transfer.h"

/**
 * progress_wanted() - whether to show progress
 * @mode: what the user asked for
 */
bool progress_wanted(enum progress_mode mode)
{
	return mode == PROGRESS_ALWAYS || (mode == PROGRESS_AUTO && isatty(STDERR_FILENO));
}

/* The phase that a device is in, or the last one that it left. */
static const char *phase_of(const struct vfio_migmux_timeline_device *t)
{
	const struct vfio_migmux_span *last = NULL;
	unsigned int found = 0;

	for (unsigned int i = 0; i < VFIO_MIGMUX_NR_PHASES; i++) {
		if (!t->phases[i].start_ns)
			continue;
		if (!t->phases[i].end_ns)
			return vfmig_phase_name(i);
		if (!last || t->phases[i].end_ns >= last->end_ns) {
			last = &t->phases[i];
			found = i;
		}
	}
	return last ? vfmig_phase_name(found) : "waiting";
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void show_device(const struct session_device *dev)
{
	const struct vfio_migmux_timeline_device *t = &dev->t;
	bool moving = t->phases[VFIO_MIGMUX_PHASE_TRANSFER].start_ns &&
		      !t->phases[VFIO_MIGMUX_PHASE_TRANSFER].end_ns;
	char bytes[OUTPUT_UNIT_MAX], rate[OUTPUT_UNIT_MAX];
	uint64_t end = moving ? now_ns() : t->last_byte_ns;

	output_bytes(bytes, t->bytes);
	output_rate(rate, t->bytes, t->first_byte_ns && end > t->first_byte_ns ?
		    end - t->first_byte_ns : 0);
	fprintf(stderr, "%-24s %-12s %-9s %10s %12s\033[K\n", dev->handle,
		vfmig_state_name(t->state), phase_of(t), bytes, rate);
}

/**
 * progress_show() - draw or draw again
 * @p: nothing is done if it is off
 * @s: the session
 */
void progress_show(struct progress *p, const struct session *s)
{
	struct winsize size = { .ws_row = 24 };
	unsigned int lines = s->nr_devices;

	if (!p->on)
		return;
	/* what has scrolled out of the terminal cannot be drawn over */
	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	if (size.ws_row > 2 && lines > size.ws_row - 2U)
		lines = size.ws_row - 2U;
	if (p->lines)
		fprintf(stderr, "\033[%uA", p->lines);
	for (unsigned int i = 0; i < lines; i++)
		show_device(&s->devices[i]);
	p->lines = lines;
	fflush(stderr);
}

/**
 * progress_clear() - take the lines away again
 * @p: nothing is done if nothing was drawn
 */
void progress_clear(struct progress *p)
{
	if (p->lines)
		fprintf(stderr, "\033[%uA\033[J", p->lines);
	p->lines = 0;
}
