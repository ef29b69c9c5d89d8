// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig link: list, show, listen, connect, del.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connect.h"
#include "fetch.h"
#include "objects.h"
#include "output.h"
#include "parse.h"

#define MAX_CHANNELS 1024
#define CONNECT_TIMEOUT_MS 10000

enum { OPT_ON = 256, OPT_TO, OPT_CHANNELS, OPT_TIMEOUT };

static const struct option_desc listen_options[] = {
	{ OPT_ON, "on", "ADDR", "listen there, [mp]tcp:HOST:PORT, unix:PATH or vsock:CID:PORT" },
	{ OPT_CHANNELS, "channels", "N", "wait for N connections" },
	{ OPT_TIMEOUT, "timeout", "S", "give up after S seconds (default: never)" },
	{ }
};

static const struct option_desc connect_options[] = {
	{ OPT_TO, "to", "ADDR", "connect there, [mp]tcp:HOST:PORT, unix:PATH or vsock:CID:PORT" },
	{ OPT_CHANNELS, "channels", "N", "make N connections" },
	{ OPT_TIMEOUT, "timeout", "S", "give up after S seconds (default: 10)" },
	{ }
};

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

static int talk_link(struct genl *g, uint8_t cmd, const char *name)
{
	struct nl_msg *msg = genl_request(g, cmd, 0);

	nla_put_string(msg, VFIO_MIGMUX_A_LINK_NAME, name);
	return genl_talk(g, msg, NULL, NULL);
}

static int link_del(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *name = command_name(app, cmd, argc, argv, parse_name);
	struct genl g;

	if (!name || genl_open(&g, app))
		return app->status;
	if (talk_link(&g, VFIO_MIGMUX_CMD_LINK_DEL, name))
		app->status = genl_complain(&g, "cannot delete link", name);
	genl_close(&g);
	return app->status;
}

/* What listen and connect were asked for. */
struct make {
	const char *name;
	const char *where;
	struct address addr;
	uint32_t channels;
	uint32_t timeout_ms;
	bool listen;
	bool json;
};

static int make_options(struct app *app, const struct command *cmd, int argc, char **argv,
			struct make *m)
{
	const char *wrong;
	uint32_t seconds;
	int opt;

	while ((opt = command_option(app, cmd, argc, argv)) > 0) {
		wrong = NULL;
		if (opt == OPT_ON || opt == OPT_TO) {
			wrong = parse_address(optarg, &m->addr);
			m->where = optarg;
		} else if (opt == OPT_CHANNELS) {
			wrong = parse_u32(optarg, 1, MAX_CHANNELS, &m->channels);
		} else if (opt == OPT_TIMEOUT) {
			wrong = parse_u32(optarg, 0, 1000000, &seconds);
			m->timeout_ms = wrong ? 0 : seconds * 1000;
		}
		if (wrong) {
			command_usage(app, "%s: %s", optarg, wrong);
			return -1;
		}
	}
	if (opt < 0)
		return -1;
	if (!m->where || !m->channels) {
		command_usage(app, "--%s and --channels are needed", m->listen ? "on" : "to");
		return -1;
	}
	m->json = app->json;
	m->name = command_name(app, cmd, argc, argv, parse_name);
	return m->name ? 0 : -1;
}

static void show_progress(unsigned int number, unsigned int of, void *arg)
{
	struct make *m = arg;

	if (m->json)
		return;
	if (!number)
		printf("%s: waiting for %u connection%s on %s\n", m->name, of,
		       of == 1 ? "" : "s", m->where);
	else if (number == of)
		printf("%s: %u of %u connected\n", m->name, number, of);
	fflush(stdout);
}

/* Refuse before anybody waits for connections that could not be used. */
static int check_free(struct genl *g, const char *name)
{
	struct link_list list = { 0 };
	int ret = fetch_links(g, name, &list);

	if (!ret && list.n && list.v[0].state != VFIO_MIGMUX_LINK_STATE_DEAD) {
		output_error("link %s exists: delete it first with vfmig link del %s", name, name);
		ret = VFMIG_REFUSED;
	} else if (ret == -ENOENT || ret == -ENODEV) {
		ret = 0;
	} else if (ret) {
		ret = genl_complain(g, "cannot make link", name);
	}
	free(list.v);
	return ret;
}

static int give_sockets(struct genl *g, const struct make *m, const int *fds)
{
	struct nl_msg *msg;

	if (talk_link(g, VFIO_MIGMUX_CMD_LINK_NEW, m->name))
		return genl_complain(g, "cannot make link", m->name);
	for (uint32_t i = 0; i < m->channels; i++) {
		msg = genl_request(g, VFIO_MIGMUX_CMD_CHANNEL_NEW, 0);
		nla_put_string(msg, VFIO_MIGMUX_A_CHANNEL_LINK, m->name);
		nla_put_s32(msg, VFIO_MIGMUX_A_CHANNEL_SOCKET_FD, fds[i]);
		if (genl_talk(g, msg, NULL, NULL)) {
			genl_complain(g, "cannot add a channel to link", m->name);
			talk_link(g, VFIO_MIGMUX_CMD_LINK_DEL, m->name);
			return VFMIG_REFUSED;
		}
	}
	return 0;
}

static int show_made(struct genl *g, const struct make *m)
{
	struct channel_list channels = { 0 };
	struct link_list list = { 0 };

	if (!m->json)
		return 0;
	if (!fetch_links(g, m->name, &list) && !fetch_channels(g, m->name, &channels) && list.n)
		json_finish(json_link(&list.v[0], &channels), stdout, false);
	free(channels.v);
	free(list.v);
	return 0;
}

static int make_link(struct app *app, struct make *m)
{
	int fds[MAX_CHANNELS];
	struct genl g;
	int ret;

	if (genl_open(&g, app))
		return app->status;
	ret = check_free(&g, m->name);
	if (ret)
		goto out_close;
	if (m->listen)
		ret = connect_listen(&m->addr, m->timeout_ms, fds, m->channels, show_progress, m);
	else
		ret = connect_to(&m->addr, m->timeout_ms, fds, m->channels, show_progress, m);
	if (ret) {
		ret = VFMIG_REFUSED;
		goto out_close;
	}
	ret = give_sockets(&g, m, fds);
	/* the link has its own references */
	for (uint32_t i = 0; i < m->channels; i++)
		close(fds[i]);
	if (!ret)
		ret = show_made(&g, m);
out_close:
	genl_close(&g);
	return ret;
}

static int link_listen(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct make m = { .listen = true, .timeout_ms = CONNECT_FOREVER };

	if (make_options(app, cmd, argc, argv, &m))
		return app->status;
	return make_link(app, &m);
}

static int link_connect(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct make m = { .timeout_ms = CONNECT_TIMEOUT_MS };

	if (make_options(app, cmd, argc, argv, &m))
		return app->status;
	return make_link(app, &m);
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
		.options = listen_options, .min_args = 1, .max_args = 1,
		.help = "accept connections and make a link of them",
	}, {
		.name = "connect", .args = "LINK", .run = link_connect,
		.options = connect_options, .min_args = 1, .max_args = 1,
		.help = "make connections and make a link of them",
	}, {
		.name = "del", .args = "LINK", .run = link_del,
		.min_args = 1, .max_args = 1,
		.help = "close a link's connections and forget it",
	},
	{ }
};
