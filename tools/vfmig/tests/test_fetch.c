// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages as a kernel could send them, to the model: whole ones, ones that lack
 * nearly everything, hostile ones.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "test.h"

static void put_counters(struct nl_msg *msg, int type, uint32_t claims, uint64_t saved)
{
	struct nlattr *nest = nla_nest_start(msg, type);

	nla_put_u32(msg, VFIO_MIGMUX_A_SET_COUNTERS_CLAIMS, claims);
	nla_put_u64(msg, VFIO_MIGMUX_A_SET_COUNTERS_SAVED, saved);
	nla_nest_end(msg, nest);
}

static void put_member(struct nl_msg *msg, const char *handle, bool driven)
{
	struct nlattr *nest = nla_nest_start(msg, VFIO_MIGMUX_A_SET_MEMBER);

	nla_put_string(msg, VFIO_MIGMUX_A_SET_MEMBER_HANDLE, handle);
	nla_put_flag(msg, VFIO_MIGMUX_A_SET_MEMBER_PRESENT);
	if (driven)
		nla_put_flag(msg, VFIO_MIGMUX_A_SET_MEMBER_DRIVEN);
	put_counters(msg, VFIO_MIGMUX_A_SET_MEMBER_COUNTERS, 1, 1ULL << 40);
	nla_nest_end(msg, nest);
}

static struct nlattr *attrs_of(struct nl_msg *msg, int *len)
{
	*len = nlmsg_datalen(nlmsg_hdr(msg));
	return nlmsg_data(nlmsg_hdr(msg));
}

static struct nl_msg *new_message(void)
{
	struct nl_msg *msg = nlmsg_alloc_simple(99, 0);

	if (!msg)
		abort();
	return msg;
}

static void test_whole(void)
{
	struct nl_msg *msg = new_message();
	struct set set = { 0 };
	struct nlattr *attrs;
	int len;

	nla_put_string(msg, VFIO_MIGMUX_A_SET_NAME, "auto-7");
	nla_put_u32(msg, VFIO_MIGMUX_A_SET_POLICY, 3);
	nla_put_u32(msg, VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT, 70);
	nla_put_u8(msg, VFIO_MIGMUX_A_SET_ALLOW_NO_P2P, 1);
	nla_put_flag(msg, VFIO_MIGMUX_A_SET_AUTO);
	nla_put_u32(msg, VFIO_MIGMUX_A_SET_TIMELINE, 12);
	put_counters(msg, VFIO_MIGMUX_A_SET_COUNTERS, 2, 1ULL << 41);
	put_member(msg, "pci/0000:01:00.0", true);
	put_member(msg, "pci/0000:02:00.0", false);
	attrs = attrs_of(msg, &len);
	fetch_set(attrs, len, &set);
	nlmsg_free(msg);

	test_result(!strcmp(set.name, "auto-7") && set.automatic && !set.gone, "set: name");
	test_result(set.config.policy == 3 && set.config.claim_timeout_ms == 70 &&
		    set.config.allow_no_p2p && !set.config.max_parallel, "set: options");
	test_result(set.timeline == 12 && !set.pid, "set: timeline");
	test_result(set.counters.claims == 2 && set.counters.saved_ns == 1ULL << 41,
		    "set: counters");
	test_result(set.nr_members == 2 && set.members[0].driven && !set.members[1].driven &&
		    set.members[1].present && set.members[1].counters.saved_ns == 1ULL << 40 &&
		    !strcmp(set.members[1].handle, "pci/0000:02:00.0"), "set: members");
	free(set.members);
}

