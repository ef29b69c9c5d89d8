// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile wire between two live sessions of one host. However a migration over it ends,
 * both sessions must end in a reported state, the devices must be usable, and the next
 * migration must work. Where both ends verify and only frames were touched, a destination
 * that owns its devices must have what the source had.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lanes.h"
#include "peer.h"
#include "vfio.h"

enum { NR_DEVS = 2, CHANNELS = 2 };

/* How long a wire is silent before it is given up; sessions then have WAIT_MS. */
#define SILENCE_MS 3000

/* As peer_pair(), with a lane in between. */
static int lane_new(int fd[2])
{
	int a[2], b[2], ret;

	ret = once_in(2) ? peer_pair(a) : peer_pair_unix(a);
	if (ret)
		return ret;
	ret = once_in(2) ? peer_pair(b) : peer_pair_unix(b);
	if (ret)
		return ret;
	lane_add(a[1], b[0], rnd(1 << 30));
	fd[0] = a[0];
	fd[1] = b[1];
	return 0;
}

/* --- a round ------------------------------------------------------------------------ */

static bool over(int fd)
{
	return session_reached(fd) & (M_HANDED_OVER | M_ENDED);
}

/* A session that is over says how. */
static int check_session(int fd, const char *which)
{
	struct vfio_migmux_last_error last = session_last_error(fd);
	const __u32 reached = session_reached(fd);

	if (reached & M_ENDED && (!(reached & M_FAILED) || !last.error || !last.text[0])) {
		printf("# the %s ended and does not say why\n", which);
		return -EIO;
	}
	return 0;
}

static int check_devices(const struct vfio_dev *dev, int n)
{
	int i, ret = 0;

	for (i = 0; i < n; i++)
		if (vfio_state_get(dev[i].fd) < 0)
			ret = -EIO;
	return ret;
}

/* Where the movers are that do not end. */
static void stacks_show(void)
{
	fflush(stdout);
	if (system("cd /proc/$PPID/task && for t in *; do cat $t/comm $t/stack; done"))
		puts("# no stacks");
}

static unsigned long handed_over, failed;

/* After so many rounds there has been each of these, or there is something wrong. */
#define ROUNDS_ENOUGH	100

static int migrate(bool verify)
{
	const __u32 save = VFIO_MIGMUX_SAVE_VERDICT | (verify ? VFIO_MIGMUX_SAVE_VERIFY : 0);
	const __u32 load = VFIO_MIGMUX_LOAD_VERDICT | (verify ? VFIO_MIGMUX_LOAD_VERIFY : 0);
	struct pair pair = { .from = -1, .to = -1 };
	__u64 until = now_ms() + WAIT_MS;
	bool cut = false;
	int ret;

	ret = pair_open_over(&pair, &devices.dev[0], &devices.dev[NR_DEVS], NR_DEVS, CHANNELS,
			     lane_new);
	if (!ret)
		lanes_start();
	ret = ret ?: session_load(pair.to, load, RUNNING, MIB + MIB * rnd(2)) ?:
	      session_save(pair.from, save, RUNNING, MIB + MIB * rnd(2));
	while (!ret && !(over(pair.from) && over(pair.to))) {
		if (!cut && lanes_silent_ms() > SILENCE_MS) {
			lanes_cut();
			cut = true;
			until = now_ms() + WAIT_MS;
		}
		if (now_ms() > until && cut) {
			printf("# a session does not end: reached %#x and %#x\n",
			       session_reached(pair.from), session_reached(pair.to));
			stacks_show();
			ret = -ETIMEDOUT;
		}
		usleep(1000);
	}
	lanes_end();
	if (!ret && session_reached(pair.to) & M_HANDED_OVER) {
		handed_over++;
		if (verify && !plan.replies && !pair_equal(&pair)) {
			puts("# a destination owns something else than was sent");
			ret = -EBADMSG;
		}
	} else if (!ret) {
		failed++;
		if (!lanes_touched()) {
			puts("# nothing was touched, and yet it failed");
			session_says(pair.from, 0, "");
			session_says(pair.to, 0, "");
			ret = -EIO;
		}
	}
	ret = ret ?: check_session(pair.from, "source") ?:
	      check_session(pair.to, "destination") ?: check_devices(devices.dev, devices.n);
	pair_close(&pair);
	return ret;
}

static int round_prepare(void)
{
	int i, ret = devices_settle(&devices);

	for (i = 0; i < NR_DEVS && !ret; i++)
		ret = attr_write_num(devices.dev[i].addr, "seed", rnd(1 << 30)) ?:
		      attr_write_num(devices.dev[i].addr, "state_size",
				     once_in(4) ? rnd(64) : rnd(400000)) ?:
		      attr_write_num(devices.dev[i].addr, "read_chunk", 4096 << rnd(6));
	plan_choose();
	return ret;
}

int main(void)
{
	__u64 until = fuzz_begin();
	unsigned long rounds = 0, all = 0;
	int ret;

	puts("1..1");
	ret = devices_open(&devices, 0, SESSION_DEVICES);
	while (!ret && (now_ms() < until ||
			((!failed || !handed_over) && rounds < ROUNDS_ENOUGH))) {
		const __u64 seed = chance;

		ret = round_prepare() ?: migrate(once_in(2));
		all += lanes_touched();
		rounds++;
		if (!ret && !(rounds % 16))
			ret = migration_works();
		if (ret)
			printf("# round %lu fails with %d, FUZZ_SEED=%llu: one in %u%s\n", rounds,
			       ret, (unsigned long long)seed, plan.once_in,
			       plan.replies ? ", replies too" : "");
	}
	ret = ret ?: migration_works();
	vfio_set_close(&devices);
	ret = ret ?: module_wait_unused();
	printf("# %lu migrations, %lu messages touched, %lu handed over, %lu failed\n", rounds,
	       all, handed_over, failed);
	printf("%s 1 sessions over a hostile wire end, and the next migration works\n",
	       ret || !failed || !handed_over ? "not ok" : "ok");
	return ret || !failed || !handed_over;
}
