// SPDX-License-Identifier: GPL-2.0-only
/* The devices of the session tests; see vfio.h */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "peer.h"
#include "vfio.h"

#define DEVICES_MAX	16
#define PATIENCE_NS	20000000000ULL

const char *const idstrs[SESSION_DEVICES] = {
	"0000:00:04.0/vfio", "0000:00:05.0/vfio", "0000:00:06.0/vfio",
	"0000:00:07.0/vfio",
};

struct vfio_set devices;

/* The first @max devices of the driver, in order; how many there are. */
int devices_names(char addr[][VFIO_ADDR_MAX], int max)
{
	char all[DEVICES_MAX][VFIO_ADDR_MAX];
	int n = devices_find(all, DEVICES_MAX);

	if (n > max)
		n = max;
	if (n > 0)
		memcpy(addr, all, n * sizeof(all[0]));
	return n;
}

/* Open @n of the driver's devices, from the one with number @first on. */
int devices_open(struct vfio_set *set, int first, int n)
{
	char addr[DEVICES_MAX][VFIO_ADDR_MAX];
	char *names[DEVICES_MAX];
	int i, found = devices_names(addr, DEVICES_MAX);

	if (found < first + n)
		return -ENODEV;
	for (i = 0; i < n; i++)
		names[i] = addr[first + i];
	return vfio_set_open(set, n, names) ? -EIO : 0;
}

/* Take back what was written to "arcs", a line each: FROM>TO=MS */
static int arcs_default(const char *addr)
{
	char text[1024], one[64], *line, *save;
	int ret = attr_read(addr, "arcs", text, sizeof(text));

	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line && !ret;
	     line = strtok_r(NULL, "\n", &save)) {
		snprintf(one, sizeof(one), "%.*s=default", (int)strcspn(line, "="), line);
		ret = attr_write(addr, "arcs", one);
	}
	return ret;
}

/* knobs_reset() is for closed devices, and makes a large payload. */
int device_knobs_default(const char *addr)
{
	static const char *const zero[] = {
		"arc_ms", "read_us_per_mib", "write_us_per_mib", "read_chunk",
		"write_chunk", "headerless", "fail_to_error", "dirty_rate", "poll",
		"arcs_log", "read_iter", "lossy", "nonblock",
	};
	static const char *const none[] = {
		"fail_arc", "fail_read_at", "fail_write_at",
	};
	int ret = arcs_default(addr);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(none); i++)
		ret |= attr_write(addr, none[i], "none");
	for (i = 0; i < ARRAY_SIZE(zero); i++)
		ret |= attr_write(addr, zero[i], "0");
	ret |= attr_write(addr, "precopy_size", "4096");
	ret |= attr_write(addr, "precopy_end", "enomsg");
	return ret;
}

