// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig link: list, show, del. The other commands are in link_make.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "link.h"
#include "objects.h"
#include "output.h"
#include "parse.h"

static void print_links(const struct link_list *list)
{
	static const char * const header[] = { "link", "state", "channels", "session", "error" };
	struct table t;

	table_begin(&t, 5, 1U << 2 | 1U << 3, header);
	for (size_t i = 0; i < list->n; i++) {
		const struct link *l = &list->v[i];

		table_cell(&t, "%s", l->name);
		table_cell(&t, "%s", model_link_state_name(l->state));
		table_cell(&t, "%u", l->channels);
		if (l->session)
			table_cell(&t, "%u", l->session);
		else
			table_cell(&t, "-");
		table_cell(&t, "%s", l->error[0] ? l->error : "-");
	}
	table_end(&t, stdout);
}

int link_list(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct link_list list = { 0 };
	struct genl g;

	if (command_only_args(app, cmd, argc, argv) < 0 || genl_open(&g, app))
		return app->status;
	if (fetch_links(&g, NULL, &list))
		app->status = genl_complain(&g, "cannot list links", "");
	else if (app->json)
		json_finish(json_links(&list), stdout, false);
	else
		print_links(&list);
	free(list.v);
	genl_close(&g);
	return app->status;
}

static void print_link(const struct link *l, const struct channel_list *channels)
{
	static const char * const header[] = {
		"  channel", "local", "peer", "method", "tls", "sent", "received",
	};
	char buf[OUTPUT_UNIT_MAX];
	struct table t;

	printf("%s: %s", l->name, model_link_state_name(l->state));
	if (l->session)
		printf(", session %u", l->session);
	if (l->error[0])
		printf(", %s", l->error);
	putchar('\n');
	table_begin(&t, 7, 1U << 0 | 1U << 5 | 1U << 6, header);
	for (size_t i = 0; i < channels->n; i++) {
		const struct channel *ch = &channels->v[i];

		table_cell(&t, "%u", ch->id);
		table_cell(&t, "%s", ch->local);
		table_cell(&t, "%s", ch->peer);
		table_cell(&t, "%s", model_send_method_name(ch->send_method));
		if (ch->tls_version)
			table_cell(&t, "%s %s", model_tls_version_name(ch->tls_version),
				   model_tls_cipher_name(ch->tls_cipher));
		else
			table_cell(&t, "-");
		table_cell(&t, "%s", output_bytes(buf, ch->sent));
		table_cell(&t, "%s", output_bytes(buf, ch->received));
	}
	table_end(&t, stdout);
}

static int link_show(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *name = command_name(app, cmd, argc, argv, parse_name);
	struct channel_list channels = { 0 };
	struct link_list list = { 0 };
	struct genl g;

	if (!name || genl_open(&g, app))
		return app->status;
	if (fetch_links(&g, name, &list) || fetch_channels(&g, name, &channels))
		app->status = genl_complain(&g, "cannot show link", name);
	else if (list.n && app->json)
		json_finish(json_link(&list.v[0], &channels), stdout, false);
	else if (list.n)
		print_link(&list.v[0], &channels);
	free(channels.v);
	free(list.v);
	genl_close(&g);
	return app->status;
}

/**
 * link_forget() - have the kernel delete a link
 * @g: the socket
 * @name: the link
 *
 * Return: as genl_talk().
 */
int link_forget(struct genl *g, const char *name)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_LINK_DEL, 0);

	nla_put_string(msg, VFIO_MIGMUX_A_LINK_NAME, name);
	return genl_talk(g, msg, NULL, NULL);
}

static int link_del(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *name = command_name(app, cmd, argc, argv, parse_name);
	struct genl g;

	if (!name || genl_open(&g, app))
		return app->status;
	if (link_forget(&g, name))
		app->status = genl_complain(&g, "cannot delete link", name);
	genl_close(&g);
	return app->status;
}

const struct command link_commands[] = {
	{
		.name = "list", .run = link_list,
		.help = "list the links of this network namespace",
	}, {
		.name = "show", .args = "LINK", .run = link_show,
		.min_args = 1, .max_args = 1,
		.help = "show a link and its channels",
	}, {
		.name = "listen", .args = "LINK", .run = link_listen,
		.options = link_listen_options, .min_args = 1, .max_args = 1,
		.help = "accept connections and make a link of them",
	}, {
		.name = "connect", .args = "LINK", .run = link_connect,
		.options = link_connect_options, .min_args = 1, .max_args = 1,
		.help = "make connections and make a link of them",
	}, {
		.name = "del", .args = "LINK", .run = link_del,
		.min_args = 1, .max_args = 1,
		.help = "close a link's connections and forget it",
	},
	{ }
};
