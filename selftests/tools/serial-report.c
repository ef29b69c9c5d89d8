// SPDX-License-Identifier: GPL-2.0-only
/* The times of a serial migration as JSON */

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "serial-vmm.h"

static const char *const phase_names[PHASES] = {
	[PHASE_SETUP] = "setup",
	[PHASE_QUIESCE] = "quiesce",
	[PHASE_STOP] = "stop",
	[PHASE_SAVE] = "save",
	[PHASE_STREAM] = "stream",
	[PHASE_LOAD] = "load",
	[PHASE_START] = "start",
};

static void add_u64(struct json_object *obj, const char *key, __u64 value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

static struct json_object *span_json(const struct serial_span *span)
{
	struct json_object *obj = json_object_new_object();

	add_u64(obj, "start_ns", span->start_ns);
	add_u64(obj, "end_ns", span->end_ns);
	add_u64(obj, "ns", span->end_ns - span->start_ns);
	return obj;
}

static struct json_object *device_json(const struct serial_report *report,
				       const struct vfio_set *set, int i)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *phases = json_object_new_object();
	char name[32];
	int phase;

	snprintf(name, sizeof(name), "pci/%s", set->dev[i].addr);
	json_object_object_add(obj, "device", json_object_new_string(name));
	add_u64(obj, "bytes", report->bytes[i]);
	for (phase = 0; phase < PHASES; phase++) {
		const struct serial_span *span = &report->phase[i][phase];

		if (span->end_ns)
			json_object_object_add(phases, phase_names[phase],
					       span_json(span));
	}
	json_object_object_add(obj, "phases", phases);
	return obj;
}

/**
 * serial_report_write() - write the report to a file
 * @report: the times
 * @set: the devices
 * @path: file to write
 *
 * Return: 0, or -1 after a message.
 */
int serial_report_write(const struct serial_report *report,
			const struct vfio_set *set, const char *path)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *devices = json_object_new_array();
	int i, ret;

	json_object_object_add(obj, "role",
			       json_object_new_string(report->role));
	json_object_object_add(obj, "total", span_json(&report->total));
	if (report->down.end_ns)
		json_object_object_add(obj, "downtime",
				       span_json(&report->down));
	for (i = 0; i < set->n; i++)
		json_object_array_add(devices, device_json(report, set, i));
	json_object_object_add(obj, "devices", devices);

	ret = json_object_to_file_ext(path, obj, JSON_C_TO_STRING_PRETTY);
	if (ret)
		fprintf(stderr, "%s: %s\n", path, json_util_get_last_err());
	json_object_put(obj);
	return ret ? -1 : 0;
}
