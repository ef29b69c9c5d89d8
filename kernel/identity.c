// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "identity.h"

/**
 * migmux_identity_take() - remember the current process
 * @id: an empty identity
 *
 * Context: a task of that process.
 */
void migmux_identity_take(struct migmux_identity *id)
{
	id->cred = get_current_cred();
	id->mm = current->mm;
	mmgrab(id->mm);
}

/**
 * migmux_identity_put() - forget a process
 * @id: empty afterwards
 */
void migmux_identity_put(struct migmux_identity *id)
{
	if (!id->mm)
		return;
	put_cred(id->cred);
	mmdrop(id->mm);
	*id = (struct migmux_identity) { };
}

/**
 * migmux_identity_assume() - act for a process
 * @id: the process, not empty
 * @self: filled, for migmux_identity_leave()
 *
 * Context: work. Not nested.
 */
void migmux_identity_assume(const struct migmux_identity *id,
			    struct migmux_self *self)
{
	self->cred = override_creds(id->cred);
	self->borrowed = get_mem_cgroup_from_mm(id->mm);
	self->memcg = set_active_memcg(self->borrowed);
}

/**
 * migmux_identity_leave() - be oneself again
 * @self: from migmux_identity_assume()
 */
void migmux_identity_leave(struct migmux_self *self)
{
	set_active_memcg(self->memcg);
	mem_cgroup_put(self->borrowed);
	revert_creds(self->cred);
}
