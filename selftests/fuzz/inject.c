// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection (the kernel's fault-injection/fault-injection.rst), kept to calls that
 * have the module in their stack trace.
 *
 * fail-nth counts the calls of one task, of all kinds together. What movers and workers
 * call is reached with no filter of tasks, and "interval": the call whose running number it
 * divides fails. That number is never reset and cannot be read; but after a failure it is
 * known, for it was made to be the next multiple of the interval.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inject.h"

#define DEBUGFS	"/sys/kernel/debug/"
#define PAGE	4096ul

const char *const inject_name[NR_INJECT] = {
	"own calls", "failslab", "fail_page_alloc", "fail_usercopy",
};

/* The running number of calls, as far as it is known, and the one that is to fail. */
static unsigned long count[NR_INJECT];
static unsigned long target[NR_INJECT];
static int nth = -1;

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -errno;

	close(fd);
	return ret;
}

static int attr_text(enum inject what, const char *attr, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", inject_name[what], attr);
	return write_text(path, text);
}

static int attr_number(enum inject what, const char *attr, unsigned long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	return attr_text(what, attr, text);
}

static long attr_get(enum inject what, const char *attr)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", inject_name[what], attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		strcpy(text, "-1");
	close(fd);
	return strtol(text, NULL, 0);
}

bool inject_has(enum inject what)
{
	return what == INJECT_TASK ? nth >= 0 : !attr_text(what, "probability", "0");
}

/* --- whose calls -------------------------------------------------------------------------- */

struct text {
	unsigned long start, end;
};

/*
 * Where the module's functions are: up to the end of the page of the last one. And, as what
 * kmemleak allocates for itself is not ours to fail, where it does so.
 */
static int texts_find(struct text *module, struct text *kmemleak)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], name[256], owner[64], type;
	unsigned long at, from = 0;
	int n;

	*module = (struct text){ .start = -1 };
	*kmemleak = (struct text){ 0 };
	while (f && fgets(line, sizeof(line), f)) {
		n = sscanf(line, "%lx %c %255s %63s", &at, &type, name, owner);
		if (n < 3 || (type != 't' && type != 'T'))
			continue;
		if (n == 4 && !strcmp(owner, "[vfio_migmux]")) {
			if (at < module->start)
				module->start = at;
			if (at >= module->end)
				module->end = (at / PAGE + 1) * PAGE;
		}
		/* a function ends where the next one begins */
		if (from && at > from)
			*kmemleak = (struct text){ from, at };
		from = !strcmp(name, "__alloc_object") ? at : at == from ? from : 0;
	}
	if (f)
		fclose(f);
	return module->end ? 0 : -ENOENT;
}

/* Also where it may sleep, and only below the module. */
static int prepare(enum inject what, const struct text *module, const struct text *kmemleak)
{
	attr_text(what, "ignore-gfp-wait", "N");
	attr_text(what, "ignore-gfp-highmem", "N");
	attr_text(what, "min-order", "0");
	return attr_text(what, "task-filter", "N") ?:
	       attr_number(what, "require-start", module->start) ?:
	       attr_number(what, "require-end", module->end) ?:
	       attr_number(what, "reject-start", kmemleak->start) ?:
	       attr_number(what, "reject-end", kmemleak->end) ?:
	       attr_number(what, "stacktrace-depth", 32);
}

/* 0, or -ENOENT where the kernel cannot inject, or not below a module. */
int inject_open(void)
{
	struct text module, kmemleak;
	char path[64];
	int what, ret;

	ret = texts_find(&module, &kmemleak);
	for (what = INJECT_SLAB; what < NR_INJECT && !ret; what++)
		if (inject_has(what))
			ret = prepare(what, &module, &kmemleak);
	if (ret || !inject_has(INJECT_SLAB))
		return ret ?: -ENOENT;
	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	nth = open(path, O_RDWR | O_CLOEXEC);
	return nth < 0 ? -errno : 0;
}

/*
 * Whether the log gets a stack trace of each failure. It is written before "times" says that
 * there was one: time enough for other CPUs to raise the running number.
 */
void inject_begin(enum inject what, bool traced)
{
	int each;

	for (each = INJECT_SLAB; each < NR_INJECT; each++)
		attr_text(each, "verbose", traced || what == INJECT_TASK ? "2" : "0");
}

/* --- which of them ------------------------------------------------------------------------ */

static int task_arm(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return pwrite(nth, text, strlen(text), 0) > 0 ? 0 : -errno;
}

static bool task_done(void)
{
	char text[16] = "";

	/* what is left of the count */
	return pread(nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
}

int inject_arm(enum inject what, unsigned int n)
{
	if (what == INJECT_TASK)
		return task_arm(n);
	/*
	 * The next one needs no count, which another CPU's call may have raised while the
	 * last failure was on its way.
	 */
	target[what] = n == 1 ? 1 : count[what] + n;
	return attr_number(what, "interval", target[what]) ?:
	       attr_number(what, "times", 1) ?:
	       attr_number(what, "probability", 100);
}

bool inject_done(enum inject what)
{
	return what == INJECT_TASK ? task_done() : !attr_get(what, "times");
}

void inject_disarm(enum inject what)
{
	if (what == INJECT_TASK) {
		task_arm(0);
		return;
	}
	attr_text(what, "probability", "0");
	/* with an interval of 1 the kernel has not counted */
	if (inject_done(what) && target[what] > 1)
		count[what] = target[what];
}
