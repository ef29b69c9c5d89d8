// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program of ioctl_fuzz can do, a step each.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"
#include "ioctl_steps.h"
#include "memory.h"
#include "peer.h"
#include "vfio.h"

/* --- what programs work on --------------------------------------------------------------- */

int sessions[NR_SESSIONS];
int pairs[NR_PAIRS][2];
int data_fds[NR_DATA];
char *area;
char *memory;
long page;
unsigned long steps_done;

static __u8 byte(struct run *r)
{
	return r->at < r->program->len ? r->program->bytes[r->at++] : 0;
}

static __u32 below(struct run *r, __u32 n)
{
	return byte(r) % n;
}

static __u32 some_u32(struct run *r)
{
	static const __u32 values[] = { 0, 1, 2, 3, 4, 63, 64, 255, 0x7fffffff, 0xffffffff };
	__u8 b = byte(r);

	return b < 200 ? values[b % ARRAY_SIZE(values)] : (__u32)b << (b % 24);
}

static int some_fd(struct run *r)
{
	switch (below(r, 12)) {
	case 0:		return -1;
	case 1:		return devices.container;
	case 2:		return devices.dev[below(r, 4)].group_fd;
	case 3:		return sessions[below(r, NR_SESSIONS)];
	case 4:		return data_fds[below(r, NR_DATA)];
	case 5:		return pairs[below(r, NR_PAIRS)][below(r, 2)];
	}
	return devices.dev[below(r, 4)].fd;
}

/* Memory that can be used, is too short, is none, or is not ours. */
static __u64 some_address(struct run *r, size_t size)
{
	switch (below(r, 12)) {
	case 0:		return 0;
	case 1:		return (__u64)(unsigned long)(area + page - below(r, 64));
	case 2:		return 0xffff888000000000ull;
	case 3:		return ~0ull - below(r, 64);
	}
	return (__u64)(unsigned long)(area + page - (size < (size_t)page ? size : page));
}

static __u64 some_staging(struct run *r)
{
	static const __u64 values[] = { MIB, 2 * MIB, 1, 3 * MIB + 1, 4 * MIB, ~0ull, 1ull << 40 };

	return values[below(r, ARRAY_SIZE(values))];
}

static const char *some_idstr(struct run *r)
{
	return idstrs[below(r, SESSION_DEVICES)];
}

/* --- steps -------------------------------------------------------------------------------- */

/*
 * Call with an argument that was made well, and that may be spoiled: a byte of it, its size,
 * or where it ends.
 */
static void call(struct run *r, unsigned long cmd, void *arg, size_t size)
{
	int fd = sessions[below(r, NR_SESSIONS)];
	char *at = area + page - size;

	*(__u32 *)arg = size;
	switch (below(r, 16)) {
	case 0:
		((__u8 *)arg)[below(r, size)] ^= 1 << below(r, 8);
		break;
	case 1:
		*(__u32 *)arg = some_u32(r);
		break;
	case 2:		/* longer, and what it has more is zero, or not */
		at -= 16;
		memset(area + page - 16, below(r, 2), 16);
		*(__u32 *)arg = size + 16;
		break;
	case 3:		/* off the end */
		memcpy(at, arg, size);
		ioctl(fd, cmd, at + 1 + below(r, size));
		return;
	}
	memcpy(at, arg, size);
	ioctl(fd, cmd, at);
	__atomic_add_fetch(&steps_done, 1, __ATOMIC_RELAXED);
}

static void step_session(struct run *r)
{
	int *fd = &sessions[below(r, NR_SESSIONS)];
	int old = *fd;

	*fd = session_open();
	close(old);
}

static void step_device_add(struct run *r)
{
	struct vfio_migmux_device_add arg = {
		.device_fd = some_fd(r),
		.instance_id = below(r, 8) ? 0 : some_u32(r),
	};

	strncpy((char *)arg.idstr, some_idstr(r), sizeof(arg.idstr) - 1);
	call(r, VFIO_MIGMUX_DEVICE_ADD, &arg, sizeof(arg));
}

static void step_device_remove(struct run *r)
{
	struct vfio_migmux_device_remove arg = { .index = below(r, 5) };

	call(r, VFIO_MIGMUX_DEVICE_REMOVE, &arg, sizeof(arg));
}

static void step_channel_add(struct run *r)
{
	struct vfio_migmux_channel_add arg = {
		.socket_fd = below(r, 8) ? pairs[below(r, NR_PAIRS)][below(r, 2)] : some_fd(r),
		.device = below(r, 3),
	};

	call(r, VFIO_MIGMUX_CHANNEL_ADD, &arg, sizeof(arg));
}

