// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process the tests can send into the fake tree, or let hold something there. Says what failed by its errno's name.
 *
 *   client read DIR NAME...          opens DIR, then each NAME in it, and prints what one read(2) gives
 *   client write DIR NAME VALUE...   likewise one write(2) a pair
 *   client fork DIR NAME VALUE...    likewise, in a child
 *   client zero DIR NAME             a write(2) of no bytes
 *   client rdev PATH                 the device number of what PATH leads to
 *   client lock PATH                 takes an open-file-description lock, says "locked", keeps it until its input ends
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int say_errno(void)
{
	fprintf(stderr, "%s\n", strerrorname_np(errno));
	return 1;
}

static int do_reads(int dir, char **names)
{
	char buf[8192];

	for (; *names; names++) {
		int fd = openat(dir, *names, O_RDONLY);
		ssize_t n;

		if (fd < 0)
			return say_errno();
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			return say_errno();
		fwrite(buf, 1, (size_t)n, stdout);
		close(fd);
	}
	return 0;
}

static int do_writes(int dir, char **pairs)
{
	for (; pairs[0] && pairs[1]; pairs += 2) {
		int fd = openat(dir, pairs[0], O_WRONLY);
		ssize_t n;

		if (fd < 0)
			return say_errno();
		n = write(fd, pairs[1], strlen(pairs[1]));
		if (n < 0)
			return say_errno();
		if ((size_t)n != strlen(pairs[1])) {
			fprintf(stderr, "SHORT %zd\n", n);
			return 1;
		}
		close(fd);
	}
	return 0;
}

static int do_fork(int dir, char **pairs)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(do_writes(dir, pairs));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return say_errno();
	return WEXITSTATUS(status);
}

static int do_lock(const char *path)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT, 0644);
	char c;

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return say_errno();
	puts("locked");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct stat st;
	int dir;

	if (strcmp(verb, "lock") == 0)
		return do_lock(argv[2]);
	if (strcmp(verb, "rdev") == 0) {
		if (stat(argv[2], &st) < 0)
			return say_errno();
		printf("%s %u %u\n", S_ISCHR(st.st_mode) ? "c" : "-", major(st.st_rdev), minor(st.st_rdev));
		return 0;
	}
	dir = argc > 2 ? open(argv[2], O_RDONLY | O_DIRECTORY) : -1;
	if (dir < 0)
		return say_errno();
	if (strcmp(verb, "read") == 0)
		return do_reads(dir, argv + 3);
	if (strcmp(verb, "write") == 0)
		return do_writes(dir, argv + 3);
	if (strcmp(verb, "fork") == 0)
		return do_fork(dir, argv + 3);
	if (strcmp(verb, "zero") == 0 && argc > 3) {
		int fd = openat(dir, argv[3], O_WRONLY);

		return fd < 0 || write(fd, "", 0) < 0 ? say_errno() : 0;
	}
	return 2;
}
