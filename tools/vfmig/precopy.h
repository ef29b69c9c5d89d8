/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When does a source switch over? The decision, apart from how its facts are got.
 */
#ifndef VFMIG_PRECOPY_H
#define VFMIG_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

enum precopy_why {
	PRECOPY_GOES_ON,
	PRECOPY_NO_DEVICE,	/* none can */
	PRECOPY_DOWNTIME,	/* what is left can be sent within the limit */
	PRECOPY_CONVERGED,	/* what is left does not get less */
	PRECOPY_ROUNDS,		/* as many as allowed */
	PRECOPY_TIME,		/* as long as allowed */
};

/**
 * struct precopy_limits - what the user allows
 * @downtime_ms: pre-copy ends when what is left can be sent in that time
 * @time_ms: it lasts no longer
 * @rounds: and has no more than that; 0 is no limit
 */
struct precopy_limits {
	uint32_t downtime_ms;
	uint32_t time_ms;
	uint32_t rounds;
};

/**
 * struct precopy_look - how things stand
 * @nr_devices: devices in pre-copy
 * @loaded: the destination has loaded their initial data, or does not tell
 * @initial_bytes: initial data left
 * @dirty_bytes: what else is left
 * @stop_copy_bytes: what the drivers expect STOP_COPY to yield
 * @bytes: sent in pre-copy
 * @ns: the longest time that a device's rounds took
 * @least_rounds: rounds of the device that had fewest
 * @most_rounds: and of the one that had most
 * @elapsed_ms: since pre-copy began
 */
struct precopy_look {
	uint32_t nr_devices;
	bool loaded;
	uint64_t initial_bytes;
	uint64_t dirty_bytes;
	uint64_t stop_copy_bytes;
	uint64_t bytes;
	uint64_t ns;
	uint64_t least_rounds;
	uint64_t most_rounds;
	uint64_t elapsed_ms;
};

/**
 * struct precopy - a pre-copy, and what came of it
 * @wanted: the user asked for it
 * @limits: set before
 * @look: the last one
 * @why: it ended
 * @least_left: least that was left at any look
 * @in_vain: looks, each after more was sent, since that got less
 * @sent: bytes sent at the last look
 */
struct precopy {
	bool wanted;
	struct precopy_limits limits;
	struct precopy_look look;
	enum precopy_why why;
	uint64_t least_left;
	unsigned int in_vain;
	uint64_t sent;
};

void precopy_init(struct precopy *p);
uint64_t precopy_expected_ns(const struct precopy_look *look);
enum precopy_why precopy_decide(struct precopy *p, const struct precopy_look *look);
const char *precopy_why_name(enum precopy_why why);
const char *precopy_why_text(enum precopy_why why);
struct json_object *precopy_json(const struct precopy *p);

#endif /* VFMIG_PRECOPY_H */
