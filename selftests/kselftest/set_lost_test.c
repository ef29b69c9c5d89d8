// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM dies, or a driver is taken away from a device, in each step of a policy. Here
 * nobody but the VMM has the devices open.
 */
#include <pthread.h>

#include "set_fixture.h"
#include "thread.h"

#define STEP_ARC_MS	"30"

/* Both devices at the start of a step, and as a set they can migrate. */
static int stage(struct nl *nl, struct vmm *vmm, const struct step *step)
{
	return set_policy(nl, "s", P_DEFAULT) ?: vmm_boot(vmm) ?: vmm_works(vmm) ?:
	       set_policy(nl, "s", 0) ?: step_prepare(vmm, step) ?:
	       set_policy(nl, "s", P_ALL) ?: vmm_knob(vmm, "arc_ms", STEP_ARC_MS);
}

static int set_of_spares(struct nl *nl, struct spare *spare)
{
	const char *handles[SPARE_DEVICES];
	int i;

	for (i = 0; i < SPARE_DEVICES; i++) {
		handles[i] = handle_of(spare->addr[i]);
		attr_write(spare->addr[i], "precopy", "1");
		attr_write_num(spare->addr[i], "state_size", STATE_SIZE);
	}
	return nl_set_new(nl, "s", P_DEFAULT, SPARE_DEVICES, handles);
}

/* Two closed devices that run when they are opened; nothing of what was is left. */
static void check_gone(struct __test_metadata *_metadata, struct nl *nl, struct spare *spare)
{
	int i;

	for (i = 0; i < SPARE_DEVICES; i++) {
		EXPECT_EQ(0, attr_wait_text(spare->addr[i], "open", "0"));
		EXPECT_EQ(0, attr_wait_text(spare->addr[i], "data_files", "0"));
		EXPECT_FALSE(member_pending(nl, "s", spare->addr[i]));
		EXPECT_FALSE(member_driven(nl, "s", spare->addr[i]));
		EXPECT_EQ(0, device_knobs_default(spare->addr[i]));
	}
}

/* --- the VMM dies ----------------------------------------------------------------- */

FIXTURE(dies)
{
	FIXTURE_DATA(sets) sets;
};

FIXTURE_VARIANT(dies)
{
	bool during;
};

FIXTURE_VARIANT_ADD(dies, during_arc) { .during = true };
FIXTURE_VARIANT_ADD(dies, unclaimed) { .during = false };

FIXTURE_SETUP(dies)
{
	sets_setup(_metadata, &self->sets, NULL);
}

FIXTURE_TEARDOWN(dies)
{
	sets_teardown(_metadata, &self->sets, NULL);
}

