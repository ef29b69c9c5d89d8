/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Do the two ends of a migration fit? The comparison, apart from how its facts are got.
 */
#ifndef VFMIG_COMPARE_H
#define VFMIG_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vfio_migmux.h>
#include <linux/vfio_migmux_netlink.h>

struct json_object;

/* a device whose driver does not say how much state it has */
#define COMPARE_UNKNOWN	UINT64_MAX

/**
 * struct compare_device - a device of one end
 * @handle: here only: its handle
 * @idstr: its identity
 * @driver: its driver
 * @migration_flags: VFIO_MIGRATION_*
 * @precopy_version: 0 if it cannot
 * @stop_copy_bytes: here only: what the driver expects STOP_COPY to yield
 */
struct compare_device {
	char handle[VFIO_MIGMUX_HANDLE_MAX + 1];
	char idstr[VFIO_MIGMUX_IDSTR_SIZE];
	char driver[VFIO_MIGMUX_DRIVER_SIZE];
	uint32_t migration_flags;
	uint32_t precopy_version;
	uint64_t stop_copy_bytes;
};

/**
 * struct compare_end - one end
 * @devices: its devices
 * @nr_devices: how many
 * @verify: it verifies
 * @shared: devices share channels
 * @no_p2p: here only: devices may lack P2P
 * @staging: there only: bytes that wait in memory
 * @max_state: there only: most bytes of a device, 0 is any
 */
struct compare_end {
	struct compare_device *devices;
	uint32_t nr_devices;
	bool verify;
	bool shared;
	bool no_p2p;
	uint64_t staging;
	uint64_t max_state;
};

enum compare_result {
	COMPARE_AGREES,
	COMPARE_MORE,		/* the other end can do more, which does no harm */
	COMPARE_DIFFERS,
};

/**
 * struct compare_row - one thing that was compared
 * @device: handle, or the identity of a device that is not here; empty: of all
 * @what: the thing
 * @here: what it is here
 * @there: what it is at the other end
 * @result: whether that is all right
 * @text: if it is not: one line that says why
 */
struct compare_row {
	char device[VFIO_MIGMUX_IDSTR_SIZE];
	const char *what;
	char here[VFIO_MIGMUX_IDSTR_SIZE];
	char there[VFIO_MIGMUX_IDSTR_SIZE];
	enum compare_result result;
	char text[512];
};

/**
 * struct compare - the comparison
 * @rows: what was compared
 * @n: how much
 * @differs: how many rows of COMPARE_DIFFERS
 */
struct compare {
	struct compare_row *rows;
	uint32_t n;
	uint32_t differs;
};

void compare_ends(struct compare *c, const struct compare_end *here,
		  const struct compare_end *there);
void compare_free(struct compare *c);
const char *compare_result_name(enum compare_result result);
struct json_object *compare_json(const struct compare *c, const struct compare_end *here,
				 const struct compare_end *there);

#endif /* VFMIG_COMPARE_H */
