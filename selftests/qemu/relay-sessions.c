// SPDX-License-Identifier: GPL-2.0-only
/* The relay's own devices: one session loads their state, another one saves it again */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vfio_migmux.h>

#include "libvfmig.h"
#include "relay.h"
#include "vfio-open.h"

#define SAVE_CHANNELS	2	/* each device */
#define CONFIG_MAX	(256u << 10)

static struct vfio_set devices;
static char idstrs[DEVICES_MAX][IDSTR_SIZE];
static int session = -1;
static int data_fds[DEVICES_MAX];
static int load_channels[DEVICES_MAX][CONNS_MAX];

/* A call of libvfmig's must not fail. */
static void must(int ret, const char *what)
{
	struct vfio_migmux_last_error why;

	if (ret >= 0)
		return;
	if (vfmig_last_error(session, &why))
		why.text[0] = '\0';
	die("%s: %s (%s)", what, strerror(-ret), why.text);
}

static void channel_pair(int fd[2], unsigned int device)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		die("no socket pair");
	must(vfmig_channel_add(session, fd[0], device, NULL), "adding a channel");
	close(fd[0]);
}

/* The VMM's own arcs, where sessions adopt. */
static void move_all(unsigned int state)
{
	int i;

	for (i = 0; options.adopt && i < devices.n; i++)
		if (vfio_state_set(devices.dev[i].fd, state, &data_fds[i]))
			die("%s does not reach %s", devices.dev[i].addr,
			    vfio_state_name(state));
}

/* A session with all devices, or all data files. */
static void session_begin(void)
{
	int i;

	session = vfmig_open();
	must(session, "opening /dev/vfio/migmux");
	for (i = 0; i < devices.n; i++) {
		must(vfmig_device_add(session, devices.dev[i].fd, idstrs[i], 0, NULL, NULL),
		     "adding a device");
		if (!options.adopt)
			continue;
		must(vfmig_data_fd(session, i, data_fds[i], 0), "adopting a data file");
		close(data_fds[i]);
	}
}

/* The name of a device, its length; 0 if there is no such device. */
int sessions_named(unsigned int device, char name[IDSTR_SIZE])
{
	if (device >= devices.n)
		return 0;
	memcpy(name, idstrs[device], IDSTR_SIZE);
	return strlen(name);
}

unsigned int sessions_device(const struct packet *packet)
{
	int i;

	for (i = 0; i < devices.n; i++)
		if (!memcmp(idstrs[i], packet->idstr, IDSTR_SIZE) && !packet->instance_id)
			return i;
	die("a packet of the unknown device %.*s", IDSTR_SIZE, packet->idstr);
}

/* --- the destination -------------------------------------------------------------------- */

/* QEMU's order holds for each of its connections, so each gets a channel of its own. */
static void load_channels_open(void)
{
	static const unsigned char init[64] = { 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1 };
	int i, j, fd[2];

	for (i = 0; i < devices.n; i++) {
		for (j = 0; j < CONNS_MAX; j++) {
			channel_pair(fd, i);
			write_all(fd[1], init, sizeof(init));
			load_channels[i][j] = fd[1];
		}
	}
}

void sessions_load(const struct frame *frame, unsigned int conn)
{
	if (options.channels)
		write_all(load_channels[frame->device][conn], &frame->packet, frame->size);
	else
		must(vfmig_load_buffer(session, 0, frame->packet.idstr, 0,
				       &frame->packet.payload_version,
				       frame->size - PAYLOAD_AT), "handing in a frame");
}

/* What QEMU says of its device is ours to keep, and comes out as it went in. */
static void check_configs(void)
{
	static char blob[CONFIG_MAX];
	const struct frame *frame;
	uint32_t size;
	int i;

	for (i = 0; i < devices.n; i++) {
		frame = frames_config(i);
		size = sizeof(blob);
		must(vfmig_config_get(session, i, blob, &size), "getting a config blob");
		if (size != frame->size - sizeof(frame->packet) ||
		    memcmp(blob, &frame->packet + 1, size))
			die("the config blob of device %d is not the source's", i);
	}
}

static void load_begin(void)
{
	session_begin();
	if (options.channels)
		load_channels_open();
	must(vfmig_load(session, options.channels ? 0 : VFIO_MIGMUX_LOAD_BUFFERS,
			VFIO_MIGMUX_RECOVER_NONE, 0, options.staging), "loading");
}

/* What the main channel brings is the VMM's to write, as long as it has the file alone. */
void sessions_precopy(unsigned int device, const void *bytes, size_t size)
{
	ssize_t n;

	for (; size; size -= n, bytes += n) {
		n = write(data_fds[device], bytes, size);
		if (n <= 0)
			die("writing what pre-copy yields");
	}
}

/* One thread for all frames must not wait with one that is not the next. */
static void load_in_order(void)
{
	const struct frame *frame;
	uint32_t idx;
	int i;

	for (i = 0; i < devices.n; i++) {
		idx = 0;
		do {
			frame = frames_wait(i, idx++);
			sessions_load(frame, 0);
		} while (!frame->config);
	}
}

