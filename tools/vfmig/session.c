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

const struct option_desc timeline_options[] = {
	{ OPT_SVG, "svg", "FILE", "write a picture there instead of printing text" },
	{ }
};

/* The last milestone that says how far a session is. */
static const char *progress_name(const struct session *s)
{
	uint32_t bits = s->milestones & ~(uint32_t)VFIO_MIGMUX_MILESTONE_BATCH;
	unsigned int last = MODEL_NR_MILESTONES;

	if (bits & VFIO_MIGMUX_MILESTONE_FAILED)
		return "failed";
	for (unsigned int i = 0; i < MODEL_NR_MILESTONES; i++)
		if (bits & 1U << i && (last == MODEL_NR_MILESTONES ||
				       s->milestone_ns[i] >= s->milestone_ns[last]))
			last = i;
	return last < MODEL_NR_MILESTONES ? vfmig_milestone_name(last) : "-";
}

static uint64_t total_bytes(const struct session *s)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < s->nr_devices; i++)
		bytes += s->devices[i].t.bytes;
	return bytes;
}

/* The timeline of a set's last switchover goes on until the next one begins. */
static const char *age_name(const struct session *s)
{
	if (s->closed)
		return "closed";
	return s->set[0] ? "latest" : "yes";
}

/**
 * session_print() - sessions as a table
 * @list: the sessions
 * @live_only: leave out records
 */
void session_print(const struct session_list *list, bool live_only)
{
	static const char * const header[] = {
		"session", "role", "pid", "command", "link", "set", "devices", "bytes", "reached",
		"alive",
	};
	char buf[OUTPUT_UNIT_MAX];
	struct table t;

	table_begin(&t, 10, 1U << 0 | 1U << 2 | 1U << 6 | 1U << 7, header);
	for (size_t i = 0; i < list->n; i++) {
		const struct session *s = &list->v[i];

		if (live_only && !model_session_lives(s))
			continue;
		table_cell(&t, "%u", s->id);
		table_cell(&t, "%s", model_role_name(s->role));
		table_cell(&t, "%u", s->pid);
		table_cell(&t, "%s", s->comm);
		table_cell(&t, "%s", s->link[0] ? s->link : "-");
		table_cell(&t, "%s", s->set[0] ? s->set : "-");
		table_cell(&t, "%u", s->nr_devices);
		table_cell(&t, "%s", output_bytes(buf, total_bytes(s)));
		table_cell(&t, "%s", progress_name(s));
		table_cell(&t, "%s", age_name(s));
	}
	table_end(&t, stdout);
}

int session_list(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct session_list list = { 0 };
	struct genl g;

	if (command_only_args(app, cmd, argc, argv) < 0 || genl_open(&g, app))
		return app->status;
	if (fetch_sessions(&g, 0, &list))
		app->status = genl_complain(&g, "cannot list sessions", "");
	else if (app->json)
		json_finish(json_sessions(&list, false), stdout, false);
	else
		session_print(&list, false);
	model_sessions_free(&list);
	genl_close(&g);
	return app->status;
}

static int fetch_one(struct app *app, uint32_t id, struct session_list *list)
{
	struct genl g;
	char text[16];

	if (genl_open(&g, app))
		return app->status;
	snprintf(text, sizeof(text), "%u", id);
	if (fetch_sessions(&g, id, list))
		app->status = genl_complain(&g, "cannot show session", text);
	else if (!list->n)
		app->status = VFMIG_MISSING;
	genl_close(&g);
	return app->status;
}

/* Which device has which, if they differ, is in the JSON. */
static void print_methods(const struct session *s)
{
	uint32_t seen = 0;
	const char *sep = "";

	for (uint32_t i = 0; i < s->nr_devices; i++)
		if (s->devices[i].has_method)
			seen |= 1U << (s->devices[i].read_method & 31);
	if (!seen)
		return;
	printf("  method    ");
	for (uint32_t method = 0; method < 32; method++) {
		if (!(seen & 1U << method))
			continue;
		printf("%s%s", sep, model_read_method_name(method));
		sep = ", ";
	}
	putchar('\n');
}

