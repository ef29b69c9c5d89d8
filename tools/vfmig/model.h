/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tool knows about devices, sets, links and sessions, apart from where it
 * comes from (netlink, ioctl) and where it goes (text, JSON, SVG).
 */
#ifndef VFMIG_MODEL_H
#define VFMIG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vfio_migmux.h>
#include <linux/vfio_migmux_netlink.h>

#define MODEL_NR_MILESTONES 16
#define MODEL_NR_TARGETS 16
/* bits of a set's policy that have a name here */
#define MODEL_NR_POLICIES 6

struct device {
	char handle[VFIO_MIGMUX_HANDLE_MAX + 1];
	char driver[64];
	uint32_t migration_flags;
	uint32_t users;
	uint32_t session;	/* 0 if none holds it */
	uint32_t arcs;
	uint32_t refused;
	char set[VFIO_MIGMUX_NAME_MAX + 1];	/* empty if it is in none */
	bool hooked;
	bool pinned;
	bool gone;
};

/**
 * struct set_config - what is the same for sets of operators and automatic ones
 * @policy: bits of enum vfio_migmux_set_policy
 * @max_parallel: 0 is no limit
 * @claim_timeout_ms: when what was not claimed is taken back
 * @allow_no_p2p: members may lack P2P
 */
struct set_config {
	uint32_t policy;
	uint32_t max_parallel;
	uint32_t claim_timeout_ms;
	bool allow_no_p2p;
};

struct set_auto {
	bool enabled;
	struct set_config config;
};

struct set_counters {
	uint32_t early_starts;
	uint32_t claims;
	uint32_t take_backs;
	uint32_t errors;
	uint64_t saved_ns;
};

struct set_member {
	char handle[VFIO_MIGMUX_HANDLE_MAX + 1];
	bool present;
	bool driven;
	bool pending;
	struct set_counters counters;
};

struct set {
	char name[VFIO_MIGMUX_NAME_MAX + 1];
	struct set_config config;
	bool automatic;
	uint32_t pid;		/* 0 if no process drives it */
	uint32_t timeline;	/* 0 if there was no switchover */
	struct set_counters counters;
	uint32_t nr_members;
	struct set_member *members;
	bool gone;
};

struct set_event {
	char set[VFIO_MIGMUX_NAME_MAX + 1];
	char device[VFIO_MIGMUX_HANDLE_MAX + 1];
	uint32_t type;		/* enum vfio_migmux_set_event_type */
	uint32_t from;
	uint32_t to;
	uint32_t error;
	uint64_t saved_ns;
	uint32_t timeline;
	uint64_t at;
};

struct channel {
	char link[VFIO_MIGMUX_NAME_MAX + 1];
	uint32_t id;
	char local[128];
	char peer[128];
	uint32_t send_method;
	uint32_t tls_version;	/* 0 if it is not encrypted */
	uint32_t tls_cipher;
	uint64_t sent;
	uint64_t received;
};

struct link {
	char name[VFIO_MIGMUX_NAME_MAX + 1];
	uint32_t state;		/* enum vfio_migmux_link_state */
	uint32_t channels;
	uint32_t session;	/* 0 if none uses it */
	char error[256];
	bool tls;
	bool gone;
};

/**
 * struct session_device - one device of a session
 * @handle: its handle
 * @idstr: its identity on the wire
 * @instance_id: second half of that
 * @weight: its part of what devices share; 0 if nobody said
 * @has_method: it has had a data file
 * @read_method: enum vfio_migmux_read_method: how that is read, or written
 * @t: times and counters
 */
struct session_device {
	char handle[VFIO_MIGMUX_HANDLE_MAX + 1];
	char idstr[VFIO_MIGMUX_IDSTR_SIZE];
	uint32_t instance_id;
	uint32_t weight;
	bool has_method;
	uint32_t read_method;
	struct vfio_migmux_timeline_device t;
};

/**
 * struct session_target - memory that is mapped for DMA by one target
 * @kind: enum vfio_migmux_dma_kind
 * @space: IOAS or address space
 * @ranges: how many it has
 * @failed: of them, those that cannot be mapped
 * @bytes: of all ranges
 * @mapped: of them, bytes that are mapped
 * @span: when
 */
struct session_target {
	uint32_t kind;
	uint32_t space;
	uint32_t ranges;
	uint32_t failed;
	uint64_t bytes;
	uint64_t mapped;
	struct vfio_migmux_span span;
};

struct session {
	uint32_t id;
	uint32_t role;		/* enum vfio_migmux_role */
	uint32_t pid;
	char comm[32];
	char link[VFIO_MIGMUX_NAME_MAX + 1];
	char set[VFIO_MIGMUX_NAME_MAX + 1];	/* empty if it is a session */
	bool closed;
	uint32_t milestones;
	uint64_t milestone_ns[MODEL_NR_MILESTONES];
	uint32_t error;
	char error_text[VFIO_MIGMUX_TEXT_SIZE];
	uint64_t staging_budget;
	uint64_t staging_peak;
	uint64_t spill_peak;
	uint32_t nr_targets;
	struct session_target targets[MODEL_NR_TARGETS];
	uint32_t nr_devices;
	struct session_device *devices;
};

struct event {
	uint32_t session;
	uint32_t type;		/* enum vfio_migmux_event_type */
	char device[VFIO_MIGMUX_HANDLE_MAX + 1];
	bool has_channel;
	uint32_t channel;
	uint32_t value;
	uint32_t error;
	char text[VFIO_MIGMUX_TEXT_SIZE];
	uint64_t at;
};

/* Growing arrays, one type for each thing that can be listed. */
#define MODEL_LIST(type) \
	struct type##_list { \
		struct type *v; \
		size_t n; \
	}

MODEL_LIST(device);
MODEL_LIST(set);
MODEL_LIST(channel);
MODEL_LIST(link);
MODEL_LIST(session);

void *model_grow(void *array, size_t n, size_t size);

const char *model_role_name(uint32_t role);
const char *model_link_state_name(uint32_t state);
const char *model_send_method_name(uint32_t method);
const char *model_tls_version_name(uint32_t version);
const char *model_tls_cipher_name(uint32_t cipher);
const char *model_read_method_name(uint32_t method);
const char *model_dma_kind_name(uint32_t kind);
const char *model_event_name(uint32_t type);
const char *model_set_event_name(uint32_t type);
const char *model_policy_name(unsigned int bit);

/* A session that moves devices now, and no record of what has been moved. */
static inline bool model_session_lives(const struct session *s)
{
	return !s->closed && !s->set[0];
}

void model_sets_free(struct set_list *list);
void model_sessions_free(struct session_list *list);

#endif /* VFMIG_MODEL_H */
