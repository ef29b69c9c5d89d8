// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig device probe: walk a free device through its arcs with the ioctls of
 * VFIO, one device after another, and say how long each takes and how large the
 * state is. Needs nothing of the module.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "libvfmig.h"
#include "objects.h"
#include "output.h"
#include "parse.h"
#include "vfio_dev.h"

#define CHUNK ((size_t)1024 * 1024)
#define MAX_STEPS 12

/* What was measured: an arc, or reading or writing the state. */
struct step {
	const char *name;
	uint32_t from;
	uint32_t to;
	uint64_t ns;
	uint64_t bytes;
};

struct probe {
	const char *handle;
	int fd;
	int data_fd;
	uint64_t flags;
	uint32_t state;
	struct step steps[MAX_STEPS];
	unsigned int nr_steps;
	char *data;
	size_t size;
	size_t room;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void close_data(struct probe *p)
{
	if (p->data_fd >= 0)
		close(p->data_fd);
	p->data_fd = -1;
}

static int arc(struct probe *p, uint32_t to)
{
	struct step *step = &p->steps[p->nr_steps];
	uint64_t start = now_ns();
	int data_fd, ret;

	ret = vfio_set_state(p->fd, to, &data_fd);
	*step = (struct step){ "arc", p->state, to, now_ns() - start, 0 };
	if (ret) {
		output_error("%s: %s -> %s: %s", p->handle, vfmig_state_name(p->state),
			     vfmig_state_name(to), strerror(-ret));
		return ret;
	}
	if (data_fd >= 0) {
		close_data(p);
		p->data_fd = data_fd;
	}
	p->state = to;
	p->nr_steps++;
	return 0;
}

static void data_step(struct probe *p, const char *name, uint64_t ns)
{
	p->steps[p->nr_steps++] = (struct step){ name, p->state, p->state, ns, p->size };
}

static int read_state(struct probe *p)
{
	uint64_t start = now_ns();
	ssize_t len;
	char *data;

	for (;;) {
		if (p->room - p->size < CHUNK) {
			data = realloc(p->data, p->room ? p->room * 2 : 4 * CHUNK);
			if (!data) {
				output_error("%s: no memory for more than %zu bytes of state",
					     p->handle, p->size);
				return -ENOMEM;
			}
			p->data = data;
			p->room = p->room ? p->room * 2 : 4 * CHUNK;
		}
		len = read(p->data_fd, p->data + p->size, CHUNK);
		if (len < 0) {
			output_error("%s: cannot read the state at byte %zu: %s", p->handle,
				     p->size, strerror(errno));
			return -errno;
		}
		if (!len)
			break;
		p->size += (size_t)len;
	}
	data_step(p, "read", now_ns() - start);
	return 0;
}

static int write_state(struct probe *p)
{
	uint64_t start = now_ns();
	size_t done = 0;
	ssize_t len;

	while (done < p->size) {
		len = write(p->data_fd, p->data + done,
			    p->size - done < CHUNK ? p->size - done : CHUNK);
		if (len <= 0) {
			output_error("%s: cannot write the state at byte %zu: %s", p->handle, done,
				     len ? strerror(errno) : "the device takes no more");
			return len ? -errno : -EIO;
		}
		done += (size_t)len;
	}
	data_step(p, "write", now_ns() - start);
	return 0;
}

static int walk(struct probe *p)
{
	int p2p = p->flags & VFIO_MIGRATION_P2P;
	int ret;

	ret = p2p ? arc(p, VFIO_DEVICE_STATE_RUNNING_P2P) : 0;
	ret = ret ? ret : arc(p, VFIO_DEVICE_STATE_STOP);
	ret = ret ? ret : arc(p, VFIO_DEVICE_STATE_STOP_COPY);
	ret = ret ? ret : read_state(p);
	ret = ret ? ret : arc(p, VFIO_DEVICE_STATE_STOP);
	close_data(p);
	ret = ret ? ret : arc(p, VFIO_DEVICE_STATE_RESUMING);
	ret = ret ? ret : write_state(p);
	ret = ret ? ret : arc(p, VFIO_DEVICE_STATE_STOP);
	close_data(p);
	ret = ret || !p2p ? ret : arc(p, VFIO_DEVICE_STATE_RUNNING_P2P);
	return ret ? ret : arc(p, VFIO_DEVICE_STATE_RUNNING);
}

/* After a failure: back to RUNNING, by a reset if nothing else helps. */
static void bring_back(struct probe *p)
{
	uint32_t state;
	int data_fd;

	close_data(p);
	if (!vfio_get_state(p->fd, &state) && state == VFIO_DEVICE_STATE_RUNNING)
		return;
	if (!vfio_set_state(p->fd, VFIO_DEVICE_STATE_RUNNING, &data_fd))
		return;
	if (ioctl(p->fd, VFIO_DEVICE_RESET))
		output_error("%s: is not RUNNING and cannot be reset: %s", p->handle,
			     strerror(errno));
	else
		output_error("%s: had to be reset", p->handle);
}

static void print_text(const struct probe *p)
{
	static const char * const header[] = { "step", "ms", "bytes", "rate" };
	char buf[OUTPUT_UNIT_MAX], size[OUTPUT_UNIT_MAX];
	struct table t;

	printf("%s: %s, %s of state\n", p->handle,
	       output_migration(buf, (uint32_t)p->flags), output_bytes(size, p->size));
	table_begin(&t, 4, 1U << 1 | 1U << 2 | 1U << 3, header);
	for (unsigned int i = 0; i < p->nr_steps; i++) {
		const struct step *s = &p->steps[i];

		if (s->from != s->to) {
			table_cell(&t, "%s -> %s", vfmig_state_name(s->from),
				   vfmig_state_name(s->to));
			table_cell(&t, "%.3f", (double)s->ns / 1e6);
			table_cell(&t, "-");
			table_cell(&t, "-");
		} else {
			table_cell(&t, "%s the state", s->name);
			table_cell(&t, "%.3f", (double)s->ns / 1e6);
			table_cell(&t, "%llu", (unsigned long long)s->bytes);
			table_cell(&t, "%s", output_rate(buf, s->bytes, s->ns));
		}
	}
	table_end(&t, stdout);
}

static struct json_object *make_json(const struct probe *p)
{
	struct json_object *steps = json_object_new_array();
	struct json_object *o = json_object_new_object();
	struct json_object *step;

