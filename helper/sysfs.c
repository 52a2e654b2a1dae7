// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysfs through directory descriptors: one read, one write, nothing else. No knowledge of PCI, no policy, no log.
 */
#include "sysfs.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "root.h"

int sysfs_open_dir(const char *path)
{
	return root_open(path, O_RDONLY | O_DIRECTORY);
}

/* Takes fd over. */
static DIR *list_fd(int fd)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		close_fd(fd);
	return dir;
}

DIR *sysfs_list(int dirfd, const char *name)
{
	return list_fd(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

DIR *sysfs_list_path(const char *path)
{
	int fd = sysfs_open_dir(path);

	if (fd < 0)
		errno = -fd;
	return list_fd(fd);
}

int sysfs_read(int dirfd, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	buf[0] = '\0';
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size);
	if (n < 0) {
		buf[0] = '\0';
		return -errno;
	}
	if ((size_t)n >= size) {
		buf[0] = '\0';
		return -EOVERFLOW;
	}
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	if (strlen(buf) != (size_t)n) {
		buf[0] = '\0';
		return -EINVAL;
	}
	return (int)n;
}

int sysfs_read_hex(int dirfd, const char *name, uint32_t max, uint32_t *ret)
{
	char buf[32], *end;
	unsigned long value;
	int r;

	r = sysfs_read(dirfd, name, buf, sizeof(buf));
	if (r < 0)
		return r == -EOVERFLOW ? -EINVAL : r;
	/* strtoul alone would also take "-1", " 1" and an empty string. */
	if (!startswith(buf, "0x") || strspn(buf + 2, "0123456789abcdefABCDEF") != strlen(buf + 2) ||
	    strlen(buf) < 3 || strlen(buf) > 10)
		return -EINVAL;
	value = strtoul(buf, &end, 16);
	if (*end || value > max)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

int sysfs_read_target(int dirfd, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dirfd, name, buf, size);
	int r = n < 0 ? -errno : (size_t)n == size ? -ENAMETOOLONG : 0;

	buf[r < 0 ? 0 : n] = '\0';
	return r;
}

int sysfs_read_link(int dirfd, const char *name, char *buf, size_t size)
{
	char target[PATH_MAX];
	const char *base;
	int r;

	buf[0] = '\0';
	r = sysfs_read_target(dirfd, name, target, sizeof(target));
	if (r < 0)
		return r;
	base = strrchr(target, '/');
	return copy_name(buf, size, base ? base + 1 : target);
}

int sysfs_has(int dirfd, const char *name)
{
	if (faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

int sysfs_may_write(int dirfd, const char *name)
{
	return faccessat(dirfd, name, W_OK, 0) < 0 ? -errno : 0;
}

int sysfs_write(int dirfd, const char *name, const char *value)
{
	_cleanup_close_ int fd = -1;
	size_t len = strlen(value);
	ssize_t n;

	fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = write(fd, value, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}
