// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets over netlink: every refusal with its errno and its text, what a set shows of
 * itself, notifications, who may do what. Nothing is migrated here.
 */
#include <net/if.h>
#include <sched.h>

#include "set_fixture.h"

#define NOBODY		65534

/* The longest name that a set may have, and one more character. */
#define NAME_31		"abcdefghijklmnopqrstuvwxyz01234"
#define NAME_32		NAME_31 "5"

#define NEW		VFIO_MIGMUX_CMD_SET_NEW
#define SET		VFIO_MIGMUX_CMD_SET_SET
#define DEL		VFIO_MIGMUX_CMD_SET_DEL
#define GET		VFIO_MIGMUX_CMD_SET_GET
#define AUTO_SET	VFIO_MIGMUX_CMD_SET_AUTO_SET
#define AUTO_GET	VFIO_MIGMUX_CMD_SET_AUTO_GET

#define A_NAME		VFIO_MIGMUX_A_SET_NAME
#define A_POLICY	VFIO_MIGMUX_A_SET_POLICY
#define A_MAX_PARALLEL	VFIO_MIGMUX_A_SET_MAX_PARALLEL
#define A_CLAIM_TIMEOUT	VFIO_MIGMUX_A_SET_CLAIM_TIMEOUT
#define A_ALLOW_NO_P2P	VFIO_MIGMUX_A_SET_ALLOW_NO_P2P
#define A_ADD		VFIO_MIGMUX_A_SET_ADD
#define A_REMOVE	VFIO_MIGMUX_A_SET_REMOVE

#define NOWHERE		"pci/ffff:ff:1f.7"	/* no such device */

static const char *device(int i)
{
	return handle_of(devices.dev[i].addr);
}

/* A request with one number or text beside the name. */
static int with_u32(struct nl *nl, __u8 cmd, __u16 attr, __u32 value)
{
	struct nlmsghdr *nlh = nl_set_begin(nl, cmd, "s");

	mnl_attr_put_u32(nlh, attr, value);
	return nl_call(nl, NULL, NULL);
}

static int with_u8(struct nl *nl, __u8 cmd, __u16 attr, __u8 value)
{
	struct nlmsghdr *nlh = nl_set_begin(nl, cmd, "s");

	mnl_attr_put_u8(nlh, attr, value);
	return nl_call(nl, NULL, NULL);
}

static int with_text(struct nl *nl, __u8 cmd, __u16 attr, const char *text)
{
	struct nlmsghdr *nlh = nl_set_begin(nl, cmd, "s");

	mnl_attr_put_strz(nlh, attr, text);
	return nl_call(nl, NULL, NULL);
}

static int plain(struct nl *nl, __u8 cmd, const char *name)
{
	nl_set_begin(nl, cmd, name);
	return nl_call(nl, NULL, NULL);
}

/* --- what is missing or malformed ------------------------------------------------- */

TEST_F(sets, missing_attributes)
{
	static const __u8 cmds[] = { NEW, SET, DEL, GET };
	struct nl *nl = &self->nl;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		nl_begin(nl, cmds[i], NLM_F_ACK);
		EXPECT_REFUSED(nl, EINVAL, "'name'", nl_call(nl, NULL, NULL));
		EXPECT_EQ(A_NAME, nl->missing);
	}

	/* a change of nothing is none of these */
	ASSERT_EQ(0, plain(nl, NEW, "s"));
	EXPECT_EQ(0, plain(nl, SET, "s"));
	nl_begin(nl, AUTO_SET, NLM_F_ACK);
	EXPECT_EQ(0, nl_call(nl, NULL, NULL));
}

