// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vfio_migmux.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/vfio_migmux_netlink.h>

/* Integer value ranges */
static const struct netlink_range_validation vfio_migmux_a_set_claim_timeout_range = {
	.min	= 1ULL,
	.max	= 600000ULL,
};

static const struct netlink_range_validation vfio_migmux_a_set_auto_claim_timeout_range = {
	.min	= 1ULL,
	.max	= 600000ULL,
};

/* VFIO_MIGMUX_CMD_DEVICE_GET - do */
static const struct nla_policy vfio_migmux_device_get_nl_policy[VFIO_MIGMUX_A_DEVICE_HANDLE + 1] = {
	[VFIO_MIGMUX_A_DEVICE_HANDLE] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_HANDLE_MAX, },
};

/* VFIO_MIGMUX_CMD_DEVICE_HOOK - do */
static const struct nla_policy vfio_migmux_device_hook_nl_policy[VFIO_MIGMUX_A_DEVICE_HANDLE + 1] = {
	[VFIO_MIGMUX_A_DEVICE_HANDLE] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_HANDLE_MAX, },
};

/* VFIO_MIGMUX_CMD_DEVICE_UNHOOK - do */
static const struct nla_policy vfio_migmux_device_unhook_nl_policy[VFIO_MIGMUX_A_DEVICE_HANDLE + 1] = {
	[VFIO_MIGMUX_A_DEVICE_HANDLE] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_HANDLE_MAX, },
};

