// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink operations on sessions, and their events.
 */
#include <linux/mm.h>

#include "netlink.h"
#include "netlink_gen.h"
#include "report.h"

/*
 * A session is shown in one message, which may be long: some 700 bytes for each
 * device. The messages of a dump have no more room than the reader's buffer, at
 * least about 3.5 KiB: there the devices that do not fit follow in further messages
 * which have nothing but the session's id and devices. One device always fits.
 */
struct dump_pos {
	u32 id;			/* session that is to be shown, or the last one */
	u32 next_device;	/* its first device that is still to come */
	bool partial;		/* that session is not complete yet */
};

static_assert(sizeof(struct dump_pos) <= sizeof_field(struct netlink_callback, ctx));

#define SPAN_SIZE (nla_total_size(0) + \
		   nla_total_size(sizeof(u32)) + \
		   2 * nla_total_size_64bit(sizeof(u64)))
#define MILESTONE_SIZE (nla_total_size(0) + \
			nla_total_size(sizeof(u32)) + \
			nla_total_size_64bit(sizeof(u64)))
#define SESSION_SIZE (6 * nla_total_size(sizeof(u32)) + \
		      nla_total_size(TASK_COMM_LEN) + \
		      nla_total_size(VFIO_MIGMUX_LINK_NAME_SIZE) + \
		      nla_total_size(VFIO_MIGMUX_NAME_MAX + 1) + \
		      nla_total_size(0) + \
		      nla_total_size(VFIO_MIGMUX_TEXT_SIZE) + \
		      3 * nla_total_size_64bit(sizeof(u64)) + \
		      16 * MILESTONE_SIZE)
#define DMA_SIZE (nla_total_size(0) + \
		  5 * nla_total_size(sizeof(u32)) + \
		  4 * nla_total_size_64bit(sizeof(u64)))
#define EVENT_SIZE (5 * nla_total_size(sizeof(u32)) + \
		    nla_total_size(VFIO_MIGMUX_HANDLE_MAX + 1) + \
		    nla_total_size(VFIO_MIGMUX_TEXT_SIZE) + \
		    nla_total_size_64bit(sizeof(u64)))

static size_t device_size(const struct migmux_report_device *dev)
{
	return nla_total_size(0) +
	       nla_total_size(strlen(dev->handle) + 1) +
	       nla_total_size(strlen(dev->idstr) + 1) +
	       7 * nla_total_size(sizeof(u32)) +
	       10 * nla_total_size_64bit(sizeof(u64)) +
	       VFIO_MIGMUX_NR_PHASES * SPAN_SIZE;
}

static size_t session_size(const struct migmux_report_copy *copy)
{
	size_t size = SESSION_SIZE + copy->r.nr_targets * DMA_SIZE;
	u32 i;

	for (i = 0; i < copy->r.nr_devices; i++)
		size += device_size(&copy->devices[i]);
	return size;
}

static int span_put(struct sk_buff *skb, u32 phase, const struct vfio_migmux_span *span)
{
	struct nlattr *nest;

	if (!span->start_ns)
		return 0;
	nest = nla_nest_start(skb, VFIO_MIGMUX_A_SESSION_DEVICE_SPAN);
	if (!nest ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SPAN_PHASE, phase) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SPAN_START, span->start_ns,
			      VFIO_MIGMUX_A_SPAN_PAD) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SPAN_END, span->end_ns,
			      VFIO_MIGMUX_A_SPAN_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int times_put(struct sk_buff *skb, const struct vfio_migmux_timeline_device *t)
{
	const u8 pad = VFIO_MIGMUX_A_SESSION_DEVICE_PAD;
	u32 i;

	if (nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_BYTES, t->bytes, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_FRAMES, t->frames, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_FIRST_BYTE,
			      t->first_byte_ns, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_LAST_BYTE,
			      t->last_byte_ns, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_STALL_DEVICE,
			      t->stall_device_ns, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_STALL_STAGING,
			      t->stall_staging_ns, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_STALL_WIRE,
			      t->stall_wire_ns, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_PRECOPY_BYTES,
			      t->precopy_bytes, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_PRECOPY_ROUNDS,
			      t->precopy_rounds, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DEVICE_PRECOPY_TIME,
			      t->precopy_ns, pad))
		return -EMSGSIZE;
	for (i = 0; i < VFIO_MIGMUX_NR_PHASES; i++)
		if (span_put(skb, i, &t->phases[i]))
			return -EMSGSIZE;
	return 0;
}

