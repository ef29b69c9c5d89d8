// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig check, and the same before send stops anything: ask the other end what is there,
 * and compare.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "libvfmig.h"
#include "objects.h"
#include "output.h"
#include "transfer.h"

/* How long check waits if nobody says so; send waits as long as it takes. */
#define CHECK_MS 10000

/* Until the other end is ready; -ETIMEDOUT if that takes too long. */
static int wait_ready(struct transfer *t)
{
	const uint64_t end = transfer_now_ms() + t->ready_ms;
	uint64_t now;
	int left, ret;

	for (;;) {
		ret = transfer_refresh(t);
		if (ret || t->session.milestones & VFIO_MIGMUX_MILESTONE_PEER_READY)
			return ret;
		now = transfer_now_ms();
		if (t->ready_ms && now >= end)
			return -ETIMEDOUT;
		left = !t->ready_ms ? -1 : end - now > INT32_MAX ? INT32_MAX : (int)(end - now);
		ret = transfer_wait_event(t, left);
		if (ret)
			return ret;
	}
}

/* Our devices; what is sent is what the command line says. */
static int look_here(struct transfer *t, struct compare_end *end)
{
	struct vfio_migmux_info info;
	struct compare_device *dev;
	uint64_t flags;
	int ret;

	ret = vfmig_get_info(t->fd, &info);
	if (ret)
		return ret;
	end->verify = t->verify;
	end->shared = t->shared;
	end->no_p2p = t->no_p2p;
	for (uint32_t i = 0; i < t->session.nr_devices; i++) {
		end->devices = model_grow(end->devices, i, sizeof(*end->devices));
		end->nr_devices = i + 1;
		dev = &end->devices[i];
		strcpy(dev->handle, t->args[i].handle);
		strcpy(dev->idstr, t->args[i].idstr);
		vfio_driver(dev->handle, dev->driver, sizeof(dev->driver));
		ret = vfio_migration_flags(t->vfio.devices[i], &flags);
		if (ret)
			return ret;
		dev->migration_flags = (uint32_t)flags;
		if (flags & VFIO_MIGRATION_PRE_COPY)
			dev->precopy_version =
				info.features & VFIO_MIGMUX_FEATURE_PRECOPY_V2 ? 2 : 1;
		if (vfio_stop_copy_bytes(t->vfio.devices[i], &dev->stop_copy_bytes))
			dev->stop_copy_bytes = COMPARE_UNKNOWN;
	}
	return 0;
}

static int look_there(struct transfer *t, struct compare_end *end)
{
	struct vfio_migmux_peer_device *devices;
	struct vfio_migmux_peer_info info;
	struct compare_device *dev;
	int ret;

	ret = vfmig_peer_info(t->fd, &info, NULL, 0);
	if (ret)
		return ret;
	devices = calloc(info.nr_devices, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	ret = vfmig_peer_info(t->fd, &info, devices, info.nr_devices);
	end->verify = info.peer_flags & VFIO_MIGMUX_PEER_VERIFY;
	end->shared = info.peer_flags & VFIO_MIGMUX_PEER_SHARED;
	end->staging = info.staging;
	end->max_state = info.max_state;
	for (uint32_t i = 0; i < info.nr_devices && !ret; i++) {
		end->devices = model_grow(end->devices, i, sizeof(*end->devices));
		end->nr_devices = i + 1;
		dev = &end->devices[i];
		strcpy(dev->idstr, (const char *)devices[i].idstr);
		strcpy(dev->driver, (const char *)devices[i].driver);
		dev->migration_flags = devices[i].migration_flags;
		dev->precopy_version = devices[i].precopy_version;
	}
	free(devices);
	return ret;
}

static void print_table(const struct compare *c, const struct compare_end *there)
{
	static const char * const header[] = { "device", "what", "here", "there", "result" };
	char staging[OUTPUT_UNIT_MAX];
	const char *last = "";
	struct table t;

	table_begin(&t, 5, 0, header);
	for (uint32_t i = 0; i < c->n; i++) {
		const struct compare_row *row = &c->rows[i];

		table_cell(&t, "%s", !row->device[0] ? "all" :
			   strcmp(row->device, last) ? row->device : "");
		table_cell(&t, "%s", row->what);
		table_cell(&t, "%s", row->here);
		table_cell(&t, "%s", row->there);
		table_cell(&t, "%s", compare_result_name(row->result));
		last = row->device;
	}
	table_end(&t, stdout);
	printf("staging at the other end: %s\n", output_bytes(staging, there->staging));
}

static void print_all(const struct transfer *t, const struct compare *c,
		      const struct compare_end *here, const struct compare_end *there)
{
	if (t->app->json)
		json_finish(compare_json(c, here, there), stdout, false);
	else
		print_table(c, there);
}

/* Before anything was compared. */
static int failed(struct transfer *t, int ret)
{
	char what[64];

	if (ret == -ETIMEDOUT) {
		output_error("no recv was ready at the other end of link %s within %u ms",
			     t->session.link, t->ready_ms);
		return VFMIG_REFUSED;
	}
	snprintf(what, sizeof(what), "%s %s", t->check_only ? "check" : "send",
		 t->aborted ? "interrupted" : "failed");
	transfer_failed(t, what, ret);
	return VFMIG_REFUSED;
}

/**
 * check_peer() - ask the other end whether it is ready and fits
 * @t: the run, with a link and nothing sent yet
 * @flags: VFIO_MIGMUX_SAVE_* of the switchover
 *
 * The devices are not touched. If the run ends with that, the other end goes on waiting.
 *
 * Return: 0 if it does, or an exit code after it said what differs.
 */
int check_peer(struct transfer *t, uint32_t flags)
{
	struct compare_end here = { 0 }, there = { 0 };
	struct compare c = { 0 };
	int ret;

	ret = vfmig_save(t->fd, flags | VFIO_MIGMUX_SAVE_READY, VFIO_DEVICE_STATE_RUNNING, 0,
			 t->staging);
	if (!ret)
		ret = wait_ready(t);
	if (!ret)
		ret = look_here(t, &here);
	if (!ret)
		ret = look_there(t, &there);
	if (ret) {
		ret = failed(t, ret);
		goto out;
	}
	compare_ends(&c, &here, &there);
	if (t->check_only)
		print_all(t, &c, &here, &there);
	fflush(stdout);
	for (uint32_t i = 0; i < c.n; i++)
		if (c.rows[i].result == COMPARE_DIFFERS)
			output_error("%s", c.rows[i].text);
	if (c.differs)
		ret = VFMIG_REFUSED;
out:
	compare_free(&c);
	free(here.devices);
	free(there.devices);
	return ret;
}

static int run(struct transfer *t)
{
	uint32_t flags = VFIO_MIGMUX_SAVE_VERDICT;

	t->check_only = true;
	if (!t->ready_ms)
		t->ready_ms = CHECK_MS;
	/* nothing is going to wait there */
	t->staging = 1;
	if (t->verify)
		flags |= VFIO_MIGMUX_SAVE_VERIFY;
	if (t->no_p2p)
		flags |= VFIO_MIGMUX_SAVE_NO_P2P;
	return check_peer(t, flags);
}

int check_run(struct app *app, const struct command *cmd, int argc, char **argv)
{
	return transfer_main(app, cmd, argc, argv, VFIO_MIGMUX_ROLE_SOURCE, run);
}