static void test_bad(void)
{
	struct nl_msg *msg = new_message();
	struct set_event e = { 0 };
	struct set set = { 0 };
	struct nlattr *attrs;
	char longest[200];
	int len;

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	attrs = attrs_of(msg, &len);
	fetch_set(attrs, len, &set);
	test_result(!set.name[0] && !set.nr_members, "set: an empty message");

	nla_put_string(msg, VFIO_MIGMUX_A_SET_NAME, longest);
	nla_put_u8(msg, VFIO_MIGMUX_A_SET_POLICY, 7);
	nla_put(msg, VFIO_MIGMUX_A_SET_MEMBER, 0, NULL);
	put_member(msg, "\033[31m\xff", false);
	nla_put_u32(msg, 77, 1);
	attrs = attrs_of(msg, &len);
	fetch_set(attrs, len, &set);
	test_result(strlen(set.name) == VFIO_MIGMUX_NAME_MAX, "set: a name too long is cut");
	test_result(!set.config.policy, "set: a number too short is 0");
	test_result(set.nr_members == 2 && !set.members[0].handle[0], "set: an empty member");
	test_result(set.nr_members == 2 && !strcmp(set.members[1].handle, "?[31m?"),
		    "set: nothing that a terminal obeys");
	free(set.members);
	nlmsg_free(msg);

	msg = new_message();
	nla_put_u32(msg, VFIO_MIGMUX_A_SET_EVENT_TYPE, 4);
	nla_put_u64(msg, VFIO_MIGMUX_A_SET_EVENT_SAVED, 9);
	attrs = attrs_of(msg, &len);
	fetch_set_event(attrs, len, &e);
	test_result(e.type == VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM && e.saved_ns == 9 && !e.set[0],
		    "event of a member");
	nlmsg_free(msg);
}

static void put_target(struct nl_msg *msg, uint32_t kind, uint64_t mapped)
{
	struct nlattr *nest = nla_nest_start(msg, VFIO_MIGMUX_A_SESSION_DMA);

	nla_put_u32(msg, VFIO_MIGMUX_A_SESSION_DMA_KIND, kind);
	nla_put_u32(msg, VFIO_MIGMUX_A_SESSION_DMA_RANGES, 2);
	nla_put_u64(msg, VFIO_MIGMUX_A_SESSION_DMA_BYTES, 1ULL << 40);
	nla_put_u64(msg, VFIO_MIGMUX_A_SESSION_DMA_MAPPED, mapped);
	nla_put_u64(msg, VFIO_MIGMUX_A_SESSION_DMA_START, 5);
	nla_nest_end(msg, nest);
}

/* More targets than this program knows room for are left out. */
static void test_targets(void)
{
	struct nl_msg *msg = new_message();
	struct session_list list = { 0 };
	struct nlattr *attrs;
	int len;

	nla_put_u32(msg, VFIO_MIGMUX_A_SESSION_ID, 3);
	put_target(msg, VFIO_MIGMUX_DMA_KIND_TYPE1, 4096);
	put_target(msg, VFIO_MIGMUX_DMA_KIND_VHOST_VDPA, 1ULL << 40);
	attrs = attrs_of(msg, &len);
	fetch_session(attrs, len, &list);
	test_result(list.n == 1 && list.v[0].nr_targets == 2 &&
		    list.v[0].targets[0].mapped == 4096 && list.v[0].targets[1].ranges == 2 &&
		    list.v[0].targets[1].mapped == 1ULL << 40 &&
		    list.v[0].targets[1].span.start_ns == 5 &&
		    !list.v[0].targets[1].span.end_ns &&
		    !strcmp(model_dma_kind_name(list.v[0].targets[1].kind), "vhost-vdpa"),
		    "session: memory that is mapped");
	for (unsigned int i = 0; i < MODEL_NR_TARGETS; i++)
		put_target(msg, 77, 0);
	attrs = attrs_of(msg, &len);
	fetch_session(attrs, len, &list);
	test_result(list.n == 1 && list.v[0].nr_targets == MODEL_NR_TARGETS &&
		    !strcmp(model_dma_kind_name(list.v[0].targets[5].kind), "unknown"),
		    "session: too many targets");
	model_sessions_free(&list);
	nlmsg_free(msg);
}

void test_fetch(void)
{
	test_whole();
	test_bad();
	test_targets();
}
