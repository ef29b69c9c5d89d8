// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsers of arguments.
 */
#include <inttypes.h>
#include <string.h>

#include "parse.h"
#include "test.h"

struct address_case {
	const char *arg;
	const char *host;	/* NULL: must be refused */
	const char *port;
};

static const struct address_case addresses[] = {
	{ "tcp:192.0.2.1:4444", "192.0.2.1", "4444" },
	{ "tcp:host-b:migrate", "host-b", "migrate" },
	{ "tcp:[2001:db8::1]:4444", "2001:db8::1", "4444" },
	{ "tcp:[fe80::1%eth0]:1", "fe80::1%eth0", "1" },
	{ "tcp:2001:db8::1:4444", NULL, NULL },
	{ "tcp:[2001:db8::1]", NULL, NULL },
	{ "tcp:[2001:db8::1:4444", NULL, NULL },
	{ "tcp:[]:4444", NULL, NULL },
	{ "tcp:host", NULL, NULL },
	{ "tcp:host:", NULL, NULL },
	{ "tcp::4444", NULL, NULL },
	{ "tcp:", NULL, NULL },
	{ "udp:host:1", NULL, NULL },
	{ "host:1", NULL, NULL },
	{ "", NULL, NULL },
};

static void test_addresses(void)
{
	const struct address_case *c;
	struct address addr;
	const char *wrong;
	bool good;

	for (c = addresses; c < addresses + sizeof(addresses) / sizeof(*c); c++) {
		wrong = parse_address(c->arg, &addr);
		good = c->host ? !wrong && !strcmp(addr.host, c->host) &&
				 !strcmp(addr.port, c->port) : wrong && *wrong;
		test_result(good, "address '%s' is %s", c->arg, c->host ? "taken" : "refused");
	}
	wrong = parse_address("udp:host:1", &addr);
	test_result(wrong && strstr(wrong, "tcp:") && strstr(wrong, "unix:") &&
		    strstr(wrong, "vsock:"), "another kind says which kinds there are");
}

static void test_unix_addresses(void)
{
	struct address addr;
	char longest[120];

	test_result(!parse_address("unix:/run/x", &addr) && addr.kind == ADDRESS_UNIX &&
		    !strcmp(addr.path, "/run/x"), "unix: with a path");
	test_result(!parse_address("unix:a:b", &addr) && !strcmp(addr.path, "a:b"),
		    "unix: with a colon in the path");
	test_result(!parse_address("unix:@name", &addr) && !strcmp(addr.path, "@name"),
		    "unix: with an abstract name");
	test_result(parse_address("unix:", &addr), "unix: without a path");
	test_result(parse_address("unix:@", &addr), "unix: with an empty abstract name");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "unix:", 5);
	longest[5 + 108] = '\0';
	test_result(parse_address(longest, &addr), "path too long");
	longest[5 + 107] = '\0';
	test_result(!parse_address(longest, &addr) && strlen(addr.path) == 107,
		    "longest path");
}

static void test_vsock_addresses(void)
{
	static const struct {
		const char *arg;
		bool good;
		uint32_t cid, port;
	} rows[] = {
		{ "vsock:2:1", true, 2, 1 }, { "vsock:local:4444", true, 1, 4444 },
		{ "vsock:host:0", true, 2, 0 }, { "vsock:any:5", true, UINT32_MAX, 5 },
		{ "vsock:4294967294:4294967294", true, UINT32_MAX - 1, UINT32_MAX - 1 },
		{ "vsock:4294967295:1", false, 0, 0 }, { "vsock:1:4294967295", false, 0, 0 },
		{ "vsock:", false, 0, 0 }, { "vsock:1", false, 0, 0 },
		{ "vsock:1:", false, 0, 0 }, { "vsock::1", false, 0, 0 },
		{ "vsock:any", false, 0, 0 }, { "vsock:any:", false, 0, 0 },
		{ "vsock:anything:1", false, 0, 0 }, { "vsock:-1:1", false, 0, 0 },
		{ "vsock:1:x", false, 0, 0 }, { "vsock:1:2:3", false, 0, 0 },
	};
	struct address addr;
	bool good;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		good = !parse_address(rows[i].arg, &addr);
		test_result(good == rows[i].good &&
			    (!good || (addr.kind == ADDRESS_VSOCK && addr.cid == rows[i].cid &&
				       addr.vport == rows[i].port)),
			    "address '%s' is %s", rows[i].arg,
			    rows[i].good ? "taken" : "refused");
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *arg;
		uint64_t bytes;
		bool good;
	} cases[] = {
		{ "0", 0, true }, { "1", 1, true }, { "4096", 4096, true },
		{ "1K", 1024, true }, { "64m", 64ULL << 20, true }, { "2G", 2ULL << 30, true },
		{ "1T", 1ULL << 40, true }, { "3MiB", 3ULL << 20, true },
		{ "16777215T", 16777215ULL << 40, true }, { "16777216T", 0, false },
		{ "18446744073709551615", UINT64_MAX, true },
		{ "18446744073709551616", 0, false },
		{ "", 0, false }, { "-1", 0, false }, { "+1", 0, false }, { " 1", 0, false },
		{ "1X", 0, false }, { "1KB", 0, false }, { "1Kx", 0, false }, { "K", 0, false },
	};
	uint64_t bytes;
	bool good;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		good = !parse_size(cases[i].arg, &bytes);
		if (good)
			good = cases[i].good && bytes == cases[i].bytes;
		else
			good = !cases[i].good;
		test_result(good, "size '%s'", cases[i].arg);
	}
}

