// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each step of a policy, each device, and all that can go wrong with it: afterwards VFIO
 * shows the state that migsim is in, no data_fd is left, and the next whole stop and
 * start of the set works.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "set_fixture.h"

#define STEP_ARC_MS	"10"

/**
 * struct scene - one case
 * @nl: for the set "s"
 * @vmm: its devices; the first one leads
 * @step: along which they go
 * @victim: the device that something happens to
 * @during: it happens in the middle of the leader's arc, not when that is over
 * @ret: what each device's call returned; 1 if there was none
 */
struct scene {
	struct nl *nl;
	struct vmm *vmm;
	const struct step *step;
	int victim;
	bool during;
	int ret[SET_DEVICES];
};

static const char *victim_addr(const struct scene *scene)
{
	return scene->vmm->dev[scene->victim].addr;
}

/* --- what happens ----------------------------------------------------------------- */

static int fail(struct scene *scene)
{
	char knob[64];

	snprintf(knob, sizeof(knob), "%s:5:1", scene->step->fail);
	return attr_write(victim_addr(scene), "fail_arc", knob);
}

static int fail_to_error(struct scene *scene)
{
	return attr_write(victim_addr(scene), "fail_to_error", "1") ?: fail(scene);
}

static int reset_at_arc(struct scene *scene)
{
	char knob[64];

	/* the last arc of a way of several is another one than the one that fails */
	snprintf(knob, sizeof(knob), "%s:1", scene->step->fail);
	return attr_write(victim_addr(scene), "reset_at_arc", knob);
}

static int vfio_reset(struct scene *scene)
{
	return device_reset(&scene->vmm->dev[scene->victim]);
}

static int sudden_reset(struct scene *scene)
{
	return attr_write(victim_addr(scene), "reset", "1");
}

static int impatience(struct scene *scene)
{
	return set_timeout(scene->nl, "s", 30);
}

/* The way back may be a step along which others follow, of whom nobody asks that. */
static int some_patience(struct scene *scene)
{
	return set_timeout(scene->nl, "s", 300);
}

/* It is the set's hook: that is refused, or does no harm. */
static int unhook(struct scene *scene)
{
	nl_device(scene->nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handle_of(victim_addr(scene)));
	return 0;
}

static int leave(struct scene *scene)
{
	return nl_set_change(scene->nl, "s", VFIO_MIGMUX_A_SET_REMOVE,
			     handle_of(victim_addr(scene)));
}

static int set_del(struct scene *scene)
{
	return nl_set_del(scene->nl, "s");
}

/* All sets go with the module, if it goes. */
static int unload(struct scene *scene)
{
	int ret;

	if (syscall(SYS_delete_module, "vfio_migmux", O_NONBLOCK))
		return errno == EBUSY || errno == EAGAIN ? 0 : -errno;
	ret = system("/bin/modprobe vfio_migmux") ? -EIO : 0;
	nl_close(scene->nl);
	return ret ?: nl_open(scene->nl) ?: sets_pin(true);
}

/* --- what must come of it --------------------------------------------------------- */

static bool all_succeed(const struct scene *scene)
{
	int i;

	for (i = 0; i < SET_DEVICES; i++)
		if (scene->ret[i] < 0)
			return false;
	return true;
}

static bool victim_fails(const struct scene *scene)
{
	int i;

	for (i = 0; i < SET_DEVICES; i++)
		if (scene->ret[i] != (i == scene->victim ? -EIO : 0))
			return false;
	return true;
}

/* A call that is in the middle of a reset may well fail. */
static bool others_succeed(const struct scene *scene)
{
	int i;

	for (i = 0; i < SET_DEVICES; i++)
		if (i != scene->victim && scene->ret[i] < 0)
			return false;
	return true;
}

/* --- the cases -------------------------------------------------------------------- */

FIXTURE(mishap)
{
	FIXTURE_DATA(sets) sets;
};

/*
 * @before: before the leader is asked for the step
 * @act: in the middle of the leader's arc, or while its siblings are unclaimed
 * @never_asked: the VMM asks nothing of the victim; of nobody if that is the leader
 * @other_target: the VMM asks for another state of the victim
 */
