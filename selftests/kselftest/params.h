/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's parameters, and other files that hold a number. */
#ifndef SELFTEST_PARAMS_H
#define SELFTEST_PARAMS_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARAMS	"/sys/module/vfio_migmux/parameters/"

static inline int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -errno;

	close(fd);
	return ret;
}

static inline int number_write(const char *path, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	return text_write(path, text);
}

/* The number behind @key, or at the beginning. */
static inline long number_read(const char *path, const char *key)
{
	static char text[16384];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = key ? strstr(text, key) : text;
	return at ? atol(at + (key ? strlen(key) : 0)) : -1;
}

#endif /* SELFTEST_PARAMS_H */
