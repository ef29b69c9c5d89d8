// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of ioctls on a few sessions with real devices and sockets. A program is a string
 * of bytes, from which each step takes what it needs; where the kernel has KCOV, programs
 * that reach code of the module which none reached before are kept, and changed ones of
 * them are tried. Some run in two threads at once. Now and then a migration must work.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest.h"
#include "ioctl_cover.h"
#include "ioctl_steps.h"
#include "memory.h"
#include "peer.h"
#include "vfio.h"

enum { CORPUS_MAX = 2000 };

/* --- before and after a program -------------------------------------------------------- */

static void area_renew(void)
{
	if (area)
		munmap(area, page);
	area = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		abort();
	munmap(area + page, page);
}

/* Descriptors from here on are a program's. */
static unsigned int first_fd;

static void all_open(void)
{
	int i;

	first_fd = dup(0);
	close(first_fd);
	for (i = 0; i < NR_SESSIONS; i++)
		sessions[i] = session_open();
	for (i = 0; i < NR_PAIRS; i++)
		if (i % 2 ? peer_pair_unix(pairs[i]) : peer_pair(pairs[i]))
			err(1, "sockets");
	for (i = 0; i < NR_DATA; i++)
		data_fds[i] = -1;
}

/* Also what two threads have lost sight of between them. */
static void all_close(void)
{
	close_range(first_fd, ~0u, 0);
}

static pthread_t second;
static bool second_runs;

static void program_try(const struct program *program, bool twice)
{
	struct run main_run = { .program = program };
	struct run other = { .program = program, .at = program->len / 2 };

	twice = twice && !pthread_create(&second, NULL, program_run, &other);
	__atomic_store_n(&second_runs, twice, __ATOMIC_RELAXED);
	cover_begin();
	program_run(&main_run);
	cover_end();
	if (twice)
		pthread_join(second, NULL);
	__atomic_store_n(&second_runs, false, __ATOMIC_RELAXED);
}

/* --- programs ---------------------------------------------------------------------------- */

static struct program *corpus[CORPUS_MAX];
static int nr_corpus;

static void program_make(struct program *p)
{
	int i, n;

	if (nr_corpus && !once_in(4)) {
		*p = *corpus[rnd(nr_corpus)];
		for (n = 1 + rnd(8); n && p->len; n--)
			p->bytes[rnd(p->len)] = rnd(256);
		if (once_in(4) && nr_corpus > 1) {	/* the end of another one */
			const struct program *q = corpus[rnd(nr_corpus)];

			i = rnd(p->len + 1);
			p->len = i;
			for (n = rnd(q->len + 1); n < q->len && p->len < BYTES_MAX; n++)
				p->bytes[p->len++] = q->bytes[n];
		}
		return;
	}
	p->len = 16 + rnd(BYTES_MAX - 16);
	for (i = 0; i < p->len; i++)
		p->bytes[i] = rnd(256);
}

static void program_keep(const struct program *p)
{
	struct program *copy;

	if (nr_corpus == CORPUS_MAX)
		return;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return;
	*copy = *p;
	corpus[nr_corpus++] = copy;
}

/* The clock wakes one thread, which wakes the other. */
static void tick(int sig)
{
	if (sig == SIGALRM && __atomic_load_n(&second_runs, __ATOMIC_RELAXED))
		pthread_kill(second, SIGUSR1);
}

/* What waits is interrupted: each call must come back from that. */
static void ticks_begin(void)
{
	const struct itimerval every = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = tick };

	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void ticks_end(void)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &never, NULL);
}

/* Small, quick devices, of which two can pre-copy. */
static int begin(void)
{
	int i, ret;

	page = sysconf(_SC_PAGESIZE);
	memory = memory_new(16 * page);
	ret = devices_precopy(2, true) ?: devices_open(&devices, 0, SESSION_DEVICES);
	for (i = 0; i < devices.n && !ret; i++)
		ret = device_settle(&devices.dev[i]) ?:
		      attr_write_num(devices.dev[i].addr, "state_size", 3000);
	return ret;
}

int main(void)
{
	__u64 until = fuzz_begin();
	const long pinned = memory_pinned();
	unsigned long programs = 0;
	struct program program;
	int ret;

	puts("1..1");
	signal(SIGPIPE, SIG_IGN);
	ret = begin();
	cover_open();
	while (!ret && now_ms() < until) {
		area_renew();
		program_make(&program);
		all_open();
		ticks_begin();
		program_try(&program, once_in(3));
		ticks_end();
		all_close();
		ret = devices_run();
		/* what devices were started with is ours */
		type1_unmap_all(devices.container);
		if (cover_news())
			program_keep(&program);
		if (!ret && !(++programs % 256))
			ret = migration_works();
	}
	ret = ret ?: migration_works();
	if (ret)
		printf("# after %lu programs: error %d\n", programs, ret);
	vfio_set_close(&devices);
	devices_precopy(2, false);
	staging_forget();
	ret = ret ?: module_wait_unused() ?: memory_wait_pinned(pinned);
	printf("# %lu programs, %lu ioctls\n", programs, steps_done);
	cover_print(nr_corpus);
	printf("%s 1 after any ioctls the devices are usable, and a migration works\n",
	       ret || !programs ? "not ok" : "ok");
	return ret || !programs;
}
