// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vfio_pci_migsim by itself: what can happen to a device and its
 * data_fd in the course of their lives
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "migsim_fixture.h"

static int read_errno(int fd)
{
	char byte;
	ssize_t n = read(fd, &byte, 1);

	return n < 0 ? -errno : n;
}

TEST_F(migsim, reset)
{
	struct registers fresh, got;
	char crc[32], again[32];
	void *bar;
	int fd;

	bar = bar_map(self->src);
	ASSERT_NE(bar, NULL);
	registers_get(bar, &fresh);
	attr_read(self->src->addr, "payload_crc", crc, sizeof(crc));
	ASSERT_EQ(registers_fill(bar, 0x1234), 0);
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	EXPECT_EQ(read_errno(fd), 1);

	ASSERT_EQ(ioctl(self->src->fd, VFIO_DEVICE_RESET), 0);
	registers_get(bar, &got);
	EXPECT_EQ(memcmp(&fresh, &got, sizeof(got)), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	close(fd);

	/* what was loaded is gone after a reset */
	ASSERT_EQ(device_save(self->src, self->stream, MIB), MIB + MIGSIM_HEAD);
	memset(self->stream + MIGSIM_HEAD, 0, MIB);
	ASSERT_EQ(device_load(self->src, self->stream, MIB + MIGSIM_HEAD, MIB),
		  0);
	attr_read(self->src->addr, "payload_crc", again, sizeof(again));
	EXPECT_STREQ(again, "a738ea1c"); /* CRC-32 of 1 MiB of zeroes */
	ASSERT_EQ(ioctl(self->src->fd, VFIO_DEVICE_RESET), 0);
	attr_read(self->src->addr, "payload_crc", again, sizeof(again));
	EXPECT_STREQ(crc, again);
	bar_unmap(bar);
}

/* A VMM switches memory decoding off around a reset, and may save so. */
TEST_F(migsim, no_memory_decoding)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 on, off = 0;
	long len;

	ASSERT_EQ(ioctl(self->src->fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	ASSERT_EQ(pread(self->src->fd, &on, 2, info.offset + 4), 2);
	ASSERT_EQ(pwrite(self->src->fd, &off, 2, info.offset + 4), 2);
	EXPECT_EQ(ioctl(self->src->fd, VFIO_DEVICE_RESET), 0);
	len = device_save(self->src, self->stream, MIB);
	EXPECT_EQ(len, MIB + MIGSIM_HEAD);
	EXPECT_EQ(device_load(self->src, self->stream, len, MIB), 0);
	ASSERT_EQ(pread(self->src->fd, &off, 2, info.offset + 4), 2);
	EXPECT_EQ(off & 2, 0);
	ASSERT_EQ(pwrite(self->src->fd, &on, 2, info.offset + 4), 2);
}

TEST_F(migsim, stale_fd)
{
	int fd, late;

	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	ASSERT_EQ(set_state(self->src, STOP, NULL), 0);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	close(fd);

	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	ASSERT_EQ(set_state(self->dst, RESUMING, &late), 0);
	devices_close(self);
	if (strcmp(self->addr[0], self->addr[1]))
		EXPECT_EQ(read_errno(fd), -ENODEV);
	EXPECT_EQ(write(late, "x", 1), -1);
	EXPECT_EQ(errno, ENODEV);

	/* the driver can go while a stale fd is open */
	ASSERT_EQ(driver_write("unbind", self->addr[0]), 0);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	ASSERT_EQ(driver_write("bind", self->addr[0]), 0);
	EXPECT_EQ(read_errno(fd), -ENODEV);
	close(fd);
	close(late);
}

TEST_F(migsim, attributes_of_closed_device)
{
	char crc[32], again[32], regs[256];

	EXPECT_EQ(attr_read_num(self->src->addr, "open"), 1);
	EXPECT_EQ(attr_read(self->src->addr, "registers", regs, sizeof(regs)),
		  0);
	EXPECT_EQ(attr_write(self->src->addr, "p2p", "0"), -EBUSY);
	attr_read(self->src->addr, "payload_crc", crc, sizeof(crc));
	devices_close(self);
	EXPECT_EQ(attr_read_num(self->src->addr, "open"), 0);
	EXPECT_EQ(attr_read(self->src->addr, "registers", regs, sizeof(regs)),
		  -ENODEV);
	attr_read(self->src->addr, "payload_crc", again, sizeof(again));
	EXPECT_STREQ(crc, again);
}

TEST_F(migsim, without_p2p)
{
	int fd;

	devices_close(self);
	ASSERT_EQ(attr_write(self->addr[0], "p2p", "0"), 0);
	ASSERT_EQ(devices_open(self), 0);
	EXPECT_EQ(self->src->migration_flags, VFIO_MIGRATION_STOP_COPY);
	EXPECT_EQ(set_state(self->src, RUNNING_P2P, NULL), -EINVAL);
	ASSERT_EQ(set_state(self->src, STOP_COPY, &fd), 0);
	close(fd);
	EXPECT_EQ(set_state(self->src, RUNNING, NULL), 0);
	devices_close(self);
}

TEST_F(migsim, cannot_migrate)
{
	devices_close(self);
	ASSERT_EQ(driver_write("unbind", self->addr[0]), 0);
	ASSERT_EQ(param_write("nomig", "1"), 0);
	ASSERT_EQ(driver_write("bind", self->addr[0]), 0);
	ASSERT_EQ(devices_open(self), 0);
	EXPECT_EQ(self->src->migration_flags, 0);
	EXPECT_EQ(set_state(self->src, STOP, NULL), -ENOTTY);
	devices_close(self);
	EXPECT_EQ(attr_write(self->addr[0], "p2p", "1"), -EOPNOTSUPP);
	ASSERT_EQ(driver_write("unbind", self->addr[0]), 0);
	ASSERT_EQ(param_write("nomig", "0"), 0);
	ASSERT_EQ(driver_write("bind", self->addr[0]), 0);
}

/* Entering P2P waits for the transfer under way, which edu takes 100 ms for. */
TEST_F(migsim, quiesce)
{
	void *bar = bar_map(self->src);
	__u64 start = now_ns();

	ASSERT_NE(bar, NULL);
	/* four bytes to nowhere: bus mastering is off */
	set64(bar, 0x80, 0x40000);
	set64(bar, 0x88, 0);
	set64(bar, 0x90, 4);
	set64(bar, 0x98, 1 | 2);
	ASSERT_EQ(set_state(self->src, RUNNING_P2P, NULL), 0);
	EXPECT_EQ(get64(bar, 0x98), 2);
	EXPECT_GE(now_ns() - start, 90000000);
	bar_unmap(bar);
}

static int msi_enable(int fd, int event)
{
	struct {
		struct vfio_irq_set head;
		__s32 fd;
	} set = {
		.head = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSI_IRQ_INDEX,
			.count = 1,
		},
		.fd = event,
	};

	return ioctl(fd, VFIO_DEVICE_SET_IRQS, &set);
}

static bool event_comes(int event, int ms)
{
	struct pollfd pollfd = { .fd = event, .events = POLLIN };
	__u64 count;

	return poll(&pollfd, 1, ms) == 1 && read(event, &count, 8) == 8;
}

/* A load with pending interrupt bits must not send a message. */
TEST_F(migsim, no_interrupt)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	void *bar = bar_map(self->src);
	int event = eventfd(0, EFD_CLOEXEC);
	__u16 command;
	long len;

	ASSERT_NE(bar, NULL);
	ASSERT_EQ(ioctl(self->src->fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	ASSERT_EQ(pread(self->src->fd, &command, 2, info.offset + 4), 2);
	command |= 4;
	ASSERT_EQ(pwrite(self->src->fd, &command, 2, info.offset + 4), 2);
	ASSERT_EQ(msi_enable(self->src->fd, event), 0);
	set32(bar, 0x60, 0x42);
	EXPECT_TRUE(event_comes(event, 1000));

	len = device_save(self->src, self->stream, MIB);
	set32(bar, 0x64, ~0U);
	ASSERT_EQ(device_load(self->src, self->stream, len, MIB), 0);
	EXPECT_EQ(get32(bar, 0x24), 0x42);
	EXPECT_FALSE(event_comes(event, 200));
	set32(bar, 0x60, 1);
	EXPECT_TRUE(event_comes(event, 1000));
	close(event);
	bar_unmap(bar);
}

struct stress {
	const struct vfio_dev *dev;
	int data_fd;
	bool end;
	__u64 arcs;
	__u64 resets;
	__u64 writes;
	__u64 reads;
};

static bool ended(struct stress *stress)
{
	return __atomic_load_n(&stress->end, __ATOMIC_RELAXED);
}

static void *stress_arcs(void *arg)
{
	static const unsigned int states[] = {
		STOP_COPY, RESUMING, RUNNING_P2P, STOP, PRE_COPY,
	};
	struct stress *stress = arg;
	int fd = -1;

	while (!ended(stress)) {
		unsigned int i = stress->arcs++ % 5;

		if (!set_state(stress->dev, states[i], &fd) && fd >= 0) {
			dup2(fd, stress->data_fd);
			close(fd);
		}
	}
	return NULL;
}

static void *stress_resets(void *arg)
{
	struct stress *stress = arg;

	for (; !ended(stress); stress->resets++) {
		ioctl(stress->dev->fd, VFIO_DEVICE_RESET);
		usleep(3000);
	}
	return NULL;
}

static void *stress_sysfs(void *arg)
{
	struct stress *stress = arg;
	const char *addr = stress->dev->addr;
	char text[4096];

	for (; !ended(stress); stress->writes++) {
		__u64 n = stress->writes;

		attr_write_num(addr, "state_size", n % 7 * 50000);
		attr_write_num(addr, "seed", n % 3);
		attr_write_num(addr, "read_chunk", n % 5 * 1000);
		attr_write_num(addr, "write_us_per_mib", n % 2 * 100);
		attr_write(addr, "fail_arc", n % 16 ? "none" :
			   "STOP>RESUMING:5:1");
		attr_write_num(addr, "fail_to_error", n % 2);
		attr_write_num(addr, "headerless", n % 3 != 0);
		attr_write_num(addr, "dirty_rate", n % 4 * 1000000);
		attr_write_num(addr, "dirty", n % 5 * 4096);
		attr_read(addr, "payload_crc", text, sizeof(text));
		attr_read(addr, "registers", text, sizeof(text));
		attr_read(addr, "arcs_log", text, sizeof(text));
	}
	return NULL;
}

static void *stress_data(void *arg)
{
	struct stress *stress = arg;
	char buf[8192];

	memset(buf, 0, sizeof(buf));
	for (; !ended(stress); stress->reads++) {
		if (read(stress->data_fd, buf, sizeof(buf)) < 0)
			usleep(100);
		if (write(stress->data_fd, buf, sizeof(buf)) < 0)
			usleep(100);
	}
	return NULL;
}

TEST_F_TIMEOUT(migsim, stress, 60)
{
	void *(*const work[])(void *) = {
		stress_arcs, stress_resets, stress_sysfs, stress_data,
		stress_data,
	};
	struct stress stress = { .dev = self->src };
	pthread_t thread[5];
	int i;

	devices_close(self);
	ASSERT_EQ(attr_write(self->addr[0], "precopy", "1"), 0);
	ASSERT_EQ(devices_open(self), 0);
	stress.data_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_GE(stress.data_fd, 0);
	for (i = 0; i < 5; i++)
		ASSERT_EQ(pthread_create(&thread[i], NULL, work[i], &stress),
			  0);
	sleep(4);
	__atomic_store_n(&stress.end, true, __ATOMIC_RELAXED);
	for (i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	close(stress.data_fd);
	TH_LOG("%llu arcs, %llu resets, %llu rounds of attributes, %llu of data",
	       stress.arcs, stress.resets, stress.writes, stress.reads);
	EXPECT_GT(stress.arcs, 10);
	EXPECT_GT(stress.resets, 10);
	ASSERT_EQ(ioctl(self->src->fd, VFIO_DEVICE_RESET), 0);
	EXPECT_EQ(vfio_state_get(self->src->fd), RUNNING);
	devices_close(self);
}

TEST_HARNESS_MAIN
