/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of migsim's tests: the first two devices bound to the driver,
 * open, or the only one as source and destination. The tests change knobs;
 * the defaults are there before and after.
 */
#ifndef MIGSIM_FIXTURE_H
#define MIGSIM_FIXTURE_H

#include <kselftest_harness.h>

#include "migsim_util.h"

#define KIB	1024UL
#define MIB	(1024UL * KIB)

#define ERROR		VFIO_DEVICE_STATE_ERROR
#define STOP		VFIO_DEVICE_STATE_STOP
#define RUNNING		VFIO_DEVICE_STATE_RUNNING
#define STOP_COPY	VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING	VFIO_DEVICE_STATE_RESUMING
#define RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define PRE_COPY	VFIO_STATE_PRE_COPY
#define PRE_COPY_P2P	VFIO_STATE_PRE_COPY_P2P

FIXTURE(migsim)
{
	char addr[2][VFIO_ADDR_MAX];
	struct vfio_set set;
	struct vfio_dev *src, *dst;
	char *stream;
	bool open;
};

static int devices_open(struct _test_data_migsim *self)
{
	char *names[2] = { self->addr[0], self->addr[1] };
	int n = strcmp(self->addr[0], self->addr[1]) ? 2 : 1;

	if (vfio_set_open(&self->set, n, names))
		return -1;
	self->src = &self->set.dev[0];
	self->dst = &self->set.dev[n - 1];
	self->open = true;
	return 0;
}

static void devices_close(struct _test_data_migsim *self)
{
	if (self->open)
		vfio_set_close(&self->set);
	self->open = false;
}

FIXTURE_SETUP(migsim)
{
	int n = devices_find(self->addr, 2);

	if (n <= 0)
		SKIP(return, "no device is bound to " MIGSIM_DRIVER);
	if (n == 1)
		memcpy(self->addr[1], self->addr[0], VFIO_ADDR_MAX);
	ASSERT_EQ(knobs_reset(self->addr[0]), 0);
	ASSERT_EQ(knobs_reset(self->addr[1]), 0);
	self->stream = malloc(STREAM_MAX);
	ASSERT_NE(self->stream, NULL);
	ASSERT_EQ(devices_open(self), 0);
}

FIXTURE_TEARDOWN(migsim)
{
	devices_close(self);
	free(self->stream);
	knobs_reset(self->addr[0]);
	knobs_reset(self->addr[1]);
}

#endif /* MIGSIM_FIXTURE_H */
