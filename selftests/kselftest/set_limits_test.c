// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of devices that cannot do everything, or not everything at once: a physical
 * function that serves one at a time, a queue that is full, no P2P.
 */
#include "set_fixture.h"

#define A_MAX_PARALLEL	VFIO_MIGMUX_A_SET_MAX_PARALLEL
#define A_ALLOW_NO_P2P	VFIO_MIGMUX_A_SET_ALLOW_NO_P2P
#define A_ADD		VFIO_MIGMUX_A_SET_ADD

/* All devices that are open. */
static void six(struct vmm *vmm, enum vmm_order order)
{
	vmm_init(vmm, order, devices.dev, devices.n);
}

/* --- how many at once ------------------------------------------------------------- */

FIXTURE(limit)
{
	FIXTURE_DATA(sets) sets;
};

FIXTURE_VARIANT(limit)
{
	enum vmm_order order;
	int max;
};

FIXTURE_VARIANT_ADD(limit, qemu_1) { .order = VMM_QEMU, .max = 1 };
FIXTURE_VARIANT_ADD(limit, qemu_2) { .order = VMM_QEMU, .max = 2 };
FIXTURE_VARIANT_ADD(limit, qemu_4) { .order = VMM_QEMU, .max = 4 };
FIXTURE_VARIANT_ADD(limit, threaded_1) { .order = VMM_THREADED, .max = 1 };
FIXTURE_VARIANT_ADD(limit, threaded_3) { .order = VMM_THREADED, .max = 3 };

FIXTURE_SETUP(limit)
{
	sets_setup(_metadata, &self->sets, NULL);
}

FIXTURE_TEARDOWN(limit)
{
	sets_teardown(_metadata, &self->sets, NULL);
}

/* With a driver that has no place for one more, the VMM's own calls included. */
TEST_F(limit, max_parallel)
{
	struct nl *nl = &self->sets.nl;
	struct vmm vmm;
	char cap[16];

	six(&vmm, variant->order);
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, &vmm));
	ASSERT_EQ(0, nl_set_u32(nl, "s", A_MAX_PARALLEL, variant->max));
	vmm_knob(&vmm, "arc_ms", "50");
	snprintf(cap, sizeof(cap), "%d", variant->max);
	ASSERT_EQ(0, param_write("arc_cap", cap));
	EXPECT_EQ(0, vmm_works(&vmm));
	EXPECT_EQ(variant->max, vmm_parallel(&vmm, NULL, NULL));
	EXPECT_EQ(6 * vmm.n, vmm_arcs(&vmm, NULL, NULL));
	EXPECT_EQ(0, set_counters(nl, "s").errors);
	EXPECT_EQ(0, set_counters(nl, "s").take_backs);
	vmm_free(&vmm);
}

/* Without max-parallel the driver's refusals are what the VMM gets, device by device. */
TEST_F(sets, driver_is_full)
{
	struct nl *nl = &self->nl;
	int i, full = 0, ret;
	struct vmm vmm;

	six(&vmm, VMM_QEMU);
	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, &vmm));
	vmm_knob(&vmm, "arc_ms", "100");
	ASSERT_EQ(0, param_write("arc_cap", "2"));
	for (i = 0; i < vmm.n; i++) {
		/* it may ask again, when there is a place */
		while ((ret = vmm_move(&vmm, i, RUNNING_P2P)) == -ENOSPC) {
			full++;
			usleep(10000);
		}
		EXPECT_EQ(0, ret);
	}
	EXPECT_LT(0, full);
	EXPECT_TRUE(vmm_are(&vmm, RUNNING_P2P));
	EXPECT_TRUE(states_agree(&vmm));
	ASSERT_EQ(0, param_write("arc_cap", "0"));
	EXPECT_EQ(0, vmm_all(&vmm, RUNNING));
	EXPECT_EQ(0, vmm_works(&vmm));
}

/* One at a time in the physical function: no gain, and no harm. */
TEST_F(sets, serial_driver)
{
	struct vmm *vmm = &self->src;
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, set_make(nl, "s", P_DEFAULT, vmm));
	vmm_knob(vmm, "arc_ms", "30");
	vmm_knob(vmm, "serial", "1");
	EXPECT_EQ(0, vmm_works(vmm));
	EXPECT_EQ(1, vmm_parallel(vmm, NULL, NULL));
	EXPECT_EQ(6 * vmm->n, vmm_arcs(vmm, NULL, NULL));
	EXPECT_EQ(0, set_counters(nl, "s").errors + set_counters(nl, "s").take_backs);
}

/* --- without P2P ------------------------------------------------------------------ */

/* Two devices, the second of which has no P2P. */
static int open_no_p2p(struct spare *spare, struct vmm *vmm, enum vmm_order order)
{
	int ret = attr_write(spare->addr[1], "p2p", "0") ?: spare_open(spare);

	vmm_init(vmm, order, spare->set.dev, SPARE_DEVICES);
	return ret;
}

