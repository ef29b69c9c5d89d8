// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig link listen and connect: from connections to a link.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connect.h"
#include "fetch.h"
#include "link.h"
#include "output.h"
#include "parse.h"
#include "tls.h"

#define MAX_CHANNELS 1024
#define CONNECT_TIMEOUT_MS 10000

enum {
	OPT_ON = 256, OPT_TO, OPT_CHANNELS, OPT_TIMEOUT,
	OPT_TLS, OPT_TLS_CERT, OPT_TLS_KEY, OPT_TLS_CA, OPT_TLS_PEER,
};

const struct option_desc link_listen_options[] = {
	{ OPT_ON, "on", "ADDR", "listen there, [mp]tcp:HOST:PORT, unix:PATH or vsock:CID:PORT" },
	{ OPT_CHANNELS, "channels", "N", "wait for N connections" },
	{ OPT_TIMEOUT, "timeout", "S", "give up after S seconds (default: never)" },
	{ OPT_TLS, "tls", NULL, "encrypt; both ends show a certificate (only tcp:)" },
	{ OPT_TLS_CERT, "tls-cert", "FILE", "our certificate, PEM" },
	{ OPT_TLS_KEY, "tls-key", "FILE", "its private key, PEM" },
	{ OPT_TLS_CA, "tls-ca", "FILE", "the CA of the peer's certificate, PEM" },
	{ OPT_TLS_PEER, "tls-peer", "NAME", "who the peer must be (default: anybody of that CA)" },
	{ }
};

const struct option_desc link_connect_options[] = {
	{ OPT_TO, "to", "ADDR", "connect there, [mp]tcp:HOST:PORT, unix:PATH or vsock:CID:PORT" },
	{ OPT_CHANNELS, "channels", "N", "make N connections" },
	{ OPT_TIMEOUT, "timeout", "S", "give up after S seconds (default: 10)" },
	{ OPT_TLS, "tls", NULL, "encrypt; both ends show a certificate (only tcp:)" },
	{ OPT_TLS_CERT, "tls-cert", "FILE", "our certificate, PEM" },
	{ OPT_TLS_KEY, "tls-key", "FILE", "its private key, PEM" },
	{ OPT_TLS_CA, "tls-ca", "FILE", "the CA of the peer's certificate, PEM" },
	{ OPT_TLS_PEER, "tls-peer", "NAME", "who the peer must be (default: HOST of --to)" },
	{ }
};

/* What listen and connect were asked for. */
struct make {
	const char *name;
	const char *where;
	struct address addr;
	uint32_t channels;
	uint32_t timeout_ms;
	bool tls;
	struct tls_options tls_options;
	bool listen;
	bool json;
};

/* Does the option say something of TLS? */
static bool take_tls(struct make *m, int opt)
{
	switch (opt) {
	case OPT_TLS:
		m->tls = true;
		return true;
	case OPT_TLS_CERT:
		m->tls_options.cert = optarg;
		return true;
	case OPT_TLS_KEY:
		m->tls_options.key = optarg;
		return true;
	case OPT_TLS_CA:
		m->tls_options.ca = optarg;
		return true;
	case OPT_TLS_PEER:
		m->tls_options.peer = optarg;
		return true;
	}
	return false;
}

/* All options are known: what goes together, and what is left to us. */
static int check_tls(struct app *app, struct make *m)
{
	struct tls_options *o = &m->tls_options;

	o->listen = m->listen;
	if (!m->tls && (o->cert || o->key || o->ca || o->peer)) {
		command_usage(app, "--tls-cert, --tls-key, --tls-ca and --tls-peer want --tls");
		return -1;
	}
	if (m->tls && !(o->cert && o->key && o->ca)) {
		command_usage(app, "--tls wants --tls-cert, --tls-key and --tls-ca");
		return -1;
	}
	if (m->tls && (m->addr.kind != ADDRESS_TCP || m->addr.mptcp)) {
		command_usage(app, "%s: --tls wants tcp:HOST:PORT", m->where);
		return -1;
	}
	if (m->tls && !m->listen && !o->peer)
		o->peer = m->addr.host;
	return 0;
}

static int make_options(struct app *app, const struct command *cmd, int argc, char **argv,
			struct make *m)
{
	const char *wrong;
	uint32_t seconds;
	int opt;

	while ((opt = command_option(app, cmd, argc, argv)) > 0) {
		wrong = NULL;
		if (take_tls(m, opt))
			continue;
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
	if (check_tls(app, m))
		return -1;
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
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_LINK_NEW, 0);

	nla_put_string(msg, VFIO_MIGMUX_A_LINK_NAME, m->name);
	if (m->tls)
		nla_put_flag(msg, VFIO_MIGMUX_A_LINK_TLS);
	if (genl_talk(g, msg, NULL, NULL))
		return genl_complain(g, "cannot make link", m->name);
	for (uint32_t i = 0; i < m->channels; i++) {
		msg = genl_request(g, VFIO_MIGMUX_CMD_CHANNEL_NEW, 0);
		nla_put_string(msg, VFIO_MIGMUX_A_CHANNEL_LINK, m->name);
		nla_put_s32(msg, VFIO_MIGMUX_A_CHANNEL_SOCKET_FD, fds[i]);
		if (genl_talk(g, msg, NULL, NULL)) {
			genl_complain(g, "cannot add a channel to link", m->name);
			link_forget(g, m->name);
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

static int make_connections(struct make *m, struct tls *tls, int *fds)
{
	if (m->listen)
		return connect_listen(&m->addr, tls, m->timeout_ms, fds, m->channels,
				      show_progress, m);
	return connect_to(&m->addr, tls, m->timeout_ms, fds, m->channels, show_progress, m);
}

static int make_link(struct app *app, struct make *m)
{
	int fds[MAX_CHANNELS];
	struct tls *tls = NULL;
	struct genl g;
	int ret;

	if (genl_open(&g, app))
		return app->status;
	ret = check_free(&g, m->name);
	if (ret)
		goto out_close;
	ret = VFMIG_REFUSED;
	if (m->tls) {
		tls = tls_open(&m->tls_options);
		if (!tls)
			goto out_close;
	}
	if (make_connections(m, tls, fds))
		goto out_close;
	ret = give_sockets(&g, m, fds);
	/* the link has its own references */
	for (uint32_t i = 0; i < m->channels; i++)
		close(fds[i]);
	if (!ret)
		ret = show_made(&g, m);
out_close:
	tls_close(tls);
	genl_close(&g);
	return ret;
}

int link_listen(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct make m = { .listen = true, .timeout_ms = CONNECT_FOREVER };

	if (make_options(app, cmd, argc, argv, &m))
		return app->status;
	return make_link(app, &m);
}

int link_connect(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct make m = { .timeout_ms = CONNECT_TIMEOUT_MS };

	if (make_options(app, cmd, argc, argv, &m))
		return app->status;
	return make_link(app, &m);
}
