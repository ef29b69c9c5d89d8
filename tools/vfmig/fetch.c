// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink messages to the model. Sets have a file of their own, fetch_set.c.
 */
#include <string.h>

#include "attr.h"
#include "fetch.h"

/**
 * fetch_device() - a device's attributes to the model
 * @attrs: attributes of VFIO_MIGMUX_CMD_DEVICE_GET or _NTF
 * @len: their bytes
 * @dev: filled in; what is missing is 0
 */
void fetch_device(struct nlattr *attrs, int len, struct device *dev)
{
	struct nlattr *tb[VFIO_MIGMUX_A_DEVICE_MAX + 1];

	if (nla_parse(tb, VFIO_MIGMUX_A_DEVICE_MAX, attrs, len, NULL))
		return;
	attr_string(tb, VFIO_MIGMUX_A_DEVICE_HANDLE, dev->handle, sizeof(dev->handle));
	attr_string(tb, VFIO_MIGMUX_A_DEVICE_DRIVER, dev->driver, sizeof(dev->driver));
	dev->migration_flags = attr_u32(tb, VFIO_MIGMUX_A_DEVICE_MIGRATION_FLAGS);
	dev->hooked = tb[VFIO_MIGMUX_A_DEVICE_HOOKED];
	dev->pinned = tb[VFIO_MIGMUX_A_DEVICE_PINNED];
	dev->users = attr_u32(tb, VFIO_MIGMUX_A_DEVICE_USERS);
	dev->session = attr_u32(tb, VFIO_MIGMUX_A_DEVICE_SESSION);
	dev->arcs = attr_u32(tb, VFIO_MIGMUX_A_DEVICE_ARCS);
	dev->refused = attr_u32(tb, VFIO_MIGMUX_A_DEVICE_REFUSED);
	attr_string(tb, VFIO_MIGMUX_A_DEVICE_SET, dev->set, sizeof(dev->set));
	dev->gone = tb[VFIO_MIGMUX_A_DEVICE_GONE];
}

/**
 * fetch_link() - a link's attributes to the model
 * @attrs: attributes of VFIO_MIGMUX_CMD_LINK_GET or _NTF
 * @len: their bytes
 * @link: filled in; what is missing is 0
 */
void fetch_link(struct nlattr *attrs, int len, struct link *link)
{
	struct nlattr *tb[VFIO_MIGMUX_A_LINK_MAX + 1];

	if (nla_parse(tb, VFIO_MIGMUX_A_LINK_MAX, attrs, len, NULL))
		return;
	attr_string(tb, VFIO_MIGMUX_A_LINK_NAME, link->name, sizeof(link->name));
	link->state = attr_u32(tb, VFIO_MIGMUX_A_LINK_STATE);
	link->channels = attr_u32(tb, VFIO_MIGMUX_A_LINK_CHANNELS);
	link->session = attr_u32(tb, VFIO_MIGMUX_A_LINK_SESSION);
	attr_string(tb, VFIO_MIGMUX_A_LINK_ERROR, link->error, sizeof(link->error));
	link->tls = tb[VFIO_MIGMUX_A_LINK_TLS];
	link->gone = tb[VFIO_MIGMUX_A_LINK_GONE];
}

static void fetch_channel(struct nlattr *attrs, int len, struct channel *ch)
{
	struct nlattr *tb[VFIO_MIGMUX_A_CHANNEL_MAX + 1];

	if (nla_parse(tb, VFIO_MIGMUX_A_CHANNEL_MAX, attrs, len, NULL))
		return;
	attr_string(tb, VFIO_MIGMUX_A_CHANNEL_LINK, ch->link, sizeof(ch->link));
	ch->id = attr_u32(tb, VFIO_MIGMUX_A_CHANNEL_ID);
	attr_string(tb, VFIO_MIGMUX_A_CHANNEL_LOCAL, ch->local, sizeof(ch->local));
	attr_string(tb, VFIO_MIGMUX_A_CHANNEL_PEER, ch->peer, sizeof(ch->peer));
	ch->send_method = attr_u32(tb, VFIO_MIGMUX_A_CHANNEL_SEND_METHOD);
	ch->tls_version = attr_u32(tb, VFIO_MIGMUX_A_CHANNEL_TLS_VERSION);
	ch->tls_cipher = attr_u32(tb, VFIO_MIGMUX_A_CHANNEL_TLS_CIPHER);
	ch->sent = attr_u64(tb, VFIO_MIGMUX_A_CHANNEL_SENT);
	ch->received = attr_u64(tb, VFIO_MIGMUX_A_CHANNEL_RECEIVED);
}

