// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig device: list, show, hook, unhook.
 */
#include <getopt.h>
#include <stdlib.h>

#include "fetch.h"
#include "objects.h"
#include "output.h"
#include "parse.h"

static void print_table(const struct device_list *list)
{
	static const char * const header[] = {
		"device", "driver", "can", "hooked", "set", "users", "session", "arcs", "refused",
	};
	char buf[OUTPUT_UNIT_MAX];
	struct table t;

	table_begin(&t, 9, 1U << 5 | 1U << 6 | 1U << 7 | 1U << 8, header);
	for (size_t i = 0; i < list->n; i++) {
		const struct device *d = &list->v[i];

		table_cell(&t, "%s", d->handle);
		table_cell(&t, "%s", d->driver);
		table_cell(&t, "%s", output_migration(buf, d->migration_flags));
		table_cell(&t, "%s", d->pinned ? "pinned" : d->hooked ? "yes" : "no");
		table_cell(&t, "%s", d->set[0] ? d->set : "-");
		table_cell(&t, "%u", d->users);
		if (d->session)
			table_cell(&t, "%u", d->session);
		else
			table_cell(&t, "-");
		table_cell(&t, "%u", d->arcs);
		table_cell(&t, "%u", d->refused);
	}
	table_end(&t, stdout);
}

int device_list(struct app *app, const struct command *cmd, int argc, char **argv)
{
	struct device_list list = { 0 };
	struct genl g;

	if (command_only_args(app, cmd, argc, argv) < 0 || genl_open(&g, app))
		return app->status;
	if (fetch_devices(&g, NULL, &list))
		app->status = genl_complain(&g, "cannot list devices", "");
	else if (app->json)
		json_finish(json_devices(&list, false), stdout, false);
	else
		print_table(&list);
	free(list.v);
	genl_close(&g);
	return app->status;
}

static void print_device(const struct device *d)
{
	char buf[OUTPUT_UNIT_MAX];

	printf("%s\n", d->handle);
	printf("  driver    %s\n", d->driver);
	printf("  can       %s\n", output_migration(buf, d->migration_flags));
	printf("  hooked    %s\n", d->pinned ? "yes, by device hook" : d->hooked ? "yes" : "no");
	printf("  users     %u\n", d->users);
	if (d->set[0])
		printf("  set       %s\n", d->set);
	if (d->session)
		printf("  session   %u\n", d->session);
	printf("  arcs      %u\n", d->arcs);
	printf("  refused   %u\n", d->refused);
}

static int device_show(struct app *app, const struct command *cmd, int argc, char **argv)
{
	const char *handle = command_name(app, cmd, argc, argv, parse_handle);
	struct device_list list = { 0 };
	struct genl g;

	if (!handle || genl_open(&g, app))
		return app->status;
	if (fetch_devices(&g, handle, &list))
		app->status = genl_complain(&g, "cannot show", handle);
	else if (list.n && app->json)
		json_finish(json_device(&list.v[0]), stdout, false);
	else if (list.n)
		print_device(&list.v[0]);
	free(list.v);
	genl_close(&g);
	return app->status;
}

/*
 * Do one request for each device. All are tried: an operator who hooks eight
 * wants to see all that is wrong at once.
 */
static int for_each(struct app *app, const struct command *cmd, int argc, char **argv,
		    uint8_t request, const char *what)
{
	int ret = VFMIG_OK, failed = 0;
	struct nl_msg *msg;
	struct genl g;
	int n, i, one;

	n = command_only_args(app, cmd, argc, argv);
	if (n < 0 || command_check(app, argc, argv, optind, parse_handle) || genl_open(&g, app))
		return app->status;
	for (i = optind; i < argc; i++) {
		msg = genl_request(&g, request, 0);
		nla_put_string(msg, VFIO_MIGMUX_A_DEVICE_HANDLE, argv[i]);
		if (genl_talk(&g, msg, NULL, NULL)) {
			one = genl_complain(&g, what, argv[i]);
			ret = failed && one != ret ? VFMIG_REFUSED : one;
			failed++;
		}
	}
	genl_close(&g);
	return failed && failed < n ? VFMIG_PARTIAL : ret;
}

static int device_hook(struct app *app, const struct command *cmd, int argc, char **argv)
{
	return for_each(app, cmd, argc, argv, VFIO_MIGMUX_CMD_DEVICE_HOOK, "cannot hook");
}

static int device_unhook(struct app *app, const struct command *cmd, int argc, char **argv)
{
	return for_each(app, cmd, argc, argv, VFIO_MIGMUX_CMD_DEVICE_UNHOOK, "cannot unhook");
}

const struct command device_commands[] = {
	{
		.name = "list", .run = device_list,
		.help = "list the devices that can migrate",
	}, {
		.name = "show", .args = "DEV", .run = device_show,
		.min_args = 1, .max_args = 1,
		.help = "show one device",
	}, {
		.name = "hook", .args = "DEV...", .run = device_hook,
		.min_args = 1, .max_args = -1,
		.help = "let the devices' state changes go through the module",
	}, {
		.name = "unhook", .args = "DEV...", .run = device_unhook,
		.min_args = 1, .max_args = -1,
		.help = "undo hook",
	}, {
		.name = "probe", .args = "DEV...", .run = device_probe,
		.min_args = 1, .max_args = -1,
		.help = "measure devices that no VM uses: their arcs and their state",
	},
	{ }
};
