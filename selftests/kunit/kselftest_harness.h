/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's userspace test harness on top of KUnit, as far as selftests/unit uses it,
 * so that the same tests run in the kernel: each file is a suite of the file's name.
 *
 * As there, a test is known because a constructor registers it; the kernel calls those
 * of a module before KUnit looks for its suites. That takes CONFIG_CONSTRUCTORS.
 */
#ifndef MIGMUX_KUNIT_HARNESS_H
#define MIGMUX_KUNIT_HARNESS_H

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/string.h>

#ifndef CONFIG_CONSTRUCTORS
#error "nothing would call the constructors that register the tests"
#endif

/* One more than the file with the most tests has: the last one ends the list. */
#define MIGMUX_KUNIT_CASES	64
static struct kunit_case migmux_kunit_cases[MIGMUX_KUNIT_CASES];
static unsigned int migmux_kunit_nr_cases;

static struct kunit_suite migmux_kunit_suite = {
	.name = "migmux_" KBUILD_BASENAME,
	.test_cases = migmux_kunit_cases,
};

kunit_test_suite(migmux_kunit_suite);

static inline void migmux_kunit_add(void (*run)(struct kunit *), const char *name)
{
	if (WARN_ON(migmux_kunit_nr_cases + 1 >= MIGMUX_KUNIT_CASES))
		return;
	migmux_kunit_cases[migmux_kunit_nr_cases++] = (struct kunit_case) {
		.run_case = run,
		.name = name,
	};
}

#define MIGMUX_KUNIT_REGISTER(fn, title)				\
	static void __attribute__((constructor)) fn##_register(void)	\
	{								\
		migmux_kunit_add(fn, title);				\
	}

#define TEST(name)							\
	static void name##_test(struct kunit *_metadata);		\
	MIGMUX_KUNIT_REGISTER(name##_test, #name)			\
	static void name##_test(struct kunit *_metadata)

#define FIXTURE(fixture)	struct fixture##_fixture
#define FIXTURE_SETUP(fixture)						\
	static void fixture##_setup(struct kunit *_metadata,		\
				    struct fixture##_fixture *self)
#define FIXTURE_TEARDOWN(fixture)					\
	static void fixture##_teardown(struct kunit *_metadata,		\
				       struct fixture##_fixture *self)

/* KUnit frees the fixture, also of a test that is left by an ASSERT. */
#define TEST_F(fixture, name)						\
	static void fixture##_##name(struct kunit *_metadata,		\
				     struct fixture##_fixture *self);	\
	static void fixture##_##name##_test(struct kunit *test)		\
	{								\
		struct fixture##_fixture *self;				\
									\
		self = kunit_kzalloc(test, sizeof(*self), GFP_KERNEL);	\
		KUNIT_ASSERT_NOT_NULL(test, self);			\
		fixture##_setup(test, self);				\
		fixture##_##name(test, self);				\
		fixture##_teardown(test, self);				\
	}								\
	MIGMUX_KUNIT_REGISTER(fixture##_##name##_test, #fixture "." #name) \
	static void fixture##_##name(struct kunit *_metadata,		\
				     struct fixture##_fixture *self)

#define TEST_HARNESS_MAIN

/*
 * A loop that runs once when the check fails, so that a TH_LOG() may follow the check;
 * an ASSERT then leaves the test. Numbers and pointers alike are compared as 64 bits.
 */
#define MIGMUX_KUNIT_COMPARE(want, op, seen, after)			\
	for (s64 __kunit_want = (s64)(want), __kunit_seen = (s64)(seen), \
	     __kunit_bad = migmux_kunit_failed(_metadata, __kunit_want op __kunit_seen, \
				"%s:%d: %s (%lld) " #op " %s (%lld) is not so\n", \
				__FILE_NAME__, __LINE__, #want, __kunit_want, \
				#seen, __kunit_seen);			\
	     __kunit_bad; __kunit_bad = 0, after)

#define migmux_kunit_failed(test, good, ...)				\
	({								\
		bool __good = (good);					\
									\
		if (!__good)						\
			KUNIT_FAIL(test, __VA_ARGS__);			\
		!__good;						\
	})

#define MIGMUX_KUNIT_STAY	((void)0)
#define MIGMUX_KUNIT_LEAVE	__kunit_abort(_metadata)

#define EXPECT_EQ(want, seen)	MIGMUX_KUNIT_COMPARE(want, ==, seen, MIGMUX_KUNIT_STAY)
#define EXPECT_NE(want, seen)	MIGMUX_KUNIT_COMPARE(want, !=, seen, MIGMUX_KUNIT_STAY)
#define EXPECT_LT(want, seen)	MIGMUX_KUNIT_COMPARE(want, <, seen, MIGMUX_KUNIT_STAY)
#define EXPECT_LE(want, seen)	MIGMUX_KUNIT_COMPARE(want, <=, seen, MIGMUX_KUNIT_STAY)
#define EXPECT_GT(want, seen)	MIGMUX_KUNIT_COMPARE(want, >, seen, MIGMUX_KUNIT_STAY)
#define EXPECT_TRUE(seen)	EXPECT_NE(0, !!(seen))
#define EXPECT_FALSE(seen)	EXPECT_EQ(0, !!(seen))
#define EXPECT_STREQ(want, seen) EXPECT_EQ(0, strcmp(want, seen))
#define ASSERT_EQ(want, seen)	MIGMUX_KUNIT_COMPARE(want, ==, seen, MIGMUX_KUNIT_LEAVE)
#define ASSERT_NE(want, seen)	MIGMUX_KUNIT_COMPARE(want, !=, seen, MIGMUX_KUNIT_LEAVE)
#define ASSERT_LE(want, seen)	MIGMUX_KUNIT_COMPARE(want, <=, seen, MIGMUX_KUNIT_LEAVE)
#define ASSERT_TRUE(seen)	ASSERT_NE(0, !!(seen))
#define TH_LOG(...)		kunit_info(_metadata, __VA_ARGS__)

/* --- what the C library has, as the tests use it ----------------------------------- */

static __maybe_unused struct rnd_state migmux_kunit_rnd;

#define srandom(seed)	prandom_seed_state(&migmux_kunit_rnd, seed)
#define random()	(prandom_u32_state(&migmux_kunit_rnd) >> 1)
#define abort()		panic("%s: a test cannot go on", __func__)

#endif /* MIGMUX_KUNIT_HARNESS_H */
