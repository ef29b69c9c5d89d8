// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text tables, human units, messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "vfio_dev.h"

/**
 * output_error() - print a message to stderr
 * @fmt: without the newline
 */
void output_error(const char *fmt, ...)
{
	va_list ap;

	fputs("vfmig: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void add_cell(struct table *t, char *text)
{
	t->cells = model_grow(t->cells, t->n, sizeof(*t->cells));
	t->cells[t->n++] = text;
}

/**
 * table_begin() - begin a table
 * @t: the table
 * @columns: number of columns
 * @right: bit mask of columns aligned to the right
 * @header: their names
 */
void table_begin(struct table *t, unsigned int columns, unsigned int right,
		 const char * const *header)
{
	*t = (struct table){ .columns = columns, .right = right };
	for (unsigned int i = 0; i < columns; i++)
		table_cell(t, "%s", header[i]);
}

/**
 * table_cell() - add the next cell, row by row
 * @t: the table
 * @fmt: its text
 */
void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	add_cell(t, text);
}

/**
 * table_end() - print a table and free it
 * @t: the table
 * @out: where to
 */
void table_end(struct table *t, FILE *out)
{
	unsigned int width[16] = { 0 };
	unsigned int col;
	size_t i;

	for (i = 0; i < t->n; i++) {
		col = i % t->columns;
		if (strlen(t->cells[i]) > width[col])
			width[col] = (unsigned int)strlen(t->cells[i]);
	}
	for (i = 0; i < t->n; i++) {
		col = i % t->columns;
		if (col)
			fputs("  ", out);
		if (t->right & 1U << col)
			fprintf(out, "%*s", width[col], t->cells[i]);
		else if (col == t->columns - 1)
			fputs(t->cells[i], out);
		else
			fprintf(out, "%-*s", width[col], t->cells[i]);
		if (col == t->columns - 1)
			fputc('\n', out);
		free(t->cells[i]);
	}
	free(t->cells);
	*t = (struct table){ 0 };
}

/**
 * output_bytes() - bytes for humans
 * @buf: room for OUTPUT_UNIT_MAX
 * @bytes: the number
 */
const char *output_bytes(char *buf, uint64_t bytes)
{
	static const char * const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	unsigned int i = 0;

	if (bytes < 1024) {
		snprintf(buf, OUTPUT_UNIT_MAX, "%u B", (unsigned int)bytes);
		return buf;
	}
	while (value >= 1024 && i < 3) {
		value /= 1024;
		i++;
	}
	snprintf(buf, OUTPUT_UNIT_MAX, "%.1f %s", value, units[i]);
	return buf;
}

/**
 * output_ms() - nanoseconds as milliseconds, without the unit
 * @buf: room for OUTPUT_UNIT_MAX
 * @ns: the number; 0 is "-"
 */
const char *output_ms(char *buf, uint64_t ns)
{
	if (ns)
		snprintf(buf, OUTPUT_UNIT_MAX, "%.3f", (double)ns / 1e6);
	else
		strcpy(buf, "-");
	return buf;
}

/**
 * output_rate() - bytes a second for humans
 * @buf: room for OUTPUT_UNIT_MAX
 * @bytes: how many
 * @ns: in what time; 0 is "-"
 */
const char *output_rate(char *buf, uint64_t bytes, uint64_t ns)
{
	if (!ns) {
		strcpy(buf, "-");
		return buf;
	}
	output_bytes(buf, (uint64_t)((double)bytes * 1e9 / (double)ns));
	strcat(buf, "/s");
	return buf;
}

/**
 * output_migration() - names of VFIO_MIGRATION_* bits, with commas
 * @buf: room for OUTPUT_UNIT_MAX
 * @flags: the bits
 */
const char *output_migration(char *buf, uint32_t flags)
{
	snprintf(buf, OUTPUT_UNIT_MAX, "%s%s%s",
		 flags & VFIO_MIGRATION_STOP_COPY ? "stop-copy" : "-",
		 flags & VFIO_MIGRATION_P2P ? ",p2p" : "",
		 flags & VFIO_MIGRATION_PRE_COPY ? ",pre-copy" : "");
	return buf;
}

/**
 * output_policy() - names of the bits of a set's policy, with commas
 * @buf: room for OUTPUT_POLICY_MAX
 * @policy: the bits; those of a later kernel are left out
 */
const char *output_policy(char *buf, uint32_t policy)
{
	size_t len = 0;

	for (unsigned int i = 0; i < MODEL_NR_POLICIES; i++)
		if (policy & 1U << i)
			len += (size_t)snprintf(buf + len, OUTPUT_POLICY_MAX - len, "%s%s",
						len ? "," : "", model_policy_name(i));
	if (!len)
		strcpy(buf, policy ? "unknown" : "none");
	return buf;
}

/**
 * output_ready_file() - tell whoever waits that we are ready
 * @path: a file to make, or a FIFO that somebody reads
 *
 * Return: 0 or a negative errno.
 */
int output_ready_file(const char *path)
{
	static const char text[] = "ready\n";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, sizeof(text) - 1) < 0)
		ret = -errno;
	close(fd);
	return ret;
}
