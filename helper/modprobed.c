// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which file and line of modprobe.d(5) says something. libkmod knows what holds (kmod.c), but not where it is from, and it is
 * the line that has to be mended. Files as libkmod chooses them: of equal names the first directory's counts.
 */
#include "check.h"

#include <limits.h>
#include "driver.h"
#include "root.h"
#include "sysfs.h"

static const char *const dirs[] = { "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
				    "/lib/modprobe.d" };

#define BLANKS " \t\v"

struct search {
	const char *keyword, *module, *with;
	char *where, *rest;
};

/* What stands at s as one word, in buf; what comes after it. */
static char *next_word(char *s, char *buf, size_t size)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strcspn(s, BLANKS);
	snprintf(buf, size, "%.*s", (int)len, s);
	return s + len + strspn(s + len, BLANKS);
}

static bool line_fits(const struct search *search, char *line)
{
	char word[256], *rest = next_word(line, word, sizeof(word));

	if (!streq(word, search->keyword))
		return false;
	rest = next_word(rest, word, sizeof(word));
	if (!driver_same_name(word, search->module) || (search->with && !strstr(rest, search->with)))
		return false;
	snprintf(search->rest, 300, "%s", rest);
	return true;
}

/* A backslash at its end makes the next line part of this one. The vertical tab remembers that there was a line's end. */
static void join_lines(char *text)
{
	char *s;

	for (s = strstr(text, "\\\n"); s; s = strstr(s, "\\\n")) {
		s[0] = ' ';
		s[1] = '\v';
	}
}

/* 0 if found, -ENOENT, -errno. */
static int search_file(const struct search *search, const char *path)
{
	int r;
	_cleanup_free_ char *text = host_file(path, &r);
	unsigned int number = 1;
	char *rest = text, *line;

	if (!text)
		return r;
	join_lines(text);
	while ((line = strsep(&rest, "\n"))) {
		if (line_fits(search, line)) {
			(void)snprintf(search->where, 300, "%.280s:%u", path, number);
			return 0;
		}
		for (number++; (line = strchr(line, '\v')); line++)
			number++;
	}
	return -ENOENT;
}

static bool is_shadowed(unsigned int dir, const char *name)
{
	char path[PATH_MAX];
	unsigned int i;

	for (i = 0; i < dir; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (root_exists(path))
			return true;
	}
	return false;
}

int modprobed_find(const char *keyword, const char *module, const char *with, char where[static 300], char rest[static 300])
{
	const struct search search = { keyword, module, with, where, rest };
	int result = -ENOENT;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_dir_ DIR *dir = sysfs_list_path(dirs[i]);
		const struct dirent *de;

		while (dir && (de = readdir(dir))) {
			size_t len = strlen(de->d_name);
			char path[PATH_MAX];
			int r;

			if (len < 5 || !streq(de->d_name + len - 5, ".conf") || is_shadowed(i, de->d_name))
				continue;
			snprintf(path, sizeof(path), "%s/%s", dirs[i], de->d_name);
			r = search_file(&search, path);
			if (r == 0)
				return 0;
			/* /dev/null switches a file off; it is no regular file. */
			if (r == -EACCES)
				result = r;
		}
	}
	return result;
}
