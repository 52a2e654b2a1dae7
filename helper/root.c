// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The prefix of every absolute path. Modules never build a path of their own without it, so a test tree is complete or
 * visibly not: nothing of the host leaks into a --sysroot run.
 */
#include "root.h"

#include <fcntl.h>

static const char *prefix = "";

int root_set(const char *dir)
{
	if (!dir || streq(dir, "/"))
		dir = "";
	if (strlen(dir) >= PATH_MAX / 2)
		return -ENAMETOOLONG;
	prefix = dir;
	return 0;
}

bool root_is_host(void)
{
	return prefix[0] == '\0';
}

int root_path(const char *path, char *buf, size_t size)
{
	int len = snprintf(buf, size, "%s%s", prefix, path);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int root_open(const char *path, int flags)
{
	char full[PATH_MAX];
	int r, fd;

	r = root_path(path, full, sizeof(full));
	if (r < 0)
		return r;
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

FILE *root_fopen(const char *path)
{
	char full[PATH_MAX];
	int r = root_path(path, full, sizeof(full));

	if (r < 0) {
		errno = -r;
		return NULL;
	}
	return fopen(full, "re");
}

ssize_t root_read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = root_open(path, O_RDONLY);
	size_t used = 0;

	if (fd < 0)
		return fd;
	/* /proc files come a page at a time. */
	while (used < size) {
		ssize_t n = read(fd, buf + used, size - used);

		if (n < 0)
			return -errno;
		if (n == 0) {
			buf[used] = '\0';
			return (ssize_t)used;
		}
		used += (size_t)n;
	}
	return -EFBIG;
}

bool root_exists(const char *path)
{
	char full[PATH_MAX];

	if (root_path(path, full, sizeof(full)) < 0)
		return false;
	return access(full, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}
