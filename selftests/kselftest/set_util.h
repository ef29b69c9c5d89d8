/* SPDX-License-Identifier: GPL-2.0-only */
/* What the set tests share: devices, sets of them, waiting for what sets do */
#ifndef SELFTEST_SET_UTIL_H
#define SELFTEST_SET_UTIL_H

#include <stdbool.h>

#include "mnl_set.h"
#include "vmm.h"

#define SET_DEVICES	3	/* of a source, and of a destination */
#define SPARE_DEVICES	2	/* that main() leaves alone */

/* So that the start of one arc falls into another's time, on a slow machine too. */
#define ARC_MS		100

/* Open the devices for all tests, with PRE_COPY; 0 or -errno. */
int sets_devices_open(void);
/* Knobs at their defaults, devices in RUNNING; 0 or -errno. */
int sets_settle(void);
/*
 * Hook all devices for as long as the program runs: each unhooking waits for tasks to
 * pass, which is too slow to be done with each set. 0 or -errno.
 */
int sets_pin(bool on);
/* Delete all sets, switch off automatic ones; 0 or -errno. */
int sets_forget(struct nl *nl);

/**
 * struct spare - the devices that main() leaves alone
 * @addr: their addresses
 * @set: filled while they are open
 * @open: they are
 */
struct spare {
	char addr[SPARE_DEVICES][VFIO_ADDR_MAX];
	struct vfio_set set;
	bool open;
};

int spare_find(struct spare *spare);
int spare_open(struct spare *spare);
void spare_close(struct spare *spare);

/* "pci/ADDRESS", in one of a few buffers that are used in turn */
const char *handle_of(const char *addr);

/* A set of the VMM's devices, all of which it drives then; 0 or -errno. */
int set_make(struct nl *nl, const char *name, __u32 policy, struct vmm *vmm);
/* Only the set. */
int set_of(struct nl *nl, const char *name, __u32 policy, const struct vmm *vmm);
int set_policy(struct nl *nl, const char *name, __u32 policy);
int set_timeout(struct nl *nl, const char *name, __u32 ms);

/* What a set shows of itself; all 0 if there is no such set. */
struct nl_counters set_counters(struct nl *nl, const char *name);
struct nl_counters member_counters(struct nl *nl, const char *name, const char *addr);
bool member_pending(struct nl *nl, const char *name, const char *addr);
bool member_driven(struct nl *nl, const char *name, const char *addr);

/* Wait until so many early starts, take-backs; 0 or -ETIMEDOUT. */
int set_wait_starts(struct nl *nl, const char *name, __u32 n);
int set_wait_take_backs(struct nl *nl, const char *name, __u32 n);
/* Wait until no member has an unclaimed arc; 0 or -ETIMEDOUT. */
int set_wait_idle(struct nl *nl, const char *name);
/* Wait until no data_fd of these devices is left; 0 or -ETIMEDOUT. */
int data_files_wait(const struct vmm *vmm);

/* Does VFIO's GET show what migsim is in, for each device? */
bool states_agree(const struct vmm *vmm);

int vmm_knob(const struct vmm *vmm, const char *attr, const char *value);

bool nl_said(const struct nl *nl, const char *word);

/**
 * struct call - a state change in a thread of its own
 * @vmm: the VMM
 * @i: the device
 * @state: what it asks for
 * @ret: what it got
 */
struct call {
	struct vmm *vmm;
	int i;
	unsigned int state;
	int ret;
	unsigned long thread;
};

void call_start(struct call *call, struct vmm *vmm, int i, unsigned int state);
int call_join(struct call *call);

/**
 * struct step - one of the steps that a set's policy is about
 * @bit: of the policy
 * @from: where all devices are
 * @to: what the VMM asks for, one device after the other
 * @back: where a device goes that nobody asks for any more
 * @fail: the driver's arc in it that is made to fail
 */
struct step {
	const char *name;
	__u32 bit;
	unsigned int from;
	unsigned int to;
	unsigned int back;
	const char *fail;
};

#define STEPS 10
extern const struct step steps[STEPS];

/* Bring all devices of a VMM to where a step begins; nobody may follow then. */
int step_prepare(struct vmm *vmm, const struct step *step);

#endif /* SELFTEST_SET_UTIL_H */