static void step_link_attach(struct run *r)
{
	struct vfio_migmux_link_attach arg = { .name = "l" };

	call(r, VFIO_MIGMUX_LINK_ATTACH, &arg, sizeof(arg));
}

static __u32 some_state(struct run *r)
{
	return below(r, 16) ? below(r, 8) : some_u32(r);
}

static __u32 some_recover(struct run *r)
{
	return below(r, 3) ? RUNNING : below(r, 2) ? NONE : some_state(r);
}

static void step_set_state(struct run *r)
{
	struct vfio_migmux_set_state arg = {
		.flags = below(r, 4),
		.target = some_state(r),
		.recover = some_recover(r),
		.timeout_ms = below(r, 100),
		.nr_results = below(r, 8),
		.results = some_address(r, 8 * sizeof(struct vfio_migmux_device_result)),
	};

	call(r, VFIO_MIGMUX_SET_STATE, &arg, sizeof(arg));
}

static void step_save(struct run *r)
{
	struct vfio_migmux_save arg = {
		.flags = below(r, 64) & ~4,
		.recover = some_recover(r),
		.timeout_ms = below(r, 200),
		.staging = below(r, 4) ? MIB : below(r, 3) ? 0 : some_staging(r),
	};

	call(r, VFIO_MIGMUX_SAVE, &arg, sizeof(arg));
}

static void step_load(struct run *r)
{
	struct vfio_migmux_load arg = {
		.flags = below(r, 64) & ~(4 | 16),
		.recover = some_recover(r),
		.timeout_ms = below(r, 200),
		.staging = below(r, 4) ? MIB : some_staging(r),
	};

	call(r, VFIO_MIGMUX_LOAD, &arg, sizeof(arg));
}

static void step_config(struct run *r)
{
	const unsigned long cmd = below(r, 2) ? VFIO_MIGMUX_CONFIG_SET : VFIO_MIGMUX_CONFIG_GET;
	struct vfio_migmux_config arg = {
		.device = below(r, 3),
		.size = below(r, 4) ? below(r, 200) : some_u32(r),
	};

	arg.data = some_address(r, arg.size);
	call(r, cmd, &arg, sizeof(arg));
}

static void step_wait(struct run *r)
{
	struct vfio_migmux_wait arg = {
		.milestones = below(r, 4) ? 1 << below(r, 11) : some_u32(r),
		.timeout_ms = below(r, 100),
	};

	call(r, VFIO_MIGMUX_WAIT, &arg, sizeof(arg));
}

static void step_abort(struct run *r)
{
	struct vfio_migmux_abort arg = { .recover = some_recover(r) };

	call(r, VFIO_MIGMUX_ABORT, &arg, sizeof(arg));
}

static void step_look(struct run *r)
{
	union {
		struct vfio_migmux_info info;
		struct vfio_migmux_timeline timeline;
		struct vfio_migmux_precopy_info precopy;
		struct vfio_migmux_peer_info peer;
		struct vfio_migmux_last_error error;
	} arg = { .info.argsz = 0 };

	switch (below(r, 5)) {
	case 0:
		call(r, VFIO_MIGMUX_GET_INFO, &arg, sizeof(arg.info));
		break;
	case 1:
		arg.timeline.device_size = below(r, 4) ?
			sizeof(struct vfio_migmux_timeline_device) : some_u32(r);
		arg.timeline.nr_devices = below(r, 8);
		arg.timeline.devices = some_address(r, page);
		call(r, VFIO_MIGMUX_TIMELINE, &arg, sizeof(arg.timeline));
		break;
	case 2:
		arg.precopy.device_size = below(r, 4) ?
			sizeof(struct vfio_migmux_precopy_device) : some_u32(r);
		arg.precopy.nr_devices = below(r, 8);
		arg.precopy.devices = some_address(r, page);
		call(r, VFIO_MIGMUX_PRECOPY_INFO, &arg, sizeof(arg.precopy));
		break;
	case 3:
		arg.peer.device_size = below(r, 4) ?
			sizeof(struct vfio_migmux_peer_device) : some_u32(r);
		arg.peer.nr_devices = below(r, 8);
		arg.peer.devices = some_address(r, page);
		call(r, VFIO_MIGMUX_PEER_INFO, &arg, sizeof(arg.peer));
		break;
	case 4:
		call(r, VFIO_MIGMUX_LAST_ERROR, &arg, sizeof(arg.error));
		break;
	}
}

