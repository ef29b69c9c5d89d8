// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of a whole transfer around the real gather: D devices with C
 * channels each, a source with few slots, a destination with fewer, and a
 * scheduler that is out to get them.  It must never come to a stop before all
 * is loaded, never hand out of order, never use more slots than there are.
 * Controls break one premise each of the proof in gather.c and must get stuck, or
 * the model could not see a deadlock at all. And what the controls get stuck with
 * must go through where frames are spilled, but for a cap that is too low.
 */
#include <kselftest_harness.h>
#include "gather.h"

enum { MAX_DEVS = 4, MAX_CHANS = 4, MAX_FRAMES = 24 };
enum { NR_CHANS = MAX_DEVS * MAX_CHANS };

enum rules {
	AS_BUILT,
	NO_RESERVE,	/* any frame takes any slot */
	SHARED,		/* channels carry frames of all devices */
	MERGED,		/* as SHARED, but queued some time after numbering */
	SPILL,		/* as MERGED, with memory beyond the slots */
	SPILL_LITTLE,	/* but only for one frame */
};

struct frame {
	struct migmux_gather_node node;	/* first: the model casts back */
	u32 dev, idx;
	bool config, spilled;
};

struct chan {
	struct frame *queue[MAX_DEVS * (MAX_FRAMES + 1)];
	u32 sent, read;
	u32 floor;
	enum { IDLE, WAITING, RECEIVING } state;
};

struct dev {
	struct migmux_gather g;
	struct frame frames[MAX_FRAMES + 1];
	struct frame *feeding;
	u32 nr_data, pumped, fed;
	u32 held, max_held;
};

struct model {
	enum rules mode;
	u32 nr_devs, nr_chans, slots, free_slots, source_slots, source_free;
	struct dev devs[MAX_DEVS];
	struct chan chans[NR_CHANS];
	struct chan lanes[NR_CHANS];	/* MERGED: what waits for a channel */
	u32 prio[2 * NR_CHANS + 2 * MAX_DEVS];
	u32 spilled, max_spilled;
	bool wrong, full;
};

static u32 seed;

