// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of send, check and recv.
 */
#include <getopt.h>
#include <string.h>

#include "objects.h"
#include "transfer.h"

enum {
	OPT_EXEC = 256, OPT_STAGING, OPT_TIMEOUT, OPT_NO_VERDICT, OPT_NO_P2P, OPT_PROGRESS,
	OPT_READY, OPT_VERIFY, OPT_PRECOPY, OPT_DOWNTIME, OPT_PRECOPY_TIME,
	OPT_PRECOPY_ROUNDS, OPT_SHARED, OPT_WEIGHT, OPT_MAX_QUEUED, OPT_MAX_SPILL, OPT_MEMORY,
	OPT_NO_CHECK, OPT_READY_TIMEOUT, OPT_MAX_STATE,
};

const struct option_desc send_options[] = {
	{ OPT_EXEC, "exec", "CMD", "run CMD before, with the devices open" },
	{ OPT_PRECOPY, "precopy", NULL, "send first what can be sent while they run" },
	{ OPT_DOWNTIME, "downtime-limit", "MS", "until the rest takes no longer (300)" },
	{ OPT_PRECOPY_TIME, "precopy-time", "MS", "for MS ms at most (30000)" },
	{ OPT_PRECOPY_ROUNDS, "precopy-rounds", "N", "in N rounds at most" },
	{ OPT_SHARED, "shared", NULL, "let devices share channels; use it on both ends" },
	{ OPT_WEIGHT, "weight", "DEV=N", "the device's part of channels and memory (1)" },
	{ OPT_STAGING, "staging", "SIZE", "memory for state on its way (K, M, G)" },
	{ OPT_TIMEOUT, "timeout", "MS", "begin no state change after MS ms" },
	{ OPT_NO_VERDICT, "no-verdict", NULL, "do not agree with the peer; use it on both ends" },
	{ OPT_NO_CHECK, "no-check", NULL, "do not ask the other end before they are stopped" },
	{ OPT_READY_TIMEOUT, "ready-timeout", "MS", "wait MS ms for the other end (no limit)" },
	{ OPT_VERIFY, "verify", NULL, "compare checksums of the state; use it on both ends" },
	{ OPT_NO_P2P, "no-p2p", NULL, "the devices do no peer-to-peer DMA" },
	{ OPT_PROGRESS, "progress", "WHEN", "auto, always or never" },
	{ }
};

const struct option_desc check_options[] = {
	{ OPT_READY_TIMEOUT, "ready-timeout", "MS", "wait MS ms for the other end (10000)" },
	{ OPT_SHARED, "shared", NULL, "devices are to share channels" },
	{ OPT_VERIFY, "verify", NULL, "checksums of the state are to be compared" },
	{ OPT_NO_P2P, "no-p2p", NULL, "the devices do no peer-to-peer DMA" },
	{ }
};

const struct option_desc recv_options[] = {
	{ OPT_EXEC, "exec", "CMD", "run CMD after, with the devices open" },
	{ OPT_MEMORY, "memory", "SIZE", "map that much memory for them ahead of time (K, M, G)" },
	{ OPT_READY, "ready-file", "FILE", "say there instead of on stdout that it is ready" },
	{ OPT_SHARED, "shared", NULL, "let devices share channels; use it on both ends" },
	{ OPT_STAGING, "staging", "SIZE", "memory for state on its way (K, M, G)" },
	{ OPT_MAX_QUEUED, "max-queued-bytes", "SIZE", "that much of it for a device at most" },
	{ OPT_MAX_SPILL, "max-spill", "SIZE", "memory beyond it, with --shared" },
	{ OPT_MAX_STATE, "max-state", "SIZE", "take no more state of a device (no limit)" },
	{ OPT_TIMEOUT, "timeout", "MS", "begin no state change after MS ms" },
	{ OPT_NO_VERDICT, "no-verdict", NULL, "do not agree with the peer; use it on both ends" },
	{ OPT_VERIFY, "verify", NULL, "compare checksums of the state; use it on both ends" },
	{ OPT_NO_P2P, "no-p2p", NULL, "the devices do no peer-to-peer DMA" },
	{ OPT_PROGRESS, "progress", "WHEN", "auto, always or never" },
	{ }
};

/* 0 means the default to the kernel, and nothing to a user. */
static const char *take_spill(struct transfer *t, const char *arg)
{
	const char *wrong = parse_size(arg, &t->max_spill);

	if (!wrong && !t->max_spill)
		t->max_spill = VFIO_MIGMUX_NO_SPILL;
	return wrong;
}

static const char *take_queued(struct transfer *t, const char *arg)
{
	const char *wrong = parse_size(arg, &t->max_queued);

	return wrong || t->max_queued ? wrong : "a device needs memory";
}

/* For which device it is can be looked up when all are known. */
static void take_weight(struct transfer *t, const char *arg)
{
	t->weights = model_grow(t->weights, t->nr_weights, sizeof(*t->weights));
	t->weights[t->nr_weights++] = arg;
}