static void vmm_live(struct spare *spare, const struct step *step, int told, int order)
{
	struct vmm vmm;
	struct nl nl;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (nl_open(&nl) || spare_open(spare))
		_exit(1);
	vmm_init(&vmm, order, spare->set.dev, SPARE_DEVICES);
	if (stage(&nl, &vmm, step) || write(told, "+", 1) != 1)
		_exit(2);
	if (vmm_move(&vmm, 0, step->to) || write(told, "-", 1) != 1)
		_exit(3);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(dies, everywhere, 120)
{
	struct spare *spare = &self->sets.spare;
	struct nl *nl = &self->sets.nl;
	int told[2], status;
	char word[2];
	pid_t pid;
	size_t i;

	ASSERT_EQ(0, set_of_spares(nl, spare));
	for (i = 0; i < STEPS; i++) {
		TH_LOG("%s", steps[i].name);
		ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
		pid = fork();
		if (!pid)
			vmm_live(spare, &steps[i], told[1], VMM_QEMU);
		close(told[1]);
		ASSERT_EQ(1, read(told[0], word, 1));
		if (variant->during) {
			while (!member_pending(nl, "s", spare->addr[1]))
				usleep(1000);
		} else {
			ASSERT_EQ(1, read(told[0], word, 1));
		}
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		close(told[0]);
		check_gone(_metadata, nl, spare);
	}
	ASSERT_EQ(0, spare_open(spare));
	vmm_init(&self->sets.src, VMM_QEMU, spare->set.dev, SPARE_DEVICES);
	EXPECT_EQ(0, vmm_boot(&self->sets.src));
	EXPECT_EQ(0, vmm_works(&self->sets.src));
}

/* --- a driver is taken away ------------------------------------------------------- */

FIXTURE(unbound)
{
	FIXTURE_DATA(sets) sets;
};

FIXTURE_VARIANT(unbound)
{
	bool during;
};

FIXTURE_VARIANT_ADD(unbound, during_arc) { .during = true };
FIXTURE_VARIANT_ADD(unbound, unclaimed) { .during = false };

FIXTURE_SETUP(unbound)
{
	sets_setup(_metadata, &self->sets, NULL);
}

static void bind_again(struct __test_metadata *_metadata, struct _test_data_sets *self)
{
	int i;

	spare_close(&self->spare);
	for (i = 0; i < SPARE_DEVICES; i++)
		driver_write("bind", self->spare.addr[i]);
	sets_teardown(_metadata, self, NULL);
}

FIXTURE_TEARDOWN(unbound)
{
	bind_again(_metadata, &self->sets);
}

static void *unbind(void *addr)
{
	/* waits until nobody has the device open */
	return (void *)(long)driver_write("unbind", addr);
}

static bool absent(struct nl *nl, const char *name, const char *addr)
{
	const struct nl_set_member *member;
	struct nl_set set;

	if (nl_set_get(nl, name, &set))
		return false;
	member = nl_set_member(&set, handle_of(addr));
	return member && !member->present;
}

static void check_unbind(struct __test_metadata *_metadata, struct _test_data_sets *self,
			 const struct step *step, int victim, bool during)
{
	struct spare *spare = &self->spare;
	struct nl *nl = &self->nl;
	int other = 1 - victim;
	pthread_t thread;
	struct call call;
	struct vmm vmm;
	void *ret;

	ASSERT_EQ(0, spare_open(spare));
	vmm_init(&vmm, VMM_QEMU, spare->set.dev, SPARE_DEVICES);
	ASSERT_EQ(0, stage(nl, &vmm, step));
	call_start(&call, &vmm, 0, step->to);
	while (!member_pending(nl, "s", spare->addr[1]))
		usleep(1000);
	if (!during)
		call_join(&call);
	ASSERT_EQ(0, pthread_create(&thread, NULL, unbind, spare->addr[victim]));
	while (!absent(nl, "s", spare->addr[victim]))
		usleep(1000);
	if (during)
		call_join(&call);
	/* it is the VMM's until it lets go, and the other one is not harmed */
	EXPECT_EQ(0, call.ret);
	EXPECT_EQ(0, vmm_move(&vmm, 1, step->to));
	EXPECT_EQ(step->to, vfio_state_get(vmm.dev[victim].fd));
	EXPECT_EQ(step->to, vfio_state_get(vmm.dev[other].fd));
	EXPECT_TRUE(vmm_is(&vmm, other, step->to));

	vmm_free(&vmm);
	spare_close(spare);
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, driver_write("bind", spare->addr[victim]));
	EXPECT_FALSE(absent(nl, "s", spare->addr[victim]));
	attr_write(spare->addr[victim], "precopy", "1");
	attr_write_num(spare->addr[victim], "state_size", STATE_SIZE);
	check_gone(_metadata, nl, spare);
}

TEST_F_TIMEOUT(unbound, everywhere, 120)
{
	int victim;
	size_t i;

	ASSERT_EQ(0, set_of_spares(&self->sets.nl, &self->sets.spare));
	for (i = 0; i < STEPS; i++)
		for (victim = 0; victim < SPARE_DEVICES; victim++) {
			TH_LOG("%s, device %d", steps[i].name, victim);
			check_unbind(_metadata, &self->sets, &steps[i], victim,
				     variant->during);
		}
}

/* --- and a set is about to get or to lose the device ------------------------------- */

#define CPU	0	/* of both threads */

FIXTURE(changing)
{
	FIXTURE_DATA(sets) sets;
};

FIXTURE_SETUP(changing)
{
	sets_setup(_metadata, &self->sets, NULL);
}

FIXTURE_TEARDOWN(changing)
{
	bind_again(_metadata, &self->sets);
}

