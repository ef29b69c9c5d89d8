// SPDX-License-Identifier: GPL-2.0-only
/*
 * What send, check and recv have in common: devices open, a session around them, wait
 * for milestones, say what became of each device.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "libvfmig.h"
#include "output.h"
#include "timeline.h"
#include "transfer.h"

#define PROGRESS_INTERVAL_MS 125

/*
 * From here on SIGINT and SIGTERM are events to poll for: they come between two
 * steps and do not get lost. A command run by --exec gets the old mask.
 */
static int catch_signals(struct transfer *t)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &t->old_mask);
	t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signal_fd >= 0)
		return 0;
	output_error("cannot wait for signals: %s", strerror(errno));
	return VFMIG_REFUSED;
}

/* Open the module and the devices. 0, or an exit code after it said why. */
static int open_all(struct transfer *t)
{
	int ret;

	t->fd = vfmig_open();
	if (t->fd == -ENOENT || t->fd == -ENODEV || t->fd == -ENXIO) {
		output_error("vfio_migmux is not loaded: run modprobe vfio_migmux");
		return VFMIG_REFUSED;
	}
	if (t->fd < 0) {
		output_error("cannot open /dev/vfio/migmux: %s", strerror(-t->fd));
		return VFMIG_REFUSED;
	}
	/* events only wake us; they are drained, not waited for */
	fcntl(t->fd, F_SETFL, fcntl(t->fd, F_GETFL) | O_NONBLOCK);
	for (uint32_t i = 0; i < t->session.nr_devices; i++) {
		ret = vfio_open_device(&t->vfio, t->args[i].handle);
		if (ret)
			return ret;
	}
	return 0;
}

static int take_defaults(struct transfer *t)
{
	struct vfio_migmux_info info;
	int ret = vfmig_get_info(t->fd, &info);

	if (ret) {
		output_error("cannot ask vfio_migmux for its limits: %s", strerror(-ret));
		return VFMIG_REFUSED;
	}
	t->session.staging_budget = t->staging ? t->staging : info.staging_default;
	t->session.pid = (uint32_t)getpid();
	strcpy(t->session.comm, "vfmig");
	return 0;
}

/*
 * Put the devices and the link into the session. From here on SIGINT and SIGTERM are
 * taken by transfer_wait(). 0, or an exit code after it said why.
 */
static int attach_all(struct transfer *t)
{
	struct session_device *dev;
	int ret;

	ret = take_defaults(t);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < t->session.nr_devices; i++) {
		dev = &t->session.devices[i];
		ret = vfmig_device_add_weighted(t->fd, t->vfio.devices[i], dev->idstr, 0,
						dev->weight, &dev->t.index, NULL);
		if (ret) {
			transfer_failed(t, dev->handle, ret);
			return VFMIG_REFUSED;
		}
	}
	ret = t->shared ? vfmig_link_attach_shared(t->fd, t->session.link, NULL) :
			  vfmig_link_attach(t->fd, t->session.link, NULL);
	if (ret) {
		transfer_failed(t, "cannot take the link", ret);
		return ret == -ENOENT ? VFMIG_MISSING : VFMIG_REFUSED;
	}
	return catch_signals(t);
}

/**
 * transfer_now_ms() - milliseconds of CLOCK_MONOTONIC
 */
uint64_t transfer_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/**
 * transfer_refresh() - bring the model up to date
 * @t: the run
 *
 * Return: 0 or a negative errno.
 */
