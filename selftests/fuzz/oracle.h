/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a fuzzer checks after each call of a decoder, whichever it is.
 */
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include <stdlib.h>

#include "wire.h"
#include "../unit/wire_bytes.h"

/* Tells the sanitizer's way: with the input, which libFuzzer then keeps. */
#define REQUIRE(what) do {						\
	if (!(what)) {							\
		fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what); \
		abort();						\
	}								\
} while (0)

/* libFuzzer has another name for it, see the Makefile. */
int fuzz_one(const uint8_t *data, size_t size);

/*
 * An input's first byte chooses what is tried, the rest goes to @in, zeros behind it. A
 * choice that nobody knows, and so is not worth to be kept, if there is none or it is too long.
 */
static inline u8 take_input(void *in, size_t room, const uint8_t *data, size_t size)
{
	memset(in, 0, room);
	if (!size || size > 1 + room)
		return 0;
	memcpy(in, data + 1, size - 1);
	return *data;
}

/* No fault has this code: who finds it knows that nothing was written. */
#define UNTOUCHED	((enum migmux_wire_err)0x5a5a5a5a)

static inline struct migmux_wire_fault untouched(void)
{
	return (struct migmux_wire_fault){ UNTOUCHED, 0x5a5a5a5a5a5a5a5aull };
}

static inline bool is_printable(const char *s, size_t size)
{
	size_t i;

	for (i = 0; i < size && s[i]; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return i < size;
}

/*
 * A decoder that returned @ret was to accept if @good: it says 0 and leaves the fault
 * alone, or -EPROTO with a fault that has a text.
 */
static inline void check_verdict(int ret, bool good, const struct migmux_wire_fault *fault)
{
	char text[MIGMUX_WIRE_FAULT_LEN];
	int len;

	if (good) {
		REQUIRE(ret == 0);
		REQUIRE(fault->err == UNTOUCHED);
		return;
	}
	REQUIRE(ret == -EPROTO);
	REQUIRE(fault->err > MIGMUX_WIRE_OK && fault->err < MIGMUX_WIRE_ERR_NR);
	len = migmux_wire_fault_format(text, sizeof(text), fault);
	REQUIRE(len > 0 && len < (int)sizeof(text));
	REQUIRE(is_printable(text, sizeof(text)));
}

/* The rules of Documentation/wire.rst, by offsets, once more. */

static inline bool good_head(const void *buf, u32 magic, u32 version)
{
	return get32(buf, 0) == magic && get32(buf, 4) == version;
}

/* A name at @at: 1 to 255 printable characters and nothing but NUL after them. */
static inline bool good_name(const void *buf, size_t at)
{
	const char *name = (const char *)buf + at;
	size_t len = strnlen(name, 256);

	return len && len < 256 && is_printable(name, 256) && zero(name, len, 256);
}

#endif /* FUZZ_ORACLE_H */
