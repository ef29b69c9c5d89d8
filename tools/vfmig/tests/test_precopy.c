// SPDX-License-Identifier: GPL-2.0-only
/*
 * When to switch over.
 */
#include "precopy.h"
#include "test.h"

#define MIB (1ULL << 20)

/* 100 MiB sent in a second; all initial data loaded, 10 MiB dirty. */
static const struct precopy_look usual = {
	.nr_devices = 2, .loaded = true, .dirty_bytes = 10 * MIB,
	.stop_copy_bytes = 10 * MIB, .bytes = 100 * MIB, .ns = 1000000000ULL,
	.least_rounds = 1, .most_rounds = 2, .elapsed_ms = 1500,
};

static enum precopy_why decide(struct precopy_look look, struct precopy_limits limits)
{
	struct precopy p;

	precopy_init(&p);
	p.limits = limits;
	return precopy_decide(&p, &look);
}

static void test_reasons(void)
{
	const struct precopy_limits limits = { .downtime_ms = 50, .time_ms = 30000 };
	struct precopy_limits other = limits;
	struct precopy_look look = usual;

	test_result(precopy_expected_ns(&look) == 100000000, "pre-copy: the rest takes 100 ms");
	test_result(decide(look, limits) == PRECOPY_GOES_ON, "pre-copy: that is too long");
	other.downtime_ms = 100;
	test_result(decide(look, other) == PRECOPY_DOWNTIME, "pre-copy: that is not too long");
	look.loaded = false;
	test_result(decide(look, other) == PRECOPY_GOES_ON, "pre-copy: the destination has to do");
	look = usual;
	look.initial_bytes = 1;
	test_result(decide(look, other) == PRECOPY_GOES_ON, "pre-copy: initial data is left");
	other.rounds = 2;
	test_result(decide(look, other) == PRECOPY_ROUNDS, "pre-copy: the limit of rounds comes first");
	look.elapsed_ms = 30000;
	test_result(decide(look, other) == PRECOPY_TIME, "pre-copy: and that of time before");
	look.nr_devices = 0;
	test_result(decide(look, other) == PRECOPY_NO_DEVICE, "pre-copy: no device can");

	look = usual;
	look.dirty_bytes = 0;
	test_result(decide(look, limits) == PRECOPY_CONVERGED, "pre-copy: all is sent but the rest");
	look.bytes = 0;
	look.ns = 0;
	test_result(precopy_expected_ns(&look) == UINT64_MAX, "pre-copy: nothing sent, no rate");
	test_result(decide(look, limits) == PRECOPY_CONVERGED, "pre-copy: nothing to be sent");
	look.stop_copy_bytes = 0;
	test_result(decide(look, limits) == PRECOPY_DOWNTIME, "pre-copy: nothing left at all");
}

/* It goes on while there is progress, and not much longer. */
static void test_converges(void)
{
	struct precopy_look look = usual;
	bool on = true;
	struct precopy p;

	precopy_init(&p);
	p.limits.downtime_ms = 1;
	for (unsigned int i = 0; i < 5; i++) {
		on &= precopy_decide(&p, &look) == PRECOPY_GOES_ON;
		look.bytes += 10 * MIB;
		look.stop_copy_bytes -= MIB;
		look.dirty_bytes -= MIB;
	}
	test_result(on, "pre-copy: progress is worth to go on");
	look.stop_copy_bytes += MIB;
	for (unsigned int i = 0; i < 9; i++)
		on &= precopy_decide(&p, &look) == PRECOPY_GOES_ON;
	test_result(on, "pre-copy: to look often is no lack of progress");
	for (unsigned int i = 0; on && i < 9; i++) {
		look.bytes += 10 * MIB;
		on = precopy_decide(&p, &look) == PRECOPY_GOES_ON;
	}
	test_result(p.why == PRECOPY_CONVERGED, "pre-copy: sent in vain");
}

void test_precopy(void)
{
	test_reasons();
	test_converges();
}
