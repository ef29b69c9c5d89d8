// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a listening AF_UNIX socket: it outlives whoever made it, so one that
 * nobody listens on any more is replaced, and ours goes when it is not needed.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sockfile.h"

/*
 * Is there a socket's file without a socket? The question is asked with the wrong type of
 * socket, so that one who does listen is not given a connection. Without one it is refused.
 */
static bool is_stale(const char *path, const struct sockaddr *sa, socklen_t len)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, sa, len) && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* Only the owner may connect: nobody is authenticated. */
static int bind_private(int fd, const struct sockaddr *sa, socklen_t len)
{
	mode_t old = umask(0177);
	int ret = bind(fd, sa, len) ? -errno : 0;

	umask(old);
	return ret;
}

/**
 * sockfile_bind() - bind a socket that is going to listen
 * @fd: the socket
 * @addr: where; a path or an abstract name
 * @sa: the same for bind()
 * @len: its length
 * @file: set to the file that is made; none for an abstract name
 *
 * Return: 0, or a negative errno: -EADDRINUSE when another listens there, -EEXIST when
 * something is there that is not a socket.
 */
int sockfile_bind(int fd, const struct address *addr, const struct sockaddr *sa,
		  socklen_t len, struct sockfile *file)
{
	struct stat st;
	int ret;

	ret = bind_private(fd, sa, len);
	if (*addr->path == '@')
		return ret;
	if (ret == -EADDRINUSE && is_stale(addr->path, sa, len) && !unlink(addr->path))
		ret = bind_private(fd, sa, len);
	if (ret == -EADDRINUSE && !lstat(addr->path, &st) && !S_ISSOCK(st.st_mode))
		ret = -EEXIST;
	if (!ret)
		file->made = !lstat(addr->path, &file->st);
	return ret;
}

/**
 * sockfile_remove() - remove the file, if it is still ours
 * @addr: where
 * @file: from sockfile_bind()
 */
void sockfile_remove(const struct address *addr, struct sockfile *file)
{
	struct stat st;

	if (file->made && !lstat(addr->path, &st) && st.st_dev == file->st.st_dev &&
	    st.st_ino == file->st.st_ino)
		unlink(addr->path);
	file->made = false;
}
