// SPDX-License-Identifier: GPL-2.0-only
/* See ioctl_cover.h and the kernel's dev-tools/kcov.rst. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "ioctl_cover.h"

#define KCOV		"/sys/kernel/debug/kcov"
#define ENTRIES		(256u << 10)
#define TEXT_MAX	(8ul << 20)

static int fd = -1;
static unsigned long *trace;
static unsigned long base, size;	/* the module's */
static unsigned char seen[TEXT_MAX / 8];
static unsigned long reached;
static bool news;

/* Where the module is; root is told. */
static bool module_find(void)
{
	FILE *f = fopen("/proc/modules", "r");
	char line[512], name[64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%63s %lu %*s %*s %*s %lx", name, &size, &base) == 3 &&
			!strcmp(name, "vfio_migmux");
	if (f)
		fclose(f);
	return found && base && size <= TEXT_MAX;
}

void cover_open(void)
{
	if (!module_find())
		return;
	fd = open(KCOV, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, ENTRIES))
		goto none;
	trace = mmap(NULL, ENTRIES * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (trace != MAP_FAILED)
		return;
none:
	close(fd);
	fd = -1;
}

void cover_begin(void)
{
	if (fd < 0)
		return;
	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
	ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_end(void)
{
	unsigned long i, n, at;

	news = false;
	if (fd < 0)
		return;
	ioctl(fd, KCOV_DISABLE, 0);
	n = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < ENTRIES; i++) {
		at = trace[i] - base;
		if (at >= size || seen[at / 8] & 1 << at % 8)
			continue;
		seen[at / 8] |= 1 << at % 8;
		reached++;
		news = true;
	}
}

bool cover_news(void)
{
	return news;
}

void cover_print(int kept)
{
	if (fd < 0)
		puts("# no KCOV: programs were made by chance alone");
	else
		printf("# %lu points of the module reached, %d programs kept\n", reached, kept);
}
