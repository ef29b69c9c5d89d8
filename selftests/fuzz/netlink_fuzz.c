// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the netlink family, made from the table of its spec: right ones, nearly
 * right ones and wrong ones. Each that is refused must be refused with a text, and in the
 * end everything can be taken back. Wants root, the module, and devices that migrate.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>

#include "guest.h"
#include "mnl.h"
#include "peer.h"
#include "vfio.h"

enum kind { KIND_STRING, KIND_U8, KIND_U32, KIND_S32, KIND_FLAG };

/* An attribute of a request, with the limits of the spec. */
struct attr {
	__u16 type;
	enum kind kind;
	__u64 min, max;
	__u32 mask;
};

struct op {
	const char *name;
	__u8 cmd;
	bool dump;
	int nr_attrs;
	struct attr attrs[8];
};

#include "spec_table.h"

static struct nl nl;
static char handles[4][NL_MAX_ATTR * 2];
static int sockets[16];

/* Few names, so that objects are met again. */
static const char *some_name(void)
{
	static const char *const names[] = {
		"l0", "l1", "l2", "vm", "a-name.that_is-as.long_as.it-can",
	};
	int i = rnd(ARRAY_SIZE(names) + ARRAY_SIZE(handles));

	return i < (int)ARRAY_SIZE(names) ? names[i] : handles[i - ARRAY_SIZE(names)];
}

/* A string with one thing about it that may not be right. */
static void put_string(struct nlmsghdr *nlh, const struct attr *a)
{
	char text[512];
	size_t len;

	snprintf(text, sizeof(text), "%s", some_name());
	if (!once_in(4)) {
		mnl_attr_put_strz(nlh, a->type, text);
		return;
	}
	switch (rnd(6)) {
	case 0:		/* empty */
		text[0] = '\0';
		break;
	case 1:		/* as long as can be, or one more */
	case 2:
		len = a->max + rnd(2);
		memset(text, 'x', len);
		text[len] = '\0';
		break;
	case 3:		/* a byte that is not printable */
		text[rnd(strlen(text))] = 1 + rnd(255);
		break;
	case 4:		/* no end */
		mnl_attr_put(nlh, a->type, strlen(text), text);
		return;
	case 5:		/* anything */
		len = rnd(200);
		for (size_t i = 0; i < len; i++)
			text[i] = rnd(256);
		mnl_attr_put(nlh, a->type, len, text);
		return;
	}
	mnl_attr_put_strz(nlh, a->type, text);
}

static __u32 some_number(const struct attr *a)
{
	switch (rnd(8)) {
	case 0:
		return a->min;
	case 1:
		return a->max;
	case 2:
		return a->min - 1;
	case 3:
		return a->max + 1;
	case 4:
		return rnd(1u << 31) << 1;
	case 5:
		return a->mask ? 1u << rnd(32) : rnd(8);
	}
	if (a->kind == KIND_S32)	/* a descriptor */
		return sockets[rnd(ARRAY_SIZE(sockets))];
	return a->mask ? rnd(a->mask + 1) : a->min + rnd(8);
}

static void put_attr(struct nlmsghdr *nlh, const struct attr *a)
{
	const __u16 type = once_in(64) ? a->type | NLA_F_NESTED : a->type;
	char raw[16] = { 0 };
	__u32 value;

	if (a->kind == KIND_STRING) {
		put_string(nlh, a);
		return;
	}
	if (once_in(32)) {	/* of another size */
		mnl_attr_put(nlh, type, rnd(sizeof(raw)), raw);
		return;
	}
	value = some_number(a);
	if (a->kind == KIND_FLAG)
		mnl_attr_put(nlh, type, 0, NULL);
	else if (a->kind == KIND_U8)
		mnl_attr_put_u8(nlh, type, value);
	else
		mnl_attr_put_u32(nlh, type, value);
}

