// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run commands on the other test host.
 *
 *	agent serve ADDR PORT
 *	agent call [-i] ADDR PORT CMD [ARG...]
 *
 * "call" runs CMD on the host where "serve" listens, passes its stdout and stderr
 * through, and exits as CMD did (128 + signal when a signal ended it, 125 when the
 * agent itself fails). With -i, stdin goes along too. No shell is involved: arguments
 * arrive as they were given. When the caller goes away, what it started is killed.
 *
 * On the connection each way: frames of a type byte, a 32-bit big-endian length and
 * that many bytes. The caller sends ARGS (NUL-terminated strings) and then STDIN, an
 * empty one at its end; the server sends STDOUT and STDERR, and STATUS last.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_ARGS	'a'
#define FRAME_STDIN	'i'
#define FRAME_STDOUT	'o'
#define FRAME_STDERR	'e'
#define FRAME_STATUS	'x'

#define FRAME_MAX	65536
#define ARGS_MAX	256
#define EXIT_AGENT	125

struct frame {
	char type;
	uint32_t len;
	char data[FRAME_MAX + 1];
};

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err(EXIT_AGENT, "write");
		p += n;
		len -= n;
	}
}

/* Fill the buffer; false when the stream ends before its first byte. */
static bool read_all(int fd, void *data, size_t len)
{
	char *p = data;
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err(EXIT_AGENT, "read");
		if (n == 0 && done == 0)
			return false;
		if (n == 0)
			errx(EXIT_AGENT, "the connection ended inside a frame");
		done += n;
	}
	return true;
}

static void frame_send(int sock, char type, const void *data, uint32_t len)
{
	char head[5] = { type };
	uint32_t be = htonl(len);

	memcpy(head + 1, &be, sizeof(be));
	write_all(sock, head, sizeof(head));
	write_all(sock, data, len);
}

static bool frame_recv(int sock, struct frame *f)
{
	char head[5];

	if (!read_all(sock, head, sizeof(head)))
		return false;
	f->type = head[0];
	memcpy(&f->len, head + 1, sizeof(f->len));
	f->len = ntohl(f->len);
	if (f->len > FRAME_MAX)
		errx(EXIT_AGENT, "a frame of %u bytes", f->len);
	if (f->len && !read_all(sock, f->data, f->len))
		errx(EXIT_AGENT, "the connection ended inside a frame");
	f->data[f->len] = '\0';
	return true;
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
	};

	if (inet_pton(AF_INET, host, &sin.sin_addr) != 1)
		errx(EXIT_AGENT, "%s is no IPv4 address", host);
	return sin;
}

/* --- the server ------------------------------------------------------------- */

/* Move what one pipe holds to the caller; false at its end or when it is empty. */
static bool forward(int sock, int fd, char type)
{
	char buf[FRAME_MAX];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0)
		return false;
	frame_send(sock, type, buf, n);
	return true;
}

/*
 * The server's half that listens to the caller: it hands on stdin, and ends the command
 * when the connection closes. A process of its own, so that a command that does not read
 * cannot keep its output from being read.
 */
static void feed(int sock, int in, pid_t command)
{
	struct frame *f = malloc(sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	while (f && frame_recv(sock, f)) {
		if (f->type != FRAME_STDIN)
			break;
		if (f->len == 0) {
			close(in);
			in = -1;
		} else if (in >= 0 && write(in, f->data, f->len) < 0) {
			close(in);
			in = -1;
		}
	}
	kill(-command, SIGKILL);
	_exit(0);
}

static pid_t spawn(char **argv, int in, int out, int error)
{
	pid_t pid = fork();

	if (pid < 0)
		err(EXIT_AGENT, "fork");
	if (pid)
		return pid;
	setsid();
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(error, 2) < 0)
		_exit(EXIT_AGENT);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/*
 * Pass output on until the command has ended: its end, not that of its pipes, which
 * something that it left in the background may hold open.
 */
static void relay(int sock, pid_t command, int out, int error)
{
	struct pollfd fds[] = {
		{ .fd = out, .events = POLLIN },
		{ .fd = error, .events = POLLIN },
		{ .fd = pidfd_open(command, 0), .events = POLLIN },
	};
	static const char type[] = { FRAME_STDOUT, FRAME_STDERR };

	while (!fds[2].revents) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			err(EXIT_AGENT, "poll");
		for (int i = 0; i < 2; i++)
			if (fds[i].revents && !forward(sock, fds[i].fd, type[i]))
				fds[i].fd = -1;
	}
	for (int i = 0; i < 2; i++)
		while (fds[i].fd >= 0 && poll(&fds[i], 1, 0) > 0 &&
		       forward(sock, fds[i].fd, type[i]))
			;
}

