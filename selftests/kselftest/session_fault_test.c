// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that fail in the middle of a migration: an arc, a byte of the state, a reset;
 * and a VMM that unmaps the memory under the session. On both ends: which device, which
 * error; the source runs again, the destination says what its devices need.
 */
#include "phase.h"
#include "session_fixture.h"

FIXTURE(fault)
{
	FIXTURE_DATA(vmm) vmm;
	struct pair pair;
};

FIXTURE_SETUP(fault)
{
	struct _test_data_vmm *vmm = &self->vmm;

	vmm_setup(_metadata, vmm, NULL);
	ASSERT_EQ(0, pair_open(&self->pair, &vmm->dev[0], &vmm->dev[2], 2, 2));
}

FIXTURE_TEARDOWN(fault)
{
	pair_close(&self->pair);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

#define VMM	(&self->vmm)
#define PAIR	(&self->pair)

/* A failed session: whose fault, and that the timeline's states are the real ones. */
static void check_failed(struct __test_metadata *_metadata, int fd, struct vfio_dev *dev,
			 int error, const char *words, __u32 device)
{
	struct timeline t;
	int i;

	ASSERT_EQ(0, session_wait(fd, M_FAILED | M_ENDED, WAIT_MS));
	EXPECT_TRUE(session_says(fd, error, words));
	ASSERT_EQ(0, session_timeline(fd, &t));
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(device_is(&dev[i], t.dev[i].state));
	if (device == NO_INDEX)
		return;
	EXPECT_EQ(device, session_last_error(fd).device);
	EXPECT_EQ(error, t.dev[device].error);
}

static void check_source_runs(struct __test_metadata *_metadata, struct _test_data_vmm *vmm)
{
	EXPECT_TRUE(device_is(&vmm->dev[0], RUNNING));
	EXPECT_TRUE(device_is(&vmm->dev[1], RUNNING));
}

/* --- arcs --------------------------------------------------------------------------- */

FIXTURE_VARIANT(fault)
{
	const char *arc;
	bool destination;
};

FIXTURE_VARIANT_ADD(fault, quiesce) {
	.arc = "RUNNING>RUNNING_P2P:28:1"
};

FIXTURE_VARIANT_ADD(fault, stop) {
	.arc = "RUNNING_P2P>STOP:28:1"
};

FIXTURE_VARIANT_ADD(fault, save) {
	.arc = "STOP>STOP_COPY:28:1"
};

FIXTURE_VARIANT_ADD(fault, load) {
	.arc = "RESUMING>STOP:28:1", .destination = true
};

TEST_F(fault, arc)
{
	struct vfio_dev *culprit = &VMM->dev[variant->destination ? 3 : 1];

	ASSERT_EQ(0, attr_write(culprit->addr, "fail_arc", variant->arc));
	ASSERT_EQ(0, pair_start(PAIR, true, STAGING));
	if (variant->destination) {
		check_failed(_metadata, PAIR->to, PAIR->dst, ENOSPC, culprit->addr, 1);
		check_failed(_metadata, PAIR->from, PAIR->src, EREMOTEIO,
			     "the destination failed: ", NO_INDEX);
		EXPECT_EQ(1, session_last_error(PAIR->from).device);
		EXPECT_TRUE(session_says(PAIR->from, EREMOTEIO, culprit->addr));
	} else {
		check_failed(_metadata, PAIR->from, PAIR->src, ENOSPC, culprit->addr, 1);
		ASSERT_EQ(0, session_wait(PAIR->to, M_ENDED, WAIT_MS));
		EXPECT_EQ(ECONNABORTED, session_last_error(PAIR->to).error);
	}
	check_source_runs(_metadata, VMM);
}

/* --- the same without variants --------------------------------------------------------- */

FIXTURE(broken)
{
	FIXTURE_DATA(fault) fault;
};

FIXTURE_SETUP(broken)
{
	fault_setup(_metadata, &self->fault, NULL);
}

FIXTURE_TEARDOWN(broken)
{
	fault_teardown(_metadata, &self->fault, NULL);
}

#undef VMM
#undef PAIR
#define VMM	(&self->fault.vmm)
#define PAIR	(&self->fault.pair)

/* LOAD itself says it, and which device. */
TEST_F(broken, prepare)
{
	/* a device that takes "nothing" for a state can go back from RESUMING */
	ASSERT_EQ(0, attr_write(VMM->dev[3].addr, "headerless", "1"));
	ASSERT_EQ(0, attr_write(VMM->dev[2].addr, "fail_arc", "STOP>RESUMING:12:1"));
	EXPECT_EQ(-ENOMEM, session_load(PAIR->to, VFIO_MIGMUX_LOAD_VERDICT, RUNNING,
					STAGING));
	check_failed(_metadata, PAIR->to, PAIR->dst, ENOMEM, VMM->dev[2].addr, 0);
	EXPECT_TRUE(device_is(&VMM->dev[2], RUNNING));
	EXPECT_TRUE(device_is(&VMM->dev[3], RUNNING));
}

/* SAVE with a device in ERROR is refused, and nothing else happens. */
TEST_F(broken, start_in_error)
{
	ASSERT_EQ(0, attr_write(VMM->dev[1].addr, "fail_to_error", "1"));
	ASSERT_EQ(0, attr_write(VMM->dev[1].addr, "fail_arc", "RUNNING>RUNNING_P2P:5:1"));
	ASSERT_EQ(-EIO, set_state(&VMM->dev[1], STOP, NULL));
	EXPECT_EQ(-EIO, session_save(PAIR->from, 0, RUNNING, STAGING));
	EXPECT_TRUE(session_says(PAIR->from, EIO, "needs a reset"));
	EXPECT_TRUE(session_says(PAIR->from, EIO, VMM->dev[1].addr));
	EXPECT_TRUE(device_is(&VMM->dev[0], RUNNING));
	/* it was a refusal: after the reset the same session goes on */
	ASSERT_EQ(0, device_reset(&VMM->dev[1]));
	ASSERT_EQ(0, pair_start(PAIR, true, STAGING));
	EXPECT_EQ(0, pair_finish(PAIR));
}

TEST_F(broken, read)
{
	ASSERT_EQ(0, attr_write_num(VMM->dev[1].addr, "state_size", 3 * MIB));
	ASSERT_EQ(0, attr_write(VMM->dev[1].addr, "fail_read_at", "1500000:61:1"));
	ASSERT_EQ(0, pair_start(PAIR, true, STAGING));
	check_failed(_metadata, PAIR->from, PAIR->src, ENODATA, VMM->dev[1].addr, 1);
	check_source_runs(_metadata, VMM);
	ASSERT_EQ(0, session_wait(PAIR->to, M_ENDED, WAIT_MS));
	EXPECT_EQ(ECONNABORTED, session_last_error(PAIR->to).error);
	/* it has half a state and says so: only a reset helps */
	check_failed(_metadata, PAIR->to, PAIR->dst, ECONNABORTED, "channel", NO_INDEX);
	EXPECT_TRUE(device_is(&VMM->dev[3], RESUMING));
}

TEST_F(broken, read_first_byte)
{
	ASSERT_EQ(0, attr_write(VMM->dev[0].addr, "fail_read_at", "0:5:1"));
	ASSERT_EQ(0, pair_start(PAIR, true, STAGING));
	check_failed(_metadata, PAIR->from, PAIR->src, EIO, VMM->dev[0].addr, 0);
	check_source_runs(_metadata, VMM);
}

TEST_F(broken, write)
{
	ASSERT_EQ(0, attr_write_num(VMM->dev[1].addr, "state_size", 3 * MIB));
	ASSERT_EQ(0, attr_write(VMM->dev[3].addr, "fail_write_at", "1500000:28:1"));
	ASSERT_EQ(0, pair_start(PAIR, true, STAGING));
	check_failed(_metadata, PAIR->to, PAIR->dst, ENOSPC, VMM->dev[3].addr, 1);
	/* the source is told which of its devices it is */
	check_failed(_metadata, PAIR->from, PAIR->src, EREMOTEIO, "(error 28)", NO_INDEX);
	EXPECT_EQ(1, session_last_error(PAIR->from).device);
	check_source_runs(_metadata, VMM);
}

/* State that the destination's device does not accept. */
TEST_F(broken, wrong_state)
{
	ASSERT_EQ(0, attr_write(VMM->dev[0].addr, "headerless", "1"));
	ASSERT_EQ(0, pair_start(PAIR, true, STAGING));
	check_failed(_metadata, PAIR->to, PAIR->dst, EINVAL, VMM->dev[2].addr, 0);
	EXPECT_TRUE(device_is(&VMM->dev[2], RESUMING));
	check_failed(_metadata, PAIR->from, PAIR->src, EREMOTEIO, "(error 22)", NO_INDEX);
	check_source_runs(_metadata, VMM);
}

/* --- reset and unmapping ------------------------------------------------------------------ */

FIXTURE(lost)
{
	FIXTURE_DATA(vmm) vmm;
	struct stage stage;
};

FIXTURE_SETUP(lost)
{
	vmm_setup(_metadata, &self->vmm, NULL);
	ASSERT_EQ(0, stage_open(&self->stage, self->vmm.dev));
}

FIXTURE_TEARDOWN(lost)
{
	stage_close(&self->stage);
	EXPECT_EQ(0, migration_works());
	vmm_teardown(_metadata, &self->vmm, NULL);
}

TEST_F(lost, reset_while_streaming)
{
	ASSERT_EQ(0, phase_streaming(&self->stage));
	ASSERT_EQ(0, device_reset(&self->stage.dev[1]));
	check_failed(_metadata, self->stage.fd, self->stage.dev, ENODEV,
		     self->stage.dev[1].addr, 1);
	check_source_runs(_metadata, &self->vmm);
}

TEST_F(lost, reset_while_loading)
{
	ASSERT_EQ(0, phase_loading(&self->stage));
	ASSERT_EQ(0, device_reset(&self->stage.dev[0]));
	check_failed(_metadata, self->stage.fd, self->stage.dev, ENODEV,
		     self->stage.dev[0].addr, 0);
	check_source_runs(_metadata, &self->vmm);
}

/* Where the session's memory is mapped. */
static void *staging_find(size_t *size)
{
	unsigned long from, to;
	void *found = NULL;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && !found && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[vfio_migmux]") ||
		    sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		found = (void *)from;
		*size = to - from;
	}
	if (maps)
		fclose(maps);
	return found;
}

