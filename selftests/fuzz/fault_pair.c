// SPDX-License-Identifier: GPL-2.0-only
/* The two ends of a migration that fault_sweep.c makes fail; see fault_runs.h */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "fault_runs.h"
#include "peer.h"

struct ends ends = { .pair = { .from = -1, .to = -1 }, .recover = RUNNING };

int ends_open(int (*connect)(int fd[2]))
{
	return pair_open_over(&ends.pair, &devices.dev[0], &devices.dev[NR_DEVS], NR_DEVS, 1,
			      connect);
}

int ends_save(__u32 flags, __u64 staging)
{
	int ret = session_save(ends.pair.from, flags, ends.recover, staging);

	ends.saving |= !ret;
	return ret;
}

int ends_load(__u32 flags, __u64 staging)
{
	int ret = session_load(ends.pair.to, flags, ends.recover, staging);

	ends.loading |= !ret;
	return ret;
}

void ends_tell(const char *what)
{
	const int fds[] = { ends.pair.from, ends.pair.to };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		printf("# %s: %s has reached %#x: '%s'\n", what,
		       i ? "the destination" : "the source", session_reached(fds[i]),
		       session_last_error(fds[i]).text);
}

/* What has begun ends with all devices running there, and all of their state. */
int ends_finish(void)
{
	const struct pair *pair = &ends.pair;
	struct vfio_migmux_event events[8];
	int ret;

	ret = session_events(pair->from, events, ARRAY_SIZE(events));
	if (ret < 0)
		return ret;
	ret = session_wait(pair->to, M_LOADED | M_HANDED_OVER, WAIT_MS) ?:
	      session_wait(pair->from, M_SENT, WAIT_MS) ?:
	      session_set_state(pair->to, RUNNING, NONE, 0, 0, NULL);
	if (ret == -ETIMEDOUT)
		ends_tell("no end");
	return ret ?: pair_equal(pair) ? ret : WRONG;
}

/* Other state than the last time, so that what is left of that is no success. */
int state_new(void)
{
	static __u64 seed;
	int i, ret = 0;

	for (i = 0; i < NR_DEVS && !ret; i++)
		ret = attr_write_num(devices.dev[i].addr, "seed", ++seed);
	return ret;
}

int migrate(int (*connect)(int fd[2]))
{
	return state_new() ?: ends_open(connect) ?: ends_load(VERIFIED, MIB) ?:
	       ends_save(VERIFIED, MIB) ?: ends_finish();
}

/* --- after a failure ------------------------------------------------------------------ */

/* Which of the sessions can say why it went wrong? */
static int explained(int err)
{
	const int fds[] = { ends.pair.from, ends.pair.to };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] < 0)
			return 0;	/* it could not even be opened */
		if (session_last_error(fds[i]).text[0])
			return 0;
	}
	/* copies fail, and calls before there is anything to tell, without a word */
	if (err == -EFAULT || err == -ENOMEM)
		return 0;
	puts("# no session says why");
	return -EPROTO;
}

static bool over(int fd, bool began, __u32 enough)
{
	const __u32 reached = session_reached(fd);

	return !began || (reached & (M_ENDED | M_HANDED_OVER | enough)) ||
	       (ends.apart && !(reached & M_FAILED));
}

/* When one end has failed neither is left in the middle: both end, by themselves. */
static int ended(void)
{
	const int from = ends.pair.from, to = ends.pair.to;
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (!((session_reached(from) | session_reached(to)) & M_FAILED) ||
		    (over(from, ends.saving, ends.no_verdict ? M_SENT : 0) &&
		     over(to, ends.loading, 0)))
			return 0;
		usleep(1000);
	}
	printf("# no end: the source has reached %#x, the destination %#x\n",
	       session_reached(from), session_reached(to));
	return -ETIMEDOUT;
}

/* Of a session that has failed: its devices are where its timeline says. */
static int reported(int fd, const struct vfio_dev *dev)
{
	struct timeline timeline;
	__u32 i;
	int ret, state;

	if (!(session_reached(fd) & M_ENDED))
		return 0;
	ret = session_timeline(fd, &timeline);
	for (i = 0; !ret && i < timeline.t.nr_devices; i++) {
		state = vfio_state_get(dev[timeline.dev[i].index].fd);
		if (state != (int)timeline.dev[i].state) {
			printf("# device %u is in state %d, the timeline says %u\n",
			       timeline.dev[i].index, state, timeline.dev[i].state);
			ret = -EPROTO;
		}
	}
	return ret;
}

int ends_reported(void)
{
	const struct pair *pair = &ends.pair;

	return (ends.vmm_moves ? 0 : reported(pair->from, pair->src)) ?:
	       reported(pair->to, pair->dst);
}

int ends_check(int err)
{
	int ret = explained(err);

	if (ret || ends.pair.from < 0 || ends.pair.to < 0)
		return ret;
	return ended() ?: ends_reported();
}

void ends_undo(void)
{
	pair_close(&ends.pair);
	ends = (struct ends){ .pair = { .from = -1, .to = -1 }, .recover = RUNNING };
}
