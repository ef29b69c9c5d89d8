/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of a listening AF_UNIX socket.
 */
#ifndef VFMIG_SOCKFILE_H
#define VFMIG_SOCKFILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "parse.h"

/**
 * struct sockfile - a socket's file in the file system
 * @made: it is there, and ours
 * @st: which file it is
 */
struct sockfile {
	bool made;
	struct stat st;
};

int sockfile_bind(int fd, const struct address *addr, const struct sockaddr *sa,
		  socklen_t len, struct sockfile *file);
void sockfile_remove(const struct address *addr, struct sockfile *file);

#endif /* VFMIG_SOCKFILE_H */
