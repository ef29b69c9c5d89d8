/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers act for a process: what drivers allocate and open on the way is its.
 */
#ifndef MIGMUX_IDENTITY_H
#define MIGMUX_IDENTITY_H

struct cred;
struct mem_cgroup;
struct mm_struct;

/**
 * struct migmux_identity - for whom a worker acts
 * @cred: owns and labels the files that drivers open; with a reference
 * @mm: its memory cgroup is charged; grabbed, not pinned
 *
 * Empty (all NULL) until migmux_identity_take().
 */
struct migmux_identity {
	const struct cred *cred;
	struct mm_struct *mm;
};

/* What a worker was before; on its stack. */
struct migmux_self {
	const struct cred *cred;
	struct mem_cgroup *memcg;
	struct mem_cgroup *borrowed;
};

void migmux_identity_take(struct migmux_identity *id);
void migmux_identity_put(struct migmux_identity *id);
void migmux_identity_assume(const struct migmux_identity *id,
			    struct migmux_self *self);
void migmux_identity_leave(struct migmux_self *self);

#endif /* MIGMUX_IDENTITY_H */
