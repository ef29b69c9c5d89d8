// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user's command, run with the devices of send or recv.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output.h"
#include "transfer.h"

static char *make_environment(const struct transfer *t)
{
	char *text = NULL, *more;

	for (uint32_t i = 0; i < t->session.nr_devices; i++) {
		if (asprintf(&more, "%s%s%s=%d", text ? text : "", text ? " " : "",
			     t->args[i].handle, t->vfio.devices[i]) < 0)
			abort();
		free(text);
		text = more;
	}
	return text;
}

static void run_child(struct transfer *t, const char *environment)
{
	sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
	for (uint32_t i = 0; i < t->vfio.nr_devices; i++)
		fcntl(t->vfio.devices[i], F_SETFD, 0);
	setenv("VFMIG_DEVICES", environment, 1);
	/* with -j stdout holds one document, which is ours */
	if (t->app->json)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", t->exec, (char *)NULL);
	_exit(127);
}

/**
 * transfer_exec() - run the user's command with the devices' descriptors
 * @t: the run, opened
 *
 * Return: 0, or an exit code after it said why.
 */
int transfer_exec(struct transfer *t)
{
	char *environment;
	int status = 0;
	pid_t pid;

	if (!t->exec)
		return 0;
	environment = make_environment(t);
	fflush(NULL);
	pid = fork();
	if (!pid)
		run_child(t, environment);
	free(environment);
	if (pid < 0) {
		output_error("cannot run '%s': %s", t->exec, strerror(errno));
		return VFMIG_REFUSED;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		output_error("'%s' was killed by signal %d", t->exec, WTERMSIG(status));
	else
		output_error("'%s' failed with exit code %d", t->exec, WEXITSTATUS(status));
	return VFMIG_REFUSED;
}
