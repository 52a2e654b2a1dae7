// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timer - runs a program once, with an empty environment and no output, and prints its wall time in microseconds, its
 * peak resident memory in KiB and its exit status.
 *
 * usage: timer [NAME=VALUE...] PROGRAM [ARG...]
 *
 * A program of its own because the shell's clock would count the shell's fork, and because the peak is never less than
 * what the process was before it became the program: this one is small.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t quiet;
	char *environment[16] = { NULL };
	struct rusage usage;
	long long start;
	int n = 0, status;
	pid_t pid;

	for (argv++, argc--; argc > 1 && strchr(argv[0], '=') && n < 15; argv++, argc--)
		environment[n++] = argv[0];
	if (argc < 1)
		errx(2, "usage: timer [NAME=VALUE...] PROGRAM [ARG...]");
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&quiet, STDOUT_FILENO, STDERR_FILENO);
	start = now_us();
	if (posix_spawn(&pid, argv[0], &quiet, NULL, argv, environment) != 0 || wait4(pid, &status, 0, &usage) < 0)
		err(1, "%s", argv[0]);
	printf("%lld %ld %d\n", now_us() - start, usage.ru_maxrss, status);
	return 0;
}
