// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source, in the order of QEMU's main channel: every device to
 * RUNNING_P2P, every device to STOP, then device by device to STOP_COPY, and
 * its whole state read and sent before the next one.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial-vmm.h"

static int expect(int sock, char want)
{
	char got;

	if (read_full(sock, &got, 1))
		return -1;
	if (got == want)
		return 0;
	fprintf(stderr, got == SERIAL_FAILED ?
		"the destination failed\n" : "unexpected answer\n");
	return -1;
}

static int frame_send(int sock, __u32 device, const void *buf, __u32 len)
{
	__u32 head[2] = { htonl(device), htonl(len) };

	return write_full(sock, head, sizeof(head)) ||
	       write_full(sock, buf, len) ? -1 : 0;
}

static int device_stream(const struct vfio_dev *dev, int i, int data_fd,
			 int sock, char *buf, struct serial_report *report)
{
	struct serial_span *span = &report->phase[i][PHASE_STREAM];
	ssize_t n;

	span->start_ns = now_ns();
	do {
		n = read(data_fd, buf, SERIAL_BUF);
		if (n < 0) {
			fprintf(stderr, "%s: read after %llu bytes: %s\n",
				dev->addr,
				(unsigned long long)report->bytes[i],
				strerror(errno));
			return -1;
		}
		if (frame_send(sock, i, buf, n))
			return -1;
		report->bytes[i] += n;
	} while (n);
	span->end_ns = now_ns();
	return 0;
}

static int device_save(const struct vfio_dev *dev, int i, int sock, char *buf,
		       struct serial_report *report)
{
	int data_fd = -1, ret;

	if (arc(dev, VFIO_DEVICE_STATE_STOP_COPY, &data_fd,
		&report->phase[i][PHASE_SAVE]))
		return -1;
	ret = device_stream(dev, i, data_fd, sock, buf, report);
	close(data_fd);
	return ret;
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

static int migrate(struct vfio_set *set, int sock, char *buf,
		   struct serial_report *report)
{
	int i;

	if (expect(sock, SERIAL_READY))
		return -1;
	report->total.start_ns = now_ns();
	report->down.start_ns = report->total.start_ns;
	if (all_arcs(set, VFIO_DEVICE_STATE_RUNNING_P2P, PHASE_QUIESCE,
		     report) ||
	    all_arcs(set, VFIO_DEVICE_STATE_STOP, PHASE_STOP, report))
		return -1;
	for (i = 0; i < set->n; i++)
		if (device_save(&set->dev[i], i, sock, buf, report))
			return -1;
	if (expect(sock, SERIAL_LOADED))
		return -1;
	report->total.end_ns = now_ns();
	if (expect(sock, SERIAL_RUNNING))
		return -1;
	report->down.end_ns = now_ns();
	return 0;
}

/**
 * serial_send() - migrate devices to the peer
 * @set: the devices, all RUNNING; STOP if it went well, else RUNNING again
 * @sock: connection
 * @report: to be filled
 *
 * Return: 0, or -1 after a message.
 */
int serial_send(struct vfio_set *set, int sock, struct serial_report *report)
{
	char *buf = malloc(SERIAL_BUF);
	int ret, i;

	if (!buf) {
		perror("malloc");
		return -1;
	}
	ret = migrate(set, sock, buf, report);
	free(buf);
	for (i = 0; i < set->n; i++)
		vfio_state_set(set->dev[i].fd, ret ? VFIO_DEVICE_STATE_RUNNING :
			       VFIO_DEVICE_STATE_STOP, NULL);
	return ret;
}
