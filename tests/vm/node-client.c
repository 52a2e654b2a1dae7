// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * node-client - use a device node in one of the ways that are easy to miss.
 *
 * usage: node-client open|map|thread PATH
 *   open    keeps it open
 *   map     maps it and closes it
 *   thread  keeps it open in a thread that outlives the first one
 * Says "ready" and stays until standard input ends. Exit status: 0, or 1 with
 * what failed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void stay(void)
{
	char c;

	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
}

static void *outlive(void *first)
{
	/* Only now the process shows no descriptors any more. */
	pthread_join(*(pthread_t *)first, NULL);
	stay();
	exit(0);
}

int main(int argc, char **argv)
{
	static pthread_t first;
	pthread_t second;
	int fd;

	if (argc != 3)
		return 1;
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		fail(argv[2]);
	if (strcmp(argv[1], "map") == 0) {
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			fail("mmap");
		close(fd);
	} else if (strcmp(argv[1], "thread") == 0) {
		first = pthread_self();
		if (pthread_create(&second, NULL, outlive, &first) != 0)
			fail("pthread_create");
		pthread_exit(NULL);
	}
	stay();
	return 0;
}