static void print_targets(const struct session *s)
{
	char buf[OUTPUT_UNIT_MAX];

	for (uint32_t i = 0; i < s->nr_targets; i++) {
		const struct session_target *t = &s->targets[i];

		printf("  memory    %s", output_bytes(buf, t->mapped));
		printf(" of %s mapped by %s", output_bytes(buf, t->bytes),
		       model_dma_kind_name(t->kind));
		if (t->failed)
			printf(", %u of %u ranges cannot be mapped", t->failed, t->ranges);
		putchar('\n');
	}
}

static void print_session(const struct session *s)
{
	char buf[OUTPUT_UNIT_MAX];

	printf("session %u: %s, %s\n", s->id, model_role_name(s->role),
	       model_session_lives(s) ? "alive" : age_name(s));
	if (s->pid)
		printf("  process   %u (%s)\n", s->pid, s->comm);
	if (s->link[0])
		printf("  link      %s\n", s->link);
	if (s->set[0])
		printf("  set       %s, moved by its VMM\n", s->set);
	else
		printf("  reached   %s\n", progress_name(s));
	if (s->error)
		printf("  error     %s\n", s->error_text[0] ? s->error_text :
		       strerror((int)s->error));
	if (!s->set[0]) {
		printf("  staging   %s at most", output_bytes(buf, s->staging_peak));
		printf(" of %s", output_bytes(buf, s->staging_budget));
		if (s->spill_peak)
			printf(", and %s beyond it", output_bytes(buf, s->spill_peak));
		putchar('\n');
		print_methods(s);
		print_targets(s);
	}
	putchar('\n');
	if (s->nr_devices)
		timeline_print_table(stdout, s);
}

static const char *check_id(const char *arg)
{
	uint32_t id;

	return parse_u32(arg, 1, UINT32_MAX, &id);
}

static int session_show(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *id = command_name(app, cmd, argc, argv, check_id);
	struct session_list list = { 0 };

	if (!id || fetch_one(app, (uint32_t)strtoul(id, NULL, 10), &list))
		return app->status;
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

/**
 * session_timeline_option() - the options of a command that shows a timeline
 * @app: the run
 * @cmd: the command, with timeline_options
 * @argc: as given to the command
 * @argv: as given to the command
 * @svg: set to the file of --svg, if there is one
 *
 * Return: 0, or -1 when the run is over, with app->status set.
 */
int session_timeline_option(struct app *app, const struct command *cmd, int argc, char **argv,
			    const char **svg)
{
	int opt;

	while ((opt = command_option(app, cmd, argc, argv)) > 0)
		if (opt == OPT_SVG)
			*svg = optarg;
	return opt;
}

/**
 * session_timeline_show() - show the timeline of a session or of a set's switchover
 * @app: the run
 * @id: the session
 * @svg: where to draw a picture instead of printing text, or NULL
 *
 * Return: the exit code.
 */
int session_timeline_show(struct app *app, uint32_t id, const char *svg)
{
	struct session_list list = { 0 };
	int ret = VFMIG_OK;

	if (fetch_one(app, id, &list))
		return app->status;
	if (svg)
		ret = write_svg(&list.v[0], svg);
	if (app->json)
		json_finish(json_session(&list.v[0]), stdout, false);
	else if (!svg)
		timeline_print(stdout, &list.v[0]);
	model_sessions_free(&list);
	return ret;
}

static int session_timeline(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *svg = NULL;
	const char *id;

	if (session_timeline_option(app, cmd, argc, argv, &svg) < 0)
		return app->status;
	id = command_name(app, cmd, argc, argv, check_id);
	if (!id)
		return app->status;
	return session_timeline_show(app, (uint32_t)strtoul(id, NULL, 10), svg);
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
