/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vfio-migmux netlink family for tests, by libmnl: beside vfmig, which uses
 * libnl, a second implementation of the protocol.
 */
#ifndef SELFTEST_MNL_H
#define SELFTEST_MNL_H

#include <stdbool.h>
#include <stddef.h>

#include <libmnl/libmnl.h>
#include <linux/types.h>
#include <linux/vfio_migmux_netlink.h>

/**
 * struct nl - a netlink socket and the last answer of the kernel
 * @sock: the socket; it belongs to the network namespace it was opened in
 * @family: id of the family
 * @group: id of its multicast group "events"
 * @seq: sequence number of the last request
 * @text: the kernel's text about the last request, or ""
 * @bad_attr: type of the attribute that the kernel complained of, or 0
 * @missing: type of the attribute that it missed, or 0
 * @message: the message that nl_message_fn is called for
 * @request: the request, see nl_begin()
 */
struct nl {
	struct mnl_socket *sock;
	__u16 family;
	__u32 group;
	__u32 seq;
	char text[256];
	__u32 bad_attr;
	__u32 missing;
	const struct nlmsghdr *message;
	char request[2048];
};

/* Longest message of the family: a session with 64 devices. */
#define NL_BUFFER_SIZE (128 * 1024)

/* Attributes of the messages that this program reads are fewer than this. */
#define NL_MAX_ATTR 32

/* Called for each message of a reply; @attrs by type. */
typedef void (*nl_message_fn)(void *data, __u8 cmd, const struct nlattr **attrs);

int nl_open(struct nl *nl);
int nl_open_family(struct nl *nl, const char *name);
void nl_close(struct nl *nl);

/* Begin a request in nl->request, put attributes with mnl_attr_put_*(), call or send. */
struct nlmsghdr *nl_begin(struct nl *nl, __u8 cmd, __u16 flags);
int nl_send(struct nl *nl);
int nl_receive(struct nl *nl, nl_message_fn fn, void *data);
int nl_call(struct nl *nl, nl_message_fn fn, void *data);

int nl_subscribe(struct nl *nl);
int nl_next_event(struct nl *nl, int timeout_ms, nl_message_fn fn, void *data);

/**
 * struct nl_channels - what a reply says of channels
 * @link: of the last one
 * @id: of the last one
 * @local: of the last one
 * @peer: of the last one
 * @method: of the last one
 * @complete: the last one has all attributes of channel-get
 * @count: how many there were
 * @rising: each had a higher id than the one before
 */
struct nl_channels {
	char link[64];
	__u32 id;
	char local[128];
	char peer[128];
	__u32 method;
	bool complete;
	unsigned int count;
	bool rising;
};

int nl_device(struct nl *nl, __u8 cmd, const char *handle);
int nl_link(struct nl *nl, __u8 cmd, const char *name);
int nl_link_new(struct nl *nl, const char *name);
int nl_link_new_tls(struct nl *nl, const char *name);
int nl_link_del(struct nl *nl, const char *name);
int nl_channel(struct nl *nl, __u8 cmd, const char *link, __u32 id,
	       struct nl_channels *ch);
int nl_channel_new(struct nl *nl, const char *link, int fd, struct nl_channels *ch);
int nl_channel_dump(struct nl *nl, const char *link, struct nl_channels *ch);
int nl_session(struct nl *nl, __u32 id, nl_message_fn fn, void *data);
int nl_dump(struct nl *nl, __u8 cmd, unsigned int *n);

void nl_parse_nested(const struct nlattr *nest, const struct nlattr **attrs);

#endif /* SELFTEST_MNL_H */
