// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig set: list, show, timeline. What changes sets is in set_change.c.
 */
#include <getopt.h>

#include "fetch.h"
#include "objects.h"
#include "output.h"
#include "parse.h"
#include "session.h"
#include "set.h"

/* Columns that sets and members have in common. */
#define COUNTER_NAMES "early", "claims", "back", "errors", "saved ms"

static void counter_cells(struct table *t, const struct set_counters *c)
{
	char buf[OUTPUT_UNIT_MAX];

	table_cell(t, "%u", c->early_starts);
	table_cell(t, "%u", c->claims);
	table_cell(t, "%u", c->take_backs);
	table_cell(t, "%u", c->errors);
	table_cell(t, "%s", output_ms(buf, c->saved_ns));
}

/**
 * set_print() - sets as a table
 * @list: the sets
 */
void set_print(const struct set_list *list)
{
	static const char * const header[] = {
		"set", "auto", "members", "policy", "pid", COUNTER_NAMES,
	};
	char buf[OUTPUT_POLICY_MAX];
	struct table t;

	table_begin(&t, 10, 1U << 2 | 0x3fU << 4, header);
	for (size_t i = 0; i < list->n; i++) {
		const struct set *s = &list->v[i];

		table_cell(&t, "%s", s->name);
		table_cell(&t, "%s", s->automatic ? "yes" : "no");
		table_cell(&t, "%u", s->nr_members);
		table_cell(&t, "%s", output_policy(buf, s->config.policy));
		if (s->pid)
			table_cell(&t, "%u", s->pid);
		else
			table_cell(&t, "-");
		counter_cells(&t, &s->counters);
	}
	table_end(&t, stdout);
}

int set_list(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct set_list list = { 0 };
	struct genl g;

	if (command_only_args(app, cmd, argc, argv) < 0 || genl_open(&g, app))
		return app->status;
	if (fetch_sets(&g, NULL, &list))
		app->status = genl_complain(&g, "cannot list sets", "");
	else if (app->json)
		json_finish(json_sets(&list), stdout, false);
	else
		set_print(&list);
	model_sets_free(&list);
	genl_close(&g);
	return app->status;
}

/**
 * set_print_config() - what an operator has chosen, a line each
 * @config: that
 */
void set_print_config(const struct set_config *config)
{
	char buf[OUTPUT_POLICY_MAX];

	printf("  policy         %s\n", output_policy(buf, config->policy));
	if (config->max_parallel)
		printf("  max parallel   %u\n", config->max_parallel);
	else
		printf("  max parallel   no limit\n");
	printf("  claim timeout  %u ms\n", config->claim_timeout_ms);
	printf("  without P2P    %s\n", config->allow_no_p2p ? "allowed" : "refused");
}

/* How far the member takes part: driven ones are started early. */
static const char *member_status(const struct set_member *m)
{
	if (!m->present)
		return "absent";
	if (m->pending)
		return "pending";
	return m->driven ? "driven" : "idle";
}

static void print_members(const struct set *s)
{
	static const char * const header[] = { "member", "is", COUNTER_NAMES };
	struct table t;

	table_begin(&t, 7, 0x1fU << 2, header);
	for (uint32_t i = 0; i < s->nr_members; i++) {
		table_cell(&t, "%s", s->members[i].handle);
		table_cell(&t, "%s", member_status(&s->members[i]));
		counter_cells(&t, &s->members[i].counters);
	}
	table_cell(&t, "total");
	table_cell(&t, " ");
	counter_cells(&t, &s->counters);
	table_end(&t, stdout);
}

static void print_set(const struct set *s)
{
	printf("%s\n", s->name);
	if (s->automatic)
		printf("  made for       the process that drives its members\n");
	set_print_config(&s->config);
	if (s->pid)
		printf("  process        %u\n", s->pid);
	if (s->timeline)
		printf("  timeline       session %u\n", s->timeline);
	putchar('\n');
	print_members(s);
}

static int set_show(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *name = command_name(app, cmd, argc, argv, parse_name);
	struct set_list list = { 0 };
	struct genl g;

	if (!name || genl_open(&g, app))
		return app->status;
	if (fetch_sets(&g, name, &list))
		app->status = genl_complain(&g, "cannot show set", name);
	else if (list.n && app->json)
		json_finish(json_set(&list.v[0]), stdout, false);
	else if (list.n)
		print_set(&list.v[0]);
	model_sets_free(&list);
	genl_close(&g);
	return app->status;
}

/* The number of the record of the last switchover, 0 after it said why there is none. */
static uint32_t find_timeline(struct app *app, const char *name)
{
	struct set_list list = { 0 };
	uint32_t id = 0;
	struct genl g;

	if (genl_open(&g, app))
		return 0;
	if (fetch_sets(&g, name, &list)) {
		app->status = genl_complain(&g, "cannot show set", name);
	} else if (list.n && list.v[0].timeline) {
		id = list.v[0].timeline;
	} else {
		output_error("set %s has no timeline: its members have not been moved yet", name);
		app->status = VFMIG_MISSING;
	}
	model_sets_free(&list);
	genl_close(&g);
	return id;
}

static int set_timeline(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *name, *svg = NULL;
	uint32_t id;

	if (session_timeline_option(app, cmd, argc, argv, &svg) < 0)
		return app->status;
	name = command_name(app, cmd, argc, argv, parse_name);
	if (!name)
		return app->status;
	id = find_timeline(app, name);
	return id ? session_timeline_show(app, id, svg) : app->status;
}

const struct command set_commands[] = {
	{
		.name = "list", .run = set_list,
		.help = "list the sets, the automatic ones too",
	}, {
		.name = "show", .args = "SET", .run = set_show,
		.min_args = 1, .max_args = 1,
		.help = "show a set and its members",
	}, {
		.name = "add", .args = "SET DEV...", .run = set_add,
		.options = set_options, .min_args = 2, .max_args = -1,
		.help = "add members; make the set if there is none",
	}, {
		.name = "del", .args = "SET [DEV...]", .run = set_del,
		.min_args = 1, .max_args = -1,
		.help = "delete a set, or take members out of it",
	}, {
		.name = "policy", .args = "SET [WORD...]", .run = set_policy,
		.options = set_options + 1, .min_args = 1, .max_args = -1,
		.help = "print or set: none stop copy start resume setup barrier",
	}, {
		.name = "timeline", .args = "SET", .run = set_timeline,
		.options = timeline_options, .min_args = 1, .max_args = 1,
		.help = "show the set's last switchover, device by device",
	}, {
		.name = "auto", .args = "[on|off]", .run = set_auto,
		.options = set_options, .max_args = 1,
		.help = "print, or change, whether sets are made by themselves",
	},
	{ }
};
