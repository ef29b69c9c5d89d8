// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig send: the source of a migration of devices that no VM uses.
 */
#include <errno.h>

#include "libvfmig.h"
#include "objects.h"
#include "output.h"
#include "transfer.h"

static int run(struct transfer *t)
{
	uint32_t goal = t->verdict ? VFIO_MIGMUX_MILESTONE_HANDED_OVER :
				     VFIO_MIGMUX_MILESTONE_SENT;
	uint32_t flags = 0;
	int ret;

	if (t->verdict)
		flags |= VFIO_MIGMUX_SAVE_VERDICT;
	if (t->verify)
		flags |= VFIO_MIGMUX_SAVE_VERIFY;
	if (t->no_p2p)
		flags |= VFIO_MIGMUX_SAVE_NO_P2P;
	/* the answer comes the way of the verdict */
	if (t->check && t->verdict) {
		ret = check_peer(t, flags);
		if (ret)
			return ret;
		t->staging = 0;
	}
	if (t->precopy.wanted) {
		ret = precopy_run(t, flags);
		if (ret) {
			transfer_failed(t, t->aborted ? "send interrupted in pre-copy" :
					"send failed in pre-copy", ret);
			return VFMIG_REFUSED;
		}
	}
	ret = vfmig_save(t->fd, flags, VFIO_DEVICE_STATE_RUNNING, t->timeout_ms,
			 t->precopy.wanted ? 0 : t->staging);
	if (ret) {
		transfer_failed(t, "cannot send", ret);
		return VFMIG_REFUSED;
	}
	ret = transfer_wait(t, goal);
	if (ret) {
		transfer_failed(t, t->aborted ? "send interrupted" : "send failed", ret);
		return VFMIG_REFUSED;
	}
	/* the peer owns the state now: the devices here must not run again */
	ret = transfer_set_state(t, VFIO_DEVICE_STATE_STOP);
	if (ret) {
		transfer_failed(t, "sent, but cannot stop the devices", ret);
		return VFMIG_PARTIAL;
	}
	return VFMIG_OK;
}

int send_run(struct app *app, const struct command *cmd, int argc, char **argv)
{
	return transfer_main(app, cmd, argc, argv, VFIO_MIGMUX_ROLE_SOURCE, run);
}