TEST_F(sets, names)
{
	static const char * const bad[] = { "a b", "a/b", "a\n", "l\xc3\xa4", "a:b", "*" };
	static const char * const good[] = { "a", "0", "A.b_c-9", NAME_31 };
	static const __u8 cmds[] = { NEW, SET, DEL, GET };
	struct nl *nl = &self->nl;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_REFUSED(nl, EINVAL, "ttribute", plain(nl, cmds[i], NAME_32));
		EXPECT_EQ(A_NAME, nl->bad_attr);
	}
	for (j = 0; j < ARRAY_SIZE(bad); j++)
		EXPECT_REFUSED(nl, EINVAL, "A-Z a-z 0-9", plain(nl, NEW, bad[j]));
	EXPECT_REFUSED(nl, EINVAL, "name", plain(nl, NEW, ""));
	for (j = 0; j < ARRAY_SIZE(good); j++) {
		EXPECT_REFUSED(nl, ENOENT, good[j], plain(nl, SET, good[j]));
		EXPECT_REFUSED(nl, ENOENT, good[j], plain(nl, DEL, good[j]));
		EXPECT_REFUSED(nl, ENOENT, good[j], plain(nl, GET, good[j]));
		EXPECT_EQ(0, plain(nl, NEW, good[j]));
		EXPECT_REFUSED(nl, EEXIST, good[j], plain(nl, NEW, good[j]));
		EXPECT_EQ(0, plain(nl, GET, good[j]));
		EXPECT_EQ(0, plain(nl, DEL, good[j]));
	}
}

/* An attribute of the wrong size, out of range, too long, not terminated, unknown. */
TEST_F(sets, wrong_attributes)
{
	static const __u8 cmds[] = { NEW, SET };
	static const __u16 numbers[] = { A_POLICY, A_MAX_PARALLEL, A_CLAIM_TIMEOUT };
	char long_handle[VFIO_MIGMUX_HANDLE_MAX + 2];
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	size_t i, j;

	memset(long_handle, 'x', sizeof(long_handle) - 1);
	long_handle[sizeof(long_handle) - 1] = '\0';
	ASSERT_EQ(0, plain(nl, NEW, "s"));
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		__u8 cmd = cmds[i];

		for (j = 0; j < ARRAY_SIZE(numbers); j++) {
			EXPECT_REFUSED(nl, EINVAL, "ttribute", with_u8(nl, cmd, numbers[j], 1));
			EXPECT_EQ(numbers[j], nl->bad_attr);
		}
		EXPECT_REFUSED(nl, EINVAL, "ttribute", with_u32(nl, cmd, A_ALLOW_NO_P2P, 1));
		EXPECT_EQ(A_ALLOW_NO_P2P, nl->bad_attr);
		EXPECT_REFUSED(nl, ERANGE, "range", with_u32(nl, cmd, A_CLAIM_TIMEOUT, 0));
		EXPECT_EQ(A_CLAIM_TIMEOUT, nl->bad_attr);
		EXPECT_REFUSED(nl, ERANGE, "range", with_u32(nl, cmd, A_CLAIM_TIMEOUT, 600001));
		EXPECT_REFUSED(nl, ERANGE, "range", with_u8(nl, cmd, A_ALLOW_NO_P2P, 2));
		EXPECT_EQ(A_ALLOW_NO_P2P, nl->bad_attr);
		/* of several the kernel checks the length in another way */
		EXPECT_REFUSED(nl, ERANGE, "ttribute", with_text(nl, cmd, A_ADD, long_handle));
		EXPECT_EQ(A_ADD, nl->bad_attr);
		/* bits that no policy has */
		EXPECT_NE(0, with_u32(nl, cmd, A_POLICY, P_DEFAULT | 1 << 6));
		EXPECT_STRNE("", nl->text);
		EXPECT_EQ(A_POLICY, nl->bad_attr);

		nlh = nl_set_begin(nl, cmd, cmd == NEW ? "t" : "s");
		mnl_attr_put(nlh, A_ADD, 4, "abcd");
		EXPECT_EQ(-EINVAL, nl_call(nl, NULL, NULL));
		EXPECT_STRNE("", nl->text);

		/* what only a reply has */
		EXPECT_REFUSED(nl, EINVAL, "ttribute",
			       with_u32(nl, cmd, VFIO_MIGMUX_A_SET_TIMELINE, 1));
	}
	EXPECT_REFUSED(nl, EINVAL, "ttribute", with_text(nl, NEW, A_REMOVE, NOWHERE));
	EXPECT_REFUSED(nl, EINVAL, "ttribute", with_u32(nl, DEL, A_POLICY, 1));
	EXPECT_REFUSED(nl, EINVAL, "ttribute", with_u32(nl, GET, A_POLICY, 1));

	/* nothing of it has happened */
	EXPECT_EQ(0, nl_set_del(nl, "s"));
}

