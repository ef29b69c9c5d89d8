// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges that are mapped piece by piece: what is refused, which pieces come, what is left
 * after failures; and a model that maps at random, with several workers.
 */
#include <kselftest_harness.h>
#include "dma_range.h"

#define PAGE	4096ULL
#define PIECE	(16 * PAGE)

static struct migmux_dma_range slots[MIGMUX_DMA_RANGES_MAX];

static struct migmux_dma_table table_new(void)
{
	memset(slots, 0, sizeof(slots));
	return (struct migmux_dma_table) {
		.align = PAGE, .last = ~0ULL, .ranges = slots,
	};
}

static struct migmux_dma_range range(u64 iova, u64 size)
{
	return (struct migmux_dma_range) {
		.iova = iova, .vaddr = iova + 0x700000000000, .size = size,
		.piece = PIECE, .access = MIGMUX_DMA_READ,
	};
}

static int add(struct migmux_dma_table *t, u64 iova, u64 size)
{
	const struct migmux_dma_range r = range(iova, size);

	if (migmux_dma_table_check(t, &r, false))
		return -1;
	return migmux_dma_table_add(t, &r, false);
}

/* One piece, as a single worker would do it; false if there is none. */
static bool work(struct migmux_dma_table *t, int err)
{
	struct migmux_dma_piece p;

	if (!migmux_dma_table_next(t, &p))
		return false;
	migmux_dma_table_settle(t, &p, err);
	return true;
}

static void work_all(struct migmux_dma_table *t)
{
	while (work(t, 0))
		;
}

TEST(refused)
{
	struct migmux_dma_table t = table_new();
	struct migmux_dma_range r = range(0, 0);

	EXPECT_EQ(MIGMUX_DMA_EMPTY, migmux_dma_table_check(&t, &r, false));
	r = range(1, PAGE);
	EXPECT_EQ(MIGMUX_DMA_UNALIGNED, migmux_dma_table_check(&t, &r, false));
	r = range(0, PAGE + 1);
	EXPECT_EQ(MIGMUX_DMA_UNALIGNED, migmux_dma_table_check(&t, &r, false));
	r = range(0, PAGE);
	r.vaddr++;
	EXPECT_EQ(MIGMUX_DMA_UNALIGNED, migmux_dma_table_check(&t, &r, false));
	r = range(-PAGE, 2 * PAGE);
	r.vaddr = 0;
	EXPECT_EQ(MIGMUX_DMA_WRAPS, migmux_dma_table_check(&t, &r, false));
	r = range(0, 2 * PAGE);
	r.vaddr = -PAGE;
	EXPECT_EQ(MIGMUX_DMA_WRAPS, migmux_dma_table_check(&t, &r, false));
	r = range(0, PAGE);
	r.access = 0;
	EXPECT_EQ(MIGMUX_DMA_NO_ACCESS, migmux_dma_table_check(&t, &r, false));
	t.first = PAGE;
	t.last = 4 * PAGE - 1;
	r = range(0, PAGE);
	EXPECT_EQ(MIGMUX_DMA_OUTSIDE, migmux_dma_table_check(&t, &r, false));
	r = range(3 * PAGE, 2 * PAGE);
	EXPECT_EQ(MIGMUX_DMA_OUTSIDE, migmux_dma_table_check(&t, &r, false));
	r = range(PAGE, 3 * PAGE);
	EXPECT_EQ(MIGMUX_DMA_OK, migmux_dma_table_check(&t, &r, false));
}

/* The last page there is, and all of the address space. */
TEST(edges)
{
	struct migmux_dma_table t = table_new();
	struct migmux_dma_range r = range(-PAGE, PAGE);
	struct migmux_dma_piece p;

	r.vaddr = -PAGE;
	ASSERT_EQ(MIGMUX_DMA_OK, migmux_dma_table_check(&t, &r, false));
	ASSERT_EQ(0, migmux_dma_table_add(&t, &r, false));
	EXPECT_EQ(MIGMUX_DMA_OVERLAPS, migmux_dma_table_check(&t, &r, false));
	ASSERT_TRUE(migmux_dma_table_next(&t, &p));
	EXPECT_EQ(-PAGE, p.iova);
	EXPECT_EQ(PAGE, p.size);
	migmux_dma_table_settle(&t, &p, 0);
	EXPECT_FALSE(migmux_dma_table_pending(&t));
	EXPECT_EQ(MIGMUX_DMA_OK, migmux_dma_table_check_remove(&t, 1, ~0ULL));
	EXPECT_EQ(MIGMUX_DMA_CUTS, migmux_dma_table_check_remove(&t, 0, ~0ULL));
	EXPECT_EQ(MIGMUX_DMA_CUTS, migmux_dma_table_check_remove(&t, -PAGE, PAGE - 1));
	EXPECT_EQ(MIGMUX_DMA_WRAPS, migmux_dma_table_check_remove(&t, 2, ~0ULL));
	migmux_dma_table_remove(&t, -PAGE, PAGE);
	work_all(&t);
	EXPECT_EQ(MIGMUX_DMA_RANGES_MAX, migmux_dma_table_room(&t));
}