static u32 rnd(u32 n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void expect(struct model *m, bool what)
{
	if (!what)
		m->wrong = true;
}

/* The pump: the next frame of a device, to a channel that fate picks. */
static bool step_pump(struct model *m, struct dev *d)
{
	struct frame *f = &d->frames[d->pumped];
	u32 to = rnd(m->nr_chans);
	struct chan *c;

	if (d->pumped > d->nr_data || (!f->config && !m->source_free))
		return false;
	if (m->mode == SHARED)
		c = &m->chans[to];
	else if (m->mode >= MERGED)
		c = &m->lanes[f->dev * MAX_CHANS + to];
	else
		c = &m->chans[f->dev * MAX_CHANS + to];
	c->queue[c->sent++] = f;
	if (!f->config)
		m->source_free--;
	d->pumped++;
	return true;
}

static bool step_merge(struct model *m, u32 nr)
{
	struct chan *from = &m->lanes[nr], *to = &m->chans[nr % MAX_CHANS];

	if (from->read == from->sent)
		return false;
	to->queue[to->sent++] = from->queue[from->read++];
	return true;
}

static bool admitted(struct model *m, struct frame *f)
{
	if (f->config)
		return true;
	if (m->mode == NO_RESERVE)
		return m->free_slots > 0;
	return migmux_gather_admit(&m->devs[f->dev].g, f->idx, m->free_slots,
				   m->devs[f->dev].held >= m->devs[f->dev].max_held);
}

/* As spill.c does it: nothing moves, so what is behind the frame is needed. */
static bool spilled(struct model *m, struct frame *f)
{
	u32 d;

	if (m->mode < SPILL)
		return false;
	for (d = 0; d < m->nr_devs; d++)
		if (m->devs[d].feeding || migmux_gather_moves(&m->devs[d].g))
			return false;
	if (m->spilled == m->max_spilled) {
		m->full = true;
		return false;
	}
	m->spilled++;
	f->spilled = true;
	return true;
}

/* A receiver: header, wait for a slot, data. */
static bool step_chan(struct model *m, struct chan *c)
{
	struct migmux_wire_fault fault;
	struct frame *f = c->queue[c->read];

	if (c->read == c->sent)
		return false;
	switch (c->state) {
	case IDLE:
		if (m->mode < SHARED)
			expect(m, !migmux_gather_rise(&c->floor, f->idx, &fault));
		c->state = WAITING;
		return true;
	case WAITING:
		if (!admitted(m, f) && !spilled(m, f))
			return false;
		expect(m, !migmux_gather_claim(&m->devs[f->dev].g, &f->node,
					       f->idx, f->config, &fault));
		if (!f->config && !f->spilled) {
			expect(m, m->free_slots > 0);
			m->free_slots--;
			m->devs[f->dev].held++;
		}
		c->state = RECEIVING;
		return true;
	case RECEIVING:
		migmux_gather_ready(&f->node);
		if (!f->config)
			m->source_free++;
		c->read++;
		c->state = IDLE;
		return true;
	}
	return false;
}

/* A feed: hand out, later free the slot. */
static bool step_feed(struct model *m, struct dev *d)
{
	struct frame *f = (struct frame *)migmux_gather_peek(&d->g);

	if (d->feeding) {
		d->feeding = NULL;
		m->free_slots++;
		d->held--;
		return true;
	}
	if (f && f->spilled) {
		if (!m->free_slots)
			return false;
		m->free_slots--;
		d->held++;
		m->spilled--;
	}
	d->feeding = (struct frame *)migmux_gather_pop(&d->g);
	if (!d->feeding)
		return false;
	expect(m, d->feeding->idx == d->fed);
	d->fed++;
	return true;
}

static bool step(struct model *m, u32 actor)
{
	if (actor < NR_CHANS)
		return step_chan(m, &m->chans[actor]);
	actor -= NR_CHANS;
	if (actor < NR_CHANS)
		return step_merge(m, actor);
	actor -= NR_CHANS;
	if (actor < MAX_DEVS)
		return actor < m->nr_devs && step_pump(m, &m->devs[actor]);
	return actor - MAX_DEVS < m->nr_devs &&
	       step_feed(m, &m->devs[actor - MAX_DEVS]);
}

static void model_init(struct model *m, enum rules mode)
{
	u32 d, i;

	memset(m, 0, sizeof(*m));
	m->mode = mode;
	m->nr_devs = 1 + rnd(MAX_DEVS);
	m->nr_chans = 1 + rnd(MAX_CHANS);
	m->slots = 1 + rnd(6);
	m->free_slots = m->slots;
	m->source_slots = 1 + rnd(12);
	m->source_free = m->source_slots;
	m->max_spilled = mode == SPILL_LITTLE ? 1 : MAX_DEVS * MAX_FRAMES;
	for (d = 0; d < m->nr_devs; d++) {
		migmux_gather_init(&m->devs[d].g);
		m->devs[d].nr_data = rnd(MAX_FRAMES + 1);
		m->devs[d].max_held = 1 + rnd(m->slots);
		for (i = 0; i <= m->devs[d].nr_data; i++) {
			m->devs[d].frames[i].dev = d;
			m->devs[d].frames[i].idx = i;
			m->devs[d].frames[i].config = i == m->devs[d].nr_data;
		}
	}
	for (i = 0; i < ARRAY_SIZE(m->prio); i++)
		m->prio[i] = rnd(100);
}

static bool model_complete(const struct model *m)
{
	u32 d;

	for (d = 0; d < m->nr_devs; d++)
		if (!migmux_gather_complete(&m->devs[d].g) || m->devs[d].feeding)
			return false;
	return true;
}

/*
 * One step of whoever can.  @spite is the percentage of steps in which the
 * actor that is rated highest goes first, so that some actors starve for as
 * long as anything else can move; else a random one goes first.
 */
static bool model_step(struct model *m, u32 spite)
{
	u32 n = ARRAY_SIZE(m->prio), first = rnd(n), tried, i;
	bool done[ARRAY_SIZE(m->prio)] = {};

	if (rnd(100) >= spite) {
		for (i = 0; i < n; i++)
			if (step(m, (first + i) % n))
				return true;
		return false;
	}
	for (tried = 0; tried < n; tried++) {
		u32 best = n;

		for (i = 0; i < n; i++)
			if (!done[i] && (best == n || m->prio[i] > m->prio[best]))
				best = i;
		done[best] = true;
		if (step(m, best))
			return true;
	}
	return false;
}

enum outcome { LOADED, STUCK, FULL, WRONG };

static enum outcome model_run(struct model *m, enum rules mode, u32 s)
{
	static const u32 spite[] = { 0, 50, 90, 100 };
	u32 how;

	seed = s;
	model_init(m, mode);
	how = spite[rnd(ARRAY_SIZE(spite))];
	while (model_step(m, how)) {
		expect(m, m->free_slots <= m->slots);
		expect(m, m->source_free <= m->source_slots);
		if (m->wrong)
			return WRONG;
		/* the session fails */
		if (m->full)
			return FULL;
	}
	if (!model_complete(m))
		return m->full ? FULL : STUCK;
	expect(m, m->free_slots == m->slots && !m->spilled);
	return m->wrong ? WRONG : LOADED;
}

/* In the debug kernel each takes a hundred times as long, and a tenth does for KASAN. */
#ifdef __KERNEL__
#define SEEDS(n)	((n) / 10)
#else
#define SEEDS(n)	(n)
#endif

#define EXPECT_ALL_LOADED(how, seeds) do {				\
	static struct model __m;					\
	u32 __s;							\
									\
	for (__s = 1; __s <= SEEDS(seeds); __s++)				\
		ASSERT_EQ(LOADED, model_run(&__m, (how), __s))		\
			TH_LOG("seed %u: %u devices, %u channels, %u slots", \
			       __s, __m.nr_devs, __m.nr_chans, __m.slots); \
} while (0)

static u32 count(enum outcome what, enum rules mode, u32 seeds)
{
	static struct model m;
	u32 s, n = 0;

	for (s = 1; s <= SEEDS(seeds); s++)
		n += model_run(&m, mode, s) == what;
	return n;
}

TEST(dedicated_channels_never_get_stuck)
{
	EXPECT_ALL_LOADED(AS_BUILT, 10000);
}

TEST(shared_channels_in_one_order_never_get_stuck)
{
	EXPECT_ALL_LOADED(SHARED, 3000);
}

TEST(control_without_the_reserve_it_gets_stuck)
{
	EXPECT_LT(0, count(STUCK, NO_RESERVE, 1000));
}

TEST(control_shared_channels_without_order_get_stuck)
{
	EXPECT_LT(0, count(STUCK, MERGED, 1000));
}

TEST(shared_channels_without_order_spill)
{
	EXPECT_ALL_LOADED(SPILL, 3000);
}

TEST(a_cap_that_is_too_low_ends_it_and_never_hangs)
{
	EXPECT_LT(0, count(FULL, SPILL_LITTLE, 3000));
	EXPECT_EQ(0, count(STUCK, SPILL_LITTLE, 3000));
	EXPECT_EQ(0, count(WRONG, SPILL_LITTLE, 3000));
}

TEST_HARNESS_MAIN
