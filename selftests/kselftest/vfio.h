/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices of the session tests, and the fixture around them.
 *
 * Opening and closing an edu device costs a reset of its bus. So most test
 * programs open their devices once, in main(), and each test, a child of it,
 * uses what it inherits; before each the knobs are back at their defaults and the
 * devices in RUNNING.
 */
#ifndef SELFTEST_VFIO_H
#define SELFTEST_VFIO_H

#include <stdbool.h>

#include <migsim_util.h>

#include "session.h"

#define KIB	1024UL
#define MIB	(1024UL * KIB)

#define ERROR		VFIO_DEVICE_STATE_ERROR
#define STOP		VFIO_DEVICE_STATE_STOP
#define RUNNING		VFIO_DEVICE_STATE_RUNNING
#define STOP_COPY	VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING	VFIO_DEVICE_STATE_RESUMING
#define RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define PRE_COPY	VFIO_STATE_PRE_COPY
#define PRE_COPY_P2P	VFIO_STATE_PRE_COPY_P2P

#define STATE_SIZE	(64 * KIB)	/* of a device whose test does not say */
#define STAGING		(2 * MIB)	/* small is quick; the default is another matter */

/* Names on the wire, by index. */
extern const char *const idstrs[SESSION_DEVICES];

/* The devices that main() opened; the first SESSION_DEVICES of the driver's. */
extern struct vfio_set devices;

int devices_names(char addr[][VFIO_ADDR_MAX], int max);
int devices_open(struct vfio_set *set, int first, int n);
int device_knobs_default(const char *addr);
/* The first @n devices of the driver, closed: can they pre-copy from now on? */
int devices_precopy(int n, bool on);
int device_settle(struct vfio_dev *dev);
int devices_settle(struct vfio_set *set);
int devices_run(void);
bool device_is(const struct vfio_dev *dev, int state);
int device_reset(const struct vfio_dev *dev);
bool device_reopens(const char *addr);

/* Wait until an attribute is at least @value; 0 or -ETIMEDOUT. */
int attr_wait(const char *addr, const char *attr, __u64 value);
/* Wait until an attribute is that text; 0 or -ETIMEDOUT. */
int attr_wait_text(const char *addr, const char *attr, const char *text);
/* Wait until the device saves and has yielded so much; 0 or -ETIMEDOUT. */
int saved_wait(const char *addr, __u64 bytes);
int module_users(void);
int module_wait_unused(void);

struct arc {
	__u64 start_ns;
	__u64 end_ns;
	char from[16];
	char to[16];
	int error;
};

#define ARCS_MAX 56

int arcs_read(const char *addr, struct arc *arcs);
const struct arc *arcs_find(const struct arc *arcs, int n, const char *from,
			    const char *to);

/*
 * A migration between devices of the same process: the devices from @src and those
 * from @dst on, @n each.
 */
struct pair {
	struct vfio_dev *src;
	struct vfio_dev *dst;
	int n;
	int from;	/* sessions */
	int to;
};

int pair_open(struct pair *pair, struct vfio_dev *src, struct vfio_dev *dst, int n,
	      int channels);
/* The same over sockets that @connect makes, as peer_pair() does. */
int pair_open_over(struct pair *pair, struct vfio_dev *src, struct vfio_dev *dst, int n,
		   int channels, int (*connect)(int fd[2]));
int pair_start(struct pair *pair, bool verdict, __u64 staging);
int pair_finish(struct pair *pair);
bool pair_equal(const struct pair *pair);
void pair_close(struct pair *pair);

/* After whatever happened: does a migration of the first two devices work? */
int migration_works(void);

#endif /* SELFTEST_VFIO_H */
