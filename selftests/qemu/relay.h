/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A relay between two stock QEMUs, which lets sessions of ours have a part in their
 * migration. It parses nothing but multifd's packets (Documentation/wire.rst).
 */
#ifndef QEMU_RELAY_H
#define QEMU_RELAY_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define DEVICES_MAX	8
#define CONNS_MAX	16
#define IDSTR_SIZE	256

/* what all of QEMU's packets begin with; big-endian, as all below */
struct prefix {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
};

/* a device-state packet: data follows */
struct packet {
	struct prefix prefix;
	char idstr[IDSTR_SIZE];
	uint32_t instance_id;
	uint32_t size;		/* of what follows here */
	uint32_t payload_version;
	uint32_t idx;
	uint32_t payload_flags;
};

#define PAYLOAD_AT	offsetof(struct packet, payload_version)
#define CONFIG		1u	/* in payload_flags */

static_assert(sizeof(struct packet) == 288, "QEMU's layout");

/**
 * struct frame - a device-state packet that came from the source
 * @next: in relay.c's list of all
 * @device: index
 * @idx: its number, in the host's terms
 * @config: it is the last one
 * @sent: one like it has gone to the destination in its place
 * @size: bytes of @packet and what follows
 * @packet: as it came
 */
struct frame {
	struct frame *next;
	unsigned int device;
	uint32_t idx;
	bool config;
	bool sent;
	size_t size;
	struct packet packet;
};

/**
 * struct options - what is asked for
 * @precopy: what the main channel brings for a device is written by the relay, before a
 *	session adopts the data file
 * @replace: the destination gets our packets, not the source's
 * @adopt: the relay moves the devices, and sessions adopt their data files
 * @channels: frames go to our destination by channels, not by LOAD_BUFFER
 * @spoil: one of our packets gets a wrong byte
 * @staging: budget of each session in bytes
 */
struct options {
	bool precopy;
	bool replace;
	bool adopt;
	bool channels;
	bool spoil;
	uint64_t staging;
};

extern struct options options;

/* Ends the program: a test needs no more than to be told why. */
noreturn void die(const char *fmt, ...);
/* Tells the script how far it is, a line on stdout. */
void say(const char *fmt, ...);
bool read_all(int fd, void *buf, size_t size);
bool write_all(int fd, const void *buf, size_t size);

/* relay.c: packets between the QEMUs */
void inject(const void *packet, size_t size);

/* relay-frames.c: those that came */
void frames_add(struct frame *frame);
struct frame *frames_wait(unsigned int device, uint32_t idx);
struct frame *frames_config(unsigned int device);
void frames_replaced(unsigned int device, struct packet *packet, size_t size);
void frames_wait_replaced(void);

/* relay-main.c: what the main channel has for devices */
void main_scan(const void *bytes, size_t size);
void main_wait_over(void);

/* relay-sessions.c: our destination, then our source */
void sessions_open(int n, char *const args[]);
int sessions_named(unsigned int device, char name[IDSTR_SIZE]);
void sessions_precopy(unsigned int device, const void *bytes, size_t size);
unsigned int sessions_device(const struct packet *packet);
void sessions_load(const struct frame *frame, unsigned int conn);

#endif /* QEMU_RELAY_H */
