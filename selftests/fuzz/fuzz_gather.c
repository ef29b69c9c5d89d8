// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer on kernel/gather.c against a model of it that has no order, only a list.
 *
 * An input is a base idx, one byte that chooses it, and then steps of two bytes: what to
 * do, and with which idx above the base, or with which of the frames that are claimed.
 */
#include "gather.h"
#include "oracle.h"

enum { MAX_NODES = 64, NEAR_END = 40 };

struct entry {
	struct migmux_gather_node node;	/* first: the model casts back */
	bool claimed, ready, config;
	u32 idx;
};

struct model {
	struct migmux_gather g;
	struct entry entries[MAX_NODES];
	u32 next, seen, floor;
};

static struct entry *free_entry(struct model *m)
{
	int i;

	for (i = 0; i < MAX_NODES; i++)
		if (!m->entries[i].claimed)
			return &m->entries[i];
	return NULL;
}

static struct entry *config_of(struct model *m)
{
	int i;

	for (i = 0; i < MAX_NODES; i++)
		if (m->entries[i].claimed && m->entries[i].config)
			return &m->entries[i];
	return NULL;
}

static struct entry *data_at(struct model *m, u32 idx)
{
	int i;

	for (i = 0; i < MAX_NODES; i++)
		if (m->entries[i].claimed && !m->entries[i].config && m->entries[i].idx == idx)
			return &m->entries[i];
	return NULL;
}

/* Why the model refuses a frame; MIGMUX_WIRE_OK if it does not. */
static enum migmux_wire_err refusal(struct model *m, u32 idx, bool config)
{
	const struct entry *end = config_of(m);

	if (idx == U32_MAX)
		return MIGMUX_WIRE_BAD_IDX;
	if (config && end)
		return MIGMUX_GATHER_SECOND_CONFIG;
	if (config)
		return idx < m->seen ? MIGMUX_GATHER_END_TOO_LOW : MIGMUX_WIRE_OK;
	if (end && idx >= end->idx)
		return MIGMUX_GATHER_BEYOND_END;
	if (idx < m->next || data_at(m, idx))
		return MIGMUX_GATHER_DUPLICATE;
	return MIGMUX_WIRE_OK;
}

static void do_claim(struct model *m, u32 idx, bool config)
{
	enum migmux_wire_err want = refusal(m, idx, config);
	struct migmux_wire_fault fault = untouched();
	struct entry *e = free_entry(m);
	int ret;

	if (!e)
		return;
	ret = migmux_gather_claim(&m->g, &e->node, idx, config, &fault);
	check_verdict(ret, want == MIGMUX_WIRE_OK, &fault);
	if (ret) {
		REQUIRE(fault.err == want && fault.value == idx);
		return;
	}
	*e = (struct entry){ .node = e->node, .claimed = true, .config = config, .idx = idx };
	if (!config && m->seen <= idx)
		m->seen = idx + 1;
}

static void do_ready(struct entry *e)
{
	if (!e->claimed)
		return;
	migmux_gather_ready(&e->node);
	e->ready = true;
}

static void do_unclaim(struct model *m, struct entry *e)
{
	if (!e->claimed || e->ready || e->config)
		return;
	migmux_gather_unclaim(&m->g, &e->node);
	e->claimed = false;
}

static void do_pop(struct model *m)
{
	struct entry *want = data_at(m, m->next);
	struct migmux_gather_node *got;

	if (want && !want->ready)
		want = NULL;
	REQUIRE(migmux_gather_peek(&m->g) == (want ? &want->node : NULL));
	got = migmux_gather_pop(&m->g);
	REQUIRE(got == (want ? &want->node : NULL));
	if (got) {
		want->claimed = false;
		m->next++;
	}
}

static void do_rise(struct model *m, u32 idx)
{
	const bool good = idx != U32_MAX && idx >= m->floor;
	struct migmux_wire_fault fault = untouched();
	u32 floor = m->floor;

	check_verdict(migmux_gather_rise(&floor, idx, &fault), good, &fault);
	REQUIRE(floor == (good ? idx + 1 : m->floor));
	m->floor = floor;
}

/* What one can ask at any time. */
static void check_state(struct model *m, u32 idx)
{
	const struct entry *end = config_of(m);
	struct entry *e;
	u32 first = 0x5a5a5a5a, want = m->next;
	bool whole, next;

	while ((e = data_at(m, want)) && e->ready)
		want++;
	whole = end && end->ready && end->idx == want;
	REQUIRE(migmux_gather_missing(&m->g, &first) == !whole);
	REQUIRE(first == (whole ? 0x5a5a5a5a : want));
	REQUIRE(migmux_gather_complete(&m->g) == (end && end->ready && end->idx == m->next));

	/* for the next frame, and for what a claim would refuse, any slot will do */
	next = idx <= m->next || (end && idx >= end->idx);
	REQUIRE(!migmux_gather_admit(&m->g, idx, 0, false));
	REQUIRE(migmux_gather_admit(&m->g, idx, 2, false));
	REQUIRE(migmux_gather_admit(&m->g, idx, 1, false) == next);
	REQUIRE(!migmux_gather_admit(&m->g, idx, 0, true));
	REQUIRE(migmux_gather_admit(&m->g, idx, 2, true) == next);
	REQUIRE(migmux_gather_admit(&m->g, idx, 1, true) == next);
}

/* Teardown gives back each data frame once, and nothing else. */
static void drop_all(struct model *m)
{
	struct migmux_gather_node *node;
	struct entry *e;
	int i;

	while ((node = migmux_gather_drop(&m->g))) {
		e = (struct entry *)node;
		REQUIRE(e->claimed && !e->config);
		e->claimed = false;
	}
	for (i = 0; i < MAX_NODES; i++)
		REQUIRE(!m->entries[i].claimed || m->entries[i].config);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static struct model m;
	u32 base, idx;
	size_t i;

	if (!size)
		return -1;
	memset(&m, 0, sizeof(m));
	migmux_gather_init(&m.g);
	base = data[0] & 0x80 ? U32_MAX - NEAR_END : 0;
	m.next = base + (data[0] & 0x0f);
	m.seen = m.next;
	migmux_gather_skip(&m.g, m.next);

	for (i = 1; i + 1 < size; i += 2) {
		idx = base + data[i + 1] % (NEAR_END + 1);
		switch (data[i] % 7) {
		case 0:
		case 1:
			do_claim(&m, idx, false);
			break;
		case 2:
			do_claim(&m, idx, true);
			break;
		case 3:
			do_ready(&m.entries[data[i + 1] % MAX_NODES]);
			break;
		case 4:
			do_unclaim(&m, &m.entries[data[i + 1] % MAX_NODES]);
			break;
		case 5:
			do_pop(&m);
			break;
		case 6:
			do_rise(&m, idx);
			break;
		}
		check_state(&m, idx);
	}
	drop_all(&m);
	return 0;
}
