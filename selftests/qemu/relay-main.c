// SPDX-License-Identifier: GPL-2.0-only
/*
 * What QEMU's main channel has for VFIO devices. Its format is QEMU's own affair, and
 * so no parser is wanted here: the few things of interest are told apart by their looks,
 * which nothing else on the channel has.
 *
 *	01 section len idstr ...		a device's section begins
 *	02 section ..ef100004 size bytes	a piece of what pre-copy yields
 *	03 section ..ef100001			the device's section ends
 *
 * Integers are big-endian: section has 4 bytes, the markers and size have 8.
 */
#include <stdlib.h>
#include <string.h>

#include "relay.h"

#define SECTION_START	1
#define SECTION_PART	2
#define SECTION_END	3
#define MARK_STATE	0xffffffffef100004ULL
#define MARK_END	0xffffffffef100001ULL
#define PIECE_MAX	(64u << 20)

static unsigned char *stream;	/* all that has come */
static size_t have, seen;
static uint32_t sections[DEVICES_MAX];
static unsigned int nr_sections, nr_over;
static unsigned long long nr_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;

static uint64_t get(const unsigned char *at, int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

/* Whose section is it? It began long before it has a part or an end. */
static int section_device(uint32_t section)
{
	char name[IDSTR_SIZE + 1];
	unsigned char *at;
	int len;

	for (; (len = sessions_named(nr_sections, name + 1)); nr_sections++) {
		name[0] = len;
		at = memmem(stream, have, name, len + 1);
		if (!at || at < stream + 5 || at[-5] != SECTION_START)
			break;
		sections[nr_sections] = get(at - 4, 4);
	}
	for (len = 0; len < nr_sections; len++)
		if (sections[len] == section)
			return len;
	return -1;
}

/* A piece at @at: false if it is not all there yet. */
static bool piece(const unsigned char *at, int device, size_t *size)
{
	const size_t left = have - (at - stream);
	uint64_t bytes;

	if (left < 8)
		return false;
	bytes = get(at, 8);
	if (bytes > PIECE_MAX)
		die("a piece of pre-copy of %llu bytes", (unsigned long long)bytes);
	if (left < 8 + bytes)
		return false;
	sessions_precopy(device, at + 8, bytes);
	nr_bytes += bytes;
	*size = 8 + bytes;
	return true;
}

static void ended(void)
{
	pthread_mutex_lock(&lock);
	nr_over++;
	pthread_cond_signal(&over);
	pthread_mutex_unlock(&lock);
}

void main_scan(const void *bytes, size_t size)
{
	const unsigned char *at;
	uint64_t mark;
	int device;

	stream = realloc(stream, have + size);
	if (!stream)
		die("no memory");
	memcpy(stream + have, bytes, size);
	for (have += size; seen + 13 <= have; seen++) {
		at = stream + seen;
		mark = get(at + 5, 8);
		if (!(at[0] == SECTION_PART && mark == MARK_STATE) &&
		    !(at[0] == SECTION_END && mark == MARK_END))
			continue;
		device = section_device(get(at + 1, 4));
		if (device < 0)
			continue;
		size = 0;
		if (at[0] == SECTION_END)
			ended();
		else if (!piece(at + 13, device, &size))
			return;
		seen += 12 + size;
	}
}

/* The sections of all devices have ended: no more pre-copy data comes. */
void main_wait_over(void)
{
	char name[IDSTR_SIZE];

	pthread_mutex_lock(&lock);
	while (!nr_over || sessions_named(nr_over, name))
		pthread_cond_wait(&over, &lock);
	pthread_mutex_unlock(&lock);
	if (!nr_bytes)
		die("pre-copy has yielded nothing");
	say("precopy %llu bytes", nr_bytes);
}
