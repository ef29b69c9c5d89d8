// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination: every device to RESUMING before the source stops; the
 * devices' states received and written one after the other; then every device
 * to RUNNING_P2P, and every device to RUNNING.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial-vmm.h"

static int data_write(const struct vfio_dev *dev, int data_fd,
		      const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(data_fd, buf, len);

		if (n <= 0) {
			fprintf(stderr, "%s: write: %s\n", dev->addr,
				strerror(n ? errno : EIO));
			return -1;
		}
		buf += n;
		len -= n;
	}
	return 0;
}

static int device_load(const struct vfio_dev *dev, __u32 i, int sock,
		       int data_fd, char *buf, struct serial_report *report)
{
	struct serial_span *span = &report->phase[i][PHASE_STREAM];

	for (;;) {
		__u32 head[2], len;

		if (read_full(sock, head, sizeof(head)))
			return -1;
		if (!span->start_ns)
			span->start_ns = now_ns();
		len = ntohl(head[1]);
		if (ntohl(head[0]) != i || len > SERIAL_BUF) {
			fprintf(stderr, "%s: bad frame: device %u, %u bytes\n",
				dev->addr, ntohl(head[0]), len);
			return -1;
		}
		if (!len)
			break;
		if (read_full(sock, buf, len) ||
		    data_write(dev, data_fd, buf, len))
			return -1;
		report->bytes[i] += len;
	}
	span->end_ns = now_ns();
	return 0;
}

static int all_arcs(struct vfio_set *set, unsigned int state,
		    enum serial_phase phase, struct serial_report *report)
{
	int i;

	for (i = 0; i < set->n; i++) {
		struct vfio_dev *dev = &set->dev[i];

		if (state == VFIO_DEVICE_STATE_RUNNING_P2P &&
		    !(dev->migration_flags & VFIO_MIGRATION_P2P))
			continue;
		if (arc(dev, state, NULL, &report->phase[i][phase]))
			return -1;
	}
	return 0;
}

static int migrate(struct vfio_set *set, int sock, int data_fd[], char *buf,
		   struct serial_report *report)
{
	static const char loaded = SERIAL_LOADED, running = SERIAL_RUNNING;
	static const char ready = SERIAL_READY;
	int i;

	if (write_full(sock, &ready, 1))
		return -1;
	for (i = 0; i < set->n; i++)
		if (device_load(&set->dev[i], i, sock, data_fd[i], buf, report))
			return -1;
	report->total.start_ns = now_ns();
	if (write_full(sock, &loaded, 1))
		return -1;
	if (all_arcs(set, VFIO_DEVICE_STATE_RUNNING_P2P, PHASE_LOAD, report) ||
	    all_arcs(set, VFIO_DEVICE_STATE_RUNNING, PHASE_START, report))
		return -1;
	report->total.end_ns = now_ns();
	return write_full(sock, &running, 1);
}

/**
 * serial_recv_setup() - all devices to RESUMING
 * @set: the devices, all RUNNING
 * @data_fd: one per device, to be filled
 * @report: to be filled
 *
 * Return: 0, or -1 after a message; the caller closes the devices.
 */
int serial_recv_setup(struct vfio_set *set, int data_fd[],
		      struct serial_report *report)
{
	int i;

	for (i = 0; i < set->n; i++)
		if (arc(&set->dev[i], VFIO_DEVICE_STATE_RESUMING, &data_fd[i],
			&report->phase[i][PHASE_SETUP]))
			return -1;
	return 0;
}

/**
 * serial_recv() - take over the state of the peer's devices
 * @set: the devices, all RESUMING; RUNNING if it went well
 * @sock: connection
 * @data_fd: of the devices; closed
 * @report: to be filled
 *
 * Return: 0, or -1 after a message and after telling the peer.
 */
int serial_recv(struct vfio_set *set, int sock, int data_fd[],
		struct serial_report *report)
{
	static const char failed = SERIAL_FAILED;
	char *buf = malloc(SERIAL_BUF);
	int ret = -1, i;

	if (buf)
		ret = migrate(set, sock, data_fd, buf, report);
	else
		perror("malloc");
	free(buf);
	for (i = 0; i < set->n; i++)
		close(data_fd[i]);
	if (ret)
		write_full(sock, &failed, 1);
	return ret;
}
