// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source that quiesces, stops, saves and sends two devices.
 */
#include <stdio.h>
#include <string.h>

#include "sample.h"

static void span(struct session_device *dev, unsigned int phase, uint64_t from, uint64_t to)
{
	dev->t.phases[phase].start_ns = SAMPLE_BASE + from * MS;
	dev->t.phases[phase].end_ns = to ? SAMPLE_BASE + to * MS : 0;
}

static void reached(struct session *s, uint32_t milestone, uint64_t at)
{
	s->milestones |= milestone;
	s->milestone_ns[__builtin_ctz(milestone)] = SAMPLE_BASE + at * MS;
}

void sample_session(struct session *s)
{
	static struct session_device devices[2];

	memset(devices, 0, sizeof(devices));
	*s = (struct session){
		.id = 7, .role = VFIO_MIGMUX_ROLE_SOURCE, .pid = 42,
		.nr_devices = 2, .devices = devices, .staging_peak = 4096,
	};
	strcpy(s->link, "to-b");
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(devices[i].handle, sizeof(devices[i].handle), "pci/0000:0%u:00.0", i + 1);
		snprintf(devices[i].idstr, sizeof(devices[i].idstr), "vfmig/%u", i);
		devices[i].t.index = i;
		devices[i].t.state = 3;
		devices[i].t.bytes = 4 << 20;
		devices[i].t.first_byte_ns = SAMPLE_BASE + 60 * MS;
		devices[i].t.last_byte_ns = SAMPLE_BASE + 160 * MS;
		span(&devices[i], VFIO_MIGMUX_PHASE_QUIESCE, i, 20);
		span(&devices[i], VFIO_MIGMUX_PHASE_STOP, 20, 40);
		span(&devices[i], VFIO_MIGMUX_PHASE_SAVE, 40, 60);
		span(&devices[i], VFIO_MIGMUX_PHASE_TRANSFER, 60, 160 + i * 20);
	}
	reached(s, VFIO_MIGMUX_MILESTONE_QUIESCED, 20);
	reached(s, VFIO_MIGMUX_MILESTONE_STOPPED, 40);
	reached(s, VFIO_MIGMUX_MILESTONE_SENT, 180);
	reached(s, VFIO_MIGMUX_MILESTONE_HANDED_OVER, 200);
}

void sample_set_session(struct session *s)
{
	static struct session_device devices[4];
	unsigned int i, late;

	memset(devices, 0, sizeof(devices));
	*s = (struct session){
		.id = 8, .role = VFIO_MIGMUX_ROLE_SOURCE, .pid = 42, .closed = true,
		.nr_devices = 4, .devices = devices,
	};
	strcpy(s->set, "vm42");
	for (i = 0; i < 4; i++) {
		late = i == 3 ? 100 : i;
		snprintf(devices[i].handle, sizeof(devices[i].handle), "pci/0000:0%u:00.0", i + 1);
		devices[i].t.index = i;
		devices[i].t.state = 3;
		span(&devices[i], VFIO_MIGMUX_PHASE_QUIESCE, late, late + 100);
		span(&devices[i], VFIO_MIGMUX_PHASE_STOP, 200 + i, 300 + i);
		span(&devices[i], VFIO_MIGMUX_PHASE_SAVE, 310 + i, 360 + i);
	}
	strcpy(devices[3].handle, "mdev/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
}