/* With adopted files the devices have not said yet whether they accept their state. */
static void load_end(void)
{
	int i;

	if (options.precopy) {
		main_wait_over();
		load_begin();
		load_in_order();
	}
	must(vfmig_wait(session, VFIO_MIGMUX_MILESTONE_LOADED, UINT32_MAX, NULL),
	     "waiting for the devices to be loaded");
	check_configs();
	for (i = 0; options.adopt && i < devices.n; i++)
		if (vfio_state_set(devices.dev[i].fd, VFIO_DEVICE_STATE_STOP, NULL))
			die("%s does not accept its state", devices.dev[i].addr);
	say("loaded");
}

/* --- the source ------------------------------------------------------------------------- */

struct reader {
	unsigned int device;
	int fd;
	pthread_t thread;
};

static struct reader readers[DEVICES_MAX * SAVE_CHANNELS];

/* What the session sends, packet by packet. */
static void *reader_run(void *arg)
{
	const struct reader *r = arg;
	struct packet *packet = malloc(sizeof(*packet) + (1 << 20));
	unsigned char init[64];
	uint32_t size;

	if (!packet || !read_all(r->fd, init, sizeof(init)))
		die("a channel of ours does not begin");
	while (read_all(r->fd, packet, PAYLOAD_AT)) {
		size = __builtin_bswap32(packet->size);
		if (size > 12 + (1 << 20) ||
		    !read_all(r->fd, (char *)packet + PAYLOAD_AT, size))
			die("a packet of ours with %u bytes", size);
		frames_replaced(r->device, packet, PAYLOAD_AT + size);
	}
	free(packet);
	return NULL;
}

static void readers_start(void)
{
	struct reader *r = readers;
	int i, fd[2];

	for (i = 0; i < devices.n * SAVE_CHANNELS; i++, r++) {
		r->device = i % devices.n;
		channel_pair(fd, r->device);
		r->fd = fd[1];
		if (pthread_create(&r->thread, NULL, reader_run, r))
			die("no thread");
	}
}

static void configs_set(void)
{
	const struct frame *frame;
	int i;

	for (i = 0; i < devices.n; i++) {
		frame = frames_config(i);
		must(vfmig_config_set(session, i, &frame->packet + 1,
				      frame->size - sizeof(frame->packet)),
		     "setting a config blob");
	}
}

/* The relay sends the config packets itself, with the idx that the session leaves. */
static void configs_send(void)
{
	struct vfio_migmux_timeline_device t[DEVICES_MAX];
	struct vfio_migmux_timeline timeline;
	struct frame *frame;
	int i;

	must(vfmig_timeline(session, &timeline, t, DEVICES_MAX), "the timeline");
	for (i = 0; i < devices.n; i++) {
		frame = frames_config(i);
		if (t[i].frames != frame->idx)
			die("device %d: the config frame would be %llu, and was %u", i,
			    (unsigned long long)t[i].frames, frame->idx);
		frames_replaced(i, &frame->packet, frame->size);
	}
}

static void save_all(void)
{
	close(session);
	move_all(VFIO_DEVICE_STATE_STOP_COPY);
	session_begin();
	if (!options.adopt)
		configs_set();
	readers_start();
	must(vfmig_save(session, options.adopt ? VFIO_MIGMUX_SAVE_NO_CONFIG : 0,
			VFIO_MIGMUX_RECOVER_NONE, 0, options.staging), "saving");
	must(vfmig_wait(session, VFIO_MIGMUX_MILESTONE_SENT, UINT32_MAX, NULL),
	     "waiting for the devices to be saved");
	if (options.adopt)
		configs_send();
	frames_wait_replaced();
}

/* --- both ------------------------------------------------------------------------------- */

static void *life(void *arg)
{
	(void)arg;
	load_end();
	if (options.replace) {
		save_all();
		return NULL;
	}
	must(vfmig_set_state(session, 0, VFIO_DEVICE_STATE_RUNNING, VFIO_MIGMUX_RECOVER_NONE,
			     0, NULL, NULL), "starting the devices");
	say("running");
	return NULL;
}

/* The devices are in RESUMING and wait for packets when it returns. */
void sessions_open(int n, char *const args[])
{
	char *names[DEVICES_MAX];
	pthread_t thread;
	int i;

	if (n > DEVICES_MAX)
		die("more than %d devices", DEVICES_MAX);
	for (i = 0; i < n; i++) {
		names[i] = strdup(args[i]);
		if (!names[i] || !strchr(names[i], '='))
			die("ADDR=IDSTR is wanted, not %s", args[i]);
		strncpy(idstrs[i], strchr(names[i], '=') + 1, IDSTR_SIZE - 1);
		*strchr(names[i], '=') = '\0';
	}
	if (vfio_set_open(&devices, n, names))
		exit(1);
	move_all(VFIO_DEVICE_STATE_RESUMING);
	if (!options.precopy)
		load_begin();
	if (pthread_create(&thread, NULL, life, NULL))
		die("no thread");
}