int device_reset(const struct vfio_dev *dev)
{
	return ioctl(dev->fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

/* Only of closed devices. */
int devices_precopy(int n, bool on)
{
	char addr[DEVICES_MAX][VFIO_ADDR_MAX];
	int i, ret = 0;

	if (devices_names(addr, DEVICES_MAX) < n)
		return -ENODEV;
	for (i = 0; i < n; i++)
		ret |= attr_write(addr[i], "precopy", on ? "1" : "0");
	return ret;
}

/* Defaults, and RUNNING. */
int device_settle(struct vfio_dev *dev)
{
	int ret = device_knobs_default(dev->addr);
	int state;

	if (ret)
		return ret;
	if (attr_read_num(dev->addr, "state_size") != STATE_SIZE)
		ret = attr_write_num(dev->addr, "state_size", STATE_SIZE);
	state = vfio_state_get(dev->fd);
	if (ret || state == RUNNING)
		return ret;
	if (state != ERROR && !set_state(dev, RUNNING, NULL))
		return 0;
	ret = device_reset(dev);
	return ret ? ret : vfio_state_get(dev->fd) == RUNNING ? 0 : -EIO;
}

int devices_settle(struct vfio_set *set)
{
	int i, ret = 0;

	for (i = 0; i < set->n; i++)
		ret |= device_settle(&set->dev[i]);
	return ret;
}

bool device_is(const struct vfio_dev *dev, int state)
{
	int now = vfio_state_get(dev->fd);

	if (now == state)
		return true;
	printf("# %s is in %s, not in %s\n", dev->addr, vfio_state_name(now),
	       vfio_state_name(state));
	return false;
}

/* Whatever was done to them, each device can be made to run; 0 or -EIO. */
int devices_run(void)
{
	int i, state;

	for (i = 0; i < devices.n; i++) {
		state = vfio_state_get(devices.dev[i].fd);
		if (state == RUNNING)
			continue;
		if (state < 0 || state == ERROR || set_state(&devices.dev[i], RUNNING, NULL))
			device_reset(&devices.dev[i]);
		if (!device_is(&devices.dev[i], RUNNING))
			return -EIO;
	}
	return 0;
}

/* Can a closed device be opened, and does it run then? */
bool device_reopens(const char *addr)
{
	char *name = (char *)addr;
	struct vfio_set set;
	bool runs;

	if (vfio_set_open(&set, 1, &name))
		return false;
	runs = device_is(&set.dev[0], RUNNING);
	vfio_set_close(&set);
	return runs;
}

int attr_wait(const char *addr, const char *attr, __u64 value)
{
	__u64 until = now_ns() + PATIENCE_NS;

	while (attr_read_num(addr, attr) < value) {
		if (now_ns() > until)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

int attr_wait_text(const char *addr, const char *attr, const char *text)
{
	__u64 until = now_ns() + PATIENCE_NS;
	char now[64];

	while (attr_read(addr, attr, now, sizeof(now)) || strcmp(now, text)) {
		if (now_ns() > until)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

int saved_wait(const char *addr, __u64 bytes)
{
	/* until then the number is the last save's */
	return attr_wait_text(addr, "state", "STOP_COPY") ?:
	       attr_wait(addr, "saved_bytes", bytes);
}

/* How many open files and the like hold the module? */
int module_users(void)
{
	char text[16] = "";
	int fd = open("/sys/module/vfio_migmux/refcnt", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		strcpy(text, "-1");
	close(fd);
	return atoi(text);
}

int module_wait_unused(void)
{
	__u64 until = now_ns() + PATIENCE_NS;

	while (module_users()) {
		if (now_ns() > until) {
			printf("# %d users of the module are left\n", module_users());
			return -ETIMEDOUT;
		}
		usleep(1000);
	}
	return 0;
}

/* The log of a device; the number of arcs. */
int arcs_read(const char *addr, struct arc *arcs)
{
	static char text[8192];
	char *line, *save;
	int n = 0;

	if (attr_read(addr, "arcs_log", text, sizeof(text)))
		return -EIO;
	for (line = strtok_r(text, "\n", &save); line && n < ARCS_MAX;
	     line = strtok_r(NULL, "\n", &save), n++)
		if (sscanf(line, "%llu %llu %15s %15s %d", &arcs[n].start_ns,
			   &arcs[n].end_ns, arcs[n].from, arcs[n].to,
			   &arcs[n].error) != 5)
			return -EINVAL;
	return n;
}

const struct arc *arcs_find(const struct arc *arcs, int n, const char *from,
			    const char *to)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(arcs[i].from, from) && !strcmp(arcs[i].to, to))
			return &arcs[i];
	return NULL;
}

/* Two sessions, and @channels between them for each device. */
int pair_open_over(struct pair *pair, struct vfio_dev *src, struct vfio_dev *dst, int n,
		   int channels, int (*connect)(int fd[2]))
{
	int i, fd[2], ret = 0;

	*pair = (struct pair){
		.src = src,
		.dst = dst,
		.n = n,
		.from = session_open(),
		.to = session_open(),
	};
	for (i = 0; i < n && ret >= 0; i++) {
		ret = session_device_add(pair->from, src[i].fd, idstrs[i], 0);
		if (ret >= 0)
			ret = session_device_add(pair->to, dst[i].fd, idstrs[i], 0);
	}
	for (i = 0; i < n * channels && ret >= 0; i++) {
		ret = connect(fd);
		if (ret >= 0)
			ret = session_channel_add(pair->from, fd[0], i % n);
		if (ret >= 0)
			ret = session_channel_add(pair->to, fd[1], 0);
		close(fd[0]);
		close(fd[1]);
	}
	return ret < 0 ? ret : 0;
}

int pair_open(struct pair *pair, struct vfio_dev *src, struct vfio_dev *dst, int n,
	      int channels)
{
	return pair_open_over(pair, src, dst, n, channels, peer_pair);
}

int pair_start(struct pair *pair, bool verdict, __u64 staging)
{
	int ret;

	ret = session_load(pair->to, verdict ? VFIO_MIGMUX_LOAD_VERDICT : 0, RUNNING,
			   staging);
	if (ret)
		return ret;
	return session_save(pair->from, verdict ? VFIO_MIGMUX_SAVE_VERDICT : 0, RUNNING,
			    staging);
}

/* Signals do not matter here, and SIGCONT is one. */
static int wait_on(int fd, __u32 milestones)
{
	int ret;

	do {
		ret = session_wait(fd, milestones, WAIT_MS);
	} while (ret == -EINTR);
	return ret;
}

/* Wait until the destination owns its devices, and start them. */
int pair_finish(struct pair *pair)
{
	int ret;

	ret = wait_on(pair->to, M_LOADED | M_HANDED_OVER);
	if (!ret)
		ret = wait_on(pair->from, M_SENT);
	if (!ret)
		ret = session_set_state(pair->to, RUNNING, NONE, 0, 0, NULL);
	if (ret) {
		session_says(pair->from, 0, "");
		session_says(pair->to, 0, "");
	}
	return ret;
}

static bool attr_equal(const char *a, const char *b, const char *attr)
{
	char of_a[256], of_b[256];

	if (!attr_read(a, attr, of_a, sizeof(of_a)) &&
	    !attr_read(b, attr, of_b, sizeof(of_b)) && !strcmp(of_a, of_b))
		return true;
	printf("# %s of %s and %s: '%s', '%s'\n", attr, a, b, of_a, of_b);
	return false;
}

/* Is what was moved there? */
bool pair_equal(const struct pair *pair)
{
	static const char *const attrs[] = {
		"payload_size", "payload_crc", "registers",
	};
	bool equal = true;
	int i;
	size_t j;

	for (i = 0; i < pair->n; i++)
		for (j = 0; j < ARRAY_SIZE(attrs); j++)
			equal &= attr_equal(pair->src[i].addr, pair->dst[i].addr,
					    attrs[j]);
	return equal;
}

void pair_close(struct pair *pair)
{
	close(pair->from);
	close(pair->to);
}

int migration_works(void)
{
	struct pair pair = { .from = -1, .to = -1 };
	int ret;

	ret = devices_settle(&devices);
	if (!ret)
		ret = attr_write_num(devices.dev[0].addr, "seed", now_ns());
	if (!ret)
		ret = pair_open(&pair, &devices.dev[0], &devices.dev[1], 1, 2);
	if (!ret)
		ret = pair_start(&pair, true, STAGING);
	if (!ret)
		ret = pair_finish(&pair);
	if (!ret && !pair_equal(&pair))
		ret = -EIO;
	pair_close(&pair);
	return ret ? ret : devices_settle(&devices);
}