TEST_F(sets, automatic_configuration)
{
	struct nl *nl = &self->nl;
	__u32 policy = P_ALL, bad = 1 << 6;
	struct nl_auto before, now;
	struct nlmsghdr *nlh;

	ASSERT_EQ(0, nl_auto_get(nl, &before));
	EXPECT_TRUE(before.complete);
	EXPECT_EQ(0, before.enabled);
	EXPECT_EQ(5000, before.claim_timeout);

	nlh = nl_begin(nl, AUTO_SET, NLM_F_ACK);
	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_AUTO_ENABLED, 2);
	EXPECT_REFUSED(nl, ERANGE, "range", nl_call(nl, NULL, NULL));
	EXPECT_NE(0, nl_auto_set(nl, true, &bad));
	EXPECT_STRNE("", nl->text);
	nlh = nl_begin(nl, AUTO_SET, NLM_F_ACK);
	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_AUTO_ENABLED, 1);
	mnl_attr_put_u32(nlh, VFIO_MIGMUX_A_SET_AUTO_CLAIM_TIMEOUT, 0);
	EXPECT_REFUSED(nl, ERANGE, "range", nl_call(nl, NULL, NULL));
	ASSERT_EQ(0, nl_auto_get(nl, &now));
	EXPECT_EQ(0, memcmp(&before, &now, sizeof(now)));

	ASSERT_EQ(0, nl_auto_set(nl, true, &policy));
	ASSERT_EQ(0, nl_auto_get(nl, &now));
	EXPECT_EQ(1, now.enabled);
	EXPECT_EQ(P_ALL, now.policy);
	policy = before.policy;
	ASSERT_EQ(0, nl_auto_set(nl, false, &policy));
	ASSERT_EQ(0, nl_auto_get(nl, &now));
	EXPECT_EQ(0, memcmp(&before, &now, sizeof(now)));
}

/* --- members ---------------------------------------------------------------------- */