/* It is being unregistered, and waits until it is closed. */
static void wait_gone(struct nl *nl, const char *addr)
{
	while (nl_device(nl, VFIO_MIGMUX_CMD_DEVICE_GET, handle_of(addr)) != -ENOENT)
		usleep(1000);
}

static void *unbind_pinned(void *addr)
{
	int ret = thread_pin(0, CPU);

	return ret ? (void *)(long)ret : unbind(addr);
}

/* From one set into another one; nobody else comes in between who waits for the same. */
static void *take_over(void *arg)
{
	const char *handle = arg;
	struct nl nl = { };
	int ret;

	ret = thread_pin(0, CPU) ?: thread_first() ?: nl_open(&nl) ?:
	      nl_set_change(&nl, "s", VFIO_MIGMUX_A_SET_REMOVE, handle) ?:
	      nl_set_new(&nl, "t", P_DEFAULT, 1, &handle);
	nl_close(&nl);
	return (void *)(long)ret;
}

/*
 * A device follows, and meanwhile its driver is taken away, and it is put into another set:
 * both have to wait for it. The set that is the last to get it may not keep what has gone.
 */
TEST_F(changing, other_set)
{
	struct spare *spare = &self->sets.spare;
	struct nl *nl = &self->sets.nl;
	char *victim = spare->addr[1];
	pthread_t unbinder, taker;
	char handle[NL_HANDLE];
	struct vmm vmm;
	char name[64];
	void *ret;

	snprintf(handle, sizeof(handle), "%s", handle_of(victim));
	ASSERT_EQ(0, set_of_spares(nl, spare));
	ASSERT_EQ(0, spare_open(spare));
	vmm_init(&vmm, VMM_QEMU, spare->set.dev, SPARE_DEVICES);
	ASSERT_EQ(0, vmm_boot(&vmm));
	ASSERT_EQ(0, attr_write(victim, "arc_ms", "500"));
	ASSERT_EQ(0, vmm_move(&vmm, 0, RUNNING_P2P));
	ASSERT_TRUE(member_pending(nl, "s", victim));
	ASSERT_EQ(0, pthread_create(&taker, NULL, take_over, handle));
	ASSERT_EQ(0, pthread_create(&unbinder, NULL, unbind_pinned, victim));
	pthread_join(taker, &ret);
	EXPECT_EQ(NULL, ret);
	wait_gone(nl, victim);
	spare_close(spare);
	pthread_join(unbinder, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_TRUE(absent(nl, "t", victim));

	/* it waits for the next one of that name */
	ASSERT_EQ(0, driver_write("bind", victim));
	EXPECT_FALSE(absent(nl, "t", victim));
	EXPECT_EQ(0, nl_device_set(nl, handle, name, sizeof(name)));
	EXPECT_STREQ("t", name);
}

/* Of an automatic set a device is a member as long as it is open; it waits for none. */
TEST_F(changing, automatic)
{
	struct spare *spare = &self->sets.spare;
	struct nl *nl = &self->sets.nl;
	char *victim = spare->addr[1];
	pthread_t unbinder;
	struct nl_set set;
	struct vmm vmm;
	char name[64];
	void *ret;

	ASSERT_EQ(0, nl_auto_set(nl, true, NULL));
	ASSERT_EQ(0, spare_open(spare));
	vmm_init(&vmm, VMM_QEMU, spare->set.dev, SPARE_DEVICES);
	ASSERT_EQ(0, vmm_boot(&vmm));
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	ASSERT_EQ(1, set.count);
	ASSERT_EQ(SPARE_DEVICES, set.members);
	ASSERT_EQ(0, pthread_create(&unbinder, NULL, unbind, victim));
	wait_gone(nl, victim);
	/* nor if it is moved only then */
	EXPECT_EQ(0, vmm_all(&vmm, RUNNING_P2P));
	spare_close(spare);
	pthread_join(unbinder, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(0, set.count);

	ASSERT_EQ(0, driver_write("bind", victim));
	EXPECT_EQ(0, nl_device_set(nl, handle_of(victim), name, sizeof(name)));
	EXPECT_STREQ("", name);
}

int main(int argc, char **argv)
{
	return sets_main(argc, argv);
}
