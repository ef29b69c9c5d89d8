// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig session: list, show, timeline.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "libvfmig.h"
#include "objects.h"
#include "output.h"
#include "parse.h"
#include "session.h"
#include "timeline.h"

enum { OPT_SVG = 256 };

static const struct option_desc timeline_options[] = {
	{ OPT_SVG, "svg", "FILE", "write a picture there instead of printing text" },
	{ }
};

/* The last milestone that says how far a session is. */
static const char *progress_name(const struct session *s)
{
	uint32_t bits = s->milestones & ~(uint32_t)VFIO_MIGMUX_MILESTONE_BATCH;

	if (bits & VFIO_MIGMUX_MILESTONE_FAILED)
		return "failed";
	return bits ? vfmig_milestone_name(31 - (uint32_t)__builtin_clz(bits)) : "-";
}

static uint64_t total_bytes(const struct session *s)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < s->nr_devices; i++)
		bytes += s->devices[i].t.bytes;
	return bytes;
}

/**
 * session_print() - sessions as a table
 * @list: the sessions
 * @live_only: leave out records of closed ones
 */
void session_print(const struct session_list *list, bool live_only)
{
	static const char * const header[] = {
		"session", "role", "pid", "command", "link", "devices", "bytes", "reached", "alive",
	};
	char buf[OUTPUT_UNIT_MAX];
	struct table t;

	table_begin(&t, 9, 1U << 0 | 1U << 2 | 1U << 5 | 1U << 6, header);
	for (size_t i = 0; i < list->n; i++) {
		const struct session *s = &list->v[i];

		if (live_only && s->closed)
			continue;
		table_cell(&t, "%u", s->id);
		table_cell(&t, "%s", model_role_name(s->role));
		table_cell(&t, "%u", s->pid);
		table_cell(&t, "%s", s->comm);
		table_cell(&t, "%s", s->link[0] ? s->link : "-");
		table_cell(&t, "%u", s->nr_devices);
		table_cell(&t, "%s", output_bytes(buf, total_bytes(s)));
		table_cell(&t, "%s", progress_name(s));
		table_cell(&t, "%s", s->closed ? "closed" : "yes");
	}
	table_end(&t, stdout);
}

/**
 * session_json() - sessions as an array
 * @list: the sessions
 * @live_only: leave out records of closed ones
 */
struct json_object *session_json(const struct session_list *list, bool live_only)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		if (!live_only || !list->v[i].closed)
			json_object_array_add(array, json_session(&list->v[i]));
	return array;
}

int session_list(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct session_list list = { 0 };
	struct genl g;
	int ret;

	if (command_option(app, cmd, argc, argv) < 0)
		return app->status;
	if (command_args(app, cmd, argc, argv) < 0)
		return app->status;
	ret = genl_open(&g);
	if (ret)
		return ret;
	if (fetch_sessions(&g, 0, &list))
		ret = genl_complain(&g, "cannot list sessions", "");
	else if (app->json)
		json_finish(session_json(&list, false), stdout, false);
	else
		session_print(&list, false);
	model_sessions_free(&list);
	genl_close(&g);
	return ret;
}

static int fetch_one(const char *id_text, uint32_t id, struct session_list *list)
{
	struct genl g;
	int ret = genl_open(&g);

	if (ret)
		return ret;
	if (fetch_sessions(&g, id, list))
		ret = genl_complain(&g, "cannot show session", id_text);
	else if (!list->n)
		ret = VFMIG_MISSING;
	genl_close(&g);
	return ret;
}

static void print_session(const struct session *s)
{
	char buf[OUTPUT_UNIT_MAX];

	printf("session %u: %s, %s\n", s->id, model_role_name(s->role),
	       s->closed ? "closed" : "alive");
	printf("  process   %u (%s)\n", s->pid, s->comm);
	if (s->link[0])
		printf("  link      %s\n", s->link);
	printf("  reached   %s\n", progress_name(s));
	if (s->error)
		printf("  error     %s\n", s->error_text[0] ? s->error_text :
		       strerror((int)s->error));
	printf("  staging   %s at most", output_bytes(buf, s->staging_peak));
	printf(" of %s\n\n", output_bytes(buf, s->staging_budget));
	if (s->nr_devices)
		timeline_print_table(stdout, s);
}

/* The session that a command's only argument names. */
static int take_session(struct app *app, const struct command *cmd, int argc, char **argv,
			struct session_list *list)
{
	const char *wrong;
	uint32_t id;

	if (command_args(app, cmd, argc, argv) < 0)
		return app->status;
	wrong = parse_u32(argv[optind], 1, UINT32_MAX, &id);
	if (wrong)
		return command_usage(app, "%s: %s", argv[optind], wrong);
	return fetch_one(argv[optind], id, list);
}

static int session_show(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct session_list list = { 0 };
	int ret;

	if (command_option(app, cmd, argc, argv) < 0)
		return app->status;
	ret = take_session(app, cmd, argc, argv, &list);
	if (ret)
		return ret;
	if (app->json)
		json_finish(json_session(&list.v[0]), stdout, false);
	else
		print_session(&list.v[0]);
	model_sessions_free(&list);
	return VFMIG_OK;
}

static int write_svg(const struct session *s, const char *path)
{
	FILE *out = strcmp(path, "-") ? fopen(path, "we") : stdout;
	int bad;

	if (!out) {
		output_error("cannot write %s: %s", path, strerror(errno));
		return VFMIG_REFUSED;
	}
	timeline_svg(out, s);
	bad = fflush(out) || ferror(out);
	if (out != stdout)
		bad |= fclose(out);
	if (bad)
		output_error("cannot write %s: %s", path, strerror(errno));
	return bad ? VFMIG_REFUSED : VFMIG_OK;
}

static int session_timeline(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct session_list list = { 0 };
	const char *svg = NULL;
	int ret, opt;

	while ((opt = command_option(app, cmd, argc, argv)) > 0)
		if (opt == OPT_SVG)
			svg = optarg;
	if (opt < 0)
		return app->status;
	ret = take_session(app, cmd, argc, argv, &list);
	if (ret)
		return ret;
	if (svg)
		ret = write_svg(&list.v[0], svg);
	if (app->json)
		json_finish(json_session(&list.v[0]), stdout, false);
	else if (!svg)
		timeline_print(stdout, &list.v[0]);
	model_sessions_free(&list);
	return ret;
}

const struct command session_commands[] = {
	{
		.name = "list", .run = session_list,
		.help = "list the sessions, the last closed ones too",
	}, {
		.name = "show", .args = "ID", .run = session_show,
		.min_args = 1, .max_args = 1,
		.help = "show a session and what became of its devices",
	}, {
		.name = "timeline", .args = "ID", .run = session_timeline,
		.options = timeline_options, .min_args = 1, .max_args = 1,
		.help = "show when each device was in which phase",
	},
	{ }
};
