// SPDX-License-Identifier: GPL-2.0-only
/* The device-state packets that came from the source, and what became of each */

#include <string.h>

#include "relay.h"

static struct frame *frames;
static unsigned int nr_frames, nr_sent;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one_more = PTHREAD_COND_INITIALIZER;

void frames_add(struct frame *frame)
{
	pthread_mutex_lock(&lock);
	frame->next = frames;
	frames = frame;
	nr_frames++;
	nr_sent += frame->sent;
	pthread_cond_signal(&one_more);
	pthread_mutex_unlock(&lock);
}

static struct frame *find(unsigned int device, uint32_t idx)
{
	struct frame *frame;

	for (frame = frames; frame; frame = frame->next)
		if (frame->device == device && frame->idx == idx)
			return frame;
	return NULL;
}

/* A packet of a device, as soon as it is there. */
struct frame *frames_wait(unsigned int device, uint32_t idx)
{
	struct frame *frame;

	pthread_mutex_lock(&lock);
	while (!(frame = find(device, idx)))
		pthread_cond_wait(&one_more, &lock);
	pthread_mutex_unlock(&lock);
	return frame;
}

/* A device's last packet, which has come. */
struct frame *frames_config(unsigned int device)
{
	struct frame *frame;

	pthread_mutex_lock(&lock);
	for (frame = frames; frame; frame = frame->next)
		if (frame->device == device && frame->config)
			break;
	pthread_mutex_unlock(&lock);
	if (!frame)
		die("no config packet of device %u has come", device);
	return frame;
}

/* Where two packets differ; their size if they do not. */
static size_t difference(const struct frame *frame, const struct packet *packet)
{
	const char *a = (const char *)&frame->packet, *b = (const char *)packet;
	size_t i = 0;

	while (i < frame->size && a[i] == b[i])
		i++;
	return i;
}

/* A packet of ours: the same as the source's, to the last byte? Then it takes its place. */
void frames_replaced(unsigned int device, struct packet *packet, size_t size)
{
	const uint32_t idx = __builtin_bswap32(packet->idx);
	struct frame *frame;
	size_t at;

	pthread_mutex_lock(&lock);
	frame = find(device, idx);
	if (!frame)
		die("device %u: the source has sent no packet %u", device, idx);
	if (frame->sent)
		die("device %u: packet %u comes twice", device, idx);
	if (frame->size != size)
		die("device %u, packet %u: %zu bytes, and the source's has %zu", device,
		    idx, size, frame->size);
	at = difference(frame, packet);
	if (at < size)
		die("device %u, packet %u differs from the source's at byte %zu", device,
		    idx, at);
	frame->sent = true;
	pthread_mutex_unlock(&lock);

	if (options.spoil && !device && !idx)
		((char *)packet)[size - 1] ^= 1;
	inject(packet, size);

	pthread_mutex_lock(&lock);
	nr_sent++;
	pthread_cond_signal(&one_more);
	pthread_mutex_unlock(&lock);
}

/* All that the source sent has been replaced. */
void frames_wait_replaced(void)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	while (nr_sent < nr_frames)
		pthread_cond_wait(&one_more, &lock);
	n = nr_frames;
	pthread_mutex_unlock(&lock);
	say("replaced %u packets", n);
}