FIXTURE_VARIANT(mishap)
{
	int (*before)(struct scene *scene);
	int (*act)(struct scene *scene);
	bool never_asked;
	bool other_target;
	bool (*expect)(const struct scene *scene);
};

FIXTURE_VARIANT_ADD(mishap, failure)
{
	.before = fail,
	.expect = victim_fails,
};

FIXTURE_VARIANT_ADD(mishap, failure_to_error)
{
	.before = fail_to_error,
	.expect = victim_fails,
};

FIXTURE_VARIANT_ADD(mishap, reset_after_arc)
{
	.before = reset_at_arc,
	.expect = others_succeed,
};

FIXTURE_VARIANT_ADD(mishap, reset)
{
	.act = vfio_reset,
	.expect = others_succeed,
};

FIXTURE_VARIANT_ADD(mishap, sudden_reset)
{
	.act = sudden_reset,
	.expect = others_succeed,
};

FIXTURE_VARIANT_ADD(mishap, other_target)
{
	.before = some_patience,
	.other_target = true,
	.expect = all_succeed,
};

FIXTURE_VARIANT_ADD(mishap, never_asked)
{
	.before = impatience,
	.never_asked = true,
	.expect = all_succeed,
};

FIXTURE_VARIANT_ADD(mishap, unhook)
{
	.act = unhook,
	.expect = all_succeed,
};

FIXTURE_VARIANT_ADD(mishap, leave)
{
	.act = leave,
	.expect = all_succeed,
};

FIXTURE_VARIANT_ADD(mishap, set_del)
{
	.act = set_del,
	.expect = all_succeed,
};

FIXTURE_SETUP(mishap)
{
	sets_setup(_metadata, &self->sets, NULL);
}

FIXTURE_TEARDOWN(mishap)
{
	sets_teardown(_metadata, &self->sets, NULL);
}

/* The set, which may have lost a member or be gone, with all devices at the start. */
static int set_stage(struct nl *nl, struct vmm *vmm)
{
	struct nl_set set;
	int i, ret = nl_set_get(nl, "s", &set);

	if (ret == -ENOENT)
		return set_make(nl, "s", 0, vmm);
	for (i = 0; i < vmm->n && !ret; i++)
		if (!nl_set_member(&set, handle_of(vmm->dev[i].addr)))
			ret = nl_set_change(nl, "s", VFIO_MIGMUX_A_SET_ADD,
					    handle_of(vmm->dev[i].addr));
	return ret ?: set_policy(nl, "s", 0) ?: set_timeout(nl, "s", 5000);
}

/* Back to RUNNING, whatever it takes, with the stream as it was agreed on. */
static int vmm_recover(struct vmm *vmm)
{
	int i, ret = 0;

	vmm_knob(vmm, "fail_arc", "none");
	vmm_knob(vmm, "reset_at_arc", "none");
	vmm_knob(vmm, "arc_ms", "0");
	for (i = 0; i < vmm->n; i++) {
		if (vfio_state_get(vmm->dev[i].fd) == ERROR)
			ret |= device_reset(&vmm->dev[i]);
		ret |= vmm_move(vmm, i, RUNNING);
	}
	vmm_knob(vmm, "headerless", "0");
	vmm_knob(vmm, "fail_to_error", "0");
	vmm_free(vmm);
	return ret;
}

static unsigned int target(const struct scene *scene,
			   const struct _fixture_variant_mishap *variant, int i)
{
	if (!variant->other_target || i != scene->victim)
		return scene->step->to;
	return scene->step->to == RUNNING ? STOP : RUNNING;
}

static void scene_calls(struct scene *scene, const struct _fixture_variant_mishap *variant)
{
	struct vmm *vmm = scene->vmm;
	int i;

	for (i = 1; i < vmm->n; i++) {
		bool asked = !variant->never_asked ||
			     (scene->victim && i != scene->victim);

		scene->ret[i] = asked ? vmm_move(vmm, i, target(scene, variant, i)) : 1;
	}
	/* the leader has been where the others go */
	if (target(scene, variant, 0) != scene->step->to)
		scene->ret[0] = vmm_move(vmm, 0, target(scene, variant, 0));
}