static void fetch_span(struct nlattr *nest, struct session_device *dev)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SPAN_MAX + 1];
	uint32_t phase;

	if (nla_parse_nested(tb, VFIO_MIGMUX_A_SPAN_MAX, nest, NULL) ||
	    !tb[VFIO_MIGMUX_A_SPAN_PHASE])
		return;
	phase = attr_u32(tb, VFIO_MIGMUX_A_SPAN_PHASE);
	if (phase >= VFIO_MIGMUX_NR_PHASES)	/* of a later kernel */
		return;
	dev->t.phases[phase].start_ns = attr_u64(tb, VFIO_MIGMUX_A_SPAN_START);
	dev->t.phases[phase].end_ns = attr_u64(tb, VFIO_MIGMUX_A_SPAN_END);
}

static void fetch_session_device(struct nlattr *nest, struct session_device *dev)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SESSION_DEVICE_MAX + 1];
	struct nlattr *pos;
	int rem;

	if (nla_parse_nested(tb, VFIO_MIGMUX_A_SESSION_DEVICE_MAX, nest, NULL))
		return;
	dev->t.index = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_INDEX);
	attr_string(tb, VFIO_MIGMUX_A_SESSION_DEVICE_HANDLE, dev->handle, sizeof(dev->handle));
	attr_string(tb, VFIO_MIGMUX_A_SESSION_DEVICE_IDSTR, dev->idstr, sizeof(dev->idstr));
	dev->instance_id = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_INSTANCE_ID);
	dev->t.state = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_STATE);
	dev->t.error = (int32_t)attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_ERROR);
	dev->t.nr_channels = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_CHANNELS);
	dev->weight = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_WEIGHT);
	dev->has_method = tb[VFIO_MIGMUX_A_SESSION_DEVICE_READ_METHOD];
	dev->read_method = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DEVICE_READ_METHOD);
	dev->t.bytes = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_BYTES);
	dev->t.frames = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_FRAMES);
	dev->t.first_byte_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_FIRST_BYTE);
	dev->t.last_byte_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_LAST_BYTE);
	dev->t.stall_device_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_STALL_DEVICE);
	dev->t.stall_staging_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_STALL_STAGING);
	dev->t.stall_wire_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_STALL_WIRE);
	dev->t.precopy_bytes = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_PRECOPY_BYTES);
	dev->t.precopy_rounds = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_PRECOPY_ROUNDS);
	dev->t.precopy_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DEVICE_PRECOPY_TIME);

	nla_for_each_nested(pos, nest, rem)
		if (nla_type(pos) == VFIO_MIGMUX_A_SESSION_DEVICE_SPAN)
			fetch_span(pos, dev);
}

static void fetch_milestone(struct nlattr *nest, struct session *s)
{
	struct nlattr *tb[VFIO_MIGMUX_A_MILESTONE_MAX + 1];
	uint32_t bits, bit;

	if (nla_parse_nested(tb, VFIO_MIGMUX_A_MILESTONE_MAX, nest, NULL))
		return;
	bits = attr_u32(tb, VFIO_MIGMUX_A_MILESTONE_BIT);
	for (bit = 0; bit < MODEL_NR_MILESTONES; bit++)
		if (bits == 1U << bit)
			s->milestone_ns[bit] = attr_u64(tb, VFIO_MIGMUX_A_MILESTONE_AT);
}

