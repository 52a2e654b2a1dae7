// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Looks through /proc for the descriptor that a lock was taken by. For telling people, not for deciding: by the time
 * it is said the lock may be free.
 */
#include "lock-owner.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "pci.h"
#include "root.h"
#include "sysfs.h"

static bool is_locked_by(int proc, const char *pid, const char *fd)
{
	char path[2 * NAME_MAX + 16], text[SYSFS_VALUE_SIZE];

	snprintf(path, sizeof(path), "%s/fdinfo/%s", pid, fd);
	return sysfs_read(proc, path, text, sizeof(text)) > 0 && strstr(text, "lock:");
}

/* Whether one of the process's descriptors is of this file, and locks it. */
static bool holds(int proc, const char *pid, const struct stat *file)
{
	char path[NAME_MAX + 16];
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;

	snprintf(path, sizeof(path), "%s/fd", pid);
	dir = sysfs_list(proc, path);
	while (dir && (de = readdir(dir))) {
		struct stat st;

		if (isdigit((unsigned char)de->d_name[0]) && fstatat(dirfd(dir), de->d_name, &st, 0) == 0 &&
		    st.st_ino == file->st_ino && st.st_dev == file->st_dev && is_locked_by(proc, pid, de->d_name))
			return true;
	}
	return false;
}

void lock_owner(const char *bdf, char *buf, size_t size)
{
	_cleanup_close_ int proc = root_open("/proc", O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = proc >= 0 ? sysfs_list(proc, ".") : NULL;
	char path[PATH_MAX], name[32 + BDF_SIZE], comm[64];
	const struct dirent *de;
	struct stat file;

	snprintf(buf, size, "another process");
	snprintf(name, sizeof(name), "/run/nvfio/%s.lock", bdf);
	if (root_path(name, path, sizeof(path)) < 0 || stat(path, &file) < 0)
		return;
	while (dir && (de = readdir(dir))) {
		if (!isdigit((unsigned char)de->d_name[0]) || atoi(de->d_name) == getpid() ||
		    !holds(proc, de->d_name, &file))
			continue;
		snprintf(path, sizeof(path), "%s/comm", de->d_name);
		if (sysfs_read(proc, path, comm, sizeof(comm)) < 0)
			strcpy(comm, "?");
		snprintf(buf, size, "pid %s (%s)", de->d_name, comm);
		return;
	}
}
