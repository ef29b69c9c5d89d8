// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device goes while its session is closed, whose mapping stands still. Nobody else has the
 * devices open.
 */
#include <pthread.h>

#include "holder.h"
#include "memory.h"
#include "session_fixture.h"
#include "thread.h"

#define AT	(4UL << 30)	/* where no IOMMU has anything else */

FIXTURE(closing)
{
	char addr[2][VFIO_ADDR_MAX];
	struct vfio_set set[2];
	int fd;
	long pinned;
};

FIXTURE_SETUP(closing)
{
	int i;

	if (devices_names(self->addr, 2) < 2)
		SKIP(return, "fewer than 2 devices are bound to " MIGSIM_DRIVER);
	self->fd = session_open();
	if (self->fd == -ENOENT)
		SKIP(return, "vfio_migmux is not loaded");
	ASSERT_LE(0, self->fd);
	/* a container each: what goes must not wait for the other's */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, devices_open(&self->set[i], i, 1));
		ASSERT_EQ(0, devices_settle(&self->set[i]));
	}
	self->pinned = memory_pinned();
	ASSERT_LE(0, self->pinned);
	ASSERT_EQ(0, memory_locked());
}

FIXTURE_TEARDOWN(closing)
{
	close(self->fd);
	vfio_set_close(&self->set[0]);
	EXPECT_EQ(0, memory_wait_pinned(self->pinned));
	EXPECT_EQ(0, module_wait_unused());
	EXPECT_TRUE(device_reopens(self->addr[0]));
	EXPECT_TRUE(device_reopens(self->addr[1]));
}

static void *close_session(void *arg)
{
	int *fd = arg;

	pthread_setname_np(pthread_self(), "closer");
	return close(*fd) ? "cannot close" : NULL;
}

static void *unbind(void *addr)
{
	return driver_write("unbind", addr) ? "cannot unbind" : NULL;
}

/*
 * The close has found that nothing has to end, and waits for the thread that maps. The session
 * does not fail beside it any more: nobody gives up what that thread is at.
 */
TEST_F(closing, device_goes)
{
	struct vfio_migmux_dma_range r = memory_range(AT, memory_new(PIECE), PIECE);
	const int container = self->set[0].container;
	pthread_t closer, unbinder;
	struct holder holder;
	void *ret = NULL;
	int i, fd = self->fd;

	ASSERT_EQ(0, session_device_add(fd, self->set[1].dev[0].fd, idstrs[0], 0));
	vfio_set_close(&self->set[1]);
	/* the target, which cannot be asked anything later */
	ASSERT_EQ(0, session_dma_map(fd, container, 0, PIECE, NULL, 0));
	ASSERT_EQ(0, holder_start(&holder, container));
	ASSERT_EQ(0, session_dma_map(fd, container, 0, PIECE, &r, 1));
	ASSERT_EQ(0, thread_wait("migmux-dma", 'D'));
	self->fd = -1;	/* it is the closer's */
	ASSERT_EQ(0, pthread_create(&closer, NULL, close_session, &fd));
	ASSERT_EQ(0, thread_wait("closer", 'D'));

	/* if the session ended now the device would be free at once */
	ASSERT_EQ(0, pthread_create(&unbinder, NULL, unbind, self->addr[1]));
	for (i = 0; i < 500 && pthread_tryjoin_np(unbinder, &ret); i++)
		usleep(1000);
	EXPECT_TRUE(thread_is("closer", 'D'));

	EXPECT_EQ(NULL, holder_end(&holder));
	if (i == 500)
		ASSERT_EQ(0, pthread_join(unbinder, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, pthread_join(closer, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, driver_write("bind", self->addr[1]));

	/* nothing is left of it but what is ours */
	EXPECT_EQ(HOLDER_PAGE, memory_locked());
	EXPECT_EQ(0, type1_map(container, AT, (void *)r.vaddr, PIECE));
	EXPECT_EQ(HOLDER_PAGE + PIECE, type1_unmap_all(container));
	EXPECT_EQ(0, memory_locked());
}

TEST_HARNESS_MAIN