static int device_put(struct sk_buff *skb, const struct migmux_report_device *dev)
{
	const struct vfio_migmux_timeline_device *t = &dev->t;
	struct nlattr *nest;

	nest = nla_nest_start(skb, VFIO_MIGMUX_A_SESSION_DEVICE);
	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_INDEX, t->index) ||
	    nla_put_string(skb, VFIO_MIGMUX_A_SESSION_DEVICE_HANDLE, dev->handle) ||
	    nla_put_string(skb, VFIO_MIGMUX_A_SESSION_DEVICE_IDSTR, dev->idstr) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_INSTANCE_ID,
			dev->instance_id) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_STATE, t->state) ||
	    (t->error &&
	     nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_ERROR, t->error)) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_CHANNELS, t->nr_channels) ||
	    (dev->weight &&
	     nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_WEIGHT, dev->weight)) ||
	    (dev->has_method &&
	     nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DEVICE_READ_METHOD, dev->method)) ||
	    times_put(skb, t)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* Puts devices until one does not fit, and moves @next to that one. */
static int devices_put(struct sk_buff *skb, const struct migmux_report_copy *copy,
		       u32 *next)
{
	for (; *next < copy->r.nr_devices; (*next)++)
		if (!copy->devices[*next].removed &&
		    device_put(skb, &copy->devices[*next]))
			return -EMSGSIZE;
	return 0;
}

static int milestones_put(struct sk_buff *skb, const struct migmux_report *r)
{
	struct nlattr *nest;
	u32 i;

	if (nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_MILESTONES, r->milestones))
		return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(r->milestone_ns); i++) {
		if (!(r->milestones & BIT(i)))
			continue;
		nest = nla_nest_start(skb, VFIO_MIGMUX_A_SESSION_MILESTONE);
		if (!nest ||
		    nla_put_u32(skb, VFIO_MIGMUX_A_MILESTONE_BIT, BIT(i)) ||
		    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_MILESTONE_AT,
				      r->milestone_ns[i],
				      VFIO_MIGMUX_A_MILESTONE_PAD))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

static int target_put(struct sk_buff *skb, u32 index,
		      const struct migmux_report_target *t)
{
	const u8 pad = VFIO_MIGMUX_A_SESSION_DMA_PAD;
	struct nlattr *nest;

	nest = nla_nest_start(skb, VFIO_MIGMUX_A_SESSION_DMA);
	if (!nest ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DMA_INDEX, index) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DMA_KIND, t->kind) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DMA_SPACE, t->space) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DMA_RANGES, t->ranges) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_DMA_FAILED, t->failed) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DMA_BYTES, t->bytes, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DMA_MAPPED, t->mapped, pad) ||
	    (t->start_ns &&
	     nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DMA_START, t->start_ns, pad)) ||
	    (t->end_ns &&
	     nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_DMA_END, t->end_ns, pad)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int targets_put(struct sk_buff *skb, const struct migmux_report *r)
{
	u32 i;

	for (i = 0; i < r->nr_targets; i++)
		if (target_put(skb, i, &r->targets[i]))
			return -EMSGSIZE;
	return 0;
}

/* All but the devices. */
static int summary_put(struct sk_buff *skb, const struct migmux_report *r)
{
	const u8 pad = VFIO_MIGMUX_A_SESSION_PAD;

	if (nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_ROLE, r->role) ||
	    nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_PID, r->pid) ||
	    nla_put_string(skb, VFIO_MIGMUX_A_SESSION_COMM, r->comm) ||
	    (r->link[0] && nla_put_string(skb, VFIO_MIGMUX_A_SESSION_LINK, r->link)) ||
	    (r->set[0] && nla_put_string(skb, VFIO_MIGMUX_A_SESSION_SET, r->set)) ||
	    (r->closed && nla_put_flag(skb, VFIO_MIGMUX_A_SESSION_CLOSED)) ||
	    milestones_put(skb, r) ||
	    (r->failed && nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_ERROR, r->error)) ||
	    (r->failed &&
	     nla_put_string(skb, VFIO_MIGMUX_A_SESSION_ERROR_TEXT, r->text)) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_STAGING_BUDGET,
			      r->staging_budget, pad) ||
	    nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_STAGING_PEAK,
			      r->staging_peak, pad) ||
	    (r->spill_peak &&
	     nla_put_u64_64bit(skb, VFIO_MIGMUX_A_SESSION_SPILL_PEAK, r->spill_peak, pad)))
		return -EMSGSIZE;
	return targets_put(skb, r);
}

/*
 * One message about a session: the summary with the first devices, or only
 * devices, from @next on. Returns -EMSGSIZE if not all fit; if even the first did
 * not, there is no message.
 */
static int session_put(struct sk_buff *skb, const struct genl_info *info, int flags,
		       const struct migmux_report_copy *copy, u32 *next, bool more)
{
	u32 first = *next;
	void *hdr;
	int err;

	hdr = __genlmsg_iput(skb, info, flags);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(skb, VFIO_MIGMUX_A_SESSION_ID, copy->r.id) ||
	    (!more && summary_put(skb, &copy->r)))
		goto cancel;
	err = devices_put(skb, copy, next);
	if (err && *next == first)
		goto cancel;
	genlmsg_end(skb, hdr);
	return err;

cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

static int reply_send(struct genl_info *info, const struct migmux_report_copy *copy)
{
	struct sk_buff *reply;
	u32 next = 0;
	int err;

	reply = genlmsg_new(session_size(copy), GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	err = session_put(reply, info, 0, copy, &next, false);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vfio_migmux_nl_session_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct migmux_report_copy *copy;
	struct migmux_report *report;
	int err;
	u32 id;

	err = migmux_netlink_require(info, VFIO_MIGMUX_A_SESSION_ID, "id");
	if (err)
		return err;
	id = nla_get_u32(info->attrs[VFIO_MIGMUX_A_SESSION_ID]);
	report = migmux_report_get(genl_info_net(info), id);
	if (!report) {
		GENL_SET_ERR_MSG_FMT(info,
				     "no session %u in this network namespace, and no record of it",
				     id);
		return -ENOENT;
	}
	copy = migmux_report_copy(report);
	migmux_report_put(report);
	if (!copy)
		return -ENOMEM;
	err = reply_send(info, copy);
	kvfree(copy);
	return err;
}

/* The session that @pos is at, or the next one if that is complete or gone. */
static struct migmux_report *dump_next(struct net *net, struct dump_pos *pos)
{
	struct migmux_report *report = NULL;

	if (pos->partial)
		report = migmux_report_get(net, pos->id);
	if (report)
		return report;

	report = migmux_report_get_after(net, pos->id);
	if (report) {
		pos->id = report->id;
		pos->next_device = 0;
		pos->partial = false;
	}
	return report;
}

/* Puts what fits of the session that @next is at, and moves @next behind that. */
static int dump_session(struct sk_buff *skb, const struct genl_info *info,
			struct migmux_report *report, struct dump_pos *next,
			struct dump_pos *pos)
{
	struct migmux_report_copy *copy;
	u32 first = next->next_device;
	int err;

	copy = migmux_report_copy(report);
	if (!copy)
		return -ENOMEM;
	err = session_put(skb, info, NLM_F_MULTI, copy, &next->next_device,
			  next->partial);
	kvfree(copy);
	if (err && next->next_device == first)
		return err;
	next->partial = err;
	*pos = *next;
	return err;
}

int vfio_migmux_nl_session_get_dumpit(struct sk_buff *skb,
				      struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct dump_pos *pos = (void *)cb->ctx;
	struct dump_pos next = *pos;
	struct migmux_report *report;
	int err = 0;

	while (!err) {
		report = dump_next(genl_info_net(info), &next);
		if (!report)
			break;
		err = dump_session(skb, info, report, &next, pos);
		migmux_report_put(report);
	}
	return err;
}

/**
 * migmux_netlink_session_event() - tell what happens to a session
 * @net: the session's network namespace
 * @session: its id
 * @ev: the event
 * @handle: name of the device it is about, or NULL
 * @text: more in words, or NULL
 *
 * Context: sleeps.
 */
void migmux_netlink_session_event(struct net *net, u32 session,
				  const struct vfio_migmux_event *ev,
				  const char *handle, const char *text)
{
	struct genl_info info;
	struct sk_buff *msg;
	void *hdr;
	int err = 0;

	msg = migmux_netlink_ntf_new(net, VFIO_MIGMUX_CMD_SESSION_EVENT, EVENT_SIZE,
				     &info);
	if (!msg)
		return;
	hdr = genlmsg_iput(msg, &info);
	if (!hdr ||
	    nla_put_u32(msg, VFIO_MIGMUX_A_EVENT_SESSION, session) ||
	    nla_put_u32(msg, VFIO_MIGMUX_A_EVENT_TYPE, ev->type) ||
	    (handle && nla_put_string(msg, VFIO_MIGMUX_A_EVENT_DEVICE, handle)) ||
	    (ev->channel != VFIO_MIGMUX_INDEX_NONE &&
	     nla_put_u32(msg, VFIO_MIGMUX_A_EVENT_CHANNEL, ev->channel)) ||
	    nla_put_u32(msg, VFIO_MIGMUX_A_EVENT_VALUE, ev->value) ||
	    (ev->error && nla_put_u32(msg, VFIO_MIGMUX_A_EVENT_ERROR, ev->error)) ||
	    (text && nla_put_string(msg, VFIO_MIGMUX_A_EVENT_TEXT, text)) ||
	    nla_put_u64_64bit(msg, VFIO_MIGMUX_A_EVENT_AT, ev->ns,
			      VFIO_MIGMUX_A_EVENT_PAD))
		err = -EMSGSIZE;
	else
		genlmsg_end(msg, hdr);
	migmux_netlink_ntf_send(net, msg, err);
}
