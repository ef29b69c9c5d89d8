// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig set: add, del, policy, auto.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "fetch.h"
#include "objects.h"
#include "output.h"
#include "parse.h"
#include "set.h"

#define CLAIM_TIMEOUT_MAX_MS 600000

enum { OPT_POLICY = 256, OPT_MAX_PARALLEL, OPT_CLAIM_TIMEOUT, OPT_ALLOW_NO_P2P };

const struct option_desc set_options[] = {
	/* first: "policy" has all but this, the words are its arguments */
	{ OPT_POLICY, "policy", "WORDS", "stop,copy,start,resume,setup,barrier; none" },
	{ OPT_MAX_PARALLEL, "max-parallel", "N", "state changes at a time, 0 is no limit" },
	{ OPT_CLAIM_TIMEOUT, "claim-timeout", "MS", "take back what was not claimed by then" },
	{ OPT_ALLOW_NO_P2P, "allow-no-p2p", "yes|no", "may members lack RUNNING_P2P?" },
	{ }
};

enum {
	GIVEN_POLICY = 1,
	GIVEN_MAX_PARALLEL = 2,
	GIVEN_CLAIM_TIMEOUT = 4,
	GIVEN_ALLOW_NO_P2P = 8,
};

/**
 * struct change - what a command line asks for
 * @config: the values that were given
 * @given: GIVEN_* bits of those
 */
struct change {
	struct set_config config;
	unsigned int given;
};

static const char *take_option(struct change *c, int opt, const char *arg)
{
	switch (opt) {
	case OPT_POLICY:
		c->given |= GIVEN_POLICY;
		return parse_policy(arg, &c->config.policy);
	case OPT_MAX_PARALLEL:
		c->given |= GIVEN_MAX_PARALLEL;
		return parse_u32(arg, 0, UINT32_MAX, &c->config.max_parallel);
	case OPT_CLAIM_TIMEOUT:
		c->given |= GIVEN_CLAIM_TIMEOUT;
		return parse_ms(arg, 1, CLAIM_TIMEOUT_MAX_MS, &c->config.claim_timeout_ms);
	case OPT_ALLOW_NO_P2P:
		c->given |= GIVEN_ALLOW_NO_P2P;
		return parse_yes_no(arg, &c->config.allow_no_p2p);
	}
	return NULL;
}

/* 0, or -1 when the run is over. */
static int read_options(struct app *app, const struct command *cmd, int argc, char **argv,
			struct change *c)
{
	const char *wrong;
	int opt;

	while ((opt = command_option(app, cmd, argc, argv)) > 0) {
		wrong = take_option(c, opt, optarg);
		if (wrong) {
			command_usage(app, "%s: %s", optarg, wrong);
			return -1;
		}
	}
	return opt;
}

/* Sets and automatic sets have the same numbers for the same attributes. */
static_assert((int)VFIO_MIGMUX_A_SET_POLICY == (int)VFIO_MIGMUX_A_SET_AUTO_POLICY &&
	      (int)VFIO_MIGMUX_A_SET_MAX_PARALLEL == (int)VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL &&
	      (int)VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT == (int)VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT &&
	      (int)VFIO_MIGMUX_A_SET_ALLOW_NO_P2P == (int)VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P,
	      "attributes of a set");

static void put_change(struct nl_msg *msg, const struct change *c)
{
	if (c->given & GIVEN_POLICY)
		nla_put_u32(msg, VFIO_MIGMUX_A_SET_POLICY, c->config.policy);
	if (c->given & GIVEN_MAX_PARALLEL)
		nla_put_u32(msg, VFIO_MIGMUX_A_SET_MAX_PARALLEL, c->config.max_parallel);
	if (c->given & GIVEN_CLAIM_TIMEOUT)
		nla_put_u32(msg, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT, c->config.claim_timeout_ms);
	if (c->given & GIVEN_ALLOW_NO_P2P)
		nla_put_u8(msg, VFIO_MIGMUX_A_SET_ALLOW_NO_P2P, c->config.allow_no_p2p);
}

/**
 * struct request - a request about one set
 * @cmd: VFIO_MIGMUX_CMD_SET_NEW, _SET or _DEL
 * @name: of the set
 * @change: its options
 * @attr: VFIO_MIGMUX_A_SET_ADD or _REMOVE
 * @handles: of the devices that @attr is about
 * @n: number of handles
 */
struct request {
	uint8_t cmd;
	const char *name;
	const struct change *change;
	int attr;
	char **handles;
	int n;
};

static int talk(struct genl *g, const struct request *r)
{
	struct nl_msg *msg = genl_request(g, r->cmd, 0);

	nla_put_string(msg, VFIO_MIGMUX_A_SET_NAME, r->name);
	if (r->change)
		put_change(msg, r->change);
	for (int i = 0; i < r->n; i++) {
		if (!nla_put_string(msg, r->attr, r->handles[i]))
			continue;
		nlmsg_free(msg);
		g->error = E2BIG;
		snprintf(g->text, sizeof(g->text), "%d devices are too many at once", r->n);
		return -E2BIG;
	}
	return genl_talk(g, msg, NULL, NULL);
}

/* With -j a command that has made or changed a set prints it. */
static void show_changed(struct app *app, struct genl *g, const char *name)
{
	struct set_list list = { 0 };

	if (!app->json)
		return;
	if (fetch_sets(g, name, &list))
		app->status = genl_complain(g, "cannot show set", name);
	else if (list.n)
		json_finish(json_set(&list.v[0]), stdout, false);
	model_sets_free(&list);
}

