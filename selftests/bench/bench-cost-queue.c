// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving state with the copies and threads of QEMU's multifd device state: what is
 * read is copied into a packet of its own for the thread that sends it; what is
 * received into memory of its own is copied into an entry of a queue for the thread
 * that writes it. All memory is allocated anew.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench-cost.h"

/* The size of the header that multifd has before the data. */
#define HEADER_SIZE 288

struct packet {
	char header[HEADER_SIZE];
	size_t len;
	char *data;
};

/**
 * struct queue - packets from one thread to another
 * @lock: protects what follows
 * @wake: waited for by both
 * @packet: the one that is on its way, or NULL: multifd queues one per channel
 * @closed: no more will come, or nobody takes any more
 */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct packet *packet;
	int closed;
};

#define QUEUE_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0 }

static void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = 1;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

static void packet_free(struct packet *p)
{
	if (!p)
		return;
	free(p->data);
	free(p);
}

/* Owns @p, also when it fails. */
static int queue_put(struct queue *q, struct packet *p)
{
	int ret = -1;

	pthread_mutex_lock(&q->lock);
	while (q->packet && !q->closed)
		pthread_cond_wait(&q->wake, &q->lock);
	if (!q->closed) {
		q->packet = p;
		p = NULL;
		ret = 0;
		pthread_cond_broadcast(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
	packet_free(p);
	return ret;
}

static struct packet *queue_get(struct queue *q)
{
	struct packet *p;

	pthread_mutex_lock(&q->lock);
	while (!q->packet && !q->closed)
		pthread_cond_wait(&q->wake, &q->lock);
	p = q->packet;
	q->packet = NULL;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
	return p;
}

static struct packet *packet_copy(const void *data, size_t len)
{
	struct packet *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->len = len;
	p->data = malloc(len);
	if (!p->data) {
		free(p);
		return NULL;
	}
	memcpy(p->data, data, len);
	return p;
}

/**
 * struct worker - the thread at the far end of a queue
 * @queue: what it gets
 * @fd: where it goes
 * @ret: its result
 */
struct worker {
	struct queue queue;
	int fd;
	int ret;
};

static int packet_send(int sock, const struct packet *p)
{
	const __u32 len = htonl(p->len);
	struct packet head = *p;

	memcpy(head.header, &len, sizeof(len));
	return cost_send(sock, head.header, HEADER_SIZE, MSG_MORE) ||
	       cost_send(sock, p->data, p->len, 0) ? -1 : 0;
}

static void *sender(void *arg)
{
	struct worker *w = arg;
	struct packet *p;

	while (!w->ret && (p = queue_get(&w->queue))) {
		w->ret = packet_send(w->fd, p);
		packet_free(p);
	}
	queue_close(&w->queue);
	return NULL;
}

static int queue_source(const struct cost *cost)
{
	static char buf[COST_BUFFER];
	struct worker w = { .queue = QUEUE_INIT, .fd = cost->src_sock[0] };
	struct packet *p;
	pthread_t thread;
	ssize_t n;

	if (pthread_create(&thread, NULL, sender, &w))
		return cost_fail("thread", EAGAIN);
	while ((n = read(cost->src_data, buf, sizeof(buf))) > 0) {
		p = packet_copy(buf, n);
		if (!p || queue_put(&w.queue, p))
			break;
	}
	queue_close(&w.queue);
	pthread_join(thread, NULL);
	if (n || w.ret)
		return cost_fail("source", n < 0 ? errno : EIO);
	return shutdown(cost->src_sock[0], SHUT_WR);
}

static void *writer(void *arg)
{
	struct worker *w = arg;
	struct packet *p;

	while (!w->ret && (p = queue_get(&w->queue))) {
		w->ret = cost_write(w->fd, p->data, p->len);
		packet_free(p);
	}
	queue_close(&w->queue);
	return NULL;
}

/* As multifd does: whatever has come, until all has. Less than @len at the end. */
static ssize_t receive_all(int sock, char *buf, size_t len)
{
	size_t have = 0;
	ssize_t n;

	do {
		n = recv(sock, buf + have, len - have, 0);
		if (n < 0)
			return cost_fail("recv", errno);
		have += n;
	} while (n && have < len);
	return have;
}

/* One packet from the socket into the queue. 1 at the end, -1 on error. */
static int receive(int sock, struct queue *q)
{
	char header[HEADER_SIZE], *data;
	struct packet *p = NULL;
	ssize_t n;
	__u32 len;

	n = receive_all(sock, header, sizeof(header));
	if (!n)
		return 1;
	memcpy(&len, header, sizeof(len));
	len = ntohl(len);
	if (n != sizeof(header) || !len || len > COST_BUFFER)
		return cost_fail("header", EPROTO);
	data = malloc(len);
	if (data && receive_all(sock, data, len) == len)
		p = packet_copy(data, len);
	free(data);
	if (!p)
		return cost_fail("packet", EIO);
	return queue_put(q, p);
}

static int queue_sink(const struct cost *cost)
{
	struct worker w = { .queue = QUEUE_INIT, .fd = cost->dst_data };
	pthread_t thread;
	int ret;

	if (pthread_create(&thread, NULL, writer, &w))
		return cost_fail("thread", EAGAIN);
	do {
		ret = receive(cost->dst_sock[0], &w.queue);
	} while (!ret);
	queue_close(&w.queue);
	pthread_join(thread, NULL);
	return ret > 0 ? w.ret : -1;
}

const struct cost_way cost_queue = { "queue", queue_source, queue_sink };