/* VFIO_MIGMUX_CMD_SET_NEW - do */
static const struct nla_policy vfio_migmux_set_new_nl_policy[VFIO_MIGMUX_A_SET_ADD + 1] = {
	[VFIO_MIGMUX_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
	[VFIO_MIGMUX_A_SET_POLICY] = NLA_POLICY_MASK(NLA_U32, 0x3f),
	[VFIO_MIGMUX_A_SET_MAX_PARALLEL] = { .type = NLA_U32, },
	[VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &vfio_migmux_a_set_claim_timeout_range),
	[VFIO_MIGMUX_A_SET_ALLOW_NO_P2P] = NLA_POLICY_MAX(NLA_U8, 1),
	[VFIO_MIGMUX_A_SET_ADD] = { .type = NLA_STRING, .len = VFIO_MIGMUX_HANDLE_MAX, },
};

/* VFIO_MIGMUX_CMD_SET_SET - do */
static const struct nla_policy vfio_migmux_set_set_nl_policy[VFIO_MIGMUX_A_SET_REMOVE + 1] = {
	[VFIO_MIGMUX_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
	[VFIO_MIGMUX_A_SET_POLICY] = NLA_POLICY_MASK(NLA_U32, 0x3f),
	[VFIO_MIGMUX_A_SET_MAX_PARALLEL] = { .type = NLA_U32, },
	[VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &vfio_migmux_a_set_claim_timeout_range),
	[VFIO_MIGMUX_A_SET_ALLOW_NO_P2P] = NLA_POLICY_MAX(NLA_U8, 1),
	[VFIO_MIGMUX_A_SET_ADD] = { .type = NLA_STRING, .len = VFIO_MIGMUX_HANDLE_MAX, },
	[VFIO_MIGMUX_A_SET_REMOVE] = { .type = NLA_STRING, .len = VFIO_MIGMUX_HANDLE_MAX, },
};

/* VFIO_MIGMUX_CMD_SET_DEL - do */
static const struct nla_policy vfio_migmux_set_del_nl_policy[VFIO_MIGMUX_A_SET_NAME + 1] = {
	[VFIO_MIGMUX_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
};

/* VFIO_MIGMUX_CMD_SET_GET - do */
static const struct nla_policy vfio_migmux_set_get_nl_policy[VFIO_MIGMUX_A_SET_NAME + 1] = {
	[VFIO_MIGMUX_A_SET_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
};

/* VFIO_MIGMUX_CMD_SET_AUTO_SET - do */
static const struct nla_policy vfio_migmux_set_auto_set_nl_policy[VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P + 1] = {
	[VFIO_MIGMUX_A_SET_AUTO_ENABLED] = NLA_POLICY_MAX(NLA_U8, 1),
	[VFIO_MIGMUX_A_SET_AUTO_POLICY] = NLA_POLICY_MASK(NLA_U32, 0x3f),
	[VFIO_MIGMUX_A_SET_AUTO_MAX_PARALLEL] = { .type = NLA_U32, },
	[VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &vfio_migmux_a_set_auto_claim_timeout_range),
	[VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P] = NLA_POLICY_MAX(NLA_U8, 1),
};

/* VFIO_MIGMUX_CMD_LINK_NEW - do */
static const struct nla_policy vfio_migmux_link_new_nl_policy[VFIO_MIGMUX_A_LINK_TLS + 1] = {
	[VFIO_MIGMUX_A_LINK_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
	[VFIO_MIGMUX_A_LINK_TLS] = { .type = NLA_FLAG, },
};

/* VFIO_MIGMUX_CMD_LINK_DEL - do */
static const struct nla_policy vfio_migmux_link_del_nl_policy[VFIO_MIGMUX_A_LINK_NAME + 1] = {
	[VFIO_MIGMUX_A_LINK_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
};

/* VFIO_MIGMUX_CMD_LINK_GET - do */
static const struct nla_policy vfio_migmux_link_get_nl_policy[VFIO_MIGMUX_A_LINK_NAME + 1] = {
	[VFIO_MIGMUX_A_LINK_NAME] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
};

/* VFIO_MIGMUX_CMD_CHANNEL_NEW - do */
static const struct nla_policy vfio_migmux_channel_new_nl_policy[VFIO_MIGMUX_A_CHANNEL_SOCKET_FD + 1] = {
	[VFIO_MIGMUX_A_CHANNEL_LINK] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
	[VFIO_MIGMUX_A_CHANNEL_SOCKET_FD] = NLA_POLICY_MIN(NLA_S32, 0),
};

/* VFIO_MIGMUX_CMD_CHANNEL_DEL - do */
static const struct nla_policy vfio_migmux_channel_del_nl_policy[VFIO_MIGMUX_A_CHANNEL_ID + 1] = {
	[VFIO_MIGMUX_A_CHANNEL_LINK] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
	[VFIO_MIGMUX_A_CHANNEL_ID] = { .type = NLA_U32, },
};

/* VFIO_MIGMUX_CMD_CHANNEL_GET - do */
static const struct nla_policy vfio_migmux_channel_get_do_nl_policy[VFIO_MIGMUX_A_CHANNEL_ID + 1] = {
	[VFIO_MIGMUX_A_CHANNEL_LINK] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
	[VFIO_MIGMUX_A_CHANNEL_ID] = { .type = NLA_U32, },
};

/* VFIO_MIGMUX_CMD_CHANNEL_GET - dump */
static const struct nla_policy vfio_migmux_channel_get_dump_nl_policy[VFIO_MIGMUX_A_CHANNEL_LINK + 1] = {
	[VFIO_MIGMUX_A_CHANNEL_LINK] = { .type = NLA_NUL_STRING, .len = VFIO_MIGMUX_NAME_MAX, },
};

/* VFIO_MIGMUX_CMD_SESSION_GET - do */
static const struct nla_policy vfio_migmux_session_get_nl_policy[VFIO_MIGMUX_A_SESSION_ID + 1] = {
	[VFIO_MIGMUX_A_SESSION_ID] = { .type = NLA_U32, },
};

/* Ops table for vfio_migmux */
static const struct genl_split_ops vfio_migmux_nl_ops[] = {
	{
		.cmd		= VFIO_MIGMUX_CMD_DEVICE_GET,
		.doit		= vfio_migmux_nl_device_get_doit,
		.policy		= vfio_migmux_device_get_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_DEVICE_HANDLE,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= VFIO_MIGMUX_CMD_DEVICE_GET,
		.dumpit	= vfio_migmux_nl_device_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_DEVICE_HOOK,
		.doit		= vfio_migmux_nl_device_hook_doit,
		.policy		= vfio_migmux_device_hook_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_DEVICE_HANDLE,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_DEVICE_UNHOOK,
		.doit		= vfio_migmux_nl_device_unhook_doit,
		.policy		= vfio_migmux_device_unhook_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_DEVICE_HANDLE,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_SET_NEW,
		.doit		= vfio_migmux_nl_set_new_doit,
		.policy		= vfio_migmux_set_new_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_SET_ADD,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_SET_SET,
		.doit		= vfio_migmux_nl_set_set_doit,
		.policy		= vfio_migmux_set_set_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_SET_REMOVE,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_SET_DEL,
		.doit		= vfio_migmux_nl_set_del_doit,
		.policy		= vfio_migmux_set_del_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_SET_NAME,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_SET_GET,
		.doit		= vfio_migmux_nl_set_get_doit,
		.policy		= vfio_migmux_set_get_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_SET_NAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= VFIO_MIGMUX_CMD_SET_GET,
		.start	= vfio_migmux_nl_set_get_start,
		.dumpit	= vfio_migmux_nl_set_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_SET_AUTO_SET,
		.doit		= vfio_migmux_nl_set_auto_set_doit,
		.policy		= vfio_migmux_set_auto_set_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_SET_AUTO_ALLOW_NO_P2P,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= VFIO_MIGMUX_CMD_SET_AUTO_GET,
		.doit	= vfio_migmux_nl_set_auto_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_LINK_NEW,
		.doit		= vfio_migmux_nl_link_new_doit,
		.policy		= vfio_migmux_link_new_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_LINK_TLS,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_LINK_DEL,
		.doit		= vfio_migmux_nl_link_del_doit,
		.policy		= vfio_migmux_link_del_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_LINK_NAME,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_LINK_GET,
		.doit		= vfio_migmux_nl_link_get_doit,
		.policy		= vfio_migmux_link_get_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_LINK_NAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= VFIO_MIGMUX_CMD_LINK_GET,
		.dumpit	= vfio_migmux_nl_link_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_CHANNEL_NEW,
		.doit		= vfio_migmux_nl_channel_new_doit,
		.policy		= vfio_migmux_channel_new_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_CHANNEL_SOCKET_FD,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_CHANNEL_DEL,
		.doit		= vfio_migmux_nl_channel_del_doit,
		.policy		= vfio_migmux_channel_del_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_CHANNEL_ID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_CHANNEL_GET,
		.doit		= vfio_migmux_nl_channel_get_doit,
		.policy		= vfio_migmux_channel_get_do_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_CHANNEL_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_CHANNEL_GET,
		.dumpit		= vfio_migmux_nl_channel_get_dumpit,
		.policy		= vfio_migmux_channel_get_dump_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_CHANNEL_LINK,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= VFIO_MIGMUX_CMD_SESSION_GET,
		.doit		= vfio_migmux_nl_session_get_doit,
		.policy		= vfio_migmux_session_get_nl_policy,
		.maxattr	= VFIO_MIGMUX_A_SESSION_ID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= VFIO_MIGMUX_CMD_SESSION_GET,
		.dumpit	= vfio_migmux_nl_session_get_dumpit,
		.flags	= GENL_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group vfio_migmux_nl_mcgrps[] = {
	[VFIO_MIGMUX_NLGRP_EVENTS] = { "events", },
};

struct genl_family vfio_migmux_nl_family __ro_after_init = {
	.name		= VFIO_MIGMUX_FAMILY_NAME,
	.version	= VFIO_MIGMUX_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= vfio_migmux_nl_ops,
	.n_split_ops	= ARRAY_SIZE(vfio_migmux_nl_ops),
	.mcgrps		= vfio_migmux_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(vfio_migmux_nl_mcgrps),
};