TEST(overlaps)
{
	struct migmux_dma_table t = table_new();

	EXPECT_EQ(0, add(&t, 4 * PAGE, 4 * PAGE));
	EXPECT_EQ(-1, add(&t, 7 * PAGE, PAGE));
	EXPECT_EQ(-1, add(&t, 0, 5 * PAGE));
	EXPECT_EQ(-1, add(&t, 0, 100 * PAGE));
	EXPECT_EQ(1, add(&t, 0, 4 * PAGE));
	EXPECT_EQ(2, add(&t, 8 * PAGE, PAGE));
}

/* Pieces end at multiples of their size, whatever the range. */
TEST(pieces)
{
	static const struct {
		u64 iova;
		u64 size;
	} expect[] = {
		{ 3 * PAGE, 13 * PAGE }, { 16 * PAGE, 16 * PAGE }, { 32 * PAGE, 2 * PAGE },
	};
	struct migmux_dma_table t = table_new();
	struct migmux_dma_sum sum;
	struct migmux_dma_piece p;

	ASSERT_EQ(0, add(&t, 3 * PAGE, 31 * PAGE));
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(migmux_dma_table_next(&t, &p));
		EXPECT_FALSE(p.unmap);
		EXPECT_EQ(expect[i].iova, p.iova);
		EXPECT_EQ(expect[i].size, p.size);
		EXPECT_EQ(p.iova + 0x700000000000, p.vaddr);
		EXPECT_EQ(MIGMUX_DMA_READ, p.access);
		EXPECT_TRUE(migmux_dma_table_busy(&t));
		migmux_dma_table_settle(&t, &p, 0);
	}
	EXPECT_FALSE(migmux_dma_table_ready(&t));
	EXPECT_FALSE(migmux_dma_table_pending(&t));
	migmux_dma_table_sum(&t, &sum);
	EXPECT_EQ(sum.bytes, sum.done);
	/* and away with the same pieces, from the end */
	migmux_dma_table_remove(&t, 0, 100 * PAGE);
	for (int i = 3; i-- > 0;) {
		ASSERT_TRUE(migmux_dma_table_next(&t, &p));
		EXPECT_TRUE(p.unmap);
		EXPECT_EQ(expect[i].iova, p.iova);
		EXPECT_EQ(expect[i].size, p.size);
		migmux_dma_table_settle(&t, &p, 0);
	}
	EXPECT_EQ(MIGMUX_DMA_RANGES_MAX, migmux_dma_table_room(&t));
}

/* What fails is not mapped at all in the end, and others are. */
TEST(fails)
{
	struct migmux_dma_table t = table_new();
	struct migmux_dma_sum sum;

	ASSERT_EQ(0, add(&t, 0, 3 * PIECE));
	ASSERT_EQ(1, add(&t, 4 * PIECE, PIECE));
	EXPECT_TRUE(work(&t, 0));
	EXPECT_TRUE(work(&t, 0));
	EXPECT_TRUE(work(&t, -ENOMEM));
	work_all(&t);
	EXPECT_FALSE(migmux_dma_table_pending(&t));
	EXPECT_EQ(-ENOMEM, slots[0].error);
	EXPECT_EQ(0, slots[0].done);
	EXPECT_EQ(&slots[0], migmux_dma_table_failed(&t));
	migmux_dma_table_sum(&t, &sum);
	EXPECT_EQ(2, sum.ranges);
	EXPECT_EQ(1, sum.failed);
	EXPECT_EQ(PIECE, sum.done);
	/* it can be taken away, and added again */
	migmux_dma_table_remove(&t, 0, 3 * PIECE);
	EXPECT_EQ(0, add(&t, 0, 3 * PIECE));
	work_all(&t);
	EXPECT_EQ(NULL, migmux_dma_table_failed(&t));
}

/* Somebody else's mapping, into which a piece ran, is left alone on the way back. */
TEST(holes)
{
	struct migmux_dma_table t = table_new();
	struct migmux_dma_piece p[3], undo;

	ASSERT_EQ(0, add(&t, 0, 10 * PIECE));
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(migmux_dma_table_next(&t, &p[i]));
	migmux_dma_table_settle(&t, &p[1], -EEXIST);
	/* nothing new is begun, and nothing taken away while others are at it */
	EXPECT_FALSE(migmux_dma_table_ready(&t));
	migmux_dma_table_settle(&t, &p[2], 0);
	EXPECT_FALSE(migmux_dma_table_ready(&t));
	migmux_dma_table_settle(&t, &p[0], -ENOMEM);
	ASSERT_TRUE(migmux_dma_table_next(&t, &undo));
	EXPECT_TRUE(undo.unmap);
	EXPECT_EQ(p[2].iova, undo.iova);
	migmux_dma_table_settle(&t, &undo, 0);
	EXPECT_FALSE(migmux_dma_table_ready(&t));
	EXPECT_FALSE(migmux_dma_table_pending(&t));
	EXPECT_EQ(-EEXIST, slots[0].error);
	EXPECT_EQ(0, slots[0].claimed);
}

