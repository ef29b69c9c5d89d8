/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes of a record, and what a decoder said of them. */
#ifndef UNIT_WIRE_BYTES_H
#define UNIT_WIRE_BYTES_H

static inline u32 get32(const void *buf, size_t at)
{
	const u8 *p = (const u8 *)buf + at;

	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static inline void put32(void *buf, size_t at, u32 v)
{
	u8 *p = (u8 *)buf + at;

	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static inline bool zero(const void *buf, size_t from, size_t to)
{
	const u8 *p = buf;

	for (; from < to; from++)
		if (p[from])
			return false;
	return true;
}

/* A record that is right but for one u32, and what its decoder shall say of it. */
struct wire_poke {
	size_t at;
	u32 value;
	enum migmux_wire_err err;
	u64 fault;
};

#define EXPECT_FAULT(fault, code, val) do {				\
	struct migmux_wire_fault __f = (fault);				\
	EXPECT_EQ(code, __f.err);					\
	EXPECT_EQ(val, __f.value);					\
} while (0)

#endif /* UNIT_WIRE_BYTES_H */