static const char *take_option(struct transfer *t, int opt, const char *arg)
{
	switch (opt) {
	case OPT_EXEC:
		t->exec = arg;
		return NULL;
	case OPT_READY:
		t->ready_file = arg;
		return NULL;
	case OPT_STAGING:
		return parse_size(arg, &t->staging);
	case OPT_MEMORY:
		return parse_size(arg, &t->memory);
	case OPT_TIMEOUT:
		return parse_u32(arg, 0, UINT32_MAX, &t->timeout_ms);
	case OPT_NO_VERDICT:
		t->verdict = false;
		return NULL;
	case OPT_VERIFY:
		t->verify = true;
		return NULL;
	case OPT_NO_P2P:
		t->no_p2p = true;
		return NULL;
	case OPT_SHARED:
		t->shared = true;
		return NULL;
	case OPT_WEIGHT:
		take_weight(t, arg);
		return NULL;
	case OPT_NO_CHECK:
		t->check = false;
		return NULL;
	case OPT_READY_TIMEOUT:
		return parse_u32(arg, 1, UINT32_MAX, &t->ready_ms);
	case OPT_MAX_STATE:
		return parse_size(arg, &t->max_state);
	case OPT_MAX_QUEUED:
		return take_queued(t, arg);
	case OPT_MAX_SPILL:
		return take_spill(t, arg);
	case OPT_PRECOPY:
		t->precopy.wanted = true;
		return NULL;
	case OPT_DOWNTIME:
		t->precopy.wanted = true;
		return parse_u32(arg, 0, UINT32_MAX, &t->precopy.limits.downtime_ms);
	case OPT_PRECOPY_TIME:
		t->precopy.wanted = true;
		return parse_u32(arg, 0, UINT32_MAX, &t->precopy.limits.time_ms);
	case OPT_PRECOPY_ROUNDS:
		t->precopy.wanted = true;
		return parse_u32(arg, 1, UINT32_MAX, &t->precopy.limits.rounds);
	case OPT_PROGRESS:
		if (!strcmp(arg, "always"))
			t->progress = PROGRESS_ALWAYS;
		else if (!strcmp(arg, "never"))
			t->progress = PROGRESS_NEVER;
		else if (strcmp(arg, "auto"))
			return "want auto, always or never";
		return NULL;
	}
	return NULL;
}

static int take_device(struct transfer *t, const char *arg)
{
	struct session *s = &t->session;
	uint32_t n = s->nr_devices;
	struct device_arg *dev;
	const char *wrong;

	t->args = model_grow(t->args, n, sizeof(*t->args));
	s->devices = model_grow(s->devices, n, sizeof(*s->devices));
	dev = &t->args[n];
	wrong = parse_device(arg, n, dev);
	if (wrong)
		return command_usage(t->app, "%s: %s", arg, wrong);
	for (uint32_t i = 0; i < n; i++) {
		if (!strcmp(t->args[i].handle, dev->handle))
			return command_usage(t->app, "%s is given twice", dev->handle);
		if (!strcmp(t->args[i].idstr, dev->idstr))
			return command_usage(t->app, "%s and %s have the same identity '%s'",
					     t->args[i].handle, dev->handle, dev->idstr);
	}
	strcpy(s->devices[n].handle, dev->handle);
	strcpy(s->devices[n].idstr, dev->idstr);
	s->devices[n].weight = 1;
	s->nr_devices = n + 1;
	return 0;
}

static int set_weight(struct transfer *t, const char *arg)
{
	struct session *s = &t->session;
	struct device_arg dev;
	uint32_t weight;
	const char *wrong = parse_weight(arg, &dev, &weight);

	if (wrong)
		return command_usage(t->app, "%s: %s", arg, wrong);
	for (uint32_t i = 0; i < s->nr_devices; i++) {
		if (strcmp(s->devices[i].handle, dev.handle))
			continue;
		s->devices[i].weight = weight;
		return 0;
	}
	return command_usage(t->app, "%s: %s is none of the devices to send", arg, dev.handle);
}

/**
 * transfer_options() - begin a run with what the command line says
 * @t: set up; what it holds is to be freed, whatever this returns
 * @app: the run
 * @cmd: send, check or recv
 * @argc: as given to the command
 * @argv: as given to the command
 *
 * Return: 0, or -1 when the run is over, with app->status set.
 */
int transfer_options(struct transfer *t, struct app *app, const struct command *cmd, int argc,
		     char **argv)
{
	const char *wrong;
	int opt;

	*t = (struct transfer){ .app = app, .fd = -1, .signal_fd = -1, .verdict = true,
				 .check = true };
	sigprocmask(SIG_BLOCK, NULL, &t->old_mask);
	precopy_init(&t->precopy);
	vfio_init(&t->vfio);
	while ((opt = command_option(app, cmd, argc, argv)) > 0) {
		wrong = take_option(t, opt, optarg);
		if (wrong) {
			command_usage(app, "%s: %s", optarg, wrong);
			return -1;
		}
	}
	if (opt < 0 || command_args(app, cmd, argc, argv) < 0)
		return -1;
	if (t->verify && !t->verdict) {
		command_usage(app, "--verify needs the verdict: leave out --no-verdict");
		return -1;
	}

	wrong = parse_name(argv[optind]);
	if (wrong) {
		command_usage(app, "%s: %s", argv[optind], wrong);
		return -1;
	}
	strcpy(t->session.link, argv[optind]);
	for (int i = optind + 1; i < argc; i++)
		if (take_device(t, argv[i]))
			return -1;
	for (uint32_t i = 0; i < t->nr_weights; i++)
		if (set_weight(t, t->weights[i]))
			return -1;
	return 0;
}
