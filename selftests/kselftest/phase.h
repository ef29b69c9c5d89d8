/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions in the middle of something: two devices, two channels whose other ends the
 * test holds, and a function for each point on the way where a VMM may give up, die or
 * lose a device. All of it goes on for seconds if nobody interferes.
 */
#ifndef SELFTEST_PHASE_H
#define SELFTEST_PHASE_H

#include "vfio.h"

/**
 * struct stage - a session and its surroundings
 * @fd: the session
 * @dev: two devices, open
 * @ch: the peer's ends of two channels
 */
struct stage {
	int fd;
	struct vfio_dev *dev;
	int ch[2];
};

int stage_open(struct stage *stage, struct vfio_dev *dev);
void stage_close(struct stage *stage);

/* Bring the session there; 0 or -errno. */
int phase_idle(struct stage *stage);
int phase_batch(struct stage *stage);
int phase_asking(struct stage *stage);
/* The devices must be able to pre-copy. */
int phase_precopy_arc(struct stage *stage);
int phase_precopy_idle(struct stage *stage);
int phase_precopy_busy(struct stage *stage);
int phase_switchover(struct stage *stage);
int phase_quiescing(struct stage *stage);
int phase_stopping(struct stage *stage);
int phase_saving(struct stage *stage);
int phase_streaming(struct stage *stage);
int phase_blocked(struct stage *stage);
int phase_verdict(struct stage *stage);
int phase_ready(struct stage *stage);
int phase_loading(struct stage *stage);
int phase_load_arc(struct stage *stage);
int phase_confirm(struct stage *stage);
int phase_buffers(struct stage *stage);
int phase_adopted(struct stage *stage);

#endif /* SELFTEST_PHASE_H */
