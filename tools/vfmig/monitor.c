// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig monitor: events as they come.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "libvfmig.h"
#include "objects.h"
#include "output.h"
#include "timeline.h"

enum { OPT_READY = 256 };

const struct option_desc monitor_options[] = {
	{ OPT_READY, "ready-file", "FILE", "write a line there once events are seen" },
	{ }
};

static void show_device(const struct app *app, struct nlattr *attrs, int len)
{
	struct json_object *o;
	struct device dev = { 0 };

	fetch_device(attrs, len, &dev);
	if (app->json) {
		o = json_device(&dev);
		json_add_string(o, "event", "device");
		json_finish(o, stdout, true);
		return;
	}
	printf("device %s ", dev.handle);
	if (dev.gone)
		printf("gone\n");
	else
		printf("%s%s, driver %s\n", dev.hooked ? "hooked" : "not hooked",
		       dev.pinned ? " (pinned)" : "", dev.driver);
}

static void show_set(const struct app *app, struct nlattr *attrs, int len)
{
	char buf[OUTPUT_POLICY_MAX];
	struct set set = { 0 };
	struct json_object *o;

	fetch_set(attrs, len, &set);
	if (app->json) {
		o = json_set(&set);
		json_add_string(o, "event", "set");
		json_finish(o, stdout, true);
	} else if (set.gone) {
		printf("set %s deleted\n", set.name);
	} else {
		printf("set %s has %u member%s, policy %s\n", set.name, set.nr_members,
		       set.nr_members == 1 ? "" : "s", output_policy(buf, set.config.policy));
	}
	free(set.members);
}

static void show_time(uint64_t ns)
{
	printf("at %llu.%09llu: ", (unsigned long long)ns / 1000000000,
	       (unsigned long long)ns % 1000000000);
}

static void show_set_event(const struct app *app, struct nlattr *attrs, int len)
{
	struct set_event e = { 0 };

	fetch_set_event(attrs, len, &e);
	if (app->json) {
		json_finish(json_set_event(&e), stdout, true);
		return;
	}
	printf("set %s ", e.set);
	show_time(e.at);
	printf("%s %s -> %s, device %s", model_set_event_name(e.type), vfmig_state_name(e.from),
	       vfmig_state_name(e.to), e.device);
	if (e.error)
		printf(", %s", strerror((int)e.error));
	if (e.type == VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM)
		printf(", saved %.3f ms", (double)e.saved_ns / 1e6);
	putchar('\n');
}

static void show_link(const struct app *app, struct nlattr *attrs, int len)
{
	struct link link = { 0 };
	struct json_object *o;

	fetch_link(attrs, len, &link);
	if (app->json) {
		o = json_link(&link, NULL);
		json_add_string(o, "event", "link");
		json_finish(o, stdout, true);
		return;
	}
	printf("link %s %s, %u channel%s%s%s\n", link.name,
	       link.gone ? "deleted" : model_link_state_name(link.state), link.channels,
	       link.channels == 1 ? "" : "s", link.error[0] ? ": " : "", link.error);
}

static void show_event(const struct app *app, struct nlattr *attrs, int len)
{
	struct event e = { 0 };

	fetch_event(attrs, len, &e);
	if (app->json) {
		json_finish(json_event(&e), stdout, true);
		return;
	}
	printf("session %u ", e.session);
	show_time(e.at);
	fputs(model_event_name(e.type), stdout);
	if (e.type == VFIO_MIGMUX_EVENT_MILESTONE)
		printf(" %s", timeline_milestone(e.value));
	else if (e.type == VFIO_MIGMUX_EVENT_PHASE_START || e.type == VFIO_MIGMUX_EVENT_PHASE_END)
		printf(" %s", vfmig_phase_name(e.value));
	else if (e.type == VFIO_MIGMUX_EVENT_LOST || e.type == VFIO_MIGMUX_EVENT_ROUND)
		printf(" %u", e.value);
	else if (e.type == VFIO_MIGMUX_EVENT_DMA)
		printf(" %u.%u %%", e.value / 10, e.value % 10);
	if (e.device[0])
		printf(", device %s", e.device);
	if (e.has_channel)
		printf(", channel %u", e.channel);
	if (e.error)
		printf(", %s", strerror((int)e.error));
	if (e.text[0])
		printf(": %s", e.text);
	putchar('\n');
}

static void show(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	const struct app *app = arg;

	switch (cmd) {
	case VFIO_MIGMUX_CMD_DEVICE_NTF:
		show_device(app, attrs, len);
		break;
	case VFIO_MIGMUX_CMD_SET_NTF:
		show_set(app, attrs, len);
		break;
	case VFIO_MIGMUX_CMD_SET_EVENT:
		show_set_event(app, attrs, len);
		break;
	case VFIO_MIGMUX_CMD_LINK_NTF:
		show_link(app, attrs, len);
		break;
	case VFIO_MIGMUX_CMD_SESSION_EVENT:
		show_event(app, attrs, len);
		break;
	}
	fflush(stdout);
}

static void show_lost(const struct app *app)
{
	struct json_object *o;

	if (!app->json) {
		output_error("events were lost: they came faster than they were read");
		return;
	}
	o = json_object_new_object();
	json_add_string(o, "event", "lost");
	json_finish(o, stdout, true);
}

int monitor_run(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *ready = NULL;
	struct genl g;
	int ret, opt;

	while ((opt = command_option(app, cmd, argc, argv)) > 0)
		if (opt == OPT_READY)
			ready = optarg;
	if (opt < 0 || command_args(app, cmd, argc, argv) < 0)
		return app->status;

	if (genl_open(&g, app))
		return app->status;
	ret = genl_subscribe(&g, VFIO_MIGMUX_MCGRP_EVENTS);
	if (!ret && ready && output_ready_file(ready)) {
		output_error("cannot write %s: %s", ready, strerror(errno));
		ret = VFMIG_REFUSED;
	}
	while (!ret && !ferror(stdout)) {
		opt = genl_listen(&g, show, app);
		if (opt == -ENOBUFS)
			show_lost(app);
		else if (opt)
			ret = genl_complain(&g, "cannot read events", "");
	}
	genl_close(&g);
	return ret;
}