/* What replaces others is mapped when those are gone. */
TEST(replaces)
{
	struct migmux_dma_table t = table_new();
	struct migmux_dma_range r = range(PIECE / 2, 2 * PIECE);
	struct migmux_dma_piece p;
	int unmaps = 0;

	ASSERT_EQ(0, add(&t, 0, PIECE));
	ASSERT_EQ(1, add(&t, PIECE, PIECE));
	ASSERT_EQ(2, add(&t, 8 * PIECE, PIECE));
	work_all(&t);
	EXPECT_EQ(MIGMUX_DMA_OVERLAPS, migmux_dma_table_check(&t, &r, false));
	ASSERT_EQ(MIGMUX_DMA_OK, migmux_dma_table_check(&t, &r, true));
	ASSERT_EQ(3, migmux_dma_table_add(&t, &r, true));
	EXPECT_TRUE(migmux_dma_table_leaving(&t));
	while (migmux_dma_table_next(&t, &p)) {
		if (p.unmap)
			unmaps++;
		else
			EXPECT_EQ(2, unmaps);
		migmux_dma_table_settle(&t, &p, 0);
	}
	EXPECT_FALSE(slots[0].used);
	EXPECT_FALSE(slots[1].used);
	EXPECT_TRUE(slots[2].used);
	EXPECT_EQ(r.size, slots[3].done);
}

TEST(held)
{
	struct migmux_dma_table t = table_new();
	struct migmux_dma_piece p;

	ASSERT_EQ(0, add(&t, 0, 3 * PIECE));
	ASSERT_TRUE(migmux_dma_table_next(&t, &p));
	t.held = true;
	EXPECT_TRUE(migmux_dma_table_pending(&t));
	migmux_dma_table_settle(&t, &p, 0);
	EXPECT_FALSE(migmux_dma_table_pending(&t));
	EXPECT_TRUE(migmux_dma_table_waiting(&t));
	EXPECT_FALSE(work(&t, 0));
	EXPECT_EQ(PIECE, slots[0].done);
	t.held = false;
	work_all(&t);
	EXPECT_EQ(3 * PIECE, slots[0].done);
}

/* What devices may use stays; what cannot be taken away says so, and is not tried again. */
TEST(undo)
{
	struct migmux_dma_table t = table_new();

	ASSERT_EQ(0, add(&t, 0, PIECE));
	work_all(&t);
	migmux_dma_table_keep(&t);
	ASSERT_EQ(1, add(&t, PIECE, PIECE));
	ASSERT_EQ(2, add(&t, 2 * PIECE, 2 * PIECE));
	EXPECT_TRUE(work(&t, 0));
	EXPECT_TRUE(work(&t, 0));
	migmux_dma_table_keep(&t);
	EXPECT_TRUE(slots[1].kept);
	EXPECT_FALSE(slots[2].kept);
	slots[1].kept = false;
	migmux_dma_table_undo(&t);
	EXPECT_TRUE(work(&t, -EINVAL));
	work_all(&t);
	EXPECT_FALSE(migmux_dma_table_pending(&t));
	EXPECT_TRUE(slots[0].used);
	EXPECT_EQ(PIECE, slots[0].done);
	EXPECT_TRUE(&slots[1] == migmux_dma_table_stuck(&t, 0, ~0ULL));
	EXPECT_EQ(-EINVAL, slots[1].error);
	EXPECT_TRUE(&slots[1] == migmux_dma_table_stuck(&t, 2 * PIECE - 1, 1));
	EXPECT_FALSE(migmux_dma_table_stuck(&t, 0, PIECE));
	EXPECT_FALSE(migmux_dma_table_stuck(&t, 2 * PIECE, PIECE));
	EXPECT_EQ(PIECE, slots[1].done);
	EXPECT_FALSE(slots[2].used);
}

TEST(full)
{
	struct migmux_dma_table t = table_new();

	for (int i = 0; i < MIGMUX_DMA_RANGES_MAX; i++)
		ASSERT_EQ(i, add(&t, i * PAGE, PAGE));
	EXPECT_EQ(0, migmux_dma_table_room(&t));
	EXPECT_EQ(-ENOSPC, add(&t, MIGMUX_DMA_RANGES_MAX * PAGE, PAGE));
	migmux_dma_table_remove(&t, 7 * PAGE, PAGE);
	EXPECT_EQ(7, add(&t, MIGMUX_DMA_RANGES_MAX * PAGE, PAGE));
}

