// SPDX-License-Identifier: GPL-2.0-only
/*
 * Do the two ends of a migration fit?
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "output.h"
#include "vfio_dev.h"

/* A row that agrees, for the caller to fill. */
static struct compare_row *add(struct compare *c, const char *device, const char *what)
{
	struct compare_row *row;

	c->rows = model_grow(c->rows, c->n, sizeof(*c->rows));
	row = &c->rows[c->n++];
	snprintf(row->device, sizeof(row->device), "%s", device);
	row->what = what;
	return row;
}

static void __attribute((format(printf, 3, 4)))
differs(struct compare *c, struct compare_row *row, const char *fmt, ...)
{
	va_list ap;

	row->result = COMPARE_DIFFERS;
	c->differs++;
	va_start(ap, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, ap);
	va_end(ap);
}

static const struct compare_device *find(const struct compare_end *end, const char *idstr)
{
	for (uint32_t i = 0; i < end->nr_devices; i++)
		if (!strcmp(end->devices[i].idstr, idstr))
			return &end->devices[i];
	return NULL;
}

static void put(char *value, const char *text)
{
	snprintf(value, VFIO_MIGMUX_IDSTR_SIZE, "%s", text);
}

static void compare_driver(struct compare *c, const struct compare_device *here,
			   const struct compare_device *there)
{
	struct compare_row *row = add(c, here->handle, "driver");

	put(row->here, here->driver);
	put(row->there, there->driver);
	if (strcmp(here->driver, there->driver))
		differs(c, row, "%s: its driver is %s here, and %s at the other end",
			here->handle, here->driver, there->driver);
}

static void compare_p2p(struct compare *c, const struct compare_device *here,
			const struct compare_device *there, bool needed)
{
	const bool can_here = here->migration_flags & VFIO_MIGRATION_P2P;
	const bool can_there = there->migration_flags & VFIO_MIGRATION_P2P;
	struct compare_row *row = add(c, here->handle, "P2P");

	put(row->here, can_here ? "yes" : "no");
	put(row->there, can_there ? "yes" : "no");
	if (can_here && !can_there)
		differs(c, row, "%s: it can do P2P here, but not at the other end",
			here->handle);
	else if (!can_here && needed)
		differs(c, row, "%s: it cannot do P2P, which several devices need; see --no-p2p",
			here->handle);
	else if (!can_here && can_there)
		row->result = COMPARE_MORE;
}

static void put_precopy(char *value, uint32_t version)
{
	if (version)
		snprintf(value, VFIO_MIGMUX_IDSTR_SIZE, "version %u", version);
	else
		put(value, "no");
}

static void compare_precopy(struct compare *c, const struct compare_device *here,
			    const struct compare_device *there)
{
	struct compare_row *row = add(c, here->handle, "pre-copy");

	put_precopy(row->here, here->precopy_version);
	put_precopy(row->there, there->precopy_version);
	if (here->precopy_version && !there->precopy_version)
		differs(c, row, "%s: it can pre-copy here, but not at the other end",
			here->handle);
	else if (here->precopy_version > there->precopy_version)
		differs(c, row, "%s: its pre-copy has version %u here, and %u at the other end",
			here->handle, here->precopy_version, there->precopy_version);
	else if (here->precopy_version < there->precopy_version)
		row->result = COMPARE_MORE;
}

static void compare_state(struct compare *c, const struct compare_device *here,
			  const struct compare_end *there)
{
	struct compare_row *row = add(c, here->handle, "state");
	char expected[OUTPUT_UNIT_MAX] = "unknown", most[OUTPUT_UNIT_MAX];

	if (here->stop_copy_bytes != COMPARE_UNKNOWN)
		output_bytes(expected, here->stop_copy_bytes);
	put(row->here, expected);
	if (!there->max_state) {
		put(row->there, "any");
		return;
	}
	output_bytes(most, there->max_state);
	snprintf(row->there, sizeof(row->there), "at most %s", most);
	if (here->stop_copy_bytes != COMPARE_UNKNOWN &&
	    here->stop_copy_bytes > there->max_state)
		differs(c, row, "%s: %s of state are expected, and the other end takes %s of a device",
			here->handle, expected, most);
}

static void compare_device(struct compare *c, const struct compare_device *dev,
			   const struct compare_end *here, const struct compare_end *there)
{
	const struct compare_device *other = find(there, dev->idstr);
	struct compare_row *row = add(c, dev->handle, "identity");

	put(row->here, dev->idstr);
	put(row->there, other ? dev->idstr : "-");
	if (!other) {
		differs(c, row, "%s: the other end has no device with the identity '%s'",
			dev->handle, dev->idstr);
		return;
	}
	compare_driver(c, dev, other);
	compare_p2p(c, dev, other, here->nr_devices > 1 && !here->no_p2p);
	compare_precopy(c, dev, other);
	compare_state(c, dev, there);
}

