/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets over netlink, for tests; see mnl.h */
#ifndef SELFTEST_MNL_SET_H
#define SELFTEST_MNL_SET_H

#include "mnl.h"

#define P_STOP		VFIO_MIGMUX_SET_POLICY_STOP
#define P_COPY		VFIO_MIGMUX_SET_POLICY_COPY
#define P_START		VFIO_MIGMUX_SET_POLICY_START
#define P_RESUME	VFIO_MIGMUX_SET_POLICY_RESUME
#define P_SETUP		VFIO_MIGMUX_SET_POLICY_SETUP
#define P_BARRIER	VFIO_MIGMUX_SET_POLICY_BARRIER
#define P_DEFAULT	(P_STOP | P_COPY | P_START)
#define P_ALL		(P_DEFAULT | P_RESUME | P_SETUP)

#define NL_SET_MEMBERS	16
#define NL_HANDLE	(VFIO_MIGMUX_HANDLE_MAX + 1)

struct nl_counters {
	__u32 early_starts;
	__u32 claims;
	__u32 take_backs;
	__u32 errors;
	__u64 saved;
};

struct nl_set_member {
	char handle[NL_HANDLE];
	bool present;
	bool driven;
	bool pending;
	struct nl_counters counters;
};

/**
 * struct nl_set - what a reply says of sets; all but @count of the last one
 * @nl: the socket; to be filled in by the caller
 * @count: how many sets there were
 * @complete: all attributes that each set has were there
 * @members: how many @member has
 *
 * The rest is as in the specification.
 */
struct nl_set {
	struct nl *nl;
	unsigned int count;
	bool complete;
	char name[64];
	__u32 policy;
	__u32 max_parallel;
	__u32 claim_timeout;
	__u8 allow_no_p2p;
	bool automatic;
	__u32 pid;
	__u32 timeline;
	bool gone;
	struct nl_counters counters;
	unsigned int members;
	struct nl_set_member member[NL_SET_MEMBERS];
};

/* Begin a request about a set; to be completed with nl_set_*() and nl_call(). */
struct nlmsghdr *nl_set_begin(struct nl *nl, __u8 cmd, const char *name);
void nl_set_put_devices(struct nlmsghdr *nlh, __u16 attr, int n, const char *const *handles);

/* All of these return 0 or a negative errno. */
int nl_set_new(struct nl *nl, const char *name, __u32 policy, int n,
	       const char *const *handles);
int nl_set_u32(struct nl *nl, const char *name, __u16 attr, __u32 value);
int nl_set_change(struct nl *nl, const char *name, __u16 add_or_remove, const char *handle);
int nl_set_del(struct nl *nl, const char *name);
int nl_set_get(struct nl *nl, const char *name, struct nl_set *set);
int nl_set_dump(struct nl *nl, struct nl_set *set);
void nl_set_seen(void *data, __u8 cmd, const struct nlattr **attrs);
const struct nl_set_member *nl_set_member(const struct nl_set *set, const char *handle);

/* Automatic sets; a NULL policy is not sent. */
struct nl_auto {
	__u8 enabled;
	__u32 policy;
	__u32 max_parallel;
	__u32 claim_timeout;
	__u8 allow_no_p2p;
	bool complete;
};

int nl_auto_set(struct nl *nl, bool enabled, const __u32 *policy);
int nl_auto_get(struct nl *nl, struct nl_auto *conf);

/**
 * struct nl_set_event - a message of the multicast group
 * @cmd: VFIO_MIGMUX_CMD_SET_EVENT, or another command, and then nothing else is set
 *
 * The rest is as in the specification.
 */
struct nl_set_event {
	__u8 cmd;
	char set[64];
	char device[NL_HANDLE];
	__u32 type;
	__u32 from;
	__u32 to;
	__u32 error;
	__u64 saved;
	__u32 timeline;
	__u64 at;
};

void nl_set_event_seen(void *data, __u8 cmd, const struct nlattr **attrs);

/* Name of the set that a device belongs to; "" if to none. */
int nl_device_set(struct nl *nl, const char *handle, char *name, size_t size);

#endif /* SELFTEST_MNL_SET_H */