int transfer_refresh(struct transfer *t)
{
	struct vfio_migmux_timeline_device *devices;
	struct session *s = &t->session;
	struct vfio_migmux_timeline tl;
	int ret;

	devices = calloc(s->nr_devices, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	ret = vfmig_timeline(t->fd, &tl, devices, s->nr_devices);
	if (!ret) {
		s->id = tl.session;
		s->milestones = tl.milestones;
		memcpy(s->milestone_ns, tl.milestone_ns, sizeof(s->milestone_ns));
		s->staging_peak = tl.staging_peak;
		s->spill_peak = tl.spill_peak;
		/* in the order of adding, which is that of the command line */
		for (uint32_t i = 0; i < s->nr_devices && i < tl.nr_devices; i++)
			s->devices[i].t = devices[i];
	}
	free(devices);
	return ret;
}

static void drain_events(struct transfer *t)
{
	struct vfio_migmux_event events[32];
	int n;

	while ((n = vfmig_read_events(t->fd, events, 32)) > 0)
		for (int i = 0; i < n; i++)
			if (events[i].type == VFIO_MIGMUX_EVENT_DMA && events[i].error)
				t->memory_error = -(int)events[i].error;
}

static void abort_session(struct transfer *t)
{
	int ret;

	t->aborted = true;
	ret = vfmig_abort(t->fd, VFIO_DEVICE_STATE_RUNNING);
	if (ret)
		output_error("cannot abort: %s", strerror(-ret));
}

/* Until an event or a signal comes, or the time is over. */
static void wait_once(struct transfer *t, int timeout_ms)
{
	struct pollfd pfd[] = {
		{ .fd = t->fd, .events = POLLIN },
		{ .fd = t->signal_fd, .events = POLLIN },
	};

	poll(pfd, 2, timeout_ms);
	if (pfd[1].revents)
		abort_session(t);
	drain_events(t);
}

static int wait_loop(struct transfer *t, uint32_t milestones, struct progress *p)
{
	int ret;

	for (;;) {
		ret = transfer_refresh(t);
		if (ret)
			return ret;
		progress_show(p, &t->session);
		if ((t->session.milestones & milestones) == milestones)
			return 0;
		if (t->session.milestones & VFIO_MIGMUX_MILESTONE_ENDED)
			return -ECANCELED;
		if (t->aborted)
			return -EINTR;
		if (t->memory_error)
			return t->memory_error;
		/* without progress to show, events alone wake us */
		wait_once(t, p->on ? PROGRESS_INTERVAL_MS : -1);
	}
}

/**
 * transfer_wait() - wait for milestones, show progress, take signals
 * @t: the run
 * @milestones: all are waited for
 *
 * After a failure it waits until everything has stopped. SIGINT and SIGTERM abort
 * the session with RUNNING as recover state.
 *
 * Return: 0, -ECANCELED after a failure, -EINTR after an abort, @t->memory_error, another
 * errno.
 */
int transfer_wait(struct transfer *t, uint32_t milestones)
{
	struct progress p = { .on = progress_wanted(t->progress) };
	int ret = wait_loop(t, milestones, &p);

	progress_clear(&p);
	return ret;
}

/**
 * transfer_wait_event() - wait until something happens, take signals
 * @t: the run
 * @timeout_ms: no longer than that, -1 is no limit
 *
 * Return: 0, -ECANCELED after a failure, when all has stopped, -EINTR after an abort.
 */
int transfer_wait_event(struct transfer *t, int timeout_ms)
{
	struct progress p = { .on = progress_wanted(t->progress) };
	int ret;

	ret = transfer_refresh(t);
	if (!ret && !(t->session.milestones & VFIO_MIGMUX_MILESTONE_ENDED)) {
		progress_show(&p, &t->session);
		wait_once(t, timeout_ms);
		ret = transfer_refresh(t);
	}
	progress_clear(&p);
	if (t->aborted)
		return -EINTR;
	if (t->session.milestones & VFIO_MIGMUX_MILESTONE_ENDED)
		return -ECANCELED;
	return ret;
}

/**
 * transfer_set_state() - move all devices
 * @t: the run
 * @target: where to; a device that fails stays where it is
 *
 * Return: 0 or a negative errno.
 */
int transfer_set_state(struct transfer *t, uint32_t target)
{
	uint32_t flags = t->no_p2p ? VFIO_MIGMUX_SET_STATE_NO_P2P : 0;
	int ret = vfmig_set_state(t->fd, flags, target, VFIO_MIGMUX_RECOVER_NONE, t->timeout_ms,
				  NULL, NULL);

	transfer_refresh(t);
	return ret;
}

static const char *device_name(const struct transfer *t, uint32_t index)
{
	for (uint32_t i = 0; i < t->session.nr_devices; i++)
		if (t->session.devices[i].t.index == index)
			return t->session.devices[i].handle;
	return "unknown device";
}

/* The kernel's words, and what they are about unless they name it themselves. */
static void print_reason(struct transfer *t, const struct vfio_migmux_last_error *e)
{
	const char *text = (const char *)e->text;
	char channel[24];

	fputs(*text ? text : strerror(e->error), stderr);
	if (e->device != VFIO_MIGMUX_INDEX_NONE && !strstr(text, device_name(t, e->device)))
		fprintf(stderr, ", device %s", device_name(t, e->device));
	snprintf(channel, sizeof(channel), "channel %u", e->channel);
	if (e->channel != VFIO_MIGMUX_INDEX_NONE && !strstr(text, channel))
		fprintf(stderr, ", %s", channel);
}

/**
 * transfer_failed() - say why, in the kernel's words, and where the devices are
 * @t: the run
 * @what: what did not work
 * @error: negative errno that it ended with, for want of words
 *
 * Waits until the devices are where they go.
 */
void transfer_failed(struct transfer *t, const char *what, int error)
{
	struct session *s = &t->session;
	struct vfio_migmux_last_error e;

	fprintf(stderr, "vfmig: %s: ", what);
	if (!vfmig_last_error(t->fd, &e) && e.error) {
		s->error = (uint32_t)e.error;
		snprintf(s->error_text, sizeof(s->error_text), "%s", (const char *)e.text);
		print_reason(t, &e);
	} else {
		s->error = (uint32_t)-error;
		fputs(strerror(-error), stderr);
	}
	fputc('\n', stderr);

	if (transfer_refresh(t))
		return;
	if (s->milestones & VFIO_MIGMUX_MILESTONE_FAILED && !t->aborted)
		transfer_wait(t, VFIO_MIGMUX_MILESTONE_ENDED);
	if (!timeline_bounds(s).start)
		return;
	for (uint32_t i = 0; i < s->nr_devices; i++)
		fprintf(stderr, "vfmig:   %s is in %s%s%s\n", s->devices[i].handle,
			vfmig_state_name(s->devices[i].t.state),
			s->devices[i].t.error ? ": " : "",
			s->devices[i].t.error ? strerror(s->devices[i].t.error) : "");
}

static void print_result(struct transfer *t)
{
	struct json_object *o;

	if (t->check_only)
		return;
	if (t->app->json) {
		o = json_session(&t->session);
		if (t->precopy.wanted)
			json_object_object_add(o, "precopy", precopy_json(&t->precopy));
		json_finish(o, stdout, false);
	} else if (timeline_bounds(&t->session).start) {
		timeline_print_table(stdout, &t->session);
		if (t->precopy.wanted && t->precopy.why != PRECOPY_GOES_ON)
			precopy_print(stdout, &t->precopy);
	}
}

static void close_all(struct transfer *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->signal_fd >= 0)
		close(t->signal_fd);
	vfio_close(&t->vfio);
	free(t->session.devices);
	free(t->args);
	free(t->weights);
}

/**
 * transfer_main() - send, check or recv from the command line to the exit code
 * @app: the run
 * @cmd: the command
 * @argc: as given to the command
 * @argv: as given to the command
 * @role: a source runs the user's command before the devices are in the session, when
 *	they are as a VMM would find them
 * @run: moves the state; returns an exit code
 *
 * Return: the exit code.
 */
int transfer_main(struct app *app, const struct command *cmd, int argc, char **argv,
		  uint32_t role, int (*run)(struct transfer *t))
{
	struct transfer t;
	int ret;

	if (transfer_options(&t, app, cmd, argc, argv)) {
		ret = app->status;
		goto out_close;
	}
	t.session.role = role;
	ret = open_all(&t);
	if (!ret && role == VFIO_MIGMUX_ROLE_SOURCE)
		ret = transfer_exec(&t);
	if (!ret)
		ret = attach_all(&t);
	if (ret)
		goto out_close;
	ret = run(&t);
	print_result(&t);
out_close:
	close_all(&t);
	return ret;
}
