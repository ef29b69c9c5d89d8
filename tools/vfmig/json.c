// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model as JSON. Keys and units are an interface: vfmig(8) and its
 * companions document them. What is unknown or does not apply is left out.
 * Sets have a file of their own, json_set.c.
 */
#include "libvfmig.h"
#include "output.h"
#include "timeline.h"
#include "vfio_dev.h"

void json_add_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void json_add_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

void json_add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

void json_add_nonzero(struct json_object *o, const char *key, uint64_t value)
{
	if (value)
		json_add_u64(o, key, value);
}

void json_add_nonempty(struct json_object *o, const char *key, const char *value)
{
	if (*value)
		json_add_string(o, key, value);
}

/**
 * json_finish() - print a document and free it
 * @o: the document
 * @out: where to
 * @one_line: without line breaks, for streams of documents
 */
void json_finish(struct json_object *o, FILE *out, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!one_line)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	fprintf(out, "%s\n", json_object_to_json_string_ext(o, flags));
	fflush(out);
	json_object_put(o);
}

struct json_object *json_device(const struct device *dev)
{
	struct json_object *o = json_object_new_object();
	struct json_object *m = json_object_new_array();

	json_add_string(o, "handle", dev->handle);
	json_add_string(o, "driver", dev->driver);
	json_add_u64(o, "migration_flags", dev->migration_flags);
	if (dev->migration_flags & VFIO_MIGRATION_STOP_COPY)
		json_object_array_add(m, json_object_new_string("stop_copy"));
	if (dev->migration_flags & VFIO_MIGRATION_P2P)
		json_object_array_add(m, json_object_new_string("p2p"));
	if (dev->migration_flags & VFIO_MIGRATION_PRE_COPY)
		json_object_array_add(m, json_object_new_string("pre_copy"));
	json_object_object_add(o, "migration", m);
	json_add_bool(o, "hooked", dev->hooked);
	json_add_bool(o, "pinned", dev->pinned);
	json_add_u64(o, "users", dev->users);
	json_add_nonempty(o, "set", dev->set);
	json_add_nonzero(o, "session", dev->session);
	json_add_u64(o, "arcs", dev->arcs);
	json_add_u64(o, "refused", dev->refused);
	if (dev->gone)
		json_add_bool(o, "gone", true);
	return o;
}

/**
 * json_devices() - an array of devices
 * @list: the devices
 * @hooked: only those that are hooked
 */
struct json_object *json_devices(const struct device_list *list, bool hooked)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		if (!hooked || list->v[i].hooked)
			json_object_array_add(array, json_device(&list->v[i]));
	return array;
}

static struct json_object *json_channel(const struct channel *ch)
{
	struct json_object *o = json_object_new_object();

	json_add_u64(o, "id", ch->id);
	json_add_string(o, "local", ch->local);
	json_add_string(o, "peer", ch->peer);
	json_add_string(o, "send_method", model_send_method_name(ch->send_method));
	if (ch->tls_version) {
		json_add_string(o, "tls_version", model_tls_version_name(ch->tls_version));
		json_add_string(o, "tls_cipher", model_tls_cipher_name(ch->tls_cipher));
	}
	json_add_u64(o, "sent", ch->sent);
	json_add_u64(o, "received", ch->received);
	return o;
}

/**
 * json_link() - a link
 * @link: the link
 * @channels: its channels, NULL to give their number only
 */
struct json_object *json_link(const struct link *link, const struct channel_list *channels)
{
	struct json_object *o = json_object_new_object();
	struct json_object *array;

	json_add_string(o, "name", link->name);
	json_add_string(o, "state", model_link_state_name(link->state));
	json_add_u64(o, "nr_channels", link->channels);
	json_add_bool(o, "tls", link->tls);
	json_add_nonzero(o, "session", link->session);
	json_add_nonempty(o, "error", link->error);
	if (link->gone)
		json_add_bool(o, "gone", true);
	if (!channels)
		return o;

	array = json_object_new_array();
	for (size_t i = 0; i < channels->n; i++)
		json_object_array_add(array, json_channel(&channels->v[i]));
	json_object_object_add(o, "channels", array);
	return o;
}

/**
 * json_links() - an array of links without their channels
 * @list: the links
 */
struct json_object *json_links(const struct link_list *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		json_object_array_add(array, json_link(&list->v[i], NULL));
	return array;
}

static struct json_object *json_phases(const struct vfio_migmux_timeline_device *t)
{
	struct json_object *o = json_object_new_object();
	struct json_object *span;

	for (unsigned int i = 0; i < VFIO_MIGMUX_NR_PHASES; i++) {
		if (!t->phases[i].start_ns)
			continue;
		span = json_object_new_object();
		json_add_u64(span, "start_ns", t->phases[i].start_ns);
		json_add_nonzero(span, "end_ns", t->phases[i].end_ns);
		json_object_object_add(o, vfmig_phase_name(i), span);
	}
	return o;
}

static struct json_object *json_session_device(const struct session_device *dev)
{
	const struct vfio_migmux_timeline_device *t = &dev->t;
	struct json_object *o = json_object_new_object();

