/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serial-vmm: devices migrated the old way, one after another
 *
 * One TCP connection carries it all. Source to destination, per device in
 * order: frames of { be32 device, be32 length } and that many bytes, up to
 * 1 MiB; a frame of length 0 ends the device. Destination to source, one byte
 * each: SERIAL_READY when all devices are in RESUMING, SERIAL_LOADED when
 * every byte was accepted by its device, SERIAL_RUNNING when all devices run,
 * SERIAL_FAILED instead of any of them.
 */
#ifndef SERIAL_VMM_H
#define SERIAL_VMM_H

#include <stddef.h>
#include <linux/types.h>

#include "vfio-open.h"

#define SERIAL_BUF	(1024 * 1024)

enum {
	SERIAL_READY = 'r',
	SERIAL_LOADED = 'l',
	SERIAL_RUNNING = 'R',
	SERIAL_FAILED = 'F',
};

enum serial_phase {
	PHASE_SETUP,	/* destination: RUNNING -> RESUMING */
	PHASE_QUIESCE,	/* source: RUNNING -> RUNNING_P2P */
	PHASE_STOP,	/* source: -> STOP */
	PHASE_SAVE,	/* source: STOP -> STOP_COPY */
	PHASE_STREAM,	/* both: first to last byte of the device */
	PHASE_LOAD,	/* destination: RESUMING -> RUNNING_P2P */
	PHASE_START,	/* destination: -> RUNNING */
	PHASES,
};

/**
 * struct serial_span - from when to when, CLOCK_MONOTONIC, 0 if it never was
 * @start_ns: start
 * @end_ns: end
 */
struct serial_span {
	__u64 start_ns;
	__u64 end_ns;
};

/**
 * struct serial_report - what took how long
 * @role: "source" or "destination"
 * @total: source: first arc until the peer has loaded the last byte;
 *	destination: last byte loaded until all devices run
 * @down: source only: first arc until the peer says that all devices run
 * @phase: per device and phase
 * @bytes: of state, per device
 */
struct serial_report {
	const char *role;
	struct serial_span total;
	struct serial_span down;
	struct serial_span phase[VFIO_OPEN_MAX][PHASES];
	__u64 bytes[VFIO_OPEN_MAX];
};

/* serial-vmm.c */
__u64 now_ns(void);
int read_full(int fd, void *buf, size_t len);
int write_full(int fd, const void *buf, size_t len);
int arc(const struct vfio_dev *dev, unsigned int state, int *data_fd,
	struct serial_span *span);

/* serial-source.c, serial-dest.c: 0, or -1 after a message and a rollback */
int serial_send(struct vfio_set *set, int sock, struct serial_report *report);
int serial_recv_setup(struct vfio_set *set, int data_fd[],
		      struct serial_report *report);
int serial_recv(struct vfio_set *set, int sock, int data_fd[],
		struct serial_report *report);

/* serial-report.c */
int serial_report_write(const struct serial_report *report,
			const struct vfio_set *set, const char *path);

#endif /* SERIAL_VMM_H */