static void step_load_buffer(struct run *r)
{
	struct vfio_migmux_load_buffer arg = {
		.flags = below(r, 8) ? NONBLOCK : 0,
		.size = below(r, 4) ? 12 + below(r, 100) : some_u32(r),
	};
	__u32 *payload = (__u32 *)area;

	/* version, idx, flags */
	payload[0] = below(r, 16) ? 0 : some_u32(r);
	payload[1] = peer_put32(below(r, 8));
	payload[2] = peer_put32(below(r, 4) ? below(r, 2) : some_u32(r));
	arg.payload = below(r, 8) ? (__u64)(unsigned long)area : some_address(r, arg.size);
	strncpy((char *)arg.idstr, some_idstr(r), sizeof(arg.idstr) - 1);
	call(r, VFIO_MIGMUX_LOAD_BUFFER, &arg, sizeof(arg));
}

static void step_data_fd(struct run *r)
{
	struct vfio_migmux_data_fd arg = {
		.device = below(r, 3),
		.data_fd = below(r, 4) ? data_fds[below(r, NR_DATA)] : some_fd(r),
		.first_idx = below(r, 4) ? 0 : some_u32(r),
	};

	call(r, VFIO_MIGMUX_DATA_FD, &arg, sizeof(arg));
}

/* IOVAs that meet, of memory that is there, ends too early, is none, or is staging. */
static struct vfio_migmux_dma_range some_range(struct run *r)
{
	return (struct vfio_migmux_dma_range) {
		.iova = (4ULL << 30) + below(r, 8) * (__u64)page,
		.vaddr = below(r, 4) ? (__u64)(unsigned long)memory + below(r, 8) * page :
				       some_address(r, page) & -page,
		.size = below(r, 8) ? (1 + below(r, 16)) * (__u64)page : some_staging(r),
		.flags = below(r, 8) ? RW : below(r, 16),
	};
}

/* In the area, for the module writes to as many as a spoiled argument says. */
static __u32 some_ranges(struct run *r, __u32 max)
{
	struct vfio_migmux_dma_range *ranges = (void *)area;
	__u32 i, n = below(r, max + 1);

	for (i = 0; i < n; i++)
		ranges[i] = some_range(r);
	return n;
}

static void step_dma_map(struct run *r)
{
	struct vfio_migmux_dma_map arg = {
		.target_fd = below(r, 8) ? devices.container : some_fd(r),
		.space = below(r, 16) ? 0 : some_u32(r),
		.piece = below(r, 4) ? 0 : PIECE,
		.nr_ranges = some_ranges(r, 4),
		.range_size = below(r, 16) ? sizeof(struct vfio_migmux_dma_range) : some_u32(r),
		.ranges = below(r, 8) ? (__u64)(unsigned long)area : some_address(r, page),
	};

	call(r, VFIO_MIGMUX_DMA_MAP, &arg, sizeof(arg));
}

static void step_dma_unmap(struct run *r)
{
	struct vfio_migmux_dma_unmap arg = {
		.flags = below(r, 2) ? 0 : below(r, 4),
		.target = below(r, 2),
		.range_size = sizeof(struct vfio_migmux_dma_range),
		.ranges = (__u64)(unsigned long)area,
	};

	if (arg.flags)
		arg.target = NO_INDEX;
	else
		arg.nr_ranges = some_ranges(r, 2);
	call(r, VFIO_MIGMUX_DMA_UNMAP, &arg, sizeof(arg));
}

static void step_dma_wait(struct run *r)
{
	struct vfio_migmux_dma_wait arg = {
		.timeout_ms = below(r, 100),
		.range_size = below(r, 4) ? sizeof(struct vfio_migmux_dma_range) : some_u32(r),
		.nr_ranges = below(r, 8),
		.ranges = some_address(r, page),
	};

	call(r, VFIO_MIGMUX_DMA_WAIT, &arg, sizeof(arg));
}

static void step_read(struct run *r)
{
	int fd = sessions[below(r, NR_SESSIONS)];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (read(fd, area + page - below(r, 200), below(r, 250)) < 0)
		return;
}

static void step_any(struct run *r)
{
	__u8 raw[256];
	size_t i, size = 8 + below(r, sizeof(raw) - 8);

	for (i = 0; i < size; i++)
		raw[i] = byte(r);
	call(r, _IO(VFIO_MIGMUX_TYPE, below(r, 24)), raw, size);
}

