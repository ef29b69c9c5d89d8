// SPDX-License-Identifier: GPL-2.0-only
/*
 * Do two ends fit?
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "compare.h"
#include "test.h"
#include "vfio_dev.h"

#define ALL (VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)

/* Two ends that fit, of two devices each, in another order. */
struct ends {
	struct compare_device from[3];
	struct compare_device to[3];
	struct compare_end here;
	struct compare_end there;
};

static void fit(struct ends *e)
{
	const struct compare_device dev = {
		.driver = "d", .migration_flags = ALL, .precopy_version = 1,
		.stop_copy_bytes = 2048,
	};

	memset(e, 0, sizeof(*e));
	for (int i = 0; i < 3; i++) {
		e->from[i] = dev;
		e->to[i] = dev;
		sprintf(e->from[i].handle, "pci/%d", i);
		sprintf(e->from[i].idstr, "vfmig/%d", i);
		sprintf(e->to[i].idstr, "vfmig/%d", i == 2 ? 2 : !i);
	}
	e->here = (struct compare_end){ .devices = e->from, .nr_devices = 2 };
	e->there = (struct compare_end){ .devices = e->to, .nr_devices = 2, .staging = 1 << 20 };
}

/* How many rows differ, and does the text of one have these words? */
static void expect(const struct ends *e, uint32_t differs, const char *words, const char *name)
{
	bool said = !words;
	struct compare c;

	compare_ends(&c, &e->here, &e->there);
	for (uint32_t i = 0; i < c.n; i++)
		said |= words && strstr(c.rows[i].text, words);
	test_result(c.differs == differs && said, "compare: %s", name);
	compare_free(&c);
}

static void test_devices(void)
{
	struct ends e;

	fit(&e);
	expect(&e, 0, NULL, "two ends that fit");
	e.there.nr_devices = 1;
	expect(&e, 2, "no device with the identity 'vfmig/0'", "a device that is not there");
	expect(&e, 2, "number of devices: 2 here, and 1 at the other end", "their number");
	fit(&e);
	e.there.nr_devices = 3;
	expect(&e, 2, "the identity 'vfmig/2', which is not here", "a device that is not here");
	fit(&e);
	strcpy(e.to[0].idstr, "other");
	expect(&e, 2, "pci/1: the other end has no device with the identity 'vfmig/1'",
	       "another identity");
	fit(&e);
	strcpy(e.to[0].driver, "e");
	expect(&e, 1, "pci/1: its driver is d here, and e at the other end", "another driver");
}

static void test_abilities(void)
{
	struct ends e;

	fit(&e);
	e.to[0].migration_flags &= ~VFIO_MIGRATION_P2P;
	expect(&e, 1, "pci/1: it can do P2P here, but not", "no P2P there");
	fit(&e);
	e.from[1].migration_flags &= ~VFIO_MIGRATION_P2P;
	expect(&e, 1, "pci/1: it cannot do P2P, which several devices need", "no P2P here");
	e.here.no_p2p = true;
	expect(&e, 0, NULL, "no P2P here, and it is not needed");
	fit(&e);
	e.to[1].precopy_version = 0;
	expect(&e, 1, "pci/0: it can pre-copy here, but not", "no pre-copy there");
	fit(&e);
	e.from[0].precopy_version = 0;
	e.to[0].precopy_version = 2;
	expect(&e, 0, NULL, "more pre-copy there");
	e.from[1].precopy_version = 2;
	e.to[0].precopy_version = 1;
	expect(&e, 1, "pci/1: its pre-copy has version 2 here, and 1 at", "older pre-copy there");
}

static void test_limits(void)
{
	struct ends e;

	fit(&e);
	e.there.max_state = 2048;
	expect(&e, 0, NULL, "as much state as is taken");
	e.from[0].stop_copy_bytes++;
	expect(&e, 1, "pci/0: 2.0 KiB of state are expected, and the other end takes 2.0 KiB",
	       "more state than is taken");
	e.from[0].stop_copy_bytes = COMPARE_UNKNOWN;
	expect(&e, 0, NULL, "nobody knows how much state");
	fit(&e);
	e.here.verify = true;
	expect(&e, 1, "--verify is used here, but not at the other end", "verification");
	e.there.verify = true;
	e.there.shared = true;
	expect(&e, 1, "--shared is used at the other end, but not here", "shared channels");
}

static void test_json(void)
{
	struct json_object *o, *v;
	struct compare c;
	struct ends e;

	fit(&e);
	e.to[0].migration_flags &= ~VFIO_MIGRATION_P2P;
	e.from[0].precopy_version = 0;
	compare_ends(&c, &e.here, &e.there);
	o = compare_json(&c, &e.here, &e.there);
	test_result(json_object_object_get_ex(o, "fits", &v) && !json_object_get_boolean(v),
		    "compare: JSON says that they do not fit");
	test_result(json_object_object_get_ex(o, "compared", &v) &&
		    json_object_array_length(v) == c.n && c.n == 13,
		    "compare: JSON has all that was compared");
	test_result(strstr(json_object_to_json_string(o), "\"result\": \"more\""),
		    "compare: JSON says what is more there");
	json_object_put(o);
	compare_free(&c);
}

void test_compare(void)
{
	test_devices();
	test_abilities();
	test_limits();
	test_json();
}