static void fetch_target(struct nlattr *nest, struct session *s)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SESSION_DMA_MAX + 1];
	struct session_target *t;

	if (s->nr_targets == MODEL_NR_TARGETS ||
	    nla_parse_nested(tb, VFIO_MIGMUX_A_SESSION_DMA_MAX, nest, NULL))
		return;
	t = &s->targets[s->nr_targets++];
	t->kind = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DMA_KIND);
	t->space = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DMA_SPACE);
	t->ranges = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DMA_RANGES);
	t->failed = attr_u32(tb, VFIO_MIGMUX_A_SESSION_DMA_FAILED);
	t->bytes = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DMA_BYTES);
	t->mapped = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DMA_MAPPED);
	t->span.start_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DMA_START);
	t->span.end_ns = attr_u64(tb, VFIO_MIGMUX_A_SESSION_DMA_END);
}

static void fetch_summary(struct nlattr **tb, struct session *s)
{
	s->role = attr_u32(tb, VFIO_MIGMUX_A_SESSION_ROLE);
	s->pid = attr_u32(tb, VFIO_MIGMUX_A_SESSION_PID);
	attr_string(tb, VFIO_MIGMUX_A_SESSION_COMM, s->comm, sizeof(s->comm));
	attr_string(tb, VFIO_MIGMUX_A_SESSION_LINK, s->link, sizeof(s->link));
	attr_string(tb, VFIO_MIGMUX_A_SESSION_SET, s->set, sizeof(s->set));
	s->closed = tb[VFIO_MIGMUX_A_SESSION_CLOSED];
	s->milestones = attr_u32(tb, VFIO_MIGMUX_A_SESSION_MILESTONES);
	s->error = attr_u32(tb, VFIO_MIGMUX_A_SESSION_ERROR);
	attr_string(tb, VFIO_MIGMUX_A_SESSION_ERROR_TEXT, s->error_text, sizeof(s->error_text));
	s->staging_budget = attr_u64(tb, VFIO_MIGMUX_A_SESSION_STAGING_BUDGET);
	s->staging_peak = attr_u64(tb, VFIO_MIGMUX_A_SESSION_STAGING_PEAK);
	s->spill_peak = attr_u64(tb, VFIO_MIGMUX_A_SESSION_SPILL_PEAK);
}

/**
 * fetch_session() - a session's attributes to the model
 * @attrs: attributes of VFIO_MIGMUX_CMD_SESSION_GET
 * @len: their bytes
 * @list: the session is added, or more devices to the last one
 *
 * A message has a session's summary and devices. In a dump, devices that did not fit
 * follow in further messages which have only the id besides.
 */
void fetch_session(struct nlattr *attrs, int len, struct session_list *list)
{
	struct nlattr *tb[VFIO_MIGMUX_A_SESSION_MAX + 1];
	struct nlattr *pos;
	struct session *s;
	uint32_t id;
	int rem;

	if (nla_parse(tb, VFIO_MIGMUX_A_SESSION_MAX, attrs, len, NULL))
		return;
	id = attr_u32(tb, VFIO_MIGMUX_A_SESSION_ID);
	if (!list->n || list->v[list->n - 1].id != id) {
		list->v = model_grow(list->v, list->n, sizeof(*list->v));
		list->v[list->n++].id = id;
	}
	s = &list->v[list->n - 1];
	if (tb[VFIO_MIGMUX_A_SESSION_ROLE])
		fetch_summary(tb, s);

	nla_for_each_attr(pos, attrs, len, rem) {
		if (nla_type(pos) == VFIO_MIGMUX_A_SESSION_MILESTONE) {
			fetch_milestone(pos, s);
		} else if (nla_type(pos) == VFIO_MIGMUX_A_SESSION_DEVICE) {
			s->devices = model_grow(s->devices, s->nr_devices, sizeof(*s->devices));
			fetch_session_device(pos, &s->devices[s->nr_devices++]);
		} else if (nla_type(pos) == VFIO_MIGMUX_A_SESSION_DMA) {
			fetch_target(pos, s);
		}
	}
}

