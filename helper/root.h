/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the file system begins: "/" on a host, a fake tree under test (--sysroot). An argument, never the environment:
 * whoever sets a root process's environment must not choose which files it believes.
 */
#ifndef NVFIO_ROOT_H
#define NVFIO_ROOT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "util.h"

/* Makes every later path start at dir; dir is kept by reference. NULL or "/" is the host. -ENAMETOOLONG if unusable. */
int root_set(const char *dir) _must_check_;

/* true on a host, false under --sysroot, where no module is inserted and no process is moved to another cgroup. */
bool root_is_host(void);

/* Writes the real path of the absolute path into buf. 0 or -ENAMETOOLONG. */
int root_path(const char *path, char *buf, size_t size) _must_check_;

/* open(2) of an absolute path with O_CLOEXEC added. A descriptor or -errno. */
int root_open(const char *path, int flags) _must_check_;

/* fopen(3) of an absolute path, for reading line by line. NULL with errno. */
FILE *root_fopen(const char *path) _must_check_;

/* Reads the file at an absolute path whole. Its length (buf is NUL-terminated), -EFBIG if it does not fit, -errno. */
ssize_t root_read(const char *path, char *buf, size_t size) _must_check_;

/*
 * Whether there is something at an absolute path. Also true where that cannot be found out: those who ask look for a
 * reason to keep their hands off.
 */
bool root_exists(const char *path);

#endif