static void serve_one(int sock)
{
	struct frame *f = malloc(sizeof(*f));
	char *argv[ARGS_MAX + 1] = { NULL };
	int in[2], out[2], error[2];
	pid_t command, feeder;
	uint32_t code;
	int status;
	int n = 0;

	if (!f || !frame_recv(sock, f) || f->type != FRAME_ARGS)
		errx(EXIT_AGENT, "no command came");
	for (char *p = f->data; p < f->data + f->len && n < ARGS_MAX; p += strlen(p) + 1)
		argv[n++] = p;
	if (!n)
		errx(EXIT_AGENT, "the command is empty");
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(error, O_CLOEXEC))
		err(EXIT_AGENT, "pipe");
	command = spawn(argv, in[0], out[1], error[1]);
	close(in[0]);
	close(out[1]);
	close(error[1]);
	feeder = fork();
	if (feeder == 0)
		feed(sock, in[1], command);
	close(in[1]);
	relay(sock, command, out[0], error[0]);
	if (waitpid(command, &status, 0) != command)
		err(EXIT_AGENT, "waitpid");
	if (feeder > 0)
		kill(feeder, SIGKILL);
	code = htonl(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	frame_send(sock, FRAME_STATUS, &code, sizeof(code));
	/* closed with something unread, the connection would be reset, and the status lost */
	shutdown(sock, SHUT_WR);
	while (read(sock, f, sizeof(*f)) > 0)
		;
	exit(0);
}

static int serve(const char *host, const char *port)
{
	struct sockaddr_in sin = address(host, port);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (listener < 0)
		err(EXIT_AGENT, "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) || listen(listener, 16))
		err(EXIT_AGENT, "%s:%s", host, port);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pid_t pid;

		if (sock < 0)
			continue;
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		pid = fork();
		if (pid == 0) {
			signal(SIGCHLD, SIG_DFL);
			serve_one(sock);
		}
		close(sock);
	}
}

/* --- the caller --------------------------------------------------------------- */

static void send_args(int sock, char **argv)
{
	char args[FRAME_MAX];
	size_t len = 0;

	for (; *argv; argv++) {
		size_t n = strlen(*argv) + 1;

		if (len + n > sizeof(args))
			errx(EXIT_AGENT, "the command is too long");
		memcpy(args + len, *argv, n);
		len += n;
	}
	frame_send(sock, FRAME_ARGS, args, len);
}

static void send_stdin(int sock)
{
	char buf[FRAME_MAX];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		frame_send(sock, FRAME_STDIN, buf, n);
	frame_send(sock, FRAME_STDIN, NULL, 0);
	_exit(0);
}

static int call(const char *host, const char *port, char **argv, bool with_stdin)
{
	struct sockaddr_in sin = address(host, port);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct frame *f = malloc(sizeof(*f));
	pid_t feeder = -1;
	uint32_t code;
	struct timeval patience = { .tv_sec = 5 };
	int one = 1;

	/* A host that died refuses nothing; only connecting is bounded. */
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!f || sock < 0 || connect(sock, (struct sockaddr *)&sin, sizeof(sin)))
		err(EXIT_AGENT, "%s:%s", host, port);
	patience.tv_sec = 0;
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	send_args(sock, argv);
	if (with_stdin)
		feeder = fork();
	else
		frame_send(sock, FRAME_STDIN, NULL, 0);
	if (feeder == 0)
		send_stdin(sock);
	while (frame_recv(sock, f)) {
		if (f->type == FRAME_STDOUT)
			write_all(1, f->data, f->len);
		else if (f->type == FRAME_STDERR)
			write_all(2, f->data, f->len);
		if (f->type != FRAME_STATUS || f->len != sizeof(code))
			continue;
		if (feeder > 0)
			kill(feeder, SIGKILL);
		memcpy(&code, f->data, sizeof(code));
		return ntohl(code);
	}
	errx(EXIT_AGENT, "the other host went away");
}

static void usage(void)
{
	fputs("usage: agent serve ADDR PORT\n"
	      "       agent call [-i] ADDR PORT CMD [ARG...]\n", stderr);
	exit(EXIT_AGENT);
}

int main(int argc, char **argv)
{
	bool with_stdin;

	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc < 5 || strcmp(argv[1], "call"))
		usage();
	with_stdin = !strcmp(argv[2], "-i");
	if (with_stdin && argc < 6)
		usage();
	argv += 2 + with_stdin;
	return call(argv[0], argv[1], argv + 2, with_stdin);
}
