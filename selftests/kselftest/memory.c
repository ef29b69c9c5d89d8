// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is mapped for DMA; see memory.h */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/vfio.h>

#include "memory.h"
#include "vfio.h"

/* The number after @key in a file of lines. */
static long number_of(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long n = -1;

	while (f && n < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			n = atol(line + strlen(key));
	if (f)
		fclose(f);
	return n;
}

long memory_locked(void)
{
	return number_of("/proc/self/status", "VmLck:") * 1024;
}

long memory_pinned(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	/* add up what each CPU has counted */
	if (fd < 0 || write(fd, "1", 1) != 1)
		return -1;
	close(fd);
	return number_of("/proc/vmstat", "nr_foll_pin_acquired ") -
	       number_of("/proc/vmstat", "nr_foll_pin_released ");
}

int memory_wait_pinned(long pages)
{
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (memory_pinned() <= pages)
			return 0;
		usleep(1000);
	}
	printf("# %ld pages are pinned, not %ld\n", memory_pinned(), pages);
	return -ETIMEDOUT;
}

void *memory_new(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

struct vfio_migmux_dma_range memory_range(__u64 iova, const void *at, __u64 size)
{
	return (struct vfio_migmux_dma_range) {
		.iova = iova,
		.vaddr = (__u64)(unsigned long)at,
		.size = size,
		.flags = RW,
	};
}

int type1_map(int container, __u64 iova, const void *at, __u64 size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (__u64)(unsigned long)at,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

static long unmap(int container, __u32 flags, __u64 iova, __u64 size)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg) ? -errno : (long)arg.size;
}

long type1_unmap(int container, __u64 iova, __u64 size)
{
	return unmap(container, 0, iova, size);
}

long type1_unmap_all(int container)
{
	return unmap(container, VFIO_DMA_UNMAP_FLAG_ALL, 0, 0);
}

int memory_limit(__u64 bytes)
{
	const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || syscall(SYS_capget, &head, caps))
		return -errno;
	caps[0].effective &= ~(1U << CAP_IPC_LOCK);
	return syscall(SYS_capset, &head, caps) ? -errno : 0;
}

int dma_event(int fd)
{
	struct vfio_migmux_event event;
	int ret;

	do {
		ret = session_poll(fd, POLLIN, WAIT_MS);
		if (ret <= 0)
			return ret ?: -ETIMEDOUT;
		ret = session_events(fd, &event, 1);
		if (ret < 0)
			return ret;
	} while (event.type != VFIO_MIGMUX_EVENT_DMA);
	return event.error ? -event.error : (int)event.value;
}