TEST_F(sets, what_it_shows)
{
	const char *const members[] = { device(0), device(1), NOWHERE };
	const struct nl_set_member *member;
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	struct nl_set set;
	char name[64];

	nlh = nl_set_begin(nl, NEW, "s");
	nl_set_put_devices(nlh, A_ADD, 3, members);
	ASSERT_EQ(0, nl_call(nl, NULL, NULL));

	/* the defaults, and members that need not exist */
	ASSERT_EQ(0, nl_set_get(nl, "s", &set));
	EXPECT_TRUE(set.complete);
	EXPECT_STREQ("s", set.name);
	EXPECT_EQ(P_DEFAULT, set.policy);
	EXPECT_EQ(0, set.max_parallel);
	EXPECT_EQ(5000, set.claim_timeout);
	EXPECT_EQ(0, set.allow_no_p2p);
	EXPECT_FALSE(set.automatic);
	EXPECT_EQ(3, set.members);
	member = nl_set_member(&set, device(0));
	ASSERT_NE(NULL, member);
	EXPECT_TRUE(member->present);
	EXPECT_FALSE(member->driven);
	EXPECT_FALSE(member->pending);
	member = nl_set_member(&set, NOWHERE);
	ASSERT_NE(NULL, member);
	EXPECT_FALSE(member->present);
	EXPECT_EQ(0, nl_device_set(nl, device(0), name, sizeof(name)));
	EXPECT_STREQ("s", name);
	EXPECT_EQ(0, nl_device_set(nl, device(2), name, sizeof(name)));
	EXPECT_STREQ("", name);

	/* all that can be changed, at once */
	nlh = nl_set_begin(nl, SET, "s");
	mnl_attr_put_u32(nlh, A_POLICY, P_ALL | P_BARRIER);
	mnl_attr_put_u32(nlh, A_MAX_PARALLEL, 7);
	mnl_attr_put_u32(nlh, A_CLAIM_TIMEOUT, 600000);
	mnl_attr_put_u8(nlh, A_ALLOW_NO_P2P, 1);
	mnl_attr_put_strz(nlh, A_ADD, device(2));
	mnl_attr_put_strz(nlh, A_REMOVE, NOWHERE);
	mnl_attr_put_strz(nlh, A_REMOVE, device(0));
	ASSERT_EQ(0, nl_call(nl, NULL, NULL));
	ASSERT_EQ(0, nl_set_get(nl, "s", &set));
	EXPECT_EQ(P_ALL | P_BARRIER, set.policy);
	EXPECT_EQ(7, set.max_parallel);
	EXPECT_EQ(600000, set.claim_timeout);
	EXPECT_EQ(1, set.allow_no_p2p);
	EXPECT_EQ(2, set.members);
	EXPECT_NE(NULL, nl_set_member(&set, device(1)));
	EXPECT_NE(NULL, nl_set_member(&set, device(2)));

	/* one thing, and the rest stays */
	ASSERT_EQ(0, set_policy(nl, "s", P_STOP));
	ASSERT_EQ(0, nl_set_get(nl, "s", &set));
	EXPECT_EQ(P_STOP, set.policy);
	EXPECT_EQ(7, set.max_parallel);

	ASSERT_EQ(0, nl_set_del(nl, "s"));
	EXPECT_EQ(0, nl_device_set(nl, device(1), name, sizeof(name)));
	EXPECT_STREQ("", name);
}

TEST_F(sets, members_refused)
{
	const char *const two[] = { device(0), device(1) };
	const char *const twice[] = { device(2), device(2) };
	struct nl *nl = &self->nl;
	struct nlmsghdr *nlh;
	struct nl_set set;

	ASSERT_EQ(0, nl_set_new(nl, "a", P_DEFAULT, 2, two));
	ASSERT_EQ(0, nl_set_new(nl, "b", P_DEFAULT, 0, NULL));

	/* a device in two sets: the text says in which it is */
	EXPECT_REFUSED(nl, EBUSY, "a", nl_set_change(nl, "b", A_ADD, two[1]));
	EXPECT_TRUE(nl_said(nl, two[1]));
	EXPECT_REFUSED(nl, EBUSY, two[0], nl_set_new(nl, "c", P_DEFAULT, 2, two));
	EXPECT_EQ(-ENOENT, nl_set_del(nl, "c"));

	/* twice in the same */
	EXPECT_REFUSED(nl, EEXIST, two[0], nl_set_change(nl, "a", A_ADD, two[0]));
	EXPECT_REFUSED(nl, EEXIST, twice[0], nl_set_new(nl, "c", P_DEFAULT, 2, twice));
	EXPECT_EQ(-ENOENT, nl_set_del(nl, "c"));

	/* one that is no member */
	EXPECT_REFUSED(nl, ENOENT, twice[0], nl_set_change(nl, "a", A_REMOVE, twice[0]));
	EXPECT_REFUSED(nl, ENOENT, two[0], nl_set_change(nl, "b", A_REMOVE, two[0]));

	/* no handle */
	EXPECT_REFUSED(nl, EINVAL, "BUS/NAME", nl_set_change(nl, "b", A_ADD, ""));

	/* all or nothing: of a change that is refused nothing stays */
	nlh = nl_set_begin(nl, SET, "b");
	mnl_attr_put_u32(nlh, A_POLICY, P_BARRIER);
	mnl_attr_put_strz(nlh, A_ADD, twice[0]);
	mnl_attr_put_strz(nlh, A_ADD, two[0]);
	EXPECT_REFUSED(nl, EBUSY, two[0], nl_call(nl, NULL, NULL));
	ASSERT_EQ(0, nl_set_get(nl, "b", &set));
	EXPECT_EQ(0, set.members);
	EXPECT_EQ(P_DEFAULT, set.policy);
}