/*
 * The model: a byte for each page of a small address space, which says what is mapped
 * there. Workers take pieces and settle them in any order, with errors; ranges come and
 * go; sometimes all is held. Nothing is mapped twice, nothing is taken away that is
 * not mapped, and in the end the table says what the pages say.
 */
#define PAGES	512
#define WORKERS	MIGMUX_DMA_WORKERS_MAX
/* each step looks at all places, which takes long where a sanitizer in the kernel does too */
#ifdef __KERNEL__
#define SEEDS	5
#else
#define SEEDS	300
#endif

struct model {
	struct migmux_dma_table t;
	u8 mapped[PAGES];
	struct migmux_dma_piece piece[WORKERS];
	bool at[WORKERS];
	bool bad;
};

static void model_settle(struct model *m, int w, int err)
{
	const struct migmux_dma_piece *p = &m->piece[w];
	u64 i;

	for (i = p->iova / PAGE; i < (p->iova + p->size) / PAGE && !err; i++) {
		m->bad |= m->mapped[i] != p->unmap;
		m->mapped[i] = !p->unmap;
	}
	migmux_dma_table_settle(&m->t, p, err);
	m->at[w] = false;
}

static void model_worker(struct model *m)
{
	int w = random() % WORKERS;

	if (m->at[w])
		model_settle(m, w, !m->piece[w].unmap && random() % 16 == 0 ? -ENOMEM : 0);
	else
		m->at[w] = migmux_dma_table_next(&m->t, &m->piece[w]);
}

static void model_vmm(struct model *m)
{
	const u64 iova = random() % (PAGES - 64) * PAGE, size = (1 + random() % 63) * PAGE;
	struct migmux_dma_range r = range(iova, size);
	bool replace = random() % 2;

	r.piece = PAGE << (random() % 5);
	switch (random() % 4) {
	case 0:
	case 1:
		if (!migmux_dma_table_check(&m->t, &r, replace))
			migmux_dma_table_add(&m->t, &r, replace);
		break;
	case 2:
		if (!migmux_dma_table_check_remove(&m->t, iova, size))
			migmux_dma_table_remove(&m->t, iova, size);
		break;
	default:
		m->t.held = random() % 4 == 0;
	}
}

static void model_finish(struct model *m)
{
	bool more = true;

	while (more) {
		more = false;
		for (int w = 0; w < WORKERS; w++) {
			if (m->at[w])
				model_settle(m, w, 0);
			m->at[w] = migmux_dma_table_next(&m->t, &m->piece[w]);
			more |= m->at[w];
		}
	}
}

/* Each range says how much of it is mapped: all, none after an error, or its beginning. */
static bool model_agrees(const struct model *m)
{
	u8 said[PAGES] = { };
	int i;

	for (i = 0; i < MIGMUX_DMA_RANGES_MAX; i++) {
		const struct migmux_dma_range *r = &slots[i];

		if (r->used && (r->leaving || r->busy || (r->error && r->done)))
			return false;
		if (r->used)
			memset(&said[r->iova / PAGE], 1, r->done / PAGE);
	}
	return !memcmp(said, m->mapped, sizeof(said));
}

TEST(model)
{
	for (int seed = 0; seed < SEEDS; seed++) {
		struct model m = { .t = table_new() };

		srandom(seed);
		for (int i = 0; i < 3000; i++) {
			if (random() % 8)
				model_worker(&m);
			else
				model_vmm(&m);
		}
		/* held or not */
		model_finish(&m);
		EXPECT_FALSE(m.bad);
		EXPECT_FALSE(migmux_dma_table_pending(&m.t));
		ASSERT_TRUE(model_agrees(&m));
		m.t.held = false;
		model_finish(&m);
		EXPECT_FALSE(m.bad);
		EXPECT_FALSE(migmux_dma_table_waiting(&m.t));
		ASSERT_TRUE(model_agrees(&m));
		migmux_dma_table_undo(&m.t);
		model_finish(&m);
		EXPECT_FALSE(m.bad);
		ASSERT_EQ(MIGMUX_DMA_RANGES_MAX, migmux_dma_table_room(&m.t));
		ASSERT_TRUE(model_agrees(&m));
	}
}

TEST(reasons)
{
	for (int err = 0; err < MIGMUX_DMA_ERR_NR; err++) {
		EXPECT_NE(NULL, migmux_dma_strerror(err));
		EXPECT_EQ(!err, !migmux_dma_errno(err));
	}
}

TEST_HARNESS_MAIN
