/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio_migmux

#if !defined(MIGMUX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MIGMUX_TRACE_H

#include <linux/tracepoint.h>

#include <uapi/linux/vfio_migmux_netlink.h>

#include "plan.h"

/* Objects: each one created must be seen destroyed. */

DECLARE_EVENT_CLASS(migmux_object,
	TP_PROTO(const char *kind, const void *object),
	TP_ARGS(kind, object),
	TP_STRUCT__entry(
		__string(kind, kind)
		__field(const void *, object)
	),
	TP_fast_assign(
		__assign_str(kind);
		__entry->object = object;
	),
	TP_printk("%s %p", __get_str(kind), __entry->object)
);

#define DEFINE_MIGMUX_OBJECT_EVENT(name)			\
DEFINE_EVENT(migmux_object, migmux_object_##name,		\
	TP_PROTO(const char *kind, const void *object),		\
	TP_ARGS(kind, object))

DEFINE_MIGMUX_OBJECT_EVENT(create);
DEFINE_MIGMUX_OBJECT_EVENT(destroy);

TRACE_EVENT(migmux_hook,
	TP_PROTO(const char *device, bool hooked),
	TP_ARGS(device, hooked),
	TP_STRUCT__entry(
		__string(device, device)
		__field(bool, hooked)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->hooked = hooked;
	),
	TP_printk("%s %s", __get_str(device),
		  __entry->hooked ? "hooked" : "unhooked")
);

/* Arcs: those of a session, and those that come through the hook. */

TRACE_EVENT(migmux_arc,
	TP_PROTO(const char *device, u32 from, u32 to),
	TP_ARGS(device, from, to),
	TP_STRUCT__entry(
		__string(device, device)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%s %s -> %s", __get_str(device),
		  migmux_state_name(__entry->from),
		  migmux_state_name(__entry->to))
);

DECLARE_EVENT_CLASS(migmux_arc_end,
	TP_PROTO(const char *device, u32 to, int error),
	TP_ARGS(device, to, error),
	TP_STRUCT__entry(
		__string(device, device)
		__field(u32, to)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->to = to;
		__entry->error = error;
	),
	TP_printk("%s -> %s: %d", __get_str(device),
		  migmux_state_name(__entry->to), __entry->error)
);

#define DEFINE_MIGMUX_ARC_EVENT(name)				\
DEFINE_EVENT(migmux_arc_end, name,				\
	TP_PROTO(const char *device, u32 to, int error),	\
	TP_ARGS(device, to, error))

DEFINE_MIGMUX_ARC_EVENT(migmux_arc_done);
DEFINE_MIGMUX_ARC_EVENT(migmux_arc_err);
/* A state change that a VMM asked for through the hook, when it is over. */
DEFINE_MIGMUX_ARC_EVENT(migmux_arc_vmm);
DEFINE_MIGMUX_ARC_EVENT(migmux_arc_vmm_err);

/* What the members of a set do: enum vfio_migmux_set_event_type. */
TRACE_EVENT(migmux_set_event,
	TP_PROTO(const char *set, const char *device, u32 type, u32 from, u32 to,
		 int error),
	TP_ARGS(set, device, type, from, to, error),
	TP_STRUCT__entry(
		__string(set, set)
		__string(device, device)
		__field(u32, type)
		__field(u32, from)
		__field(u32, to)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(set);
		__assign_str(device);
		__entry->type = type;
		__entry->from = from;
		__entry->to = to;
		__entry->error = error;
	),
	TP_printk("%s %s %s %s -> %s: %d", __get_str(set), __get_str(device),
		  __print_symbolic(__entry->type,
				   { VFIO_MIGMUX_SET_EVENT_TYPE_CALL, "call" },
				   { VFIO_MIGMUX_SET_EVENT_TYPE_RETURN, "return" },
				   { VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_START, "early-start" },
				   { VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_END, "early-end" },
				   { VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM, "claim" },
				   { VFIO_MIGMUX_SET_EVENT_TYPE_TAKE_BACK, "take-back" },
				   { VFIO_MIGMUX_SET_EVENT_TYPE_DROP, "drop" }),
		  migmux_state_name(__entry->from),
		  migmux_state_name(__entry->to), __entry->error)
);

/* Frames, at each station of the pipeline. */

DECLARE_EVENT_CLASS(migmux_frame,
	TP_PROTO(u32 session, u32 device, u32 channel, u32 idx, u32 bytes),
	TP_ARGS(session, device, channel, idx, bytes),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(u32, device)
		__field(u32, channel)
		__field(u32, idx)
		__field(u32, bytes)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->device = device;
		__entry->channel = channel;
		__entry->idx = idx;
		__entry->bytes = bytes;
	),
	TP_printk("session=%u device=%u channel=%d idx=%u bytes=%u",
		  __entry->session, __entry->device, (int)__entry->channel,
		  __entry->idx, __entry->bytes)
);

#define DEFINE_MIGMUX_FRAME_EVENT(name)				\
DEFINE_EVENT(migmux_frame, migmux_frame_##name,			\
	TP_PROTO(u32 session, u32 device, u32 channel, u32 idx, u32 bytes), \
	TP_ARGS(session, device, channel, idx, bytes))

DEFINE_MIGMUX_FRAME_EVENT(read);
DEFINE_MIGMUX_FRAME_EVENT(sent);
DEFINE_MIGMUX_FRAME_EVENT(received);
DEFINE_MIGMUX_FRAME_EVENT(written);

TRACE_EVENT(migmux_precopy_round,
	TP_PROTO(u32 session, u32 device, u32 round),
	TP_ARGS(session, device, round),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(u32, device)
		__field(u32, round)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->device = device;
		__entry->round = round;
	),
	TP_printk("session=%u device=%u round=%u", __entry->session,
		  __entry->device, __entry->round)
);

/* A piece of memory that was mapped for DMA, or taken away. */
TRACE_EVENT(migmux_dma,
	TP_PROTO(u32 session, u32 target, bool unmap, u64 iova, u64 size, int error),
	TP_ARGS(session, target, unmap, iova, size, error),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(u32, target)
		__field(bool, unmap)
		__field(u64, iova)
		__field(u64, size)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->target = target;
		__entry->unmap = unmap;
		__entry->iova = iova;
		__entry->size = size;
		__entry->error = error;
	),
	TP_printk("session=%u target=%u %s iova=%#llx size=%#llx: %d",
		  __entry->session, __entry->target,
		  __entry->unmap ? "unmap" : "map", __entry->iova,
		  __entry->size, __entry->error)
);

TRACE_EVENT(migmux_milestone,
	TP_PROTO(u32 session, u32 milestone),
	TP_ARGS(session, milestone),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(u32, milestone)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->milestone = milestone;
	),
	TP_printk("session=%u milestone=%#x", __entry->session,
		  __entry->milestone)
);

TRACE_EVENT(migmux_session_err,
	TP_PROTO(u32 session, u32 device, u32 channel, int error,
		 const char *text),
	TP_ARGS(session, device, channel, error, text),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(u32, device)
		__field(u32, channel)
		__field(int, error)
		__string(text, text)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->device = device;
		__entry->channel = channel;
		__entry->error = error;
		__assign_str(text);
	),
	TP_printk("session=%u device=%d channel=%d error=%d %s",
		  __entry->session, (int)__entry->device,
		  (int)__entry->channel, __entry->error, __get_str(text))
);

#endif /* MIGMUX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
