// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig recv: the destination of a migration of devices that no VM uses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libvfmig.h"
#include "objects.h"
#include "output.h"
#include "transfer.h"

/* What is mapped of a range is taken away when it fails: no longer than that takes. */
#define MEMORY_UNDO_MS	10000

static int say_ready(const struct transfer *t)
{
	int ret;

	if (t->ready_file) {
		ret = output_ready_file(t->ready_file);
		if (ret)
			output_error("cannot write %s: %s", t->ready_file, strerror(-ret));
		return ret;
	}
	/* with -j stdout holds one document */
	if (!t->app->json) {
		puts("ready");
		fflush(stdout);
	}
	return 0;
}

/* Some devices may run though others do not start: the caller decides then. */
static int start_devices(struct transfer *t)
{
	int ret = transfer_set_state(t, VFIO_DEVICE_STATE_RUNNING);
	uint32_t running = 0;

	if (!ret)
		return VFMIG_OK;
	transfer_failed(t, "received, but cannot start the devices", ret);
	for (uint32_t i = 0; i < t->session.nr_devices; i++)
		running += t->session.devices[i].t.state == VFIO_DEVICE_STATE_RUNNING;
	return running ? VFMIG_PARTIAL : VFMIG_REFUSED;
}

static int run(struct transfer *t)
{
	const struct vfmig_load_limits limits = {
		.staging = t->staging,
		.max_queued = t->max_queued,
		.max_spill = t->max_spill,
		.max_state = t->max_state,
	};
	struct vfio_migmux_dma_wait memory;
	uint32_t flags = 0;
	int ret;

	if (t->memory && memory_map(t))
		return VFMIG_REFUSED;
	if (t->verdict)
		flags |= VFIO_MIGMUX_LOAD_VERDICT;
	if (t->verify)
		flags |= VFIO_MIGMUX_LOAD_VERIFY;
	if (t->no_p2p)
		flags |= VFIO_MIGMUX_LOAD_NO_P2P;
	ret = vfmig_load_limited(t->fd, flags, VFIO_DEVICE_STATE_RUNNING, t->timeout_ms,
				 &limits);
	if (ret) {
		transfer_failed(t, "cannot receive", ret);
		return VFMIG_REFUSED;
	}
	if (say_ready(t))
		return VFMIG_REFUSED;
	ret = transfer_wait(t, VFIO_MIGMUX_MILESTONE_HANDED_OVER);
	if (ret && ret == t->memory_error) {
		/* no verdict: the source goes on with its devices. Then the words come */
		vfmig_dma_wait(t->fd, MEMORY_UNDO_MS, &memory, NULL, 0);
		transfer_failed(t, "cannot map memory", ret);
		return VFMIG_REFUSED;
	}
	if (ret) {
		transfer_failed(t, t->aborted ? "recv interrupted" : "recv failed", ret);
		return VFMIG_REFUSED;
	}
	ret = start_devices(t);
	/* the command finds devices that run */
	return ret ? ret : transfer_exec(t);
}

int recv_run(struct app *app, const struct command *cmd, int argc, char **argv)
{
	return transfer_main(app, cmd, argc, argv, VFIO_MIGMUX_ROLE_DESTINATION, run);
}