	json_add_string(o, "handle", p->handle);
	json_add_u64(o, "migration_flags", p->flags);
	json_add_u64(o, "state_bytes", p->size);
	for (unsigned int i = 0; i < p->nr_steps; i++) {
		const struct step *s = &p->steps[i];

		step = json_object_new_object();
		json_add_string(step, "step", s->name);
		if (s->from != s->to) {
			json_add_string(step, "from", vfmig_state_name(s->from));
			json_add_string(step, "to", vfmig_state_name(s->to));
		} else {
			json_add_u64(step, "bytes", s->bytes);
		}
		json_add_u64(step, "ns", s->ns);
		json_object_array_add(steps, step);
	}
	json_object_object_add(o, "steps", steps);
	return o;
}

static int probe_one(const char *handle, struct json_object *array)
{
	struct probe p = { .handle = handle, .data_fd = -1 };
	struct vfio v;
	int ret;

	vfio_init(&v);
	ret = vfio_open_device(&v, handle);
	if (ret)
		goto out;
	p.fd = v.devices[0];
	ret = vfio_migration_flags(p.fd, &p.flags);
	if (!ret)
		ret = vfio_get_state(p.fd, &p.state);
	if (ret) {
		output_error("%s: its driver cannot migrate: %s", handle,
			     strerror(-ret));
		ret = VFMIG_REFUSED;
		goto out;
	}
	ret = walk(&p);
	if (ret) {
		bring_back(&p);
		ret = VFMIG_REFUSED;
	} else if (array) {
		json_object_array_add(array, make_json(&p));
	} else {
		print_text(&p);
	}
out:
	free(p.data);
	vfio_close(&v);
	return ret;
}

int device_probe(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct json_object *array = NULL;
	int ret = VFMIG_OK, failed = 0;
	int n, i, one;

	n = command_only_args(app, cmd, argc, argv);
	if (n < 0 || command_check(app, argc, argv, optind, parse_handle))
		return app->status;
	if (app->json)
		array = json_object_new_array();
	for (i = optind; i < argc; i++) {
		if (i > optind && !app->json)
			putchar('\n');
		one = probe_one(argv[i], array);
		if (one) {
			ret = failed && one != ret ? VFMIG_REFUSED : one;
			failed++;
		}
	}
	if (app->json)
		json_finish(array, stdout, false);
	return failed && failed < n ? VFMIG_PARTIAL : ret;
}
