// SPDX-License-Identifier: GPL-2.0-only
/* What migsim_test does to a device; see migsim_util.h */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "migsim_util.h"

#define DRIVER_DIR	"/sys/bus/pci/drivers/" MIGSIM_DRIVER
#define BAR_SIZE	4096	/* the registers; the rest is empty */

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* devices_find() - the devices bound to the driver, sorted */
int devices_find(char addr[][VFIO_ADDR_MAX], int max)
{
	DIR *dir = opendir(DRIVER_DIR);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) && n < max)
		if (strlen(entry->d_name) == 12 && strchr(entry->d_name, ':'))
			memcpy(addr[n++], entry->d_name, 13);
	closedir(dir);
	qsort(addr, n, VFIO_ADDR_MAX, by_name);
	return n;
}

static int file_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static void attr_path(char *path, size_t size, const char *addr,
		      const char *attr)
{
	snprintf(path, size, "/sys/bus/pci/devices/%s/migsim/%s", addr, attr);
}

/* attr_write() - write a migsim/ attribute */
int attr_write(const char *addr, const char *attr, const char *value)
{
	char path[128];

	attr_path(path, sizeof(path), addr, attr);
	return file_write(path, value);
}

/* attr_write_num() - write a number to a migsim/ attribute */
int attr_write_num(const char *addr, const char *attr, __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return attr_write(addr, attr, text);
}

/* attr_read() - read a migsim/ attribute without its newline */
int attr_read(const char *addr, const char *attr, char *buf, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	*buf = '\0';
	attr_path(path, sizeof(path), addr, attr);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n <= 0)
		return n;
	buf[n] = '\0';
	if (buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return 0;
}

/* attr_read_num() - read a number from a migsim/ attribute */
__u64 attr_read_num(const char *addr, const char *attr)
{
	char text[32];

	if (attr_read(addr, attr, text, sizeof(text)))
		return ~0ULL;
	return strtoull(text, NULL, 0);
}

/* knobs_reset() - all knobs that a test may change to their defaults */
int knobs_reset(const char *addr)
{
	static const char *const numbers[] = {
		"arc_ms", "arc_us", "read_us_per_mib", "write_us_per_mib", "read_chunk",
		"write_chunk", "headerless", "fail_to_error", "serial", "dirty_rate",
		"poll", "nonblock", "read_iter", "lossy",
	};
	static const char *const specs[] = {
		"fail_arc", "reset_at_arc", "fail_read_at", "fail_write_at",
	};
	int ret = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		ret |= attr_write(addr, numbers[i], "0");
	for (i = 0; i < ARRAY_SIZE(specs); i++)
		ret |= attr_write(addr, specs[i], "none");
	ret |= attr_write(addr, "p2p", "1");
	ret |= attr_write(addr, "precopy", "0");
	ret |= attr_write_num(addr, "state_size", 1 << 20);
	ret |= attr_write(addr, "in_memory", "1");
	ret |= attr_write_num(addr, "precopy_size", 4096);
	ret |= attr_write(addr, "precopy_end", "enomsg");
	ret |= attr_write(addr, "arcs_log", "0");
	ret |= param_write("arc_cap", "0");
	return ret;
}

/* driver_write() - write "bind" or "unbind" of the driver */
int driver_write(const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVER_DIR "/%s", file);
	return file_write(path, value);
}

/* param_write() - write a parameter of the module */
int param_write(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path),
		 "/sys/module/" MIGSIM_DRIVER "/parameters/%s", name);
	return file_write(path, value);
}

/* set_state() - vfio_state_set() with an errno as result */
int set_state(const struct vfio_dev *dev, unsigned int state, int *data_fd)
{
	return vfio_state_set(dev->fd, state, data_fd) ? -errno : 0;
}

/* stream_read() - read until the end; the number of bytes */
long stream_read(int data_fd, char *buf, size_t size, size_t chunk)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = read(data_fd, buf + done,
			 size - done < chunk ? size - done : chunk);
		if (n < 0)
			return -errno;
		done += n;
	} while (n && done < size);
	return done;
}

/* stream_write() - write all; the number of bytes */
long stream_write(int data_fd, const char *buf, size_t size, size_t chunk)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(data_fd, buf + done,
			  size - done < chunk ? size - done : chunk);
		if (n < 0)
			return -errno;
		done += n;
	}
	return done;
}

/* device_save() - from RUNNING and back, with the whole stream; its size */
long device_save(const struct vfio_dev *dev, char *buf, size_t chunk)
{
	int data_fd = -1;
	long len;
	int ret;

	ret = set_state(dev, VFIO_DEVICE_STATE_STOP_COPY, &data_fd);
	if (ret)
		return ret;
	len = stream_read(data_fd, buf, STREAM_MAX, chunk);
	close(data_fd);
	ret = set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	return ret ? ret : len;
}

/* device_load() - from RUNNING through RESUMING and back */
int device_load(const struct vfio_dev *dev, const char *buf, long len,
		size_t chunk)
{
	int data_fd = -1;
	long ret;

	ret = set_state(dev, VFIO_DEVICE_STATE_RESUMING, &data_fd);
	if (ret)
		return ret;
	ret = stream_write(data_fd, buf, len, chunk);
	close(data_fd);
	if (ret < 0)
		return ret;
	return set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
}

/* bar_map() - map the registers; NULL if that fails */
void *bar_map(const struct vfio_dev *dev)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	void *bar;

	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return NULL;
	bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
		   info.offset);
	return bar == MAP_FAILED ? NULL : bar;
}

/* bar_unmap() - undo bar_map() */
void bar_unmap(void *bar)
{
	munmap(bar, BAR_SIZE);
}

/* registers_fill() - values that depend on @seed, in every register */
int registers_fill(void *bar, __u32 seed)
{
	__u64 until = now_ns() + 10000000000;

	set32(bar, 0x20, 0);
	set32(bar, 0x04, seed * 0x9e3779b9U);
	set32(bar, 0x08, seed % 40);
	while (get32(bar, 0x20) & 1)
		if (now_ns() > until)
			return -ETIMEDOUT;
	set32(bar, 0x64, ~0U);
	set32(bar, 0x60, 0x10000 | seed);
	set64(bar, 0x80, 0x123456789abcdef0ULL * seed);
	set64(bar, 0x88, 0xfedcba9876543210ULL ^ seed);
	set64(bar, 0x90, seed);
	set32(bar, 0x20, seed & 0x80);
	return 0;
}

/* registers_get() - what the registers say */
void registers_get(void *bar, struct registers *regs)
{
	memset(regs, 0, sizeof(*regs));
	regs->live = get32(bar, 0x04);
	regs->fact = get32(bar, 0x08);
	regs->status = get32(bar, 0x20);
	regs->irq = get32(bar, 0x24);
	regs->src = get64(bar, 0x80);
	regs->dst = get64(bar, 0x88);
	regs->cnt = get64(bar, 0x90);
}

/* now_ns() - CLOCK_MONOTONIC */
__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}
