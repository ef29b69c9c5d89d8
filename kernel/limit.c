// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host grants to all sessions together, and to one: module parameters. What the
 * wire or the interface bounds in any case is elsewhere: devices, channels, frames, blobs.
 */
#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/sizes.h>

#include "limit.h"
#include "report.h"

static unsigned int max_sessions = 1024;
module_param(max_sessions, uint, 0644);
MODULE_PARM_DESC(max_sessions, "most sessions that are open at a time (default 1024)");

static unsigned int max_devices = MIGMUX_MAX_DEVICES;
module_param(max_devices, uint, 0644);
MODULE_PARM_DESC(max_devices,
		 "most devices of a session, and of a set (1 to 64, default 64)");

static unsigned int max_channels = MIGMUX_MAX_CHANNELS;
module_param(max_channels, uint, 0644);
MODULE_PARM_DESC(max_channels,
		 "most channels of a session, and of a link (1 to 255, default 255)");

static unsigned int staging_default_mib = 32;
module_param(staging_default_mib, uint, 0644);
MODULE_PARM_DESC(staging_default_mib,
		 "staging memory of a session that asks for none, in MiB (default 32)");

static unsigned int staging_max_mib = 1024;
module_param(staging_max_mib, uint, 0644);
MODULE_PARM_DESC(staging_max_mib,
		 "most staging memory that a session can ask for, in MiB (default 1024)");

static unsigned int staging_total_mib;
module_param(staging_total_mib, uint, 0644);
MODULE_PARM_DESC(staging_total_mib,
		 "most staging memory of all sessions together, in MiB (default 0: half of the host's memory)");

static atomic_t sessions = ATOMIC_INIT(0);
static atomic64_t staging = ATOMIC64_INIT(0);

/**
 * migmux_devices_max() - most devices of a session, and of a set
 *
 * 1 to MIGMUX_MAX_DEVICES. It can be lowered below what there is, which stays.
 */
u32 migmux_devices_max(void)
{
	return clamp(READ_ONCE(max_devices), 1U, (u32)MIGMUX_MAX_DEVICES);
}

/**
 * migmux_channels_max() - most channels of a session, and of a link
 *
 * 1 to MIGMUX_MAX_CHANNELS. It can be lowered below what there is, which stays.
 */
u32 migmux_channels_max(void)
{
	return clamp(READ_ONCE(max_channels), 1U, (u32)MIGMUX_MAX_CHANNELS);
}

/**
 * migmux_staging_max() - most staging that a session can have, in bytes
 *
 * At least one frame.
 */
u64 migmux_staging_max(void)
{
	return (u64)clamp(READ_ONCE(staging_max_mib), 1U, 65536U) * SZ_1M;
}

/**
 * migmux_staging_default() - staging of a session that asks for 0, in bytes
 */
u64 migmux_staging_default(void)
{
	return clamp((u64)READ_ONCE(staging_default_mib) * SZ_1M, (u64)SZ_1M,
		     migmux_staging_max());
}

/**
 * migmux_staging_total() - most staging of all sessions together, in bytes
 */
u64 migmux_staging_total(void)
{
	const u64 mib = READ_ONCE(staging_total_mib);

	return mib ? mib * SZ_1M : (u64)totalram_pages() / 2 * PAGE_SIZE;
}

/**
 * migmux_limit_session_take() - count a session that is to be made
 *
 * Context: any.
 * Return: true, and migmux_limit_session_put() is to be called when its memory is
 * freed; false if there are enough. The log says so, as there is no session to ask.
 */
bool migmux_limit_session_take(void)
{
	const u32 max = READ_ONCE(max_sessions);

	if ((u32)atomic_inc_return(&sessions) <= max)
		return true;
	atomic_dec(&sessions);
	pr_notice_ratelimited("vfio_migmux: %u sessions are open already: see the module parameter max_sessions\n",
			      max);
	return false;
}

/**
 * migmux_limit_session_put() - a session is no more
 *
 * Context: any.
 */
void migmux_limit_session_put(void)
{
	atomic_dec(&sessions);
}

/**
 * migmux_limit_staging_take() - count staging that is to be allocated
 * @bytes: how much
 *
 * Context: any.
 * Return: true, and migmux_limit_staging_put() is to be called when it is freed; false
 * if that were too much for the host.
 */
bool migmux_limit_staging_take(u64 bytes)
{
	if (atomic64_add_return(bytes, &staging) <= migmux_staging_total())
		return true;
	atomic64_sub(bytes, &staging);
	return false;
}

/**
 * migmux_limit_staging_put() - staging is freed
 * @bytes: as they were taken
 *
 * Context: any.
 */
void migmux_limit_staging_put(u64 bytes)
{
	atomic64_sub(bytes, &staging);
}