/* The VMM's own business with its devices, meanwhile. */
static void step_vfio(struct run *r)
{
	struct vfio_dev *dev = &devices.dev[below(r, 4)];
	int fd = -1, *slot;

	if (!below(r, 4)) {
		device_reset(dev);
		return;
	}
	vfio_state_set(dev->fd, below(r, 8), &fd);
	if (fd < 0)
		return;
	slot = &data_fds[below(r, NR_DATA)];
	close(*slot);
	*slot = fd;
}

/* A peer that says something, or goes. */
static void step_peer(struct run *r)
{
	int *pair = pairs[below(r, NR_PAIRS)], side = below(r, 2), how = below(r, 8);
	struct peer_frame frame;

	switch (how) {
	case 0:
		shutdown(pair[side], below(r, 3));
		break;
	case 1:
		close(pair[side]);
		pair[side] = -1;
		break;
	case 2:
		memset(area, byte(r), 64);
		send(pair[side], area, 1 + below(r, 64), MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 3:
	case 4:
		peer_send_init(pair[side], below(r, 8));
		break;
	default:
		frame = peer_frame(some_idstr(r), below(r, 4), 8, below(r, 2));
		send(pair[side], &frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL);
		send(pair[side], area, 8, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* The first mapping of staging; false if there is none. */
static bool staging_find(unsigned long *from, unsigned long *to)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[256];

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "[vfio_migmux]") &&
			sscanf(line, "%lx-%lx", from, to) == 2;
	if (maps)
		fclose(maps);
	return found;
}

/* What step_staging() has left of it: each piece holds the module. */
void staging_forget(void)
{
	unsigned long from, to;

	while (staging_find(&from, &to))
		if (munmap((void *)from, to - from))
			err(1, "staging");
}

/* Staging is mapped into us: nobody can keep a VMM from this. */
static void step_staging(struct run *r)
{
	unsigned long from, to;

	if (!staging_find(&from, &to))
		return;
	switch (below(r, 4)) {
	case 0:
		munmap((void *)from, below(r, 2) ? to - from : (to - from) / 2);
		break;
	case 1:
		mprotect((void *)from, to - from, below(r, 2) ? PROT_READ : PROT_NONE);
		break;
	case 2:
		mremap((void *)from, to - from, to - from, MREMAP_MAYMOVE);
		break;
	case 3:
		madvise((void *)from, to - from, MADV_DONTNEED);
		break;
	}
}

/* All that a migration between two sessions needs: else chance rarely makes one. */
static void step_couple(struct run *r)
{
	int from = sessions[0], to = sessions[1], i, n = 1 + below(r, 2);

	for (i = 0; i < n; i++) {
		session_device_add(from, devices.dev[i].fd, idstrs[i], 0);
		session_device_add(to, devices.dev[2 + i].fd, idstrs[i], 0);
		session_channel_add(from, pairs[i][0], i);
		session_channel_add(to, pairs[i][1], 0);
	}
}

static void step_migrate(struct run *r)
{
	__u32 flags = below(r, 4) ? VFIO_MIGMUX_SAVE_VERDICT : 0;
	__u64 staging = MIB;

	if (flags && below(r, 2))
		flags |= VFIO_MIGMUX_SAVE_VERIFY;
	session_load(sessions[1], flags, some_recover(r), MIB);
	if (flags && !below(r, 4)) {
		session_save(sessions[0], flags | VFIO_MIGMUX_SAVE_READY, some_recover(r), MIB);
		if (below(r, 2))
			session_wait(sessions[0], M_PEER_READY, 1000);
		staging = 0;
	}
	if (!below(r, 4))
		flags |= VFIO_MIGMUX_SAVE_PRECOPY;
	session_save(sessions[0], flags, some_recover(r), staging);
}

static void (*const steps[])(struct run *r) = {
	step_session, step_device_add, step_device_add, step_device_remove, step_channel_add,
	step_channel_add, step_link_attach, step_set_state, step_save, step_load, step_config,
	step_wait, step_wait, step_abort, step_look, step_load_buffer, step_data_fd, step_read,
	step_any, step_vfio, step_peer, step_peer, step_staging, step_couple, step_couple,
	step_migrate, step_migrate, step_dma_map, step_dma_map, step_dma_unmap, step_dma_wait,
};

/* A thread's function: all steps of a &struct run. */
void *program_run(void *arg)
{
	struct run *r = arg;

	while (r->at < r->program->len)
		steps[below(r, ARRAY_SIZE(steps))](r);
	return NULL;
}