static void compare_stranger(struct compare *c, const struct compare_device *dev)
{
	struct compare_row *row = add(c, dev->idstr, "identity");

	put(row->here, "-");
	put(row->there, dev->idstr);
	differs(c, row, "the other end has a device with the identity '%s', which is not here",
		dev->idstr);
}

static void compare_count(struct compare *c, const struct compare_end *here,
			  const struct compare_end *there)
{
	struct compare_row *row = add(c, "", "devices");

	snprintf(row->here, sizeof(row->here), "%u", here->nr_devices);
	snprintf(row->there, sizeof(row->there), "%u", there->nr_devices);
	if (here->nr_devices != there->nr_devices)
		differs(c, row, "number of devices: %u here, and %u at the other end",
			here->nr_devices, there->nr_devices);
}

static void compare_option(struct compare *c, const char *what, const char *option, bool here,
			   bool there)
{
	struct compare_row *row = add(c, "", what);

	put(row->here, here ? "yes" : "no");
	put(row->there, there ? "yes" : "no");
	if (here != there)
		differs(c, row, "%s is used %s: use it on both ends or on none", option,
			here ? "here, but not at the other end" : "at the other end, but not here");
}

/**
 * compare_ends() - compare what is to be sent with what waits for it
 * @c: the result; to be freed with compare_free()
 * @here: the source
 * @there: the destination
 *
 * A destination that can do more than is needed is no hindrance.
 */
void compare_ends(struct compare *c, const struct compare_end *here,
		  const struct compare_end *there)
{
	*c = (struct compare){ 0 };
	compare_count(c, here, there);
	for (uint32_t i = 0; i < here->nr_devices; i++)
		compare_device(c, &here->devices[i], here, there);
	for (uint32_t i = 0; i < there->nr_devices; i++)
		if (!find(here, there->devices[i].idstr))
			compare_stranger(c, &there->devices[i]);
	compare_option(c, "verification", "--verify", here->verify, there->verify);
	compare_option(c, "shared channels", "--shared", here->shared, there->shared);
}

/**
 * compare_free() - forget a comparison
 * @c: empty afterwards
 */
void compare_free(struct compare *c)
{
	free(c->rows);
	*c = (struct compare){ 0 };
}

/**
 * compare_result_name() - for tables and programs
 * @result: of a row
 */
const char *compare_result_name(enum compare_result result)
{
	return result == COMPARE_AGREES ? "agrees" :
	       result == COMPARE_MORE ? "more" : "differs";
}

static struct json_object *row_json(const struct compare_row *row)
{
	struct json_object *o = json_object_new_object();

	json_add_nonempty(o, "device", row->device);
	json_add_string(o, "what", row->what);
	json_add_string(o, "here", row->here);
	json_add_string(o, "there", row->there);
	json_add_string(o, "result", compare_result_name(row->result));
	json_add_nonempty(o, "text", row->text);
	return o;
}

static struct json_object *end_json(const struct compare_end *end, bool here)
{
	struct json_object *devices = json_object_new_array();
	struct json_object *o = json_object_new_object();
	struct json_object *d;

	for (uint32_t i = 0; i < end->nr_devices; i++) {
		const struct compare_device *dev = &end->devices[i];

		d = json_object_new_object();
		json_add_nonempty(d, "handle", dev->handle);
		json_add_string(d, "idstr", dev->idstr);
		json_add_string(d, "driver", dev->driver);
		json_add_u64(d, "migration_flags", dev->migration_flags);
		json_add_u64(d, "precopy_version", dev->precopy_version);
		if (here && dev->stop_copy_bytes != COMPARE_UNKNOWN)
			json_add_u64(d, "stop_copy_bytes", dev->stop_copy_bytes);
		json_object_array_add(devices, d);
	}
	json_add_bool(o, "verify", end->verify);
	json_add_bool(o, "shared", end->shared);
	if (!here) {
		json_add_u64(o, "staging_budget", end->staging);
		json_add_nonzero(o, "max_state", end->max_state);
	}
	json_object_object_add(o, "devices", devices);
	return o;
}

/**
 * compare_json() - the comparison and what it is of
 * @c: the comparison
 * @here: the source
 * @there: the destination
 */
struct json_object *compare_json(const struct compare *c, const struct compare_end *here,
				 const struct compare_end *there)
{
	struct json_object *rows = json_object_new_array();
	struct json_object *o = json_object_new_object();

	json_add_bool(o, "fits", !c->differs);
	for (uint32_t i = 0; i < c->n; i++)
		json_object_array_add(rows, row_json(&c->rows[i]));
	json_object_object_add(o, "compared", rows);
	json_object_object_add(o, "here", end_json(here, true));
	json_object_object_add(o, "there", end_json(there, false));
	return o;
}
