/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the set tests: devices that main() has opened, at their defaults and in
 * RUNNING, two of the driver's devices that nobody has open, and no set.
 *
 * A test is a process of its own that inherits the devices: to a set it is another VMM
 * than the one before, and has to drive a device before that follows.
 */
#ifndef SELFTEST_SET_FIXTURE_H
#define SELFTEST_SET_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio_migmux.h>

#include "kselftest_harness.h"
#include "set_util.h"

FIXTURE(sets)
{
	struct nl nl;
	struct vmm src;
	struct vmm dst;
	struct spare spare;
};

FIXTURE_SETUP(sets)
{
	int err;

	if (!devices.n)
		SKIP(return, "fewer than 8 devices are bound to " MIGSIM_DRIVER);
	err = nl_open(&self->nl);
	if (err == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, sets_forget(&self->nl));
	ASSERT_EQ(0, sets_settle());
	vmm_init(&self->src, VMM_QEMU, devices.dev, SET_DEVICES);
	vmm_init(&self->dst, VMM_QEMU, devices.dev + SET_DEVICES, SET_DEVICES);
	ASSERT_EQ(SPARE_DEVICES, spare_find(&self->spare));
}

FIXTURE_TEARDOWN(sets)
{
	spare_close(&self->spare);
	vmm_free(&self->src);
	vmm_free(&self->dst);
	EXPECT_EQ(0, sets_forget(&self->nl));
	EXPECT_EQ(0, sets_settle());
	nl_close(&self->nl);
}

/* A refusal has an errno and a text with the words that help. */
#define EXPECT_REFUSED(nl, error, word, call) do {	\
	EXPECT_EQ(-(error), (call));			\
	EXPECT_TRUE(nl_said((nl), (word)));		\
} while (0)

static inline void sets_unpin(void)
{
	sets_pin(false);
}

/* What main() does; the harness leaves by exit(), its children do not. */
static inline int sets_main(int argc, char **argv)
{
	if (sets_devices_open())
		devices.n = 0;
	sets_pin(true);
	atexit(sets_unpin);
	return test_harness_run(argc, argv);
}

#endif /* SELFTEST_SET_FIXTURE_H */