	json_add_u64(o, "index", t->index);
	json_add_string(o, "handle", dev->handle);
	json_add_string(o, "idstr", dev->idstr);
	json_add_u64(o, "instance_id", dev->instance_id);
	json_add_u64(o, "error", (uint32_t)t->error);
	json_add_string(o, "state", vfmig_state_name(t->state));
	json_add_u64(o, "nr_channels", t->nr_channels);
	json_add_nonzero(o, "weight", dev->weight);
	if (dev->has_method)
		json_add_string(o, "read_method", model_read_method_name(dev->read_method));
	json_add_u64(o, "bytes", t->bytes);
	json_add_u64(o, "frames", t->frames);
	json_add_nonzero(o, "first_byte_ns", t->first_byte_ns);
	json_add_nonzero(o, "last_byte_ns", t->last_byte_ns);
	json_add_u64(o, "stall_device_ns", t->stall_device_ns);
	json_add_u64(o, "stall_staging_ns", t->stall_staging_ns);
	json_add_u64(o, "stall_wire_ns", t->stall_wire_ns);
	json_add_nonzero(o, "precopy_bytes", t->precopy_bytes);
	json_add_nonzero(o, "precopy_rounds", t->precopy_rounds);
	json_add_nonzero(o, "precopy_ns", t->precopy_ns);
	json_object_object_add(o, "phases", json_phases(t));
	return o;
}

static struct json_object *json_milestones(const struct session *s)
{
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < MODEL_NR_MILESTONES; i++)
		if (s->milestones & 1U << i)
			json_add_u64(o, vfmig_milestone_name(i), s->milestone_ns[i]);
	return o;
}

static struct json_object *json_target(const struct session_target *t)
{
	struct json_object *o = json_object_new_object();

	json_add_string(o, "kind", model_dma_kind_name(t->kind));
	json_add_u64(o, "space", t->space);
	json_add_u64(o, "ranges", t->ranges);
	json_add_u64(o, "failed", t->failed);
	json_add_u64(o, "bytes", t->bytes);
	json_add_u64(o, "mapped", t->mapped);
	json_add_nonzero(o, "start_ns", t->span.start_ns);
	json_add_nonzero(o, "end_ns", t->span.end_ns);
	return o;
}

/* Only where there is memory to be mapped. */
static void json_add_targets(struct json_object *o, const struct session *s)
{
	struct json_object *array;

	if (!s->nr_targets)
		return;
	array = json_object_new_array();
	for (uint32_t i = 0; i < s->nr_targets; i++)
		json_object_array_add(array, json_target(&s->targets[i]));
	json_object_object_add(o, "dma", array);
}

static struct json_object *json_downtime(const struct session *s)
{
	struct json_object *o = json_object_new_object();
	struct timeline_parts parts;

	timeline_downtime(s, &parts);
	for (unsigned int i = 0; i < parts.n; i++)
		json_add_u64(o, parts.v[i].key, parts.v[i].ns);
	return o;
}

/**
 * json_session() - a session with its complete timeline
 * @s: the session
 */
struct json_object *json_session(const struct session *s)
{
	struct json_object *devices = json_object_new_array();
	struct json_object *o = json_object_new_object();

	json_add_u64(o, "session", s->id);
	json_add_string(o, "role", model_role_name(s->role));
	json_add_nonzero(o, "pid", s->pid);
	json_add_nonempty(o, "comm", s->comm);
	json_add_nonempty(o, "link", s->link);
	json_add_nonempty(o, "set", s->set);
	json_add_bool(o, "closed", s->closed);
	json_add_u64(o, "error", s->error);
	json_add_nonempty(o, "error_text", s->error_text);
	json_add_nonzero(o, "staging_budget", s->staging_budget);
	json_add_u64(o, "staging_peak", s->staging_peak);
	json_add_nonzero(o, "spill_peak", s->spill_peak);
	json_object_object_add(o, "milestones", json_milestones(s));
	json_object_object_add(o, "downtime", json_downtime(s));
	json_add_targets(o, s);
	for (uint32_t i = 0; i < s->nr_devices; i++)
		json_object_array_add(devices, json_session_device(&s->devices[i]));
	json_object_object_add(o, "devices", devices);
	return o;
}

/**
 * json_sessions() - an array of sessions
 * @list: the sessions
 * @live_only: leave out records
 */
struct json_object *json_sessions(const struct session_list *list, bool live_only)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		if (!live_only || model_session_lives(&list->v[i]))
			json_object_array_add(array, json_session(&list->v[i]));
	return array;
}

/**
 * json_event() - a session's event
 * @e: the event
 */
struct json_object *json_event(const struct event *e)
{
	struct json_object *o = json_object_new_object();

	json_add_string(o, "event", "session");
	json_add_u64(o, "session", e->session);
	json_add_string(o, "type", model_event_name(e->type));
	json_add_u64(o, "at_ns", e->at);
	json_add_nonempty(o, "device", e->device);
	if (e->has_channel)
		json_add_u64(o, "channel", e->channel);
	if (e->type == VFIO_MIGMUX_EVENT_MILESTONE)
		json_add_string(o, "milestone", timeline_milestone(e->value));
	else if (e->type == VFIO_MIGMUX_EVENT_PHASE_START ||
		 e->type == VFIO_MIGMUX_EVENT_PHASE_END)
		json_add_string(o, "phase", vfmig_phase_name(e->value));
	else if (e->type == VFIO_MIGMUX_EVENT_LOST)
		json_add_u64(o, "lost", e->value);
	else if (e->type == VFIO_MIGMUX_EVENT_ROUND)
		json_add_u64(o, "round", e->value);
	else if (e->type == VFIO_MIGMUX_EVENT_DMA)
		json_add_u64(o, "thousandths", e->value);
	json_add_nonzero(o, "error", e->error);
	json_add_nonempty(o, "text", e->text);
	return o;
}
