// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of what needs no kernel module. With --svg it prints a picture, for
 * tests/run to check that it is XML.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sample.h"
#include "test.h"
#include "timeline.h"

static int failed;

/**
 * test_result() - report one test
 * @good: whether it passed
 * @fmt: its name
 */
void test_result(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s - ", good ? "ok" : "not ok");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	failed |= !good;
}

static int print_svg(const char *which)
{
	struct session s;

	sample_session(&s);
	if (!strcmp(which, "set"))
		sample_set_session(&s);
	else if (!strcmp(which, "empty"))
		s.nr_devices = 0;
	else if (!strcmp(which, "hostile"))
		strcpy(s.devices[0].handle, "pci/<&\"'>\x01\xff");
	timeline_svg(stdout, &s);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--svg"))
		return print_svg(argv[2]);
	test_parse();
	test_set();
	test_fetch();
	test_timeline();
	test_precopy();
	test_compare();
	test_output();
	test_lib();
	test_connect();
	return failed;
}