TEST_F(sets, no_p2p_refused)
{
	const char *has = handle_of(devices.dev[0].addr);
	const char *lacks = handle_of(self->spare.addr[1]);
	const char *const both[] = { has, lacks };
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	struct vmm vmm;

	ASSERT_EQ(0, open_no_p2p(&self->spare, &vmm, VMM_CLOUD));
	/* alone it talks to nobody */
	EXPECT_EQ(0, nl_set_new(nl, "s", P_DEFAULT, 1, &lacks));
	EXPECT_REFUSED(nl, EOPNOTSUPP, "P2P", nl_set_change(nl, "s", A_ADD, has));
	EXPECT_EQ(0, nl_set_del(nl, "s"));
	EXPECT_REFUSED(nl, EOPNOTSUPP, "P2P", nl_set_new(nl, "s", P_DEFAULT, 2, both));
	EXPECT_TRUE(nl_said(nl, lacks));
	EXPECT_EQ(-ENOENT, nl_set_del(nl, "s"));
	ASSERT_EQ(0, nl_set_new(nl, "s", P_DEFAULT, 1, &has));
	EXPECT_REFUSED(nl, EOPNOTSUPP, "P2P", nl_set_change(nl, "s", A_ADD, lacks));

	nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_SET, "s");
	mnl_attr_put_u8(nlh, A_ALLOW_NO_P2P, 1);
	mnl_attr_put_strz(nlh, A_ADD, lacks);
	EXPECT_EQ(0, nl_call(nl, NULL, NULL));

	/* what is needed cannot be forbidden again */
	nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_SET, "s");
	mnl_attr_put_u8(nlh, A_ALLOW_NO_P2P, 0);
	EXPECT_REFUSED(nl, EOPNOTSUPP, "P2P", nl_call(nl, NULL, NULL));
}

/* A device that comes later, and without P2P, stays outside; with P2P it is a member. */
TEST_F(sets, no_p2p_late)
{
	const char *late = self->spare.addr[1];
	const char *const both[] = { handle_of(self->spare.addr[0]), handle_of(late) };
	struct nl *nl = &self->nl;
	char name[64];

	ASSERT_EQ(0, driver_write("unbind", late));
	ASSERT_EQ(0, nl_set_new(nl, "s", P_DEFAULT, 2, both));
	ASSERT_EQ(0, param_write("p2p", "0"));
	EXPECT_EQ(0, driver_write("bind", late));
	ASSERT_EQ(0, param_write("p2p", "1"));
	EXPECT_EQ(0, nl_device_set(nl, both[1], name, sizeof(name)));
	EXPECT_STREQ("", name);

	ASSERT_EQ(0, driver_write("unbind", late));
	ASSERT_EQ(0, driver_write("bind", late));
	EXPECT_EQ(0, nl_device_set(nl, both[1], name, sizeof(name)));
	EXPECT_STREQ("s", name);
}

/* The device without P2P takes no part in arcs that it has not; in the others it does. */
TEST_F(sets, no_p2p_allowed)
{
	const char *handles[SPARE_DEVICES];
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	struct vmm vmm;
	int i;

	ASSERT_EQ(0, open_no_p2p(&self->spare, &vmm, VMM_CLOUD));
	for (i = 0; i < SPARE_DEVICES; i++)
		handles[i] = handle_of(self->spare.addr[i]);
	nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_NEW, "s");
	mnl_attr_put_u8(nlh, A_ALLOW_NO_P2P, 1);
	nl_set_put_devices(nlh, A_ADD, SPARE_DEVICES, handles);
	ASSERT_EQ(0, nl_call(nl, NULL, NULL));

	/* driven, both in RUNNING */
	ASSERT_EQ(0, vmm_all(&vmm, STOP));
	ASSERT_EQ(0, vmm_all(&vmm, RUNNING));
	ASSERT_EQ(0, vmm_move(&vmm, 0, RUNNING_P2P));
	EXPECT_TRUE(vmm_is(&vmm, 1, RUNNING));
	EXPECT_EQ(0, member_counters(nl, "s", vmm.dev[1].addr).early_starts);
	ASSERT_EQ(0, vmm_move(&vmm, 0, STOP));
	ASSERT_EQ(0, vmm_move(&vmm, 1, STOP));
	ASSERT_EQ(0, vmm_move(&vmm, 0, STOP_COPY));
	ASSERT_EQ(0, set_wait_starts(nl, "s", 1));
	ASSERT_EQ(0, vmm_move(&vmm, 1, STOP_COPY));
	EXPECT_LE(0, vmm.data_fd[1]);
	EXPECT_EQ(1, member_counters(nl, "s", vmm.dev[1].addr).claims);
	EXPECT_TRUE(states_agree(&vmm));
	ASSERT_EQ(0, vmm_cont(&vmm));
	EXPECT_EQ(0, vmm_works(&vmm));
	vmm_free(&vmm);
}

/* The barrier is for those that have P2P. */
TEST_F(sets, no_p2p_barrier)
{
	const char *handles[SPARE_DEVICES];
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	struct vmm vmm;
	int i;

	ASSERT_EQ(0, open_no_p2p(&self->spare, &vmm, VMM_CLOUD));
	for (i = 0; i < SPARE_DEVICES; i++)
		handles[i] = handle_of(self->spare.addr[i]);
	nlh = nl_set_begin(nl, VFIO_MIGMUX_CMD_SET_NEW, "s");
	mnl_attr_put_u8(nlh, A_ALLOW_NO_P2P, 1);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_POLICY, P_DEFAULT | P_BARRIER);
	nl_set_put_devices(nlh, A_ADD, SPARE_DEVICES, handles);
	ASSERT_EQ(0, nl_call(nl, NULL, NULL));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, vmm_works(&vmm));
	EXPECT_TRUE(states_agree(&vmm));
	EXPECT_EQ(0, set_counters(nl, "s").errors);
	vmm_free(&vmm);
}

int main(int argc, char **argv)
{
	return sets_main(argc, argv);
}
