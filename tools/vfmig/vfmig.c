// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig: configure, watch and drive vfio_migmux.
 */
#include "objects.h"

static const struct command commands[] = {
	{
		.name = "device", .sub = device_commands, .run = device_list,
		.help = "devices that can migrate: list, show, hook, unhook, probe",
	}, {
		.name = "set", .sub = set_commands, .run = set_list,
		.help = "devices of one VM: list, show, add, del, policy, timeline, auto",
	}, {
		.name = "link", .sub = link_commands, .run = link_list,
		.help = "bundles of connections: list, show, listen, connect, del",
	}, {
		.name = "session", .sub = session_commands, .run = session_list,
		.help = "migrations: list, show, timeline",
	}, {
		.name = "send", .args = "LINK DEV[=IDSTR]...", .run = send_run,
		.options = send_options, .min_args = 2, .max_args = -1,
		.help = "send the state of devices that no VM uses",
	}, {
		.name = "check", .args = "LINK DEV[=IDSTR]...", .run = check_run,
		.options = check_options, .min_args = 2, .max_args = -1,
		.help = "compare devices with those that recv waits with",
	}, {
		.name = "recv", .args = "LINK DEV[=IDSTR]...", .run = recv_run,
		.options = recv_options, .min_args = 2, .max_args = -1,
		.help = "receive the state that send sends, and start the devices",
	}, {
		.name = "monitor", .run = monitor_run, .options = monitor_options,
		.help = "print events as they come",
	},
	{ }
};

static const struct command root = {
	.name = "vfmig",
	.sub = commands,
	.run = summary_run,
	.help = "Migrate the state of VFIO devices. Without a command: what is hooked,\n"
		"which sets, links and sessions there are.",
};

int main(int argc, char **argv)
{
	struct app app = { 0 };

	return command_dispatch(&app, &root, argc, argv);
}
