// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libvfmig does without a kernel: names, errors, events of other sizes.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libvfmig.h"
#include "test.h"

static void test_names(void)
{
	test_result(!strcmp(vfmig_state_name(0), "ERROR"), "name of state 0");
	test_result(!strcmp(vfmig_state_name(7), "PRE_COPY_P2P"), "name of state 7");
	test_result(!strcmp(vfmig_state_name(8), "UNKNOWN"), "name of state 8");
	test_result(!strcmp(vfmig_phase_name(VFIO_MIGMUX_PHASE_PRECOPY), "precopy"),
		    "name of the last phase");
	test_result(!strcmp(vfmig_phase_name(VFIO_MIGMUX_NR_PHASES), "unknown"),
		    "name of no phase");
	test_result(!strcmp(vfmig_milestone_name(11), "peer_ready"),
		    "name of the last milestone");
	test_result(!strcmp(vfmig_milestone_name(31), "unknown"), "name of no milestone");
}

static void test_errors(void)
{
	struct vfio_migmux_last_error e;
	char name[300];
	int pair[2];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	test_result(vfmig_device_add(-1, 0, name, 0, NULL, NULL) == -ENAMETOOLONG,
		    "identity too long");
	test_result(vfmig_link_attach(-1, name, NULL) == -ENAMETOOLONG, "link's name too long");
	test_result(vfmig_abort(-1, 0) == -EBADF, "closed descriptor");
	test_result(vfmig_load_buffer(-1, 0, name, 0, NULL, 0) == -EBADF,
		    "closed descriptor, a frame");
	test_result(vfmig_data_fd(-1, 0, 0, 0) == -EBADF, "closed descriptor, a data file");
	test_result(vfmig_dma_map(-1, 0, 0, 0, NULL, 0, NULL) == -EBADF &&
		    vfmig_dma_cancel(-1) == -EBADF, "closed descriptor, memory");
	if (pipe(pair))
		return;
	test_result(vfmig_last_error(pair[0], &e) == -ENOTTY, "descriptor of another kind");
	close(pair[0]);
	close(pair[1]);
}

/* A pipe plays a kernel whose events are longer than the ones known here. */
static void test_events(void)
{
	struct vfio_migmux_event events[8], event = { .size = sizeof(event) + 16 };
	char more[16];
	int pair[2];
	int n;

	if (pipe(pair))
		return;
	memset(more, 0xff, sizeof(more));
	for (event.value = 1; event.value <= 3; event.value++)
		if (write(pair[1], &event, sizeof(event)) < 0 ||
		    write(pair[1], more, sizeof(more)) < 0)
			return;
	n = vfmig_read_events(pair[0], events, 8);
	test_result(n == 3 && events[0].value == 1 && events[1].value == 2 && events[2].value == 3,
		    "longer events are cut");

	event.size = 4;
	if (write(pair[1], &event, sizeof(event)) < 0)
		return;
	test_result(vfmig_read_events(pair[0], events, 8) == -EPROTO, "shorter events are refused");
	close(pair[0]);
	close(pair[1]);
}

void test_lib(void)
{
	test_names();
	test_errors();
	test_events();
}