/* What is not asked for stays unseen until it is taken back, or for ever. */
static bool scene_agrees(struct scene *scene)
{
	const struct step *step = scene->step;
	struct vmm one;
	int i;

	for (i = 0; i < scene->vmm->n; i++) {
		vmm_init(&one, VMM_QEMU, &scene->vmm->dev[i], 1);
		if (scene->ret[i] == 1 && step->back == step->to) {
			if (vfio_state_get(one.dev->fd) != step->from)
				return false;
		} else if (!states_agree(&one)) {
			return false;
		}
	}
	return true;
}

static void scene_play(struct __test_metadata *_metadata, struct scene *scene,
		       const struct _fixture_variant_mishap *variant)
{
	struct vmm *vmm = scene->vmm;
	struct nl *nl = scene->nl;
	struct call call;
	__u32 starts;

	ASSERT_EQ(0, set_stage(nl, vmm));
	ASSERT_EQ(0, step_prepare(vmm, scene->step));
	ASSERT_EQ(0, set_policy(nl, "s", P_ALL));
	vmm_knob(vmm, "arc_ms", STEP_ARC_MS);
	starts = set_counters(nl, "s").early_starts;
	if (variant->before)
		ASSERT_EQ(0, variant->before(scene));

	call_start(&call, vmm, 0, scene->step->to);
	if (variant->act) {
		if (!scene->during)
			ASSERT_EQ(0, set_wait_starts(nl, "s", starts + 2));
		while (scene->during && !member_pending(nl, "s", vmm->dev[1].addr))
			usleep(1000);
		ASSERT_EQ(0, variant->act(scene));
	}
	scene->ret[0] = call_join(&call);
	scene_calls(scene, variant);
	EXPECT_TRUE(variant->expect(scene))
		TH_LOG("%s, device %d: %d, %d, %d", scene->step->name, scene->victim,
		       scene->ret[0], scene->ret[1], scene->ret[2]);
	if (scene->step->back != scene->step->to)
		EXPECT_EQ(0, set_wait_idle(nl, "s"));
	EXPECT_TRUE(scene_agrees(scene))
		TH_LOG("%s, device %d", scene->step->name, scene->victim);

	/* the next one works, and together */
	ASSERT_EQ(0, set_stage(nl, vmm));
	ASSERT_EQ(0, vmm_recover(vmm))
		TH_LOG("%s, device %d", scene->step->name, scene->victim);
	EXPECT_EQ(0, data_files_wait(vmm));
	ASSERT_EQ(0, set_policy(nl, "s", P_DEFAULT));
	starts = set_counters(nl, "s").claims;
	EXPECT_EQ(0, vmm_works(vmm))
		TH_LOG("%s, device %d", scene->step->name, scene->victim);
	EXPECT_LT(starts, set_counters(nl, "s").claims);
	EXPECT_EQ(0, data_files_wait(vmm));
}

TEST_F_TIMEOUT(mishap, everywhere, 120)
{
	struct scene scene = { .nl = &self->sets.nl, .vmm = &self->sets.src };
	size_t i;

	for (i = 0; i < STEPS; i++) {
		scene.step = &steps[i];
		for (scene.victim = 0; scene.victim < SET_DEVICES; scene.victim++) {
			scene.during = (i + scene.victim) % 2;
			scene_play(_metadata, &scene, variant);
		}
	}
}

/* --- the module goes -------------------------------------------------------------- */

TEST_F_TIMEOUT(sets, unloaded_everywhere, 120)
{
	const struct _fixture_variant_mishap mishap = {
		.act = unload,
		.expect = all_succeed,
	};
	struct scene scene = { .nl = &self->nl, .vmm = &self->src };
	size_t i;

	for (i = 0; i < STEPS; i++) {
		scene.step = &steps[i];
		scene.during = i % 2;
		scene_play(_metadata, &scene, &mishap);
	}
}

int main(int argc, char **argv)
{
	return sets_main(argc, argv);
}
