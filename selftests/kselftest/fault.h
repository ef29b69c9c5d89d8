/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that is not there (userfaultfd): who touches it waits until the file is closed. */
#ifndef SELFTEST_FAULT_H
#define SELFTEST_FAULT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "session.h"

#define FAULT_SIZE	4096	/* a page */

/* The file, or -errno. */
static inline int fault_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		uffd = -1;
	}
	return uffd < 0 ? -errno : uffd;
}

/* From here on a page of ours is not there, whatever was in it; 0 or -errno. */
static inline int fault_at(int uffd, void *page)
{
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)page, .len = FAULT_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(uffd, UFFDIO_REGISTER, &reg) || madvise(page, FAULT_SIZE, MADV_DONTNEED))
		return -errno;
	return 0;
}

/* Wait until somebody waits; 0 or -ETIMEDOUT. */
static inline int fault_wait(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };

	return poll(&pfd, 1, WAIT_MS) == 1 ? 0 : -ETIMEDOUT;
}

#endif /* SELFTEST_FAULT_H */