/* Of the whole message; one that goes off its end is not ours to send. */
static void spoil(struct nlmsghdr *nlh)
{
	struct nlattr *attr = (void *)nl.request + MNL_NLMSG_HDRLEN + sizeof(struct genlmsghdr);
	char raw[8] = { 0 };

	switch (rnd(3)) {
	case 0:		/* an attribute that the command does not know */
		mnl_attr_put(nlh, rnd(64), rnd(sizeof(raw)), raw);
		break;
	case 1:		/* a length that is not that of what follows */
		if (nlh->nlmsg_len >= MNL_NLMSG_HDRLEN + sizeof(struct genlmsghdr) + 4)
			attr->nla_len = rnd(0x10000);
		break;
	case 2:		/* the reserved field */
		((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->reserved = rnd(0x10000);
		break;
	}
}

struct counts {
	unsigned long sent, done, refused, silent;
};

/*
 * Refusals that are not the family's: generic netlink does not know the command, or the
 * command not in that form.
 */
static bool not_ours(int err, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	return err == -EOPNOTSUPP || genl->reserved;
}

static void one(struct counts *n)
{
	const struct op *op = &ops[rnd(ARRAY_SIZE(ops))];
	bool dump = once_in(16) ? !op->dump : op->dump;
	struct nlmsghdr *nlh = nl_begin(&nl, once_in(64) ? rnd(256) : op->cmd,
					dump ? NLM_F_DUMP : NLM_F_ACK);
	int i, err;

	for (i = 0; i < op->nr_attrs; i++)
		if (!once_in(6))
			put_attr(nlh, &op->attrs[i]);
	if (once_in(24) && op->nr_attrs)	/* once more */
		put_attr(nlh, &op->attrs[rnd(op->nr_attrs)]);
	if (once_in(16))
		spoil(nlh);
	err = nl_call(&nl, NULL, NULL);
	n->sent++;
	if (!err) {
		n->done++;
		return;
	}
	n->refused++;
	if (nl.text[0] || not_ours(err, nlh))
		return;
	n->silent++;
	printf("# %s is refused with %d and without a word:", op->name, err);
	for (__u32 at = 0; at < nlh->nlmsg_len; at++)
		printf(" %02x", ((__u8 *)nlh)[at]);
	printf("\n");
}

/* Sessions that come, take a link, and go, while the requests run. */
static void sessions(const char *const *idstr, int device_fd)
{
	int fd = session_open();

	if (fd < 0)
		return;
	if (!session_device_add(fd, device_fd, idstr[0], 0))
		session_link_attach(fd, once_in(2) ? "l0" : "l1");
	close(fd);
}

/* --- afterwards ----------------------------------------------------------------------- */

static char found[300][64];
static int nr_found;

static void note(void *data, __u8 cmd, const struct nlattr **attrs)
{
	const __u16 type = *(const __u16 *)data;

	(void)cmd;
	if (attrs[type] && nr_found < (int)ARRAY_SIZE(found))
		snprintf(found[nr_found++], sizeof(found[0]), "%s",
			 mnl_attr_get_str(attrs[type]));
}

static int delete_all(__u8 get, __u8 del, __u16 attr)
{
	struct nlmsghdr *nlh;
	int i, ret;

	nr_found = 0;
	nl_begin(&nl, get, NLM_F_DUMP);
	ret = nl_call(&nl, note, &attr);
	for (i = 0; i < nr_found && !ret; i++) {
		nlh = nl_begin(&nl, del, NLM_F_ACK);
		mnl_attr_put_strz(nlh, attr, found[i]);
		ret = nl_call(&nl, NULL, NULL);
		if (ret)
			printf("# %s stays: %d %s\n", found[i], ret, nl.text);
	}
	return ret;
}

static int tidy(void)
{
	struct nlmsghdr *nlh = nl_begin(&nl, VFIO_MIGMUX_CMD_SET_AUTO_SET, NLM_F_ACK);
	size_t i;
	int ret;

	mnl_attr_put_u8(nlh, VFIO_MIGMUX_A_SET_AUTO_ENABLED, 0);
	ret = nl_call(&nl, NULL, NULL);
	ret = ret ?: delete_all(VFIO_MIGMUX_CMD_SET_GET, VFIO_MIGMUX_CMD_SET_DEL,
				VFIO_MIGMUX_A_SET_NAME);
	ret = ret ?: delete_all(VFIO_MIGMUX_CMD_LINK_GET, VFIO_MIGMUX_CMD_LINK_DEL,
				VFIO_MIGMUX_A_LINK_NAME);
	for (i = 0; i < ARRAY_SIZE(handles); i++)
		nl_device(&nl, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, handles[i]);
	return ret;
}

int main(void)
{
	__u64 until = fuzz_begin();
	struct counts n = { 0 };
	size_t i;
	int ret;

	puts("1..2");
	if (devices_open(&devices, 0, SESSION_DEVICES) || nl_open(&nl)) {
		puts("not ok 1 devices and module are there");
		return 1;
	}
	for (i = 0; i < ARRAY_SIZE(handles); i++)
		snprintf(handles[i], sizeof(handles[0]), "pci/%s", devices.dev[i].addr);
	for (i = 0; i < ARRAY_SIZE(sockets); i += 2)
		if (once_in(2) ? peer_pair(sockets + i) : peer_pair_unix(sockets + i))
			return 1;
	sockets[0] = 0;
	sockets[1] = socket(AF_INET, SOCK_DGRAM, 0);
	while (now_ms() < until) {
		one(&n);
		if (once_in(32))
			sessions(idstrs, devices.dev[0].fd);
	}
	printf("# %lu requests, %lu done, %lu refused\n", n.sent, n.done, n.refused);
	printf("%s 1 each refusal has a text\n", n.silent || !n.done ? "not ok" : "ok");
	ret = tidy() ?: migration_works();
	nl_close(&nl);
	vfio_set_close(&devices);
	for (i = 0; i < ARRAY_SIZE(sockets); i++)
		close(sockets[i]);
	ret = ret ?: module_wait_unused();
	printf("%s 2 all can be taken back, and a migration works\n", ret ? "not ok" : "ok");
	return ret || n.silent || !n.done;
}