/* Is there such a set? If it comes or goes meanwhile, the kernel refuses. */
static int choose_command(struct genl *g, struct request *r)
{
	struct set_list list = { 0 };
	int ret = fetch_sets(g, r->name, &list);

	model_sets_free(&list);
	r->cmd = ret ? VFIO_MIGMUX_CMD_SET_NEW : VFIO_MIGMUX_CMD_SET_SET;
	return ret == -ENOENT ? 0 : ret;
}

int set_add(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct change change = { 0 };
	struct request r = { .change = &change, .attr = VFIO_MIGMUX_A_SET_ADD };
	struct genl g;

	if (read_options(app, cmd, argc, argv, &change) < 0)
		return app->status;
	r.name = command_name(app, cmd, argc, argv, parse_name);
	if (!r.name || command_check(app, argc, argv, optind + 1, parse_handle))
		return app->status;
	r.handles = argv + optind + 1;
	r.n = argc - optind - 1;
	if (genl_open(&g, app))
		return app->status;
	if (choose_command(&g, &r) || talk(&g, &r))
		app->status = genl_complain(&g, "cannot add to set", r.name);
	else
		show_changed(app, &g, r.name);
	genl_close(&g);
	return app->status;
}

int set_del(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct request r = { .cmd = VFIO_MIGMUX_CMD_SET_DEL, .attr = VFIO_MIGMUX_A_SET_REMOVE };
	struct genl g;

	r.name = command_name(app, cmd, argc, argv, parse_name);
	if (!r.name || command_check(app, argc, argv, optind + 1, parse_handle))
		return app->status;
	r.handles = argv + optind + 1;
	r.n = argc - optind - 1;
	if (r.n)
		r.cmd = VFIO_MIGMUX_CMD_SET_SET;
	if (genl_open(&g, app))
		return app->status;
	if (talk(&g, &r))
		app->status = genl_complain(&g, r.n ? "cannot remove from set" :
					    "cannot delete set", r.name);
	else if (r.n)
		show_changed(app, &g, r.name);
	genl_close(&g);
	return app->status;
}

/* Words of a policy may stand alone or with commas between. 0, or -1 when it is over. */
static int take_words(struct app *app, int n, char **words, struct change *c)
{
	const char *wrong;
	uint32_t bits;

	for (int i = 0; i < n; i++) {
		wrong = parse_policy(words[i], &bits);
		if (!wrong && !bits && n > 1)
			wrong = "it stands alone";
		if (wrong) {
			command_usage(app, "%s: %s", words[i], wrong);
			return -1;
		}
		c->config.policy |= bits;
		c->given |= GIVEN_POLICY;
	}
	return 0;
}

static void print_policy(struct app *app, struct genl *g, const char *name)
{
	struct set_list list = { 0 };
	char buf[OUTPUT_POLICY_MAX];

	if (fetch_sets(g, name, &list))
		app->status = genl_complain(g, "cannot show set", name);
	else if (list.n && app->json)
		json_finish(json_set_policy(&list.v[0]), stdout, false);
	else if (list.n)
		puts(output_policy(buf, list.v[0].config.policy));
	model_sets_free(&list);
}

int set_policy(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct change change = { 0 };
	struct request r = { .cmd = VFIO_MIGMUX_CMD_SET_SET, .change = &change };
	struct genl g;

	if (read_options(app, cmd, argc, argv, &change) < 0)
		return app->status;
	r.name = command_name(app, cmd, argc, argv, parse_name);
	if (!r.name || take_words(app, argc - optind - 1, argv + optind + 1, &change))
		return app->status;
	if (genl_open(&g, app))
		return app->status;
	if (!change.given)
		print_policy(app, &g, r.name);
	else if (talk(&g, &r))
		app->status = genl_complain(&g, "cannot change set", r.name);
	else
		show_changed(app, &g, r.name);
	genl_close(&g);
	return app->status;
}

static void print_auto(struct app *app, struct genl *g)
{
	struct set_auto a = { 0 };

	if (fetch_set_auto(g, &a)) {
		app->status = genl_complain(g, "cannot ask about automatic sets", "");
	} else if (app->json) {
		json_finish(json_set_auto(&a), stdout, false);
	} else {
		printf("automatic sets are %s\n", a.enabled ? "on" : "off");
		set_print_config(&a.config);
	}
}

static int change_auto(struct app *app, struct genl *g, const char *word, const struct change *c)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_SET_AUTO_SET, 0);

	if (word)
		nla_put_u8(msg, VFIO_MIGMUX_A_SET_AUTO_ENABLED, !strcmp(word, "on"));
	put_change(msg, c);
	if (genl_talk(g, msg, NULL, NULL))
		app->status = genl_complain(g, "cannot change automatic sets", "");
	return app->status;
}

static const char *check_on_off(const char *arg)
{
	return strcmp(arg, "on") && strcmp(arg, "off") ? "want on or off" : NULL;
}

int set_auto(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct change change = { 0 };
	const char *word;
	struct genl g;
	int n;

	if (read_options(app, cmd, argc, argv, &change) < 0)
		return app->status;
	n = command_args(app, cmd, argc, argv);
	if (n < 0 || command_check(app, argc, argv, optind, check_on_off) || genl_open(&g, app))
		return app->status;
	word = n ? argv[optind] : NULL;
	if (!word && !change.given)
		print_auto(app, &g);
	else if (!change_auto(app, &g, word, &change) && app->json)
		print_auto(app, &g);
	genl_close(&g);
	return app->status;
}
