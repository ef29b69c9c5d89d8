// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM closes its session in the moment in which it is told that it failed. The mover that
 * tells it has not begun the end by then; the close has to wait for that all the same.
 *
 * The moment is made long on both sides. The thread that closes is a real-time one on the
 * movers' CPU, so it comes before the mover that wakes it, at the next place where the mover
 * may be preempted: where it makes the message for whoever listens to netlink. And the end
 * stands still in the middle: it tells the peer, on two sockets, and the second is locked by
 * a thread that sends a page which it does not get (userfaultfd).
 */
#include <dirent.h>
#include <pthread.h>

#include <linux/sockios.h>

#include "fault.h"
#include "memory.h"
#include "mnl.h"
#include "session_fixture.h"
#include "thread.h"

#define CPU	0	/* of the movers */

FIXTURE(told)
{
	FIXTURE_DATA(vmm) vmm;
	struct nl nl;
	int peer[2];	/* the peer's ends of two channels */
	int sock[2];	/* ours */
	int uffd;
};

FIXTURE_SETUP(told)
{
	struct _test_data_vmm *vmm = &self->vmm;
	int i, fd[2];

	vmm_setup(_metadata, vmm, NULL);
	ASSERT_EQ(0, nl_open(&self->nl));
	ASSERT_EQ(0, nl_subscribe(&self->nl));
	ASSERT_EQ(0, session_device_add(vmm->fd, vmm->dev[0].fd, "x", 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_pair(fd));
		ASSERT_EQ(i, session_channel_add(vmm->fd, fd[1], 0));
		self->peer[i] = fd[0];
		self->sock[i] = fd[1];
	}
	self->uffd = -1;
}

FIXTURE_TEARDOWN(told)
{
	int i;

	close(self->uffd);
	for (i = 0; i < 2; i++) {
		close(self->peer[i]);
		close(self->sock[i]);
	}
	nl_close(&self->nl);
	vmm_teardown(_metadata, &self->vmm, NULL);
}

/* --- threads ------------------------------------------------------------------------------ */

/* All movers have done what there was to do, and stay on one CPU from then on: how many. */
static int movers_pin(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int ret = 0, n = 0;
	char name[16];
	pid_t tid;

	while (dir && ret >= 0 && (entry = readdir(dir))) {
		tid = atoi(entry->d_name);
		if (!tid || tid == gettid())
			continue;
		ret = thread_idle(tid, name);
		if (!ret && !strncmp(name, "migmux-", 7)) {
			ret = thread_pin(tid, CPU);
			n++;
		}
	}
	if (dir)
		closedir(dir);
	return ret < 0 ? ret : n;
}

/* Both channels' init is received. */
static int inits_taken(const int *sock)
{
	int i, c, n;

	for (c = 0; c < 2; c++) {
		for (i = 0, n = 1; i < WAIT_MS && n; i++) {
			if (ioctl(sock[c], SIOCINQ, &n))
				return -errno;
			usleep(n ? 1000 : 0);
		}
		if (n)
			return -ETIMEDOUT;
	}
	return 0;
}

/* --- who closes, and who holds up the end ----------------------------------------------------- */

struct closer {
	int fd;
	pid_t tid;
	pthread_t thread;
};

static void *close_when_told(void *arg)
{
	struct vfio_migmux_event event = { };
	struct closer *closer = arg;
	int ret;

	if (thread_pin(0, CPU) || thread_first())
		return "cannot come first";
	__atomic_store_n(&closer->tid, gettid(), __ATOMIC_RELEASE);
	while (event.type != VFIO_MIGMUX_EVENT_FAILED) {
		ret = session_events(closer->fd, &event, 1);
		if (ret != 1)
			return "no event";
	}
	return close(closer->fd) ? "cannot close" : NULL;
}

static int closer_start(struct closer *closer, int fd)
{
	char name[16];
	int i;

	*closer = (struct closer){ .fd = fd };
	if (pthread_create(&closer->thread, NULL, close_when_told, closer))
		return -EAGAIN;
	for (i = 0; i < WAIT_MS && !__atomic_load_n(&closer->tid, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	return closer->tid ? thread_idle(closer->tid, name) : -ETIMEDOUT;
}

struct sender {
	int sock;
	void *page;
	pthread_t thread;
};

static void *send_page(void *arg)
{
	struct sender *sender = arg;

	if (send(sender->sock, sender->page, FAULT_SIZE, 0) != FAULT_SIZE)
		return "cannot send";
	return NULL;
}

/* From here until @uffd is closed the socket is locked. */
static int sender_start(struct sender *sender, int sock, int *uffd)
{
	int ret;

	sender->sock = sock;
	sender->page = memory_new(FAULT_SIZE);
	*uffd = fault_open();
	if (*uffd < 0 || !sender->page)
		return -ENOMEM;
	ret = fault_at(*uffd, sender->page);
	if (!ret && pthread_create(&sender->thread, NULL, send_page, sender))
		ret = -EAGAIN;
	return ret ?: fault_wait(*uffd);
}

static int verdict_recv(int fd, struct peer_verdict *verdict)
{
	return peer_recv(fd, verdict, sizeof(*verdict)) ?:
	       (peer_get32(verdict->magic) == PEER_VERDICT_MAGIC ? 0 : -EPROTO);
}

/* The close is not through before the end is: until then the device is in no new hands. */
TEST_F(told, closes_at_once)
{
	struct peer_frame bad = peer_frame("x", 0, 10, false);
	struct peer_verdict verdict;
	int i, other = session_open();
	struct sender sender;
	struct closer closer;
	char page[FAULT_SIZE];
	void *ret;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, session_load(self->vmm.fd, VFIO_MIGMUX_LOAD_VERDICT, RUNNING, MIB));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_send_init(self->peer[i], i));
	ASSERT_EQ(0, inits_taken(self->sock));
	ASSERT_EQ(3, movers_pin());
	ASSERT_EQ(0, closer_start(&closer, self->vmm.fd));
	self->vmm.fd = -1;	/* it is the closer's */
	ASSERT_EQ(0, sender_start(&sender, self->sock[1], &self->uffd));

	bad.magic = 0;
	ASSERT_EQ(0, peer_send(self->peer[0], &bad, sizeof(bad)));
	/* the end has come to the first channel, and stands still at the second */
	ASSERT_EQ(0, verdict_recv(self->peer[0], &verdict));
	EXPECT_EQ(EPROTO, peer_get32(verdict.status));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(-EBUSY, session_device_add(other, self->vmm.dev[0].fd, "x", 0));
		usleep(1000);
	}

	close(self->uffd);
	self->uffd = -1;
	ASSERT_EQ(0, pthread_join(sender.thread, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, pthread_join(closer.thread, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, peer_recv(self->peer[1], page, sizeof(page)));
	ASSERT_EQ(0, verdict_recv(self->peer[1], &verdict));
	EXPECT_EQ(EPROTO, peer_get32(verdict.status));
	EXPECT_EQ(0, session_device_add(other, self->vmm.dev[0].fd, "x", 0));
	close(other);
	EXPECT_EQ(0, migration_works());
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
