// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig send --precopy: rounds until there is a reason to switch over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libvfmig.h"
#include "output.h"
#include "transfer.h"

/* A device that never comes to an end of a round sends no event. */
#define LOOK_MS 500

static void take_device(struct precopy_look *look, const struct vfio_migmux_precopy_device *d)
{
	if (!(d->flags & VFIO_MIGMUX_PRECOPY_ACTIVE))
		return;
	look->bytes += d->bytes;
	if (d->ns > look->ns)
		look->ns = d->ns;
	if (d->rounds > look->most_rounds)
		look->most_rounds = d->rounds;
	if (d->rounds < look->least_rounds)
		look->least_rounds = d->rounds;
}

static int look_at(struct transfer *t, struct precopy_look *look)
{
	const uint32_t nr = t->session.nr_devices;
	struct vfio_migmux_precopy_device *devices;
	struct vfio_migmux_precopy_info info;
	int ret;

	devices = calloc(nr, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	ret = vfmig_precopy_info(t->fd, &info, devices, nr);
	if (!ret) {
		*look = (struct precopy_look){
			.nr_devices = info.nr_precopy,
			.loaded = !t->verdict || info.nr_acked == info.nr_precopy,
			.initial_bytes = info.initial_bytes,
			.dirty_bytes = info.dirty_bytes,
			.stop_copy_bytes = info.stop_copy_bytes,
			.least_rounds = UINT64_MAX,
		};
		for (uint32_t i = 0; i < nr && i < info.nr_devices; i++)
			take_device(look, &devices[i]);
	}
	free(devices);
	return ret;
}

static int go_on(struct transfer *t)
{
	const uint64_t begin = transfer_now_ms();
	struct precopy_look look = { 0 };
	uint64_t left;
	int ret;

	for (;;) {
		ret = look_at(t, &look);
		look.elapsed_ms = transfer_now_ms() - begin;
		/* a session that fails refuses to tell: how it ends is told by the wait */
		if (ret && ret != -ECANCELED)
			return ret;
		if (!ret && precopy_decide(&t->precopy, &look) != PRECOPY_GOES_ON)
			return 0;
		left = t->precopy.limits.time_ms > look.elapsed_ms ?
		       t->precopy.limits.time_ms - look.elapsed_ms : 0;
		ret = transfer_wait_event(t, left < LOOK_MS ? (int)left : LOOK_MS);
		if (ret)
			return ret;
	}
}

/**
 * precopy_run() - send what can be sent while the devices run
 * @t: the run, nothing sent yet
 * @flags: VFIO_MIGMUX_SAVE_* of the switchover
 *
 * Return: 0 when it is time to switch over, or a negative errno.
 */
int precopy_run(struct transfer *t, uint32_t flags)
{
	int ret;

	ret = vfmig_save(t->fd, flags | VFIO_MIGMUX_SAVE_PRECOPY, VFIO_DEVICE_STATE_RUNNING,
			 t->timeout_ms, t->staging);
	if (!ret)
		ret = transfer_wait(t, VFIO_MIGMUX_MILESTONE_PRECOPY);
	return ret ? ret : go_on(t);
}

/**
 * precopy_print() - why it ended, and what was left
 * @out: where to
 * @p: the pre-copy
 */
void precopy_print(FILE *out, const struct precopy *p)
{
	char bytes[OUTPUT_UNIT_MAX];

	fprintf(out, "switched over: %s", precopy_why_text(p->why));
	if (p->look.nr_devices)
		fprintf(out, "; left: %s%s", output_bytes(bytes, p->look.stop_copy_bytes),
			p->look.loaded ? "" : ", the destination was not through");
	fputc('\n', out);
}
