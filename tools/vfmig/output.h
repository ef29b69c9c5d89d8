/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text tables, human units, JSON documents.
 */
#ifndef VFMIG_OUTPUT_H
#define VFMIG_OUTPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "model.h"

#define OUTPUT_UNIT_MAX 32
#define OUTPUT_POLICY_MAX 96

/**
 * struct table - text in columns
 * @columns: their number
 * @right: bit mask of the columns that are aligned to the right
 * @cells: row by row, the header first
 * @n: number of cells
 */
struct table {
	unsigned int columns;
	unsigned int right;
	char **cells;
	size_t n;
};

void table_begin(struct table *t, unsigned int columns, unsigned int right,
		 const char * const *header);
void table_cell(struct table *t, const char *fmt, ...)
	__attribute((format(printf, 2, 3)));
void table_end(struct table *t, FILE *out);

const char *output_bytes(char *buf, uint64_t bytes);
const char *output_ms(char *buf, uint64_t ns);
const char *output_rate(char *buf, uint64_t bytes, uint64_t ns);
const char *output_migration(char *buf, uint32_t flags);
const char *output_policy(char *buf, uint32_t policy);
void output_error(const char *fmt, ...) __attribute((format(printf, 1, 2)));
int output_ready_file(const char *path);

void json_add_u64(struct json_object *o, const char *key, uint64_t value);
void json_add_bool(struct json_object *o, const char *key, bool value);
void json_add_string(struct json_object *o, const char *key, const char *value);
void json_add_nonzero(struct json_object *o, const char *key, uint64_t value);
void json_add_nonempty(struct json_object *o, const char *key, const char *value);
void json_finish(struct json_object *o, FILE *out, bool one_line);

struct json_object *json_device(const struct device *dev);
struct json_object *json_devices(const struct device_list *list, bool hooked);
struct json_object *json_link(const struct link *link, const struct channel_list *channels);
struct json_object *json_links(const struct link_list *list);
struct json_object *json_session(const struct session *s);
struct json_object *json_sessions(const struct session_list *list, bool live_only);
struct json_object *json_event(const struct event *e);

/* json_set.c */
struct json_object *json_set(const struct set *set);
struct json_object *json_sets(const struct set_list *list);
struct json_object *json_set_policy(const struct set *set);
struct json_object *json_set_auto(const struct set_auto *a);
struct json_object *json_set_event(const struct set_event *e);

#endif /* VFMIG_OUTPUT_H */
