// SPDX-License-Identifier: GPL-2.0-only
/*
 * When does a source switch over?
 */
#include <stddef.h>

#include "output.h"
#include "precopy.h"

/* QEMU's default, too */
#define DOWNTIME_MS 300
#define TIME_MS 30000

/* So many looks without progress are no accident. */
#define IN_VAIN 3

static const struct {
	const char *name;
	const char *text;
} whys[] = {
	[PRECOPY_GOES_ON] = { "aborted", "it was not ended by a decision" },
	[PRECOPY_NO_DEVICE] = { "no_device", "no device can pre-copy" },
	[PRECOPY_DOWNTIME] = { "downtime", "what is left can be sent within the downtime limit" },
	[PRECOPY_CONVERGED] = { "converged", "what is left does not get less" },
	[PRECOPY_ROUNDS] = { "rounds", "the limit of rounds is reached" },
	[PRECOPY_TIME] = { "time", "the limit of time is reached" },
};

/**
 * precopy_init() - the defaults
 * @p: set up
 */
void precopy_init(struct precopy *p)
{
	*p = (struct precopy){
		.limits = { .downtime_ms = DOWNTIME_MS, .time_ms = TIME_MS },
		.least_left = UINT64_MAX,
	};
}

/* What a driver expects STOP_COPY to yield has the rest of pre-copy in it, or has not. */
static uint64_t left(const struct precopy_look *look)
{
	uint64_t now = look->initial_bytes + look->dirty_bytes;

	return look->stop_copy_bytes > now ? look->stop_copy_bytes : now;
}

/**
 * precopy_expected_ns() - how long would what is left take?
 * @look: how things stand
 *
 * As long as the bytes before, on average.
 *
 * Return: UINT64_MAX if nobody can know.
 */
uint64_t precopy_expected_ns(const struct precopy_look *look)
{
	if (!left(look))
		return 0;
	if (!look->bytes || !look->ns)
		return UINT64_MAX;
	return (uint64_t)((double)left(look) * (double)look->ns / (double)look->bytes);
}

/* Counts looks after which there was not less to send than ever before. */
static void note_progress(struct precopy *p)
{
	uint64_t now = left(&p->look);

	if (now < p->least_left) {
		p->least_left = now;
		p->in_vain = 0;
	} else if (p->look.bytes != p->sent) {
		p->in_vain++;
	}
	p->sent = p->look.bytes;
}

/**
 * precopy_decide() - is it time to switch over?
 * @p: the pre-copy; gets to know how things stand
 * @look: that
 *
 * Return: why it is, or PRECOPY_GOES_ON.
 */
enum precopy_why precopy_decide(struct precopy *p, const struct precopy_look *look)
{
	const struct precopy_limits *max = &p->limits;

	p->look = *look;
	if (!look->nr_devices)
		return p->why = PRECOPY_NO_DEVICE;
	if (look->elapsed_ms >= max->time_ms)
		return p->why = PRECOPY_TIME;
	if (max->rounds && look->most_rounds >= max->rounds)
		return p->why = PRECOPY_ROUNDS;
	/* a switchover now would have to wait for the destination */
	if (look->initial_bytes || !look->loaded)
		return p->why = PRECOPY_GOES_ON;
	if (precopy_expected_ns(look) <= (uint64_t)max->downtime_ms * 1000000)
		return p->why = PRECOPY_DOWNTIME;
	note_progress(p);
	/* all was sent, and only the stopped device has more */
	if ((look->least_rounds && !look->dirty_bytes) || p->in_vain >= IN_VAIN)
		return p->why = PRECOPY_CONVERGED;
	return p->why = PRECOPY_GOES_ON;
}

/**
 * precopy_why_name() - for programs
 * @why: the reason
 */
const char *precopy_why_name(enum precopy_why why)
{
	return whys[why].name;
}

/**
 * precopy_why_text() - for humans
 * @why: the reason
 */
const char *precopy_why_text(enum precopy_why why)
{
	return whys[why].text;
}

/**
 * precopy_json() - what came of it
 * @p: the pre-copy
 */
struct json_object *precopy_json(const struct precopy *p)
{
	struct json_object *o = json_object_new_object();
	uint64_t expected = precopy_expected_ns(&p->look);

	json_add_string(o, "switched_over", precopy_why_name(p->why));
	json_add_u64(o, "devices", p->look.nr_devices);
	json_add_bool(o, "loaded", p->look.loaded);
	json_add_u64(o, "rounds", p->look.most_rounds);
	json_add_u64(o, "bytes", p->look.bytes);
	json_add_u64(o, "ns", p->look.ns);
	json_add_u64(o, "initial_bytes", p->look.initial_bytes);
	json_add_u64(o, "dirty_bytes", p->look.dirty_bytes);
	json_add_u64(o, "stop_copy_bytes", p->look.stop_copy_bytes);
	if (expected != UINT64_MAX)
		json_add_u64(o, "expected_ns", expected);
	return o;
}
