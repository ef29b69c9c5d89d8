// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session that lies in its own channel. AF_UNIX carries files along with bytes, and one may
 * be the session's own: then the socket keeps the session, which keeps the socket, and with
 * it devices, when the VMM has long died. The kernel finds such knots of sockets only.
 *
 * Since 6.16 a channel's socket refuses files (migmux_compat_pass_rights()), as long as nobody
 * who has it tells it otherwise. So a session that was given such a channel has a guard: a mover
 * that never does anything, but is killed with the VMM. Then the channels are shut down, and
 * what lies in them is thrown away.
 *
 * Links are the operator's, and outlive a VMM: they are left alone.
 */
#include <linux/net.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "channel.h"
#include "guard.h"
#include "session.h"

static struct migmux_session *to_session(struct migmux_mover *mover)
{
	return container_of(mover, struct migmux_session, guard);
}

static bool carries_files(const struct migmux_channel *ch)
{
	return ch->sock->sk->sk_family == AF_UNIX;
}

static bool ready(struct migmux_mover *mover)
{
	return false;
}

static void step(struct migmux_mover *mover)
{
}

static void killed(struct migmux_mover *mover)
{
	struct migmux_session *s = to_session(mover);

	migmux_session_killed(s);
	migmux_session_get(s);		/* the work puts it */
	queue_work(migmux_wq, &s->guard_work);
}

static const struct migmux_mover_ops guard_ops = {
	.ready = ready,
	.step = step,
	.killed = killed,
};

/* Nobody sends any more, so there is an end. Files are closed with the bytes they came with. */
static void throw_away(struct migmux_channel *ch)
{
	char buf[256];
	struct kvec vec = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg;
	int n;

	migmux_channel_shutdown(ch, SHUT_RDWR);
	do {
		msg = (struct msghdr) { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
		n = kernel_recvmsg(ch->sock, &msg, &vec, 1, sizeof(buf), msg.msg_flags);
	} while (n > 0);
}

/* The devices are where a failure takes them, and no mover uses a channel. */
static void guard_work(struct work_struct *work)
{
	struct migmux_session *s = container_of(work, struct migmux_session, guard_work);
	u32 i;

	wait_event(s->wq, !READ_ONCE(s->failed) || READ_ONCE(s->ending));
	flush_work(&s->end_work);
	mutex_lock(&s->mutex);
	for (i = 0; i < s->nr_channels && !s->link; i++)
		if (carries_files(s->channels[i]))
			throw_away(s->channels[i]);
	mutex_unlock(&s->mutex);
	migmux_session_put(s);
}

/**
 * migmux_guard_init() - of a new session
 * @s: the session
 */
void migmux_guard_init(struct migmux_session *s)
{
	migmux_mover_init(&s->guard);
	INIT_WORK(&s->guard_work, guard_work);
}

/**
 * migmux_guard_start() - a session gets a channel that is no link's
 * @s: the session
 * @ch: the channel
 *
 * Context: the VMM's ioctl; the session's mutex is held. Sleeps.
 * Return: 0, or the error of creating a thread.
 */
int migmux_guard_start(struct migmux_session *s, const struct migmux_channel *ch)
{
	int err;

	lockdep_assert_held(&s->mutex);
	if (!carries_files(ch) || s->guarded)
		return 0;
	err = migmux_mover_start(&s->guard, &guard_ops, "migmux-guard");
	s->guarded = !err;
	return err;
}

/**
 * migmux_guard_stop() - the session is closed
 * @s: the session
 *
 * Context: sleeps; not from the guard.
 */
void migmux_guard_stop(struct migmux_session *s)
{
	migmux_mover_stop(&s->guard);
}