TEST_F(lost, memory_while_streaming)
{
	size_t size;
	void *staging;

	EXPECT_EQ(NULL, staging_find(&size));
	ASSERT_EQ(0, phase_streaming(&self->stage));
	staging = staging_find(&size);
	ASSERT_NE(NULL, staging);
	EXPECT_EQ(STAGING, size);
	ASSERT_EQ(0, munmap(staging, size));
	check_failed(_metadata, self->stage.fd, self->stage.dev, EFAULT,
		     self->stage.dev[1].addr, 1);
	check_source_runs(_metadata, &self->vmm);
}

TEST_F(lost, memory_while_loading)
{
	size_t size;
	void *staging;

	ASSERT_EQ(0, phase_loading(&self->stage));
	staging = staging_find(&size);
	ASSERT_NE(NULL, staging);
	ASSERT_EQ(0, munmap(staging, size));
	check_failed(_metadata, self->stage.fd, self->stage.dev, EFAULT,
		     self->stage.dev[0].addr, 0);
	check_source_runs(_metadata, &self->vmm);
}

/* Something else has taken its place: it is not ours to unmap. */
TEST_F(lost, memory_replaced)
{
	size_t size;
	void *staging;

	ASSERT_EQ(0, phase_ready(&self->stage));
	staging = staging_find(&size);
	ASSERT_NE(NULL, staging);
	ASSERT_EQ(staging, mmap(staging, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memset(staging, 1, size);
	stage_close(&self->stage);
	EXPECT_EQ(1, ((char *)staging)[size - 1]);
	EXPECT_EQ(0, munmap(staging, size));
}

/* When the session is closed nothing of it is left in the address space. */
TEST_F(lost, memory_is_given_back)
{
	size_t size;

	ASSERT_EQ(0, phase_verdict(&self->stage));
	EXPECT_NE(NULL, staging_find(&size));
	stage_close(&self->stage);
	EXPECT_EQ(NULL, staging_find(&size));
}

int main(int argc, char **argv)
{
	return session_main(argc, argv);
}
