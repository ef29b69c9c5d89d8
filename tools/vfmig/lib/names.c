// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of numbers.
 */
#include <stddef.h>

#include "libvfmig.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* By number: the headers of older distributions lack the pre-copy states. */
static const char * const state_names[] = {
	[0] = "ERROR",
	[1] = "STOP",
	[2] = "RUNNING",
	[3] = "STOP_COPY",
	[4] = "RESUMING",
	[5] = "RUNNING_P2P",
	[6] = "PRE_COPY",
	[7] = "PRE_COPY_P2P",
};

static const char * const phase_names[VFIO_MIGMUX_NR_PHASES] = {
	[VFIO_MIGMUX_PHASE_QUIESCE] = "quiesce",
	[VFIO_MIGMUX_PHASE_STOP] = "stop",
	[VFIO_MIGMUX_PHASE_SAVE] = "save",
	[VFIO_MIGMUX_PHASE_TRANSFER] = "transfer",
	[VFIO_MIGMUX_PHASE_PREPARE] = "prepare",
	[VFIO_MIGMUX_PHASE_LOAD] = "load",
	[VFIO_MIGMUX_PHASE_RESUME] = "resume",
	[VFIO_MIGMUX_PHASE_START] = "start",
	[VFIO_MIGMUX_PHASE_ROLLBACK] = "rollback",
	[VFIO_MIGMUX_PHASE_PRECOPY] = "precopy",
};

static const char * const milestone_names[] = {
	"batch", "ready", "quiesced", "stopped", "sent", "loaded",
	"handed_over", "failed", "ended", "precopy", "precopy_acked",
	"peer_ready",
};

const char *vfmig_state_name(uint32_t state)
{
	return state < ARRAY_SIZE(state_names) ? state_names[state] : "UNKNOWN";
}

const char *vfmig_phase_name(uint32_t phase)
{
	return phase < ARRAY_SIZE(phase_names) ? phase_names[phase] : "unknown";
}

const char *vfmig_milestone_name(uint32_t bit)
{
	return bit < ARRAY_SIZE(milestone_names) ? milestone_names[bit] : "unknown";
}