TEST_F(sets, dump)
{
	struct nl *nl = &self->nl;
	const char *one;
	struct nl_set set;
	char name[16];
	int i;

	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		one = i < devices.n ? device(i) : NULL;
		ASSERT_EQ(0, nl_set_new(nl, name, P_DEFAULT, !!one, &one));
	}
	ASSERT_EQ(0, nl_set_dump(nl, &set));
	EXPECT_EQ(40, set.count);
	EXPECT_TRUE(set.complete);
}

/* More than the kernel gives in one part, which has at most 32 KiB. */
#define DUMPED		200
#define DUMPED_MEMBERS	4

static void count_by_name(void *data, __u8 cmd, const struct nlattr **attrs)
{
	unsigned int *times = data, i;

	(void)cmd;
	if (attrs[A_NAME] && sscanf(mnl_attr_get_str(attrs[A_NAME]), "s%u", &i) == 1 &&
	    i < DUMPED)
		times[i]++;
}

/* One that goes while they are told, part by part, takes no other one along. */
TEST_F(sets, dump_while_one_goes)
{
	static const char *const nowhere[DUMPED_MEMBERS] = {
		"pci/ffff:ff:1f.4", "pci/ffff:ff:1f.5", "pci/ffff:ff:1f.6", NOWHERE,
	};
	unsigned int times[DUMPED] = { };
	struct nl *nl = &self->nl;
	struct nl dump;
	char name[16];
	int i;

	for (i = 0; i < DUMPED; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ASSERT_EQ(0, nl_set_new(nl, name, P_DEFAULT, DUMPED_MEMBERS, nowhere));
	}
	ASSERT_EQ(0, nl_open(&dump));
	nl_begin(&dump, GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_send(&dump));
	EXPECT_EQ(0, nl_set_del(nl, "s0"));
	ASSERT_EQ(0, nl_receive(&dump, count_by_name, times));
	nl_close(&dump);
	for (i = 1; i < DUMPED; i++) {
		EXPECT_EQ(1, times[i])
			TH_LOG("s%d", i);
		snprintf(name, sizeof(name), "s%d", i);
		EXPECT_EQ(0, nl_set_del(nl, name));
	}
}

/* The ops go back to the driver, and the device is hooked no longer than it must be. */
TEST_F(sets, hooks)
{
	const char *const two[] = { device(0), device(1) };
	struct nl *nl = &self->nl;

	ASSERT_EQ(0, nl_device(nl, VFIO_MIGMUX_CMD_DEVICE_HOOK, two[0]));
	ASSERT_EQ(0, nl_set_new(nl, "s", P_DEFAULT, 2, two));
	/* what the operator hooked stays hooked, what the set hooked is the set's */
	EXPECT_EQ(0, nl_device(nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, two[0]));
	EXPECT_NE(0, nl_device(nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, two[1]));
	EXPECT_STRNE("", nl->text);
	EXPECT_EQ(0, vmm_boot(&self->src));
	EXPECT_TRUE(member_driven(nl, "s", devices.dev[0].addr));
	EXPECT_EQ(0, nl_set_del(nl, "s"));
	EXPECT_EQ(0, vmm_boot(&self->src));
}

/* --- who may do what -------------------------------------------------------------- */

TEST_F(sets, unprivileged)
{
	const char *one = device(0);
	struct nl_auto conf;
	struct nl_set set;
	struct nl nl;

	ASSERT_EQ(0, nl_set_new(&self->nl, "s", P_DEFAULT, 1, &one));
	ASSERT_EQ(0, seteuid(NOBODY));
	ASSERT_EQ(0, nl_open(&nl));
	EXPECT_EQ(-EPERM, plain(&nl, NEW, "t"));
	EXPECT_EQ(-EPERM, plain(&nl, SET, "s"));
	EXPECT_EQ(-EPERM, plain(&nl, DEL, "s"));
	EXPECT_EQ(-EPERM, nl_auto_set(&nl, true, NULL));
	/* to look is free */
	EXPECT_EQ(0, nl_set_get(&nl, "s", &set));
	EXPECT_EQ(0, nl_set_dump(&nl, &set));
	EXPECT_EQ(1, set.count);
	EXPECT_EQ(0, nl_auto_get(&nl, &conf));
	nl_close(&nl);
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(0, nl_set_del(&self->nl, "s"));
}

