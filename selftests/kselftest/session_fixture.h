/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the session tests: devices that main() has opened, at their defaults,
 * and one session without any of them. Wants root, the module, and
 * SESSION_DEVICES devices bound to vfio_pci_migsim; else the tests are skipped.
 */
#ifndef SELFTEST_SESSION_FIXTURE_H
#define SELFTEST_SESSION_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "peer.h"
#include "session.h"
#include "vfio.h"

FIXTURE(vmm)
{
	struct vfio_dev *dev;
	int fd;
};

FIXTURE_SETUP(vmm)
{
	if (!devices.n)
		SKIP(return, "fewer than 4 devices are bound to " MIGSIM_DRIVER);
	self->dev = devices.dev;
	self->fd = session_open();
	if (self->fd == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, devices_settle(&devices));
}

FIXTURE_TEARDOWN(vmm)
{
	close(self->fd);
	EXPECT_EQ(0, devices_settle(&devices));
}

/* A refused or failed call: its errno, and a text with the words that help. */
#define EXPECT_SAYS(error, words, call) do {			\
	EXPECT_EQ(-(error), (call));				\
	EXPECT_TRUE(session_says(self->fd, (error), (words)));	\
} while (0)

/* The same of any session. */
#define EXPECT_REFUSED(fd, error, words, call) do {		\
	EXPECT_EQ(-(error), (call));				\
	EXPECT_TRUE(session_says(fd, error, words));		\
} while (0)

/* Both have been, in that order. */
static inline bool ordered(__u64 a, __u64 b)
{
	if (a && a <= b)
		return true;
	printf("# %llu is not before %llu\n", a, b);
	return false;
}

/* What main() does. */
static inline int session_main(int argc, char **argv)
{
	if (devices_open(&devices, 0, SESSION_DEVICES))
		devices.n = 0;
	return test_harness_run(argc, argv);
}

static inline void precopy_off(void)
{
	if (devices.n)
		vfio_set_close(&devices);
	devices_precopy(SESSION_DEVICES, false);
}

/* The same, and the first @n devices can pre-copy; the harness exits by itself. */
static inline int session_main_precopy(int argc, char **argv, int n)
{
	devices_precopy(n, true);
	atexit(precopy_off);
	return session_main(argc, argv);
}

#endif /* SELFTEST_SESSION_FIXTURE_H */