static void test_numbers(void)
{
	uint32_t v = 0;

	test_result(!parse_u32("8", 1, 64, &v) && v == 8, "number in range");
	test_result(!parse_u32("4294967295", 0, UINT32_MAX, &v) && v == UINT32_MAX,
		    "largest number");
	test_result(parse_u32("4294967296", 0, UINT32_MAX, &v), "number too large");
	test_result(parse_u32("0", 1, 64, &v), "number too small");
	test_result(parse_u32("-1", 0, 64, &v), "negative number");
	test_result(parse_u32("8x", 0, 64, &v), "number with a tail");
	test_result(parse_u32("", 0, 64, &v), "empty number");
}

static void test_devices(void)
{
	struct device_arg dev;
	char longest[600];

	test_result(!parse_device("pci/0000:01:00.0", 3, &dev) &&
		    !strcmp(dev.handle, "pci/0000:01:00.0") && !strcmp(dev.idstr, "vfmig/3"),
		    "device without identity gets its position");
	test_result(!parse_device("pci/0000:01:00.0=0000:00:04.0/vfio", 0, &dev) &&
		    !strcmp(dev.handle, "pci/0000:01:00.0") &&
		    !strcmp(dev.idstr, "0000:00:04.0/vfio"), "device with identity");
	test_result(!parse_device("mdev/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001=a=b", 0, &dev) &&
		    !strcmp(dev.idstr, "a=b"), "mdev with '=' in its identity");
	test_result(parse_device("pci/0000:01:00.0=", 0, &dev), "empty identity");
	test_result(parse_device("pci/0000:01:00.0=a\x01", 0, &dev),
		    "identity that cannot be printed");
	test_result(parse_device("0000:01:00.0", 0, &dev), "handle without bus");
	test_result(parse_device("usb/1", 0, &dev), "handle of another bus");
	test_result(parse_device("pci/", 0, &dev), "handle without name");
	test_result(parse_device("pci/..", 0, &dev), "handle that climbs");
	test_result(parse_device("pci/../../x", 0, &dev), "handle that climbs further");

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "pci/", 4);
	test_result(parse_device(longest, 0, &dev), "handle too long");
	longest[8] = '=';
	test_result(parse_device(longest, 0, &dev), "identity too long");
	longest[8 + 256] = '\0';
	test_result(!parse_device(longest, 0, &dev) && strlen(dev.idstr) == 255,
		    "longest identity");
}

static void test_names(void)
{
	test_result(!parse_name("to-b"), "name of a link");
	test_result(parse_name(""), "empty name");
	test_result(!parse_name("0123456789012345678901234567890"), "longest name");
	test_result(parse_name("01234567890123456789012345678901"), "name too long");
}

static void test_handles(void)
{
	char longest[VFIO_MIGMUX_HANDLE_MAX + 2];

	test_result(!parse_handle("pci/0000:01:00.0"), "handle");
	test_result(parse_handle("pci/a/b"), "handle with two names");
	test_result(parse_handle(""), "empty handle");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "pci/", 4);
	longest[sizeof(longest) - 1] = '\0';
	test_result(parse_handle(longest), "handle one too long");
	longest[sizeof(longest) - 2] = '\0';
	test_result(!parse_handle(longest), "longest handle");
}

static void test_policies(void)
{
	static const struct {
		const char *arg;
		uint32_t policy;
		bool good;
	} rows[] = {
		{ "none", 0, true }, { "stop", 1, true }, { "stop,copy,start", 7, true },
		{ "start,copy,stop", 7, true }, { "resume", 8, true }, { "setup", 16, true },
		{ "barrier", 32, true }, { "barrier,barrier", 32, true },
		{ "", 0, false }, { ",", 0, false }, { "stop,", 0, false }, { ",stop", 0, false },
		{ "sto", 0, false }, { "stopover", 0, false }, { "none,stop", 0, false },
		{ "stop,none", 0, false }, { "STOP", 0, false }, { "stop copy", 0, false },
		{ "7", 0, false },
	};
	uint32_t policy;
	bool good;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		policy = 99;
		good = !parse_policy(rows[i].arg, &policy);
		good = good == rows[i].good && policy == rows[i].policy;
		test_result(good, "policy '%s' is %s", rows[i].arg,
			    rows[i].good ? "taken" : "refused");
	}
}

static void test_times(void)
{
	static const struct {
		const char *arg;
		uint32_t ms;	/* 0: must be refused */
	} rows[] = {
		{ "1", 1 }, { "5000", 5000 }, { "5000ms", 5000 }, { "5s", 5000 },
		{ "600s", 600000 }, { "600000", 600000 },
		{ "0", 0 }, { "0ms", 0 }, { "600001", 0 }, { "601s", 0 }, { "", 0 }, { "s", 0 },
		{ "-1", 0 }, { "5 s", 0 }, { "5m", 0 }, { "5min", 0 }, { "1.5s", 0 },
		{ "18446744073709551615s", 0 }, { "18446744073709551616", 0 },
	};
	uint32_t ms;
	bool good;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		good = !parse_ms(rows[i].arg, 1, 600000, &ms);
		test_result(good == !!rows[i].ms && (!good || ms == rows[i].ms),
			    "time '%s' is %s", rows[i].arg, rows[i].ms ? "taken" : "refused");
	}
}

static void test_yes_no(void)
{
	bool yes;

	test_result(!parse_yes_no("yes", &yes) && yes, "yes");
	test_result(!parse_yes_no("no", &yes) && !yes, "no");
	test_result(parse_yes_no("on", &yes), "neither yes nor no");
}

void test_parse(void)
{
	test_addresses();
	test_unix_addresses();
	test_vsock_addresses();
	test_sizes();
	test_numbers();
	test_devices();
	test_names();
	test_handles();
	test_policies();
	test_times();
	test_yes_no();
}
