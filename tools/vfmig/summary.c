// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig without a command: what is hooked, which sets, links and sessions there are.
 */
#include <errno.h>
#include <stdlib.h>

#include "fetch.h"
#include "objects.h"
#include "output.h"
#include "session.h"
#include "set.h"

struct summary {
	struct device_list devices;
	struct set_list sets;
	struct set_auto set_auto;
	struct link_list links;
	struct session_list sessions;
	bool no_devices;
	bool no_sessions;
};

static void print_hooked(const struct device_list *list)
{
	static const char * const header[] = { "device", "driver", "session" };
	unsigned int hooked = 0;
	struct table t;

	for (size_t i = 0; i < list->n; i++)
		hooked += list->v[i].hooked;
	printf("%zu device%s can migrate, %u hooked\n", list->n, list->n == 1 ? "" : "s", hooked);
	if (!hooked)
		return;
	table_begin(&t, 3, 1U << 2, header);
	for (size_t i = 0; i < list->n; i++) {
		if (!list->v[i].hooked)
			continue;
		table_cell(&t, "%s", list->v[i].handle);
		table_cell(&t, "%s", list->v[i].driver);
		if (list->v[i].session)
			table_cell(&t, "%u", list->v[i].session);
		else
			table_cell(&t, "-");
	}
	table_end(&t, stdout);
}

static void print_sets(const struct summary *sum)
{
	const struct set_list *list = &sum->sets;

	printf("\n%zu set%s, automatic sets are %s\n", list->n, list->n == 1 ? "" : "s",
	       sum->set_auto.enabled ? "on" : "off");
	if (list->n)
		set_print(list);
}

static void print_links(const struct link_list *list)
{
	printf("\n%zu link%s\n", list->n, list->n == 1 ? "" : "s");
	for (size_t i = 0; i < list->n; i++) {
		const struct link *l = &list->v[i];

		printf("%s: %s, %u channel%s%s%s\n", l->name, model_link_state_name(l->state),
		       l->channels, l->channels == 1 ? "" : "s", l->error[0] ? ", " : "",
		       l->error);
	}
}

static void print_summary(const struct summary *sum)
{
	unsigned int live = 0;

	if (!sum->no_devices) {
		print_hooked(&sum->devices);
		print_sets(sum);
	}
	print_links(&sum->links);
	if (sum->no_sessions)
		return;
	for (size_t i = 0; i < sum->sessions.n; i++)
		live += model_session_lives(&sum->sessions.v[i]);
	printf("\n%u session%s alive\n", live, live == 1 ? "" : "s");
	if (live)
		session_print(&sum->sessions, true);
}

static void print_summary_json(const struct summary *sum)
{
	struct json_object *o = json_object_new_object();

	if (!sum->no_devices) {
		json_object_object_add(o, "hooked", json_devices(&sum->devices, true));
		json_object_object_add(o, "sets", json_sets(&sum->sets));
		json_object_object_add(o, "set_auto", json_set_auto(&sum->set_auto));
	}
	json_object_object_add(o, "links", json_links(&sum->links));
	if (!sum->no_sessions)
		json_object_object_add(o, "sessions", json_sessions(&sum->sessions, true));
	json_finish(o, stdout, false);
}

/*
 * Devices and their sets are seen in the initial network namespace only, sessions by
 * root only: what one may not see is left out, with a remark.
 */
static int may_skip(const struct genl *g, const char *what, bool *skipped)
{
	int ret = genl_complain(g, "cannot list", what);

	*skipped = g->error == EPERM;
	return *skipped ? VFMIG_OK : ret;
}

static int fetch_summary(struct genl *g, struct summary *sum)
{
	int ret = 0;

	if (fetch_devices(g, NULL, &sum->devices))
		ret = may_skip(g, "devices", &sum->no_devices);
	if (!ret && !sum->no_devices &&
	    (fetch_sets(g, NULL, &sum->sets) || fetch_set_auto(g, &sum->set_auto)))
		ret = genl_complain(g, "cannot list sets", "");
	if (!ret && fetch_links(g, NULL, &sum->links))
		ret = genl_complain(g, "cannot list links", "");
	if (!ret && fetch_sessions(g, 0, &sum->sessions))
		ret = may_skip(g, "sessions", &sum->no_sessions);
	return ret;
}

int summary_run(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct summary sum = { 0 };
	struct genl g;
	int ret;

	(void)cmd;
	(void)argc;
	(void)argv;
	if (genl_open(&g, app))
		return app->status;
	ret = fetch_summary(&g, &sum);
	if (!ret && app->json)
		print_summary_json(&sum);
	else if (!ret)
		print_summary(&sum);
	free(sum.devices.v);
	model_sets_free(&sum.sets);
	free(sum.links.v);
	model_sessions_free(&sum.sessions);
	genl_close(&g);
	return ret;
}