static void add_session(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	(void)cmd;
	fetch_session(attrs, len, arg);
}

/**
 * fetch_event() - an event's attributes to the model
 * @attrs: attributes of VFIO_MIGMUX_CMD_SESSION_EVENT
 * @len: their bytes
 * @e: filled in; what is missing is 0
 */
void fetch_event(struct nlattr *attrs, int len, struct event *e)
{
	struct nlattr *tb[VFIO_MIGMUX_A_EVENT_MAX + 1];

	if (nla_parse(tb, VFIO_MIGMUX_A_EVENT_MAX, attrs, len, NULL))
		return;
	e->session = attr_u32(tb, VFIO_MIGMUX_A_EVENT_SESSION);
	e->type = attr_u32(tb, VFIO_MIGMUX_A_EVENT_TYPE);
	attr_string(tb, VFIO_MIGMUX_A_EVENT_DEVICE, e->device, sizeof(e->device));
	e->channel = attr_u32(tb, VFIO_MIGMUX_A_EVENT_CHANNEL);
	e->has_channel = tb[VFIO_MIGMUX_A_EVENT_CHANNEL] &&
			 e->channel != VFIO_MIGMUX_INDEX_NONE;
	e->value = attr_u32(tb, VFIO_MIGMUX_A_EVENT_VALUE);
	e->error = attr_u32(tb, VFIO_MIGMUX_A_EVENT_ERROR);
	attr_string(tb, VFIO_MIGMUX_A_EVENT_TEXT, e->text, sizeof(e->text));
	e->at = attr_u64(tb, VFIO_MIGMUX_A_EVENT_AT);
}

static void add_device(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	struct device_list *list = arg;

	(void)cmd;
	list->v = model_grow(list->v, list->n, sizeof(*list->v));
	fetch_device(attrs, len, &list->v[list->n++]);
}

static void add_link(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	struct link_list *list = arg;

	(void)cmd;
	list->v = model_grow(list->v, list->n, sizeof(*list->v));
	fetch_link(attrs, len, &list->v[list->n++]);
}

static void add_channel(uint8_t cmd, struct nlattr *attrs, int len, void *arg)
{
	struct channel_list *list = arg;

	(void)cmd;
	list->v = model_grow(list->v, list->n, sizeof(*list->v));
	fetch_channel(attrs, len, &list->v[list->n++]);
}

int fetch_devices(struct genl *g, const char *handle, struct device_list *list)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_DEVICE_GET,
					  handle ? 0 : NLM_F_DUMP);

	if (handle)
		nla_put_string(msg, VFIO_MIGMUX_A_DEVICE_HANDLE, handle);
	return genl_talk(g, msg, add_device, list);
}

int fetch_links(struct genl *g, const char *name, struct link_list *list)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_LINK_GET,
					  name ? 0 : NLM_F_DUMP);

	if (name)
		nla_put_string(msg, VFIO_MIGMUX_A_LINK_NAME, name);
	return genl_talk(g, msg, add_link, list);
}

int fetch_channels(struct genl *g, const char *link, struct channel_list *list)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_CHANNEL_GET, NLM_F_DUMP);

	if (link)
		nla_put_string(msg, VFIO_MIGMUX_A_CHANNEL_LINK, link);
	return genl_talk(g, msg, add_channel, list);
}

int fetch_sessions(struct genl *g, uint32_t id, struct session_list *list)
{
	struct nl_msg *msg = genl_request(g, VFIO_MIGMUX_CMD_SESSION_GET,
					  id ? 0 : NLM_F_DUMP);

	if (id)
		nla_put_u32(msg, VFIO_MIGMUX_A_SESSION_ID, id);
	return genl_talk(g, msg, add_session, list);
}