TEST_F(sets, other_namespace)
{
	static const __u8 cmds[] = { NEW, SET, DEL, GET };
	struct nl_auto conf;
	struct nl_set set;
	struct nl nl;
	size_t i;
	int host;

	ASSERT_EQ(0, plain(&self->nl, NEW, "s"));
	host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, host);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, nl_open(&nl));
	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		EXPECT_REFUSED(&nl, EPERM, "initial network namespace",
			       plain(&nl, cmds[i], "s"));
	EXPECT_REFUSED(&nl, EPERM, "initial network namespace", nl_set_dump(&nl, &set));
	EXPECT_REFUSED(&nl, EPERM, "initial network namespace", nl_auto_set(&nl, true, NULL));
	EXPECT_REFUSED(&nl, EPERM, "initial network namespace", nl_auto_get(&nl, &conf));
	nl_close(&nl);
	ASSERT_EQ(0, setns(host, CLONE_NEWNET));
	close(host);
	EXPECT_EQ(0, nl_set_del(&self->nl, "s"));
}

/* --- notifications ---------------------------------------------------------------- */

struct ntf {
	__u8 cmd;
	struct nl_set set;
};

static void ntf_seen(void *data, __u8 cmd, const struct nlattr **attrs)
{
	struct ntf *ntf = data;

	ntf->cmd = cmd;
	if (cmd == VFIO_MIGMUX_CMD_SET_NTF)
		nl_set_seen(&ntf->set, cmd, attrs);
}

/* The next notification about a set; those about devices are somebody else's. */
static int next_ntf(struct nl *listener, struct ntf *ntf)
{
	int ret;

	do {
		ret = nl_next_event(listener, 5000, ntf_seen, ntf);
	} while (!ret && ntf->cmd != VFIO_MIGMUX_CMD_SET_NTF);
	return ret;
}

TEST_F(sets, notifications)
{
	const char *one = device(0);
	struct nl listener;
	struct ntf ntf = { .set.nl = &listener };

	ASSERT_EQ(0, nl_open(&listener));
	ASSERT_EQ(0, nl_subscribe(&listener));
	/* a refusal is no event */
	EXPECT_NE(0, nl_set_new(&self->nl, "not good", P_DEFAULT, 0, NULL));
	ASSERT_EQ(0, nl_set_new(&self->nl, "s", P_STOP, 1, &one));
	ASSERT_EQ(0, set_policy(&self->nl, "s", P_ALL));
	ASSERT_EQ(0, nl_set_change(&self->nl, "s", A_REMOVE, one));
	ASSERT_EQ(0, nl_set_del(&self->nl, "s"));

	ASSERT_EQ(0, next_ntf(&listener, &ntf));
	EXPECT_STREQ("s", ntf.set.name);
	EXPECT_EQ(P_STOP, ntf.set.policy);
	EXPECT_EQ(1, ntf.set.members);
	EXPECT_FALSE(ntf.set.gone);
	ASSERT_EQ(0, next_ntf(&listener, &ntf));
	EXPECT_EQ(P_ALL, ntf.set.policy);
	ASSERT_EQ(0, next_ntf(&listener, &ntf));
	EXPECT_EQ(0, ntf.set.members);
	ASSERT_EQ(0, next_ntf(&listener, &ntf));
	EXPECT_STREQ("s", ntf.set.name);
	EXPECT_TRUE(ntf.set.gone);
	nl_close(&listener);
}

int main(int argc, char **argv)
{
	/* nothing is hooked but by sets */
	if (sets_devices_open())
		devices.n = 0;
	return test_harness_run(argc, argv);
}
