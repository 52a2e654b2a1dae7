/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A throw-away directory as the root (--sysroot), to hold a fake /sys, /proc or /run. A test says
 * TREE first and may then make files in it by their absolute paths; it goes when the test ends.
 * What cannot be made ends the program: no result is better than a wrong one.
 */
#ifndef NVFIO_TREE_H
#define NVFIO_TREE_H

#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "root.h"

static char tree_root[64];

static inline void tree_fail(const char *what)
{
	printf("Bail out! %s: ", what);
	fflush(stdout);
	perror(NULL);
	exit(1);
}

static inline int tree_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void tree_end(int *tree)
{
	(void)tree;
	if (nftw(tree_root, tree_unlink, 16, FTW_DEPTH | FTW_PHYS) < 0 || root_set(NULL) < 0)
		tree_fail(tree_root);
}

static inline int tree_begin(void)
{
	strcpy(tree_root, "/tmp/nvfio-unit-XXXXXX");
	if (!mkdtemp(tree_root) || root_set(tree_root) < 0)
		tree_fail(tree_root);
	return 0;
}

#define TREE __attribute__((cleanup(tree_end), unused)) int tree = tree_begin()

/* The real path of an absolute path, valid for three more calls. */
static inline const char *tree_path(const char *path)
{
	static char ring[4][PATH_MAX];
	static unsigned int next;
	char *buf = ring[next++ % 4];

	if (root_path(path, buf, PATH_MAX) < 0)
		tree_fail(path);
	return buf;
}

/* Makes a directory and those above it. */
static inline void tree_dir(const char *path)
{
	char full[PATH_MAX];
	size_t root = strlen(tree_root) + 1;

	if (strlen(path) < 2)
		return;
	strcpy(full, tree_path(path));
	for (char *s = full + root; (s = strchr(s, '/')); *s++ = '/') {
		*s = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			tree_fail(full);
	}
	if (mkdir(full, 0755) < 0 && errno != EEXIST)
		tree_fail(full);
}

static inline void tree_dir_of(const char *path)
{
	char dir[PATH_MAX];

	strcpy(dir, path);
	*strrchr(dir, '/') = '\0';
	tree_dir(dir);
}

/* Makes (or replaces) a file of these bytes. */
static inline void tree_bytes(const char *path, const char *bytes, size_t len)
{
	FILE *file;

	tree_dir_of(path);
	file = fopen(tree_path(path), "w");
	if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
		tree_fail(path);
}

static inline void tree_file(const char *path, const char *text)
{
	tree_bytes(path, text, strlen(text));
}

/* Removes a file, a link or an empty directory. */
static inline void tree_remove(const char *path)
{
	if (remove(tree_path(path)) < 0)
		tree_fail(path);
}

/* Makes a link; target is written as it is. */
static inline void tree_link(const char *path, const char *target)
{
	tree_dir_of(path);
	if (symlink(target, tree_path(path)) < 0)
		tree_fail(path);
}

/* Reads a file of the tree back; the empty string if there is none. */
static inline const char *tree_read(const char *path)
{
	static char buf[16384];

	return root_read(path, buf, sizeof(buf)) < 0 ? "" : buf;
}

#endif
